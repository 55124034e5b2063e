// Package pressure offers the programs, as they are shipped, far more than they can do, and looks that they stay whole: every order
// that was acknowledged is there once, every refusal says what it is, memory stays below its limit, and afterwards all is as before.
//
// A test asserts only what does not depend on how fast the machine is. Figures (goodput as a ratio to the capacity measured in the
// same run, latencies, memory) are printed; `make overload` runs it for long enough that they mean something.
package pressure

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"crossdock.dev/tests/process"
	"crossdock.dev/tests/sim"
)

var (
	long = flag.Bool("long", false, "measure for seconds instead of moments")
	pin  = flag.String("pin", "", "with -long: processors for orders, as taskset writes them, such as 0-1")
)

// bin is the folder of the programs; TestMain sets it.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(process.Main(m, func(folder string) error {
		bin = folder
		return process.Build(filepath.Join("..", ".."), bin, sim.Names, "./cmd/crossdock")
	}))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
