package ledger_test

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"crossdock.dev/kernel/money"

	"crossdock.dev/services/billing/internal/ledger"
)

func usd(s string) money.Amount { return money.MustParse(s, "USD") }
func eur(s string) money.Amount { return money.MustParse(s, "EUR") }

func lines(e ledger.Entry) string {
	out := ""
	for _, l := range e.Lines() {
		out += fmt.Sprintf("%s %s %s %s; ", l.Account, l.Account.Name(), l.Debit, l.Credit)
	}
	return out
}

// The four moments of the real purchase order 08292233294, as the day's book-keeping has them, a load that was called off (page 05),
// a bill with a variance of 3.45 (page 13) and one below its accrual.
func TestMoments(t *testing.T) {
	for _, c := range []struct {
		name string
		make func() (ledger.Entry, error)
		want string
	}{
		{"cost accrual", func() (ledger.Entry, error) { return ledger.Accrual(ledger.LoadBooked, usd("425.24")) },
			"load booked: cost accrual: 5100 Freight expense 425.24 0.00; 2100 Accrued freight liability 0.00 425.24; "},
		{"withdrawal", func() (ledger.Entry, error) { return ledger.Accrual(ledger.LoadWithdrawn, usd("-564.80")) },
			"withdrawal: accrual reversed: 2100 Accrued freight liability 564.80 0.00; 5100 Freight expense 0.00 564.80; "},
		{"truck not used", func() (ledger.Entry, error) { return ledger.Accrual(ledger.TruckNotUsed, usd("200.00")) },
			"TONU accrued: 5100 Freight expense 200.00 0.00; 2100 Accrued freight liability 0.00 200.00; "},
		{"authorised", func() (ledger.Entry, error) { return ledger.Authorised(usd("13045.94"), usd("512.53")) },
			"billing authorised: 1150 Unbilled receivable 13558.47 0.00; 4000 Goods revenue 0.00 13045.94; 4100 Freight revenue 0.00 512.53; "},
		{"authorised without freight", func() (ledger.Entry, error) { return ledger.Authorised(usd("2554.38"), usd("0.00")) },
			"billing authorised: 1150 Unbilled receivable 2554.38 0.00; 4000 Goods revenue 0.00 2554.38; "},
		{"issued", func() (ledger.Entry, error) { return ledger.Issued(usd("13558.47"), usd("0.00")) },
			"invoice issued: 1100 Accounts receivable customers 13558.47 0.00; 1150 Unbilled receivable 0.00 13558.47; "},
		{"issued with tax", func() (ledger.Entry, error) { return ledger.Issued(eur("4235.00"), eur("889.35")) },
			"invoice issued: 1100 Accounts receivable customers 5124.35 0.00; 1150 Unbilled receivable 0.00 4235.00; 2200 Output VAT 0.00 889.35; "},
		{"bill equal", func() (ledger.Entry, error) { return ledger.BillApproved(usd("425.24"), usd("425.24")) },
			"freight bill approved: 2100 Accrued freight liability 425.24 0.00; 2000 Accounts payable carriers 0.00 425.24; "},
		{"bill over", func() (ledger.Entry, error) { return ledger.BillApproved(usd("967.47"), usd("970.92")) },
			"freight bill approved, with variance: 2100 Accrued freight liability 967.47 0.00; 5190 Freight variance 3.45 0.00; 2000 Accounts payable carriers 0.00 970.92; "},
		{"bill under", func() (ledger.Entry, error) { return ledger.BillApproved(usd("967.47"), usd("960.00")) },
			"freight bill approved, with variance: 2100 Accrued freight liability 967.47 0.00; 5190 Freight variance 0.00 7.47; 2000 Accounts payable carriers 0.00 960.00; "},
	} {
		e, err := c.make()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := string(e.Moment()) + ": " + lines(e); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []ledger.Line
		want  error
	}{
		{"nothing", nil, ledger.ErrEmpty},
		{"zeros", []ledger.Line{ledger.Dr(ledger.Unbilled, usd("0")), ledger.Cr(ledger.GoodsRevenue, usd("0"))}, ledger.ErrEmpty},
		{"one side", []ledger.Line{ledger.Dr(ledger.Unbilled, usd("1.00"))}, ledger.ErrUnbalanced},
		{"a cent off", []ledger.Line{ledger.Dr(ledger.Unbilled, usd("1.00")), ledger.Cr(ledger.GoodsRevenue, usd("0.99"))}, ledger.ErrUnbalanced},
		{"two currencies", []ledger.Line{ledger.Dr(ledger.Unbilled, usd("1.00")), ledger.Cr(ledger.GoodsRevenue, eur("1.00"))}, ledger.ErrCurrency},
		{"negative", []ledger.Line{ledger.Dr(ledger.Unbilled, usd("-1.00")), ledger.Cr(ledger.GoodsRevenue, usd("-1.00"))}, ledger.ErrLine},
		{"both sides", []ledger.Line{{Account: ledger.Unbilled, Debit: usd("1.00"), Credit: usd("1.00")}}, ledger.ErrLine},
		{"no such account", []ledger.Line{ledger.Dr("9999", usd("1.00")), ledger.Cr(ledger.GoodsRevenue, usd("1.00"))}, ledger.ErrLine},
	} {
		if e, err := ledger.New("test", c.lines...); !errors.Is(err, c.want) || !e.IsZero() {
			t.Errorf("%s: got %v and %v, want %v", c.name, lines(e), err, c.want)
		}
	}
}

