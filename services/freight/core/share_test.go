package core_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
)

// pc1017 and hh1017 are the two orders of the day's scenario 17.
func (w *world) pc1017() *freightv1.PlanShipmentRequest {
	r := w.release("pc_1017", "PC-1017", "CUS-PIN", "LOC-INDP", "TL", "2026-03-11", line("10", "NS-PANEL-20", "100", "EA"))
	r.Consolidate = true
	return r
}

func (w *world) hh1017() *freightv1.PlanShipmentRequest {
	r := w.release("hh_1017", "HH-1017", "CUS-HHS", "LOC-CHI", "TL", "2026-03-11", line("10", "NS-PUMP-10", "225", "EA"))
	r.Consolidate = true
	return r
}

// route writes the stops as "1 PICKUP LOC-CMH [PC-1017 HH-1017]".
func (w *world) route(l *freightv1.Load) string {
	w.t.Helper()
	var out []string
	for _, s := range l.GetStops() {
		var aboard []string
		for _, name := range s.GetShipments() {
			aboard = append(aboard, w.shipment(name).GetCustomerOrderNumber())
		}
		out = append(out, fmt.Sprint(s.GetSequence(), " ", s.GetRole(), " ", strings.TrimPrefix(s.GetLocation(), "locations/"), " ", aboard))
	}
	return strings.Join(out, ", ")
}

// parts writes what each shipment bears as "PC-1017 LHS 308.74 USD, ... = 420.59 USD".
func (w *world) parts(l *freightv1.Load) []string {
	w.t.Helper()
	var out []string
	for _, a := range l.GetCharges().GetAllocations() {
		out = append(out, w.shipment(a.GetShipment()).GetCustomerOrderNumber()+" "+charges(&freightv1.RatedCharges{Charges: a.GetCharges(), Total: a.GetTotal()}))
	}
	return out
}

