package measure

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/types/known/timestamppb"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"

	"crossdock.dev/bench/internal/load"
	"crossdock.dev/bench/internal/suite"
)

// flowTimeout is how long a whole flow may take before something must be wrong.
const flowTimeout = 2 * time.Minute

// stepsOfFlow is how many durable steps a flow is taken to have, for its limit.
const stepsOfFlow = 25

// flows plays whole flows, as the suite's own story does: an order is taken in and released; workflow has it planned and tendered; the
// carrier accepts, reports four milestones and hands in the proof; workflow has billing authorise and invoice; the carrier bills. What
// partners say comes as the adapter says it, by gRPC.
type flows struct {
	*follower
	running *suite.Running
	orders  *orderCalls
	desk    []ordersv1.OrderServiceClient
	freight []freightv1.FreightServiceClient
	billing []billingv1.BillingServiceClient
	conns   suite.Conns

	// calls are the steps that a caller waits for, hops those that the services do among themselves; both by what they are.
	calls            *load.Times
	tendered, issued *load.Times
	closed           *load.Times
}

func (r *runner) newFlows(ctx context.Context, run *suite.Running) (_ *flows, err error) {
	f := &flows{running: run}
	f.measureAnew()
	dial := func(service, as string) suite.Conns {
		conns, dialErr := run.Dial(r.Conns/4+1, service, as)
		err = errors.Join(err, dialErr)
		f.conns = append(f.conns, conns...)
		return conns
	}
	f.orders = newOrderCalls(dial("orders", adapter))
	for _, c := range dial("orders", "") {
		f.desk = append(f.desk, ordersv1.NewOrderServiceClient(c))
	}
	for _, c := range dial("freight", adapter) {
		f.freight = append(f.freight, freightv1.NewFreightServiceClient(c))
	}
	for _, c := range dial("billing", adapter) {
		f.billing = append(f.billing, billingv1.NewBillingServiceClient(c))
	}
	if err == nil {
		f.follower, err = follow(ctx, run, "orders", "freight", "billing", "workflow")
	}
	if err != nil {
		return nil, errors.Join(err, f.conns.Close())
	}
	return f, nil
}

func (f *flows) measureAnew() {
	f.calls, f.tendered, f.issued, f.closed = load.NewTimes(), load.NewTimes(), load.NewTimes(), load.NewTimes()
}

func (f *flows) close() error { return errors.Join(f.follower.close(), f.conns.Close()) }

// flow is one flow under way.
type flow struct {
	*flows
	load.Turn
	last time.Time // when the step before ended, which is when this one was meant to start
}

// step ends a step that somebody waited for.
func (f *flow) step(into *load.Times) {
	now := time.Now()
	into.Add(f.Worker, now.Sub(f.last))
	f.last = now
}

// play plays one flow from the order to the end of its process.
func (f *flows) play(ctx context.Context, t load.Turn) error {
	ctx, cancel := context.WithTimeout(ctx, flowTimeout)
	defer cancel()
	x := &flow{f, t, t.Start}
	order, offer, err := x.offered(ctx)
	if err == nil {
		err = x.carried(ctx, offer)
	}
	if err == nil {
		err = x.settled(ctx, order, offer)
	}
	return err
}

// offered takes the order in, releases it and waits until its load is offered to a carrier.
func (f *flow) offered(ctx context.Context) (order string, offer *freightv1.LoadTendered, err error) {
	o, err := f.orders.order(ctx, f.Turn)
	if err != nil {
		return "", nil, fmt.Errorf("create: %w", err)
	}
	f.step(f.calls)
	if _, err := f.desk[f.Worker%len(f.desk)].ReleaseOrder(ctx, &ordersv1.ReleaseOrderRequest{Name: o.GetName(), RequestId: uuid.NewString()}); err != nil {
		return "", nil, fmt.Errorf("release: %w", err)
	}
	f.step(f.calls)
	m, err := f.await(ctx, "LoadTendered", o.GetName())
	if err != nil {
		return "", nil, err
	}
	f.step(f.tendered)
	offer, ok := m.(*freightv1.LoadTendered)
	if !ok {
		return "", nil, fmt.Errorf("LoadTendered carries a %T", m)
	}
	return o.GetName(), offer, nil
}

// journey is what a carrier reports, oldest first.
var journey = []struct {
	milestone freightv1.Milestone
	stop      int32
}{
	{freightv1.Milestone_ARRIVED_PICKUP, 1}, {freightv1.Milestone_DEPARTED_PICKUP, 1},
	{freightv1.Milestone_ARRIVED_DELIVERY, 2}, {freightv1.Milestone_DELIVERED, 2},
}

