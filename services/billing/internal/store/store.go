package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	billingstoragev1 "crossdock.dev/gen/crossdock/billing/storage/v1"
	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	platform "crossdock.dev/platform/store"

	"crossdock.dev/services/billing/internal/accrual"
	"crossdock.dev/services/billing/internal/freightbill"
	"crossdock.dev/services/billing/internal/invoice"
	"crossdock.dev/services/billing/internal/ledger"
	"crossdock.dev/services/billing/internal/series"
	"crossdock.dev/services/billing/internal/shipment"
	"crossdock.dev/services/billing/internal/wire"
)

// ErrNotFound is returned for what does not exist.
var ErrNotFound = errors.New("not found")

// Store is billing's store.
type Store struct{ platform *platform.Store }

// New returns billing's view of an open store.
func New(s *platform.Store) *Store { return &Store{s} }

// Change makes a change whose answer is the name of a resource. A repeated cause gets the same name.
func (s *Store) Change(ctx context.Context, c platform.Cause, fn func(tx *Tx) (string, error)) (string, platform.Position, error) {
	out, err := s.platform.Change(ctx, c, func(tx *platform.Tx) ([]byte, error) {
		name, err := fn(In(ctx, tx))
		return []byte(name), err
	})
	return string(out.Answer), out.Position, err
}

// View reads.
func (s *Store) View(ctx context.Context, fn func(r Reader) error) error {
	return s.platform.View(ctx, func(r platform.Reader) error { return fn(Reader{ctx, r}) })
}

// Reader reads domain values.
type Reader struct {
	ctx context.Context
	r   platform.Reader
}

// Tx is a change under way.
type Tx struct {
	Reader
	tx *platform.Tx
}

// In returns billing's view of a change that another began, such as a consumer.
func In(ctx context.Context, tx *platform.Tx) *Tx { return &Tx{Reader{ctx, tx}, tx} }

