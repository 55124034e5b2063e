// Package decimal is for exact decimal numbers: rates, weights, percentages, quantities.
//
// It promises values that never change once made, exact sums and products, and quotients rounded to a
// number of places that the caller states. It has no exponent notation, no infinity and no NaN, and never
// touches binary floating point. Amounts of money with a currency are the business of package money, units of
// package quantity.
package decimal

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// MaxDigits is the number of digits, before and after the point together, that Parse accepts. It bounds the
// work that a partner's text can cause; results of arithmetic may have more digits.
const MaxDigits = 38

// Errors that callers can ask for with errors.Is.
var (
	ErrMalformed    = errors.New("malformed decimal")
	ErrTooLong      = errors.New("decimal has more than 38 digits")
	ErrDivideByZero = errors.New("division by zero")
	ErrOutOfRange   = errors.New("decimal does not fit the integer asked for")
)

// Decimal is an exact decimal number. The zero value is 0. A Decimal is a value: copy it freely, compare it with
// Equal or Cmp (1.50 equals 1.5), not with ==.
type Decimal struct {
	d apd.Decimal // finite, exponent at most 0, never negative zero
}

// Zero is the number 0, One the number 1, Hundred the number 100.
var (
	Zero    = New(0, 0)
	One     = New(1, 0)
	Hundred = New(100, 0)
)

// New returns unscaled × 10^-scale: New(2950, 2) is 29.50.
func New(unscaled int64, scale uint8) Decimal {
	var out Decimal
	out.d.SetFinite(unscaled, -int32(scale))
	return out
}

// Int returns n as a decimal.
func Int(n int64) Decimal { return New(n, 0) }

// Parse reads an optional minus sign, at least one digit, and optionally a point with at least one digit after it.
// Anything else, among it exponents, a plus sign, blanks, separators, NaN and Inf, is ErrMalformed; more than
// MaxDigits digits are ErrTooLong. The places after the point are kept: Parse("1.50").String() is "1.50".
func Parse(s string) (Decimal, error) {
	digits, point := 0, -1
	body := strings.TrimPrefix(s, "-")
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' && point < 0 && i > 0:
			point = i
		default:
			return Decimal{}, malformed(s)
		}
		if digits > MaxDigits {
			return Decimal{}, ErrTooLong
		}
	}
	if digits == 0 || point == len(body)-1 {
		return Decimal{}, malformed(s)
	}
	var out Decimal
	if _, _, err := out.d.SetString(s); err != nil {
		return Decimal{}, malformed(s)
	}
	return out.clean(), nil
}

func malformed(s string) error {
	if len(s) > MaxDigits+2 {
		s = s[:MaxDigits+2]
	}
	return fmt.Errorf("%w: %q", ErrMalformed, s)
}

// MustParse is Parse for constants in source code and in tests; it panics on text that is not a decimal.
func MustParse(s string) Decimal {
	d, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return d
}

// Add returns d + x, exactly.
func (d Decimal) Add(x Decimal) Decimal {
	var out Decimal
	return out.done(apd.BaseContext.Add(&out.d, &d.d, &x.d))
}

// Sub returns d − x, exactly.
func (d Decimal) Sub(x Decimal) Decimal {
	var out Decimal
	return out.done(apd.BaseContext.Sub(&out.d, &d.d, &x.d))
}

// Mul returns d × x, exactly; the places after the point add up.
func (d Decimal) Mul(x Decimal) Decimal {
	var out Decimal
	return out.done(apd.BaseContext.Mul(&out.d, &d.d, &x.d))
}

// done ends an exact operation. The base context has no precision limit and fails only past 100000 places after the
// point, which takes a chain of thousands of products written in source code, so an error is a defect there.
func (d Decimal) done(_ apd.Condition, err error) Decimal {
	if err != nil {
		panic("decimal: exact operation failed: " + err.Error())
	}
	return d.clean()
}

// clean keeps the sign off zero, so that -0.00 is never printed.
func (d Decimal) clean() Decimal {
	if d.d.Coeff.Sign() == 0 {
		d.d.Negative = false
	}
	return d
}

// Quo returns d ÷ x with scale places after the point, rounded half-up (ties away from zero). Dividing by zero is
// ErrDivideByZero.
func (d Decimal) Quo(x Decimal, scale uint8) (Decimal, error) {
	return d.quo(x, scale, true)
}

