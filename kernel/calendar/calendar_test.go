package calendar_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"crossdock.dev/kernel/calendar"
)

func instant(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := calendar.LoadZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func date(s string) calendar.Date { return calendar.MustParseDate(s) }

func newCalendar(t *testing.T, zone, days, from, to string, holidays ...string) calendar.Calendar {
	t.Helper()
	week, err := calendar.ParseWeekdays(days)
	if err != nil {
		t.Fatal(err)
	}
	spec := calendar.Spec{
		ID: "CAL", Zone: zone, WorkingDays: week, From: calendar.MustParseTimeOfDay(from), To: calendar.MustParseTimeOfDay(to),
	}
	for _, h := range holidays {
		spec.Holidays = append(spec.Holidays, date(h))
	}
	c, err := calendar.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Tender clocks: the demonstration day's, then the edges.
func TestAddBusinessHours(t *testing.T) {
	chicago := newCalendar(t, "America/Chicago", "Mon-Fri", "08:00", "17:00")
	newYork := newCalendar(t, "America/New_York", "Mon-Fri", "08:00", "17:00")
	longer := newCalendar(t, "America/New_York", "Mon-Fri", "07:00", "18:00")
	allDay := newCalendar(t, "America/New_York", "Mon-Sun", "00:00", "24:00")
	holiday := newCalendar(t, "America/New_York", "Mon-Fri", "08:00", "17:00", "2026-05-25")
	for _, c := range []struct {
		name  string
		cal   calendar.Calendar
		start string
		d     time.Duration
		want  string
	}{
		{"before opening: 06:12 EST, ends 11:00 EST", newYork, "2026-03-02T11:12:00Z", 3 * time.Hour, "2026-03-02T16:00:00Z"},
		{"before opening in Chicago", chicago, "2026-03-03T13:05:00Z", 4 * time.Hour, "2026-03-03T18:00:00Z"},
		{"within the hours", longer, "2026-03-03T14:31:00Z", 2 * time.Hour, "2026-03-03T16:31:00Z"},
		{"over a weekend and the change to DST", chicago, "2026-03-06T21:00:00Z", 4 * time.Hour, "2026-03-09T15:00:00Z"},
		{"seconds are kept", longer, "2026-03-09T15:00:01Z", 2 * time.Hour, "2026-03-09T17:00:01Z"},
		{"ends at closing, not at the next opening", newYork, "2026-03-06T21:00:00Z", time.Hour, "2026-03-06T22:00:00Z"},
		{"a second past closing is Monday", newYork, "2026-03-06T21:00:00Z", time.Hour + time.Second, "2026-03-09T12:00:01Z"},
		{"starts at closing", newYork, "2026-03-06T22:00:00Z", time.Hour, "2026-03-09T13:00:00Z"},
		{"starts on Saturday", newYork, "2026-03-07T15:00:00Z", time.Hour, "2026-03-09T13:00:00Z"},
		{"several days", newYork, "2026-03-02T13:00:00Z", 20 * time.Hour, "2026-03-04T15:00:00Z"},
		{"over a holiday (Memorial Day)", holiday, "2026-05-22T20:00:00Z", 2 * time.Hour, "2026-05-26T13:00:00Z"},
		{"the hour lost in spring does not count", allDay, "2026-03-08T05:00:00Z", 3 * time.Hour, "2026-03-08T08:00:00Z"},
		{"a day of 23 hours", allDay, "2026-03-08T05:00:00Z", 24 * time.Hour, "2026-03-09T05:00:00Z"},
		{"the hour repeated in autumn counts twice", allDay, "2026-11-01T04:00:00Z", 25 * time.Hour, "2026-11-02T05:00:00Z"},
		{"nothing to wait, open", newYork, "2026-03-02T14:00:00Z", 0, "2026-03-02T14:00:00Z"},
		{"nothing to wait, closed", newYork, "2026-03-06T23:00:00Z", 0, "2026-03-09T12:00:00Z"},
	} {
		got, err := c.cal.AddBusinessHours(instant(t, c.start), c.d)
		if err != nil || got.Format(time.RFC3339) != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.name, got.Format(time.RFC3339), err, c.want)
		}
	}
	if got, err := newYork.AddBusinessHours(instant(t, "2026-03-02T14:00:00Z"), -1); !errors.Is(err, calendar.ErrCount) {
		t.Errorf("negative: got %s, %v; want ErrCount", got, err)
	}
	if got, err := newYork.AddBusinessHours(instant(t, "2026-03-02T14:00:00Z"), 1<<63-1); !errors.Is(err, calendar.ErrNoHours) {
		t.Errorf("292 years: got %s, %v; want ErrNoHours", got, err)
	}
	if got, err := (calendar.Calendar{}).AddBusinessHours(instant(t, "2026-03-02T14:00:00Z"), 1); !errors.Is(err, calendar.ErrNoHours) {
		t.Errorf("zero calendar: got %s, %v; want ErrNoHours", got, err)
	}
}

