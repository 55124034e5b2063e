package core_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/store"
)

// pumps is a truckload to Pittsburgh, where CXCC (late acceptances allowed) is asked before CXAA.
func (w *world) pumps(order string) *freightv1.PlanShipmentRequest {
	return w.release(order, strings.ToUpper(order), "CUS-HHS", "LOC-PITH", "TL", "2026-03-05", line("10", "NS-PUMP-10", "120", "EA"))
}

func TestPlanAgain(t *testing.T) {
	w := newWorld(t, "2026-03-02T11:06:00Z")
	r := w.happy()
	first := w.plan(r)
	begin := w.seen()
	if again := w.plan(r); !proto.Equal(first, again) {
		t.Errorf("the same request again: %v, want %v", again, first)
	}
	r.RequestId = w.id()
	if again := w.plan(r); again.GetName() != first.GetName() {
		t.Errorf("the same release again is %s, want %s", again.GetName(), first.GetName())
	}
	w.tells(begin)
	r.Mode = "TL"
	_, err := w.workflow.PlanShipment(w.ctx, r)
	w.refused("the request id with another mode", err, "REQUEST_ID_REUSED")
}

func TestPlanTwoAtOnce(t *testing.T) {
	w := newWorld(t, "2026-03-02T11:06:00Z")
	names := make([]string, 8)
	var wg sync.WaitGroup
	for i := range names {
		r := w.happy()
		r.RequestId = fmt.Sprintf("plan-%d", i%2) // some repeat a request, some a release
		wg.Go(func() {
			s, err := w.workflow.PlanShipment(w.ctx, r)
			if err != nil {
				t.Error(err)
			}
			names[i] = s.GetName()
		})
	}
	wg.Wait()
	if slices.Sort(names); names[0] != names[len(names)-1] {
		t.Errorf("one release became %v", slices.Compact(names))
	}
	list, err := w.user.ListLoads(w.ctx, &freightv1.ListLoadsRequest{})
	if err != nil || len(list.GetLoads()) != 1 {
		t.Errorf("%d loads, %v; want 1", len(list.GetLoads()), err)
	}
}

func TestMasterDataMissing(t *testing.T) {
	w := newWorld(t, "2026-03-02T11:06:00Z")
	r := w.release("ord_1", "PO-1", "CUS-NONE", "LOC-NONE", "LTL", "2026-03-03", line("1", "NONE", "1", "EA"), line("2", "NE-KLEP-10", "1", "EA"))
	_, err := w.workflow.PlanShipment(w.ctx, r)
	w.refused("plan", err, "MASTER_DATA_MISSING")
	missing := rpcerr.From(err).Metadata["missing"]
	for _, want := range []string{"locations/LOC-NONE", "contract of parties/CUS-NONE", "items/NONE", "items/NE-KLEP-10 freight_class"} {
		if !strings.Contains(missing, want) {
			t.Errorf("missing = %q, want %s among it", missing, want)
		}
	}
	// What was missing comes with the feed; the same request then goes through.
	w.tell(
		&masterdatav1.LocationChanged{Location: &masterdatav1.Location{Name: "locations/LOC-NONE", Zone: "America/New_York", Address: &typev1.Address{Country: "US"}}},
		&masterdatav1.LaneChanged{Lane: &masterdatav1.Lane{
			Name: "lanes/LANE-NONE", Origin: "locations/LOC-CMH", Destination: "locations/LOC-NONE", Distance: &typev1.Quantity{Value: "1", Unit: "SMI"},
		}},
		&masterdatav1.ItemChanged{Item: &masterdatav1.Item{
			Name: "items/NONE", BaseUnit: "EA", GrossWeight: &typev1.Quantity{Value: "1", Unit: "LBR"}, UnitsPerCarton: 1, FreightClass: "70",
		}},
		contract("CUS-NONE", "USD", &masterdatav1.Contract{Terms: &masterdatav1.Contract_CustomerTerms{
			CustomerTerms: &masterdatav1.CustomerTerms{FreightTerms: masterdatav1.CustomerTerms_PREPAID},
		}}),
	)
	r.Lines = r.Lines[:1]
	r.RequestId = w.id()
	s := w.plan(r)
	_, err = w.workflow.TenderLoad(w.ctx, &freightv1.TenderLoadRequest{Name: s.GetLoad(), RequestId: w.id()})
	w.refused("tender without a routing guide", err, "MASTER_DATA_MISSING")
}

