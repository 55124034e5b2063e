// Package invoice is for customers' invoices: what may be billed for a shipment, at which figures, and the states of the
// document.
//
// It promises that each goods line and each freight charge is rounded once, half-up, and the tax once on the net total;
// that goods are billed on the accepted quantity and freight on the shipped gross weight; that a preview and the bill
// are made by the same function, Draft; and that an issued invoice never changes. Whether a shipment may be billed is package
// predicate, numbers are package series, keeping all of it is left to the store.
package invoice

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"

	"crossdock.dev/services/billing/internal/accrual"
	"crossdock.dev/services/billing/internal/predicate"
	"crossdock.dev/services/billing/internal/shipment"
)

// ErrNoPrice means that something to be billed has no price; the message says what.
var ErrNoPrice = errors.New("not priced")

// Terms is one version of what a customer agreed with us.
type Terms struct {
	Contract      string // "contracts/CUS-XYZ-1"
	Freight       shipment.FreightTerms
	Proof         shipment.ProofState
	BillCleanPart bool
	// Tariff prices freight that is billed; nil where the contract has no freight prices.
	Tariff *rating.Tariff
}

// Goods is a line of goods at the order's price.
type Goods struct {
	Line        string
	Item        string
	Description string
	Quantity    quantity.Quantity // accepted
	UnitPrice   decimal.Decimal
	Amount      money.Amount // quantity × price, rounded once half-up
	ExternalIDs []shipment.ExternalID
}

// Freight is a freight charge by the customer's contract.
type Freight struct {
	Charge   accrual.Charge
	Contract string
}

// PriceGoods prices the accepted quantities at the release's prices. A line of which nothing was accepted is not billed.
func PriceGoods(r shipment.Release, delivered []shipment.Line) ([]Goods, money.Amount, error) {
	accepted := map[string]quantity.Quantity{}
	for _, l := range delivered {
		if l.Proven {
			accepted[l.Line] = l.Accepted
		}
	}
	total, err := money.Zero(r.Currency)
	if err != nil {
		return nil, total, err
	}
	var out []Goods
	for _, l := range r.Lines {
		q, ok := accepted[l.Line]
		if !ok || q.IsZero() {
			continue
		}
		if q.Unit() != l.Quantity.Unit() {
			return nil, total, fmt.Errorf("%w: line %s is priced per %s and was accepted in %s", ErrNoPrice, l.Line, l.Quantity.Unit(), q.Unit())
		}
		amount, err := money.Round(q.Value().Mul(l.UnitPrice), r.Currency)
		if err != nil {
			return nil, total, err
		}
		if total, err = total.Add(amount); err != nil {
			return nil, total, err
		}
		out = append(out, Goods{
			Line: l.Line, Item: l.Item, Description: l.Description, Quantity: q, UnitPrice: l.UnitPrice, Amount: amount,
			ExternalIDs: l.ExternalIDs,
		})
	}
	return out, total, nil
}

// Carriage is what a customer's freight is priced on.
type Carriage struct {
	Terms    shipment.FreightTerms
	Currency string
	ShipDate calendar.Date
	Mode     string
	Lane     string            // for flat prices
	Weight   quantity.Quantity // gross, as shipped
	// Accessorials are extras that the place of delivery needs, such as LFT.
	Accessorials []rating.ChargeCode
}

