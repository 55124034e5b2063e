package core

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/telemetry"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/workflow/internal/process"
)

const (
	order    = "orders/ord_1"
	release  = "orders/ord_1/releases/1"
	shipment = "shipments/shp_1"
	load     = "loads/load_1"
)

// world is workflow between four logs that the test writes and two peers that note what they are asked.
type world struct {
	t     *testing.T
	ctx   context.Context
	clock *clock.Manual
	dir   string
	logs  map[string]*store.Store
	peer  *peer
	core  *Core
	// limits are the service's; nil is the default.
	limits *process.Limits
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, ctx: t.Context(), clock: clock.NewManual(time.Date(2026, 3, 2, 11, 5, 0, 0, time.UTC)), dir: t.TempDir(),
		logs: map[string]*store.Store{}, peer: &peer{refuse: map[string]error{}, offered: freightv1.Load_PLANNED},
	}
	for _, name := range []string{"orders", "freight", "billing", "edi"} {
		s, err := store.Open(w.ctx, store.Options{Path: t.TempDir() + "/" + name + ".db", Schema: store.Schema{Service: name, Version: 1}, Clock: w.clock})
		w.must(err)
		t.Cleanup(func() { w.must(s.Close()) })
		w.logs[name] = s
	}
	w.open()
	t.Cleanup(func() { w.must(w.core.Close()) })
	return w
}

func (w *world) open() {
	feeds := map[string]eventlog.Source{}
	for name, s := range w.logs {
		feeds[name] = eventlog.Local(s)
	}
	var err error
	w.core, err = Open(w.ctx, Deps{
		DataDir: w.dir, Business: w.clock, Machine: clock.SystemMachine(), IDs: typeid.Sequence(1), Log: telemetry.Discard(), Feeds: feeds,
		Peers: map[string]grpc.ClientConnInterface{"freight": w.peer, "billing": w.peer}, Limits: w.limits,
	})
	w.must(err)
	w.core.Followers().Stepping = true
}

func (w *world) reopen() {
	w.must(w.core.Close())
	w.open()
}

// tell writes a fact to a log.
func (w *world) tell(log, subject string, payload proto.Message, related ...string) {
	w.t.Helper()
	_, err := w.logs[log].Change(w.ctx, store.Cause{Actor: "user/test"}, func(tx *store.Tx) ([]byte, error) {
		return nil, tx.Emit(store.Fact{Type: string(payload.ProtoReflect().Descriptor().Name()), Subject: subject, Related: related, Payload: payload})
	})
	w.must(err)
}

// settle steps until nothing moves.
func (w *world) settle() {
	w.t.Helper()
	var steppers []step.Stepper
	for _, s := range w.core.Steppers() {
		steppers = append(steppers, s.Stepper)
	}
	w.must(platformtest.Drive(w.ctx, w.clock.Now, 100, steppers...))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// peer answers every call, or refuses it, and notes method and request id.
type peer struct {
	calls   []string
	refuse  map[string]error // by method name
	offered freightv1.Load_State
}

func (p *peer) Invoke(_ context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	name := method[len(method)-len(lastPart(method)):]
	call := name
	switch m := args.(type) {
	case *freightv1.GetLoadRequest:
		reply.(*freightv1.Load).State = p.offered
		return p.refuse[name]
	case *freightv1.PlanShipmentRequest:
		call = fmt.Sprintf("%s %s %d lines", name, m.GetOrderRelease(), len(m.GetLines()))
	case *freightv1.TenderLoadRequest:
		call = name + " " + m.GetName()
	case *freightv1.CancelShipmentRequest:
		call = name + " " + m.GetName() + " " + m.GetReason()
	case *billingv1.AuthorizeBillingRequest:
		call = name + " " + m.GetShipment() + " " + m.GetOrderRelease()
	case *billingv1.IssueInvoiceRequest:
		call = name + " " + m.GetBillingAuthorization()
	}
	if id, ok := args.(interface{ GetRequestId() string }); !ok || id.GetRequestId() == "" {
		return status.Error(codes.InvalidArgument, "no request id")
	}
	p.calls = append(p.calls, call)
	return p.refuse[name]
}

func (p *peer) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "no streams here")
}

