package webhook

import (
	"time"
)

// DeliveryState says how far a delivery has come.
type DeliveryState int

// The states of a delivery; the zero DeliveryState is one that was not made yet.
const (
	Pending DeliveryState = iota + 1
	Delivered
	Failed
)

// String names the state as the contract does.
func (s DeliveryState) String() string {
	switch s {
	case Pending:
		return "PENDING"
	case Delivered:
		return "DELIVERED"
	case Failed:
		return "FAILED"
	}
	return "NONE"
}

// The verbs of a delivery; create, succeed and gone have the names of an endpoint's.
const (
	VerbRefuse Verb = "refuse" // the attempt failed; another follows as long as the schedule has one
	VerbResend Verb = "resend"
	VerbDrop   Verb = "drop" // the endpoint is disabled
)

// deliveryTransitions says where a verb leads from a state. A refusal after the last attempt of the schedule leads to Failed.
var deliveryTransitions = map[DeliveryState]map[Verb]DeliveryState{
	0:         {VerbCreate: Pending},
	Pending:   {VerbSucceed: Delivered, VerbRefuse: Pending, VerbGone: Failed, VerbDrop: Failed, VerbResend: Pending},
	Delivered: {VerbResend: Pending},
	Failed:    {VerbResend: Pending},
}

// schedule is how long after an attempt the next one follows: the one that the Standard Webhooks specification recommends, ten
// attempts over a little more than three days.
var schedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// Keep is how long a delivery is kept after its end, on machine time: long enough to ask what became of it, and to resend it.
const Keep = 30 * 24 * time.Hour

// maxAttempts bounds the attempts that are remembered of one delivery.
const maxAttempts = 32

// Why an attempt failed. An answer of the partner is never kept.
const (
	ErrStatus      = "HTTP_STATUS"
	ErrTimeout     = "TIMEOUT"
	ErrUnreachable = "UNREACHABLE"
	ErrAddress     = "ADDRESS_REFUSED"
	ErrTLS         = "TLS"
	ErrDisabled    = "DISABLED"
)

// Attempt is one try. Times are machine time.
type Attempt struct {
	Start    time.Time
	Status   int    // HTTP; 0 when there was no answer
	Error    string // one of the reasons above; "" when it succeeded
	Duration time.Duration
}

// Verb is what an attempt means to its delivery. Any 2xx is success; 410 Gone says that the endpoint wants no more.
func (a Attempt) Verb() Verb {
	switch {
	case a.Error == ErrDisabled:
		return VerbDrop
	case a.Error == "" && a.Status >= 200 && a.Status <= 299:
		return VerbSucceed
	case a.Status == 410:
		return VerbGone
	}
	return VerbRefuse
}

// Delivery is one event for one endpoint.
type Delivery struct {
	// ID is the webhook-id, "whd_...".
	ID string
	// Endpoint is the id of its endpoint.
	Endpoint string
	Event    string
	Resource string
	// Body is what is sent.
	Body []byte
	// CreateTime is business time, UTC.
	CreateTime time.Time
	State      DeliveryState
	// Attempts are the last ones, oldest first.
	Attempts []Attempt
	// Next is when it is tried again (machine time, UTC); zero when that is at once or never.
	Next time.Time
	// Count is how many attempts were made since it was sent or resent.
	Count int
}

// End is when the delivery came to its end (machine time); zero while it is pending.
func (d Delivery) End() time.Time {
	if d.State == Pending || len(d.Attempts) == 0 {
		return time.Time{}
	}
	last := d.Attempts[len(d.Attempts)-1]
	return last.Start.Add(last.Duration)
}

// Name is the delivery's resource name.
func (d Delivery) Name() string { return "webhooks/" + d.Endpoint + "/deliveries/" + d.ID }

// GivenUp says that a delivery failed.
type GivenUp struct {
	Delivery Delivery
	Party    string
}

func (GivenUp) fact() {}

// NewDelivery makes the delivery of an event to an endpoint; at is business time.
func NewDelivery(id string, to Endpoint, e Event, at time.Time) (Delivery, error) {
	body, err := e.Body()
	if err != nil {
		return Delivery{}, err
	}
	return Delivery{
		ID: id, Endpoint: to.ID, Event: e.Type, Resource: e.Resource, Body: body, CreateTime: at.UTC(), State: deliveryTransitions[0][VerbCreate],
	}, nil
}

// Tried records an attempt; the error is a *TransitionError.
func (d Delivery) Tried(a Attempt) (Delivery, error) {
	v := a.Verb()
	to, ok := deliveryTransitions[d.State][v]
	if !ok {
		return d, &TransitionError{"a delivery", d.State.String(), v}
	}
	d.Attempts = append(d.Attempts[max(0, len(d.Attempts)-maxAttempts+1):len(d.Attempts):len(d.Attempts)], a)
	d.State, d.Next = to, time.Time{}
	d.Count++
	if v != VerbRefuse {
		return d, nil
	}
	if d.Count > len(schedule) {
		d.State = Failed
		return d, nil
	}
	d.Next = a.Start.Add(a.Duration + schedule[d.Count-1]).UTC()
	return d, nil
}

// Overlong says whether it waits longer from a machine time on than the schedule lets it: the time of day was set back since its last
// attempt.
func (d Delivery) Overlong(now time.Time) bool {
	return d.State == Pending && d.Count > 0 && d.Count <= len(schedule) && d.Next.After(now.Add(schedule[d.Count-1]))
}

// Resend begins the schedule anew; the error is a *TransitionError.
func (d Delivery) Resend() (Delivery, error) {
	to, ok := deliveryTransitions[d.State][VerbResend]
	if !ok {
		return d, &TransitionError{"a delivery", d.State.String(), VerbResend}
	}
	d.State, d.Next, d.Count = to, time.Time{}, 0
	return d, nil
}
