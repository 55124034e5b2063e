package money_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
)

func usd(s string) money.Amount { return money.MustParse(s, "USD") }

func dec(s string) decimal.Decimal { return decimal.MustParse(s) }

func minor(t *testing.T, n int64, currency string) money.Amount {
	t.Helper()
	a, err := money.New(n, currency)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Minor units as ISO 4217 lists them.
func TestDigits(t *testing.T) {
	for currency, want := range map[string]uint8{
		"USD": 2, "EUR": 2, "GBP": 2, "JPY": 0, "KRW": 0, "ISK": 0, "BHD": 3, "KWD": 3, "TND": 3, "CLF": 4, "UYW": 4, "MXN": 2, "CAD": 2,
	} {
		if got, err := money.Digits(currency); err != nil || got != want {
			t.Errorf("%s: got %d, %v; want %d", currency, got, err, want)
		}
	}
	// Withdrawn (DEM, HRK), no currency (XXX), no minor unit (XAU), wrong case, empty.
	for _, currency := range []string{"DEM", "HRK", "XXX", "XAU", "usd", "", "US", "USD "} {
		if got, err := money.Digits(currency); !errors.Is(err, money.ErrUnknownCurrency) {
			t.Errorf("%q: got %d, %v; want ErrUnknownCurrency", currency, got, err)
		}
	}
}

func TestParseAndText(t *testing.T) {
	for _, c := range []struct {
		in, currency string
		minor        int64
		text         string
	}{
		{"13045.94", "USD", 1304594, "13045.94"}, {"-498.32", "USD", -49832, "-498.32"}, {"7.5", "EUR", 750, "7.50"},
		{"7.500", "EUR", 750, "7.50"}, {"-0.05", "USD", -5, "-0.05"}, {"0", "USD", 0, "0.00"}, {"1200", "JPY", 1200, "1200"},
		{"1.234", "BHD", 1234, "1.234"}, {"92233720368547758.07", "USD", math.MaxInt64, "92233720368547758.07"},
	} {
		a, err := money.Parse(c.in, c.currency)
		if err != nil || a.Minor() != c.minor || a.String() != c.text || a.Currency() != c.currency {
			t.Errorf("Parse(%s, %s): got %d %s, %v; want %d %s", c.in, c.currency, a.Minor(), a, err, c.minor, c.text)
		}
	}
	for _, c := range []struct {
		in, currency string
		want         error
	}{
		{"1.005", "USD", money.ErrInexact}, {"1.5", "JPY", money.ErrInexact}, {"1e3", "USD", money.ErrMalformed}, {"", "USD", money.ErrMalformed},
		{"$1", "USD", money.ErrMalformed}, {"1", "ABC", money.ErrUnknownCurrency}, {"92233720368547758.08", "USD", money.ErrOverflow},
	} {
		if a, err := money.Parse(c.in, c.currency); !errors.Is(err, c.want) {
			t.Errorf("Parse(%s, %s): got %s, %v; want %v", c.in, c.currency, a, err, c.want)
		}
	}
	if got := usd("13045.94").Label(); got != "13045.94 USD" {
		t.Errorf("got %s, want 13045.94 USD", got)
	}
}

func TestArithmetic(t *testing.T) {
	sum, err := money.Sum("USD", usd("13045.94"), usd("457.62"), usd("54.91"))
	if err != nil || sum != usd("13558.47") {
		t.Errorf("sum: got %s, %v; want 13558.47", sum, err)
	}
	diff, err := usd("332.22").Sub(usd("830.54"))
	if err != nil || diff != usd("-498.32") {
		t.Errorf("difference: got %s, %v; want -498.32", diff, err)
	}
	eur := money.MustParse("1", "EUR")
	if _, err := usd("1").Add(eur); !errors.Is(err, money.ErrCurrencyMismatch) {
		t.Errorf("USD + EUR: got %v, want ErrCurrencyMismatch", err)
	}
	if _, err := usd("1").Cmp(eur); !errors.Is(err, money.ErrCurrencyMismatch) {
		t.Errorf("USD against EUR: got %v, want ErrCurrencyMismatch", err)
	}
	if _, err := (money.Amount{}).Add(money.Amount{}); !errors.Is(err, money.ErrCurrencyMismatch) {
		t.Errorf("amounts without currency: got %v, want ErrCurrencyMismatch", err)
	}
	if got, err := usd("1").Cmp(usd("2")); got != -1 || err != nil {
		t.Errorf("1 against 2: got %d, %v; want -1", got, err)
	}
	if got := usd("-1").Sign(); got != -1 {
		t.Errorf("sign of -1: got %d", got)
	}
}

func TestOverflow(t *testing.T) {
	most, least, one := minor(t, math.MaxInt64, "USD"), minor(t, math.MinInt64, "USD"), minor(t, 1, "USD")
	for name, f := range map[string]func() (money.Amount, error){
		"most + 1":       func() (money.Amount, error) { return most.Add(one) },
		"least - 1":      func() (money.Amount, error) { return least.Sub(one) },
		"least + least":  func() (money.Amount, error) { return least.Add(least) },
		"0 - least":      func() (money.Amount, error) { return minor(t, 0, "USD").Sub(least) },
		"-least":         least.Neg,
		"most × 1.00001": func() (money.Amount, error) { return most.MulRound(dec("1.00001")) },
	} {
		if a, err := f(); !errors.Is(err, money.ErrOverflow) {
			t.Errorf("%s: got %s, %v; want ErrOverflow", name, a, err)
		}
	}
	for name, f := range map[string]func() (money.Amount, error){
		"most + 0":   func() (money.Amount, error) { return most.Add(minor(t, 0, "USD")) },
		"most ± 1":   func() (money.Amount, error) { a, _ := most.Sub(one); return a.Add(one) },
		"-1 - least": func() (money.Amount, error) { return minor(t, -1, "USD").Sub(least) },
	} {
		if a, err := f(); err != nil || a != most {
			t.Errorf("%s: got %s, %v; want %s", name, a, err, most)
		}
	}
}

// Each charge once, half-up; a tie goes away from zero. Figures of the demonstration day.
func TestRounding(t *testing.T) {
	for _, c := range []struct{ amount, percent, want string }{
		{"830.54", "40", "332.22"}, {"332.22", "28.0", "93.02"}, {"457.62", "12", "54.91"}, {"8383.68", "21", "1760.57"},
		{"139.50", "29.5", "41.15"}, {"0.50", "1", "0.01"}, {"-0.50", "1", "-0.01"}, {"-0.49", "1", "0.00"},
	} {
		if got, err := usd(c.amount).PercentRound(dec(c.percent)); err != nil || got != usd(c.want) {
			t.Errorf("%s %% of %s: got %s, %v; want %s", c.percent, c.amount, got, err, c.want)
		}
	}
	if got, err := money.MustParse("1001", "JPY").MulRound(dec("0.5")); err != nil || got.String() != "501" {
		t.Errorf("half of 1001 yen: got %s, %v; want 501", got, err)
	}
}

func TestAllocate(t *testing.T) {
	for _, c := range []struct {
		name, total string
		weights     []string
		want        []string
	}{
		// Scenario 17 of the demonstration day: fuel over 6000 lb and 9000 lb.
		{"larger remainder", "204.63", []string{"6000", "9000"}, []string{"81.85", "122.78"}},
		{"ties to the lower index", "0.05", []string{"1", "1", "1"}, []string{"0.02", "0.02", "0.01"}},
		{"zero weight gets nothing", "0.01", []string{"0", "1"}, []string{"0.00", "0.01"}},
		{"negative total", "-0.05", []string{"1", "1", "1"}, []string{"-0.02", "-0.02", "-0.01"}},
		{"zero total", "0.00", []string{"1", "2"}, []string{"0.00", "0.00"}},
		{"one part", "10.01", []string{"0.3"}, []string{"10.01"}},
		{"fractions", "100.00", []string{"0.333", "0.667"}, []string{"33.30", "66.70"}},
	} {
		var weights []decimal.Decimal
		for _, w := range c.weights {
			weights = append(weights, dec(w))
		}
		parts, err := money.Allocate(usd(c.total), weights)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for i, p := range parts {
			if p != usd(c.want[i]) {
				t.Errorf("%s: part %d: got %s, want %s", c.name, i, p, c.want[i])
			}
		}
	}
	for name, weights := range map[string][]decimal.Decimal{
		"none": nil, "all zero": {dec("0"), dec("0.00")}, "negative": {dec("2"), dec("-1")},
	} {
		if parts, err := money.Allocate(usd("1"), weights); !errors.Is(err, money.ErrWeights) {
			t.Errorf("%s: got %v, %v; want ErrWeights", name, parts, err)
		}
	}
	if parts, err := money.Allocate(money.Amount{}, []decimal.Decimal{decimal.One}); !errors.Is(err, money.ErrUnknownCurrency) {
		t.Errorf("no currency: got %v, %v; want ErrUnknownCurrency", parts, err)
	}
}

// Parts add up to the whole, and each is less than one minor unit off its exact share.
func TestAllocateSums(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		total := minor(t, r.Int64()>>r.IntN(63)*(1-2*r.Int64N(2)), "EUR")
		var weights []decimal.Decimal
		sum := decimal.Zero
		for range 1 + r.IntN(9) {
			w := decimal.New(r.Int64N(1_000_000), uint8(r.IntN(5)))
			weights, sum = append(weights, w), sum.Add(w)
		}
		if sum.IsZero() {
			continue
		}
		parts, err := money.Allocate(total, weights)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := money.Sum("EUR", parts...); err != nil || got != total {
			t.Fatalf("%s over %v: parts add up to %s, %v", total, weights, got, err)
		}
		for i, p := range parts {
			off := decimal.Int(p.Minor()).Mul(sum).Sub(decimal.Int(total.Minor()).Mul(weights[i])).Abs()
			if !off.Less(sum) {
				t.Fatalf("%s over %v: part %d is %s, a minor unit or more off", total, weights, i, p)
			}
		}
	}
	if parts, err := money.Allocate(minor(t, math.MinInt64, "USD"), []decimal.Decimal{dec("1"), dec("1")}); err != nil ||
		parts[0].Minor() != math.MinInt64/2 || parts[1].Minor() != math.MinInt64/2 {
		t.Errorf("least amount in halves: got %v, %v", parts, err)
	}
}

