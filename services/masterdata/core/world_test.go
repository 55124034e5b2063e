package core_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/masterdata/core"
)

const serviceName = "crossdock.masterdata.v1.MasterDataService"

var begin = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)

// world is a masterdata service in memory, behind the real interceptors.
type world struct {
	t      *testing.T
	dir    string
	clock  *clock.Manual
	core   *core.Core
	server *platformtest.Server
	conn   *grpc.ClientConn // of a person who may do everything
}

// newWorld opens an empty store. When the test is over, the store is checked.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), clock: clock.NewManual(begin)}
	w.open()
	t.Cleanup(func() {
		w.close()
		var out bytes.Buffer
		if code := store.RunVerify(&out, core.Path(w.dir), core.Schema()); code != 0 {
			t.Errorf("verify = %d, want 0:\n%s", code, &out)
		}
	})
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	if w.core, err = core.Open(w.t.Context(), core.Deps{DataDir: w.dir, Business: w.clock}); err != nil {
		w.t.Fatal(err)
	}
	w.server = platformtest.New(w.t, platformtest.Config{Service: core.Service, Register: w.core.Register, Own: w.core.Store()})
	w.conn = w.server.AsUser()
}

func (w *world) close() {
	w.t.Helper()
	if err := w.core.Close(); err != nil {
		w.t.Error(err)
	}
}

// reopen stops the service and starts it on the same file.
func (w *world) reopen() {
	w.t.Helper()
	w.close()
	w.open()
}

// facts returns the facts told after the first skip of them.
func (w *world) facts(skip int) []*eventlogv1.Fact {
	w.t.Helper()
	var facts []*eventlogv1.Fact
	for after := (store.Position{}); ; {
		entries, _, err := w.core.Store().ReadLog(context.Background(), after, 0)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(entries) == 0 {
			return facts[skip:]
		}
		for _, e := range entries {
			var head eventlogv1.Head
			if err := proto.Unmarshal(e.Head, &head); err != nil {
				w.t.Fatal(err)
			}
			facts = append(facts, head.GetFacts()...)
			after = e.Position
		}
	}
}

// kind is what the tests of all kinds need to know of one.
type kind struct {
	name, plural string // "Party", "Parties"
	fact         string
	sample       func() proto.Message
	// change makes another valid value of it.
	change func(proto.Message)
}

// snake is the field of the resource in requests.
func (k kind) snake() protoreflect.Name {
	var out []byte
	for i, c := range []byte(k.name) {
		if c >= 'A' && c <= 'Z' {
			if i > 0 {
				out = append(out, '_')
			}
			c += 'a' - 'A'
		}
		out = append(out, c)
	}
	return protoreflect.Name(out)
}

// message makes an empty message of the contract by name.
func message(t *testing.T, name string) protoreflect.Message {
	t.Helper()
	mt, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName("crossdock.masterdata.v1." + name))
	if err != nil {
		t.Fatal(err)
	}
	return mt.New()
}

func set(m protoreflect.Message, field protoreflect.Name, v any) {
	m.Set(m.Descriptor().Fields().ByName(field), protoreflect.ValueOf(v))
}

func text(m proto.Message, field protoreflect.Name) string {
	r := m.ProtoReflect()
	return r.Get(r.Descriptor().Fields().ByName(field)).String()
}

// option changes an Update request.
type option func(protoreflect.Message)

func create(m protoreflect.Message) { set(m, "allow_missing", true) }

func mask(paths ...string) option {
	return func(m protoreflect.Message) {
		fm := m.Mutable(m.Descriptor().Fields().ByName("update_mask")).Message()
		list := fm.Mutable(fm.Descriptor().Fields().ByName("paths")).List()
		for _, p := range paths {
			list.Append(protoreflect.ValueOfString(p))
		}
	}
}

