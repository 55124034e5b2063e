package eventlog

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// pace is how a consumer keeps up with its log, on machine time. Guarded by Consumer.mu.
type pace struct {
	end    uint64    // last sequence of the log when it was last read
	behind time.Time // since when not all of it has been read; zero when all has
	read   time.Time // when the log last answered; zero before the first time
}

// heard notes that the log answered, and where it ends.
func (c *Consumer) heard(end uint64) {
	now := c.c.Machine.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pace.end, c.pace.read = max(end, c.at.pos.Sequence), now
	switch {
	case c.at.pos.Sequence >= c.pace.end:
		c.pace.behind = time.Time{}
	case c.pace.behind.IsZero():
		c.pace.behind = now
	}
}

var (
	feedLabels    = []string{"log"}
	positionDesc  = prometheus.NewDesc("crossdock_feed_position", "Sequence of the last entry read of a followed log.", feedLabels, nil)
	behindDesc    = prometheus.NewDesc("crossdock_feed_behind_entries", "Entries of a followed log that have not been read.", feedLabels, nil)
	behindForDesc = prometheus.NewDesc("crossdock_feed_behind_seconds", "For how long, in machine time, a followed log has not been read to its end; 0 when it has.", feedLabels, nil)
	silentDesc    = prometheus.NewDesc("crossdock_feed_silent_seconds", "How long ago, in machine time, a followed log last answered; absent until it has once.", feedLabels, nil)
	failedDesc    = prometheus.NewDesc("crossdock_feed_failed", "1 when the last attempt to read a followed log did not come to its end.", feedLabels, nil)
	factsDesc     = prometheus.NewDesc("crossdock_feed_facts_total", "Facts read of a followed log, by what became of them: applied or ignored.", []string{"log", "outcome"}, nil)
	waitingDesc   = prometheus.NewDesc("crossdock_feed_waiting_facts", "Facts of a followed log that wait now: deferred (for another log) or parked (for a person).", []string{"log", "state"}, nil)
)

var _ prometheus.Collector = (*Followers)(nil)

// Describe names the metrics of the followed logs.
func (f *Followers) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{positionDesc, behindDesc, behindForDesc, silentDesc, failedDesc, factsDesc, waitingDesc} {
		ch <- d
	}
}

// Collect gives the metrics of the followed logs.
func (f *Followers) Collect(ch chan<- prometheus.Metric) {
	for _, c := range f.consumers {
		c.collect(ch)
	}
}

func (c *Consumer) collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{c.c.Log}, labels...)...)
	}
	now := c.c.Machine.Now()
	c.mu.Lock()
	at, p, err := c.at.pos.Sequence, c.pace, c.err
	c.mu.Unlock()
	gauge(positionDesc, float64(at))
	gauge(behindDesc, float64(max(p.end, at)-at))
	behind, failed := 0.0, 0.0
	if !p.behind.IsZero() {
		behind = now.Sub(p.behind).Seconds()
	}
	gauge(behindForDesc, behind)
	if !p.read.IsZero() {
		gauge(silentDesc, now.Sub(p.read).Seconds())
	}
	if err != nil {
		failed = 1
	}
	gauge(failedDesc, failed)
	row, err := c.Status(context.Background())
	if err != nil {
		return // the store is closed: there is nothing to count any more
	}
	for outcome, n := range map[string]uint64{"applied": row.Applied, "ignored": row.Ignored} {
		ch <- prometheus.MustNewConstMetric(factsDesc, prometheus.CounterValue, float64(n), c.c.Log, outcome)
	}
	gauge(waitingDesc, float64(row.Deferred), "deferred")
	gauge(waitingDesc, float64(row.Parked), "parked")
}
