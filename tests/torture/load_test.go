package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// load is partners at work: a number of flows at a time, each from an order to the end of its process.
type load struct {
	*world
	ctx   context.Context
	board *board
	file  string // the 850, as found

	flows, watchers sync.WaitGroup
	stopWatching    context.CancelFunc
	enough          chan struct{} // closed when no more flows begin

	mu      sync.Mutex
	ledger  []request
	begun   map[string]goods // flows by the customer's order number
	failed  []error
	hooks   map[string]int  // webhook messages by id, as they were taken
	refused map[string]bool // those that were refused once; nil where the endpoint refuses none
	timers  *timers         // what was set beside the flows; nil for nothing
	acked   map[string]bool
	hookSrv *httptest.Server
}

// request is one that was answered.
type request struct {
	party, method, path, key string
	body, answer             []byte
}

// goods are what a flow is about. What is invoiced and billed was worked out by hand: pages 08 and 01 of the day.
type goods struct {
	customer, carrier string
	edi               bool
	invoice           string
	pieces            int
	charges           [][2]string
	total             string
}

var (
	// pumps are 20 pumps from Columbus to Indianapolis by REST: freight 160.00 and fuel 12 %; cost 310.00 less 55 % and fuel 29.5 %.
	pumps = goods{
		customer: "CUS-HHS", carrier: "CXEE", invoice: "3959.20", pieces: 20,
		charges: [][2]string{{"LHS", "310.00"}, {"DSC", "-170.50"}, {"FUE", "41.15"}}, total: "180.65",
	}
	// widgets are the customer's 850 to Solon.
	widgets = goods{
		customer: "CUS-XYZ", carrier: "CXBB", edi: true, invoice: "13558.47", pieces: 314,
		charges: [][2]string{{"LHS", "830.54"}, {"DSC", "-498.32"}, {"FUE", "93.02"}}, total: "425.24",
	}
)

// pace is the shortest time between two flows once the first are in flight: it is faults that this is about, not speed.
const pace = 400 * time.Millisecond

// startLoad begins flows until so many are in flight, and others when some have ended, until stop. prepare may do something before the
// first flow begins; the files that are sent by then are nobody's to acknowledge.
func (w *world) startLoad(inFlight int, prepare ...func(l *load)) *load {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	file, err := os.ReadFile(filepath.Join(sim.Root(w), "tests", "day", "x12", "850.edi"))
	must(w, err)
	l := &load{
		world: w, ctx: w.Context(), file: string(file), board: newBoard(), enough: make(chan struct{}), begun: map[string]goods{},
		hooks: map[string]int{}, acked: map[string]bool{}, stopWatching: cancel,
	}
	w.Cleanup(func() { cancel(); l.watchers.Wait() })
	must(w, l.listen())
	for _, service := range []string{"orders", "freight", "billing", "workflow", "edi"} {
		l.watchers.Go(func() { l.board.follow(ctx, service, eventlog.Remote(service, w.live.Conn(service))) })
	}
	for _, p := range prepare {
		p(l)
		files, err := l.sent()
		must(w, err)
		for name := range files {
			l.acked[name] = true
		}
	}
	l.watchers.Go(func() { l.acknowledge(ctx) })
	number := make(chan int)
	go func() {
		defer close(number)
		for n := 1; ; n++ {
			select {
			case number <- n:
			case <-l.enough:
				return
			case <-ctx.Done():
				return
			}
			if n >= inFlight && wait(ctx, pace) != nil {
				return
			}
		}
	}()
	for range inFlight {
		l.flows.Go(func() {
			for n := range number {
				if err := l.flow(n); err != nil {
					l.mu.Lock()
					l.failed = append(l.failed, fmt.Errorf("flow %d: %w", n, err))
					l.mu.Unlock()
					return
				}
			}
		})
	}
	return l
}

// stop begins no more flows and waits until those in flight have ended.
func (l *load) stop() {
	l.Helper()
	close(l.enough)
	ended := make(chan struct{})
	go func() { l.flows.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(patience):
		l.Errorf("flows do not end: %s", l.board.open(slices.Collect(maps.Keys(l.begun))))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, err := range l.failed {
		if i == 10 {
			l.Errorf("and %d more flows", len(l.failed)-i)
			break
		}
		l.Error(err)
	}
}

// count is how many flows have begun.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.begun)
}

