package capabilities

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	"crossdock.dev/tests/counterparts/segments"
	"crossdock.dev/tests/outcome"
	"crossdock.dev/tests/story"
)

// s9 is scale and resilience.
var s9 = []Capability{
	{ID: "S9.1", What: "load profiles: ten times the traffic, one noisy partner", Missing: "the day has time zones, clock changes and currencies, and `make overload` offers ten times the capacity; no profile of a season is played"},
	{ID: "S9.2", What: "a noisy partner does not slow the others", Missing: "quotas by partner hold and the others get every answer, but their p99 rose from 5 to 9 ms beside a flood (`make overload`)"},
	{ID: "S9.3", What: "buffering, idempotent work, replay, clear domains of failure", Check: fourProperties, Kind: Disturbs, Programs: true},
	{ID: "S9.4", What: "recovery objectives by workflow, measured", Missing: "no objectives are set by workflow; `make drill` prints the recovery point and time that a restore reaches"},
	{ID: "S9.5", What: "criticality decides who comes first", Missing: "a service that is full refuses the less critical methods first; nothing is drained by it"},
	{ID: "S9.6", What: "runbooks linked from alerts, and a mode shown to people", Missing: "there are runbooks; no alerts, no mode"},
	{ID: "S9.7", What: "without tracking orders go on, and the confidence of the estimate falls", Check: trackingLost},
	{ID: "S9.8", What: "nothing is dropped in silence: what came in is what became of it", Check: conserved, Kind: Acts},
}

// s10 is the executive's.
var s10 = []Capability{
	{ID: "S10.1", What: "installable, upgradable, backed up, highly available", Missing: "it runs from a checkout; stores are backed up and restored by command (`make drill`), one instance of each service"},
	{ID: "S10.2", What: "order release, milestones and invoice approval come first", Missing: "their methods are T1 in the contracts; no page shows it"},
	{ID: "S10.3", What: "a new carrier by configuration, certified, timed", Missing: "profiles are a file that is read at start; there is no certification"},
	{ID: "S10.4", What: "KPIs of outcomes", Missing: "there are no KPIs"},
}

// trackingLost reads the order of page 16, whose carrier fell silent after the departure.
func trackingLost(ctx context.Context, w *World) (e Evidence, err error) {
	facts, err := w.facts(ctx, "freight", 0)
	if err != nil {
		return e, err
	}
	order, err := w.order(ctx, "PC-1016")
	if err != nil {
		return e, err
	}
	// The silence lasts from the departure until the delivery is told.
	from, to := time.Date(2026, 3, 11, 14, 30, 0, 0, time.UTC), time.Date(2026, 3, 12, 20, 0, 0, 0, time.UTC)
	var got []string
	for _, f := range about(facts, order.GetName()) {
		if m, ok := f.message.(*freightv1.EtaChanged); ok && f.head.GetApplyTime().AsTime().Before(to) {
			got = append(got, fmt.Sprintf("%s %s %s", shown(f.head.GetOccurTime().AsTime()), m.GetConfidence(), strings.Join(m.GetReasons(), "+")))
		}
	}
	// Page 16: an interval of four hours; levels change when the age of the newest claim reaches 1, 2 and 4 of them.
	want := []string{"2026-03-11 18:30Z MEDIUM FEED_SILENT", "2026-03-11 22:30Z LOW FEED_SILENT", "2026-03-12 06:30Z NONE FEED_SILENT+ONLY_SCHEDULED"}
	var levels []string
	for _, g := range got {
		e.say("PC-1016: %s", g)
		if !strings.Contains(g, " HIGH") {
			levels = append(levels, g)
		}
	}
	if err := same("levels", strings.Join(levels, "; "), strings.Join(want, "; ")); err != nil {
		return e, err
	}
	var wanted []string
	for _, f := range w.Expected.Fillers {
		received, err := figure(f.Fields, "received")
		if err != nil {
			return e, err
		}
		if at, err := time.Parse(time.RFC3339, received); err == nil && !at.Before(from) && at.Before(to) {
			wanted = append(wanted, f.Order)
		}
	}
	var went []string
	for _, o := range w.Day.Orders {
		if at := o.GetCreateTime().AsTime(); !at.Before(from) && at.Before(to) && o.GetRelease() == ordersv1.Order_SECURED {
			went = append(went, o.GetCustomerOrderNumber())
		}
	}
	slices.Sort(wanted)
	slices.Sort(went)
	e.say("meanwhile released and secured: %s", strings.Join(went, ", "))
	return e, same("orders released during the silence", strings.Join(went, " "), strings.Join(wanted, " "))
}

