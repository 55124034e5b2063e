package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Main builds programs into a folder, runs the tests of a package, removes the folder and returns the exit status: TestMain gives it
// to os.Exit.
func Main(m *testing.M, build func(folder string) error) int {
	folder, err := os.MkdirTemp("", "crossdock-tests-*")
	if err == nil {
		defer os.RemoveAll(folder)
		err = build(folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// Home is a service's own folder in the checkout.
func Home(service string) string {
	if service == "edi" {
		return "integrations/edi"
	}
	return "services/" + service
}

// Build builds the programs of services of a checkout into a folder; more are flags or more programs.
func Build(root, folder string, services []string, more ...string) error {
	args := append([]string{"build", "-o", folder + string(filepath.Separator)}, more...)
	for _, name := range services {
		args = append(args, "./"+Home(name)+"/cmd/"+name)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "GOWORK=") // all modules at once, however the tests are run
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// WithAgent puts a Consul agent on the PATH of the programs that the test starts: that of CONSUL_BIN, or the one that `make consul`
// built. Without one the test is left out, unless REQUIRE_CONSUL=1.
func WithAgent(t testing.TB, root string) {
	t.Helper()
	bin := os.Getenv("CONSUL_BIN")
	if bin == "" {
		out, err := exec.Command(filepath.Join(root, "build", "consul.sh"), "--cached").Output()
		switch {
		case err == nil:
			bin = strings.TrimSpace(string(out))
		case os.Getenv("REQUIRE_CONSUL") == "1":
			t.Fatal("no Consul agent: make consul")
		default:
			t.Skip("no Consul agent: make consul builds one")
		}
	}
	t.Setenv("PATH", filepath.Dir(bin)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("CONSUL_HTTP_ADDR", "") // an agent of the test's own
}
