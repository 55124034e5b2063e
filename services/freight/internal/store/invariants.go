package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/freight/storage/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"
	"crossdock.dev/platform/store"

	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/wire"
)

func invariants() []store.Invariant {
	return []store.Invariant{
		{Name: "loads and shipments name each other", Check: checkAboard},
		{Name: "I7 load numbers", Check: checkNumbers},
		{Name: "one offer at a time", Check: checkTenders},
		{Name: "stops, weight and state are those of the shipments aboard", Check: checkCarried},
		{Name: "what a load costs is borne by its shipments", Check: checkBorne},
		{Name: "silence is watched where it is to be", Check: checkWatched},
		{Name: "claims and proofs belong to a load or shipment", Check: checkParents},
	}
}

// checkCarried: a load ships from one site, delivers every shipment at its own ship-to, weighs what they weigh together, is within
// its equipment where others could join it, and is cancelled with everything aboard.
func checkCarried(ctx context.Context, r store.Reader) (breaches []string, err error) {
	return breaches, forEach(ctx, r, loads, func(rec *storagev1.LoadRecord) error {
		l, err := wire.ToLoad(rec.GetLoad())
		if err != nil {
			return err
		}
		breach := func(format string, args ...any) { breaches = append(breaches, l.Name+" "+fmt.Sprintf(format, args...)) }
		for i, s := range l.Stops {
			if s.Sequence != i+1 || (s.Role == load.Pickup) != (i == 0) {
				breach("has stop %d as %s at place %d", s.Sequence, s.Role, i+1)
			}
		}
		var weight quantity.Quantity
		for i, name := range l.Shipments {
			var x storagev1.ShipmentRecord
			if err := store.GetProto(ctx, r, shipments, store.Key(name), &x); missing(err) {
				continue // told by another check
			} else if err != nil {
				return err
			}
			s, err := wire.ToShipment(x.GetShipment())
			if err != nil {
				return err
			}
			from, picked := l.StopOf(name, load.Pickup)
			to, delivered := l.StopOf(name, load.Delivery)
			if !picked || !delivered || from.Location != s.ShipFrom || to.Location != s.ShipTo {
				breach("brings %s from %q to %q, not from %s to %s", name, from.Location, to.Location, s.ShipFrom, s.ShipTo)
			}
			if s.LegalEntity != l.LegalEntity || s.Mode != l.Mode {
				breach("is of %s, %s and carries %s of %s, %s", l.LegalEntity, l.Mode, name, s.LegalEntity, s.Mode)
			}
			if (s.State == shipment.Cancelled) != (l.State == load.Cancelled) {
				breach("is %s and carries %s, which is %s", l.State, name, s.State)
			}
			if i == 0 {
				weight = s.GrossWeight
			} else if weight, err = weight.Add(s.GrossWeight); err != nil {
				breach("carries weights of several units: %v", err)
				return nil
			}
		}
		if len(l.Shipments) > 0 && !weight.Equal(l.GrossWeight) {
			breach("weighs %s, its shipments %s", l.GrossWeight, weight)
		}
		if len(l.Shipments) > 1 && l.JoinUntil.IsZero() {
			breach("carries %d shipments and could not be joined", len(l.Shipments))
		}
		if room, ok := load.CapacityOf(l.Equipment); ok && !l.JoinUntil.IsZero() && !room.Holds(l) {
			breach("carries %s, %s: too much for %s", l.GrossWeight, l.Volume, l.Equipment)
		}
		return nil
	})
}

