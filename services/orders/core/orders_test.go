package core_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/platform/platformtest"
)

// TestCustomerOrder follows the order 08292233294 from the EDI adapter's call to the invoice.
func TestCustomerOrder(t *testing.T) {
	w := newWorld(t)
	w.seed()
	before := w.core.Store().Last()
	o, err := w.edi.CreateOrder(t.Context(), &ordersv1.CreateOrderRequest{Order: customerOrder(), RequestId: "edi_1/1"})
	w.must(err)
	check(t, "facts of one commit", strings.Join(w.facts(before), "; "), "OrderCreated OrderConfirmed OrderReleased CommitmentChanged")
	check(t, "states", states(o), "CONFIRMED RELEASED OPEN NOT_BILLABLE")
	check(t, "ship date", fmt.Sprint(o.Promise.ShipDate.Year, o.Promise.ShipDate.Month, o.Promise.ShipDate.Day), "2026 3 3")
	check(t, "deliver by", o.Promise.DeliverBy.Time.AsTime().Format(time.RFC3339), "2026-03-04T22:00:00Z")
	check(t, "zone", o.Promise.DeliverBy.Zone, "America/New_York")
	check(t, "requested", fmt.Sprint(o.RequestedDeliveryDate.Year, o.RequestedDeliveryDate.Month, o.RequestedDeliveryDate.Day), "2010 12 14")
	check(t, "ship to", o.ShipTo, "locations/LOC-SOLON")
	check(t, "ship from", o.ShipFrom, "locations/LOC-CMH")
	check(t, "legal entity", o.LegalEntity, "legalEntities/LE-US")
	check(t, "mode at 3156 lb", o.Mode, "LTL")
	check(t, "currency", o.CurrencyCode, "USD")
	for i, want := range []string{"items/AB3542", "items/RD5322", "items/XY5266", "items/VX2332", "items/RV0524", "items/DX1875"} {
		check(t, "item of line "+o.Lines[i].Line, o.Lines[i].Item, want)
	}

	created, told := fact(w, &ordersv1.OrderCreated{})
	check(t, "subject", told.Subject, o.Name)
	for _, want := range []string{o.Name, "po:08292233294", "parties/CUS-XYZ", "interchange:interchanges/edi_1"} {
		if !slices.Contains(told.Related, want) {
			t.Errorf("related %q lacks %s", told.Related, want)
		}
	}
	check(t, "order as created", states(created.Order), "DRAFT UNRELEASED OPEN NOT_BILLABLE")
	released, _ := fact(w, &ordersv1.OrderReleased{})
	r := released.Release
	check(t, "release", r.Name, o.Name+"/releases/1")
	check(t, "contract", r.Contract, "contracts/CUS-XYZ-1")
	check(t, "pick-up from 08:00", r.PickupFrom.Time.AsTime().Format(time.RFC3339), "2026-03-03T13:00:00Z")
	check(t, "pick-up to 16:00", r.PickupTo.Time.AsTime().Format(time.RFC3339), "2026-03-03T21:00:00Z")
	check(t, "delivery from 08:00", r.DeliverFrom.Time.AsTime().Format(time.RFC3339), "2026-03-04T13:00:00Z")
	check(t, "pack", r.Lines[5].Pack, int32(6))
	check(t, "external ids", r.Lines[0].ExternalIds[0].Value+" "+r.Lines[0].ExternalIds[1].Value, "065322-117 AB3542")

	j := w.journey(r)
	for _, x := range []struct {
		log   string
		told  proto.Message
		want  string
		facts string
	}{
		{"freight", j.planned(), "CONFIRMED PLANNED OPEN NOT_BILLABLE", "CommitmentChanged"},
		{"freight", j.tendered(), "CONFIRMED TENDERED OPEN NOT_BILLABLE", "CommitmentChanged"},
		{"freight", j.booked(), "CONFIRMED SECURED OPEN NOT_BILLABLE", "CommitmentChanged"},
		{"freight", j.booked(), "CONFIRMED SECURED OPEN NOT_BILLABLE", ""}, // told again
		{"freight", j.departed(), "CONFIRMED SECURED IN_TRANSIT NOT_BILLABLE", "CommitmentChanged"},
		{"freight", j.delivered(), "CONFIRMED SECURED IN_TRANSIT NOT_BILLABLE", ""}, // what was accepted the proof says
		{"freight", j.proof(nil), "CONFIRMED SECURED DELIVERED NOT_BILLABLE", "CommitmentChanged"},
		{"freight", j.proof(nil), "CONFIRMED SECURED DELIVERED NOT_BILLABLE", ""},
		{"billing", j.authorized(nil), "CONFIRMED SECURED DELIVERED BILLABLE", ""},
		{"billing", j.authorized(nil), "CONFIRMED SECURED DELIVERED BILLABLE", ""},
		{"billing", j.invoiced(nil), "CLOSED SECURED DELIVERED BILLED", "OrderClosed"},
		{"billing", j.invoiced(nil), "CLOSED SECURED DELIVERED BILLED", ""},
	} {
		before := w.core.Store().Last()
		w.tell(x.log, "subject", x.told)
		what := string(x.told.ProtoReflect().Descriptor().Name())
		check(t, "states after "+what, states(w.get(o.Name)), x.want)
		check(t, "facts after "+what, strings.Join(w.facts(before), "; "), x.facts)
	}
	commitment, _ := fact(w, &ordersv1.CommitmentChanged{})
	check(t, "last milestone", commitment.Milestone.Time.AsTime().Format(time.RFC3339), "2026-03-04T14:35:00Z")
	for i, want := range []string{"120", "220", "126", "76", "72", "696"} {
		l := w.get(o.Name).Lines[i]
		q := l.Quantities
		for name, got := range map[string]string{"ordered": q.Ordered, "released": q.Released, "shipped": q.Shipped, "arrived": q.Arrived, "accepted": q.Accepted, "billed": q.Billed} {
			check(t, "line "+l.Line+" "+name, got, want)
		}
		for name, got := range map[string]string{"unreleased": q.Unreleased, "open": q.Open, "in transit": q.InTransit, "short": q.Short, "damaged": q.Damaged, "cancelled": q.CancelledAfterRelease} {
			check(t, "line "+l.Line+" "+name, got, "0")
		}
	}
	check(t, "parked or deferred facts", w.parked(), uint64(0))
}

