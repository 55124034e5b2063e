package process

import (
	"testing"
	"time"

	"crossdock.dev/kernel/calendar"
)

// The office is open from nine to five in Chicago; 2026-03-06 is a Friday, 2026-03-09 a Monday and a holiday, the clocks change between.
func TestDue(t *testing.T) {
	office, err := calendar.New(calendar.Spec{
		ID: "finance", Zone: "America/Chicago", WorkingDays: []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday},
		From: calendar.MustParseTimeOfDay("09:00"), To: calendar.MustParseTimeOfDay("17:00"), Holidays: []calendar.Date{calendar.MustParseDate("2026-03-09")},
	})
	if err != nil {
		t.Fatal(err)
	}
	limits := Limits{
		Reasons: map[Reason]time.Duration{FeedSilent: 2 * time.Hour, MessageParked: 0, FreightBillRejected: 12 * time.Hour},
		Teams:   map[string]time.Duration{Operations: 4 * time.Hour, Finance: 3 * time.Hour, Integration: 4 * time.Hour},
		Hours:   map[string]calendar.Calendar{Finance: office},
	}
	friday := time.Date(2026, 3, 6, 22, 0, 0, 0, time.UTC) // 16:00 in Chicago
	for _, x := range []struct {
		reason Reason
		owner  string
		want   string // empty is no clock
	}{
		{FeedSilent, Operations, "2026-03-07T00:00:00Z"},        // by the reason
		{DeliveryException, Operations, "2026-03-07T02:00:00Z"}, // by the team
		{MessageParked, Integration, ""},                        // the reason's row says none
		{ItemUnknown, MasterData, ""},                           // no row at all
		{FreightBillUnmatched, Finance, "2026-03-10T16:00:00Z"}, // an hour on Friday, two on Tuesday from 14:00Z
		{FreightBillRejected, Finance, "2026-03-11T17:00:00Z"},  // 1 + 8 hours, and three on Wednesday
		{FreightBillUnmatched, "somebody else", ""},             // a team that nobody has heard of
		{FeedSilent, "somebody else", "2026-03-07T00:00:00Z"},   // whoever owns it
	} {
		got := limits.Due(Item{Reason: x.reason, Owner: x.owner}, friday)
		if want := moment(t, x.want); !got.Equal(want) {
			t.Errorf("%s of %s is due %s, want %q", x.reason, x.owner, got, x.want)
		}
	}
}

