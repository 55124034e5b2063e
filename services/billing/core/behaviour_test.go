package core

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/store"
)

// unmet are the conditions that a refusal names.
func unmet(t *testing.T, err error) string {
	t.Helper()
	e := rpcerr.From(err)
	if e == nil || e.Code != codes.FailedPrecondition || e.Reason != "NOT_BILLABLE" {
		t.Fatalf("error %v, want FAILED_PRECONDITION with reason NOT_BILLABLE", err)
	}
	for _, c := range strings.Split(e.Metadata["unmet"], ",") {
		if e.Metadata[c] == "" {
			t.Errorf("no evidence for %s in %v", c, e.Metadata)
		}
	}
	return e.Metadata["unmet"]
}

func TestAuthorizeStepByStep(t *testing.T) {
	w, j := newWorld(t), first()
	if _, err := w.authorize(j); status.Code(err) != codes.NotFound {
		t.Errorf("unknown shipment: %v, want NOT_FOUND", err)
	}
	w.releaseOrder(j)
	w.tell("freight", j.shipment(), &freightv1.ShipmentPlanned{Shipment: j.shipmentMessage(), Load: j.loadMessage()})
	check := func(when, want string) {
		t.Helper()
		_, err := w.authorize(j)
		if got := unmet(t, err); got != want {
			t.Errorf("%s: unmet %s, want %s", when, got, want)
		}
	}
	check("planned", "delivered,proof_of_delivery,charges_complete,quantities_accepted")
	w.tell("freight", j.load(), j.bookedFact())
	check("booked", "delivered,proof_of_delivery,quantities_accepted")
	w.prove(j, 0, 0) // the proof comes before the carrier says delivered
	check("proof first", "delivered")
	w.deliver(j)
	w.tell("orders", j.order(), &ordersv1.OrderHeld{Order: j.order(), Hold: &ordersv1.Hold{Kind: ordersv1.Hold_QUALITY, Reason: "recall"}})
	w.tell("orders", j.order(), &ordersv1.OrderHeld{Order: j.order(), Hold: &ordersv1.Hold{Kind: ordersv1.Hold_CREDIT, Reason: "limit"}})
	check("held twice", "no_blocking_hold")
	w.tell("orders", j.order(), &ordersv1.OrderHoldReleased{Order: j.order(), Hold: &ordersv1.Hold{Kind: ordersv1.Hold_CREDIT}})
	check("one hold left", "no_blocking_hold")
	w.tell("orders", j.order(), &ordersv1.OrderHoldReleased{Order: j.order(), Hold: &ordersv1.Hold{Kind: ordersv1.Hold_QUALITY}})
	if n := len(w.journal("")); n != 1 {
		t.Errorf("%d entries before the authorisation, want the accrual alone", n)
	}
	a, err := w.authorize(j)
	w.must(err)
	if len(a.GetConjuncts()) != 6 || text(a.GetNetTotal()) != "13558.47" {
		t.Errorf("%d conditions and %s, want 6 and 13558.47", len(a.GetConjuncts()), text(a.GetNetTotal()))
	}
	for _, c := range a.GetConjuncts() {
		if !c.GetMet() || c.GetEvidence() == "" {
			t.Errorf("condition %v is not met or has no evidence", c)
		}
	}
	again, err := w.workflow.AuthorizeBilling(w.ctx, &billingv1.AuthorizeBillingRequest{Shipment: j.shipment(), OrderRelease: j.release(), RequestId: "another"})
	w.must(err)
	if !proto.Equal(a, again) || len(w.journal("")) != 2 {
		t.Errorf("authorised again: %v with %d entries, want the same and 2", again, len(w.journal("")))
	}
	got, err := w.workflow.GetBillingAuthorization(w.ctx, &billingv1.GetBillingAuthorizationRequest{Name: a.GetName()})
	w.must(err)
	if !proto.Equal(a, got) {
		t.Errorf("read back %v, want %v", got, a)
	}
	_, err = w.workflow.AuthorizeBilling(w.ctx, &billingv1.AuthorizeBillingRequest{
		Shipment: j.shipment(), OrderRelease: "orders/ord_2/releases/1", RequestId: "other release",
	})
	if status.Code(err) != codes.NotFound {
		t.Errorf("the release of another order: %v, want NOT_FOUND", err)
	}
}

