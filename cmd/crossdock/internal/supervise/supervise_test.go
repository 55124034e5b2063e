package supervise

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The test's own binary is the program that is supervised: "helper <name> <socket> [stubborn]" says its name on the socket
// and ends when it is told "die" there, or by SIGTERM unless it is stubborn.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "helper" {
		os.Exit(helper(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func helper(args []string) int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	if len(args) == 3 {
		term = nil
	}
	conn, err := net.Dial("unix", args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 9
	}
	fmt.Println("helper", args[0], "runs")
	fmt.Fprintln(conn, args[0])
	told := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(conn).ReadString('\n')
		told <- strings.TrimSpace(line)
	}()
	for {
		select {
		case <-term:
			return 0
		case line := <-told:
			if line == "die" {
				return 3
			}
			told = nil // the test has closed the connection
		}
	}
}

// manualMachine gives its timers to the test.
type manualMachine struct {
	mu    sync.Mutex
	now   time.Time
	asked chan timer
}

type timer struct {
	d    time.Duration
	fire chan time.Time
}

func (m *manualMachine) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func (m *manualMachine) advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}

func (m *manualMachine) After(d time.Duration) <-chan time.Time {
	t := timer{d, make(chan time.Time, 1)}
	m.asked <- t
	return t.fire
}

type rig struct {
	t       *testing.T
	dir     string
	machine *manualMachine
	events  chan Event
	conns   chan net.Conn
	ended   chan error
	cancel  context.CancelFunc
}

func start(t *testing.T, names ...string) *rig {
	t.Helper()
	return startHeld(t, nil, names...)
}

func startHeld(t *testing.T, held func(string) bool, names ...string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), machine: &manualMachine{now: time.Now(), asked: make(chan timer, 100)},
		events: make(chan Event, 100), conns: make(chan net.Conn, 100), ended: make(chan error, 1)}
	// Socket paths are short; the test's folder may not be.
	sockets, err := os.MkdirTemp("", "sup")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(sockets) })
	socket := filepath.Join(sockets, "s")
	lis, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	go func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			r.conns <- conn
		}
	}()
	var programs []Program
	for _, name := range names {
		p := Program{Name: name, Path: os.Args[0], Args: []string{"helper", name, socket}, Log: filepath.Join(r.dir, name+".log")}
		if name == "stubborn" {
			p.Args = append(p.Args, "stubborn")
		}
		if name == "missing" {
			p.Path = filepath.Join(r.dir, "missing")
		}
		programs = append(programs, p)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() {
		r.ended <- Run(ctx, Config{Programs: programs, Machine: r.machine, Held: held, Notify: func(e Event) { r.events <- e }, StopTimeout: 7 * time.Second})
	}()
	t.Cleanup(cancel)
	return r
}

// connected waits for helpers and returns their connections by name.
func (r *rig) connected(n int) map[string]net.Conn {
	r.t.Helper()
	out := map[string]net.Conn{}
	for range n {
		conn := <-r.conns
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			r.t.Fatal(err)
		}
		out[strings.TrimSpace(line)] = conn
	}
	return out
}

func (r *rig) want(kind Kind, program string) Event {
	r.t.Helper()
	e := <-r.events
	if e.Kind != kind || e.Program != program {
		r.t.Fatalf("event %+v, want kind %d of %s", e, kind, program)
	}
	return e
}