// TestOutOfOrder tells the proof before hand-over and departure, across a restart: the numbers are the same.
func TestOutOfOrder(t *testing.T) {
	w := newWorld(t)
	w.seed()
	o := w.create(customerOrder())
	released, _ := fact(w, &ordersv1.OrderReleased{})
	j := w.journey(released.Release)
	w.tell("freight", "x", j.planned())
	w.tell("freight", "x", j.booked())
	w.tell("freight", "x", j.proof(nil))
	check(t, "after the proof", states(w.get(o.Name)), "CONFIRMED SECURED DELIVERED NOT_BILLABLE")
	want := w.get(o.Name).Lines[0].Quantities
	w.restart()
	w.tell("freight", "x", j.delivered())
	w.tell("freight", "x", j.departed())
	w.tell("freight", "x", j.tendered()) // the offer that was accepted
	if got := w.get(o.Name).Lines[0].Quantities; !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	check(t, "accepted", want.Accepted, "120")
	check(t, "shipped", want.Shipped, "120")
	check(t, "parked or deferred facts", w.parked(), uint64(0))
}

// TestCarriersSayNo: the last refusal takes the order back to planned; a later offer and a late estimate are told.
func TestCarriersSayNo(t *testing.T) {
	w := newWorld(t)
	w.seed()
	o := w.create(customerOrder())
	released, _ := fact(w, &ordersv1.OrderReleased{})
	j := w.journey(released.Release)
	exhausted := &freightv1.TendersExhausted{Load: j.load, Shipments: j.all()}
	late := &freightv1.EtaChanged{Shipment: j.shipment, Estimate: event("2026-03-05T15:00:00Z")}
	for _, x := range []struct {
		told     proto.Message
		want     string
		estimate string
	}{
		{j.planned(), "CONFIRMED PLANNED OPEN NOT_BILLABLE", ""},
		{j.tendered(), "CONFIRMED TENDERED OPEN NOT_BILLABLE", ""},
		{exhausted, "CONFIRMED PLANNED OPEN NOT_BILLABLE", ""},
		{j.tendered(), "CONFIRMED TENDERED OPEN NOT_BILLABLE", ""},
		{j.booked(), "CONFIRMED SECURED OPEN NOT_BILLABLE", ""},
		{late, "CONFIRMED SECURED OPEN NOT_BILLABLE", "2026-03-05T15:00:00Z"},
	} {
		w.tell("freight", "x", x.told)
		what := string(x.told.ProtoReflect().Descriptor().Name())
		o = w.get(o.Name)
		check(t, "states after "+what, states(o), x.want)
		estimate := ""
		if e := o.Promise.Estimate; e != nil {
			estimate = e.Time.AsTime().Format(time.RFC3339)
		}
		check(t, "estimate after "+what, estimate, x.estimate)
	}
	commitment, told := fact(w, &ordersv1.CommitmentChanged{})
	check(t, "estimate told", commitment.Promise.Estimate.Time.AsTime().Format(time.RFC3339), "2026-03-05T15:00:00Z")
	check(t, "promise kept", commitment.Promise.DeliverBy.Time.AsTime().Format(time.RFC3339), "2026-03-04T22:00:00Z")
	check(t, "subject", told.Subject, o.Name)
}

