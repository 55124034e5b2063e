package core

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	"crossdock.dev/kernel/money"
	"crossdock.dev/platform/rpcerr"
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
	if e := rpcerr.From(err); e.Metadata["delivered"] != j.shipment()+" was cancelled" {
		t.Errorf("not delivered, because %q; want that it was cancelled", e.Metadata["delivered"])
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

// A load whose freight the customer pays, and one that nobody accepted: there is nothing to reverse, and nothing is expected later.
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
	w.tell("freight", unbooked.load(), unbooked.bookedFact()) // too late
	if n := len(w.journal("")); n != 0 {
		t.Errorf("%d entries, want none", n)
	}
}

// An order that left a load before a carrier took it bears nothing of it, and the load's entries do not lead to it.
func TestLeftTheLoad(t *testing.T) {
	w, s := newWorld(t), stories(t)["17"]
	pin, hh := s.jobs[0], s.jobs[1]
	w.releaseOrder(pin)
	w.releaseOrder(hh)
	together := pin.loadMessage()
	together.Shipments = []string{pin.shipment(), hh.shipment()}
	w.tell("freight", pin.shipment(), &freightv1.ShipmentPlanned{Shipment: pin.shipmentMessage(), Load: pin.loadMessage()})
	w.tell("freight", hh.shipment(), &freightv1.ShipmentPlanned{Shipment: hh.shipmentMessage(), Load: together})
	alone := hh
	alone.on = 0 // on a load of its own, which is called off
	off := alone.cancelled("")
	off.Load.Carrier = ""
	w.tell("freight", alone.load(), off)
	w.tell("freight", pin.load(), pin.bookedFact())
	if n, m := len(w.journal("po:"+hh.po)), len(w.journal("po:"+pin.po)); n != 0 || m != 1 {
		t.Errorf("%d entries lead to the order that left, %d to the other; want 0 and 1", n, m)
	}
	if diff := cmp.Diff(map[string]string{pin.po: "1051.48"}, w.allocation(pin)); diff != "" {
		t.Errorf("allocation (-want +got):\n%s", diff)
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

// anyOrder is a load of a random story: what was said of it, and what has to be owed for it then.
type anyOrder struct {
	job                        job
	booked, cancelled          bool
	delivered, proven          bool
	detention                  string
	bills                      int
	open                       []string // freight bills that a person may decide about
	expected, approved, varied money.Amount
}

// Loads whose facts, bills and decisions come in any order, by seed, with a stop now and then: the accounts are always what a few lines
// of arithmetic say, and the file is sound at the end.
func TestAnyOrder(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w, r := newWorld(t), rand.New(rand.NewPCG(seed, 17))
			var all []*anyOrder
			for n := 1; n <= 4; n++ {
				j := hhs(n, fmt.Sprintf("HH-%d", n), "10×1.00", "400")
				j.charges, j.carrier, j.mode = "LHS 100.00 FUE 20.00", "CXAA", "TL"
				w.releaseOrder(j)
				zero := money.MustParse("0", "USD")
				all = append(all, &anyOrder{job: j, detention: "0.00", expected: zero, approved: zero, varied: zero})
			}
			for range 60 {
				x := all[r.IntN(len(all))]
				switch r.IntN(9) {
				case 0, 1:
					w.book(x.job)
					if !x.booked && !x.cancelled {
						x.booked, x.expected = true, plus(t, x.expected, "120.00")
					}
				case 2:
					if !x.booked || x.delivered {
						continue
					}
					w.tell("freight", x.job.load(), x.job.cancelled("TON 50.00"))
					if !x.cancelled {
						x.cancelled, x.expected, x.detention = true, money.MustParse("50.00", "USD"), "gone"
					}
				case 3:
					charge := []string{"0.00", "30.00", "60.00"}[r.IntN(3)]
					if x.cancelled || !x.booked || !x.approved.IsZero() {
						continue
					}
					w.tell("freight", x.job.load(), x.job.accessorial(x.job.charges, "DET "+charge))
					x.expected, x.detention = plus(t, minus(t, x.expected, x.detention), charge), charge
				case 4, 5:
					if x.cancelled || !x.booked {
						continue
					}
					w.deliver(x.job)
					x.delivered = true
					if r.IntN(2) == 0 {
						w.prove(x.job, 0, 0)
						x.proven = true
					}
					x.held(t, w)
				case 6, 7:
					x.bills++
					b, err := w.bill(x.job, fmt.Sprintf("B-%d-%d", x.job.n, x.bills), "LHS 101.00 FUE 20.00", "121.00")
					w.must(err)
					if b.GetState() == billingv1.FreightBill_APPROVED {
						x.pay(t)
					} else {
						x.open = append(x.open, b.GetName())
					}
				case 8:
					if len(x.open) == 0 {
						continue
					}
					verb := []string{"approve", "dispute", "reject"}[r.IntN(3)]
					b, err := w.decide(w.person, verb, x.open[0], fmt.Sprintf("%s-%d-%d", verb, x.job.n, r.IntN(1e9)))
					if rpcerr.Reason(err) == "BILL_UNMATCHED" {
						continue
					}
					w.must(err)
					switch b.GetState() {
					case billingv1.FreightBill_APPROVED:
						x.pay(t)
						fallthrough
					case billingv1.FreightBill_REJECTED:
						x.open = x.open[1:]
					}
				}
				if r.IntN(10) == 0 {
					w.reopen()
				}
				expected, approved, varied := money.MustParse("0", "USD"), money.MustParse("0", "USD"), money.MustParse("0", "USD")
				for _, x := range all {
					expected, approved, varied = plus(t, expected, x.expected.String()), plus(t, approved, x.approved.String()), plus(t, varied, x.varied.String())
				}
				got := w.balances("USD")
				want := [3]string{minus(t, money.MustParse("0", "USD"), expected.String()).String(), minus(t, money.MustParse("0", "USD"), approved.String()).String(), varied.String()}
				if got := [3]string{either(got["2100"], "0.00"), either(got["2000"], "0.00"), either(got["5190"], "0.00")}; got != want {
					t.Fatalf("2100, 2000, 5190 are %q, want %q", got, want)
				}
			}
		})
	}
}

// pay is what an approval of 121.00 does: what was expected is not any more, the rest is variance.
func (x *anyOrder) pay(t *testing.T) {
	t.Helper()
	x.approved = plus(t, x.approved, "121.00")
	x.varied = plus(t, minus(t, x.varied, x.expected.String()), "121.00")
	x.expected, x.detention = money.MustParse("0", "USD"), "gone"
}

// held looks which bill was waiting for delivery and proof and is paid now: one at most.
func (x *anyOrder) held(t *testing.T, w *world) {
	t.Helper()
	paid := 0
	x.open = slices.DeleteFunc(x.open, func(name string) bool {
		b, err := w.edi.GetFreightBill(w.ctx, &billingv1.GetFreightBillRequest{Name: name})
		w.must(err)
		if b.GetState() != billingv1.FreightBill_APPROVED {
			return false
		}
		if paid++; paid > 1 || !x.delivered || !x.proven {
			t.Fatalf("%s was paid beside another, or without delivery and proof", b.GetInvoiceNumber())
		}
		x.pay(t)
		return true
	})
}

func plus(t *testing.T, a money.Amount, b string) money.Amount {
	t.Helper()
	sum, err := a.Add(money.MustParse(b, "USD"))
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func minus(t *testing.T, a money.Amount, b string) money.Amount {
	t.Helper()
	rest, err := a.Sub(money.MustParse(b, "USD"))
	if err != nil {
		t.Fatal(err)
	}
	return rest
}
