// Package promise is for the promise of a delivery: from the instant of confirmation to ship date, pick-up window and
// delivery window.
//
// It promises the earliest feasible dates by the shipper's rule, as a pure function. Which lane, mode and transit days
// apply, what a customer requested, and who named an appointment is left to the services.
package promise

import (
	"errors"
	"fmt"
	"time"

	"crossdock.dev/kernel/calendar"
)

// Errors that callers can ask for with errors.Is.
var (
	ErrTransit     = errors.New("transit days must not be negative")
	ErrAppointment = errors.New("appointments must come after the confirmation and in order")
)

// Rule is the shipper's planning rule of one ship-from.
type Rule struct {
	// CutOff is local at the ship-from. Confirmed before it on a shipping working day, goods ship on the next shipping
	// working day; confirmed at it, later, or on another day, on the one after.
	CutOff calendar.TimeOfDay
	// PickupFrom and PickupTo are the pick-up window on the ship date, local at the ship-from.
	PickupFrom, PickupTo calendar.TimeOfDay
	// LatestDelivery caps the promise, local at the ship-to: goods are promised by it or by closing, whichever is earlier.
	LatestDelivery calendar.TimeOfDay
	// Shipping is the calendar of the ship-from. Its working days count for shipping and for transit.
	Shipping calendar.Calendar
}

// Request is what is asked of the rule.
type Request struct {
	Confirmed           time.Time         // instant of confirmation
	TransitDays         int               // working days by lane and mode
	ShipTo              calendar.Calendar // opening days and hours of the ship-to
	PickupAppointment   time.Time         // named by a user or the order; zero if none
	DeliveryAppointment time.Time         // named by a user or the order; zero if none
}

// Promise is the answer. Instants are UTC; a window that is an appointment starts and ends at it.
type Promise struct {
	ShipDate                   calendar.Date // local at the ship-from; decides tariff versions and fuel
	PickupFrom, PickupTo       time.Time
	DeliveryDate               calendar.Date // local at the ship-to
	DeliveryFrom, DeliverUntil time.Time     // DeliverUntil is the promised instant
}

// Make applies a rule to a request. A delivery day on which the ship-to is closed moves to its next open day. An
// appointment wins over the rule, even on a day that the calendars call closed.
func Make(r Rule, q Request) (Promise, error) {
	if q.TransitDays < 0 {
		return Promise{}, fmt.Errorf("%w: %d", ErrTransit, q.TransitDays)
	}
	var p Promise
	if err := p.ship(r, q); err != nil {
		return Promise{}, fmt.Errorf("ship date: %w", err)
	}
	if err := p.deliver(r, q); err != nil {
		return Promise{}, fmt.Errorf("delivery date: %w", err)
	}
	return p, nil
}

func (p *Promise) ship(r Rule, q Request) error {
	if at := q.PickupAppointment; !at.IsZero() {
		if at.Before(q.Confirmed) {
			return fmt.Errorf("%w: pick-up %s", ErrAppointment, at.UTC().Format(time.RFC3339))
		}
		p.ShipDate = r.Shipping.Today(at)
		p.PickupFrom, p.PickupTo = at.UTC(), at.UTC()
		return nil
	}
	today := r.Shipping.Today(q.Confirmed)
	days := 2
	if r.Shipping.IsWorking(today) && q.Confirmed.Before(calendar.Resolve(today, r.CutOff, r.Shipping.Zone()).Instant) {
		days = 1
	}
	var err error
	if p.ShipDate, err = r.Shipping.AddWorkingDays(today, days); err != nil {
		return err
	}
	p.PickupFrom = calendar.Resolve(p.ShipDate, r.PickupFrom, r.Shipping.Zone()).Instant
	p.PickupTo = calendar.Resolve(p.ShipDate, r.PickupTo, r.Shipping.Zone()).Instant
	return nil
}

func (p *Promise) deliver(r Rule, q Request) error {
	if at := q.DeliveryAppointment; !at.IsZero() {
		if at.Before(p.PickupFrom) || at.Before(q.Confirmed) {
			return fmt.Errorf("%w: delivery %s", ErrAppointment, at.UTC().Format(time.RFC3339))
		}
		p.DeliveryDate = q.ShipTo.Today(at)
		p.DeliveryFrom, p.DeliverUntil = at.UTC(), at.UTC()
		return nil
	}
	date, err := r.Shipping.AddWorkingDays(p.ShipDate, q.TransitDays)
	if err != nil {
		return err
	}
	if date, err = q.ShipTo.AddWorkingDays(date, 0); err != nil {
		return err
	}
	p.DeliveryDate = date
	p.DeliveryFrom = calendar.Resolve(date, q.ShipTo.From(), q.ShipTo.Zone()).Instant
	p.DeliverUntil = calendar.Resolve(date, min(r.LatestDelivery, q.ShipTo.To()), q.ShipTo.Zone()).Instant
	return nil
}
