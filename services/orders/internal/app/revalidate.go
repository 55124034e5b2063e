package app

import (
	"context"
	"fmt"

	"crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
	ordersstore "crossdock.dev/services/orders/internal/store"
)

// revalidateBatch is how many orders one change looks at again, so that an item which many orders miss does not make one
// change of all of them; the rest follows in tasks.
const revalidateBatch = 50

// Revalidate looks again at the orders that wait for any of the keys of master data, within the transaction of the fact that
// brought it. after is the order to go on after; empty begins.
func (a *App) Revalidate(ctx context.Context, tx *ordersstore.Tx, keys []string, after string) error {
	names, err := tx.Waiting(ctx, keys, after, revalidateBatch)
	if err != nil {
		return err
	}
	for _, name := range names {
		o, err := tx.Order(ctx, name, "")
		if err != nil {
			return err
		}
		ch, err := o.Revalidate(tx.Catalog(ctx), a.policy, a.business.Now())
		if err != nil {
			return fmt.Errorf("look again at %s: %w", name, err)
		}
		if err := tx.Save(ctx, ch); err != nil {
			return err
		}
	}
	if len(names) < revalidateBatch {
		return nil
	}
	return tx.LookAgain(ctx, keys, names[len(names)-1])
}

// Handlers carry out the service's tasks, by kind. They call nobody.
func (a *App) Handlers() map[string]tasks.Handler {
	return map[string]tasks.Handler{
		ordersstore.RevalidateTask: func(_ context.Context, t tasks.Task) (tasks.Done, error) {
			keys, after, err := ordersstore.ParseLookAgain(t.Payload)
			if err != nil {
				return nil, tasks.Permanent(err)
			}
			return func(ctx context.Context, tx *store.Tx) error {
				return a.Revalidate(ctx, ordersstore.WithTx(tx), keys, after)
			}, nil
		},
	}
}
