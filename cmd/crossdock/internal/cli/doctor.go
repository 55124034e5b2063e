package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	goversion "go/version"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"crossdock.dev/cmd/crossdock/internal/show"
	"crossdock.dev/cmd/crossdock/internal/suite"
	"crossdock.dev/platform/discovery/consul"
)

type doctorCmd struct {
	PortBase int  `help:"First port that up would take." default:"${port_base}"`
	Offline  bool `help:"Ask nobody outside this machine."`
}

// Help is printed by doctor --help.
func (c *doctorCmd) Help() string {
	return `Looks at what building and running the suite needs: Go, commands, ports, disk, memory, file locks and the time that the disk takes to have data (measured in the
data folder), clock, time zones, loopback, the module proxy, a Consul agent, and the data folder. "warn" works, slower or with less; "fail" does not.`
}

// How a check ended.
const (
	checkOK   = "ok"
	checkWarn = "warn"
	checkFail = "fail"
)

// finding is what one check found.
type finding struct {
	Check  string `json:"check"`
	Result string `json:"result"`
	Detail string `json:"detail"`
	// Try is what to do; empty when all is well.
	Try string `json:"try,omitempty"`
}

// What the suite needs of a machine.
const (
	oldestGo      = "go1.26"
	leastDisk     = 1 << 30 // bytes: a build's caches and a played day take less
	goodDisk      = 5 << 30
	leastMemory   = 1 << 30 // bytes available: eight programs and a build
	goodMemory    = 3 << 30
	leastFiles    = 1024
	syncWrites    = 64
	slowSync      = 50 * time.Millisecond
	impossible    = 20 * time.Microsecond // no disk has data that soon
	outsideLimit  = 10 * time.Second
	clockSlack    = time.Minute
	loopbackLimit = 2 * time.Second
)

func (c *doctorCmd) Run(ctx context.Context, env *Env) error {
	d := &doctor{ctx: ctx, env: env, base: c.PortBase}
	d.goTools()
	d.commands()
	d.programs()
	d.folder()
	d.disk()
	d.sync()
	d.memory()
	d.files()
	d.loopback()
	d.ports()
	d.clock()
	d.zones()
	if !c.Offline {
		d.proxy()
	}
	d.agent()
	return d.print()
}

// doctor collects findings.
type doctor struct {
	ctx      context.Context
	env      *Env
	base     int
	noGo     bool
	findings []finding
}

func (d *doctor) add(check, result, try, format string, args ...any) {
	d.findings = append(d.findings, finding{check, result, fmt.Sprintf(format, args...), try})
}

// goTools looks for Go and whether it may be asked to be another one.
func (d *doctor) goTools() {
	out, err := exec.CommandContext(d.ctx, "go", "env", "-json", "GOVERSION", "GOTOOLCHAIN", "GOARCH", "GOOS").Output()
	var set struct{ GOVERSION, GOTOOLCHAIN, GOARCH, GOOS string }
	if err == nil {
		err = json.Unmarshal(out, &set)
	}
	if err != nil {
		d.noGo = true
		d.add("go", checkFail, "install Go 1.26 or later (https://go.dev/dl) and put its bin folder on the PATH", "go does not run: %v", err)
		return
	}
	has := fmt.Sprintf("%s %s/%s, GOTOOLCHAIN=%s", set.GOVERSION, set.GOOS, set.GOARCH, set.GOTOOLCHAIN)
	switch {
	case goversion.Compare(set.GOVERSION, oldestGo) >= 0:
		d.add("go", checkOK, "", "%s", has)
	case strings.HasPrefix(set.GOTOOLCHAIN, "local"):
		d.add("go", checkFail, "install Go 1.26 or later, or let go fetch it: go env -w GOTOOLCHAIN=auto", "%s is older than %s", has, oldestGo)
	default:
		d.add("go", checkWarn, "GOTOOLCHAIN=auto make build, or install Go 1.26 or later: make keeps go from fetching it", "%s is older than %s", has, oldestGo)
	}
	if strconv.IntSize < 64 {
		d.add("processor", checkFail, "use a 64-bit system", "stores take a gigabyte of address space each")
	}
}

