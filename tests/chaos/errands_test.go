package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/tests/story"
)

// fate is what becomes of a truckload.
type fate int

const (
	accepted fate = iota
	declined      // by the first carrier
	silent        // the first carrier lets the offer expire
	cancelledOffered
	cancelledAccepted
	fates
)

func (f fate) String() string {
	return [...]string{"is accepted", "is declined, and accepted by the next", "expires, and is accepted by the next", "is called off", "is called off when it was accepted"}[f]
}

// lane is a truckload out of Columbus that arrives the next day; its carriers are CXAA, then CXCC.
type lane struct{ customer, to, item, quantity, price string }

var lanes = []lane{
	{"CUS-PIN", "LOC-DETP", "NS-PANEL-20", "150", "96.00"},
	{"CUS-PIN", "LOC-INDP", "NS-PANEL-20", "200", "96.00"},
	{"CUS-HHS", "LOC-CHI", "NS-PUMP-10", "150", "189.00"},
	{"CUS-HHS", "LOC-DETH", "NS-PUMP-10", "120", "189.00"},
}

// errand is one truckload from order to cash, by REST.
type errand struct {
	w    *world
	po   string
	lane lane
	fate fate

	order, load, number, tender, carrier string
}

// errands are the acts of some truckloads, each at its time. What is drawn is the story; what goes wrong on the way is not.
func (w *world) errands(n int, draw func(int) int) []story.Act {
	var acts []story.Act
	for i := range n {
		e := &errand{w: w, po: fmt.Sprintf("ER-%d", i+1), lane: lanes[draw(len(lanes))], fate: fate(draw(int(fates)))}
		acts = append(acts, e.acts(time.Duration(i)*7*time.Minute)...)
	}
	slices.SortStableFunc(acts, func(a, b story.Act) int { return a.At.Compare(b.At) })
	return acts
}

func (e *errand) acts(shift time.Duration) []story.Act {
	at := func(day, hour, minute int) time.Time {
		return time.Date(2026, 3, day, hour, minute, 0, 0, time.UTC).Add(shift)
	}
	act := func(at time.Time, what string, do func(context.Context) error) story.Act {
		return story.Act{At: at, What: e.po + ", which " + e.fate.String() + ": " + what, Do: do}
	}
	acts := []story.Act{act(at(2, 14, 0), "ordered", e.place)}
	first := e.accept
	switch e.fate {
	case declined:
		acts = append(acts, act(at(2, 15, 0), "declined", e.decline))
		first = nil
	case silent: // the carrier has four of its business hours
		acts = append(acts, act(at(2, 18, 40), "expired", e.next))
		first = nil
	case cancelledOffered:
		return append(acts, act(at(2, 15, 0), "called off", e.cancel))
	}
	if first != nil {
		acts = append(acts, act(at(2, 15, 0), "accepted", first))
	} else if e.fate == declined {
		acts = append(acts, act(at(2, 15, 30), "accepted", e.accept))
	} else {
		acts = append(acts, act(at(2, 19, 10), "accepted", e.accept))
	}
	if e.fate == cancelledAccepted {
		return append(acts, act(at(2, 16, 0), "called off", e.cancel), act(at(5, 15, 0), "billed", e.bill))
	}
	depart := act(at(3, 15, 0), "departed", func(ctx context.Context) error { return e.report(ctx, "DEPARTED_PICKUP", 1, at(3, 15, 0)) })
	deliver := act(at(4, 15, 0), "delivered", func(ctx context.Context) error { return e.report(ctx, "DELIVERED", 2, at(4, 15, 0)) })
	if e.w.chance(e.w.rates.late) { // the reports come in the other order
		depart.At = at(4, 15, 30)
	}
	return append(acts, depart, deliver, act(at(4, 16, 30), "proved", e.prove), act(at(5, 15, 0), "billed", e.bill))
}

