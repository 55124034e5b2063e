package capabilities

import (
	"context"
	"fmt"

	"crossdock.dev/tests/conductor"
)

// dayEnd is when the day that was played ended.
var dayEnd = conductor.End

// s12 is the conclusion.
var s12 = []Capability{
	{ID: "S12.1", What: "a freight audit platform beside the audit of our own", Missing: "bills are audited here; there is no adapter for a platform"},
	{ID: "S12.2", What: "a contract suite over orders, shipments, billing and partners", Missing: "each service tests its own; no suite is named so"},
	{ID: "S12.3", What: "the four golden flows", Check: goldenFlows, Kind: Acts},
	{ID: "S12.4", What: "eight items of resilience, each with a test", Missing: "most have tests; they are not listed with their ids"},
	{ID: "S12.5", What: "the CIO's KPIs", Missing: "there are no KPIs"},
}

// goldenFlows holds the day's counts against what was worked out by hand, and then goes through all four with an order of its own.
func goldenFlows(ctx context.Context, w *World) (e Evidence, err error) {
	summary, err := w.Day.Summarise()
	if err != nil {
		return e, err
	}
	for _, flow := range []string{"order_release_to_freight_planning", "milestone_to_customer_visibility", "pod_to_billing_authorisation", "freight_bill_to_invoice_approval"} {
		want, err := figure(w.Expected.Day, "golden_flows", flow)
		if err := first(err, same(flow, fmt.Sprint(summary.GoldenFlows[flow]), want)); err != nil {
			return e, err
		}
		e.say("the day: %s %d", flow, summary.GoldenFlows[flow])
	}
	j, err := w.place(ctx, pumps)
	if err != nil {
		return e, err
	}
	e.say("release to planning: %s, load %s", j.po, j.load.GetNumber())
	if err := inOrder(ctx, j.accept, j.depart); err != nil {
		return e, err
	}
	answer, err := w.REST(ctx, "parties/"+j.customer, "GET", "/v1/"+j.order.GetName(), "", nil)
	if err := first(err, contains("the customer's order", string(answer), `"IN_TRANSIT"`)); err != nil {
		return e, err
	}
	e.say("milestone to visibility: the customer reads IN_TRANSIT by REST")
	if err := inOrder(ctx, j.deliver, j.prove); err != nil {
		return e, err
	}
	i, err := j.invoice(ctx, pumpsTotal)
	if err != nil {
		return e, err
	}
	e.say("proof to authorisation: %s, invoice %s over %s", bare(i.GetBillingAuthorization()), i.GetNumber(), amount(i.GetTotal()))
	bill, err := j.bill(ctx, pumpsCost, pumpsCostTotal)
	if err != nil {
		return e, err
	}
	e.say("charges to approval: bill %s over %s %s", bill.GetInvoiceNumber(), amount(bill.GetTotal()), bill.GetState())
	return e, same("state of the bill", bill.GetState().String(), "APPROVED")
}
