package quantity_test

import (
	"errors"
	"testing"

	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/quantity"
)

func q(s string, u quantity.Unit) quantity.Quantity { return quantity.MustParse(s, u) }

func TestUnits(t *testing.T) {
	for _, u := range []quantity.Unit{"EA", "C62", "H87", "P1", "23", "LBR"} {
		if _, err := quantity.New(decimal.One, u); err != nil {
			t.Errorf("%s: got %v", u, err)
		}
	}
	for _, u := range []quantity.Unit{"", "E", "EACH", "ea", "K G", "µM"} {
		if got, err := quantity.New(decimal.One, u); !errors.Is(err, quantity.ErrUnit) {
			t.Errorf("%q: got %s, %v; want ErrUnit", string(u), got, err)
		}
	}
}

func TestSameUnitOnly(t *testing.T) {
	sum, err := q("2244", "LBR").Add(q("362", "LBR"))
	if err != nil || !sum.Equal(q("2606", "LBR")) {
		t.Errorf("got %s, %v; want 2606 LBR", sum, err)
	}
	diff, err := q("80", "EA").Sub(q("76", "EA"))
	if err != nil || diff.String() != "4 EA" {
		t.Errorf("got %s, %v; want 4 EA", diff, err)
	}
	if got, err := q("1", "LBR").Add(q("1", "KGM")); !errors.Is(err, quantity.ErrUnitMismatch) {
		t.Errorf("LBR + KGM: got %s, %v; want ErrUnitMismatch", got, err)
	}
	if got, err := (quantity.Quantity{}).Sub(quantity.Quantity{}); !errors.Is(err, quantity.ErrUnitMismatch) {
		t.Errorf("no units: got %s, %v; want ErrUnitMismatch", got, err)
	}
	if got, err := q("1", "CS").Cmp(q("1", "EA")); !errors.Is(err, quantity.ErrUnitMismatch) {
		t.Errorf("CS against EA: got %d, %v; want ErrUnitMismatch", got, err)
	}
	if got := q("120", "EA").Mul(decimal.MustParse("1.5")); got.String() != "180.0 EA" {
		t.Errorf("got %s, want 180.0 EA", got)
	}
}

// Factors of UN/ECE Rec 20 and the international yard and pound agreement.
func TestConversion(t *testing.T) {
	for _, c := range []struct {
		in, from, to, want string
		scale              uint8
	}{
		{"1", "LBR", "KGM", "0.45359237", 8}, {"3156", "LBR", "KGM", "1431.53751972", 8}, {"3156", "LBR", "KGM", "1431.5", 1},
		{"0.45359237", "KGM", "LBR", "1.0000", 4}, {"1", "KGM", "LBR", "2.2046", 4}, {"1", "SMI", "KMT", "1.609344", 6},
		{"1", "CWA", "LBR", "100.00", 2}, {"1", "DTN", "KGM", "100", 0}, {"1", "FTQ", "MTQ", "0.028316846592", 12},
		{"1", "INH", "CMT", "2.54", 2}, {"90", "MIN", "HUR", "1.5", 1}, {"3156.5", "LBR", "LBR", "3156.5", 0},
	} {
		got, err := q(c.in, quantity.Unit(c.from)).In(quantity.Unit(c.to), c.scale)
		if want := c.want + " " + c.to; err != nil || got.String() != want {
			t.Errorf("%s %s in %s: got %s, %v; want %s", c.in, c.from, c.to, got, err, want)
		}
	}
	for _, c := range [][2]quantity.Unit{{"LBR", "KMT"}, {"EA", "CS"}, {"CS", "LBR"}, {"LBR", ""}} {
		if got, err := q("1", c[0]).In(c[1], 2); !errors.Is(err, quantity.ErrNoConversion) {
			t.Errorf("%s in %s: got %s, %v; want ErrNoConversion", c[0], c[1], got, err)
		}
	}
	cwt, err := q("3156", "LBR").Hundredweight()
	if err != nil || cwt.String() != "31.56 CWA" {
		t.Errorf("got %s, %v; want 31.56 CWA", cwt, err)
	}
	if got, err := q("1", "KGM").Hundredweight(); !errors.Is(err, quantity.ErrUnitMismatch) {
		t.Errorf("hundredweight of KGM: got %s, %v; want ErrUnitMismatch", got, err)
	}
}

func TestDensityAndVolume(t *testing.T) {
	in := func(s string) quantity.Quantity { return q(s, "INH") }
	pcf, err := quantity.Density(q("33", "LBR"), in("24"), in("16"), in("20"))
	if err != nil || !pcf.Equal(decimal.MustParse("7.425")) {
		t.Errorf("got %s, %v; want 7.425", pcf, err)
	}
	// Just below 12 pcf stays below: 11.99999999… is cut off, not rounded up to the bound.
	pcf, err = quantity.Density(q("11.9999999", "LBR"), in("12"), in("12"), in("12"))
	if err != nil || pcf.String() != "11.999999" {
		t.Errorf("got %s, %v; want 11.999999", pcf, err)
	}
	// 314 cartons of the demonstration day's first order are 231.61 cubic feet together.
	total := q("0", "FTQ")
	for _, c := range []struct{ count, l, w, h string }{
		{"30", "12", "8", "8"}, {"110", "12", "10", "8"}, {"21", "16", "12", "12"}, {"19", "8", "6", "6"}, {"18", "12", "10", "8"}, {"116", "16", "12", "9"},
	} {
		v, err := quantity.Volume(in(c.l), in(c.w), in(c.h), decimal.MustParse(c.count), 8)
		if err != nil {
			t.Fatal(err)
		}
		if total, err = total.Add(v); err != nil {
			t.Fatal(err)
		}
	}
	if got := total.Value().RoundHalfUp(2).String(); got != "231.61" {
		t.Errorf("got %s FTQ, want 231.61", got)
	}
	for name, f := range map[string]func() error{
		"flat":        func() error { _, err := quantity.Density(q("1", "LBR"), in("0"), in("1"), in("1")); return err },
		"no cartons":  func() error { _, err := quantity.Volume(in("1"), in("1"), in("1"), decimal.Zero, 2); return err },
		"weight < 0":  func() error { _, err := quantity.Density(q("-1", "LBR"), in("1"), in("1"), in("1")); return err },
		"volume flat": func() error { _, err := quantity.Volume(in("1"), in("-1"), in("1"), decimal.One, 2); return err },
	} {
		if err := f(); !errors.Is(err, quantity.ErrDimensions) {
			t.Errorf("%s: got %v, want ErrDimensions", name, err)
		}
	}
	for name, f := range map[string]func() error{
		"kilograms":   func() error { _, err := quantity.Density(q("1", "KGM"), in("1"), in("1"), in("1")); return err },
		"centimetres": func() error { _, err := quantity.Density(q("1", "LBR"), q("1", "CMT"), in("1"), in("1")); return err },
	} {
		if err := f(); !errors.Is(err, quantity.ErrUnitMismatch) {
			t.Errorf("%s: got %v, want ErrUnitMismatch", name, err)
		}
	}
}
