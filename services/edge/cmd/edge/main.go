// Command edge is the partners' front door: it keeps their API keys and hands their REST calls to the services.
//
//	edge -config FILE           serves until it is told to stop
//	edge -config FILE -check    checks the configuration
//	edge -config FILE verify    checks the store of a stopped edge; exit 1 when something is wrong
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata"

	"crossdock.dev/gen/openapi"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/telemetry"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/edge/core"
	"crossdock.dev/services/edge/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(program(ctx, os.Args[1:]))
}

// program returns the exit status: 0 done, 1 failed or breaches found, 2 wrong usage or configuration.
func program(ctx context.Context, args []string) int {
	verify := len(args) > 0 && args[0] == "verify" // the subcommand may also stand before the flags
	if verify {
		args = args[1:]
	}
	flags, err := conf.ParseFlags("edge", args, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case len(flags.Args) == 1 && flags.Args[0] == "verify":
		verify = true
	case len(flags.Args) > 0:
		fmt.Fprintf(os.Stderr, "edge: unknown subcommand %q, want verify\n", flags.Args)
		return 2
	}
	switch {
	case flags.Version:
		version, revision := telemetry.Build()
		fmt.Println("edge", version, revision)
		return 0
	}
	cfg, err := config.Load(flags.Config)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 2
	case flags.Check:
		return 0
	case verify:
		return store.RunVerify(os.Stdout, core.Path(cfg.DataDir), core.Schema())
	}
	if err := run(ctx, cfg); err != nil {
		fmt.Fprintln(os.Stderr, "edge:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, cfg config.Config) error {
	tel := cfg.Telemetry(os.Stderr)
	business, machine := cfg.Business(), clock.SystemMachine()
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return err
	}
	c, err := core.Open(ctx, core.Deps{
		DataDir: cfg.DataDir, Business: business, Machine: machine, IDs: typeid.Random(business), Rand: rand.Reader, Log: tel.Log,
	})
	if err != nil {
		return err
	}
	door, err := openDoor(cfg, c, machine)
	if err != nil {
		return errors.Join(err, c.Close())
	}
	return serve.Run(ctx, cfg.Config, serve.Service{
		Log: tel.Log, Registry: tel.Registry, Ready: c.Store().Ready, Own: c.Store(),
		Loops: c.Steppers(), Register: c.Register,
		HTTP:  map[string]http.Handler{"/": door},
		Close: []func() error{c.Close},
	})
}

func openDoor(cfg config.Config, c *core.Core, machine clock.Machine) (http.Handler, error) {
	signer, err := auth.NewSigner(cfg.TokenKey, machine.Now)
	if err != nil {
		return nil, err
	}
	door := core.Door{
		Signer: signer, Backends: map[string]core.Backend{}, OpenAPI: openapi.Files,
		Quota:   core.Quota{PerSecond: cfg.Quota.PerSecond, Burst: cfg.Quota.Burst, Partners: cfg.Quota.Partners},
		MaxBody: cfg.MaxBodyBytes, MaxInFlight: cfg.MaxInFlight, Timeout: cfg.GatewayTimeout,
	}
	for _, r := range cfg.Routes {
		door.Routes = append(door.Routes, core.Route{Prefix: r.Prefix, Service: r.Service})
	}
	for service, base := range cfg.Gateways {
		u, err := url.Parse(base)
		if err != nil {
			return nil, fmt.Errorf("gateway %s: %w", service, err)
		}
		tlsConfig, err := auth.ClientTLS(cfg.TLS, service)
		if err != nil {
			return nil, fmt.Errorf("gateway %s: %w", service, err)
		}
		door.Backends[service] = core.Backend{URL: u, Transport: core.NewTransport(tlsConfig)}
	}
	return c.Door(door)
}
