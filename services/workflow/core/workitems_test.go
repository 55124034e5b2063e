package core

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
)

// Every reason of the demonstration day with its team: one work item per cause, also when the cause is told again, and closed by
// the fact that takes it away where there is one.
func TestWorkItemsOfTheDay(t *testing.T) {
	interchange := &ediv1.Interchange{Name: "interchanges/edi_1"}
	set := func(code string) *ediv1.Interchange_TransactionSet {
		return &ediv1.Interchange_TransactionSet{Index: 1, Set: "214", ReasonCode: code, Reason: "in words"}
	}
	parked := func(code string) proto.Message {
		return &ediv1.MessageParked{Interchange: interchange, TransactionSet: set(code)}
	}
	reused := &ediv1.Interchange{Name: "interchanges/edi_2", ReasonCode: "CONTROL_NUMBER_REUSED", Reason: "000003438 with other content"}
	applied := &ediv1.MessageApplied{Interchange: interchange.GetName(), TransactionSet: set("")}
	unknownItem := &ordersv1.Hold{Kind: ordersv1.Hold_MASTER_DATA, Reason: "line 10: items/NS-TANK-40 is no known item", Fields: []string{"lines[0].item"}}
	unknownAddress := &ordersv1.Hold{Kind: ordersv1.Hold_MASTER_DATA, Reason: "no location", Fields: []string{"ship_to"}}
	excepted := func(state billingv1.FreightBill_State, rule string) proto.Message {
		return &billingv1.FreightBillExcepted{FreightBill: &billingv1.FreightBill{Name: "freightBills/fbl_1", Load: load, State: state,
			Findings: []*billingv1.FreightBill_Finding{{Rule: "A1", Passed: true}, {Rule: rule, Subject: "FUE", Detail: "13.83 over", Owner: "finance"}}}}
	}
	for _, x := range []struct {
		log   string
		cause proto.Message
		want  string
		gone  proto.Message // nil where a person closes it
	}{
		{"freight", &freightv1.TendersExhausted{Load: &freightv1.Load{Name: load}, Shipments: aboard()}, "TENDERS_EXHAUSTED operations " + load,
			&freightv1.LoadTendered{Load: &freightv1.Load{Name: load}, Shipments: aboard(), Tender: &freightv1.Tender{Name: "tenders/tnd_2"}}},
		{"freight", &freightv1.ProofOfDeliveryReceived{Shipment: aboard()[0], ProofOfDelivery: &freightv1.ProofOfDelivery{
			Name: "proofsOfDelivery/pod_1", Exceptions: []*freightv1.ProofOfDelivery_Exception{{Line: "10"}}}}, "DELIVERY_EXCEPTION operations " + shipment, nil},
		{"freight", &freightv1.ExceptionRaised{Shipment: aboard()[0], Reason: "FEED_SILENT", Detail: "no word for 16 h"}, "FEED_SILENT operations " + shipment,
			&freightv1.ExceptionCleared{Shipment: aboard()[0], Reason: "FEED_SILENT"}},
		{"orders", &ordersv1.OrderHeld{Order: order, CustomerOrderNumber: "PC-1012", Hold: unknownItem}, "ITEM_UNKNOWN masterdata " + order,
			&ordersv1.OrderHoldReleased{Order: order, Hold: unknownItem}},
		{"orders", &ordersv1.OrderHeld{Order: order, Hold: unknownAddress}, "ADDRESS_MISSING masterdata " + order, &ordersv1.OrderHoldReleased{Order: order, Hold: unknownAddress}},
		{"edi", parked("STATUS_CODE_UNKNOWN"), "STATUS_CODE_UNKNOWN integration interchanges/edi_1/sets/1", applied},
		{"edi", parked("REPLACE_WITHOUT_ORIGINAL"), "REPLACE_WITHOUT_ORIGINAL integration interchanges/edi_1/sets/1", nil},
		{"edi", &ediv1.MessageParked{Interchange: reused}, "CONTROL_NUMBER_REUSED integration interchanges/edi_2", nil},
		{"edi", &ediv1.MessageRejected{Interchange: interchange, TransactionSet: set("MESSAGE_REJECTED")}, "MESSAGE_REJECTED integration interchanges/edi_1/sets/1", nil},
		{"edi", &ediv1.AcknowledgementOverdue{Interchange: interchange}, "ACK_OVERDUE integration interchanges/edi_1",
			&ediv1.MessageAcknowledged{Interchange: interchange}},
		{"billing", excepted(billingv1.FreightBill_EXCEPTION, "A8"), "FREIGHT_BILL_OVER_TOLERANCE finance freightBills/fbl_1",
			&billingv1.FreightBillApproved{FreightBill: &billingv1.FreightBill{Name: "freightBills/fbl_1", Load: load}}},
		{"billing", excepted(billingv1.FreightBill_REJECTED, "A0"), "FREIGHT_BILL_REJECTED finance freightBills/fbl_1", nil},
		{"edi", stoppedTask(eventlogv1.Task_IN_DOUBT), "TASK_IN_DOUBT integration x", &eventlogv1.TaskReleased{Task: &eventlogv1.Task{}}},
		{"billing", stoppedTask(eventlogv1.Task_FAILED), "TASK_FAILED integration x", &eventlogv1.TaskReleased{Task: &eventlogv1.Task{}, Dropped: true}},
		{"freight", &eventlogv1.FactParked{ParkedFact: &eventlogv1.ParkedFact{Type: "OrderReleased", Reason: "no lane"}}, "FACT_PARKED integration x",
			&eventlogv1.FactReleased{}},
	} {
		t.Run(x.want, func(t *testing.T) {
			w := newWorld(t)
			for _, tell := range []func(){w.released, w.planned, w.tendered} {
				tell()
			}
			for range 2 {
				w.tell(x.log, "x", x.cause)
				w.settle()
				w.reopen()
			}
			if got := w.openItems(); !slices.Equal(got, []string{x.want}) {
				t.Errorf("open work items %q, want %q", got, x.want)
			}
			if x.gone == nil {
				return
			}
			w.tell(x.log, "x", x.gone)
			w.settle()
			all, err := w.core.api.ListWorkItems(w.ctx, &workflowv1.ListWorkItemsRequest{})
			w.must(err)
			if items := all.GetWorkItems(); len(items) != 1 || items[0].GetState() != workflowv1.WorkItem_CLOSED || items[0].GetClosedBy() != "service/workflow" {
				t.Errorf("work items %v, want the one, closed by the fact", items)
			}
		})
	}
}