// Waiting a then b is waiting a + b.
func TestBusinessHoursAdd(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	c := newCalendar(t, "America/New_York", "Mon-Fri", "08:00", "17:00", "2026-07-03", "2026-11-26")
	for range 500 {
		start := instant(t, "2026-01-01T00:00:00Z").Add(time.Duration(r.Int64N(int64(300 * 24 * time.Hour))))
		a, b := time.Duration(r.Int64N(int64(30*time.Hour))), time.Duration(1+r.Int64N(int64(30*time.Hour)))
		first, err := c.AddBusinessHours(start, a)
		if err != nil {
			t.Fatal(err)
		}
		two, err := c.AddBusinessHours(first, b)
		if err != nil {
			t.Fatal(err)
		}
		one, err := c.AddBusinessHours(start, a+b)
		if err != nil || !one.Equal(two) {
			t.Fatalf("%s + %s + %s: got %s in two steps and %s in one, %v", start, a, b, two, one, err)
		}
	}
}

func TestWorkingDays(t *testing.T) {
	c := newCalendar(t, "America/New_York", "Mon-Fri", "08:00", "17:00", "2026-05-25")
	for in, want := range map[string]string{
		"2026-03-02": "2026-03-03", "2026-03-06": "2026-03-09", "2026-03-07": "2026-03-09", "2026-03-08": "2026-03-09", "2026-05-22": "2026-05-26",
		"2026-12-31": "2027-01-01", "2028-02-28": "2028-02-29",
	} {
		if got, err := c.NextWorkingDay(date(in)); err != nil || got != date(want) {
			t.Errorf("after %s: got %s, %v; want %s", in, got, err, want)
		}
	}
	for _, x := range []struct {
		in   string
		n    int
		want string
	}{
		{"2026-03-06", 0, "2026-03-06"}, {"2026-03-07", 0, "2026-03-09"}, {"2026-03-06", 1, "2026-03-09"}, {"2026-03-07", 1, "2026-03-09"},
		{"2026-03-07", 2, "2026-03-10"}, {"2026-03-03", 3, "2026-03-06"}, {"2026-03-05", 3, "2026-03-10"},
	} {
		if got, err := c.AddWorkingDays(date(x.in), x.n); err != nil || got != date(x.want) {
			t.Errorf("%s + %d: got %s, %v; want %s", x.in, x.n, got, err, x.want)
		}
	}
	if got, err := c.AddWorkingDays(date("2026-03-06"), -1); !errors.Is(err, calendar.ErrCount) {
		t.Errorf("-1 day: got %s, %v; want ErrCount", got, err)
	}
	if got, err := (calendar.Calendar{}).NextWorkingDay(date("2026-03-06")); !errors.Is(err, calendar.ErrNoHours) {
		t.Errorf("zero calendar: got %s, %v; want ErrNoHours", got, err)
	}
	for in, want := range map[string]bool{"2026-03-06": true, "2026-03-07": false, "2026-05-25": false} {
		if got := c.IsWorking(date(in)); got != want {
			t.Errorf("%s working: got %v, want %v", in, got, want)
		}
	}
	for in, want := range map[string]bool{
		"2026-03-02T12:59:59Z": false, "2026-03-02T13:00:00Z": true, "2026-03-02T21:59:59Z": true, "2026-03-02T22:00:00Z": false,
		"2026-03-09T12:00:00Z": true, "2026-03-07T15:00:00Z": false, "2026-05-25T15:00:00Z": false,
	} {
		if got := c.IsOpen(instant(t, in)); got != want {
			t.Errorf("%s open: got %v, want %v", in, got, want)
		}
	}
}

