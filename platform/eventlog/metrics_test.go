package eventlog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"crossdock.dev/platform/clock"
)

// away is a log that does not answer while err is set, and gives no entries while held is.
type away struct {
	Source
	err  *error
	held *bool
}

func (a away) Read(ctx context.Context, after Position, limit int) ([]Entry, Position, error) {
	if *a.err != nil {
		return nil, Position{}, *a.err
	}
	entries, last, err := a.Source.Read(ctx, after, limit)
	if *a.held && len(entries) > 1 {
		entries = entries[:1]
	}
	return entries, last, err
}

// How far behind a reader is stands in entries and in the machine's time, whether the log answers or not.
func TestFeedMetrics(t *testing.T) {
	orders := newService(t, "orders")
	var fault error
	held := true
	b := newService(t, "billing", orders)
	b.wrap = func(s Source) Source { return away{s, &fault, &held} }
	b.follow()
	machine := clock.NewManual(start)
	c := b.consumers["orders"]
	c.c.Machine = machine
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(b.followers)
	step := func() {
		t.Helper()
		if _, err := c.Step(t.Context(), start); err != nil && fault == nil {
			t.Fatal(err)
		}
	}
	want := func(when string, lines ...string) {
		t.Helper()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, f := range families {
			for _, m := range f.GetMetric() {
				all.WriteString(f.GetName())
				for _, l := range m.GetLabel() {
					if l.GetName() != "log" {
						all.WriteString(" " + l.GetValue())
					}
				}
				fmt.Fprintf(&all, " %v\n", m.GetGauge().GetValue()+m.GetCounter().GetValue())
			}
		}
		for _, line := range lines {
			if !strings.Contains(all.String(), "crossdock_feed_"+line+"\n") {
				t.Errorf("%s: no %q in\n%s", when, line, all.String())
			}
		}
	}
	want("before the first look", "position 0", "behind_seconds 0", "failed 0")
	orders.tell("1:k", "2:k", "3:k")
	step()
	machine.Advance(40 * time.Second)
	want("one of three read", "position 1", "behind_entries 2", "behind_seconds 40", "silent_seconds 40", "facts_total applied 1")
	fault = errors.New("nobody answers")
	step()
	machine.Advance(5 * time.Second)
	want("no answer", "failed 1", "behind_entries 2", "behind_seconds 45", "silent_seconds 45")
	fault, held = nil, false
	step()
	want("all read", "position 3", "behind_entries 0", "behind_seconds 0", "silent_seconds 0", "failed 0", "facts_total applied 3", "waiting_facts parked 0")
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}
