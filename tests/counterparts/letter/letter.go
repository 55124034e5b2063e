// Package letter is how a partner writes: its envelope, the end of its segments, and the acknowledgement that it sends. It promises
// that a set stands in an envelope of its own, with counts that are right; what the set says is the partner's part.
package letter

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"crossdock.dev/tests/counterparts/script"
	"crossdock.dev/tests/counterparts/segments"
)

// Letter is a partner's way of writing, from the files partner.txt, envelope.txt and 997.txt.
type Letter struct {
	Deviation  string // where it departs from the usual
	terminator string
	after      string // behind the last segment
	first      int    // control number
	envelope   string
	answer     []string // lines of its 997, one of them for each set
}

// names are the placeholders of the two templates.
var names = []string{"functional", "date", "century", "time", "control", "control9", "group", "set", "number", "count"}

// Open reads a partner's way of writing.
func Open(files fs.FS) (Letter, error) {
	l := Letter{first: 1}
	text, err := fs.ReadFile(files, "partner.txt")
	if err != nil {
		return l, err
	}
	s, err := script.Parse("partner.txt", string(text), []string{"deviation", "terminator", "after", "first"}, nil)
	if err != nil {
		return l, err
	}
	head := func(name string) string { return strings.Join(s.Heads[name], " ") }
	l.Deviation = head("deviation")
	signs := strings.NewReplacer("CR", "\r", "LF", "\n", "SP", " ", " ", "")
	l.terminator, l.after = signs.Replace(head("terminator")), signs.Replace(head("after"))
	if first := head("first"); first != "" {
		if l.first, err = strconv.Atoi(first); err != nil {
			return l, fmt.Errorf("partner.txt: first: %w", err)
		}
	}
	if l.Deviation == "" || l.terminator == "" {
		return l, fmt.Errorf("partner.txt: deviation or terminator is missing")
	}
	for _, name := range []string{"envelope.txt", "997.txt"} {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return l, err
		}
		var lines []string
		for i, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
			if strings.HasPrefix(line, "#") {
				continue
			}
			if err := script.Known(line, names); err != nil {
				return l, fmt.Errorf("%s:%d: %w", name, i+1, err)
			}
			lines = append(lines, line)
		}
		if name == "997.txt" {
			l.answer = lines
		} else {
			l.envelope = strings.Join(lines, "\n")
		}
	}
	return l, nil
}

// functional is the functional identifier of a set (X12 data element 479).
var functional = map[string]string{"990": "GF", "214": "QM", "210": "IM", "997": "FA"}

// Write puts the segments of a set between ST and SE and into an envelope. before is how many the partner wrote before.
func (l Letter) Write(set string, body []string, before int, at time.Time) []byte {
	lines := slices.Concat([]string{"ST*" + set + "*0001"}, body)
	lines = append(lines, fmt.Sprintf("SE*%d*0001", len(lines)+1))
	control := l.first + before
	values := map[string]string{
		"functional": functional[set], "date": at.UTC().Format("060102"), "century": at.UTC().Format("20060102"), "time": at.UTC().Format("1504"),
		"control": strconv.Itoa(control), "control9": fmt.Sprintf("%09d", control), "set": strings.Join(lines, "\n"),
	}
	text := script.Fill(l.envelope, values)
	return []byte(strings.ReplaceAll(text, "\n", l.terminator) + l.terminator + l.after)
}

// Acknowledge are the segments that answer a functional group with a 997.
func (l Letter) Acknowledge(g Group) []string {
	values := map[string]string{"functional": g.Sets[0].GroupID, "group": g.Control, "count": strconv.Itoa(len(g.Sets))}
	var out []string
	for _, line := range l.answer {
		if !strings.Contains(line, "{{set}}") {
			out = append(out, script.Fill(line, values))
			continue
		}
		for _, set := range g.Sets {
			values["set"], values["number"] = set.ID, set.Control
			out = append(out, strings.Split(script.Fill(line, values), "/")...)
		}
	}
	return out
}

// Group is a functional group that came in, with at least one set.
type Group struct {
	Sender  string // of its interchange
	Control string // GS06
	Sets    []segments.Set
}

// Answer names the file in which a partner acknowledges the group.
func (g Group) Answer(partner string) string {
	return g.Sets[0].Written + "-" + partner + "-997-" + g.Control + ".edi"
}

// Groups are the functional groups of a file that want an answer. A 997 is never answered with a 997.
func Groups(content []byte) ([]Group, error) {
	all, err := segments.Read(content)
	if err != nil {
		return nil, err
	}
	var out []Group
	for _, in := range all {
		for _, set := range in.Sets {
			last := len(out) - 1
			switch {
			case set.GroupID == "FA":
			case last >= 0 && out[last].Sender == in.Sender && out[last].Control == set.Group:
				out[last].Sets = append(out[last].Sets, set)
			default:
				out = append(out, Group{in.Sender, set.Group, []segments.Set{set}})
			}
		}
	}
	return out, nil
}
