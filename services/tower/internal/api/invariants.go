package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/tower/storage/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/tower/internal/store"
)

// Suite is what tower asks the other services for its checks.
type Suite interface {
	// Consumers lists what a service made of the feeds it follows.
	Consumers(ctx context.Context) (map[string][]*eventlogv1.Consumer, error)
	// MessageCounts lists the conservation counters of the EDI adapter.
	MessageCounts(ctx context.Context) ([]*ediv1.MessageCount, error)
	// Pending lists what waits inside the services, and those that did not say, by name.
	Pending(ctx context.Context) (pending []Pending, unasked []string)
}

// Pending is what waits inside a service.
type Pending struct {
	Service string
	Parked  []*eventlogv1.ParkedFact
	Tasks   []*eventlogv1.Task
}

// check checks I2, I3, I5 and I8. I1, I4, I6 and I7 are each service's own.
func check(ctx context.Context, s *platform.Store, suite Suite) (*towerv1.InvariantReport, error) {
	report := &towerv1.InvariantReport{Checked: []string{"I2 facts", "I3 messages", "I5 billing", "I8 references"}}
	breach := func(invariant, format string, args ...any) {
		report.Breaches = append(report.Breaches, &towerv1.InvariantReport_Breach{Invariant: invariant, Detail: fmt.Sprintf(format, args...)})
	}
	consumers, err := suite.Consumers(ctx)
	if err != nil {
		return nil, err
	}
	for service, list := range consumers {
		for _, c := range list {
			if sum := c.GetApplied() + c.GetIgnored() + c.GetDeferred() + c.GetParked(); sum != c.GetRead() {
				breach("I2", "%s of %s: read %d, accounted for %d", c.GetName(), service, c.GetRead(), sum)
			}
		}
	}
	counts, err := suite.MessageCounts(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range counts {
		if sum := c.GetApplied() + c.GetDuplicate() + c.GetParked() + c.GetRejected() + c.GetInProgress(); sum != c.GetReceived() {
			breach("I3", "%s %s of %s: received %d, accounted for %d", c.GetParty(), c.GetSet(), c.GetDay(), c.GetReceived(), sum)
		}
	}
	err = s.View(ctx, func(r platform.Reader) error {
		return store.EachCase(ctx, r, func(rec *storagev1.Case) error {
			c := rec.GetCase()
			for _, shipment := range rec.GetAuthorized() {
				if !slices.Contains(rec.GetInvoiced(), shipment) && len(rec.GetOpenWorkItems()) == 0 && c.GetWaitsFor() == "" {
					breach("I5", "%s: billing of %s is authorised, no invoice follows and nothing says why", c.GetName(), shipment)
				}
			}
			for _, ref := range c.GetReferences() {
				owner := ownerOf(ref.GetValue())
				if owner == "" {
					continue
				}
				told, err := store.ToldBy(ctx, r, owner, ref.GetValue())
				if err != nil {
					return err
				}
				if !told {
					breach("I8", "%s refers to %s, of which %s told no fact", c.GetName(), ref.GetValue(), owner)
				}
			}
			return nil
		})
	})
	return report, err
}

// ownerOf is the service that owns the resource a reference names; empty for numbers and for parts of resources.
func ownerOf(ref string) string {
	collection, id, ok := strings.Cut(ref, "/")
	if !ok || strings.Contains(id, "/") {
		return ""
	}
	return map[string]string{
		"orders": "orders", "shipments": "freight", "loads": "freight", "tenders": "freight", "proofsOfDelivery": "freight",
		"billingAuthorizations": "billing", "invoices": "billing", "freightBills": "billing", "processes": "workflow",
		"workItems": "workflow", "interchanges": "edi",
	}[collection]
}
