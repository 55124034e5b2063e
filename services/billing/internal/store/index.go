package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	billingstoragev1 "crossdock.dev/gen/crossdock/billing/storage/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	platform "crossdock.dev/platform/store"

	"crossdock.dev/services/billing/internal/wire"
)

// List is the name of a newest-first list.
type List string

// The lists.
const (
	InvoiceList List = "invoices"
	BillList    List = "freight_bills"
	AccrualList List = "accruals"
)

// Scope narrows a list. All of them are written for each document, so that every list is read without filtering.
type Scope string

// Everything is the scope of a whole list.
const Everything Scope = ""

// The scopes. A bill of a load is listed by load number and by load number within its carrier.
func OfParty(party string) Scope      { return Scope("party:" + party) }
func OfOrder(order string) Scope      { return Scope("order:" + order) }
func OfNumber(number string) Scope    { return Scope("number:" + number) }
func OfLoad(load string) Scope        { return Scope("load:" + load) }
func OfState(state string) Scope      { return Scope("state:" + state) }
func (s Scope) Within(of Scope) Scope { return of + "\x00" + s }

func listRows(list List, at time.Time, name string, scopes ...Scope) []indexRow {
	var out []indexRow
	for _, s := range scopes {
		out = append(out, indexRow{lists, platform.Key(string(list), string(s), at, name), name})
	}
	return out
}

func invoiceRows(m *billingstoragev1.InvoiceRecord) []indexRow {
	i := m.GetInvoice()
	party := OfParty(i.GetCustomer())
	return listRows(InvoiceList, i.GetIssueTime().AsTime(), i.GetName(), Everything, OfOrder(i.GetOrder()), OfNumber(i.GetNumber()),
		party, OfOrder(i.GetOrder()).Within(party), OfNumber(i.GetNumber()).Within(party))
}

func billRows(m *billingstoragev1.FreightBillRecord) []indexRow {
	b := m.GetFreightBill()
	party := OfParty(b.GetCarrier())
	load, state := OfLoad(b.GetLoadNumber()), OfState(b.GetState().String())
	return listRows(BillList, b.GetReceiveTime().AsTime(), b.GetName(), Everything, load, state, party, load.Within(party), state.Within(party))
}

func accrualRows(m *billingstoragev1.AccrualRecord) []indexRow {
	a := m.GetAccrual()
	rows := listRows(AccrualList, a.GetCreateTime().AsTime(), a.GetName(), Everything, OfLoad(a.GetLoad()))
	return append(rows, indexRow{accrualsByLoad, platform.Key(a.GetLoad(), a.GetName()), a.GetName()})
}

func loadRows(m *billingstoragev1.LoadRecord) []indexRow {
	rows := []indexRow{{loadReferences, platform.Key("number", m.GetNumber(), m.GetName()), m.GetName()}}
	if m.GetCarrierReference() != "" {
		rows = append(rows, indexRow{loadReferences, platform.Key("pro", m.GetCarrierReference(), m.GetName()), m.GetName()})
	}
	return rows
}

func journalRows(sequence uint64, related []string) []indexRow {
	var out []indexRow
	for _, name := range related {
		out = append(out, indexRow{journalRelated, platform.Key(name, sequence), wire.EntryName(sequence)})
	}
	return out
}

func masterDataRows(m *billingstoragev1.MasterDataRecord) ([]indexRow, error) {
	resource, err := m.GetResource().UnmarshalNew()
	if err != nil {
		return nil, fmt.Errorf("master data: %w", err)
	}
	switch x := resource.(type) {
	case *masterdatav1.Contract:
		return []indexRow{{contractsOf, platform.Key(x.GetParty(), x.GetName()), x.GetName()}}, nil
	case *masterdatav1.Lane:
		return []indexRow{{lanesBetween, platform.Key(x.GetOrigin(), x.GetDestination(), x.GetName()), x.GetName()}}, nil
	}
	return nil, nil
}

// index replaces the derived rows of a record.
func (t *Tx) index(old, rows []indexRow) error {
	for _, row := range old {
		if err := t.tx.Delete(t.ctx, row.bucket, row.key); err != nil {
			return err
		}
	}
	for _, row := range rows {
		if err := t.tx.Put(t.ctx, row.bucket, row.key, []byte(row.name)); err != nil {
			return err
		}
	}
	return nil
}

func sequenceOf(key []byte) (uint64, error) {
	if len(key) < 8 {
		return 0, fmt.Errorf("key %x has no sequence", key)
	}
	return binary.BigEndian.Uint64(key[len(key)-8:]), nil
}

func missing(err error) bool { return errors.Is(err, platform.ErrNotFound) }

// eachRow walks a whole table.
func eachRow[M proto.Message](ctx context.Context, r platform.Reader, t platform.Table[M], fn func(key []byte, m M) error) error {
	return eachUnder(ctx, r, t, nil, fn)
}

// eachUnder walks the rows whose key begins with prefix.
func eachUnder[M proto.Message](ctx context.Context, r platform.Reader, t platform.Table[M], prefix []byte, fn func(key []byte, m M) error) error {
	rg := platform.Prefix(prefix)
	for {
		rows, err := t.Scan(ctx, r, rg)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			if err := fn(row.Key, row.Value); err != nil {
				return err
			}
		}
		rg.From = append(rows[len(rows)-1].Key, 0)
	}
}
