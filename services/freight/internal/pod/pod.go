// Package pod is for proofs of delivery: what the consignee took, signed. It promises that what a proof says adds up to what was
// shipped: shipped = accepted + short + damaged + refused, for each line. It never holds who signed; that is personal and kept
// apart by package store. Whether a proof suffices for billing is left to billing.
package pod

import (
	"fmt"
	"slices"
	"time"

	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/quantity"

	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/shipment"
)

// Type is the kind of proof.
type Type string

// The types.
const (
	SignedReceipt Type = "SIGNED_RECEIPT"
	ESignature    Type = "E_SIGNATURE"
	Photo         Type = "PHOTO"
)

// State is the quality of a proof.
type State string

// The states.
const (
	Received   State = "RECEIVED"
	Verified   State = "VERIFIED"
	Superseded State = "SUPERSEDED"
)

// Kind is what was wrong with a quantity.
type Kind string

// The kinds.
const (
	Short   Kind = "SHORT"
	Damaged Kind = "DAMAGED"
	Refused Kind = "REFUSED"
	Over    Kind = "OVER" // more than shipped; takes nothing from the accepted quantity
)

// Exception is a quantity that was not taken clean.
type Exception struct {
	Line     string
	Kind     Kind
	Quantity quantity.Quantity // in the line's unit
	Note     string            // the consignee's words, kept as written
}

// Skew is how far in the future a signature may lie, because clocks differ.
const Skew = 15 * time.Minute

// Statement is what a proof says.
type Statement struct {
	Load, Order    string // as the sender named them
	Type           Type
	SignedAt       time.Time
	Pieces         int32 // handling units (cartons) received
	Exceptions     []Exception
	DocumentSHA256 string
}

// Proof is a proof of delivery of one shipment.
type Proof struct {
	Name string // "proofsOfDelivery/pod_..."
	Statement
	Shipment    string
	Customer    string
	Carrier     string
	State       State
	ReceiveTime time.Time
}

// Line is what became of a shipped line.
type Line struct {
	Line                                       string
	Shipped, Accepted, Short, Damaged, Refused quantity.Quantity
}

// Check tells what became of each line, or what a statement has wrong. It is called with the instant at which the statement
// came in.
func Check(st Statement, s shipment.Shipment, now time.Time) ([]Line, error) {
	var bad refusal.FieldErrors
	lines := make([]Line, len(s.Lines))
	at := map[string]int{}
	for i, l := range s.Lines {
		none := l.Quantity.Mul(decimal.Zero)
		lines[i] = Line{Line: l.Line, Shipped: l.Quantity, Accepted: l.Quantity, Short: none, Damaged: none, Refused: none}
		at[l.Line] = i
	}
	over := false
	for i, e := range st.Exceptions {
		path := fmt.Sprintf("proof_of_delivery.exceptions[%d]", i)
		j, ok := at[e.Line]
		switch {
		case !ok:
			bad.Add(path+".line", "is no line of the shipment")
			continue
		case e.Quantity.Unit() != lines[j].Shipped.Unit():
			bad.Add(path+".quantity.unit", "is %s, but the line was shipped in %s", e.Quantity.Unit(), lines[j].Shipped.Unit())
			continue
		case e.Quantity.Sign() <= 0:
			bad.Add(path+".quantity.value", "must be greater than zero")
			continue
		case e.Kind == Over:
			over = true
			continue
		}
		if err := lines[j].take(e); err != nil {
			return nil, err
		}
		if lines[j].Accepted.Sign() < 0 {
			bad.Add(path+".quantity.value", "with the line's other exceptions is more than the %s shipped", lines[j].Shipped)
		}
	}
	if st.Pieces > s.Cartons && !over {
		bad.Add("proof_of_delivery.pieces", "is more than the %d cartons shipped", s.Cartons)
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	if st.SignedAt.After(now.Add(Skew)) {
		return nil, refusal.Precondition(refusal.FutureDated, "signed_at", st.SignedAt.Format(time.RFC3339), "now", now.Format(time.RFC3339))
	}
	if st.Pieces < s.Cartons && len(st.Exceptions) == 0 {
		return nil, refusal.Precondition(refusal.PiecesMismatch, "field", "proof_of_delivery.pieces",
			"pieces", fmt.Sprint(st.Pieces), "cartons", fmt.Sprint(s.Cartons))
	}
	return lines, nil
}

func (l *Line) take(e Exception) error {
	into := map[Kind]*quantity.Quantity{Short: &l.Short, Damaged: &l.Damaged, Refused: &l.Refused}[e.Kind]
	if into == nil {
		return fmt.Errorf("unknown kind of exception %q", e.Kind)
	}
	var err error
	if *into, err = into.Add(e.Quantity); err != nil {
		return err
	}
	l.Accepted, err = l.Accepted.Sub(e.Quantity)
	return err
}

// Says reports whether two statements say the same. Who they name as load and order, and who signed, is compared elsewhere.
func (st Statement) Says(x Statement) bool {
	return st.Type == x.Type && st.SignedAt.Equal(x.SignedAt) && st.Pieces == x.Pieces && st.DocumentSHA256 == x.DocumentSHA256 &&
		slices.EqualFunc(st.Exceptions, x.Exceptions, func(a, b Exception) bool {
			return a.Line == b.Line && a.Kind == b.Kind && a.Note == b.Note && a.Quantity.Equal(b.Quantity)
		})
}
