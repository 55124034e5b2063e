// Package shipment is for shipments: what the customer tracks, the released goods on their way from one place to one place. It
// promises exact weights, cartons and volumes from the items, and a state that only moves forward. Carrying shipments is
// package load's.
package shipment

import (
	"strconv"
	"time"

	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/quantity"

	"crossdock.dev/services/freight/internal/cost"
	"crossdock.dev/services/freight/internal/eta"
	"crossdock.dev/services/freight/internal/eventtime"
	"crossdock.dev/services/freight/internal/network"
	"crossdock.dev/services/freight/internal/refusal"
)

// State is how far a shipment has come.
type State string

// The states.
const (
	Planned    State = "PLANNED"
	Booked     State = "BOOKED"
	AtPickup   State = "AT_PICKUP"
	InTransit  State = "IN_TRANSIT"
	AtDelivery State = "AT_DELIVERY"
	Delivered  State = "DELIVERED"
	Cancelled  State = "CANCELLED"
)

// States lists them all.
func States() []State {
	return []State{Planned, Booked, AtPickup, InTransit, AtDelivery, Delivered, Cancelled}
}

// Verb is what moves a shipment.
type Verb string

// The verbs. All but Book and Cancel follow from claims.
const (
	Book           Verb = "book"            // a carrier took its load
	ArrivePickup   Verb = "arrive_pickup"   // the carrier is at the ship-from
	Depart         Verb = "depart"          // it left the ship-from
	ArriveDelivery Verb = "arrive_delivery" // the carrier is at the ship-to
	Deliver        Verb = "deliver"         // it was handed over
	Cancel         Verb = "cancel"          // it is called off
)

// Verbs lists them all.
func Verbs() []Verb { return []Verb{Book, ArrivePickup, Depart, ArriveDelivery, Deliver, Cancel} }

// Claims come in any order: what belongs to an earlier state leaves the state as it is. Claims of what was called off are kept
// and move nothing: the truck may have come before its carrier heard of that.
var table = map[State]map[Verb]State{
	Planned:    {Book: Booked, Cancel: Cancelled},
	Booked:     {Book: Booked, ArrivePickup: AtPickup, Depart: InTransit, ArriveDelivery: AtDelivery, Deliver: Delivered, Cancel: Cancelled},
	AtPickup:   {ArrivePickup: AtPickup, Depart: InTransit, ArriveDelivery: AtDelivery, Deliver: Delivered, Cancel: Cancelled},
	InTransit:  {ArrivePickup: InTransit, Depart: InTransit, ArriveDelivery: AtDelivery, Deliver: Delivered},
	AtDelivery: {ArrivePickup: AtDelivery, Depart: AtDelivery, ArriveDelivery: AtDelivery, Deliver: Delivered},
	Delivered:  {ArrivePickup: Delivered, Depart: Delivered, ArriveDelivery: Delivered, Deliver: Delivered},
	Cancelled:  {ArrivePickup: Cancelled, Depart: Cancelled, ArriveDelivery: Cancelled, Deliver: Cancelled, Cancel: Cancelled},
}

// Line is the part of an order line that a shipment holds.
type Line struct {
	Line        string
	Item        string
	Description string
	Quantity    quantity.Quantity // in the item's base unit
	GrossWeight quantity.Quantity
	Class       string // NMFC; empty where not shipped LTL
	Cartons     int32
}

// Shipment is one shipment.
type Shipment struct {
	Name                string // "shipments/shp_..."
	OrderRelease        string
	Order               string
	CustomerOrderNumber string
	Customer            string
	LegalEntity         string
	ShipFrom, ShipTo    string
	Mode                string
	Terms               network.FreightTerms
	Load                string
	Lines               []Line
	GrossWeight         quantity.Quantity
	Cartons             int32
	Volume              quantity.Quantity // rounded half-up to two places
	State               State
	PickupFrom          eventtime.Time
	PickupTo            eventtime.Time
	DeliverFrom         eventtime.Time
	DeliverBy           eventtime.Time // the promise
	Departed, Delivered eventtime.Time // zero before
	Proof               string         // the proof of delivery in force; empty before
	CreateTime          time.Time
	EtaWatch            bool      // silence of the carrier is watched
	Trust               eta.Trust // how far the estimate can be trusted; only while it is watched and on the way
	WatchTask           string    // the task that looks at it when that may change; empty when it will not
	Revision            uint64
}

// Watched reports whether silence of the carrier says anything of the shipment: from booking until it was handed over.
func (s Shipment) Watched() bool {
	switch s.State {
	case Booked, AtPickup, InTransit, AtDelivery:
		return s.EtaWatch
	}
	return false
}

// OnTheWay reports whether claims say that it has left the ship-from, and not that it was handed over.
func (s Shipment) OnTheWay() bool { return s.State == InTransit || s.State == AtDelivery }

// Move applies a verb to the state.
func (s Shipment) Move(v Verb) (Shipment, error) {
	to, ok := table[s.State][v]
	if !ok {
		return s, &refusal.TransitionError{Resource: s.Name, From: string(s.State), Verb: string(v)}
	}
	s.State = to
	return s, nil
}

