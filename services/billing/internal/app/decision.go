package app

import (
	"context"
	"errors"
	"time"

	platform "crossdock.dev/platform/store"

	"crossdock.dev/services/billing/internal/freightbill"
	"crossdock.dev/services/billing/internal/shipment"
	"crossdock.dev/services/billing/internal/store"
)

// ErrStale means that a bill has changed since the caller read it.
var ErrStale = errors.New("the bill has changed")

// UnmatchedError says that a bill cannot be paid because no single load is found for it.
type UnmatchedError struct{ Bill, Detail string }

// Error names the bill and why.
func (e *UnmatchedError) Error() string { return e.Bill + ": " + e.Detail }

// Decision is a person's word on a bill that the audit did not approve.
type Decision struct {
	Bill    string
	ETag    string // the revision that was decided on; empty decides on any
	Verb    freightbill.Verb
	Reason  string
	Dispute freightbill.Code // disputes only
}

// Decide carries out a person's decision: an approval is paid against what was accrued for the load, a refusal gives the bill's
// number back. A decision that was made before changes nothing.
func (a *App) Decide(ctx context.Context, cause platform.Cause, d Decision) (freightbill.Bill, platform.Position, error) {
	name, at, err := a.store.Change(ctx, cause, func(tx *store.Tx) (string, error) {
		before, err := tx.FreightBill(d.Bill)
		if err != nil {
			return "", err
		}
		if d.ETag != "" && d.ETag != before.State.String() {
			return "", ErrStale
		}
		now := a.now()
		b, changed, err := before.Decide(d.Verb, freightbill.Decision{Reason: d.Reason, Dispute: d.Dispute, Time: now})
		if err != nil || !changed {
			return before.Name, err
		}
		return b.Name, a.conclude(tx, before.State, b, now)
	})
	if err != nil {
		return freightbill.Bill{}, at, err
	}
	out, err := a.FreightBill(ctx, name)
	return out, at, err
}

// conclude keeps a bill with a person's decision and does what follows from it.
func (a *App) conclude(tx *store.Tx, from freightbill.State, b freightbill.Bill, at time.Time) error {
	candidates, err := tx.LoadsByReference(b.LoadNumber, b.CarrierReference)
	if err != nil {
		return err
	}
	b.Related = relatedOf(candidates, b)
	told := func(fact any) []any {
		if from == freightbill.Disputed {
			return []any{freightbill.ResolvedFact{Bill: b}, fact}
		}
		return []any{fact}
	}
	switch b.State {
	case freightbill.Disputed:
		return tx.SaveFreightBill(b, freightbill.DisputedFact{Bill: b})
	case freightbill.Rejected:
		return firstError(tx.FreeBillNumber(b), tx.SaveFreightBill(b, told(freightbill.RejectedFact{Bill: b})...))
	}
	load, err := found(tx, &b, candidates)
	if err != nil {
		return err
	}
	return firstError(tx.SaveFreightBill(b, told(freightbill.ApprovedFact{Bill: b})...), a.pay(tx, b, load, at))
}

// found returns the load that an approved bill is paid for: the one that it was matched to, or the one that it matches by now.
func found(tx *store.Tx, b *freightbill.Bill, candidates []shipment.Load) (shipment.Load, error) {
	if b.Load != "" {
		return tx.Load(b.Load)
	}
	load, finding, err := match(tx, *b, candidates)
	if err != nil {
		return load, err
	}
	if load.Name == "" {
		return load, &UnmatchedError{b.Name, finding.Detail}
	}
	b.Load, b.Findings = load.Name, append(b.Findings, finding)
	return load, nil
}
