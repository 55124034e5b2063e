package seed

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/money"

	"crossdock.dev/kernel/rating"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
)

// seedStart is the first day of what the seed gives no date for: contracts and units.
func seedStart() *date.Date { return &date.Date{Year: 2026, Month: 1, Day: 1} }

// breakColumn is a column of rates: the name of the break, then its lower bound, which is 0 below the first bound.
var breakColumn = regexp.MustCompile(`^([A-Z0-9]+)_(?:lt)?([0-9]+)$`)

// rateTables reads one table per tariff and version.
func (r *reader) rateTables() {
	const file = "ltl_rates.csv"
	rates := []string{"L5C_lt500", "M5C_500", "M1M_1000", "M2M_2000", "M5M_5000", "M10M_10000"}
	byName := map[string]*masterdatav1.RateTable{}
	groups := map[string]string{}
	for _, x := range r.table(r.dir, file, append([]string{"tariff", "version", "effective_from", "lane_group", "class"}, rates...)...) {
		key := x.text("tariff") + "-" + x.text("version")
		m := byName[key]
		if m == nil {
			group, err := rating.ParseLaneGroup(x.text("lane_group"))
			if err != nil {
				x.fail("lane_group", "%v", err)
				continue
			}
			m = &masterdatav1.RateTable{
				Name: "rateTables/" + key, Tariff: x.text("tariff"), Version: x.number("version"), EffectiveFrom: x.date("effective_from"),
				OriginPrefixes: group.Origins, DestinationPrefixes: group.Destinations,
			}
			for _, c := range rates {
				part := breakColumn.FindStringSubmatch(c)
				low := part[2]
				if strings.Contains(c, "_lt") {
					low = "0"
				}
				m.BreakNames, m.Breaks = append(m.BreakNames, part[1]), append(m.Breaks, low)
			}
			byName[key], groups[key] = m, x.text("lane_group")+" "+x.text("effective_from")
			r.plan.add(file, key, func(ctx context.Context, c masterdatav1.MasterDataServiceClient, id string) error {
				_, err := c.UpdateRateTable(ctx, &masterdatav1.UpdateRateTableRequest{RateTable: m, AllowMissing: true, RequestId: id})
				return err
			})
			r.plan.summary.RateTables++
		}
		if groups[key] != x.text("lane_group")+" "+x.text("effective_from") {
			x.fail("lane_group", "a table has one lane group and one first day")
		}
		line := &masterdatav1.RateTable_Row{FreightClass: x.text("class")}
		for _, c := range rates {
			line.Rates = append(line.Rates, x.decimal(c))
		}
		m.Rows = append(m.Rows, line)
	}
}

var perDistance = regexp.MustCompile(`^[A-Z]{3} per mile$`)

