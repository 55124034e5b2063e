package core

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	moneypb "google.golang.org/genproto/googleapis/type/money"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
)

// page is what the story's book-keeping, worked out by hand, says of one page.
type page struct {
	ID       string      `json:"id"`
	Currency string      `json:"currency"`
	Orders   []pageOrder `json:"orders"`
	Loads    []struct {
		Carrier    string
		Charges    map[string]string
		Allocation map[string]string
	} `json:"loads"`
	FreightBill *struct{ State, Amount, Currency string } `json:"freight_bill"`
	Ledger      []struct {
		Moment string
		Lines  []struct{ Account, Debit, Credit, Currency string }
	} `json:"ledger"`
	TrialBalance map[string]string `json:"trial_balance"`
}

type pageOrder struct {
	Order, Customer, Terms, Lane, Mode string
	ShipDate                           string     `json:"ship_date"`
	Lines                              []pageLine `json:"lines"`
	Invoice                            *struct{ State, Currency, Goods, Freight, VAT, Total string }
}

type pageLine struct{ Item, Price, Ordered, Released string }

// filler is a plain order between the pages.
type filler struct {
	Order, Customer, Lane, Mode, Carrier   string
	ShipDate                               string `json:"ship_date"`
	Charges                                map[string]string
	Goods, Freight, VAT, Invoice, Currency string
	TrialBalance                           map[string]string `json:"trial_balance"`
	Lines                                  []pageLine        `json:"lines"`
}

// sums are numbers and amounts by state and currency.
type sums map[string]map[string]struct {
	Count  int
	Amount string
}

// book is the whole of the story's book-keeping.
type book struct {
	Scenarios []page
	Fillers   []filler `json:"filler_orders"`
	Day       struct {
		Invoices     sums                         `json:"invoices"`
		FreightBills sums                         `json:"freight_bills"`
		Ledger       map[string]map[string]string `json:"ledger"`
	}
	Items map[string][2]string // gross weight of one unit
}

