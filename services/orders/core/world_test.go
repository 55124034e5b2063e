package core_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/kernel/calendar"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/orders/core"
)

// world is the service behind its real interceptors, and the logs of the services that it follows, written by the test.
type world struct {
	t       *testing.T
	dir     string
	clock   *clock.Manual
	ids     typeid.Source
	logs    map[string]*store.Store
	core    *core.Core
	server  *platformtest.Server
	user    ordersv1.OrderServiceClient
	edi     ordersv1.OrderServiceClient
	request int
}

// morning is when the customer order 08292233294 arrives: Monday 06:05 in Columbus.
var morning = time.Date(2026, 3, 2, 11, 5, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), clock: clock.NewManual(morning), ids: typeid.Sequence(1), logs: map[string]*store.Store{}}
	for _, log := range []string{"masterdata", "freight", "billing"} {
		s, err := store.Open(t.Context(), store.Options{Path: filepath.Join(w.dir, log+".db"), Schema: store.Schema{Service: log, Version: 1}, Clock: w.clock, NoSync: true})
		w.must(err)
		w.logs[log] = s
	}
	w.open()
	t.Cleanup(func() {
		w.must(w.core.Close())
		for _, s := range w.logs {
			w.must(s.Close())
		}
		report, err := store.Verify(context.Background(), core.Path(w.dir), core.Schema())
		if err != nil || len(report.Breaches) > 0 {
			t.Errorf("verify: %v %q", err, report.Breaches)
		}
	})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open() {
	w.t.Helper()
	feeds := map[string]eventlog.Source{}
	for log, s := range w.logs {
		feeds[log] = eventlog.Local(s)
	}
	var err error
	w.core, err = core.Open(w.t.Context(), core.Deps{DataDir: w.dir, Business: w.clock, Machine: w.clock, IDs: w.ids, Feeds: feeds})
	w.must(err)
	w.server = platformtest.New(w.t, platformtest.Config{Service: "orders", Register: w.core.Register, Gateways: w.core.Gateways(),
		Own: w.core.Store(), Waiter: w.core.Followers()})
	w.user = ordersv1.NewOrderServiceClient(w.server.AsUser())
	w.edi = ordersv1.NewOrderServiceClient(w.server.As("edi"))
}

// restart closes the service and opens it again.
func (w *world) restart() {
	w.t.Helper()
	w.must(w.core.Close())
	w.open()
}

// drive reads the followed logs to their ends and does all tasks.
func (w *world) drive() {
	w.t.Helper()
	var steppers []step.Stepper
	for _, s := range w.core.Steppers() {
		steppers = append(steppers, s.Stepper)
	}
	w.must(platformtest.Drive(w.t.Context(), w.clock.Now, 1000, steppers...))
}

// tell writes a fact into a followed log, in an entry of its own.
func (w *world) tell(log, subject string, payload proto.Message) {
	w.t.Helper()
	w.tellAll(log, subject, payload)
	w.drive()
}

func (w *world) tellAll(log, subject string, payloads ...proto.Message) {
	w.t.Helper()
	for _, p := range payloads {
		_, err := w.logs[log].Change(w.t.Context(), store.Cause{Principal: "service/" + log, Method: "test"}, func(tx *store.Tx) ([]byte, error) {
			return nil, tx.Emit(store.Fact{Type: string(p.ProtoReflect().Descriptor().Name()), Subject: subject, Payload: p})
		})
		w.must(err)
	}
}

func (w *world) id() string {
	w.request++
	return fmt.Sprintf("request-%d", w.request)
}

// facts are the types of what orders told, from an entry on: one string per entry that told something.
func (w *world) facts(after store.Position) []string {
	w.t.Helper()
	entries, _, err := eventlog.Local(w.core.Store()).Read(w.t.Context(), after, 1000)
	w.must(err)
	var out []string
	for _, e := range entries {
		head := &eventlogv1.Head{}
		w.must(proto.Unmarshal(e.Head, head))
		var types []string
		for _, f := range head.Facts {
			types = append(types, f.Type)
		}
		if len(types) > 0 {
			out = append(out, strings.Join(types, " "))
		}
	}
	return out
}

