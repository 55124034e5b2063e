package x12

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits bound what one input may make a Reader hold. A zero field means its
// default.
type Limits struct {
	Segment  int // bytes of one segment; default 64 KiB
	Gap      int // bytes of white space between segments that are remembered; default 64 KiB
	Findings int // findings that Parse collects; default 10,000
	Value    int // bytes of Finding.Value; default 99, the length of AK404
	Controls int // set control numbers per group that are watched for repeats; default 100,000
}

func (l Limits) orDefaults() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.Segment, 64<<10)
	set(&l.Gap, 64<<10)
	set(&l.Findings, 10_000)
	set(&l.Value, 99)
	set(&l.Controls, 100_000)
	return l
}

// scanner cuts a byte stream into header, segments and the white space
// between them. It holds one segment at a time.
type scanner struct {
	r    io.Reader
	lim  Limits
	buf  []byte
	pos  int // first unread byte in buf
	end  int // end of valid bytes in buf
	off  int64
	done bool
	err  error // why reading ended, nil for end of input
}

func (s *scanner) window() []byte { return s.buf[s.pos:s.end] }

func (s *scanner) advance(n int) {
	s.pos += n
	s.off += int64(n)
}

// more reads further bytes and reports whether there were any.
func (s *scanner) more() bool {
	if s.done {
		return false
	}
	if s.end == len(s.buf) {
		if s.pos > 0 {
			copy(s.buf, s.buf[s.pos:s.end])
		} else {
			grown := make([]byte, max(4096, 2*len(s.buf)))
			copy(grown, s.buf[:s.end])
			s.buf = grown
		}
		s.end -= s.pos
		s.pos = 0
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		if err != nil {
			s.done = true
			if err != io.EOF {
				s.err = err
			}
		}
		if n > 0 {
			return true
		}
		if s.done {
			return false
		}
	}
	s.done, s.err = true, io.ErrNoProgress
	return false
}

// peek returns up to n unread bytes; fewer only at the end of input.
func (s *scanner) peek(n int) []byte {
	for s.end-s.pos < n && s.more() {
	}
	return s.buf[s.pos:min(s.end, s.pos+n)]
}

const byteOrderMark = "\ufeff"

// gap consumes white space, terminators without a segment and padding (NUL,
// Ctrl-Z). It returns what it remembers of it and how many bytes it does not.
func (s *scanner) gap(terminator string) (text string, dropped int) {
	var b []byte
	for {
		w := s.peek(max(1, len(terminator)))
		n := 0
		switch {
		case len(w) == 0:
		case terminator != "" && string(w) == terminator:
			n = len(terminator)
		case strings.IndexByte(" \t\r\n\x00\x1a", w[0]) >= 0:
			n = 1
		}
		if n == 0 {
			return string(b), dropped
		}
		if len(b)+n <= s.lim.Gap {
			b = append(b, w[:n]...)
		} else {
			dropped += n
		}
		s.advance(n)
	}
}

// lead consumes what may stand before an ISA.
func (s *scanner) lead() string {
	var b strings.Builder
	for {
		text, _ := s.gap("")
		b.WriteString(text)
		if string(s.peek(3)) != byteOrderMark || b.Len() > s.lim.Gap {
			return b.String()
		}
		b.WriteString(byteOrderMark)
		s.advance(3)
	}
}

// segment consumes one segment and its terminator. open is true where the
// input ends before the terminator.
func (s *scanner) segment(terminator []byte) (text string, offset int64, open bool, err error) {
	offset = s.off
	seen := 0
	for {
		w := s.window()
		if i := bytes.Index(w[seen:], terminator); i >= 0 && seen+i <= s.lim.Segment {
			text = string(w[:seen+i])
			s.advance(seen + i + len(terminator))
			return text, offset, false, nil
		}
		if len(w) > s.lim.Segment {
			return "", offset, false, &SyntaxError{Offset: offset, Note: NoteStructure, Text: fmt.Sprintf("segment longer than %d bytes", s.lim.Segment)}
		}
		seen = max(0, len(w)-len(terminator)+1)
		if s.more() {
			continue
		}
		if s.err != nil {
			return "", offset, false, fmt.Errorf("x12: read: %w", s.err)
		}
		text = string(w)
		s.advance(len(w))
		return text, offset, true, nil
	}
}

// header is what one ISA says.
type header struct {
	sep      Separators
	elements []Element
	size     int // bytes, with the terminator
	length   int // bytes, without the terminator
	fixed    bool
	omitted  bool // ISA16 is left out: the terminator follows ISA15's separator
	odd      bool // ISA16 cannot serve as a separator
}

// isaWidths are the widths of ISA01 to ISA16 in characters.
var isaWidths = [16]int{2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1}

// separatorAt returns the character at the start of b: a whole UTF-8
// character, or one byte where b is not UTF-8. ok is false where b ends early.
func separatorAt(b []byte, atEnd bool) (c string, ok bool) {
	if len(b) == 0 || !atEnd && !utf8.FullRune(b) {
		return "", false
	}
	r, n := utf8.DecodeRune(b)
	if r == utf8.RuneError && n <= 1 {
		n = 1
	}
	return string(b[:n]), true
}