func TestRefusedSpecs(t *testing.T) {
	good := calendar.Spec{Zone: "America/New_York", WorkingDays: []time.Weekday{time.Monday}, From: 0, To: 60}
	if _, err := calendar.New(good); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*calendar.Spec)
		want   error
	}{
		"no zone":         {func(s *calendar.Spec) { s.Zone = "" }, calendar.ErrZone},
		"machine's zone":  {func(s *calendar.Spec) { s.Zone = "Local" }, calendar.ErrZone},
		"unknown zone":    {func(s *calendar.Spec) { s.Zone = "America/Atlantis" }, calendar.ErrZone},
		"path as a zone":  {func(s *calendar.Spec) { s.Zone = "../etc/passwd" }, calendar.ErrZone},
		"no working day":  {func(s *calendar.Spec) { s.WorkingDays = nil }, calendar.ErrWeekdays},
		"eighth weekday":  {func(s *calendar.Spec) { s.WorkingDays = []time.Weekday{7} }, calendar.ErrWeekdays},
		"closes first":    {func(s *calendar.Spec) { s.From, s.To = 61, 60 }, calendar.ErrHours},
		"never open":      {func(s *calendar.Spec) { s.From = 60 }, calendar.ErrHours},
		"past the day":    {func(s *calendar.Spec) { s.To = 24*3600 + 1 }, calendar.ErrHours},
		"before midnight": {func(s *calendar.Spec) { s.From = -1 }, calendar.ErrHours},
	} {
		spec := good
		c.change(&spec)
		if _, err := calendar.New(spec); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// Local times around changes of the clocks (IANA time zone database).
func TestResolve(t *testing.T) {
	for _, c := range []struct{ zone, date, local, want, rule string }{
		// The demonstration day's out-of-order statuses.
		{"America/New_York", "2026-03-07", "18:05", "2026-03-07T23:05:00Z", "AS_GIVEN"},
		{"America/Chicago", "2026-03-08", "07:40", "2026-03-08T12:40:00Z", "AS_GIVEN"},
		{"America/Kentucky/Louisville", "2026-03-08", "02:30", "2026-03-08T07:30:00Z", "GAP_SHIFTED_FORWARD"},
		{"America/New_York", "2026-03-07", "20:15", "2026-03-08T01:15:00Z", "AS_GIVEN"},
		// Edges of the gap and of the overlap.
		{"America/New_York", "2026-03-08", "01:59:59", "2026-03-08T06:59:59Z", "AS_GIVEN"},
		{"America/New_York", "2026-03-08", "02:00", "2026-03-08T07:00:00Z", "GAP_SHIFTED_FORWARD"},
		{"America/New_York", "2026-03-08", "02:59:59", "2026-03-08T07:59:59Z", "GAP_SHIFTED_FORWARD"},
		{"America/New_York", "2026-03-08", "03:00", "2026-03-08T07:00:00Z", "AS_GIVEN"},
		{"America/New_York", "2026-11-01", "00:59:59", "2026-11-01T04:59:59Z", "AS_GIVEN"},
		{"America/New_York", "2026-11-01", "01:00", "2026-11-01T05:00:00Z", "OVERLAP_FIRST"},
		{"America/New_York", "2026-11-01", "01:30", "2026-11-01T05:30:00Z", "OVERLAP_FIRST"},
		{"America/New_York", "2026-11-01", "02:00", "2026-11-01T07:00:00Z", "AS_GIVEN"},
		{"Europe/Amsterdam", "2026-03-29", "02:30", "2026-03-29T01:30:00Z", "GAP_SHIFTED_FORWARD"},
		{"Europe/Amsterdam", "2026-10-25", "02:30", "2026-10-25T00:30:00Z", "OVERLAP_FIRST"},
		// A gap of half an hour, and one of a whole day (Samoa had no 30 December 2011).
		{"Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:45:00Z", "GAP_SHIFTED_FORWARD"},
		{"Pacific/Apia", "2011-12-30", "12:00", "2011-12-30T22:00:00Z", "GAP_SHIFTED_FORWARD"},
		// No changes at all, and the end of a day.
		{"UTC", "2026-03-08", "02:30", "2026-03-08T02:30:00Z", "AS_GIVEN"},
		{"America/New_York", "2026-03-08", "24:00", "2026-03-09T04:00:00Z", "AS_GIVEN"},
	} {
		got, err := date(c.date).At(c.local, c.zone)
		if err != nil || got.Instant.Format(time.RFC3339) != c.want || string(got.Rule) != c.rule {
			t.Errorf("%s %s %s: got %s %s, %v; want %s %s", c.zone, c.date, c.local, got.Instant.Format(time.RFC3339), got.Rule, err, c.want, c.rule)
		}
	}
	if _, err := date("2026-03-08").At("2:30", "UTC"); !errors.Is(err, calendar.ErrTime) {
		t.Errorf("2:30: got %v, want ErrTime", err)
	}
	if _, err := date("2026-03-08").At("02:30", "EST5"); !errors.Is(err, calendar.ErrZone) {
		t.Errorf("EST5: got %v, want ErrZone", err)
	}
}

// What a clock shows at an instant resolves to that instant, or, where it shows the same twice, to the first of the two.
func TestResolveRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for _, name := range []string{"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "Africa/Casablanca"} {
		loc := zone(t, name)
		for range 3000 {
			at := time.Unix(r.Int64N(2_500_000_000), 0).UTC()
			got := calendar.Resolve(calendar.DateOf(at, loc), calendar.TimeOfDayOf(at, loc), loc)
			same := calendar.DateOf(got.Instant, loc) == calendar.DateOf(at, loc) && calendar.TimeOfDayOf(got.Instant, loc) == calendar.TimeOfDayOf(at, loc)
			if !same || got.Rule == calendar.GapShiftedForward || got.Instant.After(at) || got.Rule == calendar.AsGiven && !got.Instant.Equal(at) {
				t.Fatalf("%s %s: got %s %s", name, at.In(loc), got.Instant.In(loc), got.Rule)
			}
		}
	}
}

