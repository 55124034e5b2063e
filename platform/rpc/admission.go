package rpc

import (
	"context"
	runtimemetrics "runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	governancev1 "crossdock.dev/gen/crossdock/governance/v1"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/rpcerr"
)

// Admission decides, before anything of a call is decoded, whether the call may come in. What comes in is answered in time; what
// does not is refused for the price of a header, so that ten times the work the server can do costs it little of that work.
//
//   - Health is always answered.
//   - Streams and reads of the log have places of their own: whatever floods the methods, facts go on from service to service.
//   - Other calls share the limit. One caller (a service, a person, all partners together) fills at most three quarters of
//     it, so that beside one that floods there is room for whoever completes what is under way. What is less critical is refused first.
//   - The limit follows latency: while most calls take longer than the target, or the live heap nears the memory limit, it falls
//     by a quarter every tenth of a second; while few do, it rises by an eighth. By Little's law the limit divided by the rate is
//     the time in the server, so it settles where calls take about the target, whatever the machine can do.
//   - While the server is busy, a call that has less time left than one usually takes is refused: it would be done for nobody.
//
// Nothing waits before it comes in. Calls that wait there, or at the caller for a stream of the connection, are served when they
// have little time left, and what is done for them is mostly in vain: by refusing at once, about twice the share of the processor's time went into answers.
type Admission struct {
	limits     Limits
	now        func() time.Time
	refusal    *rpcerr.Error
	full       error // the same as a status, made once
	shed       prometheus.Counter
	most       prometheus.GaugeFunc
	calls      pool
	feeds      pool
	http       atomic.Int64
	limit      atomic.Int64
	windowEnds atomic.Int64 // machine time, ns
	done       atomic.Int64 // in this window: calls that ended,
	slow       atomic.Int64 // those that took longer than the target,
	sum        atomic.Int64 // and how long all of them took, ns
	usual      atomic.Int64 // how long one took in the window before, ns
}

// Limits bound what a server holds at the same time.
type Limits struct {
	// Calls is how many unary calls come in at most; 0 means 512.
	Calls int
	// Streams is how many streams and reads of the log, together; 0 means 256.
	Streams int
	// Target is the time in the server, without waiting for other logs, above which the limit falls; 0 means 500 ms.
	Target time.Duration
	// Heap is how many bytes may live on the heap before the limit falls; 0 means that memory is not watched.
	Heap uint64
}

// The limit follows latency once in a window, on no fewer calls than minSample, and not below minLimit.
const (
	window    = 100 * time.Millisecond
	minSample = 16
	minLimit  = 64
)

// Shares of the limit, in sixteenths: what one caller may fill, and up to where calls of each criticality come in.
const (
	whole       = 16
	callerShare = 12
	t3Share     = 13
	t2Share     = 14
)

// pool counts who is inside.
type pool struct {
	all     atomic.Int64
	callers sync.Map // caller -> *atomic.Int64; bounded by the certificates of the suite
}

// partners stands for everybody who comes through the own gateway.
var partners = auth.ID{}

// NewAdmission makes what admits the calls of a service; now is machine time.
func NewAdmission(service string, l Limits, now func() time.Time) *Admission {
	if l.Calls == 0 {
		l.Calls = 512
	}
	if l.Streams == 0 {
		l.Streams = 256
	}
	if l.Target == 0 {
		l.Target = 500 * time.Millisecond
	}
	refusal := rpcerr.Exhausted(RetryAfter).In(service)
	a := &Admission{
		limits: l, now: now, refusal: refusal, full: refusal.GRPCStatus().Err(),
		shed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "crossdock_rpc_shed_total", Help: "Calls, and requests of partners, refused before decoding because too many were being served.",
		}),
	}
	a.most = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "crossdock_rpc_limit", Help: "How many calls may be served at once now, streams and reads of the log apart.",
	}, func() float64 { return float64(a.limit.Load()) })
	a.limit.Store(int64(l.Calls))
	a.windowEnds.Store(now().Add(window).UnixNano())
	return a
}

// liveHeap is what the last collection left, in bytes.
func liveHeap() uint64 {
	s := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
	runtimemetrics.Read(s)
	return s[0].Value.Uint64()
}

