// Package network is for the shipper's freight network as freight needs it: sites, lanes, items, carriers, routing guides and
// who pays for freight. The values are copies of master data; keeping them current is left to package inbound.
package network

import (
	"slices"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"
)

// Location is a site.
type Location struct {
	Name     string
	Zone     string // IANA
	City     string
	State    string
	Postcode string
	Country  string   // ISO 3166-1 alpha-2
	Flags    []string // "dock", "liftgate", "residential"
}

// Accessorials are the extra services that the site needs of a carrier which delivers there.
func (l Location) Accessorials() []rating.ChargeCode {
	var out []rating.ChargeCode
	if slices.Contains(l.Flags, "liftgate") {
		out = append(out, rating.LiftgateCharge)
	}
	if slices.Contains(l.Flags, "residential") {
		out = append(out, rating.ResidentialCharge)
	}
	return out
}

// MassUnit is the unit of weights that ship from the site, VolumeUnit that of volumes: US customary in the United States,
// metric elsewhere.
func (l Location) MassUnit() quantity.Unit {
	if l.Country == "US" {
		return quantity.Pound
	}
	return quantity.Kilogram
}

// VolumeUnit is the unit of volumes that ship from the site.
func (l Location) VolumeUnit() quantity.Unit {
	if l.Country == "US" {
		return quantity.CubicFoot
	}
	return quantity.CubicMetre
}

// Lane is a way between two sites.
type Lane struct {
	Name                string
	Origin, Destination string
	Distance            quantity.Quantity
	DistanceSource      string
}

// Item is something that is shipped.
type Item struct {
	Name           string
	Description    string
	BaseUnit       quantity.Unit
	GrossWeight    quantity.Quantity // of one base unit
	UnitsPerCarton int32
	CartonSides    []decimal.Decimal // length, width, height in DimensionUnit; empty where not measured
	DimensionUnit  quantity.Unit
	FreightClass   string // NMFC; empty where not shipped LTL
}

// FreightTerms says who pays the freight.
type FreightTerms string

// The terms.
const (
	Prepaid       FreightTerms = "PREPAID"
	PrepaidAndAdd FreightTerms = "PREPAID_AND_ADD"
	Collect       FreightTerms = "COLLECT"
)

// LateAccept says what an acceptance is worth that comes after expiry but before another carrier took the load.
type LateAccept string

// The policies.
const (
	Reject      LateAccept = "REJECT"
	AllowIfOpen LateAccept = "ALLOW_IF_OPEN"
)

// Carrier is what tendering needs to know of a carrier.
type Carrier struct {
	Name         string
	SCAC         string
	Equipment    string
	Calendar     calendar.Calendar // its tender clock runs on it
	TimeoutHours int               // business hours to answer
	LateAccept   LateAccept
	// Interval is how long after a claim the next is expected of it; zero where it is not watched.
	Interval time.Duration
	// TONUWindow is how long before the planned pick-up a withdrawal owes the charge for a truck ordered and not used; zero where
	// it never does.
	TONUWindow time.Duration
}

// Contract is one approved version of a carrier's tariff.
type Contract struct {
	Name   string
	Tariff rating.Tariff
}

// Choice is a carrier of a routing guide.
type Choice struct {
	Rank    int32
	Carrier string
}

// Guide ranks the carriers of a lane and mode.
type Guide struct {
	Lane, Mode string
	Choices    []Choice
	// SameCarrierAgain lets a carrier that stands in the guide twice be asked twice for the same load.
	SameCarrierAgain bool
}

// Next is the choice after a rank, 0 before the first, that is not among the carriers dealt with; ok is false at the end.
func (g Guide) Next(rank int32, dealtWith []string) (Choice, bool) {
	var best Choice
	found := false
	for _, c := range g.Choices {
		if c.Rank <= rank || !g.SameCarrierAgain && slices.Contains(dealtWith, c.Carrier) {
			continue
		}
		if !found || c.Rank < best.Rank {
			best, found = c, true
		}
	}
	return best, found
}
