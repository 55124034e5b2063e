package serve

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"crossdock.dev/platform/telemetry"
)

// collect registers readiness, and the metrics of those parts of the service that have some: its store, the logs it follows,
// what its loops step, and its HTTP handler. Those that can export spans are told where to.
func (r *runner) collect() error {
	ready := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "crossdock_ready", Help: "1 while the service takes work, as /readyz says.",
	}, func() float64 {
		if r.ready() != nil {
			return 0
		}
		return 1
	})
	r.clock = newClockWatch(r.Log)
	parts := []any{ready, r.clock.counted, r.connections.open, r.connections.refused, r.Own, r.Waiter, r.HTTP}
	for _, l := range r.Loops {
		parts = append(parts, l.Stepper)
	}
	for _, p := range parts {
		if e, ok := p.(interface{ Export(*telemetry.Spans) }); ok && r.spans != nil {
			e.Export(r.spans)
		}
		if c, ok := p.(prometheus.Collector); ok {
			if err := r.Registry.Register(c); err != nil {
				return fmt.Errorf("register metrics: %w", err)
			}
		}
	}
	return nil
}
