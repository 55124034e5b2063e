package core

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/platformtest/golden"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/telemetry"
)

// decide carries out a person's verb: "approve", "dispute" or "reject".
func (w *world) decide(as billingv1.BillingServiceClient, verb, name, id string) (*billingv1.FreightBill, error) {
	switch verb {
	case "approve":
		return as.ApproveFreightBill(w.ctx, &billingv1.ApproveFreightBillRequest{Name: name, Reason: "agreed by telephone", RequestId: id})
	case "dispute":
		return as.DisputeFreightBill(w.ctx, &billingv1.DisputeFreightBillRequest{Name: name, DisputeCode: "46", Reason: "fuel of 34 %", RequestId: id})
	}
	return as.RejectFreightBill(w.ctx, &billingv1.RejectFreightBillRequest{Name: name, Reason: "send it anew", RequestId: id})
}

// overcharged is page 14 up to its bill, which waits for finance.
func (w *world) overcharged() (job, *billingv1.FreightBill) {
	w.t.Helper()
	s := stories(w.t)["14"]
	_, b := w.play(s)
	w.clock.Advance(1)
	return s.jobs[0], b
}

// Every state that a bill can be in with every verb of a person: what it becomes, the entry that is posted and the facts that are
// told. A refusal changes nothing.
func TestDecisions(t *testing.T) {
	states := map[string]func(*world) *billingv1.FreightBill{
		"APPROVED": func(w *world) *billingv1.FreightBill { _, b := w.play(stories(t)["13"]); return b },
		"DUPLICATE": func(w *world) *billingv1.FreightBill {
			w.play(stories(t)["08"])
			all, err := w.workflow.ListFreightBills(w.ctx, &billingv1.ListFreightBillsRequest{PageSize: 1})
			w.must(err)
			return all.GetFreightBills()[0]
		},
		"REJECTED":  func(w *world) *billingv1.FreightBill { _, b := w.play(stories(t)["15"]); return b },
		"EXCEPTION": func(w *world) *billingv1.FreightBill { _, b := w.overcharged(); return b },
		"DISPUTED": func(w *world) *billingv1.FreightBill {
			_, b := w.overcharged()
			b, err := w.decide(w.person, "dispute", b.GetName(), "first")
			w.must(err)
			return b
		},
	}
	var table strings.Builder
	table.WriteString("| state | verb | becomes | posts | tells |\n|---|---|---|---|---|\n")
	for _, state := range []string{"APPROVED", "EXCEPTION", "DISPUTED", "REJECTED", "DUPLICATE"} {
		for _, verb := range []string{"approve", "dispute", "reject"} {
			w := newWorld(t)
			b := states[state](w)
			if b.GetState().String() != state {
				t.Fatalf("the bill is %s, want %s", b.GetState(), state)
			}
			entries, facts := len(w.journal("")), len(w.facts())
			got, err := w.decide(w.person, verb, b.GetName(), "decide")
			becomes := got.GetState().String()
			if err != nil {
				e := rpcerr.From(err)
				if e.Reason != "TRANSITION_REFUSED" || e.Metadata["state"] != state || e.Metadata["verb"] != verb {
					t.Errorf("%s %s: %v", state, verb, err)
				}
				becomes = "refused"
			}
			again, err2 := w.decide(w.person, verb, b.GetName(), "decide")
			if (err == nil) != (err2 == nil) || err == nil && !proto.Equal(got, again) {
				t.Errorf("%s %s again: %v, %v; want %v, %v", state, verb, again, err2, got, err)
			}
			var told []string
			for _, f := range w.facts()[facts:] {
				told = append(told, f.Type)
				if !slices.Contains(f.Related, "load:"+b.GetLoadNumber()) {
					t.Errorf("%s %s: %s leads to %q and not to the load", state, verb, f.Type, f.Related)
				}
			}
			var posts []string
			for _, e := range w.journal("")[entries:] {
				posts = append(posts, strings.ReplaceAll(strings.TrimSpace(posted([]*billingv1.JournalEntry{e})), "\n ", ";"))
			}
			fmt.Fprintf(&table, "| %s | %s | %s | %s | %s |\n", state, verb, becomes, strings.Join(posts, " "), strings.Join(told, ", "))
		}
	}
	golden.Check(t, "decisions.md", []byte(table.String()))
}

