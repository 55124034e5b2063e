package app

import (
	"context"

	"crossdock.dev/services/orders/internal/order"
	"crossdock.dev/services/orders/internal/store"
)

// Order returns an order, or order.ErrNotFound.
func (a *App) Order(ctx context.Context, name string) (o order.Order, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		o, err = r.Order(ctx, name, "")
		return err
	})
	return o, err
}

// Page is a part of a list.
type Page struct {
	Orders []order.Order
	Last   []byte // the key of the last one
	More   bool
}

// Orders lists orders, newest first, after the key of the page before. A page ends early when it has many lines.
func (a *App) Orders(ctx context.Context, f store.Filter, after []byte, size int) (p Page, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		p = Page{}
		rows, more, err := r.List(ctx, f, after, size)
		if err != nil {
			return err
		}
		lines := 0
		for i, row := range rows {
			o, err := r.Order(ctx, row.Name, "")
			if err != nil {
				return err
			}
			p.Orders, p.Last, p.More = append(p.Orders, o), row.Key, more || i < len(rows)-1
			if lines += len(o.Lines); lines >= maxPageLines {
				return nil
			}
		}
		return nil
	})
	return p, err
}

// maxPageLines keeps a page of large orders within the size of a message.
const maxPageLines = 2000

// Releases returns an order and its releases after a number, with their lines.
func (a *App) Releases(ctx context.Context, name string, after, size int) (o order.Order, rs []order.Release, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		if o, err = r.Order(ctx, name, ""); err != nil {
			return err
		}
		all, err := r.Releases(ctx, o, func(n int) bool { return n > after && n <= after+size })
		if err != nil {
			return err
		}
		rs = all[min(after, len(all)):min(after+size, len(all))]
		return nil
	})
	return o, rs, err
}