// TestTwoOrdersOneLoad is the day's scenario 17 as far as planning, tendering and milestones go, in both orders of planning.
func TestTwoOrdersOneLoad(t *testing.T) {
	for _, farFirst := range []bool{false, true} {
		t.Run(fmt.Sprint("far first ", farFirst), func(t *testing.T) {
			w := newWorld(t, "2026-03-10T13:00:00Z")
			begin := w.seen()
			plans := []*freightv1.PlanShipmentRequest{w.pc1017(), w.hh1017()}
			if farFirst {
				slices.Reverse(plans)
			}
			byPO := map[string]*freightv1.Shipment{}
			for _, r := range plans {
				s := w.plan(r)
				byPO[s.GetCustomerOrderNumber()] = s
				l, err := w.workflow.TenderLoad(w.ctx, &freightv1.TenderLoadRequest{Name: s.GetLoad(), RequestId: w.id()})
				if err != nil || l.GetState() != freightv1.Load_PLANNED || l.GetTender() != "" {
					t.Errorf("tender of a load that may be joined: %s %q %v, want PLANNED as it is", l.GetState(), l.GetTender(), err)
				}
			}
			near, far := byPO["PC-1017"], byPO["HH-1017"]
			if near.GetLoad() != far.GetLoad() {
				t.Fatalf("loads %s and %s, want one", near.GetLoad(), far.GetLoad())
			}
			w.tells(begin, "ShipmentPlanned", "ShipmentPlanned")
			l := w.load(near.GetLoad())
			both := "[PC-1017 HH-1017]"
			if farFirst {
				both = "[HH-1017 PC-1017]"
			}
			if got, want := w.route(l), "1 PICKUP LOC-CMH "+both+", 2 DELIVERY LOC-INDP [PC-1017], 3 DELIVERY LOC-CHI [HH-1017]"; got != want {
				t.Errorf("stops: %s, want %s", got, want)
			}
			if got := l.GetGrossWeight().GetValue(); got != "15000" || l.GetLane() != "lanes/LANE-CHI" || l.GetEquipment() != "TL53" || l.GetCartons() != 325 {
				t.Errorf("load of %s on %s by %s, %d cartons; want 15000 on lanes/LANE-CHI by TL53, 325", got, l.GetLane(), l.GetEquipment(), l.GetCartons())
			}
			if got := l.GetJoinUntil().AsTime(); !got.Equal(at("2026-03-10T13:05:00Z")) {
				t.Errorf("may be joined until %s, want 13:05", got)
			}

			begin = w.seen()
			w.set("2026-03-10T13:04:59Z")
			w.tells(begin)
			w.clock.Set(at("2026-03-10T13:05:00Z"))
			w.restart()
			w.drive()
			w.tells(begin, "LoadTendered")
			o := w.offer(l.GetName())
			if got, want := charges(o.GetCharges()), "LHS 771.85 USD, FUE 204.63 USD, SOC 75.00 USD = 1051.48 USD"; o.GetScac() != "CXAA" || got != want {
				t.Errorf("offered to %s for %s, want CXAA for %s", o.GetScac(), got, want)
			}
			if tree := explain(o.GetCharges().GetExplanation()); !strings.Contains(tree, "LANE-INDP 176 SMI") || !strings.Contains(tree, "LANE-INDP-CHI 183 SMI") {
				t.Errorf("explanation does not lead to the legs:\n%s", tree)
			}
			if len(o.GetStops()) != 3 || len(o.GetCustomerOrderNumbers()) != 2 || o.GetGrossWeight().GetValue() != "15000" {
				t.Errorf("offer of %d stops, orders %v, %s; want 3, both, 15000", len(o.GetStops()), o.GetCustomerOrderNumbers(), o.GetGrossWeight())
			}

			w.set("2026-03-10T15:00:00Z")
			begin = w.seen()
			w.accept(o.GetName(), "PRO-17")
			told := w.tells(begin, "TenderAccepted", "LoadBooked")
			var booked freightv1.LoadBooked
			w.must(told[1].GetPayload().UnmarshalTo(&booked))
			if len(booked.GetShipments()) != 2 || !proto.Equal(booked.GetLoad(), w.load(l.GetName())) {
				t.Errorf("LoadBooked tells %v", &booked)
			}
			want := []string{
				"PC-1017 LHS 308.74 USD, FUE 81.85 USD, SOC 30.00 USD = 420.59 USD", "HH-1017 LHS 463.11 USD, FUE 122.78 USD, SOC 45.00 USD = 630.89 USD",
			}
			if farFirst {
				slices.Reverse(want)
			}
			if got := w.parts(booked.GetLoad()); !slices.Equal(got, want) {
				t.Errorf("borne: %q, want %q", got, want)
			}
			a := w.server.Partner("parties/CAR-CXAA", "freight.read").Do("GET", "/v1/"+l.GetName(), "")
			if a.Status != 200 || strings.Contains(string(a.Body), "allocations") || !strings.Contains(string(a.Body), "PRO-17") {
				t.Errorf("the carrier is shown %d %s, want the load without what each customer's shipment bears", a.Status, a.Body)
			}

			for _, x := range []struct {
				received  string
				m         freightv1.Milestone
				stop      int32
				local     string
				facts     string
				near, far freightv1.Shipment_State
			}{
				{"2026-03-11T12:40:00Z", freightv1.Milestone_ARRIVED_PICKUP, 1, "2026-03-11T08:30",
					"MilestoneRecorded ShipmentArrivedPickup ShipmentArrivedPickup", freightv1.Shipment_AT_PICKUP, freightv1.Shipment_AT_PICKUP},
				{"2026-03-11T13:00:00Z", freightv1.Milestone_DEPARTED_PICKUP, 1, "2026-03-11T09:00",
					"MilestoneRecorded ShipmentDeparted ShipmentDeparted", freightv1.Shipment_IN_TRANSIT, freightv1.Shipment_IN_TRANSIT},
				{"2026-03-11T17:00:00Z", freightv1.Milestone_ARRIVED_DELIVERY, 2, "2026-03-11T13:00",
					"MilestoneRecorded", freightv1.Shipment_AT_DELIVERY, freightv1.Shipment_IN_TRANSIT},
				{"2026-03-11T17:40:00Z", freightv1.Milestone_DELIVERED, 2, "2026-03-11T13:40",
					"MilestoneRecorded ShipmentDelivered", freightv1.Shipment_DELIVERED, freightv1.Shipment_IN_TRANSIT},
				{"2026-03-12T14:05:00Z", freightv1.Milestone_ARRIVED_DELIVERY, 3, "2026-03-12T09:05",
					"MilestoneRecorded", freightv1.Shipment_DELIVERED, freightv1.Shipment_AT_DELIVERY},
				{"2026-03-12T16:40:00Z", freightv1.Milestone_DELIVERED, 3, "2026-03-12T11:40",
					"MilestoneRecorded ShipmentDelivered LoadCompleted", freightv1.Shipment_DELIVERED, freightv1.Shipment_DELIVERED},
			} {
				w.set(x.received)
				begin = w.seen()
				w.claim(l.GetName(), x.m, x.stop, x.local)
				w.tells(begin, strings.Fields(x.facts)...)
				if n, f := w.shipment(near.GetName()).GetState(), w.shipment(far.GetName()).GetState(); n != x.near || f != x.far {
					t.Errorf("after %s at stop %d: PC-1017 %s, HH-1017 %s; want %s, %s", x.m, x.stop, n, f, x.near, x.far)
				}
				if x.stop == 2 { // a proof names load and order
					p, err := w.edi.CreateProofOfDelivery(w.ctx, &freightv1.CreateProofOfDeliveryRequest{RequestId: w.id(), ProofOfDelivery: &freightv1.ProofOfDelivery{
						Load: l.GetNumber(), Order: "PC-1017", Type: freightv1.ProofOfDelivery_PHOTO, SignedAt: timestamppb.New(w.clock.Now()), ReceivedBy: "J. Example", Pieces: 100,
					}})
					if err != nil || p.GetShipment() != near.GetName() {
						t.Errorf("the proof of PC-1017 proves %q (%v), want %s", p.GetShipment(), err, near.GetName())
					}
				}
			}
			expectTime(t, "PC-1017 delivered", w.shipment(near.GetName()).GetDelivered(), "2026-03-11T17:40:00Z", "America/Indiana/Indianapolis")
			expectTime(t, "HH-1017 delivered", w.shipment(far.GetName()).GetDelivered(), "2026-03-12T16:40:00Z", "America/Chicago")
			expectTime(t, "HH-1017 departed", w.shipment(far.GetName()).GetDeparted(), "2026-03-11T13:00:00Z", "America/New_York")
			if got := w.load(l.GetName()).GetState(); got != freightv1.Load_COMPLETED {
				t.Errorf("load %s, want COMPLETED", got)
			}
			if w.shipment(far.GetName()).GetProofOfDelivery() != "" {
				t.Error("the proof of PC-1017 proves HH-1017")
			}
		})
	}
}

