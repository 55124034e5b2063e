package app

import (
	"context"

	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/orders/internal/order"
	"crossdock.dev/services/orders/internal/store"
)

// Create takes an order in. A customer's order number that is known is a *order.DuplicateError.
func (a *App) Create(ctx context.Context, cause platform.Cause, d order.Draft) (Answer, error) {
	d.Name = "orders/" + a.ids.New("ord")
	ch, at, err := a.store.Change(ctx, cause, func(tx *store.Tx) (order.Change, error) {
		existing, err := tx.OrderByNumber(ctx, d.Customer, d.Number)
		if err != nil {
			return order.Change{}, err
		}
		if existing != "" {
			return order.Change{}, &order.DuplicateError{Existing: existing}
		}
		ch, err := order.Create(d, tx.Catalog(ctx), a.policy, a.business.Now())
		if err != nil {
			return order.Change{}, err
		}
		return ch, tx.Save(ctx, ch)
	})
	return Answer{ch, at}, err
}
