package mapping

import (
	"fmt"
	"strconv"
	"strings"

	"crossdock.dev/integrations/edi/x12"
	"crossdock.dev/kernel/decimal"
)

// Source is the place in the input which a value comes from.
type Source struct {
	SegmentID string
	Position  int   // of the segment in the set, ST = 1
	Offset    int64 // of the segment in the input, in bytes
	Length    int   // of the segment without terminator, in bytes
}

// PurchaseOrder is what an 850 says. Dates are CCYY-MM-DD in the sender's own
// sense, without a zone; amounts and quantities are exact decimal texts. A
// text is empty where the set does not say it.
type PurchaseOrder struct {
	Source       Source // BEG
	Number       string // BEG03
	Purpose      string // BEG01: 00 original, 01 cancellation, 04 change, 05 replace, ...
	Type         string // BEG02: SA stand-alone, CP change, NE new, ...
	Release      string // BEG04
	Date         string // BEG05
	Contract     string // BEG06
	Currency     string // CUR02, ISO 4217; empty: as agreed
	References   []Reference
	Dates        []Date // header DTM; equal ones once
	Contacts     []Contact
	Terms        []Terms
	Instructions []Instruction
	Parties      []Party // N1 loops of the header, in their order
	Lines        []Line
	Total        string // AMT02 of AMT*1, the amount of all lines
	LineCount    string // CTT01
	HashTotal    string // CTT02, the sum of the quantities
}

// ShipTo returns the party with entity code ST, nil if there is none.
func (po PurchaseOrder) ShipTo() *Party { return po.party("ST") }

// BillTo returns the party with entity code BT, nil if there is none.
func (po PurchaseOrder) BillTo() *Party { return po.party("BT") }

func (po PurchaseOrder) party(role string) *Party {
	for i := range po.Parties {
		if po.Parties[i].Role == role {
			return &po.Parties[i]
		}
	}
	return nil
}

// Reference is a REF: qualifier of data element 128, value, description.
type Reference struct {
	Qualifier, Value, Description string
}

// Date is a DTM: 002 delivery requested, 010 requested ship, 038 ship no
// later (data element 374). Time is HH:MM:SS or empty; Zone is data element 623.
type Date struct {
	Qualifier, Date, Time, Zone string
}

// Contact is a PER: function (data element 366), name and numbers, each with
// its qualifier of data element 365.
type Contact struct {
	Function, Name string
	Numbers        []Qualified
}

// Qualified is a value with the code that says what it is.
type Qualified struct {
	Qualifier, Value string
}

// Terms are the terms of sale of an ITD.
type Terms struct {
	Text            string   // ITD12, else put together from the elements below
	DiscountPercent string   // ITD03
	DiscountDays    string   // ITD05
	DiscountDate    string   // ITD04
	NetDays         string   // ITD07
	NetDate         string   // ITD06
	Raw             []string // all elements as sent
	Source          Source
}

// Instruction is free text for packing (PKG), routing (TD5) or in general (MSG).
type Instruction struct {
	SegmentID, Text string
	Carrier         string // TD503 where TD502 is 2: a SCAC
}

// Party is an N1 loop.
type Party struct {
	Role       string // N101: ST ship to, BT bill to, VN vendor, ...
	Name       string // N102
	MoreNames  []string
	Qualifier  string // N103: 9 DUNS with suffix, 92 assigned by buyer, ...
	ID         string // N104
	Street     []string
	City       string
	State      string
	PostalCode string
	Country    string
	References []Reference
	Contacts   []Contact
	Source     Source // N1
}

// Line is a PO1 loop.
type Line struct {
	ID           string // PO101; where it is empty the line's place, from 1
	Quantity     string // PO102
	UnitX12      string // PO103, data element 355
	Unit         string // the same as UN/ECE Recommendation 20 code; empty where the table has none
	Price        string // PO104, per unit
	PriceBasis   string // PO105, data element 639
	Currency     string // CUR02 of the line
	Items        []Qualified
	Descriptions []string // PID05
	Pack         string   // PO401, inner packs per outer pack
	PackSize     string   // PO402
	PackSizeUnit string   // PO403
	References   []Reference
	Dates        []Date
	Source       Source // PO1
}

// Description returns the descriptions as one text.
func (l Line) Description() string { return strings.Join(l.Descriptions, " ") }

// Reason is the stable name of a problem.
type Reason string

