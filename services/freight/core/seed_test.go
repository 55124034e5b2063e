package core_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/kernel/calendar"
	kmoney "crossdock.dev/kernel/money"
	"crossdock.dev/kernel/rating"
)

// table reads a file of testdata/seed as one map per row.
func table(t testing.TB, file string) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "seed", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, rec := range all[1:] {
		row := map[string]string{}
		for i, field := range rec {
			row[all[0][i]] = field
		}
		out = append(out, row)
	}
	return out
}

func object(t testing.TB, file string) map[string]map[string]any {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "seed", file))
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]any
	if err := json.Unmarshal(b, &raw); err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for k, v := range raw {
		if m, ok := v.(map[string]any); ok {
			out[k] = m
		}
	}
	return out
}

func day(s string) *date.Date {
	d := calendar.MustParseDate(s)
	return &date.Date{Year: int32(d.Year()), Month: int32(d.Month()), Day: int32(d.Day())}
}

func amount(s, currency string) *money.Money {
	units, nanos := kmoney.MustParse(s, currency).UnitsNanos()
	return &money.Money{CurrencyCode: currency, Units: units, Nanos: nanos}
}

func number(s string) int32 {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return int32(n)
}

// weekdays reads "Mon-Fri" as ISO 8601 numbers.
func weekdays(t testing.TB, s string) []int32 {
	t.Helper()
	days, err := calendar.ParseWeekdays(s)
	if err != nil {
		t.Fatal(err)
	}
	var out []int32
	for _, d := range days {
		n := int32(d)
		if n == 0 {
			n = 7
		}
		out = append(out, n)
	}
	return out
}