// update calls Update<Kind>.
func (w *world) update(conn grpc.ClientConnInterface, k kind, m proto.Message, requestID string, options ...option) (proto.Message, error) {
	w.t.Helper()
	req := message(w.t, "Update"+k.name+"Request")
	set(req, k.snake(), m.ProtoReflect())
	set(req, "request_id", requestID)
	for _, o := range options {
		o(req)
	}
	resp := message(w.t, k.name).Interface()
	return resp, conn.Invoke(w.t.Context(), "/"+serviceName+"/Update"+k.name, req.Interface(), resp)
}

func (w *world) get(conn grpc.ClientConnInterface, k kind, name string) (proto.Message, error) {
	w.t.Helper()
	req := message(w.t, "Get"+k.name+"Request")
	set(req, "name", name)
	resp := message(w.t, k.name).Interface()
	return resp, conn.Invoke(w.t.Context(), "/"+serviceName+"/Get"+k.name, req.Interface(), resp)
}

// list calls List<Kinds> and returns the names, and the next page's token.
func (w *world) list(k kind, size int32, token string) (names []string, next string, err error) {
	w.t.Helper()
	req := message(w.t, "List"+k.plural+"Request")
	set(req, "page_size", size)
	set(req, "page_token", token)
	resp := message(w.t, "List"+k.plural+"Response")
	if err := w.conn.Invoke(w.t.Context(), "/"+serviceName+"/List"+k.plural, req.Interface(), resp.Interface()); err != nil {
		return nil, "", err
	}
	rows := resp.Get(resp.Descriptor().Fields().ByNumber(1)).List()
	for i := range rows.Len() {
		names = append(names, text(rows.Get(i).Message().Interface(), "name"))
	}
	return names, text(resp.Interface(), "next_page_token"), nil
}

// must fails the test when fn does.
func must[T any](t *testing.T, fn func() (T, error)) T {
	t.Helper()
	v, err := fn()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// refused wants a refusal with a code and reason, and returns it.
func refused(t *testing.T, err error, code, reason string) *rpcerr.Error {
	t.Helper()
	got := rpcerr.From(err)
	if err == nil || status.Code(err).String() != code || got.Reason != reason {
		t.Fatalf("error = %v, want %s %s", err, code, reason)
	}
	return got
}

// fields are the bad fields of a refusal in short, "path REASON", sorted.
func fields(e *rpcerr.Error) []string {
	out := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		out[i] = f.Path + " " + f.Reason
	}
	slices.Sort(out)
	return out
}

func usd(units int64) *money.Money { return &money.Money{CurrencyCode: "USD", Units: units} }

func day(month, d int32) *date.Date { return &date.Date{Year: 2026, Month: month, Day: d} }

