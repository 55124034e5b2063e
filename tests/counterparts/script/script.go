// Package script reads from plain text what a partner will do, and when. It promises that what cannot be read names its file and
// line; what the verbs and the lines below them mean is the partner's part.
//
// A script begins with heads, such as "orders HH-1002". Blocks follow:
//
//	at 2026-03-03T15:10:00Z send 990
//	B1*CXCC*{{load}}*{{today}}*A
//
// A block ends where the next begins. The instants after "withdrawn" are for when an offer is taken back. Lines that begin with
// # say something to people.
package script

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Script is what one partner does about one matter.
type Script struct {
	File   string
	Heads  map[string][]string // words behind the head
	Blocks []Block
}

// Block is something to do.
type Block struct {
	File      string
	Number    int // in the file, from 1
	Line      int // of its "at"
	When      When
	Verb      string
	Words     []string // behind the verb
	Body      []string
	Withdrawn bool // it is for when the offer was taken back
}

// Errorf says what is wrong with a block, and where it is.
func (b Block) Errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", b.File, b.Line, fmt.Errorf(format, args...))
}

// When is an instant, or one that follows from what was offered.
type When struct {
	Instant time.Time // UTC; zero when Anchor says from what it follows
	Anchor  string    // "tender", "pickup" or "delivery"
	After   time.Duration
	Days    int           // after the anchor's day
	Clock   time.Duration // since midnight at the anchor's place
}

// Anchors are what the instants of an offer follow from.
type Anchors struct {
	Tender           time.Time // when it was offered
	Pickup, Delivery time.Time // midnight of the day, in the zone of the place
}

// In is the instant.
func (w When) In(a Anchors) time.Time {
	day := a.Pickup
	switch w.Anchor {
	case "":
		return w.Instant
	case "tender":
		return a.Tender.Add(w.After)
	case "delivery":
		day = a.Delivery
	}
	// Hours of the clock, which on the day of a change are not hours since midnight.
	return time.Date(day.Year(), day.Month(), day.Day()+w.Days, int(w.Clock.Hours()), int(w.Clock.Minutes())%60, 0, 0, day.Location()).UTC()
}

// placeholder is a name that is filled in.
var placeholder = regexp.MustCompile(`\{\{([^}]*)\}\}`)

// Parse reads a script. heads are those that it may have, names the placeholders.
func Parse(file, text string, heads, names []string) (Script, error) {
	s := Script{File: file, Heads: map[string][]string{}}
	withdrawn := false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		fail := func(format string, args ...any) (Script, error) {
			return Script{}, fmt.Errorf("%s:%d: %s", file, i+1, fmt.Sprintf(format, args...))
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := Known(line, names); err != nil {
			return fail("%v", err)
		}
		words := strings.Fields(line)
		switch {
		case words[0] == "at":
			when, rest, err := parseWhen(words[1:])
			if err != nil {
				return fail("%v", err)
			}
			if len(rest) == 0 {
				return fail("nothing is to be done")
			}
			s.Blocks = append(s.Blocks, Block{
				File: file, Number: len(s.Blocks) + 1, Line: i + 1, When: when, Verb: rest[0], Words: rest[1:], Withdrawn: withdrawn,
			})
		case line == "withdrawn":
			withdrawn = true
		case len(s.Blocks) > 0:
			b := &s.Blocks[len(s.Blocks)-1]
			b.Body = append(b.Body, line)
		case !slices.Contains(heads, words[0]):
			return fail("%q is neither a head nor the beginning of a block", words[0])
		case s.Heads[words[0]] != nil:
			return fail("%s was said before", words[0])
		default:
			s.Heads[words[0]] = words[1:]
		}
	}
	return s, nil
}

// parseWhen reads "2026-03-03T15:10:00Z", "tender +45m", "pickup 09:10" or "delivery+1 07:00", and returns the words behind.
func parseWhen(words []string) (When, []string, error) {
	if len(words) == 0 {
		return When{}, nil, fmt.Errorf("no time")
	}
	if t, err := time.Parse(time.RFC3339, words[0]); err == nil {
		return When{Instant: t.UTC()}, words[1:], nil
	}
	anchor, days, _ := strings.Cut(words[0], "+")
	w := When{Anchor: anchor}
	if !slices.Contains([]string{"tender", "pickup", "delivery"}, anchor) || len(words) < 2 {
		return w, nil, fmt.Errorf("%q is no time", words[0])
	}
	var err error
	if anchor == "tender" {
		w.After, err = time.ParseDuration(words[1])
		return w, words[2:], err
	}
	if days != "" {
		if w.Days, err = strconv.Atoi(days); err != nil {
			return w, nil, fmt.Errorf("%q is no number of days", days)
		}
	}
	clock, err := time.Parse("15:04", words[1])
	w.Clock = time.Duration(clock.Hour())*time.Hour + time.Duration(clock.Minute())*time.Minute
	return w, words[2:], err
}

// Known says whether all placeholders of a line are among names.
func Known(line string, names []string) error {
	for _, m := range placeholder.FindAllStringSubmatch(line, -1) {
		if !slices.Contains(names, m[1]) {
			return fmt.Errorf("nothing is known to put for %s", m[0])
		}
	}
	return nil
}

// Fill puts values for placeholders.
func Fill(line string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(line, func(m string) string { return values[m[2:len(m)-2]] })
}
