// Package accrual is for carriers' charges that we expect to be billed.
//
// It promises one accrual per charge, open until the carrier's bill for its load is approved, and cleared once.
package accrual

import (
	"fmt"
	"time"

	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/rating"
)

// State is whether a charge is still expected.
type State int

// The states.
const (
	Open State = iota + 1
	Cleared
)

// String is the state's name.
func (s State) String() string {
	switch s {
	case Open:
		return "OPEN"
	case Cleared:
		return "CLEARED"
	}
	return "UNSPECIFIED"
}

// Charge is one amount with its code.
type Charge struct {
	Code        rating.ChargeCode
	Description string
	Amount      money.Amount
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
	Created     time.Time
}

// TransitionError says that a verb is not allowed in a state.
type TransitionError struct {
	From State
	Verb string
}

// Error names state and verb.
func (e *TransitionError) Error() string { return fmt.Sprintf("%s: not in state %s", e.Verb, e.From) }

// Clear closes an open accrual; a cleared one cannot be cleared by another bill.
func (a Accrual) Clear() (Accrual, error) {
	if a.State != Open {
		return a, &TransitionError{a.State, "clear"}
	}
	a.State = Cleared
	return a, nil
}

// Accrued is the fact that a charge is expected.
type Accrued struct {
	Accrual Accrual
	Related []string
}

// Book makes the accruals of a load's charges from the first that is not accrued yet, and their sum. Charges of a load are only
// ever added, so the count tells which are new.
func Book(of Accrual, charges []Charge, explanation rating.Node, already int, newName func() string) ([]Accrual, money.Amount, error) {
	var sum money.Amount
	if already >= len(charges) {
		return nil, sum, nil
	}
	var out []Accrual
	sum, err := money.Zero(charges[already].Amount.Currency())
	for _, c := range charges[already:] {
		if err == nil {
			sum, err = sum.Add(c.Amount)
		}
		a := of
		a.Name, a.Charge, a.State = newName(), c, Open
		a.Explanation = explain(explanation, c.Code)
		out = append(out, a)
	}
	if err != nil {
		return nil, sum, fmt.Errorf("accrue %s: %w", of.Load, err)
	}
	return out, sum, nil
}

// explain finds the charge's own branch in the explanation of the whole price; the whole where there is none.
func explain(n rating.Node, code rating.ChargeCode) rating.Node {
	for _, c := range n.Children {
		if c.Label == string(code) {
			return c
		}
	}
	return n
}
