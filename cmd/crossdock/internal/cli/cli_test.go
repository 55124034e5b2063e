package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/date"
	moneypb "google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"crossdock.dev/cmd/crossdock/internal/cli"
	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	edgev1 "crossdock.dev/gen/crossdock/edge/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/platformtest/golden"
	"crossdock.dev/platform/rpcerr"
)

const (
	orderID = "ord_01kjp3v9zre6f8t1q5m2c7x4an"
	order2  = "ord_01kjp3v9zre6f8t1q5m2c7x4bn"
	loadID  = "load_01kjp3v9zre6f8t1q5m2c7x4an"
)

func at(s string) *timestamppb.Timestamp {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return timestamppb.New(t)
}

func usd(units int64, cents int32) *moneypb.Money {
	return &moneypb.Money{CurrencyCode: "USD", Units: units, Nanos: cents * 10_000_000}
}

func local(s string) *typev1.EventTime {
	return &typev1.EventTime{Time: at(s), Zone: "America/New_York", Rule: typev1.EventTime_LOCAL_TO_PLACE}
}

// fakeOrders knows two orders with one number, as two customers may have.
type fakeOrders struct {
	ordersv1.OrderServiceServer
	got *ordersv1.ListOrdersRequest
}

func anOrder(id, po, customer string) *ordersv1.Order {
	return &ordersv1.Order{
		Name: "orders/" + id, CustomerOrderNumber: po, Customer: customer, Mode: "LTL", Commercial: ordersv1.Order_CONFIRMED,
		Release: ordersv1.Order_PARTLY_RELEASED, Fulfilment: ordersv1.Order_OPEN, Billing: ordersv1.Order_NOT_BILLABLE,
		OrderDate: &date.Date{Year: 2026, Month: 3, Day: 2}, StatedTotal: usd(13045, 94),
		Promise: &ordersv1.Promise{DeliverBy: local("2026-03-04T22:00:00Z")},
		Holds:   []*ordersv1.Hold{{Kind: ordersv1.Hold_CREDIT}},
		Lines: []*ordersv1.OrderLine{
			{Line: "1", Item: "items/AB3542", Quantity: &typev1.Quantity{Value: "120", Unit: "EA"}, ExternalIds: []*typev1.ExternalId{
				{System: "x12", Kind: "item", Qualifier: "CB", Value: "065322-117"}, {System: "x12", Kind: "item", Qualifier: "VN", Value: "AB3542"}},
				Quantities: &ordersv1.LineQuantities{Ordered: "120", Released: "100", Unreleased: "20", Lost: "0"}},
			{Line: "2", Item: "items/RD5322", Quantity: &typev1.Quantity{Value: "220", Unit: "EA"},
				Quantities: &ordersv1.LineQuantities{Ordered: "220", Released: "220", Unreleased: "0", Lost: "0"}},
		},
	}
}

func (f *fakeOrders) ListOrders(_ context.Context, req *ordersv1.ListOrdersRequest) (*ordersv1.ListOrdersResponse, error) {
	f.got = proto.CloneOf(req)
	all := []*ordersv1.Order{anOrder(orderID, "08292233294", "parties/CUS-XYZ"), anOrder(order2, "PC-1016", "parties/CUS-PIN"), anOrder(orderID, "PC-1016", "parties/CUS-XYZ")}
	var out []*ordersv1.Order
	for _, o := range all {
		if req.GetCustomerOrderNumber() == "" || o.GetCustomerOrderNumber() == req.GetCustomerOrderNumber() {
			out = append(out, o)
		}
	}
	if req.GetCustomer() == "parties/CUS-NONE" {
		out = nil
	}
	// One order a page, to see that all pages are read.
	i := 0
	if req.GetPageToken() != "" {
		i = int(req.GetPageToken()[0] - '0')
	}
	if i >= len(out) {
		return &ordersv1.ListOrdersResponse{}, nil
	}
	resp := &ordersv1.ListOrdersResponse{Orders: out[i : i+1]}
	if i+1 < len(out) {
		resp.NextPageToken = string(rune('0' + i + 1))
	}
	return resp, nil
}

func (f *fakeOrders) GetOrder(_ context.Context, req *ordersv1.GetOrderRequest) (*ordersv1.Order, error) {
	if req.GetName() != "orders/"+orderID {
		return nil, rpcerr.NotFound(req.GetName())
	}
	return anOrder(orderID, "08292233294", "parties/CUS-XYZ"), nil
}

