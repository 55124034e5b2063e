package invoice_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"
	"crossdock.dev/platform/platformtest/golden"

	"crossdock.dev/services/billing/internal/invoice"
	"crossdock.dev/services/billing/internal/shipment"
)

func dec(s string) decimal.Decimal    { return decimal.MustParse(s) }
func each(s string) quantity.Quantity { return quantity.MustParse(s, quantity.Each) }

// terms are the customers' contracts of the story's seed.
func terms(customer string) invoice.Terms {
	tariff := func(currency, fuel string, l ...rating.LineHaul) *rating.Tariff {
		t := &rating.Tariff{
			ID: "contracts/" + customer + "-1", Version: 1, Currency: currency, EffectiveFrom: calendar.MustParseDate("2026-01-01"),
			Interval: rating.LowInclusive, LineHaul: l, Accessorials: map[rating.ChargeCode]money.Amount{},
		}
		if fuel != "" {
			percent := dec(fuel)
			t.Fuel = &rating.Fuel{Percent: &percent}
		}
		return t
	}
	cwt := func(rate, minimum string) rating.LineHaul {
		return rating.LineHaul{Mode: "LTL", Weight: &rating.ByWeight{
			Rate: dec(rate), Per: decimal.Hundred, Unit: quantity.Pound, Minimum: money.MustParse(minimum, "USD"),
		}}
	}
	metric := rating.LineHaul{Weight: &rating.ByWeight{
		Rate: dec("18.00"), Per: decimal.Hundred, Unit: quantity.Kilogram, Minimum: money.MustParse("95.00", "EUR"),
	}}
	out := invoice.Terms{Contract: "contracts/" + customer + "-1", Freight: shipment.PrepaidAndAdd, BillCleanPart: true, Proof: shipment.Received}
	switch customer {
	case "CUS-XYZ":
		out.Tariff = tariff("USD", "12", cwt("14.50", "150.00"))
	case "CUS-HHS":
		out.Tariff = tariff("USD", "12", rating.LineHaul{Mode: "TL", Flat: map[string]money.Amount{"lanes/LANE-CHI": money.MustParse("1180.00", "USD")}},
			cwt("15.00", "160.00"))
	case "CUS-LAK":
		out.Tariff = tariff("USD", "12", cwt("22.00", "195.00"))
		out.Tariff.Accessorials[rating.LiftgateCharge] = money.MustParse("85.00", "USD")
	case "CUS-TUL", "CUS-RHB":
		out.Tariff = tariff("EUR", "0", metric)
	case "CUS-PIN":
		out.Freight = shipment.Prepaid
	case "CUS-SNX":
		out.Freight = shipment.Collect
	}
	return out
}

