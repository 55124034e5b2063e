package outcome

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
)

// index leads from every name and number to the case it belongs to.
type index struct {
	Reading
	cases    map[string]string // by resource name, or "po:...", "load:..."
	messages []message
	strange  []string // what belongs to no case
}

// message is a message of a partner, or a document sent to one.
type message struct {
	in, party, set string
	columns        Columns
	sent           bool
}

// The pages about the corpus's purchase orders, of which not each became an order.
const (
	malformedPage    = "11-malformed-850-997"
	malformedControl = "000003439"
	arrivalsPage     = "21-corpus-850-arrivals"
)

func (r Reading) index(e Expected) *index {
	x := &index{Reading: r, cases: map[string]string{}}
	for _, s := range e.Scenarios {
		for _, po := range s.Orders {
			x.cases["po:"+po] = s.ID
		}
	}
	for _, f := range e.Fillers {
		x.cases["po:"+f.Order] = f.Order
	}
	for _, o := range r.Orders {
		x.put("order "+o.GetCustomerOrderNumber(), x.find("po:"+o.GetCustomerOrderNumber()), o.GetName())
	}
	for _, s := range r.Shipments {
		x.put(s.GetName(), x.find(s.GetOrder()), s.GetName(), s.GetOrderRelease())
		if s.GetLoad() != "" {
			x.put(s.GetLoad(), x.find(s.GetOrder()), s.GetLoad())
		}
	}
	for _, l := range r.Loads {
		x.put("load "+l.GetNumber(), x.find(append(l.GetShipments(), l.GetName())...), l.GetName(), "load:"+l.GetNumber())
	}
	for _, t := range r.Tenders {
		x.put(t.GetName(), x.find(t.GetLoad()), t.GetName())
	}
	for _, i := range r.Invoices {
		x.put("invoice "+i.GetNumber(), x.find(i.GetOrder()), i.GetName())
	}
	for _, b := range r.FreightBills {
		x.put("freight bill "+b.GetInvoiceNumber(), x.find(b.GetLoad(), "load:"+b.GetLoadNumber()), b.GetName())
	}
	x.exchange()
	for _, c := range r.Commands {
		in := x.find(c.Related...)
		x.put(c.Set+" of "+c.Party, in)
		x.messages = append(x.messages, message{in: in, party: c.Party, set: c.Set, columns: Columns{Received: 1, Applied: 1}})
	}
	for _, i := range r.WorkItems {
		x.put("work item "+i.GetReason()+" of "+i.GetSubject(), x.item(i.GetSubject(), i.GetRelated()))
	}
	for _, e := range r.Entries {
		x.put(e.GetName(), x.find(e.GetRelated()...))
	}
	return x
}

// put remembers to which case names belong; one that is in no case is strange.
func (x *index) put(what, in string, names ...string) {
	if in == "" {
		x.strange = append(x.strange, what)
	}
	for _, n := range names {
		x.cases[n] = in
	}
}

// find is the case of the first name that leads to one.
func (x *index) find(names ...string) string {
	for _, n := range names {
		if in := x.cases[n]; in != "" {
			return in
		}
	}
	return ""
}

// item is the case of a work item: of what it is about, before what leads to that.
func (x *index) item(subject string, related []string) string {
	interchange, _, _ := strings.Cut(subject, "/sets/")
	return x.find(append([]string{subject, interchange}, related...)...)
}

// exchange places the transaction sets.
func (x *index) exchange() {
	// A replay says nothing itself: it is of the case of what it repeats.
	first := map[[3]string]string{}
	for _, i := range slices.Backward(x.Interchanges) {
		again := [3]string{i.GetSender(), i.GetReceiver(), i.GetControlNumber()}
		for _, s := range i.GetTransactionSets() {
			set := s.GetSet()
			if set == "997" {
				continue
			}
			in := x.find(append([]string{s.GetResult()}, s.GetRelated()...)...)
			if in == "" {
				in = first[again]
			}
			if set == "850" {
				in = x.purchaseOrder(i, s)
			}
			name := fmt.Sprintf("%s/sets/%d", i.GetName(), s.GetIndex())
			x.put(set+" of "+short(i.GetParty())+", "+name, in, name)
			if x.cases[i.GetName()] == "" {
				x.cases[i.GetName()] = in
			}
			if first[again] == "" {
				first[again] = in
			}
			m := message{in: in, party: short(i.GetParty()), set: set, sent: i.GetDirection() == ediv1.Interchange_OUTBOUND}
			if !m.sent {
				m.columns = dispositionOf(s)
			}
			x.messages = append(x.messages, m)
		}
	}
}

