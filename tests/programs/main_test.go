// Package programs runs the programs as they are shipped, on loopback: the whole story by `crossdock up`, kills in its middle,
// any order of starting, damaged stores and the command line. What the programs do inside is tested elsewhere.
//
// Nothing here sleeps: tests wait for lines that programs print, for facts, and for programs to end.
package programs

import (
	"os"
	"path/filepath"
	"testing"

	"crossdock.dev/tests/process"
	"crossdock.dev/tests/sim"
)

// names are the services' programs.
var names = sim.Names

// bin is the folder of the programs; TestMain sets it.
var bin string

func TestMain(m *testing.M) {
	os.Exit(process.Main(m, func(folder string) error {
		bin = folder
		return process.Build(filepath.Join("..", ".."), bin, names, "./cmd/crossdock")
	}))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
