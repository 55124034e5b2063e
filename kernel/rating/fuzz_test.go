package rating_test

import (
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"
)

// FuzzTexts: amounts, quantities, days, times, zones, weekdays and lane groups of any text are refused, or are what their own text says.
func FuzzTexts(f *testing.F) {
	for _, s := range [][2]string{
		{"13045.94", "USD"}, {"-92233720368547758.08", "USD"}, {"7.5", "JPY"}, {"3156", "LBR"}, {"0.00000000000000000000000000000000000001", "H87"},
		{"2026-03-08", "America/New_York"}, {"2026-11-01", "America/New_York"}, {"0001-01-01", "Asia/Kolkata"}, {"9999-12-31", "Pacific/Apia"},
		{"02:30", "America/New_York"}, {"24:00", "UTC"}, {"23:59:59", "Europe/./Amsterdam"}, {"Mon-Wed,Sat", "Australia/Lord_Howe"}, {"Sun-Thu", "Africa//Lagos"},
		{"A (432 to 441 152 462 482)", "Europe/Amsterdam/"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, text, of string) {
		if a, err := money.Parse(text, of); err == nil {
			again, err := money.Parse(a.String(), of)
			units, nanos := a.UnitsNanos()
			third, err3 := money.FromUnitsNanos(units, nanos, of)
			if err != nil || again != a || err3 != nil || third != a {
				t.Errorf("%q %s is %s, again %s, %v; as units and nanos %s, %v", text, of, a, again, err, third, err3)
			}
		}
		if q, err := quantity.Parse(text, quantity.Unit(of)); err == nil {
			if again, err := quantity.Parse(q.Value().String(), q.Unit()); err != nil || !again.Equal(q) || len(q.String()) > 44 {
				t.Errorf("%q %s is %s, again %s, %v", text, of, q, again, err)
			}
		}
		if g, err := rating.ParseLaneGroup(text); err == nil {
			again, err := rating.ParseLaneGroup(g.ID + " (" + strings.Join(g.Origins, " ") + " to " + strings.Join(g.Destinations, " ") + ")")
			if err != nil || again.ID != g.ID || !slices.Equal(again.Origins, g.Origins) || !slices.Equal(again.Destinations, g.Destinations) {
				t.Errorf("%q is %q, again %q, %v", text, g, again, err)
			}
		}
		if days, err := calendar.ParseWeekdays(text); err == nil {
			if len(days) == 0 || len(days) > 7*len(text) || slices.Min(days) < time.Sunday || slices.Max(days) > time.Saturday {
				t.Errorf("%q are the days %v", text, days)
			}
		}
		at, err := calendar.ParseTimeOfDay(text)
		if err == nil {
			if again, err := calendar.ParseTimeOfDay(at.String()); err != nil || again != at || at < 0 || at > 24*3600 {
				t.Errorf("%q is %s, again %s, %v", text, at, again, err)
			}
		}
		day, err := calendar.ParseDate(text)
		if err != nil {
			day = calendar.MustParseDate("2026-03-08")
		} else if day.String() != text {
			t.Errorf("%q is %s", text, day)
		}
		zone, err := calendar.LoadZone(of)
		if err != nil {
			return
		}
		if path.Clean(of) != of { // or one zone would have names without end
			t.Errorf("%q is a zone", of)
		}
		// What the clock on the wall shows at the instant is what was written, but for times that it leaves out.
		is := calendar.Resolve(day, at, zone)
		if shown := calendar.DateOf(is.Instant, zone).String() + " " + calendar.TimeOfDayOf(is.Instant, zone).String(); at < 24*3600 &&
			(shown != day.String()+" "+at.String()) != (is.Rule == calendar.GapShiftedForward) {
			t.Errorf("%s %s in %s is %s, when the clock shows %s, %s", day, at, of, is.Instant, shown, is.Rule)
		}
	})
}