// accept takes the offer.
func (f *flow) accept(ctx context.Context, offer *freightv1.LoadTendered) error {
	req := &freightv1.AcceptTenderRequest{Name: offer.GetTender().GetName(), CarrierReference: "PRO" + offer.GetLoad().GetNumber(), RequestId: uuid.NewString()}
	if _, err := f.carrier().AcceptTender(ctx, req); err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	f.step(f.calls)
	return nil
}

func (f *flow) carrier() freightv1.FreightServiceClient { return f.freight[f.Worker%len(f.freight)] }

// carried accepts the offer, reports the journey and hands in the proof.
func (f *flow) carried(ctx context.Context, offer *freightv1.LoadTendered) error {
	if err := f.accept(ctx, offer); err != nil {
		return err
	}
	begun := time.Now().Add(-10 * time.Minute)
	for i, j := range journey {
		_, err := f.carrier().ReportMilestone(ctx, &freightv1.ReportMilestoneRequest{
			Parent: offer.GetLoad().GetName(), RequestId: uuid.NewString(),
			Claim: &freightv1.Claim{Milestone: j.milestone, Stop: j.stop, OccurTime: timestamppb.New(begun.Add(time.Duration(i) * 2 * time.Minute))},
		})
		if err != nil {
			return fmt.Errorf("report %v: %w", j.milestone, err)
		}
		f.step(f.calls)
	}
	_, err := f.carrier().CreateProofOfDelivery(ctx, &freightv1.CreateProofOfDeliveryRequest{RequestId: uuid.NewString(), ProofOfDelivery: &freightv1.ProofOfDelivery{
		Load: offer.GetLoad().GetNumber(), Order: offer.GetTender().GetCustomerOrderNumbers()[0], Type: freightv1.ProofOfDelivery_SIGNED_RECEIPT,
		SignedAt: timestamppb.Now(), ReceivedBy: "A. Receiver", Pieces: offer.GetTender().GetCartons(),
	}})
	if err != nil {
		return fmt.Errorf("prove: %w", err)
	}
	f.step(f.calls)
	return nil
}

// settled waits for the invoice, sends the carrier's bill, which asks for what was agreed, and waits until everything is done.
func (f *flow) settled(ctx context.Context, order string, offer *freightv1.LoadTendered) error {
	if _, err := f.await(ctx, "InvoiceIssued", order); err != nil {
		return err
	}
	f.step(f.issued)
	today, agreed := time.Now().UTC(), offer.GetTender().GetCharges()
	bill, err := f.billing[f.Worker%len(f.billing)].SubmitFreightBill(ctx, &billingv1.SubmitFreightBillRequest{RequestId: uuid.NewString(), FreightBill: &billingv1.FreightBill{
		Carrier: offer.GetTender().GetCarrier(), InvoiceNumber: "I" + offer.GetLoad().GetNumber(), LoadNumber: offer.GetLoad().GetNumber(),
		CarrierReference: "PRO" + offer.GetLoad().GetNumber(), BillDate: &date.Date{Year: int32(today.Year()), Month: int32(today.Month()), Day: int32(today.Day())},
		Charges: agreed.GetCharges(), Total: agreed.GetTotal(),
	}})
	if err != nil {
		return fmt.Errorf("bill: %w", err)
	}
	if bill.GetState() != billingv1.FreightBill_APPROVED {
		return fmt.Errorf("the carrier's bill is %v: %v", bill.GetState(), bill.GetFindings())
	}
	f.step(f.calls)
	if _, err := f.await(ctx, "ProcessEnded", order); err != nil {
		return err
	}
	f.step(f.closed)
	_, err = f.await(ctx, "OrderClosed", order)
	return err
}

