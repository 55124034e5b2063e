// Package core assembles edge: its store, its verbs, its feed, the feeds it follows to tell partners, and the partners' door. It is for edge's own program and for
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
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/edge/internal/api"
	"crossdock.dev/services/edge/internal/app"
	"crossdock.dev/services/edge/internal/front"
	"crossdock.dev/services/edge/internal/inbound"
	"crossdock.dev/services/edge/internal/send"
	edgestore "crossdock.dev/services/edge/internal/store"
	"crossdock.dev/services/edge/internal/webhook"
)

// Service is the name of the service and of its log.
const Service = edgestore.Service

// Deps is what the assembly is given; all of it is required, except what says otherwise.
type Deps struct {
	DataDir  string
	Business clock.Business
	Machine  clock.Machine
	IDs      typeid.Source
	// Rand gives secrets, request ids and the identity of a new store; safe for use from many goroutines.
	Rand io.Reader
	Log  *slog.Logger
	// Feeds are those of orders, freight and billing; a feed that is not there is not followed.
	Feeds map[string]eventlog.Source
	// Parallel is how many messages to partners may be under way at once; 0 sends one after the other, as a simulation wants it.
	Parallel int
	// Development lets webhooks reach private addresses, and loopback by plain http.
	Development bool
}

// Core is edge, open.
type Core struct {
	deps      Deps
	store     *store.Store
	api       *api.Server
	webhooks  *api.Webhooks
	events    eventlogv1.EventLogServiceServer
	followers *eventlog.Followers
	runner    *tasks.Runner
	due       step.Stepper
	sender    *send.Sender
}

// webhookTimeout bounds one attempt at an endpoint, answer included.
const webhookTimeout = 15 * time.Second

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
	reach := webhook.Reach{Private: d.Development}
	sender := send.New(send.Config{Reach: reach, Timeout: webhookTimeout, Machine: d.Machine})
	webhooks := app.NewWebhooks(app.WebhooksConfig{
		Store: s, Business: d.Business, Machine: d.Machine, IDs: d.IDs, Random: d.Rand, Reach: reach, Sender: sender,
	})
	runner := tasks.NewRunner(tasks.Config{
		Store: s, Handlers: map[string]tasks.Handler{app.Kind: webhooks.Deliver}, Machine: d.Machine, Log: d.Log, Parallel: d.Parallel,
	})
	followers := eventlog.Follow(s, d.Log, d.Feeds, inbound.Readers(webhooks)...)
	return &Core{
		deps: d, store: s, api: api.New(app.New(s, d.Business, d.IDs, d.Rand)), webhooks: api.NewWebhooks(webhooks),
		events: eventlog.NewServer(s, followers.Consumers(), runner), followers: followers, runner: runner, due: webhooks, sender: sender,
	}, nil
}

// Store is edge's store.
func (c *Core) Store() *store.Store { return c.store }

// Register registers EdgeService, WebhookService and the feed.
func (c *Core) Register(r grpc.ServiceRegistrar) {
	edgev1.RegisterEdgeServiceServer(r, c.api)
	edgev1.RegisterWebhookServiceServer(r, c.webhooks)
	eventlogv1.RegisterEventLogServiceServer(r, c.events)
}

// Gateways are the REST paths of partners that edge serves itself.
func (c *Core) Gateways() []serve.Gateway {
	return []serve.Gateway{edgev1.RegisterWebhookServiceHandler}
}

// Steppers are the followed logs, the messages to partners, and the clock that sends again what failed.
func (c *Core) Steppers() []step.Config {
	base := step.Config{Business: c.deps.Business, Machine: c.deps.Machine, Log: c.deps.Log}
	loops := append(c.followers.Loops(base), c.runner.Loop(base))
	base.Name, base.Stepper, base.Timeless = "webhooks due", c.due, true
	return append(loops, base)
}

// Followers are the logs that edge follows. A call that names a position waits for them.
func (c *Core) Followers() *eventlog.Followers { return c.followers }

// Close waits for messages under way and closes the store.
func (c *Core) Close() error {
	c.runner.Drain()
	c.sender.Close()
	return c.store.Close()
}

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