// What the preview shows is what the bill has, and a preview leaves nothing behind.
func TestPreviewIsTheBill(t *testing.T) {
	w, j := newWorld(t), stories(t)["18"].jobs[0]
	w.releaseOrder(j)
	w.book(j)
	w.deliver(j)
	w.prove(j, 0, 0)
	a, err := w.authorize(j)
	w.must(err)
	before := w.core.Store().Last()
	preview, err := w.workflow.PreviewInvoice(w.ctx, &billingv1.PreviewInvoiceRequest{BillingAuthorization: a.GetName()})
	w.must(err)
	if w.core.Store().Last() != before {
		t.Error("the preview wrote")
	}
	if preview.GetState() != billingv1.Invoice_DRAFT || preview.GetNumber() != "" || preview.GetIssueDate() != nil {
		t.Errorf("preview is %s with number %q and date %v, want a draft without", preview.GetState(), preview.GetNumber(), preview.GetIssueDate())
	}
	issued := w.issue(j)
	if issued.GetTaxNote() != "BTW 21%" || text(issued.GetTaxTotal()) != "889.35" {
		t.Errorf("tax %s, note %q, want 889.35 and BTW 21%%", text(issued.GetTaxTotal()), issued.GetTaxNote())
	}
	same := proto.CloneOf(issued)
	same.Name, same.Number, same.State, same.IssueDate, same.DueDate, same.IssueTime, same.Etag = "", "", billingv1.Invoice_DRAFT, nil, nil, nil, ""
	if !proto.Equal(preview, same) {
		t.Errorf("preview\n%v\nbill\n%v", preview, same)
	}
}

// Calls at once, repeats with the same and with other request ids: one invoice, one number, one posting.
func TestIssueOnce(t *testing.T) {
	w, j := newWorld(t), first()
	w.releaseOrder(j)
	w.book(j)
	w.deliver(j)
	w.prove(j, 0, 0)
	a, err := w.authorize(j)
	w.must(err)
	var wg sync.WaitGroup
	names := make([]string, 8)
	for n := range names {
		wg.Go(func() {
			i, err := w.workflow.IssueInvoice(w.ctx, &billingv1.IssueInvoiceRequest{
				BillingAuthorization: a.GetName(), RequestId: fmt.Sprintf("issue-%d", n%4),
			})
			if err != nil {
				t.Error(err)
				return
			}
			names[n] = i.GetName() + " " + i.GetNumber()
		})
	}
	wg.Wait()
	if got := slices.Compact(slices.Clone(names)); len(got) != 1 || !strings.HasSuffix(got[0], " NLS26-000001") {
		t.Errorf("issued %q, want one invoice with NLS26-000001", got)
	}
	if got := len(w.journal("invoice:NLS26-000001")); got != 1 {
		t.Errorf("%d entries for the invoice, want 1", got)
	}
	_, err = w.workflow.IssueInvoice(w.ctx, &billingv1.IssueInvoiceRequest{BillingAuthorization: "billingAuthorizations/aut_none", RequestId: "issue-0"})
	if e := rpcerr.From(err); e == nil || e.Reason != rpcerr.ReasonRequestIDReused {
		t.Errorf("request id with another authorisation: %v, want REQUEST_ID_REUSED", err)
	}
	var told []string
	for _, f := range w.facts() {
		told = append(told, f.Type)
	}
	want := []string{
		"ChargeAccrued", "ChargeAccrued", "JournalEntryPosted", "BillingAuthorized", "JournalEntryPosted", "InvoiceApproved", "InvoiceIssued",
		"JournalEntryPosted",
	}
	if !slices.Equal(told, want) {
		t.Errorf("facts %q, want %q", told, want)
	}
	for _, f := range w.facts() {
		if !slices.Contains(f.Related, j.order()) || !slices.Contains(f.Related, "po:"+j.po) {
			t.Errorf("%s of %s is related to %q, which does not lead to the order", f.Type, f.Subject, f.Related)
		}
	}
}

// facts are all that billing told.
func (w *world) facts() []*eventlogv1.Fact {
	w.t.Helper()
	entries, _, err := eventlog.Local(w.core.Store()).Read(w.ctx, store.Position{}, 1000)
	w.must(err)
	var out []*eventlogv1.Fact
	for _, e := range entries {
		var h eventlogv1.Head
		w.must(proto.Unmarshal(e.Head, &h))
		out = append(out, h.GetFacts()...)
	}
	return out
}

