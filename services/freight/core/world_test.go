package core_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	_ "time/tzdata"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	kmoney "crossdock.dev/kernel/money"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/typeid"

	"crossdock.dev/services/freight/core"
)

// lines collects log lines of several writers.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// holds reports whether a text stands in a line.
func (l *lines) holds(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.b.Bytes(), []byte(text))
}

// world is a running freight service with a masterdata feed that tests tell facts on.
type world struct {
	t          *testing.T
	ctx        context.Context
	dir        string
	clock      *clock.Manual
	ids        typeid.Source
	masterdata *store.Store
	core       *core.Core
	server     *platformtest.Server
	workflow   freightv1.FreightServiceClient
	edi        freightv1.FreightServiceClient
	user       freightv1.FreightServiceClient
	log        *lines // what the service wrote to its log lines
	calls      int
}

// newWorld starts at a business time with the day's master data read.
func newWorld(t *testing.T, now string) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context(), dir: t.TempDir(), clock: clock.NewManual(at(now)), ids: typeid.Sequence(1), log: &lines{}}
	var err error
	w.masterdata, err = store.Open(w.ctx, store.Options{
		Path: filepath.Join(t.TempDir(), "masterdata.db"), Schema: store.Schema{Service: "masterdata", Version: 1}, Clock: w.clock, NoSync: true,
	})
	w.must(err)
	t.Cleanup(func() { w.masterdata.Close() })
	w.open()
	t.Cleanup(func() { w.close() })
	w.tell(seed(t)...)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open() {
	w.t.Helper()
	var err error
	w.core, err = core.Open(w.ctx, core.Deps{
		DataDir: w.dir, Business: w.clock, Machine: w.clock, IDs: w.ids,
		Log:   slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Feeds: map[string]eventlog.Source{"masterdata": eventlog.Local(w.masterdata)},
	})
	w.must(err)
	w.core.Followers().Stepping = true
	w.server = platformtest.New(w.t, platformtest.Config{
		Service: core.Service, Register: w.core.Register, Gateways: w.core.Gateways(), Waiter: w.core.Followers(), Own: w.core.Store(),
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	w.workflow = freightv1.NewFreightServiceClient(w.server.As("workflow"))
	w.edi = freightv1.NewFreightServiceClient(w.server.As("edi"))
	w.user = freightv1.NewFreightServiceClient(w.server.AsUser())
}

// close stops the service and checks its store: the log replays to the same records, indexes and invariants hold.
func (w *world) close() {
	w.t.Helper()
	w.must(w.core.Close())
	r, err := store.Verify(context.Background(), core.Path(w.dir), core.Schema())
	w.must(err)
	if len(r.Breaches) > 0 {
		w.t.Errorf("verify: %s", strings.Join(r.Breaches, "\n"))
	}
}

// restart stops the service and starts it again on the same file.
func (w *world) restart() {
	w.t.Helper()
	w.close()
	w.open()
}

// tell tells facts on masterdata's feed and lets freight read them.
func (w *world) tell(facts ...proto.Message) {
	w.t.Helper()
	for _, f := range facts {
		_, err := w.masterdata.Change(w.ctx, store.Cause{Principal: "user/dev"}, func(tx *store.Tx) ([]byte, error) {
			kind := string(f.ProtoReflect().Descriptor().Name())
			return nil, tx.Emit(store.Fact{Type: kind, Subject: kind, Payload: f})
		})
		w.must(err)
	}
	w.drive()
}

// drive lets everything that is due happen.
func (w *world) drive() {
	w.t.Helper()
	w.must(w.step())
}

func (w *world) step() error {
	var steppers []step.Stepper
	for _, s := range w.core.Steppers() {
		steppers = append(steppers, s.Stepper)
	}
	return platformtest.Drive(w.ctx, w.clock.Now, 1000, steppers...)
}

func (w *world) set(now string) {
	w.t.Helper()
	w.clock.Set(at(now))
	w.drive()
}

// id makes a fresh request id.
func (w *world) id() string {
	w.calls++
	return fmt.Sprintf("call-%d", w.calls)
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func stamp(s string) *timestamppb.Timestamp { return timestamppb.New(at(s)) }

func event(s, zone string) *typev1.EventTime {
	return &typev1.EventTime{Time: stamp(s), Zone: zone, Rule: typev1.EventTime_LOCAL_TO_PLACE}
}

func line(no, item, n, unit string) *freightv1.PlanShipmentRequest_Line {
	return &freightv1.PlanShipmentRequest_Line{Line: no, Item: "items/" + item, Quantity: &typev1.Quantity{Value: n, Unit: unit}}
}

// release is an order release as workflow sends it.
func (w *world) release(order, po, customer, to, mode, shipDate string, lines ...*freightv1.PlanShipmentRequest_Line) *freightv1.PlanShipmentRequest {
	from, entity, zone := "locations/LOC-CMH", "legalEntities/LE-US", "America/New_York"
	if to == "LOC-EIN" || to == "LOC-HAM" {
		from, entity, zone = "locations/LOC-VEN", "legalEntities/LE-NL", "Europe/Amsterdam"
	}
	d := at(shipDate + "T13:00:00Z")
	return &freightv1.PlanShipmentRequest{
		OrderRelease: "orders/" + order + "/releases/1", Order: "orders/" + order, CustomerOrderNumber: po, Customer: "parties/" + customer,
		LegalEntity: entity, ShipFrom: from, ShipTo: "locations/" + to, Mode: mode, ShipDate: day(shipDate),
		PickupFrom: event(d.Format(time.RFC3339), zone), PickupTo: event(d.Add(8*time.Hour).Format(time.RFC3339), zone),
		DeliverFrom: event(d.Add(24*time.Hour).Format(time.RFC3339), zone), DeliverBy: event(d.Add(33*time.Hour).Format(time.RFC3339), zone),
		Lines: lines, RequestId: w.id(),
	}
}

// happy is the release of the real purchase order 08292233294 (day, scenario 01).
func (w *world) happy() *freightv1.PlanShipmentRequest {
	r := w.release("ord_01", "08292233294", "CUS-XYZ", "LOC-SOLON", "LTL", "2026-03-03",
		line("1", "AB3542", "120", "EA"), line("2", "RD5322", "220", "EA"), line("3", "XY5266", "126", "EA"),
		line("4", "VX2332", "76", "EA"), line("5", "RV0524", "72", "EA"), line("6", "DX1875", "696", "EA"))
	r.PickupFrom, r.PickupTo = event("2026-03-03T13:00:00Z", "America/New_York"), event("2026-03-03T21:00:00Z", "America/New_York")
	r.DeliverFrom, r.DeliverBy = event("2026-03-04T13:00:00Z", "America/New_York"), event("2026-03-04T22:00:00Z", "America/New_York")
	return r
}

func (w *world) plan(r *freightv1.PlanShipmentRequest) *freightv1.Shipment {
	w.t.Helper()
	s, err := w.workflow.PlanShipment(w.ctx, r)
	w.must(err)
	return s
}

// tendered plans and tenders a release, and returns the load with the offer that is out.
func (w *world) tendered(r *freightv1.PlanShipmentRequest) (*freightv1.Load, *freightv1.Tender) {
	w.t.Helper()
	l, err := w.workflow.TenderLoad(w.ctx, &freightv1.TenderLoadRequest{Name: w.plan(r).GetLoad(), RequestId: w.id()})
	w.must(err)
	return l, w.offer(l.GetName())
}

// offer is the offer of a load that is out or was accepted.
func (w *world) offer(load string) *freightv1.Tender {
	w.t.Helper()
	l := w.load(load)
	if l.GetTender() == "" {
		w.t.Fatalf("%s has no offer, it is %s", load, l.GetState())
	}
	t, err := w.user.GetTender(w.ctx, &freightv1.GetTenderRequest{Name: l.GetTender()})
	w.must(err)
	return t
}

func (w *world) load(name string) *freightv1.Load {
	w.t.Helper()
	l, err := w.user.GetLoad(w.ctx, &freightv1.GetLoadRequest{Name: name})
	w.must(err)
	return l
}

func (w *world) shipment(name string) *freightv1.Shipment {
	w.t.Helper()
	s, err := w.user.GetShipment(w.ctx, &freightv1.GetShipmentRequest{Name: name})
	w.must(err)
	return s
}

func (w *world) tenders(load string) []*freightv1.Tender {
	w.t.Helper()
	r, err := w.user.ListTenders(w.ctx, &freightv1.ListTendersRequest{Load: load})
	w.must(err)
	slices.Reverse(r.GetTenders())
	return r.GetTenders()
}

func (w *world) accept(tender, pro string) *freightv1.Tender {
	w.t.Helper()
	t, err := w.edi.AcceptTender(w.ctx, &freightv1.AcceptTenderRequest{Name: tender, CarrierReference: pro, RequestId: w.id()})
	w.must(err)
	return t
}

func (w *world) decline(tender string) *freightv1.Tender {
	w.t.Helper()
	t, err := w.edi.DeclineTender(w.ctx, &freightv1.DeclineTenderRequest{
		Name: tender, Reason: freightv1.DeclineReason_CAPACITY, Note: "NO TRUCKS IN CMH", RequestId: w.id(),
	})
	w.must(err)
	return t
}

// booked plans, tenders and books a release.
func (w *world) booked(r *freightv1.PlanShipmentRequest) *freightv1.Load {
	w.t.Helper()
	l, t := w.tendered(r)
	w.accept(t.GetName(), "CXB0001001")
	return w.load(l.GetName())
}

// claim reports through EDI with a local time.
func (w *world) claim(load string, m freightv1.Milestone, stop int32, local string) *freightv1.Claim {
	w.t.Helper()
	c, err := w.edi.ReportMilestone(w.ctx, &freightv1.ReportMilestoneRequest{
		Parent: load, Claim: &freightv1.Claim{Milestone: m, Stop: stop, LocalTime: local}, RequestId: w.id(),
	})
	w.must(err)
	return c
}

func (w *world) refused(what string, err error, reason string) {
	w.t.Helper()
	if got := rpcerr.Reason(err); got != reason {
		w.t.Errorf("%s: reason %q (%v), want %s", what, got, err, reason)
	}
}

// told is the facts of the log from a sequence on.
func (w *world) told(after uint64) []*eventlogv1.Fact {
	w.t.Helper()
	var out []*eventlogv1.Fact
	for {
		entries, _, err := w.core.Store().ReadLog(w.ctx, store.Position{Log: core.Service, Epoch: w.core.Store().Last().Epoch, Sequence: after}, 0)
		w.must(err)
		if len(entries) == 0 {
			return out
		}
		for _, e := range entries {
			var h eventlogv1.Head
			w.must(proto.Unmarshal(e.Head, &h))
			out = append(out, h.GetFacts()...)
			after = e.Position.Sequence
		}
	}
}

// seen is where the log stands.
func (w *world) seen() uint64 { return w.core.Store().Last().Sequence }

// tells checks the types of the facts told since.
func (w *world) tells(after uint64, want ...string) []*eventlogv1.Fact {
	w.t.Helper()
	facts := w.told(after)
	var got []string
	for _, f := range facts {
		got = append(got, f.GetType())
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("told %v, want %v", got, want)
	}
	return facts
}

// waiting checks how many clocks run.
func (w *world) waiting(want int) {
	w.t.Helper()
	r, err := eventlogv1.NewEventLogServiceClient(w.server.As("tower")).ListTasks(w.ctx, &eventlogv1.ListTasksRequest{})
	w.must(err)
	if len(r.GetTasks()) != want {
		w.t.Errorf("%d tasks wait (%v), want %d", len(r.GetTasks()), r.GetTasks(), want)
	}
}

func usd(m *money.Money) string {
	a, err := kmoney.FromUnitsNanos(m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
	if err != nil {
		return err.Error()
	}
	return a.Label()
}

// charges writes a price as "LHS 332.22 USD, FUE 93.02 USD = 425.24 USD".
func charges(c *freightv1.RatedCharges) string {
	if c == nil {
		return "none"
	}
	var parts []string
	for _, x := range c.GetCharges() {
		parts = append(parts, x.GetCode()+" "+usd(x.GetAmount()))
	}
	return strings.Join(parts, ", ") + " = " + usd(c.GetTotal())
}

func expectTime(t *testing.T, what string, got *typev1.EventTime, want, zone string) {
	t.Helper()
	if got == nil || !got.GetTime().AsTime().Equal(at(want)) || got.GetZone() != zone {
		t.Errorf("%s = %v, want %s %s", what, got, want, zone)
	}
}

func guide(lane, mode string, carriers ...string) *masterdatav1.RoutingGuideChanged {
	g := &masterdatav1.RoutingGuide{Name: "routingGuides/" + lane + "-" + mode, Lane: "lanes/" + lane, Mode: mode}
	for i, c := range carriers {
		g.Choices = append(g.Choices, &masterdatav1.RoutingGuide_Choice{Rank: int32(i + 1), Carrier: "parties/CAR-" + c})
	}
	return &masterdatav1.RoutingGuideChanged{RoutingGuide: g}
}