// A later contract of a customer applies from its first ship date on, the version in force before that.
func TestContractInForce(t *testing.T) {
	w := newWorld(t, "2026-03-02T11:06:00Z")
	later := contract("CUS-HHS", "USD", &masterdatav1.Contract{Terms: &masterdatav1.Contract_CustomerTerms{
		CustomerTerms: &masterdatav1.CustomerTerms{FreightTerms: masterdatav1.CustomerTerms_COLLECT},
	}})
	later.Contract.Name, later.Contract.Version, later.Contract.EffectiveFrom = "contracts/CUS-HHS-2", 2, day("2026-03-05")
	w.tell(later)
	for i, x := range []struct{ ship, want string }{{"2026-03-04", "PREPAID_AND_ADD"}, {"2026-03-05", "COLLECT"}, {"2026-03-06", "COLLECT"}} {
		s := w.plan(w.release(fmt.Sprintf("ord_%d", i), "PO", "CUS-HHS", "LOC-PITH", "TL", x.ship, line("10", "NS-PUMP-10", "1", "EA")))
		if s.GetFreightTerms() != x.want {
			t.Errorf("shipped on %s: terms %s, want %s", x.ship, s.GetFreightTerms(), x.want)
		}
	}
}

func TestNumbersByMonth(t *testing.T) {
	w := newWorld(t, "2026-03-31T12:00:00Z")
	first := w.load(w.plan(w.pumps("ord_1")).GetLoad())
	w.set("2026-04-01T03:59:00Z") // still March in Columbus
	second := w.load(w.plan(w.pumps("ord_2")).GetLoad())
	w.set("2026-04-01T04:00:00Z")
	third := w.load(w.plan(w.pumps("ord_3")).GetLoad())
	if got, want := first.GetNumber()+" "+second.GetNumber()+" "+third.GetNumber(), "NL26030001 NL26030002 NL26040001"; got != want {
		t.Errorf("numbers = %s, want %s", got, want)
	}
	r, err := w.user.ListLoads(w.ctx, &freightv1.ListLoadsRequest{Number: "NL26030002"})
	if err != nil || len(r.GetLoads()) != 1 || r.GetLoads()[0].GetName() != second.GetName() {
		t.Errorf("load NL26030002 = %v %v, want %s", r.GetLoads(), err, second.GetName())
	}
}

// A carrier whose tariff has no price for the lane is passed over, and the load says why.
func TestPassedOver(t *testing.T) {
	w := newWorld(t, "2026-03-02T12:00:00Z")
	w.tell(guide("LANE-SOLON", "TL", "CXCC", "CXNN", "CXAA"), guide("LANE-ATHGA", "TL", "CXCC"))
	l, o := w.tendered(w.release("ord_1", "PO-1", "CUS-XYZ", "LOC-SOLON", "TL", "2026-03-03", line("1", "DX1875", "696", "EA")))
	// 141 mi × 2.15 = 303.15 → minimum 450.00; 141 × 0.54 = 76.14
	if got, want := charges(o.GetCharges()), "LHS 450.00 USD, FUE 76.14 USD = 526.14 USD"; o.GetScac() != "CXAA" || o.GetRank() != 3 || got != want {
		t.Errorf("offered to %s rank %d for %s, want CXAA 3 for %s", o.GetScac(), o.GetRank(), got, want)
	}
	if len(l.GetSkipped()) != 2 || l.GetSkipped()[0].GetCarrier() != "parties/CAR-CXCC" || l.GetSkipped()[0].GetRank() != 1 ||
		!strings.Contains(l.GetSkipped()[0].GetReason(), "no line-haul price") || !strings.Contains(l.GetSkipped()[1].GetReason(), "parties/CAR-CXNN") {
		t.Errorf("passed over %v, want CXCC for its price and CXNN for being unknown", l.GetSkipped())
	}
	w.accept(o.GetName(), "")
	a := w.server.Partner("parties/CAR-CXAA", "freight.read").Do("GET", "/v1/"+l.GetName(), "")
	if a.Status != 200 || strings.Contains(string(a.Body), "CXCC") || strings.Contains(string(a.Body), "CXNN") {
		t.Errorf("the carrier is shown %d %s, which names others", a.Status, a.Body)
	}
	begin := w.seen()
	r := w.release("ord_2", "PO-2", "CUS-XYZ", "LOC-ATHGA", "TL", "2026-03-03", line("1", "DX1875", "696", "EA"))
	l, err := w.workflow.TenderLoad(w.ctx, &freightv1.TenderLoadRequest{Name: w.plan(r).GetLoad(), RequestId: w.id()})
	if err != nil || l.GetState() != freightv1.Load_EXHAUSTED {
		t.Errorf("load = %s %v, want EXHAUSTED", l.GetState(), err)
	}
	w.tells(begin, "ShipmentPlanned", "TendersExhausted")
}

