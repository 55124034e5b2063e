package core_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	edgev1 "crossdock.dev/gen/crossdock/edge/v1"
	"crossdock.dev/gen/openapi"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/edge/core"
)

var story = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)

// suite is an edge with its gRPC server, its door, and one backend that stands for every service.
type suite struct {
	t       *testing.T
	dir     string
	core    *core.Core
	grpc    *platformtest.Server
	edge    edgev1.EdgeServiceClient
	door    *httptest.Server
	machine *clock.Manual
	log     *syncBuffer

	mu      sync.Mutex
	got     *http.Request
	body    []byte
	backend *httptest.Server
	answer  http.HandlerFunc
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func open(t *testing.T, dir string, log *slog.Logger, machine clock.Machine) *core.Core {
	t.Helper()
	c, err := core.Open(t.Context(), core.Deps{
		DataDir: dir, Business: clock.Fixed(story), Machine: machine, IDs: typeid.Sequence(1), Rand: rand.Reader, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func start(t *testing.T) *suite {
	t.Helper()
	s := &suite{t: t, dir: t.TempDir(), log: &syncBuffer{}, machine: clock.NewManual(time.Now())}
	log := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.core = open(t, s.dir, log, s.machine)
	t.Cleanup(func() { _ = s.core.Close() })
	s.grpc = platformtest.New(t, platformtest.Config{Service: "edge", Register: s.core.Register, Own: s.core.Store(), Log: log})
	s.edge = edgev1.NewEdgeServiceClient(s.grpc.AsUser())
	s.backend = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.got, s.body = r, body
		answer := s.answer
		s.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id"))
		w.Header().Set("Crossdock-Position", "orders/1/7")
		_, _ = io.WriteString(w, `{"answered":true}`)
	}))
	t.Cleanup(s.backend.Close)
	s.serve(core.Quota{PerSecond: 10, Burst: 20, AtOnce: 64, Partners: 8}, s.backend.URL)
	return s
}

// serve opens the door anew, over the same keys.
func (s *suite) serve(q core.Quota, backend string) {
	s.t.Helper()
	signer, err := auth.NewSigner(s.grpc.PKI.TokenKey(), time.Now)
	if err != nil {
		s.t.Fatal(err)
	}
	u, err := url.Parse(backend)
	if err != nil {
		s.t.Fatal(err)
	}
	b := core.Backend{URL: u, Transport: core.NewTransport(nil, nil)}
	h, err := s.core.Door(core.Door{
		Signer:   signer,
		Routes:   []core.Route{{Prefix: "/v1/orders", Service: "orders"}, {Prefix: "/v1/tenders", Service: "freight"}},
		Backends: map[string]core.Backend{"orders": b, "freight": b}, OpenAPI: openapi.Files,
		Quota: q, MaxBody: 1 << 20, MaxInFlight: 8, Timeout: 10 * time.Second,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if s.door != nil {
		s.door.Close()
	}
	s.door = httptest.NewServer(h)
	s.t.Cleanup(s.door.Close)
}

func (s *suite) create(party, requestID string, roles ...string) *edgev1.CreateApiKeyResponse {
	s.t.Helper()
	resp, err := s.edge.CreateApiKey(s.t.Context(), &edgev1.CreateApiKeyRequest{
		ApiKey:    &edgev1.ApiKey{Party: party, Roles: roles, LegalEntities: []string{"legalEntities/NLS"}, DisplayName: "for tests"},
		RequestId: requestID,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return resp
}

// send calls the door; target may be any request target, headers are pairs.
func (s *suite) send(method, target, secret, body string, headers ...string) platformtest.Answer {
	s.t.Helper()
	req, err := http.NewRequest(method, s.door.URL, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.URL.Opaque = target // sent as it is
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return s.grpc.Send(req)
}

func (s *suite) reached() *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.got
	s.got = nil
	return r
}

func TestDoor(t *testing.T) {
	s := start(t)
	good := s.create("parties/CUS-XYZ", "r1", "customer").GetSecret()
	revoked := s.create("parties/CUS-XYZ", "r2", "customer")
	if _, err := s.edge.RevokeApiKey(t.Context(), &edgev1.RevokeApiKeyRequest{Name: revoked.GetApiKey().GetName(), RequestId: "r3"}); err != nil {
		t.Fatal(err)
	}
	unknown := "cdk_" + strings.Repeat("a", 52)
	for _, c := range []struct {
		name, method, target, secret, body string
		headers                            []string
		status                             int
		reason                             string
	}{
		{name: "good", method: "GET", target: "/v1/orders/ord_1", secret: good, status: 200},
		{name: "collection", method: "GET", target: "/v1/orders?pageSize=5", secret: good, status: 200},
		{name: "verb", method: "POST", target: "/v1/orders/ord_1:cancel", secret: good, body: "{}", status: 200},
		{name: "no key", method: "GET", target: "/v1/orders/ord_1", status: 401, reason: "UNAUTHENTICATED"},
		{name: "unknown key", method: "GET", target: "/v1/orders/ord_1", secret: unknown, status: 401, reason: "UNAUTHENTICATED"},
		{name: "revoked key", method: "GET", target: "/v1/orders/ord_1", secret: revoked.GetSecret(), status: 401, reason: "UNAUTHENTICATED"},
		{name: "malformed key", method: "GET", target: "/v1/orders/ord_1", secret: "cdk_short", status: 401, reason: "UNAUTHENTICATED"},
		{name: "other scheme", method: "GET", target: "/v1/orders/ord_1", headers: []string{"Authorization", "Basic " + good}, status: 401, reason: "UNAUTHENTICATED"},
		{name: "two keys", method: "GET", target: "/v1/orders/ord_1", secret: good, headers: []string{"Authorization", "Bearer " + good}, status: 401, reason: "UNAUTHENTICATED"},
		{name: "no key, unknown path", method: "GET", target: "/v1/parties/CUS-XYZ", status: 401, reason: "UNAUTHENTICATED"},
		{name: "foreign prefix", method: "GET", target: "/v1/parties/CUS-XYZ", secret: good, status: 404, reason: "NOT_FOUND"},
		{name: "prefix begun", method: "GET", target: "/v1/ordersX", secret: good, status: 404, reason: "NOT_FOUND"},
		{name: "root", method: "GET", target: "/", secret: good, status: 404, reason: "NOT_FOUND"},
		{name: "encoded slash", method: "GET", target: "/v1/orders%2Ford_1", secret: good, status: 400, reason: "BAD_PATH"},
		{name: "encoded letter", method: "GET", target: "/v1/orders/%6Frd_1", secret: good, status: 400, reason: "BAD_PATH"},
		{name: "dotted", method: "GET", target: "/v1/orders/../tenders", secret: good, status: 400, reason: "BAD_PATH"},
		{name: "encoded dots", method: "GET", target: "/v1/orders/%2e%2e/tenders", secret: good, status: 400, reason: "BAD_PATH"},
		{name: "empty segment", method: "GET", target: "/v1//orders", secret: good, status: 400, reason: "BAD_PATH"},
		{name: "body at the limit", method: "POST", target: "/v1/orders", secret: good, body: strings.Repeat("x", 1<<20), status: 200},
		{name: "body over the limit", method: "POST", target: "/v1/orders", secret: good, body: strings.Repeat("x", 1<<20+1), status: 413, reason: "BODY_TOO_LARGE"},
		{name: "openapi needs no key", method: "GET", target: "/openapi/orders.json", status: 200},
		{name: "openapi of no partners' service", method: "GET", target: "/openapi/masterdata.json", status: 401, reason: "UNAUTHENTICATED"},
		{name: "openapi is read only", method: "POST", target: "/openapi/orders.json", body: "{}", status: 405, reason: "METHOD_NOT_ALLOWED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.machine.Advance(time.Minute) // the bucket is full again
			got := s.send(c.method, c.target, c.secret, c.body, c.headers...)
			if got.Status != c.status {
				t.Fatalf("status %d, want %d; body %s", got.Status, c.status, got.Body)
			}
			if id := got.Header.Values("X-Request-Id"); len(id) != 1 || id[0] == "" {
				t.Errorf("X-Request-Id %q, want one", id)
			}
			reached := s.reached() != nil
			if want := c.reason == "" && !strings.HasPrefix(c.target, "/openapi/"); reached != want {
				t.Errorf("reached the service: %v, want %v", reached, want)
			}
			if c.reason == "" {
				return
			}
			p := got.Problem(t)
			if p.Reason != c.reason || p.Status != c.status || p.RequestID != got.Header.Get("X-Request-Id") {
				t.Errorf("problem %+v, want reason %s, status %d and the request id %s", p, c.reason, c.status, got.Header.Get("X-Request-Id"))
			}
			if c.status == 401 && got.Header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate (RFC 9110 section 15.5.2)")
			}
		})
	}
}

// A chunked body states no length: it is refused once it has grown over the limit.
func TestChunkedBodyOverLimit(t *testing.T) {
	s := start(t)
	key := s.create("parties/CUS-XYZ", "r1", "customer").GetSecret()
	req, err := http.NewRequest("POST", s.door.URL+"/v1/orders", io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20+1))))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	if got := s.grpc.Send(req); got.Status != 413 || s.reached() != nil {
		t.Errorf("status %d, want 413 and nothing sent on", got.Status)
	}
}

