package outcome

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/type/money"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/tests/story"
)

// Columns are the dispositions of a message.
type Columns struct {
	Received  int `json:"received"`
	Applied   int `json:"applied"`
	Duplicate int `json:"duplicate"`
	Parked    int `json:"parked"`
	Rejected  int `json:"rejected"`
}

func (c *Columns) add(d Columns) {
	c.Received += d.Received
	c.Applied += d.Applied
	c.Duplicate += d.Duplicate
	c.Parked += d.Parked
	c.Rejected += d.Rejected
}

// PartnerColumns are a partner's messages, with their sets.
type PartnerColumns struct {
	Columns
	Sets map[string]Columns `json:"sets"`
}

// Acks are the 997s exchanged with a partner.
type Acks struct {
	Sent             int `json:"sent"`
	SentAccepted     int `json:"sent_accepted"`
	SentPartial      int `json:"sent_partial"`
	SentRejected     int `json:"sent_rejected"`
	Received         int `json:"received"`
	ReceivedAccepted int `json:"received_accepted"`
	Overdue          int `json:"overdue"`
}

// Sum is a number of documents and what they amount to.
type Sum struct {
	Count  int    `json:"count"`
	Amount string `json:"amount"`
}

// Orders counts orders by the states of their four dimensions.
type Orders struct {
	Total      int            `json:"total"`
	Commercial map[string]int `json:"commercial"`
	Release    map[string]int `json:"release"`
	Fulfilment map[string]int `json:"fulfilment"`
	Billing    map[string]int `json:"billing"`
}

// Summary is the day in figures. Its form is that of tests/day/summary.example.json.
type Summary struct {
	Orders   Orders                    `json:"orders"`
	Messages map[string]PartnerColumns `json:"messages"`
	Sent     map[string]map[string]int `json:"sent"`
	Acks     struct {
		Note     string          `json:"note"`
		Partners map[string]Acks `json:"partners"`
	} `json:"acks"`
	Tenders          map[string]int               `json:"tenders"`
	Invoices         map[string]map[string]Sum    `json:"invoices"`
	FreightBills     map[string]map[string]Sum    `json:"freight_bills"`
	WorkItems        map[string]int               `json:"work_items"`
	WorkItemsOpen    map[string]int               `json:"work_items_open"`
	Ledger           map[string]map[string]string `json:"ledger"`
	LedgerTotals     map[string]string            `json:"ledger_totals"`
	Invariants       map[string]string            `json:"invariants"`
	GoldenFlows      map[string]int               `json:"golden_flows"`
	Scenarios        map[string]string            `json:"scenarios"`
	WallSeconds      float64                      `json:"wall_seconds"`
	SimulatedSeconds int64                        `json:"simulated_seconds"`
	Discovery        string                       `json:"discovery"`
}

// The words of the summary; a word that no figure stands for is there with nothing.
var (
	commercialStates = []string{"DRAFT", "CONFIRMED", "CHANGED", "CLOSED", "CANCELLED"}
	releaseStates    = []string{"UNRELEASED", "RELEASED", "PLANNED", "TENDERED", "SECURED", "CANCELLED", "PARTLY_RELEASED", "PARTLY_SECURED"}
	fulfilmentStates = []string{"OPEN", "PICKED", "SHIPPED", "IN_TRANSIT", "DELIVERED", "PARTLY_DELIVERED", "SHORT", "DAMAGED", "REFUSED", "RETURNED"}
	billingStates    = []string{"NOT_BILLABLE", "BILLABLE", "BILLED", "PARTLY_BILLED", "CREDITED"}
	tenderStates     = []string{"ACCEPTED", "ACCEPTED_CONDITIONAL", "COUNTERED", "DECLINED", "EXPIRED", "WITHDRAWN", "PENDING"}
	invoiceStates    = []string{"DRAFT", "APPROVED", "ISSUED", "POSTED", "PAID", "CREDITED", "VOID"}
	billStates       = []string{"RECEIVED", "APPROVED", "EXCEPTION", "REJECTED", "DISPUTED", "DUPLICATE"}
	reasons          = []string{
		"TENDERS_EXHAUSTED", "DELIVERY_EXCEPTION", "STATUS_CODE_UNKNOWN", "RESPONSE_CODE_UNKNOWN", "MESSAGE_REJECTED", "ITEM_UNKNOWN", "ADDRESS_MISSING",
		"PRICE_MISSING", "FREIGHT_BILL_OVER_TOLERANCE", "FREIGHT_BILL_REJECTED", "FREIGHT_BILL_UNMATCHED", "FEED_SILENT", "CONTROL_NUMBER_REUSED",
		"REPLACE_WITHOUT_ORIGINAL", "DUPLICATE_PO_DIFFERS", "UNKNOWN_PARTNER", "USAGE_MISMATCH", "ACK_OVERDUE", "DELIVERED_NOT_INVOICED",
	}
	invariants = []string{"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"}
)

