package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/tasks"
	"crossdock.dev/tests/expect"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// endpoint is what the tasks of one kind reach: a method of another service, a partner, or nobody.
type endpoint struct {
	effect tasks.Effect
	// method is what is called; empty when a partner is reached otherwise, or nothing outside the service.
	method string
	// where says how a partner is reached.
	where string
}

const (
	outbox  = "outbox"
	webhook = "webhook"
)

// endpoints are those of all kinds of tasks that the suite has. No endpoint is of the class that can neither be repeated nor
// looked up; what the runner does with such a one is held by package tasks.
var endpoints = map[string]endpoint{
	"workflow plan-shipment":       {effect: tasks.Keyed, method: "PlanShipment"},
	"workflow tender-load":         {effect: tasks.Keyed, method: "TenderLoad"},
	"workflow cancel-shipment":     {effect: tasks.Keyed, method: "CancelShipment"},
	"workflow authorize-billing":   {effect: tasks.Keyed, method: "AuthorizeBilling"},
	"workflow issue-invoice":       {effect: tasks.Keyed, method: "IssueInvoice"},
	"workflow timer.step_limit":    {effect: tasks.Keyed},
	"workflow timer.work_item_due": {effect: tasks.Keyed},
	"freight timer.tender_expiry":  {effect: tasks.Keyed},
	"freight timer.load_offer":     {effect: tasks.Keyed},
	"freight timer.feed_silence":   {effect: tasks.Keyed},
	"orders revalidate":            {effect: tasks.Keyed},
	"edi judge":                    {effect: tasks.Keyed},
	"edi order":                    {effect: tasks.Keyed, method: "CreateOrder"},
	"edi carrier":                  {effect: tasks.Keyed, method: "AcceptTender"},
	"edi write":                    {effect: tasks.Keyed},
	"edi send":                     {effect: tasks.Lookup, where: outbox},
	"edi ack":                      {effect: tasks.Keyed},
	"edge webhook":                 {effect: tasks.Keyed, where: webhook},
}

// TestLostAnswers lets every endpoint accept and lose its answer: another service three times for each method, a partner's
// webhook three times for each event, and the disk of every service at each seventh commit, which is after it has accepted: so
// the file in a partner's outbox stands there, and the task that put it does not know. Each effect is there once.
func TestLostAnswers(t *testing.T) {
	begun := time.Now()
	lost, unheard, reached := map[string]int{}, map[string]int{}, map[string]int{}
	losing := func(t *testing.T, seed uint64) *world {
		w := newWorld(t, seed, func(*rand.Rand) rates { return rates{} })
		answers, commits := map[string]int{}, map[string]int{}
		w.call = func(from, method string, deliver func() error) error {
			short := method[strings.LastIndexByte(method, '/')+1:]
			err := deliver()
			if answers[from+short]++; answers[from+short] <= 3 {
				w.note("answer to %s of %s is lost: %v", short, from, status.Code(err))
				lost[short]++
				return status.Error(codes.Unavailable, "the answer was lost")
			}
			return err
		}
		w.commit = func(service string) sim.Commit {
			if commits[service]++; commits[service]%7 != 0 {
				return sim.Synced
			}
			w.note("%s has no power after a commit", service)
			unheard[service]++
			return sim.Unheard
		}
		return w
	}
	kinds := losing(t, 1).TaskKinds()
	for service, list := range kinds {
		for _, kind := range list {
			if _, ok := endpoints[service+" "+kind]; !ok {
				t.Errorf("tasks of kind %q of %s are not in the table", kind, service)
			}
		}
	}
	t.Run("page", func(t *testing.T) {
		w := losing(t, 1)
		hook := listen(t, w)
		var names story.Names
		w.tell(w.acts(&names))
		must(t, w.heal())
		expect.HappyPath(t, w, names)
		w.check()
		hook.check(t, w)
		reached[webhook] = len(hook.seen)
		files, err := w.Suite.Outbox(t.Context())
		must(t, err)
		reached[outbox] = len(files)
	})
	for _, f := range []fate{accepted, declined, silent, cancelledOffered, cancelledAccepted} {
		t.Run(f.String(), func(t *testing.T) {
			w := losing(t, uint64(10+f))
			w.byEDI = f == accepted
			draw := func(n int) int { // the first lane, and this fate
				if n == int(fates) {
					return int(f)
				}
				return 0
			}
			w.tell(w.errands(1, draw))
			must(t, w.heal())
			w.check()
			calm := newWorld(t, uint64(10+f), func(*rand.Rand) rates { return rates{} })
			calm.calm = true
			calm.byEDI = w.byEDI
			calm.tell(calm.errands(1, draw))
			must(t, calm.heal())
			if diff := cmp.Diff(calm.outcome(t.Context()), w.outcome(t.Context())); diff != "" {
				t.Errorf("the end is not that of the orderly run (-want +got):\n%s", diff)
			}
		})
	}
	for kind, e := range endpoints {
		service, _, _ := strings.Cut(kind, " ")
		switch {
		case !slices.Contains(kinds[service], strings.TrimPrefix(kind, service+" ")):
			t.Errorf("there are no tasks of kind %q any more", kind)
		case e.method != "" && lost[e.method] == 0:
			t.Errorf("%s: no answer to %s was lost", kind, e.method)
		case e.where != "" && reached[e.where] == 0:
			t.Errorf("%s: nothing came to the %s", kind, e.where)
		case e.method == "" && unheard[service] == 0:
			t.Errorf("%s: no commit of %s went unheard", kind, service)
		}
	}
	fmt.Printf("lost answers: %d kinds of tasks, %d answers and %d commits unheard, %v\n", len(endpoints), sum(lost), sum(unheard), time.Since(begun).Round(time.Second))
}

