package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
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

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/tests/outcome"
	"crossdock.dev/tests/sim"
)

var (
	long  = flag.Bool("long", false, "play the day against programs, also while they are killed")
	seed  = flag.Uint64("seed", 1, "of the kills")
	pause = flag.Duration("pause", 3*time.Second, "the longest between two kills")
)

// patience is how long a day may take on a loaded machine, with every program killed again and again.
const patience = 20 * time.Minute

// The day is played against programs, to a summary that is the example's.
func TestDayOfPrograms(t *testing.T) {
	s := newSuite(t)
	summary := filepath.Join(s.dir, "summary.json")
	s.start("--then", filepath.Join(s.bin, "day")+" -day "+s.day+" -summary "+summary, "--then-exit")
	if code := s.up.wait(t); code != 0 {
		t.Fatalf("exit status %d\n%s", code, s.up.text())
	}
	s.compare(summary)
}

// The day is played while programs, the supervisor and the player itself are killed at any moment: the summary is the same, byte
// for byte but for the time that it took. So it is with a Consul agent, which is killed too and comes back with nothing in it.
func TestDayWithKills(t *testing.T) {
	for _, discovery := range []string{"static", "consul"} {
		t.Run(discovery, func(t *testing.T) { dayWithKills(t, discovery) })
	}
}

func dayWithKills(t *testing.T, discovery string) {
	s := newSuite(t)
	s.discovery = discovery
	if discovery == "consul" {
		withAgent(t)
	}
	s.start()
	s.ready()
	summary := filepath.Join(s.dir, "summary.json")
	play := func() *process {
		return launch(t, s.bin, "day", "-run", filepath.Join(s.dir, "run.json"), "-day", s.day, "-summary", summary)
	}
	day := play()
	random := rand.New(rand.NewPCG(*seed, 0))
	victims := append([]string{"day", "up"}, outcome.Services...)
	if discovery == "consul" {
		victims = append(victims, "consul")
	}
	limit, kills := time.After(patience), 0
	for {
		select {
		case <-day.ended:
			if code := day.wait(t); code != 0 {
				t.Fatalf("exit status %d after %d kills\n%s", code, kills, day.text())
			}
			t.Logf("%d kills", kills)
			s.compare(summary)
			return
		case <-limit:
			t.Fatalf("the day does not end; %d kills\n%s", kills, day.text())
		case <-time.After(time.Duration(random.Int64N(int64(*pause)))):
		}
		victim := victims[random.IntN(len(victims))]
		switch victim {
		case "day":
			day.kill(t)
			<-day.ended
			if day.cmd.ProcessState.ExitCode() == -1 { // it had not ended by itself
				day = play()
			}
		case "up": // and with it everything
			s.up.kill(t)
			<-s.up.ended
			s.gone()
			s.start()
			s.ready()
		default:
			s.kill(victim)
		}
		kills++
	}
}

// suite is a data folder and the `crossdock up` that runs on it.
type suite struct {
	t         *testing.T
	bin, dir  string
	day, root string
	base      string
	discovery string
	up        *process
}

func newSuite(t *testing.T) *suite {
	t.Helper()
	if !*long {
		t.Skip("runs with -long")
	}
	s := &suite{t: t, bin: t.TempDir(), dir: t.TempDir(), root: sim.Root(t), discovery: "static"}
	s.day = filepath.Join(s.root, "tests", "day")
	args := []string{"build", "-o", s.bin + string(filepath.Separator), "./cmd/crossdock", "./tests/cmd/day", "./integrations/edi/cmd/edi"}
	for _, name := range outcome.Services {
		if name != "edi" {
			args = append(args, "./services/"+name+"/cmd/"+name)
		}
	}
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = s.root, append(os.Environ(), "GOWORK=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for base := 12000 + os.Getpid()%200*10; s.base == ""; base += 10 {
		if free(base) {
			s.base = strconv.Itoa(base)
		}
	}
	return s
}

// free says whether nobody listens on the ports of a suite: gRPC, gateways, admin, edge and tower.
func free(base int) bool {
	for _, block := range [][2]int{{1, 8}, {102, 104}, {201, 208}, {980, 981}} {
		for offset := block[0]; offset <= block[1]; offset++ {
			lis, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base+offset)))
			if err != nil {
				return false
			}
			lis.Close()
		}
	}
	return true
}