// purchaseOrder is the case of an 850: the one that became the order is its order's, the renumbered malformed one has a page, and
// so have all others together.
func (x *index) purchaseOrder(i *ediv1.Interchange, s *ediv1.Interchange_TransactionSet) string {
	switch {
	case s.GetDisposition() == ediv1.Interchange_TransactionSet_APPLIED:
		return x.find(append([]string{s.GetResult()}, s.GetRelated()...)...)
	case i.GetControlNumber() == malformedControl:
		return malformedPage
	}
	return arrivalsPage
}

type (
	orderFigures struct {
		Order    string            `json:"order"`
		Customer string            `json:"customer"`
		Terms    string            `json:"terms"`
		Lane     string            `json:"lane"`
		Mode     string            `json:"mode"`
		ShipDate string            `json:"ship_date"`
		State    map[string]string `json:"state"`
		Lines    []lineFigures     `json:"lines"`
		Invoice  *invoiceFigures   `json:"invoice"`
	}
	lineFigures struct {
		Line       string `json:"line"`
		Item       string `json:"item"`
		Price      string `json:"price"`
		Ordered    string `json:"ordered"`
		Released   string `json:"released"`
		Unreleased string `json:"unreleased"`
		Shipped    string `json:"shipped"`
		Cancelled  string `json:"cancelled_after_release"`
		Open       string `json:"open"`
		Arrived    string `json:"arrived"`
		Accepted   string `json:"accepted"`
		Short      string `json:"short"`
		Damaged    string `json:"damaged"`
		Billed     string `json:"billed"`
	}
	invoiceFigures struct {
		State    string `json:"state"`
		Currency string `json:"currency"`
		Goods    string `json:"goods"`
		Freight  string `json:"freight"`
		VAT      string `json:"vat"`
		Total    string `json:"total"`
	}
	loadFigures struct {
		Carrier    *string           `json:"carrier"`
		State      string            `json:"state"`
		Shipment   string            `json:"shipment"`
		Cost       *string           `json:"cost"`
		Charges    map[string]string `json:"charges"`
		Allocation map[string]string `json:"allocation,omitempty"`
	}
	tenderFigures struct {
		Carrier string `json:"carrier"`
		Outcome string `json:"outcome"`
	}
	billFigures struct {
		State    string `json:"state"`
		Amount   string `json:"amount"`
		Currency string `json:"currency"`
	}
	itemFigures struct {
		Reason string `json:"reason"`
		Team   string `json:"team"`
		State  string `json:"state"`
	}
	entryFigures struct {
		Moment string             `json:"moment"`
		Lines  []entryLineFigures `json:"lines"`
	}
	entryLineFigures struct {
		Account  string `json:"account"`
		Debit    string `json:"debit"`
		Credit   string `json:"credit"`
		Currency string `json:"currency"`
	}
	scenarioFigures struct {
		ID           string                        `json:"id"`
		Currency     string                        `json:"currency"`
		Orders       []orderFigures                `json:"orders"`
		Loads        []loadFigures                 `json:"loads"`
		Tenders      []tenderFigures               `json:"tenders"`
		FreightBill  *billFigures                  `json:"freight_bill"`
		WorkItems    []itemFigures                 `json:"work_items"`
		Messages     map[string]map[string]Columns `json:"messages"`
		Sent         map[string]map[string]int     `json:"sent"`
		Ledger       []entryFigures                `json:"ledger"`
		TrialBalance map[string]string             `json:"trial_balance"`
	}
	fillerFigures struct {
		Order        string            `json:"order"`
		Customer     string            `json:"customer"`
		Lane         string            `json:"lane"`
		Mode         string            `json:"mode"`
		Carrier      string            `json:"carrier"`
		Received     string            `json:"received"`
		ShipDate     string            `json:"ship_date"`
		Delivered    string            `json:"delivered_local_date"`
		Lines        []any             `json:"lines"`
		State        map[string]string `json:"state"`
		Charges      map[string]string `json:"charges"`
		Cost         string            `json:"cost"`
		Goods        string            `json:"goods"`
		Freight      string            `json:"freight"`
		VAT          string            `json:"vat"`
		Invoice      string            `json:"invoice"`
		Currency     string            `json:"currency"`
		Tender       string            `json:"tender"`
		FreightBill  map[string]string `json:"freight_bill"`
		TrialBalance map[string]string `json:"trial_balance"`
	}
)

