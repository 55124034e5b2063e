package process

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"crossdock.dev/platform/platformtest/golden"
)

var (
	start   = time.Date(2026, 3, 2, 11, 5, 0, 0, time.UTC)
	respond = time.Date(2026, 3, 2, 16, 0, 0, 0, time.UTC)
	promise = time.Date(2026, 3, 4, 22, 0, 0, 0, time.UTC)
)

// events is one of each kind, in the order of an undisturbed run.
var events = []Event{
	Planned{Shipment: "shipments/shp_1", Load: "loads/load_1"},
	Tendered{Tender: "tenders/tnd_1", Carrier: "parties/CAR-CXBB", RespondBy: respond},
	Booked{Carrier: "parties/CAR-CXBB", DeliverBy: promise, Owed: true},
	Delivered{Shipment: "shipments/shp_1"},
	Proven{Proof: "proofsOfDelivery/pod_1"},
	Authorized{Authorization: "billingAuthorizations/aut_1"},
	Invoiced{Invoice: "invoices/inv_1"},
	BillApproved{FreightBill: "freightBills/fbl_1"},
	Exhausted{Load: "loads/load_1"},
	BillExcepted{FreightBill: "freightBills/fbl_1", Reason: FreightBillOverTolerance, Owner: Finance, Detail: "A4 FUE"},
	Refused{Command: Command{PlanShipment, "orders/ord_1/releases/1"}, Detail: "no lane"},
	SentAgain{},
	CancellationRequested{Reason: "changed plans"},
	Cancelled{Load: "loads/load_1", Owed: true},
	Raised{Reason: FeedSilent, Detail: "no word for 16 h"},
	Cleared{Reason: FeedSilent},
	Departed{},
	BillDisputed{FreightBill: "freightBills/fbl_1"},
	BillRejected{FreightBill: "freightBills/fbl_1"},
	Overran{Step: PlanShipment, Limit: 15 * time.Minute},
	Overran{Step: TenderLoad, Limit: 15 * time.Minute},
	Refused{Command: Command{CancelShipment, "shipments/shp_1"}, Detail: "it has left"},
}

const undisturbed = 8 // of events

func begin() Process {
	return Start("prc_1", Released{OrderRelease: "orders/ord_1/releases/1", Order: "orders/ord_1", CustomerOrderNumber: "08292233294"}, start).Process
}

// run lets events happen and collects the commands.
func run(p Process, es ...Event) (Process, []Command) {
	var commands []Command
	for _, e := range es {
		out := Next(p, e, start)
		p = out.Process
		commands = append(commands, out.Commands...)
	}
	return p, commands
}

func TestUndisturbed(t *testing.T) {
	first := Start("prc_1", Released{OrderRelease: "orders/ord_1/releases/1", Order: "orders/ord_1"}, start)
	if want := []Command{{PlanShipment, "orders/ord_1/releases/1"}}; !slices.Equal(first.Commands, want) {
		t.Errorf("start sends %v, want %v", first.Commands, want)
	}
	want := []struct {
		state    State
		commands []Command
	}{
		{Tendering, []Command{{TenderLoad, "loads/load_1"}}},
		{Tendering, nil},
		{Executing, nil},
		{Executing, nil},
		{Authorizing, []Command{{AuthorizeBilling, "shipments/shp_1"}}},
		{Invoicing, []Command{{IssueInvoice, "billingAuthorizations/aut_1"}}},
		{Settling, nil},
		{Ended, nil},
	}
	p := begin()
	for i, e := range events[:undisturbed] {
		out := Next(p, e, start)
		p = out.Process
		if p.State != want[i].state || !slices.Equal(out.Commands, want[i].commands) {
			t.Errorf("after %s: state %s commands %v, want %s %v", e.describe(), p.State, out.Commands, want[i].state, want[i].commands)
		}
		if len(out.Open) != 0 {
			t.Errorf("after %s: work items %v, want none", e.describe(), out.Open)
		}
	}
	if p.EndTime != start || p.WaitsFor != "" {
		t.Errorf("ended: end time %v, waits for %q", p.EndTime, p.WaitsFor)
	}
}

