package decimal_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"crossdock.dev/kernel/decimal"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "-0.00": "0.00", "1.50": "1.50", "007": "7", "-12.345": "-12.345", "0.45359237": "0.45359237",
		strings.Repeat("9", 38):              strings.Repeat("9", 38),
		"0." + strings.Repeat("0", 36) + "1": "0." + strings.Repeat("0", 36) + "1",
	} {
		d, err := decimal.Parse(in)
		if err != nil || d.String() != want {
			t.Errorf("Parse(%q): got %s, %v; want %s", in, d, err, want)
		}
	}
	for _, in := range []string{
		"", "-", ".", ".5", "5.", "+1", "1e3", "1E-3", "NaN", "nan", "Inf", "-Infinity", "1,000", "1 000", " 1", "1\n", "--1", "1.2.3",
		"0x10", "1_000", "٣", "1-",
	} {
		if d, err := decimal.Parse(in); !errors.Is(err, decimal.ErrMalformed) {
			t.Errorf("Parse(%q): got %s, %v; want ErrMalformed", in, d, err)
		}
	}
	for _, in := range []string{strings.Repeat("9", 39), "0." + strings.Repeat("0", 38), strings.Repeat("1", 1<<20)} {
		if _, err := decimal.Parse(in); !errors.Is(err, decimal.ErrTooLong) {
			t.Errorf("Parse of %d characters: got %v, want ErrTooLong", len(in), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0", "-1.50", "1e9", ".", "99999999999999999999999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := decimal.Parse(s)
		if err != nil {
			return
		}
		again, err := decimal.Parse(d.String())
		if err != nil || again.String() != d.String() || !again.Equal(d) {
			t.Fatalf("Parse(%q) is %s, parsed again %s, %v", s, d, again, err)
		}
	})
}

func TestArithmetic(t *testing.T) {
	p := decimal.MustParse
	for _, c := range []struct{ name, got, want string }{
		{"sum", p("0.1").Add(p("0.2")).String(), "0.3"},
		{"difference", p("1").Sub(p("1.00")).String(), "0.00"},
		{"product", p("830.54").Mul(p("0.40")).String(), "332.2160"},
		{"product of 38 digits", p(strings.Repeat("9", 38)).Mul(p(strings.Repeat("9", 38))).String(), strings.Repeat("9", 37) + "8" + strings.Repeat("0", 37) + "1"},
		{"opposite", p("1.5").Neg().String(), "-1.5"},
		{"opposite of zero", p("0").Neg().String(), "0"},
		{"absolute", p("-1.5").Abs().String(), "1.5"},
		{"trim", p("12.500").Trim().String(), "12.5"},
		{"trim to a whole", p("1200.00").Trim().String(), "1200"},
		{"trim a whole", p("1200").Trim().String(), "1200"},
		{"trim zero", p("0.000").Trim().String(), "0"},
		{"new", decimal.New(-2950, 2).String(), "-29.50"},
		{"new least", decimal.New(math.MinInt64, 0).String(), "-9223372036854775808"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, c.got, c.want)
		}
	}
	if !p("1.50").Equal(p("1.5")) || p("1.50").Cmp(p("1.51")) != -1 || !p("-2").Less(p("-1")) {
		t.Error("comparison goes by text, not by number")
	}
}

// Ties go away from zero on both sides.
func TestRounding(t *testing.T) {
	for _, c := range []struct {
		in    string
		scale uint8
		want  string
	}{
		{"332.216", 2, "332.22"}, {"93.0216", 2, "93.02"}, {"54.9144", 2, "54.91"}, {"1760.5728", 2, "1760.57"},
		{"0.125", 2, "0.13"}, {"-0.125", 2, "-0.13"}, {"0.135", 2, "0.14"}, {"0.1249999", 2, "0.12"}, {"-0.1249999", 2, "-0.12"},
		{"-0.004", 2, "0.00"}, {"9.995", 2, "10.00"}, {"0.5", 0, "1"}, {"-0.5", 0, "-1"}, {"7", 2, "7.00"},
	} {
		if got := decimal.MustParse(c.in).RoundHalfUp(c.scale); got.String() != c.want {
			t.Errorf("%s to %d places: got %s, want %s", c.in, c.scale, got, c.want)
		}
	}
	for _, c := range []struct{ a, b, half, cut string }{
		{"1", "3", "0.3333", "0.3333"}, {"2", "3", "0.6667", "0.6666"}, {"-2", "3", "-0.6667", "-0.6666"},
		{"1", "0.0003", "3333.3333", "3333.3333"}, {"0.5", "10000", "0.0001", "0.0000"}, {"-1", "-8", "0.1250", "0.1250"},
	} {
		a, b := decimal.MustParse(c.a), decimal.MustParse(c.b)
		half, err := a.Quo(b, 4)
		cut, err2 := a.QuoTrunc(b, 4)
		if err != nil || err2 != nil || half.String() != c.half || cut.String() != c.cut {
			t.Errorf("%s / %s: got %s and %s, %v %v; want %s and %s", c.a, c.b, half, cut, err, err2, c.half, c.cut)
		}
	}
	if got, err := decimal.One.Quo(decimal.MustParse("0.00"), 2); !errors.Is(err, decimal.ErrDivideByZero) {
		t.Errorf("1 / 0: got %s, %v; want ErrDivideByZero", got, err)
	}
}