// Reasons of problems with an 850.
const (
	PurposeNotOriginal Reason = "PURPOSE_NOT_ORIGINAL" // BEG01 is not 00: what it does to an earlier order is the caller's to decide
	NumberMissing      Reason = "PO_NUMBER_MISSING"
	DateInvalid        Reason = "DATE_INVALID"
	ShipToMissing      Reason = "SHIP_TO_MISSING"
	LinesMissing       Reason = "LINES_MISSING"
	LineIDRepeated     Reason = "LINE_ID_REPEATED"
	QuantityInvalid    Reason = "QUANTITY_INVALID"
	UnitMissing        Reason = "UNIT_MISSING"
	UnitUnknown        Reason = "UNIT_UNKNOWN"
	PriceMissing       Reason = "PRICE_MISSING"
	PriceInvalid       Reason = "PRICE_INVALID"
	ItemMissing        Reason = "ITEM_MISSING"
	NumberInvalid      Reason = "NUMBER_INVALID"
	LineCountDiffers   Reason = "LINE_COUNT_DIFFERS" // CTT01 is not the number of PO1
	HashTotalDiffers   Reason = "HASH_TOTAL_DIFFERS" // CTT02 is not the sum of PO102
	TotalDiffers       Reason = "TOTAL_DIFFERS"      // AMT02 is not the sum of quantity times price
	SegmentNotMapped   Reason = "SEGMENT_NOT_MAPPED"
)

// Problem is something that keeps a set from becoming an order as it is
// (x12.Error), or that a person may want to know (x12.Warning).
type Problem struct {
	Severity x12.Severity
	Reason   Reason
	Field    string // of the value: "shipTo", "lines[2].unit" where 2 is the line's ID
	Value    string // what the set says
	Element  int    // 01 = 1; 0 where the problem is about the segment
	Source   Source // its Offset and Length are the element's where Element is set
	Text     string
}

// Units gives the UN/ECE Recommendation 20 code of an X12 unit (data element 355).
type Units map[string]string

// In850 maps a purchase order. sep are the separators the set was read with.
func In850(set x12.Set, sep x12.Separators, units Units) (PurchaseOrder, []Problem) {
	var problems []Problem
	m := mapper850{mapper: mapper{sep: sep, report: func(p Problem) { problems = append(problems, p) }}, units: units, lineIDs: map[string]bool{}}
	for i, s := range set.Segments {
		m.at(s, i+1)
		if m.line == nil {
			m.header(s)
		} else {
			m.detail(s)
		}
	}
	m.finish(set)
	return m.po, problems
}

type mapper850 struct {
	mapper
	units Units
	po    PurchaseOrder

	lineIDs map[string]bool
	party   *Party // the N1 loop we are in
	line    *Line  // the PO1 loop we are in
	summary bool   // CTT was seen
	count   Source // CTT
	total   Source // AMT*1
}

func (m *mapper850) header(s x12.Segment) {
	if m.party != nil && m.partySegment(s) {
		return
	}
	switch s.ID {
	case "ST", "SE":
	case "BEG":
		m.begin(s)
	case "CUR":
		m.po.Currency = s.Get(2)
	case "REF":
		m.po.References = append(m.po.References, reference(s))
	case "PER":
		m.po.Contacts = append(m.po.Contacts, contact(s))
	case "ITD":
		m.po.Terms = append(m.po.Terms, m.terms(s))
	case "DTM":
		m.po.Dates = m.date(m.po.Dates, "dates", s)
	case "PKG":
		m.instruction(s.Get(5), "")
	case "MSG":
		m.instruction(s.Get(1), "")
	case "TD5":
		carrier := ""
		if s.Get(2) == "2" {
			carrier = s.Get(3)
		}
		m.instruction(s.Get(5), carrier)
	case "N1":
		m.po.Parties = append(m.po.Parties, Party{Role: s.Get(1), Name: s.Get(2), Qualifier: s.Get(3), ID: s.Get(4), Source: m.source})
		m.party = &m.po.Parties[len(m.po.Parties)-1]
	case "PO1":
		m.startLine(s)
	default:
		m.common(s)
	}
}

// partySegment takes a segment of the N1 loop.
func (m *mapper850) partySegment(s x12.Segment) bool {
	p := m.party
	switch s.ID {
	case "N2":
		p.MoreNames = append(p.MoreNames, values(s)...)
	case "N3":
		p.Street = append(p.Street, values(s)...)
	case "N4":
		p.City, p.State, p.PostalCode, p.Country = s.Get(1), s.Get(2), s.Get(3), s.Get(4)
	case "REF":
		p.References = append(p.References, reference(s))
	case "PER":
		p.Contacts = append(p.Contacts, contact(s))
	default:
		return false
	}
	return true
}

