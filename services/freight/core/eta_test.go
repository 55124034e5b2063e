package core_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
)

// pc1016 is the order of the day's scenario 16: CXAA, of which a status is expected every 4 hours, picks up on 03-11.
func (w *world) pc1016() *freightv1.PlanShipmentRequest {
	r := w.release("pc_1016", "PC-1016", "CUS-PIN", "LOC-NASP", "TL", "2026-03-11", line("10", "NS-PANEL-20", "180", "EA"))
	r.PickupFrom, r.PickupTo = event("2026-03-11T12:00:00Z", "America/New_York"), event("2026-03-11T20:00:00Z", "America/New_York")
	r.DeliverFrom, r.DeliverBy = event("2026-03-12T13:00:00Z", "America/Chicago"), event("2026-03-12T22:00:00Z", "America/Chicago")
	r.EtaWatch = true
	return r
}

// words are the facts about trust told since, as "2026-03-11T18:30Z EtaChanged MEDIUM [FEED_SILENT]"; others by type alone.
func (w *world) words(after uint64) []string {
	w.t.Helper()
	var out []string
	for _, f := range w.told(after) {
		out = append(out, w.word(f))
	}
	return out
}

func (w *world) word(f *eventlogv1.Fact) string {
	w.t.Helper()
	if f.GetType() != "EtaChanged" && !strings.HasPrefix(f.GetType(), "Exception") {
		return f.GetType()
	}
	m, err := f.GetPayload().UnmarshalNew()
	w.must(err)
	switch m := m.(type) {
	case *freightv1.EtaChanged:
		s := m.GetShipment()
		if s.GetEtaConfidence() != m.GetConfidence() || !slices.Equal(s.GetEtaReasons(), m.GetReasons()) {
			w.t.Errorf("the fact says %s %v, its shipment %s %v", m.GetConfidence(), m.GetReasons(), s.GetEtaConfidence(), s.GetEtaReasons())
		}
		text := fmt.Sprint("EtaChanged ", m.GetConfidence(), " ", m.GetReasons())
		if m.GetEstimate() != nil {
			text += m.GetEstimate().GetTime().AsTime().Format(" 01-02T15:04Z")
		}
		return text
	case *freightv1.ExceptionRaised:
		return "ExceptionRaised " + m.GetReason() + ": " + m.GetDetail()
	case *freightv1.ExceptionCleared:
		return "ExceptionCleared " + m.GetReason()
	}
	return f.GetType()
}

