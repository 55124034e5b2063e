package store

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	ordersstoragev1 "crossdock.dev/gen/crossdock/orders/storage/v1"
	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/services/orders/internal/order"
)

func orderRecord(o order.Order) *ordersstoragev1.OrderRecord {
	rec := &ordersstoragev1.OrderRecord{
		Name: o.Name, Customer: o.Customer, CustomerOrderNumber: o.Number, LegalEntity: o.LegalEntity, ShipFrom: o.ShipFrom,
		ShipTo: o.ShipTo, Mode: string(o.Mode), CurrencyCode: o.Currency, OrderDate: o.OrderDate.String(),
		RequestedDeliveryDate: o.RequestedDate.String(), PickupAppointmentLocal: o.PickupLocal,
		DeliveryAppointmentLocal: o.DeliveryLocal, Consolidate: o.Consolidate, EtaWatch: o.EtaWatch, PaymentTerms: o.PaymentTerms,
		Source: o.Source, Commercial: string(o.Commercial), Releases: uint32(o.Releases), Revision: o.Revision,
		CreateTime: stamp(o.Created), UpdateTime: stamp(o.Update), CancelReason: o.CancelReason,
	}
	if o.ShipToExternal != (order.ExternalID{}) {
		rec.ShipToExternal = externalRecord(o.ShipToExternal)
	}
	if o.StatedTotal.Currency() != "" {
		rec.StatedTotal = o.StatedTotal.Label()
	}
	for _, h := range o.Holds {
		rec.Holds = append(rec.Holds, &ordersstoragev1.HoldRecord{Kind: string(h.Kind), Reason: h.Reason, Fields: h.Fields, Actor: h.Actor, CreateTime: stamp(h.Since)})
	}
	if o.Promise != nil {
		rec.Promise = &ordersstoragev1.PromiseRecord{Windows: windowsRecord(o.Promise.Windows), Estimate: momentRecord(o.Promise.Estimate), Trust: trustRecord(o.Promise.Trust)}
	}
	return rec
}

func missingRecord(o order.Order, m order.Missing) *ordersstoragev1.MissingRecord {
	return &ordersstoragev1.MissingRecord{Field: m.Field, Reason: m.Reason, Keys: m.Keys, Order: o.Name}
}

func toMissing(rec *ordersstoragev1.MissingRecord) order.Missing {
	return order.Missing{Field: rec.Field, Reason: rec.Reason, Keys: rec.Keys}
}

// toOrder reads an order without its lines and what it misses.
func toOrder(rec *ordersstoragev1.OrderRecord) (order.Order, error) {
	p := parser{}
	o := order.Order{
		Name: rec.Name, Customer: rec.Customer, Number: rec.CustomerOrderNumber, LegalEntity: rec.LegalEntity, ShipFrom: rec.ShipFrom,
		ShipTo: rec.ShipTo, ShipToExternal: external(rec.ShipToExternal), Mode: order.Mode(rec.Mode), Currency: rec.CurrencyCode,
		OrderDate: p.date(rec.OrderDate), RequestedDate: p.date(rec.RequestedDeliveryDate), PickupLocal: rec.PickupAppointmentLocal,
		DeliveryLocal: rec.DeliveryAppointmentLocal, Consolidate: rec.Consolidate, EtaWatch: rec.EtaWatch,
		PaymentTerms: rec.PaymentTerms, StatedTotal: p.money(rec.StatedTotal), Source: rec.Source,
		Commercial: order.Commercial(rec.Commercial), Releases: int(rec.Releases), Revision: rec.Revision,
		Created: instant(rec.CreateTime), Update: instant(rec.UpdateTime), CancelReason: rec.CancelReason,
	}
	for _, h := range rec.Holds {
		o.Holds = append(o.Holds, order.Hold{Kind: order.HoldKind(h.Kind), Reason: h.Reason, Fields: h.Fields, Actor: h.Actor, Since: instant(h.CreateTime)})
	}
	if rec.Promise != nil {
		o.Promise = &order.Promise{Windows: p.windows(rec.Promise.Windows), Estimate: moment(rec.Promise.Estimate), Trust: trust(rec.Promise.Trust)}
	}
	return o, p.of("order " + rec.Name)
}

