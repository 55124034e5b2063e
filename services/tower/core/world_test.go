package core_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/tower/core"
)

// morning is when the customer order 08292233294 arrives: Monday 06:05 in Columbus.
var morning = time.Date(2026, 3, 2, 11, 5, 0, 0, time.UTC)

// logs are the services that tower follows.
var logs = []string{"masterdata", "orders", "freight", "billing", "workflow", "edi"}

// world is tower behind its real interceptors, and the logs and services that it reads, played by the test.
type world struct {
	t       *testing.T
	dir     string
	clock   *clock.Manual
	machine clock.Machine // of tower
	logs    map[string]*store.Store
	peers   map[string]*peer
	core    *core.Core
	server  *platformtest.Server
	tower   towerv1.TowerServiceClient
}

// peer is what another service says of itself when tower checks.
type peer struct {
	eventlogv1.EventLogServiceServer
	ediv1.EdiServiceServer
	consumers []*eventlogv1.Consumer
	counts    []*ediv1.MessageCount
	tasks     []*eventlogv1.Task
	parked    []*eventlogv1.ParkedFact
	silent    bool // it does not say what waits
}

func (p *peer) ListTasks(context.Context, *eventlogv1.ListTasksRequest) (*eventlogv1.ListTasksResponse, error) {
	if p.silent {
		return nil, status.Error(codes.Unavailable, "being stopped")
	}
	return &eventlogv1.ListTasksResponse{Tasks: p.tasks}, nil
}

func (p *peer) ListParkedFacts(context.Context, *eventlogv1.ListParkedFactsRequest) (*eventlogv1.ListParkedFactsResponse, error) {
	return &eventlogv1.ListParkedFactsResponse{ParkedFacts: p.parked}, nil
}

func (p *peer) ListConsumers(context.Context, *eventlogv1.ListConsumersRequest) (*eventlogv1.ListConsumersResponse, error) {
	return &eventlogv1.ListConsumersResponse{Consumers: p.consumers}, nil
}

// ListMessageCounts gives one count on each page.
func (p *peer) ListMessageCounts(_ context.Context, req *ediv1.ListMessageCountsRequest) (*ediv1.ListMessageCountsResponse, error) {
	n := len(req.GetPageToken())
	if n >= len(p.counts) {
		return &ediv1.ListMessageCountsResponse{}, nil
	}
	resp := &ediv1.ListMessageCountsResponse{MessageCounts: p.counts[n : n+1]}
	if n+1 < len(p.counts) {
		resp.NextPageToken = "xxxxxxxxxx"[:n+1]
	}
	return resp, nil
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), clock: clock.NewManual(morning), logs: map[string]*store.Store{}, peers: map[string]*peer{}}
	for _, log := range logs {
		s, err := store.Open(t.Context(), store.Options{Path: filepath.Join(w.dir, log+".db"), Schema: store.Schema{Service: log, Version: 1}, Clock: w.clock, NoSync: true})
		w.must(err)
		w.logs[log], w.peers[log] = s, &peer{}
	}
	w.machine = w.clock
	w.open()
	t.Cleanup(func() {
		w.must(w.core.Close())
		for _, s := range w.logs {
			w.must(s.Close())
		}
		report, err := store.Verify(context.Background(), core.Path(w.dir), core.Schema())
		if err != nil || len(report.Breaches) > 0 {
			t.Errorf("verify: %v %q", err, report.Breaches)
		}
	})
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
	feeds, conns := map[string]eventlog.Source{}, map[string]grpc.ClientConnInterface{}
	for log, s := range w.logs {
		feeds[log] = eventlog.Local(s)
		conns[log] = platformtest.New(w.t, platformtest.Config{Service: log, Register: func(r grpc.ServiceRegistrar) {
			eventlogv1.RegisterEventLogServiceServer(r, w.peers[log])
			ediv1.RegisterEdiServiceServer(r, w.peers[log])
		}}).As("tower")
	}
	var err error
	w.core, err = core.Open(w.t.Context(), core.Deps{DataDir: w.dir, Business: w.clock, Machine: w.machine, IDs: typeid.Sequence(1), Feeds: feeds, Peers: conns})
	w.must(err)
	w.core.Followers().Stepping = true
	w.server = platformtest.New(w.t, platformtest.Config{Service: "tower", Register: w.core.Register, Own: w.core.Store(), Waiter: w.core.Followers()})
	w.tower = towerv1.NewTowerServiceClient(w.server.AsUser())
}

// restart closes tower and opens it again.
func (w *world) restart() {
	w.t.Helper()
	w.must(w.core.Close())
	w.open()
}

// drive reads the followed logs to their ends.
func (w *world) drive() {
	w.t.Helper()
	var steppers []step.Stepper
	for _, s := range w.core.Steppers() {
		steppers = append(steppers, s.Stepper)
	}
	w.must(platformtest.Drive(w.t.Context(), w.clock.Now, 1000, steppers...))
}

// tell writes a fact into a followed log, in an entry of its own, that happened at an instant, and is about its subject and what is
// related.
func (w *world) tell(log string, at time.Time, payload proto.Message, subject string, related ...string) {
	w.t.Helper()
	w.clock.Set(at)
	_, err := w.logs[log].Change(w.t.Context(), store.Cause{Principal: "service/" + log, Method: "/test/Tell", Actor: "partner/CAR-CXBB"}, func(tx *store.Tx) ([]byte, error) {
		tx.OccurAt(at)
		return nil, tx.Emit(store.Fact{Type: string(payload.ProtoReflect().Descriptor().Name()), Subject: subject, Related: related, Payload: payload})
	})
	w.must(err)
	w.drive()
}

// get gets a page.
func (w *world) get(path string) (int, http.Header, string) {
	w.t.Helper()
	answer := httptest.NewRecorder()
	w.core.Pages().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	return answer.Code, answer.Header(), answer.Body.String()
}

// usd is an amount of whole cents.
func usd(cents int64) *money.Money {
	return &money.Money{CurrencyCode: "USD", Units: cents / 100, Nanos: int32(cents%100) * 10_000_000}
}

func at(t time.Time) *typev1.EventTime {
	return &typev1.EventTime{Time: timestamppb.New(t), Zone: "America/New_York", Rule: typev1.EventTime_AS_GIVEN}
}
