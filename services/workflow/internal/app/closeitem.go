package app

import (
	"context"
	"errors"

	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/workflow/internal/process"
	"crossdock.dev/services/workflow/internal/store"
)

// ErrStaleETag: the work item changed since the caller read it.
var ErrStaleETag = errors.New("the work item has changed")

// CloseItem closes a work item. For a command that was refused, it is sent again: whoever closes the item says that the
// reason is gone.
func (a *App) CloseItem(ctx context.Context, tx *platform.Tx, id, etag, by, note string) (process.WorkItem, error) {
	w, now, err := store.WorkItem(ctx, tx, id)
	if err != nil {
		return process.WorkItem{}, err
	}
	if etag != "" && etag != now {
		return process.WorkItem{}, ErrStaleETag
	}
	w, changed := w.Close(by, note, a.clock.Now())
	if !changed {
		return w, nil
	}
	if err := a.saveItem(ctx, tx, w); err != nil {
		return process.WorkItem{}, err
	}
	if w.Reason != process.CommandRefused && w.Reason != process.CancellationRefused {
		return w, nil
	}
	p, err := store.Process(ctx, tx, processID(w.Subject))
	if err != nil {
		return process.WorkItem{}, err
	}
	return w, a.happened(ctx, tx, p, process.SentAgain{})
}
