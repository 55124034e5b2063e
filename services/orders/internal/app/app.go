// Package app holds the service's verbs: each loads, lets the domain decide, and saves, in one transaction with the cause that
// came in. It promises that a verb that is refused writes nothing, and that a repeat of the same cause gets the same answer.
// Who may call is decided before (api), what a verb means in package order.
package app

import (
	"context"

	"crossdock.dev/platform/clock"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/orders/internal/order"
	"crossdock.dev/services/orders/internal/store"
)

// App is the service's verbs over its store.
type App struct {
	store    store.Store
	business clock.Business
	ids      typeid.Source
	policy   order.Policy
}

// New returns the verbs.
func New(s store.Store, business clock.Business, ids typeid.Source, policy order.Policy) *App {
	return &App{s, business, ids, policy}
}

// Target is the order that a verb is for, and why it happens.
type Target struct {
	Cause platform.Cause
	Name  string
	ETag  string // the revision that the caller has seen; empty for any
}

// Answer is what a verb made, and where it stands in the log.
type Answer struct {
	order.Change
	Position platform.Position
}

// change loads the target, lets a verb decide and saves what it made.
func (a *App) change(ctx context.Context, t Target, verb func(tx *store.Tx, o order.Order) (order.Change, error)) (Answer, error) {
	ch, at, err := a.store.Change(ctx, t.Cause, func(tx *store.Tx) (order.Change, error) {
		o, err := tx.Order(ctx, t.Name, t.ETag)
		if err != nil {
			return order.Change{}, err
		}
		ch, err := verb(tx, o)
		if err != nil {
			return order.Change{}, err
		}
		return ch, tx.Save(ctx, ch)
	})
	return Answer{ch, at}, err
}