func lineRecord(l order.Line) *ordersstoragev1.OrderLineRecord {
	rec := &ordersstoragev1.OrderLineRecord{Line: l.ID, Item: l.Item, Description: l.Description, Unit: l.Unit,
		UnitPrice: l.Price.String(), Pack: int32(l.Pack), Numbers: numbersRecord(l.Quantities.Numbers())}
	for _, id := range l.ExternalIDs {
		rec.ExternalIds = append(rec.ExternalIds, externalRecord(id))
	}
	return rec
}

func toLine(rec *ordersstoragev1.OrderLineRecord) (order.Line, error) {
	p := parser{}
	l := order.Line{ID: rec.Line, Item: rec.Item, Description: rec.Description, Unit: rec.Unit, Price: p.decimal(rec.UnitPrice),
		Pack: int(rec.Pack), Quantities: p.quantities(rec.Numbers)}
	for _, id := range rec.ExternalIds {
		l.ExternalIDs = append(l.ExternalIDs, external(id))
	}
	return l, p.of("line " + rec.Line)
}

func releaseRecord(r order.Release) *ordersstoragev1.ReleaseRecord {
	return &ordersstoragev1.ReleaseRecord{Name: r.Name(), Windows: windowsRecord(r.Windows), Contract: r.Contract, ReleaseTime: stamp(r.At),
		SecuredBy: r.SecuredBy, Estimate: momentRecord(r.Estimate), Milestone: momentRecord(r.Milestone), Documents: r.Documents,
		Trust: trustRecord(r.Trust)}
}

// toRelease reads a release without its lines.
func toRelease(orderName string, number int, rec *ordersstoragev1.ReleaseRecord) (order.Release, error) {
	p := parser{}
	r := order.Release{Number: number, Order: orderName, Windows: p.windows(rec.Windows), Contract: rec.Contract, At: instant(rec.ReleaseTime),
		SecuredBy: rec.SecuredBy, Estimate: moment(rec.Estimate), Milestone: moment(rec.Milestone), Documents: rec.Documents,
		Trust: trust(rec.Trust)}
	return r, p.of(rec.Name)
}

func releaseLineRecord(l order.ReleaseLine) *ordersstoragev1.ReleaseLineRecord {
	return &ordersstoragev1.ReleaseLineRecord{Line: l.Line, Numbers: numbersRecord(l.Quantities.Numbers())}
}

func numbersRecord(n order.Numbers) *ordersstoragev1.NumbersRecord {
	text := func(d decimal.Decimal) string {
		if d.IsZero() {
			return ""
		}
		return d.Trim().String()
	}
	return &ordersstoragev1.NumbersRecord{
		Ordered: text(n.Ordered), CancelledBeforeRelease: text(n.CancelledBefore), Released: text(n.Released), Planned: text(n.Planned),
		Tendered: text(n.Tendered), Secured: text(n.Secured), Shipped: text(n.Shipped), CancelledAfterRelease: text(n.CancelledAfter),
		Lost: text(n.Lost), Accepted: text(n.Accepted), Short: text(n.Short), Damaged: text(n.Damaged), Refused: text(n.Refused),
		Authorized: text(n.Authorized), Billed: text(n.Billed), Credited: text(n.Credited),
	}
}

func windowsRecord(w order.Windows) *ordersstoragev1.WindowsRecord {
	return &ordersstoragev1.WindowsRecord{ShipDate: w.ShipDate.String(), PickupFrom: momentRecord(w.PickupFrom), PickupTo: momentRecord(w.PickupTo),
		DeliveryDate: w.DeliveryDate.String(), DeliverFrom: momentRecord(w.DeliverFrom), DeliverBy: momentRecord(w.DeliverBy), Rule: w.Rule}
}

