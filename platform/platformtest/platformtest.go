// Package platformtest runs a service in a test: its real handlers behind the real interceptors, mTLS and gateway, over
// memory instead of sockets, with identities made in the test's folder. It promises that what passes here passes the same
// checks in a running program, except for listeners and the stop order. It leaves stores and business to the test.
package platformtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/step"
)

// Config says what to serve.
type Config struct {
	// Service is the service's name; required.
	Service string
	// Register registers the gRPC services.
	Register func(grpc.ServiceRegistrar)
	// Gateways are the generated REST handlers.
	Gateways []serve.Gateway
	// Waiter and Own are what the interceptors wait for; nil as in serve.Service.
	Waiter rpc.Waiter
	Own    rpc.OwnLog
	// Strict takes development's scopes from people: they hold what Users grants.
	Strict bool
	// Users is what people hold.
	Users map[string]auth.Grant
	// Log gets the server's lines; nil means the test's own output on failure.
	Log *slog.Logger
	// Server changes what NewServer is given, after everything else.
	Server func(*rpc.ServerConfig)
	// MaxBody bounds HTTP bodies; 0 means 1 MiB.
	MaxBody int64
	// Now is machine time for tokens; nil means the machine's.
	Now func() time.Time
	// PKI holds the identities, for tests that serve often; nil makes new ones.
	PKI *auth.PKI
	// Rand makes trace ids, safe for use from many goroutines; nil means the machine's.
	Rand io.Reader
}

// Server is a service under test. It stops with the test.
type Server struct {
	// PKI holds the test's identities.
	PKI *auth.PKI
	// GRPC is the server.
	GRPC *grpc.Server
	// URL is the base of the HTTP gateway, "" without gateways.
	URL string

	t        testing.TB
	config   Config
	listener *bufconn.Listener
	signer   *auth.Signer
	verifier *auth.Verifier
	handler  http.Handler
}

// New serves c until the test ends.
func New(t testing.TB, c Config) *Server {
	t.Helper()
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	pki, err := c.PKI, error(nil)
	if pki == nil {
		pki, err = auth.DevPKI(t.TempDir(), c.Service, "edge")
	}
	must(t, err)
	s := &Server{PKI: pki, t: t, config: c, listener: bufconn.Listen(256 << 10)}
	s.signer, err = auth.NewSigner(pki.TokenKey(), c.Now)
	must(t, err)
	s.verifier, err = auth.NewVerifier(pki.TokenKeys(), c.Service, c.Now)
	must(t, err)
	tlsConfig, err := auth.ServerTLS(pki.Service(c.Service))
	must(t, err)
	stopping := make(chan struct{})
	sc := rpc.ServerConfig{
		Service: c.Service, TLS: tlsConfig, Verifier: s.verifier, Users: auth.Users{Grants: c.Users, Development: !c.Strict},
		Log: c.Log, Waiter: c.Waiter, Own: c.Own, Stopping: stopping, Rand: c.Rand,
	}
	if c.Server != nil {
		c.Server(&sc)
	}
	if sc.Admission == nil {
		sc.Admission = rpc.NewAdmission(c.Service, rpc.Limits{}, time.Now)
	}
	s.GRPC, err = rpc.NewServer(sc)
	must(t, err)
	if c.Register != nil {
		c.Register(s.GRPC)
	}
	must(t, rpc.CheckPolicies(s.GRPC, sc.Policies))
	memory := rpc.NewMemoryListener()
	ended := make(chan error, 2)
	go func() { ended <- s.GRPC.Serve(s.listener) }()
	go func() { ended <- s.GRPC.Serve(memory) }()
	t.Cleanup(func() {
		close(stopping)
		s.GRPC.Stop()
		for range 2 {
			if err := <-ended; err != nil && !errors.Is(err, grpc.ErrServerStopped) { // stopped before it began
				t.Errorf("serve: %v", err)
			}
		}
	})
	if len(c.Gateways) > 0 {
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(cancel)
		s.handler, err = serve.NewGateway(ctx, serve.GatewayConfig{
			Service: c.Service, Verifier: s.verifier, Memory: memory, Gateways: c.Gateways, Admission: sc.Admission, MaxBody: c.MaxBody, Rand: c.Rand,
		})
		must(t, err)
		h := httptest.NewServer(s.handler)
		t.Cleanup(h.Close)
		s.URL = h.URL
	}
	return s
}