// fact returns the last fact of a message's type.
func fact[M proto.Message](w *world, m M) (M, *eventlogv1.Fact) {
	w.t.Helper()
	entries, _, err := eventlog.Local(w.core.Store()).Read(w.t.Context(), store.Position{}, 1000)
	w.must(err)
	var found *eventlogv1.Fact
	for _, e := range entries {
		head := &eventlogv1.Head{}
		w.must(proto.Unmarshal(e.Head, head))
		for _, f := range head.Facts {
			if f.Type == string(m.ProtoReflect().Descriptor().Name()) {
				found = f
				w.must(f.Payload.UnmarshalTo(m))
			}
		}
	}
	if found == nil {
		w.t.Fatalf("no %s was told", m.ProtoReflect().Descriptor().Name())
	}
	return m, found
}

func (w *world) parked() uint64 {
	w.t.Helper()
	resp, err := eventlogv1.NewEventLogServiceClient(w.server.AsUser()).ListConsumers(w.t.Context(), &eventlogv1.ListConsumersRequest{})
	w.must(err)
	n := uint64(0)
	for _, c := range resp.Consumers {
		n += c.Parked + c.Deferred
	}
	return n
}

// seed tells the master data of the day, but for what leave says.
func (w *world) seed(leave ...string) {
	w.t.Helper()
	for _, m := range seed(w.t) {
		if name := nameOf(m); !slices.Contains(leave, name) {
			w.tellAll("masterdata", name, changed(m))
		}
	}
	w.drive()
}

func nameOf(m proto.Message) string {
	return m.ProtoReflect().Get(m.ProtoReflect().Descriptor().Fields().ByName("name")).String()
}

func changed(m proto.Message) proto.Message {
	switch m := m.(type) {
	case *masterdatav1.LegalEntity:
		return &masterdatav1.LegalEntityChanged{LegalEntity: m}
	case *masterdatav1.Party:
		return &masterdatav1.PartyChanged{Party: m}
	case *masterdatav1.Location:
		return &masterdatav1.LocationChanged{Location: m}
	case *masterdatav1.Item:
		return &masterdatav1.ItemChanged{Item: m}
	case *masterdatav1.Calendar:
		return &masterdatav1.CalendarChanged{Calendar: m}
	case *masterdatav1.Lane:
		return &masterdatav1.LaneChanged{Lane: m}
	}
	return &masterdatav1.ContractApproved{Contract: m.(*masterdatav1.Contract)}
}

// table reads a seed file, one map per row.
func table(t *testing.T, file string) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		out = append(out, m)
	}
	return out
}

