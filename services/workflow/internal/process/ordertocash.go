package process

import (
	"fmt"
	"time"
)

// Definition names this version of the process in every process that it runs.
const Definition = "order-to-cash/1"

// State is what a process waits for.
type State int

// The states, in the order of the way from order to cash.
const (
	Planning    State = iota + 1 // freight plans the shipment
	Tendering                    // freight looks for a carrier
	Executing                    // delivery and its proof are awaited
	Authorizing                  // billing decides whether the delivery may be billed
	Invoicing                    // billing issues the invoice
	Settling                     // the carrier's bill is awaited
	Stuck                        // a person decides
	Ended                        // everything is done
	Cancelling                   // freight calls the carrier off
)

var stateNames = map[State]string{
	Planning: "PLANNING", Tendering: "TENDERING", Executing: "EXECUTING", Authorizing: "AUTHORIZING",
	Invoicing: "INVOICING", Settling: "SETTLING", Stuck: "STUCK", Ended: "ENDED", Cancelling: "CANCELLING",
}

// String is the state's name as the contract writes it.
func (s State) String() string { return stateNames[s] }

// Process is one order release on its way. Names that are empty are not known yet.
type Process struct {
	ID                  string
	Definition          string
	OrderRelease        string
	Order               string
	CustomerOrderNumber string
	Shipment            string
	Load                string
	State               State
	WaitsFor            string
	WaitsUntil          time.Time // business time, UTC; zero when there is no limit

	Delivery      string // what said that the shipment was handed over
	Proof         string // the proof of delivery
	Authorization string
	Invoice       string
	FreightBill   string // the approved bill of the carrier
	// NoBill is true when no carrier bills us for this load: the customer pays its freight.
	NoBill bool
	// Booked is true when a carrier took the load, Left when the goods are on their way.
	Booked, Left bool
	// Offered is true when its load was offered to a carrier since freight was asked to.
	Offered bool
	// Refused is the command that a service refused for good; somebody may send it again.
	Refused Command
	// CancelReason is why the customer wants it called off; empty when it does not, or when the goods have left.
	CancelReason string

	CreateTime time.Time // business time, UTC
	EndTime    time.Time // business time, UTC; zero before
}

// Step names a command of the process. A command's request id is made of process and step, so that sending it again is
// harmless.
type Step string

// The steps, each with what undoes it.
const (
	PlanShipment     Step = "plan-shipment"     // undone by CancelShipment; nothing has left the enterprise
	TenderLoad       Step = "tender-load"       // undone by CancelShipment: the tender is withdrawn, a truck ordered and not used may be owed
	CancelShipment   Step = "cancel-shipment"   // never undone: the order is released anew
	AuthorizeBilling Step = "authorize-billing" // undone by a reversing entry that cites it
	IssueInvoice     Step = "issue-invoice"     // never undone: a credit note cites it
)

// Command is something that another service is asked to do.
type Command struct {
	Step Step
	// Subject is what it is about: the release, load, shipment or authorisation.
	Subject string
}

// Event is something that happened, as far as the process cares.
type Event interface{ describe() string }

// The events. Names in them are resource names of the services that told them.
type (
	// Released: an order release was handed over; it begins the process.
	Released struct{ OrderRelease, Order, CustomerOrderNumber string }
	// Planned: freight made a shipment and put it on a load. Until JoinUntil others may join the load, and it is not offered; zero when
	// nobody may.
	Planned struct {
		Shipment, Load string
		JoinUntil      time.Time
	}
	// Tendered: the load was offered to a carrier.
	Tendered struct {
		Tender, Carrier string
		RespondBy       time.Time
	}
	// Booked: a carrier took the load. Owed is true when it will bill us.
	Booked struct {
		Carrier   string
		DeliverBy time.Time
		Owed      bool
	}
	// Exhausted: no carrier is left to ask.
	Exhausted struct{ Load string }
	// Departed: the goods left.
	Departed struct{}
	// Delivered: the shipment was handed over.
	Delivered struct{ Shipment string }
	// Proven: a proof of delivery came in. Exceptions is true when not everything was taken clean.
	Proven struct {
		Proof      string
		Exceptions bool
	}
	// Authorized: the delivery may be billed.
	Authorized struct{ Authorization string }
	// Invoiced: the customer's invoice was issued.
	Invoiced struct{ Invoice string }
	// BillApproved: the carrier's bill is payable.
	BillApproved struct{ FreightBill string }
	// BillExcepted: the carrier's bill needs a person.
	BillExcepted struct {
		FreightBill string
		Reason      Reason
		Owner       string
		Detail      string
	}
	// BillDisputed: a person disputed the carrier's bill; BillRejected: a person refused it, and the carrier may send another.
	BillDisputed struct{ FreightBill string }
	// BillRejected is a person's refusal.
	BillRejected struct{ FreightBill string }
	// CancellationRequested: the customer wants the order called off.
	CancellationRequested struct{ Reason string }
	// Cancelled: the shipment was called off with its load, which is a load of its own when it left a shared one before. Owed is true
	// when the carrier will bill us all the same.
	Cancelled struct {
		Load string
		Owed bool
	}
	// Raised: something is wrong with the shipment; Cleared: it is right again.
	Raised struct {
		Reason Reason
		Detail string
	}
	// Cleared takes a Raised back.
	Cleared struct{ Reason Reason }
	// Refused: a service refused a command for good.
	Refused struct {
		Command Command
		Detail  string
	}
	// SentAgain: a person dealt with the refusal and wants the command sent again.
	SentAgain struct{}
	// Overran: the effect of a command has not come about within its limit.
	Overran struct {
		Step  Step
		Limit time.Duration
	}
)