func readBook(t *testing.T) book {
	t.Helper()
	data, err := os.ReadFile("testdata/day.json")
	if err != nil {
		t.Fatal(err)
	}
	var b book
	if err := json.Unmarshal(data, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func pages(t *testing.T) map[string]page {
	t.Helper()
	out := map[string]page{}
	for _, p := range readBook(t).Scenarios {
		out[p.ID[:2]] = p
	}
	return out
}

// story is a page's input.
type story struct {
	jobs           []job // more than one share the load of the first
	short, damaged int
	proven         string // an accessorial of the last job's stop: "DET 90.00"
	withdrawn      string // what is owed for a load that is called off: "TON 200.00"
	billed, header string // the carrier's bill; empty when none comes
	twice          bool   // it comes again in a new envelope
}

// billed are the carriers' bills as the pages print them; a page without one here is billed what was rated.
var billed = map[string]story{
	"01": {billed: "LHS 830.54 DSC -498.32 FUE 93.02", header: "425.24"},
	"05": {withdrawn: "TON 200.00", billed: "TON 200.00", header: "200.00"},
	"06": {billed: "LHS 388.00 DSC -232.80 FUE 45.78 LFT 75.00", header: "275.98"},
	"07": {short: 3, damaged: 1, billed: "LHS 768.00 DSC -460.80 FUE 90.62", header: "397.82"},
	"08": {billed: "LHS 310.00 DSC -170.50 FUE 41.15", header: "180.65", twice: true},
	"13": {billed: "LHS 771.00 FUE 199.92", header: "970.92"},
	"14": {billed: "LHS 768.00 DSC -460.80 FUE 104.45", header: "411.65"},
	"15": {billed: "LHS 310.00 DSC -170.50 FUE 41.15", header: "190.65"},
	"17": {proven: "DET 90.00", billed: "LHS 771.85 FUE 204.63 SOC 75.00 DET 90.00", header: "1141.48"},
}

// stories makes the input of every page that has entries. What freight rated for a load stands in the page; that of 05, whose load is
// called off, is its arithmetic.
func stories(t *testing.T) map[string]story {
	t.Helper()
	b := readBook(t)
	out := map[string]story{}
	for _, p := range b.Scenarios {
		id := p.ID[:2]
		s := billed[id]
		rated := rated(p.Loads[0].Charges)
		if id == "05" {
			rated = "LHS 450.00 FUE 114.80"
		}
		n, err := strconv.Atoi(id)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range p.Orders {
			j := b.job(t, n+100*i, o, p.Loads[0].Carrier, rated, p.Currency)
			if i > 0 {
				j.on = n
			}
			if id == "01" {
				j.paymentTerms, j.weight = first().paymentTerms, first().weight
			}
			s.jobs = append(s.jobs, j)
		}
		if s.billed == "" && rated != "" {
			s.billed, s.header = rated, p.FreightBill.Amount
		}
		out[id] = s
	}
	return out
}

// rated lists charges that are known at booking in their order: "LHS 332.22 FUE 93.02".
func rated(charges map[string]string) string {
	var out []string
	for _, code := range []string{"LHS", "FUE", "SOC", "LFT"} {
		if a := charges[code]; a != "" {
			out = append(out, code, a)
		}
	}
	return strings.Join(out, " ")
}

func (b book) job(t *testing.T, n int, o pageOrder, carrier, rated, currency string) job {
	t.Helper()
	j := first()
	j.n, j.po, j.customer, j.mode, j.carrier, j.charges, j.currency, j.shipDate = n, o.Order, o.Customer, o.Mode, carrier, rated, currency, o.ShipDate
	j.terms = strings.ToUpper(strings.ReplaceAll(o.Terms, " ", "_"))
	j.entity = map[string]string{"USD": "LE-US", "EUR": "LE-NL"}[currency]
	j.shipTo = "LOC-" + strings.TrimPrefix(o.Lane, "LANE-")
	j.paymentTerms = ""
	total, unit := decimal.Zero, ""
	var lines []string
	for _, l := range o.Lines {
		q := either(l.Released, l.Ordered)
		lines = append(lines, q+"×"+l.Price)
		w, ok := b.Items[l.Item]
		if !ok {
			t.Fatalf("%s: no weight of %s", o.Order, l.Item)
		}
		total, unit = total.Add(decimal.MustParse(w[0]).Mul(decimal.MustParse(q))), w[1]
	}
	j.lines, j.weight = strings.Join(lines, " "), &typev1.Quantity{Value: total.String(), Unit: unit}
	return j
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// plain are the orders between the pages, each billed as it was rated.
func plain(t *testing.T) map[string]story {
	t.Helper()
	b := readBook(t)
	terms := map[string]string{"CUS-PIN": "prepaid"}
	out := map[string]story{}
	for i, f := range b.Fillers {
		j := b.job(t, 500+i, pageOrder{
			Order: f.Order, Customer: f.Customer, Terms: either(terms[f.Customer], "prepaid and add"), Lane: f.Lane, Mode: f.Mode,
			ShipDate: f.ShipDate, Lines: f.Lines,
		}, f.Carrier, rated(f.Charges), f.Currency)
		total := money.MustParse("0", f.Currency)
		for _, c := range charges(j.charges, f.Currency) {
			a, err := money.FromUnitsNanos(c.GetAmount().GetUnits(), c.GetAmount().GetNanos(), f.Currency)
			if err == nil {
				total, err = total.Add(a)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		out[f.Order] = story{jobs: []job{j}, billed: j.charges, header: total.String()}
	}
	return out
}

// play brings a story to its end and returns the invoices and the bill.
func (w *world) play(s story) ([]*billingv1.Invoice, *billingv1.FreightBill) {
	w.t.Helper()
	j := s.jobs[0]
	for _, j := range s.jobs {
		w.releaseOrder(j)
	}
	w.book(j, s.jobs[1:]...)
	if s.withdrawn != "" {
		w.tell("freight", j.load(), j.cancelled(s.withdrawn))
	}
	var invoices []*billingv1.Invoice
	for i, j := range s.jobs {
		if s.withdrawn != "" {
			break
		}
		w.deliver(j)
		if i == len(s.jobs)-1 && s.proven != "" {
			w.tell("freight", j.load(), j.accessorial(j.charges, s.proven))
		}
		w.prove(j, s.short, s.damaged)
		invoices = append(invoices, w.issue(j))
	}
	if s.billed == "" {
		return invoices, nil
	}
	b, err := w.bill(j, fmt.Sprintf("%s-%d", j.carrier, j.n), s.billed, s.header)
	w.must(err)
	if s.twice {
		w.clock.Advance(1)
		again, err := w.bill(j, fmt.Sprintf("%s-%d", j.carrier, j.n), s.billed, s.header)
		w.must(err)
		if again.GetState() != billingv1.FreightBill_DUPLICATE {
			w.t.Errorf("the bill again is %s, want DUPLICATE", again.GetState())
		}
	}
	return invoices, b
}

// posted prints entries like the pages do. The page of a load with several orders writes the order before what is the same moment
// everywhere else: "PC-1017 authorised" is "billing authorised" of PC-1017.
func posted(entries []*billingv1.JournalEntry, orders ...string) string {
	var b strings.Builder
	for _, e := range entries {
		moment := e.GetMoment()
		for _, po := range orders {
			if len(orders) > 1 && slices.Contains(e.GetRelated(), "po:"+po) {
				switch moment {
				case "billing authorised":
					moment = po + " authorised"
				case "invoice issued":
					moment = po + " invoice issued"
				}
			}
		}
		fmt.Fprintln(&b, moment)
		for _, l := range e.GetLines() {
			fmt.Fprintf(&b, "  %s %s %s\n", l.GetAccount(), text(l.GetDebit()), text(l.GetCredit()))
		}
	}
	return b.String()
}

func (p page) posted() string {
	var b strings.Builder
	for _, e := range p.Ledger {
		fmt.Fprintln(&b, e.Moment)
		for _, l := range e.Lines {
			fmt.Fprintf(&b, "  %s %s %s\n", l.Account, l.Debit, l.Credit)
		}
	}
	return b.String()
}

// Each page alone: invoices, bill, every ledger line with its moment, and the trial balance are those of the story's book-keeping.
func TestPages(t *testing.T) {
	expected := pages(t)
	for id, s := range stories(t) {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			w, want := newWorld(t), expected[id]
			invoices, bill := w.play(s)
			var orders []string
			for n, o := range want.Orders {
				orders = append(orders, o.Order)
				if o.Invoice == nil {
					if len(invoices) > 0 {
						t.Errorf("%d invoices, want none", len(invoices))
					}
					continue
				}
				i, v := invoices[n], o.Invoice
				got := [6]string{
					i.GetState().String(), i.GetTotal().GetCurrencyCode(), text(i.GetGoodsTotal()), text(i.GetFreightTotal()), text(i.GetTaxTotal()),
					text(i.GetTotal()),
				}
				if want := [6]string{v.State, v.Currency, v.Goods, v.Freight, v.VAT, v.Total}; got != want {
					t.Errorf("invoice %v, want %v", got, want)
				}
			}
			if v := want.FreightBill; v != nil {
				if got, want := bill.GetState().String()+" "+text(bill.GetTotal())+" "+bill.GetTotal().GetCurrencyCode(), v.State+" "+v.Amount+" "+v.Currency; got != want {
					t.Errorf("freight bill %s, want %s; findings %v", got, want, bill.GetFindings())
				}
			}
			if diff := cmp.Diff(want.posted(), posted(w.journal(""), orders...)); diff != "" {
				t.Errorf("ledger (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.TrialBalance, w.balances(want.Currency)); diff != "" {
				t.Errorf("trial balance (-want +got):\n%s", diff)
			}
			if got, want := len(w.journal("load:"+s.jobs[0].number())), len(want.Ledger); got != want {
				t.Errorf("%d entries lead to the load's number, want %d", got, want)
			}
			if a := want.Loads[0].Allocation; a != nil {
				if diff := cmp.Diff(a, w.allocation(s.jobs[0])); diff != "" {
					t.Errorf("allocation (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// allocation is each order's part of a load's cost.
func (w *world) allocation(j job) map[string]string {
	w.t.Helper()
	resp, err := w.workflow.ListAccruals(w.ctx, &billingv1.ListAccrualsRequest{Load: j.load()})
	w.must(err)
	sums := map[string]money.Amount{}
	for _, a := range resp.GetAccruals() {
		if a.GetState() == billingv1.Accrual_REVERSED {
			continue
		}
		for _, s := range a.GetShares() {
			part := money.MustParse(text(s.GetAmount()), j.currency)
			if sum, ok := sums[s.GetCustomerOrderNumber()]; ok {
				part, err = part.Add(sum)
				w.must(err)
			}
			sums[s.GetCustomerOrderNumber()] = part
		}
	}
	out := map[string]string{}
	for po, sum := range sums {
		out[po] = sum.String()
	}
	return out
}

// The whole day in one book, in the order of the pages and then the plain orders: the accounts of both currencies, the documents by
// state, numbers without a hole in both legal entities; and every entry leads to its order and load.
func TestWholeDay(t *testing.T) {
	w, want := newWorld(t), readBook(t)
	all := stories(t)
	maps.Copy(all, plain(t))
	numbers := map[string]int{}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		invoices, _ := w.play(all[id])
		for _, i := range invoices {
			series, _, _ := strings.Cut(i.GetNumber(), "-")
			numbers[series]++
			if got, want := i.GetNumber(), fmt.Sprintf("%s-%06d", series, numbers[series]); got != want {
				t.Errorf("%s: invoice %s, want %s", id, got, want)
			}
		}
	}
	if numbers["NLS26"] != 32 || numbers["NLB26"] != 10 {
		t.Errorf("invoices by series %v, want 32 of NLS26 and 10 of NLB26", numbers)
	}
	for currency, accounts := range want.Day.Ledger {
		if diff := cmp.Diff(accounts, w.balances(currency)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", currency, diff)
		}
	}
	if diff := cmp.Diff(want.Day.FreightBills.total(), w.billSums()); diff != "" {
		t.Errorf("freight bills (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Day.Invoices.total(), w.invoiceSums()); diff != "" {
		t.Errorf("invoices (-want +got):\n%s", diff)
	}
	for _, e := range w.journal("") {
		var po, load bool
		for _, r := range e.GetRelated() {
			po = po || strings.HasPrefix(r, "po:")
			load = load || strings.HasPrefix(r, "load:")
		}
		if !po || !load {
			t.Errorf("%s %q leads to %v, want an order's number and a load's", e.GetName(), e.GetMoment(), e.GetRelated())
		}
	}
}

// total prints what there is of a state and a currency: "APPROVED USD" → "29 15130.02".
func (s sums) total() map[string]string {
	out := map[string]string{}
	for state, by := range s {
		for currency, x := range by {
			out[state+" "+currency] = fmt.Sprintf("%d %s", x.Count, x.Amount)
		}
	}
	return out
}

type counted struct {
	count int
	sum   money.Amount
}

type tally map[string]counted

func (y tally) add(t *testing.T, state string, m *moneypb.Money) {
	t.Helper()
	key, a := state+" "+m.GetCurrencyCode(), money.MustParse(text(m), m.GetCurrencyCode())
	if y[key].count > 0 {
		var err error
		if a, err = a.Add(y[key].sum); err != nil {
			t.Fatal(err)
		}
	}
	y[key] = counted{y[key].count + 1, a}
}

func (y tally) print() map[string]string {
	out := map[string]string{}
	for key, c := range y {
		out[key] = fmt.Sprintf("%d %s", c.count, c.sum)
	}
	return out
}

// billSums sums all bills, page by page of the list.
func (w *world) billSums() map[string]string {
	w.t.Helper()
	y, token := tally{}, ""
	for {
		resp, err := w.workflow.ListFreightBills(w.ctx, &billingv1.ListFreightBillsRequest{PageSize: 10, PageToken: token})
		w.must(err)
		for _, b := range resp.GetFreightBills() {
			y.add(w.t, b.GetState().String(), b.GetTotal())
		}
		if token = resp.GetNextPageToken(); token == "" {
			return y.print()
		}
	}
}

// invoiceSums sums all invoices, page by page of the list.
func (w *world) invoiceSums() map[string]string {
	w.t.Helper()
	y, token := tally{}, ""
	for {
		resp, err := w.workflow.ListInvoices(w.ctx, &billingv1.ListInvoicesRequest{PageSize: 10, PageToken: token})
		w.must(err)
		for _, i := range resp.GetInvoices() {
			y.add(w.t, i.GetState().String(), i.GetTotal())
		}
		if token = resp.GetNextPageToken(); token == "" {
			return y.print()
		}
	}
}

func hhs(n int, po, lines, pounds string) job {
	j := first()
	j.n, j.po, j.customer, j.shipTo, j.lines, j.paymentTerms = n, po, "CUS-HHS", "LOC-DETH", lines, ""
	j.weight = &typev1.Quantity{Value: pounds, Unit: "LBR"}
	j.shipDate = "2026-03-05"
	return j
}

// What the pages 18 and 19 print: the tax in words, the tax numbers of both sides, and the rate; the day of issue is the one in the books
// of the legal entity, and a preview prints the same.
func TestPrintedTax(t *testing.T) {
	for id, want := range map[string][5]string{
		"01": {"taxRules/US_RESALE_EXEMPT", "", "EIN 00-0000000 (fictional)", "", "0.00"},
		"18": {"taxRules/NL_DOMESTIC_21", "BTW 21%", "NL000000000B00 (fictional)", "NL000000001B00 (fictional)", "889.35"},
		"19": {"taxRules/EU_INTRA_COMMUNITY_0", "VAT reverse charge: intra-Community supply, Article 138 Directive 2006/112/EC",
			"NL000000000B00 (fictional)", "DE000000001 (fictional)", "0.00"},
	} {
		w := newWorld(t)
		invoices, _ := w.play(stories(t)[id])
		i := invoices[0]
		preview, err := w.workflow.PreviewInvoice(w.ctx, &billingv1.PreviewInvoiceRequest{BillingAuthorization: i.GetBillingAuthorization()})
		w.must(err)
		w.reopen()
		read, err := w.workflow.GetInvoice(w.ctx, &billingv1.GetInvoiceRequest{Name: i.GetName()})
		w.must(err)
		for which, i := range map[string]*billingv1.Invoice{"issued": i, "read": read, "preview": preview} {
			if got := [5]string{i.GetTaxRule(), i.GetTaxNote(), i.GetSellerTaxId(), i.GetCustomerVatId(), text(i.GetTaxTotal())}; got != want {
				t.Errorf("%s %s: %q, want %q", id, which, got, want)
			}
		}
	}
}

// Page 06: the liftgate of the place of delivery is charged on, and customer fuel is not taken on it.
func TestLiftgateChargedOn(t *testing.T) {
	w := newWorld(t)
	invoices, b := w.play(stories(t)["06"])
	var freight []string
	for _, f := range invoices[0].GetFreight() {
		freight = append(freight, f.GetCharge().GetCode()+" "+text(f.GetCharge().GetAmount())+" "+f.GetCharge().GetDescription())
	}
	if diff := cmp.Diff([]string{"LHS 209.00 Freight 9.5 cwt at 22.00", "FUE 25.08 Fuel 12 % of line-haul", "LFT 85.00 Liftgate"}, freight); diff != "" {
		t.Errorf("freight (-want +got):\n%s", diff)
	}
	authorised := slices.ContainsFunc(b.GetFindings(), func(f *billingv1.FreightBill_Finding) bool {
		return f.GetRule() == "A6" && f.GetSubject() == "LFT" && f.GetPassed() && f.GetDetail() == "authorised by booking"
	})
	if !authorised {
		t.Errorf("findings %v, want the liftgate authorised by the booking", b.GetFindings())
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

// Page 17: the carrier bills a load of two orders once, and not before both are delivered.
func TestTwoOrdersOneLoad(t *testing.T) {
	w, s := newWorld(t), stories(t)["17"]
	pin, hh := s.jobs[0], s.jobs[1]
	w.releaseOrder(pin)
	w.releaseOrder(hh)
	w.book(pin, hh)
	w.deliver(pin)
	w.prove(pin, 0, 0)
	w.issue(pin)
	early, err := w.bill(pin, "EARLY", s.billed, s.header)
	w.must(err)
	if early.GetState() != billingv1.FreightBill_EXCEPTION {
		t.Errorf("a bill before the second delivery is %s, want EXCEPTION", early.GetState())
	}
	w.deliver(hh)
	w.tell("freight", hh.load(), hh.accessorial(hh.charges, s.proven))
	w.prove(hh, 0, 0)
	done := pin.bookedFact().GetLoad()
	done.State, done.Shipments, done.Charges.Charges = freightv1.Load_COMPLETED, nil, charges(s.billed, "USD")
	w.tell("freight", pin.load(), &freightv1.LoadCompleted{Load: done}) // says again what is owed in all
	w.issue(hh)
	b, err := w.bill(pin, "CXAA-17", s.billed, s.header)
	w.must(err)
	if b.GetState() != billingv1.FreightBill_APPROVED {
		t.Errorf("bill %s, want APPROVED: %v", b.GetState(), b.GetFindings())
	}
	if diff := cmp.Diff(pages(t)["17"].TrialBalance, w.balances("USD")); diff != "" {
		t.Errorf("trial balance (-want +got):\n%s", diff)
	}
	for _, po := range []string{"po:PC-1017", "po:HH-1017"} { // accrual, detention, authorisation, invoice, bill
		if n := len(w.journal(po)); n != 5 {
			t.Errorf("%d entries lead to %s, want 5", n, po)
		}
	}
}

// Detention (page 17: 1051.48, then 90.00) that is proven, told again, corrected and corrected back: each time the difference is posted,
// and the bill is judged by the last word.
func TestDetention(t *testing.T) {
	w, s := newWorld(t), stories(t)["17"]
	pin, hh := s.jobs[0], s.jobs[1]
	w.releaseOrder(pin)
	w.releaseOrder(hh)
	w.book(pin, hh)
	for _, charge := range []string{"DET 90.00", "DET 90.00", "DET 120.00", "DET 60.00", "DET 0.00", "DET 90.00"} {
		w.tell("freight", hh.load(), hh.accessorial(hh.charges, charge))
		w.reopen()
	}
	up := func(amount string) string {
		return "detention proven\n  5100 " + amount + " 0.00\n  2100 0.00 " + amount + "\n"
	}
	down := func(amount string) string {
		return "detention proven\n  2100 " + amount + " 0.00\n  5100 0.00 " + amount + "\n"
	}
	want := "load booked: cost accrual\n  5100 1051.48 0.00\n  2100 0.00 1051.48\n" + up("90.00") + up("30.00") + down("60.00") + down("60.00") + up("90.00")
	if diff := cmp.Diff(want, posted(w.journal("load:"+pin.number()))); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(pages(t)["17"].Loads[0].Allocation, w.allocation(pin)); diff != "" {
		t.Errorf("allocation (-want +got):\n%s", diff)
	}
	for _, j := range s.jobs {
		w.deliver(j)
		w.prove(j, 0, 0)
	}
	b, err := w.bill(pin, "CXAA-17", s.billed, s.header)
	w.must(err)
	if b.GetState() != billingv1.FreightBill_APPROVED {
		t.Errorf("bill %s, want APPROVED: %v", b.GetState(), b.GetFindings())
	}
	for _, f := range b.GetFindings() {
		if f.GetRule() == "A6" && f.GetSubject() == "DET" && !strings.Contains(f.GetDetail(), "arrived 09:05, departed 12:10") {
			t.Errorf("detention is %q, want it authorised by the claims", f.GetDetail())
		}
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
