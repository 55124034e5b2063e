package eventtime_test

import (
	"testing"
	"time"
	_ "time/tzdata"

	"crossdock.dev/services/freight/internal/eventtime"
)

// The changes of the clocks are those of 2026: United States 8 March and 1 November, European Union 29 March and 25 October.
func TestLocal(t *testing.T) {
	for _, x := range []struct {
		text, zone, want string
		rule             eventtime.Rule
	}{
		{"2026-03-03T09:10", "America/New_York", "2026-03-03T14:10:00Z", eventtime.LocalToPlace},
		{"2026-03-03T09:10:59", "America/New_York", "2026-03-03T14:10:59Z", eventtime.LocalToPlace},
		{"2026-03-08T07:40", "America/Chicago", "2026-03-08T12:40:00Z", eventtime.LocalToPlace},
		{"2026-03-08T02:30", "America/New_York", "2026-03-08T07:30:00Z", eventtime.GapShifted},
		{"2026-11-01T01:30", "America/New_York", "2026-11-01T05:30:00Z", eventtime.OverlapFirst},
		{"2026-03-29T02:15", "Europe/Amsterdam", "2026-03-29T01:15:00Z", eventtime.GapShifted},
		{"2026-10-25T02:15", "Europe/Amsterdam", "2026-10-25T00:15:00Z", eventtime.OverlapFirst},
	} {
		got, err := eventtime.Local(x.text, x.zone)
		if err != nil {
			t.Errorf("%s in %s: %v", x.text, x.zone, err)
			continue
		}
		if s := got.Instant.Format(time.RFC3339); s != x.want || got.Rule != x.rule || got.Zone != x.zone {
			t.Errorf("%s in %s = %s by %s, want %s by %s", x.text, x.zone, s, got.Rule, x.want, x.rule)
		}
	}
	for _, text := range []string{"", "2026-03-03", "2026-03-03 09:10", "2026-13-03T09:10", "2026-03-03T25:10", "2026-03-03T09:10Z"} {
		if got, err := eventtime.Local(text, "America/New_York"); err == nil {
			t.Errorf("%q was read as %s", text, got.Instant)
		}
	}
	if _, err := eventtime.Local("2026-03-03T09:10", "Mars/Olympus"); err == nil {
		t.Error("a zone that does not exist was taken")
	}
}
