// Package tariff is what carriers bill by: a file for each carrier, and their own arithmetic. It knows nothing of what the suite
// rated, offered or accrued. Amounts are exact; each charge is rounded once, half up, to the cent.
package tariff

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
)

//go:embed *.json
var files embed.FS

// Tariff is one carrier's price list. Amounts and rates are decimal strings in its currency.
type Tariff struct {
	Currency string `json:"currency"`
	// Distance prices a truckload by the way driven, stop by stop.
	Distance *struct {
		Rate    string            `json:"rate"`
		Minimum string            `json:"minimum"`
		Basis   string            `json:"basis"` // as printed: PM per mile, FR as one amount
		Table   map[string]string `json:"table"` // "COLUMBUS>CHICAGO"
	} `json:"distance"`
	// Flat prices a truckload by its last city, fuel included.
	Flat map[string]string `json:"flat"`
	// LTL prices hundredweights by class and weight break.
	LTL *struct {
		Discount string              `json:"discount"` // percent
		Minimum  string              `json:"minimum"`
		Breaks   []string            `json:"breaks"` // where each begins, pounds
		Rates    map[string][]string `json:"rates"`  // by class, for each break
	} `json:"ltl"`
	// Fuel is in percent of the net line-haul (PW) or for each mile (PM), from a day on.
	Fuel *struct {
		Basis string            `json:"basis"`
		From  map[string]string `json:"from"`
	} `json:"fuel"`
	StopOff   string `json:"stop_off"` // for each stop from the third on
	Detention *struct {
		Free      int    `json:"free_minutes"`
		Increment int    `json:"increment_minutes"`
		PerHour   string `json:"per_hour"`
		Cap       string `json:"cap"`
	} `json:"detention"`
	NotUsed      string            `json:"not_used"` // truck ordered and not used
	Accessorials map[string]string `json:"accessorials"`
}

// Of reads a carrier's price list.
func Of(scac string) (Tariff, error) {
	var t Tariff
	raw, err := files.ReadFile(scac + ".json")
	if err != nil {
		return t, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return t, fmt.Errorf("tariff of %s: %w", scac, err)
	}
	return t, nil
}

// Freight is what was carried.
type Freight struct {
	Shipped string            // local day of the pick-up, "2026-03-03"
	Cities  []string          // of the stops, in order
	Weight  map[string]string // pounds by class, as weighed on the carrier's dock; LTL alone
	Dwell   int               // minutes at the last stop, from arrival to departure; 0 when the departure was not told
	NotUsed bool
	Extra   []string          // accessorials that were done, such as "LFT"
	Rates   map[string]string // rates that stand in the bill instead of the tariff's, by charge
}

// Line is one charge of a bill.
type Line struct {
	Code  string // X12 data element 150
	Text  string
	Rate  string
	Basis string // X12 data element 122
	Cents int64
}

// Total adds lines up, in cents.
func Total(lines []Line) int64 {
	var sum int64
	for _, l := range lines {
		sum += l.Cents
	}
	return sum
}

// Bill prices freight. A number that is none, a city that the carrier does not serve or a class that it has no rate for is an
// error.
func (t Tariff) Bill(f Freight) ([]Line, error) {
	c := &sums{}
	lines := t.bill(c, f)
	return lines, c.err
}

func (t Tariff) bill(c *sums, f Freight) (lines []Line) {
	if f.NotUsed {
		return []Line{{"TON", "TRUCK ORDERED NOT USED", t.NotUsed, "FR", c.cents(c.number(t.NotUsed))}}
	}
	if len(f.Cities) < 2 {
		c.fail("%d stops are no way", len(f.Cities))
		return nil
	}
	var net, way *big.Rat
	switch {
	case t.LTL != nil:
		lines, net = t.ltl(c, f)
	case t.Flat != nil:
		last := strings.ToUpper(f.Cities[len(f.Cities)-1])
		net = c.number(t.Flat[last])
		lines = []Line{{"LHS", "LINE-HAUL", t.Flat[last], "FR", c.cents(net)}}
	case t.Distance != nil:
		way = t.way(c, f.Cities)
		rate, basis := instead(f, "LHS", t.Distance.Rate), t.Distance.Basis
		net = c.round(new(big.Rat).Mul(way, c.number(rate)))
		if minimum := c.number(t.Distance.Minimum); net.Cmp(minimum) < 0 {
			net, basis = minimum, "FR"
		}
		if basis == "FR" {
			rate = net.FloatString(2)
		}
		lines = []Line{{"LHS", "LINE-HAUL", rate, basis, c.cents(net)}}
	}
	if t.Fuel != nil {
		lines = append(lines, t.fuel(c, f, net, way))
	}
	for range len(f.Cities) - 2 {
		lines = append(lines, Line{"SOC", "STOP-OFF", t.StopOff, "FR", c.cents(c.number(t.StopOff))})
	}
	if d := t.Detention; d != nil && f.Dwell > d.Free {
		started := (f.Dwell - d.Free + d.Increment - 1) / d.Increment
		owed := new(big.Rat).Mul(c.number(d.PerHour), big.NewRat(int64(started*d.Increment), 60))
		if limit := c.number(d.Cap); owed.Cmp(limit) > 0 {
			owed = limit
		}
		lines = append(lines, Line{"DET", "DETENTION", owed.FloatString(2), "FR", c.cents(owed)})
	}
	for _, code := range f.Extra {
		amount := t.Accessorials[code]
		lines = append(lines, Line{code, "ACCESSORIAL", amount, "FR", c.cents(c.number(amount))})
	}
	return lines
}