func momentRecord(m order.Moment) *ordersstoragev1.MomentRecord {
	if m.At.IsZero() {
		return nil
	}
	return &ordersstoragev1.MomentRecord{Time: timestamppb.New(m.At), Zone: m.Zone, Rule: m.Rule}
}

func moment(rec *ordersstoragev1.MomentRecord) order.Moment {
	if rec == nil {
		return order.Moment{}
	}
	return order.Moment{At: instant(rec.Time), Zone: rec.Zone, Rule: rec.Rule}
}

func trustRecord(t order.Trust) *ordersstoragev1.TrustRecord {
	if t.Confidence == "" {
		return nil
	}
	return &ordersstoragev1.TrustRecord{Confidence: t.Confidence, Reasons: t.Reasons}
}

func trust(rec *ordersstoragev1.TrustRecord) order.Trust {
	return order.Trust{Confidence: rec.GetConfidence(), Reasons: rec.GetReasons()}
}

func externalRecord(id order.ExternalID) *ordersstoragev1.ExternalIdRecord {
	return &ordersstoragev1.ExternalIdRecord{System: id.System, Kind: id.Kind, Qualifier: id.Qualifier, Value: id.Value}
}

func external(rec *ordersstoragev1.ExternalIdRecord) order.ExternalID {
	return order.ExternalID{System: rec.GetSystem(), Kind: rec.GetKind(), Qualifier: rec.GetQualifier(), Value: rec.GetValue()}
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func instant(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// parser reads values of a record and keeps the first that cannot be read.
type parser struct{ err error }

func (p *parser) of(what string) error {
	if p.err == nil {
		return nil
	}
	return fmt.Errorf("record of %s: %w", what, p.err)
}

func (p *parser) note(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *parser) decimal(s string) decimal.Decimal {
	if s == "" {
		return decimal.Zero
	}
	d, err := decimal.Parse(s)
	p.note(err)
	return d
}

func (p *parser) date(s string) calendar.Date {
	if s == "" {
		return calendar.Date{}
	}
	d, err := calendar.ParseDate(s)
	p.note(err)
	return d
}

func (p *parser) money(s string) money.Amount {
	value, currency, ok := strings.Cut(s, " ")
	if !ok {
		return money.Amount{}
	}
	a, err := money.Parse(value, currency)
	p.note(err)
	return a
}

func (p *parser) windows(rec *ordersstoragev1.WindowsRecord) order.Windows {
	return order.Windows{ShipDate: p.date(rec.GetShipDate()), PickupFrom: moment(rec.GetPickupFrom()), PickupTo: moment(rec.GetPickupTo()),
		DeliveryDate: p.date(rec.GetDeliveryDate()), DeliverFrom: moment(rec.GetDeliverFrom()), DeliverBy: moment(rec.GetDeliverBy()), Rule: rec.GetRule()}
}

// quantities reads numbers and checks their algebra.
func (p *parser) quantities(rec *ordersstoragev1.NumbersRecord) order.Quantities {
	q, err := order.Restore(order.Numbers{
		Ordered: p.decimal(rec.GetOrdered()), CancelledBefore: p.decimal(rec.GetCancelledBeforeRelease()), Released: p.decimal(rec.GetReleased()),
		Planned: p.decimal(rec.GetPlanned()), Tendered: p.decimal(rec.GetTendered()), Secured: p.decimal(rec.GetSecured()),
		Shipped: p.decimal(rec.GetShipped()), CancelledAfter: p.decimal(rec.GetCancelledAfterRelease()), Lost: p.decimal(rec.GetLost()),
		Accepted: p.decimal(rec.GetAccepted()), Short: p.decimal(rec.GetShort()), Damaged: p.decimal(rec.GetDamaged()),
		Refused: p.decimal(rec.GetRefused()), Authorized: p.decimal(rec.GetAuthorized()), Billed: p.decimal(rec.GetBilled()),
		Credited: p.decimal(rec.GetCredited()),
	})
	p.note(err)
	return q
}