func seed(t *testing.T) []proto.Message {
	var out []proto.Message
	for _, r := range table(t, "legal_entities.csv") {
		out = append(out, &masterdatav1.LegalEntity{Name: "legalEntities/" + r["id"], CurrencyCode: r["currency"], ShipFrom: "locations/" + r["dc_location"], Zone: r["zone"]})
	}
	for _, r := range table(t, "calendars.csv") {
		out = append(out, &masterdatav1.Calendar{Name: "calendars/" + r["id"], Zone: r["zone"], WorkingWeekdays: iso(t, r["working_days"]), WorkFrom: r["from"], WorkTo: r["to"]})
	}
	for _, r := range table(t, "parties.csv") {
		role := masterdatav1.Party_CARRIER
		if strings.HasPrefix(r["role"], "customer") {
			role = masterdatav1.Party_CUSTOMER
		}
		out = append(out, &masterdatav1.Party{Name: "parties/" + r["id"], Roles: []masterdatav1.Party_Role{role}, LegalEntity: "legalEntities/" + r["legal_entity"], CurrencyCode: r["currency"]})
	}
	shipping := map[string]string{"LOC-CMH": "calendars/CAL-US-DC", "LOC-VEN": "calendars/CAL-NL-DC"}
	// The note of an external id names the site that it stands for.
	duns := map[string][]*typev1.ExternalId{}
	for _, r := range table(t, "external_ids.csv") {
		if site, ok := strings.CutPrefix(r["note"], "DUNS+4 of "); ok {
			duns[site] = append(duns[site], &typev1.ExternalId{System: r["system"], Kind: r["kind"], Qualifier: r["qualifier"], Value: r["value"]})
		}
	}
	for _, r := range table(t, "locations.csv") {
		owner := "parties/" + r["party"]
		if strings.HasPrefix(r["party"], "LE-") {
			owner = "legalEntities/" + r["party"]
		}
		l := &masterdatav1.Location{Name: "locations/" + r["id"], Owner: owner, Zone: r["zone"], OpenWeekdays: iso(t, r["open_days"]), OpenFrom: r["open_from"],
			OpenTo: r["open_to"], ExternalIds: duns[r["id"]], ShippingCalendar: shipping[r["id"]]}
		if l.ShippingCalendar != "" {
			l.CutOff = "14:00"
		}
		out = append(out, l)
	}
	for _, r := range append(table(t, "items.csv"), table(t, "items_late.csv")...) {
		i := &masterdatav1.Item{Name: "items/" + r["sku"], DisplayName: r["description"], BaseUnit: r["base_unit"],
			GrossWeight: &typev1.Quantity{Value: r["gross_weight_per_unit"], Unit: r["weight_unit"]}, ValidFrom: &date.Date{Year: 2026, Month: 1, Day: 1}}
		fmt.Sscan(r["units_per_carton"], &i.UnitsPerCarton)
		for _, q := range []string{"CB", "VN", "UA"} {
			if r[q] != "" {
				i.ExternalIds = append(i.ExternalIds, &typev1.ExternalId{System: "x12", Qualifier: q, Value: r[q]})
			}
		}
		out = append(out, i)
	}
	for _, r := range table(t, "lanes.csv") {
		l := &masterdatav1.Lane{Name: "lanes/" + r["id"], Origin: "locations/" + r["from"], Destination: "locations/" + r["to"], TransitDays: map[string]int32{}}
		for _, mode := range []string{"TL", "LTL"} {
			var days int32
			fmt.Sscan(r["transit_days_"+mode], &days)
			l.TransitDays[mode] = days
		}
		out = append(out, l)
	}
	raw, err := os.ReadFile("testdata/customer_contracts.json")
	if err != nil {
		t.Fatal(err)
	}
	var contracts map[string]json.RawMessage
	if err := json.Unmarshal(raw, &contracts); err != nil {
		t.Fatal(err)
	}
	for party, text := range contracts {
		if !strings.HasPrefix(party, "CUS-") {
			continue
		}
		var terms struct {
			AutoRelease bool `json:"auto_release"`
		}
		if err := json.Unmarshal(text, &terms); err != nil {
			t.Fatal(err)
		}
		out = append(out, &masterdatav1.Contract{Name: "contracts/" + party + "-1", Party: "parties/" + party, Version: 1, State: masterdatav1.Contract_APPROVED,
			EffectiveFrom: &date.Date{Year: 2026, Month: 1, Day: 1},
			Terms:         &masterdatav1.Contract_CustomerTerms{CustomerTerms: &masterdatav1.CustomerTerms{AutoRelease: terms.AutoRelease}}})
	}
	return out
}

func iso(t *testing.T, days string) []int32 {
	t.Helper()
	list, err := calendar.ParseWeekdays(days)
	if err != nil {
		t.Fatal(err)
	}
	var out []int32
	for _, d := range list {
		out = append(out, int32((d+6)%7+1))
	}
	return out
}