type fakeFreight struct {
	freightv1.FreightServiceServer
	order string
}

func (f *fakeFreight) ListLoads(context.Context, *freightv1.ListLoadsRequest) (*freightv1.ListLoadsResponse, error) {
	return &freightv1.ListLoadsResponse{Loads: []*freightv1.Load{{
		Name: "loads/" + loadID, Number: "NL26030001", Mode: "LTL", State: freightv1.Load_BOOKED, Carrier: "parties/CAR-CXBB", CarrierReference: "CXBB123",
		GrossWeight: &typev1.Quantity{Value: "3156", Unit: "LBR"}, ShipDate: &date.Date{Year: 2026, Month: 3, Day: 3},
		Charges: &freightv1.RatedCharges{Total: usd(425, 24)},
	}}}, nil
}

func (f *fakeFreight) ListShipments(_ context.Context, req *freightv1.ListShipmentsRequest) (*freightv1.ListShipmentsResponse, error) {
	f.order = req.GetOrder()
	return &freightv1.ListShipmentsResponse{}, nil
}

type fakeBilling struct{ billingv1.BillingServiceServer }

func (fakeBilling) ListInvoices(context.Context, *billingv1.ListInvoicesRequest) (*billingv1.ListInvoicesResponse, error) {
	return &billingv1.ListInvoicesResponse{Invoices: []*billingv1.Invoice{anInvoice()}}, nil
}

func anInvoice() *billingv1.Invoice {
	return &billingv1.Invoice{
		Name: "invoices/inv_01kjp3v9zre6f8t1q5m2c7x4an", Number: "NLS26-000001", State: billingv1.Invoice_ISSUED, Customer: "parties/CUS-XYZ",
		CustomerOrderNumber: "08292233294", GoodsTotal: usd(13045, 94), FreightTotal: usd(498, 32), TaxTotal: usd(0, 0), Total: usd(13544, 26),
		DueDate: &date.Date{Year: 2026, Month: 4, Day: 3},
		Lines: []*billingv1.InvoiceLine{
			{Line: "1", Item: "items/AB3542", Quantity: &typev1.Quantity{Value: "120", Unit: "EA"}, UnitPrice: "9.25", Amount: usd(1110, 0)},
			{Line: "2", Item: "items/RD5322", Quantity: &typev1.Quantity{Value: "220", Unit: "EA"}, UnitPrice: "13.79", Amount: usd(3033, 80)},
		},
		Explanation: &typev1.Explanation{Label: "Invoice", Value: "13544.26 USD", Children: []*typev1.Explanation{
			{Label: "Line 1", Value: "1110.00 USD", Rule: "120 × 9.25", Source: "orders/" + orderID},
		}},
	}
}

func (fakeBilling) GetTrialBalance(context.Context, *billingv1.GetTrialBalanceRequest) (*billingv1.TrialBalance, error) {
	return &billingv1.TrialBalance{Balances: []*billingv1.Balance{
		{Account: "1200", AccountName: "Accounts receivable", Amount: usd(13544, 26)}, {Account: "4000", AccountName: "Revenue", Amount: usd(-13544, -26)},
	}}, nil
}

func (fakeBilling) ListJournalEntries(context.Context, *billingv1.ListJournalEntriesRequest) (*billingv1.ListJournalEntriesResponse, error) {
	return &billingv1.ListJournalEntriesResponse{JournalEntries: []*billingv1.JournalEntry{{
		Name: "journalEntries/je_01kjp3v9zre6f8t1q5m2c7x4an", Moment: "issue", PostTime: at("2026-03-04T19:00:00Z"),
		Lines: []*billingv1.JournalEntry_Line{
			{Account: "1200", AccountName: "Accounts receivable", Debit: usd(13544, 26)}, {Account: "1250", AccountName: "Unbilled", Credit: usd(13544, 26)},
		},
	}}}, nil
}

type fakeWorkflow struct {
	workflowv1.WorkflowServiceServer
	closed *workflowv1.CloseWorkItemRequest
}

func (f *fakeWorkflow) ListWorkItems(context.Context, *workflowv1.ListWorkItemsRequest) (*workflowv1.ListWorkItemsResponse, error) {
	return &workflowv1.ListWorkItemsResponse{WorkItems: []*workflowv1.WorkItem{{
		Name: "workItems/wi_01kjp3v9zre6f8t1q5m2c7x4an", Reason: "TENDERS_EXHAUSTED", Owner: "operations", Subject: "loads/" + loadID,
		Detail: "no carrier took NL26030001", State: workflowv1.WorkItem_OPEN, CreateTime: at("2026-03-02T15:12:00Z"),
	}}}, nil
}

