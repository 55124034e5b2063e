package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"crossdock.dev/bench/internal/limits"
	"crossdock.dev/bench/internal/load"
	"crossdock.dev/bench/internal/report"
	"crossdock.dev/bench/internal/suite"
)

// Names of the limits, which are figures too.
const (
	limitAppend         = "limit-append"
	limitWriterLoop     = "limit-writer-loop"
	limitEcho           = "limit-echo"
	limitEchoWriterLoop = "limit-echo-writer-loop"
)

// limit returns the rate of a limit, measured when it is asked for first.
func (r *runner) limit(ctx context.Context, name string) (float64, error) {
	if rate, ok := r.rates[name]; ok {
		return rate, nil
	}
	measure := map[string]func(context.Context) (report.Figure, error){
		limitAppend: r.measureAppend, limitWriterLoop: r.measureWriterLoop, limitEcho: r.measureEcho, limitEchoWriterLoop: r.measureEchoWriterLoop,
	}[name]
	f, err := measure(ctx)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	r.rates[name] = f.Rate
	return f.Rate, r.found(f)
}

// against holds a figure against a limit.
func (r *runner) against(ctx context.Context, f *report.Figure, name string) error {
	rate, err := r.limit(ctx, name)
	if err == nil {
		f.AgainstLimit(name, rate)
	}
	return err
}

func limitBenchmark(name, doc string) Benchmark {
	return Benchmark{name, doc, func(ctx context.Context, r *runner) error {
		_, err := r.limit(ctx, name)
		return err
	}}
}

func (r *runner) measureAppend(ctx context.Context) (report.Figure, error) {
	dir, err := r.scratch("limit")
	if err != nil {
		return report.Figure{}, err
	}
	op, done, err := limits.Append(dir)
	if err != nil {
		return report.Figure{}, err
	}
	f, _, err := r.measured(ctx, limitAppend, "", r.plan(1), []server{{name: "bench", pid: os.Getpid()}}, op)
	return f, errors.Join(err, done())
}

func (r *runner) measureWriterLoop(ctx context.Context) (report.Figure, error) {
	none := report.Figure{}
	rows, err := r.orderRows(ctx)
	if err != nil {
		return none, err
	}
	dir, err := r.scratch("limit")
	if err != nil {
		return none, err
	}
	loop, err := limits.OpenWriterLoop(filepath.Join(dir, "loop.db"), rows)
	if err != nil {
		return none, err
	}
	f, _, err := r.measured(ctx, limitWriterLoop, r.callers(), r.plan(r.Callers), []server{{name: "bench", pid: os.Getpid()}},
		func(context.Context, load.Turn) error { return loop.Change() })
	return f, errors.Join(err, loop.Close(), os.RemoveAll(dir))
}

func (r *runner) measureEcho(ctx context.Context) (report.Figure, error) {
	return r.echo(ctx, limitEcho, nil)
}

func (r *runner) measureEchoWriterLoop(ctx context.Context) (report.Figure, error) {
	rows, err := r.orderRows(ctx)
	if err != nil {
		return report.Figure{}, err
	}
	return r.echo(ctx, limitEchoWriterLoop, rows)
}

// echo calls a bare server with the orders that create-order makes.
func (r *runner) echo(ctx context.Context, name string, rows []limits.Row) (f report.Figure, err error) {
	dir, err := r.scratch("limit")
	if err != nil {
		return f, err
	}
	identity, err := r.Home.Identity(limits.Service)
	if err != nil {
		return f, err
	}
	bare, err := limits.Start(limits.Server{Identity: identity, Dir: dir, Rows: rows})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, bare.Stop(), os.RemoveAll(dir)) }()
	caller, err := r.Home.Identity(adapter)
	if err != nil {
		return f, err
	}
	conns, err := suite.Dial(r.Conns, bare.Addr, limits.Service, caller)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, conns.Close()) }()
	calls := newOrderCalls(conns)
	f, _, err = r.measured(ctx, name, r.callers(), r.plan(r.Callers), []server{{name: "bare server", pid: bare.PID}}, calls.create)
	return f, err
}

func (r *runner) callers() string { return fmt.Sprintf("callers=%d", r.Callers) }
