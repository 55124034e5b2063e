// Package wire turns domain values into the messages of billing's contract and back. It is for those who stand between the
// domain and the wire or the disk: the API, the inbound facts, the store. It promises that a value survives the way there
// and back, and that a message which is no value is an error and never a guess.
package wire

import (
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/type/date"
	moneypb "google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/timestamppb"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"

	"crossdock.dev/services/billing/internal/accrual"
	"crossdock.dev/services/billing/internal/freightbill"
	"crossdock.dev/services/billing/internal/invoice"
	"crossdock.dev/services/billing/internal/ledger"
	"crossdock.dev/services/billing/internal/predicate"
	"crossdock.dev/services/billing/internal/shipment"
)

// Money is an amount; nil for the zero Amount, which has no currency.
func Money(a money.Amount) *moneypb.Money {
	if a.Currency() == "" {
		return nil
	}
	units, nanos := a.UnitsNanos()
	return &moneypb.Money{CurrencyCode: a.Currency(), Units: units, Nanos: nanos}
}

// FromMoney reads an amount; nil is the zero Amount.
func FromMoney(m *moneypb.Money) (money.Amount, error) {
	if m == nil {
		return money.Amount{}, nil
	}
	return money.FromUnitsNanos(m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
}

// Quantity is a quantity; nil for the zero Quantity.
func Quantity(q quantity.Quantity) *typev1.Quantity {
	if q.Unit() == "" {
		return nil
	}
	return &typev1.Quantity{Value: q.Value().String(), Unit: string(q.Unit())}
}

// FromQuantity reads a quantity; nil is the zero Quantity.
func FromQuantity(q *typev1.Quantity) (quantity.Quantity, error) {
	if q == nil {
		return quantity.Quantity{}, nil
	}
	return quantity.Parse(q.GetValue(), quantity.Unit(q.GetUnit()))
}

// Date is a date; nil for no date.
func Date(d calendar.Date) *date.Date {
	if d.IsZero() {
		return nil
	}
	return &date.Date{Year: int32(d.Year()), Month: int32(d.Month()), Day: int32(d.Day())}
}

// FromDate reads a date; nil is no date, and a date without a year, month or day is an error.
func FromDate(d *date.Date) (calendar.Date, error) {
	if d == nil {
		return calendar.Date{}, nil
	}
	return calendar.NewDate(int(d.GetYear()), time.Month(d.GetMonth()), int(d.GetDay()))
}

// Time is an instant; nil for the zero time.
func Time(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// FromTime reads an instant in UTC; nil is the zero time.
func FromTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// Explanation is a tree of explanations; nil for an empty node.
func Explanation(n rating.Node) *typev1.Explanation {
	if n.Label == "" && n.Value == "" && len(n.Children) == 0 {
		return nil
	}
	e := &typev1.Explanation{Label: n.Label, Value: n.Value, Rule: n.Rule, Source: n.Source}
	for _, c := range n.Children {
		e.Children = append(e.Children, Explanation(c))
	}
	return e
}

// FromExplanation reads a tree.
func FromExplanation(e *typev1.Explanation) rating.Node {
	n := rating.Node{Label: e.GetLabel(), Value: e.GetValue(), Rule: e.GetRule(), Source: e.GetSource()}
	for _, c := range e.GetChildren() {
		n.Children = append(n.Children, FromExplanation(c))
	}
	return n
}

// Charge is a charge.
func Charge(c accrual.Charge) *typev1.Charge {
	return &typev1.Charge{Code: string(c.Code), Description: c.Description, Amount: Money(c.Amount)}
}

// FromCharge reads a charge.
func FromCharge(c *typev1.Charge) (accrual.Charge, error) {
	amount, err := FromMoney(c.GetAmount())
	if err != nil {
		return accrual.Charge{}, err
	}
	return accrual.Charge{Code: rating.ChargeCode(c.GetCode()), Description: c.GetDescription(), Amount: amount}, nil
}

// Accrual is an accrual.
func Accrual(a accrual.Accrual) *billingv1.Accrual {
	m := &billingv1.Accrual{
		Name: a.Name, Load: a.Load, LoadNumber: a.LoadNumber, Carrier: a.Carrier, LegalEntity: a.LegalEntity, Charge: Charge(a.Charge),
		State: billingv1.Accrual_State(a.State), Contract: a.Contract, Explanation: Explanation(a.Explanation), CreateTime: Time(a.Created),
		Evidence: a.Evidence,
	}
	for _, s := range a.Shares {
		m.Shares = append(m.Shares, &billingv1.Accrual_Share{
			Shipment: s.Shipment, Order: s.Order, CustomerOrderNumber: s.CustomerOrderNumber, Amount: Money(s.Amount),
		})
	}
	return m
}

// FromAccrual reads an accrual.
func FromAccrual(m *billingv1.Accrual) (accrual.Accrual, error) {
	c, err := FromCharge(m.GetCharge())
	if err != nil {
		return accrual.Accrual{}, fmt.Errorf("%s: %w", m.GetName(), err)
	}
	a := accrual.Accrual{
		Name: m.GetName(), Load: m.GetLoad(), LoadNumber: m.GetLoadNumber(), Carrier: m.GetCarrier(), LegalEntity: m.GetLegalEntity(),
		Charge: c, State: accrual.State(m.GetState()), Contract: m.GetContract(), Explanation: FromExplanation(m.GetExplanation()),
		Created: FromTime(m.GetCreateTime()), Evidence: m.GetEvidence(),
	}
	for _, s := range m.GetShares() {
		amount, err := FromMoney(s.GetAmount())
		if err != nil {
			return a, fmt.Errorf("%s: share of %s: %w", m.GetName(), s.GetShipment(), err)
		}
		a.Shares = append(a.Shares, accrual.Share{
			Shipment: s.GetShipment(), Order: s.GetOrder(), CustomerOrderNumber: s.GetCustomerOrderNumber(), Amount: amount,
		})
	}
	return a, nil
}

// ExternalIDs are names in other systems' words.
func ExternalIDs(ids []shipment.ExternalID) []*typev1.ExternalId {
	var out []*typev1.ExternalId
	for _, x := range ids {
		out = append(out, &typev1.ExternalId{System: x.System, Kind: x.Kind, Qualifier: x.Qualifier, Value: x.Value})
	}
	return out
}

// FromExternalIDs reads names in other systems' words.
func FromExternalIDs(ids []*typev1.ExternalId) []shipment.ExternalID {
	var out []shipment.ExternalID
	for _, x := range ids {
		out = append(out, shipment.ExternalID{System: x.GetSystem(), Kind: x.GetKind(), Qualifier: x.GetQualifier(), Value: x.GetValue()})
	}
	return out
}

// GoodsLine is a line of goods.
func GoodsLine(g invoice.Goods) *billingv1.InvoiceLine {
	return &billingv1.InvoiceLine{
		Line: g.Line, Item: g.Item, Description: g.Description, Quantity: Quantity(g.Quantity), UnitPrice: g.UnitPrice.String(),
		Amount: Money(g.Amount), ExternalIds: ExternalIDs(g.ExternalIDs),
	}
}

// FromGoodsLine reads a line of goods.
func FromGoodsLine(m *billingv1.InvoiceLine) (invoice.Goods, error) {
	q, err := FromQuantity(m.GetQuantity())
	if err != nil {
		return invoice.Goods{}, err
	}
	price, err := decimal.Parse(m.GetUnitPrice())
	if err != nil {
		return invoice.Goods{}, err
	}
	amount, err := FromMoney(m.GetAmount())
	return invoice.Goods{
		Line: m.GetLine(), Item: m.GetItem(), Description: m.GetDescription(), Quantity: q, UnitPrice: price, Amount: amount,
		ExternalIDs: FromExternalIDs(m.GetExternalIds()),
	}, err
}

func goodsLines(goods []invoice.Goods) []*billingv1.InvoiceLine {
	var out []*billingv1.InvoiceLine
	for _, g := range goods {
		out = append(out, GoodsLine(g))
	}
	return out
}

func freightLines(lines []invoice.Freight) []*billingv1.FreightLine {
	var out []*billingv1.FreightLine
	for _, f := range lines {
		out = append(out, &billingv1.FreightLine{Charge: Charge(f.Charge), Contract: f.Contract})
	}
	return out
}

// FromFreightLines reads freight lines.
func FromFreightLines(lines []*billingv1.FreightLine) ([]invoice.Freight, error) {
	var out []invoice.Freight
	for _, l := range lines {
		c, err := FromCharge(l.GetCharge())
		if err != nil {
			return nil, err
		}
		out = append(out, invoice.Freight{Charge: c, Contract: l.GetContract()})
	}
	return out, nil
}

// Conjuncts are conditions with their truth.
func Conjuncts(all []predicate.Conjunct) []*billingv1.BillingAuthorization_Conjunct {
	var out []*billingv1.BillingAuthorization_Conjunct
	for _, c := range all {
		out = append(out, &billingv1.BillingAuthorization_Conjunct{Condition: c.Condition, Met: c.Met, Evidence: c.Evidence})
	}
	return out
}

// FromConjuncts reads conditions.
func FromConjuncts(all []*billingv1.BillingAuthorization_Conjunct) []predicate.Conjunct {
	var out []predicate.Conjunct
	for _, c := range all {
		out = append(out, predicate.Conjunct{Condition: c.GetCondition(), Met: c.GetMet(), Evidence: c.GetEvidence()})
	}
	return out
}

// Authorization is a billing authorisation.
func Authorization(a invoice.Authorization) *billingv1.BillingAuthorization {
	return &billingv1.BillingAuthorization{
		Name: a.Name, Shipment: a.Shipment, OrderRelease: a.Release, Order: a.Order, CustomerOrderNumber: a.CustomerOrderNumber,
		Customer: a.Customer, Conjuncts: Conjuncts(a.Conjuncts), Goods: goodsLines(a.Goods), Freight: freightLines(a.Freight),
		NetTotal: Money(a.NetTotal), CreateTime: Time(a.Created),
	}
}

// Invoice is an invoice.
func Invoice(i invoice.Invoice) *billingv1.Invoice {
	m := &billingv1.Invoice{
		Name: i.Name, Number: i.Number, State: billingv1.Invoice_State(i.State), LegalEntity: i.LegalEntity, Customer: i.Customer,
		Order: i.Order, CustomerOrderNumber: i.CustomerOrderNumber, OrderRelease: i.Release, Shipment: i.Shipment,
		LoadNumber: i.LoadNumber, BillingAuthorization: i.Authorization, Lines: goodsLines(i.Goods), Freight: freightLines(i.Freight),
		GoodsTotal: Money(i.GoodsTotal), FreightTotal: Money(i.FreightTotal), TaxTotal: Money(i.TaxTotal), Total: Money(i.Total),
		TaxRule: i.Tax.Rule, TaxNote: i.Tax.Note, PaymentTerms: i.PaymentTerms, DueDate: Date(i.DueDate), IssueDate: Date(i.IssueDate),
		IssueTime: Time(i.IssueTime), ShipDate: Date(i.ShipDate), ShipFrom: i.ShipFrom, ShipTo: i.ShipTo,
		SellerTaxId: i.Tax.Seller, CustomerVatId: i.Tax.Customer,
		Explanation: Explanation(i.Explanation),
	}
	if i.Name != "" {
		m.Etag = i.State.String()
	}
	return m
}

// FreightBill is a carrier's bill.
func FreightBill(b freightbill.Bill) *billingv1.FreightBill {
	m := &billingv1.FreightBill{
		Name: b.Name, Carrier: b.Carrier, InvoiceNumber: b.InvoiceNumber, LoadNumber: b.LoadNumber, CarrierReference: b.CarrierReference,
		BillDate: Date(b.BillDate), Total: Money(b.Total), Source: b.Source, State: billingv1.FreightBill_State(b.State), Load: b.Load,
		ReceiveTime: Time(b.Received), Etag: b.State.String(),
	}
	for _, c := range b.Charges {
		m.Charges = append(m.Charges, Charge(c))
	}
	for _, f := range b.Findings {
		m.Findings = append(m.Findings, Finding(f))
	}
	for _, d := range b.Decisions {
		m.Decisions = append(m.Decisions, &billingv1.FreightBill_Decision{
			State: billingv1.FreightBill_State(d.State), Reason: d.Reason, DisputeCode: string(d.Dispute), DecideTime: Time(d.Time),
		})
	}
	return m
}

// FromDecisions reads what people decided about a bill.
func FromDecisions(all []*billingv1.FreightBill_Decision) []freightbill.Decision {
	var out []freightbill.Decision
	for _, d := range all {
		out = append(out, freightbill.Decision{
			State: freightbill.State(d.GetState()), Reason: d.GetReason(), Dispute: freightbill.Code(d.GetDisputeCode()), Time: FromTime(d.GetDecideTime()),
		})
	}
	return out
}

// Finding is a finding of an audit.
func Finding(f freightbill.Finding) *billingv1.FreightBill_Finding {
	return &billingv1.FreightBill_Finding{
		Rule: f.Rule, Subject: f.Subject, Passed: f.Passed, Detail: f.Detail, Owner: string(f.Owner), DisputeCode: string(f.Dispute),
	}
}

// FromFinding reads a finding.
func FromFinding(m *billingv1.FreightBill_Finding) freightbill.Finding {
	return freightbill.Finding{
		Rule: m.GetRule(), Subject: m.GetSubject(), Passed: m.GetPassed(), Detail: m.GetDetail(), Owner: freightbill.Owner(m.GetOwner()),
		Dispute: freightbill.Code(m.GetDisputeCode()),
	}
}

// EntryName is the resource name of a place in the journal.
func EntryName(sequence uint64) string { return fmt.Sprintf("journalEntries/%016d", sequence) }

// JournalEntry is a posting.
func JournalEntry(p ledger.Posting) *billingv1.JournalEntry {
	m := &billingv1.JournalEntry{
		Name: EntryName(p.Sequence), Moment: string(p.Entry.Moment()), LegalEntity: p.LegalEntity, Document: p.Document, Related: p.Related,
		PostTime: Time(p.Time),
	}
	for _, l := range p.Entry.Lines() {
		line := &billingv1.JournalEntry_Line{Account: string(l.Account), AccountName: l.Account.Name()}
		if l.Debit.IsZero() {
			line.Credit = Money(l.Credit)
		} else {
			line.Debit = Money(l.Debit)
		}
		m.Lines = append(m.Lines, line)
	}
	return m
}

// FromJournalEntry reads a posting; one that does not balance is an error.
func FromJournalEntry(sequence uint64, m *billingv1.JournalEntry) (ledger.Posting, error) {
	var lines []ledger.Line
	for _, l := range m.GetLines() {
		debit, err := FromMoney(l.GetDebit())
		if err != nil {
			return ledger.Posting{}, err
		}
		credit, err := FromMoney(l.GetCredit())
		if err != nil {
			return ledger.Posting{}, err
		}
		lines = append(lines, ledger.Line{Account: ledger.Account(l.GetAccount()), Debit: debit, Credit: credit})
	}
	entry, err := ledger.New(ledger.Moment(m.GetMoment()), lines...)
	return ledger.Posting{
		Sequence: sequence, Entry: entry, LegalEntity: m.GetLegalEntity(), Document: m.GetDocument(), Related: m.GetRelated(),
		Time: FromTime(m.GetPostTime()),
	}, err
}