func TestRestartAndStopOrder(t *testing.T) {
	r := start(t, "a", "b", "c")
	pids := map[int]bool{}
	for _, name := range []string{"a", "b", "c"} {
		pids[r.want(Started, name).PID] = true
	}
	conns := r.connected(3)
	b := conns["b"]
	// The back-off doubles up to 5 s as long as the program dies at once, and begins anew after it has run for 10 s.
	for i, want := range []time.Duration{100, 200, 400, 800, 1600, 3200, 5000, 5000, 100} {
		want *= time.Millisecond
		if i == 8 {
			r.machine.advance(10 * time.Second)
		}
		fmt.Fprintln(b, "die")
		e := r.want(Exited, "b")
		if e.Code != 3 || e.State != "exit status 3" || e.Again != want {
			t.Fatalf("death %d: %+v, want exit status 3 and again in %v", i, e, want)
		}
		timer := <-r.machine.asked
		if timer.d != want {
			t.Fatalf("death %d: waits %v, want %v", i, timer.d, want)
		}
		timer.fire <- time.Time{}
		started := r.want(Started, "b")
		if pids[started.PID] {
			t.Errorf("death %d: the same pid %d again", i, started.PID)
		}
		b = r.connected(1)["b"]
	}
	r.cancel()
	var order []string
	for range 3 {
		e := <-r.events
		if e.Kind != Stopped || e.Code != 0 {
			t.Errorf("event %+v, want stopped with 0", e)
		}
		order = append(order, e.Program)
	}
	if diff := cmp.Diff([]string{"c", "b", "a"}, order); diff != "" {
		t.Errorf("stop order (-want +got):\n%s", diff)
	}
	if err := <-r.ended; err != nil {
		t.Errorf("run: %v, want nil", err)
	}
	log, err := os.ReadFile(filepath.Join(r.dir, "b.log"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(string(log), "helper b runs\n"), 10; got != want {
		t.Errorf("%d lines in the log of b, want %d: one for each start", got, want)
	}
}

func TestStubbornProgramIsKilled(t *testing.T) {
	r := start(t, "stubborn", "z")
	r.want(Started, "stubborn")
	r.want(Started, "z")
	r.connected(2)
	r.cancel()
	r.want(Stopped, "z")
	<-r.machine.asked // z had time to end, and did
	timer := <-r.machine.asked
	if timer.d != 7*time.Second {
		t.Fatalf("waits %v for stubborn, want the stop timeout of 7s", timer.d)
	}
	timer.fire <- time.Time{}
	if e := r.want(Stopped, "stubborn"); e.State != "signal: killed" {
		t.Errorf("event %+v, want signal: killed", e)
	}
	if err := <-r.ended; err != nil {
		t.Errorf("run: %v, want nil", err)
	}
}

func TestStopDuringBackoff(t *testing.T) {
	r := start(t, "a")
	r.want(Started, "a")
	fmt.Fprintln(r.connected(1)["a"], "die")
	r.want(Exited, "a")
	r.cancel()
	if err := <-r.ended; err != nil {
		t.Errorf("run: %v, want nil: nothing runs that could be stopped", err)
	}
}

func TestMissingProgramStopsTheOthers(t *testing.T) {
	r := start(t, "a", "missing", "c")
	r.want(Started, "a")
	r.want(Stopped, "a")
	if err := <-r.ended; err == nil || !strings.Contains(err.Error(), "start missing") {
		t.Errorf("run: %v, want the program that could not be started", err)
	}
	var rest []Event
	for len(r.events) > 0 {
		rest = append(rest, <-r.events)
	}
	if slices.ContainsFunc(rest, func(e Event) bool { return e.Program == "c" }) {
		t.Errorf("events %+v, want c never started", rest)
	}
}

// A program that is held ends as if it were stopped, stays down, and is started when it is held no more; one that is held from
// the start is not started until then, and the supervisor stops as ever.
func TestHold(t *testing.T) {
	var mu sync.Mutex
	held := map[string]bool{"b": true}
	hold := func(name string, on bool) {
		mu.Lock()
		defer mu.Unlock()
		held[name] = on
	}
	r := startHeld(t, func(name string) bool {
		mu.Lock()
		defer mu.Unlock()
		return held[name]
	}, "a", "b")
	ticking := make(chan struct{})
	defer close(ticking)
	go func() { // the time between two looks passes at once
		for {
			select {
			case timer := <-r.machine.asked:
				if timer.d == holdLook {
					timer.fire <- time.Time{}
				}
			case <-ticking:
				return
			}
		}
	}()
	first := r.want(Started, "a").PID
	r.connected(1)
	hold("a", true)
	if e := r.want(Held, "a"); e.Code != 0 || e.PID != first {
		t.Errorf("event %+v, want pid %d ended with 0", e, first)
	}
	hold("b", false)
	r.want(Started, "b")
	r.connected(1)
	hold("a", false)
	if again := r.want(Started, "a").PID; again == first {
		t.Errorf("the same pid %d again", again)
	}
	r.connected(1)
	hold("b", true)
	r.want(Held, "b")
	r.cancel()
	r.want(Stopped, "a")
	if err := <-r.ended; err != nil {
		t.Errorf("run: %v, want nil", err)
	}
	if len(r.events) > 0 {
		t.Errorf("event %+v after the stop, want none: b was down", <-r.events)
	}
}