// TestSharedNextCarrier: the flat price of the last stop's lane and the other carrier's stop-off; a carrier's part is none of what
// the first one asked.
func TestSharedNextCarrier(t *testing.T) {
	w := newWorld(t, "2026-03-10T13:00:00Z")
	l := w.load(w.plan(w.pc1017()).GetLoad())
	w.plan(w.hh1017())
	w.set("2026-03-10T13:05:00Z")
	w.decline(w.offer(l.GetName()).GetName())
	second := w.offer(l.GetName())
	if got, want := charges(second.GetCharges()), "LHS 1010.00 USD, SOC 90.00 USD = 1100.00 USD"; second.GetScac() != "CXCC" || got != want {
		t.Errorf("offered to %s for %s, want CXCC for %s", second.GetScac(), got, want)
	}
	w.accept(second.GetName(), "")
	if got, want := w.parts(w.load(l.GetName())), []string{"PC-1017 LHS 404.00 USD, SOC 36.00 USD = 440.00 USD", "HH-1017 LHS 606.00 USD, SOC 54.00 USD = 660.00 USD"}; !slices.Equal(got, want) {
		t.Errorf("borne: %q, want %q", got, want)
	}
}

// TestWhoShares: a shipment joins what ships with it and has room, and nothing else.
func TestWhoShares(t *testing.T) {
	type request = freightv1.PlanShipmentRequest
	for _, x := range []struct {
		name  string
		other func(w *world) *request
		joins bool
	}{
		{"as in the day", func(w *world) *request { return w.hh1017() }, true},
		{"the last instant before the offer", func(w *world) *request { w.clock.Set(at("2026-03-10T13:04:59Z")); return w.hh1017() }, true},
		{"the instant of the offer, before the timer has run", func(w *world) *request { w.clock.Set(at("2026-03-10T13:05:00Z")); return w.hh1017() }, false},
		{"after the offer", func(w *world) *request { w.set("2026-03-10T13:05:00Z"); return w.hh1017() }, false},
		{"to fill the trailer to the pound", func(w *world) *request {
			r := w.hh1017()
			r.Lines[0].Quantity.Value = "950" // 38,000 lb beside 6,000
			return r
		}, true},
		{"a pound too much", func(w *world) *request {
			r := w.hh1017()
			r.Lines[0].Quantity.Value = "951"
			return r
		}, false},
		{"too bulky", func(w *world) *request {
			w.tell(&masterdatav1.ItemChanged{Item: &masterdatav1.Item{
				Name: "items/FOAM", BaseUnit: "EA", GrossWeight: &typev1.Quantity{Value: "1", Unit: "LBR"}, UnitsPerCarton: 1,
				CartonDimensions: []string{"12", "12", "12"}, DimensionUnit: "INH",
			}})
			r := w.hh1017()
			r.Lines[0].Item, r.Lines[0].Quantity.Value = "items/FOAM", "3201" // 600 + 3,201 cubic feet
			return r
		}, false},
		{"not to be consolidated", func(w *world) *request { r := w.hh1017(); r.Consolidate = false; return r }, false},
		{"less than a truckload", func(w *world) *request { r := w.hh1017(); r.Mode = "LTL"; return r }, false},
		{"of another day", func(w *world) *request { r := w.hh1017(); r.ShipDate = day("2026-03-12"); return r }, false},
		{"of another legal entity", func(w *world) *request { r := w.hh1017(); r.LegalEntity = "legalEntities/LE-NL"; return r }, false},
		{"picked up at another time", func(w *world) *request {
			r := w.hh1017()
			r.PickupFrom, r.PickupTo = event("2026-03-11T21:00:01Z", "America/New_York"), event("2026-03-11T22:00:00Z", "America/New_York")
			return r
		}, false},
		{"the customer pays the carrier", func(w *world) *request {
			w.tell(contract("CUS-HHS", "USD", &masterdatav1.Contract{Terms: &masterdatav1.Contract_CustomerTerms{
				CustomerTerms: &masterdatav1.CustomerTerms{FreightTerms: masterdatav1.CustomerTerms_COLLECT},
			}}))
			return w.hh1017()
		}, false},
		{"of the same order", func(w *world) *request {
			r := w.hh1017()
			r.Order, r.OrderRelease = "orders/pc_1017", "orders/pc_1017/releases/2"
			return r
		}, false},
		{"no way from stop to stop on file", func(w *world) *request {
			r := w.hh1017()
			r.ShipTo = "locations/LOC-PITH"
			return r
		}, false},
		{"without a routing guide", func(w *world) *request {
			r := w.hh1017()
			w.tell(guide("LANE-CHI", "TL"))
			return r
		}, false},
		{"by other equipment", func(w *world) *request {
			w.tell(&masterdatav1.PartyChanged{Party: &masterdatav1.Party{Name: "parties/CAR-CXEU", Carrier: &masterdatav1.CarrierProfile{
				Scac: "CXEU", Equipment: "EU13M6", TenderCalendar: "calendars/CAL-CXAA", TenderTimeoutHours: 4,
			}}}, guide("LANE-CHI", "TL", "CXEU"))
			return w.hh1017()
		}, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t, "2026-03-10T13:00:00Z")
			first := w.plan(w.pc1017())
			second := w.plan(x.other(w))
			if joins := first.GetLoad() == second.GetLoad(); joins != x.joins {
				t.Errorf("shares a load: %t, want %t", joins, x.joins)
			}
			w.drive() // the offers that are due go out, and the store verifies at the end
		})
	}
}

