// Command crossdock starts the suite on one machine and asks it questions. `crossdock --help` lists what it can do.
package main

import (
	"context"
	"crypto/rand"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // event times are shown in the zone of their place, on every machine

	"crossdock.dev/cmd/crossdock/internal/cli"
	"crossdock.dev/cmd/crossdock/internal/show"
	"crossdock.dev/platform/clock"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, cli.Options{
		Args: os.Args[1:], In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Style:   show.Style{Colour: os.Getenv("NO_COLOR") == "" && terminal(os.Stdout)},
		Machine: clock.SystemMachine(), Rand: rand.Reader,
	})
	stop()
	os.Exit(code)
}

// terminal says whether a person looks at a file.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
