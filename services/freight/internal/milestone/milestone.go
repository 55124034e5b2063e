// Package milestone is for what somebody says happened to a load. A claim is kept for ever; state is a fold over all claims of
// the load, ordered by stop, event time and rank of source, and never by arrival: whatever order they come in, the same claims
// give the same state. Codes of carriers and messages are left to the adapters.
package milestone

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"crossdock.dev/services/freight/internal/eventtime"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/refusal"
)

// Milestone is the canonical name of an event.
type Milestone string

// The milestones.
const (
	Acknowledged      Milestone = "ACKNOWLEDGED"
	ArrivedPickup     Milestone = "ARRIVED_PICKUP"
	Loaded            Milestone = "LOADED"
	DepartedPickup    Milestone = "DEPARTED_PICKUP"
	InTransit         Milestone = "IN_TRANSIT"
	ArrivedTerminal   Milestone = "ARRIVED_TERMINAL"
	DepartedTerminal  Milestone = "DEPARTED_TERMINAL"
	EtaChanged        Milestone = "ETA_CHANGED"
	ArrivedDelivery   Milestone = "ARRIVED_DELIVERY"
	DeliveryAttempted Milestone = "DELIVERY_ATTEMPTED"
	Delivered         Milestone = "DELIVERED"
	DepartedDelivery  Milestone = "DEPARTED_DELIVERY"
	Delayed           Milestone = "DELAYED"
	NotCompleted      Milestone = "DELIVERY_NOT_COMPLETED"
	Refused           Milestone = "REFUSED"
	Damaged           Milestone = "DAMAGED"
	Returned          Milestone = "RETURNED"
)

// roles are the milestones that belong to one kind of stop.
var roles = map[Milestone]load.Role{
	ArrivedPickup: load.Pickup, Loaded: load.Pickup, DepartedPickup: load.Pickup,
	ArrivedDelivery: load.Delivery, DeliveryAttempted: load.Delivery, Delivered: load.Delivery, DepartedDelivery: load.Delivery,
	NotCompleted: load.Delivery, Refused: load.Delivery,
}

// Source is where a claim came from; of two that contradict each other the lower one is believed.
type Source int

// The sources, most believed first.
const (
	PodDocument Source = iota + 1
	Telematics
	CarrierAPI
	EDI
	Manual
)

// Skew is how far in the future an event may lie, because clocks differ.
const Skew = 15 * time.Minute

// Years outside these are slips of the pen.
const (
	firstYear = 2000
	lastYear  = 2199
)

// Report is a claim as it comes in. Exactly one of OccurTime and LocalTime says when.
type Report struct {
	Milestone   Milestone
	Stop        int // 0 means on the way, or the only stop that the milestone can mean
	OccurTime   time.Time
	LocalTime   string // "2026-03-03T09:10"
	City, State string // place of the event
	Estimate    time.Time
	CarrierCode string
	ReasonCode  string
	Source      Source
	Reference   string // the document or call that brought it
}

// Claim is a report that was understood.
type Claim struct {
	Name string // "loads/load_.../claims/clm_..."
	Report
	Occurred    eventtime.Time
	ReceiveTime time.Time
	Advanced    bool // it changed a state; else it only filled history
}

// Place is the city of a stop.
type Place struct{ City, State string }

// Understand turns a report into a claim on a load: at which stop, at which instant. places are the cities of the load's stops,
// by location. A local time is read in the zone of the stop in whose city it happened, else of the stop named, else of the
// first stop.
func Understand(r Report, l load.Load, places map[string]Place, now time.Time) (Claim, error) {
	var bad refusal.FieldErrors
	stop, err := stopOf(r, l)
	if err != nil {
		bad.Add("claim.stop", "%s", err.Error())
	}
	if (r.Milestone == EtaChanged) == r.Estimate.IsZero() {
		if r.Milestone == EtaChanged {
			bad.Add("claim.estimate", "is required with ETA_CHANGED")
		} else {
			bad.Add("claim.estimate", "belongs to ETA_CHANGED only")
		}
	}
	zone := zoneOf(r, l, stop, places)
	var at eventtime.Time
	switch {
	case r.OccurTime.IsZero() == (r.LocalTime == ""):
		bad.Add("claim.occur_time", "exactly one of occur_time and local_time must be given")
	case r.LocalTime == "":
		at = eventtime.Given(r.OccurTime, zone)
	default:
		if at, err = eventtime.Local(r.LocalTime, zone); err != nil {
			bad.Add("claim.local_time", "%q does not exist", r.LocalTime)
		}
	}
	if !at.IsZero() && (at.Instant.Year() < firstYear || at.Instant.Year() > lastYear) {
		bad.Add("claim.occur_time", "is out of range")
	}
	if !r.Estimate.IsZero() && (r.Estimate.Year() < firstYear || r.Estimate.Year() > lastYear) {
		bad.Add("claim.estimate", "is out of range")
	}
	if err := bad.Err(); err != nil {
		return Claim{}, err
	}
	if at.Instant.After(now.Add(Skew)) {
		return Claim{}, refusal.Precondition(refusal.FutureDated, "occurred", at.Instant.Format(time.RFC3339), "now", now.Format(time.RFC3339))
	}
	r.Stop = stop.Sequence
	return Claim{Report: r, Occurred: at, ReceiveTime: now}, nil
}

