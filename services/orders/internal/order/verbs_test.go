package order_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/services/orders/internal/order"
)

var now = time.Date(2026, 3, 2, 11, 5, 0, 0, time.UTC)

// shelf is a Catalog in memory; what is taken out of it is missing.
type shelf struct {
	customers map[string]order.Customer
	sites     map[string]order.Site
	items     map[string]order.Item
	lanes     map[string]order.Lane
	terms     []order.Terms
}

func weekdays() []time.Weekday {
	return []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
}

// newShelf holds one customer with one item, site and lane.
func newShelf(autoRelease bool) *shelf {
	tod := calendar.MustParseTimeOfDay
	return &shelf{
		customers: map[string]order.Customer{"parties/CUS-A": {Name: "parties/CUS-A", LegalEntity: "legalEntities/LE-US", Currency: "USD"}},
		sites: map[string]order.Site{
			"locations/DC": {Name: "locations/DC", Owner: "legalEntities/LE-US", Zone: "America/New_York", Open: weekdays(), From: tod("06:00"), To: tod("21:00"),
				ShippingCalendar: "calendars/DC", CutOff: tod("14:00"), HasCutOff: true},
			"locations/SHOP":  {Name: "locations/SHOP", Owner: "parties/CUS-A", Zone: "America/New_York", Open: weekdays(), From: tod("08:00"), To: tod("17:00")},
			"locations/OTHER": {Name: "locations/OTHER", Owner: "parties/CUS-B", Zone: "America/New_York", Open: weekdays(), From: tod("08:00"), To: tod("17:00")},
		},
		items: map[string]order.Item{"items/PUMP": {Name: "items/PUMP", BaseUnit: "EA", GrossWeight: quantity.MustParse("40", quantity.Pound), UnitsPerCarton: 1}},
		lanes: map[string]order.Lane{"locations/DC>locations/SHOP": {Name: "lanes/L", TransitDays: map[order.Mode]int{order.LTL: 1, order.TL: 1}}},
		terms: []order.Terms{{Contract: "contracts/A-1", Version: 1, EffectiveFrom: calendar.MustParseDate("2026-01-01"), AutoRelease: autoRelease}},
	}
}

func (s *shelf) Customer(n string) (order.Customer, bool, error) {
	c, ok := s.customers[n]
	return c, ok, nil
}

func (s *shelf) LegalEntity(n string) (order.LegalEntity, bool, error) {
	return order.LegalEntity{Name: "legalEntities/LE-US", ShipFrom: "locations/DC"}, n == "legalEntities/LE-US", nil
}

func (s *shelf) Site(n string) (order.Site, bool, error) {
	x, ok := s.sites[n]
	return x, ok, nil
}

func (s *shelf) SitesByExternalID(order.ExternalID) ([]order.Site, error) { return nil, nil }

func (s *shelf) Item(n string) (order.Item, bool, error) {
	i, ok := s.items[n]
	return i, ok, nil
}

func (s *shelf) ItemsByExternalID(id order.ExternalID) ([]order.Item, error) {
	if i, ok := s.items["items/"+id.Value]; ok && id.Qualifier == "VN" {
		return []order.Item{i}, nil
	}
	return nil, nil
}

func (s *shelf) Calendar(n string) (calendar.Calendar, bool, error) {
	c, err := calendar.New(calendar.Spec{ID: n, Zone: "America/New_York", WorkingDays: weekdays(), From: calendar.MustParseTimeOfDay("06:00"), To: calendar.MustParseTimeOfDay("21:00")})
	return c, n == "calendars/DC", err
}

func (s *shelf) Lane(from, to string) (order.Lane, bool, error) {
	l, ok := s.lanes[from+">"+to]
	return l, ok, nil
}

func (s *shelf) Terms(string) ([]order.Terms, error) { return s.terms, nil }

func draft(lines ...order.DraftLine) order.Draft {
	if len(lines) == 0 {
		lines = []order.DraftLine{{ID: "10", Item: "items/PUMP", Quantity: "80", Unit: "EA", Price: "189.00"}}
	}
	return order.Draft{Name: "orders/ord_1", Customer: "parties/CUS-A", Number: "A-1", ShipTo: "locations/SHOP", Lines: lines}
}

