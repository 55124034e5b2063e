package freightbill

import (
	"fmt"
	"slices"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/rating"

	"crossdock.dev/services/billing/internal/accrual"
)

// Tolerance is how much a bill may be over; both limits of a pair must hold. Amounts are in the bill's currency, whichever it
// is.
type Tolerance struct {
	ChargePercent, ChargeAmount decimal.Decimal
	TotalPercent, TotalAmount   decimal.Decimal
	Fuel                        decimal.Decimal // on the recomputed fuel
}

// DefaultTolerance is 1 percent and 5.00 per charge, 0.5 percent and 10.00 in total, and 0.01 on fuel.
func DefaultTolerance() Tolerance {
	return Tolerance{
		ChargePercent: decimal.Int(1), ChargeAmount: decimal.Int(5),
		TotalPercent: decimal.New(5, 1), TotalAmount: decimal.Int(10), Fuel: decimal.New(1, 2),
	}
}

// Evidence is what a matched bill is audited against.
type Evidence struct {
	CarrierKnown bool
	// Contract is the carrier's version in force on the ship date; empty when there is none.
	Contract  string
	ShipDate  calendar.Date
	WePay     bool
	Delivered bool // every shipment aboard
	Proven    bool // every shipment aboard has a proof of delivery
	// Withdrawn means that the load was called off: nothing is delivered or proven, and the withdrawal is the evidence of what is owed.
	Withdrawn bool
	// BillWithin is how many days after the ship date the carrier may bill; 0 is any number.
	BillWithin int
	// Accrued are the open accruals of the load.
	Accrued []accrual.Accrual
	// Fuel is the surcharge computed anew from the index in force on the ship date; nil where the accrual is all we have.
	Fuel *money.Amount
	// BilledBy is the bill that was approved for the load before; empty when none was.
	BilledBy string
}

// Outcome is what the audit decided.
type Outcome struct {
	Approved bool
	Findings []Finding
}

// firstOfAudit is the rule of an audit's first finding.
const firstOfAudit = "A1"

// Audit judges a matched bill. An under-charge passes; nothing nets.
func Audit(b Bill, e Evidence, t Tolerance) (Outcome, error) {
	a := &audit{bill: b, tolerance: t}
	a.rule(firstOfAudit, b.Carrier, e.CarrierKnown && e.Contract != "", Finance, "",
		"carrier known, "+or(e.Contract, "no contract")+" in force on "+e.ShipDate.String())
	a.payable(e)
	if e.Withdrawn {
		a.rule("A2", b.Load, true, "", "", "called off: nothing was to be delivered")
	} else {
		a.rule("A2", b.Load, e.Delivered, Operations, "", yes(e.Delivered, "delivered", "not delivered"))
		a.rule("A3", b.Load, e.Proven, Operations, DocumentsMissing, yes(e.Proven, "proof of delivery received", "proof of delivery missing"))
	}
	accrued, err := a.charges(e)
	if err != nil {
		return Outcome{}, err
	}
	if err := a.total(accrued); err != nil {
		return Outcome{}, err
	}
	a.stale(e)
	o := Outcome{Findings: a.findings}
	o.Approved = !slices.ContainsFunc(o.Findings, func(f Finding) bool { return !f.Passed })
	return o, nil
}

type audit struct {
	bill      Bill
	tolerance Tolerance
	findings  []Finding
}

func (a *audit) rule(rule, subject string, passed bool, owner Owner, dispute Code, detail string) {
	a.findings = append(a.findings, Finding{rule, subject, passed, detail, owner, dispute}.settle())
}

// payable is the part of rule A2 that is about money: we pay this carrier, and have not yet.
func (a *audit) payable(e Evidence) {
	switch {
	case !e.WePay:
		a.rule("A2", a.bill.Load, false, Finance, NotOurBill, "the terms say that we do not pay this carrier")
	case e.BilledBy != "":
		a.rule("A2", a.bill.Load, false, Finance, BilledTwice, "already billed by "+e.BilledBy)
	default:
		a.rule("A2", a.bill.Load, true, "", "", "we pay the carrier")
	}
}