func (f *fakeWorkflow) CloseWorkItem(_ context.Context, req *workflowv1.CloseWorkItemRequest) (*workflowv1.WorkItem, error) {
	f.closed = proto.CloneOf(req)
	return &workflowv1.WorkItem{Name: req.GetName(), State: workflowv1.WorkItem_CLOSED}, nil
}

// fakeEdi keeps one document, with a 990's B1 at byte 164.
type fakeEdi struct{ ediv1.EdiServiceServer }

func (fakeEdi) GetDocument(_ context.Context, req *ediv1.GetDocumentRequest) (*ediv1.Document, error) {
	if req.GetName() != "documents/"+strings.Repeat("b0", 32) {
		return nil, rpcerr.NotFound(req.GetName())
	}
	return &ediv1.Document{Name: req.GetName(), Content: []byte(strings.Repeat(" ", 164) + "B1*CXBB*NL26030001*20260302*A~")}, nil
}

type fakeTower struct{ towerv1.TowerServiceServer }

func (fakeTower) Explain(_ context.Context, req *towerv1.ExplainRequest) (*towerv1.ExplainResponse, error) {
	booked := &towerv1.Case{
		Name: "cases/" + orderID, Order: "orders/" + orderID, CustomerOrderNumber: "08292233294", Customer: "parties/CUS-XYZ", Carrier: "parties/CAR-CXBB",
		LoadNumber: "NL26030001", Stage: towerv1.Case_BOOKED, WaitsFor: "departure", WaitsUntil: at("2026-03-03T21:00:00Z"),
		OrderTotal: usd(13045, 94), FreightCost: usd(425, 24), OpenWorkItems: 1,
		References: []*towerv1.Case_Reference{{Kind: "po", Value: "08292233294"}, {Kind: "load_number", Value: "NL26030001"}, {Kind: "order", Value: "orders/" + orderID}, {Kind: "order", Value: orderID}, {Kind: "po", Value: "po:08292233294"}, {Kind: "control_number", Value: "000003438"}},
	}
	accepted := &towerv1.Origin{Set: "interchanges/edi_1/sets/1", SetId: "990", Segment: "B1", Document: "documents/" + strings.Repeat("b0", 32), Offset: 164, Length: 29, FileName: "990.edi"}
	call := &towerv1.Call{Principal: "service/edi", Method: "/crossdock.freight.v1.FreightService/AcceptTender", RequestId: "edi_1/1"}
	position := &eventlogv1.Position{Log: "freight", Epoch: 1, Sequence: 4}
	thread := &towerv1.Thread{
		Case: booked,
		Steps: []*towerv1.Step{
			{Service: "orders", Type: "OrderCreated", Subject: "orders/" + orderID, Summary: "6 lines, 13045.94 USD", OccurTime: at("2026-03-02T11:05:00Z"),
				ReceiveTime: at("2026-03-02T11:05:00Z"), ApplyTime: at("2026-03-02T11:05:01Z"), Actor: "service/edi", Cause: "OrderService/CreateOrder",
				Position: &eventlogv1.Position{Log: "orders", Epoch: 1, Sequence: 12}},
			{Service: "freight", Type: "LoadBooked", Subject: "loads/" + loadID, OccurTime: at("2026-03-02T11:42:00Z"), ReceiveTime: at("2026-03-02T11:42:00Z"),
				ApplyTime: at("2026-03-02T11:42:00Z"), Actor: "partner/CAR-CXBB", Position: position, Call: call, Origin: accepted},
		},
		Waits: []*towerv1.Wait{
			{Kind: towerv1.Wait_PROCESS, Text: "departure", Subject: "processes/prc_1", Since: at("2026-03-02T11:42:00Z"), Until: at("2026-03-03T21:00:00Z"), Overdue: true},
			{Kind: towerv1.Wait_WORK_ITEM, Text: "CREDIT_HOLD: the limit is passed", Subject: "workItems/wki_1", Owner: "finance"},
		},
		Messages: []*towerv1.PartnerMessage{
			{Name: "interchanges/edi_2", Party: "parties/CAR-CXBB", Sets: []string{"204"}, Outcomes: []string{"SENT"}, FileName: "204.edi", Time: at("2026-03-02T11:06:00Z"),
				AcknowledgementCode: "A", AcknowledgeTime: at("2026-03-02T11:12:00Z")},
			{Name: "interchanges/edi_1", Inbound: true, Party: "parties/CAR-CXBB", Sets: []string{"990"}, Outcomes: []string{"APPLIED"}, FileName: "990.edi", Time: at("2026-03-02T11:42:00Z")},
		},
		Amounts: []*towerv1.Amount{{Key: "freight", Label: "freight of load NL26030001 by CAR-CXBB", Value: usd(425, 24), Subject: "loads/" + loadID}},
	}
	switch req.GetReference() {
	case "08292233294":
	case "NL26030001":
		return &towerv1.ExplainResponse{Reference: "NL26030001", Unasked: []string{"billing"}, Threads: []*towerv1.Thread{thread, {Case: &towerv1.Case{
			Name: "cases/" + order2, Order: "orders/" + order2, CustomerOrderNumber: "PC-1016", Customer: "parties/CUS-PIN", Stage: towerv1.Case_BOOKED,
		}}}}, nil
	case "NL2603":
		return nil, rpcerr.NotFound(req.GetReference()).With("near", "NL26030001, NL26030002")
	default:
		return nil, rpcerr.NotFound(req.GetReference())
	}
	if req.GetAmount() == "freight" {
		thread.Amounts[0].Reason = &towerv1.Reason{
			Label: "freight", Value: "425.24 USD", Rule: "sum of charges, each rounded once",
			Sources: []*towerv1.Source{{Resource: "loads/" + loadID, Fact: position, Origin: accepted, Time: at("2026-03-02T11:42:00Z")}},
			Children: []*towerv1.Reason{
				{Label: "LHS", Value: "332.22 USD", Rule: "gross × (1 − discount)", Children: []*towerv1.Reason{
					{Label: "class 70", Value: "22.44 × 24.00 = 538.56", Sources: []*towerv1.Source{{Text: "table rateTables/CX-BASE-2026-1 v1, class 70, break M2M", Resource: "rateTables/CX-BASE-2026-1",
						Fact: &eventlogv1.Position{Log: "masterdata", Epoch: 1, Sequence: 7}, Time: at("2026-03-02T11:00:00Z")}}},
				}},
				{Label: "Proven", Value: "93.02 USD", Sources: []*towerv1.Source{{Resource: "proofsOfDelivery/pod_1", Call: &towerv1.Call{Principal: "partner/CAR-CXBB", Method: "/crossdock.freight.v1.FreightService/CreateProofOfDelivery", RequestId: "pod-1"}}}},
			},
		}
	}
	return &towerv1.ExplainResponse{Reference: req.GetReference(), Threads: []*towerv1.Thread{thread}}, nil
}

