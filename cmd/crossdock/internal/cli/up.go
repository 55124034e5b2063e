package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"crossdock.dev/cmd/crossdock/internal/show"
	"crossdock.dev/cmd/crossdock/internal/suite"
	"crossdock.dev/cmd/crossdock/internal/supervise"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/clock"
)

type upCmd struct {
	StoryClock bool      `help:"Business time comes from a file that stands still until it is set (clock.json in the data folder)."`
	ClockStart time.Time `help:"Where the story clock stands when it is made." default:"2026-03-02T11:00:00Z" placeholder:"TIME"`
	PortBase   int       `help:"First port: gRPC from here, gateways +100, admin +200, edge +980, tower +981; 0 finds free ones (run.json tells which)." default:"${port_base}"`
	Profiles   string    `help:"What is agreed with each EDI partner; default is that of the checkout that the programs were built in." type:"path" placeholder:"FILE"`
	Discovery  string    `help:"How programs find each other: consul, static addresses, or auto: consul where there is an agent." enum:"auto,consul,static" default:"auto"`
	Then       string    `help:"Command to run by the shell once everything is ready, and again when it is killed; CROSSDOCK_RUN names the run file." placeholder:"COMMAND"`
	ThenExit   bool      `help:"Stop after the --then command, with its exit status."`
}

// readyTimeout is how long everything together may take to be ready.
const readyTimeout = 60 * time.Second

// Help is printed by up --help.
func (c *upCmd) Help() string {
	return `Starts masterdata, orders, freight, billing, workflow, edge, tower and edi on loopback, keeps them running, and stops them in reverse order on Ctrl-C.
Data stays in the data folder: the next up goes on with it.`
}

