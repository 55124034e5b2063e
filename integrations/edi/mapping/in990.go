package mapping

import (
	"strings"

	"crossdock.dev/integrations/edi/x12"
)

// TenderResponse is what a 990 says. A text is empty where the set does not
// say it.
type TenderResponse struct {
	Source           Source      // B1
	SCAC             string      // B101
	ShipmentID       string      // B102, our load number (B204 of the tender)
	Date             string      // B103, CCYY-MM-DD without a zone; carriers leave it out
	Letter           string      // B104 as written
	Answer           string      // the code map's word for Letter; empty where it has none
	CarrierReference string      // PRO number: N9 or L11 with qualifier CN
	ReasonCode       string      // V908, else V901
	ReasonText       string      // V902 and K1, put together in their order
	References       []Reference // all N9 and L11
}

// In990 maps the answer to a load tender. Letters are never interpreted here:
// published guides disagree with data element 558 on B, C, D and E. A letter
// without a word of the code map is an [UnmappedCode] of list [ListResponse].
func In990(set x12.Set, sep x12.Separators, codes CodeMap) (TenderResponse, []Problem) {
	var problems []Problem
	m := mapper{sep: sep, report: func(p Problem) { problems = append(problems, p) }}
	var r TenderResponse
	var reason []string
	seen, stops := false, false
	for i, s := range set.Segments {
		m.at(s, i+1)
		switch s.ID {
		case "ST", "SE":
		case "B1":
			seen = true
			r.Source = m.source
			r.SCAC = m.required(1, SCACMissing, "scac", "no carrier")
			r.ShipmentID = m.required(2, ShipmentMissing, "shipmentID", "no shipment id")
			r.Date = m.calendar(3, "date")
			r.Letter = m.required(4, CodeMissing, "answer", "no answer")
			if r.Letter != "" {
				r.Answer = m.word(codes, ListResponse, 4)
			}
		case "S5":
			// What follows belongs to stops, which no answer to a whole tender needs.
			stops = true
			m.notMapped()
		case "N9", "L11":
			if stops {
				m.notMapped()
				continue
			}
			ref := m.n9()
			if s.ID == "L11" {
				ref = m.l11()
			}
			r.References = append(r.References, ref)
			if ref.Qualifier == "CN" && r.CarrierReference == "" {
				r.CarrierReference = ref.Value
			}
		case "V9":
			if r.ReasonCode = m.text(8); r.ReasonCode == "" {
				r.ReasonCode = m.text(1)
			}
			reason = append(reason, m.text(2))
		case "K1":
			reason = append(reason, m.text(1), m.text(2))
		default:
			m.notMapped()
		}
	}
	if !seen {
		m.none(set)
		m.problem(x12.Error, ShipmentMissing, "shipmentID", 0, "no B1")
	}
	r.ReasonText = join(reason)
	return r, problems
}

// word asks the code map for element n and reports where it has no word.
func (m *mapper) word(codes CodeMap, list string, n int) string {
	if codes != nil {
		if word, ok := codes(list, m.text(n)); ok && word != "" {
			return word
		}
	}
	m.problem(x12.Error, UnmappedCode, list, n, "the code map has no word for this code")
	return ""
}

// none goes to the begin of the set, for a problem with what is not there.
func (m *mapper) none(set x12.Set) {
	m.segment, m.source = x12.Segment{}, Source{}
	if len(set.Segments) > 0 {
		m.at(set.Segments[0], 1)
	}
}

// join puts the texts that are not empty together.
func join(texts []string) string {
	var out []string
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			out = append(out, t)
		}
	}
	return strings.Join(out, " ")
}
