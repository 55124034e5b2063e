package x12

import (
	"strconv"
	"strings"
)

// Type is the data type of an element.
type Type string

// Data types of X12.6. N0 to N9 are numbers with implied decimals.
const (
	AN Type = "AN" // text
	ID Type = "ID" // code
	R  Type = "R"  // number with explicit decimal point
	DT Type = "DT" // date
	TM Type = "TM" // time
	B  Type = "B"  // binary; not checked
	N0 Type = "N0"
	N1 Type = "N1"
	N2 Type = "N2"
	N3 Type = "N3"
	N4 Type = "N4"
)

// decimals returns the implied decimals of a type N.
func (t Type) decimals() (int, bool) {
	if len(t) == 2 && t[0] == 'N' && t[1] >= '0' && t[1] <= '9' {
		return int(t[1] - '0'), true
	}
	return 0, false
}

// ElementDef defines a data element: type, and least and greatest length in
// characters (digits for numbers).
type ElementDef struct {
	Type     Type
	Min, Max int
	Codes    []string // allowed values; nil: any
}

// Field is the use of a data element at a place of a segment.
type Field struct {
	Number    string // data element number, or "C001" for a composite
	Mandatory bool
	Repeats   bool
}

// composite reports whether the field holds components.
func (f Field) composite() bool { return strings.HasPrefix(f.Number, "C") }

// NoteKind is the letter of a syntax note (X12.6, 3.8.3).
type NoteKind byte

// Kinds of syntax notes.
const (
	Paired          NoteKind = 'P' // if any is present, all are
	AtLeastOne      NoteKind = 'R' // at least one is present
	Exclusive       NoteKind = 'E' // at most one is present
	Conditional     NoteKind = 'C' // if the first is present, all others are
	ListConditional NoteKind = 'L' // if the first is present, at least one other is
)

// Note is a syntax note of a segment: P0607 is Paired 6, 7.
type Note struct {
	Kind     NoteKind
	Elements []int
}

// SegmentDef defines the elements of a segment.
type SegmentDef struct {
	Fields []Field
	Notes  []Note
}

// SetDef defines a transaction set between ST and SE.
type SetDef struct {
	ID       string
	Body     []Node
	Segments map[string]SegmentDef // segments without an entry are checked for their place only
	Elements map[string]ElementDef

	known map[string]bool // ids of all segments in Body
}

// Node is a segment of a set, or a loop that begins with that segment.
type Node struct {
	ID        string
	Mandatory bool
	Max       int    // occurrences; 0: any number
	Loop      []Node // of a loop: all its nodes, the first being its begin
}

// Lookup returns the table for a set by GS08 and ST01. exact is false where
// the version is not 004010: then the table is a guess that fits the elements
// used here, and what breaks it is no more than a deviation. It returns nil for
// sets without a table. The table is shared and must not be changed.
func Lookup(version, set string) (def *SetDef, exact bool) {
	def = sets004010[set]
	return def, def != nil && strings.HasPrefix(version, "004010")
}

// sets004010 are the sets of release 004010 this package knows.
var sets004010 = map[string]*SetDef{
	"204": set(set204),
	"210": set(set210),
	"214": set(set214),
	"810": set(set810),
	"850": set(set850),
	"990": set(set990),
	"997": set(set997),
}

func set(def SetDef) *SetDef {
	def.Segments, def.Elements = segments004010, elements004010
	def.known = map[string]bool{"ST": true, "SE": true}
	var walk func([]Node)
	walk = func(nodes []Node) {
		for _, n := range nodes {
			def.known[n.ID] = true
			walk(n.Loop)
		}
	}
	walk(def.Body)
	return &def
}

// The tables are written in the short form of the standard's own listings:
//
//	seg("128! 127 352", "R0203")   REF: 128 mandatory; at least one of 02, 03
//	req("BEG", 1), opt("REF", 0)   mandatory once; optional any number of times
//	loop(opt("N1", 200), ...)      loop of at most 200 N1
//
// A test reads every table and fails on one that is not well formed.

func seg(fields string, notes ...string) SegmentDef {
	var d SegmentDef
	for _, f := range strings.Fields(fields) {
		number, mandatory := strings.CutSuffix(f, "!")
		number, repeats := strings.CutSuffix(number, "*")
		d.Fields = append(d.Fields, Field{Number: number, Mandatory: mandatory, Repeats: repeats})
	}
	for _, n := range notes {
		note := Note{Kind: NoteKind(n[0])}
		for i := 1; i+1 < len(n); i += 2 {
			e, _ := strconv.Atoi(n[i : i+2])
			note.Elements = append(note.Elements, e)
		}
		d.Notes = append(d.Notes, note)
	}
	return d
}

func req(id string, max int) Node { return Node{ID: id, Mandatory: true, Max: max} }

func opt(id string, max int) Node { return Node{ID: id, Max: max} }

// loop makes a loop that begins with begin's segment; begin says how often
// the loop may occur. The segment itself stands once in each occurrence.
func loop(begin Node, rest ...Node) Node {
	begin.Loop = append([]Node{{ID: begin.ID, Mandatory: true, Max: 1}}, rest...)
	return begin
}
