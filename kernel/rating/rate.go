package rating

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
)

// Move is what is priced: one load for a carrier, one shipment for a customer.
type Move struct {
	ShipDate calendar.Date // local at the ship-from; decides versions and fuel
	Mode     string        // "LTL", "TL"
	Lane     string        // lane id, for flat prices
	// OriginPostcode and DestinationPostcode find the lane group of class rates.
	OriginPostcode, DestinationPostcode string
	// Goods are the gross weights as shipped. Class is needed by class rates only.
	Goods []Goods
	// Distance is the sum over the legs, with the name of the distance table for the explanation.
	Distance       quantity.Quantity
	DistanceSource string
	// Stops counts all stops, pick-up included; 0 is taken as 2.
	Stops int
	// Accessorials are the flat extras asked for, such as LFT.
	Accessorials []ChargeCode
}

// Goods is a weight of one freight class.
type Goods struct {
	Class  string
	Weight quantity.Quantity
}

// Basis says how a charge's Quantity and Rate are meant.
type Basis string

// The bases of charges.
const (
	BasisClass       Basis = "CLASS"        // Quantity is the billed weight (a deficit included); no single Rate
	BasisPerDistance Basis = "PER_DISTANCE" // Rate is per Quantity's unit
	BasisPerWeight   Basis = "PER_WEIGHT"   // Rate is per Quantity's unit: CWA (100 lb) or DTN (100 kg) where that is the tariff's
	BasisFlat        Basis = "FLAT"         // Rate is the amount
	BasisPercent     Basis = "PERCENT"      // Rate is a percentage of the net line-haul
	BasisPerStop     Basis = "PER_STOP"     // Quantity is the count of stops charged
	BasisPerHour     Basis = "PER_HOUR"     // Quantity is hours charged
)

// Charge is one priced charge. Amount is rounded; Rate and Quantity are what a document prints beside it.
type Charge struct {
	Code     ChargeCode
	Amount   money.Amount
	Basis    Basis
	Quantity quantity.Quantity // zero value where there is none
	Rate     decimal.Decimal
	// MinimumApplied says that Amount is the tariff's minimum and not Quantity × Rate.
	MinimumApplied bool
	// Gross and Discount are for display of class-rated line-haul: Gross + Discount = Amount, Discount being DSC. Both are the
	// zero Amount on other charges; see HasDiscount.
	Gross, Discount money.Amount
	// Stop is the stop that a charge belongs to alone (detention); 0 for the whole load.
	Stop    int
	Explain Node
}

// HasDiscount reports whether Gross and Discount are set.
func (c Charge) HasDiscount() bool { return c.Gross.Currency() != "" }

// Quote is the price of a move.
type Quote struct {
	TariffID      string
	TariffVersion int
	Currency      string
	Charges       []Charge // line-haul, fuel, stop-off, then accessorials in the order asked for; none of zero
	Total         money.Amount
	// Unpriced are accessorials asked for that the tariff has no price for; nothing is charged for them.
	Unpriced []ChargeCode
	Explain  Node
}

// Charge finds a charge by code.
func (q Quote) Charge(code ChargeCode) (Charge, bool) {
	for _, c := range q.Charges {
		if c.Code == code {
			return c, true
		}
	}
	return Charge{}, false
}

