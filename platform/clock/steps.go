package clock

import "time"

// stepBound is from how far on a difference between the two ways to measure counts as a step: NTP slews smaller ones away.
const stepBound = 2 * time.Second

// Steps notices that the machine's time of day was set: it then moves by another amount than the time that has passed. The zero Steps is
// ready for use, by one goroutine.
type Steps struct {
	wall   time.Time
	passed time.Duration
}

// Look compares the time of day with the time that has passed since any fixed instant, and returns by how much the time of day was
// stepped since the last look: positive is forward, 0 is not at all. A machine that has slept was stepped forward, too.
func (s *Steps) Look(wall time.Time, passed time.Duration) time.Duration {
	wall = wall.Round(0) // without the reading of the other clock
	by := wall.Sub(s.wall) - (passed - s.passed)
	first := s.wall.IsZero()
	s.wall, s.passed = wall, passed
	if first || by.Abs() < stepBound {
		return 0
	}
	return by
}
