package capabilities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/tests/conductor"
	"crossdock.dev/tests/counterparts/carrier"
	"crossdock.dev/tests/counterparts/letter"
	"crossdock.dev/tests/outcome"
	"crossdock.dev/tests/story"
)

// Suite is what is tried: running programs, or a simulation.
type Suite interface {
	story.World
	conductor.Suite
}

// World is a suite on which the working day was played, with those who play outside of it.
type World struct {
	Suite
	// Players go on playing while business time moves: they acknowledge what they are sent.
	Players []conductor.Player
	// Programs are the running programs; nil in a simulation.
	Programs *Programs
	// Expected is what was worked out by hand for the day, Day what the suite told at its end.
	Expected outcome.Expected
	Day      outcome.Reading
	// Root is the project's folder.
	Root string
	// Serial makes the numbers of own orders and interchanges new; it is another in each run on the same data.
	Serial int64

	made int // numbers
}

// Open reads a suite on which the day was played. The caller sets the rest.
func Open(ctx context.Context, s Suite, root string, serial int64) (*World, error) {
	w := &World{Suite: s, Root: root, Serial: serial}
	var err error
	if w.Expected, err = outcome.ReadExpected(os.DirFS(filepath.Join(root, "tests", "day"))); err != nil {
		return nil, err
	}
	if err := s.SetClock(s.Now()); err != nil {
		return nil, err
	}
	w.Day, err = outcome.Read(ctx, s.Conn)
	return w, err
}

func (w *World) orders() ordersv1.OrderServiceClient {
	return ordersv1.NewOrderServiceClient(w.Conn("orders"))
}
func (w *World) freight() freightv1.FreightServiceClient {
	return freightv1.NewFreightServiceClient(w.Conn("freight"))
}
func (w *World) billing() billingv1.BillingServiceClient {
	return billingv1.NewBillingServiceClient(w.Conn("billing"))
}
func (w *World) workflow() workflowv1.WorkflowServiceClient {
	return workflowv1.NewWorkflowServiceClient(w.Conn("workflow"))
}
func (w *World) masterdata() masterdatav1.MasterDataServiceClient {
	return masterdatav1.NewMasterDataServiceClient(w.Conn("masterdata"))
}
func (w *World) edi() ediv1.EdiServiceClient { return ediv1.NewEdiServiceClient(w.Conn("edi")) }
func (w *World) tower() towerv1.TowerServiceClient {
	return towerv1.NewTowerServiceClient(w.Conn("tower"))
}
func (w *World) overview() towerv1.OverviewServiceClient {
	return towerv1.NewOverviewServiceClient(w.Conn("tower"))
}
func (w *World) log(service string) eventlogv1.EventLogServiceClient {
	return eventlogv1.NewEventLogServiceClient(w.Conn(service))
}

// until lets business time go on to an instant; what is due on the way happens. It returns when the suite is at rest.
func (w *World) until(ctx context.Context, at time.Time) error {
	return conductor.Play(ctx, conductor.Config{Suite: w.Suite, Players: w.Players, End: at})
}

// settle returns when the suite is at rest, at the same business time.
func (w *World) settle(ctx context.Context) error { return w.until(ctx, w.Now()) }

// number makes a number that was not used before.
func (w *World) number(prefix string) string {
	w.made++
	return fmt.Sprintf("%s-%s-%d", prefix, strings.ToUpper(strconv.FormatInt(w.Serial, 36)), w.made)
}

// fact is one fact of a log with the head of its entry.
type fact struct {
	*eventlogv1.Fact
	head    *eventlogv1.Head
	message proto.Message
}