// The limits of scenarios 13 and 14 of the demonstration day: 1 percent and 5.00 on a charge, 0.5 percent and 10.00 on the total.
func TestWithin(t *testing.T) {
	for _, c := range []struct {
		excess, base, percent, limit string
		want                         bool
	}{
		{"3.45", "767.55", "1", "5.00", true}, {"3.45", "967.47", "0.5", "10.00", true},
		{"13.83", "90.62", "1", "5.00", false}, {"13.83", "397.82", "0.5", "10.00", false},
		{"5.00", "10000.00", "1", "5.00", true}, {"5.01", "10000.00", "1", "5.00", false},
		{"1.00", "100.00", "1", "5.00", true}, {"1.01", "100.00", "1", "5.00", false}, {"0.01", "0.00", "1", "5.00", false},
		{"0.00", "0.00", "1", "5.00", true}, {"-99.00", "1.00", "1", "5.00", true},
	} {
		if got, err := money.Within(usd(c.excess), usd(c.base), dec(c.percent), usd(c.limit)); err != nil || got != c.want {
			t.Errorf("%s over %s, %s %% and %s: got %v, %v; want %v", c.excess, c.base, c.percent, c.limit, got, err, c.want)
		}
	}
	if _, err := money.Within(usd("1"), usd("1"), dec("1"), money.MustParse("1", "EUR")); !errors.Is(err, money.ErrCurrencyMismatch) {
		t.Errorf("limit in euros: got %v, want ErrCurrencyMismatch", err)
	}
}

