package rule

import (
	"fmt"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
)

// Zone wants a name of the IANA time zone database.
func Zone(path, name string) Fields {
	var f Fields
	if _, err := calendar.LoadZone(name); err != nil {
		f.Add(path, Malformed, "%q is no zone of the IANA database", name)
	}
	return f
}

// Currency wants an ISO 4217 code whose minor digits are known.
func Currency(path, code string) Fields {
	var f Fields
	if _, err := money.Digits(code); err != nil {
		f.Add(path, Malformed, "%q is no currency that is known", code)
	}
	return f
}

// Hours wants two local times of a day, "08:00", the first before the second.
func Hours(fromPath, from, toPath, to string) Fields {
	var f Fields
	a, err := calendar.ParseTimeOfDay(from)
	if err != nil {
		f.Add(fromPath, Malformed, "%q is no time of day", from)
	}
	b, err2 := calendar.ParseTimeOfDay(to)
	if err2 != nil {
		f.Add(toPath, Malformed, "%q is no time of day", to)
	}
	if err == nil && err2 == nil && b <= a {
		f.Add(toPath, OutOfRange, "%s is not after %s", to, from)
	}
	return f
}

// TimeOfDay wants a local time of a day, or nothing.
func TimeOfDay(path, s string) Fields {
	var f Fields
	if s == "" {
		return f
	}
	if _, err := calendar.ParseTimeOfDay(s); err != nil {
		f.Add(path, Malformed, "%q is no time of day", s)
	}
	return f
}

// Date is a day as a contract carries it: three numbers that may not be a day at all.
type Date struct{ Year, Month, Day int }

func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// On returns the day, and a bad field when there is no such day.
func (d Date) On(path string) (calendar.Date, Fields) {
	var f Fields
	day, err := calendar.NewDate(d.Year, time.Month(d.Month), d.Day)
	if err != nil {
		f.Add(path, Malformed, "%s is no day", d)
	}
	return day, f
}

// Dates wants days in ascending order, none twice.
func Dates(path string, dates []Date) Fields {
	var f Fields
	var last calendar.Date
	for i, d := range dates {
		at := fmt.Sprintf("%s[%d]", path, i)
		day, bad := d.On(at)
		f = append(f, bad...)
		if len(bad) > 0 {
			continue
		}
		if !last.IsZero() && !day.After(last) {
			f.Add(at, NotAscending, "%s is not after %s", day, last)
		}
		last = day
	}
	return f
}

// Distinct wants no element twice.
func Distinct[T comparable](path string, elements []T) Fields {
	var f Fields
	seen := map[T]bool{}
	for i, e := range elements {
		if seen[e] {
			f.Add(fmt.Sprintf("%s[%d]", path, i), Duplicate, "%v is there already", e)
		}
		seen[e] = true
	}
	return f
}

// Percent wants a decimal from 0 to 100, or nothing.
func Percent(path, s string) Fields {
	var f Fields
	if s == "" {
		return f
	}
	d, err := decimal.Parse(s)
	switch {
	case err != nil:
		f.Add(path, Malformed, "%q is no decimal", s)
	case d.Sign() < 0 || d.Cmp(decimal.Hundred) > 0:
		f.Add(path, OutOfRange, "%s is not from 0 to 100", s)
	}
	return f
}

// Positive wants a decimal above zero.
func Positive(path, s string) Fields {
	var f Fields
	d, err := decimal.Parse(s)
	switch {
	case err != nil:
		f.Add(path, Malformed, "%q is no decimal", s)
	case d.Sign() <= 0:
		f.Add(path, OutOfRange, "%s is not above zero", s)
	}
	return f
}

// OneOf wants one of the words.
func OneOf(path, word string, words ...string) Fields {
	var f Fields
	for _, w := range words {
		if word == w {
			return f
		}
	}
	f.Add(path, NotAllowed, "%q is none of %q", word, words)
	return f
}

// Money is an amount as a contract carries it: units and billionths.
type Money struct {
	Units    int64
	Nanos    int32
	Currency string
}

// Amount wants an amount of the currency, not negative, in whole minor units. An empty currency means any that is known.
func Amount(path string, m Money, currency string) Fields {
	var f Fields
	if currency != "" && m.Currency != currency {
		f.Add(path+".currency_code", NotAllowed, "%q is not the currency %s of the whole", m.Currency, currency)
		return f
	}
	if bad := Currency(path+".currency_code", m.Currency); len(bad) > 0 {
		return bad
	}
	a, err := money.FromUnitsNanos(m.Units, m.Nanos, m.Currency)
	switch {
	case err != nil:
		f.Add(path, Malformed, "%d units and %d nanos are no amount in whole minor units of %s", m.Units, m.Nanos, m.Currency)
	case a.Sign() < 0:
		f.Add(path, OutOfRange, "%s is negative", a.Label())
	}
	return f
}

// Coordinates wants both or none, from -90 to 90 and from -180 to 180 degrees.
func Coordinates(latitude, longitude string) Fields {
	var f Fields
	if (latitude == "") != (longitude == "") {
		f.Add("latitude", Missing, "latitude and longitude go together")
		return f
	}
	for _, c := range []struct {
		path, s string
		most    int64
	}{{"latitude", latitude, 90}, {"longitude", longitude, 180}} {
		if c.s == "" {
			continue
		}
		d, err := decimal.Parse(c.s)
		switch {
		case err != nil:
			f.Add(c.path, Malformed, "%q is no decimal", c.s)
		case d.Abs().Cmp(decimal.Int(c.most)) > 0:
			f.Add(c.path, OutOfRange, "%s is more than %d degrees", c.s, c.most)
		}
	}
	return f
}