// Rate prices a move by one tariff version. It refuses a tariff that is malformed or not in force on the ship date, and a
// move that the tariff has no price for; it never answers with a guess. Detention and truck-not-used are priced when they
// are proven, by RateDetention and RateTONU.
func Rate(t Tariff, m Move) (Quote, error) {
	if err := t.Validate(); err != nil {
		return Quote{}, err
	}
	if !covers(t.EffectiveFrom, t.EffectiveTo, m.ShipDate) {
		return Quote{}, fmt.Errorf("%w: %s version %d on %s", ErrNotInForce, t.ID, t.Version, m.ShipDate)
	}
	for _, g := range m.Goods {
		if g.Weight.Sign() < 0 {
			return Quote{}, fmt.Errorf("%w: weight %s", ErrMove, g.Weight)
		}
	}
	if m.Distance.Sign() < 0 {
		return Quote{}, fmt.Errorf("%w: distance %s", ErrMove, m.Distance)
	}
	q := Quote{TariffID: t.ID, TariffVersion: t.Version, Currency: t.Currency}
	var notes []Node

	lineHaul, err := t.lineHaul(m)
	if err != nil {
		return Quote{}, err
	}
	q.Charges = append(q.Charges, lineHaul)

	fuel, err := t.fuel(m, lineHaul.Amount)
	if err != nil {
		return Quote{}, err
	}
	if fuel.Amount.IsZero() {
		notes = append(notes, fuel.Explain)
	} else {
		q.Charges = append(q.Charges, fuel)
	}

	stops, err := t.stopOff(m)
	if err != nil {
		return Quote{}, err
	}
	if !stops.Amount.IsZero() {
		q.Charges = append(q.Charges, stops)
	}

	for i, code := range m.Accessorials {
		if slices.Contains(m.Accessorials[:i], code) {
			return Quote{}, fmt.Errorf("%w: accessorial %s asked for twice", ErrMove, code)
		}
		amount, ok := t.Accessorials[code]
		if !ok {
			q.Unpriced = append(q.Unpriced, code)
			notes = append(notes, Node{Label: string(code), Value: "no charge", Rule: "the tariff has no price for it", Source: t.source()})
			continue
		}
		if !amount.IsZero() {
			q.Charges = append(q.Charges, t.flat(code, amount, "accessorial, flat per move"))
		}
	}

	q.Total, err = money.Zero(t.Currency)
	q.Explain = Node{Label: "freight by " + t.source(), Rule: "sum of charges, each rounded once", Source: "ship date " + m.ShipDate.String()}
	for _, c := range q.Charges {
		if err == nil {
			q.Total, err = q.Total.Add(c.Amount)
		}
		q.Explain.Children = append(q.Explain.Children, c.Explain)
	}
	if err != nil {
		return Quote{}, err
	}
	q.Explain.Value = q.Total.Label()
	q.Explain.Children = append(q.Explain.Children, notes...)
	return q, nil
}

func (t Tariff) source() string {
	s := "tariff " + t.ID + " v" + strconv.Itoa(t.Version)
	if t.Party != "" {
		s += " of " + t.Party
	}
	return s
}

func (t Tariff) flat(code ChargeCode, amount money.Amount, rule string) Charge {
	return Charge{
		Code: code, Amount: amount, Basis: BasisFlat, Rate: amount.Decimal(),
		Explain: Node{Label: string(code), Value: amount.Label(), Rule: rule, Source: t.source()},
	}
}

const roundedOnce = "rounded once, half-up to the minor unit"

func (t Tariff) lineHaul(m Move) (Charge, error) {
	for _, l := range t.LineHaul {
		if l.Mode != "" && l.Mode != m.Mode {
			continue
		}
		switch {
		case l.Class != nil:
			return t.byClass(*l.Class, m)
		case l.Distance != nil:
			return t.byDistance(*l.Distance, m)
		case l.Weight != nil:
			return t.byWeight(*l.Weight, m)
		default:
			if amount, ok := l.Flat[m.Lane]; ok {
				return t.flat(LineHaulCharge, amount, "flat for lane "+m.Lane), nil
			}
		}
	}
	return Charge{}, fmt.Errorf("%w: %s, mode %q, lane %q", ErrNoLineHaul, t.ID, m.Mode, m.Lane)
}

// finish rounds an exact amount or takes the minimum, and closes the explanation.
func (t Tariff) finish(c Charge, exact decimal.Decimal, minimum money.Amount) (Charge, error) {
	node := Node{Label: "minimum", Value: minimum.Label(), Rule: "does not apply, the price is not below it", Source: t.source()}
	if exact.Less(minimum.Decimal()) {
		c.MinimumApplied = true
		exact = minimum.Decimal()
		node.Rule = "applies, the price is below it"
	}
	var err error
	if c.Amount, err = money.Round(exact, t.Currency); err != nil {
		return Charge{}, err
	}
	if !minimum.IsZero() {
		c.Explain.Children = append(c.Explain.Children, node)
	}
	c.Explain.Label = string(c.Code)
	c.Explain.Value = c.Amount.Label()
	c.Explain.Source = t.source()
	c.Explain.Children = append(c.Explain.Children,
		Node{Label: "rounded", Value: shown(exact) + " → " + c.Amount.String(), Rule: roundedOnce})
	return c, nil
}