// Values do not change when others are made from them, large ones (beyond machine words) included.
func TestImmutable(t *testing.T) {
	for _, s := range []string{"1.50", strings.Repeat("7", 38), "-" + strings.Repeat("7", 38)} {
		a := decimal.MustParse(s)
		b := a
		_ = a.Neg()
		_ = a.Abs()
		_ = a.Add(a).Mul(a).Sub(a)
		_ = a.RoundHalfUp(0)
		_ = a.Trim()
		_, _ = a.Quo(a, 10)
		_, _ = a.Unscaled(2)
		if a.String() != s || b.String() != s {
			t.Errorf("%s became %s, its copy %s", s, a, b)
		}
	}
}

func TestUnscaled(t *testing.T) {
	for _, c := range []struct {
		in    string
		scale uint8
		want  int64
		err   error
	}{
		{"29.50", 2, 2950, nil}, {"29.5", 2, 2950, nil}, {"29.500", 2, 2950, nil}, {"-29.5", 1, -295, nil},
		{"29.505", 2, 0, decimal.ErrOutOfRange}, {"9223372036854775807", 0, math.MaxInt64, nil},
		{"-9223372036854775808", 0, math.MinInt64, nil}, {"9223372036854775808", 0, 0, decimal.ErrOutOfRange},
		{strings.Repeat("9", 38), 0, 0, decimal.ErrOutOfRange},
	} {
		got, err := decimal.MustParse(c.in).Unscaled(c.scale)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: got %d, %v; want %d, %v", c.in, got, err, c.want, c.err)
		}
	}
}

func TestJSON(t *testing.T) {
	var v struct{ Rate decimal.Decimal }
	if err := json.Unmarshal([]byte(`{"Rate":"2.15"}`), &v); err != nil || v.Rate.String() != "2.15" {
		t.Errorf("got %s, %v; want 2.15", v.Rate, err)
	}
	out, err := json.Marshal(v)
	if want := `{"Rate":"2.15"}`; err != nil || string(out) != want {
		t.Errorf("got %s, %v; want %s", out, err, want)
	}
	for _, bad := range []string{`{"Rate":2.15}`, `{"Rate":"1e3"}`} {
		if err := json.Unmarshal([]byte(bad), &v); err == nil {
			t.Errorf("%s was read as %s", bad, v.Rate)
		}
	}
}

// The arithmetic agrees with rational numbers of the standard library.
func TestAgainstRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	number := func() (decimal.Decimal, *big.Rat) {
		d := decimal.New(r.Int64()>>r.IntN(60)*(1-2*r.Int64N(2)), uint8(r.IntN(12)))
		x, _ := new(big.Rat).SetString(d.String())
		return d, x
	}
	for range 2000 {
		a, x := number()
		b, y := number()
		check := func(op string, got decimal.Decimal, want *big.Rat) {
			t.Helper()
			if g, _ := new(big.Rat).SetString(got.String()); g.Cmp(want) != 0 {
				t.Fatalf("%s %s %s: got %s, want %s", a, op, b, got, want)
			}
		}
		check("+", a.Add(b), new(big.Rat).Add(x, y))
		check("-", a.Sub(b), new(big.Rat).Sub(x, y))
		check("×", a.Mul(b), new(big.Rat).Mul(x, y))
		if got, want := a.Cmp(b), x.Cmp(y); got != want {
			t.Fatalf("Cmp(%s, %s): got %d, want %d", a, b, got, want)
		}
		if b.IsZero() {
			continue
		}
		q, err := a.Quo(b, 6)
		if err != nil {
			t.Fatal(err)
		}
		// big.Rat.FloatString rounds half away from zero.
		want := new(big.Rat).Quo(x, y).FloatString(6)
		if want == "-0.000000" {
			want = "0.000000"
		}
		if q.String() != want {
			t.Fatalf("%s / %s: got %s, want %s", a, b, q, want)
		}
	}
}