// conserved counts messages three ways: as worked out by hand, as the adapter counts them, and in the files that came in; then it
// brings rubbish.
func conserved(ctx context.Context, w *World) (e Evidence, err error) {
	summary, err := w.Day.Summarise()
	if err != nil {
		return e, err
	}
	total := outcome.Columns{}
	for party, c := range summary.Messages {
		for column, got := range map[string]int{"received": c.Received, "applied": c.Applied, "duplicate": c.Duplicate, "parked": c.Parked, "rejected": c.Rejected} {
			want, err := figure(w.Expected.Day, "messages", party, column)
			if err := first(err, same(party+" "+column, fmt.Sprint(got), want)); err != nil {
				return e, err
			}
		}
		if sum := c.Applied + c.Duplicate + c.Parked + c.Rejected; sum != c.Received {
			return e, fmt.Errorf("%s: %d came in, %d are accounted for", party, c.Received, sum)
		}
		total.Received, total.Applied, total.Duplicate = total.Received+c.Received, total.Applied+c.Applied, total.Duplicate+c.Duplicate
		total.Parked, total.Rejected = total.Parked+c.Parked, total.Rejected+c.Rejected
	}
	e.say("the day: %d messages = %d applied + %d duplicate + %d parked + %d rejected, partner by partner as worked out by hand",
		total.Received, total.Applied, total.Duplicate, total.Parked, total.Rejected)
	for _, service := range []string{"orders", "freight", "billing", "workflow", "edi", "tower"} {
		consumers, err := w.log(service).ListConsumers(ctx, &eventlogv1.ListConsumersRequest{})
		if err != nil {
			return e, err
		}
		for _, c := range consumers.GetConsumers() {
			if sum := c.GetApplied() + c.GetIgnored() + c.GetDeferred() + c.GetParked(); sum != c.GetRead() {
				return e, fmt.Errorf("%s read %d facts of %s and accounts for %d", service, c.GetRead(), c.GetLog(), sum)
			}
		}
	}
	e.say("inside: what each service read of another's log is applied, ignored, deferred or parked")
	if w.Programs != nil {
		if err := countFiles(w, &e); err != nil {
			return e, err
		}
	}
	before, err := w.workItems(ctx)
	if err != nil {
		return e, err
	}
	file := w.number("rubbish") + ".edi"
	in, err := w.drop(ctx, file, []byte("this is no interchange "+file+"\n"))
	if err != nil {
		return e, err
	}
	after, err := w.workItems(ctx)
	if err != nil {
		return e, err
	}
	e.say("rubbish came in as %s: %s, %s; work items: %d, then %d", bare(in.GetName()), in.GetDisposition(), in.GetReason(), len(before), len(after))
	return e, first(same("disposition", in.GetDisposition(), ediv1.Interchange_UNREADABLE), same("work items", len(after), len(before)+1))
}

// countFiles reads the files that the carriers brought with the carriers' own reader, and counts the sets in them.
func countFiles(w *World, e *Evidence) error {
	done := filepath.Join(w.Programs.Dir, "data", "edi", "inbox", ".done")
	entries, err := os.ReadDir(done)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	sets := 0
	for _, i := range w.Day.Interchanges {
		if i.GetDirection() == ediv1.Interchange_INBOUND && strings.HasPrefix(i.GetParty(), "parties/CAR-") {
			known[i.GetFileName()] = true
			sets += len(i.GetTransactionSets())
		}
	}
	read := 0
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(done, entry.Name()))
		if err != nil {
			return err
		}
		name := ""
		for k := range known {
			if strings.HasSuffix(entry.Name(), k) {
				name = k
			}
		}
		if name == "" {
			continue // a customer's, or of another check
		}
		interchanges, err := segments.Read(content)
		if err != nil {
			return fmt.Errorf("%s: %w", entry.Name(), err)
		}
		for _, in := range interchanges {
			read += len(in.Sets)
		}
	}
	e.say("%d sets, 997s too, in the files that carriers brought; the adapter lists %d", read, sets)
	return same("sets that the adapter lists", sets, read)
}

