package capabilities

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/tests/story"
)

// s2 is the breakdowns that must not happen.
var s2 = []Capability{
	{ID: "S2.1", What: "two doors for orders (X12 850 and REST), one kind of order, with its origin", Check: twoDoors, Kind: Acts},
	{ID: "S2.2", What: "planning in a TMS", Missing: "freight plans loads itself; there is no TMS adapter"},
	{ID: "S2.3", What: "the same milestone by EDI and by REST is one milestone (EDIFACT is not read)", Check: twoSources, Kind: Acts},
	{ID: "S2.4", What: "ship confirmations of a WMS", Missing: "no 945 and no warehouse adapter; what was planned counts as shipped"},
	{ID: "S2.5", What: "invoices go to finance and their state comes back (no ERP: to the sub-ledger and by 810)", Check: handedToFinance},
	{ID: "S2.6", What: "a reconciliation run: matched, broken, healed", Missing: "checks find what is broken; no run matches and heals"},
	{ID: "S2.7", What: "a late status is put right with its own time, and somebody was warned (no ERP: the customer's order shows it)", Check: lateStatus, Kind: Acts},
	{ID: "S2.8", What: "no invoice before every condition holds", Check: billingGate, Kind: Acts},
	{ID: "S2.9", What: "why is it in this state, why this amount", Check: whyThis},
	{ID: "S2.10", What: "billed is posted, delivered and not invoiced is listed; a seeded fault is found and named", Check: billedIsPosted, Kind: Disturbs, Programs: true},
	{ID: "S2.11", What: "one case shows its messages, retries, parked messages and work items", Check: caseHealth},
	{ID: "S2.12", What: "an unknown code waits for its map; the line keeps its number from order to invoice", Check: unknownCode, Kind: Acts},
	{ID: "S2.13", What: "a late charge makes a supplemental invoice", Missing: "there are no supplemental invoices and no memos"},
	{ID: "S2.14", What: "clocks from proof to invoice and on disputes, with a list of breaches", Missing: "there are no such clocks"},
	{ID: "S2.15", What: "the same interchange again: recorded, acknowledged, no effect", Check: sentTwice, Kind: Acts},
	{ID: "S2.16", What: "projections with a stamp of freshness, no nightly job", Check: asOf, Kind: Acts},
}

// solon850 is the day's real purchase order with another number, in an interchange with new control numbers.
func (w *World) solon850(po string) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(w.Root, "tests", "day", "x12", "850.edi"))
	if err != nil {
		return nil, err
	}
	w.made++
	control := 100_000_000 + int(w.Serial%800_000_000) + w.made
	text := strings.NewReplacer(story.PurchaseOrder, po, "*000003438*", fmt.Sprintf("*%09d*", control), "*1421", fmt.Sprintf("*%d", control)).Replace(string(raw))
	if i := strings.LastIndex(text, "IEA*"); i >= 0 {
		text = text[:i] + strings.ReplaceAll(text[i:], "000003438", fmt.Sprintf("%09d", control))
	}
	return []byte(text), nil
}

func twoDoors(ctx context.Context, w *World) (e Evidence, err error) {
	at, err := w.opening()
	if err != nil {
		return e, err
	}
	if err := w.until(ctx, at); err != nil {
		return e, err
	}
	filed, called := w.number("CAP"), w.number("CAP")
	content, err := w.solon850(filed)
	if err != nil {
		return e, err
	}
	file := w.number("850") + ".edi"
	in, err := w.drop(ctx, file, content)
	if err != nil {
		return e, err
	}
	byFile, err := w.order(ctx, filed)
	if err != nil {
		return e, fmt.Errorf("%w: the 850 is %v", err, in.GetTransactionSets())
	}
	// The same order in the words of the other door: what the page of the first scenario says of the lines.
	page, err := w.page("01")
	if err != nil {
		return e, err
	}
	lines, _ := page.Fields["orders"].([]any)[0].(map[string]any)["lines"].([]any)
	var body []string
	for _, l := range lines {
		item, err1 := figure(l, "item")
		quantity, err2 := figure(l, "ordered")
		price, err3 := figure(l, "price")
		line, err4 := figure(l, "line")
		if err := first(err1, err2, err3, err4); err != nil {
			return e, err
		}
		body = append(body, fmt.Sprintf(`{"line":%q,"item":"items/%s","quantity":{"value":%q,"unit":"EA"},"unitPrice":%q}`, line, item, quantity, price))
	}
	order := fmt.Sprintf(`{"customerOrderNumber":%q,"shipFrom":"locations/LOC-CMH","shipTo":"locations/LOC-SOLON","lines":[%s]}`, called, strings.Join(body, ","))
	if _, err := w.REST(ctx, "parties/CUS-XYZ", "POST", "/v1/orders", "order-"+called, []byte(order)); err != nil {
		return e, err
	}
	if err := w.settle(ctx); err != nil {
		return e, err
	}
	byCall, err := w.order(ctx, called)
	if err != nil {
		return e, err
	}
	if err := same("order by REST", canonical(byCall), canonical(byFile)); err != nil {
		return e, err
	}
	e.say("%s by 850 and %s by REST are the same: %s", filed, called, canonical(byFile))
	facts, err := w.facts(ctx, "orders", 0)
	if err != nil {
		return e, err
	}
	for _, o := range []*ordersv1.Order{byFile, byCall} {
		for _, f := range about(facts, o.GetName()) {
			if f.GetType() == "OrderCreated" {
				e.say("%s came from %s by %s", o.GetCustomerOrderNumber(), f.head.GetActor(), f.head.GetCause().GetPrincipal())
				if by := f.head.GetCause().GetPrincipal(); strings.HasPrefix(by, "service/edi") != (o == byFile) {
					return e, fmt.Errorf("%s was created by %s", o.GetCustomerOrderNumber(), by)
				}
			}
		}
	}
	set := in.GetTransactionSets()[0]
	e.say("%s of %s, bytes %d to %d of document %.12s", set.GetSet(), bare(in.GetName()), set.GetOffset(), set.GetOffset()+set.GetLength(), in.GetDocumentSha256())
	return e, same("what the 850 became", set.GetResult(), byFile.GetName())
}