// Page 14 to its end: disputed, then approved; the accrual is cleared, and the 13.83 that were not expected are variance.
func TestDisputeAndApprove(t *testing.T) {
	w := newWorld(t)
	j, b := w.overcharged()
	if got, want := verdict(b), "EXCEPTION: A4 finance, A8 finance, A5 finance"; got != want {
		t.Errorf("bill %s, want %s", got, want)
	}
	b, err := w.decide(w.person, "dispute", b.GetName(), "1")
	w.must(err)
	if d := b.GetDecisions(); b.GetState() != billingv1.FreightBill_DISPUTED || len(d) != 1 || d[0].GetDisputeCode() != "46" || d[0].GetReason() != "fuel of 34 %" ||
		!d[0].GetDecideTime().AsTime().Equal(w.clock.Now()) {
		t.Errorf("disputed: %s with %v, want DISPUTED with code, reason and time", b.GetState(), d)
	}
	if got := w.balances("USD")["2100"]; got != "-397.82" {
		t.Errorf("accrued while disputed %s, want -397.82", got)
	}
	w.reopen()
	_, err = w.person.ApproveFreightBill(w.ctx, &billingv1.ApproveFreightBillRequest{Name: b.GetName(), Reason: "late", RequestId: "2", Etag: "EXCEPTION"})
	if e := rpcerr.From(err); e == nil || e.Reason != rpcerr.ReasonStaleETag {
		t.Errorf("decided on what it was before: %v, want STALE_ETAG", err)
	}
	b, err = w.person.ApproveFreightBill(w.ctx, &billingv1.ApproveFreightBillRequest{Name: b.GetName(), Reason: "paid once", RequestId: "3", Etag: b.GetEtag()})
	w.must(err)
	if b.GetState() != billingv1.FreightBill_APPROVED || len(b.GetDecisions()) != 2 {
		t.Errorf("approved: %s with %v, want APPROVED with two decisions", b.GetState(), b.GetDecisions())
	}
	want := map[string]string{"1100": "15657.60", "1150": "0.00", "2000": "-411.65", "2100": "0.00", "4000": "-15120.00", "4100": "-537.60", "5100": "397.82", "5190": "13.83"}
	if diff := cmp.Diff(want, w.balances("USD")); diff != "" {
		t.Errorf("trial balance (-want +got):\n%s", diff)
	}
	last := w.journal("load:" + j.number())
	if got := last[len(last)-1]; got.GetMoment() != "freight bill approved, with variance" || got.GetDocument() != b.GetName() {
		t.Errorf("posted %v, want the bill with variance", got)
	}
	carrier := w.server.Partner("parties/CAR-CXBB", "billing.read").Do(http.MethodGet, "/v1/"+b.GetName(), "")
	if !strings.Contains(string(carrier.Body), "fuel of 34 %") {
		t.Errorf("the carrier reads %s, want the reason of the dispute", carrier.Body)
	}
}

// A bill that a person refused gives its number back: the carrier sends it anew under the same number, and that one is audited.
func TestRejectedByAPerson(t *testing.T) {
	w := newWorld(t)
	j, b := w.overcharged()
	_, err := w.bill(j, b.GetInvoiceNumber(), j.charges, "397.82")
	w.must(err)
	w.clock.Advance(1)
	b, err = w.decide(w.person, "reject", b.GetName(), "1")
	w.must(err)
	if b.GetState() != billingv1.FreightBill_REJECTED || w.balances("USD")["2100"] != "-397.82" {
		t.Errorf("%s with %s accrued, want REJECTED with -397.82", b.GetState(), w.balances("USD")["2100"])
	}
	anew, err := w.bill(j, b.GetInvoiceNumber(), "LHS 768.00 DSC -460.80 FUE 90.62", "397.82")
	w.must(err)
	if got := verdict(anew); got != "APPROVED: " {
		t.Errorf("the corrected bill is %s, want APPROVED", got)
	}
	w.clock.Advance(1)
	again, err := w.bill(j, b.GetInvoiceNumber(), "LHS 768.00 DSC -460.80 FUE 90.62", "397.82")
	w.must(err)
	if again.GetState() != billingv1.FreightBill_DUPLICATE {
		t.Errorf("the corrected bill again is %s, want DUPLICATE", again.GetState())
	}
}

