package core

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/date"
	moneypb "google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/kernel/money"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/telemetry"
	"crossdock.dev/platform/typeid"
)

// world is billing behind its real interceptors, between three logs that the test writes.
type world struct {
	t        *testing.T
	ctx      context.Context
	clock    *clock.Manual
	dir      string
	logs     map[string]*store.Store
	core     *Core
	server   *platformtest.Server
	workflow billingv1.BillingServiceClient
	edi      billingv1.BillingServiceClient
	person   billingv1.BillingServiceClient
	opened   uint64
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, ctx: t.Context(), clock: clock.NewManual(at("2026-03-02T11:05:00Z")), dir: t.TempDir(), logs: map[string]*store.Store{},
	}
	for _, name := range []string{"masterdata", "orders", "freight"} {
		s, err := store.Open(w.ctx, store.Options{Path: t.TempDir() + "/" + name + ".db", Schema: store.Schema{Service: name, Version: 1}, Clock: w.clock})
		w.must(err)
		t.Cleanup(func() { w.must(s.Close()) })
		w.logs[name] = s
	}
	w.open()
	t.Cleanup(func() {
		w.must(w.core.Close())
		report, err := store.Verify(context.Background(), Path(w.dir), Schema())
		w.must(err)
		if len(report.Breaches) > 0 {
			t.Errorf("verify finds %+v", report)
		}
	})
	w.masterData()
	return w
}

func (w *world) open() {
	feeds := map[string]eventlog.Source{}
	for name, s := range w.logs {
		feeds[name] = eventlog.Local(s)
	}
	w.opened++
	var err error
	w.core, err = Open(w.ctx, Deps{
		DataDir: w.dir, Business: w.clock, Machine: clock.SystemMachine(), IDs: typeid.Sequence(w.opened), Log: telemetry.Discard(), Feeds: feeds,
	})
	w.must(err)
	w.core.Followers().Stepping = true
	w.server = platformtest.New(w.t, platformtest.Config{
		Service: Service, Register: w.core.Register, Gateways: w.core.Gateways(), Waiter: w.core.Followers(), Own: w.core.Store(), Log: telemetry.Discard(),
	})
	w.workflow = billingv1.NewBillingServiceClient(w.server.As("workflow"))
	w.edi = billingv1.NewBillingServiceClient(w.server.As("edi"))
	w.person = billingv1.NewBillingServiceClient(w.server.AsUser())
}

// reopen stops billing and starts it again on its file.
func (w *world) reopen() {
	w.t.Helper()
	w.must(w.core.Close())
	w.open()
}

// tell writes a fact to a log and lets billing read it.
func (w *world) tell(log, subject string, payload proto.Message) {
	w.t.Helper()
	w.write(log, subject, payload)
	w.settle()
}

func (w *world) write(log, subject string, payload proto.Message) {
	w.t.Helper()
	_, err := w.logs[log].Change(w.ctx, store.Cause{Actor: "user/test"}, func(tx *store.Tx) ([]byte, error) {
		return nil, tx.Emit(store.Fact{Type: string(payload.ProtoReflect().Descriptor().Name()), Subject: subject, Payload: payload})
	})
	w.must(err)
}