func (t Tariff) byDistance(d ByDistance, m Move) (Charge, error) {
	distance, err := distanceIn(m, d.Unit)
	if err != nil {
		return Charge{}, err
	}
	exact := distance.Value().Mul(d.Rate)
	c := Charge{Code: LineHaulCharge, Basis: BasisPerDistance, Quantity: distance, Rate: d.Rate}
	c.Explain.Rule = "distance × rate, at least the minimum"
	c.Explain.Children = []Node{
		{Label: "distance", Value: distance.String(), Source: m.DistanceSource},
		{Label: "distance × rate", Value: product(distance.Value(), d.Rate, exact), Source: t.source()},
	}
	return t.finish(c, exact, d.Minimum)
}

func (t Tariff) byWeight(w ByWeight, m Move) (Charge, error) {
	total, err := totalWeight(m, w.Unit)
	if err != nil {
		return Charge{}, err
	}
	units, err := perUnits(total.Value(), w.Per)
	if err != nil {
		return Charge{}, err
	}
	exact := units.Mul(w.Rate)
	c := Charge{Code: LineHaulCharge, Basis: BasisPerWeight, Quantity: perQuantity(total, w.Per, units), Rate: w.Rate}
	c.Explain.Rule = "weight × rate, at least the minimum"
	c.Explain.Children = []Node{
		{Label: "weight", Value: total.String()},
		{Label: "per " + w.Per.String() + " " + string(w.Unit), Value: product(units, w.Rate, exact), Source: t.source()},
	}
	return t.finish(c, exact, w.Minimum)
}

// perQuantity names the unit of a weight rate where Rec 20 has one.
func perQuantity(total quantity.Quantity, per, units decimal.Decimal) quantity.Quantity {
	unit := total.Unit()
	if per.Equal(decimal.Hundred) {
		unit = quantity.CwtUS
		if total.Unit() == quantity.Kilogram {
			unit = quantity.Decitonne
		}
	} else if !per.Equal(decimal.One) {
		return total
	}
	q, err := quantity.New(units, unit)
	if err != nil {
		return total
	}
	return q
}

func (t Tariff) fuel(m Move, net money.Amount) (Charge, error) {
	c := Charge{Code: FuelCharge, Explain: Node{Label: string(FuelCharge), Value: "no charge", Source: t.source()}}
	switch {
	case t.Fuel == nil:
		c.Explain.Rule = "included or not charged"
		return c, nil
	case t.Fuel.Percent != nil && t.Fuel.Percent.IsZero():
		c.Explain.Rule = "0 percent"
		return c, nil
	}
	none, err := money.Zero(t.Currency)
	if err != nil {
		return Charge{}, err
	}
	if t.Fuel.Percent != nil {
		return t.fuelPercent(c, *t.Fuel.Percent, net, none)
	}

	x := *t.Fuel.Index
	index, err := x.Series.On(m.ShipDate)
	if err != nil {
		return Charge{}, err
	}
	band, err := x.Table.Band(index.Value, t.Interval)
	if err != nil {
		return Charge{}, err
	}
	c.Explain.Children = []Node{
		{
			Label: "index " + x.Series.ID, Value: index.Value.String() + " " + x.Series.Unit,
			Rule:   "in force on the ship date " + m.ShipDate.String(),
			Source: "published " + index.Published.String() + ", effective from " + index.EffectiveFrom.String(),
		},
		{
			Label: "band " + t.Interval.text(band.Low, &band.High), Value: band.Value.String(),
			Source: "table " + x.Table.ID + " v" + strconv.Itoa(x.Table.Version),
		},
	}
	if x.Table.Basis == PercentOfLineHaul {
		return t.fuelPercent(c, band.Value, net, none)
	}
	distance, err := distanceIn(m, x.Table.Unit)
	if err != nil {
		return Charge{}, err
	}
	exact := distance.Value().Mul(band.Value)
	c.Basis, c.Quantity, c.Rate = BasisPerDistance, distance, band.Value
	c.Explain.Rule = "distance × rate of the index; no minimum"
	c.Explain.Children = append(c.Explain.Children,
		Node{Label: "distance × rate", Value: product(distance.Value(), band.Value, exact), Source: m.DistanceSource})
	return t.finish(c, exact, none)
}

