package core

import (
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/platformtest"
)

func (w *world) cancellationRequested() {
	w.tell("orders", order, &ordersv1.OrderCancellationRequested{Order: order, Reason: "not needed", OrderReleases: []string{release}})
}

// cancelled is the load called off; TON is the charge for a truck ordered and not used.
func (w *world) cancelled(codes ...string) {
	charges := &freightv1.RatedCharges{}
	for _, c := range codes {
		charges.Charges = append(charges.Charges, &typev1.Charge{Code: c})
	}
	w.tell("freight", load, &freightv1.LoadCancelled{Load: &freightv1.Load{Name: load, Charges: charges}, Shipments: aboard()})
}

func (w *world) departed() {
	w.tell("freight", shipment, &freightv1.ShipmentDeparted{Shipment: aboard()[0]})
}

func (w *world) cancels() int {
	n := 0
	for _, c := range w.peer.calls {
		if c == "CancelShipment "+shipment+" not needed" {
			n++
		}
	}
	return n
}

// A booked load is called off once, over restarts and an outage of freight; the truck that was ordered is settled by its bill.
func TestCancelledAfterBooking(t *testing.T) {
	w := newWorld(t)
	for _, tell := range []func(){w.released, w.planned, w.tendered, w.booked} {
		tell()
	}
	w.settle()
	w.peer.refuse["CancelShipment"] = status.Error(codes.Unavailable, "down")
	w.cancellationRequested()
	w.settle()
	if p := w.process(); p.GetState() != workflowv1.Process_CANCELLING || w.cancels() != 1 {
		t.Fatalf("process %s after %q, want CANCELLING", p.GetState(), w.peer.calls)
	}
	delete(w.peer.refuse, "CancelShipment")
	w.reopen() // back-off is kept in memory: a restart asks at once
	w.settle()
	w.cancellationRequested()
	w.settle()
	if got := w.cancels(); got != 2 {
		t.Errorf("asked freight %d times, want once more after the outage", got)
	}
	w.cancelled("TON")
	w.cancelled("TON")
	w.settle()
	if p := w.process(); p.GetState() != workflowv1.Process_SETTLING {
		t.Errorf("process %s, want SETTLING: the carrier will bill the truck", p.GetState())
	}
	w.billApproved()
	w.settle()
	if p := w.process(); p.GetState() != workflowv1.Process_ENDED || len(w.openItems()) != 0 {
		t.Errorf("process %s, work items %q, want ENDED and none", p.GetState(), w.openItems())
	}
	w.verify()
}

// Of a load that nobody took nothing is owed; its work item goes with it.
func TestCancelledAfterTheLastRefusal(t *testing.T) {
	w := newWorld(t)
	for _, tell := range []func(){w.released, w.planned, w.tendered} {
		tell()
	}
	w.tell("freight", load, &freightv1.TendersExhausted{Load: &freightv1.Load{Name: load}, Shipments: aboard()})
	w.settle()
	if want := []string{"TENDERS_EXHAUSTED operations " + load}; !slices.Equal(w.openItems(), want) {
		t.Errorf("work items %q, want %q", w.openItems(), want)
	}
	w.cancellationRequested()
	w.cancelled()
	w.settle()
	if p := w.process(); p.GetState() != workflowv1.Process_ENDED || len(w.openItems()) != 0 {
		t.Errorf("process %s, work items %q, want ENDED and none", p.GetState(), w.openItems())
	}
}

// Freight refuses to call off what has left: a person is told, and the release goes on to its end.
func TestRefusedCancellation(t *testing.T) {
	w := newWorld(t)
	for _, tell := range []func(){w.released, w.planned, w.tendered, w.booked} {
		tell()
	}
	w.settle()
	w.peer.refuse["CancelShipment"] = status.Error(codes.FailedPrecondition, "it has left")
	w.cancellationRequested()
	w.settle()
	p := w.process()
	want := []string{"CANCELLATION_REFUSED operations " + p.GetName()}
	if p.GetState() != workflowv1.Process_EXECUTING || !slices.Equal(w.openItems(), want) {
		t.Fatalf("process %s, work items %q, want EXECUTING and %q", p.GetState(), w.openItems(), want)
	}
	w.reopen()
	for _, tell := range []func(){w.departed, w.delivered, w.proven, w.authorized, w.invoiced, w.billApproved} {
		tell()
	}
	w.settle()
	if p := w.process(); p.GetState() != workflowv1.Process_ENDED || w.cancels() != 1 || !slices.Equal(w.openItems(), want) {
		t.Errorf("process %s, asked %d times, work items %q, want ENDED, once, and the person still to look", p.GetState(), w.cancels(), w.openItems())
	}
	server := platformtest.New(t, platformtest.Config{Service: Service, Register: w.core.Register, Waiter: w.core.Followers(), Own: w.core.Store()})
	client := workflowv1.NewWorkflowServiceClient(server.AsUser())
	list, err := client.ListWorkItems(w.ctx, &workflowv1.ListWorkItemsRequest{State: workflowv1.WorkItem_OPEN})
	w.must(err)
	_, err = client.CloseWorkItem(w.ctx, &workflowv1.CloseWorkItemRequest{Name: list.GetWorkItems()[0].GetName(), RequestId: "close-1"})
	w.must(err)
	w.settle()
	if w.cancels() != 1 || len(w.openItems()) != 0 {
		t.Errorf("closed: asked %d times, work items %q, want once and none", w.cancels(), w.openItems())
	}
	w.verify()
}

