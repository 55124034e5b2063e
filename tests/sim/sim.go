// Package sim runs the whole suite in one goroutine: the assemblies that the programs run, their real interceptors and
// gateways over memory, a business clock that stands still, and a turn for every feed and task. What a test asks for has
// happened when the call returns.
//
// Ids and randomness come from a seed, so the same calls in the same order leave the same logs. A test that wants things to go
// wrong gives Faults, and takes the turns itself.
package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	edgev1 "crossdock.dev/gen/crossdock/edge/v1"
	"crossdock.dev/gen/openapi"
	edicore "crossdock.dev/integrations/edi/core"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/typeid"
	billingcore "crossdock.dev/services/billing/core"
	edgecore "crossdock.dev/services/edge/core"
	freightcore "crossdock.dev/services/freight/core"
	masterdatacore "crossdock.dev/services/masterdata/core"
	orderscore "crossdock.dev/services/orders/core"
	towercore "crossdock.dev/services/tower/core"
	workflowcore "crossdock.dev/services/workflow/core"
	"crossdock.dev/tests/seed"
	"crossdock.dev/tests/story"
)

// Names are the programs in the order in which they take turns.
var Names = []string{"masterdata", "orders", "freight", "billing", "workflow", "edi", "edge", "tower"}

// Suite is all services.
type Suite struct {
	T     testing.TB
	Clock *clock.Manual
	Dir   string

	ctx     context.Context
	seed    uint64
	ids     typeid.Source
	random  map[string]io.Reader // by service
	faults  Faults
	machine *machine
	parts   map[string]*part
	servers map[string]*server
	pki     *auth.PKI
	tear    *rand.Rand // what a power failure leaves of pages
	keys    map[string]string
}

// Faults is what goes wrong between services that are up. What it answers must follow from its own seed alone.
type Faults interface {
	// Call carries a call from one service to another: it calls deliver, or does not, and returns what the caller sees. late
	// delivers the call once more, now or later, and nobody hears the answer.
	Call(from, to, method string, deliver func() error, late func()) error
	// Feed is how many of up to limit entries a reader gets at once; 0 is silence.
	Feed(reader, log string, limit int) int
	// Commit is what becomes of a commit of a service.
	Commit(service string) Commit
}

var _ story.World = (*Suite)(nil)

// part is one service of the suite, as it is open now.
type part struct {
	name      string
	store     *store.Store
	followers *eventlog.Followers
	register  func(grpc.ServiceRegistrar)
	gateways  []serve.Gateway
	waiter    rpc.Waiter
	steppers  []step.Config
	close     func() error
	handler   http.Handler   // edge's door
	impls     map[string]any // by gRPC service
	power     power
}

// machine stands still, except that a back-off is over as soon as somebody has waited for it: retries come at once.
type machine struct{ *clock.Manual }

// New opens a suite on empty stores, with business time at the story's start.
func New(t testing.TB) *Suite { return NewSeeded(t, 1, nil) }

// NewSeeded opens a suite whose ids and randomness follow from a seed; faults may be nil.
func NewSeeded(t testing.TB, seed uint64, faults Faults) *Suite {
	s := prepare(t, seed, faults)
	s.openAll()
	return s
}

func prepare(t testing.TB, seed uint64, faults Faults) *Suite {
	dir := memory(t)
	pki, err := auth.DevPKI(filepath.Join(dir, "pki"), Names...)
	must(t, err)
	return &Suite{
		T: t, Clock: clock.NewManual(story.Start), Dir: dir, ctx: t.Context(), pki: pki, tear: rand.New(rand.NewPCG(seed, 1)),
		seed: seed, ids: typeid.Sequence(seed), random: map[string]io.Reader{}, faults: faults,
		machine: &machine{clock.NewManual(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))},
		parts:   map[string]*part{}, servers: map[string]*server{}, keys: map[string]string{},
	}
}

func (s *Suite) openAll() {
	for _, name := range Names {
		s.Open(name)
	}
	s.T.Cleanup(func() {
		for _, name := range Names {
			if p := s.parts[name]; p != nil {
				must(s.T, p.close())
			}
		}
	})
}

