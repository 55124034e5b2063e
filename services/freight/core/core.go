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
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/step"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
	"crossdock.dev/platform/typeid"

	"crossdock.dev/services/freight/internal/api"
	"crossdock.dev/services/freight/internal/app"
	"crossdock.dev/services/freight/internal/inbound"
	"crossdock.dev/services/freight/internal/store"
)

// Service is the name of the service and of its log.
const Service = "freight"

// Masterdata is the log that freight follows.
const Masterdata = "masterdata"

// Deps is what the assembly is given. Freight calls nobody; it follows the feed of masterdata.
type Deps struct {
	DataDir  string
	Business clock.Business
	Machine  clock.Machine
	IDs      typeid.Source
	Rand     io.Reader
	Log      *slog.Logger
	Feeds    map[string]eventlog.Source
	Peers    map[string]grpc.ClientConnInterface
	// Parallel is how many tasks may run beside the loop; 0 runs each inside its step, as a simulation wants it.
	Parallel int
}

// Core is the running service without its listeners.
type Core struct {
	deps      Deps
	store     *platform.Store
	api       *api.Server
	runner    *tasks.Runner
	followers *eventlog.Followers
}

// Path is the store's file in a data folder.
func Path(dir string) string { return filepath.Join(dir, Service+".db") }

// Schema is what the store keeps, for verify.
func Schema() platform.Schema { return store.Schema() }

// Open opens the store in the data folder, or creates it.
func Open(ctx context.Context, d Deps) (*Core, error) {
	feed, ok := d.Feeds[Masterdata]
	if !ok {
		return nil, fmt.Errorf("open %s: no feed of %s", Service, Masterdata)
	}
	db, err := platform.Open(ctx, platform.Options{Path: Path(d.DataDir), Schema: Schema(), Clock: d.Business, Log: d.Log, Random: d.Rand})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", Service, err)
	}
	verbs := app.New(store.New(db), d.Business, d.IDs)
	masterdata := eventlog.NewConsumer(eventlog.ConsumerConfig{
		Log: Masterdata, Source: feed, Store: db, Logger: d.Log, Keys: inbound.Keys, Apply: inbound.Apply,
	})
	return &Core{
		deps: d, store: db, api: api.New(verbs), followers: eventlog.NewFollowers(masterdata),
		runner: tasks.NewRunner(tasks.Config{
			Store: db, Handlers: verbs.Handlers(), Machine: d.Machine, Log: d.Log, Parallel: d.Parallel,
		}),
	}, nil
}

// Store is the open store.
func (c *Core) Store() *platform.Store { return c.store }

// Register registers the service and its feed.
func (c *Core) Register(r grpc.ServiceRegistrar) {
	freightv1.RegisterFreightServiceServer(r, c.api)
	eventlogv1.RegisterEventLogServiceServer(r, eventlog.NewServer(c.store, c.followers.Consumers(), c.runner))
}

// Gateways are the REST handlers for partners.
func (c *Core) Gateways() []serve.Gateway {
	return []serve.Gateway{freightv1.RegisterFreightServiceHandler}
}

// Steppers are the copy of master data and the timers.
func (c *Core) Steppers() []step.Config {
	var out []step.Config
	for _, x := range c.followers.Consumers() {
		out = append(out, step.Config{
			Name: "follow " + x.Log(), Stepper: x, Business: c.deps.Business, Machine: c.deps.Machine, Log: c.deps.Log,
			Wake: []func() <-chan struct{}{x.Wake},
		})
	}
	return append(out, step.Config{
		Name: "tasks", Stepper: c.runner, Business: c.deps.Business, Machine: c.deps.Machine, Log: c.deps.Log,
		Wake: []func() <-chan struct{}{c.store.Changed, c.runner.Wake},
	})
}

// Waiter waits until the feeds have been read as far as a caller knows them.
func (c *Core) Waiter() rpc.Waiter { return c.followers }

// Followers are the feeds that freight reads.
func (c *Core) Followers() *eventlog.Followers { return c.followers }

// Close waits for the tasks under way and closes the store.
func (c *Core) Close() error {
	c.runner.Drain()
	return c.store.Close()
}
