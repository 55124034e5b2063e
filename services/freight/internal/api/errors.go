package api

import (
	"errors"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpcerr"

	"crossdock.dev/services/freight/internal/refusal"
)

// refuse is the only place where an error becomes a refusal. name is the resource that was asked for.
func refuse(name string, err error) error {
	var fields *refusal.FieldErrors
	var transition *refusal.TransitionError
	var unmet *refusal.PreconditionError
	switch {
	case errors.As(err, &fields):
		var out []rpcerr.Field
		for _, f := range fields.Fields {
			out = append(out, rpcerr.Field{Path: f.Path, Description: f.Description, Reason: "INVALID"})
		}
		return rpcerr.Invalid(out...)
	case errors.As(err, &transition):
		return rpcerr.Precondition(freightv1.Reason_TRANSITION_REFUSED.String(), map[string]string{
			"resource": transition.Resource, "from": transition.From, "verb": transition.Verb,
		})
	case errors.As(err, &unmet):
		return rpcerr.Precondition(string(unmet.Reason), unmet.Metadata)
	case errors.Is(err, refusal.ErrNotFound):
		return rpcerr.NotFound(name)
	case errors.Is(err, refusal.ErrStale):
		return rpcerr.Stale(name)
	case errors.Is(err, page.ErrToken):
		return rpcerr.InvalidPageToken("page_token")
	}
	return rpcerr.FromStore(err)
}