// flow plays one order from its beginning to the end of its process. Every third comes as an 850.
func (l *load) flow(n int) error {
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	g, po := pumps, fmt.Sprintf("T-%05d", n)
	if n%3 == 0 {
		g = widgets
	}
	l.mu.Lock()
	l.begun[po] = g
	l.mu.Unlock()
	if err := l.order(ctx, g, po, n); err != nil {
		return fmt.Errorf("order %s: %w", po, err)
	}
	order, err := l.board.await(ctx, "released/"+po)
	if err != nil {
		return err
	}
	tendered, err := l.board.await(ctx, "tendered/"+order)
	if err != nil {
		return err
	}
	tender, load, number := split(tendered)
	carrier, now := "parties/CAR-"+g.carrier, today.Format(time.RFC3339)
	claim := func(milestone string, stop int) error {
		return l.change(ctx, carrier, "/v1/"+load+"/claims", milestone+"-"+number,
			map[string]any{"milestone": milestone, "stop": stop, "occurTime": now, "reasonCode": "NS"})
	}
	amount := func(s string) map[string]any { return story.MoneyJSON(s, "USD") }
	var charges []any
	for _, c := range g.charges {
		charges = append(charges, map[string]any{"code": c[0], "amount": amount(c[1])})
	}
	for _, step := range []func() error{
		func() error {
			return l.change(ctx, carrier, "/v1/"+tender+":accept", "accept-"+number, map[string]any{"carrierReference": "PRO" + number})
		},
		func() error { return claim("DEPARTED_PICKUP", 1) },
		func() error { return claim("DELIVERED", 2) },
		func() error {
			return l.change(ctx, carrier, "/v1/proofsOfDelivery", "proof-"+number, map[string]any{
				"load": number, "order": po, "type": "SIGNED_RECEIPT", "signedAt": now, "receivedBy": "J. Example", "pieces": g.pieces, "exceptions": []any{},
			})
		},
		func() error { _, err := l.board.await(ctx, "invoiced/"+order); return err },
		func() error {
			return l.change(ctx, carrier, "/v1/freightBills", "bill-"+number, map[string]any{
				"invoiceNumber": "B-" + number, "loadNumber": number, "carrierReference": "PRO" + number, "charges": charges, "total": amount(g.total),
				"billDate": map[string]int{"year": today.Year(), "month": int(today.Month()), "day": today.Day()},
			})
		},
		func() error { _, err := l.board.await(ctx, "ended/"+order); return err },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("order %s, load %s: %w", po, number, err)
		}
	}
	return nil
}

// order sends the order in, by REST or as a file with an 850.
func (l *load) order(ctx context.Context, g goods, po string, n int) error {
	if !g.edi {
		return l.change(ctx, "parties/"+g.customer, "/v1/orders", "order-"+po, orderOfPumps(po))
	}
	content := strings.NewReplacer(
		"*000003438*", fmt.Sprintf("*%09d*", 700_000_000+n), "IEA*1*000003438", fmt.Sprintf("IEA*1*%09d", 700_000_000+n), story.PurchaseOrder, po,
	).Replace(l.file)
	return l.drop(ctx, "po-"+po+".edi", []byte(content))
}

func orderOfPumps(po string) map[string]any {
	return map[string]any{
		"customerOrderNumber": po, "shipFrom": "locations/LOC-CMH", "shipTo": "locations/LOC-INDH", "mode": "LTL", "currencyCode": "USD",
		"lines": []any{map[string]any{"line": "10", "item": "items/NS-PUMP-10", "quantity": map[string]string{"value": "20", "unit": "EA"}, "unitPrice": "189.00"}},
	}
}

// drop brings a file, again while the disk does not take it.
func (l *load) drop(ctx context.Context, name string, content []byte) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := l.bring(name, content)
		if err == nil {
			return nil
		}
		l.world.mu.Lock()
		l.heard["inbox refuses"]++
		l.world.mu.Unlock()
		if wait(ctx, pause) != nil {
			return err
		}
	}
}