// commands looks for what the Makefile calls.
func (d *doctor) commands() {
	var missing []string
	for _, name := range []string{"sh", "bash", "make", "git", "awk", "mktemp"} {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		d.add("commands", checkFail, "install "+strings.Join(missing, ", ")+" with the system's package manager", "not on the PATH: %s", strings.Join(missing, ", "))
		return
	}
	d.add("commands", checkOK, "", "sh, bash, make, git, awk and mktemp are there")
}

func (d *doctor) programs() {
	bin, err := d.env.bin()
	if err != nil {
		d.add("programs", checkWarn, "crossdock --bin FOLDER", "%v", err)
		return
	}
	if missing := suite.MissingPrograms(bin); len(missing) > 0 {
		d.add("programs", checkWarn, "make build", "not in %s: %s", bin, strings.Join(missing, ", "))
		return
	}
	d.add("programs", checkOK, "", "all in %s", bin)
}

// folder looks whether the data folder can be used, and by nobody else.
func (d *doctor) folder() {
	info, err := os.Stat(d.env.Data)
	switch {
	case errors.Is(err, os.ErrNotExist):
		dir := d.existing()
		f, err := os.CreateTemp(dir, ".doctor-*")
		if err != nil {
			d.add("data folder", checkFail, "another folder: --data DIR", "%s cannot be made: %v", d.env.Data, err)
			return
		}
		f.Close()
		os.Remove(f.Name())
		d.add("data folder", checkOK, "", "%s is made by the first up", d.env.Data)
	case err != nil:
		d.add("data folder", checkFail, "another folder: --data DIR", "%v", err)
	case !info.IsDir():
		d.add("data folder", checkFail, "another folder: --data DIR", "%s is a file", d.env.Data)
	case info.Mode().Perm()&0o077 != 0:
		d.add("data folder", checkWarn, "chmod 700 "+d.env.Data, "%s may be looked into by others (%v); it holds keys and customers' data", d.env.Data, info.Mode().Perm())
	default:
		d.add("data folder", checkOK, "", "%s, %v", d.env.Data, info.Mode().Perm())
	}
}

// existing is the data folder, or the folder that it will be made in.
func (d *doctor) existing() string {
	dir := d.env.Data
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() || filepath.Dir(dir) == dir {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

func (d *doctor) disk() {
	v := volume(d.env.Data)
	if v == nil {
		d.add("disk", checkWarn, "see how much is free: df -h", "the system does not say what is free")
		return
	}
	text := fmt.Sprintf("%s free of %s", size(v.FreeBytes), size(v.TotalBytes))
	switch {
	case v.FreeBytes < leastDisk:
		d.add("disk", checkFail, "free some, or --data on another volume", "%s; the suite needs 1 GiB to start with", text)
	case v.FreeBytes < goodDisk:
		d.add("disk", checkWarn, "free some: logs are kept for ever", "%s", text)
	default:
		d.add("disk", checkOK, "", "%s", text)
	}
}

// sync measures what a commit waits for, where commits will be, and whether two programs can be kept apart there.
func (d *doctor) sync() {
	dir, err := os.MkdirTemp(d.existing(), ".doctor-*")
	if err != nil {
		d.add("file locks", checkFail, "another folder: --data DIR", "%v", err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "probe")
	f, err := os.Create(path)
	if err != nil {
		d.add("file locks", checkFail, "another folder: --data DIR", "%v", err)
		return
	}
	defer f.Close()
	if err := locks(f, path); err != nil {
		d.add("file locks", checkFail, "--data on a local file system: two programs could open one store", "%v", err)
	} else {
		d.add("file locks", checkOK, "", "one holder at a time")
	}
	median, worst, err := measureSync(f)
	text := fmt.Sprintf("median %s, worst of %d %s", micro(median), syncWrites, micro(worst))
	switch {
	case err != nil:
		d.add("disk sync", checkFail, "look at the disk: dmesg", "%v", err)
	case median < impossible:
		d.add("disk sync", checkWarn, "fine for a try; for data that matters, --data on a disk that keeps what it says it has", "%s: faster than any disk, so this is memory, or a power cut loses data", text)
	case median > slowSync:
		d.add("disk sync", checkWarn, "--data on a faster disk: each commit waits this long", "%s", text)
	default:
		d.add("disk sync", checkOK, "", "%s", text)
	}
}

// locks checks that a file that is locked cannot be locked again through another handle.
func locks(f *os.File, path string) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("flock: %w", err)
	}
	other, err := os.Open(path)
	if err != nil {
		return err
	}
	defer other.Close()
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		return errors.New("this file system gives one lock to two holders")
	}
	return nil
}