// Follow applies verbs one after the other.
func (s Shipment) Follow(verbs ...Verb) (Shipment, error) {
	for _, v := range verbs {
		var err error
		if s, err = s.Move(v); err != nil {
			return s, err
		}
	}
	return s, nil
}

// Cargo is the weight aboard by class, in order of the lines.
func (s Shipment) Cargo() ([]cost.Cargo, error) {
	var out []cost.Cargo
	at := map[string]int{}
	for _, l := range s.Lines {
		i, ok := at[l.Class]
		if !ok {
			at[l.Class] = len(out)
			out = append(out, cost.Cargo{Class: l.Class, Weight: l.GrossWeight})
			continue
		}
		w, err := out[i].Weight.Add(l.GrossWeight)
		if err != nil {
			return nil, err
		}
		out[i].Weight = w
	}
	return out, nil
}

// Goods is a released order line with its item.
type Goods struct {
	Line        string
	Description string
	Quantity    quantity.Quantity
	Pack        int32 // base units per carton; 0 means the item's own
	Item        network.Item
}

// The factors are exact: an inch is 2.54 cm, so a cubic inch is 16.387064 cm³ and a cubic foot 28,316.846592 cm³.
var (
	cubicInch  = decimal.MustParse("16.387064")
	cubicFoot  = decimal.MustParse("28316.846592")
	cubicMetre = decimal.MustParse("1000000")
)

// placesOfWeight is how exact a weight is after it was converted between pounds and kilograms; weights in the unit of the
// ship-from stay as they are.
const placesOfWeight = 3

// Fill sets the lines, weight, cartons and volume of s from the goods. Weights and volume are in the units of the ship-from.
// What is wrong with a line is named as "lines[i]".
func (s Shipment) Fill(goods []Goods, from network.Location) (Shipment, error) {
	var bad refusal.FieldErrors
	weight := decimal.Zero
	volume := decimal.Zero // cm³
	seen := map[string]bool{}
	for i, g := range goods {
		path := func(field string) string { return linePath(i) + field }
		if seen[g.Line] {
			bad.Add(path(".line"), "is given twice")
			continue
		}
		seen[g.Line] = true
		switch {
		case g.Quantity.Sign() <= 0:
			bad.Add(path(".quantity.value"), "must be greater than zero")
			continue
		case g.Quantity.Unit() != g.Item.BaseUnit:
			bad.Add(path(".quantity.unit"), "is %s, but %s is counted in %s", g.Quantity.Unit(), g.Item.Name, g.Item.BaseUnit)
			continue
		}
		w, err := g.Item.GrossWeight.Mul(g.Quantity.Value()).In(from.MassUnit(), placesOfWeight)
		if err != nil {
			bad.Add(path(".item"), "weighs %s, which is no weight", g.Item.GrossWeight)
			continue
		}
		pack := g.Pack
		if pack == 0 {
			pack = g.Item.UnitsPerCarton
		}
		cartons, err := ceil(g.Quantity.Value(), pack)
		if err != nil {
			bad.Add(path(".quantity.value"), "does not make a count of cartons")
			continue
		}
		l := Line{
			Line: g.Line, Item: g.Item.Name, Description: g.Description, Quantity: g.Quantity, GrossWeight: w, Cartons: cartons,
			Class: g.Item.FreightClass,
		}
		if l.Description == "" {
			l.Description = g.Item.Description
		}
		weight = weight.Add(w.Value())
		s.Cartons += cartons
		if len(g.Item.CartonSides) == 3 {
			v := decimal.Int(int64(cartons))
			for _, side := range g.Item.CartonSides {
				v = v.Mul(side)
			}
			if g.Item.DimensionUnit == quantity.Inch {
				v = v.Mul(cubicInch)
			}
			volume = volume.Add(v)
		}
		s.Lines = append(s.Lines, l)
	}
	if err := bad.Err(); err != nil {
		return Shipment{}, err
	}
	size := cubicMetre
	if from.VolumeUnit() == quantity.CubicFoot {
		size = cubicFoot
	}
	v, err := volume.Quo(size, 2)
	if err != nil {
		return Shipment{}, err
	}
	if s.GrossWeight, err = quantity.New(weight.Trim(), from.MassUnit()); err != nil {
		return Shipment{}, err
	}
	s.Volume, err = quantity.New(v, from.VolumeUnit())
	return s, err
}

func ceil(n decimal.Decimal, by int32) (int32, error) {
	q, err := n.QuoTrunc(decimal.Int(int64(by)), 0)
	if err != nil {
		return 0, err
	}
	if q.Mul(decimal.Int(int64(by))).Less(n) {
		q = q.Add(decimal.One)
	}
	whole, err := q.Unscaled(0)
	if err != nil || whole > 1_000_000_000 {
		return 0, decimal.ErrOutOfRange
	}
	return int32(whole), nil
}

func linePath(i int) string { return "lines[" + strconv.Itoa(i) + "]" }