func create(t fataler, dr order.Draft, s *shelf) order.Change {
	t.Helper()
	ch, err := order.Create(dr, s, order.DefaultPolicy(), now)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return ch
}

func facts(ch order.Change) string {
	var names []string
	for _, f := range ch.Facts {
		names = append(names, reflect.TypeOf(f).Name())
	}
	return strings.Join(names, " ")
}

func TestCreateGoesAsFarAsItCan(t *testing.T) {
	withTotal := func(units int64) order.Draft {
		dr := draft()
		dr.StatedTotal = &order.StatedTotal{Units: units, Currency: "USD"}
		return dr
	}
	late := draft()
	late.ShipTo = "locations/OTHER"
	unit := draft(order.DraftLine{ID: "10", Item: "items/PUMP", Quantity: "80", Unit: "CS", Price: "189.00"})
	words := draft(order.DraftLine{ID: "1", ExternalIDs: []order.ExternalID{{System: "x12", Qualifier: "CB", Value: "PUMP"}, {System: "x12", Qualifier: "VN", Value: "PUMP"}}, Quantity: "1", Unit: "EA", Price: "1"})
	nobody := draft()
	nobody.Customer = "parties/CUS-NEW"
	for _, x := range []struct {
		name  string
		draft order.Draft
		auto  bool
		facts string
		state order.Commercial
		hold  string
	}{
		{"all there, automatic release", draft(), true, "OrderCreated OrderConfirmed OrderReleased CommitmentChanged", order.Confirmed, ""},
		{"all there, release by a user", draft(), false, "OrderCreated OrderConfirmed", order.Confirmed, ""},
		{"second external id finds the item", words, false, "OrderCreated OrderConfirmed", order.Confirmed, ""},
		{"80 × 189.00 = 15120.00", withTotal(15120), false, "OrderCreated OrderConfirmed", order.Confirmed, ""},
		{"another total", withTotal(15121), true, "OrderCreated OrderHeld", order.Drafted, "CUSTOMER the order says 15121.00 USD, its lines add up to 15120.00 USD"},
		{"unknown customer", nobody, true, "OrderCreated OrderHeld", order.Drafted, "MASTER_DATA parties/CUS-NEW is no known customer; locations/SHOP is no known site of parties/CUS-NEW"},
		{"another customer's site", late, true, "OrderCreated OrderHeld", order.Drafted, "MASTER_DATA locations/OTHER is no known site of parties/CUS-A"},
		{"not the base unit", unit, true, "OrderCreated OrderHeld", order.Drafted, "MASTER_DATA line 10: items/PUMP is counted in EA, not in CS"},
	} {
		ch := create(t, x.draft, newShelf(x.auto))
		if got := facts(ch); got != x.facts {
			t.Errorf("%s: facts %q, want %q", x.name, got, x.facts)
		}
		if ch.Order.Commercial != x.state {
			t.Errorf("%s: %s, want %s", x.name, ch.Order.Commercial, x.state)
		}
		hold := ""
		if len(ch.Order.Holds) > 0 {
			hold = string(ch.Order.Holds[0].Kind) + " " + ch.Order.Holds[0].Reason
		}
		if hold != x.hold {
			t.Errorf("%s: hold %q, want %q", x.name, hold, x.hold)
		}
	}
}

func TestEveryBadFieldIsNamed(t *testing.T) {
	dr := order.Draft{Currency: "XXQ", OrderDate: "2026-02-30", PickupLocal: "2026-03-07T25:00", StatedTotal: &order.StatedTotal{Units: 1, Nanos: -1, Currency: "USD"},
		Lines: []order.DraftLine{{ID: "1", Quantity: "0", Price: "x"}, {ID: "1", Item: "items/A", Quantity: "1", Price: "1"}}}
	_, err := order.Create(dr, newShelf(false), order.DefaultPolicy(), now)
	var bad *order.FieldErrors
	if !errors.As(err, &bad) {
		t.Fatalf("got %v, want *FieldErrors", err)
	}
	var got []string
	for _, f := range bad.Fields {
		got = append(got, f.Path)
	}
	slices.Sort(got)
	want := []string{"order.currency_code", "order.customer", "order.lines[0].item", "order.lines[0].quantity.value", "order.lines[0].unit_price",
		"order.lines[1].line", "order.order_date", "order.pickup_appointment_local", "order.ship_to", "order.stated_total"}
	if !slices.Equal(got, want) {
		t.Errorf("got fields\n%q, want\n%q", got, want)
	}
}

