package core_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
)

// restOrder is an order of testdata/rest_orders.json as its customer sends it.
type restOrder struct {
	PO, Customer, Mode, Currency string
	SentAt                       time.Time `json:"sent_at"`
	ShipFrom                     string    `json:"ship_from"`
	ShipTo                       string    `json:"ship_to"`
	Pickup                       string    `json:"pickup_appointment_local"`
	Delivery                     string    `json:"delivery_appointment_local"`
	Consolidate                  bool
	EtaWatch                     bool              `json:"eta_watch"`
	ByUser                       map[string]string `json:"release_by_user"`
	Lines                        []struct{ Line, SKU, Quantity, Unit, Price string }
}

func restOrders(t *testing.T) []restOrder {
	t.Helper()
	raw, err := os.ReadFile("testdata/rest_orders.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []restOrder
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// message is the order without its customer, which is whoever calls.
func (x restOrder) message() *ordersv1.Order {
	m := &ordersv1.Order{CustomerOrderNumber: x.PO, Mode: x.Mode, CurrencyCode: x.Currency, ShipFrom: "locations/" + x.ShipFrom, ShipTo: "locations/" + x.ShipTo,
		PickupAppointmentLocal: x.Pickup, DeliveryAppointmentLocal: x.Delivery, Consolidate: x.Consolidate, EtaWatch: x.EtaWatch}
	for _, l := range x.Lines {
		m.Lines = append(m.Lines, &ordersv1.OrderLine{Line: l.Line, Item: "items/" + l.SKU, Quantity: &typev1.Quantity{Value: l.Quantity, Unit: l.Unit}, UnitPrice: l.Price})
	}
	return m
}

// send creates one of the day's REST orders at its instant, as its customer does.
func (w *world) send(po string) *ordersv1.Order {
	w.t.Helper()
	for _, x := range restOrders(w.t) {
		if x.PO != po {
			continue
		}
		w.clock.Set(x.SentAt)
		body, err := protojson.Marshal(x.message())
		w.must(err)
		a := w.server.Partner("parties/"+x.Customer, "orders.read", "orders.write").Do("POST", "/v1/orders", string(body), "Idempotency-Key", po)
		o := &ordersv1.Order{}
		if a.Status != 200 {
			w.t.Fatalf("%s: %d %s", po, a.Status, a.Body)
		}
		w.must(protojson.Unmarshal(a.Body, o))
		return o
	}
	w.t.Fatalf("no order %s", po)
	return nil
}

// released is the last release that was told.
func (w *world) released() *ordersv1.OrderRelease {
	w.t.Helper()
	r, _ := fact(w, &ordersv1.OrderReleased{})
	return r.Release
}

// numbers are ordered, released, unreleased, shipped, cancelled after release, open, arrived, accepted, short, damaged and billed.
func numbers(l *ordersv1.OrderLine) string {
	q := l.Quantities
	return strings.Join([]string{q.Ordered, q.Released, q.Unreleased, q.Shipped, q.CancelledAfterRelease, q.Open, q.Arrived, q.Accepted, q.Short, q.Damaged, q.Billed}, " ")
}

// happen tells a fact in the log of the service that it belongs to, "crossdock.billing.v1" in billing's.
func (w *world) happen(m proto.Message) {
	w.t.Helper()
	w.tell(strings.Split(string(m.ProtoReflect().Descriptor().FullName()), ".")[1], "x", m)
}

func instant(t *typev1.EventTime) string { return t.GetTime().AsTime().Format(time.RFC3339) }

// TestDaysOfOrders plays orders of the demonstration day by the facts of their scenarios. States, quantities and instants are the
// scenarios' own, worked by hand: the ship date by the cut-off at 14:00, the promise at 17:00 or closing at the ship-to.
func TestDaysOfOrders(t *testing.T) {
	plain := func(j *journey) []proto.Message {
		return []proto.Message{j.planned(), j.tendered(), j.booked(), j.departed(), j.delivered(), j.proof(nil), j.authorized(nil), j.invoiced(nil)}
	}
	tenderOf := func(j *journey, name string) proto.Message {
		return &freightv1.LoadTendered{Load: j.load, Tender: &freightv1.Tender{Name: name}, Shipments: j.all()}
	}
	bookedBy := func(j *journey, name string) proto.Message {
		return &freightv1.LoadBooked{Load: j.load, Tender: &freightv1.Tender{Name: name}, Shipments: j.all()}
	}
	second := func(j *journey) []proto.Message { // the first carrier declines or lets the time pass, the second takes it
		all := plain(j)
		return append([]proto.Message{all[0], tenderOf(j, "tenders/tnd_1"), tenderOf(j, "tenders/tnd_2"), bookedBy(j, "tenders/tnd_2")}, all[3:]...)
	}
	short := map[string][2]string{"10": {"3", "1"}}
	closed := "CLOSED SECURED DELIVERED BILLED"
	for _, x := range []struct {
		scenario, po     string
		ship, pickup, by string // local ship date; instants
		story            func(j *journey) []proto.Message
		states           string
		lines            []string
	}{
		{"02", "HH-1002", "2026-03-04", "2026-03-04T13:00:00Z", "2026-03-05T23:00:00Z", second, closed, []string{"150 150 0 150 0 0 150 150 0 0 150"}},
		{"03", "PC-1003", "2026-03-10", "2026-03-10T12:00:00Z", "2026-03-11T20:00:00Z", second, closed, []string{"200 200 0 200 0 0 200 200 0 0 200"}},
		{"04", "HH-1004", "2026-03-05", "2026-03-05T13:00:00Z", "2026-03-06T22:00:00Z", func(j *journey) []proto.Message {
			return []proto.Message{j.planned(), tenderOf(j, "tenders/tnd_1"), tenderOf(j, "tenders/tnd_2"), &freightv1.TendersExhausted{Load: j.load, Shipments: j.all()}}
		}, "CONFIRMED PLANNED OPEN NOT_BILLABLE", []string{"120 120 0 0 0 120 0 0 0 0 0"}},
		{"06", "LC-1006", "2026-03-05", "2026-03-05T13:00:00Z", "2026-03-06T21:00:00Z", plain, "CONFIRMED PARTLY_SECURED PARTLY_DELIVERED PARTLY_BILLED",
			[]string{"100 60 40 60 0 0 60 60 0 0 60", "40 40 0 40 0 0 40 40 0 0 40"}},
		{"07", "HH-1007", "2026-03-05", "2026-03-05T13:00:00Z", "2026-03-06T22:00:00Z", func(j *journey) []proto.Message {
			return append(plain(j)[:5], j.proof(short), j.authorized(short), j.invoiced(short))
		}, "CONFIRMED SECURED PARTLY_DELIVERED PARTLY_BILLED", []string{"80 80 0 80 0 0 80 76 3 1 76"}},
		{"08", "HH-1008", "2026-03-05", "2026-03-05T13:00:00Z", "2026-03-06T22:00:00Z", plain, closed, []string{"20 20 0 20 0 0 20 20 0 0 20"}},
		{"09", "PC-1009", "2026-03-07", "2026-03-07T23:00:00Z", "2026-03-08T13:00:00Z", func(j *journey) []proto.Message {
			all := plain(j)
			departed := &freightv1.ShipmentDeparted{Shipment: j.shipment, Occurred: event("2026-03-08T01:15:00Z")}
			return []proto.Message{all[0], all[1], all[2], all[4], departed, all[5], all[6], all[7]} // departure is told after delivery
		}, closed, []string{"200 200 0 200 0 0 200 200 0 0 200"}},
		{"17", "PC-1017", "2026-03-11", "2026-03-11T12:00:00Z", "2026-03-12T20:00:00Z", plain, closed, []string{"100 100 0 100 0 0 100 100 0 0 100"}},
		{"17", "HH-1017", "2026-03-11", "2026-03-11T12:00:00Z", "2026-03-12T22:00:00Z", plain, closed, []string{"225 225 0 225 0 0 225 225 0 0 225"}},
	} {
		t.Run(x.scenario+" "+x.po, func(t *testing.T) {
			w := newWorld(t)
			w.seed()
			o := w.send(x.po)
			if x.po == "LC-1006" {
				w.clock.Set(time.Date(2026, 3, 4, 15, 0, 0, 0, time.UTC))
				_, err := w.user.ReleaseOrder(t.Context(), &ordersv1.ReleaseOrderRequest{Name: o.Name, RequestId: w.id(), Lines: []*ordersv1.ReleaseOrderRequest_Line{
					{Line: "10", Quantity: &typev1.Quantity{Value: "60", Unit: "CS"}}, {Line: "20", Quantity: &typev1.Quantity{Value: "40", Unit: "EA"}}}})
				w.must(err)
			}
			r := w.released()
			check(t, "ship date", fmt.Sprintf("%d-%02d-%02d", r.ShipDate.Year, r.ShipDate.Month, r.ShipDate.Day), x.ship)
			check(t, "pick-up from", instant(r.PickupFrom), x.pickup)
			check(t, "promise", instant(o.Promise.DeliverBy), x.by)
			check(t, "end of the delivery window", instant(r.DeliverBy), x.by)
			check(t, "may share a truck", r.Consolidate, x.scenario == "17")
			check(t, "is watched", r.EtaWatch, false)
			for _, m := range x.story(w.journey(r)) {
				w.happen(m)
			}
			o = w.get(o.Name)
			check(t, "states", states(o), x.states)
			for i, want := range x.lines {
				check(t, "line "+o.Lines[i].Line, numbers(o.Lines[i]), want)
			}
			check(t, "parked or deferred facts", w.parked(), uint64(0))
		})
	}
}

// TestTwoOrdersOnOneLoad: the facts of a shared load move both orders, delivery each by itself.
func TestTwoOrdersOnOneLoad(t *testing.T) {
	w := newWorld(t)
	w.seed()
	first := w.send("PC-1017")
	a := w.journey(w.released())
	second := w.send("HH-1017")
	b := w.journey(w.released())
	b.shipment.Name = "shipments/shp_2"
	both := []*freightv1.Shipment{a.shipment, b.shipment}
	for _, m := range []proto.Message{a.planned(), b.planned(), &freightv1.LoadTendered{Load: a.load, Tender: a.tender, Shipments: both},
		&freightv1.LoadBooked{Load: a.load, Tender: a.tender, Shipments: both}, a.departed(), b.departed(), a.delivered(), a.proof(nil)} {
		w.happen(m)
	}
	check(t, "PC-1017", states(w.get(first.Name)), "CONFIRMED SECURED DELIVERED NOT_BILLABLE")
	check(t, "HH-1017", states(w.get(second.Name)), "CONFIRMED SECURED IN_TRANSIT NOT_BILLABLE")
}

// TestHeldUntilTheItemArrives: PC-1012 is promised at the instant at which its item arrives, before the cut-off: it ships the next day.
func TestHeldUntilTheItemArrives(t *testing.T) {
	w := newWorld(t)
	w.seed("items/NS-TANK-40")
	o := w.send("PC-1012")
	check(t, "as created", states(o), "DRAFT UNRELEASED OPEN NOT_BILLABLE")
	check(t, "hold", o.Holds[0].Kind.String()+" "+strings.Join(o.Holds[0].Fields, ","), "MASTER_DATA lines[0].item")
	w.clock.Set(time.Date(2026, 3, 9, 14, 0, 0, 0, time.UTC))
	for _, m := range seed(t) {
		if nameOf(m) == "items/NS-TANK-40" {
			w.tell("masterdata", nameOf(m), changed(m))
		}
	}
	r := w.released()
	check(t, "ship day", fmt.Sprint(r.ShipDate.Month, r.ShipDate.Day), "3 10")
	check(t, "pick-up from 08:00 EDT", instant(r.PickupFrom), "2026-03-10T12:00:00Z")
	check(t, "promise 16:00 EDT", instant(w.get(o.Name).Promise.DeliverBy), "2026-03-11T20:00:00Z")
	check(t, "released at once", r.ReleaseTime.AsTime(), w.clock.Now())
	j := w.journey(r)
	for _, m := range []proto.Message{j.planned(), j.booked(), j.departed(), j.delivered(), j.proof(nil), j.authorized(nil), j.invoiced(nil)} {
		w.happen(m)
	}
	check(t, "at the end", states(w.get(o.Name)), "CLOSED SECURED DELIVERED BILLED")
}

// TestSilentCarrier: the estimate stays, its trust falls with the age of the last claim and ends with delivery.
func TestSilentCarrier(t *testing.T) {
	w := newWorld(t)
	w.seed()
	o := w.send("PC-1016")
	r := w.released()
	check(t, "is watched", r.EtaWatch, true)
	check(t, "promise 17:00 CDT", instant(o.Promise.DeliverBy), "2026-03-12T22:00:00Z")
	j := w.journey(r)
	for _, m := range []proto.Message{j.planned(), j.booked(), &freightv1.ShipmentDeparted{Shipment: j.shipment, Occurred: event("2026-03-11T14:30:00Z")}} {
		w.happen(m)
	}
	for _, x := range []struct {
		level   freightv1.Confidence
		reasons []string
	}{
		{freightv1.Confidence_HIGH, nil}, {freightv1.Confidence_MEDIUM, []string{"FEED_SILENT"}}, {freightv1.Confidence_LOW, []string{"FEED_SILENT"}},
		{freightv1.Confidence_NONE, []string{"FEED_SILENT", "ONLY_SCHEDULED"}},
	} {
		before := w.core.Store().Last()
		w.happen(&freightv1.EtaChanged{Shipment: j.shipment, Estimate: event("2026-03-12T22:00:00Z"), Confidence: x.level, Reasons: x.reasons})
		check(t, x.level.String()+" told", strings.Join(w.facts(before), "; "), "CommitmentChanged")
		p := w.get(o.Name).Promise
		check(t, "trust", p.Confidence+" "+strings.Join(p.ConfidenceReasons, " "), x.level.String()+" "+strings.Join(x.reasons, " "))
		if p.Estimate != nil {
			t.Errorf("estimate %v, want none: it equals the promise", p.Estimate)
		}
	}
	w.restart()
	check(t, "kept", w.get(o.Name).Promise.Confidence, "NONE")
	for _, m := range []proto.Message{j.delivered(), j.proof(nil), j.authorized(nil), j.invoiced(nil)} {
		w.happen(m)
	}
	check(t, "at the end", states(w.get(o.Name))+" "+w.get(o.Name).Promise.Confidence, "CLOSED SECURED DELIVERED BILLED ")
}

func (w *world) cancel(name, reason string) (*ordersv1.Order, error) {
	return w.user.CancelOrder(w.t.Context(), &ordersv1.CancelOrderRequest{Name: name, Reason: reason, RequestId: w.id()})
}

// TestCancelAfterRelease: the customer cancels booked PC-1005 by REST, twice; it is cancelled when its load is, and the line adds up.
func TestCancelAfterRelease(t *testing.T) {
	w := newWorld(t)
	w.seed()
	o := w.send("PC-1005")
	r := w.released()
	check(t, "pick-up 08:00 EST", instant(r.PickupFrom), "2026-03-06T13:00:00Z")
	j := w.journey(r)
	for _, m := range []proto.Message{j.planned(), j.tendered(), j.booked()} {
		w.happen(m)
	}
	w.clock.Set(time.Date(2026, 3, 5, 21, 0, 0, 0, time.UTC))
	customer := w.server.Partner("parties/CUS-PIN", "orders.read", "orders.write")
	before := w.core.Store().Last()
	for _, key := range []string{"cancel", "cancel", "cancel-again"} {
		a := customer.Do("POST", "/v1/"+o.Name+":cancel", `{"reason":"not needed"}`, "Idempotency-Key", key)
		asked := &ordersv1.Order{}
		w.must(protojson.Unmarshal(a.Body, asked))
		check(t, key, states(asked)+" "+asked.CancelReason, "CONFIRMED SECURED OPEN NOT_BILLABLE not needed")
	}
	check(t, "facts", strings.Join(w.facts(before), "; "), "OrderCancellationRequested")
	request, _ := fact(w, &ordersv1.OrderCancellationRequested{})
	check(t, "to call off", strings.Join(request.OrderReleases, ",")+" "+request.Reason, o.Name+"/releases/1 not needed")
	w.restart()
	for range 2 {
		w.happen(&freightv1.LoadCancelled{Load: j.load, Shipments: j.all()})
	}
	o = w.get(o.Name)
	check(t, "states", states(o), "CANCELLED RELEASE_CANCELLED OPEN NOT_BILLABLE")
	check(t, "line", numbers(o.Lines[0]), "150 150 0 0 150 0 0 0 0 0 0")
	check(t, "facts", strings.Join(w.facts(before), "; "), "OrderCancellationRequested; CommitmentChanged OrderCancelled")
	cancelled, _ := fact(w, &ordersv1.OrderCancelled{})
	check(t, "reason", cancelled.Reason, "not needed")
	again, err := w.cancel(o.Name, "once more")
	w.must(err)
	check(t, "cancelled again", states(again)+" "+again.CancelReason, "CANCELLED RELEASE_CANCELLED OPEN NOT_BILLABLE not needed")
	report, err := w.core.Store().Verify(t.Context())
	w.must(err)
	check(t, "breaches", len(report.Breaches), 0)
}

// TestCancelOnTheWay: wherever the release stands before departure it is called off; what is unreleased is cancelled with it. After
// departure the order cannot be cancelled, and goods that leave first end the wish.
func TestCancelOnTheWay(t *testing.T) {
	w := newWorld(t)
	w.seed()
	for n, po := range []string{"HH-1002", "HH-1004", "HH-1007"} { // released, planned, offered
		o := w.send(po)
		j := w.journey(w.released())
		for _, m := range []proto.Message{j.planned(), j.tendered()}[:n] {
			w.happen(m)
		}
		_, err := w.cancel(o.Name, "")
		w.must(err)
		_, err = w.user.ReleaseOrder(t.Context(), &ordersv1.ReleaseOrderRequest{Name: o.Name, RequestId: w.id()})
		refused(t, "release while it is called off", err, codes.FailedPrecondition, "BEING_CANCELLED")
		for _, m := range append([]proto.Message{j.planned(), j.tendered()}[n:], &freightv1.LoadCancelled{Load: j.load, Shipments: j.all()}) {
			w.happen(m)
		}
		check(t, po, states(w.get(o.Name)), "CANCELLED RELEASE_CANCELLED OPEN NOT_BILLABLE")
	}

	held := w.create(simple("parties/CUS-PIN", "PC-HELD", "locations/LOC-INDP", "items/NS-NONE", "1", "EA", "1.00"))
	before := w.core.Store().Last()
	_, err := w.cancel(held.Name, "typed wrong")
	w.must(err)
	check(t, "of a held draft", states(w.get(held.Name)), "CANCELLED RELEASE_CANCELLED OPEN NOT_BILLABLE")
	check(t, "facts of a held draft", strings.Join(w.facts(before), "; "), "OrderCancelled OrderHoldReleased CommitmentChanged")

	part := w.send("LC-1006")
	_, err = w.user.ReleaseOrder(t.Context(), &ordersv1.ReleaseOrderRequest{Name: part.Name, RequestId: w.id(), Lines: []*ordersv1.ReleaseOrderRequest_Line{
		{Line: "10", Quantity: &typev1.Quantity{Value: "60", Unit: "CS"}}}})
	w.must(err)
	j := w.journey(w.released())
	_, err = w.cancel(part.Name, "")
	w.must(err)
	w.happen(&freightv1.LoadCancelled{Load: j.load, Shipments: j.all()})
	part = w.get(part.Name)
	check(t, "partly released", states(part), "CANCELLED RELEASE_CANCELLED OPEN NOT_BILLABLE")
	check(t, "line 10", numbers(part.Lines[0])+" "+part.Lines[0].Quantities.CancelledBeforeRelease, "100 60 0 0 60 0 0 0 0 0 0 40")
	check(t, "line 20", numbers(part.Lines[1])+" "+part.Lines[1].Quantities.CancelledBeforeRelease, "40 0 0 0 0 0 0 0 0 0 0 40")

	late := w.send("HH-1008")
	j = w.journey(w.released())
	w.happen(j.departed())
	_, err = w.cancel(late.Name, "")
	check(t, "lines in the way", refused(t, "cancel after departure", err, codes.FailedPrecondition, "ALREADY_SHIPPED").Metadata["lines"], "10")

	overtaken := w.send("HH-1013")
	j = w.journey(w.released())
	_, err = w.cancel(overtaken.Name, "too slow")
	w.must(err)
	before = w.core.Store().Last()
	for _, m := range []proto.Message{j.planned(), j.booked(), j.departed(), j.delivered(), j.proof(nil), j.authorized(nil), j.invoiced(nil)} {
		w.happen(m)
	}
	o := w.get(overtaken.Name)
	check(t, "overtaken", states(o)+" "+o.CancelReason, "CLOSED SECURED DELIVERED BILLED ")
	if got := strings.Join(w.facts(before), "; "); !strings.Contains(got, "CommitmentChanged OrderCancellationRefused;") {
		t.Errorf("facts %s, want the refusal with the departure", got)
	}
	check(t, "parked or deferred facts", w.parked(), uint64(0))
}
