package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"

	"crossdock.dev/cmd/crossdock/internal/show"
	"crossdock.dev/cmd/crossdock/internal/suite"
	"crossdock.dev/platform/backup"
)

type backupCmd struct {
	Service []string `help:"Only these services; may be repeated." placeholder:"NAME"`
	All     bool     `help:"All services."`
	To      string   `help:"Folder that gets a folder for each service; those must not be there yet." required:"" type:"path" placeholder:"DIR"`
}

// backedUp is one backup that was made.
type backedUp struct {
	Service   string    `json:"service"`
	Dir       string    `json:"dir,omitempty"`
	Epoch     uint64    `json:"epoch,omitempty"`
	Sequence  uint64    `json:"sequence,omitempty"`
	ApplyTime time.Time `json:"apply_time,omitzero"`
	Documents int       `json:"documents"`
	Bytes     int64     `json:"bytes"`
	Seconds   float64   `json:"seconds"`
	Problem   string    `json:"problem,omitempty"`
}

func (c *backupCmd) Run(ctx context.Context, env *Env) error {
	names := c.Service
	switch {
	case c.All == (len(names) > 0):
		return &failure{status: exitUsage, what: "either --all or --service is needed", reason: "USAGE", try: "crossdock backup --all --to DIR"}
	case c.All:
		names = suite.Names()
	}
	var all []backedUp
	var first error
	failed := 0
	for _, name := range names {
		begun := env.Machine.Now()
		b, err := backupOne(ctx, env, name, filepath.Join(c.To, name))
		b.Seconds = env.Machine.Now().Sub(begun).Seconds()
		if err != nil {
			b.Problem = problem(err)
			failed++
			if first == nil {
				first = err
			}
			fmt.Fprintf(env.Err, "%s: no backup: %s\n", name, b.Problem)
		}
		all = append(all, b)
		if ctx.Err() != nil {
			break
		}
	}
	if err := printBackups(env, all); err != nil {
		return err
	}
	switch {
	case failed == 0 && len(all) == len(names):
		return nil
	case failed == len(names):
		return first
	}
	return &failure{status: exitPartial, what: fmt.Sprintf("%d of %d backups were made", len(all)-failed, len(names)), reason: "PARTIAL", try: "crossdock status"}
}

func printBackups(env *Env, all []backedUp) error {
	if env.Output == "json" {
		return show.JSON(env.Out, all)
	}
	var rows [][]string
	for _, b := range all {
		if b.Problem != "" {
			continue
		}
		if env.Output == "name" {
			if _, err := fmt.Fprintln(env.Out, b.Dir); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{b.Service, fmt.Sprintf("%d/%d", b.Epoch, b.Sequence), show.Instant(b.ApplyTime), strconv.Itoa(b.Documents), size(uint64(b.Bytes)),
			fmt.Sprintf("%.1f s", b.Seconds), b.Dir})
	}
	if env.Output == "name" {
		return nil
	}
	return show.Table(env.Out, []show.Column{{Head: "SERVICE"}, {Head: "AS OF"}, {Head: "APPLIED"}, {Head: "DOCUMENTS", Right: true}, {Head: "SIZE", Right: true},
		{Head: "TOOK", Right: true}, {Head: "FOLDER"}}, rows)
}

