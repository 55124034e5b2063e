package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"crossdock.dev/kernel/calendar"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"

	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/network"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/store"
)

// place puts a new shipment on a load: on one that it may share, else on one of its own, which others may join where the
// shipment may share. The load is saved.
func (a *App) place(tx *store.Tx, in PlanInput, p load.Passenger, from network.Location, now time.Time) (load.Load, error) {
	equipment, room, shares, err := sharing(tx, in, p)
	if err != nil {
		return load.Load{}, err
	}
	if shares {
		l, found, err := joined(tx, p, from, in.ShipDate, equipment, room, now)
		if found || err != nil {
			return l, err
		}
	}
	l, err := a.alone(tx, p, from, in.ShipDate, now)
	if err != nil {
		return l, err
	}
	if shares && room.Holds(l) {
		l.Equipment, l.JoinUntil, l.OfferTask = equipment, now.Add(load.JoinWindow), a.ids.New("task")
		timer := tasks.Task{ID: l.OfferTask, Kind: KindOffer, Subject: l.Name, Due: l.JoinUntil, Effect: tasks.Keyed}
		if err := tx.Later(timer); err != nil {
			return l, err
		}
	}
	return l, tx.PutLoad(&l)
}

// alone makes the load of one shipment, with the next number of the day, local to the ship-from. It is not saved.
func (a *App) alone(tx *store.Tx, p load.Passenger, from network.Location, shipDate calendar.Date, now time.Time) (load.Load, error) {
	zone, err := calendar.LoadZone(from.Zone)
	if err != nil {
		return load.Load{}, err
	}
	name := load.Series(calendar.DateOf(now, zone))
	n, err := tx.Draw(name)
	if err != nil {
		return load.Load{}, err
	}
	if n > 1 { // a clock that stepped back does not take the numbers with it
		before, err := tx.LoadByNumber(load.Number(name, n-1))
		if err != nil && !errors.Is(err, refusal.ErrNotFound) {
			return load.Load{}, err
		}
		if now.Before(before.CreateTime) {
			now = before.CreateTime
		}
	}
	return load.Of(p, "loads/"+a.ids.New("load"), load.Number(name, n), from, shipDate, now)
}

// sharing tells whether a shipment may share a load, and the equipment: that of the carrier which the lane's guide asks first.
// Parcels of less than a truck are the carrier's to consolidate; and whoever pays the carrier itself pays for its own load.
func sharing(tx *store.Tx, in PlanInput, p load.Passenger) (equipment string, room load.Capacity, ok bool, err error) {
	if !in.Consolidate || in.Mode != "TL" || p.Shipment.Terms == network.Collect {
		return "", room, false, nil
	}
	guide, err := tx.Guide(p.Lane.Name, in.Mode)
	if absent(err) {
		return "", room, false, nil
	}
	if err != nil {
		return "", room, false, err
	}
	choice, _ := guide.Next(0, nil)
	carrier, err := tx.Carrier(choice.Carrier)
	if absent(err) {
		return "", room, false, nil
	}
	room, ok = load.CapacityOf(carrier.Equipment)
	return carrier.Equipment, room, ok, err
}

// joined puts a shipment on the oldest load that it may join: one that ships with it by the same equipment, has room, does not
// carry the same order (a proof names load and order), and whose way by its stops is on file. The load is saved.
func joined(tx *store.Tx, p load.Passenger, from network.Location, shipDate calendar.Date, equipment string, room load.Capacity, now time.Time) (load.Load, bool, error) {
	all, err := tx.LoadsShared(p.Shipment.LegalEntity, from.Name, shipDate)
	if err != nil {
		return load.Load{}, false, err
	}
	for _, l := range all {
		if !l.Joinable(now) || l.Equipment != equipment {
			continue
		}
		aboard, err := passengers(tx, l)
		if err != nil {
			return l, false, err
		}
		if slices.ContainsFunc(aboard, func(x load.Passenger) bool { return x.Shipment.Order == p.Shipment.Order }) {
			continue
		}
		l, err = l.Arrange(from, append(aboard, p)...)
		if errors.Is(err, load.ErrApart) || err == nil && !room.Holds(l) {
			continue
		}
		if err != nil {
			return l, false, err
		}
		if _, err := way(tx, l); absent(err) {
			continue
		} else if err != nil {
			return l, false, err
		}
		return l, true, tx.PutLoad(&l)
	}
	return load.Load{}, false, nil
}

