package page

import (
	"fmt"
	"slices"
	"time"

	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
)

// milestones are the facts that a timeline shows, in the order in which they are expected. Those that are exceptional have no row
// until they happen.
var milestones = []struct {
	fact, label string
	exceptional bool
}{
	{fact: "OrderCreated", label: "Ordered"},
	{fact: "OrderReleased", label: "Released"},
	{fact: "LoadTendered", label: "Offered to a carrier"},
	{fact: "TenderDeclined", label: "Offer declined", exceptional: true},
	{fact: "TenderExpired", label: "Offer not answered", exceptional: true},
	{fact: "TenderWithdrawn", label: "Offer taken back", exceptional: true},
	{fact: "LoadBooked", label: "Booked"},
	{fact: "ShipmentArrivedPickup", label: "Carrier at the ship-from"},
	{fact: "ShipmentDeparted", label: "Left the ship-from"},
	{fact: "ExceptionRaised", label: "Needs a look", exceptional: true},
	{fact: "ExceptionCleared", label: "Right again", exceptional: true},
	{fact: "ShipmentDelivered", label: "Delivered"},
	{fact: "AccessorialProven", label: "Extra charge proven", exceptional: true},
	{fact: "ProofOfDeliveryReceived", label: "Proof of delivery"},
	{fact: "InvoiceIssued", label: "Invoiced"},
	{fact: "FreightBillExcepted", label: "Carrier's bill in question", exceptional: true},
	{fact: "FreightBillApproved", label: "Carrier's bill approved"},
	{fact: "OrderCancellationRequested", label: "Cancellation wanted", exceptional: true},
	{fact: "LoadCancelled", label: "Load called off", exceptional: true},
	{fact: "OrderCancelled", label: "Cancelled", exceptional: true},
}

// planned are the types of facts that have a row.
func planned() []string {
	out := make([]string, len(milestones))
	for i, m := range milestones {
		out[i] = m.fact
	}
	return out
}

// The drawing, in its own units: labels left of axis, instants from there to axis+span.
const (
	axis, span       = 210, 770
	top, step, right = 24, 24, 1000
)

// timeline is what happened to a case and when it should have, ready to be drawn.
type timeline struct {
	Rows          []milestone
	Days          []tick
	Width, Height int
	Axis          int
}

// milestone is one row.
type milestone struct {
	Label      string
	Planned    string // at its place; "" without a plan
	Happened   string // the last time, or in words why there is none
	Times      int
	Difference string // such as "1 h 5 min late"
	Late       bool
	Y, TextY   int
	HasPlan    bool
	PlanX      float64
	Dots       []float64
	FromX, ToX float64 // from the plan to the last time it happened
}

// tick is a day's beginning, UTC.
type tick struct {
	X     float64
	Label string
}

// newTimeline lays out the steps of a case beside its plans. A case with fewer than two instants has none: there is nothing to
// compare.
func newTimeline(steps []*towerv1.Step, plans map[string]*typev1.EventTime) *timeline {
	happened := map[string][]time.Time{}
	var all []time.Time
	for _, m := range milestones {
		for _, s := range steps {
			if s.GetType() == m.fact && s.GetOccurTime() != nil {
				happened[m.fact] = append(happened[m.fact], s.GetOccurTime().AsTime())
			}
		}
		slices.SortFunc(happened[m.fact], time.Time.Compare)
		all = append(all, happened[m.fact]...)
		if by := plans[m.fact]; by != nil {
			all = append(all, by.GetTime().AsTime())
		}
	}
	if len(all) < 2 {
		return nil
	}
	first, last := slices.MinFunc(all, time.Time.Compare), slices.MaxFunc(all, time.Time.Compare)
	whole := max(last.Sub(first), time.Minute)
	x := func(t time.Time) float64 { return axis + span*float64(t.Sub(first))/float64(whole) }
	t := &timeline{Width: right, Axis: axis}
	for _, m := range milestones {
		times, by := happened[m.fact], plans[m.fact]
		if m.exceptional && len(times) == 0 {
			continue
		}
		r := milestone{Label: m.label, Times: len(times), Y: top + step*len(t.Rows) + step/2, HasPlan: by != nil}
		r.TextY = r.Y + 4
		for _, at := range times {
			r.Dots = append(r.Dots, x(at))
		}
		if len(times) > 0 {
			r.Happened = times[len(times)-1].UTC().Format(time.DateTime)
		}
		if by != nil {
			due := by.GetTime().AsTime()
			r.Planned, r.PlanX = due.UTC().Format(time.DateTime), x(due)
			if len(times) > 0 {
				end := times[len(times)-1]
				r.Late = end.After(due)
				r.Difference = difference(end.Sub(due))
				r.FromX, r.ToX = min(r.PlanX, x(end)), max(r.PlanX, x(end))
			}
		}
		t.Rows = append(t.Rows, r)
	}
	later := false
	for i := range slices.Backward(t.Rows) {
		if r := &t.Rows[i]; r.Times > 0 {
			later = true
		} else if r.Happened = "not yet"; later {
			r.Happened = "not told"
		}
	}
	t.Height = top + step*len(t.Rows) + 4
	t.Days = days(first, last, x)
	return t
}

// days are the beginnings of at most ten days between two instants.
func days(first, last time.Time, x func(time.Time) float64) []tick {
	every := int(last.Sub(first)/(10*24*time.Hour)) + 1
	var out []tick
	for d := first.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1); !d.After(last); d = d.AddDate(0, 0, every) {
		out = append(out, tick{x(d), d.Format("Mon 2 Jan")})
	}
	return out
}

// difference says how long something came before or after its plan.
func difference(d time.Duration) string {
	word := "late"
	if d <= 0 {
		d, word = -d, "early"
	}
	d = d.Round(time.Minute)
	switch n, h, m := int(d/(24*time.Hour)), int(d.Hours())%24, int(d.Minutes())%60; {
	case n > 0:
		return fmt.Sprintf("%d d %d h %s", n, h, word)
	case h > 0:
		return fmt.Sprintf("%d h %d min %s", h, m, word)
	case m > 0:
		return fmt.Sprintf("%d min %s", m, word)
	}
	return "on time"
}
