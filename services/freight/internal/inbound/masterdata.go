// Package inbound keeps freight's copy of master data current from masterdata's feed. It promises that a fact replaces the whole
// resource, so that the copy is what masterdata told last. What freight makes of it is package store's.
package inbound

import (
	"context"

	"google.golang.org/protobuf/proto"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	"crossdock.dev/platform/eventlog"
	platform "crossdock.dev/platform/store"

	"crossdock.dev/services/freight/internal/store"
)

// resource is what every message of masterdata's feed holds.
type resource interface {
	proto.Message
	GetName() string
}

// Readers are what the followed log means to freight.
func Readers() []eventlog.Reader {
	return []eventlog.Reader{{Log: "masterdata", Keys: keys, Apply: apply}}
}

// keys names the resource that a fact changes, where freight keeps it.
func keys(f eventlog.Fact) []string {
	if r := changed(f); r != nil {
		return []string{r.GetName()}
	}
	return nil
}

// apply replaces the copy of the resource that a fact changes.
func apply(ctx context.Context, tx *platform.Tx, f eventlog.Fact) error {
	r := changed(f)
	if r == nil {
		return eventlog.ErrIgnored
	}
	return store.Wrap(ctx, tx).SetMasterdata(r)
}

// changed is the resource in a fact; nil where freight has no use for it.
func changed(f eventlog.Fact) resource {
	switch m := f.Payload.(type) {
	case *masterdatav1.PartyChanged:
		return present(m.GetParty())
	case *masterdatav1.LocationChanged:
		return present(m.GetLocation())
	case *masterdatav1.ItemChanged:
		return present(m.GetItem())
	case *masterdatav1.CalendarChanged:
		return present(m.GetCalendar())
	case *masterdatav1.LaneChanged:
		return present(m.GetLane())
	case *masterdatav1.RoutingGuideChanged:
		return present(m.GetRoutingGuide())
	case *masterdatav1.RateTableChanged:
		return present(m.GetRateTable())
	case *masterdatav1.FuelIndexChanged:
		return present(m.GetFuelIndex())
	case *masterdatav1.ContractApproved:
		return present(m.GetContract())
	}
	return nil
}

// present is nil for a resource without a name, an absent one included.
func present(r resource) resource {
	if r.GetName() == "" {
		return nil
	}
	return r
}
