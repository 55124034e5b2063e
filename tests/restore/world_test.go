// Package restore destroys the store of one service while others have read further than its last backup, restores it, and looks that
// every reader finds the fork, that what is orphaned is listed, that no number is given twice, and that all goes on when a person has
// decided.
package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	edicore "crossdock.dev/integrations/edi/core"
	"crossdock.dev/platform/backup"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/store"
	billingcore "crossdock.dev/services/billing/core"
	freightcore "crossdock.dev/services/freight/core"
	orderscore "crossdock.dev/services/orders/core"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// today is when everything happens: Wednesday 09:30 in Columbus, Ohio. No timer is due.
var today = time.Date(2026, 3, 4, 14, 30, 0, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// kept are the stores that are destroyed.
var kept = map[string]struct {
	path   func(dir string) string
	schema func() store.Schema
}{
	"orders":  {orderscore.Path, orderscore.Schema},
	"freight": {freightcore.Path, freightcore.Schema},
	"billing": {billingcore.Path, billingcore.Schema},
	"edi":     {edicore.Path, edicore.Schema},
}

// world is a suite in which readers may stand still until a person has decided.
type world struct {
	*sim.Suite
	t       *testing.T
	numbers map[string]string // every number that ever stood on a document, and which document
}

func newWorld(t *testing.T) *world {
	w := &world{Suite: sim.New(t), t: t, numbers: map[string]string{}}
	w.Seed()
	must(t, w.SetClock(today))
	return w
}

// settle lets everything happen that can: readers that wait for a person hold up nobody else.
func (w *world) settle() {
	w.t.Helper()
	for range 1000 {
		moved := false
		for _, turn := range w.Turns() {
			progress, err := w.Step(w.t.Context(), turn)
			if err != nil && !errors.Is(err, store.ErrOutOfRange) && !errors.Is(err, store.ErrFenced) {
				w.t.Fatalf("%v: %v", turn, err)
			}
			moved = moved || progress && err == nil
		}
		if !moved {
			w.note()
			return
		}
		w.Wait(time.Minute)
	}
	w.t.Fatal("the suite does not come to rest")
}

// ask changes something at the partners' door.
func (w *world) ask(party, path, key string, body any) error {
	raw, err := json.Marshal(body)
	must(w.t, err)
	_, err = w.Call(w.t.Context(), "parties/"+party, http.MethodPost, path, key, raw)
	w.settle()
	return err
}

// order places an order for 20 pumps from Columbus to Indianapolis.
func (w *world) order(po string) {
	w.t.Helper()
	must(w.t, w.ask("CUS-HHS", "/v1/orders", "order-"+po, map[string]any{
		"customerOrderNumber": po, "shipFrom": "locations/LOC-CMH", "shipTo": "locations/LOC-INDH", "mode": "LTL", "currencyCode": "USD",
		"lines": []any{map[string]any{"line": "10", "item": "items/NS-PUMP-10", "quantity": map[string]string{"value": "20", "unit": "EA"}, "unitPrice": "189.00"}},
	}))
}

// find looks for a fact in a service's log as it is now.
func find[M proto.Message](w *world, service string, is func(M) bool) (out M, ok bool) {
	_, err := story.FindFact(w.t.Context(), eventlog.Local(w.Store(service)), func(p proto.Message) bool {
		m, fits := p.(M)
		if fits && is(m) {
			out, ok = m, true
			return true
		}
		return false
	})
	if err != nil && !errors.Is(err, story.ErrNoFact) {
		w.t.Fatal(err)
	}
	return out, ok
}

func (w *world) tendered(po string) (*freightv1.LoadTendered, bool) {
	return find(w, "freight", func(m *freightv1.LoadTendered) bool {
		return len(m.GetShipments()) > 0 && m.GetShipments()[0].GetCustomerOrderNumber() == po
	})
}

// finish plays the carrier from the offer to its bill; the load is rated 310.00 less 55 % and fuel 29.5 %.
func (w *world) finish(po string) {
	w.t.Helper()
	offer, ok := w.tendered(po)
	if !ok {
		w.t.Fatalf("%s: no load was tendered", po)
	}
	number, load, now := offer.GetLoad().GetNumber(), offer.GetLoad().GetName(), today.Format(time.RFC3339)
	must(w.t, w.ask("CAR-CXEE", "/v1/"+offer.GetTender().GetName()+":accept", "accept-"+po, map[string]any{"carrierReference": "PRO" + number}))
	for stop, milestone := range []string{"DEPARTED_PICKUP", "DELIVERED"} {
		must(w.t, w.ask("CAR-CXEE", "/v1/"+load+"/claims", milestone+"-"+po, map[string]any{"milestone": milestone, "stop": stop + 1, "occurTime": now, "reasonCode": "NS"}))
	}
	must(w.t, w.ask("CAR-CXEE", "/v1/proofsOfDelivery", "proof-"+po, map[string]any{
		"load": number, "order": po, "type": "SIGNED_RECEIPT", "signedAt": now, "receivedBy": "J. Example", "pieces": 20, "exceptions": []any{},
	}))
	usd := func(s string) map[string]any { return story.MoneyJSON(s, "USD") }
	must(w.t, w.ask("CAR-CXEE", "/v1/freightBills", "bill-"+po, map[string]any{
		"invoiceNumber": "B-" + po, "loadNumber": number, "carrierReference": "PRO" + number, "total": usd("180.65"),
		"charges":  []any{map[string]any{"code": "LHS", "amount": usd("310.00")}, map[string]any{"code": "DSC", "amount": usd("-170.50")}, map[string]any{"code": "FUE", "amount": usd("41.15")}},
		"billDate": map[string]int{"year": today.Year(), "month": int(today.Month()), "day": today.Day()},
	}))
}

// wantEnded looks that an order has come to the end of its process, with an invoice over 20 × 189.00 and freight of 160.00 and 12 %.
func (w *world) wantEnded(po string) {
	w.t.Helper()
	if _, ok := find(w, "workflow", func(m *workflowv1.ProcessEnded) bool { return m.GetProcess().GetCustomerOrderNumber() == po }); !ok {
		w.t.Errorf("%s: its process has not ended", po)
	}
	issued, ok := w.issued(po)
	if got := story.Decimal(issued.GetInvoice().GetTotal()); !ok || got != "3959.20" {
		w.t.Errorf("%s: invoiced %s, %v, want 3959.20", po, got, ok)
	}
}

func (w *world) issued(po string) (*billingv1.InvoiceIssued, bool) {
	released, ok := find(w, "orders", func(m *ordersv1.OrderReleased) bool { return m.GetRelease().GetCustomerOrderNumber() == po })
	if !ok {
		return nil, false
	}
	return find(w, "billing", func(m *billingv1.InvoiceIssued) bool {
		return m.GetInvoice().GetOrder() == released.GetRelease().GetOrder()
	})
}

// isa finds sender, receiver and control number of an interchange.
var isa = regexp.MustCompile(`^ISA\*..\*.{10}\*..\*.{10}\*(.{18})\*(.{18})\*.{6}\*.{4}\*.\*.{5}\*(\d{9})`)

// note looks at every number on a document that was told or sent, and fails where one stands on two.
func (w *world) note() {
	w.t.Helper()
	bears := func(number, document string) {
		if before, ok := w.numbers[number]; ok && before != document {
			w.t.Errorf("number %s stands on %s and on %s", number, before, document)
		}
		w.numbers[number] = document
	}
	if w.Up("billing") {
		find(w, "billing", func(m *billingv1.InvoiceIssued) bool {
			bears(m.GetInvoice().GetNumber(), m.GetInvoice().GetName())
			return false
		})
	}
	if w.Up("freight") {
		find(w, "freight", func(m *freightv1.LoadTendered) bool {
			bears(m.GetLoad().GetNumber(), m.GetLoad().GetName())
			return false
		})
	}
	files, err := w.Outbox(w.t.Context())
	must(w.t, err)
	for name, content := range files {
		if m := isa.FindSubmatch(content); m != nil {
			bears(string(m[1])+">"+string(m[2])+" "+string(m[3]), name)
		} else {
			w.t.Errorf("%s is no interchange", name)
		}
	}
}

// save makes a backup of a running service.
func (w *world) save(service string) string {
	w.t.Helper()
	snap, err := w.Store(service).Snapshot(w.t.Context())
	must(w.t, err)
	dir := filepath.Join(w.t.TempDir(), service)
	to, err := backup.Create(dir, snap.Backup)
	must(w.t, err)
	must(w.t, errors.Join(snap.Send(w.t.Context(), to), to.Finish(), snap.Close()))
	return dir
}

// lose destroys a service's store and restores it from a backup.
func (w *world) lose(service, dir string) {
	w.t.Helper()
	w.Close(service)
	folder := filepath.Join(w.Dir, service)
	must(w.t, os.Remove(kept[service].path(folder)))
	_, err := store.Restore(w.t.Context(), store.RestoreOptions{Dir: dir, Path: kept[service].path(folder), Schema: kept[service].schema(), Clock: w.Clock, Actor: "user/dev"})
	must(w.t, err)
	w.Open(service)
}

func (w *world) log(service string) eventlogv1.EventLogServiceClient {
	return eventlogv1.NewEventLogServiceClient(w.Conn(service))
}

// forked are the readers of a log that wait for a person, and how many changes of theirs are orphaned.
func (w *world) forked(log string) map[string]int {
	w.t.Helper()
	out := map[string]int{}
	for _, reader := range sim.Names {
		list, err := w.log(reader).ListConsumers(w.t.Context(), &eventlogv1.ListConsumersRequest{})
		must(w.t, err)
		for _, c := range list.GetConsumers() {
			if c.GetFork() == nil {
				continue
			}
			if c.GetLog() != log {
				w.t.Errorf("%s waits at a fork of %s", reader, c.GetLog())
			}
			out[reader] = len(w.orphans(reader, log, c.GetFork()))
		}
	}
	return out
}

// orphans are listed with causes that are no more.
func (w *world) orphans(reader, log string, fork *eventlogv1.Fork) (all []*eventlogv1.Orphan) {
	w.t.Helper()
	token := ""
	for {
		page, err := w.log(reader).ListOrphans(w.t.Context(), &eventlogv1.ListOrphansRequest{Parent: "consumers/" + log, PageSize: 3, PageToken: token})
		must(w.t, err)
		for _, o := range page.GetOrphans() {
			if o.GetCause().GetLog() != log || o.GetCause().GetSequence() <= fork.GetAfter().GetSequence() || o.GetCause().GetEpoch() >= fork.GetEpoch() {
				w.t.Errorf("%s: orphan %v does not lie behind the fork %v", reader, o, fork)
			}
		}
		all = append(all, page.GetOrphans()...)
		if token = page.GetNextPageToken(); token == "" {
			return all
		}
	}
}

// decide is the person: every reader goes on, every series at a number behind all that were seen, the fence is lifted.
func (w *world) decide(service string) {
	w.t.Helper()
	ctx := w.t.Context()
	log, err := w.log(service).GetLog(ctx, &eventlogv1.GetLogRequest{})
	must(w.t, err)
	epoch := log.GetLast().GetEpoch()
	for reader := range w.forked(service) {
		_, err := w.log(reader).ReconcileConsumer(ctx, &eventlogv1.ReconcileConsumerRequest{Name: "consumers/" + service, Epoch: epoch, Note: "the orphans are being seen to", RequestId: "go on"})
		must(w.t, err)
	}
	fence, err := w.log(service).GetFence(ctx, &eventlogv1.GetFenceRequest{})
	must(w.t, err)
	for _, s := range fence.GetSeries() {
		_, err := w.log(service).ReconcileSeries(ctx, &eventlogv1.ReconcileSeriesRequest{Series: s.GetName(), Next: s.GetNext() + 100, Note: "a hundred numbers are passed over", RequestId: "open " + s.GetName()})
		must(w.t, err)
	}
	w.settle()
	// What the restored service wants to send may have been sent before the crash: each message is looked at.
	tasks, err := w.log(service).ListTasks(ctx, &eventlogv1.ListTasksRequest{})
	must(w.t, err)
	var doubtful []string
	for _, task := range tasks.GetTasks() {
		if task.GetState() == eventlogv1.Task_IN_DOUBT {
			doubtful = append(doubtful, task.GetName())
		}
	}
	w.t.Logf("%s: %d tasks in doubt, each with a work item", service, len(doubtful))
	w.asked(workflowv1.WorkItem_OPEN, doubtful...)
	for _, name := range doubtful {
		_, err := w.log(service).DropTask(ctx, &eventlogv1.DropTaskRequest{Name: name, Note: "it was sent before the crash", RequestId: "drop " + name, WentThrough: true})
		must(w.t, err)
	}
	w.settle()
	w.asked(workflowv1.WorkItem_CLOSED, doubtful...)
	_, err = w.log(service).LiftFence(ctx, &eventlogv1.LiftFenceRequest{Epoch: epoch, Note: "all is seen to", RequestId: "lift"})
	must(w.t, err)
	w.settle()
}

// asked wants a work item in a state for each of the tasks.
func (w *world) asked(state workflowv1.WorkItem_State, tasks ...string) {
	w.t.Helper()
	items, err := workflowv1.NewWorkflowServiceClient(w.Conn("workflow")).ListWorkItems(w.t.Context(), &workflowv1.ListWorkItemsRequest{State: state, PageSize: 500})
	must(w.t, err)
	var subjects []string
	for _, item := range items.GetWorkItems() {
		if item.GetReason() == "TASK_IN_DOUBT" {
			subjects = append(subjects, item.GetSubject())
		}
	}
	if got, want := slices.Sorted(slices.Values(subjects)), slices.Sorted(slices.Values(tasks)); !slices.Equal(got, want) {
		w.t.Errorf("%s work items about tasks in doubt: %q, want %q", state, got, want)
	}
}

// verify replays every log.
func (w *world) verify() {
	w.t.Helper()
	for _, name := range sim.Names {
		report, err := w.Store(name).Verify(context.Background())
		must(w.t, err)
		for _, b := range report.Breaches {
			w.t.Errorf("%s: %s", name, b)
		}
	}
}

func fenced(f *eventlogv1.Fence) string {
	var out []string
	for _, s := range f.GetSeries() {
		if s.GetFenced() {
			out = append(out, s.GetName()+" "+strconv.FormatUint(s.GetNext(), 10))
		}
	}
	return fmt.Sprintf("up %v: %s", f.GetUp(), strings.Join(out, ", "))
}
