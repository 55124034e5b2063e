package eventlog

import (
	"context"
	"fmt"
	"log/slog"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/telemetry"
)

// Followers are the consumers of one service. Through it they know how far the others have read.
type Followers struct {
	// Stepping makes WaitRead answer at once, and facts that are ahead of another feed be deferred at once: in a simulation nobody
	// else runs while they would wait.
	Stepping bool

	consumers []*Consumer
}

// NewFollowers joins the consumers of one service, before their first Step.
func NewFollowers(consumers ...*Consumer) *Followers {
	f := &Followers{consumers: consumers}
	for _, c := range consumers {
		c.followers = f
	}
	return f
}

// Reader is what the facts of one log mean to a service; Keys, Types and Apply are those of ConsumerConfig.
type Reader struct {
	Log   string
	Keys  func(f Fact) []string
	Types []string
	Apply func(ctx context.Context, tx *store.Tx, f Fact) error
	// Together is as in ConsumerConfig.
	Together bool
}

// Follow makes the consumers of one service out of what facts mean to it. A log without a source is not followed: a test may
// look at one joint alone, and a program's configuration asks for all.
func Follow(s *store.Store, log *slog.Logger, sources map[string]Source, readers ...Reader) *Followers {
	var consumers []*Consumer
	for _, r := range readers {
		if source := sources[r.Log]; source != nil {
			consumers = append(consumers, NewConsumer(ConsumerConfig{
				Log: r.Log, Source: source, Store: s, Logger: log, Keys: r.Keys, Types: r.Types, Apply: r.Apply, Together: r.Together,
			}))
		}
	}
	return NewFollowers(consumers...)
}

// Consumers are the consumers in the order given.
func (f *Followers) Consumers() []*Consumer { return f.consumers }

// Export makes the consumers export a span for each fact that they take up; called before the first Step.
func (f *Followers) Export(s *telemetry.Spans) {
	for _, c := range f.consumers {
		c.spans = s
	}
}

// Loops are the loops of the consumers; base gives their clocks and log.
func (f *Followers) Loops(base step.Config) []step.Config {
	loops := make([]step.Config, 0, len(f.consumers))
	for _, c := range f.consumers {
		loop := base
		wakes := []func() <-chan struct{}{c.Wake}
		for _, other := range f.consumers {
			if other != c {
				wakes = append(wakes, func() <-chan struct{} { return c.wakeBy(other) })
			}
		}
		loop.Name, loop.Stepper, loop.Timeless, loop.Wake = "follow "+c.Log(), c, true, wakes
		loops = append(loops, loop)
	}
	return loops
}

// WaitRead returns when every followed log has been read as far as after says; other logs do not matter. A call that carries
// its causal past waits here, so that the service knows what the caller knew. UNAVAILABLE when ctx ends first, and at once when
// Stepping.
func (f *Followers) WaitRead(ctx context.Context, after []Position) error {
	for _, p := range after {
		for _, c := range f.consumers {
			if c.c.Log != p.Log {
				continue
			}
			if err := f.waitOne(ctx, c, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *Followers) waitOne(ctx context.Context, c *Consumer, p Position) error {
	for {
		c.mu.Lock()
		settled, moved := c.settled, c.moved
		c.mu.Unlock()
		if !settled.Before(p) && settled.Log != "" {
			return nil
		}
		behind := rpcerr.Unavailable(rpcerr.ReasonNotYetRead).With("log", p.Log)
		if f.Stepping {
			return behind
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return behind
		}
	}
}

// behind says which followed feed has not been read as far as after names, also in words; "" when all have.
func (f *Followers) behind(after []*eventlogv1.Position) (log, words string) {
	if p, ok := f.unread(after); ok {
		return p.Log, fmt.Sprintf("waits until feed %s has been read up to %d", p.Log, p.Sequence)
	}
	return "", ""
}

// unread is the first position of after whose log is followed and has not been read so far.
func (f *Followers) unread(after []*eventlogv1.Position) (Position, bool) {
	for _, a := range after {
		p := store.PositionOf(a)
		for _, c := range f.consumers {
			if c.c.Log == p.Log && !isRead(c.Read(), p) {
				return p, true
			}
		}
	}
	return Position{}, false
}

// isRead tells whether a log that has been read up to a position has been read up to another one.
func isRead(read, p Position) bool { return read.Log != "" && !read.Before(p) }

// read is how far a followed log has been read.
func (f *Followers) read(log string) Position {
	for _, c := range f.consumers {
		if c.c.Log == log {
			return c.Read()
		}
	}
	return Position{}
}

// failed says that a followed log could not be read the last time.
func (f *Followers) failed(log string) bool {
	for _, c := range f.consumers {
		if c.c.Log == log {
			return c.Err() != nil
		}
	}
	return false
}

// await tells whether a deferred fact waits until a log has been read further than a position.
func (f *Followers) await(log string, read Position) bool {
	for _, c := range f.consumers {
		c.mu.Lock()
		awaits := c.awaits
		c.mu.Unlock()
		for _, p := range awaits {
			if p.Log == log && !isRead(read, p) {
				return true
			}
		}
	}
	return false
}

// reads is how far each followed log has been read.
func (f *Followers) reads() map[string]Position {
	out := make(map[string]Position, len(f.consumers))
	for _, c := range f.consumers {
		out[c.c.Log] = c.Read()
	}
	return out
}
