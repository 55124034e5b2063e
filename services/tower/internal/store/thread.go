package store

import (
	"context"
	"slices"

	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	"crossdock.dev/platform/store"
)

// Thread reads a case with everything that happened: the facts about any of its references, by the time they were
// committed. Within one instant the order of arrival decides, and that is an order that causes allow.
func Thread(ctx context.Context, r store.Reader, c *towerv1.Case) (*towerv1.Thread, error) {
	var refs []string
	for _, ref := range c.GetReferences() {
		refs = append(refs, ref.GetValue())
	}
	records, err := StepsOf(ctx, r, refs)
	if err != nil {
		return nil, err
	}
	t := &towerv1.Thread{Case: c}
	for _, rec := range records {
		t.Steps = append(t.Steps, rec.GetStep())
	}
	slices.SortStableFunc(t.Steps, func(a, b *towerv1.Step) int {
		return a.GetApplyTime().AsTime().Compare(b.GetApplyTime().AsTime())
	})
	return t, nil
}