// memory is a folder that is gone after the test, in memory where the machine has a place for that: what the simulated disk
// keeps is decided in disk.go.
func memory(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "crossdock-sim-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Seed loads the day's master data.
func (s *Suite) Seed() {
	s.T.Helper()
	_, err := seed.Load(s.ctx, os.DirFS(filepath.Join(Root(s.T), "tests", "day", "seed")), s.Conn("masterdata"))
	must(s.T, err)
	must(s.T, s.Settle(s.ctx))
}

// Stocked opens a suite as NewSeeded does, on stores that hold the day's master data. It is loaded once in a test program; the
// stores are copies.
func Stocked(t testing.TB, seed uint64, faults Faults) *Suite {
	stock.Lock()
	if stock.files == nil {
		s := NewSeeded(t, 0, nil)
		s.Seed()
		files := map[string][]byte{}
		for _, name := range Names {
			s.Close(name)
			file, err := os.ReadFile(s.file(name))
			must(t, err)
			files[name] = used(file)
		}
		stock.files = files
	}
	stock.Unlock()
	s := prepare(t, seed, faults)
	for name, file := range stock.files {
		must(t, os.MkdirAll(filepath.Dir(s.file(name)), 0o700))
		must(t, os.WriteFile(s.file(name), file, 0o600))
	}
	s.openAll()
	return s
}

// stock is the stores with the day's master data. It never changes once it is there.
var stock struct {
	sync.Mutex
	files map[string][]byte // by service
}

// Store is a service's store.
func (s *Suite) Store(name string) *store.Store { return s.parts[name].store }

// Up reports whether a service is open and has power.
func (s *Suite) Up(name string) bool { return s.alive(name) != nil }

// randomness is the service's own source. It goes on over a restart, as the system's would.
func (s *Suite) randomness(name string) io.Reader {
	if s.random[name] == nil {
		s.random[name] = &random{r: rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%d %s", s.seed, name)))}
	}
	return s.random[name]
}

// random is a source that many goroutines may read.
type random struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func (r *random) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.Read(p)
}

// Close closes a service, as a stop does.
func (s *Suite) Close(name string) {
	s.T.Helper()
	must(s.T, s.parts[name].close())
	delete(s.parts, name)
}

// Open opens a service on the data it left behind.
func (s *Suite) Open(name string) {
	s.T.Helper()
	dir := filepath.Join(s.Dir, name)
	must(s.T, os.MkdirAll(dir, 0o700))
	p := &part{name: name, impls: map[string]any{}}
	s.parts[name] = p
	log := slog.New(slog.NewTextHandler(s.T.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})).With("service", name)
	feeds, peers := map[string]eventlog.Source{}, map[string]grpc.ClientConnInterface{}
	for _, other := range Names {
		feeds[other] = feed{s, name, other}
		peers[other] = conn{s, name, other}
	}
	switch name {
	case "masterdata":
		c, err := masterdatacore.Open(s.ctx, masterdatacore.Deps{DataDir: dir, Business: s.Clock, Machine: s.machine, IDs: s.ids, Rand: s.randomness(name), Log: log})
		must(s.T, err)
		p.store, p.register, p.close = c.Store(), c.Register, c.Close
	case "orders":
		c, err := orderscore.Open(s.ctx, orderscore.Deps{DataDir: dir, Business: s.Clock, Machine: s.machine, IDs: s.ids, Rand: s.randomness(name), Log: log, Feeds: feeds})
		must(s.T, err)
		p.store, p.followers, p.register, p.steppers, p.close = c.Store(), c.Followers(), c.Register, c.Steppers(), c.Close
		p.gateways = gateways(c.Gateways())
	case "freight":
		c, err := freightcore.Open(s.ctx, freightcore.Deps{DataDir: dir, Business: s.Clock, Machine: s.machine, IDs: s.ids, Rand: s.randomness(name), Log: log, Feeds: feeds})
		must(s.T, err)
		p.store, p.followers, p.register, p.steppers, p.close = c.Store(), c.Followers(), c.Register, c.Steppers(), c.Close
		p.gateways = gateways(c.Gateways())
	case "billing":
		c, err := billingcore.Open(s.ctx, billingcore.Deps{DataDir: dir, Business: s.Clock, Machine: s.machine, IDs: s.ids, Rand: s.randomness(name), Log: log, Feeds: feeds})
		must(s.T, err)
		p.store, p.followers, p.register, p.steppers, p.close = c.Store(), c.Followers(), c.Register, c.Steppers(), c.Close
		p.gateways = gateways(c.Gateways())
	case "workflow":
		c, err := workflowcore.Open(s.ctx, workflowcore.Deps{DataDir: dir, Business: s.Clock, Machine: s.machine, IDs: s.ids, Rand: s.randomness(name), Log: log, Feeds: feeds, Peers: peers})
		must(s.T, err)
		p.store, p.followers, p.register, p.steppers, p.close = c.Store(), c.Followers(), c.Register, c.Steppers(), c.Close
	case "edi":
		c, err := edicore.Open(s.ctx, edicore.Deps{
			DataDir: dir, Business: s.Clock, Machine: s.machine, IDs: s.ids, Rand: s.randomness(name), Log: log, Feeds: feeds, Peers: peers,
			ProfilesFile: filepath.Join(Root(s.T), "integrations", "edi", "partners", "day.yaml"),
		})
		must(s.T, err)
		p.store, p.followers, p.register, p.steppers, p.close = c.Store(), c.Followers(), c.Register, c.Steppers(), c.Close
	case "edge":
		c, err := edgecore.Open(s.ctx, edgecore.Deps{DataDir: dir, Business: s.Clock, Machine: s.machine, IDs: s.ids, Rand: s.randomness(name), Log: log, Feeds: feeds, Development: true})
		must(s.T, err)
		p.store, p.followers, p.register, p.steppers, p.close = c.Store(), c.Followers(), c.Register, c.Steppers(), c.Close
		p.gateways = c.Gateways()
		p.handler = s.openDoor(c)
	case "tower":
		c, err := towercore.Open(s.ctx, towercore.Deps{DataDir: dir, Business: s.Clock, Machine: s.machine, IDs: s.ids, Rand: s.randomness(name), Log: log, Feeds: feeds, Peers: peers})
		must(s.T, err)
		p.store, p.followers, p.register, p.steppers, p.close = c.Store(), c.Followers(), c.Register, c.Steppers(), c.Close
		p.handler = c.Pages()
	default:
		s.T.Fatalf("no service %s", name)
	}
	if p.followers != nil {
		p.followers.Stepping, p.waiter = true, p.followers
	}
	p.register(implementations(p.impls))
	p.store.Simulate(func(commit func() error) error { return s.commit(p, commit) })
	if s.servers[name] == nil {
		s.servers[name] = s.serve(p, log)
	}
}

