//go:build failpoints

package failpoint

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// A program that is armed dies at the hit that it is told, as by kill -9, and the next one goes on.
func TestHit(t *testing.T) {
	if os.Getenv("FAILPOINT_TRY") != "" {
		for range 3 {
			Hit("other")
			Hit("here")
		}
		os.Exit(0)
	}
	dir := t.TempDir()
	run := func(armed string) *os.ProcessState {
		t.Helper()
		file := filepath.Join(dir, filepath.Base(os.Args[0]))
		if armed != "" {
			if err := os.WriteFile(file, []byte(armed), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(os.Args[0], "-test.run", "^TestHit$")
		cmd.Env = append(os.Environ(), "FAILPOINT_TRY=1", Folder+"="+dir)
		_ = cmd.Run() // its state tells
		return cmd.ProcessState
	}
	for _, x := range []struct {
		armed  string
		killed bool
	}{{"here 3", true}, {"", false}, {"here 4", false}, {"nowhere 1", false}, {"other 1", true}} {
		state := run(x.armed)
		ws, ok := state.Sys().(syscall.WaitStatus)
		if killed := ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL; killed != x.killed || !killed && !state.Success() {
			t.Errorf("armed with %q: %v, want killed %v", x.armed, state, x.killed)
		}
		_ = os.Remove(filepath.Join(dir, filepath.Base(os.Args[0])))
	}
}
