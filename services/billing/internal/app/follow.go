package app

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/rating"

	"crossdock.dev/services/billing/internal/accrual"
	"crossdock.dev/services/billing/internal/ledger"
	"crossdock.dev/services/billing/internal/shipment"
	"crossdock.dev/services/billing/internal/store"
)

// The verbs of this file keep what other services told. They run inside the consumer's change, so the cursor and the effect are
// one commit; telling the same again changes nothing.

// Release keeps a release with its prices.
func (a *App) Release(tx *store.Tx, r shipment.Release) error { return tx.SaveRelease(r) }

// Hold keeps an open hold; until it is released nothing of the order is billed.
func (a *App) Hold(tx *store.Tx, h shipment.Hold) error { return tx.SaveHold(h) }

// HoldReleased removes a hold.
func (a *App) HoldReleased(tx *store.Tx, h shipment.Hold) error { return tx.DropHold(h.Order, h.Kind) }

// Shipment keeps what freight says of a shipment. What billing itself noted, and what the proof of delivery said, stays.
func (a *App) Shipment(tx *store.Tx, s shipment.Shipment) error {
	before, err := tx.Shipment(s.Name)
	switch {
	case err == nil:
		s.Authorization, s.Proof, s.ProofState, s.ProofSigned = before.Authorization, before.Proof, before.ProofState, before.ProofSigned
		s.Cancelled = s.Cancelled || before.Cancelled
		if s.Delivered.IsZero() {
			s.Delivered = before.Delivered
		}
		if s.Departed.IsZero() {
			s.Departed = before.Departed
		}
		for i, l := range s.Lines {
			if at := slices.IndexFunc(before.Lines, func(b shipment.Line) bool { return b.Line == l.Line }); at >= 0 && before.Lines[at].Proven {
				s.Lines[i] = before.Lines[at]
			}
		}
		if len(s.Lines) == 0 {
			s.Lines = before.Lines
		}
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return tx.SaveShipment(s)
}

// Proof keeps what a proof of delivery says of a shipment's lines. Once the shipment is authorised its figures are settled, and a
// later proof changes only what is on file.
func (a *App) Proof(tx *store.Tx, name, proof string, state shipment.ProofState, signed time.Time, lines []shipment.Line) error {
	s, err := tx.Shipment(name)
	if err != nil {
		return err
	}
	s.Proof, s.ProofState, s.ProofSigned = proof, state, signed
	for _, l := range lines {
		l.Proven = true
		if at := slices.IndexFunc(s.Lines, func(x shipment.Line) bool { return x.Line == l.Line }); at >= 0 {
			s.Lines[at] = l
		} else {
			s.Lines = append(s.Lines, l)
		}
	}
	return tx.SaveShipment(s)
}

// Load keeps what freight says of a load. What billing itself noted stays, and so does what a later word leaves out.
func (a *App) Load(tx *store.Tx, l shipment.Load) error {
	l, err := merge(tx, l)
	if err != nil {
		return err
	}
	return tx.SaveLoad(l)
}

func merge(tx *store.Tx, l shipment.Load) (shipment.Load, error) {
	before, err := tx.Load(l.Name)
	if errors.Is(err, store.ErrNotFound) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	l.AccruedCharges, l.FreightBill = before.AccruedCharges, before.FreightBill
	l.Booked, l.Cancelled = l.Booked || before.Booked, l.Cancelled || before.Cancelled
	l.Contract, l.Carrier = cmp.Or(l.Contract, before.Contract), cmp.Or(l.Carrier, before.Carrier)
	l.CarrierReference = cmp.Or(l.CarrierReference, before.CarrierReference)
	if len(l.Shipments) == 0 {
		l.Shipments = before.Shipments
	}
	for _, n := range before.Related {
		if !slices.Contains(l.Related, n) {
			l.Related = append(l.Related, n)
		}
	}
	return l, nil
}

// Charges are what a carrier will be owed for a load.
type Charges struct {
	Charges     []accrual.Charge
	Explanation rating.Node
}

// Book keeps a booked load and accrues its charges, once: told again, or after the load was called off, it accrues nothing.
func (a *App) Book(tx *store.Tx, l shipment.Load, c Charges) error {
	related := l.Related // of everything aboard; what has left the load since it was planned leads to it no more
	l, err := merge(tx, l)
	if err != nil {
		return err
	}
	l.Related = related
	if l.AccruedCharges > 0 || l.Cancelled {
		return tx.SaveLoad(l)
	}
	l.AccruedCharges = len(c.Charges)
	return firstError(tx.SaveLoad(l), a.accrue(tx, l, c, accrual.Booking, ledger.LoadBooked))
}

// Cancel keeps that a load was called off: what was expected of it is expected no longer, and what is owed all the same, such as a
// truck that was ordered and not used, is expected instead.
func (a *App) Cancel(tx *store.Tx, l shipment.Load, c Charges, why string) error {
	before, err := tx.Load(l.Name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if l, err = merge(tx, l); err != nil {
		return err
	}
	l.Cancelled = true
	if before.Cancelled {
		return tx.SaveLoad(l)
	}
	all, err := tx.Accruals(l.Name)
	if err != nil {
		return err
	}
	reversed, change, err := accrual.ReverseOpen(all)
	if err != nil {
		return err
	}
	return firstError(tx.SaveLoad(l), a.expect(tx, l, reversed, nil, ledger.LoadWithdrawn, change),
		a.accrue(tx, l, c, "the withdrawal: "+why, ledger.TruckNotUsed))
}

// Prove accrues an accessorial that is owed by its evidence, to the shipments that it belongs to.
func (a *App) Prove(tx *store.Tx, l shipment.Load, of []string, c accrual.Charge, evidence string) error {
	l, err := merge(tx, l)
	if err != nil {
		return err
	}
	to, err := aboard(tx, of)
	if err != nil {
		return err
	}
	existing, err := tx.Accruals(l.Name)
	if err != nil {
		return err
	}
	change, err := accrual.Prove(existing, a.accrual(l, evidence), c, to, a.newAccrual)
	if err != nil || change.IsZero() {
		return firstError(err, tx.SaveLoad(l))
	}
	moment := ledger.AccessorialProven
	if c.Code == rating.DetentionCharge {
		moment = ledger.DetentionProven
	}
	var made []accrual.Accrual
	if change.Made != nil {
		made = append(made, *change.Made)
	}
	return firstError(tx.SaveLoad(l), a.expect(tx, l, change.Reversed, made, moment, change.Difference))
}

func (a *App) newAccrual() string { return "accruals/" + a.ids.New("acr") }

// accrual is what all accruals of a load have in common.
func (a *App) accrual(l shipment.Load, evidence string) accrual.Accrual {
	return accrual.Accrual{
		Load: l.Name, LoadNumber: l.Number, Carrier: l.Carrier, LegalEntity: l.LegalEntity, Contract: l.Contract, Evidence: evidence, Created: a.now(),
	}
}

// aboard are shipments as they share charges.
func aboard(tx *store.Tx, names []string) ([]accrual.Aboard, error) {
	var out []accrual.Aboard
	for _, name := range names {
		s, err := tx.Shipment(name)
		if err != nil {
			return nil, err
		}
		out = append(out, accrual.Aboard{Shipment: s.Name, Order: s.Order, CustomerOrderNumber: s.CustomerOrderNumber, Weight: s.GrossWeight})
	}
	return out, nil
}

// accrue expects charges of everything aboard a load.
func (a *App) accrue(tx *store.Tx, l shipment.Load, c Charges, evidence string, moment ledger.Moment) error {
	if len(c.Charges) == 0 {
		return nil
	}
	all, err := aboard(tx, l.Shipments)
	if err != nil {
		return err
	}
	made, sum, err := accrual.Book(a.accrual(l, evidence), c.Charges, c.Explanation, all, a.newAccrual)
	if err != nil {
		return err
	}
	return a.expect(tx, l, nil, made, moment, sum)
}

// expect keeps accruals that were reversed and made, and posts by how much the expectation changed.
func (a *App) expect(tx *store.Tx, l shipment.Load, reversed, made []accrual.Accrual, moment ledger.Moment, change money.Amount) error {
	for _, x := range reversed {
		if err := tx.SaveAccrual(x, accrual.ReversedFact{Accrual: x, Related: l.Related}); err != nil {
			return err
		}
	}
	for _, x := range made {
		if err := tx.SaveAccrual(x, accrual.Accrued{Accrual: x, Related: l.Related}); err != nil {
			return err
		}
	}
	if change.IsZero() {
		return nil
	}
	entry, err := ledger.Accrual(moment, change)
	if err != nil {
		return err
	}
	return tx.Post(posting(entry, l.LegalEntity, l.Name, l.Related, a.now()))
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