// fuelIndexes reads one index per series, with the tables that read it.
func (r *reader) fuelIndexes() {
	const file, tables = "fuel_index.csv", "fuel_table.csv"
	bySeries := map[string]*masterdatav1.FuelIndex{}
	for _, x := range r.table(r.dir, file, "series", "published_local", "value", "effective_from_local_date", "unit", "source") {
		key := x.text("series")
		m := bySeries[key]
		if m == nil {
			m = &masterdatav1.FuelIndex{Name: "fuelIndexes/" + key, Unit: x.text("unit")}
			bySeries[key] = m
			r.plan.add(file, key, func(ctx context.Context, c masterdatav1.MasterDataServiceClient, id string) error {
				_, err := c.UpdateFuelIndex(ctx, &masterdatav1.UpdateFuelIndexRequest{FuelIndex: m, AllowMissing: true, RequestId: id})
				return err
			})
			r.plan.summary.FuelIndexes++
		}
		x.only("unit", m.GetUnit())
		m.Values = append(m.Values, &masterdatav1.FuelIndex_Value{
			PublishDate: x.date("published_local"), EffectiveDate: x.date("effective_from_local_date"), Value: x.decimal("value"),
		})
	}
	r.fuelTables, r.fuelSeries = map[string]*masterdatav1.FuelIndex_Table{}, map[string]string{}
	for _, x := range r.table(r.dir, tables, "table", "series", "low", "high", "value", "value_unit") {
		m := bySeries[x.text("series")]
		if m == nil {
			x.fail("series", "%q is not in %s", x.text("series"), file)
			continue
		}
		basis := masterdatav1.FuelIndex_Table_PER_DISTANCE
		if !perDistance.MatchString(x.text("value_unit")) {
			x.only("value_unit", "percent of net line-haul")
			basis = masterdatav1.FuelIndex_Table_PERCENT_OF_LINE_HAUL
		}
		t := r.fuelTables[x.text("table")]
		if t == nil {
			t = &masterdatav1.FuelIndex_Table{Id: x.text("table"), Basis: basis}
			r.fuelTables[t.GetId()], r.fuelSeries[t.GetId()] = t, m.GetName()
			m.Tables = append(m.Tables, t)
		}
		if t.GetBasis() != basis || r.fuelSeries[t.GetId()] != m.GetName() {
			x.fail("value_unit", "a table has one series and one unit")
		}
		t.Bands = append(t.Bands, &masterdatav1.FuelIndex_Band{Low: x.decimal("low"), High: x.decimal("high"), Value: x.decimal("value")})
	}
}

// object reads a JSON file as an object and takes out the keys that only say how the rest is meant; their text must be as
// it is here, for other words would mean other rules.
func (r *reader) object(file string, said map[string]string) map[string]json.RawMessage {
	raw, err := fs.ReadFile(r.dir, file)
	if err != nil {
		r.add(file, "", "", "%v", err)
		return nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		r.add(file, "", "", "%v", err)
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(said)) {
		var got string
		want := said[key]
		if err := json.Unmarshal(all[key], &got); err != nil || got != want {
			r.add(file, key, "", "%q is not understood, want %q", got, want)
		}
		delete(all, key)
	}
	return all
}

// strict decodes one key of a JSON file; a field that v does not have is an error.
func (r *reader) strict(file, key string, raw json.RawMessage, v any) bool {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		r.add(file, key, "", "%v", err)
		return false
	}
	return true
}

// prices reads amounts of one currency out of a key of a JSON file.
type prices struct {
	*reader
	file, key, currency string
}

func (p prices) amount(field, s string) *money.Money {
	if s == "" {
		return nil
	}
	m, err := parseMoney(s, p.currency)
	if err != nil {
		p.add(p.file, p.key, field, "%v", err)
	}
	return m
}

func (p prices) lanes(field string, flat map[string]string) map[string]*money.Money {
	if len(flat) == 0 {
		return nil
	}
	out := map[string]*money.Money{}
	for _, lane := range slices.Sorted(maps.Keys(flat)) {
		out["lanes/"+lane] = p.amount(field+"."+lane, flat[lane])
	}
	return out
}

// accessorials drops the codes that have no amount.
func (p prices) accessorials(byCode map[string]*money.Money) map[string]*money.Money {
	maps.DeleteFunc(byCode, func(_ string, m *money.Money) bool { return m == nil })
	return byCode
}

func (r *reader) contract(file, party string, m *masterdatav1.Contract) {
	key := party + "-1"
	m.Name, m.Party, m.Version, m.EffectiveFrom = "contracts/"+key, "parties/"+party, 1, seedStart()
	r.plan.add(file, key, func(ctx context.Context, c masterdatav1.MasterDataServiceClient, id string) error {
		_, err := c.UpdateContract(ctx, &masterdatav1.UpdateContractRequest{Contract: m, AllowMissing: true, RequestId: id})
		return err
	})
	r.plan.add(file, key+"/approve", func(ctx context.Context, c masterdatav1.MasterDataServiceClient, id string) error {
		_, err := c.ApproveContract(ctx, &masterdatav1.ApproveContractRequest{Name: m.GetName(), RequestId: id})
		return err
	})
	r.plan.summary.Contracts++
}

