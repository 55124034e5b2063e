// Package inbound keeps a copy of what the adapter needs of master data: the code maps of units.
package inbound

import (
	"context"
	"fmt"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/platform/eventlog"
	platform "crossdock.dev/platform/store"
)

// Readers are what the followed log means to edi.
func Readers() []eventlog.Reader {
	return []eventlog.Reader{{Log: "masterdata", Keys: keys, Apply: apply}}
}

// keys is the code map that a fact is about, where its list is one that this adapter uses.
func keys(f eventlog.Fact) []string {
	if m, ok := f.Payload.(*masterdatav1.CodeMapApproved); ok && m.GetCodeMap().GetList() == app.UnitList {
		return []string{m.GetCodeMap().GetName()}
	}
	return nil
}

// apply replaces the copy of a code map.
func apply(ctx context.Context, tx *platform.Tx, f eventlog.Fact) error {
	approved, ok := f.Payload.(*masterdatav1.CodeMapApproved)
	if !ok {
		return eventlog.ErrIgnored
	}
	m := approved.GetCodeMap()
	from := ""
	if d := m.GetValidFrom(); d != nil {
		from = fmt.Sprintf("%04d-%02d-%02d", d.GetYear(), d.GetMonth(), d.GetDay())
	}
	return store.SaveCodeMap(ctx, tx, store.CodeMap{
		Name: m.GetName(), List: m.GetList(), Party: m.GetParty(), Code: m.GetCode(), Canonical: m.GetCanonical(), ValidFrom: from,
	})
}
