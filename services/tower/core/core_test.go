package core_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/auth"
	"crossdock.dev/services/tower/core"
)

// Instants of the story in tests/day: the promise is Wednesday 17:00 in New York, the carrier delivers at 14:20.
var (
	promised  = time.Date(2026, 3, 4, 22, 0, 0, 0, time.UTC)
	respondBy = time.Date(2026, 3, 2, 16, 6, 0, 0, time.UTC)
	accepted  = time.Date(2026, 3, 2, 12, 30, 0, 0, time.UTC)
	pickup    = time.Date(2026, 3, 2, 21, 0, 0, 0, time.UTC)
	departed  = time.Date(2026, 3, 2, 22, 15, 0, 0, time.UTC)
	delivered = time.Date(2026, 3, 4, 19, 20, 0, 0, time.UTC)
	invoiced  = time.Date(2026, 3, 5, 14, 0, 0, 0, time.UTC)
)

const (
	orderName = "orders/ord_1"
	shipment  = "shipments/shp_1"
	load      = "loads/load_1"
)

// story tells what the services tell of one order: 12 at 3.50 and 3 at 0.335, each line rounded once, come to 43.01.
func (w *world) story() {
	w.t.Helper()
	party := func(name, display string) {
		w.tell("masterdata", morning, &masterdatav1.PartyChanged{Party: &masterdatav1.Party{Name: name, DisplayName: display}}, name)
	}
	party("parties/CUS-XYZ", "XYZ Retail <East> & Co")
	party("parties/CAR-CXBB", "Bay Lines")
	order := &ordersv1.Order{Name: orderName, CustomerOrderNumber: "08292233294", Customer: "parties/CUS-XYZ", CurrencyCode: "USD", Lines: []*ordersv1.OrderLine{
		{Line: "1", Quantity: &typev1.Quantity{Value: "12", Unit: "EA"}, UnitPrice: "3.50"},
		{Line: "2", Quantity: &typev1.Quantity{Value: "3", Unit: "EA"}, UnitPrice: "0.335"},
	}}
	po := []string{"parties/CUS-XYZ", "po:08292233294"}
	w.tell("orders", morning, &ordersv1.OrderCreated{Order: order}, orderName, po...)
	w.tell("orders", morning, &ordersv1.OrderConfirmed{Order: orderName, Promise: &ordersv1.Promise{DeliverBy: at(promised)}}, orderName, po...)
	release := &ordersv1.OrderRelease{Name: orderName + "/releases/1", Order: orderName}
	w.tell("orders", morning, &ordersv1.OrderReleased{Release: release}, orderName, append(po, release.Name)...)
	w.tell("workflow", morning, &workflowv1.ProcessAdvanced{Process: &workflowv1.Process{Name: "processes/prc_1", OrderRelease: release.Name, WaitsFor: "a plan"}}, "processes/prc_1", orderName)
	l := &freightv1.Load{Name: load, Number: "NL26030001", Carrier: "parties/CAR-CXBB", CarrierReference: "PRO77", Stops: []*freightv1.Stop{
		{Sequence: 1, Role: freightv1.Stop_PICKUP, WindowTo: at(pickup)}, {Sequence: 2, Role: freightv1.Stop_DELIVERY, WindowTo: at(promised)},
	}, Charges: &freightv1.RatedCharges{Total: usd(42524)}}
	s := &freightv1.Shipment{Name: shipment}
	about := []string{orderName, load, "load:NL26030001", "po:08292233294"}
	w.tell("freight", morning, &freightv1.ShipmentPlanned{Shipment: s, Load: l}, shipment, about...)
	tender := &freightv1.Tender{Name: "tenders/tnd_1", LoadNumber: "NL26030001", Scac: "CXBB", Rank: 1, RespondBy: at(respondBy)}
	w.tell("freight", morning, &freightv1.LoadTendered{Load: l, Tender: tender}, "tenders/tnd_1", append(about, shipment)...)
	w.tell("freight", accepted, &freightv1.LoadBooked{Load: l, Tender: tender}, load, append(about, shipment, "pro:PRO77")...)
	w.tell("freight", departed, &freightv1.ShipmentDeparted{Shipment: s, Occurred: at(departed)}, shipment, about...)
	w.tell("freight", delivered, &freightv1.ShipmentDelivered{Shipment: s, Occurred: at(delivered)}, shipment, about...)
	w.tell("freight", delivered, &freightv1.ProofOfDeliveryReceived{ProofOfDelivery: &freightv1.ProofOfDelivery{Name: "proofsOfDelivery/pod_1", Pieces: 314}, Shipment: s},
		"proofsOfDelivery/pod_1", append(about, shipment)...)
	w.tell("billing", invoiced, &billingv1.BillingAuthorized{BillingAuthorization: &billingv1.BillingAuthorization{Name: "billingAuthorizations/bau_1", Shipment: shipment}},
		"billingAuthorizations/bau_1", orderName, shipment)
	w.tell("billing", invoiced, &billingv1.InvoiceIssued{Invoice: &billingv1.Invoice{Name: "invoices/inv_1", Number: "NLS26-000001", Order: orderName, Shipment: shipment, Total: usd(4301)}},
		"invoices/inv_1", orderName, shipment, "invoice:NLS26-000001", "billingAuthorizations/bau_1")
	w.tell("workflow", invoiced, &workflowv1.ProcessEnded{Process: &workflowv1.Process{Name: "processes/prc_1", OrderRelease: release.Name}}, "processes/prc_1", orderName)
}

