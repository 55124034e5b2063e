// Package predicate is for the question whether a shipment may be billed.
//
// It promises that every condition is evaluated on its own, in a fixed order, with what it was decided on in words, whether or
// not another failed: the caller learns all that is missing at once. It decides on evidence given to it and knows no store.
package predicate

import (
	"fmt"
	"strings"
	"time"

	"crossdock.dev/services/billing/internal/shipment"
)

// The conditions, in the order of evaluation.
const (
	Delivered          = "delivered"
	ProofOfDelivery    = "proof_of_delivery"
	NoBlockingHold     = "no_blocking_hold"
	ChargesComplete    = "charges_complete"
	QuantitiesAccepted = "quantities_accepted"
	ExceptionsResolved = "exceptions_resolved"
)

// Policy is what the customer's contract asks for.
type Policy struct {
	Contract string
	// Proof is the least quality of the proof of delivery.
	Proof shipment.ProofState
	// BillCleanPart allows billing what was accepted while the rest of a delivery is disputed.
	BillCleanPart bool
}

// Evidence is what the decision rests on.
type Evidence struct {
	Shipment shipment.Shipment
	Load     shipment.Load
	Holds    []shipment.Hold
	Policy   Policy
	// Incomplete says in words which price or charge is missing; empty when all are known.
	Incomplete []string
}

// Conjunct is one condition with its truth.
type Conjunct struct {
	Condition string
	Met       bool
	Evidence  string
}

// Unmet returns the conditions that do not hold.
func Unmet(all []Conjunct) []Conjunct {
	var out []Conjunct
	for _, c := range all {
		if !c.Met {
			out = append(out, c)
		}
	}
	return out
}

// Evaluate evaluates every condition.
func Evaluate(e Evidence) []Conjunct {
	return []Conjunct{delivered(e), proof(e), holds(e), charges(e), quantities(e), exceptions(e)}
}

// most is how many of a list are said in words; a delivery of a thousand lines is not told line by line.
const most = 5

// join says the first of a list and how many more there are.
func join(list []string) string {
	if len(list) <= most {
		return strings.Join(list, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(list[:most], "; "), len(list)-most)
}

func delivered(e Evidence) Conjunct {
	c := Conjunct{Condition: Delivered}
	switch {
	case e.Shipment.Cancelled:
		c.Evidence = e.Shipment.Name + " was cancelled"
	case e.Shipment.Delivered.IsZero():
		c.Evidence = e.Shipment.Name + " has no actual delivery"
	default:
		c.Met = true
		c.Evidence = e.Shipment.Name + " handed over at " + e.Shipment.Delivered.UTC().Format(time.RFC3339)
	}
	return c
}

func proof(e Evidence) Conjunct {
	c := Conjunct{Condition: ProofOfDelivery, Met: e.Shipment.ProofState >= max(e.Policy.Proof, shipment.Received)}
	c.Evidence = fmt.Sprintf("%s required by %s, ", max(e.Policy.Proof, shipment.Received), e.Policy.Contract)
	if e.Shipment.Proof == "" {
		c.Evidence += "none received"
		return c
	}
	c.Evidence += fmt.Sprintf("%s is %s, signed %s", e.Shipment.Proof, e.Shipment.ProofState,
		e.Shipment.ProofSigned.UTC().Format(time.RFC3339))
	return c
}

func holds(e Evidence) Conjunct {
	c := Conjunct{Condition: NoBlockingHold, Met: len(e.Holds) == 0, Evidence: "no open hold on " + e.Shipment.Order}
	if c.Met {
		return c
	}
	var open []string
	for _, h := range e.Holds {
		open = append(open, h.Kind+" ("+h.Reason+")")
	}
	c.Evidence = e.Shipment.Order + " is held: " + join(open)
	return c
}

func charges(e Evidence) Conjunct {
	missing := e.Incomplete
	if e.Shipment.Terms != shipment.Collect && e.Load.AccruedCharges == 0 {
		missing = append(append([]string(nil), missing...), "the carrier's cost is not accrued")
	}
	c := Conjunct{Condition: ChargesComplete, Met: len(missing) == 0, Evidence: join(missing)}
	if c.Met {
		c.Evidence = "goods and freight are priced by " + e.Policy.Contract
		if e.Shipment.Terms == shipment.Collect {
			c.Evidence += ", freight is collect"
		} else {
			c.Evidence += fmt.Sprintf(", %d charges of %s accrued", e.Load.AccruedCharges, e.Load.Name)
		}
	}
	return c
}

func quantities(e Evidence) Conjunct {
	c := Conjunct{Condition: QuantitiesAccepted}
	var wrong []string
	some := false
	for _, l := range e.Shipment.Lines {
		switch over, err := l.Accepted.Cmp(l.Shipped); {
		case !l.Proven:
			wrong = append(wrong, "line "+l.Line+" is not proven")
		case err != nil:
			wrong = append(wrong, "line "+l.Line+" is accepted in another unit than shipped")
		case over > 0 || l.Accepted.Sign() < 0:
			wrong = append(wrong, fmt.Sprintf("line %s: accepted %s of shipped %s", l.Line, l.Accepted, l.Shipped))
		default:
			some = some || l.Accepted.Sign() > 0
		}
	}
	if len(wrong) == 0 && !some {
		wrong = append(wrong, "nothing was accepted")
	}
	c.Met, c.Evidence = len(wrong) == 0, join(wrong)
	if c.Met {
		c.Evidence = fmt.Sprintf("%d lines accepted by %s", len(e.Shipment.Lines), e.Shipment.Proof)
	}
	return c
}

func exceptions(e Evidence) Conjunct {
	var open []string
	for _, l := range e.Shipment.Lines {
		if !l.Proven {
			continue
		}
		for _, x := range []struct {
			what string
			q    interface {
				Sign() int
				String() string
			}
		}{{"short", l.Short}, {"damaged", l.Damaged}, {"refused", l.Refused}} {
			if x.q.Sign() > 0 {
				open = append(open, fmt.Sprintf("line %s: %s %s", l.Line, x.q, x.what))
			}
		}
	}
	c := Conjunct{Condition: ExceptionsResolved, Met: len(open) == 0, Evidence: "none"}
	if len(open) > 0 {
		c.Evidence = join(open)
		if c.Met = e.Policy.BillCleanPart; c.Met {
			c.Evidence += "; " + e.Policy.Contract + " bills the clean part"
		}
	}
	return c
}