// ltl tries the break of the weight and every heavier one, with the missing weight at the lowest rate present, and takes the
// cheapest.
func (t Tariff) ltl(c *sums, f Freight) ([]Line, *big.Rat) {
	total := new(big.Rat)
	for _, w := range f.Weight {
		total.Add(total, c.number(w))
	}
	first := 0
	for i, from := range t.LTL.Breaks {
		if total.Cmp(c.number(from)) >= 0 {
			first = i
		}
	}
	gross := new(big.Rat)
	for i := first; i < len(t.LTL.Breaks); i++ {
		sum, lowest := new(big.Rat), (*big.Rat)(nil)
		for class, w := range f.Weight {
			rates := t.LTL.Rates[class]
			if i >= len(rates) {
				c.fail("no rate for class %q", class)
				return nil, sum
			}
			rate := c.number(rates[i])
			if lowest == nil || rate.Cmp(lowest) < 0 {
				lowest = rate
			}
			sum.Add(sum, perHundred(rate, c.number(w)))
		}
		if short := new(big.Rat).Sub(c.number(t.LTL.Breaks[i]), total); lowest != nil && short.Sign() > 0 {
			sum.Add(sum, perHundred(lowest, short))
		}
		if i == first || sum.Cmp(gross) < 0 {
			gross = sum
		}
	}
	gross = c.round(gross)
	net := c.round(perHundred(gross, new(big.Rat).Sub(big.NewRat(100, 1), c.number(t.LTL.Discount))))
	if minimum := c.number(t.LTL.Minimum); net.Cmp(minimum) < 0 {
		net = minimum
	}
	return []Line{
		{"LHS", "LTL LINE-HAUL " + total.RatString() + " LB", gross.FloatString(2), "FR", c.cents(gross)},
		{"DSC", "DISCOUNT", t.LTL.Discount, "PW", c.cents(new(big.Rat).Sub(net, gross))},
	}, net
}

func (t Tariff) way(c *sums, cities []string) *big.Rat {
	sum := new(big.Rat)
	for i := 1; i < len(cities); i++ {
		leg := strings.ToUpper(cities[i-1] + ">" + cities[i])
		if t.Distance.Table[leg] == "" {
			c.fail("no distance %s", leg)
			continue
		}
		sum.Add(sum, c.number(t.Distance.Table[leg]))
	}
	return sum
}

func (t Tariff) fuel(c *sums, f Freight, net, way *big.Rat) Line {
	day := ""
	for from := range t.Fuel.From {
		if from <= f.Shipped && from > day {
			day = from
		}
	}
	rate := instead(f, "FUE", t.Fuel.From[day])
	of := perHundred(net, c.number(rate))
	if t.Fuel.Basis == "PM" {
		of = new(big.Rat).Mul(way, c.number(rate))
	}
	return Line{"FUE", "FUEL", rate, t.Fuel.Basis, c.cents(of)}
}

func instead(f Freight, code, rate string) string {
	if f.Rates[code] != "" {
		return f.Rates[code]
	}
	return rate
}

func perHundred(a, b *big.Rat) *big.Rat {
	return new(big.Rat).Mul(new(big.Rat).Mul(a, b), big.NewRat(1, 100))
}

// sums keeps the first error.
type sums struct{ err error }

func (c *sums) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

func (c *sums) number(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok || strings.ContainsAny(s, "eE/") {
		c.fail("%q is no number", s)
		return new(big.Rat)
	}
	return r
}

// cents rounds half up, away from zero for negative amounts.
func (c *sums) cents(r *big.Rat) int64 {
	twice := new(big.Rat).Mul(r, big.NewRat(200, 1))
	n := new(big.Int).Abs(twice.Num())
	n.Add(n, twice.Denom()).Quo(n, new(big.Int).Mul(big.NewInt(2), twice.Denom()))
	if r.Sign() < 0 {
		n.Neg(n)
	}
	return n.Int64()
}

func (c *sums) round(r *big.Rat) *big.Rat { return big.NewRat(c.cents(r), 100) }
