package releases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/tests/expect"
	"crossdock.dev/tests/seed"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// suite is a data folder, a folder of programs that were built at different times, and the `crossdock up` that runs on them.
type suite struct {
	t        *testing.T
	dir, bin string
	up       *process
}

// newSuite makes an empty data folder, and a folder of links to today's programs.
func newSuite(t *testing.T) *suite {
	t.Helper()
	s := &suite{t: t, dir: t.TempDir(), bin: t.TempDir()}
	for _, name := range names {
		s.deploy(name, today)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		for _, name := range names {
			if raw, err := os.ReadFile(s.log(name)); err == nil {
				t.Logf("the end of %s's log:\n%s", name, tail(string(raw)))
			}
		}
	})
	return s
}

// deploy puts the program of a folder in the place of a service's; it is what the next start runs.
func (s *suite) deploy(name, folder string) {
	s.t.Helper()
	part := filepath.Join(s.bin, "."+name)
	must(s.t, os.Symlink(filepath.Join(absolute(s.t, folder), name), part))
	must(s.t, os.Rename(part, filepath.Join(s.bin, name)))
}

func (s *suite) log(name string) string { return filepath.Join(s.dir, "logs", name+".log") }

func (s *suite) hold(name string) string { return filepath.Join(s.dir, "hold", name) }

// runFile says where the suite runs.
func (s *suite) runFile() string { return filepath.Join(s.dir, "run.json") }

// start runs `crossdock up`, on ports that no other suite has, and waits until all programs are ready.
func (s *suite) start() *story.Live {
	s.t.Helper()
	s.up = launch(s.t, "", filepath.Join(today, "crossdock"), "--data", s.dir, "--bin", s.bin, "up", "--story-clock", "--port-base", "0", "--discovery", *discovery,
		"--profiles", filepath.Join(sim.Root(s.t), "integrations", "edi", "partners", "day.yaml"))
	s.up.prints(s.t, "DEVELOPMENT on loopback")
	for _, name := range names {
		s.runs(name, 1, version(s.t, s.bin, name))
	}
	r, err := story.ReadRun(s.runFile())
	must(s.t, err)
	return connect(s.t, r)
}

// admin is where a service of the suite tells whether it is ready.
func (s *suite) admin(name string) string {
	s.t.Helper()
	raw, err := os.ReadFile(s.runFile())
	must(s.t, err)
	var run struct {
		Services map[string]struct{ Admin string }
	}
	must(s.t, json.Unmarshal(raw, &run))
	return run.Services[name].Admin
}

// replace stops a service, as a deploy does, puts the program of a folder in its place, and waits until that is ready.
func (s *suite) replace(name, folder string) {
	s.t.Helper()
	count := func(text string) int { return strings.Count(s.up.text(), text) }
	held, started := name+": held down", name+": started again"
	heldBefore, startedBefore, ran := count(held), count(started), len(s.ran(name))
	must(s.t, os.WriteFile(s.hold(name), nil, 0o600))
	s.up.until(s.t, name+" has stopped", func() bool { return count(held) > heldBefore })
	s.deploy(name, folder)
	must(s.t, os.Remove(s.hold(name)))
	s.up.until(s.t, name+" has started", func() bool { return count(started) > startedBefore })
	s.up.until(s.t, name+" is ready", func() bool { yes, _ := ready(s.t.Context(), s.admin(name)); return yes })
	s.runs(name, ran+1, version(s.t, folder, name))
}

var startedVersion = regexp.MustCompile(`"msg":"started".*?"version":"([^"]*)"`)

// ran are the versions of a service's program at each start that its log tells of.
func (s *suite) ran(name string) []string {
	s.t.Helper()
	raw, err := os.ReadFile(s.log(name))
	must(s.t, err)
	var out []string
	for _, m := range startedVersion.FindAllSubmatch(raw, -1) {
		out = append(out, string(m[1]))
	}
	return out
}

// runs waits until a service has told of its nth start, and compares the version.
func (s *suite) runs(name string, nth int, want string) {
	s.t.Helper()
	s.up.until(s.t, fmt.Sprintf("%s has told of start %d", name, nth), func() bool { return len(s.ran(name)) >= nth })
	if got := s.ran(name); got[nth-1] != want {
		s.t.Errorf("%s started in versions %q, want %q last", name, got, want)
	}
}

// version is what a program says of itself.
func version(t *testing.T, folder, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(folder, name), "-version").Output()
	must(t, err)
	return strings.TrimPrefix(strings.TrimSpace(string(out)), name+" ")
}

// whole checks every store while the programs run, stops them and checks every store again, each by the program that wrote it.
func (s *suite) whole() {
	s.t.Helper()
	s.cli("verify")
	s.up.stop(s.t)
	s.cli("verify", "--offline")
}

func (s *suite) cli(args ...string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(today, "crossdock"), append([]string{"--data", s.dir, "--bin", s.bin, "--timeout", "60s"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Errorf("crossdock %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// day starts to play the whole day.
func (s *suite) day() *process {
	s.t.Helper()
	return launch(s.t, "", filepath.Join(today, "day"), "-run", s.runFile(), "-day", days(s.t), "-summary", s.summary())
}

func (s *suite) summary() string { return filepath.Join(s.dir, "summary.json") }

var wall = regexp.MustCompile(`"wall_seconds": [0-9.]+`)

// played waits for the end of a day and holds its summary against the example: the same bytes, but for the time that it took and how
// programs found each other.
func (s *suite) played(day *process) {
	s.t.Helper()
	<-day.ended
	if code := day.cmd.ProcessState.ExitCode(); code != 0 {
		s.t.Fatalf("day: exit status %d\n%s", code, day.text())
	}
	got, err := os.ReadFile(s.summary())
	must(s.t, err)
	want, err := os.ReadFile(filepath.Join(days(s.t), "summary.example.json"))
	must(s.t, err)
	want = bytes.Replace(want, []byte(`"discovery": "static"`), []byte(`"discovery": "`+*discovery+`"`), 1)
	s.t.Log(string(wall.Find(got)))
	if diff := cmp.Diff(string(bytes.TrimSpace(wall.ReplaceAll(want, nil))), string(bytes.TrimSpace(wall.ReplaceAll(got, nil)))); diff != "" {
		s.t.Errorf("summary (-want +got):\n%s", diff)
	}
}

// connect reaches a running suite.
func connect(t *testing.T, r story.Run) *story.Live {
	t.Helper()
	live, err := story.Connect(r)
	must(t, err)
	t.Cleanup(func() { must(t, live.Close()) })
	return live
}

// order plays one order from the customer's file to the approved freight bill, and compares what came of it.
func order(t *testing.T, live *story.Live, world story.World) {
	t.Helper()
	must(t, live.SetClock(story.Start))
	_, err := seed.Load(t.Context(), os.DirFS(filepath.Join(days(t), "seed")), live.Conn("masterdata"))
	must(t, err)
	must(t, live.CaughtUp(t.Context(), "masterdata"))
	document, err := os.ReadFile(filepath.Join(days(t), "x12", "850.edi"))
	must(t, err)
	var n story.Names
	must(t, story.Play(t.Context(), world, story.HappyPath(world, document, &n), func(story.Act) {}))
	for _, name := range names {
		must(t, live.CaughtUp(t.Context(), name))
	}
	expect.HappyPath(t, live, n)
}

// days is the folder of the day's data.
func days(t *testing.T) string { return filepath.Join(sim.Root(t), "tests", "day") }

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	must(t, err)
	return abs
}

// label names an order of services.
func label(order []string) string { return strings.Join(order, ",") }