func (t Tariff) fuelPercent(c Charge, percent decimal.Decimal, net, none money.Amount) (Charge, error) {
	exact := net.Decimal().Mul(percent).Mul(decimal.New(1, 2))
	c.Basis, c.Rate = BasisPercent, percent
	c.Explain.Rule = "percent of the rounded net line-haul, after discount and minimum"
	c.Explain.Children = append(c.Explain.Children,
		Node{Label: percent.String() + " percent", Value: net.String() + " × " + percent.String() + " % = " + shown(exact)})
	return t.finish(c, exact, none)
}

func (t Tariff) stopOff(m Move) (Charge, error) {
	if t.StopOff == nil || m.Stops < t.StopOff.FromStop {
		return Charge{}, nil
	}
	count := m.Stops - t.StopOff.FromStop + 1
	n, err := quantity.New(decimal.Int(int64(count)), quantity.One)
	if err != nil {
		return Charge{}, err
	}
	amount, err := t.StopOff.Amount.MulRound(n.Value())
	if err != nil {
		return Charge{}, err
	}
	return Charge{
		Code: StopOffCharge, Amount: amount, Basis: BasisPerStop, Quantity: n, Rate: t.StopOff.Amount.Decimal(),
		Explain: Node{
			Label: string(StopOffCharge), Value: amount.Label(), Source: t.source(),
			Rule: fmt.Sprintf("%d × %s, from stop %d of %d on", count, t.StopOff.Amount, t.StopOff.FromStop, m.Stops),
		},
	}, nil
}

// Dwell is the evidence of waiting at one stop. A zero instant means that there is no such claim.
type Dwell struct {
	Stop        int
	Delivery    bool // detention is owed at delivery stops only
	Appointment time.Time
	Arrived     time.Time
	Departed    time.Time
}

// RateDetention prices waiting: from the later of arrival and appointment to departure, less the free time, rounded up to
// whole increments, × the hourly rate, at most the cap. The amount is zero, with the reason in Explain, at a pick-up stop,
// without an arrival or departure claim, and within the free time. A tariff without detention terms is ErrNoPrice; a departure
// before arrival is ErrMove.
func RateDetention(t Tariff, d Dwell) (Charge, error) {
	if err := t.Validate(); err != nil {
		return Charge{}, err
	}
	terms := t.Detention
	if terms == nil {
		return Charge{}, fmt.Errorf("%w: %s, %s", ErrNoPrice, t.ID, DetentionCharge)
	}
	zero, err := money.Zero(t.Currency)
	if err != nil {
		return Charge{}, err
	}
	c := Charge{Code: DetentionCharge, Amount: zero, Basis: BasisPerHour, Rate: terms.RatePerHour, Stop: d.Stop}
	c.Explain = Node{Label: string(DetentionCharge), Value: zero.Label(), Source: t.source()}
	switch {
	case !d.Delivery:
		c.Explain.Rule = "owed at delivery stops only"
		return c, nil
	case d.Arrived.IsZero() || d.Departed.IsZero():
		c.Explain.Rule = "not proven without claims of arrival and departure"
		return c, nil
	case d.Departed.Before(d.Arrived):
		return Charge{}, fmt.Errorf("%w: departed stop %d before arriving", ErrMove, d.Stop)
	}
	from, fromRule := d.Arrived, "from arrival"
	if d.Appointment.After(from) {
		from, fromRule = d.Appointment, "from the appointment, later than arrival"
	}
	dwell := max(d.Departed.Sub(from), 0)
	free := time.Duration(terms.FreeMinutes) * time.Minute
	increment := time.Duration(terms.IncrementMinutes) * time.Minute
	c.Explain.Children = []Node{
		{Label: "dwell", Value: dwell.String(), Rule: fromRule,
			Source: from.UTC().Format(time.RFC3339) + " to " + d.Departed.UTC().Format(time.RFC3339)},
		{Label: "free", Value: free.String()},
	}
	if dwell <= free {
		c.Explain.Rule = "within the free time"
		return c, nil
	}
	increments := (dwell - free + increment - 1) / increment
	minutes := decimal.Int(int64(increments) * int64(terms.IncrementMinutes))
	digits, err := money.Digits(t.Currency)
	if err != nil {
		return Charge{}, err
	}
	exact, err := minutes.Mul(terms.RatePerHour).Quo(decimal.Int(60), digits) // the one rounding
	if err != nil {
		return Charge{}, err
	}
	if c.Amount, err = money.Exact(exact, t.Currency); err != nil {
		return Charge{}, err
	}
	minuteQty, err := quantity.New(minutes, quantity.Minute)
	if err != nil {
		return Charge{}, err
	}
	if c.Quantity, err = minuteQty.In(quantity.Hour, 4); err != nil {
		return Charge{}, err
	}
	c.Explain.Children = append(c.Explain.Children, Node{
		Label: fmt.Sprintf("%d started increments of %d minutes", increments, terms.IncrementMinutes),
		Value: minutes.String() + " minutes at " + terms.RatePerHour.String() + " per hour = " + c.Amount.String(),
	})
	c.Explain.Rule = "(dwell − free) up to whole increments × hourly rate"
	if terms.Cap != nil {
		over, err := c.Amount.Cmp(*terms.Cap)
		if err != nil {
			return Charge{}, err
		}
		if over > 0 {
			c.Amount = *terms.Cap
			c.Explain.Children = append(c.Explain.Children, Node{Label: "cap", Value: terms.Cap.Label(), Rule: "applied"})
		}
	}
	c.Explain.Value = c.Amount.Label()
	return c, nil
}

