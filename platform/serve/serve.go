// Package serve runs a service: its gRPC listener with mTLS, its partner-only HTTP gateway, its admin listener and its
// loops. It promises that nothing is served whose methods have no complete policy, one stop order for all, that all parts
// stop when one fails, and that only main exits. It leaves opening stores and wiring to the service's main, which reads
// from top to bottom.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/telemetry"
)

// Service is what a program serves.
type Service struct {
	// Log is required.
	Log *slog.Logger
	// Registry gets the server's metrics and is served at /metrics; required.
	Registry *prometheus.Registry
	// Ready says why the service cannot serve now, nil when it can; asked by /readyz and once a second for health.
	Ready func() error
	// Waiter waits for followed logs; nil for a service that follows none.
	Waiter rpc.Waiter
	// Own is the service's store; nil for a service without a log.
	Own rpc.OwnLog
	// Loops run until the stop.
	Loops []step.Config
	// Register registers the gRPC services; nil for a program without.
	Register func(grpc.ServiceRegistrar)
	// Gateways are the generated REST handlers, reachable with a partner's token alone.
	Gateways []Gateway
	// HTTP serves the HTTP listener of a program without gateways, such as the edge and the tower. No token is asked for: it
	// authenticates its callers itself.
	HTTP http.Handler
	// Close runs after everything else has stopped, in order: stores, connections.
	Close []func() error
	// Started, if set, is told the addresses once all listeners are open.
	Started func(Addrs)
}

// Addrs are the addresses that a service listens on; nil where it does not.
type Addrs struct {
	GRPC, HTTP, Admin net.Addr
}

// Run serves until ctx ends or a part fails, then stops everything in order and returns the first failure, nil for a stop
// that was asked for. Close functions run in every case.
func Run(ctx context.Context, c Config, s Service) error {
	err := run(ctx, c, s)
	for _, closeFn := range s.Close {
		err = errors.Join(err, closeFn())
	}
	return err
}

func run(ctx context.Context, c Config, s Service) error {
	if s.Log == nil || s.Registry == nil || c.Name == "" {
		return errors.New("serve: Name, Log and Registry are required")
	}
	var p conf.Problems
	c.Check(&p)
	if err := p.Err(c.Name); err != nil {
		return err
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = 10 * time.Second
	}
	if c.MemoryLimit == 0 {
		c.MemoryLimit = memoryLimit
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 1024
	}
	defer boundMemory(c.MemoryLimit)()
	if c.Development {
		s.Log.Warn("DEVELOPMENT MODE: every scope is granted to people, the clock may come from a file, only loopback is served")
	}
	spans, err := telemetry.StartSpans(ctx, c.Name, c.Otel.Endpoint)
	if err != nil {
		return err
	}
	r, err := build(c, s, spans)
	if err != nil {
		return errors.Join(err, spans.Stop(ctx))
	}
	err = r.run(ctx)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), spansTimeout)
	defer cancel()
	if lost := spans.Stop(last); lost != nil {
		s.Log.Warn("the last spans were not exported", telemetry.KeyError, lost.Error())
	}
	return err
}

// spansTimeout bounds exporting the last spans at a stop.
const spansTimeout = 2 * time.Second

// runner is a service with its listeners open.
type runner struct {
	Config
	Service
	spans       *telemetry.Spans
	server      *grpc.Server
	admission   *rpc.Admission
	health      *health.Server
	memory      *rpc.MemoryListener
	connections connections
	clock       *clockWatch
	grpcLis     net.Listener
	httpLis     net.Listener
	adminLis    net.Listener
	http        *http.Server
	admin       *http.Server
	checks      *grpc.Server // health checks of the admin listener
	stopping    chan struct{}
	endMemory   context.CancelFunc
	draining    atomic.Bool

	parts  sync.WaitGroup // listeners
	loops  sync.WaitGroup
	failed chan error // the first failure
}

// open listens, for no more connections at the same time than are allowed.
func (r *runner) open(name, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return r.connections.bound(l.(*net.TCPListener), name, int64(r.MaxConnections)), nil
}