// separates reports whether a character may serve as a separator.
func separates(c string) bool {
	if len(c) != 1 {
		return c != ""
	}
	b := c[0]
	return !(b == ' ' || '0' <= b && b <= '9' || 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z')
}

// startsISA reports whether the unread input looks like the begin of an ISA.
func (s *scanner) startsISA() bool {
	w := s.peek(4)
	return len(w) == 4 && string(w[:3]) == "ISA" && separates(string(w[3:4]))
}

// header reads an ISA and consumes it. Where the input is no ISA it consumes
// nothing. The separators are counted, not only looked up at bytes 3, 104 and
// 105: senders who do not pad the elements shift the last two.
func (s *scanner) header() (header, error) {
	for {
		w := s.window()
		h, need, text := parseHeader(w, s.done)
		if text == "" && !need {
			s.advance(h.size)
			return h, nil
		}
		if need && s.more() {
			continue
		}
		if s.err != nil {
			return header{}, fmt.Errorf("x12: read: %w", s.err)
		}
		if need && s.done {
			if h, need, text = parseHeader(s.window(), true); text == "" && !need {
				s.advance(h.size)
				return h, nil
			}
			text = "input ends within the ISA"
		}
		return header{}, &SyntaxError{Offset: s.off, Note: NoteStructure, Text: text}
	}
}

// parseHeader returns the header at the start of w, or need where w is too
// short to tell, or the reason why it is none.
func parseHeader(w []byte, atEnd bool) (h header, need bool, reason string) {
	if len(w) < 4 {
		return h, true, ""
	}
	if string(w[:3]) != "ISA" {
		return h, false, "not an interchange: ISA expected"
	}
	element, ok := separatorAt(w[3:], atEnd)
	if !ok {
		return h, true, ""
	}
	if !separates(element) {
		return h, false, "the character after ISA cannot separate elements"
	}
	h.fixed = true
	p := 3 + len(element)
	for i := range 15 {
		rest := w[p:min(len(w), p+80)]
		n := bytes.Index(rest, []byte(element))
		if n < 0 {
			if len(rest) < 80 {
				return h, true, ""
			}
			return h, false, fmt.Sprintf("ISA%02d does not end", i+1)
		}
		value := string(rest[:n])
		h.elements = append(h.elements, Element{Value: value})
		h.fixed = h.fixed && utf8.RuneCountInString(value) == isaWidths[i]
		p += n + len(element)
	}
	if utf8.RuneCountInString(h.elements[14].Value) != 1 {
		return h, false, "ISA15 is not one character: the ISA does not have 16 elements"
	}
	component, ok := separatorAt(w[p:], atEnd)
	if !ok {
		return h, true, ""
	}
	terminator, ok := separatorAt(w[p+len(component):], atEnd)
	if !ok {
		return h, true, ""
	}
	if separates(component) && !separates(terminator) {
		h.omitted, h.fixed = true, false
		component, terminator = "", component
	}
	if !separates(terminator) {
		return h, false, "the character after ISA16 cannot end segments"
	}
	if terminator == element {
		return h, false, "the same character separates elements and ends segments"
	}
	h.elements = append(h.elements, Element{Value: component})
	h.length = p + len(component)
	h.size = h.length + len(terminator)
	h.sep = Separators{Element: element, Component: component, Segment: terminator}
	if component != "" && (!separates(component) || component == element || component == terminator) {
		h.odd, h.sep.Component = true, ""
	}
	// ISA11 is the standards identifier up to 00401 and the repetition
	// separator from 00402 on; senders mix both, so the character decides too.
	if r, v := h.elements[10].Value, strings.TrimSpace(h.elements[11].Value); v >= "00402" && len(v) == 5 &&
		utf8.RuneCountInString(r) == 1 && separates(r) && r != element && r != component && r != terminator {
		h.sep.Repetition = r
	}
	return h, false, ""
}

// split cuts segment text into its elements. repeats says which elements
// (01 = 1) may hold repetitions; nil means none.
func split(text string, sep Separators, repeats func(n int) bool) Segment {
	id, rest, found := strings.Cut(text, sep.Element)
	s := Segment{ID: id, Length: len(text)}
	if !found {
		return s
	}
	s.Elements = make([]Element, 0, strings.Count(rest, sep.Element)+1)
	for found {
		var value string
		value, rest, found = strings.Cut(rest, sep.Element)
		e := Element{Value: value}
		if sep.Repetition != "" && repeats != nil && strings.Contains(value, sep.Repetition) && repeats(len(s.Elements)+1) {
			for i, r := range strings.Split(value, sep.Repetition) {
				if i == 0 {
					e.Value = r
				} else {
					e.Repeats = append(e.Repeats, components(r, sep))
				}
			}
		}
		if sep.Component != "" && strings.Contains(e.Value, sep.Component) {
			all := components(e.Value, sep)
			e.Value, e.More = all[0], all[1:]
		}
		s.Elements = append(s.Elements, e)
	}
	return s
}

func components(text string, sep Separators) []string {
	if sep.Component == "" {
		return []string{text}
	}
	return strings.Split(text, sep.Component)
}
