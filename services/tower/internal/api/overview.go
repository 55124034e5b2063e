package api

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	googlemoney "google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	storagev1 "crossdock.dev/gen/crossdock/tower/storage/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	"crossdock.dev/kernel/money"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/page"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/tower/internal/store"
	"crossdock.dev/services/tower/internal/timeline"
)

// Overview implements OverviewService.
type Overview struct {
	store *platform.Store
	clock clock.Business
}

// NewOverview returns an Overview; what is late is late by the clock.
func NewOverview(s *platform.Store, c clock.Business) *Overview { return &Overview{s, c} }

var _ towerv1.OverviewServiceServer = (*Overview)(nil)

// way is the way from order to cash.
var way = []towerv1.Case_Stage{
	towerv1.Case_ORDERED, towerv1.Case_RELEASED, towerv1.Case_TENDERED, towerv1.Case_BOOKED, towerv1.Case_DEPARTED,
	towerv1.Case_DELIVERED, towerv1.Case_PROVEN, towerv1.Case_INVOICED, towerv1.Case_SETTLED,
}

// The kinds of amounts that the overview adds up.
const (
	invoicedAmount = "invoiced"
	billedAmount   = "billed"
)

// GetOverview returns all cases at a glance.
func (o *Overview) GetOverview(ctx context.Context, _ *towerv1.GetOverviewRequest) (*towerv1.Overview, error) {
	now := o.clock.Now().UTC()
	t := &tally{
		now: now, out: &towerv1.Overview{AsOfTime: timestamppb.New(now), OnTime: &towerv1.Overview_Rate{}, AcceptedTenders: &towerv1.Overview_Rate{}},
		seen: map[string]bool{}, orders: make([]totals, len(way)), lags: map[string][]time.Duration{}, names: map[string]string{},
	}
	for _, stage := range way {
		t.out.Steps = append(t.out.Steps, &towerv1.Overview_Step{Stage: stage})
	}
	err := o.store.View(ctx, func(r platform.Reader) error {
		err := store.EachCase(ctx, r, func(rec *storagev1.Case) error {
			id := store.CaseID(rec.GetCase().GetName())
			p, err := store.Progress(ctx, r, id)
			if err != nil {
				return err
			}
			plans, err := store.PlansOf(ctx, r, id, []string{deliveredFact})
			if err != nil {
				return err
			}
			t.add(rec.GetCase(), p, plans[deliveredFact].GetTime())
			return nil
		})
		if err != nil {
			return err
		}
		for carrier := range t.lags {
			if t.names[carrier], err = store.PartyName(ctx, r, carrier); err != nil {
				return err
			}
		}
		return store.EachException(ctx, r, func(e *storagev1.Exception) error {
			t.except(e.GetException())
			return nil
		})
	})
	return t.finish(), answer(err, "overview")
}

// The facts that rates are made of.
const (
	createdFact   = "OrderCreated"
	deliveredFact = "ShipmentDelivered"
	invoicedFact  = "InvoiceIssued"
	acceptedFact  = "TenderAccepted"
	declinedFact  = "TenderDeclined"
	expiredFact   = "TenderExpired"
)

// tally adds up the cases.
type tally struct {
	now        time.Time
	out        *towerv1.Overview
	seen       map[string]bool // tenders, invoices and bills that were counted: one load may carry several orders
	orders     []totals        // by step
	uninvoiced totals
	invoiced   totals
	approved   totals
	open       totals
	waits      []time.Duration
	lags       map[string][]time.Duration // by carrier
	names      map[string]string          // of carriers
}

func (t *tally) add(c *towerv1.Case, p *storagev1.Progress, promise *timestamppb.Timestamp) {
	t.out.Cases++
	cancelled := c.GetStage() == towerv1.Case_CANCELLED
	if cancelled {
		t.out.Cancelled++
	}
	for i, stage := range way {
		if !cancelled && c.GetStage() >= stage {
			t.out.Steps[i].Reached++
			t.orders[i].add(c.GetOrderTotal())
		}
		if c.GetStage() == stage {
			t.out.Steps[i].Here++
		}
	}
	created, invoiced, delivered := first(p, createdFact), first(p, invoicedFact), last(p, deliveredFact)
	if promise != nil && !delivered.IsZero() {
		t.out.OnTime.All++
		if !delivered.After(promise.AsTime()) {
			t.out.OnTime.Good++
		}
	}
	if !created.IsZero() && !invoiced.IsZero() {
		t.waits = append(t.waits, invoiced.Sub(created))
	}
	if c.GetStage() == towerv1.Case_DELIVERED || c.GetStage() == towerv1.Case_PROVEN {
		t.out.Uninvoiced++
		t.uninvoiced.add(c.GetOrderTotal())
	}
	if due, _ := limit(c, delivered, promise); due != nil && due.AsTime().Before(t.now) {
		t.out.Overdue++
	}
	for _, e := range p.GetEvents() {
		t.offer(e)
	}
	for _, a := range p.GetAmounts() {
		t.amount(a)
	}
	for _, m := range p.GetClaims() {
		if !t.again(m.GetName()) {
			t.lags[m.GetCarrier()] = append(t.lags[m.GetCarrier()], m.GetReceiveTime().AsTime().Sub(m.GetOccurTime().AsTime()))
		}
	}
}

