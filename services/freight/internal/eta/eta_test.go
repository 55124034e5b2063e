package eta_test

import (
	"testing"
	"time"

	"crossdock.dev/services/freight/internal/eta"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func trust(c eta.Confidence, reasons ...eta.Reason) eta.Trust {
	return eta.Trust{Confidence: c, Reasons: reasons}
}

// The day's scenario 16: a claim is expected every 4 hours, the departure at 14:30Z was the last. Levels change at the limit.
var silent = eta.Word{Interval: 4 * time.Hour, Newest: at("2026-03-11T14:30:00Z"), Departed: true, Scheduled: at("2026-03-11T20:00:00Z")}

// The same carrier, and not a word of the shipment; by schedule it is on the way from 20:00Z on.
var unheard = eta.Word{Interval: 4 * time.Hour, Scheduled: at("2026-03-11T20:00:00Z")}

func TestTrust(t *testing.T) {
	atPickup := silent
	atPickup.Departed = false
	unwatched := silent
	unwatched.Interval = 0
	for _, x := range []struct {
		name string
		word eta.Word
		now  string
		want eta.Trust
		next string
	}{
		{"a departure", silent, "2026-03-11T14:30:00Z", trust(eta.High), "2026-03-11T18:30:00Z"},
		{"the clocks of two differ", silent, "2026-03-11T14:20:00Z", trust(eta.High), "2026-03-11T18:30:00Z"},
		{"just under 4 h", silent, "2026-03-11T18:29:59Z", trust(eta.High), "2026-03-11T18:30:00Z"},
		{"4 h", silent, "2026-03-11T18:30:00Z", trust(eta.Medium, eta.FeedSilent), "2026-03-11T22:30:00Z"},
		{"just under 8 h", silent, "2026-03-11T22:29:59Z", trust(eta.Medium, eta.FeedSilent), "2026-03-11T22:30:00Z"},
		{"8 h", silent, "2026-03-11T22:30:00Z", trust(eta.Low, eta.FeedSilent), "2026-03-12T06:30:00Z"},
		{"12 h is no step", silent, "2026-03-12T02:30:00Z", trust(eta.Low, eta.FeedSilent), "2026-03-12T06:30:00Z"},
		{"16 h", silent, "2026-03-12T06:30:00Z", trust(eta.None, eta.FeedSilent, eta.OnlyScheduled), ""},
		{"days", silent, "2026-03-20T00:00:00Z", trust(eta.None, eta.FeedSilent, eta.OnlyScheduled), ""},

		{"at the pick-up nobody asks", atPickup, "2026-03-11T19:59:59Z", trust(""), "2026-03-11T20:00:00Z"},
		{"it should be on the way", atPickup, "2026-03-11T20:00:00Z", trust(eta.Medium, eta.FeedSilent), "2026-03-11T22:30:00Z"},

		{"nothing is due yet", unheard, "2026-03-10T14:00:00Z", trust(""), "2026-03-11T20:00:00Z"},
		{"a schedule is never above medium", unheard, "2026-03-11T20:00:00Z", trust(eta.Medium, eta.OnlyScheduled), "2026-03-12T00:00:00Z"},
		{"a schedule, silent for 4 h", unheard, "2026-03-12T00:00:00Z", trust(eta.Medium, eta.FeedSilent, eta.OnlyScheduled), "2026-03-12T04:00:00Z"},
		{"a schedule, silent for 8 h", unheard, "2026-03-12T04:00:00Z", trust(eta.Low, eta.FeedSilent, eta.OnlyScheduled), "2026-03-12T12:00:00Z"},
		{"a schedule, silent for 16 h", unheard, "2026-03-12T12:00:00Z", trust(eta.None, eta.FeedSilent, eta.OnlyScheduled), ""},

		{"no interval is expected of the carrier", unwatched, "2026-03-12T12:00:00Z", trust(""), ""},
		{"nothing is known", eta.Word{Interval: time.Hour}, "2026-03-12T12:00:00Z", trust(""), ""},
	} {
		got, next := x.word.Trust(at(x.now))
		want := time.Time{}
		if x.next != "" {
			want = at(x.next)
		}
		if !got.Same(x.want) || !next.Equal(want) {
			t.Errorf("%s: %v until %s, want %v until %s", x.name, got, next, x.want, want)
		}
	}
}

// Without a claim trust never rises, changes at the instant that was named and not before, and comes to its end.
func TestTrustFalls(t *testing.T) {
	rank := map[eta.Confidence]int{"": -1, eta.High: 0, eta.Medium: 1, eta.Low: 2, eta.None: 3}
	begin := at("2026-03-11T00:00:00Z")
	fall := func(w eta.Word) {
		now := begin
		for range 6 { // at most one change when it is on the way, and one for each step
			got, next := w.Trust(now)
			if w.Newest.IsZero() && got.Confidence == eta.High {
				t.Fatalf("%+v: a schedule is HIGH", w)
			}
			if next.IsZero() {
				if got.Confidence != eta.None {
					t.Fatalf("%+v: %v for ever", w, got)
				}
				return
			}
			if !next.After(now) {
				t.Fatalf("%+v at %s: the next change is at %s", w, now, next)
			}
			if before, _ := w.Trust(next.Add(-time.Nanosecond)); !before.Same(got) {
				t.Fatalf("%+v: %v before %s, want %v as it was", w, before, next, got)
			}
			then, _ := w.Trust(next)
			if then.Same(got) || rank[then.Confidence] < rank[got.Confidence] {
				t.Fatalf("%+v: %v became %v at %s", w, got, then, next)
			}
			now = next
		}
		t.Fatalf("%+v never ends", w)
	}
	for interval := 1; interval < 100; interval += 7 {
		for scheduled := 0; scheduled < 500; scheduled += 31 {
			w := eta.Word{Interval: time.Duration(interval) * time.Minute, Scheduled: begin.Add(time.Duration(scheduled) * time.Minute)}
			fall(w)
			for newest := -100; newest < 500; newest += 13 {
				w.Newest, w.Departed = begin.Add(time.Duration(newest)*time.Minute), newest%2 == 0
				fall(w)
			}
		}
	}
}