func (w *world) settle() {
	w.t.Helper()
	var steppers []step.Stepper
	for _, s := range w.core.Steppers() {
		steppers = append(steppers, s.Stepper)
	}
	w.must(platformtest.Drive(w.ctx, w.clock.Now, 100, steppers...))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func day(s string) *date.Date {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return &date.Date{Year: int32(t.Year()), Month: int32(t.Month()), Day: int32(t.Day())}
}

func amount(s, currency string) *moneypb.Money {
	units, nanos := money.MustParse(s, currency).UnitsNanos()
	return &moneypb.Money{CurrencyCode: currency, Units: units, Nanos: nanos}
}

// text is an amount as people write it.
func text(m *moneypb.Money) string {
	if m == nil {
		return "0.00"
	}
	a, err := money.FromUnitsNanos(m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
	if err != nil {
		return err.Error()
	}
	return a.String()
}

func each(v string) *typev1.Quantity { return &typev1.Quantity{Value: v, Unit: "EA"} }

func event(s string) *typev1.EventTime { return &typev1.EventTime{Time: timestamppb.New(at(s))} }

// masterData tells the part of the story's seed that billing reads.
func (w *world) masterData() {
	le := func(id, zone, series, currency string) {
		w.write("masterdata", "legalEntities/"+id, &masterdatav1.LegalEntityChanged{LegalEntity: &masterdatav1.LegalEntity{
			Name: "legalEntities/" + id, CurrencyCode: currency, Zone: zone, InvoiceSeries: series,
			TaxId: map[string]string{"LE-US": "EIN 00-0000000 (fictional)", "LE-NL": "NL000000000B00 (fictional)"}[id],
		}})
	}
	le("LE-US", "America/New_York", "NLS26", "USD")
	le("LE-NL", "Europe/Amsterdam", "NLB26", "EUR")
	for rule, percent := range map[string]string{"US_RESALE_EXEMPT": "0", "US_EXEMPT_ORG": "0", "NL_DOMESTIC_21": "21", "EU_INTRA_COMMUNITY_0": "0"} {
		note := map[string]string{
			"NL_DOMESTIC_21": "BTW 21%", "EU_INTRA_COMMUNITY_0": "VAT reverse charge: intra-Community supply, Article 138 Directive 2006/112/EC",
		}[rule]
		w.write("masterdata", "taxRules/"+rule, &masterdatav1.TaxRuleChanged{TaxRule: &masterdatav1.TaxRule{
			Name: "taxRules/" + rule, RatePercent: percent, PrintedNote: note,
		}})
	}
	customer := func(id, tax, paymentTerms string, due int32, terms *masterdatav1.CustomerTerms) {
		entity, currency := "LE-US", "USD"
		if id == "CUS-TUL" || id == "CUS-RHB" {
			entity, currency = "LE-NL", "EUR"
		}
		w.write("masterdata", "parties/"+id, &masterdatav1.PartyChanged{Party: &masterdatav1.Party{
			Name: "parties/" + id, Roles: []masterdatav1.Party_Role{masterdatav1.Party_CUSTOMER}, LegalEntity: "legalEntities/" + entity,
			CurrencyCode: currency, TaxRule: "taxRules/" + tax, PaymentTerms: paymentTerms, PaymentDueDays: due,
			VatId: map[string]string{"CUS-TUL": "NL000000001B00 (fictional)", "CUS-RHB": "DE000000001 (fictional)"}[id],
		}})
		terms.BillCleanPart = true
		w.write("masterdata", "contracts/"+id+"-1", &masterdatav1.ContractApproved{Contract: &masterdatav1.Contract{
			Name: "contracts/" + id + "-1", Party: "parties/" + id, Version: 1, EffectiveFrom: day("2026-01-01"), CurrencyCode: currency,
			State: masterdatav1.Contract_APPROVED, Terms: &masterdatav1.Contract_CustomerTerms{CustomerTerms: terms},
		}})
	}
	add := masterdatav1.CustomerTerms_PREPAID_AND_ADD
	customer("CUS-XYZ", "US_RESALE_EXEMPT", "2% 45 net 46", 46, &masterdatav1.CustomerTerms{
		FreightTerms: add, RatePerCwt: "14.50", Minimum: amount("150.00", "USD"), FuelPercent: "12",
	})
	customer("CUS-HHS", "US_RESALE_EXEMPT", "net 30", 30, &masterdatav1.CustomerTerms{
		FreightTerms: add, RatePerCwt: "15.00", Minimum: amount("160.00", "USD"), FuelPercent: "12",
		FlatByLane: map[string]*moneypb.Money{
			"LANE-CHI": amount("1180.00", "USD"), "LANE-INDH": amount("690.00", "USD"), "LANE-PITH": amount("640.00", "USD"),
			"LANE-DETH": amount("700.00", "USD"),
		},
	})
	customer("CUS-LAK", "US_EXEMPT_ORG", "net 30", 30, &masterdatav1.CustomerTerms{
		FreightTerms: add, RatePerCwt: "22.00", Minimum: amount("195.00", "USD"), FuelPercent: "12",
		Accessorials: map[string]*moneypb.Money{"LFT": amount("85.00", "USD")},
	})
	customer("CUS-PIN", "US_RESALE_EXEMPT", "net 30", 30, &masterdatav1.CustomerTerms{FreightTerms: masterdatav1.CustomerTerms_PREPAID})
	customer("CUS-SNX", "US_RESALE_EXEMPT", "1% 15 net 16", 16, &masterdatav1.CustomerTerms{FreightTerms: masterdatav1.CustomerTerms_COLLECT})
	customer("CUS-TUL", "NL_DOMESTIC_21", "net 14", 14, &masterdatav1.CustomerTerms{
		FreightTerms: add, RatePer_100Kg: "18.00", Minimum: amount("95.00", "EUR"), FuelPercent: "0",
	})
	customer("CUS-RHB", "EU_INTRA_COMMUNITY_0", "net 30", 30, &masterdatav1.CustomerTerms{
		FreightTerms: add, RatePer_100Kg: "18.00", Minimum: amount("95.00", "EUR"), FuelPercent: "0",
	})
	carrier := func(scac, currency string, tariff *masterdatav1.CarrierTariff) {
		w.write("masterdata", "parties/CAR-"+scac, &masterdatav1.PartyChanged{Party: &masterdatav1.Party{
			Name: "parties/CAR-" + scac, Roles: []masterdatav1.Party_Role{masterdatav1.Party_CARRIER}, CurrencyCode: currency,
			Carrier: &masterdatav1.CarrierProfile{StaleBillDays: 180},
		}})
		w.write("masterdata", "contracts/"+scac+"-2026-1", &masterdatav1.ContractApproved{Contract: &masterdatav1.Contract{
			Name: "contracts/" + scac + "-2026-1", Party: "parties/CAR-" + scac, Version: 1, EffectiveFrom: day("2026-01-01"), CurrencyCode: currency,
			State: masterdatav1.Contract_APPROVED, Terms: &masterdatav1.Contract_CarrierTariff{CarrierTariff: tariff},
		}})
	}
	ltl := &masterdatav1.CarrierTariff{Basis: masterdatav1.CarrierTariff_LTL_CLASS, FuelIndex: "fuelIndexes/FUEL-US", FuelTable: "FUEL-US-LTL"}
	carrier("CXBB", "USD", ltl)
	carrier("CXEE", "USD", ltl)
	carrier("CXAA", "USD", &masterdatav1.CarrierTariff{
		Basis: masterdatav1.CarrierTariff_PER_DISTANCE, Rate: "2.15", FuelIndex: "fuelIndexes/FUEL-US", FuelTable: "FUEL-US-TL",
	})
	carrier("CXCC", "USD", &masterdatav1.CarrierTariff{Basis: masterdatav1.CarrierTariff_FLAT_PER_LANE})
	carrier("CXDD", "EUR", &masterdatav1.CarrierTariff{
		Basis: masterdatav1.CarrierTariff_PER_DISTANCE, Rate: "1.45", FuelIndex: "fuelIndexes/FUEL-EU", FuelTable: "FUEL-EU",
	})
	value := func(published, effective, v string) *masterdatav1.FuelIndex_Value {
		return &masterdatav1.FuelIndex_Value{PublishDate: day(published), EffectiveDate: day(effective), Value: v}
	}
	band := func(low, high, v string) *masterdatav1.FuelIndex_Band {
		return &masterdatav1.FuelIndex_Band{Low: low, High: high, Value: v}
	}
	w.write("masterdata", "fuelIndexes/FUEL-US", &masterdatav1.FuelIndexChanged{FuelIndex: &masterdatav1.FuelIndex{
		Name: "fuelIndexes/FUEL-US", Unit: "USD per gallon",
		Values: []*masterdatav1.FuelIndex_Value{
			value("2026-02-23", "2026-02-25", "3.948"), value("2026-03-02", "2026-03-04", "4.012"), value("2026-03-09", "2026-03-11", "4.068"),
			value("2026-03-16", "2026-03-18", "4.121"),
		},
		Tables: []*masterdatav1.FuelIndex_Table{{
			Id: "FUEL-US-LTL", Basis: masterdatav1.FuelIndex_Table_PERCENT_OF_LINE_HAUL,
			Bands: []*masterdatav1.FuelIndex_Band{
				band("3.90", "4.00", "28.0"), band("4.00", "4.05", "29.5"), band("4.05", "4.10", "30.0"), band("4.10", "4.15", "30.5"),
			},
		}, {
			Id: "FUEL-US-TL", Basis: masterdatav1.FuelIndex_Table_PER_DISTANCE,
			Bands: []*masterdatav1.FuelIndex_Band{
				band("3.90", "4.00", "0.54"), band("4.00", "4.05", "0.56"), band("4.05", "4.10", "0.57"), band("4.10", "4.15", "0.58"),
			},
		}},
	}})
	w.write("masterdata", "fuelIndexes/FUEL-EU", &masterdatav1.FuelIndexChanged{FuelIndex: &masterdatav1.FuelIndex{
		Name: "fuelIndexes/FUEL-EU", Unit: "EUR per litre", Values: []*masterdatav1.FuelIndex_Value{value("2026-02-27", "2026-03-01", "1.712")},
		Tables: []*masterdatav1.FuelIndex_Table{{
			Id: "FUEL-EU", Basis: masterdatav1.FuelIndex_Table_PERCENT_OF_LINE_HAUL,
			Bands: []*masterdatav1.FuelIndex_Band{band("1.70", "1.75", "11.5")},
		}},
	}})
	w.write("masterdata", "locations/LOC-PITL", &masterdatav1.LocationChanged{Location: &masterdatav1.Location{
		Name: "locations/LOC-PITL", Flags: []string{"liftgate"},
	}})
	for _, to := range []string{"SOLON", "ATHGA", "CHI", "INDH", "INDP", "PITH", "PITL", "DETH", "DETP", "NASP", "EIN", "HAM"} {
		origin := "locations/LOC-CMH"
		if to == "EIN" || to == "HAM" {
			origin = "locations/LOC-VEN"
		}
		w.write("masterdata", "lanes/LANE-"+to, &masterdatav1.LaneChanged{Lane: &masterdatav1.Lane{
			Name: "lanes/LANE-" + to, Origin: origin, Destination: "locations/LOC-" + to,
		}})
	}
	w.settle()
}

// job is one order of the story on its way from release to bill. n makes its names.
type job struct {
	n                 int
	po                string
	customer, entity  string
	currency          string
	mode, terms       string
	shipTo            string
	lines             string // quantity × price, parted by blanks
	weight            *typev1.Quantity
	carrier           string
	charges           string // as rated: "LHS 332.22 FUE 93.02"; empty for collect
	shipDate          string
	released, booked  string // instants
	delivered, proven string
	issued            string
	paymentTerms      string
	on                int // the job whose load carries this one too; 0 is its own
}

func (j job) order() string    { return fmt.Sprintf("orders/ord_%d", j.n) }
func (j job) release() string  { return j.order() + "/releases/1" }
func (j job) shipment() string { return fmt.Sprintf("shipments/shp_%d", j.n) }
func (j job) load() string     { return fmt.Sprintf("loads/load_%d", cmp.Or(j.on, j.n)) }
func (j job) number() string   { return fmt.Sprintf("NL2603%04d", cmp.Or(j.on, j.n)) }
func (j job) proof() string    { return fmt.Sprintf("proofsOfDelivery/pod_%d", j.n) }

func (j job) shipFrom() string {
	if j.entity == "LE-NL" {
		return "locations/LOC-VEN"
	}
	return "locations/LOC-CMH"
}

// first is page 01: the real purchase order 08292233294.
func first() job {
	return job{
		n: 1, po: "08292233294", customer: "CUS-XYZ", entity: "LE-US", currency: "USD", mode: "LTL", terms: "PREPAID_AND_ADD", shipTo: "LOC-SOLON",
		lines: "120×9.25 220×13.79 126×10.99 76×4.35 72×7.50 696×9.55", weight: &typev1.Quantity{Value: "3156", Unit: "LBR"},
		carrier: "CXBB", charges: "LHS 332.22 FUE 93.02", shipDate: "2026-03-03", released: "2026-03-02T11:06:00Z", booked: "2026-03-02T14:20:00Z",
		delivered: "2026-03-04T14:20:00Z", proven: "2026-03-04T14:45:00Z", issued: "2026-03-04T14:46:00Z", paymentTerms: "2% 45 net 46",
	}
}

func (j job) each(fn func(line, quantity, price string)) {
	for i, l := range strings.Fields(j.lines) {
		q, price, _ := strings.Cut(l, "×")
		fn(fmt.Sprint(i+1), q, price)
	}
}

func charges(s, currency string) []*typev1.Charge {
	var out []*typev1.Charge
	f := strings.Fields(s)
	for i := 0; i+1 < len(f); i += 2 {
		out = append(out, &typev1.Charge{Code: f[i], Amount: amount(f[i+1], currency)})
	}
	return out
}

func (j job) shipmentMessage() *freightv1.Shipment {
	s := &freightv1.Shipment{
		Name: j.shipment(), OrderRelease: j.release(), Order: j.order(), CustomerOrderNumber: j.po, Customer: "parties/" + j.customer,
		LegalEntity: "legalEntities/" + j.entity, ShipFrom: j.shipFrom(), ShipTo: "locations/" + j.shipTo, Mode: j.mode, FreightTerms: j.terms,
		Load: j.load(), GrossWeight: j.weight, State: freightv1.Shipment_PLANNED,
	}
	j.each(func(line, q, _ string) {
		s.Lines = append(s.Lines, &freightv1.ShipmentLine{Line: line, Item: "items/ITEM-" + line, Quantity: each(q)})
	})
	return s
}

func (j job) loadMessage() *freightv1.Load {
	return &freightv1.Load{
		Name: j.load(), Number: j.number(), LegalEntity: "legalEntities/" + j.entity, Mode: j.mode, Shipments: []string{j.shipment()},
		ShipDate: day(j.shipDate), State: freightv1.Load_PLANNED,
	}
}

// releaseOrder tells that the order was released.
func (w *world) releaseOrder(j job) {
	w.t.Helper()
	w.clock.Set(at(j.released))
	r := &ordersv1.OrderRelease{
		Name: j.release(), Order: j.order(), CustomerOrderNumber: j.po, Customer: "parties/" + j.customer, LegalEntity: "legalEntities/" + j.entity,
		ShipFrom: j.shipFrom(), ShipTo: "locations/" + j.shipTo, Mode: j.mode, CurrencyCode: j.currency, ShipDate: day(j.shipDate),
		PaymentTerms: j.paymentTerms, Contract: "contracts/" + j.customer + "-1",
	}
	j.each(func(line, q, price string) {
		r.Lines = append(r.Lines, &ordersv1.ReleaseLine{
			Line: line, Item: "items/ITEM-" + line, Description: "WIDGET", Quantity: each(q), UnitPrice: price,
			ExternalIds: []*typev1.ExternalId{{System: "x12", Qualifier: "VN", Value: "ITEM-" + line}},
		})
	})
	w.tell("orders", j.release(), &ordersv1.OrderReleased{Release: r})
}

// book tells that the shipment was planned and its load booked. More jobs share the load of the first.
func (w *world) book(j job, more ...job) {
	w.t.Helper()
	planned, booked := j.loadMessage(), j.bookedFact()
	w.tell("freight", j.shipment(), &freightv1.ShipmentPlanned{Shipment: j.shipmentMessage(), Load: planned})
	for _, m := range more {
		planned = proto.CloneOf(planned)
		planned.Shipments = append(planned.Shipments, m.shipment())
		w.tell("freight", m.shipment(), &freightv1.ShipmentPlanned{Shipment: m.shipmentMessage(), Load: planned})
		booked.Shipments = append(booked.Shipments, m.bookedFact().GetShipments()...)
	}
	booked.Load.Shipments = planned.GetShipments()
	w.clock.Set(at(j.booked))
	w.tell("freight", j.load(), booked)
}

// cancelled is the fact that a booked load was called off, with what is owed all the same.
func (j job) cancelled(owed string) *freightv1.LoadCancelled {
	l, s := j.bookedFact().GetLoad(), j.shipmentMessage()
	l.State, s.State = freightv1.Load_CANCELLED, freightv1.Shipment_CANCELLED
	l.Charges.Charges = charges(owed, j.currency)
	if owed == "" {
		l.Charges = nil
	}
	return &freightv1.LoadCancelled{
		Load: l, Shipments: []*freightv1.Shipment{s}, Tender: &freightv1.Tender{Name: "tenders/tnd_1", State: freightv1.Tender_WITHDRAWN}, Reason: "cancelled by the customer",
	}
}

// accessorial is the fact that a charge of a shipment's stop is owed. booked is what the load's booking was priced at.
func (j job) accessorial(booked, charge string) *freightv1.AccessorialProven {
	l, s := j.bookedFact().GetLoad(), j.shipmentMessage()
	l.State, s.State = freightv1.Load_IN_TRANSIT, freightv1.Shipment_DELIVERED
	l.Shipments = nil
	l.Charges = &freightv1.RatedCharges{Carrier: l.Carrier, Contract: "contracts/" + j.carrier + "-2026-1", Charges: charges(booked+" "+charge, j.currency)}
	return &freightv1.AccessorialProven{
		Load: l, Charge: charges(charge, j.currency)[0], Shipment: s, Evidence: "arrived 09:05, departed 12:10, claims/clm_1 and claims/clm_2",
	}
}

func (j job) bookedFact() *freightv1.LoadBooked {
	l, s := j.loadMessage(), j.shipmentMessage()
	s.State = freightv1.Shipment_BOOKED
	l.State, l.Carrier, l.CarrierReference = freightv1.Load_BOOKED, "parties/CAR-"+j.carrier, fmt.Sprintf("PRO%04d", j.n)
	if j.charges != "" {
		l.Charges = &freightv1.RatedCharges{
			Carrier: l.Carrier, Contract: "contracts/" + j.carrier + "-2026-1", Charges: charges(j.charges, j.currency),
			Explanation: &typev1.Explanation{Label: "freight", Children: []*typev1.Explanation{{Label: "LHS", Value: "line-haul", Source: "tariff"}}},
		}
	}
	return &freightv1.LoadBooked{Load: l, Shipments: []*freightv1.Shipment{s}}
}

// deliver tells that the shipment was handed over.
func (w *world) deliver(j job) {
	w.t.Helper()
	w.clock.Set(at(j.delivered))
	s := j.shipmentMessage()
	s.State, s.Departed, s.Delivered = freightv1.Shipment_DELIVERED, event(j.booked), event(j.delivered)
	w.tell("freight", j.shipment(), &freightv1.ShipmentDelivered{Shipment: s, Occurred: event(j.delivered)})
}

// prove tells of a proof of delivery; short and damaged are taken from the first line.
func (w *world) prove(j job, short, damaged int) {
	w.t.Helper()
	w.clock.Set(at(j.proven))
	fact := &freightv1.ProofOfDeliveryReceived{
		ProofOfDelivery: &freightv1.ProofOfDelivery{
			Name: j.proof(), Shipment: j.shipment(), State: freightv1.ProofOfDelivery_RECEIVED, SignedAt: timestamppb.New(at(j.proven)),
		},
		Shipment: j.shipmentMessage(),
	}
	j.each(func(line, q, _ string) {
		l := &freightv1.DeliveredLine{Line: line, Shipped: each(q), Accepted: each(q), Short: each("0"), Damaged: each("0"), Refused: each("0")}
		if line == "1" && short+damaged > 0 {
			var all int
			fmt.Sscan(q, &all)
			l.Accepted, l.Short, l.Damaged = each(fmt.Sprint(all-short-damaged)), each(fmt.Sprint(short)), each(fmt.Sprint(damaged))
		}
		fact.Lines = append(fact.Lines, l)
	})
	w.tell("freight", j.shipment(), fact)
}

// authorize asks as workflow does.
func (w *world) authorize(j job) (*billingv1.BillingAuthorization, error) {
	return w.workflow.AuthorizeBilling(w.ctx, &billingv1.AuthorizeBillingRequest{
		Shipment: j.shipment(), OrderRelease: j.release(), RequestId: fmt.Sprintf("authorize-%d", j.n),
	})
}

// issue authorises and issues.
func (w *world) issue(j job) *billingv1.Invoice {
	w.t.Helper()
	a, err := w.authorize(j)
	w.must(err)
	w.clock.Set(at(j.issued))
	i, err := w.workflow.IssueInvoice(w.ctx, &billingv1.IssueInvoiceRequest{BillingAuthorization: a.GetName(), RequestId: fmt.Sprintf("issue-%d", j.n)})
	w.must(err)
	return i
}

// invoiced brings a job as far as its invoice.
func (w *world) invoiced(j job) *billingv1.Invoice {
	w.t.Helper()
	w.releaseOrder(j)
	w.book(j)
	w.deliver(j)
	w.prove(j, 0, 0)
	return w.issue(j)
}

// bill submits a carrier's bill as edi does.
func (w *world) bill(j job, number, billed, total string) (*billingv1.FreightBill, error) {
	return w.edi.SubmitFreightBill(w.ctx, &billingv1.SubmitFreightBillRequest{
		RequestId: fmt.Sprintf("bill-%s-%d", number, w.clock.Now().UnixNano()),
		FreightBill: &billingv1.FreightBill{
			Carrier: "parties/CAR-" + j.carrier, InvoiceNumber: number, LoadNumber: j.number(), BillDate: day("2026-03-05"),
			Charges: charges(billed, j.currency), Total: amount(total, j.currency), Source: "interchanges/edi_1/sets/1",
		},
	})
}

// journal returns the entries that relate to a name.
func (w *world) journal(related string) []*billingv1.JournalEntry {
	w.t.Helper()
	resp, err := w.workflow.ListJournalEntries(w.ctx, &billingv1.ListJournalEntriesRequest{Related: related, PageSize: 500})
	w.must(err)
	return resp.GetJournalEntries()
}

// balances returns the trial balance of a currency, "1100" → "13558.47".
func (w *world) balances(currency string) map[string]string {
	w.t.Helper()
	resp, err := w.workflow.GetTrialBalance(w.ctx, &billingv1.GetTrialBalanceRequest{})
	w.must(err)
	out := map[string]string{}
	for _, b := range resp.GetBalances() {
		if b.GetAmount().GetCurrencyCode() == currency {
			out[b.GetAccount()] = text(b.GetAmount())
		}
	}
	return out
}
