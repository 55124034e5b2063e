package inbound

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/platform/eventlog"
	platform "crossdock.dev/platform/store"
)

// Purposes of a 204 (X12 B2A01).
const (
	original     = "00"
	cancellation = "01"
)

// freight drafts the tenders that go out as 204s, and keeps what answers to them will be about.
type freight struct{ app *app.App }

func (freight) keys(f eventlog.Fact) []string {
	switch m := f.Payload.(type) {
	case *freightv1.LoadTendered:
		return []string{m.GetLoad().GetName()}
	case *freightv1.TenderWithdrawn:
		return []string{m.GetTender().GetLoad()}
	case *freightv1.LoadCancelled:
		if m.GetTender() != nil {
			return []string{m.GetLoad().GetName()}
		}
	}
	return nil
}

func (c freight) apply(ctx context.Context, tx *platform.Tx, f eventlog.Fact) error {
	switch m := f.Payload.(type) {
	case *freightv1.LoadTendered:
		return c.offer(ctx, tx, f, m)
	case *freightv1.TenderWithdrawn:
		return c.withdraw(ctx, tx, f, m.GetTender())
	case *freightv1.LoadCancelled:
		return c.withdraw(ctx, tx, f, m.GetTender())
	}
	return eventlog.ErrIgnored
}

func (c freight) offer(ctx context.Context, tx *platform.Tx, f eventlog.Fact, m *freightv1.LoadTendered) error {
	t := store.Tender{
		Number: m.GetLoad().GetNumber(), Carrier: m.GetTender().GetCarrier(), Name: m.GetTender().GetName(), Load: m.GetLoad().GetName(),
		Related: related(f), Offered: c.app.Takes(m.GetTender().GetCarrier(), "204"),
	}
	for _, s := range m.GetLoad().GetStops() {
		t.Stops = append(t.Stops, store.Stop{Sequence: int(s.GetSequence()), Delivery: s.GetRole() == freightv1.Stop_DELIVERY, Zone: s.GetZone()})
	}
	for _, s := range m.GetShipments() {
		if err := store.SaveFreightTerms(ctx, tx, s.GetName(), s.GetFreightTerms()); err != nil {
			return err
		}
	}
	if t.Offered {
		var err error
		if t.Offer, err = draft(ctx, tx, c.app, store.Draft{Party: t.Carrier, Set: "204", Purpose: original, Related: t.Related}, m); err != nil {
			return err
		}
	}
	return store.SaveTender(ctx, tx, t)
}

// withdraw takes an offer back that went out, once. One that has not been written yet is dropped, and the carrier hears of neither.
func (c freight) withdraw(ctx context.Context, tx *platform.Tx, f eventlog.Fact, m *freightv1.Tender) error {
	t, err := store.TenderOf(ctx, tx, m.GetLoadNumber(), m.GetCarrier())
	if errors.Is(err, store.ErrNotFound) {
		return eventlog.ErrIgnored
	}
	if err != nil {
		return err
	}
	if t.Name != m.GetName() || !t.Offered || t.Withdrawn {
		return eventlog.ErrIgnored
	}
	t.Withdrawn = true
	if err := store.SaveTender(ctx, tx, t); err != nil {
		return err
	}
	if dropped, err := store.DropDraft(ctx, tx, t.Offer, "the offer was taken back before it was sent"); err != nil || dropped {
		return err
	}
	_, err = draft(ctx, tx, c.app, store.Draft{Party: t.Carrier, Set: "204", Purpose: cancellation, Related: t.Related}, m)
	return err
}

// billing drafts the invoices that go out as 810s.
type billing struct{ app *app.App }

func (billing) keys(f eventlog.Fact) []string {
	if m, ok := f.Payload.(*billingv1.InvoiceIssued); ok {
		return []string{m.GetInvoice().GetName()}
	}
	return nil
}

func (c billing) apply(ctx context.Context, tx *platform.Tx, f eventlog.Fact) error {
	m, ok := f.Payload.(*billingv1.InvoiceIssued)
	if !ok || !c.app.Takes(m.GetInvoice().GetCustomer(), "810") {
		return eventlog.ErrIgnored
	}
	_, err := draft(ctx, tx, c.app, store.Draft{Party: m.GetInvoice().GetCustomer(), Set: "810", Related: related(f)}, m)
	return err
}

// related are the names and numbers that lead to a fact's case.
func related(f eventlog.Fact) []string {
	if f.Subject == "" {
		return f.Related
	}
	return append([]string{f.Subject}, f.Related...)
}

func draft(ctx context.Context, tx *platform.Tx, a *app.App, d store.Draft, m proto.Message) (string, error) {
	var err error
	if d.Fact, err = anypb.New(m); err != nil {
		return "", err
	}
	return a.Draft(ctx, tx, d)
}
