package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
)

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// filled is a closed store with rows in every bucket, the platform's too.
func filled(t testing.TB) string {
	ctx := context.Background()
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	s := openTest(t, o)
	for i := range 3 {
		mustChange(t, s, request(fmt.Sprint("request ", i)), func(tx *Tx) error {
			waiting := func(b *Bucket, n uint64) error {
				return PutWaiting(ctx, tx, b, &storagev1.WaitingFact{Head: &eventlogv1.Head{Position: &eventlogv1.Position{Log: "feed", Epoch: 1, Sequence: n}},
					Keys: []string{fmt.Sprint("key", n)}, Reason: "test"})
			}
			return errors.Join(
				putThing(ctx, tx, fmt.Sprint("thing", i), fmt.Sprint("value", i)),
				tx.Put(ctx, people, fmt.Append(nil, "person", i), []byte("555-0100")),
				tx.Emit(Fact{Type: "Made", Subject: fmt.Sprint("things/", i)}),
				PutTask(ctx, tx, fmt.Sprint("task", i), &storagev1.TaskRecord{Kind: "k", Subject: "s", State: eventlogv1.Task_PENDING}),
				waiting(DeferredFacts, uint64(2*i+1)), waiting(ParkedFacts, uint64(2*i+2)),
				PutProto(ctx, tx, Consumers, []byte("feed"), &storagev1.ConsumerRecord{Read: uint64(2*i + 2), Deferred: uint64(i + 1), Parked: uint64(i + 1)}),
			)
		})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return o.Path
}

// breaches verifies a stopped store.
func breaches(t testing.TB, path string) string {
	t.Helper()
	r, err := Verify(context.Background(), path, testSchema())
	if err != nil {
		return err.Error()
	}
	return strings.Join(r.Breaches, "\n")
}

// flip rewrites one row through bbolt: byte at of its key or value is turned over.
func flip(t testing.TB, path string, bucket []string, key []byte, inKey bool, at int) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(btx *bbolt.Tx) error {
		b := btx.Bucket([]byte(bucket[0]))
		for _, sub := range bucket[1:] {
			b = b.Bucket([]byte(sub))
		}
		k, v := bytes.Clone(key), bytes.Clone(b.Get(key))
		if inKey {
			if err := b.Delete(key); err != nil {
				return err
			}
			k[at] ^= 0x10
		} else {
			v[at] ^= 0x10
		}
		return b.Put(k, v)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestEveryFlippedByteIsNamed turns over bytes of keys and values in every bucket and wants the bucket, and for a value the key
// too, in the report.
func TestEveryFlippedByteIsNamed(t *testing.T) {
	path := filled(t)
	if got := breaches(t, path); got != "" {
		t.Fatalf("before any damage: %s", got)
	}
	whole := readFile(t, path)
	rows := contents(t, path)
	seen := map[string]int{}
	for _, row := range slices.Sorted(maps.Keys(rows)) {
		name, hexKey, _ := strings.Cut(row, " ")
		var key []byte
		if _, err := fmt.Sscanf(hexKey, "%x", &key); err != nil {
			t.Fatal(err)
		}
		if seen[name]++; seen[name] > 1 {
			continue
		}
		size := len(rows[row])
		for at := 0; at < size; at += 1 + size/12 { // the sample begins within the checksum and crosses the whole value
			writeFile(t, path, whole)
			flip(t, path, strings.Split(name, "/"), key, false, at)
			if got := breaches(t, path); !strings.Contains(got, name) || !strings.Contains(got, printable(key)) && name != logBucket {
				t.Errorf("bucket %s key %s value byte %d: %q does not name it", name, printable(key), at, got)
			}
		}
		for at := range key {
			writeFile(t, path, whole)
			flip(t, path, strings.Split(name, "/"), key, true, at)
			if got := breaches(t, path); !strings.Contains(got, name) {
				t.Errorf("bucket %s key %s key byte %d: %q does not name it", name, printable(key), at, got)
			}
		}
	}
	for _, name := range []string{"meta", "log", "causes/2026-03-02.0", "things", "things_by_value", "people", "consumers", "deferred_facts",
		"parked_facts", "waiting_keys", "tasks", "task_queue", "counters"} {
		if seen[name] == 0 {
			t.Errorf("bucket %s has no rows: nothing was tried", name)
		}
	}
}

// TestDamageBelowTheRows turns over bytes of the file itself: page headers, page numbers, lists of free pages. Verify may not
// crash, and when it finds nothing then every row must be as it was.
func TestDamageBelowTheRows(t *testing.T) {
	t.Run("small", func(t *testing.T) { damageBelowTheRows(t, filled(t), 1) })
	t.Run("inner pages", func(t *testing.T) {
		path := filled(t)
		s := openTest(t, testOptions(path))
		mustChange(t, s, request("many"), func(tx *Tx) error {
			for i := range 600 {
				if err := tx.Put(context.Background(), people, fmt.Append(nil, "many", 1000+i), make([]byte, 64)); err != nil {
					return err
				}
			}
			return nil
		})
		s.Close()
		damageBelowTheRows(t, path, 5)
	})
}

func damageBelowTheRows(t *testing.T, path string, step int) {
	whole, want := readFile(t, path), contents(t, path)
	const page = 4096
	tried, silent := 0, 0
	for id, kind := range pageTypes(t, path) {
		if kind == "free" {
			continue
		}
		for at := id * page; at < (id+1)*page; at++ {
			// Every step'th byte of the page's head and all of inner pages' elements are tried, and a sample of the rest.
			if head := at % page; at%step != 0 && kind != "branch" || head >= 96 && (at%61 != 0 || whole[at] == 0) {
				continue
			}
			tried++
			damaged := bytes.Clone(whole)
			damaged[at] ^= 0x10
			writeFile(t, path, damaged)
			got := breaches(t, path)
			if got == "" {
				silent++
				if rows := contents(t, path); !maps.Equal(rows, want) {
					t.Errorf("page %d byte %d: rows differ, and verify found nothing", id, at%page)
				}
			} else if strings.Contains(got, "is damaged") && !strings.Contains(got, path) {
				t.Errorf("page %d byte %d: %q does not name the file", id, at%page, got)
			}
		}
	}
	t.Logf("%d of %d bytes lie in space that is not used", silent, tried)
}

// pageTypes asks bbolt what each page is.
func pageTypes(t testing.TB, path string) (types []string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(btx *bbolt.Tx) error {
		for id := 0; ; id++ {
			p, err := btx.Page(id)
			if p == nil || err != nil {
				return err
			}
			for range 1 + p.OverflowCount {
				types = append(types, p.Type)
			}
			id += p.OverflowCount
		}
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return types
}

// TestCircleOfPages points an inner page at itself: bbolt would follow it for ever.
func TestCircleOfPages(t *testing.T) {
	path := filled(t)
	s := openTest(t, testOptions(path))
	mustChange(t, s, Cause{}, func(tx *Tx) error {
		for i := range 600 {
			if err := tx.Put(context.Background(), people, fmt.Append(nil, "many", 1000+i), make([]byte, 64)); err != nil {
				return err
			}
		}
		return nil
	})
	s.Close()
	file, at := readFile(t, path), slices.Index(pageTypes(t, path), "branch")
	if at < 0 {
		t.Fatal("the file has no inner page")
	}
	native.PutUint64(file[at*4096+pageHeader+8:], uint64(at))
	writeFile(t, path, file)
	if got := breaches(t, path); !strings.Contains(got, "used twice") || !strings.Contains(got, path) {
		t.Errorf("report %q does not name the circle and the file", got)
	}
}

func TestVerifyFindsWhatChecksumsCannot(t *testing.T) {
	edit := func(fn func(btx *bbolt.Tx) error) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.Update(fn); err != nil {
				t.Fatal(err)
			}
		}
	}
	put := func(b, k, v string) func(t *testing.T, path string) {
		return edit(func(btx *bbolt.Tx) error {
			return btx.Bucket([]byte(b)).Put([]byte(k), seal(b, []byte(k), 1, []byte(v)))
		})
	}
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, path string)
		want   []string
	}{
		{"record forged with a good checksum", put("things", "thing1", "forged"), []string{`bucket things key "thing1"`, "differs from the log"}},
		{"record added", put("things", "thingX", "new"), []string{`bucket things key "thingX"`, "the log does not have it"}},
		{"personal record forged", put("people", "person1", "0123456789abcdefforged"), []string{`bucket people key "person1"`, "differs"}},
		{"record deleted", edit(func(btx *bbolt.Tx) error { return btx.Bucket([]byte("things")).Delete([]byte("thing2")) }), []string{`bucket things key "thing2"`, "is missing"}},
		{"values swapped", edit(func(btx *bbolt.Tx) error {
			b := btx.Bucket([]byte("things"))
			v1, v2 := bytes.Clone(b.Get([]byte("thing1"))), bytes.Clone(b.Get([]byte("thing2")))
			return errors.Join(b.Put([]byte("thing1"), v2), b.Put([]byte("thing2"), v1))
		}), []string{`key "thing1"`, `key "thing2"`}},
		{"last entry cut off", edit(func(btx *bbolt.Tx) error { return btx.Bucket([]byte("log")).Delete(Key(uint64(3))) }), []string{`"thing2"`, "the log does not have it"}},
		{"entry cut out", edit(func(btx *bbolt.Tx) error { return btx.Bucket([]byte("log")).Delete(Key(uint64(2))) }), []string{"log entry 2"}},
		{"foreign bucket", edit(func(btx *bbolt.Tx) error { _, err := btx.CreateBucket([]byte("extra")); return err }), []string{`bucket "extra"`}},
		{"bucket gone", edit(func(btx *bbolt.Tx) error { return btx.DeleteBucket([]byte("people")) }), []string{"bucket people is missing"}},
		{"a day of causes gone", edit(func(btx *bbolt.Tx) error { return btx.Bucket([]byte("causes")).DeleteBucket([]byte("2026-03-02.0")) }), []string{"causes/2026-03-02"}},
		{"file cut short", func(t *testing.T, path string) { writeFile(t, path, readFile(t, path)[:6*4096]) }, []string{"test.db"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filled(t)
			c.damage(t, path)
			got := breaches(t, path)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("report %q does not say %q", got, want)
				}
			}
		})
	}
}