// PriceFreight prices the freight that the customer is billed: nothing unless the terms are prepaid and add. A price that the
// contract does not have is ErrNoPrice.
func PriceFreight(t Terms, c Carriage) ([]Freight, money.Amount, rating.Node, error) {
	total, err := money.Zero(c.Currency)
	node := rating.Node{Label: "Freight", Value: total.Label(), Source: t.Contract}
	if err != nil {
		return nil, total, node, err
	}
	switch c.Terms {
	case shipment.Prepaid:
		node.Rule = "prepaid: inside the goods price"
		return nil, total, node, nil
	case shipment.Collect:
		node.Rule = "collect: the customer pays the carrier"
		return nil, total, node, nil
	}
	if t.Tariff == nil {
		return nil, total, node, fmt.Errorf("%w: %s has no freight price", ErrNoPrice, t.Contract)
	}
	quote, err := rating.Rate(*t.Tariff, rating.Move{
		ShipDate: c.ShipDate, Mode: c.Mode, Lane: c.Lane, Goods: []rating.Goods{{Weight: c.Weight}}, Accessorials: c.Accessorials,
	})
	if err != nil {
		return nil, total, node, fmt.Errorf("%w: freight by %s: %w", ErrNoPrice, t.Contract, err)
	}
	if quote.Currency != c.Currency {
		return nil, total, node, fmt.Errorf("%w: freight by %s is in %s, the goods in %s", ErrNoPrice, t.Contract, quote.Currency, c.Currency)
	}
	var out []Freight
	for _, q := range quote.Charges {
		out = append(out, Freight{accrual.Charge{Code: q.Code, Description: describe(q), Amount: q.Amount}, t.Contract})
	}
	node = quote.Explain
	node.Label, node.Source = "Freight", t.Contract+", ship date "+c.ShipDate.String()
	return out, quote.Total, node, nil
}

// describe is what the invoice prints beside a charge.
func describe(c rating.Charge) string {
	switch {
	case c.Basis == rating.BasisPercent:
		return "Fuel " + c.Rate.Trim().String() + " % of line-haul"
	case c.MinimumApplied:
		return "Freight, minimum charge"
	case c.Basis == rating.BasisPerWeight && c.Quantity.Unit() == quantity.CwtUS:
		return "Freight " + c.Quantity.Value().Trim().String() + " cwt at " + c.Rate.String()
	case c.Basis == rating.BasisPerWeight && c.Quantity.Unit() == quantity.Decitonne:
		return "Freight " + c.Quantity.Value().Trim().String() + " x 100 kg at " + c.Rate.String()
	case c.Code == rating.LineHaulCharge:
		return "Freight, flat"
	case c.Code == rating.LiftgateCharge:
		return "Liftgate"
	}
	return string(c.Code)
}

// Authorization is the permission to bill a shipment, with its figures and the evidence.
type Authorization struct {
	Name                string
	Shipment            string
	Release             string
	Order               string
	CustomerOrderNumber string
	Customer            string
	LegalEntity         string
	Conjuncts           []predicate.Conjunct
	Goods               []Goods
	Freight             []Freight
	GoodsTotal          money.Amount
	FreightTotal        money.Amount
	NetTotal            money.Amount
	FreightExplanation  rating.Node
	LoadNumber          string
	ShipDate            calendar.Date
	ShipFrom, ShipTo    string
	PaymentTerms        string // as the customer wrote them; empty means those on file
	Proof               string
	Contract            string
	Delivered           time.Time
	Created             time.Time
	Invoice             string // empty before
}

// Authorized is the fact that a shipment may be billed.
type Authorized struct{ Authorization Authorization }

// Authorize makes the authorisation of a shipment whose conditions all hold.
func Authorize(name string, r shipment.Release, s shipment.Shipment, l shipment.Load, conjuncts []predicate.Conjunct, goods []Goods,
	goodsTotal money.Amount, freight []Freight, freightTotal money.Amount, why rating.Node, contract string, at time.Time) (Authorization, error) {
	net, err := goodsTotal.Add(freightTotal)
	if err != nil {
		return Authorization{}, err
	}
	return Authorization{
		Name: name, Shipment: s.Name, Release: r.Name, Order: r.Order, CustomerOrderNumber: r.CustomerOrderNumber,
		Customer: r.Customer, LegalEntity: r.LegalEntity, Conjuncts: conjuncts, Goods: goods, Freight: freight,
		GoodsTotal: goodsTotal, FreightTotal: freightTotal, NetTotal: net, FreightExplanation: why, LoadNumber: l.Number,
		ShipDate: l.ShipDate, ShipFrom: s.ShipFrom, ShipTo: s.ShipTo, PaymentTerms: r.PaymentTerms, Proof: s.Proof,
		Contract: contract, Delivered: s.Delivered, Created: at,
	}, nil
}