func (w *world) theCase() *towerv1.Case {
	w.t.Helper()
	c, err := w.tower.GetCase(w.t.Context(), &towerv1.GetCaseRequest{Name: "cases/ord_1"})
	w.must(err)
	return c
}

// explain returns the types of the facts that a reference leads to.
func (w *world) explain(reference string) []string {
	w.t.Helper()
	resp, err := w.tower.Explain(w.t.Context(), &towerv1.ExplainRequest{Reference: reference})
	if err != nil {
		w.t.Errorf("explain %s: %v", reference, err)
		return nil
	}
	var types []string
	for _, s := range resp.GetThreads()[0].GetSteps() {
		types = append(types, s.GetType())
	}
	return types
}

func TestCaseOfAnOrder(t *testing.T) {
	w := newWorld(t)
	w.story()
	check := func() {
		t.Helper()
		c := w.theCase()
		for _, f := range []struct {
			what      string
			got, want any
		}{
			{"number", c.GetCustomerOrderNumber(), "08292233294"}, {"customer", c.GetCustomer(), "parties/CUS-XYZ"}, {"carrier", c.GetCarrier(), "parties/CAR-CXBB"},
			{"load", c.GetLoadNumber(), "NL26030001"}, {"stage", c.GetStage(), towerv1.Case_SETTLED}, {"waits for", c.GetWaitsFor(), ""},
			{"goods", cents(c.GetOrderTotal()), int64(4301)}, {"freight", cents(c.GetFreightCost()), int64(42524)}, {"invoiced", cents(c.GetInvoicedTotal()), int64(4301)},
			{"invoice", c.GetInvoiceNumber(), "NLS26-000001"}, {"work items", c.GetOpenWorkItems(), int32(0)},
		} {
			if f.got != f.want {
				t.Errorf("%s: got %v, want %v", f.what, f.got, f.want)
			}
		}
		want := []string{"OrderCreated", "OrderConfirmed", "OrderReleased", "ProcessAdvanced", "ShipmentPlanned", "LoadTendered", "LoadBooked", "ShipmentDeparted",
			"ShipmentDelivered", "ProofOfDeliveryReceived", "BillingAuthorized", "InvoiceIssued", "ProcessEnded"}
		for _, reference := range []string{orderName, "ord_1", "08292233294", "po:08292233294", "NL26030001", "PRO77", "tnd_1", "shp_1", "NLS26-000001", " prc_1 "} {
			if got := w.explain(reference); !slices.Equal(got, want) {
				t.Errorf("explain %s: got %v, want %v", reference, got, want)
			}
		}
	}
	check()
	w.restart()
	w.drive()
	check()
	if _, err := w.tower.GetCase(t.Context(), &towerv1.GetCaseRequest{Name: "cases/ord_2"}); status.Code(err) != codes.NotFound {
		t.Errorf("a case that is not there: %v, want NOT_FOUND", err)
	}
	if _, err := w.tower.Explain(t.Context(), &towerv1.ExplainRequest{Reference: "nobody knows"}); status.Code(err) != codes.NotFound {
		t.Errorf("a reference that leads nowhere: %v, want NOT_FOUND", err)
	}
}

