package eventlog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"
	"pgregory.net/rapid"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/store"
)

// flowLength is how many entries a flow of interlocked leaves.
const flowLength = 25

// interlocked are logs that tell of many flows at once. Each entry of a flow builds on the one before, mostly of another log, that was
// told a moment ago; a fifth of them are late. An entry's fact touches its flow and is named by its place in it.
func interlocked(t testing.TB, entries, flows int, names ...string) []*service {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	services := make([]*service, len(names))
	for i, n := range names {
		services[i] = newService(t, n)
	}
	type flow struct {
		id, told int
		next     time.Duration // when the next entry is told
		after    []Position
	}
	lag := func() time.Duration {
		mean := 10 * time.Millisecond
		if r.IntN(5) == 0 {
			mean = 5 * time.Second
		}
		return time.Duration(r.ExpFloat64() * float64(mean))
	}
	all := make([]*flow, flows)
	for i := range all {
		all[i] = &flow{id: i, next: lag()}
	}
	var pending []*store.Pending
	last := make([]uint64, len(services))
	for range entries {
		f := slices.MinFunc(all, func(a, b *flow) int { return int(a.next - b.next) })
		n := r.IntN(len(services))
		fact := store.Fact{Type: "Told", Subject: fmt.Sprintf("%02d", f.told), Related: []string{fmt.Sprintf("flow%04d", f.id)}, Payload: wrapperspb.Bytes(make([]byte, 400))}
		pending = append(pending, services[n].store.Submit(context.Background(), store.Cause{Principal: "user/dev", After: slices.Clone(f.after)},
			func(tx *store.Tx) ([]byte, error) { return nil, tx.Emit(fact) }))
		last[n]++
		f.after = slices.DeleteFunc(f.after, func(p Position) bool { return p.Log == names[n] })
		f.after = append(f.after, Position{Log: names[n], Epoch: 1, Sequence: last[n]})
		f.told, f.next = f.told+1, f.next+lag()
		if f.told == flowLength {
			*f = flow{id: f.id + flows, next: f.next}
		}
	}
	for _, p := range pending {
		if _, err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return services
}

// wantFlows wants that all entries took effect, and those of a flow in their order.
func (s *service) wantFlows(t interface{ Errorf(string, ...any) }, entries int) {
	got := 0
	err := s.store.View(context.Background(), func(r store.Reader) error {
		return store.Each(context.Background(), r, effects, nil, func(kv store.KV) error {
			facts := strings.Fields(string(kv.Value))
			for i, f := range facts {
				if n, err := strconv.Atoi(f); err != nil || n != i {
					t.Errorf("%s: %s took effect in place %d: %s", kv.Key, f, i, kv.Value)
					break
				}
			}
			got += len(facts)
			return nil
		})
	})
	if err != nil || got != entries {
		t.Errorf("%d of %d facts took effect, %v", got, entries, err)
	}
	for log, other := range s.follows {
		n := other.store.Last().Sequence
		if c, err := s.consumers[log].Status(context.Background()); err != nil || c.Read != n || c.Applied != n {
			t.Errorf("consumer of %s: %v, %v, want %d read and applied", log, c, err, n)
		}
	}
	if r, err := s.store.Verify(context.Background()); err != nil || len(r.Breaches) > 0 {
		t.Errorf("Verify: %v %q", err, r.Breaches)
	}
}

// TestFeedThatWasAway has four feeds of five read while the other one is away, so that nearly all of their facts are deferred. When it is
// back they wait for each other all the way, but never for a clock, and each step takes up something.
func TestFeedThatWasAway(t *testing.T) {
	const entries = 4000
	names := []string{"orders", "freight", "billing", "workflow", "edi"}
	logs := interlocked(t, entries, 200, names...)
	for _, together := range []bool{true, false} {
		w := newService(t, "tower", logs...)
		w.together = together
		away := &faulty{err: errors.New("away")}
		w.wrap = func(s Source) Source {
			if s != (liveSource{logs[0]}) {
				return s
			}
			away.Source = s
			return away
		}
		w.follow()
		w.followers.Stepping = false // feeds are held for each other
		machine := clock.NewManual(start)
		for _, c := range w.consumers {
			c.c.Machine = machine
		}
		// run steps all feeds until everything that can be read has been, and returns how many steps that took and how much time had to pass.
		run := func() (steps int, waited time.Duration) {
			for {
				progress, holding := false, false
				for _, n := range names {
					p, _ := w.consumers[n].Step(t.Context(), start)
					steps++
					progress, holding = progress || p, holding || w.consumers[n].holding
				}
				switch {
				case progress:
				case holding && waited < time.Hour:
					machine.Advance(patience)
					waited += patience
				default:
					return steps, waited
				}
			}
		}
		run()
		deferred := uint64(0)
		for _, n := range names {
			c, err := w.consumers[n].Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			deferred += c.Deferred
		}
		if deferred < entries/2 {
			t.Errorf("%d facts are deferred, want most of %d", deferred, entries)
		}
		away.err = nil
		begun, first := processorTime(), w.store.Last().Sequence
		steps, waited := run()
		changes := w.store.Last().Sequence - first
		t.Logf("together %t: %d deferred facts took %d steps, %v of the clock, %d changes and %v of the processor", together, deferred, steps, waited,
			changes, processorTime()-begun)
		if waited > 0 || steps > entries {
			t.Errorf("%d steps and %v of the clock, want at most %d and none", steps, waited, entries)
		}
		if together && changes > entries/2 {
			t.Errorf("%d changes, want at most %d: what is released at once goes together", changes, entries/2)
		}
		w.wantFlows(t, entries)
	}
}

// TestDeferredBehindAnEarlierOne has a fact that builds on nothing wait for one of its key, with many between them that wait for longer.
func TestDeferredBehindAnEarlierOne(t *testing.T) {
	a := newService(t, "a")
	b := newService(t, "b", a)
	c := newService(t, "c", a, b)
	first := a.tell("A1")
	b.tellAfter([]Position{first}, "B1:k")
	second := Position{Log: "a", Epoch: first.Epoch, Sequence: 2}
	for i := range 3 * stretchRows {
		b.tellAfter([]Position{second}, fmt.Sprintf("B:%03d", i))
	}
	c.mustDrain("b")
	b.tell("B2:k")
	c.mustDrain("b")
	c.wantCounts("b", 3*stretchRows+2, 0, 0, 3*stretchRows+2, 0)
	c.mustDrain("a")
	c.mustDrain("b")
	c.wantEffects("k=B1 B2")
	c.wantCounts("b", 3*stretchRows+2, 2, 0, 3*stretchRows, 0)
	a.tell("A2")
	c.mustDrain("a")
	c.mustDrain("b")
	c.wantCounts("b", 3*stretchRows+2, 3*stretchRows+2, 0, 0, 0)
}

// TestDeferredInAnyOrder has three feeds that wait for each other read in any order, by a service that is restarted, whose feeds come and
// go and whose disk is busy at times.
func TestDeferredInAnyOrder(t *testing.T) {
	const entries = 400
	names := []string{"a", "b", "c"}
	logs := interlocked(t, entries, 20, names...)
	rapid.Check(t, func(rt *rapid.T) {
		w := newService(t, "w", logs...)
		w.together = rapid.Bool().Draw(rt, "together")
		stepping := rapid.Bool().Draw(rt, "stepping")
		away := map[string]*faulty{}
		w.wrap = func(s Source) Source {
			f := &faulty{Source: small{s}}
			away[s.(liveSource).s.options.Schema.Service] = f
			return f
		}
		machine := clock.NewManual(start)
		reopen := func() {
			w.open()
			w.followers.Stepping = stepping
			for _, c := range w.consumers {
				c.c.Machine = machine
			}
		}
		reopen()
		for range rapid.IntRange(0, 40).Draw(rt, "turns") {
			log := rapid.SampledFrom(names).Draw(rt, "log")
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0:
				reopen()
			case 1:
				away[log].err = errors.New("away")
			case 2:
				away[log].err = nil
			case 3:
				machine.Advance(patience)
			case 4:
				w.bad = map[string]error{fmt.Sprintf("%02d", rapid.IntRange(0, flowLength).Draw(rt, "fact")): Transient(errors.New("disk is busy"))}
			case 5:
				w.bad = nil
			default:
				for range rapid.IntRange(1, 20).Draw(rt, "steps") {
					w.consumers[log].Step(t.Context(), start)
				}
			}
		}
		w.bad = nil
		for _, f := range away {
			f.err = nil
		}
		for progress := true; progress; machine.Advance(patience) {
			reads := w.followers.reads()
			progress = false
			for _, n := range names {
				p, err := w.consumers[n].Step(t.Context(), start)
				if err != nil {
					rt.Fatal(err)
				}
				progress = progress || p || w.consumers[n].holding
			}
			progress = progress || !maps.Equal(reads, w.followers.reads()) // one that was started anew has said where it is
		}
		w.wantFlows(rt, entries)
	})
}