// Delivery and proof come from carriers in any order, and the carrier's bill may come before either.
func TestLateFactsInAnyOrder(t *testing.T) {
	booked, _ := run(begin(), events[:3]...)
	late := []Event{events[3], events[4], events[7]} // delivered, proven, bill approved
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		p, commands := run(booked, late[order[0]], late[order[1]], late[order[2]])
		if want := []Command{{AuthorizeBilling, "shipments/shp_1"}}; p.State != Authorizing || !slices.Equal(commands, want) {
			t.Errorf("order %v: state %s commands %v, want AUTHORIZING %v", order, p.State, commands, want)
		}
		if p, _ = run(p, events[5], events[6]); p.State != Ended {
			t.Errorf("order %v: state %s after the invoice, want ENDED", order, p.State)
		}
	}
}

func TestRepeatsChangeNothing(t *testing.T) {
	p := begin()
	for _, e := range events[:undisturbed] {
		p = Next(p, e, start).Process
		if out := Next(p, e, start.Add(time.Hour)); out.Changed || len(out.Commands) > 0 || len(out.Open) > 0 || out.Process != p {
			t.Errorf("%s again: changed %v, commands %v", e.describe(), out.Changed, out.Commands)
		}
	}
}

func TestCollectFreightEndsWithTheInvoice(t *testing.T) {
	p, _ := run(begin(), events[0], events[1], Booked{Carrier: "parties/CAR-CXBB", DeliverBy: promise, Owed: false})
	p, _ = run(p, events[3:7]...)
	if p.State != Ended {
		t.Errorf("state %s, want ENDED: nobody bills us for this load", p.State)
	}
}

// Wherever the request meets the process before the goods have left, the shipment is called off once.
func TestCancellation(t *testing.T) {
	want := []Command{{CancelShipment, "shipments/shp_1"}}
	for n := range 4 { // planning, tendering (asked and offered), booked
		p, _ := run(begin(), events[:n]...)
		p, commands := run(p, CancellationRequested{Reason: "changed plans"}, CancellationRequested{Reason: "changed plans"})
		if n == 0 {
			if len(commands) > 0 || p.State != Planning {
				t.Errorf("before the plan: state %s commands %v, want to wait for the plan", p.State, commands)
			}
			p, commands = run(p, events[0])
		}
		if p.State != Cancelling || !slices.Equal(commands, want) {
			t.Errorf("after %d facts: state %s commands %v, want CANCELLING %v", n, p.State, commands, want)
		}
		if p, _ := run(p, Cancelled{Load: "loads/load_1"}); p.State != Ended {
			t.Errorf("after %d facts, nothing owed: state %s, want ENDED", n, p.State)
		}
		p, _ = run(p, Cancelled{Load: "loads/load_1", Owed: true})
		if p.State != Settling {
			t.Errorf("after %d facts, the unused truck owed: state %s, want SETTLING", n, p.State)
		}
		if p, _ = run(p, events[7]); p.State != Ended {
			t.Errorf("after %d facts, bill approved: state %s, want ENDED", n, p.State)
		}
	}
}

