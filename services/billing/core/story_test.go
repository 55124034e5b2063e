package core

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
)

// page is what the story's book-keeping, worked out by hand, says of one page.
type page struct {
	ID       string `json:"id"`
	Currency string `json:"currency"`
	Invoice  struct {
		State, Currency, Goods, Freight, VAT, Total string
	} `json:"invoice"`
	FreightBill *struct{ State, Amount, Currency string } `json:"freight_bill"`
	Ledger      []struct {
		Moment string
		Lines  []struct{ Account, Debit, Credit, Currency string }
	} `json:"ledger"`
	TrialBalance map[string]string `json:"trial_balance"`
}

func pages(t *testing.T) map[string]page {
	t.Helper()
	data, err := os.ReadFile("testdata/day.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Scenarios []page }
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]page{}
	for _, p := range all.Scenarios {
		out[p.ID[:2]] = p
	}
	return out
}

// story is a page's input.
type story struct {
	job            job
	short, damaged int
	billed, header string // the carrier's bill; empty when none comes
}

func hhs(n int, po, lines, pounds string) job {
	j := first()
	j.n, j.po, j.customer, j.shipTo, j.lines, j.paymentTerms = n, po, "CUS-HHS", "LOC-DET", lines, ""
	j.weight = &typev1.Quantity{Value: pounds, Unit: "LBR"}
	j.shipDate = "2026-03-05"
	return j
}

func stories() map[string]story {
	s07 := hhs(7, "HH-1007", "80×189.00", "3200")
	s07.charges = "LHS 307.20 FUE 90.62"
	s08 := hhs(8, "HH-1008", "20×189.00", "800")
	s08.carrier, s08.charges = "CXEE", "LHS 139.50 FUE 41.15"
	s13 := hhs(13, "HH-1013", "150×189.00", "6000")
	s13.carrier, s13.mode, s13.shipTo, s13.charges = "CXAA", "TL", "LOC-CHI", "LHS 767.55 FUE 199.92"
	s14 := hhs(14, "HH-1014", "80×189.00", "3200")
	s14.charges = "LHS 307.20 FUE 90.62"
	s15 := hhs(15, "PC-1015", "20×189.00", "800")
	s15.customer, s15.terms, s15.carrier, s15.charges = "CUS-PIN", "PREPAID", "CXEE", "LHS 139.50 FUE 41.15"
	s18 := hhs(18, "TG-1018", "120×34.50", "288.0")
	s18.customer, s18.entity, s18.currency, s18.mode, s18.carrier, s18.charges = "CUS-TUL", "LE-NL", "EUR", "TL", "CXDD", "LHS 180.00 FUE 20.70"
	s18.weight = &typev1.Quantity{Value: "288.0", Unit: "KGM"}
	s20 := hhs(20, "A99999-01", "16×12.34 13×12.34 32×12.34 51×12.34 9×12.34 85×12.34 1×12.34", "4848")
	s20.customer, s20.terms, s20.charges = "CUS-SNX", "COLLECT", ""
	return map[string]story{
		"01": {job: first(), billed: "LHS 830.54 DSC -498.32 FUE 93.02", header: "425.24"},
		"07": {job: s07, short: 3, damaged: 1, billed: "LHS 768.00 DSC -460.80 FUE 90.62", header: "397.82"},
		"08": {job: s08, billed: "LHS 310.00 DSC -170.50 FUE 41.15", header: "180.65"},
		"13": {job: s13, billed: "LHS 771.00 FUE 199.92", header: "970.92"},
		"14": {job: s14, billed: "LHS 768.00 DSC -460.80 FUE 104.45", header: "411.65"},
		"15": {job: s15, billed: "LHS 310.00 DSC -170.50 FUE 41.15", header: "190.65"},
		"18": {job: s18, billed: "LHS 180.00 FUE 20.70", header: "200.70"},
		"20": {job: s20},
	}
}

// posted prints entries like the pages do.
func posted(entries []*billingv1.JournalEntry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintln(&b, e.GetMoment())
		for _, l := range e.GetLines() {
			fmt.Fprintf(&b, "  %s %s %s\n", l.GetAccount(), text(l.GetDebit()), text(l.GetCredit()))
		}
	}
	return b.String()
}

