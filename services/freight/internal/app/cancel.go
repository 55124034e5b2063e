package app

import (
	"context"
	"time"

	"crossdock.dev/services/freight/internal/cost"
	"crossdock.dev/services/freight/internal/fact"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/milestone"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/store"
	"crossdock.dev/services/freight/internal/tender"
)

// CancelInput names the shipment to call off.
type CancelInput struct {
	Cause  Cause
	Name   string
	Reason string
}

// CancelShipment calls a shipment off, and with it its load: the offer that is out or was accepted is withdrawn, and the carrier
// is owed what its contract says of a truck ordered and not used. A shipment that shares a load leaves it, as long as nobody was
// offered it. Calling off what was called off changes nothing.
func (a *App) CancelShipment(ctx context.Context, in CancelInput) (shipment.Shipment, Position, error) {
	return store.Change(ctx, a.store, in.Cause, store.ShipmentAnswer, func(tx *store.Tx) (shipment.Shipment, error) {
		s, err := tx.Shipment(in.Name)
		if err != nil || s.State == shipment.Cancelled {
			return s, err
		}
		was := s
		if s, err = s.Move(shipment.Cancel); err != nil {
			return s, err
		}
		l, err := tx.Load(s.Load)
		if err != nil {
			return s, err
		}
		now := a.clock.Now()
		switch {
		case len(l.Shipments) == 1:
		case l.State == load.Planned:
			if l, err = a.leave(tx, l, s, now); err != nil {
				return s, err
			}
			s.Load = l.Name
		default:
			return s, refusal.Precondition(refusal.LoadShared, "load", l.Name, "state", string(l.State))
		}
		if err := a.watch(tx, l, &s, milestone.History{}, now); err != nil {
			return s, err
		}
		if err := tx.PutShipment(&s); err != nil {
			return s, err
		}
		about := fact.About{Load: l, Shipments: []shipment.Shipment{s}}
		if err := tx.Tell(trusts(about, was, s, milestone.History{}, false)...); err != nil {
			return s, err
		}
		return s, a.cancel(tx, l, s, in.Reason, now)
	})
}

// cancel calls off the load of a shipment that was called off.
func (a *App) cancel(tx *store.Tx, l load.Load, s shipment.Shipment, reason string, now time.Time) error {
	var withdrawn *tender.Tender
	if l.Tender != "" {
		t, err := tx.Tender(l.Tender)
		if err != nil {
			return err
		}
		booked := t.State == tender.Accepted
		if t, err = t.Withdraw(); err != nil {
			return err
		}
		if err := a.settle(tx, &t); err != nil {
			return err
		}
		withdrawn, l.Tender = &t, ""
		if l.Charges, err = owed(tx, l, booked, now); err != nil {
			return err
		}
		if l.Charges, err = allocated(l.Charges, s); err != nil {
			return err
		}
	}
	if l.State == load.Planned && l.OfferTask != "" {
		if err := tx.Never(l.OfferTask); err != nil {
			return err
		}
	}
	l, err := l.Move(load.Cancel)
	if err != nil {
		return err
	}
	if err := tx.PutLoad(&l); err != nil {
		return err
	}
	about := fact.About{Load: l, Shipments: []shipment.Shipment{s}}
	if withdrawn != nil {
		if err := tx.Tell(fact.TenderWithdrawn{About: about, Tender: *withdrawn}); err != nil {
			return err
		}
	}
	return tx.Tell(fact.LoadCancelled{About: about, Tender: withdrawn, Reason: reason})
}

// owed is what a carrier is owed for a load that is called off now: nothing before it accepted, nothing for a load that the
// customer pays, and else what the contract that priced the load says, within the carrier's window before the planned pick-up.
// Where master data does not say, nothing is assumed: the carrier's bill will show what it thinks.
func owed(tx *store.Tx, l load.Load, booked bool, now time.Time) (*cost.Rated, error) {
	if !booked || l.Charges == nil {
		return nil, nil
	}
	c, err := tx.Carrier(l.Carrier)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	w := cost.Withdrawal{At: now, Pickup: l.Pickup(), Window: c.TONUWindow}
	if !w.Late() {
		return nil, nil
	}
	lane, err := tx.LaneNamed(l.Lane)
	if err != nil {
		return nil, err
	}
	contract, err := tx.ContractNamed(l.Charges.Contract, l.ShipDate, lane.Distance.Unit())
	if err != nil {
		return nil, err
	}
	rated, err := cost.NotUsed(contract, *l.Charges, w)
	if unpriced(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &rated, nil
}