// TestPartialRelease releases 60 of 100 and 40 of 40, and bills what was released.
func TestPartialRelease(t *testing.T) {
	w := newWorld(t)
	w.seed()
	w.clock.Set(time.Date(2026, 3, 4, 14, 0, 0, 0, time.UTC))
	in := simple("parties/CUS-LAK", "LC-1006", "locations/LOC-PITL", "items/NS-GLOVE-30", "100", "CS", "42.00")
	in.Lines = append(in.Lines, &ordersv1.OrderLine{Line: "20", Item: "items/NS-CART-35", Quantity: &typev1.Quantity{Value: "40", Unit: "EA"}, UnitPrice: "118.50"})
	o := w.create(in)
	check(t, "waits for a user", states(o), "CONFIRMED UNRELEASED OPEN NOT_BILLABLE")
	check(t, "mode at 1150 lb", o.Mode, "LTL")

	release := func(lines ...*ordersv1.ReleaseOrderRequest_Line) (*ordersv1.OrderRelease, error) {
		return w.user.ReleaseOrder(t.Context(), &ordersv1.ReleaseOrderRequest{Name: o.Name, RequestId: w.id(), Lines: lines})
	}
	line := func(id, value, unit string) *ordersv1.ReleaseOrderRequest_Line {
		return &ordersv1.ReleaseOrderRequest_Line{Line: id, Quantity: &typev1.Quantity{Value: value, Unit: unit}}
	}
	_, err := release(line("10", "100.5", "CS"), line("20", "41", "EA"), line("30", "1", "EA"), line("10", "1", "EA"))
	e := refused(t, "too much", err, codes.InvalidArgument, "INVALID_FIELDS")
	var got []string
	for _, f := range e.Fields {
		got = append(got, f.Path+" "+f.Reason)
	}
	check(t, "fields", strings.Join(got, "; "), "lines[0].quantity.value MORE_THAN_UNRELEASED; lines[1].quantity.value MORE_THAN_UNRELEASED; lines[2].line ; lines[3].line ")

	w.clock.Set(time.Date(2026, 3, 4, 15, 0, 0, 0, time.UTC))
	r, err := release(line("10", "60", "CS"), line("20", "40", "EA"))
	w.must(err)
	check(t, "states", states(w.get(o.Name)), "CONFIRMED PARTLY_RELEASED OPEN NOT_BILLABLE")
	check(t, "ship day", r.ShipDate.Day, int32(5))
	j := w.journey(r)
	for _, m := range []proto.Message{j.planned(), j.tendered(), j.booked(), j.departed(), j.proof(nil)} {
		w.tell("freight", "x", m)
	}
	_, err = w.user.CancelOrder(t.Context(), &ordersv1.CancelOrderRequest{Name: o.Name, RequestId: w.id()})
	check(t, "lines in the way", refused(t, "cancel after departure", err, codes.FailedPrecondition, "ALREADY_SHIPPED").Metadata["lines"], "10,20")
	w.tell("billing", "x", j.authorized(nil))
	w.tell("billing", "x", j.invoiced(nil))
	o = w.get(o.Name)
	check(t, "states at the end", states(o), "CONFIRMED PARTLY_SECURED PARTLY_DELIVERED PARTLY_BILLED")
	check(t, "line 10 unreleased", o.Lines[0].Quantities.Unreleased, "40")
	check(t, "line 10 released", o.Lines[0].Quantities.Released, "60")

	second, err := release()
	w.must(err)
	check(t, "the rest", second.Name+" "+second.Lines[0].Quantity.Value, o.Name+"/releases/2 40")
	_, err = release()
	refused(t, "nothing left", err, codes.FailedPrecondition, "NOTHING_UNRELEASED")
	list, err := w.user.ListOrderReleases(t.Context(), &ordersv1.ListOrderReleasesRequest{Parent: o.Name, PageSize: 1})
	w.must(err)
	check(t, "first page", list.OrderReleases[0].Name, o.Name+"/releases/1")
	list, err = w.user.ListOrderReleases(t.Context(), &ordersv1.ListOrderReleasesRequest{Parent: o.Name, PageSize: 1, PageToken: list.NextPageToken})
	w.must(err)
	check(t, "second page", list.OrderReleases[0].Name+list.NextPageToken, o.Name+"/releases/2")
	one, err := w.user.GetOrderRelease(t.Context(), &ordersv1.GetOrderReleaseRequest{Name: o.Name + "/releases/2"})
	w.must(err)
	if !proto.Equal(one, second) {
		t.Errorf("got %v, want %v", one, second)
	}
	_, err = w.user.GetOrderRelease(t.Context(), &ordersv1.GetOrderReleaseRequest{Name: o.Name + "/releases/3"})
	refused(t, "a release that is not", err, codes.NotFound, "NOT_FOUND")
}

// TestShortDelivery: of 80 pumps 76 are accepted, 3 short, 1 damaged; the clean part is billed and the order stays open.
func TestShortDelivery(t *testing.T) {
	w := newWorld(t)
	w.seed()
	o := w.create(simple("parties/CUS-HHS", "HH-1007", "locations/LOC-DETH", "items/NS-PUMP-10", "80", "EA", "189.00"))
	released, _ := fact(w, &ordersv1.OrderReleased{})
	j := w.journey(released.Release)
	exceptions := map[string][2]string{"10": {"3", "1"}}
	for _, m := range []proto.Message{j.planned(), j.booked(), j.departed(), j.delivered(), j.proof(exceptions)} {
		w.tell("freight", "x", m)
	}
	w.tell("billing", "x", j.authorized(exceptions))
	w.tell("billing", "x", j.invoiced(exceptions))
	o = w.get(o.Name)
	check(t, "states", states(o), "CONFIRMED SECURED PARTLY_DELIVERED PARTLY_BILLED")
	q := o.Lines[0].Quantities
	check(t, "numbers", strings.Join([]string{q.Shipped, q.Arrived, q.Accepted, q.Short, q.Damaged, q.Billed}, " "), "80 80 76 3 1 76")
}