// RateTONU prices a truck that was ordered and not used. It replaces every other charge of the load. Whether it is owed (how
// late the withdrawal came) is the caller's question. A tariff without it is ErrNoPrice.
func RateTONU(t Tariff) (Charge, error) {
	if err := t.Validate(); err != nil {
		return Charge{}, err
	}
	if t.TONU == nil {
		return Charge{}, fmt.Errorf("%w: %s, %s", ErrNoPrice, t.ID, TONUCharge)
	}
	return t.flat(TONUCharge, *t.TONU, "truck ordered, not used; replaces the charges of the load"), nil
}

// weightPlaces are the places of a weight that had to be converted into the tariff's unit.
const weightPlaces = 6

func totalWeight(m Move, unit quantity.Unit) (quantity.Quantity, error) {
	total, err := quantity.New(decimal.Zero, unit)
	if err != nil {
		return quantity.Quantity{}, err
	}
	for _, g := range m.Goods {
		w, err := g.Weight.In(unit, weightPlaces)
		if err != nil {
			return quantity.Quantity{}, fmt.Errorf("%w: %w", ErrMove, err)
		}
		if total, err = total.Add(w); err != nil {
			return quantity.Quantity{}, err
		}
	}
	if total.IsZero() {
		return quantity.Quantity{}, fmt.Errorf("%w: no weight", ErrMove)
	}
	return total, nil
}

func distanceIn(m Move, unit quantity.Unit) (quantity.Quantity, error) {
	d, err := m.Distance.In(unit, 3)
	if err != nil || d.IsZero() {
		return quantity.Quantity{}, fmt.Errorf("%w: distance %s for a tariff per %s", ErrMove, m.Distance, unit)
	}
	return d, nil
}

// perUnits divides a weight by what a rate is per. 1, 10, 100 divide exactly; an odd divisor is cut to twelve places.
func perUnits(weight, per decimal.Decimal) (decimal.Decimal, error) {
	if per.Equal(decimal.Hundred) {
		return weight.Mul(decimal.New(1, 2)), nil
	}
	if per.Equal(decimal.One) {
		return weight, nil
	}
	q, err := weight.Quo(per, 12)
	return q.Trim(), err
}

func product(a, b, result decimal.Decimal) string {
	return a.String() + " × " + b.String() + " = " + shown(result)
}

// shown writes an exact sum of money for an explanation: unrounded, with at least two places.
func shown(d decimal.Decimal) string {
	if d = d.Trim(); d.Scale() < 2 {
		d = d.RoundHalfUp(2)
	}
	return d.String()
}
