package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain runs the programs that TestKill, TestFileLimit and TestArchiveKilled start, when it is told to.
func TestMain(m *testing.M) {
	if path := os.Getenv("STORE_TO_FILL"); path != "" {
		fill(path)
	}
	if path := os.Getenv("STORE_TO_LIMIT"); path != "" {
		if err := meetLimit(path, os.Getenv("STORE_NO_SYNC") != ""); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if path := os.Getenv("STORE_TO_ARCHIVE"); path != "" {
		archiveKilled(path)
	}
	os.Exit(m.Run())
}

// fill makes changes for ever, and prints the request id of each one that was acknowledged.
func fill(path string) {
	ctx := context.Background()
	o := testOptions(path)
	o.NoSync = false
	s, err := Open(ctx, o)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var pending []*Pending
	for i := 0; ; i++ {
		id := fmt.Sprint(os.Getpid(), "-", i)
		pending = append(pending, s.Submit(ctx, request(id), func(tx *Tx) ([]byte, error) {
			if i%5 == 4 {
				return []byte(id), deleteThing(ctx, tx, fmt.Sprint("k", i-2))
			}
			return []byte(id), putThing(ctx, tx, fmt.Sprint("k", i), strings.Repeat(id, 20))
		}))
		if len(pending) < 16 {
			continue
		}
		for _, p := range pending {
			out, err := p.Wait(ctx)
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			fmt.Println(string(out.Answer))
		}
		pending = nil
	}
}

// TestKill kills a program in the middle of its changes, again and again: nothing acknowledged is lost, nothing is half there.
func TestKill(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "test.db")
	var acknowledged []string
	for round := range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "STORE_TO_FILL="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			acknowledged = append(acknowledged, lines.Text())
			if n == 100+37*round {
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
		s := openTest(t, testOptions(path))
		wantClean(t, s)
		for _, id := range acknowledged {
			out, err := s.Change(ctx, request(id), func(*Tx) ([]byte, error) { return nil, fmt.Errorf("request %s was acknowledged and lost", id) })
			if err != nil || !out.Repeated || string(out.Answer) != id {
				t.Fatalf("repeat of %s = %+v, %v", id, out, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFileLimit has the operating system refuse to let the file grow, once where bbolt extends it and once where it writes.
func TestFileLimit(t *testing.T) {
	for _, noSync := range []string{"", "1"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "STORE_TO_LIMIT="+filepath.Join(t.TempDir(), "test.db"), "STORE_NO_SYNC="+noSync)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("no sync %q: %v\n%s", noSync, err, out)
		}
	}
}

// meetLimit fills a store up to a limit of its process, raises the limit and goes on with the same store.
func meetLimit(path string, noSync bool) error {
	signal.Ignore(syscall.SIGXFSZ)
	var whole syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &whole); err != nil {
		return err
	}
	ctx := context.Background()
	o := testOptions(path)
	o.NoSync = noSync
	s, err := Open(ctx, o)
	if err != nil {
		return err
	}
	defer s.Close()
	made := 0
	put := func() error {
		_, err := s.Change(ctx, Cause{}, func(tx *Tx) ([]byte, error) {
			return nil, tx.Put(ctx, people, Key(uint64(made)), make([]byte, 8000))
		})
		if err == nil {
			made++
		}
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 600 << 10, Max: whole.Max}); err != nil {
		return err
	}
	for err == nil && made < 1000 {
		err = put()
	}
	if !errors.Is(err, ErrFull) || s.Ready() != nil {
		return fmt.Errorf("at the limit, after %d changes: %v, ready %v, want ErrFull and ready", made, err, s.Ready())
	}
	if err := put(); !errors.Is(err, ErrFull) {
		return fmt.Errorf("still at the limit: %v, want ErrFull", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &whole); err != nil {
		return err
	}
	for range 20 {
		if err := put(); err != nil {
			return fmt.Errorf("after the limit was raised: %w", err)
		}
	}
	if s.Last().Sequence != uint64(made) {
		return fmt.Errorf("last %v, want %d", s.Last(), made)
	}
	r, err := s.Verify(ctx)
	if err != nil || len(r.Breaches) > 0 {
		return fmt.Errorf("verify: %w %q", err, r.Breaches)
	}
	return nil
}
