package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Program is a program that runs, or has run.
type Program struct {
	cmd      *exec.Cmd
	patience time.Duration
	said     transcript
	ended    chan struct{}
}

// Start starts a program and keeps what it prints. patience is how long it may take for anything, zero is for ever.
func Start(cmd *exec.Cmd, patience time.Duration) (*Program, error) {
	p := &Program{cmd: cmd, patience: patience, said: transcript{changed: make(chan struct{})}, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &p.said, &p.said, patience
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // its state tells how it ended
		close(p.ended)
	}()
	return p, nil
}

// Launch starts a program that ends with the test.
func Launch(t testing.TB, patience time.Duration, cmd *exec.Cmd) *Program {
	t.Helper()
	p, err := Start(cmd, patience)
	if err != nil {
		t.Fatal(err)
	}
	p.EndWith(t)
	return p
}

// EndWith stops the program at the end of the test, however it ends then. A test that failed shows what it printed last.
func (p *Program) EndWith(t testing.TB) {
	t.Cleanup(func() {
		if err := p.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		select {
		case <-p.ended:
		case <-p.limit():
			t.Errorf("%s does not stop", p)
			if err := p.Signal(syscall.SIGKILL); err != nil {
				t.Error(err)
			}
			<-p.ended
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", p, tail(p.Text()))
		}
	})
}

// String is the program's name.
func (p *Program) String() string { return filepath.Base(p.cmd.Path) }

// PID is its process id.
func (p *Program) PID() int { return p.cmd.Process.Pid }

// Text is what it has printed, on both streams.
func (p *Program) Text() string { return p.said.text() }

// Ended is closed when it has ended.
func (p *Program) Ended() <-chan struct{} { return p.ended }

// Signal sends a signal; a program that has ended needs none.
func (p *Program) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Kill ends the program without warning and returns its exit status: -1, unless it had ended by itself.
func (p *Program) Kill() (int, error) {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return 0, err
	}
	return p.Wait()
}

// Wait waits until the program has ended and returns its exit status, -1 when a signal ended it. One that does not end is made to
// dump its goroutines, and that ends it.
func (p *Program) Wait() (int, error) {
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-p.limit():
		return 0, errors.Join(fmt.Errorf("%s does not end", p), p.Dump())
	}
}

// Stop asks the program to end, as a person, a supervisor or a deploy does. It must do so by itself, with exit status 0.
func (p *Program) Stop() error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	code, err := p.Wait()
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: exit status %d after SIGTERM, want 0", p, code)
	}
	return err
}

// Dump makes a program that hangs, and those that it says it started, print what their goroutines wait for, and end.
func (p *Program) Dump() error {
	for _, m := range started.FindAllStringSubmatch(p.Text(), -1) {
		pid, err := strconv.Atoi(m[2] + m[3])
		if err != nil {
			return err
		}
		if exe, err := executable(pid); err == nil && filepath.Dir(exe) == filepath.Dir(p.cmd.Path) {
			_ = syscall.Kill(pid, syscall.SIGQUIT) // the only error is that it has ended
		}
	}
	if err := p.Signal(syscall.SIGQUIT); err != nil {
		return err
	}
	<-p.ended
	return nil
}

// Await returns as soon as the text that the program has printed is as wanted. what says so in words.
func (p *Program) Await(ctx context.Context, what string, so func(text string) bool) error {
	limit := p.limit()
	for {
		changed := p.said.next()
		if so(p.Text()) {
			return nil
		}
		select {
		case <-changed:
		case <-p.ended:
			if so(p.Text()) {
				return nil
			}
			return p.before(what)
		case <-limit:
			return p.not(what)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", p.not(what), ctx.Err())
		}
	}
}

// AwaitText returns as soon as the program has printed a text.
func (p *Program) AwaitText(ctx context.Context, want string) error {
	return p.Await(ctx, fmt.Sprintf("it has printed %q", want), func(text string) bool { return strings.Contains(text, want) })
}

// Until waits until something is so that the program does not tell of; it must go on until then. what says it in words.
func (p *Program) Until(ctx context.Context, what string, so func() bool) error {
	limit := p.limit()
	for !so() {
		select {
		case <-p.ended:
			if so() {
				return nil
			}
			return p.before(what)
		case <-limit:
			return p.not(what)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", p.not(what), ctx.Err())
		case <-time.After(again):
		}
	}
	return nil
}

// again is how often a question is asked to which nobody tells the answer.
const again = 10 * time.Millisecond

func (p *Program) before(what string) error {
	return fmt.Errorf("%s ended, %v, before %s", p, p.cmd.ProcessState, what)
}

func (p *Program) not(what string) error { return fmt.Errorf("%s: not so: %s", p, what) }

// limit tells when patience is over.
func (p *Program) limit() <-chan time.Time {
	if p.patience == 0 {
		return nil
	}
	return time.After(p.patience)
}

// Run runs a program to its end. An error is that it could not be run, or that a signal ended it.
func Run(cmd *exec.Cmd) (code int, out, errOut string, err error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		code, err = exit.ExitCode(), nil
	}
	return code, stdout.String(), stderr.String(), err
}

// started finds the lines with which up tells the process id of a program.
var started = regexp.MustCompile(`(?m)^([a-z]+)(?:  .*?  (\d+)  [/i]|: started again, pid (\d+)$)`)

// PIDs are the process ids of a program by what up has printed, oldest first.
func PIDs(name, text string) []int {
	var out []int
	for _, m := range started.FindAllStringSubmatch(text, -1) {
		if pid, err := strconv.Atoi(m[2] + m[3]); err == nil && m[1] == name {
			out = append(out, pid)
		}
	}
	return out
}

// executable is the file that a process runs.
func executable(pid int) (string, error) {
	return os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
}

// transcript keeps what a program prints and tells when there is more.
type transcript struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{} // closed with the next output
}

func (o *transcript) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.buf.Write(b)
}

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
	return strings.Join(lines[max(0, len(lines)-30):], "")
}