// kinds are samples of every kind, in an order in which each finds what it refers to.
func kinds() []kind {
	return []kind{
		{"LegalEntity", "LegalEntities", "LegalEntityChanged", func() proto.Message {
			return &masterdatav1.LegalEntity{Name: "legalEntities/LE-US", DisplayName: "Northline Supply Inc.", CurrencyCode: "USD", Zone: "America/New_York"}
		}, func(m proto.Message) { m.(*masterdatav1.LegalEntity).TaxId = "EIN 00-0000001" }},
		{"Calendar", "Calendars", "CalendarChanged", func() proto.Message {
			return &masterdatav1.Calendar{Name: "calendars/CAL-CXBB", Zone: "America/New_York", WorkingWeekdays: []int32{1, 2, 3, 4, 5}, WorkFrom: "08:00", WorkTo: "17:00"}
		}, func(m proto.Message) { m.(*masterdatav1.Calendar).Holidays = []*date.Date{day(7, 3), day(12, 25)} }},
		{"TaxRule", "TaxRules", "TaxRuleChanged", func() proto.Message {
			return &masterdatav1.TaxRule{Name: "taxRules/NL_DOMESTIC_21", RatePercent: "21", PrintedNote: "BTW 21%"}
		}, func(m proto.Message) { m.(*masterdatav1.TaxRule).PrintedNote = "VAT 21%" }},
		{"Party", "Parties", "PartyChanged", func() proto.Message { return customer() },
			func(m proto.Message) { m.(*masterdatav1.Party).PaymentDueDays = 30 }},
		{"Party", "Parties", "PartyChanged", func() proto.Message { return carrier() },
			func(m proto.Message) { m.(*masterdatav1.Party).GetCarrier().TenderTimeoutHours = 4 }},
		{"Location", "Locations", "LocationChanged", func() proto.Message { return location("locations/LOC-CMH", "legalEntities/LE-US") },
			func(m proto.Message) { m.(*masterdatav1.Location).CutOff = "14:00" }},
		{"Location", "Locations", "LocationChanged", func() proto.Message { return location("locations/LOC-SOLON", "parties/CUS-XYZ") },
			func(m proto.Message) { m.(*masterdatav1.Location).Flags = []string{"dock", "liftgate"} }},
		{"Item", "Items", "ItemChanged", func() proto.Message {
			return &masterdatav1.Item{Name: "items/AB3542", DisplayName: "SMALL WIDGET", BaseUnit: "EA", GrossWeight: &typev1.Quantity{Value: "1.5", Unit: "LBR"},
				UnitsPerCarton: 4, CartonDimensions: []string{"12", "8", "8"}, DimensionUnit: "INH", FreightClass: "85",
				ExternalIds: []*typev1.ExternalId{{System: "x12", Kind: "item", Qualifier: "CB", Value: "065322-117"}}, ValidFrom: day(1, 1)}
		}, func(m proto.Message) { m.(*masterdatav1.Item).FreightClass = "92.5" }},
		{"Lane", "Lanes", "LaneChanged", func() proto.Message {
			return &masterdatav1.Lane{Name: "lanes/LANE-SOLON", Origin: "locations/LOC-CMH", Destination: "locations/LOC-SOLON",
				Distance: &typev1.Quantity{Value: "141", Unit: "SMI"}, TransitDays: map[string]int32{"TL": 1, "LTL": 1}}
		}, func(m proto.Message) { m.(*masterdatav1.Lane).GetDistance().Value = "142" }},
		{"RoutingGuide", "RoutingGuides", "RoutingGuideChanged", func() proto.Message {
			return &masterdatav1.RoutingGuide{Name: "routingGuides/LANE-SOLON-LTL", Lane: "lanes/LANE-SOLON", Mode: "LTL",
				Choices: []*masterdatav1.RoutingGuide_Choice{{Rank: 1, Carrier: "parties/CAR-CXBB"}}}
		}, func(m proto.Message) { m.(*masterdatav1.RoutingGuide).SameCarrierAgain = true }},
		{"RateTable", "RateTables", "RateTableChanged", func() proto.Message {
			return &masterdatav1.RateTable{Name: "rateTables/CX-BASE-2026-1", Tariff: "CX-BASE-2026", Version: 1, EffectiveFrom: day(1, 1),
				OriginPrefixes: []string{"432"}, DestinationPrefixes: []string{"441"}, Breaks: []string{"0", "500"}, BreakNames: []string{"L5C", "M5C"},
				Rows: []*masterdatav1.RateTable_Row{{FreightClass: "85", Rates: []string{"62.00", "48.00"}}}}
		}, func(m proto.Message) { m.(*masterdatav1.RateTable).Rows[0].Rates[1] = "47.50" }},
		{"FuelIndex", "FuelIndexes", "FuelIndexChanged", func() proto.Message {
			return &masterdatav1.FuelIndex{Name: "fuelIndexes/FUEL-US", Unit: "USD per gallon",
				Values: []*masterdatav1.FuelIndex_Value{{PublishDate: day(2, 23), EffectiveDate: day(2, 25), Value: "3.948"}},
				Tables: []*masterdatav1.FuelIndex_Table{{Id: "FUEL-US-LTL", Basis: masterdatav1.FuelIndex_Table_PERCENT_OF_LINE_HAUL,
					Bands: []*masterdatav1.FuelIndex_Band{{Low: "3.90", High: "4.00", Value: "28.0"}}}}}
		}, func(m proto.Message) {
			f := m.(*masterdatav1.FuelIndex)
			f.Values = append(f.Values, &masterdatav1.FuelIndex_Value{PublishDate: day(3, 2), EffectiveDate: day(3, 4), Value: "4.012"})
		}},
		{"Contract", "Contracts", "ContractApproved", func() proto.Message { return tariff() },
			func(m proto.Message) { m.(*masterdatav1.Contract).GetCarrierTariff().Minimum = usd(125) }},
		{"CodeMap", "CodeMaps", "CodeMapApproved", func() proto.Message { return code() },
			func(m proto.Message) { m.(*masterdatav1.CodeMap).Canonical = "ARRIVED_PICKUP" }},
	}
}

