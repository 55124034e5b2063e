package serve_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/internal/widgettest"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/telemetry"
)

// feed is a log whose tail never ends by itself.
type feed struct {
	eventlogv1.EventLogServiceServer
	events *events
}

func (f *feed) TailEntries(_ *eventlogv1.TailEntriesRequest, s grpc.ServerStreamingServer[eventlogv1.TailEntriesResponse]) error {
	if err := s.Send(&eventlogv1.TailEntriesResponse{}); err != nil {
		return err
	}
	<-s.Context().Done()
	f.events.add("tail ended")
	return s.Context().Err()
}

// events notes what happened, in order.
type events struct {
	mu   sync.Mutex
	list []string
}

func (e *events) add(s string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, s)
}

func (e *events) get() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list)
}

type running struct {
	serve.Addrs
	pki    *auth.PKI
	cancel context.CancelFunc
	ended  chan error
}

func config(t *testing.T) (serve.Config, *auth.PKI) {
	t.Helper()
	pki, err := auth.DevPKI(t.TempDir(), "orders", "tower", "edge")
	if err != nil {
		t.Fatal(err)
	}
	return serve.Config{
		Name: "orders", GRPCAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", TLS: pki.Service("orders"), TokenKeys: pki.TokenKeys(),
		DataDir: t.TempDir(), Development: true, StopTimeout: 5 * time.Second,
	}, pki
}

func service(t *testing.T) serve.Service {
	t.Helper()
	tel := telemetry.Start(telemetry.Config{Service: "orders", Out: io.Discard})
	return serve.Service{Log: tel.Log, Registry: tel.Registry}
}

func start(t *testing.T, c serve.Config, pki *auth.PKI, s serve.Service) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{pki: pki, cancel: cancel, ended: make(chan error, 1)}
	started := make(chan serve.Addrs, 1)
	s.Started = func(a serve.Addrs) { started <- a }
	go func() { r.ended <- serve.Run(ctx, c, s) }()
	t.Cleanup(cancel)
	select {
	case r.Addrs = <-started:
	case err := <-r.ended:
		t.Fatalf("did not start: %v", err)
	}
	return r
}

