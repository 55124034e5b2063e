// Package supervise keeps a set of programs running on this machine: it starts them in order, starts again what dies, holds
// down what it is told to hold, and stops them in reverse order. It promises that a stopped supervisor leaves no program behind,
// that a program which dies at once is not started again in a tight loop, and that everything that happens is told. It leaves
// what the programs are, and whether they are ready, to its caller.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"crossdock.dev/platform/clock"
)

// Program is one program to keep running.
type Program struct {
	Name string
	Path string
	Args []string
	// Log is the file that its output is appended to.
	Log string
}

// Kind says what happened to a program.
type Kind int

// What can happen.
const (
	Started Kind = iota + 1
	Exited       // and it is started again after Event.Again
	Stopped      // because it was told to
	Held         // and it is not started until it is held no more
)

// Event is what happened to a program.
type Event struct {
	Program string
	Kind    Kind
	PID     int
	// Code is the exit status, -1 when a signal ended it.
	Code int
	// State is the exit status in words, such as "exit status 1" or "signal: killed".
	State string
	// Again is how long the supervisor waits before it starts the program again.
	Again time.Duration
}

// Config says what to run.
type Config struct {
	// Programs are started in this order and stopped in the reverse one.
	Programs []Program
	// Machine measures back-off and the stop.
	Machine clock.Machine
	// Notify is told everything, one event at a time.
	Notify func(Event)
	// Held says whether a program is to be held down: it is told to stop when it runs, and is not started. It is asked often. Nil
	// holds none.
	Held func(program string) bool
	// StopTimeout is how long a program has to end by itself before it is killed; 0 means 15 s.
	StopTimeout time.Duration
}

// The back-off doubles from the first to the last for a program that dies before it has run for steady.
const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 5 * time.Second
	steady       = 10 * time.Second
)

// holdLook is how often Held is asked.
const holdLook = 20 * time.Millisecond

// Run starts the programs and keeps them running until ctx ends; then it stops them and returns nil. An error means that a
// program could not be started at all.
func Run(ctx context.Context, c Config) error {
	if c.StopTimeout == 0 {
		c.StopTimeout = 15 * time.Second
	}
	s := &supervisor{Config: c, starts: make(chan func())}
	go s.starter()
	defer close(s.starts)
	running := make([]*child, 0, len(c.Programs))
	var failed error
	for _, p := range c.Programs {
		ch := &child{Program: p, s: s, stop: make(chan struct{}), ended: make(chan struct{})}
		var cmd *exec.Cmd
		if !ch.held() {
			var err error
			if cmd, err = s.start(p); err != nil {
				failed = fmt.Errorf("start %s: %w", p.Name, err)
				break
			}
		}
		running = append(running, ch)
		go ch.keep(cmd)
	}
	if failed == nil {
		<-ctx.Done()
	}
	for _, ch := range slices.Backward(running) {
		close(ch.stop)
		<-ch.ended
	}
	return failed
}

type supervisor struct {
	Config
	starts chan func()
	mu     sync.Mutex // one event at a time
}

// starter starts every program from one thread that lives as long as the supervisor: on Linux the programs are told to end
// when the thread that started them does, so that none is left behind when the supervisor is killed.
func (s *supervisor) starter() {
	runtime.LockOSThread()
	for fn := range s.starts {
		fn()
	}
}

func (s *supervisor) notify(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Notify(e)
}

func (s *supervisor) start(p Program) (*exec.Cmd, error) {
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the program has its own copy
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attributes()
	done := make(chan error)
	s.starts <- func() { done <- cmd.Start() }
	if err := <-done; err != nil {
		return nil, err
	}
	s.notify(Event{Program: p.Name, Kind: Started, PID: cmd.Process.Pid})
	return cmd, nil
}

// child is one program that is kept running.
type child struct {
	Program
	s     *supervisor
	stop  chan struct{}
	ended chan struct{}
}

// keep keeps a program running; cmd is nil when it is held from the start.
func (c *child) keep(cmd *exec.Cmd) {
	defer close(c.ended)
	var backoff time.Duration
	for going := true; going; {
		if cmd == nil && c.held() {
			going, backoff = c.pause(holdLook), 0
			continue
		}
		e := Event{Program: c.Name, Kind: Exited, Code: -1}
		if cmd == nil {
			var err error
			if cmd, err = c.s.start(c.Program); err != nil {
				e.State = err.Error()
			}
		}
		if cmd != nil {
			begun := c.s.Machine.Now()
			e, going = c.watch(cmd)
			cmd = nil
			if e.Kind != Exited {
				continue
			}
			if c.s.Machine.Now().Sub(begun) >= steady {
				backoff = 0
			}
		}
		backoff = min(max(2*backoff, firstBackoff), lastBackoff)
		e.Again = backoff
		c.s.notify(e)
		going = c.pause(backoff)
	}
}

// watch returns when a running program has ended, by itself or because it was told to; going is false when the supervisor stops.
func (c *child) watch(cmd *exec.Cmd) (e Event, going bool) {
	exited := make(chan Event, 1)
	go func() { exited <- c.wait(cmd) }()
	for {
		var look <-chan time.Time // never without Held
		if c.s.Held != nil {
			look = c.s.Machine.After(holdLook)
		}
		select {
		case e := <-exited:
			return e, true
		case <-c.stop:
			return c.end(cmd, exited, Stopped), false
		case <-look:
			if c.held() {
				return c.end(cmd, exited, Held), true
			}
		}
	}
}

func (c *child) held() bool { return c.s.Held != nil && c.s.Held(c.Name) }

// pause waits; false means that the supervisor stops.
func (c *child) pause(d time.Duration) bool {
	select {
	case <-c.s.Machine.After(d):
		return true
	case <-c.stop:
		return false
	}
}

func (c *child) wait(cmd *exec.Cmd) Event {
	err := cmd.Wait()
	var exit *exec.ExitError
	state := "exit status 0"
	if errors.As(err, &exit) {
		state = exit.String()
	} else if err != nil {
		state = err.Error()
	}
	return Event{Program: c.Name, Kind: Exited, PID: cmd.Process.Pid, Code: cmd.ProcessState.ExitCode(), State: state}
}

// end asks the program to stop, kills it when it does not, and tells why.
func (c *child) end(cmd *exec.Cmd, exited <-chan Event, why Kind) Event {
	_ = cmd.Process.Signal(syscall.SIGTERM) // the only error is that it has ended already
	var e Event
	select {
	case e = <-exited:
	case <-c.s.Machine.After(c.s.StopTimeout):
		_ = cmd.Process.Kill()
		e = <-exited
	}
	e.Kind = why
	c.s.notify(e)
	return e
}
