package capabilities

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/tests/outcome"
	"crossdock.dev/tests/story"
)

// s1 is coordination of orders, freight and invoices.
var s1 = []Capability{
	{ID: "S1.1", What: "any id or number leads to one case", Check: oneCase},
	{ID: "S1.2", What: "three times of every milestone, and each carrier's lag", Check: threeTimes},
	{ID: "S1.3", What: "entered once, known everywhere (by REST; there is no ERP adapter)", Check: enteredOnce, Kind: Acts},
	{ID: "S1.4", What: "dispute of an invoice line, with a credit memo", Missing: "only carriers' bills can be disputed, and there are no memos"},
	{ID: "S1.5", What: "one definition of each KPI, the same on page, API and export", Missing: "there are no KPIs"},
	{ID: "S1.6", What: "the funnel from order to cash, with age and what is stuck (to the approved bill: there are no payments)", Check: funnel},
	{ID: "S1.7", What: "orders, milestones, charges, proofs and invoices: changed at the owner, the same everywhere", Check: copiesConverge, Kind: Acts},
	{ID: "S1.8", What: "a killed orchestrator goes on, and the case ends once", Check: orchestratorKilled, Kind: Disturbs, Programs: true},
	{ID: "S1.9", What: "one command lists every API, event, adapter, owner and policy", Missing: "the contracts hold all of it; no command lists it"},
	{ID: "S1.10", What: "another ERP without another process", Missing: "there is no ERP adapter"},
}

// oneCase looks a settled order up by every number that the services and partners know it by.
func oneCase(ctx context.Context, w *World) (e Evidence, err error) {
	for _, po := range []string{story.PurchaseOrder, "HH-1008"} {
		order, err := w.order(ctx, po)
		if err != nil {
			return e, err
		}
		refs := []string{po, order.GetName(), bare(order.GetName())}
		for _, s := range w.Day.Shipments {
			if s.GetOrder() != order.GetName() {
				continue
			}
			load, err := w.freight().GetLoad(ctx, &freightv1.GetLoadRequest{Name: s.GetLoad()})
			if err != nil {
				return e, err
			}
			refs = append(refs, s.GetName(), load.GetName(), load.GetNumber(), load.GetCarrierReference(), load.GetTender())
			for _, b := range w.Day.FreightBills {
				if b.GetLoad() == load.GetName() && b.GetState() == billingv1.FreightBill_APPROVED {
					refs = append(refs, b.GetName(), b.GetInvoiceNumber())
				}
			}
		}
		for _, i := range w.Day.Invoices {
			if i.GetOrder() == order.GetName() {
				refs = append(refs, i.GetName(), i.GetNumber())
			}
		}
		for _, i := range w.Day.Interchanges {
			for _, s := range i.GetTransactionSets() {
				if s.GetSet() == "210" && slices.Contains(s.GetRelated(), order.GetName()) && s.GetDisposition() == ediv1.Interchange_TransactionSet_APPLIED {
					refs = append(refs, i.GetName())
				}
			}
		}
		if len(refs) < 12 {
			return e, fmt.Errorf("only %d references of order %s: %q", len(refs), po, refs)
		}
		for _, ref := range refs {
			t, err := w.thread(ctx, ref)
			if err != nil {
				return e, err
			}
			if err := same("order that "+ref+" leads to", t.GetCase().GetOrder(), order.GetName()); err != nil {
				return e, err
			}
			if w.Programs == nil {
				continue
			}
			status, _, to, err := w.Programs.page(ctx, "/find?q="+url.QueryEscape(ref))
			if err := first(err, same("status of the page for "+ref, status, http.StatusSeeOther), same("case of "+ref, bare(to), bare(order.GetName()))); err != nil {
				return e, err
			}
		}
		e.say("%s: %d references lead to cases/%s: %s", po, len(refs), bare(order.GetName()), strings.Join(refs, " · "))
	}
	e.say("there is no ERP: the order's own name stands for its number there")
	return e, nil
}

// lag is what one carrier's messages are behind.
type lag struct {
	n   int
	max time.Duration
	sum time.Duration
}

