package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"crossdock.dev/cmd/crossdock/internal/suite"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/discovery/consul"
	"crossdock.dev/platform/platformtest"
)

// statusJSON is what programs read of `crossdock status -o json`.
type statusJSON struct {
	Well     bool
	Problems []struct{ Problem, Service, Detail string }
	Services []struct {
		Service, Health, Why string
		LastSequence         uint64 `json:"last_sequence"`
		LastFact             *struct {
			Type, Subject string
			Time          time.Time
		} `json:"last_fact"`
		Consumers []struct {
			Log            string
			Sequence       uint64
			Last           *uint64
			Behind, Parked uint64
			OldestUnread   *time.Time `json:"oldest_unread"`
			BehindSeconds  *float64   `json:"behind_seconds"`
		}
		Tasks struct {
			Waiting, Due, Failed int
			InDoubt              int        `json:"in_doubt"`
			OldestDue            *time.Time `json:"oldest_due"`
		}
		StoreBytes int64 `json:"store_bytes"`
	}
}

// node is a service as status sees it: a log of entries, its consumers and its tasks.
type node struct {
	eventlogv1.EventLogServiceServer
	log       string
	facts     []string // one for each entry, "" for an entry without
	consumers []*eventlogv1.Consumer
	parked    []*eventlogv1.ParkedFact
	tasks     []*eventlogv1.Task
}

func (n *node) at(sequence int) *eventlogv1.Position {
	return &eventlogv1.Position{Log: n.log, Epoch: 1, Sequence: uint64(sequence)}
}

func (n *node) GetLog(context.Context, *eventlogv1.GetLogRequest) (*eventlogv1.Log, error) {
	return &eventlogv1.Log{Name: "logs/" + n.log, Last: n.at(len(n.facts))}, nil
}

// ReadEntries gives entry n the apply time 11:00 and n minutes.
func (n *node) ReadEntries(_ context.Context, req *eventlogv1.ReadEntriesRequest) (*eventlogv1.ReadEntriesResponse, error) {
	resp := &eventlogv1.ReadEntriesResponse{Last: n.at(len(n.facts))}
	for i := int(req.GetAfter().GetSequence()); i < len(n.facts); i++ {
		if req.GetPageSize() > 0 && len(resp.Entries) == int(req.GetPageSize()) {
			break
		}
		h := &eventlogv1.Head{Position: n.at(i + 1), ApplyTime: at(fmt.Sprintf("2026-03-02T11:%02d:00Z", i+1))}
		if n.facts[i] != "" {
			h.Facts = []*eventlogv1.Fact{{Type: n.facts[i], Subject: "orders/" + orderID}}
		}
		raw, err := proto.Marshal(h)
		if err != nil {
			return nil, err
		}
		resp.Entries = append(resp.Entries, &eventlogv1.Entry{Head: raw})
	}
	return resp, nil
}

func (n *node) ListConsumers(context.Context, *eventlogv1.ListConsumersRequest) (*eventlogv1.ListConsumersResponse, error) {
	return &eventlogv1.ListConsumersResponse{Consumers: n.consumers}, nil
}

func (n *node) ListParkedFacts(context.Context, *eventlogv1.ListParkedFactsRequest) (*eventlogv1.ListParkedFactsResponse, error) {
	return &eventlogv1.ListParkedFactsResponse{ParkedFacts: n.parked}, nil
}

func (n *node) GetFence(context.Context, *eventlogv1.GetFenceRequest) (*eventlogv1.Fence, error) {
	return &eventlogv1.Fence{}, nil
}

func (n *node) ListTasks(context.Context, *eventlogv1.ListTasksRequest) (*eventlogv1.ListTasksResponse, error) {
	return &eventlogv1.ListTasksResponse{Tasks: n.tasks}, nil
}

// nodes are all services, at rest.
type nodes struct {
	t       *testing.T
	nodes   map[string]*node
	health  map[string]*health.Server
	conns   map[string]grpc.ClientConnInterface
	data    string
	metrics map[string]string // what the admin listener says, by service
	unready map[string]string // why it is not ready, by service
}

