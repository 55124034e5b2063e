// Package store keeps workflow's processes and work items.
package store

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/workflow/storage/v1"
	"crossdock.dev/platform/store"
)

// Service is the name of the service, its log and its store file.
const Service = "workflow"

// The buckets. Ids are time-ordered, so that a scan backwards is newest first.
var (
	processes = &store.Bucket{Name: "processes", Kind: store.Record, Doc: "process id -> storage.Process"}
	steps     = &store.Bucket{Name: "process_steps", Kind: store.Record, Doc: "process id, number from 1 -> storage.Step"}
	workItems = &store.Bucket{Name: "work_items", Kind: store.Record, Doc: "work item id -> storage.WorkItem"}
	byName    = &store.Bucket{Name: "process_by_name", Kind: store.Derived, Doc: "release, order, shipment, load or authorisation, process id -> empty"}
	openItems = &store.Bucket{Name: "open_work_items", Kind: store.Derived, Doc: "subject, reason -> work item id"}
)

var (
	processTable = store.NewTable(processes, func() *storagev1.Process { return &storagev1.Process{} })
	stepTable    = store.NewTable(steps, func() *storagev1.Step { return &storagev1.Step{} })
	itemTable    = store.NewTable(workItems, func() *storagev1.WorkItem { return &storagev1.WorkItem{} })
)

// Schema is what workflow keeps.
func Schema() store.Schema {
	return store.Schema{
		Service: Service,
		Version: 1,
		Buckets: []*store.Bucket{processes, steps, workItems, byName, openItems},
		Rebuild: rebuild,
	}
}

// indexWriter is what the derived buckets are filled through: a change under way, or a rebuild.
type indexWriter interface {
	Put(ctx context.Context, b *store.Bucket, key, value []byte) error
}

func rebuild(ctx context.Context, r store.Reader, w *store.DerivedWriter) error {
	err := store.Each(ctx, r, processes, nil, func(kv store.KV) error {
		rec := &storagev1.Process{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		return indexProcess(ctx, w, rec)
	})
	if err != nil {
		return err
	}
	return store.Each(ctx, r, workItems, nil, func(kv store.KV) error {
		rec := &storagev1.WorkItem{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		return indexItem(ctx, w, rec)
	})
}

func indexProcess(ctx context.Context, w indexWriter, rec *storagev1.Process) error {
	for _, name := range names(rec) {
		if err := w.Put(ctx, byName, store.Key(name, rec.GetId()), []byte{1}); err != nil {
			return err
		}
	}
	return nil
}

// names are what leads to a process.
func names(rec *storagev1.Process) []string {
	all := []string{rec.GetOrderRelease(), rec.GetOrder(), rec.GetShipment(), rec.GetLoad(), rec.GetAuthorization(), rec.GetInvoice()}
	return slices.DeleteFunc(all, func(name string) bool { return name == "" })
}

func indexItem(ctx context.Context, w indexWriter, rec *storagev1.WorkItem) error {
	if rec.GetState() != itemOpen {
		return nil
	}
	return w.Put(ctx, openItems, store.Key(rec.GetSubject(), rec.GetReason()), []byte(rec.GetId()))
}

const itemOpen = 1
