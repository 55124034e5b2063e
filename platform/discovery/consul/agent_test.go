package consul

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
)

// The tests of this file run a real agent: CONSUL_BIN, the one that `make consul` built, or one on the PATH. Without one they are
// left out, unless REQUIRE_CONSUL=1.

// binary is the agent's program.
func binary(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("CONSUL_BIN"); bin != "" {
		return bin
	}
	if bin, err := exec.LookPath("consul"); err == nil {
		return bin
	}
	if os.Getenv("REQUIRE_CONSUL") == "1" {
		t.Fatal("no Consul agent: set CONSUL_BIN=$(build/consul.sh)")
	}
	t.Skip("no Consul agent: CONSUL_BIN=$(build/consul.sh) names one")
	return ""
}

// process is an agent of one test. Its state is in memory: started again, it knows nothing.
type process struct {
	t       *testing.T
	config  string
	address string
	cmd     *exec.Cmd
}

// newProcess configures an agent on free ports; more is added to its configuration.
func newProcess(t *testing.T, more map[string]any) *process {
	t.Helper()
	bin := binary(t)
	ports := map[string]any{"dns": -1, "grpc": -1, "grpc_tls": -1, "serf_wan": -1, "http": -1, "https": -1}
	door := "http"
	if more["tls"] != nil {
		door = "https"
	}
	var open []net.Listener
	for _, name := range []string{door, "server", "serf_lan"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		open = append(open, l) // all at once, so that no port comes twice
		ports[name] = l.Addr().(*net.TCPAddr).Port
	}
	for _, l := range open {
		must(t, l.Close())
	}
	all := map[string]any{"bind_addr": "127.0.0.1", "client_addr": "127.0.0.1", "ports": ports, "disable_update_check": true}
	for k, v := range more {
		all[k] = v
	}
	raw, err := json.Marshal(all)
	must(t, err)
	p := &process{t: t, config: filepath.Join(t.TempDir(), "agent.json"), address: fmt.Sprintf("127.0.0.1:%d", ports[door])}
	must(t, os.WriteFile(p.config, raw, 0o600))
	p.cmd = exec.Command(bin)
	p.start()
	t.Cleanup(p.stop)
	return p
}

// start returns when the agent has a leader.
func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.cmd.Path, "agent", "-dev", "-log-level=info", "-config-file="+p.config)
	out, err := p.cmd.StdoutPipe()
	must(p.t, err)
	must(p.t, p.cmd.Start())
	lines := bufio.NewScanner(out)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "cluster leadership acquired") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
	}
	p.t.Fatalf("the agent ended:\n%s", strings.Join(said, "\n"))
}

func (p *process) stop() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill() // it may have ended by itself
		_ = p.cmd.Wait()         // says that it was killed
	}
}

// instance is a service that answers health checks.
type instance struct {
	health    *health.Server
	registrar *Registrar
	addr      string
	end       func()
}

func serveInstance(t *testing.T, c Config, version string) *instance {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := grpc.NewServer()
	i := &instance{health: health.NewServer(), addr: lis.Addr().String()}
	healthv1.RegisterHealthServer(s, i.health)
	go func() { _ = s.Serve(lis) }() // ends with Stop
	i.registrar, err = NewRegistrar(c, Instance{
		Service: "orders", ID: "orders@" + i.addr, Addr: i.addr, HealthAddr: i.addr, Meta: map[string]string{"version": version, "tier": "SYSTEM"},
	}, slog.New(slog.DiscardHandler))
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); i.registrar.Run(ctx) }()
	i.end = func() { stop(); <-done }
	t.Cleanup(func() { i.end(); s.Stop() })
	return i
}

// listen follows the service as a connection does.
func listen(t *testing.T, c Config) conn {
	t.Helper()
	b, err := Resolver(c, slog.New(slog.DiscardHandler))
	must(t, err)
	cc := conn{told: make(chan string, 100)}
	r, err := b.Build(resolver.Target{URL: url.URL{Scheme: Scheme, Path: "/orders"}}, cc, resolver.BuildOptions{})
	must(t, err)
	t.Cleanup(r.Close)
	return cc
}

