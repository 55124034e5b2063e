package core_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"crypto/rand"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	edgev1 "crossdock.dev/gen/crossdock/edge/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/gen/openapi"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/edge/core"
	"crossdock.dev/services/edge/internal/app"
	"crossdock.dev/services/edge/internal/inbound"
	"crossdock.dev/services/edge/internal/webhook"
)

// hooks is an edge that follows logs which the test writes, and an endpoint that answers as the test says.
type hooks struct {
	t        *testing.T
	dir      string
	core     *core.Core
	grpc     *platformtest.Server
	client   edgev1.WebhookServiceClient
	machine  *clock.Manual
	log      *syncBuffer
	logs     map[string]*store.Store
	endpoint *httptest.Server

	mu     sync.Mutex
	status map[string]int // by path; 200 when it says nothing
	got    []message
}

type message struct {
	path, id string
	header   http.Header
	body     []byte
}

func startHooks(t *testing.T) *hooks {
	t.Helper()
	h := &hooks{
		t: t, dir: t.TempDir(), machine: clock.NewManual(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)), log: &syncBuffer{},
		logs: map[string]*store.Store{}, status: map[string]int{},
	}
	for _, name := range []string{"orders", "freight", "billing"} {
		s, err := store.Open(t.Context(), store.Options{
			Path: filepath.Join(t.TempDir(), name+".db"), Clock: clock.Fixed(story), Random: rand.Reader,
			Schema: store.Schema{Service: name, Version: 1, Buckets: []*store.Bucket{{Name: "facts", Kind: store.Record, Doc: "for tests"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		h.logs[name] = s
	}
	h.endpoint = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got = append(h.got, message{r.URL.Path, r.Header.Get("webhook-id"), r.Header, body})
		if s := h.status[r.URL.Path]; s != 0 {
			w.WriteHeader(s)
		}
	}))
	t.Cleanup(h.endpoint.Close)
	h.open()
	t.Cleanup(func() { _ = h.core.Close() })
	return h
}

func (h *hooks) open() {
	h.t.Helper()
	feeds := map[string]eventlog.Source{}
	for name, s := range h.logs {
		feeds[name] = eventlog.Local(s)
	}
	log := slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	h.core, err = core.Open(h.t.Context(), core.Deps{
		DataDir: h.dir, Business: clock.Fixed(story), Machine: h.machine, IDs: typeid.Random(clock.System()), Rand: rand.Reader, Log: log,
		Feeds: feeds, Development: true,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.grpc = platformtest.New(h.t, platformtest.Config{Service: "edge", Register: h.core.Register, Gateways: h.core.Gateways(), Own: h.core.Store(), Log: log})
	h.client = edgev1.NewWebhookServiceClient(h.grpc.AsUser())
}

func (h *hooks) restart() {
	h.t.Helper()
	if err := h.core.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.open()
}

// settle gives every loop its turns until nothing moves.
func (h *hooks) settle() {
	h.t.Helper()
	var steppers []step.Stepper
	for _, loop := range h.core.Steppers() {
		steppers = append(steppers, loop.Stepper)
	}
	if err := platformtest.Drive(h.t.Context(), func() time.Time { return story }, 1000, steppers...); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hooks) answer(path string, status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status[path] = status
}

// received returns what came since the last call.
func (h *hooks) received() []message {
	h.mu.Lock()
	defer h.mu.Unlock()
	got := h.got
	h.got = nil
	return got
}

// tell puts a fact into a log.
func (h *hooks) tell(log string, payload proto.Message) {
	h.t.Helper()
	h.hear(story, log, payload)
}

// hear is tell with the time at which the suite heard of it.
func (h *hooks) hear(at time.Time, log string, payload proto.Message) {
	h.t.Helper()
	_, err := h.logs[log].Change(h.t.Context(), store.Cause{Principal: "service/" + log, Method: "test", ReceiveTime: at}, func(tx *store.Tx) ([]byte, error) {
		return nil, tx.Emit(store.Fact{Type: string(payload.ProtoReflect().Descriptor().Name()), Subject: "subject", Payload: payload})
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *hooks) create(party, path string, events ...string) *edgev1.CreateWebhookResponse {
	h.t.Helper()
	resp, err := h.client.CreateWebhook(h.t.Context(), &edgev1.CreateWebhookRequest{
		Webhook: &edgev1.Webhook{Party: party, Url: h.endpoint.URL + path, EventTypes: events}, RequestId: party + path,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return resp
}

func (h *hooks) get(name string) *edgev1.Webhook {
	h.t.Helper()
	w, err := h.client.GetWebhook(h.t.Context(), &edgev1.GetWebhookRequest{Name: name})
	if err != nil {
		h.t.Fatal(err)
	}
	return w
}

func (h *hooks) deliveries(name string) []*edgev1.WebhookDelivery {
	h.t.Helper()
	resp, err := h.client.ListWebhookDeliveries(h.t.Context(), &edgev1.ListWebhookDeliveriesRequest{Parent: name})
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.GetDeliveries()
}

func (h *hooks) verify() {
	h.t.Helper()
	if err := h.core.Close(); err != nil {
		h.t.Fatal(err)
	}
	report, err := store.Verify(h.t.Context(), core.Path(h.dir), core.Schema())
	if err != nil || len(report.Breaches) > 0 {
		h.t.Errorf("verify: %v %v, want whole", report.Breaches, err)
	}
}

func departed(customer, order string) *freightv1.ShipmentDeparted {
	return &freightv1.ShipmentDeparted{
		Shipment: &freightv1.Shipment{Name: "shipments/shp_1", Order: order, CustomerOrderNumber: "PO-1", Customer: customer, LegalEntity: "legalEntities/NLS"},
		Occurred: &typev1.EventTime{Time: timestamppb.New(story.Add(-time.Minute)), Zone: "America/New_York"},
	}
}

// The event goes to every endpoint of the party that asked for it, signed with the endpoint's own secret, and to nobody else.
func TestEventIsSentSigned(t *testing.T) {
	h := startHooks(t)
	first := h.create("parties/CUS-PIN", "/first", "order.shipped", "order.cancelled")
	second := h.create("parties/CUS-PIN", "/second", "order.shipped")
	h.create("parties/CUS-PIN", "/other-event", "invoice.issued")
	h.create("parties/CUS-XYZ", "/other-party", "order.shipped")
	h.create("parties/CAR-CXBB", "/carrier", "order.shipped", "tender.sent")
	h.tell("freight", departed("parties/CUS-PIN", "orders/ord_1"))
	h.settle()
	got := h.received()
	if len(got) != 2 {
		t.Fatalf("%d messages, want one for each of two endpoints: %+v", len(got), got)
	}
	secrets := map[string]string{"/first": first.GetSecret(), "/second": second.GetSecret()}
	want := `{"type":"order.shipped","timestamp":"2026-03-02T10:59:00Z","data":{"path":"/v1/shipments/shp_1","order":"orders/ord_1",` +
		`"customerOrderNumber":"PO-1","shipment":"shipments/shp_1"}}`
	for _, m := range got {
		if string(m.body) != want {
			t.Errorf("%s got %s, want %s", m.path, m.body, want)
		}
		for path, secret := range secrets {
			wh, err := standardwebhooks.NewWebhook(secret)
			if err != nil {
				t.Fatal(err)
			}
			// The machine's clock is the test's; what else the library checks is checked.
			if err := wh.VerifyIgnoringTimestamp(m.body, m.header); (err == nil) != (path == m.path) {
				t.Errorf("%s with the secret of %s: %v", m.path, path, err)
			}
		}
		if got, want := m.header.Get("webhook-timestamp"), fmt.Sprint(h.machine.Now().Unix()); got != want {
			t.Errorf("webhook-timestamp %s, want machine time %s", got, want)
		}
	}
	if got[0].id == got[1].id {
		t.Errorf("two endpoints got one webhook-id %s", got[0].id)
	}
	list := h.deliveries(first.GetWebhook().GetName())
	if len(list) != 1 || list[0].GetState() != edgev1.WebhookDelivery_DELIVERED || len(list[0].GetAttempts()) != 1 || list[0].GetAttempts()[0].GetHttpStatus() != 200 {
		t.Errorf("deliveries %v, want one that was DELIVERED with 200", list)
	}
	h.verify()
}

func TestNobodyAskedNothingIsSent(t *testing.T) {
	h := startHooks(t)
	h.tell("freight", departed("parties/CUS-PIN", "orders/ord_1"))
	h.settle()
	// Who asks is not told of what the suite heard before, although edge reads it afterwards.
	h.hear(story.Add(-time.Second), "freight", departed("parties/CUS-PIN", "orders/ord_2"))
	made := h.create("parties/CUS-PIN", "/", "order.shipped").GetWebhook()
	h.settle()
	if got, list := h.received(), h.deliveries(made.GetName()); len(got) != 0 || len(list) != 0 {
		t.Errorf("%d messages, %d deliveries; want none", len(got), len(list))
	}
	h.verify()
}

// A promise is told when it is another one than told before, and not again with every fact that carries it.
func TestPromiseIsToldWhenItChanges(t *testing.T) {
	h := startHooks(t)
	h.create("parties/CUS-PIN", "/", "order.promise_changed")
	promise := func(estimate time.Time, confidence string, reasons ...string) *ordersv1.Promise {
		p := &ordersv1.Promise{
			DeliverBy:  &typev1.EventTime{Time: timestamppb.New(time.Date(2026, 3, 5, 22, 0, 0, 0, time.UTC)), Zone: "America/New_York"},
			Confidence: confidence, ConfidenceReasons: reasons,
		}
		if !estimate.IsZero() {
			p.Estimate = &typev1.EventTime{Time: timestamppb.New(estimate), Zone: "America/New_York"}
		}
		return p
	}
	late := time.Date(2026, 3, 6, 15, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		fulfilment ordersv1.Order_Fulfilment
		promise    *ordersv1.Promise
		want       string
	}{
		{ordersv1.Order_OPEN, promise(time.Time{}, ""), ""}, // as confirmed
		{ordersv1.Order_OPEN, promise(time.Time{}, "HIGH"), `{"deliverBy":"2026-03-05T17:00:00-05:00","confidence":"HIGH"}`},
		{ordersv1.Order_IN_TRANSIT, promise(time.Time{}, "HIGH"), ""},
		{ordersv1.Order_IN_TRANSIT, promise(late, "LOW", "FEED_SILENT"),
			`{"deliverBy":"2026-03-05T17:00:00-05:00","estimate":"2026-03-06T10:30:00-05:00","confidence":"LOW","reasons":["FEED_SILENT"]}`},
		{ordersv1.Order_IN_TRANSIT, promise(late, "LOW", "FEED_SILENT"), ""},
		{ordersv1.Order_IN_TRANSIT, promise(late, ""), ""},                                                 // nobody watches any more
		{ordersv1.Order_IN_TRANSIT, promise(time.Time{}, ""), `{"deliverBy":"2026-03-05T17:00:00-05:00"}`}, // in time after all
		{ordersv1.Order_DELIVERED, promise(late, ""), ""},
	} {
		h.tell("orders", &ordersv1.CommitmentChanged{Order: "orders/ord_1", Customer: "parties/CUS-PIN", CustomerOrderNumber: "PC-1016", Fulfilment: c.fulfilment, Promise: c.promise})
		h.settle()
		var got string
		for _, m := range h.received() {
			var event struct {
				Data struct{ Promise json.RawMessage }
			}
			if err := json.Unmarshal(m.body, &event); err != nil {
				t.Fatal(err)
			}
			got += string(event.Data.Promise)
		}
		if got != c.want {
			t.Errorf("%v %v: told %q, want %q", c.fulfilment, c.promise, got, c.want)
		}
	}
}

// What came to its end is kept for 30 days, and what waits as long as it waits.
func TestOldDeliveriesAreForgotten(t *testing.T) {
	h := startHooks(t)
	good := h.create("parties/CUS-PIN", "/good", "order.shipped").GetWebhook().GetName()
	bad := h.create("parties/CUS-PIN", "/bad", "order.shipped").GetWebhook().GetName()
	h.tell("freight", departed("parties/CUS-PIN", "orders/ord_1"))
	h.settle()
	h.machine.Advance(29 * 24 * time.Hour)
	h.answer("/bad", 503)
	h.tell("freight", departed("parties/CUS-PIN", "orders/ord_2"))
	h.settle()
	if g, b := len(h.deliveries(good)), len(h.deliveries(bad)); g != 2 || b != 2 {
		t.Fatalf("%d and %d deliveries after 29 days, want 2 and 2", g, b)
	}
	h.machine.Advance(24 * time.Hour)
	h.settle()
	g, b := h.deliveries(good), h.deliveries(bad)
	if len(g) != 1 || len(b) != 1 || b[0].GetState() != edgev1.WebhookDelivery_PENDING {
		t.Errorf("after 30 days: %v and %v, want the second of each", g, b)
	}
	h.verify()
}

// One fact, read twice: one delivery.
func TestDuplicateOfAFact(t *testing.T) {
	h := startHooks(t)
	made := h.create("parties/CUS-PIN", "/", "order.shipped")
	h.tell("freight", departed("parties/CUS-PIN", "orders/ord_1"))
	h.settle()
	again := app.NewWebhooks(app.WebhooksConfig{Store: h.core.Store(), Business: clock.Fixed(story), Machine: h.machine})
	entries, _, err := eventlog.Local(h.logs["freight"]).Read(t.Context(), store.Position{}, 10)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	head := &eventlogv1.Head{}
	if err := proto.Unmarshal(entries[0].Head, head); err != nil {
		t.Fatal(err)
	}
	fact := eventlog.Fact{
		Position: store.PositionOf(head.GetPosition()), Type: "ShipmentDeparted", Payload: departed("parties/CUS-PIN", "orders/ord_1"), Head: head,
	}
	for _, r := range inbound.Readers(again) {
		if r.Log != "freight" {
			continue
		}
		_, err := h.core.Store().Change(t.Context(), store.Cause{Principal: "test", Method: "test"}, func(tx *store.Tx) ([]byte, error) {
			return nil, r.Apply(t.Context(), tx, fact)
		})
		if err != eventlog.ErrIgnored {
			t.Errorf("the fact again: %v, want ignored", err)
		}
	}
	h.settle()
	if got, list := h.received(), h.deliveries(made.GetWebhook().GetName()); len(got) != 1 || len(list) != 1 {
		t.Errorf("%d messages, %d deliveries; want one of each", len(got), len(list))
	}
}

// An attempt that fails is repeated with the same webhook-id and body when machine time has come, over a restart too.
func TestRetryOverARestart(t *testing.T) {
	h := startHooks(t)
	made := h.create("parties/CUS-PIN", "/", "order.shipped").GetWebhook()
	h.answer("/", 503)
	h.tell("freight", departed("parties/CUS-PIN", "orders/ord_1"))
	h.settle()
	first := h.received()
	d := h.deliveries(made.GetName())
	if len(first) != 1 || len(d) != 1 || d[0].GetState() != edgev1.WebhookDelivery_PENDING || !d[0].GetNextAttemptTime().AsTime().Equal(h.machine.Now().Add(5*time.Second)) {
		t.Fatalf("%d messages, deliveries %v; want one, PENDING for 5 s more", len(first), d)
	}
	h.restart()
	h.machine.Advance(5*time.Second - 1)
	h.settle()
	if got := h.received(); len(got) != 0 {
		t.Fatalf("%d messages before the time has come, want none", len(got))
	}
	h.machine.Advance(1)
	h.settle()
	h.answer("/", 0)
	h.machine.Advance(5 * time.Minute)
	h.restart()
	h.settle()
	got := h.received()
	if len(got) != 2 {
		t.Fatalf("%d messages, want the second and the third attempt", len(got))
	}
	for _, m := range got {
		if m.id != first[0].id || !bytes.Equal(m.body, first[0].body) {
			t.Errorf("again as %s %s, want %s %s", m.id, m.body, first[0].id, first[0].body)
		}
	}
	var statuses []int32
	d = h.deliveries(made.GetName())
	for _, a := range d[0].GetAttempts() {
		statuses = append(statuses, a.GetHttpStatus())
	}
	if diff := cmp.Diff([]int32{503, 503, 200}, statuses); diff != "" || d[0].GetState() != edgev1.WebhookDelivery_DELIVERED {
		t.Errorf("%v, attempts (-want +got):\n%s", d[0].GetState(), diff)
	}
	h.verify()
}

// The machine's clock is set back by an hour while a delivery waits for 5 s, the program running or not: it does not wait for the hour
// to come again.
func TestRetryWhenTheClockIsSetBack(t *testing.T) {
	for _, down := range []bool{false, true} {
		h := startHooks(t)
		made := h.create("parties/CUS-PIN", "/", "order.shipped").GetWebhook()
		h.answer("/", 503)
		h.tell("freight", departed("parties/CUS-PIN", "orders/ord_1"))
		h.settle()
		h.machine.Advance(2 * time.Minute) // long after the start
		h.settle()                         // the next attempt follows after 5 min
		first := h.received()
		h.answer("/", 0)
		h.machine.Advance(-time.Hour)
		if down {
			h.restart()
		}
		h.settle()
		got := h.received()
		if len(first) != 2 || len(got) != 1 || got[0].id != first[0].id || h.deliveries(made.GetName())[0].GetState() != edgev1.WebhookDelivery_DELIVERED {
			t.Errorf("down %t: %d attempts before, %d after, deliveries %v; want 2, 1, DELIVERED", down, len(first), len(got), h.deliveries(made.GetName()))
		}
		h.settle()
		if got := h.received(); len(got) != 0 {
			t.Errorf("down %t: %d more attempts, want none", down, len(got))
		}
		h.verify()
	}
}

// A program that was killed after the endpoint answered and before the answer was recorded sends again, with the same id.
func TestKilledBetweenAnswerAndRecord(t *testing.T) {
	h := startHooks(t)
	h.create("parties/CUS-PIN", "/", "order.shipped")
	h.tell("freight", departed("parties/CUS-PIN", "orders/ord_1"))
	var tasks step.Stepper
	for _, loop := range h.core.Steppers() {
		if loop.Name == "tasks" {
			tasks = loop.Stepper
			continue
		}
		if _, err := loop.Stepper.Step(t.Context(), story); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	h.endpoint.Config.Handler = killOnce(h, cancel)
	if _, err := tasks.Step(ctx, story); err == nil {
		t.Fatal("the attempt was recorded, want it lost")
	}
	h.restart()
	h.settle()
	got := h.received()
	if len(got) != 2 || got[0].id != got[1].id {
		t.Errorf("%d messages %v, want two with one webhook-id", len(got), got)
	}
}

// killOnce ends the program's context while the endpoint answers.
func killOnce(h *hooks, cancel func()) http.Handler {
	next := h.endpoint.Config.Handler
	var once sync.Once
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		once.Do(cancel)
	})
}

// After ten attempts the delivery has failed and the endpoint is marked; a person resends, and it is well again.
func TestGivenUpAndResent(t *testing.T) {
	h := startHooks(t)
	made := h.create("parties/CUS-PIN", "/", "order.shipped").GetWebhook()
	h.answer("/", 500)
	h.tell("freight", departed("parties/CUS-PIN", "orders/ord_1"))
	h.settle()
	begun := h.machine.Now()
	for range 9 {
		h.machine.Set(h.deliveries(made.GetName())[0].GetNextAttemptTime().AsTime())
		h.settle()
	}
	d := h.deliveries(made.GetName())[0]
	if d.GetState() != edgev1.WebhookDelivery_FAILED || d.GetAttemptCount() != 10 || len(h.received()) != 10 {
		t.Fatalf("%v, want FAILED after 10 attempts", d)
	}
	if took := h.machine.Now().Sub(begun); took < 3*24*time.Hour || took > 4*24*time.Hour {
		t.Errorf("given up after %v, want a little more than 3 days", took)
	}
	if w := h.get(made.GetName()); w.GetState() != edgev1.Webhook_FAILING {
		t.Errorf("endpoint %v, want FAILING", w.GetState())
	}
	h.answer("/", 0)
	if _, err := h.client.ResendWebhookDelivery(t.Context(), &edgev1.ResendWebhookDeliveryRequest{Name: d.GetName(), RequestId: "r1"}); err != nil {
		t.Fatal(err)
	}
	h.settle()
	got := h.received()
	if len(got) != 1 || !strings.HasSuffix(d.GetName(), got[0].id) {
		t.Errorf("resent: %d messages, want one with the webhook-id of %s", len(got), d.GetName())
	}
	if w := h.get(made.GetName()); w.GetState() != edgev1.Webhook_ACTIVE {
		t.Errorf("endpoint %v, want ACTIVE again", w.GetState())
	}
	h.verify()
}

// 410 disables: what waits fails, what happens is not sent, until somebody enables it.
func TestGone(t *testing.T) {
	h := startHooks(t)
	made := h.create("parties/CUS-PIN", "/", "order.shipped").GetWebhook()
	h.answer("/", 503)
	h.tell("freight", departed("parties/CUS-PIN", "orders/ord_1"))
	h.settle()
	h.answer("/", 410)
	h.tell("freight", departed("parties/CUS-PIN", "orders/ord_2"))
	h.settle()
	if w := h.get(made.GetName()); w.GetState() != edgev1.Webhook_DISABLED || w.GetReason() != edgev1.Webhook_GONE {
		t.Errorf("endpoint %v, want DISABLED as GONE", w)
	}
	h.received()
	h.tell("freight", departed("parties/CUS-PIN", "orders/ord_3"))
	h.machine.Advance(time.Hour)
	h.settle()
	if got := h.received(); len(got) != 0 {
		t.Errorf("%d messages to a disabled endpoint, want none", len(got))
	}
	var states []string
	for _, d := range h.deliveries(made.GetName()) {
		states = append(states, fmt.Sprint(d.GetState(), " ", d.GetAttempts()[len(d.GetAttempts())-1].GetError()))
	}
	if len(states) != 2 || !strings.HasPrefix(states[0]+states[1], "FAILED") || !strings.Contains(strings.Join(states, ","), "FAILED DISABLED") {
		t.Errorf("deliveries %v, want two that failed, the one that waited because the endpoint is disabled", states)
	}
	_, err := h.client.ResendWebhookDelivery(t.Context(), &edgev1.ResendWebhookDeliveryRequest{Name: h.deliveries(made.GetName())[0].GetName(), RequestId: "r1"})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("resend to a disabled endpoint: %v, want FAILED_PRECONDITION", err)
	}
	if _, err := h.client.EnableWebhook(t.Context(), &edgev1.EnableWebhookRequest{Name: made.GetName(), RequestId: "r2"}); err != nil {
		t.Fatal(err)
	}
	h.answer("/", 0)
	h.tell("freight", departed("parties/CUS-PIN", "orders/ord_4"))
	h.settle()
	if got := h.received(); len(got) != 1 || !strings.Contains(string(got[0].body), "ord_4") {
		t.Errorf("after enabling: %d messages, want what happened since", len(got))
	}
}

// The secret is in one answer, and in no repeat, list, log line or fact. A rolled one signs for a day more.
func TestSecretOfAnEndpoint(t *testing.T) {
	h := startHooks(t)
	made := h.create("parties/CUS-PIN", "/", "order.shipped")
	if again := h.create("parties/CUS-PIN", "/", "order.shipped"); again.GetSecret() != "" || !proto.Equal(again.GetWebhook(), made.GetWebhook()) {
		t.Errorf("repeat: %v, want the same endpoint and no secret", again)
	}
	roll := &edgev1.RollWebhookSecretRequest{Name: made.GetWebhook().GetName(), RequestId: "roll"}
	rolled, err := h.client.RollWebhookSecret(t.Context(), roll)
	if err != nil || rolled.GetSecret() == "" || rolled.GetSecret() == made.GetSecret() {
		t.Fatalf("roll: %v, want another secret", err)
	}
	if again, err := h.client.RollWebhookSecret(t.Context(), roll); err != nil || again.GetSecret() != "" {
		t.Errorf("roll again: %v, want no secret", err)
	}
	signed := func() (old, current bool) {
		h.tell("freight", departed("parties/CUS-PIN", "orders/ord_1"))
		h.settle()
		got := h.received()
		if len(got) != 1 {
			t.Fatalf("%d messages, want one", len(got))
		}
		var answers []bool
		for _, secret := range []string{made.GetSecret(), rolled.GetSecret()} {
			wh, err := standardwebhooks.NewWebhook(secret)
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, wh.VerifyIgnoringTimestamp(got[0].body, got[0].header) == nil)
		}
		return answers[0], answers[1]
	}
	if old, current := signed(); !old || !current {
		t.Errorf("after the roll: signed with the old one %v, with the new one %v; want both", old, current)
	}
	h.machine.Advance(24 * time.Hour)
	if old, current := signed(); old || !current {
		t.Errorf("a day later: signed with the old one %v, with the new one %v; want the new one alone", old, current)
	}
	entries, _, err := eventlog.Local(h.core.Store()).Read(t.Context(), store.Position{}, 1000)
	if err != nil || len(entries) == 0 {
		t.Fatal(err)
	}
	held := map[string][]byte{"log": []byte(h.log.String())}
	for _, e := range entries {
		held["feed"] = append(held["feed"], e.Head...)
	}
	for _, secret := range []string{made.GetSecret(), rolled.GetSecret()} {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil || len(raw) != 32 {
			t.Fatalf("a secret of %d bytes, %v; want 32", len(raw), err)
		}
		for where, data := range held {
			if bytes.Contains(data, raw) || bytes.Contains(data, []byte(strings.TrimPrefix(secret, "whsec_"))) {
				t.Errorf("the %s holds a secret", where)
			}
		}
	}
	h.verify()
	if info, err := os.Stat(core.Path(h.dir)); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the store, which holds the secrets, has mode %v", info.Mode())
	}
}

// By REST a partner manages its own endpoints, and learns nothing of another's.
func TestPartnersManageTheirOwn(t *testing.T) {
	h := startHooks(t)
	mine := h.grpc.Partner("parties/CUS-PIN", "webhooks.read", "webhooks.write")
	other := h.grpc.Partner("parties/CUS-XYZ", "webhooks.read", "webhooks.write")
	reader := h.grpc.Partner("parties/CUS-PIN", "orders.read")
	body := fmt.Sprintf(`{"url":%q,"eventTypes":["order.shipped"]}`, h.endpoint.URL)
	created := mine.Do("POST", "/v1/webhooks", body, "Idempotency-Key", "k1")
	var answer struct {
		Webhook struct{ Name, Party, State string }
		Secret  string
	}
	if err := json.Unmarshal(created.Body, &answer); err != nil || created.Status != 200 || answer.Webhook.Party != "parties/CUS-PIN" || !strings.HasPrefix(answer.Secret, "whsec_") {
		t.Fatalf("create: %d %s", created.Status, created.Body)
	}
	name := answer.Webhook.Name
	for _, c := range []struct{ method, path, body string }{
		{"GET", "", ""}, {"GET", "/deliveries", ""}, {"POST", ":roll", "{}"}, {"POST", ":disable", "{}"}, {"POST", ":enable", "{}"},
	} {
		key := func(of string) []string {
			if c.method == "GET" {
				return nil
			}
			return []string{"Idempotency-Key", of + c.path}
		}
		stranger := other.Do(c.method, "/v1/"+name+c.path, c.body, key("stranger")...)
		missing := other.Do(c.method, "/v1/webhooks/whk_none"+c.path, c.body, key("missing")...)
		if stranger.Status != 404 || missing.Status != 404 || stranger.Problem(t).Reason != missing.Problem(t).Reason {
			t.Errorf("%s %s by another: %d, a missing one: %d; want 404 for both", c.method, c.path, stranger.Status, missing.Status)
		}
		if got := reader.Do(c.method, "/v1/"+name+c.path, c.body, key("reader")...); got.Status != 403 {
			t.Errorf("%s %s without the scope: %d, want 403", c.method, c.path, got.Status)
		}
		if got := mine.Do(c.method, "/v1/"+name+c.path, c.body, key("owner")...); got.Status != 200 {
			t.Errorf("%s %s by the owner: %d %s, want 200", c.method, c.path, got.Status, got.Body)
		}
	}
	if got := other.Do("GET", "/v1/webhooks", ""); string(got.Body) != "{}" {
		t.Errorf("list by another: %s, want nothing", got.Body)
	}
	if got := mine.Do("GET", "/v1/webhooks", ""); !strings.Contains(string(got.Body), name) || strings.Contains(string(got.Body), "whsec_") {
		t.Errorf("list by the owner: %s, want the endpoint without its secret", got.Body)
	}
	if got := other.Do("POST", "/v1/webhooks", `{"party":"parties/CUS-PIN",`+body[1:], "Idempotency-Key", "k2"); got.Status != 403 {
		t.Errorf("an endpoint in another's name: %d %s, want 403", got.Status, got.Body)
	}
	bad := mine.Do("POST", "/v1/webhooks", `{"url":"http://example.com/","eventTypes":["order.lost"]}`, "Idempotency-Key", "k3")
	fields := map[string]string{}
	for _, f := range bad.Problem(t).Fields {
		fields[f.Field] = f.Reason
	}
	if diff := cmp.Diff(map[string]string{"webhook.url": "URL_REFUSED", "webhook.eventTypes[0]": "UNKNOWN_EVENT_TYPE"}, fields); diff != "" {
		t.Errorf("bad fields (-want +got):\n%s", diff)
	}
}

// Endpoints and deliveries come newest first, a page at a time.
func TestWebhookPages(t *testing.T) {
	h := startHooks(t)
	var want []string
	for i := range 3 {
		w := h.create("parties/CUS-PIN", fmt.Sprint("/", i), "order.shipped").GetWebhook()
		want = append(want, w.GetName())
	}
	slices.Sort(want) // names of one millisecond have no order among them
	slices.Reverse(want)
	for range 3 {
		h.tell("freight", departed("parties/CUS-PIN", "orders/ord_1"))
	}
	h.settle()
	var got []string
	for token, first := "", true; first || token != ""; first = false {
		resp, err := h.client.ListWebhooks(t.Context(), &edgev1.ListWebhooksRequest{PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range resp.GetWebhooks() {
			got = append(got, w.GetName())
		}
		token = resp.GetNextPageToken()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
	seen := map[string]bool{}
	for token, first := "", true; first || token != ""; first = false {
		resp, err := h.client.ListWebhookDeliveries(t.Context(), &edgev1.ListWebhookDeliveriesRequest{Parent: want[0], PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range resp.GetDeliveries() {
			seen[d.GetName()] = true
		}
		token = resp.GetNextPageToken()
	}
	if len(seen) != 3 {
		t.Errorf("%d deliveries over the pages, want 3", len(seen))
	}
	if _, err := h.client.ListWebhooks(t.Context(), &edgev1.ListWebhooksRequest{PageToken: "bad"}); rpcerr.Reason(err) != "INVALID_PAGE_TOKEN" {
		t.Errorf("bad token: %v, want INVALID_PAGE_TOKEN", err)
	}
}

func TestTooManyEndpoints(t *testing.T) {
	h := startHooks(t)
	for i := range webhook.MaxEndpoints {
		h.create("parties/CUS-PIN", fmt.Sprint("/", i), "order.shipped")
	}
	_, err := h.client.CreateWebhook(t.Context(), &edgev1.CreateWebhookRequest{
		Webhook: &edgev1.Webhook{Party: "parties/CUS-PIN", Url: h.endpoint.URL, EventTypes: []string{"order.shipped"}}, RequestId: "one more",
	})
	if e := rpcerr.From(err); len(e.Fields) != 1 || e.Fields[0].Reason != "TOO_MANY" {
		t.Errorf("got %v, want TOO_MANY", err)
	}
	h.create("parties/CUS-XYZ", "/", "order.shipped") // another party's count apart
}

// The door serves /v1/webhooks by edge's own gateway, as the program does: the key decides whose endpoints they are.
func TestWebhooksThroughTheDoor(t *testing.T) {
	s := start(t)
	own, closeOwn, err := s.core.Own(s.grpc.PKI.Service("edge"), s.grpc.PKI.TokenKeys())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closeOwn(); err != nil {
			t.Error(err)
		}
	})
	signer, err := auth.NewSigner(s.grpc.PKI.TokenKey(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	door, err := s.core.Door(core.Door{
		Signer: signer, Routes: []core.Route{{Prefix: "/v1/webhooks", Service: "edge"}}, Backends: map[string]core.Backend{"edge": own}, OpenAPI: openapi.Files,
		Quota: core.Quota{PerSecond: 10, Burst: 20, AtOnce: 64, Partners: 8}, MaxBody: 1 << 20, MaxInFlight: 8, Timeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.door.Close()
	s.door = httptest.NewServer(door)
	t.Cleanup(s.door.Close)
	key := s.create("parties/CUS-PIN", "r1", "customer").GetSecret()
	got := s.send("POST", "/v1/webhooks", key, `{"url":"https://example.com/hook","eventTypes":["order.shipped"]}`, "Idempotency-Key", "k1", "Content-Type", "application/json")
	if got.Status != 200 || !strings.Contains(string(got.Body), `"parties/CUS-PIN"`) || !strings.Contains(string(got.Body), "whsec_") {
		t.Fatalf("create: %d %s", got.Status, got.Body)
	}
	if got.Header.Get("Crossdock-Position") == "" || len(got.Header.Values("X-Request-Id")) != 1 {
		t.Errorf("headers %v, want the position and one request id", got.Header)
	}
	if got := s.send("GET", "/v1/webhooks", key, ""); got.Status != 200 || !strings.Contains(string(got.Body), "https://example.com/hook") || strings.Contains(string(got.Body), "whsec_") {
		t.Errorf("list: %d %s", got.Status, got.Body)
	}
	// Outside development an endpoint on the own machine is refused.
	if got := s.send("POST", "/v1/webhooks", key, `{"url":"https://127.0.0.1/hook","eventTypes":["order.shipped"]}`, "Idempotency-Key", "k2"); got.Status != 400 {
		t.Errorf("loopback: %d %s, want 400", got.Status, got.Body)
	}
	if got := s.send("GET", "/openapi/edge.json", "", ""); got.Status != 200 {
		t.Errorf("document: %d, want 200", got.Status)
	}
}
