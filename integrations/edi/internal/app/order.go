package app

import (
	"context"
	"errors"

	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/integrations/edi/mapping"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
)

// Origin is what an order needs beside what its 850 says.
type Origin struct {
	Customer string // "parties/CUS-XYZ"
	Currency string // of amounts that come without one, ISO 4217
	Source   string // the set, "interchanges/edi_.../sets/1"
}

// Orders is the service that orders are handed to.
type Orders interface {
	// Request makes the bytes of the request to create an order; problems keep it from being sent.
	Request(po mapping.PurchaseOrder, from Origin) (request []byte, problems []mapping.Problem)
	// Create sends the request and returns the order's name. An *ExistsError says that the number has an order, a *RefusedError
	// that no repeat will help; after any other error the same request may be sent again with the same id.
	Create(ctx context.Context, requestID string, request []byte) (order string, err error)
}

// ExistsError says that the customer's order number has an order.
type ExistsError struct{ Order string }

// Error returns the refusal in words.
func (e *ExistsError) Error() string { return "the order number is taken by " + e.Order }

// RefusedError says that an order was refused for good.
type RefusedError struct{ Detail string }

// Error returns the refusal in words.
func (e *RefusedError) Error() string { return e.Detail }

// order hands an order on and books what became of it.
func (a *App) order(ctx context.Context, t tasks.Task) (tasks.Done, error) {
	id, index, err := parseWork(t)
	if err != nil {
		return nil, err
	}
	x, s, err := a.load(ctx, t)
	if err != nil {
		return nil, err
	}
	var request []byte
	err = a.Store.View(ctx, func(r platform.Reader) (err error) {
		request, err = store.Request(ctx, r, id, index)
		return err
	})
	if err != nil {
		return nil, err
	}
	name, err := a.Orders.Create(ctx, t.ID, request)
	v := message.Verdict{Disposition: message.Applied, Result: name}
	var exists *ExistsError
	var refused *RefusedError
	switch {
	case errors.As(err, &exists):
		v = message.Verdict{Disposition: message.Duplicate, Reason: message.Clean(exists.Error(), 400), Result: exists.Order}
	case errors.As(err, &refused):
		v = message.Verdict{Disposition: message.Parked, Code: message.OrderRefused, Reason: message.Clean(refused.Detail, 400)}
	case err != nil:
		return nil, err
	}
	return func(ctx context.Context, tx *platform.Tx) error {
		if err := store.DropRequest(ctx, tx, id, index); err != nil {
			return err
		}
		// Of a refused order the number is free again: a corrected one may come under it.
		if err := store.OrderBecame(ctx, tx, x.Party, s.OrderNumber(), v.Result); err != nil {
			return err
		}
		return store.Settle(ctx, tx, id, index, v)
	}, nil
}