func lastPart(method string) string {
	for i := len(method) - 1; i >= 0; i-- {
		if method[i] == '/' {
			return method[i+1:]
		}
	}
	return method
}

// The facts of an undisturbed run.
func (w *world) released() {
	w.tell("orders", order, &ordersv1.OrderReleased{Release: &ordersv1.OrderRelease{
		Name: release, Order: order, CustomerOrderNumber: "08292233294", Customer: "parties/CUS-XYZ",
		Lines: []*ordersv1.ReleaseLine{{Line: "1", Item: "items/AB3542", Quantity: &typev1.Quantity{Value: "120", Unit: "EA"}}},
	}})
}

func aboard() []*freightv1.Shipment {
	return []*freightv1.Shipment{{Name: shipment, Order: order, OrderRelease: release, DeliverBy: &typev1.EventTime{
		Time: timestamppb.New(time.Date(2026, 3, 4, 22, 0, 0, 0, time.UTC)),
	}}}
}

func (w *world) planned() {
	w.tell("freight", shipment, &freightv1.ShipmentPlanned{Shipment: aboard()[0], Load: &freightv1.Load{Name: load}})
}

func (w *world) tendered() {
	w.tell("freight", load, &freightv1.LoadTendered{Load: &freightv1.Load{Name: load}, Shipments: aboard(), Tender: &freightv1.Tender{
		Name: "tenders/tnd_1", Carrier: "parties/CAR-CXBB",
		RespondBy: &typev1.EventTime{Time: timestamppb.New(time.Date(2026, 3, 2, 16, 0, 0, 0, time.UTC))},
	}})
}

func (w *world) booked() {
	w.tell("freight", load, &freightv1.LoadBooked{Shipments: aboard(), Load: &freightv1.Load{
		Name: load, Carrier: "parties/CAR-CXBB", Charges: &freightv1.RatedCharges{},
	}})
}

func (w *world) delivered() {
	w.tell("freight", shipment, &freightv1.ShipmentDelivered{Shipment: aboard()[0]})
}

func (w *world) proven() {
	w.tell("freight", "proofsOfDelivery/pod_1", &freightv1.ProofOfDeliveryReceived{
		Shipment: aboard()[0], ProofOfDelivery: &freightv1.ProofOfDelivery{Name: "proofsOfDelivery/pod_1"},
	})
}

func (w *world) authorized() {
	w.tell("billing", "billingAuthorizations/aut_1", &billingv1.BillingAuthorized{BillingAuthorization: &billingv1.BillingAuthorization{
		Name: "billingAuthorizations/aut_1", OrderRelease: release,
	}})
}

func (w *world) invoiced() {
	w.tell("billing", "invoices/inv_1", &billingv1.InvoiceIssued{Invoice: &billingv1.Invoice{Name: "invoices/inv_1", OrderRelease: release}})
}

func (w *world) billApproved() {
	w.tell("billing", "freightBills/fbl_1", &billingv1.FreightBillApproved{FreightBill: &billingv1.FreightBill{Name: "freightBills/fbl_1", Load: load}})
}

func (w *world) process() *workflowv1.Process {
	w.t.Helper()
	resp, err := w.core.api.ListProcesses(w.ctx, &workflowv1.ListProcessesRequest{Order: order})
	w.must(err)
	if len(resp.GetProcesses()) != 1 {
		w.t.Fatalf("%d processes of %s, want 1", len(resp.GetProcesses()), order)
	}
	p, err := w.core.api.GetProcess(w.ctx, &workflowv1.GetProcessRequest{Name: resp.GetProcesses()[0].GetName()})
	w.must(err)
	return p
}

