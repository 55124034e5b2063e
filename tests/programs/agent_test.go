package programs

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// agent leaves a test out when there is no Consul agent, unless REQUIRE_CONSUL=1. The one that `make consul` built is used.
func agent(t *testing.T) {
	t.Helper()
	bin := os.Getenv("CONSUL_BIN")
	if bin == "" {
		out, err := exec.Command(filepath.Join(sim.Root(t), "build", "consul.sh"), "--cached").Output()
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

// The story is played by a suite whose programs find each other through an agent. In the middle the agent is killed and comes back
// with nothing in it, and orders goes to other ports: everybody finds it there.
func TestAgent(t *testing.T) {
	agent(t)
	s := newSuite(t)
	s.start("--discovery", "consul")
	live := s.ready()
	s.up.awaitText(t, "discovery: Consul, an agent of its own")
	fill(t, live)
	var names story.Names
	acts := story.HappyPath(live, document(t), &names)
	wiped, moved := len(acts)/3, len(acts)/2
	quiet := func(story.Act) {}
	must(t, story.Play(t.Context(), live, acts[:wiped], quiet))

	must(t, syscall.Kill(s.pids("consul")[0], syscall.SIGKILL))
	must(t, story.Play(t.Context(), live, acts[wiped:moved], quiet))
	s.up.awaitText(t, "consul: started again")

	hold := filepath.Join(s.dir, "hold", "orders")
	must(t, os.MkdirAll(filepath.Dir(hold), 0o700))
	must(t, os.WriteFile(hold, nil, 0o600))
	s.up.awaitText(t, "orders: held down")
	gone := time.Now()
	file, grpc := s.elsewhere("orders")
	launch(t, "orders", "-config", file)
	// The partners' door finds the gateway where it is now. edge asks as often as a partner would.
	for limit := time.After(patience); ; {
		_, err := live.REST(t.Context(), "parties/CUS-XYZ", "GET", "/v1/orders", "", nil)
		if err == nil {
			break
		}
		select {
		case <-limit:
			t.Fatalf("orders is not found where it went: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Logf("orders was found on its other ports %v after it had stopped on the first", time.Since(gone).Round(time.Millisecond))
	live = s.at("orders", grpc)
	must(t, story.Play(t.Context(), live, story.HappyPath(live, document(t), &names)[moved:], quiet))
	settled(t, live)
}

// elsewhere writes a service's configuration with other ports, and returns its file and where it answers.
func (s *suite) elsewhere(name string) (file, grpc string) {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, "config", name+".yaml"))
	must(s.t, err)
	var out []string
	for line := range strings.Lines(string(raw)) {
		key, _, _ := strings.Cut(line, ":")
		if strings.HasSuffix(key, "_addr") && !strings.HasPrefix(key, " ") {
			lis, err := net.Listen("tcp", "127.0.0.1:0")
			must(s.t, err)
			line = fmt.Sprintf("%s: %s\n", key, lis.Addr())
			must(s.t, lis.Close())
			if key == "grpc_addr" {
				grpc = lis.Addr().String()
			}
		}
		out = append(out, line)
	}
	file = filepath.Join(s.t.TempDir(), name+".yaml")
	must(s.t, os.WriteFile(file, []byte(strings.Join(out, "")), 0o600))
	return file, grpc
}

// at reaches a suite of which one service has moved.
func (s *suite) at(name, grpc string) *story.Live {
	s.t.Helper()
	r, err := story.ReadRun(filepath.Join(s.dir, "run.json"))
	must(s.t, err)
	addrs := r.Services[name]
	addrs.GRPC = grpc
	r.Services[name] = addrs
	live, err := story.Connect(r)
	must(s.t, err)
	s.t.Cleanup(func() { must(s.t, live.Close()) })
	return live
}
