// Package freightbill is for carriers' bills: their states, the match to one load, and the audit.
//
// It promises that a header which is not the sum of its lines is refused before anything else is looked at; that every
// charge is judged alone, so that an over-charge never hides behind an under-charge; that a match needs exactly one
// load and keeps why the others were left out; and that every rule leaves a finding with its figures. Posting and
// clearing accruals is left to the caller.
package freightbill

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/money"

	"crossdock.dev/services/billing/internal/accrual"
)

// State is what became of a bill.
type State int

// The states.
const (
	Received State = iota + 1
	Approved
	Exception
	Rejected
	Duplicate
	Disputed
)

// States lists all states.
var States = []State{Received, Approved, Exception, Rejected, Duplicate, Disputed}

// String is the state's name.
func (s State) String() string {
	switch s {
	case Received:
		return "RECEIVED"
	case Approved:
		return "APPROVED"
	case Exception:
		return "EXCEPTION"
	case Rejected:
		return "REJECTED"
	case Duplicate:
		return "DUPLICATE"
	case Disputed:
		return "DISPUTED"
	}
	return "UNSPECIFIED"
}

// Verb is what the audit or, later, a person does to a bill.
type Verb string

// The verbs.
const (
	Approve  Verb = "approve"
	Except   Verb = "except"
	Reject   Verb = "reject"
	SetAside Verb = "set aside"
	Dispute  Verb = "dispute" // a person's alone
)

// Verbs lists all verbs.
var Verbs = []Verb{Approve, Except, Reject, SetAside, Dispute}

// transitions is the one table of states and verbs; repeating a verb changes nothing.
var transitions = map[State]map[Verb]State{
	Received:  {Approve: Approved, Except: Exception, Reject: Rejected, SetAside: Duplicate},
	Approved:  {Approve: Approved},
	Exception: {Except: Exception, Approve: Approved, Reject: Rejected, Dispute: Disputed},
	Rejected:  {Reject: Rejected},
	Duplicate: {SetAside: Duplicate},
	Disputed:  {Dispute: Disputed, Approve: Approved, Reject: Rejected},
}

// TransitionError says that a verb is not allowed in a state.
type TransitionError struct {
	From State
	Verb Verb
}

// Error names state and verb.
func (e *TransitionError) Error() string { return fmt.Sprintf("%s: not in state %s", e.Verb, e.From) }

// Next returns the state that a verb leads to, or *TransitionError.
func Next(from State, verb Verb) (State, error) {
	to, ok := transitions[from][verb]
	if !ok {
		return from, &TransitionError{from, verb}
	}
	return to, nil
}

// Owner is who works on a finding that did not pass.
type Owner string

// The owners.
const (
	Finance    Owner = "finance"    // price and identity
	Operations Owner = "operations" // delivery and its proof
)

// Code is an adjustment reason of X12 data element 426.
type Code string

// The codes that findings suggest for a dispute.
const (
	NotOurBill       Code = "18" // not company bill
	BilledTwice      Code = "19" // duplicate billing
	NotAuthorised    Code = "23" // special charge not authorised
	DocumentsMissing Code = "44" // required documents missing
	Stale            Code = "45" // stale
	IncorrectPrice   Code = "46" // transportation charge incorrect
)

// Finding is what the audit made of one rule.
type Finding struct {
	Rule    string // "A4"
	Subject string // "FUE", "total", a load's name
	Passed  bool
	Detail  string // the figures, in words
	Owner   Owner  // empty when it passed
	Dispute Code   // what a dispute of it is called; empty when it passed or no code fits
}

// Decision is what a person decided about a bill.
type Decision struct {
	State   State
	Reason  string // in words, which the carrier sees
	Dispute Code   // disputes only
	Time    time.Time
}

// Bill is a carrier's bill for a load.
type Bill struct {
	Name             string
	Carrier          string
	InvoiceNumber    string
	LoadNumber       string
	CarrierReference string
	BillDate         calendar.Date
	Charges          []accrual.Charge // as billed; a discount is negative
	Total            money.Amount     // as billed
	Source           string
	State            State
	Load             string // matched; empty when none
	Findings         []Finding
	Decisions        []Decision // oldest first
	Received         time.Time
	Related          []string
}

// The facts about a bill.
type (
	ReceivedFact struct{ Bill Bill }
	ApprovedFact struct{ Bill Bill }
	// ExceptedFact: a person has to look, or the bill was rejected or set aside.
	ExceptedFact struct{ Bill Bill }
	// RejectedFact: a person refused it.
	RejectedFact struct{ Bill Bill }
	// DisputedFact: a person disputed it.
	DisputedFact struct{ Bill Bill }
	// ResolvedFact: it was disputed and is decided after all.
	ResolvedFact struct{ Bill Bill }
)

// Do applies a verb.
func (b Bill) Do(verb Verb) (Bill, error) {
	to, err := Next(b.State, verb)
	b.State = to
	return b, err
}

// Held reports whether a matched bill waits for nothing but operations: the delivery or its proof. It is audited anew when they come.
func (b Bill) Held() bool {
	return b.State == Exception && b.Load != "" && !slices.ContainsFunc(b.Findings, func(f Finding) bool { return !f.Passed && f.Owner != Operations })
}