func (r *running) dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	cc, err := rpc.Dial(rpc.ClientConfig{Target: "static:///" + r.GRPC.String(), Service: "orders", Identity: r.pki.Service("tower")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return cc
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// A stop ends the open streams, then the loops, then the stores, and callers are told to come back.
func TestStopWithAnOpenStream(t *testing.T) {
	c, pki := config(t)
	var e events
	s := service(t)
	s.Register = func(r grpc.ServiceRegistrar) { eventlogv1.RegisterEventLogServiceServer(r, &feed{events: &e}) }
	s.Loops = []step.Config{{Name: "work", Business: clock.System(), Stepper: step.Func(func(context.Context, time.Time) (bool, error) { return false, nil })}}
	s.Close = []func() error{
		func() error { e.add("store closed"); return nil },
		func() error { e.add("connection closed"); return nil },
	}
	r := start(t, c, pki, s)
	cc := r.dial(t)
	h, err := healthv1.NewHealthClient(cc).Check(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil || h.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health %v, %v; want SERVING", h, err)
	}
	tail, err := eventlogv1.NewEventLogServiceClient(cc).TailEntries(t.Context(), &eventlogv1.TailEntriesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tail.Recv(); err != nil {
		t.Fatal(err)
	}
	r.cancel()
	if _, err := tail.Recv(); status.Code(err) != codes.Unavailable || rpcerr.Reason(err) != "STOPPING" {
		t.Errorf("the stream ended with %v, want UNAVAILABLE STOPPING", err)
	}
	if err := <-r.ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if diff := cmp.Diff([]string{"tail ended", "store closed", "connection closed"}, e.get()); diff != "" {
		t.Errorf("order of the stop (-want +got):\n%s", diff)
	}
}

func TestAdminListener(t *testing.T) {
	c, pki := config(t)
	s := service(t)
	var mu sync.Mutex
	notReady := errors.New("the store is damaged")
	s.Ready = func() error { mu.Lock(); defer mu.Unlock(); return notReady }
	r := start(t, c, pki, s)
	base := "http://" + r.Admin.String()
	if code, body := get(t, base+"/healthz"); code != 200 {
		t.Errorf("/healthz: %d %s", code, body)
	}
	if code, body := get(t, base+"/readyz"); code != 503 || !strings.Contains(body, "the store is damaged") {
		t.Errorf("/readyz: %d %s", code, body)
	}
	mu.Lock()
	notReady = nil
	mu.Unlock()
	if code, body := get(t, base+"/readyz"); code != 200 {
		t.Errorf("/readyz: %d %s", code, body)
	}
	if code, body := get(t, base+"/metrics"); code != 200 || !strings.Contains(body, `crossdock_build_info{`) || !strings.Contains(body, "crossdock_rpc_in_flight 0") {
		t.Errorf("/metrics: %d %s", code, body)
	}
	if code, body := get(t, base+"/debug/pprof/"); code != 200 || !strings.Contains(body, "goroutine") {
		t.Errorf("/debug/pprof/: %d %s", code, body)
	}
	r.cancel()
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

func TestOnePartFailsAllStop(t *testing.T) {
	c, _ := config(t)
	closed := false
	s := service(t)
	s.Loops = []step.Config{{Name: "broken"}} // a loop without a stepper refuses to run
	s.Close = []func() error{func() error { closed = true; return nil }}
	err := serve.Run(t.Context(), c, s)
	if err == nil || !strings.Contains(err.Error(), "loop broken") || !closed {
		t.Errorf("got %v, closed %v; want the loop's error and closed", err, closed)
	}
}

// failing is a store that has failed.
type failing struct{ failed chan struct{} }

func (failing) Wait(context.Context, origin.Position) error { return nil }
func (f failing) Failed() <-chan struct{}                   { return f.failed }

// A service whose store has failed ends by itself within a second, although a call hangs for which it would wait ten when it is asked to stop.
func TestFailedStoreEndsAtOnce(t *testing.T) {
	c, pki := config(t)
	c.HTTPAddr = "127.0.0.1:0"
	c.StopTimeout = time.Hour
	s := service(t)
	var failed atomic.Bool
	own := failing{make(chan struct{})}
	s.Own = own
	s.Ready = func() error {
		if failed.Load() {
			return fmt.Errorf("%w: fdatasync: input/output error", store.ErrOutcomeUnknown)
		}
		return nil
	}
	hangs := make(chan struct{})
	s.HTTP = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(hangs)
		<-r.Context().Done()
	})
	r := start(t, c, pki, s)
	go func() {
		resp, err := http.Get("http://" + r.HTTP.String() + "/")
		if err == nil {
			resp.Body.Close()
		}
	}()
	<-hangs
	failed.Store(true)
	close(own.failed)
	if err := <-r.ended; !errors.Is(err, store.ErrOutcomeUnknown) {
		t.Errorf("ended with %v, want that the store failed", err)
	}
}

func TestRefusesToStart(t *testing.T) {
	contract, err := widgettest.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*serve.Config, *serve.Service)
		want   string
	}{
		{"a method without policy", func(_ *serve.Config, s *serve.Service) { s.Register = contract.RegisterBare }, widgettest.Bare},
		{"partners without token keys", func(c *serve.Config, s *serve.Service) {
			c.HTTPAddr, c.TokenKeys, s.Gateways = "127.0.0.1:0", "", []serve.Gateway{contract.Gateway}
		}, "token_keys_file"},
		{"a gateway without an address", func(_ *serve.Config, s *serve.Service) { s.Gateways = []serve.Gateway{contract.Gateway} }, "http_addr"},
		{"a handler without an address", func(_ *serve.Config, s *serve.Service) { s.HTTP = http.NotFoundHandler() }, "http_addr"},
		{"an address without a handler", func(c *serve.Config, _ *serve.Service) { c.HTTPAddr = "127.0.0.1:0" }, "http_addr"},
		{"gateways and a handler", func(c *serve.Config, s *serve.Service) {
			c.HTTPAddr, s.Gateways, s.HTTP = "127.0.0.1:0", []serve.Gateway{contract.Gateway}, http.NotFoundHandler()
		}, "not both"},
		{"no certificate", func(c *serve.Config, _ *serve.Service) { c.TLS.Cert += ".none" }, "identity"},
		{"an open listener in development", func(c *serve.Config, _ *serve.Service) { c.GRPCAddr = "0.0.0.0:0" }, "grpc_addr"},
		{"an open admin listener", func(c *serve.Config, _ *serve.Service) { c.Development, c.AdminAddr = false, ":0" }, "admin_addr"},
		{"plain HTTP to the world", func(c *serve.Config, _ *serve.Service) { c.Development, c.HTTPAddr = false, "10.0.0.1:80" }, "http_addr"},
		{"a story clock outside development", func(c *serve.Config, _ *serve.Service) {
			c.Development, c.Clock = false, serve.ClockConfig{Mode: "file", File: "x"}
		}, "clock.mode"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := config(t)
			s := service(t)
			test.change(&c, &s)
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // a start that is not refused ends at once
			if err := serve.Run(ctx, c, s); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error that names %s", err, test.want)
			}
		})
	}
}

