// Package store keeps freight's resources and its copy of master data, and tells its facts, in one commit per change. It
// promises that a record is read back as it was written, that indexes always agree with the records, and that who signed a
// proof is nowhere but in the personal bucket. What may change is left to the domain packages, transactions to package app.
package store

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/freight/storage/v1"
	"crossdock.dev/platform/store"
)

// Service is the name of the service, its log and its store file.
const Service = "freight"

// The buckets. Keys are store.Key of the parts named; records are messages of crossdock.freight.storage.v1.
var (
	shipments = &store.Bucket{Name: "shipments", Kind: store.Record, Doc: "shipment name → ShipmentRecord"}
	lines     = &store.Bucket{Name: "shipment_lines", Kind: store.Record, Doc: "shipment name, index → ShipmentLineRecord"}
	releases  = &store.Bucket{Name: "releases", Kind: store.Record, Doc: "order release name → ReleaseRecord: one shipment for each release"}
	loads     = &store.Bucket{Name: "loads", Kind: store.Record, Doc: "load name → LoadRecord"}
	tenders   = &store.Bucket{Name: "tenders", Kind: store.Record, Doc: "tender name → TenderRecord"}
	// What makes two claims the same stands in the key, so a claim is kept once, and a load's claims come by stop and time.
	claims     = &store.Bucket{Name: "claims", Kind: store.Record, Doc: "load name, stop, occurred, milestone, estimate → ClaimRecord"}
	proofs     = &store.Bucket{Name: "proofs", Kind: store.Record, Doc: "proof name → ProofRecord"}
	exceptions = &store.Bucket{Name: "proof_exceptions", Kind: store.Record, Doc: "proof name, index → ProofExceptionRecord"}
	series     = &store.Bucket{Name: "number_series", Kind: store.Record, Doc: "series such as NL2603 → NumberSeriesRecord"}
	masterdata = &store.Bucket{Name: "masterdata", Kind: store.Record, Copies: "masterdata", Doc: "resource name → MasterdataRecord: the copy of masterdata's feed"}

	signatories = &store.Bucket{Name: "signatories", Kind: store.Personal, Doc: "proof name → name of the person who signed, UTF-8"}

	shipmentsByCustomer = &store.Bucket{Name: "shipments_by_customer", Kind: store.Derived, Doc: "customer, shipment name → shipment name"}
	shipmentsByOrder    = &store.Bucket{Name: "shipments_by_order", Kind: store.Derived, Doc: "order, shipment name → shipment name"}
	loadsByNumber       = &store.Bucket{Name: "loads_by_number", Kind: store.Derived, Doc: "load number, load name → load name"}
	loadsByCarrier      = &store.Bucket{Name: "loads_by_carrier", Kind: store.Derived, Doc: "carrier that booked, load name → load name"}
	loadsShared         = &store.Bucket{Name: "loads_shared", Kind: store.Derived, Doc: "legal entity, ship-from, ship date, load name → load name, of loads that may be shared"}
	tendersByLoad       = &store.Bucket{Name: "tenders_by_load", Kind: store.Derived, Doc: "load, tender name → tender name"}
	tendersByCarrier    = &store.Bucket{Name: "tenders_by_carrier", Kind: store.Derived, Doc: "carrier, tender name → tender name"}
	masterdataByKey     = &store.Bucket{Name: "masterdata_by_key", Kind: store.Derived, Copies: "masterdata", Doc: "kind and look-up key, see masterdataRows → resource name"}
)

// Schema is what freight keeps.
func Schema() store.Schema {
	return store.Schema{
		Service: Service, Version: 1,
		Buckets: []*store.Bucket{
			shipments, lines, releases, loads, tenders, claims, proofs, exceptions, series, masterdata, signatories,
			shipmentsByCustomer, shipmentsByOrder, loadsByNumber, loadsByCarrier, loadsShared, tendersByLoad, tendersByCarrier, masterdataByKey,
		},
		Rebuild: rebuild, Invariants: invariants(), Series: lastNumbers,
	}
}

// seriesName is the name under which a restore fences a series of load numbers.
func seriesName(series string) string { return "loads/" + series }

// lastNumbers are the last load numbers given, by series.
func lastNumbers(ctx context.Context, r store.Reader) (map[string]uint64, error) {
	out := map[string]uint64{}
	return out, store.Each(ctx, r, series, nil, func(kv store.KV) error {
		rec := &storagev1.NumberSeriesRecord{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		name, ok := store.Strings(kv.Key)
		if !ok || len(name) != 1 {
			return fmt.Errorf("number series %x: key cannot be read", kv.Key)
		}
		out[seriesName(name[0])] = rec.GetLast()
		return nil
	})
}
