// Package ledger is for the double-entry sub-ledger of freight and sales: its accounts and its entries.
//
// It promises that an entry that does not balance, mixes currencies or has a negative or empty line cannot be made: New is the
// only way to an Entry, for a new posting and for one read back from disk alike. Which document may post which moment, and
// keeping the entries, is left to others. The general ledger of the enterprise's ERP is the book of record.
package ledger

import (
	"errors"
	"fmt"
	"time"

	"crossdock.dev/kernel/money"
)

// Account is the number of an account.
type Account string

// The accounts.
const (
	Receivable      Account = "1100"
	Unbilled        Account = "1150"
	Payable         Account = "2000"
	AccruedFreight  Account = "2100"
	OutputVAT       Account = "2200"
	GoodsRevenue    Account = "4000"
	FreightRevenue  Account = "4100"
	FreightExpense  Account = "5100"
	FreightVariance Account = "5190"
)

// names are the accounts as the books call them.
var names = map[Account]string{
	Receivable:      "Accounts receivable customers",
	Unbilled:        "Unbilled receivable",
	Payable:         "Accounts payable carriers",
	AccruedFreight:  "Accrued freight liability",
	OutputVAT:       "Output VAT",
	GoodsRevenue:    "Goods revenue",
	FreightRevenue:  "Freight revenue",
	FreightExpense:  "Freight expense",
	FreightVariance: "Freight variance",
}

// Name is what the books call the account; empty for an account that does not exist.
func (a Account) Name() string { return names[a] }

// Moment says what happened in business that an entry posts.
type Moment string

// The moments.
const (
	LoadBooked          Moment = "load booked: cost accrual"
	DetentionProven     Moment = "detention proven"
	AccessorialProven   Moment = "accessorial proven: cost accrual"
	LoadWithdrawn       Moment = "withdrawal: accrual reversed"
	TruckNotUsed        Moment = "TONU accrued"
	BillingAuthorised   Moment = "billing authorised"
	InvoiceIssued       Moment = "invoice issued"
	FreightBillApproved Moment = "freight bill approved"
	FreightBillVaried   Moment = "freight bill approved, with variance"
)

// Errors that callers can ask for with errors.Is.
var (
	ErrUnbalanced = errors.New("debits and credits differ")
	ErrLine       = errors.New("a line is either a debit or a credit greater than zero, on a known account")
	ErrCurrency   = errors.New("an entry has one currency")
	ErrEmpty      = errors.New("an entry needs lines")
)

// Line is a debit or a credit; the other side is zero.
type Line struct {
	Account Account
	Debit   money.Amount
	Credit  money.Amount
}

// Dr returns a debit. New drops it when the amount is zero.
func Dr(a Account, amount money.Amount) Line { return Line{Account: a, Debit: amount} }

// Cr returns a credit. New drops it when the amount is zero.
func Cr(a Account, amount money.Amount) Line { return Line{Account: a, Credit: amount} }

// Minor is debit minus credit in minor units.
func (l Line) Minor() int64 { return l.Debit.Minor() - l.Credit.Minor() }

// Entry is a balanced posting in one currency. It never changes.
type Entry struct {
	moment   Moment
	currency string
	lines    []Line
}

// New makes an entry. Lines of zero are left out; an entry without any other line is ErrEmpty.
func New(moment Moment, lines ...Line) (Entry, error) {
	e := Entry{moment: moment}
	for _, l := range lines {
		if l.Debit.IsZero() && l.Credit.IsZero() {
			continue
		}
		amount, other := l.Debit, &l.Credit
		if amount.IsZero() {
			amount, other = l.Credit, &l.Debit
		}
		if !other.IsZero() || amount.Sign() < 0 || l.Account.Name() == "" {
			return Entry{}, fmt.Errorf("%w: account %q, debit %s, credit %s", ErrLine, l.Account, l.Debit, l.Credit)
		}
		if e.currency == "" {
			e.currency = amount.Currency()
		}
		if amount.Currency() != e.currency {
			return Entry{}, fmt.Errorf("%w: %s and %s", ErrCurrency, e.currency, amount.Currency())
		}
		zero, err := money.Zero(e.currency)
		if err != nil {
			return Entry{}, err
		}
		*other = zero
		e.lines = append(e.lines, l)
	}
	if len(e.lines) == 0 {
		return Entry{}, fmt.Errorf("%w: %s", ErrEmpty, moment)
	}
	debit, err := money.Zero(e.currency)
	credit := debit
	for _, l := range e.lines {
		if err == nil {
			debit, err = debit.Add(l.Debit)
		}
		if err == nil {
			credit, err = credit.Add(l.Credit)
		}
	}
	if err != nil {
		return Entry{}, err
	}
	if debit != credit {
		return Entry{}, fmt.Errorf("%w: %s: debits %s, credits %s", ErrUnbalanced, moment, debit.Label(), credit.Label())
	}
	return e, nil
}

