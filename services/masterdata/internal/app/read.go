package app

import (
	"context"

	"google.golang.org/protobuf/proto"

	"crossdock.dev/services/masterdata/internal/resource"
	"crossdock.dev/services/masterdata/internal/store"
)

// Get returns a resource by name, or resource.ErrNotFound.
func (a *App) Get(ctx context.Context, name string) (proto.Message, error) {
	return a.store.Get(ctx, name)
}

// List returns at most limit resources of a kind by name, those after the name last; more says that others follow.
func (a *App) List(ctx context.Context, k resource.Kind, last string, limit int) (rows []store.Row, more bool, err error) {
	return a.store.List(ctx, k, last, limit)
}
