package app

import (
	"context"

	"crossdock.dev/platform/store"
	"crossdock.dev/services/edge/internal/apikey"
	edgestore "crossdock.dev/services/edge/internal/store"
)

// List returns up to n keys, newest first, that are older than the one with id before; all when it is empty.
func (a *App) List(ctx context.Context, before string, n int) (keys []apikey.Key, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		keys, err = edgestore.KeyPage(ctx, r, before, n)
		return err
	})
	return keys, err
}
