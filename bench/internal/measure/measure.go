// Package measure is the benchmarks: each starts the programs that it is about on fresh stores, puts a load on them, checks that
// everything that was acknowledged is there, and says how fast it was beside the limit that was measured in the same run.
package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"

	"crossdock.dev/bench/internal/limits"
	"crossdock.dev/bench/internal/load"
	"crossdock.dev/bench/internal/machine"
	"crossdock.dev/bench/internal/report"
	"crossdock.dev/bench/internal/suite"
)

// Config is how to measure.
type Config struct {
	Home *suite.Home
	// Window is how long each measurement lasts; a fifth of it goes before as a warm-up.
	Window time.Duration
	// Callers wait for answers at the same time, over Conns connections.
	Callers, Conns int
	// Flows are under way at the same time in order-to-cash.
	Flows int
	// Sample is how many orders are made to learn what one writes.
	Sample uint64
	// LogOrders are in the log that feeds are read from.
	LogOrders uint64
	// Loads carry the milestones that are taken in, Claims each.
	Loads, Claims uint64
	// SmallStore and LargeStore are the numbers of stored orders between which cost-at-size compares, by SizeOps more orders each.
	SmallStore, LargeStore, SizeOps uint64
	// FileSizes are the sizes, in bytes, that stores are opened and verified at, by name ("1gb").
	FileSizes []Size
	// Openings is how often a store is opened.
	Openings uint64
	// Quiet is how long the idle suite is left alone before its memory is read.
	Quiet time.Duration
	// Profiles, if set, is the folder that profiles of the server processes go to.
	Profiles string
	// Progress takes a line for whoever waits.
	Progress io.Writer
	// Found is told of each figure as it is found.
	Found func(report.Figure) error
}

// Size is a size of a store's file.
type Size struct {
	Name  string
	Bytes int64
}

// Benchmark is one of them.
type Benchmark struct {
	Name string
	// Doc says what an operation is, which processes' time counts, and what the ratio is to.
	Doc string
	run func(ctx context.Context, r *runner) error
}

// Names are the names of all benchmarks, in the order in which they run.
func Names() []string {
	var out []string
	for _, b := range All() {
		out = append(out, b.Name)
	}
	return out
}

// Run runs the named benchmarks, all without a name, and returns the figures.
func Run(ctx context.Context, c Config, only []string) ([]report.Figure, error) {
	for _, name := range only {
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("no benchmark %q; there are %s", name, strings.Join(Names(), ", "))
		}
	}
	r := &runner{Config: c, rates: map[string]float64{}}
	r.progress("starting the suite once, to fill its stores with master data")
	if err := c.Home.Prepare(ctx, parties...); err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	for _, b := range All() {
		if len(only) > 0 && !slices.Contains(only, b.Name) {
			continue
		}
		r.progress("%s", b.Name)
		if err := b.run(ctx, r); err != nil {
			return r.figures, fmt.Errorf("%s: %w", b.Name, err)
		}
	}
	return r.figures, nil
}

// runner is a run under way.
type runner struct {
	Config
	figures []report.Figure
	rates   map[string]float64        // of limits that have been measured
	rows    []limits.Row              // what an order writes; nil until it is known
	offers  []*freightv1.LoadTendered // of the loads that were booked; nil before
	grown   uint64                    // orders in the store that grow left; 0 when there is none
}

func (r *runner) progress(format string, args ...any) {
	fmt.Fprintf(r.Progress, "bench: "+format+"\n", args...)
}

// reset makes the stores what they were in the beginning.
func (r *runner) reset() error {
	r.grown = 0
	return r.Home.Reset()
}

// found keeps a figure.
func (r *runner) found(f report.Figure) error {
	r.figures = append(r.figures, f)
	return r.Found(f)
}

// server is a process whose processor time counts.
type server struct {
	name  string
	pid   int
	admin string // where it serves profiles; empty: not profiled
}

// servers are programs of the suite as servers.
func servers(run *suite.Running, names ...string) []server {
	var out []server
	for _, p := range run.Programs() {
		if len(names) == 0 || slices.Contains(names, p.Name) {
			out = append(out, server{p.Name, p.PID, p.Admin})
		}
	}
	return out
}

// measured runs a plan and makes a figure of it, with the processor time of the servers within the window.
func (r *runner) measured(ctx context.Context, name, variant string, p load.Plan, of []server, op load.Op) (report.Figure, load.Result, error) {
	f := report.Figure{Name: name, Variant: variant}
	m := meter{servers: of}
	var prof *profiling
	p.Edge = func(begins bool) error {
		if !begins {
			return m.end()
		}
		prof = r.profile(ctx, name, of, p.Window)
		return m.begin()
	}
	result, err := load.Run(ctx, p, op)
	err = errors.Join(err, prof.wait())
	if err != nil {
		return f, result, err
	}
	f.Rate, f.Ops = result.Rate(), result.Ops
	f.P50, f.P99 = milliseconds(result.Times.Percentile(50)), milliseconds(result.Times.Percentile(99))
	f.CPU, f.More = m.perOp(result.Ops)
	f.Servers = m.names()
	return f, result, nil
}

// plan is a closed loop of the configured window.
func (r *runner) plan(workers int) load.Plan {
	return load.Plan{Workers: workers, WarmUp: r.Window / 5, Window: r.Window}
}

// meter reads the processor time of servers.
type meter struct {
	servers []server
	used    []time.Duration // of each server
}

func (m *meter) now() ([]time.Duration, error) {
	out := make([]time.Duration, len(m.servers))
	for i, s := range m.servers {
		var err error
		if out[i], err = machine.CPU(s.pid); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (m *meter) begin() (err error) {
	m.used, err = m.now()
	return err
}

func (m *meter) end() error {
	now, err := m.now()
	for i := range now {
		m.used[i] = now[i] - m.used[i]
	}
	return err
}

// edge is the meter as a plan's edge.
func (m *meter) edge(begins bool) error {
	if begins {
		return m.begin()
	}
	return m.end()
}

// perOp are the microseconds of an operation, and of each server where there are several.
func (m *meter) perOp(ops uint64) (sum float64, each map[string]float64) {
	each = map[string]float64{}
	for i, s := range m.servers {
		us := float64(m.used[i].Microseconds()) / float64(max(ops, 1))
		sum += us
		each[s.name+"-cpu-us"] += us
	}
	if len(each) == 1 {
		each = map[string]float64{}
	}
	return sum, each
}

func (m *meter) names() []string {
	var out []string
	for _, s := range m.servers {
		out = append(out, s.name)
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// scratch is an empty folder on the file system that the suite's stores are on.
func (r *runner) scratch(name string) (string, error) {
	dir := filepath.Join(r.Home.Dir, name)
	return dir, errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700))
}

// Default is what a run of a few minutes measures.
func Default() Config {
	return Config{
		Callers: 256, Conns: 64, Flows: 64, Sample: 2000, LogOrders: 20_000, Loads: 200, Claims: 12,
		SmallStore: 10_000, LargeStore: 100_000, SizeOps: 10_000, Openings: 5,
		FileSizes: []Size{{"1gb", 1 << 30}}, Quiet: 20 * time.Second,
	}
}

// Larger adds what takes an hour.
func (c *Config) Larger() {
	c.LargeStore, c.Quiet = 1_000_000, time.Minute
	c.FileSizes = append(c.FileSizes, Size{"10gb", 10 << 30})
}