// charges judges each billed charge against its accrual and returns the sum of the accruals. Line-haul gross and its discount
// are one net charge; every other charge takes the next accrual of its code, so a second one without an accrual is not
// authorised.
func (a *audit) charges(e Evidence) (money.Amount, error) {
	sum, err := money.Zero(a.bill.Total.Currency())
	if err != nil {
		return sum, err
	}
	open := map[rating.ChargeCode][]accrual.Accrual{}
	for _, x := range e.Accrued {
		if sum, err = sum.Add(x.Charge.Amount); err != nil {
			return sum, err
		}
		open[x.Charge.Code] = append(open[x.Charge.Code], x)
	}
	billed, err := net(a.bill.Charges)
	if err != nil {
		return sum, err
	}
	for _, c := range billed {
		code := string(c.Code)
		if c.Amount.Sign() < 0 {
			a.rule("A4", code, false, Finance, IncorrectPrice, "a charge of "+c.Amount.Label()+" is no charge; only a discount on the line-haul is taken off")
			continue
		}
		if c.Amount.IsZero() {
			continue
		}
		if len(open[c.Code]) == 0 {
			a.rule("A6", code, false, Finance, NotAuthorised, "billed "+c.Amount.Label()+", no such charge was ordered or proven")
			continue
		}
		expected := open[c.Code][0].Charge.Amount
		if c.Code != rating.LineHaulCharge && c.Code != rating.FuelCharge {
			a.rule("A6", code, true, "", "", "authorised by "+open[c.Code][0].Evidence)
		}
		open[c.Code] = open[c.Code][1:]
		if err := a.charge("A4", code, c.Amount, expected, a.tolerance.ChargePercent, a.tolerance.ChargeAmount); err != nil {
			return sum, err
		}
		if c.Code == rating.FuelCharge {
			if err := a.fuel(c.Amount, expected, e.Fuel); err != nil {
				return sum, err
			}
		}
	}
	return sum, nil
}

// net folds line-haul and discount lines into one line-haul charge, in the place of the first of them.
func net(charges []accrual.Charge) ([]accrual.Charge, error) {
	var out []accrual.Charge
	at := -1
	for _, c := range charges {
		if c.Code != rating.LineHaulCharge && c.Code != rating.DiscountDisplay {
			out = append(out, c)
			continue
		}
		if at < 0 {
			at = len(out)
			out = append(out, accrual.Charge{Code: rating.LineHaulCharge, Amount: c.Amount})
			continue
		}
		sum, err := out[at].Amount.Add(c.Amount)
		if err != nil {
			return nil, err
		}
		out[at].Amount = sum
	}
	return out, nil
}

func (a *audit) charge(rule, subject string, billed, expected money.Amount, percent, limit decimal.Decimal) error {
	over, err := billed.Sub(expected)
	if err != nil {
		return err
	}
	most, err := money.Exact(limit, billed.Currency())
	if err != nil {
		return err
	}
	passed, err := money.Within(over, expected, percent, most)
	if err != nil {
		return err
	}
	share := expected.Decimal().Mul(percent).Mul(decimal.New(1, 2))
	a.rule(rule, subject, passed, Finance, IncorrectPrice, fmt.Sprintf("billed %s − rated %s = %s; limits %s %% = %s and %s, both",
		billed, expected, over, percent, share.Trim(), most))
	return nil
}

func (a *audit) fuel(billed, rated money.Amount, computed *money.Amount) error {
	want, how := rated, "rated at booking"
	if computed != nil {
		want, how = *computed, "computed from the index in force on the ship date"
	}
	over, err := billed.Sub(want)
	if err != nil {
		return err
	}
	a.rule("A8", string(rating.FuelCharge), !a.tolerance.Fuel.Less(over.Decimal()), Finance, IncorrectPrice,
		fmt.Sprintf("billed %s − %s %s = %s; limit %s", billed, want, how, over, a.tolerance.Fuel))
	return nil
}

func (a *audit) total(accrued money.Amount) error {
	return a.charge("A5", "total", a.bill.Total, accrued, a.tolerance.TotalPercent, a.tolerance.TotalAmount)
}

// stale is rule A10, for carriers that have to bill within a time. A bill without a date is as old as the day that it came on.
func (a *audit) stale(e Evidence) {
	if e.BillWithin == 0 {
		return
	}
	day := a.bill.BillDate
	if day.IsZero() {
		day = calendar.DateOf(a.bill.Received, time.UTC)
	}
	days := e.ShipDate.DaysUntil(day)
	a.rule("A10", a.bill.Load, days <= e.BillWithin, Finance, Stale, fmt.Sprintf("billed %d days after it shipped; limit %d", days, e.BillWithin))
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func yes(ok bool, when, otherwise string) string {
	if ok {
		return when
	}
	return otherwise
}