// checkBorne: a load has charges once a carrier took it, and its shipments bear them to the cent. A load that was called off owes
// a truck not used, and nothing else.
func checkBorne(ctx context.Context, r store.Reader) (breaches []string, err error) {
	return breaches, forEach(ctx, r, loads, func(rec *storagev1.LoadRecord) error {
		l, err := wire.ToLoad(rec.GetLoad())
		if err != nil || l.Charges == nil {
			return err
		}
		breach := func(format string, args ...any) { breaches = append(breaches, l.Name+" "+fmt.Sprintf(format, args...)) }
		if !l.Taken() {
			breach("has charges, but no carrier took it")
		}
		rest := map[string]money.Amount{}
		for _, c := range l.Charges.Charges {
			if l.State == load.Cancelled && c.Code != string(rating.TONUCharge) {
				breach("was called off and owes %s", c.Code)
			}
			if was, ok := rest[c.Code]; ok {
				c.Amount, err = c.Amount.Add(was)
			}
			rest[c.Code] = c.Amount
		}
		for _, a := range l.Charges.Allocations {
			if !slices.Contains(l.Shipments, a.Shipment) {
				breach("is borne by %q, which is not aboard", a.Shipment)
			}
			for _, c := range a.Charges {
				left, e := rest[c.Code].Sub(c.Amount)
				rest[c.Code], err = left, cmp.Or(err, e)
			}
		}
		if err != nil {
			breach("has charges of several currencies: %v", err)
			return nil
		}
		for _, code := range sortedKeys(rest) {
			if !rest[code].IsZero() {
				breach("has %s of %s that nobody bears", rest[code].Label(), code)
			}
		}
		return nil
	})
}

type record[T any] interface {
	*T
	proto.Message
}

// forEach calls fn for every record of a bucket.
func forEach[T any, M record[T]](ctx context.Context, r store.Reader, b *store.Bucket, fn func(M) error) error {
	return store.Each(ctx, r, b, nil, func(kv store.KV) error {
		m := M(new(T))
		if err := proto.Unmarshal(kv.Value, m); err != nil {
			return err
		}
		return fn(m)
	})
}

func missing(err error) bool { return errors.Is(err, store.ErrNotFound) }