func (fakeTower) CheckInvariants(context.Context, *towerv1.CheckInvariantsRequest) (*towerv1.InvariantReport, error) {
	return &towerv1.InvariantReport{Checked: []string{"I2", "I5"}, Breaches: []*towerv1.InvariantReport_Breach{{Invariant: "I5", Detail: "orders/" + orderID + " is not invoiced"}}}, nil
}

type fakeEdge struct {
	edgev1.EdgeServiceServer
	ids []string
}

func (f *fakeEdge) CreateApiKey(_ context.Context, req *edgev1.CreateApiKeyRequest) (*edgev1.CreateApiKeyResponse, error) {
	f.ids = append(f.ids, req.GetRequestId())
	resp := &edgev1.CreateApiKeyResponse{ApiKey: &edgev1.ApiKey{Name: "apiKeys/key_1", Party: req.GetApiKey().GetParty(), Roles: req.GetApiKey().GetRoles(), State: edgev1.ApiKey_ACTIVE}}
	if len(f.ids) == 1 {
		resp.Secret = "cdk_secret"
	}
	return resp, nil
}

// fakeLog is the log of the services: two entries, one of them without a fact.
type fakeLog struct {
	eventlogv1.EventLogServiceServer
	breach string
}

func head(sequence uint64, facts ...*eventlogv1.Fact) *eventlogv1.Entry {
	raw, err := proto.Marshal(&eventlogv1.Head{
		Position: &eventlogv1.Position{Log: "orders", Epoch: 1, Sequence: sequence}, Actor: "user/dev", ApplyTime: at("2026-03-02T11:05:01Z"),
		OccurTime: at("2026-03-02T11:05:00Z"), Facts: facts,
	})
	if err != nil {
		panic(err)
	}
	return &eventlogv1.Entry{Head: raw}
}

