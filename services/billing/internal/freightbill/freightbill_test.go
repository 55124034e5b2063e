package freightbill_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/rating"
	"crossdock.dev/platform/platformtest/golden"

	"crossdock.dev/services/billing/internal/accrual"
	"crossdock.dev/services/billing/internal/freightbill"
)

func usd(s string) money.Amount { return money.MustParse(s, "USD") }

// charges reads "LHS 830.54 DSC -498.32".
func charges(s string) []accrual.Charge {
	var out []accrual.Charge
	f := strings.Fields(s)
	for i := 0; i+1 < len(f); i += 2 {
		out = append(out, accrual.Charge{Code: rating.ChargeCode(f[i]), Amount: usd(f[i+1])})
	}
	return out
}

func bill(total, billed string) freightbill.Bill {
	return freightbill.Bill{
		Name: "freightBills/fbl_2", Carrier: "parties/CAR-CXBB", InvoiceNumber: "CXBB-1001", LoadNumber: "NL26030001", State: freightbill.Received,
		Load: "loads/load_1", Charges: charges(billed), Total: usd(total),
	}
}

func evidence(accrued string) freightbill.Evidence {
	e := freightbill.Evidence{
		CarrierKnown: true, Contract: "contracts/CXBB-2026-1", ShipDate: calendar.MustParseDate("2026-03-03"), WePay: true, Delivered: true,
		Proven: true,
	}
	for _, c := range charges(accrued) {
		e.Accrued = append(e.Accrued, accrual.Accrual{Charge: c, State: accrual.Open, Evidence: "evidence of " + string(c.Code)})
	}
	return e
}

// failed lists the findings that did not pass: "A4/FUE finance".
func failed(findings []freightbill.Finding) string {
	var out []string
	for _, f := range findings {
		if !f.Passed {
			out = append(out, fmt.Sprintf("%s/%s %s", f.Rule, f.Subject, f.Owner))
		} else if f.Owner != "" || f.Dispute != "" {
			out = append(out, fmt.Sprintf("%s/%s passed and has an owner or a code", f.Rule, f.Subject))
		}
	}
	return strings.Join(out, ", ")
}