func checkAboard(ctx context.Context, r store.Reader) (breaches []string, err error) {
	err = forEach(ctx, r, loads, func(rec *storagev1.LoadRecord) error {
		for _, name := range rec.GetLoad().GetShipments() {
			var s storagev1.ShipmentRecord
			err := store.GetProto(ctx, r, shipments, store.Key(name), &s)
			switch {
			case missing(err):
				breaches = append(breaches, fmt.Sprintf("%s carries %s, which does not exist", rec.GetLoad().GetName(), name))
			case err != nil:
				return err
			case s.GetShipment().GetLoad() != rec.GetLoad().GetName():
				breaches = append(breaches, fmt.Sprintf("%s carries %s, which names %q", rec.GetLoad().GetName(), name, s.GetShipment().GetLoad()))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return breaches, forEach(ctx, r, shipments, func(rec *storagev1.ShipmentRecord) error {
		s := rec.GetShipment()
		var l storagev1.LoadRecord
		err := store.GetProto(ctx, r, loads, store.Key(s.GetLoad()), &l)
		switch {
		case missing(err):
			breaches = append(breaches, fmt.Sprintf("%s is on %q, which does not exist", s.GetName(), s.GetLoad()))
		case err != nil:
			return err
		case !slices.Contains(l.GetLoad().GetShipments(), s.GetName()):
			breaches = append(breaches, fmt.Sprintf("%s is on %s, which does not carry it", s.GetName(), s.GetLoad()))
		}
		return nil
	})
}

// checkNumbers: the numbers of a series are 1 to the last drawn, each on one load, in the order of planning, or passed over after a
// restore.
func checkNumbers(ctx context.Context, r store.Reader) (breaches []string, err error) {
	numbered := map[string][]*freightv1.Load{}
	err = forEach(ctx, r, loads, func(rec *storagev1.LoadRecord) error {
		l := rec.GetLoad()
		if len(l.GetNumber()) < 10 {
			breaches = append(breaches, fmt.Sprintf("%s has number %q", l.GetName(), l.GetNumber()))
			return nil
		}
		numbered[l.GetNumber()[:6]] = append(numbered[l.GetNumber()[:6]], l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, prefix := range sortedKeys(numbered) {
		ls := numbered[prefix]
		sort.Slice(ls, func(i, j int) bool { return less(ls[i].GetNumber(), ls[j].GetNumber()) })
		var last storagev1.NumberSeriesRecord
		if err := store.GetProto(ctx, r, series, store.Key(prefix), &last); err != nil && !missing(err) {
			return nil, err
		}
		voids, err := store.Voids(ctx, r, seriesName(prefix))
		if err != nil {
			return nil, err
		}
		due := uint64(0)
		for i, l := range ls {
			due++
			if passed, ok := store.Void(voids, due); ok {
				due = passed + 1
			}
			if want := fmt.Sprintf("%s%04d", prefix, due); l.GetNumber() != want {
				breaches = append(breaches, fmt.Sprintf("%s has number %s where %s is due", l.GetName(), l.GetNumber(), want))
				break
			}
			if i > 0 && l.GetCreateTime().AsTime().Before(ls[i-1].GetCreateTime().AsTime()) {
				breaches = append(breaches, fmt.Sprintf("%s was planned before %s", l.GetNumber(), ls[i-1].GetNumber()))
			}
		}
		if due != last.GetLast() {
			breaches = append(breaches, fmt.Sprintf("series %s: the last number drawn is %d, the loads end at %d", prefix, last.GetLast(), due))
		}
	}
	return breaches, nil
}

// less orders numbers of one series, which get longer after 9999.
func less(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

func sortedKeys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// checkTenders: a load has at most one offer that is out or accepted, and names it.
func checkTenders(ctx context.Context, r store.Reader) (breaches []string, err error) {
	live := map[string]string{}
	err = forEach(ctx, r, tenders, func(rec *storagev1.TenderRecord) error {
		t := rec.GetTender()
		switch t.GetState() {
		case freightv1.Tender_SENT, freightv1.Tender_ACCEPTED:
			if other := live[t.GetLoad()]; other != "" {
				breaches = append(breaches, fmt.Sprintf("%s has two live tenders, %s and %s", t.GetLoad(), other, t.GetName()))
			}
			live[t.GetLoad()] = t.GetName()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return breaches, forEach(ctx, r, loads, func(rec *storagev1.LoadRecord) error {
		if l := rec.GetLoad(); l.GetTender() != live[l.GetName()] {
			breaches = append(breaches, fmt.Sprintf("%s names tender %q, live is %q", l.GetName(), l.GetTender(), live[l.GetName()]))
		}
		return nil
	})
}

func checkParents(ctx context.Context, r store.Reader) (breaches []string, err error) {
	err = store.Each(ctx, r, claims, nil, func(kv store.KV) error {
		var rec storagev1.ClaimRecord
		if err := proto.Unmarshal(kv.Value, &rec); err != nil {
			return err
		}
		parent, _, _ := strings.Cut(rec.GetClaim().GetName(), "/claims/")
		_, err := r.Get(ctx, loads, store.Key(parent))
		if missing(err) {
			breaches = append(breaches, fmt.Sprintf("%s: no load", rec.GetClaim().GetName()))
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return breaches, forEach(ctx, r, shipments, func(rec *storagev1.ShipmentRecord) error {
		s := rec.GetShipment()
		if s.GetProofOfDelivery() == "" {
			return nil
		}
		var p storagev1.ProofRecord
		err := store.GetProto(ctx, r, proofs, store.Key(s.GetProofOfDelivery()), &p)
		switch {
		case missing(err):
			breaches = append(breaches, fmt.Sprintf("%s names %s, which does not exist", s.GetName(), s.GetProofOfDelivery()))
		case err != nil:
			return err
		case p.GetProof().GetShipment() != s.GetName() || p.GetProof().GetState() == freightv1.ProofOfDelivery_SUPERSEDED:
			breaches = append(breaches, fmt.Sprintf("%s names %s, which does not prove it", s.GetName(), s.GetProofOfDelivery()))
		}
		return nil
	})
}