// orderToCash is the benchmark of that name: as many flows as the suite can do, then half as many by the clock.
func orderToCash(ctx context.Context, r *runner) (err error) {
	step, err := r.limit(ctx, limitEchoWriterLoop)
	if err != nil {
		return err
	}
	if err := r.reset(); err != nil {
		return err
	}
	run, err := r.Home.Only(ctx, suite.Names()...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Stop()) }()
	f, err := r.newFlows(ctx, run)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	before, err := entries(ctx, run)
	if err != nil {
		return err
	}
	p := r.plan(r.Flows)
	p.WarmUp, p.Least = p.Window, uint64(2*r.Flows) // all flows begin at once: let them come apart, and each end more than once
	found, result, err := r.measured(ctx, "order-to-cash", fmt.Sprintf("flows=%d", r.Flows), p, servers(run), f.play)
	if err != nil {
		return err
	}
	after, err := entries(ctx, run)
	if err != nil {
		return err
	}
	found.More["flows/s/core"] = found.Rate / float64(runtime.NumCPU())
	found.More["entries/flow"] = float64(after-before) / float64(result.Done)
	f.hops(found.More)
	found.AgainstLimit(fmt.Sprintf("%s / %d", limitEchoWriterLoop, stepsOfFlow), step/stepsOfFlow)
	if err := r.found(found); err != nil {
		return err
	}
	f.measureAnew()
	f.orders.run = newRun()
	p = r.plan(16 * r.Flows)
	p.Rate = found.Rate / 2
	half, _, err := r.measured(ctx, "order-to-cash-half-load", fmt.Sprintf("rate=%.0f", p.Rate), p, servers(run), f.play)
	if err != nil {
		return err
	}
	half.More["flow-p50-ms"], half.More["flow-p99-ms"] = half.P50, half.P99
	half.P50, half.P99 = milliseconds(f.calls.Percentile(50)), milliseconds(f.calls.Percentile(99))
	f.hops(half.More)
	if err := r.found(half); err != nil {
		return err
	}
	return f.check(ctx)
}

// hops adds how long the services took among themselves.
func (f *flows) hops(more map[string]float64) {
	for name, t := range map[string]*load.Times{"tendered": f.tendered, "invoiced": f.issued, "ended": f.closed} {
		more[name+"-p50-ms"], more[name+"-p99-ms"] = milliseconds(t.Percentile(50)), milliseconds(t.Percentile(99))
	}
	more["call-p99-ms"] = milliseconds(f.calls.Percentile(99))
}

// entries are those of all logs.
func entries(ctx context.Context, run *suite.Running) (sum uint64, err error) {
	return sum, eachLog(ctx, run, func(_ string, c eventlogv1.EventLogServiceClient) error {
		log, err := c.GetLog(ctx, &eventlogv1.GetLogRequest{})
		sum += log.GetLast().GetSequence()
		return err
	})
}

func eachLog(ctx context.Context, run *suite.Running, look func(service string, c eventlogv1.EventLogServiceClient) error) error {
	for _, p := range run.Programs() {
		conns, err := run.Dial(1, p.Name, "")
		if err == nil {
			err = errors.Join(look(p.Name, eventlogv1.NewEventLogServiceClient(conns[0])), conns.Close())
		}
		if err != nil {
			return fmt.Errorf("log of %s: %w", p.Name, err)
		}
	}
	return nil
}

// check holds what the services say against what was acknowledged: every flow that was begun has ended, nobody is asked to look at
// anything, and no fact was set aside.
func (f *flows) check(ctx context.Context) error {
	desk, err := f.running.Dial(1, "workflow", "")
	if err != nil {
		return err
	}
	defer desk.Close()
	workflow := workflowv1.NewWorkflowServiceClient(desk[0])
	items, err := workflow.ListWorkItems(ctx, &workflowv1.ListWorkItemsRequest{State: workflowv1.WorkItem_OPEN})
	if err != nil {
		return err
	}
	if n := len(items.GetWorkItems()); n > 0 {
		return fmt.Errorf("%d work items are open, the first: %v", n, items.GetWorkItems()[0])
	}
	var ended uint64
	req := &workflowv1.ListProcessesRequest{PageSize: 500}
	for {
		page, err := workflow.ListProcesses(ctx, req)
		if err != nil {
			return err
		}
		for _, p := range page.GetProcesses() {
			if p.GetState() != workflowv1.Process_ENDED {
				return fmt.Errorf("%s of %s has not ended: %v", p.GetName(), p.GetOrder(), p.GetState())
			}
			ended++
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	if made := f.orders.made.Load(); ended != made {
		return fmt.Errorf("%d processes have ended, %d orders were acknowledged", ended, made)
	}
	return eachLog(ctx, f.running, func(service string, c eventlogv1.EventLogServiceClient) error {
		resp, err := c.ListConsumers(ctx, &eventlogv1.ListConsumersRequest{})
		for _, consumer := range resp.GetConsumers() {
			if consumer.GetParked() > 0 {
				return fmt.Errorf("%s has set %d facts of %s aside", service, consumer.GetParked(), consumer.GetLog())
			}
		}
		return err
	})
}
