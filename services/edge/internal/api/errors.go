package api

import (
	"errors"

	"google.golang.org/grpc/codes"

	edgev1 "crossdock.dev/gen/crossdock/edge/v1"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/services/edge/internal/apikey"
	edgestore "crossdock.dev/services/edge/internal/store"
	"crossdock.dev/services/edge/internal/webhook"
)

// reasons says how the contract names each kind of bad field.
var reasons = map[apikey.Problem]edgev1.Reason{
	apikey.Malformed:   edgev1.Reason_MALFORMED,
	apikey.Duplicate:   edgev1.Reason_DUPLICATE,
	apikey.UnknownRole: edgev1.Reason_UNKNOWN_ROLE,
	apikey.Missing:     edgev1.Reason_MISSING,
}

var webhookReasons = map[webhook.Problem]edgev1.Reason{
	webhook.Malformed:    edgev1.Reason_MALFORMED,
	webhook.Duplicate:    edgev1.Reason_DUPLICATE,
	webhook.Missing:      edgev1.Reason_MISSING,
	webhook.Refused:      edgev1.Reason_URL_REFUSED,
	webhook.UnknownEvent: edgev1.Reason_UNKNOWN_EVENT_TYPE,
	webhook.TooMany:      edgev1.Reason_TOO_MANY,
}

// refusal is the only place where an error of the domain becomes one that callers see; subject names what was asked for.
// Any other error goes on as it is and is INTERNAL with a reference.
func refusal(err error, subject string) error {
	var fields apikey.FieldErrors
	var transition *apikey.TransitionError
	var webhookFields webhook.FieldErrors
	var webhookTransition *webhook.TransitionError
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
		return refused(transition, transition.From.String(), string(transition.Verb))
	case errors.As(err, &webhookFields):
		bad := make([]rpcerr.Field, len(webhookFields))
		for i, f := range webhookFields {
			bad[i] = rpcerr.Field{Path: "webhook." + f.Path, Description: f.Description, Reason: webhookReasons[f.Problem].String()}
		}
		return rpcerr.Invalid(bad...)
	case errors.As(err, &webhookTransition):
		return refused(webhookTransition, webhookTransition.From, string(webhookTransition.Verb))
	case errors.Is(err, edgestore.ErrNotFound):
		return rpcerr.NotFound(subject)
	case errors.Is(err, page.ErrToken):
		return rpcerr.InvalidPageToken("page_token")
	}
	return err
}

func refused(err error, state, verb string) error {
	return &rpcerr.Error{Code: codes.FailedPrecondition, Reason: rpcerr.ReasonTransitionRefused, Message: err.Error(),
		Metadata: map[string]string{"state": state, "verb": verb}}
}