// carrierTariff is one carrier of carrier_tariffs.json.
type carrierTariff struct {
	Basis        string            `json:"basis"`
	Rate         string            `json:"rate"`
	Minimum      string            `json:"minimum"`
	Currency     string            `json:"currency"`
	Table        string            `json:"table"`
	Discount     string            `json:"discount_percent"`
	Flat         map[string]string `json:"flat"`
	Fuel         string            `json:"fuel"`
	Accessorials struct {
		Liftgate    string `json:"liftgate"`
		Residential string `json:"residential"`
	} `json:"accessorials"`
	StopOff *struct {
		From   int32  `json:"from_stop"`
		Amount string `json:"amount"`
	} `json:"stop_off"`
	Detention *struct {
		Free      int32  `json:"free_minutes"`
		Increment int32  `json:"increment_minutes"`
		Rate      string `json:"rate_per_hour"`
		Cap       string `json:"cap"`
	} `json:"detention"`
	TONU    string `json:"tonu"`
	Deficit bool   `json:"deficit_bills_actual_weight"`
}

func (r *reader) carrierTariffs() {
	const file = "carrier_tariffs.json"
	all := r.object(file, map[string]string{
		"interval_convention": "low <= x < high for weight breaks and for fuel bands; the break weight itself belongs to the upper band",
		"rounding":            "each charge once, half-up, to the minor unit; fuel is computed from the rounded net line-haul",
	})
	for _, scac := range slices.Sorted(maps.Keys(all)) {
		var t carrierTariff
		if !r.strict(file, scac, all[scac], &t) {
			continue
		}
		if p := r.partyOf[carrierID(scac)]; p == nil || !isCarrier(p) {
			r.add(file, scac, "", "no carrier %s in parties.csv", carrierID(scac))
		}
		basis, ok := map[string]masterdatav1.CarrierTariff_Basis{
			"per mile": masterdatav1.CarrierTariff_PER_DISTANCE, "per km": masterdatav1.CarrierTariff_PER_DISTANCE,
			"LTL class and weight break":   masterdatav1.CarrierTariff_LTL_CLASS,
			"flat per lane, fuel included": masterdatav1.CarrierTariff_FLAT_PER_LANE,
		}[t.Basis]
		if !ok {
			r.add(file, scac, "basis", "%q is not understood", t.Basis)
		}
		p := prices{r, file, scac, t.Currency}
		m := &masterdatav1.CarrierTariff{
			Basis: basis, Rate: t.Rate, Minimum: p.amount("minimum", t.Minimum), RateTable: t.Table, DiscountPercent: t.Discount,
			FlatByLane: p.lanes("flat", t.Flat),
			Accessorials: p.accessorials(map[string]*money.Money{
				"LFT": p.amount("liftgate", t.Accessorials.Liftgate), "RES": p.amount("residential", t.Accessorials.Residential), "TON": p.amount("tonu", t.TONU),
			}),
			DeficitBillsActualWeight: t.Deficit,
		}
		m.FuelIndex, m.FuelTable = r.fuel(file, scac, t.Fuel)
		if s := t.StopOff; s != nil {
			m.StopOff, m.StopOffFrom = p.amount("stop_off", s.Amount), s.From
		}
		if d := t.Detention; d != nil {
			m.Detention = &masterdatav1.CarrierTariff_Detention{FreeMinutes: d.Free, IncrementMinutes: d.Increment,
				RatePerHour: p.amount("detention.rate_per_hour", d.Rate), Cap: p.amount("detention.cap", d.Cap)}
		}
		r.contract(file, carrierID(scac), &masterdatav1.Contract{CurrencyCode: t.Currency, Terms: &masterdatav1.Contract_CarrierTariff{CarrierTariff: m}})
	}
}

