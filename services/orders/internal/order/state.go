package order

// Commercial is where the agreement with the customer stands.
type Commercial string

// The commercial states.
const (
	Drafted   Commercial = "DRAFT"     // received, not yet promised
	Confirmed Commercial = "CONFIRMED" // promised
	Changed   Commercial = "CHANGED"   // promised anew after an amendment
	Closed    Commercial = "CLOSED"    // everything ordered is billed or cancelled
	Cancelled Commercial = "CANCELLED" // everything was cancelled
)

// Verb is what can be done to an order.
type Verb string

// The verbs. Progress is what carriers and billing tell of released quantities; Close follows from it.
const (
	VerbConfirm     Verb = "confirm"
	VerbRelease     Verb = "release"
	VerbCancel      Verb = "cancel"
	VerbPlaceHold   Verb = "place_hold"
	VerbReleaseHold Verb = "release_hold"
	VerbProgress    Verb = "progress"
	VerbClose       Verb = "close"
)

// States and Verbs list all of them, in the order of an order's life.
var (
	States = []Commercial{Drafted, Confirmed, Changed, Closed, Cancelled}
	Verbs  = []Verb{VerbConfirm, VerbRelease, VerbCancel, VerbPlaceHold, VerbReleaseHold, VerbProgress, VerbClose}
)

// table says where a verb leads from a state; what is not in it is refused. A closed or cancelled order still takes in what
// carriers and billing tell late or twice. Holds, and what is released already, can be in the way of a verb that the table allows.
var table = map[Commercial]map[Verb]Commercial{
	Drafted:   {VerbConfirm: Confirmed, VerbCancel: Cancelled, VerbPlaceHold: Drafted, VerbReleaseHold: Drafted},
	Confirmed: {VerbConfirm: Confirmed, VerbRelease: Confirmed, VerbCancel: Cancelled, VerbPlaceHold: Confirmed, VerbReleaseHold: Confirmed, VerbProgress: Confirmed, VerbClose: Closed},
	Changed:   {VerbConfirm: Changed, VerbRelease: Changed, VerbCancel: Cancelled, VerbPlaceHold: Changed, VerbReleaseHold: Changed, VerbProgress: Changed, VerbClose: Closed},
	Closed:    {VerbProgress: Closed, VerbClose: Closed},
	Cancelled: {VerbCancel: Cancelled, VerbProgress: Cancelled},
}

// Next is where a verb leads; a *TransitionError when the state does not know the verb.
func (c Commercial) Next(v Verb) (Commercial, error) {
	if to, ok := table[c][v]; ok {
		return to, nil
	}
	return c, &TransitionError{From: c, Verb: v}
}
