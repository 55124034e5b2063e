package core_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	governancev1 "crossdock.dev/gen/crossdock/governance/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/rpcerr"
)

// TestEveryKind walks one resource of each kind through its life, once in one go and once with a restart after each step.
func TestEveryKind(t *testing.T) {
	for _, mode := range []struct {
		name  string
		after func(*world)
	}{{"in one go", func(*world) {}}, {"restarted after each step", (*world).reopen}} {
		t.Run(mode.name, func(t *testing.T) {
			w := newWorld(t)
			told := 0
			for _, k := range kinds() {
				sample := k.sample()
				name := text(sample, "name")
				approval := strings.HasSuffix(k.fact, "Approved")

				_, err := w.get(w.conn, k, name)
				refused(t, err, "NotFound", rpcerr.ReasonNotFound)
				_, err = w.update(w.conn, k, sample, name+"/0")
				refused(t, err, "NotFound", rpcerr.ReasonNotFound)

				seen := proto.Clone(sample)
				set(seen.ProtoReflect(), "etag", "1") // of what is not there
				_, err = w.update(w.conn, k, seen, name+"/0", create)
				refused(t, err, "Aborted", rpcerr.ReasonStaleETag)

				created, err := w.update(w.conn, k, sample, name+"/1", create)
				if err != nil {
					t.Fatalf("create %s: %v", name, err)
				}
				if got := text(created, "etag"); got != "1" {
					t.Errorf("%s: first etag %q, want 1", name, got)
				}
				told += w.wantFact(k, told, created, !approval)
				mode.after(w)

				got := mustGet(w, k, name)
				if !proto.Equal(got, created) {
					t.Errorf("got %v, want what was created %v", got, created)
				}
				names, _, err := w.list(k, 0, "")
				if err != nil || !slices.Contains(names, name) {
					t.Errorf("list = %q, %v, want %s among them", names, err, name)
				}

				// The same request again, after a restart too: the same answer, nothing told.
				again, err := w.update(w.conn, k, sample, name+"/1", create)
				if err != nil || !proto.Equal(again, created) {
					t.Errorf("%s again = %v, %v, want %v", name, again, err, created)
				}
				// Nothing new under another id: nothing told, the revision stays.
				same, err := w.update(w.conn, k, created, name+"/2")
				if err != nil || !proto.Equal(same, created) {
					t.Errorf("%s unchanged = %v, %v, want %v", name, same, err, created)
				}
				told += w.wantFact(k, told, created, false)

				changed := proto.Clone(created)
				k.change(changed)
				_, err = w.update(w.conn, k, changed, name+"/1", create)
				refused(t, err, "FailedPrecondition", rpcerr.ReasonRequestIDReused)
				updated, err := w.update(w.conn, k, changed, name+"/3")
				if err != nil {
					t.Fatalf("update %s: %v", name, err)
				}
				if got := text(updated, "etag"); got != "2" {
					t.Errorf("%s: second etag %q, want 2", name, got)
				}
				told += w.wantFact(k, told, updated, !approval)
				_, err = w.update(w.conn, k, created, name+"/4") // with the first etag
				refused(t, err, "Aborted", rpcerr.ReasonStaleETag)
				mode.after(w)
			}
			w.wantFact(kind{}, told, nil, false)
		})
	}
}

func mustGet(w *world, k kind, name string) proto.Message {
	w.t.Helper()
	return must(w.t, func() (proto.Message, error) { return w.get(w.conn, k, name) })
}

// wantFact wants exactly one new fact that holds m, or none; it returns how many there were.
func (w *world) wantFact(k kind, skip int, m proto.Message, want bool) int {
	w.t.Helper()
	facts := w.facts(skip)
	if !want {
		if len(facts) > 0 {
			w.t.Fatalf("told %v, want nothing", facts)
		}
		return 0
	}
	if len(facts) != 1 || facts[0].GetType() != k.fact || facts[0].GetSubject() != text(m, "name") {
		w.t.Fatalf("told %v, want one %s of %s", facts, k.fact, text(m, "name"))
	}
	payload := must(w.t, facts[0].GetPayload().UnmarshalNew)
	r := payload.ProtoReflect()
	if got := r.Get(r.Descriptor().Fields().ByNumber(1)).Message().Interface(); !proto.Equal(got, m) {
		w.t.Errorf("the fact holds %v, want %v", got, m)
	}
	return 1
}