// expired plans a load, lets CXCC's time pass, and returns both offers: the expired one and that which is out to CXAA.
func (w *world) expired(order string) (l *freightv1.Load, late, out *freightv1.Tender) {
	w.t.Helper()
	l, late = w.tendered(w.pumps(order))
	w.clock.Set(late.GetRespondBy().GetTime().AsTime())
	w.drive()
	return l, late, w.offer(l.GetName())
}

func TestLateAccept(t *testing.T) {
	w := newWorld(t, "2026-03-04T14:00:00Z")
	l, late, out := w.expired("ord_1")
	if late.GetScac() != "CXCC" || out.GetScac() != "CXAA" {
		t.Fatalf("offers to %s and %s, want CXCC and CXAA", late.GetScac(), out.GetScac())
	}
	begin := w.seen()
	w.accept(late.GetName(), "PRO-9")
	w.tells(begin, "TenderWithdrawn", "TenderAccepted", "LoadBooked")
	if got := w.load(l.GetName()); got.GetCarrier() != "parties/CAR-CXCC" || got.GetTender() != late.GetName() || got.GetEquipment() != "TL53" {
		t.Errorf("booked with %s by %s, want CXCC by %s", got.GetCarrier(), got.GetTender(), late.GetName())
	}
	w.waiting(0)
	states := map[string]freightv1.Tender_State{}
	for _, x := range w.tenders(l.GetName()) {
		states[x.GetScac()] = x.GetState()
	}
	if states["CXCC"] != freightv1.Tender_ACCEPTED || states["CXAA"] != freightv1.Tender_WITHDRAWN {
		t.Errorf("offers = %v, want CXCC ACCEPTED and CXAA WITHDRAWN", states)
	}
	_, err := w.edi.AcceptTender(w.ctx, &freightv1.AcceptTenderRequest{Name: out.GetName(), RequestId: w.id()})
	w.refused("accept of what was withdrawn", err, "TRANSITION_REFUSED")
	begin = w.seen()
	w.set("2026-03-06T20:00:00Z") // the withdrawn offer's clock does not strike
	w.tells(begin)

	l, late, out = w.expired("ord_2")
	w.waiting(1)
	w.accept(out.GetName(), "")
	w.waiting(0)
	_, err = w.edi.AcceptTender(w.ctx, &freightv1.AcceptTenderRequest{Name: late.GetName(), RequestId: w.id()})
	w.refused("late accept of a load that another took", err, "LOAD_NOT_OPEN")

	// Nobody is left to ask: the load is still open for the one whose terms allow it.
	l, late, out = w.expired("ord_3")
	w.decline(out.GetName())
	if got := w.load(l.GetName()).GetState(); got != freightv1.Load_EXHAUSTED {
		t.Fatalf("load = %s, want EXHAUSTED", got)
	}
	w.accept(late.GetName(), "")
	if got := w.load(l.GetName()).GetState(); got != freightv1.Load_BOOKED {
		t.Errorf("load = %s, want BOOKED", got)
	}

	// The instant has passed and the timer has not run yet: the answer counts all the same.
	_, o := w.tendered(w.pumps("ord_4"))
	w.clock.Set(o.GetRespondBy().GetTime().AsTime())
	w.accept(o.GetName(), "")
	begin = w.seen()
	w.drive()
	w.tells(begin)
}

// Two carriers accept the same load at the same time, one of them late: one gets it, whoever that is.
func TestRace(t *testing.T) {
	w := newWorld(t, "2026-03-04T14:00:00Z")
	for i := range 10 {
		l, late, out := w.expired(fmt.Sprintf("ord_%d", i))
		offers := []*freightv1.Tender{late, out}
		errs := make([]error, 2)
		var wg sync.WaitGroup
		for j, o := range offers {
			id := w.id()
			wg.Go(func() {
				_, errs[j] = w.edi.AcceptTender(context.Background(), &freightv1.AcceptTenderRequest{Name: o.GetName(), RequestId: id})
			})
		}
		wg.Wait()
		won := slices.Index(errs, nil)
		if won < 0 || errs[1-won] == nil {
			t.Fatalf("answers = %v, want one of two to be taken", errs)
		}
		want := []string{"LOAD_NOT_OPEN", "TRANSITION_REFUSED"}[1-won]
		w.refused("the other", errs[1-won], want)
		if got := w.load(l.GetName()); got.GetCarrier() != offers[won].GetCarrier() || got.GetState() != freightv1.Load_BOOKED {
			t.Errorf("load %s with %s, want BOOKED with %s", got.GetState(), got.GetCarrier(), offers[won].GetCarrier())
		}
	}
}

