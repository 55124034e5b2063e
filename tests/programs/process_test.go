package programs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a program may take for anything on a loaded machine.
const patience = 60 * time.Second

// process is a program that runs.
type process struct {
	*transcript
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
}

// launch starts a program; it is stopped at the end of the test.
func launch(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{transcript: &transcript{changed: make(chan struct{})}, cmd: exec.Command(filepath.Join(bin, name), args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.transcript, p.transcript
	p.cmd.WaitDelay = patience
	must(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // code reads how it ended
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.signal(t, syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(patience):
			t.Errorf("%s does not stop", name)
			p.signal(t, syscall.SIGKILL)
			<-p.ended
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", name, tail(p.text()))
		}
	})
	return p
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
}

// wait waits until the program has ended and returns its exit status, -1 when a signal ended it.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.dump(t)
		t.Fatalf("%s does not end", p.cmd.Path)
		return 0
	}
}

// dump makes a program that hangs, and those that it says it started, print what their goroutines wait for.
func (p *process) dump(t *testing.T) {
	for _, m := range started.FindAllStringSubmatch(p.text(), -1) {
		pid, err := strconv.Atoi(m[2] + m[3])
		must(t, err)
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && filepath.Dir(exe) == bin {
			_ = syscall.Kill(pid, syscall.SIGQUIT) // the only error is that it has ended
		}
	}
	p.signal(t, syscall.SIGQUIT)
	<-p.ended
}

// stop asks the program to end, as a person or a supervisor does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if code := p.wait(t); code != 0 {
		t.Errorf("%s: exit status %d after SIGTERM, want 0", p.cmd.Path, code)
	}
}

// await returns what find finds in the output, as soon as it does.
func (p *process) await(t *testing.T, what string, find func(text string) string) string {
	t.Helper()
	limit := time.After(patience)
	for {
		changed := p.next()
		if found := find(p.text()); found != "" {
			return found
		}
		select {
		case <-changed:
		case <-p.ended:
			if found := find(p.text()); found != "" {
				return found
			}
			t.Fatalf("%s ended, %v, before %s", p.cmd.Path, p.cmd.ProcessState, what)
		case <-limit:
			t.Fatalf("%s: no %s", p.cmd.Path, what)
		}
	}
}

// awaitText waits until the output holds a text.
func (p *process) awaitText(t *testing.T, want string) {
	t.Helper()
	p.await(t, want, func(text string) string {
		if strings.Contains(text, want) {
			return want
		}
		return ""
	})
}

// transcript keeps what a program prints and tells when there is more.
type transcript struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{}
}

func (o *transcript) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.buf.Write(b)
}

// next is closed with the next output.
func (o *transcript) next() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changed
}

func (o *transcript) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// run runs a program to its end.
func run(t *testing.T, name string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, name), args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// tail is the end of what a program printed, without the lines that say that a reader of a log has turned away; all that it printed
// since it was told to dump its goroutines.
func tail(text string) string {
	if at := strings.LastIndex(text, "SIGQUIT: quit"); at >= 0 {
		return text[at:]
	}
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "/TailEntries") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-15):], "")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