func build(c Config, s Service, spans *telemetry.Spans) (_ *runner, err error) {
	r := &runner{Config: c, Service: s, spans: spans, stopping: make(chan struct{}), failed: make(chan error, 1), memory: rpc.NewMemoryListener(), connections: newConnections()}
	defer func() {
		if err != nil {
			r.closeListeners()
		}
	}()
	tlsConfig, err := auth.ServerTLS(c.TLS)
	if err != nil {
		return nil, fmt.Errorf("serve %s: %w", c.Name, err)
	}
	var verifier *auth.Verifier
	if c.TokenKeys != "" {
		if verifier, err = auth.NewVerifier(c.TokenKeys, c.Name, clock.SystemMachine().Now); err != nil {
			return nil, fmt.Errorf("serve %s: %w", c.Name, err)
		}
	}
	r.admission = rpc.NewAdmission(c.Name, rpc.Limits{
		Calls: c.MaxInFlight, Streams: c.MaxStreams, Target: c.TargetTime, Heap: uint64(c.MemoryLimit) / 4 * 3,
	}, time.Now)
	r.server, err = rpc.NewServer(rpc.ServerConfig{
		Service: c.Name, TLS: tlsConfig, Verifier: verifier, Users: auth.Users{Grants: c.Users, Development: c.Development},
		Log: s.Log, Metrics: s.Registry, Spans: spans, Waiter: s.Waiter, Own: s.Own, DefaultTimeout: c.DefaultTimeout,
		Admission: r.admission, Stopping: r.stopping,
	})
	if err != nil {
		return nil, fmt.Errorf("serve %s: %w", c.Name, err)
	}
	if err := r.collect(); err != nil {
		return nil, fmt.Errorf("serve %s: %w", c.Name, err)
	}
	if s.Register != nil {
		s.Register(r.server)
	}
	r.health = health.NewServer()
	healthv1.RegisterHealthServer(r.server, r.health)
	r.checks = grpc.NewServer()
	healthv1.RegisterHealthServer(r.checks, r.health)
	if c.Development {
		reflection.Register(r.server)
	}
	if err := rpc.CheckPolicies(r.server, nil); err != nil {
		return nil, fmt.Errorf("serve %s: %w", c.Name, err)
	}
	handler, err := r.handler(verifier)
	if err != nil {
		return nil, fmt.Errorf("serve %s: %w", c.Name, err)
	}
	if err := r.listen(handler); err != nil {
		return nil, fmt.Errorf("serve %s: %w", c.Name, err)
	}
	return r, nil
}

// handler is what the HTTP listener serves, nil without one. No http.ServeMux stands before it: that would redirect odd paths,
// which the gateway and the edge refuse.
func (r *runner) handler(verifier *auth.Verifier) (http.Handler, error) {
	switch {
	case r.HTTPAddr == "" && (len(r.Gateways) > 0 || r.HTTP != nil):
		return nil, errors.New("http_addr is required: there are handlers for it")
	case r.HTTPAddr == "":
		return nil, nil
	case len(r.Gateways) == 0 && r.HTTP == nil:
		return nil, errors.New("http_addr is set, and there is nothing to serve on it")
	case len(r.Gateways) == 0:
		return r.HTTP, nil
	case r.HTTP != nil:
		return nil, errors.New("a listener serves gateways or a handler, not both")
	case verifier == nil:
		return nil, errors.New("token_keys_file is required: partners call this service")
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.endMemory = cancel
	return NewGateway(ctx, GatewayConfig{Service: r.Name, Verifier: verifier, Memory: r.memory, Gateways: r.Gateways, Admission: r.admission, MaxBody: r.MaxBodyBytes})
}

func (r *runner) listen(handler http.Handler) (err error) {
	if r.grpcLis, err = r.open("grpc", r.GRPCAddr); err != nil {
		return err
	}
	if r.adminLis, err = net.Listen("tcp", r.AdminAddr); err != nil {
		return err
	}
	r.admin = newHTTPServer(r.adminHandler(), r.Log)
	r.admin.Protocols = new(http.Protocols)
	r.admin.Protocols.SetHTTP1(true)
	r.admin.Protocols.SetUnencryptedHTTP2(true) // gRPC health checks of the agent on this machine
	if handler == nil {
		return nil
	}
	if r.httpLis, err = r.open("http", r.HTTPAddr); err != nil {
		return err
	}
	switch r.HTTPTLS {
	case HTTPMutual:
		c, err := auth.ServerTLS(r.TLS)
		if err != nil {
			return err
		}
		c.VerifyConnection = onlyEdge
		r.httpLis = tls.NewListener(r.httpLis, c)
	case HTTPPublic:
		c, err := auth.PublicTLS(r.HTTPCertificate)
		if err != nil {
			return err
		}
		r.httpLis = tls.NewListener(r.httpLis, c)
	}
	r.http = newHTTPServer(handler, r.Log)
	return nil
}

// onlyEdge lets the edge alone reach a partner-only gateway.
func onlyEdge(s tls.ConnectionState) error {
	id, err := auth.PeerID(s)
	if err != nil {
		return err
	}
	if id != auth.ServiceID(auth.TokenIssuer) {
		return fmt.Errorf("%s may not call the partners' gateway", id)
	}
	return nil
}

func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

func (r *runner) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, q *http.Request) {
		if err := r.ready(); err != nil {
			rpcerr.WriteHTTP(w, q, rpcerr.Unavailable("").With("why", err.Error()).In(r.Name))
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(r.Registry, promhttp.HandlerOpts{Registry: r.Registry}))
	// Go's profiles: the admin listener is loopback alone, and nothing is measured until somebody asks.
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("POST /"+healthv1.Health_ServiceDesc.ServiceName+"/", r.checks)
	return mux
}

var errDraining = errors.New("stopping")

func (r *runner) ready() error {
	if r.draining.Load() {
		return errDraining
	}
	if r.Ready == nil {
		return nil
	}
	return r.Ready()
}

