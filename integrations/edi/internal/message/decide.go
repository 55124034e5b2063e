package message

import (
	"fmt"
	"strings"

	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
)

// Seen is what is known of an interchange with the same pair of addresses and the same control number.
type Seen struct {
	ID     string // of the interchange; empty: none was seen
	SHA256 [32]byte
	// Results are what its sets became, by index.
	Results map[int]string
}

// Judge decides what becomes of an interchange and of each of its sets. The rules, in their order: an envelope that cannot be
// trusted is refused whole; one without an agreement, or with another usage than agreed, waits for a person; the same bytes
// again are acknowledged and applied to nothing; the control number with other bytes waits for a person, its syntax not judged.
func Judge(s Scanned, seen Seen) (Interchange, []Set) {
	x := s.Head
	if s.Known {
		x.Party = s.Profile.Party
	}
	x.Disposition = Accepted
	set := func(t *Set, d SetDisposition, code Reason, reason string) {
		t.Disposition, t.ReasonCode, t.Reason = d, code, reason
	}
	quarantine := func(code Reason, reason string) {
		x.Disposition, x.ReasonCode, x.Reason = Quarantined, code, reason
	}
	switch {
	case s.Fault != "":
		x.Disposition, x.ReasonCode, x.Reason = Unreadable, MessageRejected, s.Fault
	case !s.Known:
		quarantine(UnknownPartner, fmt.Sprintf("no profile for sender %s and receiver %s", x.Sender, x.Receiver))
	case x.Usage != s.Profile.Usage:
		quarantine(UsageMismatch, fmt.Sprintf("usage is %s, agreed is %s", x.Usage, s.Profile.Usage))
	case seen.ID != "" && seen.SHA256 == s.SHA256:
		x.Disposition, x.Reason = Replayed, "came before as "+Name(seen.ID)
	case seen.ID != "":
		quarantine(ControlNumberReused, fmt.Sprintf("control number %s came before with other content as %s (TA1 note %s)", x.Control, Name(seen.ID), x12.NoteDuplicate))
	}
	sets := make([]Set, len(s.Sets))
	for i, found := range s.Sets {
		t := found.Set
		switch {
		case x.Disposition == Unreadable:
			set(&t, Rejected, x.ReasonCode, "its interchange is refused")
		case x.Disposition == Quarantined:
			set(&t, Parked, x.ReasonCode, "its interchange waits")
		case found.Refusal == "" && t.ID == "997":
			set(&t, Acknowledgement, "", x.Reason)
		case x.Disposition == Replayed:
			set(&t, Duplicate, "", x.Reason)
			t.Result = seen.Results[t.Index]
		case found.Refusal != "":
			set(&t, Rejected, MessageRejected, found.Refusal)
		default:
			set(&t, InProgress, "", "")
		}
		sets[i] = t
	}
	return x, sets
}

// Uses reports whether the interchange has used up its control number: it was judged by its content, whatever came of that.
func (x Interchange) Uses() bool { return x.Disposition == Accepted }

// Answers reports whether the groups of the interchange are acknowledged.
func (x Interchange) Answers() bool { return x.Disposition == Accepted || x.Disposition == Replayed }

// Waits reports whether a set may be judged again: it is parked, and its interchange is not.
func Waits(x Interchange, s Set) bool { return s.Disposition == Parked && x.Disposition == Accepted }

// Order is an 850 as far as the decision on it needs to know.
type Order struct {
	Number   string
	Purpose  string // BEG01
	SHA256   [32]byte
	Problems []mapping.Problem
}

// Prior is what is known of the same order number.
type Prior struct {
	Set    string // name of the set that spoke of it first; empty: none
	SHA256 [32]byte
	Order  string // the order, once there is one
}

// Verdict is what becomes of a set that was accepted by syntax.
type Verdict struct {
	Disposition SetDisposition // InProgress: hand it on
	Code        Reason
	Reason      string
	Result      string
	Unmapped    []Code   // codes that it waits for a meaning of
	Related     []string // names and numbers that its handing on has added
}

// Wait parks a set.
func Wait(code Reason, reason string) Verdict {
	return Verdict{Disposition: Parked, Code: code, Reason: Clean(reason, maxReason)}
}

// JudgeOrder decides about an 850. An order number makes one order; the same content again says nothing new; other content, and
// every purpose but "original", is for a person.
func JudgeOrder(o Order, prior Prior, askAlways bool) Verdict {
	problems := Describe(o.Problems)
	park := func(code Reason, reason string) Verdict {
		if problems != "" {
			reason = strings.TrimPrefix(reason+"; "+problems, "; ")
		}
		v := Wait(code, reason)
		v.Result = prior.Order
		return v
	}
	switch {
	case o.Purpose != "00" && prior.Set != "":
		return park(ChangeNotApplied, "purpose "+o.Purpose+" for an order that came as "+prior.Set)
	case o.Purpose == "05":
		return park(ReplaceWithoutOriginal, "replaces an order that never came")
	case o.Purpose != "00":
		return park(ChangeWithoutOriginal, "purpose "+o.Purpose+" for an order that never came")
	case prior.Set != "" && prior.SHA256 != o.SHA256:
		return park(DuplicatePODiffers, "order number came before with other content as "+prior.Set)
	case prior.Set != "" && askAlways:
		return park(DuplicatePOAsk, "order number came before with the same content as "+prior.Set)
	case prior.Set != "":
		return Verdict{Disposition: Duplicate, Reason: "same order as " + prior.Set, Result: prior.Order}
	case problems != "":
		return park(MappingFailed, "")
	}
	return Verdict{Disposition: InProgress}
}

// Describe puts the errors of a mapping into words, alike ones once with their number.
func Describe(problems []mapping.Problem) string {
	var order []mapping.Reason
	first, times := map[mapping.Reason]mapping.Problem{}, map[mapping.Reason]int{}
	for _, p := range problems {
		if p.Severity != x12.Error {
			continue
		}
		if times[p.Reason] == 0 {
			first[p.Reason] = p
			order = append(order, p.Reason)
		}
		times[p.Reason]++
	}
	var out []string
	for _, r := range order {
		p := first[r]
		text := p.Text
		if p.Value != "" {
			text += " (" + p.Value + ")"
		}
		switch {
		case times[r] > 1:
			text = fmt.Sprintf("%s in %d places", text, times[r])
		case p.Field != "":
			text = p.Field + ": " + text
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}
