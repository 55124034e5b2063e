// Package inbound turns the facts of orders, freight, billing and edi into events of processes and into work items.
package inbound

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/workflow/internal/app"
	"crossdock.dev/services/workflow/internal/process"
)

// Readers are what the followed logs mean to workflow.
func Readers(a *app.App) []eventlog.Reader {
	readers := []eventlog.Reader{
		{Log: "orders", Keys: orders{a}.Keys, Apply: orders{a}.Apply},
		{Log: "freight", Keys: freight{a}.Keys, Apply: freight{a}.Apply},
		{Log: "billing", Keys: billing{a}.Keys, Apply: billing{a}.Apply},
		{Log: "edi", Keys: edi{a}.Keys, Apply: edi{a}.Apply},
	}
	for i, r := range readers {
		readers[i] = stopped{a, r}.reader()
	}
	return readers
}

// orders follows the orders feed.
type orders struct{ app *app.App }

// Keys are the order that a fact is about.
func (orders) Keys(f eventlog.Fact) []string {
	switch m := f.Payload.(type) {
	case *ordersv1.OrderReleased:
		return []string{m.GetRelease().GetOrder()}
	case *ordersv1.OrderHeld:
		return []string{m.GetOrder()}
	case *ordersv1.OrderHoldReleased:
		return []string{m.GetOrder()}
	case *ordersv1.OrderCancellationRequested:
		return []string{m.GetOrder()}
	case *ordersv1.OrderCancelled:
		return []string{m.GetOrder()}
	}
	return nil
}

// Apply starts processes and minds held orders.
func (o orders) Apply(ctx context.Context, tx *store.Tx, f eventlog.Fact) error {
	switch m := f.Payload.(type) {
	case *ordersv1.OrderReleased:
		r := m.GetRelease()
		plan, err := proto.MarshalOptions{Deterministic: true}.Marshal(planOf(r))
		if err != nil {
			return fmt.Errorf("plan of %s: %w", r.GetName(), err)
		}
		return o.app.Start(ctx, tx, process.Released{
			OrderRelease: r.GetName(), Order: r.GetOrder(), CustomerOrderNumber: r.GetCustomerOrderNumber(),
		}, plan)
	case *ordersv1.OrderHeld:
		reason, owner := holdReason(m.GetHold())
		return o.app.Open(ctx, tx, process.Item{
			Reason: reason, Owner: owner, Subject: m.GetOrder(), Related: []string{"po:" + m.GetCustomerOrderNumber(), m.GetCustomer()},
			Detail: m.GetHold().GetReason(),
		})
	case *ordersv1.OrderHoldReleased:
		reason, _ := holdReason(m.GetHold())
		return o.app.Close(ctx, tx, process.Closing{Reason: reason, Subject: m.GetOrder()})
	case *ordersv1.OrderCancellationRequested:
		for _, release := range m.GetOrderReleases() {
			if _, err := o.app.Happened(ctx, tx, release, process.CancellationRequested{Reason: m.GetReason()}); err != nil {
				return err
			}
		}
		return nil
	case *ordersv1.OrderCancelled:
		return o.app.Close(ctx, tx, process.Closing{Subject: m.GetOrder()})
	}
	return eventlog.ErrIgnored
}

// planOf is the planning request of a release.
func planOf(r *ordersv1.OrderRelease) *freightv1.PlanShipmentRequest {
	req := &freightv1.PlanShipmentRequest{
		OrderRelease: r.GetName(), Order: r.GetOrder(), CustomerOrderNumber: r.GetCustomerOrderNumber(), Customer: r.GetCustomer(),
		LegalEntity: r.GetLegalEntity(), ShipFrom: r.GetShipFrom(), ShipTo: r.GetShipTo(), Mode: r.GetMode(), ShipDate: r.GetShipDate(),
		PickupFrom: r.GetPickupFrom(), PickupTo: r.GetPickupTo(), DeliverFrom: r.GetDeliverFrom(), DeliverBy: r.GetDeliverBy(),
		Consolidate: r.GetConsolidate(), EtaWatch: r.GetEtaWatch(),
	}
	for _, l := range r.GetLines() {
		req.Lines = append(req.Lines, &freightv1.PlanShipmentRequest_Line{
			Line: l.GetLine(), Item: l.GetItem(), Description: l.GetDescription(), Quantity: l.GetQuantity(), Pack: l.GetPack(),
		})
	}
	return req
}

// holdReason says which team works on a hold, and under which reason.
func holdReason(h *ordersv1.Hold) (process.Reason, string) {
	switch h.GetKind() {
	case ordersv1.Hold_MASTER_DATA:
		for _, field := range h.GetFields() {
			if strings.Contains(field, "item") || strings.Contains(field, "external_ids") {
				return process.ItemUnknown, process.MasterData
			}
		}
		if slices.Contains(h.GetFields(), "ship_to") {
			return process.AddressMissing, process.MasterData
		}
		return process.MasterDataMissing, process.MasterData
	case ordersv1.Hold_ADDRESS:
		return process.AddressMissing, process.MasterData
	}
	owner := process.Operations
	if h.GetKind() == ordersv1.Hold_CREDIT {
		owner = process.Finance
	}
	return process.Reason(h.GetKind().String() + "_HOLD"), owner // an order has one hold of a kind at most
}

