package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"crossdock.dev/cmd/crossdock/internal/cli"
	"crossdock.dev/cmd/crossdock/internal/suite"
	"crossdock.dev/platform/clock"
)

// The test's own binary stands for every program of the suite, under their names: it answers -version, -config FILE verify,
// and serves /readyz until it is told to stop.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); slices.Contains(suite.Names(), name) {
		os.Exit(fakeProgram(name, os.Args[1:]))
	}
	os.Exit(m.Run())
}

func fakeProgram(name string, args []string) int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	switch {
	case len(args) == 1 && args[0] == "-version":
		fmt.Println(name, "v1 abc")
		return 0
	case len(args) == 3 && args[2] == "verify":
		fmt.Println(name, "is whole")
		if name == "billing" {
			return 1
		}
		return 0
	case len(args) != 2 || args[0] != "-config":
		return 2
	}
	raw, err := os.ReadFile(args[1])
	if err != nil {
		return 2
	}
	var c struct {
		Admin string `yaml:"admin_addr"`
	}
	if err := yaml.Unmarshal(raw, &c); err != nil {
		return 2
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(args[1]), name+".refuse")); err == nil {
		fmt.Println("configuration refused")
		return 2
	}
	lis, err := net.Listen("tcp", c.Admin)
	if err != nil {
		return 1
	}
	go func() {
		_ = http.Serve(lis, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	}()
	<-term
	return 0
}

func fakeBin(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for _, name := range suite.Names() {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// freeBase claims a base of ports for as long as the test runs: one of those that `up --port-base 0` leaves out, and below the ports of
// outgoing connections. They are a stride apart, and nothing uses the port nine after one.
func freeBase(t *testing.T) string {
	t.Helper()
	const first, stride, blocks, claimed = 11090, 1100, 19, 9
	for n := range blocks {
		base := first + stride*((os.Getpid()+n)%blocks)
		claim, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base+claimed)))
		if err != nil {
			continue
		}
		if len(suite.Plan(suite.Layout{Dir: t.TempDir()}, "", base, false).PortsInUse()) == 0 {
			t.Cleanup(func() { claim.Close() })
			return strconv.Itoa(base)
		}
		claim.Close()
	}
	t.Fatal("no free ports")
	return ""
}

type lockedBuffer struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{} // closed with the next Write; nil when nobody waits
	over bool          // nothing more will be written
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell()
	return l.b.Write(p)
}

func (l *lockedBuffer) tell() {
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
}

// end says that nothing more will be written.
func (l *lockedBuffer) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.tell()
}