func (t *tally) offer(e *storagev1.Progress_Event) {
	switch e.GetType() {
	case acceptedFact, declinedFact, expiredFact:
		if t.again(e.GetType() + e.GetSubject()) {
			return
		}
		t.out.AcceptedTenders.All++
		if e.GetType() == acceptedFact {
			t.out.AcceptedTenders.Good++
		}
	}
}

func (t *tally) amount(a *towerv1.CaseProgress_Amount) {
	if (a.GetKind() != invoicedAmount && a.GetKind() != billedAmount) || t.again(a.GetResource()) {
		return
	}
	if a.GetKind() == invoicedAmount {
		t.invoiced.add(a.GetAmount())
		return
	}
	switch a.GetState() {
	case "APPROVED":
		t.approved.add(a.GetAmount())
	case "RECEIVED", "EXCEPTION", "DISPUTED":
		t.open.add(a.GetAmount())
	}
}

// again says whether something was counted before, and remembers it.
func (t *tally) again(name string) bool {
	seen := t.seen[name]
	t.seen[name] = true
	return seen
}

func (t *tally) except(e *towerv1.Exception) {
	if e.GetDueTime() != nil && e.GetDueTime().AsTime().Before(t.now) {
		t.out.OverdueExceptions++
	}
	for _, g := range t.out.GetExceptions() {
		if g.GetReason() == e.GetReason() && g.GetOwner() == e.GetOwner() {
			g.Open++
			if e.GetCreateTime().AsTime().Before(g.GetOldestTime().AsTime()) {
				g.OldestTime = e.GetCreateTime()
			}
			return
		}
	}
	t.out.Exceptions = append(t.out.Exceptions, &towerv1.Overview_Group{Reason: e.GetReason(), Owner: e.GetOwner(), Open: 1, OldestTime: e.GetCreateTime()})
}

func (t *tally) finish() *towerv1.Overview {
	for i, all := range t.orders {
		t.out.Steps[i].OrderTotals = all.list()
	}
	t.out.UninvoicedTotals, t.out.InvoicedTotals = t.uninvoiced.list(), t.invoiced.list()
	t.out.ApprovedFreightTotals, t.out.OpenFreightTotals = t.approved.list(), t.open.list()
	slices.SortStableFunc(t.out.Exceptions, func(a, b *towerv1.Overview_Group) int {
		return a.GetOldestTime().AsTime().Compare(b.GetOldestTime().AsTime())
	})
	if len(t.waits) > 0 {
		t.out.OrderToInvoice = durationpb.New(median(t.waits))
	}
	for _, carrier := range slices.Sorted(maps.Keys(t.lags)) {
		lags := t.lags[carrier]
		t.out.Lags = append(t.out.Lags, &towerv1.Overview_Lag{
			Carrier: carrier, CarrierName: t.names[carrier], Milestones: int32(len(lags)),
			Median: durationpb.New(median(lags)), Longest: durationpb.New(slices.Max(lags)),
		})
	}
	return t.out
}

// median is the middle of a list that is not empty; the list is sorted.
func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

// ListExceptions pages through what waits for a person.
func (o *Overview) ListExceptions(ctx context.Context, req *towerv1.ListExceptionsRequest) (*towerv1.ListExceptionsResponse, error) {
	after, err := page.Parse(req.GetPageToken())
	if err != nil {
		return nil, answer(err, "exceptions")
	}
	size := page.Size(req.GetPageSize(), defaultPage, maxPage)
	resp := &towerv1.ListExceptionsResponse{AsOfTime: timestamppb.New(o.clock.Now())}
	err = o.store.View(ctx, func(r platform.Reader) error {
		found, err := store.Exceptions(ctx, r, string(after), size+1)
		if err != nil {
			return err
		}
		if len(found) > size {
			found = found[:size]
			resp.NextPageToken = page.Token([]byte(found[size-1].GetException().GetWorkItem()))
		}
		for _, rec := range found {
			e, err := whole(ctx, r, rec)
			if err != nil {
				return err
			}
			resp.Exceptions = append(resp.Exceptions, e)
		}
		return nil
	})
	return resp, answer(err, "exceptions")
}

