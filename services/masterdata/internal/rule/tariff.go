package rule

import (
	"fmt"

	"crossdock.dev/kernel/decimal"
)

// Row is the rates of one freight class.
type Row struct {
	Class string
	Rates []string
}

// RateTable wants breaks that ascend from 0, a name for each break or none at all, each class once and one rate per break.
func RateTable(breaks, names []string, rows []Row) Fields {
	f := ascending("breaks", breaks)
	if len(breaks) > 0 {
		if d, err := decimal.Parse(breaks[0]); err == nil && !d.IsZero() {
			f.Add("breaks[0]", OutOfRange, "breaks begin at 0, not at %s", breaks[0])
		}
	}
	if len(names) != 0 && len(names) != len(breaks) {
		f.Add("break_names", CountMismatch, "%d names for %d breaks", len(names), len(breaks))
	}
	f = append(f, Distinct("break_names", names)...)
	seen := map[string]bool{}
	for i, r := range rows {
		if seen[r.Class] {
			f.Add(fmt.Sprintf("rows[%d].freight_class", i), Duplicate, "class %s is there already", r.Class)
		}
		seen[r.Class] = true
		if len(r.Rates) != len(breaks) {
			f.Add(fmt.Sprintf("rows[%d].rates", i), CountMismatch, "%d rates for %d breaks", len(r.Rates), len(breaks))
		}
		for j, rate := range r.Rates {
			f = append(f, Positive(fmt.Sprintf("rows[%d].rates[%d]", i, j), rate)...)
		}
	}
	return f
}

func ascending(path string, numbers []string) Fields {
	var f Fields
	var last *decimal.Decimal
	for i, s := range numbers {
		at := fmt.Sprintf("%s[%d]", path, i)
		d, err := decimal.Parse(s)
		if err != nil {
			f.Add(at, Malformed, "%q is no decimal", s)
			continue
		}
		if last != nil && !last.Less(d) {
			f.Add(at, NotAscending, "%s is not above %s", s, last)
		}
		last = &d
	}
	return f
}

// Band is one step of a fuel table, low <= price < high.
type Band struct{ Low, High, Value string }

// Bands wants each band not empty, ascending and without overlap. A gap is allowed: a price in it has no surcharge on file,
// and rating says so.
func Bands(path string, bands []Band) Fields {
	var f Fields
	var end *decimal.Decimal
	for i, b := range bands {
		at := fmt.Sprintf("%s[%d]", path, i)
		low, err := decimal.Parse(b.Low)
		high, err2 := decimal.Parse(b.High)
		if err != nil || err2 != nil {
			f.Add(at, Malformed, "%q to %q are no decimals", b.Low, b.High)
			continue
		}
		if !low.Less(high) {
			f.Add(at+".high", NotAscending, "%s is not above %s", b.High, b.Low)
		}
		if end != nil && low.Less(*end) {
			f.Add(at+".low", NotAscending, "%s is below %s, where the band before ends", b.Low, end)
		}
		end = &high
	}
	return f
}

// Publication is one published value of a fuel index.
type Publication struct{ Published, Effective Date }

// Publications wants values oldest first, none in force before it was published.
func Publications(values []Publication) Fields {
	var f Fields
	published, effective := make([]Date, len(values)), make([]Date, len(values))
	for i, v := range values {
		published[i], effective[i] = v.Published, v.Effective
	}
	// Paths are those of the elements' own fields.
	for i, bad := range []Fields{Dates("publish_date", published), Dates("effective_date", effective)} {
		for _, b := range bad {
			name := []string{"publish_date", "effective_date"}[i]
			b.Path = "values" + b.Path[len(name):] + "." + name
			f = append(f, b)
		}
	}
	for i, v := range values {
		p, bad := v.Published.On("")
		e, bad2 := v.Effective.On("")
		if len(bad)+len(bad2) == 0 && e.Before(p) {
			f.Add(fmt.Sprintf("values[%d].effective_date", i), OutOfRange, "in force on %s, before its publication on %s", e, p)
		}
	}
	return f
}

// Ranks wants the ranks 1, 2, 3 ... without gap or repeat, in any order.
func Ranks(path string, ranks []int32) Fields {
	var f Fields
	seen := map[int32]bool{}
	for i, r := range ranks {
		at := fmt.Sprintf("%s[%d].rank", path, i)
		switch {
		case r < 1 || int(r) > len(ranks):
			f.Add(at, OutOfRange, "rank %d of %d: ranks count from 1 without a gap", r, len(ranks))
		case seen[r]:
			f.Add(at, Duplicate, "rank %d is there already", r)
		}
		seen[r] = true
	}
	return f
}

// Basis says how a line-haul is made.
type Basis int

// The bases.
const (
	PerDistance Basis = iota + 1
	LTLClass
	FlatPerLane
)

func (b Basis) String() string {
	return map[Basis]string{PerDistance: "PER_DISTANCE", LTLClass: "LTL_CLASS", FlatPerLane: "FLAT_PER_LANE"}[b]
}

