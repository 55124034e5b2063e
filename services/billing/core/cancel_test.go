package core

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
)

// states lists a load's accruals, oldest first: "LHS REVERSED".
func (w *world) states(j job) []string {
	w.t.Helper()
	resp, err := w.workflow.ListAccruals(w.ctx, &billingv1.ListAccrualsRequest{Load: j.load()})
	w.must(err)
	var out []string
	for _, a := range resp.GetAccruals() {
		out = append(out, a.GetCharge().GetCode()+" "+a.GetState().String())
	}
	slices.Reverse(out)
	return out
}

// verdict prints a bill with what did not pass: "EXCEPTION: A6 finance".
func verdict(b *billingv1.FreightBill) string {
	var out []string
	for _, f := range b.GetFindings() {
		if !f.GetPassed() {
			out = append(out, f.GetRule()+" "+f.GetOwner())
		}
	}
	return b.GetState().String() + ": " + strings.Join(out, ", ")
}

// Page 05, with every fact told twice, the booking told again after it was called off, a stop after each step, and a bill for the
// whole trip that came before: nothing is undone or done twice.
func TestCancelledLoad(t *testing.T) {
	w, s := newWorld(t), stories(t)["05"]
	j := s.jobs[0]
	w.releaseOrder(j)
	w.book(j)
	early, err := w.bill(j, "CXAA-EARLY", j.charges, "564.80")
	w.must(err)
	if got, want := verdict(early), "EXCEPTION: A2 operations, A3 operations"; got != want {
		t.Errorf("a bill for the trip, before it was called off: %s, want %s", got, want)
	}
	for range 2 {
		w.tell("freight", j.load(), j.cancelled(s.withdrawn))
		w.reopen()
		w.tell("freight", j.load(), j.bookedFact())
	}
	if want := []string{"LHS REVERSED", "FUE REVERSED", "TON OPEN"}; !slices.Equal(w.states(j), want) {
		t.Errorf("accruals %q, want %q", w.states(j), want)
	}
	_, err = w.authorize(j)
	if got, want := unmet(t, err), "delivered,proof_of_delivery,quantities_accepted"; got != want {
		t.Errorf("unmet %s, want %s", got, want)
	}
	w.clock.Advance(1)
	trip, err := w.bill(j, "CXAA-TRIP", j.charges, "564.80")
	w.must(err)
	if got, want := verdict(trip), "EXCEPTION: A6 finance, A6 finance, A5 finance"; got != want {
		t.Errorf("a bill for the trip that was called off: %s, want %s", got, want)
	}
	w.clock.Advance(1)
	b, err := w.bill(j, "CXAA-T5", s.billed, s.header)
	w.must(err)
	if got := verdict(b); got != "APPROVED: " {
		t.Errorf("the truck that was not used: %s, want APPROVED", got)
	}
	why := slices.IndexFunc(b.GetFindings(), func(f *billingv1.FreightBill_Finding) bool { return f.GetRule() == "A6" })
	if why < 0 || b.GetFindings()[why].GetDetail() != "authorised by the withdrawal: cancelled by the customer" {
		t.Errorf("findings %v, want TON authorised by the withdrawal", b.GetFindings())
	}
	if diff := cmp.Diff(pages(t)["05"].posted(), posted(w.journal("po:PC-1005"))); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	for _, f := range w.facts() {
		if !slices.Contains(f.Related, "po:PC-1005") || !slices.Contains(f.Related, "load:"+j.number()) {
			t.Errorf("%s is related to %q, which leads to no order and load", f.Type, f.Related)
		}
	}
}