func TestIssueNeedsMasterData(t *testing.T) {
	w, j := newWorld(t), first()
	j.customer = "CUS-NEW"
	w.releaseOrder(j)
	w.book(j)
	w.deliver(j)
	w.prove(j, 0, 0)
	_, err := w.authorize(j)
	if e := rpcerr.From(err); e == nil || e.Reason != "MASTER_DATA_MISSING" || e.Metadata["missing"] != "contracts/CUS-NEW-1" {
		t.Errorf("no contract: %v, want MASTER_DATA_MISSING of contracts/CUS-NEW-1", err)
	}
	w.tell("masterdata", "contracts/CUS-NEW-1", &masterdatav1.ContractApproved{Contract: &masterdatav1.Contract{
		Name: "contracts/CUS-NEW-1", Party: "parties/CUS-NEW", Version: 1, EffectiveFrom: day("2026-01-01"), CurrencyCode: "USD",
		State: masterdatav1.Contract_APPROVED, Terms: &masterdatav1.Contract_CustomerTerms{CustomerTerms: &masterdatav1.CustomerTerms{
			FreightTerms: masterdatav1.CustomerTerms_PREPAID_AND_ADD,
		}},
	}})
	_, err = w.authorize(j)
	if got := unmet(t, err); got != "charges_complete" { // the contract has no freight price
		t.Errorf("unmet %s, want charges_complete", got)
	}
}

// A bill that came before has no effect, another total under the number waits for a person, and a second number for a load that is
// paid is not paid again.
func TestBillTwice(t *testing.T) {
	w, j := newWorld(t), first()
	w.invoiced(j)
	const charges, total = "LHS 830.54 DSC -498.32 FUE 93.02", "425.24"
	one, err := w.bill(j, "CXBB-1001", charges, total)
	w.must(err)
	w.clock.Advance(1)
	for _, c := range []struct{ number, charges, total, state, rule string }{
		{"CXBB-1001", charges, total, "DUPLICATE", "D1"},
		{"CXBB-1001", "LHS 332.22 FUE 93.00", "425.22", "EXCEPTION", "D1"},
		{"CXBB-1002", charges, total, "EXCEPTION", "A2"},
	} {
		b, err := w.bill(j, c.number, c.charges, c.total)
		w.must(err)
		w.clock.Advance(1)
		if b.GetState().String() != c.state || b.GetName() == one.GetName() {
			t.Errorf("%s %s: %s, want another bill in state %s", c.number, c.total, b.GetState(), c.state)
		}
		failed := slices.IndexFunc(b.GetFindings(), func(f *billingv1.FreightBill_Finding) bool { return !f.GetPassed() })
		if failed < 0 || b.GetFindings()[failed].GetRule() != c.rule || b.GetFindings()[failed].GetOwner() != "finance" {
			t.Errorf("%s %s: findings %v, want %s of finance not to pass", c.number, c.total, b.GetFindings(), c.rule)
		}
	}
	if got := w.balances("USD")["2000"]; got != "-425.24" {
		t.Errorf("accounts payable %s, want -425.24", got)
	}
	list, err := w.workflow.ListFreightBills(w.ctx, &billingv1.ListFreightBillsRequest{LoadNumber: j.number()})
	w.must(err)
	var states []string
	for _, b := range list.GetFreightBills() {
		states = append(states, b.GetState().String())
	}
	if want := []string{"EXCEPTION", "EXCEPTION", "DUPLICATE", "APPROVED"}; !slices.Equal(states, want) {
		t.Errorf("newest first %q, want %q", states, want)
	}
}

// Page 15: a header that is not the sum rejects the bill before anything else, and does not use up its number.
func TestRejectedNumberStaysFree(t *testing.T) {
	w, s := newWorld(t), stories(t)["15"]
	w.invoiced(s.jobs[0])
	b, err := w.bill(s.jobs[0], "CXEE-9015", s.billed, s.header)
	w.must(err)
	if len(b.GetFindings()) != 1 || b.GetFindings()[0].GetRule() != "A0" || b.GetState() != billingv1.FreightBill_REJECTED {
		t.Errorf("%s with %v, want REJECTED for A0 alone", b.GetState(), b.GetFindings())
	}
	w.clock.Advance(1)
	b, err = w.bill(s.jobs[0], "CXEE-9015", s.billed, "180.65")
	w.must(err)
	if b.GetState() != billingv1.FreightBill_APPROVED {
		t.Errorf("the corrected bill is %s, want APPROVED: %v", b.GetState(), b.GetFindings())
	}
}

