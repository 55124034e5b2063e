package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/money"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/services/masterdata/internal/resource"
	"crossdock.dev/services/masterdata/internal/rule"
)

func checkLegalEntity(c *checker, m *masterdatav1.LegalEntity) {
	c.add(rule.Currency("currency_code", m.GetCurrencyCode()))
	if m.GetZone() != "" {
		c.add(rule.Zone("zone", m.GetZone()))
	}
	c.find("ship_from", m.GetShipFrom())
}

func checkParty(c *checker, m *masterdatav1.Party) {
	c.add(rule.Party{
		Customer:   hasRole(m, masterdatav1.Party_CUSTOMER),
		Carrier:    hasRole(m, masterdatav1.Party_CARRIER),
		HasProfile: m.GetCarrier() != nil,
		TaxRule:    m.GetTaxRule(),
	}.Check())
	c.add(rule.Distinct("roles", m.GetRoles()))
	c.add(rule.Currency("currency_code", m.GetCurrencyCode()))
	c.find("legal_entity", m.GetLegalEntity())
	c.find("tax_rule", m.GetTaxRule())
	if p := m.GetCarrier(); p != nil {
		c.find("carrier.tender_calendar", p.GetTenderCalendar())
		c.add(rule.Distinct("modes", p.GetModes()).Under("carrier"))
		c.add(rule.TONU(p.GetTonuCharge() != nil, p.GetTonuWindowHours()).Under("carrier"))
		c.amount("carrier.tonu_charge", p.GetTonuCharge(), m.GetCurrencyCode())
	}
}

// keepParty keeps roles: guides and contracts rely on them.
func keepParty(old, now *masterdatav1.Party) rule.Fields {
	var bad rule.Fields
	for _, r := range old.GetRoles() {
		if !hasRole(now, r) {
			bad.Add("roles", rule.Fixed, "%s stays a %s", old.GetName(), r)
		}
	}
	return bad
}

func checkLocation(c *checker, m *masterdatav1.Location) {
	c.find("owner", m.GetOwner())
	c.add(rule.Zone("zone", m.GetZone()))
	c.add(rule.Distinct("open_weekdays", m.GetOpenWeekdays()))
	c.add(rule.Hours("open_from", m.GetOpenFrom(), "open_to", m.GetOpenTo()))
	c.add(rule.Distinct("flags", m.GetFlags()))
	for i, f := range m.GetFlags() {
		c.add(rule.OneOf(fmt.Sprintf("flags[%d]", i), f, "dock", "liftgate", "residential"))
	}
	c.find("shipping_calendar", m.GetShippingCalendar())
	c.add(rule.TimeOfDay("cut_off", m.GetCutOff()))
	c.add(rule.Coordinates(m.GetLatitude(), m.GetLongitude()))
}

func checkItem(c *checker, m *masterdatav1.Item) {
	c.add(rule.Positive("gross_weight.value", m.GetGrossWeight().GetValue()))
	c.add(rule.OneOf("gross_weight.unit", m.GetGrossWeight().GetUnit(), "LBR", "KGM"))
	c.add(rule.Dimensions(m.GetCartonDimensions(), m.GetDimensionUnit()))
	c.day("valid_from", m.GetValidFrom())
}

func checkCalendar(c *checker, m *masterdatav1.Calendar) {
	c.add(rule.Zone("zone", m.GetZone()))
	c.add(rule.Distinct("working_weekdays", m.GetWorkingWeekdays()))
	c.add(rule.Hours("work_from", m.GetWorkFrom(), "work_to", m.GetWorkTo()))
	days := make([]rule.Date, len(m.GetHolidays()))
	for i, d := range m.GetHolidays() {
		days[i] = dateOf(d)
	}
	c.add(rule.Dates("holidays", days))
}

