package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
)

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// add writes one file.
func add(w *Writer, name, text, sum string) error {
	err := w.Begin(&eventlogv1.BackupFile{Name: name, Size: int64(len(text))})
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err == nil {
		err = w.End(sum)
	}
	return err
}

func create(t *testing.T) (*Writer, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "orders")
	w, err := Create(dir, &eventlogv1.Backup{Service: "orders", SchemaVersion: 1})
	if err != nil {
		t.Fatal(err)
	}
	return w, dir
}

// What is finished is whole, for us and for sha256sum; before that there is nothing under its name.
func TestWriter(t *testing.T) {
	w, dir := create(t)
	for _, err := range []error{add(w, StoreFile, "a store", sumOf("a store")), add(w, Documents+"/"+sumOf("a letter"), "a letter", sumOf("a letter"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("before Finish: %v, want nothing there", err)
	}
	if err := errors.Join(w.Finish(), w.Abandon()); err != nil {
		t.Fatal(err)
	}
	b, err := Open(dir)
	if err != nil || len(b.Files) != 2 || b.Service != "orders" {
		t.Fatalf("Open = %v, %v", b, err)
	}
	var read int64
	if err := Check(context.Background(), dir, b, func(n int64) { read += n }); err != nil || read != 15 {
		t.Errorf("Check = %v after %d bytes, want 15", err, read)
	}
	if tool, err := exec.LookPath("sha256sum"); err == nil {
		cmd := exec.Command(tool, "-c", "--quiet", "SHA256SUMS")
		cmd.Dir = dir
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("sha256sum -c: %v\n%s", err, said)
		}
	}
	if _, err := Create(dir, b); !errors.Is(err, ErrExists) {
		t.Errorf("Create over a backup = %v", err)
	}
}

// A copy that breaks off, or brings other bytes than were announced, is no backup; the next attempt begins anew.
func TestWriterThatFails(t *testing.T) {
	good := sumOf("a store")
	for name, c := range map[string]struct {
		do func(w *Writer) error
	}{
		"nothing came": {func(w *Writer) error { return w.Finish() }},
		"broken off in a file": {func(w *Writer) error {
			return errors.Join(w.Begin(&eventlogv1.BackupFile{Name: StoreFile, Size: 9}), w.Finish())
		}},
		"no store":    {func(w *Writer) error { return errors.Join(add(w, Documents+"/"+good, "a store", good), w.Finish()) }},
		"another sum": {func(w *Writer) error { return add(w, StoreFile, "a store", sumOf("other")) }},
		"fewer bytes": {func(w *Writer) error {
			err := w.Begin(&eventlogv1.BackupFile{Name: StoreFile, Size: 8})
			_, err2 := w.Write([]byte("a store"))
			return errors.Join(err, err2, w.End(good))
		}},
		"bytes of no file":  {func(w *Writer) error { _, err := w.Write([]byte("x")); return err }},
		"the end of none":   {func(w *Writer) error { return w.End(good) }},
		"a way out":         {func(w *Writer) error { return add(w, "../store.db", "a store", good) }},
		"a way out, hidden": {func(w *Writer) error { return add(w, Documents+"/../../x", "a store", good) }},
		"two at once": {func(w *Writer) error {
			return errors.Join(w.Begin(&eventlogv1.BackupFile{Name: StoreFile}), w.Begin(&eventlogv1.BackupFile{Name: Documents + "/" + good}))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w, dir := create(t)
			if err := c.do(w); !errors.Is(err, ErrDamaged) {
				t.Errorf("got %v, want that it is damaged", err)
			}
			if _, err := Open(dir); err == nil {
				t.Error("there is a backup")
			}
			w, err := Create(dir, &eventlogv1.Backup{Service: "orders"})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(add(w, StoreFile, "a store", good), w.Finish()); err != nil {
				t.Errorf("the next attempt: %v", err)
			}
		})
	}
}

// A manifest cannot lead out of its folder.
func TestOpenRefusesNames(t *testing.T) {
	w, dir := create(t)
	if err := errors.Join(add(w, StoreFile, "a store", sumOf("a store")), w.Finish()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, manifestFile)
	forged := []byte(`{"service":"orders","files":[{"name":"../../etc/passwd","size":"1","sha256":"00"}]}`)
	if err := os.WriteFile(path, forged, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrDamaged) {
		t.Errorf("Open = %v", err)
	}
}