// await waits until a text was written.
func (l *lockedBuffer) await(t *testing.T, want string) {
	t.Helper()
	for {
		l.mu.Lock()
		if strings.Contains(l.b.String(), want) {
			l.mu.Unlock()
			return
		}
		if l.over {
			l.mu.Unlock()
			t.Fatalf("it ended, and never said %q:\n%s", want, l.String())
		}
		if l.more == nil {
			l.more = make(chan struct{})
		}
		more := l.more
		l.mu.Unlock()
		<-more
	}
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func up(ctx context.Context, out, errOut *lockedBuffer, args ...string) int {
	defer out.end()
	defer errOut.end()
	return cli.Main(ctx, cli.Options{Args: append([]string{"up", "--profiles", os.DevNull}, args...), In: strings.NewReader(""), Out: out, Err: errOut, Machine: clock.SystemMachine(), Rand: zeros{}})
}

func TestUp(t *testing.T) {
	bin, data, base := fakeBin(t), filepath.Join(t.TempDir(), "suite"), freeBase(t)
	var out, errOut lockedBuffer
	// While the command runs the suite is up: a second up on the same data must refuse, which the test does from inside. The
	// pipe tells the test when.
	fifo := filepath.Join(t.TempDir(), "ready")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan int, 1)
	go func() {
		ended <- up(t.Context(), &out, &errOut, "--data", data, "--bin", bin, "--port-base", base, "--story-clock",
			"--then", "cat $CROSSDOCK_RUN; cat "+fifo+"; exit 42", "--then-exit")
	}()
	gate, err := os.OpenFile(fifo, os.O_WRONLY, 0) // opens when the command reads, which is when everything is ready
	if err != nil {
		t.Fatal(err)
	}
	var out2, errOut2 lockedBuffer
	if code := up(t.Context(), &out2, &errOut2, "--data", data, "--bin", bin, "--port-base", base); code != 5 || !strings.Contains(errOut2.String(), "ALREADY_RUNNING") {
		t.Errorf("second up: exit %d, %s; want 5 ALREADY_RUNNING", code, errOut2.String())
	}
	if code := up(t.Context(), &out2, &errOut2, "--data", t.TempDir(), "--bin", bin, "--port-base", base); code != 5 || !strings.Contains(errOut2.String(), "PORTS_IN_USE") {
		t.Errorf("up on the same ports: exit %d, %s; want 5 PORTS_IN_USE", code, errOut2.String())
	}
	if code, _, e := run(t, nil, "verify", "--offline", "--data", data, "--bin", bin); code != 5 {
		t.Errorf("offline verify of a running suite: exit %d, %s; want 5", code, e)
	}
	raw, err := os.ReadFile(filepath.Join(data, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	var described suite.Run
	if err := json.Unmarshal(raw, &described); err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(base)
	wantOrders := suite.Addrs{
		GRPC: fmt.Sprintf("127.0.0.1:%d", n+2), HTTP: fmt.Sprintf("127.0.0.1:%d", n+102), Admin: fmt.Sprintf("127.0.0.1:%d", n+202),
		Version: "v1 abc", Config: filepath.Join(data, "config", "orders.yaml"), Log: filepath.Join(data, "logs", "orders.log"),
	}
	if got := described.Services["orders"]; got != wantOrders || described.EdgeURL != fmt.Sprintf("http://127.0.0.1:%d", n+980) || described.ClockFile == "" {
		t.Errorf("run.json: %+v, want orders %+v", described, wantOrders)
	}
	if got, want := clock.File(described.ClockFile).Now().Format("2006-01-02T15:04:05Z"), "2026-03-02T11:00:00Z"; got != want {
		t.Errorf("story clock stands at %s, want %s", got, want)
	}
	gate.Close()
	if code := <-ended; code != 42 {
		t.Fatalf("exit %d, want the command's 42; stderr:\n%s", code, errOut.String())
	}
	for _, want := range []string{"SERVICE", "tower", "DEVELOPMENT", `"edge_url"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("stdout has no %q:\n%s", want, out.String())
		}
	}
	if _, err := os.Stat(filepath.Join(data, "run.json")); err == nil {
		t.Error("run.json is still there after the stop")
	}
	code, o, e := run(t, nil, "verify", "--offline", "--data", data, "--bin", bin)
	if code != 1 || !strings.Contains(o, "orders is whole") || !strings.Contains(e, "(BREACHES)") {
		t.Errorf("offline verify: exit %d, %s, %s; want 1 for billing's breaches", code, o, e)
	}
}

func TestUpStopsWhenTold(t *testing.T) {
	bin, data, base := fakeBin(t), t.TempDir(), freeBase(t)
	ctx, stop := context.WithCancel(t.Context())
	var out, errOut lockedBuffer
	ended := make(chan int, 1)
	fifo := filepath.Join(t.TempDir(), "ready")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		ended <- up(ctx, &out, &errOut, "--data", data, "--bin", bin, "--port-base", base, "--then", "cat "+fifo)
	}()
	gate, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	gate.Close()
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("exit %d, want 0; stderr:\n%s", code, errOut.String())
	}
}

// A program that refuses its configuration ends the start at once, with the end of its log.
func TestUpNamesWhoIsNotReady(t *testing.T) {
	bin, data, base := fakeBin(t), t.TempDir(), freeBase(t)
	if err := os.MkdirAll(filepath.Join(data, "config"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "config", "freight.refuse"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut lockedBuffer
	code := up(t.Context(), &out, &errOut, "--data", data, "--bin", bin, "--port-base", base)
	if code != 1 || !strings.Contains(errOut.String(), "freight does not get ready") || !strings.Contains(errOut.String(), "configuration refused") {
		t.Errorf("exit %d, stderr:\n%s\nwant 1, the name and the end of its log", code, errOut.String())
	}
}

// Suites that ask for free ports run beside each other. In a story a service is held down while its file is there, also from
// the start, and a command that is killed goes on; its exit status is up's.
func TestUpForAStory(t *testing.T) {
	bin, first, second := fakeBin(t), t.TempDir(), t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, errOut, otherOut, otherErr lockedBuffer
	other := make(chan int, 1)
	go func() { other <- up(ctx, &otherOut, &otherErr, "--data", second, "--bin", bin, "--port-base", "0") }()
	if err := os.MkdirAll(filepath.Join(first, "hold"), 0o700); err != nil {
		t.Fatal(err)
	}
	hold := func(name string, on bool) {
		t.Helper()
		file, err := filepath.Join(first, "hold", name), error(nil)
		if on {
			err = os.WriteFile(file, nil, 0o600)
		} else {
			err = os.Remove(file)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	hold("freight", true)
	fifo, begun := filepath.Join(t.TempDir(), "end"), filepath.Join(t.TempDir(), "begun")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan int, 1)
	go func() {
		ended <- up(t.Context(), &out, &errOut, "--data", first, "--bin", bin, "--port-base", "0", "--story-clock", "--then-exit",
			"--then", fmt.Sprintf("[ -e %[1]s ] || { touch %[1]s; kill -9 $$; }; cat %[2]s; exit 7", begun, fifo))
	}()
	gate, err := os.OpenFile(fifo, os.O_WRONLY, 0) // opens when the command has begun for the second time
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(errOut.String(), "command was killed; it starts again") {
		t.Errorf("stderr says nothing of the kill:\n%s", errOut.String())
	}
	otherOut.await(t, "DEVELOPMENT")
	runs := map[string]suite.Run{}
	for _, dir := range []string{first, second} {
		if runs[dir], err = suite.ReadRun(filepath.Join(dir, "run.json")); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := runs[first].Services["orders"].GRPC, runs[second].Services["orders"].GRPC; a == b {
		t.Errorf("both suites are on %s", a)
	}
	listens := func(name string) bool {
		conn, err := net.Dial("tcp", runs[first].Services[name].Admin)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	if listens("freight") || !listens("billing") {
		t.Error("freight runs, or billing does not; want freight held alone")
	}
	hold("freight", false)
	errOut.await(t, "freight: started again, pid ")
	hold("billing", true)
	errOut.await(t, "billing: held down")
	if listens("billing") {
		t.Error("billing listens while it is held down")
	}
	gate.Close()
	if code := <-ended; code != 7 {
		t.Errorf("exit %d, want the command's 7; stderr:\n%s", code, errOut.String())
	}
	stop()
	if code := <-other; code != 0 {
		t.Errorf("the other suite: exit %d, want 0; stderr:\n%s", code, otherErr.String())
	}
}

// The programs of an up that was killed may still be ending: the next one on its data waits for their ports.
func TestUpWaitsForWhatAKilledOneLeft(t *testing.T) {
	bin, data, base := fakeBin(t), t.TempDir(), freeBase(t)
	n, err := strconv.Atoi(base)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "run.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	ending, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(n+3)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var out, errOut lockedBuffer
	// The port is left when up has looked and waits.
	machine := &leaving{Machine: clock.SystemMachine(), leave: sync.OnceFunc(func() { ending.Close() })}
	ended := make(chan int, 1)
	go func() {
		defer out.end()
		ended <- cli.Main(ctx, cli.Options{Args: []string{"up", "--profiles", os.DevNull, "--data", data, "--bin", bin, "--port-base", base},
			In: strings.NewReader(""), Out: &out, Err: &errOut, Machine: machine, Rand: zeros{}})
	}()
	out.await(t, "DEVELOPMENT")
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("exit %d, want 0; stderr:\n%s", code, errOut.String())
	}
}

// leaving is the machine's clock; leave is called when somebody waits.
type leaving struct {
	clock.Machine
	leave func()
}

func (l *leaving) After(d time.Duration) <-chan time.Time {
	l.leave()
	return l.Machine.After(d)
}

// Identities for programs that are started by hand: made once, for every service and the development user.
func TestIdentities(t *testing.T) {
	data := t.TempDir()
	read := func() []byte {
		t.Helper()
		code, out, errOut := run(t, nil, "identities", "--data", data)
		dir := filepath.Join(data, "pki")
		if code != 0 || out != dir+"\n" {
			t.Fatalf("exit %d, %q, %s; want 0 and %s", code, out, errOut, dir)
		}
		for _, name := range append(suite.Names(), "dev") {
			kind := "service"
			if name == "dev" {
				kind = "user"
			}
			if _, err := os.Stat(filepath.Join(dir, kind+"-"+name+".key")); err != nil {
				t.Error(err)
			}
		}
		raw, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	if first, again := read(), read(); !bytes.Equal(first, again) {
		t.Error("the second time made another authority")
	}
}