// found turns the platform's error for a missing record into ErrNotFound.
func found(what string, err error) error {
	if missing(err) {
		return fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	return err
}

// names returns the names that the derived rows under a prefix lead to, oldest key first.
func (r Reader) names(b *platform.Bucket, prefix []byte) ([]string, error) {
	var out []string
	err := platform.Each(r.ctx, r.r, b, prefix, func(kv platform.KV) error {
		out = append(out, string(kv.Value))
		return nil
	})
	return out, err
}

// Release returns a release with its lines.
func (r Reader) Release(name string) (shipment.Release, error) {
	m, err := releaseTable.Get(r.ctx, r.r, platform.Key(name))
	if err != nil {
		return shipment.Release{}, found(name, err)
	}
	out := shipment.Release{
		Name: m.GetName(), Order: m.GetOrder(), CustomerOrderNumber: m.GetCustomerOrderNumber(), Customer: m.GetCustomer(),
		LegalEntity: m.GetLegalEntity(), Currency: m.GetCurrencyCode(), PaymentTerms: m.GetPaymentTerms(), Contract: m.GetContract(),
	}
	err = eachUnder(r.ctx, r.r, releaseLineTable, platform.Key(name), func(_ []byte, l *billingstoragev1.ReleaseLineRecord) error {
		line, err := releaseLine(l)
		out.Lines = append(out.Lines, line)
		return err
	})
	return out, err
}

// Shipment returns a shipment with its lines.
func (r Reader) Shipment(name string) (shipment.Shipment, error) {
	m, err := shipmentTable.Get(r.ctx, r.r, platform.Key(name))
	if err != nil {
		return shipment.Shipment{}, found(name, err)
	}
	out, err := shipmentOf(m)
	if err != nil {
		return out, err
	}
	err = eachUnder(r.ctx, r.r, deliveredLineTable, platform.Key(name), func(_ []byte, l *billingstoragev1.DeliveredLineRecord) error {
		line, err := deliveredLine(l)
		out.Lines = append(out.Lines, line)
		return err
	})
	return out, err
}

// Load returns a load.
func (r Reader) Load(name string) (shipment.Load, error) {
	m, err := loadTable.Get(r.ctx, r.r, platform.Key(name))
	if err != nil {
		return shipment.Load{}, found(name, err)
	}
	return loadOf(m)
}

// LoadsByReference returns the loads with a load number or a carrier's reference; an empty argument finds none.
func (r Reader) LoadsByReference(number, carrierReference string) ([]shipment.Load, error) {
	var names []string
	for kind, value := range map[string]string{"number": number, "pro": carrierReference} {
		if value == "" {
			continue
		}
		some, err := r.names(loadReferences, platform.Key(kind, value))
		if err != nil {
			return nil, err
		}
		names = append(names, some...)
	}
	slices.Sort(names)
	var out []shipment.Load
	for _, name := range slices.Compact(names) {
		l, err := r.Load(name)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// Holds returns the open holds of an order.
func (r Reader) Holds(order string) ([]shipment.Hold, error) {
	var out []shipment.Hold
	err := eachUnder(r.ctx, r.r, holdTable, platform.Key(order), func(_ []byte, m *billingstoragev1.HoldRecord) error {
		out = append(out, shipment.Hold{Order: m.GetOrder(), Kind: m.GetKind(), Reason: m.GetReason()})
		return nil
	})
	return out, err
}

// Accruals returns the accruals of a load.
func (r Reader) Accruals(load string) ([]accrual.Accrual, error) {
	names, err := r.names(accrualsByLoad, platform.Key(load))
	if err != nil {
		return nil, err
	}
	var out []accrual.Accrual
	for _, name := range names {
		a, err := r.Accrual(name)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// Accrual returns one accrual.
func (r Reader) Accrual(name string) (accrual.Accrual, error) {
	m, err := accrualTable.Get(r.ctx, r.r, platform.Key(name))
	if err != nil {
		return accrual.Accrual{}, found(name, err)
	}
	return wire.FromAccrual(m.GetAccrual())
}

// Authorization returns an authorisation with its goods.
func (r Reader) Authorization(name string) (invoice.Authorization, error) {
	m, err := authorizationTable.Get(r.ctx, r.r, platform.Key(name))
	if err != nil {
		return invoice.Authorization{}, found(name, err)
	}
	goods, err := r.billable(name)
	if err != nil {
		return invoice.Authorization{}, err
	}
	return authorizationOf(m, goods)
}

func (r Reader) billable(authorization string) ([]invoice.Goods, error) {
	var out []invoice.Goods
	err := eachUnder(r.ctx, r.r, billableLineTable, platform.Key(authorization), func(_ []byte, m *billingstoragev1.BillableLineRecord) error {
		g, err := wire.FromGoodsLine(m.GetLine())
		out = append(out, g)
		return err
	})
	return out, err
}

// Invoice returns an issued invoice with its lines and explanation.
func (r Reader) Invoice(name string) (invoice.Invoice, error) {
	m, err := invoiceTable.Get(r.ctx, r.r, platform.Key(name))
	if err != nil {
		return invoice.Invoice{}, found(name, err)
	}
	a, err := r.Authorization(m.GetInvoice().GetBillingAuthorization())
	if err != nil {
		return invoice.Invoice{}, err
	}
	return invoiceOf(m, a)
}

// FreightBill returns a bill with its charges and findings.
func (r Reader) FreightBill(name string) (freightbill.Bill, error) {
	m, err := billTable.Get(r.ctx, r.r, platform.Key(name))
	if err != nil {
		return freightbill.Bill{}, found(name, err)
	}
	b, err := billOf(m)
	if err != nil {
		return b, err
	}
	err = eachUnder(r.ctx, r.r, billChargeTable, platform.Key(name), func(_ []byte, m *billingstoragev1.BillChargeRecord) error {
		c, err := wire.FromCharge(m.GetCharge())
		b.Charges = append(b.Charges, c)
		return err
	})
	if err != nil {
		return b, err
	}
	err = eachUnder(r.ctx, r.r, billFindingTable, platform.Key(name), func(_ []byte, m *billingstoragev1.BillFindingRecord) error {
		b.Findings = append(b.Findings, wire.FromFinding(m.GetFinding()))
		return nil
	})
	return b, err
}

// BillsOf returns the bills that name a load's number, in the order of their arrival.
func (r Reader) BillsOf(number string) ([]freightbill.Bill, error) {
	names, err := r.names(lists, platform.Key(string(BillList), string(OfLoad(number))))
	if err != nil {
		return nil, err
	}
	var out []freightbill.Bill
	for _, name := range names {
		b, err := r.FreightBill(name)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// EarlierBill returns the bill that first used a carrier's invoice number; nil when none did.
func (r Reader) EarlierBill(carrier, number string) (*freightbill.Earlier, error) {
	m, err := billNumberTable.Get(r.ctx, r.r, platform.Key(carrier, number))
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	total, err := wire.FromMoney(m.GetTotal())
	return &freightbill.Earlier{Bill: m.GetFreightBill(), Total: total}, err
}

// Series returns a number series ready to draw from; one that has no number yet starts at 1. platform.ErrFenced while it gives none,
// after a restore.
func (r Reader) Series(name, legalEntity string) (series.Series, error) {
	s := series.Series{Name: name, LegalEntity: legalEntity, Next: 1}
	m, err := seriesTable.Get(r.ctx, r.r, platform.Key(name))
	switch {
	case err == nil:
		s = seriesOf(m)
	case !missing(err):
		return s, err
	}
	s.Next, err = platform.NextNumber(r.ctx, r.r, seriesName(name), max(s.Next, 1))
	return s, err
}

// Page is a part of a list: names with the key of the last, nil at the end of the list.
type Page struct {
	Names []string
	Last  []byte
}

// List returns names newest first, from below the key after; nil is the newest.
func (r Reader) List(list List, scope Scope, after []byte, size int) (Page, error) {
	return r.page(lists, platform.Key(string(list), string(scope)), after, size, true)
}

func (r Reader) page(b *platform.Bucket, prefix, after []byte, size int, reverse bool) (Page, error) {
	rg := platform.Prefix(prefix)
	rg.Limit, rg.Reverse = size+1, reverse
	switch {
	case after == nil:
	case reverse:
		rg.To = append(slices.Clone(prefix), after...)
	default:
		rg.From = append(append(slices.Clone(prefix), after...), 0)
	}
	rows, err := r.r.Scan(r.ctx, b, rg)
	if err != nil {
		return Page{}, err
	}
	var p Page
	if len(rows) > size {
		rows = rows[:size]
		p.Last = rows[size-1].Key[len(prefix):]
	}
	for _, row := range rows {
		p.Names = append(p.Names, string(row.Value))
	}
	return p, nil
}

// Journal returns postings oldest first, from above the key after, of everything or of what a name relates to.
func (r Reader) Journal(related string, after []byte, size int) ([]ledger.Posting, []byte, error) {
	if related == "" {
		rg := platform.Range{Limit: size + 1}
		if after != nil {
			rg.From = append(slices.Clone(after), 0)
		}
		rows, err := journalTable.Scan(r.ctx, r.r, rg)
		if err != nil {
			return nil, nil, err
		}
		var last []byte
		if len(rows) > size {
			rows = rows[:size]
			last = rows[size-1].Key
		}
		var out []ledger.Posting
		for _, row := range rows {
			p, err := posting(row.Key, row.Value)
			if err != nil {
				return nil, nil, err
			}
			out = append(out, p)
		}
		return out, last, nil
	}
	page, err := r.page(journalRelated, platform.Key(related), after, size, false)
	if err != nil {
		return nil, nil, err
	}
	var out []ledger.Posting
	for _, name := range page.Names {
		var sequence uint64
		if _, err := fmt.Sscanf(name, "journalEntries/%d", &sequence); err != nil {
			return nil, nil, fmt.Errorf("journal index %q: %w", name, err)
		}
		key := platform.Key(sequence)
		m, err := journalTable.Get(r.ctx, r.r, key)
		if err != nil {
			return nil, nil, err
		}
		p, err := posting(key, m)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, p)
	}
	return out, page.Last, nil
}

func posting(key []byte, m *billingstoragev1.JournalRecord) (ledger.Posting, error) {
	sequence, err := sequenceOf(key)
	if err != nil {
		return ledger.Posting{}, err
	}
	return wire.FromJournalEntry(sequence, m.GetJournalEntry())
}

// Balances are the sums of the journal, of one legal entity or of all.
func (r Reader) Balances(legalEntity string) (ledger.Balances, error) {
	var prefix []byte
	if legalEntity != "" {
		prefix = platform.Key(legalEntity)
	}
	out := ledger.Balances{}
	err := platform.Each(r.ctx, r.r, balances, prefix, func(kv platform.KV) error {
		parts := strings.Split(string(kv.Key), string(platform.Key("")))
		if len(parts) < 3 || len(kv.Value) != 8 {
			return fmt.Errorf("balance %x is malformed", kv.Key)
		}
		out.AddMinor(parts[1], ledger.Account(parts[2]), int64(binary.BigEndian.Uint64(kv.Value)))
		return nil
	})
	return out, err
}

func balanceKey(p ledger.Posting, l ledger.Line) []byte {
	return platform.Key(p.LegalEntity, p.Entry.Currency(), string(l.Account))
}

func balanceValue(minor int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(minor)) }

// SaveRelease keeps a release with its lines.
func (t *Tx) SaveRelease(r shipment.Release) error {
	err := releaseTable.Put(t.ctx, t.tx, platform.Key(r.Name), &billingstoragev1.ReleaseRecord{
		Name: r.Name, Order: r.Order, CustomerOrderNumber: r.CustomerOrderNumber, Customer: r.Customer, LegalEntity: r.LegalEntity,
		CurrencyCode: r.Currency, PaymentTerms: r.PaymentTerms, Contract: r.Contract,
	})
	for i, l := range r.Lines {
		if err != nil {
			return err
		}
		err = releaseLineTable.Put(t.ctx, t.tx, place(r.Name, i), &billingstoragev1.ReleaseLineRecord{
			Line: l.Line, Item: l.Item, Description: l.Description, Quantity: wire.Quantity(l.Quantity), UnitPrice: l.UnitPrice.String(),
			ExternalIds: wire.ExternalIDs(l.ExternalIDs),
		})
	}
	return err
}

func place(parent string, i int) []byte { return platform.Key(parent, uint32(i)) }

// SaveShipment keeps a shipment with its lines.
func (t *Tx) SaveShipment(s shipment.Shipment) error {
	err := shipmentTable.Put(t.ctx, t.tx, platform.Key(s.Name), shipmentRecord(s))
	for i, l := range s.Lines {
		if err != nil {
			return err
		}
		err = deliveredLineTable.Put(t.ctx, t.tx, place(s.Name, i), deliveredLineRecord(l))
	}
	return err
}

// SaveLoad keeps a load.
func (t *Tx) SaveLoad(l shipment.Load) error {
	key := platform.Key(l.Name)
	var old []indexRow
	switch before, err := loadTable.Get(t.ctx, t.tx, key); {
	case err == nil:
		old = loadRows(before)
	case !missing(err):
		return err
	}
	m := loadRecord(l)
	return firstError(loadTable.Put(t.ctx, t.tx, key, m), t.index(old, loadRows(m)))
}

// SaveHold keeps an open hold.
func (t *Tx) SaveHold(h shipment.Hold) error {
	return holdTable.Put(t.ctx, t.tx, platform.Key(h.Order, h.Kind), &billingstoragev1.HoldRecord{Order: h.Order, Kind: h.Kind, Reason: h.Reason})
}

// DropHold removes a hold that was released.
func (t *Tx) DropHold(order, kind string) error {
	return holdTable.Delete(t.ctx, t.tx, platform.Key(order, kind))
}

// SaveAccrual keeps an accrual and tells its facts.
func (t *Tx) SaveAccrual(a accrual.Accrual, facts ...any) error {
	m := &billingstoragev1.AccrualRecord{Accrual: wire.Accrual(a)}
	return firstError(accrualTable.Put(t.ctx, t.tx, platform.Key(a.Name), m), t.index(nil, accrualRows(m)), t.tell(facts))
}

// SaveAuthorization keeps an authorisation with its goods and tells its facts.
func (t *Tx) SaveAuthorization(a invoice.Authorization, facts ...any) error {
	err := authorizationTable.Put(t.ctx, t.tx, platform.Key(a.Name), authorizationRecord(a))
	for i, g := range a.Goods {
		if err != nil {
			return err
		}
		err = billableLineTable.Put(t.ctx, t.tx, place(a.Name, i), &billingstoragev1.BillableLineRecord{Line: wire.GoodsLine(g)})
	}
	return firstError(err, t.tell(facts))
}

// SaveInvoice keeps an issued invoice and tells its facts. Its lines are those of the authorisation.
func (t *Tx) SaveInvoice(i invoice.Invoice, facts ...any) error {
	m := invoiceRecord(i)
	return firstError(invoiceTable.Put(t.ctx, t.tx, platform.Key(i.Name), m), t.index(nil, invoiceRows(m)), t.tell(facts))
}

// SaveNumber keeps a series after a number was drawn, with the number's registration.
func (t *Tx) SaveNumber(s series.Series, r series.Registration) error {
	return firstError(
		seriesTable.Put(t.ctx, t.tx, platform.Key(s.Name), &billingstoragev1.SeriesRecord{
			Name: s.Name, LegalEntity: s.LegalEntity, Next: s.Next, LastTime: wire.Time(s.Last),
		}),
		registerTable.Put(t.ctx, t.tx, platform.Key(r.Series, r.Ordinal), &billingstoragev1.RegisterRecord{
			Series: r.Series, Ordinal: r.Ordinal, Number: r.Number, Document: r.Document, Time: wire.Time(r.Time),
		}),
	)
}

// SaveFreightBill keeps a bill with its charges and findings and tells its facts.
func (t *Tx) SaveFreightBill(b freightbill.Bill, facts ...any) error {
	whole := wire.FreightBill(b)
	head := proto.CloneOf(whole)
	head.Charges, head.Findings = nil, nil
	m := &billingstoragev1.FreightBillRecord{FreightBill: head}
	key := platform.Key(b.Name)
	var old []indexRow
	switch before, err := billTable.Get(t.ctx, t.tx, key); {
	case err == nil:
		old = billRows(before)
	case !missing(err):
		return err
	}
	err := firstError(billTable.Put(t.ctx, t.tx, key, m), t.index(old, billRows(m)))
	for i, c := range whole.GetCharges() {
		err = firstError(err, billChargeTable.Put(t.ctx, t.tx, place(b.Name, i), &billingstoragev1.BillChargeRecord{Charge: c}))
	}
	err = firstError(err, t.dropFindings(b.Name, len(b.Findings)))
	for i, f := range whole.GetFindings() {
		err = firstError(err, billFindingTable.Put(t.ctx, t.tx, place(b.Name, i), &billingstoragev1.BillFindingRecord{Finding: f}))
	}
	return firstError(err, t.tell(facts))
}

// dropFindings removes a bill's findings from a place on: another audit may find less.
func (t *Tx) dropFindings(bill string, from int) error {
	var keys [][]byte
	err := eachUnder(t.ctx, t.tx, billFindingTable, platform.Key(bill), func(key []byte, _ *billingstoragev1.BillFindingRecord) error {
		if string(key) >= string(place(bill, from)) {
			keys = append(keys, key)
		}
		return nil
	})
	for _, key := range keys {
		err = firstError(err, billFindingTable.Delete(t.ctx, t.tx, key))
	}
	return err
}

// TakeBillNumber gives a carrier's invoice number to a bill, for ever unless a person refuses the bill.
func (t *Tx) TakeBillNumber(b freightbill.Bill) error {
	return billNumberTable.Put(t.ctx, t.tx, platform.Key(b.Carrier, b.InvoiceNumber),
		&billingstoragev1.BillNumberRecord{FreightBill: b.Name, Total: wire.Money(b.Total)})
}

// FreeBillNumber takes the number back from a bill that was refused; what another bill holds stays.
func (t *Tx) FreeBillNumber(b freightbill.Bill) error {
	holder, err := t.EarlierBill(b.Carrier, b.InvoiceNumber)
	if err != nil || holder == nil || holder.Bill != b.Name {
		return err
	}
	return billNumberTable.Delete(t.ctx, t.tx, platform.Key(b.Carrier, b.InvoiceNumber))
}

// Post appends an entry to the journal and tells it. The posting's sequence is given here.
func (t *Tx) Post(p ledger.Posting) error {
	rows, err := t.tx.Scan(t.ctx, journal, platform.Range{Limit: 1, Reverse: true})
	if err != nil {
		return err
	}
	p.Sequence = 1
	if len(rows) > 0 {
		p.Sequence = binary.BigEndian.Uint64(rows[0].Key) + 1
	}
	for _, l := range p.Entry.Lines() {
		key, minor := balanceKey(p, l), l.Minor()
		before, err := t.tx.Get(t.ctx, balances, key)
		switch {
		case err == nil:
			minor += int64(binary.BigEndian.Uint64(before))
		case !missing(err):
			return err
		}
		if err := t.tx.Put(t.ctx, balances, key, balanceValue(minor)); err != nil {
			return err
		}
	}
	key := platform.Key(p.Sequence)
	m := &billingstoragev1.JournalRecord{JournalEntry: wire.JournalEntry(p)}
	return firstError(journalTable.Put(t.ctx, t.tx, key, m), t.index(nil, journalRows(p.Sequence, p.Related)), t.tell([]any{ledger.Posted{Posting: p}}))
}

// SaveMasterData keeps a copy of a master data resource.
func (t *Tx) SaveMasterData(name string, resource *anypb.Any) error {
	m := &billingstoragev1.MasterDataRecord{Resource: resource}
	rows, err := masterDataRows(m)
	if err != nil {
		return err
	}
	var old []indexRow
	switch before, err := masterDataTable.Get(t.ctx, t.tx, platform.Key(name)); {
	case err == nil:
		if old, err = masterDataRows(before); err != nil {
			return err
		}
	case !missing(err):
		return err
	}
	return firstError(masterDataTable.Put(t.ctx, t.tx, platform.Key(name), m), t.index(old, rows))
}

// tell emits domain facts as the events of the contract.
func (t *Tx) tell(facts []any) error {
	for _, f := range facts {
		event, err := eventOf(f)
		if err != nil {
			return err
		}
		if err := t.tx.Emit(event); err != nil {
			return err
		}
	}
	return nil
}

func eventOf(fact any) (platform.Fact, error) {
	switch f := fact.(type) {
	case accrual.Accrued:
		return platform.Fact{Type: "ChargeAccrued", Subject: f.Accrual.Name, Related: related(f.Accrual.Load, f.Related, f.Accrual.Carrier),
			Payload: &billingv1.ChargeAccrued{Accrual: wire.Accrual(f.Accrual)}}, nil
	case accrual.ReversedFact:
		return platform.Fact{Type: "AccrualReversed", Subject: f.Accrual.Name, Related: related(f.Accrual.Load, f.Related, f.Accrual.Carrier),
			Payload: &billingv1.AccrualReversed{Accrual: wire.Accrual(f.Accrual)}}, nil
	case invoice.Authorized:
		a := f.Authorization
		return platform.Fact{Type: "BillingAuthorized", Subject: a.Name, Related: a.Related(),
			Payload: &billingv1.BillingAuthorized{BillingAuthorization: wire.Authorization(a)}}, nil
	case invoice.ApprovedFact:
		return platform.Fact{Type: "InvoiceApproved", Subject: f.Invoice.Name, Related: f.Invoice.Related(),
			Payload: &billingv1.InvoiceApproved{Invoice: told(f.Invoice)}}, nil
	case invoice.IssuedFact:
		return platform.Fact{Type: "InvoiceIssued", Subject: f.Invoice.Name, Related: f.Invoice.Related(),
			Payload: &billingv1.InvoiceIssued{Invoice: told(f.Invoice)}}, nil
	case freightbill.ReceivedFact:
		return billEvent("FreightBillReceived", f.Bill, &billingv1.FreightBillReceived{FreightBill: wire.FreightBill(f.Bill)}), nil
	case freightbill.ApprovedFact:
		return billEvent("FreightBillApproved", f.Bill, &billingv1.FreightBillApproved{FreightBill: wire.FreightBill(f.Bill)}), nil
	case freightbill.ExceptedFact:
		return billEvent("FreightBillExcepted", f.Bill, &billingv1.FreightBillExcepted{FreightBill: wire.FreightBill(f.Bill)}), nil
	case freightbill.RejectedFact:
		return billEvent("FreightBillRejected", f.Bill, &billingv1.FreightBillRejected{FreightBill: wire.FreightBill(f.Bill)}), nil
	case freightbill.DisputedFact:
		return billEvent("DisputeOpened", f.Bill, &billingv1.DisputeOpened{FreightBill: wire.FreightBill(f.Bill)}), nil
	case freightbill.ResolvedFact:
		return billEvent("DisputeResolved", f.Bill, &billingv1.DisputeResolved{FreightBill: wire.FreightBill(f.Bill)}), nil
	case ledger.Posted:
		return platform.Fact{Type: "JournalEntryPosted", Subject: wire.EntryName(f.Posting.Sequence),
			Related: related(f.Posting.Document, f.Posting.Related),
			Payload: &billingv1.JournalEntryPosted{JournalEntry: wire.JournalEntry(f.Posting)}}, nil
	}
	return platform.Fact{}, fmt.Errorf("no event for a fact of type %T", fact)
}

// mostExplained is how many lines of an invoice a fact explains one by one.
const mostExplained = 100

// told is an invoice as facts hold it: whole, but for the explanation of many lines, which anybody gets from the invoice. All facts
// of one change have to fit into one entry of the log.
func told(i invoice.Invoice) *billingv1.Invoice {
	m := wire.Invoice(i)
	if len(i.Goods) > mostExplained {
		for _, n := range m.GetExplanation().GetChildren() {
			if n.GetLabel() == invoice.GoodsLabel {
				n.Children = nil
			}
		}
	}
	return m
}

func billEvent(kind string, b freightbill.Bill, payload proto.Message) platform.Fact {
	return platform.Fact{Type: kind, Subject: b.Name, Related: b.Leads(), Payload: payload}
}

// related joins names, each once, without empty ones.
func related(first string, more []string, last ...string) []string {
	var out []string
	for _, n := range slices.Concat([]string{first}, more, last) {
		if n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}
