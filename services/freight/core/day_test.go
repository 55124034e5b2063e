package core_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/known/timestamppb"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"

	"crossdock.dev/services/freight/core"
)

// TestHappyPath is the day's scenario 01 as far as freight goes.
func TestHappyPath(t *testing.T) {
	w := newWorld(t, "2026-03-02T11:06:00Z")
	begin := w.seen()
	s := w.plan(w.happy())
	if got, want := s.GetGrossWeight().GetValue()+" "+s.GetGrossWeight().GetUnit(), "3156 LBR"; got != want {
		t.Errorf("gross weight = %s, want %s", got, want)
	}
	if got, want := s.GetCartons(), int32(314); got != want {
		t.Errorf("cartons = %d, want %d", got, want)
	}
	if got, want := s.GetVolume().GetValue()+" "+s.GetVolume().GetUnit(), "231.61 FTQ"; got != want {
		t.Errorf("volume = %s, want %s", got, want)
	}
	if s.GetFreightTerms() != "PREPAID_AND_ADD" || s.GetState() != freightv1.Shipment_PLANNED || len(s.GetLines()) != 6 {
		t.Errorf("terms %s, state %s, %d lines; want PREPAID_AND_ADD, PLANNED, 6", s.GetFreightTerms(), s.GetState(), len(s.GetLines()))
	}
	l := w.load(s.GetLoad())
	if l.GetNumber() != "NL26030001" || l.GetLane() != "lanes/LANE-SOLON" || len(l.GetStops()) != 2 {
		t.Errorf("load %s on %s with %d stops; want NL26030001 on lanes/LANE-SOLON with 2", l.GetNumber(), l.GetLane(), len(l.GetStops()))
	}
	planned := w.tells(begin, "ShipmentPlanned")
	for _, want := range []string{"orders/ord_01", "po:08292233294", "load:NL26030001", l.GetName(), "parties/CUS-XYZ"} {
		if !strings.Contains(strings.Join(planned[0].GetRelated(), " "), want) {
			t.Errorf("ShipmentPlanned is related to %v, want %s among them", planned[0].GetRelated(), want)
		}
	}

	w.set("2026-03-02T11:12:00Z")
	begin = w.seen()
	l, err := w.workflow.TenderLoad(w.ctx, &freightv1.TenderLoadRequest{Name: l.GetName(), RequestId: w.id()})
	w.must(err)
	w.tells(begin, "LoadTendered")
	o := w.offer(l.GetName())
	expectTime(t, "respond by", o.GetRespondBy(), "2026-03-02T16:00:00Z", "America/New_York")
	if got, want := charges(o.GetCharges()), "LHS 332.22 USD, FUE 93.02 USD = 425.24 USD"; got != want {
		t.Errorf("charges = %s, want %s", got, want)
	}
	if got, want := usd(o.GetCharges().GetGrossLineHaul())+" "+usd(o.GetCharges().GetDiscount()), "830.54 USD -498.32 USD"; got != want {
		t.Errorf("gross and discount = %s, want %s", got, want)
	}
	// The ship date is Tuesday 03-03: the index of 03-02 takes effect on Wednesday, 3.948 of 02-23 is in force.
	if tree := explain(o.GetCharges().GetExplanation()); !strings.Contains(tree, "3.948") || strings.Contains(tree, "4.012") || !strings.Contains(tree, "830.54") {
		t.Errorf("explanation does not lead to index 3.948 and gross 830.54:\n%s", tree)
	}
	if o.GetScac() != "CXBB" || o.GetRank() != 1 || o.GetMethodOfPayment() != "PP" || o.GetLoadNumber() != "NL26030001" {
		t.Errorf("offer = %s rank %d %s %s, want CXBB 1 PP NL26030001", o.GetScac(), o.GetRank(), o.GetMethodOfPayment(), o.GetLoadNumber())
	}

	w.set("2026-03-02T14:20:00Z")
	begin = w.seen()
	w.accept(o.GetName(), "CXB0001001")
	booked := w.tells(begin, "TenderAccepted", "LoadBooked")
	if !strings.Contains(strings.Join(booked[1].GetRelated(), " "), "pro:CXB0001001") {
		t.Errorf("LoadBooked is related to %v, want pro:CXB0001001 among them", booked[1].GetRelated())
	}
	l = w.load(l.GetName())
	if l.GetState() != freightv1.Load_BOOKED || l.GetCarrier() != "parties/CAR-CXBB" || l.GetCarrierReference() != "CXB0001001" ||
		charges(l.GetCharges()) != "LHS 332.22 USD, FUE 93.02 USD = 425.24 USD" {
		t.Errorf("load %s by %s PRO %s for %s", l.GetState(), l.GetCarrier(), l.GetCarrierReference(), charges(l.GetCharges()))
	}
	w.set("2026-03-02T16:00:00Z") // the clock of an answered offer does not strike
	if got := w.offer(l.GetName()).GetState(); got != freightv1.Tender_ACCEPTED {
		t.Errorf("offer = %s, want ACCEPTED", got)
	}

	for _, x := range []struct {
		received string
		m        freightv1.Milestone
		stop     int32
		local    string
		utc      string
		facts    []string
		state    freightv1.Shipment_State
	}{
		{"2026-03-03T14:20:00Z", freightv1.Milestone_ARRIVED_PICKUP, 1, "2026-03-03T09:10", "2026-03-03T14:10:00Z",
			[]string{"MilestoneRecorded", "ShipmentArrivedPickup"}, freightv1.Shipment_AT_PICKUP},
		{"2026-03-03T15:15:00Z", freightv1.Milestone_DEPARTED_PICKUP, 1, "2026-03-03T10:05", "2026-03-03T15:05:00Z",
			[]string{"MilestoneRecorded", "ShipmentDeparted"}, freightv1.Shipment_IN_TRANSIT},
		{"2026-03-04T13:50:00Z", freightv1.Milestone_ARRIVED_DELIVERY, 2, "2026-03-04T08:40", "2026-03-04T13:40:00Z",
			[]string{"MilestoneRecorded"}, freightv1.Shipment_AT_DELIVERY},
		{"2026-03-04T14:30:00Z", freightv1.Milestone_DELIVERED, 2, "2026-03-04T09:20", "2026-03-04T14:20:00Z",
			[]string{"MilestoneRecorded", "ShipmentDelivered", "LoadCompleted"}, freightv1.Shipment_DELIVERED},
	} {
		w.set(x.received)
		begin = w.seen()
		c := w.claim(l.GetName(), x.m, x.stop, x.local)
		expectTime(t, x.m.String(), c.GetOccurred(), x.utc, "America/New_York")
		if !c.GetAdvanced() || c.GetSource() != freightv1.Claim_EDI || c.GetOccurred().GetRule() != typev1.EventTime_LOCAL_TO_PLACE {
			t.Errorf("%s: advanced %t, source %s, rule %s; want true, EDI, LOCAL_TO_PLACE", x.m, c.GetAdvanced(), c.GetSource(), c.GetOccurred().GetRule())
		}
		w.tells(begin, x.facts...)
		if got := w.shipment(s.GetName()).GetState(); got != x.state {
			t.Errorf("after %s the shipment is %s, want %s", x.m, got, x.state)
		}
	}
	if got := w.load(l.GetName()).GetState(); got != freightv1.Load_COMPLETED {
		t.Errorf("load = %s, want COMPLETED", got)
	}

	w.set("2026-03-04T14:45:00Z")
	begin = w.seen()
	carrier := w.server.Partner("parties/CAR-CXBB", "freight.report", "freight.read")
	a := carrier.Do("POST", "/v1/proofsOfDelivery", `{"load":"NL26030001","order":"08292233294","type":"SIGNED_RECEIPT",`+
		`"signedAt":"2026-03-04T09:35:00-05:00","receivedBy":"J. Example","pieces":314,"exceptions":[]}`, "Idempotency-Key", "pod-1")
	if a.Status != 200 || !bytes.Contains(a.Body, []byte("J. Example")) {
		t.Fatalf("proof: %d %s", a.Status, a.Body)
	}
	proof := w.tells(begin, "ProofOfDeliveryReceived")
	var told freightv1.ProofOfDeliveryReceived
	w.must(proof[0].GetPayload().UnmarshalTo(&told))
	if len(told.GetLines()) != 6 || told.GetLines()[5].GetAccepted().GetValue() != "696" || told.GetProofOfDelivery().GetReceivedBy() != "" {
		t.Errorf("told %s", prototext.Format(&told))
	}
	if got := w.shipment(s.GetName()).GetProofOfDelivery(); got != told.GetProofOfDelivery().GetName() {
		t.Errorf("the shipment's proof is %q, want %q", got, told.GetProofOfDelivery().GetName())
	}

	// Who signed lies in the personal bucket and nowhere else: not in facts, answers, records, nor in log lines.
	file, err := os.ReadFile(core.Path(w.dir))
	w.must(err)
	if n := bytes.Count(file, []byte("J. Example")); n != 1 {
		t.Errorf("the name of who signed stands %d times in the store's file, want once", n)
	}
	if w.log.holds("J. Example") || !w.log.holds("CreateProofOfDelivery") {
		t.Error("log lines: want the call of CreateProofOfDelivery without the name of who signed")
	}
	again := carrier.Do("POST", "/v1/proofsOfDelivery", `{"load":"NL26030001","order":"08292233294","type":"SIGNED_RECEIPT",`+
		`"signedAt":"2026-03-04T09:35:00-05:00","receivedBy":"J. Example","pieces":314,"exceptions":[]}`, "Idempotency-Key", "pod-1")
	if again.Status != 200 || !bytes.Equal(again.Body, a.Body) {
		t.Errorf("the same request again: %d %s, want %s", again.Status, again.Body, a.Body)
	}
}

