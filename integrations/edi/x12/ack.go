package x12

import (
	"slices"
	"strconv"
	"strings"
)

// AckOptions say how a group is judged and how the 997 is numbered.
type AckOptions struct {
	// Control is ST02 of the 997; empty means "0001".
	Control string
	// GroupError, a code of data element 716, rejects the whole group whatever
	// it holds. The caller sets it for what only an agreement can tell: a group
	// or version the partner is not set up for.
	GroupError string
	// Supports says which sets (ST01) the partner may send; others are rejected
	// as not supported. Nil takes all.
	Supports func(set string) bool
	// Tolerate says which Error findings do not reject. They are still noted,
	// and the set is accepted with errors (E). Nil tolerates none.
	Tolerate func(Finding) bool
}

// Ack is a 997 for one group.
type Ack struct {
	Set  Set
	Code string // AK901: A, E, P or R
	Sets []SetAck
	// Included, Received and Accepted are AK902 to AK904.
	Included, Received, Accepted int
}

// SetAck is the verdict on one set.
type SetAck struct {
	ID, Control string
	Code        string // AK501: A, E or R. A set of a rejected group is R.
}

// Accepted reports whether the set was accepted, with or without errors.
func (s SetAck) Accepted() bool { return s.Code == "A" || s.Code == "E" }

// Acknowledge makes the 997 for a parsed group. findings are those of the
// file; others than this group's are passed over. ok is false for a group that
// must not be acknowledged: one of 997s or 999s.
func Acknowledge(f File, interchange, group int, o AckOptions) (ack Ack, ok bool) {
	g := f.Interchanges[interchange].Groups[group]
	a := groupReport{header: g.Header, trailer: g.Trailer}
	for _, t := range g.Sets {
		a.sets = append(a.sets, setReport{st: t.first()})
	}
	for _, found := range f.Findings {
		if found.Interchange == interchange && found.Group == group {
			a.add(found)
		}
	}
	return a.ack(o)
}

// Acknowledger makes 997s while a Reader's events go by. It holds the
// findings of the present group.
type Acknowledger struct {
	Options AckOptions
	report  groupReport
}

// Observe takes the next event. At the end of a group it returns the 997 for
// it; ok is false otherwise, and for a group that must not be acknowledged.
func (a *Acknowledger) Observe(e Event) (ack Ack, ok bool) {
	switch e.Kind {
	case GroupStart:
		a.report = groupReport{header: e.Segment}
	case SetStart:
		a.report.sets = append(a.report.sets, setReport{st: e.Segment})
	}
	for _, f := range e.Findings {
		if f.Group >= 0 {
			a.report.add(f)
		}
	}
	if e.Kind != GroupEnd {
		return Ack{}, false
	}
	a.report.trailer = e.Segment
	return a.report.ack(a.Options)
}

type groupReport struct {
	header, trailer Segment
	findings        []Finding // of the group itself
	sets            []setReport
}

type setReport struct {
	st       Segment
	findings []Finding
}

// add files a finding under its set or under the group. Only errors are
// acknowledged.
func (g *groupReport) add(f Finding) {
	switch {
	case f.Severity != Error:
	case f.Level == LevelGroup || f.Set < 0 || f.Set >= len(g.sets):
		g.findings = append(g.findings, f)
	default:
		g.sets[f.Set].findings = append(g.sets[f.Set].findings, f)
	}
}

