package tasks

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Of five tasks one is done, one refused, one failed, one in doubt, and one is not due yet.
func TestTaskMetrics(t *testing.T) {
	b := newBench(t)
	b.answer = func(_ context.Context, t Task) error {
		switch t.ID {
		case "refused":
			return NotDone(errors.New("away"))
		case "failed":
			return Permanent(errors.New("no"))
		case "doubt":
			return InDoubt(errors.New("lost"))
		}
		return nil
	}
	b.enqueue(Task{ID: "done", Effect: Keyed}, Task{ID: "refused", Effect: Keyed, Due: start.Add(-90 * time.Second)}, Task{ID: "failed", Effect: Keyed},
		Task{ID: "doubt", Effect: Neither}, Task{ID: "later", Effect: Keyed, Due: start.Add(time.Hour)})
	b.drain(start)
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(b.runner)
	want := `
# HELP crossdock_tasks Tasks that are not done, by state: later (not due yet), due, failed or in_doubt; the last two wait for a person.
# TYPE crossdock_tasks gauge
crossdock_tasks{state="due"} 1
crossdock_tasks{state="failed"} 1
crossdock_tasks{state="in_doubt"} 1
crossdock_tasks{state="later"} 1
# HELP crossdock_tasks_attempts_total Attempts at tasks, by kind and outcome: done, refused (and repeated), failed or in_doubt.
# TYPE crossdock_tasks_attempts_total counter
crossdock_tasks_attempts_total{kind="call",outcome="done"} 1
crossdock_tasks_attempts_total{kind="call",outcome="failed"} 1
crossdock_tasks_attempts_total{kind="call",outcome="in_doubt"} 1
crossdock_tasks_attempts_total{kind="call",outcome="refused"} 1
# HELP crossdock_tasks_oldest_due_seconds How long ago, in business time, the first task that is due and not done came due; 0 when none is.
# TYPE crossdock_tasks_oldest_due_seconds gauge
crossdock_tasks_oldest_due_seconds 90
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
