// Package load is for loads: what a carrier is paid for, ordered stops driven once. It promises that state moves by the table
// alone and that a load's number and ship date never change. Offering a load is package tender's, what happens on the way
// package milestone's.
package load

import (
	"fmt"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/quantity"

	"crossdock.dev/services/freight/internal/cost"
	"crossdock.dev/services/freight/internal/eventtime"
	"crossdock.dev/services/freight/internal/network"
	"crossdock.dev/services/freight/internal/refusal"
)

// State is where a load stands.
type State string

// The states.
const (
	Planned   State = "PLANNED"
	Tendered  State = "TENDERED"
	Booked    State = "BOOKED"
	InTransit State = "IN_TRANSIT"
	Completed State = "COMPLETED"
	Exhausted State = "EXHAUSTED"
	Cancelled State = "CANCELLED"
)

// States lists them all.
func States() []State {
	return []State{Planned, Tendered, Booked, InTransit, Completed, Exhausted, Cancelled}
}

// Verb is what moves a load.
type Verb string

// The verbs.
const (
	Tender   Verb = "tender"   // a carrier is offered it
	Book     Verb = "book"     // a carrier took it
	Exhaust  Verb = "exhaust"  // no carrier is left to ask
	Depart   Verb = "depart"   // it is on the way
	Complete Verb = "complete" // everything aboard was handed over
	Cancel   Verb = "cancel"   // it is called off
)

// Verbs lists them all.
func Verbs() []Verb { return []Verb{Tender, Book, Exhaust, Depart, Complete, Cancel} }

// A late acceptance may book an exhausted load. Claims come in any order, so a completed load may still hear of its departure.
// What is on the way is called off no more.
var table = map[State]map[Verb]State{
	Planned:   {Tender: Tendered, Exhaust: Exhausted, Cancel: Cancelled},
	Tendered:  {Tender: Tendered, Book: Booked, Exhaust: Exhausted, Cancel: Cancelled},
	Exhausted: {Book: Booked, Cancel: Cancelled},
	Booked:    {Depart: InTransit, Complete: Completed, Cancel: Cancelled},
	InTransit: {Depart: InTransit, Complete: Completed},
	Completed: {Depart: Completed, Complete: Completed},
	Cancelled: {},
}

// Role is what is done at a stop.
type Role string

// The roles.
const (
	Pickup   Role = "PICKUP"
	Delivery Role = "DELIVERY"
)

// Stop is a place where the load is worked on.
type Stop struct {
	Sequence             int // 1 is the first
	Role                 Role
	Location             string
	Zone                 string
	WindowFrom, WindowTo eventtime.Time
	Shipments            []string
	Arrived, Departed    eventtime.Time
}

// Skipped is a carrier that was passed over because its price could not be found.
type Skipped struct {
	Carrier string
	Rank    int32
	Reason  string
	At      time.Time
}

// Load is one load.
type Load struct {
	Name             string // "loads/load_..."
	Number           string // "NL26030001"; also the tender key (X12 204 B204) and the bill of lading
	LegalEntity      string
	Mode             string
	Equipment        string
	Lane             string
	Shipments        []string
	Stops            []Stop
	State            State
	Carrier          string
	CarrierReference string // PRO number
	Tender           string
	Charges          *cost.Rated // nil before booking and for collect loads; of a cancelled load what is owed all the same
	ShipDate         calendar.Date
	GrossWeight      quantity.Quantity
	Cartons          int32
	Volume           quantity.Quantity
	CreateTime       time.Time
	Skipped          []Skipped
	JoinUntil        time.Time // other shipments may join before that, and then it is offered; zero where none may
	OfferTask        string    // the task that offers it then
	Revision         uint64
}

// Of makes the load of one shipment: a pick-up and a delivery.
func Of(p Passenger, name, number string, from network.Location, shipDate calendar.Date, now time.Time) (Load, error) {
	s := p.Shipment
	l := Load{Name: name, Number: number, LegalEntity: s.LegalEntity, Mode: s.Mode, State: Planned, ShipDate: shipDate, CreateTime: now}
	return l.Arrange(from, p)
}

// Number writes a load number: the series, such as "NL2603", and at least four digits.
func Number(series string, n uint64) string { return fmt.Sprintf("%s%04d", series, n) }

// Series is the number series of the loads planned on a day, local to the ship-from.
func Series(planned calendar.Date) string {
	return fmt.Sprintf("NL%02d%02d", planned.Year()%100, int(planned.Month()))
}

// Move applies a verb to the state.
func (l Load) Move(v Verb) (Load, error) {
	to, ok := table[l.State][v]
	if !ok {
		return l, &refusal.TransitionError{Resource: l.Name, From: string(l.State), Verb: string(v)}
	}
	l.State = to
	return l, nil
}

// Open reports whether a carrier may still take the load.
func (l Load) Open() bool {
	_, ok := table[l.State][Book]
	return ok
}

// Taken reports whether a carrier took the load, so that something can happen to it. The carrier of a load that was called off
// may have sent its truck before it heard of that.
func (l Load) Taken() bool {
	switch l.State {
	case Booked, InTransit, Completed:
		return true
	case Cancelled:
		return l.Carrier != ""
	}
	return false
}

// Pickup is when the load is planned to be picked up first: the beginning of the first stop's window.
func (l Load) Pickup() time.Time {
	if len(l.Stops) == 0 {
		return time.Time{}
	}
	return l.Stops[0].WindowFrom.Instant
}

// StopOf is the stop where a shipment is picked up or delivered; ok is false for a shipment that is not aboard.
func (l Load) StopOf(shipment string, role Role) (Stop, bool) {
	for _, s := range l.Stops {
		if s.Role != role {
			continue
		}
		for _, name := range s.Shipments {
			if name == shipment {
				return s, true
			}
		}
	}
	return Stop{}, false
}