func TestTooMuchMoney(t *testing.T) {
	dr := draft(order.DraftLine{ID: "1", Item: "items/PUMP", Quantity: "999999999999999999999999", Unit: "EA", Price: "999999999999.999999"})
	dr.StatedTotal = &order.StatedTotal{Units: 1, Currency: "USD"}
	var bad *order.FieldErrors
	if _, err := order.Create(dr, newShelf(false), order.DefaultPolicy(), now); !errors.As(err, &bad) || bad.Fields[0].Path != "order.lines" {
		t.Errorf("got %v, want order.lines to be named", err)
	}
}

// TestMode is LTL up to 10,000 lb and TL above: 250 pumps of 40 lb are the limit.
func TestMode(t *testing.T) {
	for quantity, want := range map[string]order.Mode{"250": order.LTL, "251": order.TL} {
		ch := create(t, draft(order.DraftLine{ID: "1", Item: "items/PUMP", Quantity: quantity, Unit: "EA", Price: "1"}), newShelf(false))
		if ch.Order.Mode != want {
			t.Errorf("%s pumps go %s, want %s", quantity, ch.Order.Mode, want)
		}
	}
}

func TestPromiseAndAppointments(t *testing.T) {
	for _, x := range []struct{ name, pickup, delivery, ship, deliverBy, rule string }{
		// Monday 06:05 EST, before the cut-off of 14:00: ships Tuesday, one working day, by 17:00 EST.
		{"none", "", "", "2026-03-03", "2026-03-04T22:00:00Z", "LOCAL_TO_PLACE"},
		// Saturday and Sunday by appointment; in the night between, the clocks go forward, so 09:00 is EDT.
		{"at a week-end", "2026-03-07T18:00", "2026-03-08T09:00", "2026-03-07", "2026-03-08T13:00:00Z", "LOCAL_TO_PLACE"},
		{"in the gap", "2026-03-07T18:00", "2026-03-08T02:30", "2026-03-07", "2026-03-08T07:30:00Z", "GAP_SHIFTED_FORWARD"},
		{"in the past", "2010-12-13T08:00", "2010-12-14T08:00", "2026-03-03", "2026-03-04T22:00:00Z", "LOCAL_TO_PLACE"},
	} {
		dr := draft()
		dr.PickupLocal, dr.DeliveryLocal, dr.RequestedDate = x.pickup, x.delivery, "2010-12-14"
		o := create(t, dr, newShelf(true)).Order
		if got := o.Promise.ShipDate.String(); got != x.ship {
			t.Errorf("%s: ships %s, want %s", x.name, got, x.ship)
		}
		if got := o.Promise.DeliverBy.At.Format(time.RFC3339); got != x.deliverBy {
			t.Errorf("%s: by %s, want %s", x.name, got, x.deliverBy)
		}
		if got := o.Promise.DeliverBy.Rule; got != x.rule {
			t.Errorf("%s: rule %s, want %s", x.name, got, x.rule)
		}
		if got := o.RequestedDate.String(); got != "2010-12-14" {
			t.Errorf("%s: requested %s, want it kept", x.name, got)
		}
	}
}

// TestReleaseAfterThePromise: an order confirmed on Monday and released on Wednesday cannot ship on Tuesday any more.
func TestReleaseAfterThePromise(t *testing.T) {
	s := newShelf(false)
	o := create(t, draft(), s).Order
	ch, err := o.ReleaseLines(nil, s, order.DefaultPolicy(), now.AddDate(0, 0, 2))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ch.Release.Windows.ShipDate.String(), "2026-03-05"; got != want {
		t.Errorf("ships %s, want %s", got, want)
	}
	if got, want := ch.Order.Promise.ShipDate.String(), "2026-03-03"; got != want {
		t.Errorf("promise %s, want it kept: %s", got, want)
	}
	if got, want := ch.Order.Promise.Estimate.At.Format(time.RFC3339), "2026-03-06T22:00:00Z"; got != want {
		t.Errorf("estimate %s, want %s", got, want)
	}
	if got, want := facts(ch), "OrderReleased CommitmentChanged"; got != want {
		t.Errorf("facts %q, want %q", got, want)
	}
}