// What the service gets: the token for exactly this call, and no header that carries an identity or a route.
func TestHandover(t *testing.T) {
	s := start(t)
	key := s.create("parties/CAR-CXBB", "r1", "carrier")
	verifiers := map[string]*auth.Verifier{}
	for _, service := range []string{"orders", "freight"} {
		v, err := auth.NewVerifier(s.grpc.PKI.TokenKeys(), service, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		verifiers[service] = v
	}
	answer := s.send("POST", "/v1/tenders/tdr_1:accept?x=1", key.GetSecret(), `{"a":1}`,
		"Content-Type", "application/json", "Idempotency-Key", "k1", "If-Match", `"3"`, "Crossdock-Wait-Position", "freight/1/2", "X-Request-Id", "mine-1",
		"X-Forwarded-For", "1.2.3.4", "X-Forwarded-Host", "evil", "Forwarded", "for=1.2.3.4", "Grpc-Metadata-Crossdock-Actor", "user/dev",
		"Crossdock-Actor", "user/dev", "Cookie", "a=b", "Connection", "X-Drop", "X-Drop", "1", "Upgrade", "websocket", "X-Party", "parties/CUS-XYZ")
	if answer.Status != 200 || string(answer.Body) != `{"answered":true}` {
		t.Fatalf("answer %d %s", answer.Status, answer.Body)
	}
	if got, want := answer.Header.Values("X-Request-Id"), []string{"mine-1"}; !cmp.Equal(got, want) {
		t.Errorf("X-Request-Id %q, want %q", got, want)
	}
	if got, want := answer.Header.Get("Crossdock-Position"), "orders/1/7"; got != want {
		t.Errorf("Crossdock-Position %q, want %q", got, want)
	}
	got := s.reached()
	token := strings.TrimPrefix(got.Header.Get("Authorization"), "Bearer ")
	p, err := verifiers["freight"].Verify(token, "POST", "/v1/tenders/tdr_1:accept")
	if err != nil {
		t.Fatalf("the service refuses the token: %v", err)
	}
	want := origin.Principal{
		Kind: origin.Partner, Name: strings.TrimPrefix(key.GetApiKey().GetName(), "apiKeys/"), Party: "parties/CAR-CXBB", Roles: []string{"carrier"},
		Scopes:        []string{"billing.read", "billing.submit", "freight.read", "freight.report", "freight.respond", "webhooks.read", "webhooks.write"},
		LegalEntities: []string{"legalEntities/NLS"},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("principal (-want +got):\n%s", diff)
	}
	for _, other := range []struct{ service, method, path string }{
		{"orders", "POST", "/v1/tenders/tdr_1:accept"}, {"freight", "GET", "/v1/tenders/tdr_1:accept"}, {"freight", "POST", "/v1/tenders/tdr_2:accept"},
	} {
		if _, err := verifiers[other.service].Verify(token, other.method, other.path); err == nil {
			t.Errorf("the token is good for %v too", other)
		}
	}
	later, err := auth.NewVerifier(s.grpc.PKI.TokenKeys(), "freight", func() time.Time { return time.Now().Add(61 * time.Second) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := later.Verify(token, "POST", "/v1/tenders/tdr_1:accept"); err == nil {
		t.Error("the token is good after 61 s, want 60 s at most")
	}
	if got.Header.Get("Traceparent") == "" {
		t.Error("no traceparent went along")
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Idempotency-Key": "k1", "If-Match": `"3"`, "Crossdock-Wait-Position": "freight/1/2", "X-Request-Id": "mine-1",
		"X-Forwarded-For": "", "X-Forwarded-Host": "", "Forwarded": "", "Grpc-Metadata-Crossdock-Actor": "", "Crossdock-Actor": "", "Cookie": "",
		"X-Drop": "", "Upgrade": "", "X-Party": "",
	} {
		if v := strings.Join(got.Header.Values(name), "|"); v != want {
			t.Errorf("header %s reached the service as %q, want %q", name, v, want)
		}
	}
	if got.URL.RequestURI() != "/v1/tenders/tdr_1:accept?x=1" || string(s.body) != `{"a":1}` {
		t.Errorf("the service got %s with %s, want the path, query and body as sent", got.URL.RequestURI(), s.body)
	}
}

// A partner whose calls are slow fills its own places and nobody else's.
func TestQuotaOfCallsAtOnce(t *testing.T) {
	s := start(t)
	s.serve(core.Quota{PerSecond: 10, Burst: 20, AtOnce: 2, Partners: 8}, s.backend.URL)
	a := s.create("parties/CUS-AAA", "r1", "customer").GetSecret()
	b := s.create("parties/CUS-BBB", "r2", "customer").GetSecret()
	entered, release := make(chan struct{}), make(chan struct{})
	s.mu.Lock()
	s.answer = func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-release
		w.WriteHeader(http.StatusOK)
	}
	s.mu.Unlock()
	var slow sync.WaitGroup
	for range 2 {
		slow.Go(func() {
			if got := s.send("GET", "/v1/orders", a, ""); got.Status != 200 {
				t.Errorf("a slow call: %d, want 200", got.Status)
			}
		})
		<-entered
	}
	if got := s.send("GET", "/v1/orders", a, ""); got.Status != 429 || got.Problem(t).Reason != "QUOTA_EXCEEDED" || got.Header.Get("Retry-After") != "1" {
		t.Errorf("a third at once: %d %v, want 429 QUOTA_EXCEEDED, Retry-After 1", got.Status, got.Header)
	}
	slow.Go(func() {
		if got := s.send("GET", "/v1/orders", b, ""); got.Status != 200 {
			t.Errorf("another partner: %d, want 200", got.Status)
		}
	})
	<-entered
	close(release)
	slow.Wait()
	slow.Go(func() { <-entered })
	if got := s.send("GET", "/v1/orders", a, ""); got.Status != 200 {
		t.Errorf("afterwards: %d, want 200", got.Status)
	}
	slow.Wait()
}

func TestQuota(t *testing.T) {
	s := start(t)
	s.serve(core.Quota{PerSecond: 2, Burst: 3, AtOnce: 64, Partners: 2}, s.backend.URL)
	a := s.create("parties/CUS-AAA", "r1", "customer").GetSecret()
	a2 := s.create("parties/CUS-AAA", "r2", "customer").GetSecret()
	b := s.create("parties/CUS-BBB", "r3", "customer").GetSecret()
	call := func(secret string) platformtest.Answer { return s.send("GET", "/v1/orders", secret, "") }
	for i, want := range []string{`"partner";r=2;t=1`, `"partner";r=1;t=1`, `"partner";r=0;t=2`} {
		got := call([]string{a, a2, a}[i]) // two keys of one partner share its bucket
		if got.Status != 200 || got.Header.Get("RateLimit") != want || got.Header.Get("RateLimit-Policy") != `"partner";q=3;w=2` {
			t.Fatalf("call %d: %d, RateLimit %q, policy %q; want 200 and %q", i, got.Status, got.Header.Get("RateLimit"), got.Header.Get("RateLimit-Policy"), want)
		}
	}
	got := call(a2)
	if got.Status != 429 || got.Problem(t).Reason != "QUOTA_EXCEEDED" || got.Header.Get("Retry-After") != "1" || got.Header.Get("RateLimit") != `"partner";r=0;t=2` {
		t.Errorf("fourth call: %d %v, want 429 QUOTA_EXCEEDED, Retry-After 1", got.Status, got.Header)
	}
	if got := call(b); got.Status != 200 {
		t.Errorf("another partner: %d, want 200", got.Status)
	}
	s.machine.Advance(500 * time.Millisecond) // two a second: one more
	if got := call(a); got.Status != 200 {
		t.Errorf("half a second later: %d, want 200", got.Status)
	}
	if got := call(a); got.Status != 429 {
		t.Errorf("and once more: %d, want 429", got.Status)
	}
	// The buckets are bounded: with room for two, a third partner makes the one used longest ago forgotten, and only that.
	c := s.create("parties/CUS-CCC", "r4", "customer").GetSecret()
	if got := call(c); got.Status != 200 {
		t.Errorf("third partner: %d, want 200", got.Status)
	}
	if got := call(a); got.Status != 429 {
		t.Errorf("first partner, used lately: %d, want 429 still", got.Status)
	}
}

func TestServiceDown(t *testing.T) {
	s := start(t)
	key := s.create("parties/CUS-XYZ", "r1", "customer").GetSecret()
	s.backend.Close()
	got := s.send("POST", "/v1/orders", key, "{}")
	if got.Status != 503 || got.Problem(t).Reason != "UNAVAILABLE" || got.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s %v, want 503 UNAVAILABLE with Retry-After", got.Status, got.Body, got.Header)
	}
}

// A service's own refusal goes through as it is.
func TestServiceRefuses(t *testing.T) {
	s := start(t)
	key := s.create("parties/CUS-XYZ", "r1", "customer").GetSecret()
	s.answer = func(w http.ResponseWriter, r *http.Request) {
		rpcerr.WriteHTTP(w, r, rpcerr.NotFound("orders/ord_1").In("orders"))
	}
	p := s.send("GET", "/v1/orders/ord_1", key, "").Problem(t)
	if p.Type != "https://crossdock.dev/errors/orders/NOT_FOUND" || p.Status != 404 {
		t.Errorf("problem %+v, want the service's own", p)
	}
}

// A service that does not take the door's token says nothing of the partner's key: the clock was set while the call was under way. A
// partner that heard 401 would take its key for revoked.
func TestClockIsSetDuringACall(t *testing.T) {
	s := start(t)
	key := s.create("parties/CUS-XYZ", "r1", "customer").GetSecret()
	verifier, err := auth.NewVerifier(s.grpc.PKI.TokenKeys(), "orders", func() time.Time { return time.Now().Add(time.Hour) })
	if err != nil {
		t.Fatal(err)
	}
	s.answer = func(w http.ResponseWriter, r *http.Request) {
		_, err := verifier.Verify(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), r.Method, r.URL.Path)
		if err == nil {
			t.Error("the token is good an hour later")
		}
		rpcerr.WriteHTTP(w, r, rpcerr.Unauthenticated("token refused").In("orders"))
	}
	got := s.send("POST", "/v1/orders", key, "{}")
	if got.Status != 503 || got.Problem(t).Reason != "UNAVAILABLE" || got.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s %v, want 503 UNAVAILABLE with Retry-After", got.Status, got.Body, got.Header)
	}
}