// canonical is what two orders that say the same have in common.
func canonical(o *ordersv1.Order) string {
	out := []string{o.GetCustomer(), o.GetLegalEntity(), o.GetShipFrom(), o.GetShipTo(), o.GetMode(), o.GetCurrencyCode(), day(o.GetPromise().GetDeliveryDate()), o.GetCommercial().String()}
	for _, l := range o.GetLines() {
		out = append(out, fmt.Sprintf("%s: %s %s %s at %s", l.GetLine(), l.GetQuantity().GetValue(), l.GetQuantity().GetUnit(), bare(l.GetItem()), plain(l.GetUnitPrice())))
	}
	return strings.Join(out, ", ")
}

// plain is a decimal without zeroes at its end: 7.50 and 7.5 are the same price.
func plain(decimal string) string {
	if strings.Contains(decimal, ".") {
		decimal = strings.TrimRight(strings.TrimRight(decimal, "0"), ".")
	}
	return decimal
}

func day(d *date.Date) string {
	return fmt.Sprintf("%d-%02d-%02d", d.GetYear(), d.GetMonth(), d.GetDay())
}

// statusSegments is a 214 of CXEE about a stop, in the local time of Columbus and Indianapolis.
func (j *journey) statusSegments(code string, stop int, at time.Time) []string {
	city := []string{"", "COLUMBUS*OH", "INDIANAPOLIS*IN"}[stop]
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		zone = time.UTC
	}
	at = at.In(zone)
	return []string{
		"B10*" + j.pro() + "*" + j.load.GetNumber() + "*CXEE", fmt.Sprintf("L11*%d*QN", stop), "LX*1",
		"AT7*" + code + "*NS***" + at.Format("20060102") + "*" + at.Format("150405"), "MS1*" + city + "*USA",
	}
}

func twoSources(ctx context.Context, w *World) (e Evidence, err error) {
	j, err := w.place(ctx, pumps)
	if err != nil {
		return e, err
	}
	if err := inOrder(ctx, j.accept, j.depart); err != nil {
		return e, err
	}
	content, err := w.x12("CXEE", "214", j.statusSegments("AF", 1, j.departure())...)
	if err != nil {
		return e, err
	}
	in, err := w.drop(ctx, w.number("214")+".edi", content)
	if err != nil {
		return e, err
	}
	set := in.GetTransactionSets()[0]
	claims, err := w.freight().ListClaims(ctx, &freightv1.ListClaimsRequest{Parent: j.load.GetName()})
	if err != nil {
		return e, err
	}
	e.say("DEPARTED_PICKUP of %s at %s by REST, then by X12 214 in %s: %s %s", j.load.GetNumber(), shown(j.departure()), bare(in.GetName()), set.GetDisposition(), set.GetReason())
	advanced := 0
	for _, c := range claims.GetClaims() {
		e.say("claim %s from %s, advanced the state: %t", c.GetMilestone(), c.GetSource(), c.GetAdvanced())
		if err := first(same("milestone", c.GetMilestone(), freightv1.Milestone_DEPARTED_PICKUP),
			same("time", c.GetOccurred().GetTime().AsTime(), j.departure())); err != nil {
			return e, err
		}
		if c.GetAdvanced() {
			advanced++
		}
	}
	facts, err := w.facts(ctx, "freight", 0)
	if err != nil {
		return e, err
	}
	departures := 0
	for _, f := range about(facts, j.shipment.GetName()) {
		if f.GetType() == "ShipmentDeparted" {
			departures++
		}
	}
	e.say("both sources are on record: the claim, and the set in %s about %s", bare(in.GetName()), strings.Join(set.GetRelated(), ", "))
	e.say("ShipmentDeparted was told %d time; EDIFACT IFTSTA is not read", departures)
	if !slices.Contains(set.GetRelated(), "load:"+j.load.GetNumber()) {
		return e, fmt.Errorf("the 214 does not lead to load %s", j.load.GetNumber())
	}
	return e, first(same("times that the departure was told", departures, 1), same("claims that advanced the state", advanced, 1))
}

