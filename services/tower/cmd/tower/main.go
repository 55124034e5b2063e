// Tower shows where every order stands and why.
//
//	tower -config tower.yaml           serve
//	tower -config tower.yaml -check    check the configuration and leave
//	tower -config tower.yaml verify    check the store of a stopped service
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata"

	"google.golang.org/grpc"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/telemetry"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/tower/core"
	"crossdock.dev/services/tower/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := start(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func start(ctx context.Context, args []string) int {
	flags, err := conf.ParseFlags(core.Service, args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if flags.Version {
		version, revision := telemetry.Build()
		fmt.Println(core.Service, version, revision)
		return 0
	}
	cfg, err := config.Load(flags.Config)
	switch {
	case err != nil:
	case flags.Check:
		return 0
	case len(flags.Args) == 1 && flags.Args[0] == "verify":
		return store.RunVerify(os.Stdout, core.Path(cfg.DataDir), core.Schema())
	case len(flags.Args) > 0:
		fmt.Fprintf(os.Stderr, "unknown command %q; there is verify\n", flags.Args)
		return 2
	default:
		err = run(ctx, cfg)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, core.Service+":", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, cfg config.Config) error {
	tel := cfg.Telemetry(os.Stderr)
	business := cfg.Business()
	feeds := map[string]eventlog.Source{}
	peers := map[string]grpc.ClientConnInterface{}
	var closers []func() error
	for _, name := range config.Feeds() {
		conn, err := cfg.Dial(name)
		if err != nil {
			return err
		}
		feeds[name], peers[name] = eventlog.Remote(name, conn), conn
		closers = append(closers, conn.Close)
	}
	c, err := core.Open(ctx, core.Deps{
		DataDir: cfg.DataDir, Business: business, Machine: clock.SystemMachine(), IDs: typeid.Random(business), Rand: rand.Reader,
		Log: tel.Log, Feeds: feeds, Peers: peers,
	})
	if err != nil {
		return err
	}
	return serve.Run(ctx, cfg.Config, serve.Service{
		Log: tel.Log, Registry: tel.Registry, Ready: c.Store().Ready, Waiter: c.Waiter(), Own: c.Store(),
		Loops: c.Steppers(), Register: c.Register, HTTP: map[string]http.Handler{"/": c.Pages()},
		Close: append([]func() error{c.Close}, closers...),
	})
}