func TestInvariantsAreChecked(t *testing.T) {
	ctx, s := context.Background(), newTest(t)
	mustChange(t, s, Cause{}, func(tx *Tx) error {
		return errors.Join(putThing(ctx, tx, "forbidden", "v"),
			PutProto(ctx, tx, Consumers, []byte("feed"), &storagev1.ConsumerRecord{Read: 3, Applied: 1, Ignored: 1, Parked: 2}))
	})
	r, err := s.Verify(ctx)
	want := []string{
		"I2 consumers: consumer feed: read 3, but applied 1 + ignored 1 + deferred 0 + parked 2 = 4",
		"I2 consumers: consumer feed: counts 2 parked facts, 0 are stored",
		"no thing is forbidden: thing forbidden exists",
	}
	if err != nil || !slices.Equal(r.Breaches, want) {
		t.Errorf("breaches = %q, %v, want %q", r.Breaches, err, want)
	}
	if !slices.Contains(r.Checks, "I2 consumers") || !slices.Contains(r.Checks, "I1 replay") {
		t.Errorf("checks = %q", r.Checks)
	}
}

func TestErasedPersonLeavesNoTrace(t *testing.T) {
	ctx := context.Background()
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	s := openTest(t, o)
	const phone = "555-0100-very-personal"
	for _, name := range []string{"ann", "bob"} {
		mustChange(t, s, request(name), func(tx *Tx) error { return tx.Put(ctx, people, []byte(name), []byte(phone)) })
	}
	mustChange(t, s, request("erase"), func(tx *Tx) error { return tx.Delete(ctx, people, []byte("ann")) })
	wantClean(t, s)
	s.Close()
	hashes := map[string]bool{}
	for row, v := range contents(t, o.Path) {
		if strings.Contains(v, phone) && !strings.HasPrefix(row, fmt.Sprintf("people %x", "bob")) {
			t.Errorf("row %s still holds what was erased", row)
		}
		hashes[v] = true
	}
	if !strings.Contains(fmt.Sprint(slices.Collect(maps.Keys(hashes))), phone) {
		t.Error("bob's phone is gone too")
	}
}

