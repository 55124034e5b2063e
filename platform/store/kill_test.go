package store

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain runs the program that TestKill kills, when it is told to.
func TestMain(m *testing.M) {
	if path := os.Getenv("STORE_TO_FILL"); path != "" {
		fill(path)
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
