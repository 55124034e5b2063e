package serve

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/user"
	"time"

	"crossdock.dev/platform/backup"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/store"
)

// Store is the store of a program, for the subcommands that keep it while the program is stopped.
type Store struct {
	Path   string
	Schema store.Schema
	// Clock gives business time to a restore.
	Clock clock.Business
}

// storeCommands are the subcommands that every program with a store has. They return the exit code.
var storeCommands = map[string]func(ctx context.Context, s Store, args []string, out, errOut io.Writer) int{
	"verify":  verifyStore,
	"backup":  backupStore,
	"restore": restoreStore,
	"compact": compactStore,
}

// arguments reads what follows a subcommand: its flags, and as many words as it wants.
func arguments(flags *flag.FlagSet, args []string, errOut io.Writer, usage string, words int) ([]string, bool) {
	flags.SetOutput(errOut)
	flags.Usage = func() {
		fmt.Fprintln(errOut, "usage:", usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return nil, false
	}
	if flags.NArg() != words {
		flags.Usage()
		return nil, false
	}
	return flags.Args(), true
}

func verifyStore(_ context.Context, s Store, args []string, out, errOut io.Writer) int {
	if _, ok := arguments(flag.NewFlagSet("verify", flag.ContinueOnError), args, errOut, "verify", 0); !ok {
		return 2
	}
	return store.RunVerify(out, s.Path, s.Schema)
}

// failed says why a subcommand did not come to its end.
func failed(errOut io.Writer, service, what string, err error) int {
	fmt.Fprintf(errOut, "%s: %s: %v\n", service, what, err)
	return 1
}

func backupStore(ctx context.Context, s Store, args []string, out, errOut io.Writer) int {
	words, ok := arguments(flag.NewFlagSet("backup", flag.ContinueOnError), args, errOut, "backup DIR", 1)
	if !ok {
		return 2
	}
	if err := backupTo(ctx, s, words[0]); err != nil {
		return failed(errOut, s.Schema.Service, "backup", err)
	}
	b, err := backup.Open(words[0])
	if err != nil {
		return failed(errOut, s.Schema.Service, "backup", err)
	}
	fmt.Fprintf(out, "%s: backup of %d entries in epoch %d and %d documents, %d bytes, in %s\n", b.Service, b.Last.GetSequence(), b.Last.GetEpoch(),
		len(b.Files)-1, b.TotalSize, words[0])
	return 0
}

func backupTo(ctx context.Context, s Store, dir string) (err error) {
	snap, err := store.SnapshotFile(s.Path, s.Schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	w, err := backup.Create(dir, snap.Backup)
	if err != nil {
		return err
	}
	if err := snap.Send(ctx, w); err != nil {
		return errors.Join(err, w.Abandon())
	}
	return w.Finish()
}

func restoreStore(ctx context.Context, s Store, args []string, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("restore", flag.ContinueOnError)
	replace := flags.Bool("replace", false, "there is a store: keep it beside under another name")
	after := flags.Uint64("after-epoch", 0, "the latest epoch of this log that anybody knows of")
	words, ok := arguments(flags, args, errOut, "restore [-replace] [-after-epoch N] DIR", 1)
	if !ok {
		return 2
	}
	r, err := store.Restore(ctx, store.RestoreOptions{Dir: words[0], Path: s.Path, Schema: s.Schema, Clock: s.Clock, Replace: *replace, AfterEpoch: *after,
		Actor: operator(), Progress: lines(errOut, "read")})
	if err != nil {
		for _, b := range r.Report.Breaches {
			fmt.Fprintln(errOut, b)
		}
		return failed(errOut, s.Schema.Service, "restore", err)
	}
	fmt.Fprintf(out, "%s: restored %d entries and %d documents, as of %s; verified whole; epoch %d goes on from here\n", s.Schema.Service, r.Fork.After.Sequence,
		len(r.Backup.Files)-1, r.Backup.GetApplyTime().AsTime().Format(time.RFC3339), r.Fork.Epoch)
	if r.Replaced != "" {
		fmt.Fprintf(out, "%s: the store that was there is kept as %s\n", s.Schema.Service, r.Replaced)
	}
	fmt.Fprintf(out, "%s: number series and doubtful tasks are fenced until `crossdock reconcile`\n", s.Schema.Service)
	return 0
}

// operator is who runs the program.
func operator() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return "user/" + u.Username
	}
	return fmt.Sprintf("user/%d", os.Getuid())
}

func compactStore(ctx context.Context, s Store, args []string, out, errOut io.Writer) int {
	if _, ok := arguments(flag.NewFlagSet("compact", flag.ContinueOnError), args, errOut, "compact", 0); !ok {
		return 2
	}
	before, after, err := store.Compact(ctx, s.Path, s.Schema)
	if err != nil {
		return failed(errOut, s.Schema.Service, "compact", err)
	}
	fmt.Fprintf(out, "%s: %d bytes before, %d after\n", s.Schema.Service, before, after)
	return 0
}

// lines prints a line every ten seconds while bytes go by.
func lines(w io.Writer, verb string) func(int64) {
	var total int64
	last := time.Now()
	return func(n int64) {
		total += n
		if now := time.Now(); now.Sub(last) >= 10*time.Second {
			fmt.Fprintf(w, "%d bytes %s\n", total, verb)
			last = now
		}
	}
}
