package tasks

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/store"
)

// The outcomes of an attempt.
const (
	attemptDone    = "done"
	attemptRefused = "refused" // it is repeated
	attemptFailed  = "failed"
	attemptInDoubt = "in_doubt"
)

func newAttempts(handlers map[string]Handler) *prometheus.CounterVec {
	attempts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "crossdock_tasks_attempts_total", Help: "Attempts at tasks, by kind and outcome: done, refused (and repeated), failed or in_doubt.",
	}, []string{"kind", "outcome"})
	for kind := range handlers {
		attempts.WithLabelValues(kind, attemptDone) // shown as 0 from the start
	}
	return attempts
}

var (
	tasksDesc     = prometheus.NewDesc("crossdock_tasks", "Tasks that are not done, by state: later (not due yet), due, failed or in_doubt; the last two wait for a person.", []string{"state"}, nil)
	oldestDueDesc = prometheus.NewDesc("crossdock_tasks_oldest_due_seconds", "How long ago, in business time, the first task that is due and not done came due; 0 when none is.", nil, nil)
)

var _ prometheus.Collector = (*Runner)(nil)

// Describe names the metrics of the tasks.
func (r *Runner) Describe(ch chan<- *prometheus.Desc) {
	r.attempts.Describe(ch)
	ch <- tasksDesc
	ch <- oldestDueDesc
}

// Collect gives the metrics of the tasks, at the business time of the last Step.
func (r *Runner) Collect(ch chan<- prometheus.Metric) {
	r.attempts.Collect(ch)
	r.mu.Lock()
	now := r.now
	r.mu.Unlock()
	counts := map[string]int{"later": 0, "due": 0, attemptFailed: 0, attemptInDoubt: 0}
	oldest := now
	err := r.c.Store.View(context.Background(), func(rd store.Reader) error {
		return store.Each(context.Background(), rd, store.Tasks, nil, func(kv store.KV) error {
			rec := &storagev1.TaskRecord{}
			if err := proto.Unmarshal(kv.Value, rec); err != nil {
				return err
			}
			due := time.Time{}
			if rec.DueTime != nil {
				due = rec.DueTime.AsTime()
			}
			switch {
			case rec.State == eventlogv1.Task_FAILED:
				counts[attemptFailed]++
			case rec.State == eventlogv1.Task_IN_DOUBT:
				counts[attemptInDoubt]++
			case due.After(now):
				counts["later"]++
			default:
				counts["due"]++
				if !due.IsZero() && due.Before(oldest) {
					oldest = due
				}
			}
			return nil
		})
	})
	if err != nil {
		return // the store is closed: there is nothing to count any more
	}
	for state, n := range counts {
		ch <- prometheus.MustNewConstMetric(tasksDesc, prometheus.GaugeValue, float64(n), state)
	}
	ch <- prometheus.MustNewConstMetric(oldestDueDesc, prometheus.GaugeValue, now.Sub(oldest).Seconds())
}
