// Package inbound turns the facts of masterdata, orders and freight into billing's verbs, inside the consumer's change. It promises
// that facts which touch the same order, load or master data resource take effect in their order; a fact that is no
// sensible value is an error, which parks it.
package inbound

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/platform/eventlog"
	platform "crossdock.dev/platform/store"

	"crossdock.dev/services/billing/internal/app"
	"crossdock.dev/services/billing/internal/shipment"
	"crossdock.dev/services/billing/internal/store"
	"crossdock.dev/services/billing/internal/wire"
)

// Readers are what the followed logs mean to billing.
func Readers(a *app.App) []eventlog.Reader {
	return []eventlog.Reader{
		{Log: "masterdata", Keys: masterData{}.Keys, Apply: masterData{}.Apply},
		{Log: "orders", Keys: orders{a}.Keys, Apply: orders{a}.Apply},
		{Log: "freight", Keys: freight{a}.Keys, Apply: freight{a}.Apply},
	}
}

// masterData follows the masterdata feed.
type masterData struct{}

// resource is the master data that billing keeps a copy of; nil for the rest.
func resource(f eventlog.Fact) interface {
	proto.Message
	GetName() string
} {
	switch m := f.Payload.(type) {
	case *masterdatav1.LegalEntityChanged:
		return m.GetLegalEntity()
	case *masterdatav1.PartyChanged:
		return m.GetParty()
	case *masterdatav1.LocationChanged:
		return m.GetLocation()
	case *masterdatav1.LaneChanged:
		return m.GetLane()
	case *masterdatav1.TaxRuleChanged:
		return m.GetTaxRule()
	case *masterdatav1.FuelIndexChanged:
		return m.GetFuelIndex()
	case *masterdatav1.ContractApproved:
		return m.GetContract()
	}
	return nil
}

// Keys are the resource.
func (masterData) Keys(f eventlog.Fact) []string {
	if r := resource(f); r != nil {
		return []string{r.GetName()}
	}
	return nil
}

// Apply replaces the copy.
func (masterData) Apply(ctx context.Context, tx *platform.Tx, f eventlog.Fact) error {
	r := resource(f)
	if r == nil {
		return eventlog.ErrIgnored
	}
	packed := &anypb.Any{}
	// The same fact leaves the same bytes: maps, such as a contract's accessorials, in the order of their keys.
	if err := anypb.MarshalFrom(packed, r, proto.MarshalOptions{Deterministic: true}); err != nil {
		return err
	}
	return store.In(ctx, tx).SaveMasterData(r.GetName(), packed)
}

// orders follows the orders feed.
type orders struct{ app *app.App }

// Keys are the order.
func (orders) Keys(f eventlog.Fact) []string {
	switch m := f.Payload.(type) {
	case *ordersv1.OrderReleased:
		return []string{m.GetRelease().GetOrder()}
	case *ordersv1.OrderHeld:
		return []string{m.GetOrder()}
	case *ordersv1.OrderHoldReleased:
		return []string{m.GetOrder()}
	}
	return nil
}

// Apply keeps releases and holds.
func (o orders) Apply(ctx context.Context, tx *platform.Tx, f eventlog.Fact) error {
	in := store.In(ctx, tx)
	switch m := f.Payload.(type) {
	case *ordersv1.OrderReleased:
		r, err := release(m.GetRelease())
		if err != nil {
			return err
		}
		return o.app.Release(in, r)
	case *ordersv1.OrderHeld:
		return o.app.Hold(in, hold(m.GetOrder(), m.GetHold()))
	case *ordersv1.OrderHoldReleased:
		return o.app.HoldReleased(in, hold(m.GetOrder(), m.GetHold()))
	}
	return eventlog.ErrIgnored
}

func hold(order string, h *ordersv1.Hold) shipment.Hold {
	return shipment.Hold{Order: order, Kind: h.GetKind().String(), Reason: h.GetReason()}
}

func release(m *ordersv1.OrderRelease) (shipment.Release, error) {
	r := shipment.Release{
		Name: m.GetName(), Order: m.GetOrder(), CustomerOrderNumber: m.GetCustomerOrderNumber(), Customer: m.GetCustomer(),
		LegalEntity: m.GetLegalEntity(), Currency: m.GetCurrencyCode(), PaymentTerms: m.GetPaymentTerms(), Contract: m.GetContract(),
	}
	for _, l := range m.GetLines() {
		q, err := wire.FromQuantity(l.GetQuantity())
		if err != nil {
			return r, fmt.Errorf("%s line %s: %w", r.Name, l.GetLine(), err)
		}
		price, err := decimal.Parse(l.GetUnitPrice())
		if err != nil {
			return r, fmt.Errorf("%s line %s: unit price: %w", r.Name, l.GetLine(), err)
		}
		r.Lines = append(r.Lines, shipment.ReleaseLine{
			Line: l.GetLine(), Item: l.GetItem(), Description: l.GetDescription(), Quantity: q, UnitPrice: price,
			ExternalIDs: wire.FromExternalIDs(l.GetExternalIds()),
		})
	}
	return r, nil
}

