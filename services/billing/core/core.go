// Package core assembles billing: the store, the verbs, the feeds it follows and the methods. It is imported by the service's own
// program and by tests alone, so that a simulation can run the same assembly as production in one goroutine.
package core

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"google.golang.org/grpc"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/billing/internal/api"
	"crossdock.dev/services/billing/internal/app"
	"crossdock.dev/services/billing/internal/config"
	"crossdock.dev/services/billing/internal/inbound"
	billingstore "crossdock.dev/services/billing/internal/store"
)

// Service is the name of the service and of its log.
const Service = billingstore.Service

// Deps is what the assembly is given.
type Deps struct {
	DataDir  string
	Business clock.Business
	Machine  clock.Machine
	IDs      typeid.Source
	Rand     io.Reader
	Log      *slog.Logger
	Feeds    map[string]eventlog.Source          // masterdata, orders, freight
	Peers    map[string]grpc.ClientConnInterface // billing calls nobody
}

// Core is the running service without its listeners.
type Core struct {
	store     *store.Store
	api       *api.Server
	followers *eventlog.Followers
	deps      Deps
}

// Open opens the store in the data folder, or creates it. A feed that is not given is not followed.
func Open(ctx context.Context, d Deps) (*Core, error) {
	db, err := store.Open(ctx, store.Options{Path: Path(d.DataDir), Schema: Schema(), Clock: d.Business, Log: d.Log, Random: d.Rand})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", Service, err)
	}
	a := app.New(billingstore.New(db), d.Business, d.IDs)
	readers := map[string]reader{"masterdata": inbound.MasterData{}, "orders": inbound.Orders{App: a}, "freight": inbound.Freight{App: a}}
	var consumers []*eventlog.Consumer
	for _, log := range config.Feeds() {
		if d.Feeds[log] == nil {
			continue
		}
		consumers = append(consumers, eventlog.NewConsumer(eventlog.ConsumerConfig{
			Log: log, Source: d.Feeds[log], Store: db, Logger: d.Log, Keys: readers[log].Keys, Apply: readers[log].Apply,
		}))
	}
	return &Core{db, api.New(a), eventlog.NewFollowers(consumers...), d}, nil
}

// reader is what a feed's facts mean here.
type reader interface {
	Keys(f eventlog.Fact) []string
	Apply(ctx context.Context, tx *store.Tx, f eventlog.Fact) error
}

// Path is the store's file in a data folder.
func Path(dir string) string { return filepath.Join(dir, Service+".db") }

// Schema is what the store keeps, for verify.
func Schema() store.Schema { return billingstore.Schema() }

// Store is the open store.
func (c *Core) Store() *store.Store { return c.store }

// Register registers the service and its feed.
func (c *Core) Register(r grpc.ServiceRegistrar) {
	billingv1.RegisterBillingServiceServer(r, c.api)
	eventlogv1.RegisterEventLogServiceServer(r, eventlog.NewServer(c.store, c.followers.Consumers(), nil))
}

// Gateways are the REST paths of partners.
func (c *Core) Gateways() []serve.Gateway {
	return []serve.Gateway{billingv1.RegisterBillingServiceHandler}
}

// Steppers are the feeds.
func (c *Core) Steppers() []step.Config {
	var loops []step.Config
	for _, consumer := range c.followers.Consumers() {
		loops = append(loops, step.Config{
			Name: "follow " + consumer.Log(), Stepper: consumer, Business: c.deps.Business, Machine: c.deps.Machine, Log: c.deps.Log,
			Wake: []func() <-chan struct{}{consumer.Wake},
		})
	}
	return loops
}

// Waiter is the set of followed feeds.
func (c *Core) Waiter() rpc.Waiter { return c.followers }

// Followers lets a simulation say that nobody reads while a call waits.
func (c *Core) Followers() *eventlog.Followers { return c.followers }

// Close closes the store.
func (c *Core) Close() error { return c.store.Close() }
