package capabilities

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
)

// s8 is visibility.
var s8 = []Capability{
	{ID: "S8.1", What: "five boards: progress, readiness to bill, exceptions, carriers, leakage", Missing: "there are progress and exceptions; no boards of carriers and leakage"},
	{ID: "S8.2", What: "five groups of signals, exported by OpenTelemetry", Missing: "there are metrics of calls and traces in logs; no panels and no export"},
	{ID: "S8.3", What: "delivered and not invoiced: case, age, money, cause, and the message behind it", Check: notInvoiced, Kind: Acts},
}

// notInvoiced leaves one order delivered without a proof, and of another the carrier's word of the delivery not understood.
func notInvoiced(ctx context.Context, w *World) (e Evidence, err error) {
	unproven, err := w.place(ctx, pumps)
	if err != nil {
		return e, err
	}
	unread := w.journey(pumps)
	if err := inOrder(ctx, unread.post, w.settle, unread.read, unproven.accept, unread.accept, unproven.depart, unread.depart, unproven.deliver); err != nil {
		return e, err
	}
	before, err := w.overview().GetOverview(ctx, &towerv1.GetOverviewRequest{})
	if err != nil {
		return e, err
	}
	if before.GetUninvoiced() < 1 {
		return e, fmt.Errorf("the overview counts %d cases that are delivered and not invoiced, one was just delivered", before.GetUninvoiced())
	}
	var totals []string
	for _, m := range before.GetUninvoicedTotals() {
		totals = append(totals, amount(m))
	}
	e.say("overview: %d delivered and not invoiced, goods %s", before.GetUninvoiced(), strings.Join(totals, " and "))
	content, err := w.x12("CXEE", "214", unread.statusSegments("Q9", 2, unread.delivery())...)
	if err != nil {
		return e, err
	}
	in, err := w.drop(ctx, w.number("214")+".edi", content)
	if err != nil {
		return e, err
	}
	if err := first(same("disposition of the 214 with Q9", in.GetTransactionSets()[0].GetDisposition(), ediv1.Interchange_TransactionSet_PARKED),
		w.until(ctx, w.Now().Add(5*time.Hour))); err != nil {
		return e, err
	}
	t, err := w.thread(ctx, unproven.po)
	if err != nil {
		return e, err
	}
	e.say("%s: %s for %s, goods %s, waits for %s", unproven.po, t.GetCase().GetStage(), w.Now().Sub(t.GetCase().GetUpdateTime().AsTime()).Round(time.Minute),
		amount(t.GetCase().GetOrderTotal()), t.GetCase().GetWaitsFor())
	if err := first(same("stage of "+unproven.po, t.GetCase().GetStage(), towerv1.Case_DELIVERED), contains("what it waits for", t.GetCase().GetWaitsFor(), "proof of delivery"),
		same("goods of "+unproven.po, amount(t.GetCase().GetOrderTotal()), "3780.00 USD")); err != nil {
		return e, err
	}
	inbox, err := w.overview().ListExceptions(ctx, &towerv1.ListExceptionsRequest{PageSize: 500})
	if err != nil {
		return e, err
	}
	i := slices.IndexFunc(inbox.GetExceptions(), func(x *towerv1.Exception) bool { return strings.HasPrefix(x.GetSubject(), in.GetName()) })
	if i < 0 {
		return e, fmt.Errorf("no exception leads to %s", in.GetName())
	}
	x := inbox.GetExceptions()[i]
	if len(x.GetCases()) != 1 || len(x.GetAtStake()) != 1 {
		return e, fmt.Errorf("%s is about %d cases with %d amounts, want one", x.GetWorkItem(), len(x.GetCases()), len(x.GetAtStake()))
	}
	e.say("%s: delivered by word of %s, which is %s: %s; open for %s, at stake %s, with %s", x.GetCases()[0].GetCustomerOrderNumber(), x.GetSubject(), x.GetReason(), x.GetDetail(),
		w.Now().Sub(x.GetCreateTime().AsTime()).Round(time.Minute), amount(x.GetAtStake()[0]), x.GetOwner())
	if err := first(same("case of the exception", x.GetCases()[0].GetCustomerOrderNumber(), unread.po), same("at stake", amount(x.GetAtStake()[0]), "3780.00 USD"),
		same("reason", x.GetReason(), "STATUS_CODE_UNKNOWN")); err != nil {
		return e, err
	}
	// Both go on to their ends: the proof comes, and the carrier says it again in words that are known.
	for _, j := range []*journey{unproven, unread} {
		if j == unread {
			if err := j.report(ctx, "DELIVERED", 2, j.delivery(), w.Now()); err != nil {
				return e, err
			}
		}
		if err := j.proveNow(ctx); err != nil {
			return e, err
		}
		if _, err := j.invoice(ctx, pumpsTotal); err != nil {
			return e, err
		}
	}
	after, err := w.overview().GetOverview(ctx, &towerv1.GetOverviewRequest{})
	e.say("proven and told again: both are invoiced, %d are left", after.GetUninvoiced())
	return e, first(err, same("delivered and not invoiced afterwards", after.GetUninvoiced(), before.GetUninvoiced()-1))
}
