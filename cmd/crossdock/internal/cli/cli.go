// Package cli is the crossdock command line. It promises data on stdout and everything else on stderr, the exit statuses
// below, refusals with their reason, request id and a hint instead of stack traces, and that a change is never sent without a
// request id. It speaks the suite's public contracts and nothing else; what needs a stopped service it asks of that service's
// own program.
//
// Exit statuses: 0 done, 1 failed, 2 wrong usage or bad input, 3 not found, 4 not allowed, 5 conflict, 6 not reachable or too
// late, 7 done in part.
package cli

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"crossdock.dev/cmd/crossdock/internal/show"
	"crossdock.dev/cmd/crossdock/internal/suite"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/rpc"
)

// Globals are the flags that every command takes.
type Globals struct {
	Data      string        `help:"Data folder of the suite." default:".crossdock" type:"path" placeholder:"DIR"`
	RunFile   string        `name:"run" help:"File that says where the suite runs; default is run.json in the data folder." env:"CROSSDOCK_RUN" type:"path" placeholder:"FILE"`
	Bin       string        `help:"Folder of the suite's programs; default is where this one is." type:"path" placeholder:"DIR"`
	Output    string        `short:"o" help:"What to print: ${enum}." enum:"table,json,name" default:"table"`
	RequestID string        `help:"Id of a change: a repeat with the same id has no second effect. Made and printed when absent." placeholder:"ID"`
	Timeout   time.Duration `help:"How long a call may take." default:"15s"`
}

