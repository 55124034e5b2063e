package core_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/rpcerr"
)

// ask explains a reference.
func (w *world) ask(reference, amount string) *towerv1.ExplainResponse {
	w.t.Helper()
	resp, err := w.tower.Explain(w.t.Context(), &towerv1.ExplainRequest{Reference: reference, Amount: amount})
	w.must(err)
	return resp
}

// found are the numbers of the orders that a reference leads to.
func (w *world) found(reference string) []string {
	w.t.Helper()
	var out []string
	for _, t := range w.ask(reference, "").GetThreads() {
		out = append(out, t.GetCase().GetCustomerOrderNumber())
	}
	slices.Sort(out)
	return out
}

// waits are what the case waits for, in words.
func (w *world) waits(reference string) []string {
	w.t.Helper()
	out := []string{}
	for _, wait := range w.ask(reference, "").GetThreads()[0].GetWaits() {
		text := wait.GetKind().String() + " " + wait.GetText()
		if wait.GetUntil() != nil {
			text += " until " + wait.GetUntil().AsTime().Format("02 15:04")
		}
		if wait.GetOverdue() {
			text += " overdue"
		}
		out = append(out, text)
	}
	return out
}

// What begins a wait is told until what ends it is, soonest limit first, and is overdue once its limit has passed.
func TestWaits(t *testing.T) {
	w := newWorld(t)
	l := &freightv1.Load{Name: load, Number: "NL26030001"}
	tender := &freightv1.Tender{Name: "tenders/tnd_1", Load: load, LoadNumber: "NL26030001", Carrier: "parties/CAR-CXBB", Scac: "CXBB", Rank: 1, RespondBy: at(respondBy)}
	process := &workflowv1.Process{Name: "processes/prc_1", WaitsFor: "an answer of CXBB", WaitsUntil: timestamppb.New(respondBy)}
	item := &workflowv1.WorkItem{Name: "workItems/wki_1", Reason: "CREDIT_HOLD", Owner: "finance", Detail: "the limit is passed"}
	hold := &ordersv1.Hold{Kind: ordersv1.Hold_CREDIT, Reason: "the limit is passed"}
	sent := &ediv1.Interchange{Name: "interchanges/edi_1", Direction: ediv1.Interchange_OUTBOUND, Party: "parties/CAR-CXBB", FileName: "204.edi", AcknowledgeBy: timestamppb.New(pickup)}
	w.tell("orders", morning, &ordersv1.OrderConfirmed{Order: orderName, Promise: &ordersv1.Promise{DeliverBy: at(promised)}}, orderName, "po:08292233294")
	w.tell("orders", morning, &ordersv1.OrderHeld{Order: orderName, Hold: hold}, orderName)
	w.tell("workflow", morning, &workflowv1.WorkItemOpened{WorkItem: item}, item.GetName(), orderName)
	w.tell("workflow", morning, &workflowv1.ProcessAdvanced{Process: process}, process.GetName(), orderName)
	w.tell("freight", morning, &freightv1.LoadTendered{Load: l, Tender: tender}, load, orderName, tender.GetName(), "load:NL26030001")
	w.tell("edi", morning, &ediv1.MessageSent{Interchange: sent}, sent.GetName(), orderName)
	want := []string{
		"TENDER CXBB's answer to the offer of load NL26030001, rank 1 until 02 16:06", "PROCESS an answer of CXBB until 02 16:06",
		"ACKNOWLEDGEMENT CAR-CXBB's acknowledgement of 204.edi until 02 21:00", "PROMISE delivery, as promised until 04 22:00",
		"HOLD hold CREDIT: the limit is passed", "WORK_ITEM CREDIT_HOLD: the limit is passed",
	}
	sorted := func(list []string) []string { list = slices.Clone(list); slices.Sort(list); return list }
	if got := w.waits("08292233294"); !slices.Equal(sorted(got), sorted(want)) || !slices.Equal(got[2:4], want[2:4]) {
		t.Errorf("got %q, want %q", got, want)
	}
	w.clock.Set(respondBy.Add(time.Minute))
	if got := w.waits("tnd_1"); len(got) != 6 || !strings.HasSuffix(got[0], " overdue") || !strings.HasSuffix(got[1], " overdue") || strings.HasSuffix(got[2], " overdue") {
		t.Errorf("a minute after the respond-by time: got %q, want the first two overdue", got)
	}
	// What ends it.
	w.tell("freight", pickup, &freightv1.TenderDeclined{Tender: tender}, tender.GetName(), orderName)
	w.tell("workflow", pickup, &workflowv1.ProcessEnded{Process: process}, process.GetName(), orderName)
	w.tell("workflow", pickup, &workflowv1.WorkItemClosed{WorkItem: item}, item.GetName(), orderName)
	w.tell("orders", pickup, &ordersv1.OrderHoldReleased{Order: orderName, Hold: hold}, orderName)
	w.tell("edi", pickup, &ediv1.MessageAcknowledged{Interchange: sent, AcknowledgedBy: "interchanges/edi_2"}, sent.GetName(), orderName)
	w.tell("orders", delivered, &ordersv1.CommitmentChanged{Order: orderName, Fulfilment: ordersv1.Order_DELIVERED, Promise: &ordersv1.Promise{DeliverBy: at(promised)}}, orderName)
	if got := w.waits("08292233294"); len(got) > 0 {
		t.Errorf("when all is done: got %q, want nothing", got)
	}
	// A carrier that is silent, and a message that waits for a meaning.
	s := &freightv1.Shipment{Name: shipment}
	parked := &ediv1.MessageParked{Interchange: &ediv1.Interchange{Name: "interchanges/edi_3", Party: "parties/CAR-CXBB", ControlNumber: "000000013"},
		TransactionSet: &ediv1.Interchange_TransactionSet{Index: 1, Set: "214", ReasonCode: "STATUS_CODE_UNKNOWN", Reason: "no code map says what LY means"}}
	w.tell("freight", delivered, &freightv1.ExceptionRaised{Shipment: s, Reason: "FEED_SILENT", Detail: "no word"}, shipment, orderName)
	w.tell("edi", invoiced, parked, "interchanges/edi_3/sets/1", orderName)
	want = []string{"EXCEPTION FEED_SILENT: no word", "PARKED_MESSAGE 214 000000013 of CAR-CXBB is parked, STATUS_CODE_UNKNOWN: no code map says what LY means"}
	if got := w.waits("08292233294"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	w.tell("freight", invoiced, &freightv1.ExceptionCleared{Shipment: s, Reason: "FEED_SILENT"}, shipment, orderName)
	w.tell("edi", invoiced, &ediv1.MessageApplied{Interchange: "interchanges/edi_3", TransactionSet: &ediv1.Interchange_TransactionSet{Index: 1, Set: "214"}}, "interchanges/edi_3/sets/1", orderName)
	if got := w.waits("08292233294"); len(got) > 0 {
		t.Errorf("when both are over: got %q, want nothing", got)
	}
}

// What waits inside the services is told of the case that it is about; a service that does not answer is named.
func TestPending(t *testing.T) {
	w := newWorld(t)
	w.story()
	w.peers["freight"].parked = []*eventlogv1.ParkedFact{
		{Name: "consumers/orders/parkedFacts/2a-0", Type: "OrderReleased", Subject: orderName, Reason: "no lane", Position: &eventlogv1.Position{Log: "orders", Sequence: 42}},
		{Name: "consumers/orders/parkedFacts/2b-0", Type: "OrderReleased", Subject: "orders/ord_2", Reason: "no lane"},
	}
	w.peers["workflow"].tasks = []*eventlogv1.Task{
		{Name: "tasks/t1", Kind: "freight.plan", Subject: "processes/prc_1", State: eventlogv1.Task_PENDING, Attempts: 3, LastError: "freight is down"},
		{Name: "tasks/t2", Kind: "timer", Subject: "processes/prc_1", State: eventlogv1.Task_PENDING},
		{Name: "tasks/t3", Kind: "freight.plan", Subject: "processes/prc_2", State: eventlogv1.Task_FAILED, LastError: "no lane"},
	}
	w.peers["billing"].silent = true
	want := []string{"PARKED_FACT freight could not apply OrderReleased of orders/42: no lane", "TASK freight.plan is tried again, 3 times so far: freight is down"}
	var got []string
	for _, wait := range w.waits("08292233294") {
		if !strings.HasPrefix(wait, "PROMISE") { // the story tells no CommitmentChanged
			got = append(got, wait)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if unasked := w.ask("ord_1", "").GetUnasked(); !slices.Equal(unasked, []string{"billing"}) {
		t.Errorf("unasked %q, want billing", unasked)
	}
}

// Upper and lower case are one, and a beginning does where it leads to one case; what is only alike is named.
func TestFindByLooks(t *testing.T) {
	w := newWorld(t)
	order := func(id, number, customer string) {
		name := "orders/" + id
		w.tell("orders", morning, &ordersv1.OrderCreated{Order: &ordersv1.Order{Name: name, CustomerOrderNumber: number, Customer: customer}}, name, "po:"+number, customer)
	}
	order("ord_1", "HH-1013", "parties/CUS-HHS")
	order("ord_2", "PC-2001", "parties/CUS-PIN")
	order("ord_3", "PC-2002", "parties/CUS-PIN")
	order("ord_4", "TWICE-1", "parties/CUS-PIN")
	order("ord_5", "TWICE-1", "parties/CUS-HHS")
	for reference, want := range map[string][]string{
		"HH-1013": {"HH-1013"}, "hh-1013": {"HH-1013"}, "HH-10": {"HH-1013"}, "ORD_2": {"PC-2001"}, " PC-2001 ": {"PC-2001"}, "twice-1": {"TWICE-1", "TWICE-1"},
	} {
		if got := w.found(reference); !slices.Equal(got, want) {
			t.Errorf("%q leads to %q, want %q", reference, got, want)
		}
	}
	if got := w.ask("hh-10", "").GetReference(); got != "HH-1013" {
		t.Errorf("hh-10 is taken for %q, want HH-1013", got)
	}
	for reference, want := range map[string]string{"HH-1O13": "HH-1013", "PC-200": "PC-2001, PC-2002", "PC-2003": "PC-2001, PC-2002", "HH": "", "XX-1013": ""} {
		_, err := w.tower.Explain(t.Context(), &towerv1.ExplainRequest{Reference: reference})
		if near := rpcerr.From(err).Metadata["near"]; status.Code(err) != codes.NotFound || near != want {
			t.Errorf("%s: %v, near %q; want NOT_FOUND, near %q", reference, err, near, want)
		}
	}
	for i := range 120 {
		order(fmt.Sprintf("ord_x%d", i), fmt.Sprintf("MANY-%03d", i), "parties/CUS-PIN")
	}
	_, err := w.tower.Explain(t.Context(), &towerv1.ExplainRequest{Reference: "MANY-"})
	if near := rpcerr.From(err).Metadata["near"]; near != "MANY-000, MANY-001, MANY-002, MANY-003, MANY-004" {
		t.Errorf("MANY-: %v, near %q; want NOT_FOUND, near the first five", err, near)
	}
	for _, thread := range w.ask("TWICE-1", "").GetThreads() {
		if len(thread.GetSteps()) != 1 || thread.GetSteps()[0].GetSubject() != thread.GetCase().GetOrder() {
			t.Errorf("%s has the steps %v, want its own order alone", thread.GetCase().GetName(), thread.GetSteps())
		}
	}
}

// Two orders on one load share the load, its carrier's numbers and its costs, and nothing else.
func TestSharedLoad(t *testing.T) {
	w := newWorld(t)
	var aboard []*freightv1.Shipment
	for i, po := range []string{"HH-1017", "PC-1017"} {
		order, name := fmt.Sprintf("orders/ord_%d", i+1), fmt.Sprintf("shipments/shp_%d", i+1)
		s := &freightv1.Shipment{Name: name, Order: order, CustomerOrderNumber: po}
		aboard = append(aboard, s)
		w.tell("orders", morning, &ordersv1.OrderCreated{Order: &ordersv1.Order{Name: order, CustomerOrderNumber: po}}, order, "po:"+po)
		w.tell("freight", morning, &freightv1.ShipmentPlanned{Shipment: s, Load: &freightv1.Load{Name: load, Number: "NL26030030"}}, name, order, "po:"+po, load, "load:NL26030030")
	}
	charge := func(cents int64) []*typev1.Charge { return []*typev1.Charge{{Code: "FUE", Amount: usd(cents)}} }
	// The day's fuel of 204.63: 81.85 and 122.78 by weight.
	l := &freightv1.Load{Name: load, Number: "NL26030030", Carrier: "parties/CAR-CXAA", Charges: &freightv1.RatedCharges{
		Charges: charge(20463), Total: usd(20463), Allocations: []*freightv1.Allocation{
			{Shipment: "shipments/shp_1", Charges: charge(12278), Total: usd(12278)}, {Shipment: "shipments/shp_2", Charges: charge(8185), Total: usd(8185)},
		},
		Explanation: &typev1.Explanation{Label: "freight", Value: "204.63 USD", Children: []*typev1.Explanation{{Label: "FUE", Value: "204.63 USD", Rule: "359 × 0.57"}}},
	}}
	w.tell("freight", accepted, &freightv1.LoadBooked{Load: l, Shipments: aboard}, load, "orders/ord_1", "po:HH-1017", "shipments/shp_1", "orders/ord_2", "po:PC-1017", "shipments/shp_2",
		"load:NL26030030", "pro:CXA6030030")
	for reference, want := range map[string][]string{
		"HH-1017": {"HH-1017"}, "PC-1017": {"PC-1017"}, "shp_2": {"PC-1017"}, "NL26030030": {"HH-1017", "PC-1017"}, "CXA6030030": {"HH-1017", "PC-1017"},
	} {
		if got := w.found(reference); !slices.Equal(got, want) {
			t.Errorf("%s leads to %q, want %q", reference, got, want)
		}
	}
	for po, want := range map[string]int64{"HH-1017": 12278, "PC-1017": 8185} {
		thread := w.ask(po, "fue").GetThreads()[0]
		if got := cents(thread.GetCase().GetFreightCost()); got != want {
			t.Errorf("%s: freight %d cents, want %d", po, got, want)
		}
		for _, s := range thread.GetSteps() {
			if slices.Contains([]string{"OrderCreated", "ShipmentPlanned"}, s.GetType()) && !strings.Contains(s.GetSummary()+s.GetSubject(), po) && strings.HasSuffix(s.GetSubject(), "1") != (po == "HH-1017") {
				t.Errorf("%s has %s of %s, which is the other's", po, s.GetType(), s.GetSubject())
			}
		}
		for _, a := range thread.GetAmounts() {
			if (a.GetKey() == "freight.FUE") != (a.GetReason() != nil) {
				t.Errorf("%s: %s has the tree %v; only FUE was asked for", po, a.GetKey(), a.GetReason())
			}
			if cents(a.GetValue()) != want && strings.HasPrefix(a.GetKey(), "freight") {
				t.Errorf("%s: %s is %v, want %d cents", po, a.GetKey(), a.GetValue(), want)
			}
		}
	}
	// Called off, it costs what is owed all the same: nothing here.
	w.tell("freight", pickup, &freightv1.LoadCancelled{Load: &freightv1.Load{Name: load, Number: "NL26030030"}, Shipments: aboard}, load, "orders/ord_1", "orders/ord_2")
	if got := w.ask("HH-1017", "").GetThreads()[0].GetCase().GetFreightCost(); got != nil {
		t.Errorf("called off: freight %v, want none", got)
	}
}

// An order of a thousand lines is larger than a record; each of its lines is explained all the same, from its own segment.
func TestLargeOrder(t *testing.T) {
	w := newWorld(t)
	order := &ordersv1.Order{Name: orderName, CustomerOrderNumber: "BIG", CurrencyCode: "USD"}
	for i := range 1000 {
		order.Lines = append(order.Lines, &ordersv1.OrderLine{Line: fmt.Sprint(i + 1), Item: "items/A", Quantity: &typev1.Quantity{Value: "2", Unit: "EA"}, UnitPrice: "1.50",
			Description: strings.Repeat("x", 200)})
	}
	w.tell("orders", morning, &ordersv1.OrderCreated{Order: order}, orderName, "po:BIG")
	amounts := w.ask("BIG", "goods.1000").GetThreads()[0].GetAmounts()
	if len(amounts) != 1001 || cents(amounts[0].GetValue()) != 300000 {
		t.Fatalf("got %d figures, the first %v; want 1001, 3000.00", len(amounts), amounts[0].GetValue())
	}
	if last := amounts[1000]; last.GetReason().GetRule() != "2 × 1.50, rounded half-up" || last.GetReason().GetSources()[0].GetCall() != nil {
		t.Errorf("line 1000: %v; want 2 × 1.50, brought by no call from outside", last)
	}
}