// Two shipments to one site are one stop, in the window that both keep.
func TestOneStopForOneSite(t *testing.T) {
	w := newWorld(t, "2026-03-10T13:00:00Z")
	first := w.plan(w.pc1017())
	r := w.pc1017()
	r.Order, r.OrderRelease, r.CustomerOrderNumber = "orders/pc_2", "orders/pc_2/releases/1", "PC-2"
	r.DeliverFrom, r.DeliverBy = event("2026-03-12T15:00:00Z", "America/Indiana/Indianapolis"), event("2026-03-12T23:00:00Z", "America/Indiana/Indianapolis")
	w.plan(r)
	l := w.load(first.GetLoad())
	if got, want := w.route(l), "1 PICKUP LOC-CMH [PC-1017 PC-2], 2 DELIVERY LOC-INDP [PC-1017 PC-2]"; got != want {
		t.Fatalf("stops: %s, want %s", got, want)
	}
	expectTime(t, "window from", l.GetStops()[1].GetWindowFrom(), "2026-03-12T15:00:00Z", "America/Indiana/Indianapolis")
	expectTime(t, "window to", l.GetStops()[1].GetWindowTo(), first.GetDeliverBy().GetTime().AsTime().Format("2006-01-02T15:04:05Z"), "America/New_York")
	w.set("2026-03-10T13:05:00Z")
	// two stops: no stop-off; 176 mi × 2.15 = 378.40 → minimum 450.00; 176 × 0.57 = 100.32
	if got, want := charges(w.offer(l.GetName()).GetCharges()), "LHS 450.00 USD, FUE 100.32 USD = 550.32 USD"; got != want {
		t.Errorf("offered for %s, want %s", got, want)
	}
}

