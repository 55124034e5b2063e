package store

import (
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what a store is seen by. A Store is a prometheus.Collector: whoever serves it registers it.
type metrics struct {
	commits   prometheus.Counter
	changes   *prometheus.CounterVec
	perCommit prometheus.Histogram
	seconds   prometheus.Histogram
	full      prometheus.Counter
}

// What became of a change, as the label outcome says it.
const (
	changeMade     = "made"
	changeRepeated = "repeated"
	changeRefused  = "refused"
)

func newMetrics() *metrics {
	m := &metrics{
		commits: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "crossdock_store_commits_total", Help: "Commits that are on the disk.",
		}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "crossdock_store_changes_total", Help: "Changes that were asked for, by outcome: made, repeated (an answer was given again) or refused.",
		}, []string{"outcome"}),
		perCommit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "crossdock_store_commit_changes", Help: "Changes that shared a commit.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024},
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "crossdock_store_commit_seconds", Help: "Time to write a commit and have it on the disk (fdatasync), without the changes' own work.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}),
		full: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "crossdock_store_full_total", Help: "Commits refused because there was no space.",
		}),
	}
	for _, outcome := range []string{changeMade, changeRepeated, changeRefused} {
		m.changes.WithLabelValues(outcome) // shown as 0 from the start
	}
	return m
}

// made counts a batch whose commit is on the disk, or needed none.
func (m *metrics) made(batch []*Pending, entries uint64) {
	var repeated, refused float64
	for _, p := range batch {
		switch {
		case p.err != nil:
			refused++
		case p.outcome.Repeated:
			repeated++
		}
	}
	m.changes.WithLabelValues(changeRepeated).Add(repeated)
	m.changes.WithLabelValues(changeRefused).Add(refused)
	if entries > 0 {
		m.changes.WithLabelValues(changeMade).Add(float64(entries))
		m.commits.Inc()
		m.perCommit.Observe(float64(entries))
	}
}

// verified is what the last check of the running store found.
type verified struct {
	at       time.Time // machine time; zero before the first
	breaches int
}

var (
	positionDesc = prometheus.NewDesc("crossdock_store_log_position", "Sequence of the last entry of the own log.", nil, nil)
	bytesDesc    = prometheus.NewDesc("crossdock_store_bytes", "Size of the store's file.", nil, nil)
	readyDesc    = prometheus.NewDesc("crossdock_store_ready", "1 while the store takes changes.", nil, nil)
	verifyDesc   = prometheus.NewDesc("crossdock_store_verify_timestamp_seconds", "When the running store was last checked to the end, Unix time; 0 before the first time since the start.", nil, nil)
	breachesDesc = prometheus.NewDesc("crossdock_store_verify_breaches", "Breaches that the last check found.", nil, nil)
)

var _ prometheus.Collector = (*Store)(nil)

// Describe names the store's metrics.
func (s *Store) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range s.metrics.all() {
		c.Describe(ch)
	}
	for _, d := range []*prometheus.Desc{positionDesc, bytesDesc, readyDesc, verifyDesc, breachesDesc} {
		ch <- d
	}
}

// Collect gives the store's metrics.
func (s *Store) Collect(ch chan<- prometheus.Metric) {
	for _, c := range s.metrics.all() {
		c.Collect(ch)
	}
	gauge := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	gauge(positionDesc, float64(s.Last().Sequence))
	if info, err := os.Stat(s.path); err == nil {
		gauge(bytesDesc, float64(info.Size()))
	}
	ready := 0.0
	if s.Ready() == nil {
		ready = 1
	}
	gauge(readyDesc, ready)
	s.mu.Lock()
	v := s.verified
	s.mu.Unlock()
	at := 0.0
	if !v.at.IsZero() {
		at = float64(v.at.Unix())
	}
	gauge(verifyDesc, at)
	gauge(breachesDesc, float64(v.breaches))
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.commits, m.changes, m.perCommit, m.seconds, m.full}
}
