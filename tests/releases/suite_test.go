package releases

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/tests/expect"
	"crossdock.dev/tests/process"
	"crossdock.dev/tests/seed"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// patience is how long a program may take for anything on a loaded machine.
const patience = 3 * time.Minute

// suite is a data folder, a folder of programs that were built at different times, and the `crossdock up` that runs on them, on
// ports that no other suite has.
type suite struct {
	*process.Suite
	t *testing.T
}

// newSuite makes an empty data folder, and a folder of links to today's programs.
func newSuite(t *testing.T) *suite {
	t.Helper()
	s := &suite{t: t, Suite: &process.Suite{
		Bin: today, Dir: t.TempDir(), Programs: t.TempDir(), Discovery: *discovery, Patience: patience,
		Profiles: filepath.Join(sim.Root(t), "integrations", "edi", "partners", "day.yaml"),
	}}
	for _, name := range names {
		s.deploy(name, today)
	}
	s.TellLogs(t)
	return s
}

// deploy puts the program of a folder in the place of a service's; it is what the next start runs.
func (s *suite) deploy(name, folder string) {
	s.t.Helper()
	part := filepath.Join(s.Programs, "."+name)
	must(s.t, os.Symlink(filepath.Join(absolute(s.t, folder), name), part))
	must(s.t, os.Rename(part, filepath.Join(s.Programs, name)))
}

// start starts the suite and waits until all programs are ready.
func (s *suite) start() *story.Live {
	s.t.Helper()
	s.Launch(s.t)
	must(s.t, s.Ready(s.t.Context()))
	for _, name := range names {
		s.runs(name, 1, version(s.t, s.Programs, name))
	}
	r, err := story.ReadRun(s.RunFile())
	must(s.t, err)
	return connect(s.t, r)
}

// replace stops a service, as a deploy does, puts the program of a folder in its place, and waits until that is ready.
func (s *suite) replace(name, folder string) {
	s.t.Helper()
	held, started := s.tells(name+": held down"), s.tells(name+": started again")
	ran := len(s.ran(name))
	must(s.t, s.Hold(name))
	held()
	s.deploy(name, folder)
	must(s.t, s.Release(name))
	started()
	addresses, err := s.Addresses()
	must(s.t, err)
	must(s.t, s.Up.Until(s.t.Context(), name+" is ready", func() bool { yes, _ := ready(s.t.Context(), addresses[name].Admin); return yes }))
	s.runs(name, ran+1, version(s.t, folder, name))
}

// tells returns what waits until up tells something once more than it has.
func (s *suite) tells(what string) (again func()) {
	before := strings.Count(s.Up.Text(), what)
	return func() {
		s.t.Helper()
		must(s.t, s.Up.Await(s.t.Context(), what, func(text string) bool { return strings.Count(text, what) > before }))
	}
}

var startedVersion = regexp.MustCompile(`"msg":"started".*?"version":"([^"]*)"`)

// ran are the versions of a service's program at each start that its log tells of.
func (s *suite) ran(name string) []string {
	s.t.Helper()
	raw, err := os.ReadFile(s.Log(name))
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
	must(s.t, s.Up.Until(s.t.Context(), fmt.Sprintf("%s has told of start %d", name, nth), func() bool { return len(s.ran(name)) >= nth }))
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
	if err := s.Up.Stop(); err != nil {
		s.t.Error(err)
	}
	s.cli("verify", "--offline")
}

func (s *suite) cli(args ...string) {
	s.t.Helper()
	if out, err := s.Command(s.t.Context(), append([]string{"--timeout", "60s"}, args...)...).CombinedOutput(); err != nil {
		s.t.Errorf("crossdock %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// day starts to play the whole day.
func (s *suite) day() *process.Program {
	s.t.Helper()
	return process.Launch(s.t, patience, exec.Command(filepath.Join(today, "day"), "-run", s.RunFile(), "-day", days(s.t), "-summary", s.summary()))
}

func (s *suite) summary() string { return filepath.Join(s.Dir, "summary.json") }

var wall = regexp.MustCompile(`"wall_seconds": [0-9.]+`)

// played waits for the end of a day and holds its summary against the example: the same bytes, but for the time that it took and how
// programs found each other.
func (s *suite) played(day *process.Program) {
	s.t.Helper()
	<-day.Ended()
	if code, err := day.Wait(); err != nil || code != 0 {
		s.t.Fatalf("day: exit status %d, %v\n%s", code, err, day.Text())
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
	fill(t, live)
	var n story.Names
	must(t, story.Play(t.Context(), world, story.HappyPath(world, document(t), &n), func(story.Act) {}))
	settle(t, live)
	expect.HappyPath(t, live, n)
}

// fill loads the day's master data and waits until everybody has read it.
func fill(t *testing.T, live *story.Live) {
	t.Helper()
	must(t, live.SetClock(story.Start))
	_, err := seed.Load(t.Context(), os.DirFS(filepath.Join(days(t), "seed")), live.Conn("masterdata"))
	must(t, err)
	must(t, live.CaughtUp(t.Context(), "masterdata"))
}

// settle waits until everybody has read what everybody has told.
func settle(t *testing.T, live *story.Live) {
	t.Helper()
	for _, name := range names {
		must(t, live.CaughtUp(t.Context(), name))
	}
}

// document is the customer's 850, as found.
func document(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(days(t), "x12", "850.edi"))
	must(t, err)
	return raw
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