// Commands is the grammar: crossdock <noun> <verb>, and a few verbs on top.
type Commands struct {
	Globals

	Up        upCmd        `cmd:"" help:"Start the whole suite on this machine, for development."`
	Status    statusCmd    `cmd:"" help:"Show services, backlog, last facts, disk and what is not well; exit 1 when something is not."`
	Explain   explainCmd   `cmd:"" help:"Show where the order stands that an id or number leads to, and all that happened."`
	Verify    verifyCmd    `cmd:"" help:"Check every store and what must hold across services; exit 1 with breaches."`
	Backup    backupCmd    `cmd:"" help:"Copy the stores and documents of running services."`
	Restore   restoreCmd   `cmd:"" help:"Make the store of a stopped service out of a backup."`
	Archive   archiveCmd   `cmd:"" help:"Move old entries of a stopped service's log into a file."`
	Reconcile reconcileCmd `cmd:"" help:"Decide what a restore leaves to a person."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
	Doctor    doctorCmd    `cmd:"" help:"Check whether this machine can build and run the suite; exit 1 when it cannot."`
	Logs      logsCmd      `cmd:"" help:"Show the logs of all services side by side, by time."`

	Identities identitiesCmd `cmd:"" help:"Make identities for development, as up does, for programs that are started by hand."`

	Orders       ordersCmd       `cmd:"" help:"Orders of customers."`
	Shipments    shipmentsCmd    `cmd:"" help:"Shipments to customers."`
	Loads        loadsCmd        `cmd:"" help:"Loads that carriers haul."`
	Tenders      tendersCmd      `cmd:"" help:"Offers of loads to carriers."`
	Invoices     invoicesCmd     `cmd:"" help:"Invoices to customers."`
	FreightBills freightBillsCmd `cmd:"" help:"Carriers' bills."`
	Processes    processesCmd    `cmd:"" help:"Processes from order to cash."`
	WorkItems    workItemsCmd    `cmd:"" help:"What waits for a person."`
	Ledger       ledgerCmd       `cmd:"" help:"The sub-ledger."`
	Events       eventsCmd       `cmd:"" help:"The services' logs."`
	Edi          ediCmd          `cmd:"" help:"X12 files."`
	Call         callCmd         `cmd:"" help:"Call any method of any service, for what has no command of its own."`
	Keys         keysCmd         `cmd:"" help:"Partners' API keys."`
}

// Env is what a command works with.
type Env struct {
	Globals
	// Out takes data, Err the rest.
	Out, Err io.Writer
	Style    show.Style
	Machine  clock.Machine
	Rand     io.Reader
	// Connect connects to a service of the running suite.
	Connect func(service string) (grpc.ClientConnInterface, error)
	// callID finds this invocation in the services' logs.
	callID string
	conns  map[string]*grpc.ClientConn
}

// Options are what a program or a test gives to Main.
type Options struct {
	Args     []string
	In       io.Reader
	Out, Err io.Writer
	Style    show.Style
	Machine  clock.Machine
	Rand     io.Reader
	// Connect is nil for the suite that runs on the data folder.
	Connect func(service string) (grpc.ClientConnInterface, error)
}

// Main runs one command and returns the exit status.
func Main(ctx context.Context, o Options) int {
	var c Commands
	done := false // help was printed
	parser, err := kong.New(&c, kong.Name("crossdock"),
		kong.Description("Crossdock coordinates orders, freight and invoices. `crossdock up` starts the suite on this machine; `crossdock explain <any id or number>` tells where an order stands and why."),
		kong.Writers(o.Out, o.Err), kong.Exit(func(int) { done = true }), kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Vars{"port_base": strconv.Itoa(suite.DefaultPortBase)})
	if err != nil {
		return report(o.Err, fmt.Errorf("command line: %w", err), "")
	}
	k, err := parser.Parse(o.Args)
	if done {
		return exitDone
	}
	if err != nil {
		return report(o.Err, &failure{status: exitUsage, what: err.Error(), reason: "USAGE", try: "crossdock --help"}, "")
	}
	env := &Env{Globals: c.Globals, Out: o.Out, Err: o.Err, Style: o.Style, Machine: o.Machine, Rand: o.Rand, conns: map[string]*grpc.ClientConn{}}
	if env.callID, err = env.newID("cli"); err != nil {
		return report(o.Err, err, "")
	}
	connect := o.Connect
	if connect == nil {
		connect = env.dial
	}
	env.Connect = func(service string) (grpc.ClientConnInterface, error) {
		cc, err := connect(service)
		return &namedConn{cc, service}, err
	}
	defer env.close()
	ctx = metadata.AppendToOutgoingContext(ctx, rpc.MetaRequestID, env.callID)
	k.BindTo(ctx, (*context.Context)(nil))
	k.BindTo(o.In, (*io.Reader)(nil))
	if err := k.Run(env); err != nil {
		return report(o.Err, err, env.callID)
	}
	return exitDone
}

// namedConn says in its errors whose they are.
type namedConn struct {
	grpc.ClientConnInterface
	service string
}

func (c *namedConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	if err := c.ClientConnInterface.Invoke(ctx, method, args, reply, opts...); err != nil {
		return &callError{c.service, err}
	}
	return nil
}

func (e *Env) newID(prefix string) (string, error) {
	var raw [10]byte
	if _, err := io.ReadFull(e.Rand, raw[:]); err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return prefix + "-" + hex.EncodeToString(raw[:]), nil
}

// changeID is the request id of a change, told to the person: with it the command can be repeated safely.
func (e *Env) changeID() (string, error) {
	id := cmp.Or(e.RequestID, e.callID)
	_, err := fmt.Fprintln(e.Err, "request id:", id)
	return id, err
}

func (e *Env) layout() suite.Layout { return suite.Layout{Dir: e.Data} }

func (e *Env) run() (suite.Run, error) {
	path := e.RunFile
	if path == "" {
		path = e.layout().File()
	}
	r, err := suite.ReadRun(path)
	if errors.Is(err, suite.ErrNotRunning) {
		return r, &failure{status: exitUnavailable, what: err.Error(), reason: "NOT_RUNNING", try: "crossdock up"}
	}
	return r, err
}

// dial connects as the development user to a service of the suite that runs on this machine.
func (e *Env) dial(service string) (grpc.ClientConnInterface, error) {
	if cc, ok := e.conns[service]; ok {
		return cc, nil
	}
	r, err := e.run()
	if err != nil {
		return nil, err
	}
	a, ok := r.Services[service]
	if !ok {
		return nil, &failure{status: exitUnavailable, what: "the running suite has no service " + service, reason: "NOT_RUNNING", try: "crossdock status"}
	}
	pki, err := auth.DevPKI(r.PKIDir)
	if err != nil {
		return nil, err
	}
	cc, err := rpc.Dial(rpc.ClientConfig{Target: "static:///" + a.GRPC, Service: service, Identity: pki.User(auth.DevUser), Timeout: e.Timeout})
	if err != nil {
		return nil, err
	}
	e.conns[service] = cc
	return cc, nil
}

func (e *Env) close() {
	for _, cc := range e.conns {
		_ = cc.Close() // the process ends
	}
}

// bin is the folder of the suite's programs.
func (e *Env) bin() (string, error) {
	if e.Bin != "" {
		return filepath.Abs(e.Bin)
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return "", err
	}
	return filepath.Dir(self), nil
}
