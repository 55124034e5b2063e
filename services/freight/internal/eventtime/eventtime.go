// Package eventtime is for instants at a place: when something happened or is due, with the zone of the place and the rule
// that turned a written time into an instant. It promises that a local time always resolves the same way; finding the zone of
// a place is left to its callers.
package eventtime

import (
	"fmt"
	"strings"
	"time"

	"crossdock.dev/kernel/calendar"
)

// Rule says how the instant was found.
type Rule string

// The rules.
const (
	AsGiven      Rule = "AS_GIVEN"            // the time came as an instant
	LocalToPlace Rule = "LOCAL_TO_PLACE"      // no zone was given: local to the place (X12 214 AT707 absent)
	GapShifted   Rule = "GAP_SHIFTED_FORWARD" // the local time does not exist and moved forward by the length of the gap
	OverlapFirst Rule = "OVERLAP_FIRST"       // the local time exists twice; the earlier instant was taken
)

// Time is an instant, UTC, with the IANA zone of its place; the zone is empty where none is on file. The zero Time means that
// the event is not known.
type Time struct {
	Instant time.Time
	Zone    string
	Rule    Rule
}

// Given is an instant as the writer gave it.
func Given(at time.Time, zone string) Time {
	return Time{Instant: at.UTC(), Zone: zone, Rule: AsGiven}
}

// Local reads "2026-03-03T09:10", with seconds or without, as the wall clock of a zone.
func Local(text, zone string) (Time, error) {
	day, clock, ok := strings.Cut(text, "T")
	if !ok {
		return Time{}, fmt.Errorf("%w: %q has no T between date and time", calendar.ErrTime, text)
	}
	d, err := calendar.ParseDate(day)
	if err != nil {
		return Time{}, err
	}
	r, err := d.At(clock, zone)
	if err != nil {
		return Time{}, err
	}
	rule := LocalToPlace
	switch r.Rule {
	case calendar.GapShiftedForward:
		rule = GapShifted
	case calendar.OverlapFirst:
		rule = OverlapFirst
	}
	return Time{Instant: r.Instant, Zone: zone, Rule: rule}, nil
}

// IsZero reports whether the event is not known.
func (t Time) IsZero() bool { return t.Instant.IsZero() }

// Same reports whether both are the same instant, or both are not known.
func (t Time) Same(x Time) bool { return t.Instant.Equal(x.Instant) }
