package x12

import (
	"iter"
	"strconv"
	"strings"
)

// Separators are the four delimiters of one interchange. Each is a single
// character, which may take several bytes. Component and Repetition are empty
// where the interchange has none.
type Separators struct {
	Element    string // ISA byte 3
	Component  string // ISA16
	Repetition string // ISA11 from 00402 on
	Segment    string // the character after ISA16
}

// Format holds what an interchange needs besides its values to be written as
// it was read. For a new interchange set Separators and AfterSegment.
type Format struct {
	Separators
	Lead         string         // before the ISA: byte order mark, white space
	AfterSegment string         // white space after each terminator
	Gaps         map[int]string // white space after the n-th segment (ISA = 0) where it is not AfterSegment
	Trailer      string         // white space after the last segment
	Open         bool           // the last segment has no terminator
}

// Element is one data element. Most have a Value and nothing else.
type Element struct {
	Value   string     // first component of the first repetition
	More    []string   // the other components of the first repetition
	Repeats [][]string // the other repetitions, each with at least one component
}

// El returns a simple element.
func El(value string) Element { return Element{Value: value} }

// Empty reports whether the element carries no data at all. Empty components
// and repetitions are no data.
func (e Element) Empty() bool {
	if e.Value != "" {
		return false
	}
	for _, c := range e.More {
		if c != "" {
			return false
		}
	}
	for _, r := range e.Repeats {
		for _, c := range r {
			if c != "" {
				return false
			}
		}
	}
	return true
}

// Text returns the element as it stands in a file with the given separators.
func (e Element) Text(s Separators) string {
	if e.More == nil && e.Repeats == nil {
		return e.Value
	}
	var b strings.Builder
	b.WriteString(e.Value)
	for _, c := range e.More {
		b.WriteString(s.Component)
		b.WriteString(c)
	}
	for _, r := range e.Repeats {
		b.WriteString(s.Repetition)
		for i, c := range r {
			if i > 0 {
				b.WriteString(s.Component)
			}
			b.WriteString(c)
		}
	}
	return b.String()
}

// size is len(e.Text(s)) without building the text.
func (e Element) size(s Separators) int {
	n := len(e.Value)
	for _, c := range e.More {
		n += len(s.Component) + len(c)
	}
	for _, r := range e.Repeats {
		n += len(s.Repetition) + (len(r)-1)*len(s.Component)
		for _, c := range r {
			n += len(c)
		}
	}
	return n
}

// Segment is one segment. Elements[0] is the first data element, the one that
// X12 numbers 01.
type Segment struct {
	ID       string
	Elements []Element
	Offset   int64 // of the first byte of ID in the input
	Length   int   // in bytes, without the terminator
}

// Seg makes a segment of simple elements.
func Seg(id string, values ...string) Segment {
	s := Segment{ID: id, Elements: make([]Element, len(values))}
	for i, v := range values {
		s.Elements[i].Value = v
	}
	return s
}

// Get returns the first component of element n (01 is 1), "" where absent.
func (s Segment) Get(n int) string { return s.Element(n).Value }

// Element returns element n (01 is 1), the zero Element where absent.
func (s Segment) Element(n int) Element {
	if n < 1 || n > len(s.Elements) {
		return Element{}
	}
	return s.Elements[n-1]
}

// ElementRange returns offset and length in bytes of element n in the input.
// For an absent element it is the place right after the last one, length 0.
func (s Segment) ElementRange(n int, sep Separators) (offset int64, length int) {
	off := s.Offset + int64(len(s.ID))
	for i, e := range s.Elements {
		size := e.size(sep)
		if i+1 == n {
			return off + int64(len(sep.Element)), size
		}
		off += int64(len(sep.Element) + size)
	}
	return off, 0
}

// Text returns the segment without terminator as it stands in a file.
func (s Segment) Text(sep Separators) string {
	var b strings.Builder
	b.WriteString(s.ID)
	for _, e := range s.Elements {
		b.WriteString(sep.Element)
		b.WriteString(e.Text(sep))
	}
	return b.String()
}

// Set is one transaction set.
type Set struct {
	Segments []Segment // ST to SE; without SE where it is missing
	After    []Segment // segments that stand between SE and the next ST, GE, GS or IEA
}

// NewSet makes a set of the segments between ST and SE.
func NewSet(id, control string, body ...Segment) Set {
	segments := make([]Segment, 0, len(body)+2)
	segments = append(segments, Seg("ST", id, control))
	segments = append(segments, body...)
	return Set{Segments: append(segments, Seg("SE", strconv.Itoa(len(body)+2), control))}
}

// ID returns ST01.
func (t Set) ID() string { return t.first().Get(1) }

// Control returns ST02 without blanks around it.
func (t Set) Control() string { return strings.TrimSpace(t.first().Get(2)) }

// Text returns the set as one text with the given separators. Two sets whose
// texts are equal say the same, however each was separated.
func (t Set) Text(sep Separators) string {
	var b strings.Builder
	for _, s := range t.Segments {
		b.WriteString(s.Text(sep))
		b.WriteString(sep.Segment)
	}
	return b.String()
}

func (t Set) first() Segment {
	if len(t.Segments) == 0 {
		return Segment{}
	}
	return t.Segments[0]
}

// Group is one functional group. Header or Trailer are zero where they are
// missing in the input.
type Group struct {
	Header  Segment   // GS
	Lead    []Segment // segments that stand between GS and the first ST
	Sets    []Set
	Trailer Segment   // GE
	After   []Segment // segments that stand between GE and the next GS or IEA
}

// Version returns GS08 without blanks around it.
func (g Group) Version() string { return strings.TrimSpace(g.Header.Get(8)) }

// Interchange is one ISA to IEA. Header or Trailer are zero where they are
// missing in the input.
type Interchange struct {
	Format  Format
	Header  Segment   // ISA, elements with their padding
	Lead    []Segment // segments before the first group; a TA1 belongs here
	Groups  []Group
	Trailer Segment // IEA
}

// Control returns ISA13 without blanks around it.
func (x Interchange) Control() string { return strings.TrimSpace(x.Header.Get(13)) }

// Range returns the bytes of the input from ISA to the terminator of the last
// segment: what a hash of the interchange is taken of.
func (x Interchange) Range() (offset int64, length int) {
	var first, last Segment
	n := 0
	for s := range x.All() {
		if n == 0 {
			first = s
		}
		last = s
		n++
	}
	length = int(last.Offset-first.Offset) + last.Length
	if n > 0 && !x.Format.Open {
		length += len(x.Format.Segment)
	}
	return first.Offset, length
}

// All yields every segment from ISA to IEA in file order.
func (x Interchange) All() iter.Seq[Segment] {
	return func(yield func(Segment) bool) {
		each := func(list []Segment) bool {
			for _, s := range list {
				if !yield(s) {
					return false
				}
			}
			return true
		}
		one := func(s Segment) bool { return s.ID == "" || yield(s) }
		if !one(x.Header) || !each(x.Lead) {
			return
		}
		for _, g := range x.Groups {
			if !one(g.Header) || !each(g.Lead) {
				return
			}
			for _, t := range g.Sets {
				if !each(t.Segments) || !each(t.After) {
					return
				}
			}
			if !one(g.Trailer) || !each(g.After) {
				return
			}
		}
		one(x.Trailer)
	}
}

// File is what one input holds.
type File struct {
	Interchanges []Interchange
	Findings     []Finding
	// Dropped counts the findings beyond Limits.Findings. They are not in Findings.
	Dropped int
}
