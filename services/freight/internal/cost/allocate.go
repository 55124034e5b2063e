package cost

import (
	"fmt"
	"slices"

	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"
)

// Bearer is a shipment that bears its part of what its load costs.
type Bearer struct {
	Shipment string
	Weight   quantity.Quantity // gross
}

// Allocation is one shipment's part in the charges of its load.
type Allocation struct {
	Shipment string
	Charges  []Charge
	Total    money.Amount
}

// Allocate splits all charges over the shipments aboard by gross weight, each charge by largest remainder, so that its parts sum
// to it.
func (r Rated) Allocate(aboard []Bearer) (Rated, error) {
	none, err := money.Zero(r.Total.Currency())
	if err != nil {
		return Rated{}, err
	}
	r.Allocations = nil
	for _, b := range aboard {
		r.Allocations = append(r.Allocations, Allocation{Shipment: b.Shipment, Total: none})
	}
	for _, c := range r.Charges {
		if r, err = r.bear(c, aboard); err != nil {
			return Rated{}, err
		}
	}
	return r, nil
}

// With adds a charge that came later and that these shipments alone bear, such as those of the stop where it arose. They are among
// those that the booking was allocated to.
func (r Rated) With(c Charge, why rating.Node, by []Bearer) (Rated, error) {
	total, err := r.Total.Add(c.Amount)
	if err != nil {
		return Rated{}, err
	}
	r.Total, r.Charges = total, append(slices.Clone(r.Charges), c)
	r.Explain.Value, r.Explain.Children = total.Label(), append(slices.Clone(r.Explain.Children), why)
	r.Allocations = slices.Clone(r.Allocations)
	return r.bear(c, by)
}

// bear gives each bearer its part of a charge. Where nothing has a weight the first bears all.
func (r Rated) bear(c Charge, by []Bearer) (Rated, error) {
	var shares []rating.Share
	weightless := true
	for _, b := range by {
		shares = append(shares, rating.Share{Ref: b.Shipment, Weight: b.Weight})
		weightless = weightless && b.Weight.IsZero()
	}
	parts := []rating.Allocated{{Amount: c.Amount}}
	if len(by) > 0 {
		parts[0].Ref = by[0].Shipment
	}
	if !weightless {
		var err error
		if parts, err = rating.Allocate([]rating.Charge{{Code: rating.ChargeCode(c.Code), Amount: c.Amount}}, shares); err != nil {
			return Rated{}, err
		}
	}
	for _, p := range parts {
		i := slices.IndexFunc(r.Allocations, func(a Allocation) bool { return a.Shipment == p.Ref })
		if i < 0 {
			return Rated{}, fmt.Errorf("%w: %q bears nothing of this load", rating.ErrMove, p.Ref)
		}
		a := &r.Allocations[i]
		part := c
		part.Amount = p.Amount
		a.Charges = append(slices.Clone(a.Charges), part)
		var err error
		if a.Total, err = a.Total.Add(p.Amount); err != nil {
			return Rated{}, err
		}
	}
	return r, nil
}