// TestSharedAlone: nobody joined; the load goes its way when the time has passed, as any other.
func TestSharedAlone(t *testing.T) {
	w := newWorld(t, "2026-03-10T13:00:00Z")
	l := w.load(w.plan(w.pc1017()).GetLoad())
	begin := w.seen()
	w.set("2026-03-10T13:05:00Z")
	w.tells(begin, "LoadTendered")
	w.waiting(1)
	w.accept(w.offer(l.GetName()).GetName(), "")
	if got, want := w.parts(w.load(l.GetName())), []string{"PC-1017 LHS 450.00 USD, FUE 100.32 USD = 550.32 USD"}; !slices.Equal(got, want) {
		t.Errorf("borne: %q, want %q", got, want)
	}
}

// TestCancelShared: before the offer a shipment leaves alone, after it none does.
func TestCancelShared(t *testing.T) {
	w := newWorld(t, "2026-03-10T13:00:00Z")
	near, far := w.plan(w.pc1017()), w.plan(w.hh1017())
	w.clock.Set(at("2026-03-10T13:01:00Z"))
	begin := w.seen()
	gone := w.cancelled(far.GetName())
	told := w.tells(begin, "LoadCancelled")
	var called freightv1.LoadCancelled
	w.must(told[0].GetPayload().UnmarshalTo(&called))
	if gone.GetLoad() == near.GetLoad() || called.GetLoad().GetName() != gone.GetLoad() || !slices.Equal(called.GetLoad().GetShipments(), []string{gone.GetName()}) ||
		called.GetLoad().GetState() != freightv1.Load_CANCELLED || called.GetLoad().GetNumber() != "NL26030002" || called.GetTender() != nil {
		t.Errorf("called off %v, want a load of its own, NL26030002", &called)
	}
	if strings.Contains(strings.Join(told[0].GetRelated(), " "), "pc_1017") {
		t.Errorf("the cancellation is related to %v, the other order among them", told[0].GetRelated())
	}
	l := w.load(near.GetLoad())
	if got, want := w.route(l), "1 PICKUP LOC-CMH [PC-1017], 2 DELIVERY LOC-INDP [PC-1017]"; got != want || l.GetGrossWeight().GetValue() != "6000" ||
		l.GetLane() != "lanes/LANE-INDP" || l.GetState() != freightv1.Load_PLANNED {
		t.Errorf("left behind: %s, %s on %s, %s; want %s, 6000 on lanes/LANE-INDP, PLANNED", got, l.GetGrossWeight(), l.GetLane(), l.GetState(), want)
	}
	// Another may still take the place.
	r := w.hh1017()
	r.Order, r.OrderRelease, r.CustomerOrderNumber = "orders/hh_2", "orders/hh_2/releases/1", "HH-2"
	other := w.plan(r)
	if other.GetLoad() != near.GetLoad() {
		t.Errorf("the next one is on %s, want %s", other.GetLoad(), near.GetLoad())
	}
	w.set("2026-03-10T13:05:00Z")
	for _, state := range []string{"TENDERED", "BOOKED"} {
		begin = w.seen()
		_, err := w.cancel(other.GetName())
		w.refused("cancel of one of two, "+state, err, "LOAD_SHARED")
		w.tells(begin)
		if state == "TENDERED" {
			w.accept(w.offer(near.GetLoad()).GetName(), "")
		}
	}
	w.restart()

	// Both leave: the second is the last aboard, its load goes with it, and the offer's clock does not strike.
	w = newWorld(t, "2026-03-10T13:00:00Z")
	near, far = w.plan(w.pc1017()), w.plan(w.hh1017())
	w.cancelled(near.GetName())
	if got := w.cancelled(far.GetName()).GetLoad(); got != far.GetLoad() {
		t.Errorf("the last aboard is cancelled on %s, want %s", got, far.GetLoad())
	}
	w.waiting(0)
	begin = w.seen()
	w.set("2026-03-10T14:00:00Z")
	w.tells(begin)
	// A load that was called off is joined by nobody.
	r = w.pc1017()
	r.Order, r.OrderRelease = "orders/pc_3", "orders/pc_3/releases/1"
	if s := w.plan(r); s.GetLoad() == far.GetLoad() {
		t.Error("a shipment joined a load that was called off")
	}
}

// Many are planned at once: every shipment is on one load, and one load holds all that fits.
func TestShareTwoAtOnce(t *testing.T) {
	w := newWorld(t, "2026-03-10T13:00:00Z")
	loads := make([]string, 8)
	var wg sync.WaitGroup
	for i := range loads {
		r := w.pc1017()
		r.Order, r.OrderRelease, r.CustomerOrderNumber = fmt.Sprintf("orders/o_%d", i), fmt.Sprintf("orders/o_%d/releases/1", i), fmt.Sprintf("PO-%d", i)
		wg.Go(func() {
			s, err := w.workflow.PlanShipment(w.ctx, r)
			if err != nil {
				t.Error(err)
			}
			loads[i] = s.GetLoad()
		})
	}
	wg.Wait()
	slices.Sort(loads)
	per := map[string]int{}
	for _, l := range loads {
		per[l]++
	}
	// 600 cubic feet each: six fill 3,600 of 3,800
	if len(per) != 2 || per[loads[0]] != 6 && per[loads[7]] != 6 {
		t.Errorf("shipments by load: %v, want 6 and 2", per)
	}
}