// explain writes a tree as text.
func explain(e *typev1.Explanation) string {
	out := e.GetLabel() + " " + e.GetValue() + " " + e.GetRule() + " " + e.GetSource() + "\n"
	for _, c := range e.GetChildren() {
		out += explain(c)
	}
	return out
}

// TestDeclinedThenNext is the day's scenario 02; the next carrier is asked in the instant of the decline.
func TestDeclinedThenNext(t *testing.T) {
	w := newWorld(t, "2026-03-03T13:05:00Z")
	l, first := w.tendered(w.release("ord_02", "HH-1002", "CUS-HHS", "LOC-CHI", "TL", "2026-03-04", line("10", "NS-PUMP-10", "150", "EA")))
	if got, want := charges(first.GetCharges()), "LHS 767.55 USD, FUE 199.92 USD = 967.47 USD"; first.GetScac() != "CXAA" || got != want {
		t.Errorf("offered to %s for %s, want CXAA for %s", first.GetScac(), got, want)
	}
	expectTime(t, "respond by", first.GetRespondBy(), "2026-03-03T18:00:00Z", "America/Chicago")
	w.set("2026-03-03T14:31:00Z")
	begin := w.seen()
	declined := w.decline(first.GetName())
	if declined.GetState() != freightv1.Tender_DECLINED || declined.GetDeclineReason() != freightv1.DeclineReason_CAPACITY {
		t.Errorf("answer = %s %s, want DECLINED CAPACITY", declined.GetState(), declined.GetDeclineReason())
	}
	w.tells(begin, "TenderDeclined", "LoadTendered")
	second := w.offer(l.GetName())
	if got, want := charges(second.GetCharges()), "LHS 1010.00 USD = 1010.00 USD"; second.GetScac() != "CXCC" || second.GetRank() != 2 || got != want {
		t.Errorf("offered to %s rank %d for %s, want CXCC 2 for %s", second.GetScac(), second.GetRank(), got, want)
	}
	expectTime(t, "respond by", second.GetRespondBy(), "2026-03-03T16:31:00Z", "America/New_York")
	begin = w.seen()
	w.decline(first.GetName()) // again
	w.tells(begin)
	w.set("2026-03-03T15:10:00Z")
	w.accept(second.GetName(), "")
	if got := w.load(l.GetName()); got.GetCarrier() != "parties/CAR-CXCC" || charges(got.GetCharges()) != "LHS 1010.00 USD = 1010.00 USD" {
		t.Errorf("booked with %s for %s", got.GetCarrier(), charges(got.GetCharges()))
	}
	_, err := w.edi.DeclineTender(w.ctx, &freightv1.DeclineTenderRequest{Name: second.GetName(), Reason: freightv1.DeclineReason_PRICE, RequestId: w.id()})
	w.refused("decline after accept", err, "TRANSITION_REFUSED")
	_, err = w.edi.AcceptTender(w.ctx, &freightv1.AcceptTenderRequest{Name: first.GetName(), RequestId: w.id()})
	w.refused("accept after decline", err, "TRANSITION_REFUSED")
}