func (fakeLog) GetLog(context.Context, *eventlogv1.GetLogRequest) (*eventlogv1.Log, error) {
	return &eventlogv1.Log{Name: "logs/orders", Last: &eventlogv1.Position{Log: "orders", Epoch: 1, Sequence: 2}}, nil
}

func (fakeLog) ReadEntries(_ context.Context, req *eventlogv1.ReadEntriesRequest) (*eventlogv1.ReadEntriesResponse, error) {
	payload, err := anypb.New(&ordersv1.OrderCancelled{})
	if err != nil {
		return nil, err
	}
	all := []*eventlogv1.Entry{
		head(1, &eventlogv1.Fact{Type: "OrderCancelled", Subject: "orders/" + orderID, Related: []string{"po:08292233294", "parties/CUS-XYZ"}, Payload: payload}),
		head(2),
	}
	return &eventlogv1.ReadEntriesResponse{Entries: all[req.GetAfter().GetSequence():]}, nil
}

// TailEntries tells one new fact, loses the stream, and tells another one after that.
func (fakeLog) TailEntries(req *eventlogv1.TailEntriesRequest, stream grpc.ServerStreamingServer[eventlogv1.TailEntriesResponse]) error {
	next := req.GetAfter().GetSequence() + 1
	err := stream.Send(&eventlogv1.TailEntriesResponse{Entries: []*eventlogv1.Entry{head(next, &eventlogv1.Fact{Type: "OrderClosed", Subject: fmt.Sprintf("orders/%d", next)})}})
	if err != nil || next == 3 {
		return err
	}
	<-stream.Context().Done()
	return stream.Context().Err()
}

func (l fakeLog) VerifyStore(context.Context, *eventlogv1.VerifyStoreRequest) (*eventlogv1.VerifyReport, error) {
	r := &eventlogv1.VerifyReport{Entries: 2, Records: 3, Checks: []string{"I1 replay"}}
	if l.breach != "" {
		r.Breaches = []string{l.breach}
	}
	return r, nil
}

// services connects the command line to servers with the suite's real interceptors and identities.
type services struct {
	t        *testing.T
	conns    map[string]grpc.ClientConnInterface
	orders   *fakeOrders
	freight  *fakeFreight
	workflow *fakeWorkflow
	edge     *fakeEdge
	data     string
}

func newServices(t *testing.T) *services {
	t.Helper()
	s := &services{t: t, conns: map[string]grpc.ClientConnInterface{}, orders: &fakeOrders{}, freight: &fakeFreight{}, workflow: &fakeWorkflow{}, edge: &fakeEdge{}, data: t.TempDir()}
	for service, register := range map[string]func(grpc.ServiceRegistrar){
		"orders":     func(r grpc.ServiceRegistrar) { ordersv1.RegisterOrderServiceServer(r, s.orders) },
		"freight":    func(r grpc.ServiceRegistrar) { freightv1.RegisterFreightServiceServer(r, s.freight) },
		"billing":    func(r grpc.ServiceRegistrar) { billingv1.RegisterBillingServiceServer(r, fakeBilling{}) },
		"workflow":   func(r grpc.ServiceRegistrar) { workflowv1.RegisterWorkflowServiceServer(r, s.workflow) },
		"tower":      func(r grpc.ServiceRegistrar) { towerv1.RegisterTowerServiceServer(r, fakeTower{}) },
		"edge":       func(r grpc.ServiceRegistrar) { edgev1.RegisterEdgeServiceServer(r, s.edge) },
		"masterdata": func(grpc.ServiceRegistrar) {},
		"edi":        func(r grpc.ServiceRegistrar) { ediv1.RegisterEdiServiceServer(r, fakeEdi{}) },
	} {
		log := fakeLog{}
		if service == "freight" {
			log.breach = "bucket loads key 'load_1': checksum"
		}
		s.conns[service] = platformtest.New(t, platformtest.Config{Service: service, Register: func(r grpc.ServiceRegistrar) {
			register(r)
			eventlogv1.RegisterEventLogServiceServer(r, log)
		}}).AsUser()
	}
	return s
}

// zeros is randomness that makes ids stand still.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func (s *services) run(args ...string) (code int, out, errOut string) {
	s.t.Helper()
	return run(s.t, func(service string) (grpc.ClientConnInterface, error) { return s.conns[service], nil }, append(args, "--data", s.data)...)
}