// State is where an invoice stands.
type State int

// The states.
const (
	DraftState State = iota + 1
	ApprovedState
	IssuedState
)

// States lists all states in the order of an invoice's life.
var States = []State{DraftState, ApprovedState, IssuedState}

// String is the state's name.
func (s State) String() string {
	switch s {
	case DraftState:
		return "DRAFT"
	case ApprovedState:
		return "APPROVED"
	case IssuedState:
		return "ISSUED"
	}
	return "UNSPECIFIED"
}

// Verb is what can be done to an invoice.
type Verb string

// The verbs.
const (
	Approve Verb = "approve"
	Issue   Verb = "issue"
)

// Verbs lists all verbs.
var Verbs = []Verb{Approve, Issue}

// transitions is the one table of states and verbs. A verb that leads to the state it starts from was done before.
var transitions = map[State]map[Verb]State{
	DraftState:    {Approve: ApprovedState},
	ApprovedState: {Approve: ApprovedState, Issue: IssuedState},
	IssuedState:   {Approve: IssuedState, Issue: IssuedState},
}

// TransitionError says that a verb is not allowed in a state.
type TransitionError struct {
	From State
	Verb Verb
}

// Error names state and verb.
func (e *TransitionError) Error() string { return fmt.Sprintf("%s: not in state %s", e.Verb, e.From) }

// Next returns the state that a verb leads to, or *TransitionError.
func Next(from State, verb Verb) (State, error) {
	to, ok := transitions[from][verb]
	if !ok {
		return from, &TransitionError{from, verb}
	}
	return to, nil
}

// Tax is the tax rule of an invoice.
type Tax struct {
	Rule    string // "taxRules/NL_DOMESTIC_21"
	Note    string // words printed
	Percent decimal.Decimal
	// Seller and Customer are the tax numbers of both sides, printed; empty where there is none. Directive 2006/112/EC Art. 226(3)
	// and (4) ask for both where the customer owes the tax.
	Seller, Customer string
}

// Payment is when a customer pays.
type Payment struct {
	Terms   string // in words, on file
	DueDays int    // counted from the issue date
}

// Invoice is a customer's invoice.
type Invoice struct {
	Name                string
	Number              string // empty before issue
	State               State
	LegalEntity         string
	Customer            string
	Order               string
	CustomerOrderNumber string
	Release             string
	Shipment            string
	LoadNumber          string
	Authorization       string
	Goods               []Goods
	Freight             []Freight
	GoodsTotal          money.Amount
	FreightTotal        money.Amount
	TaxTotal            money.Amount
	Total               money.Amount
	Tax                 Tax
	PaymentTerms        string
	DueDays             int
	IssueDate, DueDate  calendar.Date // local to the legal entity; zero before issue
	IssueTime           time.Time     // zero before issue
	ShipDate            calendar.Date
	ShipFrom, ShipTo    string
	Explanation         rating.Node
}

// ApprovedFact is the fact that an invoice is ready to be issued.
type ApprovedFact struct{ Invoice Invoice }

// IssuedFact is the fact that an invoice is numbered and binding.
type IssuedFact struct{ Invoice Invoice }

// Draft makes the invoice of an authorisation. Preview and bill are both made here, so they have the same figures.
func Draft(name string, a Authorization, tax Tax, pay Payment) (Invoice, error) {
	taxTotal, err := a.NetTotal.PercentRound(tax.Percent)
	if err != nil {
		return Invoice{}, err
	}
	total, err := a.NetTotal.Add(taxTotal)
	if err != nil {
		return Invoice{}, err
	}
	i := Invoice{
		Name: name, State: DraftState, LegalEntity: a.LegalEntity, Customer: a.Customer, Order: a.Order,
		CustomerOrderNumber: a.CustomerOrderNumber, Release: a.Release, Shipment: a.Shipment, LoadNumber: a.LoadNumber,
		Authorization: a.Name, Goods: a.Goods, Freight: a.Freight, GoodsTotal: a.GoodsTotal, FreightTotal: a.FreightTotal,
		TaxTotal: taxTotal, Total: total, Tax: tax, PaymentTerms: a.PaymentTerms, DueDays: pay.DueDays,
		ShipDate: a.ShipDate, ShipFrom: a.ShipFrom, ShipTo: a.ShipTo,
	}
	if i.PaymentTerms == "" {
		i.PaymentTerms = pay.Terms
	}
	i.Explanation = Explain(i, a)
	return i, nil
}