func TestHighestApprovedVersionInForce(t *testing.T) {
	s := newShelf(true)
	one, two, three := s.terms[0],
		order.Terms{Contract: "contracts/A-2", Version: 2, EffectiveFrom: calendar.MustParseDate("2026-03-03"), AutoRelease: true},
		order.Terms{Contract: "contracts/A-3", Version: 3, EffectiveFrom: calendar.MustParseDate("2026-03-04")}
	s.terms = []order.Terms{three, two, one}
	ch := create(t, draft(), s)
	if got, want := ch.Release.Contract, "contracts/A-2"; got != want {
		t.Errorf("contract %s, want %s: it is in force on the ship date 2026-03-03", got, want)
	}
	s.terms = []order.Terms{three}
	if got, want := create(t, draft(), s).Order.Holds[0].Reason, "parties/CUS-A has no approved contract in force on 2026-03-03"; got != want {
		t.Errorf("hold %q, want %q", got, want)
	}
}

func TestHolds(t *testing.T) {
	s, p := newShelf(true), order.DefaultPolicy()
	delete(s.items, "items/PUMP")
	o := create(t, draft(), s).Order
	placed, err := o.PlaceHold(order.Hold{Kind: order.HoldCredit, Reason: "limit"}, now)
	if err != nil {
		t.Fatal(err)
	}
	o = placed.Order
	again, err := o.PlaceHold(order.Hold{Kind: order.HoldCredit, Reason: "limit"}, now)
	if err != nil || len(again.Facts) != 0 || again.Order.Revision != o.Revision {
		t.Errorf("placed again: facts %q, revision %d, error %v; want nothing new", facts(again), again.Order.Revision, err)
	}
	var held *order.HeldError
	if _, err := o.Confirm(s, p, now); !errors.As(err, &held) || len(held.Holds) != 2 {
		t.Errorf("confirm: %v, want both holds in the way", err)
	}
	var missing *order.MissingError
	if _, err := o.ReleaseHold(order.HoldMasterData, s, p, now); !errors.As(err, &missing) || missing.Missing[0].Field != "lines[0].item" {
		t.Errorf("release hold: %v, want what is missing", err)
	}
	s.items["items/PUMP"] = newShelf(true).items["items/PUMP"]
	ch, err := o.ReleaseHold(order.HoldMasterData, s, p, now)
	if err != nil || facts(ch) != "OrderHoldReleased" {
		t.Fatalf("facts %q, error %v; want the hold released and the other one in the way", facts(ch), err)
	}
	ch, err = ch.Order.ReleaseHold(order.HoldCredit, s, p, now)
	if err != nil || facts(ch) != "OrderHoldReleased OrderConfirmed OrderReleased CommitmentChanged" {
		t.Errorf("facts %q, error %v; want the order to go on", facts(ch), err)
	}
}

// TestTotalIsCheckedOnce: when the currency becomes known with the customer, and not again after a user has let it pass.
func TestTotalIsCheckedOnce(t *testing.T) {
	s, p := newShelf(true), order.DefaultPolicy()
	customer := s.customers["parties/CUS-A"]
	delete(s.customers, "parties/CUS-A")
	dr := draft()
	dr.StatedTotal = &order.StatedTotal{Units: 15121, Currency: "USD"}
	o := create(t, dr, s).Order
	s.customers["parties/CUS-A"] = customer
	ch, err := o.Revalidate(s, p, now)
	if err != nil || facts(ch) != "OrderHoldReleased OrderHeld" {
		t.Fatalf("facts %q, error %v; want one hold in the place of the other", facts(ch), err)
	}
	if h := ch.Order.Holds; len(h) != 1 || h[0].Kind != order.HoldCustomer {
		t.Errorf("holds %v, want CUSTOMER alone", h)
	}
	ch, err = ch.Order.ReleaseHold(order.HoldCustomer, s, p, now)
	if err != nil || facts(ch) != "OrderHoldReleased OrderConfirmed OrderReleased CommitmentChanged" {
		t.Errorf("facts %q, error %v; want the order to go on", facts(ch), err)
	}
}

