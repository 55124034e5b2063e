package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/freight/storage/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	"crossdock.dev/kernel/calendar"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"

	"crossdock.dev/services/freight/internal/fact"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/milestone"
	"crossdock.dev/services/freight/internal/pod"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/tender"
	"crossdock.dev/services/freight/internal/wire"
)

// Store is freight's store.
type Store struct{ s *store.Store }

// New wraps an open store of Schema.
func New(s *store.Store) *Store { return &Store{s: s} }

// Reader reads within one transaction; it is not used after it.
type Reader struct {
	ctx context.Context
	r   store.Reader
}

// Tx is a change under way; it is not used after it.
type Tx struct {
	Reader
	tx *store.Tx
}

// Wrap makes a Tx of the platform's, for changes that the platform begins (timers, facts of others).
func Wrap(ctx context.Context, tx *store.Tx) *Tx { return &Tx{Reader: Reader{ctx: ctx, r: tx}, tx: tx} }

// View gives fn a consistent look.
func (s *Store) View(ctx context.Context, fn func(r Reader) error) error {
	return s.s.View(ctx, func(r store.Reader) error { return fn(Reader{ctx: ctx, r: r}) })
}

// Change makes a change and returns when it is durable.
func Change[T any](ctx context.Context, s *Store, c store.Cause, codec store.Codec[T], fn func(tx *Tx) (T, error)) (T, store.Position, error) {
	return store.Change(ctx, s.s, c, codec, func(tx *store.Tx) (T, error) { return fn(Wrap(ctx, tx)) })
}

func codec[T any, M proto.Message](to func(T) M, from func(M) (T, error), empty func() M) store.Codec[T] {
	return store.Codec[T]{
		Encode: func(v T) ([]byte, error) { return proto.MarshalOptions{Deterministic: true}.Marshal(to(v)) },
		Decode: func(b []byte) (T, error) {
			m := empty()
			if err := proto.Unmarshal(b, m); err != nil {
				var none T
				return none, err
			}
			return from(m)
		},
	}
}

// The codecs of answers. An answer lies in the log, so that of a proof does not say who signed.
var (
	ShipmentAnswer = codec(wire.Shipment, wire.ToShipment, func() *freightv1.Shipment { return &freightv1.Shipment{} })
	LoadAnswer     = codec(wire.Load, wire.ToLoad, func() *freightv1.Load { return &freightv1.Load{} })
	TenderAnswer   = codec(wire.Tender, wire.ToTender, func() *freightv1.Tender { return &freightv1.Tender{} })
	ClaimAnswer    = codec(wire.Claim, func(m *freightv1.Claim) (milestone.Claim, error) { return wire.ToClaim(m), nil },
		func() *freightv1.Claim { return &freightv1.Claim{} })
	ProofAnswer = codec(wire.Proof, wire.ToProof, func() *freightv1.ProofOfDelivery { return &freightv1.ProofOfDelivery{} })
)

// get reads a record; a missing one is refusal.ErrNotFound.
func (r Reader) get(b *store.Bucket, name string, m proto.Message) error {
	err := store.GetProto(r.ctx, r.r, b, store.Key(name), m)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%s: %w", name, refusal.ErrNotFound)
	}
	return err
}

// each calls fn for the records below a key, in order.
func each[M proto.Message](r Reader, b *store.Bucket, prefix []byte, m func() M, fn func(M) error) error {
	return store.Each(r.ctx, r.r, b, prefix, func(kv store.KV) error {
		x := m()
		if err := proto.Unmarshal(kv.Value, x); err != nil {
			return fmt.Errorf("bucket %s: %w", b.Name, err)
		}
		return fn(x)
	})
}

// Shipment reads a shipment with its lines.
func (r Reader) Shipment(name string) (shipment.Shipment, error) {
	var rec storagev1.ShipmentRecord
	if err := r.get(shipments, name, &rec); err != nil {
		return shipment.Shipment{}, err
	}
	s, err := wire.ToShipment(rec.GetShipment())
	if err != nil {
		return shipment.Shipment{}, err
	}
	s.Revision, s.WatchTask = rec.GetRevision(), rec.GetWatchTask()
	err = each(r, lines, store.Key(name), func() *storagev1.ShipmentLineRecord { return &storagev1.ShipmentLineRecord{} },
		func(m *storagev1.ShipmentLineRecord) error {
			l, err := wire.ToShipmentLine(m.GetLine())
			s.Lines = append(s.Lines, l)
			return err
		})
	return s, err
}

