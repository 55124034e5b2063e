package api

import (
	"errors"

	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpcerr"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/workflow/internal/app"
)

// answer turns an error about a resource into what the caller gets.
func answer(err error, name string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, platform.ErrNotFound):
		return rpcerr.NotFound(name)
	case errors.Is(err, page.ErrToken):
		return rpcerr.InvalidPageToken("page_token")
	case errors.Is(err, app.ErrStaleETag):
		return rpcerr.Stale(name)
	}
	return rpcerr.FromStore(err)
}
