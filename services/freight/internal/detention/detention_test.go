package detention_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/rating"

	"crossdock.dev/services/freight/internal/detention"
	"crossdock.dev/services/freight/internal/eventtime"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/milestone"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// tariff holds the day's terms of CXAA: two hours free, then 60.00 an hour by started half hours, 480.00 at most.
func tariff() rating.Tariff {
	limit := money.MustParse("480.00", "USD")
	return rating.Tariff{
		ID: "CXAA-2026-1", Version: 1, Currency: "USD", EffectiveFrom: calendar.MustParseDate("2026-01-01"), Interval: rating.LowInclusive,
		LineHaul:  []rating.LineHaul{{Flat: map[string]money.Amount{"LANE-CHI": money.MustParse("771.85", "USD")}}},
		Detention: &rating.Detention{FreeMinutes: 120, IncrementMinutes: 30, RatePerHour: decimal.MustParse("60.00"), Cap: &limit},
	}
}

// shared is the load of the day's scenario 17: Columbus, then Indianapolis, then Chicago with an appointment at 08:00 CDT.
func shared() load.Load {
	return load.Load{Name: "loads/load_1", Stops: []load.Stop{
		{Sequence: 1, Role: load.Pickup, WindowFrom: eventtime.Given(at("2026-03-11T12:00:00Z"), "America/New_York"), Shipments: []string{"shipments/1", "shipments/2"}},
		{Sequence: 2, Role: load.Delivery, WindowFrom: eventtime.Given(at("2026-03-11T12:00:00Z"), "America/New_York"), Shipments: []string{"shipments/1"}},
		{Sequence: 3, Role: load.Delivery, WindowFrom: eventtime.Given(at("2026-03-12T13:00:00Z"), "America/Chicago"), Shipments: []string{"shipments/2"}},
	}}
}

func claim(m milestone.Milestone, stop int, when string) milestone.Claim {
	return milestone.Claim{
		Name:   "loads/load_1/claims/" + string(m) + when,
		Report: milestone.Report{Milestone: m, Stop: stop, Source: milestone.EDI}, Occurred: eventtime.Given(at(when), ""),
	}
}

