package message

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"crossdock.dev/integrations/edi/internal/profile"
	"crossdock.dev/integrations/edi/x12"
)

// Bounds of one interchange. A sender with more sets splits it, as X12 allows at any set. Of more errors the first are reported
// in the group's 997, and the first of each set in any case: it decides about the set.
const (
	maxSets   = 500
	maxErrors = 2000
)

// Scanned is an interchange as it was found in a document.
type Scanned struct {
	Head    Interchange // addresses, control number, usage, place, separators
	SHA256  [32]byte    // of its bytes, ISA to the last terminator
	Profile profile.Profile
	Known   bool   // Profile is set: the addresses are a partner's
	Fault   string // why the envelope cannot be trusted; empty when it can
	Sets    []ScannedSet
	Groups  []ScannedGroup
}

// ScannedGroup is a functional group with the answer to it.
type ScannedGroup struct {
	Control string
	Ack     x12.Ack
	Answer  bool // the group is acknowledged
}

// ScannedSet is a set with the verdict on its syntax.
type ScannedSet struct {
	Set
	Refusal string // why its syntax or kind is refused; empty when accepted
	Acks    []GroupAck
}

// GroupAck is what a 997 says of one of our groups.
type GroupAck struct {
	Set     int    // the index of the 997
	Control string // AK102
	Code    string // AK901
}

// Scanner reads the interchanges of a document one after the other.
type Scanner struct {
	data     io.ReaderAt
	size     int64
	profiles profile.Set
	reader   *x12.Reader
	current  *scan
	done     bool
}

// NewScanner returns a Scanner over size bytes.
func NewScanner(data io.ReaderAt, size int64, profiles profile.Set) *Scanner {
	return &Scanner{data: data, size: size, profiles: profiles, reader: x12.NewReader(io.NewSectionReader(data, 0, size), x12.Limits{})}
}

// Next returns the next interchange, io.EOF after the last. What cannot be read as an interchange is one with a Fault, to the
// end of the document. Any other error is that of the underlying reader.
func (s *Scanner) Next() (Scanned, error) {
	for !s.done {
		e, err := s.reader.Next()
		var syntax *x12.SyntaxError
		switch {
		case err == io.EOF:
			s.done = true
			return Scanned{}, io.EOF
		case errors.As(err, &syntax):
			s.done = true
			c := s.current
			if c == nil {
				c = &scan{}
				c.out.Head.Offset = syntax.Offset
			}
			s.current = nil
			c.fault(fmt.Sprintf("byte %d: %s", syntax.Offset, syntax.Text))
			c.end = s.size
			return c.finish(s.data)
		case err != nil:
			return Scanned{}, err
		}
		if e.Kind == x12.InterchangeStart {
			s.current = begin(e, s.profiles)
		}
		s.current.observe(e)
		if e.Kind == x12.InterchangeEnd {
			c := s.current
			s.current = nil
			return c.finish(s.data)
		}
	}
	return Scanned{}, io.EOF
}

// scan is an interchange while its events go by.
type scan struct {
	out       Scanned
	end       int64 // byte after the last terminator
	ack       x12.Acknowledger
	group     x12.Segment
	first     int // index in out.Sets of the group's first set
	found     int // errors of the group
	foundHere int // errors of the current set, or of the group between its sets
	errors    []string
	reference string // AK102 of the current 997
	overflow  bool
}

func begin(e x12.Event, profiles profile.Set) *scan {
	c := &scan{}
	get := func(n, limit int) string { return Clean(e.Segment.Get(n), limit) }
	c.out.Head = Interchange{
		Direction: Inbound, Sender: get(5, 2) + "/" + get(6, maxAddress), Receiver: get(7, 2) + "/" + get(8, maxAddress),
		Control: get(13, maxControl), Usage: get(15, 1), Offset: e.Segment.Offset, Separators: e.Format.Separators,
	}
	c.out.Profile, c.out.Known = profiles.Find(c.out.Head.Sender, c.out.Head.Receiver)
	return c
}

func (c *scan) fault(text string) {
	if c.out.Fault == "" {
		c.out.Fault = Clean(text, maxReason)
	}
}

func (c *scan) observe(e x12.Event) {
	if e.Segment.Length > 0 {
		c.end = e.Segment.Offset + int64(e.Segment.Length)
		if !e.Open {
			c.end += int64(len(c.out.Head.Separators.Segment))
		}
	}
	for _, f := range e.Findings {
		if f.Severity == x12.Error && f.Group < 0 {
			c.fault(f.Path() + ": " + f.Text)
		}
	}
	switch e.Kind {
	case x12.GroupStart:
		if e.Segment.ID == "" {
			c.fault("a set stands outside of any group")
		}
		c.group, c.first, c.found, c.foundHere = e.Segment, len(c.out.Sets), 0, 0
		c.ack.Options = x12.AckOptions{Supports: func(set string) bool { return set != "997" && c.out.Profile.Supports(set) }}
		if version := strings.TrimSpace(e.Segment.Get(8)); !c.out.Profile.Release(version) {
			c.ack.Options.GroupError = x12.GroupVersion
		}
	case x12.SetStart:
		c.startSet(e)
	}
	if c.overflow {
		return
	}
	c.note(&e)
	switch {
	case e.Kind == x12.SetSegment:
		c.segment(e.Segment)
	case e.Kind == x12.SetEnd:
		c.endSet()
	}
	ack, ok := c.ack.Observe(e)
	if e.Kind == x12.GroupEnd {
		c.endGroup(ack, ok)
	}
}

