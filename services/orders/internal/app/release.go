package app

import (
	"context"

	"crossdock.dev/services/orders/internal/order"
	"crossdock.dev/services/orders/internal/store"
)

// Release hands the wanted quantities to planning, or all that is unreleased when none are wanted.
func (a *App) Release(ctx context.Context, t Target, want []order.LineQuantity) (Answer, error) {
	return a.change(ctx, t, func(tx *store.Tx, o order.Order) (order.Change, error) {
		return o.ReleaseLines(want, tx.Catalog(ctx), a.policy, a.business.Now())
	})
}
