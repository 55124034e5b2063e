package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/backup"
	"crossdock.dev/platform/clock"
)

var numbers = &Bucket{Name: "numbers", Kind: Record, Doc: "series → last number, one byte"}

// seriesSchema is a service with one number series, "n", and documents.
func seriesSchema() Schema {
	s := testSchema()
	s.Buckets = append(s.Buckets, numbers)
	s.Series = func(ctx context.Context, r Reader) (map[string]uint64, error) {
		out := map[string]uint64{}
		return out, Each(ctx, r, numbers, nil, func(kv KV) error {
			out[string(kv.Key)] = uint64(kv.Value[0])
			return nil
		})
	}
	return s
}

func draw(ctx context.Context, tx *Tx, series string) (uint64, error) {
	last, err := tx.Get(ctx, numbers, []byte(series))
	if errors.Is(err, ErrNotFound) {
		last, err = []byte{0}, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := NextNumber(ctx, tx, series, uint64(last[0])+1)
	if err != nil {
		return 0, err
	}
	return n, tx.Put(ctx, numbers, []byte(series), []byte{byte(n)})
}

func backupOptions(t testing.TB) Options {
	o := testOptions(filepath.Join(t.TempDir(), "things.db"))
	o.Schema = seriesSchema()
	return o
}

// writeBackup writes a backup of a snapshot into a new folder.
func writeBackup(t testing.TB, snap *Snapshot, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	dir := filepath.Join(t.TempDir(), "backup")
	w, err := backup.Create(dir, snap.Backup)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(snap.Send(context.Background(), w), w.Finish()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func restoreOptions(o Options, dir string) RestoreOptions {
	return RestoreOptions{Dir: dir, Path: o.Path, Schema: o.Schema, Clock: o.Clock, Actor: "user/dev", Replace: true, NoSync: true}
}

func restore(t testing.TB, o RestoreOptions) Restored {
	t.Helper()
	r, err := Restore(context.Background(), o)
	if err != nil {
		t.Fatalf("Restore: %v", err)
	}
	return r
}

func put(t testing.TB, s *Store, keys ...string) {
	t.Helper()
	for _, k := range keys {
		mustChange(t, s, request("put "+k), func(tx *Tx) error { return putThing(context.Background(), tx, k, "value of "+k) })
	}
}

func document(t testing.TB, o Options, text string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	name := hex.EncodeToString(sum[:])
	dir := filepath.Join(filepath.Dir(o.Path), backup.Documents)
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

func thingsOf(t testing.TB, s *Store) string {
	t.Helper()
	var out []string
	err := s.View(context.Background(), func(r Reader) error {
		return Each(context.Background(), r, things, nil, func(kv KV) error {
			out = append(out, string(kv.Key))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

// A restore brings back what the copy had, with documents, in a new epoch that goes on with the sequence.
func TestRestoreBeginsAnEpoch(t *testing.T) {
	ctx := context.Background()
	o := backupOptions(t)
	s := openTest(t, o)
	put(t, s, "a", "b")
	kept := document(t, o, "an invoice")
	at, hash := s.LastHash()
	snap, err := s.Snapshot(context.Background())
	dir := writeBackup(t, snap, err)
	put(t, s, "c", "d") // lost
	lost, uid := s.Last(), s.UID()
	if err := errors.Join(s.Close(), os.Remove(kept)); err != nil {
		t.Fatal(err)
	}
	r := restore(t, restoreOptions(o, dir))
	if want := (Fork{2, at, hash}); !r.Fork.equal(want) {
		t.Errorf("fork = %+v, want %+v", r.Fork, want)
	}
	if text, err := os.ReadFile(kept); string(text) != "an invoice" {
		t.Errorf("document = %q, %v", text, err)
	}
	s = openTest(t, o)
	if got := thingsOf(t, s); got != "a b" || s.UID() != uid {
		t.Errorf("things = %q, uid %s, want what the copy had: a b, %s", got, s.UID(), uid)
	}
	out := mustChange(t, s, request("put c"), func(tx *Tx) error { return putThing(ctx, tx, "c", "anew") })
	if want := (Position{Log: "things", Epoch: 2, Sequence: 4}); out.Position != want || out.Repeated {
		t.Errorf("the lost request again: %+v, want it made at %v", out, want)
	}
	if out := mustChange(t, s, request("put a"), func(*Tx) error { return errors.New("made twice") }); out.Position != (Position{Log: "things", Epoch: 1, Sequence: 1}) || !out.Repeated {
		t.Errorf("a request that the copy knows: %+v, want the first answer at things/1/1", out)
	}
	// Reads from before the fork go on through it; from after it they are refused by name.
	entries, _, err := s.ReadLog(ctx, Position{Log: "things", Epoch: 1, Sequence: 1}, 0)
	var epochs []string
	for _, e := range entries {
		epochs = append(epochs, fmt.Sprint(e.Position.Epoch, "/", e.Position.Sequence))
	}
	if got := strings.Join(epochs, " "); err != nil || got != "1/2 2/3 2/4" {
		t.Errorf("entries = %s, %v, want 1/2 2/3 2/4", got, err)
	}
	for _, p := range []Position{lost, {Log: "things", Epoch: 1, Sequence: 3}} {
		_, _, err = s.ReadLog(ctx, p, 0)
		forked, ok := errors.AsType[*ForkedError](err)
		if !ok || !forked.Fork.equal(r.Fork) || !errors.Is(err, ErrOutOfRange) {
			t.Errorf("ReadLog(%v) = %v, want that it is no more since %+v", p, err, r.Fork)
		}
		if err := s.Wait(ctx, p); !errors.Is(err, ErrOutOfRange) {
			t.Errorf("Wait(%v) = %v, want out of range", p, err)
		}
	}
	if err := s.Wait(ctx, at); err != nil {
		t.Errorf("Wait(%v) = %v", at, err)
	}
	wantClean(t, s)
	if _, err := os.Stat(r.Replaced); err != nil {
		t.Errorf("the store that was replaced: %v", err)
	}
}

// Restored again and again, from the same copy and from one of a later epoch, no epoch is used twice.
func TestRestoreTwiceAndThrice(t *testing.T) {
	o := backupOptions(t)
	s := openTest(t, o)
	put(t, s, "a")
	snap, err := s.Snapshot(context.Background())
	first := writeBackup(t, snap, err)
	put(t, s, "b")
	s.Close()
	restore(t, restoreOptions(o, first))
	s = openTest(t, o)
	put(t, s, "c")
	second := s.Last()
	s.Close()
	again := restore(t, restoreOptions(o, first)) // epoch 2 is known from the store that is replaced
	if again.Fork.Epoch != 3 || again.Fork.After != (Position{Log: "things", Epoch: 1, Sequence: 1}) {
		t.Fatalf("restored again: %+v, want epoch 3 after things/1/1", again.Fork)
	}
	s = openTest(t, o)
	put(t, s, "d")
	if _, _, err := s.ReadLog(context.Background(), second, 0); !errors.Is(err, ErrOutOfRange) {
		t.Errorf("ReadLog(%v) of an epoch that is no more = %v", second, err)
	}
	s.Close()
	snap, err = SnapshotFile(o.Path, o.Schema)
	third := writeBackup(t, snap, err)
	if err := os.Remove(o.Path); err != nil {
		t.Fatal(err)
	}
	ro := restoreOptions(o, third)
	ro.AfterEpoch = 7 // others have seen it
	r := restore(t, ro)
	if r.Fork.Epoch != 8 || r.Replaced != "" {
		t.Errorf("restored with epoch 7 known: %+v, want 8", r)
	}
	s = openTest(t, o)
	put(t, s, "e")
	line := s.Line()
	if len(line) != 2 || line[0].Epoch != 3 || line[1].Epoch != 8 || line[1].After != (Position{Log: "things", Epoch: 3, Sequence: 3}) {
		t.Errorf("line = %+v, want epoch 3 after 1 and epoch 8 after 3", line)
	}
	for sequence, epoch := range map[uint64]uint64{1: 1, 2: 3, 3: 3, 4: 8, 9: 8} {
		if got := line.epochAt(sequence); got != epoch {
			t.Errorf("epoch of %d = %d, want %d", sequence, got, epoch)
		}
	}
	if got := thingsOf(t, s); got != "a d e" {
		t.Errorf("things = %s", got)
	}
	wantClean(t, s)
}

func TestRestoreOfAnEmptyStore(t *testing.T) {
	o := backupOptions(t)
	s := openTest(t, o)
	snap, err := s.Snapshot(context.Background())
	dir := writeBackup(t, snap, err)
	s.Close()
	restore(t, restoreOptions(o, dir))
	s = openTest(t, o)
	put(t, s, "a")
	entries, _, err := s.ReadLog(context.Background(), Position{}, 0)
	if err != nil || len(entries) != 2 || entries[0].Position != (Position{Log: "things", Epoch: 2, Sequence: 1}) {
		t.Errorf("ReadLog = %v, %v, want two entries of epoch 2", entries, err)
	}
	wantClean(t, s)
}

// Nothing is put in place that is not what was copied; what is there stays.
func TestRestoreRefuses(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string, o *RestoreOptions)
		want  string
	}{
		"a flipped bit in the store": {func(t *testing.T, dir string, _ *RestoreOptions) {
			flipBit(t, filepath.Join(dir, backup.StoreFile), 9000)
		}, "damaged"},
		"a flipped bit in a document": {func(t *testing.T, dir string, _ *RestoreOptions) {
			docs, _ := filepath.Glob(filepath.Join(dir, backup.Documents, "*"))
			flipBit(t, docs[0], 0)
		}, "damaged"},
		"a flipped bit in backup.json": {func(t *testing.T, dir string, _ *RestoreOptions) {
			p := filepath.Join(dir, "backup.json")
			text, _ := os.ReadFile(p)
			if err := os.WriteFile(p, bytes.Replace(text, []byte("things"), []byte("thinks"), 1), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "do not agree"},
		"a missing document": {func(t *testing.T, dir string, _ *RestoreOptions) {
			if err := os.RemoveAll(filepath.Join(dir, backup.Documents)); err != nil {
				t.Fatal(err)
			}
		}, "damaged"},
		"a copy that did not end": {func(t *testing.T, dir string, _ *RestoreOptions) {
			if err := os.Remove(filepath.Join(dir, "SHA256SUMS")); err != nil {
				t.Fatal(err)
			}
		}, "not a whole backup"},
		"another service":          {func(_ *testing.T, _ string, o *RestoreOptions) { o.Schema.Service = "others" }, `of service "things"`},
		"a later schema":           {func(_ *testing.T, _ string, o *RestoreOptions) { o.Schema.Version = 1 }, "later program"},
		"no permission to replace": {func(_ *testing.T, _ string, o *RestoreOptions) { o.Replace = false }, ErrStoreExists.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			o := backupOptions(t)
			o.Schema.Version = 2
			s := openTest(t, o)
			put(t, s, "a")
			document(t, o, "an invoice")
			snap, err := s.Snapshot(context.Background())
			dir := writeBackup(t, snap, err)
			put(t, s, "b")
			s.Close()
			before := contents(t, o.Path)
			ro := restoreOptions(o, dir)
			c.spoil(t, dir, &ro)
			if _, err := Restore(ctx, ro); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Restore = %v, want a refusal with %q", err, c.want)
			}
			if after := contents(t, o.Path); len(after) != len(before) {
				t.Errorf("the store has %d rows, had %d", len(after), len(before))
			}
			left, _ := filepath.Glob(filepath.Join(filepath.Dir(o.Path), ".restore-*"))
			if len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func flipBit(t *testing.T, path string, at int64) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A service that runs is not pulled away from under its feet.
func TestRestoreOverARunningStore(t *testing.T) {
	o := backupOptions(t)
	s := openTest(t, o)
	put(t, s, "a")
	snap, err := s.Snapshot(context.Background())
	dir := writeBackup(t, snap, err)
	ro := restoreOptions(o, dir)
	if _, err := Restore(context.Background(), ro); !errors.Is(err, ErrInUse) {
		t.Errorf("Restore = %v, want that the store is in use", err)
	}
	put(t, s, "b")
}

// A restore that ends in the middle leaves the old store; the next one works.
func TestRestoreInterrupted(t *testing.T) {
	o := backupOptions(t)
	s := openTest(t, o)
	put(t, s, "a")
	document(t, o, "an invoice")
	snap, err := s.Snapshot(context.Background())
	dir := writeBackup(t, snap, err)
	put(t, s, "b")
	s.Close()
	ctx, stop := context.WithCancel(context.Background())
	ro := restoreOptions(o, dir)
	ro.Progress = func(int64) { stop() }
	if _, err := Restore(ctx, ro); !errors.Is(err, context.Canceled) {
		t.Errorf("Restore = %v", err)
	}
	s = openTest(t, o)
	if got := thingsOf(t, s); got != "a b" {
		t.Errorf("things = %s, want those of the old store", got)
	}
	s.Close()
	restore(t, restoreOptions(o, dir))
	s = openTest(t, o)
	if got := thingsOf(t, s); got != "a" {
		t.Errorf("things = %s, want those of the copy", got)
	}
}

// A restore that was killed between keeping the old store under a second name and putting the new one in its place has changed nothing
// yet; what it left behind is cleared away.
func TestRestoreKilledBeforeTheLastStep(t *testing.T) {
	o := backupOptions(t)
	s := openTest(t, o)
	put(t, s, "a")
	snap, err := s.Snapshot(context.Background())
	dir := writeBackup(t, snap, err)
	put(t, s, "b")
	s.Close()
	folder := filepath.Dir(o.Path)
	if err := errors.Join(os.Link(o.Path, o.Path+".replaced-then"), os.WriteFile(filepath.Join(folder, ".restore-1"), []byte("half"), 0o600)); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, o)
	if got := thingsOf(t, s); got != "a b" {
		t.Errorf("things = %s, want those of the old store", got)
	}
	s.Close()
	r := restore(t, restoreOptions(o, dir))
	s = openTest(t, o)
	if got := thingsOf(t, s); got != "a" {
		t.Errorf("things = %s, want those of the copy", got)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, ".restore-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	report, err := Verify(context.Background(), r.Replaced, o.Schema)
	if err != nil || len(report.Breaches) > 0 || report.Entries != 2 {
		t.Errorf("the old store: %+v, %v, want two entries and whole", report, err)
	}
}

// A damaged store can be replaced; its epoch is not known then.
func TestRestoreOverADamagedStore(t *testing.T) {
	o := backupOptions(t)
	s := openTest(t, o)
	put(t, s, "a")
	snap, err := s.Snapshot(context.Background())
	dir := writeBackup(t, snap, err)
	s.Close()
	if err := os.WriteFile(o.Path, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := restore(t, restoreOptions(o, dir))
	s = openTest(t, o)
	if got := thingsOf(t, s); got != "a" || r.Fork.Epoch != 2 {
		t.Errorf("things = %s, epoch %d", got, r.Fork.Epoch)
	}
}

// The copy is one moment of a store that goes on changing.
func TestSnapshotUnderLoad(t *testing.T) {
	o := backupOptions(t)
	s := openTest(t, o)
	put(t, s, "first")
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				done <- n
				return
			default:
			}
			_, err := s.Change(context.Background(), request(fmt.Sprint("n", n)), func(tx *Tx) ([]byte, error) {
				return nil, putThing(context.Background(), tx, fmt.Sprint("thing", n), "v")
			})
			if err != nil {
				t.Error(err)
			}
		}
	}()
	var dirs []string
	for range 3 {
		snap, err := s.Snapshot(context.Background())
		dirs = append(dirs, writeBackup(t, snap, err))
	}
	close(stop)
	if n := <-done; n == 0 {
		t.Error("no change was made meanwhile")
	}
	for _, dir := range dirs {
		b, err := backup.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		report, err := Verify(context.Background(), filepath.Join(dir, backup.StoreFile), o.Schema)
		if err != nil || len(report.Breaches) > 0 || report.Entries != b.Last.GetSequence() {
			t.Errorf("copy: %d entries, %q, %v, want %d and whole", report.Entries, report.Breaches, err, b.Last.GetSequence())
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(o.Path), ".backup-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// A number that may have been given in the lost part is not given again, and no series gives one before a person has decided.
func TestSeriesFence(t *testing.T) {
	ctx := context.Background()
	o := backupOptions(t)
	s := openTest(t, o)
	drawn := map[uint64]bool{}
	next := func(series string) (n uint64, err error) {
		_, err = s.Change(ctx, Cause{Principal: "user/dev"}, func(tx *Tx) ([]byte, error) {
			n, err = draw(ctx, tx, series)
			return nil, err
		})
		return n, err
	}
	must := func(series string) uint64 {
		t.Helper()
		n, err := next(series)
		if err != nil {
			t.Fatalf("draw of %s: %v", series, err)
		}
		if series == "n" && drawn[n] {
			t.Errorf("number %d was drawn twice", n)
		}
		drawn[n] = true
		return n
	}
	decide := func(fn func(*Tx) error) error {
		_, err := s.Change(ctx, Cause{Principal: "user/dev"}, func(tx *Tx) ([]byte, error) { return nil, fn(tx) })
		return err
	}
	d := Decision{"user/alice", "looked at the printer's tray", start}
	open := func(series string, n uint64) error {
		return decide(func(tx *Tx) error { return s.OpenSeries(ctx, tx, series, n, d) })
	}
	if err := open("n", 5); !errors.Is(err, ErrNotFenced) {
		t.Errorf("OpenSeries of a store that was never restored = %v", err)
	}
	must("n")
	must("n")
	must("m")
	snap, err := s.Snapshot(context.Background())
	dir := writeBackup(t, snap, err)
	must("n") // 3, lost
	s.Close()
	restore(t, restoreOptions(o, dir))
	s = openTest(t, o)
	for _, series := range []string{"n", "m", "new"} {
		if _, err := next(series); !errors.Is(err, ErrFenced) {
			t.Errorf("draw of %s = %v, want fenced", series, err)
		}
	}
	if err := open("n", 2); !errors.Is(err, ErrNumberGiven) {
		t.Errorf("OpenSeries at a number that is given = %v", err)
	}
	if err := open("n", 6); err != nil {
		t.Fatal(err)
	}
	if err := open("n", 9); !errors.Is(err, ErrNotFenced) {
		t.Errorf("OpenSeries of an open series = %v", err)
	}
	if n := must("n"); n != 6 {
		t.Errorf("drawn %d, want 6", n)
	}
	if n := must("n"); n != 7 {
		t.Errorf("drawn %d, want 7", n)
	}
	if _, err := next("m"); !errors.Is(err, ErrFenced) {
		t.Errorf("draw of m = %v, want fenced still", err)
	}
	show := func() string {
		var out []string
		err := s.View(ctx, func(r Reader) error {
			f, err := s.Fence(ctx, r)
			out = append(out, fmt.Sprintf("up %v epoch %d", f.GetUp(), f.GetFork().GetEpoch()))
			for _, x := range f.GetSeries() {
				line := fmt.Sprintf("%s next %d fenced %v", x.Name, x.Next, x.Fenced)
				for _, v := range x.Voids {
					line += fmt.Sprintf(" void %d-%d by %s", v.From, v.To, v.Actor)
				}
				out = append(out, line)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(out, "; ")
	}
	if got, want := show(), "up true epoch 2; m next 2 fenced true; n next 8 fenced false void 3-5 by user/alice"; got != want {
		t.Errorf("fence = %s, want %s", got, want)
	}
	if err := decide(func(tx *Tx) error { return s.LiftFence(ctx, tx, 1, d) }); !errors.Is(err, ErrOtherEpoch) {
		t.Errorf("LiftFence of another epoch = %v", err)
	}
	if err := decide(func(tx *Tx) error { return s.LiftFence(ctx, tx, 2, d) }); err != nil {
		t.Fatal(err)
	}
	if n := must("m"); n != 2 {
		t.Errorf("m after the fence = %d, want 2", n)
	}
	if n := must("new"); n != 1 {
		t.Errorf("new after the fence = %d, want 1", n)
	}
	wantClean(t, s)
	// The next restore fences what was opened for this one.
	snap, err = s.Snapshot(context.Background())
	dir = writeBackup(t, snap, err)
	s.Close()
	restore(t, restoreOptions(o, dir))
	s = openTest(t, o)
	if _, err := next("n"); !errors.Is(err, ErrFenced) {
		t.Errorf("draw of n after a second restore = %v", err)
	}
	if err := open("n", 8); err != nil {
		t.Fatal(err)
	}
	if n := must("n"); n != 8 {
		t.Errorf("drawn %d, want 8", n)
	}
	wantClean(t, s)
}

// What waited in the copy may have been done since: each effect class has its way.
func TestTasksAreFenced(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		later time.Duration
		keyed string
	}{
		"a fresh copy":                 {time.Hour, "PENDING 0"},
		"one older than keys are kept": {causeDays * 24 * time.Hour, "IN_DOUBT 0"},
	} {
		t.Run(name, func(t *testing.T) {
			o := backupOptions(t)
			now := clock.NewManual(start)
			o.Clock = now
			s := openTest(t, o)
			add := func(id string, effect storagev1.TaskRecord_Effect) {
				t.Helper()
				mustChange(t, s, Cause{Principal: "user/dev"}, func(tx *Tx) error {
					return PutTask(ctx, tx, id, &storagev1.TaskRecord{Kind: "k", Subject: id, Effect: effect, State: eventlogv1.Task_PENDING})
				})
			}
			add("keyed", storagev1.TaskRecord_KEYED)
			add("lookup", storagev1.TaskRecord_LOOKUP)
			add("neither", storagev1.TaskRecord_NEITHER)
			snap, err := s.Snapshot(context.Background())
			dir := writeBackup(t, snap, err)
			s.Close()
			now.Set(start.Add(c.later))
			restore(t, restoreOptions(o, dir))
			s = openTest(t, o)
			add("new keyed", storagev1.TaskRecord_KEYED)
			add("new lookup", storagev1.TaskRecord_LOOKUP)
			mustChange(t, s, Cause{Principal: "user/dev"}, func(tx *Tx) error {
				return s.LiftFence(ctx, tx, 2, Decision{"user/dev", "all is seen", start})
			})
			add("free lookup", storagev1.TaskRecord_LOOKUP)
			for id, want := range map[string]string{"keyed": c.keyed, "lookup": "PENDING 1", "neither": "IN_DOUBT 0", "new keyed": "PENDING 0",
				"new lookup": "IN_DOUBT 1", "free lookup": "PENDING 0"} {
				rec := &storagev1.TaskRecord{}
				if err := s.View(ctx, func(r Reader) error { return GetProto(ctx, r, Tasks, []byte(id), rec) }); err != nil {
					t.Fatal(err)
				}
				if got := fmt.Sprint(rec.State, " ", rec.Attempts); got != want {
					t.Errorf("%s: %s, want %s", id, got, want)
				}
			}
			wantClean(t, s)
		})
	}
}

// A program that knows one epoch alone refuses the store instead of going on in the wrong one.
func TestRestoredStoreIsOfAnotherFormat(t *testing.T) {
	o := backupOptions(t)
	s := openTest(t, o)
	put(t, s, "a")
	snap, err := s.Snapshot(context.Background())
	dir := writeBackup(t, snap, err)
	s.Close()
	row := func(path string) string {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var out string
		err = db.View(func(btx *bbolt.Tx) error {
			data, err := getMeta(btx, metaFormat)
			out = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := row(o.Path); got != "crossdock-store-1" {
		t.Errorf("format before = %s, want the first, which release v0.1.0 opens", got)
	}
	restore(t, restoreOptions(o, dir))
	if got := row(o.Path); got != "crossdock-store-2" {
		t.Errorf("format after = %s, want one that release v0.1.0 refuses", got)
	}
}

// A forged fork, or an epoch that begins without one, is found by verify.
func TestVerifyChecksForks(t *testing.T) {
	ctx := context.Background()
	o := backupOptions(t)
	s := openTest(t, o)
	put(t, s, "a")
	snap, err := s.Snapshot(context.Background())
	dir := writeBackup(t, snap, err)
	s.Close()
	restore(t, restoreOptions(o, dir))
	for name, forge := range map[string]func(h *eventlogv1.Head){
		"no fork":         func(h *eventlogv1.Head) { h.Fork = nil },
		"other hash":      func(h *eventlogv1.Head) { h.Fork.Hash[0] ^= 1 },
		"other place":     func(h *eventlogv1.Head) { h.Fork.After.Sequence++ },
		"other epoch":     func(h *eventlogv1.Head) { h.Fork.Epoch++ },
		"epoch goes back": func(h *eventlogv1.Head) { h.Fork.Epoch, h.Position.Epoch = 1, 1 },
	} {
		t.Run(name, func(t *testing.T) {
			path := copyFile(t, o.Path)
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(btx *bbolt.Tx) error {
				log := btx.Bucket([]byte(logBucket))
				data, err := unseal(logBucket, Key(uint64(2)), log.Get(Key(uint64(2))))
				if err != nil {
					return err
				}
				e, err := decodeEntry(data)
				if err != nil {
					return err
				}
				forge(e.head)
				if err := e.marshal(); err != nil {
					return err
				}
				return log.Put(Key(uint64(2)), e.stored)
			})
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			report, err := Verify(ctx, path, o.Schema)
			if err != nil || len(report.Breaches) == 0 || !strings.Contains(report.Breaches[0], "entry 2") {
				t.Errorf("Verify = %q, %v, want a breach at entry 2", report.Breaches, err)
			}
		})
	}
}

// Compacting gives free space back and changes nothing else, also after a run that was interrupted.
func TestCompact(t *testing.T) {
	ctx := context.Background()
	o := backupOptions(t)
	s := openTest(t, o)
	big := strings.Repeat("x", 60<<10)
	for i := range 40 {
		mustChange(t, s, Cause{Principal: "user/dev"}, func(tx *Tx) error { return tx.Put(ctx, numbers, fmt.Append(nil, "k", i%4), []byte(big)) })
	}
	mustChange(t, s, Cause{Principal: "user/dev"}, func(tx *Tx) error { return tx.Put(ctx, people, []byte("p"), []byte("555")) })
	if _, _, err := Compact(ctx, o.Path, o.Schema); !errors.Is(err, ErrInUse) {
		t.Errorf("Compact of a running store = %v", err)
	}
	s.Close()
	want := contents(t, o.Path)
	grow, err := bbolt.Open(o.Path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = grow.Update(func(btx *bbolt.Tx) error {
		return btx.Bucket([]byte(metaBucket)).Put([]byte("filler"), make([]byte, 4<<20))
	})
	if err == nil {
		err = grow.Update(func(btx *bbolt.Tx) error { return btx.Bucket([]byte(metaBucket)).Delete([]byte("filler")) })
	}
	if err := errors.Join(err, grow.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(o.Path), ".compact-1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, after, err := Compact(ctx, o.Path, o.Schema)
	if err != nil || after > before-4<<20 {
		t.Errorf("Compact = %d, %d, %v, want at least 4 MiB less", before, after, err)
	}
	info, err := os.Stat(o.Path)
	if err != nil || info.Size() > before-4<<20 {
		t.Errorf("file has %d bytes, %v, had %d", info.Size(), err, before)
	}
	got := contents(t, o.Path)
	if len(got) != len(want) {
		t.Errorf("%d rows, want %d", len(got), len(want))
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("row %s differs", k)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(o.Path), ".compact-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	s = openTest(t, o)
	put(t, s, "a")
	if _, _, err := Compact(ctx, filepath.Join(t.TempDir(), "none.db"), o.Schema); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Compact of no store = %v", err)
	}
	wantClean(t, s)
}