// Accept and timer meet: whichever comes first, the other changes nothing.
func TestAnswerMeetsTimer(t *testing.T) {
	w := newWorld(t, "2026-03-04T14:00:00Z")
	l, o := w.tendered(w.pumps("ord_1"))
	w.clock.Set(o.GetRespondBy().GetTime().AsTime())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.step(); err != nil {
			t.Error(err)
		}
	})
	w.accept(o.GetName(), "")
	wg.Wait()
	w.drive()
	if got := w.load(l.GetName()); got.GetState() != freightv1.Load_BOOKED || got.GetCarrier() != "parties/CAR-CXCC" {
		t.Errorf("load %s with %s, want BOOKED with CXCC", got.GetState(), got.GetCarrier())
	}
}

func TestETag(t *testing.T) {
	w := newWorld(t, "2026-03-04T14:00:00Z")
	_, o := w.tendered(w.pumps("ord_1"))
	_, err := w.edi.AcceptTender(w.ctx, &freightv1.AcceptTenderRequest{Name: o.GetName(), Etag: "99", RequestId: w.id()})
	w.refused("accept at another revision", err, "STALE_ETAG")
	carrier := w.server.Partner("parties/CAR-CXCC", "freight.respond")
	if a := carrier.Do("POST", "/v1/"+o.GetName()+":accept", `{}`, "Idempotency-Key", "a", "If-Match", `"99"`); a.Status != 412 {
		t.Errorf("accept with If-Match: %d %s, want 412", a.Status, a.Body)
	}
	a := carrier.Do("POST", "/v1/"+o.GetName()+":accept", `{"carrierReference":"PRO-1"}`, "Idempotency-Key", "b", "If-Match", `"`+o.GetEtag()+`"`)
	if a.Status != 200 || !strings.Contains(string(a.Body), "ACCEPTED") {
		t.Errorf("accept by REST: %d %s, want 200 ACCEPTED", a.Status, a.Body)
	}
}

func TestClaims(t *testing.T) {
	w := newWorld(t, "2026-03-04T14:00:00Z")
	l, o := w.tendered(w.pumps("ord_1"))
	claim := func(m freightv1.Milestone, when string) *freightv1.ReportMilestoneRequest {
		return &freightv1.ReportMilestoneRequest{
			Parent: l.GetName(), RequestId: w.id(), Claim: &freightv1.Claim{Milestone: m, OccurTime: stamp(when), CarrierCode: "X3", ReasonCode: "NS"},
		}
	}
	_, err := w.edi.ReportMilestone(w.ctx, claim(freightv1.Milestone_ARRIVED_PICKUP, "2026-03-04T14:00:00Z"))
	w.refused("a claim before booking", err, "LOAD_NOT_BOOKED")
	w.accept(o.GetName(), "")
	begin := w.seen()
	first, err := w.edi.ReportMilestone(w.ctx, claim(freightv1.Milestone_ARRIVED_PICKUP, "2026-03-04T14:00:00Z"))
	w.must(err)
	if first.GetStop() != 1 || first.GetCarrierCode() != "X3" || first.GetOccurred().GetRule() != typev1.EventTime_AS_GIVEN {
		t.Errorf("claim = %v, want stop 1, X3, AS_GIVEN", first)
	}
	w.tells(begin, "MilestoneRecorded", "ShipmentArrivedPickup")
	begin = w.seen()
	// The same event by another request, by REST, with its stop and as local time: nothing new.
	carrier := w.server.Partner("parties/CAR-CXCC", "freight.report", "freight.read")
	a := carrier.Do("POST", "/v1/"+l.GetName()+"/claims", `{"milestone":"ARRIVED_PICKUP","stop":1,"localTime":"2026-03-04T09:00"}`, "Idempotency-Key", "c1")
	if a.Status != 200 || !strings.Contains(string(a.Body), first.GetName()) {
		t.Errorf("the same claim by REST: %d %s, want %s", a.Status, a.Body, first.GetName())
	}
	w.tells(begin)
	_, err = w.edi.ReportMilestone(w.ctx, claim(freightv1.Milestone_DEPARTED_PICKUP, "2026-03-04T14:15:01Z"))
	w.refused("a claim of the future", err, "FUTURE_DATED")
	a = carrier.Do("POST", "/v1/"+l.GetName()+"/claims", `{"milestone":"ETA_CHANGED","occurTime":"2026-03-04T14:00:00Z","estimate":"2026-03-06T15:00:00Z"}`, "Idempotency-Key", "c2")
	if a.Status != 200 || !strings.Contains(string(a.Body), "CARRIER_API") {
		t.Errorf("an estimate by REST: %d %s", a.Status, a.Body)
	}
	w.tells(begin, "MilestoneRecorded", "EtaChanged")
	byHand, err := w.user.ReportMilestone(w.ctx, claim(freightv1.Milestone_DEPARTED_PICKUP, "2026-03-04T14:10:00Z"))
	if err != nil || byHand.GetSource() != freightv1.Claim_MANUAL {
		t.Errorf("a claim by hand: %s %v, want MANUAL", byHand.GetSource(), err)
	}
}

