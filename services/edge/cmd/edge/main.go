// Command edge is the partners' front door: it keeps their API keys and hands their REST calls to the services.
//
//	edge -config FILE          serve until interrupted
//	edge -check -config FILE   check the configuration
//	edge -version              print the version
//	edge -config FILE verify   check the store of a stopped edge: 0 whole, 1 breaches, 2 not checked
//	edge -config FILE backup DIR    copy the store of a stopped edge
//	edge -config FILE restore DIR   make the store out of a backup, in a new epoch
//	edge -config FILE compact       give the free space of a stopped edge's store back
//	edge -config FILE archive DIR   move old entries of a stopped edge's log into a file
//	edge -config FILE unarchive     put the entries of the newest such file back
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	_ "time/tzdata" // zones do not depend on the machine

	"crossdock.dev/gen/openapi"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/discovery/consul"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/edge/core"
	"crossdock.dev/services/edge/internal/config"
)

func main() { os.Exit(serve.Main(command)) }

func command(ctx context.Context, args []string, out, errOut io.Writer) int {
	return serve.Command(ctx, args, out, errOut, serve.Program[config.Config]{
		Name: core.Service, Load: config.Load, Run: run,
		Store: func(c config.Config) serve.Store {
			return serve.Store{Path: core.Path(c.DataDir), Schema: core.Schema(), Clock: c.Business()}
		},
	})
}

func run(ctx context.Context, cfg config.Config, errOut io.Writer) error {
	tel := cfg.Telemetry(errOut)
	business, machine := cfg.Business(), clock.SystemMachine()
	peers := serve.Peers{}
	if cfg.Webhooks() {
		var err error
		if peers, err = cfg.Dial(tel.Log, config.Feeds()...); err != nil {
			return err
		}
	}
	c, err := core.Open(ctx, core.Deps{
		DataDir: cfg.DataDir, Business: business, Machine: machine, IDs: typeid.Random(business), Rand: rand.Reader, Log: tel.Log,
		Feeds: peers.Feeds(), Parallel: 128, Development: cfg.Development,
	})
	if err != nil {
		return errors.Join(err, peers.Close())
	}
	door, closeDoor, err := openDoor(cfg, c, machine, tel.Log)
	if err != nil {
		return errors.Join(err, closeDoor(), c.Close(), peers.Close())
	}
	return serve.Run(ctx, cfg.Config, serve.Service{
		Log: tel.Log, Registry: tel.Registry, Ready: c.Store().Ready, Own: c.Store(), Waiter: c.Followers(),
		Register: c.Register, HTTP: door, Loops: c.Steppers(), Close: []func() error{closeDoor, c.Close, peers.Close},
	})
}

func openDoor(cfg config.Config, c *core.Core, machine clock.Machine, log *slog.Logger) (_ http.Handler, closeDoor func() error, _ error) {
	var followed []*consul.Addresses
	closeOwn := func() error { return nil }
	closeDoor = func() error {
		err := closeOwn()
		for _, f := range followed {
			err = errors.Join(err, f.Close())
		}
		return err
	}
	signer, err := auth.NewSigner(cfg.TokenKey, machine.Now)
	if err != nil {
		return nil, closeDoor, err
	}
	door := core.Door{
		Signer: signer, Backends: map[string]core.Backend{}, OpenAPI: openapi.Files,
		Quota:   core.Quota{PerSecond: cfg.Quota.PerSecond, Burst: cfg.Quota.Burst, AtOnce: cfg.Quota.AtOnce, Partners: cfg.Quota.Partners},
		MaxBody: cfg.MaxBodyBytes, MaxInFlight: cfg.MaxInFlight, Timeout: cfg.GatewayTimeout,
	}
	for _, r := range cfg.Routes {
		if r.Service == config.Own && !cfg.Webhooks() {
			continue
		}
		door.Routes = append(door.Routes, core.Route{Prefix: r.Prefix, Service: r.Service})
	}
	if cfg.Webhooks() {
		own, end, err := c.Own(cfg.TLS, cfg.TokenKeys)
		if err != nil {
			return nil, closeDoor, err
		}
		door.Backends[config.Own], closeOwn = own, end
	}
	for service, base := range cfg.Gateways {
		u, err := url.Parse(base)
		if err != nil {
			return nil, closeDoor, fmt.Errorf("gateway %s: %w", service, err)
		}
		tlsConfig, err := auth.ClientTLS(cfg.TLS, service)
		if err != nil {
			return nil, closeDoor, fmt.Errorf("gateway %s: %w", service, err)
		}
		var pick func(context.Context) (string, error)
		if u.Scheme == consul.Scheme {
			addresses, err := consul.Watch(*cfg.Consul, strings.Trim(u.Path, "/"), log)
			if err != nil {
				return nil, closeDoor, fmt.Errorf("gateway %s: %w", service, err)
			}
			followed, pick, u = append(followed, addresses), addresses.Pick, &url.URL{Scheme: "https", Host: service}
		}
		door.Backends[service] = core.Backend{URL: u, Transport: core.NewTransport(tlsConfig, pick)}
	}
	handler, err := c.Door(door)
	return handler, closeDoor, err
}
