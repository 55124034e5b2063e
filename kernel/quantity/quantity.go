// Package quantity is for measured and counted things: a decimal with a unit of UN/ECE Recommendation 20.
//
// It promises that only quantities of the same unit are added, and that conversions between the units it knows use the
// exact legal factors. Mapping partners' unit codes (X12 CA is a case, Rec 20 CA is a can) and packs of an item
// (24 EA per CS) is left to master data.
package quantity

import (
	"errors"
	"fmt"

	"crossdock.dev/kernel/decimal"
)

// Unit is a common code of UN/ECE Recommendation 20, two or three upper-case letters or digits.
type Unit string

// The units that the kernel itself speaks of. CS and CT are marked X (see Recommendation 21) in Rec 20 and kept as
// the suite's codes for cases and cartons.
const (
	Each       Unit = "EA"
	Case       Unit = "CS"
	Carton     Unit = "CT"
	Piece      Unit = "H87"
	Kilogram   Unit = "KGM"
	Pound      Unit = "LBR"
	CwtUS      Unit = "CWA" // hundred pounds
	Decitonne  Unit = "DTN" // 100 kg
	CubicFoot  Unit = "FTQ"
	CubicMetre Unit = "MTQ"
	Mile       Unit = "SMI" // statute mile
	Kilometre  Unit = "KMT"
	Inch       Unit = "INH"
	Centimetre Unit = "CMT"
	Hour       Unit = "HUR"
	Minute     Unit = "MIN"
	Percent    Unit = "P1"
	One        Unit = "C62" // a plain number, such as a count of stops
)

// Errors that callers can ask for with errors.Is.
var (
	ErrUnit         = errors.New("malformed unit code")
	ErrUnitMismatch = errors.New("quantities of different units")
	ErrNoConversion = errors.New("no conversion between the units")
	ErrDimensions   = errors.New("dimensions and count must be greater than zero")
)

// Quantity is a number of units. The zero value has no unit and cannot be added to anything.
type Quantity struct {
	value decimal.Decimal
	unit  Unit
}

// New returns a quantity. The unit is checked for its shape only: whether a code is in use is master data.
func New(value decimal.Decimal, unit Unit) (Quantity, error) {
	if len(unit) < 2 || len(unit) > 3 {
		return Quantity{}, fmt.Errorf("%w: %q", ErrUnit, string(unit))
	}
	for _, c := range unit {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return Quantity{}, fmt.Errorf("%w: %q", ErrUnit, string(unit))
		}
	}
	return Quantity{value, unit}, nil
}

// Parse reads a plain decimal as a quantity of the unit.
func Parse(value string, unit Unit) (Quantity, error) {
	d, err := decimal.Parse(value)
	if err != nil {
		return Quantity{}, err
	}
	return New(d, unit)
}

// MustParse is Parse for constants in source code and in tests; it panics on an error.
func MustParse(value string, unit Unit) Quantity {
	q, err := Parse(value, unit)
	if err != nil {
		panic(err)
	}
	return q
}

// Value is the number.
func (q Quantity) Value() decimal.Decimal { return q.value }

// Unit is the unit.
func (q Quantity) Unit() Unit { return q.unit }

// String is "3156 LBR".
func (q Quantity) String() string { return q.value.String() + " " + string(q.unit) }

// IsZero reports whether the number is 0.
func (q Quantity) IsZero() bool { return q.value.IsZero() }

// Sign is -1, 0 or 1.
func (q Quantity) Sign() int { return q.value.Sign() }

// Equal reports whether unit and number are the same; 12 INH and 30.48 CMT are not Equal.
func (q Quantity) Equal(x Quantity) bool { return q.unit == x.unit && q.value.Equal(x.value) }

// Add returns q + x of the same unit.
func (q Quantity) Add(x Quantity) (Quantity, error) {
	if err := q.same(x); err != nil {
		return Quantity{}, err
	}
	return Quantity{q.value.Add(x.value), q.unit}, nil
}

// Sub returns q − x of the same unit.
func (q Quantity) Sub(x Quantity) (Quantity, error) {
	if err := q.same(x); err != nil {
		return Quantity{}, err
	}
	return Quantity{q.value.Sub(x.value), q.unit}, nil
}

// Cmp is -1, 0 or 1 as q is less than, equal to or greater than x of the same unit.
func (q Quantity) Cmp(x Quantity) (int, error) {
	if err := q.same(x); err != nil {
		return 0, err
	}
	return q.value.Cmp(x.value), nil
}

// Mul returns q × factor in the same unit, exactly.
func (q Quantity) Mul(factor decimal.Decimal) Quantity {
	return Quantity{q.value.Mul(factor), q.unit}
}

func (q Quantity) same(x Quantity) error {
	if q.unit != x.unit || q.unit == "" {
		return fmt.Errorf("%w: %q and %q", ErrUnitMismatch, string(q.unit), string(x.unit))
	}
	return nil
}