// google.type.Money: -1.75 is -1 unit and -750000000 nanos (from the comment of its definition).
func TestUnitsNanos(t *testing.T) {
	for _, c := range []struct {
		amount, currency string
		units            int64
		nanos            int32
	}{
		{"-1.75", "USD", -1, -750_000_000}, {"13558.47", "USD", 13558, 470_000_000}, {"0.05", "USD", 0, 50_000_000}, {"-0.05", "USD", 0, -50_000_000},
		{"1200", "JPY", 1200, 0}, {"1.234", "BHD", 1, 234_000_000}, {"-92233720368547758.08", "USD", -92233720368547758, -80_000_000},
	} {
		a := money.MustParse(c.amount, c.currency)
		if units, nanos := a.UnitsNanos(); units != c.units || nanos != c.nanos {
			t.Errorf("%s: got %d, %d; want %d, %d", a.Label(), units, nanos, c.units, c.nanos)
		}
		if back, err := money.FromUnitsNanos(c.units, c.nanos, c.currency); err != nil || back != a {
			t.Errorf("%d, %d %s: got %s, %v; want %s", c.units, c.nanos, c.currency, back, err, a)
		}
	}
	for _, c := range []struct {
		units    int64
		nanos    int32
		currency string
		want     error
	}{
		{1, -1, "USD", money.ErrMalformed}, {-1, 1, "USD", money.ErrMalformed}, {0, 1_000_000_000, "USD", money.ErrMalformed},
		{0, -1_000_000_000, "USD", money.ErrMalformed}, {0, 1_000_000, "USD", money.ErrInexact}, {0, 500_000_000, "JPY", money.ErrInexact},
		{math.MaxInt64, 0, "USD", money.ErrOverflow}, {1, 0, "", money.ErrUnknownCurrency},
	} {
		if a, err := money.FromUnitsNanos(c.units, c.nanos, c.currency); !errors.Is(err, c.want) {
			t.Errorf("%d, %d %s: got %s, %v; want %v", c.units, c.nanos, c.currency, a, err, c.want)
		}
	}
}
