// Package programs runs the programs as they are shipped, on loopback: the whole story by `crossdock up`, kills in its middle,
// any order of starting, damaged stores and the command line. What the programs do inside is tested elsewhere.
//
// Nothing here sleeps: tests wait for lines that programs print, for facts, and for programs to end.
package programs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"crossdock.dev/tests/sim"
)

// names are the services' programs.
var names = sim.Names

// bin is the folder of the programs; TestMain sets it.
var bin string

func TestMain(m *testing.M) {
	code, err := build(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// build builds every program once, runs the tests and removes the programs.
func build(m *testing.M) (code int, err error) {
	if bin, err = os.MkdirTemp("", "crossdock-programs-*"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(bin)
	args := []string{"build", "-o", bin + string(filepath.Separator), "./cmd/crossdock", "./integrations/edi/cmd/edi"}
	for _, name := range names {
		if name != "edi" {
			args = append(args, "./services/"+name+"/cmd/"+name)
		}
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "GOWORK=") // all modules at once, however the tests are run
	if out, err := cmd.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return m.Run(), nil
}
