package app

import (
	"context"
	"strings"

	"crossdock.dev/services/freight/internal/fact"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/pod"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/store"
)

// ProveInput is a signed proof.
type ProveInput struct {
	Cause      Cause
	Statement  pod.Statement
	ReceivedBy string // who signed; kept apart, see package store
	Sees       Sees
}

// CreateProofOfDelivery records a signed proof. The same proof again changes nothing; another one supersedes it. It may come
// before the delivery is claimed.
func (a *App) CreateProofOfDelivery(ctx context.Context, in ProveInput) (pod.Proof, Position, error) {
	return store.Change(ctx, a.store, in.Cause, store.ProofAnswer, func(tx *store.Tx) (pod.Proof, error) {
		l, err := named(tx, in.Statement.Load)
		if err != nil {
			return pod.Proof{}, err
		}
		if err := taken(l, in.Sees); err != nil {
			return pod.Proof{}, err
		}
		if l.State == load.Cancelled {
			return pod.Proof{}, refusal.Precondition(refusal.LoadCancelled, "load", l.Name)
		}
		aboard, err := tx.Aboard(l)
		if err != nil {
			return pod.Proof{}, err
		}
		i, err := ordered(aboard, in.Statement.Order)
		if err != nil {
			return pod.Proof{}, err
		}
		now := a.clock.Now()
		lines, err := pod.Check(in.Statement, aboard[i], now)
		if err != nil {
			return pod.Proof{}, err
		}
		known, same, err := a.supersede(tx, aboard[i], in)
		if err != nil || same {
			return known, err
		}
		p := pod.Proof{
			Name: "proofsOfDelivery/" + a.ids.New("pod"), Statement: in.Statement, Shipment: aboard[i].Name, Customer: aboard[i].Customer,
			Carrier: l.Carrier, State: pod.Received, ReceiveTime: now,
		}
		if err := tx.AddProof(p, in.ReceivedBy); err != nil {
			return p, err
		}
		aboard[i].Proof = p.Name
		if err := tx.PutShipment(&aboard[i]); err != nil {
			return p, err
		}
		tx.OccurAt(p.SignedAt)
		about := fact.About{Load: l, Shipments: aboard}
		return p, tx.Tell(fact.ProofReceived{About: about, Proof: p, Shipment: aboard[i], Lines: lines})
	})
}

// supersede makes way for another proof of a shipment; same tells that the one in force says just that.
func (a *App) supersede(tx *store.Tx, s shipment.Shipment, in ProveInput) (old pod.Proof, same bool, err error) {
	if s.Proof == "" {
		return old, false, nil
	}
	if old, err = tx.Proof(s.Proof); err != nil {
		return old, false, err
	}
	by, err := tx.Signatory(s.Proof)
	if err != nil {
		return old, false, err
	}
	if old.Says(in.Statement) && by == in.ReceivedBy {
		return old, true, nil
	}
	old.State = pod.Superseded
	return old, false, tx.PutProof(old)
}

// named finds a load by its name or its number.
func named(tx *store.Tx, s string) (load.Load, error) {
	if strings.HasPrefix(s, "loads/") {
		return tx.Load(s)
	}
	return tx.LoadByNumber(s)
}

// ordered finds the one shipment of an order, given by its name or its number at the customer.
func ordered(aboard []shipment.Shipment, order string) (int, error) {
	var bad refusal.FieldErrors
	found := -1
	for i, s := range aboard {
		switch {
		case s.Order != order && s.CustomerOrderNumber != order:
		case found >= 0:
			bad.Add("proof_of_delivery.order", "names several shipments of the load")
			return 0, bad.Err()
		default:
			found = i
		}
	}
	if found < 0 {
		bad.Add("proof_of_delivery.order", "is not aboard the load")
	}
	return found, bad.Err()
}