// fourProperties shows each with an order of its own.
func fourProperties(ctx context.Context, w *World) (e Evidence, err error) {
	at, err := w.opening()
	if err := first(err, w.until(ctx, at)); err != nil {
		return e, err
	}
	// Domains of failure, and buffering: with billing away goods are delivered and proven, and the invoice follows when it is back.
	j, err := w.place(ctx, pumps)
	if err != nil {
		return e, err
	}
	if err := inOrder(ctx, j.accept, j.depart, j.deliver); err != nil {
		return e, err
	}
	if err := w.until(ctx, j.delivery().Add(time.Hour)); err != nil {
		return e, err
	}
	if err := w.Programs.hold(ctx, "billing"); err != nil {
		return e, err
	}
	held := true
	defer func() {
		if held {
			err = first(err, w.Programs.free("billing"))
		}
	}()
	proof := fmt.Appendf(nil, `{"load":%q,"order":%q,"type":"SIGNED_RECEIPT","signedAt":%q,"receivedBy":"J. Example","pieces":20,"exceptions":[]}`,
		j.load.GetNumber(), j.po, j.delivery().Format(time.RFC3339))
	if _, err := w.REST(ctx, "parties/CAR-CXEE", http.MethodPost, "/v1/proofsOfDelivery", "held-"+j.po, proof); err != nil {
		return e, err
	}
	if err := poll(ctx, func() (bool, error) {
		order, err := w.order(ctx, j.po)
		return order.GetFulfilment() == ordersv1.Order_DELIVERED, err
	}); err != nil {
		return e, err
	}
	// What needs billing is refused by name, and nothing else.
	secret, err := w.secret(ctx, "parties/CUS-HHS")
	if err != nil {
		return e, err
	}
	_, refusal := story.Call(ctx, "http://"+w.Programs.addrs["edge"].HTTP, secret, http.MethodGet, "/v1/invoices", "", nil)
	problem, err := refused(refusal)
	if err := first(err, same("status of GET /v1/invoices", problem.Status, http.StatusServiceUnavailable)); err != nil {
		return e, err
	}
	answer, err := story.Call(ctx, "http://"+w.Programs.addrs["edge"].HTTP, secret, http.MethodGet, "/v1/"+j.order.GetName(), "", nil)
	if err != nil {
		return e, err
	}
	if !strings.Contains(string(answer), `"DELIVERED"`) {
		return e, fmt.Errorf("the customer does not read DELIVERED: %s", answer)
	}
	e.say("failure domain: with billing stopped GET /v1/invoices is %d %s; %s is taken, proven and DELIVERED all the same", problem.Status, problem.Reason, j.po)
	if held, err = false, w.Programs.free("billing"); err != nil {
		return e, err
	}
	if err := first(w.answers(ctx, "billing"), w.settle(ctx)); err != nil {
		return e, err
	}
	i, err := j.invoice(ctx, pumpsTotal)
	if err != nil {
		return e, err
	}
	e.say("buffering: billing is back and has invoiced it, %s over %s", i.GetNumber(), amount(i.GetTotal()))
	// Idempotent: the same command again.
	end, err := w.end(ctx, "freight")
	if err != nil {
		return e, err
	}
	if _, err := w.REST(ctx, "parties/CAR-CXEE", http.MethodPost, "/v1/proofsOfDelivery", "held-"+j.po, proof); err != nil {
		return e, err
	}
	now, err := w.end(ctx, "freight")
	if err := first(err, same("end of freight's log after a repeat", now, end)); err != nil {
		return e, err
	}
	e.say("idempotent: the same proof with the same key again, freight's log still ends at %d", now)
	// Replay: each store is made again from its log and compared, record by record.
	checks, err := noBreaches(ctx, w)
	e.say("replay: every store replayed from its log and compared: %s", checks)
	return e, err
}

// secret is a partner's key.
func (w *World) secret(ctx context.Context, party string) (string, error) {
	s, ok := w.Suite.(interface {
		Secret(ctx context.Context, party string) (string, error)
	})
	if !ok {
		return "", fmt.Errorf("%T tells no keys", w.Suite)
	}
	return s.Secret(ctx, party)
}