func checkLane(c *checker, m *masterdatav1.Lane) {
	c.find("origin", m.GetOrigin())
	c.find("destination", m.GetDestination())
	c.add(rule.Positive("distance.value", m.GetDistance().GetValue()))
	c.add(rule.OneOf("distance.unit", m.GetDistance().GetUnit(), "SMI", "KMT"))
	for _, mode := range slices.Sorted(maps.Keys(m.GetTransitDays())) {
		at := fmt.Sprintf("transit_days[%q]", mode)
		c.add(rule.OneOf(at, mode, "TL", "LTL"))
		if days := m.GetTransitDays()[mode]; days < 0 || days > 60 {
			c.bad.Add(at, rule.OutOfRange, "%d working days are not from 0 to 60", days)
		}
	}
}

func checkRoutingGuide(c *checker, m *masterdatav1.RoutingGuide) {
	c.find("lane", m.GetLane())
	c.add(rule.OneOf("mode", m.GetMode(), "TL", "LTL"))
	ranks, carriers := make([]int32, len(m.GetChoices())), make([]string, len(m.GetChoices()))
	for i, ch := range m.GetChoices() {
		ranks[i], carriers[i] = ch.GetRank(), ch.GetCarrier()
		at := fmt.Sprintf("choices[%d].carrier", i)
		c.party(at, ch.GetCarrier(), masterdatav1.Party_CARRIER)
		if slices.Contains(carriers[:i], ch.GetCarrier()) {
			c.bad.Add(at, rule.Duplicate, "%s is there already", ch.GetCarrier())
		}
	}
	c.add(rule.Ranks("choices", ranks))
}

func checkRateTable(c *checker, m *masterdatav1.RateTable) {
	rows := make([]rule.Row, len(m.GetRows()))
	for i, r := range m.GetRows() {
		rows[i] = rule.Row{Class: r.GetFreightClass(), Rates: r.GetRates()}
	}
	c.add(rule.RateTable(m.GetBreaks(), m.GetBreakNames(), rows))
	if m.GetTariff() == "" {
		c.bad.Add("tariff", rule.Missing, "a table belongs to a tariff")
	}
	if m.GetEffectiveFrom() == nil {
		c.bad.Add("effective_from", rule.Missing, "a table needs its first day")
	}
	c.day("effective_from", m.GetEffectiveFrom())
	for _, list := range []struct {
		path     string
		prefixes []string
	}{{"origin_prefixes", m.GetOriginPrefixes()}, {"destination_prefixes", m.GetDestinationPrefixes()}} {
		c.add(rule.Distinct(list.path, list.prefixes))
		for i, p := range list.prefixes {
			if _, err := strconv.ParseUint(p, 10, 16); err != nil || len(p) != 3 {
				c.bad.Add(fmt.Sprintf("%s[%d]", list.path, i), rule.Malformed, "%q is no prefix of three digits", p)
			}
		}
	}
}

// keepRateTable keeps the tariff: contracts find the table by it.
func keepRateTable(old, now *masterdatav1.RateTable) rule.Fields {
	var bad rule.Fields
	if old.GetTariff() != now.GetTariff() {
		bad.Add("tariff", rule.Fixed, "%s stays with tariff %s", old.GetName(), old.GetTariff())
	}
	return bad
}

func checkFuelIndex(c *checker, m *masterdatav1.FuelIndex) {
	values := make([]rule.Publication, len(m.GetValues()))
	for i, v := range m.GetValues() {
		values[i] = rule.Publication{Published: dateOf(v.GetPublishDate()), Effective: dateOf(v.GetEffectiveDate())}
		c.add(rule.Positive(fmt.Sprintf("values[%d].value", i), v.GetValue()))
	}
	c.add(rule.Publications(values))
	for i, t := range m.GetTables() {
		if slices.Contains(tableIDs(m)[:i], t.GetId()) {
			c.bad.Add(fmt.Sprintf("tables[%d].id", i), rule.Duplicate, "%s is there already", t.GetId())
		}
		bands := make([]rule.Band, len(t.GetBands()))
		for j, b := range t.GetBands() {
			bands[j] = rule.Band{Low: b.GetLow(), High: b.GetHigh(), Value: b.GetValue()}
		}
		c.add(rule.Bands(fmt.Sprintf("tables[%d].bands", i), bands))
	}
}

