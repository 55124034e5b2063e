// Package accrual is for carriers' charges that we expect to be billed.
//
// It promises one accrual per charge, open until the carrier's bill for its load is approved or the charge is no longer expected;
// that its shares over the shipments aboard add up to it; and that a charge which is proven again with another amount takes the
// place of the first, never a place beside it. Posting the sums is left to the caller.
package accrual

import (
	"fmt"
	"slices"
	"time"

	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"
)

// State is whether a charge is still expected.
type State int

// The states.
const (
	Open State = iota + 1
	Cleared
	Reversed
)

// States lists all states.
var States = []State{Open, Cleared, Reversed}

// String is the state's name.
func (s State) String() string {
	switch s {
	case Open:
		return "OPEN"
	case Cleared:
		return "CLEARED"
	case Reversed:
		return "REVERSED"
	}
	return "UNSPECIFIED"
}

// Verb is what can be done to an accrual.
type Verb string

// The verbs.
const (
	Clear   Verb = "clear"   // the carrier's bill is approved
	Reverse Verb = "reverse" // the charge is no longer expected
)

// Verbs lists all verbs.
var Verbs = []Verb{Clear, Reverse}

// transitions is the one table of states and verbs. An accrual is closed once, by one bill or by one reversal.
var transitions = map[State]map[Verb]State{
	Open: {Clear: Cleared, Reverse: Reversed},
}

// TransitionError says that a verb is not allowed in a state.
type TransitionError struct {
	From State
	Verb Verb
}

// Error names state and verb.
func (e *TransitionError) Error() string { return fmt.Sprintf("%s: not in state %s", e.Verb, e.From) }

// Charge is one amount with its code.
type Charge struct {
	Code        rating.ChargeCode
	Description string
	Amount      money.Amount
}

// Share is one shipment's part of a charge.
type Share struct {
	Shipment            string
	Order               string
	CustomerOrderNumber string
	Amount              money.Amount
}

// Accrual is a charge that we expect to be billed.
type Accrual struct {
	Name        string
	Load        string
	LoadNumber  string
	Carrier     string
	LegalEntity string
	Charge      Charge
	State       State
	Contract    string
	Explanation rating.Node
	Evidence    string // what makes it owed, in words
	Shares      []Share
	Created     time.Time
}

// Do applies a verb.
func (a Accrual) Do(verb Verb) (Accrual, error) {
	to, ok := transitions[a.State][verb]
	if !ok {
		return a, &TransitionError{a.State, verb}
	}
	a.State = to
	return a, nil
}

// The facts about an accrual.
type (
	// Accrued: a charge is expected.
	Accrued struct {
		Accrual Accrual
		Related []string
	}
	// ReversedFact: a charge is no longer expected.
	ReversedFact struct {
		Accrual Accrual
		Related []string
	}
)

// Aboard is a shipment that shares the charges of its load.
type Aboard struct {
	Shipment            string
	Order               string
	CustomerOrderNumber string
	Weight              quantity.Quantity // gross
}

// Booking is the evidence of charges that follow from the booking itself: line-haul, fuel, stop-offs, and what the place of
// delivery needs.
const Booking = "booking"

// Book makes the accruals of a load's charges and their sum. Each charge is shared by gross weight over everything aboard.
func Book(of Accrual, charges []Charge, explanation rating.Node, aboard []Aboard, newName func() string) ([]Accrual, money.Amount, error) {
	var sum money.Amount
	var out []Accrual
	for i, c := range charges {
		var err error
		if i == 0 {
			sum, err = money.Zero(c.Amount.Currency())
		}
		if err == nil {
			sum, err = sum.Add(c.Amount)
		}
		a := of
		if err == nil {
			a.Shares, err = share(c, aboard)
		}
		if err != nil {
			return nil, sum, fmt.Errorf("accrue %s of %s: %w", c.Code, of.Load, err)
		}
		a.Name, a.Charge, a.State = newName(), c, Open
		a.Explanation = explain(explanation, c.Code)
		out = append(out, a)
	}
	return out, sum, nil
}

