package cli

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"

	"crossdock.dev/cmd/crossdock/internal/show"
	"crossdock.dev/cmd/crossdock/internal/suite"
)

type verifyCmd struct {
	Offline bool `help:"Check the stores of a stopped suite: each service's own program does it."`
}

// verified is what a check of one service found.
type verified struct {
	Service  string   `json:"service"`
	Entries  uint64   `json:"entries"`
	Records  uint64   `json:"records"`
	Checks   []string `json:"checks"`
	Breaches []string `json:"breaches"`
	// Problem says why the check was not made.
	Problem string `json:"problem,omitempty"`
}

func (c *verifyCmd) Run(ctx context.Context, env *Env) error {
	if c.Offline {
		return c.offline(ctx, env)
	}
	var all []verified
	for _, name := range suite.Names() {
		v := verified{Service: name, Checks: []string{}, Breaches: []string{}}
		cc, err := env.Connect(name)
		if err != nil {
			return err
		}
		// A store is read whole: this takes longer than an ordinary call.
		slow, cancel := context.WithTimeout(ctx, 4*env.Timeout)
		r, err := eventlogv1.NewEventLogServiceClient(cc).VerifyStore(slow, &eventlogv1.VerifyStoreRequest{}, grpc.WaitForReady(false))
		cancel()
		if err != nil {
			v.Problem = problem(err)
		}
		v.Entries, v.Records = r.GetEntries(), r.GetRecords()
		v.Checks, v.Breaches = append(v.Checks, r.GetChecks()...), append(v.Breaches, r.GetBreaches()...)
		all = append(all, v)
	}
	across, err := checkAcross(ctx, env)
	if err != nil {
		return err
	}
	return printVerified(env, append(all, across))
}

// checkAcross asks the tower for what no service can check alone.
func checkAcross(ctx context.Context, env *Env) (verified, error) {
	v := verified{Service: "across services", Checks: []string{}, Breaches: []string{}}
	cc, err := env.Connect("tower")
	if err != nil {
		return v, err
	}
	slow, cancel := context.WithTimeout(ctx, 4*env.Timeout)
	defer cancel()
	r, err := towerv1.NewTowerServiceClient(cc).CheckInvariants(slow, &towerv1.CheckInvariantsRequest{}, grpc.WaitForReady(false))
	if err != nil {
		v.Problem = problem(err)
		return v, nil
	}
	v.Checks = append(v.Checks, r.GetChecked()...)
	for _, b := range r.GetBreaches() {
		v.Breaches = append(v.Breaches, b.GetInvariant()+": "+b.GetDetail())
	}
	return v, nil
}

func printVerified(env *Env, all []verified) error {
	breaches, unchecked := 0, []string{}
	for _, v := range all {
		breaches += len(v.Breaches)
		if v.Problem != "" {
			unchecked = append(unchecked, v.Service)
			fmt.Fprintf(env.Err, "%s: not checked: %s\n", v.Service, v.Problem)
		}
	}
	if env.Output == "json" {
		if err := show.JSON(env.Out, all); err != nil {
			return err
		}
	} else {
		var rows [][]string
		for _, v := range all {
			result := "whole"
			switch {
			case v.Problem != "":
				result = "NOT CHECKED"
			case len(v.Breaches) > 0:
				result = fmt.Sprintf("BREACHES: %d", len(v.Breaches))
			}
			rows = append(rows, []string{v.Service, result, fmt.Sprint(v.Entries), fmt.Sprint(v.Records), fmt.Sprint(len(v.Checks))})
		}
		columns := []show.Column{{Head: "SERVICE"}, {Head: "RESULT"}, {Head: "ENTRIES", Right: true}, {Head: "RECORDS", Right: true}, {Head: "CHECKS", Right: true}}
		if err := show.Table(env.Out, columns, rows); err != nil {
			return err
		}
		for _, v := range all {
			for _, b := range v.Breaches {
				fmt.Fprintf(env.Out, "%s: %s\n", v.Service, b)
			}
		}
	}
	return verifyResult(breaches, unchecked, len(all))
}

func verifyResult(breaches int, unchecked []string, all int) error {
	switch {
	case breaches > 0:
		return &failure{status: exitFailed, what: fmt.Sprintf("breaches: %d", breaches), reason: "BREACHES"}
	case len(unchecked) == all:
		return &failure{status: exitUnavailable, what: "nothing could be checked", reason: "UNAVAILABLE", try: "crossdock status"}
	case len(unchecked) > 0:
		return &failure{status: exitPartial, what: "not checked: " + strings.Join(unchecked, ", "), reason: "PARTIAL", try: "crossdock status"}
	}
	return nil
}

// offline lets each service's program check its own store.
func (c *verifyCmd) offline(ctx context.Context, env *Env) error {
	bin, err := env.bin()
	if err != nil {
		return err
	}
	l := env.layout()
	lock, err := l.Lock()
	if errors.Is(err, suite.ErrRunning) {
		return &failure{status: exitConflict, what: "the suite is running", reason: "RUNNING", try: "crossdock verify"}
	}
	if err != nil {
		return &failure{status: exitNotFound, what: "no suite has run on " + l.Dir, reason: "NOT_FOUND", try: "crossdock up"}
	}
	defer lock.Close()
	breaches, unchecked := 0, []string{}
	for _, name := range suite.Names() {
		fmt.Fprintf(env.Out, "%s\n", env.Style.Bold(name))
		cmd := exec.CommandContext(ctx, filepath.Join(bin, name), "-config", l.Config(name), "verify")
		cmd.Stdout, cmd.Stderr = env.Out, env.Err
		err := cmd.Run()
		var exit *exec.ExitError
		switch {
		case err == nil:
		case errors.As(err, &exit) && exit.ExitCode() == 1:
			breaches++
		default:
			fmt.Fprintf(env.Err, "%s: not checked: %v\n", name, err)
			unchecked = append(unchecked, name)
		}
	}
	return verifyResult(breaches, unchecked, len(suite.Names()))
}
