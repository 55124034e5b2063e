package milestone_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"crossdock.dev/services/freight/internal/eventtime"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/milestone"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/shipment"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

const ship = "shipments/shp_1"

// booked is a load from Columbus to a place in a zone, with one shipment aboard.
func booked(zone string) (load.Load, shipment.Shipment) {
	return load.Load{
			Name: "loads/load_1", State: load.Booked, Carrier: "parties/CAR-CXBB", Shipments: []string{ship},
			Stops: []load.Stop{
				{Sequence: 1, Role: load.Pickup, Location: "locations/LOC-CMH", Zone: "America/New_York", Shipments: []string{ship}},
				{Sequence: 2, Role: load.Delivery, Location: "locations/LOC-TO", Zone: zone, Shipments: []string{ship}},
			},
		}, shipment.Shipment{
			Name: ship, State: shipment.Booked,
		}
}

var places = map[string]milestone.Place{
	"locations/LOC-CMH": {City: "Columbus", State: "OH"}, "locations/LOC-TO": {City: "Nashville", State: "TN"},
}

func local(m milestone.Milestone, stop int, text, city, state string) milestone.Report {
	return milestone.Report{Milestone: m, Stop: stop, LocalTime: text, City: city, State: state, Source: milestone.EDI}
}

func understand(t *testing.T, l load.Load, r milestone.Report, now string) milestone.Claim {
	t.Helper()
	c, err := milestone.Understand(r, l, places, at(now))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// permutations calls fn with every order of claims.
func permutations(claims []milestone.Claim, fn func([]milestone.Claim)) {
	if len(claims) < 2 {
		fn(claims)
		return
	}
	for i := range claims {
		rest := slices.Delete(slices.Clone(claims), i, i+1)
		permutations(rest, func(p []milestone.Claim) { fn(append([]milestone.Claim{claims[i]}, p...)) })
	}
}

// step brings load and shipment from the claims known to one more.
func step(t *testing.T, l load.Load, s shipment.Shipment, known []milestone.Claim, c milestone.Claim) milestone.Result {
	t.Helper()
	r, err := milestone.Apply(l, []shipment.Shipment{s}, milestone.Fold(known), milestone.Fold(append(slices.Clone(known), c)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The four claims of the day's scenario 01, in every order: the end is the same, state never goes back, each event is told once.
func TestEveryOrderOfArrival(t *testing.T) {
	l, s := booked("America/New_York")
	var claims []milestone.Claim
	for _, x := range []struct {
		m    milestone.Milestone
		stop int
		when string
	}{
		{milestone.ArrivedPickup, 1, "2026-03-03T09:10"}, {milestone.DepartedPickup, 1, "2026-03-03T10:05"},
		{milestone.ArrivedDelivery, 2, "2026-03-04T08:40"}, {milestone.Delivered, 2, "2026-03-04T09:20"},
	} {
		claims = append(claims, understand(t, l, local(x.m, x.stop, x.when, "", ""), "2026-03-05T00:00:00Z"))
	}
	order := shipment.States()
	count := 0
	permutations(claims, func(arrived []milestone.Claim) {
		count++
		l, s := l, s
		var told []milestone.Milestone
		completed := 0
		for i, c := range arrived {
			r := step(t, l, s, arrived[:i], c)
			if slices.Index(order, r.Shipments[0].State) < slices.Index(order, s.State) {
				t.Errorf("%s took the shipment back from %s to %s", c.Milestone, s.State, r.Shipments[0].State)
			}
			for _, n := range r.News {
				told = append(told, n.What)
			}
			if r.Completed {
				completed++
			}
			l, s = r.Load, r.Shipments[0]
		}
		slices.Sort(told)
		if want := []milestone.Milestone{milestone.ArrivedPickup, milestone.Delivered, milestone.DepartedPickup}; !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
		if completed != 1 || l.State != load.Completed || s.State != shipment.Delivered {
			t.Errorf("load %s, shipment %s, completed %d times; want COMPLETED, DELIVERED, once", l.State, s.State, completed)
		}
		for what, x := range map[string]struct {
			got  eventtime.Time
			want string
		}{
			"arrived at the pick-up":  {l.Stops[0].Arrived, "2026-03-03T14:10:00Z"},
			"departed":                {s.Departed, "2026-03-03T15:05:00Z"},
			"arrived at the delivery": {l.Stops[1].Arrived, "2026-03-04T13:40:00Z"},
			"delivered":               {s.Delivered, "2026-03-04T14:20:00Z"},
		} {
			if !x.got.Instant.Equal(at(x.want)) {
				t.Errorf("%s %s, want %s", what, x.got.Instant, x.want)
			}
		}
	})
	if count != 24 {
		t.Fatalf("%d orders were tried, want 24", count)
	}
}

// The day's scenario 09: claims out of order over the weekend on which the clocks change.
func TestOutOfOrderOverTheChangeOfTheClocks(t *testing.T) {
	l, s := booked("America/Chicago")
	var known []milestone.Claim
	for i, x := range []struct {
		received string
		report   milestone.Report
		resolved string
		rule     eventtime.Rule
		state    shipment.State
		advanced bool
		news     []milestone.Milestone
	}{
		{"2026-03-07T23:20:00Z", local(milestone.ArrivedPickup, 1, "2026-03-07T18:05", "COLUMBUS", "OH"), "2026-03-07T23:05:00Z",
			eventtime.LocalToPlace, shipment.AtPickup, true, []milestone.Milestone{milestone.ArrivedPickup}},
		{"2026-03-08T12:55:00Z", local(milestone.ArrivedDelivery, 2, "2026-03-08T07:40", "NASHVILLE", "TN"), "2026-03-08T12:40:00Z",
			eventtime.LocalToPlace, shipment.AtDelivery, true, nil},
		{"2026-03-08T14:20:00Z", local(milestone.Delivered, 2, "2026-03-08T09:10", "NASHVILLE", "TN"), "2026-03-08T14:10:00Z",
			eventtime.LocalToPlace, shipment.Delivered, true, []milestone.Milestone{milestone.Delivered}},
		{"2026-03-08T14:45:00Z", local(milestone.DepartedPickup, 1, "2026-03-07T20:15", "COLUMBUS", "OH"), "2026-03-08T01:15:00Z",
			eventtime.LocalToPlace, shipment.Delivered, false, []milestone.Milestone{milestone.DepartedPickup}},
		{"2026-03-08T15:00:00Z", local(milestone.InTransit, 0, "2026-03-08T02:30", "LOUISVILLE", "KY"), "2026-03-08T07:30:00Z",
			eventtime.GapShifted, shipment.Delivered, false, nil},
		{"2026-03-08T16:00:00Z", local(milestone.Delivered, 2, "2026-03-08T09:25", "NASHVILLE", "TN"), "2026-03-08T14:25:00Z",
			eventtime.LocalToPlace, shipment.Delivered, false, []milestone.Milestone{milestone.Delivered}},
	} {
		c := understand(t, l, x.report, x.received)
		if !c.Occurred.Instant.Equal(at(x.resolved)) || c.Occurred.Rule != x.rule {
			t.Errorf("claim %d happened at %s by %s, want %s by %s", i, c.Occurred.Instant, c.Occurred.Rule, x.resolved, x.rule)
		}
		r := step(t, l, s, known, c)
		var told []milestone.Milestone
		for _, n := range r.News {
			told = append(told, n.What)
		}
		if r.Shipments[0].State != x.state || r.Advanced != x.advanced || !slices.Equal(told, x.news) {
			t.Errorf("claim %d: state %s, advanced %t, told %v; want %s, %t, %v", i, r.Shipments[0].State, r.Advanced, told, x.state, x.advanced, x.news)
		}
		l, s, known = r.Load, r.Shipments[0], append(known, c)
	}
	if !s.Delivered.Instant.Equal(at("2026-03-08T14:25:00Z")) || !s.Departed.Instant.Equal(at("2026-03-08T01:15:00Z")) {
		t.Errorf("departed %s, delivered %s; want 2026-03-08T01:15Z, 2026-03-08T14:25Z", s.Departed.Instant, s.Delivered.Instant)
	}
}

func TestBelievedSource(t *testing.T) {
	l, _ := booked("America/New_York")
	claim := func(source milestone.Source, when string) milestone.Claim {
		r := milestone.Report{Milestone: milestone.Delivered, Stop: 2, OccurTime: at(when), Source: source}
		return understand(t, l, r, "2026-03-05T00:00:00Z")
	}
	for _, x := range []struct {
		name   string
		claims []milestone.Claim
		want   string
	}{
		{"a later time corrects", []milestone.Claim{claim(milestone.EDI, "2026-03-04T14:20:00Z"), claim(milestone.EDI, "2026-03-04T14:35:00Z")}, "2026-03-04T14:35:00Z"},
		{"a manual entry does not overrule the carrier", []milestone.Claim{claim(milestone.EDI, "2026-03-04T14:20:00Z"), claim(milestone.Manual, "2026-03-04T16:00:00Z")}, "2026-03-04T14:20:00Z"},
		{"the carrier's API overrules EDI", []milestone.Claim{claim(milestone.EDI, "2026-03-04T14:20:00Z"), claim(milestone.CarrierAPI, "2026-03-04T14:00:00Z")}, "2026-03-04T14:00:00Z"},
	} {
		permutations(x.claims, func(p []milestone.Claim) {
			if got := milestone.Fold(p).Stops[2].Delivered.Instant; !got.Equal(at(x.want)) {
				t.Errorf("%s: delivered %s, want %s", x.name, got, x.want)
			}
		})
	}
}

func TestEstimate(t *testing.T) {
	l, s := booked("America/New_York")
	eta := func(said, estimate string) milestone.Claim {
		r := milestone.Report{Milestone: milestone.EtaChanged, OccurTime: at(said), Estimate: at(estimate), Source: milestone.EDI}
		return understand(t, l, r, "2026-03-05T00:00:00Z")
	}
	older, newer := eta("2026-03-03T16:00:00Z", "2026-03-04T15:00:00Z"), eta("2026-03-03T20:00:00Z", "2026-03-04T18:00:00Z")
	r := step(t, l, s, nil, newer)
	if len(r.News) != 1 || r.News[0].What != milestone.EtaChanged || !r.News[0].At.Instant.Equal(newer.Estimate) {
		t.Errorf("news = %+v, want the estimate %s", r.News, newer.Estimate)
	}
	if r := step(t, l, s, []milestone.Claim{newer}, older); len(r.News) != 0 {
		t.Errorf("an older estimate that comes later is told: %+v", r.News)
	}
	if r.Advanced || r.Shipments[0].State != shipment.Booked {
		t.Errorf("an estimate moved the shipment to %s", r.Shipments[0].State)
	}
}

func TestUnderstandRefuses(t *testing.T) {
	l, _ := booked("America/New_York")
	two := l
	two.Stops = append(slices.Clone(l.Stops), load.Stop{Sequence: 3, Role: load.Delivery, Zone: "America/New_York"})
	now := at("2026-03-04T14:30:00Z")
	given := milestone.Report{Milestone: milestone.Delivered, Stop: 2, OccurTime: now}
	with := func(change func(*milestone.Report)) milestone.Report {
		r := given
		change(&r)
		return r
	}
	for _, x := range []struct {
		name   string
		load   load.Load
		report milestone.Report
		fields []string
		reason refusal.Reason
	}{
		{"two times", l, with(func(r *milestone.Report) { r.LocalTime = "2026-03-04T09:20" }), []string{"claim.occur_time"}, ""},
		{"no time and no such stop", l, milestone.Report{Milestone: milestone.Delivered, Stop: 7}, []string{"claim.stop", "claim.occur_time"}, ""},
		{"delivered at a pick-up", l, with(func(r *milestone.Report) { r.Stop = 1 }), []string{"claim.stop"}, ""},
		{"which of two deliveries", two, with(func(r *milestone.Report) { r.Stop = 0 }), []string{"claim.stop"}, ""},
		{"a day that does not exist", l, milestone.Report{Milestone: milestone.Delivered, LocalTime: "2026-02-30T09:20"}, []string{"claim.local_time"}, ""},
		{"an estimate without one", l, with(func(r *milestone.Report) { r.Milestone = milestone.EtaChanged }), []string{"claim.estimate"}, ""},
		{"an estimate of something else", l, with(func(r *milestone.Report) { r.Estimate = now }), []string{"claim.estimate"}, ""},
		{"a slip of the pen", l, with(func(r *milestone.Report) { r.OccurTime = at("0026-03-04T14:30:00Z") }), []string{"claim.occur_time"}, ""},
		{"future", l, with(func(r *milestone.Report) { r.OccurTime = now.Add(15*time.Minute + time.Second) }), nil, refusal.FutureDated},
		{"just not future", l, with(func(r *milestone.Report) { r.OccurTime = now.Add(15 * time.Minute) }), nil, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, err := milestone.Understand(x.report, x.load, places, now)
			var bad *refusal.FieldErrors
			var got []string
			if errors.As(err, &bad) {
				for _, f := range bad.Fields {
					got = append(got, f.Path)
				}
			}
			var unmet *refusal.PreconditionError
			var reason refusal.Reason
			if errors.As(err, &unmet) {
				reason = unmet.Reason
			}
			if !reflect.DeepEqual(got, x.fields) || reason != x.reason || (x.fields == nil && x.reason == "") != (err == nil) {
				t.Errorf("got fields %v, reason %q, error %v; want %v, %q", got, reason, err, x.fields, x.reason)
			}
		})
	}
}

// A load with two deliveries is complete when both were handed over, and being at the second means having left the pick-up.
func TestTwoShipments(t *testing.T) {
	l, first := booked("America/New_York")
	second := shipment.Shipment{Name: "shipments/shp_2", State: shipment.Booked}
	l.Shipments = append(l.Shipments, second.Name)
	l.Stops[0].Shipments = append(slices.Clone(l.Stops[0].Shipments), second.Name)
	l.Stops = append(l.Stops, load.Stop{Sequence: 3, Role: load.Delivery, Zone: "America/Chicago", Shipments: []string{second.Name}})
	claim := func(stop int, when string) milestone.Claim {
		r := milestone.Report{Milestone: milestone.Delivered, Stop: stop, OccurTime: at(when), Source: milestone.EDI}
		return understand(t, l, r, "2026-03-06T00:00:00Z")
	}
	last, middle := claim(3, "2026-03-05T16:00:00Z"), claim(2, "2026-03-05T12:00:00Z")
	r, err := milestone.Apply(l, []shipment.Shipment{first, second}, milestone.Fold(nil), milestone.Fold([]milestone.Claim{last}))
	if err != nil {
		t.Fatal(err)
	}
	if r.Shipments[0].State != shipment.InTransit || r.Shipments[1].State != shipment.Delivered || r.Load.State != load.InTransit {
		t.Errorf("after the last stop: %s, %s, load %s; want IN_TRANSIT, DELIVERED, IN_TRANSIT", r.Shipments[0].State, r.Shipments[1].State, r.Load.State)
	}
	r, err = milestone.Apply(r.Load, r.Shipments, milestone.Fold([]milestone.Claim{last}), milestone.Fold([]milestone.Claim{last, middle}))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Completed || len(r.News) != 1 || r.News[0].Shipment != ship {
		t.Errorf("after both: completed %t, news %+v; want completed with news of %s", r.Completed, r.News, ship)
	}
}

// What is said at one delivery stop is of the shipments of that stop alone (the day's scenario 17: Indianapolis, then Chicago).
func TestStopsOfAShare(t *testing.T) {
	l, first := booked("America/New_York")
	second := shipment.Shipment{Name: "shipments/shp_2", State: shipment.Booked}
	l.Shipments = append(l.Shipments, second.Name)
	l.Stops[0].Shipments = slices.Clone(l.Shipments)
	l.Stops = append(l.Stops, load.Stop{Sequence: 3, Role: load.Delivery, Zone: "America/Chicago", Shipments: []string{second.Name}})
	var claims []milestone.Claim
	for _, r := range []milestone.Report{
		local(milestone.ArrivedPickup, 1, "2026-03-11T08:30", "", ""), local(milestone.DepartedPickup, 1, "2026-03-11T09:00", "", ""),
		local(milestone.ArrivedDelivery, 2, "2026-03-11T13:00", "", ""), local(milestone.Delivered, 2, "2026-03-11T13:40", "", ""),
		{Milestone: milestone.InTransit, OccurTime: at("2026-03-12T09:00:00Z"), Source: milestone.EDI},
		local(milestone.ArrivedDelivery, 3, "2026-03-12T09:05", "", ""), local(milestone.Delivered, 3, "2026-03-12T11:40", "", ""),
		local(milestone.DepartedDelivery, 3, "2026-03-12T12:10", "", ""),
	} {
		claims = append(claims, understand(t, l, r, "2026-03-13T00:00:00Z"))
	}
	want := []struct {
		first, second shipment.State
		load          load.State
		news          int
	}{
		{shipment.AtPickup, shipment.AtPickup, load.Booked, 2},
		{shipment.InTransit, shipment.InTransit, load.InTransit, 2},
		{shipment.AtDelivery, shipment.InTransit, load.InTransit, 0},
		{shipment.Delivered, shipment.InTransit, load.InTransit, 1},
		{shipment.Delivered, shipment.InTransit, load.InTransit, 0},
		{shipment.Delivered, shipment.AtDelivery, load.InTransit, 0},
		{shipment.Delivered, shipment.Delivered, load.Completed, 1},
		{shipment.Delivered, shipment.Delivered, load.Completed, 0},
	}
	now, aboard := l, []shipment.Shipment{first, second}
	for i := range claims {
		r, err := milestone.Apply(now, aboard, milestone.Fold(claims[:i]), milestone.Fold(claims[:i+1]))
		if err != nil {
			t.Fatal(err)
		}
		now, aboard = r.Load, r.Shipments
		if w := want[i]; aboard[0].State != w.first || aboard[1].State != w.second || now.State != w.load || len(r.News) != w.news {
			t.Errorf("after %s at stop %d: %s, %s, load %s, %d news; want %+v", claims[i].Milestone, claims[i].Stop,
				aboard[0].State, aboard[1].State, now.State, len(r.News), w)
		}
	}
	if !aboard[0].Delivered.Instant.Equal(at("2026-03-11T17:40:00Z")) || !aboard[1].Delivered.Instant.Equal(at("2026-03-12T16:40:00Z")) {
		t.Errorf("delivered %s and %s, want 2026-03-11T17:40Z and 2026-03-12T16:40Z", aboard[0].Delivered.Instant, aboard[1].Delivered.Instant)
	}
	// However they come in, the end is the same.
	random := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		arrived := slices.Clone(claims)
		random.Shuffle(len(arrived), func(i, j int) { arrived[i], arrived[j] = arrived[j], arrived[i] })
		then, carried := l, []shipment.Shipment{first, second}
		for i := range arrived {
			r, err := milestone.Apply(then, carried, milestone.Fold(arrived[:i]), milestone.Fold(arrived[:i+1]))
			if err != nil {
				t.Fatal(err)
			}
			then, carried = r.Load, r.Shipments
		}
		if !reflect.DeepEqual(then, now) || !reflect.DeepEqual(carried, aboard) {
			t.Fatalf("arrived as %v: %+v %+v, want %+v %+v", arrived, then, carried, now, aboard)
		}
	}
}

func TestEstimateOfAStop(t *testing.T) {
	l, _ := booked("America/New_York")
	l.Stops = append(l.Stops, load.Stop{Sequence: 3, Role: load.Delivery, Zone: "America/Chicago"})
	eta := func(stop int, said, estimate string) milestone.Claim {
		r := milestone.Report{Milestone: milestone.EtaChanged, Stop: stop, OccurTime: at(said), Estimate: at(estimate), Source: milestone.EDI}
		return understand(t, l, r, "2026-03-05T00:00:00Z")
	}
	middle, last, whole := eta(2, "2026-03-03T16:00:00Z", "2026-03-04T15:00:00Z"), eta(3, "2026-03-03T17:00:00Z", "2026-03-04T20:00:00Z"),
		eta(0, "2026-03-03T18:00:00Z", "2026-03-04T21:00:00Z")
	pickup := eta(1, "2026-03-03T15:00:00Z", "2026-03-04T19:00:00Z")
	for _, x := range []struct {
		name         string
		claims       []milestone.Claim
		second, last string
	}{
		{"none", nil, "", ""},
		{"of the stop in the middle", []milestone.Claim{middle}, "2026-03-04T15:00:00Z", ""},
		{"of both", []milestone.Claim{middle, last}, "2026-03-04T15:00:00Z", "2026-03-04T20:00:00Z"},
		{"one that names no stop is of the last", []milestone.Claim{middle, last, whole}, "2026-03-04T15:00:00Z", "2026-03-04T21:00:00Z"},
		{"so is one made at the pick-up", []milestone.Claim{pickup}, "", "2026-03-04T19:00:00Z"},
		{"and the newest counts", []milestone.Claim{pickup, last}, "", "2026-03-04T20:00:00Z"},
	} {
		permutations(x.claims, func(p []milestone.Claim) {
			h := milestone.Fold(p)
			for i, want := range map[int]string{1: x.second, 2: x.last} {
				got := h.Estimate(l, l.Stops[i])
				if got.IsZero() != (want == "") || want != "" && (!got.Instant.Equal(at(want)) || got.Zone != l.Stops[i].Zone) {
					t.Errorf("%s: stop %d estimated for %v, want %q", x.name, i+1, got, want)
				}
			}
		})
	}
}

// The newest claim is the one that happened last, whenever it came.
func TestNewest(t *testing.T) {
	l, _ := booked("America/New_York")
	claim := func(m milestone.Milestone, stop int, when string) milestone.Claim {
		return understand(t, l, milestone.Report{Milestone: m, Stop: stop, OccurTime: at(when)}, "2026-03-12T20:00:00Z")
	}
	permutations([]milestone.Claim{
		claim(milestone.DepartedPickup, 1, "2026-03-11T14:30:00Z"), claim(milestone.ArrivedDelivery, 2, "2026-03-12T15:30:00Z"),
		claim(milestone.ArrivedPickup, 1, "2026-03-11T13:50:00Z"),
	}, func(p []milestone.Claim) {
		if got, want := milestone.Fold(p).Newest, at("2026-03-12T15:30:00Z"); !got.Equal(want) {
			t.Errorf("newest %s, want %s", got, want)
		}
	})
	if got := milestone.Fold(nil).Newest; !got.IsZero() {
		t.Errorf("newest of none is %s", got)
	}
}