func moment(t *testing.T, s string) time.Time {
	t.Helper()
	if s == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Every state of a work item with every verb.
func TestItemTable(t *testing.T) {
	limits := Limits{Teams: map[string]time.Duration{Operations: 4 * time.Hour, Finance: 24 * time.Hour}}
	item := Item{Reason: FreightBillOverTolerance, Owner: Operations, Subject: "freightBills/fbl_1", Detail: "A4"}
	due, late := start.Add(4*time.Hour), start.Add(5*time.Hour)
	open := Begin("wki_1", item, limits, start)
	if open.DueTime != due || open.State != Open || !open.Ticks() {
		t.Fatalf("opened: due %s, state %d", open.DueTime, open.State)
	}
	overdue, changed := open.Overrun(due)
	if !changed || overdue.OverdueTime != due || overdue.Owner != Operations || overdue.State != Open || overdue.Ticks() {
		t.Fatalf("at its due time: %+v", overdue)
	}
	closed, _ := open.Close("user/dev", "done", start)
	lateClosed, _ := overdue.Close("user/dev", "done", late)
	unclocked := Begin("wki_2", Item{Owner: Integration}, limits, start)

	words, owner := item, item
	words.Detail, owner.Owner = "A4, A8", Finance
	for _, x := range []struct {
		name                               string
		item                               WorkItem
		close, same, words, owner, overrun bool // which verbs change it, at a late hour
	}{
		{"open", open, true, false, true, true, true},
		{"open, overdue", overdue, true, false, true, true, false},
		{"closed in time", closed, false, false, false, false, false},
		{"closed late", lateClosed, false, false, false, false, false},
		{"without a clock", unclocked, true, true, true, true, false},
	} {
		verb := func(verb string, after WorkItem, changed, want bool) {
			t.Helper()
			if changed != want {
				t.Errorf("%s: %s changed it: %t, want %t", x.name, verb, changed, want)
			}
			if !changed && after.OverdueTime != x.item.OverdueTime {
				t.Errorf("%s: %s moved its overdue time", x.name, verb)
			}
		}
		after, changed := x.item.Close("user/dev", "", late)
		verb("close", after, changed, x.close)
		after, changed = x.item.Follow(item, limits, late)
		verb("the same again", after, changed, x.same)
		after, changed = x.item.Follow(words, limits, late)
		verb("other words", after, changed, x.words)
		if x.item.Owner == Operations && (after.DueTime != x.item.DueTime || after.OverdueTime != x.item.OverdueTime) {
			t.Errorf("%s: other words moved its clock", x.name)
		}
		after, changed = x.item.Follow(owner, limits, late)
		verb("another owner", after, changed, x.owner)
		if changed && (after.DueTime != late.Add(24*time.Hour) || !after.OverdueTime.IsZero() || after.CreateTime != start) {
			t.Errorf("%s: with another owner due %s, overdue %s, want a clock of its own", x.name, after.DueTime, after.OverdueTime)
		}
		after, changed = x.item.Overrun(late)
		verb("overrun", after, changed, x.overrun)
	}
	if _, changed := open.Overrun(due.Add(-time.Nanosecond)); changed {
		t.Error("overdue before its due time")
	}
}

// What freight takes too long for, and what it does not take too long for.
func TestSteps(t *testing.T) {
	plan, offer := Overran{PlanShipment, 15 * time.Minute}, Overran{TenderLoad, 15 * time.Minute}
	out := Next(begin(), plan, start)
	if out.Changed || len(out.Open) != 1 || out.Open[0].Reason != PlanningOverdue || out.Open[0].Owner != Operations ||
		out.Open[0].Detail != "plan-shipment took longer than 15m. It waits for freight to plan the shipment." {
		t.Errorf("no plan: %+v", out.Open)
	}
	if first := Start("prc_1", Released{}, start); first.Watch != PlanShipment || first.WatchFrom != start {
		t.Errorf("released: watches %q from %s", first.Watch, first.WatchFrom)
	}
	shared := Planned{Shipment: "shipments/shp_1", Load: "loads/load_1", JoinUntil: start.Add(5 * time.Minute)}
	out = Next(begin(), shared, start)
	if out.Unwatch != PlanShipment || out.Watch != TenderLoad || out.WatchFrom != shared.JoinUntil {
		t.Errorf("planned on a load that others may join: watches %q instead of %q from %s", out.Watch, out.Unwatch, out.WatchFrom)
	}
	if late := Next(begin(), shared, start.Add(time.Hour)); late.WatchFrom != start.Add(time.Hour) {
		t.Errorf("planned when nobody may join any more: watches from %s", late.WatchFrom)
	}
	asked, _ := run(begin(), events[0])
	if out = Next(asked, offer, start); len(out.Open) != 1 || out.Open[0].Reason != TenderingOverdue {
		t.Errorf("not offered: opens %v", out.Open)
	}
	for _, e := range []Event{events[1], events[2], events[8], events[12], Refused{Command{TenderLoad, "loads/load_1"}, "no guide"}} {
		out := Next(asked, e, start)
		if out.Unwatch != TenderLoad || out.Watch != "" {
			t.Errorf("%s: watches %q instead of %q, want nothing", e.describe(), out.Watch, out.Unwatch)
		}
		if again := Next(out.Process, offer, start); len(again.Open) != 0 {
			t.Errorf("%s before the limit was told: opens %v", e.describe(), again.Open)
		}
	}
	stuck, _ := run(asked, Refused{Command{TenderLoad, "loads/load_1"}, "no guide"})
	if out = Next(stuck, SentAgain{}, start); out.Watch != TenderLoad {
		t.Errorf("sent again: watches %q, want %s", out.Watch, TenderLoad)
	}
}

func TestInWords(t *testing.T) {
	for want, d := range map[string]time.Duration{"15m": 15 * time.Minute, "2h": 2 * time.Hour, "1h30m": 90 * time.Minute, "1m30s": 90 * time.Second, "10s": 10 * time.Second} {
		if got := inWords(d); got != want {
			t.Errorf("%s in words is %q, want %q", d, got, want)
		}
	}
}
