// Package inbound turns the facts of masterdata, freight and billing into the service's own verbs, each in the transaction that
// moves the consumer's cursor. It promises that a fact told twice, or in another order than things happened, ends in the same
// quantities; that is the domain's doing. A fact that the domain refuses is parked by the consumer.
package inbound

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/platform/eventlog"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/orders/internal/app"
	"crossdock.dev/services/orders/internal/order"
	"crossdock.dev/services/orders/internal/store"
	"crossdock.dev/services/orders/internal/wire"
)

// Readers are what the followed logs mean to orders.
func Readers(a *app.App) []eventlog.Reader {
	return []eventlog.Reader{
		{Log: "masterdata", Keys: masterDataKeys, Apply: func(ctx context.Context, tx *platform.Tx, f eventlog.Fact) error {
			return applyMasterData(ctx, a, store.WithTx(tx), f)
		}},
		{Log: "freight", Keys: ordersOf(freightMoves), Apply: apply(a, freightMoves)},
		{Log: "billing", Keys: ordersOf(billingMoves), Apply: apply(a, billingMoves)},
	}
}

// resource is the master data in a fact that orders keep a copy of; nil for everything else.
func resource(f eventlog.Fact) proto.Message {
	switch m := f.Payload.(type) {
	case *masterdatav1.LegalEntityChanged:
		return m.LegalEntity
	case *masterdatav1.PartyChanged:
		return m.Party
	case *masterdatav1.LocationChanged:
		return m.Location
	case *masterdatav1.ItemChanged:
		return m.Item
	case *masterdatav1.CalendarChanged:
		return m.Calendar
	case *masterdatav1.LaneChanged:
		return m.Lane
	case *masterdatav1.ContractApproved:
		if m.Contract.GetCustomerTerms() != nil {
			return m.Contract
		}
	}
	return nil
}

func masterDataKeys(f eventlog.Fact) []string {
	if resource(f) == nil {
		return nil
	}
	return []string{f.Subject}
}

// applyMasterData replaces our copy; orders that waited for it go on by themselves.
func applyMasterData(ctx context.Context, a *app.App, tx *store.Tx, f eventlog.Fact) error {
	keys, err := tx.PutMasterData(ctx, resource(f))
	if err != nil {
		return err
	}
	return a.Revalidate(ctx, tx, keys, "")
}

// move is what a fact means to one release of an order.
type move struct {
	release string // "orders/ord_.../releases/1"
	what    func(order.Release) (order.Release, error)
}

// moves reads a fact; none when it means nothing to orders.
type moves func(f eventlog.Fact) ([]move, error)

// ordersOf are the orders that a fact touches, so that the facts about one order keep their sequence.
func ordersOf(read moves) func(eventlog.Fact) []string {
	return func(f eventlog.Fact) []string {
		ms, err := read(f)
		if err != nil { // a fact that cannot be read touches what it is about, and is parked
			return []string{f.Subject}
		}
		var keys []string
		for _, m := range ms {
			name, _, _ := strings.Cut(m.release, "/releases/")
			keys = append(keys, name)
		}
		return keys
	}
}

func apply(a *app.App, read moves) func(context.Context, *platform.Tx, eventlog.Fact) error {
	return func(ctx context.Context, tx *platform.Tx, f eventlog.Fact) error {
		ms, err := read(f)
		if err != nil {
			return err
		}
		for _, m := range ms {
			name, text, ok := strings.Cut(m.release, "/releases/")
			number, err := strconv.Atoi(text)
			if !ok || err != nil {
				return fmt.Errorf("%s: %q is no release of an order", f.Type, m.release)
			}
			if err := a.Progress(ctx, store.WithTx(tx), name, number, m.what); err != nil {
				return fmt.Errorf("%s: %w", f.Type, err)
			}
		}
		return nil
	}
}

