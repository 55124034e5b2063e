package seed_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/masterdata/core"
	"crossdock.dev/tests/seed"
)

// day is the seed folder of the working day.
func day() fs.FS { return os.DirFS(filepath.Join("..", "day", "seed")) }

// begin is when the story of the day begins.
var begin = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)

type masterdata struct {
	conn   *grpc.ClientConn
	client masterdatav1.MasterDataServiceClient
	core   *core.Core
	clock  *clock.Manual
	dir    string
}

func start(t *testing.T) *masterdata {
	t.Helper()
	m := &masterdata{clock: clock.NewManual(begin), dir: t.TempDir()}
	var err error
	m.core, err = core.Open(t.Context(), core.Deps{DataDir: m.dir, Business: m.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.core.Close(); err != nil {
			t.Error(err)
		}
		var out bytes.Buffer
		if code := store.RunVerify(&out, core.Path(m.dir), core.Schema()); code != 0 {
			t.Errorf("verify = %d, want 0:\n%s", code, &out)
		}
	})
	s := platformtest.New(t, platformtest.Config{Service: core.Service, Register: m.core.Register, Own: m.core.Store()})
	m.conn = s.AsUser()
	m.client = masterdatav1.NewMasterDataServiceClient(m.conn)
	return m
}

// facts returns the types of all facts told so far, in order.
func (m *masterdata) facts(t *testing.T) []string {
	t.Helper()
	var types []string
	for after := (store.Position{}); ; {
		entries, _, err := m.core.Store().ReadLog(t.Context(), after, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			return types
		}
		for _, e := range entries {
			var head eventlogv1.Head
			if err := proto.Unmarshal(e.Head, &head); err != nil {
				t.Fatal(err)
			}
			for _, f := range head.GetFacts() {
				types = append(types, f.GetType())
			}
			after = e.Position
		}
	}
}

// rows counts the data rows of a CSV file, distinct by the given columns (all rows when none is given).
func rows(t *testing.T, file string, by ...string) int {
	t.Helper()
	raw, err := fs.ReadFile(day(), file)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(by) == 0 {
		return len(all) - 1
	}
	seen := map[string]bool{}
	for _, r := range all[1:] {
		key := ""
		for _, c := range by {
			key += r[slices.Index(all[0], c)] + "\x00"
		}
		seen[key] = true
	}
	return len(seen)
}

// keysOf counts the keys of a JSON file that begin with prefix.
func keysOf(t *testing.T, file, prefix string) int {
	t.Helper()
	raw, err := fs.ReadFile(day(), file)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	n := 0
	for k := range all {
		if strings.HasPrefix(k, prefix) {
			n++
		}
	}
	return n
}