// scenario is what came of a scenario, in the form of expected.json.
func (x *index) scenario(want ExpectedScenario) (scenarioFigures, error) {
	s := scenarioFigures{
		ID: want.ID, Currency: "USD", Orders: []orderFigures{}, Loads: []loadFigures{}, Tenders: []tenderFigures{}, WorkItems: []itemFigures{},
		Messages: map[string]map[string]Columns{}, Sent: map[string]map[string]int{}, Ledger: []entryFigures{},
	}
	orders := x.orders(want.ID)
	sort.SliceStable(orders, func(i, j int) bool {
		return slices.Index(want.Orders, orders[i].GetCustomerOrderNumber()) < slices.Index(want.Orders, orders[j].GetCustomerOrderNumber())
	})
	for _, o := range orders {
		s.Orders = append(s.Orders, x.order(o))
		s.Currency = o.GetCurrencyCode()
	}
	for _, l := range x.loads(want.ID) {
		figures, err := x.load(l)
		if err != nil {
			return s, err
		}
		s.Loads = append(s.Loads, figures)
	}
	for _, t := range x.tenders(want.ID) {
		s.Tenders = append(s.Tenders, tenderFigures{t.GetScac(), outcomeOf(t)})
	}
	for _, b := range x.bills(want.ID) {
		if s.FreightBill == nil {
			s.FreightBill = &billFigures{b.GetState().String(), decimalOf(b.GetTotal()), b.GetTotal().GetCurrencyCode()}
		}
	}
	for _, i := range x.WorkItems {
		if x.item(i.GetSubject(), i.GetRelated()) == want.ID {
			s.WorkItems = append(s.WorkItems, itemFigures{i.GetReason(), i.GetOwner(), i.GetState().String()})
		}
	}
	sort.Slice(s.WorkItems, func(i, j int) bool { return s.WorkItems[i].Reason < s.WorkItems[j].Reason })
	for _, m := range x.messages {
		switch {
		case m.in != want.ID:
		case m.sent:
			if s.Sent[m.party] == nil {
				s.Sent[m.party] = map[string]int{}
			}
			s.Sent[m.party][m.set]++
		default:
			if s.Messages[m.party] == nil {
				s.Messages[m.party] = map[string]Columns{}
			}
			c := s.Messages[m.party][m.set]
			c.add(m.columns)
			s.Messages[m.party][m.set] = c
		}
	}
	entries := x.entries(want.ID)
	for _, e := range entries {
		s.Ledger = append(s.Ledger, x.entry(e, len(orders) > 1))
	}
	var err error
	s.TrialBalance, err = trialBalance(entries)
	return s, err
}

