package core

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"google.golang.org/protobuf/types/known/timestamppb"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/workflow/internal/process"
)

// items are all work items, oldest first.
func (w *world) items(f *workflowv1.ListWorkItemsRequest) []*workflowv1.WorkItem {
	w.t.Helper()
	resp, err := w.core.api.ListWorkItems(w.ctx, f)
	w.must(err)
	slices.SortFunc(resp.GetWorkItems(), func(a, b *workflowv1.WorkItem) int { // the test's ids begin anew when it reopens
		return a.GetCreateTime().AsTime().Compare(b.GetCreateTime().AsTime())
	})
	return resp.GetWorkItems()
}

// timers is how many timers wait.
func (w *world) timers() int {
	w.t.Helper()
	resp, err := eventlog.NewServer(w.core.store, w.core.followers.Consumers(), w.core.runner).ListTasks(w.ctx, &eventlogv1.ListTasksRequest{PageSize: 100})
	w.must(err)
	n := 0
	for _, task := range resp.GetTasks() {
		if task.GetDueTime() != nil {
			n++
		}
	}
	return n
}

// told counts the facts of workflow's log about work items, by type.
func (w *world) told() map[string]int {
	w.t.Helper()
	out := map[string]int{}
	for at := (store.Position{}); ; {
		entries, _, err := eventlog.Local(w.core.store).Read(w.ctx, at, 100)
		w.must(err)
		if len(entries) == 0 {
			return out
		}
		for _, e := range entries {
			head := &eventlogv1.Head{}
			w.must(proto.Unmarshal(e.Head, head))
			p := head.GetPosition()
			at = store.Position{Log: p.GetLog(), Epoch: p.GetEpoch(), Sequence: p.GetSequence()}
			for _, f := range head.GetFacts() {
				if strings.HasPrefix(f.GetType(), "WorkItem") {
					out[f.GetType()]++
				}
			}
		}
	}
}

func (w *world) after(d time.Duration) {
	w.t.Helper()
	w.clock.Set(w.clock.Now().Add(d))
	w.settle()
}

// A release that freight does not plan is told to a person when its limit has passed, over restarts, once, and closed by the plan.
func TestPlanningOverdue(t *testing.T) {
	w := newWorld(t)
	w.peer.refuse["PlanShipment"] = status.Error(codes.Unavailable, "down")
	w.released()
	w.settle()
	w.after(15*time.Minute - time.Second)
	if got := w.openItems(); len(got) != 0 {
		t.Fatalf("a second before the limit: %q, want none", got)
	}
	w.reopen()
	w.released() // told again
	w.after(time.Second)
	p := w.process()
	want := []string{"PLANNING_OVERDUE operations " + p.GetName()}
	if got := w.openItems(); !slices.Equal(got, want) {
		t.Fatalf("at the limit: %q, want %q", got, want)
	}
	item := w.items(&workflowv1.ListWorkItemsRequest{})[0]
	if item.GetDetail() != "plan-shipment took longer than 15m. It waits for freight to plan the shipment." ||
		!slices.Equal(item.GetRelated(), []string{order, "po:08292233294"}) || !item.GetDueTime().AsTime().Equal(w.clock.Now().Add(time.Hour)) {
		t.Errorf("work item %v", item)
	}
	w.reopen()
	w.after(15 * time.Minute)
	if got := w.openItems(); !slices.Equal(got, want) {
		t.Errorf("later: %q, want %q", got, want)
	}
	w.planned()
	w.settle()
	all := w.items(&workflowv1.ListWorkItemsRequest{})
	if len(all) != 1 || all[0].GetState() != workflowv1.WorkItem_CLOSED || all[0].GetClosedBy() != "service/workflow" || all[0].GetOverdueTime() != nil {
		t.Errorf("after the plan: %v, want the one, closed in time by the fact", all)
	}
	if got := w.timers(); got != 1 { // the offer's
		t.Errorf("%d timers, want 1", got)
	}
	w.tendered()
	w.settle()
	if got := w.timers(); got != 0 {
		t.Errorf("%d timers after the offer, want none", got)
	}
	w.verify()
}

// A release that is planned at once has no item, whenever its timer would have been due; one that is refused has the refusal's alone.
func TestPlannedInTime(t *testing.T) {
	w := newWorld(t)
	w.released()
	w.settle()
	w.planned()
	w.tendered()
	w.settle()
	w.after(48 * time.Hour)
	if got := w.items(&workflowv1.ListWorkItemsRequest{}); len(got) != 0 {
		t.Errorf("work items %v, want none", got)
	}
	w = newWorld(t)
	w.peer.refuse["PlanShipment"] = status.Error(codes.FailedPrecondition, "no lane")
	w.released()
	w.settle()
	w.after(time.Hour)
	if got := w.items(&workflowv1.ListWorkItemsRequest{}); len(got) != 1 || got[0].GetReason() != "COMMAND_REFUSED" {
		t.Errorf("refused: work items %v, want COMMAND_REFUSED alone", got)
	}
}

