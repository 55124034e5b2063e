// Package store keeps tower's read model: cases, the facts that tell their story, and the references that lead to them.
package store

import (
	"context"
	"strings"

	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/tower/storage/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/platform/store"
)

// Service is the name of the service and of its log.
const Service = "tower"

var (
	cases   = &store.Bucket{Name: "cases", Kind: store.Record, Doc: "order id -> storage.Case"}
	steps   = &store.Bucket{Name: "steps", Kind: store.Record, Doc: "number of arrival -> storage.Step"}
	parties = &store.Bucket{Name: "parties", Kind: store.Record, Doc: "party name -> storage.Party"}
	plans   = &store.Bucket{Name: "plans", Kind: store.Record, Doc: "order id, type of fact -> type.EventTime: until when it should have happened"}
	pieces  = &store.Bucket{Name: "payload_pieces", Kind: store.Record, Doc: "number of arrival, piece from 0 -> bytes of the fact's payload, a google.protobuf.Any"}
	arrival = &store.Bucket{Name: "arrival", Kind: store.Record, Doc: "\"last\" -> number of the last fact, 8 bytes"}

	caseByReference = &store.Bucket{Name: "case_by_reference", Kind: store.Derived, Doc: "reference, order id -> 1"}
	folded          = &store.Bucket{Name: "reference_by_folded", Kind: store.Derived, Doc: "reference in lower case, 0, reference -> 1"}
	stepByReference = &store.Bucket{Name: "step_by_reference", Kind: store.Derived, Doc: "reference, number of arrival -> 1"}
)

var (
	caseTable  = store.NewTable(cases, func() *storagev1.Case { return &storagev1.Case{} })
	stepTable  = store.NewTable(steps, func() *storagev1.Step { return &storagev1.Step{} })
	partyTable = store.NewTable(parties, func() *storagev1.Party { return &storagev1.Party{} })
	planTable  = store.NewTable(plans, func() *typev1.EventTime { return &typev1.EventTime{} })
)

// Schema is what tower keeps.
func Schema() store.Schema {
	return store.Schema{
		Service: Service,
		Version: 4, // 2 keeps plans, 3 exceptions and progress, 4 payloads
		Buckets: []*store.Bucket{cases, steps, pieces, parties, plans, exceptions, progress, arrival, caseByReference, folded, stepByReference},
		Rebuild: rebuild,
	}
}

// indexWriter is what the derived buckets are filled through: a change under way, or a rebuild.
type indexWriter interface {
	Put(ctx context.Context, b *store.Bucket, key, value []byte) error
}

func rebuild(ctx context.Context, r store.Reader, w *store.DerivedWriter) error {
	err := store.Each(ctx, r, cases, nil, func(kv store.KV) error {
		rec := &storagev1.Case{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		return indexCase(ctx, w, rec, 0)
	})
	if err != nil {
		return err
	}
	return store.Each(ctx, r, steps, nil, func(kv store.KV) error {
		rec := &storagev1.Step{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		return indexStep(ctx, w, kv.Key, rec)
	})
}

// indexCase leads from the references of a case after the first known ones to it.
func indexCase(ctx context.Context, w indexWriter, rec *storagev1.Case, known int) error {
	id := CaseID(rec.GetCase().GetName())
	for _, ref := range rec.GetCase().GetReferences()[known:] {
		if err := w.Put(ctx, caseByReference, store.Key(ref.GetValue(), id), []byte{1}); err != nil {
			return err
		}
		if err := w.Put(ctx, folded, foldedKey(ref.GetValue()), []byte{1}); err != nil {
			return err
		}
	}
	return nil
}

func indexStep(ctx context.Context, w indexWriter, key []byte, rec *storagev1.Step) error {
	for _, ref := range rec.GetReferences() {
		if err := w.Put(ctx, stepByReference, append(store.Key(ref), key...), []byte{1}); err != nil {
			return err
		}
	}
	return nil
}

// CaseID is the id in a case's name, which is the order's.
func CaseID(name string) string { return name[strings.IndexByte(name, '/')+1:] }
