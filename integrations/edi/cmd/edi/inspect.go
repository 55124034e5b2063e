package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
)

// maxInspected bounds a file that is looked at as a whole.
const maxInspected = 64 << 20

// errFindings says that a file was read and shown, and is not good.
var errFindings = errors.New("the file has errors")

// look makes a subcommand of what shows one file. Exit codes: 0 good, 1 errors found, 2 not read.
func look(show func(w io.Writer, data []byte) error) func(args []string, out, errOut io.Writer) int {
	return func(args []string, out, errOut io.Writer) int {
		if len(args) != 1 {
			fmt.Fprintf(errOut, "edi: want one file, or - for standard input, got %q\n", args)
			return 2
		}
		data, err := readAll(args[0])
		if err != nil {
			fmt.Fprintln(errOut, "edi:", err)
			return 2
		}
		switch err := show(out, data); {
		case err == nil:
			return 0
		case !errors.Is(err, errFindings): // they are on the output already
			fmt.Fprintln(errOut, "edi:", err)
		}
		return 1
	}
}

func readAll(path string) ([]byte, error) {
	f := os.Stdin
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // only read
	}
	data, err := io.ReadAll(io.LimitReader(f, maxInspected+1))
	if err == nil && len(data) > maxInspected {
		err = fmt.Errorf("%s has more than %d bytes", path, maxInspected)
	}
	return data, err
}

// The structure of a file as parse shows it.
type (
	parsedFile struct {
		Interchanges []parsedInterchange `json:"interchanges"`
		Findings     []parsedFinding     `json:"findings"`
		Dropped      int                 `json:"findings_dropped,omitempty"`
		Error        string              `json:"error,omitempty"` // why reading ended early
	}
	parsedInterchange struct {
		Sender     string            `json:"sender"`
		Receiver   string            `json:"receiver"`
		Control    string            `json:"control_number"`
		Usage      string            `json:"usage"`
		Version    string            `json:"version"`
		Separators map[string]string `json:"separators"`
		Offset     int64             `json:"offset"`
		Length     int               `json:"length"`
		Groups     []parsedGroup     `json:"groups"`
	}
	parsedGroup struct {
		FunctionalID string      `json:"functional_id"`
		Sender       string      `json:"sender"`
		Receiver     string      `json:"receiver"`
		Control      string      `json:"control_number"`
		Version      string      `json:"version"`
		Sets         []parsedSet `json:"sets"`
	}
	parsedSet struct {
		ID       string `json:"set"`
		Control  string `json:"control_number"`
		Segments int    `json:"segments"`
		Offset   int64  `json:"offset"`
	}
	parsedFinding struct {
		Severity    string `json:"severity"`
		Level       string `json:"level"`
		Code        string `json:"code,omitempty"`
		Interchange int    `json:"interchange"`
		Group       int    `json:"group"`
		Set         int    `json:"set"`
		Segment     string `json:"segment,omitempty"`
		Position    int    `json:"position,omitempty"`
		Element     int    `json:"element,omitempty"`
		Component   int    `json:"component,omitempty"`
		Reference   string `json:"reference,omitempty"`
		Value       string `json:"value,omitempty"`
		Offset      int64  `json:"offset"`
		Text        string `json:"text"`
	}
)