// handedToFinance holds each invoice against the entry that posts it, and our 810s against the customers' answers.
func handedToFinance(ctx context.Context, w *World) (e Evidence, err error) {
	posted := map[string]string{} // document to amount
	for _, entry := range w.Day.Entries {
		if entry.GetMoment() != "invoice issued" {
			continue
		}
		if posted[entry.GetDocument()] != "" {
			return e, fmt.Errorf("%s is posted twice", entry.GetDocument())
		}
		for _, l := range entry.GetLines() {
			if l.GetAccount() == "1100" {
				posted[entry.GetDocument()] = amount(l.GetDebit())
			}
		}
	}
	for _, i := range w.Day.Invoices {
		if err := same("receivable of "+i.GetNumber(), posted[i.GetName()], amount(i.GetTotal())); err != nil {
			return e, err
		}
	}
	for _, currency := range []string{"USD", "EUR"} {
		want, err1 := figure(w.Expected.Day, "invoices", "ISSUED", currency, "amount")
		count, err2 := figure(w.Expected.Day, "invoices", "ISSUED", currency, "count")
		var all []*money.Money
		for _, i := range w.Day.Invoices {
			if i.GetTotal().GetCurrencyCode() == currency {
				all = append(all, i.GetTotal())
			}
		}
		got, err3 := sum(all...)
		if err := first(err1, err2, err3, same("invoices in "+currency, got, want+" "+currency), same("number of them", fmt.Sprint(len(all)), count)); err != nil {
			return e, err
		}
		e.say("%d invoices over %s, each posted once to account 1100 under its name", len(all), got)
	}
	answered := 0
	for _, i := range w.Day.Interchanges {
		for _, s := range i.GetTransactionSets() {
			if s.GetSet() == "810" && i.GetDirection() == ediv1.Interchange_OUTBOUND {
				answered++
				e.say("810 to %s as %s: the customer's 997 says %s", bare(i.GetParty()), bare(i.GetName()), i.GetAcknowledgementCode())
				if err := same("answer to "+i.GetName(), i.GetAcknowledgementCode(), "A"); err != nil {
					return e, err
				}
			}
		}
	}
	xyz, err1 := figure(w.Expected.Day, "sent", "CUS-XYZ", "810")
	snx, err2 := figure(w.Expected.Day, "sent", "CUS-SNX", "810")
	e.say("there is no ERP: the sub-ledger is where finance ends")
	return e, first(err1, err2, same("810s sent", fmt.Sprint(answered), fmt.Sprint(int(xyz[0]-'0')+int(snx[0]-'0'))))
}