type fileConfig struct {
	serve.Config `yaml:",inline"`
	Own          string `yaml:"own"`
}

func TestConfigFile(t *testing.T) {
	const good = `
grpc_addr: 127.0.0.1:7101
http_addr: 127.0.0.1:7201
admin_addr: "[::1]:7301"
tls: {cert_file: a.crt, key_file: a.key, ca_file: ca.crt}
token_keys_file: edge.jwks
peers: {masterdata: "static:///127.0.0.1:7100"}
data_dir: data
clock: {mode: file, file: clock.json}
development: true
log_level: DEBUG
drain_time: 1500ms
users: {clerk: {roles: [finance], scopes: [invoices.approve]}}
own: x
`
	var c fileConfig
	if err := conf.Decode("orders.yaml", []byte(good), &c); err != nil {
		t.Fatal(err)
	}
	if c.Own != "x" || c.TLS.Key != "a.key" || c.DrainTime != 1500*time.Millisecond || c.LogLevel.String() != "DEBUG" ||
		c.Peers["masterdata"] != "static:///127.0.0.1:7100" || c.Users["clerk"].Scopes[0] != "invoices.approve" || c.Data("orders.db") != "data/orders.db" {
		t.Errorf("read %+v", c)
	}
	const bad = `
grpc_addr: 0.0.0.0:7101
http_addr: 7201
admin_addr: 10.1.2.3:1
tls: {cert_file: a.crt}
peers: {masterdata: "127.0.0.1:7100"}
clock: {mode: sundial}
http_tls: yes please
otel: {endpoint: "collector:4318"}
max_streams: -1
memory_limit: 1MiB
development: true
`
	err := conf.Decode("orders.yaml", []byte(bad), &fileConfig{})
	var e *conf.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	for _, key := range []string{"grpc_addr", "http_addr", "admin_addr", "tls.key_file", "tls.ca_file", "peers.masterdata", "clock.mode", "http_tls", "otel.endpoint", "max_streams", "memory_limit"} {
		if !slices.ContainsFunc(e.Problems, func(p string) bool { return strings.HasPrefix(p, key+":") }) {
			t.Errorf("%s is not named in:\n%v", key, err)
		}
	}
}

func TestConfigOfConsul(t *testing.T) {
	problems := func(text string) []string {
		t.Helper()
		err := conf.Decode("orders.yaml", []byte(`
grpc_addr: "0.0.0.0:7101"
admin_addr: 127.0.0.1:7301
tls: {cert_file: a.crt, key_file: a.key, ca_file: ca.crt}
data_dir: data
`+text), &fileConfig{})
		e, ok := errors.AsType[*conf.Error](err)
		if !ok {
			return nil
		}
		return e.Problems
	}
	if got := problems("peers: {masterdata: \"consul:///masterdata\"}\nconsul: {address: 127.0.0.1:8500}\nadvertise: 10.0.0.7\n"); got != nil {
		t.Errorf("a good file: %v", got)
	}
	for text, key := range map[string]string{
		"peers: {masterdata: \"consul:///masterdata\"}":                    "peers.masterdata",
		"peers: {m: \"consul:///\"}\nconsul: {address: a}\nadvertise: h":   "peers.m",
		"consul: {address: 127.0.0.1:8500}":                                "advertise",
		"consul: {token_file: t}\nadvertise: h":                            "consul.address",
		"consul: {address: 127.0.0.1:8500, ca_file: ca.crt}\nadvertise: h": "consul.address",
		"consul: {address: \"https://c:8501\", key_file: k}\nadvertise: h": "consul.cert_file",
	} {
		if got := problems(text); len(got) != 1 || !strings.HasPrefix(got[0], key+":") {
			t.Errorf("%q: problems %v, want one of %s", text, got, key)
		}
	}
}

