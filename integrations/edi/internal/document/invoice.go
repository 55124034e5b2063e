package document

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/money"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
	"crossdock.dev/kernel/decimal"
	amount "crossdock.dev/kernel/money"
)

// invoice puts an invoice into an 810. Terms, the order's date and how a price is meant are printed as the customer's own order says
// them.
func (l *look) invoice(m *billingv1.Invoice) (x12.Set, error) {
	po := l.order(m.GetCustomer(), m.GetCustomerOrderNumber())
	terms, err := store.FreightTerms(l.ctx, l.r, m.GetShipment())
	if err != nil {
		return x12.Set{}, err
	}
	units, err := store.UnitCodes(l.ctx, l.r, app.UnitList, m.GetCustomer(), calendarDay(m.GetIssueDate()))
	if err != nil {
		return x12.Set{}, err
	}
	seller, shipTo := l.ourselves("RE", m.GetLegalEntity()), l.site("ST", m.GetShipTo(), po)

	w := &writer{}
	w.add("BIG", day(m.GetIssueDate()), m.GetNumber(), strings.ReplaceAll(po.Date, "-", ""), m.GetCustomerOrderNumber(), "", "", "DI")
	w.add("REF", "BM", m.GetLoadNumber())
	w.party(seller)
	w.party(shipTo)
	for _, t := range po.Terms {
		w.add("ITD", t.Raw...)
	}
	w.add("DTM", "011", day(m.GetShipDate()))
	if code := payment(terms); code != "" {
		w.add("FOB", code)
	}
	for _, line := range m.GetLines() {
		if err := invoiceLine(w, line, po, units); err != nil {
			return x12.Set{}, err
		}
	}
	total, err := cents(m.GetTotal())
	if err != nil {
		return x12.Set{}, err
	}
	w.add("TDS", total)
	for _, f := range m.GetFreight() {
		value, err := cents(f.GetCharge().GetAmount())
		if err != nil {
			return x12.Set{}, err
		}
		w.add("SAC", "C", service(f.GetCharge().GetCode()), "", "", value, "", "", "", "", "", "", "", "", "", message.Clean(words(f.GetCharge().GetDescription()), maxContent))
	}
	w.add("CTT", strconv.Itoa(len(m.GetLines())))
	return w.set("810"), l.complete()
}

// invoiceLine writes a line in the customer's own words: its unit, how its price is meant, its item numbers.
func invoiceLine(w *writer, line *billingv1.InvoiceLine, po mapping.PurchaseOrder, units map[string]string) error {
	unit, basis := units[line.GetQuantity().GetUnit()], ""
	for _, ordered := range po.Lines {
		if ordered.ID != line.GetLine() {
			continue
		}
		basis = ordered.PriceBasis
		if ordered.Unit == line.GetQuantity().GetUnit() {
			unit = ordered.UnitX12
		}
	}
	quantity, err := decimal.Parse(line.GetQuantity().GetValue())
	if err != nil || unit == "" {
		return &app.UnfitError{Detail: fmt.Sprintf("line %s: no X12 unit for %s %s", line.GetLine(), line.GetQuantity().GetValue(), line.GetQuantity().GetUnit())}
	}
	price, err := decimal.Parse(line.GetUnitPrice())
	if err != nil {
		return &app.UnfitError{Detail: "line " + line.GetLine() + ": price: " + err.Error()}
	}
	values := []string{line.GetLine(), quantity.Trim().String(), unit, price.Trim().String(), basis}
	for _, id := range line.GetExternalIds() {
		if id.GetSystem() == "x12" && id.GetQualifier() != "" {
			values = append(values, id.GetQualifier(), id.GetValue())
		}
	}
	w.add("IT1", values...)
	if d := printed(line.GetDescription()); d != "" {
		w.add("PID", "F", "", "", "", message.Clean(d, maxContent))
	}
	return nil
}

// payment is the shipment method of payment (data element 146).
func payment(terms string) string {
	return map[string]string{"PREPAID_AND_ADD": "PC", "PREPAID": "PP", "COLLECT": collect}[terms]
}

// service is the service or charge (data element 1300).
func service(code string) string {
	if code == "FUE" {
		return "D270"
	}
	return "D240"
}

// words are a charge's as they are printed: the basic character set has no percent sign, and what a percentage is of stands in the
// contract.
func words(description string) string {
	return strings.TrimSuffix(strings.ReplaceAll(printed(description), "%", "PERCENT"), " OF LINE-HAUL")
}

// cents is an amount with two implied decimals (N2).
func cents(m *money.Money) (string, error) {
	a, err := amount.FromUnitsNanos(m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
	if err != nil {
		return "", &app.UnfitError{Detail: "amount: " + err.Error()}
	}
	n, err := a.Decimal().Unscaled(2)
	if err != nil {
		return "", &app.UnfitError{Detail: "amount: " + err.Error()}
	}
	return strconv.FormatInt(n, 10), nil
}

// day is a date as CCYYMMDD, empty where there is none.
func day(d *date.Date) string { return strings.ReplaceAll(calendarDay(d), "-", "") }

func calendarDay(d *date.Date) string {
	if d == nil {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.GetYear(), d.GetMonth(), d.GetDay())
}