const acksNote = "997s only; one per group received; every 997 sent or received is counted here and nowhere else"

var invariant = regexp.MustCompile(`^I[1-8]\b`)

// counted is a count of each word, and of every other that comes.
func counted(words []string, got ...string) map[string]int {
	out := map[string]int{}
	for _, w := range words {
		out[w] = 0
	}
	for _, g := range got {
		out[g]++
	}
	return out
}

// of makes words of items.
func of[T any](items []T, word func(T) string) []string {
	out := make([]string, 0, len(items))
	for _, x := range items {
		out = append(out, word(x))
	}
	return out
}

// Summarise sums a reading up: all but what the comparison and the clocks say.
func (r Reading) Summarise() (Summary, error) {
	s := Summary{Discovery: "static"}
	s.Orders = Orders{
		Total:      len(r.Orders),
		Commercial: counted(commercialStates, of(r.Orders, func(o *ordersv1.Order) string { return o.GetCommercial().String() })...),
		Release:    counted(releaseStates, of(r.Orders, releaseOf)...),
		Fulfilment: counted(fulfilmentStates, of(r.Orders, func(o *ordersv1.Order) string { return o.GetFulfilment().String() })...),
		Billing:    counted(billingStates, of(r.Orders, func(o *ordersv1.Order) string { return o.GetBilling().String() })...),
	}
	r.messages(&s)
	s.Tenders = counted(tenderStates, of(r.Tenders, outcomeOf)...)
	var err error
	if s.Invoices, err = sums(invoiceStates, r.Invoices, func(i *billingv1.Invoice) (string, *money.Money) { return i.GetState().String(), i.GetTotal() }); err != nil {
		return s, err
	}
	if s.FreightBills, err = sums(billStates, r.FreightBills, func(b *billingv1.FreightBill) (string, *money.Money) { return b.GetState().String(), b.GetTotal() }); err != nil {
		return s, err
	}
	s.WorkItems = counted(reasons, of(r.WorkItems, (*workflowv1.WorkItem).GetReason)...)
	open := slices.DeleteFunc(slices.Clone(r.WorkItems), func(i *workflowv1.WorkItem) bool { return i.GetState() != workflowv1.WorkItem_OPEN })
	s.WorkItemsOpen = counted(reasons, of(open, (*workflowv1.WorkItem).GetReason)...)
	books, err := balances(r.Entries)
	if err != nil {
		return s, err
	}
	s.Ledger, s.LedgerTotals = books.byCurrency(), books.totals()
	s.Invariants = map[string]string{}
	for _, i := range invariants {
		begins := func(text string) bool { return strings.HasPrefix(text, i) }
		switch {
		case slices.ContainsFunc(r.Breaches, begins):
			s.Invariants[i] = "broken"
		case slices.ContainsFunc(r.Checked, begins):
			s.Invariants[i] = "ok"
		default:
			s.Invariants[i] = "unchecked"
		}
	}
	planned := map[string]bool{}
	for _, sh := range r.Shipments {
		planned[sh.GetOrder()] = true
	}
	s.GoldenFlows = map[string]int{
		"order_release_to_freight_planning": len(planned),
		"milestone_to_customer_visibility":  s.Orders.Fulfilment["DELIVERED"] + s.Orders.Fulfilment["PARTLY_DELIVERED"],
	}
	for _, i := range r.Invoices {
		if i.GetState() == billingv1.Invoice_ISSUED && i.GetBillingAuthorization() != "" {
			s.GoldenFlows["pod_to_billing_authorisation"]++
		}
	}
	for _, sum := range s.FreightBills["APPROVED"] {
		s.GoldenFlows["freight_bill_to_invoice_approval"] += sum.Count
	}
	return s, nil
}

