// Story plays the real purchase order against a running suite and prints what came of it. It keeps its progress beside the
// suite's data: started again, it goes on where it was.
//
//	story [-run FILE] [-day DIR]
//
// The file is run.json of `crossdock up --story-clock`; CROSSDOCK_RUN names it too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	_ "time/tzdata"

	"crossdock.dev/tests/seed"
	"crossdock.dev/tests/story"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "story:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	runFile := flag.String("run", os.Getenv("CROSSDOCK_RUN"), "run.json of the running suite")
	day := flag.String("day", filepath.Join("tests", "day"), "folder of the day's data")
	flag.Parse()
	r, err := story.ReadRun(*runFile)
	if err != nil {
		return err
	}
	world, err := story.Connect(r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, world.Close()) }()

	document, err := os.ReadFile(filepath.Join(*day, "x12", "850.edi"))
	if err != nil {
		return err
	}
	progress, err := story.OpenProgress(r.DataDir)
	if err != nil {
		return err
	}
	if !progress.Seeded {
		if err := world.SetClock(story.Start); err != nil {
			return err
		}
		loaded, err := seed.Load(ctx, os.DirFS(filepath.Join(*day, "seed")), world.Conn("masterdata"))
		if err != nil {
			return err
		}
		if err := world.CaughtUp(ctx, "masterdata"); err != nil {
			return err
		}
		fmt.Printf("seed    %d parties, %d locations, %d items, %d contracts, %d rate tables\n",
			loaded.Parties, loaded.Locations, loaded.Items, loaded.Contracts, loaded.RateTables)
		progress.Seeded = true
		if err := progress.Save(); err != nil {
			return err
		}
	}
	acts := story.HappyPath(world, document, &progress.Names)
	if progress.Acts < len(acts) {
		for progress.Acts < len(acts) {
			if err := story.Play(ctx, world, acts[progress.Acts:progress.Acts+1], say); err != nil {
				return err
			}
			progress.Acts++
			if err := progress.Save(); err != nil {
				return err
			}
		}
		if err := world.LetGo(); err != nil {
			return err
		}
	} else {
		fmt.Println("The story has been played on this data; here is what came of it. `make clean` begins anew.")
	}
	return story.Tell(ctx, os.Stdout, world, r, progress.Names)
}

func say(a story.Act) {
	fmt.Printf("%s  %s\n", a.At.Format("Mon 01-02 15:04Z"), a.What)
}