// TestBadFields wants every field that breaks a rule named at once.
func TestBadFields(t *testing.T) {
	w := newWorld(t)
	w.fill()
	told := len(w.facts(0))
	for i, c := range []struct {
		kind string
		bad  proto.Message
		want []string
	}{
		{"LegalEntity", &masterdatav1.LegalEntity{Name: "legalEntities/LE-X", DisplayName: "X", CurrencyCode: "ZZZ", Zone: "Ohio", ShipFrom: "locations/LOC-NO"},
			[]string{"legal_entity.currency_code MALFORMED", "legal_entity.ship_from UNKNOWN_REFERENCE", "legal_entity.zone MALFORMED"}},
		{"Party", bent(customer(), func(p *masterdatav1.Party) {
			p.Name, p.LegalEntity, p.TaxRule, p.Carrier = "parties/CUS-X", "legalEntities/LE-NO", "taxRules/NO", carrier().GetCarrier()
			p.Carrier.TenderCalendar, p.Carrier.TonuCharge = "calendars/CAL-NO", &money.Money{CurrencyCode: "EUR", Units: 1}
		}), []string{"party.carrier NOT_ALLOWED", "party.carrier.tender_calendar UNKNOWN_REFERENCE", "party.carrier.tonu_charge.currency_code NOT_ALLOWED",
			"party.carrier.tonu_window_hours MISSING", "party.external_ids[0] KEY_TAKEN", "party.legal_entity UNKNOWN_REFERENCE", "party.tax_rule UNKNOWN_REFERENCE"}},
		{"Location", bent(location("locations/LOC-X", "parties/CUS-NO"), func(l *masterdatav1.Location) {
			l.Zone, l.OpenTo, l.Flags, l.ShippingCalendar, l.CutOff = "Ohio", "07:00", []string{"dock", "pool"}, "calendars/CAL-NO", "29:00"
			l.ExternalIds = customer().GetExternalIds() // of CUS-XYZ
		}), []string{"location.cut_off MALFORMED", "location.external_ids[0] KEY_TAKEN", "location.flags[1] NOT_ALLOWED", "location.open_to OUT_OF_RANGE",
			"location.owner UNKNOWN_REFERENCE", "location.shipping_calendar UNKNOWN_REFERENCE", "location.zone MALFORMED"}},
		{"Item", &masterdatav1.Item{Name: "items/X", DisplayName: "X", BaseUnit: "EA", GrossWeight: &typev1.Quantity{Value: "0", Unit: "EA"}, UnitsPerCarton: 1,
			CartonDimensions: []string{"1"}, ExternalIds: []*typev1.ExternalId{{System: "x12", Qualifier: "VN", Value: "X"}, {System: "x12", Qualifier: "VN", Value: "X"}}},
			[]string{"item.carton_dimensions COUNT_MISMATCH", "item.external_ids[1] DUPLICATE", "item.gross_weight.unit NOT_ALLOWED", "item.gross_weight.value OUT_OF_RANGE"}},
		{"Lane", &masterdatav1.Lane{Name: "lanes/L-X", Origin: "locations/LOC-NO", Destination: "locations/LOC-NO2", Distance: &typev1.Quantity{Value: "-1", Unit: "LBR"},
			TransitDays: map[string]int32{"AIR": 1, "TL": -1}},
			[]string{"lane.destination UNKNOWN_REFERENCE", "lane.distance.unit NOT_ALLOWED", "lane.distance.value OUT_OF_RANGE", "lane.origin UNKNOWN_REFERENCE",
				"lane.transit_days[\"AIR\"] NOT_ALLOWED", "lane.transit_days[\"TL\"] OUT_OF_RANGE"}},
		{"RoutingGuide", &masterdatav1.RoutingGuide{Name: "routingGuides/OTHER", Lane: "lanes/LANE-SOLON", Mode: "LTL",
			Choices: []*masterdatav1.RoutingGuide_Choice{{Rank: 1, Carrier: "parties/CUS-XYZ"}, {Rank: 1, Carrier: "parties/CAR-NO"}}},
			[]string{"routing_guide.choices[0].carrier UNKNOWN_REFERENCE", "routing_guide.choices[1].carrier UNKNOWN_REFERENCE", "routing_guide.choices[1].rank DUPLICATE",
				"routing_guide.mode KEY_TAKEN"}},
		{"RateTable", &masterdatav1.RateTable{Name: "rateTables/XX", Tariff: "CX-BASE-2026", Version: 1, OriginPrefixes: []string{"43A"}, Breaks: []string{"0", "500"},
			Rows: []*masterdatav1.RateTable_Row{{FreightClass: "85", Rates: []string{"62.00"}}}},
			[]string{"rate_table.effective_from MISSING", "rate_table.origin_prefixes[0] MALFORMED", "rate_table.rows[0].rates COUNT_MISMATCH", "rate_table.version KEY_TAKEN"}},
		{"FuelIndex", &masterdatav1.FuelIndex{Name: "fuelIndexes/XX", Tables: []*masterdatav1.FuelIndex_Table{{Id: "T", Basis: masterdatav1.FuelIndex_Table_PER_DISTANCE,
			Bands: []*masterdatav1.FuelIndex_Band{{Low: "4.00", High: "4.05", Value: "1"}, {Low: "4.04", High: "4.10", Value: "1"}}}, {Id: "T", Basis: masterdatav1.FuelIndex_Table_PER_DISTANCE}}},
			[]string{"fuel_index.tables[0].bands[1].low NOT_ASCENDING", "fuel_index.tables[1].id DUPLICATE"}},
		{"Contract", bent(tariff(), func(c *masterdatav1.Contract) {
			c.Name, c.Party = "contracts/XX", "parties/CUS-XYZ"
			tr := c.GetCarrierTariff()
			tr.Basis, tr.FuelTable, tr.FlatByLane, tr.Accessorials = masterdatav1.CarrierTariff_FLAT_PER_LANE, "FUEL-NO", map[string]*money.Money{"lanes/NO": usd(1)}, map[string]*money.Money{"XXX": usd(-1)}
			tr.RateTable = "NO"
		}), []string{"contract.carrier_tariff.accessorials[\"XXX\"] NOT_ALLOWED", "contract.carrier_tariff.accessorials[\"XXX\"] OUT_OF_RANGE", "contract.carrier_tariff.discount_percent NOT_ALLOWED",
			"contract.carrier_tariff.flat_by_lane[\"lanes/NO\"] UNKNOWN_REFERENCE", "contract.carrier_tariff.fuel_table UNKNOWN_REFERENCE", "contract.carrier_tariff.minimum NOT_ALLOWED",
			"contract.carrier_tariff.rate_table NOT_ALLOWED", "contract.carrier_tariff.rate_table UNKNOWN_REFERENCE", "contract.party UNKNOWN_REFERENCE"}},
		{"CodeMap", bent(code(), func(c *masterdatav1.CodeMap) { c.Name, c.Party = "codeMaps/x12-other", "parties/CAR-NO" }), []string{"code_map.party UNKNOWN_REFERENCE"}},
		{"CodeMap", bent(code(), func(c *masterdatav1.CodeMap) { c.Name = "codeMaps/x12-other" }), []string{"code_map.code KEY_TAKEN"}},
	} {
		t.Run(c.kind, func(t *testing.T) {
			_, err := w.update(w.conn, kindOf(t, c.kind), c.bad, fmt.Sprint("bad/", i), create)
			e := refused(t, err, "InvalidArgument", rpcerr.ReasonInvalidFields)
			if got := fields(e); !slices.Equal(got, c.want) {
				t.Errorf("bad fields = %q, want %q", got, c.want)
			}
		})
	}
	if facts := w.facts(told); len(facts) > 0 {
		t.Errorf("refused updates told %v", facts)
	}
}

