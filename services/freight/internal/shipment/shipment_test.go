package shipment_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/platform/platformtest/golden"

	"crossdock.dev/services/freight/internal/network"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/shipment"
)

func TestTransitions(t *testing.T) {
	var out strings.Builder
	fmt.Fprintln(&out, "| state | verb | then |\n|---|---|---|")
	order := shipment.States()
	for _, from := range order {
		for _, v := range shipment.Verbs() {
			then := "refused"
			s, err := shipment.Shipment{Name: "shipments/shp_1", State: from}.Move(v)
			var refused *refusal.TransitionError
			switch {
			case err == nil:
				then = string(s.State)
				if slices.Index(order, s.State) < slices.Index(order, from) {
					t.Errorf("%s × %s goes back to %s", from, v, s.State)
				}
			case !errors.As(err, &refused) || refused.From != string(from) || refused.Verb != string(v):
				t.Errorf("%s × %s: error %v, want a TransitionError that names both", from, v, err)
			}
			fmt.Fprintf(&out, "| %s | %s | %s |\n", from, v, then)
		}
	}
	golden.Check(t, "transitions.md", []byte(out.String()))
}

var (
	columbus = network.Location{Name: "locations/LOC-CMH", Country: "US"}
	venlo    = network.Location{Name: "locations/LOC-VEN", Country: "NL"}
)

func widget(sku, weight, class string, carton int32, sides ...string) network.Item {
	it := network.Item{
		Name: "items/" + sku, BaseUnit: quantity.Each, GrossWeight: quantity.MustParse(weight, quantity.Pound), UnitsPerCarton: carton,
		DimensionUnit: quantity.Inch, FreightClass: class,
	}
	for _, s := range sides {
		it.CartonSides = append(it.CartonSides, decimal.MustParse(s))
	}
	return it
}

func goods(line, n string, pack int32, it network.Item) shipment.Goods {
	return shipment.Goods{Line: line, Quantity: quantity.MustParse(n, it.BaseUnit), Pack: pack, Item: it}
}

// The six lines of the real purchase order 08292233294 (day, scenario 01).
func widgets() []shipment.Goods {
	return []shipment.Goods{
		goods("1", "120", 4, widget("AB3542", "1.5", "85", 4, "12", "8", "8")),
		goods("2", "220", 2, widget("RD5322", "2.5", "100", 2, "12", "10", "8")),
		goods("3", "126", 6, widget("XY5266", "4.0", "70", 6, "16", "12", "12")),
		goods("4", "76", 4, widget("VX2332", "0.5", "85", 4, "8", "6", "6")),
		goods("5", "72", 4, widget("RV0524", "2.0", "85", 4, "12", "10", "8")),
		goods("6", "696", 6, widget("DX1875", "2.5", "70", 6, "16", "12", "9")),
	}
}

func TestFillHappyPath(t *testing.T) {
	s, err := shipment.Shipment{}.Fill(widgets(), columbus)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.GrossWeight.String(), "3156 LBR"; got != want {
		t.Errorf("gross weight = %s, want %s", got, want)
	}
	if got, want := s.Cartons, int32(314); got != want {
		t.Errorf("cartons = %d, want %d", got, want)
	}
	if got, want := s.Volume.String(), "231.61 FTQ"; got != want {
		t.Errorf("volume = %s, want %s", got, want)
	}
	var cartons []int32
	for _, l := range s.Lines {
		cartons = append(cartons, l.Cartons)
	}
	if want := []int32{30, 110, 21, 19, 18, 116}; !slices.Equal(cartons, want) {
		t.Errorf("cartons by line = %v, want %v", cartons, want)
	}
	cargo, err := s.Cargo()
	if err != nil {
		t.Fatal(err)
	}
	byClass := map[string]quantity.Quantity{}
	for _, c := range cargo {
		byClass[c.Class] = c.Weight
	}
	for class, want := range map[string]string{"70": "2244", "85": "362", "100": "550"} {
		if got := byClass[class]; !got.Equal(quantity.MustParse(want, quantity.Pound)) {
			t.Errorf("weight of class %s = %s, want %s LBR", class, got, want)
		}
	}
}

