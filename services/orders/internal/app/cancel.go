package app

import (
	"context"

	"crossdock.dev/services/orders/internal/order"
	"crossdock.dev/services/orders/internal/store"
)

// Cancel cancels an order, or notes that its releases have to be called off first. Cancelling it again changes nothing and succeeds.
func (a *App) Cancel(ctx context.Context, t Target, reason string) (Answer, error) {
	return a.change(ctx, t, func(tx *store.Tx, o order.Order) (order.Change, error) {
		releases, err := tx.Releases(ctx, o, func(int) bool { return true })
		if err != nil {
			return order.Change{}, err
		}
		return o.Cancel(releases, reason, a.business.Now())
	})
}
