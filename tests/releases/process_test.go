package releases

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a program may take for anything on a loaded machine.
const patience = 3 * time.Minute

// process is a program that runs.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended

	mu  sync.Mutex
	out bytes.Buffer
}

// launch starts a program in a folder, "" for this one; it is stopped at the end of the test.
func launch(t *testing.T, folder, program string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = folder, p, p
	must(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // its state tells how it ended
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.signal(t, syscall.SIGTERM)
		<-p.ended
		if t.Failed() {
			t.Logf("%s printed:\n%s", program, tail(p.text()))
		}
	})
	return p
}

// Write keeps what the program prints.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
}

// stop asks the program to end, as a deploy does. It must do so by itself, with exit status 0.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	select {
	case <-p.ended:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("%s: exit status %d after SIGTERM, want 0", p.cmd.Path, code)
		}
	case <-time.After(patience):
		t.Fatalf("%s does not stop", p.cmd.Path)
	}
}

// until waits until something is so, while the program runs.
func (p *process) until(t *testing.T, what string, so func() bool) {
	t.Helper()
	limit := time.After(patience)
	for !so() {
		select {
		case <-p.ended:
			if so() {
				return
			}
			t.Fatalf("%s ended, %v, before %s", p.cmd.Path, p.cmd.ProcessState, what)
		case <-limit:
			t.Fatalf("%s: not %s", p.cmd.Path, what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// prints waits until the program has printed a text.
func (p *process) prints(t *testing.T, text string) {
	t.Helper()
	p.until(t, "it has printed "+text, func() bool { return strings.Contains(p.text(), text) })
}

// ready asks the admin listener at an address whether its service is ready; why tells what it says when it is not.
func ready(ctx context.Context, admin string) (yes bool, why string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/readyz", nil)
	if err != nil {
		return false, err.Error()
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, err.Error()
	}
	return resp.StatusCode == http.StatusOK, string(body)
}

// tail is the end of what a program printed.
func tail(text string) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
