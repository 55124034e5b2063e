package app

import (
	"context"
	"errors"

	"crossdock.dev/services/freight/internal/detention"
	"crossdock.dev/services/freight/internal/fact"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/milestone"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/store"
)

// ReportInput is a claim on a load.
type ReportInput struct {
	Cause  Cause
	Load   string
	Report milestone.Report
	Sees   Sees
}

// ReportMilestone records what somebody says happened. A claim that is known is returned as it is.
func (a *App) ReportMilestone(ctx context.Context, in ReportInput) (milestone.Claim, Position, error) {
	return store.Change(ctx, a.store, in.Cause, store.ClaimAnswer, func(tx *store.Tx) (milestone.Claim, error) {
		l, err := tx.Load(in.Load)
		if err != nil {
			return milestone.Claim{}, err
		}
		if err := taken(l, in.Sees); err != nil {
			return milestone.Claim{}, err
		}
		places, err := placesOf(tx, l)
		if err != nil {
			return milestone.Claim{}, err
		}
		c, err := milestone.Understand(in.Report, l, places, a.clock.Now())
		if err != nil {
			return c, err
		}
		if known, ok, err := tx.SameClaim(l.Name, c); ok || err != nil {
			return known, err
		}
		c.Name = l.Name + "/claims/" + a.ids.New("clm")
		return a.record(tx, l, c)
	})
}

// taken refuses a load that the caller may not see, or that no carrier has taken.
func taken(l load.Load, sees Sees) error {
	if err := visibleLoad(l, sees); err != nil {
		return err
	}
	if !l.Taken() {
		return refusal.Precondition(refusal.LoadNotBooked, "load", l.Name, "state", string(l.State))
	}
	return nil
}

func placesOf(tx *store.Tx, l load.Load) (map[string]milestone.Place, error) {
	out := map[string]milestone.Place{}
	for _, s := range l.Stops {
		at, err := tx.Location(s.Location)
		if errors.Is(err, refusal.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[s.Location] = milestone.Place{City: at.City, State: at.State}
	}
	return out, nil
}

// record keeps a new claim and brings the load and its shipments to what all claims together say.
func (a *App) record(tx *store.Tx, l load.Load, c milestone.Claim) (milestone.Claim, error) {
	known, err := tx.Claims(l.Name)
	if err != nil {
		return c, err
	}
	aboard, err := tx.Aboard(l)
	if err != nil {
		return c, err
	}
	before, after := milestone.Fold(known), milestone.Fold(append(known, c))
	r, err := milestone.Apply(l, aboard, before, after)
	if err != nil {
		return c, err
	}
	var due []detention.Due
	if r.Load, due, err = detained(tx, r.Load, aboard, before, after); err != nil {
		return c, err
	}
	c.Advanced = r.Advanced
	if err := tx.AddClaim(l.Name, c); err != nil {
		return c, err
	}
	if r.Changed { // so it is whenever waiting became another: that follows from the times at a stop
		if err := tx.PutLoad(&r.Load); err != nil {
			return c, err
		}
	}
	for i, was := range aboard {
		is := &r.Shipments[i]
		if err := a.watch(tx, r.Load, is, after, a.clock.Now()); err != nil {
			return c, err
		}
		if is.State == was.State && is.Departed == was.Departed && is.Delivered == was.Delivered && is.WatchTask == was.WatchTask && is.Trust.Same(was.Trust) {
			continue
		}
		if err := tx.PutShipment(is); err != nil {
			return c, err
		}
	}
	tx.OccurAt(c.Occurred.Instant)
	about := fact.About{Load: r.Load, Shipments: r.Shipments}
	facts := news(about, r, c)
	for i, was := range aboard {
		facts = append(facts, trusts(about, was, r.Shipments[i], after, estimated(facts, was))...)
	}
	facts = append(facts, proven(about, due)...)
	if r.Completed {
		facts = append(facts, fact.LoadCompleted{About: about})
	}
	return c, tx.Tell(facts...)
}

// news are the facts of what became known by a claim.
func news(about fact.About, r milestone.Result, c milestone.Claim) []fact.Fact {
	out := []fact.Fact{fact.MilestoneRecorded{About: about, Claim: c}}
	for _, n := range r.News {
		s := about.Shipment(n.Shipment)
		switch n.What {
		case milestone.ArrivedPickup:
			out = append(out, fact.ShipmentArrivedPickup{About: about, Shipment: s, Occurred: n.At})
		case milestone.DepartedPickup:
			out = append(out, fact.ShipmentDeparted{About: about, Shipment: s, Occurred: n.At})
		case milestone.EtaChanged:
			out = append(out, fact.EtaChanged{About: about, Shipment: s, Estimate: n.At})
		case milestone.Delivered:
			out = append(out, fact.ShipmentDelivered{About: about, Shipment: s, Occurred: n.At})
		}
	}
	return out
}