// filler is what came of a plain order, in the form of expected.json.
func (x *index) filler(want ExpectedFiller) (map[string]any, error) {
	f := fillerFigures{Order: "none", Lines: []any{}, FreightBill: map[string]string{}}
	for _, o := range x.orders(want.Order) {
		figures := x.order(o)
		f.Order, f.Customer, f.Lane, f.Mode, f.ShipDate, f.State = figures.Order, figures.Customer, figures.Lane, figures.Mode, figures.ShipDate, figures.State
		f.Received, f.Currency = o.GetCreateTime().AsTime().Format(time.RFC3339), o.GetCurrencyCode()
		for _, l := range figures.Lines {
			f.Lines = append(f.Lines, map[string]string{"line": l.Line, "item": l.Item, "ordered": l.Ordered, "price": l.Price})
		}
		if i := figures.Invoice; i != nil {
			f.Goods, f.Freight, f.VAT, f.Invoice = i.Goods, i.Freight, i.VAT, i.Total
		}
		for _, s := range x.Shipments {
			if s.GetOrder() == o.GetName() {
				f.Delivered = localDate(s.GetDelivered())
			}
		}
	}
	for _, l := range x.loads(want.Order) {
		figures, err := x.load(l)
		if err != nil {
			return nil, err
		}
		f.Charges = figures.Charges
		if figures.Carrier != nil {
			f.Carrier = *figures.Carrier
		}
		if figures.Cost != nil {
			f.Cost = *figures.Cost
		}
	}
	for _, t := range x.tenders(want.Order) {
		f.Tender = outcomeOf(t)
	}
	for _, b := range x.bills(want.Order) {
		f.FreightBill["state"], f.FreightBill["amount"] = b.GetState().String(), decimalOf(b.GetTotal())
	}
	var err error
	if f.TrialBalance, err = trialBalance(x.entries(want.Order)); err != nil {
		return nil, err
	}
	return asJSON(f)
}

func (x *index) order(o *ordersv1.Order) orderFigures {
	f := orderFigures{
		Order: o.GetCustomerOrderNumber(), Customer: short(o.GetCustomer()), Lines: []lineFigures{},
		State: map[string]string{
			"commercial": o.GetCommercial().String(), "release": releaseOf(o), "fulfilment": o.GetFulfilment().String(), "billing": o.GetBilling().String(),
		},
	}
	for _, l := range o.GetLines() {
		q := l.GetQuantities()
		f.Lines = append(f.Lines, lineFigures{
			l.GetLine(), strings.TrimPrefix(l.GetItem(), "items/"), twoPlaces(l.GetUnitPrice()), q.GetOrdered(), q.GetReleased(), q.GetUnreleased(), q.GetShipped(),
			q.GetCancelledAfterRelease(), q.GetOpen(), q.GetArrived(), q.GetAccepted(), q.GetShort(), q.GetDamaged(), q.GetBilled(),
		})
	}
	for _, s := range x.Shipments {
		if s.GetOrder() != o.GetName() {
			continue
		}
		f.Terms = strings.ToLower(strings.ReplaceAll(s.GetFreightTerms(), "_", " "))
		for _, l := range x.Loads {
			if l.GetName() == s.GetLoad() {
				f.Mode = l.GetMode()
				f.ShipDate = fmt.Sprintf("%04d-%02d-%02d", l.GetShipDate().GetYear(), l.GetShipDate().GetMonth(), l.GetShipDate().GetDay())
			}
		}
		f.Lane = x.lane(s)
	}
	for _, i := range x.Invoices {
		if i.GetOrder() == o.GetName() {
			f.Invoice = &invoiceFigures{
				i.GetState().String(), i.GetTotal().GetCurrencyCode(), decimalOf(i.GetGoodsTotal()), decimalOf(i.GetFreightTotal()),
				decimalOf(i.GetTaxTotal()), decimalOf(i.GetTotal()),
			}
		}
	}
	return f
}

// lane is that between the places of a shipment.
func (x *index) lane(s *freightv1.Shipment) string {
	for _, l := range x.Lanes {
		if l.GetOrigin() == s.GetShipFrom() && l.GetDestination() == s.GetShipTo() {
			return strings.TrimPrefix(l.GetName(), "lanes/")
		}
	}
	return ""
}

func (x *index) load(l *freightv1.Load) (loadFigures, error) {
	f := loadFigures{State: l.GetState().String(), Charges: map[string]string{}}
	if l.GetState() == freightv1.Load_EXHAUSTED {
		f.State = "TENDER_EXHAUSTED"
	}
	if l.GetCarrier() != "" {
		carrier := short(l.GetCarrier())
		f.Carrier = &carrier
	}
	for _, c := range l.GetCharges().GetCharges() {
		f.Charges[c.GetCode()] = decimalOf(c.GetAmount())
	}
	if l.GetCharges().GetTotal() != nil {
		cost := decimalOf(l.GetCharges().GetTotal())
		f.Cost = &cost
	}
	for _, s := range x.Shipments {
		if s.GetLoad() == l.GetName() {
			f.Shipment = s.GetState().String()
		}
	}
	var err error
	if len(l.GetShipments()) > 1 {
		f.Allocation, err = x.allocation(l)
	}
	return f, err
}