func customer() *masterdatav1.Party {
	return &masterdatav1.Party{Name: "parties/CUS-XYZ", DisplayName: "XYZ Retail", Roles: []masterdatav1.Party_Role{masterdatav1.Party_CUSTOMER},
		LegalEntity: "legalEntities/LE-US", CurrencyCode: "USD", Channel: "X12", PaymentTerms: "net 46", PaymentDueDays: 46, TaxRule: "taxRules/NL_DOMESTIC_21",
		ExternalIds: []*typev1.ExternalId{{System: "x12", Kind: "isa_sender", Qualifier: "12", Value: "4405197800"}}}
}

func carrier() *masterdatav1.Party {
	return &masterdatav1.Party{Name: "parties/CAR-CXBB", DisplayName: "Bluebird", Roles: []masterdatav1.Party_Role{masterdatav1.Party_CARRIER},
		LegalEntity: "legalEntities/LE-US", CurrencyCode: "USD", Channel: "X12", PaymentTerms: "net 30", PaymentDueDays: 30,
		Carrier: &masterdatav1.CarrierProfile{Scac: "CXBB", Modes: []string{"LTL"}, TenderCalendar: "calendars/CAL-CXBB", TenderTimeoutHours: 3}}
}

func location(name, owner string) *masterdatav1.Location {
	return &masterdatav1.Location{Name: name, Owner: owner, DisplayName: "A site", Address: &typev1.Address{City: "SOLON", State: "OH", Postcode: "44139", Country: "US"},
		Zone: "America/New_York", OpenWeekdays: []int32{1, 2, 3, 4, 5}, OpenFrom: "08:00", OpenTo: "17:00", Latitude: "41.3898", Longitude: "-81.4412"}
}

func tariff() *masterdatav1.Contract {
	return &masterdatav1.Contract{Name: "contracts/CAR-CXBB-1", Party: "parties/CAR-CXBB", Version: 1, EffectiveFrom: day(1, 1), CurrencyCode: "USD",
		Terms: &masterdatav1.Contract_CarrierTariff{CarrierTariff: &masterdatav1.CarrierTariff{Basis: masterdatav1.CarrierTariff_LTL_CLASS, RateTable: "CX-BASE-2026",
			DiscountPercent: "60", Minimum: usd(120), FuelIndex: "fuelIndexes/FUEL-US", FuelTable: "FUEL-US-LTL", Accessorials: map[string]*money.Money{"LFT": usd(75)}}}}
}

func code() *masterdatav1.CodeMap {
	return &masterdatav1.CodeMap{Name: "codeMaps/x12-214-CXBB-X8", Party: "parties/CAR-CXBB", List: "x12/1650", Code: "X8", Canonical: "LOADED", ValidFrom: day(1, 1)}
}

// fill creates one of every sample.
func (w *world) fill() {
	w.t.Helper()
	for _, k := range kinds() {
		m := k.sample()
		if _, err := w.update(w.conn, k, m, "fill/"+text(m, "name"), create); err != nil {
			w.t.Fatalf("create %s: %v", text(m, "name"), err)
		}
	}
}

// kindOf finds a kind by name.
func kindOf(t *testing.T, name string) kind {
	t.Helper()
	for _, k := range kinds() {
		if k.name == name {
			return k
		}
	}
	t.Fatalf("no kind %s", name)
	return kind{}
}
