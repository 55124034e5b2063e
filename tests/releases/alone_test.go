package releases

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/clock"
	"crossdock.dev/tests/process"
	"crossdock.dev/tests/story"
)

// Each service starts from its own folder by its own example of a configuration, with all others down, is ready, and stops;
// so it does again on what it left.
func TestEachAlone(t *testing.T) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newExamples(t)
			out, err := e.command(name, "-check").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "is good") {
				t.Fatalf("-check: %v\n%s", err, out)
			}
			for range 2 {
				p := e.start(name)
				must(t, p.Stop())
			}
			if out, err := e.command(name, "verify").CombinedOutput(); err != nil {
				t.Errorf("verify: %v\n%s", err, out)
			}
		})
	}
}

// The eight programs, started by their examples in any order, each only when the one before is ready, come together: an order
// goes through. They are stopped in another order.
func TestAnyOrder(t *testing.T) {
	reversed := slices.Clone(names)
	slices.Reverse(reversed)
	for _, turn := range [][]string{reversed, shuffled(*shuffle), shuffled(*shuffle + 1)} {
		t.Run(label(turn), func(t *testing.T) {
			t.Parallel()
			e := newExamples(t)
			var programs []*process.Program
			for _, name := range turn {
				programs = append(programs, e.start(name))
			}
			live := connect(t, e.run())
			order(t, live, live)
			for _, i := range slices.Backward(programs) {
				must(t, i.Stop())
			}
		})
	}
}

// examples are the services' configurations as their folders hold them, but with ports and a development folder of their own.
type examples struct {
	t   *testing.T
	dir string
	// shift is added to every port.
	shift int
}

// What the examples name.
const (
	development = "../../.crossdock"
	firstPort   = 7100
)

var address = regexp.MustCompile(`127\.0\.0\.1:(\d+)`)

func newExamples(t *testing.T) *examples {
	t.Helper()
	e := &examples{t: t, dir: t.TempDir()}
	_, err := auth.DevPKI(filepath.Join(e.dir, "pki"), names...)
	must(t, err)
	must(t, clock.SetFile(e.clock(), story.Start, false))
	e.claim()
	for _, name := range names {
		must(t, os.WriteFile(e.file(name), []byte(e.text(name)), 0o600))
	}
	return e
}

func (e *examples) clock() string { return filepath.Join(e.dir, "clock.json") }

func (e *examples) file(name string) string { return filepath.Join(e.dir, name+".yaml") }

func (e *examples) text(name string) string {
	e.t.Helper()
	raw, err := os.ReadFile(filepath.Join(root(), process.Home(name), "config.example.yaml"))
	must(e.t, err)
	text := strings.ReplaceAll(string(raw), development, e.dir)
	return address.ReplaceAllStringFunc(text, func(found string) string {
		port, err := strconv.Atoi(address.FindStringSubmatch(found)[1])
		must(e.t, err)
		return "127.0.0.1:" + strconv.Itoa(port+e.shift)
	})
}

// addr is an address that a service's configuration gives, under a key.
func (e *examples) addr(name, key string) string {
	e.t.Helper()
	m := regexp.MustCompile(`(?m)^` + key + `: (\S+)`).FindStringSubmatch(e.text(name))
	if m == nil {
		e.t.Fatalf("%s's example has no %s", name, key)
	}
	return m[1]
}

// claim finds ports that nobody has. Its blocks lie between those that `crossdock up --port-base 0` gives, and are held by listening
// on their first port, which no program uses.
func (e *examples) claim() {
	e.t.Helper()
	for base := 11090; base < 32000; base += 1100 {
		lis, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base)))
		if err != nil {
			continue
		}
		if e.shift = base - firstPort; e.free() {
			e.t.Cleanup(func() { lis.Close() })
			return
		}
		lis.Close()
	}
	e.t.Fatal("no block of ports is free")
}

// free says whether nobody listens where the programs want to.
func (e *examples) free() bool {
	for _, name := range names {
		for _, m := range regexp.MustCompile(`(?m)^\w+_addr: (\S+)`).FindAllStringSubmatch(e.text(name), -1) {
			lis, err := net.Listen("tcp", m[1])
			if err != nil {
				return false
			}
			lis.Close()
		}
	}
	return true
}

func (e *examples) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(e.t.Context(), filepath.Join(today, name), append([]string{"-config", e.file(name)}, args...)...)
	cmd.Dir = filepath.Join(root(), process.Home(name))
	return cmd
}

// start starts a service from its folder and waits until it is ready.
func (e *examples) start(name string) *process.Program {
	e.t.Helper()
	cmd := exec.Command(filepath.Join(today, name), "-config", e.file(name))
	cmd.Dir = filepath.Join(root(), process.Home(name))
	p := process.Launch(e.t, patience, cmd)
	admin := e.addr(name, "admin_addr")
	var said string
	must(e.t, p.Until(e.t.Context(), name+" is ready", func() (yes bool) {
		yes, said = ready(e.t.Context(), admin)
		return yes
	}))
	if said != "ready\n" {
		e.t.Errorf("%s says %q", name, said)
	}
	return p
}

// run says where the programs are, as `crossdock up` would.
func (e *examples) run() story.Run {
	r := story.Run{
		Services: map[string]struct {
			GRPC string `json:"grpc"`
		}{},
		DataDir: e.dir, PKIDir: filepath.Join(e.dir, "pki"), ClockFile: e.clock(),
		EdgeURL: "http://" + e.addr("edge", "http_addr"), TowerURL: "http://" + e.addr("tower", "http_addr"),
	}
	for _, name := range names {
		a := r.Services[name]
		a.GRPC = e.addr(name, "grpc_addr")
		r.Services[name] = a
	}
	return r
}
