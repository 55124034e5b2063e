package x12

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// validator follows one set through its table. It looks from the present
// place forward, innermost loop first, as X12.6 lets loops be told apart by
// their first segment alone.
type validator struct {
	def   *SetDef
	exact bool
	stack []frame
}

// frame is an open loop; the first one is the set.
type frame struct {
	nodes  []Node
	counts []int
	at     int // nothing before this node can follow any more
}

func newValidator(def *SetDef, exact bool) *validator {
	return &validator{def: def, exact: exact, stack: []frame{{nodes: def.Body, counts: make([]int, len(def.Body))}}}
}

// repeats tells which elements of a segment may hold repetitions.
func (v *validator) repeats(id string) func(int) bool {
	d, ok := v.def.Segments[id]
	if !ok || !slices.ContainsFunc(d.Fields, func(f Field) bool { return f.Repeats }) {
		return nil
	}
	return func(n int) bool { return n <= len(d.Fields) && d.Fields[n-1].Repeats }
}

// add adds a finding, lowered to a warning where the table is not the set's own.
func (v *validator) add(e *Event, f Finding) {
	if !v.exact && f.Severity == Error {
		f.Severity = Warning
	}
	e.add(f)
}

// segment checks place and elements of one segment.
func (v *validator) segment(r *Reader, e *Event) {
	s := e.Segment
	depth, i, full := v.find(s.ID)
	switch {
	case i >= 0:
		node := v.stack[depth].nodes[i]
		v.close(r, e, s, depth)
		f := &v.stack[depth]
		v.missing(r, e, s, f.nodes[f.at:i], f.counts[f.at:i])
		f.at = i
		f.counts[i]++
		if full {
			code, text := SegmentMax, fmt.Sprintf("more than %d %s", node.Max, s.ID)
			if node.Loop != nil {
				code, text = SegmentLoopMax, fmt.Sprintf("more than %d loops of %s", node.Max, s.ID)
			}
			v.add(e, r.finding(Error, LevelSegment, code, s, text))
		}
		if node.Loop != nil {
			inner := frame{nodes: node.Loop, counts: make([]int, len(node.Loop)), at: 1}
			inner.counts[0] = 1
			v.stack = append(v.stack, inner)
		}
	case v.def.known[s.ID]:
		v.add(e, r.finding(Error, LevelSegment, SegmentSequence, s, "segment out of sequence"))
	case v.def.Segments[s.ID].Fields != nil:
		v.add(e, r.finding(Error, LevelSegment, SegmentNotInSet, s, "segment does not belong to set "+v.def.ID))
		return
	default:
		v.add(e, r.finding(Error, LevelSegment, SegmentUnknown, s, "unknown segment"))
		return
	}
	if d, ok := v.def.Segments[s.ID]; ok {
		v.elements(r, e, d)
	}
}

// find returns the node that a segment fills: its frame and its index, -1 if
// there is none. full says that the node has had all its occurrences.
func (v *validator) find(id string) (depth, index int, full bool) {
	fullDepth, fullIndex := -1, -1
	for depth = len(v.stack) - 1; depth >= 0; depth-- {
		f := v.stack[depth]
		for i := f.at; i < len(f.nodes); i++ {
			if f.nodes[i].ID != id {
				continue
			}
			if f.nodes[i].Max == 0 || f.counts[i] < f.nodes[i].Max {
				return depth, i, false
			}
			if fullDepth < 0 {
				fullDepth, fullIndex = depth, i
			}
		}
	}
	return fullDepth, fullIndex, true
}

// close ends the loops inside of frame depth.
func (v *validator) close(r *Reader, e *Event, at Segment, depth int) {
	for len(v.stack)-1 > depth {
		f := v.stack[len(v.stack)-1]
		v.missing(r, e, at, f.nodes[f.at:], f.counts[f.at:])
		v.stack = v.stack[:len(v.stack)-1]
	}
}

// missing reports mandatory nodes that were passed by. They are missing at
// the place of the segment that shows it.
func (v *validator) missing(r *Reader, e *Event, at Segment, nodes []Node, counts []int) {
	for i, n := range nodes {
		if n.Mandatory && counts[i] == 0 {
			f := r.finding(Error, LevelSegment, SegmentMissing, at, "mandatory segment "+n.ID+" is missing before "+bounded(at.ID, 3))
			f.SegmentID = n.ID
			v.add(e, f)
		}
	}
}

// end closes the set. at is its SE.
func (v *validator) end(r *Reader, e *Event, at Segment) {
	v.close(r, e, at, 0)
	f := v.stack[0]
	v.missing(r, e, at, f.nodes[f.at:], f.counts[f.at:])
}

