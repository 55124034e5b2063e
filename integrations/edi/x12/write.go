package x12

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Options say how Write treats values. The zero Options write an interchange
// as it was read.
type Options struct {
	// Outbound is for interchanges that we make: ISA elements are padded to
	// their widths, trailing empty elements and components are dropped, and no
	// data may hold any separator of the interchange.
	Outbound bool
	// Replace is the character that takes the place of a separator or control
	// character found in data. Empty: such data is an error.
	Replace string
}

// Replacement tells of data that Write changed because it held a separator.
type Replacement struct {
	SegmentID string
	Ordinal   int // of the segment in the interchange, ISA = 0
	Element   int
	Before    string
	After     string
}

// SeparatorError says that data cannot be written because it holds a
// separator. X12 has no escape for it.
type SeparatorError struct {
	SegmentID string
	Element   int
	Value     string
	Separator string
}

func (e *SeparatorError) Error() string {
	return fmt.Sprintf("x12: %s%02d %q holds the separator %q", e.SegmentID, e.Element, bounded(e.Value, 40), e.Separator)
}

// Write writes one interchange from its values. It tells which data it
// replaced.
func Write(w io.Writer, x Interchange, o Options) ([]Replacement, error) {
	f := x.Format
	if f.Element == "" || f.Segment == "" || f.Element == f.Segment || f.Component != "" && (f.Component == f.Element || f.Component == f.Segment) {
		return nil, fmt.Errorf("x12: the separators %q %q %q cannot be told apart", f.Element, f.Component, f.Segment)
	}
	p := printer{w: bufio.NewWriter(w), sep: f.Separators, o: o}
	p.text(f.Lead)
	segments := 0
	for range x.All() {
		segments++
	}
	n := 0
	for s := range x.All() {
		write := p.segment
		if n == 0 && x.Header.ID == "ISA" { // one further on is a segment out of place, like any other
			write = p.isa
		}
		if err := write(s, n); err != nil {
			return nil, err
		}
		last := n == segments-1
		if !last || !f.Open {
			p.text(f.Segment)
		}
		if last {
			p.text(f.Trailer)
		} else if gap, ok := f.Gaps[n]; ok {
			p.text(gap)
		} else {
			p.text(f.AfterSegment)
		}
		n++
	}
	return p.replaced, p.w.Flush()
}

// printer writes segments; its bufio.Writer keeps the first error.
type printer struct {
	w        *bufio.Writer
	sep      Separators
	o        Options
	replaced []Replacement
}

func (p *printer) text(s string) { _, _ = p.w.WriteString(s) } // the error comes back from Flush

func (p *printer) segment(s Segment, ordinal int) error {
	p.text(s.ID)
	elements := s.Elements
	if p.o.Outbound {
		for len(elements) > 0 && elements[len(elements)-1].Empty() {
			elements = elements[:len(elements)-1]
		}
	}
	for i, e := range elements {
		p.text(p.sep.Element)
		at := Replacement{SegmentID: s.ID, Ordinal: ordinal, Element: i + 1}
		if err := p.components(at, e.Value, e.More); err != nil {
			return err
		}
		for _, r := range e.Repeats {
			if len(r) == 0 {
				continue
			}
			p.text(p.sep.Repetition)
			if err := p.components(at, r[0], r[1:]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *printer) components(at Replacement, first string, more []string) error {
	if p.o.Outbound {
		for len(more) > 0 && more[len(more)-1] == "" {
			more = more[:len(more)-1]
		}
	}
	if err := p.data(at, first); err != nil {
		return err
	}
	for _, c := range more {
		p.text(p.sep.Component)
		if err := p.data(at, c); err != nil {
			return err
		}
	}
	return nil
}

// data writes a value after making sure that it reads back as one.
func (p *printer) data(at Replacement, value string) error {
	out := value
	for _, c := range []string{p.sep.Segment, p.sep.Element, p.sep.Component, p.sep.Repetition} {
		// As read, a repetition separator in data is data: the table did not
		// let the element repeat.
		if c == "" || c == p.sep.Repetition && !p.o.Outbound || !strings.Contains(out, c) {
			continue
		}
		if p.o.Replace == "" || strings.Contains(p.o.Replace, c) {
			return &SeparatorError{SegmentID: at.SegmentID, Element: at.Element, Value: value, Separator: c}
		}
		out = strings.ReplaceAll(out, c, p.o.Replace)
	}
	if p.o.Outbound {
		if i := strings.IndexFunc(out, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
			if p.o.Replace == "" {
				return &SeparatorError{SegmentID: at.SegmentID, Element: at.Element, Value: value, Separator: out[i : i+1]}
			}
			out = strings.Map(func(r rune) rune {
				if r < ' ' || r == 0x7f {
					c, _ := utf8.DecodeRuneInString(p.o.Replace)
					return c
				}
				return r
			}, out)
		}
	}
	if out != value {
		at.Before, at.After = value, out
		p.replaced = append(p.replaced, at)
	}
	p.text(out)
	return nil
}

// isa writes the elements of an ISA. ISA11 and ISA16 hold separators as data,
// and an ISA is read by counting elements, so that as read it may hold more.
func (p *printer) isa(s Segment, _ int) error {
	p.text(s.ID)
	if p.o.Outbound && len(s.Elements) != 16 {
		return fmt.Errorf("x12: ISA has %d elements, not 16", len(s.Elements))
	}
	for i, e := range s.Elements {
		p.text(p.sep.Element)
		value := e.Value
		if p.o.Outbound {
			for _, c := range []string{p.sep.Element, p.sep.Segment} {
				if i != 15 && strings.Contains(value, c) {
					return &SeparatorError{SegmentID: "ISA", Element: i + 1, Value: value, Separator: c}
				}
			}
			width := isaWidths[i]
			size := utf8.RuneCountInString(value)
			if size > width {
				return fmt.Errorf("x12: ISA%02d %q is longer than %d", i+1, bounded(value, 40), width)
			}
			if i == 15 && value != p.sep.Component {
				return fmt.Errorf("x12: ISA16 %q is not the component separator %q", value, p.sep.Component)
			}
			value += strings.Repeat(" ", width-size)
		}
		p.text(value)
	}
	return nil
}