// passengers are the shipments aboard with their lanes and sites.
func passengers(tx *store.Tx, l load.Load) ([]load.Passenger, error) {
	aboard, err := tx.Aboard(l)
	if err != nil {
		return nil, err
	}
	var out []load.Passenger
	for _, s := range aboard {
		p, err := passenger(tx, s)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func passenger(tx *store.Tx, s shipment.Shipment) (load.Passenger, error) {
	lane, err := tx.Lane(s.ShipFrom, s.ShipTo)
	if err != nil {
		return load.Passenger{}, err
	}
	to, err := tx.Location(s.ShipTo)
	return load.Passenger{Shipment: s, Lane: lane, To: to}, err
}

// leave takes a shipment off a load that nobody was offered yet, and puts it on one of its own, which is not saved: so whatever
// is called off is called off with its load.
func (a *App) leave(tx *store.Tx, l load.Load, s shipment.Shipment, now time.Time) (load.Load, error) {
	from, err := tx.Location(s.ShipFrom)
	if err != nil {
		return l, err
	}
	aboard, err := passengers(tx, l)
	if err != nil {
		return l, err
	}
	at := slices.IndexFunc(aboard, func(p load.Passenger) bool { return p.Shipment.Name == s.Name })
	own := aboard[at]
	rest, err := l.Arrange(from, slices.Delete(aboard, at, at+1)...)
	if err != nil {
		return l, err
	}
	if err := tx.PutLoad(&rest); err != nil {
		return l, err
	}
	return a.alone(tx, own, from, l.ShipDate, now)
}

// offerShared starts the tender sequence of a load that no other shipment may join any more.
func (a *App) offerShared(_ context.Context, task tasks.Task) (tasks.Done, error) {
	return func(ctx context.Context, ptx *platform.Tx) error {
		tx := store.Wrap(ctx, ptx)
		l, err := tx.Load(task.Subject)
		if err != nil || l.State != load.Planned {
			return err
		}
		aboard, err := tx.Aboard(l)
		if err != nil {
			return err
		}
		_, facts, err := a.offerNext(tx, l, aboard, a.clock.Now())
		if err != nil {
			return err
		}
		return tx.Tell(facts...)
	}, nil
}

// way is the lane of a load with the distance by its stops: the sum of the lanes from each to the next.
func way(tx *store.Tx, l load.Load) (network.Lane, error) {
	lane, err := tx.LaneNamed(l.Lane)
	if err != nil || len(l.Stops) <= 2 {
		return lane, err
	}
	for i := 1; i < len(l.Stops); i++ {
		leg, err := tx.Lane(l.Stops[i-1].Location, l.Stops[i].Location)
		if err != nil {
			return lane, err
		}
		if i == 1 {
			lane.Distance, lane.DistanceSource = leg.Distance, legSource(leg)
			continue
		}
		if lane.Distance, err = lane.Distance.Add(leg.Distance); err != nil {
			return lane, unmeasured(leg, err)
		}
		lane.DistanceSource += " + " + legSource(leg)
	}
	return lane, nil
}

func legSource(leg network.Lane) string {
	return leg.Name + " " + leg.Distance.String() + ", " + leg.DistanceSource
}

// unmeasured says that the lanes of a way are measured in different units.
func unmeasured(leg network.Lane, err error) error {
	return fmt.Errorf("%s: %w: %w", leg.Name, refusal.ErrUnusable, err)
}
