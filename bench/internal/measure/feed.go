package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/store"

	"crossdock.dev/bench/internal/limits"
	"crossdock.dev/bench/internal/load"
	"crossdock.dev/bench/internal/report"
	"crossdock.dev/bench/internal/suite"
)

// withLog starts masterdata and orders on a store whose log holds the configured number of orders. It is filled once.
func (r *runner) withLog(ctx context.Context, more ...string) (*suite.Running, error) {
	kept := filepath.Join(r.Home.Dir, "log")
	if _, err := os.Stat(kept); errors.Is(err, os.ErrNotExist) {
		r.progress("filling a log with %d orders", r.LogOrders)
		run, calls, conns, err := r.ordersAlone(ctx)
		if err != nil {
			return nil, err
		}
		_, err = load.Run(ctx, load.Plan{Workers: r.Callers, Count: r.LogOrders}, calls.create)
		if err := errors.Join(err, conns.Close(), run.Stop()); err != nil {
			return nil, err
		}
		if err := errors.Join(r.checkOrders(calls.made.Load()), os.CopyFS(kept, os.DirFS(r.Home.Data("orders")))); err != nil {
			return nil, err
		}
	}
	err := r.reset()
	if err == nil {
		err = os.RemoveAll(r.Home.Data("orders"))
	}
	if err == nil {
		err = os.CopyFS(r.Home.Data("orders"), os.DirFS(kept))
	}
	if err != nil {
		return nil, err
	}
	return r.Home.Only(ctx, append([]string{"masterdata", "orders"}, more...)...)
}

// logOf is the end of a service's log, and of what it has read of another.
type logOf struct {
	suite.Conns
	eventlogv1.EventLogServiceClient
}

func dialLog(run *suite.Running, service string) (logOf, error) {
	conns, err := run.Dial(1, service, "")
	if err != nil {
		return logOf{}, err
	}
	return logOf{conns, eventlogv1.NewEventLogServiceClient(conns[0])}, nil
}

// contents counts the entries and the facts of a log, and learns the sizes that it is sent in.
type contents struct {
	entries, facts  uint64
	heads           int // bytes of all heads
	batch, messages int // entries of the largest message, and messages in all
}

// read streams a log from its beginning to its end as it is now; look is told of each message.
func (l logOf) read(ctx context.Context, look func(entries []*eventlogv1.Entry, took time.Duration) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	end, err := l.GetLog(ctx, &eventlogv1.GetLogRequest{})
	if err != nil {
		return err
	}
	stream, err := l.TailEntries(ctx, &eventlogv1.TailEntriesRequest{})
	if err != nil {
		return err
	}
	last := time.Now()
	for n := uint64(0); n < end.GetLast().GetSequence(); {
		resp, err := stream.Recv()
		if err != nil {
			return err
		}
		now := time.Now()
		if err := look(resp.GetEntries(), now.Sub(last)); err != nil {
			return err
		}
		n, last = n+uint64(len(resp.GetEntries())), now
	}
	return nil
}

func (l logOf) contents(ctx context.Context) (c contents, err error) {
	return c, l.read(ctx, func(entries []*eventlogv1.Entry, _ time.Duration) error {
		c.messages++
		c.batch = max(c.batch, len(entries))
		for _, e := range entries {
			var head eventlogv1.Head
			if err := proto.Unmarshal(e.GetHead(), &head); err != nil {
				return err
			}
			c.entries, c.facts, c.heads = c.entries+1, c.facts+uint64(len(head.GetFacts())), c.heads+len(e.GetHead())
		}
		return nil
	})
}

// reading makes a figure of reads of a whole log, each one told in facts.
func (r *runner) reading(ctx context.Context, name string, of []server, facts uint64, times *load.Times, read func(ctx context.Context) error) (report.Figure, error) {
	p := r.plan(1)
	f, result, err := r.measured(ctx, name, "", p, of, func(ctx context.Context, _ load.Turn) error { return read(ctx) })
	if err != nil {
		return f, err
	}
	f.Rate, f.CPU = f.Rate*float64(facts), f.CPU/float64(facts)
	f.Ops = result.Ops * facts
	f.P50, f.P99 = milliseconds(times.Percentile(50)), milliseconds(times.Percentile(99))
	return f, nil
}

// feedRead reads the log of orders over gRPC, beside a bare server that sends as many bytes in as many messages from memory.
func feedRead(ctx context.Context, r *runner) (err error) {
	run, err := r.withLog(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Stop()) }()
	log, err := dialLog(run, "orders")
	if err != nil {
		return err
	}
	defer log.Close()
	c, err := log.contents(ctx)
	if err != nil {
		return err
	}
	times := load.NewTimes()
	f, err := r.reading(ctx, "feed-read", servers(run, "orders"), c.facts, times, func(ctx context.Context) error {
		var n uint64
		err := log.read(ctx, func(entries []*eventlogv1.Entry, took time.Duration) error {
			n += uint64(len(entries))
			times.Add(0, took)
			return nil
		})
		if err == nil && n != c.entries {
			err = fmt.Errorf("%d entries were sent, there are %d", n, c.entries)
		}
		return err
	})
	if err != nil {
		return err
	}
	f.More = map[string]float64{"facts/entry": float64(c.facts) / float64(c.entries), "entries/message": float64(c.entries) / float64(c.messages)}
	bare, err := r.stream(ctx, c)
	if err != nil {
		return err
	}
	f.AgainstLimit(limitStream, bare.Rate)
	return errors.Join(r.found(bare), r.found(f))
}