// inDoubt is the reason of a work item about a task of which nobody knows whether it went through.
const inDoubt = "TASK_IN_DOUBT"

// TestInDoubt: partners fetch each file at once, and the power of edi fails before it has recorded that it sent it. Nothing tells whether
// it did, so it does not send it again: a person hears of it by a work item and says that it arrived. No partner gets a file twice, and
// the end is that of the orderly run.
func TestInDoubt(t *testing.T) {
	begun := time.Now()
	w := newWorld(t, 1, func(*rand.Rand) rates { return rates{} })
	fetched := map[string]int{} // how often each file was found in the outbox
	taken := map[string][]byte{}
	w.commit = func(service string) sim.Commit {
		if service != "edi" {
			return sim.Synced
		}
		files, err := w.Suite.Outbox(t.Context())
		must(t, err)
		fate := sim.Synced
		for name, content := range files {
			if fetched[name] > 0 {
				continue
			}
			fetched[name]++
			taken[name] = content
			must(t, os.Remove(filepath.Join(w.OutboxDir(), name)))
			w.note("%s is fetched, and edi has no power", name)
			fate = sim.Lost
		}
		return fate
	}
	asked := 0
	w.after = func() {
		if len(taken) == 0 || !w.Up("edi") || !w.Up("workflow") {
			return
		}
		calm := w.calm
		w.calm = true
		defer func() { w.calm = calm }()
		items, err := workflowv1.NewWorkflowServiceClient(w.Conn("workflow")).ListWorkItems(t.Context(), &workflowv1.ListWorkItemsRequest{State: workflowv1.WorkItem_OPEN})
		must(t, err)
		for _, item := range items.GetWorkItems() {
			if item.GetReason() != inDoubt {
				continue
			}
			files, err := w.Suite.Outbox(t.Context())
			must(t, err)
			for name, content := range taken { // from here on the story looks at what the partner has
				if _, again := files[name]; again {
					t.Errorf("%s was sent again", name)
				}
				must(t, os.WriteFile(filepath.Join(w.OutboxDir(), name), content, 0o600))
				delete(taken, name)
			}
			_, err = eventlogv1.NewEventLogServiceClient(w.Conn("edi")).DropTask(t.Context(), &eventlogv1.DropTaskRequest{
				Name: item.GetSubject(), Note: "the partner has it", RequestId: item.GetName(), WentThrough: true,
			})
			must(t, err)
			asked++
			w.note("a person says that %s went through", item.GetSubject())
		}
	}
	var names story.Names
	w.tell(w.acts(&names))
	must(t, w.heal())
	expect.HappyPath(t, w, names, inDoubt)
	w.check()
	if asked != len(fetched) || asked < 3 {
		t.Errorf("a person was asked %d times, about %d files; want once about each of the 204, the 810 and the answers", asked, len(fetched))
	}
	for name, n := range fetched {
		if n != 1 {
			t.Errorf("%s was sent %d times", name, n)
		}
	}
	fmt.Printf("in doubt: %d files fetched and unheard of, as many work items, no file twice, %v\n", asked, time.Since(begun).Round(time.Second))
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// hook is a partner's endpoint that accepts each event, and three times does not say so.
type hook struct {
	mu   sync.Mutex
	seen map[string]int // by webhook-id
}

func listen(t *testing.T, w *world) *hook {
	t.Helper()
	h := &hook{seen: map[string]int{}}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		id := r.Header.Get("webhook-id")
		if h.seen[id]++; h.seen[id] <= 3 {
			panic(http.ErrAbortHandler) // it has it, and the answer is lost
		}
	}))
	t.Cleanup(srv.Close)
	body, err := json.Marshal(map[string]any{"url": srv.URL, "eventTypes": []string{"order.shipped", "order.delivered", "invoice.issued"}})
	must(t, err)
	w.calm = true
	defer func() { w.calm = false }()
	_, err = w.Suite.Call(context.WithoutCancel(t.Context()), "parties/CUS-XYZ", http.MethodPost, "/v1/webhooks", "hook", body)
	must(t, err)
	return h
}

// check wants each event until its answer was heard, under one id.
func (h *hook) check(t *testing.T, w *world) {
	t.Helper()
	for range 24 { // what was not answered is sent again for days
		w.Wait(time.Hour)
		must(t, w.Settle(t.Context()))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.seen) != 3 {
		t.Errorf("%d events came, want the order shipped, delivered and invoiced: %v", len(h.seen), h.seen)
	}
	for id, n := range h.seen {
		if n != 4 {
			t.Errorf("event %s came %d times, want three times without an answer, and once with one", id, n)
		}
	}
}