// Reaudited is a bill with what another audit found. What was found before any audit, its header, number and load, stays.
func (b Bill) Reaudited(o Outcome) Bill {
	kept := slices.IndexFunc(b.Findings, func(f Finding) bool { return f.Rule == firstOfAudit })
	if kept < 0 {
		kept = len(b.Findings)
	}
	b.Findings = append(slices.Clone(b.Findings[:kept]), o.Findings...)
	return b
}

// Decide applies a person's verb and keeps the decision; changed is false when it was done before. Only Approve, Dispute and Reject
// are a person's.
func (b Bill) Decide(verb Verb, d Decision) (out Bill, changed bool, err error) {
	out, err = b.Do(verb)
	if err != nil || out.State == b.State {
		return b, false, err
	}
	d.State = out.State
	out.Decisions = append(slices.Clone(b.Decisions), d)
	return out, true, nil
}

// HeaderFinding is rule A0: the total must be exactly the sum of the charges, in one currency.
func HeaderFinding(b Bill) Finding {
	f := Finding{Rule: "A0", Subject: "total", Owner: Finance}
	sum, err := money.Zero(b.Total.Currency())
	for _, c := range b.Charges {
		if err == nil {
			sum, err = sum.Add(c.Amount)
		}
	}
	if err != nil {
		f.Detail = "the charges cannot be added up: " + err.Error()
		return f
	}
	f.Passed = sum == b.Total
	f.Detail = fmt.Sprintf("header %s, sum of %d charges %s", b.Total.Label(), len(b.Charges), sum.Label())
	return f.settle()
}

func (f Finding) settle() Finding {
	if f.Passed {
		f.Owner, f.Dispute = "", ""
	}
	return f
}

// Earlier is the bill that used the same number first.
type Earlier struct {
	Bill  string
	Total money.Amount
}

// DuplicateFinding is rule D1: a carrier's invoice number is used once. duplicate means the same total, so that the bill is
// only a repeat; another total under the same number is a conflict for a person.
func DuplicateFinding(b Bill, earlier *Earlier) (f Finding, duplicate bool) {
	f = Finding{Rule: "D1", Subject: b.InvoiceNumber, Passed: true, Detail: "not seen before"}
	if earlier == nil {
		return f, false
	}
	f.Passed, f.Owner, f.Dispute = false, Finance, BilledTwice
	if earlier.Total == b.Total {
		f.Detail = "the same number and total as " + earlier.Bill
		return f, true
	}
	f.Detail = fmt.Sprintf("the same number as %s, which has %s and not %s", earlier.Bill, earlier.Total.Label(), b.Total.Label())
	return f, false
}

// MatchRule is the rule of Match's finding.
const MatchRule = "MATCH"

// Candidate is a load that a bill may be for.
type Candidate struct {
	Load             string
	Number           string
	CarrierReference string
	Carrier          string
	Booked           bool
	Cancelled        bool
	Owed             bool   // something was accrued and not reversed
	Currency         string // of its accruals; empty when there are none
}

// Match finds the one load that a bill is for, by load number or carrier's reference. With none or several left the bill is
// unmatched; the finding keeps why each candidate was left out.
func Match(b Bill, candidates []Candidate) (load string, f Finding) {
	f = Finding{Rule: MatchRule, Subject: b.LoadNumber, Owner: Finance}
	var left []Candidate
	var why []string
	for _, c := range candidates {
		reason := ""
		switch {
		case c.Number != b.LoadNumber && (b.CarrierReference == "" || c.CarrierReference != b.CarrierReference):
			reason = "has another number and reference"
		case c.Cancelled && !c.Owed:
			reason = "was cancelled and nothing is owed for it"
		case !c.Booked:
			reason = "was never booked"
		case c.Carrier != b.Carrier:
			reason = "was booked with another carrier"
		case c.Currency != "" && c.Currency != b.Total.Currency():
			reason = "is owed in " + c.Currency + ", billed in " + b.Total.Currency()
		}
		if reason == "" {
			left = append(left, c)
			continue
		}
		why = append(why, c.Number+" "+reason)
	}
	switch len(left) {
	case 1:
		f.Passed, f.Detail = true, "exactly one load: "+left[0].Number
		load = left[0].Load
	case 0:
		f.Detail = "no load"
	default:
		var numbers []string
		for _, c := range left {
			numbers = append(numbers, c.Number)
		}
		f.Detail = "several loads: " + strings.Join(numbers, ", ")
	}
	if len(why) > 0 {
		f.Detail += "; left out: " + strings.Join(why, ", ")
	}
	return load, f.settle()
}

// Leads are the names and numbers that lead to the bill.
func (b Bill) Leads() []string {
	out := append([]string{}, b.Related...)
	for _, n := range []string{b.Load, prefixed("load:", b.LoadNumber), prefixed("pro:", b.CarrierReference), b.Carrier, b.Source,
		"invoice:" + b.InvoiceNumber} {
		if n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}
