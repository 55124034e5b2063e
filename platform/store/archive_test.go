package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/clock"
)

// day is the noon of a day of the log.
func day(n int) time.Time { return start.AddDate(0, 0, n) }

// fillDays makes entries on the days 0 to days-1, and closes the store.
func fillDays(t testing.TB, o Options, days, perDay int) {
	t.Helper()
	s := openTest(t, o)
	for d := range days {
		o.Clock.(*clock.Manual).Set(day(d))
		for i := range perDay {
			put(t, s, fmt.Sprintf("k%d-%d", d, i))
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func archiveOptions(t testing.TB, o Options) ArchiveOptions {
	return ArchiveOptions{Path: o.Path, Schema: o.Schema, Clock: o.Clock, Dir: filepath.Join(filepath.Dir(o.Path), "old"), Before: day(1000),
		Readers: map[string]uint64{}, Actor: "user/dev"}
}

func mustArchive(t testing.TB, o ArchiveOptions) Archived {
	t.Helper()
	out, err := Archive(context.Background(), o)
	if err != nil {
		t.Fatalf("Archive: %v", err)
	}
	return out
}

// verifyFileClean verifies a stopped store and returns the report.
func verifyFileClean(t testing.TB, o Options, dirs ...string) Report {
	t.Helper()
	r, err := Verify(context.Background(), o.Path, o.Schema, dirs...)
	if err != nil || len(r.Breaches) > 0 {
		t.Fatalf("Verify: %v, breaches %q, want a whole store", err, r.Breaches)
	}
	return r
}

// heads are the heads of all entries by History.
func heads(t testing.TB, s *Store) []string {
	t.Helper()
	var out []string
	err := s.History(context.Background(), func(e LogEntry, written func() ([]string, error)) (bool, error) {
		w, err := written()
		out = append(out, string(e.Head)+strings.Join(w, ","))
		return true, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestArchive moves twice: readers before the range are refused, those at the seam go on, what is left of the log is checked with the files,
// repeats of requests have their answers, and the space is given back.
func TestArchive(t *testing.T) {
	ctx := context.Background()
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	fillDays(t, o, 20, 10)
	s := openTest(t, o)
	before := heads(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ao := archiveOptions(t, o)
	ao.Before = day(5)
	out := mustArchive(t, ao)
	// Days 0 to 4 are before day 5.
	if a := out.Archive; a == nil || a.First.Sequence != 1 || a.Last.Sequence != 50 || a.File != "things-1-000000000001-000000000050.archive" || a.Decision != "" {
		t.Fatalf("first archive %+v, kept %q; want entries 1 to 50", out.Archive, out.Kept)
	}
	ao.Before = day(1000)
	out = mustArchive(t, ao)
	// The last entry is of day 19, so the causes of days 12 to 19 are kept.
	if a := out.Archive; a == nil || a.First.Sequence != 51 || a.Last.Sequence != 120 || !strings.Contains(out.Kept, "7 days") {
		t.Fatalf("second archive %+v, kept %q; want entries 51 to 120, and the last 7 days kept", out.Archive, out.Kept)
	}
	if again := mustArchive(t, ao); again.Archive != nil || !strings.Contains(again.Kept, "7 days") {
		t.Errorf("third archive %+v, want none", again)
	}
	if r := verifyFileClean(t, o); r.Entries != 200 {
		t.Errorf("verify saw %d entries, want 200", r.Entries)
	}
	sizeBefore, sizeAfter, err := Compact(ctx, o.Path, o.Schema)
	if err != nil || sizeAfter >= sizeBefore {
		t.Errorf("compact: %d bytes before, %d after, %v; want less", sizeBefore, sizeAfter, err)
	}
	verifyFileClean(t, o)

	s = openTest(t, o)
	if r := wantClean(t, s); r.Entries != 200 {
		t.Errorf("online verify saw %d entries, want 200", r.Entries)
	}
	if got := heads(t, s); strings.Join(got, "|") != strings.Join(before, "|") {
		t.Errorf("history has %d entries, want the %d of before, the same", len(got), len(before))
	}
	if first := s.First(); first.Sequence != 121 || first.Epoch != 1 {
		t.Errorf("first %v, want 121 in epoch 1", first)
	}
	for _, sequence := range []uint64{0, 1, 49, 50, 119} {
		at := s.position(sequence)
		if sequence == 0 {
			at = Position{}
		}
		_, _, err := s.ReadLog(ctx, at, 10)
		archived, ok := errors.AsType[*ArchivedError](err)
		if !ok || !errors.Is(err, ErrOutOfRange) || archived.First != s.First() || !strings.Contains(err.Error(), "reseeded") {
			t.Errorf("read after %d: %v, want ARCHIVED with first 121", sequence, err)
		}
	}
	entries, _, err := s.ReadLog(ctx, s.position(120), 10)
	if err != nil || len(entries) != 10 || entries[0].Position.Sequence != 121 {
		t.Errorf("read after the seam: %d entries, %v", len(entries), err)
	}
	if _, err := s.Written(ctx, 120); !errors.Is(err, ErrOutOfRange) {
		t.Errorf("Written of an archived entry: %v, want out of range", err)
	}
	if _, err := s.Written(ctx, 121); err != nil {
		t.Errorf("Written of the first entry left: %v", err)
	}
	// The oldest cause that is kept is answered from its entry.
	out2, err := s.Change(ctx, request("put k12-0"), func(*Tx) ([]byte, error) { return nil, errors.New("was made already") })
	if err != nil || !out2.Repeated || out2.Position.Sequence != 121 {
		t.Errorf("repeat of the first request left: %+v, %v", out2, err)
	}
	put(t, s, "new")
	wantClean(t, s)
}

// TestArchiveReaders: nothing that a reader may have to read again is moved, but by a decision.
func TestArchiveReaders(t *testing.T) {
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	fillDays(t, o, 20, 100) // 1,200 entries could be moved
	ao := archiveOptions(t, o)
	ao.Readers = nil
	if _, err := Archive(context.Background(), ao); !errors.Is(err, ErrReadersUnknown) {
		t.Errorf("without readers: %v, want ErrReadersUnknown", err)
	}
	ao.Readers = map[string]uint64{"fast": 2000, "slow": 900}
	if out := mustArchive(t, ao); out.Archive != nil || !strings.Contains(out.Kept, "slow") {
		t.Errorf("a reader that may go back to the first entry: %+v, want nothing moved because of slow", out)
	}
	ao.Readers["slow"] = 1100 // its place may be stored as 100
	if out := mustArchive(t, ao); out.Archive.GetLast().GetSequence() != 100 || out.Archive.Decision != "" {
		t.Errorf("with slow at 1100: %+v, want 1 to 100", out.Archive)
	}
	ao.Decision = "slow is gone for good"
	if out := mustArchive(t, ao); out.Archive.GetLast().GetSequence() != 1200 || out.Archive.Decision != ao.Decision {
		t.Errorf("by decision: %+v, want up to 1200 with the decision", out.Archive)
	}
	verifyFileClean(t, o)
}

// TestArchiveKeeps: what a task builds on is kept, and what the fence of a restore may need.
func TestArchiveKeeps(t *testing.T) {
	ctx := context.Background()
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	s := openTest(t, o)
	manual := o.Clock.(*clock.Manual)
	put(t, s, "a", "b")
	mustChange(t, s, request("task"), func(tx *Tx) error {
		return PutTask(ctx, tx, "t1", &storagev1.TaskRecord{Kind: "call", Subject: "a", State: eventlogv1.Task_PENDING})
	})
	put(t, s, "c")
	manual.Set(day(30))
	put(t, s, "d")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	out := mustArchive(t, archiveOptions(t, o))
	if out.Archive.GetLast().GetSequence() != 2 || !strings.Contains(out.Kept, "t1") {
		t.Errorf("archived %+v, kept %q; want up to 2 because of task t1", out.Archive, out.Kept)
	}
	verifyFileClean(t, o)
}

// TestArchiveForks: the forks of a line are known when their entries are in files, also when one is at the seam.
func TestArchiveForks(t *testing.T) {
	ctx := context.Background()
	for _, upTo := range []int{3, 4, 5, 12} { // the fork is the entry of day 4
		o := backupOptions(t)
		manual := o.Clock.(*clock.Manual)
		fillDays(t, o, 4, 1)
		snap, err := SnapshotFile(o.Path, o.Schema)
		dir := writeBackup(t, snap, err)
		manual.Set(day(4))
		restore(t, restoreOptions(o, dir))
		s := openTest(t, o)
		mustChange(t, s, Cause{Principal: "user/dev"}, func(tx *Tx) error { return s.LiftFence(ctx, tx, 2, Decision{Actor: "user/dev", Time: day(4)}) })
		for d := 5; d < 20; d++ {
			manual.Set(day(d))
			put(t, s, fmt.Sprint("after ", d))
		}
		line := s.Line()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		ao := archiveOptions(t, o)
		ao.Before = day(upTo)
		mustArchive(t, ao)
		verifyFileClean(t, o)
		s = openTest(t, o)
		if got := s.Line(); len(got) != 1 || len(line) != 1 || !got[0].equal(line[0]) {
			t.Errorf("up to day %d: line %v, want %v", upTo, got, line)
		}
		_, _, err = s.ReadLog(ctx, Position{Log: "things", Epoch: 1, Sequence: 5}, 1)
		if _, ok := errors.AsType[*ForkedError](err); !ok {
			t.Errorf("up to day %d: a position of the lost line: %v, want forked", upTo, err)
		}
		wantClean(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestArchiveDamage: a missing, shortened, altered or exchanged file is a breach that names it, and records are not called damaged for it.
func TestArchiveDamage(t *testing.T) {
	ctx := context.Background()
	for name, harm := range map[string]func(path string, data []byte) error{
		"missing":     func(path string, _ []byte) error { return os.Remove(path) },
		"empty":       func(path string, _ []byte) error { return os.WriteFile(path, nil, 0o600) },
		"shortened":   func(path string, data []byte) error { return os.WriteFile(path, data[:len(data)/2], 0o600) },
		"longer":      func(path string, data []byte) error { return os.WriteFile(path, append(data, 0), 0o600) },
		"other sum":   func(path string, data []byte) error { data[len(data)-1]++; return os.WriteFile(path, data, 0o600) },
		"in the head": func(path string, data []byte) error { data[30]++; return os.WriteFile(path, data, 0o600) },
		"in an entry": func(path string, data []byte) error { data[len(data)/2]++; return os.WriteFile(path, data, 0o600) },
		"in a length": func(path string, data []byte) error {
			data[bytes.IndexByte(data, '\n')+1]++
			return os.WriteFile(path, data, 0o600)
		},
		"another file": func(path string, _ []byte) error { return exchange(path) },
	} {
		o := testOptions(filepath.Join(t.TempDir(), "test.db"))
		fillDays(t, o, 20, 10)
		ao := archiveOptions(t, o)
		ao.Before = day(5)
		out := mustArchive(t, ao)
		ao.Before = day(8)
		mustArchive(t, ao)
		path := filepath.Join(ao.Dir, out.Archive.File)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := harm(path, bytes.Clone(data)); err != nil {
			t.Fatal(err)
		}
		s := openTest(t, o)
		r, err := s.Verify(ctx)
		if text := strings.Join(r.Breaches, "\n"); err != nil || !strings.Contains(text, out.Archive.File) {
			t.Errorf("%s: %v, breaches %q; want one that names %s", name, err, r.Breaches, out.Archive.File)
		}
		for _, b := range r.Breaches {
			if strings.Contains(b, "bucket things") && name != "in an entry" {
				t.Errorf("%s: breach %q, but no record is damaged", name, b)
			}
		}
		put(t, s, "goes on")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		// A good copy elsewhere will do.
		elsewhere := filepath.Join(t.TempDir(), "shelf")
		if err := errors.Join(os.Mkdir(elsewhere, 0o700), os.WriteFile(filepath.Join(elsewhere, out.Archive.File), data, 0o600)); err != nil {
			t.Fatal(err)
		}
		verifyFileClean(t, o, elsewhere)
	}
}

// exchange puts another store's file under a name.
func exchange(path string) error {
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.archive"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if f != path {
			data, err := os.ReadFile(f)
			return errors.Join(err, os.WriteFile(path, data, 0o600))
		}
	}
	return errors.New("no other file")
}

// TestArchiveTampered: an entry that was altered with its sums is found by the chain.
func TestArchiveTampered(t *testing.T) {
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	fillDays(t, o, 20, 10)
	ao := archiveOptions(t, o)
	out := mustArchive(t, ao)
	db, err := bbolt.Open(o.Path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(btx *bbolt.Tx) error { // the first entry left now names another one before it
		recs, err := readArchives(btx, "things")
		if err != nil {
			return err
		}
		e, err := entryAt(btx, out.Archive.Last.Sequence+1)
		if err != nil {
			return err
		}
		recs[0].Archive.LastHash[0]++
		e.head.PreviousHash = recs[0].Archive.LastHash
		if err := e.marshal(); err != nil {
			return err
		}
		return btx.Bucket([]byte(logBucket)).Put(Key(out.Archive.Last.Sequence+1), e.stored)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := Verify(context.Background(), o.Path, o.Schema)
	if text := strings.Join(r.Breaches, "\n"); err != nil || !strings.Contains(text, "previous hash") {
		t.Errorf("%v, breaches %q; want the chain broken at the seam", err, r.Breaches)
	}
}

// archiveKilled runs in a program of its own, which kills itself before a step.
func archiveKilled(path string) {
	at, _ := strconv.Atoi(os.Getenv("STORE_ARCHIVE_KILL"))
	o := testOptions(path)
	o.Clock.(*clock.Manual).Set(day(20))
	ao := ArchiveOptions{Path: path, Schema: o.Schema, Clock: o.Clock, Dir: os.Getenv("STORE_ARCHIVE_DIR"), Before: day(1000), Readers: map[string]uint64{}}
	n := 0
	ao.step = func(step string) {
		if n++; n == at {
			fmt.Println(step)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	if _, err := Archive(context.Background(), ao); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// TestArchiveKilled kills the program before each of its steps: the store is whole, reads the same, and the next run goes on with the file
// that is there.
func TestArchiveKilled(t *testing.T) {
	o := testOptions(filepath.Join(t.TempDir(), "first.db"))
	fillDays(t, o, 20, 500) // 6,000 entries go, in two commits
	whole, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	for at := 1; ; at++ {
		o := testOptions(filepath.Join(t.TempDir(), "test.db"))
		o.Clock.(*clock.Manual).Set(day(20))
		if err := os.WriteFile(o.Path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		ao := archiveOptions(t, o)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "STORE_TO_ARCHIVE="+o.Path, "STORE_ARCHIVE_DIR="+ao.Dir, "STORE_ARCHIVE_KILL="+strconv.Itoa(at))
		text, err := cmd.Output()
		if err == nil {
			break // there are no more steps
		}
		step := strings.TrimSpace(string(text))
		steps = append(steps, step)
		if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !ws.Signaled() {
			t.Fatalf("step %d: %v, %s; want it killed", at, err, text)
		}
		if r := verifyFileClean(t, o); r.Entries != 10000 {
			t.Errorf("killed before %q: verify saw %d entries, want 10000", step, r.Entries)
		}
		s := openTest(t, o)
		_, _, err = s.ReadLog(t.Context(), Position{}, 1)
		if s.First().Sequence == 1 != (err == nil) {
			t.Errorf("killed before %q: the first entry is %v, reading from the begin says %v", step, s.First(), err)
		}
		put(t, s, "after "+step) // the service goes on in between
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		mustArchive(t, ao)
		if r := verifyFileClean(t, o); r.Entries != 10001 {
			t.Errorf("killed before %q, and run again: verify saw %d entries, want 10001", step, r.Entries)
		}
		s = openTest(t, o)
		// The new entry is of day 20, so what is kept begins with day 13, or with day 12 where the interrupted run had chosen.
		if first := s.First().Sequence; first != 6501 && first != 6001 {
			t.Errorf("killed before %q, and run again: first %d, want 6001 or 6501", step, first)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(ao.Dir)
		if err != nil {
			t.Fatal(err)
		}
		covered := uint64(0)
		for _, f := range files {
			r, err := openArchive(filepath.Join(ao.Dir, f.Name()))
			if err != nil {
				t.Fatalf("killed before %q: %s is left: %v", step, f.Name(), err)
			}
			if r.head.First.Sequence != covered+1 {
				t.Errorf("killed before %q: %s does not follow %d", step, f.Name(), covered)
			}
			covered = r.head.Last.Sequence
			if err := r.close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := "write sync rename sync folder compare record drop drop"
	if got := strings.Join(steps, " "); got != want {
		t.Errorf("killed before %q, want %q", got, want)
	}
}

// TestUnarchive puts back what was archived, newest file first, also after it was interrupted; a damaged file changes nothing that is shown.
func TestUnarchive(t *testing.T) {
	ctx := context.Background()
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	fillDays(t, o, 20, 500)
	s := openTest(t, o)
	before := heads(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ao := archiveOptions(t, o)
	ao.Before = day(1)
	first := mustArchive(t, ao).Archive
	ao.Before = day(1000)
	second := mustArchive(t, ao).Archive // 5,500 entries, two commits
	path := filepath.Join(ao.Dir, second.File)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(data)
	bad[len(bad)-1]++ // the sum, which is looked at last
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Unarchive(ctx, o.Path, o.Schema); err == nil || !strings.Contains(err.Error(), second.File) {
		t.Errorf("a damaged file: %v, want it named", err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	verifyFileClean(t, o)
	steps := 0
	for _, at := range []int{1, 2, 3} { // as a crash before each commit leaves it
		n := 0
		stop := errors.New("stop")
		func() {
			defer func() {
				if r := recover(); r != nil && !strings.Contains(fmt.Sprint(r), "stop") {
					t.Error(r)
				}
			}()
			_, err := unarchive(ctx, o.Path, o.Schema, nil, func(string) {
				if n++; n == at {
					panic(stop)
				}
			})
			if err == nil {
				t.Errorf("step %d: not interrupted", at)
			}
			steps = n
		}()
		if r := verifyFileClean(t, o); r.Entries != 10000 {
			t.Errorf("interrupted before step %d: verify saw %d entries, want 10000", at, r.Entries)
		}
	}
	if steps != 3 {
		t.Errorf("%d steps, want 3: two commits with entries, one without the record", steps)
	}
	for _, want := range []struct {
		file  string
		first uint64
	}{{second.File, 501}, {first.File, 1}} {
		back, err := Unarchive(ctx, o.Path, o.Schema)
		if err != nil || back.File != want.file {
			t.Fatalf("put back %v, %v; want %s", back, err, want.file)
		}
		verifyFileClean(t, o)
		s := openTest(t, o)
		if s.First().Sequence != want.first {
			t.Errorf("first %v, want %d", s.First(), want.first)
		}
		if got := heads(t, s); strings.Join(got, "|") != strings.Join(before, "|") {
			t.Errorf("after %s: another history", want.file)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Unarchive(ctx, o.Path, o.Schema); !errors.Is(err, ErrNotArchived) {
		t.Errorf("once more: %v, want ErrNotArchived", err)
	}
	// Archived again, the files that are there are taken, one for each run.
	for _, want := range []string{first.File, second.File} {
		if got := mustArchive(t, ao).Archive; got.GetFile() != want {
			t.Errorf("archived again: %v, want %s", got, want)
		}
	}
	verifyFileClean(t, o)
}

// TestArchiveRestore: a copy names the files; its restore finds them, or is told where they are, and is refused without them.
func TestArchiveRestore(t *testing.T) {
	ctx := context.Background()
	o := backupOptions(t)
	fillDays(t, o, 20, 10)
	ao := archiveOptions(t, o)
	out := mustArchive(t, ao)
	snap, err := SnapshotFile(o.Path, o.Schema)
	dir := writeBackup(t, snap, err)
	if len(snap.Backup.Archives) != 1 || snap.Backup.Archives[0].File != out.Archive.File {
		t.Errorf("the copy names %v, want %s", snap.Backup.Archives, out.Archive.File)
	}
	restore(t, restoreOptions(o, dir))
	s := openTest(t, o)
	if wantClean(t, s); s.Last().Epoch != 2 || s.First().Sequence != 121 {
		t.Errorf("restored: first %v, last %v; want 121 and epoch 2", s.First(), s.Last())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	shelf := filepath.Join(t.TempDir(), "shelf")
	if err := os.Rename(ao.Dir, shelf); err != nil {
		t.Fatal(err)
	}
	r, err := Restore(ctx, restoreOptions(o, dir))
	if !errors.Is(err, ErrNotWhole) || !strings.Contains(strings.Join(r.Report.Breaches, "\n"), out.Archive.File) {
		t.Errorf("without the file: %v, breaches %q; want it refused, naming %s", err, r.Report.Breaches, out.Archive.File)
	}
	ro := restoreOptions(o, dir)
	ro.Archives = []string{shelf}
	restore(t, ro)
	verifyFileClean(t, o) // it remembers the folder
	var f string
	db, err := openReadOnly(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(btx *bbolt.Tx) error {
		data, err := getMeta(btx, metaFormat)
		f = string(data)
		return err
	})
	if err != nil || f != "crossdock-store-3" {
		t.Errorf("format %q, %v; want crossdock-store-3, which older programs refuse", f, err)
	}
}

// TestArchiveInTheWay: a file that holds something else is not written over, and a damaged entry stays in the store.
func TestArchiveInTheWay(t *testing.T) {
	ctx := context.Background()
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	fillDays(t, o, 20, 10)
	ao := archiveOptions(t, o)
	name := filepath.Join(ao.Dir, "things-1-000000000001-000000000120.archive")
	if err := errors.Join(os.Mkdir(ao.Dir, 0o700), os.WriteFile(name, []byte("mine"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := Archive(ctx, ao); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("a file in the way: %v, want it named", err)
	}
	if data, err := os.ReadFile(name); err != nil || string(data) != "mine" {
		t.Errorf("the file in the way: %q, %v", data, err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(o.Path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(btx *bbolt.Tx) error {
		log := btx.Bucket([]byte(logBucket))
		v := bytes.Clone(log.Get(Key(uint64(60))))
		v[len(v)-1]++
		return log.Put(Key(uint64(60)), v)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	var corrupt *CorruptError
	if _, err := Archive(ctx, ao); !errors.As(err, &corrupt) {
		t.Errorf("a damaged entry: %v, want it refused", err)
	}
	if files, err := os.ReadDir(ao.Dir); err != nil || len(files) > 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}