// threeTimes compares the times in the cases with the claims as freight keeps them.
func threeTimes(ctx context.Context, w *World) (e Evidence, err error) {
	lags := map[string]lag{}
	for _, load := range w.Day.Loads {
		claims, err := w.freight().ListClaims(ctx, &freightv1.ListClaimsRequest{Parent: load.GetName(), PageSize: 500})
		if err != nil {
			return e, err
		}
		if len(claims.GetClaims()) == 0 {
			continue
		}
		found, err := w.tower().Explain(ctx, &towerv1.ExplainRequest{Reference: load.GetNumber()})
		if err != nil {
			return e, err
		}
		for _, c := range claims.GetClaims() {
			occurred, received := c.GetOccurred().GetTime().AsTime(), c.GetReceiveTime().AsTime()
			i := slices.IndexFunc(found.GetThreads()[0].GetSteps(), func(s *towerv1.Step) bool {
				return s.GetType() == "MilestoneRecorded" && s.GetOccurTime().AsTime().Equal(occurred) && s.GetReceiveTime().AsTime().Equal(received)
			})
			if i < 0 {
				return e, fmt.Errorf("load %s: no step with %s at %s heard at %s", load.GetNumber(), c.GetMilestone(), occurred, received)
			}
			if applied := found.GetThreads()[0].GetSteps()[i].GetApplyTime().AsTime(); applied.Before(received) {
				return e, fmt.Errorf("%s of load %s was applied at %s, before it was heard of at %s", c.GetMilestone(), load.GetNumber(), applied, received)
			}
			l := lags[load.GetCarrier()]
			l.n, l.sum, l.max = l.n+1, l.sum+received.Sub(occurred), max(l.max, received.Sub(occurred))
			lags[load.GetCarrier()] = l
		}
	}
	// The page's figures are what freight's claims say.
	overview, err := w.overview().GetOverview(ctx, &towerv1.GetOverviewRequest{})
	if err != nil {
		return e, err
	}
	drawn := map[string]string{}
	for _, l := range overview.GetLags() {
		drawn[l.GetCarrier()] = fmt.Sprint(l.GetMilestones(), " milestones, longest ", l.GetLongest().AsDuration())
	}
	for _, carrier := range slices.Sorted(maps.Keys(lags)) {
		l := lags[carrier]
		if err := same("lag of "+carrier+" on the page", drawn[carrier], fmt.Sprint(l.n, " milestones, longest ", l.max)); err != nil {
			return e, err
		}
		e.say("%s: %d milestones, heard of %s after they happened on average, %s at most", bare(carrier), l.n, (l.sum / time.Duration(l.n)).Round(time.Minute), l.max)
	}
	// Page 09: the departure of PC-1009 happened at 01:15Z and was told at 14:45Z.
	return e, same("longest lag of CXAA", lags["parties/CAR-CXAA"].max, 13*time.Hour+30*time.Minute)
}

func enteredOnce(ctx context.Context, w *World) (e Evidence, err error) {
	j, err := w.place(ctx, pumps)
	if err != nil {
		return e, err
	}
	e.say("POST /v1/orders by %s at %s: %s", j.customer, shown(w.Now()), j.po)
	e.say("load %s of %s with %s %s of item %s", j.load.GetNumber(), bare(j.load.GetName()), j.shipment.GetLines()[0].GetQuantity().GetValue(),
		j.shipment.GetLines()[0].GetQuantity().GetUnit(), bare(j.shipment.GetLines()[0].GetItem()))
	if err := j.travel(ctx); err != nil {
		return e, err
	}
	invoice, err := j.invoice(ctx, pumpsTotal)
	if err != nil {
		return e, err
	}
	preview, err := w.billing().PreviewInvoice(ctx, &billingv1.PreviewInvoiceRequest{BillingAuthorization: invoice.GetBillingAuthorization()})
	if err := first(err, same("preview of the invoice", amount(preview.GetTotal()), pumpsTotal)); err != nil {
		return e, err
	}
	e.say("invoice %s and its preview: %s", invoice.GetNumber(), pumpsTotal)
	// Nobody of the enterprise did anything: whoever began what the logs tell is a partner, or a service that follows.
	entries := 0
	for _, service := range []string{"orders", "workflow", "freight", "billing"} {
		facts, err := w.facts(ctx, service, 0)
		if err != nil {
			return e, err
		}
		for _, f := range about(facts, j.order.GetName()) {
			entries++
			if actor := f.head.GetCause().GetPrincipal(); strings.HasPrefix(actor, "user/") {
				return e, fmt.Errorf("%s of %s was done by %s", f.GetType(), service, actor)
			}
		}
	}
	e.say("%d facts in four logs, none begun by a person of the enterprise", entries)
	return e, nil
}