func (w *world) openItems() []string {
	w.t.Helper()
	resp, err := w.core.api.ListWorkItems(w.ctx, &workflowv1.ListWorkItemsRequest{State: workflowv1.WorkItem_OPEN})
	w.must(err)
	var out []string
	for _, it := range resp.GetWorkItems() {
		out = append(out, it.GetReason()+" "+it.GetOwner()+" "+it.GetSubject())
	}
	return out
}

func (w *world) verify() {
	w.t.Helper()
	report, err := w.core.Store().Verify(w.ctx)
	w.must(err)
	if len(report.Breaches) > 0 {
		w.t.Errorf("verify: %v", report.Breaches)
	}
}

var wantCalls = []string{
	"PlanShipment " + release + " 1 lines",
	"TenderLoad " + load,
	"AuthorizeBilling " + shipment + " " + release,
	"IssueInvoice billingAuthorizations/aut_1",
}

// The whole run, restarted after every fact: each command is sent once.
func TestOrderToCashOverRestarts(t *testing.T) {
	w := newWorld(t)
	for i, tell := range []func(){w.released, w.planned, w.tendered, w.booked, w.delivered, w.proven, w.authorized, w.invoiced, w.billApproved} {
		tell()
		if i%2 == 0 {
			w.reopen() // before the fact was read
		}
		w.settle()
		w.reopen()
		w.settle()
	}
	if !slices.Equal(w.peer.calls, wantCalls) {
		t.Errorf("calls\n%q\nwant\n%q", w.peer.calls, wantCalls)
	}
	if p := w.process(); p.GetState() != workflowv1.Process_ENDED || len(p.GetSteps()) < 9 {
		t.Errorf("process %s with %d steps, want ENDED and every fact in its history", p.GetState(), len(p.GetSteps()))
	}
	if items := w.openItems(); len(items) != 0 {
		t.Errorf("open work items %q, want none", items)
	}
	w.verify()
}

// A release that is told twice has one process.
func TestSecondReleaseFactStartsNothing(t *testing.T) {
	w := newWorld(t)
	w.released()
	w.released()
	w.settle()
	w.process()
	if want := wantCalls[:1]; !slices.Equal(w.peer.calls, want) {
		t.Errorf("calls %q, want %q", w.peer.calls, want)
	}
}

func TestRefusedCommandWaitsForAPerson(t *testing.T) {
	w := newWorld(t)
	w.peer.refuse["PlanShipment"] = status.Error(codes.FailedPrecondition, "no lane")
	w.released()
	w.settle()
	p := w.process()
	if p.GetState() != workflowv1.Process_STUCK {
		t.Fatalf("process %s, want STUCK", p.GetState())
	}
	if want := []string{"COMMAND_REFUSED operations " + p.GetName()}; !slices.Equal(w.openItems(), want) {
		t.Fatalf("open work items %q, want %q", w.openItems(), want)
	}

	server := platformtest.New(t, platformtest.Config{Service: Service, Register: w.core.Register, Waiter: w.core.Followers(), Own: w.core.Store()})
	client := workflowv1.NewWorkflowServiceClient(server.AsUser())
	list, err := client.ListWorkItems(w.ctx, &workflowv1.ListWorkItemsRequest{})
	w.must(err)
	item := list.GetWorkItems()[0]
	close := &workflowv1.CloseWorkItemRequest{Name: item.GetName(), Etag: "99", Note: "lane added", RequestId: "close-1"}
	if _, err := client.CloseWorkItem(w.ctx, close); status.Code(err) != codes.Aborted {
		t.Errorf("stale etag: %v, want ABORTED", err)
	}
	close.Etag = item.GetEtag()
	first, err := client.CloseWorkItem(w.ctx, close)
	w.must(err)
	again, err := client.CloseWorkItem(w.ctx, close)
	w.must(err)
	if !proto.Equal(first, again) || first.GetClosedBy() != "user/dev" {
		t.Errorf("closed twice with one id:\n%v\n%v", first, again)
	}
	close.Note = "another"
	if _, err := client.CloseWorkItem(w.ctx, close); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("same id, other arguments: %v, want FAILED_PRECONDITION", err)
	}
	if _, err := client.GetProcess(w.ctx, &workflowv1.GetProcessRequest{Name: "processes/prc_none"}); status.Code(err) != codes.NotFound {
		t.Errorf("missing process: %v, want NOT_FOUND", err)
	}

	delete(w.peer.refuse, "PlanShipment")
	w.settle()
	if want := []string{wantCalls[0], wantCalls[0]}; !slices.Equal(w.peer.calls, want) {
		t.Errorf("calls %q, want %q", w.peer.calls, want)
	}
	if got := w.process().GetState(); got != workflowv1.Process_PLANNING {
		t.Errorf("process %s, want PLANNING", got)
	}
	w.verify()
}

