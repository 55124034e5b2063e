package mapping

import (
	"fmt"
	"strings"

	"crossdock.dev/integrations/edi/x12"
)

// Invoice is what an 810 of ours says. Dates are CCYY-MM-DD, amounts exact decimal texts in one currency.
type Invoice struct {
	Date         string
	Number       string
	OrderDate    string // of the customer's order
	OrderNumber  string
	LoadNumber   string
	Seller       Party
	ShipTo       Party
	Terms        []Terms // as the customer's order had them
	ShipDate     string
	FreightTerms string // "PREPAID_AND_ADD", "PREPAID" or "COLLECT"; empty: not said
	Lines        []InvoiceLine
	Total        string
	Charges      []InvoiceCharge
}

// InvoiceLine is a line in the customer's own words.
type InvoiceLine struct {
	ID          string
	Quantity    string
	UnitX12     string // data element 355
	Price       string
	PriceBasis  string      // data element 639
	Items       []Qualified // at most ten
	Description string
}

// InvoiceCharge is what is charged beside the goods.
type InvoiceCharge struct {
	Code        string // ours
	Description string
	Amount      string
}

// Out810 writes an invoice, X12 004010 810. An amount that is none in two decimals is an error.
func Out810(i Invoice) (x12.Set, error) {
	w := &writer{}
	w.add("BIG", compact(i.Date), i.Number, compact(i.OrderDate), i.OrderNumber, "", "", "DI")
	w.add("REF", "BM", i.LoadNumber)
	i.Seller.Role, i.ShipTo.Role = "RE", "ST"
	w.party(i.Seller)
	w.party(i.ShipTo)
	for _, t := range i.Terms {
		w.add("ITD", t.Raw...)
	}
	w.add("DTM", "011", compact(i.ShipDate))
	if code := payment(i.FreightTerms); code != "" {
		w.add("FOB", code)
	}
	for _, l := range i.Lines {
		values := []string{l.ID, l.Quantity, l.UnitX12, l.Price, l.PriceBasis}
		for _, id := range l.Items[:min(10, len(l.Items))] {
			values = append(values, id.Qualifier, id.Value)
		}
		w.add("IT1", values...)
		if d := printed(l.Description, maxContent); d != "" {
			w.add("PID", "F", "", "", "", d)
		}
	}
	total, err := x12.FormatN(i.Total, 2)
	if err != nil {
		return x12.Set{}, fmt.Errorf("total: %w", err)
	}
	w.add("TDS", total)
	for _, c := range i.Charges {
		amount, err := x12.FormatN(c.Amount, 2)
		if err != nil {
			return x12.Set{}, fmt.Errorf("charge %s: %w", c.Code, err)
		}
		w.add("SAC", "C", service(c.Code), "", "", amount, "", "", "", "", "", "", "", "", "", printed(spoken(c.Description), maxContent))
	}
	w.add("CTT", count(len(i.Lines)))
	return w.set("810"), nil
}

// payment is the shipment method of payment (data element 146): PC prepaid but charged to customer, PP prepaid by seller, CC collect.
func payment(terms string) string {
	return map[string]string{"PREPAID_AND_ADD": "PC", "PREPAID": "PP", "COLLECT": "CC"}[terms]
}

// service is the service or charge (data element 1300): D270 fuel surcharge, D240 freight. Both are in the code list of release
// 004010 as github.com/tcd/eddy has it (data/004010/code-lists/1300.tsv).
func service(code string) string {
	if code == "FUE" {
		return "D270"
	}
	return "D240"
}

// spoken are a charge's words as they can be printed: the basic character set has no percent sign, and what a percentage is of
// stands in the contract.
func spoken(description string) string {
	s := strings.ReplaceAll(strings.ToUpper(strings.TrimSpace(description)), "%", "PERCENT")
	return strings.TrimSuffix(s, " OF LINE-HAUL")
}