// A refused cancellation never stops the release: it goes on from where it was, and a person is told.
func TestRefusedCancellation(t *testing.T) {
	cancel := []Command{{CancelShipment, "shipments/shp_1"}}
	asked, refused := CancellationRequested{Reason: "changed plans"}, events[len(events)-1]
	for n, want := range map[int]State{1: Tendering, 2: Tendering, 3: Executing} {
		p, _ := run(begin(), append(slices.Clone(events[:n]), asked)...)
		out := Next(p, refused, start)
		if out.Process.State != want || len(out.Open) != 1 || out.Open[0].Reason != CancellationRefused || out.Open[0].Owner != Operations {
			t.Errorf("after %d facts: state %s, work items %v, want %s and CANCELLATION_REFUSED", n, out.Process.State, out.Open, want)
		}
		if _, commands := run(out.Process, SentAgain{}); !slices.Equal(commands, cancel) {
			t.Errorf("after %d facts, closed by a person: commands %v, want %v", n, commands, cancel)
		}
		rest := slices.Concat(events[n:3], events[3:undisturbed])
		if p, _ := run(out.Process, rest...); p.State != Ended {
			t.Errorf("after %d facts: %s at the end, want ENDED", n, p.State)
		}
		if _, commands := run(out.Process, Departed{}, SentAgain{}); len(commands) != 0 {
			t.Errorf("after %d facts, closed when the goods had left: commands %v, want none", n, commands)
		}
	}

	// The carrier's yes, the departure and the delivery cross with the request.
	p, _ := run(begin(), events[0], events[1], asked, events[2], Departed{}, events[3], events[4])
	if p.State != Cancelling {
		t.Fatalf("state %s, want CANCELLING until freight answers", p.State)
	}
	out := Next(p, refused, start)
	if out.Process.State != Authorizing || len(out.Commands) != 1 || len(out.Open) != 1 {
		t.Errorf("refused after delivery: state %s, commands %v, work items %v", out.Process.State, out.Commands, out.Open)
	}
	if p, _ = run(out.Process, events[5:undisturbed]...); p.State != Ended {
		t.Errorf("state %s, want ENDED: nothing is left to do", p.State)
	}

	left, _ := run(begin(), events[0], events[1], events[2], Departed{})
	out = Next(left, asked, start)
	if out.Process.State != Executing || len(out.Commands) != 0 || len(out.Open) != 1 || out.Open[0].Reason != CancellationRefused {
		t.Errorf("asked after departure: state %s, commands %v, work items %v", out.Process.State, out.Commands, out.Open)
	}
}

// What is stuck is called off too; without a plan there is nothing to call off until there is one.
func TestCancellationOfAStuckProcess(t *testing.T) {
	asked := CancellationRequested{Reason: "changed plans"}
	noCarrier, _ := run(begin(), events[0], Refused{Command: Command{TenderLoad, "loads/load_1"}, Detail: "no routing guide"})
	out := Next(noCarrier, asked, start)
	if want := []Closing{{CommandRefused, "processes/prc_1"}}; out.Process.State != Cancelling || !slices.Equal(out.Close, want) {
		t.Errorf("stuck in tendering: state %s closes %v, want CANCELLING %v", out.Process.State, out.Close, want)
	}
	noPlan, _ := run(begin(), events[10], asked, SentAgain{})
	if p, commands := run(noPlan, events[0]); p.State != Cancelling || len(commands) != 1 {
		t.Errorf("stuck in planning: state %s commands %v, want to be called off when it is planned", p.State, commands)
	}
}

// On a shared load another order's process may have got what was refused to this one.
func TestStuckProcessGoesOnByItself(t *testing.T) {
	p, _ := run(begin(), events[0], Refused{Command: Command{TenderLoad, "loads/load_1"}, Detail: "no routing guide"})
	for n, want := range map[int]State{1: Tendering, 2: Executing} {
		out := Next(p, events[n], start)
		if out.Process.State != want || !slices.Contains(out.Close, Closing{CommandRefused, "processes/prc_1"}) {
			t.Errorf("%s: state %s, closes %v, want %s", events[n].describe(), out.Process.State, out.Close, want)
		}
		if _, commands := run(out.Process, SentAgain{}); len(commands) != 0 {
			t.Errorf("%s, closed by a person: commands %v, want none", events[n].describe(), commands)
		}
	}
}

func TestRefusedCommandIsSentAgain(t *testing.T) {
	out := Next(begin(), events[10], start)
	if out.Process.State != Stuck || len(out.Open) != 1 || out.Open[0].Reason != CommandRefused {
		t.Fatalf("after a refusal: state %s, work items %v", out.Process.State, out.Open)
	}
	out = Next(out.Process, SentAgain{}, start)
	if want := []Command{{PlanShipment, "orders/ord_1/releases/1"}}; out.Process.State != Planning || !slices.Equal(out.Commands, want) {
		t.Errorf("sent again: state %s commands %v, want PLANNING %v", out.Process.State, out.Commands, want)
	}
}

