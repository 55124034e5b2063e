package app

import (
	"context"

	"crossdock.dev/services/orders/internal/order"
	"crossdock.dev/services/orders/internal/store"
)

// Confirm promises a draft without holds. Confirming a confirmed order changes nothing and succeeds.
func (a *App) Confirm(ctx context.Context, t Target) (Answer, error) {
	return a.change(ctx, t, func(tx *store.Tx, o order.Order) (order.Change, error) {
		return o.Confirm(tx.Catalog(ctx), a.policy, a.business.Now())
	})
}