func TestInFlightLimit(t *testing.T) {
	s := start(t)
	key := s.create("parties/CUS-XYZ", "r1", "customer").GetSecret()
	entered, leave := make(chan struct{}), make(chan struct{})
	s.answer = func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-leave
	}
	var calls sync.WaitGroup
	for range 8 {
		calls.Add(1)
		go func() {
			defer calls.Done()
			if got := s.send("GET", "/v1/orders", key, ""); got.Status != 200 {
				t.Errorf("held call: %d, want 200", got.Status)
			}
		}()
		<-entered
	}
	if got := s.send("GET", "/v1/orders", key, ""); got.Status != 429 || got.Problem(t).Reason != "OVERLOADED" {
		t.Errorf("ninth call at once: %d, want 429 OVERLOADED", got.Status)
	}
	close(leave)
	calls.Wait()
}

func TestRevocationIsImmediateAndSurvivesRestart(t *testing.T) {
	s := start(t)
	key := s.create("parties/CUS-XYZ", "r1", "customer")
	call := func() int { return s.send("GET", "/v1/orders", key.GetSecret(), "").Status }
	if got := call(); got != 200 {
		t.Fatalf("before: %d, want 200", got)
	}
	revoke := func(requestID string) *edgev1.ApiKey {
		k, err := s.edge.RevokeApiKey(t.Context(), &edgev1.RevokeApiKeyRequest{Name: key.GetApiKey().GetName(), RequestId: requestID})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first := revoke("r2")
	if got := call(); got != 401 {
		t.Errorf("after: %d, want 401", got)
	}
	at := s.core.Store().Last()
	if again := revoke("r2"); !proto.Equal(first, again) || s.core.Store().Last() != at {
		t.Errorf("same revoke again: %v at %v, want %v and nothing new", again, s.core.Store().Last(), first)
	}
	if other := revoke("r3"); !proto.Equal(first, other) {
		t.Errorf("revoking a revoked key: %v, want %v", other, first)
	}
	if err := s.core.Close(); err != nil {
		t.Fatal(err)
	}
	s.core = open(t, s.dir, slog.New(slog.DiscardHandler), s.machine)
	s.serve(core.Quota{PerSecond: 10, Burst: 20, AtOnce: 64, Partners: 8}, s.backend.URL)
	if got := call(); got != 401 {
		t.Errorf("after a restart: %d, want 401", got)
	}
}

// The secret is in one answer and nowhere else: not in the repeat's, the lists, the store's file, the log or the metrics.
func TestSecretIsShownOnce(t *testing.T) {
	s := start(t)
	first := s.create("parties/CUS-XYZ", "r1", "customer")
	if _, ok := strings.CutPrefix(first.GetSecret(), "cdk_"); !ok {
		t.Fatalf("secret %q, want cdk_...", first.GetSecret())
	}
	again := s.create("parties/CUS-XYZ", "r1", "customer")
	if again.GetSecret() != "" || !proto.Equal(first.GetApiKey(), again.GetApiKey()) {
		t.Errorf("repeat: %v, want %v and no secret", again, first.GetApiKey())
	}
	_, err := s.edge.CreateApiKey(t.Context(), &edgev1.CreateApiKeyRequest{
		ApiKey: &edgev1.ApiKey{Party: "parties/CUS-OTHER", Roles: []string{"customer"}}, RequestId: "r1",
	})
	if rpcerr.Reason(err) != "REQUEST_ID_REUSED" {
		t.Errorf("same id for another partner: %v, want REQUEST_ID_REUSED", err)
	}
	s.send("GET", "/v1/orders", first.GetSecret(), "") // the door's log line
	if err := s.core.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(core.Path(s.dir))
	if err != nil {
		t.Fatal(err)
	}
	text := first.GetSecret()[len("cdk_"):]
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(text))
	if err != nil || len(raw) != 32 {
		t.Fatalf("the secret has %d bytes, %v; want 32", len(raw), err)
	}
	for name, held := range map[string][]byte{"store file": file, "log": []byte(s.log.String())} {
		if len(held) == 0 {
			t.Fatalf("%s is empty", name)
		}
		if bytes.Contains(held, []byte(text)) || bytes.Contains(held, raw) {
			t.Errorf("the %s holds the secret", name)
		}
	}
	if !strings.Contains(s.log.String(), "partner call") {
		t.Error("the door wrote no log line")
	}
	report, err := store.Verify(t.Context(), core.Path(s.dir), core.Schema())
	if err != nil || len(report.Breaches) > 0 {
		t.Errorf("verify: %v %v, want whole", report.Breaches, err)
	}
}

