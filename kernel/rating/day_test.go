package rating_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	_ "time/tzdata"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"
)

func dec(s string) decimal.Decimal      { return decimal.MustParse(s) }
func usd(s string) money.Amount         { return money.MustParse(s, "USD") }
func eur(s string) money.Amount         { return money.MustParse(s, "EUR") }
func date(s string) calendar.Date       { return calendar.MustParseDate(s) }
func pounds(s string) quantity.Quantity { return quantity.MustParse(s, quantity.Pound) }
func ptr[T any](v T) *T                 { return &v }
func lb(class, w string) rating.Goods   { return rating.Goods{Class: class, Weight: pounds(w)} }
func miles(s string) quantity.Quantity  { return quantity.MustParse(s, quantity.Mile) }

// rows reads a table of testdata as one map per row.
func rows(t testing.TB, name string) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, rec := range all[1:] {
		row := map[string]string{}
		for i, field := range rec {
			row[all[0][i]] = field
		}
		out = append(out, row)
	}
	return out
}

func baseTable(t testing.TB) rating.RateTable {
	t.Helper()
	table := rating.RateTable{
		ID: "CX-BASE-2026", Version: 1, EffectiveFrom: date("2026-01-01"), Unit: quantity.Pound, Per: decimal.Hundred,
	}
	columns := []string{"L5C_lt500", "M5C_500", "M1M_1000", "M2M_2000", "M5M_5000", "M10M_10000"}
	for _, c := range columns {
		code, from, _ := strings.Cut(c, "_")
		if from == "lt500" {
			from = "0"
		}
		table.Breaks = append(table.Breaks, rating.Break{Code: code, From: dec(from)})
	}
	for _, r := range rows(t, "ltl_rates.csv") {
		group, err := rating.ParseLaneGroup(r["lane_group"])
		if err != nil {
			t.Fatal(err)
		}
		if len(table.Groups) == 0 {
			table.Groups = []rating.LaneGroup{group}
		}
		row := rating.Row{Group: group.ID, Class: r["class"]}
		for _, c := range columns {
			row.Rates = append(row.Rates, dec(r[c]))
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

func fuel(t testing.TB, table string, basis rating.FuelBasis) *rating.Fuel {
	t.Helper()
	x := rating.IndexedFuel{Table: rating.FuelTable{ID: table, Version: 1, Basis: basis}}
	if basis == rating.PerDistance {
		x.Table.Unit = quantity.Mile
	}
	for _, r := range rows(t, "fuel_table.csv") {
		if r["table"] == table {
			x.Table.Series = r["series"]
			x.Table.Bands = append(x.Table.Bands, rating.FuelBand{Low: dec(r["low"]), High: dec(r["high"]), Value: dec(r["value"])})
		}
	}
	x.Series.ID = x.Table.Series
	for _, r := range rows(t, "fuel_index.csv") {
		if r["series"] == x.Series.ID {
			x.Series.Unit = r["unit"]
			x.Series.Values = append(x.Series.Values, rating.FuelIndex{
				Published: date(r["published_local"]), EffectiveFrom: date(r["effective_from_local_date"]), Value: dec(r["value"]),
			})
		}
	}
	return &rating.Fuel{Index: &x}
}

// tariffs are the carriers' tariffs and the customers' freight terms of the day's seed.
func tariffs(t testing.TB) map[string]rating.Tariff {
	t.Helper()
	base := func(party, currency string, l ...rating.LineHaul) rating.Tariff {
		return rating.Tariff{
			ID: party + "-2026", Version: 1, Party: party, Currency: currency, EffectiveFrom: date("2026-01-01"),
			Interval: rating.LowInclusive, LineHaul: l,
		}
	}
	ltl := func(discount, minimum string) rating.LineHaul {
		return rating.LineHaul{Mode: "LTL", Class: &rating.ByClass{
			Table: baseTable(t), DiscountPercent: dec(discount), Minimum: usd(minimum),
		}}
	}
	cwt := func(mode, rate, minimum string) rating.LineHaul {
		return rating.LineHaul{Mode: mode, Weight: &rating.ByWeight{
			Rate: dec(rate), Per: decimal.Hundred, Unit: quantity.Pound, Minimum: usd(minimum),
		}}
	}
	out := map[string]rating.Tariff{}

	a := base("CXAA", "USD", rating.LineHaul{Mode: "TL", Distance: &rating.ByDistance{Rate: dec("2.15"), Unit: quantity.Mile, Minimum: usd("450.00")}})
	a.Fuel = fuel(t, "FUEL-US-TL", rating.PerDistance)
	a.StopOff = &rating.StopOff{FromStop: 3, Amount: usd("75.00")}
	a.Detention = &rating.Detention{FreeMinutes: 120, IncrementMinutes: 30, RatePerHour: dec("60.00"), Cap: ptr(usd("480.00"))}
	a.TONU = ptr(usd("200.00"))
	out["CXAA"] = a

	b := base("CXBB", "USD", ltl("60", "120.00"))
	b.Fuel = fuel(t, "FUEL-US-LTL", rating.PercentOfLineHaul)
	b.Accessorials = map[rating.ChargeCode]money.Amount{rating.LiftgateCharge: usd("75.00"), rating.ResidentialCharge: usd("60.00")}
	out["CXBB"] = b

	flat := map[string]money.Amount{}
	for lane, amount := range map[string]string{
		"LANE-CHI": "1010.00", "LANE-INDP": "565.00", "LANE-PITH": "540.00", "LANE-DETH": "580.00", "LANE-DETP": "580.00", "LANE-NASP": "1090.00",
	} {
		flat[lane] = usd(amount)
	}
	c := base("CXCC", "USD", rating.LineHaul{Mode: "TL", Flat: flat})
	c.StopOff = &rating.StopOff{FromStop: 3, Amount: usd("90.00")}
	c.TONU = ptr(usd("150.00"))
	out["CXCC"] = c

	d := base("CXDD", "EUR", rating.LineHaul{Mode: "TL", Distance: &rating.ByDistance{Rate: dec("1.45"), Unit: quantity.Kilometre, Minimum: eur("180.00")}})
	d.Fuel = fuel(t, "FUEL-EU", rating.PercentOfLineHaul)
	d.TONU = ptr(eur("120.00"))
	out["CXDD"] = d

	e := base("CXEE", "USD", ltl("55", "135.00"))
	e.Fuel = b.Fuel
	e.Accessorials = map[rating.ChargeCode]money.Amount{rating.LiftgateCharge: usd("80.00"), rating.ResidentialCharge: usd("65.00")}
	out["CXEE"] = e

	twelve := &rating.Fuel{Percent: ptr(dec("12"))}
	x := base("CUS-XYZ", "USD", cwt("LTL", "14.50", "150.00"))
	x.Fuel = twelve
	out["CUS-XYZ"] = x
	h := base("CUS-HHS", "USD", cwt("LTL", "15.00", "160.00"), rating.LineHaul{Mode: "TL", Flat: map[string]money.Amount{
		"LANE-CHI": usd("1180.00"), "LANE-INDH": usd("690.00"), "LANE-PITH": usd("640.00"), "LANE-DETH": usd("700.00"),
	}})
	h.Fuel = twelve
	out["CUS-HHS"] = h
	l := base("CUS-LAK", "USD", cwt("LTL", "22.00", "195.00"))
	l.Fuel = twelve
	l.Accessorials = map[rating.ChargeCode]money.Amount{rating.LiftgateCharge: usd("85.00")}
	out["CUS-LAK"] = l
	for _, customer := range []string{"CUS-TUL", "CUS-RHB"} {
		n := base(customer, "EUR", rating.LineHaul{Weight: &rating.ByWeight{
			Rate: dec("18.00"), Per: decimal.Hundred, Unit: quantity.Kilogram, Minimum: eur("95.00"),
		}})
		n.Fuel = &rating.Fuel{Percent: ptr(dec("0"))}
		out[customer] = n
	}
	return out
}

func moveOf(t testing.TB, r map[string]string) rating.Move {
	t.Helper()
	m := rating.Move{
		ShipDate: date(r["ship_date"]), Mode: r["mode"], Lane: r["lane"], Stops: 2, DistanceSource: "D-2026-1",
		OriginPostcode: r["origin_postcode"], DestinationPostcode: r["destination_postcode"],
		Distance: quantity.MustParse(r["distance"], quantity.Unit(r["distance_unit"])),
	}
	for _, g := range strings.Fields(r["goods"]) {
		p := strings.Split(g, ":")
		m.Goods = append(m.Goods, rating.Goods{Class: p[0], Weight: quantity.MustParse(p[1], quantity.Unit(p[2]))})
	}
	if r["liftgate"] == "yes" {
		m.Accessorials = []rating.ChargeCode{rating.LiftgateCharge}
	}
	return m
}

func chargesText(q rating.Quote) string {
	var out []string
	for _, c := range q.Charges {
		out = append(out, string(c.Code)+":"+c.Amount.String())
	}
	return strings.Join(out, " ")
}

// Every load of the day, carrier's cost and customer's freight, against the amounts worked by hand.
func TestDayLoads(t *testing.T) {
	all := tariffs(t)
	customers := 0
	loads := rows(t, "loads.csv")
	for _, r := range loads {
		t.Run(r["order"], func(t *testing.T) {
			m := moveOf(t, r)
			q, err := rating.Rate(all[r["carrier"]], m)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := chargesText(q), r["carrier_charges"]; got != want {
				t.Errorf("carrier charges: got %s, want %s\n%s", got, want, q.Explain)
			}
			terms, ok := all[r["customer"]]
			if !ok {
				return // prepaid: freight sits in the price of the goods
			}
			customers++
			q, err = rating.Rate(terms, m)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := q.Total.String(), r["customer_freight"]; got != want {
				t.Errorf("customer freight: got %s, want %s\n%s", got, want, q.Explain)
			}
		})
	}
	if len(loads) != 39 || customers != 26 {
		t.Errorf("rated %d loads and %d customers, want 39 and 26", len(loads), customers)
	}
}

func loadOf(t *testing.T, order string) rating.Move {
	t.Helper()
	all := rows(t, "loads.csv")
	i := slices.IndexFunc(all, func(r map[string]string) bool { return r["order"] == order })
	if i < 0 {
		t.Fatalf("no load of order %s", order)
	}
	return moveOf(t, all[i])
}

// Scenario 1 step by step: every figure of its arithmetic is in the explanation.
func TestHappyPathExplained(t *testing.T) {
	all := tariffs(t)
	q, err := rating.Rate(all["CXBB"], loadOf(t, "08292233294"))
	if err != nil {
		t.Fatal(err)
	}
	lhs, _ := q.Charge(rating.LineHaulCharge)
	if got := [3]string{lhs.Gross.String(), lhs.Discount.String(), lhs.Amount.String()}; got != [3]string{"830.54", "-498.32", "332.22"} {
		t.Errorf("gross, discount, net: got %v, want 830.54, -498.32, 332.22", got)
	}
	if q.Total != usd("425.24") {
		t.Errorf("total: got %s, want 425.24", q.Total)
	}
	text := q.Explain.String()
	for _, want := range []string{
		"tariff CXBB-2026 v1 of CXBB", "table CX-BASE-2026 v1, class 70, break M2M, lane group A",
		"break M2M: 3156 LBR (by the total weight, from 2000 to under 5000)",
		"22.44 × 24.00 = 538.56", "3.62 × 29.00 = 104.98", "5.50 × 34.00 = 187.00",
		"as 3156 LBR: 830.54 (cheapest, chosen)", "as 5000 LBR: 1008.48 (dearer)", "as 10000 LBR: 1543.86 (dearer)",
		"18.44 × 19.00 = 350.36", "68.44 × 15.00 = 1026.60", "deficit at the lowest rate present, class 70",
		"332.22 × 28.0 % = 93.0216", "index FUEL-US: 3.948 USD per gallon (in force on the ship date 2026-03-03)",
		"published 2026-02-23, effective from 2026-02-25", "band from 3.90 to under 4.00: 28.0 [table FUEL-US-LTL v1]", "425.24 USD",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("explanation lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}

	q, err = rating.Rate(all["CUS-XYZ"], loadOf(t, "08292233294"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := chargesText(q), "LHS:457.62 FUE:54.91"; got != want {
		t.Errorf("customer charges: got %s, want %s", got, want)
	}
	freight, _ := q.Charge(rating.LineHaulCharge)
	if got, want := freight.Quantity.String()+" at "+freight.Rate.String(), "31.56 CWA at 14.50"; got != want || freight.MinimumApplied {
		t.Errorf("customer line-haul: got %s, minimum %v; want %s, minimum false", got, freight.MinimumApplied, want)
	}
}

// Scenarios 2, 3, 4, 5: loads rated by a carrier that did not get them or did not run them.
func TestRatedNotBooked(t *testing.T) {
	all := tariffs(t)
	for _, c := range []struct{ order, lane, distance, shipDate, want, total string }{
		{"HH-1002", "LANE-CHI", "357", "2026-03-04", "LHS:767.55 FUE:199.92", "967.47"},
		{"PC-1003", "LANE-INDP", "176", "2026-03-10", "LHS:450.00 FUE:98.56", "548.56"},
		{"HH-1004", "LANE-DETH", "205", "2026-03-05", "LHS:450.00 FUE:114.80", "564.80"},
		{"PC-1005", "LANE-DETP", "205", "2026-03-06", "LHS:450.00 FUE:114.80", "564.80"},
	} {
		q, err := rating.Rate(all["CXAA"], rating.Move{ShipDate: date(c.shipDate), Mode: "TL", Lane: c.lane, Distance: miles(c.distance), Stops: 2})
		if err != nil {
			t.Fatal(c.order, err)
		}
		if got := chargesText(q); got != c.want || q.Total.String() != c.total {
			t.Errorf("%s: got %s = %s, want %s = %s", c.order, got, q.Total, c.want, c.total)
		}
	}
	ton, err := rating.RateTONU(all["CXAA"])
	if err != nil || ton.Amount != usd("200.00") || ton.Code != rating.TONUCharge {
		t.Errorf("TONU: got %s %s, %v; want TON 200.00", ton.Code, ton.Amount, err)
	}
}

// Scenario 17: stop-off, detention, allocation over two shipments.
func TestTwoOrdersOneLoad(t *testing.T) {
	cxaa := tariffs(t)["CXAA"]
	q, err := rating.Rate(cxaa, rating.Move{ShipDate: date("2026-03-11"), Mode: "TL", Lane: "LANE-CHI", Distance: miles("359"), Stops: 3})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := chargesText(q), "LHS:771.85 FUE:204.63 SOC:75.00"; got != want || q.Total != usd("1051.48") {
		t.Errorf("got %s = %s, want %s = 1051.48", got, q.Total, want)
	}
	chicago, err := calendar.LoadZone("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	at := func(local string) rating.Dwell {
		return rating.Dwell{Departed: calendar.Resolve(date("2026-03-12"), calendar.MustParseTimeOfDay(local), chicago).Instant}
	}
	det, err := rating.RateDetention(cxaa, rating.Dwell{
		Stop: 3, Delivery: true, Appointment: at("08:00").Departed, Arrived: at("09:05").Departed, Departed: at("12:10").Departed,
	})
	if err != nil || det.Amount != usd("90.00") {
		t.Fatalf("detention: got %s, %v; want 90.00", det.Amount, err)
	}
	parts, err := rating.Allocate(append(q.Charges, det), []rating.Share{
		{Ref: "PC-1017", Weight: pounds("6000"), Stop: 2}, {Ref: "HH-1017", Weight: pounds("9000"), Stop: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	sums := map[string]money.Amount{"PC-1017": usd("0"), "HH-1017": usd("0")}
	for _, p := range parts {
		got[p.Ref+" "+string(p.Code)] = p.Amount.String()
		if sums[p.Ref], err = sums[p.Ref].Add(p.Amount); err != nil {
			t.Fatal(err)
		}
	}
	for key, want := range map[string]string{
		"PC-1017 LHS": "308.74", "PC-1017 FUE": "81.85", "PC-1017 SOC": "30.00", "PC-1017 DET": "",
		"HH-1017 LHS": "463.11", "HH-1017 FUE": "122.78", "HH-1017 SOC": "45.00", "HH-1017 DET": "90.00",
	} {
		if got[key] != want {
			t.Errorf("%s: got %q, want %q", key, got[key], want)
		}
	}
	if sums["PC-1017"] != usd("420.59") || sums["HH-1017"] != usd("720.89") {
		t.Errorf("sums: got %s and %s, want 420.59 and 720.89", sums["PC-1017"], sums["HH-1017"])
	}
}

// Scenario 18 and 8: the customer's minimum, and fuel after it.
func TestCustomerMinimum(t *testing.T) {
	all := tariffs(t)
	q, err := rating.Rate(all["CUS-HHS"], loadOf(t, "HH-1008"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := chargesText(q), "LHS:160.00 FUE:19.20"; got != want || !q.Charges[0].MinimumApplied {
		t.Errorf("got %s, minimum %v; want %s with the minimum", got, q.Charges[0].MinimumApplied, want)
	}
	q, err = rating.Rate(all["CUS-TUL"], loadOf(t, "TG-1018"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := chargesText(q), "LHS:95.00"; got != want {
		t.Errorf("got %s, want %s (0 percent fuel is no charge)", got, want)
	}
	if got, want := q.Charges[0].Quantity.String(), "2.88 DTN"; got != want {
		t.Errorf("quantity: got %s, want %s", got, want)
	}
}

// The four fuel dates of the fillers, and the change at 00:00 of the Wednesday.
func TestFuelByShipDate(t *testing.T) {
	x := fuel(t, "FUEL-US-LTL", rating.PercentOfLineHaul).Index
	tl := fuel(t, "FUEL-US-TL", rating.PerDistance).Index
	for _, c := range []struct{ on, index, ltl, tl string }{
		{"2026-02-25", "3.948", "28.0", "0.54"},
		{"2026-03-03", "3.948", "28.0", "0.54"},
		{"2026-03-04", "4.012", "29.5", "0.56"},
		{"2026-03-05", "4.012", "29.5", "0.56"},
		{"2026-03-10", "4.012", "29.5", "0.56"},
		{"2026-03-11", "4.068", "30.0", "0.57"},
		{"2026-03-12", "4.068", "30.0", "0.57"},
		{"2026-03-18", "4.121", "30.5", "0.58"},
	} {
		i, err := x.Series.On(date(c.on))
		if err != nil {
			t.Fatal(err)
		}
		ltl, err := x.Table.Band(i.Value, rating.LowInclusive)
		if err != nil {
			t.Fatal(err)
		}
		band, err := tl.Table.Band(i.Value, rating.LowInclusive)
		if err != nil {
			t.Fatal(err)
		}
		if i.Value.String() != c.index || ltl.Value.String() != c.ltl || band.Value.String() != c.tl {
			t.Errorf("%s: got %s, %s, %s; want %s, %s, %s", c.on, i.Value, ltl.Value, band.Value, c.index, c.ltl, c.tl)
		}
	}
	// The bound 4.00 itself: the convention decides.
	for interval, want := range map[rating.Interval]string{rating.LowInclusive: "29.5", rating.HighInclusive: "28.0"} {
		b, err := x.Table.Band(dec("4.00"), interval)
		if err != nil || b.Value.String() != want {
			t.Errorf("index 4.00, %s: got %s, %v; want %s", interval, b.Value, err, want)
		}
	}
}

// Classes of the day's cartons: density by size, then the class.
func TestCartonClasses(t *testing.T) {
	for _, c := range []struct {
		sku, weight string
		l, w, h     int
		pcf, class  string
	}{
		{"AB3542", "6", 12, 8, 8, "13.5", "85"},
		{"RD5322", "5", 12, 10, 8, "9", "100"},
		{"XY5266", "24", 16, 12, 12, "18", "70"},
		{"VX2332", "2", 8, 6, 6, "12", "85"},
		{"DX1875", "15", 16, 12, 9, "15", "70"},
		{"SNX-2222", "26", 24, 16, 20, "5.85", "175"},
		{"SNX-4444", "33", 24, 16, 20, "7.425", "125"},
		{"SNX-6666", "16", 24, 16, 20, "3.6", "250"},
		{"NS-PANEL-20", "60", 48, 24, 9, "10", "92.5"},
		{"NS-CART-35", "16.25", 24, 18, 8, "8.125", "100"},
	} {
		side := func(n int) quantity.Quantity { return quantity.MustParse(strconv.Itoa(n), quantity.Inch) }
		pcf, err := quantity.Density(pounds(c.weight), side(c.l), side(c.w), side(c.h))
		if err != nil {
			t.Fatal(c.sku, err)
		}
		class, err := rating.DensityClass(pcf, date("2026-03-03"))
		if err != nil || !pcf.Equal(dec(c.pcf)) || class != c.class {
			t.Errorf("%s: got %s pcf class %s, %v; want %s pcf class %s", c.sku, pcf, class, err, c.pcf, c.class)
		}
	}
}