// TestSelfHealing: an order for an unknown item waits, and goes on at the instant that the item arrives.
func TestSelfHealing(t *testing.T) {
	w := newWorld(t)
	w.seed("items/NS-TANK-40", "lanes/LANE-DETP")
	w.clock.Set(time.Date(2026, 3, 5, 15, 0, 0, 0, time.UTC))
	o := w.create(simple("parties/CUS-PIN", "PC-1012", "locations/LOC-INDP", "items/NS-TANK-40", "12", "EA", "410.00"))
	check(t, "states", states(o), "DRAFT UNRELEASED OPEN NOT_BILLABLE")
	check(t, "hold", o.Holds[0].Kind.String()+" "+o.Holds[0].Reason, "MASTER_DATA line 10: items/NS-TANK-40 is no known item")
	check(t, "field", strings.Join(o.Holds[0].Fields, ","), "lines[0].item")
	if o.Promise != nil {
		t.Errorf("promise %v, want none", o.Promise)
	}
	two := w.create(simple("parties/CUS-PIN", "PC-2", "locations/LOC-DETP", "items/NS-TANK-40", "12", "EA", "410.00"))
	check(t, "both are named", two.Holds[0].Reason, "line 10: items/NS-TANK-40 is no known item; no lane from locations/LOC-CMH to locations/LOC-DETP")

	_, err := w.user.ConfirmOrder(t.Context(), &ordersv1.ConfirmOrderRequest{Name: o.Name, RequestId: w.id()})
	e := refused(t, "confirm", err, codes.FailedPrecondition, "HOLD_IN_THE_WAY")
	check(t, "hold in the metadata", e.Metadata["MASTER_DATA"], o.Holds[0].Reason)
	_, err = w.user.ReleaseHold(t.Context(), &ordersv1.ReleaseHoldRequest{Name: o.Name, Kind: ordersv1.Hold_MASTER_DATA, RequestId: w.id()})
	e = refused(t, "release hold", err, codes.FailedPrecondition, "MASTER_DATA_MISSING")
	check(t, "what is missing", e.Metadata["lines[0].item"], "line 10: items/NS-TANK-40 is no known item")
	_, err = w.user.ReleaseOrder(t.Context(), &ordersv1.ReleaseOrderRequest{Name: o.Name, RequestId: w.id()})
	e = refused(t, "release", err, codes.FailedPrecondition, "TRANSITION_REFUSED")
	check(t, "state and verb", e.Metadata["state"]+" "+e.Metadata["verb"], "DRAFT release")

	w.restart()
	w.clock.Set(time.Date(2026, 3, 9, 14, 0, 0, 0, time.UTC))
	before := w.core.Store().Last()
	for _, m := range seed(t) {
		if nameOf(m) == "items/NS-TANK-40" {
			w.tell("masterdata", nameOf(m), changed(m))
		}
	}
	check(t, "facts", strings.Join(w.facts(before), "; "), "OrderHoldReleased OrderConfirmed OrderReleased CommitmentChanged OrderHoldReleased OrderHeld")
	o = w.get(o.Name)
	check(t, "states", states(o), "CONFIRMED RELEASED OPEN NOT_BILLABLE")
	check(t, "ship day", o.Promise.ShipDate.Day, int32(10))
	check(t, "update time", o.UpdateTime.AsTime(), w.clock.Now())
	two = w.get(two.Name)
	check(t, "the other still waits", two.Holds[0].Reason, "no lane from locations/LOC-CMH to locations/LOC-DETP")
	for _, m := range seed(t) {
		if nameOf(m) == "lanes/LANE-DETP" {
			w.tell("masterdata", nameOf(m), changed(m))
		}
	}
	check(t, "and goes on with the lane", states(w.get(two.Name)), "CONFIRMED RELEASED OPEN NOT_BILLABLE")
}

// TestNothingIsKnown: an internal caller's order for a customer that nobody knows waits for every piece, whatever comes first.
func TestNothingIsKnown(t *testing.T) {
	w := newWorld(t)
	o, err := w.edi.CreateOrder(t.Context(), &ordersv1.CreateOrderRequest{Order: customerOrder(), RequestId: w.id()})
	w.must(err)
	check(t, "states", states(o), "DRAFT UNRELEASED OPEN NOT_BILLABLE")
	check(t, "fields", strings.Join(o.Holds[0].Fields, " "), "customer ship_to lines[0].item lines[1].item lines[2].item lines[3].item lines[4].item lines[5].item")
	w.seed()
	check(t, "states", states(w.get(o.Name)), "CONFIRMED RELEASED OPEN NOT_BILLABLE")
	check(t, "parked or deferred facts", w.parked(), uint64(0))
}

// TestManyWait: more orders wait for one item than one change looks at.
func TestManyWait(t *testing.T) {
	w := newWorld(t)
	w.seed("items/NS-TANK-40")
	const many = 120
	for i := range many {
		w.create(simple("parties/CUS-PIN", fmt.Sprint("PC-", i), "locations/LOC-INDP", "items/NS-TANK-40", "12", "EA", "410.00"))
	}
	for _, m := range seed(t) {
		if nameOf(m) == "items/NS-TANK-40" {
			w.tell("masterdata", nameOf(m), changed(m))
		}
	}
	list, err := w.user.ListOrders(t.Context(), &ordersv1.ListOrdersRequest{PageSize: 500})
	w.must(err)
	released := 0
	for _, o := range list.Orders {
		if o.Release == ordersv1.Order_RELEASED {
			released++
		}
	}
	check(t, "released", released, many)
}

// TestLargeOrder: the most lines that the contract takes, none of them known, are held, and go on when the items arrive.
func TestLargeOrder(t *testing.T) {
	w := newWorld(t)
	w.seed("items/NS-TANK-40")
	in := simple("parties/CUS-HHS", "HH-LARGE", "locations/LOC-DETH", "", "1", "EA", "410.00")
	in.Lines = nil
	for i := range 1000 {
		in.Lines = append(in.Lines, &ordersv1.OrderLine{Line: fmt.Sprint(i + 1), Quantity: &typev1.Quantity{Value: "1", Unit: "EA"}, UnitPrice: "410.00",
			Description: strings.Repeat("d", 100), ExternalIds: []*typev1.ExternalId{
				{System: "x12", Qualifier: "UP", Value: fmt.Sprintf("%080d", i)}, {System: "x12", Qualifier: "VN", Value: "NS-TANK-40"}}})
	}
	o := w.create(in)
	check(t, "fields of the hold", len(o.Holds[0].Fields), 1000)
	if n := len(o.Holds[0].Reason); n > 400 {
		t.Errorf("the reason has %d bytes, want at most 400", n)
	}
	for _, m := range seed(t) {
		if nameOf(m) == "items/NS-TANK-40" {
			w.tell("masterdata", nameOf(m), changed(m))
		}
	}
	o = w.get(o.Name)
	check(t, "states", states(o), "CONFIRMED RELEASED OPEN NOT_BILLABLE")
	check(t, "85000 lb go by truckload", o.Mode, "TL")
	r, _ := fact(w, &ordersv1.OrderReleased{})
	check(t, "released lines", len(r.Release.Lines), 1000)
	w.tell("freight", "x", w.journey(r.Release).proof(nil))
	check(t, "states", states(w.get(o.Name)), "CONFIRMED RELEASED DELIVERED NOT_BILLABLE")
}