// Run starts the suite and stays until it is told to stop.
func (c *upCmd) Run(ctx context.Context, env *Env) error {
	bin, err := env.bin()
	if err != nil {
		return err
	}
	if missing := suite.MissingPrograms(bin); len(missing) > 0 {
		return &failure{status: exitFailed, reason: "PROGRAMS_MISSING", try: "make build",
			what: fmt.Sprintf("not in %s: %s", bin, strings.Join(missing, ", "))}
	}
	profiles := c.Profiles
	if profiles == "" {
		profiles = filepath.Join(filepath.Dir(bin), "integrations", "edi", "partners", "day.yaml")
	}
	if _, err := os.Stat(profiles); err != nil {
		return &failure{status: exitUsage, what: "partner profiles: " + err.Error(), reason: "USAGE", try: "crossdock up --profiles FILE"}
	}
	l := env.layout()
	if err := l.Prepare(); err != nil {
		return err
	}
	lock, err := l.Lock()
	if errors.Is(err, suite.ErrRunning) {
		return &failure{status: exitConflict, what: fmt.Sprintf("a suite is running on %s already", l.Dir), reason: "ALREADY_RUNNING",
			try: "crossdock status, or another --data and --port-base"}
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	claim, run, err := c.plan(ctx, env, l, bin)
	if err != nil {
		return err
	}
	defer claim.Close()
	pki, err := auth.DevPKI(l.PKI(), suite.Names()...)
	if err != nil {
		return err
	}
	if c.StoryClock {
		if _, err := os.Stat(l.Clock()); errors.Is(err, fs.ErrNotExist) {
			if err := clock.SetFile(l.Clock(), c.ClockStart, false); err != nil {
				return err
			}
		}
	}
	agent, err := c.discovery(ctx, env, l, &run, filepath.Dir(bin))
	if err != nil {
		return err
	}
	if err := suite.WriteConfigs(l, run, pki, profiles); err != nil {
		return err
	}
	setVersions(run)
	return c.supervise(ctx, env, l, run, agent)
}

// discovery decides how the programs find each other, and says so.
func (c *upCmd) discovery(ctx context.Context, env *Env, l suite.Layout, run *suite.Run, root string) (suite.Agent, error) {
	if c.Discovery == suite.Static {
		return suite.Agent{}, nil
	}
	agent, err := suite.FindAgent(ctx, l, *run, root)
	switch {
	case errors.Is(err, suite.ErrNoAgent) && c.Discovery == "auto":
		fmt.Fprintln(env.Err, "discovery: static addresses;", err)
		return agent, nil
	case errors.Is(err, suite.ErrNoAgent):
		return agent, &failure{status: exitFailed, what: err.Error(), reason: "NO_AGENT", try: "make consul, or crossdock up --discovery static"}
	case err != nil:
		return agent, err
	}
	fmt.Fprintln(env.Err, "discovery: Consul,", agent.How)
	run.Discovery, run.Consul = suite.Consul, &agent.Config
	return agent, nil
}

// leftoverTime is how long the programs of an up that was killed may take to end.
const leftoverTime = 20 * time.Second

// plan claims ports and says where everything will be. An up that was killed leaves its description behind; its programs are
// ending, and are waited for.
func (c *upCmd) plan(ctx context.Context, env *Env, l suite.Layout, bin string) (net.Listener, suite.Run, error) {
	_, err := os.Stat(l.File())
	limit := env.Machine.Now()
	if err == nil {
		limit = limit.Add(leftoverTime)
	}
	for {
		claim, base, err := suite.Claim(c.PortBase)
		used := []string{fmt.Sprint(err)}
		if err == nil {
			run := suite.Plan(l, bin, base, c.StoryClock)
			if used = run.PortsInUse(); len(used) == 0 {
				return claim, run, nil
			}
			claim.Close()
		}
		if !env.Machine.Now().Before(limit) {
			return nil, suite.Run{}, &failure{status: exitConflict, what: "ports in use: " + strings.Join(used, ", "), reason: "PORTS_IN_USE",
				try: "crossdock up --port-base 0"}
		}
		select {
		case <-env.Machine.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, suite.Run{}, ctx.Err()
		}
	}
}

// setVersions asks every program at once for its version.
func setVersions(run suite.Run) {
	var mu sync.Mutex
	var asked sync.WaitGroup
	for _, name := range suite.Names() {
		asked.Go(func() {
			v := version(filepath.Join(run.BinDir, name))
			mu.Lock()
			defer mu.Unlock()
			a := run.Services[name]
			a.Version = v
			run.Services[name] = a
		})
	}
	asked.Wait()
}

// version is what a program says of itself, without its name.
func version(program string) string {
	out, err := exec.Command(program, "-version").Output()
	if err != nil {
		return ""
	}
	_, v, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	return v
}

func (c *upCmd) supervise(ctx context.Context, env *Env, l suite.Layout, run suite.Run, agent suite.Agent) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &watcher{env: env, run: run, pids: map[string]int{}, gaveUp: make(chan string, 1), starting: true}
	w.held = func(name string) bool { // for a restore, and as part of a story
		_, err := os.Stat(l.Hold(name))
		return err == nil
	}
	var programs []supervise.Program
	if agent.Program != "" {
		programs = append(programs, supervise.Program{Name: suite.Consul, Path: agent.Program, Args: agent.Args, Log: l.Log(suite.Consul)})
	}
	for _, name := range suite.Names() {
		programs = append(programs, supervise.Program{
			Name: name, Path: filepath.Join(run.BinDir, name), Args: []string{"-config", l.Config(name)}, Log: l.Log(name),
		})
	}
	ended := make(chan error, 1)
	go func() {
		ended <- supervise.Run(ctx, supervise.Config{Programs: programs, Machine: env.Machine, Held: w.held, Notify: w.event})
	}()
	fmt.Fprintln(env.Err, "starting on", l.Dir)
	err := c.attend(ctx, env, l, w)
	fmt.Fprintln(env.Err, "stopping")
	cancel()
	stopErr := <-ended
	if rmErr := os.Remove(l.File()); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
		stopErr = errors.Join(stopErr, rmErr)
	}
	return errors.Join(err, stopErr)
}

// attend waits until everything is ready, says so, runs the command that was asked for, and stays until ctx ends.
func (c *upCmd) attend(ctx context.Context, env *Env, l suite.Layout, w *watcher) error {
	if err := w.ready(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	if err := w.run.Write(l.File()); err != nil {
		return err
	}
	if err := w.summary(c.StoryClock); err != nil {
		return err
	}
	if c.Then != "" {
		code, err := c.then(ctx, env, l.File())
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		fmt.Fprintln(env.Err, "command ended with exit status", code)
		if c.ThenExit {
			return ended(code)
		}
	}
	<-ctx.Done()
	return nil
}

// then runs the command to its end. One that is killed is started again: it is meant to go on where it was.
func (c *upCmd) then(ctx context.Context, env *Env, runFile string) (int, error) {
	for {
		code, err := shell(ctx, env, c.Then, runFile)
		if err != nil || ctx.Err() != nil || code != killed {
			return code, err
		}
		fmt.Fprintln(env.Err, "command was killed; it starts again")
		select {
		case <-env.Machine.After(100 * time.Millisecond):
		case <-ctx.Done():
			return code, nil
		}
	}
}

// killed is the exit status of a command that SIGKILL ended, as a shell tells it.
const killed = 128 + int(syscall.SIGKILL)

// shell runs a command and returns its exit status; one that a signal ended has 128 more than the signal, as in a shell.
func shell(ctx context.Context, env *Env, command, runFile string) (int, error) {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Stdout, cmd.Stderr = env.Out, env.Err
	cmd.Env = append(os.Environ(), "CROSSDOCK_RUN="+runFile)
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			return 128 + int(ws.Signal()), nil
		}
		return max(exit.ExitCode(), 1), nil
	case ctx.Err() != nil:
		return 1, nil
	}
	return 0, err
}