// elements checks the elements of a segment and its syntax notes. A fault of
// one element is reported once, even if several notes show it.
func (v *validator) elements(r *Reader, e *Event, d SegmentDef) {
	s := e.Segment
	var found []Finding
	report := func(sev Severity, code string, n int, text string) {
		for _, f := range found {
			if f.Element == n && f.Code == code {
				return
			}
		}
		f := r.elementFinding(sev, LevelElement, code, s, n, text)
		if n <= len(d.Fields) && !d.Fields[n-1].composite() {
			f.Reference = d.Fields[n-1].Number
		}
		found = append(found, f)
	}
	for i, field := range d.Fields {
		n, el := i+1, s.Element(i+1)
		if el.Empty() {
			if field.Mandatory {
				report(Error, ElementMissing, n, "mandatory element is missing")
			}
			if len(el.More) > 0 {
				report(Warning, "", n, "empty trailing components")
			}
			continue
		}
		if field.composite() {
			continue
		}
		if len(el.More) > 0 {
			if slices.ContainsFunc(el.More, func(c string) bool { return c != "" }) {
				report(Error, ElementCharacter, n, "component separator inside a simple element")
			} else {
				report(Warning, "", n, "empty trailing components")
			}
		}
		if def, ok := v.def.Elements[field.Number]; ok {
			if code, text := def.check(el.Value); code != "" {
				report(Error, code, n, text)
			}
			for _, rep := range el.Repeats {
				if code, text := def.check(rep[0]); code != "" {
					report(Error, code, n, text)
				}
			}
		}
	}
	for n := len(d.Fields) + 1; n <= len(s.Elements); n++ {
		if !s.Element(n).Empty() {
			report(Warning, ElementTooMany, n, "the table ends before this element")
			break // once is enough, however many there are
		}
	}
	for _, note := range d.Notes {
		note.check(s, report)
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return a.Element - b.Element })
	for _, f := range found {
		v.add(e, f)
	}
}

// check applies a syntax note.
func (note Note) check(s Segment, report func(Severity, string, int, string)) {
	var present, absent []int
	for _, n := range note.Elements {
		if s.Element(n).Empty() {
			absent = append(absent, n)
		} else {
			present = append(present, n)
		}
	}
	first := len(present) > 0 && present[0] == note.Elements[0]
	switch note.Kind {
	case Paired:
		if len(present) > 0 {
			for _, n := range absent {
				report(Error, ElementConditional, n, fmt.Sprintf("element is required with element %d", present[0]))
			}
		}
	case Conditional:
		if first {
			for _, n := range absent {
				report(Error, ElementConditional, n, fmt.Sprintf("element is required with element %d", present[0]))
			}
		}
	case AtLeastOne:
		if len(present) == 0 {
			report(Error, ElementConditional, note.Elements[0], fmt.Sprintf("at least one of the elements %s is required", list(note.Elements)))
		}
	case ListConditional:
		if first && len(present) == 1 {
			report(Error, ElementConditional, note.Elements[1], fmt.Sprintf("with element %d at least one of the elements %s is required", present[0], list(note.Elements[1:])))
		}
	case Exclusive:
		for _, n := range present[min(1, len(present)):] {
			report(Error, ElementExclusion, n, fmt.Sprintf("element excludes element %d", present[0]))
		}
	}
}

func list(numbers []int) string { return strings.Trim(fmt.Sprint(numbers), "[]") }

// check returns the code of data element 723 for a value that breaks the
// definition, "" for a good one.
func (d ElementDef) check(value string) (code, text string) {
	size := 0
	switch d.Type {
	case B:
		return "", ""
	case R:
		if _, err := ParseR(value); err != nil {
			return ElementCharacter, "not a number"
		}
		size = len(value) - strings.Count(value, "-") - strings.Count(value, ".")
	case DT:
		if !digits(value) {
			return ElementDate, "not a date"
		}
		size = len(value)
	case TM:
		if !digits(value) {
			return ElementTime, "not a time"
		}
		size = len(value)
	case AN, ID:
		for i := range len(value) {
			if value[i] < ' ' || value[i] == 0x7f {
				return ElementCharacter, "control character in text"
			}
		}
		// Blanks at the end are padding and do not count.
		size = utf8.RuneCountInString(strings.TrimRight(value, " "))
	default:
		if n, ok := d.Type.decimals(); ok {
			if _, err := ParseN(value, n); err != nil {
				return ElementCharacter, "not a number with implied decimals"
			}
		}
		size = len(strings.TrimPrefix(value, "-"))
	}
	if size < d.Min {
		return ElementShort, fmt.Sprintf("shorter than %d", d.Min)
	}
	if size > d.Max {
		return ElementLong, fmt.Sprintf("longer than %d", d.Max)
	}
	switch d.Type {
	case DT:
		if _, err := ParseDate(value); err != nil {
			return ElementDate, "not a date"
		}
	case TM:
		if _, err := ParseTime(value); err != nil {
			return ElementTime, "not a time"
		}
	}
	if d.Codes != nil && !slices.Contains(d.Codes, strings.TrimRight(value, " ")) {
		return ElementCode, "not a listed code"
	}
	return "", ""
}