// A shipment leaves a load that others share: its process ends with the load of its own, and has no part in the other's bill.
func TestCancelledOnASharedLoad(t *testing.T) {
	w := newWorld(t)
	w.released()
	w.planned()
	w.settle()
	w.cancellationRequested()
	w.tell("freight", shipment, &freightv1.LoadCancelled{Load: &freightv1.Load{Name: "loads/load_2"}, Shipments: aboard()})
	w.tell("billing", "freightBills/fbl_1", &billingv1.FreightBillExcepted{FreightBill: &billingv1.FreightBill{Name: "freightBills/fbl_1", Load: load, State: billingv1.FreightBill_EXCEPTION}})
	w.settle()
	if p := w.process(); p.GetState() != workflowv1.Process_ENDED || p.GetLoad() != "loads/load_2" {
		t.Errorf("process %s of %s, want ENDED of loads/load_2", p.GetState(), p.GetLoad())
	}
	all, err := w.core.api.ListWorkItems(w.ctx, &workflowv1.ListWorkItemsRequest{})
	w.must(err)
	for _, it := range all.GetWorkItems() {
		if slices.Contains(it.GetRelated(), order) {
			t.Errorf("work item %v is about the order that was called off", it)
		}
	}
	w.verify()
}

// Two orders share a load that is offered when nobody joins any more: each process goes on by its own shipment.
func TestTwoOrdersOnOneLoad(t *testing.T) {
	const (
		other         = "orders/ord_2"
		otherRelease  = other + "/releases/1"
		otherShipment = "shipments/shp_2"
	)
	w := newWorld(t)
	second := &freightv1.Shipment{Name: otherShipment, Order: other, OrderRelease: otherRelease}
	both := append(aboard(), second)
	state := func(name string) workflowv1.Process_State {
		t.Helper()
		resp, err := w.core.api.ListProcesses(w.ctx, &workflowv1.ListProcessesRequest{Order: name})
		w.must(err)
		return resp.GetProcesses()[0].GetState()
	}
	states := func(what string, a, b workflowv1.Process_State) {
		t.Helper()
		w.settle()
		if state(order) != a || state(other) != b {
			t.Errorf("%s: %s and %s, want %s and %s", what, state(order), state(other), a, b)
		}
	}
	w.released()
	w.tell("orders", other, &ordersv1.OrderReleased{Release: &ordersv1.OrderRelease{Name: otherRelease, Order: other, CustomerOrderNumber: "HH-1017", Consolidate: true}})
	w.settle()
	w.planned()
	w.tell("freight", otherShipment, &freightv1.ShipmentPlanned{Shipment: second, Load: &freightv1.Load{Name: load}})
	states("planned and asked for", workflowv1.Process_TENDERING, workflowv1.Process_TENDERING)
	w.tell("freight", load, &freightv1.LoadTendered{Load: &freightv1.Load{Name: load}, Shipments: both, Tender: &freightv1.Tender{Name: "tenders/tnd_1", Carrier: "parties/CXAA"}})
	states("offered", workflowv1.Process_TENDERING, workflowv1.Process_TENDERING)
	w.tell("freight", load, &freightv1.LoadBooked{Shipments: both, Load: &freightv1.Load{Name: load, Carrier: "parties/CXAA", Charges: &freightv1.RatedCharges{}}})
	states("booked", workflowv1.Process_EXECUTING, workflowv1.Process_EXECUTING)
	w.delivered()
	w.proven()
	states("first stop delivered", workflowv1.Process_AUTHORIZING, workflowv1.Process_EXECUTING)
	w.authorized()
	w.invoiced()
	states("first order invoiced", workflowv1.Process_SETTLING, workflowv1.Process_EXECUTING)
	w.tell("billing", "freightBills/fbl_0", &billingv1.FreightBillExcepted{FreightBill: &billingv1.FreightBill{Name: "freightBills/fbl_0", Load: load, State: billingv1.FreightBill_EXCEPTION}})
	w.settle()
	list, err := w.core.api.ListWorkItems(w.ctx, &workflowv1.ListWorkItemsRequest{})
	w.must(err)
	if items := list.GetWorkItems(); len(items) != 1 || !slices.Equal(items[0].GetRelated(), []string{order, "po:08292233294", other, "po:HH-1017"}) {
		t.Errorf("work items %v, want one about both orders", items)
	}
	w.tell("billing", "freightBills/fbl_0", &billingv1.FreightBillApproved{FreightBill: &billingv1.FreightBill{Name: "freightBills/fbl_0", Load: load}})
	states("one bill for both", workflowv1.Process_ENDED, workflowv1.Process_EXECUTING)
	want := []string{"PlanShipment " + release + " 1 lines", "PlanShipment " + otherRelease + " 0 lines", "TenderLoad " + load, "TenderLoad " + load,
		"AuthorizeBilling " + shipment + " " + release, "IssueInvoice billingAuthorizations/aut_1"}
	if !slices.Equal(w.peer.calls, want) {
		t.Errorf("calls\n%q\nwant\n%q", w.peer.calls, want)
	}
	if items := w.openItems(); len(items) != 0 {
		t.Errorf("open work items %q, want none", items)
	}
}
