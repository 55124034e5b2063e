package x12

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind says what an Event is.
type Kind int

const (
	InterchangeStart Kind = iota + 1 // ISA
	GroupStart                       // GS
	SetStart                         // ST
	SetSegment                       // a segment between ST and SE
	SetEnd                           // SE
	GroupEnd                         // GE
	InterchangeEnd                   // IEA
	Loose                            // a segment in an interchange but in no set: TA1, or one out of place
)

// Event is one step through the input. Starts and ends always come in pairs:
// where GS, SE, GE or IEA is missing in the input, the event comes with a zero
// Segment and with a finding that says so.
type Event struct {
	Kind    Kind
	Segment Segment
	// Interchange, Group and Set count from 0, -1 where not inside one.
	// Position counts the segments of a set, ST = 1.
	Interchange, Group, Set, Position int
	Gap                               string // white space after the terminator
	Open                              bool   // the terminator is missing at the end of input
	Format                            Format // with InterchangeStart: separators and lead
	Findings                          []Finding
}

// Reader turns input into events. It holds one segment, the control numbers
// of the current group, and the counters of the current set's loops.
type Reader struct {
	scan  scanner
	lim   Limits
	queue []Event // made by the last step
	next  int     // the first one in queue not given out yet
	bare  *Bare

	in          bool // inside an interchange
	inGroup     bool
	inSet       bool
	sep         Separators
	terminator  []byte
	isa, gs, st Segment
	interchange int // index of the current or last one
	group, set  int // likewise
	groups      int // in this interchange, with those that have no GS
	headers     int // GS in this interchange
	sets        int // in this group
	position    int // in this set
	controls    map[string]bool
	check       *validator
	gapNotes    []Finding // about the white space after the segment in hand
	fault       error
}

// NewReader returns a Reader for input that begins with an ISA.
func NewReader(r io.Reader, lim Limits) *Reader {
	lim = lim.orDefaults()
	return &Reader{scan: scanner{r: r, lim: lim}, lim: lim, interchange: -1, group: -1, set: -1}
}

// Bare describes sets that come without ISA and GS.
type Bare struct {
	Separators Separators // all empty: taken from the first ST
	Version    string     // stands for GS08, for example "004010"
}

// NewBareReader returns a Reader for input that begins with an ST. It gives
// the events of an interchange and a group whose headers are zero.
func NewBareReader(r io.Reader, b Bare, lim Limits) *Reader {
	rd := NewReader(r, lim)
	rd.bare = &b
	return rd
}

// Next returns the next event, io.EOF after the last one, or the error that
// ends reading: a *SyntaxError or the error of the underlying reader.
func (r *Reader) Next() (Event, error) {
	for r.next == len(r.queue) {
		if r.fault != nil {
			return Event{}, r.fault
		}
		r.queue, r.next = r.queue[:0], 0
		r.fault = r.step()
	}
	r.next++
	return r.queue[r.next-1], nil
}

// step reads one segment and queues its events.
func (r *Reader) step() error {
	if !r.in {
		return r.begin()
	}
	if len(r.scan.peek(1)) == 0 {
		if r.scan.err != nil {
			return fmt.Errorf("x12: read: %w", r.scan.err)
		}
		r.endInterchange(Event{}, false)
		return nil
	}
	if r.bare == nil && r.scan.startsISA() {
		w := r.scan.peek(512)
		if _, need, reason := parseHeader(w, true); !need && reason == "" {
			r.endInterchange(Event{}, false)
			return nil
		}
	}
	text, offset, open, err := r.scan.segment(r.terminator)
	if err != nil {
		return err
	}
	e := Event{Open: open}
	var repeats func(int) bool
	if r.inSet && r.check != nil {
		id, _, _ := strings.Cut(text, r.sep.Element)
		repeats = r.check.repeats(id)
	}
	e.Segment = split(text, r.sep, repeats)
	e.Segment.Offset = offset
	r.afterGap(&e)

	switch id := e.Segment.ID; {
	case id == "GS" && r.bare == nil:
		r.startGroup(e)
	case id == "ST":
		r.startSet(e)
	case id == "SE" && r.inSet:
		r.endSet(e, true)
	case id == "GE" && r.inGroup && r.bare == nil:
		r.endGroup(e, true)
	case id == "IEA" && r.bare == nil:
		r.endInterchange(e, true)
	case r.inSet:
		r.position++
		e.Kind = SetSegment
		if r.check != nil {
			r.check.segment(r, &e)
		}
		r.emit(e)
	case id == "TA1" && !r.inGroup:
		e.Kind = Loose
		r.emit(e)
	default:
		e.Kind = Loose
		e.add(r.finding(Error, LevelInterchange, NoteContent, e.Segment, "segment outside of any set"))
		r.emit(e)
	}
	return nil
}