// Tariff is which fields of a carrier's tariff are filled in.
type Tariff struct {
	Basis                 Basis
	Rate, Discount        string
	RateTable             string
	HasMinimum            bool
	FlatLanes             int
	FuelIndex, FuelTable  string
	HasStopOff            bool
	StopOffFrom           int32
	DeficitOnActualWeight bool
}

// Check wants the fields of the basis and no others, a fuel table where there is a fuel index, and a stop where there is a
// price for stops.
func (t Tariff) Check() Fields {
	var f Fields
	for _, x := range []struct {
		path string
		set  bool
		need map[Basis]bool // true: must be there; false: may be; absent: must not
	}{
		{"rate", t.Rate != "", map[Basis]bool{PerDistance: true}},
		{"rate_table", t.RateTable != "", map[Basis]bool{LTLClass: true}},
		{"discount_percent", t.Discount != "", map[Basis]bool{LTLClass: false}},
		{"deficit_bills_actual_weight", t.DeficitOnActualWeight, map[Basis]bool{LTLClass: false}},
		{"flat_by_lane", t.FlatLanes > 0, map[Basis]bool{FlatPerLane: true}},
		{"minimum", t.HasMinimum, map[Basis]bool{PerDistance: false, LTLClass: false}},
	} {
		need, allowed := x.need[t.Basis]
		switch {
		case x.set && !allowed:
			f.Add(x.path, NotAllowed, "has no place in a tariff by %s", t.Basis)
		case !x.set && need:
			f.Add(x.path, Missing, "a tariff by %s needs it", t.Basis)
		}
	}
	f = append(f, Percent("discount_percent", t.Discount)...)
	if t.Rate != "" {
		f = append(f, Positive("rate", t.Rate)...)
	}
	switch {
	case t.FuelIndex != "" && t.FuelTable == "":
		f.Add("fuel_table", Missing, "a fuel index needs the table that reads it")
	case t.FuelIndex == "" && t.FuelTable != "":
		f.Add("fuel_table", NotAllowed, "there is no fuel index")
	}
	switch {
	case t.HasStopOff && t.StopOffFrom < 2:
		f.Add("stop_off_from", OutOfRange, "stop %d: a load has one pick-up, so extra stops begin at 2", t.StopOffFrom)
	case !t.HasStopOff && t.StopOffFrom != 0:
		f.Add("stop_off_from", NotAllowed, "there is no amount per stop")
	}
	return f
}

// Terms is which fields of a customer's terms are filled in.
type Terms struct {
	AddsFreight       bool // PREPAID_AND_ADD
	PerCwt, Per100Kg  string
	HasMinimum        bool
	FlatLanes         int
	Fuel              string
	AccessorialsCount int
}

// Check wants a price of freight exactly where freight is added to the bill, and at most one price by weight.
func (t Terms) Check() Fields {
	var f Fields
	if t.PerCwt != "" && t.Per100Kg != "" {
		f.Add("rate_per_100kg", NotAllowed, "freight is priced by hundredweight already")
	}
	byWeight := t.PerCwt != "" || t.Per100Kg != ""
	for _, x := range []struct {
		path string
		set  bool
	}{
		{"rate_per_cwt", t.PerCwt != ""},
		{"rate_per_100kg", t.Per100Kg != ""},
		{"flat_by_lane", t.FlatLanes > 0},
		{"fuel_percent", t.Fuel != ""},
		{"accessorials", t.AccessorialsCount > 0},
	} {
		if x.set && !t.AddsFreight {
			f.Add(x.path, NotAllowed, "freight is not billed under these terms")
		}
	}
	if t.AddsFreight && !byWeight && t.FlatLanes == 0 {
		f.Add("rate_per_cwt", Missing, "freight is billed, but nothing prices it")
	}
	if t.HasMinimum && !byWeight {
		f.Add("minimum", NotAllowed, "there is no price by weight that it could be the least of")
	}
	if t.PerCwt != "" {
		f = append(f, Positive("rate_per_cwt", t.PerCwt)...)
	}
	if t.Per100Kg != "" {
		f = append(f, Positive("rate_per_100kg", t.Per100Kg)...)
	}
	return append(f, Percent("fuel_percent", t.Fuel)...)
}

// Dimensions wants length, width and height above zero with their unit, or neither.
func Dimensions(lengths []string, unit string) Fields {
	var f Fields
	switch {
	case len(lengths) != 0 && len(lengths) != 3:
		f.Add("carton_dimensions", CountMismatch, "%d lengths, want length, width and height", len(lengths))
	case len(lengths) == 3 && unit == "":
		f.Add("dimension_unit", Missing, "lengths need their unit")
	case len(lengths) == 0 && unit != "":
		f.Add("dimension_unit", NotAllowed, "there are no lengths")
	}
	for i, s := range lengths {
		f = append(f, Positive(fmt.Sprintf("carton_dimensions[%d]", i), s)...)
	}
	return f
}