// facts reads a service's log after a sequence.
func (w *World) facts(ctx context.Context, service string, after uint64) ([]fact, error) {
	var out []fact
	log := eventlog.Remote(service, w.Conn(service))
	for at := (eventlog.Position{}); ; {
		entries, _, err := log.Read(ctx, at, 500)
		if err != nil || len(entries) == 0 {
			return out, err
		}
		for _, e := range entries {
			head := &eventlogv1.Head{}
			if err := proto.Unmarshal(e.Head, head); err != nil {
				return nil, err
			}
			p := head.GetPosition()
			at = eventlog.Position{Log: p.GetLog(), Epoch: p.GetEpoch(), Sequence: p.GetSequence()}
			if p.GetSequence() <= after {
				continue
			}
			for _, f := range head.GetFacts() {
				m, err := f.GetPayload().UnmarshalNew()
				if err != nil {
					return nil, fmt.Errorf("%s of %s: %w", f.GetType(), service, err)
				}
				out = append(out, fact{f, head, m})
			}
		}
	}
}

// end is the sequence of the last entry of a service's log.
func (w *World) end(ctx context.Context, service string) (uint64, error) {
	l, err := w.log(service).GetLog(ctx, &eventlogv1.GetLogRequest{})
	return l.GetLast().GetSequence(), err
}

// about are the facts that concern a resource.
func about(facts []fact, name string) []fact {
	return slices.DeleteFunc(slices.Clone(facts), func(f fact) bool { return f.GetSubject() != name && !slices.Contains(f.GetRelated(), name) })
}

// ofType are the payloads of one type.
func ofType[M proto.Message](facts []fact) []M {
	var out []M
	for _, f := range facts {
		if m, ok := f.message.(M); ok {
			out = append(out, m)
		}
	}
	return out
}

// order is the order with a customer's number.
func (w *World) order(ctx context.Context, po string) (*ordersv1.Order, error) {
	found, err := w.orders().ListOrders(ctx, &ordersv1.ListOrdersRequest{CustomerOrderNumber: po})
	if err != nil {
		return nil, err
	}
	if n := len(found.GetOrders()); n != 1 {
		return nil, fmt.Errorf("%d orders with number %s, want one", n, po)
	}
	return found.GetOrders()[0], nil
}

// thread is the one case that a reference leads to.
func (w *World) thread(ctx context.Context, reference string) (*towerv1.Thread, error) {
	found, err := w.tower().Explain(ctx, &towerv1.ExplainRequest{Reference: reference})
	if err != nil {
		return nil, fmt.Errorf("explain %s: %w", reference, err)
	}
	if n := len(found.GetThreads()); n != 1 {
		return nil, fmt.Errorf("explain %s: %d cases, want one", reference, n)
	}
	return found.GetThreads()[0], nil
}

// workItems are all work items, newest first.
func (w *World) workItems(ctx context.Context) ([]*workflowv1.WorkItem, error) {
	var out []*workflowv1.WorkItem
	for token := ""; ; {
		page, err := w.workflow().ListWorkItems(ctx, &workflowv1.ListWorkItemsRequest{PageSize: 500, PageToken: token})
		if err != nil {
			return nil, err
		}
		out = append(out, page.GetWorkItems()...)
		if token = page.GetNextPageToken(); token == "" {
			return out, nil
		}
	}
}

// itemsAbout are the work items that have to do with a name.
func (w *World) itemsAbout(ctx context.Context, names ...string) ([]*workflowv1.WorkItem, error) {
	all, err := w.workItems(ctx)
	return slices.DeleteFunc(all, func(i *workflowv1.WorkItem) bool {
		return !slices.ContainsFunc(names, func(n string) bool {
			return strings.HasPrefix(i.GetSubject(), n) || slices.Contains(i.GetRelated(), n)
		})
	}), err
}

// interchange is what came in under a file name.
func (w *World) interchange(ctx context.Context, file string) (*ediv1.Interchange, error) {
	found, err := w.edi().ListInterchanges(ctx, &ediv1.ListInterchangesRequest{PageSize: 200})
	if err != nil {
		return nil, err
	}
	for _, i := range found.GetInterchanges() {
		if i.GetDirection() != ediv1.Interchange_OUTBOUND && i.GetFileName() == file { // what cannot be read has no direction
			return i, nil
		}
	}
	return nil, fmt.Errorf("no interchange came in as %s", file)
}