// A partner sees and moves what names its party; everything else looks like a name that does not exist.
func TestPartnerIsolation(t *testing.T) {
	w := newWorld(t, "2026-03-04T14:00:00Z")
	l := w.booked(w.pumps("ord_1"))
	w.claim(l.GetName(), freightv1.Milestone_ARRIVED_PICKUP, 1, "2026-03-04T08:00")
	ship := l.GetShipments()[0]
	proof, err := w.edi.CreateProofOfDelivery(w.ctx, &freightv1.CreateProofOfDeliveryRequest{RequestId: w.id(), ProofOfDelivery: &freightv1.ProofOfDelivery{
		Load: l.GetNumber(), Order: "ORD_1", Type: freightv1.ProofOfDelivery_PHOTO, SignedAt: timestamppb.New(w.clock.Now()), ReceivedBy: "J. Example", Pieces: 120,
	}})
	w.must(err)
	open, out := w.tendered(w.pumps("ord_2")) // offered to CXCC, not answered
	scopes := []string{"freight.read", "freight.report", "freight.respond"}
	booked, other, customer, stranger := w.server.Partner("parties/CAR-CXCC", scopes...), w.server.Partner("parties/CAR-CXAA", scopes...),
		w.server.Partner("parties/CUS-HHS", scopes...), w.server.Partner("parties/CUS-PIN", scopes...)
	pod := `{"load":"` + l.GetNumber() + `","order":"ORD_1","type":"PHOTO","signedAt":"2026-03-04T14:00:00Z","receivedBy":"X","pieces":120}`
	claim := `{"milestone":"LOADED","stop":1,"localTime":"2026-03-04T08:30"}`
	begin := w.seen()
	for _, x := range []struct {
		method, path, body                string
		carrier, other, customer, unknown int // status for the booked carrier, another carrier, the customer, another customer
	}{
		{"GET", "/v1/" + l.GetName(), "", 200, 404, 404, 404},
		{"GET", "/v1/" + open.GetName(), "", 404, 404, 404, 404}, // nobody has accepted it
		{"GET", "/v1/" + l.GetTender(), "", 200, 404, 404, 404},
		{"GET", "/v1/" + out.GetName(), "", 200, 404, 404, 404},
		{"GET", "/v1/" + ship, "", 404, 404, 200, 404},
		{"GET", "/v1/" + l.GetName() + "/claims", "", 200, 404, 404, 404},
		{"GET", "/v1/" + proof.GetName(), "", 200, 404, 200, 404},
		{"POST", "/v1/" + out.GetName() + ":accept", "{}", 0, 404, 404, 404},
		{"POST", "/v1/" + out.GetName() + ":decline", `{"reason":"PRICE"}`, 0, 404, 404, 404},
		{"POST", "/v1/" + l.GetName() + "/claims", claim, 0, 404, 404, 404},
		{"POST", "/v1/" + open.GetName() + "/claims", claim, 404, 404, 404, 404},
		{"POST", "/v1/proofsOfDelivery", pod, 0, 404, 404, 404},
	} {
		for i, who := range []struct {
			name   string
			status int
		}{{"carrier", x.carrier}, {"other carrier", x.other}, {"customer", x.customer}, {"other customer", x.unknown}} {
			if who.status == 0 {
				continue
			}
			p := []*platformtest.Partner{booked, other, customer, stranger}[i]
			do := func(path, body string) platformtest.Answer {
				if x.method == "GET" {
					return p.Do(x.method, path, body)
				}
				return p.Do(x.method, path, body, "Idempotency-Key", w.id())
			}
			a := do(x.path, x.body)
			if a.Status != who.status {
				t.Errorf("%s %s as %s: %d %s, want %d", x.method, x.path, who.name, a.Status, a.Body, who.status)
			}
			if who.status != 404 {
				continue
			}
			// It looks like a name that does not exist.
			missing := strings.NewReplacer(l.GetName(), "loads/none", open.GetName(), "loads/none", l.GetTender(), "tenders/none", out.GetName(),
				"tenders/none", ship, "shipments/none", proof.GetName(), "proofsOfDelivery/none")
			b := do(missing.Replace(x.path), strings.Replace(x.body, l.GetNumber(), "NL26039999", 1))
			if a.Status != b.Status || a.Problem(t).Reason != b.Problem(t).Reason {
				t.Errorf("%s %s as %s: %d %s, but what does not exist is %d %s", x.method, x.path, who.name, a.Status, a.Body, b.Status, b.Body)
			}
		}
	}
	w.tells(begin)
	for _, x := range []struct {
		list                               string
		carrier, other, customer, stranger int
	}{
		{"tenders", 2, 0, 0, 0}, {"loads", 1, 0, 0, 0}, {"shipments", 0, 0, 2, 0},
		{"tenders?load=" + l.GetName(), 1, 0, 0, 0}, {"shipments?order=orders/ord_1", 0, 0, 1, 0}, {"loads?number=" + l.GetNumber(), 1, 0, 0, 0},
	} {
		kind, _, _ := strings.Cut(x.list, "?")
		for i, p := range []*platformtest.Partner{booked, other, customer, stranger} {
			a := p.Do("GET", "/v1/"+x.list, "")
			want := [4]int{x.carrier, x.other, x.customer, x.stranger}[i]
			if got := strings.Count(string(a.Body), `"name":"`+kind+"/") + strings.Count(string(a.Body), `"name": "`+kind+"/"); a.Status != 200 || got != want {
				t.Errorf("%s for partner %d: %d with %d rows, want %d: %s", x.list, i, a.Status, got, want, a.Body)
			}
		}
	}
	// What is internal is not there for partners, whatever they hold.
	for _, path := range []string{"/v1/shipments", "/v1/" + open.GetName() + ":tender", "/v1/" + ship + ":cancel"} {
		if a := customer.Do("POST", path, "{}", "Idempotency-Key", w.id()); a.Status != 404 && a.Status != 405 && a.Status != 501 {
			t.Errorf("POST %s as a partner: %d %s", path, a.Status, a.Body)
		}
	}
	if a := w.server.Partner("parties/CAR-CXCC", "orders.read").Do("GET", "/v1/"+l.GetName(), ""); a.Status != 403 {
		t.Errorf("without the scope: %d, want 403", a.Status)
	}
	// Other services do not plan or answer tenders.
	_, err = w.edi.PlanShipment(w.ctx, w.pumps("ord_3"))
	w.refused("plan as edi", err, "PERMISSION_DENIED")
	_, err = w.workflow.AcceptTender(w.ctx, &freightv1.AcceptTenderRequest{Name: out.GetName(), RequestId: w.id()})
	w.refused("accept as workflow", err, "PERMISSION_DENIED")
}