// part runs one part; when it ends with an error, everything stops.
func (r *runner) part(wg *sync.WaitGroup, name string, fn func() error) {
	wg.Add(1)
	go func() {
		defer wg.Done()
		if err := fn(); err != nil {
			select {
			case r.failed <- fmt.Errorf("%s: %w", name, err):
			default: // another part failed first, and its error tells why
			}
		}
	}()
}

func (r *runner) run(ctx context.Context) error {
	loopCtx, endLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer endLoops()
	r.part(&r.parts, "grpc", func() error { return served(r.server.Serve(r.grpcLis)) })
	r.part(&r.parts, "memory", func() error { return served(r.server.Serve(r.memory)) })
	r.part(&r.parts, "admin", func() error { return served(r.admin.Serve(r.adminLis)) })
	addrs := Addrs{GRPC: r.grpcLis.Addr(), Admin: r.adminLis.Addr()}
	if r.http != nil {
		addrs.HTTP = r.httpLis.Addr()
		r.part(&r.parts, "http", func() error { return served(r.http.Serve(r.httpLis)) })
	}
	for _, l := range r.Loops {
		r.part(&r.loops, "loop "+l.Name, func() error { return step.Loop(loopCtx, l) })
	}
	r.part(&r.loops, "memory", func() error { return restMemory(loopCtx) })
	r.part(&r.loops, "health", func() error { return r.watchReady(loopCtx) })
	r.part(&r.loops, "clock", func() error { return r.clock.run(loopCtx) })
	leave, err := r.register(loopCtx, addrs)
	if err != nil {
		r.part(&r.parts, "consul", func() error { return err })
	}
	r.Log.Info("started", "version", telemetry.Version(), "grpc_addr", addrs.GRPC.String(), "http_addr", text(addrs.HTTP), "admin_addr", addrs.Admin.String())
	if r.Started != nil {
		r.Started(addrs)
	}
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-r.failed:
		r.Log.Error("a part failed, stopping", telemetry.KeyError, failure.Error())
	}
	if errors.Is(failure, store.ErrOutcomeUnknown) {
		r.StopTimeout = min(r.StopTimeout, failedStop)
	}
	r.stop(endLoops, leave, failure == nil)
	r.Log.Info("stopped")
	return failure
}

// failedStop bounds each phase of the stop of a service whose store has failed: nothing that calls under way wait for comes any more,
// and the sooner the file is opened anew, the sooner callers get an answer.
const failedStop = 200 * time.Millisecond

// watchReady keeps the health service in step with Ready. A store whose last commit has an unknown outcome ends the program:
// only opening the file anew tells what is in it.
func (r *runner) watchReady(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var failed <-chan struct{} // never, where the service has no store
	if s, ok := r.Own.(interface{ Failed() <-chan struct{} }); ok {
		failed = s.Failed()
	}
	for {
		st := healthv1.HealthCheckResponse_SERVING
		if err := r.ready(); errors.Is(err, store.ErrOutcomeUnknown) {
			return err
		} else if err != nil {
			st = healthv1.HealthCheckResponse_NOT_SERVING
		}
		r.health.SetServingStatus("", st)
		for name := range r.server.GetServiceInfo() {
			r.health.SetServingStatus(name, st)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-failed:
		}
	}
}

// stop ends the parts in the order in which nobody is let down: callers learn first, open streams end before the graceful
// stop that would wait for them, loops go on until no call can wake them.
func (r *runner) stop(endLoops context.CancelFunc, leave func(), drain bool) {
	r.draining.Store(true)
	r.health.Shutdown()
	leave()
	if drain && r.DrainTime > 0 {
		timer := time.NewTimer(r.DrainTime)
		<-timer.C
	}
	close(r.stopping)
	if r.http != nil {
		ctx, cancel := context.WithTimeout(context.Background(), r.StopTimeout)
		if err := r.http.Shutdown(ctx); err != nil {
			r.Log.Warn("http calls were cut off", telemetry.KeyError, err.Error())
			_ = r.http.Close() // the listener is closed already; nothing more can be done
		}
		cancel()
	}
	if r.endMemory != nil {
		r.endMemory()
	}
	r.stopServer()
	endLoops()
	r.loops.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), r.StopTimeout)
	defer cancel()
	if err := r.admin.Shutdown(ctx); err != nil {
		_ = r.admin.Close() // a hanging scrape does not hold the stop
	}
	r.closeListeners()
	r.parts.Wait()
}

func (r *runner) stopServer() {
	done := make(chan struct{})
	go func() {
		r.server.GracefulStop()
		close(done)
	}()
	timer := time.NewTimer(r.StopTimeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		r.Log.Warn("calls were cut off")
		r.server.Stop()
		<-done
	}
}

func (r *runner) closeListeners() {
	for _, l := range []net.Listener{r.grpcLis, r.httpLis, r.adminLis} {
		if l != nil {
			_ = l.Close() // closed already in an ordinary stop
		}
	}
	_ = r.memory.Close()
	if r.endMemory != nil {
		r.endMemory()
	}
}

// served leaves out that a server was stopped, also before it began.
func served(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

func text(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}