func TestBillsThatWait(t *testing.T) {
	w, j := newWorld(t), first()
	w.releaseOrder(j)
	w.book(j)
	bill := func(j job, number, charges, total, want string) {
		t.Helper()
		b, err := w.bill(j, number, charges, total)
		w.must(err)
		w.clock.Advance(1)
		if got := verdict(b); got != want {
			t.Errorf("%s: %s, want %s; findings %v", number, got, want, b.GetFindings())
		}
	}
	bill(j, "EARLY-AND-WRONG", "LHS 352.22 FUE 93.02", "445.24", "EXCEPTION: A2 operations, A3 operations, A4 finance, A5 finance")
	w.deliver(j)
	w.prove(j, 0, 0)
	other := j
	other.carrier = "CXEE"
	bill(other, "NOT-MINE", "LHS 332.22 FUE 93.02", "425.24", "EXCEPTION: MATCH finance")
	unknown := j
	unknown.n = 99
	bill(unknown, "NO-LOAD", "LHS 332.22", "332.22", "EXCEPTION: MATCH finance")
	bill(j, "NETS-OUT", "LHS 342.22 FUE 83.02", "425.24", "EXCEPTION: A4 finance")
	bill(j, "EXTRA", "LHS 332.22 FUE 93.02 LFT 75.00", "500.24", "EXCEPTION: A6 finance, A5 finance")
	if got := len(w.journal("")); got != 1 {
		t.Errorf("%d entries, want the accrual alone", got)
	}
	bill(j, "GOOD", "LHS 332.22 FUE 93.02", "425.24", "APPROVED: ")
}

// Bills that come before the delivery or its proof are held. When both are there they are audited anew, in the order of their arrival:
// the first is paid, the second is one too many and becomes finance's, one that is disputed stays with the person who did.
func TestHeldBills(t *testing.T) {
	w, j := newWorld(t), first()
	w.releaseOrder(j)
	w.book(j)
	submit := func(number, want string) *billingv1.FreightBill {
		t.Helper()
		b, err := w.bill(j, number, "LHS 332.22 FUE 93.02", "425.24")
		w.must(err)
		w.clock.Advance(1)
		if got := verdict(b); got != want {
			t.Errorf("%s: %s, want %s", number, got, want)
		}
		return b
	}
	disputed := submit("DISPUTED", "EXCEPTION: A2 operations, A3 operations")
	_, err := w.decide(w.person, "dispute", disputed.GetName(), "d")
	w.must(err)
	one := submit("ONE", "EXCEPTION: A2 operations, A3 operations")
	w.deliver(j)
	two := submit("TWO", "EXCEPTION: A3 operations")
	if got := w.balances("USD")["2000"]; got != "" {
		t.Errorf("%s is owed before there is a proof", got)
	}
	w.reopen()
	told := len(w.facts())
	w.prove(j, 0, 0)
	now := func(b *billingv1.FreightBill, want string) {
		t.Helper()
		b, err := w.edi.GetFreightBill(w.ctx, &billingv1.GetFreightBillRequest{Name: b.GetName()})
		w.must(err)
		if got := verdict(b); got != want {
			t.Errorf("%s with the proof: %s, want %s", b.GetInvoiceNumber(), got, want)
		}
	}
	check := func() {
		t.Helper()
		now(disputed, "DISPUTED: A2 operations, A3 operations")
		now(one, "APPROVED: ")
		now(two, "EXCEPTION: A2 finance, A6 finance, A6 finance, A5 finance")
		if got := w.balances("USD"); got["2000"] != "-425.24" || got["2100"] != "0.00" {
			t.Errorf("2000 %s, 2100 %s; want -425.24 and 0.00", got["2000"], got["2100"])
		}
	}
	check()
	var types []string
	for _, f := range w.facts()[told:] {
		types = append(types, f.Type)
		if !slices.Contains(f.Related, j.order()) {
			t.Errorf("%s leads to %q and not to the order", f.Type, f.Related)
		}
	}
	if want := []string{"FreightBillApproved", "JournalEntryPosted", "FreightBillExcepted"}; !slices.Equal(types, want) {
		t.Errorf("facts %q, want %q", types, want)
	}
	w.prove(j, 0, 0)
	w.deliver(j)
	check()
}

