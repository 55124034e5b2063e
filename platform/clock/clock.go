// Package clock gives the two clocks of the suite and keeps them apart.
//
// Business time stands in documents, due times and service levels. It may stand still, jump and, in development, be set
// by a conductor. Machine time measures deadlines, back-off and ticks on this computer and only moves forward. No code
// reads time in any other way, so that a test or a conductor decides what time it is.
package clock

import (
	"sync"
	"time"
)

// Business is the clock of documents and due times, in UTC.
type Business interface {
	Now() time.Time
}

// Changer is a business clock that jumps, and tells when. The system's does not.
type Changer interface {
	// Changed returns a channel that is closed when the clock is next set.
	Changed() <-chan struct{}
}

// Machine is the clock of deadlines and back-off.
type Machine interface {
	// Now also shows the time of day. What has passed between two readings is what Sub, Before and After say of them, whatever was done
	// to the time of day meanwhile; Time.UTC would take that from a reading.
	Now() time.Time
	// After sends once, when d has passed.
	After(d time.Duration) <-chan time.Time
}

// System returns business time as the operating system knows it.
func System() Business { return system{} }

// SystemMachine returns machine time as the operating system knows it.
func SystemMachine() Machine { return systemMachine{} }

type system struct{}

func (system) Now() time.Time { return now().UTC() }

type systemMachine struct{}

func (systemMachine) Now() time.Time                         { return now() }
func (systemMachine) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Fixed returns a business clock that always shows at.
func Fixed(at time.Time) Business { return fixed(at.UTC()) }

type fixed time.Time

func (f fixed) Now() time.Time { return time.Time(f) }

// Manual is a clock that moves only when told, for tests and simulations. It serves as both clocks.
type Manual struct {
	mu      sync.Mutex
	now     time.Time
	changed chan struct{}
	timers  []manualTimer
}

type manualTimer struct {
	at time.Time
	ch chan time.Time
}

// NewManual returns a clock that shows at.
func NewManual(at time.Time) *Manual {
	return &Manual{now: at.UTC(), changed: make(chan struct{})}
}

// Now returns the time last set.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Set makes the clock show at, also backwards, and fires the timers that have come due.
func (m *Manual) Set(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(at)
}

// Advance moves the clock by d.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(m.now.Add(d))
}

func (m *Manual) set(at time.Time) {
	m.now = at.UTC()
	close(m.changed)
	m.changed = make(chan struct{})
	waiting := m.timers[:0]
	for _, t := range m.timers {
		if t.at.After(m.now) {
			waiting = append(waiting, t)
		} else {
			t.ch <- m.now
		}
	}
	m.timers = waiting
}

// Changed returns a channel that is closed when the clock is next set.
func (m *Manual) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

// After sends once the clock has been moved by d or more.
func (m *Manual) After(d time.Duration) <-chan time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	ch := make(chan time.Time, 1)
	if d <= 0 {
		ch <- m.now
		return ch
	}
	m.timers = append(m.timers, manualTimer{m.now.Add(d), ch})
	return ch
}