// A page token is no secret: one that a carrier makes up shows it nothing of others.
func TestForgedPageToken(t *testing.T) {
	w := newWorld(t, "2026-03-04T14:00:00Z")
	other := w.booked(w.release("ord_1", "PO-1", "CUS-PIN", "LOC-NASP", "TL", "2026-03-05", line("10", "NS-PANEL-20", "200", "EA"))) // CXAA
	w.claim(other.GetName(), freightv1.Milestone_ARRIVED_PICKUP, 1, "2026-03-04T08:00")
	mine := w.booked(w.pumps("ord_2")) // CXCC
	const me = "parties/CAR-CXCC"
	carrier := w.server.Partner(me, "freight.read")
	for _, x := range []struct{ path, token string }{
		{"/v1/" + mine.GetName() + "/claims?pageToken=", page.Token(store.Key(other.GetName()), "ListClaimsRequest", me, mine.GetName())},
		{"/v1/loads?pageToken=", page.Token(store.Key("parties/ZZZ"), "ListLoadsRequest", me, "")},
		{"/v1/tenders?pageToken=", page.Token(store.Key("parties/ZZZ"), "ListTendersRequest", me, "", "STATE_UNSPECIFIED")},
		{"/v1/shipments?pageToken=", page.Token(store.Key("parties/ZZZ"), "ListShipmentsRequest", me, "")},
	} {
		expectProblem(t, carrier.Do("GET", x.path+url.QueryEscape(x.token), ""), 400, "INVALID_PAGE_TOKEN", "pageToken")
	}
}