func cents(m *money.Money) int64 { return m.GetUnits()*100 + int64(m.GetNanos())/10_000_000 }

// Facts of different services come in any order, and the same thing may be told twice: the stage never goes back, and what is
// counted is counted once.
func TestOrderOfFactsDoesNotMatter(t *testing.T) {
	w := newWorld(t)
	invoice := &billingv1.InvoiceIssued{Invoice: &billingv1.Invoice{Name: "invoices/inv_1", Number: "NLS26-000001", Shipment: shipment, Total: usd(4301)}}
	item := &workflowv1.WorkItemOpened{WorkItem: &workflowv1.WorkItem{Name: "workItems/wi_1", Reason: "FEED_SILENT", Owner: "freight"}}
	w.tell("billing", invoiced, invoice, "invoices/inv_1", orderName)
	w.tell("billing", invoiced, invoice, "invoices/inv_1", orderName)
	w.tell("workflow", invoiced, item, "workItems/wi_1", orderName)
	w.tell("workflow", invoiced, item, "workItems/wi_1", orderName)
	w.tell("freight", invoiced, &freightv1.ShipmentDeparted{Shipment: &freightv1.Shipment{Name: shipment}, Occurred: at(departed)}, shipment, orderName)
	w.tell("orders", invoiced, &ordersv1.OrderCreated{Order: &ordersv1.Order{Name: orderName, CustomerOrderNumber: "PO-1", Customer: "parties/CUS-XYZ"}}, orderName)
	c := w.theCase()
	if c.GetStage() != towerv1.Case_INVOICED || cents(c.GetInvoicedTotal()) != 4301 || c.GetOpenWorkItems() != 1 || c.GetCustomerOrderNumber() != "PO-1" {
		t.Errorf("got %v, %v invoiced, %d work items, number %q; want INVOICED, 43.01 once, 1, PO-1", c.GetStage(), c.GetInvoicedTotal(), c.GetOpenWorkItems(), c.GetCustomerOrderNumber())
	}
	w.tell("workflow", invoiced, &workflowv1.WorkItemClosed{WorkItem: item.WorkItem}, "workItems/wi_1", orderName)
	if n := w.theCase().GetOpenWorkItems(); n != 0 {
		t.Errorf("%d work items after it was closed, want none", n)
	}
	w.tell("orders", invoiced, &ordersv1.OrderCancelled{Order: orderName, Reason: "no longer needed"}, orderName)
	if got := w.theCase().GetStage(); got != towerv1.Case_CANCELLED {
		t.Errorf("stage %v after the cancellation, want CANCELLED", got)
	}
}

// A fact of a later version stands in the thread under its type, without words, and stops nobody behind it.
func TestUnknownFact(t *testing.T) {
	w := newWorld(t)
	w.tell("freight", morning, wrapperspb.String("of a later version"), load, orderName)
	w.tell("freight", departed, &freightv1.ShipmentDeparted{Shipment: &freightv1.Shipment{Name: shipment}, Occurred: at(departed)}, shipment, orderName)
	if got, want := w.explain("ord_1"), []string{"StringValue", "ShipmentDeparted"}; !slices.Equal(got, want) {
		t.Errorf("facts %v, want %v", got, want)
	}
	if code, _, body := w.get("/v1/cases/ord_1"); code != http.StatusOK || !strings.Contains(body, "StringValue") {
		t.Errorf("page: %d, names the unknown fact: %v", code, strings.Contains(body, "StringValue"))
	}
}