func TestFill(t *testing.T) {
	valve := network.Item{
		Name: "items/NE-KLEP-10", BaseUnit: quantity.Each, GrossWeight: quantity.MustParse("2.4", quantity.Kilogram), UnitsPerCarton: 1,
		CartonSides:   []decimal.Decimal{decimal.Int(20), decimal.Int(15), decimal.Int(10)},
		DimensionUnit: quantity.Centimetre,
	}
	pump := widget("NS-PUMP-10", "40", "70", 1, "16", "16", "18")
	for _, x := range []struct {
		name            string
		goods           []shipment.Goods
		from            network.Location
		weight, volume  string
		cartonsOfLines  []int32
		cartonsTogether int32
	}{
		// 240 × 2.4 kg = 576 kg (day, filler pattern TUL); 240 × 20 × 15 × 10 cm³ = 0.72 m³
		{"metric", []shipment.Goods{goods("10", "240", 0, valve)}, venlo, "576 KGM", "0.72 MTQ", []int32{240}, 240},
		// 7 of 4 to a carton need 2 cartons; a pack on the order line wins over the item's own
		{"started carton", []shipment.Goods{goods("1", "7", 0, widget("A", "1", "70", 4))}, columbus, "7 LBR", "0.00 FTQ", []int32{2}, 2},
		{"pack of the line", []shipment.Goods{goods("1", "7", 7, widget("A", "1", "70", 4))}, columbus, "7 LBR", "0.00 FTQ", []int32{1}, 1},
		{"half a unit", []shipment.Goods{goods("1", "0.5", 0, widget("A", "1", "70", 4))}, columbus, "0.5 LBR", "0.00 FTQ", []int32{1}, 1},
		// 1 ft³ is 28,316.846592 cm³: 2.40 m³ of 80 pumps would be 213.33 ft³; 16 × 16 × 18 in = 4608 in³; 80 × 4608 / 1728
		{"pumps", []shipment.Goods{goods("10", "80", 0, pump)}, columbus, "3200 LBR", "213.33 FTQ", []int32{80}, 80},
		// a kilogram is 1 / 0.45359237 lb: 576 kg are 1269.8626… lb
		{"metric goods from the US", []shipment.Goods{goods("10", "240", 0, valve)}, columbus, "1269.863 LBR", "25.43 FTQ", []int32{240}, 240},
	} {
		t.Run(x.name, func(t *testing.T) {
			s, err := shipment.Shipment{}.Fill(x.goods, x.from)
			if err != nil {
				t.Fatal(err)
			}
			if s.GrossWeight.String() != x.weight || s.Volume.String() != x.volume || s.Cartons != x.cartonsTogether {
				t.Errorf("got %s, %s, %d cartons; want %s, %s, %d", s.GrossWeight, s.Volume, s.Cartons, x.weight, x.volume, x.cartonsTogether)
			}
			for i, want := range x.cartonsOfLines {
				if got := s.Lines[i].Cartons; got != want {
					t.Errorf("cartons of line %d = %d, want %d", i, got, want)
				}
			}
		})
	}
}

func TestFillNamesAllBadLines(t *testing.T) {
	it := widget("A", "1", "70", 4)
	wrongUnit := shipment.Goods{Line: "2", Quantity: quantity.MustParse("3", quantity.Case), Item: it}
	_, err := shipment.Shipment{}.Fill([]shipment.Goods{goods("1", "0", 0, it), wrongUnit, goods("3", "1", 0, it), goods("3", "1", 0, it)}, columbus)
	var bad *refusal.FieldErrors
	if !errors.As(err, &bad) {
		t.Fatalf("error = %v, want FieldErrors", err)
	}
	var got []string
	for _, f := range bad.Fields {
		got = append(got, f.Path)
	}
	if want := []string{"lines[0].quantity.value", "lines[1].quantity.unit", "lines[3].line"}; !slices.Equal(got, want) {
		t.Errorf("bad fields = %v, want %v", got, want)
	}
}