func (r *Reader) emit(e Event) {
	if e.Segment.Length > 0 {
		for _, n := range r.gapNotes {
			e.add(r.finding(n.Severity, LevelInterchange, "", e.Segment, n.Text))
		}
		r.gapNotes = nil
	}
	e.Interchange, e.Group, e.Set, e.Position = r.interchange, r.group, r.set, r.position
	if !r.inGroup {
		e.Group = -1
	}
	if !r.inSet {
		e.Set, e.Position = -1, 0
	}
	r.queue = append(r.queue, e)
}

func (e *Event) add(f Finding) { e.Findings = append(e.Findings, f) }

// afterGap consumes the white space behind a segment.
func (r *Reader) afterGap(e *Event) {
	gap, dropped := r.scan.gap(r.sep.Segment)
	e.Gap = gap
	if dropped > 0 {
		r.gapNotes = append(r.gapNotes, Finding{Severity: Info, Text: fmt.Sprintf("%d bytes of white space after the segment are not kept", dropped)})
	}
	if strings.Contains(gap, r.sep.Segment) && strings.Trim(r.sep.Segment, "\r\n") != "" {
		r.gapNotes = append(r.gapNotes, Finding{Severity: Warning, Text: "empty segment after this one"})
	}
}

// finding makes a finding about seg at the current place.
func (r *Reader) finding(sev Severity, level Level, code string, seg Segment, text string) Finding {
	f := Finding{Severity: sev, Level: level, Code: code, Interchange: r.interchange, Group: -1, Set: -1,
		SegmentID: bounded(seg.ID, r.lim.Value), Offset: seg.Offset, Length: seg.Length, Text: text}
	if r.inGroup {
		f.Group = r.group
	}
	if r.inSet {
		f.Set, f.Position = r.set, r.position
	}
	return f
}

// elementFinding makes a finding about element n of seg.
func (r *Reader) elementFinding(sev Severity, level Level, code string, seg Segment, n int, text string) Finding {
	f := r.finding(sev, level, code, seg, text)
	f.Element = n
	f.Offset, f.Length = seg.ElementRange(n, r.sep)
	f.Value = bounded(seg.Element(n).Text(r.sep), r.lim.Value)
	return f
}