// Bills of the story (pages 01, 13, 14, 15, 17) and around their limits.
func TestAudit(t *testing.T) {
	for _, c := range []struct {
		name            string
		accrued, billed string
		total           string
		dated           string
		change          func(*freightbill.Evidence)
		failed          string
	}{
		{name: "01: discount and gross are one net line-haul", accrued: "LHS 332.22 FUE 93.02",
			billed: "LHS 830.54 DSC -498.32 FUE 93.02", total: "425.24"},
		{name: "13: 3.45 over is within both limits", accrued: "LHS 767.55 FUE 199.92", billed: "LHS 771.00 FUE 199.92", total: "970.92"},
		{name: "14: fuel of another percentage", accrued: "LHS 307.20 FUE 90.62", billed: "LHS 768.00 DSC -460.80 FUE 104.45", total: "411.65",
			failed: "A4/FUE finance, A8/FUE finance, A5/total finance"},
		{name: "17: stop-off and detention accrued", accrued: "LHS 771.85 FUE 204.63 SOC 75.00 DET 90.00",
			billed: "LHS 771.85 FUE 204.63 SOC 75.00 DET 90.00", total: "1141.48"},
		{name: "17 without evidence of detention", accrued: "LHS 771.85 FUE 204.63 SOC 75.00",
			billed: "LHS 771.85 FUE 204.63 SOC 75.00 DET 90.00", total: "1141.48", failed: "A6/DET finance, A5/total finance"},
		{name: "under-charge passes", accrued: "LHS 332.22 FUE 93.02", billed: "LHS 300.00 FUE 84.00", total: "384.00"},
		{name: "a charge that is not billed passes", accrued: "LHS 155.20 FUE 45.78 LFT 75.00", billed: "LHS 155.20 FUE 45.78", total: "200.98"},
		{name: "two wrong lines that net out", accrued: "LHS 767.55 FUE 199.92", billed: "LHS 787.55 FUE 179.92", total: "967.47",
			failed: "A4/LHS finance"},
		{name: "an over-charge behind a negative line", accrued: "LHS 332.22 FUE 93.02 LFT 75.00",
			billed: "LHS 332.22 FUE 193.02 FUE -100.00 LFT 75.00", total: "500.24", failed: "A4/FUE finance, A8/FUE finance, A4/FUE finance"},
		{name: "a charge twice", accrued: "LHS 332.22 LFT 75.00", billed: "LHS 332.22 LFT 75.00 LFT 75.00", total: "482.22",
			failed: "A6/LFT finance, A5/total finance"},
		{name: "charge limit: 5.00 exactly of 1000.00", accrued: "LHS 1000.00", billed: "LHS 1005.00", total: "1005.00"},
		{name: "charge limit: a cent more", accrued: "LHS 1000.00", billed: "LHS 1005.01", total: "1005.01", failed: "A4/LHS finance, A5/total finance"},
		{name: "charge limit: 1 percent exactly, total over", accrued: "LHS 100.00", billed: "LHS 101.00", total: "101.00", failed: "A5/total finance"},
		{name: "total limit: every charge within, the total over 10.00", accrued: "LHS 1000.00 SOC 1000.00 DET 1000.00",
			billed: "LHS 1005.00 SOC 1005.00 DET 1001.00", total: "3011.00", failed: "A5/total finance"},
		{name: "total limit: 10.00 exactly", accrued: "LHS 1000.00 SOC 1000.00 DET 1000.00",
			billed: "LHS 1005.00 SOC 1005.00 DET 1000.00", total: "3010.00"},
		{name: "fuel a cent over", accrued: "LHS 332.22 FUE 93.02", billed: "LHS 332.22 FUE 93.03", total: "425.25"},
		{name: "fuel two cents over", accrued: "LHS 332.22 FUE 93.02", billed: "LHS 332.22 FUE 93.04", total: "425.26", failed: "A8/FUE finance"},
		{name: "fuel computed anew is less than was rated", accrued: "LHS 332.22 FUE 93.02", billed: "LHS 332.22 FUE 93.02", total: "425.24",
			change: func(e *freightbill.Evidence) { less := usd("91.36"); e.Fuel = &less }, failed: "A8/FUE finance"},
		{name: "not delivered, no proof", accrued: "LHS 332.22", billed: "LHS 332.22", total: "332.22",
			change: func(e *freightbill.Evidence) { e.Delivered, e.Proven = false, false },
			failed: "A2/loads/load_1 operations, A3/loads/load_1 operations"},
		{name: "collect: not our bill", accrued: "", billed: "LHS 332.22", total: "332.22",
			change: func(e *freightbill.Evidence) { e.WePay = false }, failed: "A2/loads/load_1 finance, A6/LHS finance, A5/total finance"},
		{name: "billed before under another number", accrued: "", billed: "LHS 332.22", total: "332.22",
			change: func(e *freightbill.Evidence) { e.BilledBy = "freightBills/fbl_1" },
			failed: "A2/loads/load_1 finance, A6/LHS finance, A5/total finance"},
		{name: "05: called off, the truck was ordered and not used", accrued: "TON 200.00", billed: "TON 200.00", total: "200.00",
			change: func(e *freightbill.Evidence) { e.Withdrawn, e.Delivered, e.Proven = true, false, false }},
		{name: "called off, but billed as if driven", accrued: "TON 200.00", billed: "LHS 450.00 FUE 114.80", total: "564.80",
			change: func(e *freightbill.Evidence) { e.Withdrawn, e.Delivered, e.Proven = true, false, false },
			failed: "A6/LHS finance, A6/FUE finance, A5/total finance"},
		{name: "a truck not used, without a withdrawal", accrued: "LHS 450.00 FUE 114.80", billed: "TON 200.00", total: "200.00",
			failed: "A6/TON finance"},
		{name: "billed 180 days after it shipped, as agreed", accrued: "LHS 332.22", billed: "LHS 332.22", total: "332.22", dated: "2026-08-30",
			change: func(e *freightbill.Evidence) { e.BillWithin = 180 }},
		{name: "a day later", accrued: "LHS 332.22", billed: "LHS 332.22", total: "332.22", dated: "2026-08-31",
			change: func(e *freightbill.Evidence) { e.BillWithin = 180 }, failed: "A10/loads/load_1 finance"},
		{name: "no time agreed", accrued: "LHS 332.22", billed: "LHS 332.22", total: "332.22", dated: "2036-08-31"},
		{name: "no contract in force", accrued: "LHS 332.22", billed: "LHS 332.22", total: "332.22",
			change: func(e *freightbill.Evidence) { e.Contract = "" }, failed: "A1/parties/CAR-CXBB finance"},
	} {
		b, e := bill(c.total, c.billed), evidence(c.accrued)
		if c.dated != "" {
			b.BillDate = calendar.MustParseDate(c.dated)
		}
		if c.change != nil {
			c.change(&e)
		}
		if f := freightbill.HeaderFinding(b); !f.Passed {
			t.Errorf("%s: the test's own bill does not add up: %s", c.name, f.Detail)
		}
		o, err := freightbill.Audit(b, e, freightbill.DefaultTolerance())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := failed(o.Findings); got != c.failed || o.Approved != (c.failed == "") {
			t.Errorf("%s: failed %q, approved %v; want failed %q", c.name, got, o.Approved, c.failed)
		}
	}
}