// funnel holds the overview against what was worked out by hand, and against the work items as workflow has them.
func funnel(ctx context.Context, w *World) (e Evidence, err error) {
	seen, err := w.overview().GetOverview(ctx, &towerv1.GetOverviewRequest{})
	if err != nil {
		return e, err
	}
	day := func(path ...any) int {
		text, err1 := figure(w.Expected.Day, path...)
		n := 0
		if _, err2 := fmt.Sscan(text, &n); err1 != nil || err2 != nil {
			err = first(err, err1, err2)
		}
		return n
	}
	all := len(w.Day.Orders)
	delivered := day("orders", "fulfilment", "DELIVERED") + day("orders", "fulfilment", "PARTLY_DELIVERED")
	invoiced := day("invoices", "ISSUED", "USD", "count") + day("invoices", "ISSUED", "EUR", "count")
	// Page 04: no carrier took the load. Page 05: called off. The collect order of page 20 has no bill to wait for.
	exhausted, cancelled := day("tenders", "PENDING")+1, day("orders", "commercial", "CANCELLED")
	want := map[towerv1.Case_Stage]int{
		towerv1.Case_ORDERED: all - cancelled, towerv1.Case_RELEASED: all - cancelled, towerv1.Case_TENDERED: all - cancelled,
		towerv1.Case_BOOKED: all - cancelled - exhausted, towerv1.Case_DEPARTED: delivered, towerv1.Case_DELIVERED: delivered,
		towerv1.Case_PROVEN: delivered, towerv1.Case_INVOICED: invoiced,
	}
	if err := first(err, same("cases", int(seen.GetCases()), all), same("cancelled", int(seen.GetCancelled()), cancelled)); err != nil {
		return e, err
	}
	for _, s := range seen.GetSteps() {
		var goods []string
		for _, m := range s.GetOrderTotals() {
			goods = append(goods, amount(m))
		}
		e.say("%s: %d came so far, %d stand here; goods %s", s.GetStage(), s.GetReached(), s.GetHere(), strings.Join(goods, " and "))
		if n, ok := want[s.GetStage()]; ok {
			if err := same("cases that came to "+s.GetStage().String(), int(s.GetReached()), n); err != nil {
				return e, err
			}
		}
	}
	open := map[string]int{}
	for _, i := range w.Day.WorkItems {
		if i.GetState() == workflowv1.WorkItem_OPEN {
			open[i.GetReason()+" for "+i.GetOwner()]++
		}
	}
	for _, g := range seen.GetExceptions() {
		key := g.GetReason() + " for " + g.GetOwner()
		e.say("stuck: %d %s, the oldest for %s", g.GetOpen(), key, w.Now().Sub(g.GetOldestTime().AsTime()).Round(time.Hour))
		if err := same("open work items "+key, int(g.GetOpen()), open[key]); err != nil {
			return e, err
		}
		delete(open, key)
	}
	e.say("as of %s; payments are not in the suite: the way ends when the carrier's bill is approved", shown(seen.GetAsOfTime().AsTime()))
	return e, same("reasons of open work items that the overview leaves out", len(open), 0)
}

func copiesConverge(ctx context.Context, w *World) (e Evidence, err error) {
	j, err := w.place(ctx, pumps)
	if err != nil {
		return e, err
	}
	line := j.shipment.GetLines()[0]
	if err := same("line of the shipment", line.GetLine()+" "+line.GetQuantity().GetValue(), "10 20"); err != nil {
		return e, err
	}
	if err := inOrder(ctx, j.accept, j.depart); err != nil {
		return e, err
	}
	e.say("order: line 10 of %s, 20 EA in orders and in freight's %s", j.po, bare(j.shipment.GetName()))
	if err := j.read(ctx); err != nil {
		return e, err
	}
	if err := same("fulfilment in orders after the departure in freight", j.order.GetFulfilment(), ordersv1.Order_IN_TRANSIT); err != nil {
		return e, err
	}
	e.say("milestone: departed %s in freight, IN_TRANSIT in orders", shown(j.shipment.GetDeparted().GetTime().AsTime()))
	owed := amount(j.load.GetCharges().GetTotal())
	var accrued []string
	accruals, err := w.billing().ListAccruals(ctx, &billingv1.ListAccrualsRequest{PageSize: 500})
	if err != nil {
		return e, err
	}
	for _, a := range accruals.GetAccruals() {
		if a.GetLoad() == j.load.GetName() {
			accrued = append(accrued, a.GetCharge().GetCode()+" "+amount(a.GetCharge().GetAmount()))
		}
	}
	slices.Sort(accrued)
	if err := first(same("charges of the load in freight", owed, pumpsCostTotal+" USD"), same("accruals in billing", strings.Join(accrued, ", "), "FUE 42.55 USD, LHS 139.50 USD")); err != nil {
		return e, err
	}
	e.say("charge: load %s rated at %s in freight; billing accrued %s", j.load.GetNumber(), owed, strings.Join(accrued, " and "))
	if err := inOrder(ctx, j.deliver, j.prove); err != nil {
		return e, err
	}
	invoice, err := j.invoice(ctx, pumpsTotal)
	if err != nil {
		return e, err
	}
	auth, err := w.billing().GetBillingAuthorization(ctx, &billingv1.GetBillingAuthorizationRequest{Name: invoice.GetBillingAuthorization()})
	if err != nil {
		return e, err
	}
	proof := slices.IndexFunc(auth.GetConjuncts(), func(c *billingv1.BillingAuthorization_Conjunct) bool {
		return c.GetCondition() == "proof_of_delivery" && strings.Contains(c.GetEvidence(), bare(j.shipment.GetProofOfDelivery()))
	})
	if proof < 0 {
		return e, fmt.Errorf("the authorisation does not name the proof %s: %v", j.shipment.GetProofOfDelivery(), auth.GetConjuncts())
	}
	e.say("proof of delivery: %s in freight, evidence of %s in billing", bare(j.shipment.GetProofOfDelivery()), bare(auth.GetName()))
	bill, err := j.bill(ctx, pumpsCost, pumpsCostTotal)
	if err := first(err, j.read(ctx)); err != nil {
		return e, err
	}
	if err := first(same("billing of the order in orders", j.order.GetBilling(), ordersv1.Order_BILLED),
		same("state of the carrier's bill", bill.GetState(), billingv1.FreightBill_APPROVED)); err != nil {
		return e, err
	}
	t, err := w.thread(ctx, j.po)
	if err := first(err, same("invoice in tower", t.GetCase().GetInvoiceNumber()+" "+amount(t.GetCase().GetInvoicedTotal()), invoice.GetNumber()+" "+pumpsTotal)); err != nil {
		return e, err
	}
	e.say("invoice approval: %s over %s and bill %s approved in billing; BILLED in orders, %s in tower", invoice.GetNumber(), pumpsTotal, bill.GetInvoiceNumber(), t.GetCase().GetStage())
	checked, err := noBreaches(ctx, w)
	e.say("divergences: 0 by %s", checked)
	return e, err
}

