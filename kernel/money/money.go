// Package money is for amounts of money: a whole number of minor units (cents) with an ISO 4217 currency.
//
// It promises that amounts never change once made, that amounts of two currencies are never mixed, that an overflow is
// an error and never a wrong sum, that rounding happens only in the methods that say so (half-up, ties away
// from zero), and that parts made by Allocate add up to the whole. Rates and percentages are package decimal;
// exchange between currencies is left to others.
package money

import (
	"errors"
	"fmt"
	"math"
	"sort"

	"crossdock.dev/kernel/decimal"
)

// Errors that callers can ask for with errors.Is.
var (
	ErrUnknownCurrency  = errors.New("unknown currency")
	ErrCurrencyMismatch = errors.New("amounts of different currencies")
	ErrOverflow         = errors.New("amount out of range")
	ErrInexact          = errors.New("amount has a fraction of the minor unit")
	ErrMalformed        = errors.New("malformed amount")
	ErrWeights          = errors.New("weights must not be negative and must not all be zero")
)

// Amount is money in one currency. Amounts can be compared with == and used as map keys. The zero value has no
// currency: it is IsZero, and it cannot be added to anything; start sums with Zero.
type Amount struct {
	minor    int64
	currency string
}

// New returns minor units of a currency: New(1304594, "USD") is 13045.94 dollars.
func New(minor int64, currency string) (Amount, error) {
	if _, err := Digits(currency); err != nil {
		return Amount{}, err
	}
	return Amount{minor, currency}, nil
}

// Zero returns no money of a currency.
func Zero(currency string) (Amount, error) { return New(0, currency) }

// Parse reads a plain decimal such as "13045.94" or "-498.32". More places than the currency has are ErrInexact,
// fewer are fine ("7.5" USD is 7.50).
func Parse(s, currency string) (Amount, error) {
	d, err := decimal.Parse(s)
	if err != nil {
		return Amount{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return Exact(d, currency)
}

// MustParse is Parse for constants in source code and in tests; it panics on an error.
func MustParse(s, currency string) Amount {
	a, err := Parse(s, currency)
	if err != nil {
		panic(err)
	}
	return a
}

// Exact turns a decimal into an amount and refuses, with ErrInexact, to drop a fraction of the minor unit.
func Exact(d decimal.Decimal, currency string) (Amount, error) {
	a, err := Round(d, currency)
	if err != nil {
		return Amount{}, err
	}
	if !a.Decimal().Equal(d) {
		return Amount{}, fmt.Errorf("%w: %s %s", ErrInexact, d, currency)
	}
	return a, nil
}

// Round turns an exact decimal into an amount, half-up to the minor unit; a tie goes away from zero, so 0.125 USD is
// 0.13 and -0.125 USD is -0.13.
func Round(d decimal.Decimal, currency string) (Amount, error) {
	n, err := Digits(currency)
	if err != nil {
		return Amount{}, err
	}
	minor, err := d.RoundHalfUp(n).Unscaled(n)
	if err != nil {
		return Amount{}, fmt.Errorf("%w: %s %s", ErrOverflow, d, currency)
	}
	return Amount{minor, currency}, nil
}

// Sum adds amounts of one currency; the sum of none is Zero.
func Sum(currency string, amounts ...Amount) (Amount, error) {
	total, err := Zero(currency)
	for _, a := range amounts {
		if err != nil {
			break
		}
		total, err = total.Add(a)
	}
	return total, err
}

// Minor is the amount in minor units.
func (a Amount) Minor() int64 { return a.minor }

// Currency is the ISO 4217 code.
func (a Amount) Currency() string { return a.currency }

// Decimal is the amount in major units, with the places of the currency.
func (a Amount) Decimal() decimal.Decimal { return decimal.New(a.minor, minorDigits[a.currency]) }

// String is the amount in major units with the places of the currency and without its code: "13045.94", "-0.05",
// "1200" for yen.
func (a Amount) String() string { return a.Decimal().String() }

// Label is String with the currency: "13045.94 USD".
func (a Amount) Label() string { return a.String() + " " + a.currency }

// Sign is -1, 0 or 1.
func (a Amount) Sign() int {
	switch {
	case a.minor < 0:
		return -1
	case a.minor > 0:
		return 1
	}
	return 0
}

// IsZero reports whether there is no money, in whatever currency.
func (a Amount) IsZero() bool { return a.minor == 0 }

// Add returns a + b.
func (a Amount) Add(b Amount) (Amount, error) {
	if err := a.same(b); err != nil {
		return Amount{}, err
	}
	sum := a.minor + b.minor
	if (sum > a.minor) != (b.minor > 0) && b.minor != 0 {
		return Amount{}, fmt.Errorf("%w: %s + %s", ErrOverflow, a.Label(), b.Label())
	}
	return Amount{sum, a.currency}, nil
}

// Sub returns a − b.
func (a Amount) Sub(b Amount) (Amount, error) {
	if err := a.same(b); err != nil {
		return Amount{}, err
	}
	diff := a.minor - b.minor
	if (diff < a.minor) != (b.minor > 0) && b.minor != 0 {
		return Amount{}, fmt.Errorf("%w: %s - %s", ErrOverflow, a.Label(), b.Label())
	}
	return Amount{diff, a.currency}, nil
}

// Neg returns −a. The most negative int64 has no opposite and is ErrOverflow.
func (a Amount) Neg() (Amount, error) {
	if a.minor == math.MinInt64 {
		return Amount{}, fmt.Errorf("%w: -(%s)", ErrOverflow, a.Label())
	}
	return Amount{-a.minor, a.currency}, nil
}

// Cmp is -1, 0 or 1 as a is less than, equal to or greater than b.
func (a Amount) Cmp(b Amount) (int, error) {
	if err := a.same(b); err != nil {
		return 0, err
	}
	switch {
	case a.minor < b.minor:
		return -1, nil
	case a.minor > b.minor:
		return 1, nil
	}
	return 0, nil
}

// MulRound returns a × factor, rounded once, half-up (ties away from zero).
func (a Amount) MulRound(factor decimal.Decimal) (Amount, error) {
	return Round(a.Decimal().Mul(factor), a.currency)
}

// PercentRound returns percent ÷ 100 of a, rounded once, half-up (ties away from zero): 28 percent of 332.22 is 93.02.
func (a Amount) PercentRound(percent decimal.Decimal) (Amount, error) {
	return a.MulRound(percent.Mul(decimal.New(1, 2)))
}

func (a Amount) same(b Amount) error {
	if a.currency != b.currency || a.currency == "" {
		return fmt.Errorf("%w: %q and %q", ErrCurrencyMismatch, a.currency, b.currency)
	}
	return nil
}

// Allocate splits total in proportion to weights so that the parts add up to total exactly: each part is first cut
// down to the minor unit, then the units left over go one each to the largest remainders, at equal remainders to the
// lower index. A negative total is split as its opposite and negated. Weights that are negative, missing or all zero are
// ErrWeights.
func Allocate(total Amount, weights []decimal.Decimal) ([]Amount, error) {
	sum := decimal.Zero
	for _, w := range weights {
		if w.Sign() < 0 {
			return nil, ErrWeights
		}
		sum = sum.Add(w)
	}
	if sum.IsZero() {
		return nil, ErrWeights
	}
	if _, err := Digits(total.currency); err != nil {
		return nil, err
	}
	whole := decimal.Int(total.minor).Abs()
	parts := make([]Amount, len(weights))
	order := make([]int, len(weights))
	rest := make([]decimal.Decimal, len(weights)) // remainder × sum, which orders as the remainder does
	left := total.minor
	for i, w := range weights {
		floor, err := whole.Mul(w).QuoTrunc(sum, 0)
		if err != nil {
			return nil, err
		}
		rest[i] = whole.Mul(w).Sub(floor.Mul(sum))
		if total.minor < 0 {
			floor = floor.Neg()
		}
		minor, err := floor.Unscaled(0)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrOverflow, err)
		}
		parts[i] = Amount{minor, total.currency}
		left -= minor
		order[i] = i
	}
	sort.SliceStable(order, func(x, y int) bool { return rest[order[y]].Less(rest[order[x]]) })
	step := int64(1)
	if left < 0 {
		step = -1
	}
	for i := 0; left != 0; i++ {
		parts[order[i]].minor += step
		left -= step
	}
	return parts, nil
}

