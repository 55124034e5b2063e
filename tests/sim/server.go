package sim

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"

	"google.golang.org/grpc"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/platformtest"
)

// server is where a service is reached, for as long as the suite lives. What answers is the program that is open at the time: a
// program is opened again far more often than a simulation can make certificates and shake hands.
type server struct {
	*platformtest.Server

	mu    sync.Mutex
	conns map[string]grpc.ClientConnInterface // by the service that calls, "" for a person
}

func (s *Suite) serve(p *part, log *slog.Logger) *server {
	s.T.Helper()
	register := func(r grpc.ServiceRegistrar) { p.register(stand{r, s, p.name}) }
	return &server{conns: map[string]grpc.ClientConnInterface{}, Server: platformtest.New(s.T, platformtest.Config{
		Service: p.name, Register: register, Gateways: p.gateways, Waiter: waiter{s, p.name}, Own: own{s, p.name}, Log: log,
		Rand: s.randomness(p.name), PKI: s.pki,
	})}
}

func (s *server) conn(from string) grpc.ClientConnInterface {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[from] == nil {
		if from == "" {
			s.conns[from] = s.AsUser()
		} else {
			s.conns[from] = s.As(from)
		}
	}
	return s.conns[from]
}

// implementations takes down what a program registers.
type implementations map[string]any

// RegisterService keeps the implementation.
func (i implementations) RegisterService(desc *grpc.ServiceDesc, impl any) {
	i[desc.ServiceName] = impl
}

// stand registers services whose methods are those of the program that is open when they are called.
type stand struct {
	grpc.ServiceRegistrar
	s    *Suite
	name string
}

// RegisterService registers a service without an implementation of its own.
func (b stand) RegisterService(desc *grpc.ServiceDesc, _ any) {
	d := *desc
	now := func() (any, error) {
		p := b.s.alive(b.name)
		if p == nil {
			return nil, down(b.name)
		}
		return p.impls[d.ServiceName], nil
	}
	d.Methods, d.Streams = slices.Clone(desc.Methods), slices.Clone(desc.Streams)
	for i, m := range desc.Methods {
		d.Methods[i].Handler = func(_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
			impl, err := now()
			if err != nil {
				return nil, err
			}
			return m.Handler(impl, ctx, decode, intercept)
		}
	}
	for i, m := range desc.Streams {
		d.Streams[i].Handler = func(_ any, stream grpc.ServerStream) error {
			impl, err := now()
			if err != nil {
				return err
			}
			return m.Handler(impl, stream)
		}
	}
	b.ServiceRegistrar.RegisterService(&d, nil)
}

// waiter and own wait for the logs of the program that is open.
type waiter struct {
	s    *Suite
	name string
}

func (w waiter) WaitRead(ctx context.Context, after []origin.Position) error {
	p := w.s.alive(w.name)
	if p == nil {
		return down(w.name)
	}
	if p.waiter == nil {
		return nil
	}
	return p.waiter.WaitRead(ctx, after)
}

type own struct {
	s    *Suite
	name string
}

func (o own) Wait(ctx context.Context, at origin.Position) error {
	p := o.s.alive(o.name)
	if p == nil {
		return down(o.name)
	}
	return p.store.Wait(ctx, at)
}

// signer signs with the key that the called service trusts.
type signer struct{ s *Suite }

func (g signer) Sign(t auth.Token) (string, error) { return g.s.servers[t.Service].Token(t), nil }

// transport carries a call of edge's door to a service's gateway.
type transport struct {
	s       *Suite
	service string
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	p := t.s.alive(t.service)
	if p == nil {
		return nil, down(t.service)
	}
	resp := answerOf(t.s.servers[t.service].Handler(), r.Clone(r.Context()))
	if t.s.alive(t.service) != p {
		return nil, down(t.service)
	}
	return resp, nil
}

// answerOf lets a handler answer a client's request.
func answerOf(h http.Handler, r *http.Request) *http.Response {
	r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), "192.0.2.1:1234" // RFC 5737: an address of documentation
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp
}
