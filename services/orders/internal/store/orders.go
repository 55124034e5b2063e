package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	ordersstoragev1 "crossdock.dev/gen/crossdock/orders/storage/v1"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
	"crossdock.dev/services/orders/internal/order"
	"crossdock.dev/services/orders/internal/wire"
)

// Store is the service's store.
type Store struct{ *platform.Store }

// Reader reads values of the domain.
type Reader struct{ r platform.Reader }

// Tx is a change under way.
type Tx struct {
	Reader
	tx *platform.Tx
}

// WithTx is the service's view of a platform transaction, as a consumer gets it.
func WithTx(tx *platform.Tx) *Tx { return &Tx{Reader{tx}, tx} }

// View gives fn a consistent look.
func (s Store) View(ctx context.Context, fn func(Reader) error) error {
	return s.Store.View(ctx, func(r platform.Reader) error { return fn(Reader{r}) })
}

// Change makes a change and answers with what it made; a repeated cause gets the answer of the first time.
func (s Store) Change(ctx context.Context, c platform.Cause, fn func(*Tx) (order.Change, error)) (order.Change, platform.Position, error) {
	return platform.Change(ctx, s.Store, c, answers, func(tx *platform.Tx) (order.Change, error) { return fn(WithTx(tx)) })
}

// id is the part of an order's name that keys are made of.
func id(name string) string { return strings.TrimPrefix(name, "orders/") }

