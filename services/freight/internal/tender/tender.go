// Package tender is for offers of a load to a carrier: sent, answered before a time that runs on the carrier's calendar, or
// expired. It promises that state moves by the table alone and that at the respond-by instant itself an offer has expired.
// Which carrier is asked next is package network's Guide, the sequence is package app's.
package tender

import (
	"time"

	"crossdock.dev/kernel/quantity"

	"crossdock.dev/services/freight/internal/cost"
	"crossdock.dev/services/freight/internal/eventtime"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/network"
	"crossdock.dev/services/freight/internal/refusal"
)

// State is where an offer stands.
type State string

// The states.
const (
	Sent      State = "SENT"
	Accepted  State = "ACCEPTED"
	Declined  State = "DECLINED"
	Expired   State = "EXPIRED"
	Withdrawn State = "WITHDRAWN"
)

// States lists them all.
func States() []State { return []State{Sent, Accepted, Declined, Expired, Withdrawn} }

// Verb is what moves an offer.
type Verb string

// The verbs.
const (
	Accept   Verb = "accept"
	Decline  Verb = "decline"
	Expire   Verb = "expire"
	Withdraw Verb = "withdraw"
)

// Verbs lists them all.
func Verbs() []Verb { return []Verb{Accept, Decline, Expire, Withdraw} }

// Repeating an answer changes nothing. Accepting an expired offer is late; Tender.Accept asks the carrier's terms first.
var table = map[State]map[Verb]State{
	Sent:      {Accept: Accepted, Decline: Declined, Expire: Expired, Withdraw: Withdrawn},
	Accepted:  {Accept: Accepted, Withdraw: Withdrawn},
	Declined:  {Decline: Declined},
	Expired:   {Accept: Accepted, Expire: Expired},
	Withdrawn: {Withdraw: Withdrawn},
}

// DeclineReason is why a carrier refused.
type DeclineReason string

// The reasons.
const (
	NoEquipment   DeclineReason = "NO_EQUIPMENT_AT_TIME"
	Capacity      DeclineReason = "CAPACITY"
	Price         DeclineReason = "PRICE"
	LaneNotServed DeclineReason = "LANE_NOT_SERVED"
	Other         DeclineReason = "OTHER"
)

// Method of payment of the freight (X12 element 146).
const (
	PrepaidByShipper = "PP"
	CollectFreight   = "CC"
)

// Tender is one offer of a load to one carrier.
type Tender struct {
	Name                 string // "tenders/tnd_..."
	Load, LoadNumber     string
	Carrier, SCAC        string
	Rank                 int32
	State                State
	SendTime             time.Time
	RespondBy            eventtime.Time // exclusive, in the zone of the carrier's calendar
	Charges              *cost.Rated    // nil for collect loads
	Stops                []load.Stop
	GrossWeight          quantity.Quantity
	Cartons              int32
	DeclineReason        DeclineReason
	Note                 string
	AnswerTime           time.Time
	MethodOfPayment      string
	CustomerOrderNumbers []string
	ExpiryTask           string
	Revision             uint64
}

// Send offers a load to a carrier. Its clock runs from now on the carrier's calendar.
func Send(name string, l load.Load, c network.Carrier, rank int32, rated *cost.Rated, orders []string, now time.Time) (Tender, error) {
	by, err := c.Calendar.AddBusinessHours(now, time.Duration(c.TimeoutHours)*time.Hour)
	if err != nil {
		return Tender{}, err
	}
	t := Tender{
		Name: name, Load: l.Name, LoadNumber: l.Number, Carrier: c.Name, SCAC: c.SCAC, Rank: rank, State: Sent, SendTime: now,
		RespondBy: eventtime.Time{Instant: by, Zone: c.Calendar.Zone().String(), Rule: eventtime.AsGiven},
		Charges:   rated, Stops: l.Stops, GrossWeight: l.GrossWeight, Cartons: l.Cartons, MethodOfPayment: PrepaidByShipper,
		CustomerOrderNumbers: orders,
	}
	if rated == nil {
		t.MethodOfPayment = CollectFreight
	}
	return t, nil
}

// Due reports whether an unanswered offer has expired.
func (t Tender) Due(now time.Time) bool { return t.State == Sent && !now.Before(t.RespondBy.Instant) }

// Done reports whether a verb was done before, so that repeating it changes nothing.
func (t Tender) Done(v Verb) bool { return table[t.State][v] == t.State }

// Accept takes the offer. Late, it needs a carrier whose terms allow that and a load that nobody else took.
func (t Tender) Accept(now time.Time, policy network.LateAccept, open bool) (Tender, error) {
	if t.State == Expired || t.Due(now) {
		switch {
		case policy != network.AllowIfOpen:
			return t, refusal.Precondition(refusal.TenderExpired, "respond_by", t.RespondBy.Instant.Format(time.RFC3339))
		case !open:
			return t, refusal.Precondition(refusal.LoadNotOpen, "load", t.Load)
		}
	}
	t, err := t.move(Accept)
	if err != nil {
		return t, err
	}
	t.AnswerTime = now
	return t, nil
}

// Decline refuses the offer. After the respond-by time there is nothing left to refuse.
func (t Tender) Decline(now time.Time, reason DeclineReason, note string) (Tender, error) {
	if t.State == Expired || t.Due(now) {
		return t, refusal.Precondition(refusal.TenderExpired, "respond_by", t.RespondBy.Instant.Format(time.RFC3339))
	}
	t, err := t.move(Decline)
	if err != nil {
		return t, err
	}
	t.DeclineReason, t.Note, t.AnswerTime = reason, note, now
	return t, nil
}

// Expire ends an offer that nobody answered.
func (t Tender) Expire() (Tender, error) { return t.move(Expire) }

// Withdraw takes an offer back, also one that was accepted.
func (t Tender) Withdraw() (Tender, error) { return t.move(Withdraw) }

func (t Tender) move(v Verb) (Tender, error) {
	to, ok := table[t.State][v]
	if !ok {
		return t, &refusal.TransitionError{Resource: t.Name, From: string(t.State), Verb: string(v)}
	}
	t.State = to
	return t, nil
}