func TestListCases(t *testing.T) {
	w := newWorld(t)
	for n := range 5 {
		name := fmt.Sprintf("orders/ord_%d", n)
		w.tell("orders", morning, &ordersv1.OrderCreated{Order: &ordersv1.Order{Name: name, CustomerOrderNumber: fmt.Sprint("PO-", n)}}, name)
	}
	var got []string
	req := &towerv1.ListCasesRequest{PageSize: 2}
	for {
		resp, err := w.tower.ListCases(t.Context(), req)
		w.must(err)
		for _, c := range resp.GetCases() {
			got = append(got, c.GetName())
		}
		if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	if want := []string{"cases/ord_4", "cases/ord_3", "cases/ord_2", "cases/ord_1", "cases/ord_0"}; !slices.Equal(got, want) {
		t.Errorf("cases %v, want newest first: %v", got, want)
	}
	if _, err := w.tower.ListCases(t.Context(), &towerv1.ListCasesRequest{PageToken: "made up"}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a token that was not given out: %v, want INVALID_ARGUMENT", err)
	}
}

// Explain answers only when the feeds have been read as far as the caller knows them.
func TestExplainWaits(t *testing.T) {
	w := newWorld(t)
	w.story()
	ahead := &eventlogv1.Position{Log: "freight", Epoch: 1, Sequence: 1000}
	_, err := w.tower.Explain(t.Context(), &towerv1.ExplainRequest{Reference: "ord_1", WaitFor: []*eventlogv1.Position{ahead}})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("explain as of a position that was not read: %v, want UNAVAILABLE", err)
	}
}

func TestCheckInvariants(t *testing.T) {
	w := newWorld(t)
	w.story()
	breaches := func() []string {
		t.Helper()
		report, err := w.tower.CheckInvariants(t.Context(), &towerv1.CheckInvariantsRequest{})
		w.must(err)
		var out []string
		for _, b := range report.GetBreaches() {
			out = append(out, b.GetInvariant()+" "+b.GetDetail())
		}
		return out
	}
	if got := breaches(); len(got) > 0 {
		t.Errorf("breaches of a whole suite: %q", got)
	}
	w.peers["billing"].consumers = []*eventlogv1.Consumer{{Name: "consumers/freight", Read: 10, Applied: 7, Ignored: 2}}
	w.peers["edi"].counts = []*ediv1.MessageCount{
		{Party: "parties/CUS-XYZ", Set: "850", Received: 2, Applied: 1, Duplicate: 1}, {Party: "parties/CAR-CXBB", Set: "214", Received: 4, Applied: 3},
	}
	w.tell("billing", invoiced, &billingv1.BillingAuthorized{BillingAuthorization: &billingv1.BillingAuthorization{Name: "billingAuthorizations/bau_2", Shipment: "shipments/shp_2"}},
		"billingAuthorizations/bau_2", orderName, "shipments/shp_2")
	want := []string{"I2 consumers/freight", "I3 parties/CAR-CXBB 214", "I5 cases/ord_1: billing of shipments/shp_2", "I8 cases/ord_1 refers to shipments/shp_2"}
	got := breaches()
	for i, prefix := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], prefix) {
			t.Errorf("breaches %q, want four that begin with %q", got, want)
			break
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d breaches, want %d: %q", len(got), len(want), got)
	}
}

// The tower is for people of the enterprise: neither another service nor a partner, whatever token it holds, may ask it.
func TestOnlyPeopleMayAsk(t *testing.T) {
	w := newWorld(t)
	w.story()
	token := w.server.Token(auth.Token{Service: core.Service, KeyID: "key-1", Party: "parties/CUS-XYZ", Scopes: []string{"tower.read"}, Method: "GET", Path: "/v1/cases"})
	for who, conn := range map[string]towerv1.TowerServiceClient{
		"workflow": towerv1.NewTowerServiceClient(w.server.As("workflow")), "the edge": towerv1.NewTowerServiceClient(w.server.As("edge")),
	} {
		if _, err := conn.GetCase(t.Context(), &towerv1.GetCaseRequest{Name: "cases/ord_1"}); status.Code(err) != codes.PermissionDenied {
			t.Errorf("%s: %v, want PERMISSION_DENIED", who, err)
		}
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
		if _, err := conn.GetCase(ctx, &towerv1.GetCaseRequest{Name: "cases/ord_1"}); status.Code(err) != codes.PermissionDenied && status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s with a partner's token: %v, want a refusal", who, err)
		}
	}
}

