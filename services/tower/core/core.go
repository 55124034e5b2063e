// Package core assembles tower: the read model, the feeds it is made of, its methods and pages. It is imported by the
// service's own program and by tests alone, so that a simulation can run the same assembly as production in one goroutine.
package core

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/tower/internal/api"
	"crossdock.dev/services/tower/internal/config"
	"crossdock.dev/services/tower/internal/inbound"
	"crossdock.dev/services/tower/internal/page"
	"crossdock.dev/services/tower/internal/peers"
	towerstore "crossdock.dev/services/tower/internal/store"
)

// Service is the name of the service and of its log.
const Service = towerstore.Service

// Deps is what the assembly is given.
type Deps struct {
	DataDir  string
	Business clock.Business
	Machine  clock.Machine
	IDs      typeid.Source
	Rand     io.Reader
	Log      *slog.Logger
	Feeds    map[string]eventlog.Source          // all but edge
	Peers    map[string]grpc.ClientConnInterface // the same services
}

// Core is the running service without its listeners.
type Core struct {
	store     *store.Store
	api       *api.Server
	pages     http.Handler
	followers *eventlog.Followers
	deps      Deps
}

// Open opens the store in the data folder, or creates it.
func Open(ctx context.Context, d Deps) (*Core, error) {
	db, err := store.Open(ctx, store.Options{Path: Path(d.DataDir), Schema: Schema(), Clock: d.Business, Log: d.Log, Random: d.Rand})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", Service, err)
	}
	var consumers []*eventlog.Consumer
	for _, log := range config.Feeds() {
		consumers = append(consumers, eventlog.NewConsumer(eventlog.ConsumerConfig{
			Log: log, Source: d.Feeds[log], Store: db, Logger: d.Log, Keys: inbound.Keys, Apply: inbound.Apply,
		}))
	}
	followers := eventlog.NewFollowers(consumers...)
	pages, err := page.New(db, d.Log)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", Service, err)
	}
	return &Core{db, api.New(db, followers, peers.Suite(d.Peers)), pages.Handler(), followers, d}, nil
}

// Path is the store's file in a data folder.
func Path(dir string) string { return filepath.Join(dir, Service+".db") }

// Schema is what the store keeps, for verify.
func Schema() store.Schema { return towerstore.Schema() }

// Store is the open store.
func (c *Core) Store() *store.Store { return c.store }

// Register registers the service and its feed.
func (c *Core) Register(r grpc.ServiceRegistrar) {
	towerv1.RegisterTowerServiceServer(r, c.api)
	eventlogv1.RegisterEventLogServiceServer(r, eventlog.NewServer(c.store, c.followers.Consumers(), nil))
}

// Gateways is empty: no method is for partners.
func (c *Core) Gateways() []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error {
	return nil
}

// Pages are the web pages.
func (c *Core) Pages() http.Handler { return c.pages }

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
