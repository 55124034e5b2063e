package consul

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"crossdock.dev/platform/clock"
)

// agent answers as the agent's HTTP interface does, for one service, and says what it was asked.
type agent struct {
	t      *testing.T
	server *httptest.Server

	mu        sync.Mutex
	index     uint64
	addrs     []string
	down      bool
	changed   chan struct{}
	asked     []uint64 // the index of each query
	tokens    []string
	instances map[string]map[string]any
	calls     []string
}

func newAgent(t *testing.T) *agent {
	a := &agent{t: t, index: 10, changed: make(chan struct{}), instances: map[string]map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/health/service/{name}", a.health)
	mux.HandleFunc("GET /v1/agent/service/{id}", func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		i := a.instances[r.PathValue("id")]
		if i == nil {
			http.Error(w, "unknown service ID", http.StatusNotFound)
			return
		}
		a.answer(w, map[string]any{"ID": i["ID"], "Service": i["Name"], "Address": i["Address"], "Port": i["Port"], "Meta": i["Meta"]})
	})
	mux.HandleFunc("PUT /v1/agent/service/register", func(w http.ResponseWriter, r *http.Request) {
		var i map[string]any
		if err := json.NewDecoder(r.Body).Decode(&i); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a.note("register", i)
	})
	mux.HandleFunc("PUT /v1/agent/service/deregister/{id}", func(_ http.ResponseWriter, r *http.Request) { a.note("deregister "+r.PathValue("id"), nil) })
	a.server = httptest.NewServer(mux)
	t.Cleanup(a.server.Close)
	return a
}

func (a *agent) config() Config { return Config{Address: strings.TrimPrefix(a.server.URL, "http://")} }

func (a *agent) answer(w http.ResponseWriter, v any) {
	w.Header().Set("X-Consul-Index", strconv.FormatUint(a.index, 10))
	if err := json.NewEncoder(w).Encode(v); err != nil {
		a.t.Error(err)
	}
}

// health waits as a blocking query does.
func (a *agent) health(w http.ResponseWriter, r *http.Request) {
	index, _ := strconv.ParseUint(r.URL.Query().Get("index"), 10, 64)
	a.mu.Lock()
	a.asked, a.tokens = append(a.asked, index), append(a.tokens, r.Header.Get("X-Consul-Token"))
	for !a.down && index == a.index {
		changed := a.changed
		a.mu.Unlock()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
		a.mu.Lock()
	}
	defer a.mu.Unlock()
	if a.down {
		http.Error(w, "no leader", http.StatusInternalServerError)
		return
	}
	entries := []any{}
	for _, addr := range a.addrs {
		u := url.URL{Host: addr}
		port, err := strconv.Atoi(u.Port())
		if err != nil {
			a.t.Error(err)
		}
		entries = append(entries, map[string]any{"Node": map[string]any{"Address": "10.0.0.1"}, "Service": map[string]any{"Address": u.Hostname(), "Port": port}})
	}
	a.answer(w, entries)
}

func (a *agent) note(call string, instance map[string]any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, call)
	if instance != nil {
		a.instances[fmt.Sprint(instance["ID"])] = instance
	}
}

// set changes what the agent says.
func (a *agent) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
	close(a.changed)
	a.changed = make(chan struct{})
}

// conn is a connection that is told addresses.
type conn struct {
	resolver.ClientConn
	told chan string
}

func (c conn) UpdateState(s resolver.State) error {
	var addrs []string
	for _, a := range s.Addresses {
		addrs = append(addrs, a.Addr)
	}
	c.told <- strings.Join(addrs, " ")
	return nil
}
func (c conn) ReportError(err error)                                { c.told <- "error: " + err.Error() }
func (c conn) ParseServiceConfig(string) *serviceconfig.ParseResult { return nil }
func (c conn) expect(t *testing.T, want string) {
	t.Helper()
	if got := <-c.told; got != want {
		t.Fatalf("told %q, want %q", got, want)
	}
}

// machine lets every pause pass at once, and tells how long it was.
type machine struct{ pauses chan time.Duration }

func (m machine) Now() time.Time { return time.Time{} }
func (m machine) After(d time.Duration) <-chan time.Time {
	m.pauses <- d
	out := make(chan time.Time, 1)
	out <- time.Time{}
	return out
}

