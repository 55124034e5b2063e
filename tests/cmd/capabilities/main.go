// Capabilities tries what the suite is said to be able to do: it starts the suite on fresh stores, has the working day played,
// and then does for each capability what its users asked to see. It prints a line for each with its evidence, then the total, and
// exits with 1 when one that is claimed falls short.
//
//	capabilities [-only S2.8,S4.4] [-data DIR] [-bin DIR] [-root DIR]
//
// With -data the stores stay, and a day that was played on them is not played again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata"

	"crossdock.dev/tests/capabilities"
	"crossdock.dev/tests/conductor"
	"crossdock.dev/tests/story"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "capabilities:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	only := flag.String("only", "", "numbers of capabilities, with commas between; all when empty")
	data := flag.String("data", "", "data folder to work on and keep; a new one, removed at the end, when empty")
	bin := flag.String("bin", "bin", "folder of the suite's programs")
	root := flag.String("root", ".", "the project's folder")
	flag.Parse()
	var ids []string
	if *only != "" {
		ids = strings.Split(*only, ",")
	}
	list, err := capabilities.Select(ids)
	if err != nil {
		return err
	}
	for _, path := range []*string{data, bin, root} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if *data == "" {
		if *data, err = os.MkdirTemp("", "capabilities"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(*data)) }()
	}
	begun := time.Now()
	programs, err := capabilities.Start(ctx, *bin, *data, filepath.Join(*root, "integrations", "edi", "partners", "day.yaml"))
	if programs != nil {
		defer func() { err = errors.Join(err, programs.Stop()) }()
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(*data, "day", "played")); err != nil {
		fmt.Fprintln(os.Stderr, "the working day is played")
		day := exec.CommandContext(ctx, filepath.Join(*bin, "day"), "-run", programs.RunFile(), "-day", filepath.Join(*root, "tests", "day"))
		if said, err := day.CombinedOutput(); err != nil {
			return fmt.Errorf("the working day: %w\n%s", err, said)
		}
	}
	r, err := story.ReadRun(programs.RunFile())
	if err != nil {
		return err
	}
	suite, err := story.Connect(r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, suite.Close()) }()
	live, err := conductor.Conduct(r, suite)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "the suite is tried, %.0f s after the start\n", time.Since(begun).Seconds())
	w, err := capabilities.Open(ctx, live, *root, begun.Unix())
	if err != nil {
		return err
	}
	w.Programs = programs
	if w.Players, err = conductor.Cast(conductor.Stage{
		Day: os.DirFS(filepath.Join(*root, "tests", "day")), Own: filepath.Join(*data, "day"), Inbox: live.Inbox(), Outbox: live.OutboxDir(), Conn: live.Conn, REST: live.REST,
	}); err != nil {
		return err
	}
	result, err := capabilities.Run(ctx, w, list, os.Stdout)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%.0f s\n", time.Since(begun).Seconds())
	if n := len(result.Broken); n > 0 {
		return fmt.Errorf("%d that are claimed fall short", n)
	}
	return nil
}