// TestExpiryOverWeekend is the day's scenario 03, with the service down while the clock strikes.
func TestExpiryOverWeekend(t *testing.T) {
	w := newWorld(t, "2026-03-06T21:00:00Z")
	l, first := w.tendered(w.release("ord_03", "PC-1003", "CUS-PIN", "LOC-INDP", "TL", "2026-03-10", line("10", "NS-PANEL-20", "200", "EA")))
	if got, want := charges(first.GetCharges()), "LHS 450.00 USD, FUE 98.56 USD = 548.56 USD"; got != want {
		t.Errorf("charges = %s, want %s", got, want)
	}
	expectTime(t, "respond by", first.GetRespondBy(), "2026-03-09T15:00:00Z", "America/Chicago")
	begin := w.seen()
	w.set("2026-03-07T01:00:00Z")
	w.set("2026-03-09T14:59:59Z")
	w.tells(begin)
	w.clock.Set(at("2026-03-09T15:00:00Z")) // the instant itself is too late, though the timer has not run yet
	_, err := w.edi.AcceptTender(w.ctx, &freightv1.AcceptTenderRequest{Name: first.GetName(), RequestId: w.id()})
	w.refused("accept at the instant", err, "TENDER_EXPIRED")
	_, err = w.edi.DeclineTender(w.ctx, &freightv1.DeclineTenderRequest{Name: first.GetName(), Reason: freightv1.DeclineReason_PRICE, RequestId: w.id()})
	w.refused("decline at the instant", err, "TENDER_EXPIRED")
	w.clock.Set(at("2026-03-09T15:00:01Z"))
	w.restart()
	w.drive()
	w.tells(begin, "TenderExpired", "LoadTendered")
	if got, err := w.user.GetTender(w.ctx, &freightv1.GetTenderRequest{Name: first.GetName()}); err != nil || got.GetState() != freightv1.Tender_EXPIRED {
		t.Errorf("first offer = %v %v, want EXPIRED", got.GetState(), err)
	}
	second := w.offer(l.GetName())
	expectTime(t, "respond by", second.GetRespondBy(), "2026-03-09T17:00:01Z", "America/New_York")
	w.set("2026-03-09T15:40:00Z")
	w.accept(second.GetName(), "")
	if got := charges(w.load(l.GetName()).GetCharges()); got != "LHS 565.00 USD = 565.00 USD" {
		t.Errorf("booked for %s, want 565.00", got)
	}
	// CXAA rejects late acceptances.
	_, err = w.edi.AcceptTender(w.ctx, &freightv1.AcceptTenderRequest{Name: first.GetName(), RequestId: w.id()})
	w.refused("late accept", err, "TENDER_EXPIRED")
}

