// Package calendar is for civil dates, local times and working calendars: when a site or a partner's desk is open, and
// what "three business hours" or "the next working day" come to.
//
// It promises pure functions of their arguments: no clock is read. Instants are returned in UTC; local times are
// resolved by the IANA zone with the rule told (AS_GIVEN, GAP_SHIFTED_FORWARD, OVERLAP_FIRST). The zone database is the
// program's: programs import time/tzdata. Which calendar applies to whom, and when holidays are
// published, is left to master data.
package calendar

import (
	"fmt"
	"time"
)

// Spec says what a calendar is made of.
type Spec struct {
	ID          string
	Zone        string         // IANA name, such as America/New_York
	WorkingDays []time.Weekday // see ParseWeekdays
	From        TimeOfDay      // opening, local
	To          TimeOfDay      // closing, local; the closing instant itself is closed. 24:00 is the end of the day
	Holidays    []Date         // days closed though their weekday is a working day
}

// Calendar is one working calendar. It never changes; share it freely. Make it with New; the zero value has no
// working day.
type Calendar struct {
	id       string
	loc      *time.Location
	working  [7]bool
	from, to TimeOfDay
	holidays map[Date]bool
}

// New checks a spec: the zone is known, there is a working day, and it opens before it closes on the same day.
func New(s Spec) (Calendar, error) {
	loc, err := LoadZone(s.Zone)
	if err != nil {
		return Calendar{}, err
	}
	if s.From < 0 || s.To > 24*3600 || s.From >= s.To {
		return Calendar{}, fmt.Errorf("%w: %s to %s", ErrHours, s.From, s.To)
	}
	c := Calendar{id: s.ID, loc: loc, from: s.From, to: s.To, holidays: make(map[Date]bool, len(s.Holidays))}
	for _, d := range s.WorkingDays {
		if d < time.Sunday || d > time.Saturday {
			return Calendar{}, fmt.Errorf("%w: weekday %d", ErrWeekdays, d)
		}
		c.working[d] = true
	}
	if c.working == [7]bool{} {
		return Calendar{}, fmt.Errorf("%w: none", ErrWeekdays)
	}
	for _, h := range s.Holidays {
		c.holidays[h] = true
	}
	return c, nil
}

// ID is the calendar's own name.
func (c Calendar) ID() string { return c.id }

// Zone is the calendar's zone.
func (c Calendar) Zone() *time.Location { return c.loc }

// From is the opening time, local.
func (c Calendar) From() TimeOfDay { return c.from }

// To is the closing time, local.
func (c Calendar) To() TimeOfDay { return c.to }

// Today is the date at an instant, in the calendar's zone.
func (c Calendar) Today(at time.Time) Date { return DateOf(at, c.loc) }

// IsWorking reports whether a date is a working day and no holiday.
func (c Calendar) IsWorking(d Date) bool { return c.working[d.Weekday()] && !c.holidays[d] }

// Hours returns the opening and closing instants of a working day; ok is false on other days.
func (c Calendar) Hours(d Date) (open, closing time.Time, ok bool) {
	if !c.IsWorking(d) {
		return time.Time{}, time.Time{}, false
	}
	return Resolve(d, c.from, c.loc).Instant, Resolve(d, c.to, c.loc).Instant, true
}

// IsOpen reports whether an instant lies in the opening hours: opening included, closing not.
func (c Calendar) IsOpen(at time.Time) bool {
	open, closing, ok := c.Hours(c.Today(at))
	return ok && !at.Before(open) && at.Before(closing)
}

// searchDays bounds the search for open days. A calendar whose holidays close ten years in a row is a mistake in the data.
const searchDays = 3660

// NextWorkingDay returns the first working day after d (never d itself).
func (c Calendar) NextWorkingDay(d Date) (Date, error) {
	for range searchDays {
		if d = d.AddDays(1); c.IsWorking(d) {
			return d, nil
		}
	}
	return Date{}, ErrNoHours
}

// AddWorkingDays returns the n-th working day after d. Zero days is d itself if it is a working day, else the next one.
// A negative n is ErrCount.
func (c Calendar) AddWorkingDays(d Date, n int) (Date, error) {
	if n < 0 {
		return Date{}, fmt.Errorf("%w: %d working days", ErrCount, n)
	}
	if n == 0 && !c.IsWorking(d) {
		return c.NextWorkingDay(d)
	}
	var err error
	for range n {
		if d, err = c.NextWorkingDay(d); err != nil {
			return Date{}, err
		}
	}
	return d, nil
}

// AddBusinessHours returns the instant at which d of open time has passed since start; outside the opening hours the clock
// rests. Time that runs out exactly at closing ends there, not at the next opening. With a d of zero it is start
// itself, or the next opening if start is closed. Open time is elapsed time, so a change of the clocks inside the hours
// neither adds nor takes any. A negative d is ErrCount.
func (c Calendar) AddBusinessHours(start time.Time, d time.Duration) (time.Time, error) {
	if d < 0 {
		return time.Time{}, fmt.Errorf("%w: %s", ErrCount, d)
	}
	if c.loc == nil {
		return time.Time{}, ErrNoHours
	}
	day := c.Today(start)
	for range searchDays {
		if open, closing, ok := c.Hours(day); ok && start.Before(closing) {
			if start.After(open) {
				open = start
			}
			left := closing.Sub(open)
			if d <= left {
				return open.Add(d).UTC(), nil
			}
			d -= left
		}
		day = day.AddDays(1)
	}
	return time.Time{}, ErrNoHours
}