func follow(t *testing.T, a *agent, c Config) (conn, machine) {
	t.Helper()
	b, err := Resolver(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	m := machine{make(chan time.Duration)}
	built, ok := b.(builder)
	if !ok {
		t.Fatalf("%T", b)
	}
	built.machine = m
	cc := conn{told: make(chan string)}
	r, err := built.Build(resolver.Target{URL: url.URL{Scheme: Scheme, Path: "/orders"}}, cc, resolver.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return cc, m
}

func TestFollow(t *testing.T) {
	a := newAgent(t)
	a.addrs = []string{"127.0.0.1:7102"}
	cc, m := follow(t, a, a.config())
	cc.expect(t, "127.0.0.1:7102")

	a.set(func() { a.index, a.addrs = 11, []string{"127.0.0.1:9", "127.0.0.1:7102"} })
	cc.expect(t, "127.0.0.1:7102 127.0.0.1:9")

	// Nobody passing takes nothing away; the next change is told.
	a.set(func() { a.index, a.addrs = 12, nil })
	a.set(func() { a.index, a.addrs = 13, []string{"127.0.0.1:8"} })
	cc.expect(t, "127.0.0.1:8")

	// An outage takes nothing away, and pauses grow to the longest one.
	a.set(func() { a.down = true })
	for i, longest := 0, minBackoff; i < 10; i, longest = i+1, min(2*longest, maxBackoff) {
		if d := <-m.pauses; d > longest || d < longest/2 {
			t.Fatalf("pause %d is %v, want between half of %v and all of it", i, d, longest)
		}
	}
	a.set(func() { a.down, a.index, a.addrs = false, 14, []string{"127.0.0.1:7"} })
	for {
		select {
		case <-m.pauses:
			continue
		case got := <-cc.told:
			if got != "127.0.0.1:7" {
				t.Fatalf("told %q after the outage", got)
			}
		}
		break
	}
}

// An agent that was wiped counts from the beginning again.
func TestIndexGoesBack(t *testing.T) {
	a := newAgent(t)
	a.index, a.addrs = 1000, []string{"127.0.0.1:1"}
	cc, _ := follow(t, a, a.config())
	cc.expect(t, "127.0.0.1:1")
	a.set(func() { a.index, a.addrs = 3, []string{"127.0.0.1:2"} })
	cc.expect(t, "127.0.0.1:2")
	a.set(func() { a.index, a.addrs = 4, []string{"127.0.0.1:3"} })
	cc.expect(t, "127.0.0.1:3")
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := slices.Index(a.asked, 1000); i < 0 || slices.Contains(a.asked[i+1:], 1000) {
		t.Errorf("asked with %v: an index of the old history was used again", a.asked)
	}
}

func TestNobodyYet(t *testing.T) {
	a := newAgent(t)
	cc, _ := follow(t, a, a.config())
	cc.expect(t, "error: "+ErrNoInstance.Error()+": orders")
	a.set(func() { a.index, a.addrs = 11, []string{"127.0.0.1:1"} })
	cc.expect(t, "127.0.0.1:1")
}

func TestToken(t *testing.T) {
	a := newAgent(t)
	a.addrs = []string{"127.0.0.1:1"}
	c := a.config()
	c.TokenFile = filepath.Join(t.TempDir(), "token")
	write := func(s string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(c.TokenFile+".part", []byte(s), 0o600), os.Rename(c.TokenFile+".part", c.TokenFile)); err != nil {
			t.Fatal(err)
		}
	}
	write("first\n")
	cc, _ := follow(t, a, c)
	cc.expect(t, "127.0.0.1:1")
	write("second\n")
	a.set(func() { a.index, a.addrs = 11, []string{"127.0.0.1:2"} })
	cc.expect(t, "127.0.0.1:2")
	a.set(func() { a.index, a.addrs = 12, []string{"127.0.0.1:3"} })
	cc.expect(t, "127.0.0.1:3")
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tokens[0] != "first" || !slices.Contains(a.tokens, "second") {
		t.Errorf("tokens %q: a changed file was not read", a.tokens)
	}
}

func TestRegister(t *testing.T) {
	a := newAgent(t)
	r, err := NewRegistrar(a.config(), Instance{
		Service: "orders", ID: "orders-1", Addr: "127.0.0.1:7102", HealthAddr: "127.0.0.1:7402", Meta: map[string]string{"version": "v1", "tier": "SYSTEM"},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	m := machine{make(chan time.Duration)}
	r.machine = m
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	count := func() int {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.calls)
	}
	<-m.pauses // registered
	<-m.pauses // and known
	if n := count(); n != 1 {
		t.Fatalf("%d registrations, want 1", n)
	}
	a.mu.Lock()
	check, _ := a.instances["orders-1"]["Check"].(map[string]any)
	if check["GRPC"] != "127.0.0.1:7402" || check["Interval"] != "1s" {
		t.Errorf("check %v", check)
	}
	delete(a.instances, "orders-1") // wiped
	a.mu.Unlock()
	<-m.pauses
	<-m.pauses
	if n := count(); n != 2 {
		t.Errorf("%d registrations after the agent was wiped, want 2", n)
	}
	stop()
	select {
	case <-m.pauses:
		<-ended
	case <-ended:
	}
	if err := r.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	if got := strings.Join(a.calls[2:], ", "); got != "deregister orders-1" {
		t.Errorf("leaving made %s", got)
	}
}

func TestCheck(t *testing.T) {
	var keys []string
	Config{CertFile: "c"}.Check(func(key, _ string) { keys = append(keys, key) })
	if want := []string{"address", "cert_file", "address"}; !slices.Equal(keys, want) {
		t.Errorf("problems at %v, want %v", keys, want)
	}
	for _, i := range []Instance{{}, {Service: "orders", ID: "o", HealthAddr: "h", Addr: "nowhere"}, {Service: "orders", Addr: "127.0.0.1:1"}} {
		if _, err := NewRegistrar(Config{Address: "127.0.0.1:1"}, i, nil); err == nil {
			t.Errorf("%+v was taken", i)
		}
	}
}

var _ clock.Machine = machine{}

func TestWatch(t *testing.T) {
	a := newAgent(t)
	a.addrs = []string{"127.0.0.1:1", "127.0.0.1:2"}
	w, err := Watch(a.config(), "orders-gateway", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	picked := map[string]bool{}
	for range 2 {
		addr, err := w.Pick(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		picked[addr] = true
	}
	if len(picked) != 2 {
		t.Errorf("picked %v, want each in its turn", picked)
	}
}

func TestWatchNobody(t *testing.T) {
	w, err := Watch(newAgent(t).config(), "orders-gateway", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if addr, err := w.Pick(t.Context()); !errors.Is(err, ErrNoInstance) {
		t.Errorf("picked %q, %v", addr, err)
	}
}
