package calendar

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"
)

// Errors that callers can ask for with errors.Is.
var (
	ErrDate     = errors.New("malformed date")
	ErrTime     = errors.New("malformed time of day")
	ErrZone     = errors.New("unknown time zone")
	ErrWeekdays = errors.New("malformed working days")
	ErrHours    = errors.New("opening must come before closing")
	ErrCount    = errors.New("count must not be negative")
	ErrNoHours  = errors.New("no open hours within ten years")
)

// Date is a civil date without a zone. The zero value is no date: IsZero. Dates can be compared with == and used as
// map keys.
type Date struct {
	year  int
	month time.Month
	day   int
}

// NewDate returns a date; a day that does not exist (30 February) is ErrDate.
func NewDate(year int, month time.Month, day int) (Date, error) {
	t := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if t.Year() != year || t.Month() != month || t.Day() != day || year < 1 || year > 9999 {
		return Date{}, fmt.Errorf("%w: %d-%d-%d", ErrDate, year, month, day)
	}
	return Date{year, month, day}, nil
}

// ParseDate reads "2026-03-02" (ISO 8601 extended, nothing else).
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1 {
		return Date{}, fmt.Errorf("%w: %q", ErrDate, s)
	}
	return DateOf(t, time.UTC), nil
}

// MustParseDate is ParseDate for constants in source code and in tests; it panics on an error.
func MustParseDate(s string) Date {
	d, err := ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

// DateOf returns the date that a clock in loc shows at an instant.
func DateOf(t time.Time, loc *time.Location) Date {
	y, m, d := t.In(loc).Date()
	return Date{y, m, d}
}

// String is "2026-03-02", and empty for no date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.year, d.month, d.day)
}

// MarshalText writes String.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDate reads; empty text is no date.
func (d *Date) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Date{}
		return nil
	}
	p, err := ParseDate(string(b))
	if err != nil {
		return err
	}
	*d = p
	return nil
}

// IsZero reports whether d is no date.
func (d Date) IsZero() bool { return d == Date{} }

// Year, Month and Day are the parts of the date.
func (d Date) Year() int { return d.year }

// Month is the month of the year.
func (d Date) Month() time.Month { return d.month }

// Day is the day of the month.
func (d Date) Day() int { return d.day }

// Weekday is the day of the week.
func (d Date) Weekday() time.Weekday { return d.utc().Weekday() }

// AddDays returns the date n days later, earlier for a negative n.
func (d Date) AddDays(n int) Date { return DateOf(d.utc().AddDate(0, 0, n), time.UTC) }

// Compare is -1, 0 or 1 as d is before, equal to or after x.
func (d Date) Compare(x Date) int {
	return cmp.Or(cmp.Compare(d.year, x.year), cmp.Compare(d.month, x.month), cmp.Compare(d.day, x.day))
}

// Before reports whether d comes before x.
func (d Date) Before(x Date) bool { return d.Compare(x) < 0 }

// After reports whether d comes after x.
func (d Date) After(x Date) bool { return d.Compare(x) > 0 }

// DaysUntil is the number of days from d to x, negative if x is earlier.
func (d Date) DaysUntil(x Date) int { return int(x.utc().Sub(d.utc()) / (24 * time.Hour)) }

func (d Date) utc() time.Time { return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC) }

// At resolves a local time "17:00" or "17:00:30" on this date in an IANA zone.
func (d Date) At(local, zone string) (Resolved, error) {
	tod, err := ParseTimeOfDay(local)
	if err != nil {
		return Resolved{}, err
	}
	loc, err := LoadZone(zone)
	if err != nil {
		return Resolved{}, err
	}
	return Resolve(d, tod, loc), nil
}

// TimeOfDay is a local wall-clock time in seconds since midnight, 00:00 to 24:00. 24:00 is the end of the day.
type TimeOfDay int32

// ParseTimeOfDay reads "08:00" or "08:00:30"; "24:00" is the end of the day.
func ParseTimeOfDay(s string) (TimeOfDay, error) {
	if s == "24:00" || s == "24:00:00" {
		return 24 * 3600, nil
	}
	layout := "15:04:05"
	if len(s) == len("15:04") {
		layout = "15:04"
	}
	t, err := time.Parse(layout, s)
	if err != nil || len(s) != len(layout) {
		return 0, fmt.Errorf("%w: %q", ErrTime, s)
	}
	return TimeOfDay(t.Hour()*3600 + t.Minute()*60 + t.Second()), nil
}