// freight follows the freight feed.
type freight struct{ app *app.App }

// Keys are the load: everything that freight tells billing about shipments happens aboard one.
func (freight) Keys(f eventlog.Fact) []string {
	switch m := f.Payload.(type) {
	case *freightv1.ShipmentPlanned:
		return []string{m.GetLoad().GetName()}
	case *freightv1.LoadBooked:
		return []string{m.GetLoad().GetName()}
	case *freightv1.ShipmentDeparted:
		return []string{m.GetShipment().GetLoad()}
	case *freightv1.ShipmentDelivered:
		return []string{m.GetShipment().GetLoad()}
	case *freightv1.ProofOfDeliveryReceived:
		return []string{m.GetShipment().GetLoad()}
	case *freightv1.LoadCompleted:
		return []string{m.GetLoad().GetName()}
	case *freightv1.LoadCancelled:
		return []string{m.GetLoad().GetName()}
	case *freightv1.AccessorialProven:
		return []string{m.GetLoad().GetName()}
	}
	return nil
}

// Apply keeps shipments and loads, and accrues what carriers will bill.
func (r freight) Apply(ctx context.Context, tx *platform.Tx, f eventlog.Fact) error {
	in := store.In(ctx, tx)
	switch m := f.Payload.(type) {
	case *freightv1.ShipmentPlanned:
		l, err := r.load(in, m.GetLoad(), m.GetShipment())
		if err != nil {
			return err
		}
		return r.app.Load(in, l)
	case *freightv1.LoadBooked:
		l, err := r.load(in, m.GetLoad(), m.GetShipments()...)
		if err != nil {
			return err
		}
		c, err := charges(m.GetLoad())
		if err != nil {
			return err
		}
		return r.app.Book(in, l, c)
	case *freightv1.LoadCancelled:
		l, err := r.load(in, m.GetLoad(), m.GetShipments()...)
		if err != nil {
			return err
		}
		c, err := charges(m.GetLoad())
		if err != nil {
			return err
		}
		return r.app.Cancel(in, l, c, m.GetReason())
	case *freightv1.AccessorialProven:
		l, err := r.load(in, m.GetLoad(), m.GetShipment())
		if err != nil {
			return err
		}
		c, err := wire.FromCharge(m.GetCharge())
		if err != nil {
			return fmt.Errorf("%s charge %s: %w", l.Name, m.GetCharge().GetCode(), err)
		}
		return r.app.Prove(in, l, unloaded(m.GetLoad(), m.GetShipment().GetName()), c, m.GetEvidence())
	case *freightv1.ShipmentDeparted:
		return r.shipment(in, m.GetShipment())
	case *freightv1.ShipmentDelivered:
		if err := r.shipment(in, m.GetShipment()); err != nil {
			return err
		}
		return r.app.Resume(in, m.GetShipment().GetLoad())
	case *freightv1.ProofOfDeliveryReceived:
		if err := r.proof(in, m); err != nil {
			return err
		}
		return r.app.Resume(in, m.GetShipment().GetLoad())
	case *freightv1.LoadCompleted:
		l, err := r.load(in, m.GetLoad())
		if err != nil {
			return err
		}
		return r.app.Load(in, l)
	}
	return eventlog.ErrIgnored
}

func (r freight) shipment(tx *store.Tx, m *freightv1.Shipment) error {
	weight, err := wire.FromQuantity(m.GetGrossWeight())
	if err != nil {
		return fmt.Errorf("%s: gross weight: %w", m.GetName(), err)
	}
	s := shipment.Shipment{
		Name: m.GetName(), Release: m.GetOrderRelease(), Order: m.GetOrder(), CustomerOrderNumber: m.GetCustomerOrderNumber(),
		Customer: m.GetCustomer(), LegalEntity: m.GetLegalEntity(), ShipFrom: m.GetShipFrom(), ShipTo: m.GetShipTo(), Mode: m.GetMode(),
		Terms: shipment.FreightTerms(m.GetFreightTerms()), Load: m.GetLoad(), GrossWeight: weight,
		Departed: wire.FromTime(m.GetDeparted().GetTime()), Delivered: wire.FromTime(m.GetDelivered().GetTime()),
		Cancelled: m.GetState() == freightv1.Shipment_CANCELLED,
	}
	for _, l := range m.GetLines() {
		q, err := wire.FromQuantity(l.GetQuantity())
		if err != nil {
			return fmt.Errorf("%s line %s: %w", m.GetName(), l.GetLine(), err)
		}
		s.Lines = append(s.Lines, shipment.Line{Line: l.GetLine(), Shipped: q})
	}
	return r.app.Shipment(tx, s)
}

