package step

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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

// A peer that is away is asked again after a second at most, however the loop wraps what it was told.
func TestLoopLooksForAPeerEverySecond(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	machine := &tick{}
	err := Loop(ctx, Config{Business: clock.Fixed(time.Time{}), Machine: machine, Stepper: Func(func(context.Context, time.Time) (bool, error) {
		if len(machine.waits) == 7 {
			stop()
		}
		return false, fmt.Errorf("feed freight: %w", status.Error(codes.Unavailable, "connection refused"))
	})})
	if err != nil {
		t.Fatalf("Loop: %v", err)
	}
	ms := time.Millisecond
	want := []time.Duration{50 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, time.Second, time.Second}
	if !slices.Equal(machine.waits, want) {
		t.Errorf("waits = %v, want %v", machine.waits, want)
	}
}

// A jump of business time wakes a loop that looks at it, and leaves one alone that does not.
func TestLoopWakesWhenTheClockJumps(t *testing.T) {
	machine := clock.NewManual(time.Time{}) // never fires
	begin := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
	business := clock.NewManual(begin)
	ctx, stop := context.WithCancel(context.Background())
	started, ended := make(chan string, 2), make(chan error, 2)
	saw := make(chan time.Time)
	run := func(name string, timeless bool, more func(now time.Time)) {
		first := true
		ended <- Loop(ctx, Config{Business: business, Machine: machine, Timeless: timeless, Stepper: Func(func(ctx context.Context, now time.Time) (bool, error) {
			if first {
				first = false
				started <- name
				return false, nil
			}
			more(now)
			return false, nil
		})})
	}
	go run("timers", false, func(now time.Time) { saw <- now })
	go run("feed", true, func(now time.Time) { t.Errorf("a timeless loop woke at %v", now) })
	<-started
	<-started
	for i := range 3 {
		to := begin.Add(time.Duration(i+1) * time.Hour)
		business.Set(to)
		if got := <-saw; got != to {
			t.Errorf("woke at %v, want %v", got, to)
		}
	}
	stop()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