// TestExhausted is the day's scenario 04.
func TestExhausted(t *testing.T) {
	w := newWorld(t, "2026-03-04T14:10:00Z")
	l, first := w.tendered(w.release("ord_04", "HH-1004", "CUS-HHS", "LOC-DETH", "TL", "2026-03-05", line("10", "NS-PUMP-10", "120", "EA")))
	if got, want := charges(first.GetCharges()), "LHS 450.00 USD, FUE 114.80 USD = 564.80 USD"; got != want {
		t.Errorf("first offer for %s, want %s", got, want)
	}
	w.decline(first.GetName())
	second := w.offer(l.GetName())
	if got, want := charges(second.GetCharges()), "LHS 580.00 USD = 580.00 USD"; got != want {
		t.Errorf("second offer for %s, want %s", got, want)
	}
	begin := w.seen()
	w.decline(second.GetName())
	w.tells(begin, "TenderDeclined", "TendersExhausted")
	l = w.load(l.GetName())
	if l.GetState() != freightv1.Load_EXHAUSTED || l.GetTender() != "" || l.GetCarrier() != "" || l.GetCharges() != nil {
		t.Errorf("load %s, tender %q, carrier %q, charges %s; want EXHAUSTED and none", l.GetState(), l.GetTender(), l.GetCarrier(), charges(l.GetCharges()))
	}
	if got := w.shipment(l.GetShipments()[0]).GetState(); got != freightv1.Shipment_PLANNED {
		t.Errorf("shipment = %s, want PLANNED", got)
	}
	begin = w.seen()
	again, err := w.workflow.TenderLoad(w.ctx, &freightv1.TenderLoadRequest{Name: l.GetName(), RequestId: w.id()})
	if err != nil || again.GetState() != freightv1.Load_EXHAUSTED {
		t.Errorf("tender again: %s %v, want EXHAUSTED as it is", again.GetState(), err)
	}
	w.tells(begin)
}

