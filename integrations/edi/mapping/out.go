package mapping

import (
	"strconv"
	"strings"
	"unicode"

	"crossdock.dev/integrations/edi/x12"
)

// writer collects the segments of a set of ours.
type writer struct{ segments []x12.Segment }

func (w *writer) add(id string, values ...string) {
	w.segments = append(w.segments, x12.Seg(id, values...))
}

// Most characters of texts, by data element: 93 name, 166 address, 19 city, 116 postal code, 79 lading description, 352 description.
const (
	maxName    = 60
	maxStreet  = 55
	maxCity    = 30
	maxPostal  = 15
	maxLading  = 50
	maxContent = 80
)

// party writes an N1 loop.
func (w *writer) party(p Party) {
	w.add("N1", p.Role, printed(p.Name, maxName), p.Qualifier, p.ID)
	var street []string
	for _, line := range p.Street[:min(2, len(p.Street))] {
		street = append(street, printed(line, maxStreet))
	}
	if len(street) > 0 {
		w.add("N3", street...)
	}
	if p.City != "" {
		w.add("N4", printed(p.City, maxCity), state(p.State), printed(p.PostalCode, maxPostal), p.Country)
	}
}

// state is data element 156, which has two characters; of a province with a name it says nothing.
func state(s string) string {
	if s = printed(s, maxCity); len(s) != 2 {
		return ""
	}
	return s
}

// set puts the segments between ST and SE.
func (w *writer) set(id string) x12.Set { return x12.NewSet(id, "0001", w.segments...) }

// printed is text as our sets carry it: in capitals, which every partner can read (X12.6 basic character set), on one line, at
// most n characters.
func printed(s string, n int) string {
	out := []rune(strings.ToUpper(strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))))
	return strings.TrimSpace(string(out[:min(n, len(out))]))
}

// compact is a date CCYY-MM-DD as CCYYMMDD.
func compact(date string) string { return strings.ReplaceAll(date, "-", "") }

func count(n int) string { return strconv.Itoa(n) }
