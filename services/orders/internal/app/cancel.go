package app

import (
	"context"

	"crossdock.dev/services/orders/internal/order"
	"crossdock.dev/services/orders/internal/store"
)

// Cancel cancels all of an order of which nothing is released. Cancelling it again changes nothing and succeeds.
func (a *App) Cancel(ctx context.Context, t Target, reason string) (Answer, error) {
	return a.change(ctx, t, func(_ *store.Tx, o order.Order) (order.Change, error) {
		return o.Cancel(reason, a.business.Now())
	})
}
