package eventlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/store"
)

// archive moves what is older than a week at the time given, whatever the readers have read, and starts the service anew.
func (s *service) archive(days int) *eventlogv1.Archive {
	s.t.Helper()
	s.store.Close()
	now := start.AddDate(0, 0, days)
	out, err := store.Archive(context.Background(), store.ArchiveOptions{Path: s.options.Path, Schema: s.options.Schema, Clock: clock.Fixed(now),
		Dir: filepath.Join(filepath.Dir(s.options.Path), "old"), Before: now, Decision: "test", Actor: "user/dev"})
	if err != nil || out.Archive == nil {
		s.t.Fatalf("archive: %+v, %v", out, err)
	}
	s.options.Clock = clock.Fixed(now)
	s.open()
	return out.Archive
}

// wait makes the service's next changes some days after the start.
func (s *service) wait(days int) {
	s.options.Clock = clock.Fixed(start.AddDate(0, 0, days))
	s.open()
}

// A reader behind what was archived stops, by whatever way it reads, and says that it must be reseeded; one at the seam and one beyond go on.
func TestReadersOfAnArchivedLog(t *testing.T) {
	ctx := context.Background()
	a := newService(t, "a")
	behind, seam, beyond, fresh := newService(t, "behind", a), newService(t, "seam", a), newService(t, "beyond", a), newService(t, "fresh", a)
	a.tell("1:k", "2:k")
	behind.mustDrain("a")
	a.tell("3:k", "4:k", "5:k")
	seam.mustDrain("a")
	a.wait(30)
	a.tell("6:k")
	beyond.mustDrain("a")
	a.tell("7:k")
	if got := a.archive(30); got.Last.Sequence != 5 {
		t.Fatalf("archived up to %d, want 5", got.Last.Sequence)
	}
	for _, s := range []*service{seam, beyond} {
		s.mustDrain("a")
		s.wantEffects("k=1 2 3 4 5 6 7")
	}
	for _, s := range []*service{behind, fresh} {
		for range 2 {
			err := s.drain("a")
			archived, ok := errors.AsType[*store.ArchivedError](err)
			if !ok || !errors.Is(err, store.ErrOutOfRange) || archived.First.Sequence != 6 {
				t.Errorf("%s: %v, want ARCHIVED with 6 left first", s.options.Schema.Service, err)
			}
		}
		row, err := s.consumers["a"].Status(ctx)
		if err != nil || !strings.Contains(row.Error, "reseeded") {
			t.Errorf("status %v, %v; want an error that says to reseed", row, err)
		}
	}
	behind.wantEffects("k=1 2")

	conn := newWire(t, NewServer(a.store, nil, nil)).conn
	client := eventlogv1.NewEventLogServiceClient(conn)
	log, err := client.GetLog(ctx, &eventlogv1.GetLogRequest{})
	if err != nil || log.First.Sequence != 6 || log.Last.Sequence != 7 {
		t.Errorf("GetLog = %v, %v; want 6 to 7", log, err)
	}
	for _, after := range []uint64{0, 1, 4} {
		p := &eventlogv1.Position{Log: "a", Epoch: 1, Sequence: after}
		at := store.PositionOf(p)
		if after == 0 {
			p, at = nil, Position{}
		}
		_, readErr := client.ReadEntries(ctx, &eventlogv1.ReadEntriesRequest{After: p})
		stream, tailErr := client.TailEntries(ctx, &eventlogv1.TailEntriesRequest{After: p})
		if tailErr == nil {
			_, tailErr = stream.Recv()
		}
		for how, err := range map[string]error{"read": readErr, "tail": tailErr} {
			if status.Code(err) != codes.OutOfRange || rpcerr.Reason(err) != "ARCHIVED" || rpcerr.From(err).Metadata["first_sequence"] != "6" {
				t.Errorf("%s after %d: %v, want ARCHIVED with first_sequence 6", how, after, err)
			}
		}
		_, _, err := Remote("a", conn).Read(ctx, at, 10)
		if archived, ok := errors.AsType[*store.ArchivedError](err); !ok || archived.First != a.store.First() {
			t.Errorf("remote after %d: %v, want ARCHIVED", after, err)
		}
	}
	entries, _, err := Remote("a", conn).Read(ctx, Position{Log: "a", Epoch: 1, Sequence: 5}, 10)
	if err != nil || len(entries) != 2 {
		t.Errorf("remote at the seam: %d entries, %v; want 2", len(entries), err)
	}
}

// What a fork of another log orphaned is found in archive files too, and when one is missing that is said.
func TestOrphansInAnArchive(t *testing.T) {
	a := newService(t, "a")
	b := newService(t, "b", a)
	a.tell("1:k")
	dir := a.save()
	a.tell("lost:k")
	b.mustDrain("a")
	b.wait(30)
	b.tell("own") // the entries before can go
	file := b.archive(30)
	if file.Last.Sequence != 2 {
		t.Fatalf("archived up to %d, want 2", file.Last.Sequence)
	}
	a.restore(dir)
	a.tell("2:k")
	var f *ForkError
	if err := b.drain("a"); !errors.As(err, &f) || f.Orphans != 1 {
		t.Fatalf("after the restore: %v, want a fork with 1 orphan", err)
	}
	if got := b.orphans("a"); !strings.HasPrefix(got, "2 by 1/2 effects/k") {
		t.Errorf("orphans %q, want entry 2 by 1/2", got)
	}
	path := filepath.Join(filepath.Dir(b.options.Path), "old", file.File)
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	b.open()
	if err := b.drain("a"); err == nil || !strings.Contains(fmt.Sprint(err), file.File) {
		t.Errorf("without the file: %v, want it named", err)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if err := b.decide("a", 2, "r1"); err != nil {
		t.Fatal(err)
	}
	b.mustDrain("a")
	b.wantEffects("k=1 lost 2")
}

// A reader that forked where the log's entries were archived up to gets the hash from the next entry.
func TestForkAtTheSeam(t *testing.T) {
	a := newService(t, "a")
	b := newService(t, "b", a)
	a.tell("1:k", "2:k")
	dir := a.save()
	a.wait(30)
	a.tell("lost:k")
	b.mustDrain("a")
	a.restore(dir)
	if _, err := a.store.Change(context.Background(), store.Cause{Principal: "user/dev"}, func(tx *store.Tx) ([]byte, error) {
		return nil, a.store.LiftFence(context.Background(), tx, 2, store.Decision{Actor: "user/dev"})
	}); err != nil {
		t.Fatal(err)
	}
	a.tell("3:k")
	if got := a.archive(60); got.Last.Sequence != 2 {
		t.Fatalf("archived up to %d, want 2", got.Last.Sequence)
	}
	var f *ForkError
	if err := b.drain("a"); !errors.As(err, &f) || f.Orphans != 1 || f.Fork.After.Sequence != 2 {
		t.Fatalf("after the restore: %v, want a fork after 2 with 1 orphan", err)
	}
	if err := b.decide("a", 2, "r1"); err != nil {
		t.Fatal(err)
	}
	b.mustDrain("a")
	b.wantEffects("k=1 2 lost 3")
}
