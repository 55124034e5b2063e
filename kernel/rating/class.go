package rating

import (
	"fmt"
	"slices"
	"strconv"

	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
)

// classWeight is the weight of one class with its row of rates.
type classWeight struct {
	row    Row
	weight decimal.Decimal
}

// alternative is one way to bill: as the actual weight or as the weight of a higher break.
type alternative struct {
	as    decimal.Decimal // billed weight
	gross decimal.Decimal // exact
	node  Node
}

// byClass rates LTL freight. The break comes from the total weight, never from single lines; each higher break is tried with
// the missing weight billed at the lowest rate present there, and the cheapest wins (the lower break at a tie).
func (t Tariff) byClass(terms ByClass, m Move) (Charge, error) {
	table := terms.Table
	if !covers(table.EffectiveFrom, table.EffectiveTo, m.ShipDate) {
		return Charge{}, fmt.Errorf("%w: table %s version %d on %s", ErrNotInForce, table.ID, table.Version, m.ShipDate)
	}
	total, err := totalWeight(m, table.Unit)
	if err != nil {
		return Charge{}, err
	}
	group, err := table.group(m.OriginPostcode, m.DestinationPostcode)
	if err != nil {
		return Charge{}, err
	}
	classes, err := byClassWeights(m, table, group)
	if err != nil {
		return Charge{}, err
	}
	own, err := table.BreakFor(total.Value(), t.Interval)
	if err != nil {
		return Charge{}, err
	}

	var alternatives []alternative
	best := 0
	for b := own; b < len(table.Breaks); b++ {
		as := total.Value()
		if b > own {
			as = table.Breaks[b].From
		}
		a, err := table.bill(classes, b, total.Value(), as, terms.DeficitBillsActualWeight)
		if err != nil {
			return Charge{}, err
		}
		alternatives = append(alternatives, a)
		if a.gross.Less(alternatives[best].gross) {
			best = len(alternatives) - 1
		}
	}
	chosen := alternatives[best]
	for i := range alternatives {
		a := &alternatives[i]
		switch {
		case i == best:
			a.node.Rule = "cheapest, chosen"
		case a.gross.Equal(chosen.gross):
			a.node.Rule = "no cheaper"
		default:
			a.node.Rule = "dearer"
		}
	}

	net := chosen.gross.Mul(decimal.Hundred.Sub(terms.DiscountPercent)).Mul(decimal.New(1, 2))
	billed := total
	if best > 0 && !terms.DeficitBillsActualWeight {
		if billed, err = quantity.New(chosen.as, table.Unit); err != nil {
			return Charge{}, err
		}
	}
	c := Charge{Code: LineHaulCharge, Basis: BasisClass, Quantity: billed}
	c.Explain.Rule = "gross × (1 − discount), then the minimum, then rounded"
	c.Explain.Children = []Node{{
		Label: "break " + table.Breaks[own].Code, Value: total.String(),
		Rule:   "by the total weight, " + t.Interval.text(table.Breaks[own].From, table.upper(own)),
		Source: "table " + table.ID + " v" + strconv.Itoa(table.Version),
	}}
	for _, a := range alternatives {
		c.Explain.Children = append(c.Explain.Children, a.node)
	}
	c.Explain.Children = append(c.Explain.Children,
		Node{Label: "gross", Value: shown(chosen.gross)},
		Node{
			Label: "discount " + terms.DiscountPercent.String() + " percent", Source: t.source(),
			Value: "net " + shown(net),
		})
	if c, err = t.finish(c, net, terms.Minimum); err != nil {
		return Charge{}, err
	}
	if c.Gross, err = money.Round(chosen.gross, t.Currency); err != nil {
		return Charge{}, err
	}
	c.Discount, err = c.Amount.Sub(c.Gross)
	return c, err
}

// byClassWeights adds up the weights of each class, in the order of first appearance.
func byClassWeights(m Move, table RateTable, group string) ([]classWeight, error) {
	var out []classWeight
	for _, g := range m.Goods {
		w, err := g.Weight.In(table.Unit, weightPlaces)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMove, err)
		}
		if w.IsZero() {
			continue
		}
		i := slices.IndexFunc(out, func(c classWeight) bool { return c.row.Class == g.Class })
		if i < 0 {
			row, err := table.row(group, g.Class)
			if err != nil {
				return nil, err
			}
			out = append(out, classWeight{row: row})
			i = len(out) - 1
		}
		out[i].weight = out[i].weight.Add(w.Value())
	}
	return out, nil
}

// bill computes the gross of one alternative: each class at the rate of break b, and the weight missing up to as at the
// lowest of these rates.
func (t RateTable) bill(classes []classWeight, b int, actual, as decimal.Decimal, billsActual bool) (alternative, error) {
	a := alternative{as: as, node: Node{Label: "as " + as.String() + " " + string(t.Unit)}}
	lowest := classes[0].row
	for _, c := range classes {
		if err := a.add(t, c.row, b, c.weight, "class "+c.row.Class); err != nil {
			return a, err
		}
		if c.row.Rates[b].Less(lowest.Rates[b]) {
			lowest = c.row
		}
	}
	if deficit := as.Sub(actual); deficit.Sign() > 0 && !billsActual {
		if err := a.add(t, lowest, b, deficit, "deficit at the lowest rate present, class "+lowest.Class); err != nil {
			return a, err
		}
	}
	a.node.Value = shown(a.gross)
	return a, nil
}

func (a *alternative) add(t RateTable, row Row, b int, weight decimal.Decimal, label string) error {
	units, err := perUnits(weight, t.Per)
	if err != nil {
		return err
	}
	amount := units.Mul(row.Rates[b])
	a.gross = a.gross.Add(amount)
	source := "table " + t.ID + " v" + strconv.Itoa(t.Version) + ", class " + row.Class + ", break " + t.Breaks[b].Code
	if row.Group != "" {
		source += ", lane group " + row.Group
	}
	a.node.Children = append(a.node.Children, Node{Label: label, Value: product(units, row.Rates[b], amount), Source: source})
	return nil
}
