package api

import (
	"errors"

	"google.golang.org/grpc/codes"

	edgev1 "crossdock.dev/gen/crossdock/edge/v1"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/services/edge/internal/apikey"
	edgestore "crossdock.dev/services/edge/internal/store"
)

// reasons says how the contract names each kind of bad field.
var reasons = map[apikey.Problem]edgev1.Reason{
	apikey.Malformed:   edgev1.Reason_MALFORMED,
	apikey.Duplicate:   edgev1.Reason_DUPLICATE,
	apikey.UnknownRole: edgev1.Reason_UNKNOWN_ROLE,
	apikey.Missing:     edgev1.Reason_MISSING,
}

// refusal is the only place where an error of the domain becomes one that callers see; subject names what was asked for.
// Any other error goes on as it is and is INTERNAL with a reference.
func refusal(err error, subject string) error {
	var fields apikey.FieldErrors
	var transition *apikey.TransitionError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fields):
		bad := make([]rpcerr.Field, len(fields))
		for i, f := range fields {
			bad[i] = rpcerr.Field{Path: "api_key." + f.Path, Description: f.Description, Reason: reasons[f.Problem].String()}
		}
		return rpcerr.Invalid(bad...)
	case errors.As(err, &transition):
		return &rpcerr.Error{Code: codes.FailedPrecondition, Reason: rpcerr.ReasonTransitionRefused, Message: transition.Error(),
			Metadata: map[string]string{"state": transition.From.String(), "verb": string(transition.Verb)}}
	case errors.Is(err, edgestore.ErrNotFound):
		return rpcerr.NotFound(subject)
	case errors.Is(err, page.ErrToken):
		return rpcerr.InvalidPageToken("page_token")
	}
	return err
}
