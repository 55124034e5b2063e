package rating

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
)

// Errors that callers can ask for with errors.Is. ErrTariff means the data is wrong whoever asks; the others mean that this
// tariff does not price this move.
var (
	ErrTariff     = errors.New("malformed tariff")
	ErrMove       = errors.New("move lacks what the tariff needs")
	ErrNotInForce = errors.New("tariff not in force on the ship date")
	ErrNoLineHaul = errors.New("no line-haul price for the mode and lane")
	ErrNoRow      = errors.New("no rate row for the class and lane")
	ErrNoIndex    = errors.New("no fuel index in force on the ship date")
	ErrNoBand     = errors.New("no fuel band for the index")
	ErrNoPrice    = errors.New("tariff has no price for the charge")
	ErrNoScale    = errors.New("no density scale for the date")
)

// ChargeCode names a charge in the suite's own list; partners' codes are mapped to it.
type ChargeCode string

// The charge codes. DSC is for display only: a discount is part of the line-haul charge.
const (
	LineHaulCharge    ChargeCode = "LHS"
	FuelCharge        ChargeCode = "FUE"
	DiscountDisplay   ChargeCode = "DSC"
	StopOffCharge     ChargeCode = "SOC"
	DetentionCharge   ChargeCode = "DET"
	LiftgateCharge    ChargeCode = "LFT"
	ResidentialCharge ChargeCode = "RES"
	TONUCharge        ChargeCode = "TON" // truck ordered, not used
)

// Interval says which end of a band belongs to it. It is part of the tariff because published tariffs differ.
type Interval string

// The conventions.
const (
	LowInclusive  Interval = "LOW_INCLUSIVE"  // low <= x < high: 500 lb is in the band from 500
	HighInclusive Interval = "HIGH_INCLUSIVE" // low < x <= high: 500 lb is in the band up to 500
)

func (i Interval) holds(low, x decimal.Decimal, high *decimal.Decimal) bool {
	if i == HighInclusive {
		return low.Less(x) && (high == nil || !high.Less(x))
	}
	return !x.Less(low) && (high == nil || x.Less(*high))
}

func (i Interval) text(low decimal.Decimal, high *decimal.Decimal) string {
	switch {
	case high == nil && i == HighInclusive:
		return "over " + low.String()
	case high == nil:
		return "from " + low.String()
	case i == HighInclusive:
		return "over " + low.String() + " to " + high.String()
	}
	return "from " + low.String() + " to under " + high.String()
}

// Tariff is one version of a carrier's tariff or of a customer's freight terms. All amounts are in its currency.
type Tariff struct {
	ID       string
	Version  int
	Party    string // SCAC or customer; for the explanation only
	Currency string
	// EffectiveFrom and EffectiveTo are ship dates, local at the ship-from, both included. No EffectiveTo means until further
	// notice.
	EffectiveFrom, EffectiveTo calendar.Date
	// Interval holds for weight breaks and fuel bands.
	Interval Interval
	// LineHaul is searched in order; the first entry whose mode fits, and which has a price for the lane if it is flat, is
	// used.
	LineHaul []LineHaul
	// Fuel is nil where fuel is included or not charged.
	Fuel *Fuel
	// StopOff, Detention and TONU are nil where the tariff has none.
	StopOff   *StopOff
	Detention *Detention
	TONU      *money.Amount
	// Accessorials are flat prices per move, such as LFT and RES.
	Accessorials map[ChargeCode]money.Amount
}

// LineHaul is one way to price the line-haul. Exactly one of Class, Distance, Weight and Flat is set.
type LineHaul struct {
	Mode     string // "LTL", "TL"; empty for any
	Class    *ByClass
	Distance *ByDistance
	Weight   *ByWeight
	Flat     map[string]money.Amount // by lane
}

// ByClass is LTL by freight class and weight break: the cheapest of the break of the total weight and each higher break,
// then the discount, then the minimum.
type ByClass struct {
	Table           RateTable
	DiscountPercent decimal.Decimal // 0 to 100
	Minimum         money.Amount    // absolute minimum charge after discount
	// DeficitBillsActualWeight is true for the rare contract that bills the actual weight at the higher break's rate. False
	// bills the missing weight too, at the lowest rate present.
	DeficitBillsActualWeight bool
}

// ByDistance is distance × rate, at least the minimum.
type ByDistance struct {
	Rate    decimal.Decimal // per Unit
	Unit    quantity.Unit   // quantity.Mile or quantity.Kilometre
	Minimum money.Amount
}