// x12 is a set as a carrier of the day writes it, in an interchange with a new number.
func (w *World) x12(scac, set string, body ...string) ([]byte, error) {
	data, err := carrier.Data()
	if err != nil {
		return nil, err
	}
	if data, err = fs.Sub(data, scac); err != nil {
		return nil, err
	}
	l, err := letter.Open(data)
	if err != nil {
		return nil, err
	}
	w.made++
	return l.Write(set, body, 100_000_000+int(w.Serial%800_000_000)+w.made, w.Now()), nil
}

// drop brings a file and returns what became of the interchange in it.
func (w *World) drop(ctx context.Context, file string, content []byte) (*ediv1.Interchange, error) {
	if err := w.Drop(ctx, file, content); err != nil {
		return nil, err
	}
	if err := w.settle(ctx); err != nil {
		return nil, err
	}
	return w.interchange(ctx, file)
}

// refused is the answer of the partners' door when it is not 2xx.
func refused(err error) (problem struct {
	Status   int               `json:"status"`
	Reason   string            `json:"reason"`
	Detail   string            `json:"detail"`
	Metadata map[string]string `json:"metadata"`
}, _ error) {
	var rest *story.RESTError
	if !errors.As(err, &rest) {
		return problem, fmt.Errorf("want a refusal, got %v", err)
	}
	return problem, json.Unmarshal(rest.Body, &problem)
}

// page is what was worked out by hand for a scenario, by the number of its page.
func (w *World) page(number string) (outcome.ExpectedScenario, error) {
	for _, s := range w.Expected.Scenarios {
		if strings.HasPrefix(s.ID, number+"-") {
			return s, nil
		}
	}
	return outcome.ExpectedScenario{}, fmt.Errorf("no page %s", number)
}

// figure follows a path into what was worked out by hand; the figure is as text.
func figure(v any, path ...any) (string, error) {
	for i, p := range path {
		var ok bool
		switch key := p.(type) {
		case string:
			var m map[string]any
			if m, ok = v.(map[string]any); ok {
				v, ok = m[key]
			}
		case int:
			var l []any
			if l, ok = v.([]any); ok && key < len(l) {
				v = l[key]
			}
		}
		if !ok {
			return "", fmt.Errorf("what is expected has no %v", path[:i+1])
		}
	}
	return fmt.Sprint(v), nil
}

// amount is money as "3959.20 USD".
func amount(m *money.Money) string {
	if m == nil {
		return "none"
	}
	return story.Decimal(m) + " " + m.GetCurrencyCode()
}

// shown is an instant as text.
func shown(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// bare is the last part of a resource's name.
func bare(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// tasks are what a service has still to do.
func (w *World) tasks(ctx context.Context, service string) ([]*eventlogv1.Task, error) {
	found, err := w.log(service).ListTasks(ctx, &eventlogv1.ListTasksRequest{PageSize: 1000})
	return found.GetTasks(), err
}

// answers returns when a service that was started again answers.
func (w *World) answers(ctx context.Context, service string) error {
	_, err := w.end(ctx, service) // the connection waits
	return err
}

// offer is a 204 that went out.
type offer struct{ carrier, load string }

// offers are the 204s that went out, oldest first.
func (w *World) offers(ctx context.Context) ([]offer, error) {
	facts, err := w.facts(ctx, "edi", 0)
	if err != nil {
		return nil, err
	}
	var out []offer
	for _, m := range ofType[*ediv1.MessageSent](facts) {
		for _, s := range m.GetInterchange().GetTransactionSets() {
			for _, r := range s.GetRelated() {
				if load, ok := strings.CutPrefix(r, "load:"); ok && s.GetSet() == "204" {
					out = append(out, offer{bare(m.GetInterchange().GetParty()), load})
				}
			}
		}
	}
	return out, nil
}
