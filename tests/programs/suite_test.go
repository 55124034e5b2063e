package programs

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"crossdock.dev/tests/expect"
	"crossdock.dev/tests/process"
	"crossdock.dev/tests/seed"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// patience is how long a program may take for anything on a loaded machine.
const patience = 60 * time.Second

// suite is a data folder and the `crossdock up` that runs on it, on ports that no other suite has.
type suite struct {
	*process.Suite
	t *testing.T
}

// newSuite makes an empty data folder.
func newSuite(t *testing.T) *suite {
	s := &suite{t: t, Suite: &process.Suite{
		Bin: bin, Dir: t.TempDir(), Profiles: filepath.Join(sim.Root(t), "integrations", "edi", "partners", "day.yaml"), Discovery: "static", Patience: patience,
	}}
	s.TellLogs(t)
	return s
}

// ready waits until all programs are, and reaches them.
func (s *suite) ready() *story.Live {
	s.t.Helper()
	must(s.t, s.Ready(s.t.Context()))
	return reach(s.t, s.RunFile())
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
	if err := s.Up.Stop(); err != nil {
		s.t.Error(err)
	}
	s.cli(0, "verify", "--offline")
}

// cli runs a command of the command line on the suite's data and returns what it prints.
func (s *suite) cli(want int, args ...string) string {
	s.t.Helper()
	code, out, errOut, err := process.Run(s.Command(s.t.Context(), args...))
	must(s.t, err)
	if code != want {
		s.t.Errorf("crossdock %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), code, want, out, errOut)
	}
	return out
}

// killed kills a program after this many restarts: it must have been started again as often.
func (s *suite) killed(name string, restarts int) {
	s.t.Helper()
	pid, err := s.PID(s.t.Context(), name, restarts)
	must(s.t, err)
	must(s.t, syscall.Kill(pid, syscall.SIGKILL))
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
