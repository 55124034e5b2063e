// Package shipment is for what billing knows of the goods and their carriage: releases with prices, shipments with
// their delivery, loads with their carrier, and open holds. The facts of orders and freight say all of it; billing
// decides on this copy and changes none of it.
package shipment

import (
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/quantity"
)

// FreightTerms is who pays the freight.
type FreightTerms string

// The freight terms.
const (
	Prepaid       FreightTerms = "PREPAID"         // we pay the carrier; freight is inside the goods price
	PrepaidAndAdd FreightTerms = "PREPAID_AND_ADD" // we pay the carrier and bill freight by the customer's contract
	Collect       FreightTerms = "COLLECT"         // the customer pays the carrier
)

// ExternalID is an item in another system's words.
type ExternalID struct{ System, Kind, Qualifier, Value string }

// Release is the part of an order that was handed to planning.
type Release struct {
	Name                string
	Order               string
	CustomerOrderNumber string
	Customer            string
	LegalEntity         string
	Currency            string
	PaymentTerms        string // printed; empty means those on file
	Contract            string // the customer's version in force at the release; empty when none was known
	Lines               []ReleaseLine
}

// ReleaseLine is the released part of an order line.
type ReleaseLine struct {
	Line        string
	Item        string
	Description string
	Quantity    quantity.Quantity
	UnitPrice   decimal.Decimal // in the release's currency
	ExternalIDs []ExternalID
}

// Shipment is a release on its way.
type Shipment struct {
	Name                string
	Release             string
	Order               string
	CustomerOrderNumber string
	Customer            string
	LegalEntity         string
	ShipFrom, ShipTo    string
	Mode                string // "TL" or "LTL"
	Terms               FreightTerms
	Load                string
	GrossWeight         quantity.Quantity // as shipped
	Departed            time.Time         // zero before
	Delivered           time.Time         // zero before
	Proof               string            // proof of delivery in force; empty before
	ProofState          ProofState
	ProofSigned         time.Time
	Cancelled           bool
	Authorization       string // billing's own: the authorisation; empty before
	Lines               []Line
}

// Line is what became of a shipped line.
type Line struct {
	Line    string
	Shipped quantity.Quantity
	// Proven tells whether a proof of delivery spoke of the line; the rest has no meaning without.
	Proven                            bool
	Accepted, Short, Damaged, Refused quantity.Quantity
}

// ProofState is the quality of a proof of delivery. Higher is better; Missing is none.
type ProofState int

// The states of a proof.
const (
	Missing ProofState = iota
	Received
	Verified
)

// String is the state's name.
func (p ProofState) String() string {
	switch p {
	case Received:
		return "RECEIVED"
	case Verified:
		return "VERIFIED"
	}
	return "MISSING"
}

// ParseProofState reads a name; what is no known state is Missing.
func ParseProofState(s string) ProofState {
	switch s {
	case "RECEIVED":
		return Received
	case "VERIFIED":
		return Verified
	}
	return Missing
}

// Load is what a carrier is paid for.
type Load struct {
	Name             string
	Number           string
	LegalEntity      string
	ShipDate         calendar.Date // local to the first stop
	Lane             string
	Carrier          string
	CarrierReference string
	Booked           bool
	Cancelled        bool
	Contract         string // the carrier's version that priced it; empty for collect freight
	Shipments        []string
	Related          []string // names and numbers that lead to it
	AccruedCharges   int      // billing's own: how many charges are accrued
	FreightBill      string   // billing's own: the approved bill; empty before
}

// WePay reports whether the carrier bills us: the load was priced at booking. Collect loads are not.
func (l Load) WePay() bool { return l.Contract != "" }

// Hold is an open hold of an order.
type Hold struct{ Order, Kind, Reason string }