func bent[M proto.Message](m M, fn func(M)) M {
	fn(m)
	return m
}

// TestShape wants the contract's own rules applied before: all bad fields at once, too.
func TestShape(t *testing.T) {
	w := newWorld(t)
	_, err := w.update(w.conn, kindOf(t, "Party"), &masterdatav1.Party{Name: "parties/lower", CurrencyCode: "usd"}, "", create)
	e := refused(t, err, "InvalidArgument", rpcerr.ReasonInvalidFields)
	var got []string
	for _, f := range e.Fields {
		got = append(got, f.Path)
	}
	slices.Sort(got)
	want := []string{"party.currency_code", "party.display_name", "party.legal_entity", "party.name", "party.roles", "request_id"}
	if !slices.Equal(got, want) {
		t.Errorf("bad fields = %q, want %q", got, want)
	}
}

func TestApproval(t *testing.T) {
	w := newWorld(t)
	w.fill()
	c := masterdatav1.NewMasterDataServiceClient(w.conn)
	told := len(w.facts(0))
	draft := mustGet(w, kindOf(t, "Contract"), "contracts/CAR-CXBB-1").(*masterdatav1.Contract)
	if draft.GetState() != masterdatav1.Contract_DRAFT || draft.GetApproveTime() != nil {
		t.Errorf("new contract is %v, approved %v, want DRAFT and never", draft.GetState(), draft.GetApproveTime())
	}
	// State is output only: who sends another gets no further.
	sneaky := proto.Clone(draft).(*masterdatav1.Contract)
	sneaky.State = masterdatav1.Contract_APPROVED
	if got, err := w.update(w.conn, kindOf(t, "Contract"), sneaky, "sneaky"); err != nil || !proto.Equal(got, draft) {
		t.Errorf("update with a state = %v, %v, want %v", got, err, draft)
	}

	_, err := c.ApproveContract(t.Context(), &masterdatav1.ApproveContractRequest{Name: draft.GetName(), Etag: "7", RequestId: "a0"})
	refused(t, err, "Aborted", rpcerr.ReasonStaleETag)
	_, err = c.ApproveContract(t.Context(), &masterdatav1.ApproveContractRequest{Name: "contracts/NO", RequestId: "a1"})
	refused(t, err, "NotFound", rpcerr.ReasonNotFound)
	approved, err := c.ApproveContract(t.Context(), &masterdatav1.ApproveContractRequest{Name: draft.GetName(), Etag: "1", RequestId: "a2"})
	if err != nil {
		t.Fatal(err)
	}
	if approved.GetState() != masterdatav1.Contract_APPROVED || !approved.GetApproveTime().AsTime().Equal(begin) || approved.GetEtag() != "2" {
		t.Errorf("approved = %v, want APPROVED at %v with etag 2", approved, begin)
	}
	told += w.wantFact(kindOf(t, "Contract"), told, approved, true)

	for i, etag := range []string{"", "1", "2"} { // approving again succeeds, whatever was seen
		again, err := c.ApproveContract(t.Context(), &masterdatav1.ApproveContractRequest{Name: draft.GetName(), Etag: etag, RequestId: fmt.Sprint("again", i)})
		if err != nil || !proto.Equal(again, approved) {
			t.Errorf("approved again = %v, %v, want %v", again, err, approved)
		}
	}
	if same, err := w.update(w.conn, kindOf(t, "Contract"), tariff(), "same"); err != nil || !proto.Equal(same, approved) {
		t.Errorf("unchanged update of an approved contract = %v, %v, want %v", same, err, approved)
	}
	change := tariff()
	change.GetCarrierTariff().Minimum = usd(121)
	_, err = w.update(w.conn, kindOf(t, "Contract"), change, "change")
	if e := refused(t, err, "FailedPrecondition", "APPROVED"); e.Metadata["resource"] != draft.GetName() || e.Domain != "crossdock.dev/masterdata" {
		t.Errorf("refusal names %v of %s, want %s of crossdock.dev/masterdata", e.Metadata, e.Domain, draft.GetName())
	}

	m, err := c.ApproveCodeMap(t.Context(), &masterdatav1.ApproveCodeMapRequest{Name: code().GetName(), RequestId: "m1"})
	if err != nil || m.GetState() != masterdatav1.CodeMap_APPROVED {
		t.Fatalf("approved code map = %v, %v, want APPROVED", m, err)
	}
	told += w.wantFact(kindOf(t, "CodeMap"), told, m, true)
	other := code()
	other.Canonical = "DELIVERED"
	_, err = w.update(w.conn, kindOf(t, "CodeMap"), other, "other")
	refused(t, err, "FailedPrecondition", "APPROVED")
	// A row with a later first day takes over.
	other.Name, other.ValidFrom = "codeMaps/x12-214-CXBB-X8-2", day(4, 1)
	if _, err := w.update(w.conn, kindOf(t, "CodeMap"), other, "later", create); err != nil {
		t.Errorf("a later row: %v", err)
	}
	w.wantFact(kind{}, told, nil, false)
}

