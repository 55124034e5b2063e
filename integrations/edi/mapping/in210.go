package mapping

import (
	"fmt"

	"crossdock.dev/integrations/edi/x12"
	"crossdock.dev/kernel/decimal"
)

// FreightBill is what a 210 says. Dates are CCYY-MM-DD without a zone; amounts are exact decimal texts. A text is empty where the
// set does not say it.
type FreightBill struct {
	Source           Source // B3
	Number           string // B302
	ShipmentID       string // B303, our load number
	Payment          string // B304, data element 146
	Date             string // B306
	Total            string // B307
	Correction       string // B308, data element 202; empty: an original
	DeliveryDate     string // B309
	SCAC             string // B311
	Currency         string // C301, ISO 4217; empty: as agreed
	CarrierReference string // PRO number: N9 or L11 with qualifier CN
	References       []Reference
	Charges          []BillCharge // the first MaxCharges
	ChargeCount      int          // of all
	ChargeSum        string       // of all
	LinesTotal       string       // L305
}

// BillCharge is an L1.
type BillCharge struct {
	Source      Source
	Code        string // L108 as written, data element 150
	Word        string // our code; see [FreightBill.Name]
	Description string // L112, else the words of the L5 before it
	Amount      string // L104; of a discount negative
}

// MaxCharges are the charges that are held of one bill, whatever its size. Those beyond are counted and added up.
const MaxCharges = 1000

// Bounds of what else is held of one bill.
const (
	maxReferences = 300 // N9 of the head, X12 004010 210
	maxProblems   = 100 // of each severity
)

// ListCharge is the code list of L108. The name goes to a [CodeMap].
const ListCharge = "x12/150"

// BillReader maps a 210 segment by segment, since a carrier may bill a month of an account in one set. What it holds does not grow
// with the set. Codes of charges stay as written: see [FreightBill.Name].
type BillReader struct {
	m                mapper
	bill             FreightBill
	sum              decimal.Decimal
	problems         []Problem
	errors, warnings int
	description      string // of the L5 before the L1
	items            bool   // an LX was seen
	seen             bool   // B3
}

// NewBillReader returns a BillReader for a set with these separators.
func NewBillReader(sep x12.Separators) *BillReader {
	r := &BillReader{}
	r.m = mapper{sep: sep, report: r.report}
	return r
}

func (r *BillReader) report(p Problem) {
	n := &r.warnings
	if p.Severity == x12.Error {
		n = &r.errors
	}
	if *n++; *n <= maxProblems {
		r.problems = append(r.problems, p)
	}
}

// Add takes the next segment; position counts from 1, the ST.
func (r *BillReader) Add(s x12.Segment, position int) {
	m, b := &r.m, &r.bill
	m.at(s, position)
	switch s.ID {
	case "ST", "SE", "N1", "N2", "N3", "N4", "L0", "K1": // who pays whom stands in the contract; the goods' weights in the load
	case "B3":
		r.seen = true
		b.Source = m.source
		b.Number = m.required(2, BillNumberMissing, "number", "no invoice number")
		b.ShipmentID = m.required(3, ShipmentMissing, "shipmentID", "no shipment id")
		b.Payment = m.text(4)
		b.Date = m.calendar(6, "date")
		if b.Total = m.amount(7, "total"); m.text(7) == "" {
			m.problem(x12.Error, AmountMissing, "total", 7, "no amount due")
		}
		b.Correction = m.text(8)
		b.DeliveryDate = m.calendar(9, "deliveryDate")
		b.SCAC = m.text(11)
	case "C3":
		b.Currency = m.text(1)
	case "N9", "L11":
		ref := m.n9()
		if s.ID == "L11" {
			ref = m.l11()
		}
		if ref.Qualifier == "CN" && b.CarrierReference == "" {
			b.CarrierReference = ref.Value
		}
		if !r.items && len(b.References) < maxReferences {
			b.References = append(b.References, ref)
		}
	case "LX":
		r.items, r.description = true, ""
	case "L5":
		r.description = m.text(2)
	case "L1":
		r.charge()
	case "L3":
		b.LinesTotal = m.amount(5, "linesTotal")
	default:
		m.notMapped()
	}
}

func (r *BillReader) charge() {
	m, b := &r.m, &r.bill
	field := fmt.Sprintf("charges[%d]", b.ChargeCount)
	c := BillCharge{Source: m.source, Code: m.required(8, CodeMissing, field, "a charge without a code"), Description: m.text(12), Amount: m.amount(4, field)}
	if m.text(4) == "" {
		m.problem(x12.Error, AmountMissing, field, 4, "a charge without an amount")
	}
	if c.Description == "" {
		c.Description = r.description
	}
	if d, err := decimal.Parse(c.Amount); err == nil {
		r.sum = r.sum.Add(d)
	}
	if b.ChargeCount++; b.ChargeCount <= MaxCharges {
		b.Charges = append(b.Charges, c)
	}
}

// Bill returns the bill after the last segment.
func (r *BillReader) Bill() (FreightBill, []Problem) {
	b := r.bill
	b.ChargeSum = r.sum.String()
	if !r.seen {
		r.m.segment, r.m.source = x12.Segment{}, Source{}
		r.m.problem(x12.Error, ShipmentMissing, "shipmentID", 0, "no B3")
	}
	if total, err := decimal.Parse(b.LinesTotal); err == nil && !total.Equal(r.sum) {
		r.m.problem(x12.Warning, TotalDiffers, "linesTotal", 0, "L305 is not the sum of the charges, which is "+b.ChargeSum)
	}
	return b, r.problems
}

// Name gives each charge our code. One that the code map has no word for is an [UnmappedCode] of list [ListCharge].
func (b *FreightBill) Name(codes CodeMap) []Problem {
	var problems []Problem
	for i := range b.Charges {
		c := &b.Charges[i]
		word, ok := codes(ListCharge, c.Code)
		if c.Word = word; (!ok || word == "") && c.Code != "" && len(problems) < maxProblems {
			problems = append(problems, Problem{Severity: x12.Error, Reason: UnmappedCode, Field: ListCharge, Element: 8, Value: c.Code, Source: c.Source,
				Text: "the code map has no word for this code"})
		}
	}
	return problems
}