// freight follows the freight feed.
type freight struct{ app *app.App }

// Keys are the orders aboard.
func (freight) Keys(f eventlog.Fact) []string {
	var keys []string
	for _, e := range freightEvents(f.Payload) {
		keys = append(keys, e.name)
	}
	return keys
}

// Apply lets the fact happen to the process of each release that it is about. A release whose process is not there yet is
// never told: the feed of orders has been read first, by the causal order that the consumer keeps.
func (fr freight) Apply(ctx context.Context, tx *store.Tx, f eventlog.Fact) error {
	applied := false
	for _, e := range freightEvents(f.Payload) {
		found, err := fr.app.Happened(ctx, tx, e.name, e.event)
		if err != nil {
			return err
		}
		applied = applied || found
	}
	if !applied {
		return eventlog.ErrIgnored
	}
	return nil
}

func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

type named struct {
	name  string // the order release
	event process.Event
}

func freightEvents(payload proto.Message) []named {
	aboard := func(shipments []*freightv1.Shipment, e process.Event) []named {
		var out []named
		for _, s := range shipments {
			out = append(out, named{s.GetOrderRelease(), e})
		}
		return out
	}
	switch m := payload.(type) {
	case *freightv1.ShipmentPlanned:
		return []named{{m.GetShipment().GetOrderRelease(), process.Planned{
			Shipment: m.GetShipment().GetName(), Load: m.GetLoad().GetName(), JoinUntil: timeOf(m.GetLoad().GetJoinUntil()),
		}}}
	case *freightv1.LoadTendered:
		t := m.GetTender()
		return aboard(m.GetShipments(), process.Tendered{Tender: t.GetName(), Carrier: t.GetCarrier(), RespondBy: t.GetRespondBy().GetTime().AsTime()})
	case *freightv1.LoadBooked:
		var out []named
		for _, s := range m.GetShipments() {
			out = append(out, named{s.GetOrderRelease(), process.Booked{
				Carrier: m.GetLoad().GetCarrier(), DeliverBy: s.GetDeliverBy().GetTime().AsTime(), Owed: m.GetLoad().GetCharges() != nil,
			}})
		}
		return out
	case *freightv1.TendersExhausted:
		return aboard(m.GetShipments(), process.Exhausted{Load: m.GetLoad().GetName()})
	case *freightv1.LoadCancelled:
		return aboard(m.GetShipments(), process.Cancelled{Load: m.GetLoad().GetName(), Owed: len(m.GetLoad().GetCharges().GetCharges()) > 0})
	case *freightv1.ExceptionRaised:
		return []named{{m.GetShipment().GetOrderRelease(), process.Raised{Reason: process.Reason(m.GetReason()), Detail: m.GetDetail()}}}
	case *freightv1.ExceptionCleared:
		return []named{{m.GetShipment().GetOrderRelease(), process.Cleared{Reason: process.Reason(m.GetReason())}}}
	case *freightv1.ShipmentDeparted:
		return []named{{m.GetShipment().GetOrderRelease(), process.Departed{}}}
	case *freightv1.ShipmentDelivered:
		return []named{{m.GetShipment().GetOrderRelease(), process.Delivered{Shipment: m.GetShipment().GetName()}}}
	case *freightv1.ProofOfDeliveryReceived:
		return []named{{m.GetShipment().GetOrderRelease(), process.Proven{
			Proof: m.GetProofOfDelivery().GetName(), Exceptions: len(m.GetProofOfDelivery().GetExceptions()) > 0,
		}}}
	}
	return nil
}

// billing follows the billing feed.
type billing struct{ app *app.App }

// Keys are the release that is billed, or the load that a carrier bills.
func (billing) Keys(f eventlog.Fact) []string {
	if e := billingEvent(f.Payload); e.name != "" {
		return []string{e.name}
	}
	return nil
}

// Apply lets the fact happen to the processes that it is about. A carrier's bill that leads to no load has a work item of
// its own.
func (b billing) Apply(ctx context.Context, tx *store.Tx, f eventlog.Fact) error {
	e := billingEvent(f.Payload)
	found, err := b.app.Happened(ctx, tx, e.name, e.event)
	if err != nil || found {
		return err
	}
	switch x := e.event.(type) {
	case process.BillExcepted:
		for _, c := range x.Overruled() {
			if err := b.app.Close(ctx, tx, c); err != nil {
				return err
			}
		}
		return b.app.Open(ctx, tx, process.Item{Reason: x.Reason, Owner: x.Owner, Subject: x.FreightBill, Related: f.Related, Detail: x.Detail})
	case process.BillApproved:
		return b.app.Close(ctx, tx, process.Closing{Subject: x.FreightBill})
	case process.BillRejected:
		return b.app.Close(ctx, tx, process.Closing{Subject: x.FreightBill})
	}
	return eventlog.ErrIgnored
}