func stoppedTask(state eventlogv1.Task_State) proto.Message {
	return &eventlogv1.TaskStopped{Task: &eventlogv1.Task{Kind: "send", State: state, LastError: "the partner may have it."}}
}

// A bill that leads to no load has its item until a person has decided on it; one that is disputed keeps it.
func TestDecisionsOnBills(t *testing.T) {
	for _, x := range []struct{ name, load, want string }{
		{"matched", load, "FREIGHT_BILL_OVER_TOLERANCE finance freightBills/fbl_1"}, {"unmatched", "", "FREIGHT_BILL_UNMATCHED finance freightBills/fbl_1"},
	} {
		bill := &billingv1.FreightBill{Name: "freightBills/fbl_1", Load: x.load, State: billingv1.FreightBill_EXCEPTION}
		for _, decision := range []proto.Message{&billingv1.FreightBillApproved{FreightBill: bill}, &billingv1.FreightBillRejected{FreightBill: bill}} {
			w := newWorld(t)
			w.released()
			w.planned()
			w.tell("billing", bill.GetName(), &billingv1.FreightBillExcepted{FreightBill: bill})
			w.tell("billing", bill.GetName(), &billingv1.DisputeOpened{FreightBill: bill})
			w.settle()
			if got := w.openItems(); !slices.Equal(got, []string{x.want}) {
				t.Errorf("%s: open work items %q, want %q", x.name, got, x.want)
			}
			w.tell("billing", bill.GetName(), decision)
			w.settle()
			if got := w.openItems(); len(got) != 0 {
				t.Errorf("%s, after %s: open work items %q, want none", x.name, decision.ProtoReflect().Descriptor().Name(), got)
			}
		}
	}
}

// Holds of two kinds are two causes: each has its item until it is released.
func TestHoldsOfTwoKinds(t *testing.T) {
	w := newWorld(t)
	credit := &ordersv1.Hold{Kind: ordersv1.Hold_CREDIT, Reason: "limit"}
	for _, h := range []*ordersv1.Hold{credit, {Kind: ordersv1.Hold_FRAUD, Reason: "address"}} {
		w.tell("orders", order, &ordersv1.OrderHeld{Order: order, Hold: h})
	}
	w.settle()
	got := w.openItems()
	slices.Sort(got)
	if want := []string{"CREDIT_HOLD finance " + order, "FRAUD_HOLD operations " + order}; !slices.Equal(got, want) {
		t.Errorf("open work items %q, want %q", got, want)
	}
	w.tell("orders", order, &ordersv1.OrderHoldReleased{Order: order, Hold: credit})
	w.settle()
	if want := []string{"FRAUD_HOLD operations " + order}; !slices.Equal(w.openItems(), want) {
		t.Errorf("open work items %q, want %q", w.openItems(), want)
	}
}