// TestMask changes the named fields alone.
func TestMask(t *testing.T) {
	w := newWorld(t)
	w.fill()
	party := kindOf(t, "Party")
	in := customer()
	in.DisplayName, in.PaymentDueDays, in.PaymentTerms, in.TaxRule = "XYZ Stores", 30, "net 30", ""
	got := must(t, func() (proto.Message, error) {
		return w.update(w.conn, party, in, "m1", mask("display_name", "tax_rule"))
	}).(*masterdatav1.Party)
	want := customer()
	want.DisplayName, want.TaxRule, want.Etag = "XYZ Stores", "", "2"
	if !proto.Equal(got, want) {
		t.Errorf("masked update = %v, want %v", got, want)
	}
	for _, paths := range [][]string{{"color"}, {"carrier.scac"}, {"*", "display_name"}} {
		_, err := w.update(w.conn, party, in, "m2"+strings.Join(paths, ","), mask(paths...))
		if got, want := fields(refused(t, err, "InvalidArgument", rpcerr.ReasonInvalidFields)), []string{"update_mask MALFORMED"}; !slices.Equal(got, want) {
			t.Errorf("mask %q: bad fields %q, want %q", paths, got, want)
		}
	}
	// One of a oneof replaces its sibling, with a mask and without: the party's role then refuses it.
	terms := tariff()
	terms.Terms = &masterdatav1.Contract_CustomerTerms{CustomerTerms: &masterdatav1.CustomerTerms{FreightTerms: masterdatav1.CustomerTerms_COLLECT}}
	for i, o := range []option{mask("customer_terms"), mask()} {
		_, err := w.update(w.conn, kindOf(t, "Contract"), terms, fmt.Sprint("m3", i), o)
		if got, want := fields(refused(t, err, "InvalidArgument", rpcerr.ReasonInvalidFields)), []string{"contract.party UNKNOWN_REFERENCE"}; !slices.Equal(got, want) {
			t.Errorf("terms of another sort: bad fields %q, want %q", got, want)
		}
	}
}

