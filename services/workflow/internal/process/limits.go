package process

import (
	"strings"
	"time"

	"crossdock.dev/kernel/calendar"
)

// Limits say how long steps and work items may take, in business time.
type Limits struct {
	// Planning is how long a shipment's plan may take, and Tendering how long it may take until a load that freight was asked to tender
	// is offered to a carrier. Zero is no limit.
	Planning, Tendering time.Duration
	// Reasons is how long a work item's owner has, by its reason; Teams, by the owner, holds for reasons without a row. Zero, or no row
	// at all, is no clock.
	Reasons map[Reason]time.Duration
	Teams   map[string]time.Duration
	// Hours are the working calendars of teams, outside of which their clocks rest. A team without one works around the clock.
	Hours map[string]calendar.Calendar
}

// DefaultLimits is what holds where the configuration says nothing: what stops goods that should move comes before what can wait for
// an office, and nobody's clock rests.
func DefaultLimits() Limits {
	return Limits{
		Planning: 15 * time.Minute, Tendering: 15 * time.Minute,
		Reasons: map[Reason]time.Duration{
			TendersExhausted: 2 * time.Hour, // a load without a carrier on the day it should leave
			PlanningOverdue:  time.Hour, TenderingOverdue: time.Hour, CommandRefused: 2 * time.Hour,
			CancellationRefused: 2 * time.Hour, FeedSilent: 2 * time.Hour,
			TaskInDoubt:       2 * time.Hour, // what follows it for the same partner waits
			DeliveryException: 8 * time.Hour, // the invoice waits, the goods do not
		},
		Teams: map[string]time.Duration{Operations: 4 * time.Hour, Integration: 4 * time.Hour, MasterData: 8 * time.Hour, Finance: 48 * time.Hour},
	}
}

// Of is the limit of a step; zero is none.
func (l Limits) Of(s Step) time.Duration {
	switch s {
	case PlanShipment:
		return l.Planning
	case TenderLoad:
		return l.Tendering
	}
	return 0
}

// Due is until when an item that came to its owner at an instant is to be dealt with; zero when it has no clock. A calendar that never
// opens long enough is as good as none.
func (l Limits) Due(it Item, at time.Time) time.Time {
	within, ok := l.Reasons[it.Reason]
	if !ok {
		within = l.Teams[it.Owner]
	}
	if within <= 0 {
		return time.Time{}
	}
	if hours, ok := l.Hours[it.Owner]; ok {
		if due, err := hours.AddBusinessHours(at, within); err == nil {
			return due
		}
	}
	return at.Add(within)
}

// inWords is a duration without the zeros at its end: 15m, not 15m0s.
func inWords(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"0s", "0m"} {
		if short := strings.TrimSuffix(s, zero); strings.HasSuffix(short, "m") || strings.HasSuffix(short, "h") {
			s = short
		}
	}
	return s
}