func TestRepeatsAndDuplicates(t *testing.T) {
	w := newWorld(t)
	w.seed()
	req := &ordersv1.CreateOrderRequest{Order: customerOrder(), RequestId: "edi_1/1"}
	o, err := w.edi.CreateOrder(t.Context(), req)
	w.must(err)
	before := w.core.Store().Last()
	w.restart()
	again, err := w.edi.CreateOrder(t.Context(), req)
	w.must(err)
	if !proto.Equal(again, o) {
		t.Errorf("repeat: got %v, want %v", again, o)
	}
	check(t, "facts of the repeat", len(w.facts(before)), 0)

	other := proto.Clone(req).(*ordersv1.CreateOrderRequest)
	other.Order.CustomerOrderNumber = "another"
	_, err = w.edi.CreateOrder(t.Context(), other)
	refused(t, "same id, other arguments", err, codes.FailedPrecondition, "REQUEST_ID_REUSED")
	_, err = w.edi.CreateOrder(t.Context(), &ordersv1.CreateOrderRequest{Order: customerOrder(), RequestId: "edi_2/1"})
	check(t, "the first order", refused(t, "same number", err, codes.AlreadyExists, "ORDER_NUMBER_TAKEN").Metadata["order"], o.Name)
	next := customerOrder()
	next.Customer = "parties/CUS-HHS"
	if _, err := w.edi.CreateOrder(t.Context(), &ordersv1.CreateOrderRequest{Order: next, RequestId: "edi_3/1"}); err != nil {
		t.Errorf("another customer's order with the same number: %v", err)
	}

	// Two at once join one change; of two ids with one number, one wins.
	in := simple("parties/CUS-HHS", "HH-1", "locations/LOC-DETH", "items/NS-PUMP-10", "1", "EA", "189.00")
	var wg sync.WaitGroup
	names, errs := make([]string, 8), make([]error, 8)
	for i := range names {
		wg.Go(func() {
			got, err := w.user.CreateOrder(t.Context(), &ordersv1.CreateOrderRequest{Order: in, RequestId: fmt.Sprint("two-", i%2)})
			names[i], errs[i] = got.GetName(), err
		})
	}
	wg.Wait()
	won := map[string]bool{}
	for i, err := range errs {
		if err == nil {
			won[names[i]] = true
			continue
		}
		refused(t, "the other id", err, codes.AlreadyExists, "ORDER_NUMBER_TAKEN")
	}
	check(t, "orders", len(won), 1)
}

func TestETag(t *testing.T) {
	w := newWorld(t)
	w.seed()
	o := w.create(simple("parties/CUS-LAK", "LC-1", "locations/LOC-PITL", "items/NS-GLOVE-30", "10", "CS", "42.00"))
	hold := func(etag string, kind ordersv1.Hold_Kind) (*ordersv1.Order, error) {
		return w.user.PlaceHold(t.Context(), &ordersv1.PlaceHoldRequest{Name: o.Name, Etag: etag, RequestId: w.id(), Hold: &ordersv1.Hold{Kind: kind, Reason: "limit"}})
	}
	held, err := hold(o.Etag, ordersv1.Hold_CREDIT)
	w.must(err)
	check(t, "actor", held.Holds[0].Actor, "user/dev")
	_, err = hold(o.Etag, ordersv1.Hold_FRAUD)
	refused(t, "stale", err, codes.Aborted, "STALE_ETAG")
	_, err = w.user.ReleaseOrder(t.Context(), &ordersv1.ReleaseOrderRequest{Name: o.Name, RequestId: w.id()})
	check(t, "hold in the way", refused(t, "release", err, codes.FailedPrecondition, "HOLD_IN_THE_WAY").Metadata["CREDIT"], "limit")
	free, err := w.user.ReleaseHold(t.Context(), &ordersv1.ReleaseHoldRequest{Name: o.Name, Etag: held.Etag, Kind: ordersv1.Hold_CREDIT, RequestId: w.id()})
	w.must(err)
	check(t, "states", states(free), "CONFIRMED UNRELEASED OPEN NOT_BILLABLE")
	cancelled, err := w.user.CancelOrder(t.Context(), &ordersv1.CancelOrderRequest{Name: o.Name, Reason: "typed twice", RequestId: w.id()})
	w.must(err)
	check(t, "states", states(cancelled), "CANCELLED RELEASE_CANCELLED OPEN NOT_BILLABLE")
	_, err = w.user.ConfirmOrder(t.Context(), &ordersv1.ConfirmOrderRequest{Name: o.Name, RequestId: w.id()})
	refused(t, "confirm a cancelled order", err, codes.FailedPrecondition, "TRANSITION_REFUSED")
	_, err = w.user.CreateOrder(t.Context(), &ordersv1.CreateOrderRequest{RequestId: w.id(), Order: simple("parties/CUS-LAK", "LC-1", "locations/LOC-PITL", "items/NS-GLOVE-30", "10", "CS", "42.00")})
	refused(t, "the number of a cancelled order", err, codes.AlreadyExists, "ORDER_NUMBER_TAKEN")
}

