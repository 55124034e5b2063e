package front

import (
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the door is seen by. Neither partners nor paths are labels: both would grow without bound.
type metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newMetrics() *metrics {
	return &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "crossdock_edge_calls_total", Help: "Calls of partners, by class of the partner, service and HTTP status.",
		}, []string{"class", "service", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "crossdock_edge_seconds", Help: "Time to answer a partner's call, by service; empty for what the door answers itself.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"service"}),
	}
}

func (m *metrics) observe(c *call, took time.Duration) {
	class := c.class
	if class == "" {
		class = "none" // nobody known, or a document that anyone may read
	}
	m.calls.WithLabelValues(class, c.service, strconv.Itoa(c.status)).Inc()
	m.seconds.WithLabelValues(c.service).Observe(took.Seconds())
}

// classOf is what kind of partner a key is for: its first role by name.
func classOf(roles []string) string {
	if len(roles) == 0 {
		return "none"
	}
	return slices.Min(roles)
}

var _ prometheus.Collector = (*Handler)(nil)

// Describe names the door's metrics.
func (h *Handler) Describe(ch chan<- *prometheus.Desc) {
	h.metrics.calls.Describe(ch)
	h.metrics.seconds.Describe(ch)
}

// Collect gives the door's metrics.
func (h *Handler) Collect(ch chan<- prometheus.Metric) {
	h.metrics.calls.Collect(ch)
	h.metrics.seconds.Collect(ch)
}