// bring puts a file into the inbox so that it is on the disk, as whatever takes partners' files in must before it says that it has.
func (l *load) bring(name string, content []byte) error {
	l.files.RLock()
	defer l.files.RUnlock()
	inbox, err := os.Open(l.live.Inbox())
	if err != nil {
		return err
	}
	defer inbox.Close()
	part := filepath.Join(inbox.Name(), "."+name+".part")
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(part, filepath.Join(inbox.Name(), name)); err != nil {
		return err
	}
	return inbox.Sync()
}

// sent are the files that were sent to partners.
func (l *load) sent() (map[string][]byte, error) {
	l.files.RLock()
	defer l.files.RUnlock()
	return l.live.Outbox(l.ctx)
}

// change makes a change at the door, and notes in the ledger what it was answered.
func (l *load) change(ctx context.Context, party, path, key string, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	answer, err := l.ask(ctx, party, http.MethodPost, path, key, raw)
	if err != nil {
		return fmt.Errorf("POST %s: %w", path, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ledger = append(l.ledger, request{party, http.MethodPost, path, key, raw, answer})
	return nil
}

// listen registers an endpoint of the customer's that orders by REST, and counts what it is told.
func (l *load) listen() error {
	l.hookSrv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		id := r.Header.Get("webhook-id")
		if l.refused != nil && !l.refused[id] {
			l.refused[id] = true
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		l.hooks[id]++
	}))
	l.Cleanup(l.hookSrv.Close)
	body, err := json.Marshal(map[string]any{"url": l.hookSrv.URL, "eventTypes": []string{"invoice.issued"}})
	if err != nil {
		return err
	}
	_, err = l.ask(l.ctx, "parties/"+pumps.customer, http.MethodPost, "/v1/webhooks", "hook", body) // its answer shows a secret once: it is not in the ledger
	return err
}

// look is how often the partners look into their mailboxes.
const look = 200 * time.Millisecond

// acknowledge is the program behind the partners' mailboxes: it answers each file that is not a 997 itself with one.
func (l *load) acknowledge(ctx context.Context) {
	for wait(ctx, look) == nil {
		files, err := l.sent()
		if err != nil {
			continue // the folder is away; later
		}
		for _, name := range slices.Sorted(maps.Keys(files)) {
			text := string(files[name])
			if l.acked[name] || strings.Contains(text, "ST*997*") {
				continue
			}
			answer, err := story.FunctionalAck(text)
			if err != nil {
				l.Errorf("%s: %v", name, err)
				return
			}
			if l.bring("997-"+strings.ReplaceAll(name, "/", "-"), answer) != nil {
				break // the inbox is away; later
			}
			l.acked[name] = true
		}
	}
}

// board is what the logs tell, as a partner or a person who follows them learns it.
type board struct {
	mu      sync.Mutex
	changed chan struct{}
	told    map[string]string
	times   map[string]int
	hashes  map[string][][]byte  // of the entries that were read, by log
	applied map[string]time.Time // when the last of them was, by log
	errs    []error
}

func newBoard() *board {
	return &board{changed: make(chan struct{}), told: map[string]string{}, times: map[string]int{}, hashes: map[string][][]byte{}, applied: map[string]time.Time{}}
}

// follow reads a log from its beginning until ctx ends.
func (b *board) follow(ctx context.Context, service string, log eventlog.Source) {
	var after eventlog.Position
	for ctx.Err() == nil {
		entries, _, err := log.Read(ctx, after, 256)
		if err != nil {
			if ctx.Err() == nil {
				b.mu.Lock()
				b.errs = append(b.errs, fmt.Errorf("log of %s after %v: %w", service, after, err))
				b.mu.Unlock()
			}
			if wait(ctx, lastPause) != nil {
				return
			}
			continue
		}
		if len(entries) == 0 {
			select {
			case <-log.Changed(ctx, after):
			case <-ctx.Done():
			}
			continue
		}
		for _, e := range entries {
			var head eventlogv1.Head
			if err := proto.Unmarshal(e.Head, &head); err != nil {
				b.mu.Lock()
				b.errs = append(b.errs, err)
				b.mu.Unlock()
				return
			}
			p := head.GetPosition()
			after = eventlog.Position{Log: p.GetLog(), Epoch: p.GetEpoch(), Sequence: p.GetSequence()}
			b.take(service, e.Hash, &head)
		}
	}
}

