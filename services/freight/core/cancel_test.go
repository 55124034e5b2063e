package core_test

import (
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
)

// panels is the truckload of the day's scenario 05: picked up on 03-06 at 08:00 in Columbus, offered to CXAA first.
func (w *world) panels(order string) *freightv1.PlanShipmentRequest {
	return w.release(order, strings.ToUpper(order), "CUS-PIN", "LOC-DETP", "TL", "2026-03-06", line("10", "NS-PANEL-20", "150", "EA"))
}

func (w *world) cancel(shipment string) (*freightv1.Shipment, error) {
	return w.workflow.CancelShipment(w.ctx, &freightv1.CancelShipmentRequest{Name: shipment, Reason: "no longer wanted", RequestId: w.id()})
}

func (w *world) cancelled(shipment string) *freightv1.Shipment {
	w.t.Helper()
	s, err := w.cancel(shipment)
	w.must(err)
	if s.GetState() != freightv1.Shipment_CANCELLED {
		w.t.Errorf("%s is %s, want CANCELLED", shipment, s.GetState())
	}
	return s
}

// TestCancelAfterRelease is the day's scenario 05 as far as freight goes.
func TestCancelAfterRelease(t *testing.T) {
	w := newWorld(t, "2026-03-05T14:00:00Z")
	l, o := w.tendered(w.panels("pc_1005"))
	w.set("2026-03-05T15:00:00Z")
	w.accept(o.GetName(), "PRO-5")
	l = w.load(l.GetName())
	if got, want := charges(l.GetCharges()), "LHS 450.00 USD, FUE 114.80 USD = 564.80 USD"; got != want {
		t.Errorf("booked for %s, want %s", got, want)
	}
	w.set("2026-03-05T21:00:00Z") // 16 hours before the pick-up, the window is 24
	begin := w.seen()
	s := w.cancelled(l.GetShipments()[0])
	told := w.tells(begin, "TenderWithdrawn", "LoadCancelled")
	var withdrawn freightv1.TenderWithdrawn
	var called freightv1.LoadCancelled
	w.must(told[0].GetPayload().UnmarshalTo(&withdrawn))
	w.must(told[1].GetPayload().UnmarshalTo(&called))
	if got := withdrawn.GetTender(); got.GetName() != o.GetName() || got.GetState() != freightv1.Tender_WITHDRAWN || len(got.GetStops()) != 2 {
		t.Errorf("withdrawn: %s %s with %d stops, want %s WITHDRAWN with 2", got.GetName(), got.GetState(), len(got.GetStops()), o.GetName())
	}
	after := w.load(l.GetName())
	if !proto.Equal(called.GetLoad(), after) || len(called.GetShipments()) != 1 || !proto.Equal(called.GetShipments()[0], s) ||
		called.GetTender().GetName() != o.GetName() || called.GetReason() != "no longer wanted" {
		t.Errorf("LoadCancelled tells %v, want the load, its shipment, the tender and the reason", &called)
	}
	if got, want := charges(after.GetCharges()), "TON 200.00 USD = 200.00 USD"; got != want {
		t.Errorf("owed %s, want %s", got, want)
	}
	if after.GetState() != freightv1.Load_CANCELLED || after.GetCarrier() != "parties/CAR-CXAA" || after.GetCarrierReference() != "PRO-5" || after.GetTender() != "" {
		t.Errorf("load %s of %s, PRO %s, tender %q; want CANCELLED of CXAA, PRO-5, none", after.GetState(), after.GetCarrier(), after.GetCarrierReference(), after.GetTender())
	}
	tree := explain(after.GetCharges().GetExplanation())
	for _, want := range []string{"16h0m0s before the planned pick-up", "24h0m0s", "564.80 USD", "CAR-CXAA"} {
		if !strings.Contains(tree, want) {
			t.Errorf("explanation does not say %q:\n%s", want, tree)
		}
	}
	for _, want := range []string{"orders/pc_1005", "po:PC_1005", "load:" + l.GetNumber(), o.GetName(), "parties/CAR-CXAA", "parties/CUS-PIN", "pro:PRO-5"} {
		if !strings.Contains(strings.Join(told[1].GetRelated(), " "), want) {
			t.Errorf("LoadCancelled is related to %v, want %s among them", told[1].GetRelated(), want)
		}
	}

	// Once more, by the same request and another: as it is.
	begin = w.seen()
	if again := w.cancelled(s.GetName()); !proto.Equal(again, s) {
		t.Errorf("cancelled again: %v, want %v", again, s)
	}
	w.tells(begin)

	// What comes late. The carrier's answers are refused; what it says of the truck is kept and moves nothing; goods that were
	// called off cannot be proven.
	_, err := w.edi.AcceptTender(w.ctx, &freightv1.AcceptTenderRequest{Name: o.GetName(), RequestId: w.id()})
	w.refused("accept of what was withdrawn", err, "TRANSITION_REFUSED")
	_, err = w.edi.DeclineTender(w.ctx, &freightv1.DeclineTenderRequest{Name: o.GetName(), Reason: freightv1.DeclineReason_PRICE, RequestId: w.id()})
	w.refused("decline of what was withdrawn", err, "TRANSITION_REFUSED")
	w.tells(begin)
	w.set("2026-03-06T13:10:00Z")
	begin = w.seen()
	for _, m := range []freightv1.Milestone{freightv1.Milestone_ARRIVED_PICKUP, freightv1.Milestone_DEPARTED_PICKUP} {
		if c := w.claim(l.GetName(), m, 1, "2026-03-06T08:05"); c.GetAdvanced() {
			t.Errorf("%s of a cancelled load moved something", m)
		}
	}
	w.tells(begin, "MilestoneRecorded", "MilestoneRecorded")
	if got := w.load(l.GetName()); got.GetState() != freightv1.Load_CANCELLED || charges(got.GetCharges()) != "TON 200.00 USD = 200.00 USD" {
		t.Errorf("after the claims the load is %s for %s, want CANCELLED for 200.00", got.GetState(), charges(got.GetCharges()))
	}
	if got := w.shipment(s.GetName()); !proto.Equal(got, s) {
		t.Errorf("after the claims the shipment is %v, want %v", got, s)
	}
	_, err = w.edi.CreateProofOfDelivery(w.ctx, &freightv1.CreateProofOfDeliveryRequest{RequestId: w.id(), ProofOfDelivery: &freightv1.ProofOfDelivery{
		Load: l.GetNumber(), Order: "PC_1005", Type: freightv1.ProofOfDelivery_PHOTO, SignedAt: timestamppb.New(w.clock.Now()), ReceivedBy: "J. Example", Pieces: 150,
	}})
	w.refused("proof of what was called off", err, "LOAD_CANCELLED")
	w.restart()
	if got := w.load(l.GetName()); charges(got.GetCharges()) != "TON 200.00 USD = 200.00 USD" {
		t.Errorf("after a restart %s is owed, want 200.00", charges(got.GetCharges()))
	}
}