// load keeps the shipments aboard that a fact tells, and makes the load.
func (r freight) load(tx *store.Tx, m *freightv1.Load, aboard ...*freightv1.Shipment) (shipment.Load, error) {
	for _, s := range aboard {
		if err := r.shipment(tx, s); err != nil {
			return shipment.Load{}, err
		}
	}
	day, err := wire.FromDate(m.GetShipDate())
	if err != nil {
		return shipment.Load{}, fmt.Errorf("%s: ship date: %w", m.GetName(), err)
	}
	l := shipment.Load{
		Name: m.GetName(), Number: m.GetNumber(), LegalEntity: m.GetLegalEntity(), ShipDate: day, Lane: m.GetLane(), Carrier: m.GetCarrier(),
		CarrierReference: m.GetCarrierReference(), Contract: m.GetCharges().GetContract(), Shipments: m.GetShipments(),
		Cancelled: m.GetState() == freightv1.Load_CANCELLED,
	}
	switch m.GetState() {
	case freightv1.Load_BOOKED, freightv1.Load_IN_TRANSIT, freightv1.Load_COMPLETED:
		l.Booked = l.Carrier != ""
	}
	for _, s := range aboard {
		l.Related = append(l.Related, s.GetOrder(), "po:"+s.GetCustomerOrderNumber(), s.GetName(), s.GetOrderRelease())
	}
	l.Related = append(l.Related, m.GetName(), "load:"+m.GetNumber())
	if l.CarrierReference != "" {
		l.Related = append(l.Related, "pro:"+l.CarrierReference)
	}
	return l, nil
}

// unloaded are the shipments that leave a load where this one does: what is owed for that stop is theirs together.
func unloaded(m *freightv1.Load, shipment string) []string {
	for _, s := range m.GetStops() {
		if s.GetRole() == freightv1.Stop_DELIVERY && slices.Contains(s.GetShipments(), shipment) {
			return s.GetShipments()
		}
	}
	return []string{shipment}
}

// charges are what a load's carrier is owed.
func charges(m *freightv1.Load) (app.Charges, error) {
	out := app.Charges{Explanation: wire.FromExplanation(m.GetCharges().GetExplanation())}
	for _, c := range m.GetCharges().GetCharges() {
		charge, err := wire.FromCharge(c)
		if err != nil {
			return out, fmt.Errorf("%s charge %s: %w", m.GetName(), c.GetCode(), err)
		}
		out.Charges = append(out.Charges, charge)
	}
	return out, nil
}

func (r freight) proof(tx *store.Tx, m *freightv1.ProofOfDeliveryReceived) error {
	state := shipment.ParseProofState(m.GetProofOfDelivery().GetState().String())
	if state == shipment.Missing { // superseded: the newer one is told by its own fact
		return eventlog.ErrIgnored
	}
	if err := r.shipment(tx, m.GetShipment()); err != nil {
		return err
	}
	var lines []shipment.Line
	for _, d := range m.GetLines() {
		l := shipment.Line{Line: d.GetLine()}
		shipped, err := wire.FromQuantity(d.GetShipped())
		for _, x := range []struct {
			from *typev1.Quantity
			to   *quantity.Quantity
		}{{d.GetAccepted(), &l.Accepted}, {d.GetShort(), &l.Short}, {d.GetDamaged(), &l.Damaged}, {d.GetRefused(), &l.Refused}} {
			if err != nil {
				break
			}
			if x.from == nil {
				*x.to, err = quantity.New(decimal.Zero, shipped.Unit())
				continue
			}
			*x.to, err = wire.FromQuantity(x.from)
		}
		if err != nil {
			return fmt.Errorf("%s line %s: %w", m.GetProofOfDelivery().GetName(), d.GetLine(), err)
		}
		l.Shipped = shipped
		lines = append(lines, l)
	}
	return r.app.Proof(tx, m.GetShipment().GetName(), m.GetProofOfDelivery().GetName(), state,
		wire.FromTime(m.GetProofOfDelivery().GetSignedAt()), lines)
}
