package torture

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"crossdock.dev/tests/process"
	"crossdock.dev/tests/sim"
)

var (
	torture = flag.Bool("torture", false, "attack; without it the tests of this package are left out")
	long    = flag.Bool("long", false, "the long form")
	seedOf  = flag.Uint64("seed", 1, "of what is random")
)

// names are the services' programs.
var names = sim.Names

// Folders of programs, as they are shipped and with failpoints; TestMain sets them.
var shipped, pointed string

func TestMain(m *testing.M) {
	flag.Parse()
	if !*torture || os.Getenv(damageJob) != "" {
		os.Exit(m.Run())
	}
	root := filepath.Join("..", "..")
	os.Exit(process.Main(m, func(folder string) error {
		shipped, pointed = filepath.Join(folder, "shipped"), filepath.Join(folder, "failpoints")
		if err := process.Build(root, shipped, names, "./cmd/crossdock"); err != nil {
			return err
		}
		return process.Build(root, pointed, names, "-tags", "failpoints", "./cmd/crossdock")
	}))
}

// attack is one of the attacks, as it runs.
type attack struct {
	*testing.T
	r      *rand.Rand
	begun  time.Time
	budget time.Duration
}

// begin begins an attack whose short form may take a time on two cores.
func begin(t *testing.T, budget time.Duration) *attack {
	t.Helper()
	if !*torture {
		t.Skip("runs by make torture")
	}
	a := &attack{T: t, r: rand.New(rand.NewPCG(*seedOf, 0)), begun: time.Now(), budget: budget}
	a.say("begins, seed %d", *seedOf)
	return a
}

// say prints a line at once.
func (a *attack) say(format string, args ...any) {
	fmt.Printf("torture: %s: %s\n", a.Name(), fmt.Sprintf(format, args...))
}

// over prints what was done, and what it took.
func (a *attack) over(format string, args ...any) {
	took, note := time.Since(a.begun), ""
	if took > a.budget && !*long {
		note = " (OVER)"
	}
	a.say("%s; seed %d, %.1f s of %v%s", fmt.Sprintf(format, args...), *seedOf, took.Seconds(), a.budget, note)
}

// times is how often something is done, in the short and in the long form.
func times(short, inLong int) int {
	if *long {
		return inLong
	}
	return short
}

// between is a random duration.
func (a *attack) between(from, to time.Duration) time.Duration {
	return from + time.Duration(a.r.Int64N(int64(to-from)))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
