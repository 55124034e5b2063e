package tender_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/platform/platformtest/golden"

	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/network"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/tender"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func carrier(t *testing.T, zone, from, to string, hours int) network.Carrier {
	t.Helper()
	days, err := calendar.ParseWeekdays("Mon-Fri")
	if err != nil {
		t.Fatal(err)
	}
	c, err := calendar.New(calendar.Spec{
		ID: "CAL", Zone: zone, WorkingDays: days, From: calendar.MustParseTimeOfDay(from), To: calendar.MustParseTimeOfDay(to),
	})
	if err != nil {
		t.Fatal(err)
	}
	return network.Carrier{Name: "parties/CAR-X", Calendar: c, TimeoutHours: hours}
}

// The instants are those of the day's scenarios 01, 02 and 03.
func TestRespondBy(t *testing.T) {
	for _, x := range []struct {
		name, zone, from, to string
		hours                int
		sent, want           string
	}{
		{"before opening", "America/New_York", "08:00", "17:00", 3, "2026-03-02T11:12:00Z", "2026-03-02T16:00:00Z"},
		{"opens an hour later in Chicago", "America/Chicago", "08:00", "17:00", 4, "2026-03-03T13:05:00Z", "2026-03-03T18:00:00Z"},
		{"inside the hours", "America/New_York", "07:00", "18:00", 2, "2026-03-03T14:31:00Z", "2026-03-03T16:31:00Z"},
		{"over the weekend and the change of the clocks", "America/Chicago", "08:00", "17:00", 4, "2026-03-06T21:00:00Z", "2026-03-09T15:00:00Z"},
		{"to the second", "America/New_York", "07:00", "18:00", 2, "2026-03-09T15:00:01Z", "2026-03-09T17:00:01Z"},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := carrier(t, x.zone, x.from, x.to, x.hours)
			got, err := tender.Send("tenders/tnd_1", load.Load{Name: "loads/load_1"}, c, 1, nil, nil, at(x.sent))
			if err != nil {
				t.Fatal(err)
			}
			if !got.RespondBy.Instant.Equal(at(x.want)) || got.RespondBy.Zone != x.zone {
				t.Errorf("respond by %s %s, want %s %s", got.RespondBy.Instant, got.RespondBy.Zone, x.want, x.zone)
			}
		})
	}
}

// The table is walked in time and late, by both policies, with the load open and taken.
func TestTransitions(t *testing.T) {
	var out strings.Builder
	fmt.Fprintln(&out, "| state | verb | when | then |\n|---|---|---|---|")
	by := at("2026-03-09T15:00:00Z")
	for _, from := range tender.States() {
		for _, v := range tender.Verbs() {
			for _, when := range []struct {
				name   string
				now    time.Time
				policy network.LateAccept
				open   bool
			}{
				{"in time", by.Add(-time.Second), network.Reject, true},
				{"late, reject", by, network.Reject, true},
				{"late, allow if open", by, network.AllowIfOpen, true},
				{"late, allow if open, load taken", by, network.AllowIfOpen, false},
			} {
				x := tender.Tender{Name: "tenders/tnd_1", State: from}
				x.RespondBy.Instant = by
				var got tender.Tender
				var err error
				switch v {
				case tender.Accept:
					got, err = x.Accept(when.now, when.policy, when.open)
				case tender.Decline:
					got, err = x.Decline(when.now, tender.Capacity, "")
				case tender.Expire:
					got, err = x.Expire()
				case tender.Withdraw:
					got, err = x.Withdraw()
				}
				then := string(got.State)
				var transition *refusal.TransitionError
				var unmet *refusal.PreconditionError
				switch {
				case errors.As(err, &transition):
					then = "refused"
				case errors.As(err, &unmet):
					then = string(unmet.Reason)
				case err != nil:
					t.Errorf("%s × %s: %v", from, v, err)
				case x.Done(v) != (got.State == from):
					t.Errorf("%s × %s leads to %s, but Done says %t", from, v, got.State, x.Done(v))
				}
				if err != nil && got.State != from {
					t.Errorf("%s × %s was refused and left the offer %s", from, v, got.State)
				}
				fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", from, v, when.name, then)
			}
		}
	}
	golden.Check(t, "transitions.md", []byte(out.String()))
}