// Whether a load was offered is freight's to say when the limit has passed; from when nobody may join it any more.
func TestTenderingOverdue(t *testing.T) {
	w := newWorld(t)
	w.released()
	w.settle()
	join := w.clock.Now().Add(5 * time.Minute)
	w.tell("freight", shipment, &freightv1.ShipmentPlanned{Shipment: aboard()[0], Load: &freightv1.Load{Name: load, JoinUntil: timestamppb.New(join)}})
	w.settle()
	w.after(19 * time.Minute)
	if got := w.openItems(); len(got) != 0 {
		t.Errorf("before the limit: %q, want none", got)
	}
	w.peer.refuse["GetLoad"] = status.Error(codes.Unavailable, "down")
	w.after(time.Minute)
	if got := w.openItems(); len(got) != 0 || w.timers() != 1 {
		t.Errorf("freight is away: %q and %d timers, want none and the one that waits", got, w.timers())
	}
	delete(w.peer.refuse, "GetLoad")
	w.reopen()
	w.settle()
	if got, want := w.openItems(), []string{"TENDERING_OVERDUE operations " + w.process().GetName()}; !slices.Equal(got, want) {
		t.Errorf("not offered: %q, want %q", got, want)
	}
	w.tendered()
	w.settle()
	if got := w.openItems(); len(got) != 0 {
		t.Errorf("offered: %q, want none", got)
	}
	w.verify()

	w = newWorld(t)
	w.released()
	w.planned()
	w.settle()
	w.peer.offered = freightv1.Load_TENDERED // the fact has not been read
	w.after(time.Hour)
	w.tendered()
	w.settle()
	if got := w.items(&workflowv1.ListWorkItemsRequest{}); len(got) != 0 {
		t.Errorf("offered in time: %v, want none", got)
	}
}

// Without limits nothing is watched.
func TestNoLimits(t *testing.T) {
	w := newWorld(t)
	w.limits = &process.Limits{}
	w.reopen()
	w.peer.refuse["PlanShipment"] = status.Error(codes.Unavailable, "down")
	w.released()
	w.tell("freight", shipment, &freightv1.ExceptionRaised{Shipment: aboard()[0], Reason: "FEED_SILENT"})
	w.settle()
	w.after(1000 * time.Hour)
	if got := w.items(&workflowv1.ListWorkItemsRequest{}); len(got) != 1 || got[0].GetDueTime() != nil || w.timers() != 0 {
		t.Errorf("work items %v, %d timers", got, w.timers())
	}
}

// The clock of a work item: it runs over restarts, marks the item once, opens and closes nothing, and goes with the item.
func TestOverdue(t *testing.T) {
	w := newWorld(t)
	for _, tell := range []func(){w.released, w.planned, w.tendered} {
		tell()
	}
	silent := func() { // two hours by the default
		w.tell("freight", shipment, &freightv1.ExceptionRaised{Shipment: aboard()[0], Reason: "FEED_SILENT", Detail: "no word for 16 h"})
		w.settle()
	}
	cleared := func() {
		w.tell("freight", shipment, &freightv1.ExceptionCleared{Shipment: aboard()[0], Reason: "FEED_SILENT"})
		w.settle()
	}
	silent()
	opened := w.clock.Now()
	w.after(2*time.Hour - time.Second)
	w.reopen()
	silent() // told again: the clock goes on
	if got := w.items(&workflowv1.ListWorkItemsRequest{}); len(got) != 1 || got[0].GetOverdueTime() != nil || !got[0].GetDueTime().AsTime().Equal(opened.Add(2*time.Hour)) {
		t.Fatalf("before it is due: %v", got)
	}
	w.after(time.Second)
	w.after(time.Hour)
	silent()
	got := w.items(&workflowv1.ListWorkItemsRequest{Overdue: true, State: workflowv1.WorkItem_OPEN, Owner: "operations"})
	if len(got) != 1 || !got[0].GetOverdueTime().AsTime().Equal(opened.Add(2*time.Hour)) || got[0].GetOwner() != "operations" || got[0].GetEtag() != "2" {
		t.Errorf("overdue: %v", got)
	}
	if other := w.items(&workflowv1.ListWorkItemsRequest{Overdue: true, Owner: "finance"}); len(other) != 0 {
		t.Errorf("overdue of finance: %v, want none", other)
	}
	cleared()
	silent()
	cleared() // before it is due
	w.after(100 * time.Hour)
	all := w.items(&workflowv1.ListWorkItemsRequest{})
	if len(all) != 2 || all[0].GetOverdueTime() == nil || all[1].GetOverdueTime() != nil || w.timers() != 0 {
		t.Errorf("closed late and in time: %v, %d timers", all, w.timers())
	}
	if got, want := w.told(), (map[string]int{"WorkItemOpened": 2, "WorkItemOverdue": 1, "WorkItemClosed": 2}); !maps.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	if got := w.items(&workflowv1.ListWorkItemsRequest{Overdue: true}); len(got) != 1 || got[0].GetState() != workflowv1.WorkItem_CLOSED {
		t.Errorf("found overdue: %v, want the one that was closed late", got)
	}
	w.verify()
}