// backupOne takes the copy that a running service makes of its store.
func backupOne(ctx context.Context, env *Env, service, dir string) (out backedUp, err error) {
	out = backedUp{Service: service}
	cc, err := env.Connect(service)
	if err != nil {
		return out, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := eventlogv1.NewEventLogServiceClient(cc).BackupStore(ctx, &eventlogv1.BackupStoreRequest{}, grpc.WaitForReady(false))
	if err != nil {
		return out, err
	}
	first, err := stream.Recv()
	if err != nil {
		return out, &callError{service, err}
	}
	head := first.GetBackup()
	w, err := backup.Create(dir, head)
	if errors.Is(err, backup.ErrExists) {
		return out, &failure{status: exitConflict, what: err.Error(), reason: "EXISTS", try: "another folder"}
	}
	if err != nil {
		return out, err
	}
	bar := env.progress(service, head.GetTotalSize())
	defer bar.end()
	files, err := receive(stream, w, bar)
	if err != nil {
		return out, errors.Join(err, w.Abandon())
	}
	if err := w.Finish(); err != nil {
		return out, err
	}
	return backedUp{Service: service, Dir: dir, Epoch: head.GetLast().GetEpoch(), Sequence: head.GetLast().GetSequence(), ApplyTime: head.GetApplyTime().AsTime(),
		Documents: files - 1, Bytes: head.GetTotalSize()}, nil
}

// receive writes the files of a stream.
func receive(stream grpc.ServerStreamingClient[eventlogv1.BackupStoreResponse], w *backup.Writer, bar *progress) (files int, err error) {
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return files, err
		}
		switch {
		case m.File == nil:
			_, err = w.Write(m.Data)
			bar.add(int64(len(m.Data)))
		case m.File.Sha256 == "":
			err = w.Begin(m.File)
		default:
			err = w.End(m.File.Sha256)
			files++
		}
		if err != nil {
			return files, err
		}
	}
}

type restoreCmd struct {
	Service string `help:"The service; it must be stopped." required:"" placeholder:"NAME"`
	From    string `help:"Folder of the backup, with backup.json." required:"" type:"path" placeholder:"DIR"`
	Replace bool   `help:"There is a store: keep it beside under another name."`
}

// Run lets the service's own program restore its store. The others, where they run, say how far they have read the log: the new epoch
// must be a later one than any that they know.
func (c *restoreCmd) Run(ctx context.Context, env *Env) error {
	if !slices.Contains(suite.Names(), c.Service) {
		return &failure{status: exitUsage, what: "no service " + c.Service, reason: "USAGE", try: "one of " + strings.Join(suite.Names(), ", ")}
	}
	b, err := backup.Open(c.From)
	if err != nil {
		return err
	}
	bin, err := env.bin()
	if err != nil {
		return err
	}
	after := b.GetLast().GetEpoch()
	for _, r := range readersOf(ctx, env, c.Service) {
		after = max(after, r.epoch)
		if lost := int64(r.sequence) - int64(b.GetLast().GetSequence()); lost > 0 {
			fmt.Fprintf(env.Err, "%s has read %s up to %d/%d: %d entries after the copy are lost, or more\n", r.service, c.Service, r.epoch, r.sequence, lost)
		}
	}
	args := []string{"-config", env.layout().Config(c.Service), "restore", "-after-epoch", strconv.FormatUint(after, 10)}
	if c.Replace {
		args = append(args, "-replace")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, c.Service), append(args, c.From)...)
	cmd.Stdout, cmd.Stderr = env.Out, env.Err
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return ended(exit.ExitCode())
	}
	return err
}

// reader is how far a service has read a log.
type reader struct {
	service         string
	epoch, sequence uint64
}

// readersOf asks the running services; those that do not answer are left out.
func readersOf(ctx context.Context, env *Env, log string) []reader {
	var out []reader
	for _, name := range suite.Names() {
		cc, err := env.Connect(name)
		if err != nil || name == log {
			continue
		}
		quick, cancel := context.WithTimeout(ctx, 3*time.Second)
		list, err := eventlogv1.NewEventLogServiceClient(cc).ListConsumers(quick, &eventlogv1.ListConsumersRequest{}, grpc.WaitForReady(false))
		cancel()
		if err != nil {
			continue
		}
		for _, c := range list.GetConsumers() {
			if c.GetLog() == log {
				out = append(out, reader{name, c.GetCursor().GetEpoch(), c.GetCursor().GetSequence()})
			}
		}
	}
	return out
}

// unimplemented tells whether a program is older than a method.
func unimplemented(err error) bool { return status.Code(err) == codes.Unimplemented }
