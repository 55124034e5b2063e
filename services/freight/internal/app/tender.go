package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"crossdock.dev/kernel/rating"
	"crossdock.dev/platform/tasks"

	"crossdock.dev/services/freight/internal/cost"
	"crossdock.dev/services/freight/internal/fact"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/network"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/store"
	"crossdock.dev/services/freight/internal/tender"
)

// TenderInput names the load to offer.
type TenderInput struct {
	Cause Cause
	Name  string
}

// TenderLoad starts the tender sequence of a planned load. A load whose sequence has begun is returned as it is, and so is one
// that others may still join, because it is offered by itself.
func (a *App) TenderLoad(ctx context.Context, in TenderInput) (load.Load, Position, error) {
	return store.Change(ctx, a.store, in.Cause, store.LoadAnswer, func(tx *store.Tx) (load.Load, error) {
		l, err := tx.Load(in.Name)
		if err != nil {
			return l, err
		}
		switch {
		case l.Waits():
			return l, nil
		case l.State == load.Planned:
		case l.State == load.Cancelled:
			return l, &refusal.TransitionError{Resource: l.Name, From: string(l.State), Verb: string(load.Tender)}
		default:
			return l, nil
		}
		aboard, err := tx.Aboard(l)
		if err != nil {
			return l, err
		}
		guide, err := tx.Guide(l.Lane, l.Mode)
		if absent(err) {
			return l, refusal.Precondition(refusal.MasterDataMissing, "missing", "routing guide of "+l.Lane+" "+l.Mode)
		}
		if err != nil {
			return l, err
		}
		l, facts, err := a.offer(tx, l, aboard, guide, a.clock.Now())
		if err != nil {
			return l, err
		}
		return l, tx.Tell(facts...)
	})
}

// offerNext offers a load to the next carrier of its routing guide as it stands now. Without a guide nobody is left to ask.
func (a *App) offerNext(tx *store.Tx, l load.Load, aboard []shipment.Shipment, now time.Time) (load.Load, []fact.Fact, error) {
	guide, err := tx.Guide(l.Lane, l.Mode)
	if err != nil && !absent(err) {
		return l, nil, err
	}
	return a.offer(tx, l, aboard, guide, now)
}

// offer offers a load to the first carrier of a guide that was not dealt with and whose price can be found, and says so; the
// others are passed over with the reason. Nobody left: the load is exhausted. The load is saved.
func (a *App) offer(tx *store.Tx, l load.Load, aboard []shipment.Shipment, guide network.Guide, now time.Time) (load.Load, []fact.Fact, error) {
	before, err := tx.TendersOf(l.Name)
	if err != nil {
		return l, nil, err
	}
	var rank int32
	var dealtWith []string
	for _, t := range before {
		rank, dealtWith = max(rank, t.Rank), append(dealtWith, t.Carrier)
	}
	for _, s := range l.Skipped {
		rank, dealtWith = max(rank, s.Rank), append(dealtWith, s.Carrier)
	}
	for {
		choice, ok := guide.Next(rank, dealtWith)
		if !ok {
			return a.exhaust(tx, l, aboard)
		}
		rank, dealtWith = choice.Rank, append(dealtWith, choice.Carrier)
		carrier, rated, err := price(tx, l, aboard, choice.Carrier)
		if unpriced(err) {
			l.Skipped = append(l.Skipped, load.Skipped{Carrier: choice.Carrier, Rank: choice.Rank, Reason: err.Error(), At: now})
			continue
		}
		if err != nil {
			return l, nil, err
		}
		return a.send(tx, l, aboard, carrier, choice.Rank, rated, now)
	}
}

func (a *App) send(tx *store.Tx, l load.Load, aboard []shipment.Shipment, c network.Carrier, rank int32, rated *cost.Rated, now time.Time) (load.Load, []fact.Fact, error) {
	var orders []string
	for _, s := range aboard {
		orders = append(orders, s.CustomerOrderNumber)
	}
	t, err := tender.Send("tenders/"+a.ids.New("tnd"), l, c, rank, rated, orders, now)
	if err != nil {
		return l, nil, err
	}
	t.ExpiryTask = a.ids.New("task")
	if l, err = l.Move(load.Tender); err != nil {
		return l, nil, err
	}
	l.Tender, l.Equipment = t.Name, c.Equipment
	if err := tx.PutTender(&t); err != nil {
		return l, nil, err
	}
	if err := tx.PutLoad(&l); err != nil {
		return l, nil, err
	}
	timer := tasks.Task{ID: t.ExpiryTask, Kind: KindExpiry, Subject: t.Name, Due: t.RespondBy.Instant, Effect: tasks.Keyed}
	if err := tx.Later(timer); err != nil {
		return l, nil, err
	}
	return l, []fact.Fact{fact.LoadTendered{About: fact.About{Load: l, Shipments: aboard}, Tender: t}}, nil
}

func (a *App) exhaust(tx *store.Tx, l load.Load, aboard []shipment.Shipment) (load.Load, []fact.Fact, error) {
	l, err := l.Move(load.Exhaust)
	if err != nil {
		return l, nil, err
	}
	l.Tender = ""
	if err := tx.PutLoad(&l); err != nil {
		return l, nil, err
	}
	return l, []fact.Fact{fact.TendersExhausted{About: fact.About{Load: l, Shipments: aboard}}}, nil
}

// price finds what a carrier's contract in force on the ship date makes of a load; nil where the customer pays the carrier. What
// the delivery sites need is asked for once.
func price(tx *store.Tx, l load.Load, aboard []shipment.Shipment, name string) (network.Carrier, *cost.Rated, error) {
	c, err := tx.Carrier(name)
	if err != nil {
		return c, nil, err
	}
	m := cost.Move{ShipDate: l.ShipDate, Mode: l.Mode, Stops: len(l.Stops)}
	collect := true
	for _, s := range aboard {
		collect = collect && s.Terms == network.Collect
		cargo, err := s.Cargo()
		if err != nil {
			return c, nil, err
		}
		m.Cargo = append(m.Cargo, cargo...)
	}
	if collect {
		return c, nil, nil
	}
	if m.Lane, err = way(tx, l); err != nil {
		return c, nil, err
	}
	if m.Origin, err = tx.Location(l.Stops[0].Location); err != nil {
		return c, nil, err
	}
	for _, s := range l.Stops[1:] {
		if m.Destination, err = tx.Location(s.Location); err != nil {
			return c, nil, err
		}
		for _, code := range m.Destination.Accessorials() {
			if !slices.Contains(m.Accessorials, code) {
				m.Accessorials = append(m.Accessorials, code)
			}
		}
	}
	contract, err := tx.Contract(name, l.ShipDate, m.Lane.Distance.Unit())
	if err != nil {
		return c, nil, err
	}
	rated, err := cost.Price(name, contract, m)
	if err != nil {
		return c, nil, err
	}
	return c, &rated, nil
}

// unpriced tells whether an error says that a carrier's price cannot be found, and not that the store failed.
func unpriced(err error) bool {
	if absent(err) {
		return true
	}
	for _, e := range []error{
		rating.ErrTariff, rating.ErrMove, rating.ErrNotInForce, rating.ErrNoLineHaul, rating.ErrNoRow, rating.ErrNoIndex, rating.ErrNoBand,
		rating.ErrNoPrice,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