// TestFixed refuses changes that would leave others' references empty.
func TestFixed(t *testing.T) {
	w := newWorld(t)
	w.fill()
	p := carrier()
	p.Roles, p.Carrier = []masterdatav1.Party_Role{masterdatav1.Party_CUSTOMER}, nil
	f := kindOf(t, "FuelIndex").sample().(*masterdatav1.FuelIndex)
	f.Tables = nil
	r := kindOf(t, "RateTable").sample().(*masterdatav1.RateTable)
	r.Tariff = "OTHER"
	for _, c := range []struct {
		kind string
		m    proto.Message
		want string
	}{{"Party", p, "party.roles FIXED"}, {"FuelIndex", f, "fuel_index.tables FIXED"}, {"RateTable", r, "rate_table.tariff FIXED"}} {
		_, err := w.update(w.conn, kindOf(t, c.kind), c.m, "fixed/"+c.kind)
		if got := fields(refused(t, err, "InvalidArgument", rpcerr.ReasonInvalidFields)); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: bad fields %q, want %q", c.kind, got, c.want)
		}
	}
}

// TestKeysMove gives an external id from one party to another: only after the first has let go of it.
func TestKeysMove(t *testing.T) {
	w := newWorld(t)
	w.fill()
	party := kindOf(t, "Party")
	second := customer()
	second.Name = "parties/CUS-TWO"
	_, err := w.update(w.conn, party, second, "k1", create)
	e := refused(t, err, "InvalidArgument", rpcerr.ReasonInvalidFields)
	if got, want := fields(e), []string{"party.external_ids[0] KEY_TAKEN"}; !slices.Equal(got, want) || !strings.Contains(e.Fields[0].Description, "parties/CUS-XYZ") {
		t.Errorf("bad fields = %q (%s), want %q naming parties/CUS-XYZ", got, e.Fields[0].Description, want)
	}
	first := customer()
	first.ExternalIds = nil
	must(t, func() (proto.Message, error) { return w.update(w.conn, party, first, "k2") })
	w.reopen()
	// The request that was refused was not remembered: the same id works now.
	if _, err := w.update(w.conn, party, second, "k1", create); err != nil {
		t.Errorf("free again, but: %v", err)
	}
}

