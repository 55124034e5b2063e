// Command freight plans, tenders and follows freight.
//
//	freight -config FILE          serve until interrupted
//	freight -check -config FILE   check the configuration
//	freight -version              print the version
//	freight -config FILE verify   check the store of a stopped service: 0 whole, 1 breaches, 2 not checked
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // zones do not depend on the machine

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/telemetry"
	"crossdock.dev/platform/typeid"

	"crossdock.dev/services/freight/core"
	"crossdock.dev/services/freight/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command returns the exit code: 0 done, 1 failed or breaches, 2 wrong use or not checked.
func command(ctx context.Context, args []string, out, errOut io.Writer) int {
	flags, err := conf.ParseFlags(core.Service, args, errOut)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if flags.Version {
		version, revision := telemetry.Build()
		fmt.Fprintln(out, core.Service, version, revision)
		return 0
	}
	cfg, err := config.Load(flags.Config)
	if err != nil {
		fmt.Fprintln(errOut, err)
		return 2
	}
	switch {
	case flags.Check:
		fmt.Fprintln(out, flags.Config, "is good")
		return 0
	case len(flags.Args) == 1 && flags.Args[0] == "verify":
		return store.RunVerify(out, core.Path(cfg.DataDir), core.Schema())
	case len(flags.Args) > 0:
		fmt.Fprintf(errOut, "%s: unknown subcommand %q, want verify\n", core.Service, flags.Args)
		return 2
	}
	if err := run(ctx, cfg, errOut); err != nil {
		fmt.Fprintln(errOut, core.Service+":", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, cfg config.Config, errOut io.Writer) error {
	tel := cfg.Telemetry(errOut)
	business := cfg.Business()
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return err
	}
	masterdata, err := cfg.Dial(core.Masterdata)
	if err != nil {
		return err
	}
	c, err := core.Open(ctx, core.Deps{
		DataDir: cfg.DataDir, Business: business, Machine: clock.SystemMachine(), IDs: typeid.Random(business), Rand: rand.Reader,
		Log: tel.Log, Feeds: map[string]eventlog.Source{core.Masterdata: eventlog.Remote(core.Masterdata, masterdata)}, Parallel: 4,
	})
	if err != nil {
		return errors.Join(err, masterdata.Close())
	}
	return serve.Run(ctx, cfg.Config, serve.Service{
		Log: tel.Log, Registry: tel.Registry, Ready: c.Store().Ready, Own: c.Store(), Waiter: c.Waiter(), Loops: c.Steppers(),
		Register: c.Register, Gateways: c.Gateways(), Close: []func() error{c.Close, masterdata.Close},
	})
}