// noBreaches has every store checked, and what must hold across them; it names the checks.
func noBreaches(ctx context.Context, w *World) (string, error) {
	var checks []string
	for _, service := range outcome.Services {
		report, err := w.log(service).VerifyStore(ctx, &eventlogv1.VerifyStoreRequest{})
		if err != nil {
			return "", err
		}
		if len(report.GetBreaches()) > 0 {
			return "", fmt.Errorf("%s: %s", service, strings.Join(report.GetBreaches(), "; "))
		}
		checks = append(checks, report.GetChecks()...)
	}
	report, err := w.tower().CheckInvariants(ctx, &towerv1.CheckInvariantsRequest{})
	if err != nil {
		return "", err
	}
	for _, b := range report.GetBreaches() {
		return "", fmt.Errorf("%s: %s", b.GetInvariant(), b.GetDetail())
	}
	checks = append(checks, report.GetChecked()...)
	slices.SortFunc(checks, cmp.Compare[string])
	return strings.Join(slices.Compact(checks), ", "), nil
}

// orchestratorKilled kills workflow after the departure; what ends the case comes in while it is away.
func orchestratorKilled(ctx context.Context, w *World) (e Evidence, err error) {
	j, err := w.place(ctx, pumps)
	if err != nil {
		return e, err
	}
	if err := inOrder(ctx, j.accept, j.depart, j.deliver); err != nil {
		return e, err
	}
	before, after, err := w.Programs.kill(ctx, "workflow")
	if err != nil {
		return e, err
	}
	e.say("workflow killed (SIGKILL, pid %d) with %s delivered and not proven; started again as %d", before, j.po, after)
	if err := j.prove(ctx); err != nil {
		return e, err
	}
	before, after, err = w.Programs.kill(ctx, "workflow")
	if err != nil {
		return e, err
	}
	e.say("killed again after the proof (pid %d, then %d)", before, after)
	bill, err := j.bill(ctx, pumpsCost, pumpsCostTotal)
	if err := first(err, same("bill", bill.GetState(), billingv1.FreightBill_APPROVED)); err != nil {
		return e, err
	}
	invoice, err := j.invoice(ctx, pumpsTotal)
	if err != nil {
		return e, err
	}
	processes, err := j.processes(ctx)
	if err := first(err, same("processes", len(processes), 1)); err != nil {
		return e, err
	}
	facts, err := w.facts(ctx, "billing", 0)
	if err != nil {
		return e, err
	}
	mine := about(facts, j.order.GetName())
	e.say("%s %s; invoice %s over %s", bare(processes[0].GetName()), processes[0].GetState(), invoice.GetNumber(), amount(invoice.GetTotal()))
	e.say("billing told BillingAuthorized %d times, InvoiceIssued %d times", len(ofType[*billingv1.BillingAuthorized](mine)), len(ofType[*billingv1.InvoiceIssued](mine)))
	return e, first(same("process", processes[0].GetState(), workflowv1.Process_ENDED), same("authorisations", len(ofType[*billingv1.BillingAuthorized](mine)), 1),
		same("invoices issued", len(ofType[*billingv1.InvoiceIssued](mine)), 1))
}
