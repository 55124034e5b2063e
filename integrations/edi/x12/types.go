package x12

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseN reads a value of type N0 to N9 and returns it as an exact decimal
// text: N2 "65940" is "659.40". A value with a decimal point is an error; some
// senders write one, and whether they mean implied decimals cannot be known.
func ParseN(value string, decimals int) (string, error) {
	sign, rest := "", value
	if strings.HasPrefix(rest, "-") {
		sign, rest = "-", rest[1:]
	}
	if !digits(rest) {
		return "", fmt.Errorf("x12: %q is not of type N%d", bounded(value, 40), decimals)
	}
	if decimals > 0 {
		if missing := decimals + 1 - len(rest); missing > 0 {
			rest = strings.Repeat("0", missing) + rest
		}
		rest = rest[:len(rest)-decimals] + "." + rest[len(rest)-decimals:]
	}
	whole, fraction, _ := strings.Cut(rest, ".")
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return sign + whole, nil
}

// FormatN writes an exact decimal text as type N0 to N9: "659.40" as N2 is
// "65940". Digits beyond the implied decimals are an error unless zero.
func FormatN(value string, decimals int) (string, error) {
	text, err := ParseR(value)
	if err != nil {
		return "", fmt.Errorf("x12: %q cannot be written as N%d", bounded(value, 40), decimals)
	}
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > decimals {
		if strings.Trim(fraction[decimals:], "0") != "" {
			return "", fmt.Errorf("x12: %q has more than %d decimals", bounded(value, 40), decimals)
		}
		fraction = fraction[:decimals]
	}
	out := strings.TrimLeft(whole+fraction+strings.Repeat("0", decimals-len(fraction)), "0")
	if out == "" {
		return "0", nil
	}
	return sign + out, nil
}

// ParseR reads a value of type R and returns it as an exact decimal text with
// a digit on either side of the point: ".5" is "0.5", "7." is "7".
func ParseR(value string) (string, error) {
	sign, rest := "", value
	if strings.HasPrefix(rest, "-") {
		sign, rest = "-", rest[1:]
	}
	whole, fraction, _ := strings.Cut(rest, ".")
	if whole+fraction == "" || whole != "" && !digits(whole) || fraction != "" && !digits(fraction) {
		return "", fmt.Errorf("x12: %q is not of type R", bounded(value, 40))
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return sign + whole, nil
}

// Date is a calendar date without a zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// ParseDate reads a value of type DT: CCYYMMDD, or YYMMDD where 70 and above
// is 19YY.
func ParseDate(value string) (Date, error) {
	if !digits(value) {
		return Date{}, notA("date", value)
	}
	switch len(value) {
	case 6:
		if value[:2] >= "70" {
			value = "19" + value
		} else {
			value = "20" + value
		}
	case 8:
	default:
		return Date{}, notA("date", value)
	}
	t, err := time.Parse("20060102", value)
	if err != nil {
		return Date{}, notA("date", value)
	}
	return Date{t.Year(), t.Month(), t.Day()}, nil
}

// Clock is a time of day without a zone.
type Clock struct {
	Hour, Minute, Second, Hundredth int
}

// ParseTime reads a value of type TM: HHMM, HHMMSS, HHMMSSD or HHMMSSDD.
func ParseTime(value string) (Clock, error) {
	if !digits(value) || len(value) < 4 || len(value) == 5 || len(value) > 8 {
		return Clock{}, notA("time", value)
	}
	part := func(from int) int {
		if len(value) < from+2 {
			return 0
		}
		n, _ := strconv.Atoi(value[from : from+2]) // digits, checked above
		return n
	}
	c := Clock{part(0), part(2), part(4), part(6)}
	if len(value) == 7 {
		c.Hundredth = 10 * int(value[6]-'0')
	}
	if c.Hour > 23 || c.Minute > 59 || c.Second > 59 {
		return Clock{}, notA("time", value)
	}
	return c, nil
}

func notA(what, value string) error {
	return fmt.Errorf("x12: %q is not a %s", bounded(value, 40), what)
}

// N returns element n, which is of type N with so many implied decimals, as
// an exact decimal text. An absent element is "" without an error.
func (s Segment) N(n, decimals int) (string, error) {
	return typed(s, n, func(v string) (string, error) { return ParseN(v, decimals) })
}

// R returns element n, which is of type R, as an exact decimal text. An absent
// element is "" without an error.
func (s Segment) R(n int) (string, error) { return typed(s, n, ParseR) }

// DT returns element n, which is of type DT. An absent element is the zero Date.
func (s Segment) DT(n int) (Date, error) { return typed(s, n, ParseDate) }

// TM returns element n, which is of type TM; ok is false where it is absent.
func (s Segment) TM(n int) (c Clock, ok bool, err error) {
	c, err = typed(s, n, ParseTime)
	return c, err == nil && s.Get(n) != "", err
}

func typed[T any](s Segment, n int, parse func(string) (T, error)) (T, error) {
	var zero T
	v := s.Get(n)
	if v == "" {
		return zero, nil
	}
	out, err := parse(v)
	if err != nil {
		return zero, fmt.Errorf("%s%02d: %w", s.ID, n, err)
	}
	return out, nil
}
