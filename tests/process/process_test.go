package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const patience = 20 * time.Second

func sh(script string) *exec.Cmd { return exec.Command("/bin/sh", "-c", script) }

// What a program prints is waited for, and a program that ends without having printed it is an error at once.
func TestAwait(t *testing.T) {
	p := Launch(t, patience, sh(`echo one; echo two >&2; exit 3`))
	for _, want := range []string{"one", "two"} {
		if err := p.AwaitText(t.Context(), want); err != nil {
			t.Error(err)
		}
	}
	if err := p.AwaitText(t.Context(), "three"); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("what was never printed: %v, want that it ended with exit status 3", err)
	}
	if code, err := p.Wait(); code != 3 || err != nil {
		t.Errorf("Wait: %d, %v, want 3", code, err)
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("a signal to a program that has ended: %v, want none", err)
	}
}

// A program that is asked to stop must do so well; one that is killed has no exit status.
func TestEnds(t *testing.T) {
	const waits = `echo up; while :; do :; done`
	for _, x := range []struct{ name, script, want string }{
		{"well", `trap 'exit 0' TERM; ` + waits, ""},
		{"badly", `trap 'exit 7' TERM; ` + waits, "exit status 7 after SIGTERM"},
		{"by the signal", `exec sleep 60`, "exit status -1 after SIGTERM"},
	} {
		p, err := Start(sh(x.script), patience)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(x.script, "echo up") {
			if err := p.AwaitText(t.Context(), "up\n"); err != nil {
				t.Error(err)
			}
		}
		switch err := p.Stop(); {
		case x.want == "" && err != nil:
			t.Errorf("%s: %v, want none", x.name, err)
		case x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)):
			t.Errorf("%s: %v, want %q", x.name, err, x.want)
		}
	}
	p := Launch(t, patience, exec.Command("sleep", "60"))
	if code, err := p.Kill(); code != -1 || err != nil {
		t.Errorf("killed: %d, %v, want -1", code, err)
	}
}

// What `crossdock up` prints tells who is which process, at the start and when a program was started again.
func TestPIDs(t *testing.T) {
	const text = `orders      127.0.0.1:7101  127.0.0.1:7201  4711  /data/orders
consul      -               127.0.0.1:8500  4712  in memory
tower       127.0.0.1:7107  127.0.0.1:8081  held  /data/tower
orders: ended, signal: killed
orders: started again, pid 4720
`
	for name, want := range map[string][]int{"orders": {4711, 4720}, "consul": {4712}, "tower": nil, "freight": nil} {
		if got := PIDs(name, text); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// A held program is one with a file in the folder where up looks; it is let go by taking that away.
func TestHold(t *testing.T) {
	s := &Suite{Dir: t.TempDir()}
	file := filepath.Join(s.Dir, "hold", "orders")
	for range 2 {
		if err := s.Hold("orders"); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(file); err != nil {
			t.Errorf("held: %v", err)
		}
		if err := s.Release("orders"); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(file); !os.IsNotExist(err) {
			t.Errorf("let go: %v, want that the file is gone", err)
		}
	}
}

// Suites that claim their ports at the same moment, before any of their programs runs, have none in common.
func TestClaimPorts(t *testing.T) {
	taken := map[int]int{}
	for range 3 {
		s := &Suite{}
		s.ClaimPorts(t)
		for _, block := range [][2]int{{0, 8}, {101, 108}, {201, 208}, {301, 303}, {980, 981}} {
			for port := s.PortBase + block[0]; port <= s.PortBase+block[1]; port++ {
				if other := taken[port]; other != 0 {
					t.Fatalf("the suites from %d and from %d both have port %d", other, s.PortBase, port)
				}
				taken[port] = s.PortBase
			}
		}
	}
}