func gateways[G ~func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error](list []G) []serve.Gateway {
	var out []serve.Gateway
	for _, g := range list {
		out = append(out, serve.Gateway(g))
	}
	return out
}

// openDoor makes the partners' door before the gateways of the services.
func (s *Suite) openDoor(c *edgecore.Core) http.Handler {
	routes := map[string]string{
		"/v1/orders": "orders", "/v1/loads": "freight", "/v1/tenders": "freight", "/v1/shipments": "freight", "/v1/proofsOfDelivery": "freight",
		"/v1/invoices": "billing", "/v1/freightBills": "billing", "/v1/webhooks": "edge",
	}
	d := edgecore.Door{
		Signer: signer{s}, Backends: map[string]edgecore.Backend{}, OpenAPI: openapi.Files,
		Quota: edgecore.Quota{PerSecond: 1000, Burst: 1000, AtOnce: 64, Partners: 100}, MaxBody: 1 << 20, MaxInFlight: 100, Timeout: 10 * time.Second,
	}
	for prefix, service := range routes {
		d.Routes = append(d.Routes, edgecore.Route{Prefix: prefix, Service: service})
		d.Backends[service] = edgecore.Backend{URL: &url.URL{Scheme: "http", Host: service}, Transport: transport{s, service}}
	}
	h, err := c.Door(d)
	must(s.T, err)
	return h
}

// feed is another service's log, as it is open now.
type feed struct {
	s            *Suite
	reader, name string
}

