package tasks

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/store"
)

var start = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)

var sent = &store.Bucket{Name: "sent", Kind: store.Record, Doc: "task id → nothing"}

// bench is a store, a runner and a far side that answers as the test says.
type bench struct {
	t       *testing.T
	options store.Options
	store   *store.Store
	runner  *Runner
	machine *clock.Manual
	calls   []string                                // "id/attempts" in the order of the calls
	answer  func(ctx context.Context, t Task) error // nil accepts
	done    func(tx *store.Tx) error
	seen    []origin.Origin
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, machine: clock.NewManual(start)}
	b.options = store.Options{Path: filepath.Join(t.TempDir(), "test.db"), Clock: clock.Fixed(start), NoSync: true,
		Schema: store.Schema{Service: "svc", Version: 1, Buckets: []*store.Bucket{sent}}, InitialMmapSize: 1 << 22}
	b.open()
	t.Cleanup(func() { b.store.Close() })
	return b
}

// open starts the program anew: nothing but the file remains.
func (b *bench) open() {
	b.t.Helper()
	if b.store != nil {
		b.store.Close()
	}
	s, err := store.Open(context.Background(), b.options)
	if err != nil {
		b.t.Fatal(err)
	}
	b.store = s
	b.runner = NewRunner(Config{Store: s, Machine: b.machine, Handlers: map[string]Handler{"call": b.handle}})
}

func (b *bench) handle(ctx context.Context, t Task) (Done, error) {
	b.calls = append(b.calls, fmt.Sprintf("%s/%d", t.ID, t.Attempts))
	b.seen = append(b.seen, origin.From(ctx))
	if b.answer != nil {
		if err := b.answer(ctx, t); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, tx *store.Tx) error {
		if b.done != nil {
			if err := b.done(tx); err != nil {
				return err
			}
		}
		return tx.Put(ctx, sent, []byte(t.ID), nil)
	}, nil
}