func TestDate(t *testing.T) {
	for _, bad := range []string{"", "2026-02-29", "2026-3-2", "20260302", "2026-03-02T00:00:00Z", "0000-01-01", " 2026-03-02"} {
		if d, err := calendar.ParseDate(bad); !errors.Is(err, calendar.ErrDate) {
			t.Errorf("ParseDate(%q): got %s, %v; want ErrDate", bad, d, err)
		}
	}
	if d, err := calendar.NewDate(2026, 2, 30); !errors.Is(err, calendar.ErrDate) {
		t.Errorf("30 February: got %s, %v; want ErrDate", d, err)
	}
	d := date("2026-03-02")
	if d.Weekday() != time.Monday || d.AddDays(-2).String() != "2026-02-28" || d.DaysUntil(date("2026-03-09")) != 7 || !d.Before(d.AddDays(1)) {
		t.Errorf("2026-03-02: got %s, two days before %s, %d days to 03-09", d.Weekday(), d.AddDays(-2), d.DaysUntil(date("2026-03-09")))
	}
	// The same instant is Friday in Venlo and still Thursday in Columbus.
	at := instant(t, "2026-03-06T02:00:00Z")
	if a, b := calendar.DateOf(at, zone(t, "Europe/Amsterdam")), calendar.DateOf(at, zone(t, "America/New_York")); a != date("2026-03-06") || b != date("2026-03-05") {
		t.Errorf("got %s and %s, want 2026-03-06 and 2026-03-05", a, b)
	}
	var v struct{ A, B calendar.Date }
	if err := json.Unmarshal([]byte(`{"A":"2026-03-02","B":""}`), &v); err != nil || v.A != d || !v.B.IsZero() {
		t.Errorf("got %v, %v", v, err)
	}
	if out, err := json.Marshal(v); err != nil || string(out) != `{"A":"2026-03-02","B":""}` {
		t.Errorf("got %s, %v", out, err)
	}
}

func TestTimeOfDay(t *testing.T) {
	for in, want := range map[string]string{"08:00": "08:00", "00:00": "00:00", "23:59:59": "23:59:59", "24:00": "24:00", "10:05:00": "10:05"} {
		if got, err := calendar.ParseTimeOfDay(in); err != nil || got.String() != want {
			t.Errorf("%s: got %s, %v; want %s", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "8:00", "24:01", "25:00", "08:60", "0800", "08:00:60", "08:00 ", "08:00:00.5"} {
		if got, err := calendar.ParseTimeOfDay(bad); !errors.Is(err, calendar.ErrTime) {
			t.Errorf("ParseTimeOfDay(%q): got %s, %v; want ErrTime", bad, got, err)
		}
	}
}

func TestParseWeekdays(t *testing.T) {
	for in, want := range map[string][]time.Weekday{
		"Mon-Fri": {1, 2, 3, 4, 5}, "Mon-Sun": {1, 2, 3, 4, 5, 6, 0}, "Sun-Tue": {0, 1, 2}, "Mon,Wed, Fri": {1, 3, 5}, "Sat": {6}, "Mon-Tue,Sat": {1, 2, 6},
	} {
		if got, err := calendar.ParseWeekdays(in); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v; want %v", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "Mon-", "-Fri", "Monday", "mon", "Mon-Fri-Sat", "1-5"} {
		if got, err := calendar.ParseWeekdays(bad); !errors.Is(err, calendar.ErrWeekdays) {
			t.Errorf("ParseWeekdays(%q): got %v, %v; want ErrWeekdays", bad, got, err)
		}
	}
}
