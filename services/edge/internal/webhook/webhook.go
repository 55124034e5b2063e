// Package webhook is where partners are told what happens to what is theirs: endpoints, the events they may ask for, and the
// deliveries, each one event for one endpoint.
//
// It promises that an endpoint's address is one that may be sent to, that all bad fields of a new one are named at once, that a
// delivery's id and body are the same in every attempt, and that attempts come to an end. It leaves sending to package send,
// keeping to the store, and what a fact of another service means to package inbound.
package webhook

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// State says whether an endpoint is sent to.
type State int

// The states of an endpoint; the zero State is one that was not made yet.
const (
	Active State = iota + 1
	Failing
	Disabled
)

// String names the state as the contract does.
func (s State) String() string {
	switch s {
	case Active:
		return "ACTIVE"
	case Failing:
		return "FAILING"
	case Disabled:
		return "DISABLED"
	}
	return "NONE"
}

// Reason is why an endpoint is disabled; the zero Reason is that it is not.
type Reason int

// The reasons.
const (
	Asked Reason = iota + 1 // somebody disabled it
	Gone                    // it answered 410
)

// Endpoint is where a partner is told.
type Endpoint struct {
	// ID is unique, "whk_...".
	ID string
	// Party is whose it is, "parties/CUS-XYZ".
	Party string
	// URL is where it is.
	URL string
	// Events are the types of event that it is told, each once.
	Events []string
	// DisplayName is what it is for, in words.
	DisplayName string
	// State says whether it is sent to.
	State State
	// Reason is why it is disabled.
	Reason Reason
	// CreateTime is business time, UTC.
	CreateTime time.Time
	// RollTime is when the secret was rolled, business time, UTC; zero before.
	RollTime time.Time
}

// Name is the endpoint's resource name, "webhooks/whk_...".
func (e Endpoint) Name() string { return "webhooks/" + e.ID }

// Wants reports whether an event of this type is sent to it.
func (e Endpoint) Wants(event string) bool {
	return e.State != Disabled && slices.Contains(e.Events, event)
}

// Fact is what became of an endpoint or a delivery.
type Fact interface{ fact() }

// Created says that a partner is told from now on.
type Created struct{ Endpoint Endpoint }

// Changed says that the state of an endpoint, or its secret, changed.
type Changed struct{ Endpoint Endpoint }

func (Created) fact() {}
func (Changed) fact() {}

// Verb is what can be done to an endpoint or a delivery.
type Verb string

// The verbs of an endpoint. Succeed and fail are a delivery's end, gone is the answer 410.
const (
	VerbCreate  Verb = "create"
	VerbRoll    Verb = "roll"
	VerbDisable Verb = "disable"
	VerbEnable  Verb = "enable"
	VerbSucceed Verb = "succeed"
	VerbFail    Verb = "fail"
	VerbGone    Verb = "gone"
)

// transitions says where a verb leads from a state. What is not in it is refused. An attempt that was under way when an endpoint
// was disabled may end afterwards, and changes nothing.
var transitions = map[State]map[Verb]State{
	0:        {VerbCreate: Active},
	Active:   {VerbRoll: Active, VerbDisable: Disabled, VerbEnable: Active, VerbSucceed: Active, VerbFail: Failing, VerbGone: Disabled},
	Failing:  {VerbRoll: Failing, VerbDisable: Disabled, VerbEnable: Active, VerbSucceed: Active, VerbFail: Failing, VerbGone: Disabled},
	Disabled: {VerbDisable: Disabled, VerbEnable: Active, VerbSucceed: Disabled, VerbFail: Disabled, VerbGone: Disabled},
}

// TransitionError is a verb that the state does not allow.
type TransitionError struct {
	What, From string
	Verb       Verb
}

func (e *TransitionError) Error() string {
	return fmt.Sprintf("cannot %s %s that is %s", e.Verb, e.What, e.From)
}

// Do is a verb other than create: at is business time. A verb that changes nothing tells nothing. The error is a *TransitionError.
func (e Endpoint) Do(v Verb, at time.Time) (Endpoint, []Fact, error) {
	to, ok := transitions[e.State][v]
	if !ok || v == VerbCreate {
		return e, nil, &TransitionError{"an endpoint", e.State.String(), v}
	}
	if to == e.State && v != VerbRoll {
		return e, nil, nil
	}
	if e.State = to; v == VerbRoll {
		e.RollTime = at.UTC()
	}
	switch {
	case to != Disabled:
		e.Reason = 0
	case v == VerbGone:
		e.Reason = Gone
	default:
		e.Reason = Asked
	}
	return e, []Fact{Changed{e}}, nil
}

// FieldError is one bad field.
type FieldError struct {
	// Path is in proto names under webhook, such as "event_types[1]".
	Path        string
	Problem     Problem
	Description string
}

// Problem is the kind of a bad field.
type Problem int

// The kinds of bad field.
const (
	Malformed Problem = iota + 1
	Duplicate
	Missing
	Refused
	UnknownEvent
	TooMany
)

// FieldErrors are all bad fields of an endpoint.
type FieldErrors []FieldError

func (e FieldErrors) Error() string {
	parts := make([]string, len(e))
	for i, f := range e {
		parts[i] = f.Path + " " + f.Description
	}
	return strings.Join(parts, "; ")
}

// MaxEndpoints is how many endpoints that are not disabled a party may have: each multiplies what is kept and sent.
const MaxEndpoints = 16

// New is what a new endpoint needs.
type New struct {
	ID          string
	Party       string
	URL         string
	Events      []string
	DisplayName string
	// Others is how many endpoints that are not disabled the party has.
	Others int
	// Reach is what addresses may be sent to.
	Reach Reach
}

var party = regexp.MustCompile(`^parties/[A-Z0-9-]{2,40}$`)

// Create makes an active endpoint. The error is FieldErrors.
func Create(n New, at time.Time) (Endpoint, []Fact, error) {
	var bad FieldErrors
	if !party.MatchString(n.Party) {
		bad = append(bad, FieldError{"party", Malformed, `want a party such as "parties/CUS-XYZ"`})
	}
	if problem := n.Reach.CheckURL(n.URL); problem != "" {
		bad = append(bad, FieldError{"url", Refused, problem})
	}
	if len(n.Events) == 0 {
		bad = append(bad, FieldError{"event_types", Missing, "at least one type of event"})
	}
	for i, event := range n.Events {
		path := fmt.Sprintf("event_types[%d]", i)
		switch {
		case !slices.Contains(events, event):
			bad = append(bad, FieldError{path, UnknownEvent, "want one of " + strings.Join(events, ", ")})
		case slices.Contains(n.Events[:i], event):
			bad = append(bad, FieldError{path, Duplicate, "is there twice"})
		}
	}
	if n.Others >= MaxEndpoints {
		bad = append(bad, FieldError{"party", TooMany, fmt.Sprintf("has %d endpoints, which is as many as it may have", n.Others)})
	}
	if len(bad) > 0 {
		return Endpoint{}, nil, bad
	}
	e := Endpoint{
		ID: n.ID, Party: n.Party, URL: n.URL, Events: slices.Clone(n.Events), DisplayName: n.DisplayName,
		State: transitions[0][VerbCreate], CreateTime: at.UTC(),
	}
	return e, []Fact{Created{e}}, nil
}
