// Package expect holds a suite that the real purchase order went through against tests/day/expected.json, which was worked out
// by hand before there was any code. It promises to name every difference, and that nothing was made twice. How the suite is
// reached, and that it has come to rest, is its caller's part.
package expect

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// expected is the part of expected.json that one order fills.
type expected struct {
	Orders []struct {
		Order   string              `json:"order"`
		State   map[string]string   `json:"state"`
		Lines   []map[string]string `json:"lines"`
		Invoice map[string]string   `json:"invoice"`
	} `json:"orders"`
	Loads []struct {
		Carrier, State, Shipment, Cost string
		Charges                        map[string]string
	} `json:"loads"`
	Tenders     []struct{ Carrier, Outcome string }      `json:"tenders"`
	FreightBill struct{ State, Amount, Currency string } `json:"freight_bill"`
	WorkItems   []any                                    `json:"work_items"`
	Ledger      []struct {
		Moment string
		Lines  []struct{ Account, Debit, Credit, Currency string }
	} `json:"ledger"`
	TrialBalance map[string]string `json:"trial_balance"`
}

func readExpected(t testing.TB) expected {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(sim.Root(t), "tests", "day", "expected.json"))
	must(t, err)
	var day struct {
		Scenarios []json.RawMessage `json:"scenarios"`
	}
	must(t, json.Unmarshal(raw, &day))
	var e expected
	must(t, json.Unmarshal(day.Scenarios[0], &e))
	if len(e.Orders) != 1 || e.Orders[0].Order != story.PurchaseOrder {
		t.Fatalf("the first scenario is not about %s", story.PurchaseOrder)
	}
	return e
}