// TestRating prices the day's other loads; figures are those of the scenarios and the filler patterns.
func TestRating(t *testing.T) {
	w := newWorld(t, "2026-03-02T12:00:00Z")
	for i, x := range []struct {
		name, customer, to, mode, ship string
		lines                          []*freightv1.PlanShipmentRequest_Line
		scac, want                     string
	}{
		{"07 pumps", "CUS-HHS", "LOC-DETH", "LTL", "2026-03-05", []*freightv1.PlanShipmentRequest_Line{line("10", "NS-PUMP-10", "80", "EA")},
			"CXBB", "LHS 307.20 USD, FUE 90.62 USD = 397.82 USD"},
		{"09 ships on a Saturday", "CUS-PIN", "LOC-NASP", "TL", "2026-03-07", []*freightv1.PlanShipmentRequest_Line{line("10", "NS-PANEL-20", "200", "EA")},
			"CXAA", "LHS 817.00 USD, FUE 212.80 USD = 1029.80 USD"},
		{"filler HHS: the break above is cheaper", "CUS-HHS", "LOC-DETH", "LTL", "2026-03-12", []*freightv1.PlanShipmentRequest_Line{line("10", "NS-PUMP-10", "40", "EA")},
			"CXBB", "LHS 192.00 USD, FUE 57.60 USD = 249.60 USD"},
		{"filler PIN", "CUS-PIN", "LOC-INDP", "LTL", "2026-03-18", []*freightv1.PlanShipmentRequest_Line{line("10", "NS-PUMP-10", "30", "EA")},
			"CXEE", "LHS 167.40 USD, FUE 51.06 USD = 218.46 USD"},
		{"filler LAK: liftgate by the location's flag", "CUS-LAK", "LOC-PITL", "LTL", "2026-03-05", []*freightv1.PlanShipmentRequest_Line{line("10", "NS-GLOVE-30", "60", "CS"), line("20", "NS-CART-35", "40", "EA")},
			"CXBB", "LHS 155.20 USD, FUE 45.78 USD, LFT 75.00 USD = 275.98 USD"},
		{"filler TUL: the minimum", "CUS-TUL", "LOC-EIN", "TL", "2026-03-10", []*freightv1.PlanShipmentRequest_Line{line("10", "NE-KLEP-10", "240", "EA")},
			"CXDD", "LHS 180.00 EUR, FUE 20.70 EUR = 200.70 EUR"},
		{"filler RHB", "CUS-RHB", "LOC-HAM", "TL", "2026-03-10", []*freightv1.PlanShipmentRequest_Line{line("10", "NE-FILT-20", "200", "EA")},
			"CXDD", "LHS 623.50 EUR, FUE 71.70 EUR = 695.20 EUR"},
		{"20 collect", "CUS-SNX", "LOC-ATHGA", "LTL", "2026-03-03", []*freightv1.PlanShipmentRequest_Line{line("1", "SNX-2222", "16", "CS")},
			"CXBB", "none"},
	} {
		t.Run(x.name, func(t *testing.T) {
			order := "ord_" + string(rune('a'+i))
			_, o := w.tendered(w.release(order, strings.ToUpper(order), x.customer, x.to, x.mode, x.ship, x.lines...))
			if got := charges(o.GetCharges()); o.GetScac() != x.scac || got != x.want {
				t.Errorf("offered to %s for %s, want %s for %s", o.GetScac(), got, x.scac, x.want)
			}
			if want := map[bool]string{true: "CC", false: "PP"}[x.want == "none"]; o.GetMethodOfPayment() != want {
				t.Errorf("method of payment = %s, want %s", o.GetMethodOfPayment(), want)
			}
			w.accept(o.GetName(), "")
			if got := charges(w.load(o.GetLoad()).GetCharges()); got != x.want {
				t.Errorf("booked for %s, want %s", got, x.want)
			}
		})
	}
}

