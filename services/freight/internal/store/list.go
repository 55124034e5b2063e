package store

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/freight/storage/v1"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/store"

	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/milestone"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/tender"
	"crossdock.dev/services/freight/internal/wire"
)

// Page is one page of a list, newest first, and where the next begins; Next is nil at the end.
type Page[T any] struct {
	Rows []T
	Next []byte
}

// errElsewhere refuses a place outside the list: a page token is bound to its list by a checksum, which is no secret, so what it
// holds is not believed.
var errElsewhere = fmt.Errorf("%w: it points outside the list", page.ErrToken)

// scanLimit is how many keys one page looks at, at most, so that a filter that fits little does not hold the transaction.
const scanLimit = 1000

// newestFirst walks a bucket from the newest key below prefix, before the key `before`, and collects what keep lets through.
func newestFirst[T any](r Reader, b *store.Bucket, prefix, before []byte, size int, read func(kv store.KV) (T, bool, error)) (Page[T], error) {
	rg := store.Prefix(prefix)
	rg.Reverse, rg.Limit = true, scanLimit
	var out Page[T]
	if before != nil {
		if !bytes.HasPrefix(before, prefix) {
			return out, errElsewhere
		}
		rg.To = before
	}
	kvs, err := r.r.Scan(r.ctx, b, rg)
	if err != nil {
		return out, err
	}
	for i, kv := range kvs {
		v, ok, err := read(kv)
		if err != nil {
			return out, err
		}
		if ok {
			out.Rows = append(out.Rows, v)
		}
		if len(out.Rows) == size && i < len(kvs)-1 || i == len(kvs)-1 && len(kvs) == scanLimit {
			out.Next = kv.Key
			break
		}
	}
	return out, nil
}

// name is the resource that a row of an index or a record leads to.
func name(b *store.Bucket, kv store.KV, m interface {
	proto.Message
	GetName() string
}) string {
	if b.Kind == store.Derived {
		return string(kv.Value)
	}
	return m.GetName()
}

// Tenders lists offers, newest first: of a carrier and of a load where they are given, and in a state where it is given.
func (r Reader) Tenders(carrier, load string, state tender.State, before []byte, size int) (Page[tender.Tender], error) {
	b, prefix := tenders, []byte(nil)
	switch {
	case load != "":
		b, prefix = tendersByLoad, store.Key(load)
	case carrier != "":
		b, prefix = tendersByCarrier, store.Key(carrier)
	}
	return newestFirst(r, b, prefix, before, size, func(kv store.KV) (tender.Tender, bool, error) {
		var rec storagev1.TenderRecord
		if b == tenders {
			if err := proto.Unmarshal(kv.Value, &rec); err != nil {
				return tender.Tender{}, false, err
			}
		}
		t, err := r.Tender(name(b, kv, rec.GetTender()))
		return t, (carrier == "" || t.Carrier == carrier) && (state == "" || t.State == state), err
	})
}

// Loads lists loads, newest first: those that a carrier booked and those with a number, where they are given.
func (r Reader) Loads(carrier, number string, before []byte, size int) (Page[load.Load], error) {
	b, prefix := loads, []byte(nil)
	switch {
	case number != "":
		b, prefix = loadsByNumber, store.Key(number)
	case carrier != "":
		b, prefix = loadsByCarrier, store.Key(carrier)
	}
	return newestFirst(r, b, prefix, before, size, func(kv store.KV) (load.Load, bool, error) {
		var rec storagev1.LoadRecord
		if b == loads {
			if err := proto.Unmarshal(kv.Value, &rec); err != nil {
				return load.Load{}, false, err
			}
		}
		l, err := r.Load(name(b, kv, rec.GetLoad()))
		return l, carrier == "" || l.Carrier == carrier, err
	})
}

// Shipments lists shipments, newest first: of a customer and of an order where they are given.
func (r Reader) Shipments(customer, order string, before []byte, size int) (Page[shipment.Shipment], error) {
	b, prefix := shipments, []byte(nil)
	switch {
	case order != "":
		b, prefix = shipmentsByOrder, store.Key(order)
	case customer != "":
		b, prefix = shipmentsByCustomer, store.Key(customer)
	}
	return newestFirst(r, b, prefix, before, size, func(kv store.KV) (shipment.Shipment, bool, error) {
		var rec storagev1.ShipmentRecord
		if b == shipments {
			if err := proto.Unmarshal(kv.Value, &rec); err != nil {
				return shipment.Shipment{}, false, err
			}
		}
		s, err := r.Shipment(name(b, kv, rec.GetShipment()))
		return s, customer == "" || s.Customer == customer, err
	})
}

// ClaimsPage lists the claims of a load by stop and time.
func (r Reader) ClaimsPage(load string, after []byte, size int) (Page[milestone.Claim], error) {
	prefix := store.Key(load)
	rg := store.Prefix(prefix)
	rg.Limit = size + 1
	if after != nil {
		if !bytes.HasPrefix(after, prefix) {
			return Page[milestone.Claim]{}, errElsewhere
		}
		rg.From = append(bytes.Clone(after), 0)
	}
	kvs, err := r.r.Scan(r.ctx, claims, rg)
	if err != nil {
		return Page[milestone.Claim]{}, err
	}
	var out Page[milestone.Claim]
	for i, kv := range kvs {
		if i == size {
			out.Next = kvs[i-1].Key
			break
		}
		var rec storagev1.ClaimRecord
		if err := proto.Unmarshal(kv.Value, &rec); err != nil {
			return Page[milestone.Claim]{}, err
		}
		out.Rows = append(out.Rows, wire.ToClaim(rec.GetClaim()))
	}
	return out, nil
}