// enter admits a call of a method, or refuses it. It runs in the reader of a connection: it counts, and looks at nothing of the call
// but its name and whose connection it came on. The place is free again when the context ends.
func (a *Admission) enter(ctx context.Context, fullMethod string, m auth.Method) (context.Context, error) {
	if m.Exempt {
		return ctx, nil
	}
	from := caller(ctx)
	if m.Streams || fullMethod == eventlogv1.EventLogService_ReadEntries_FullMethodName {
		leave, ok := a.feeds.enter(from, int64(a.limits.Streams), whole)
		if !ok {
			return nil, a.refuse()
		}
		context.AfterFunc(ctx, leave)
		return ctx, nil
	}
	share := int64(t3Share)
	switch m.Policy.GetCriticality() {
	case governancev1.MethodPolicy_T1:
		share = whole
	case governancev1.MethodPolicy_T2:
		share = t2Share
	}
	limit, now := a.limit.Load(), a.now()
	if end, ok := ctx.Deadline(); ok && 2*a.calls.all.Load() > limit && end.Sub(now) < time.Duration(a.usual.Load()) {
		return nil, a.refuse()
	}
	leave, ok := a.calls.enter(from, limit, share)
	if !ok {
		return nil, a.refuse()
	}
	v := &visit{came: now}
	ctx = context.WithValue(ctx, visitKey{}, v)
	context.AfterFunc(ctx, func() {
		leave()
		a.ended(v)
	})
	return ctx, nil
}

// EnterHTTP asks for a place for a partner's request, before its token is verified and its body read. leave is called when it
// has been answered.
func (a *Admission) EnterHTTP() (leave func(), refused *rpcerr.Error) {
	if a.http.Add(1) > of(a.limit.Load(), callerShare) {
		a.http.Add(-1)
		_ = a.refuse()
		return nil, a.refusal
	}
	return func() { a.http.Add(-1) }, nil
}

func (a *Admission) refuse() error {
	a.shed.Inc()
	a.follow()
	return a.full
}

// enter takes a place, unless the pool is filled up to the share of the limit, or by the caller to a caller's.
func (p *pool) enter(from auth.ID, limit, share int64) (leave func(), ok bool) {
	v, found := p.callers.Load(from)
	if !found {
		v, _ = p.callers.LoadOrStore(from, new(atomic.Int64))
	}
	own := v.(*atomic.Int64)
	leave = func() {
		own.Add(-1)
		p.all.Add(-1)
	}
	if own.Add(1) > of(limit, callerShare) {
		own.Add(-1)
		return nil, false
	}
	if p.all.Add(1) > of(limit, share) {
		leave()
		return nil, false
	}
	return leave, true
}

// of is a share of a limit, rounded up: the last place is anybody's.
func of(limit, share int64) int64 { return (limit*share + whole - 1) / whole }

// caller is whose connection a call came on.
func caller(ctx context.Context) auth.ID {
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok {
			if id, err := auth.PeerID(info.State); err == nil {
				return id
			}
		}
	}
	return partners
}

// visit is one call that came in.
type visit struct {
	came   time.Time
	waited atomic.Int64 // ns that it waited for logs, which says nothing of the server's load
}

type visitKey struct{}

// waitedFor notes that a call has waited for others.
func waitedFor(ctx context.Context, d time.Duration) {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		v.waited.Add(int64(d))
	}
}

func (a *Admission) ended(v *visit) {
	took := a.now().Sub(v.came) - time.Duration(v.waited.Load())
	a.done.Add(1)
	a.sum.Add(int64(took))
	if took > a.limits.Target {
		a.slow.Add(1)
	}
	a.follow()
}

// follow sets the limit at the end of a window.
func (a *Admission) follow() {
	now := a.now()
	ends := a.windowEnds.Load()
	if now.UnixNano() < ends || !a.windowEnds.CompareAndSwap(ends, now.Add(window).UnixNano()) {
		return
	}
	done, slow, sum := a.done.Swap(0), a.slow.Swap(0), a.sum.Swap(0)
	a.usual.Store(sum / max(done, 1))
	limit, most := a.limit.Load(), int64(a.limits.Calls)
	switch {
	case a.limits.Heap > 0 && liveHeap() > a.limits.Heap,
		done >= minSample && 2*slow > done && 2*a.calls.all.Load() > limit:
		limit -= limit / 4
	case 4*slow <= done:
		limit += limit/8 + 1
	}
	a.limit.Store(min(max(limit, min(minLimit, most)), most))
}

// Describe names the admission's metrics.
func (a *Admission) Describe(ch chan<- *prometheus.Desc) {
	a.shed.Describe(ch)
	a.most.Describe(ch)
}

// Collect gives the admission's metrics.
func (a *Admission) Collect(ch chan<- prometheus.Metric) {
	a.shed.Collect(ch)
	a.most.Collect(ch)
}