// keepFuelIndex keeps tables: contracts name them.
func keepFuelIndex(old, now *masterdatav1.FuelIndex) rule.Fields {
	var bad rule.Fields
	for _, id := range tableIDs(old) {
		if !slices.Contains(tableIDs(now), id) {
			bad.Add("tables", rule.Fixed, "table %s stays: contracts may name it", id)
		}
	}
	return bad
}

func checkTaxRule(c *checker, m *masterdatav1.TaxRule) {
	c.add(rule.Percent("rate_percent", m.GetRatePercent()))
}

func checkContract(c *checker, m *masterdatav1.Contract) {
	c.day("effective_from", m.GetEffectiveFrom())
	c.add(rule.Currency("currency_code", m.GetCurrencyCode()))
	switch {
	case m.GetCarrierTariff() != nil:
		c.party("party", m.GetParty(), masterdatav1.Party_CARRIER)
		checkTariff(c, m.GetCarrierTariff(), m.GetCurrencyCode())
	case m.GetCustomerTerms() != nil:
		c.party("party", m.GetParty(), masterdatav1.Party_CUSTOMER)
		checkTerms(c, m.GetCustomerTerms(), m.GetCurrencyCode())
	}
}

func checkTariff(c *checker, t *masterdatav1.CarrierTariff, currency string) {
	const at = "carrier_tariff"
	basis := map[masterdatav1.CarrierTariff_Basis]rule.Basis{
		masterdatav1.CarrierTariff_PER_DISTANCE:  rule.PerDistance,
		masterdatav1.CarrierTariff_LTL_CLASS:     rule.LTLClass,
		masterdatav1.CarrierTariff_FLAT_PER_LANE: rule.FlatPerLane,
	}[t.GetBasis()]
	c.add(rule.Tariff{
		Basis: basis, Rate: t.GetRate(), Discount: t.GetDiscountPercent(), RateTable: t.GetRateTable(),
		HasMinimum: t.GetMinimum() != nil, FlatLanes: len(t.GetFlatByLane()),
		FuelIndex: t.GetFuelIndex(), FuelTable: t.GetFuelTable(),
		HasStopOff: t.GetStopOff() != nil, StopOffFrom: t.GetStopOffFrom(),
		DeficitOnActualWeight: t.GetDeficitBillsActualWeight(),
	}.Check().Under(at))
	c.amount(at+".minimum", t.GetMinimum(), currency)
	c.amount(at+".stop_off", t.GetStopOff(), currency)
	c.lanes(at+".flat_by_lane", t.GetFlatByLane(), currency)
	c.accessorials(at+".accessorials", t.GetAccessorials(), currency)
	if d := t.GetDetention(); d != nil {
		if d.GetRatePerHour() == nil {
			c.bad.Add(at+".detention.rate_per_hour", rule.Missing, "detention needs its rate")
		}
		c.amount(at+".detention.rate_per_hour", d.GetRatePerHour(), currency)
		c.amount(at+".detention.cap", d.GetCap(), currency)
	}
	if f, ok := c.find(at+".fuel_index", t.GetFuelIndex()).(*masterdatav1.FuelIndex); ok && t.GetFuelTable() != "" && !slices.Contains(tableIDs(f), t.GetFuelTable()) {
		c.bad.Add(at+".fuel_table", rule.UnknownReference, "%s has no table %s", t.GetFuelIndex(), t.GetFuelTable())
	}
	if t.GetRateTable() != "" && c.err == nil {
		known, err := c.look.HasKey(c.ctx, rateTableKey, t.GetRateTable())
		if err != nil {
			c.err = err
		} else if !known {
			c.bad.Add(at+".rate_table", rule.UnknownReference, "tariff %s has no table", t.GetRateTable())
		}
	}
}

