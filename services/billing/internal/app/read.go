package app

import (
	"context"
	"slices"

	"crossdock.dev/services/billing/internal/accrual"
	"crossdock.dev/services/billing/internal/freightbill"
	"crossdock.dev/services/billing/internal/invoice"
	"crossdock.dev/services/billing/internal/ledger"
	"crossdock.dev/services/billing/internal/store"
)

// view reads one value.
func view[T any](ctx context.Context, a *App, read func(store.Reader) (T, error)) (out T, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		out, err = read(r)
		return err
	})
	return out, err
}

// Authorization returns one authorisation, or store.ErrNotFound.
func (a *App) Authorization(ctx context.Context, name string) (invoice.Authorization, error) {
	return view(ctx, a, func(r store.Reader) (invoice.Authorization, error) { return r.Authorization(name) })
}

// Invoice returns one issued invoice, or store.ErrNotFound.
func (a *App) Invoice(ctx context.Context, name string) (invoice.Invoice, error) {
	return view(ctx, a, func(r store.Reader) (invoice.Invoice, error) { return r.Invoice(name) })
}

// FreightBill returns one bill, or store.ErrNotFound.
func (a *App) FreightBill(ctx context.Context, name string) (freightbill.Bill, error) {
	return view(ctx, a, func(r store.Reader) (freightbill.Bill, error) { return r.FreightBill(name) })
}

// ErrNotFound is returned for what does not exist.
var ErrNotFound = store.ErrNotFound

// Query asks for a part of a newest-first list. Empty filters ask for everything.
type Query struct {
	Party  string // only what concerns this customer or carrier
	Number string // invoices: with this number
	Order  string // invoices: of this order
	Load   string // bills: of this load number; accruals: of this load
	State  string // bills: in this state
	After  []byte // the last key seen; nil is the newest
	Size   int
}

// scope is the narrowest list that holds what a query asks for.
func (q Query) scope() store.Scope {
	scope := store.Everything
	switch {
	case q.Number != "":
		scope = store.OfNumber(q.Number)
	case q.Order != "":
		scope = store.OfOrder(q.Order)
	case q.Load != "":
		scope = store.OfLoad(q.Load)
	case q.State != "":
		scope = store.OfState(q.State)
	}
	switch {
	case q.Party == "":
		return scope
	case scope == store.Everything:
		return store.OfParty(q.Party)
	}
	return scope.Within(store.OfParty(q.Party))
}

// Invoices returns a part of the invoices and the last key seen, nil at the end.
func (a *App) Invoices(ctx context.Context, q Query) ([]invoice.Invoice, []byte, error) {
	found, last, err := list(ctx, a, store.InvoiceList, q, store.Reader.Invoice)
	if q.Order != "" { // a number and an order together: the number's list holds one invoice at most
		found = slices.DeleteFunc(found, func(i invoice.Invoice) bool { return i.Order != q.Order })
	}
	return found, last, err
}

// FreightBills returns a part of the carriers' bills.
func (a *App) FreightBills(ctx context.Context, q Query) ([]freightbill.Bill, []byte, error) {
	found, last, err := list(ctx, a, store.BillList, q, store.Reader.FreightBill)
	if q.State != "" { // a load and a state together: the load's list is short
		found = slices.DeleteFunc(found, func(b freightbill.Bill) bool { return b.State.String() != q.State })
	}
	return found, last, err
}

// Accruals returns a part of the accruals.
func (a *App) Accruals(ctx context.Context, q Query) ([]accrual.Accrual, []byte, error) {
	return list(ctx, a, store.AccrualList, q, store.Reader.Accrual)
}

func list[T any](ctx context.Context, a *App, l store.List, q Query, get func(store.Reader, string) (T, error)) (out []T, last []byte, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		page, err := r.List(l, q.scope(), q.After, q.Size)
		if err != nil {
			return err
		}
		last = page.Last
		for _, name := range page.Names {
			v, err := get(r, name)
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		return nil
	})
	return out, last, err
}

// Journal returns a part of the journal, oldest first, and the last key seen, nil at the end. related narrows it to a name or
// number; empty means all.
func (a *App) Journal(ctx context.Context, related string, after []byte, size int) (out []ledger.Posting, last []byte, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		out, last, err = r.Journal(related, after, size)
		return err
	})
	return out, last, err
}

// TrialBalance sums the journal by currency and account; empty means all legal entities.
func (a *App) TrialBalance(ctx context.Context, legalEntity string) (ledger.Balances, error) {
	return view(ctx, a, func(r store.Reader) (ledger.Balances, error) { return r.Balances(legalEntity) })
}
