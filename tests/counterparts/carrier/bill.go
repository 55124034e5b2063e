package carrier

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"text/template"
	"time"

	"crossdock.dev/tests/counterparts/script"
	"crossdock.dev/tests/counterparts/tariff"
)

// bill is what a 210 template prints.
type bill struct {
	Number, Load, PRO, SCAC, Terms, Currency string
	Unit                                     string // of Weight: L or K
	Date, Delivered                          string // CCYYMMDD; Delivered is empty when nothing was
	Total                                    int64  // cents, as the header says
	Sum                                      int64  // cents, of the lines
	Weight, Pieces                           string // empty when it was not weighed
	Lines                                    []tariff.Line
}

// terms of a bill, in the lines below "send 210":
//
//	bill CXBB-1001                 its number
//	weighed 70=2244 85=362         pounds by class, on the carrier's own scales
//	rate FUE=34                    a rate instead of the tariff's
//	extra LFT                      an accessorial that was done
//	waited 2026-03-12T14:05:00Z 2026-03-12T17:10:00Z
//	unused                         the truck was ordered and not used
//	header 190.65                  what the header says instead of the sum
type terms struct {
	number  string
	freight tariff.Freight
	header  string
}

func readTerms(b script.Block) (terms, error) {
	t := terms{freight: tariff.Freight{Rates: map[string]string{}}}
	for _, line := range b.Body {
		words := strings.Fields(line)
		rest := words[1:]
		switch {
		case words[0] == "bill" && len(rest) == 1:
			t.number = rest[0]
		case words[0] == "weighed" && len(rest) > 0:
			t.freight.Weight = map[string]string{}
			if err := pairs(rest, t.freight.Weight); err != nil {
				return t, b.Errorf("%v", err)
			}
		case words[0] == "rate" && len(rest) > 0:
			if err := pairs(rest, t.freight.Rates); err != nil {
				return t, b.Errorf("%v", err)
			}
		case words[0] == "extra":
			t.freight.Extra = rest
		case words[0] == "unused" && len(rest) == 0:
			t.freight.NotUsed = true
		case words[0] == "header" && len(rest) == 1:
			t.header = rest[0]
		case words[0] == "waited" && len(rest) == 2:
			from, err := time.Parse(time.RFC3339, rest[0])
			if err != nil {
				return t, b.Errorf("%v", err)
			}
			to, err := time.Parse(time.RFC3339, rest[1])
			if err != nil {
				return t, b.Errorf("%v", err)
			}
			t.freight.Dwell = int(to.Sub(from).Minutes())
		default:
			return t, b.Errorf("a bill knows no %q", line)
		}
	}
	if t.number == "" {
		return t, b.Errorf("the bill has no number")
	}
	return t, nil
}

func pairs(words []string, into map[string]string) error {
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			return fmt.Errorf("%q is no pair", w)
		}
		into[key] = value
	}
	return nil
}

// charge makes the segments of a 210 from the carrier's own tariff.
func charge(form *template.Template, price tariff.Tariff, t terms, of tender, values map[string]string, at time.Time) ([]string, error) {
	f := t.freight
	if day, err := time.Parse("20060102", of.pickup); err == nil {
		f.Shipped = day.Format(time.DateOnly)
	}
	f.Cities = of.cities
	lines, err := price.Bill(f)
	if err != nil {
		return nil, err
	}
	b := bill{
		Number: script.Fill(t.number, values), Load: of.load, PRO: values["pro"], SCAC: values["scac"], Terms: of.payment, Currency: price.Currency,
		Date: at.UTC().Format("20060102"), Total: tariff.Total(lines), Sum: tariff.Total(lines), Lines: lines,
	}
	if !f.NotUsed {
		b.Delivered = of.delivery
	}
	if len(f.Weight) > 0 {
		b.Unit, b.Pieces = of.unit, of.pieces
		if b.Weight, err = add(f.Weight); err != nil {
			return nil, err
		}
	}
	if t.header != "" {
		if b.Total, err = strconv.ParseInt(strings.Replace(t.header, ".", "", 1), 10, 64); err != nil {
			return nil, err
		}
	}
	var text strings.Builder
	if err := form.Execute(&text, b); err != nil {
		return nil, err
	}
	var out []string
	for _, line := range strings.Split(text.String(), "\n") {
		if line = strings.TrimRight(line, "* "); line != "" {
			out = append(out, line)
		}
	}
	return out, nil
}

// add is the sum of weights, which have at most two places.
func add(weights map[string]string) (string, error) {
	sum := new(big.Rat)
	for _, w := range weights {
		r, ok := new(big.Rat).SetString(w)
		if !ok {
			return "", fmt.Errorf("%q is no weight", w)
		}
		sum.Add(sum, r)
	}
	if sum.IsInt() {
		return sum.Num().String(), nil
	}
	return sum.FloatString(2), nil
}
