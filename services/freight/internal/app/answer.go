package app

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"

	"crossdock.dev/services/freight/internal/cost"
	"crossdock.dev/services/freight/internal/fact"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/milestone"
	"crossdock.dev/services/freight/internal/network"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/store"
	"crossdock.dev/services/freight/internal/tender"
)

// AcceptInput takes an offer.
type AcceptInput struct {
	Cause            Cause
	Name             string
	ETag             string // empty for whatever it is now
	CarrierReference string // PRO number; may be empty
	Sees             Sees
}

// AcceptTender books the load with the carrier. Accepting an accepted offer changes nothing and succeeds.
func (a *App) AcceptTender(ctx context.Context, in AcceptInput) (tender.Tender, Position, error) {
	return store.Change(ctx, a.store, in.Cause, store.TenderAnswer, func(tx *store.Tx) (tender.Tender, error) {
		t, err := visibleTender(tx, in.Name, in.ETag, in.Sees)
		if err != nil || t.Done(tender.Accept) {
			return t, err
		}
		l, err := tx.Load(t.Load)
		if err != nil {
			return t, err
		}
		c, err := tx.Carrier(t.Carrier)
		if absent(err) {
			c = network.Carrier{LateAccept: network.Reject, Equipment: l.Equipment}
		} else if err != nil {
			return t, err
		}
		if t, err = t.Accept(a.clock.Now(), c.LateAccept, l.Open()); err != nil {
			return t, err
		}
		return t, a.book(tx, l, &t, c, in.CarrierReference)
	})
}

// book gives a load to the carrier that accepted. An offer that is out to another carrier, because the acceptance came late, is
// taken back.
func (a *App) book(tx *store.Tx, l load.Load, t *tender.Tender, c network.Carrier, reference string) error {
	var withdrawn *tender.Tender
	if l.Tender != "" && l.Tender != t.Name {
		other, err := tx.Tender(l.Tender)
		if err != nil {
			return err
		}
		if other, err = other.Withdraw(); err != nil {
			return err
		}
		if err := a.settle(tx, &other); err != nil {
			return err
		}
		withdrawn = &other
	}
	l, err := l.Move(load.Book)
	if err != nil {
		return err
	}
	l.Carrier, l.CarrierReference, l.Tender, l.Charges, l.Equipment = t.Carrier, reference, t.Name, t.Charges, c.Equipment
	aboard, err := tx.Aboard(l)
	if err != nil {
		return err
	}
	if l.Charges, err = allocated(l.Charges, aboard...); err != nil {
		return err
	}
	before := slices.Clone(aboard)
	for i, s := range aboard {
		if aboard[i], err = s.Move(shipment.Book); err != nil {
			return err
		}
		if err := a.watch(tx, l, &aboard[i], milestone.History{}, a.clock.Now()); err != nil {
			return err
		}
		if err := tx.PutShipment(&aboard[i]); err != nil {
			return err
		}
	}
	if err := tx.PutLoad(&l); err != nil {
		return err
	}
	if err := a.settle(tx, t); err != nil {
		return err
	}
	about := fact.About{Load: l, Shipments: aboard}
	if withdrawn != nil {
		if err := tx.Tell(fact.TenderWithdrawn{About: about, Tender: *withdrawn}); err != nil {
			return err
		}
	}
	facts := []fact.Fact{fact.TenderAccepted{About: about, Tender: *t}, fact.LoadBooked{About: about, Tender: *t}}
	for i, was := range before {
		facts = append(facts, trusts(about, was, aboard[i], milestone.History{}, false)...)
	}
	return tx.Tell(facts...)
}

// allocated splits charges over the shipments that bear them; nil stays nil.
func allocated(charges *cost.Rated, aboard ...shipment.Shipment) (*cost.Rated, error) {
	if charges == nil {
		return nil, nil
	}
	out, err := charges.Allocate(bearers(aboard...))
	return &out, err
}

func bearers(aboard ...shipment.Shipment) []cost.Bearer {
	var out []cost.Bearer
	for _, s := range aboard {
		out = append(out, cost.Bearer{Shipment: s.Name, Weight: s.GrossWeight})
	}
	return out
}

// settle saves an offer that needs no clock any more.
func (a *App) settle(tx *store.Tx, t *tender.Tender) error {
	if err := tx.Never(t.ExpiryTask); err != nil {
		return err
	}
	return tx.PutTender(t)
}

// DeclineInput refuses an offer.
type DeclineInput struct {
	Cause  Cause
	Name   string
	ETag   string // empty for whatever it is now
	Reason tender.DeclineReason
	Note   string
	Sees   Sees
}

// DeclineTender refuses an offer; the next carrier is asked in the same commit. Declining a declined offer changes nothing.
func (a *App) DeclineTender(ctx context.Context, in DeclineInput) (tender.Tender, Position, error) {
	return store.Change(ctx, a.store, in.Cause, store.TenderAnswer, func(tx *store.Tx) (tender.Tender, error) {
		t, err := visibleTender(tx, in.Name, in.ETag, in.Sees)
		if err != nil || t.Done(tender.Decline) {
			return t, err
		}
		now := a.clock.Now()
		if t, err = t.Decline(now, in.Reason, in.Note); err != nil {
			return t, err
		}
		if err := a.settle(tx, &t); err != nil {
			return t, err
		}
		l, aboard, err := loadOf(tx, t)
		if err != nil {
			return t, err
		}
		l, next, err := a.offerNext(tx, l, aboard, now)
		if err != nil {
			return t, err
		}
		if err := tx.Tell(fact.TenderDeclined{About: fact.About{Load: l, Shipments: aboard}, Tender: t}); err != nil {
			return t, err
		}
		return t, tx.Tell(next...)
	})
}

// expire ends an offer whose time has passed; the next carrier is asked in the same commit. An offer that was answered
// meanwhile stays as it is.
func (a *App) expire(_ context.Context, task tasks.Task) (tasks.Done, error) {
	return func(ctx context.Context, ptx *platform.Tx) error {
		tx := store.Wrap(ctx, ptx)
		t, err := tx.Tender(task.Subject)
		if err != nil {
			return fmt.Errorf("expire %s: %w", task.Subject, err)
		}
		now := a.clock.Now()
		if t.State != tender.Sent {
			return nil
		}
		if t, err = t.Expire(); err != nil {
			return err
		}
		if err := tx.PutTender(&t); err != nil {
			return err
		}
		l, aboard, err := loadOf(tx, t)
		if err != nil {
			return err
		}
		l, next, err := a.offerNext(tx, l, aboard, now)
		if err != nil {
			return err
		}
		tx.OccurAt(t.RespondBy.Instant)
		if err := tx.Tell(fact.TenderExpired{About: fact.About{Load: l, Shipments: aboard}, Tender: t}); err != nil {
			return err
		}
		return tx.Tell(next...)
	}, nil
}

func loadOf(tx *store.Tx, t tender.Tender) (load.Load, []shipment.Shipment, error) {
	l, err := tx.Load(t.Load)
	if err != nil {
		return l, nil, err
	}
	aboard, err := tx.Aboard(l)
	return l, aboard, err
}

// visibleTender reads an offer that the caller may see, at the revision that the caller has seen.
func visibleTender(tx *store.Tx, name, etag string, sees Sees) (tender.Tender, error) {
	t, err := tx.Tender(name)
	switch {
	case err != nil:
		return t, err
	case !sees(t.Carrier):
		return t, refusal.ErrNotFound
	case etag != "" && etag != strconv.FormatUint(t.Revision, 10):
		return t, refusal.ErrStale
	}
	return t, nil
}