func (b *board) take(service string, hash []byte, head *eventlogv1.Head) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hashes[service] = append(b.hashes[service], hash)
	at := head.GetApplyTime().AsTime()
	if at.Before(b.applied[service]) {
		b.errs = append(b.errs, fmt.Errorf("log of %s: entry %d was applied at %v, the one before at %v", service, head.GetPosition().GetSequence(), at, b.applied[service]))
	}
	b.applied[service] = at
	for _, f := range head.GetFacts() {
		m, err := f.GetPayload().UnmarshalNew()
		if err != nil {
			continue
		}
		var key, value string
		switch m := m.(type) {
		case *ordersv1.OrderReleased:
			key, value = "released/"+m.GetRelease().GetCustomerOrderNumber(), m.GetRelease().GetOrder()
		case *freightv1.LoadTendered:
			if s := m.GetShipments(); len(s) > 0 {
				key, value = "tendered/"+s[0].GetOrder(), m.GetTender().GetName()+" "+m.GetLoad().GetName()+" "+m.GetLoad().GetNumber()
			}
			if rank := m.GetTender().GetRank(); rank > 1 {
				key = fmt.Sprintf("%s/%d", key, rank)
			}
		case *billingv1.InvoiceIssued:
			key, value = "invoiced/"+m.GetInvoice().GetOrder(), m.GetInvoice().GetName()
		case *freightv1.TenderExpired:
			key = "expired/" + m.GetTender().GetName()
		case *freightv1.EtaChanged:
			key = fmt.Sprintf("trust/%s/%s", m.GetShipment().GetLoad(), m.GetConfidence())
		case *ediv1.MessageSent:
			for _, name := range f.GetRelated() {
				if number, ok := strings.CutPrefix(name, "load:"); ok && m.GetInterchange().GetTransactionSets()[0].GetSet() == "204" {
					key, value = "204/"+number+"/"+m.GetInterchange().GetParty(), m.GetInterchange().GetName()
				}
			}
		case *ediv1.AcknowledgementOverdue:
			key = "unacknowledged/" + f.GetSubject()
		case *workflowv1.WorkItemOpened:
			key, value = "opened/"+m.GetWorkItem().GetReason()+"/"+m.GetWorkItem().GetSubject(), m.GetWorkItem().GetName()
		case *workflowv1.WorkItemOverdue:
			key = "overdue/" + m.GetWorkItem().GetName()
		case *workflowv1.ProcessEnded:
			key, value = "ended/"+m.GetProcess().GetOrder(), m.GetProcess().GetName()
		}
		if key != "" {
			b.told[key] = value
			b.times[key]++
		}
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// await waits until the board tells something.
func (b *board) await(ctx context.Context, key string) (string, error) {
	for {
		b.mu.Lock()
		value, ok := b.told[key]
		changed := b.changed
		b.mu.Unlock()
		if ok {
			return value, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", errors.Join(fmt.Errorf("%s: not told", key), ctx.Err())
		}
	}
}

// open says how far flows have come that have not ended.
func (b *board) open(orders []string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.Sort(orders)
	var out []string
	for _, po := range orders {
		order, at := b.told["released/"+po], "not released"
		for _, step := range []string{"tendered", "invoiced", "ended"} {
			if order != "" && b.told[step+"/"+order] != "" {
				at = step
			}
		}
		if order != "" && at == "not released" {
			at = "released"
		}
		if at != "ended" {
			out = append(out, po+" "+at)
		}
	}
	return fmt.Sprintf("%d: %s", len(out), strings.Join(out[:min(20, len(out))], ", "))
}

func split(s string) (a, b, c string) {
	f := strings.Fields(s)
	return f[0], f[1], f[2]
}
