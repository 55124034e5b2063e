// Package suite knows the programs of the suite as a development machine runs them: their names and order, their ports, their
// configuration files, and the file that tells everybody where a running suite is. It leaves running them to package
// supervise.
package suite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"crossdock.dev/platform/discovery/consul"
)

// Service is one program of the suite.
type Service struct {
	Name string
	// number is added to the base of the ports.
	number int
	// gateway: it has methods for partners, which the edge calls by HTTP.
	gateway bool
	// page is the offset of a port for people or partners; 0 for none.
	page int
	// peers are the services that it follows or calls.
	peers []string
}

// Services are the programs in the order in which they start. Each waits for those that it needs, so the order only saves
// waiting.
var services = []Service{
	{Name: "masterdata", number: 1},
	{Name: "orders", number: 2, gateway: true, peers: []string{"masterdata", "freight", "billing"}},
	{Name: "freight", number: 3, gateway: true, peers: []string{"masterdata"}},
	{Name: "billing", number: 4, gateway: true, peers: []string{"masterdata", "orders", "freight"}},
	{Name: "workflow", number: 5, peers: []string{"orders", "freight", "billing", "edi"}},
	{Name: "edge", number: 6, page: 980, peers: []string{"orders", "freight", "billing"}},
	{Name: "tower", number: 7, page: 981, peers: []string{"masterdata", "orders", "freight", "billing", "workflow", "edi"}},
	{Name: "edi", number: 8, peers: []string{"masterdata", "orders", "freight", "billing"}},
}

// Names are the services in the order in which they start.
func Names() []string {
	out := make([]string, len(services))
	for i, s := range services {
		out[i] = s.Name
	}
	return out
}

// DefaultPortBase gives gRPC 7101 to 7108, the partners' gateways 7202 to 7204, admin 7301 to 7308, the edge 8080, the
// tower 8081.
const DefaultPortBase = 7100

// Addrs are the addresses of a running service, "127.0.0.1:7102"; empty where it has none.
type Addrs struct {
	GRPC  string `json:"grpc"`
	HTTP  string `json:"http,omitempty"`
	Admin string `json:"admin"`
	// Version is what the program says of itself.
	Version string `json:"version,omitempty"`
	// Config and Log are files.
	Config string `json:"config"`
	Log    string `json:"log"`
}

// Run says where a running suite is. `crossdock up` writes it, everybody else reads it. Paths are absolute.
type Run struct {
	Services map[string]Addrs `json:"services"`
	// DataDir holds everything of this suite, BinDir its programs.
	DataDir string `json:"data_dir"`
	BinDir  string `json:"bin_dir"`
	// PKIDir is a folder of development identities: user-dev.crt, user-dev.key, ca.crt and more.
	PKIDir string `json:"pki_dir"`
	// ClockFile sets business time; empty when the suite runs on the machine's clock.
	ClockFile string `json:"clock_file,omitempty"`
	// EdgeURL is where partners call, TowerURL where people look.
	EdgeURL  string `json:"edge_url"`
	TowerURL string `json:"tower_url"`
	// Discovery is how the programs find each other: "consul" or "static" addresses.
	Discovery string `json:"discovery"`
	// Consul is the agent; nil with static addresses.
	Consul *consul.Config `json:"consul,omitempty"`
	// PID is the process that keeps the suite running.
	PID int `json:"pid"`

	agentPorts [3]string // of an agent of the suite's own: HTTP, server, gossip
}

// Layout is where things are in a data folder.
type Layout struct{ Dir string }

// File is where a running suite is described.
func (l Layout) File() string { return filepath.Join(l.Dir, "run.json") }

// PKI is the folder of identities.
func (l Layout) PKI() string { return filepath.Join(l.Dir, "pki") }

// Clock is the business clock's file.
func (l Layout) Clock() string { return filepath.Join(l.Dir, "clock.json") }

// Config is a service's configuration file.
func (l Layout) Config(service string) string {
	return filepath.Join(l.Dir, "config", service+".yaml")
}

// Log is the file that a service's output goes to.
func (l Layout) Log(service string) string { return filepath.Join(l.Dir, "logs", service+".log") }

// Hold is the file that holds a service down while it exists.
func (l Layout) Hold(service string) string { return filepath.Join(l.Dir, "hold", service) }

// Data is a service's own folder.
func (l Layout) Data(service string) string { return filepath.Join(l.Dir, "data", service) }

