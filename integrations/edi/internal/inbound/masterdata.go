// Package inbound turns the facts of other services into copies, tenders and drafts: what this adapter needs to know of master
// data, which load was offered to whom, and what is to be sent to partners.
package inbound

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/platform/eventlog"
	platform "crossdock.dev/platform/store"
)

// Readers are what the followed logs mean to edi.
func Readers(a *app.App) []eventlog.Reader {
	return []eventlog.Reader{
		{Log: "masterdata", Keys: masterdata{a}.keys, Apply: masterdata{a}.apply},
		{Log: "freight", Keys: freight{a}.keys, Types: []string{"LoadTendered", "TenderWithdrawn", "LoadCancelled"}, Apply: freight{a}.apply},
		{Log: "billing", Keys: billing{a}.keys, Types: []string{"InvoiceIssued"}, Apply: billing{a}.apply},
	}
}

// masterdata keeps copies of what our documents print and of the code maps that this adapter uses.
type masterdata struct{ app *app.App }

// resource is what a fact of masterdata holds.
type resource interface {
	proto.Message
	GetName() string
}

// printed is the resource in a fact that our documents may print; nil where they have no use for it.
func printed(f eventlog.Fact) resource {
	switch m := f.Payload.(type) {
	case *masterdatav1.LegalEntityChanged:
		return present(m.GetLegalEntity())
	case *masterdatav1.PartyChanged:
		return present(m.GetParty())
	case *masterdatav1.LocationChanged:
		return present(m.GetLocation())
	case *masterdatav1.ItemChanged:
		return present(m.GetItem())
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

func (masterdata) keys(f eventlog.Fact) []string {
	if r := printed(f); r != nil {
		return []string{r.GetName()}
	}
	if m, ok := f.Payload.(*masterdatav1.CodeMapApproved); ok && slices.Contains(app.Lists, m.GetCodeMap().GetList()) {
		return []string{m.GetCodeMap().GetName()}
	}
	return nil
}

// apply replaces the copy, and has what waited for it judged again.
func (c masterdata) apply(ctx context.Context, tx *platform.Tx, f eventlog.Fact) error {
	if r := printed(f); r != nil {
		if err := store.SaveResource(ctx, tx, r.GetName(), r); err != nil {
			return err
		}
		return c.app.Mapped(ctx, tx, message.Code{List: message.Masterdata, Code: r.GetName()}, "")
	}
	approved, ok := f.Payload.(*masterdatav1.CodeMapApproved)
	if !ok {
		return eventlog.ErrIgnored
	}
	m := approved.GetCodeMap()
	from := ""
	if d := m.GetValidFrom(); d != nil {
		from = fmt.Sprintf("%04d-%02d-%02d", d.GetYear(), d.GetMonth(), d.GetDay())
	}
	err := store.SaveCodeMap(ctx, tx, store.CodeMap{
		Name: m.GetName(), List: m.GetList(), Party: m.GetParty(), Code: m.GetCode(), Canonical: m.GetCanonical(), ValidFrom: from,
	})
	if err != nil {
		return err
	}
	return c.app.Mapped(ctx, tx, message.Code{List: m.GetList(), Code: m.GetCode()}, m.GetParty())
}