type stopError string

func (e stopError) Error() string { return string(e) }

// stopOf is the stop that a report means; the zero Stop is on the way.
func stopOf(r Report, l load.Load) (load.Stop, error) {
	role, bound := roles[r.Milestone]
	var fits []load.Stop
	for _, s := range l.Stops {
		switch {
		case r.Stop == s.Sequence && bound && s.Role != role:
			return load.Stop{}, stopError("is no stop where " + string(r.Milestone) + " can happen")
		case r.Stop == s.Sequence:
			return s, nil
		case r.Stop == 0 && bound && s.Role == role:
			fits = append(fits, s)
		}
	}
	switch {
	case r.Stop != 0:
		return load.Stop{}, stopError("is no stop of the load")
	case bound && len(fits) != 1:
		return load.Stop{}, stopError("is required: the load has several stops where " + string(r.Milestone) + " can happen")
	case bound:
		return fits[0], nil
	}
	return load.Stop{}, nil
}

func zoneOf(r Report, l load.Load, stop load.Stop, places map[string]Place) string {
	if r.City != "" {
		for _, s := range l.Stops {
			p := places[s.Location]
			if strings.EqualFold(p.City, r.City) && strings.EqualFold(p.State, r.State) {
				return s.Zone
			}
		}
	}
	if stop.Sequence != 0 || len(l.Stops) == 0 {
		return stop.Zone
	}
	return l.Stops[0].Zone
}

// Order sorts claims by stop, event time and source, the most believed last; the rest only makes the order total.
func Order(claims []Claim) []Claim {
	out := slices.Clone(claims)
	slices.SortFunc(out, func(a, b Claim) int {
		return cmp.Or(
			cmp.Compare(a.Stop, b.Stop),
			a.Occurred.Instant.Compare(b.Occurred.Instant),
			cmp.Compare(b.Source, a.Source),
			cmp.Compare(a.Milestone, b.Milestone),
			a.Estimate.Compare(b.Estimate),
		)
	})
	return out
}

// Standing is what is known of one stop. Zero times are not known.
type Standing struct {
	Arrived, Departed, Delivered eventtime.Time
	ArrivedBy, DepartedBy        string // the claims that say so
	Loaded                       bool
}

// History is what a load's claims come to.
type History struct {
	Stops     map[int]Standing
	Moving    bool              // seen on the way
	Newest    time.Time         // when the newest claim happened; zero when there is none
	estimates map[int]statement // the newest estimate of the delivery, by the stop that the claim names; 0 for none
}

// statement is an estimate and when it was made.
type statement struct{ made, estimate time.Time }

// Fold makes the history of claims, in whatever order they are given. Of several claims of one event the most believed source
// is taken, and of that source the latest time: carriers correct a time by stating a later one.
func Fold(claims []Claim) History {
	h := History{Stops: map[int]Standing{}, estimates: map[int]statement{}}
	type event struct {
		stop int
		what Milestone
	}
	believed := map[event]Source{}
	for _, c := range Order(claims) {
		e := event{c.Stop, c.Milestone}
		s := h.Stops[c.Stop]
		ok := believed[e] == 0 || c.Source <= believed[e]
		if ok {
			believed[e] = c.Source
		}
		if c.Occurred.Instant.After(h.Newest) {
			h.Newest = c.Occurred.Instant
		}
		switch c.Milestone {
		case ArrivedPickup, ArrivedDelivery:
			if ok {
				s.Arrived, s.ArrivedBy = c.Occurred, c.Name
			}
		case Loaded:
			s.Loaded = true
		case DepartedPickup, DepartedDelivery:
			if ok {
				s.Departed, s.DepartedBy = c.Occurred, c.Name
			}
		case Delivered:
			if ok {
				s.Delivered = c.Occurred
			}
		case InTransit, ArrivedTerminal, DepartedTerminal:
			h.Moving = true
		case EtaChanged:
			h.estimates[c.Stop] = statement{c.Occurred.Instant, c.Estimate} // in order of time, so the newest stays
		}
		h.Stops[c.Stop] = s
	}
	return h
}

// Estimate is the newest estimate of the delivery at a stop of a load, in its zone; zero when none was given. One that names no
// delivery stop is of the last.
func (h History) Estimate(l load.Load, to load.Stop) eventtime.Time {
	newest := h.estimates[to.Sequence]
	if len(l.Stops) > 0 && l.Stops[len(l.Stops)-1].Sequence == to.Sequence {
		unbound := []int{0}
		for _, s := range l.Stops {
			if s.Role != load.Delivery {
				unbound = append(unbound, s.Sequence)
			}
		}
		for _, stop := range unbound {
			if x := h.estimates[stop]; x.made.After(newest.made) {
				newest = x
			}
		}
	}
	if newest.estimate.IsZero() {
		return eventtime.Time{}
	}
	return eventtime.Given(newest.estimate, to.Zone)
}
