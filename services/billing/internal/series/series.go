// Package series is for numbers of legal documents that leave no hole.
//
// It promises that numbers of a series are 1, 2, 3 without gap or repeat, but for numbers that were declared void after a restore, that the time of a number is never earlier than that
// of the one before, and that every number is explained by a register row naming its document. Drawing in the same
// commit that makes the document binding is left to the caller; without that there would be holes after all.
package series

import (
	"fmt"
	"time"
)

// Series is one number series of one legal entity.
type Series struct {
	Name        string // such as "NLS26"
	LegalEntity string
	Next        uint64 // the next number; 0 is taken as 1
	Last        time.Time
}

// Registration explains one number.
type Registration struct {
	Series   string
	Ordinal  uint64
	Number   string // as printed, such as "NLS26-000001"
	Document string
	Time     time.Time // never earlier than that of the number before
}

// Draw gives the next number to a document. A clock that stepped back does not take the series with it: the registration
// then has the time of the number before.
func (s Series) Draw(document string, now time.Time) (Series, Registration) {
	s.Next = max(s.Next, 1)
	if now.Before(s.Last) {
		now = s.Last
	}
	r := Registration{Series: s.Name, Ordinal: s.Next, Number: Number(s.Name, s.Next), Document: document, Time: now}
	s.Next++
	s.Last = now
	return s, r
}

// Number prints a number: at least six digits after the series.
func Number(name string, ordinal uint64) string { return fmt.Sprintf("%s-%06d", name, ordinal) }

// Check compares a series with its register in the order of ordinals, and returns one line per breach. void tells whether a number was
// passed over after a restore, and the last one of those that were passed over with it.
func Check(s Series, register []Registration, void func(ordinal uint64) (last uint64, ok bool)) []string {
	var out []string
	next := uint64(1)
	var last time.Time
	documents := map[string]uint64{}
	for _, r := range register {
		if passed, ok := void(next); ok {
			next = passed + 1
		}
		if r.Ordinal != next {
			out = append(out, fmt.Sprintf("series %s: after %d comes %d", s.Name, next-1, r.Ordinal))
		}
		if want := Number(s.Name, r.Ordinal); r.Number != want {
			out = append(out, fmt.Sprintf("series %s: number %d is printed as %s, not %s", s.Name, r.Ordinal, r.Number, want))
		}
		if r.Time.Before(last) {
			out = append(out, fmt.Sprintf("series %s: number %s has an earlier time than the one before", s.Name, r.Number))
		}
		if first, ok := documents[r.Document]; ok {
			out = append(out, fmt.Sprintf("series %s: %s bears number %d and %d", s.Name, r.Document, first, r.Ordinal))
		}
		documents[r.Document] = r.Ordinal
		next, last = r.Ordinal+1, r.Time
	}
	if max(s.Next, 1) != next {
		out = append(out, fmt.Sprintf("series %s: the next number is %d, the register ends at %d", s.Name, s.Next, next-1))
	}
	return out
}