func (e *errand) place(ctx context.Context) error {
	answer, err := e.call(ctx, e.lane.customer, "/v1/orders", "order", map[string]any{
		"customerOrderNumber": e.po, "mode": "TL", "currencyCode": "USD", "shipFrom": "locations/LOC-CMH", "shipTo": "locations/" + e.lane.to,
		"lines": []any{map[string]any{
			"line": "10", "item": "items/" + e.lane.item, "quantity": map[string]string{"value": e.lane.quantity, "unit": "EA"}, "unitPrice": e.lane.price,
		}},
	})
	if err != nil {
		return err
	}
	var order struct{ Name string }
	if err := json.Unmarshal(answer, &order); err != nil {
		return err
	}
	e.order = order.Name
	return e.offered(ctx)
}

// offered waits for an offer to a carrier that has not had one.
func (e *errand) offered(ctx context.Context) error {
	before := e.tender
	told, err := awaitFact(ctx, e.w, "freight", func(m *freightv1.LoadTendered) bool {
		return m.GetTender().GetName() != before && slices.ContainsFunc(m.GetShipments(), func(s *freightv1.Shipment) bool { return s.GetOrder() == e.order })
	})
	if err != nil {
		return err
	}
	e.load, e.number, e.tender, e.carrier = told.GetLoad().GetName(), told.GetLoad().GetNumber(), told.GetTender().GetName(), told.GetTender().GetScac()
	// Hours go by, and an offer that is withdrawn before it was written is never sent.
	_, err = awaitFact(ctx, e.w, "edi", func(m *ediv1.MessageSent) bool {
		return slices.ContainsFunc(m.GetInterchange().GetTransactionSets(), func(s *ediv1.Interchange_TransactionSet) bool {
			return slices.Contains(s.GetRelated(), e.tender)
		})
	})
	return err
}

// accept takes the offer, by REST or by a 990 (X12 004010).
func (e *errand) accept(ctx context.Context) error {
	if e.w.byEDI {
		text := fmt.Sprintf("ISA*00*          *00*          *02*%-15s*ZZ*%-15s*260302*1500*U*00401*000000001*0*P*>~\nGS*GF*%s*NORTHLINE*20260302*1500*1*X*004010~\n"+
			"ST*990*0001~\nB1*%s*%s*20260302*A~\nN9*CN*PRO%s~\nSE*4*0001~\nGE*1*1~\nIEA*1*000000001~\n", e.carrier, "NORTHLINE", e.carrier, e.carrier, e.number, e.po)
		if err := e.w.Drop(ctx, "990.edi", []byte(text)); err != nil {
			return err
		}
	} else if _, err := e.call(ctx, "CAR-"+e.carrier, "/v1/"+e.tender+":accept", "accept", map[string]any{"carrierReference": "PRO" + e.po}); err != nil {
		return err
	}
	_, err := awaitFact(ctx, e.w, "billing", func(m *billingv1.JournalEntryPosted) bool {
		return m.GetJournalEntry().GetMoment() == "load booked: cost accrual" && slices.Contains(m.GetJournalEntry().GetRelated(), e.order)
	})
	return err
}

func (e *errand) decline(ctx context.Context) error {
	if _, err := e.call(ctx, "CAR-"+e.carrier, "/v1/"+e.tender+":decline", "decline", map[string]any{"reason": "CAPACITY"}); err != nil {
		return err
	}
	return e.next(ctx)
}

// next waits until the next carrier is asked. An offer that has expired is told first: the new one is another.
func (e *errand) next(ctx context.Context) error { return e.offered(ctx) }

func (e *errand) cancel(ctx context.Context) error {
	if _, err := e.call(ctx, e.lane.customer, "/v1/"+e.order+":cancel", "cancel", map[string]any{"reason": "changed plans"}); err != nil {
		return err
	}
	_, err := awaitFact(ctx, e.w, "freight", func(m *freightv1.LoadCancelled) bool { return m.GetLoad().GetName() == e.load })
	if err != nil || e.fate != cancelledAccepted {
		return err
	}
	// Days go by before the carrier bills what it is owed instead.
	_, err = awaitFact(ctx, e.w, "billing", func(m *billingv1.JournalEntryPosted) bool {
		return m.GetJournalEntry().GetMoment() == "TONU accrued" && slices.Contains(m.GetJournalEntry().GetRelated(), e.order)
	})
	return err
}

