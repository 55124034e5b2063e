package programs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"crossdock.dev/tests/expect"
	"crossdock.dev/tests/seed"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// suite is a data folder and the `crossdock up` that runs on it.
type suite struct {
	t   *testing.T
	dir string
	up  *process
}

// newSuite makes an empty data folder.
func newSuite(t *testing.T) *suite {
	s := &suite{t: t, dir: t.TempDir()}
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		for _, name := range names {
			if raw, err := os.ReadFile(filepath.Join(s.dir, "logs", name+".log")); err == nil {
				t.Logf("the end of %s's log:\n%s", name, tail(string(raw)))
			}
		}
	})
	return s
}

// start runs `crossdock up`, on ports that no other suite has.
func (s *suite) start(args ...string) {
	s.t.Helper()
	s.up = launch(s.t, "crossdock", append([]string{"--data", s.dir, "up", "--story-clock", "--port-base", "0", "--discovery", "static",
		"--profiles", filepath.Join(sim.Root(s.t), "integrations", "edi", "partners", "day.yaml")}, args...)...)
}

// ready waits until all programs are, and reaches them.
func (s *suite) ready() *story.Live {
	s.t.Helper()
	s.up.awaitText(s.t, "DEVELOPMENT on loopback")
	return reach(s.t, filepath.Join(s.dir, "run.json"))
}

// reach connects to a running suite.
func reach(t *testing.T, runFile string) *story.Live {
	t.Helper()
	r, err := story.ReadRun(runFile)
	must(t, err)
	live, err := story.Connect(r)
	must(t, err)
	t.Cleanup(func() { must(t, live.Close()) })
	return live
}

// fill loads the day's master data and waits until everybody has read it.
func fill(t *testing.T, live *story.Live) {
	t.Helper()
	must(t, live.SetClock(story.Start))
	_, err := seed.Load(t.Context(), os.DirFS(filepath.Join(day(t), "seed")), live.Conn("masterdata"))
	must(t, err)
	must(t, live.CaughtUp(t.Context(), "masterdata"))
}

// settled waits until everybody has read what everybody has told.
func settled(t *testing.T, live *story.Live) {
	t.Helper()
	for _, name := range names {
		must(t, live.CaughtUp(t.Context(), name))
	}
}

// ended compares a suite on which the story was played to its end, checks every store while the programs run, stops them and
// checks every store again.
func (s *suite) ended(live *story.Live, n story.Names) {
	s.t.Helper()
	settled(s.t, live)
	expect.HappyPath(s.t, live, n)
	s.cli(0, "verify")
	s.up.stop(s.t)
	s.cli(0, "verify", "--offline")
}

// cli runs a command of the command line on the suite's data and returns what it prints.
func (s *suite) cli(want int, args ...string) string {
	s.t.Helper()
	code, out, errOut := run(s.t, "crossdock", append([]string{"--data", s.dir}, args...)...)
	if code != want {
		s.t.Errorf("crossdock %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), code, want, out, errOut)
	}
	return out
}

// started finds the lines with which up tells the process id of a program.
var started = regexp.MustCompile(`(?m)^([a-z]+)(?:  .*?  (\d+)  [/i]|: started again, pid (\d+)$)`)

// pids are the process ids of a program, oldest first.
func (s *suite) pids(name string) []int {
	s.t.Helper()
	var out []int
	for _, m := range started.FindAllStringSubmatch(s.up.text(), -1) {
		if m[1] == name {
			pid, err := strconv.Atoi(m[2] + m[3])
			must(s.t, err)
			out = append(out, pid)
		}
	}
	return out
}

// kill ends a program the hard way. nth is how often it has been killed before: the program must have been started again.
func (s *suite) kill(name string, nth int) {
	s.t.Helper()
	s.up.await(s.t, fmt.Sprintf("%s has run %d times", name, nth+1), func(string) string {
		if len(s.pids(name)) > nth {
			return "yes"
		}
		return ""
	})
	must(s.t, syscall.Kill(s.pids(name)[nth], syscall.SIGKILL))
}

// disturbed is a suite to which something happens at every step of the story.
type disturbed struct {
	*story.Live
	// at is told of every moment: "drop", "dropped", "call accept", "called accept".
	at func(moment string)
}

func (d disturbed) Drop(ctx context.Context, name string, content []byte) error {
	d.at("drop")
	defer d.at("dropped")
	return d.Live.Drop(ctx, name, content)
}

func (d disturbed) REST(ctx context.Context, party, method, path, key string, body []byte) ([]byte, error) {
	if key == "" {
		return d.Live.REST(ctx, party, method, path, key, body)
	}
	verb := path[strings.LastIndexAny(path, "/:")+1:]
	d.at("call " + verb)
	defer d.at("called " + verb)
	return d.Live.REST(ctx, party, method, path, key, body)
}

// day is the folder of the day's data.
func day(t *testing.T) string { return filepath.Join(sim.Root(t), "tests", "day") }

// document is the customer's 850, as found.
func document(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(day(t), "x12", "850.edi"))
	must(t, err)
	return raw
}
