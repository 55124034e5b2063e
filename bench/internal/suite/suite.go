// Package suite runs the suite's programs as they are shipped, for measurements: on loopback, with mTLS, fsync, validation,
// authorisation, logs and feeds, by the machine's clock. What `crossdock up` writes for a laptop is what they run with; that it is
// development gives the person "dev" every scope and costs nothing.
//
// It promises that each measurement begins with the same stores, filled with the working day's master data and nothing else.
package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"crossdock.dev/bench/internal/machine"
	"crossdock.dev/platform/auth"
	"crossdock.dev/tests/process"
	"crossdock.dev/tests/seed"
	"crossdock.dev/tests/story"
)

// Names are the programs, in the order in which they start.
func Names() []string {
	return []string{"masterdata", "orders", "freight", "billing", "workflow", "edge", "tower", "edi"}
}

// patience is how long a program may take to be ready or to end.
const patience = 2 * time.Minute

// Home is a checkout with its programs, and a folder for what measurements write.
type Home struct {
	// Root is the checkout, Bin the folder of its programs, Dir the folder to write to.
	Root, Bin, Dir string

	run  story.Run
	at   map[string]process.Addresses
	keys map[string]string // API keys, by party
}

func (h *Home) data() string   { return filepath.Join(h.Dir, "suite") }
func (h *Home) filled() string { return filepath.Join(h.Dir, "filled") }

// Prepare makes identities, configurations and stores, and fills masterdata. parties get an API key each.
func (h *Home) Prepare(ctx context.Context, parties ...string) error {
	all, err := h.Up(ctx)
	if err != nil {
		return err
	}
	live, err := story.Connect(h.run)
	if err == nil {
		err = errors.Join(h.fill(ctx, live, parties), live.Close())
	}
	if err := errors.Join(err, all.Stop()); err != nil {
		return err
	}
	return os.Rename(filepath.Join(h.data(), "data"), h.filled())
}

func (h *Home) fill(ctx context.Context, live *story.Live, parties []string) error {
	if _, err := seed.Load(ctx, os.DirFS(filepath.Join(h.Root, "tests", "day", "seed")), live.Conn("masterdata")); err != nil {
		return err
	}
	h.keys = map[string]string{}
	for _, party := range parties {
		var err error
		if h.keys[party], err = live.Secret(ctx, party); err != nil {
			return err
		}
	}
	return live.CaughtUp(ctx, "masterdata")
}

// Key is the API key of a party that Prepare was told of.
func (h *Home) Key(party string) string { return h.keys[party] }

// EdgeURL is where partners call.
func (h *Home) EdgeURL() string { return h.run.EdgeURL }

// Reset makes the stores what they were after Prepare. Nothing runs on them.
func (h *Home) Reset() error { return h.PutBack(h.filled()) }

// Keep copies the stores, which nobody has open, to a folder; PutBack makes them what they were then.
func (h *Home) Keep(folder string) error {
	return os.CopyFS(folder, os.DirFS(filepath.Join(h.data(), "data")))
}

// PutBack replaces the stores by those that Keep copied.
func (h *Home) PutBack(folder string) error {
	data := filepath.Join(h.data(), "data")
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	return os.CopyFS(data, os.DirFS(folder))
}

// Data is a program's own folder.
func (h *Home) Data(program string) string { return filepath.Join(h.data(), "data", program) }

// Config is a program's configuration file, which the next Up writes anew.
func (h *Home) Config(program string) string { return h.at[program].Config }

// Identity is the certificate of a service.
func (h *Home) Identity(service string) (auth.Files, error) {
	pki, err := auth.DevPKI(filepath.Join(h.data(), "pki"))
	if err != nil {
		return auth.Files{}, err
	}
	return pki.Service(service), nil
}

// Running are programs that run.
type Running struct {
	home     *Home
	up       *process.Program // nil where programs were started one by one
	programs []*Program
}

// Program is one that runs.
type Program struct {
	Name, GRPC, Admin string
	PID               int
	process           *process.Program
}