// limitStream is found with feed-read, since it has the sizes of what that reads.
const limitStream = "limit-stream"

func (r *runner) stream(ctx context.Context, c contents) (f report.Figure, err error) {
	identity, err := r.Home.Identity(limits.Service)
	if err != nil {
		return f, err
	}
	bare, err := limits.Start(limits.Server{Identity: identity, HeadSize: c.heads / int(c.entries), Batch: c.batch, Entries: int(c.entries)})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, bare.Stop()) }()
	caller, err := r.Home.Identity(adapter)
	if err != nil {
		return f, err
	}
	conns, err := suite.Dial(1, bare.Addr, limits.Service, caller)
	if err != nil {
		return f, err
	}
	defer conns.Close()
	client := eventlogv1.NewEventLogServiceClient(conns[0])
	times, sent := load.NewTimes(), uint64(int(c.entries)/c.batch*c.batch)
	return r.reading(ctx, limitStream, []server{{name: "bare server", pid: bare.PID}}, sent*c.facts/c.entries, times, func(ctx context.Context) error {
		stream, err := client.TailEntries(ctx, &eventlogv1.TailEntriesRequest{})
		if err != nil {
			return err
		}
		var n uint64
		for last := time.Now(); ; last = time.Now() {
			resp, err := stream.Recv()
			if errors.Is(err, io.EOF) && n == sent {
				return nil
			}
			if err != nil {
				return fmt.Errorf("after %d of %d entries: %w", n, sent, err)
			}
			n += uint64(len(resp.GetEntries()))
			times.Add(0, time.Since(last))
		}
	})
}

// replay reads the log as a new follower does: by the suite's own reader, with every entry decoded and the chain of hashes checked.
func replay(ctx context.Context, r *runner) (err error) {
	run, err := r.withLog(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Stop()) }()
	log, err := dialLog(run, "orders")
	if err != nil {
		return err
	}
	defer log.Close()
	c, err := log.contents(ctx)
	if err != nil {
		return err
	}
	source, times := eventlog.Remote("orders", log.Conns[0]), load.NewTimes()
	f, err := r.reading(ctx, "replay", servers(run, "orders"), c.facts, times, func(ctx context.Context) error {
		var after eventlog.Position
		var facts uint64
		var previous []byte
		for {
			begun := time.Now()
			page, _, err := source.Read(ctx, after, 0)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			times.Add(0, time.Since(begun))
			for _, e := range page {
				head, err := follows(e, previous)
				if err != nil {
					return err
				}
				facts, previous, after = facts+uint64(len(head.GetFacts())), e.Hash, store.PositionOf(head.GetPosition())
			}
		}
		if facts != c.facts {
			return fmt.Errorf("%d facts were read, there are %d", facts, c.facts)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.found(f)
}

// feedApply lets tower, whose store is empty, read the log of orders: a consumer that writes for each fact.
func feedApply(ctx context.Context, r *runner) (err error) {
	limit, err := r.limit(ctx, limitWriterLoop)
	if err != nil {
		return err
	}
	run, err := r.withLog(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Stop()) }()
	orders, err := dialLog(run, "orders")
	if err != nil {
		return err
	}
	defer orders.Close()
	end, err := orders.GetLog(ctx, &eventlogv1.GetLogRequest{})
	if err != nil {
		return err
	}
	first := progress{at: time.Now()}
	if err := run.Start(ctx, "tower"); err != nil {
		return err
	}
	tower, err := dialLog(run, "tower")
	if err != nil {
		return err
	}
	defer tower.Close()
	m := meter{servers: servers(run, "tower"), used: make([]time.Duration, 1)}
	prof := r.profile(ctx, "feed-apply", servers(run, "tower", "orders"), r.Window)
	var now progress
	for {
		if now, err = progressOf(ctx, tower, "orders"); err != nil {
			return err
		}
		if now.sequence >= end.GetLast().GetSequence() {
			break
		}
		if first.read == 0 && now.read > 0 { // from here on: what came before is the start of the program
			if first, err = now, m.begin(); err != nil {
				return err
			}
		}
		if err := load.Pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	if err := errors.Join(m.end(), prof.wait()); err != nil {
		return err
	}
	if now.waiting > 0 {
		return fmt.Errorf("tower has %d facts wait or set aside", now.waiting)
	}
	f := report.Figure{Name: "feed-apply", Ops: now.read - first.read, Rate: float64(now.read-first.read) / now.at.Sub(first.at).Seconds(), Servers: m.names()}
	f.CPU, _ = m.perOp(f.Ops)
	f.AgainstLimit(limitWriterLoop, limit)
	return r.found(f)
}

// progress is how far a consumer has come.
type progress struct {
	at                      time.Time
	sequence, read, waiting uint64
}

func progressOf(ctx context.Context, l logOf, log string) (progress, error) {
	resp, err := l.ListConsumers(ctx, &eventlogv1.ListConsumersRequest{})
	for _, c := range resp.GetConsumers() {
		if c.GetLog() == log {
			return progress{time.Now(), c.GetCursor().GetSequence(), c.GetRead(), c.GetParked() + c.GetDeferred()}, err
		}
	}
	return progress{}, errors.Join(err, fmt.Errorf("no consumer of %s", log))
}
