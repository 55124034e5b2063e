package app

import (
	"crossdock.dev/kernel/rating"

	"crossdock.dev/services/freight/internal/detention"
	"crossdock.dev/services/freight/internal/fact"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/milestone"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/store"
)

// detained brings a load's charges to what its claims prove of waiting, and returns what is new about that. A load that the
// customer pays, or that was called off, owes none; nor does one whose terms cannot be read, so that no claim is refused for it.
func detained(tx *store.Tx, l load.Load, aboard []shipment.Shipment, before, after milestone.History) (load.Load, []detention.Due, error) {
	if l.Charges == nil || l.State == load.Cancelled || !waited(l, after) {
		return l, nil, nil
	}
	terms, err := termsOf(tx, l)
	if absent(err) {
		return l, nil, nil
	}
	if err != nil {
		return l, nil, err
	}
	was, err := detention.Owed(l, before, terms)
	if unpriced(err) {
		return l, nil, nil
	}
	if err != nil {
		return l, nil, err
	}
	is, err := detention.Owed(l, after, terms)
	if err != nil {
		return l, nil, err
	}
	news := detention.Changed(was, is)
	if len(news) == 0 {
		return l, nil, nil
	}
	charges, err := l.Charges.Without(rating.DetentionCharge)
	if err != nil {
		return l, nil, err
	}
	for _, d := range is {
		if d.Charge.Amount.IsZero() {
			continue
		}
		var by []shipment.Shipment
		for _, name := range d.Stop.Shipments {
			by = append(by, fact.About{Shipments: aboard}.Shipment(name))
		}
		if charges, err = charges.With(d.Charge, d.Why, bearers(by...)); err != nil {
			return l, nil, err
		}
	}
	l.Charges = &charges
	return l, news, nil
}

// waited reports whether the carrier told when it left a delivery stop.
func waited(l load.Load, h milestone.History) bool {
	for _, s := range l.Stops {
		if s.Role == load.Delivery && !h.Stops[s.Sequence].Departed.IsZero() {
			return true
		}
	}
	return false
}

// termsOf is the tariff that priced a load.
func termsOf(tx *store.Tx, l load.Load) (rating.Tariff, error) {
	lane, err := tx.LaneNamed(l.Lane)
	if err != nil {
		return rating.Tariff{}, err
	}
	c, err := tx.ContractNamed(l.Charges.Contract, l.ShipDate, lane.Distance.Unit())
	return c.Tariff, err
}

// proven are the facts of what is new.
func proven(about fact.About, news []detention.Due) []fact.Fact {
	var out []fact.Fact
	for _, d := range news {
		f := fact.AccessorialProven{About: about, Charge: d.Charge, Stop: d.Stop.Sequence, Evidence: d.Evidence}
		if len(d.Stop.Shipments) > 0 {
			f.Shipment = about.Shipment(d.Stop.Shipments[0])
		}
		out = append(out, f)
	}
	return out
}
