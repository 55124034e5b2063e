package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"crossdock.dev/platform/clock"
)

var (
	things = &Bucket{Name: "things", Kind: Record, Doc: "name → value"}
	byVal  = &Bucket{Name: "things_by_value", Kind: Derived, Doc: "value, name → nothing"}
	people = &Bucket{Name: "people", Kind: Personal, Doc: "name → phone"}
)

var start = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)

func testSchema() Schema {
	return Schema{
		Service: "things", Version: 1, Buckets: []*Bucket{things, byVal, people},
		Rebuild: func(ctx context.Context, r Reader, w *DerivedWriter) error {
			return Each(ctx, r, things, nil, func(kv KV) error {
				return w.Put(ctx, byVal, Key(kv.Value, kv.Key), nil)
			})
		},
		Invariants: []Invariant{{"no thing is forbidden", func(ctx context.Context, r Reader) ([]string, error) {
			if _, err := r.Get(ctx, things, []byte("forbidden")); err == nil {
				return []string{"thing forbidden exists"}, nil
			} else if !errors.Is(err, ErrNotFound) {
				return nil, err
			}
			return nil, nil
		}}},
	}
}

// putThing and deleteThing keep the index as a service would.
func putThing(ctx context.Context, tx *Tx, key, value string) error {
	if err := deleteThing(ctx, tx, key); err != nil {
		return err
	}
	if err := tx.Put(ctx, byVal, Key(value, key), nil); err != nil {
		return err
	}
	return tx.Put(ctx, things, []byte(key), []byte(value))
}

func deleteThing(ctx context.Context, tx *Tx, key string) error {
	old, err := tx.Get(ctx, things, []byte(key))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := tx.Delete(ctx, byVal, Key(old, key)); err != nil {
		return err
	}
	return tx.Delete(ctx, things, []byte(key))
}

func testOptions(path string) Options {
	return Options{Path: path, Schema: testSchema(), Clock: clock.NewManual(start), InitialMmapSize: 1 << 22, NoSync: true,
		LockTimeout: 20 * time.Millisecond}
}

func openTest(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newTest(t testing.TB) *Store {
	return openTest(t, testOptions(filepath.Join(t.TempDir(), "test.db")))
}

func request(id string) Cause {
	return Cause{Principal: "user/dev", Method: "/test/Put", RequestID: id, Fingerprint: []byte("f"), Actor: "user/dev"}
}

func mustChange(t testing.TB, s *Store, c Cause, fn func(tx *Tx) error) Outcome {
	t.Helper()
	out, err := s.Change(context.Background(), c, func(tx *Tx) ([]byte, error) { return nil, fn(tx) })
	if err != nil {
		t.Fatalf("Change: %v", err)
	}
	return out
}

// contents are all rows of the service's buckets and of the causes, as they are stored.
func contents(t testing.TB, path string) map[string]string {
	t.Helper()
	out := map[string]string{}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var walk func(name string, b *bbolt.Bucket) error
	walk = func(name string, b *bbolt.Bucket) error {
		return b.ForEach(func(k, v []byte) error {
			if v == nil {
				return walk(name+"/"+string(k), b.Bucket(k))
			}
			out[fmt.Sprintf("%s %x", name, k)] = string(v)
			return nil
		})
	}
	err = db.View(func(btx *bbolt.Tx) error {
		return btx.ForEach(func(name []byte, b *bbolt.Bucket) error { return walk(string(name), b) })
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantClean(t testing.TB, s *Store) Report {
	t.Helper()
	r, err := s.Verify(context.Background())
	if err != nil || len(r.Breaches) > 0 {
		t.Fatalf("Verify: %v, breaches %q, want a whole store", err, r.Breaches)
	}
	return r
}

func copyFile(t testing.TB, from string) string {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(to, bytes.Clone(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}