// Bad input names every bad field, by gRPC and by REST.
func TestBadInput(t *testing.T) {
	w := newWorld(t, "2026-03-04T14:00:00Z")
	l := w.booked(w.pumps("ord_1"))
	r := w.pumps("ord_2")
	r.PickupFrom, r.PickupTo = r.PickupTo, r.PickupFrom
	r.Lines[0].Quantity = &typev1.Quantity{Value: "1", Unit: "CS"}
	_, err := w.workflow.PlanShipment(w.ctx, r)
	expectFields(t, "plan", err, "pickup_to", "lines[0].quantity.unit")
	r.ShipFrom, r.Mode, r.Lines, r.RequestId = "somewhere", "AIR", nil, ""
	_, err = w.workflow.PlanShipment(w.ctx, r)
	expectFields(t, "plan, by shape", err, "ship_from", "mode", "lines", "request_id")

	_, err = w.edi.ReportMilestone(w.ctx, &freightv1.ReportMilestoneRequest{
		Parent: l.GetName(), RequestId: w.id(), Claim: &freightv1.Claim{Milestone: freightv1.Milestone_DELIVERED, Stop: 1, Estimate: stamp("2026-03-05T00:00:00Z")},
	})
	expectFields(t, "claim", err, "claim.stop", "claim.estimate", "claim.occur_time")
	carrier := w.server.Partner("parties/CAR-CXCC", "freight.report", "freight.read")
	a := carrier.Do("POST", "/v1/"+l.GetName()+"/claims", `{"milestone":"DELIVERED","stop":1,"estimate":"2026-03-05T00:00:00Z"}`, "Idempotency-Key", "x1")
	expectProblem(t, a, 400, "INVALID_FIELDS", "claim.stop", "claim.estimate", "claim.occurTime")

	a = carrier.Do("POST", "/v1/proofsOfDelivery", `{"load":"`+l.GetNumber()+`","order":"ORD_1","type":"PHOTO","signedAt":"2026-03-04T14:00:00Z",`+
		`"receivedBy":"X","pieces":121,"exceptions":[{"line":"10","kind":"SHORT","quantity":{"value":"121","unit":"EA"}},{"line":"7","kind":"SHORT","quantity":{"value":"1","unit":"EA"}}]}`,
		"Idempotency-Key", "x2")
	expectProblem(t, a, 400, "INVALID_FIELDS",
		"proofOfDelivery.exceptions[0].quantity.value", "proofOfDelivery.exceptions[1].line", "proofOfDelivery.pieces")
	a = carrier.Do("POST", "/v1/proofsOfDelivery", `{"load":"`+l.GetNumber()+`","order":"ORD_1","type":"PHOTO","signedAt":"2026-03-04T14:00:00Z","receivedBy":"X","pieces":7}`, "Idempotency-Key", "x3")
	expectProblem(t, a, 409, "PIECES_MISMATCH")
	a = carrier.Do("POST", "/v1/proofsOfDelivery", `{"load":"`+l.GetNumber()+`","order":"ORD_1","type":"PHOTO","signedAt":"2026-03-04T14:15:01Z","receivedBy":"X","pieces":120}`, "Idempotency-Key", "x4")
	expectProblem(t, a, 409, "FUTURE_DATED")
	a = carrier.Do("GET", "/v1/tenders?pageToken=nonsense", "")
	expectProblem(t, a, 400, "INVALID_PAGE_TOKEN", "pageToken")
}

func TestPages(t *testing.T) {
	w := newWorld(t, "2026-03-04T14:00:00Z")
	var want []string
	for i := range 7 {
		want = append(want, w.plan(w.pumps(fmt.Sprintf("ord_%d", i))).GetName())
	}
	slices.Reverse(want)
	var got []string
	token := ""
	for {
		r, err := w.user.ListShipments(w.ctx, &freightv1.ListShipmentsRequest{PageSize: 3, PageToken: token})
		w.must(err)
		for _, s := range r.GetShipments() {
			got = append(got, s.GetName())
		}
		if token = r.GetNextPageToken(); token == "" {
			break
		}
		if len(got) == 3 { // what comes meanwhile is newer and does not shift the pages
			w.plan(w.pumps("ord_late"))
		}
		_, err = w.user.ListShipments(w.ctx, &freightv1.ListShipmentsRequest{PageSize: 3, PageToken: token, Order: "orders/ord_1"})
		w.refused("the token with another filter", err, "INVALID_PAGE_TOKEN")
		_, err = w.user.ListLoads(w.ctx, &freightv1.ListLoadsRequest{PageSize: 3, PageToken: token})
		w.refused("the token of another list", err, "INVALID_PAGE_TOKEN")
	}
	if !slices.Equal(got, want) {
		t.Errorf("shipments, newest first = %v, want %v", got, want)
	}
	l := w.booked(w.pumps("ord_x"))
	for _, when := range []string{"08:10", "08:20", "08:30", "08:40", "08:50"} {
		w.claim(l.GetName(), freightv1.Milestone_IN_TRANSIT, 0, "2026-03-04T"+when)
	}
	var times []string
	for token = ""; ; {
		r, err := w.user.ListClaims(w.ctx, &freightv1.ListClaimsRequest{Parent: l.GetName(), PageSize: 2, PageToken: token})
		w.must(err)
		for _, c := range r.GetClaims() {
			times = append(times, c.GetLocalTime()[11:])
		}
		if token = r.GetNextPageToken(); token == "" {
			break
		}
	}
	if want := []string{"08:10", "08:20", "08:30", "08:40", "08:50"}; !slices.Equal(times, want) {
		t.Errorf("claims = %v, want %v", times, want)
	}
}