// measureSync appends pages as a store does and times each until the disk says that it has it.
func measureSync(f *os.File) (median, worst time.Duration, err error) {
	page := bytes.Repeat([]byte("crossdock"), 4096/9)
	var took []time.Duration
	for range syncWrites {
		if _, err := f.Write(page); err != nil {
			return 0, 0, err
		}
		begun := time.Now()
		if err := datasync(f); err != nil {
			return 0, 0, err
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)-1], nil
}

func micro(d time.Duration) string {
	if d < time.Millisecond {
		return fmt.Sprintf("%d µs", d.Microseconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

func (d *doctor) memory() {
	free, err := availableMemory("/proc/meminfo")
	switch {
	case err != nil:
		d.add("memory", checkWarn, "see that 3 GiB are free", "this system (%s) does not say what is free", runtime.GOOS)
	case free < leastMemory:
		d.add("memory", checkFail, "close something: the suite and a build need 1 GiB", "%s available", size(free))
	case free < goodMemory:
		d.add("memory", checkWarn, "a build may be slow", "%s available", size(free))
	default:
		d.add("memory", checkOK, "", "%s available", size(free))
	}
}

// availableMemory reads what Linux says may be taken without swapping.
func availableMemory(path string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemAvailable:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.Join(lines.Err(), errors.New("no MemAvailable"))
}

func (d *doctor) files() {
	n, err := openFiles()
	switch {
	case err != nil: // no such limit is known here
	case n < leastFiles:
		d.add("open files", checkWarn, "ulimit -n 4096", "a process may open %d", n)
	default:
		d.add("open files", checkOK, "", "a process may open %d", n)
	}
}

// loopback sends a byte to itself.
func (d *doctor) loopback() {
	err := func() error {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer lis.Close()
		conn, err := net.DialTimeout("tcp", lis.Addr().String(), loopbackLimit)
		if err != nil {
			return err
		}
		return conn.Close()
	}()
	if err != nil {
		d.add("loopback", checkFail, "bring the loopback interface up (ip link set lo up), and let no firewall or proxy in between", "127.0.0.1 does not answer: %v", err)
		return
	}
	d.add("loopback", checkOK, "", "127.0.0.1 answers")
}

func (d *doctor) ports() {
	if lock, err := d.env.layout().Lock(); err == nil {
		lock.Close()
	} else if errors.Is(err, suite.ErrRunning) {
		d.add("ports", checkOK, "", "a suite runs on %s", d.env.Data)
		return
	}
	used := suite.Plan(d.env.layout(), "", d.base, false).PortsInUse()
	if len(used) > 0 {
		d.add("ports", checkWarn, "crossdock up --port-base 0 takes free ones", "in use: %s", strings.Join(used, ", "))
		return
	}
	d.add("ports", checkOK, "", "those from %d on are free", d.base)
}

// clock compares the machine's clock with what was surely before it, and with how files are stamped where the data will be.
func (d *doctor) clock() {
	now := d.env.Machine.Now()
	built := now
	if self, err := os.Executable(); err == nil {
		if info, err := os.Stat(self); err == nil {
			built = info.ModTime()
		}
	}
	stamped := now
	if f, err := os.CreateTemp(d.existing(), ".doctor-*"); err == nil {
		if info, err := f.Stat(); err == nil {
			stamped = info.ModTime()
		}
		f.Close()
		os.Remove(f.Name())
	}
	skew := max(stamped.Sub(now), now.Sub(stamped))
	try := "set the clock, and keep it with NTP or chrony: certificates, tokens and leases depend on it"
	switch {
	case now.Before(built.Add(-clockSlack)):
		d.add("clock", checkFail, try, "shows %s, and this program was built later, %s", show.Instant(now), show.Instant(built))
	case skew > clockSlack:
		d.add("clock", checkFail, try, "shows %s, the file system of the data folder stamps %s", show.Instant(now), show.Instant(stamped))
	default:
		d.add("clock", checkOK, "", "shows %s", show.Instant(now))
	}
}

func (d *doctor) zones() {
	for _, zone := range []string{"America/New_York", "America/Chicago", "America/Los_Angeles"} {
		if _, err := time.LoadLocation(zone); err != nil {
			d.add("time zones", checkFail, "build the programs from this checkout: each holds the zones itself", "%v", err)
			return
		}
	}
	d.add("time zones", checkOK, "", "known")
}

// proxy asks through the go command, which knows what is agreed for this machine, whether modules could be fetched.
func (d *doctor) proxy() {
	if d.noGo {
		return
	}
	ctx, cancel := context.WithTimeout(d.ctx, outsideLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-versions", "-mod=mod", "github.com/google/uuid")
	cmd.Dir, cmd.WaitDelay = os.TempDir(), time.Second
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	where := "direct"
	if out, err := exec.CommandContext(ctx, "go", "env", "GOPROXY").Output(); err == nil {
		where = strings.TrimSpace(string(out))
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		text := lastLine(out, err)
		d.add("module proxy", checkWarn, "the first build fetches modules: set GOPROXY to one that this machine reaches, or build where the module cache is filled", "GOPROXY=%s: %s", where, text)
		return
	}
	d.add("module proxy", checkOK, "", "GOPROXY=%s answers", where)
}

func lastLine(out []byte, err error) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if text := lines[len(lines)-1]; text != "" {
		return text
	}
	return err.Error()
}

// agent looks for a Consul agent in the order in which up does.
func (d *doctor) agent() {
	if address := os.Getenv("CONSUL_HTTP_ADDR"); address != "" {
		ctx, cancel := context.WithTimeout(d.ctx, loopbackLimit)
		defer cancel()
		c := consul.Config{Address: address, CAFile: os.Getenv("CONSUL_CACERT"), CertFile: os.Getenv("CONSUL_CLIENT_CERT"), KeyFile: os.Getenv("CONSUL_CLIENT_KEY")}
		err := c.Leader(ctx)
		if err == nil {
			d.add("consul", checkOK, "", "the agent at CONSUL_HTTP_ADDR=%s answers", address)
			return
		}
		d.add("consul", checkWarn, "start it, or unset CONSUL_HTTP_ADDR", "CONSUL_HTTP_ADDR=%s: %v", address, err)
	}
	if path, err := exec.LookPath("consul"); err == nil {
		d.add("consul", checkOK, "", "%s, which up starts for itself", path)
		return
	}
	if bin, err := d.env.bin(); err == nil {
		if out, err := exec.CommandContext(d.ctx, filepath.Join(filepath.Dir(bin), "build", "consul.sh"), "--cached").Output(); err == nil {
			d.add("consul", checkOK, "", "%s, which up starts for itself", strings.TrimSpace(string(out)))
			return
		}
	}
	d.add("consul", checkWarn, "make consul, or leave it: up uses static addresses", "no agent answers, is on the PATH or was built")
}

func (d *doctor) print() error {
	count := map[string]int{}
	for _, f := range d.findings {
		count[f.Result]++
	}
	switch d.env.Output {
	case "json":
		if err := show.JSON(d.env.Out, d.findings); err != nil {
			return err
		}
	case "name":
		for _, f := range d.findings {
			fmt.Fprintln(d.env.Out, f.Check)
		}
	default:
		for _, f := range d.findings {
			result := fmt.Sprintf("%-4s", f.Result)
			switch f.Result {
			case checkOK:
				result = d.env.Style.Good(result)
			default:
				result = d.env.Style.Bad(result)
			}
			fmt.Fprintf(d.env.Out, "%s  %-12s  %s\n", result, f.Check, f.Detail)
			if f.Try != "" {
				fmt.Fprintf(d.env.Out, "%20stry: %s\n", "", f.Try)
			}
		}
	}
	if count[checkFail] > 0 {
		return &failure{status: exitFailed, what: fmt.Sprintf("%d of %d checks failed", count[checkFail], len(d.findings)), reason: "NOT_FIT"}
	}
	return nil
}