func checkTerms(c *checker, t *masterdatav1.CustomerTerms, currency string) {
	const at = "customer_terms"
	c.add(rule.Terms{
		AddsFreight: t.GetFreightTerms() == masterdatav1.CustomerTerms_PREPAID_AND_ADD,
		PerCwt:      t.GetRatePerCwt(), Per100Kg: t.GetRatePer_100Kg(),
		HasMinimum: t.GetMinimum() != nil, FlatLanes: len(t.GetFlatByLane()),
		Fuel: t.GetFuelPercent(), AccessorialsCount: len(t.GetAccessorials()),
	}.Check().Under(at))
	c.amount(at+".minimum", t.GetMinimum(), currency)
	c.lanes(at+".flat_by_lane", t.GetFlatByLane(), currency)
	c.accessorials(at+".accessorials", t.GetAccessorials(), currency)
}

func checkCodeMap(c *checker, m *masterdatav1.CodeMap) {
	c.find("party", m.GetParty())
	if m.GetValidFrom() == nil {
		c.bad.Add("valid_from", rule.Missing, "a code needs its first day")
	}
	c.day("valid_from", m.GetValidFrom())
}

// amount checks an amount that may be absent.
func (c *checker) amount(path string, m *money.Money, currency string) {
	if m != nil {
		c.add(rule.Amount(path, rule.Money{Units: m.GetUnits(), Nanos: m.GetNanos(), Currency: m.GetCurrencyCode()}, currency))
	}
}

func (c *checker) lanes(path string, flat map[string]*money.Money, currency string) {
	for _, lane := range slices.Sorted(maps.Keys(flat)) {
		at := fmt.Sprintf("%s[%q]", path, lane)
		if m := c.find(at, lane); m != nil {
			if _, ok := m.(*masterdatav1.Lane); !ok {
				c.bad.Add(at, rule.UnknownReference, "%s is no lane", lane)
			}
		}
		c.amount(at, flat[lane], currency)
	}
}

// accessorials wants the codes that rating knows by name: liftgate, residential, truck ordered and not used.
func (c *checker) accessorials(path string, amounts map[string]*money.Money, currency string) {
	for _, code := range slices.Sorted(maps.Keys(amounts)) {
		at := fmt.Sprintf("%s[%q]", path, code)
		c.add(rule.OneOf(at, code, "LFT", "RES", "TON"))
		c.amount(at, amounts[code], currency)
	}
}

// day checks a day that may be absent.
func (c *checker) day(path string, d *date.Date) {
	if d != nil {
		_, bad := dateOf(d).On(path)
		c.add(bad)
	}
}

func hasRole(m *masterdatav1.Party, role masterdatav1.Party_Role) bool {
	return slices.Contains(m.GetRoles(), role)
}

func tableIDs(m *masterdatav1.FuelIndex) []string {
	ids := make([]string, len(m.GetTables()))
	for i, t := range m.GetTables() {
		ids[i] = t.GetId()
	}
	return ids
}

// externalKeys makes a key of each name in another system: it belongs to one party, location or item.
func externalKeys(ids []*typev1.ExternalId) []resource.Key {
	out := make([]resource.Key, len(ids))
	for i, id := range ids {
		out[i] = resource.Key{Path: fmt.Sprintf("external_ids[%d]", i),
			Parts: []string{"external_id", id.GetSystem(), id.GetKind(), id.GetQualifier(), id.GetValue()}}
	}
	return out
}

func dateOf(d *date.Date) rule.Date {
	return rule.Date{Year: int(d.GetYear()), Month: int(d.GetMonth()), Day: int(d.GetDay())}
}

func number(n int32) string { return strconv.FormatInt(int64(n), 10) }

// names drops the empty ones.
func names(all ...string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}
