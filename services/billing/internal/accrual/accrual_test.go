package accrual_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"
	"crossdock.dev/platform/platformtest/golden"

	"crossdock.dev/services/billing/internal/accrual"
)

func usd(s string) money.Amount { return money.MustParse(s, "USD") }

func charge(code, amount string) accrual.Charge {
	return accrual.Charge{Code: rating.ChargeCode(code), Amount: usd(amount)}
}

// names counts "1", "2", ...
func names() func() string {
	n := 0
	return func() string { n++; return fmt.Sprint(n) }
}

func pounds(shipment, weight string) accrual.Aboard {
	return accrual.Aboard{Shipment: shipment, Weight: quantity.MustParse(weight, quantity.Pound)}
}

// Page 17: the charges of a load of 6000 and 9000 lb. The cent that is left of the fuel goes to the larger remainder.
func TestBookShares(t *testing.T) {
	made, sum, err := accrual.Book(accrual.Accrual{Load: "loads/load_1"}, []accrual.Charge{charge("LHS", "771.85"), charge("FUE", "204.63"), charge("SOC", "75.00")},
		rating.Node{}, []accrual.Aboard{pounds("PC", "6000"), pounds("HH", "9000")}, names())
	if err != nil || sum != usd("1051.48") {
		t.Fatalf("booked %v, %v; want 1051.48", sum, err)
	}
	var got []string
	for _, a := range made {
		got = append(got, fmt.Sprintf("%s %s %s: %s %s, %s %s", a.Name, a.Charge.Code, a.State, a.Shares[0].Shipment, a.Shares[0].Amount, a.Shares[1].Shipment, a.Shares[1].Amount))
	}
	want := "1 LHS OPEN: PC 308.74, HH 463.11\n2 FUE OPEN: PC 81.85, HH 122.78\n3 SOC OPEN: PC 30.00, HH 45.00"
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

// Where nothing has a weight the first shipment bears all; where only one has none, it bears nothing.
func TestShareWithoutWeight(t *testing.T) {
	none := accrual.Aboard{Shipment: "A"}
	made, _, err := accrual.Book(accrual.Accrual{}, []accrual.Charge{charge("LHS", "1.01")}, rating.Node{}, []accrual.Aboard{none}, names())
	if err != nil || len(made) != 1 || made[0].Shares[0].Amount != usd("1.01") {
		t.Errorf("alone: %+v, %v; want 1.01", made, err)
	}
	for _, c := range []struct {
		aboard []accrual.Aboard
		want   string
	}{{[]accrual.Aboard{none, none}, "1.01"}, {[]accrual.Aboard{pounds("A", "0"), pounds("B", "10")}, "0.00"}} {
		made, _, err = accrual.Book(accrual.Accrual{}, []accrual.Charge{charge("LHS", "1.01")}, rating.Node{}, c.aboard, names())
		if err != nil || made[0].Shares[0].Amount != usd(c.want) {
			t.Errorf("%v: %+v, %v; want %s for the first", c.aboard, made, err, c.want)
		}
	}
}

// An accessorial that is proven, again, with another amount, for another shipment, and after the carrier's bill was approved.
func TestProve(t *testing.T) {
	of := func(state accrual.State, code, amount string, shipments ...string) accrual.Accrual {
		a := accrual.Accrual{Name: "old", State: state, Charge: charge(code, amount)}
		for _, s := range shipments {
			a.Shares = append(a.Shares, accrual.Share{Shipment: s, Amount: usd(amount)})
		}
		return a
	}
	const o, c, r = accrual.Open, accrual.Cleared, accrual.Reversed
	for _, x := range []struct {
		name       string
		existing   []accrual.Accrual
		amount     string
		made       string
		reversed   int
		difference string
	}{
		{"first", []accrual.Accrual{of(o, "LHS", "771.85", "HH")}, "90.00", "90.00", 0, "90.00"},
		{"the same again", []accrual.Accrual{of(o, "DET", "90.00", "HH")}, "90.00", "", 0, ""},
		{"more", []accrual.Accrual{of(o, "DET", "90.00", "HH")}, "120.00", "120.00", 1, "30.00"},
		{"less", []accrual.Accrual{of(o, "DET", "90.00", "HH")}, "60.00", "60.00", 1, "-30.00"},
		{"nothing any more", []accrual.Accrual{of(o, "DET", "90.00", "HH")}, "0.00", "", 1, "-90.00"},
		{"nothing from the first", nil, "0.00", "", 0, ""},
		{"after one that was replaced", []accrual.Accrual{of(r, "DET", "90.00", "HH"), of(o, "DET", "60.00", "HH")}, "90.00", "90.00", 1, "30.00"},
		{"after one that was taken back", []accrual.Accrual{of(r, "DET", "90.00", "HH")}, "90.00", "90.00", 0, "90.00"},
		{"of another shipment", []accrual.Accrual{of(o, "DET", "90.00", "PC")}, "90.00", "90.00", 0, "90.00"},
		{"beside a charge that all share", []accrual.Accrual{of(o, "DET", "75.00", "PC", "HH")}, "90.00", "90.00", 0, "90.00"},
		{"billed before", []accrual.Accrual{of(c, "DET", "90.00", "HH")}, "90.00", "", 0, ""},
		{"billed before, now more", []accrual.Accrual{of(c, "DET", "90.00", "HH")}, "120.00", "30.00", 0, "30.00"},
		{"billed before, now less", []accrual.Accrual{of(c, "DET", "90.00", "HH")}, "60.00", "", 0, "0.00"},
		{"billed before, more, then the first again", []accrual.Accrual{of(c, "DET", "90.00", "HH"), of(o, "DET", "30.00", "HH")}, "90.00", "", 1, "-30.00"},
	} {
		got, err := accrual.Prove(x.existing, accrual.Accrual{}, charge("DET", x.amount), []accrual.Aboard{{Shipment: "HH"}}, names())
		if err != nil {
			t.Errorf("%s: %v", x.name, err)
			continue
		}
		made, difference := "", ""
		if got.Made != nil {
			made = got.Made.Charge.Amount.String()
			if s := got.Made.Shares; len(s) != 1 || s[0].Shipment != "HH" || s[0].Amount != got.Made.Charge.Amount {
				t.Errorf("%s: shares %v, want HH alone with the whole", x.name, s)
			}
		}
		if got.Difference.Currency() != "" {
			difference = got.Difference.String()
		}
		if made != x.made || len(got.Reversed) != x.reversed || difference != x.difference {
			t.Errorf("%s: made %q, %d reversed, difference %q; want %q, %d, %q", x.name, made, len(got.Reversed), difference, x.made, x.reversed, x.difference)
		}
		if got.IsZero() != (x.made == "" && x.reversed == 0) {
			t.Errorf("%s: IsZero is %v", x.name, got.IsZero())
		}
	}
}

// Two shipments that are unloaded at the same stop share what is owed there, and are asked for together when it is proven again.
func TestProveForTwo(t *testing.T) {
	two := []accrual.Aboard{pounds("A", "100"), pounds("B", "200")}
	first, err := accrual.Prove(nil, accrual.Accrual{}, charge("DET", "100.00"), two, names())
	if err != nil || first.Made == nil || first.Made.Shares[0].Amount != usd("33.33") || first.Made.Shares[1].Amount != usd("66.67") {
		t.Fatalf("got %+v, %v; want 33.33 and 66.67", first, err)
	}
	if again, err := accrual.Prove([]accrual.Accrual{*first.Made}, accrual.Accrual{}, charge("DET", "100.00"), two, names()); err != nil || !again.IsZero() {
		t.Errorf("the same again: %+v, %v; want nothing", again, err)
	}
}

// Page 05: what was expected of a load that is called off; what a bill cleared, or what was reversed before, stays.
func TestReverseOpen(t *testing.T) {
	of := func(state accrual.State, amount string) accrual.Accrual {
		return accrual.Accrual{State: state, Charge: charge("LHS", amount)}
	}
	reversed, change, err := accrual.ReverseOpen([]accrual.Accrual{
		of(accrual.Open, "450.00"), of(accrual.Cleared, "7.00"), of(accrual.Reversed, "8.00"), of(accrual.Open, "114.80"),
	})
	if err != nil || change != usd("-564.80") || len(reversed) != 2 || reversed[0].State != accrual.Reversed || reversed[1].State != accrual.Reversed {
		t.Errorf("got %+v, %v, %v; want two reversed and -564.80", reversed, change, err)
	}
	if reversed, change, err = accrual.ReverseOpen(nil); err != nil || len(reversed) != 0 || !change.IsZero() {
		t.Errorf("nothing: got %+v, %v, %v", reversed, change, err)
	}
}

// Every state with every verb.
func TestStates(t *testing.T) {
	var b strings.Builder
	b.WriteString("| state | clear | reverse |\n|---|---|---|\n")
	for _, from := range accrual.States {
		b.WriteString("| " + from.String())
		for _, verb := range accrual.Verbs {
			got, err := accrual.Accrual{State: from}.Do(verb)
			var refused *accrual.TransitionError
			switch {
			case errors.As(err, &refused):
				if refused.From != from || refused.Verb != verb || got.State != from {
					t.Errorf("%s %s: %+v, state %s", verb, from, refused, got.State)
				}
				b.WriteString(" | refused")
			default:
				b.WriteString(" | " + got.State.String())
			}
		}
		b.WriteString(" |\n")
	}
	golden.Check(t, "states.md", []byte(b.String()))
}
