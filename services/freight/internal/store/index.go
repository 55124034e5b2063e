package store

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/freight/storage/v1"
	"crossdock.dev/platform/store"

	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/tender"
	"crossdock.dev/services/freight/internal/wire"
)

// row is one row of a derived bucket: a key that ends in a resource name, and that name.
type row struct {
	bucket *store.Bucket
	key    []byte
	name   string
}

// The functions below say which rows a record has. What they are made of never changes once set (a load gets its carrier when
// it is booked, and keeps it), so rows are only ever added; master data is the exception, see Tx.SetMasterdata.

func shipmentRows(s shipment.Shipment) []row {
	return []row{
		{shipmentsByCustomer, store.Key(s.Customer, s.Name), s.Name},
		{shipmentsByOrder, store.Key(s.Order, s.Name), s.Name},
	}
}

func loadRows(l load.Load) []row {
	out := []row{{loadsByNumber, store.Key(l.Number, l.Name), l.Name}}
	if l.Carrier != "" {
		out = append(out, row{loadsByCarrier, store.Key(l.Carrier, l.Name), l.Name})
	}
	if !l.JoinUntil.IsZero() {
		out = append(out, row{loadsShared, store.Key(l.LegalEntity, l.Stops[0].Location, l.ShipDate.String(), l.Name), l.Name})
	}
	return out
}

func tenderRows(t tender.Tender) []row {
	return []row{
		{tendersByLoad, store.Key(t.Load, t.Name), t.Name},
		{tendersByCarrier, store.Key(t.Carrier, t.Name), t.Name},
	}
}

func (t *Tx) index(rows []row) error {
	for _, r := range rows {
		if err := t.tx.Put(t.ctx, r.bucket, r.key, []byte(r.name)); err != nil {
			return err
		}
	}
	return nil
}

func rebuild(ctx context.Context, r store.Reader, w *store.DerivedWriter) error {
	put := func(rows []row) error {
		for _, x := range rows {
			if err := w.Put(ctx, x.bucket, x.key, []byte(x.name)); err != nil {
				return err
			}
		}
		return nil
	}
	all := func(b *store.Bucket, m func() proto.Message, rows func(proto.Message) ([]row, error)) error {
		return store.Each(ctx, r, b, nil, func(kv store.KV) error {
			x := m()
			if err := proto.Unmarshal(kv.Value, x); err != nil {
				return fmt.Errorf("bucket %s: %w", b.Name, err)
			}
			found, err := rows(x)
			if err != nil {
				return err
			}
			return put(found)
		})
	}
	if err := all(shipments, func() proto.Message { return &storagev1.ShipmentRecord{} }, func(m proto.Message) ([]row, error) {
		s, err := wire.ToShipment(m.(*storagev1.ShipmentRecord).GetShipment())
		return shipmentRows(s), err
	}); err != nil {
		return err
	}
	if err := all(loads, func() proto.Message { return &storagev1.LoadRecord{} }, func(m proto.Message) ([]row, error) {
		l, err := wire.ToLoad(m.(*storagev1.LoadRecord).GetLoad())
		return loadRows(l), err
	}); err != nil {
		return err
	}
	if err := all(tenders, func() proto.Message { return &storagev1.TenderRecord{} }, func(m proto.Message) ([]row, error) {
		t, err := wire.ToTender(m.(*storagev1.TenderRecord).GetTender())
		return tenderRows(t), err
	}); err != nil {
		return err
	}
	return all(masterdata, func() proto.Message { return &storagev1.MasterdataRecord{} }, func(m proto.Message) ([]row, error) {
		x, err := m.(*storagev1.MasterdataRecord).GetResource().UnmarshalNew()
		if err != nil {
			return nil, err
		}
		return masterdataRows(x), nil
	})
}