func TestLists(t *testing.T) {
	w := newWorld(t)
	w.seed()
	for i := range 5 {
		w.clock.Advance(time.Minute)
		w.create(simple("parties/CUS-HHS", fmt.Sprint("HH-", i), "locations/LOC-DETH", "items/NS-PUMP-10", "1", "EA", "189.00"))
		w.create(simple("parties/CUS-PIN", fmt.Sprint("HH-", i), "locations/LOC-INDP", "items/NS-PUMP-10", "1", "EA", "189.00"))
	}
	pages := func(req *ordersv1.ListOrdersRequest) string {
		var out []string
		for {
			resp, err := w.user.ListOrders(t.Context(), req)
			w.must(err)
			for _, o := range resp.Orders {
				out = append(out, strings.TrimPrefix(o.Customer, "parties/CUS-")+o.CustomerOrderNumber[3:])
			}
			if req.PageToken = resp.NextPageToken; req.PageToken == "" {
				return strings.Join(out, " ")
			}
		}
	}
	check(t, "all", pages(&ordersv1.ListOrdersRequest{PageSize: 3}), "PIN4 HHS4 PIN3 HHS3 PIN2 HHS2 PIN1 HHS1 PIN0 HHS0")
	check(t, "a customer's", pages(&ordersv1.ListOrdersRequest{PageSize: 2, Customer: "parties/CUS-PIN"}), "PIN4 PIN3 PIN2 PIN1 PIN0")
	check(t, "by number", pages(&ordersv1.ListOrdersRequest{PageSize: 1, CustomerOrderNumber: "HH-3"}), "PIN3 HHS3")
	check(t, "by number and customer", pages(&ordersv1.ListOrdersRequest{CustomerOrderNumber: "HH-3", Customer: "parties/CUS-HHS"}), "HHS3")
	first, err := w.user.ListOrders(t.Context(), &ordersv1.ListOrdersRequest{PageSize: 3})
	w.must(err)
	_, err = w.user.ListOrders(t.Context(), &ordersv1.ListOrdersRequest{PageSize: 3, PageToken: first.NextPageToken, Customer: "parties/CUS-PIN"})
	refused(t, "token of another list", err, codes.InvalidArgument, "INVALID_PAGE_TOKEN")
}

// TestPartners: a partner orders for itself and sees its own, by every method.
func TestPartners(t *testing.T) {
	w := newWorld(t)
	w.seed()
	hhs := w.server.Partner("parties/CUS-HHS", "orders.read", "orders.write")
	lak := w.server.Partner("parties/CUS-LAK", "orders.read", "orders.write")
	body := func(o *ordersv1.Order) string {
		raw, err := protojson.Marshal(o)
		w.must(err)
		return string(raw)
	}
	mine := simple("", "LC-1", "locations/LOC-PITL", "items/NS-GLOVE-30", "10", "CS", "42.00")
	a := lak.Do("POST", "/v1/orders", body(mine), "Idempotency-Key", "k1")
	check(t, "create", a.Status, http.StatusOK)
	o := &ordersv1.Order{}
	w.must(protojson.Unmarshal(a.Body, o))
	check(t, "customer", o.Customer, "parties/CUS-LAK")
	check(t, "etag header", a.Header.Get("ETag"), `"`+o.Etag+`"`)
	if a.Header.Get("Crossdock-Position") == "" {
		t.Error("no position in the answer")
	}
	a = lak.Do("POST", "/v1/orders", body(mine), "Idempotency-Key", "k1")
	check(t, "repeat", a.Status, http.StatusOK)
	a = lak.Do("POST", "/v1/orders", body(mine), "Idempotency-Key", "k2")
	check(t, "same number", a.Status, http.StatusConflict)
	check(t, "reason", a.Problem(t).Reason, "ORDER_NUMBER_TAKEN")
	other := simple("parties/CUS-HHS", "X-1", "locations/LOC-PITL", "items/NS-GLOVE-30", "10", "CS", "42.00")
	a = lak.Do("POST", "/v1/orders", body(other), "Idempotency-Key", "k3")
	check(t, "for another customer", a.Status, http.StatusForbidden)
	check(t, "reason", a.Problem(t).Reason, "OTHER_CUSTOMER")

	adapter := simple("", "LC-2", "locations/LOC-PITL", "items/NS-GLOVE-30", "10", "CS", "42.00")
	adapter.Source = "interchanges/edi_1/sets/1"
	check(t, "a document that is not its own", lak.Do("POST", "/v1/orders", body(adapter), "Idempotency-Key", "k8").Status, http.StatusBadRequest)

	missing := "orders/ord_00000000000000000000000000"
	for _, x := range []struct {
		method, path, body string
		headers            []string
	}{
		{"GET", "/v1/%s", "", nil},
		{"POST", "/v1/%s:cancel", `{"reason":"not mine"}`, []string{"Idempotency-Key", "k4"}},
	} {
		got := hhs.Do(x.method, fmt.Sprintf(x.path, o.Name), x.body, x.headers...)
		want := hhs.Do(x.method, fmt.Sprintf(x.path, missing), x.body, x.headers...)
		check(t, x.method+" of another's order", got.Status, http.StatusNotFound)
		if g, m := normal(t, got, o.Name), normal(t, want, missing); g != m {
			t.Errorf("%s %s: another's order answers\n%s\na missing one\n%s", x.method, x.path, g, m)
		}
	}
	var list ordersv1.ListOrdersResponse
	for _, query := range []string{"", "?customer=parties/CUS-LAK", "?customerOrderNumber=LC-1"} {
		a = hhs.Do("GET", "/v1/orders"+query, "")
		check(t, "list", a.Status, http.StatusOK)
		w.must(protojson.Unmarshal(a.Body, &list))
		check(t, "another's orders in the list"+query, len(list.Orders), 0)
	}
	a = lak.Do("GET", "/v1/orders", "")
	w.must(protojson.Unmarshal(a.Body, &list))
	check(t, "own orders", len(list.Orders), 1)
	reader := w.server.Partner("parties/CUS-LAK", "orders.read")
	check(t, "without the scope", reader.Do("POST", "/v1/"+o.Name+":cancel", "{}", "Idempotency-Key", "k5").Status, http.StatusForbidden)
	a = lak.Do("POST", "/v1/"+o.Name+":cancel", `{"reason":"typed twice"}`, "Idempotency-Key", "k6", "If-Match", `"99"`)
	check(t, "stale If-Match", a.Status, http.StatusPreconditionFailed)
	a = lak.Do("POST", "/v1/"+o.Name+":cancel", `{"reason":"typed twice"}`, "Idempotency-Key", "k7")
	check(t, "cancel", a.Status, http.StatusOK)
}