func (s *suite) start(args ...string) {
	s.t.Helper()
	s.up = launch(s.t, s.bin, "crossdock", append([]string{"--data", s.dir, "up", "--story-clock", "--port-base", s.base, "--discovery", s.discovery,
		"--profiles", filepath.Join(s.root, "integrations", "edi", "partners", "day.yaml")}, args...)...)
}

// gone waits until the programs of a supervisor that was killed have ended too.
func (s *suite) gone() {
	s.t.Helper()
	base, err := strconv.Atoi(s.base)
	must(s.t, err)
	limit := time.After(time.Minute)
	for !free(base) {
		select {
		case <-limit:
			s.t.Fatal("programs outlive their supervisor")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ready waits until all programs are.
func (s *suite) ready() {
	s.t.Helper()
	for !strings.Contains(s.up.text(), "DEVELOPMENT on loopback") {
		select {
		case <-s.up.ended:
			s.t.Fatalf("crossdock up ended\n%s", s.up.text())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// started finds the lines with which up tells the process id of a program.
var started = regexp.MustCompile(`(?m)^([a-z]+)(?:  .*?  (\d+)  [/i]|: started again, pid (\d+)$)`)

// pid is the process id that a program was started with last.
func (s *suite) pid(name string) int {
	s.t.Helper()
	pid := 0
	for _, m := range started.FindAllStringSubmatch(s.up.text(), -1) {
		if m[1] == name {
			var err error
			pid, err = strconv.Atoi(m[2] + m[3])
			must(s.t, err)
		}
	}
	if pid == 0 {
		s.t.Fatalf("up does not say which process %s is\n%s", name, s.up.text())
	}
	return pid
}

// kill kills a program, unless it is just being started again or held: then its number is nobody's, or somebody else's.
func (s *suite) kill(name string) {
	s.t.Helper()
	pid := s.pid(name)
	program, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
	if err != nil || filepath.Base(program) != name {
		return
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		s.t.Fatal(err)
	}
}

var wall = regexp.MustCompile(`"wall_seconds": [0-9.]+`)

// withAgent puts the Consul agent that was built on the PATH.
func withAgent(t *testing.T) {
	t.Helper()
	bin := os.Getenv("CONSUL_BIN")
	if bin == "" {
		out, err := exec.Command(filepath.Join(sim.Root(t), "build", "consul.sh"), "--cached").Output()
		if err != nil {
			t.Skip("no Consul agent: make consul builds one")
		}
		bin = strings.TrimSpace(string(out))
	}
	t.Setenv("PATH", filepath.Dir(bin)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("CONSUL_HTTP_ADDR", "") // an agent of the test's own
}

// compare holds a summary against the example.
func (s *suite) compare(path string) {
	s.t.Helper()
	got, err := os.ReadFile(path)
	must(s.t, err)
	want, err := fs.ReadFile(os.DirFS(s.day), "summary.example.json")
	must(s.t, err)
	s.t.Log(string(wall.Find(got)))
	got = bytes.Replace(got, []byte(`"discovery": "`+s.discovery+`"`), []byte(`"discovery": "static"`), 1) // as the example says
	if diff := cmp.Diff(string(bytes.TrimSpace(wall.ReplaceAll(want, nil))), string(bytes.TrimSpace(wall.ReplaceAll(got, nil)))); diff != "" {
		s.t.Errorf("summary (-want +got):\n%s", diff)
	}
}

// process is a program that runs.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended

	mu  sync.Mutex
	out bytes.Buffer
}

func launch(t *testing.T, bin, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(filepath.Join(bin, name), args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	must(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // wait reads how it ended
		close(p.ended)
	}()
	t.Cleanup(func() {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		<-p.ended
		if t.Failed() {
			t.Logf("%s printed:\n%s", name, p.text())
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

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// wait waits for the end and returns the exit status, -1 when a signal ended it.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatal(fmt.Sprintf("%s does not end\n%s", p.cmd.Path, p.text()))
		return 0
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