func (e *errand) report(ctx context.Context, milestone string, stop int, at time.Time) error {
	_, err := e.call(ctx, "CAR-"+e.carrier, "/v1/"+e.load+"/claims", milestone,
		map[string]any{"milestone": milestone, "stop": stop, "occurTime": at.Format(time.RFC3339), "reasonCode": "NS"})
	return err
}

func (e *errand) prove(ctx context.Context) error {
	var pieces int
	fmt.Sscan(e.lane.quantity, &pieces)
	_, err := e.call(ctx, "CAR-"+e.carrier, "/v1/proofsOfDelivery", "proof", map[string]any{
		"load": e.number, "order": e.po, "type": "SIGNED_RECEIPT", "signedAt": "2026-03-04T15:10:00Z", "receivedBy": "J. Example",
		"pieces": pieces, "exceptions": []any{},
	})
	if err != nil {
		return err
	}
	_, err = awaitFact(ctx, e.w, "billing", func(m *billingv1.InvoiceIssued) bool { return m.GetInvoice().GetOrder() == e.order })
	return err
}

// bill is what the load costs, charge by charge.
func (e *errand) bill(ctx context.Context) error {
	load, err := e.readLoad(ctx)
	if err != nil {
		return err
	}
	var charges []any
	for _, c := range load.GetCharges().GetCharges() {
		charges = append(charges, map[string]any{"code": c.GetCode(), "amount": dollars(c.GetAmount())})
	}
	if _, err := e.call(ctx, "CAR-"+e.carrier, "/v1/freightBills", "bill", map[string]any{
		"invoiceNumber": "B" + e.po, "loadNumber": e.number, "carrierReference": "PRO" + e.po, "charges": charges, "total": dollars(load.GetCharges().GetTotal()),
		"billDate": map[string]int{"year": 2026, "month": 3, "day": 5},
	}); err != nil {
		return err
	}
	_, err = awaitFact(ctx, e.w, "workflow", func(m *workflowv1.ProcessEnded) bool { return m.GetProcess().GetOrder() == e.order })
	return err
}

// readLoad asks freight until it is up.
func (e *errand) readLoad(ctx context.Context) (load *freightv1.Load, err error) {
	for range 2000 {
		load, err = freightv1.NewFreightServiceClient(e.w.Conn("freight")).GetLoad(ctx, &freightv1.GetLoadRequest{Name: e.load})
		if err == nil || e.w.Up("freight") {
			return load, err
		}
		if err := e.w.turn(); err != nil {
			return nil, err
		}
	}
	return nil, err
}

func dollars(m *money.Money) map[string]any {
	return map[string]any{"currencyCode": m.GetCurrencyCode(), "units": fmt.Sprint(m.GetUnits()), "nanos": m.GetNanos()}
}

func (e *errand) call(ctx context.Context, party, path, key string, body any) ([]byte, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return e.w.REST(ctx, "parties/"+party, http.MethodPost, path, key+"-"+e.po, raw)
}

// awaitFact waits for a fact of one type.
func awaitFact[M proto.Message](ctx context.Context, w *world, service string, fits func(M) bool) (M, error) {
	payload, err := w.Await(ctx, service, func(p proto.Message) bool {
		m, ok := p.(M)
		return ok && fits(m)
	})
	if err != nil {
		var none M
		return none, fmt.Errorf("wait for %T of %s: %w", none, service, err)
	}
	return payload.(M), nil
}

// overdue is the work item about a message that nobody has acknowledged: the carriers of the errands speak REST and leave their
// mailboxes alone. When it is opened depends on when the message was sent.
const overdue = "ACK_OVERDUE"