// The figures of page 13 stand in the finding's words.
func TestDetail(t *testing.T) {
	o, err := freightbill.Audit(bill("970.92", "LHS 771.00 FUE 199.92"), evidence("LHS 767.55 FUE 199.92"), freightbill.DefaultTolerance())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []freightbill.Finding{
		{Rule: "A4", Subject: "LHS", Passed: true, Detail: "billed 771.00 − rated 767.55 = 3.45; limits 1 % = 7.6755 and 5.00, both"},
		{Rule: "A5", Subject: "total", Passed: true, Detail: "billed 970.92 − rated 967.47 = 3.45; limits 0.5 % = 4.83735 and 10.00, both"},
	} {
		if !slices.Contains(o.Findings, want) {
			t.Errorf("findings %+v, want one to be %+v", o.Findings, want)
		}
	}
}

// What a dispute of a finding would be called, by X12 data element 426: 46 for fuel (page 14), 23 for a charge that nobody ordered, 18
// for a carrier that we do not pay, 19 for what was billed before, 44 for a missing proof of delivery. What passed has none.
func TestDisputeCodes(t *testing.T) {
	e := evidence("LHS 307.20 FUE 90.62")
	e.Proven, e.BilledBy = false, "freightBills/fbl_1"
	o, err := freightbill.Audit(bill("486.65", "LHS 307.20 FUE 104.45 LFT 75.00"), e, freightbill.DefaultTolerance())
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]freightbill.Code{}
	for _, f := range o.Findings {
		if !f.Passed {
			codes[f.Rule+" "+f.Subject] = f.Dispute
		}
	}
	for finding, want := range map[string]freightbill.Code{"A8 FUE": "46", "A6 LFT": "23", "A2 loads/load_1": "19", "A3 loads/load_1": "44"} {
		if codes[finding] != want {
			t.Errorf("%s: code %q, want %q", finding, codes[finding], want)
		}
	}
	e.WePay = false
	if o, err = freightbill.Audit(bill("1.00", "LHS 1.00"), e, freightbill.DefaultTolerance()); err != nil || o.Findings[1].Dispute != "18" {
		t.Errorf("a carrier that we do not pay: %+v, %v; want 18", o.Findings[1], err)
	}
}

// Accessorials are authorised by what was accrued for them, and the finding says by what.
func TestAuthorisedBy(t *testing.T) {
	o, err := freightbill.Audit(bill("1141.48", "LHS 771.85 FUE 204.63 SOC 75.00 DET 90.00"), evidence("LHS 771.85 FUE 204.63 SOC 75.00 DET 90.00"),
		freightbill.DefaultTolerance())
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"SOC", "DET"} {
		want := freightbill.Finding{Rule: "A6", Subject: code, Passed: true, Detail: "authorised by evidence of " + code}
		if !slices.Contains(o.Findings, want) {
			t.Errorf("findings %+v, want one to be %+v", o.Findings, want)
		}
	}
}

