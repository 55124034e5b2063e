package core_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
)

// proven writes the facts of accessorials told since as "DET 90.00 USD at stop 3 for HH-1017, load 1141.48 USD".
func (w *world) proven(after uint64) []string {
	w.t.Helper()
	var out []string
	for _, f := range w.told(after) {
		if f.GetType() != "AccessorialProven" {
			continue
		}
		var m freightv1.AccessorialProven
		w.must(f.GetPayload().UnmarshalTo(&m))
		out = append(out, fmt.Sprintf("%s %s at stop %d for %s, load %s", m.GetCharge().GetCode(), usd(m.GetCharge().GetAmount()), m.GetStop(),
			m.GetShipment().GetCustomerOrderNumber(), usd(m.GetLoad().GetCharges().GetTotal())))
	}
	return out
}

func (w *world) proves(after uint64, want ...string) {
	w.t.Helper()
	if got := w.proven(after); !slices.Equal(got, want) {
		w.t.Errorf("proven %q, want %q", got, want)
	}
}

// shared books the two orders of the day's scenario 17 on one load; Chicago's appointment is 08:00 CDT.
func (w *world) shared() *freightv1.Load {
	w.t.Helper()
	near, far := w.pc1017(), w.hh1017()
	near.DeliverFrom, near.DeliverBy = event("2026-03-11T12:00:00Z", "America/New_York"), event("2026-03-11T21:00:00Z", "America/New_York")
	far.DeliverFrom, far.DeliverBy = event("2026-03-12T13:00:00Z", "America/Chicago"), event("2026-03-12T22:00:00Z", "America/Chicago")
	w.plan(near)
	l := w.load(w.plan(far).GetLoad())
	w.set("2026-03-10T13:05:00Z")
	w.accept(w.offer(l.GetName()).GetName(), "PRO-17")
	l = w.load(l.GetName())
	if got, want := charges(l.GetCharges()), "LHS 771.85 USD, FUE 204.63 USD, SOC 75.00 USD = 1051.48 USD"; got != want || len(l.GetStops()) != 3 {
		w.t.Fatalf("booked for %s with %d stops, want %s with 3", got, len(l.GetStops()), want)
	}
	return l
}

