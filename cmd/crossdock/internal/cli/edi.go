package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	edipb "crossdock.dev/gen/crossdock/edi/v1"

	"crossdock.dev/cmd/crossdock/internal/show"
)

type ediCmd struct {
	Parse    ediParseCmd    `cmd:"" help:"Print the structure of an X12 file and every finding, as JSON."`
	Validate ediValidateCmd `cmd:"" help:"Check an X12 file: every finding with its segment and element, and the 997 that answers; exit 1 with errors."`
	Submit   ediSubmitCmd   `cmd:"" help:"Hand an X12 file to the running suite, as if a partner had sent it."`
}

// ediFile is an argument: a file, or - for standard input.
type ediFile struct {
	File string `arg:"" help:"The file; - is standard input."`
}

type ediParseCmd struct{ ediFile }

func (c *ediParseCmd) Run(ctx context.Context, in io.Reader, env *Env) error {
	return runEdi(ctx, in, env, "parse", c.File)
}

type ediValidateCmd struct{ ediFile }

func (c *ediValidateCmd) Run(ctx context.Context, in io.Reader, env *Env) error {
	return runEdi(ctx, in, env, "validate", c.File)
}

// runEdi runs a subcommand of the edi program: the codec is the integration's own.
func runEdi(ctx context.Context, in io.Reader, env *Env, verb, file string) error {
	bin, err := env.bin()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "edi"), verb, file)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, env.Out, env.Err
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return ended(max(exit.ExitCode(), exitFailed))
	case errors.Is(err, os.ErrNotExist):
		return &failure{status: exitFailed, what: "no program edi in " + bin, reason: "PROGRAMS_MISSING", try: "make build"}
	}
	return err
}

type ediSubmitCmd struct{ ediFile }

func (c *ediSubmitCmd) Run(ctx context.Context, in io.Reader, env *Env) error {
	var content []byte
	var err error
	if c.File == "-" {
		content, err = io.ReadAll(in)
	} else {
		content, err = os.ReadFile(c.File)
	}
	if err != nil {
		return &failure{status: exitUsage, what: err.Error(), reason: "UNREADABLE"}
	}
	cc, err := env.Connect("edi")
	if err != nil {
		return err
	}
	id, err := env.changeID()
	if err != nil {
		return err
	}
	name := filepath.Base(c.File)
	if c.File == "-" {
		name = "stdin"
	}
	resp, err := edipb.NewEdiServiceClient(cc).SubmitInterchange(ctx, &edipb.SubmitInterchangeRequest{FileName: name, Content: content, RequestId: id})
	if err != nil {
		return err
	}
	if env.Output != "table" {
		return printList(env, nil, resp.GetInterchanges())
	}
	var rows [][]string
	for _, i := range resp.GetInterchanges() {
		rows = append(rows, []string{show.ID(i.GetName()), show.ID(i.GetParty()), i.GetControlNumber(), show.Text(i.GetUsage()), show.Enum(i.GetDisposition()), show.None, show.Text(i.GetReason())})
		for _, s := range i.GetTransactionSets() {
			rows = append(rows, []string{fmt.Sprintf("  set %d: %s", s.GetIndex(), s.GetSet()), show.None, s.GetControlNumber(), show.None, show.Enum(s.GetDisposition()),
				show.Text(s.GetResult()), show.Text(s.GetReason())})
		}
	}
	return show.Table(env.Out, []show.Column{{Head: "INTERCHANGE"}, {Head: "PARTY"}, {Head: "CONTROL NO."}, {Head: "USAGE"}, {Head: "DISPOSITION"}, {Head: "RESULT"}, {Head: "REASON"}}, rows)
}