// A bill that found no load waits. Once its load is booked a person may pay it; while there is none, or one in another currency,
// nobody can.
func TestApproveUnmatched(t *testing.T) {
	w, s := newWorld(t), stories(t)["13"]
	j := s.jobs[0]
	early, err := w.bill(j, "CXAA-13", s.billed, s.header)
	w.must(err)
	if got := verdict(early); got != "EXCEPTION: MATCH finance" || early.GetLoad() != "" {
		t.Errorf("a bill before its load: %s, load %q; want EXCEPTION without a load", got, early.GetLoad())
	}
	refused := func(when string, b *billingv1.FreightBill, why string) {
		t.Helper()
		_, err := w.decide(w.person, "approve", b.GetName(), when)
		if e := rpcerr.From(err); e == nil || e.Reason != "BILL_UNMATCHED" || !strings.Contains(e.Metadata["detail"], why) {
			t.Errorf("%s: %v, want BILL_UNMATCHED with %q", when, err, why)
		}
	}
	refused("no load", early, "no load")
	w.releaseOrder(j)
	w.book(j)
	w.clock.Advance(1)
	euros := j
	euros.currency = "EUR"
	foreign, err := w.bill(euros, "CXAA-EUR", s.billed, s.header)
	w.must(err)
	if got := verdict(foreign); got != "EXCEPTION: MATCH finance" {
		t.Errorf("a bill in another currency: %s, want EXCEPTION", got)
	}
	refused("another currency", foreign, "is owed in USD, billed in EUR")
	paid, err := w.decide(w.person, "approve", early.GetName(), "booked")
	w.must(err)
	if paid.GetState() != billingv1.FreightBill_APPROVED || paid.GetLoad() != j.load() {
		t.Errorf("%s for load %q, want APPROVED for %s", paid.GetState(), paid.GetLoad(), j.load())
	}
	want := map[string]string{"2000": "-970.92", "2100": "0.00", "5100": "967.47", "5190": "3.45"}
	if diff := cmp.Diff(want, w.balances("USD")); diff != "" {
		t.Errorf("trial balance (-want +got):\n%s", diff)
	}
	w.clock.Advance(1)
	second, err := w.bill(j, "CXAA-13B", s.billed, s.header)
	w.must(err)
	if got, want := verdict(second), "EXCEPTION: A2 finance, A2 operations, A3 operations, A6 finance, A6 finance, A5 finance"; got != want {
		t.Errorf("a second bill for the load: %s, want %s", got, want)
	}
	_, err = w.decide(w.person, "approve", second.GetName(), "balance due")
	w.must(err)
	if got := w.balances("USD"); got["2000"] != "-1941.84" || got["5190"] != "974.37" { // all of it was not expected
		t.Errorf("after the second: 2000 %s, 5190 %s; want -1941.84 and 974.37", got["2000"], got["5190"])
	}
}

// Several people at once: one decision is carried out, the others are told what it has become; the carrier is paid once at most.
func TestDecideAtOnce(t *testing.T) {
	w := newWorld(t)
	_, b := w.overcharged()
	var wg sync.WaitGroup
	var approved, rejected atomic.Int32
	for n := range 8 {
		wg.Go(func() {
			verb := []string{"approve", "reject"}[n%2]
			switch got, err := w.decide(w.person, verb, b.GetName(), fmt.Sprint("at once ", n)); {
			case err != nil && rpcerr.Reason(err) != "TRANSITION_REFUSED":
				t.Error(err)
			case got.GetState() == billingv1.FreightBill_APPROVED:
				approved.Add(1)
			case got.GetState() == billingv1.FreightBill_REJECTED:
				rejected.Add(1)
			}
		})
	}
	wg.Wait()
	if a, r := approved.Load(), rejected.Load(); a+r != 4 || a*r != 0 {
		t.Errorf("%d approved and %d rejected, want four of one kind", a, r)
	}
	paid := map[bool]string{true: "-411.65", false: ""}[approved.Load() > 0]
	if got := w.balances("USD")["2000"]; got != paid {
		t.Errorf("accounts payable %q, want %q", got, paid)
	}
}