// Moment says what the entry posts.
func (e Entry) Moment() Moment { return e.moment }

// Currency is the entry's currency.
func (e Entry) Currency() string { return e.currency }

// Lines returns a copy of the lines.
func (e Entry) Lines() []Line { return append([]Line(nil), e.lines...) }

// IsZero reports whether e is no entry at all.
func (e Entry) IsZero() bool { return len(e.lines) == 0 }

// Accrual posts carriers' charges that are expected: expense against the accrued liability. Less than zero is expected no longer,
// and is posted the other way round.
func Accrual(moment Moment, cost money.Amount) (Entry, error) {
	if cost.Sign() < 0 {
		less, err := cost.Neg()
		if err != nil {
			return Entry{}, err
		}
		return New(moment, Dr(AccruedFreight, less), Cr(FreightExpense, less))
	}
	return New(moment, Dr(FreightExpense, cost), Cr(AccruedFreight, cost))
}

// Authorised posts what may be billed, before tax: unbilled receivable against revenue.
func Authorised(goods, freight money.Amount) (Entry, error) {
	net, err := goods.Add(freight)
	if err != nil {
		return Entry{}, err
	}
	return New(BillingAuthorised, Dr(Unbilled, net), Cr(GoodsRevenue, goods), Cr(FreightRevenue, freight))
}

// Issued moves what was authorised to the customer's account and adds the tax, which is owed from then on.
func Issued(net, tax money.Amount) (Entry, error) {
	total, err := net.Add(tax)
	if err != nil {
		return Entry{}, err
	}
	return New(InvoiceIssued, Dr(Receivable, total), Cr(Unbilled, net), Cr(OutputVAT, tax))
}

// BillApproved clears what was accrued, owes the carrier what it billed, and posts the difference as variance. The moment says
// whether there is one.
func BillApproved(accrued, billed money.Amount) (Entry, error) {
	variance, err := billed.Sub(accrued)
	if err != nil {
		return Entry{}, err
	}
	moment, line := FreightBillApproved, Dr(FreightVariance, variance)
	if !variance.IsZero() {
		moment = FreightBillVaried
	}
	if variance.Sign() < 0 {
		less, err := variance.Neg()
		if err != nil {
			return Entry{}, err
		}
		line = Cr(FreightVariance, less)
	}
	return New(moment, Dr(AccruedFreight, accrued), line, Cr(Payable, billed))
}

// Balances sums entries by currency and account, debit minus credit in minor units.
type Balances map[string]map[Account]int64

// Add adds an entry's lines.
func (b Balances) Add(e Entry) {
	for _, l := range e.lines {
		b.AddMinor(e.currency, l.Account, l.Minor())
	}
}

// AddMinor adds minor units to one account.
func (b Balances) AddMinor(currency string, a Account, minor int64) {
	if b[currency] == nil {
		b[currency] = map[Account]int64{}
	}
	b[currency][a] += minor
}

// Posting is an entry in its place in the journal.
type Posting struct {
	Sequence    uint64 // 1 is the first
	Entry       Entry
	LegalEntity string    // whose books
	Document    string    // what is posted, such as "invoices/inv_..."
	Related     []string  // names and numbers that lead to it
	Time        time.Time // business time, UTC
}

// Posted is the fact that the sub-ledger got an entry.
type Posted struct{ Posting Posting }
