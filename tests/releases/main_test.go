// Package releases tests that services are deployed one by one: each starts alone by its own example of a configuration, in any
// order; a program of the last release runs beside today's others; and each is replaced by another build while the suite is at
// work. Whatever is deployed when, what comes out is what was worked out by hand.
//
// The default run plays one order each time; -long plays the whole day.
package releases

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"crossdock.dev/tests/process"
	"crossdock.dev/tests/sim"
)

var (
	long      = flag.Bool("long", false, "play the whole day instead of one order, with each service of the last release and while each is replaced")
	discovery = flag.String("discovery", "static", "how programs find each other, as crossdock up takes it")
	shuffle   = flag.Uint64("shuffle", 1, "of orders of starting and of replacing")
)

// names are the services' programs.
var names = sim.Names

// Folders of programs: today's, and today's again under another version; TestMain sets them.
var today, next string

// nextVersion is what the programs in next say of themselves.
const nextVersion = "v0.0.0-next"

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(process.Main(m, func(folder string) error {
		today, next = filepath.Join(folder, "today"), filepath.Join(folder, "next")
		last = sync.OnceValues(func() (release, error) { return buildLast(filepath.Join(folder, "head")) })
		if err := process.Build(root(), today, names, "./cmd/crossdock", "./tests/cmd/day"); err != nil {
			return err
		}
		return process.Build(root(), next, names, "-ldflags", "-X crossdock.dev/platform/telemetry.version="+nextVersion)
	}))
}

// root is the checkout.
func root() string { return filepath.Join("..", "..") }

// release is a version that was released, with the folder of its programs.
type release struct{ version, bin string }

// last builds the last release, once.
var last func() (release, error)

// buildLast builds the last release into the cache; before the first one, what is committed takes its place, in a folder of this
// run.
func buildLast(head string) (release, error) {
	row, err := script("release-last.sh")
	if err != nil {
		return release{}, err
	}
	version, commit, found := strings.Cut(row, " ")
	args := []string{version, commit}
	if !found {
		version = "v0.0.0-head"
		args = []string{version, "HEAD", head}
	}
	bin, err := script("release-build.sh", args...)
	return release{version, bin}, err
}

// script runs a script of build/ and returns the line that it prints.
func script(name string, args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(root(), "build", name), args...)
	var errOut strings.Builder
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", name, err, &errOut)
	}
	return strings.TrimSpace(string(out)), err
}

// lastRelease is the last release. A clone without its commit cannot test it, which -long does not take for an answer.
func lastRelease(t *testing.T) release {
	t.Helper()
	r, err := last()
	switch {
	case err != nil && *long:
		t.Fatal(err)
	case err != nil && strings.Contains(err.Error(), "is not in this clone"):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	return r
}
