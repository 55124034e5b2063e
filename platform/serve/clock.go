package serve

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"crossdock.dev/platform/clock"
)

// clockWatch tells when the machine's time of day was set while the program runs: certificates, tokens and, where business time
// is the machine's, due times depend on it.
type clockWatch struct {
	steps   clock.Steps
	counted prometheus.Counter
	log     *slog.Logger
}

func newClockWatch(log *slog.Logger) *clockWatch {
	return &clockWatch{log: log, counted: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "crossdock_clock_steps_total", Help: "Times that the machine's time of day was found to have been set by 2 s or more.",
	})}
}

// look is called once a second with the time of day and what has passed since the start.
func (w *clockWatch) look(wall time.Time, passed time.Duration) {
	by := w.steps.Look(wall, passed)
	if by == 0 {
		return
	}
	w.counted.Inc()
	w.log.Error("the machine's clock was stepped", "by_ms", by.Milliseconds())
}

func (w *clockWatch) run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	machine := clock.SystemMachine()
	for begun := machine.Now(); ; {
		now := machine.Now()
		w.look(now, now.Sub(begun))
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
