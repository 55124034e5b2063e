package promise_test

import (
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
	_ "time/tzdata"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/promise"
)

func instant(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func newCalendar(t *testing.T, zone, days, from, to string) calendar.Calendar {
	t.Helper()
	week, err := calendar.ParseWeekdays(days)
	if err != nil {
		t.Fatal(err)
	}
	c, err := calendar.New(calendar.Spec{
		Zone: zone, WorkingDays: week, From: calendar.MustParseTimeOfDay(from), To: calendar.MustParseTimeOfDay(to),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ruleOf(t *testing.T, shipFrom string) promise.Rule {
	t.Helper()
	shipping := newCalendar(t, "America/New_York", "Mon-Fri", "06:00", "21:00")
	if shipFrom == "LOC-VEN" {
		shipping = newCalendar(t, "Europe/Amsterdam", "Mon-Fri", "07:00", "18:00")
	}
	return promise.Rule{
		CutOff: calendar.MustParseTimeOfDay("14:00"), PickupFrom: calendar.MustParseTimeOfDay("08:00"),
		PickupTo: calendar.MustParseTimeOfDay("16:00"), LatestDelivery: calendar.MustParseTimeOfDay("17:00"), Shipping: shipping,
	}
}

// Every order of the demonstration day that ships by the rule.
func TestDayShipDates(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", "orders.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 44 {
		t.Fatalf("read %d lines, want 44", len(all))
	}
	for _, r := range all[1:] {
		transit, err := strconv.Atoi(r[3])
		if err != nil {
			t.Fatal(err)
		}
		p, err := promise.Make(ruleOf(t, r[2]), promise.Request{
			Confirmed: instant(t, r[1]), TransitDays: transit, ShipTo: newCalendar(t, r[4], r[5], r[6], r[7]),
		})
		if err != nil || p.ShipDate.String() != r[8] {
			t.Errorf("%s confirmed %s: got ship date %s, %v; want %s", r[0], r[1], p.ShipDate, err, r[8])
		}
	}
}

func TestPromise(t *testing.T) {
	solon := newCalendar(t, "America/New_York", "Mon-Fri", "08:00", "17:00")
	indianapolis := newCalendar(t, "America/Indiana/Indianapolis", "Mon-Fri", "07:00", "16:00")
	nashville := newCalendar(t, "America/Chicago", "Mon-Sun", "06:00", "18:00")
	rule := ruleOf(t, "LOC-CMH")
	for _, c := range []struct {
		name                                string
		q                                   promise.Request
		ship, pickup, pickupTo, from, until string
	}{
		{
			"the first order: cut-off not passed, one day",
			promise.Request{Confirmed: instant(t, "2026-03-02T11:05:00Z"), TransitDays: 1, ShipTo: solon},
			"2026-03-03", "2026-03-03T13:00:00Z", "2026-03-03T21:00:00Z", "2026-03-04T13:00:00Z", "2026-03-04T22:00:00Z",
		},
		{
			"three days: Friday 17:00",
			promise.Request{Confirmed: instant(t, "2026-03-02T11:30:00Z"), TransitDays: 3, ShipTo: solon},
			"2026-03-03", "2026-03-03T13:00:00Z", "2026-03-03T21:00:00Z", "2026-03-06T13:00:00Z", "2026-03-06T22:00:00Z",
		},
		{
			"after the cut-off on Friday, over the change to DST; closes at 16:00",
			promise.Request{Confirmed: instant(t, "2026-03-06T21:00:00Z"), TransitDays: 1, ShipTo: indianapolis},
			"2026-03-10", "2026-03-10T12:00:00Z", "2026-03-10T20:00:00Z", "2026-03-11T11:00:00Z", "2026-03-11T20:00:00Z",
		},
		{
			"closes at 18:00, promised by 17:00 CDT",
			promise.Request{Confirmed: instant(t, "2026-03-10T14:00:00Z"), TransitDays: 1, ShipTo: nashville},
			"2026-03-11", "2026-03-11T12:00:00Z", "2026-03-11T20:00:00Z", "2026-03-12T11:00:00Z", "2026-03-12T22:00:00Z",
		},
		{
			"a second before the cut-off",
			promise.Request{Confirmed: instant(t, "2026-03-03T18:59:59Z"), TransitDays: 1, ShipTo: solon},
			"2026-03-04", "2026-03-04T13:00:00Z", "2026-03-04T21:00:00Z", "2026-03-05T13:00:00Z", "2026-03-05T22:00:00Z",
		},
		{
			"at the cut-off",
			promise.Request{Confirmed: instant(t, "2026-03-03T19:00:00Z"), TransitDays: 1, ShipTo: solon},
			"2026-03-05", "2026-03-05T13:00:00Z", "2026-03-05T21:00:00Z", "2026-03-06T13:00:00Z", "2026-03-06T22:00:00Z",
		},
		{
			"on a Saturday morning: the working day after the next",
			promise.Request{Confirmed: instant(t, "2026-03-07T13:00:00Z"), TransitDays: 1, ShipTo: solon},
			"2026-03-10", "2026-03-10T12:00:00Z", "2026-03-10T20:00:00Z", "2026-03-11T12:00:00Z", "2026-03-11T21:00:00Z",
		},
		{
			"named appointments on a weekend",
			promise.Request{
				Confirmed: instant(t, "2026-03-05T14:00:00Z"), TransitDays: 1, ShipTo: nashville,
				PickupAppointment: instant(t, "2026-03-07T23:00:00Z"), DeliveryAppointment: instant(t, "2026-03-08T13:00:00Z"),
			},
			"2026-03-07", "2026-03-07T23:00:00Z", "2026-03-07T23:00:00Z", "2026-03-08T13:00:00Z", "2026-03-08T13:00:00Z",
		},
		{
			"a named pick-up alone: transit counts from its date",
			promise.Request{
				Confirmed: instant(t, "2026-03-05T14:00:00Z"), TransitDays: 1, ShipTo: solon, PickupAppointment: instant(t, "2026-03-07T23:00:00Z"),
			},
			"2026-03-07", "2026-03-07T23:00:00Z", "2026-03-07T23:00:00Z", "2026-03-09T12:00:00Z", "2026-03-09T21:00:00Z",
		},
		{
			"the ship-to is closed on the day of arrival",
			promise.Request{
				Confirmed: instant(t, "2026-03-02T14:00:00Z"), TransitDays: 1, ShipTo: newCalendar(t, "America/New_York", "Mon-Tue,Fri", "09:00", "12:00"),
			},
			"2026-03-03", "2026-03-03T13:00:00Z", "2026-03-03T21:00:00Z", "2026-03-06T14:00:00Z", "2026-03-06T17:00:00Z",
		},
	} {
		p, err := promise.Make(rule, c.q)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := [5]string{p.ShipDate.String()}
		for i, at := range []time.Time{p.PickupFrom, p.PickupTo, p.DeliveryFrom, p.DeliverUntil} {
			got[i+1] = at.Format(time.RFC3339)
		}
		if want := [5]string{c.ship, c.pickup, c.pickupTo, c.from, c.until}; got != want {
			t.Errorf("%s:\n got  %v\n want %v", c.name, got, want)
		}
	}
}

func TestRefused(t *testing.T) {
	confirmed := instant(t, "2026-03-05T14:00:00Z")
	solon := newCalendar(t, "America/New_York", "Mon-Fri", "08:00", "17:00")
	for name, c := range map[string]struct {
		q    promise.Request
		want error
	}{
		"negative transit":           {promise.Request{Confirmed: confirmed, TransitDays: -1, ShipTo: solon}, promise.ErrTransit},
		"pick-up before order":       {promise.Request{Confirmed: confirmed, ShipTo: solon, PickupAppointment: confirmed.Add(-time.Second)}, promise.ErrAppointment},
		"delivery before pick-up":    {promise.Request{Confirmed: confirmed, ShipTo: solon, DeliveryAppointment: confirmed}, promise.ErrAppointment},
		"a ship-to that never opens": {promise.Request{Confirmed: confirmed, TransitDays: 1}, calendar.ErrNoHours},
	} {
		if p, err := promise.Make(ruleOf(t, "LOC-CMH"), c.q); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, %v; want %v", name, p, err, c.want)
		}
	}
}
