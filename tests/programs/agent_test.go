package programs

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crossdock.dev/tests/process"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// The story is played by a suite whose programs find each other through an agent. In the middle the agent is killed and comes back
// with nothing in it, and orders goes to other ports: everybody finds it there.
func TestAgent(t *testing.T) {
	process.WithAgent(t, sim.Root(t))
	s := newSuite(t)
	s.Discovery = "consul"
	s.Launch(t)
	live := s.ready()
	must(t, s.Up.AwaitText(t.Context(), "discovery: Consul, an agent of its own"))
	fill(t, live)
	var names story.Names
	acts := story.HappyPath(live, document(t), &names)
	wiped, moved := len(acts)/3, len(acts)/2
	quiet := func(story.Act) {}
	must(t, story.Play(t.Context(), live, acts[:wiped], quiet))

	s.killed("consul", 0)
	must(t, story.Play(t.Context(), live, acts[wiped:moved], quiet))
	must(t, s.Up.AwaitText(t.Context(), "consul: started again"))

	must(t, s.Hold("orders"))
	must(t, s.Up.AwaitText(t.Context(), "orders: held down"))
	gone := time.Now()
	file, grpc := s.elsewhere("orders")
	process.Launch(t, patience, exec.Command(filepath.Join(bin, "orders"), "-config", file))
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
	raw, err := os.ReadFile(filepath.Join(s.Dir, "config", name+".yaml"))
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
	r, err := story.ReadRun(s.RunFile())
	must(s.t, err)
	addrs := r.Services[name]
	addrs.GRPC = grpc
	r.Services[name] = addrs
	live, err := story.Connect(r)
	must(s.t, err)
	s.t.Cleanup(func() { must(s.t, live.Close()) })
	return live
}
