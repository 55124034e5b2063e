package app

import (
	"context"

	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/milestone"
	"crossdock.dev/services/freight/internal/pod"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/store"
	"crossdock.dev/services/freight/internal/tender"
)

// Shipment reads a shipment: a partner its own as the customer.
func (a *App) Shipment(ctx context.Context, name string, sees Sees) (s shipment.Shipment, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		if s, err = r.Shipment(name); err == nil && !sees(s.Customer) {
			return refusal.ErrNotFound
		}
		return err
	})
	return s, err
}

// Load reads a load: a partner that which it took.
func (a *App) Load(ctx context.Context, name string, sees Sees) (l load.Load, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		if l, err = r.Load(name); err != nil {
			return err
		}
		return visibleLoad(l, sees)
	})
	return l, err
}

// Tender reads an offer: a partner that which was made to it.
func (a *App) Tender(ctx context.Context, name string, sees Sees) (t tender.Tender, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		if t, err = r.Tender(name); err == nil && !sees(t.Carrier) {
			return refusal.ErrNotFound
		}
		return err
	})
	return t, err
}

// Proof reads a proof and who signed it: a partner as the customer or the carrier.
func (a *App) Proof(ctx context.Context, name string, sees Sees) (p pod.Proof, receivedBy string, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		if p, err = r.Proof(name); err != nil {
			return err
		}
		if !sees(p.Customer, p.Carrier) {
			return refusal.ErrNotFound
		}
		receivedBy, err = r.Signatory(name)
		return err
	})
	return p, receivedBy, err
}

// List is what the lists have in common. Party is the partner that asks; empty shows all.
type List struct {
	Party string
	After []byte // the last key seen
	Size  int
}

// Tenders lists offers, newest first: a partner's are those made to it.
func (a *App) Tenders(ctx context.Context, q List, load string, state tender.State) (p store.Page[tender.Tender], err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		p, err = r.Tenders(q.Party, load, state, q.After, q.Size)
		return err
	})
	return p, err
}

// Loads lists loads, newest first: a partner's are those that it took.
func (a *App) Loads(ctx context.Context, q List, number string) (p store.Page[load.Load], err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		p, err = r.Loads(q.Party, number, q.After, q.Size)
		return err
	})
	return p, err
}

// Shipments lists shipments, newest first: a partner's are its own as the customer.
func (a *App) Shipments(ctx context.Context, q List, order string) (p store.Page[shipment.Shipment], err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		p, err = r.Shipments(q.Party, order, q.After, q.Size)
		return err
	})
	return p, err
}

// Claims lists the claims of a load that the caller may see, by stop and time.
func (a *App) Claims(ctx context.Context, name string, sees Sees, q List) (p store.Page[milestone.Claim], err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		l, err := r.Load(name)
		if err != nil {
			return err
		}
		if err := visibleLoad(l, sees); err != nil {
			return err
		}
		p, err = r.ClaimsPage(name, q.After, q.Size)
		return err
	})
	return p, err
}