// As connects with the identity of another service, such as "workflow".
func (s *Server) As(service string) *grpc.ClientConn {
	s.t.Helper()
	_, err := auth.DevPKI(s.PKI.Dir(), service)
	must(s.t, err)
	return s.Dial(s.PKI.Service(service))
}

// AsUser connects as the person auth.DevUser, who holds every scope unless the server is strict.
func (s *Server) AsUser() *grpc.ClientConn {
	s.t.Helper()
	return s.Dial(s.PKI.User(auth.DevUser))
}

// Dial connects with any identity.
func (s *Server) Dial(id auth.Files) *grpc.ClientConn {
	s.t.Helper()
	cc, err := rpc.Dial(rpc.ClientConfig{
		Target: "static:///memory:0", Service: s.config.Service, Identity: id,
		Dialer: func(ctx context.Context, _ string) (net.Conn, error) { return s.Connect(ctx) }, Rand: s.config.Rand,
	})
	must(s.t, err)
	s.t.Cleanup(func() { _ = cc.Close() })
	return cc
}

// Handler is the HTTP gateway, nil without gateways.
func (s *Server) Handler() http.Handler { return s.handler }

// Connect opens a bare connection to the server's mTLS listener.
func (s *Server) Connect(ctx context.Context) (net.Conn, error) { return s.listener.DialContext(ctx) }

// Partner is a partner that calls the gateway with tokens as the edge makes them.
type Partner struct {
	s     *Server
	token auth.Token
}

// Partner is a partner with a party, such as "parties/CUS-XYZ", and scopes.
func (s *Server) Partner(party string, scopes ...string) *Partner {
	return &Partner{s: s, token: auth.Token{Service: s.config.Service, KeyID: "key-test", Party: party, Scopes: scopes}}
}

// Token signs a token with the edge's key, for tests that bend it.
func (s *Server) Token(t auth.Token) string {
	s.t.Helper()
	signed, err := s.signer.Sign(t)
	must(s.t, err)
	return signed
}

// Answer is what the gateway answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Problem decodes a refusal.
func (a Answer) Problem(t testing.TB) rpcerr.Problem {
	t.Helper()
	var p rpcerr.Problem
	if got, want := a.Header.Get("Content-Type"), "application/problem+json"; got != want {
		t.Fatalf("content type %q, want %q; status %d, body %s", got, want, a.Status, a.Body)
	}
	must(t, json.Unmarshal(a.Body, &p))
	return p
}

// Do calls the gateway with a token for exactly this route. target is a path with an optional query; headers are pairs of
// name and value.
func (p *Partner) Do(method, target, body string, headers ...string) Answer {
	p.s.t.Helper()
	req, err := http.NewRequest(method, p.s.URL+target, bytes.NewBufferString(body))
	must(p.s.t, err)
	tok := p.token
	tok.Method, tok.Path = method, req.URL.Path
	req.Header.Set("Authorization", "Bearer "+p.s.Token(tok))
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return p.s.Send(req)
}

// Send sends a request as it is.
func (s *Server) Send(req *http.Request) Answer {
	s.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	must(s.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(s.t, err)
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: b}
}

// Drive steps every stepper in turn until a whole round makes no progress. It fails after limit rounds, when two steppers
// may be waking each other for ever, and with the first error of a step.
func Drive(ctx context.Context, now func() time.Time, limit int, steppers ...step.Stepper) error {
	for range limit {
		progress := false
		for i, s := range steppers {
			p, err := s.Step(ctx, now())
			if err != nil {
				return fmt.Errorf("stepper %d: %w", i, err)
			}
			progress = progress || p
		}
		if !progress {
			return nil
		}
	}
	return fmt.Errorf("still making progress after %d rounds", limit)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
