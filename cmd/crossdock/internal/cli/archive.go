package cli

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"

	"crossdock.dev/cmd/crossdock/internal/suite"
)

type archiveCmd struct {
	Service  string `help:"The service; it must be stopped, the others running." required:"" placeholder:"NAME"`
	To       string `help:"Folder that gets the archive file." required:"" type:"path" placeholder:"DIR"`
	KeepDays int    `help:"Move entries that are older; the last 7 days always stay." xor:"range" placeholder:"N"`
	Before   string `help:"Move entries from before this day (UTC) or time." xor:"range" placeholder:"DATE"`
	Decision string `help:"Why entries are moved that a reader may still need, or without asking all readers; it is recorded." placeholder:"TEXT"`
}

// Run asks all other services how far they have read the log, and lets the service's own program move what none of them needs.
func (c *archiveCmd) Run(ctx context.Context, env *Env) error {
	switch {
	case !slices.Contains(suite.Names(), c.Service):
		return &failure{status: exitUsage, what: "no service " + c.Service, reason: "USAGE", try: "one of " + strings.Join(suite.Names(), ", ")}
	case c.KeepDays <= 0 && c.Before == "":
		return &failure{status: exitUsage, what: "either --keep-days or --before is needed", reason: "USAGE", try: "crossdock archive --service orders --keep-days 90 --to DIR"}
	}
	bin, err := env.bin()
	if err != nil {
		return err
	}
	args := []string{"-config", env.layout().Config(c.Service), "archive"}
	read, err := archiveReaders(ctx, env, c.Service)
	switch {
	case err == nil:
		args = append(args, "-read", read)
	case c.Decision == "":
		return err
	default:
		fmt.Fprintln(env.Err, problem(err))
	}
	if c.Decision != "" {
		args = append(args, "-decision", c.Decision)
	}
	if c.Before != "" {
		args = append(args, "-before", c.Before)
	} else {
		args = append(args, "-keep-days", strconv.Itoa(c.KeepDays))
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, c.Service), append(args, c.To)...)
	cmd.Stdout, cmd.Stderr = env.Out, env.Err
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return ended(exit.ExitCode())
	}
	return err
}

// archiveReaders says how far each reader of a log has read, as the service's program takes it. Every other service must answer: one that
// does not may be a reader.
func archiveReaders(ctx context.Context, env *Env, log string) (string, error) {
	var out []string
	for _, name := range suite.Names() {
		if name == log {
			continue
		}
		cc, err := env.Connect(name)
		if err != nil {
			return "", err
		}
		quick, cancel := context.WithTimeout(ctx, 10*time.Second)
		consumers, err := pages(0, func(size int32, token string) ([]*eventlogv1.Consumer, string, error) {
			resp, err := eventlogv1.NewEventLogServiceClient(cc).ListConsumers(quick, &eventlogv1.ListConsumersRequest{PageSize: size, PageToken: token},
				grpc.WaitForReady(false))
			return resp.GetConsumers(), resp.GetNextPageToken(), err
		})
		cancel()
		if err != nil {
			return "", &callError{name, err}
		}
		for _, c := range consumers {
			if c.GetLog() != log {
				continue
			}
			at := c.GetCursor().GetSequence()
			if c.GetFork() != nil { // it will read on from there
				at = min(at, c.GetFork().GetAfter().GetSequence())
			}
			out = append(out, fmt.Sprintf("%s=%d", name, at))
		}
	}
	if len(out) == 0 {
		return "none", nil
	}
	return strings.Join(out, ","), nil
}