// normal is a refusal without what differs by call.
func normal(t *testing.T, a platformtest.Answer, name string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.Body, &m); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"request_id", "requestId", "instance"} {
		delete(m, key)
	}
	raw, _ := json.Marshal(m)
	return strings.ReplaceAll(string(raw), name, "NAME")
}

// TestBadInput: all bad fields are named at once, by gRPC and by REST.
func TestBadInput(t *testing.T) {
	w := newWorld(t)
	w.seed()
	shape := &ordersv1.Order{Customer: "CUS-LAK", CustomerOrderNumber: "*", Mode: "AIR", Lines: []*ordersv1.OrderLine{{Line: "10", UnitPrice: "-1"}}}
	meaning := simple("", "LC-9", "", "", "0", "EA", "1")
	meaning.CurrencyCode = "XXQ"
	meaning.Lines = append(meaning.Lines, proto.Clone(meaning.Lines[0]).(*ordersv1.OrderLine))
	for _, x := range []struct {
		name  string
		order *ordersv1.Order
		want  []string
	}{
		{"shape", shape, []string{"order.customer", "order.customer_order_number", "order.lines[0].quantity", "order.lines[0].unit_price", "order.mode"}},
		{"meaning", meaning, []string{"order.currency_code", "order.lines[0].item", "order.lines[0].quantity.value", "order.lines[1].item", "order.lines[1].line", "order.lines[1].quantity.value", "order.ship_to"}},
	} {
		in := proto.Clone(x.order).(*ordersv1.Order)
		if in.Customer == "" {
			in.Customer = "parties/CUS-LAK"
		}
		_, err := w.user.CreateOrder(t.Context(), &ordersv1.CreateOrderRequest{Order: in, RequestId: w.id()})
		var got []string
		for _, f := range refused(t, x.name, err, codes.InvalidArgument, "INVALID_FIELDS").Fields {
			got = append(got, f.Path)
		}
		slices.Sort(got)
		if !slices.Equal(got, x.want) {
			t.Errorf("%s by gRPC: fields %q, want %q", x.name, got, x.want)
		}
		raw, err := protojson.Marshal(x.order)
		w.must(err)
		a := w.server.Partner("parties/CUS-LAK", "orders.write").Do("POST", "/v1/orders", string(raw), "Idempotency-Key", w.id())
		check(t, x.name+" by REST", a.Status, http.StatusBadRequest)
		check(t, x.name+" by REST: fields", len(a.Problem(t).Fields), len(x.want))
	}
	_, err := w.user.CreateOrder(t.Context(), &ordersv1.CreateOrderRequest{Order: customerOrder()})
	refused(t, "no request id", err, codes.InvalidArgument, "INVALID_FIELDS")
}

// TestInternalMethods are not for partners, nor for services that are not named as callers.
func TestInternalMethods(t *testing.T) {
	w := newWorld(t)
	w.seed()
	o := w.create(customerOrder())
	freight := ordersv1.NewOrderServiceClient(w.server.As("freight"))
	for name, call := range map[string]func(ctx context.Context, c ordersv1.OrderServiceClient) error{
		"create": func(ctx context.Context, c ordersv1.OrderServiceClient) error {
			_, err := c.CreateOrder(ctx, &ordersv1.CreateOrderRequest{Order: customerOrder(), RequestId: "x"})
			return err
		},
		"confirm": func(ctx context.Context, c ordersv1.OrderServiceClient) error {
			_, err := c.ConfirmOrder(ctx, &ordersv1.ConfirmOrderRequest{Name: o.Name, RequestId: "x"})
			return err
		},
		"release": func(ctx context.Context, c ordersv1.OrderServiceClient) error {
			_, err := c.ReleaseOrder(ctx, &ordersv1.ReleaseOrderRequest{Name: o.Name, RequestId: "x"})
			return err
		},
		"release hold": func(ctx context.Context, c ordersv1.OrderServiceClient) error {
			_, err := c.ReleaseHold(ctx, &ordersv1.ReleaseHoldRequest{Name: o.Name, Kind: ordersv1.Hold_CREDIT, RequestId: "x"})
			return err
		},
	} {
		refused(t, name+" by freight", call(t.Context(), freight), codes.PermissionDenied, "PERMISSION_DENIED")
	}
	if _, err := freight.GetOrder(t.Context(), &ordersv1.GetOrderRequest{Name: o.Name}); err != nil {
		t.Errorf("get by freight: %v", err)
	}
}

