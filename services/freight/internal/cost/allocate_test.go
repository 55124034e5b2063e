package cost_test

import (
	"slices"
	"strings"
	"testing"

	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"

	"crossdock.dev/services/freight/internal/cost"
)

func usd(s string) money.Amount { return money.MustParse(s, "USD") }

func bearer(name, pounds string) cost.Bearer {
	return cost.Bearer{Shipment: name, Weight: quantity.MustParse(pounds, quantity.Pound)}
}

// borne writes "PC LHS 308.74 FUE 81.85 = 390.59".
func borne(r cost.Rated) []string {
	var out []string
	for _, a := range r.Allocations {
		parts := []string{a.Shipment}
		for _, c := range a.Charges {
			parts = append(parts, c.Code, c.Amount.String())
		}
		out = append(out, strings.Join(append(parts, "=", a.Total.String()), " "))
	}
	return out
}

func check(t *testing.T, what string, r cost.Rated, total string, want ...string) {
	t.Helper()
	if got := borne(r); !slices.Equal(got, want) || r.Total.String() != total {
		t.Errorf("%s: %q of %s, want %q of %s", what, got, r.Total, want, total)
	}
}

// The figures are those of the day's scenario 17: fuel leaves one cent, which goes to the larger remainder, and waiting at the
// last stop is borne by the shipment of that stop.
func TestAllocate(t *testing.T) {
	r := cost.Rated{Total: usd("1051.48"), Explain: rating.Node{Value: "1051.48 USD"}, Charges: []cost.Charge{
		{Code: "LHS", Amount: usd("771.85")}, {Code: "FUE", Amount: usd("204.63")}, {Code: "SOC", Amount: usd("75.00")},
	}}
	pc, hh := bearer("PC", "6000"), bearer("HH", "9000")
	booked, err := r.Allocate([]cost.Bearer{pc, hh})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "booked", booked, "1051.48", "PC LHS 308.74 FUE 81.85 SOC 30.00 = 420.59", "HH LHS 463.11 FUE 122.78 SOC 45.00 = 630.89")
	waited, err := booked.With(cost.Charge{Code: "DET", Amount: usd("90.00")}, rating.Node{Label: "DET"}, []cost.Bearer{hh})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "waited", waited, "1141.48", "PC LHS 308.74 FUE 81.85 SOC 30.00 = 420.59", "HH LHS 463.11 FUE 122.78 SOC 45.00 DET 90.00 = 720.89")
	if len(waited.Explain.Children) != 1 || waited.Explain.Value != "1141.48 USD" {
		t.Errorf("explained as %v, want 1141.48 USD with the new charge", waited.Explain)
	}
	check(t, "what was booked stays as it was", booked, "1051.48", "PC LHS 308.74 FUE 81.85 SOC 30.00 = 420.59", "HH LHS 463.11 FUE 122.78 SOC 45.00 = 630.89")
	less, err := waited.With(cost.Charge{Code: "DET", Amount: usd("-30.00")}, rating.Node{}, []cost.Bearer{hh})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "corrected", less, "1111.48", "PC LHS 308.74 FUE 81.85 SOC 30.00 = 420.59", "HH LHS 463.11 FUE 122.78 SOC 45.00 DET 90.00 DET -30.00 = 690.89")
	if _, err := booked.With(cost.Charge{Code: "DET", Amount: money.MustParse("1.00", "EUR")}, rating.Node{}, []cost.Bearer{hh}); err == nil {
		t.Error("a charge in another currency was taken")
	}
}

func TestAllocateOddly(t *testing.T) {
	r := cost.Rated{Total: usd("0.05"), Charges: []cost.Charge{{Code: "LHS", Amount: usd("0.05")}}}
	for _, x := range []struct {
		name   string
		aboard []cost.Bearer
		want   []string
	}{
		{"alone", []cost.Bearer{bearer("A", "7")}, []string{"A LHS 0.05 = 0.05"}},
		{"thirds", []cost.Bearer{bearer("A", "1"), bearer("B", "1"), bearer("C", "1")}, []string{"A LHS 0.02 = 0.02", "B LHS 0.02 = 0.02", "C LHS 0.01 = 0.01"}},
		{"one without weight", []cost.Bearer{bearer("A", "0"), bearer("B", "1")}, []string{"A LHS 0.00 = 0.00", "B LHS 0.05 = 0.05"}},
		{"none has weight", []cost.Bearer{bearer("A", "0"), bearer("B", "0")}, []string{"A LHS 0.05 = 0.05", "B = 0.00"}},
	} {
		got, err := r.Allocate(x.aboard)
		if err != nil {
			t.Errorf("%s: %v", x.name, err)
			continue
		}
		check(t, x.name, got, "0.05", x.want...)
	}
	if _, err := r.Allocate(nil); err == nil {
		t.Error("a charge that nobody bears was allocated")
	}
	if _, err := r.Allocate([]cost.Bearer{bearer("A", "1"), {Shipment: "B", Weight: quantity.MustParse("1", quantity.Kilogram)}}); err == nil {
		t.Error("pounds and kilograms were added")
	}
}