// MustParseTimeOfDay is ParseTimeOfDay for constants in source code and in tests; it panics on an error.
func MustParseTimeOfDay(s string) TimeOfDay {
	t, err := ParseTimeOfDay(s)
	if err != nil {
		panic(err)
	}
	return t
}

// TimeOfDayOf returns what a clock in loc shows at an instant, to the second.
func TimeOfDayOf(t time.Time, loc *time.Location) TimeOfDay {
	h, m, s := t.In(loc).Clock()
	return TimeOfDay(h*3600 + m*60 + s)
}

// String is "08:00", with seconds only where there are some.
func (t TimeOfDay) String() string {
	s := fmt.Sprintf("%02d:%02d", t/3600, t/60%60)
	if t%60 != 0 {
		s += fmt.Sprintf(":%02d", t%60)
	}
	return s
}

// LocalRule says how a local time became an instant. It is recorded with the instant.
type LocalRule string

// The rules of local times around a change of the clocks.
const (
	AsGiven           LocalRule = "AS_GIVEN"            // the local time exists once
	GapShiftedForward LocalRule = "GAP_SHIFTED_FORWARD" // it does not exist; moved forward by the length of the gap
	OverlapFirst      LocalRule = "OVERLAP_FIRST"       // it exists twice; the earlier instant is taken
)

// Resolved is an instant (UTC) with the rule that found it.
type Resolved struct {
	Instant time.Time
	Rule    LocalRule
}

// Resolve turns a local date and time into an instant. On 2026-03-08 in New York 02:30 does not exist and becomes
// 03:30 EDT, 07:30Z; on 2026-11-01 01:30 exists twice and becomes 01:30 EDT, 05:30Z.
func Resolve(d Date, at TimeOfDay, loc *time.Location) Resolved {
	wall := d.utc().Unix() + int64(at)
	// In a gap or an overlap time.Date answers with one of the two offsets involved, without promising which; the change
	// itself is then one of the two ends of that offset's validity.
	guess := time.Date(d.year, d.month, d.day, 0, 0, int(at), 0, loc)
	start, end := guess.ZoneBounds()
	for _, change := range []time.Time{start, end} {
		if change.IsZero() {
			continue
		}
		_, before := change.Add(-time.Second).Zone()
		_, after := change.Zone()
		lo, hi := change.Unix()+int64(before), change.Unix()+int64(after)
		if lo <= wall && wall < hi {
			return Resolved{time.Unix(wall-int64(before), 0).UTC(), GapShiftedForward}
		}
		if hi <= wall && wall < lo {
			return Resolved{time.Unix(wall-int64(before), 0).UTC(), OverlapFirst}
		}
	}
	return Resolved{guess.UTC(), AsGiven}
}

// zones are those that were found. A zone does not change while a program runs, and to read one takes far longer than to use it.
var zones sync.Map // name → *time.Location

// LoadZone finds an IANA zone by name. "Local" and the empty name are refused: a zone is always said. So is a name with "." or with nothing
// between slashes, which a file system would take: zones are kept by name, and one would have names without end. Programs import
// time/tzdata, so that the zones do not depend on the machine.
func LoadZone(name string) (*time.Location, error) {
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location), nil
	}
	if name == "Local" || !fs.ValidPath(name) {
		return nil, fmt.Errorf("%w: %q", ErrZone, name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %q", ErrZone, name)
	}
	zones.Store(name, loc)
	return loc, nil
}

// ParseWeekdays reads "Mon-Fri", "Mon-Sat", "Mon,Wed,Fri" or a mix "Mon-Wed,Sat". A range may wrap: "Sun-Thu".
func ParseWeekdays(s string) ([]time.Weekday, error) {
	var out []time.Weekday
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		from, ok := weekday(first)
		to, ok2 := from, true
		if isRange {
			to, ok2 = weekday(last)
		}
		if !ok || !ok2 {
			return nil, fmt.Errorf("%w: %q", ErrWeekdays, s)
		}
		for d := from; ; d = (d + 1) % 7 {
			out = append(out, d)
			if d == to {
				break
			}
		}
	}
	return out, nil
}

func weekday(s string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if s == d.String()[:3] {
			return d, true
		}
	}
	return 0, false
}