// freightMoves: a plan, an offer, an acceptance, the last refusal, a cancellation, departure, estimate, hand-over and proof move the
// releases of the shipments that they are about.
func freightMoves(f eventlog.Fact) ([]move, error) {
	switch m := f.Payload.(type) {
	case *freightv1.ShipmentPlanned:
		return one(m.Shipment, order.Release.Plan), nil
	case *freightv1.LoadTendered:
		return aboard(m.Shipments, func(r order.Release) (order.Release, error) { return r.Tender(m.Tender.GetName()) }), nil
	case *freightv1.LoadBooked:
		return aboard(m.Shipments, func(r order.Release) (order.Release, error) { return r.Secure(m.Tender.GetName()) }), nil
	case *freightv1.TendersExhausted:
		return aboard(m.Shipments, order.Release.FallBack), nil
	case *freightv1.ShipmentDeparted:
		return one(m.Shipment, at(order.Release.Depart, m.Occurred)), nil
	case *freightv1.EtaChanged:
		return one(m.Shipment, func(r order.Release) (order.Release, error) { return r.Expect(wire.Moment(m.Estimate), trust(m)) }), nil
	case *freightv1.LoadCancelled:
		return aboard(m.Shipments, order.Release.CallOff), nil
	case *freightv1.ShipmentDelivered:
		return one(m.Shipment, at(order.Release.HandOver, m.Occurred)), nil
	case *freightv1.ProofOfDeliveryReceived:
		lines, err := delivered(m.Lines)
		signed := order.Moment{At: m.ProofOfDelivery.GetSignedAt().AsTime(), Zone: m.Shipment.GetDeliverBy().GetZone()}
		return one(m.Shipment, func(r order.Release) (order.Release, error) { return r.Prove(lines, signed) }), err
	}
	return nil, nil
}

// billingMoves: an authorisation and an invoice count on the release that they are for.
func billingMoves(f eventlog.Fact) ([]move, error) {
	switch m := f.Payload.(type) {
	case *billingv1.BillingAuthorized:
		b := m.BillingAuthorization
		lines, err := quantities(b.GetGoods())
		return to(b.GetOrderRelease(), func(r order.Release) (order.Release, error) { return r.Authorize(b.GetName(), lines) }), err
	case *billingv1.InvoiceIssued:
		b := m.Invoice
		lines, err := quantities(b.GetLines())
		return to(b.GetOrderRelease(), func(r order.Release) (order.Release, error) { return r.Bill(b.GetName(), lines) }), err
	}
	return nil, nil
}

func one(s *freightv1.Shipment, what func(order.Release) (order.Release, error)) []move {
	return to(s.GetOrderRelease(), what)
}

func aboard(shipments []*freightv1.Shipment, what func(order.Release) (order.Release, error)) []move {
	var ms []move
	for _, s := range shipments {
		ms = append(ms, one(s, what)...)
	}
	return ms
}

// to is a move of one release; none when the fact is about no release, such as an invoice for freight alone.
func to(release string, what func(order.Release) (order.Release, error)) []move {
	if release == "" {
		return nil
	}
	return []move{{release, what}}
}

func at(verb func(order.Release, order.Moment) (order.Release, error), when *typev1.EventTime) func(order.Release) (order.Release, error) {
	return func(r order.Release) (order.Release, error) { return verb(r, wire.Moment(when)) }
}

// trust is how far freight trusts its estimate; none when it does not say.
func trust(m *freightv1.EtaChanged) order.Trust {
	if m.Confidence == freightv1.Confidence_CONFIDENCE_UNSPECIFIED {
		return order.Trust{}
	}
	return order.Trust{Confidence: m.Confidence.String(), Reasons: m.Reasons}
}

func delivered(lines []*freightv1.DeliveredLine) ([]order.LineDelivery, error) {
	var out []order.LineDelivery
	for _, l := range lines {
		d := order.LineDelivery{Line: l.GetLine()}
		for _, f := range []struct {
			to   *decimal.Decimal
			from *typev1.Quantity
		}{{&d.Accepted, l.GetAccepted()}, {&d.Short, l.GetShort()}, {&d.Damaged, l.GetDamaged()}, {&d.Refused, l.GetRefused()}} {
			var err error
			if *f.to, err = value(f.from); err != nil {
				return nil, fmt.Errorf("line %s: %w", l.GetLine(), err)
			}
		}
		out = append(out, d)
	}
	return out, nil
}

func quantities(lines []*billingv1.InvoiceLine) ([]order.LineQuantity, error) {
	var out []order.LineQuantity
	for _, l := range lines {
		x, err := value(l.GetQuantity())
		if err != nil {
			return nil, fmt.Errorf("line %s: %w", l.GetLine(), err)
		}
		out = append(out, order.LineQuantity{Line: l.GetLine(), Quantity: x, Unit: l.GetQuantity().GetUnit()})
	}
	return out, nil
}

// value reads a quantity; an absent one is 0.
func value(q *typev1.Quantity) (decimal.Decimal, error) {
	if q == nil {
		return decimal.Zero, nil
	}
	return decimal.Parse(q.GetValue())
}