// The clock is set back by an hour while the timer of an item is carried out: the item is marked, once, also when the hour comes again.
func TestOverdueWhenTheClockIsSetBack(t *testing.T) {
	w := newWorld(t)
	for _, tell := range []func(){w.released, w.planned, w.tendered} {
		tell()
	}
	w.tell("freight", shipment, &freightv1.ExceptionRaised{Shipment: aboard()[0], Reason: "FEED_SILENT", Detail: "no word for 16 h"})
	w.settle()
	due := w.clock.Now().Add(2 * time.Hour)
	w.clock.Set(due.Add(-time.Hour))
	w.must(platformtest.Drive(w.ctx, func() time.Time { return due }, 100, w.core.runner)) // which saw the clock an hour ahead
	w.after(2 * time.Hour)
	if got := w.items(&workflowv1.ListWorkItemsRequest{}); len(got) != 1 || !got[0].GetOverdueTime().AsTime().Equal(due) || w.timers() != 0 {
		t.Errorf("work items %v, %d timers; want one, overdue at %v, and none", got, w.timers(), due)
	}
	if got := w.told()["WorkItemOverdue"]; got != 1 {
		t.Errorf("told %d times, want once", got)
	}
}

// A person closes an item at the moment at which it is due: whoever is first, it is closed once and the history tells the truth.
func TestClosedWhenDue(t *testing.T) {
	for range 10 {
		w := newWorld(t)
		for _, tell := range []func(){w.released, w.planned, w.tendered} {
			tell()
		}
		w.tell("freight", shipment, &freightv1.ExceptionRaised{Shipment: aboard()[0], Reason: "FEED_SILENT"})
		w.settle()
		server := platformtest.New(t, platformtest.Config{Service: Service, Register: w.core.Register, Waiter: w.core.Followers(), Own: w.core.Store()})
		client := workflowv1.NewWorkflowServiceClient(server.AsUser())
		item := w.items(&workflowv1.ListWorkItemsRequest{})[0]
		w.clock.Set(item.GetDueTime().AsTime())
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := client.CloseWorkItem(w.ctx, &workflowv1.CloseWorkItemRequest{Name: item.GetName(), RequestId: "close-1"}); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			for range 3 {
				if _, err := w.core.runner.Step(w.ctx, w.clock.Now()); err != nil {
					t.Error(err)
				}
			}
		})
		both.Wait()
		w.settle()
		got := w.items(&workflowv1.ListWorkItemsRequest{})
		revision := map[bool]string{true: "2", false: "3"}[got[0].GetOverdueTime() == nil]
		if len(got) != 1 || got[0].GetState() != workflowv1.WorkItem_CLOSED || got[0].GetEtag() != revision || w.timers() != 0 {
			t.Errorf("work items %v, %d timers", got, w.timers())
		}
		w.verify()
	}
}

// The newest audit of a bill counts: owner and words follow it, and a new owner has a clock of its own.
func TestNewestAuditCounts(t *testing.T) {
	for _, matched := range []string{load, ""} {
		w := newWorld(t)
		w.released()
		w.planned()
		w.tendered()
		audit := func(state billingv1.FreightBill_State, owner, rule string) {
			w.tell("billing", "freightBills/fbl_1", &billingv1.FreightBillExcepted{FreightBill: &billingv1.FreightBill{
				Name: "freightBills/fbl_1", Load: matched, State: state,
				Findings: []*billingv1.FreightBill_Finding{{Rule: rule, Subject: "load", Detail: "differs", Owner: owner}},
			}})
			w.settle()
		}
		audit(billingv1.FreightBill_EXCEPTION, "operations", "A5")
		first := w.items(&workflowv1.ListWorkItemsRequest{})[0]
		w.after(5 * time.Hour)
		audit(billingv1.FreightBill_EXCEPTION, "finance", "A0")
		w.reopen()
		audit(billingv1.FreightBill_EXCEPTION, "finance", "A0") // told again
		all := w.items(&workflowv1.ListWorkItemsRequest{})
		if len(all) != 1 || all[0].GetName() != first.GetName() || all[0].GetOwner() != "finance" || all[0].GetDetail() != "A0 load: differs" ||
			all[0].GetOverdueTime() != nil || !all[0].GetDueTime().AsTime().Equal(w.clock.Now().Add(48*time.Hour)) || all[0].GetEtag() != "3" {
			t.Errorf("audited anew: %v, want the one, finance's, with finance's clock", all)
		}
		audit(billingv1.FreightBill_REJECTED, "finance", "A1")
		all = w.items(&workflowv1.ListWorkItemsRequest{})
		if len(all) != 2 || all[0].GetState() != workflowv1.WorkItem_CLOSED || all[1].GetReason() != "FREIGHT_BILL_REJECTED" || all[1].GetState() != workflowv1.WorkItem_OPEN {
			t.Errorf("another end of the audit: %v, want its item alone open", all)
		}
		if got, want := w.told(), (map[string]int{"WorkItemOpened": 2, "WorkItemOverdue": 1, "WorkItemChanged": 1, "WorkItemClosed": 1}); !maps.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
		if got := w.timers(); got != 1 {
			t.Errorf("%d timers, want that of the open item", got)
		}
		w.verify()
	}
}
