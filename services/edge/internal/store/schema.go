// Package store keeps the partners' keys and webhooks. It promises that state and its facts are written in one commit, that the
// secret of a key is never among what is written, and that of a webhook, which has to be kept readable, is not in the log. It leaves
// decisions to packages apikey and webhook.
package store

import (
	"context"

	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/edge/storage/v1"
	"crossdock.dev/platform/store"
)

// Service is the name of the service, its log and its store file.
const Service = "edge"

// The buckets. Ids of keys and endpoints are time-ordered, so that a scan backwards is newest first.
var (
	keys   = &store.Bucket{Name: "keys", Kind: store.Record, Doc: "key id -> storage.KeyRecord"}
	byHash = &store.Bucket{Name: "key_by_hash", Kind: store.Derived, Doc: "SHA-256 of the secret -> key id"}

	webhooks        = &store.Bucket{Name: "webhooks", Kind: store.Record, Doc: "endpoint id -> storage.WebhookRecord"}
	webhookByParty  = &store.Bucket{Name: "webhook_by_party", Kind: store.Derived, Doc: "party, endpoint id -> 1; disabled ones too"}
	webhookSecrets  = &store.Bucket{Name: "webhook_secrets", Kind: store.Personal, Doc: "endpoint id -> storage.WebhookSecretRecord; the log holds a salted hash"}
	webhookPromises = &store.Bucket{Name: "webhook_promises", Kind: store.Record, Doc: "endpoint id, order -> storage.PromiseRecord"}

	deliveries      = &store.Bucket{Name: "webhook_deliveries", Kind: store.Record, Doc: "delivery id -> storage.DeliveryRecord"}
	deliveryByTime  = &store.Bucket{Name: "webhook_delivery_by_time", Kind: store.Derived, Doc: "endpoint id, creation in ns, delivery id -> delivery id"}
	deliveryWaiting = &store.Bucket{Name: "webhook_delivery_waiting", Kind: store.Derived, Doc: "next attempt in ns (machine time), delivery id -> delivery id"}
	deliveryEnded   = &store.Bucket{Name: "webhook_delivery_ended", Kind: store.Derived, Doc: "end in ns (machine time), delivery id -> delivery id"}
)

var (
	keyTable      = store.NewTable(keys, func() *storagev1.KeyRecord { return &storagev1.KeyRecord{} })
	webhookTable  = store.NewTable(webhooks, func() *storagev1.WebhookRecord { return &storagev1.WebhookRecord{} })
	secretTable   = store.NewTable(webhookSecrets, func() *storagev1.WebhookSecretRecord { return &storagev1.WebhookSecretRecord{} })
	promiseTable  = store.NewTable(webhookPromises, func() *storagev1.PromiseRecord { return &storagev1.PromiseRecord{} })
	deliveryTable = store.NewTable(deliveries, func() *storagev1.DeliveryRecord { return &storagev1.DeliveryRecord{} })
)

// Schema is what edge keeps.
func Schema() store.Schema {
	return store.Schema{
		Service: Service,
		Version: 3, // 2 keeps webhooks, 3 finds old deliveries
		Buckets: []*store.Bucket{
			keys, byHash, webhooks, webhookByParty, webhookSecrets, webhookPromises, deliveries, deliveryByTime, deliveryWaiting,
			deliveryEnded,
		},
		Rebuild: rebuild,
	}
}

func rebuild(ctx context.Context, r store.Reader, w *store.DerivedWriter) error {
	err := store.Each(ctx, r, keys, nil, func(kv store.KV) error {
		rec := &storagev1.KeyRecord{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		return w.Put(ctx, byHash, rec.GetSecretHash(), kv.Key)
	})
	if err != nil {
		return err
	}
	err = store.Each(ctx, r, webhooks, nil, func(kv store.KV) error {
		rec := &storagev1.WebhookRecord{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		e, err := endpointOf(rec)
		if err != nil {
			return err
		}
		return w.Put(ctx, webhookByParty, partyKey(e), []byte{1})
	})
	if err != nil {
		return err
	}
	return store.Each(ctx, r, deliveries, nil, func(kv store.KV) error {
		rec := &storagev1.DeliveryRecord{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		d, err := deliveryOf(rec)
		if err != nil {
			return err
		}
		return index(d, func(b *store.Bucket, key []byte) error { return w.Put(ctx, b, key, []byte(d.ID)) })
	})
}
