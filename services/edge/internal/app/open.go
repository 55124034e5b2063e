package app

import (
	"context"
	"errors"
	"sync"

	"crossdock.dev/platform/store"
	"crossdock.dev/services/edge/internal/apikey"
	edgestore "crossdock.dev/services/edge/internal/store"
)

// maxDoors bounds the cache of keys.
const maxDoors = 10_000

// Doors finds active keys by their secrets. It remembers what it found for as long as edge's own log stands still: every
// change of a key is an entry, so a revoked key is refused from the commit on, before the one who revoked it has the answer.
type Doors struct {
	store *store.Store

	mu     sync.Mutex
	at     store.Position
	opened map[apikey.Hash]apikey.Key
}

// NewDoors reads keys from a store.
func NewDoors(s *store.Store) *Doors { return &Doors{store: s} }

// Open returns the active key with this secret; ok is false when there is none, whatever the reason.
func (d *Doors) Open(ctx context.Context, secret apikey.Secret) (k apikey.Key, ok bool, err error) {
	h := secret.Hash()
	last := d.store.Last()
	d.mu.Lock()
	if d.at != last || len(d.opened) >= maxDoors {
		d.at, d.opened = last, map[apikey.Hash]apikey.Key{}
	}
	k, ok = d.opened[h]
	d.mu.Unlock()
	if ok {
		return k, true, nil
	}
	err = d.store.View(ctx, func(r store.Reader) error {
		k, err = edgestore.KeyByHash(ctx, r, h)
		return err
	})
	if errors.Is(err, edgestore.ErrNotFound) {
		return apikey.Key{}, false, nil
	}
	if err != nil || k.State != apikey.Active {
		return apikey.Key{}, false, err
	}
	d.mu.Lock()
	// Kept only when the log still stands where it stood before the read: otherwise the key may be an older one.
	if d.at == last && d.store.Last() == last {
		d.opened[h] = k
	}
	d.mu.Unlock()
	return k, true, nil
}
