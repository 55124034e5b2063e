// Package core assembles workflow: the store, the process engine, the feeds it follows and the commands it sends. It is
// imported by the service's own program and by tests alone, so that a simulation can run the same assembly as production in
// one goroutine.
package core

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"google.golang.org/grpc"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/workflow/internal/api"
	"crossdock.dev/services/workflow/internal/app"
	"crossdock.dev/services/workflow/internal/inbound"
	"crossdock.dev/services/workflow/internal/peers"
	"crossdock.dev/services/workflow/internal/process"
	workflowstore "crossdock.dev/services/workflow/internal/store"
)

// Service is the name of the service and of its log.
const Service = workflowstore.Service

// Deps is what the assembly is given.
type Deps struct {
	DataDir  string
	Business clock.Business
	Machine  clock.Machine
	IDs      typeid.Source
	Rand     io.Reader
	Log      *slog.Logger
	Feeds    map[string]eventlog.Source          // orders, freight, billing, edi
	Peers    map[string]grpc.ClientConnInterface // freight, billing
	Parallel int                                 // commands under way at once; 0 in a simulation
	Limits   *process.Limits                     // how long steps and work items may take; nil is the default
}

// Core is the running service without its listeners.
type Core struct {
	store     *store.Store
	api       *api.Server
	followers *eventlog.Followers
	runner    *tasks.Runner
	deps      Deps
}

// Open opens the store in the data folder, or creates it.
func Open(ctx context.Context, d Deps) (*Core, error) {
	db, err := store.Open(ctx, store.Options{Path: Path(d.DataDir), Schema: Schema(), Clock: d.Business, Log: d.Log, Random: d.Rand})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", Service, err)
	}
	limits := process.DefaultLimits()
	if d.Limits != nil {
		limits = *d.Limits
	}
	a := app.New(db, d.Business, d.IDs, limits)
	runner := tasks.NewRunner(tasks.Config{
		Store: db, Handlers: a.Handlers(peers.New(d.Peers["freight"], d.Peers["billing"])),
		Machine: d.Machine, Log: d.Log, Parallel: d.Parallel,
	})
	return &Core{db, api.New(db, a), eventlog.Follow(db, d.Log, d.Feeds, inbound.Readers(a)...), runner, d}, nil
}

// Path is the store's file in a data folder.
func Path(dir string) string { return filepath.Join(dir, Service+".db") }

// Schema is what the store keeps, for verify.
func Schema() store.Schema { return workflowstore.Schema() }

// Store is the open store.
func (c *Core) Store() *store.Store { return c.store }

// Register registers the service and its feed.
func (c *Core) Register(r grpc.ServiceRegistrar) {
	workflowv1.RegisterWorkflowServiceServer(r, c.api)
	eventlogv1.RegisterEventLogServiceServer(r, eventlog.NewServer(c.store, c.followers.Consumers(), c.runner))
}

// Steppers are the followed logs, then the commands.
func (c *Core) Steppers() []step.Config {
	base := step.Config{Business: c.deps.Business, Machine: c.deps.Machine, Log: c.deps.Log}
	return append(c.followers.Loops(base), c.runner.Loop(base))
}

// Followers are the logs that workflow follows. A call that names a position waits for them.
func (c *Core) Followers() *eventlog.Followers { return c.followers }

// Close waits for commands under way and closes the store.
func (c *Core) Close() error {
	c.runner.Drain()
	return c.store.Close()
}
