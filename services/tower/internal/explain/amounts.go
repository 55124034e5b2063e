package explain

import (
	"regexp"
	"slices"
	"strings"
	"time"

	googlemoney "google.golang.org/genproto/googleapis/type/money"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
)

// All asks for every figure.
const All = "*"

// Amounts are the figures of the case; those that were asked for have their tree. The last part of a key is enough to ask.
func (s *Story) Amounts(want string, masterdata Lookup) ([]*towerv1.Amount, error) {
	var all []*towerv1.Amount
	for _, part := range []func() []*towerv1.Amount{s.goods, s.freight, s.invoices, s.bills, s.variances} {
		all = append(all, part()...)
	}
	for _, a := range all {
		if !asked(a.GetKey(), want) {
			a.Reason = nil
			continue
		}
		if err := publish(a.GetReason(), masterdata, s.toldAt(a.GetSubject())); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func asked(key, want string) bool {
	want = strings.ToLower(want)
	key = strings.ToLower(key)
	return want == All || want != "" && (key == want || strings.HasSuffix(key, "."+want))
}

// toldAt is when a resource was last told of.
func (s *Story) toldAt(name string) time.Time {
	var last time.Time
	for _, f := range s.Facts {
		if at := f.Step.GetApplyTime().AsTime(); f.Step.GetSubject() == name && at.After(last) {
			last = at
		}
	}
	return last
}

// goods are the ordered lines at their prices.
func (s *Story) goods() []*towerv1.Amount {
	var out []*towerv1.Amount
	for _, f := range s.Facts {
		m, ok := f.Payload.(*ordersv1.OrderCreated)
		if !ok {
			continue
		}
		o := m.GetOrder()
		whole := &towerv1.Amount{Key: "goods", Label: "goods as ordered", Value: s.Case.GetOrderTotal(), Subject: o.GetName(), Reason: &towerv1.Reason{
			Label: "Goods", Value: amount(s.Case.GetOrderTotal()), Rule: "sum of " + plural(len(o.GetLines()), "line") + ", each rounded once half-up",
			Sources: sources(s.brought(o.GetName())),
		}}
		out = append(out, whole)
		for i, l := range o.GetLines() {
			value := times(l.GetQuantity().GetValue(), l.GetUnitPrice(), o.GetCurrencyCode())
			r := &towerv1.Reason{
				Label: "Line " + l.GetLine() + " " + bare(l.GetItem()), Value: amount(value), Rule: l.GetQuantity().GetValue() + " × " + l.GetUnitPrice() + ", rounded half-up",
				Sources: sources(s.segment(o.GetName(), "PO1", i+1)),
			}
			whole.Reason.Children = append(whole.Reason.Children, r)
			out = append(out, &towerv1.Amount{Key: "goods." + l.GetLine(), Label: r.GetLabel(), Value: value, Subject: o.GetName(), Reason: r})
		}
	}
	return out
}

// freight is what the carriers are owed for the order: its part of each load.
func (s *Story) freight() []*towerv1.Amount {
	type priced struct {
		load *freightv1.Load
		step *towerv1.Step
	}
	var order []string
	loads := map[string]priced{}
	shipments := map[string]bool{}
	proofs := map[string][]*towerv1.Reason{} // by load and code
	price := func(f Fact, l *freightv1.Load) {
		if _, seen := loads[l.GetName()]; !seen {
			order = append(order, l.GetName())
		}
		loads[l.GetName()] = priced{l, f.Step}
	}
	for _, f := range s.Facts {
		switch m := f.Payload.(type) {
		case *freightv1.ShipmentPlanned:
			if m.GetShipment().GetOrder() == s.Case.GetOrder() {
				shipments[m.GetShipment().GetName()] = true
			}
		case *freightv1.LoadBooked:
			price(f, m.GetLoad())
		case *freightv1.LoadCancelled:
			price(f, m.GetLoad())
		case *freightv1.AccessorialProven:
			price(f, m.GetLoad())
			key := m.GetLoad().GetName() + " " + m.GetCharge().GetCode()
			proofs[key] = append(proofs[key], s.cite(&towerv1.Reason{Label: "Proven", Value: amount(m.GetCharge().GetAmount()), Rule: m.GetEvidence()}))
		}
	}
	var out []*towerv1.Amount
	for _, name := range order {
		p := loads[name]
		charges := p.load.GetCharges()
		if charges.GetTotal() == nil {
			continue
		}
		share, parts := part(charges, shipments)
		words := "freight of load " + p.load.GetNumber() + " by " + bare(p.load.GetCarrier())
		root := s.reason(charges.GetExplanation())
		root.Sources = append(root.Sources, s.told(p.step, name))
		rated := root.Children
		root.Children = nil
		if amount(share) != amount(charges.GetTotal()) {
			root.Rule = "this order's part of " + amount(charges.GetTotal()) + ", each charge by gross weight, a charge of one stop on the shipments of that stop alone"
		}
		root.Value = amount(share)
		whole := &towerv1.Amount{Key: "freight", Label: words, Value: share, Subject: name, Reason: root}
		out = append(out, whole)
		for i, c := range charges.GetCharges() {
			made := take(&rated, c.GetCode())
			if made == nil {
				made = &towerv1.Reason{Label: c.GetCode(), Value: amount(c.GetAmount()), Rule: c.GetDescription()}
			}
			made.Children = append(made.Children, proofs[name+" "+c.GetCode()]...)
			value := c.GetAmount()
			if parts != nil {
				if value = parts[i]; amount(value) != amount(c.GetAmount()) {
					made = &towerv1.Reason{Label: c.GetCode(), Value: amount(value), Rule: "this order's part of " + amount(c.GetAmount()), Children: []*towerv1.Reason{made}}
				}
			}
			root.Children = append(root.Children, made)
			out = append(out, &towerv1.Amount{Key: "freight." + c.GetCode(), Label: words + ": " + c.GetDescription(), Value: value, Subject: name, Reason: made})
		}
		root.Children = append(root.Children, rated...)
	}
	return out
}

// part is what shipments bear of a load's charges, and of each charge; the whole and nil where nothing is said of it.
func part(charges *freightv1.RatedCharges, shipments map[string]bool) (share *googlemoney.Money, parts []*googlemoney.Money) {
	for _, a := range charges.GetAllocations() {
		if !shipments[a.GetShipment()] {
			continue
		}
		if parts == nil {
			parts = make([]*googlemoney.Money, len(charges.GetCharges()))
		}
		share = Sum(share, a.GetTotal())
		taken := make([]bool, len(a.GetCharges()))
		for i, c := range charges.GetCharges() {
			for j, borne := range a.GetCharges() {
				if !taken[j] && borne.GetCode() == c.GetCode() && borne.GetDescription() == c.GetDescription() {
					taken[j] = true
					parts[i] = Sum(parts[i], borne.GetAmount())
					break
				}
			}
			if parts[i] == nil {
				parts[i] = &googlemoney.Money{CurrencyCode: c.GetAmount().GetCurrencyCode()}
			}
		}
	}
	if parts == nil {
		return charges.GetTotal(), nil
	}
	return share, parts
}

// Borne is what shipments bear of a load's charges; all of it where nothing is said of who bears what.
func Borne(charges *freightv1.RatedCharges, shipments map[string]bool) *googlemoney.Money {
	share, _ := part(charges, shipments)
	return share
}

// Labels in the explanation of an invoice.
const (
	goodsLabel     = "Goods"
	deliveredLabel = "Delivered"
)

// invoices are what the customer was invoiced.
func (s *Story) invoices() []*towerv1.Amount {
	var out []*towerv1.Amount
	for _, f := range s.Facts {
		m, ok := f.Payload.(*billingv1.InvoiceIssued)
		if !ok || m.GetInvoice().GetOrder() != s.Case.GetOrder() {
			continue
		}
		i := m.GetInvoice()
		words := "invoice " + i.GetNumber()
		add := func(key, label string, value *googlemoney.Money, r *towerv1.Reason) {
			out = append(out, &towerv1.Amount{Key: key, Label: words + label, Value: value, Subject: i.GetName(), Reason: r})
		}
		root := s.reason(i.GetExplanation())
		children := root.Children
		root.Sources = append(root.Sources, s.told(f.Step, i.GetName()))
		root.Children = nil
		add("invoice", "", i.GetTotal(), root)
		goods := s.invoiced(i)
		if take(&children, goodsLabel) != nil || len(i.GetLines()) > 0 {
			root.Children = append(root.Children, goods)
			add("invoice.goods", ", goods", i.GetGoodsTotal(), goods)
			for n, l := range i.GetLines() {
				add("invoice.goods."+l.GetLine(), ", line "+l.GetLine(), l.GetAmount(), goods.GetChildren()[n])
			}
		}
		told := take(&children, deliveredLabel)
		for _, r := range children {
			root.Children = append(root.Children, r)
			switch key := strings.ToLower(r.GetLabel()); key {
			case "freight":
				add("invoice.freight", ", freight", i.GetFreightTotal(), r)
				for _, l := range i.GetFreight() {
					for _, c := range r.GetChildren() {
						if c.GetLabel() == l.GetCharge().GetCode() {
							add("invoice.freight."+c.GetLabel(), ", "+l.GetCharge().GetDescription(), l.GetCharge().GetAmount(), c)
						}
					}
				}
			case "tax":
				add("invoice.tax", ", tax", i.GetTaxTotal(), r)
			}
		}
		if r := s.delivered(i.GetShipment()); r != nil {
			root.Children = append(root.Children, r)
		} else if told != nil {
			root.Children = append(root.Children, told)
		}
	}
	return out
}

// invoiced are the goods of an invoice: accepted quantities at the order's prices.
func (s *Story) invoiced(i *billingv1.Invoice) *towerv1.Reason {
	root := &towerv1.Reason{Label: goodsLabel, Value: amount(i.GetGoodsTotal()), Rule: "sum of the lines, each rounded once half-up", Sources: []*towerv1.Source{{Resource: i.GetOrderRelease(), Text: i.GetOrderRelease()}}}
	ordered, proof := map[string]int{}, (*towerv1.Source)(nil)
	for _, f := range s.Facts {
		switch m := f.Payload.(type) {
		case *ordersv1.OrderCreated:
			for n, l := range m.GetOrder().GetLines() {
				ordered[l.GetLine()] = n + 1
			}
		case *freightv1.ProofOfDeliveryReceived:
			if m.GetShipment().GetName() == i.GetShipment() && !f.Step.GetApplyTime().AsTime().After(s.toldAt(i.GetName())) {
				proof = s.told(f.Step, m.GetProofOfDelivery().GetName())
			}
		}
	}
	for _, l := range i.GetLines() {
		root.Children = append(root.Children, &towerv1.Reason{
			Label: "Line " + l.GetLine() + " " + bare(l.GetItem()), Value: amount(l.GetAmount()), Rule: l.GetQuantity().GetValue() + " × " + l.GetUnitPrice() + ", rounded half-up",
			Children: []*towerv1.Reason{
				{Label: "Accepted quantity", Value: l.GetQuantity().GetValue() + " " + l.GetQuantity().GetUnit(), Sources: sources(proof)},
				{Label: "Unit price", Value: l.GetUnitPrice() + " " + l.GetAmount().GetCurrencyCode(), Sources: sources(s.segment(i.GetOrder(), "PO1", ordered[l.GetLine()]))},
			},
		})
	}
	return root
}

// delivered is the milestone that a shipment was handed over by; nil when it was not told.
func (s *Story) delivered(shipment string) *towerv1.Reason {
	var out *towerv1.Reason
	for _, f := range s.Facts {
		if m, ok := f.Payload.(*freightv1.ShipmentDelivered); ok && m.GetShipment().GetName() == shipment {
			out = &towerv1.Reason{Label: deliveredLabel, Value: m.GetOccurred().GetTime().AsTime().UTC().Format(time.RFC3339), Sources: sources(s.told(f.Step, shipment))}
		}
	}
	return out
}

// bills are the carriers' bills, each as it was told of last.
func (s *Story) bills() []*towerv1.Amount {
	var names []string
	last := map[string]*billingv1.FreightBill{}
	for _, f := range s.Facts {
		var b *billingv1.FreightBill
		if m, ok := f.Payload.(interface{ GetFreightBill() *billingv1.FreightBill }); ok {
			b = m.GetFreightBill()
		}
		if b == nil {
			continue
		}
		if last[b.GetName()] == nil {
			names = append(names, b.GetName())
		}
		last[b.GetName()] = b
	}
	var out []*towerv1.Amount
	for _, name := range names {
		b := last[name]
		words := "bill " + b.GetInvoiceNumber() + " of " + bare(b.GetCarrier()) + ", " + strings.ToLower(b.GetState().String())
		root := &towerv1.Reason{Label: "Bill " + b.GetInvoiceNumber(), Value: amount(b.GetTotal()), Rule: strings.ToLower(b.GetState().String()) + "; as billed", Sources: sources(s.segment(name, "B3", 1))}
		out = append(out, &towerv1.Amount{Key: "bill", Label: words, Value: b.GetTotal(), Subject: name, Reason: root})
		audit := &towerv1.Reason{Label: "Audit", Value: strings.ToLower(b.GetState().String())}
		for n, c := range b.GetCharges() {
			r := &towerv1.Reason{Label: c.GetCode(), Value: amount(c.GetAmount()), Rule: c.GetDescription(), Sources: sources(s.segment(name, "L1", n+1))}
			root.Children = append(root.Children, r)
			out = append(out, &towerv1.Amount{Key: "bill." + c.GetCode(), Label: words + ": " + c.GetCode(), Value: c.GetAmount(), Subject: name, Reason: r})
		}
		for _, f := range b.GetFindings() {
			verdict := "passed"
			if !f.GetPassed() {
				verdict = "not passed"
			}
			finding := s.cite(&towerv1.Reason{Label: f.GetRule() + " " + bare(f.GetSubject()), Value: verdict, Rule: f.GetDetail()})
			audit.Children = append(audit.Children, finding)
		}
		for _, d := range b.GetDecisions() {
			audit.Children = append(audit.Children, &towerv1.Reason{
				Label: "Decision", Value: strings.ToLower(d.GetState().String()), Rule: strings.TrimSpace(d.GetDisputeCode() + " " + d.GetReason()),
				Sources: []*towerv1.Source{{Resource: name, Time: d.GetDecideTime()}},
			})
		}
		if len(audit.Children) > 0 {
			root.Children = append(root.Children, audit)
		}
	}
	return out
}

// varianceAccount is the sub-ledger's account of what was paid beyond, or short of, what was accrued.
const varianceAccount = "5190"

// variances are what approved bills differ from what was accrued.
func (s *Story) variances() []*towerv1.Amount {
	var out []*towerv1.Amount
	for _, f := range s.Facts {
		m, ok := f.Payload.(*billingv1.JournalEntryPosted)
		if !ok {
			continue
		}
		e := m.GetJournalEntry()
		for _, l := range e.GetLines() {
			if l.GetAccount() != varianceAccount {
				continue
			}
			value := Sum(l.GetDebit(), negative(l.GetCredit()))
			r := &towerv1.Reason{Label: l.GetAccountName(), Value: amount(value), Rule: e.GetMoment() + ": what was billed less what was accrued", Sources: sources(s.told(f.Step, e.GetName()))}
			for _, b := range s.bills() {
				if b.GetKey() == "bill" && b.GetSubject() == e.GetDocument() {
					r.Children = append(r.Children, b.GetReason())
				}
			}
			for _, a := range s.freight() {
				if a.GetKey() == "freight" && slices.Contains(e.GetRelated(), a.GetSubject()) {
					r.Children = append(r.Children, a.GetReason())
				}
			}
			out = append(out, &towerv1.Amount{Key: "variance", Label: "difference of the bill from what was expected", Value: value, Subject: e.GetName(), Reason: r})
		}
	}
	return out
}

// resource names in words, such as "contracts/CAR-CXBB-1" and "loads/load_.../claims/clm_...".
var resource = regexp.MustCompile(`\b[a-z][A-Za-z]+/[A-Za-z0-9][A-Za-z0-9_.-]*[A-Za-z0-9](?:/[a-z][A-Za-z]+/[A-Za-z0-9][A-Za-z0-9_-]*)*`)

// reason is a tree as the services tell it, with its sources resolved.
func (s *Story) reason(e *typev1.Explanation) *towerv1.Reason {
	r := &towerv1.Reason{Label: e.GetLabel(), Value: e.GetValue(), Rule: e.GetRule()}
	names := resource.FindAllString(e.GetSource(), -1)
	if e.GetSource() != "" {
		source := &towerv1.Source{Text: e.GetSource(), Resource: resource.FindString(e.GetLabel())}
		if len(names) > 0 {
			source.Resource = names[0]
		}
		r.Sources = append(r.Sources, source)
	}
	for i, name := range names {
		if i > 0 && published.MatchString(name) {
			r.Sources = append(r.Sources, &towerv1.Source{Text: name, Resource: name})
		}
		s.add(r, name)
	}
	s.cite(r)
	for _, c := range e.GetChildren() {
		r.Children = append(r.Children, s.reason(c))
	}
	return r
}

// cite adds what brought the claims and proofs that a rule speaks of.
func (s *Story) cite(r *towerv1.Reason) *towerv1.Reason {
	for _, name := range resource.FindAllString(r.GetRule(), -1) {
		if !strings.HasPrefix(name, "orders/") {
			s.add(r, name)
		}
	}
	return r
}

// evidence are the kinds of names that a message or call brought; published those that master data tells.
var (
	evidence  = regexp.MustCompile(`^(proofsOfDelivery/|loads/.+/claims/|orders/[^/]+$|freightBills/)`)
	published = regexp.MustCompile(`^(contracts|rateTables|fuelIndexes|lanes|taxRules)/`)
)

func (s *Story) add(r *towerv1.Reason, name string) {
	if !evidence.MatchString(name) || slices.ContainsFunc(r.Sources, func(x *towerv1.Source) bool { return x.GetResource() == name && x.GetFact() != nil }) {
		return
	}
	if source := s.brought(name); source != nil {
		r.Sources = append(r.Sources, source)
	}
}

// publish adds the facts that master data was told by, as it stood when the figure was made.
func publish(r *towerv1.Reason, masterdata Lookup, made time.Time) error {
	for _, source := range r.GetSources() {
		if source.GetResource() == "" || source.GetFact() != nil || source.GetText() == "" {
			continue
		}
		steps, err := masterdata(source.GetResource())
		if err != nil {
			return err
		}
		for _, step := range steps {
			if step.GetService() == "masterdata" && !step.GetApplyTime().AsTime().After(made) {
				source.Fact, source.Time = step.GetPosition(), step.GetApplyTime()
			}
		}
	}
	for _, c := range r.GetChildren() {
		if err := publish(c, masterdata, made); err != nil {
			return err
		}
	}
	return nil
}

// take takes the first node with a label out of a list.
func take(list *[]*towerv1.Reason, label string) *towerv1.Reason {
	for i, r := range *list {
		if r.GetLabel() == label {
			*list = slices.Delete(*list, i, i+1)
			return r
		}
	}
	return nil
}

func sources(s *towerv1.Source) []*towerv1.Source {
	if s == nil {
		return nil
	}
	return []*towerv1.Source{s}
}

// times is a price of a quantity, rounded once; nil when either is no number.
func times(quantity, price, currency string) *googlemoney.Money {
	q, err1 := decimal.Parse(quantity)
	p, err2 := decimal.Parse(price)
	if err1 != nil || err2 != nil {
		return nil
	}
	a, err := money.Round(q.Mul(p), currency)
	if err != nil {
		return nil
	}
	return Money(a)
}

// Sum adds two amounts of one currency; an absent one counts as nothing, and amounts that do not add up keep the first.
func Sum(a, b *googlemoney.Money) *googlemoney.Money {
	if b == nil || a == nil {
		if a == nil {
			return b
		}
		return a
	}
	x, err1 := money.FromUnitsNanos(a.GetUnits(), a.GetNanos(), a.GetCurrencyCode())
	y, err2 := money.FromUnitsNanos(b.GetUnits(), b.GetNanos(), b.GetCurrencyCode())
	if err1 != nil || err2 != nil {
		return a
	}
	z, err := x.Add(y)
	if err != nil {
		return a
	}
	return Money(z)
}

func negative(m *googlemoney.Money) *googlemoney.Money {
	if m == nil {
		return nil
	}
	return &googlemoney.Money{CurrencyCode: m.GetCurrencyCode(), Units: -m.GetUnits(), Nanos: -m.GetNanos()}
}

// Money is an amount as contracts write it.
func Money(a money.Amount) *googlemoney.Money {
	units, nanos := a.UnitsNanos()
	return &googlemoney.Money{CurrencyCode: a.Currency(), Units: units, Nanos: nanos}
}

// amount writes money with its currency; empty where there is none.
func amount(m *googlemoney.Money) string {
	if m == nil {
		return ""
	}
	a, err := money.FromUnitsNanos(m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
	if err != nil {
		return ""
	}
	return a.Label()
}
