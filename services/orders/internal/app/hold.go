package app

import (
	"context"

	"crossdock.dev/services/orders/internal/order"
	"crossdock.dev/services/orders/internal/store"
)

// PlaceHold puts a hold on an order; one of the kind that stands already stays as it is.
func (a *App) PlaceHold(ctx context.Context, t Target, h order.Hold) (Answer, error) {
	return a.change(ctx, t, func(_ *store.Tx, o order.Order) (order.Change, error) {
		return o.PlaceHold(h, a.business.Now())
	})
}

// ReleaseHold takes a hold away; with the last one gone the order is confirmed and, where the terms say so, released.
func (a *App) ReleaseHold(ctx context.Context, t Target, k order.HoldKind) (Answer, error) {
	return a.change(ctx, t, func(tx *store.Tx, o order.Order) (order.Change, error) {
		return o.ReleaseHold(k, tx.Catalog(ctx), a.policy, a.business.Now())
	})
}