// A person's decisions: each is kept with its reason, and the same again changes nothing.
func TestDecide(t *testing.T) {
	b := freightbill.Bill{State: freightbill.Exception}
	for _, c := range []struct {
		verb    freightbill.Verb
		state   freightbill.State
		changed bool
		kept    int
	}{
		{freightbill.Dispute, freightbill.Disputed, true, 1}, {freightbill.Dispute, freightbill.Disputed, false, 1},
		{freightbill.Approve, freightbill.Approved, true, 2}, {freightbill.Approve, freightbill.Approved, false, 2},
	} {
		out, changed, err := b.Decide(c.verb, freightbill.Decision{Reason: string(c.verb), Dispute: "46"})
		if err != nil || out.State != c.state || changed != c.changed || len(out.Decisions) != c.kept || out.Decisions[c.kept-1].State != c.state {
			t.Errorf("%s: %+v, changed %v, %v; want %s, changed %v, %d decisions", c.verb, out, changed, err, c.state, c.changed, c.kept)
		}
		b = out
	}
	if out, changed, err := b.Decide(freightbill.Reject, freightbill.Decision{}); err == nil || changed || out.State != freightbill.Approved {
		t.Errorf("rejected after approval: %s, changed %v, %v", out.State, changed, err)
	}
}

// Page 15: lines of 180.65 under a header of 190.65.
func TestHeader(t *testing.T) {
	f := freightbill.HeaderFinding(bill("190.65", "LHS 310.00 DSC -170.50 FUE 41.15"))
	if want := "header 190.65 USD, sum of 3 charges 180.65 USD"; f.Passed || f.Detail != want || f.Owner != freightbill.Finance {
		t.Errorf("finding %+v, want not passed, %q", f, want)
	}
	mixed := bill("100.00", "LHS 100.00")
	mixed.Charges = append(mixed.Charges, accrual.Charge{Code: "FUE", Amount: money.MustParse("0.00", "EUR")})
	if f := freightbill.HeaderFinding(mixed); f.Passed {
		t.Errorf("charges of two currencies passed: %+v", f)
	}
}

func TestDuplicate(t *testing.T) {
	b := bill("180.65", "LHS 180.65")
	for _, c := range []struct {
		name      string
		earlier   *freightbill.Earlier
		passed    bool
		duplicate bool
	}{
		{"first", nil, true, false},
		{"same total", &freightbill.Earlier{Bill: "freightBills/fbl_1", Total: usd("180.65")}, false, true},
		{"another total", &freightbill.Earlier{Bill: "freightBills/fbl_1", Total: usd("180.66")}, false, false},
		{"another currency", &freightbill.Earlier{Bill: "freightBills/fbl_1", Total: money.MustParse("180.65", "EUR")}, false, false},
	} {
		if f, duplicate := freightbill.DuplicateFinding(b, c.earlier); f.Passed != c.passed || duplicate != c.duplicate {
			t.Errorf("%s: passed %v, duplicate %v (%s); want %v, %v", c.name, f.Passed, duplicate, f.Detail, c.passed, c.duplicate)
		}
	}
}

