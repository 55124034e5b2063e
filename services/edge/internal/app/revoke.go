package app

import (
	"context"

	"crossdock.dev/platform/store"
	"crossdock.dev/services/edge/internal/apikey"
	edgestore "crossdock.dev/services/edge/internal/store"
)

// RevokeInput names a key.
type RevokeInput struct {
	Cause store.Cause
	ID    string
}

// Revoke closes the door for a key, for every call that begins after the commit. Revoking a revoked key changes nothing and
// succeeds; ErrNotFound when there is no such key.
func (a *App) Revoke(ctx context.Context, in RevokeInput) (apikey.Key, store.Position, error) {
	at := a.business.Now()
	codec := store.Codec[apikey.Key]{Encode: edgestore.Encode, Decode: edgestore.Decode}
	return store.Change(ctx, a.store, in.Cause, codec, func(tx *store.Tx) (apikey.Key, error) {
		k, err := edgestore.Key(ctx, tx, in.ID)
		if err != nil {
			return apikey.Key{}, err
		}
		k, facts, err := k.Revoke(at)
		if err != nil || len(facts) == 0 {
			return k, err
		}
		return k, edgestore.Save(ctx, tx, k, facts...)
	})
}