func run(t *testing.T, connect func(string) (grpc.ClientConnInterface, error), args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = cli.Main(t.Context(), cli.Options{Args: args, In: strings.NewReader(""), Out: &o, Err: &e, Machine: clock.SystemMachine(), Rand: zeros{}, Connect: connect})
	return code, o.String(), e.String()
}

func TestGolden(t *testing.T) {
	s := newServices(t)
	for name, c := range map[string]struct {
		args []string
		exit int
	}{
		"orders-list.txt":      {[]string{"orders", "list"}, 0},
		"orders-list.json":     {[]string{"orders", "list", "-o", "json"}, 0},
		"orders-list.names":    {[]string{"orders", "list", "-o", "name"}, 0},
		"orders-get.txt":       {[]string{"orders", "get", "08292233294"}, 0},
		"loads-list.txt":       {[]string{"loads", "list"}, 0},
		"invoices-list.txt":    {[]string{"invoices", "list"}, 0},
		"invoices-get.txt":     {[]string{"invoices", "get", "NLS26-000001"}, 0},
		"invoices-get.json":    {[]string{"invoices", "get", "NLS26-000001", "-o", "json"}, 0},
		"work-items-list.txt":  {[]string{"work-items", "list"}, 0},
		"ledger-list.txt":      {[]string{"ledger", "list"}, 0},
		"ledger-balance.txt":   {[]string{"ledger", "balance"}, 0},
		"explain.txt":          {[]string{"explain", "08292233294"}, 0},
		"explain.json":         {[]string{"explain", "08292233294", "-o", "json"}, 0},
		"explain-amount.txt":   {[]string{"explain", "08292233294", "--amount", "freight"}, 0},
		"explain-several.txt":  {[]string{"explain", "NL26030001"}, 0},
		"events.txt":           {[]string{"events", "tail", "--service", "orders", "--no-follow"}, 0},
		"events-all.txt":       {[]string{"events", "tail", "--follow=false", "--from", "1"}, 0},
		"events.jsonl":         {[]string{"events", "tail", "--service", "orders", "--no-follow", "-o", "json"}, 0},
		"verify.txt":           {[]string{"verify"}, 1},
		"shipments-empty.txt":  {[]string{"shipments", "list"}, 0},
		"shipments-empty.json": {[]string{"shipments", "list", "-o", "json"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := s.run(c.args...)
			if code != c.exit {
				t.Errorf("exit %d, want %d; stderr:\n%s", code, c.exit, errOut)
			}
			if strings.Contains(out, "\x1b") {
				t.Error("colour in a pipe")
			}
			golden.Check(t, name, []byte(out))
		})
	}
}

// A reference that leads nowhere is told with what looks like it, and a figure that is none with those that are.
func TestExplainNothing(t *testing.T) {
	s := newServices(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"explain", "NL2603"}, "error: nothing is known as NL2603; there is NL26030001, NL26030002 (NOT_FOUND)\ntry: crossdock explain NL26030001\n"},
		{[]string{"explain", "nothing"}, "error: nothing is known as nothing (NOT_FOUND)\ntry: crossdock orders list\n"},
		{[]string{"explain", "08292233294", "--amount", "tax"}, "error: there is no figure tax; there are freight (NOT_FOUND)\ntry: --amount freight\n"},
	} {
		if code, out, errOut := s.run(c.args...); code != 3 || out != "" || errOut != c.want {
			t.Errorf("%q: exit %d, %q, %q; want 3 and %q", c.args, code, out, errOut, c.want)
		}
	}
}

// lines passes on what is written.
type lines chan string

func (l lines) Write(p []byte) (int, error) { l <- string(p); return len(p), nil }

// The tail goes on where it was when the stream is lost, says so, and ends without an error when it is interrupted.
func TestEventsFollow(t *testing.T) {
	s := newServices(t)
	ctx, cancel := context.WithCancel(t.Context())
	out, errOut, machine := make(lines, 100), make(lines, 100), clock.NewManual(time.Now())
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Main(ctx, cli.Options{Args: []string{"events", "tail", "--service", "orders", "-o", "name", "--from", "3"}, Out: out, Err: errOut, Machine: immediate{machine}, Rand: zeros{},
			Connect: func(service string) (grpc.ClientConnInterface, error) { return s.conns[service], nil }})
	}()
	for _, want := range []string{"orders/3\n", "orders/4\n"} {
		if got := <-out; got != want {
			t.Fatalf("line %q, want %q", got, want)
		}
	}
	if got, want := <-errOut, "lost the log, trying again: orders: the service ended the stream\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
}