// TestCancelWindow: what is owed depends on when the withdrawal comes, to the second.
func TestCancelWindow(t *testing.T) {
	for _, x := range []struct{ name, at, want string }{
		{"a second before the window", "2026-03-05T12:59:59Z", "none"},
		{"its first instant", "2026-03-05T13:00:00Z", "TON 200.00 USD = 200.00 USD"},
		{"at the pick-up", "2026-03-06T13:00:00Z", "TON 200.00 USD = 200.00 USD"},
		{"after it", "2026-03-06T15:00:00Z", "TON 200.00 USD = 200.00 USD"},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t, "2026-03-04T14:00:00Z")
			l := w.booked(w.panels("ord_1"))
			w.set(x.at)
			w.cancelled(l.GetShipments()[0])
			if got := charges(w.load(l.GetName()).GetCharges()); got != x.want {
				t.Errorf("owed %s, want %s", got, x.want)
			}
		})
	}
}

// TestCancelTerms: nothing is owed where the contract or the carrier's terms say nothing, and where the customer pays the carrier.
func TestCancelTerms(t *testing.T) {
	for _, x := range []struct {
		name    string
		release func(w *world) *freightv1.PlanShipmentRequest
		want    string
	}{
		{"a carrier without that charge", func(w *world) *freightv1.PlanShipmentRequest { return w.happy() }, "none"},
		{"collect", func(w *world) *freightv1.PlanShipmentRequest {
			w.tell(contract("CUS-PIN", "USD", &masterdatav1.Contract{Terms: &masterdatav1.Contract_CustomerTerms{
				CustomerTerms: &masterdatav1.CustomerTerms{FreightTerms: masterdatav1.CustomerTerms_COLLECT},
			}}))
			return w.panels("ord_1")
		}, "none"},
		{"in euro", func(w *world) *freightv1.PlanShipmentRequest {
			return w.release("ord_1", "PO-1", "CUS-TUL", "LOC-EIN", "TL", "2026-03-03", line("10", "NE-KLEP-10", "240", "EA"))
		}, "TON 120.00 EUR = 120.00 EUR"},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t, "2026-03-02T12:00:00Z")
			l := w.booked(x.release(w))
			w.set("2026-03-03T13:00:00Z")
			begin := w.seen()
			w.cancelled(l.GetShipments()[0])
			w.tells(begin, "TenderWithdrawn", "LoadCancelled")
			if got := charges(w.load(l.GetName()).GetCharges()); got != x.want {
				t.Errorf("owed %s, want %s", got, x.want)
			}
		})
	}
}