// ByWeight is weight ÷ Per × rate, at least the minimum: per cwt (Per 100, Unit LBR) or per 100 kg (Per 100, Unit KGM).
type ByWeight struct {
	Rate    decimal.Decimal
	Per     decimal.Decimal
	Unit    quantity.Unit // quantity.Pound or quantity.Kilogram
	Minimum money.Amount
}

// RateTable holds class rates by weight break, for groups of lanes.
type RateTable struct {
	ID                         string
	Version                    int
	EffectiveFrom, EffectiveTo calendar.Date   // as in Tariff
	Unit                       quantity.Unit   // of weights and breaks: quantity.Pound or quantity.Kilogram
	Per                        decimal.Decimal // rates are per so many units: 100 for per cwt
	Breaks                     []Break         // ascending
	Groups                     []LaneGroup
	Rows                       []Row
}

// Break is a weight break: from a weight in the table's unit up to the next break.
type Break struct {
	Code string // "M2M"
	From decimal.Decimal
}

// LaneGroup is a set of lanes by prefix of postal codes (ZIP3, ZIP5). No origins or no destinations means any. Of several
// groups that fit, the one with the longest prefixes is used.
type LaneGroup struct {
	ID                    string
	Origins, Destinations []string
}

// Row holds the rates of one class in one group, one for each break.
type Row struct {
	Group string
	Class string // as written in the tariff: "70", "92.5"
	Rates []decimal.Decimal
}

// Fuel is either a fixed percentage of the net line-haul or a table driven by an index. Exactly one is set.
type Fuel struct {
	Percent *decimal.Decimal
	Index   *IndexedFuel
}

// IndexedFuel is a table with the series that drives it.
type IndexedFuel struct {
	Table  FuelTable
	Series FuelSeries
}

// FuelBasis says what a band's value is.
type FuelBasis string

// The bases of fuel surcharges.
const (
	PercentOfLineHaul FuelBasis = "PERCENT_OF_LINE_HAUL" // of the rounded net line-haul, after discount and minimum
	PerDistance       FuelBasis = "PER_DISTANCE"         // currency per unit of distance; no minimum applies
)

// FuelTable turns an index value into a surcharge.
type FuelTable struct {
	ID      string
	Version int
	Series  string // id of the series it belongs to
	Basis   FuelBasis
	Unit    quantity.Unit // of distance, for PerDistance
	Bands   []FuelBand
}

// FuelBand is one row of a fuel table; the tariff's Interval says which end belongs to it.
type FuelBand struct{ Low, High, Value decimal.Decimal }

// FuelSeries is a published fuel price index.
type FuelSeries struct {
	ID     string
	Unit   string // "USD per gallon"
	Values []FuelIndex
}

// FuelIndex is one published value. It is in force from EffectiveFrom (local at the ship-from, 00:00) until the next value
// takes effect; the day of publication plays no part.
type FuelIndex struct {
	Published     calendar.Date
	EffectiveFrom calendar.Date
	Value         decimal.Decimal
}

// On returns the value in force on a ship date, or ErrNoIndex.
func (s FuelSeries) On(shipDate calendar.Date) (FuelIndex, error) {
	var best FuelIndex
	for _, v := range s.Values {
		if !v.EffectiveFrom.After(shipDate) && (best.EffectiveFrom.IsZero() || v.EffectiveFrom.After(best.EffectiveFrom)) {
			best = v
		}
	}
	if best.EffectiveFrom.IsZero() {
		return FuelIndex{}, fmt.Errorf("%w: series %s on %s", ErrNoIndex, s.ID, shipDate)
	}
	return best, nil
}

// Band returns the band that an index value falls in, or ErrNoBand: a value outside the table is never guessed.
func (t FuelTable) Band(value decimal.Decimal, interval Interval) (FuelBand, error) {
	for _, b := range t.Bands {
		if interval.holds(b.Low, value, &b.High) {
			return b, nil
		}
	}
	return FuelBand{}, fmt.Errorf("%w: table %s, index %s", ErrNoBand, t.ID, value)
}

// StopOff is a price for each stop from a certain one on; pick-up and delivery count, so the first extra stop of a load is
// stop 3.
type StopOff struct {
	FromStop int
	Amount   money.Amount
}

// Detention is a price for waiting longer than the free time at a delivery stop.
type Detention struct {
	FreeMinutes      int
	IncrementMinutes int // waiting is rounded up to whole increments
	RatePerHour      decimal.Decimal
	Cap              *money.Amount // nil for no cap
}

