package x12

import (
	"fmt"
	"strings"
)

// Severity says what a finding means for the message.
type Severity int

const (
	Info    Severity = iota + 1 // worth knowing
	Warning                     // a deviation that changes no meaning
	Error                       // a violation of the standard; the set, group or interchange is not accepted
)

func (s Severity) String() string {
	switch s {
	case Info:
		return "info"
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return "none"
}

// Level says which code table Finding.Code belongs to.
type Level int

const (
	LevelInterchange Level = iota + 1 // TA105, data element I18
	LevelGroup                        // AK905, data element 716
	LevelSet                          // AK502, data element 718
	LevelSegment                      // AK304, data element 720
	LevelElement                      // AK403, data element 723
)

func (l Level) String() string {
	switch l {
	case LevelInterchange:
		return "interchange"
	case LevelGroup:
		return "group"
	case LevelSet:
		return "set"
	case LevelSegment:
		return "segment"
	case LevelElement:
		return "element"
	}
	return "none"
}

// Codes of TA105 (data element I18) which this package reports.
const (
	NoteControlMismatch = "001"
	NoteVersion         = "017"
	NoteControlNumber   = "018"
	NoteAckRequested    = "019"
	NoteUsage           = "020"
	NoteGroupCount      = "021"
	NoteStructure       = "022"
	NoteEndOfFile       = "023"
	NoteContent         = "024"
	NoteDuplicate       = "025" // for the caller: this package keeps no history
	NoteDate            = "014"
	NoteTime            = "015"
	NoteComponent       = "027"
)

// Codes of AK905 (data element 716).
const (
	GroupNotSupported   = "1"
	GroupVersion        = "2"
	GroupTrailerMissing = "3"
	GroupControl        = "4"
	GroupCount          = "5"
	GroupSyntax         = "6"
)

// Codes of AK502 (data element 718).
const (
	SetNotSupported   = "1"
	SetTrailerMissing = "2"
	SetControl        = "3"
	SetCount          = "4"
	SetSegments       = "5"
	SetID             = "6"
	SetControlNumber  = "7"
	SetDuplicate      = "23" // control number not unique within the group
)

// Codes of AK304 (data element 720).
const (
	SegmentUnknown   = "1"
	SegmentMissing   = "3"
	SegmentLoopMax   = "4"
	SegmentMax       = "5"
	SegmentNotInSet  = "6"
	SegmentSequence  = "7"
	SegmentHasErrors = "8"
)

// Codes of AK403 (data element 723).
const (
	ElementMissing     = "1"
	ElementConditional = "2"
	ElementTooMany     = "3"
	ElementShort       = "4"
	ElementLong        = "5"
	ElementCharacter   = "6"
	ElementCode        = "7"
	ElementDate        = "8"
	ElementTime        = "9"
	ElementExclusion   = "10"
)

// Finding is one thing worth telling about the input.
type Finding struct {
	Severity Severity
	Level    Level
	// Code is the X12 code in the table of Level, "" where X12 has none.
	Code string

	// Interchange, Group and Set count from 0: within the file, within the
	// interchange and within the group. -1 means: not inside one.
	Interchange, Group, Set int

	SegmentID string // the segment, or the one which is missing
	Position  int    // of the segment in the set, ST = 1; 0 outside a set
	Element   int    // 01 = 1; 0 where the finding is about the segment
	Component int    // from 1; 0 where the finding is about the whole element
	Reference string // data element number, for example "234"

	// Value is the offending text, at most Limits.Value bytes of it.
	Value string

	// Offset and Length are the byte range of the segment or element in the input.
	Offset int64
	Length int

	Text string // one plain sentence, no stop at its end
}

// Path names the place of the finding for a person: "PO4 at 30, element 6".
func (f Finding) Path() string {
	var b strings.Builder
	b.WriteString(f.SegmentID)
	if f.Position > 0 {
		fmt.Fprintf(&b, " at %d", f.Position)
	}
	if f.Element > 0 {
		fmt.Fprintf(&b, ", element %d", f.Element)
	}
	if f.Component > 0 {
		fmt.Fprintf(&b, ", component %d", f.Component)
	}
	return b.String()
}

func (f Finding) String() string {
	code := ""
	if f.Code != "" {
		code = " (" + f.Level.String() + " code " + f.Code + ")"
	}
	return fmt.Sprintf("%s: %s: %s%s", f.Severity, f.Path(), f.Text, code)
}

// SyntaxError ends reading: the input from Offset on cannot be cut into
// segments.
type SyntaxError struct {
	Offset int64
	Note   string // TA105 code (data element I18)
	Text   string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("x12: byte %d: %s", e.Offset, e.Text)
}