// customerOrder is the X12 850 with number 08292233294 as the EDI adapter sends it.
func customerOrder() *ordersv1.Order {
	o := &ordersv1.Order{
		Customer: "parties/CUS-XYZ", CustomerOrderNumber: "08292233294", OrderDate: &date.Date{Year: 2010, Month: 11, Day: 27},
		RequestedDeliveryDate: &date.Date{Year: 2010, Month: 12, Day: 14}, PaymentTerms: "2 % 45 days, net 46",
		ShipToExternal: &typev1.ExternalId{System: "x12", Kind: "n1_st", Qualifier: "9", Value: "0003947268292"},
		StatedTotal:    &money.Money{CurrencyCode: "USD", Units: 13045, Nanos: 940_000_000}, Source: "interchanges/edi_1/sets/1",
	}
	for i, l := range []struct {
		quantity, price, cb, vn string
		pack                    int32
	}{
		{"120", "9.25", "065322-117", "AB3542", 4}, {"220", "13.79", "066850-116", "RD5322", 2}, {"126", "10.99", "060733-110", "XY5266", 6},
		{"76", "4.35", "065308-116", "VX2332", 4}, {"72", "7.5", "065374-118", "RV0524", 4}, {"696", "9.55", "067504-118", "DX1875", 6},
	} {
		o.Lines = append(o.Lines, &ordersv1.OrderLine{Line: fmt.Sprint(i + 1), Quantity: &typev1.Quantity{Value: l.quantity, Unit: "EA"}, UnitPrice: l.price,
			Pack: l.pack, ExternalIds: []*typev1.ExternalId{{System: "x12", Qualifier: "CB", Value: l.cb}, {System: "x12", Qualifier: "VN", Value: l.vn}}})
	}
	return o
}

// simple is an order with one line.
func simple(customer, number, shipTo, item, quantity, unit, price string) *ordersv1.Order {
	return &ordersv1.Order{Customer: customer, CustomerOrderNumber: number, ShipTo: shipTo,
		Lines: []*ordersv1.OrderLine{{Line: "10", Item: item, Quantity: &typev1.Quantity{Value: quantity, Unit: unit}, UnitPrice: price}}}
}

func (w *world) create(o *ordersv1.Order) *ordersv1.Order {
	w.t.Helper()
	got, err := w.user.CreateOrder(w.t.Context(), &ordersv1.CreateOrderRequest{Order: o, RequestId: w.id()})
	w.must(err)
	return got
}

func (w *world) get(name string) *ordersv1.Order {
	w.t.Helper()
	o, err := w.user.GetOrder(w.t.Context(), &ordersv1.GetOrderRequest{Name: name})
	w.must(err)
	return o
}

// states are the four states of an order, commercial first.
func states(o *ordersv1.Order) string {
	return fmt.Sprint(o.Commercial, " ", o.Release, " ", o.Fulfilment, " ", o.Billing)
}

func check(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func refused(t *testing.T, what string, err error, code fmt.Stringer, reason string) *rpcerr.Error {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want %s %s", what, code, reason)
		return &rpcerr.Error{}
	}
	e := rpcerr.From(err)
	if e.Code.String() != code.String() || e.Reason != reason {
		t.Errorf("%s: got %s %s (%s), want %s %s", what, e.Code, e.Reason, e.Message, code, reason)
	}
	return e
}

// journey is a release on its way, told by freight and billing.
type journey struct {
	w        *world
	release  *ordersv1.OrderRelease
	shipment *freightv1.Shipment
	load     *freightv1.Load
	tender   *freightv1.Tender
}

func (w *world) journey(r *ordersv1.OrderRelease) *journey {
	s := &freightv1.Shipment{Name: "shipments/shp_1", OrderRelease: r.Name, Order: r.Order, CustomerOrderNumber: r.CustomerOrderNumber, DeliverBy: r.DeliverBy}
	return &journey{w: w, release: r, shipment: s, load: &freightv1.Load{Name: "loads/load_1", Number: "NL26030001"}, tender: &freightv1.Tender{Name: "tenders/tnd_1"}}
}

