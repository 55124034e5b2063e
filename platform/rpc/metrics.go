package rpc

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are a server's. Method names are those of known methods alone, so labels stay few.
type metrics struct {
	calls    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer, more ...prometheus.Collector) (*metrics, error) {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "crossdock_rpc_calls_total", Help: "Calls answered, by method, gRPC code and reason; the reason is empty for OK.",
		}, []string{"method", "code", "reason"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "crossdock_rpc_seconds", Help: "Time to answer a call; for a stream, its life.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "crossdock_rpc_in_flight", Help: "Calls and streams being served.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range append(more, m.calls, m.seconds, m.inFlight) {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}