// The agent on this machine asks the admin listener, without a certificate; the service's own listener does not let it in.
func TestHealthOnTheAdminListener(t *testing.T) {
	c, pki := config(t)
	s := service(t)
	var sick atomic.Bool
	s.Ready = func() error {
		if sick.Load() {
			return errors.New("disk")
		}
		return nil
	}
	r := start(t, c, pki, s)
	cc, err := grpc.NewClient("passthrough:///"+r.Admin.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	client := healthv1.NewHealthClient(cc)
	watch, err := client.Watch(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthv1.HealthCheckResponse_ServingStatus{healthv1.HealthCheckResponse_SERVING, healthv1.HealthCheckResponse_NOT_SERVING} {
		for {
			got, err := watch.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if got.GetStatus() == want {
				break
			}
		}
		sick.Store(true)
	}
}

// A handler gets odd paths as they came: a redirect before it would answer what the edge refuses.
func TestHTTPSeesEveryPathAsItCame(t *testing.T) {
	c, pki := config(t)
	c.HTTPAddr = "127.0.0.1:0"
	s := service(t)
	s.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	r := start(t, c, pki, s)
	for _, path := range []string{"/v1/orders/../x", "/v1//orders", "/v1/orders/.", "/"} {
		if code, body := get(t, "http://"+r.HTTP.String()+path); code != http.StatusOK || body != path {
			t.Errorf("%s: got %d %q, want 200 and the path", path, code, body)
		}
	}
}

// A connection beyond the bound is closed before anybody has said a word; one that closes makes room for another.
func TestConnectionsAreBounded(t *testing.T) {
	c, pki := config(t)
	c.HTTPAddr, c.MaxConnections = "127.0.0.1:0", 2
	s := service(t)
	s.HTTP = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	r := start(t, c, pki, s)
	// Each connection is used once, so that it is known to be open.
	call := func() (io.Closer, error) {
		conn, err := net.Dial("tcp", r.HTTP.String())
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}
	first, err := call()
	if err != nil {
		t.Fatal(err)
	}
	second, err := call()
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if _, err := call(); err == nil {
		t.Error("a third connection was served")
	}
	if code, body := get(t, "http://"+r.Admin.String()+"/metrics"); code != 200 || !strings.Contains(body, `crossdock_connections_refused_total{listener="http"} 1`) ||
		!strings.Contains(body, `crossdock_connections{listener="http"} 2`) {
		t.Errorf("/metrics: %d, without two connections and one refused", code)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for limit := time.After(30 * time.Second); ; {
		if another, err := call(); err == nil {
			_ = another.Close()
			break
		}
		select {
		case <-limit:
			t.Fatal("no room after one has closed")
		default:
		}
	}
}

// The partners' listener with mutual TLS lets the edge in and nobody else.
func TestMutualHTTPTakesTheEdgeAlone(t *testing.T) {
	c, pki := config(t)
	c.HTTPAddr, c.HTTPTLS = "127.0.0.1:0", serve.HTTPMutual
	s := service(t)
	s.HTTP = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	r := start(t, c, pki, s)
	call := func(id auth.Files) (int, error) {
		tc, err := auth.ClientTLS(id, "orders")
		if err != nil {
			t.Fatal(err)
		}
		tr := &http.Transport{TLSClientConfig: tc}
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Get("https://" + r.HTTP.String() + "/")
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	if code, err := call(pki.Service("edge")); err != nil || code != http.StatusTeapot {
		t.Errorf("the edge got %d, %v", code, err)
	}
	for _, id := range []auth.Files{pki.Service("tower"), pki.User(auth.DevUser)} {
		if code, err := call(id); err == nil {
			t.Errorf("%s was let in and got %d", id.Cert, code)
		}
	}
	r.cancel()
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}
