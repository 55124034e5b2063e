package tasks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/store"
)

// told are the facts of the log: which task waits for a person, and which does no more.
func (b *bench) told() (out []string) {
	b.t.Helper()
	entries, _, err := b.store.ReadLog(context.Background(), store.Position{}, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		head := &eventlogv1.Head{}
		if err := proto.Unmarshal(e.Head, head); err != nil {
			b.t.Fatal(err)
		}
		for _, f := range head.GetFacts() {
			m, err := f.GetPayload().UnmarshalNew()
			if err != nil {
				b.t.Fatal(err)
			}
			switch m := m.(type) {
			case *eventlogv1.TaskStopped:
				out = append(out, fmt.Sprintf("%s %s: %s %q", f.GetSubject(), m.GetTask().GetState(), m.GetTask().GetLastError(), f.GetRelated()))
			case *eventlogv1.TaskReleased:
				out = append(out, fmt.Sprintf("%s released, dropped %t", f.GetSubject(), m.GetDropped()))
			}
		}
	}
	return out
}

func (b *bench) wantTold(want ...string) {
	b.t.Helper()
	if got := b.told(); !slices.Equal(got, want) {
		b.t.Errorf("told %q, want %q", got, want)
	}
}

func (b *bench) change(fn func(tx *store.Tx) error) {
	b.t.Helper()
	if _, err := b.store.Change(context.Background(), store.Cause{}, func(tx *store.Tx) ([]byte, error) { return nil, fn(tx) }); err != nil {
		b.t.Fatal(err)
	}
}

// Readers of the log hear once of each task that waits for a person, and once when it does no more; of others they hear nothing.
func TestStoppedTasksAreTold(t *testing.T) {
	b, ctx := newBench(t), context.Background()
	b.answer = func(_ context.Context, t Task) error {
		switch t.ID {
		case "lost":
			return errors.New("connection reset")
		case "refused":
			return Permanent(errors.New("no such load"))
		case "busy":
			return NotDone(errors.New("busy"))
		}
		return nil
	}
	b.enqueue(Task{ID: "well", Effect: Neither}, Task{ID: "busy", Effect: Neither}, Task{ID: "lost", Effect: Neither, Subject: "loads/1", Related: []string{"po:1"}},
		Task{ID: "refused", Effect: Keyed, Related: []string{"po:2"}})
	for range 3 { // a program that starts anew says nothing twice
		b.drain(start)
		b.open()
	}
	want := []string{`tasks/lost IN_DOUBT: connection reset ["loads/1" "po:1"]`, `tasks/refused FAILED: no such load ["po:2"]`}
	b.wantTold(want...)
	b.answer = nil
	b.retry("lost")
	b.change(func(tx *store.Tx) error { _, err := Drop(ctx, tx, "refused"); return err })
	b.drain(start)
	b.wantTold(append(want, "tasks/lost released, dropped false", "tasks/refused released, dropped true")...)
	b.wantStates("well sent", "busy sent", "lost sent", "refused gone")
}

// The program ends during an attempt that must not be repeated: the next one tells of it, and not before it has begun to work.
func TestAttemptThatNobodySurvivedIsTold(t *testing.T) {
	b := newBench(t)
	ctx, kill := context.WithCancel(context.Background())
	b.answer = func(context.Context, Task) error { kill(); return errors.New("connection lost") }
	b.enqueue(Task{ID: "a", Effect: Neither})
	if _, err := b.runner.Step(ctx, start); !errors.Is(err, context.Canceled) {
		t.Fatalf("Step of a program that stops: %v", err)
	}
	b.wantTold()
	for range 2 {
		b.open()
		b.drain(start)
		b.wantTold("tasks/a IN_DOUBT: the program ended during the attempt []")
	}
	b.change(func(tx *store.Tx) error { return Cancel(context.Background(), tx, "a") })
	b.wantTold("tasks/a IN_DOUBT: the program ended during the attempt []", "tasks/a released, dropped true")
	b.wantStates("a gone")
}

// What an attempt needs is made ready before it is remembered: as long as that fails there was no attempt, and afterwards it is not made
// ready again, until a person asks for the task anew.
func TestPrepare(t *testing.T) {
	b := newBench(t)
	ready, prepared := errors.New("the folder is away"), 0
	open := func() {
		b.open()
		b.runner.c.Prepare = map[string]func(context.Context, Task) error{"call": func(_ context.Context, t Task) error {
			if prepared++; t.Attempts != 0 {
				b.t.Errorf("prepared after %d attempts", t.Attempts)
			}
			return ready
		}}
	}
	open()
	b.enqueue(Task{ID: "a", Effect: Lookup})
	b.drain(start)
	b.wantCalls()
	b.wantStates("a pending")
	ready = nil
	b.answer = func(context.Context, Task) error { return errors.New("busy") }
	open()
	b.drain(start)
	b.answer = func(context.Context, Task) error { return InDoubt(errors.New("nobody knows")) }
	open()
	b.drain(start)
	b.wantCalls("a/0", "a/1")
	b.wantStates("a in doubt")
	if prepared != 2 {
		t.Errorf("prepared %d times, want one that failed and one that did not", prepared)
	}
	b.answer = nil
	b.retry("a")
	b.drain(start)
	b.wantCalls("a/0", "a/1", "a/0")
	if prepared != 3 {
		t.Errorf("prepared %d times, want once more after a person has asked", prepared)
	}
}

// What a person knows of a task is recorded in the change that takes it off the list, or not at all.
func TestDropRecordsTheDecision(t *testing.T) {
	b, ctx := newBench(t), context.Background()
	b.runner.c.Dropped = map[string]func(context.Context, Task, Decision) (Done, error){"call": func(_ context.Context, t Task, d Decision) (Done, error) {
		if !d.WentThrough {
			return nil, nil
		}
		return func(ctx context.Context, tx *store.Tx) error { return tx.Put(ctx, sent, []byte(t.ID), []byte(d.Note)) }, nil
	}}
	b.answer = func(context.Context, Task) error { return errors.New("connection reset") }
	b.enqueue(Task{ID: "arrived", Effect: Neither}, Task{ID: "lost", Effect: Neither}, Task{ID: "again", Effect: Neither}, Task{ID: "pending", Effect: Keyed, Due: start.AddDate(1, 0, 0)})
	b.drain(start)
	for id, want := range map[string]error{"arrived": nil, "lost": nil, "pending": ErrNotStopped, "unknown": store.ErrNotFound, "again": ErrNotStopped} {
		drop, err := b.runner.Drop(ctx, id, Decision{WentThrough: id != "lost", Note: "seen"})
		if err != nil {
			t.Fatal(err)
		}
		if id == "again" { // somebody else decided meanwhile
			b.retry(id)
		}
		_, err = b.store.Change(ctx, store.Cause{}, func(tx *store.Tx) ([]byte, error) { _, err := drop(ctx, tx); return nil, err })
		if !errors.Is(err, want) {
			t.Errorf("drop %s: %v, want %v", id, err, want)
		}
	}
	b.wantStates("arrived sent", "lost gone", "again pending", "pending pending")
}