func (j *journey) all() []*freightv1.Shipment { return []*freightv1.Shipment{j.shipment} }

func event(at string) *typev1.EventTime {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	return &typev1.EventTime{Time: timestamppb.New(t), Zone: "America/New_York", Rule: typev1.EventTime_LOCAL_TO_PLACE}
}

func (j *journey) planned() proto.Message {
	return &freightv1.ShipmentPlanned{Shipment: j.shipment, Load: j.load}
}

func (j *journey) tendered() proto.Message {
	return &freightv1.LoadTendered{Load: j.load, Tender: j.tender, Shipments: j.all()}
}

func (j *journey) booked() proto.Message {
	return &freightv1.LoadBooked{Load: j.load, Tender: j.tender, Shipments: j.all()}
}

func (j *journey) departed() proto.Message {
	return &freightv1.ShipmentDeparted{Shipment: j.shipment, Occurred: event("2026-03-03T15:05:00Z")}
}

func (j *journey) delivered() proto.Message {
	return &freightv1.ShipmentDelivered{Shipment: j.shipment, Occurred: event("2026-03-04T14:20:00Z")}
}

// proof is a proof of delivery; exceptions are short and damaged by line.
func (j *journey) proof(exceptions map[string][2]string) proto.Message {
	m := &freightv1.ProofOfDeliveryReceived{Shipment: j.shipment, ProofOfDelivery: &freightv1.ProofOfDelivery{Name: "proofsOfDelivery/pod_1", SignedAt: event("2026-03-04T14:35:00Z").Time}}
	for _, l := range j.release.Lines {
		d := &freightv1.DeliveredLine{Line: l.Line, Shipped: l.Quantity, Accepted: l.Quantity}
		if x, ok := exceptions[l.Line]; ok {
			d.Accepted = &typev1.Quantity{Value: j.accepted(l, exceptions), Unit: l.Quantity.Unit}
			d.Short, d.Damaged = &typev1.Quantity{Value: x[0], Unit: l.Quantity.Unit}, &typev1.Quantity{Value: x[1], Unit: l.Quantity.Unit}
		}
		m.Lines = append(m.Lines, d)
	}
	return m
}

func (j *journey) accepted(l *ordersv1.ReleaseLine, exceptions map[string][2]string) string {
	x, ok := exceptions[l.Line]
	if !ok {
		return l.Quantity.Value
	}
	var whole, short, damaged int
	fmt.Sscan(l.Quantity.Value, &whole)
	fmt.Sscan(x[0], &short)
	fmt.Sscan(x[1], &damaged)
	return fmt.Sprint(whole - short - damaged)
}

func (j *journey) goods(exceptions map[string][2]string) []*billingv1.InvoiceLine {
	var out []*billingv1.InvoiceLine
	for _, l := range j.release.Lines {
		out = append(out, &billingv1.InvoiceLine{Line: l.Line, Quantity: &typev1.Quantity{Value: j.accepted(l, exceptions), Unit: l.Quantity.Unit}})
	}
	return out
}

func (j *journey) authorized(exceptions map[string][2]string) proto.Message {
	return &billingv1.BillingAuthorized{BillingAuthorization: &billingv1.BillingAuthorization{Name: "billingAuthorizations/aut_1", OrderRelease: j.release.Name, Goods: j.goods(exceptions)}}
}

func (j *journey) invoiced(exceptions map[string][2]string) proto.Message {
	return &billingv1.InvoiceIssued{Invoice: &billingv1.Invoice{Name: "invoices/inv_1", Number: "NLS26-000001", OrderRelease: j.release.Name, Lines: j.goods(exceptions)}}
}
