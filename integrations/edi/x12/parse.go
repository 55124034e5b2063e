package x12

import (
	"bytes"
	"errors"
	"io"
)

// Parse reads a whole input that begins with an ISA. It returns what it read
// together with the error that ended reading, if one did: everything before
// the place of a *SyntaxError is in the File.
func Parse(data []byte) (File, error) {
	return ReadAll(NewReader(bytes.NewReader(data), Limits{}))
}

// ParseBare reads sets that come without ISA and GS.
func ParseBare(data []byte, b Bare) (File, error) {
	return ReadAll(NewBareReader(bytes.NewReader(data), b, Limits{}))
}

// ReadAll collects the remaining events of r.
func ReadAll(r *Reader) (File, error) {
	var f File
	var x *Interchange
	var g *Group
	n := 0 // segments of x so far
	for {
		e, err := r.Next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return f, err
		}
		for _, found := range e.Findings {
			if len(f.Findings) < r.lim.Findings {
				f.Findings = append(f.Findings, found)
			} else {
				f.Dropped++
			}
		}
		present := e.Segment.ID != "" || e.Segment.Elements != nil || e.Segment.Length > 0
		switch e.Kind {
		case InterchangeStart:
			f.Interchanges = append(f.Interchanges, Interchange{Format: e.Format, Header: e.Segment})
			x = &f.Interchanges[len(f.Interchanges)-1]
			n = 0
		case GroupStart:
			x.Groups = append(x.Groups, Group{Header: e.Segment})
			g = &x.Groups[len(x.Groups)-1]
		case SetStart:
			g.Sets = append(g.Sets, Set{Segments: []Segment{e.Segment}})
		case SetSegment:
			t := &g.Sets[len(g.Sets)-1]
			t.Segments = append(t.Segments, e.Segment)
		case SetEnd:
			if present {
				t := &g.Sets[len(g.Sets)-1]
				t.Segments = append(t.Segments, e.Segment)
			}
		case GroupEnd:
			g.Trailer = e.Segment
		case InterchangeEnd:
			x.Trailer = e.Segment
		case Loose:
			switch {
			case len(x.Groups) == 0:
				x.Lead = append(x.Lead, e.Segment)
			case e.Group < 0:
				g.After = append(g.After, e.Segment)
			case len(g.Sets) == 0:
				g.Lead = append(g.Lead, e.Segment)
			default:
				t := &g.Sets[len(g.Sets)-1]
				t.After = append(t.After, e.Segment)
			}
		}
		if !present {
			continue
		}
		if n == 0 {
			x.Format.AfterSegment = e.Gap
		}
		// The gap of the last segment so far is the trailer; it becomes an
		// ordinary gap when another segment follows.
		if n > 0 && x.Format.Trailer != x.Format.AfterSegment {
			if x.Format.Gaps == nil {
				x.Format.Gaps = map[int]string{}
			}
			x.Format.Gaps[n-1] = x.Format.Trailer
		}
		x.Format.Trailer = e.Gap
		x.Format.Open = e.Open
		n++
	}
}
