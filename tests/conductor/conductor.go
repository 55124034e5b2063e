// Package conductor plays the working day: it gives every player its turn, waits until the suite is at rest, and then moves
// business time to the next moment at which anybody has something to do.
//
// It promises that business time never goes back and never moves while anything is under way, so that a slow machine, a restart
// or a kill changes no outcome; that machine time is never touched; and that it may be ended at any moment, because all it knows
// can be read off again. What happens in the day is the players' part, and what came of it is the package outcome's.
package conductor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The day's business time, UTC.
var (
	Start = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
	End   = time.Date(2026, 3, 23, 11, 0, 0, 0, time.UTC)
)

// Suite is what is conducted: running programs, or a simulation.
type Suite interface {
	// Now is the business time.
	Now() time.Time
	// SetClock makes business time stand still at an instant.
	SetClock(at time.Time) error
	// Rest returns when the suite is at rest, as Look says, and tells when its next task is due; zero is never.
	Rest(ctx context.Context) (due time.Time, err error)
	// Stop ends a service and returns when it is gone. From then on what needs it may wait: what was refused, and tasks of the given
	// kinds. A service that is stopped stays so.
	Stop(ctx context.Context, service string, kinds []string) error
	// Start lets a stopped service run again and returns when it answers; a running one runs on.
	Start(ctx context.Context, service string) error
}

// Player is somebody outside the suite: a customer, a carrier, the users of the enterprise.
type Player interface {
	Name() string
	// Step does what is to be done at business time now. did says that anything was done; next is when there is something to do
	// again, as far as is known; zero is nothing.
	Step(ctx context.Context, now time.Time) (did bool, next time.Time, err error)
}

// Outage is a service that is stopped for a while.
type Outage struct {
	Service     string
	From, Until time.Time // business time
	// Kinds are those of the tasks that call it: they wait for it, and are not waited for.
	Kinds []string
}

// FreightStops is the outage of the day.
var FreightStops = Outage{
	Service: "freight",
	From:    time.Date(2026, 3, 10, 16, 0, 0, 0, time.UTC), Until: time.Date(2026, 3, 10, 17, 0, 0, 0, time.UTC),
	Kinds: []string{"carrier", "plan-shipment", "tender-load", "cancel-shipment"},
}

// Config says who plays.
type Config struct {
	Suite   Suite
	Players []Player
	Outages []Outage
	// Own is the folder in which it is noted that an outage took place.
	Own string
	// End is when the day ends.
	End time.Time
	// Said is told of every moment, before it is played; it may be nil.
	Said func(now time.Time)
}

// Play plays on from the suite's business time to the end of the day.
func Play(ctx context.Context, c Config) error {
	for ctx.Err() == nil {
		now := c.Suite.Now()
		if c.Said != nil {
			c.Said(now)
		}
		next, err := c.moment(ctx, now)
		if err != nil {
			return fmt.Errorf("at %s: %w", now.Format(time.RFC3339), err)
		}
		if !now.Before(c.End) {
			return nil
		}
		if err := c.Suite.SetClock(next); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// busy is how often the players may find something to do at one moment before something must be wrong.
const busy = 1000

// moment plays one moment until nobody has anything to do, and returns the next.
func (c Config) moment(ctx context.Context, now time.Time) (time.Time, error) {
	next := c.End
	sooner := func(at time.Time) {
		if at.After(now) && at.Before(next) {
			next = at
		}
	}
	for _, o := range c.Outages {
		if err := c.outage(ctx, o, now); err != nil {
			return next, err
		}
		sooner(o.From)
		sooner(o.Until)
	}
	for range busy {
		due, err := c.Suite.Rest(ctx)
		if err != nil {
			return next, err
		}
		acted := false
		var wanted []time.Time
		for _, p := range c.Players {
			did, at, err := p.Step(ctx, now)
			if err != nil {
				return next, fmt.Errorf("%s: %w", p.Name(), err)
			}
			acted = acted || did
			wanted = append(wanted, at)
		}
		if acted {
			continue
		}
		sooner(due)
		for _, at := range wanted {
			sooner(at)
		}
		return next, nil
	}
	return next, errors.New("the players do not come to rest")
}

// outage holds a service down while its outage lasts, and up otherwise.
func (c Config) outage(ctx context.Context, o Outage, now time.Time) error {
	if now.Before(o.From) || !now.Before(o.Until) {
		return c.Suite.Start(ctx, o.Service)
	}
	if err := c.Suite.Stop(ctx, o.Service, o.Kinds); err != nil {
		return err
	}
	if err := os.MkdirAll(c.Own, 0o700); err != nil {
		return err
	}
	return os.WriteFile(c.note(o), []byte(o.From.Format(time.RFC3339)+"\n"), 0o600)
}

func (c Config) note(o Outage) string { return filepath.Join(c.Own, o.Service+"-was-stopped") }

// Stopped says whether every outage has taken place.
func (c Config) Stopped() bool {
	for _, o := range c.Outages {
		if _, err := os.Stat(c.note(o)); err != nil {
			return false
		}
	}
	return true
}