// immediate is a machine clock on which no time passes while waiting.
type immediate struct{ clock.Machine }

func (immediate) After(time.Duration) <-chan time.Time {
	ch := make(chan time.Time, 1)
	ch <- time.Time{}
	return ch
}

func TestLimitAndFilter(t *testing.T) {
	s := newServices(t)
	code, out, _ := s.run("orders", "list", "-o", "name", "--limit", "2", "--customer", "CUS-XYZ")
	if got := strings.Count(out, "\n"); code != 0 || got != 2 {
		t.Errorf("exit %d, %d lines; want 0 and 2", code, got)
	}
	if got := s.orders.got.GetCustomer(); got != "parties/CUS-XYZ" {
		t.Errorf("asked for customer %q, want parties/CUS-XYZ", got)
	}
	if code, _, errOut := s.run("shipments", "list", "--order", "08292233294"); code != 0 || s.freight.order != "orders/"+orderID {
		t.Errorf("exit %d, asked for %q, %s; want the order that the number leads to", code, s.freight.order, errOut)
	}
}

func TestGetByWhatPeopleHave(t *testing.T) {
	s := newServices(t)
	for _, ref := range []string{"orders/" + orderID, orderID, "08292233294"} {
		if code, out, errOut := s.run("orders", "get", ref, "-o", "name"); code != 0 || out != "orders/"+orderID+"\n" {
			t.Errorf("%s: exit %d, %q, %s; want the order", ref, code, out, errOut)
		}
	}
	code, out, errOut := s.run("orders", "get", "PC-1016")
	if code != 5 || out != "" || !strings.Contains(errOut, "AMBIGUOUS") || !strings.Contains(errOut, order2) {
		t.Errorf("a number of two orders: exit %d, %q, %s; want 5 and both names", code, out, errOut)
	}
	for _, ref := range []string{"nothing", order2} {
		code, out, errOut := s.run("orders", "get", ref)
		if code != 3 || out != "" || !strings.HasPrefix(errOut, "error: ") || !strings.Contains(errOut, "(NOT_FOUND)") || !strings.Contains(errOut, "request id: cli-") || !strings.Contains(errOut, "try: ") {
			t.Errorf("%s: exit %d, %q, %q; want 3 with error, request id and a hint", ref, code, out, errOut)
		}
	}
}

// refusing answers every call with one error.
type refusing struct {
	grpc.ClientConnInterface
	err error
}

func (r refusing) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return r.err }

func TestExitStatuses(t *testing.T) {
	for code, want := range map[codes.Code]int{
		codes.Canceled: 1, codes.Unknown: 1, codes.InvalidArgument: 2, codes.DeadlineExceeded: 6, codes.NotFound: 3, codes.AlreadyExists: 5,
		codes.PermissionDenied: 4, codes.ResourceExhausted: 6, codes.FailedPrecondition: 5, codes.Aborted: 5, codes.OutOfRange: 1,
		codes.Unimplemented: 1, codes.Internal: 1, codes.Unavailable: 6, codes.DataLoss: 1, codes.Unauthenticated: 4,
	} {
		connect := func(string) (grpc.ClientConnInterface, error) {
			return refusing{err: status.Error(code, "the reason")}, nil
		}
		got, out, errOut := run(t, connect, "orders", "list")
		what := "error: the reason ("
		if code == codes.Unavailable || code == codes.DeadlineExceeded {
			what = "error: orders cannot be reached (" // no service says such a thing without its name
		}
		if got != want || out != "" || !strings.HasPrefix(errOut, what) || strings.Contains(errOut, "goroutine") {
			t.Errorf("%v: exit %d, stdout %q, stderr %q; want exit %d and one error", code, got, out, errOut, want)
		}
	}
	connect := func(string) (grpc.ClientConnInterface, error) {
		return refusing{err: rpcerr.Invalid(rpcerr.Field{Path: "customer", Description: "is no party"}, rpcerr.Field{Path: "page_size", Description: "is negative"}).In("orders").GRPCStatus().Err()}, nil
	}
	want := "error: the request has bad fields (INVALID_FIELDS)\n  customer: is no party\n  page_size: is negative\nrequest id: cli-00000000000000000000\n"
	if got, _, errOut := run(t, connect, "orders", "list"); got != 2 || errOut != want {
		t.Errorf("bad fields: exit %d, stderr %q; want 2 and %q", got, errOut, want)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"nonsense"}, {"orders", "get"}, {"orders", "list", "-o", "xml"}, {"keys", "create", "CAR-CXBB", "--role", "admin"}, {"events", "tail", "--service", "none"}} {
		code, out, errOut := run(t, nil, args...)
		if code != 2 || !strings.Contains(errOut, "(USAGE)") {
			t.Errorf("%q: exit %d, stdout %q, stderr %q; want 2", args, code, out, errOut)
		}
	}
	if code, out, errOut := run(t, nil, "orders", "--help"); code != 0 || !strings.Contains(out, "List orders") || errOut != "" {
		t.Errorf("help: exit %d, stderr %q, stdout %q; want 0 and help on stdout", code, errOut, out)
	}
	// Nothing runs on an empty folder.
	if code, _, errOut := run(t, nil, "orders", "list", "--data", t.TempDir()); code != 6 || !strings.Contains(errOut, "(NOT_RUNNING)") || !strings.Contains(errOut, "try: crossdock up") {
		t.Errorf("no suite: exit %d, %s; want 6", code, errOut)
	}
}