// TestCancelByState calls a shipment off in every state of its load.
func TestCancelByState(t *testing.T) {
	w := newWorld(t, "2026-03-05T14:00:00Z")

	// Planned, not offered: nothing goes to any carrier, and it is offered no more.
	l := w.load(w.plan(w.panels("ord_1")).GetLoad())
	begin := w.seen()
	w.cancelled(l.GetShipments()[0])
	w.tells(begin, "LoadCancelled")
	_, err := w.workflow.TenderLoad(w.ctx, &freightv1.TenderLoadRequest{Name: l.GetName(), RequestId: w.id()})
	w.refused("tender of what was called off", err, "TRANSITION_REFUSED")
	_, err = w.edi.ReportMilestone(w.ctx, &freightv1.ReportMilestoneRequest{
		Parent: l.GetName(), RequestId: w.id(), Claim: &freightv1.Claim{Milestone: freightv1.Milestone_ARRIVED_PICKUP, OccurTime: stamp("2026-03-05T14:00:00Z")},
	})
	w.refused("a claim where no carrier ever accepted", err, "LOAD_NOT_BOOKED")

	// Offered: the offer is withdrawn, its clock does not strike, nobody else is asked, nothing is owed.
	l, o := w.tendered(w.panels("ord_2"))
	begin = w.seen()
	w.cancelled(l.GetShipments()[0])
	w.tells(begin, "TenderWithdrawn", "LoadCancelled")
	w.waiting(0)
	begin = w.seen()
	w.set("2026-03-06T12:00:00Z")
	w.tells(begin)
	if got := w.load(l.GetName()); got.GetCarrier() != "" || got.GetCharges() != nil || got.GetTender() != "" {
		t.Errorf("load of %q for %s, tender %q; want no carrier, no charge, no tender", got.GetCarrier(), charges(got.GetCharges()), got.GetTender())
	}
	_, err = w.edi.AcceptTender(w.ctx, &freightv1.AcceptTenderRequest{Name: o.GetName(), RequestId: w.id()})
	w.refused("accept of what was withdrawn", err, "TRANSITION_REFUSED")

	// Exhausted; a late acceptance comes too late for a load that was called off.
	l, late, out := w.expired("ord_3")
	w.decline(out.GetName())
	begin = w.seen()
	w.cancelled(l.GetShipments()[0])
	w.tells(begin, "LoadCancelled")
	_, err = w.edi.AcceptTender(w.ctx, &freightv1.AcceptTenderRequest{Name: late.GetName(), RequestId: w.id()})
	w.refused("late accept of what was called off", err, "LOAD_NOT_OPEN")

	// The truck is at the dock: still time. Once it has left, or arrived: not any more.
	l = w.booked(w.panels("ord_4"))
	w.claim(l.GetName(), freightv1.Milestone_ARRIVED_PICKUP, 1, "2026-03-06T06:50")
	w.cancelled(l.GetShipments()[0])
	l = w.booked(w.panels("ord_5"))
	for _, m := range []freightv1.Milestone{freightv1.Milestone_DEPARTED_PICKUP, freightv1.Milestone_ARRIVED_DELIVERY, freightv1.Milestone_DELIVERED} {
		w.claim(l.GetName(), m, 0, "2026-03-06T06:55")
		before := w.load(l.GetName())
		begin = w.seen()
		_, err = w.cancel(l.GetShipments()[0])
		w.refused("cancel after "+m.String(), err, "TRANSITION_REFUSED")
		w.tells(begin)
		if got := w.load(l.GetName()); !proto.Equal(got, before) {
			t.Errorf("the refused call left %v, want %v", got, before)
		}
	}
	_, err = w.cancel("shipments/shp_none")
	w.refused("cancel of what does not exist", err, "NOT_FOUND")
	_, err = w.workflow.CancelShipment(w.ctx, &freightv1.CancelShipmentRequest{Name: "nonsense", Reason: strings.Repeat("x", 401)})
	expectFields(t, "cancel", err, "name", "reason", "request_id")
	_, err = w.edi.CancelShipment(w.ctx, &freightv1.CancelShipmentRequest{Name: l.GetShipments()[0], RequestId: w.id()})
	w.refused("cancel as edi", err, "PERMISSION_DENIED")
}