func (f feed) Read(ctx context.Context, after eventlog.Position, limit int) ([]eventlog.Entry, eventlog.Position, error) {
	p := f.s.alive(f.name)
	if p == nil {
		return nil, after, fmt.Errorf("feed %s: %w", f.name, down(f.name))
	}
	if f.s.faults != nil {
		if limit = f.s.faults.Feed(f.reader, f.name, limit); limit == 0 {
			return nil, after, nil
		}
	}
	return eventlog.Local(p.store).Read(ctx, after, limit)
}

func (f feed) Line(context.Context) (store.Line, error) {
	p := f.s.parts[f.name]
	if p == nil {
		return nil, fmt.Errorf("feed %s: %w", f.name, down(f.name))
	}
	return p.store.Line(), nil
}

// Changed is for loops, which a simulation does not run.
func (f feed) Changed(context.Context, eventlog.Position) <-chan struct{} { return nil }

// down is what the network says of a service that does not run.
func down(name string) error { return status.Errorf(codes.Unavailable, "%s is down", name) }

// Turn names one loop of a service.
type Turn struct{ Service, Loop string }

// Turns are the loops of the services that are open, in a fixed order.
func (s *Suite) Turns() []Turn {
	var out []Turn
	for _, name := range Names {
		if p := s.parts[name]; p != nil {
			for _, loop := range p.steppers {
				out = append(out, Turn{name, loop.Name})
			}
		}
	}
	return out
}

// TaskKinds are the kinds of tasks that the services carry out, by service.
func (s *Suite) TaskKinds() map[string][]string {
	out := map[string][]string{}
	for name, p := range s.parts {
		for _, loop := range p.steppers {
			if runner, ok := loop.Stepper.(interface{ Kinds() []string }); ok {
				out[name] = runner.Kinds()
			}
		}
	}
	return out
}

// Server is where a service is reached, for tests that call it with tokens of their own.
func (s *Suite) Server(name string) *platformtest.Server { return s.servers[name].Server }

// Step gives one loop its turn. That another service is down, or that this one was closed in the middle of its turn, is no error.
func (s *Suite) Step(ctx context.Context, turn Turn) (progress bool, err error) {
	p := s.alive(turn.Service)
	if p == nil {
		return false, nil
	}
	for _, loop := range p.steppers {
		if loop.Name != turn.Loop {
			continue
		}
		progress, err = loop.Stepper.Step(ctx, s.Clock.Now())
		if err == nil || status.Code(err) == codes.Unavailable || s.alive(turn.Service) != p {
			return progress, nil
		}
		return false, fmt.Errorf("%s: %s: %w", turn.Service, turn.Loop, err)
	}
	return false, fmt.Errorf("%s has no loop %q", turn.Service, turn.Loop)
}

// Wait lets machine time pass, so that what backs off is tried again.
func (s *Suite) Wait(d time.Duration) { s.machine.Advance(d) }

// Settle gives every service its turns until nothing moves. Work that was refused and backs off is tried again.
func (s *Suite) Settle(ctx context.Context) error {
	for range 1000 {
		moved := false
		for _, turn := range s.Turns() {
			progress, err := s.Step(ctx, turn)
			if err != nil {
				return err
			}
			moved = moved || progress
		}
		if !moved {
			return nil
		}
		s.Wait(time.Minute)
	}
	return fmt.Errorf("the suite does not come to rest")
}

// SetClock moves business time and lets happen what is due.
func (s *Suite) SetClock(at time.Time) error {
	s.Clock.Set(at)
	return s.Settle(s.ctx)
}

// Now is the business time.
func (s *Suite) Now() time.Time { return s.Clock.Now() }

// Inbox is where partners' files go.
func (s *Suite) Inbox() string { return filepath.Join(s.Dir, "edi", "inbox") }

// Drop puts a file into the inbox and lets it have its effects.
func (s *Suite) Drop(ctx context.Context, name string, content []byte) error {
	if err := os.MkdirAll(s.Inbox(), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.Inbox(), name), content, 0o600); err != nil {
		return err
	}
	return s.Settle(ctx)
}

// Outbox returns what was sent to partners, by folder and name.
func (s *Suite) Outbox(context.Context) (map[string][]byte, error) {
	return story.ReadFolder(filepath.Join(s.Dir, "edi", "outbox"))
}

