package eventlog

import (
	"context"
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/store"
)

// This file is how deferred facts are released. When feeds that wait for each other go on, each of them moves a little at a time, and
// each move may free a few facts among thousands. So a consumer remembers what its deferred facts wait for, by stretches of their bucket,
// and looks at a stretch again when one of these places has been read.

// deferred is what a consumer knows of its deferred facts. Nothing of it is stored: the zero value knows of none, and they are looked at
// anew.
type deferred struct {
	stretches []*stretch // in order of their keys
	end       []byte     // the key after the last stretch; nil when there is none
	all       bool       // there are none after that
}

// stretch is a run of deferred facts.
type stretch struct {
	from   []byte     // the key of the first one
	rows   int        // how many, at most stretchRows
	awaits []Position // of each log the first entry that one of them waits for
	// blocked: one of them waits for nothing but an earlier fact of its keys. It is looked at again after something was released.
	blocked, again bool
}

// await notes what a fact of the stretch waits for.
func (s *stretch) await(p Position) {
	i := slices.IndexFunc(s.awaits, func(q Position) bool { return q.Log == p.Log })
	switch {
	case i < 0:
		s.awaits = append(s.awaits, p)
	case p.Before(s.awaits[i]):
		s.awaits[i] = p
	}
}

// due tells whether a fact of the stretch may be free now.
func (s *stretch) due(reads map[string]Position) bool {
	return s.again || slices.ContainsFunc(s.awaits, func(p Position) bool { return isRead(reads[p.Log], p) })
}

// free is a deferred fact that waits for no feed any more.
type free struct {
	key     []byte
	cause   store.Cause
	stretch *stretch
	stays   bool // an earlier fact of its keys is still deferred
}

// release applies deferred facts whose feeds have been read that far, in order, or parks them. progress says that there is more to look at,
// or that something was released.
func (c *Consumer) release(ctx context.Context) (progress bool, err error) {
	if c.deferred.all && len(c.deferred.stretches) == 0 {
		return false, nil
	}
	var freed []*free
	err = c.c.Store.View(ctx, func(r store.Reader) (err error) {
		freed, progress, err = c.look(ctx, r)
		return err
	})
	if err != nil {
		return false, err
	}
	together := 1
	if c.c.Together {
		together = joined
	}
	groups := slices.Collect(slices.Chunk(freed, together))
	pending := make([]*store.Pending, 0, len(groups))
	for _, group := range groups {
		cause := group[len(group)-1].cause
		for _, f := range group[:len(group)-1] {
			cause.After = origin.MergeAfter(cause.After, f.cause.After)
		}
		pending = append(pending, c.c.Store.Submit(ctx, cause, func(tx *store.Tx) ([]byte, error) { return nil, c.releaseAll(ctx, tx, group) }))
	}
	// All are waited for, also after the first that failed: a Step leaves nothing under way.
	released, refused := false, error(nil)
	for i, p := range pending {
		_, err := p.Wait(ctx)
		if err != nil && !errors.Is(err, errNotYet) && refused == nil {
			refused = err
		}
		for _, f := range groups[i] {
			if f.stays {
				f.stretch.blocked = true
			} else {
				f.stretch.rows--
				released = true
			}
		}
	}
	if refused != nil {
		return false, refused // what is known is forgotten with the rest
	}
	d := &c.deferred
	d.stretches = slices.DeleteFunc(d.stretches, func(s *stretch) bool { return s.rows == 0 })
	for _, s := range d.stretches {
		s.again = s.again || released && s.blocked
	}
	return progress || released, nil
}

// look reads the stretches that are due, and facts that were deferred since the last look. more says that it was not all.
func (c *Consumer) look(ctx context.Context, r store.Reader) (freed []*free, more bool, err error) {
	d, reads, looked := &c.deferred, c.followers.reads(), 0
	for i, s := range d.stretches {
		if !s.due(reads) {
			continue
		}
		if looked+s.rows > releaseBatch {
			return freed, true, nil
		}
		rg := store.Range{From: s.from, To: d.end}
		if i+1 < len(d.stretches) {
			rg.To = d.stretches[i+1].from
		}
		rows, err := r.Scan(ctx, store.DeferredFacts, rg)
		if err != nil {
			return nil, false, err
		}
		*s = stretch{from: s.from}
		some, err := c.lookAt(s, rows)
		if err != nil {
			return nil, false, err
		}
		freed, looked = append(freed, some...), looked+len(rows)
	}
	if d.all {
		return freed, false, nil
	}
	rg := store.Prefix(store.Key(c.c.Log))
	rg.Limit = releaseBatch
	if d.end != nil {
		rg.From = d.end
	}
	rows, err := r.Scan(ctx, store.DeferredFacts, rg)
	if err != nil {
		return nil, false, err
	}
	d.all = len(rows) < rg.Limit
	for len(rows) > 0 {
		if n := len(d.stretches); n == 0 || d.stretches[n-1].rows >= stretchRows {
			d.stretches = append(d.stretches, &stretch{from: rows[0].Key})
		}
		s := d.stretches[len(d.stretches)-1]
		n := min(len(rows), stretchRows-s.rows)
		some, err := c.lookAt(s, rows[:n])
		if err != nil {
			return nil, false, err
		}
		freed, d.end, rows = append(freed, some...), append(slices.Clone(rows[n-1].Key), 0), rows[n:]
	}
	return freed, !d.all, nil
}

// lookAt adds rows to a stretch, and returns those that are free.
func (c *Consumer) lookAt(s *stretch, rows []store.KV) (freed []*free, err error) {
	s.rows += len(rows)
	for _, row := range rows {
		w := &storagev1.WaitingFact{}
		if err := proto.Unmarshal(row.Value, w); err != nil {
			return nil, err
		}
		if p, ok := c.followers.unread(w.GetHead().GetAfter()); ok {
			s.await(p)
		} else {
			f := Fact{Position: store.PositionOf(w.GetHead().GetPosition()), Index: int(w.GetIndex()), Head: w.GetHead(), Hash: w.GetHash()}
			freed = append(freed, &free{key: row.Key, cause: f.Cause(), stretch: s})
		}
	}
	return freed, nil
}

// releaseAll takes deferred facts out of their bucket and places them anew, but for those that still wait. errNotYet when all do.
func (c *Consumer) releaseAll(ctx context.Context, tx *store.Tx, group []*free) error {
	rec, err := c.record(ctx, tx)
	if err != nil {
		return err
	}
	released := false
	for _, f := range group {
		err := c.replace(ctx, tx, rec, store.DeferredFacts, f.key)
		f.stays = errors.Is(err, errNotYet)
		if err != nil && !f.stays {
			return err
		}
		released = released || !f.stays
	}
	if !released {
		return errNotYet
	}
	return store.PutProto(ctx, tx, store.Consumers, []byte(c.c.Log), rec)
}
