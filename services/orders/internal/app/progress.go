package app

import (
	"context"

	"crossdock.dev/services/orders/internal/order"
	"crossdock.dev/services/orders/internal/store"
)

// Progress moves a release on, within the transaction of the fact that says so. What is known already changes nothing.
func (a *App) Progress(ctx context.Context, tx *store.Tx, name string, release int, move func(order.Release) (order.Release, error)) error {
	o, err := tx.Order(ctx, name, "")
	if err != nil {
		return err
	}
	releases, err := tx.Releases(ctx, o, func(n int) bool { return n == release })
	if err != nil {
		return err
	}
	ch, err := o.Progress(releases, release, a.business.Now(), move)
	if err != nil {
		return err
	}
	return tx.Save(ctx, ch)
}
