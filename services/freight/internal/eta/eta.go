// Package eta is for how far an estimated delivery can be trusted while the carrier says little or nothing. It promises that trust
// falls in steps with the age of the newest claim, that it rises again only with a claim, and that the same claims and instant
// always give the same answer. The estimate itself comes from claims and the promise, see package milestone; the clock that asks
// again is left to package app.
package eta

import (
	"slices"
	"time"
)

// Confidence is how far an estimate can be trusted. The empty Confidence means that nobody asks: the shipment is not watched, or
// not on the way.
type Confidence string

// The levels, highest first.
const (
	High   Confidence = "HIGH"
	Medium Confidence = "MEDIUM"
	Low    Confidence = "LOW"
	None   Confidence = "NONE"
)

// Reason is why confidence is not high.
type Reason string

// The reasons.
const (
	FeedSilent    Reason = "FEED_SILENT"    // no claim for one expected interval or longer
	OnlyScheduled Reason = "ONLY_SCHEDULED" // the estimate rests on the schedule alone
)

// Trust is a level with its reasons. The zero Trust is that of a shipment that nobody asks about.
type Trust struct {
	Confidence Confidence
	Reasons    []Reason
}

// Same reports whether both say the same.
func (t Trust) Same(x Trust) bool {
	return t.Confidence == x.Confidence && slices.Equal(t.Reasons, x.Reasons)
}

// step is a level and the age, in expected intervals, from which it holds; at the very instant it holds already.
type step struct {
	intervals time.Duration
	level     Confidence
}

// The steps down from high. They are start values, until the history of a lane says better.
var steps = []step{{1, Medium}, {2, Low}, {4, None}}

// Word is what a carrier has said of a shipment so far, and what was expected of it.
type Word struct {
	Interval  time.Duration // between two claims, as expected of the carrier; zero or less means that it is not watched
	Newest    time.Time     // when the newest claim happened, not when it came; zero when there is none
	Departed  bool          // the claims say that it is on the way
	Scheduled time.Time     // when it is on the way by schedule: the end of the pick-up window
}

// Trust is how far the estimate can be trusted at an instant, and when that changes if no claim comes; the zero Time if it does
// not. Before the shipment is on the way, by claim or by schedule, nobody asks. Age counts from the newest claim; a schedule
// without any claim is aged from its own instant and never above medium.
func (w Word) Trust(now time.Time) (Trust, time.Time) {
	since := w.Newest
	if since.IsZero() {
		since = w.Scheduled
	}
	switch {
	case w.Interval <= 0 || since.IsZero():
		return Trust{}, time.Time{}
	case !w.Departed && now.Before(w.Scheduled):
		return Trust{}, w.Scheduled
	}
	out := Trust{Confidence: High}
	var next time.Time
	for _, s := range steps {
		from := since.Add(s.intervals * w.Interval)
		if now.Before(from) {
			next = from
			break
		}
		out.Confidence = s.level
	}
	if out.Confidence != High {
		out.Reasons = append(out.Reasons, FeedSilent)
	}
	switch {
	case w.Newest.IsZero() && out.Confidence == High:
		out = Trust{Confidence: Medium, Reasons: []Reason{OnlyScheduled}}
	case w.Newest.IsZero() || out.Confidence == None:
		out.Reasons = append(out.Reasons, OnlyScheduled)
	}
	return out, next
}
