package cost

import (
	"slices"

	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/rating"
)

// Without takes the charges of one code away, with what was said of them and what shipments bear of them.
func (r Rated) Without(code rating.ChargeCode) (Rated, error) {
	var err error
	if r.Charges, r.Total, err = without(r.Charges, string(code)); err != nil {
		return Rated{}, err
	}
	r.Explain.Value = r.Total.Label()
	r.Explain.Children = slices.DeleteFunc(slices.Clone(r.Explain.Children), func(n rating.Node) bool { return n.Label == string(code) })
	r.Allocations = slices.Clone(r.Allocations)
	for i := range r.Allocations {
		a := &r.Allocations[i]
		if a.Charges, a.Total, err = without(a.Charges, string(code)); err != nil {
			return Rated{}, err
		}
	}
	return r, nil
}

// without are the charges of other codes, and their sum; of nothing it is zero in the currency of what was taken away.
func without(charges []Charge, code string) (rest []Charge, sum money.Amount, err error) {
	for i, c := range charges {
		if i == 0 {
			if sum, err = money.Zero(c.Amount.Currency()); err != nil {
				return nil, sum, err
			}
		}
		if c.Code == code {
			continue
		}
		if sum, err = sum.Add(c.Amount); err != nil {
			return nil, sum, err
		}
		rest = append(rest, c)
	}
	return rest, sum, nil
}
