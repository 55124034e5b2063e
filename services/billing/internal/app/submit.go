package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/rating"
	platform "crossdock.dev/platform/store"

	"crossdock.dev/services/billing/internal/accrual"
	"crossdock.dev/services/billing/internal/freightbill"
	"crossdock.dev/services/billing/internal/ledger"
	"crossdock.dev/services/billing/internal/shipment"
	"crossdock.dev/services/billing/internal/store"
)

// Submit takes in a carrier's bill and audits it at once. The answer says what became of it; a bill that is rejected, excepted
// or a duplicate is kept and posts nothing.
func (a *App) Submit(ctx context.Context, cause platform.Cause, bill freightbill.Bill) (freightbill.Bill, platform.Position, error) {
	name, at, err := a.store.Change(ctx, cause, func(tx *store.Tx) (string, error) {
		b := bill
		b.Name, b.State, b.Received = "freightBills/"+a.ids.New("fbl"), freightbill.Received, a.now()
		return b.Name, a.submit(tx, b)
	})
	if err != nil {
		return freightbill.Bill{}, at, err
	}
	out, err := a.FreightBill(ctx, name)
	return out, at, err
}

func (a *App) submit(tx *store.Tx, b freightbill.Bill) error {
	candidates, err := tx.LoadsByReference(b.LoadNumber, b.CarrierReference)
	if err != nil {
		return err
	}
	received := b
	received.Related = relatedOf(candidates, b)
	b.Related = received.Related

	header := freightbill.HeaderFinding(b)
	b.Findings = append(b.Findings, header)
	if !header.Passed { // the number stays free for a corrected bill
		return a.decide(tx, received, b, freightbill.Reject)
	}
	earlier, err := tx.EarlierBill(b.Carrier, b.InvoiceNumber)
	if err != nil {
		return err
	}
	seen, duplicate := freightbill.DuplicateFinding(b, earlier)
	b.Findings = append(b.Findings, seen)
	switch {
	case duplicate:
		return a.decide(tx, received, b, freightbill.SetAside)
	case earlier != nil:
		return a.decide(tx, received, b, freightbill.Except)
	}
	if err := tx.TakeBillNumber(b); err != nil {
		return err
	}
	load, matched, err := match(tx, b, candidates)
	if err != nil {
		return err
	}
	b.Findings = append(b.Findings, matched)
	if load.Name == "" {
		return a.decide(tx, received, b, freightbill.Except)
	}
	b.Load = load.Name
	return a.audit(tx, received, b, load)
}

// relatedOf names what leads to the loads of the bill's own carrier.
func relatedOf(candidates []shipment.Load, b freightbill.Bill) []string {
	var out []string
	for _, l := range candidates {
		if l.Carrier == b.Carrier {
			out = append(out, l.Related...)
		}
	}
	return out
}

// match finds the load that a bill is for; the zero Load when it is unmatched.
func match(tx *store.Tx, b freightbill.Bill, loads []shipment.Load) (shipment.Load, freightbill.Finding, error) {
	var candidates []freightbill.Candidate
	for _, l := range loads {
		accrued, err := tx.Accruals(l.Name)
		if err != nil {
			return shipment.Load{}, freightbill.Finding{}, err
		}
		c := freightbill.Candidate{
			Load: l.Name, Number: l.Number, CarrierReference: l.CarrierReference, Carrier: l.Carrier, Booked: l.Booked, Cancelled: l.Cancelled,
			Owed: slices.ContainsFunc(accrued, func(x accrual.Accrual) bool { return x.State != accrual.Reversed }),
		}
		if len(accrued) > 0 {
			c.Currency = accrued[0].Charge.Amount.Currency()
		}
		candidates = append(candidates, c)
	}
	name, finding := freightbill.Match(b, candidates)
	for _, l := range loads {
		if l.Name == name {
			return l, finding, nil
		}
	}
	return shipment.Load{}, finding, nil
}

func (a *App) audit(tx *store.Tx, received, b freightbill.Bill, load shipment.Load) error {
	outcome, err := judge(tx, b, load)
	if err != nil {
		return err
	}
	b = b.Reaudited(outcome)
	if !outcome.Approved {
		return a.decide(tx, received, b, freightbill.Except)
	}
	if err := a.decide(tx, received, b, freightbill.Approve); err != nil {
		return err
	}
	return a.pay(tx, b, load, b.Received)
}

// judge audits a matched bill by what is known now.
func judge(tx *store.Tx, b freightbill.Bill, load shipment.Load) (freightbill.Outcome, error) {
	evidence, err := gather(tx, b, load)
	if err != nil {
		return freightbill.Outcome{}, err
	}
	return freightbill.Audit(b, evidence, freightbill.DefaultTolerance())
}