// Up starts all programs, as `crossdock up` does, and waits until they are ready.
func (h *Home) Up(ctx context.Context) (*Running, error) {
	cmd := exec.Command(filepath.Join(h.Bin, "crossdock"), "--data", h.data(), "--bin", h.Bin, "up", "--port-base", "0", "--discovery", "static",
		"--profiles", filepath.Join(h.Root, "integrations", "edi", "partners", "day.yaml"))
	up, err := process.Start(cmd, patience)
	if err != nil {
		return nil, err
	}
	r := &Running{home: h, up: up}
	if err := up.AwaitText(ctx, "DEVELOPMENT on loopback"); err != nil {
		return nil, errors.Join(err, errors.New(up.Text()), r.Stop())
	}
	raw, err := os.ReadFile(filepath.Join(h.data(), "run.json"))
	if err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	var told struct {
		Services map[string]process.Addresses `json:"services"`
	}
	if err := errors.Join(json.Unmarshal(raw, &h.run), json.Unmarshal(raw, &told)); err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	h.at = told.Services
	for _, name := range Names() {
		pids := process.PIDs(name, up.Text())
		if len(pids) == 0 {
			return nil, errors.Join(fmt.Errorf("crossdock up does not tell the process of %s", name), r.Stop())
		}
		r.programs = append(r.programs, &Program{Name: name, PID: pids[len(pids)-1], GRPC: told.Services[name].GRPC, Admin: told.Services[name].Admin})
	}
	return r, nil
}

// Only starts some programs, with the configurations that an Up before wrote, and waits until they are ready.
func (h *Home) Only(ctx context.Context, names ...string) (*Running, error) {
	r := &Running{home: h}
	for _, name := range names {
		if err := r.Start(ctx, name); err != nil {
			return nil, errors.Join(err, r.Stop())
		}
	}
	return r, nil
}

// Start starts one more program and waits until it is ready.
func (r *Running) Start(ctx context.Context, name string) error {
	at := r.home.at[name]
	// The shell is replaced by the program; the log goes to a file, as `crossdock up` has it.
	cmd := exec.Command("/bin/sh", "-c", `exec "$0" -config "$1" >>"$2" 2>&1`, filepath.Join(r.home.Bin, name), at.Config,
		filepath.Join(r.home.data(), "logs", name+".log"))
	p, err := process.Start(cmd, patience)
	if err != nil {
		return err
	}
	r.programs = append(r.programs, &Program{Name: name, GRPC: at.GRPC, Admin: at.Admin, PID: p.PID(), process: p})
	return p.Until(ctx, name+" is ready", func() bool {
		resp, err := http.Get("http://" + at.Admin + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// Stop stops the programs, the last started first. Each must end well by itself.
func (r *Running) Stop() error {
	if r.up != nil {
		err := r.up.Stop()
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, r.up.Text())
		}
		return err
	}
	var err error
	for _, p := range slices.Backward(r.programs) {
		err = errors.Join(err, p.process.Stop())
	}
	r.programs = nil
	return err
}

// Programs are those that run.
func (r *Running) Programs() []*Program { return r.programs }

// Program is one of those that run.
func (r *Running) Program(name string) *Program {
	for _, p := range r.programs {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// CPU is the processor time that the named programs have used, all that run without a name.
func (r *Running) CPU(names ...string) (time.Duration, error) {
	var pids []int
	for _, p := range r.programs {
		if len(names) == 0 || slices.Contains(names, p.Name) {
			pids = append(pids, p.PID)
		}
	}
	return machine.CPU(pids...)
}

// Dial makes n connections to a service as another one, or as the person dev with as == "". They carry calls and nothing else: what
// the suite's own clients add (traces, retries) is not the server's.
func (r *Running) Dial(n int, service, as string) (Conns, error) {
	pki, err := auth.DevPKI(filepath.Join(r.home.data(), "pki"))
	if err != nil {
		return nil, err
	}
	identity := pki.User(auth.DevUser)
	if as != "" {
		identity = pki.Service(as)
	}
	return Dial(n, r.Program(service).GRPC, service, identity)
}

// Conns are connections to one service.
type Conns []*grpc.ClientConn

// Dial makes n bare connections to an address where a service listens.
func Dial(n int, addr, service string, identity auth.Files) (Conns, error) {
	c, err := auth.ClientTLS(identity, service)
	if err != nil {
		return nil, err
	}
	var out Conns
	for range n {
		conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(credentials.NewTLS(c)))
		if err != nil {
			return nil, errors.Join(err, out.Close())
		}
		out = append(out, conn)
	}
	return out, nil
}

// Close closes them.
func (c Conns) Close() error {
	var err error
	for _, conn := range c {
		err = errors.Join(err, conn.Close())
	}
	return err
}
