// Package core assembles tower: the read model, the feeds it is made of, its methods and pages. It is imported by the
// service's own program and by tests alone, so that a simulation can run the same assembly as production in one goroutine.
package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"

	"google.golang.org/grpc"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
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
	overview  *api.Overview
	pages     http.Handler
	followers *eventlog.Followers
	deps      Deps
}

// Open opens the store in the data folder, or creates it. When ctx ends, streams to pages end, so that the program can stop.
func Open(ctx context.Context, d Deps) (*Core, error) {
	db, err := store.Open(ctx, store.Options{Path: Path(d.DataDir), Schema: Schema(), Clock: d.Business, Log: d.Log, Random: d.Rand})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", Service, err)
	}
	followers := eventlog.Follow(db, d.Log, d.Feeds, inbound.Readers(config.Feeds()...)...)
	c := &Core{store: db, api: api.New(db, d.Business, followers, peers.Suite(d.Peers)), overview: api.NewOverview(db, d.Business), followers: followers, deps: d}
	pages, err := page.New(page.Deps{Store: db, Cases: c.api, Overview: c.overview, Machine: d.Machine, Log: d.Log, Stop: ctx.Done()})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", Service, err), db.Close())
	}
	c.pages = pages.Handler()
	return c, nil
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
	towerv1.RegisterOverviewServiceServer(r, c.overview)
	eventlogv1.RegisterEventLogServiceServer(r, eventlog.NewServer(c.store, c.followers.Consumers(), nil))
}

// Pages are the web pages.
func (c *Core) Pages() http.Handler { return c.pages }

// Steppers are the followed logs.
func (c *Core) Steppers() []step.Config {
	return c.followers.Loops(step.Config{Business: c.deps.Business, Machine: c.deps.Machine, Log: c.deps.Log})
}

// Followers are the logs that tower follows. A call that names a position waits for them.
func (c *Core) Followers() *eventlog.Followers { return c.followers }

// Close closes the store.
func (c *Core) Close() error { return c.store.Close() }