// What happened after release, in words that people read on the page and in crossdock explain.
func TestFactsInWords(t *testing.T) {
	w := newWorld(t)
	s, l := &freightv1.Shipment{Name: shipment}, &freightv1.Load{Name: load, Number: "NL26030001", Charges: &freightv1.RatedCharges{Total: usd(15000)}}
	tender := &freightv1.Tender{LoadNumber: "NL26030001", Scac: "CXBB"}
	det := func(total int64) *typev1.Charge { return &typev1.Charge{Code: "DET", Amount: usd(total)} }
	bill := func(state billingv1.FreightBill_State, code, reason string) *billingv1.FreightBill {
		return &billingv1.FreightBill{InvoiceNumber: "CXBB-9014", Total: usd(42524), State: state, Decisions: []*billingv1.FreightBill_Decision{
			{Reason: "an earlier one"}, {DisputeCode: code, Reason: reason},
		}}
	}
	for _, c := range []struct {
		log     string
		payload proto.Message
		want    string
	}{
		{"orders", &ordersv1.OrderCancellationRequested{Order: orderName, Customer: "parties/CUS-XYZ", Reason: "store closed"}, "CUS-XYZ wants it cancelled: store closed"},
		{"orders", &ordersv1.OrderCancellationRefused{Order: orderName}, "too late to be cancelled, part of it has left"},
		{"freight", &freightv1.TenderWithdrawn{Tender: tender}, "the offer of load NL26030001 to CXBB is taken back"},
		{"freight", &freightv1.LoadCancelled{Load: l, Reason: "store closed"}, "load NL26030001 called off: store closed, owed all the same 150.00 USD"},
		{"freight", &freightv1.AccessorialProven{Load: l, Charge: det(9000), Stop: 2, Evidence: "unloading took 3 h"}, "DET of 90.00 USD at stop 2 proven: unloading took 3 h"},
		{"freight", &freightv1.AccessorialProven{Load: l, Charge: det(0), Stop: 2, Evidence: "corrected"}, "DET at stop 2 is not owed after all: corrected"},
		{"freight", &freightv1.EtaChanged{Shipment: s, Estimate: at(promised), Confidence: freightv1.Confidence_LOW, Reasons: []string{"FEED_SILENT"}},
			"estimated for Wed 2026-03-04 17:00 EST, confidence low (FEED_SILENT)"},
		{"freight", &freightv1.EtaChanged{Shipment: s, Confidence: freightv1.Confidence_NONE}, "no estimate beside the promise, confidence none"},
		{"freight", &freightv1.ExceptionRaised{Shipment: s, Reason: "FEED_SILENT", Detail: "nothing heard for a day"}, "needs a look, FEED_SILENT: nothing heard for a day"},
		{"billing", &billingv1.AccrualReversed{Accrual: &billingv1.Accrual{Charge: &typev1.Charge{Code: "FUE", Amount: usd(9202)}}}, "92.02 USD for FUE is expected no more"},
		{"billing", &billingv1.DisputeOpened{FreightBill: bill(billingv1.FreightBill_DISPUTED, "46", "not our load")}, "bill CXBB-9014 over 425.24 USD disputed, code 46: not our load"},
		{"billing", &billingv1.DisputeResolved{FreightBill: bill(billingv1.FreightBill_APPROVED, "", "they were right")}, "dispute of bill CXBB-9014 is over, APPROVED: they were right"},
		{"billing", &billingv1.FreightBillRejected{FreightBill: bill(billingv1.FreightBill_REJECTED, "", "billed twice")}, "bill CXBB-9014 over 425.24 USD refused: billed twice"},
		{"freight", &freightv1.ExceptionCleared{Shipment: s, Reason: "FEED_SILENT"}, "right again: FEED_SILENT"},
	} {
		w.tell(c.log, departed, c.payload, shipment, orderName)
		resp, err := w.tower.Explain(t.Context(), &towerv1.ExplainRequest{Reference: "ord_1"})
		w.must(err)
		steps := resp.GetThreads()[0].GetSteps()
		if got := steps[len(steps)-1].GetSummary(); got != c.want {
			t.Errorf("%T: %q, want %q", c.payload, got, c.want)
		}
		if _, _, body := w.get("/v1/cases/ord_1"); !strings.Contains(body, c.want) {
			t.Errorf("the page does not say %q", c.want)
		}
	}
}