// REST calls the partners' door with the key of a party, and lets the call have its effects.
func (s *Suite) REST(ctx context.Context, party, method, path, key string, body []byte) ([]byte, error) {
	answer, err := s.Call(ctx, party, method, path, key, body)
	if err != nil {
		return nil, err
	}
	return answer, s.Settle(ctx)
}

// Call calls the partners' door with the key of a party, and gives nobody a turn.
func (s *Suite) Call(ctx context.Context, party, method, path, key string, body []byte) ([]byte, error) {
	status, answer, err := s.ask(ctx, party, method, path, key, body)
	if err == nil && status/100 != 2 {
		err = &story.RESTError{Status: status, Body: answer}
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// Do calls the door and returns the answer whatever its status.
func (s *Suite) Do(party, method, path, key string, body []byte) (int, []byte) {
	s.T.Helper()
	status, answer, err := s.ask(s.ctx, party, method, path, key, body)
	must(s.T, err)
	return status, answer
}

func (s *Suite) ask(ctx context.Context, party, method, path, key string, body []byte) (status int, answer []byte, err error) {
	secret, err := s.Secret(ctx, party)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://edge"+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	p := s.alive("edge")
	if p == nil {
		return 0, nil, &url.Error{Op: method, URL: path, Err: down("edge")} // nobody answers
	}
	resp := answerOf(p.handler, req)
	if s.alive("edge") != p {
		return 0, nil, &url.Error{Op: method, URL: path, Err: down("edge")}
	}
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// Secret is the API key of a party; it is made on first use.
func (s *Suite) Secret(ctx context.Context, party string) (string, error) {
	if s.keys[party] == "" {
		secret, err := story.CreateKey(ctx, edgev1.NewEdgeServiceClient(s.Conn("edge")), party)
		if err != nil {
			return "", err
		}
		s.keys[party] = secret
	}
	return s.keys[party], nil
}

// Conn is a connection to a service, as a person of the enterprise.
func (s *Suite) Conn(service string) grpc.ClientConnInterface { return conn{s, "", service} }

// conn is a connection from one service, or from a person when it is empty, to another as it is open now.
type conn struct {
	s        *Suite
	from, to string
}

func (c conn) open() (grpc.ClientConnInterface, error) {
	if c.s.alive(c.to) == nil {
		return nil, down(c.to)
	}
	return c.s.servers[c.to].conn(c.from), nil
}

func (c conn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	carry := func(ctx context.Context, reply any) error {
		p := c.s.alive(c.to)
		cc, err := c.open()
		if err != nil {
			return err
		}
		// The connection does not repeat calls: nothing changes while it would wait.
		err = cc.Invoke(ctx, method, args, reply, append(opts, grpc.MaxRetryRPCBufferSize(0))...)
		if c.s.alive(c.to) != p {
			return down(c.to) // it has died over it
		}
		return err
	}
	if c.from == "" {
		return carry(ctx, reply)
	}
	if c.s.alive(c.from) == nil {
		return down(c.from) // the dead do not call
	}
	if c.s.faults == nil {
		return carry(ctx, reply)
	}
	late := func() {
		again := reply.(proto.Message).ProtoReflect().New().Interface()
		_ = carry(context.WithoutCancel(ctx), again) // nobody hears it
	}
	return c.s.faults.Call(c.from, c.to, method, func() error { return carry(ctx, reply) }, late)
}

func (c conn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	cc, err := c.open()
	if err != nil {
		return nil, err
	}
	return cc.NewStream(ctx, desc, method, opts...)
}

// Await returns the payload of the first fact of a service's log that fits. Everything has happened by now: a fact that is not
// there will not come.
func (s *Suite) Await(ctx context.Context, service string, is func(proto.Message) bool) (proto.Message, error) {
	if err := s.Settle(ctx); err != nil {
		return nil, err
	}
	return story.FindFact(ctx, eventlog.Local(s.parts[service].store), is)
}

// Root is the project's folder.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	must(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "buf.yaml")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("the project's folder was not found above the test")
		}
		dir = filepath.Dir(dir)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