// TestDetention is the day's scenario 17 from the departure on: every claim at its stop, detention at stop 3 alone.
func TestDetention(t *testing.T) {
	w := newWorld(t, "2026-03-10T13:00:00Z")
	l := w.shared()
	near, far := l.GetShipments()[0], l.GetShipments()[1]
	for _, x := range []struct {
		received string
		m        freightv1.Milestone
		stop     int32
		local    string
		told     string
	}{
		{"2026-03-11T12:30:00Z", freightv1.Milestone_ARRIVED_PICKUP, 1, "2026-03-11T08:30", "MilestoneRecorded ShipmentArrivedPickup ShipmentArrivedPickup"},
		{"2026-03-11T13:00:00Z", freightv1.Milestone_DEPARTED_PICKUP, 1, "2026-03-11T09:00", "MilestoneRecorded ShipmentDeparted ShipmentDeparted"},
		{"2026-03-11T17:00:00Z", freightv1.Milestone_ARRIVED_DELIVERY, 2, "2026-03-11T13:00", "MilestoneRecorded"},
		{"2026-03-11T17:40:00Z", freightv1.Milestone_DELIVERED, 2, "2026-03-11T13:40", "MilestoneRecorded ShipmentDelivered"},
		{"2026-03-12T09:00:00Z", freightv1.Milestone_IN_TRANSIT, 0, "2026-03-12T05:00", "MilestoneRecorded"},
		{"2026-03-12T14:05:00Z", freightv1.Milestone_ARRIVED_DELIVERY, 3, "2026-03-12T09:05", "MilestoneRecorded"},
		{"2026-03-12T16:40:00Z", freightv1.Milestone_DELIVERED, 3, "2026-03-12T11:40", "MilestoneRecorded ShipmentDelivered LoadCompleted"},
	} {
		w.set(x.received)
		begin := w.seen()
		w.claim(l.GetName(), x.m, x.stop, x.local)
		w.tells(begin, strings.Fields(x.told)...)
		if x.stop == 2 && x.m == freightv1.Milestone_DELIVERED {
			if a, b := w.shipment(near).GetState(), w.shipment(far).GetState(); a != freightv1.Shipment_DELIVERED || b != freightv1.Shipment_IN_TRANSIT {
				t.Errorf("delivered at stop 2: PC-1017 is %s, HH-1017 %s; want DELIVERED, IN_TRANSIT", a, b)
			}
		}
	}
	w.set("2026-03-12T17:10:00Z")
	w.restart()
	begin := w.seen()
	departed := w.claim(l.GetName(), freightv1.Milestone_DEPARTED_DELIVERY, 3, "2026-03-12T12:10")
	facts := w.tells(begin, "MilestoneRecorded", "AccessorialProven")
	w.proves(begin, "DET 90.00 USD at stop 3 for HH-1017, load 1141.48 USD")
	var told freightv1.AccessorialProven
	w.must(facts[1].GetPayload().UnmarshalTo(&told))
	for _, want := range []string{departed.GetName(), "185 min, 120 min free", "arrived 2026-03-12T14:05:00Z (loads/", "departed 2026-03-12T17:10:00Z"} {
		if !strings.Contains(told.GetEvidence(), want) {
			t.Errorf("evidence %q, want %q in it", told.GetEvidence(), want)
		}
	}
	if facts[1].GetSubject() != l.GetName() || !slices.Contains(facts[1].GetRelated(), "po:HH-1017") {
		t.Errorf("told of %s, related to %v; want the load and po:HH-1017", facts[1].GetSubject(), facts[1].GetRelated())
	}
	l = w.load(l.GetName())
	if got, want := charges(l.GetCharges()), "LHS 771.85 USD, FUE 204.63 USD, SOC 75.00 USD, DET 90.00 USD = 1141.48 USD"; got != want {
		t.Errorf("charges %s, want %s", got, want)
	}
	if got, want := w.parts(l), []string{
		"PC-1017 LHS 308.74 USD, FUE 81.85 USD, SOC 30.00 USD = 420.59 USD",
		"HH-1017 LHS 463.11 USD, FUE 122.78 USD, SOC 45.00 USD, DET 90.00 USD = 720.89 USD",
	}; !slices.Equal(got, want) {
		t.Errorf("borne\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := explain(l.GetCharges().GetExplanation()); !strings.Contains(got, "1141.48") || !strings.Contains(got, "DET 90.00 USD") {
		t.Errorf("the explanation does not lead to 1141.48 and DET 90.00:\n%s", got)
	}
}

// The claims of the two delivery stops in many orders: the end is the same, and the last amount told is the one owed.
func TestDetentionInEveryOrder(t *testing.T) {
	type claim struct {
		m     freightv1.Milestone
		stop  int32
		local string
	}
	claims := []claim{
		{freightv1.Milestone_ARRIVED_DELIVERY, 3, "2026-03-12T09:05"}, {freightv1.Milestone_DELIVERED, 3, "2026-03-12T11:40"},
		{freightv1.Milestone_DEPARTED_DELIVERY, 3, "2026-03-12T12:10"}, {freightv1.Milestone_DELIVERED, 2, "2026-03-11T13:40"},
	}
	for turn := range claims {
		w := newWorld(t, "2026-03-10T13:00:00Z")
		l := w.shared()
		w.set("2026-03-12T18:00:00Z")
		begin := w.seen()
		arrived := append(slices.Clone(claims[turn:]), claims[:turn]...)
		if turn%2 == 1 {
			slices.Reverse(arrived)
		}
		for _, c := range append(arrived, arrived...) { // and each again
			w.claim(l.GetName(), c.m, c.stop, c.local)
		}
		w.proves(begin, "DET 90.00 USD at stop 3 for HH-1017, load 1141.48 USD")
		if l = w.load(l.GetName()); l.GetState() != freightv1.Load_COMPLETED || usd(l.GetCharges().GetTotal()) != "1141.48 USD" {
			t.Errorf("turn %d: load %s for %s, want COMPLETED for 1141.48 USD", turn, l.GetState(), usd(l.GetCharges().GetTotal()))
		}
	}
}

// A corrected time makes another amount, which replaces the one before; the same amount is not told again.
func TestDetentionCorrected(t *testing.T) {
	w := newWorld(t, "2026-03-10T13:00:00Z")
	l := w.shared()
	w.set("2026-03-12T20:00:00Z")
	w.claim(l.GetName(), freightv1.Milestone_ARRIVED_DELIVERY, 3, "2026-03-12T09:05")
	for _, x := range []struct {
		name  string
		m     freightv1.Milestone
		stop  int32
		local string
		told  string
		cost  string
	}{
		{"proven", freightv1.Milestone_DEPARTED_DELIVERY, 3, "2026-03-12T12:10", "DET 90.00 USD at stop 3 for HH-1017, load 1141.48 USD", "1141.48"},
		{"the same half hour", freightv1.Milestone_DEPARTED_DELIVERY, 3, "2026-03-12T12:20", "", "1141.48"},
		{"later", freightv1.Milestone_DEPARTED_DELIVERY, 3, "2026-03-12T12:40", "DET 120.00 USD at stop 3 for HH-1017, load 1171.48 USD", "1171.48"},
		{"arrived later", freightv1.Milestone_ARRIVED_DELIVERY, 3, "2026-03-12T10:35", "DET 30.00 USD at stop 3 for HH-1017, load 1081.48 USD", "1081.48"},
		{"arrived later still", freightv1.Milestone_ARRIVED_DELIVERY, 3, "2026-03-12T11:00", "DET 0.00 USD at stop 3 for HH-1017, load 1051.48 USD", "1051.48"},
		{"departed later again", freightv1.Milestone_DEPARTED_DELIVERY, 3, "2026-03-12T13:01", "DET 30.00 USD at stop 3 for HH-1017, load 1081.48 USD", "1081.48"},
		{"arrived at the stop before", freightv1.Milestone_ARRIVED_DELIVERY, 2, "2026-03-11T13:00", "", "1081.48"},
		{"and waited there", freightv1.Milestone_DEPARTED_DELIVERY, 2, "2026-03-11T16:00", "DET 60.00 USD at stop 2 for PC-1017, load 1141.48 USD", "1141.48"},
		{"which stays when stop 3 changes", freightv1.Milestone_DEPARTED_DELIVERY, 3, "2026-03-12T13:31", "DET 60.00 USD at stop 3 for HH-1017, load 1171.48 USD", "1171.48"},
	} {
		begin := w.seen()
		w.claim(l.GetName(), x.m, x.stop, x.local)
		var want []string
		if x.told != "" {
			want = append(want, x.told)
		}
		if got := w.proven(begin); !slices.Equal(got, want) {
			t.Errorf("%s: proven %q, want %q", x.name, got, want)
		}
		c := w.load(l.GetName()).GetCharges()
		if usd(c.GetTotal()) != x.cost+" USD" {
			t.Errorf("%s: load costs %s, want %s", x.name, usd(c.GetTotal()), x.cost)
		}
	}
	if got, want := w.parts(w.load(l.GetName())), []string{
		"PC-1017 LHS 308.74 USD, FUE 81.85 USD, SOC 30.00 USD, DET 60.00 USD = 480.59 USD",
		"HH-1017 LHS 463.11 USD, FUE 122.78 USD, SOC 45.00 USD, DET 60.00 USD = 690.89 USD",
	}; !slices.Equal(got, want) {
		t.Errorf("borne\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Waiting is owed by the contract that priced the load, whatever has come since; and by none that has no terms for it.
func TestDetentionTerms(t *testing.T) {
	w := newWorld(t, "2026-03-10T13:00:00Z")
	l := w.shared()
	for _, m := range seed(t) {
		c, ok := m.(*masterdatav1.ContractApproved)
		if !ok || c.GetContract().GetParty() != "parties/CAR-CXAA" {
			continue
		}
		c.Contract.Name, c.Contract.Version = "contracts/CAR-CXAA-2", 2
		c.Contract.GetCarrierTariff().Detention.RatePerHour = amount("600.00", "USD")
		w.tell(c)
	}
	w.set("2026-03-12T20:00:00Z")
	begin := w.seen()
	w.claim(l.GetName(), freightv1.Milestone_ARRIVED_DELIVERY, 3, "2026-03-12T09:05")
	w.claim(l.GetName(), freightv1.Milestone_DEPARTED_DELIVERY, 3, "2026-03-12T12:10")
	w.proves(begin, "DET 90.00 USD at stop 3 for HH-1017, load 1141.48 USD")

	w = newWorld(t, "2026-03-02T12:00:00Z")
	l = w.booked(w.happy()) // by CXBB, whose tariff has no detention
	w.set("2026-03-05T00:00:00Z")
	begin = w.seen()
	w.claim(l.GetName(), freightv1.Milestone_ARRIVED_DELIVERY, 2, "2026-03-04T08:40")
	w.claim(l.GetName(), freightv1.Milestone_DEPARTED_DELIVERY, 2, "2026-03-04T15:00")
	w.proves(begin)
	if got, want := charges(w.load(l.GetName()).GetCharges()), charges(l.GetCharges()); got != want {
		t.Errorf("charges %s, want %s as booked", got, want)
	}
}

// Whoever pays the carrier itself pays its waiting too.
func TestDetentionOfACollectLoad(t *testing.T) {
	w := newWorld(t, "2026-03-02T12:00:00Z")
	l := w.booked(w.release("ord_c", "A99999-01", "CUS-SNX", "LOC-ATHGA", "LTL", "2026-03-03", line("1", "SNX-2222", "16", "CS")))
	w.set("2026-03-06T00:00:00Z")
	begin := w.seen()
	w.claim(l.GetName(), freightv1.Milestone_ARRIVED_DELIVERY, 2, "2026-03-05T08:40")
	w.claim(l.GetName(), freightv1.Milestone_DEPARTED_DELIVERY, 2, "2026-03-05T15:00")
	w.proves(begin)
	if c := w.load(l.GetName()).GetCharges(); c != nil {
		t.Errorf("charges %s, want none", charges(c))
	}
}

// Many callers tell the same departure, and corrections of it, at once: every amount is told once, and the last is the one owed.
func TestDetentionAtOnce(t *testing.T) {
	w := newWorld(t, "2026-03-10T13:00:00Z")
	l := w.shared()
	w.set("2026-03-12T20:00:00Z")
	w.claim(l.GetName(), freightv1.Milestone_ARRIVED_DELIVERY, 3, "2026-03-12T09:05")
	begin := w.seen()
	var wg sync.WaitGroup
	for i := range 24 {
		r := &freightv1.ReportMilestoneRequest{Parent: l.GetName(), RequestId: fmt.Sprint("at-once-", i), Claim: &freightv1.Claim{
			Milestone: freightv1.Milestone_DEPARTED_DELIVERY, Stop: 3, LocalTime: []string{"2026-03-12T12:10", "2026-03-12T12:40", "2026-03-12T11:00"}[i%3],
		}}
		wg.Go(func() {
			if _, err := w.edi.ReportMilestone(w.ctx, r); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := w.proven(begin)
	if again := slices.Compact(slices.Clone(got)); !slices.Equal(got, again) || len(got) == 0 || got[len(got)-1] != "DET 120.00 USD at stop 3 for HH-1017, load 1171.48 USD" {
		t.Errorf("proven %q, want no amount twice in a row and DET 120.00 last", got)
	}
	if got := usd(w.load(l.GetName()).GetCharges().GetTotal()); got != "1171.48 USD" {
		t.Errorf("load costs %s, want 1171.48 USD", got)
	}
}

// The truck of a load that was called off may come all the same; it is owed what was said then, and no waiting.
func TestDetentionOfACancelledLoad(t *testing.T) {
	w := newWorld(t, "2026-03-05T21:00:00Z")
	l := w.booked(w.panels("pc_1005"))
	w.cancelled(l.GetShipments()[0])
	w.set("2026-03-07T20:00:00Z")
	begin := w.seen()
	w.claim(l.GetName(), freightv1.Milestone_ARRIVED_DELIVERY, 2, "2026-03-07T09:05")
	w.claim(l.GetName(), freightv1.Milestone_DEPARTED_DELIVERY, 2, "2026-03-07T14:10")
	w.proves(begin)
	if got, want := charges(w.load(l.GetName()).GetCharges()), "TON 200.00 USD = 200.00 USD"; got != want {
		t.Errorf("charges %s, want %s", got, want)
	}
}
