package outcome

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"google.golang.org/genproto/googleapis/type/money"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
)

// cents are amounts in the minor unit; both currencies of the day have two places.
type cents int64

const perCent = 10_000_000 // nanos

func centsOf(m *money.Money) (cents, error) {
	if m.GetNanos()%perCent != 0 {
		return 0, fmt.Errorf("%d.%09d %s is not whole cents", m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
	}
	return cents(m.GetUnits()*100 + int64(m.GetNanos())/perCent), nil
}

func (c cents) String() string {
	sign := ""
	if c < 0 {
		sign, c = "-", -c
	}
	digits := strconv.FormatInt(int64(c)+1000, 10) // at least two digits behind a leading one
	whole := strconv.FormatInt(int64(c)/100, 10)
	return sign + whole + "." + digits[len(digits)-2:]
}

// books are sums by currency and account, debit positive. An account that was posted to is there, also with nothing.
type books map[string]map[string]cents

func balances(entries []*billingv1.JournalEntry) (books, error) {
	out := books{}
	for _, e := range entries {
		for _, l := range e.GetLines() {
			debit, err := centsOf(l.GetDebit())
			if err != nil {
				return nil, fmt.Errorf("%s: %w", e.GetName(), err)
			}
			credit, err := centsOf(l.GetCredit())
			if err != nil {
				return nil, fmt.Errorf("%s: %w", e.GetName(), err)
			}
			currency := currencyOf(l)
			if out[currency] == nil {
				out[currency] = map[string]cents{}
			}
			out[currency][l.GetAccount()] += debit - credit
		}
	}
	return out, nil
}

func currencyOf(l *billingv1.JournalEntry_Line) string {
	if c := l.GetDebit().GetCurrencyCode(); c != "" {
		return c
	}
	return l.GetCredit().GetCurrencyCode()
}

func (b books) byCurrency() map[string]map[string]string {
	out := map[string]map[string]string{}
	for currency, accounts := range b {
		out[currency] = map[string]string{}
		for account, c := range accounts {
			out[currency][account] = c.String()
		}
	}
	return out
}

func (b books) totals() map[string]string {
	out := map[string]string{}
	for currency, accounts := range b {
		var sum cents
		for _, c := range accounts {
			sum += c
		}
		out[currency] = sum.String()
	}
	return out
}

// sums counts and adds documents up by state and currency; a state that none is in is there with nothing.
func sums[T any](states []string, documents []T, of func(T) (state string, total *money.Money)) (map[string]map[string]Sum, error) {
	amounts, out := map[string]map[string]cents{}, map[string]map[string]Sum{}
	for _, s := range states {
		out[s] = map[string]Sum{}
	}
	for _, d := range documents {
		state, total := of(d)
		c, err := centsOf(total)
		if err != nil {
			return nil, err
		}
		if amounts[state] == nil {
			amounts[state] = map[string]cents{}
		}
		if out[state] == nil {
			out[state] = map[string]Sum{}
		}
		currency := total.GetCurrencyCode()
		amounts[state][currency] += c
		out[state][currency] = Sum{out[state][currency].Count + 1, amounts[state][currency].String()}
	}
	return out, nil
}

// trialBalance is what the suite itself says the sums are, by currency and account.
func (r Reading) trialBalance() (map[string]map[string]string, error) {
	out := map[string]map[string]cents{}
	for _, b := range r.Balances {
		c, err := centsOf(b.GetAmount())
		if err != nil {
			return nil, err
		}
		currency := b.GetAmount().GetCurrencyCode()
		if out[currency] == nil {
			out[currency] = map[string]cents{}
		}
		out[currency][b.GetAccount()] += c
	}
	return books(out).byCurrency(), nil
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
