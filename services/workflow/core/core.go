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

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/workflow/internal/api"
	"crossdock.dev/services/workflow/internal/app"
	"crossdock.dev/services/workflow/internal/config"
	"crossdock.dev/services/workflow/internal/inbound"
	"crossdock.dev/services/workflow/internal/peers"
	wfstore "crossdock.dev/services/workflow/internal/store"
)

// Service is the name of the service and of its log.
const Service = "workflow"

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
	a := app.New(db, d.Business, d.IDs)
	readers := map[string]reader{
		"orders": inbound.Orders{App: a}, "freight": inbound.Freight{App: a},
		"billing": inbound.Billing{App: a}, "edi": inbound.Edi{App: a},
	}
	var consumers []*eventlog.Consumer
	for _, log := range config.Feeds() {
		consumers = append(consumers, eventlog.NewConsumer(eventlog.ConsumerConfig{
			Log: log, Source: d.Feeds[log], Store: db, Logger: d.Log, Keys: readers[log].Keys, Apply: readers[log].Apply,
		}))
	}
	runner := tasks.NewRunner(tasks.Config{
		Store: db, Handlers: a.Handlers(peers.New(d.Peers["freight"], d.Peers["billing"])),
		Machine: d.Machine, Log: d.Log, Parallel: d.Parallel,
	})
	return &Core{db, api.New(db, a), eventlog.NewFollowers(consumers...), runner, d}, nil
}

// reader is what a feed's facts mean here.
type reader interface {
	Keys(f eventlog.Fact) []string
	Apply(ctx context.Context, tx *store.Tx, f eventlog.Fact) error
}

// Path is the store's file in a data folder.
func Path(dir string) string { return filepath.Join(dir, Service+".db") }

// Schema is what the store keeps, for verify.
func Schema() store.Schema { return wfstore.Schema() }

// Store is the open store.
func (c *Core) Store() *store.Store { return c.store }

// Register registers the service and its feed.
func (c *Core) Register(r grpc.ServiceRegistrar) {
	workflowv1.RegisterWorkflowServiceServer(r, c.api)
	eventlogv1.RegisterEventLogServiceServer(r, eventlog.NewServer(c.store, c.followers.Consumers(), c.runner))
}

// Gateways is empty: no method is for partners.
func (c *Core) Gateways() []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error {
	return nil
}

// Steppers are the feeds and the commands.
func (c *Core) Steppers() []step.Config {
	var loops []step.Config
	for _, consumer := range c.followers.Consumers() {
		loops = append(loops, step.Config{
			Name: "follow " + consumer.Log(), Stepper: consumer, Business: c.deps.Business, Machine: c.deps.Machine, Log: c.deps.Log,
			Wake: []func() <-chan struct{}{consumer.Wake},
		})
	}
	return append(loops, step.Config{
		Name: "commands", Stepper: c.runner, Business: c.deps.Business, Machine: c.deps.Machine, Log: c.deps.Log,
		Wake: []func() <-chan struct{}{c.runner.Wake, c.store.Changed},
	})
}

// Waiter is the set of followed feeds.
func (c *Core) Waiter() rpc.Waiter { return c.followers }

// Followers lets a simulation say that nobody reads while a call waits.
func (c *Core) Followers() *eventlog.Followers { return c.followers }

// Close waits for commands under way and closes the store.
func (c *Core) Close() error {
	c.runner.Drain()
	return c.store.Close()
}