// allocation is each order's part of a load's cost.
func (x *index) allocation(l *freightv1.Load) (map[string]string, error) {
	sums := map[string]cents{}
	for _, a := range x.Accruals {
		if a.GetLoad() != l.GetName() || a.GetState() == billingv1.Accrual_REVERSED {
			continue
		}
		for _, share := range a.GetShares() {
			c, err := centsOf(share.GetAmount())
			if err != nil {
				return nil, err
			}
			sums[share.GetCustomerOrderNumber()] += c
		}
	}
	return books{"": sums}.byCurrency()[""], nil
}

func (x *index) entry(e *billingv1.JournalEntry, many bool) entryFigures {
	f := entryFigures{Moment: e.GetMoment(), Lines: []entryLineFigures{}}
	if many { // the page of several orders says of which
		for _, name := range e.GetRelated() {
			po, ok := strings.CutPrefix(name, "po:")
			switch {
			case !ok:
			case f.Moment == "billing authorised":
				f.Moment = po + " authorised"
			case f.Moment == "invoice issued":
				f.Moment = po + " invoice issued"
			}
		}
	}
	for _, l := range e.GetLines() {
		line := entryLineFigures{l.GetAccount(), "0.00", "0.00", currencyOf(l)}
		if l.GetDebit() != nil {
			line.Debit = decimalOf(l.GetDebit())
		}
		if l.GetCredit() != nil {
			line.Credit = decimalOf(l.GetCredit())
		}
		f.Lines = append(f.Lines, line)
	}
	return f
}

// trialBalance adds the entries of a case up, by account; a case has one currency.
func trialBalance(entries []*billingv1.JournalEntry) (map[string]string, error) {
	out := map[string]string{}
	b, err := balances(entries)
	for _, accounts := range b.byCurrency() {
		for account, amount := range accounts {
			out[account] = amount
		}
	}
	return out, err
}

func (x *index) orders(in string) []*ordersv1.Order {
	return those(x.Orders, func(o *ordersv1.Order) bool { return x.find(o.GetName()) == in })
}

func (x *index) loads(in string) []*freightv1.Load {
	return those(x.Loads, func(l *freightv1.Load) bool { return x.find(l.GetName()) == in })
}

// tenders are those of a case, in the order of sending.
func (x *index) tenders(in string) []*freightv1.Tender {
	out := those(x.Tenders, func(t *freightv1.Tender) bool { return x.find(t.GetName()) == in })
	sort.SliceStable(out, func(i, j int) bool { return out[i].GetRank() < out[j].GetRank() })
	return out
}

// bills are those of a case, those that count first: one that came again is set aside.
func (x *index) bills(in string) []*billingv1.FreightBill {
	return those(x.FreightBills, func(b *billingv1.FreightBill) bool {
		return x.find(b.GetName()) == in && b.GetState() != billingv1.FreightBill_DUPLICATE
	})
}

func (x *index) entries(in string) []*billingv1.JournalEntry {
	return those(x.Entries, func(e *billingv1.JournalEntry) bool { return x.find(e.GetRelated()...) == in })
}

func those[T any](all []T, is func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(all), func(t T) bool { return !is(t) })
}

// localDate is the day on the calendar of the place.
func localDate(t *typev1.EventTime) string {
	if t == nil {
		return ""
	}
	zone, err := time.LoadLocation(t.GetZone())
	if err != nil {
		return err.Error()
	}
	return t.GetTime().AsTime().In(zone).Format(time.DateOnly)
}

// twoPlaces writes a price as the pages do: "7.5" as "7.50".
func twoPlaces(price string) string {
	whole, fraction, _ := strings.Cut(price, ".")
	return whole + "." + (fraction + "00")[:max(2, len(fraction))]
}
