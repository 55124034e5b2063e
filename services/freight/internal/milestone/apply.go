package milestone

import (
	"crossdock.dev/services/freight/internal/eventtime"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/shipment"
)

// News is what became known of one shipment, or was corrected.
type News struct {
	What     Milestone // ARRIVED_PICKUP, DEPARTED_PICKUP, ETA_CHANGED or DELIVERED
	Shipment string
	At       eventtime.Time // when it happened; the new estimate with ETA_CHANGED
}

// Result is a load with its shipments after a claim.
type Result struct {
	Load      load.Load
	Shipments []shipment.Shipment // in the order given
	Changed   bool                // the load is another than before
	News      []News
	Advanced  bool // a state changed
	Completed bool // everything aboard was handed over, and was not before
}

// Apply brings a load and its shipments from one history to a later one. States only move forward, but the news hold whatever
// became known: a departure that is heard of after the delivery is news, and so is a corrected time.
func Apply(l load.Load, aboard []shipment.Shipment, before, after History) (Result, error) {
	r := Result{Load: l}
	r.Load.Stops = make([]load.Stop, len(l.Stops))
	for i, s := range l.Stops {
		known := after.Stops[s.Sequence]
		s.Arrived, s.Departed = known.Arrived, known.Departed
		if s.Departed.IsZero() && s.Role == load.Delivery {
			s.Departed = known.Delivered
		}
		r.Changed = r.Changed || s.Arrived != l.Stops[i].Arrived || s.Departed != l.Stops[i].Departed
		r.Load.Stops[i] = s
	}
	delivered := 0
	for _, s := range aboard {
		if s.State == shipment.Cancelled { // what is claimed of it is history, and no news
			r.Shipments = append(r.Shipments, s)
			continue
		}
		from, _ := l.StopOf(s.Name, load.Pickup)
		to, _ := l.StopOf(s.Name, load.Delivery)
		was, is := before.Stops[from.Sequence], after.Stops[from.Sequence]
		wasTo, isTo := before.Stops[to.Sequence], after.Stops[to.Sequence]
		moved, err := s.Follow(verbs(l, from, to, after)...)
		if err != nil {
			return Result{}, err
		}
		r.Advanced = r.Advanced || moved.State != s.State
		moved.Departed, moved.Delivered = is.Departed, isTo.Delivered
		tell := func(what Milestone, was, is eventtime.Time) {
			if !is.IsZero() && !is.Same(was) {
				r.News = append(r.News, News{What: what, Shipment: s.Name, At: is})
			}
		}
		tell(ArrivedPickup, was.Arrived, is.Arrived)
		tell(DepartedPickup, was.Departed, is.Departed)
		if moved.State != shipment.Delivered {
			tell(EtaChanged, before.Estimate(l, to), after.Estimate(l, to))
		}
		tell(Delivered, wasTo.Delivered, isTo.Delivered)
		if moved.State == shipment.Delivered {
			delivered++
		}
		r.Shipments = append(r.Shipments, moved)
	}
	var moves []load.Verb
	for _, s := range r.Shipments {
		switch s.State {
		case shipment.InTransit, shipment.AtDelivery, shipment.Delivered:
			moves = []load.Verb{load.Depart}
		}
	}
	if delivered == len(aboard) && delivered > 0 {
		moves = append(moves, load.Complete)
	}
	for _, v := range moves {
		var err error
		if r.Load, err = r.Load.Move(v); err != nil {
			return Result{}, err
		}
	}
	r.Advanced = r.Advanced || r.Load.State != l.State
	r.Changed = r.Changed || r.Load.State != l.State
	r.Completed = r.Load.State == load.Completed && l.State != load.Completed
	return r, nil
}

// verbs are what a history says of one shipment. Being seen on the way, or at a later stop, means that it departed; on the way
// is said of the load, so it counts for what was loaded at the first stop.
func verbs(l load.Load, from, to load.Stop, h History) []shipment.Verb {
	var out []shipment.Verb
	at, end := h.Stops[from.Sequence], h.Stops[to.Sequence]
	if !at.Arrived.IsZero() || at.Loaded {
		out = append(out, shipment.ArrivePickup)
	}
	left := !at.Departed.IsZero() || h.Moving && from.Sequence == l.Stops[0].Sequence
	for _, s := range l.Stops {
		k := h.Stops[s.Sequence]
		left = left || s.Sequence > from.Sequence && (!k.Arrived.IsZero() || k.Loaded || !k.Departed.IsZero() || !k.Delivered.IsZero())
	}
	if left {
		out = append(out, shipment.Depart)
	}
	if !end.Arrived.IsZero() {
		out = append(out, shipment.ArriveDelivery)
	}
	if !end.Delivered.IsZero() {
		out = append(out, shipment.Deliver)
	}
	return out
}
