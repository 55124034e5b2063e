package document

import (
	"cmp"
	"slices"
	"strings"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/kernel/decimal"
)

// goodsOf puts the lines of shipments together by freight class, lowest first; what has no class follows by item.
func goodsOf(shipments []*freightv1.Shipment) ([]mapping.Lading, error) {
	type key struct{ class, item string }
	lines := map[key][]*freightv1.ShipmentLine{}
	var order []key
	for _, s := range shipments {
		for _, l := range s.GetLines() {
			k := key{class: l.GetFreightClass()}
			if k.class == "" {
				k.item = l.GetItem()
			}
			if lines[k] == nil {
				order = append(order, k)
			}
			lines[k] = append(lines[k], l)
		}
	}
	slices.SortStableFunc(order, func(a, b key) int {
		if a.class == "" || b.class == "" {
			return cmp.Compare(b.class, a.class) // those without a class last
		}
		return number(a.class).Cmp(number(b.class))
	})
	var out []mapping.Lading
	for _, k := range order {
		g := mapping.Lading{Description: lines[k][0].GetDescription()}
		if k.class != "" {
			g.Description = common(lines[k]) + " CLASS " + k.class
		}
		var weight decimal.Decimal
		for _, l := range lines[k] {
			w, err := decimal.Parse(l.GetGrossWeight().GetValue())
			if err != nil {
				return nil, err
			}
			weight, g.Cartons = weight.Add(w), g.Cartons+int(l.GetCartons())
		}
		g.Weight = weight.Trim().String()
		out = append(out, g)
	}
	return out, nil
}

func number(s string) decimal.Decimal {
	d, err := decimal.Parse(s)
	if err != nil {
		return decimal.Int(0)
	}
	return d
}

// common is what the goods of several lines are called together: the last word of their descriptions in the plural, where it is
// the same in all.
func common(lines []*freightv1.ShipmentLine) string {
	word := ""
	for i, l := range lines {
		words := strings.Fields(strings.ToUpper(l.GetDescription()))
		if len(words) == 0 || i > 0 && words[len(words)-1] != word {
			return "GOODS"
		}
		word = words[len(words)-1]
	}
	if strings.ContainsFunc(word, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		return "GOODS"
	}
	return strings.TrimSuffix(word, "S") + "S"
}

// sum adds quantities of one unit up.
func sum(quantities ...*typev1.Quantity) (value decimal.Decimal, unit string, err error) {
	for _, q := range quantities {
		if q == nil {
			continue
		}
		d, err := decimal.Parse(q.GetValue())
		if err != nil {
			return value, unit, err
		}
		value, unit = value.Add(d), q.GetUnit()
	}
	return value, unit, nil
}
