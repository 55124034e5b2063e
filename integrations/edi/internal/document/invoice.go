package document

import (
	"fmt"

	"google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/money"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/kernel/decimal"
	amount "crossdock.dev/kernel/money"
)

// invoice is what an invoice says. Terms, the order's date and how a price is meant are as the customer's own order says them.
func (l *look) invoice(m *billingv1.Invoice) (mapping.Invoice, error) {
	po := l.order(m.GetCustomer(), m.GetCustomerOrderNumber())
	terms, err := store.FreightTerms(l.ctx, l.r, m.GetShipment())
	if err != nil {
		return mapping.Invoice{}, err
	}
	units, err := store.UnitCodes(l.ctx, l.r, app.UnitList, m.GetCustomer(), calendarDay(m.GetIssueDate()))
	if err != nil {
		return mapping.Invoice{}, err
	}
	out := mapping.Invoice{
		Date: calendarDay(m.GetIssueDate()), Number: m.GetNumber(), OrderDate: po.Date, OrderNumber: m.GetCustomerOrderNumber(), LoadNumber: m.GetLoadNumber(),
		Seller: l.ourselves(m.GetLegalEntity()), ShipTo: l.site(m.GetShipTo(), po), Terms: po.Terms, ShipDate: calendarDay(m.GetShipDate()), FreightTerms: terms,
	}
	if tax := m.GetTaxTotal(); tax.GetUnits() != 0 || tax.GetNanos() != 0 {
		return out, &app.UnfitError{Detail: "tax: nothing is agreed with any partner of how an 810 tells it"}
	}
	for _, line := range m.GetLines() {
		l, err := invoiceLine(line, po, units)
		if err != nil {
			return out, err
		}
		out.Lines = append(out.Lines, l)
	}
	if out.Total, err = text(m.GetTotal()); err != nil {
		return out, err
	}
	for _, f := range m.GetFreight() {
		c := mapping.InvoiceCharge{Code: f.GetCharge().GetCode(), Description: f.GetCharge().GetDescription()}
		if c.Amount, err = text(f.GetCharge().GetAmount()); err != nil {
			return out, err
		}
		out.Charges = append(out.Charges, c)
	}
	return out, l.complete()
}

// invoiceLine is a line in the customer's own words: its unit, how its price is meant, its item numbers.
func invoiceLine(line *billingv1.InvoiceLine, po mapping.PurchaseOrder, units map[string]string) (mapping.InvoiceLine, error) {
	out := mapping.InvoiceLine{ID: line.GetLine(), UnitX12: units[line.GetQuantity().GetUnit()], Description: line.GetDescription()}
	for _, ordered := range po.Lines {
		if ordered.ID != line.GetLine() {
			continue
		}
		out.PriceBasis = ordered.PriceBasis
		if ordered.Unit == line.GetQuantity().GetUnit() {
			out.UnitX12 = ordered.UnitX12
		}
	}
	quantity, err := decimal.Parse(line.GetQuantity().GetValue())
	if err != nil || out.UnitX12 == "" {
		return out, &app.UnfitError{Detail: fmt.Sprintf("line %s: no X12 unit for %s %s", line.GetLine(), line.GetQuantity().GetValue(), line.GetQuantity().GetUnit())}
	}
	price, err := decimal.Parse(line.GetUnitPrice())
	if err != nil {
		return out, &app.UnfitError{Detail: "line " + line.GetLine() + ": price: " + err.Error()}
	}
	out.Quantity, out.Price = quantity.Trim().String(), price.Trim().String()
	for _, id := range line.GetExternalIds() {
		if id.GetSystem() == "x12" && id.GetQualifier() != "" {
			out.Items = append(out.Items, mapping.Qualified{Qualifier: id.GetQualifier(), Value: id.GetValue()})
		}
	}
	return out, nil
}

// text is an amount as an exact decimal text.
func text(m *money.Money) (string, error) {
	a, err := amount.FromUnitsNanos(m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
	if err != nil {
		return "", &app.UnfitError{Detail: "amount: " + err.Error()}
	}
	return a.Decimal().String(), nil
}

// calendarDay is a date as CCYY-MM-DD, empty where there is none.
func calendarDay(d *date.Date) string {
	if d == nil {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.GetYear(), d.GetMonth(), d.GetDay())
}