func TestMatch(t *testing.T) {
	one := freightbill.Candidate{
		Load: "loads/load_1", Number: "NL26030001", CarrierReference: "CXB0001001", Carrier: "parties/CAR-CXBB", Booked: true, Currency: "USD",
	}
	with := func(change func(*freightbill.Candidate)) freightbill.Candidate { c := one; change(&c); return c }
	for _, c := range []struct {
		name       string
		reference  string
		candidates []freightbill.Candidate
		load, says string
	}{
		{"by number", "", []freightbill.Candidate{one}, "loads/load_1", "exactly one load"},
		{"nothing", "", nil, "", "no load"},
		{"another carrier", "", []freightbill.Candidate{with(func(c *freightbill.Candidate) { c.Carrier = "parties/CAR-CXEE" })}, "", "another carrier"},
		{"never booked", "", []freightbill.Candidate{with(func(c *freightbill.Candidate) { c.Booked = false })}, "", "never booked"},
		{"cancelled", "", []freightbill.Candidate{with(func(c *freightbill.Candidate) { c.Cancelled = true })}, "", "was cancelled and nothing is owed"},
		{"cancelled, the truck is owed", "", []freightbill.Candidate{with(func(c *freightbill.Candidate) { c.Cancelled, c.Owed = true, true })},
			"loads/load_1", "exactly one load"},
		{"currency", "", []freightbill.Candidate{with(func(c *freightbill.Candidate) { c.Currency = "EUR" })}, "", "owed in EUR, billed in USD"},
		{"number of one, reference of another", "CXB0001002", []freightbill.Candidate{one, with(func(c *freightbill.Candidate) {
			c.Load, c.Number, c.CarrierReference = "loads/load_2", "NL26030002", "CXB0001002"
		})}, "", "several loads: NL26030001, NL26030002"},
		{"the other is eliminated, with its reason", "CXB0001001", []freightbill.Candidate{one, with(func(c *freightbill.Candidate) {
			c.Load, c.Number, c.Cancelled = "loads/load_2", "NL26030002", true
		})}, "loads/load_1", "left out: NL26030002 was cancelled"},
	} {
		b := bill("1.00", "LHS 1.00")
		b.CarrierReference = c.reference
		load, f := freightbill.Match(b, c.candidates)
		if load != c.load || f.Passed != (c.load != "") || !strings.Contains(f.Detail, c.says) {
			t.Errorf("%s: matched %q, %q; want %q, saying %q", c.name, load, f.Detail, c.load, c.says)
		}
	}
}

// However a bill is made up: it is approved only when no net charge is over its accrual by more than the limits, so nothing that
// is taken off one charge pays for another.
func TestNothingNets(t *testing.T) {
	codes := []string{"LHS", "FUE", "SOC", "DET", "LFT"}
	rapid.Check(t, func(t *rapid.T) {
		var accrued, billed string
		var total int64
		worst := int64(0)
		for _, code := range codes {
			rated := rapid.Int64Range(5000, 200000).Draw(t, code)
			over := rapid.Int64Range(-3000, 3000).Draw(t, code+" over")
			accrued += fmt.Sprintf("%s %d.%02d ", code, rated/100, rated%100)
			billed += fmt.Sprintf("%s %d.%02d ", code, (rated+over)/100, (rated+over)%100)
			total += rated + over
			worst = max(worst, over)
		}
		o, err := freightbill.Audit(bill(fmt.Sprintf("%d.%02d", total/100, total%100), billed), evidence(accrued), freightbill.DefaultTolerance())
		if err != nil {
			t.Fatal(err)
		}
		if o.Approved && worst > 500 {
			t.Fatalf("approved with a charge over by %d cents: %s against %s", worst, billed, accrued)
		}
		if !o.Approved && worst <= 0 {
			t.Fatalf("not approved with nothing over: %s", failed(o.Findings))
		}
	})
}

// Every state with every verb.
func TestStates(t *testing.T) {
	var b strings.Builder
	b.WriteString("| state")
	for _, v := range freightbill.Verbs {
		b.WriteString(" | " + string(v))
	}
	b.WriteString(" |\n|---|---|---|---|---|---|\n")
	for _, from := range freightbill.States {
		b.WriteString("| " + from.String())
		for _, verb := range freightbill.Verbs {
			got, err := freightbill.Bill{State: from}.Do(verb)
			var refused *freightbill.TransitionError
			switch {
			case errors.As(err, &refused):
				if refused.From != from || refused.Verb != verb || got.State != from {
					t.Errorf("%s %s: %+v, state %s", verb, from, refused, got.State)
				}
				b.WriteString(" | refused")
			case got.State == from:
				b.WriteString(" | done before")
			default:
				b.WriteString(" | " + got.State.String())
			}
		}
		b.WriteString(" |\n")
	}
	golden.Check(t, "states.md", []byte(b.String()))
}
