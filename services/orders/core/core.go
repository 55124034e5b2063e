// Package core assembles orders: the store, the verbs, the methods and the consumers of the followed logs. It is imported by
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
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/orders/internal/api"
	"crossdock.dev/services/orders/internal/app"
	"crossdock.dev/services/orders/internal/inbound"
	"crossdock.dev/services/orders/internal/order"
	ordersstore "crossdock.dev/services/orders/internal/store"
)

// Service is the name of the service and of its log.
const Service = ordersstore.Service

// Deps is what the assembly is given. Orders calls nobody, so it has no peers.
type Deps struct {
	DataDir  string
	Business clock.Business
	Machine  clock.Machine
	IDs      typeid.Source
	Rand     io.Reader
	Log      *slog.Logger
	Feeds    map[string]eventlog.Source
	Peers    map[string]grpc.ClientConnInterface
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
	a := app.New(ordersstore.Store{Store: db}, d.Business, d.IDs, order.DefaultPolicy())
	followers := eventlog.NewFollowers(inbound.Consumers(a, db, d.Feeds, d.Log)...)
	runner := tasks.NewRunner(tasks.Config{Store: db, Handlers: a.Tasks(), Machine: d.Machine, Log: d.Log})
	return &Core{db, api.New(a), followers, runner, d}, nil
}

// Path is the store's file in a data folder.
func Path(dir string) string { return filepath.Join(dir, Service+".db") }

// Schema is what the store keeps, for verify.
func Schema() store.Schema { return ordersstore.Schema() }

// Store is the open store.
func (c *Core) Store() *store.Store { return c.store }

// Register registers the service and its feed.
func (c *Core) Register(r grpc.ServiceRegistrar) {
	ordersv1.RegisterOrderServiceServer(r, c.api)
	eventlogv1.RegisterEventLogServiceServer(r, eventlog.NewServer(c.store, c.followers.Consumers(), c.runner))
}

// Gateways are the REST handlers for partners.
func (c *Core) Gateways() []serve.Gateway {
	return []serve.Gateway{ordersv1.RegisterOrderServiceHandler}
}

// Steppers are the consumers, then the tasks.
func (c *Core) Steppers() []step.Config {
	var out []step.Config
	for _, consumer := range c.followers.Consumers() {
		out = append(out, c.step("follow "+consumer.Log(), consumer, consumer.Wake))
	}
	return append(out, c.step("tasks", c.runner, c.runner.Wake, c.store.Changed))
}

func (c *Core) step(name string, s step.Stepper, wake ...func() <-chan struct{}) step.Config {
	return step.Config{Name: name, Stepper: s, Business: c.deps.Business, Machine: c.deps.Machine, Wake: wake, Log: c.deps.Log}
}

// Waiter waits until the followed logs have been read as far as a call asks.
func (c *Core) Waiter() rpc.Waiter { return c.followers }

// Followers lets a simulation say that nobody reads while a call waits.
func (c *Core) Followers() *eventlog.Followers { return c.followers }

// Close waits for tasks under way and closes the store.
func (c *Core) Close() error {
	c.runner.Drain()
	return c.store.Close()
}
