// Package segments reads X12 interchanges as a small partner does: it takes the separators from the ISA and splits. It promises
// to read what the suite sends and to refuse what is no interchange; it judges nothing, knows no dictionary, and shares no
// code with the suite's own reader.
package segments

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Segment is one segment: its identifier and its elements, the first at 1.
type Segment []string

// ID is the segment's identifier.
func (s Segment) ID() string { return s.At(0) }

// At is an element as it stands, empty when the segment is shorter.
func (s Segment) At(i int) string {
	if i >= len(s) {
		return ""
	}
	return s[i]
}

// Set is one ST..SE.
type Set struct {
	ID       string // ST01, such as "204"
	Control  string // ST02
	Group    string // GS06 of the group it stands in
	GroupID  string // GS01 of the group it stands in
	Written  string // GS04 and GS05 of the group it stands in, "202603021112"
	Segments []Segment
}

// All returns the segments with an identifier, in order.
func (s Set) All(id string) []Segment {
	var out []Segment
	for _, g := range s.Segments {
		if g.ID() == id {
			out = append(out, g)
		}
	}
	return out
}

// First returns the first segment with an identifier, or an empty one.
func (s Set) First(id string) Segment {
	for _, g := range s.Segments {
		if g.ID() == id {
			return g
		}
	}
	return nil
}

// Interchange is one ISA..IEA.
type Interchange struct {
	Sender, Receiver string // ISA05/06 and ISA07/08 as "ZZ/NORTHLINE"
	Control          string // ISA13
	Usage            string // ISA15
	Version          string // GS08 of the first group
	Element, Segment byte
	Sets             []Set
}

// ErrNotX12 says that bytes are no interchange.
var ErrNotX12 = errors.New("not an X12 interchange")

// isaLength is that of an ISA with its terminator: fixed by the standard (X12.5).
const isaLength = 106

// Read reads the interchanges of a file.
func Read(content []byte) ([]Interchange, error) {
	var out []Interchange
	rest := strings.TrimLeft(string(content), " \r\n\t")
	for rest != "" {
		if len(rest) < isaLength || !strings.HasPrefix(rest, "ISA") {
			return nil, fmt.Errorf("%w: at %q", ErrNotX12, rest[:min(20, len(rest))])
		}
		in := Interchange{Element: rest[3], Segment: rest[isaLength-1]}
		var closed bool
		var group Segment
		var set *Set
		for !closed {
			text, after, found := strings.Cut(rest, string(in.Segment))
			if !found {
				return nil, fmt.Errorf("%w: no IEA in %s", ErrNotX12, in.Control)
			}
			rest = after
			s := Segment(strings.Split(strings.Trim(text, "\r\n"), string(in.Element)))
			switch s.ID() {
			case "ISA":
				in.Sender = s.At(5) + "/" + strings.TrimSpace(s.At(6))
				in.Receiver = s.At(7) + "/" + strings.TrimSpace(s.At(8))
				in.Control, in.Usage = s.At(13), s.At(15)
			case "GS":
				group = s
				if in.Version == "" {
					in.Version = s.At(8)
				}
			case "ST":
				set = &Set{ID: s.At(1), Control: s.At(2), Group: group.At(6), GroupID: group.At(1), Written: group.At(4) + group.At(5)}
			case "IEA":
				closed = true
			}
			if set != nil {
				set.Segments = append(set.Segments, s)
			}
			if s.ID() == "SE" && set != nil {
				if n, err := strconv.Atoi(s.At(1)); err != nil || n != len(set.Segments) {
					return nil, fmt.Errorf("%w: SE01 of %s %s is %q, it has %d segments", ErrNotX12, set.ID, set.Control, s.At(1), len(set.Segments))
				}
				in.Sets, set = append(in.Sets, *set), nil
			}
		}
		out = append(out, in)
		rest = strings.TrimLeft(rest, " \r\n\t")
	}
	if len(out) == 0 {
		return nil, ErrNotX12
	}
	return out, nil
}
