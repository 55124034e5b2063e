package load

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Ten operations a second are meant to start, the first takes a second and the others nothing. Nine of them could start only when it was
// over: they were 900 ms late, 800 ms and so on. A closed loop would have seen one slow operation and many fast ones.
func TestOpenLoopTellsOfThoseThatWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := Run(t.Context(), Plan{Workers: 1, Window: 1950 * time.Millisecond, Rate: 10}, func(ctx context.Context, turn Turn) error {
			if turn.N == 0 {
				return Pause(ctx, time.Second)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Ops != 20 { // 0.0, 0.1 .. 1.9 s
			t.Errorf("%d operations in the window, want 20", r.Ops)
		}
		for _, x := range []struct {
			percent float64
			want    time.Duration
		}{{100, time.Second}, {95, 900 * time.Millisecond}, {75, 500 * time.Millisecond}, {55, 100 * time.Millisecond}, {50, 0}} {
			if got := r.Times.Percentile(x.percent); got < x.want-time.Millisecond || got > x.want+time.Millisecond {
				t.Errorf("%v%% within %v, want %v", x.percent, got, x.want)
			}
		}
	})
}

// What ends in the warm-up is in no figure, and what is under way at the end is waited for and counted apart.
func TestWarmUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var edges []time.Duration
		begun := time.Now()
		r, err := Run(t.Context(), Plan{Workers: 3, WarmUp: 250 * time.Millisecond, Window: time.Second, Edge: func(bool) error {
			edges = append(edges, time.Since(begun))
			return nil
		}}, func(ctx context.Context, _ Turn) error { return Pause(ctx, 100*time.Millisecond) })
		if err != nil {
			t.Fatal(err)
		}
		// Of each worker's operations those that end at 0.3 to 1.2 s; the one under way ends at 1.3 s.
		if r.Ops != 30 || r.Done != 39 || r.Elapsed != time.Second || r.Rate() != 30 {
			t.Errorf("%d operations in %v, %d in all, want 30 in 1s, 39", r.Ops, r.Elapsed, r.Done)
		}
		if len(edges) != 2 || edges[0] != 250*time.Millisecond || edges[1] != 1250*time.Millisecond {
			t.Errorf("edges at %v, want 250ms and 1.25s", edges)
		}
	})
}

// An operation that fails ends the run, whatever the others do.
func TestFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failure := errors.New("refused")
		for _, p := range []Plan{{Workers: 4, Window: time.Hour}, {Workers: 4, Count: 1000}, {Workers: 4, Window: time.Hour, Rate: 100}} {
			_, err := Run(t.Context(), p, func(ctx context.Context, turn Turn) error {
				if turn.N == 7 {
					return failure
				}
				return Pause(ctx, time.Millisecond)
			})
			if !errors.Is(err, failure) {
				t.Errorf("%+v: %v, want %v", p, err, failure)
			}
		}
	})
}

// A count is what is done, no more.
func TestCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := Run(t.Context(), Plan{Workers: 8, Count: 100}, func(ctx context.Context, _ Turn) error { return Pause(ctx, time.Second) })
		if err != nil {
			t.Fatal(err)
		}
		if r.Ops != 100 || r.Done != 100 || r.Elapsed != 13*time.Second { // 12 rounds of 8, and 4
			t.Errorf("%d operations, %d in all, in %v; want 100, 100, 13s", r.Ops, r.Done, r.Elapsed)
		}
	})
}

// Operations that take longer than the window are waited for, until as many have ended as are wanted at least.
func TestLeast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Plan{Workers: 4, WarmUp: time.Second, Window: time.Second, Least: 8}
		r, err := Run(t.Context(), p, func(ctx context.Context, _ Turn) error { return Pause(ctx, 10*time.Second) })
		if err != nil {
			t.Fatal(err)
		}
		// Four end at 10 s, before the window; four at 20 s and four at 30 s in it, and then it ends; four are waited for until 40 s.
		if r.Ops != 8 || r.Done != 16 || r.Elapsed < 19*time.Second || r.Elapsed > 20*time.Second+2*again {
			t.Errorf("%d operations in %v, %d in all, want 8 in 20s, 16", r.Ops, r.Elapsed, r.Done)
		}
	})
}