// Collect: the customer pays the carrier, so nothing is accrued and a bill for it is not ours.
func TestCollect(t *testing.T) {
	w, j := newWorld(t), stories(t)["20"].jobs[0]
	i := w.invoiced(j)
	if text(i.GetTotal()) != "2554.38" || len(i.GetFreight()) != 0 {
		t.Errorf("invoice %s with %d freight lines, want 2554.38 and none", text(i.GetTotal()), len(i.GetFreight()))
	}
	acc, err := w.workflow.ListAccruals(w.ctx, &billingv1.ListAccrualsRequest{})
	w.must(err)
	if len(acc.GetAccruals()) != 0 {
		t.Errorf("%d accruals, want none", len(acc.GetAccruals()))
	}
	b, err := w.bill(j, "CXBB-20", "LHS 300.00", "300.00")
	w.must(err)
	if b.GetState() != billingv1.FreightBill_EXCEPTION {
		t.Errorf("a bill for a collect load is %s, want EXCEPTION", b.GetState())
	}
}

// The same facts again, by a feed that repeats itself in new entries, change nothing.
func TestFactsAgain(t *testing.T) {
	w, j := newWorld(t), first()
	w.invoiced(j)
	entries := len(w.journal(""))
	w.releaseOrder(j)
	w.book(j)
	w.deliver(j)
	w.prove(j, 5, 0) // too late: the authorisation stands
	if got := len(w.journal("")); got != entries {
		t.Errorf("%d entries after the repeat, want %d", got, entries)
	}
	i := w.issue(j)
	if i.GetNumber() != "NLS26-000001" || text(i.GetTotal()) != "13558.47" {
		t.Errorf("invoice %s over %s, want NLS26-000001 over 13558.47", i.GetNumber(), text(i.GetTotal()))
	}
}

// A stop and a start at every step change no figure.
func TestRestart(t *testing.T) {
	w, j := newWorld(t), first()
	for _, step := range []func(){
		func() { w.releaseOrder(j) }, func() { w.book(j) }, func() { w.deliver(j) }, func() { w.prove(j, 0, 0) },
		func() { _, err := w.authorize(j); w.must(err) }, func() { w.issue(j) }, func() { w.issue(j) },
		func() {
			b, err := w.bill(j, "CXBB-1001", "LHS 830.54 DSC -498.32 FUE 93.02", "425.24")
			w.must(err)
			got, err := w.edi.GetFreightBill(w.ctx, &billingv1.GetFreightBillRequest{Name: b.GetName()})
			w.must(err)
			if !proto.Equal(b, got) {
				t.Errorf("read back %v, want %v", got, b)
			}
		},
	} {
		step()
		w.reopen()
		w.settle()
	}
	want := pages(t)["01"]
	if got := posted(w.journal("")); got != want.posted() {
		t.Errorf("ledger\n%swant\n%s", got, want.posted())
	}
	list, err := w.workflow.ListInvoices(w.ctx, &billingv1.ListInvoicesRequest{Number: "NLS26-000001", Order: j.order()})
	w.must(err)
	if len(list.GetInvoices()) != 1 || !proto.Equal(list.GetInvoices()[0], w.issue(j)) {
		t.Errorf("list by number and order %v, want the invoice", list.GetInvoices())
	}
}

