// Command edi takes partners' X12 files in, answers them and hands their orders on.
//
//	edi -config FILE          serve until interrupted
//	edi -check -config FILE   check the configuration
//	edi -version              print the version
//	edi -config FILE verify   check the store of a stopped service: 0 whole, 1 breaches, 2 not checked
//	edi -config FILE backup DIR    copy the store and documents of a stopped service
//	edi -config FILE restore DIR   make the store out of a backup, in a new epoch
//	edi -config FILE compact       give the free space of a stopped service's store back
//	edi -config FILE archive DIR   move old entries of a stopped service's log into a file
//	edi -config FILE unarchive     put the entries of the newest such file back
//	edi parse FILE            show what a file holds as JSON; - is standard input
//	edi validate FILE         show what is wrong with a file and the 997 that would answer it: 0 good, 1 errors, 2 not read
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	_ "time/tzdata" // zones do not depend on the machine

	"crossdock.dev/integrations/edi/core"
	"crossdock.dev/integrations/edi/internal/config"
	"crossdock.dev/integrations/edi/internal/profile"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/typeid"
)

func main() { os.Exit(serve.Main(command)) }

func command(ctx context.Context, args []string, out, errOut io.Writer) int {
	return serve.Command(ctx, args, out, errOut, serve.Program[config.Config]{
		Name: core.Service, Load: config.Load, Run: run,
		Store: func(c config.Config) serve.Store {
			return serve.Store{Path: core.Path(c.DataDir), Schema: core.Schema(), Clock: c.Business()}
		},
		Check: func(c config.Config) error {
			_, err := profile.Load(c.ProfilesFile)
			return err
		},
		Tools: map[string]func([]string, io.Writer, io.Writer) int{"parse": look(parse), "validate": look(validateNow)},
	})
}

func run(ctx context.Context, cfg config.Config, errOut io.Writer) error {
	tel := cfg.Telemetry(errOut)
	business := cfg.Business()
	peers, err := cfg.Dial(tel.Log, append(config.Feeds(), config.Calls()...)...)
	if err != nil {
		return err
	}
	c, err := core.Open(ctx, core.Deps{
		DataDir: cfg.DataDir, Business: business, Machine: clock.SystemMachine(), IDs: typeid.Random(business), Rand: rand.Reader, Log: tel.Log,
		Feeds: peers.Feeds(), Peers: peers.Conns(), Parallel: 32,
		ProfilesFile: cfg.ProfilesFile, InboxDir: cfg.InboxDir, OutboxDir: cfg.OutboxDir,
	})
	if err != nil {
		return errors.Join(err, peers.Close())
	}
	return serve.Run(ctx, cfg.Config, serve.Service{
		Log: tel.Log, Registry: tel.Registry, Ready: c.Store().Ready, Own: c.Store(), Waiter: c.Followers(),
		Register: c.Register, Loops: c.Steppers(), Close: []func() error{c.Close, peers.Close},
	})
}