// The figures are those worked out by hand for the story: the six patterns of filler orders, and the pages 01, 07, 08, 13, 18, 20.
func TestFigures(t *testing.T) {
	for _, c := range []struct {
		name, customer, currency, mode, lane string
		lines                                string // accepted × price, parted by blanks
		weight                               quantity.Quantity
		liftgate                             bool
		taxPercent                           string
		goods, freight, tax, total           string
		charges                              string
	}{
		{name: "01", customer: "CUS-XYZ", currency: "USD", mode: "LTL",
			lines:  "120×9.25 220×13.79 126×10.99 76×4.35 72×7.50 696×9.55",
			weight: quantity.MustParse("3156", "LBR"), taxPercent: "0",
			goods: "13045.94", freight: "512.53", tax: "0.00", total: "13558.47", charges: "LHS 457.62 FUE 54.91"},
		{name: "07 short: goods on 76, freight on 80", customer: "CUS-HHS", currency: "USD", mode: "LTL", lines: "76×189.00",
			weight: quantity.MustParse("3200", "LBR"), taxPercent: "0",
			goods: "14364.00", freight: "537.60", tax: "0.00", total: "14901.60", charges: "LHS 480.00 FUE 57.60"},
		{name: "08 minimum", customer: "CUS-HHS", currency: "USD", mode: "LTL", lines: "20×189.00", weight: quantity.MustParse("800", "LBR"),
			taxPercent: "0", goods: "3780.00", freight: "179.20", tax: "0.00", total: "3959.20", charges: "LHS 160.00 FUE 19.20"},
		{name: "13 flat per lane", customer: "CUS-HHS", currency: "USD", mode: "TL", lane: "lanes/LANE-CHI", lines: "150×189.00",
			weight: quantity.MustParse("6000", "LBR"), taxPercent: "0",
			goods: "28350.00", freight: "1321.60", tax: "0.00", total: "29671.60", charges: "LHS 1180.00 FUE 141.60"},
		{name: "18 Dutch VAT on goods and freight", customer: "CUS-TUL", currency: "EUR", mode: "TL", lines: "120×34.50",
			weight: quantity.MustParse("288.0", "KGM"), taxPercent: "21",
			goods: "4140.00", freight: "95.00", tax: "889.35", total: "5124.35", charges: "LHS 95.00"},
		{name: "20 collect", customer: "CUS-SNX", currency: "USD", mode: "LTL",
			lines:  "16×12.34 13×12.34 32×12.34 51×12.34 9×12.34 85×12.34 1×12.34",
			weight: quantity.MustParse("4848", "LBR"), taxPercent: "0",
			goods: "2554.38", freight: "0.00", tax: "0.00", total: "2554.38"},
		{name: "filler HHS", customer: "CUS-HHS", currency: "USD", mode: "LTL", lines: "40×189.00", weight: quantity.MustParse("1600", "LBR"),
			taxPercent: "0", goods: "7560.00", freight: "268.80", tax: "0.00", total: "7828.80", charges: "LHS 240.00 FUE 28.80"},
		{name: "filler PIN, freight inside the price", customer: "CUS-PIN", currency: "USD", mode: "LTL", lines: "30×189.00",
			weight: quantity.MustParse("1200", "LBR"), taxPercent: "0", goods: "5670.00", freight: "0.00", tax: "0.00", total: "5670.00"},
		{name: "filler LAK, liftgate charged on without fuel", customer: "CUS-LAK", currency: "USD", mode: "LTL", lines: "1×7260.00",
			weight: quantity.MustParse("950", "LBR"), liftgate: true, taxPercent: "0",
			goods: "7260.00", freight: "319.08", tax: "0.00", total: "7579.08", charges: "LHS 209.00 FUE 25.08 LFT 85.00"},
		{name: "filler TUL, tax rounded once", customer: "CUS-TUL", currency: "EUR", mode: "TL", lines: "240×34.50",
			weight: quantity.MustParse("576", "KGM"), taxPercent: "21",
			goods: "8280.00", freight: "103.68", tax: "1760.57", total: "10144.25", charges: "LHS 103.68"},
		{name: "filler RHB, reverse charge", customer: "CUS-RHB", currency: "EUR", mode: "TL", lines: "200×27.80",
			weight: quantity.MustParse("700", "KGM"), taxPercent: "0",
			goods: "5560.00", freight: "126.00", tax: "0.00", total: "5686.00", charges: "LHS 126.00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := shipment.Release{Name: "orders/ord_1/releases/1", Order: "orders/ord_1", Currency: c.currency}
			var delivered []shipment.Line
			for i, l := range strings.Fields(c.lines) {
				q, price, _ := strings.Cut(l, "×")
				id := fmt.Sprint(i + 1)
				r.Lines = append(r.Lines, shipment.ReleaseLine{Line: id, Item: "items/X", Quantity: each(q), UnitPrice: dec(price)})
				delivered = append(delivered, shipment.Line{Line: id, Proven: true, Accepted: each(q)})
			}
			goods, goodsTotal, err := invoice.PriceGoods(r, delivered)
			if err != nil {
				t.Fatal(err)
			}
			carriage := invoice.Carriage{
				Terms: terms(c.customer).Freight, Currency: c.currency, ShipDate: calendar.MustParseDate("2026-03-05"), Mode: c.mode, Lane: c.lane,
				Weight: c.weight,
			}
			if c.liftgate {
				carriage.Accessorials = []rating.ChargeCode{rating.LiftgateCharge}
			}
			freight, freightTotal, why, err := invoice.PriceFreight(terms(c.customer), carriage)
			if err != nil {
				t.Fatal(err)
			}
			var charges []string
			for _, f := range freight {
				charges = append(charges, string(f.Charge.Code)+" "+f.Charge.Amount.String())
			}
			if got := strings.Join(charges, " "); got != c.charges {
				t.Errorf("charges %q, want %q", got, c.charges)
			}
			a, err := invoice.Authorize("billingAuthorizations/aut_1", r, shipment.Shipment{}, shipment.Load{}, nil, goods, goodsTotal, freight,
				freightTotal, why, terms(c.customer).Contract, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			i, err := invoice.Draft("", a, invoice.Tax{Rule: "taxRules/T", Percent: dec(c.taxPercent)}, invoice.Payment{})
			if err != nil {
				t.Fatal(err)
			}
			got := [4]string{i.GoodsTotal.String(), i.FreightTotal.String(), i.TaxTotal.String(), i.Total.String()}
			if want := [4]string{c.goods, c.freight, c.tax, c.total}; got != want {
				t.Errorf("goods, freight, tax, total = %v, want %v", got, want)
			}
			if i.Explanation.Value != i.Total.Label() || i.Explanation.Children[0].Value != i.GoodsTotal.Label() ||
				i.Explanation.Children[1].Value != i.FreightTotal.Label() || i.Explanation.Children[2].Value != i.TaxTotal.Label() {
				t.Errorf("the explanation has other figures than the invoice:\n%s", i.Explanation)
			}
		})
	}
}

