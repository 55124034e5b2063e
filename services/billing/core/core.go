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
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/billing/internal/api"
	"crossdock.dev/services/billing/internal/app"
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
	Feeds    map[string]eventlog.Source // masterdata, orders, freight
}

// Core is the running service without its listeners.
type Core struct {
	store     *store.Store
	api       *api.Server
	followers *eventlog.Followers
	deps      Deps
}

// Open opens the store in the data folder, or creates it.
func Open(ctx context.Context, d Deps) (*Core, error) {
	db, err := store.Open(ctx, store.Options{Path: Path(d.DataDir), Schema: Schema(), Clock: d.Business, Log: d.Log, Random: d.Rand})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", Service, err)
	}
	a := app.New(billingstore.New(db), d.Business, d.IDs)
	return &Core{db, api.New(a), eventlog.Follow(db, d.Log, d.Feeds, inbound.Readers(a)...), d}, nil
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
	return c.followers.Loops(step.Config{Business: c.deps.Business, Machine: c.deps.Machine, Log: c.deps.Log})
}

// Followers are the logs that billing follows. A call that names a position waits for them.
func (c *Core) Followers() *eventlog.Followers { return c.followers }

// Close closes the store.
func (c *Core) Close() error { return c.store.Close() }