func load(t *testing.T, m *masterdata) seed.Summary {
	t.Helper()
	got, err := seed.Load(t.Context(), day(), m.conn)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestLoadCounts(t *testing.T) {
	m := start(t)
	want := seed.Summary{
		LegalEntities: rows(t, "legal_entities.csv"), Calendars: rows(t, "calendars.csv"), TaxRules: rows(t, "tax_rules.csv"),
		Parties: rows(t, "parties.csv"), Locations: rows(t, "locations.csv"), Items: rows(t, "items.csv"), Lanes: rows(t, "lanes.csv"),
		RoutingGuides: rows(t, "routing_guide.csv", "lane", "mode"), RateTables: rows(t, "ltl_rates.csv", "tariff", "version"),
		FuelIndexes: rows(t, "fuel_index.csv", "series"),
		Contracts:   keysOf(t, "carrier_tariffs.json", "CX") + keysOf(t, "customer_contracts.json", "CUS-"),
		CodeMaps:    rows(t, "code_map_214.csv") + rows(t, "code_map_990.csv") + rows(t, "units_x12_355.csv"),
	}
	if got := load(t, m); got != want {
		t.Errorf("summary = %+v, want %+v", got, want)
	}
	if got := m.stored(t); got != want {
		t.Errorf("stored = %+v, want %+v", got, want)
	}
	// Each resource is told once, but the two legal entities twice: their location comes after them.
	wantFacts := map[string]int{
		"LegalEntityChanged": 2 * want.LegalEntities, "CalendarChanged": want.Calendars, "TaxRuleChanged": want.TaxRules, "PartyChanged": want.Parties,
		"LocationChanged": want.Locations, "ItemChanged": want.Items, "LaneChanged": want.Lanes, "RoutingGuideChanged": want.RoutingGuides,
		"RateTableChanged": want.RateTables, "FuelIndexChanged": want.FuelIndexes, "ContractApproved": want.Contracts, "CodeMapApproved": want.CodeMaps,
	}
	got := map[string]int{}
	for _, f := range m.facts(t) {
		got[f]++
	}
	for f, n := range wantFacts {
		if got[f] != n {
			t.Errorf("%s told %d times, want %d", f, got[f], n)
		}
		delete(got, f)
	}
	if len(got) > 0 {
		t.Errorf("other facts told: %v", got)
	}
}

// stored counts what List returns.
func (m *masterdata) stored(t *testing.T) seed.Summary {
	t.Helper()
	const all = 500
	var n seed.Summary
	ctx, c := t.Context(), m.client
	legalEntities, err := c.ListLegalEntities(ctx, &masterdatav1.ListLegalEntitiesRequest{PageSize: all})
	n.LegalEntities = count(t, legalEntities.GetLegalEntities(), err)
	calendars, err := c.ListCalendars(ctx, &masterdatav1.ListCalendarsRequest{PageSize: all})
	n.Calendars = count(t, calendars.GetCalendars(), err)
	taxRules, err := c.ListTaxRules(ctx, &masterdatav1.ListTaxRulesRequest{PageSize: all})
	n.TaxRules = count(t, taxRules.GetTaxRules(), err)
	parties, err := c.ListParties(ctx, &masterdatav1.ListPartiesRequest{PageSize: all})
	n.Parties = count(t, parties.GetParties(), err)
	locations, err := c.ListLocations(ctx, &masterdatav1.ListLocationsRequest{PageSize: all})
	n.Locations = count(t, locations.GetLocations(), err)
	items, err := c.ListItems(ctx, &masterdatav1.ListItemsRequest{PageSize: all})
	n.Items = count(t, items.GetItems(), err)
	lanes, err := c.ListLanes(ctx, &masterdatav1.ListLanesRequest{PageSize: all})
	n.Lanes = count(t, lanes.GetLanes(), err)
	guides, err := c.ListRoutingGuides(ctx, &masterdatav1.ListRoutingGuidesRequest{PageSize: all})
	n.RoutingGuides = count(t, guides.GetRoutingGuides(), err)
	tables, err := c.ListRateTables(ctx, &masterdatav1.ListRateTablesRequest{PageSize: all})
	n.RateTables = count(t, tables.GetRateTables(), err)
	fuel, err := c.ListFuelIndexes(ctx, &masterdatav1.ListFuelIndexesRequest{PageSize: all})
	n.FuelIndexes = count(t, fuel.GetFuelIndexes(), err)
	contracts, err := c.ListContracts(ctx, &masterdatav1.ListContractsRequest{PageSize: all})
	n.Contracts = count(t, contracts.GetContracts(), err)
	codes, err := c.ListCodeMaps(ctx, &masterdatav1.ListCodeMapsRequest{PageSize: all})
	n.CodeMaps = count(t, codes.GetCodeMaps(), err)
	return n
}

func count[M any](t *testing.T, rows []M, err error) int {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return len(rows)
}

func TestSecondLoadTellsNothing(t *testing.T) {
	for _, later := range []struct {
		name string
		by   time.Duration
	}{
		{"same day: the same requests get the same answers", 0},
		{"ten days later: the requests are forgotten, but change nothing", 10 * 24 * time.Hour},
	} {
		t.Run(later.name, func(t *testing.T) {
			m := start(t)
			first := load(t, m)
			told := m.facts(t)
			m.clock.Advance(later.by)
			if second := load(t, m); second != first {
				t.Errorf("second summary = %+v, want %+v", second, first)
			}
			if got := m.facts(t); !slices.Equal(got, told) {
				t.Errorf("facts after the second load: %d, want %d; new: %v", len(got), len(told), got[len(told):])
			}
		})
	}
}

func TestSpotValues(t *testing.T) {
	m := start(t)
	load(t, m)
	ctx := t.Context()

	cxbb, err := m.client.GetContract(ctx, &masterdatav1.GetContractRequest{Name: "contracts/CAR-CXBB-1"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "CXBB state", cxbb.GetState(), masterdatav1.Contract_APPROVED)
	equal(t, "CXBB approved at", cxbb.GetApproveTime().AsTime(), begin)
	equal(t, "CXBB minimum", usd(cxbb.GetCarrierTariff().GetMinimum()), "USD 120.0")
	equal(t, "CXBB discount", cxbb.GetCarrierTariff().GetDiscountPercent(), "60")
	equal(t, "CXBB fuel", cxbb.GetCarrierTariff().GetFuelIndex()+" "+cxbb.GetCarrierTariff().GetFuelTable(), "fuelIndexes/FUEL-US FUEL-US-LTL")
	equal(t, "CXBB liftgate", usd(cxbb.GetCarrierTariff().GetAccessorials()["LFT"]), "USD 75.0")

	cxaa, err := m.client.GetContract(ctx, &masterdatav1.GetContractRequest{Name: "contracts/CAR-CXAA-1"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "CXAA rate", cxaa.GetCarrierTariff().GetRate(), "2.15")
	equal(t, "CXAA stop-off", usd(cxaa.GetCarrierTariff().GetStopOff()), "USD 75.0")
	equal(t, "CXAA stop-off from", cxaa.GetCarrierTariff().GetStopOffFrom(), 3)
	equal(t, "CXAA detention cap", usd(cxaa.GetCarrierTariff().GetDetention().GetCap()), "USD 480.0")
	equal(t, "CXAA truck not used", usd(cxaa.GetCarrierTariff().GetAccessorials()["TON"]), "USD 200.0")

	xyz, err := m.client.GetContract(ctx, &masterdatav1.GetContractRequest{Name: "contracts/CUS-XYZ-1"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "XYZ terms", xyz.GetCustomerTerms().GetFreightTerms(), masterdatav1.CustomerTerms_PREPAID_AND_ADD)
	equal(t, "XYZ per cwt", xyz.GetCustomerTerms().GetRatePerCwt(), "14.50")
	equal(t, "XYZ minimum", usd(xyz.GetCustomerTerms().GetMinimum()), "USD 150.0")
	equal(t, "XYZ fuel", xyz.GetCustomerTerms().GetFuelPercent(), "12")

	party, err := m.client.GetParty(ctx, &masterdatav1.GetPartyRequest{Name: "parties/CUS-XYZ"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "XYZ days of net 46", party.GetPaymentDueDays(), 46)
	equal(t, "XYZ names at partners", len(party.GetExternalIds()), 3) // two mailboxes and a group sender; n1_st is the location's
	equal(t, "XYZ tax rule", party.GetTaxRule(), "taxRules/US_RESALE_EXEMPT")

	carrier, err := m.client.GetParty(ctx, &masterdatav1.GetPartyRequest{Name: "parties/CAR-CXCC"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "CXCC late accept", carrier.GetCarrier().GetLateAccept(), masterdatav1.CarrierProfile_ALLOW_IF_OPEN)
	equal(t, "CXCC time-out", carrier.GetCarrier().GetTenderTimeoutHours(), 2)
	equal(t, "CXCC truck not used", usd(carrier.GetCarrier().GetTonuCharge()), "USD 150.0")

	solon, err := m.client.GetLocation(ctx, &masterdatav1.GetLocationRequest{Name: "locations/LOC-SOLON"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "Solon zone", solon.GetZone(), "America/New_York")
	equal(t, "Solon days", slices.Equal(solon.GetOpenWeekdays(), []int32{1, 2, 3, 4, 5}), true)
	if ids := solon.GetExternalIds(); len(ids) != 1 || ids[0].GetSystem() != "x12" || ids[0].GetKind() != "n1_st" || ids[0].GetQualifier() != "9" || ids[0].GetValue() != "0003947268292" {
		t.Errorf("Solon names at partners = %v, want x12 n1_st 9 0003947268292", ids)
	}
	columbus, err := m.client.GetLocation(ctx, &masterdatav1.GetLocationRequest{Name: "locations/LOC-CMH"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "Columbus owner", columbus.GetOwner(), "legalEntities/LE-US")
	equal(t, "Columbus calendar", columbus.GetShippingCalendar(), "calendars/CAL-US-DC")
	equal(t, "Columbus cut-off", columbus.GetCutOff(), "14:00")
	entity, err := m.client.GetLegalEntity(ctx, &masterdatav1.GetLegalEntityRequest{Name: "legalEntities/LE-NL"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "LE-NL ships from", entity.GetShipFrom(), "locations/LOC-VEN")
	equal(t, "LE-NL postcode", entity.GetAddress().GetPostcode(), "5928 XX")

	fuel, err := m.client.GetFuelIndex(ctx, &masterdatav1.GetFuelIndexRequest{Name: "fuelIndexes/FUEL-US"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "FUEL-US-LTL from 3.90 to 4.00", band(fuel, "FUEL-US-LTL", "3.90", "4.00"), "28.0")
	equal(t, "FUEL-US-TL from 4.10 to 4.15", band(fuel, "FUEL-US-TL", "4.10", "4.15"), "0.58")
	table, err := m.client.GetRateTable(ctx, &masterdatav1.GetRateTableRequest{Name: "rateTables/CX-BASE-2026-1"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "breaks", strings.Join(table.GetBreaks(), " "), "0 500 1000 2000 5000 10000")
	equal(t, "break names", strings.Join(table.GetBreakNames(), " "), "L5C M5C M1M M2M M5M M10M")
	equal(t, "from", strings.Join(table.GetOriginPrefixes(), " "), "432")
	equal(t, "to", strings.Join(table.GetDestinationPrefixes(), " "), "441 152 462 482")
	equal(t, "class 92.5", strings.Join(table.GetRows()[2].GetRates(), " "), "67.00 52.00 40.00 31.50 25.00 19.50")

	guide, err := m.client.GetRoutingGuide(ctx, &masterdatav1.GetRoutingGuideRequest{Name: "routingGuides/LANE-SOLON-LTL"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "Solon is offered to", guide.GetChoices()[0].GetCarrier()+" "+guide.GetChoices()[1].GetCarrier(), "parties/CAR-CXBB parties/CAR-CXEE")
	item, err := m.client.GetItem(ctx, &masterdatav1.GetItemRequest{Name: "items/SNX-2222"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "SNX-2222 class", item.GetFreightClass(), "175")
	equal(t, "SNX-2222 UPC", qualified(item.GetExternalIds(), "UA"), "002840022222")
	equal(t, "SNX-2222 buyer's number", qualified(item.GetExternalIds(), "CB"), "000111111")
	code, err := m.client.GetCodeMap(ctx, &masterdatav1.GetCodeMapRequest{Name: "codeMaps/x12-214-CXCC-X8"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "X8 of CXCC", code.GetParty()+" "+code.GetList()+" "+code.GetCanonical()+" "+code.GetState().String(), "parties/CAR-CXCC x12/1650 LOADED APPROVED")
}

func TestLateFiles(t *testing.T) {
	m := start(t)
	load(t, m)
	for _, late := range []struct{ file, at string }{
		{seed.ItemsLate, "2026-03-09T14:00:00Z"},   // scenario 12
		{seed.CodeMapLate, "2026-03-06T18:00:00Z"}, // scenario 10
	} {
		at, err := seed.LateAt(day(), late.file)
		if err != nil || at.Format(time.RFC3339) != late.at {
			t.Errorf("%s arrives at %s (error %v), want %s", late.file, at.Format(time.RFC3339), err, late.at)
		}
	}
	if _, err := m.client.GetItem(t.Context(), &masterdatav1.GetItemRequest{Name: "items/NS-TANK-40"}); err == nil {
		t.Error("NS-TANK-40 is there before its file arrived")
	}
	for file, want := range map[string]seed.Summary{seed.ItemsLate: {Items: 1}, seed.CodeMapLate: {CodeMaps: 1}} {
		if got, err := seed.LoadLate(t.Context(), day(), file, m.conn); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", file, got, err, want)
		}
	}
	item, err := m.client.GetItem(t.Context(), &masterdatav1.GetItemRequest{Name: "items/NS-TANK-40"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "NS-TANK-40 weight", item.GetGrossWeight().GetValue(), "85")
	if _, err := seed.LoadLate(t.Context(), day(), "items.csv", m.conn); err == nil {
		t.Error("items.csv passed for a late file")
	}
}

// TestNotUnderstood bends one cell of the seed and wants an error that names file, row and column, before anything is sent.
func TestNotUnderstood(t *testing.T) {
	for _, c := range []struct {
		file, old, new string
		want           seed.Error
	}{
		{"parties.csv", "CUS-HHS,Harbor & Hearth Stores (fictional),customer+bill-to", "CUS-HHS,Harbor & Hearth Stores (fictional),broker", seed.Error{File: "parties.csv", Row: "5", Column: "role"}},
		{"parties.csv", "EUR,REST,net 14", "EUR,REST,14 days", seed.Error{File: "parties.csv", Row: "8", Column: "payment_terms"}},
		{"items.csv", "hazmat", "danger", seed.Error{File: "items.csv", Row: "1", Column: "danger"}},
		{"items.csv", "none,2026-01-01", "class 3,2026-01-01", seed.Error{File: "items.csv", Row: "2", Column: "hazmat"}},
		{"carriers.csv", "allow_if_open", "maybe", seed.Error{File: "carriers.csv", Row: "4", Column: "late_accept"}},
		{"locations.csv", "Mon-Sat", "Mon-Xyz", seed.Error{File: "locations.csv", Row: "2", Column: "open_days"}},
		{"external_ids.csv", "n1_bt", "n1_xx", seed.Error{File: "external_ids.csv", Row: "8", Column: "kind"}},
		{"routing_guide.csv", "1,CXBB,waterfall", "1,CXBB,broadcast", seed.Error{File: "routing_guide.csv", Row: "2", Column: "strategy"}},
		{"ltl_rates.csv", "52.00", "52,00", seed.Error{File: "ltl_rates.csv", Row: "2"}},
		{"fuel_table.csv", "percent of net line-haul", "percent", seed.Error{File: "fuel_table.csv", Row: "2", Column: "value_unit"}},
		{"carrier_tariffs.json", `"basis":"per km"`, `"basis":"per league"`, seed.Error{File: "carrier_tariffs.json", Row: "CXDD", Column: "basis"}},
		{"carrier_tariffs.json", `"tonu":"150.00"`, `"tonnage":"150.00"`, seed.Error{File: "carrier_tariffs.json", Row: "CXCC"}},
		{"carrier_tariffs.json", "half-up", "half-even", seed.Error{File: "carrier_tariffs.json", Row: "rounding"}},
		{"customer_contracts.json", `"freight_terms":"collect"`, `"freight_terms":"free"`, seed.Error{File: "customer_contracts.json", Row: "CUS-SNX", Column: "freight_terms"}},
		{"code_map_214.csv", "XB,ACKNOWLEDGED,2026-01-01,approved", "XB,ACKNOWLEDGED,2026-13-01,approved", seed.Error{File: "code_map_214.csv", Row: "2", Column: "valid_from"}},
	} {
		t.Run(c.file+" "+c.want.Row+" "+c.want.Column, func(t *testing.T) {
			bent := fstest.MapFS{}
			names, err := fs.Glob(day(), "*")
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				raw, err := fs.ReadFile(day(), name)
				if err != nil {
					t.Fatal(err)
				}
				if name == c.file {
					if !bytes.Contains(raw, []byte(c.old)) {
						t.Fatalf("%s does not hold %q", name, c.old)
					}
					raw = bytes.Replace(raw, []byte(c.old), []byte(c.new), 1)
				}
				bent[name] = &fstest.MapFile{Data: raw}
			}
			_, err = seed.Load(context.Background(), bent, nobody{})
			var got *seed.Error
			if !errors.As(err, &got) || got.File != c.want.File || got.Row != c.want.Row || got.Column != c.want.Column {
				t.Errorf("error = %v, want one at file %s, row %s, column %s", err, c.want.File, c.want.Row, c.want.Column)
			}
		})
	}
}

// nobody is a connection on which nothing may be sent.
type nobody struct{}

func (nobody) Invoke(_ context.Context, method string, _, _ any, _ ...grpc.CallOption) error {
	return errors.New("sent " + method)
}

func (nobody) NewStream(_ context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("opened " + method)
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// usd prints an amount of which the spot values have one digit after the point at most.
func usd(m *money.Money) string {
	return fmt.Sprintf("%s %d.%d", m.GetCurrencyCode(), m.GetUnits(), m.GetNanos()/100_000_000)
}

func band(f *masterdatav1.FuelIndex, table, low, high string) string {
	for _, tb := range f.GetTables() {
		for _, b := range tb.GetBands() {
			if tb.GetId() == table && b.GetLow() == low && b.GetHigh() == high {
				return b.GetValue()
			}
		}
	}
	return "no such band"
}

func qualified(ids []*typev1.ExternalId, qualifier string) string {
	for _, id := range ids {
		if id.GetQualifier() == qualifier {
			return id.GetValue()
		}
	}
	return "none"
}