// lateStatus lets the goods arrive in time and the message six hours later.
func lateStatus(ctx context.Context, w *World) (e Evidence, err error) {
	j, err := w.place(ctx, panels)
	if err != nil {
		return e, err
	}
	if err := inOrder(ctx, j.accept, j.depart); err != nil {
		return e, err
	}
	late := 6 * time.Hour
	if err := w.until(ctx, j.delivery().Add(late)); err != nil {
		return e, err
	}
	seen, err := w.order(ctx, j.po)
	if err := first(err, same("fulfilment before the message", seen.GetFulfilment(), ordersv1.Order_IN_TRANSIT)); err != nil {
		return e, err
	}
	facts, err := w.facts(ctx, "freight", 0)
	if err != nil {
		return e, err
	}
	warned := 0
	for _, m := range ofType[*freightv1.EtaChanged](about(facts, j.shipment.GetName())) {
		if slices.Contains(m.GetReasons(), "FEED_SILENT") {
			warned++
			e.say("warned: the estimate's confidence fell to %s, %s", m.GetConfidence(), strings.Join(m.GetReasons(), " and "))
		}
	}
	e.say("%s is %s for its customer at %s, %s after it was delivered", j.po, seen.GetFulfilment(), shown(w.Now()), late)
	if err := j.report(ctx, "DELIVERED", 2, j.delivery(), w.Now()); err != nil {
		return e, err
	}
	if err := j.read(ctx); err != nil {
		return e, err
	}
	if warned == 0 {
		return e, fmt.Errorf("nobody was warned while nothing was heard of %s", j.po)
	}
	if err := first(same("state of the shipment", j.shipment.GetState(), freightv1.Shipment_DELIVERED),
		same("time of delivery", j.shipment.GetDelivered().GetTime().AsTime(), j.delivery())); err != nil {
		return e, err
	}
	answer, err := w.REST(ctx, "parties/"+j.customer, "GET", "/v1/"+j.shipment.GetName(), "", nil)
	if err != nil {
		return e, err
	}
	if want := j.delivery().Format(time.RFC3339); !strings.Contains(string(answer), want) {
		return e, fmt.Errorf("the customer does not read the delivery at %s by REST: %s", want, answer)
	}
	e.say("told at %s: delivered at %s, in freight and in the customer's answer by REST", shown(w.Now()), shown(j.delivery()))
	// The case goes on to its end.
	if err := j.proveNow(ctx); err != nil {
		return e, err
	}
	i, err := j.invoice(ctx, "17280.00 USD")
	e.say("proven and invoiced: %s over %s", i.GetNumber(), amount(i.GetTotal()))
	return e, err
}

// billingGate asks for an authorisation at each step before the last condition holds.
func billingGate(ctx context.Context, w *World) (e Evidence, err error) {
	j, err := w.place(ctx, pumps)
	if err != nil {
		return e, err
	}
	ask := func(key string) (*billingv1.BillingAuthorization, error) {
		return w.billing().AuthorizeBilling(ctx, &billingv1.AuthorizeBillingRequest{
			Shipment: j.shipment.GetName(), OrderRelease: j.shipment.GetOrderRelease(), RequestId: "early-" + key + "-" + j.po,
		})
	}
	refusal := func(when string, unmet ...string) error {
		_, err := ask(when)
		r := rpcerr.From(err)
		if err == nil || status.Code(err) != codes.FailedPrecondition || r.Reason != billingv1.Reason_NOT_BILLABLE.String() {
			return fmt.Errorf("%s: want a refusal as NOT_BILLABLE, got %v", when, err)
		}
		for _, condition := range unmet {
			if r.Metadata[condition] == "" {
				return fmt.Errorf("%s: the refusal does not name %s: %v", when, condition, r.Metadata)
			}
			e.say("%s: refused, %s: %s: %s", when, r.Reason, condition, r.Metadata[condition])
		}
		e.say("%s: all that is unmet: %s", when, r.Metadata["unmet"])
		invoices, err := j.invoices(ctx)
		return first(err, same("invoices "+when, len(invoices), 0))
	}
	if err := inOrder(ctx, j.accept, j.depart); err != nil {
		return e, err
	}
	if err := first(refusal("on the way", "delivered", "proof_of_delivery"), j.deliver(ctx)); err != nil {
		return e, err
	}
	if err := first(refusal("delivered", "proof_of_delivery"), j.prove(ctx)); err != nil {
		return e, err
	}
	i, err := j.invoice(ctx, pumpsTotal)
	if err != nil {
		return e, err
	}
	e.say("proven at %s: invoice %s over %s", shown(w.Now()), i.GetNumber(), amount(i.GetTotal()))
	return e, nil
}