func (e Released) describe() string              { return "fact OrderReleased" }
func (e Planned) describe() string               { return "fact ShipmentPlanned" }
func (e Tendered) describe() string              { return "fact LoadTendered" }
func (e Booked) describe() string                { return "fact LoadBooked" }
func (e Exhausted) describe() string             { return "fact TendersExhausted" }
func (e Departed) describe() string              { return "fact ShipmentDeparted" }
func (e Delivered) describe() string             { return "fact ShipmentDelivered" }
func (e Proven) describe() string                { return "fact ProofOfDeliveryReceived" }
func (e Authorized) describe() string            { return "fact BillingAuthorized" }
func (e Invoiced) describe() string              { return "fact InvoiceIssued" }
func (e BillApproved) describe() string          { return "fact FreightBillApproved" }
func (e BillExcepted) describe() string          { return "fact FreightBillExcepted" }
func (e BillDisputed) describe() string          { return "fact DisputeOpened" }
func (e BillRejected) describe() string          { return "fact FreightBillRejected" }
func (e CancellationRequested) describe() string { return "fact OrderCancellationRequested" }
func (e Cancelled) describe() string             { return "fact LoadCancelled" }
func (e Raised) describe() string                { return "fact ExceptionRaised" }
func (e Cleared) describe() string               { return "fact ExceptionCleared" }
func (e Refused) describe() string               { return "refusal of " + string(e.Command.Step) }
func (e SentAgain) describe() string             { return "retry by a person" }
func (e Overran) describe() string               { return "limit of " + string(e.Step) }

// Outcome is what an event made of a process.
type Outcome struct {
	Process Process
	// Changed is false when the event told the process nothing new. Work items may be opened and closed all the same.
	Changed  bool
	Commands []Command
	Open     []Item
	// Close names reasons whose work items about the subject are closed: what they asked for has come about.
	Close []Closing
	// Action is what happened, in words, for the process's history.
	Action string
	// Unwatch is the step whose limit counts no more, Watch the one whose limit counts from WatchFrom on; empty when there is none.
	Unwatch, Watch Step
	WatchFrom      time.Time
}

// Start begins the process of a release.
func Start(id string, e Released, at time.Time) Outcome {
	p := Process{
		ID: id, Definition: Definition, CreateTime: at, State: Planning,
		OrderRelease: e.OrderRelease, Order: e.Order, CustomerOrderNumber: e.CustomerOrderNumber,
		WaitsFor: "freight to plan the shipment",
	}
	return Outcome{
		Process: p, Changed: true, Action: e.describe(), Commands: []Command{{PlanShipment, e.OrderRelease}}, Watch: PlanShipment, WatchFrom: at,
	}
}