// Approve makes a draft ready to be issued. changed is false when that was done before.
func (i Invoice) Approve() (out Invoice, changed bool, err error) {
	to, err := Next(i.State, Approve)
	changed = err == nil && to != i.State
	i.State = to
	return i, changed, err
}

// Issue numbers an approved invoice and makes it binding. The date is the one in the zone of the legal entity's books.
func (i Invoice) Issue(number string, at time.Time, zone *time.Location) (out Invoice, changed bool, err error) {
	to, err := Next(i.State, Issue)
	if err != nil || to == i.State {
		return i, false, err
	}
	i.State, i.Number, i.IssueTime = to, number, at
	i.IssueDate = calendar.DateOf(at, zone)
	i.DueDate = i.IssueDate.AddDays(i.DueDays)
	return i, true, nil
}

// GoodsLabel is the label of the goods' branch in an invoice's explanation.
const GoodsLabel = "Goods"

// Explain leads from an invoice's total to contract, quantities, proof of delivery and milestone.
func Explain(i Invoice, a Authorization) rating.Node {
	goods := rating.Node{Label: GoodsLabel, Value: i.GoodsTotal.Label(), Rule: "sum of the lines, each rounded once half-up", Source: i.Release}
	for _, g := range i.Goods {
		goods.Children = append(goods.Children, rating.Node{
			Label: "Line " + g.Line + " " + strings.TrimPrefix(g.Item, "items/"), Value: g.Amount.Label(),
			Rule: g.Quantity.Value().String() + " × " + g.UnitPrice.String() + ", rounded half-up", Source: i.Release,
			Children: []rating.Node{
				{Label: "Accepted quantity", Value: g.Quantity.String(), Source: a.Proof},
				{Label: "Unit price", Value: g.UnitPrice.String() + " " + g.Amount.Currency(), Source: i.Order},
			},
		})
	}
	tax := rating.Node{
		Label: "Tax", Value: i.TaxTotal.Label(), Source: i.Tax.Rule,
		Rule: i.Tax.Percent.String() + " % of goods and freight " + a.NetTotal.String() + ", rounded once half-up",
	}
	evidence := rating.Node{Label: "Authorised", Value: a.Created.UTC().Format(time.RFC3339), Rule: "every condition held", Source: a.Name}
	for _, c := range a.Conjuncts {
		evidence.Children = append(evidence.Children, rating.Node{Label: c.Condition, Value: "met", Rule: c.Evidence})
	}
	delivered := rating.Node{Label: "Delivered", Value: a.Delivered.UTC().Format(time.RFC3339), Source: a.Shipment}
	return rating.Node{
		Label: "Invoice total", Value: i.Total.Label(), Rule: "goods + freight + tax", Source: a.Name,
		Children: []rating.Node{goods, a.FreightExplanation, tax, delivered, evidence},
	}
}

// Related are the names and numbers that lead to the authorisation.
func (a Authorization) Related() []string {
	return lead(a.Order, "po:"+a.CustomerOrderNumber, a.Release, a.Shipment, load(a.LoadNumber), a.Customer)
}

// Related are the names and numbers that lead to the invoice.
func (i Invoice) Related() []string {
	number := ""
	if i.Number != "" {
		number = "invoice:" + i.Number
	}
	return lead(i.Order, "po:"+i.CustomerOrderNumber, i.Release, i.Shipment, load(i.LoadNumber), i.Customer, i.Name, number, i.Authorization)
}

func load(number string) string {
	if number == "" {
		return ""
	}
	return "load:" + number
}

func lead(names ...string) []string {
	return slices.DeleteFunc(names, func(n string) bool { return n == "" || n == "po:" })
}