// whyThis follows an amount to its tariff, quantities and proof, and a state to the message that made it.
func whyThis(ctx context.Context, w *World) (e Evidence, err error) {
	order, err := w.order(ctx, story.PurchaseOrder)
	if err != nil {
		return e, err
	}
	i := slices.IndexFunc(w.Day.Invoices, func(i *billingv1.Invoice) bool { return i.GetOrder() == order.GetName() })
	if i < 0 {
		return e, fmt.Errorf("no invoice of %s", story.PurchaseOrder)
	}
	invoice, err := w.billing().GetInvoice(ctx, &billingv1.GetInvoiceRequest{Name: w.Day.Invoices[i].GetName()})
	if err != nil {
		return e, err
	}
	leaves, proofs, tariffs := 0, 0, 0
	var walk func(x *typev1.Explanation)
	walk = func(x *typev1.Explanation) {
		if len(x.GetChildren()) == 0 {
			leaves++
		}
		if strings.HasPrefix(x.GetSource(), "proofsOfDelivery/") {
			proofs++
		}
		if strings.Contains(x.GetSource(), "contracts/CUS-XYZ") {
			tariffs++
		}
		for _, c := range x.GetChildren() {
			walk(c)
		}
	}
	walk(invoice.GetExplanation())
	if proofs < len(invoice.GetLines()) || tariffs == 0 {
		return e, fmt.Errorf("%d lines are explained by %d quantities of a proof and %d rows of a contract", len(invoice.GetLines()), proofs, tariffs)
	}
	e.say("%s over %s: %d figures below it, %d from the proof of delivery, %d from the contract", invoice.GetNumber(), amount(invoice.GetTotal()), leaves, proofs, tariffs)
	for _, x := range invoice.GetExplanation().GetChildren() {
		e.say("%s: %s (%s) [%s]", x.GetLabel(), x.GetValue(), x.GetRule(), x.GetSource())
	}
	// 3156 lb is the weight that was worked out on page 01: 31.56 cwt at 14.50 is 457.62, and 12 % of that 54.91.
	text := invoice.GetExplanation().String()
	for _, want := range []string{"3156 LBR", "457.62 USD", "54.91 USD"} {
		if !strings.Contains(text, want) {
			return e, fmt.Errorf("the explanation does not tell %s", want)
		}
	}
	t, err := w.thread(ctx, invoice.GetNumber())
	if err != nil {
		return e, err
	}
	for _, s := range t.GetSteps() {
		if s.GetType() == "ShipmentDelivered" || s.GetType() == "BillingAuthorized" {
			e.say("%s because of %s, by %s, as %s/%d: %s", s.GetType(), s.GetCause(), s.GetActor(), s.GetPosition().GetLog(), s.GetPosition().GetSequence(), s.GetSummary())
		}
		if s.GetCause() == "" || s.GetActor() == "" {
			return e, fmt.Errorf("%s has no cause or actor", s.GetType())
		}
	}
	if w.Programs == nil {
		return e, nil
	}
	out, code, err := w.Programs.cli(ctx, "invoices", "get", invoice.GetNumber())
	if err := first(err, same("exit status of crossdock invoices get", code, 0)); err != nil {
		return e, err
	}
	if !strings.Contains(out, "Accepted quantity: 120 EA [proofsOfDelivery/") {
		return e, fmt.Errorf("crossdock invoices get does not tell where line 1 comes from")
	}
	e.say("the same on a terminal: crossdock invoices get %s, crossdock explain %s", invoice.GetNumber(), invoice.GetNumber())
	return e, nil
}

func billedIsPosted(ctx context.Context, w *World) (e Evidence, err error) {
	for _, currency := range []string{"USD", "EUR"} {
		var billed, revenue []*money.Money
		for _, i := range w.Day.Invoices {
			if i.GetTotal().GetCurrencyCode() == currency {
				billed = append(billed, i.GetGoodsTotal(), i.GetFreightTotal())
			}
		}
		for _, b := range w.Day.Balances {
			if b.GetAmount().GetCurrencyCode() == currency && strings.HasPrefix(b.GetAccount(), "4") {
				revenue = append(revenue, &money.Money{CurrencyCode: currency, Units: -b.GetAmount().GetUnits(), Nanos: -b.GetAmount().GetNanos()})
			}
		}
		net, err1 := sum(billed...)
		posted, err2 := sum(revenue...)
		if err := first(err1, err2, same("revenue in the ledger", posted, net)); err != nil {
			return e, err
		}
		e.say("billed before tax %s, revenue in accounts 4000 and 4100 %s", net, posted)
	}
	listed := 0
	for _, s := range w.Day.Shipments {
		if s.GetState() == freightv1.Shipment_DELIVERED && !slices.ContainsFunc(w.Day.Invoices, func(i *billingv1.Invoice) bool { return i.GetShipment() == s.GetName() }) {
			listed++
			e.say("delivered and not invoiced: %s", s.GetCustomerOrderNumber())
		}
	}
	seen, err := w.overview().GetOverview(ctx, &towerv1.GetOverviewRequest{})
	if err := first(err, same("delivered and not invoiced", listed, 0), same("the same in the overview", int(seen.GetUninvoiced()), 0)); err != nil {
		return e, err
	}
	out, code, err := w.Programs.cli(ctx, "verify")
	if err := first(err, same("exit status of crossdock verify, "+out, code, 0)); err != nil {
		return e, err
	}
	e.say("crossdock verify: every store is whole")
	return e, faultIsFound(ctx, w, &e)
}