// parse shows what a file holds. Places count from 1; 0 is outside.
func parse(w io.Writer, data []byte) error {
	f, fault := x12.Parse(data)
	out := parsedFile{Interchanges: []parsedInterchange{}, Findings: []parsedFinding{}, Dropped: f.Dropped}
	for _, x := range f.Interchanges {
		isa := func(n int) string { return trim(x.Header.Get(n)) }
		p := parsedInterchange{
			Sender: isa(5) + "/" + isa(6), Receiver: isa(7) + "/" + isa(8), Control: x.Control(), Usage: isa(15), Version: isa(12),
			Separators: map[string]string{
				"element": x.Format.Element, "component": x.Format.Component, "repetition": x.Format.Repetition, "segment": x.Format.Segment,
			},
			Groups: []parsedGroup{},
		}
		p.Offset, p.Length = x.Range()
		for _, g := range x.Groups {
			pg := parsedGroup{
				FunctionalID: trim(g.Header.Get(1)), Sender: trim(g.Header.Get(2)), Receiver: trim(g.Header.Get(3)), Control: trim(g.Header.Get(6)),
				Version: g.Version(), Sets: []parsedSet{},
			}
			for _, t := range g.Sets {
				ps := parsedSet{ID: t.ID(), Control: t.Control(), Segments: len(t.Segments)}
				if len(t.Segments) > 0 {
					ps.Offset = t.Segments[0].Offset
				}
				pg.Sets = append(pg.Sets, ps)
			}
			p.Groups = append(p.Groups, pg)
		}
		out.Interchanges = append(out.Interchanges, p)
	}
	for _, n := range f.Findings {
		out.Findings = append(out.Findings, parsedFinding{
			Severity: n.Severity.String(), Level: n.Level.String(), Code: n.Code, Interchange: n.Interchange + 1, Group: n.Group + 1, Set: n.Set + 1,
			Segment: n.SegmentID, Position: n.Position, Element: n.Element, Component: n.Component, Reference: n.Reference, Value: n.Value,
			Offset: n.Offset, Text: n.Text,
		})
	}
	if fault != nil {
		out.Error = fault.Error()
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return err
	}
	return fault
}

func validateNow(w io.Writer, data []byte) error {
	good, err := validate(w, data, time.Now())
	if err == nil && !good {
		err = errFindings
	}
	return err
}

// validate shows the findings and the 997s that a partner without any special agreement would get. Their control numbers are
// placeholders: the real ones come from the mailbox's series.
func validate(w io.Writer, data []byte, now time.Time) (good bool, err error) {
	f, fault := x12.Parse(data)
	good = fault == nil
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SEVERITY\tINTERCHANGE\tGROUP\tSET\tPLACE\tCODE\tWHAT")
	for _, n := range f.Findings {
		good = good && n.Severity != x12.Error
		text := n.Text
		if n.Value != "" {
			text += fmt.Sprintf(" (%q)", n.Value)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", n.Severity, place(n.Interchange), place(n.Group), place(n.Set), n.Path(), n.Code, text)
	}
	if fault != nil {
		fmt.Fprintf(t, "error\t\t\t\t\t\t%v\n", fault)
	}
	if err := t.Flush(); err != nil {
		return false, err
	}
	for i, x := range f.Interchanges {
		for j, g := range x.Groups {
			ack, ok := x12.Acknowledge(f, i, j, x12.AckOptions{})
			if !ok {
				continue
			}
			good = good && (ack.Code == "A" || ack.Code == "E")
			fmt.Fprintf(w, "\n997 for group %s of interchange %s: %s\n", trim(g.Header.Get(6)), x.Control(), ack.Code)
			answer, err := mapping.Ack997(envelope(x, g), ack, mapping.Numbers{Interchange: 1, Group: 1}, now)
			if err != nil {
				return false, err
			}
			if _, err := x12.Write(w, answer, x12.Options{Outbound: true, Replace: "?"}); err != nil {
				return false, err
			}
		}
	}
	return good, nil
}

// envelope turns the addresses of a group around.
func envelope(x x12.Interchange, g x12.Group) mapping.Envelope {
	isa := func(n int) string { return trim(x.Header.Get(n)) }
	version := "00401"
	if isa(12) >= "00402" {
		version = isa(12)
	}
	e := mapping.Envelope{
		From: mapping.Address{Qualifier: isa(7), ID: isa(8)}, To: mapping.Address{Qualifier: isa(5), ID: isa(6)},
		FromGroup: trim(g.Header.Get(3)), ToGroup: trim(g.Header.Get(2)), ControlVersion: version, Version: g.Version(), Usage: isa(15),
		Separators: x12.Separators{Element: "*", Component: ">", Segment: "~"}, AfterSegment: "\n",
	}
	if version != "00401" {
		e.Separators.Repetition = "^"
	}
	return e
}

func place(n int) string {
	if n < 0 {
		return ""
	}
	return fmt.Sprint(n + 1)
}

func trim(s string) string { return strings.TrimSpace(s) }