func (w *world) say(after uint64, want ...string) {
	w.t.Helper()
	if got := w.words(after); !slices.Equal(got, want) {
		w.t.Errorf("told\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func (w *world) trusts(shipment, want string) {
	w.t.Helper()
	s := w.shipment(shipment)
	if got := fmt.Sprint(s.GetEtaConfidence(), " ", s.GetEtaReasons()); got != want {
		w.t.Errorf("trust in the estimate is %s, want %s", got, want)
	}
}

// TestSilentCarrier is the day's scenario 16, with the service stopped and started between the timers.
func TestSilentCarrier(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		t.Run(fmt.Sprint("restarts ", restarts), func(t *testing.T) {
			w := newWorld(t, "2026-03-10T14:00:00Z")
			l := w.booked(w.pc1016())
			name := l.GetShipments()[0]
			w.trusts(name, "CONFIDENCE_UNSPECIFIED []")
			step := func(now string, want ...string) {
				t.Helper()
				before := w.seen()
				w.clock.Set(at(now))
				if restarts {
					w.restart()
				}
				w.drive()
				w.say(before, want...)
			}
			w.set("2026-03-11T13:50:00Z")
			begin := w.seen()
			w.claim(l.GetName(), freightv1.Milestone_ARRIVED_PICKUP, 1, "2026-03-11T09:50")
			w.say(begin, "MilestoneRecorded", "ShipmentArrivedPickup")
			w.set("2026-03-11T14:30:00Z")
			begin = w.seen()
			w.claim(l.GetName(), freightv1.Milestone_DEPARTED_PICKUP, 1, "2026-03-11T10:30")
			w.say(begin, "MilestoneRecorded", "ShipmentDeparted", "EtaChanged HIGH []")
			begin = w.seen()
			w.claim(l.GetName(), freightv1.Milestone_DEPARTED_PICKUP, 1, "2026-03-11T10:30") // again
			w.say(begin)
			step("2026-03-11T18:29:59Z")
			step("2026-03-11T18:30:00Z", "EtaChanged MEDIUM [FEED_SILENT]")
			step("2026-03-11T20:00:00Z") // the pick-up window ends; that timer was moved
			step("2026-03-11T22:29:59Z")
			step("2026-03-11T22:30:00Z", "EtaChanged LOW [FEED_SILENT]")
			step("2026-03-12T06:30:00Z", "EtaChanged NONE [FEED_SILENT ONLY_SCHEDULED]",
				"ExceptionRaised FEED_SILENT: no word of load NL26030001 from parties/CAR-CXAA since 2026-03-11T14:30:00Z")
			w.trusts(name, "NONE [FEED_SILENT ONLY_SCHEDULED]")
			expectTime(t, "the promise", w.shipment(name).GetDeliverBy(), "2026-03-12T22:00:00Z", "America/Chicago")
			w.waiting(0)
			step("2026-03-12T20:00:00Z")
			begin = w.seen()
			w.claim(l.GetName(), freightv1.Milestone_ARRIVED_DELIVERY, 2, "2026-03-12T10:30")
			w.say(begin, "MilestoneRecorded", "EtaChanged MEDIUM [FEED_SILENT]", "ExceptionCleared FEED_SILENT")
			begin = w.seen()
			w.claim(l.GetName(), freightv1.Milestone_DELIVERED, 2, "2026-03-12T11:10")
			w.say(begin, "MilestoneRecorded", "ShipmentDelivered", "LoadCompleted")
			w.trusts(name, "CONFIDENCE_UNSPECIFIED []")
			w.waiting(0)
			expectTime(t, "delivered", w.shipment(name).GetDelivered(), "2026-03-12T16:10:00Z", "America/Chicago")
			step("2026-03-20T00:00:00Z")
		})
	}
}

// The delivery may come before the arrival, and then nothing is estimated any more.
func TestSilenceEndsWithDelivery(t *testing.T) {
	w := newWorld(t, "2026-03-10T14:00:00Z")
	l := w.booked(w.pc1016())
	w.set("2026-03-11T14:30:00Z")
	w.claim(l.GetName(), freightv1.Milestone_DEPARTED_PICKUP, 1, "2026-03-11T10:30")
	w.set("2026-03-12T20:00:00Z")
	begin := w.seen()
	w.claim(l.GetName(), freightv1.Milestone_DELIVERED, 2, "2026-03-12T11:10")
	w.say(begin, "MilestoneRecorded", "ShipmentDelivered", "ExceptionCleared FEED_SILENT", "LoadCompleted")
	begin = w.seen()
	w.claim(l.GetName(), freightv1.Milestone_ARRIVED_DELIVERY, 2, "2026-03-12T10:30")
	w.claim(l.GetName(), freightv1.Milestone_DELIVERED, 2, "2026-03-12T11:20") // corrected
	w.say(begin, "MilestoneRecorded", "MilestoneRecorded", "ShipmentDelivered")
	w.waiting(0)
}

// A service that was down while all steps came due tells each of them, in order, as of its own instant.
func TestSilenceWhileDown(t *testing.T) {
	w := newWorld(t, "2026-03-10T14:00:00Z")
	l := w.booked(w.pc1016())
	w.set("2026-03-11T14:30:00Z")
	w.claim(l.GetName(), freightv1.Milestone_DEPARTED_PICKUP, 1, "2026-03-11T10:30")
	begin := w.seen()
	w.clock.Set(at("2026-03-12T12:00:00Z"))
	w.restart()
	w.drive()
	w.say(begin, "EtaChanged MEDIUM [FEED_SILENT]", "EtaChanged LOW [FEED_SILENT]", "EtaChanged NONE [FEED_SILENT ONLY_SCHEDULED]",
		"ExceptionRaised FEED_SILENT: no word of load NL26030001 from parties/CAR-CXAA since 2026-03-11T14:30:00Z")
}

// A claim that is heard before the timers of a service that was down had their turn says what is true now.
func TestWordBeforeTheTimer(t *testing.T) {
	w := newWorld(t, "2026-03-10T14:00:00Z")
	l := w.booked(w.pc1016())
	w.set("2026-03-11T14:30:00Z")
	w.claim(l.GetName(), freightv1.Milestone_DEPARTED_PICKUP, 1, "2026-03-11T10:30")
	begin := w.seen()
	w.clock.Set(at("2026-03-12T12:00:00Z"))
	w.restart()
	w.claim(l.GetName(), freightv1.Milestone_IN_TRANSIT, 0, "2026-03-12T06:00") // EDT, 10:00Z
	w.drive()
	w.say(begin, "MilestoneRecorded")
	w.set("2026-03-12T13:59:59Z")
	w.say(begin, "MilestoneRecorded")
	w.set("2026-03-12T14:00:00Z")
	w.say(begin, "MilestoneRecorded", "EtaChanged MEDIUM [FEED_SILENT]")
}

// A newer claim moves the timers from wherever they stand; an older one, whenever it comes, does not.
func TestWordMovesTheTimer(t *testing.T) {
	w := newWorld(t, "2026-03-10T14:00:00Z")
	l := w.booked(w.pc1016())
	w.set("2026-03-11T14:30:00Z")
	w.claim(l.GetName(), freightv1.Milestone_DEPARTED_PICKUP, 1, "2026-03-11T10:30")
	w.set("2026-03-11T22:30:00Z")
	w.trusts(l.GetShipments()[0], "LOW [FEED_SILENT]")
	begin := w.seen()
	w.claim(l.GetName(), freightv1.Milestone_ARRIVED_PICKUP, 1, "2026-03-11T09:50")
	w.say(begin, "MilestoneRecorded", "ShipmentArrivedPickup")
	begin = w.seen()
	w.claim(l.GetName(), freightv1.Milestone_IN_TRANSIT, 0, "2026-03-11T13:30") // 17:30Z, five hours old
	w.say(begin, "MilestoneRecorded", "EtaChanged MEDIUM [FEED_SILENT]")
	begin = w.seen()
	w.claim(l.GetName(), freightv1.Milestone_IN_TRANSIT, 0, "2026-03-11T18:30")
	w.say(begin, "MilestoneRecorded", "EtaChanged HIGH []")
	w.waiting(1)
	begin = w.seen()
	w.set("2026-03-12T02:29:59Z")
	w.say(begin)
	w.set("2026-03-12T02:30:00Z")
	w.say(begin, "EtaChanged MEDIUM [FEED_SILENT]")
}

// The carrier's own estimate is told with its trust, once, and stays when trust falls.
func TestEstimateWithTrust(t *testing.T) {
	w := newWorld(t, "2026-03-10T14:00:00Z")
	l := w.booked(w.pc1016())
	w.set("2026-03-11T14:30:00Z")
	w.claim(l.GetName(), freightv1.Milestone_DEPARTED_PICKUP, 1, "2026-03-11T10:30")
	w.set("2026-03-11T18:30:00Z")
	begin := w.seen()
	_, err := w.edi.ReportMilestone(w.ctx, &freightv1.ReportMilestoneRequest{
		Parent: l.GetName(), RequestId: w.id(), Claim: &freightv1.Claim{
			Milestone: freightv1.Milestone_ETA_CHANGED, OccurTime: stamp("2026-03-11T18:30:00Z"), Estimate: stamp("2026-03-12T23:00:00Z"),
		},
	})
	w.must(err)
	w.say(begin, "MilestoneRecorded", "EtaChanged HIGH [] 03-12T23:00Z")
	begin = w.seen()
	w.set("2026-03-11T22:30:00Z")
	w.say(begin, "EtaChanged MEDIUM [FEED_SILENT] 03-12T23:00Z")
}

// A carrier that never says a word is silent from the end of the pick-up window on: a schedule is never above medium.
func TestUnheardCarrier(t *testing.T) {
	w := newWorld(t, "2026-03-10T14:00:00Z")
	l := w.booked(w.pc1016())
	begin := w.seen()
	w.set("2026-03-11T19:59:59Z")
	w.say(begin)
	for _, x := range []struct{ now, want string }{
		{"2026-03-11T20:00:00Z", "EtaChanged MEDIUM [ONLY_SCHEDULED]"},
		{"2026-03-12T00:00:00Z", "EtaChanged MEDIUM [FEED_SILENT ONLY_SCHEDULED]"},
		{"2026-03-12T04:00:00Z", "EtaChanged LOW [FEED_SILENT ONLY_SCHEDULED]"},
	} {
		begin = w.seen()
		w.set(x.now)
		w.say(begin, x.want)
	}
	begin = w.seen()
	w.set("2026-03-12T12:00:00Z")
	w.say(begin, "EtaChanged NONE [FEED_SILENT ONLY_SCHEDULED]", "ExceptionRaised FEED_SILENT: not a word of load NL26030001 from parties/CAR-CXAA")
	begin = w.seen()
	w.claim(l.GetName(), freightv1.Milestone_DEPARTED_PICKUP, 1, "2026-03-12T07:45") // 15 minutes ago
	w.say(begin, "MilestoneRecorded", "ShipmentDeparted", "EtaChanged HIGH []", "ExceptionCleared FEED_SILENT")
}

// What is called off is waited for no more.
func TestSilenceEndsWithCancellation(t *testing.T) {
	w := newWorld(t, "2026-03-10T14:00:00Z")
	l := w.booked(w.pc1016())
	w.waiting(1)
	w.set("2026-03-12T12:00:00Z")
	begin := w.seen()
	w.cancelled(l.GetShipments()[0])
	w.say(begin, "ExceptionCleared FEED_SILENT", "TenderWithdrawn", "LoadCancelled")
	w.trusts(l.GetShipments()[0], "CONFIDENCE_UNSPECIFIED []")

	l = w.booked(func() *freightv1.PlanShipmentRequest {
		r := w.pc1016()
		r.Order, r.OrderRelease = "orders/pc_x", "orders/pc_x/releases/1"
		r.PickupFrom, r.PickupTo = event("2026-03-13T12:00:00Z", "America/New_York"), event("2026-03-13T20:00:00Z", "America/New_York")
		return r
	}())
	w.waiting(1)
	w.cancelled(l.GetShipments()[0])
	w.waiting(0)
}

// Without the customer's wish, or with a carrier of which no interval is expected, nobody waits.
func TestNobodyWatches(t *testing.T) {
	w := newWorld(t, "2026-03-10T14:00:00Z")
	r := w.pc1016()
	r.EtaWatch = false
	l := w.booked(r)
	w.set("2026-03-11T14:30:00Z")
	w.claim(l.GetName(), freightv1.Milestone_DEPARTED_PICKUP, 1, "2026-03-11T10:30")
	begin := w.seen()
	w.waiting(0)
	w.set("2026-03-12T12:00:00Z")
	w.say(begin)
	w.trusts(l.GetShipments()[0], "CONFIDENCE_UNSPECIFIED []")

	w = newWorld(t, "2026-03-10T14:00:00Z")
	for _, m := range seed(t) {
		if p, ok := m.(*masterdatav1.PartyChanged); ok && p.GetParty().GetName() == "parties/CAR-CXAA" {
			p = proto.CloneOf(p)
			p.Party.Carrier.ExpectedStatusIntervalHours = 0
			w.tell(p)
		}
	}
	w.booked(w.pc1016())
	w.waiting(0)
}

// Of a load that several share, those that were handed over are waited for no more, and the others are.
func TestSilenceOfAShare(t *testing.T) {
	w := newWorld(t, "2026-03-10T13:00:00Z")
	plans := []*freightv1.PlanShipmentRequest{w.pc1017(), w.hh1017()}
	var l *freightv1.Load
	for _, r := range plans {
		r.EtaWatch = true
		l = w.load(w.plan(r).GetLoad())
	}
	w.set("2026-03-10T13:05:00Z")
	w.accept(w.offer(l.GetName()).GetName(), "PRO-17")
	w.waiting(2)
	w.set("2026-03-11T13:00:00Z")
	begin := w.seen()
	w.claim(l.GetName(), freightv1.Milestone_DEPARTED_PICKUP, 1, "2026-03-11T09:00")
	w.say(begin, "MilestoneRecorded", "ShipmentDeparted", "ShipmentDeparted", "EtaChanged HIGH []", "EtaChanged HIGH []")
	w.set("2026-03-11T16:50:00Z")
	begin = w.seen()
	w.claim(l.GetName(), freightv1.Milestone_DELIVERED, 2, "2026-03-11T12:45")
	w.say(begin, "MilestoneRecorded", "ShipmentDelivered")
	w.waiting(1)
	w.set("2026-03-11T20:45:00Z")
	w.trusts(l.GetShipments()[0], "CONFIDENCE_UNSPECIFIED []")
	w.trusts(l.GetShipments()[1], "MEDIUM [FEED_SILENT]")
}