func (g *groupReport) ack(o AckOptions) (Ack, bool) {
	if g.header.ID == "" || strings.TrimSpace(g.header.Get(1)) == "FA" {
		return Ack{}, false
	}
	if o.Control == "" {
		o.Control = "0001"
	}
	tolerated := func(f Finding) bool { return o.Tolerate != nil && o.Tolerate(f) }
	version := strings.TrimSpace(g.header.Get(8))

	ak1 := []string{strings.TrimSpace(g.header.Get(1)), strings.TrimSpace(g.header.Get(6))}
	if version >= "005" {
		ak1 = append(ak1, version) // AK103 came with 005010
	}
	out := []Segment{Seg("AK1", ak1...)}

	var codes []string
	groupNoted, groupRejected := false, o.GroupError != ""
	if groupRejected {
		codes = append(codes, o.GroupError)
	}
	for _, f := range g.findings {
		groupNoted = true
		groupRejected = groupRejected || !tolerated(f)
		if f.Level == LevelGroup && f.Code != "" {
			codes = append(codes, f.Code)
		}
	}

	a := Ack{Received: len(g.sets)}
	a.Included = a.Received
	if n, err := strconv.Atoi(strings.TrimSpace(g.trailer.Get(1))); err == nil && n >= 0 {
		a.Included = n
	}
	noted := groupNoted
	for _, t := range g.sets {
		v := SetAck{ID: strings.TrimSpace(t.st.Get(1)), Control: strings.TrimSpace(t.st.Get(2)), Code: "A"}
		if o.Supports != nil && !o.Supports(v.ID) {
			// What is not supported has not been judged either.
			t.findings = []Finding{{Severity: Error, Level: LevelSet, Code: SetNotSupported}}
		}
		if len(t.findings) > 0 {
			v.Code = "E"
			if slices.ContainsFunc(t.findings, func(f Finding) bool { return !tolerated(f) }) {
				v.Code = "R"
			}
		}
		// A rejected group needs no word on its sets.
		if groupRejected {
			v.Code = "R"
		} else {
			out = append(out, t.segments(v)...)
		}
		if v.Accepted() {
			a.Accepted++
		}
		noted = noted || v.Code == "E"
		a.Sets = append(a.Sets, v)
	}
	switch {
	case groupRejected || a.Received > 0 && a.Accepted == 0:
		a.Code = "R"
	case a.Accepted < a.Received:
		a.Code = "P"
	case noted:
		a.Code = "E"
	default:
		a.Code = "A"
	}
	ak9 := []string{a.Code, strconv.Itoa(a.Included), strconv.Itoa(a.Received), strconv.Itoa(a.Accepted)}
	out = append(out, Seg("AK9", append(ak9, distinct(codes, 5)...)...))
	a.Set = NewSet("997", o.Control, out...)
	return a, true
}

// segments makes AK2, AK3, AK4 and AK5 for one set.
func (t setReport) segments(v SetAck) []Segment {
	out := []Segment{Seg("AK2", v.ID, v.Control)}
	var codes []string
	inSegments := false
	// One AK3 per segment; findings about one segment stand side by side.
	for i := 0; i < len(t.findings); {
		f := t.findings[i]
		if f.Level == LevelSet {
			codes = append(codes, f.Code)
			i++
			continue
		}
		inSegments = true
		var errors []string
		var ak4 []Segment
		for ; i < len(t.findings); i++ {
			g := t.findings[i]
			if g.Level == LevelSet || g.SegmentID != f.SegmentID || g.Position != f.Position {
				break
			}
			if g.Level == LevelSegment {
				errors = append(errors, g.Code)
			} else {
				ak4 = append(ak4, elementNote(g))
			}
		}
		if len(ak4) > 0 {
			errors = append(errors, SegmentHasErrors)
		}
		ak3 := []string{bounded(f.SegmentID, 3), strconv.Itoa(f.Position), ""}
		out = append(out, Seg("AK3", append(ak3, distinct(errors, 5)...)...))
		out = append(out, ak4[:min(len(ak4), 99)]...)
	}
	if inSegments {
		codes = append(codes, SetSegments)
	}
	slices.SortFunc(codes, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return append(out, Seg("AK5", append([]string{v.Code}, distinct(codes, 5)...)...))
}

// elementNote makes an AK4. AK404, the bad value, is left out where there is
// none. It may hold separators of the received interchange; Write of the
// answer refuses or replaces what is a separator there.
func elementNote(f Finding) Segment {
	place := El(strconv.Itoa(f.Element))
	if f.Component > 0 {
		place.More = []string{strconv.Itoa(f.Component)}
	}
	s := Segment{ID: "AK4", Elements: []Element{place, El(f.Reference), El(f.Code)}}
	if v := bounded(f.Value, 99); v != "" {
		s.Elements = append(s.Elements, El(v))
	}
	return s
}

// distinct returns the first n different values.
func distinct(values []string, n int) []string {
	var out []string
	for _, v := range values {
		if len(out) < n && v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}
