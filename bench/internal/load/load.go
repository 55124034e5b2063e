// Package load runs an operation again and again and measures how long it takes. It is for the benchmarks alone.
//
// It promises that what belongs to the warm-up is in no figure, that an open loop measures from the moment at which an operation was
// meant to start (a server that stalls is seen by all that should have come meanwhile, not by those alone that were under way), and
// that the first operation to fail ends the run with its error: nothing is measured by errors.
package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Op is one operation.
type Op func(ctx context.Context, t Turn) error

// Turn is an operation's turn.
type Turn struct {
	// Worker does it; N is its number in the run, given once. Both count from 0.
	Worker int
	N      uint64
	// Start is when it was meant to start: now in a closed loop, by the rate in an open one.
	Start time.Time
}

// Plan says how to run.
type Plan struct {
	// Workers are the operations under way at the same time: all of a closed loop, at most of an open one.
	Workers int
	// WarmUp comes before Window; what ends in Window counts. Operations that are under way at its end are waited for.
	WarmUp, Window time.Duration
	// Least is how many operations end at least in the window, which goes on until they have, and half as many before it; 0 is one.
	// Operations that take as long as the window, and that all began at once, end all at once, or none.
	Least uint64
	// Count, if set, runs this many operations without a warm-up instead; the window is as long as they take.
	Count uint64
	// Rate is how many operations a second are meant to start in an open loop; 0 is a closed loop.
	Rate float64
	// Edge, if set, is told when the window begins and ends.
	Edge func(begins bool) error
}

// Result is what was measured.
type Result struct {
	// Ops were done in the window, which was Elapsed long; Done in all.
	Ops, Done uint64
	Elapsed   time.Duration
	Times     *Times
}

// Rate is how many operations a second were done.
func (r Result) Rate() float64 { return float64(r.Ops) / r.Elapsed.Seconds() }

// Run runs a plan.
func Run(ctx context.Context, p Plan, op Op) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &run{Plan: p, op: op, fail: cancel, times: NewTimes(), stop: make(chan struct{}), begun: time.Now()}
	if p.Count > 0 {
		r.inWindow.Store(true)
		if err := r.edge(true); err != nil {
			return Result{}, err
		}
	}
	from := time.Now()
	var workers sync.WaitGroup
	for w := range p.Workers {
		workers.Go(func() { r.work(ctx, w) })
	}
	var err error
	if p.Count > 0 {
		workers.Wait()
		err = r.edge(false)
	} else {
		from, err = r.watch(ctx)
	}
	elapsed := time.Since(from)
	close(r.stop)
	workers.Wait()
	if failed := context.Cause(ctx); failed != nil {
		err = errors.Join(failed, err)
	}
	return Result{Ops: r.ops.Load(), Done: r.done.Load(), Elapsed: elapsed, Times: r.times}, err
}

// run is a plan under way.
type run struct {
	Plan
	op    Op
	fail  context.CancelCauseFunc
	times *Times
	begun time.Time

	next, ops, done atomic.Uint64
	inWindow        atomic.Bool
	stop            chan struct{}
}

// watch opens the window after the warm-up and closes it.
func (r *run) watch(ctx context.Context) (from time.Time, err error) {
	if !pauseUntil(ctx, r.WarmUp, func() bool { return r.done.Load() >= r.Least/2 }) {
		return time.Now(), nil // the cause is told by the context
	}
	if err := r.edge(true); err != nil {
		return time.Now(), err
	}
	from = time.Now()
	r.inWindow.Store(true)
	_ = pauseUntil(ctx, r.Window, func() bool { return r.ops.Load() >= max(r.Least, 1) }) // the cause is told by the context
	r.inWindow.Store(false)
	return from, r.edge(false)
}

// again is how often it is looked whether an operation has ended.
const again = 10 * time.Millisecond

func (r *run) edge(begins bool) error {
	if r.Edge == nil {
		return nil
	}
	return r.Edge(begins)
}

func (r *run) work(ctx context.Context, worker int) {
	for ctx.Err() == nil {
		select {
		case <-r.stop:
			return
		default:
		}
		n := r.next.Add(1) - 1
		if r.Count > 0 && n >= r.Count {
			return
		}
		start := time.Now()
		if r.Rate > 0 {
			start = r.begun.Add(time.Duration(float64(n) / r.Rate * float64(time.Second)))
			if !r.awaitTurn(ctx, start) {
				return
			}
		}
		if err := r.op(ctx, Turn{worker, n, start}); err != nil {
			r.fail(fmt.Errorf("operation %d: %w", n, err))
			return
		}
		took := time.Since(start)
		r.done.Add(1)
		if r.inWindow.Load() {
			r.ops.Add(1)
			r.times.Add(worker, took)
		}
	}
}

// awaitTurn waits until an operation is meant to start; false when the run is over before.
func (r *run) awaitTurn(ctx context.Context, at time.Time) bool {
	wait := time.Until(at)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.stop:
	case <-ctx.Done():
	}
	return false
}

// pauseUntil waits for a time, and then until something is so; false when ctx ended before.
func pauseUntil(ctx context.Context, d time.Duration, so func() bool) bool {
	err := Pause(ctx, d)
	for err == nil && !so() {
		err = Pause(ctx, again)
	}
	return err == nil
}

// Pause waits for a time, or until ctx ends.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Times are durations, kept as a histogram: three digits from a microsecond to ten minutes.
type Times struct{ shards [16]shard }

type shard struct {
	mu sync.Mutex
	h  *hdrhistogram.Histogram
}

// NewTimes makes an empty one.
func NewTimes() *Times {
	t := &Times{}
	for i := range t.shards {
		t.shards[i].h = hdrhistogram.New(1, (10 * time.Minute).Microseconds(), 3)
	}
	return t
}

// Add adds one duration; workers with other numbers rarely wait for each other.
func (t *Times) Add(worker int, d time.Duration) {
	s := &t.shards[worker%len(t.shards)]
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.h.RecordValue(min(max(d.Microseconds(), 1), s.h.HighestTrackableValue())) // within its bounds
}

// Percentile is the duration that p percent do not exceed.
func (t *Times) Percentile(p float64) time.Duration {
	all := hdrhistogram.New(1, (10 * time.Minute).Microseconds(), 3)
	for i := range t.shards {
		t.shards[i].mu.Lock()
		all.Merge(t.shards[i].h)
		t.shards[i].mu.Unlock()
	}
	return time.Duration(all.ValueAtPercentile(p)) * time.Microsecond
}
