package app

import (
	"context"

	"google.golang.org/protobuf/proto"

	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/masterdata/internal/resource"
	"crossdock.dev/services/masterdata/internal/store"
)

// ApproveInput says what to put into use.
type ApproveInput struct {
	Cause platform.Cause
	Name  string
	// ETag is the revision that the caller has seen; empty means any.
	ETag string
}

// Approve puts a resource into use and tells it. Approving an approved one changes nothing and succeeds, whatever revision
// the caller has seen.
func (a *App) Approve(ctx context.Context, k resource.Kind, in ApproveInput) (proto.Message, platform.Position, error) {
	return a.store.Change(ctx, in.Cause, k, func(tx *store.Tx) (proto.Message, error) {
		old, err := tx.Resource(ctx, in.Name)
		if err != nil {
			return nil, err
		}
		if k.Approval.Approved(old) {
			return old, nil
		}
		if in.ETag != "" && in.ETag != resource.ETag(old) {
			return nil, resource.ErrStale
		}
		now := proto.Clone(old)
		k.Approval.Approve(now, a.clock.Now())
		return a.approve(ctx, tx, k, old, now)
	})
}

func (a *App) approve(ctx context.Context, tx *store.Tx, k resource.Kind, old, now proto.Message) (proto.Message, error) {
	resource.SetETag(now, resource.NextETag(resource.ETag(old)))
	fact := k.Fact(now)
	return now, tx.Save(ctx, k, old, now, &fact)
}