// Trouble that passes leaves the process where it is; the command is sent again.
func TestUnavailablePeerIsAskedAgain(t *testing.T) {
	w := newWorld(t)
	w.peer.refuse["PlanShipment"] = status.Error(codes.Unavailable, "down")
	w.released()
	w.settle()
	if got := w.process().GetState(); got != workflowv1.Process_PLANNING || len(w.openItems()) != 0 {
		t.Errorf("process %s, work items %q, want PLANNING and none", got, w.openItems())
	}
	delete(w.peer.refuse, "PlanShipment")
	w.reopen() // back-off is kept in memory: a restart asks at once
	w.settle()
	if want := []string{wantCalls[0], wantCalls[0]}; !slices.Equal(w.peer.calls, want) {
		t.Errorf("calls %q, want %q", w.peer.calls, want)
	}
}

func TestHeldOrdersAndMessagesGetWorkItems(t *testing.T) {
	w := newWorld(t)
	hold := &ordersv1.Hold{Kind: ordersv1.Hold_MASTER_DATA, Reason: "unknown item", Fields: []string{"lines[0].item"}}
	w.tell("orders", order, &ordersv1.OrderHeld{Order: order, CustomerOrderNumber: "PC-1012", Hold: hold})
	interchange := &ediv1.Interchange{Name: "interchanges/edi_1"}
	set := &ediv1.Interchange_TransactionSet{Index: 1, Set: "850", Reason: "two errors", ReasonCode: "MESSAGE_REJECTED"}
	w.tell("edi", interchange.GetName(), &ediv1.MessageRejected{Interchange: interchange, TransactionSet: set})
	w.tell("billing", "freightBills/fbl_9", &billingv1.FreightBillExcepted{FreightBill: &billingv1.FreightBill{
		Name: "freightBills/fbl_9", State: billingv1.FreightBill_EXCEPTION,
		Findings: []*billingv1.FreightBill_Finding{{Rule: "A2", Subject: "load", Detail: "no such load", Owner: "finance"}},
	}})
	w.settle()
	want := []string{
		"FREIGHT_BILL_UNMATCHED finance freightBills/fbl_9", "ITEM_UNKNOWN masterdata orders/ord_1",
		"MESSAGE_REJECTED integration interchanges/edi_1/sets/1",
	}
	got := w.openItems()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("open work items %q, want %q", got, want)
	}
	sent := &ediv1.Interchange{Name: "interchanges/edi_2"}
	w.tell("edi", sent.GetName(), &ediv1.AcknowledgementOverdue{Interchange: sent})
	w.settle()
	if got := w.openItems(); !slices.Contains(got, "ACK_OVERDUE integration interchanges/edi_2") {
		t.Errorf("unacknowledged: %q", got)
	}
	w.tell("edi", sent.GetName(), &ediv1.MessageAcknowledged{Interchange: sent})
	w.tell("orders", order, &ordersv1.OrderHoldReleased{Order: order, Hold: hold})
	w.settle()
	if got := w.openItems(); slices.Contains(got, want[1]) || len(got) != 2 {
		t.Errorf("after the hold was released: %q", got)
	}
	w.verify()
}