// Within reports whether an excess over a base amount is tolerated: it is zero or negative, or it is at most percent of
// base and at most limit. Both limits must hold, and nothing is rounded.
func Within(excess, base Amount, percent decimal.Decimal, limit Amount) (bool, error) {
	if err := excess.same(base); err != nil {
		return false, err
	}
	if err := excess.same(limit); err != nil {
		return false, err
	}
	if excess.minor <= 0 {
		return true, nil
	}
	share := base.Decimal().Mul(percent).Mul(decimal.New(1, 2))
	return excess.minor <= limit.minor && excess.Decimal().Cmp(share) <= 0, nil
}

const nanosPerUnit = 1_000_000_000

// UnitsNanos returns the amount as google.type.Money holds it: whole units and billionths, both of the same sign.
func (a Amount) UnitsNanos() (units int64, nanos int32) {
	per := int64(1)
	for range minorDigits[a.currency] {
		per *= 10
	}
	return a.minor / per, int32(a.minor % per * (nanosPerUnit / per))
}

// FromUnitsNanos reads the two numbers of a google.type.Money. Units and nanos of opposite sign, or nanos of a whole unit
// or more, are ErrMalformed; a fraction of the minor unit is ErrInexact.
func FromUnitsNanos(units int64, nanos int32, currency string) (Amount, error) {
	if nanos <= -nanosPerUnit || nanos >= nanosPerUnit || (units > 0 && nanos < 0) || (units < 0 && nanos > 0) {
		return Amount{}, fmt.Errorf("%w: %d units and %d nanos", ErrMalformed, units, nanos)
	}
	return Exact(decimal.Int(units).Add(decimal.New(int64(nanos), 9)), currency)
}