// Next is the process after an event. Facts of different services may arrive in any order; what came is kept under its
// name, and the state moves when everything that it waits for is there.
func Next(p Process, e Event, at time.Time) Outcome {
	before := p
	out := Outcome{Action: e.describe(), WatchFrom: at}
	switch e := e.(type) {
	case Planned:
		if p.Shipment == "" {
			p.Shipment, p.Load = e.Shipment, e.Load
			if e.JoinUntil.After(at) {
				out.WatchFrom = e.JoinUntil
			}
			switch {
			case p.State != Planning:
			case p.CancelReason != "": // the customer was faster than the plan
				out.Commands = append(out.Commands, p.callOff()...)
			default:
				out.Commands = append(out.Commands, p.await(Tendering, "freight to tender "+e.Load, TenderLoad, e.Load)...)
			}
		}
	case Tendered:
		if p.State == Tendering || p.State == Stuck && p.Refused.Step == TenderLoad { // another order aboard had it offered
			p.State, p.WaitsFor, p.WaitsUntil = Tendering, "the answer of "+e.Carrier+" to "+e.Tender, e.RespondBy
			out.Close = append(out.Close, Closing{TendersExhausted, p.Load})
		}
		p.Offered = p.Offered || p.State == Tendering || p.State == Cancelling
	case Booked:
		p.Booked = true
		switch {
		case p.State == Cancelling: // the answer was on its way when the customer called
			p.NoBill = !e.Owed
		case p.State == Tendering, p.State == Planning, p.State == Stuck && !p.Left:
			p.NoBill = !e.Owed
			p.State, p.WaitsFor, p.WaitsUntil = Executing, "delivery by "+e.Carrier, e.DeliverBy
			out.Close = append(out.Close, Closing{TendersExhausted, p.Load})
		}
	case Exhausted:
		if p.State == Tendering {
			p.Offered = true
			p.WaitsFor, p.WaitsUntil = "a person: every carrier of the routing guide was asked for "+e.Load, time.Time{}
			out.Open = append(out.Open, Item{
				Reason: TendersExhausted, Owner: Operations, Subject: e.Load,
				Detail: "Every carrier of the routing guide declined or let the time pass.",
			})
		}
	case Departed:
		p.left()
	case Delivered:
		p.left()
		if p.Delivery == "" {
			p.Delivery = e.Shipment
		}
	case Proven:
		switch {
		case p.Proof == e.Proof:
		case !e.Exceptions: // it may take the place of one that had some
			out.Close = append(out.Close, Closing{DeliveryException, p.Shipment})
		default:
			out.Open = append(out.Open, Item{
				Reason: DeliveryException, Owner: Operations, Subject: p.Shipment,
				Detail: "The proof of delivery " + e.Proof + " names quantities that were not taken clean.",
			})
		}
		p.Proof = e.Proof
	case Authorized:
		if p.Authorization == "" {
			p.Authorization = e.Authorization
			out.Commands = append(out.Commands, p.await(Invoicing, "billing to issue the invoice", IssueInvoice, e.Authorization)...)
		}
	case Invoiced:
		if p.Invoice == "" {
			p.Invoice = e.Invoice
			p.State, p.WaitsFor, p.WaitsUntil = Settling, "the carrier's bill", time.Time{}
		}
	case BillApproved:
		if p.FreightBill == "" {
			p.FreightBill = e.FreightBill
			out.Close = append(out.Close, Closing{"", e.FreightBill})
		}
	case BillExcepted:
		out.Close = append(out.Close, e.Overruled()...)
		out.Open = append(out.Open, Item{Reason: e.Reason, Owner: e.Owner, Subject: e.FreightBill, Detail: e.Detail})
		if p.State == Settling {
			p.WaitsFor = "a decision of " + e.Owner + " on " + e.FreightBill
		}
	case BillDisputed:
		if p.State == Settling {
			p.WaitsFor = "the dispute of " + e.FreightBill
		}
	case BillRejected:
		out.Close = append(out.Close, Closing{"", e.FreightBill})
		if p.State == Settling {
			p.WaitsFor = "another bill of the carrier"
		}
	case CancellationRequested:
		switch {
		case p.Left:
			out.Open = append(out.Open, p.notCancelled("The goods had left when the customer asked."))
		case p.State == Tendering, p.State == Executing, p.State == Stuck && p.Shipment != "":
			p.CancelReason = e.Reason
			out.Commands = append(out.Commands, p.callOff()...)
		case p.State == Planning, p.State == Stuck: // there is nothing to call off before it is planned
			p.CancelReason = e.Reason
		}
	case Cancelled:
		if p.State != Ended && p.Invoice == "" {
			p.Load = e.Load
			out.Close = append(out.Close, Closing{"", p.Load}, Closing{"", p.Shipment}, Closing{"", p.Name()})
			p.NoBill, p.Refused = !e.Owed, Command{}
			p.State, p.WaitsFor, p.WaitsUntil = Settling, "the carrier's bill for the truck that was not used", time.Time{}
		}
	case Raised:
		out.Open = append(out.Open, Item{Reason: e.Reason, Owner: Operations, Subject: p.Shipment, Detail: e.Detail})
	case Cleared:
		out.Close = append(out.Close, Closing{e.Reason, p.Shipment})
	case Refused:
		switch {
		case p.State != stateOf[e.Command.Step]: // what it asked for came about in another way
		case e.Command.Step == CancelShipment: // the release goes on as if nobody had asked
			p.State, p.WaitsFor = Tendering, "a carrier for "+p.Load
			if p.Booked || p.Left {
				p.State, p.WaitsFor = Executing, "delivery"
			}
			if !p.Left {
				p.Refused = e.Command
			}
			out.Open = append(out.Open, p.notCancelled(e.Detail))
		default:
			p.State, p.WaitsFor, p.WaitsUntil = Stuck, "a person: "+e.Detail, time.Time{}
			p.Refused = e.Command
			out.Open = append(out.Open, Item{
				Reason: CommandRefused, Owner: Operations, Subject: p.Name(),
				Detail: fmt.Sprintf("%s of %s was refused: %s", e.Command.Step, e.Command.Subject, e.Detail),
			})
		}
	case SentAgain:
		if c := p.Refused; p.State == Stuck || c.Step == CancelShipment && (p.State == Tendering || p.State == Executing) {
			p.Refused = Command{}
			out.Commands = append(out.Commands, p.await(stateOf[c.Step], "the answer to "+string(c.Step), c.Step, c.Subject)...)
		}
	case Overran:
		if e.Step == p.Awaits() {
			out.Open = append(out.Open, Item{
				Reason: overranOf[e.Step], Owner: Operations, Subject: p.Name(),
				Detail: fmt.Sprintf("%s took longer than %s. It waits for %s.", e.Step, inWords(e.Limit), p.WaitsFor),
			})
		}
	}
	if before.State == Stuck && p.State != Stuck { // what was refused came about in another way, or is not wanted any more
		p.Refused = Command{}
		out.Close = append(out.Close, Closing{CommandRefused, p.Name()})
	}
	out.Commands = append(out.Commands, p.advance(at)...)
	if was, is := before.Awaits(), p.Awaits(); was != is {
		out.Unwatch, out.Watch = was, is
		if was != "" {
			out.Close = append(out.Close, Closing{overranOf[was], p.Name()})
		}
	}
	out.Process, out.Changed = p, p != before
	return out
}

