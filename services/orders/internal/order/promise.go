package order

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/promise"
	"crossdock.dev/kernel/quantity"
)

// Moment is an instant at a place.
type Moment struct {
	At   time.Time // UTC; zero is no moment
	Zone string    // IANA
	Rule string    // how the instant was found: "LOCAL_TO_PLACE", "GAP_SHIFTED_FORWARD", ...; empty when it was given
}

// Windows is when goods are picked up and delivered.
type Windows struct {
	ShipDate               calendar.Date // local to the ship-from
	PickupFrom, PickupTo   Moment
	DeliveryDate           calendar.Date // local to the ship-to
	DeliverFrom, DeliverBy Moment
	Rule                   string // how the dates were found, in words
}

// Promise is what the customer was promised.
type Promise struct {
	Windows
	// Estimate is the latest estimate of the delivery; zero when it equals the promise.
	Estimate Moment
	// Trust is how far the estimate, or the promise where there is none, can be trusted: as far as the least trusted release.
	Trust Trust
}

// Trust is how far an estimate can be trusted, as freight tells it.
type Trust struct {
	Confidence string   // "HIGH", "MEDIUM", "LOW" or "NONE"; empty when nobody watches
	Reasons    []string // why it is not high, such as "FEED_SILENT"
}

// levels are the confidences from the least on.
var levels = []string{"NONE", "LOW", "MEDIUM", "HIGH"}

// least is the one of two that says less; one that says nothing does not count.
func least(a, b Trust) Trust {
	if a.Confidence == "" || b.Confidence != "" && slices.Index(levels, b.Confidence) < slices.Index(levels, a.Confidence) {
		return b
	}
	return a
}

func (t Trust) same(x Trust) bool {
	return t.Confidence == x.Confidence && slices.Equal(t.Reasons, x.Reasons)
}

// Policy is the shipper's planning rule, the same for all its sites.
type Policy struct {
	PickupFrom, PickupTo calendar.TimeOfDay // window on the ship date, local to the ship-from
	LatestDelivery       calendar.TimeOfDay // goods are promised by it or by closing, local to the ship-to
	LTLLimit             quantity.Quantity  // an order without a mode goes LTL up to this gross weight, TL above
}

// DefaultPolicy is pick-up from 08:00 to 16:00, delivery by 17:00, and LTL up to 10,000 lb.
func DefaultPolicy() Policy {
	return Policy{
		PickupFrom:     calendar.MustParseTimeOfDay("08:00"),
		PickupTo:       calendar.MustParseTimeOfDay("16:00"),
		LatestDelivery: calendar.MustParseTimeOfDay("17:00"),
		LTLLimit:       quantity.MustParse("10000", quantity.Pound),
	}
}

const (
	localToPlace = "LOCAL_TO_PLACE"
	localLayout  = "2006-01-02T15:04"
)

// windows finds the earliest feasible dates of an order whose master data is complete.
func (o Order) windows(p Policy, b Basis, now time.Time) (Windows, error) {
	shipTo, err := b.ShipTo.calendar()
	if err != nil {
		return Windows{}, err
	}
	rule := promise.Rule{CutOff: b.ShipFrom.CutOff, PickupFrom: p.PickupFrom, PickupTo: p.PickupTo, LatestDelivery: p.LatestDelivery, Shipping: b.Shipping}
	days := b.Lane.TransitDays[o.Mode]
	q := promise.Request{Confirmed: now, TransitDays: days, ShipTo: shipTo}
	words := fmt.Sprintf("earliest feasible: cut-off %s at %s, %s transit %d working days, delivered by %s at the ship-to",
		b.ShipFrom.CutOff, b.ShipFrom.Zone, o.Mode, days, min(p.LatestDelivery, shipTo.To()))
	pickup, err := appointment(o.PickupLocal, b.ShipFrom.Zone)
	if err != nil {
		return Windows{}, err
	}
	delivery, err := appointment(o.DeliveryLocal, b.ShipTo.Zone)
	if err != nil {
		return Windows{}, err
	}
	q.PickupAppointment, q.DeliveryAppointment = pickup.At, delivery.At
	made, err := promise.Make(rule, q)
	switch {
	case errors.Is(err, promise.ErrAppointment):
		// As with requested dates: what can no longer be kept stays on the order, and the promise is the earliest feasible.
		pickup, delivery = Moment{}, Moment{}
		q.PickupAppointment, q.DeliveryAppointment = time.Time{}, time.Time{}
		words += "; the appointments asked for can no longer be kept"
		made, err = promise.Make(rule, q)
	case !pickup.At.IsZero() || !delivery.At.IsZero():
		words += "; appointments as asked for"
	}
	if err != nil {
		return Windows{}, err
	}
	at := func(t time.Time, zone string, named Moment) Moment {
		if !named.At.IsZero() {
			return named
		}
		return Moment{At: t, Zone: zone, Rule: localToPlace}
	}
	return Windows{
		ShipDate:     made.ShipDate,
		PickupFrom:   at(made.PickupFrom, b.ShipFrom.Zone, pickup),
		PickupTo:     at(made.PickupTo, b.ShipFrom.Zone, pickup),
		DeliveryDate: made.DeliveryDate,
		DeliverFrom:  at(made.DeliveryFrom, b.ShipTo.Zone, delivery),
		DeliverBy:    at(made.DeliverUntil, b.ShipTo.Zone, delivery),
		Rule:         words,
	}, nil
}

// appointment resolves a local time at a place; none is the zero Moment.
func appointment(local, zone string) (Moment, error) {
	if local == "" {
		return Moment{}, nil
	}
	day, clock, err := parseLocal(local)
	if err != nil {
		return Moment{}, err
	}
	loc, err := calendar.LoadZone(zone)
	if err != nil {
		return Moment{}, err
	}
	r := calendar.Resolve(day, clock, loc)
	m := Moment{At: r.Instant, Zone: zone, Rule: string(r.Rule)}
	if r.Rule == calendar.AsGiven {
		m.Rule = localToPlace
	}
	return m, nil
}

func parseLocal(s string) (calendar.Date, calendar.TimeOfDay, error) {
	t, err := time.Parse(localLayout, s)
	if err != nil {
		return calendar.Date{}, 0, err
	}
	return calendar.DateOf(t, time.UTC), calendar.TimeOfDayOf(t, time.UTC), nil
}