// The list by state is what waits for whom; a decision moves a bill from one to the other, and a carrier sees its own.
func TestBillsByState(t *testing.T) {
	w := newWorld(t)
	w.play(stories(t)["15"]) // rejected
	w.play(stories(t)["08"]) // approved, and a duplicate
	j, b := w.overcharged()
	numbers := func(state billingv1.FreightBill_State, load string) string {
		t.Helper()
		var out []string
		token := ""
		for {
			resp, err := w.person.ListFreightBills(w.ctx, &billingv1.ListFreightBillsRequest{State: state, LoadNumber: load, PageSize: 1, PageToken: token})
			w.must(err)
			for _, b := range resp.GetFreightBills() {
				if state != 0 && b.GetState() != state {
					t.Errorf("%s is %s, want %s", b.GetInvoiceNumber(), b.GetState(), state)
				}
				out = append(out, b.GetInvoiceNumber())
			}
			if token = resp.GetNextPageToken(); token == "" {
				slices.Sort(out)
				return strings.Join(out, " ")
			}
		}
	}
	check := func(state billingv1.FreightBill_State, load, want string) {
		t.Helper()
		if got := numbers(state, load); got != want {
			t.Errorf("%s %s: %q, want %q", state, load, got, want)
		}
	}
	check(0, "", "CXBB-14 CXEE-15 CXEE-8 CXEE-8")
	check(billingv1.FreightBill_EXCEPTION, "", "CXBB-14")
	check(billingv1.FreightBill_REJECTED, "", "CXEE-15")
	check(billingv1.FreightBill_DUPLICATE, "", "CXEE-8")
	check(billingv1.FreightBill_DUPLICATE, stories(t)["08"].jobs[0].number(), "CXEE-8")
	check(billingv1.FreightBill_EXCEPTION, stories(t)["08"].jobs[0].number(), "")
	_, err := w.decide(w.person, "dispute", b.GetName(), "d")
	w.must(err)
	w.reopen()
	check(billingv1.FreightBill_EXCEPTION, "", "")
	check(billingv1.FreightBill_DISPUTED, j.number(), "CXBB-14")
	own := w.server.Partner("parties/CAR-CXBB", "billing.read").Do(http.MethodGet, "/v1/freightBills?state=DISPUTED", "")
	other := w.server.Partner("parties/CAR-CXEE", "billing.read").Do(http.MethodGet, "/v1/freightBills?state=DISPUTED", "")
	if !strings.Contains(string(own.Body), "CXBB-14") || strings.Contains(string(other.Body), "CXBB-14") {
		t.Errorf("the carrier reads %s, another %s; want its bill and nothing", own.Body, other.Body)
	}
}

// Only people with the scope decide; services and partners do not, and a request needs a reason.
func TestWhoDecides(t *testing.T) {
	w := newWorld(t)
	_, b := w.overcharged()
	for _, verb := range []string{"approve", "dispute", "reject"} {
		if _, err := w.decide(w.workflow, verb, b.GetName(), "w"); status.Code(err) != codes.PermissionDenied {
			t.Errorf("%s by workflow: %v, want PERMISSION_DENIED", verb, err)
		}
		method := strings.ToUpper(verb[:1]) + verb[1:] + "FreightBill"
		a := w.server.Partner("parties/CAR-CXBB", "billing.decide").Do(http.MethodPost, "/crossdock.billing.v1.BillingService/"+method, "{}")
		if a.Status != http.StatusNotFound {
			t.Errorf("%s by the carrier: %d, want 404", verb, a.Status)
		}
	}
	as := func(scopes ...string) billingv1.BillingServiceClient {
		server := platformtest.New(t, platformtest.Config{
			Service: Service, Register: w.core.Register, Waiter: w.core.Followers(), Own: w.core.Store(), Log: telemetry.Discard(), Strict: true,
			Users: map[string]auth.Grant{auth.DevUser: {Scopes: scopes}},
		})
		return billingv1.NewBillingServiceClient(server.AsUser())
	}
	clerk := as("billing.read", "billing.submit", "ledger.read")
	if _, err := clerk.GetFreightBill(w.ctx, &billingv1.GetFreightBillRequest{Name: b.GetName()}); err != nil {
		t.Errorf("a person without the scope reads: %v", err)
	}
	if _, err := w.decide(clerk, "approve", b.GetName(), "c"); status.Code(err) != codes.PermissionDenied {
		t.Errorf("approved by a person without the scope: %v, want PERMISSION_DENIED", err)
	}
	finance := as("billing.decide")
	if _, err := w.decide(finance, "approve", "freightBills/fbl_none", "n"); status.Code(err) != codes.NotFound {
		t.Errorf("a bill that does not exist: %v, want NOT_FOUND", err)
	}
	_, err := finance.DisputeFreightBill(w.ctx, &billingv1.DisputeFreightBillRequest{Name: b.GetName(), RequestId: "d"})
	if e := rpcerr.From(err); e == nil || e.Code != codes.InvalidArgument || len(e.Fields) != 2 {
		t.Errorf("without code and reason: %v, want both fields", err)
	}
	got, err := w.decide(finance, "approve", b.GetName(), "f")
	w.must(err)
	if got.GetState() != billingv1.FreightBill_APPROVED {
		t.Errorf("approved by finance: %s", got.GetState())
	}
	if _, err := w.decide(finance, "approve", "freightBills/fbl_none", "f"); rpcerr.Reason(err) != rpcerr.ReasonRequestIDReused {
		t.Errorf("the request id for another bill: %v, want REQUEST_ID_REUSED", err)
	}
}