func TestNoPrice(t *testing.T) {
	weight := quantity.MustParse("100", "LBR")
	for _, c := range []struct {
		name  string
		terms invoice.Terms
		move  invoice.Carriage
	}{
		{"no freight price at all", invoice.Terms{Contract: "contracts/C-1"}, invoice.Carriage{Currency: "USD", Mode: "LTL"}},
		{"no price for the lane", terms("CUS-HHS"), invoice.Carriage{Currency: "USD", Mode: "TL", Lane: "lanes/LANE-MARS"}},
		{"another currency", terms("CUS-HHS"), invoice.Carriage{Currency: "EUR", Mode: "LTL"}},
		{"another mode", terms("CUS-XYZ"), invoice.Carriage{Currency: "USD", Mode: "TL"}},
	} {
		c.move.Terms, c.move.Weight, c.move.ShipDate = shipment.PrepaidAndAdd, weight, calendar.MustParseDate("2026-03-05")
		if _, _, _, err := invoice.PriceFreight(c.terms, c.move); !errors.Is(err, invoice.ErrNoPrice) {
			t.Errorf("%s: error %v, want ErrNoPrice", c.name, err)
		}
	}
	before := invoice.Carriage{
		Terms: shipment.PrepaidAndAdd, Currency: "USD", Mode: "LTL", Weight: weight, ShipDate: calendar.MustParseDate("2025-12-31"),
	}
	if _, _, _, err := invoice.PriceFreight(terms("CUS-XYZ"), before); !errors.Is(err, invoice.ErrNoPrice) {
		t.Errorf("before the contract is in force: error %v, want ErrNoPrice", err)
	}
}

// Every state with every verb.
func TestStates(t *testing.T) {
	var b strings.Builder
	b.WriteString("| state | approve | issue |\n|---|---|---|\n")
	for _, from := range invoice.States {
		b.WriteString("| " + from.String())
		for _, verb := range invoice.Verbs {
			to, err := invoice.Next(from, verb)
			var refused *invoice.TransitionError
			switch {
			case errors.As(err, &refused):
				if refused.From != from || refused.Verb != verb || to != from {
					t.Errorf("%s %s: %+v, state %s", verb, from, refused, to)
				}
				b.WriteString(" | refused")
			case err != nil:
				t.Errorf("%s %s: %v", verb, from, err)
			case to == from:
				b.WriteString(" | done before")
			default:
				b.WriteString(" | " + to.String())
			}
		}
		b.WriteString(" |\n")
	}
	golden.Check(t, "states.md", []byte(b.String()))
}

// The issue date is the one in the books' zone: 2026-03-31 23:30 in New York is already April in UTC.
func TestIssueDate(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	draft := invoice.Invoice{State: invoice.DraftState, DueDays: 30}
	at := time.Date(2026, 4, 1, 3, 30, 0, 0, time.UTC)
	if _, _, err := draft.Issue("NLS26-000001", at, zone); err == nil {
		t.Error("a draft was issued without approval")
	}
	approved, changed, err := draft.Approve()
	if err != nil || !changed {
		t.Fatalf("approve: changed %v, error %v", changed, err)
	}
	issued, changed, err := approved.Issue("NLS26-000001", at, zone)
	if err != nil || !changed {
		t.Fatalf("issue: changed %v, error %v", changed, err)
	}
	if got, want := issued.IssueDate.String()+" "+issued.DueDate.String(), "2026-03-31 2026-04-30"; got != want {
		t.Errorf("issue and due date %s, want %s", got, want)
	}
	again, changed, err := issued.Issue("NLS26-000002", at.Add(time.Hour), zone)
	if err != nil || changed || again.Number != "NLS26-000001" || !again.IssueTime.Equal(at) {
		t.Errorf("issued again: changed %v, error %v, number %s", changed, err, again.Number)
	}
}