// faultIsFound changes the number of an invoice in a copy of billing's store, behind the service's back.
func faultIsFound(ctx context.Context, w *World, e *Evidence) (err error) {
	dir, err := os.MkdirTemp("", "fault")
	if err != nil {
		return err
	}
	defer func() { err = first(err, os.RemoveAll(dir)) }()
	if err := w.Programs.hold(ctx, "billing"); err != nil {
		return err
	}
	own := filepath.Join(w.Programs.Dir, "data", "billing")
	store, err1 := os.ReadFile(filepath.Join(own, "billing.db"))
	if err := first(err1, w.Programs.free("billing"), w.answers(ctx, "billing"), w.settle(ctx)); err != nil {
		return err
	}
	config, err := os.ReadFile(w.Programs.addrs["billing"].Config)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "billing.yaml")
	if err := os.WriteFile(file, bytes.ReplaceAll(config, []byte(own), []byte(dir)), 0o600); err != nil {
		return err
	}
	verify := func(store []byte) (string, int, error) {
		if err := os.WriteFile(filepath.Join(dir, "billing.db"), store, 0o600); err != nil {
			return "", 0, err
		}
		return run(ctx, dir, filepath.Join(w.Programs.Bin, "billing"), "-config", file, "verify")
	}
	out, code, err := verify(store)
	if err := first(err, same("exit status for a copy of billing's store, "+out, code, 0)); err != nil {
		return err
	}
	invoice := w.Day.Invoices[0]
	number := invoice.GetNumber()
	changed := bytes.ReplaceAll(store, []byte(number), []byte(number[:len(number)-6]+"9"+number[len(number)-5:]))
	if bytes.Equal(changed, store) {
		return fmt.Errorf("no %s in billing's store", number)
	}
	if out, code, err = verify(changed); err != nil {
		return err
	}
	if code == 0 {
		return fmt.Errorf("the number %s was changed in the store, and nothing is found", number)
	}
	// Keys are told in hexadecimal.
	if err := contains("what is found", out, fmt.Sprintf("%x", invoice.GetName())); err != nil {
		return err
	}
	e.say("%s changed in a copy of billing's store: exit status %d, %s is named: %s", number, code, invoice.GetName(), strings.Split(out, "\n")[0])
	return nil
}

// caseHealth reads the case of page 10: a message that was parked, mapped and tried again.
func caseHealth(ctx context.Context, w *World) (e Evidence, err error) {
	t, err := w.thread(ctx, "HH-1010")
	if err != nil {
		return e, err
	}
	counts := map[string]int{}
	for _, s := range t.GetSteps() {
		counts[s.GetType()]++
		switch s.GetType() {
		case "MessageParked", "WorkItemOpened", "WorkItemClosed":
			e.say("%s at %s: %s", s.GetType(), shown(s.GetApplyTime().AsTime()), s.GetSummary())
		}
	}
	e.say("messages: %d received, %d applied, %d parked, %d sent, %d acknowledged", counts["MessageReceived"], counts["MessageApplied"], counts["MessageParked"], counts["MessageSent"], counts["MessageAcknowledged"])
	page, err := w.page("10")
	if err != nil {
		return e, err
	}
	applied := 0
	for _, set := range []string{"990", "214", "210"} {
		n, err := figure(page.Fields, "messages", "CXCC", set, "applied")
		if err != nil {
			return e, err
		}
		applied += int(n[0] - '0')
	}
	// Each 990, 214 and 210 came in once, and so did the 997 for our 204; the one that was parked was applied when it was tried again.
	return e, first(same("messages applied", counts["MessageApplied"], applied), same("messages received", counts["MessageReceived"], applied+1),
		same("messages parked", counts["MessageParked"], 1), same("work items opened", counts["WorkItemOpened"], 1), same("work items closed", counts["WorkItemClosed"], 1))
}