// By every method that partners can call: a customer sees its invoices, a carrier its bills, and nobody else anything. What is not
// theirs looks like what does not exist.
func TestPartnersSeeTheirOwn(t *testing.T) {
	w, j := newWorld(t), first()
	i := w.invoiced(j)
	b, err := w.bill(j, "CXBB-1001", "LHS 830.54 DSC -498.32 FUE 93.02", "425.24")
	w.must(err)
	all := []string{"billing.read", "billing.submit", "billing.authorize", "billing.issue", "ledger.read"}
	get := func(party, path string) (int, string) {
		a := w.server.Partner("parties/"+party, all...).Do(http.MethodGet, path, "")
		return a.Status, string(a.Body)
	}
	for _, c := range []struct {
		party, path string
		status      int
		holds       string
		not         string
	}{
		{"CUS-XYZ", "/v1/" + i.GetName(), 200, "NLS26-000001", ""},
		{"CUS-XYZ", "/v1/invoices", 200, "NLS26-000001", ""},
		{"CUS-XYZ", "/v1/invoices?number=NLS26-000001", 200, "NLS26-000001", ""},
		{"CUS-XYZ", "/v1/invoices?order=" + j.order(), 200, "NLS26-000001", ""},
		{"CUS-HHS", "/v1/" + i.GetName(), 404, "NOT_FOUND", "NLS26"},
		{"CUS-HHS", "/v1/invoices", 200, "", "NLS26"},
		{"CUS-HHS", "/v1/invoices?number=NLS26-000001", 200, "", "NLS26"},
		{"CUS-HHS", "/v1/invoices?order=" + j.order(), 200, "", "NLS26"},
		{"CAR-CXBB", "/v1/" + i.GetName(), 404, "NOT_FOUND", "NLS26"},
		{"CAR-CXBB", "/v1/invoices", 200, "", "NLS26"},
		{"CAR-CXBB", "/v1/" + b.GetName(), 200, "CXBB-1001", ""},
		{"CAR-CXBB", "/v1/freightBills", 200, "CXBB-1001", ""},
		{"CAR-CXBB", "/v1/freightBills?loadNumber=" + j.number(), 200, "CXBB-1001", ""},
		{"CAR-CXEE", "/v1/" + b.GetName(), 404, "NOT_FOUND", "CXBB-1001"},
		{"CAR-CXEE", "/v1/freightBills", 200, "", "CXBB-1001"},
		{"CAR-CXEE", "/v1/freightBills?loadNumber=" + j.number(), 200, "", "CXBB-1001"},
		{"CUS-XYZ", "/v1/" + b.GetName(), 404, "NOT_FOUND", "CXBB-1001"},
		{"CUS-XYZ", "/v1/freightBills", 200, "", "CXBB-1001"},
	} {
		status, body := get(c.party, c.path)
		if status != c.status || !strings.Contains(body, c.holds) || c.not != "" && strings.Contains(body, c.not) {
			t.Errorf("%s %s: %d %s, want %d with %q and without %q", c.party, c.path, status, body, c.status, c.holds, c.not)
		}
	}
	_, missing := get("CUS-HHS", "/v1/invoices/inv_none")
	_, hidden := get("CUS-HHS", "/v1/"+i.GetName())
	if a, b := problem(t, missing, "invoices/inv_none"), problem(t, hidden, i.GetName()); a != b {
		t.Errorf("missing answers %s, hidden %s", a, b)
	}
	for _, method := range []string{"AuthorizeBilling", "PreviewInvoice", "IssueInvoice", "GetTrialBalance", "ListJournalEntries", "ListAccruals"} {
		a := w.server.Partner("parties/CUS-XYZ", all...).Do(http.MethodPost, "/crossdock.billing.v1.BillingService/"+method, "{}")
		if a.Status != http.StatusNotFound {
			t.Errorf("%s by a partner: %d %s, want 404", method, a.Status, a.Body)
		}
	}
}

// problem is a refusal without what differs by nature: the name asked for, and ids of the call.
func problem(t *testing.T, body, name string) string {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	for _, k := range []string{"request_id", "requestId", "instance", "trace_id", "traceId"} {
		delete(p, k)
	}
	out, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(out), name, "<name>")
}

// A carrier bills for itself by REST; another party in the body is refused, and nothing is kept.
func TestSubmitByREST(t *testing.T) {
	w, j := newWorld(t), first()
	w.invoiced(j)
	body := func(carrier string) string {
		return fmt.Sprintf(`{%s"invoiceNumber":"CXBB-1001","loadNumber":%q,"billDate":{"year":2026,"month":3,"day":5},
			"charges":[{"code":"LHS","amount":{"currencyCode":"USD","units":"332","nanos":220000000}},{"code":"FUE","amount":{"currencyCode":"USD","units":"93","nanos":20000000}}],
			"total":{"currencyCode":"USD","units":"425","nanos":240000000}}`, carrier, j.number())
	}
	other := w.server.Partner("parties/CAR-CXEE", "billing.submit").Do(http.MethodPost, "/v1/freightBills", body(`"carrier":"parties/CAR-CXBB",`), "Idempotency-Key", "k1")
	if p := other.Problem(t); other.Status != http.StatusForbidden || p.Reason != "OTHER_PARTY" {
		t.Errorf("bill for another carrier: %d %s, want 403 OTHER_PARTY", other.Status, other.Body)
	}
	cxbb := w.server.Partner("parties/CAR-CXBB", "billing.submit")
	one := cxbb.Do(http.MethodPost, "/v1/freightBills", body(""), "Idempotency-Key", "k1")
	two := cxbb.Do(http.MethodPost, "/v1/freightBills", body(""), "Idempotency-Key", "k1")
	if one.Status != http.StatusOK || !strings.Contains(string(one.Body), `"APPROVED"`) || problem(t, string(one.Body), "") != problem(t, string(two.Body), "") {
		t.Errorf("submitted: %d %s, again: %s; want APPROVED twice, the same", one.Status, one.Body, two.Body)
	}
	list, err := w.workflow.ListFreightBills(w.ctx, &billingv1.ListFreightBillsRequest{})
	w.must(err)
	if len(list.GetFreightBills()) != 1 || list.GetFreightBills()[0].GetCarrier() != "parties/CAR-CXBB" {
		t.Errorf("kept %v, want the one bill of CAR-CXBB", list.GetFreightBills())
	}
}