// seed is the day's master data as masterdata would tell it.
func seed(t testing.TB) []proto.Message {
	t.Helper()
	var out []proto.Message
	for _, r := range table(t, "calendars.csv") {
		out = append(out, &masterdatav1.CalendarChanged{Calendar: &masterdatav1.Calendar{
			Name: "calendars/" + r["id"], Zone: r["zone"], WorkingWeekdays: weekdays(t, r["working_days"]), WorkFrom: r["from"], WorkTo: r["to"],
		}})
	}
	for _, r := range table(t, "locations.csv") {
		out = append(out, &masterdatav1.LocationChanged{Location: &masterdatav1.Location{
			Name: "locations/" + r["id"], DisplayName: r["name"], Zone: r["zone"], Flags: []string{r["flags"]},
			Address: &typev1.Address{Lines: []string{r["address"]}, City: r["city"], State: r["state"], Postcode: r["postcode"], Country: r["country"]},
		}})
	}
	for _, r := range table(t, "items.csv") {
		out = append(out, &masterdatav1.ItemChanged{Item: &masterdatav1.Item{
			Name: "items/" + r["sku"], DisplayName: r["description"], BaseUnit: r["base_unit"],
			GrossWeight:    &typev1.Quantity{Value: r["gross_weight_per_unit"], Unit: r["weight_unit"]},
			UnitsPerCarton: number(r["units_per_carton"]), CartonDimensions: []string{r["carton_l"], r["carton_w"], r["carton_h"]},
			DimensionUnit: r["dim_unit"], FreightClass: r["nmfc_class"],
		}})
	}
	for _, r := range table(t, "lanes.csv") {
		out = append(out, &masterdatav1.LaneChanged{Lane: &masterdatav1.Lane{
			Name: "lanes/" + r["id"], Origin: "locations/" + r["from"], Destination: "locations/" + r["to"],
			Distance: &typev1.Quantity{Value: r["distance"], Unit: r["distance_unit"]}, DistanceSource: r["distance_source"],
		}})
	}
	guides := map[string]*masterdatav1.RoutingGuide{}
	for _, r := range table(t, "routing_guide.csv") {
		key := r["lane"] + "-" + r["mode"]
		if guides[key] == nil {
			guides[key] = &masterdatav1.RoutingGuide{Name: "routingGuides/" + key, Lane: "lanes/" + r["lane"], Mode: r["mode"]}
			out = append(out, &masterdatav1.RoutingGuideChanged{RoutingGuide: guides[key]})
		}
		guides[key].Choices = append(guides[key].Choices, &masterdatav1.RoutingGuide_Choice{Rank: number(r["rank"]), Carrier: "parties/CAR-" + r["scac"]})
	}
	for _, r := range table(t, "carriers.csv") {
		late := masterdatav1.CarrierProfile_REJECT
		if r["late_accept"] == "allow_if_open" {
			late = masterdatav1.CarrierProfile_ALLOW_IF_OPEN
		}
		out = append(out, &masterdatav1.PartyChanged{Party: &masterdatav1.Party{
			Name: "parties/CAR-" + r["scac"], DisplayName: r["scac"], Roles: []masterdatav1.Party_Role{masterdatav1.Party_CARRIER},
			Carrier: &masterdatav1.CarrierProfile{
				Scac: r["scac"], Modes: []string{r["modes"]}, Equipment: r["equipment"], TenderCalendar: "calendars/" + r["tender_calendar"],
				TenderTimeoutHours: number(r["tender_timeout_business_hours"]), LateAccept: late,
				TonuCharge: amount(r["tonu_amount"], r["currency"]), TonuWindowHours: number(r["tonu_window_hours"]),
				ExpectedStatusIntervalHours: number(r["expected_214_interval_hours"]),
			},
		}})
	}
	out = append(out, rates(t), fuel(t, "FUEL-US"), fuel(t, "FUEL-EU"))
	for scac, x := range object(t, "carrier_tariffs.json") {
		out = append(out, contract("CAR-"+scac, x["currency"].(string), &masterdatav1.Contract{
			Terms: &masterdatav1.Contract_CarrierTariff{CarrierTariff: tariff(x)},
		}))
	}
	for id, x := range object(t, "customer_contracts.json") {
		terms := map[any]masterdatav1.CustomerTerms_FreightTerms{
			"prepaid": masterdatav1.CustomerTerms_PREPAID, "prepaid and add": masterdatav1.CustomerTerms_PREPAID_AND_ADD, "collect": masterdatav1.CustomerTerms_COLLECT,
		}[x["freight_terms"]]
		if terms != 0 {
			out = append(out, contract(id, "USD", &masterdatav1.Contract{
				Terms: &masterdatav1.Contract_CustomerTerms{CustomerTerms: &masterdatav1.CustomerTerms{FreightTerms: terms}},
			}))
		}
	}
	return out
}

func contract(party, currency string, c *masterdatav1.Contract) *masterdatav1.ContractApproved {
	c.Name, c.Party, c.Version, c.CurrencyCode = "contracts/"+party+"-1", "parties/"+party, 1, currency
	c.EffectiveFrom, c.State = day("2026-01-01"), masterdatav1.Contract_APPROVED
	return &masterdatav1.ContractApproved{Contract: c}
}

func rates(t testing.TB) *masterdatav1.RateTableChanged {
	t.Helper()
	m := &masterdatav1.RateTable{
		Name: "rateTables/CX-BASE-2026-1", Tariff: "CX-BASE-2026", Version: 1, EffectiveFrom: day("2026-01-01"),
		Breaks: []string{"0", "500", "1000", "2000", "5000", "10000"}, BreakNames: []string{"L5C", "M5C", "M1M", "M2M", "M5M", "M10M"},
	}
	for _, r := range table(t, "ltl_rates.csv") {
		group, err := rating.ParseLaneGroup(r["lane_group"])
		if err != nil {
			t.Fatal(err)
		}
		m.OriginPrefixes, m.DestinationPrefixes = group.Origins, group.Destinations
		row := &masterdatav1.RateTable_Row{FreightClass: r["class"]}
		for _, c := range []string{"L5C_lt500", "M5C_500", "M1M_1000", "M2M_2000", "M5M_5000", "M10M_10000"} {
			row.Rates = append(row.Rates, r[c])
		}
		m.Rows = append(m.Rows, row)
	}
	return &masterdatav1.RateTableChanged{RateTable: m}
}