// note keeps the errors of the current set in words, and bounds what the group's acknowledgement holds.
func (c *scan) note(e *x12.Event) {
	kept := e.Findings[:0:0]
	for _, f := range e.Findings {
		if f.Severity != x12.Error || f.Group < 0 {
			continue
		}
		c.found++
		c.foundHere++
		if c.found > maxErrors && c.foundHere > 1 {
			continue
		}
		kept = append(kept, f)
		if f.Set >= 0 && len(c.errors) < 10 {
			c.errors = append(c.errors, f.Path()+": "+f.Text)
		}
	}
	e.Findings = kept
}

func (c *scan) startSet(e x12.Event) {
	if len(c.out.Sets) == maxSets {
		c.fault(fmt.Sprintf("more than %d sets in one interchange", maxSets))
		c.overflow = true
		return
	}
	c.errors, c.reference, c.foundHere = nil, "", 0
	c.out.Sets = append(c.out.Sets, ScannedSet{Set: Set{
		Index: len(c.out.Sets) + 1, ID: setID(e.Segment.Get(1)), Control: Clean(e.Segment.Get(2), maxControl),
		Group: Clean(c.group.Get(6), maxControl), Version: Clean(c.group.Get(8), maxControl), Offset: e.Segment.Offset,
	}})
}

func (c *scan) last() *ScannedSet { return &c.out.Sets[len(c.out.Sets)-1] }

// segment looks at what a set is about.
func (c *scan) segment(s x12.Segment) {
	set := c.last()
	if slices.Contains(statements[set.ID], s.ID) && len(set.Segments) < maxSegments {
		set.Segments = append(set.Segments, Segment{ID: s.ID, Offset: s.Offset, Length: int64(s.Length)})
	}
	relate := func(prefix string, element int) {
		if number := Clean(s.Get(element), maxNumber); number != "" {
			set.Related = append(set.Related, prefix+number)
		}
	}
	switch {
	case len(set.Related) > 0 && (s.ID == "BEG" || s.ID == "B1" || s.ID == "B10" || s.ID == "B3"): // each stands once
	case set.ID == "850" && s.ID == "BEG":
		relate(orderPrefix, 3)
	case set.ID == "990" && s.ID == "B1":
		relate(loadPrefix, 2)
	case set.ID == "214" && s.ID == "B10":
		relate(loadPrefix, 2)
		relate(proPrefix, 1)
	case set.ID == "210" && s.ID == "B3":
		relate(loadPrefix, 3)
		relate("bill:", 2)
	case set.ID == "997" && s.ID == "AK1":
		c.reference = Clean(s.Get(2), maxControl)
	case set.ID == "997" && s.ID == "AK9" && len(set.Acks) < 100:
		ack := GroupAck{Set: set.Index, Control: c.reference, Code: Clean(s.Get(1), 1)}
		set.Acks, set.AckCode = append(set.Acks, ack), ack.Code
	}
}

func (c *scan) endSet() {
	set := c.last()
	set.Length = c.end - set.Offset
	set.Refusal = Clean(strings.Join(c.errors, "; "), maxReason)
	c.foundHere = 0
}

// endGroup takes over the verdicts of the acknowledgement. A group that is never acknowledged holds acknowledgements alone.
func (c *scan) endGroup(ack x12.Ack, answer bool) {
	if answer {
		c.out.Groups = append(c.out.Groups, ScannedGroup{Control: Clean(c.group.Get(6), maxControl), Ack: ack, Answer: true})
	}
	for i := c.first; i < len(c.out.Sets); i++ {
		set := &c.out.Sets[i]
		switch {
		case !answer && set.ID != "997":
			set.Refusal = "set " + set.ID + " in a group of acknowledgements"
		case !answer && !c.out.Profile.Supports("997"):
			set.Refusal = "set 997 is not agreed"
		case answer && c.ack.Options.GroupError != "":
			set.Refusal = "version " + set.Version + " is not agreed"
		case answer && !c.ack.Options.Supports(set.ID):
			set.Refusal = "set " + set.ID + " is not agreed"
		case answer && !ack.Sets[i-c.first].Accepted():
			if set.Refusal == "" {
				set.Refusal = "its group is rejected"
			}
		default:
			set.Refusal = "" // accepted
		}
	}
}

func (c *scan) finish(data io.ReaderAt) (Scanned, error) {
	c.out.Head.Size = c.end - c.out.Head.Offset
	for i := range c.out.Sets { // sets that reading broke off in
		if set := &c.out.Sets[i]; set.Length == 0 {
			set.Length = c.end - set.Offset
		}
	}
	h := sha256.New()
	err := copySection(h, data, c.out.Head.Offset, c.out.Head.Size)
	h.Sum(c.out.SHA256[:0])
	c.out.Head.Sets = len(c.out.Sets)
	return c.out, err
}

func copySection(h hash.Hash, data io.ReaderAt, offset, size int64) error {
	_, err := io.Copy(h, io.NewSectionReader(data, offset, size))
	return err
}
