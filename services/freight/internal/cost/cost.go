// Package cost is for what a carrier will be owed for a load by its own tariff. It promises the same charges for the offer, the
// booking and the audit, because the kernel's rating makes them all; finding the contract in force is left to package store.
package cost

import (
	"fmt"
	"strings"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"

	"crossdock.dev/services/freight/internal/network"
)

// Charge is one amount with its code and the words printed beside it.
type Charge struct {
	Code        string
	Description string
	Amount      money.Amount
}

// Rated is the price of a load by one contract version. Gross and Discount are for display of class-rated line-haul and have
// no currency elsewhere; Gross plus Discount is the line-haul charge.
type Rated struct {
	Carrier         string
	Contract        string
	Charges         []Charge
	Total           money.Amount
	Gross, Discount money.Amount
	Explain         rating.Node
	Allocations     []Allocation // on a booked load: what each shipment aboard bears
}

// Cargo is a weight of one freight class.
type Cargo struct {
	Class  string
	Weight quantity.Quantity
}

// Move is what is priced.
type Move struct {
	ShipDate            calendar.Date // local to the ship-from
	Mode                string
	Lane                network.Lane
	Origin, Destination network.Location
	Cargo               []Cargo
	Stops               int
	Accessorials        []rating.ChargeCode // that the delivery sites need
}

// Price rates a move by a contract. An error says that the contract does not price it: nothing is guessed.
func Price(carrier string, c network.Contract, m Move) (Rated, error) {
	rm := rating.Move{
		ShipDate: m.ShipDate, Mode: m.Mode, Lane: strings.TrimPrefix(m.Lane.Name, "lanes/"),
		OriginPostcode: m.Origin.Postcode, DestinationPostcode: m.Destination.Postcode,
		Distance: m.Lane.Distance, DistanceSource: m.Lane.DistanceSource, Stops: m.Stops,
		Accessorials: m.Accessorials,
	}
	for _, g := range m.Cargo {
		rm.Goods = append(rm.Goods, rating.Goods(g))
	}
	q, err := rating.Rate(c.Tariff, rm)
	if err != nil {
		return Rated{}, fmt.Errorf("rate by %s: %w", c.Name, err)
	}
	out := Rated{Carrier: carrier, Contract: c.Name, Total: q.Total, Explain: q.Explain}
	for _, ch := range q.Charges {
		out.Charges = append(out.Charges, Charge{Code: string(ch.Code), Description: describe(ch), Amount: ch.Amount})
		if ch.HasDiscount() {
			out.Gross, out.Discount = ch.Gross, ch.Discount
		}
	}
	return out, nil
}

func describe(c rating.Charge) string {
	name := map[rating.ChargeCode]string{
		rating.LineHaulCharge: "Line-haul", rating.FuelCharge: "Fuel surcharge", rating.StopOffCharge: "Stop-off",
		rating.DetentionCharge: "Detention", rating.LiftgateCharge: "Liftgate", rating.ResidentialCharge: "Residential delivery",
		rating.TONUCharge: "Truck ordered, not used",
	}[c.Code]
	if name == "" {
		name = string(c.Code)
	}
	switch {
	case c.MinimumApplied:
		return name + ", minimum"
	case c.Basis == rating.BasisPercent:
		return name + " " + c.Rate.String() + " % of net line-haul"
	case c.Basis == rating.BasisPerDistance:
		return name + " " + c.Quantity.String() + " at " + c.Rate.String()
	case c.Basis == rating.BasisClass:
		return name + " " + c.Quantity.String()
	}
	return name
}
