// Package store keeps orders, their lines and releases, and the service's copy of master data, behind values of the domain.
// It promises that state and facts of a change are saved by one call into one commit, that a record stays small (lines are
// records of their own), and that every index can be rebuilt from the records. It leaves decisions to the domain and the
// transaction's bounds to app.
package store

import (
	"context"

	"google.golang.org/protobuf/proto"

	ordersstoragev1 "crossdock.dev/gen/crossdock/orders/storage/v1"
	platform "crossdock.dev/platform/store"
)

// Service is the service's name, which is also its log's.
const Service = "orders"

// version goes up when a bucket is added or an index is computed in another way.
const version = 1

// Every bucket of the service. Order ids are the part of the name after "orders/"; places and numbers count from 0 and 1.
var (
	orders       = &platform.Bucket{Name: "orders", Kind: platform.Record, Doc: "order id → OrderRecord"}
	orderLines   = &platform.Bucket{Name: "order_lines", Kind: platform.Record, Doc: "order id, place → OrderLineRecord"}
	orderMissing = &platform.Bucket{Name: "order_missing", Kind: platform.Record, Doc: "order id, place → MissingRecord; what its MASTER_DATA hold is about"}
	releases     = &platform.Bucket{Name: "releases", Kind: platform.Record, Doc: "order id, number → ReleaseRecord"}
	releaseLines = &platform.Bucket{Name: "release_lines", Kind: platform.Record, Doc: "order id, number, place of the order line → ReleaseLineRecord"}
	orderNumbers = &platform.Bucket{Name: "order_numbers", Kind: platform.Record, Doc: "customer, its order number → OrderNumberRecord; unique for ever"}
	masterData   = &platform.Bucket{Name: "masterdata", Kind: platform.Record, Copies: "masterdata", Doc: "resource name → MasterDataRecord"}

	ordersBy     = &platform.Bucket{Name: "orders_by", Kind: platform.Derived, Doc: "\"all\" | \"customer\", name | \"number\", number; creation, order id → customer"}
	waiting      = &platform.Bucket{Name: "orders_waiting", Kind: platform.Derived, Doc: "key of master data, order id → order name"}
	masterDataBy = &platform.Bucket{Name: "masterdata_by", Kind: platform.Derived, Copies: "masterdata", Doc: "external id, lane's ends or contract's party; resource name → resource name"}
)

// Schema is what the service keeps.
func Schema() platform.Schema {
	return platform.Schema{
		Service:    Service,
		Version:    version,
		Buckets:    []*platform.Bucket{orders, orderLines, orderMissing, releases, releaseLines, orderNumbers, masterData, ordersBy, waiting, masterDataBy},
		Rebuild:    rebuild,
		Invariants: []platform.Invariant{{Name: "I4 quantities", Check: checkQuantities}},
	}
}

// row is one row of an index.
type row struct {
	bucket     *platform.Bucket
	key, value []byte
}

// rebuild fills the indexes from the records.
func rebuild(ctx context.Context, r platform.Reader, w *platform.DerivedWriter) error {
	put := func(rows []row) error {
		for _, x := range rows {
			if err := w.Put(ctx, x.bucket, x.key, x.value); err != nil {
				return err
			}
		}
		return nil
	}
	err := platform.Each(ctx, r, orders, nil, func(kv platform.KV) error {
		rec := &ordersstoragev1.OrderRecord{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		return put(orderRows(rec))
	})
	if err != nil {
		return err
	}
	err = platform.Each(ctx, r, orderMissing, nil, func(kv platform.KV) error {
		rec := &ordersstoragev1.MissingRecord{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		return put(missingRows(rec))
	})
	if err != nil {
		return err
	}
	return platform.Each(ctx, r, masterData, nil, func(kv platform.KV) error {
		rec := &ordersstoragev1.MasterDataRecord{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		m, err := rec.GetResource().UnmarshalNew()
		if err != nil {
			return err
		}
		return put(masterDataRows(m))
	})
}