// watcher tells a person what happens to the programs.
type watcher struct {
	env    *Env
	run    suite.Run
	held   func(program string) bool // nil holds none
	gaveUp chan string               // a program that cannot start

	mu       sync.Mutex
	pids     map[string]int
	starting bool
}

// event is told of every start and end.
func (w *watcher) event(e supervise.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e.Kind {
	case supervise.Started:
		again := w.pids[e.Program] != 0
		w.pids[e.Program] = e.PID
		if again || !w.starting {
			fmt.Fprintf(w.env.Err, "%s: started again, pid %d\n", e.Program, e.PID)
		}
	case supervise.Exited:
		fmt.Fprintf(w.env.Err, "%s: died, %s; starts again in %v, see %s\n", e.Program, e.State, e.Again, suite.Layout{Dir: w.run.DataDir}.Log(e.Program))
		if w.starting && e.Code == exitUsage {
			select {
			case w.gaveUp <- e.Program:
			default: // another has given up first
			}
		}
	case supervise.Held:
		fmt.Fprintf(w.env.Err, "%s: held down, %s\n", e.Program, e.State)
	case supervise.Stopped:
		if e.Code != 0 {
			fmt.Fprintf(w.env.Err, "%s: stopped, %s\n", e.Program, e.State)
		}
	}
}

// ready waits until every program that is not held down answers that it is ready. A program that refuses its configuration, or time running out,
// is an error that shows the end of the program's log.
func (w *watcher) ready(ctx context.Context) error {
	limit := w.env.Machine.After(readyTimeout)
	for _, name := range suite.Names() {
		for !w.isHeld(name) && !probe(ctx, w.run.Services[name].Admin) {
			select {
			case <-ctx.Done():
				return nil
			case refused := <-w.gaveUp:
				return w.notReady(refused)
			case <-limit:
				return w.notReady(name)
			case <-w.env.Machine.After(10 * time.Millisecond):
			}
		}
	}
	w.mu.Lock()
	w.starting = false
	w.mu.Unlock()
	return nil
}

func (w *watcher) isHeld(name string) bool { return w.held != nil && w.held(name) }

func (w *watcher) notReady(name string) error {
	log := w.run.Services[name].Log
	return &failure{status: exitFailed, reason: "NOT_READY", what: name + " does not get ready; the end of its log:\n" + lastLines(log, 5), try: "less " + log}
}

func lastLines(path string, n int) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(bytes.TrimSpace(raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func probe(ctx context.Context, admin string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // lets the connection be used again
	return resp.StatusCode == http.StatusOK
}

func (w *watcher) summary(storyClock bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var rows [][]string
	if pid := w.pids[suite.Consul]; pid != 0 {
		rows = append(rows, []string{suite.Consul, "-", w.run.Consul.Address, fmt.Sprint(pid), "in memory"})
	}
	for _, name := range suite.Names() {
		a, pid := w.run.Services[name], "held"
		if w.pids[name] != 0 {
			pid = fmt.Sprint(w.pids[name])
		}
		rows = append(rows, []string{name, a.GRPC, show.Text(a.HTTP), pid, filepath.Join(w.run.DataDir, "data", name)})
	}
	if err := show.Table(w.env.Out, []show.Column{{Head: "SERVICE"}, {Head: "GRPC"}, {Head: "HTTP"}, {Head: "PID", Right: true}, {Head: "DATA"}}, rows); err != nil {
		return err
	}
	clockText := "the machine's"
	if storyClock {
		clockText = "stands still until it is set: " + w.run.ClockFile
	}
	_, err := fmt.Fprintf(w.env.Out, `
  Tower        %s
  Partners     %s   (OpenAPI: /openapi/orders.json)
  EDI inbox    %s
  Clock        %s
  Logs         %s
  Try          crossdock status  ·  crossdock explain <any id or number>  ·  ^C stops all

%s
`, w.run.TowerURL, w.run.EdgeURL, filepath.Join(w.run.DataDir, "data", "edi", "inbox"), clockText, filepath.Join(w.run.DataDir, "logs"),
		w.env.Style.Bold("  DEVELOPMENT on loopback: identities without protection, every scope for whoever runs on this machine. Never use it elsewhere."))
	return err
}