// share splits a charge over shipments by gross weight. Where nothing has a weight the first bears all.
func share(c Charge, among []Aboard) ([]Share, error) {
	zero, err := money.Zero(c.Amount.Currency())
	if err != nil {
		return nil, err
	}
	var out []Share
	var of []rating.Share
	weightless := true
	for _, s := range among {
		out = append(out, Share{s.Shipment, s.Order, s.CustomerOrderNumber, zero})
		of = append(of, rating.Share{Ref: s.Shipment, Weight: s.Weight})
		weightless = weightless && s.Weight.IsZero()
	}
	if weightless {
		if len(out) > 0 {
			out[0].Amount = c.Amount
		}
		return out, nil
	}
	parts, err := rating.Allocate([]rating.Charge{{Code: c.Code, Amount: c.Amount}}, of)
	for i, p := range parts {
		out[i].Amount = p.Amount
	}
	return out, err
}

// ReverseOpen reverses the open ones of a load's accruals and returns by how much less is expected, as a negative amount; the zero
// Amount when none is open.
func ReverseOpen(all []Accrual) (reversed []Accrual, change money.Amount, err error) {
	for _, a := range all {
		if a.State != Open {
			continue
		}
		if len(reversed) == 0 {
			if change, err = money.Zero(a.Charge.Amount.Currency()); err != nil {
				return nil, change, err
			}
		}
		if change, err = change.Sub(a.Charge.Amount); err != nil {
			return nil, change, err
		}
		if a, err = a.Do(Reverse); err != nil {
			return nil, change, err
		}
		reversed = append(reversed, a)
	}
	return reversed, change, nil
}

// Change is what becomes of a load's accruals when a charge is proven.
type Change struct {
	Made       *Accrual  // nil when nothing more is expected
	Reversed   []Accrual // what Made takes the place of
	Difference money.Amount
}

// IsZero reports whether nothing changes.
func (c Change) IsZero() bool { return c.Made == nil && len(c.Reversed) == 0 }

// Prove accrues an accessorial to the shipments that it belongs to, those of one stop. The same charge of theirs, proven before or part
// of the booking, is replaced: the same amount changes nothing, another one changes what is expected by the difference. What a carrier
// billed and we approved stays: only what is owed beyond it is expected, and less than that is for a dispute with the carrier.
func Prove(existing []Accrual, of Accrual, c Charge, to []Aboard, newName func() string) (Change, error) {
	zero, err := money.Zero(c.Amount.Currency())
	if err != nil {
		return Change{}, err
	}
	before, cleared := zero, zero
	var open []Accrual
	for _, a := range existing {
		if a.State == Reversed || a.Charge.Code != c.Code || !slices.EqualFunc(a.Shares, to, bears) {
			continue
		}
		if before, err = before.Add(a.Charge.Amount); err != nil {
			return Change{}, err
		}
		if a.State == Open {
			open = append(open, a)
		} else if cleared, err = cleared.Add(a.Charge.Amount); err != nil {
			return Change{}, err
		}
	}
	if before == c.Amount {
		return Change{}, nil
	}
	out := Change{Difference: zero}
	if len(open) > 0 {
		if out.Reversed, out.Difference, err = ReverseOpen(open); err != nil {
			return Change{}, err
		}
	}
	if c.Amount, err = c.Amount.Sub(cleared); err != nil || c.Amount.Sign() <= 0 {
		return out, err
	}
	made := of
	made.Name, made.Charge, made.State = newName(), c, Open
	made.Explanation = rating.Node{Label: string(c.Code), Value: c.Amount.Label(), Rule: c.Description, Source: of.Evidence}
	if made.Shares, err = share(c, to); err != nil {
		return Change{}, err
	}
	out.Made = &made
	out.Difference, err = out.Difference.Add(c.Amount)
	return out, err
}

func bears(s Share, by Aboard) bool { return s.Shipment == by.Shipment }

// explain finds the charge's own branch in the explanation of the whole price; the whole where there is none.
func explain(n rating.Node, code rating.ChargeCode) rating.Node {
	for _, c := range n.Children {
		if c.Label == string(code) {
			return c
		}
	}
	return n
}
