// Package inbound reads in the facts of orders, freight and billing what a partner may ask to be told. It promises that an event goes
// to the party that the fact itself names, and holds nothing that this party could not read by REST: ids, its own numbers and, where
// it is about the promise, the promise. It leaves who has asked to package app.
package inbound

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/kernel/calendar"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/edge/internal/webhook"
)

// Notices makes the deliveries of an event.
type Notices interface {
	Notice(ctx context.Context, tx *store.Tx, fact string, received time.Time, e webhook.Event) (told bool, err error)
}

// Readers are what the followed logs mean to edge.
func Readers(n Notices) []eventlog.Reader {
	var readers []eventlog.Reader
	for _, log := range []string{"orders", "freight", "billing"} {
		readers = append(readers, eventlog.Reader{Log: log, Keys: keys, Together: true, Apply: func(ctx context.Context, tx *store.Tx, f eventlog.Fact) error {
			e, ok := event(f)
			if !ok {
				return eventlog.ErrIgnored
			}
			fact := fmt.Sprintf("%s/%d/%d/%d", f.Position.Log, f.Position.Epoch, f.Position.Sequence, f.Index)
			told, err := n.Notice(ctx, tx, fact, f.ReceiveTime(), e)
			if err == nil && !told {
				return eventlog.ErrIgnored
			}
			return err
		}})
	}
	return readers
}

// keys: what one party is told goes in the order in which it happened.
func keys(f eventlog.Fact) []string {
	e, ok := event(f)
	if !ok {
		return nil
	}
	return []string{e.Party}
}

// event is what a fact means to a partner; ok is false when it means nothing to any.
func event(f eventlog.Fact) (e webhook.Event, ok bool) {
	e, ok = read(f)
	return e, ok && e.Party != "" && e.Resource != ""
}

func read(f eventlog.Fact) (webhook.Event, bool) {
	occur := f.OccurTime()
	switch m := f.Payload.(type) {
	case *ordersv1.CommitmentChanged:
		if m.Fulfilment == ordersv1.Order_DELIVERED {
			return webhook.Event{}, false // nothing is promised any more
		}
		return webhook.Event{
			Type: webhook.OrderPromiseChanged, Party: m.Customer, Resource: m.Order, OccurTime: occur,
			Data: webhook.Data{Order: m.Order, CustomerOrderNumber: m.CustomerOrderNumber, Promise: &webhook.Promise{
				DeliverBy: local(m.Promise.GetDeliverBy()), Estimate: local(m.Promise.GetEstimate()), Confidence: m.Promise.GetConfidence(),
				Reasons: m.Promise.GetConfidenceReasons(),
			}},
		}, m.Promise != nil
	case *ordersv1.OrderCancelled:
		return webhook.Event{
			Type: webhook.OrderCancelled, Party: m.Customer, Resource: m.Order, OccurTime: occur,
			Data: webhook.Data{Order: m.Order, CustomerOrderNumber: m.CustomerOrderNumber},
		}, true
	case *freightv1.ShipmentDeparted:
		return shipment(webhook.OrderShipped, m.Shipment, instant(m.Occurred, occur)), true
	case *freightv1.ShipmentDelivered:
		return shipment(webhook.OrderDelivered, m.Shipment, instant(m.Occurred, occur)), true
	case *freightv1.LoadTendered:
		return tender(webhook.TenderSent, m.Tender, occur), true
	case *freightv1.TenderWithdrawn:
		return tender(webhook.TenderWithdrawn, m.Tender, occur), true
	case *billingv1.InvoiceIssued:
		i := m.Invoice
		return webhook.Event{
			Type: webhook.InvoiceIssued, Party: i.GetCustomer(), Resource: i.GetName(), OccurTime: stamped(i.GetIssueTime(), occur),
			Data: webhook.Data{Invoice: i.GetName(), InvoiceNumber: i.GetNumber(), Order: i.GetOrder(), CustomerOrderNumber: i.GetCustomerOrderNumber()},
		}, true
	case *billingv1.FreightBillApproved:
		return bill(webhook.BillApproved, m.FreightBill, occur), true
	case *billingv1.FreightBillExcepted:
		if m.FreightBill.GetState() == billingv1.FreightBill_REJECTED { // by the audit
			return bill(webhook.BillRejected, m.FreightBill, occur), true
		}
		return bill(webhook.BillExcepted, m.FreightBill, occur), true
	case *billingv1.FreightBillRejected:
		return bill(webhook.BillRejected, m.FreightBill, occur), true
	}
	return webhook.Event{}, false
}

// shipment tells the customer of a shipment; the carrier has told us.
func shipment(typ string, s *freightv1.Shipment, occur time.Time) webhook.Event {
	return webhook.Event{
		Type: typ, Party: s.GetCustomer(), Resource: s.GetName(), OccurTime: occur,
		Data: webhook.Data{Order: s.GetOrder(), CustomerOrderNumber: s.GetCustomerOrderNumber(), Shipment: s.GetName()},
	}
}

func tender(typ string, t *freightv1.Tender, occur time.Time) webhook.Event {
	return webhook.Event{
		Type: typ, Party: t.GetCarrier(), Resource: t.GetName(), OccurTime: occur,
		Data: webhook.Data{Tender: t.GetName(), Load: t.GetLoad(), LoadNumber: t.GetLoadNumber()},
	}
}

func bill(typ string, b *billingv1.FreightBill, occur time.Time) webhook.Event {
	return webhook.Event{
		Type: typ, Party: b.GetCarrier(), Resource: b.GetName(), OccurTime: occur,
		Data: webhook.Data{FreightBill: b.GetName(), InvoiceNumber: b.GetInvoiceNumber(), LoadNumber: b.GetLoadNumber(), State: b.GetState().String()},
	}
}

// local is a time at its place with the offset that holds there, RFC 3339; "" for none. A zone that this machine does not know is
// shown as UTC.
func local(t *typev1.EventTime) string {
	if t == nil {
		return ""
	}
	zone, err := calendar.LoadZone(t.GetZone())
	if err != nil {
		zone = time.UTC
	}
	return t.GetTime().AsTime().In(zone).Format(time.RFC3339)
}

func instant(t *typev1.EventTime, otherwise time.Time) time.Time {
	return stamped(t.GetTime(), otherwise)
}

func stamped(t *timestamppb.Timestamp, otherwise time.Time) time.Time {
	if t == nil {
		return otherwise
	}
	return t.AsTime()
}