// InForce picks, among versions of one tariff, the one in force on a ship date: the latest EffectiveFrom, and at equal dates
// the highest version. None is ErrNotInForce.
func InForce(versions []Tariff, shipDate calendar.Date) (Tariff, error) {
	var best *Tariff
	for i := range versions {
		t := &versions[i]
		if !covers(t.EffectiveFrom, t.EffectiveTo, shipDate) {
			continue
		}
		if best == nil || t.EffectiveFrom.After(best.EffectiveFrom) ||
			t.EffectiveFrom == best.EffectiveFrom && t.Version > best.Version {
			best = t
		}
	}
	if best == nil {
		return Tariff{}, fmt.Errorf("%w: %s", ErrNotInForce, shipDate)
	}
	return *best, nil
}

func covers(from, to, day calendar.Date) bool {
	return !day.Before(from) && (to.IsZero() || !day.After(to))
}

// BreakFor returns the index of the break that a weight falls in by the convention, or ErrMove for a weight below the first
// break.
func (t RateTable) BreakFor(weight decimal.Decimal, interval Interval) (int, error) {
	for i := range t.Breaks {
		if interval.holds(t.Breaks[i].From, weight, t.upper(i)) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%w: weight %s %s is below the first break of %s", ErrMove, weight, t.Unit, t.ID)
}

func (t RateTable) upper(i int) *decimal.Decimal {
	if i+1 == len(t.Breaks) {
		return nil
	}
	return &t.Breaks[i+1].From
}

// group finds the lane group of a pair of postal codes. Tables without groups have one, the empty one.
func (t RateTable) group(origin, destination string) (string, error) {
	if len(t.Groups) == 0 {
		return "", nil
	}
	best, bestLen := -1, -1
	for i, g := range t.Groups {
		o, ok := longestPrefix(g.Origins, origin)
		d, ok2 := longestPrefix(g.Destinations, destination)
		if ok && ok2 && o+d > bestLen {
			best, bestLen = i, o+d
		}
	}
	if best < 0 {
		return "", fmt.Errorf("%w: table %s, %s to %s", ErrNoRow, t.ID, origin, destination)
	}
	return t.Groups[best].ID, nil
}

func longestPrefix(prefixes []string, s string) (int, bool) {
	best := -1
	if len(prefixes) == 0 {
		best = 0
	}
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) && len(p) > best {
			best = len(p)
		}
	}
	return best, best >= 0
}

func (t RateTable) row(group, class string) (Row, error) {
	for _, r := range t.Rows {
		if r.Group == group && r.Class == class {
			return r, nil
		}
	}
	return Row{}, fmt.Errorf("%w: table %s, lane group %q, class %s", ErrNoRow, t.ID, group, class)
}

// ParseLaneGroup reads the text form of a lane group, "A (432 to 441 152 462 482)": id, prefixes of origins, prefixes of
// destinations.
func ParseLaneGroup(s string) (LaneGroup, error) {
	id, rest, ok := strings.Cut(s, " (")
	body, tail, closed := strings.Cut(rest, ")")
	words := strings.Fields(body)
	to := slices.Index(words, "to") // one word alone, or nobody knows which it is
	if !ok || !closed || tail != "" || id == "" || to <= 0 || to == len(words)-1 || slices.Contains(words[to+1:], "to") {
		return LaneGroup{}, fmt.Errorf("%w: lane group %q", ErrTariff, s)
	}
	return LaneGroup{ID: id, Origins: words[:to:to], Destinations: words[to+1:]}, nil
}

// Validate reports every mistake in the tariff at once, each wrapping ErrTariff; nil means that Rate can work with it. Rate
// calls it too.
func (t Tariff) Validate() error {
	v := validation{tariff: t}
	v.check(t.ID != "", "id missing")
	_, err := money.Digits(t.Currency)
	v.check(err == nil, "currency %q", t.Currency)
	v.check(!t.EffectiveFrom.IsZero(), "effective date missing")
	v.check(t.EffectiveTo.IsZero() || !t.EffectiveTo.Before(t.EffectiveFrom), "ends before it begins")
	v.check(t.Interval == LowInclusive || t.Interval == HighInclusive, "interval %q", t.Interval)
	v.check(len(t.LineHaul) > 0, "no line-haul")
	for i, l := range t.LineHaul {
		v.lineHaul(i, l)
	}
	if f := t.Fuel; f != nil {
		v.fuel(*f)
	}
	if s := t.StopOff; s != nil {
		v.check(s.FromStop >= 2, "stop-off from stop %d", s.FromStop)
		v.amount("stop-off", s.Amount)
	}
	if d := t.Detention; d != nil {
		v.check(d.FreeMinutes >= 0 && d.IncrementMinutes > 0 && d.RatePerHour.Sign() >= 0, "detention terms")
		if d.Cap != nil {
			v.amount("detention cap", *d.Cap)
		}
	}
	if t.TONU != nil {
		v.amount("TONU", *t.TONU)
	}
	for code, a := range t.Accessorials {
		v.amount(string(code), a)
	}
	return errors.Join(v.errs...)
}

