package store

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	storagev1 "crossdock.dev/gen/crossdock/tower/storage/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/platform/store"
)

// pieceSize keeps a piece of a payload smaller than the most that a record may have.
const pieceSize = 60 << 10

// AddStep keeps a fact, with everything that it is about, and the bytes of its payload, which may be larger than a record.
func AddStep(ctx context.Context, tx *store.Tx, s *storagev1.Step, payload []byte) error {
	last, err := tx.Get(ctx, arrival, []byte("last"))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	var number uint64 = 1
	if len(last) == 8 {
		number = binary.BigEndian.Uint64(last) + 1
	}
	if err := tx.Put(ctx, arrival, []byte("last"), binary.BigEndian.AppendUint64(nil, number)); err != nil {
		return err
	}
	key := store.Key(number)
	s.PayloadPieces = 0
	for piece := range slices.Chunk(payload, pieceSize) {
		if err := tx.Put(ctx, pieces, store.Key(number, s.PayloadPieces), piece); err != nil {
			return err
		}
		s.PayloadPieces++
	}
	if err := stepTable.Put(ctx, tx, key, s); err != nil {
		return err
	}
	return indexStep(ctx, tx, key, s)
}

// Case reads a case by the id of its order; an empty record when there is none yet.
func Case(ctx context.Context, r store.Reader, id string) (*storagev1.Case, error) {
	rec, err := caseTable.Get(ctx, r, store.Key(id))
	if errors.Is(err, store.ErrNotFound) {
		return &storagev1.Case{Case: &towerv1.Case{Name: "cases/" + id, Order: "orders/" + id}}, nil
	}
	return rec, err
}

// ExistingCase reads a case, or store.ErrNotFound.
func ExistingCase(ctx context.Context, r store.Reader, id string) (*storagev1.Case, error) {
	return caseTable.Get(ctx, r, store.Key(id))
}

// PutCase saves a case; its references after the first known ones are new.
func PutCase(ctx context.Context, tx *store.Tx, rec *storagev1.Case, known int) error {
	if err := caseTable.Put(ctx, tx, store.Key(CaseID(rec.GetCase().GetName())), rec); err != nil {
		return err
	}
	return indexCase(ctx, tx, rec, known)
}

// CasePage reads up to n cases, newest first, older than the one with id before; from the newest when it is empty.
func CasePage(ctx context.Context, r store.Reader, before string, n int) ([]*storagev1.Case, error) {
	rg := store.Range{Reverse: true, Limit: n}
	if before != "" {
		rg.To = store.Key(before)
	}
	rows, err := caseTable.Scan(ctx, r, rg)
	out := make([]*storagev1.Case, len(rows))
	for i, row := range rows {
		out[i] = row.Value
	}
	return out, err
}

// EachCase calls fn for every case.
func EachCase(ctx context.Context, r store.Reader, fn func(*storagev1.Case) error) error {
	before := ""
	for {
		page, err := CasePage(ctx, r, before, 256)
		if err != nil {
			return err
		}
		for _, c := range page {
			if err := fn(c); err != nil {
				return err
			}
			before = CaseID(c.GetCase().GetName())
		}
		if len(page) < 256 {
			return nil
		}
	}
}

// CasesByReference reads the cases that a reference leads to.
func CasesByReference(ctx context.Context, r store.Reader, ref string) ([]*storagev1.Case, error) {
	prefix := store.Key(ref)
	var out []*storagev1.Case
	err := store.Each(ctx, r, caseByReference, prefix, func(kv store.KV) error {
		rec, err := caseTable.Get(ctx, r, kv.Key[len(prefix):])
		out = append(out, rec)
		return err
	})
	return out, err
}

// StepsOf reads the facts about any of the references, in order of arrival, which is an order that causes allow.
func StepsOf(ctx context.Context, r store.Reader, refs []string) ([]*storagev1.Step, error) {
	_, out, err := stepsOf(ctx, r, refs)
	return out, err
}

func stepsOf(ctx context.Context, r store.Reader, refs []string) (keys []string, out []*storagev1.Step, err error) {
	found := map[string]bool{}
	for _, ref := range refs {
		prefix := store.Key(ref)
		err := store.Each(ctx, r, stepByReference, prefix, func(kv store.KV) error {
			if key := string(kv.Key[len(prefix):]); !found[key] {
				found[key] = true
				keys = append(keys, key)
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	slices.Sort(keys)
	out = make([]*storagev1.Step, len(keys))
	for i, key := range keys {
		rec, err := stepTable.Get(ctx, r, []byte(key))
		if err != nil {
			return nil, nil, err
		}
		out[i] = rec
	}
	return keys, out, nil
}

// ToldBy says whether a service told any fact about a reference.
func ToldBy(ctx context.Context, r store.Reader, service, ref string) (bool, error) {
	prefix := store.Key(ref)
	err := store.Each(ctx, r, stepByReference, prefix, func(kv store.KV) error {
		rec, err := stepTable.Get(ctx, r, kv.Key[len(prefix):])
		if err == nil && rec.GetStep().GetService() == service {
			return errFound
		}
		return err
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, err
}

// errFound ends a search.
var errFound = errors.New("found")

// PutParty keeps a party's name for people.
func PutParty(ctx context.Context, tx *store.Tx, name, displayName string) error {
	return partyTable.Put(ctx, tx, store.Key(name), &storagev1.Party{DisplayName: displayName})
}

// PartyName is a party's name for people; its resource name when it is not known.
func PartyName(ctx context.Context, r store.Reader, name string) (string, error) {
	rec, err := partyTable.Get(ctx, r, store.Key(name))
	if errors.Is(err, store.ErrNotFound) {
		return name, nil
	}
	return rec.GetDisplayName(), err
}

// Plan says until when the first fact of a type should have happened.
type Plan struct {
	Type string
	By   *typev1.EventTime
}

// PutPlan keeps a plan of an order; a later one for the same type replaces it.
func PutPlan(ctx context.Context, tx *store.Tx, order string, p Plan) error {
	return planTable.Put(ctx, tx, store.Key(order, p.Type), p.By)
}

// PlansOf reads the plans of an order, by type of fact.
func PlansOf(ctx context.Context, r store.Reader, order string, types []string) (map[string]*typev1.EventTime, error) {
	out := map[string]*typev1.EventTime{}
	for _, t := range types {
		by, err := planTable.Get(ctx, r, store.Key(order, t))
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, err
		default:
			out[t] = by
		}
	}
	return out, nil
}