// Aboard reads the shipments of a load.
func (r Reader) Aboard(l load.Load) ([]shipment.Shipment, error) {
	var out []shipment.Shipment
	for _, name := range l.Shipments {
		s, err := r.Shipment(name)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// ShipmentOfRelease finds the shipment that an order release became; refusal.ErrNotFound before it was planned.
func (r Reader) ShipmentOfRelease(release string) (shipment.Shipment, error) {
	var rec storagev1.ReleaseRecord
	if err := r.get(releases, release, &rec); err != nil {
		return shipment.Shipment{}, err
	}
	return r.Shipment(rec.GetShipment())
}

// Load reads a load.
func (r Reader) Load(name string) (load.Load, error) {
	var rec storagev1.LoadRecord
	if err := r.get(loads, name, &rec); err != nil {
		return load.Load{}, err
	}
	l, err := wire.ToLoad(rec.GetLoad())
	l.Revision, l.OfferTask = rec.GetRevision(), rec.GetOfferTask()
	return l, err
}

// LoadsShared are the loads of a legal entity that ship from a site on a day and that may be shared, or might have been; oldest
// first.
func (r Reader) LoadsShared(legalEntity, shipFrom string, shipDate calendar.Date) ([]load.Load, error) {
	var out []load.Load
	err := store.Each(r.ctx, r.r, loadsShared, store.Key(legalEntity, shipFrom, shipDate.String()), func(kv store.KV) error {
		l, err := r.Load(string(kv.Value))
		out = append(out, l)
		return err
	})
	return out, err
}

// LoadByNumber finds a load by its number.
func (r Reader) LoadByNumber(number string) (load.Load, error) {
	kvs, err := r.r.Scan(r.ctx, loadsByNumber, first(store.Prefix(store.Key(number))))
	if err != nil {
		return load.Load{}, err
	}
	if len(kvs) == 0 {
		return load.Load{}, fmt.Errorf("load %s: %w", number, refusal.ErrNotFound)
	}
	return r.Load(string(kvs[0].Value))
}

func first(rg store.Range) store.Range {
	rg.Limit = 1
	return rg
}

// Tender reads an offer.
func (r Reader) Tender(name string) (tender.Tender, error) {
	var rec storagev1.TenderRecord
	if err := r.get(tenders, name, &rec); err != nil {
		return tender.Tender{}, err
	}
	t, err := wire.ToTender(rec.GetTender())
	t.Revision, t.ExpiryTask = rec.GetRevision(), rec.GetExpiryTask()
	return t, err
}

// TendersOf reads the offers of a load, oldest first.
func (r Reader) TendersOf(load string) ([]tender.Tender, error) {
	var out []tender.Tender
	err := store.Each(r.ctx, r.r, tendersByLoad, store.Key(load), func(kv store.KV) error {
		t, err := r.Tender(string(kv.Value))
		out = append(out, t)
		return err
	})
	return out, err
}

// Claims reads the claims of a load, by stop and time.
func (r Reader) Claims(load string) ([]milestone.Claim, error) {
	var out []milestone.Claim
	err := each(r, claims, store.Key(load), func() *storagev1.ClaimRecord { return &storagev1.ClaimRecord{} },
		func(m *storagev1.ClaimRecord) error {
			out = append(out, wire.ToClaim(m.GetClaim()))
			return nil
		})
	return out, err
}

// SameClaim finds the claim of a load that says the same: stop, milestone and instant, and the estimate if it is one.
func (r Reader) SameClaim(load string, c milestone.Claim) (milestone.Claim, bool, error) {
	var rec storagev1.ClaimRecord
	err := store.GetProto(r.ctx, r.r, claims, claimKey(load, c), &rec)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return milestone.Claim{}, false, nil
	case err != nil:
		return milestone.Claim{}, false, err
	}
	return wire.ToClaim(rec.GetClaim()), true, nil
}

func claimKey(load string, c milestone.Claim) []byte {
	estimate := time.Unix(0, 0)
	if !c.Estimate.IsZero() {
		estimate = c.Estimate
	}
	return store.Key(load, uint32(c.Stop), c.Occurred.Instant, string(c.Milestone), estimate)
}

// Proof reads a proof with its exceptions. Who signed is read by Signatory.
func (r Reader) Proof(name string) (pod.Proof, error) {
	var rec storagev1.ProofRecord
	if err := r.get(proofs, name, &rec); err != nil {
		return pod.Proof{}, err
	}
	p, err := wire.ToProof(rec.GetProof())
	if err != nil {
		return pod.Proof{}, err
	}
	p.Customer, p.Carrier = rec.GetCustomer(), rec.GetCarrier()
	err = each(r, exceptions, store.Key(name), func() *storagev1.ProofExceptionRecord { return &storagev1.ProofExceptionRecord{} },
		func(m *storagev1.ProofExceptionRecord) error {
			e, err := wire.ToException(m.GetException())
			p.Exceptions = append(p.Exceptions, e)
			return err
		})
	return p, err
}

// Signatory reads who signed a proof; empty once erased.
func (r Reader) Signatory(proof string) (string, error) {
	b, err := r.r.Get(r.ctx, signatories, store.Key(proof))
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return string(b), err
}

// AddShipment writes a new shipment with its lines and takes its release. Lines never change afterwards.
func (t *Tx) AddShipment(s *shipment.Shipment) error {
	for i, l := range s.Lines {
		rec := &storagev1.ShipmentLineRecord{Line: wire.ShipmentLine(l)}
		if err := store.PutProto(t.ctx, t.tx, lines, store.Key(s.Name, uint64(i)), rec); err != nil {
			return err
		}
	}
	if err := store.PutProto(t.ctx, t.tx, releases, store.Key(s.OrderRelease), &storagev1.ReleaseRecord{Shipment: s.Name}); err != nil {
		return err
	}
	return t.PutShipment(s)
}

// PutShipment writes a shipment, without its lines, as its next revision.
func (t *Tx) PutShipment(s *shipment.Shipment) error {
	s.Revision++
	m := wire.Shipment(*s)
	m.Lines, m.Etag = nil, ""
	rec := &storagev1.ShipmentRecord{Shipment: m, Revision: s.Revision, WatchTask: s.WatchTask}
	if err := store.PutProto(t.ctx, t.tx, shipments, store.Key(s.Name), rec); err != nil {
		return err
	}
	return t.index(shipmentRows(*s))
}

// PutLoad writes a load as its next revision.
func (t *Tx) PutLoad(l *load.Load) error {
	l.Revision++
	m := wire.Load(*l)
	m.Etag = ""
	if err := store.PutProto(t.ctx, t.tx, loads, store.Key(l.Name), &storagev1.LoadRecord{Load: m, Revision: l.Revision, OfferTask: l.OfferTask}); err != nil {
		return err
	}
	return t.index(loadRows(*l))
}

// PutTender writes an offer as its next revision.
func (t *Tx) PutTender(x *tender.Tender) error {
	x.Revision++
	m := wire.Tender(*x)
	m.Etag = ""
	rec := &storagev1.TenderRecord{Tender: m, Revision: x.Revision, ExpiryTask: x.ExpiryTask}
	if err := store.PutProto(t.ctx, t.tx, tenders, store.Key(x.Name), rec); err != nil {
		return err
	}
	return t.index(tenderRows(*x))
}

// AddClaim writes a claim of a load.
func (t *Tx) AddClaim(load string, c milestone.Claim) error {
	return store.PutProto(t.ctx, t.tx, claims, claimKey(load, c), &storagev1.ClaimRecord{Claim: wire.Claim(c)})
}

// AddProof writes a new proof with its exceptions, and who signed it where only that is kept.
func (t *Tx) AddProof(p pod.Proof, receivedBy string) error {
	for i, e := range p.Exceptions {
		rec := &storagev1.ProofExceptionRecord{Exception: wire.Exception(e)}
		if err := store.PutProto(t.ctx, t.tx, exceptions, store.Key(p.Name, uint64(i)), rec); err != nil {
			return err
		}
	}
	if err := t.tx.Put(t.ctx, signatories, store.Key(p.Name), []byte(receivedBy)); err != nil {
		return err
	}
	return t.PutProof(p)
}

// PutProof writes a proof without its exceptions, which never change.
func (t *Tx) PutProof(p pod.Proof) error {
	m := wire.Proof(p)
	m.Exceptions = nil
	return store.PutProto(t.ctx, t.tx, proofs, store.Key(p.Name), &storagev1.ProofRecord{Proof: m, Customer: p.Customer, Carrier: p.Carrier})
}

// Draw takes the next number of a series, 1 first; none while the series is fenced after a restore (store.ErrFenced).
func (t *Tx) Draw(name string) (uint64, error) {
	var rec storagev1.NumberSeriesRecord
	if err := store.GetProto(t.ctx, t.tx, series, store.Key(name), &rec); err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	next, err := store.NextNumber(t.ctx, t.tx, seriesName(name), rec.GetLast()+1)
	if err != nil {
		return 0, err
	}
	rec.Last = next
	return next, store.PutProto(t.ctx, t.tx, series, store.Key(name), &rec)
}

// OccurAt says when the change happened in the world.
func (t *Tx) OccurAt(at time.Time) { t.tx.OccurAt(at) }

// Later enqueues a task.
func (t *Tx) Later(x tasks.Task) error { return tasks.Enqueue(t.ctx, t.tx, x) }

// Never takes a task back.
func (t *Tx) Never(id string) error { return tasks.Cancel(t.ctx, t.tx, id) }

// Tell tells facts, in order.
func (t *Tx) Tell(facts ...fact.Fact) error {
	for _, f := range facts {
		kind, subject, payload, err := wire.Fact(f)
		if err != nil {
			return err
		}
		if err := t.tx.Emit(store.Fact{Type: kind, Subject: subject, Related: wire.Related(f, subject), Payload: payload}); err != nil {
			return err
		}
	}
	return nil
}
