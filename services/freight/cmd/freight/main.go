// Command freight plans, tenders and follows freight.
//
//	freight -config FILE          serve until interrupted
//	freight -check -config FILE   check the configuration
//	freight -version              print the version
//	freight -config FILE verify   check the store of a stopped service: 0 whole, 1 breaches, 2 not checked
//	freight -config FILE backup DIR    copy the store and documents of a stopped service
//	freight -config FILE restore DIR   make the store out of a backup, in a new epoch
//	freight -config FILE compact       give the free space of a stopped service's store back
//	freight -config FILE archive DIR   move old entries of a stopped service's log into a file
//	freight -config FILE unarchive     put the entries of the newest such file back
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	_ "time/tzdata" // zones do not depend on the machine

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/freight/core"
	"crossdock.dev/services/freight/internal/config"
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
	business := cfg.Business()
	peers, err := cfg.Dial(tel.Log, config.Feeds()...)
	if err != nil {
		return err
	}
	c, err := core.Open(ctx, core.Deps{
		DataDir: cfg.DataDir, Business: business, Machine: clock.SystemMachine(), IDs: typeid.Random(business), Rand: rand.Reader, Log: tel.Log,
		Feeds: peers.Feeds(), Parallel: 4,
	})
	if err != nil {
		return errors.Join(err, peers.Close())
	}
	return serve.Run(ctx, cfg.Config, serve.Service{
		Log: tel.Log, Registry: tel.Registry, Ready: c.Store().Ready, Own: c.Store(), Waiter: c.Followers(),
		Register: c.Register, Gateways: c.Gateways(), Loops: c.Steppers(), Close: []func() error{c.Close, peers.Close},
	})
}
