// Package wire turns the domain's values into the messages of the contract, and an order as it was sent into a draft. It is
// for the handlers and for the facts that the store tells, so that both say the same. It decides nothing.
package wire

import (
	"fmt"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/type/date"
	googlemoney "google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/services/orders/internal/order"
)

// Order is the message of an order.
func Order(o order.Order) *ordersv1.Order {
	d := o.Dimensions()
	m := &ordersv1.Order{
		Name: o.Name, Customer: o.Customer, CustomerOrderNumber: o.Number, LegalEntity: o.LegalEntity, ShipFrom: o.ShipFrom,
		ShipTo: o.ShipTo, Mode: string(o.Mode), CurrencyCode: o.Currency, OrderDate: Date(o.OrderDate),
		RequestedDeliveryDate: Date(o.RequestedDate), PickupAppointmentLocal: o.PickupLocal, DeliveryAppointmentLocal: o.DeliveryLocal,
		Consolidate: o.Consolidate, EtaWatch: o.EtaWatch, PaymentTerms: o.PaymentTerms, StatedTotal: amount(o.StatedTotal),
		Source:     o.Source,
		Commercial: ordersv1.Order_Commercial(ordersv1.Order_Commercial_value[string(o.Commercial)]),
		Release:    releaseState(d), Fulfilment: fulfilmentState(d),
		Billing: ordersv1.Order_Billing(ordersv1.Order_Billing_value[string(d.Billing)]),
		Promise: Promise(o.Promise), CreateTime: stamp(o.Created), UpdateTime: stamp(o.Update), Etag: ETag(o),
		CancelReason: o.CancelReason,
	}
	if o.ShipToExternal != (order.ExternalID{}) {
		m.ShipToExternal = externalID(o.ShipToExternal)
	}
	for _, h := range o.Holds {
		m.Holds = append(m.Holds, Hold(h))
	}
	for _, l := range o.Lines {
		m.Lines = append(m.Lines, line(l))
	}
	return m
}

// ETag is an order's revision as callers give it back.
func ETag(o order.Order) string { return strconv.FormatUint(o.Revision, 10) }

func line(l order.Line) *ordersv1.OrderLine {
	return &ordersv1.OrderLine{
		Line: l.ID, Item: l.Item, ExternalIds: externalIDs(l.ExternalIDs), Description: l.Description,
		Quantity: &typev1.Quantity{Value: l.Quantities.Numbers().Ordered.String(), Unit: l.Unit}, UnitPrice: l.Price.String(),
		Pack: int32(l.Pack), Quantities: quantities(l.Quantities),
	}
}

func quantities(q order.Quantities) *ordersv1.LineQuantities {
	n := q.Numbers()
	text := func(d decimal.Decimal) string { return d.Trim().String() }
	return &ordersv1.LineQuantities{
		Ordered: text(n.Ordered), Released: text(n.Released), Unreleased: text(q.Unreleased()),
		CancelledBeforeRelease: text(n.CancelledBefore), Planned: text(n.Planned), Tendered: text(n.Tendered),
		Secured: text(n.Secured), Shipped: text(n.Shipped), CancelledAfterRelease: text(n.CancelledAfter), Open: text(q.Open()),
		InTransit: text(q.InTransit()), Lost: text(n.Lost), Arrived: text(q.Arrived()), Accepted: text(n.Accepted),
		Short: text(n.Short), Damaged: text(n.Damaged), Refused: text(n.Refused), Authorized: text(n.Authorized),
		Billed: text(n.Billed), Credited: text(n.Credited),
	}
}

// Hold is the message of a hold.
func Hold(h order.Hold) *ordersv1.Hold {
	return &ordersv1.Hold{Kind: ordersv1.Hold_Kind(ordersv1.Hold_Kind_value[string(h.Kind)]), Reason: h.Reason, Fields: h.Fields,
		Actor: h.Actor, CreateTime: stamp(h.Since)}
}

// Promise is the message of a promise; nil for none.
func Promise(p *order.Promise) *ordersv1.Promise {
	if p == nil {
		return nil
	}
	return &ordersv1.Promise{ShipDate: Date(p.ShipDate), DeliveryDate: Date(p.DeliveryDate), DeliverBy: EventTime(p.DeliverBy),
		Estimate: EventTime(p.Estimate), Rule: p.Rule, Confidence: p.Trust.Confidence, ConfidenceReasons: p.Trust.Reasons}
}

// Release is the message of a release of an order.
func Release(o order.Order, r order.Release) *ordersv1.OrderRelease {
	m := &ordersv1.OrderRelease{
		Name: r.Name(), Order: o.Name, CustomerOrderNumber: o.Number, Customer: o.Customer, LegalEntity: o.LegalEntity,
		ShipFrom: o.ShipFrom, ShipTo: o.ShipTo, Mode: string(o.Mode), CurrencyCode: o.Currency, ShipDate: Date(r.Windows.ShipDate),
		PickupFrom: EventTime(r.Windows.PickupFrom), PickupTo: EventTime(r.Windows.PickupTo),
		DeliverFrom: EventTime(r.Windows.DeliverFrom), DeliverBy: EventTime(r.Windows.DeliverBy),
		Consolidate: o.Consolidate, EtaWatch: o.EtaWatch, PaymentTerms: o.PaymentTerms, OrderDate: Date(o.OrderDate),
		Contract: r.Contract, ReleaseTime: stamp(r.At),
	}
	for _, rl := range r.Lines {
		l := o.Lines[rl.Place]
		m.Lines = append(m.Lines, &ordersv1.ReleaseLine{
			Line: l.ID, Item: l.Item, Description: l.Description, UnitPrice: l.Price.String(), Pack: int32(l.Pack),
			Quantity:    &typev1.Quantity{Value: rl.Quantities.Numbers().Released.Trim().String(), Unit: l.Unit},
			ExternalIds: externalIDs(l.ExternalIDs),
		})
	}
	return m
}