func TestExhaustedTendersAreClosedByTheNextOffer(t *testing.T) {
	p, _ := run(begin(), events[0], events[1])
	out := Next(p, Exhausted{Load: "loads/load_1"}, start)
	if len(out.Open) != 1 || out.Open[0].Reason != TendersExhausted || out.Open[0].Owner != Operations {
		t.Fatalf("work items %v, want TENDERS_EXHAUSTED for operations", out.Open)
	}
	out = Next(out.Process, events[1], start)
	if want := []Closing{{TendersExhausted, "loads/load_1"}}; !slices.Equal(out.Close, want) {
		t.Errorf("closes %v, want %v", out.Close, want)
	}
}

func TestExceptionsOfDeliveryAndBill(t *testing.T) {
	p, _ := run(begin(), events[:4]...)
	out := Next(p, Proven{Proof: "proofsOfDelivery/pod_1", Exceptions: true}, start)
	if len(out.Open) != 1 || out.Open[0].Reason != DeliveryException || out.Process.State != Authorizing {
		t.Errorf("proof with exceptions: work items %v, state %s", out.Open, out.Process.State)
	}
	clean := Next(out.Process, Proven{Proof: "proofsOfDelivery/pod_2"}, start)
	if want := []Closing{{DeliveryException, "shipments/shp_1"}}; !slices.Equal(clean.Close, want) {
		t.Errorf("a clean proof in its place: closes %v, want %v", clean.Close, want)
	}
	if again := Next(clean.Process, Proven{Proof: "proofsOfDelivery/pod_3", Exceptions: true}, start); len(again.Open) != 1 {
		t.Errorf("a proof with exceptions in its place: work items %v, want one", again.Open)
	}
	p, _ = run(out.Process, events[5], events[6])
	out = Next(p, events[9], start)
	if len(out.Open) != 1 || out.Open[0].Reason != FreightBillOverTolerance || out.Process.State != Settling {
		t.Errorf("bill over tolerance: work items %v, state %s", out.Open, out.Process.State)
	}
	out = Next(out.Process, events[7], start)
	if want := []Closing{{"", "freightBills/fbl_1"}}; !slices.Equal(out.Close, want) || out.Process.State != Ended {
		t.Errorf("bill approved after all: closes %v, state %s", out.Close, out.Process.State)
	}
}

// Every state with every event; the table is also the reference page.
func TestTable(t *testing.T) {
	states := []Process{begin()}
	p := begin()
	for _, e := range events[:undisturbed] {
		was := p
		p = Next(p, e, start).Process
		if p.State != was.State || p.Awaits() != was.Awaits() {
			states = append(states, p)
		}
	}
	stuck, _ := run(begin(), events[10])
	cancelling, _ := run(begin(), events[0], events[1], events[2], events[12])
	states = append(states, stuck, cancelling)

	var b strings.Builder
	b.WriteString("| state | event | state after | commands | opens | closes |\n|---|---|---|---|---|---|\n")
	for _, p := range states {
		for _, e := range events {
			out := Next(p, e, start)
			var commands, opens, closes []string
			for _, c := range out.Commands {
				commands = append(commands, string(c.Step))
			}
			for _, it := range out.Open {
				opens = append(opens, string(it.Reason))
			}
			for _, c := range out.Close {
				closes = append(closes, strings.TrimSpace(string(c.Reason)+" of "+c.Subject))
			}
			after := named(out.Process)
			if !out.Changed {
				after = "unchanged"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", named(p), e.describe(), after,
				strings.Join(commands, ", "), strings.Join(opens, ", "), strings.Join(closes, ", "))
		}
	}
	golden.Check(t, "table.md", []byte(b.String()))
}

// named is a process's state; of tendering, whether the load was offered.
func named(p Process) string {
	if p.State == Tendering && p.Offered {
		return "TENDERING, offered"
	}
	return p.State.String()
}