// A carrier cannot find out by a bill which loads others drive: a load of another and one that does not exist answer alike.
func TestBillTellsNothingOfOthers(t *testing.T) {
	w, j := newWorld(t), first()
	w.invoiced(j)
	body := `{"invoiceNumber":"PROBE-%s","loadNumber":"%s","charges":[{"code":"LHS","amount":{"currencyCode":"USD","units":"1"}}],"total":{"currencyCode":"USD","units":"1"}}`
	cxee := w.server.Partner("parties/CAR-CXEE", "billing.submit", "billing.read")
	var answers []string
	for _, number := range []string{j.number(), "NL99999999"} {
		a := cxee.Do(http.MethodPost, "/v1/freightBills", fmt.Sprintf(body, number, number), "Idempotency-Key", number)
		var m map[string]any
		w.must(json.Unmarshal(a.Body, &m))
		if m["state"] != "EXCEPTION" {
			t.Errorf("bill for %s: %d %s, want EXCEPTION", number, a.Status, a.Body)
		}
		read := cxee.Do(http.MethodGet, "/v1/"+m["name"].(string), "")
		findings, err := json.Marshal(m["findings"])
		w.must(err)
		answers = append(answers, strings.ReplaceAll(string(findings), number, "<number>"))
		if strings.Contains(string(read.Body), "another carrier") {
			t.Errorf("read back: %s", read.Body)
		}
	}
	if answers[0] != answers[1] {
		t.Errorf("another's load answers %s, no load %s", answers[0], answers[1])
	}
	for _, f := range w.facts() {
		if strings.HasPrefix(f.Type, "FreightBill") && slices.Contains(f.Related, j.order()) {
			t.Errorf("%s leads to %s, whose carrier is another", f.Type, j.order())
		}
	}
}

// The largest order there is: a thousand lines, each with a short quantity. Records and facts stay within the store's limits.
func TestThousandLines(t *testing.T) {
	w, j := newWorld(t), first()
	j.lines = strings.Repeat("10×1.00 ", 1000)
	w.releaseOrder(j)
	w.book(j)
	w.deliver(j)
	_, err := w.authorize(j)
	unmet(t, err)
	w.prove(j, 1, 1)
	i := w.issue(j)
	if text(i.GetGoodsTotal()) != "9998.00" || len(i.GetLines()) != 1000 || len(i.GetExplanation().GetChildren()[0].GetChildren()) != 1000 {
		t.Errorf("goods %s in %d lines, want 9998.00 in 1000, each explained", text(i.GetGoodsTotal()), len(i.GetLines()))
	}
	if i.GetLines()[999].GetLine() != "1000" {
		t.Errorf("the last line is %s, want 1000", i.GetLines()[999].GetLine())
	}
}

