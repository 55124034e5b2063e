package cost_test

import (
	"testing"

	"crossdock.dev/kernel/rating"

	"crossdock.dev/services/freight/internal/cost"
)

// What was added comes away again: another amount replaces a charge (the day's scenario 17, with the detention corrected).
func TestWithout(t *testing.T) {
	pc, hh := bearer("PC", "6000"), bearer("HH", "9000")
	booked, err := cost.Rated{Total: usd("1051.48"), Explain: rating.Node{Value: "1051.48 USD", Children: []rating.Node{{Label: "LHS"}}}, Charges: []cost.Charge{
		{Code: "LHS", Amount: usd("771.85")}, {Code: "FUE", Amount: usd("204.63")}, {Code: "SOC", Amount: usd("75.00")},
	}}.Allocate([]cost.Bearer{pc, hh})
	if err != nil {
		t.Fatal(err)
	}
	waited := booked
	for _, by := range []cost.Bearer{pc, hh} {
		if waited, err = waited.With(cost.Charge{Code: "DET", Amount: usd("90.00")}, rating.Node{Label: "DET"}, []cost.Bearer{by}); err != nil {
			t.Fatal(err)
		}
	}
	check(t, "waited at both stops", waited, "1231.48", "PC LHS 308.74 FUE 81.85 SOC 30.00 DET 90.00 = 510.59", "HH LHS 463.11 FUE 122.78 SOC 45.00 DET 90.00 = 720.89")
	without, err := waited.Without(rating.DetentionCharge)
	if err != nil {
		t.Fatal(err)
	}
	again, err := without.Without(rating.DetentionCharge) // what is not there
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []cost.Rated{without, again} {
		check(t, "without", r, "1051.48", "PC LHS 308.74 FUE 81.85 SOC 30.00 = 420.59", "HH LHS 463.11 FUE 122.78 SOC 45.00 = 630.89")
		if len(r.Explain.Children) != 1 || r.Explain.Value != "1051.48 USD" {
			t.Errorf("explained as %v, want 1051.48 USD without the charge", r.Explain)
		}
	}
	check(t, "what it came from stays as it was", waited, "1231.48", "PC LHS 308.74 FUE 81.85 SOC 30.00 DET 90.00 = 510.59", "HH LHS 463.11 FUE 122.78 SOC 45.00 DET 90.00 = 720.89")
	nothing, err := cost.Rated{Total: usd("90.00"), Charges: []cost.Charge{{Code: "DET", Amount: usd("90.00")}}}.Without(rating.DetentionCharge)
	if err != nil || len(nothing.Charges) != 0 || nothing.Total != usd("0.00") {
		t.Errorf("without the only charge: %v %v, want nothing, 0.00 USD", nothing, err)
	}
}