// Callers with the same request id at the same time join one change: one key, one secret.
func TestSameRequestAtOnce(t *testing.T) {
	s := start(t)
	const callers = 16
	answers := make(chan *edgev1.CreateApiKeyResponse, callers)
	for range callers {
		go func() { answers <- s.create("parties/CUS-XYZ", "same", "customer") }()
	}
	names, secrets := map[string]bool{}, 0
	for range callers {
		a := <-answers
		names[a.GetApiKey().GetName()] = true
		if a.GetSecret() != "" {
			secrets++
		}
	}
	if len(names) != 1 || secrets != 1 {
		t.Errorf("%d keys and %d secrets, want one of each", len(names), secrets)
	}
}

func TestListPages(t *testing.T) {
	s := start(t)
	var want []string
	for i := range 5 {
		k := s.create(fmt.Sprintf("parties/CUS-%03d", i), fmt.Sprint("r", i), "customer")
		want = append([]string{k.GetApiKey().GetName()}, want...)
	}
	var got []string
	token := ""
	for {
		resp, err := s.edge.ListApiKeys(t.Context(), &edgev1.ListApiKeysRequest{PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range resp.GetApiKeys() {
			got = append(got, k.GetName())
		}
		if token = resp.GetNextPageToken(); token == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("newest first (-want +got):\n%s", diff)
	}
	if _, err := s.edge.ListApiKeys(t.Context(), &edgev1.ListApiKeysRequest{PageToken: "bad"}); rpcerr.Reason(err) != "INVALID_PAGE_TOKEN" {
		t.Errorf("bad token: %v, want INVALID_PAGE_TOKEN", err)
	}
}

func TestRefusals(t *testing.T) {
	s := start(t)
	_, err := s.edge.CreateApiKey(t.Context(), &edgev1.CreateApiKeyRequest{RequestId: "r1", ApiKey: &edgev1.ApiKey{
		Party: "parties/CUS-XYZ", Roles: []string{"customer", "customer"}, LegalEntities: []string{"NLS"},
	}})
	got := map[string]string{}
	for _, f := range rpcerr.From(err).Fields {
		got[f.Path] = f.Reason
	}
	want := map[string]string{"api_key.roles[1]": "DUPLICATE", "api_key.legal_entities[0]": "MALFORMED"}
	if diff := cmp.Diff(want, got); diff != "" || status.Code(err) != codes.InvalidArgument {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	_, err = s.edge.RevokeApiKey(t.Context(), &edgev1.RevokeApiKeyRequest{Name: "apiKeys/key_none", RequestId: "r2"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("revoke of a missing key: %v, want NOT_FOUND", err)
	}
	other := edgev1.NewEdgeServiceClient(s.grpc.As("orders"))
	if _, err := other.ListApiKeys(t.Context(), &edgev1.ListApiKeysRequest{}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("another service lists keys: %v, want PERMISSION_DENIED", err)
	}
}

func TestOpenAPIDocumentsAreJSON(t *testing.T) {
	s := start(t)
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]any
	}
	got := s.send("GET", "/openapi/orders.json", "", "")
	if err := json.Unmarshal(got.Body, &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.") || doc.Paths["/v1/orders"] == nil {
		t.Errorf("document: %v, version %q, %d paths; want OpenAPI 3 with /v1/orders", err, doc.OpenAPI, len(doc.Paths))
	}
}

func TestDoorNeedsWhatItRoutes(t *testing.T) {
	s := start(t)
	for name, d := range map[string]core.Door{
		"no backend":  {OpenAPI: openapi.Files},
		"no document": {OpenAPI: fstest.MapFS{}, Backends: map[string]core.Backend{"orders": {}}},
	} {
		d.Routes = []core.Route{{Prefix: "/v1/orders", Service: "orders"}}
		if _, err := s.core.Door(d); err == nil {
			t.Errorf("%s: opened, want an error", name)
		}
	}
}
