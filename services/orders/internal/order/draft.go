package order

import (
	"fmt"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
)

// Draft is an order as somebody sent it, with values as written.
type Draft struct {
	Name, Customer, Number        string
	LegalEntity, ShipFrom, ShipTo string
	ShipToExternal                *ExternalID
	Mode                          Mode
	Currency                      string
	OrderDate, RequestedDate      string // "2026-03-02"; empty when not given
	PickupLocal, DeliveryLocal    string
	Consolidate, EtaWatch         bool
	PaymentTerms, Source          string
	StatedTotal                   *StatedTotal
	Lines                         []DraftLine
}

// DraftLine is a line as somebody sent it.
type DraftLine struct {
	ID, Item              string
	ExternalIDs           []ExternalID
	Description           string
	Quantity, Unit, Price string
	Pack                  int
}

// StatedTotal is an amount as google.type.Money writes it.
type StatedTotal struct {
	Units    int64
	Nanos    int32
	Currency string
}

// maxTotal is more than any order, and fits an amount of every currency.
var maxTotal = decimal.Int(10_000_000_000_000)

// order reads the values; paths in errors are those of the request.
func (d Draft) order() (Order, error) {
	var bad FieldErrors
	date := func(field, s string) calendar.Date {
		if s == "" {
			return calendar.Date{}
		}
		day, err := calendar.ParseDate(s)
		if err != nil {
			bad.Add("order."+field, "%s is no day", s)
		}
		return day
	}
	local := func(field, s string) {
		if _, _, err := parseLocal(s); s != "" && err != nil {
			bad.Add("order."+field, "%s is no local time", s)
		}
	}
	o := Order{
		Name: d.Name, Customer: d.Customer, Number: d.Number, LegalEntity: d.LegalEntity, ShipFrom: d.ShipFrom, ShipTo: d.ShipTo,
		Mode: d.Mode, Currency: d.Currency, OrderDate: date("order_date", d.OrderDate),
		RequestedDate: date("requested_delivery_date", d.RequestedDate), PickupLocal: d.PickupLocal, DeliveryLocal: d.DeliveryLocal,
		Consolidate: d.Consolidate, EtaWatch: d.EtaWatch, PaymentTerms: d.PaymentTerms, Source: d.Source, Commercial: Drafted,
	}
	local("pickup_appointment_local", d.PickupLocal)
	local("delivery_appointment_local", d.DeliveryLocal)
	if d.Customer == "" {
		bad.Add("order.customer", "is required")
	}
	if d.ShipToExternal != nil {
		o.ShipToExternal = *d.ShipToExternal
	}
	if d.ShipTo == "" && o.ShipToExternal.Value == "" {
		bad.Add("order.ship_to", "is required, or ship_to_external")
	}
	if d.Currency != "" {
		if _, err := money.Digits(d.Currency); err != nil {
			bad.Add("order.currency_code", "%s is no active ISO 4217 currency", d.Currency)
		}
	}
	if t := d.StatedTotal; t != nil {
		var err error
		if o.StatedTotal, err = money.FromUnitsNanos(t.Units, t.Nanos, t.Currency); err != nil {
			bad.Add("order.stated_total", "%v", err)
		}
	}
	if len(d.Lines) == 0 {
		bad.Add("order.lines", "at least one is required")
	}
	seen, total := map[string]bool{}, decimal.Zero
	for i, l := range d.Lines {
		path := fmt.Sprintf("order.lines[%d]", i)
		if l.ID == "" {
			bad.Add(path+".line", "is required")
		} else if seen[l.ID] {
			bad.Add(path+".line", "line %s is there twice", l.ID)
		}
		seen[l.ID] = true
		if l.Item == "" && len(l.ExternalIDs) == 0 {
			bad.Add(path+".item", "is required, or external_ids")
		}
		line := Line{ID: l.ID, Item: l.Item, ExternalIDs: l.ExternalIDs, Description: l.Description, Unit: l.Unit, Pack: l.Pack}
		quantity, err := decimal.Parse(l.Quantity)
		if err == nil {
			line.Quantities, err = NewQuantities(quantity.Trim())
		}
		if err != nil {
			bad.Add(path+".quantity.value", "must be more than zero")
		}
		if line.Price, err = decimal.Parse(l.Price); err != nil || line.Price.Sign() < 0 {
			bad.Add(path+".unit_price", "must be a decimal of zero or more")
		}
		o.Lines = append(o.Lines, line)
		total = total.Add(quantity.Mul(line.Price))
	}
	if maxTotal.Less(total) {
		bad.Add("order.lines", "add up to more than %s", maxTotal)
	}
	return o, bad.Err()
}