// TestTwoWriters lets several change the same resource at the same time.
func TestTwoWriters(t *testing.T) {
	w := newWorld(t)
	w.fill()
	told := len(w.facts(0))
	party := kindOf(t, "Party")
	const writers = 8
	at := func(fn func(i int) error) []error {
		errs := make([]error, writers)
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() { errs[i] = fn(i) })
		}
		wg.Wait()
		return errs
	}
	done := 0
	for _, err := range at(func(i int) error { // other values on the same revision: one wins
		in := customer()
		in.Etag, in.PaymentDueDays = "1", int32(i)
		_, err := w.update(w.conn, party, in, fmt.Sprint("writer", i))
		return err
	}) {
		switch status.Code(err) {
		case codes.OK:
			done++
		case codes.Aborted:
		default:
			t.Errorf("a writer got %v, want success or ABORTED", err)
		}
	}
	if done != 1 {
		t.Errorf("%d writers changed revision 1, want 1", done)
	}
	for _, err := range at(func(int) error { // the same request: one effect, the same answer
		in := customer()
		in.Etag, in.PaymentDueDays = "2", 60
		got, err := w.update(w.conn, party, in, "once")
		if err == nil && text(got, "etag") != "3" {
			err = fmt.Errorf("etag %s, want 3", text(got, "etag"))
		}
		return err
	}) {
		if err != nil {
			t.Errorf("same request: %v", err)
		}
	}
	if facts := w.facts(told); len(facts) != 2 {
		t.Errorf("told %d facts, want 2", len(facts))
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	k := kindOf(t, "TaxRule")
	var want []string
	for i := range 55 {
		name := fmt.Sprintf("taxRules/R_%02d", i)
		must(t, func() (proto.Message, error) {
			return w.update(w.conn, k, &masterdatav1.TaxRule{Name: name, RatePercent: "0"}, name, create)
		})
		want = append(want, name)
	}
	must(t, func() (proto.Message, error) { // next to it in order, but of another kind
		return w.update(w.conn, kindOf(t, "Calendar"), kindOf(t, "Calendar").sample(), "cal", create)
	})
	for _, c := range []struct {
		size  int32
		pages []int
	}{{0, []int{50, 5}}, {20, []int{20, 20, 15}}, {55, []int{55}}, {5000, []int{55}}} {
		var got []string
		var pages []int
		for token := ""; ; {
			names, next, err := w.list(k, c.size, token)
			if err != nil {
				t.Fatal(err)
			}
			got, pages = append(got, names...), append(pages, len(names))
			if token = next; token == "" {
				break
			}
		}
		if !slices.Equal(got, want) || !slices.Equal(pages, c.pages) {
			t.Errorf("page size %d: pages of %v with %d names, want %v with %d by name", c.size, pages, len(got), c.pages, len(want))
		}
	}
	_, token, err := w.list(k, 10, "")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = w.list(kindOf(t, "Calendar"), 10, token)
	refused(t, err, "InvalidArgument", rpcerr.ReasonInvalidPageToken)
}