// Order returns an order with its lines, or order.ErrNotFound. A revision other than "" that is not the order's is
// order.ErrStale.
func (r Reader) Order(ctx context.Context, name, etag string) (order.Order, error) {
	rec := &ordersstoragev1.OrderRecord{}
	switch err := platform.GetProto(ctx, r.r, orders, platform.Key(id(name)), rec); {
	case errors.Is(err, platform.ErrNotFound):
		return order.Order{}, fmt.Errorf("%s: %w", name, order.ErrNotFound)
	case err != nil:
		return order.Order{}, err
	}
	o, err := toOrder(rec)
	if err != nil {
		return o, err
	}
	if etag != "" && etag != wire.ETag(o) {
		return o, fmt.Errorf("%s: %w", name, order.ErrStale)
	}
	err = platform.Each(ctx, r.r, orderLines, platform.Key(id(name)), func(kv platform.KV) error {
		rec := &ordersstoragev1.OrderLineRecord{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		l, err := toLine(rec)
		o.Lines = append(o.Lines, l)
		return err
	})
	if err != nil {
		return o, err
	}
	missing, err := r.missing(ctx, name)
	for _, rec := range missing {
		o.Missing = append(o.Missing, toMissing(rec))
	}
	return o, err
}

func (r Reader) missing(ctx context.Context, name string) ([]*ordersstoragev1.MissingRecord, error) {
	var out []*ordersstoragev1.MissingRecord
	err := platform.Each(ctx, r.r, orderMissing, platform.Key(id(name)), func(kv platform.KV) error {
		rec := &ordersstoragev1.MissingRecord{}
		out = append(out, rec)
		return proto.Unmarshal(kv.Value, rec)
	})
	return out, err
}

// OrderByNumber returns the name of a customer's order, "" when there is none with this number.
func (r Reader) OrderByNumber(ctx context.Context, customer, number string) (string, error) {
	rec := &ordersstoragev1.OrderNumberRecord{}
	err := platform.GetProto(ctx, r.r, orderNumbers, platform.Key(customer, number), rec)
	if errors.Is(err, platform.ErrNotFound) {
		return "", nil
	}
	return rec.Order, err
}

// Releases returns the releases of an order, first to last, with the lines of those that with says.
func (r Reader) Releases(ctx context.Context, o order.Order, with func(number int) bool) ([]order.Release, error) {
	out := make([]order.Release, o.Releases)
	for i := range out {
		number := i + 1
		rec := &ordersstoragev1.ReleaseRecord{}
		if err := platform.GetProto(ctx, r.r, releases, releaseKey(o.Name, number), rec); err != nil {
			return nil, err
		}
		var err error
		if out[i], err = toRelease(o.Name, number, rec); err != nil {
			return nil, err
		}
		if !with(number) {
			continue
		}
		prefix := releaseKey(o.Name, number)
		err = platform.Each(ctx, r.r, releaseLines, prefix, func(kv platform.KV) error {
			rec := &ordersstoragev1.ReleaseLineRecord{}
			if err := proto.Unmarshal(kv.Value, rec); err != nil {
				return err
			}
			p := parser{}
			l := order.ReleaseLine{Line: rec.Line, Place: int(binary.BigEndian.Uint32(kv.Key[len(prefix):])), Quantities: p.quantities(rec.Numbers)}
			out[i].Lines = append(out[i].Lines, l)
			return p.of("release line " + rec.Line)
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func releaseKey(orderName string, number int) []byte {
	return platform.Key(id(orderName), uint32(number))
}

// Filter says which orders to list; empty fields mean all.
type Filter struct{ Customer, Number string }

// Listed is an order in a list, with the key by which the list goes on after it.
type Listed struct {
	Name string
	Key  []byte
}

// List returns orders, newest first, from after the key of the page before. more says whether others follow.
func (r Reader) List(ctx context.Context, f Filter, after []byte, limit int) (page []Listed, more bool, err error) {
	prefix := platform.Key("all")
	switch {
	case f.Number != "":
		prefix = platform.Key("number", f.Number)
	case f.Customer != "":
		prefix = platform.Key("customer", f.Customer)
	}
	rg := platform.Prefix(prefix)
	rg.Reverse = true
	for {
		if after != nil {
			rg.To = after
		}
		rows, err := r.r.Scan(ctx, ordersBy, rg)
		if err != nil || len(rows) == 0 {
			return page, false, err
		}
		for _, kv := range rows {
			after = kv.Key
			customer, orderID, _ := strings.Cut(string(kv.Value), " ")
			if f.Customer != "" && customer != f.Customer {
				continue
			}
			if len(page) == limit {
				return page, true, nil
			}
			page = append(page, Listed{"orders/" + orderID, kv.Key})
		}
	}
}

// Waiting returns the names of orders that wait for any of the keys of master data: at most limit of those after a name.
func (r Reader) Waiting(ctx context.Context, keys []string, after string, limit int) ([]string, error) {
	var names []string
	for _, key := range keys {
		rg := platform.Prefix(platform.Key(key))
		rg.Limit = limit
		if after != "" {
			rg.From = append(platform.Key(key, id(after)), 0)
		}
		rows, err := r.r.Scan(ctx, waiting, rg)
		if err != nil {
			return nil, err
		}
		for _, kv := range rows {
			names = append(names, string(kv.Value))
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(limit, len(names))], nil
}

// LookAgain enqueues a task that goes on, after an order, with those that wait for any of the keys.
func (t *Tx) LookAgain(ctx context.Context, keys []string, after string) error {
	payload, err := proto.Marshal(&ordersstoragev1.RevalidateTask{Keys: keys, After: after})
	if err != nil {
		return err
	}
	return tasks.Enqueue(ctx, t.tx, tasks.Task{ID: "revalidate/" + keys[0] + "/" + after, Kind: RevalidateTask, Subject: keys[0],
		Payload: payload, Effect: tasks.Keyed})
}

// RevalidateTask is the kind of the tasks that LookAgain enqueues.
const RevalidateTask = "revalidate"

// ParseLookAgain reads the payload of such a task.
func ParseLookAgain(payload []byte) (keys []string, after string, err error) {
	m := &ordersstoragev1.RevalidateTask{}
	err = proto.Unmarshal(payload, m)
	return m.Keys, m.After, err
}

// Save writes what a verb made and tells its facts. A change that left the order's revision as it was writes nothing.
func (t *Tx) Save(ctx context.Context, ch order.Change) error {
	o := ch.Order
	old := &ordersstoragev1.OrderRecord{}
	err := platform.GetProto(ctx, t.tx, orders, platform.Key(id(o.Name)), old)
	switch {
	case errors.Is(err, platform.ErrNotFound):
		number := &ordersstoragev1.OrderNumberRecord{Order: o.Name}
		if err := platform.PutProto(ctx, t.tx, orderNumbers, platform.Key(o.Customer, o.Number), number); err != nil {
			return err
		}
	case err != nil:
		return err
	case old.Revision == o.Revision:
		return nil
	}
	rec := orderRecord(o)
	if err := platform.PutProto(ctx, t.tx, orders, platform.Key(id(o.Name)), rec); err != nil {
		return err
	}
	if err := t.reindex(ctx, orderRows(old), orderRows(rec)); err != nil {
		return err
	}
	if err := t.saveMissing(ctx, o); err != nil {
		return err
	}
	for i, l := range o.Lines {
		if err := t.put(ctx, orderLines, platform.Key(id(o.Name), uint32(i)), lineRecord(l), &ordersstoragev1.OrderLineRecord{}); err != nil {
			return err
		}
	}
	if r := ch.Release; r != nil {
		key := releaseKey(r.Order, r.Number)
		if err := t.put(ctx, releases, key, releaseRecord(*r), &ordersstoragev1.ReleaseRecord{}); err != nil {
			return err
		}
		for _, l := range r.Lines {
			key := platform.Key(id(r.Order), uint32(r.Number), uint32(l.Place))
			if err := t.put(ctx, releaseLines, key, releaseLineRecord(l), &ordersstoragev1.ReleaseLineRecord{}); err != nil {
				return err
			}
		}
	}
	for _, f := range ch.Facts {
		payload, related, err := wire.Fact(f)
		if err != nil {
			return err
		}
		fact := platform.Fact{Type: string(payload.ProtoReflect().Descriptor().Name()), Subject: o.Name, Related: related, Payload: payload}
		if err := t.tx.Emit(fact); err != nil {
			return err
		}
	}
	return nil
}

// saveMissing replaces the list of what an order misses.
func (t *Tx) saveMissing(ctx context.Context, o order.Order) error {
	old, err := t.missing(ctx, o.Name)
	if err != nil {
		return err
	}
	var was, is []row
	for i, rec := range old {
		was = append(was, missingRows(rec)...)
		if i >= len(o.Missing) {
			if err := t.tx.Delete(ctx, orderMissing, platform.Key(id(o.Name), uint32(i))); err != nil {
				return err
			}
		}
	}
	for i, m := range o.Missing {
		rec := missingRecord(o, m)
		is = append(is, missingRows(rec)...)
		if err := t.put(ctx, orderMissing, platform.Key(id(o.Name), uint32(i)), rec, &ordersstoragev1.MissingRecord{}); err != nil {
			return err
		}
	}
	return t.reindex(ctx, was, is)
}

// put writes a record unless it says what is stored already, so that an order of many lines does not fill the log when one of
// them moves. Fields that this program does not know count as the same; PutProto keeps them.
func (t *Tx) put(ctx context.Context, b *platform.Bucket, key []byte, m, old proto.Message) error {
	switch stored, err := t.tx.Get(ctx, b, key); {
	case err == nil:
		if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(stored, old); err != nil {
			return err
		}
		if proto.Equal(m, old) {
			return nil
		}
	case !errors.Is(err, platform.ErrNotFound):
		return err
	}
	return platform.PutProto(ctx, t.tx, b, key, m)
}

// reindex replaces the rows of an index that a record had by those that it has.
func (t *Tx) reindex(ctx context.Context, was, is []row) error {
	keep := map[string]bool{}
	for _, x := range is {
		keep[x.bucket.Name+string(x.key)] = true
		if err := t.tx.Put(ctx, x.bucket, x.key, x.value); err != nil {
			return err
		}
	}
	for _, x := range was {
		if !keep[x.bucket.Name+string(x.key)] {
			if err := t.tx.Delete(ctx, x.bucket, x.key); err != nil {
				return err
			}
		}
	}
	return nil
}

// orderRows are the index rows of an order; none of the empty record.
func orderRows(rec *ordersstoragev1.OrderRecord) []row {
	if rec.Name == "" {
		return nil
	}
	key, at := id(rec.Name), instant(rec.CreateTime)
	value := []byte(rec.Customer + " " + key)
	return []row{
		{ordersBy, platform.Key("all", at, key), value},
		{ordersBy, platform.Key("customer", rec.Customer, at, key), value},
		{ordersBy, platform.Key("number", rec.CustomerOrderNumber, at, key), value},
	}
}

// missingRows are the index rows of what an order misses.
func missingRows(rec *ordersstoragev1.MissingRecord) []row {
	var rows []row
	for _, key := range rec.Keys {
		rows = append(rows, row{waiting, platform.Key(key, id(rec.Order)), []byte(rec.Order)})
	}
	return rows
}

// answers keeps what a change made for a repeat of the same call.
var answers = platform.Codec[order.Change]{
	Encode: func(ch order.Change) ([]byte, error) {
		rec := &ordersstoragev1.AnswerRecord{Order: orderRecord(ch.Order)}
		for _, l := range ch.Order.Lines {
			rec.Lines = append(rec.Lines, lineRecord(l))
		}
		for _, m := range ch.Order.Missing {
			rec.Missing = append(rec.Missing, missingRecord(ch.Order, m))
		}
		if r := ch.Release; r != nil {
			rec.Release, rec.Number = releaseRecord(*r), uint32(r.Number)
			for _, l := range r.Lines {
				rec.ReleaseLines = append(rec.ReleaseLines, releaseLineRecord(l))
				rec.Places = append(rec.Places, uint32(l.Place))
			}
		}
		return proto.MarshalOptions{Deterministic: true}.Marshal(rec)
	},
	Decode: func(data []byte) (order.Change, error) {
		rec := &ordersstoragev1.AnswerRecord{}
		if err := proto.Unmarshal(data, rec); err != nil {
			return order.Change{}, err
		}
		o, err := toOrder(rec.Order)
		for _, l := range rec.Lines {
			if err != nil {
				return order.Change{}, err
			}
			var line order.Line
			line, err = toLine(l)
			o.Lines = append(o.Lines, line)
		}
		for _, m := range rec.Missing {
			o.Missing = append(o.Missing, toMissing(m))
		}
		ch := order.Change{Order: o}
		if err != nil || rec.Release == nil {
			return ch, err
		}
		r, err := toRelease(o.Name, int(rec.Number), rec.Release)
		p := parser{err: err}
		for i, l := range rec.ReleaseLines {
			r.Lines = append(r.Lines, order.ReleaseLine{Line: l.Line, Place: int(rec.Places[i]), Quantities: p.quantities(l.Numbers)})
		}
		ch.Release = &r
		return ch, p.of("answer about " + o.Name)
	},
}