// outcome is what is left of a story, without ids, numbers and times: those follow from the order of things that have none.
func (w *world) outcome(ctx context.Context) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	freight, billing := freightv1.NewFreightServiceClient(w.Conn("freight")), billingv1.NewBillingServiceClient(w.Conn("billing"))
	flow := workflowv1.NewWorkflowServiceClient(w.Conn("workflow"))
	orders, err := ordersv1.NewOrderServiceClient(w.Conn("orders")).ListOrders(ctx, &ordersv1.ListOrdersRequest{})
	must(w.t, err)
	pos, names := map[string]string{}, []string{}
	for _, o := range orders.GetOrders() {
		po := o.GetCustomerOrderNumber()
		pos[o.GetName()] = po
		add("%s: order %s %s %s %s", po, o.GetCommercial(), o.GetRelease(), o.GetFulfilment(), o.GetBilling())
		for _, l := range o.GetLines() {
			q := l.GetQuantities()
			add("%s: line %s ordered %s released %s shipped %s cancelled %s accepted %s billed %s", po, l.GetLine(), q.GetOrdered(), q.GetReleased(),
				q.GetShipped(), q.GetCancelledAfterRelease(), q.GetAccepted(), q.GetBilled())
		}
		names = append(names, o.GetName())
	}
	loads := map[string]string{}
	shipments, err := freight.ListShipments(ctx, &freightv1.ListShipmentsRequest{})
	must(w.t, err)
	for _, s := range shipments.GetShipments() {
		add("%s: shipment %s", pos[s.GetOrder()], s.GetState())
		loads[s.GetLoad()] = pos[s.GetOrder()]
	}
	listed, err := freight.ListLoads(ctx, &freightv1.ListLoadsRequest{})
	must(w.t, err)
	numbers := map[string]string{}
	for _, l := range listed.GetLoads() {
		add("%s: load %s by %s for %s", loads[l.GetName()], l.GetState(), l.GetCarrier(), story.Decimal(l.GetCharges().GetTotal()))
		numbers[l.GetNumber()] = loads[l.GetName()]
	}
	tenders, err := freight.ListTenders(ctx, &freightv1.ListTendersRequest{})
	must(w.t, err)
	for _, t := range tenders.GetTenders() {
		add("%s: tender to %s %s", loads[t.GetLoad()], t.GetScac(), t.GetState())
	}
	invoices, err := billing.ListInvoices(ctx, &billingv1.ListInvoicesRequest{})
	must(w.t, err)
	for _, i := range invoices.GetInvoices() {
		add("%s: invoice %s %s", pos[i.GetOrder()], i.GetState(), story.Decimal(i.GetTotal()))
	}
	bills, err := billing.ListFreightBills(ctx, &billingv1.ListFreightBillsRequest{})
	must(w.t, err)
	for _, b := range bills.GetFreightBills() {
		add("%s: freight bill %s %s", numbers[b.GetLoadNumber()], b.GetState(), story.Decimal(b.GetTotal()))
	}
	entries, err := billing.ListJournalEntries(ctx, &billingv1.ListJournalEntriesRequest{})
	must(w.t, err)
	for _, e := range entries.GetJournalEntries() {
		of := ""
		for _, r := range e.GetRelated() {
			of = max(of, pos[r])
		}
		for _, l := range e.GetLines() {
			add("%s: %s: %s Dr %s Cr %s", of, e.GetMoment(), l.GetAccount(), story.Decimal(l.GetDebit()), story.Decimal(l.GetCredit()))
		}
	}
	processes, err := flow.ListProcesses(ctx, &workflowv1.ListProcessesRequest{})
	must(w.t, err)
	for _, p := range processes.GetProcesses() {
		add("%s: process %s", pos[p.GetOrder()], p.GetState())
	}
	items, err := flow.ListWorkItems(ctx, &workflowv1.ListWorkItemsRequest{PageSize: 500})
	must(w.t, err)
	for _, i := range items.GetWorkItems() {
		if i.GetReason() != overdue && i.GetState() == workflowv1.WorkItem_OPEN { // a clock that was wrong for a while opens some, and they are closed
			add("work item %s", i.GetReason())
		}
	}
	files, err := w.Outbox(ctx)
	must(w.t, err)
	for name, content := range files {
		party, _, _ := strings.Cut(name, "/")
		_, set, _ := strings.Cut(string(content), "ST*")
		add("file for %s: %.3s", party, set)
	}
	slices.Sort(out)
	return out
}