// until waits for addresses, over errors as long as nobody is there.
func (c conn) until(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(want)
	for {
		select {
		case got := <-c.told:
			if got == strings.Join(want, " ") {
				return
			}
			t.Logf("told %q", got)
		case <-time.After(time.Minute):
			t.Fatalf("not told %q", want)
		}
	}
}

func TestRealAgent(t *testing.T) {
	agent := newProcess(t, nil)
	c := Config{Address: agent.address}
	told := listen(t, c)
	first := serveInstance(t, c, "v1")
	told.until(t, first.addr)
	second := serveInstance(t, c, "v2")
	told.until(t, first.addr, second.addr)

	// Drained.
	first.end()
	must(t, first.registrar.Leave(t.Context()))
	told.until(t, second.addr)

	// Lost: the last one fails its check, and the address stays. What comes next is told, alone.
	second.health.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	third := serveInstance(t, c, "v3")
	for {
		got := <-told.told
		if got == third.addr {
			break
		}
		if got == "" {
			t.Fatal("the addresses were taken away")
		}
	}

	// The agent comes back and knows nothing: who lives registers again, and callers hear of what is new.
	agent.stop()
	agent.start()
	fourth := serveInstance(t, c, "v4")
	told.until(t, third.addr, fourth.addr)
}

func TestRealAgentWithTokens(t *testing.T) {
	const management = "5b1a8a9e-6d55-4f0a-9a9e-8a1b4a2f9c01"
	agent := newProcess(t, map[string]any{"acl": map[string]any{
		"enabled": true, "default_policy": "deny", "tokens": map[string]any{"initial_management": management, "agent": management},
	}})
	bare := Config{Address: agent.address}
	r, err := NewRegistrar(bare, Instance{Service: "orders", ID: "o", Addr: "127.0.0.1:1", HealthAddr: "127.0.0.1:1"}, slog.New(slog.DiscardHandler))
	must(t, err)
	if err := r.register(t.Context()); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("registering without a token: %v, want a refusal", err)
	}
	with := bare
	with.TokenFile = filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(with.TokenFile, []byte(management+"\n"), 0o600))
	told := listen(t, with)
	told.until(t, serveInstance(t, with, "v1").addr)
}

func TestRealAgentWithTLS(t *testing.T) {
	dir := t.TempDir()
	ca := authority(t, dir)
	ca.issue("agent")
	ca.issue("service")
	agent := newProcess(t, map[string]any{"tls": map[string]any{"https": map[string]any{
		"ca_file": filepath.Join(dir, "ca.crt"), "cert_file": filepath.Join(dir, "agent.crt"), "key_file": filepath.Join(dir, "agent.key"), "verify_incoming": true,
	}}})
	c := Config{
		Address: "https://" + agent.address, CAFile: filepath.Join(dir, "ca.crt"),
		CertFile: filepath.Join(dir, "service.crt"), KeyFile: filepath.Join(dir, "service.key"),
	}
	told := listen(t, c)
	told.until(t, serveInstance(t, c, "v1").addr)

	nameless := c
	nameless.CertFile, nameless.KeyFile = "", ""
	r, err := NewRegistrar(nameless, Instance{Service: "orders", ID: "o", Addr: "127.0.0.1:1", HealthAddr: "127.0.0.1:1"}, slog.New(slog.DiscardHandler))
	must(t, err)
	if err := r.register(t.Context()); err == nil {
		t.Error("a caller without a certificate was let in")
	}
}

// issuer makes certificates of one test.
type issuer struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func authority(t *testing.T, dir string) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	i := &issuer{t: t, dir: dir, key: key, cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}}
	i.write("ca", i.cert, key)
	return i
}

func (i *issuer) issue(name string) {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(i.t, err)
	i.write(name, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, key)
}

func (i *issuer) write(name string, cert *x509.Certificate, key *ecdsa.PrivateKey) {
	i.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, i.cert, key.Public(), i.key)
	must(i.t, err)
	private, err := x509.MarshalECPrivateKey(key)
	must(i.t, err)
	must(i.t, os.WriteFile(filepath.Join(i.dir, name+".crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(i.t, os.WriteFile(filepath.Join(i.dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
