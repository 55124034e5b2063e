package main

import (
	"bytes"
	"flag"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/tests/outcome"
	"crossdock.dev/tests/process"
	"crossdock.dev/tests/sim"
)

var (
	long  = flag.Bool("long", false, "play the day also while programs are killed")
	seed  = flag.Uint64("seed", 1, "of the kills")
	pause = flag.Duration("pause", 3*time.Second, "the longest between two kills")
)

// patience is how long a day may take on a loaded machine, with every program killed again and again.
const patience = 20 * time.Minute

// The day is played against programs, to a summary that is the example's.
func TestDayOfPrograms(t *testing.T) {
	s := newSuite(t)
	summary := filepath.Join(s.Dir, "summary.json")
	s.Launch(t, "--then", filepath.Join(bin, "day")+" -day "+s.day+" -summary "+summary, "--then-exit")
	if code, err := s.Up.Wait(); err != nil || code != 0 {
		t.Fatalf("exit status %d, %v\n%s", code, err, s.Up.Text())
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
	if !*long {
		t.Skip("runs with -long")
	}
	s := newSuite(t)
	s.Discovery = discovery
	if discovery == "consul" {
		process.WithAgent(t, sim.Root(t))
	}
	s.Launch(t)
	must(t, s.Ready(t.Context()))
	summary := filepath.Join(s.Dir, "summary.json")
	play := func() *process.Program {
		return process.Launch(t, patience, exec.Command(filepath.Join(bin, "day"), "-run", s.RunFile(), "-day", s.day, "-summary", summary))
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
		case <-day.Ended():
			if code, err := day.Wait(); err != nil || code != 0 {
				t.Fatalf("exit status %d, %v, after %d kills\n%s", code, err, kills, day.Text())
			}
			t.Logf("%d kills", kills)
			s.compare(summary)
			return
		case <-limit:
			t.Fatalf("the day does not end; %d kills\n%s", kills, day.Text())
		case <-time.After(time.Duration(random.Int64N(int64(*pause)))):
		}
		victim := victims[random.IntN(len(victims))]
		switch victim {
		case "day":
			code, err := day.Kill()
			must(t, err)
			if code == -1 { // it had not ended by itself
				day = play()
			}
		case "up": // and with it everything
			_, err := s.Up.Kill()
			must(t, err)
			must(t, s.Gone(t.Context()))
			s.Launch(t)
			must(t, s.Ready(t.Context()))
		default:
			must(t, s.Kill(victim))
		}
		kills++
	}
}

// bin is the folder of the programs; TestMain sets it.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(process.Main(m, func(folder string) error {
		bin = folder
		return process.Build(filepath.Join("..", "..", ".."), bin, outcome.Services, "./cmd/crossdock", "./tests/cmd/day")
	}))
}

// suite is a data folder and the `crossdock up` that runs on it, on the same ports whenever it is started.
type suite struct {
	*process.Suite
	t   *testing.T
	day string // the folder of the day's data
}

func newSuite(t *testing.T) *suite {
	t.Helper()
	root := sim.Root(t)
	s := &suite{t: t, day: filepath.Join(root, "tests", "day"), Suite: &process.Suite{
		Bin: bin, Dir: t.TempDir(), Profiles: filepath.Join(root, "integrations", "edi", "partners", "day.yaml"), Discovery: "static", Patience: patience,
	}}
	s.ClaimPorts(t)
	return s
}

var wall = regexp.MustCompile(`"wall_seconds": [0-9.]+`)

// compare holds a summary against the example.
func (s *suite) compare(path string) {
	s.t.Helper()
	got, err := os.ReadFile(path)
	must(s.t, err)
	want, err := fs.ReadFile(os.DirFS(s.day), "summary.example.json")
	must(s.t, err)
	s.t.Log(string(wall.Find(got)))
	got = bytes.Replace(got, []byte(`"discovery": "`+s.Discovery+`"`), []byte(`"discovery": "static"`), 1) // as the example says
	if diff := cmp.Diff(string(bytes.TrimSpace(wall.ReplaceAll(want, nil))), string(bytes.TrimSpace(wall.ReplaceAll(got, nil)))); diff != "" {
		s.t.Errorf("summary (-want +got):\n%s", diff)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
