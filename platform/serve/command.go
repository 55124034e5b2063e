package serve

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/telemetry"
)

// Program is what a program of the suite does with its command line; C is its configuration.
type Program[C any] struct {
	// Name is the service's name.
	Name string
	// Load reads and checks the configuration file.
	Load func(path string) (C, error)
	// Check says what is wrong with what the configuration leads to, such as another file; nil when the file is all.
	Check func(C) error
	// Store is what the subcommands verify, backup, restore, compact, archive and unarchive work on while the service is stopped.
	Store func(C) Store
	// Run serves until ctx ends; logs go to errOut.
	Run func(ctx context.Context, c C, errOut io.Writer) error
	// Tools are subcommands that need no configuration, by name. They get what follows their name and return the exit code.
	Tools map[string]func(args []string, out, errOut io.Writer) int
}

// Main gives command the process's arguments and a context that ends with an interrupt. It returns the exit code: only main
// exits.
func Main(command func(ctx context.Context, args []string, out, errOut io.Writer) int) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return command(ctx, os.Args[1:], os.Stdout, os.Stderr)
}

// Command carries out a command line and returns the exit code: 0 done, 1 failed or breaches, 2 wrong use or not checked.
func Command[C any](ctx context.Context, args []string, out, errOut io.Writer, p Program[C]) int {
	flags, err := conf.ParseFlags(p.Name, args, errOut)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.Version:
		fmt.Fprintln(out, p.Name, telemetry.Version())
		return 0
	}
	var subcommand string
	if len(flags.Args) > 0 {
		subcommand = flags.Args[0]
		if tool := p.Tools[subcommand]; tool != nil {
			return tool(flags.Args[1:], out, errOut)
		}
		if storeCommands[subcommand] == nil {
			want := slices.Sorted(maps.Keys(storeCommands))
			want = append(want, slices.Sorted(maps.Keys(p.Tools))...)
			fmt.Fprintf(errOut, "%s: unknown subcommand %q, want %s\n", p.Name, subcommand, strings.Join(want, ", "))
			return 2
		}
	}
	c, err := p.Load(flags.Config)
	if err == nil && flags.Check && p.Check != nil {
		err = p.Check(c)
	}
	if err != nil {
		fmt.Fprintln(errOut, err)
		return 2
	}
	switch {
	case flags.Check:
		fmt.Fprintln(out, flags.Config, "is good")
		return 0
	case subcommand != "":
		return storeCommands[subcommand](ctx, p.Store(c), flags.Args[1:], out, errOut)
	}
	if err := p.Run(ctx, c, errOut); err != nil {
		fmt.Fprintf(errOut, "%s: %v\n", p.Name, err)
		return 1
	}
	return 0
}
