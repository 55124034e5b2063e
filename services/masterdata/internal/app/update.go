package app

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/masterdata/internal/resource"
	"crossdock.dev/services/masterdata/internal/rule"
	"crossdock.dev/services/masterdata/internal/store"
)

// UpdateInput is a change that somebody wants.
type UpdateInput struct {
	Cause platform.Cause
	// Resource is the resource with its new values; its etag, if any, is the revision that the caller has seen.
	Resource proto.Message
	// Mask names the fields to change; empty means all.
	Mask []string
	// AllowMissing says to create the resource when there is none; the mask then plays no part.
	AllowMissing bool
}

// Update changes a resource or creates it. An update that changes nothing succeeds and tells nothing, also of an approved
// resource. The errors are those of package resource, and rule.Fields.
func (a *App) Update(ctx context.Context, k resource.Kind, in UpdateInput) (proto.Message, platform.Position, error) {
	if bad := resource.CheckMask(in.Resource, in.Mask); len(bad) > 0 {
		return nil, platform.Position{}, bad
	}
	return a.store.Change(ctx, in.Cause, k, func(tx *store.Tx) (proto.Message, error) {
		old, err := tx.Resource(ctx, resource.Name(in.Resource))
		switch {
		case errors.Is(err, resource.ErrNotFound):
			return a.create(ctx, tx, k, in)
		case err != nil:
			return nil, err
		}
		if seen := resource.ETag(in.Resource); seen != "" && seen != resource.ETag(old) {
			return nil, resource.ErrStale
		}
		now := resource.Merge(old, in.Resource, in.Mask, output(k))
		if proto.Equal(old, now) {
			return old, nil
		}
		if k.Approval != nil && k.Approval.Approved(old) {
			return nil, resource.ErrApproved
		}
		var bad rule.Fields
		if k.Keep != nil {
			bad = k.Keep(old, now)
		}
		return a.save(ctx, tx, k, old, now, bad)
	})
}

func (a *App) create(ctx context.Context, tx *store.Tx, k resource.Kind, in UpdateInput) (proto.Message, error) {
	switch {
	case !in.AllowMissing:
		return nil, resource.ErrNotFound
	case resource.ETag(in.Resource) != "": // the caller has seen a resource that is not there
		return nil, resource.ErrStale
	}
	now := proto.Clone(in.Resource)
	resource.Clear(now, output(k))
	if k.Approval != nil {
		k.Approval.Begin(now)
	}
	return a.save(ctx, tx, k, nil, now, nil)
}

// save checks the resource and writes it with the fact of its change. A kind with an approval tells nothing before it.
func (a *App) save(ctx context.Context, tx *store.Tx, k resource.Kind, old, now proto.Message, bad rule.Fields) (proto.Message, error) {
	more, err := k.Check(ctx, now, tx)
	if err != nil {
		return nil, err
	}
	bad = append(bad, more...)
	etag := ""
	if old != nil {
		etag = resource.ETag(old)
	}
	resource.SetETag(now, resource.NextETag(etag))
	var fact *resource.Fact
	if k.Approval == nil {
		f := k.Fact(now)
		fact = &f
	}
	// Keys are checked as they are saved; a refused change leaves nothing of them.
	var taken rule.Fields
	if err := tx.Save(ctx, k, old, now, fact); errors.As(err, &taken) {
		bad = append(bad, taken...)
	} else if err != nil {
		return nil, err
	}
	if len(bad) > 0 {
		return nil, bad.Under(k.Field)
	}
	return now, nil
}