func TestChangesCarryARequestID(t *testing.T) {
	s := newServices(t)
	code, out, errOut := s.run("keys", "create", "CAR-CXBB", "--role", "carrier")
	if code != 0 || !strings.Contains(out, "cdk_secret") || !strings.Contains(errOut, "request id: cli-00000000000000000000\n") {
		t.Errorf("create: exit %d, %q, %q; want the secret and the request id", code, out, errOut)
	}
	code, out, errOut = s.run("keys", "create", "CAR-CXBB", "--role", "carrier", "--request-id", "mine")
	if code != 0 || strings.Contains(out, "secret") || !strings.Contains(errOut, "request id: mine\n") || !strings.Contains(errOut, "revoke") {
		t.Errorf("repeat: exit %d, %q, %q; want no secret and what to do", code, out, errOut)
	}
	if got, want := strings.Join(s.edge.ids, " "), "cli-00000000000000000000 mine"; got != want {
		t.Errorf("request ids %q, want %q", got, want)
	}
	code, _, errOut = s.run("work-items", "close", "wi_01kjp3v9zre6f8t1q5m2c7x4an", "--note", "called CXEE", "--request-id", "r1")
	if code != 0 || s.workflow.closed.GetName() != "workItems/wi_01kjp3v9zre6f8t1q5m2c7x4an" || s.workflow.closed.GetNote() != "called CXEE" || s.workflow.closed.GetRequestId() != "r1" {
		t.Errorf("close: exit %d, %v, %s", code, s.workflow.closed, errOut)
	}
	if code, _, errOut := s.run("work-items", "close", "wi_1"); code != 2 {
		t.Errorf("close without a note: exit %d, %s; want 2", code, errOut)
	}
}

func TestEdiRunsTheProgram(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\necho \"args: $*\"\ncat\necho finding >&2\nexit 3\n"
	if err := os.WriteFile(filepath.Join(bin, "edi"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	var o, e bytes.Buffer
	code := cli.Main(t.Context(), cli.Options{Args: []string{"edi", "validate", "-", "--bin", bin}, In: strings.NewReader("ISA*"), Out: &o, Err: &e,
		Machine: clock.SystemMachine(), Rand: zeros{}})
	if code != 3 || o.String() != "args: validate -\nISA*" || e.String() != "finding\n" {
		t.Errorf("exit %d, %q, %q; want what the program said and 3", code, o.String(), e.String())
	}
	if code, _, errOut := run(t, nil, "edi", "parse", "x.edi", "--bin", t.TempDir()); code != 1 || !strings.Contains(errOut, "PROGRAMS_MISSING") {
		t.Errorf("no program: exit %d, %s; want 1", code, errOut)
	}
}

func TestUpRefusals(t *testing.T) {
	bin := t.TempDir()
	if code, _, errOut := run(t, nil, "up", "--data", t.TempDir(), "--bin", bin); code != 1 || !strings.Contains(errOut, "masterdata, orders, freight, billing, workflow, edge, tower, edi") {
		t.Errorf("no programs: exit %d, %s; want 1 naming all", code, errOut)
	}
}

func TestInterrupted(t *testing.T) {
	connect := func(string) (grpc.ClientConnInterface, error) {
		return refusing{err: errors.Join(context.Canceled)}, nil
	}
	if code, _, errOut := run(t, connect, "orders", "list"); code != 1 || strings.Contains(errOut, "goroutine") {
		t.Errorf("exit %d, %s; want 1", code, errOut)
	}
}
