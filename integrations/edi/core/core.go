// Package core assembles the EDI adapter: the store, the folders, the feed it follows and the tasks it carries out. It is imported
// by the adapter's own program and by tests alone, so that a simulation can run the same assembly as production in one
// goroutine.
package core

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"google.golang.org/grpc"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/integrations/edi/internal/api"
	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/integrations/edi/internal/document"
	"crossdock.dev/integrations/edi/internal/inbound"
	"crossdock.dev/integrations/edi/internal/peers"
	"crossdock.dev/integrations/edi/internal/profile"
	edistore "crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/integrations/edi/internal/transport"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
	"crossdock.dev/platform/typeid"
)

// Service is the name of the service and of its log.
const Service = edistore.Service

// Deps is what the assembly is given.
type Deps struct {
	DataDir      string
	ProfilesFile string // what is agreed with each partner
	InboxDir     string // empty: inbox in DataDir
	OutboxDir    string // empty: outbox in DataDir
	Business     clock.Business
	Machine      clock.Machine
	IDs          typeid.Source
	Rand         io.Reader // nil: the system's
	Log          *slog.Logger
	Feeds        map[string]eventlog.Source          // masterdata, freight, billing
	Peers        map[string]grpc.ClientConnInterface // orders, freight, billing
	Parallel     int                                 // tasks under way at once; 0 in a simulation
}

// Core is the running service without its listeners.
type Core struct {
	store     *store.Store
	app       *app.App
	api       *api.Server
	followers *eventlog.Followers
	runner    *tasks.Runner
	watch     *transport.Watch
	deps      Deps
}

// Open reads the profiles and opens the store and the folders, or creates them.
func Open(ctx context.Context, d Deps) (_ *Core, err error) {
	if d.Rand == nil {
		d.Rand = rand.Reader
	}
	profiles, err := profile.Load(d.ProfilesFile)
	if err != nil {
		return nil, fmt.Errorf("profiles: %w", err)
	}
	// The store is opened first: its lock keeps a second program out of the folders.
	db, err := store.Open(ctx, store.Options{Path: Path(d.DataDir), Schema: Schema(), Clock: d.Business, Log: d.Log, Random: d.Rand})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", Service, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	c := app.Config{
		Store: db, Clock: d.Business, IDs: d.IDs, Rand: d.Rand, Profiles: profiles,
		Orders: peers.New(d.Peers["orders"]), Carriers: peers.NewCarriers(d.Peers["freight"], d.Peers["billing"]), Printer: document.Printer{},
	}
	if c.Documents, err = transport.NewDocuments(filepath.Join(d.DataDir, "documents")); err != nil {
		return nil, err
	}
	if c.Inbox, err = transport.NewInbox(cmp.Or(d.InboxDir, filepath.Join(d.DataDir, "inbox"))); err != nil {
		return nil, err
	}
	if c.Outbox, err = transport.NewOutbox(cmp.Or(d.OutboxDir, filepath.Join(d.DataDir, "outbox"))); err != nil {
		return nil, err
	}
	a := app.New(c)
	if err := a.Tidy(ctx); err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	runner := tasks.NewRunner(tasks.Config{
		Store: db, Handlers: a.Handlers(), Prepare: a.Prepare(), Dropped: a.Dropped(), Machine: d.Machine, Log: d.Log, Parallel: d.Parallel,
	})
	return &Core{db, a, api.New(db, a, c.Documents), eventlog.Follow(db, d.Log, d.Feeds, inbound.Readers(a)...), runner, transport.NewWatch(c.Inbox), d}, nil
}

// Path is the store's file in a data folder.
func Path(dir string) string { return filepath.Join(dir, Service+".db") }

// Schema is what the store keeps, for verify.
func Schema() store.Schema { return edistore.Schema() }

// Store is the open store.
func (c *Core) Store() *store.Store { return c.store }

// Register registers the service and its feed.
func (c *Core) Register(r grpc.ServiceRegistrar) {
	ediv1.RegisterEdiServiceServer(r, c.api)
	eventlogv1.RegisterEventLogServiceServer(r, eventlog.NewServer(c.store, c.followers.Consumers(), c.runner))
}

// glance is how often the inbox is looked at although nothing was told of it: a folder on another machine tells of no file.
const glance = 200 * time.Millisecond

// Steppers are the feeds, the inbox and the tasks, in the order in which one leads to the next.
func (c *Core) Steppers() []step.Config {
	base := step.Config{Business: c.deps.Business, Machine: c.deps.Machine, Log: c.deps.Log}
	inbox := base
	inbox.Name, inbox.Stepper, inbox.Tick, inbox.Wake = "inbox", c.app, glance, []func() <-chan struct{}{c.watch.Wake}
	return append(c.followers.Loops(base), inbox, c.runner.Loop(base))
}

// Followers are the logs that edi follows. A call that names a position waits for them.
func (c *Core) Followers() *eventlog.Followers { return c.followers }

// Close waits for tasks under way and closes the store.
func (c *Core) Close() error {
	c.runner.Drain()
	return errors.Join(c.watch.Close(), c.store.Close())
}
