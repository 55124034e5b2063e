// Package core assembles freight: the store, the verbs, the methods, the copy of master data and the timers. It is imported by
// the service's own program and by tests alone, so that a simulation can run the same assembly as production in one goroutine.
package core

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"google.golang.org/grpc"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/freight/internal/api"
	"crossdock.dev/services/freight/internal/app"
	"crossdock.dev/services/freight/internal/inbound"
	freightstore "crossdock.dev/services/freight/internal/store"
)

// Service is the name of the service and of its log.
const Service = freightstore.Service

// Deps is what the assembly is given.
type Deps struct {
	DataDir  string
	Business clock.Business
	Machine  clock.Machine
	IDs      typeid.Source
	Rand     io.Reader
	Log      *slog.Logger
	Feeds    map[string]eventlog.Source // masterdata
	Parallel int                        // tasks under way at once; 0 in a simulation
}

// Core is the running service without its listeners.
type Core struct {
	store     *store.Store
	api       *api.Server
	followers *eventlog.Followers
	runner    *tasks.Runner
	deps      Deps
}

// Path is the store's file in a data folder.
func Path(dir string) string { return filepath.Join(dir, Service+".db") }

// Schema is what the store keeps, for verify.
func Schema() store.Schema { return freightstore.Schema() }

// Open opens the store in the data folder, or creates it.
func Open(ctx context.Context, d Deps) (*Core, error) {
	db, err := store.Open(ctx, store.Options{Path: Path(d.DataDir), Schema: Schema(), Clock: d.Business, Log: d.Log, Random: d.Rand})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", Service, err)
	}
	a := app.New(freightstore.New(db), d.Business, d.IDs)
	followers := eventlog.Follow(db, d.Log, d.Feeds, inbound.Readers()...)
	runner := tasks.NewRunner(tasks.Config{Store: db, Handlers: a.Handlers(), Machine: d.Machine, Log: d.Log, Parallel: d.Parallel})
	return &Core{db, api.New(a), followers, runner, d}, nil
}

// Store is the open store.
func (c *Core) Store() *store.Store { return c.store }

// Register registers the service and its feed.
func (c *Core) Register(r grpc.ServiceRegistrar) {
	freightv1.RegisterFreightServiceServer(r, c.api)
	eventlogv1.RegisterEventLogServiceServer(r, eventlog.NewServer(c.store, c.followers.Consumers(), c.runner))
}

// Gateways are the REST handlers for partners.
func (c *Core) Gateways() []serve.Gateway {
	return []serve.Gateway{freightv1.RegisterFreightServiceHandler}
}

// Steppers are the followed log, then the timers.
func (c *Core) Steppers() []step.Config {
	base := step.Config{Business: c.deps.Business, Machine: c.deps.Machine, Log: c.deps.Log}
	return append(c.followers.Loops(base), c.runner.Loop(base))
}

// Followers are the logs that freight follows. A call that names a position waits for them.
func (c *Core) Followers() *eventlog.Followers { return c.followers }

// Close waits for the tasks under way and closes the store.
func (c *Core) Close() error {
	c.runner.Drain()
	return c.store.Close()
}