func TestCancel(t *testing.T) {
	s := newShelf(false)
	o := create(t, draft(), s).Order
	ch, err := o.Cancel(nil, "changed its mind", now)
	if err != nil || facts(ch) != "OrderCancelled CommitmentChanged" {
		t.Fatalf("facts %q, error %v", facts(ch), err)
	}
	if got, want := ch.Order.Dimensions(), (order.Dimensions{Release: "RELEASE_CANCELLED", Fulfilment: "OPEN", Billing: "NOT_BILLABLE"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if ch, err := ch.Order.Cancel(nil, "again", now); err != nil || len(ch.Facts) != 0 {
		t.Errorf("cancelled again: facts %q, error %v; want nothing new", facts(ch), err)
	}
}

// A released order is cancelled when its load is: until then nothing more is released, and what has left stays.
func TestCancelAfterRelease(t *testing.T) {
	w := &world{shelf: newShelf(true)}
	ch := create(t, draft(), w.shelf)
	w.o, w.releases = ch.Order, []order.Release{*ch.Release}
	w.progress(t, 1, func(r order.Release) (order.Release, error) { return r.Secure("tenders/1") })

	ch, err := w.o.Cancel(w.releases, "changed its mind", now)
	if err != nil || facts(ch) != "OrderCancellationRequested" {
		t.Fatalf("facts %q, error %v", facts(ch), err)
	}
	w.o = ch.Order
	if got := w.o.Dimensions().Release; got != order.Secured || w.o.Commercial != order.Confirmed {
		t.Errorf("asked for: %s %s, want the carrier still on it", w.o.Commercial, got)
	}
	if ch, err := w.o.Cancel(w.releases, "again", now); err != nil || len(ch.Facts) != 0 {
		t.Errorf("asked for again: facts %q, error %v; want nothing new", facts(ch), err)
	}
	if _, err := w.o.ReleaseLines(nil, w.shelf, order.DefaultPolicy(), now); !errors.Is(err, order.ErrCallingOff) {
		t.Errorf("release while called off: %v", err)
	}
	if got := facts(w.progress(t, 1, order.Release.CallOff)); got != "CommitmentChanged OrderCancelled" {
		t.Errorf("load cancelled: facts %q", got)
	}
	if got, want := w.o.Dimensions(), (order.Dimensions{Release: "RELEASE_CANCELLED", Fulfilment: "OPEN", Billing: "NOT_BILLABLE"}); got != want || w.o.Commercial != order.Cancelled {
		t.Errorf("got %s %v, want CANCELLED %v", w.o.Commercial, got, want)
	}
	n := w.o.Lines[0].Quantities.Numbers()
	if !n.CancelledAfter.Equal(n.Ordered) || !n.Released.Equal(n.Ordered) || !w.o.Lines[0].Quantities.Open().IsZero() {
		t.Errorf("line: %+v, want all released and cancelled after, nothing open", n)
	}

	left := create(t, draft(), w.shelf)
	w.o, w.releases = left.Order, []order.Release{*left.Release}
	w.progress(t, 1, func(r order.Release) (order.Release, error) { return r.Depart(order.Moment{At: now}) })
	var shipped *order.ShippedError
	if _, err := w.o.Cancel(w.releases, "", now); !errors.As(err, &shipped) || !slices.Equal(shipped.Lines, []string{"10"}) {
		t.Errorf("cancel after departure: %v, want line 10 in the way", err)
	}
}

// The promise is trusted as far as the least trusted release, whichever was told of last.
func TestTrustOfSeveralReleases(t *testing.T) {
	w := &world{shelf: newShelf(false)}
	w.o = create(t, draft(), w.shelf).Order
	for _, x := range []string{"50", "20"} {
		w.release([]order.LineQuantity{{Line: "10", Quantity: decimal.MustParse(x), Unit: "EA"}})
	}
	for _, x := range []struct {
		release     int
		level, want string
	}{{1, "LOW", "LOW"}, {2, "HIGH", "LOW"}, {2, "NONE", "NONE"}, {1, "MEDIUM", "NONE"}, {2, "", "MEDIUM"}} {
		w.progress(t, x.release, func(r order.Release) (order.Release, error) {
			return r.Expect(order.Moment{}, order.Trust{Confidence: x.level})
		})
		if got := w.o.Promise.Trust.Confidence; got != x.want {
			t.Errorf("release %d is %s: promise %s, want %s", x.release, x.level, got, x.want)
		}
	}
}

// Each release is called off by itself; what is unreleased is cancelled with the last of them, and a hold goes then.
func TestCancelOfSeveralReleases(t *testing.T) {
	w := &world{shelf: newShelf(false)}
	w.o = create(t, draft(), w.shelf).Order
	for _, x := range []string{"50", "20"} {
		w.release([]order.LineQuantity{{Line: "10", Quantity: decimal.MustParse(x), Unit: "EA"}})
	}
	w.progress(t, 1, order.Release.Plan)
	ch, err := w.o.PlaceHold(order.Hold{Kind: order.HoldCredit, Reason: "limit"}, now)
	if err != nil {
		t.Fatal(err)
	}
	w.o = ch.Order
	if ch, err = w.o.Cancel(w.releases, "", now); err != nil {
		t.Fatal(err)
	}
	request, ok := ch.Facts[0].(order.OrderCancellationRequested)
	if want := []string{w.releases[0].Name(), w.releases[1].Name()}; !ok || !slices.Equal(request.Releases, want) {
		t.Errorf("to call off: %v, want %v", ch.Facts, want)
	}
	w.o = ch.Order
	if got := facts(w.progress(t, 1, order.Release.CallOff)); got != "CommitmentChanged" {
		t.Errorf("the first of two called off: facts %q, want the order to live on with the other", got)
	}
	if got := facts(w.progress(t, 2, order.Release.CallOff)); got != "CommitmentChanged OrderCancelled OrderHoldReleased" {
		t.Errorf("the second called off: facts %q", got)
	}
	n := w.o.Lines[0].Quantities.Numbers()
	if got := fmt.Sprintln(w.o.Commercial, len(w.o.Holds), n.Released, n.CancelledAfter, n.CancelledBefore, w.o.Lines[0].Quantities.Unreleased()); got != "CANCELLED 0 70 70 10 0\n" {
		t.Errorf("got %s, want 70 cancelled after release and 10 before", got)
	}
	if got := facts(w.progress(t, 2, order.Release.CallOff)); got != "" {
		t.Errorf("told again: facts %q", got)
	}
}

// What has left before its carrier was called off goes on, and the wish is over: it may be asked for what is alive no more, and
// what is unreleased may be released.
func TestCancelOvertakenByDeparture(t *testing.T) {
	w := &world{shelf: newShelf(false)}
	w.o = create(t, draft(), w.shelf).Order
	w.release([]order.LineQuantity{{Line: "10", Quantity: decimal.MustParse("50"), Unit: "EA"}})
	w.release([]order.LineQuantity{{Line: "10", Quantity: decimal.MustParse("20"), Unit: "EA"}})
	ch, err := w.o.Cancel(w.releases, "changed its mind", now)
	if err != nil {
		t.Fatal(err)
	}
	w.o = ch.Order
	ch = w.progress(t, 1, func(r order.Release) (order.Release, error) { return r.Depart(order.Moment{At: now}) })
	if got := facts(ch); got != "CommitmentChanged OrderCancellationRefused" || w.o.CancelReason != "" || w.o.Commercial != order.Confirmed {
		t.Errorf("left first: facts %q, %s with reason %q", got, w.o.Commercial, w.o.CancelReason)
	}
	if got := facts(w.progress(t, 2, order.Release.CallOff)); strings.Contains(got, "OrderCancelled") {
		t.Errorf("the other called off: facts %q, want the order to go on", got)
	}
	var shipped *order.ShippedError
	if _, err := w.o.Cancel(w.releases, "", now); !errors.As(err, &shipped) {
		t.Errorf("cancelled again: %v, want what has left in the way", err)
	}
	if _, err := w.o.ReleaseLines(nil, w.shelf, order.DefaultPolicy(), now); err != nil {
		t.Errorf("release of the rest: %v", err)
	}
}

func TestTrust(t *testing.T) {
	w := &world{shelf: newShelf(true)}
	ch := create(t, draft(), w.shelf)
	w.o, w.releases = ch.Order, []order.Release{*ch.Release}
	low := order.Trust{Confidence: "LOW", Reasons: []string{"FEED_SILENT"}}
	for _, want := range []string{"CommitmentChanged", ""} {
		ch := w.progress(t, 1, func(r order.Release) (order.Release, error) { return r.Expect(order.Moment{}, low) })
		if got := facts(ch); got != want {
			t.Errorf("facts %q, want %q", got, want)
		}
	}
	if got := w.o.Promise.Trust; got.Confidence != "LOW" || !w.o.Promise.Estimate.At.IsZero() {
		t.Errorf("promise %+v, want the estimate untouched and its trust LOW", w.o.Promise)
	}
	w.progress(t, 1, func(r order.Release) (order.Release, error) { return r.HandOver(order.Moment{At: now}) })
	if got := w.o.Promise.Trust; got.Confidence != "" {
		t.Errorf("handed over: trust %v, want none, nothing is estimated any more", got)
	}
}

func TestCarrierLostAndFound(t *testing.T) {
	w := &world{shelf: newShelf(true)}
	ch := create(t, draft(), w.shelf)
	w.o, w.releases = ch.Order, []order.Release{*ch.Release}
	for _, x := range []struct {
		name string
		move func(order.Release) (order.Release, error)
		want order.ReleaseState
	}{
		{"planned", order.Release.Plan, order.Planned},
		{"offered", func(r order.Release) (order.Release, error) { return r.Tender("tenders/1") }, order.Tendered},
		{"planned, told again", order.Release.Plan, order.Tendered},
		{"nobody left", order.Release.FallBack, order.Planned},
		{"offered anew", func(r order.Release) (order.Release, error) { return r.Tender("tenders/2") }, order.Tendered},
		{"accepted", func(r order.Release) (order.Release, error) { return r.Secure("tenders/2") }, order.Secured},
		{"the accepted offer, told again", func(r order.Release) (order.Release, error) { return r.Tender("tenders/2") }, order.Secured},
		{"withdrawn and offered to another", func(r order.Release) (order.Release, error) { return r.Tender("tenders/3") }, order.Tendered},
	} {
		w.progress(t, 1, x.move)
		if got := w.o.Dimensions().Release; got != x.want {
			t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
	}
}

func TestEstimate(t *testing.T) {
	w := &world{shelf: newShelf(true)}
	ch := create(t, draft(), w.shelf)
	w.o, w.releases = ch.Order, []order.Release{*ch.Release}
	late := order.Moment{At: time.Date(2026, 3, 5, 15, 0, 0, 0, time.UTC), Zone: "America/New_York"}
	for _, x := range []struct {
		name  string
		at    order.Moment
		want  time.Time
		facts string
	}{
		{"late", late, late.At, "CommitmentChanged"},
		{"late, told again", late, late.At, ""},
		{"as promised after all", ch.Order.Promise.DeliverBy, time.Time{}, "CommitmentChanged"},
	} {
		ch := w.progress(t, 1, func(r order.Release) (order.Release, error) { return r.Expect(x.at, order.Trust{}) })
		if got := w.o.Promise.Estimate.At; !got.Equal(x.want) {
			t.Errorf("%s: estimate %s, want %s", x.name, got, x.want)
		}
		if got := facts(ch); got != x.facts {
			t.Errorf("%s: facts %q, want %q", x.name, got, x.facts)
		}
	}
}

// world is an order with its releases, moved on as app does it.
type world struct {
	shelf    *shelf
	o        order.Order
	releases []order.Release
}

func newRandomOrder(t *rapid.T) *world {
	w := &world{shelf: newShelf(false)}
	var lines []order.DraftLine
	for i := range rapid.IntRange(1, 4).Draw(t, "lines") {
		lines = append(lines, order.DraftLine{ID: fmt.Sprint(i + 1), Item: "items/PUMP", Unit: "EA", Price: "1",
			Quantity: decimal.New(rapid.Int64Range(1, 5000).Draw(t, "ordered"), 2).String()})
	}
	w.o = create(t, draft(lines...), w.shelf).Order
	return w
}

// release releases; what the domain refuses changes nothing.
func (w *world) release(want []order.LineQuantity) {
	ch, err := w.o.ReleaseLines(want, w.shelf, order.DefaultPolicy(), now)
	if err != nil {
		return
	}
	w.o, w.releases = ch.Order, append(w.releases, *ch.Release)
}

// fataler is what *testing.T and *rapid.T have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func (w *world) progress(t fataler, number int, move func(order.Release) (order.Release, error)) order.Change {
	before := w.o.Dimensions()
	ch, err := w.o.Progress(w.releases, number, now, move)
	if err != nil {
		var refused *order.TransitionError
		if !errors.Is(err, order.ErrAlgebra) && !errors.As(err, &refused) {
			t.Fatalf("progress: %v", err)
		}
		if w.o.Dimensions() != before {
			t.Fatalf("a refused move changed the order: %v, was %v", w.o.Dimensions(), before)
		}
		return ch
	}
	w.o = ch.Order
	if ch.Release != nil {
		w.releases = slices.Clone(w.releases)
		w.releases[number-1] = *ch.Release
	}
	return ch
}

// step does one random thing, sensible or not.
func (w *world) step(t *rapid.T) {
	hundredths := func(name string) decimal.Decimal { return decimal.New(rapid.Int64Range(0, 5000).Draw(t, name), 2) }
	line := func() string { return fmt.Sprint(rapid.IntRange(1, len(w.o.Lines)).Draw(t, "line")) }
	if len(w.releases) == 0 || rapid.IntRange(0, 4).Draw(t, "release?") == 0 {
		switch rapid.IntRange(0, 6).Draw(t, "before release") {
		case 0:
			w.release(nil)
		case 1:
			if ch, err := w.o.Cancel(w.releases, "", now); err == nil {
				w.o = ch.Order
			}
		default:
			w.release([]order.LineQuantity{{Line: line(), Quantity: hundredths("quantity"), Unit: "EA"}})
		}
		return
	}
	at := order.Moment{At: now.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "minutes")) * time.Minute)}
	document := fmt.Sprint("documents/", rapid.IntRange(1, 6).Draw(t, "document"))
	moves := []func(order.Release) (order.Release, error){
		order.Release.Plan,
		order.Release.FallBack,
		order.Release.CallOff,
		func(r order.Release) (order.Release, error) { return r.Tender(document) },
		func(r order.Release) (order.Release, error) { return r.Secure(document) },
		func(r order.Release) (order.Release, error) { return r.Depart(at) },
		func(r order.Release) (order.Release, error) { return r.HandOver(at) },
		func(r order.Release) (order.Release, error) { return r.Expect(at, order.Trust{}) },
		func(r order.Release) (order.Release, error) {
			var lines []order.LineDelivery
			for _, l := range r.Lines {
				whole := l.Quantities.Numbers().Released
				short := decimal.New(rapid.Int64Range(0, 200).Draw(t, "short"), 2)
				lines = append(lines, order.LineDelivery{Line: l.Line, Delivery: order.Delivery{Accepted: whole.Sub(short), Short: short}})
			}
			return r.Prove(lines, at)
		},
		func(r order.Release) (order.Release, error) {
			return r.Authorize(document, []order.LineQuantity{{Line: r.Lines[0].Line, Quantity: hundredths("authorized")}})
		},
		func(r order.Release) (order.Release, error) {
			return r.Bill(document+"/invoice", []order.LineQuantity{{Line: r.Lines[0].Line, Quantity: hundredths("billed")}})
		},
	}
	move := rapid.SampledFrom(moves).Draw(t, "move")
	w.progress(t, rapid.IntRange(1, len(w.releases)).Draw(t, "number"), move)
}
