package rating_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"
)

// classTariff builds a class-rated tariff. Rates are by class, one per break.
func classTariff(breaks []string, rates map[string][]string, discount, minimum string) rating.Tariff {
	table := rating.RateTable{ID: "T", Version: 1, EffectiveFrom: date("2026-01-01"), Unit: quantity.Pound, Per: decimal.Hundred}
	for _, b := range breaks {
		table.Breaks = append(table.Breaks, rating.Break{Code: "B" + b, From: dec(b)})
	}
	for class, rs := range rates {
		row := rating.Row{Class: class}
		for _, r := range rs {
			row.Rates = append(row.Rates, dec(r))
		}
		table.Rows = append(table.Rows, row)
	}
	return rating.Tariff{
		ID: "T", Version: 1, Currency: "USD", EffectiveFrom: date("2026-01-01"), Interval: rating.LowInclusive,
		LineHaul: []rating.LineHaul{{Class: &rating.ByClass{Table: table, DiscountPercent: dec(discount), Minimum: usd(minimum)}}},
	}
}

func march3(goods ...rating.Goods) rating.Move {
	return rating.Move{ShipDate: date("2026-03-03"), Mode: "LTL", Goods: goods}
}

func mustRate(t *testing.T, tariff rating.Tariff, m rating.Move) rating.Quote {
	t.Helper()
	q, err := rating.Rate(tariff, m)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// 450 lb at 14.38 per cwt under 500 lb and 10.29 from 500 lb: 64.71 as 450, 51.45 as 500; the two meet at 357.79 lb
// (published example of a freight broker's help page).
func TestDeficitOneClass(t *testing.T) {
	tariff := classTariff([]string{"0", "500"}, map[string][]string{"70": {"14.38", "10.29"}}, "0", "0.00")
	for _, c := range []struct{ weight, want, billed, contains string }{
		{"450", "51.45", "500 LBR", "as 450 LBR: 64.71 (dearer)"},
		{"357", "51.34", "357 LBR", "as 500 LBR: 51.45 (dearer)"},
		{"358", "51.45", "500 LBR", "as 358 LBR: 51.4804 (dearer)"},
	} {
		q := mustRate(t, tariff, march3(lb("70", c.weight)))
		if q.Total.String() != c.want || q.Charges[0].Quantity.String() != c.billed {
			t.Errorf("%s lb: got %s billed as %s, want %s billed as %s", c.weight, q.Total, q.Charges[0].Quantity, c.want, c.billed)
		}
		if text := q.Explain.String(); !strings.Contains(text, c.contains) {
			t.Errorf("%s lb: explanation lacks %q:\n%s", c.weight, c.contains, text)
		}
	}
}

// 490 kg at 10 per kg from 100 and 8 from 500: 4900 plain, 4000 by break weight (published example for SAP TM).
func TestBreakWeightKilograms(t *testing.T) {
	table := rating.RateTable{
		ID: "K", Version: 1, EffectiveFrom: date("2026-01-01"), Unit: quantity.Kilogram, Per: decimal.One,
		Breaks: []rating.Break{{Code: "100", From: dec("100")}, {Code: "500", From: dec("500")}},
		Rows:   []rating.Row{{Class: "", Rates: []decimal.Decimal{dec("10"), dec("8")}}},
	}
	tariff := rating.Tariff{
		ID: "K", Version: 1, Currency: "EUR", EffectiveFrom: date("2026-01-01"), Interval: rating.LowInclusive,
		LineHaul: []rating.LineHaul{{Class: &rating.ByClass{Table: table, DiscountPercent: decimal.Zero, Minimum: eur("0")}}},
	}
	kg := func(s string) rating.Move {
		return march3(rating.Goods{Weight: quantity.MustParse(s, quantity.Kilogram)})
	}
	q := mustRate(t, tariff, kg("490"))
	if q.Total != eur("4000.00") || !strings.Contains(q.Explain.String(), "as 490 KGM: 4900.00 (dearer)") {
		t.Errorf("got %s, want 4000.00 with 4900 dearer\n%s", q.Total, q.Explain)
	}
	if _, err := rating.Rate(tariff, kg("99.9")); !errors.Is(err, rating.ErrMove) {
		t.Errorf("below the first break: got %v, want ErrMove", err)
	}
}

// Two classes: the break comes from 950 lb together, the deficit of 50 lb is rated at the lowest rate present.
// 477.50 as 950 lb, 378.00 as 1000 lb; 60 % off is 151.20; fuel 28 % 42.34; liftgate 75.00; together 268.54.
func TestTwoClasses(t *testing.T) {
	tariff := classTariff([]string{"0", "500", "1000"},
		map[string][]string{"70": {"60", "40", "30"}, "100": {"80", "55", "42"}}, "60", "120.00")
	tariff.Fuel = &rating.Fuel{Percent: ptr(dec("28"))}
	tariff.Accessorials = map[rating.ChargeCode]money.Amount{rating.LiftgateCharge: usd("75.00")}
	m := march3(lb("70", "300"), lb("100", "650"))
	m.Accessorials = []rating.ChargeCode{rating.LiftgateCharge, rating.ResidentialCharge}
	q := mustRate(t, tariff, m)
	if got, want := chargesText(q), "LHS:151.20 FUE:42.34 LFT:75.00"; got != want || q.Total != usd("268.54") {
		t.Errorf("got %s = %s, want %s = 268.54", got, q.Total, want)
	}
	if len(q.Unpriced) != 1 || q.Unpriced[0] != rating.ResidentialCharge {
		t.Errorf("unpriced: got %v, want [RES]", q.Unpriced)
	}
	text := q.Explain.String()
	for _, want := range []string{"as 950 LBR: 477.50 (dearer)", "as 1000 LBR: 378.00 (cheapest, chosen)", "0.50 × 30 = 15.00"} {
		if !strings.Contains(text, want) {
			t.Errorf("explanation lacks %q", want)
		}
	}
	if strings.Contains(text, "537.50") {
		t.Error("explanation holds 537.50, which comes of breaks by line")
	}
	if t.Failed() {
		t.Log(text)
	}

	// The order of the lines, and a class split over lines, change nothing.
	m.Goods = []rating.Goods{lb("100", "250"), lb("70", "300"), lb("100", "400")}
	if q := mustRate(t, tariff, m); q.Total != usd("268.54") {
		t.Errorf("other order of lines: got %s, want 268.54", q.Total)
	}
}

// At the break itself the convention decides which band it is.
func TestExactBreak(t *testing.T) {
	tariff := classTariff([]string{"0", "500"}, map[string][]string{"70": {"14.38", "10.29"}}, "0", "0.00")
	table := tariff.LineHaul[0].Class.Table
	for _, c := range []struct {
		weight   string
		interval rating.Interval
		want     int
	}{
		{"500.0", rating.LowInclusive, 1}, {"500.0", rating.HighInclusive, 0},
		{"499.99", rating.LowInclusive, 0}, {"499.99", rating.HighInclusive, 0},
		{"500.01", rating.LowInclusive, 1}, {"500.01", rating.HighInclusive, 1},
	} {
		if got, err := table.BreakFor(dec(c.weight), c.interval); err != nil || got != c.want {
			t.Errorf("%s, %s: got break %d, %v; want %d", c.weight, c.interval, got, err, c.want)
		}
		tariff.Interval = c.interval
		q := mustRate(t, tariff, march3(lb("70", c.weight)))
		if q.Total != usd("51.45") {
			t.Errorf("%s, %s: got %s, want 51.45", c.weight, c.interval, q.Total)
		}
	}
}

// 490 lb at a 500 lb rate of 90: most carriers bill 500 lb, 450.00; a contract may bill 490 lb, 441.00.
func TestDeficitBillsActualWeight(t *testing.T) {
	tariff := classTariff([]string{"0", "500"}, map[string][]string{"70": {"100", "90"}}, "0", "0.00")
	for actual, want := range map[bool]string{false: "450.00", true: "441.00"} {
		tariff.LineHaul[0].Class.DeficitBillsActualWeight = actual
		if q := mustRate(t, tariff, march3(lb("70", "490"))); q.Total != usd(want) {
			t.Errorf("bills actual weight %v: got %s, want %s", actual, q.Total, want)
		}
	}
}

// The minimum comes after the discount: 100 lb at 52.00 is 52.00, 60 % off 20.80, minimum 120.00. The printed discount is net
// less gross, whatever its sign.
func TestMinimumAfterDiscount(t *testing.T) {
	tariff := classTariff([]string{"0"}, map[string][]string{"70": {"52.00"}}, "60", "120.00")
	c := mustRate(t, tariff, march3(lb("70", "100"))).Charges[0]
	if got := [3]string{c.Amount.String(), c.Gross.String(), c.Discount.String()}; got != [3]string{"120.00", "52.00", "68.00"} || !c.MinimumApplied {
		t.Errorf("got %v, minimum %v; want 120.00, 52.00, 68.00 with the minimum", got, c.MinimumApplied)
	}
}

// Whatever the table, the price is the least of all ways to bill, and never more than the plain one.
func TestDeficitNeverDearer(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	breaks := []int64{0, 500, 1000, 2000, 5000, 10000}
	for range 500 {
		classes := []string{"50", "70", "92.5"}[:1+r.IntN(3)]
		rates := map[string][]string{}
		cents := map[string][]int64{}
		for _, c := range classes {
			for range breaks {
				n := 500 + r.Int64N(9500)
				cents[c] = append(cents[c], n)
				rates[c] = append(rates[c], decimal.New(n, 2).String())
			}
		}
		var text []string
		for _, b := range breaks {
			text = append(text, decimal.Int(b).String())
		}
		weights := map[string]int64{}
		var m rating.Move = march3()
		total := int64(0)
		for _, c := range classes {
			w := 1 + r.Int64N(4000)
			weights[c], total = w, total+w
			m.Goods = append(m.Goods, lb(c, decimal.Int(w).String()))
		}
		q := mustRate(t, classTariff(text, rates, "0", "0.00"), m)

		own := 0
		for i, b := range breaks {
			if total >= b {
				own = i
			}
		}
		least := int64(-1) // in hundredths of a cent: pounds × cents per 100 lb
		for b := own; b < len(breaks); b++ {
			sum, lowest := int64(0), int64(1<<62)
			for c, w := range weights {
				sum += w * cents[c][b]
				lowest = min(lowest, cents[c][b])
			}
			sum += max(0, breaks[b]-total) * lowest
			if least < 0 || sum < least {
				least = sum
			}
		}
		if got, want := q.Total.Minor(), (least+50)/100; got != want {
			t.Fatalf("weights %v, rates %v: got %d, want %d cents\n%s", weights, rates, got, want, q.Explain)
		}
	}
}

func TestDetention(t *testing.T) {
	tariff := tariffs(t)["CXAA"]
	at := func(minute int) time.Time { return time.Date(2026, 3, 12, 14, minute, 0, 0, time.UTC) }
	for _, c := range []struct {
		name  string
		dwell rating.Dwell
		want  string
	}{
		{"at pick-up none is owed", rating.Dwell{Arrived: at(0), Departed: at(500)}, "0.00"},
		{"without departure none", rating.Dwell{Delivery: true, Arrived: at(0)}, "0.00"},
		{"without arrival none", rating.Dwell{Delivery: true, Departed: at(500)}, "0.00"},
		{"exactly the free time", rating.Dwell{Delivery: true, Arrived: at(0), Departed: at(120)}, "0.00"},
		{"a minute more starts a half hour", rating.Dwell{Delivery: true, Arrived: at(0), Departed: at(121)}, "30.00"},
		{"a whole half hour", rating.Dwell{Delivery: true, Arrived: at(0), Departed: at(150)}, "30.00"},
		{"65 minutes start three half hours", rating.Dwell{Delivery: true, Arrived: at(5), Departed: at(190)}, "90.00"},
		{"early arrival waits for the appointment", rating.Dwell{Delivery: true, Appointment: at(60), Arrived: at(0), Departed: at(181)}, "30.00"},
		{"late arrival counts from arrival", rating.Dwell{Delivery: true, Appointment: at(0), Arrived: at(60), Departed: at(181)}, "30.00"},
		{"left before the appointment", rating.Dwell{Delivery: true, Appointment: at(60), Arrived: at(0), Departed: at(30)}, "0.00"},
		{"capped", rating.Dwell{Delivery: true, Arrived: at(0), Departed: at(2000)}, "480.00"},
	} {
		got, err := rating.RateDetention(tariff, c.dwell)
		if err != nil || got.Amount != usd(c.want) {
			t.Errorf("%s: got %s, %v; want %s", c.name, got.Amount, err, c.want)
		}
	}
	if _, err := rating.RateDetention(tariff, rating.Dwell{Delivery: true, Arrived: at(9), Departed: at(1)}); !errors.Is(err, rating.ErrMove) {
		t.Errorf("departed before arrival: got %v, want ErrMove", err)
	}
	if _, err := rating.RateDetention(tariffs(t)["CXBB"], rating.Dwell{}); !errors.Is(err, rating.ErrNoPrice) {
		t.Errorf("tariff without detention: got %v, want ErrNoPrice", err)
	}
}

func TestStopOffs(t *testing.T) {
	tariff := tariffs(t)["CXAA"]
	for stops, want := range map[int]string{0: "", 2: "", 3: "75.00", 5: "225.00"} {
		q := mustRate(t, tariff, rating.Move{ShipDate: date("2026-03-11"), Mode: "TL", Distance: miles("300"), Stops: stops})
		c, _ := q.Charge(rating.StopOffCharge)
		if got := c.Amount; want == "" && got.Currency() != "" || want != "" && got != usd(want) {
			t.Errorf("%d stops: got %s, want %q", stops, got, want)
		}
	}
}

func TestRefusedMoves(t *testing.T) {
	all := tariffs(t)
	ltl := loadOf(t, "HH-1007")
	change := func(m rating.Move, f func(*rating.Move)) rating.Move { f(&m); return m }
	for _, c := range []struct {
		name   string
		tariff string
		move   rating.Move
		want   error
	}{
		{"before the tariff", "CXBB", change(ltl, func(m *rating.Move) { m.ShipDate = date("2025-12-31") }), rating.ErrNotInForce},
		{"before the first index", "CXBB", change(ltl, func(m *rating.Move) { m.ShipDate = date("2026-02-24") }), rating.ErrNoIndex},
		{"ZIP3 306 has no row", "CXBB", change(ltl, func(m *rating.Move) { m.DestinationPostcode = "30603" }), rating.ErrNoRow},
		{"class not in the table", "CXBB", change(ltl, func(m *rating.Move) { m.Goods = []rating.Goods{lb("400", "10")} }), rating.ErrNoRow},
		{"no goods", "CXBB", change(ltl, func(m *rating.Move) { m.Goods = nil }), rating.ErrMove},
		{"negative weight", "CXBB", change(ltl, func(m *rating.Move) { m.Goods = []rating.Goods{lb("70", "-1")} }), rating.ErrMove},
		{"weight in cases", "CXBB", change(ltl, func(m *rating.Move) {
			m.Goods = []rating.Goods{{Class: "70", Weight: quantity.MustParse("3", quantity.Case)}}
		}), rating.ErrMove},
		{"other mode", "CXBB", change(ltl, func(m *rating.Move) { m.Mode = "TL" }), rating.ErrNoLineHaul},
		{"lane without flat price", "CXCC", change(ltl, func(m *rating.Move) { m.Mode, m.Lane = "TL", "LANE-SOLON" }), rating.ErrNoLineHaul},
		{"no distance", "CXAA", change(ltl, func(m *rating.Move) { m.Mode, m.Distance = "TL", quantity.Quantity{} }), rating.ErrMove},
		{"accessorial twice", "CXBB", change(ltl, func(m *rating.Move) {
			m.Accessorials = []rating.ChargeCode{rating.LiftgateCharge, rating.LiftgateCharge}
		}), rating.ErrMove},
	} {
		if q, err := rating.Rate(all[c.tariff], c.move); !errors.Is(err, c.want) {
			t.Errorf("%s: got %s, %v; want %v", c.name, q.Total, err, c.want)
		}
	}
}

func TestFuelOutsideTheTable(t *testing.T) {
	tariff := tariffs(t)["CXBB"]
	x := *tariff.Fuel.Index
	x.Series.Values = []rating.FuelIndex{{EffectiveFrom: date("2026-01-01"), Value: dec("4.15")}}
	tariff.Fuel = &rating.Fuel{Index: &x}
	if q, err := rating.Rate(tariff, loadOf(t, "HH-1007")); !errors.Is(err, rating.ErrNoBand) {
		t.Errorf("index 4.15, table ends below it: got %s, %v; want ErrNoBand", q.Total, err)
	}
}

func TestMalformedTariffs(t *testing.T) {
	for name, breakIt := range map[string]func(*rating.Tariff){
		"no id":                 func(x *rating.Tariff) { x.ID = "" },
		"unknown currency":      func(x *rating.Tariff) { x.Currency = "USX" },
		"no date":               func(x *rating.Tariff) { x.EffectiveFrom = calendar.Date{} },
		"ends before it begins": func(x *rating.Tariff) { x.EffectiveTo = date("2025-01-01") },
		"no interval":           func(x *rating.Tariff) { x.Interval = "" },
		"no line-haul":          func(x *rating.Tariff) { x.LineHaul = nil },
		"line-haul of two bases": func(x *rating.Tariff) {
			x.LineHaul[0].Flat = map[string]money.Amount{"L": usd("1")}
		},
		"line-haul of no basis": func(x *rating.Tariff) { x.LineHaul[0].Class = nil },
		"discount over 100":     func(x *rating.Tariff) { x.LineHaul[0].Class.DiscountPercent = dec("100.1") },
		"minimum in euros":      func(x *rating.Tariff) { x.LineHaul[0].Class.Minimum = eur("1") },
		"row short of rates": func(x *rating.Tariff) {
			row := &x.LineHaul[0].Class.Table.Rows[0]
			row.Rates = row.Rates[:1]
		},
		"breaks out of order": func(x *rating.Tariff) {
			b := x.LineHaul[0].Class.Table.Breaks
			b[0], b[1] = b[1], b[0]
		},
		"per zero":            func(x *rating.Tariff) { x.LineHaul[0].Class.Table.Per = decimal.Zero },
		"fuel of no kind":     func(x *rating.Tariff) { x.Fuel = &rating.Fuel{} },
		"fuel of both kinds":  func(x *rating.Tariff) { x.Fuel.Percent = ptr(dec("1")) },
		"fuel of other index": func(x *rating.Tariff) { x.Fuel.Index.Series.ID = "FUEL-EU" },
		"fuel bands overlap": func(x *rating.Tariff) {
			x.Fuel.Index.Table.Bands = append(x.Fuel.Index.Table.Bands, rating.FuelBand{Low: dec("4.01"), High: dec("4.02"), Value: dec("1")})
		},
		"negative accessorial": func(x *rating.Tariff) {
			x.Accessorials = map[rating.ChargeCode]money.Amount{rating.LiftgateCharge: usd("-75.00")}
		},
		"stop-off from the first stop":   func(x *rating.Tariff) { x.StopOff = &rating.StopOff{FromStop: 1, Amount: usd("1")} },
		"detention without an increment": func(x *rating.Tariff) { x.Detention = &rating.Detention{FreeMinutes: 120} },
	} {
		tariff := tariffs(t)["CXBB"] // fresh each time
		if err := tariff.Validate(); err != nil {
			t.Fatal(err)
		}
		breakIt(&tariff)
		if _, err := rating.Rate(tariff, loadOf(t, "HH-1007")); !errors.Is(err, rating.ErrTariff) {
			t.Errorf("%s: got %v, want ErrTariff", name, err)
		}
	}
}

func TestInForce(t *testing.T) {
	v := func(version int, from, to string) rating.Tariff {
		x := rating.Tariff{ID: "T", Version: version, EffectiveFrom: date(from)}
		if to != "" {
			x.EffectiveTo = date(to)
		}
		return x
	}
	versions := []rating.Tariff{v(3, "2026-03-01", ""), v(1, "2026-01-01", ""), v(2, "2026-01-01", ""), v(4, "2026-03-10", "2026-03-11")}
	for on, want := range map[string]int{"2026-01-01": 2, "2026-02-28": 2, "2026-03-01": 3, "2026-03-10": 4, "2026-03-11": 4, "2026-03-12": 3} {
		got, err := rating.InForce(versions, date(on))
		if err != nil || got.Version != want {
			t.Errorf("%s: got version %d, %v; want %d", on, got.Version, err, want)
		}
	}
	if _, err := rating.InForce(versions, date("2025-12-31")); !errors.Is(err, rating.ErrNotInForce) {
		t.Errorf("2025-12-31: got %v, want ErrNotInForce", err)
	}
}

// The most specific lane group wins.
func TestLaneGroups(t *testing.T) {
	tariff := classTariff([]string{"0"}, map[string][]string{"70": {"1.00"}}, "0", "0.00")
	table := &tariff.LineHaul[0].Class.Table
	table.Groups = []rating.LaneGroup{
		{ID: "any"},
		{ID: "zip3", Origins: []string{"432"}, Destinations: []string{"441", "152"}},
		{ID: "zip5", Origins: []string{"432"}, Destinations: []string{"44139"}},
	}
	table.Rows = nil
	for i, g := range table.Groups {
		table.Rows = append(table.Rows, rating.Row{Group: g.ID, Class: "70", Rates: []decimal.Decimal{decimal.Int(int64(i + 1))}})
	}
	for to, want := range map[string]string{"90001": "1.00", "44101": "2.00", "44139": "3.00"} {
		m := march3(lb("70", "100"))
		m.OriginPostcode, m.DestinationPostcode = "43215", to
		if q := mustRate(t, tariff, m); q.Total != usd(want) {
			t.Errorf("to %s: got %s, want %s", to, q.Total, want)
		}
	}
	for _, bad := range []string{"", "A", "A ()", "A (432)", "A (432 to )", "A ( to 441)", "A (432 to 441) x"} {
		if g, err := rating.ParseLaneGroup(bad); !errors.Is(err, rating.ErrTariff) {
			t.Errorf("ParseLaneGroup(%q): got %v, %v; want ErrTariff", bad, g, err)
		}
	}
}

// NMFC density scale since 2025-07-19, each bound and just below it.
func TestDensityClassBounds(t *testing.T) {
	for _, c := range []struct{ pcf, class string }{
		{"0.5", "400"}, {"1", "300"}, {"1.999999", "300"}, {"2", "250"}, {"3.999999", "250"}, {"4", "175"}, {"6", "125"}, {"8", "100"},
		{"10", "92.5"}, {"12", "85"}, {"14.999999", "85"}, {"15", "70"}, {"22.499999", "70"}, {"22.5", "65"}, {"29.999999", "65"},
		{"30", "60"}, {"35", "55"}, {"49.999999", "55"}, {"50", "50"}, {"120", "50"},
	} {
		got, err := rating.DensityClass(dec(c.pcf), date("2025-07-19"))
		if err != nil || got != c.class {
			t.Errorf("%s pcf: got %s, %v; want %s", c.pcf, got, err, c.class)
		}
	}
	if got, err := rating.DensityClass(dec("50"), date("2025-07-18")); err != nil || got != "60" {
		t.Errorf("50 pcf on 2025-07-18: got %s, %v; want 60", got, err)
	}
	if got, err := rating.DensityClass(dec("29.9"), date("2025-07-18")); !errors.Is(err, rating.ErrNoScale) {
		t.Errorf("29.9 pcf on 2025-07-18: got %s, %v; want ErrNoScale", got, err)
	}
	if got, err := rating.DensityClass(dec("0"), date("2026-01-01")); !errors.Is(err, rating.ErrMove) {
		t.Errorf("0 pcf: got %s, %v; want ErrMove", got, err)
	}
}

func TestAllocateRefuses(t *testing.T) {
	charge := rating.Charge{Code: rating.DetentionCharge, Amount: usd("90.00"), Stop: 3}
	if got, err := rating.Allocate([]rating.Charge{charge}, []rating.Share{{Ref: "a", Weight: pounds("1"), Stop: 2}}); !errors.Is(err, rating.ErrMove) {
		t.Errorf("charge of a stop without shipment: got %v, %v; want ErrMove", got, err)
	}
	charge.Stop = 0
	mixed := []rating.Share{{Ref: "a", Weight: pounds("1")}, {Ref: "b", Weight: quantity.MustParse("1", quantity.Kilogram)}}
	if got, err := rating.Allocate([]rating.Charge{charge}, mixed); !errors.Is(err, quantity.ErrUnitMismatch) {
		t.Errorf("pounds and kilograms: got %v, %v; want ErrUnitMismatch", got, err)
	}
	if got, err := rating.Allocate([]rating.Charge{charge}, nil); !errors.Is(err, rating.ErrMove) {
		t.Errorf("no shipments: got %v, %v; want ErrMove", got, err)
	}
}