// bounded copies at most n bytes of text without cutting a character. It is a
// copy so that a finding does not keep a whole segment in memory.
func bounded(text string, n int) string {
	if len(text) <= n {
		return strings.Clone(text)
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return strings.Clone(text[:n])
}

func (r *Reader) begin() error {
	start := r.scan.off
	lead := r.scan.lead()
	if len(r.scan.peek(1)) == 0 {
		if r.scan.err != nil {
			return fmt.Errorf("x12: read: %w", r.scan.err)
		}
		if start == 0 && r.interchange < 0 {
			return &SyntaxError{Note: NoteEndOfFile, Text: "the input is empty"}
		}
		return io.EOF
	}
	if r.bare != nil {
		return r.beginBare(lead)
	}
	offset := r.scan.off
	h, err := r.scan.header()
	if err != nil {
		return err
	}
	r.in, r.inGroup, r.inSet = true, false, false
	r.interchange++
	r.groups, r.headers, r.group, r.set = 0, 0, -1, -1
	r.sep, r.terminator = h.sep, []byte(h.sep.Segment)
	r.isa = Segment{ID: "ISA", Elements: h.elements, Offset: offset, Length: h.length}
	e := Event{Kind: InterchangeStart, Segment: r.isa, Format: Format{Separators: h.sep, Lead: lead}}
	r.checkISA(&e, h)
	r.afterGap(&e)
	r.emit(e)
	return nil
}

// beginBare opens an interchange and a group without headers.
func (r *Reader) beginBare(lead string) error {
	sep := r.bare.Separators
	if sep == (Separators{}) {
		var err error
		if sep, err = bareSeparators(r.scan.peek(64), r.scan.off); err != nil {
			return err
		}
	}
	if sep.Element == "" || sep.Segment == "" || sep.Element == sep.Segment {
		return &SyntaxError{Offset: r.scan.off, Note: NoteStructure, Text: "element separator and terminator are not told apart"}
	}
	r.sep, r.terminator = sep, []byte(sep.Segment)
	r.in, r.interchange = true, r.interchange+1
	r.group, r.set = -1, -1
	r.emit(Event{Kind: InterchangeStart, Format: Format{Separators: sep, Lead: lead}})
	r.openGroup(Segment{ID: "GS", Elements: Seg("", "", "", "", "", "", "", "", r.bare.Version).Elements})
	r.emit(Event{Kind: GroupStart})
	return nil
}

// bareSeparators reads the separators of a set without envelope from its ST:
// the character after ST, and the first character after ST02 that is neither
// letter, digit nor blank.
func bareSeparators(w []byte, offset int64) (Separators, error) {
	if len(w) > 3 && string(w[:2]) == "ST" {
		if element, ok := separatorAt(w[2:], true); ok && separates(element) {
			_, control, _ := bytes.Cut(w[2+len(element):], []byte(element))
			for i := range control {
				if c, ok := separatorAt(control[i:], true); ok && separates(c) && c != element {
					return Separators{Element: element, Segment: c}, nil
				}
			}
		}
	}
	return Separators{}, &SyntaxError{Offset: offset, Note: NoteStructure, Text: "not a set: ST with set and control number expected"}
}

func (r *Reader) checkISA(e *Event, h header) {
	note := func(sev Severity, code string, n int, text string) {
		e.add(r.elementFinding(sev, LevelInterchange, code, r.isa, n, text))
	}
	if h.omitted {
		note(Warning, NoteComponent, 16, "ISA16 is left out; the interchange has no component separator")
	} else if h.odd {
		note(Warning, NoteComponent, 16, "ISA16 cannot separate components")
	}
	if !h.fixed {
		e.add(r.finding(Warning, LevelInterchange, NoteStructure, r.isa, "ISA elements are not padded to their fixed widths"))
	}
	if _, err := ParseDate(r.isa.Get(9)); err != nil {
		note(Warning, NoteDate, 9, "ISA09 is no date")
	}
	if _, err := ParseTime(r.isa.Get(10)); err != nil {
		note(Warning, NoteTime, 10, "ISA10 is no time")
	}
	if v := strings.TrimSpace(r.isa.Get(12)); len(v) != 5 || !digits(v) {
		note(Warning, NoteVersion, 12, "ISA12 is not five digits")
	}
	if v := strings.TrimSpace(r.isa.Get(13)); len(v) != 9 || !digits(v) {
		note(Warning, NoteControlNumber, 13, "ISA13 is not nine digits")
	}
	if v := r.isa.Get(14); v != "0" && v != "1" {
		note(Warning, NoteAckRequested, 14, "ISA14 is neither 0 nor 1")
	}
	if v := r.isa.Get(15); v != "P" && v != "T" && v != "I" {
		note(Error, NoteUsage, 15, "ISA15 is none of P, T and I")
	}
}

func (r *Reader) openGroup(gs Segment) {
	r.inGroup = true
	r.gs = gs
	r.group = r.groups
	r.groups++
	r.sets, r.set = 0, -1
	r.controls = make(map[string]bool)
}

func (r *Reader) startGroup(e Event) {
	if r.inGroup {
		r.endGroup(Event{}, false)
	}
	r.openGroup(e.Segment)
	r.headers++
	e.Kind = GroupStart
	for n := 1; n <= 8; n++ {
		if strings.TrimSpace(e.Segment.Get(n)) == "" {
			e.add(r.elementFinding(Error, LevelGroup, GroupSyntax, e.Segment, n, fmt.Sprintf("GS%02d is missing", n)))
		}
	}
	if v := e.Segment.Get(4); v != "" {
		if _, err := ParseDate(v); err != nil {
			e.add(r.elementFinding(Warning, LevelGroup, GroupSyntax, e.Segment, 4, "GS04 is no date"))
		}
	}
	if v := e.Segment.Get(5); v != "" {
		if _, err := ParseTime(v); err != nil {
			e.add(r.elementFinding(Warning, LevelGroup, GroupSyntax, e.Segment, 5, "GS05 is no time"))
		}
	}
	r.emit(e)
}

func (r *Reader) startSet(e Event) {
	if r.inSet {
		r.endSet(Event{}, false)
	}
	if !r.inGroup {
		r.openGroup(Segment{})
		missing := Event{Kind: GroupStart}
		missing.add(r.finding(Error, LevelInterchange, NoteContent, e.Segment, "ST without GS before it"))
		r.emit(missing)
	}
	r.inSet = true
	r.st = e.Segment
	r.set = r.sets
	r.sets++
	r.position = 1
	e.Kind = SetStart

	id := e.Segment.Get(1)
	if len(id) != 3 || !digits(id) {
		e.add(r.elementFinding(Error, LevelSet, SetID, e.Segment, 1, "ST01 is not three digits"))
	}
	control := strings.TrimSpace(e.Segment.Get(2))
	switch {
	case control == "":
		e.add(r.elementFinding(Error, LevelSet, SetControlNumber, e.Segment, 2, "ST02 is missing"))
	case r.controls[control]:
		e.add(r.elementFinding(Error, LevelSet, SetDuplicate, e.Segment, 2, "ST02 stands twice in this group"))
	case len(r.controls) < r.lim.Controls:
		r.controls[strings.Clone(control)] = true
	}
	if want := functionalID[id]; want != "" && r.bare == nil && r.gs.ID != "" && r.gs.Get(1) != want {
		f := r.elementFinding(Warning, LevelGroup, "", r.gs, 1, "GS01 does not go with set "+id+", which belongs to "+want)
		f.Set, f.Position = -1, 0
		e.add(f)
	}
	def, exact := Lookup(strings.TrimSpace(r.gs.Get(8)), id)
	r.check = nil
	if def == nil {
		e.add(r.finding(Info, LevelSet, "", e.Segment, "no table for set "+bounded(id, 3)+"; only its envelope is checked"))
	} else {
		r.check = newValidator(def, exact)
		if !exact {
			e.add(r.finding(Info, LevelSet, "", e.Segment, "set read by the 004010 table"))
		}
	}
	r.emit(e)
}

func (r *Reader) endSet(e Event, present bool) {
	e.Kind = SetEnd
	if present {
		r.position++
	} else {
		e.add(r.finding(Error, LevelSet, SetTrailerMissing, r.st, "SE is missing"))
	}
	if r.check != nil {
		at := e.Segment
		if !present {
			at = Segment{ID: "SE", Offset: r.scan.off}
		}
		r.check.end(r, &e, at)
	}
	if present {
		r.compareCount(&e, 1, r.position, LevelSet, SetCount, "segments from ST to SE")
		r.compareControl(&e, 2, r.st.Get(2), LevelSet, SetControl, "ST02")
	}
	r.emit(e)
	r.inSet = false
	r.check = nil
}

func (r *Reader) endGroup(e Event, present bool) {
	if r.inSet {
		r.endSet(Event{}, false)
	}
	e.Kind = GroupEnd
	switch {
	case present:
		r.compareCount(&e, 1, r.sets, LevelGroup, GroupCount, "sets in the group")
		r.compareControl(&e, 2, r.gs.Get(6), LevelGroup, GroupControl, "GS06")
	case r.gs.Length > 0: // where GS is missing too, that has been said
		e.add(r.finding(Error, LevelGroup, GroupTrailerMissing, r.gs, "GE is missing"))
	}
	r.emit(e)
	r.inGroup = false
}

func (r *Reader) endInterchange(e Event, present bool) {
	if r.inGroup {
		r.endGroup(Event{}, false)
	}
	e.Kind = InterchangeEnd
	switch {
	case present:
		r.compareCount(&e, 1, r.headers, LevelInterchange, NoteGroupCount, "groups in the interchange")
		r.compareControl(&e, 2, r.isa.Get(13), LevelInterchange, NoteControlMismatch, "ISA13")
	case r.bare == nil:
		e.add(r.finding(Error, LevelInterchange, NoteEndOfFile, r.isa, "IEA is missing"))
	}
	r.emit(e)
	r.in = false
}

// compareCount checks a trailer's count. Leading zeros and blanks are no matter.
func (r *Reader) compareCount(e *Event, n, want int, level Level, code, what string) {
	got, err := strconv.Atoi(strings.TrimSpace(e.Segment.Get(n)))
	if err != nil || got != want {
		e.add(r.elementFinding(Error, level, code, e.Segment, n,
			fmt.Sprintf("%s%02d says %q, there are %d %s", e.Segment.ID, n, bounded(e.Segment.Get(n), 20), want, what)))
	}
}

// compareControl checks a trailer's control number as text. Numbers that
// differ in leading zeros only are a warning: some senders pad one of them.
func (r *Reader) compareControl(e *Event, n int, want string, level Level, code, what string) {
	got := strings.TrimSpace(e.Segment.Get(n))
	want = strings.TrimSpace(want)
	if got == want {
		return
	}
	sev := Error
	if digits(got) && digits(want) && strings.TrimLeft(got, "0") == strings.TrimLeft(want, "0") {
		sev = Warning
	}
	e.add(r.elementFinding(sev, level, code, e.Segment, n,
		fmt.Sprintf("%s%02d %q is not %s %q", e.Segment.ID, n, bounded(got, 20), what, bounded(want, 20))))
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// functionalID is GS01 by ST01 (data element 479).
var functionalID = map[string]string{
	"110": "IA", "204": "SM", "210": "IM", "214": "QM", "310": "IO", "315": "QO", "322": "SO", "404": "SR", "417": "WB",
	"810": "IN", "820": "RA", "824": "AG", "850": "PO", "855": "PR", "856": "SH", "860": "PC",
	"940": "OW", "943": "AR", "944": "RE", "945": "SW", "990": "GF", "997": "FA", "999": "FA",
}