func newNodes(t *testing.T) *nodes {
	t.Helper()
	s := &nodes{t: t, nodes: map[string]*node{}, health: map[string]*health.Server{}, conns: map[string]grpc.ClientConnInterface{}, data: t.TempDir(),
		metrics: map[string]string{}, unready: map[string]string{}}
	l := suite.Layout{Dir: s.data}
	if err := l.Prepare(); err != nil {
		t.Fatal(err)
	}
	run := suite.Plan(l, "/bin", 7100, true)
	if err := os.WriteFile(l.Clock(), []byte(`{"at":"2026-03-02T12:00:00Z"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range suite.Names() {
		n := &node{log: name}
		s.nodes[name], s.health[name] = n, health.NewServer()
		s.conns[name] = platformtest.New(t, platformtest.Config{Service: name, Register: func(r grpc.ServiceRegistrar) {
			eventlogv1.RegisterEventLogServiceServer(r, n)
			healthv1.RegisterHealthServer(r, s.health[name])
		}}).AsUser()
		admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch why := s.unready[name]; {
			case r.URL.Path == "/metrics":
				fmt.Fprint(w, s.metrics[name])
			case why != "":
				w.WriteHeader(http.StatusServiceUnavailable)
				_ = json.NewEncoder(w).Encode(map[string]any{"title": "Unavailable", "metadata": map[string]string{"why": why}})
			}
		}))
		t.Cleanup(admin.Close)
		a := run.Services[name]
		a.Admin = strings.TrimPrefix(admin.URL, "http://")
		run.Services[name] = a
	}
	if err := run.Write(l.File()); err != nil {
		t.Fatal(err)
	}
	s.nodes["orders"].facts = []string{"OrderCreated", "OrderConfirmed", "OrderReleased", ""}
	s.nodes["workflow"].consumers = []*eventlogv1.Consumer{{Log: "orders", Cursor: s.nodes["orders"].at(4)}}
	return s
}

func (s *nodes) status(args ...string) (code int, got statusJSON, errOut string) {
	s.t.Helper()
	code, out, errOut := s.run(append([]string{"status", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		s.t.Fatalf("%v in %s; %s", err, out, errOut)
	}
	return code, got, errOut
}

func (s *nodes) run(args ...string) (code int, out, errOut string) {
	s.t.Helper()
	return run(s.t, func(service string) (grpc.ClientConnInterface, error) { return s.conns[service], nil }, append(args, "--data", s.data)...)
}

func TestStatusOfASuiteAtRest(t *testing.T) {
	s := newNodes(t)
	if err := os.WriteFile(filepath.Join(s.data, "data", "orders", "orders.db"), make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	code, got, errOut := s.status()
	if code != 0 || !got.Well || len(got.Problems) != 0 || len(got.Services) != 8 {
		t.Fatalf("exit %d, %+v, %s; want 0 and a well suite of 8", code, got, errOut)
	}
	o := got.Services[1]
	if o.Service != "orders" || o.Health != "serving" || o.LastSequence != 4 || o.StoreBytes != 4096 || o.LastFact == nil || o.LastFact.Type != "OrderReleased" ||
		!o.LastFact.Time.Equal(time.Date(2026, 3, 2, 11, 3, 0, 0, time.UTC)) {
		t.Errorf("orders %+v; want 4 entries, 4096 bytes, OrderReleased of 11:03 as the last fact", o)
	}
	w := got.Services[4]
	if c := w.Consumers[0]; w.Service != "workflow" || c.Log != "orders" || c.Last == nil || *c.Last != 4 || c.Behind != 0 || c.OldestUnread != nil {
		t.Errorf("workflow %+v; want orders read to its end, 4", w)
	}
	code, out, _ := s.run("status")
	if code != 0 || !strings.Contains(out, "orders 4/4") || !strings.Contains(out, "business time 2026-03-02 12:00:00Z") || !strings.Contains(out, " free of ") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// Each of these makes the suite not well, and is told by its word and in words.
func TestStatusProblems(t *testing.T) {
	due := func(s *nodes, state eventlogv1.Task_State, attempts uint32, refusal string) {
		s.nodes["freight"].tasks = []*eventlogv1.Task{{Name: "tasks/task_1", Kind: "timer.tender_expiry", State: state, Attempts: attempts, LastError: refusal, DueTime: at("2026-03-02T11:50:00Z")},
			{Name: "tasks/task_2", Kind: "timer.tender_expiry", State: eventlogv1.Task_PENDING, DueTime: at("2026-03-02T12:30:00Z")}}
	}
	for name, c := range map[string]struct {
		arrange func(s *nodes)
		want    string // word, service and a part of the detail; empty for none
	}{
		"parked": {func(s *nodes) {
			s.nodes["workflow"].consumers[0].Parked = 2
			s.nodes["workflow"].parked = []*eventlogv1.ParkedFact{{Name: "consumers/orders/parkedFacts/0000000000000002-0000", Position: s.nodes["orders"].at(2), Type: "OrderConfirmed", Reason: "no such lane"}}
		}, "FACTS_PARKED workflow orders: 2 parked; consumers/orders/parkedFacts/0000000000000002-0000 OrderConfirmed: no such lane"},
		"behind for long": {func(s *nodes) {
			s.nodes["workflow"].consumers[0].Cursor = s.nodes["orders"].at(1)
			s.metrics["workflow"] = "# TYPE crossdock_feed_behind_seconds gauge\ncrossdock_feed_behind_seconds{log=\"orders\"} 125\n"
		}, "BEHIND workflow orders: 3 entries unread, behind for 2m05s"},
		"behind for a moment": {func(s *nodes) {
			s.nodes["workflow"].consumers[0].Cursor = s.nodes["orders"].at(1)
			s.metrics["workflow"] = "# TYPE crossdock_feed_behind_seconds gauge\ncrossdock_feed_behind_seconds{log=\"orders\"} 0.2\n"
		}, ""},
		"feed stopped": {func(s *nodes) {
			s.nodes["workflow"].consumers[0].Error = "feed is broken: entry orders/1/3 follows orders/1/1"
		}, "FEED_STOPPED workflow reads orders no further than 4: feed is broken"},
		"task failed":   {func(s *nodes) { due(s, eventlogv1.Task_FAILED, 1, "no such load") }, "TASKS_STOPPED freight 1 failed, 0 in doubt; tasks/task_1 of kind timer.tender_expiry: no such load"},
		"task in doubt": {func(s *nodes) { due(s, eventlogv1.Task_IN_DOUBT, 1, "") }, "TASKS_STOPPED freight 0 failed, 1 in doubt; tasks/task_1 of kind timer.tender_expiry: no outcome"},
		"task refused":  {func(s *nodes) { due(s, eventlogv1.Task_PENDING, 5, "billing is away") }, "TASKS_OVERDUE freight tasks/task_1 of kind timer.tender_expiry was refused 5 times: billing is away"},
		"task due":      {func(s *nodes) { due(s, eventlogv1.Task_PENDING, 1, "") }, ""},
		"down":          {func(s *nodes) { s.conns["edi"] = refusing{err: status.Error(codes.Unavailable, "refused")} }, "DOWN edi edi cannot be reached"},
		"held": {func(s *nodes) {
			s.conns["freight"] = refusing{err: status.Error(codes.Unavailable, "refused")}
			if err := os.WriteFile(filepath.Join(s.data, "hold", "freight"), nil, 0o600); err != nil {
				s.t.Fatal(err)
			}
		}, "HELD freight its hold file says so"},
		"agent away": {func(s *nodes) {
			path := suite.Layout{Dir: s.data}.File()
			r, err := suite.ReadRun(path)
			if err == nil {
				r.Consul = &consul.Config{Address: "127.0.0.1:1"}
				err = r.Write(path)
			}
			if err != nil {
				s.t.Fatal(err)
			}
		}, "CONSUL_AWAY  the agent at 127.0.0.1:1"},
		"not ready": {func(s *nodes) {
			s.unready["billing"] = "store takes no more changes"
			s.health["billing"].SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
		}, "NOT_READY billing store takes no more changes"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newNodes(t)
			c.arrange(s)
			code, got, errOut := s.status()
			if c.want == "" {
				if code != 0 || !got.Well {
					t.Fatalf("exit %d, %+v; want a well suite", code, got.Problems)
				}
				return
			}
			if len(got.Problems) != 1 {
				t.Fatalf("problems %+v, want one", got.Problems)
			}
			p := got.Problems[0]
			if text := p.Problem + " " + p.Service + " " + p.Detail; code != 1 || got.Well || !strings.Contains(text, c.want) {
				t.Errorf("exit %d, problem %q; want 1 and %q", code, text, c.want)
			}
			if !strings.Contains(errOut, "not well: "+strings.TrimSpace(p.Service+" "+p.Problem)) {
				t.Errorf("stderr %q does not name the problem", errOut)
			}
			if code, out, _ := s.run("status"); code != 1 || !strings.Contains(out, p.Detail) {
				t.Errorf("exit %d, table\n%s\nwant 1 and the problem in words", code, out)
			}
		})
	}
}

// A backlog has the age of its oldest entry, in business time, and a due task that of its due time.
func TestStatusAges(t *testing.T) {
	s := newNodes(t)
	s.nodes["workflow"].consumers[0].Cursor = s.nodes["orders"].at(1)
	s.nodes["freight"].tasks = []*eventlogv1.Task{
		{Name: "tasks/a", State: eventlogv1.Task_PENDING, DueTime: at("2026-03-02T11:58:00Z")}, {Name: "tasks/b", State: eventlogv1.Task_PENDING, DueTime: at("2026-03-02T11:50:00Z")},
		{Name: "tasks/c", State: eventlogv1.Task_PENDING, DueTime: at("2026-03-02T12:00:01Z")}, {Name: "tasks/d", State: eventlogv1.Task_PENDING}}
	_, got, _ := s.status()
	c := got.Services[4].Consumers[0]
	if want := time.Date(2026, 3, 2, 11, 2, 0, 0, time.UTC); c.Behind != 3 || c.OldestUnread == nil || !c.OldestUnread.Equal(want) || c.BehindSeconds != nil {
		t.Errorf("consumer %+v, want 3 behind since %v", c, want)
	}
	f := got.Services[2].Tasks
	if want := time.Date(2026, 3, 2, 11, 50, 0, 0, time.UTC); f.Waiting != 4 || f.Due != 3 || f.OldestDue == nil || !f.OldestDue.Equal(want) {
		t.Errorf("tasks %+v, want 4 waiting, 3 due, the oldest at %v", f, want)
	}
	if _, out, _ := s.run("status"); !strings.Contains(out, "orders 1/4 3 behind 58m00s") || !strings.Contains(out, "4, 3 due 10m00s") {
		t.Errorf("table\n%s\nwant the ages of both", out)
	}
}

// hanging never answers.
type hanging struct{ grpc.ClientConnInterface }

func (hanging) Invoke(ctx context.Context, _ string, _, _ any, _ ...grpc.CallOption) error {
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}

// A service that hangs is told as down, and the others are shown.
func TestStatusDoesNotHang(t *testing.T) {
	s := newNodes(t)
	s.conns["freight"], s.conns["tower"] = hanging{}, hanging{}
	code, got, _ := s.status("--timeout", "300ms")
	var words []string
	for _, p := range got.Problems {
		words = append(words, p.Service+" "+p.Problem)
	}
	if want := "freight DOWN, tower DOWN"; code != 1 || strings.Join(words, ", ") != want || got.Services[1].Health != "serving" {
		t.Errorf("exit %d, problems %v; want 1, %s, and the others serving", code, words, want)
	}
}

// With no service at all the exit status is that of a suite that cannot be reached.
func TestStatusOfASuiteThatIsDown(t *testing.T) {
	s := newNodes(t)
	for name := range s.conns {
		s.conns[name] = refusing{err: status.Error(codes.Unavailable, "refused")}
	}
	code, got, errOut := s.status()
	if code != 6 || len(got.Services) != 8 || got.Services[0].Health != "unreachable" || got.Services[0].Consumers == nil {
		t.Errorf("exit %d, %+v, %s; want 6 and eight unreachable services", code, got, errOut)
	}
}