// A cancellation and the carrier's answer meet: either the answer is refused, or the truck is owed.
func TestCancelMeetsAnswer(t *testing.T) {
	w := newWorld(t, "2026-03-05T14:00:00Z")
	for range 10 {
		l, o := w.tendered(w.panels(strings.ReplaceAll(w.id(), "-", "_")))
		id, other := w.id(), w.id()
		var refused error
		var wg sync.WaitGroup
		wg.Go(func() {
			_, refused = w.edi.AcceptTender(w.ctx, &freightv1.AcceptTenderRequest{Name: o.GetName(), RequestId: id})
		})
		if _, err := w.workflow.CancelShipment(w.ctx, &freightv1.CancelShipmentRequest{Name: l.GetShipments()[0], RequestId: other}); err != nil {
			t.Errorf("cancel: %v", err)
		}
		wg.Wait()
		want := "none"
		if refused == nil {
			want = "TON 200.00 USD = 200.00 USD"
		} else {
			w.refused("the answer", refused, "TRANSITION_REFUSED")
		}
		if got := w.load(l.GetName()); got.GetState() != freightv1.Load_CANCELLED || charges(got.GetCharges()) != want {
			t.Errorf("load %s for %s, want CANCELLED for %s", got.GetState(), charges(got.GetCharges()), want)
		}
	}
}

// The version that priced the load says what is owed, whatever came into force since.
func TestCancelByBookedContract(t *testing.T) {
	w := newWorld(t, "2026-03-05T14:00:00Z")
	l := w.booked(w.panels("ord_1"))
	later := contract("CAR-CXAA", "USD", &masterdatav1.Contract{Terms: &masterdatav1.Contract_CarrierTariff{CarrierTariff: tariff(map[string]any{
		"basis": "per mile", "rate": "3.00", "minimum": "500.00", "currency": "USD", "tonu": "999.00",
	})}})
	later.Contract.Name, later.Contract.Version = "contracts/CAR-CXAA-2", 2
	w.tell(later, &masterdatav1.LocationChanged{Location: &masterdatav1.Location{
		Name: "locations/LOC-DETP", Zone: "America/Detroit", Address: &typev1.Address{Country: "US"},
	}})
	w.cancelled(l.GetShipments()[0])
	if got, want := charges(w.load(l.GetName()).GetCharges()), "TON 200.00 USD = 200.00 USD"; got != want {
		t.Errorf("owed %s, want %s", got, want)
	}
}