func (p page) posted() string {
	var b strings.Builder
	for _, e := range p.Ledger {
		fmt.Fprintln(&b, strings.TrimSuffix(e.Moment, ", with variance"))
		for _, l := range e.Lines {
			fmt.Fprintf(&b, "  %s %s %s\n", l.Account, l.Debit, l.Credit)
		}
	}
	return b.String()
}

// Each page alone: invoice, bill, every ledger line and the trial balance are those of the story's book-keeping.
func TestPages(t *testing.T) {
	expected := pages(t)
	for id, s := range stories() {
		t.Run(id, func(t *testing.T) {
			w, want, j := newWorld(t), expected[id], s.job
			w.releaseOrder(j)
			w.book(j)
			w.deliver(j)
			w.prove(j, s.short, s.damaged)
			i := w.issue(j)
			got := [6]string{
				i.GetState().String(), i.GetTotal().GetCurrencyCode(), text(i.GetGoodsTotal()), text(i.GetFreightTotal()), text(i.GetTaxTotal()),
				text(i.GetTotal()),
			}
			v := want.Invoice
			if want := [6]string{v.State, v.Currency, v.Goods, v.Freight, v.VAT, v.Total}; got != want {
				t.Errorf("invoice %v, want %v", got, want)
			}
			if s.billed != "" {
				b, err := w.bill(j, j.carrier+"-1", s.billed, s.header)
				w.must(err)
				if got, want := b.GetState().String()+" "+text(b.GetTotal()), want.FreightBill.State+" "+want.FreightBill.Amount; got != want {
					t.Errorf("freight bill %s, want %s; findings %v", got, want, b.GetFindings())
				}
			}
			if diff := cmp.Diff(want.posted(), posted(w.journal(""))); diff != "" {
				t.Errorf("ledger (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.TrialBalance, w.balances()); diff != "" {
				t.Errorf("trial balance (-want +got):\n%s", diff)
			}
			if got, want := len(w.journal("po:"+j.po)), len(want.Ledger); got != want {
				t.Errorf("%d entries lead to the order's number, want %d", got, want)
			}
		})
	}
}

// Page 01 in its details: number, dates, lines, freight, audit and the way back to contract and proof.
func TestFirstOrder(t *testing.T) {
	w, j := newWorld(t), first()
	i := w.invoiced(j)
	got := []string{
		i.GetNumber(), date2(i.GetIssueDate()), date2(i.GetDueDate()), date2(i.GetShipDate()), i.GetPaymentTerms(), i.GetLoadNumber(), i.GetTaxRule(),
		i.GetIssueTime().AsTime().Format("2006-01-02T15:04:05Z"), i.GetCustomerOrderNumber(),
	}
	want := []string{
		"NLS26-000001", "2026-03-04", "2026-04-19", "2026-03-03", "2% 45 net 46", "NL26030001", "taxRules/US_RESALE_EXEMPT",
		"2026-03-04T14:46:00Z", "08292233294",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("invoice (-want +got):\n%s", diff)
	}
	var lines []string
	for _, l := range i.GetLines() {
		lines = append(lines, fmt.Sprintf("%s × %s = %s", l.GetQuantity().GetValue(), l.GetUnitPrice(), text(l.GetAmount())))
	}
	wantLines := []string{
		"120 × 9.25 = 1110.00", "220 × 13.79 = 3033.80", "126 × 10.99 = 1384.74", "76 × 4.35 = 330.60", "72 × 7.50 = 540.00", "696 × 9.55 = 6646.80",
	}
	if diff := cmp.Diff(wantLines, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if got := i.GetLines()[0].GetExternalIds(); len(got) != 1 || got[0].GetValue() != "ITEM-1" {
		t.Errorf("the item in the customer's words is %v, want ITEM-1", got)
	}
	var freight []string
	for _, f := range i.GetFreight() {
		freight = append(freight, f.GetCharge().GetCode()+" "+text(f.GetCharge().GetAmount())+" "+f.GetCharge().GetDescription()+" "+f.GetContract())
	}
	wantFreight := []string{
		"LHS 457.62 Freight 31.56 cwt at 14.50 contracts/CUS-XYZ-1", "FUE 54.91 Fuel 12 % of line-haul contracts/CUS-XYZ-1",
	}
	if diff := cmp.Diff(wantFreight, freight); diff != "" {
		t.Errorf("freight (-want +got):\n%s", diff)
	}
	tree := flat(i.GetExplanation())
	for _, leads := range []string{"13558.47 USD", "contracts/CUS-XYZ-1", j.proof(), "120 × 9.25", "2026-03-04T14:20:00Z", "54.91 USD", j.release(), "3156 LBR", j.shipment()} {
		if !strings.Contains(tree, leads) {
			t.Errorf("the explanation does not lead to %q:\n%s", leads, tree)
		}
	}

	b, err := w.bill(j, "CXBB-1001", "LHS 830.54 DSC -498.32 FUE 93.02", "425.24")
	w.must(err)
	details := 0
	for _, f := range b.GetFindings() {
		if !f.GetPassed() {
			t.Errorf("finding %v did not pass", f)
		}
		if strings.Contains(f.GetDetail(), "= 0.00") {
			details++
		}
	}
	if details != 4 { // line-haul, fuel, fuel computed anew, total
		t.Errorf("%d findings with a difference of 0.00, want 4: %v", details, b.GetFindings())
	}
	if b.GetLoad() != j.load() {
		t.Errorf("matched to %q, want %q", b.GetLoad(), j.load())
	}
	acc, err := w.workflow.ListAccruals(w.ctx, &billingv1.ListAccrualsRequest{Load: j.load()})
	w.must(err)
	if len(acc.GetAccruals()) != 2 {
		t.Fatalf("%d accruals, want 2", len(acc.GetAccruals()))
	}
	for _, a := range acc.GetAccruals() {
		if a.GetState() != billingv1.Accrual_CLEARED {
			t.Errorf("accrual %s is %s, want CLEARED", a.GetCharge().GetCode(), a.GetState())
		}
	}
}

// All pages in one book: the accruals of 14 and 15 stay open, every currency adds up to zero, numbers have no hole (verify, at the
// end of each test, checks the same).
func TestAllPages(t *testing.T) {
	w, all := newWorld(t), stories()
	var numbers []string
	for _, id := range []string{"01", "07", "08", "13", "14", "15", "18", "20"} {
		s := all[id]
		w.releaseOrder(s.job)
		w.book(s.job)
		w.deliver(s.job)
		w.prove(s.job, s.short, s.damaged)
		numbers = append(numbers, w.issue(s.job).GetNumber())
		if s.billed != "" {
			_, err := w.bill(s.job, s.job.carrier+"-"+id, s.billed, s.header)
			w.must(err)
		}
	}
	want := []string{
		"NLS26-000001", "NLS26-000002", "NLS26-000003", "NLS26-000004", "NLS26-000005", "NLS26-000006", "NLB26-000001", "NLS26-000007",
	}
	if diff := cmp.Diff(want, numbers); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	resp, err := w.workflow.GetTrialBalance(w.ctx, &billingv1.GetTrialBalanceRequest{LegalEntity: "legalEntities/LE-US"})
	w.must(err)
	for _, b := range resp.GetBalances() {
		if b.GetAmount().GetCurrencyCode() != "USD" {
			t.Errorf("%s has a balance in %s", b.GetAccount(), b.GetAmount().GetCurrencyCode())
		}
		if got, want := text(b.GetAmount()), "-578.47"; b.GetAccount() == "2100" && got != want { // 397.82 of 14 and 180.65 of 15
			t.Errorf("accrued freight %s, want %s", got, want)
		}
	}
}

// Page 17: two orders on one load, each invoiced when it is delivered; the carrier bills the load once, and not before both are.
func TestTwoOrdersOneLoad(t *testing.T) {
	w := newWorld(t)
	pin, hh := stories()["13"].job, stories()["13"].job
	pin.n, pin.po, pin.customer, pin.terms, pin.lines, pin.shipTo = 170, "PC-1017", "CUS-PIN", "PREPAID", "100×96.00", "LOC-INDP"
	hh.n, hh.po, hh.lines = 171, "HH-1017", "225×189.00"
	hh.weight = &typev1.Quantity{Value: "9000", Unit: "LBR"}
	pin.charges, hh.charges = "LHS 771.85 FUE 204.63 SOC 75.00", "LHS 771.85 FUE 204.63 SOC 75.00"
	hh.on = pin.n
	w.releaseOrder(pin)
	w.releaseOrder(hh)
	both := func(state freightv1.Load_State) *freightv1.Load {
		l := pin.bookedFact().GetLoad()
		l.State, l.Shipments = state, []string{pin.shipment(), hh.shipment()}
		return l
	}
	booked := pin.bookedFact()
	booked.Load = both(freightv1.Load_BOOKED)
	booked.Shipments = append(booked.Shipments, hh.bookedFact().GetShipments()...)
	w.tell("freight", pin.load(), booked)
	w.deliver(pin)
	w.prove(pin, 0, 0)
	w.issue(pin)
	const billed, total = "LHS 771.85 FUE 204.63 SOC 75.00 DET 90.00", "1141.48"
	early, err := w.bill(pin, "EARLY", billed, total)
	w.must(err)
	if early.GetState() != billingv1.FreightBill_EXCEPTION {
		t.Errorf("a bill before the second delivery is %s, want EXCEPTION", early.GetState())
	}
	w.deliver(hh)
	w.prove(hh, 0, 0)
	done := both(freightv1.Load_COMPLETED)
	done.Charges.Charges = charges(billed, "USD")
	w.tell("freight", pin.load(), &freightv1.LoadCompleted{Load: done})
	w.issue(hh)
	b, err := w.bill(pin, "CXAA-17", billed, total)
	w.must(err)
	if b.GetState() != billingv1.FreightBill_APPROVED {
		t.Errorf("bill %s, want APPROVED: %v", b.GetState(), b.GetFindings())
	}
	want := map[string]string{
		"1100": "53446.60", "1150": "0.00", "2000": "-1141.48", "2100": "0.00", "4000": "-52125.00", "4100": "-1321.60", "5100": "1141.48",
	}
	if diff := cmp.Diff(want, w.balances()); diff != "" {
		t.Errorf("trial balance (-want +got):\n%s", diff)
	}
	for _, po := range []string{"po:PC-1017", "po:HH-1017"} { // accrual, detention, authorisation, invoice, bill
		if n := len(w.journal(po)); n != 5 {
			t.Errorf("%d entries lead to %s, want 5", n, po)
		}
	}
}

// Detention that is proven after booking is accrued and posted by itself (page 17: 1051.48, then 90.00).
func TestLateCharge(t *testing.T) {
	w, j := newWorld(t), stories()["13"].job
	j.charges = "LHS 771.85 FUE 204.63 SOC 75.00"
	w.releaseOrder(j)
	w.book(j)
	w.deliver(j)
	w.prove(j, 0, 0)
	done := j.bookedFact().GetLoad()
	done.State = freightv1.Load_COMPLETED
	done.Charges.Charges = charges("LHS 771.85 FUE 204.63 SOC 75.00 DET 90.00", "USD")
	w.tell("freight", j.load(), &freightv1.LoadCompleted{Load: done})
	w.tell("freight", j.load(), &freightv1.LoadCompleted{Load: done})
	want := "load booked: cost accrual\n  5100 1051.48 0.00\n  2100 0.00 1051.48\ndetention proven\n  5100 90.00 0.00\n  2100 0.00 90.00\n"
	if diff := cmp.Diff(want, posted(w.journal("load:"+j.number()))); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	b, err := w.bill(j, "CXAA-17", "LHS 771.85 FUE 204.63 SOC 75.00 DET 90.00", "1141.48")
	w.must(err)
	if b.GetState() != billingv1.FreightBill_APPROVED {
		t.Errorf("bill %s, want APPROVED: %v", b.GetState(), b.GetFindings())
	}
}

func date2(d interface {
	GetYear() int32
	GetMonth() int32
	GetDay() int32
}) string {
	return fmt.Sprintf("%04d-%02d-%02d", d.GetYear(), d.GetMonth(), d.GetDay())
}

func flat(e *typev1.Explanation) string {
	var b strings.Builder
	var walk func(e *typev1.Explanation, indent string)
	walk = func(e *typev1.Explanation, indent string) {
		fmt.Fprintf(&b, "%s%s: %s (%s) [%s]\n", indent, e.GetLabel(), e.GetValue(), e.GetRule(), e.GetSource())
		for _, c := range e.GetChildren() {
			walk(c, indent+"  ")
		}
	}
	walk(e, "")
	return b.String()
}