// messages fills what came in and went out.
func (r Reading) messages(s *Summary) {
	s.Messages, s.Sent = map[string]PartnerColumns{}, map[string]map[string]int{}
	s.Acks.Note, s.Acks.Partners = acksNote, map[string]Acks{}
	add := func(party, set string, c Columns) {
		p := s.Messages[party]
		if p.Sets == nil {
			p.Sets = map[string]Columns{}
		}
		p.Columns.add(c)
		one := p.Sets[set]
		one.add(c)
		p.Sets[set] = one
		s.Messages[party] = p
	}
	for _, c := range r.Counts {
		party := short(c.GetParty())
		if c.GetSet() == "997" {
			a := s.Acks.Partners[party]
			a.Sent += int(c.GetSent())
			a.SentAccepted += int(c.GetSentAccepted())
			a.SentPartial += int(c.GetSentPartial())
			a.SentRejected += int(c.GetSentRejected())
			a.Received += int(c.GetAcknowledgements())
			a.ReceivedAccepted += int(c.GetAcknowledgementsAccepted())
			a.Overdue += int(c.GetOverdue())
			s.Acks.Partners[party] = a
			continue
		}
		if c.GetReceived() > 0 {
			add(party, c.GetSet(), Columns{int(c.GetReceived()), int(c.GetApplied()), int(c.GetDuplicate()), int(c.GetParked()), int(c.GetRejected())})
		}
		if c.GetSent() > 0 {
			if s.Sent[party] == nil {
				s.Sent[party] = map[string]int{}
			}
			s.Sent[party][c.GetSet()] += int(c.GetSent())
		}
	}
	for _, c := range r.Commands {
		add(c.Party, c.Set, Columns{Received: 1, Applied: 1})
	}
}

// releaseOf is the state of an order's release. One called off has a name of its own in the contract, where all values of a
// package share one room.
func releaseOf(o *ordersv1.Order) string {
	return strings.TrimPrefix(o.GetRelease().String(), "RELEASE_")
}

// outcomeOf is what became of a tender.
func outcomeOf(t *freightv1.Tender) string {
	if t.GetState() == freightv1.Tender_SENT {
		return "PENDING"
	}
	return t.GetState().String()
}

// dispositionOf puts a message into its column.
func dispositionOf(s *ediv1.Interchange_TransactionSet) Columns {
	c := Columns{Received: 1}
	switch s.GetDisposition() {
	case ediv1.Interchange_TransactionSet_APPLIED:
		c.Applied = 1
	case ediv1.Interchange_TransactionSet_DUPLICATE:
		c.Duplicate = 1
	case ediv1.Interchange_TransactionSet_PARKED:
		c.Parked = 1
	case ediv1.Interchange_TransactionSet_REJECTED:
		c.Rejected = 1
	}
	return c
}

// Clock fills in what the clocks say: how long the day took on this machine, and in business time.
func (s *Summary) Clock(wall, simulated time.Duration) {
	s.WallSeconds = float64(wall.Round(100*time.Millisecond).Milliseconds()) / 1000
	s.SimulatedSeconds = int64(simulated.Seconds())
}

func decimalOf(m *money.Money) string {
	if m == nil {
		return ""
	}
	return story.Decimal(m)
}
