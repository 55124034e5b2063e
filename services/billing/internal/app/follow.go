package app

import (
	"errors"
	"slices"
	"time"

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

// Load keeps what freight says of a load. Charges that are not accrued yet are accrued and posted: those of the booking together,
// later ones, such as proven detention, as they come.
func (a *App) Load(tx *store.Tx, l shipment.Load, charges []accrual.Charge, explanation rating.Node) error {
	before, err := tx.Load(l.Name)
	switch {
	case err == nil:
		l.AccruedCharges, l.FreightBill = before.AccruedCharges, before.FreightBill
		if l.Contract == "" {
			l.Contract = before.Contract
		}
		for _, n := range before.Related {
			if !slices.Contains(l.Related, n) {
				l.Related = append(l.Related, n)
			}
		}
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	now := a.now()
	made, sum, err := accrual.Book(accrual.Accrual{
		Load: l.Name, LoadNumber: l.Number, Carrier: l.Carrier, LegalEntity: l.LegalEntity, Contract: l.Contract, Created: now,
	}, charges, explanation, l.AccruedCharges, func() string { return "accruals/" + a.ids.New("acr") })
	if err != nil {
		return err
	}
	moment := ledger.LoadBooked
	switch {
	case l.AccruedCharges == 0:
	case len(made) > 0 && made[0].Charge.Code == rating.DetentionCharge:
		moment = ledger.DetentionProven
	default:
		moment = ledger.AccessorialProven
	}
	l.AccruedCharges += len(made)
	if err := tx.SaveLoad(l); err != nil {
		return err
	}
	for _, x := range made {
		if err := tx.SaveAccrual(x, accrual.Accrued{Accrual: x, Related: l.Related}); err != nil {
			return err
		}
	}
	if sum.IsZero() {
		return nil
	}
	entry, err := ledger.Accrual(moment, sum)
	if err != nil {
		return err
	}
	return tx.Post(posting(entry, l.LegalEntity, l.Name, l.Related, now))
}