// QuoTrunc is Quo cut off instead of rounded. Comparing the result with a bound of at most scale places gives the
// same answer as comparing the exact quotient with it (for results that are not negative).
func (d Decimal) QuoTrunc(x Decimal, scale uint8) (Decimal, error) {
	return d.quo(x, scale, false)
}

func (d Decimal) quo(x Decimal, scale uint8, halfUp bool) (Decimal, error) {
	if x.IsZero() {
		return Decimal{}, ErrDivideByZero
	}
	num, den := d.d.Coeff, x.d.Coeff
	if shift := int64(d.d.Exponent) - int64(x.d.Exponent) + int64(scale); shift >= 0 {
		num = times10(num, shift)
	} else {
		den = times10(den, -shift)
	}
	var q, r apd.BigInt
	q.QuoRem(&num, &den, &r)
	if halfUp && r.Lsh(&r, 1).CmpAbs(&den) >= 0 {
		q.Add(&q, apd.NewBigInt(1))
	}
	var out Decimal
	out.d.Coeff = q
	out.d.Exponent = -int32(scale)
	out.d.Negative = d.d.Negative != x.d.Negative
	return out.clean(), nil
}

func times10(c apd.BigInt, n int64) apd.BigInt {
	var p, out apd.BigInt
	p.Exp(apd.NewBigInt(10), apd.NewBigInt(n), nil)
	out.Mul(&c, &p)
	return out
}

// RoundHalfUp returns d with exactly scale places after the point; ties go away from zero, so 0.125 becomes 0.13 and
// -0.125 becomes -0.13.
func (d Decimal) RoundHalfUp(scale uint8) Decimal {
	out, _ := d.quo(One, scale, true) // dividing by one cannot fail
	return out
}

// Trim returns d without trailing zeros after the point: 12.50 becomes 12.5, 12.00 becomes 12.
func (d Decimal) Trim() Decimal {
	s := d.String()
	if !strings.Contains(s, ".") {
		return d
	}
	s = strings.TrimRight(s, "0")
	places := len(s) - strings.IndexByte(s, '.') - 1
	var out Decimal
	out.d.Set(&d.d)
	var rest apd.BigInt
	drop := -int64(d.d.Exponent) - int64(places)
	ten := times10(*apd.NewBigInt(1), drop)
	out.d.Coeff.QuoRem(&d.d.Coeff, &ten, &rest)
	out.d.Exponent = -int32(places)
	return out.clean()
}

// Neg returns −d.
func (d Decimal) Neg() Decimal {
	d.d.Negative = !d.d.Negative
	return d.clean()
}

// Abs returns d without its sign.
func (d Decimal) Abs() Decimal {
	d.d.Negative = false
	return d
}

// Cmp is -1, 0 or 1 as d is less than, equal to or greater than x.
func (d Decimal) Cmp(x Decimal) int { return d.d.Cmp(&x.d) }

// Equal reports whether d and x are the same number, whatever their trailing zeros.
func (d Decimal) Equal(x Decimal) bool { return d.Cmp(x) == 0 }

// Less reports whether d < x.
func (d Decimal) Less(x Decimal) bool { return d.Cmp(x) < 0 }

// Sign is -1, 0 or 1.
func (d Decimal) Sign() int { return d.d.Sign() }

// IsZero reports whether d is 0.
func (d Decimal) IsZero() bool { return d.Sign() == 0 }

// Scale is the number of places after the point.
func (d Decimal) Scale() int { return -int(d.d.Exponent) }

// Unscaled returns d × 10^scale if that is a whole number that fits an int64; else ErrOutOfRange.
// New(n, scale).Unscaled(scale) is n.
func (d Decimal) Unscaled(scale uint8) (int64, error) {
	r := d.RoundHalfUp(scale)
	if !r.Equal(d) {
		return 0, fmt.Errorf("%w: %s has more than %d places", ErrOutOfRange, d, scale)
	}
	var c apd.BigInt
	c.Set(&r.d.Coeff)
	if r.d.Negative {
		c.Neg(&r.d.Coeff)
	}
	if !c.IsInt64() {
		return 0, fmt.Errorf("%w: %s", ErrOutOfRange, d)
	}
	return c.Int64(), nil
}

// String writes d in plain notation with the places it has: "1010.00", "-0.5".
func (d Decimal) String() string { return d.d.Text('f') }

// MarshalText writes String, so that JSON holds decimals as strings.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what Parse reads.
func (d *Decimal) UnmarshalText(b []byte) error {
	p, err := Parse(string(b))
	if err != nil {
		return err
	}
	*d = p
	return nil
}
