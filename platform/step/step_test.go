package step

import (
	"context"
	"errors"
	"testing"
	"time"

	"crossdock.dev/platform/clock"
)

// tick is a machine clock that records how long it was asked to wait, and fires at once.
type tick struct{ waits []time.Duration }

func (m *tick) Now() time.Time { return time.Time{} }

func (m *tick) After(d time.Duration) <-chan time.Time {
	m.waits = append(m.waits, d)
	ch := make(chan time.Time, 1)
	ch <- time.Time{}
	return ch
}

func TestLoopBacksOff(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	machine := &tick{}
	calls := 0
	at := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
	err := Loop(ctx, Config{Name: "test", Business: clock.Fixed(at), Machine: machine, Tick: time.Second, Stepper: Func(func(_ context.Context, now time.Time) (bool, error) {
		calls++
		if now != at {
			t.Errorf("step was given %v, want business time %v", now, at)
		}
		switch {
		case calls <= 8:
			return false, errors.New("failed")
		case calls == 9:
			return true, nil
		case calls == 10:
			return false, nil
		case calls == 11:
			panic("boom")
		}
		stop()
		return false, nil
	})})
	if err != nil {
		t.Fatalf("Loop: %v", err)
	}
	ms := time.Millisecond
	want := []time.Duration{50 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, time.Second, 50 * ms}
	if len(machine.waits) != len(want) {
		t.Fatalf("waits = %v, want %v", machine.waits, want)
	}
	for i, w := range want {
		if machine.waits[i] != w {
			t.Errorf("wait %d = %v, want %v", i, machine.waits[i], w)
		}
	}
}

func TestLoopWakes(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	machine := clock.NewManual(time.Time{}) // never fires
	wake := make(chan struct{})
	steps := make(chan int)
	n := 0
	done := make(chan error, 1)
	go func() {
		done <- Loop(ctx, Config{Business: machine, Machine: machine, Wake: []func() <-chan struct{}{func() <-chan struct{} { return wake }},
			Stepper: Func(func(ctx context.Context, _ time.Time) (bool, error) {
				n++
				select {
				case steps <- n:
				case <-ctx.Done():
				}
				return false, nil
			})})
	}()
	<-steps
	close(wake)
	if got := <-steps; got != 2 {
		t.Errorf("step %d after the wake, want 2", got)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Loop = %v, want nil when it is told to end", err)
	}
}

func TestLoopNeedsAClock(t *testing.T) {
	if err := Loop(context.Background(), Config{}); err == nil {
		t.Error("a loop without stepper and clock was accepted")
	}
}
