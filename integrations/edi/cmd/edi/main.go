// Edi takes partners' X12 files in, answers them and hands their orders on.
//
//	edi -config edi.yaml           serve
//	edi -config edi.yaml -check    check the configuration and the partner profiles, and leave
//	edi -config edi.yaml verify    check the store of a stopped service: 0 whole, 1 breaches, 2 not checked
//	edi parse FILE                 show what a file holds as JSON; - is standard input
//	edi validate FILE              show what is wrong with a file and the 997 that would answer it; 1 when there are errors
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // zones do not depend on the machine

	"google.golang.org/grpc"

	"crossdock.dev/integrations/edi/core"
	"crossdock.dev/integrations/edi/internal/config"
	"crossdock.dev/integrations/edi/internal/profile"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/telemetry"
	"crossdock.dev/platform/typeid"
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
	if len(flags.Args) == 2 && (flags.Args[0] == "parse" || flags.Args[0] == "validate") {
		return inspect(flags.Args[0], flags.Args[1])
	}
	cfg, err := config.Load(flags.Config)
	switch {
	case err != nil:
	case flags.Check:
		_, err = profile.Load(cfg.ProfilesFile)
	case len(flags.Args) == 1 && flags.Args[0] == "verify":
		return store.RunVerify(os.Stdout, core.Path(cfg.DataDir), core.Schema())
	case len(flags.Args) > 0:
		fmt.Fprintf(os.Stderr, "unknown command %q; there are verify, parse FILE and validate FILE\n", flags.Args)
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
	for _, name := range append(config.Feeds(), config.Calls()...) {
		conn, err := cfg.Dial(name)
		if err != nil {
			return err
		}
		feeds[name], peers[name] = eventlog.Remote(name, conn), conn
		closers = append(closers, conn.Close)
	}
	c, err := core.Open(ctx, core.Deps{
		DataDir: cfg.DataDir, ProfilesFile: cfg.ProfilesFile, InboxDir: cfg.InboxDir, OutboxDir: cfg.OutboxDir,
		Business: business, Machine: clock.SystemMachine(), IDs: typeid.Random(business), Rand: rand.Reader,
		Log: tel.Log, Feeds: feeds, Peers: peers, Parallel: 32,
	})
	if err != nil {
		return err
	}
	return serve.Run(ctx, cfg.Config, serve.Service{
		Log: tel.Log, Registry: tel.Registry, Ready: c.Store().Ready, Waiter: c.Waiter(), Own: c.Store(),
		Loops: c.Steppers(), Register: c.Register, Close: append([]func() error{c.Close}, closers...),
	})
}