// unknownCode has a carrier send a code that no map knows, approves a map for it, and follows line 10 to the invoice.
func unknownCode(ctx context.Context, w *World) (e Evidence, err error) {
	j, err := w.place(ctx, pumps)
	if err != nil {
		return e, err
	}
	if err := first(j.accept(ctx), w.until(ctx, j.departure().Add(-time.Hour))); err != nil {
		return e, err
	}
	code := "Z" + string(rune('A'+w.Serial%26)) // each run on the same data has another
	content, err := w.x12("CXEE", "214", j.statusSegments(code, 1, w.Now().Add(-10*time.Minute))...)
	if err != nil {
		return e, err
	}
	file := w.number("214") + ".edi"
	in, err := w.drop(ctx, file, content)
	if err != nil {
		return e, err
	}
	set := in.GetTransactionSets()[0]
	if err := same("disposition of the 214 with "+code, set.GetDisposition(), ediv1.Interchange_TransactionSet_PARKED); err != nil {
		return e, err
	}
	items, err := w.itemsAbout(ctx, in.GetName())
	if err := first(err, same("work items", len(items), 1)); err != nil {
		return e, err
	}
	e.say("214 with %s in %s: PARKED, %s", code, bare(in.GetName()), set.GetReason())
	e.say("%s: %s for %s, %s", bare(items[0].GetName()), items[0].GetReason(), items[0].GetOwner(), items[0].GetState())
	if err := first(same("reason", items[0].GetReason(), "STATUS_CODE_UNKNOWN"), same("owner", items[0].GetOwner(), "integration")); err != nil {
		return e, err
	}
	name := "codeMaps/x12-214-CXEE-" + code
	now := w.Now()
	_, err = w.masterdata().UpdateCodeMap(ctx, &masterdatav1.UpdateCodeMapRequest{AllowMissing: true, RequestId: "map-" + j.po, CodeMap: &masterdatav1.CodeMap{
		Name: name, Party: "parties/CAR-CXEE", List: "x12/1650", Code: code, Canonical: "LOADED", Evidence: "the carrier told us",
		ValidFrom: &date.Date{Year: int32(now.Year()), Month: 1, Day: 1},
	}})
	if err != nil {
		return e, err
	}
	if _, err := w.masterdata().ApproveCodeMap(ctx, &masterdatav1.ApproveCodeMapRequest{Name: name, RequestId: "approve-" + j.po}); err != nil {
		return e, err
	}
	if err := w.settle(ctx); err != nil {
		return e, err
	}
	if in, err = w.interchange(ctx, file); err != nil {
		return e, err
	}
	item, err := w.workflow().GetWorkItem(ctx, &workflowv1.GetWorkItemRequest{Name: items[0].GetName()})
	if err != nil {
		return e, err
	}
	e.say("%s approved: the 214 is %s, the work item %s", name, in.GetTransactionSets()[0].GetDisposition(), item.GetState())
	if err := first(same("disposition after the map", in.GetTransactionSets()[0].GetDisposition(), ediv1.Interchange_TransactionSet_APPLIED),
		same("work item after the map", item.GetState(), workflowv1.WorkItem_CLOSED)); err != nil {
		return e, err
	}
	if err := inOrder(ctx, j.depart, j.deliver, j.prove); err != nil {
		return e, err
	}
	i, err := j.invoice(ctx, pumpsTotal)
	if err != nil {
		return e, err
	}
	release, err := w.orders().GetOrderRelease(ctx, &ordersv1.GetOrderReleaseRequest{Name: j.shipment.GetOrderRelease()})
	if err != nil {
		return e, err
	}
	lines := []string{j.order.GetLines()[0].GetLine(), release.GetLines()[0].GetLine(), j.shipment.GetLines()[0].GetLine(), i.GetLines()[0].GetLine()}
	e.say("line of order, release, shipment and invoice %s: %s", i.GetNumber(), strings.Join(lines, ", "))
	return e, same("lines", strings.Join(lines, " "), "10 10 10 10")
}

// sentTwice brings the same bytes of a 214 and a 210 again.
func sentTwice(ctx context.Context, w *World) (e Evidence, err error) {
	j, err := w.place(ctx, pumps)
	if err != nil {
		return e, err
	}
	if err := first(j.accept(ctx), w.until(ctx, j.departure())); err != nil {
		return e, err
	}
	once := func(set string, body ...string) ([]byte, error) {
		content, err := w.x12("CXEE", set, body...)
		if err != nil {
			return nil, err
		}
		in, err := w.drop(ctx, w.number(set)+".edi", content)
		if err != nil {
			return nil, err
		}
		e.say("%s in %s: %s", set, bare(in.GetName()), in.GetTransactionSets()[0].GetDisposition())
		return content, same("disposition of the "+set, in.GetTransactionSets()[0].GetDisposition(), ediv1.Interchange_TransactionSet_APPLIED)
	}
	again := func(set, owner string, content []byte) error {
		before, err1 := w.end(ctx, owner)
		acks, err2 := w.acks(ctx)
		in, err3 := w.drop(ctx, w.number(set)+"-again.edi", content)
		after, err4 := w.end(ctx, owner)
		now, err5 := w.acks(ctx)
		if err := first(err1, err2, err3, err4, err5); err != nil {
			return err
		}
		e.say("the same bytes again as %s: %s, %s; 997s sent to CXEE: %d, then %d; %s's log ends at %d, then %d", bare(in.GetName()), in.GetDisposition(),
			in.GetTransactionSets()[0].GetDisposition(), acks, now, owner, before, after)
		return first(same("disposition of the interchange", in.GetDisposition(), ediv1.Interchange_REPLAYED), same("997s", now, acks+1), same("end of the log of "+owner, after, before))
	}
	content, err := once("214", j.statusSegments("AF", 1, j.departure())...)
	if err != nil {
		return e, err
	}
	if err := again("214", "freight", content); err != nil {
		return e, err
	}
	if err := inOrder(ctx, j.deliver, j.prove); err != nil {
		return e, err
	}
	bill := []string{
		"B3**" + "D" + strings.ReplaceAll(j.po, "-", "") + "*" + j.load.GetNumber() + "*PP**" + w.Now().Format("20060102") + "*18205****CXEE", "C3*USD",
		"N9*BM*" + j.load.GetNumber(), "N9*CN*" + j.pro(), "LX*1", "L5*1*CIRCULATION PUMPS", "L0*1***800*G***20*CTN", "L1*1***31000****LHS",
		"LX*2", "L1*2***-17050****DSC", "LX*3", "L1*3***4255****FUE", "L3*800*G***18205******20",
	}
	content, err = once("210", bill...)
	if err != nil {
		return e, err
	}
	if err := again("210", "billing", content); err != nil {
		return e, err
	}
	bills, err := w.billing().ListFreightBills(ctx, &billingv1.ListFreightBillsRequest{LoadNumber: j.load.GetNumber()})
	if err := first(err, same("bills of the load", len(bills.GetFreightBills()), 1)); err != nil {
		return e, err
	}
	b := bills.GetFreightBills()[0]
	e.say("one bill, %s over %s: %s", b.GetInvoiceNumber(), amount(b.GetTotal()), b.GetState())
	return e, same("state of the bill", b.GetState(), billingv1.FreightBill_APPROVED)
}

