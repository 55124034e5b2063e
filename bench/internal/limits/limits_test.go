package limits

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// Every change that was answered is in the file, with all its rows, under keys that ascend in the order of commit.
func TestWriterLoop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "loop.db")
	rows := []Row{{"a", 8, 100}, {"lines", 36, 50}, {"lines", 36, 50}, {"log", 8, 700}}
	l, err := OpenWriterLoop(path, rows)
	if err != nil {
		t.Fatal(err)
	}
	const callers, each = 16, 20
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range each {
				if err := l.Change(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		for bucket, want := range map[string]struct{ rows, key, value int }{
			"a": {callers * each, 8, 100}, "lines": {2 * callers * each, 36, 50}, "log": {callers * each, 8, 700},
		} {
			n := 0
			err := tx.Bucket([]byte(bucket)).ForEach(func(k, v []byte) error {
				if n++; len(k) != want.key || len(v) != want.value {
					t.Errorf("%s: a row of %d and %d bytes, want %d and %d", bucket, len(k), len(v), want.key, want.value)
				}
				return nil
			})
			if err != nil || n != want.rows {
				t.Errorf("%s: %d rows, want %d: %v", bucket, n, want.rows, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if entries, _, err := Walk(path); err != nil || entries != callers*each {
		t.Errorf("Walk: %d entries, %v; want %d", entries, err, callers*each)
	}
}

// A row whose key cannot hold its number is refused.
func TestShortKey(t *testing.T) {
	if _, err := OpenWriterLoop(filepath.Join(t.TempDir(), "loop.db"), []Row{{"a", 7, 1}}); err == nil {
		t.Error("no error")
	}
}