// HappyPath compares a suite on which the first scenario, and nothing else, has been played to its end. Closed work items of the given
// reasons do not count.
func HappyPath(t testing.TB, w story.World, names story.Names, closed ...string) {
	t.Helper()
	ctx, want := t.Context(), readExpected(t)
	once(t, w)

	order, err := ordersv1.NewOrderServiceClient(w.Conn("orders")).GetOrder(ctx, &ordersv1.GetOrderRequest{Name: names.Order})
	must(t, err)
	equal(t, "order's states", map[string]string{
		"commercial": order.GetCommercial().String(), "release": order.GetRelease().String(),
		"fulfilment": order.GetFulfilment().String(), "billing": order.GetBilling().String(),
	}, want.Orders[0].State)
	var lines []map[string]string
	for _, line := range order.GetLines() {
		q := line.GetQuantities()
		lines = append(lines, map[string]string{
			"line": line.GetLine(), "item": strings.TrimPrefix(line.GetItem(), "items/"), "price": twoPlaces(line.GetUnitPrice()),
			"ordered": q.GetOrdered(), "released": q.GetReleased(), "unreleased": q.GetUnreleased(), "shipped": q.GetShipped(),
			"cancelled_after_release": q.GetCancelledAfterRelease(), "open": q.GetOpen(), "arrived": q.GetArrived(),
			"accepted": q.GetAccepted(), "short": q.GetShort(), "damaged": q.GetDamaged(), "billed": q.GetBilled(),
		})
	}
	equal(t, "order's lines", lines, want.Orders[0].Lines)

	invoices, err := billingv1.NewBillingServiceClient(w.Conn("billing")).ListInvoices(ctx, &billingv1.ListInvoicesRequest{})
	must(t, err)
	if len(invoices.GetInvoices()) != 1 {
		t.Fatalf("%d invoices, want 1", len(invoices.GetInvoices()))
	}
	invoice := invoices.GetInvoices()[0]
	equal(t, "invoice", map[string]string{
		"state": invoice.GetState().String(), "currency": invoice.GetTotal().GetCurrencyCode(), "goods": story.Decimal(invoice.GetGoodsTotal()),
		"freight": story.Decimal(invoice.GetFreightTotal()), "vat": story.Decimal(invoice.GetTaxTotal()), "total": story.Decimal(invoice.GetTotal()),
	}, want.Orders[0].Invoice)
	equal(t, "invoice number", invoice.GetNumber(), "NLS26-000001")

	freight := freightv1.NewFreightServiceClient(w.Conn("freight"))
	load, err := freight.GetLoad(ctx, &freightv1.GetLoadRequest{Name: names.Load})
	must(t, err)
	shipment, err := freight.GetShipment(ctx, &freightv1.GetShipmentRequest{Name: names.Shipment})
	must(t, err)
	charges := map[string]string{}
	for _, c := range load.GetCharges().GetCharges() {
		charges[c.GetCode()] = story.Decimal(c.GetAmount())
	}
	equal(t, "load's charges", charges, want.Loads[0].Charges)
	equal(t, "load", map[string]string{
		"carrier": strings.TrimPrefix(load.GetCarrier(), "parties/CAR-"), "state": load.GetState().String(),
		"shipment": shipment.GetState().String(), "cost": story.Decimal(load.GetCharges().GetTotal()), "number": load.GetNumber(),
	}, map[string]string{
		"carrier": want.Loads[0].Carrier, "state": want.Loads[0].State, "shipment": want.Loads[0].Shipment, "cost": want.Loads[0].Cost,
		"number": "NL26030001",
	})
	tenders, err := freight.ListTenders(ctx, &freightv1.ListTendersRequest{})
	must(t, err)
	var outcomes []struct{ Carrier, Outcome string }
	for _, tn := range tenders.GetTenders() {
		outcomes = append(outcomes, struct{ Carrier, Outcome string }{tn.GetScac(), tn.GetState().String()})
	}
	equal(t, "tenders", outcomes, want.Tenders)
	if t.Failed() {
		return // what follows would only repeat it
	}
	equal(t, "tender's respond-by", tenders.GetTenders()[0].GetRespondBy().GetTime().AsTime().Format("2006-01-02T15:04Z"), "2026-03-02T16:00Z")

	billing := billingv1.NewBillingServiceClient(w.Conn("billing"))
	bills, err := billing.ListFreightBills(ctx, &billingv1.ListFreightBillsRequest{})
	must(t, err)
	if len(bills.GetFreightBills()) != 1 {
		t.Fatalf("%d freight bills, want 1", len(bills.GetFreightBills()))
	}
	bill := bills.GetFreightBills()[0]
	equal(t, "freight bill", map[string]string{"state": bill.GetState().String(), "amount": story.Decimal(bill.GetTotal()), "currency": bill.GetTotal().GetCurrencyCode()},
		map[string]string{"state": want.FreightBill.State, "amount": want.FreightBill.Amount, "currency": want.FreightBill.Currency})

	entries, err := billing.ListJournalEntries(ctx, &billingv1.ListJournalEntriesRequest{})
	must(t, err)
	var got, wantLedger []string
	for _, e := range entries.GetJournalEntries() {
		for _, l := range e.GetLines() {
			currency := l.GetDebit().GetCurrencyCode() + l.GetCredit().GetCurrencyCode()
			got = append(got, fmt.Sprintf("%s: %s Dr %s Cr %s %s", e.GetMoment(), l.GetAccount(), story.Decimal(l.GetDebit()), story.Decimal(l.GetCredit()), currency[:3]))
		}
	}
	for _, e := range want.Ledger {
		for _, l := range e.Lines {
			wantLedger = append(wantLedger, fmt.Sprintf("%s: %s Dr %s Cr %s %s", e.Moment, l.Account, l.Debit, l.Credit, l.Currency))
		}
	}
	equal(t, "ledger", got, wantLedger)
	balance, err := billing.GetTrialBalance(ctx, &billingv1.GetTrialBalanceRequest{})
	must(t, err)
	balances := map[string]string{}
	for account := range want.TrialBalance {
		balances[account] = "0.00"
	}
	for _, b := range balance.GetBalances() {
		balances[b.GetAccount()] = story.Decimal(b.GetAmount())
	}
	equal(t, "trial balance", balances, want.TrialBalance)

	items, err := workflowv1.NewWorkflowServiceClient(w.Conn("workflow")).ListWorkItems(ctx, &workflowv1.ListWorkItemsRequest{})
	must(t, err)
	left := slices.DeleteFunc(items.GetWorkItems(), func(i *workflowv1.WorkItem) bool {
		return i.GetState() == workflowv1.WorkItem_CLOSED && slices.Contains(closed, i.GetReason())
	})
	if n := len(left); n != len(want.WorkItems) {
		t.Errorf("%d work items, want %d: %v", n, len(want.WorkItems), left)
	}
	process, err := workflowv1.NewWorkflowServiceClient(w.Conn("workflow")).GetProcess(ctx, &workflowv1.GetProcessRequest{Name: names.Process})
	must(t, err)
	equal(t, "process", process.GetState().String(), "ENDED")

	// Every number leads to the same case.
	tower := towerv1.NewTowerServiceClient(w.Conn("tower"))
	for _, ref := range []string{story.PurchaseOrder, names.Order, "NL26030001", "CXB0001001", "NLS26-000001", names.Tender, names.Process, bill.GetName()} {
		resp, err := tower.Explain(ctx, &towerv1.ExplainRequest{Reference: ref})
		if err != nil {
			t.Errorf("explain %s: %v", ref, err)
			continue
		}
		if c := resp.GetThreads()[0].GetCase(); c.GetOrder() != names.Order || c.GetStage() != towerv1.Case_SETTLED {
			t.Errorf("explain %s: %s at %s, want %s at SETTLED", ref, c.GetOrder(), c.GetStage(), names.Order)
		}
	}

	documents(t, w)
}