func (m *mapper850) begin(s x12.Segment) {
	m.po.Source = m.source
	m.po.Purpose, m.po.Type = s.Get(1), s.Get(2)
	m.po.Number, m.po.Release, m.po.Contract = s.Get(3), s.Get(4), s.Get(6)
	m.po.Date = m.calendar(5, "date")
	if m.po.Purpose != "00" {
		m.problem(x12.Error, PurposeNotOriginal, "purpose", 1, "not an original order")
	}
	if strings.TrimSpace(m.po.Number) == "" {
		m.problem(x12.Error, NumberMissing, "number", 3, "no purchase order number")
	}
}

func (m *mapper850) instruction(text, carrier string) {
	if text != "" || carrier != "" {
		m.po.Instructions = append(m.po.Instructions, Instruction{SegmentID: m.segment.ID, Text: text, Carrier: carrier})
	}
}

func (m *mapper850) detail(s x12.Segment) {
	l := m.line
	switch s.ID {
	case "PO1":
		m.startLine(s)
	case "CUR":
		l.Currency = s.Get(2)
	case "PID":
		if text := s.Get(5); text != "" {
			l.Descriptions = append(l.Descriptions, text)
		}
	case "PO4":
		if l.Pack == "" && l.PackSize == "" {
			l.Pack, l.PackSize, l.PackSizeUnit = m.number(1, "pack"), m.number(2, "packSize"), s.Get(3)
		}
	case "REF":
		l.References = append(l.References, reference(s))
	case "DTM":
		l.Dates = m.date(l.Dates, m.field("dates"), s)
	default:
		m.common(s)
	}
}

// common takes the segments of the summary and reports what is not mapped.
func (m *mapper850) common(s x12.Segment) {
	switch {
	case s.ID == "SE":
	case s.ID == "CTT":
		m.summary, m.count = true, m.source
		m.po.LineCount, m.po.HashTotal = s.Get(1), m.number(2, "hashTotal")
	case s.ID == "AMT" && m.summary && s.Get(1) == "1":
		m.total = m.source
		m.po.Total = m.number(2, "total")
	default:
		m.problem(x12.Warning, SegmentNotMapped, "", 0, "segment is not mapped")
	}
}

func (m *mapper850) startLine(s x12.Segment) {
	m.party = nil
	id := s.Get(1)
	if id == "" {
		id = strconv.Itoa(len(m.po.Lines) + 1)
	}
	if m.lineIDs[id] {
		m.problem(x12.Error, LineIDRepeated, "lines["+id+"].id", 1, "two lines have the same id")
	}
	m.lineIDs[id] = true
	m.po.Lines = append(m.po.Lines, Line{ID: id, UnitX12: s.Get(3), PriceBasis: s.Get(5), Source: m.source})
	l := &m.po.Lines[len(m.po.Lines)-1]
	m.line = l

	quantity, err := s.R(2)
	if q, derr := decimal.Parse(quantity); err != nil || derr != nil || q.Sign() <= 0 {
		m.problem(x12.Error, QuantityInvalid, m.field("quantity"), 2, "no quantity above zero")
	} else {
		l.Quantity = quantity
	}
	switch unit, ok := m.units[l.UnitX12]; {
	case l.UnitX12 == "":
		m.problem(x12.Error, UnitMissing, m.field("unit"), 3, "no unit")
	case !ok || unit == "":
		m.problem(x12.Error, UnitUnknown, m.field("unit"), 3, "unit is not in the table")
	default:
		l.Unit = unit
	}
	switch price, err := s.R(4); {
	case err != nil || strings.HasPrefix(price, "-"):
		m.problem(x12.Error, PriceInvalid, m.field("price"), 4, "not a price")
	case price == "":
		m.problem(x12.Error, PriceMissing, m.field("price"), 4, "no price")
	default:
		l.Price = price
	}
	for n := 6; n < len(s.Elements); n += 2 {
		if s.Get(n+1) != "" {
			l.Items = append(l.Items, Qualified{s.Get(n), s.Get(n + 1)})
		}
	}
	if len(l.Items) == 0 {
		m.problem(x12.Error, ItemMissing, m.field("items"), 7, "no item id")
	}
}

// field names a field of the present line.
func (m *mapper850) field(name string) string {
	if m.line == nil {
		return name
	}
	return "lines[" + m.line.ID + "]." + name
}

// number reads element n as a decimal, of a field of the present line.
func (m *mapper850) number(n int, field string) string { return m.mapper.number(n, m.field(field)) }