// Whatever lines are tried: an entry is made exactly when debits equal credits, and the balances of any number of entries add
// up to zero.
func TestOnlyBalanced(t *testing.T) {
	accounts := []ledger.Account{ledger.Receivable, ledger.Unbilled, ledger.Payable, ledger.AccruedFreight, ledger.OutputVAT, ledger.FreightVariance}
	rapid.Check(t, func(t *rapid.T) {
		sums := ledger.Balances{}
		for range rapid.IntRange(1, 5).Draw(t, "entries") {
			var all []ledger.Line
			var debit, credit int64
			for range rapid.IntRange(1, 4).Draw(t, "lines") {
				minor := rapid.Int64Range(1, 3).Draw(t, "minor")
				amount, err := money.New(minor, "USD")
				if err != nil {
					t.Fatal(err)
				}
				account := rapid.SampledFrom(accounts).Draw(t, "account")
				if rapid.Bool().Draw(t, "debit") {
					all, debit = append(all, ledger.Dr(account, amount)), debit+minor
				} else {
					all, credit = append(all, ledger.Cr(account, amount)), credit+minor
				}
			}
			e, err := ledger.New("test", all...)
			if (err == nil) != (debit == credit) {
				t.Fatalf("debits %d, credits %d: error %v", debit, credit, err)
			}
			if err == nil {
				sums.Add(e)
			}
		}
		var total int64
		for _, minor := range sums["USD"] {
			total += minor
		}
		if total != 0 {
			t.Fatalf("trial balance %d, want 0", total)
		}
	})
}

// A bill's approval leaves nothing on the accrual, owes what was billed, and puts the difference on the variance.
func TestBillApprovedProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		accrued, err1 := money.New(rapid.Int64Range(1, 1e9).Draw(t, "accrued"), "USD")
		billed, err2 := money.New(rapid.Int64Range(1, 1e9).Draw(t, "billed"), "USD")
		e, err3 := ledger.BillApproved(accrued, billed)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		sums := ledger.Balances{}
		sums.Add(e)
		got := [3]int64{sums["USD"][ledger.AccruedFreight], sums["USD"][ledger.Payable], sums["USD"][ledger.FreightVariance]}
		want := [3]int64{accrued.Minor(), -billed.Minor(), billed.Minor() - accrued.Minor()}
		if got != want {
			t.Fatalf("2100, 2000, 5190 = %v, want %v", got, want)
		}
	})
}
