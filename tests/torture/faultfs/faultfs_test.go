//go:build linux

package faultfs

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func mount(t *testing.T) *FS {
	t.Helper()
	if err := Available(); err != nil {
		if os.Getenv("REQUIRE_FUSE") == "1" {
			t.Fatal(err)
		}
		t.Skip("no file system can be mounted: ", err)
	}
	dir := t.TempDir()
	f, err := New(filepath.Join(dir, "disk"), filepath.Join(dir, "at"))
	must(t, err)
	t.Cleanup(func() { must(t, f.Unmount()) })
	return f
}

// cut cuts the power.
func (f *FS) cut(t *testing.T, r *rand.Rand) {
	t.Helper()
	must(t, f.Unmount())
	must(t, f.Cut(r))
	must(t, f.Mount())
}

// nothing is dice that make a cut take everything.
type nothing struct{}

func (nothing) Uint64() uint64 { return 0 }

func TestCutKeepsWhatWasSynced(t *testing.T) {
	f := mount(t)
	path := filepath.Join(f.at, "file")
	x, err := os.Create(path)
	must(t, err)
	_, err = x.WriteString("synced")
	must(t, err)
	must(t, x.Sync())
	syncFolder(t, f.at)
	_, err = x.WriteAt([]byte("LOST and longer"), 0)
	must(t, err)
	must(t, x.Close())
	must(t, os.WriteFile(filepath.Join(f.at, "other"), []byte("lost"), 0o600))
	must(t, os.Rename(path, filepath.Join(f.at, "moved")))
	f.cut(t, rand.New(nothing{}))
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "synced" {
		t.Errorf("after the cut: %q, %v, want what was synced", got, err)
	}
	if entries, err := os.ReadDir(f.at); err != nil || len(entries) != 1 {
		t.Errorf("after the cut: %v, %v, want one name", entries, err)
	}
	must(t, os.Rename(path, filepath.Join(f.at, "moved")))
	syncFolder(t, f.at)
	f.cut(t, rand.New(nothing{}))
	if got, err := os.ReadFile(filepath.Join(f.at, "moved")); err != nil || string(got) != "synced" {
		t.Errorf("a move that was synced: %q, %v", got, err)
	}
}

func TestErrors(t *testing.T) {
	f := mount(t)
	x, err := os.Create(filepath.Join(f.at, "file.db"))
	must(t, err)
	defer x.Close()
	failed := f.FailSync(".db", 2)
	must(t, x.Sync())
	if err := syscall.Fdatasync(int(x.Fd())); !errors.Is(err, syscall.EIO) {
		t.Errorf("second sync: %v, want EIO", err)
	}
	if got := <-failed; got.Meta || time.Since(got.At) > time.Minute {
		t.Errorf("told %+v", got)
	}
	must(t, x.Sync())
	f.Limit(2 * blockSize)
	if _, err := x.WriteAt(make([]byte, 3*blockSize), 0); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("three blocks: %v, want ENOSPC", err)
	}
	if _, err := x.WriteAt(make([]byte, 2*blockSize), 0); err != nil {
		t.Errorf("two blocks: %v", err)
	}
	if _, err := x.WriteAt(make([]byte, 2*blockSize), 0); err != nil {
		t.Errorf("the same two blocks: %v", err)
	}
	if err := x.Truncate(1 << 20); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("longer: %v, want ENOSPC", err)
	}
	f.Unlimit()
	must(t, x.Truncate(1<<20))
	f.Slow(100 * time.Millisecond)
	begun := time.Now()
	must(t, x.Sync())
	if took := time.Since(begun); took < 100*time.Millisecond {
		t.Errorf("a slow sync took %v", took)
	}
}

// bbolt works on it, maps what it writes, and has after any cut every change that it said was made. It runs in a program of its own: one
// that serves a file system must not touch what it maps of it.
func TestBolt(t *testing.T) {
	if path := os.Getenv("FAULTFS_BOLT"); path != "" {
		work(t, path)
		return
	}
	f := mount(t)
	r := rand.New(rand.NewPCG(1, 0))
	path := filepath.Join(f.at, "store.db")
	made := 0
	for range 20 {
		f.FailSync(".db", 3+r.IntN(60))
		cmd := exec.Command(os.Args[0], "-test.run", "^TestBolt$")
		cmd.Env = append(os.Environ(), "FAULTFS_BOLT="+path, fmt.Sprint("FAULTFS_MADE=", made))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("after %d changes: %v\n%s", made, err, out)
		}
		_, rest, _ := strings.Cut(string(out), "made ")
		if _, err := fmt.Sscan(rest, &made); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		f.cut(t, r)
	}
	if c := f.Counts(); c.Dropped == 0 || c.Torn == 0 {
		t.Errorf("%+v: nothing was lost", c)
	}
	t.Logf("%d changes, %+v", made, f.Counts())
}

// work opens a store, wants what was made before, and makes changes until a sync fails.
func work(t *testing.T, path string) {
	bucket := []byte("b")
	value := func(i int) []byte { return bytes.Repeat([]byte(fmt.Sprint(i, " ")), 200) }
	var made int
	_, err := fmt.Sscan(os.Getenv("FAULTFS_MADE"), &made)
	must(t, err)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, InitialMmapSize: 1 << 28})
	if errors.Is(err, syscall.EIO) {
		fmt.Println("made", made)
		return
	}
	must(t, err)
	syncFolder(t, filepath.Dir(path))
	must(t, db.View(func(tx *bbolt.Tx) error {
		for i := range made {
			if b := tx.Bucket(bucket); b == nil || !bytes.Equal(b.Get(fmt.Appendf(nil, "%06d", i)), value(i)) {
				return fmt.Errorf("change %d of %d is lost", i, made)
			}
		}
		for err := range tx.Check() {
			return err
		}
		return nil
	}))
	for err == nil {
		err = db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists(bucket)
			if err != nil {
				return err
			}
			return b.Put(fmt.Appendf(nil, "%06d", made), value(made))
		})
		if err == nil {
			made++
		}
	}
	fmt.Println("made", made)
}

func syncFolder(t *testing.T, path string) {
	t.Helper()
	d, err := os.Open(path)
	must(t, err)
	must(t, d.Sync())
	must(t, d.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
