package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"crossdock.dev/platform/rpcerr"
)

// The exit statuses.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitAuth        = 4
	exitConflict    = 5
	exitUnavailable = 6
	exitPartial     = 7
)

// exits says how a program ends for each code that a service answers.
var exits = map[codes.Code]int{
	codes.InvalidArgument:    exitUsage,
	codes.NotFound:           exitNotFound,
	codes.Unauthenticated:    exitAuth,
	codes.PermissionDenied:   exitAuth,
	codes.AlreadyExists:      exitConflict,
	codes.FailedPrecondition: exitConflict,
	codes.Aborted:            exitConflict,
	codes.Unavailable:        exitUnavailable,
	codes.DeadlineExceeded:   exitUnavailable,
	codes.ResourceExhausted:  exitUnavailable,
}

// hints say what to try, by reason first and by code else.
var (
	reasonHints = map[string]string{
		rpcerr.ReasonStaleETag:       "get it again and repeat the change",
		rpcerr.ReasonRequestIDReused: "leave --request-id out, or repeat with the arguments of the first time",
	}
	codeHints = map[codes.Code]string{
		codes.NotFound:          "crossdock explain <any id or number>",
		codes.Unavailable:       "crossdock status",
		codes.DeadlineExceeded:  "crossdock status, or a longer --timeout",
		codes.ResourceExhausted: "the same again in a moment",
	}
)

// failure is an error of the command line itself.
type failure struct {
	status int
	what   string
	reason string
	try    string
	quiet  bool // what went wrong has been printed
}

func (f *failure) Error() string { return f.what }

// ended is the exit status of a program that was run, whose own words have been printed.
func ended(code int) error {
	if code == 0 {
		return nil
	}
	return &failure{status: code, quiet: true}
}

// report prints an error for a person and returns the exit status.
func report(w io.Writer, err error, callID string) int {
	var f *failure
	if errors.As(err, &f) {
		if !f.quiet {
			printFailure(w, f.what, f.reason, nil, "", f.try)
		}
		return f.status
	}
	if errors.Is(err, context.Canceled) {
		printFailure(w, "interrupted", "CANCELLED", nil, "", "")
		return exitFailed
	}
	e := refusal(err)
	if e == nil {
		printFailure(w, err.Error(), "FAILED", nil, "", "")
		return exitFailed
	}
	exit, ok := exits[e.Code]
	if !ok {
		exit = exitFailed
	}
	what := e.Message
	if what == "" {
		what = strings.ToLower(e.Code.String())
	}
	var more []string
	for _, field := range e.Fields {
		more = append(more, field.Path+": "+field.Description)
	}
	for key, value := range e.Metadata {
		if !strings.Contains(what, value) {
			more = append(more, key+": "+value)
		}
	}
	slices.Sort(more)
	try := reasonHints[e.Reason]
	if try == "" {
		try = codeHints[e.Code]
	}
	printFailure(w, what, e.Reason, more, callID, try)
	return exit
}

// refusal is what a service answered, without the words that were put around it here; nil for an error of another kind.
func refusal(err error) *rpcerr.Error {
	var e *rpcerr.Error
	var answered interface{ GRPCStatus() *status.Status }
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &answered):
		e = rpcerr.FromStatus(answered.GRPCStatus())
	default:
		return nil
	}
	var call *callError
	if e.Domain == "" && (e.Code == codes.Unavailable || e.Code == codes.DeadlineExceeded) && errors.As(err, &call) {
		e.Message = call.service + " cannot be reached" // nobody of the suite has answered: the text is the transport's
	}
	return e
}

// callError is what a call to a service returned.
type callError struct {
	service string
	err     error
}

func (e *callError) Error() string { return e.service + ": " + e.err.Error() }

func (e *callError) Unwrap() error { return e.err }

// problem is an error in one line of a table or list.
func problem(err error) string {
	if e := refusal(err); e != nil {
		return fmt.Sprintf("%s (%s)", e.Message, e.Reason)
	}
	return err.Error()
}

func printFailure(w io.Writer, what, reason string, more []string, callID, try string) {
	fmt.Fprintf(w, "error: %s (%s)\n", what, reason)
	for _, m := range more {
		fmt.Fprintln(w, " ", m)
	}
	if callID != "" {
		fmt.Fprintln(w, "request id:", callID)
	}
	if try != "" {
		fmt.Fprintln(w, "try:", try)
	}
}