// Resume audits the bills of a load anew that waited for its delivery or the proof of it. Which of several is paid is decided by which
// came first.
func (a *App) Resume(tx *store.Tx, name string) error {
	load, err := tx.Load(name)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	bills, err := tx.BillsOf(load.Number)
	if err != nil {
		return err
	}
	for _, b := range bills {
		if b.Load != load.Name || !b.Held() {
			continue
		}
		outcome, err := judge(tx, b, load)
		if err != nil {
			return err
		}
		anew := b.Reaudited(outcome)
		anew.Related = load.Related
		switch {
		case outcome.Approved:
			if anew, err = anew.Do(freightbill.Approve); err != nil {
				return err
			}
			if err := firstError(tx.SaveFreightBill(anew, freightbill.ApprovedFact{Bill: anew}), a.pay(tx, anew, load, a.now())); err != nil {
				return err
			}
			if load, err = tx.Load(name); err != nil {
				return err
			}
		case !slices.Equal(anew.Findings, b.Findings):
			if err := tx.SaveFreightBill(anew, freightbill.ExceptedFact{Bill: anew}); err != nil {
				return err
			}
		}
	}
	return nil
}

// pay clears what was accrued for the load of an approved bill and owes the carrier what it billed.
func (a *App) pay(tx *store.Tx, b freightbill.Bill, load shipment.Load, at time.Time) error {
	accrued, err := money.Zero(b.Total.Currency())
	if err != nil {
		return err
	}
	open, err := openAccruals(tx, load.Name)
	if err != nil {
		return err
	}
	for _, x := range open {
		if accrued, err = accrued.Add(x.Charge.Amount); err != nil {
			return err
		}
		if x, err = x.Do(accrual.Clear); err != nil {
			return err
		}
		if err := tx.SaveAccrual(x); err != nil {
			return err
		}
	}
	load.FreightBill = cmp.Or(load.FreightBill, b.Name)
	if err := tx.SaveLoad(load); err != nil {
		return err
	}
	entry, err := ledger.BillApproved(accrued, b.Total)
	if err != nil {
		return err
	}
	return tx.Post(posting(entry, load.LegalEntity, b.Name, b.Leads(), at))
}

func openAccruals(tx *store.Tx, load string) ([]accrual.Accrual, error) {
	all, err := tx.Accruals(load)
	return slices.DeleteFunc(all, func(x accrual.Accrual) bool { return x.State != accrual.Open }), err
}

// gather collects what a matched bill is audited against.
func gather(tx *store.Tx, b freightbill.Bill, load shipment.Load) (freightbill.Evidence, error) {
	e := freightbill.Evidence{
		ShipDate: load.ShipDate, WePay: load.WePay(), BilledBy: load.FreightBill, Delivered: len(load.Shipments) > 0, Proven: len(load.Shipments) > 0,
		Withdrawn: load.Cancelled,
	}
	party, err := tx.Party(b.Carrier)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return e, err
	}
	e.CarrierKnown, e.BillWithin = party.Carrier, party.BillWithin
	if e.Contract, err = tx.ContractInForce(b.Carrier, load.ShipDate); err != nil {
		return e, err
	}
	for _, name := range load.Shipments {
		s, err := tx.Shipment(name)
		if err != nil {
			return e, err
		}
		e.Delivered = e.Delivered && !s.Delivered.IsZero()
		e.Proven = e.Proven && s.ProofState >= shipment.Received
	}
	if e.Accrued, err = openAccruals(tx, load.Name); err != nil {
		return e, err
	}
	e.Fuel, err = fuel(tx, load, e.Accrued)
	return e, err
}

// fuel computes the surcharge anew on the accrued line-haul, by the contract version that priced the load. Where master data does
// not hold what that needs, or holds no index or band for the day, the accrual is all there is.
func fuel(tx *store.Tx, load shipment.Load, accrued []accrual.Accrual) (*money.Amount, error) {
	for _, x := range accrued {
		if x.Charge.Code != rating.LineHaulCharge {
			continue
		}
		computed, err := tx.FuelOf(load.Contract, load.ShipDate, x.Charge.Amount)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, rating.ErrNoIndex) || errors.Is(err, rating.ErrNoBand) {
			return nil, nil
		}
		return computed, err
	}
	return nil, nil
}

// decide applies the audit's verdict to a bill, keeps it and tells that it came and what became of it.
func (a *App) decide(tx *store.Tx, received, b freightbill.Bill, verb freightbill.Verb) error {
	b, err := b.Do(verb)
	if err != nil {
		return err
	}
	var verdict any = freightbill.ExceptedFact{Bill: b}
	if b.State == freightbill.Approved {
		verdict = freightbill.ApprovedFact{Bill: b}
	}
	return tx.SaveFreightBill(b, freightbill.ReceivedFact{Bill: received}, verdict)
}