// fuel reads "FUEL-US-TL per mile" or "FUEL-EU percent of net line-haul": a table, and what its values are.
func (r *reader) fuel(file, key, s string) (index, table string) {
	if s == "" {
		return "", ""
	}
	table, unit, _ := strings.Cut(s, " ")
	t := r.fuelTables[table]
	if t == nil {
		r.add(file, key, "fuel", "table %q is not in fuel_table.csv", table)
		return "", ""
	}
	want := "percent of net line-haul"
	if t.GetBasis() == masterdatav1.FuelIndex_Table_PER_DISTANCE {
		want = "per mile"
	}
	if unit != want {
		r.add(file, key, "fuel", "%q does not fit table %s, which is %s", unit, table, want)
	}
	return r.fuelSeries[table], table
}

// customerContract is one customer of customer_contracts.json.
type customerContract struct {
	FreightTerms  string `json:"freight_terms"`
	AutoRelease   bool   `json:"auto_release"`
	PodRequired   string `json:"pod_required"`
	BillCleanPart bool   `json:"bill_clean_part"`
	Billing       string `json:"billing"`
	LTL           *struct {
		PerCwt  string `json:"per_cwt"`
		Minimum string `json:"minimum"`
	} `json:"LTL"`
	Per100Kg  string            `json:"per_100kg"`
	Minimum   string            `json:"minimum"`
	TLFlat    map[string]string `json:"TL_flat"`
	Fuel      string            `json:"fuel_percent"`
	Detention string            `json:"detention"`
	Liftgate  string            `json:"liftgate"`
}

// tolerance is what billing lets pass of a freight bill; it is billing's to read, and known here.
const tolerance = "freight_bill_tolerance"

func (r *reader) customerContracts() {
	const file = "customer_contracts.json"
	all := r.object(file, map[string]string{"freight_weight": "the shipped gross weight, also when fewer units are accepted"})
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if id == tolerance {
			continue
		}
		var t customerContract
		if !r.strict(file, id, all[id], &t) {
			continue
		}
		party := r.partyOf[id]
		if party == nil || isCarrier(party) {
			r.add(file, id, "", "no customer %s in parties.csv", id)
			continue
		}
		terms, ok := map[string]masterdatav1.CustomerTerms_FreightTerms{
			"prepaid": masterdatav1.CustomerTerms_PREPAID, "prepaid and add": masterdatav1.CustomerTerms_PREPAID_AND_ADD, "collect": masterdatav1.CustomerTerms_COLLECT,
		}[t.FreightTerms]
		if !ok {
			r.add(file, id, "freight_terms", "%q is not understood", t.FreightTerms)
		}
		pod, ok := masterdatav1.CustomerTerms_Pod_value[t.PodRequired]
		if !ok {
			r.add(file, id, "pod_required", "%q is not understood", t.PodRequired)
		}
		if t.Billing != "per shipment" {
			r.add(file, id, "billing", "%q is not understood", t.Billing)
		}
		if t.Detention != "" && t.Detention != "not billed" { // without a price it is not billed
			r.add(file, id, "detention", "%q is not understood", t.Detention)
		}
		p := prices{r, file, id, party.GetCurrencyCode()}
		m := &masterdatav1.CustomerTerms{
			FreightTerms: terms, AutoRelease: t.AutoRelease, PodRequired: masterdatav1.CustomerTerms_Pod(pod), BillCleanPart: t.BillCleanPart,
			RatePer_100Kg: t.Per100Kg, Minimum: p.amount("minimum", t.Minimum), FlatByLane: p.lanes("TL_flat", t.TLFlat), FuelPercent: t.Fuel,
			Accessorials: p.accessorials(map[string]*money.Money{"LFT": p.amount("liftgate", t.Liftgate)}),
		}
		if l := t.LTL; l != nil {
			if m.GetMinimum() != nil {
				r.add(file, id, "minimum", "is there twice")
			}
			m.RatePerCwt, m.Minimum = l.PerCwt, p.amount("LTL.minimum", l.Minimum)
		}
		r.contract(file, id, &masterdatav1.Contract{CurrencyCode: party.GetCurrencyCode(), Terms: &masterdatav1.Contract_CustomerTerms{CustomerTerms: m}})
	}
}