// date adds a DTM to dates unless it stands there already.
func (m *mapper850) date(dates []Date, field string, s x12.Segment) []Date {
	d := Date{Qualifier: s.Get(1), Date: m.calendar(2, field), Zone: s.Get(4)}
	switch c, ok, err := s.TM(3); {
	case err != nil:
		m.problem(x12.Error, DateInvalid, field, 3, "not a time")
	case ok:
		d.Time = fmt.Sprintf("%02d:%02d:%02d", c.Hour, c.Minute, c.Second)
	}
	for _, have := range dates {
		if have == d {
			return dates
		}
	}
	return append(dates, d)
}

func (m *mapper850) terms(s x12.Segment) Terms {
	t := Terms{Source: m.source, Text: s.Get(12), DiscountPercent: m.number(3, "terms"), DiscountDays: m.number(5, "terms"),
		DiscountDate: m.calendar(4, "terms"), NetDays: m.number(7, "terms"), NetDate: m.calendar(6, "terms")}
	for n := 1; n <= len(s.Elements); n++ {
		t.Raw = append(t.Raw, s.Element(n).Text(m.sep))
	}
	if t.Text != "" {
		return t
	}
	var parts []string
	if t.DiscountPercent != "" {
		switch {
		case t.DiscountDays != "":
			parts = append(parts, t.DiscountPercent+" % if paid within "+t.DiscountDays+" days")
		case t.DiscountDate != "":
			parts = append(parts, t.DiscountPercent+" % if paid by "+t.DiscountDate)
		default:
			parts = append(parts, t.DiscountPercent+" %")
		}
	}
	switch {
	case t.NetDays != "":
		parts = append(parts, "net "+t.NetDays)
	case t.NetDate != "":
		parts = append(parts, "net by "+t.NetDate)
	}
	t.Text = strings.Join(parts, ", ")
	return t
}

// finish checks what only the whole set can tell.
func (m *mapper850) finish(set x12.Set) {
	m.line = nil
	if len(set.Segments) > 0 {
		m.at(set.Segments[0], 1)
	}
	if m.po.ShipTo() == nil {
		m.problem(x12.Error, ShipToMissing, "shipTo", 0, "no N1 with entity code ST")
	}
	if len(m.po.Lines) == 0 {
		m.problem(x12.Error, LinesMissing, "lines", 0, "no PO1")
	}

	quantity, amount, known := decimal.Int(0), decimal.Int(0), true
	for _, l := range m.po.Lines {
		q, qerr := decimal.Parse(l.Quantity)
		p, perr := decimal.Parse(l.Price)
		if qerr != nil || perr != nil {
			known = false // told already, where the line is
		}
		if qerr == nil {
			quantity = quantity.Add(q)
		}
		if qerr == nil && perr == nil {
			amount = amount.Add(q.Mul(p))
		}
	}
	if m.po.LineCount != "" {
		m.at(set.Segments[m.count.Position-1], m.count.Position)
		if n, err := strconv.Atoi(m.po.LineCount); err != nil || n != len(m.po.Lines) {
			m.problem(x12.Error, LineCountDiffers, "lineCount", 1, fmt.Sprintf("there are %d lines", len(m.po.Lines)))
		}
	}
	if hash, err := decimal.Parse(m.po.HashTotal); err == nil && !hash.Equal(quantity) {
		m.at(set.Segments[m.count.Position-1], m.count.Position)
		m.problem(x12.Warning, HashTotalDiffers, "hashTotal", 2, "the quantities add up to "+quantity.String())
	}
	if total, err := decimal.Parse(m.po.Total); err == nil && known && !total.Equal(amount) {
		m.at(set.Segments[m.total.Position-1], m.total.Position)
		m.problem(x12.Warning, TotalDiffers, "total", 2, "quantity times price adds up to "+amount.String())
	}
}

func reference(s x12.Segment) Reference { return Reference{s.Get(1), s.Get(2), s.Get(3)} }

func contact(s x12.Segment) Contact {
	c := Contact{Function: s.Get(1), Name: s.Get(2)}
	for n := 3; n <= 7; n += 2 {
		if s.Get(n+1) != "" {
			c.Numbers = append(c.Numbers, Qualified{s.Get(n), s.Get(n + 1)})
		}
	}
	return c
}

// values returns the elements of a segment that hold something.
func values(s x12.Segment) []string {
	var out []string
	for n := 1; n <= len(s.Elements); n++ {
		if v := s.Get(n); v != "" {
			out = append(out, v)
		}
	}
	return out
}