// Prepare makes the folders.
func (l Layout) Prepare() error {
	dirs := []string{filepath.Join(l.Dir, "config"), filepath.Join(l.Dir, "logs"), filepath.Join(l.Dir, "hold")}
	for _, s := range services {
		dirs = append(dirs, l.Data(s.Name))
	}
	for _, d := range dirs {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// Lock makes sure that one suite runs on a data folder. It is held until the file is closed or the process ends.
func (l Layout) Lock() (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(l.Dir, "up.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrRunning
		}
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return f, nil
}

// ErrRunning: a suite runs on this data folder.
var ErrRunning = errors.New("a suite is running on this data folder")

// ErrNotRunning: no suite is described where one was looked for.
var ErrNotRunning = errors.New("no suite is running")

// ReadRun reads the description of a running suite.
func ReadRun(path string) (Run, error) {
	var r Run
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%w: %s does not exist", ErrNotRunning, path)
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Write writes the description in one step, so that nobody reads half of it.
func (r Run) Write(path string) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// Plan says where a suite on a data folder listens. All addresses are loopback.
func Plan(l Layout, binDir string, portBase int, storyClock bool) Run {
	r := Run{Services: map[string]Addrs{}, DataDir: l.Dir, BinDir: binDir, PKIDir: l.PKI(), PID: os.Getpid(), Discovery: Static}
	if storyClock {
		r.ClockFile = l.Clock()
	}
	at := func(offset int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(portBase+offset)) }
	for _, s := range services {
		a := Addrs{GRPC: at(s.number), Admin: at(200 + s.number), Config: l.Config(s.Name), Log: l.Log(s.Name)}
		switch {
		case s.gateway:
			a.HTTP = at(100 + s.number)
		case s.page > 0:
			a.HTTP = at(s.page)
		}
		r.Services[s.Name] = a
	}
	r.agentPorts = [3]string{at(301), at(302), at(303)}
	r.EdgeURL, r.TowerURL = "http://"+r.Services["edge"].HTTP, "http://"+r.Services["tower"].HTTP
	return r
}

// Ways in which programs find each other.
const (
	Static = "static"
	Consul = "consul"
)

// PortsInUse names every address of a plan that something else listens on.
func (r Run) PortsInUse() []string {
	var used []string
	for _, addr := range r.agentPorts {
		lis, err := net.Listen("tcp", addr)
		if err != nil {
			used = append(used, addr+" (consul)")
			continue
		}
		lis.Close()
	}
	for _, s := range services {
		a := r.Services[s.Name]
		for _, p := range []struct{ kind, addr string }{{"gRPC", a.GRPC}, {"HTTP", a.HTTP}, {"admin", a.Admin}} {
			if p.addr == "" {
				continue
			}
			lis, err := net.Listen("tcp", p.addr)
			if err != nil {
				used = append(used, fmt.Sprintf("%s (%s %s)", p.addr, s.Name, p.kind))
				continue
			}
			lis.Close()
		}
	}
	return used
}

// Blocks of ports for suites that may be anywhere: their bases are 10 apart, 9 in a stride of 1,100, so that no offset of one
// meets one of another, and below the ports that systems give to outgoing connections (32768 and above on Linux).
const (
	firstBlock, strides, stride = 11000, 19, 1100
	perStride, blockStep        = 9, 10
)

// Claim takes a base of ports for as long as what it returns is open: it listens on the base itself, which no program uses, so
// that of suites which start at the same moment one gets it. Base 0 finds one whose ports are all free. An error means that
// somebody else has these ports.
func Claim(base int) (net.Listener, int, error) {
	if base != 0 {
		lis, err := claim(base)
		return lis, base, err
	}
	for n := range strides * perStride {
		base := block(n)
		lis, err := claim(base)
		if err != nil {
			continue
		}
		if len(Plan(Layout{}, "", base, false).PortsInUse()) == 0 {
			return lis, base, nil
		}
		lis.Close()
	}
	return nil, 0, errors.New("every block that was looked at")
}

func block(n int) int { return firstBlock + stride*(n%strides) + blockStep*(n/strides) }

func claim(base int) (net.Listener, error) {
	lis, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base)))
	if err != nil {
		return nil, fmt.Errorf("the base: %w", err)
	}
	return lis, nil
}

// MissingPrograms names the programs that are not in the bin folder.
func MissingPrograms(binDir string) []string {
	var missing []string
	for _, s := range services {
		info, err := os.Stat(filepath.Join(binDir, s.Name))
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			missing = append(missing, s.Name)
		}
	}
	return missing
}
