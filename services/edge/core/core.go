// Package core assembles edge: its store, its verbs, its feed and the partners' door. It is for edge's own program and for
// tests of the whole suite; nobody else may import it. It promises the same shape as every service's core. It leaves
// listeners, clocks and connections to whoever opens it.
package core

import (
	"context"
	"crypto/tls"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"google.golang.org/grpc"

	edgev1 "crossdock.dev/gen/crossdock/edge/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/edge/internal/api"
	"crossdock.dev/services/edge/internal/app"
	"crossdock.dev/services/edge/internal/front"
	edgestore "crossdock.dev/services/edge/internal/store"
)

// Service is the name of the service and of its log.
const Service = edgestore.Service

// Deps is what the assembly is given; all of it is required.
type Deps struct {
	DataDir  string
	Business clock.Business
	Machine  clock.Machine
	IDs      typeid.Source
	// Rand gives secrets, request ids and the identity of a new store; safe for use from many goroutines.
	Rand io.Reader
	Log  *slog.Logger
}

// Core is edge, open.
type Core struct {
	deps   Deps
	store  *store.Store
	api    *api.Server
	events eventlogv1.EventLogServiceServer
}

// Schema is what edge keeps, for verify.
func Schema() store.Schema { return edgestore.Schema() }

// Path is edge's store file in a data folder.
func Path(dataDir string) string { return filepath.Join(dataDir, Service+".db") }

// Open opens the store and wires the verbs.
func Open(ctx context.Context, d Deps) (*Core, error) {
	s, err := store.Open(ctx, store.Options{Path: Path(d.DataDir), Schema: Schema(), Clock: d.Business, Log: d.Log, Random: d.Rand})
	if err != nil {
		return nil, err
	}
	return &Core{
		deps: d, store: s, api: api.New(app.New(s, d.Business, d.IDs, d.Rand)), events: eventlog.NewServer(s, nil, nil),
	}, nil
}

// Store is edge's store.
func (c *Core) Store() *store.Store { return c.store }

// Register registers EdgeService and the feed.
func (c *Core) Register(r grpc.ServiceRegistrar) {
	edgev1.RegisterEdgeServiceServer(r, c.api)
	eventlogv1.RegisterEventLogServiceServer(r, c.events)
}

// Close closes the store.
func (c *Core) Close() error { return c.store.Close() }

// Route sends the paths under a prefix to a service.
type Route = front.Route

// Backend is a service's own partner-only gateway.
type Backend = front.Backend

// Quota is what each partner may ask for.
type Quota = front.Quota

// Signer signs the token for a service.
type Signer = front.Signer

// Door says how the partners' door is made; all of it is required.
type Door struct {
	Signer   Signer
	Routes   []Route
	Backends map[string]Backend
	// OpenAPI holds crossdock/<service>/<version>/*.openapi.json.
	OpenAPI fs.FS
	Quota   Quota
	// MaxBody bounds a body, in bytes.
	MaxBody int64
	// MaxInFlight bounds calls at the same time.
	MaxInFlight int
	// Timeout bounds a call to a service.
	Timeout time.Duration
}

// Door makes the partners' door over this core's keys.
func (c *Core) Door(d Door) (http.Handler, error) {
	return front.New(front.Config{
		Doors: app.NewDoors(c.store), Signer: d.Signer, Routes: d.Routes, Backends: d.Backends, OpenAPI: d.OpenAPI, Quota: d.Quota,
		MaxBody: d.MaxBody, MaxInFlight: d.MaxInFlight, Timeout: d.Timeout, Now: c.deps.Machine.Now, Rand: c.deps.Rand, Log: c.deps.Log,
	})
}

// NewTransport connects to a service's gateway by HTTP: with TLS when the address is https, plain otherwise.
// pick, if not nil, says where a service is now; the host of its URL is then a name.
func NewTransport(t *tls.Config, pick func(context.Context) (string, error)) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if pick != nil {
				var err error
				if addr, err = pick(ctx); err != nil {
					return nil, err
				}
			}
			return dialer.DialContext(ctx, network, addr)
		},
		TLSClientConfig:     t,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 5 * time.Second,
		DisableCompression:  true, // answers go through as they are
	}
}