// All bad fields at once, by gRPC and by REST.
func TestBadInput(t *testing.T) {
	w := newWorld(t)
	_, err := w.edi.SubmitFreightBill(w.ctx, &billingv1.SubmitFreightBillRequest{RequestId: "r", FreightBill: &billingv1.FreightBill{
		Carrier: "CXBB", LoadNumber: "NL26030001", Charges: []*typev1.Charge{{Code: "x"}},
	}})
	paths := func(err error) []string {
		var out []string
		for _, f := range rpcerr.From(err).Fields {
			out = append(out, f.Path)
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	want := []string{
		"freight_bill.carrier", "freight_bill.charges[0].amount", "freight_bill.charges[0].code", "freight_bill.invoice_number", "freight_bill.total",
	}
	if got := paths(err); status.Code(err) != codes.InvalidArgument || !slices.Equal(got, want) {
		t.Errorf("%v: fields %q, want %q", err, got, want)
	}
	// well-shaped, without sense: a service must name the carrier, 30 February does not exist, a fraction of a cent
	fraction := amount("1.00", "USD")
	fraction.Nanos = 1
	_, err = w.edi.SubmitFreightBill(w.ctx, &billingv1.SubmitFreightBillRequest{RequestId: "r", FreightBill: &billingv1.FreightBill{
		InvoiceNumber: "1", LoadNumber: "NL26030001", BillDate: day("2026-02-01"), Total: fraction,
		Charges: []*typev1.Charge{{Code: "LHS", Amount: fraction}},
	}})
	want = []string{"freight_bill.carrier", "freight_bill.charges[0].amount", "freight_bill.total"}
	if got := paths(err); status.Code(err) != codes.InvalidArgument || !slices.Equal(got, want) {
		t.Errorf("%v: fields %q, want %q", err, got, want)
	}
	rest := w.server.Partner("parties/CAR-CXBB", "billing.submit").Do(http.MethodPost, "/v1/freightBills", `{"loadNumber":"NL1","charges":[]}`, "Idempotency-Key", "k")
	if p := rest.Problem(t); rest.Status != http.StatusBadRequest || len(p.Fields) < 3 {
		t.Errorf("REST: %d with %d fields, want 400 with invoiceNumber, charges and total: %s", rest.Status, len(p.Fields), rest.Body)
	}
	_, err = w.workflow.ListInvoices(w.ctx, &billingv1.ListInvoicesRequest{PageToken: "nonsense"})
	if rpcerr.Reason(err) != rpcerr.ReasonInvalidPageToken {
		t.Errorf("bad page token: %v", err)
	}
}

// Lists come in pages of the size asked for, each document once, and a token is good for its own list alone.
func TestPaging(t *testing.T) {
	w := newWorld(t)
	var numbers []string
	for n := 1; n <= 5; n++ {
		j := hhs(n, fmt.Sprintf("HH-%d", n), "80×189.00", "3200")
		j.charges = "LHS 307.20 FUE 90.62"
		j.issued = fmt.Sprintf("2026-03-04T14:46:0%dZ", n)
		numbers = append(numbers, w.invoiced(j).GetNumber())
	}
	slices.Reverse(numbers)
	var got []string
	token := ""
	for {
		resp, err := w.workflow.ListInvoices(w.ctx, &billingv1.ListInvoicesRequest{PageSize: 2, PageToken: token})
		w.must(err)
		for _, i := range resp.GetInvoices() {
			got = append(got, i.GetNumber())
		}
		if token = resp.GetNextPageToken(); token == "" {
			break
		}
		if _, err := w.workflow.ListInvoices(w.ctx, &billingv1.ListInvoicesRequest{PageToken: token, Order: "orders/ord_1"}); rpcerr.Reason(err) != rpcerr.ReasonInvalidPageToken {
			t.Errorf("a token with another filter: %v, want INVALID_PAGE_TOKEN", err)
		}
	}
	if !slices.Equal(got, numbers) {
		t.Errorf("invoices %q, want %q", got, numbers)
	}
	for _, related := range []string{"", "parties/CUS-HHS", "load:NL26030003"} {
		whole, paged, token := w.journal(related), 0, ""
		for {
			resp, err := w.workflow.ListJournalEntries(w.ctx, &billingv1.ListJournalEntriesRequest{Related: related, PageSize: 2, PageToken: token})
			w.must(err)
			for _, e := range resp.GetJournalEntries() {
				if paged >= len(whole) || e.GetName() != whole[paged].GetName() {
					t.Fatalf("%q: entry %d is %s, want the order of the whole list", related, paged, e.GetName())
				}
				paged++
			}
			if token = resp.GetNextPageToken(); token == "" {
				break
			}
		}
		if want := map[string]int{"": 15, "parties/CUS-HHS": 10, "load:NL26030003": 3}[related]; paged != want || len(whole) != want {
			t.Errorf("%q: %d entries in pages, %d at once, want %d", related, paged, len(whole), want)
		}
	}
	if w.journal("")[0].GetMoment() != "load booked: cost accrual" {
		t.Errorf("the oldest entry is %q", w.journal("")[0].GetMoment())
	}
}
