package store

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	storagev1 "crossdock.dev/gen/crossdock/tower/storage/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/tower/internal/explain"
)

// Thread reads a case with everything that happened: the facts about any of its references, by the time they were
// committed. Within one instant the order of arrival decides, and that is an order that causes allow.
func Thread(ctx context.Context, r store.Reader, c *towerv1.Case) (*towerv1.Thread, error) {
	_, records, err := recordsOf(ctx, r, c)
	if err != nil {
		return nil, err
	}
	t := &towerv1.Thread{Case: c}
	for _, rec := range records {
		t.Steps = append(t.Steps, rec.GetStep())
	}
	return t, nil
}

// Story reads a case with its facts and their payloads, in the order of Thread.
func Story(ctx context.Context, r store.Reader, c *towerv1.Case) (*explain.Story, error) {
	keys, records, err := recordsOf(ctx, r, c)
	if err != nil {
		return nil, err
	}
	facts, err := factsOf(ctx, r, keys, records)
	return explain.New(c, facts), err
}

// StoryOf reads what was told of a reference that leads to no case, and of everything that the same facts are about.
func StoryOf(ctx context.Context, r store.Reader, reference string) (*explain.Story, error) {
	refs := spellings(reference)
	for range 2 {
		_, records, err := stepsOf(ctx, r, refs)
		if err != nil {
			return nil, err
		}
		for _, rec := range records {
			for _, ref := range unique(rec.GetReferences()) {
				if !slices.Contains(refs, ref) {
					refs = append(refs, ref)
				}
			}
		}
	}
	keys, records, err := stepsOf(ctx, r, refs)
	if err != nil {
		return nil, err
	}
	keys, records = byTime(keys, records)
	facts, err := factsOf(ctx, r, keys, records)
	return explain.New(nil, facts), err
}

// recordsOf reads the facts of a case. What is told of other orders alone is theirs, although it may be about the same load, or
// about the same number at another customer.
func recordsOf(ctx context.Context, r store.Reader, c *towerv1.Case) (keys []string, records []*storagev1.Step, err error) {
	var refs []string
	for _, ref := range c.GetReferences() {
		if ref.GetKind() != NotUnique {
			refs = append(refs, ref.GetValue())
		}
	}
	all, found, err := stepsOf(ctx, r, refs)
	if err != nil {
		return nil, nil, err
	}
	for i, rec := range found {
		if orders := OrdersIn(rec.GetReferences()); len(orders) == 0 || slices.Contains(orders, c.GetOrder()) {
			keys, records = append(keys, all[i]), append(records, rec)
		}
	}
	keys, records = byTime(keys, records)
	return keys, records, nil
}

// NotUnique is the kind of reference that leads to cases, but that what is told of others has as well: each partner counts its
// interchanges from 1.
const NotUnique = "control_number"

// OrdersIn are the orders among names.
func OrdersIn(refs []string) []string {
	var out []string
	for _, ref := range refs {
		if id, ok := strings.CutPrefix(ref, "orders/"); ok && !strings.Contains(id, "/") {
			out = append(out, ref)
		}
	}
	return out
}

func byTime(keys []string, records []*storagev1.Step) ([]string, []*storagev1.Step) {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return records[a].GetStep().GetApplyTime().AsTime().Compare(records[b].GetStep().GetApplyTime().AsTime())
	})
	outKeys, out := make([]string, len(keys)), make([]*storagev1.Step, len(keys))
	for i, from := range order {
		outKeys[i], out[i] = keys[from], records[from]
	}
	return outKeys, out
}

// factsOf reads the payloads of steps. One of a type that this program does not know is left out.
func factsOf(ctx context.Context, r store.Reader, keys []string, records []*storagev1.Step) ([]explain.Fact, error) {
	out := make([]explain.Fact, len(keys))
	for i, rec := range records {
		out[i].Step = rec.GetStep()
		var content []byte
		for n := range rec.GetPayloadPieces() {
			piece, err := r.Get(ctx, pieces, append([]byte(keys[i]), store.Key(n)...))
			if err != nil {
				return nil, err
			}
			content = append(content, piece...)
		}
		if len(content) == 0 {
			continue
		}
		var packed anypb.Any
		if err := proto.Unmarshal(content, &packed); err != nil {
			return nil, err
		}
		if m, err := packed.UnmarshalNew(); err == nil {
			out[i].Payload = m
		}
	}
	return out, nil
}