type validation struct {
	tariff Tariff
	errs   []error
}

func (v *validation) check(ok bool, format string, args ...any) {
	if !ok {
		v.errs = append(v.errs, fmt.Errorf("%w %s: %s", ErrTariff, v.tariff.ID, fmt.Sprintf(format, args...)))
	}
}

func (v *validation) amount(what string, a money.Amount) {
	v.check(a.Currency() == v.tariff.Currency && a.Sign() >= 0, "%s is %s", what, a.Label())
}

func (v *validation) lineHaul(i int, l LineHaul) {
	set := 0
	if c := l.Class; c != nil {
		set++
		v.check(c.DiscountPercent.Sign() >= 0 && c.DiscountPercent.Cmp(decimal.Hundred) <= 0, "discount %s percent", c.DiscountPercent)
		v.amount("minimum", c.Minimum)
		v.table(c.Table)
	}
	if d := l.Distance; d != nil {
		set++
		v.check(d.Rate.Sign() >= 0, "rate %s per distance", d.Rate)
		v.check(d.Unit == quantity.Mile || d.Unit == quantity.Kilometre, "distance unit %q", d.Unit)
		v.amount("minimum", d.Minimum)
	}
	if w := l.Weight; w != nil {
		set++
		v.check(w.Rate.Sign() >= 0 && w.Per.Sign() > 0, "rate %s per %s", w.Rate, w.Per)
		v.check(w.Unit == quantity.Pound || w.Unit == quantity.Kilogram, "weight unit %q", w.Unit)
		v.amount("minimum", w.Minimum)
	}
	if l.Flat != nil {
		set++
		for lane, a := range l.Flat {
			v.amount("lane "+lane, a)
		}
	}
	v.check(set == 1, "line-haul %d has %d bases, want 1", i, set)
}

func (v *validation) table(t RateTable) {
	v.check(t.ID != "" && !t.EffectiveFrom.IsZero(), "rate table without id or date")
	v.check(t.Unit == quantity.Pound || t.Unit == quantity.Kilogram, "rate table unit %q", t.Unit)
	v.check(t.Per.Sign() > 0, "rate table per %s", t.Per)
	v.check(len(t.Breaks) > 0, "rate table without breaks")
	for i := 1; i < len(t.Breaks); i++ {
		v.check(t.Breaks[i-1].From.Less(t.Breaks[i].From), "breaks not ascending at %s", t.Breaks[i].Code)
	}
	for _, r := range t.Rows {
		v.check(len(r.Rates) == len(t.Breaks), "class %s has %d rates for %d breaks", r.Class, len(r.Rates), len(t.Breaks))
		for _, rate := range r.Rates {
			v.check(rate.Sign() >= 0, "class %s has rate %s", r.Class, rate)
		}
	}
}

func (v *validation) fuel(f Fuel) {
	v.check((f.Percent == nil) != (f.Index == nil), "fuel needs either a percentage or an index")
	if f.Percent != nil {
		v.check(f.Percent.Sign() >= 0, "fuel %s percent", *f.Percent)
	}
	x := f.Index
	if x == nil {
		return
	}
	v.check(x.Table.Series == x.Series.ID, "fuel table %s is for series %s, not %s", x.Table.ID, x.Table.Series, x.Series.ID)
	v.check(x.Table.Basis == PercentOfLineHaul || x.Table.Basis == PerDistance, "fuel basis %q", x.Table.Basis)
	if x.Table.Basis == PerDistance {
		v.check(x.Table.Unit == quantity.Mile || x.Table.Unit == quantity.Kilometre, "fuel distance unit %q", x.Table.Unit)
	}
	for i, b := range x.Table.Bands {
		v.check(b.Low.Less(b.High) && b.Value.Sign() >= 0, "fuel band from %s to %s", b.Low, b.High)
		for _, other := range x.Table.Bands[:i] {
			v.check(!b.Low.Less(other.High) || !other.Low.Less(b.High), "fuel bands from %s and from %s overlap", other.Low, b.Low)
		}
	}
}