// TestPoisonFact: a fact that cannot be applied is parked with its later siblings, and others go on.
func TestPoisonFact(t *testing.T) {
	w := newWorld(t)
	w.seed()
	o := w.create(customerOrder())
	r, _ := fact(w, &ordersv1.OrderReleased{})
	j := w.journey(r.Release)
	bad := proto.Clone(j.invoiced(nil))
	w.tell("billing", "x", bad) // nothing is authorised
	check(t, "parked", w.parked(), uint64(1))
	w.tell("billing", "x", j.authorized(nil))
	check(t, "parked with its sibling", w.parked(), uint64(2))
	other := w.create(simple("parties/CUS-HHS", "HH-1", "locations/LOC-DETH", "items/NS-PUMP-10", "1", "EA", "189.00"))
	r2, _ := fact(w, &ordersv1.OrderReleased{})
	w.tell("freight", "x", w.journey(r2.Release).planned())
	check(t, "the other order", states(w.get(other.Name)), "CONFIRMED PLANNED OPEN NOT_BILLABLE")
	check(t, "the order", states(w.get(o.Name)), "CONFIRMED RELEASED OPEN NOT_BILLABLE")
}

// TestShipDates: the ship dates and delivery times of some of the day's orders, worked by hand.
func TestShipDates(t *testing.T) {
	w := newWorld(t)
	w.seed()
	for _, x := range []struct{ number, at, customer, shipTo, item, quantity, unit, mode, ship, by string }{
		// Tuesday before the cut-off; Wednesday; one working day by truckload; 17:00 in Chicago is 23:00Z.
		{"HH-1002", "2026-03-03T13:00:00Z", "HHS", "LOC-CHI", "NS-PUMP-10", "150", "EA", "TL", "2026-3-4", "2026-03-05T23:00:00Z"},
		// Friday 16:00 in Columbus is after the cut-off: not Monday but Tuesday; closing at 16:00 EDT in Indianapolis is 20:00Z.
		{"PC-1003", "2026-03-06T21:00:00Z", "PIN", "LOC-INDP", "NS-PANEL-20", "200", "EA", "TL", "2026-3-10", "2026-03-11T20:00:00Z"},
		// Venlo, Tuesday 10:00; Wednesday; 17:00 in Eindhoven on Thursday is 16:00Z.
		{"TG-1018", "2026-03-03T09:00:00Z", "TUL", "LOC-EIN", "NE-KLEP-10", "240", "EA", "", "2026-3-4", "2026-03-05T16:00:00Z"},
		// Three working days LTL to Athens, Georgia: Tuesday to Friday.
		{"A99999-01", "2026-03-02T11:30:00Z", "SNX", "LOC-ATHGA", "SNX-2222", "10", "CS", "LTL", "2026-3-3", "2026-03-06T22:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, x.at)
		w.must(err)
		w.clock.Set(at)
		in := simple("parties/CUS-"+x.customer, x.number, "locations/"+x.shipTo, "items/"+x.item, x.quantity, x.unit, "1.00")
		in.Mode = x.mode
		p := w.create(in).Promise
		check(t, x.number+" ships", fmt.Sprintf("%d-%d-%d", p.ShipDate.Year, p.ShipDate.Month, p.ShipDate.Day), x.ship)
		check(t, x.number+" by", p.DeliverBy.Time.AsTime().Format(time.RFC3339), x.by)
	}
	// Saturday 18:00 in Columbus and Sunday 08:00 in Nashville, after the clocks went forward.
	w.clock.Set(time.Date(2026, 3, 5, 14, 0, 0, 0, time.UTC))
	in := simple("parties/CUS-PIN", "PC-1009", "locations/LOC-NASP", "items/NS-PANEL-20", "200", "EA", "96.00")
	in.Mode, in.PickupAppointmentLocal, in.DeliveryAppointmentLocal = "TL", "2026-03-07T18:00", "2026-03-08T08:00"
	w.create(in)
	r, _ := fact(w, &ordersv1.OrderReleased{})
	check(t, "pick-up", r.Release.PickupFrom.Time.AsTime().Format(time.RFC3339), "2026-03-07T23:00:00Z")
	check(t, "delivery", r.Release.DeliverBy.Time.AsTime().Format(time.RFC3339), "2026-03-08T13:00:00Z")
	check(t, "ship day", r.Release.ShipDate.Day, int32(7))
}

// TestOrdersOfTheDay creates every REST order of the day at the instant at which it was confirmed.
func TestOrdersOfTheDay(t *testing.T) {
	w := newWorld(t)
	w.seed()
	confirmed := map[string]map[string]string{}
	for _, r := range table(t, "ship_dates.csv") {
		confirmed[r["order"]] = r
	}
	checked := 0
	for _, x := range restOrders(t) {
		row, ok := confirmed[x.PO]
		if !ok && x.Pickup == "" {
			t.Errorf("%s has no ship date", x.PO)
			continue
		}
		if ok {
			at, err := time.Parse(time.RFC3339, row["confirmed"])
			w.must(err)
			w.clock.Set(at)
			checked++
		}
		in := x.message()
		in.Customer = "parties/" + x.Customer
		o := w.create(in)
		want := "CONFIRMED RELEASED OPEN NOT_BILLABLE"
		if x.ByUser != nil {
			want = "CONFIRMED UNRELEASED OPEN NOT_BILLABLE"
		}
		check(t, x.PO, states(o), want)
		if d := o.Promise.GetShipDate(); ok {
			check(t, x.PO+" ships", fmt.Sprintf("%04d-%02d-%02d", d.GetYear(), d.GetMonth(), d.GetDay()), row["ship_date"])
		}
	}
	check(t, "REST orders with a ship date by the rule", checked, 41) // PC-1009 has appointments
}

// TestVerifyRunning: the running service is checked, I4 included.
func TestVerifyRunning(t *testing.T) {
	w := newWorld(t)
	w.seed()
	w.create(customerOrder())
	report, err := w.core.Store().Verify(t.Context())
	w.must(err)
	check(t, "breaches", len(report.Breaches), 0)
	if !slices.ContainsFunc(report.Checks, func(c string) bool { return strings.Contains(c, "I4") }) {
		t.Errorf("checks %q lack I4", report.Checks)
	}
}
