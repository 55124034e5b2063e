package mapping

import (
	"strings"

	"crossdock.dev/integrations/edi/x12"
)

// Code lists that partners use in their own way. The name goes to a [CodeMap].
const (
	ListResponse    = "x12/558"  // B104, answer to a tender
	ListStatus      = "x12/1650" // AT701, shipment status
	ListAppointment = "x12/1652" // AT703, appointment status
)

// CodeMap gives our word for a code of a partner. The same letter means other
// things to other partners, so this package has no default for any code.
type CodeMap func(list, code string) (canonical string, ok bool)

// Reasons of problems with the sets of carriers.
const (
	UnmappedCode      Reason = "UNMAPPED_CODE"    // the code map has no word; Field names the list
	ShipmentMissing   Reason = "SHIPMENT_MISSING" // our load number is not in the set
	SCACMissing       Reason = "SCAC_MISSING"
	CodeMissing       Reason = "CODE_MISSING"
	CodesExclusive    Reason = "CODES_EXCLUSIVE" // AT701 and AT703 together
	TimeMissing       Reason = "TIME_MISSING"
	TimeInvalid       Reason = "TIME_INVALID"
	ZoneUnknown       Reason = "ZONE_UNKNOWN" // AT707 is no code of data element 623
	StopInvalid       Reason = "STOP_INVALID"
	EventsMissing     Reason = "EVENTS_MISSING"
	BillNumberMissing Reason = "BILL_NUMBER_MISSING"
	AmountMissing     Reason = "AMOUNT_MISSING"
	AmountInvalid     Reason = "AMOUNT_INVALID" // not of type N2; a decimal point is never guessed at
)

// mapper follows a set and collects problems.
type mapper struct {
	sep     x12.Separators
	report  func(Problem)
	segment x12.Segment
	source  Source
}

func (m *mapper) at(s x12.Segment, position int) {
	m.segment = s
	m.source = Source{SegmentID: s.ID, Position: position, Offset: s.Offset, Length: s.Length}
}

// problem reports on element n of the present segment, or on the segment (0).
func (m *mapper) problem(sev x12.Severity, reason Reason, field string, n int, text string) {
	p := Problem{Severity: sev, Reason: reason, Field: field, Element: n, Source: m.source, Text: text}
	if n > 0 {
		p.Value = m.segment.Element(n).Text(m.sep)
		p.Source.Offset, p.Source.Length = m.segment.ElementRange(n, m.sep)
	}
	m.report(p)
}

func (m *mapper) notMapped() {
	m.problem(x12.Warning, SegmentNotMapped, "", 0, "segment is not mapped")
}

// text returns element n without blanks around it. Some senders pad.
func (m *mapper) text(n int) string { return strings.TrimSpace(m.segment.Get(n)) }

// required returns element n and reports where it is empty.
func (m *mapper) required(n int, reason Reason, field, text string) string {
	v := m.text(n)
	if v == "" {
		m.problem(x12.Error, reason, field, n, text)
	}
	return v
}

// number reads element n as an exact decimal text; N0 values pass as well.
func (m *mapper) number(n int, field string) string {
	v, err := m.segment.R(n)
	if err != nil {
		m.problem(x12.Error, NumberInvalid, field, n, "not a number")
	}
	return v
}

// amount reads element n of type N2.
func (m *mapper) amount(n int, field string) string {
	v, err := m.segment.N(n, 2)
	if err != nil {
		m.problem(x12.Error, AmountInvalid, field, n, "not an amount with two implied decimals")
	}
	return v
}

// calendar reads element n as a date.
func (m *mapper) calendar(n int, field string) string {
	d, err := m.segment.DT(n)
	if err != nil {
		m.problem(x12.Error, DateInvalid, field, n, "not a date")
		return ""
	}
	if d == (x12.Date{}) {
		return ""
	}
	return d.String()
}

// reference reads L11, where the value comes first.
func (m *mapper) l11() Reference { return Reference{m.text(2), m.text(1), m.text(3)} }

// n9 reads N9, where the qualifier comes first.
func (m *mapper) n9() Reference { return Reference{m.text(1), m.text(2), m.text(3)} }

// n1 begins a party.
func (m *mapper) n1() Party {
	return Party{Role: m.text(1), Name: m.text(2), Qualifier: m.text(3), ID: m.text(4), Source: m.source}
}

// inParty takes a segment of the N1 loop of p; false where it belongs to none.
func (m *mapper) inParty(p *Party) bool {
	s := m.segment
	switch s.ID {
	case "N2":
		p.MoreNames = append(p.MoreNames, values(s)...)
	case "N3":
		p.Street = append(p.Street, values(s)...)
	case "N4":
		p.City, p.State, p.PostalCode, p.Country = s.Get(1), s.Get(2), s.Get(3), s.Get(4)
	case "REF":
		p.References = append(p.References, reference(s))
	case "N9":
		p.References = append(p.References, m.n9())
	case "L11":
		p.References = append(p.References, m.l11())
	case "PER":
		p.Contacts = append(p.Contacts, contact(s))
	case "G61":
		c := Contact{Function: s.Get(1), Name: s.Get(2)}
		if s.Get(4) != "" {
			c.Numbers = []Qualified{{s.Get(3), s.Get(4)}}
		}
		p.Contacts = append(p.Contacts, c)
	default:
		return false
	}
	return true
}
