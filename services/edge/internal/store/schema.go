// Package store keeps the partners' keys. It promises that a key and its facts are written in one commit, and that a secret
// is never among what is written. It leaves decisions to package apikey.
package store

import (
	"context"

	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/edge/storage/v1"
	"crossdock.dev/platform/store"
)

// Service is the name of the service, its log and its store file.
const Service = "edge"

// The buckets. Ids are time-ordered, so that a scan backwards is newest first.
var (
	keys   = &store.Bucket{Name: "keys", Kind: store.Record, Doc: "key id -> storage.KeyRecord"}
	byHash = &store.Bucket{Name: "key_by_hash", Kind: store.Derived, Doc: "SHA-256 of the secret -> key id"}
)

var keyTable = store.NewTable(keys, func() *storagev1.KeyRecord { return &storagev1.KeyRecord{} })

// Schema is what edge keeps.
func Schema() store.Schema {
	return store.Schema{
		Service: Service,
		Version: 1,
		Buckets: []*store.Bucket{keys, byHash},
		Rebuild: rebuild,
	}
}

func rebuild(ctx context.Context, r store.Reader, w *store.DerivedWriter) error {
	return store.Each(ctx, r, keys, nil, func(kv store.KV) error {
		rec := &storagev1.KeyRecord{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		return w.Put(ctx, byHash, rec.GetSecretHash(), kv.Key)
	})
}
