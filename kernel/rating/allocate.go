package rating

import (
	"fmt"

	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
)

// Share is one shipment's part in a load.
type Share struct {
	Ref    string            // the caller's name for the shipment
	Weight quantity.Quantity // gross; all of one unit
	Stop   int               // delivery stop of the shipment
}

// Allocated is one shipment's part of one charge.
type Allocated struct {
	Ref    string
	Code   ChargeCode
	Amount money.Amount
}

// Allocate splits the charges of a load over its shipments by gross weight, each charge by largest remainder so that its parts
// sum to it. A charge that belongs to one stop goes to the shipments of that stop alone; if there is none the answer is
// ErrMove. Results come by charge, then by share; parts of a stop's charge are listed for that stop's shipments only.
func Allocate(charges []Charge, shares []Share) ([]Allocated, error) {
	var out []Allocated
	for _, c := range charges {
		var of []Share
		var weights []decimal.Decimal
		for _, s := range shares {
			if s.Weight.Unit() != shares[0].Weight.Unit() {
				return nil, fmt.Errorf("%w: %w", ErrMove, quantity.ErrUnitMismatch)
			}
			if c.Stop == 0 || c.Stop == s.Stop {
				of = append(of, s)
				weights = append(weights, s.Weight.Value())
			}
		}
		if len(of) == 0 {
			return nil, fmt.Errorf("%w: no shipment takes %s of stop %d", ErrMove, c.Code, c.Stop)
		}
		parts, err := money.Allocate(c.Amount, weights)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Code, err)
		}
		for i, p := range parts {
			out = append(out, Allocated{of[i].Ref, c.Code, p})
		}
	}
	return out, nil
}
