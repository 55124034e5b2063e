// Command bench measures the suite's programs beside the limits of the machine that it runs on, and prints what benchstat reads.
//
//	bench [-only NAMES] [-window TIME] [-callers N] [-flows N] [-out FILE.json] [-markdown FILE.md] [-profile FOLDER] [-large] [-dir FOLDER] [-bin FOLDER]
//
// It exits with 1 when a call fails or a count does not add up; a figure alone never decides.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"crossdock.dev/bench/internal/limits"
	"crossdock.dev/bench/internal/machine"
	"crossdock.dev/bench/internal/measure"
	"crossdock.dev/bench/internal/report"
	"crossdock.dev/bench/internal/suite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	if len(os.Args) == 2 && os.Args[1] == limits.Argument {
		return limits.Serve(os.Stdin, os.Stdout)
	}
	only := flag.String("only", "", "benchmarks to run, with commas; all without")
	list := flag.Bool("list", false, "say what the benchmarks are, and end")
	window := flag.Duration("window", 5*time.Second, "how long each measurement lasts, after a warm-up of a fifth of it")
	out := flag.String("out", "", "file to write the figures to, as JSON")
	markdown := flag.String("markdown", "", "file to write the figures to, as a table")
	profiles := flag.String("profile", "", "folder to write profiles of the server processes to")
	large := flag.Bool("large", false, "also what takes an hour and 30 GB: stores of 10 GB and of a million orders")
	dir := flag.String("dir", "", "folder for the stores, on the file system to measure; a temporary one without")
	bin := flag.String("bin", "bin", "folder of the suite's programs, in the checkout that they were built in")
	c := measure.Default()
	flag.IntVar(&c.Callers, "callers", c.Callers, "callers at a time")
	flag.IntVar(&c.Flows, "flows", c.Flows, "flows at a time in order-to-cash")
	flag.Parse()
	if *list {
		for _, b := range measure.All() {
			fmt.Printf("%-24s %s\n", b.Name, b.Doc)
		}
		return nil
	}
	if *bin, err = filepath.Abs(*bin); err != nil {
		return err
	}
	root := filepath.Dir(*bin)
	work, err := os.MkdirTemp(*dir, "crossdock-bench-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	about, err := machine.Describe(root, work, time.Now())
	if err != nil {
		return err
	}
	if err := report.Header(os.Stdout, about); err != nil {
		return err
	}
	c.Home, c.Window, c.Profiles, c.Progress = &suite.Home{Root: root, Bin: *bin, Dir: work}, *window, *profiles, os.Stderr
	c.Found = func(f report.Figure) error { return report.Line(os.Stdout, f) }
	if *large {
		c.Larger()
	}
	var names []string
	if *only != "" {
		names = strings.Split(*only, ",")
	}
	figures, err := measure.Run(ctx, c, names)
	if err != nil {
		return err
	}
	return errors.Join(write(*out, func(f *os.File) error { return report.JSON(f, figures) }),
		write(*markdown, func(f *os.File) error { return report.Markdown(f, about, figures) }))
}

// write writes a file, none without a path.
func write(path string, content func(f *os.File) error) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(content(f), f.Close())
}