// measure says how many base units one unit is, exactly. Sources: UN/ECE Rec 20 conversion column; the international
// yard and pound agreement of 1959 (pound 0.45359237 kg, inch 2.54 cm, foot 0.3048 m, mile 1609.344 m).
type measure struct {
	kind   string
	factor decimal.Decimal
}

var measures = map[Unit]measure{
	Kilogram:   {"mass", decimal.One},
	Pound:      {"mass", decimal.MustParse("0.45359237")},
	CwtUS:      {"mass", decimal.MustParse("45.359237")},
	Decitonne:  {"mass", decimal.Hundred},
	CubicMetre: {"volume", decimal.One},
	CubicFoot:  {"volume", decimal.MustParse("0.028316846592")},
	Kilometre:  {"distance", decimal.One},
	Mile:       {"distance", decimal.MustParse("1.609344")},
	Centimetre: {"length", decimal.One},
	Inch:       {"length", decimal.MustParse("2.54")},
	Minute:     {"time", decimal.One},
	Hour:       {"time", decimal.Int(60)},
}

// In converts to another unit of the same kind by the exact factor, then rounds half-up to scale places. Eight places are
// enough for whole pounds in kilograms. The same unit comes back untouched, unrounded. Units of different
// kinds, and counts, are ErrNoConversion.
func (q Quantity) In(unit Unit, scale uint8) (Quantity, error) {
	if q.unit == unit && unit != "" {
		return q, nil
	}
	from, ok := measures[q.unit]
	to, ok2 := measures[unit]
	if !ok || !ok2 || from.kind != to.kind {
		return Quantity{}, fmt.Errorf("%w: %q to %q", ErrNoConversion, string(q.unit), string(unit))
	}
	v, err := q.value.Mul(from.factor).Quo(to.factor, scale)
	if err != nil {
		return Quantity{}, err
	}
	return Quantity{v, unit}, nil
}

// Hundredweight returns a weight in pounds as hundreds of pounds, exactly: 3156 LBR is 31.56 CWA. Other units are
// ErrUnitMismatch; convert them first and say the places.
func (q Quantity) Hundredweight() (Quantity, error) {
	if q.unit != Pound {
		return Quantity{}, fmt.Errorf("%w: hundredweight of %q", ErrUnitMismatch, string(q.unit))
	}
	return Quantity{q.value.Mul(decimal.New(1, 2)), CwtUS}, nil
}

const cubicInchesPerCubicFoot = 1728

// densityPlaces bounds the places of a density. It is cut off there, never rounded up, so that a density below a class
// bound never reaches it.
const densityPlaces = 6

// Density returns pounds per cubic foot of a package: its weight in pounds over length × width × height in
// inches, cut off after six places. A carton of 9 lb and 16 × 12 × 9 in has 9 pcf.
func Density(weight, length, width, height Quantity) (decimal.Decimal, error) {
	if weight.unit != Pound {
		return decimal.Decimal{}, fmt.Errorf("%w: density of a weight in %q", ErrUnitMismatch, string(weight.unit))
	}
	if weight.Sign() < 0 {
		return decimal.Decimal{}, fmt.Errorf("%w: weight %s", ErrDimensions, weight)
	}
	volume := decimal.One
	for _, side := range []Quantity{length, width, height} {
		if side.unit != Inch {
			return decimal.Decimal{}, fmt.Errorf("%w: dimension in %q", ErrUnitMismatch, string(side.unit))
		}
		if side.Sign() <= 0 {
			return decimal.Decimal{}, fmt.Errorf("%w: %s", ErrDimensions, side)
		}
		volume = volume.Mul(side.value)
	}
	return weight.value.Mul(decimal.Int(cubicInchesPerCubicFoot)).QuoTrunc(volume, densityPlaces)
}

// Volume returns the cubic feet of count cartons of the given sides in inches, rounded half-up to scale places.
func Volume(length, width, height Quantity, count decimal.Decimal, scale uint8) (Quantity, error) {
	volume := count
	if count.Sign() <= 0 {
		return Quantity{}, fmt.Errorf("%w: %s cartons", ErrDimensions, count)
	}
	for _, side := range []Quantity{length, width, height} {
		if side.unit != Inch {
			return Quantity{}, fmt.Errorf("%w: dimension in %q", ErrUnitMismatch, string(side.unit))
		}
		if side.Sign() <= 0 {
			return Quantity{}, fmt.Errorf("%w: %s", ErrDimensions, side)
		}
		volume = volume.Mul(side.value)
	}
	v, err := volume.Quo(decimal.Int(cubicInchesPerCubicFoot), scale)
	if err != nil {
		return Quantity{}, err
	}
	return Quantity{v, CubicFoot}, nil
}
