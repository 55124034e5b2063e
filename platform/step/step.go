// Package step runs work that is made of small bounded pieces.
//
// Consumers, tasks, timers and processes are Steppers: all they know of time is the business time they are given, and they
// start nothing in the background. Loop is the thin shell around one Stepper in a running service; a simulation calls
// Step itself, in one goroutine, in an order that it chooses.
package step

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime/debug"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/telemetry"
)

// Stepper does one bounded piece of work. progress says that calling again at once is worth while. An error means that the
// piece was not done and may be tried again later; the Stepper is still whole.
type Stepper interface {
	Step(ctx context.Context, now time.Time) (progress bool, err error)
}

// Func makes a Stepper of a function.
type Func func(ctx context.Context, now time.Time) (bool, error)

// Step calls f.
func (f Func) Step(ctx context.Context, now time.Time) (bool, error) { return f(ctx, now) }

// Config is one loop.
type Config struct {
	// Name stands in log lines.
	Name     string
	Stepper  Stepper
	Business clock.Business
	// Machine measures ticks and back-off; nil is the system's.
	Machine clock.Machine
	// Wake returns channels that are closed when there may be work. They are asked for before each round of steps, so
	// that nothing that happens during it is missed.
	Wake []func() <-chan struct{}
	// Timeless says that the Stepper does not look at business time: a clock that jumps is no wake for it.
	Timeless bool
	// Tick is the longest wait without a wake (time goes on without a word); 0 is 200 ms, or 1 s when Timeless.
	Tick time.Duration
	Log  *slog.Logger
}

// The back-off after errors doubles from minBackoff to maxBackoff, or to awayBackoff when another service is away or full: it is back
// soon, and asking costs little.
const (
	minBackoff  = 50 * time.Millisecond
	awayBackoff = time.Second
	maxBackoff  = 5 * time.Second
)

// Loop steps until there is no progress, then waits for a wake or a tick, until ctx ends; it then returns nil. Errors are
// logged and backed off from, and a panic in a step counts as an error: one bad piece of work does not end the service.
func Loop(ctx context.Context, c Config) error {
	if c.Stepper == nil || c.Business == nil {
		return errors.New("step: a loop needs a stepper and a business clock")
	}
	if c.Machine == nil {
		c.Machine = clock.SystemMachine()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Tick == 0 {
		c.Tick = 200 * time.Millisecond
		if c.Timeless {
			c.Tick = time.Second
		}
	}
	if jumps, ok := c.Business.(clock.Changer); ok && !c.Timeless {
		c.Wake = append(slices.Clip(c.Wake), jumps.Changed)
	}
	var backoff time.Duration
	for ctx.Err() == nil {
		wakes := make([]<-chan struct{}, 0, len(c.Wake))
		for _, wake := range c.Wake {
			wakes = append(wakes, wake())
		}
		progress, err := safeStep(ctx, c)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			backoff = min(max(2*backoff, minBackoff), longest(err))
			c.Log.WarnContext(ctx, "step failed", telemetry.KeyLoop, c.Name, telemetry.KeyError, err, "again_in_ms", backoff.Milliseconds())
			wait(ctx, c.Machine.After(backoff), nil)
		default:
			backoff = 0
			if !progress {
				wait(ctx, c.Machine.After(c.Tick), wakes)
			}
		}
	}
	return nil
}

// longest is how long the loop waits at most after an error.
func longest(err error) time.Duration {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted:
		return awayBackoff
	}
	return maxBackoff
}

func safeStep(ctx context.Context, c Config) (progress bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			progress, err = false, fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return c.Stepper.Step(ctx, c.Business.Now())
}

// wait returns when ctx ends, the timer fires or one of the wakes is closed.
func wait(ctx context.Context, timer <-chan time.Time, wakes []<-chan struct{}) {
	cases := []reflect.SelectCase{
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())},
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(timer)},
	}
	for _, w := range wakes {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(w)})
	}
	reflect.Select(cases)
}
