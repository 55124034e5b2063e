package rule_test

import (
	"slices"
	"testing"

	"crossdock.dev/services/masterdata/internal/rule"
)

// want is a bad field in short: "path REASON".
func short(f rule.Fields) []string {
	out := make([]string, len(f))
	for i, x := range f {
		out[i] = x.Path + " " + string(x.Reason)
	}
	return out
}

func TestRules(t *testing.T) {
	day := func(y, m, d int) rule.Date { return rule.Date{Year: y, Month: m, Day: d} }
	good := rule.Tariff{Basis: rule.LTLClass, RateTable: "CX-BASE-2026", Discount: "60", HasMinimum: true, FuelIndex: "fuelIndexes/FUEL-US", FuelTable: "FUEL-US-LTL"}
	for _, c := range []struct {
		name string
		got  rule.Fields
		want []string
	}{
		{"zone of Indiana", rule.Zone("zone", "America/Indiana/Indianapolis"), nil},
		{"zone by abbreviation of nobody", rule.Zone("zone", "Ohio"), []string{"zone MALFORMED"}},
		{"the machine's own zone", rule.Zone("zone", "Local"), []string{"zone MALFORMED"}},
		{"currency", rule.Currency("c", "EUR"), nil},
		{"no currency", rule.Currency("c", "ZZZ"), []string{"c MALFORMED"}},
		{"hours", rule.Hours("from", "08:00", "to", "17:00"), nil},
		{"hours turned round", rule.Hours("from", "17:00", "to", "08:00"), []string{"to OUT_OF_RANGE"}},
		{"no hours at all", rule.Hours("from", "29:00", "to", "17:61"), []string{"from MALFORMED", "to MALFORMED"}},
		{"30 February", rule.Dates("d", []rule.Date{day(2026, 2, 30)}), []string{"d[0] MALFORMED"}},
		{"days twice and back", rule.Dates("d", []rule.Date{day(2026, 12, 25), day(2026, 12, 25), day(2026, 1, 1)}), []string{"d[1] NOT_ASCENDING", "d[2] NOT_ASCENDING"}},
		{"percent at both ends", append(rule.Percent("p", "0"), rule.Percent("p", "100")...), nil},
		{"percent over", rule.Percent("p", "100.01"), []string{"p OUT_OF_RANGE"}},
		{"weight of nothing", rule.Positive("w", "0.0"), []string{"w OUT_OF_RANGE"}},
		{"two letters for a decimal", rule.Positive("w", "1e3"), []string{"w MALFORMED"}},
		{"twelve cents", rule.Amount("m", rule.Money{Units: 120, Nanos: 120_000_000, Currency: "USD"}, "USD"), nil},
		{"a tenth of a cent", rule.Amount("m", rule.Money{Units: 120, Nanos: 1_000_000, Currency: "USD"}, "USD"), []string{"m MALFORMED"}},
		{"less than nothing", rule.Amount("m", rule.Money{Units: -1, Currency: "USD"}, ""), []string{"m OUT_OF_RANGE"}},
		{"euros in dollars", rule.Amount("m", rule.Money{Units: 1, Currency: "EUR"}, "USD"), []string{"m.currency_code NOT_ALLOWED"}},
		{"a pole", rule.Coordinates("90", "-180"), nil},
		{"beyond the pole", rule.Coordinates("90.1", "-180.1"), []string{"latitude OUT_OF_RANGE", "longitude OUT_OF_RANGE"}},
		{"half a place", rule.Coordinates("41.38", ""), []string{"latitude MISSING"}},

		{"carrier without facts", rule.Party{Carrier: true}.Check(), []string{"carrier MISSING"}},
		{"customer with carrier facts", rule.Party{Customer: true, HasProfile: true, TaxRule: "x"}.Check(), []string{"carrier NOT_ALLOWED"}},
		{"carrier with a tax rule", rule.Party{Carrier: true, HasProfile: true, TaxRule: "x"}.Check(), []string{"tax_rule NOT_ALLOWED"}},
		{"a charge without window", rule.TONU(true, 0), []string{"tonu_window_hours MISSING"}},
		{"a window without charge", rule.TONU(false, 24), []string{"tonu_window_hours NOT_ALLOWED"}},

		{"the day's table", rule.RateTable([]string{"0", "500", "1000"}, []string{"L5C", "M5C", "M1M"},
			[]rule.Row{{"70", []string{"52.00", "40.00", "31.00"}}, {"92.5", []string{"67.00", "52.00", "40.00"}}}), nil},
		{"breaks not from 0 and back", rule.RateTable([]string{"500", "500", "100"}, nil, []rule.Row{{"70", []string{"1", "1", "1"}}}),
			[]string{"breaks[1] NOT_ASCENDING", "breaks[2] NOT_ASCENDING", "breaks[0] OUT_OF_RANGE"}},
		{"a rate too few, a class twice, a rate of nothing", rule.RateTable([]string{"0", "500"}, []string{"L5C"},
			[]rule.Row{{"70", []string{"1"}}, {"70", []string{"1", "0"}}}),
			[]string{"break_names COUNT_MISMATCH", "rows[0].rates COUNT_MISMATCH", "rows[1].freight_class DUPLICATE", "rows[1].rates[1] OUT_OF_RANGE"}},
		{"the day's bands", rule.Bands("b", []rule.Band{{"3.90", "4.00", "28.0"}, {"4.00", "4.05", "29.5"}}), nil},
		{"a gap between bands", rule.Bands("b", []rule.Band{{"3.90", "4.00", "28.0"}, {"4.10", "4.15", "30.5"}}), nil},
		{"bands overlap", rule.Bands("b", []rule.Band{{"3.90", "4.00", "28.0"}, {"3.99", "4.05", "29.5"}}), []string{"b[1].low NOT_ASCENDING"}},
		{"an empty band", rule.Bands("b", []rule.Band{{"4.00", "4.00", "28.0"}}), []string{"b[0].high NOT_ASCENDING"}},
		{"published Monday, in force Wednesday", rule.Publications([]rule.Publication{{day(2026, 2, 23), day(2026, 2, 25)}, {day(2026, 3, 2), day(2026, 3, 4)}}), nil},
		{"in force before it was published, and oldest last", rule.Publications([]rule.Publication{{day(2026, 3, 2), day(2026, 3, 1)}, {day(2026, 2, 23), day(2026, 2, 25)}}),
			[]string{"values[1].publish_date NOT_ASCENDING", "values[1].effective_date NOT_ASCENDING", "values[0].effective_date OUT_OF_RANGE"}},
		{"ranks in any order", rule.Ranks("r", []int32{2, 1}), nil},
		{"ranks with a gap and a repeat", rule.Ranks("r", []int32{1, 3, 1, 5}), []string{"r[2].rank DUPLICATE", "r[3].rank OUT_OF_RANGE"}},

		{"LTL", good.Check(), nil},
		{"per mile", rule.Tariff{Basis: rule.PerDistance, Rate: "2.15", HasMinimum: true}.Check(), nil},
		{"flat", rule.Tariff{Basis: rule.FlatPerLane, FlatLanes: 6, HasStopOff: true, StopOffFrom: 3}.Check(), nil},
		{"per mile with the fields of the others", rule.Tariff{Basis: rule.PerDistance, RateTable: "t", Discount: "60", FlatLanes: 1, DeficitOnActualWeight: true}.Check(),
			[]string{"rate MISSING", "rate_table NOT_ALLOWED", "discount_percent NOT_ALLOWED", "deficit_bills_actual_weight NOT_ALLOWED", "flat_by_lane NOT_ALLOWED"}},
		{"LTL without table, discount over 100", rule.Tariff{Basis: rule.LTLClass, Discount: "101"}.Check(), []string{"rate_table MISSING", "discount_percent OUT_OF_RANGE"}},
		{"flat with a minimum", rule.Tariff{Basis: rule.FlatPerLane, FlatLanes: 1, HasMinimum: true}.Check(), []string{"minimum NOT_ALLOWED"}},
		{"fuel and stops by half", rule.Tariff{Basis: rule.FlatPerLane, FlatLanes: 1, FuelIndex: "x", StopOffFrom: 3}.Check(), []string{"fuel_table MISSING", "stop_off_from NOT_ALLOWED"}},

		{"prepaid and add by weight", rule.Terms{AddsFreight: true, PerCwt: "14.50", HasMinimum: true, Fuel: "12"}.Check(), nil},
		{"collect", rule.Terms{}.Check(), nil},
		{"collect with prices", rule.Terms{PerCwt: "1", FlatLanes: 1, Fuel: "12", AccessorialsCount: 1}.Check(),
			[]string{"rate_per_cwt NOT_ALLOWED", "flat_by_lane NOT_ALLOWED", "fuel_percent NOT_ALLOWED", "accessorials NOT_ALLOWED"}},
		{"freight is billed and nothing prices it", rule.Terms{AddsFreight: true, HasMinimum: true}.Check(), []string{"rate_per_cwt MISSING", "minimum NOT_ALLOWED"}},
		{"by pound and by kilogram", rule.Terms{AddsFreight: true, PerCwt: "1", Per100Kg: "1"}.Check(), []string{"rate_per_100kg NOT_ALLOWED"}},
		{"a carton", rule.Dimensions([]string{"12", "8", "8"}, "INH"), nil},
		{"a carton without depth", rule.Dimensions([]string{"12", "8"}, "INH"), []string{"carton_dimensions COUNT_MISMATCH"}},
		{"lengths without unit", rule.Dimensions([]string{"12", "8", "0"}, ""), []string{"dimension_unit MISSING", "carton_dimensions[2] OUT_OF_RANGE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := short(c.got); !slices.Equal(got, c.want) {
				t.Errorf("bad fields = %q, want %q", got, c.want)
			}
		})
	}
}

func TestFieldsAsError(t *testing.T) {
	var none rule.Fields
	if err := none.Err(); err != nil {
		t.Errorf("no bad field is the error %v, want nil", err)
	}
	if got, want := rule.Zone("zone", "Ohio").Under("location").Error(), `location.zone: "Ohio" is no zone of the IANA database (MALFORMED)`; got != want {
		t.Errorf("error = %q, want %q", got, want)
	}
}
