package serve

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
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
	"verify":    verifyStore,
	"backup":    backupStore,
	"restore":   restoreStore,
	"compact":   compactStore,
	"archive":   archiveStore,
	"unarchive": unarchiveStore,
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
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	archives := archiveFolders(flags)
	if _, ok := arguments(flags, args, errOut, "verify [-archive-dir DIR]", 0); !ok {
		return 2
	}
	return store.RunVerify(out, s.Path, s.Schema, *archives...)
}

// archiveFolders adds the flag that names folders with archive files.
func archiveFolders(flags *flag.FlagSet) *[]string {
	var dirs []string
	flags.Func("archive-dir", "a folder with archive files that are not in their place; may be repeated", func(dir string) error {
		dirs = append(dirs, dir)
		return nil
	})
	return &dirs
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
	for _, a := range b.Archives {
		fmt.Fprintf(out, "%s: the log goes on from %s, which is not in the backup\n", b.Service, a.File)
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
	archives := archiveFolders(flags)
	words, ok := arguments(flags, args, errOut, "restore [-replace] [-after-epoch N] [-archive-dir DIR] DIR", 1)
	if !ok {
		return 2
	}
	r, err := store.Restore(ctx, store.RestoreOptions{Dir: words[0], Path: s.Path, Schema: s.Schema, Clock: s.Clock, Replace: *replace, AfterEpoch: *after,
		Archives: *archives, Actor: operator(), Progress: lines(errOut, "read")})
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

func archiveStore(ctx context.Context, s Store, args []string, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("archive", flag.ContinueOnError)
	o := store.ArchiveOptions{Path: s.Path, Schema: s.Schema, Clock: s.Clock, Actor: operator()}
	flags.Func("before", "move entries from before this day or time, such as 2026-03-01 (UTC) or 2026-03-01T12:00:00Z", func(text string) (err error) {
		o.Before, err = time.Parse(time.DateOnly, text)
		if err != nil {
			o.Before, err = time.Parse(time.RFC3339, text)
		}
		return err
	})
	keep := flags.Int("keep-days", 0, "move entries that are older; at least 7 days are always kept")
	flags.Func("read", "how far each reader has read, such as orders=1200,tower=1400; none when nobody reads this log", func(text string) (err error) {
		o.Readers, err = readers(o.Readers, strings.Split(text, ","))
		return err
	})
	flags.Func("readers", "a file that says the same, one reader a line", func(path string) error {
		text, err := os.ReadFile(path)
		if err == nil {
			o.Readers, err = readers(o.Readers, strings.Fields(string(text)))
		}
		return err
	})
	flags.StringVar(&o.Decision, "decision", "", "why entries are moved that a reader may still need; it is recorded")
	words, ok := arguments(flags, args, errOut, "archive -before DATE|-keep-days N [-read READER=SEQUENCE,...|-readers FILE] [-decision TEXT] DIR", 1)
	if !ok {
		return 2
	}
	if *keep < 0 || *keep > 0 != o.Before.IsZero() {
		flags.Usage()
		return 2
	}
	if *keep > 0 {
		o.Before = s.Clock.Now().AddDate(0, 0, -*keep)
	}
	o.Dir = words[0]
	r, err := store.Archive(ctx, o)
	if errors.Is(err, store.ErrReadersUnknown) {
		err = fmt.Errorf("%w: -read or -readers says it, `crossdock archive` asks them, -decision does without", err)
	}
	if err != nil {
		return failed(errOut, s.Schema.Service, "archive", err)
	}
	if r.Finished {
		fmt.Fprintf(out, "%s: an archive that was interrupted has been finished\n", s.Schema.Service)
	}
	if a := r.Archive; a != nil {
		fmt.Fprintf(out, "%s: entries %d to %d, up to %s, are in %s, %d bytes\n", s.Schema.Service, a.First.GetSequence(), a.Last.GetSequence(),
			a.ApplyTime.AsTime().Format(time.RFC3339), filepath.Join(o.Dir, a.File), a.Size)
		fmt.Fprintf(out, "%s: `compact` gives the space back\n", s.Schema.Service)
	} else {
		fmt.Fprintf(out, "%s: nothing was moved\n", s.Schema.Service)
	}
	fmt.Fprintf(out, "%s: the next entry stays: %s\n", s.Schema.Service, r.Kept)
	return 0
}

func unarchiveStore(ctx context.Context, s Store, args []string, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("unarchive", flag.ContinueOnError)
	archives := archiveFolders(flags)
	if _, ok := arguments(flags, args, errOut, "unarchive [-archive-dir DIR]", 0); !ok {
		return 2
	}
	a, err := store.Unarchive(ctx, s.Path, s.Schema, *archives...)
	if err != nil {
		return failed(errOut, s.Schema.Service, "unarchive", err)
	}
	fmt.Fprintf(out, "%s: entries %d to %d are back in the store; %s stays where it is\n", s.Schema.Service, a.First.GetSequence(), a.Last.GetSequence(), a.File)
	return 0
}

// readers adds how far readers have read, each as name=sequence, to those that are known.
func readers(known map[string]uint64, words []string) (map[string]uint64, error) {
	if known == nil {
		known = map[string]uint64{}
	}
	for _, w := range words {
		if w == "none" {
			continue
		}
		name, text, ok := strings.Cut(w, "=")
		sequence, err := strconv.ParseUint(text, 10, 64)
		if !ok || name == "" || err != nil {
			return nil, fmt.Errorf("%q is not a reader and a sequence, such as orders=1200", w)
		}
		if before, twice := known[name]; !twice || sequence < before {
			known[name] = sequence
		}
	}
	return known, nil
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