// Outside the carrier's window nothing is owed: what was expected is not, and a bill finds no load.
func TestCancelledForNothing(t *testing.T) {
	w, s := newWorld(t), stories(t)["05"]
	j := s.jobs[0]
	w.releaseOrder(j)
	w.book(j)
	w.tell("freight", j.load(), j.cancelled(""))
	if diff := cmp.Diff(map[string]string{"2100": "0.00", "5100": "0.00"}, w.balances("USD")); diff != "" {
		t.Errorf("trial balance (-want +got):\n%s", diff)
	}
	b, err := w.bill(j, "CXAA-T5", s.billed, s.header)
	w.must(err)
	if got, want := verdict(b), "EXCEPTION: MATCH finance"; got != want || b.GetLoad() != "" {
		t.Errorf("bill %s, load %q; want %s without a load", got, b.GetLoad(), want)
	}
}

// A load whose freight the customer pays, and one that nobody accepted: there is nothing to reverse.
func TestCancelledWithoutAccruals(t *testing.T) {
	w, all := newWorld(t), stories(t)
	collect, unbooked := all["20"].jobs[0], all["05"].jobs[0]
	w.releaseOrder(collect)
	w.book(collect)
	collect.charges = "LHS 1.00" // cancelled takes it away again
	w.tell("freight", collect.load(), collect.cancelled(""))
	w.releaseOrder(unbooked)
	f := unbooked.cancelled("")
	f.Load.Carrier, f.Load.CarrierReference = "", ""
	w.tell("freight", unbooked.load(), f)
	if n := len(w.journal("")); n != 0 {
		t.Errorf("%d entries, want none", n)
	}
}

// Facts of a load in an order that no feed has: the accessorial before the booking, and after the bill.
func TestAccessorialOutOfOrder(t *testing.T) {
	w, s := newWorld(t), stories(t)["13"]
	j := s.jobs[0]
	w.releaseOrder(j)
	w.tell("freight", j.load(), j.accessorial(j.charges, "DET 90.00"))
	w.book(j)
	if want := []string{"DET OPEN", "LHS OPEN", "FUE OPEN"}; !slices.Equal(w.states(j), want) {
		t.Errorf("accruals %q, want %q", w.states(j), want)
	}
	w.deliver(j)
	w.prove(j, 0, 0)
	b, err := w.bill(j, "CXAA-13", "LHS 767.55 FUE 199.92 DET 90.00", "1057.47")
	w.must(err)
	if got := verdict(b); got != "APPROVED: " {
		t.Fatalf("bill %s, want APPROVED", got)
	}
	w.tell("freight", j.load(), j.accessorial(j.charges, "DET 120.00")) // 30.00 more than was billed
	w.tell("freight", j.load(), j.accessorial(j.charges, "DET 120.00"))
	if got := w.balances("USD")["2100"]; got != "-30.00" {
		t.Errorf("accrued %s, want -30.00", got)
	}
	w.tell("freight", j.load(), j.accessorial(j.charges, "DET 60.00")) // less than was billed: what is paid stays paid
	want := map[string]string{"2000": "-1057.47", "2100": "0.00", "5100": "1057.47"}
	if diff := cmp.Diff(want, w.balances("USD")); diff != "" {
		t.Errorf("trial balance (-want +got):\n%s", diff)
	}
}

// A fact that is no sensible value waits, with what follows for the same load, and the rest goes on.
func TestSenselessAccessorial(t *testing.T) {
	w, all := newWorld(t), stories(t)
	j, other := all["13"].jobs[0], all["02"].jobs[0]
	w.releaseOrder(j)
	w.book(j)
	f := j.accessorial(j.charges, "DET 90.00")
	f.Charge.Amount.Nanos = 1 // a fraction of a cent
	w.tell("freight", j.load(), f)
	w.tell("freight", j.load(), j.accessorial(j.charges, "DET 90.00"))
	w.releaseOrder(other)
	w.book(other)
	if want := []string{"LHS OPEN", "FUE OPEN"}; !slices.Equal(w.states(j), want) {
		t.Errorf("accruals %q, want %q", w.states(j), want)
	}
	if want := []string{"LHS OPEN"}; !slices.Equal(w.states(other), want) {
		t.Errorf("accruals of another load %q, want %q", w.states(other), want)
	}
}