func (b *bench) enqueue(list ...Task) {
	b.t.Helper()
	ctx := origin.With(context.Background(), origin.Origin{Actor: "partner/CUS", Traceparent: "trace", After: []store.Position{{Log: "up", Epoch: 1, Sequence: 4}}})
	for _, t := range list {
		if t.Kind == "" {
			t.Kind = "call"
		}
		_, err := b.store.Change(ctx, store.Cause{}, func(tx *store.Tx) ([]byte, error) { return nil, Enqueue(ctx, tx, t) })
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

// drain steps until nothing moves.
func (b *bench) drain(now time.Time) {
	b.t.Helper()
	for range 100 {
		progress, err := b.runner.Step(context.Background(), now)
		if err != nil {
			b.t.Fatal(err)
		}
		if !progress {
			return
		}
	}
	b.t.Fatal("the runner does not come to rest")
}

func (b *bench) wantCalls(want ...string) {
	b.t.Helper()
	if !slices.Equal(b.calls, want) {
		b.t.Errorf("calls = %v, want %v", b.calls, want)
	}
}

// state is the task's state, or "sent", or "gone".
func (b *bench) state(id string) string {
	b.t.Helper()
	out := "gone"
	err := b.store.View(context.Background(), func(r store.Reader) error {
		t, err := Get(context.Background(), r, id)
		switch {
		case err == nil:
			out = map[State]string{Pending: "pending", InDoubtState: "in doubt", Failed: "failed"}[t.State]
			return nil
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		if _, err := r.Get(context.Background(), sent, []byte(id)); err == nil {
			out = "sent"
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func (b *bench) wantStates(want ...string) {
	b.t.Helper()
	for _, w := range want {
		id, state, _ := strings.Cut(w, " ")
		if got := b.state(id); got != state {
			b.t.Errorf("task %s is %s, want %s", id, got, state)
		}
	}
	r, err := b.store.Verify(context.Background())
	if err != nil || len(r.Breaches) > 0 {
		b.t.Errorf("Verify: %v %q", err, r.Breaches)
	}
}

func (b *bench) retry(id string) {
	b.t.Helper()
	_, err := b.store.Change(context.Background(), store.Cause{}, func(tx *store.Tx) ([]byte, error) {
		_, err := Retry(context.Background(), tx, id)
		return nil, err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestKeyedIsRetriedWithBackOff(t *testing.T) {
	b := newBench(t)
	b.answer = func(context.Context, Task) error { return errors.New("unreachable") }
	b.enqueue(Task{ID: "a", Effect: Keyed}, Task{ID: "a", Effect: Keyed})
	b.drain(start)
	b.drain(start)
	b.wantCalls("a/0")
	b.machine.Advance(minBackoff)
	b.drain(start)
	b.machine.Advance(minBackoff)
	b.drain(start) // the second pause is twice as long
	b.wantCalls("a/0", "a/1")
	list, err := b.runner.List(context.Background(), 0, 10)
	if err != nil || len(list) != 1 || list[0].Attempts != 2 || list[0].LastError != "unreachable" {
		t.Errorf("List = %+v, %v", list, err)
	}
	b.answer = nil
	b.machine.Advance(maxBackoff)
	b.drain(start)
	b.wantCalls("a/0", "a/1", "a/2")
	b.wantStates("a sent")
}

// A service that is full says when to come back. It is never a reason to give up, and the pause does not grow as when nobody answers.
func TestFullServiceIsAskedAgainWhenItSays(t *testing.T) {
	b := newBench(t)
	b.answer = func(context.Context, Task) error { return rpcerr.Exhausted(2 * time.Second) }
	b.enqueue(Task{ID: "a", Effect: Keyed}, Task{ID: "a", Effect: Keyed})
	b.drain(start)
	b.machine.Advance(2*time.Second - time.Millisecond)
	b.drain(start)
	b.wantCalls("a/0")
	for range 20 { // from 2 s to 5 s, and up to 2 s beside that
		b.machine.Advance(7 * time.Second)
		b.drain(start)
	}
	b.answer = nil
	b.machine.Advance(7 * time.Second)
	b.drain(start)
	b.wantStates("a sent")
	if n := len(b.calls); n != 22 {
		t.Errorf("%d attempts, want 22", n)
	}
}

func TestOriginGoesAlong(t *testing.T) {
	b := newBench(t)
	b.enqueue(Task{ID: "first", Effect: Keyed}, Task{ID: "a", Effect: Keyed})
	b.drain(start)
	got := b.seen[1]
	want := []store.Position{{Log: "svc", Epoch: 1, Sequence: 2}, {Log: "up", Epoch: 1, Sequence: 4}}
	if got.Principal.String() != "service/svc" || got.Actor != "partner/CUS" || got.Traceparent != "trace" || !slices.Equal(got.After, want) {
		t.Errorf("origin = %+v, want service/svc for partner/CUS after %v", got, want)
	}
}

func TestOutcomeNotRecorded(t *testing.T) {
	b := newBench(t)
	failing := true
	b.done = func(*store.Tx) error {
		if failing {
			return errors.New("cannot be recorded")
		}
		return nil
	}
	b.enqueue(Task{ID: "keyed", Effect: Keyed}, Task{ID: "neither", Effect: Neither})
	b.drain(start)
	b.wantStates("keyed pending", "neither in doubt")
	failing = false
	b.machine.Advance(maxBackoff)
	b.drain(start)
	b.wantCalls("keyed/0", "neither/0", "keyed/1")
	b.wantStates("keyed sent", "neither in doubt")
}

func TestLookupKnowsOfLostAttempts(t *testing.T) {
	b := newBench(t)
	ctx, kill := context.WithCancel(context.Background())
	b.answer = func(context.Context, Task) error { kill(); return errors.New("connection lost") }
	b.enqueue(Task{ID: "a", Effect: Lookup})
	if _, err := b.runner.Step(ctx, start); !errors.Is(err, context.Canceled) {
		t.Fatalf("Step of a program that stops: %v", err)
	}
	b.open()
	b.answer = nil
	b.drain(start)
	b.wantCalls("a/0", "a/1")
	b.wantStates("a sent")
}

func TestNeitherStaysInDoubt(t *testing.T) {
	b := newBench(t)
	ctx, kill := context.WithCancel(context.Background())
	b.answer = func(context.Context, Task) error { kill(); return errors.New("connection lost") }
	b.enqueue(Task{ID: "killed", Effect: Neither, Subject: "loads/1"}, Task{ID: "later", Effect: Keyed, Subject: "loads/1"},
		Task{ID: "other", Effect: Keyed, Subject: "loads/2"}, Task{ID: "timer", Effect: Keyed, Subject: "loads/1", Due: start})
	b.runner.c.Handlers["call"] = func(ctx context.Context, t Task) (Done, error) {
		if t.ID == "timer" {
			return b.handle(context.Background(), Task{ID: "timer"})
		}
		return b.handle(ctx, t)
	}
	b.answer = func(_ context.Context, t Task) error {
		if t.ID == "killed" {
			kill()
			return errors.New("connection lost")
		}
		return nil
	}
	if _, err := b.runner.Step(ctx, start.Add(-time.Hour)); !errors.Is(err, context.Canceled) {
		t.Fatalf("Step of a program that stops: %v", err)
	}
	b.open()
	b.answer = nil
	b.drain(start)
	b.wantCalls("killed/0", "timer/0", "other/0")
	b.wantStates("killed in doubt", "later pending", "other sent", "timer sent")
	b.retry("killed")
	b.drain(start)
	b.wantCalls("killed/0", "timer/0", "other/0", "killed/0", "later/0") // a person has looked, and the count begins anew
	b.wantStates("killed sent", "later sent")
}

func TestErrorsOfNeither(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"plain":     {errors.New("reset"), "in doubt"},
		"in doubt":  {InDoubt(errors.New("timeout")), "in doubt"},
		"not done":  {NotDone(errors.New("cannot connect")), "pending"},
		"permanent": {fmt.Errorf("wrapped: %w", Permanent(errors.New("refused"))), "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.answer = func(context.Context, Task) error { return c.err }
			b.enqueue(Task{ID: "a", Effect: Neither})
			b.drain(start)
			b.wantStates("a " + c.want)
		})
	}
}

func TestFailedDoesNotHoldUpItsSubject(t *testing.T) {
	b := newBench(t)
	b.answer = func(_ context.Context, t Task) error {
		switch t.ID {
		case "bad":
			return Permanent(errors.New("no such load"))
		case "panics":
			panic("boom")
		}
		return nil
	}
	b.enqueue(Task{ID: "bad", Effect: Keyed, Subject: "s"}, Task{ID: "next", Effect: Keyed, Subject: "s"},
		Task{ID: "panics", Effect: Keyed}, Task{ID: "nobody", Kind: "unknown", Effect: Keyed})
	b.drain(start)
	b.wantCalls("bad/0", "panics/0", "next/0")
	b.wantStates("bad failed", "next sent", "panics pending", "nobody failed")
	b.answer = nil
	b.retry("bad")
	b.drain(start)
	b.wantStates("bad sent")
	_, err := b.store.Change(context.Background(), store.Cause{}, func(tx *store.Tx) ([]byte, error) {
		_, err := Retry(context.Background(), tx, "panics")
		return nil, err
	})
	if !errors.Is(err, ErrNotStopped) {
		t.Errorf("Retry of a pending task: %v, want ErrNotStopped", err)
	}
}

func TestOrder(t *testing.T) {
	b := newBench(t)
	fail := map[string]bool{"a1": true}
	b.answer = func(_ context.Context, t Task) error {
		if fail[t.ID] {
			return errors.New("busy")
		}
		return nil
	}
	b.enqueue(
		Task{ID: "a1", Effect: Keyed, Subject: "a"}, Task{ID: "a2", Effect: Keyed, Subject: "a"},
		Task{ID: "b1", Effect: Keyed, Subject: "b"}, Task{ID: "b2", Effect: Keyed, Subject: "b"},
		Task{ID: "due-later", Effect: Keyed, Subject: "b", Due: start.Add(time.Hour)},
		Task{ID: "due-second", Effect: Keyed, Subject: "a", Due: start},
		Task{ID: "due-first", Effect: Keyed, Subject: "a", Due: start.Add(-time.Minute)},
	)
	b.drain(start)
	b.wantCalls("due-first/0", "due-second/0", "a1/0", "b1/0", "b2/0")
	fail["a1"] = false
	b.machine.Advance(minBackoff)
	b.drain(start.Add(time.Hour - time.Nanosecond))
	b.wantCalls("due-first/0", "due-second/0", "a1/0", "b1/0", "b2/0", "a1/1", "a2/0")
	b.drain(start.Add(time.Hour))
	b.wantStates("a1 sent", "a2 sent", "b1 sent", "b2 sent", "due-later sent")
}

func TestCancelAndRefusedChanges(t *testing.T) {
	b, ctx := newBench(t), context.Background()
	b.enqueue(Task{ID: "a", Effect: Keyed, Due: start.Add(time.Hour)}, Task{ID: "b", Effect: Keyed})
	_, err := b.store.Change(ctx, store.Cause{}, func(tx *store.Tx) ([]byte, error) {
		return nil, errors.Join(Cancel(ctx, tx, "a"), Cancel(ctx, tx, "never was"))
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.store.Change(ctx, store.Cause{}, func(tx *store.Tx) ([]byte, error) {
		if err := Enqueue(ctx, tx, Task{ID: "c", Kind: "call", Effect: Keyed}); err != nil {
			return nil, err
		}
		return nil, errors.New("refused")
	})
	if err == nil {
		t.Fatal("refusal was lost")
	}
	// Cancelled while its attempt is under way: the outcome is not recorded.
	b.answer = func(context.Context, Task) error {
		_, err := b.store.Change(ctx, store.Cause{}, func(tx *store.Tx) ([]byte, error) { return nil, Cancel(ctx, tx, "b") })
		return err
	}
	b.drain(start.Add(2 * time.Hour))
	b.wantCalls("b/0")
	b.wantStates("a gone", "b gone", "c gone")
	for _, bad := range []Task{{}, {ID: "x", Effect: Keyed}, {ID: "x", Kind: "call"}} {
		_, err := b.store.Change(ctx, store.Cause{}, func(tx *store.Tx) ([]byte, error) { return nil, Enqueue(ctx, tx, bad) })
		if err == nil {
			t.Errorf("Enqueue(%+v) was accepted", bad)
		}
	}
}

// TestParallel has one subject hang while the others go on.
func TestParallel(t *testing.T) {
	b, ctx := newBench(t), context.Background()
	gate, quick := make(chan struct{}), make(chan string, 10)
	b.runner = NewRunner(Config{Store: b.store, Machine: b.machine, Parallel: 2, Handlers: map[string]Handler{
		"call": func(_ context.Context, t Task) (Done, error) {
			if t.Subject == "slow" {
				<-gate
			} else {
				quick <- t.ID
			}
			return func(ctx context.Context, tx *store.Tx) error { return tx.Put(ctx, sent, []byte(t.ID), nil) }, nil
		},
	}})
	b.enqueue(Task{ID: "s1", Effect: Keyed, Subject: "slow"}, Task{ID: "s2", Effect: Keyed, Subject: "slow"})
	for i := range 3 {
		b.enqueue(Task{ID: fmt.Sprint("q", i), Effect: Keyed, Subject: "quick"})
	}
	for i := range 3 {
		wake := b.runner.Wake()
		if _, err := b.runner.Step(ctx, start); err != nil {
			t.Fatal(err)
		}
		if got, want := <-quick, fmt.Sprint("q", i); got != want {
			t.Errorf("ran %s, want %s", got, want)
		}
		<-wake
	}
	b.wantStates("s1 pending", "s2 pending", "q0 sent", "q2 sent")
	close(gate)
	b.runner.Drain()
	for b.state("s2") != "sent" {
		if _, err := b.runner.Step(ctx, start); err != nil {
			t.Fatal(err)
		}
		b.runner.Drain()
	}
	b.wantStates("s1 sent", "s2 sent")
}

// TestCancelledHeadFreesItsSubject: what waits behind a task that backs off goes on at once when that one is cancelled, and a task of
// another subject is not held up by a backlog however long.
func TestCancelledHeadFreesItsSubject(t *testing.T) {
	b, ctx := newBench(t), context.Background()
	b.answer = func(_ context.Context, t Task) error {
		if t.ID == "head" {
			return errors.New("busy")
		}
		return nil
	}
	b.enqueue(Task{ID: "head", Effect: Keyed, Subject: "s"})
	_, err := b.store.Change(ctx, store.Cause{}, func(tx *store.Tx) ([]byte, error) {
		for i := range 3000 {
			if err := Enqueue(ctx, tx, Task{ID: fmt.Sprint("w", i), Kind: "call", Effect: Keyed, Subject: "s"}); err != nil {
				return nil, err
			}
		}
		return nil, Enqueue(ctx, tx, Task{ID: "other", Kind: "call", Effect: Keyed, Subject: "o"})
	})
	if err != nil {
		t.Fatal(err)
	}
	b.drain(start)
	b.enqueue(Task{ID: "new", Effect: Keyed, Subject: "n"})
	b.drain(start)
	b.wantCalls("head/0", "other/0", "new/0")
	_, err = b.store.Change(ctx, store.Cause{}, func(tx *store.Tx) ([]byte, error) { return nil, Cancel(ctx, tx, "head") })
	if err != nil {
		t.Fatal(err)
	}
	for b.state("w2") != "sent" {
		if progress, err := b.runner.Step(ctx, start); err != nil || !progress {
			t.Fatalf("Step = %t, %v before w2 was sent", progress, err)
		}
	}
	b.wantCalls("head/0", "other/0", "new/0", "w0/0", "w1/0", "w2/0")
	if n := len(b.runner.retries); n != 0 {
		t.Errorf("%d refusals of tasks that are gone are remembered", n)
	}
	// A Step that could not read takes nothing away.
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := b.runner.Step(ended, start); err == nil {
		t.Error("Step with an ended context went on")
	}
	if progress, err := b.runner.Step(ctx, start); err != nil || !progress || b.calls[len(b.calls)-1] != "w3/0" {
		t.Errorf("Step = %t, %v, last call %s, want w3/0", progress, err, b.calls[len(b.calls)-1])
	}
}