func owed(t *testing.T, tariff rating.Tariff, claims ...milestone.Claim) []detention.Due {
	t.Helper()
	out, err := detention.Owed(shared(), milestone.Fold(claims), tariff)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOwed(t *testing.T) {
	arrived := claim(milestone.ArrivedDelivery, 3, "2026-03-12T14:05:00Z")
	departed := func(when string) milestone.Claim { return claim(milestone.DepartedDelivery, 3, when) }
	for _, x := range []struct {
		name   string
		claims []milestone.Claim
		want   string // amount; "" where nothing can be said
	}{
		{"scenario 17: 185 minutes", []milestone.Claim{arrived, departed("2026-03-12T17:10:00Z")}, "90.00"},
		{"no departure", []milestone.Claim{arrived}, ""},
		{"handed over is not departed", []milestone.Claim{arrived, claim(milestone.Delivered, 3, "2026-03-12T18:00:00Z")}, ""},
		{"no arrival", []milestone.Claim{departed("2026-03-12T17:10:00Z")}, ""},
		{"waiting at the pick-up (scenario 09)", []milestone.Claim{claim(milestone.ArrivedPickup, 1, "2026-03-11T12:00:00Z"),
			claim(milestone.DepartedPickup, 1, "2026-03-11T20:00:00Z")}, ""},
		{"the free time exactly", []milestone.Claim{arrived, departed("2026-03-12T16:05:00Z")}, "0.00"},
		{"a minute more", []milestone.Claim{arrived, departed("2026-03-12T16:06:00Z")}, "30.00"},
		{"two half hours exactly", []milestone.Claim{arrived, departed("2026-03-12T17:05:00Z")}, "60.00"},
		{"days, but not more than the cap", []milestone.Claim{arrived, departed("2026-03-14T17:05:00Z")}, "480.00"},
		{"early: it waits from the appointment", []milestone.Claim{claim(milestone.ArrivedDelivery, 3, "2026-03-12T11:00:00Z"),
			departed("2026-03-12T15:30:00Z")}, "30.00"},
		{"early, and gone before the appointment", []milestone.Claim{claim(milestone.ArrivedDelivery, 3, "2026-03-12T11:00:00Z"),
			departed("2026-03-12T12:30:00Z")}, "0.00"},
		{"departed before it arrived", []milestone.Claim{arrived, departed("2026-03-12T14:00:00Z")}, "0.00"},
		{"a corrected departure", []milestone.Claim{arrived, departed("2026-03-12T17:10:00Z"), departed("2026-03-12T17:40:00Z")}, "120.00"},
	} {
		for range 2 { // the order in which they come is nothing
			slices.Reverse(x.claims)
			got := owed(t, tariff(), x.claims...)
			switch {
			case x.want == "":
				if len(got) != 0 {
					t.Errorf("%s: %+v is due, want nothing", x.name, got)
				}
			case len(got) != 1 || got[0].Charge.Amount != money.MustParse(x.want, "USD") || got[0].Charge.Code != "DET" || got[0].Stop.Sequence != 3:
				t.Errorf("%s: %+v is due, want DET %s at stop 3", x.name, got, x.want)
			}
		}
	}
	free := tariff()
	free.Detention = nil
	if got := owed(t, free, arrived, departed("2026-03-12T17:10:00Z")); len(got) != 0 {
		t.Errorf("without terms %+v is due, want nothing", got)
	}
	broken := tariff()
	broken.LineHaul = nil
	if got, err := detention.Owed(shared(), milestone.Fold([]milestone.Claim{arrived, departed("2026-03-12T17:10:00Z")}), broken); err == nil {
		t.Errorf("by an unusable tariff %+v is due, want an error", got)
	}
}

// Who doubts the charge reads which claims prove it.
func TestEvidence(t *testing.T) {
	got := owed(t, tariff(), claim(milestone.ArrivedDelivery, 3, "2026-03-12T14:05:00Z"), claim(milestone.DepartedDelivery, 3, "2026-03-12T17:10:00Z"))[0]
	const want = "stop 3: appointment 2026-03-12T13:00:00Z, " +
		"arrived 2026-03-12T14:05:00Z (loads/load_1/claims/ARRIVED_DELIVERY2026-03-12T14:05:00Z), " +
		"departed 2026-03-12T17:10:00Z (loads/load_1/claims/DEPARTED_DELIVERY2026-03-12T17:10:00Z): waited 185 min, 120 min free"
	if got.Evidence != want {
		t.Errorf("evidence %q\nwant %q", got.Evidence, want)
	}
	if want := "Detention at stop 3, 1.5 h at 60.00"; got.Charge.Description != want {
		t.Errorf("description %q, want %q", got.Charge.Description, want)
	}
	if !strings.Contains(got.Why.Rule, "hourly rate") || got.Why.Value != "90.00 USD" {
		t.Errorf("why %+v, want the rule and 90.00 USD", got.Why)
	}
}

// An amount is news once: when it is first owed, and when it is another one.
func TestChanged(t *testing.T) {
	arrived, departed := claim(milestone.ArrivedDelivery, 3, "2026-03-12T14:05:00Z"), claim(milestone.DepartedDelivery, 3, "2026-03-12T17:10:00Z")
	known := []milestone.Claim{arrived, departed}
	for _, x := range []struct {
		name          string
		before, after []milestone.Claim
		want          []string
	}{
		{"proven", known[:1], known, []string{"90.00"}},
		{"another claim", known, append(slices.Clone(known), claim(milestone.Delivered, 3, "2026-03-12T16:40:00Z")), nil},
		{"corrected, and the same half hour", known, append(slices.Clone(known), claim(milestone.DepartedDelivery, 3, "2026-03-12T17:30:00Z")), nil},
		{"corrected upwards", known, append(slices.Clone(known), claim(milestone.DepartedDelivery, 3, "2026-03-12T17:40:00Z")), []string{"120.00"}},
		{"corrected away", known, append(slices.Clone(known), claim(milestone.ArrivedDelivery, 3, "2026-03-12T16:00:00Z")), []string{"0.00"}},
		{"within the free time from the beginning", []milestone.Claim{arrived},
			[]milestone.Claim{arrived, claim(milestone.DepartedDelivery, 3, "2026-03-12T15:00:00Z")}, nil},
		{"at another stop", known, append(slices.Clone(known), claim(milestone.ArrivedDelivery, 2, "2026-03-11T13:00:00Z"),
			claim(milestone.DepartedDelivery, 2, "2026-03-11T15:30:00Z")), []string{"30.00"}},
	} {
		var got []string
		for _, d := range detention.Changed(owed(t, tariff(), x.before...), owed(t, tariff(), x.after...)) {
			got = append(got, d.Charge.Amount.String())
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: told %v, want %v", x.name, got, x.want)
		}
	}
}