func fuel(t testing.TB, series string) *masterdatav1.FuelIndexChanged {
	t.Helper()
	m := &masterdatav1.FuelIndex{Name: "fuelIndexes/" + series}
	for _, r := range table(t, "fuel_index.csv") {
		if r["series"] == series {
			m.Unit = r["unit"]
			m.Values = append(m.Values, &masterdatav1.FuelIndex_Value{
				PublishDate: day(r["published_local"]), EffectiveDate: day(r["effective_from_local_date"]), Value: r["value"],
			})
		}
	}
	tables := map[string]*masterdatav1.FuelIndex_Table{}
	for _, r := range table(t, "fuel_table.csv") {
		if r["series"] != series {
			continue
		}
		x := tables[r["table"]]
		if x == nil {
			x = &masterdatav1.FuelIndex_Table{Id: r["table"], Basis: masterdatav1.FuelIndex_Table_PERCENT_OF_LINE_HAUL}
			if strings.HasSuffix(r["value_unit"], "per mile") {
				x.Basis = masterdatav1.FuelIndex_Table_PER_DISTANCE
			}
			tables[r["table"]] = x
			m.Tables = append(m.Tables, x)
		}
		x.Bands = append(x.Bands, &masterdatav1.FuelIndex_Band{Low: r["low"], High: r["high"], Value: r["value"]})
	}
	return &masterdatav1.FuelIndexChanged{FuelIndex: m}
}

func tariff(x map[string]any) *masterdatav1.CarrierTariff {
	currency := x["currency"].(string)
	text := func(key string) string { s, _ := x[key].(string); return s }
	optional := func(s string) *money.Money {
		if s == "" {
			return nil
		}
		return amount(s, currency)
	}
	out := &masterdatav1.CarrierTariff{
		Rate: text("rate"), Minimum: optional(text("minimum")), RateTable: text("table"), DiscountPercent: text("discount_percent"),
		Accessorials: map[string]*money.Money{},
	}
	switch {
	case strings.HasPrefix(text("basis"), "per "):
		out.Basis = masterdatav1.CarrierTariff_PER_DISTANCE
	case strings.HasPrefix(text("basis"), "LTL"):
		out.Basis = masterdatav1.CarrierTariff_LTL_CLASS
	default:
		out.Basis, out.FlatByLane = masterdatav1.CarrierTariff_FLAT_PER_LANE, map[string]*money.Money{}
		for lane, s := range x["flat"].(map[string]any) {
			out.FlatByLane["lanes/"+lane] = amount(s.(string), currency)
		}
	}
	if f := text("fuel"); f != "" {
		out.FuelTable, _, _ = strings.Cut(f, " ")
		out.FuelIndex = "fuelIndexes/" + strings.Join(strings.Split(out.FuelTable, "-")[:2], "-")
	}
	if m, ok := x["accessorials"].(map[string]any); ok {
		out.Accessorials["LFT"], out.Accessorials["RES"] = amount(m["liftgate"].(string), currency), amount(m["residential"].(string), currency)
	}
	if s := text("tonu"); s != "" {
		out.Accessorials["TON"] = amount(s, currency)
	}
	if m, ok := x["stop_off"].(map[string]any); ok {
		out.StopOff, out.StopOffFrom = amount(m["amount"].(string), currency), int32(m["from_stop"].(float64))
	}
	if m, ok := x["detention"].(map[string]any); ok {
		out.Detention = &masterdatav1.CarrierTariff_Detention{
			FreeMinutes: int32(m["free_minutes"].(float64)), IncrementMinutes: int32(m["increment_minutes"].(float64)),
			RatePerHour: amount(m["rate_per_hour"].(string), currency), Cap: amount(m["cap"].(string), currency),
		}
	}
	return out
}
