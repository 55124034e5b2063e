package store

import (
	"context"
	"errors"

	storagev1 "crossdock.dev/gen/crossdock/tower/storage/v1"
	"crossdock.dev/platform/store"
)

var (
	exceptions = &store.Bucket{Name: "exceptions", Kind: store.Record, Doc: "open work item -> storage.Exception"}
	progress   = &store.Bucket{Name: "progress", Kind: store.Record, Doc: "order id -> storage.Progress"}

	exceptionTable = store.NewTable(exceptions, func() *storagev1.Exception { return &storagev1.Exception{} })
	progressTable  = store.NewTable(progress, func() *storagev1.Progress { return &storagev1.Progress{} })
)

// PutException keeps an open work item.
func PutException(ctx context.Context, tx *store.Tx, e *storagev1.Exception) error {
	return exceptionTable.Put(ctx, tx, store.Key(e.GetException().GetWorkItem()), e)
}

// DeleteException forgets a work item that was closed.
func DeleteException(ctx context.Context, tx *store.Tx, workItem string) error {
	return exceptionTable.Delete(ctx, tx, store.Key(workItem))
}

// OpenException reads an open work item; nil when it is not known or closed.
func OpenException(ctx context.Context, r store.Reader, workItem string) (*storagev1.Exception, error) {
	rec, err := exceptionTable.Get(ctx, r, store.Key(workItem))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return rec, err
}

// Exceptions reads up to n open work items after the one named, by name, which is the order in which they were opened; from the
// first when it is empty.
func Exceptions(ctx context.Context, r store.Reader, after string, n int) ([]*storagev1.Exception, error) {
	rg := store.Range{Limit: n}
	if after != "" {
		rg.From = append(store.Key(after), 0)
	}
	rows, err := exceptionTable.Scan(ctx, r, rg)
	out := make([]*storagev1.Exception, len(rows))
	for i, row := range rows {
		out[i] = row.Value
	}
	return out, err
}

// EachException calls fn for every open work item, in the order in which they were opened.
func EachException(ctx context.Context, r store.Reader, fn func(*storagev1.Exception) error) error {
	after := ""
	for {
		page, err := Exceptions(ctx, r, after, 256)
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := fn(e); err != nil {
				return err
			}
			after = e.GetException().GetWorkItem()
		}
		if len(page) < 256 {
			return nil
		}
	}
}

// Progress reads what happened to a case and its money, by the id of its order; an empty record when there is none yet.
func Progress(ctx context.Context, r store.Reader, id string) (*storagev1.Progress, error) {
	rec, err := progressTable.Get(ctx, r, store.Key(id))
	if errors.Is(err, store.ErrNotFound) {
		return &storagev1.Progress{}, nil
	}
	return rec, err
}

// PutProgress saves what happened to a case and its money.
func PutProgress(ctx context.Context, tx *store.Tx, id string, p *storagev1.Progress) error {
	return progressTable.Put(ctx, tx, store.Key(id), p)
}