// TestCallers walks every method: none is for partners; services may read and not write.
func TestCallers(t *testing.T) {
	w := newWorld(t)
	w.fill()
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(serviceName)
	if err != nil {
		t.Fatal(err)
	}
	methods := d.(protoreflect.ServiceDescriptor).Methods()
	for i := range methods.Len() {
		p := proto.GetExtension(methods.Get(i).Options(), governancev1.E_Method).(*governancev1.MethodPolicy)
		if p.GetVisibility() != governancev1.MethodPolicy_INTERNAL {
			t.Errorf("%s is %v, want INTERNAL", methods.Get(i).Name(), p.GetVisibility())
		}
	}
	orders := w.server.As("orders")
	for _, k := range kinds() {
		if _, err := w.get(orders, k, text(k.sample(), "name")); err != nil {
			t.Errorf("orders reads %s: %v", k.name, err)
		}
		_, err := w.update(orders, k, k.sample(), "orders/"+k.name, create)
		refused(t, err, "PermissionDenied", rpcerr.ReasonPermissionDenied)
	}
	_, err = masterdatav1.NewMasterDataServiceClient(orders).ApproveContract(t.Context(), &masterdatav1.ApproveContractRequest{Name: "contracts/CAR-CXBB-1", RequestId: "x"})
	refused(t, err, "PermissionDenied", rpcerr.ReasonPermissionDenied)
}

// TestPosition answers a change with its place in the log, and an answer that waits for it.
func TestPosition(t *testing.T) {
	w := newWorld(t)
	c := masterdatav1.NewMasterDataServiceClient(w.conn)
	rule := &masterdatav1.TaxRule{Name: "taxRules/R_1", RatePercent: "0"}
	var md metadata.MD
	_, err := c.UpdateTaxRule(t.Context(), &masterdatav1.UpdateTaxRuleRequest{TaxRule: rule, AllowMissing: true, RequestId: "p"}, grpc.Header(&md))
	if err != nil {
		t.Fatal(err)
	}
	p, ok := rpc.PositionFrom(md)
	if !ok || p != w.core.Store().Last() {
		t.Fatalf("position %v (%v), want the last %v", p, ok, w.core.Store().Last())
	}
	if _, err := c.GetTaxRule(rpc.WithWaitPosition(t.Context(), p), &masterdatav1.GetTaxRuleRequest{Name: rule.GetName()}); err != nil {
		t.Errorf("read after the write: %v", err)
	}
}

// TestUnknownFields keeps what a later program has written through an update by this one.
func TestUnknownFields(t *testing.T) {
	w := newWorld(t)
	w.fill()
	party := kindOf(t, "Party")
	later := protowire.AppendString(protowire.AppendTag(nil, 1000, protowire.BytesType), "from a later program")
	in := carrier()
	in.Name = "parties/CAR-LATE"
	in.ProtoReflect().SetUnknown(later)
	in.GetCarrier().ProtoReflect().SetUnknown(later)
	must(t, func() (proto.Message, error) { return w.update(w.conn, party, in, "u1", create) })
	plain := carrier()
	plain.Name, plain.DisplayName = in.GetName(), "Renamed"
	plain.GetCarrier().TenderTimeoutHours = 5
	must(t, func() (proto.Message, error) { return w.update(w.conn, party, plain, "u2") })
	w.reopen()
	got := mustGet(w, party, in.GetName()).(*masterdatav1.Party)
	if got.GetDisplayName() != "Renamed" || string(got.ProtoReflect().GetUnknown()) != string(later) || string(got.GetCarrier().ProtoReflect().GetUnknown()) != string(later) {
		t.Errorf("after the update: %v with %q and %q, want both unknown fields %q", got, got.ProtoReflect().GetUnknown(), got.GetCarrier().ProtoReflect().GetUnknown(), later)
	}
}

// TestInvariants breaks nothing and finds nothing, on a running service.
func TestInvariants(t *testing.T) {
	w := newWorld(t)
	w.fill()
	report, err := w.core.Store().Verify(context.Background())
	if err != nil || len(report.Breaches) > 0 {
		t.Errorf("verify = %v, %v, want no breach", report.Breaches, err)
	}
}
