package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"crossdock.dev/bench/internal/limits"
	"crossdock.dev/bench/internal/load"
	"crossdock.dev/bench/internal/report"
	"crossdock.dev/bench/internal/suite"
)

// grow starts masterdata and orders on the store that the grow before left, or on a fresh one.
func (r *runner) grow(ctx context.Context) (*suite.Running, *orderCalls, suite.Conns, error) {
	if r.grown == 0 {
		return r.ordersAlone(ctx)
	}
	run, err := r.Home.Only(ctx, "masterdata", "orders")
	if err != nil {
		return nil, nil, nil, err
	}
	conns, err := run.Dial(r.Conns, "orders", adapter)
	if err != nil {
		return nil, nil, nil, errors.Join(err, run.Stop())
	}
	return run, newOrderCalls(conns), conns, nil
}

// grownBy ends a grow: the orders made must be there.
func (r *runner) grownBy(run *suite.Running, calls *orderCalls, conns suite.Conns) error {
	err := errors.Join(conns.Close(), run.Stop())
	r.grown += calls.made.Load()
	if err != nil {
		return err
	}
	return r.checkOrders(r.grown)
}

// costAtSize compares what an order costs in a small store and in a large one.
func costAtSize(ctx context.Context, r *runner) error {
	run, calls, conns, err := r.ordersAlone(ctx)
	if err != nil {
		return err
	}
	fill := func(upTo uint64) error {
		r.progress("filling the store with %d orders", upTo)
		_, err := load.Run(ctx, load.Plan{Workers: r.Callers, Count: upTo - calls.made.Load()}, calls.create)
		calls.run = newRun()
		return err
	}
	at := func(size uint64) (f report.Figure, err error) {
		if err := fill(size); err != nil {
			return f, err
		}
		f, _, err = r.measured(ctx, "cost-at-size", fmt.Sprintf("orders=%d", size), load.Plan{Workers: r.Callers, Count: r.SizeOps}, servers(run, "orders"), calls.create)
		calls.run = newRun()
		return f, err
	}
	small, err := at(r.SmallStore)
	if err == nil {
		var large report.Figure
		if large, err = at(r.LargeStore); err == nil {
			ratio := large.CPU / small.CPU
			large.Ratio, large.Against = &ratio, "cpu_us at "+small.Variant
			large.More = map[string]float64{"small-cpu-us": small.CPU, "small-ops/s": small.Rate}
			err = r.found(large)
		}
	}
	return errors.Join(err, r.grownBy(run, calls, conns))
}

// fileOf grows the store of orders to a size and returns its path. Nothing runs on it then.
func (r *runner) fileOf(ctx context.Context, size Size) (string, error) {
	path := filepath.Join(r.Home.Data("orders"), "orders.db")
	enough := func() bool {
		info, err := os.Stat(path)
		return err == nil && info.Size() >= size.Bytes
	}
	if r.grown > 0 && enough() {
		return path, nil
	}
	run, calls, conns, err := r.grow(ctx)
	if err != nil {
		return "", err
	}
	r.progress("filling the store to %s", size.Name)
	for err == nil && !enough() {
		_, err = load.Run(ctx, load.Plan{Workers: r.Callers, Count: r.SizeOps}, calls.create)
		calls.run = newRun()
	}
	return path, errors.Join(err, r.grownBy(run, calls, conns))
}

// openSize starts the program of orders on a large store again and again, beside starts on a fresh one.
func openSize(size func(r *runner) (Size, bool)) func(ctx context.Context, r *runner) error {
	return func(ctx context.Context, r *runner) error {
		s, ok := size(r)
		if !ok {
			return nil
		}
		path, err := r.fileOf(ctx, s)
		if err != nil {
			return err
		}
		f, err := r.starts(ctx, "open-"+s.Name)
		if err != nil {
			return err
		}
		if f.More, err = fileSize(path); err != nil {
			return err
		}
		if _, known := r.rates[openFresh]; !known {
			fresh, err := r.onFresh(ctx)
			if err != nil {
				return err
			}
			r.rates[openFresh] = fresh.Rate
			if err := r.found(fresh); err != nil {
				return err
			}
		}
		f.AgainstLimit(openFresh, r.rates[openFresh])
		return r.found(f)
	}
}

// openFresh is the limit of the others: a start on a store with nothing in it.
const openFresh = "open-fresh"

// onFresh starts the program on a fresh store, and puts the large one back.
func (r *runner) onFresh(ctx context.Context) (f report.Figure, err error) {
	data, aside := r.Home.Data("orders"), filepath.Join(r.Home.Dir, "aside")
	if err := errors.Join(os.Rename(data, aside), os.MkdirAll(data, 0o700)); err != nil {
		return f, err
	}
	f, err = r.starts(ctx, openFresh)
	return f, errors.Join(err, os.RemoveAll(data), os.Rename(aside, data))
}

// starts measures from the start of the program until it is ready.
func (r *runner) starts(ctx context.Context, name string) (report.Figure, error) {
	times, f := load.NewTimes(), report.Figure{Name: name, Ops: r.Openings, Servers: []string{"orders"}}
	var sum, used time.Duration
	for range r.Openings {
		begun := time.Now()
		run, err := r.Home.Only(ctx, "orders")
		if err != nil {
			return f, err
		}
		took := time.Since(begun)
		cpu, err := run.CPU()
		if err := errors.Join(err, run.Stop()); err != nil {
			return f, err
		}
		times.Add(0, took)
		sum, used = sum+took, used+cpu
	}
	f.Rate, f.CPU = float64(r.Openings)/sum.Seconds(), float64(used.Microseconds())/float64(r.Openings)
	f.P50, f.P99 = milliseconds(times.Percentile(50)), milliseconds(times.Percentile(99))
	return f, nil
}

// verifySize checks a large store as `orders verify` does, beside a bare walk through the file.
func verifySize(size func(r *runner) (Size, bool)) func(ctx context.Context, r *runner) error {
	return func(ctx context.Context, r *runner) error {
		s, ok := size(r)
		if !ok {
			return nil
		}
		path, err := r.fileOf(ctx, s)
		if err != nil {
			return err
		}
		entries, walked, err := limits.Walk(path)
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, filepath.Join(r.Home.Bin, "orders"), "-config", r.Home.Config("orders"), "verify")
		begun := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("verify: %w\n%s", err, out)
		}
		took := time.Since(begun)
		f := report.Figure{Name: "verify-" + s.Name, Ops: entries, Rate: float64(entries) / took.Seconds(), Servers: []string{"orders verify"}}
		f.P50, f.P99 = milliseconds(took), milliseconds(took)
		f.CPU = float64((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Microseconds()) / float64(entries)
		if f.More, err = fileSize(path); err != nil {
			return err
		}
		f.AgainstLimit("limit-walk", float64(entries)/walked.Seconds())
		return r.found(f)
	}
}

func fileSize(path string) (map[string]float64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return map[string]float64{"MiB": float64(info.Size()) / (1 << 20)}, nil
}
