package eventlog

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/backup"
	"crossdock.dev/platform/store"
)

// save makes a backup of the running service.
func (s *service) save() string {
	s.t.Helper()
	snap, err := s.store.Snapshot(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	dir := filepath.Join(s.t.TempDir(), "backup")
	w, err := backup.Create(dir, snap.Backup)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := errors.Join(snap.Send(context.Background(), w), w.Finish(), snap.Close()); err != nil {
		s.t.Fatal(err)
	}
	return dir
}

// restore brings a backup back and starts the service anew.
func (s *service) restore(dir string) {
	s.t.Helper()
	s.store.Close()
	_, err := store.Restore(context.Background(), store.RestoreOptions{Dir: dir, Path: s.options.Path, Schema: s.options.Schema, Clock: s.options.Clock,
		Actor: "user/dev", Replace: true, NoSync: true})
	if err != nil {
		s.t.Fatal(err)
	}
	s.open()
}

func (s *service) orphans(log string) string {
	s.t.Helper()
	resp, err := s.server().ListOrphans(context.Background(), &eventlogv1.ListOrphansRequest{Parent: "consumers/" + log})
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, o := range resp.Orphans {
		out = append(out, fmt.Sprintf("%d by %d/%d %s %v", o.Position.Sequence, o.Cause.Epoch, o.Cause.Sequence, strings.Join(o.Records, " "), o.Reconciled))
	}
	return strings.Join(out, "; ")
}

func (s *service) server() *Server {
	var list []*Consumer
	for _, c := range s.consumers {
		list = append(list, c)
	}
	return NewServer(s.store, list, nil)
}

// decide lets a person decide about the fork.
func (s *service) decide(log string, epoch uint64, id string) error {
	cause := store.Cause{Principal: "user/alice", Method: "/ReconcileConsumer", RequestID: id, Fingerprint: []byte{byte(epoch)}}
	return s.consumers[log].Reconcile(context.Background(), cause, epoch, "called the customer")
}

// A consumer that has read no further than the copy reads on, through the fork; so does a new one.
func TestConsumerReadsThroughForks(t *testing.T) {
	a := newService(t, "a")
	b := newService(t, "b", a)
	a.tell("1:k")
	b.mustDrain("a")
	dir := a.save()
	a.tell("lost:k")
	a.restore(dir)
	a.tell("2:k")
	b.mustDrain("a")
	dir = a.save()
	a.restore(dir) // three epochs
	a.tell("3:k")
	b.open()
	b.mustDrain("a")
	b.wantEffects("k=1 2 3")
	b.wantCounts("a", 3, 3, 0, 0, 0)
	c := newService(t, "c", a)
	c.mustDrain("a")
	c.wantEffects("k=1 2 3")
	if got, want := c.consumers["a"].Read(), (Position{Log: "a", Epoch: 3, Sequence: 5}); got != want {
		t.Errorf("read up to %v, want %v", got, want)
	}
}

// One that has read further stops, lists what is orphaned, and goes on when a person has decided, once.
func TestConsumerStopsAtAFork(t *testing.T) {
	ctx := context.Background()
	a := newService(t, "a")
	b := newService(t, "b", a)
	b.bad["parked"] = errors.New("bad")
	a.tell("1:k")
	dir := a.save()
	a.tell("lost:k", "nobody:", "parked:p", "also lost:k,l")
	b.mustDrain("a")
	b.wantCounts("a", 5, 3, 1, 0, 1)
	a.restore(dir)
	a.tell("2:k", "3:p")
	for range 2 { // also after a restart
		err := b.drain("a")
		fork, ok := errors.AsType[*ForkError](err)
		if !ok || !errors.Is(err, store.ErrOutOfRange) {
			t.Fatalf("Step = %v, want a fork", err)
		}
		if fork.Orphans != 2 || fork.Waiting != 1 || fork.Fork.Epoch != 2 || fork.Fork.After.Sequence != 1 || fork.Read.Sequence != 5 {
			t.Errorf("fork = %+v, want 2 orphans, 1 waiting, epoch 2 after 1, read 5", fork)
		}
		b.open()
	}
	if err := b.drain("a"); err == nil {
		t.Fatal("went on")
	}
	row, err := b.consumers["a"].Status(ctx)
	if err != nil || row.Fork.GetEpoch() != 2 || row.Orphans != 3 || row.Error == "" {
		t.Errorf("status = %v, %v", row, err)
	}
	want := "2 by 1/2 effects/k false; 4 by 1/5 effects/k effects/l false"
	if got := b.orphans("a"); got != want {
		t.Errorf("orphans = %s, want %s", got, want)
	}
	if err := b.decide("a", 3, "r0"); !errors.Is(err, ErrOtherFork) {
		t.Errorf("a decision about another fork = %v", err)
	}
	for range 2 { // and a repeat of the request
		if err := b.decide("a", 2, "r1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.decide("a", 2, "r2"); !errors.Is(err, ErrNotForked) {
		t.Errorf("a second decision = %v", err)
	}
	b.mustDrain("a")
	b.wantEffects("k=1 lost also lost 2", "l=also lost", "p=3") // the orphaned effects stand
	b.wantCounts("a", 7, 5, 2, 0, 0)
	if got := b.orphans("a"); got != strings.ReplaceAll(want, "false", "true") {
		t.Errorf("orphans afterwards = %s", got)
	}
	row, err = b.consumers["a"].Status(ctx)
	if err != nil || row.Fork != nil || len(row.Decisions) != 1 || row.Decisions[0].Actor != "user/alice" || row.Decisions[0].Dropped != 1 || row.Decisions[0].Orphans != 2 {
		t.Errorf("status afterwards = %v, %v", row, err)
	}
	b.open()
	b.mustDrain("a")
	report, err := b.store.Verify(ctx)
	if err != nil || len(report.Breaches) > 0 {
		t.Errorf("Verify = %q, %v", report.Breaches, err)
	}
}

// Facts that did not concern the reader leave nothing behind: it goes on by itself.
func TestConsumerThatOnlyIgnoredGoesOn(t *testing.T) {
	a := newService(t, "a")
	b := newService(t, "b", a)
	a.tell("1:k")
	dir := a.save()
	for range saveEvery + 1 { // far enough that the cursor is stored
		a.tell("nobody:")
	}
	b.mustDrain("a")
	a.tell("nobody:")
	b.mustDrain("a")
	a.restore(dir)
	a.tell("2:k")
	b.mustDrain("a")
	b.wantEffects("k=1 2")
	if got := b.orphans("a"); got != "" {
		t.Errorf("orphans = %s", got)
	}
}

// An entry with many facts, of which some took effect, is no more: the rest of another entry must not be taken for its rest.
func TestForkInTheMiddleOfAnEntry(t *testing.T) {
	a := newService(t, "a")
	b := newService(t, "b", a)
	a.tell("1:k")
	dir := a.save()
	a.tell("x:k+y:k")
	b.bad["y"] = Transient(errors.New("disk is busy"))
	if err := b.drain("a"); !isTransient(err) {
		t.Fatal(err)
	}
	a.restore(dir)
	a.tell("2:k")
	err := b.drain("a")
	if fork, ok := errors.AsType[*ForkError](err); !ok || fork.Orphans != 1 {
		t.Fatalf("Step = %v, want a fork with one orphan", err)
	}
	if err := b.decide("a", 2, "r"); err != nil {
		t.Fatal(err)
	}
	b.mustDrain("a")
	b.wantEffects("k=1 x 2")
}

// The log is restored a second time, to before the first fork, while a person has not decided yet, and after.
func TestForkedTwice(t *testing.T) {
	a := newService(t, "a")
	b, c := newService(t, "b", a), newService(t, "c", a)
	a.tell("1:k")
	early := a.save()
	a.tell("2:k")
	late := a.save()
	a.tell("3:k")
	b.mustDrain("a")
	c.mustDrain("a")
	a.restore(late) // epoch 2 after 2
	a.tell("4:k")
	if err := b.drain("a"); err == nil {
		t.Fatal("went on")
	}
	if err := b.decide("a", 2, "r1"); err != nil {
		t.Fatal(err)
	}
	b.mustDrain("a")
	b.wantEffects("k=1 2 3 4")
	a.restore(early) // epoch 3 after 1
	a.tell("5:k")
	for _, s := range []*service{b, c} {
		err := s.drain("a")
		fork, ok := errors.AsType[*ForkError](err)
		if !ok || fork.Fork.Epoch != 3 || fork.Fork.After != (Position{Log: "a", Epoch: 1, Sequence: 1}) {
			t.Fatalf("Step of %s = %v, want the fork after 1", s.store.Service(), err)
		}
		if err := s.decide("a", 3, "r3"); err != nil {
			t.Fatal(err)
		}
		s.mustDrain("a")
	}
	b.wantEffects("k=1 2 3 4 5")
	c.wantEffects("k=1 2 3 5")
}

// A log that is another one altogether is not taken for a restored one.
func TestForkOfAnotherLog(t *testing.T) {
	a := newService(t, "a")
	b := newService(t, "b", a)
	other := newService(t, "a")
	other.tell("other:k")
	dir := other.save()
	a.tell("1:k", "2:k", "3:k")
	b.mustDrain("a")
	a.restore(dir)
	if err := b.drain("a"); !errors.Is(err, ErrBrokenFeed) {
		t.Errorf("Step = %v, want a broken feed", err)
	}
	if err := b.decide("a", 2, "r"); !errors.Is(err, ErrBrokenFeed) {
		t.Errorf("Reconcile = %v, want a broken feed", err)
	}
}

// A fact that draws a number waits while the series is fenced, and nothing of it is parked.
func TestFencedSeriesHoldUpTheirFacts(t *testing.T) {
	a := newService(t, "a")
	b := newService(t, "b", a)
	a.tell("1:k", "2:k")
	b.bad["1"] = fmt.Errorf("invoice: %w", &store.FencedError{Series: "n"})
	if err := b.drain("a"); !errors.Is(err, store.ErrFenced) {
		t.Errorf("Step = %v, want that the series is fenced", err)
	}
	b.wantCounts("a", 0, 0, 0, 0, 0)
	b.bad = nil
	b.mustDrain("a")
	b.wantEffects("k=1 2")
}