// whole is an exception with what its cases add: whose they are, what is at stake, and what is due where it has no clock of its own.
func whole(ctx context.Context, r platform.Reader, rec *storagev1.Exception) (*towerv1.Exception, error) {
	e := rec.GetException()
	own := e.GetDueTime() != nil
	linked := map[string]bool{}
	var goods, bills totals
	for _, ref := range append([]string{e.GetWorkItem()}, rec.GetReferences()...) {
		cases, err := store.CasesByReference(ctx, r, ref)
		if err != nil {
			return nil, err
		}
		for _, found := range cases {
			c := found.GetCase()
			if linked[c.GetName()] {
				continue
			}
			linked[c.GetName()] = true
			id := store.CaseID(c.GetName())
			customer, err := store.PartyName(ctx, r, c.GetCustomer())
			if err != nil {
				return nil, err
			}
			e.Cases = append(e.Cases, &towerv1.Exception_Link{Case: c.GetName(), CustomerOrderNumber: c.GetCustomerOrderNumber(), Customer: customer})
			p, err := store.Progress(ctx, r, id)
			if err != nil {
				return nil, err
			}
			plans, err := store.PlansOf(ctx, r, id, []string{deliveredFact})
			if err != nil {
				return nil, err
			}
			due, what := limit(c, last(p, deliveredFact), plans[deliveredFact].GetTime())
			if !own && due != nil && (e.GetDueTime() == nil || due.AsTime().Before(e.GetDueTime().AsTime())) {
				e.DueTime, e.DueFor = due, what
			}
			if c.GetStage() < towerv1.Case_INVOICED {
				goods.add(c.GetOrderTotal())
			}
			for _, a := range p.GetAmounts() {
				if a.GetResource() == e.GetSubject() && len(bills.list()) == 0 {
					bills.add(a.GetAmount())
				}
			}
		}
	}
	if e.AtStake = bills.list(); len(e.GetAtStake()) == 0 {
		e.AtStake = goods.list()
	}
	return e, nil
}

// limit is the earliest time limit of a case that is not over, and what is due then.
func limit(c *towerv1.Case, delivered time.Time, promise *timestamppb.Timestamp) (*timestamppb.Timestamp, string) {
	if c.GetStage() == towerv1.Case_SETTLED || c.GetStage() == towerv1.Case_CANCELLED {
		return nil, ""
	}
	due, what := c.GetWaitsUntil(), c.GetWaitsFor()
	if delivered.IsZero() && promise != nil && (due == nil || promise.AsTime().Before(due.AsTime())) {
		return promise, "the promised delivery"
	}
	return due, what
}

// GetCaseProgress returns the timeline and the money of a case.
func (o *Overview) GetCaseProgress(ctx context.Context, req *towerv1.GetCaseProgressRequest) (*towerv1.CaseProgress, error) {
	now := o.clock.Now()
	out := &towerv1.CaseProgress{Case: req.GetCase(), AsOfTime: timestamppb.New(now)}
	err := o.store.View(ctx, func(r platform.Reader) error {
		id := store.CaseID(req.GetCase())
		rec, err := store.ExistingCase(ctx, r, id)
		if err != nil {
			return err
		}
		p, err := store.Progress(ctx, r, id)
		if err != nil {
			return err
		}
		plans, err := store.PlansOf(ctx, r, id, timeline.Types())
		if err != nil {
			return err
		}
		out.Milestones, out.Amounts = timeline.Rows(p.GetEvents(), plans, now), p.GetAmounts()
		if out.Customer, err = store.PartyName(ctx, r, rec.GetCase().GetCustomer()); err != nil {
			return err
		}
		if out.Carrier, err = store.PartyName(ctx, r, rec.GetCase().GetCarrier()); err != nil {
			return err
		}
		for _, name := range rec.GetOpenWorkItems() {
			item, err := store.OpenException(ctx, r, name)
			if err != nil {
				return err
			}
			if item == nil {
				continue
			}
			e, err := whole(ctx, r, item)
			if err != nil {
				return err
			}
			out.Exceptions = append(out.Exceptions, e)
		}
		return nil
	})
	return out, answer(err, req.GetCase())
}

// first and last are the first and the last time that something happened to a case; zero when it did not.
func first(p *storagev1.Progress, fact string) (at time.Time) {
	for _, e := range p.GetEvents() {
		if t := e.GetTime().AsTime(); e.GetType() == fact && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}

func last(p *storagev1.Progress, fact string) (at time.Time) {
	for _, e := range p.GetEvents() {
		if t := e.GetTime().AsTime(); e.GetType() == fact && t.After(at) {
			at = t
		}
	}
	return at
}

// totals are sums by currency.
type totals []money.Amount

// add adds an amount to the sum of its currency. What is absent, no amount of its currency or too large leaves the sum as it is.
func (t *totals) add(m *googlemoney.Money) {
	a, err := money.FromUnitsNanos(m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
	if m == nil || err != nil {
		return
	}
	for i, x := range *t {
		if x.Currency() == a.Currency() {
			if sum, err := x.Add(a); err == nil {
				(*t)[i] = sum
			}
			return
		}
	}
	*t = append(*t, a)
}

// list is the sums, by currency.
func (t totals) list() []*googlemoney.Money {
	slices.SortFunc(t, func(a, b money.Amount) int { return strings.Compare(a.Currency(), b.Currency()) })
	out := make([]*googlemoney.Money, len(t))
	for i, a := range t {
		units, nanos := a.UnitsNanos()
		out[i] = &googlemoney.Money{CurrencyCode: a.Currency(), Units: units, Nanos: nanos}
	}
	return out
}
