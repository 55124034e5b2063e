// Package core assembles masterdata: the store, the verbs and the methods. It is imported by the service's own program and by
// tests alone, so that a simulation can run the same assembly as production in one goroutine.
package core

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"google.golang.org/grpc"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/masterdata/internal/api"
	"crossdock.dev/services/masterdata/internal/app"
	"crossdock.dev/services/masterdata/internal/catalog"
	masterdatastore "crossdock.dev/services/masterdata/internal/store"
)

// Service is the name of the service and of its log.
const Service = masterdatastore.Service

// Deps is what every assembly is given. Masterdata has no timers and callers name its resources, so it makes no use of the
// machine's clock and of ids.
type Deps struct {
	DataDir  string
	Business clock.Business
	Machine  clock.Machine
	IDs      typeid.Source
	Rand     io.Reader
	Log      *slog.Logger
}

// Core is the running service without its listeners.
type Core struct {
	store *store.Store
	api   *api.Server
}

// Open opens the store in the data folder, or creates it.
func Open(ctx context.Context, d Deps) (*Core, error) {
	db, err := store.Open(ctx, store.Options{Path: Path(d.DataDir), Schema: Schema(), Clock: d.Business, Log: d.Log, Random: d.Rand})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", Service, err)
	}
	return &Core{db, api.New(app.New(masterdatastore.New(db, catalog.Kinds()), d.Business))}, nil
}

// Path is the store's file in a data folder.
func Path(dir string) string { return filepath.Join(dir, Service+".db") }

// Schema is what the store keeps, for verify.
func Schema() store.Schema { return masterdatastore.Schema(catalog.Kinds()) }

// Store is the open store.
func (c *Core) Store() *store.Store { return c.store }

// Register registers the service and its feed.
func (c *Core) Register(r grpc.ServiceRegistrar) {
	masterdatav1.RegisterMasterDataServiceServer(r, c.api)
	eventlogv1.RegisterEventLogServiceServer(r, eventlog.NewServer(c.store, nil, nil))
}

// Close closes the store.
func (c *Core) Close() error { return c.store.Close() }