func billingEvent(payload proto.Message) named {
	switch m := payload.(type) {
	case *billingv1.BillingAuthorized:
		a := m.GetBillingAuthorization()
		return named{a.GetOrderRelease(), process.Authorized{Authorization: a.GetName()}}
	case *billingv1.InvoiceIssued:
		return named{m.GetInvoice().GetOrderRelease(), process.Invoiced{Invoice: m.GetInvoice().GetName()}}
	case *billingv1.FreightBillApproved:
		return named{billKey(m.GetFreightBill()), process.BillApproved{FreightBill: m.GetFreightBill().GetName()}}
	case *billingv1.FreightBillRejected:
		return named{billKey(m.GetFreightBill()), process.BillRejected{FreightBill: m.GetFreightBill().GetName()}}
	case *billingv1.DisputeOpened:
		return named{billKey(m.GetFreightBill()), process.BillDisputed{FreightBill: m.GetFreightBill().GetName()}}
	case *billingv1.FreightBillExcepted:
		bill := m.GetFreightBill()
		if bill.GetState() == billingv1.FreightBill_DUPLICATE {
			return named{} // set aside, nobody has to look
		}
		x := process.BillExcepted{FreightBill: bill.GetName(), Reason: process.FreightBillOverTolerance, Owner: process.Finance}
		switch {
		case bill.GetState() == billingv1.FreightBill_REJECTED:
			x.Reason = process.FreightBillRejected
		case bill.GetLoad() == "":
			x.Reason = process.FreightBillUnmatched
		}
		for _, f := range bill.GetFindings() {
			if f.GetPassed() {
				continue
			}
			if x.Detail == "" && f.GetOwner() != "" {
				x.Owner = f.GetOwner()
			}
			x.Detail = strings.TrimPrefix(x.Detail+"; "+f.GetRule()+" "+f.GetSubject()+": "+f.GetDetail(), "; ")
		}
		return named{billKey(bill), x}
	}
	return named{}
}

// billKey is the load that a bill was matched to, or the bill itself.
func billKey(b *billingv1.FreightBill) string {
	if b.GetLoad() != "" {
		return b.GetLoad()
	}
	return b.GetName()
}

// edi follows the edi feed.
type edi struct{ app *app.App }

// Keys are the interchange that a fact is about.
func (edi) Keys(f eventlog.Fact) []string {
	switch m := f.Payload.(type) {
	case *ediv1.MessageParked:
		return []string{m.GetInterchange().GetName()}
	case *ediv1.MessageRejected:
		return []string{m.GetInterchange().GetName()}
	case *ediv1.MessageApplied:
		return []string{m.GetInterchange()}
	case *ediv1.AcknowledgementOverdue:
		return []string{m.GetInterchange().GetName()}
	case *ediv1.MessageAcknowledged:
		return []string{m.GetInterchange().GetName()}
	}
	return nil
}

// Apply opens a work item for a message that waits for a person or was refused, and closes it when the message took effect
// after all.
func (e edi) Apply(ctx context.Context, tx *store.Tx, f eventlog.Fact) error {
	switch m := f.Payload.(type) {
	case *ediv1.MessageParked:
		return e.open(ctx, tx, f, m.GetInterchange(), m.GetTransactionSet(), process.MessageParked)
	case *ediv1.MessageRejected:
		return e.open(ctx, tx, f, m.GetInterchange(), m.GetTransactionSet(), process.MessageRejected)
	case *ediv1.AcknowledgementOverdue:
		return e.app.Open(ctx, tx, process.Item{
			Reason: process.AckOverdue, Owner: process.Integration, Subject: m.GetInterchange().GetName(), Related: f.Related,
			Detail: "The partner has not acknowledged it within the agreed time.",
		})
	case *ediv1.MessageAcknowledged: // late is better than never
		return e.app.Close(ctx, tx, process.Closing{Reason: process.AckOverdue, Subject: m.GetInterchange().GetName()})
	case *ediv1.MessageApplied:
		return e.app.Close(ctx, tx, process.Closing{Subject: messageName(m.GetInterchange(), m.GetTransactionSet())})
	}
	return eventlog.ErrIgnored
}

func (e edi) open(ctx context.Context, tx *store.Tx, f eventlog.Fact, i *ediv1.Interchange, s *ediv1.Interchange_TransactionSet, reason process.Reason) error {
	code, detail := i.GetReasonCode(), i.GetReason()
	if s != nil {
		code, detail = s.GetReasonCode(), s.GetReason()
	}
	if code != "" {
		reason = process.Reason(code)
	}
	return e.app.Open(ctx, tx, process.Item{
		Reason: reason, Owner: process.Integration, Subject: messageName(i.GetName(), s), Related: f.Related, Detail: detail,
	})
}

// messageName is an interchange, or one set of it.
func messageName(interchange string, s *ediv1.Interchange_TransactionSet) string {
	if s == nil {
		return interchange
	}
	return fmt.Sprintf("%s/sets/%d", interchange, s.GetIndex())
}
