package serve_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/store"
)

// A stopped service's program moves old entries into a file, checks them there and puts them back.
func TestArchiving(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	kept := serve.Store{Path: filepath.Join(dir, "orders.db"), Schema: keepSchema, Clock: clock.Fixed(now)}
	for i, at := range []time.Time{now.AddDate(0, 0, -60), now.AddDate(0, 0, -40), now.AddDate(0, 0, -20), now} {
		s, err := store.Open(t.Context(), store.Options{Path: kept.Path, Schema: keepSchema, Clock: clock.Fixed(at)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Change(t.Context(), store.Cause{Principal: "user/dev"}, func(tx *store.Tx) ([]byte, error) {
			return nil, tx.Put(t.Context(), keepSchema.Buckets[0], fmt.Append(nil, i), []byte("v"))
		})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	program := serve.Program[string]{Name: "orders", Load: func(path string) (string, error) { return path, nil }, Store: func(string) serve.Store { return kept }}
	run := func(want int, says string, args ...string) {
		t.Helper()
		var out bytes.Buffer
		if code := serve.Command(t.Context(), args, &out, &out, program); code != want || !strings.Contains(out.String(), says) {
			t.Fatalf("%q: code %d, said %q, want %d and %q", args, code, out.String(), want, says)
		}
	}
	old, list := filepath.Join(dir, "old"), filepath.Join(dir, "readers")
	if err := os.WriteFile(list, []byte("tower=1001\nbilling=5000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(0, "entries 1 to 1, up to 2026-01-31T12:00:00Z, are in "+old, "archive", "-keep-days", "30", "-readers", list, old)
	run(0, "nothing was moved", "archive", "-before", "2026-03-01", "-read", "tower=1001", old)
	run(0, "stays: tower may have to read from 2 on", "archive", "-before", "2026-03-01", "-read", "tower=1001", old)
	run(0, "entries 2 to 3", "archive", "-before", "2026-03-20T00:00:00Z", "-read", "none", old)
	run(0, "orders: 4 entries, 4 records, 0 breaches", "verify")
	shelf := filepath.Join(dir, "shelf")
	if err := os.Rename(old, shelf); err != nil {
		t.Fatal(err)
	}
	run(1, "orders-1-000000000002-000000000003.archive", "verify")
	run(0, "0 breaches", "verify", "-archive-dir", shelf)
	run(0, "entries 2 to 3 are back", "unarchive", "-archive-dir", shelf)
	run(0, "0 breaches", "verify", "-archive-dir", shelf)
	run(0, "entries 1 to 1 are back", "unarchive", "-archive-dir", shelf)
	run(0, "orders: 4 entries, 4 records, 0 breaches", "verify")
}
