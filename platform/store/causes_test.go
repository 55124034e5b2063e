package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
)

func editStore(t *testing.T, path string, fn func(btx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(fn); err != nil {
		t.Fatal(err)
	}
}

// asBefore moves the causes of a day into one partition named by the day, as programs of before the spans wrote them.
func asBefore(causes *bbolt.Bucket, day string) error {
	var names []string
	err := causes.ForEachBucket(func(name []byte) error {
		names = append(names, string(name))
		return nil
	})
	if err != nil {
		return err
	}
	old, err := causes.CreateBucketIfNotExists([]byte(day))
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, day+".") {
			continue
		}
		err := causes.Bucket([]byte(name)).ForEach(func(k, v []byte) error {
			data, err := unseal(causesName([]byte(name)), k, v)
			if err != nil {
				return err
			}
			return old.Put(k, seal(causesName([]byte(day)), k, 0, data))
		})
		if err := errors.Join(err, causes.DeleteBucket([]byte(name))); err != nil {
			return err
		}
	}
	return nil
}

// Causes of several spans and of an earlier program's partitions are found by a running store and after each start, and are whole.
func TestCausesOfEveryPartitionAreFound(t *testing.T) {
	ctx := context.Background()
	o := testOptions(filepath.Join(t.TempDir(), "test.db"))
	s := openTest(t, o)
	ask := func(n int) (Outcome, error) {
		return s.Change(ctx, request(fmt.Sprint(n)), func(tx *Tx) ([]byte, error) {
			return fmt.Append(nil, "answer ", n), putThing(ctx, tx, fmt.Sprint(n), "v")
		})
	}
	const n = 2*causeSpan + 100
	first, second := n/2, n
	made := func(from, to int) {
		t.Helper()
		var pending []*Pending
		for i := from; i < to; i++ {
			pending = append(pending, s.Submit(ctx, request(fmt.Sprint(i)), func(tx *Tx) ([]byte, error) {
				return fmt.Append(nil, "answer ", i), putThing(ctx, tx, fmt.Sprint(i), "v")
			}))
		}
		for _, p := range pending {
			if out, err := p.Wait(ctx); err != nil || out.Repeated {
				t.Fatalf("request: %+v, %v", out, err)
			}
		}
	}
	repeated := func(to int) {
		t.Helper()
		for i := range to {
			out, err := ask(i)
			if want := fmt.Sprint("answer ", i); err != nil || !out.Repeated || string(out.Answer) != want || out.Position.Sequence != uint64(i+1) {
				t.Fatalf("repeat of %d: %+v, %v, want %q of entry %d", i, out, err, want, i+1)
			}
		}
		if r := wantClean(t, s); r.Entries != uint64(to) {
			t.Fatalf("%d entries, want %d", r.Entries, to)
		}
	}
	made(0, first)
	repeated(first)
	s.Close()
	editStore(t, o.Path, func(btx *bbolt.Tx) error { return asBefore(btx.Bucket([]byte(causesBucket)), "2026-03-02") })
	s = openTest(t, o)
	repeated(first)
	made(first, second)
	repeated(second)
	s.Close()
	s = openTest(t, o)
	repeated(second)
}

func TestVerifyNamesCausesThatTheLogDoesNotHave(t *testing.T) {
	path := filled(t)
	key := newCauseKey("user/dev", "/test/Put", "never asked")
	editStore(t, path, func(btx *bbolt.Tx) error {
		data, err := proto.Marshal(&storagev1.CauseRecord{Sequence: 1, Fingerprint: []byte("f")})
		if err != nil {
			return err
		}
		name := "2026-03-02.0"
		return btx.Bucket([]byte(causesBucket)).Bucket([]byte(name)).Put(key[:], seal(causesName([]byte(name)), key[:], 0, data))
	})
	got := breaches(t, path)
	if want := fmt.Sprintf("bucket causes/2026-03-02.0 key %x: is stored, the log does not have it", key); !strings.Contains(got, want) {
		t.Errorf("report %q does not say %q", got, want)
	}
}

// The index finds every key of many days, and forgets the days that are dropped.
func TestCauseIndex(t *testing.T) {
	x := &causeIndex{}
	days := []string{"2026-03-02", "2026-03-03", "2026-03-01"} // a clock stepped back, in a file of long ago
	key := func(day string, n int) causeKey { return newCauseKey("p", day, fmt.Sprint(n)) }
	for _, day := range days {
		for n := range 3000 {
			x.add(fmt.Appendf(nil, "%s.%d", day, n/causeSpan), key(day, n))
		}
	}
	names := func(k causeKey) (out []string) {
		for _, d := range x.days {
			for _, p := range d.find(k) {
				out = append(out, string(p))
			}
		}
		return out
	}
	for _, day := range days {
		for n := range 3000 {
			if got, want := names(key(day, n)), fmt.Sprintf("%s.%d", day, n/causeSpan); !slices.Equal(got, []string{want}) {
				t.Fatalf("partitions of request %d of %s = %q, want %q", n, day, got, want)
			}
		}
	}
	if got := names(key("2026-03-04", 1)); got != nil {
		t.Errorf("a request that was never made may stand in %q", got)
	}
	if !slices.IsSortedFunc(x.days, func(a, b *dayCauses) int { return strings.Compare(a.day, b.day) }) {
		t.Errorf("days are not in order: %v", x.days)
	}
}
