package inbound

import (
	"slices"

	googlemoney "google.golang.org/genproto/googleapis/type/money"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	storagev1 "crossdock.dev/gen/crossdock/tower/storage/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/services/tower/internal/explain"
)

// advance carries a fact into the head of a case. The stage only moves forward: facts of different services may come in
// another order than they happened.
func advance(rec *storagev1.Case, f eventlog.Fact) {
	c := rec.GetCase()
	reach := func(s towerv1.Case_Stage) {
		if s > c.Stage {
			c.Stage = s
		}
	}
	switch m := f.Payload.(type) {
	case *ordersv1.OrderCreated:
		o := m.GetOrder()
		c.CustomerOrderNumber, c.Customer, c.CreateTime = o.GetCustomerOrderNumber(), o.GetCustomer(), o.GetCreateTime()
		c.OrderTotal = total(o)
		reach(towerv1.Case_ORDERED)
	case *ordersv1.OrderHeld:
		c.WaitsFor = "hold " + m.GetHold().GetKind().String() + ": " + m.GetHold().GetReason()
	case *ordersv1.OrderHoldReleased:
		c.WaitsFor = ""
	case *ordersv1.OrderReleased:
		rec.Releases = with(rec.Releases, m.GetRelease().GetName())
		reach(towerv1.Case_RELEASED)
	case *ordersv1.OrderCancelled:
		c.Stage, c.WaitsFor, c.WaitsUntil = towerv1.Case_CANCELLED, "", nil
	case *freightv1.ShipmentPlanned:
		c.LoadNumber = m.GetLoad().GetNumber()
	case *freightv1.LoadTendered:
		reach(towerv1.Case_TENDERED)
	case *freightv1.LoadBooked:
		c.Carrier, c.LoadNumber = m.GetLoad().GetCarrier(), m.GetLoad().GetNumber()
		owe(rec, m.GetLoad())
		reach(towerv1.Case_BOOKED)
	case *freightv1.AccessorialProven:
		owe(rec, m.GetLoad())
	case *freightv1.LoadCancelled:
		owe(rec, m.GetLoad())
	case *freightv1.ShipmentDeparted:
		reach(towerv1.Case_DEPARTED)
	case *freightv1.ShipmentDelivered:
		reach(towerv1.Case_DELIVERED)
	case *freightv1.ProofOfDeliveryReceived:
		reach(towerv1.Case_PROVEN)
	case *billingv1.BillingAuthorized:
		rec.Authorized = with(rec.Authorized, m.GetBillingAuthorization().GetShipment())
	case *billingv1.InvoiceIssued:
		if !slices.Contains(rec.Invoiced, m.GetInvoice().GetShipment()) {
			c.InvoicedTotal = explain.Sum(c.InvoicedTotal, m.GetInvoice().GetTotal())
		}
		rec.Invoiced = with(rec.Invoiced, m.GetInvoice().GetShipment())
		c.InvoiceNumber = m.GetInvoice().GetNumber()
		reach(towerv1.Case_INVOICED)
	case *workflowv1.ProcessAdvanced:
		c.WaitsFor, c.WaitsUntil = m.GetProcess().GetWaitsFor(), m.GetProcess().GetWaitsUntil()
	case *workflowv1.ProcessEnded:
		rec.Ended = with(rec.Ended, m.GetProcess().GetOrderRelease())
		if len(rec.Ended) == len(rec.Releases) {
			c.WaitsFor, c.WaitsUntil = "", nil
			reach(towerv1.Case_SETTLED)
		}
	case *workflowv1.WorkItemOpened:
		rec.OpenWorkItems = with(rec.OpenWorkItems, m.GetWorkItem().GetName())
	case *workflowv1.WorkItemClosed:
		rec.OpenWorkItems = slices.DeleteFunc(rec.OpenWorkItems, func(n string) bool { return n == m.GetWorkItem().GetName() })
	}
	c.OpenWorkItems = int32(len(rec.OpenWorkItems))
}

// owe sets what the order has to bear of a load, instead of what was told of the load before.
func owe(rec *storagev1.Case, load *freightv1.Load) {
	shipments := map[string]bool{}
	for _, ref := range rec.GetCase().GetReferences() {
		shipments[ref.GetValue()] = ref.GetKind() == "shipment"
	}
	cost := &storagev1.LoadCost{Load: load.GetName(), Amount: explain.Borne(load.GetCharges(), shipments)}
	i := slices.IndexFunc(rec.LoadCosts, func(c *storagev1.LoadCost) bool { return c.GetLoad() == cost.GetLoad() })
	if i >= 0 {
		rec.LoadCosts[i] = cost
	} else {
		rec.LoadCosts = append(rec.LoadCosts, cost)
	}
	rec.Case.FreightCost = nil
	for _, c := range rec.LoadCosts {
		rec.Case.FreightCost = explain.Sum(rec.Case.FreightCost, c.GetAmount())
	}
}

func with(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// total is what the lines of an order come to, each line rounded once. A line that is no amount leaves the total out: a
// head without a figure is better than one with a wrong one.
func total(o *ordersv1.Order) *googlemoney.Money {
	amounts := make([]money.Amount, 0, len(o.GetLines()))
	for _, l := range o.GetLines() {
		quantity, err1 := decimal.Parse(l.GetQuantity().GetValue())
		price, err2 := decimal.Parse(l.GetUnitPrice())
		if err1 != nil || err2 != nil {
			return nil
		}
		a, err := money.Round(quantity.Mul(price), o.GetCurrencyCode())
		if err != nil {
			return nil
		}
		amounts = append(amounts, a)
	}
	all, err := money.Sum(o.GetCurrencyCode(), amounts...)
	if err != nil {
		return nil
	}
	return explain.Money(all)
}
