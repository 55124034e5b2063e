package inbound

import (
	"context"
	"slices"

	googlemoney "google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	storagev1 "crossdock.dev/gen/crossdock/tower/storage/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/eventlog"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/tower/internal/store"
	"crossdock.dev/services/tower/internal/timeline"
)

// followItem keeps work items while they are open, whether or not they lead to an order.
func followItem(ctx context.Context, tx *platform.Tx, f eventlog.Fact) error {
	switch m := f.Payload.(type) {
	case *workflowv1.WorkItemOpened:
		e := exception(m.GetWorkItem())
		if e.CreateTime == nil {
			e.CreateTime = f.Head.GetOccurTime()
		}
		return store.PutException(ctx, tx, &storagev1.Exception{References: about(f), Exception: e})
	case *workflowv1.WorkItemChanged:
		known, err := store.OpenException(ctx, tx, m.GetWorkItem().GetName())
		if err != nil || known == nil {
			return err
		}
		e := exception(m.GetWorkItem())
		e.CreateTime = known.GetException().GetCreateTime()
		known.Exception = e
		return store.PutException(ctx, tx, known)
	case *workflowv1.WorkItemClosed:
		return store.DeleteException(ctx, tx, m.GetWorkItem().GetName())
	}
	return nil
}

func exception(w *workflowv1.WorkItem) *towerv1.Exception {
	e := &towerv1.Exception{
		WorkItem: w.GetName(), Reason: w.GetReason(), Owner: w.GetOwner(), Subject: w.GetSubject(), Detail: w.GetDetail(), CreateTime: w.GetCreateTime(),
	}
	if w.GetDueTime() != nil {
		e.DueTime, e.DueFor = w.GetDueTime(), "it to be dealt with"
	}
	return e
}

// followOrder keeps what a fact says of the way of an order from order to cash: what happened when, and amounts.
func followOrder(ctx context.Context, tx *platform.Tx, id string, f eventlog.Fact) error {
	rec, err := store.Progress(ctx, tx, id)
	if err != nil {
		return err
	}
	before := proto.CloneOf(rec)
	if f.Type == "TenderAccepted" || slices.Contains(timeline.Types(), f.Type) {
		happened(rec, f)
	}
	amounts(rec, "orders/"+id, f)
	if m, ok := f.Payload.(*freightv1.MilestoneRecorded); ok {
		claimed(rec, m)
	}
	if proto.Equal(before, rec) {
		return nil
	}
	return store.PutProgress(ctx, tx, id, rec)
}

func happened(rec *storagev1.Progress, f eventlog.Fact) {
	e := &storagev1.Progress_Event{Type: f.Type, Subject: f.Subject, Time: f.Head.GetOccurTime()}
	// An offer is about the load where several carriers are asked: the tender tells them apart.
	if m, ok := f.Payload.(interface{ GetTender() *freightv1.Tender }); ok && m.GetTender() != nil {
		e.Subject = m.GetTender().GetName()
	}
	if !slices.ContainsFunc(rec.Events, func(x *storagev1.Progress_Event) bool { return proto.Equal(x, e) }) {
		rec.Events = append(rec.Events, e)
	}
}

func claimed(rec *storagev1.Progress, m *freightv1.MilestoneRecorded) {
	c := &storagev1.Progress_Claim{
		Name: m.GetClaim().GetName(), Carrier: m.GetCarrier(), OccurTime: m.GetClaim().GetOccurred().GetTime(), ReceiveTime: m.GetClaim().GetReceiveTime(),
	}
	if !slices.ContainsFunc(rec.Claims, func(x *storagev1.Progress_Claim) bool { return x.GetName() == c.GetName() }) {
		rec.Claims = append(rec.Claims, c)
	}
}

func amounts(rec *storagev1.Progress, order string, f eventlog.Fact) {
	set := func(kind, resource, label, state string, m *googlemoney.Money) {
		if m == nil || resource == "" {
			return
		}
		a := &towerv1.CaseProgress_Amount{Kind: kind, Resource: resource, Label: label, State: state, Amount: m, Time: f.Head.GetOccurTime()}
		if i := find(rec, kind, resource); i >= 0 {
			rec.Amounts[i] = a
			return
		}
		rec.Amounts = append(rec.Amounts, a)
	}
	bill := func(b *billingv1.FreightBill) {
		set("billed", b.GetName(), b.GetInvoiceNumber(), b.GetState().String(), b.GetTotal())
	}
	switch m := f.Payload.(type) {
	case *ordersv1.OrderCreated:
		set("ordered", order, m.GetOrder().GetCustomerOrderNumber(), "", total(m.GetOrder()))
	case *freightv1.LoadBooked:
		set("rated", m.GetLoad().GetName(), m.GetLoad().GetNumber(), "", m.GetLoad().GetCharges().GetTotal())
	case *freightv1.AccessorialProven:
		set("rated", m.GetLoad().GetName(), m.GetLoad().GetNumber(), "", m.GetLoad().GetCharges().GetTotal())
	case *billingv1.ChargeAccrued:
		a := m.GetAccrual()
		amount := a.GetCharge().GetAmount()
		for _, share := range a.GetShares() {
			if share.GetOrder() == order {
				amount = share.GetAmount()
			}
		}
		set("accrued", a.GetName(), a.GetCharge().GetCode(), "", amount)
	case *billingv1.AccrualReversed:
		if i := find(rec, "accrued", m.GetAccrual().GetName()); i >= 0 {
			rec.Amounts = slices.Delete(rec.Amounts, i, i+1)
		}
	case *billingv1.BillingAuthorized:
		if a := m.GetBillingAuthorization(); a.GetOrder() == order {
			set("authorized", a.GetName(), a.GetShipment(), "", a.GetNetTotal())
		}
	case *billingv1.InvoiceIssued:
		set("invoiced", m.GetInvoice().GetName(), m.GetInvoice().GetNumber(), "", m.GetInvoice().GetTotal())
	case *billingv1.FreightBillReceived:
		bill(m.GetFreightBill())
	case *billingv1.FreightBillExcepted:
		bill(m.GetFreightBill())
	case *billingv1.FreightBillApproved:
		bill(m.GetFreightBill())
	case *billingv1.FreightBillRejected:
		bill(m.GetFreightBill())
	case *billingv1.DisputeOpened:
		bill(m.GetFreightBill())
	case *billingv1.DisputeResolved:
		bill(m.GetFreightBill())
	}
}

// find is the place of an amount; -1 when it is not there.
func find(rec *storagev1.Progress, kind, resource string) int {
	return slices.IndexFunc(rec.Amounts, func(a *towerv1.CaseProgress_Amount) bool { return a.GetKind() == kind && a.GetResource() == resource })
}