// What was written is there after a restart, and a repeated request still gets its first answer.
func TestRestart(t *testing.T) {
	w := newWorld(t, "2026-03-04T14:00:00Z")
	r := w.pumps("ord_1")
	first := w.plan(r)
	l := w.booked(r)
	w.claim(l.GetName(), freightv1.Milestone_ARRIVED_PICKUP, 1, "2026-03-04T08:00")
	before := []proto.Message{w.load(l.GetName()), w.shipment(first.GetName()), w.offer(l.GetName())}
	w.restart()
	begin := w.seen()
	for i, after := range []proto.Message{w.load(l.GetName()), w.shipment(first.GetName()), w.offer(l.GetName())} {
		if !proto.Equal(before[i], after) {
			t.Errorf("after the restart %v, want %v", after, before[i])
		}
	}
	again, err := w.workflow.PlanShipment(w.ctx, r)
	if err != nil || !proto.Equal(again, first) {
		t.Errorf("the first request again: %v %v, want %v", again, err, first)
	}
	w.drive()
	w.tells(begin)
}

// The largest release that the contract allows goes all the way, and no record or fact is too large for the store.
func TestThousandLines(t *testing.T) {
	w := newWorld(t, "2026-03-04T14:00:00Z")
	var lines []*freightv1.PlanShipmentRequest_Line
	var exceptions []*freightv1.ProofOfDelivery_Exception
	for i := range 1000 {
		l := line(fmt.Sprintf("%d", i+1), "NS-PUMP-10", "2", "EA")
		l.Description = strings.Repeat("x", 200)
		lines = append(lines, l)
		exceptions = append(exceptions, &freightv1.ProofOfDelivery_Exception{
			Line: l.GetLine(), Kind: freightv1.ProofOfDelivery_Exception_DAMAGED, Quantity: &typev1.Quantity{Value: "1", Unit: "EA"}, Note: strings.Repeat("y", 400),
		})
	}
	l := w.booked(w.release("ord_1", "PO-1", "CUS-HHS", "LOC-PITH", "TL", "2026-03-05", lines...))
	w.claim(l.GetName(), freightv1.Milestone_DELIVERED, 2, "2026-03-04T09:00")
	p, err := w.edi.CreateProofOfDelivery(w.ctx, &freightv1.CreateProofOfDeliveryRequest{RequestId: w.id(), ProofOfDelivery: &freightv1.ProofOfDelivery{
		Load: l.GetNumber(), Order: "PO-1", Type: freightv1.ProofOfDelivery_PHOTO, SignedAt: timestamppb.New(w.clock.Now()), ReceivedBy: "J. Example",
		Pieces: 2000, Exceptions: exceptions,
	}})
	w.must(err)
	s := w.shipment(l.GetShipments()[0])
	if len(s.GetLines()) != 1000 || s.GetLines()[999].GetLine() != "1000" || len(p.GetExceptions()) != 1000 || s.GetState() != freightv1.Shipment_DELIVERED {
		t.Errorf("%d lines, %d exceptions, %s; want 1000, 1000, DELIVERED", len(s.GetLines()), len(p.GetExceptions()), s.GetState())
	}
}

// A clock that steps back by an hour between two loads: the second keeps the order of the numbers.
func TestClockStepsBack(t *testing.T) {
	w := newWorld(t, "2026-03-02T15:06:00Z")
	w.plan(w.pumps("ord_1"))
	w.clock.Set(at("2026-03-02T14:06:00Z"))
	w.plan(w.pumps("ord_2"))
	list, err := w.user.ListLoads(w.ctx, &freightv1.ListLoadsRequest{})
	if err != nil || len(list.GetLoads()) != 2 {
		t.Fatalf("%d loads, %v; want 2", len(list.GetLoads()), err)
	}
	for _, l := range list.GetLoads() {
		if got, want := l.GetCreateTime().AsTime(), at("2026-03-02T15:06:00Z"); !got.Equal(want) {
			t.Errorf("load %s was made at %v, want %v", l.GetNumber(), got, want)
		}
	}
}