func TestRunVerifyCodes(t *testing.T) {
	path := filled(t)
	var out strings.Builder
	if code := RunVerify(&out, path, testSchema()); code != 0 || !strings.Contains(out.String(), "3 entries") {
		t.Errorf("whole store: code %d, %q", code, out.String())
	}
	flip(t, path, []string{"things"}, []byte("thing1"), false, 9)
	out.Reset()
	if code := RunVerify(&out, path, testSchema()); code != 1 || !strings.Contains(out.String(), "thing1") {
		t.Errorf("damaged store: code %d, %q", code, out.String())
	}
	writeFile(t, path, []byte("not a store"))
	out.Reset()
	if code := RunVerify(&out, path, testSchema()); code != 2 || !strings.Contains(out.String(), path) {
		t.Errorf("no store: code %d, %q", code, out.String())
	}
}

func TestVerifyRefusesAFileInUse(t *testing.T) {
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	openTest(t, o)
	if _, err := verifyFile(context.Background(), o.Path, testSchema(), 10*time.Millisecond, nil); !errors.Is(err, ErrInUse) {
		t.Errorf("Verify of a file in use: %v, want ErrInUse", err)
	}
}

// TestMissingEntryIsNotSkipped takes an entry out of the log, as a damaged page does that the tree leads past: no reader is given the next
// one in its place, or told that there is none.
func TestMissingEntryIsNotSkipped(t *testing.T) {
	for _, missing := range []uint64{1, 2} { // without the last, the log ends before it
		path := filled(t)
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(db.Update(func(btx *bbolt.Tx) error { return btx.Bucket([]byte(logBucket)).Delete(Key(missing)) }), db.Close())
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), testOptions(path))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for before := range s.Last().Sequence {
			after := Position{}
			if before > 0 {
				after = s.position(before)
			}
			entries, _, err := s.ReadLog(t.Context(), after, 1)
			corrupt, isCorrupt := errors.AsType[*CorruptError](err)
			switch {
			case before+1 == missing && (!isCorrupt || !bytes.Equal(corrupt.Key, Key(missing))):
				t.Errorf("entry %d, which is missing: %d entries, %v", before+1, len(entries), err)
			case before+1 != missing && (err != nil || len(entries) != 1 || entries[0].Position.Sequence != before+1):
				t.Errorf("entry %d: %v, %v", before+1, entries, err)
			}
			if _, _, err := s.ReadLog(t.Context(), after, 0); (err == nil) != (before >= missing) {
				t.Errorf("all entries after %d, of which %d is missing: %v", before, missing, err)
			}
		}
	}
}