func releaseState(d order.Dimensions) ordersv1.Order_Release {
	return ordersv1.Order_Release(ordersv1.Order_Release_value[string(d.Release)])
}

func fulfilmentState(d order.Dimensions) ordersv1.Order_Fulfilment {
	return ordersv1.Order_Fulfilment(ordersv1.Order_Fulfilment_value[string(d.Fulfilment)])
}

func externalID(id order.ExternalID) *typev1.ExternalId {
	return &typev1.ExternalId{System: id.System, Kind: id.Kind, Qualifier: id.Qualifier, Value: id.Value}
}

func externalIDs(ids []order.ExternalID) []*typev1.ExternalId {
	var out []*typev1.ExternalId
	for _, id := range ids {
		out = append(out, externalID(id))
	}
	return out
}

// ExternalID reads a partner's name for something; nil is nothing.
func ExternalID(m *typev1.ExternalId) order.ExternalID {
	return order.ExternalID{System: m.GetSystem(), Kind: m.GetKind(), Qualifier: m.GetQualifier(), Value: m.GetValue()}
}

// Date is the message of a day; nil for none.
func Date(d calendar.Date) *date.Date {
	if d.IsZero() {
		return nil
	}
	return &date.Date{Year: int32(d.Year()), Month: int32(d.Month()), Day: int32(d.Day())}
}

// EventTime is the message of a moment; nil for none.
func EventTime(m order.Moment) *typev1.EventTime {
	if m.At.IsZero() {
		return nil
	}
	return &typev1.EventTime{Time: timestamppb.New(m.At), Zone: m.Zone, Rule: typev1.EventTime_Rule(typev1.EventTime_Rule_value[m.Rule])}
}

// Moment reads an event time; nil is no moment.
func Moment(m *typev1.EventTime) order.Moment {
	if m.GetTime() == nil {
		return order.Moment{}
	}
	out := order.Moment{At: m.Time.AsTime(), Zone: m.Zone}
	if m.Rule != typev1.EventTime_RULE_UNSPECIFIED {
		out.Rule = m.Rule.String()
	}
	return out
}

func amount(a money.Amount) *googlemoney.Money {
	if a.Currency() == "" {
		return nil
	}
	units, nanos := a.UnitsNanos()
	return &googlemoney.Money{CurrencyCode: a.Currency(), Units: units, Nanos: nanos}
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// Draft reads an order as it was sent. Output-only fields are left out.
func Draft(m *ordersv1.Order) order.Draft {
	d := order.Draft{
		Customer: m.GetCustomer(), Number: m.GetCustomerOrderNumber(), LegalEntity: m.GetLegalEntity(), ShipFrom: m.GetShipFrom(),
		ShipTo: m.GetShipTo(), Mode: order.Mode(m.GetMode()), Currency: m.GetCurrencyCode(), OrderDate: day(m.GetOrderDate()),
		RequestedDate: day(m.GetRequestedDeliveryDate()), PickupLocal: m.GetPickupAppointmentLocal(),
		DeliveryLocal: m.GetDeliveryAppointmentLocal(), Consolidate: m.GetConsolidate(), EtaWatch: m.GetEtaWatch(),
		PaymentTerms: m.GetPaymentTerms(), Source: m.GetSource(),
	}
	if m.GetShipToExternal() != nil {
		id := ExternalID(m.GetShipToExternal())
		d.ShipToExternal = &id
	}
	if t := m.GetStatedTotal(); t != nil {
		d.StatedTotal = &order.StatedTotal{Units: t.GetUnits(), Nanos: t.GetNanos(), Currency: t.GetCurrencyCode()}
	}
	for _, l := range m.GetLines() {
		line := order.DraftLine{ID: l.GetLine(), Item: l.GetItem(), Description: l.GetDescription(),
			Quantity: l.GetQuantity().GetValue(), Unit: l.GetQuantity().GetUnit(), Price: l.GetUnitPrice(), Pack: int(l.GetPack())}
		for _, id := range l.GetExternalIds() {
			line.ExternalIDs = append(line.ExternalIDs, ExternalID(id))
		}
		d.Lines = append(d.Lines, line)
	}
	return d
}

// day writes a date as text, also one that does not exist: the domain says so.
func day(d *date.Date) string {
	if d == nil {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.GetYear(), d.GetMonth(), d.GetDay())
}

// ParseDate reads a day; nil and days that do not exist are none.
func ParseDate(d *date.Date) calendar.Date {
	out, err := calendar.ParseDate(day(d))
	if err != nil {
		return calendar.Date{}
	}
	return out
}