// TestOutOfOrder is the day's scenario 09 through the service.
func TestOutOfOrder(t *testing.T) {
	w := newWorld(t, "2026-03-05T14:00:00Z")
	l := w.booked(w.release("ord_09", "PC-1009", "CUS-PIN", "LOC-NASP", "TL", "2026-03-07", line("10", "NS-PANEL-20", "200", "EA")))
	begin := w.seen()
	for _, x := range []struct {
		received    string
		m           freightv1.Milestone
		stop        int32
		local       string
		city, state string
	}{
		{"2026-03-07T23:20:00Z", freightv1.Milestone_ARRIVED_PICKUP, 1, "2026-03-07T18:05", "COLUMBUS", "OH"},
		{"2026-03-08T12:55:00Z", freightv1.Milestone_ARRIVED_DELIVERY, 2, "2026-03-08T07:40", "NASHVILLE", "TN"},
		{"2026-03-08T14:20:00Z", freightv1.Milestone_DELIVERED, 2, "2026-03-08T09:10", "NASHVILLE", "TN"},
		{"2026-03-08T14:45:00Z", freightv1.Milestone_DEPARTED_PICKUP, 1, "2026-03-07T20:15", "COLUMBUS", "OH"},
		{"2026-03-08T15:00:00Z", freightv1.Milestone_IN_TRANSIT, 0, "2026-03-08T02:30", "LOUISVILLE", "KY"},
		{"2026-03-08T16:00:00Z", freightv1.Milestone_DELIVERED, 2, "2026-03-08T09:25", "NASHVILLE", "TN"},
	} {
		w.set(x.received)
		_, err := w.edi.ReportMilestone(w.ctx, &freightv1.ReportMilestoneRequest{
			Parent: l.GetName(), RequestId: w.id(),
			Claim: &freightv1.Claim{Milestone: x.m, Stop: x.stop, LocalTime: x.local, City: x.city, State: x.state},
		})
		w.must(err)
	}
	w.tells(begin, "MilestoneRecorded", "ShipmentArrivedPickup", "MilestoneRecorded", "MilestoneRecorded", "ShipmentDelivered", "LoadCompleted",
		"MilestoneRecorded", "ShipmentDeparted", "MilestoneRecorded", "MilestoneRecorded", "ShipmentDelivered")
	s := w.shipment(l.GetShipments()[0])
	expectTime(t, "departed", s.GetDeparted(), "2026-03-08T01:15:00Z", "America/New_York")
	expectTime(t, "delivered", s.GetDelivered(), "2026-03-08T14:25:00Z", "America/Chicago")
	r, err := w.user.ListClaims(w.ctx, &freightv1.ListClaimsRequest{Parent: l.GetName()})
	w.must(err)
	var got []string
	for _, c := range r.GetClaims() {
		got = append(got, c.GetMilestone().String()+" "+c.GetOccurred().GetTime().AsTime().Format("01-02T15:04")+" "+c.GetOccurred().GetRule().String())
	}
	want := []string{
		"IN_TRANSIT 03-08T07:30 GAP_SHIFTED_FORWARD", "ARRIVED_PICKUP 03-07T23:05 LOCAL_TO_PLACE", "DEPARTED_PICKUP 03-08T01:15 LOCAL_TO_PLACE",
		"ARRIVED_DELIVERY 03-08T12:40 LOCAL_TO_PLACE", "DELIVERED 03-08T14:10 LOCAL_TO_PLACE", "DELIVERED 03-08T14:25 LOCAL_TO_PLACE",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("claims by stop and time:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestShortDelivery is the day's scenario 07: a proof with exceptions, before and after the claim of the delivery.
func TestShortDelivery(t *testing.T) {
	w := newWorld(t, "2026-03-04T14:05:00Z")
	l := w.booked(w.release("ord_07", "HH-1007", "CUS-HHS", "LOC-DETH", "LTL", "2026-03-05", line("10", "NS-PUMP-10", "80", "EA")))
	w.set("2026-03-06T14:40:00Z")
	begin := w.seen()
	p := &freightv1.ProofOfDelivery{
		Load: l.GetNumber(), Order: "HH-1007", Type: freightv1.ProofOfDelivery_SIGNED_RECEIPT, SignedAt: timestamppb.New(w.clock.Now()),
		ReceivedBy: "J. Example", Pieces: 77,
		Exceptions: []*freightv1.ProofOfDelivery_Exception{
			{Line: "10", Kind: freightv1.ProofOfDelivery_Exception_SHORT, Quantity: &typev1.Quantity{Value: "3", Unit: "EA"}},
			{Line: "10", Kind: freightv1.ProofOfDelivery_Exception_DAMAGED, Quantity: &typev1.Quantity{Value: "1", Unit: "EA"}, Note: "subject to inspection"},
		},
	}
	first, err := w.edi.CreateProofOfDelivery(w.ctx, &freightv1.CreateProofOfDeliveryRequest{ProofOfDelivery: p, RequestId: w.id()})
	w.must(err)
	facts := w.tells(begin, "ProofOfDeliveryReceived")
	var told freightv1.ProofOfDeliveryReceived
	w.must(facts[0].GetPayload().UnmarshalTo(&told))
	d := told.GetLines()[0]
	if got, want := []string{d.GetShipped().GetValue(), d.GetAccepted().GetValue(), d.GetShort().GetValue(), d.GetDamaged().GetValue(), d.GetRefused().GetValue()},
		[]string{"80", "76", "3", "1", "0"}; strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("shipped, accepted, short, damaged, refused = %v, want %v", got, want)
	}
	if got := told.GetProofOfDelivery().GetExceptions()[1].GetNote(); got != "subject to inspection" {
		t.Errorf("note = %q, want it kept as written", got)
	}
	begin = w.seen()
	same, err := w.edi.CreateProofOfDelivery(w.ctx, &freightv1.CreateProofOfDeliveryRequest{ProofOfDelivery: p, RequestId: w.id()})
	if err != nil || same.GetName() != first.GetName() {
		t.Errorf("the same proof again: %s %v, want %s", same.GetName(), err, first.GetName())
	}
	w.tells(begin)
	p.Exceptions, p.Pieces = p.Exceptions[:1], 77
	p.Order = l.GetShipments()[0] // no name of an order
	_, err = w.edi.CreateProofOfDelivery(w.ctx, &freightv1.CreateProofOfDeliveryRequest{ProofOfDelivery: p, RequestId: w.id()})
	w.refused("an order that is not aboard", err, "INVALID_FIELDS")
	p.Order, p.Load = "orders/ord_07", l.GetName()
	second, err := w.edi.CreateProofOfDelivery(w.ctx, &freightv1.CreateProofOfDeliveryRequest{ProofOfDelivery: p, RequestId: w.id()})
	w.must(err)
	old, err := w.user.GetProofOfDelivery(w.ctx, &freightv1.GetProofOfDeliveryRequest{Name: first.GetName()})
	w.must(err)
	if old.GetState() != freightv1.ProofOfDelivery_SUPERSEDED || len(old.GetExceptions()) != 2 || old.GetReceivedBy() != "J. Example" {
		t.Errorf("the first proof is %s with %d exceptions, want SUPERSEDED with 2", old.GetState(), len(old.GetExceptions()))
	}
	s := w.shipment(l.GetShipments()[0])
	if s.GetProofOfDelivery() != second.GetName() || s.GetState() != freightv1.Shipment_BOOKED {
		t.Errorf("shipment %s proved by %s, want BOOKED by %s: a proof is no claim", s.GetState(), s.GetProofOfDelivery(), second.GetName())
	}
	p.Exceptions = nil
	_, err = w.edi.CreateProofOfDelivery(w.ctx, &freightv1.CreateProofOfDeliveryRequest{ProofOfDelivery: p, RequestId: w.id()})
	w.refused("77 of 80 cartons and nothing said", err, "PIECES_MISMATCH")
}
