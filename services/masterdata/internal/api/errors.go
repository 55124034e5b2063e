package api

import (
	"errors"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/services/masterdata/internal/resource"
	"crossdock.dev/services/masterdata/internal/rule"
)

// refuse is the only place where an error becomes a refusal. name is the resource or collection that was asked for.
func refuse(name string, err error) error {
	var bad rule.Fields
	switch {
	case errors.As(err, &bad):
		fields := make([]rpcerr.Field, len(bad))
		for i, f := range bad {
			fields[i] = rpcerr.Field{Path: f.Path, Description: f.Description, Reason: string(f.Reason)}
		}
		return rpcerr.Invalid(fields...)
	case errors.Is(err, resource.ErrNotFound):
		return rpcerr.NotFound(name)
	case errors.Is(err, resource.ErrStale):
		return rpcerr.Stale(name)
	case errors.Is(err, resource.ErrApproved):
		return rpcerr.Precondition(masterdatav1.Reason_APPROVED.String(), map[string]string{"resource": name})
	case errors.Is(err, page.ErrToken):
		return rpcerr.InvalidPageToken("page_token")
	}
	return rpcerr.FromStore(err)
}
