package measure

import (
	"context"
	"errors"
	"fmt"

	"crossdock.dev/bench/internal/load"
	"crossdock.dev/bench/internal/machine"
	"crossdock.dev/bench/internal/report"
)

// idleMemory reads how much memory the whole suite holds after its start and a time of quiet.
func idleMemory(ctx context.Context, r *runner) (err error) {
	if err := r.reset(); err != nil {
		return err
	}
	run, err := r.Home.Up(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Stop()) }()
	m := meter{servers: servers(run)}
	if err := m.begin(); err != nil {
		return err
	}
	if err := load.Pause(ctx, r.Quiet); err != nil {
		return err
	}
	if err := m.end(); err != nil {
		return err
	}
	f := report.Figure{Name: "idle-memory", Variant: fmt.Sprintf("quiet=%v", r.Quiet), More: map[string]float64{}, Servers: m.names(), Ops: 1}
	for _, p := range run.Programs() {
		held, err := machine.Anonymous(p.PID)
		if err != nil {
			return err
		}
		f.More[p.Name+"-MiB"] = float64(held) / (1 << 20)
		f.Rate += float64(held) / (1 << 20)
	}
	f.CPU, _ = m.perOp(uint64(max(1, r.Quiet.Seconds())))
	return r.found(f)
}