// once says that one order became one shipment on one load. Invoices and bills are counted where they are compared.
func once(t testing.TB, w story.World) {
	t.Helper()
	ctx := t.Context()
	freight := freightv1.NewFreightServiceClient(w.Conn("freight"))
	orders, err := ordersv1.NewOrderServiceClient(w.Conn("orders")).ListOrders(ctx, &ordersv1.ListOrdersRequest{})
	must(t, err)
	shipments, err := freight.ListShipments(ctx, &freightv1.ListShipmentsRequest{})
	must(t, err)
	loads, err := freight.ListLoads(ctx, &freightv1.ListLoadsRequest{})
	must(t, err)
	equal(t, "orders, shipments, loads", []int{len(orders.GetOrders()), len(shipments.GetShipments()), len(loads.GetLoads())}, []int{1, 1, 1})
}

// documents compares what was sent with what the page prints, but for date, time and control numbers: the answer and the invoice
// to the customer, and the tender to the carrier, which answers by REST and reads it all the same.
func documents(t testing.TB, w story.World) {
	t.Helper()
	files, err := w.Outbox(t.Context())
	must(t, err)
	sent := map[string][]string{}
	for name, content := range files {
		party, _, _ := strings.Cut(name, "/")
		_, set, _ := strings.Cut(string(content), "ST*")
		document := party + " " + set[:min(3, len(set))]
		text := mask(string(content))
		if strings.HasSuffix(document, " 997") && slices.Contains(sent[document], text) {
			continue // a file that was brought again after a kill is answered again
		}
		sent[document] = append(sent[document], text)
	}
	equal(t, "documents sent", sent, map[string][]string{
		"CUS-XYZ 997": {mask(printed997)}, "CUS-XYZ 810": {mask(printed810)}, "CAR-CXBB 204": {mask(printed204)},
	})
}

// mask blanks date, time and our control numbers: ISA09, ISA10, ISA13, GS04 to GS06, GE02 and IEA02; and the line breaks after
// terminators.
func mask(interchange string) string {
	var out []string
	for segment := range strings.SplitSeq(strings.ReplaceAll(interchange, "\n", ""), "~") {
		elements := strings.Split(segment, "*")
		blank := map[string][]int{"ISA": {9, 10, 13}, "GS": {4, 5, 6}, "GE": {2}, "IEA": {2}}[elements[0]]
		for _, i := range blank {
			elements[i] = "#"
		}
		out = append(out, strings.Join(elements, "*"))
	}
	return strings.Join(out, "\n")
}

// twoPlaces writes a price as the page does: "7.5" as "7.50".
func twoPlaces(price string) string {
	whole, fraction, _ := strings.Cut(price, ".")
	return whole + "." + (fraction + "00")[:max(2, len(fraction))]
}

func equal[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