// asOf looks at the projections right after an order came in: nobody ran a job.
func asOf(ctx context.Context, w *World) (e Evidence, err error) {
	before, err := w.overview().GetOverview(ctx, &towerv1.GetOverviewRequest{})
	if err != nil {
		return e, err
	}
	j, err := w.place(ctx, pumps)
	if err != nil {
		return e, err
	}
	after, err := w.overview().GetOverview(ctx, &towerv1.GetOverviewRequest{})
	if err != nil {
		return e, err
	}
	e.say("overview as of %s: %d cases; as of %s, with %s just ordered: %d", shown(before.GetAsOfTime().AsTime()), before.GetCases(),
		shown(after.GetAsOfTime().AsTime()), j.po, after.GetCases())
	if err := first(same("cases", after.GetCases(), before.GetCases()+1), same("stamp", after.GetAsOfTime().AsTime(), w.Now())); err != nil {
		return e, err
	}
	consumers, err := w.log("tower").ListConsumers(ctx, &eventlogv1.ListConsumersRequest{})
	if err != nil {
		return e, err
	}
	for _, c := range consumers.GetConsumers() {
		end, err := w.end(ctx, c.GetLog())
		if err != nil {
			return e, err
		}
		e.say("tower has read %s to %d of %d: %d behind", c.GetLog(), c.GetCursor().GetSequence(), end, end-c.GetCursor().GetSequence())
		if err := same("end of "+c.GetLog()+" as tower has read it", c.GetCursor().GetSequence(), end); err != nil {
			return e, err
		}
	}
	if len(consumers.GetConsumers()) < 5 {
		return e, fmt.Errorf("tower follows %d logs", len(consumers.GetConsumers()))
	}
	if w.Programs == nil {
		return e, nil
	}
	out, _, err := w.Programs.cli(ctx, "status", "-o", "json") // its exit status tells of problems, such as a full disk
	var status struct {
		BusinessTime time.Time `json:"business_time"`
		Services     []struct {
			Service   string
			Consumers []struct {
				Log    string
				Behind uint64
			}
		}
	}
	if err == nil {
		err = json.NewDecoder(strings.NewReader(out)).Decode(&status)
	}
	if err := first(err, same("business time of crossdock status", status.BusinessTime.UTC(), w.Now().UTC())); err != nil {
		return e, err
	}
	lags := 0
	for _, s := range status.Services {
		for _, c := range s.Consumers {
			lags++
			if c.Behind != 0 {
				return e, fmt.Errorf("crossdock status: %s is %d entries behind %s", s.Service, c.Behind, c.Log)
			}
		}
	}
	e.say("crossdock status as of %s: %d readers of logs with their lag, none behind", shown(status.BusinessTime), lags)
	return e, nil
}

// acks is how many files with a 997 went to CXEE.
func (w *World) acks(ctx context.Context) (int, error) {
	files, err := w.Outbox(ctx)
	n := 0
	for name, content := range files {
		if strings.HasPrefix(name, "CAR-CXEE/") && strings.Contains(string(content), "ST*997*") {
			n++
		}
	}
	return n, err
}