// stateOf is the state that waits for a step's effect.
var stateOf = map[Step]State{
	PlanShipment: Planning, TenderLoad: Tendering, AuthorizeBilling: Authorizing, IssueInvoice: Invoicing, CancelShipment: Cancelling,
}

// overranOf is the reason for a person to look when a step's effect has not come about within its limit.
var overranOf = map[Step]Reason{PlanShipment: PlanningOverdue, TenderLoad: TenderingOverdue}

// Awaits is the step whose effect the process waits for against a limit of ours; empty when there is none. A carrier's answer and the
// delivery are due by what was agreed on, which others watch.
func (p Process) Awaits() Step {
	switch {
	case p.State == Planning:
		return PlanShipment
	case p.State == Tendering && !p.Offered:
		return TenderLoad
	}
	return ""
}

// Overruled are the items of earlier audits of the bill that came to another end: the newest audit counts.
func (e BillExcepted) Overruled() []Closing {
	var out []Closing
	for _, r := range []Reason{FreightBillOverTolerance, FreightBillRejected, FreightBillUnmatched} {
		if r != e.Reason {
			out = append(out, Closing{r, e.FreightBill})
		}
	}
	return out
}

// left notes that the goods are on their way: the customer's wish to call them off is over.
func (p *Process) left() {
	p.Left, p.CancelReason = true, ""
	if p.Refused.Step == CancelShipment {
		p.Refused = Command{}
	}
}

// notCancelled tells a person that the release goes on although the customer wanted it called off. While the goods have not left,
// closing the item asks freight again.
func (p Process) notCancelled(detail string) Item {
	return Item{Reason: CancellationRefused, Owner: Operations, Subject: p.Name(), Detail: "It cannot be called off and goes on: " + detail}
}

// callOff asks freight to cancel the shipment.
func (p *Process) callOff() []Command {
	p.Refused = Command{}
	return p.await(Cancelling, "freight to call off "+p.Shipment, CancelShipment, p.Shipment)
}

// await moves to the state that waits for a command's effect, and returns the command.
func (p *Process) await(s State, waitsFor string, step Step, subject string) []Command {
	p.State, p.WaitsFor, p.WaitsUntil = s, waitsFor, time.Time{}
	if s == Tendering {
		p.Offered = false
	}
	return []Command{{step, subject}}
}

// advance moves on when everything that the state waits for is there.
func (p *Process) advance(at time.Time) []Command {
	switch {
	case p.State == Executing && p.Delivery != "" && p.Proof != "":
		return p.await(Authorizing, "billing to authorise "+p.Shipment, AuthorizeBilling, p.Shipment)
	case p.State == Executing && p.Delivery != "":
		p.WaitsFor, p.WaitsUntil = "the proof of delivery of "+p.Shipment, time.Time{}
	case p.State == Settling && (p.NoBill || p.FreightBill != ""):
		p.State, p.WaitsFor, p.WaitsUntil, p.EndTime = Ended, "", time.Time{}, at
	}
	return nil
}

// Name is the process's resource name.
func (p Process) Name() string { return "processes/" + p.ID }
