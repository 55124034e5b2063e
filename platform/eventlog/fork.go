package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/store"
)

// This file is what a consumer does when the store of the log that it follows was restored to an earlier moment. One that has read no
// further than the copy reads on, through the fork. One that has read further has acted on facts that are no more: it stops, and says
// which of its own service's changes are orphaned; a person decides, and it reads on from the fork.

// ForkError says that a consumer has read past a fork. It is a store.ErrOutOfRange.
type ForkError struct {
	// Read is how far it has read; Fork is where the log went on without that.
	Read Position
	Fork store.Fork
	// Orphans are the changes of this service whose cause is no more, Waiting the deferred and parked facts that are no more.
	Orphans, Waiting uint64

	line store.Line // of the log now
}

// Error tells a person what happened.
func (e *ForkError) Error() string {
	return fmt.Sprintf("log %s was restored to %d in epoch %d, but was read up to %d in epoch %d: %d changes here and %d waiting facts have causes that are no more",
		e.Read.Log, e.Fork.After.Sequence, e.Fork.Epoch, e.Read.Sequence, e.Read.Epoch, e.Orphans, e.Waiting)
}

// Is makes it a store.ErrOutOfRange.
func (e *ForkError) Is(target error) bool { return target == store.ErrOutOfRange }

var (
	// ErrNotForked: the consumer has not read past a fork.
	ErrNotForked = errors.New("the consumer has not read past a fork")
	// ErrOtherFork: the log was restored again since the person looked.
	ErrOtherFork = errors.New("the log was restored again")
	// errPartlyRead: the consumer is in the middle of an entry, and another one stands in its place.
	errPartlyRead = errors.New("consumer: the entry that was being read is no more")
)

// isForked tells whether a read was refused because the position is no more.
func isForked(err error) bool {
	_, ok := errors.AsType[*store.ForkedError](err)
	return ok || errors.Is(err, errPartlyRead)
}

// forked finds out what a fork means for this consumer. Where nothing here was caused by what is no more it reads on by itself;
// otherwise the error says what a person has to decide.
func (c *Consumer) forked(ctx context.Context) (progress bool, err error) {
	if !c.at.equal(c.stored) { // ignored facts alone were read since: they change nothing, and are forgotten
		c.loaded = false
		return true, nil
	}
	c.mu.Lock()
	known := c.fork
	c.mu.Unlock()
	line, err := c.c.Source.Line(ctx)
	if err != nil {
		return false, err
	}
	if known != nil && known.Read == c.at.pos && known.Fork.Epoch == line.Epoch() {
		return false, known
	}
	f, err := c.inspect(ctx, line)
	if err != nil {
		return false, err
	}
	if f.Orphans == 0 && f.Waiting == 0 {
		cause := store.Cause{Principal: "service/" + c.c.Store.Service(), Method: "consumers/" + c.c.Log}
		c.c.Logger.WarnContext(ctx, "the log was restored; nothing here was caused by what is no more", "log", c.c.Log, "epoch", f.Fork.Epoch)
		return true, c.rejoin(ctx, cause, f, "nothing here was caused by what is no more")
	}
	c.mu.Lock()
	c.fork = f
	c.mu.Unlock()
	return false, f
}

// inspect compares what this service knows of a log with the line that the log has now.
func (c *Consumer) inspect(ctx context.Context, line store.Line) (*ForkError, error) {
	at := c.stored
	epoch, sequence := line.Common(at.line)
	if sequence > at.pos.Sequence {
		epoch, sequence = at.pos.Epoch, at.pos.Sequence
	}
	f := &ForkError{Read: at.pos, line: line, Fork: store.Fork{Epoch: line.Epoch()}}
	if sequence > 0 {
		f.Fork.After = Position{Log: c.c.Log, Epoch: epoch, Sequence: sequence}
	}
	var good store.FactRef // the last one that led to a change here and is on both lines
	err := eachCaused(ctx, c.c.Store, c.c.Log, func(head *eventlogv1.Head, cause store.FactRef, written written) (bool, error) {
		switch {
		case !line.Holds(cause.Position):
			records, facts, err := effectsOf(head, written)
			if err != nil {
				return false, err
			}
			if len(records)+len(facts) > 0 {
				f.Orphans++
			}
		case cause.Position.Sequence <= sequence && cause.Position.Sequence > good.Position.Sequence:
			good = cause
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	if good.Hash != nil {
		hash, err := c.hashAt(ctx, line, good.Position.Sequence)
		_, archived := errors.AsType[*store.ArchivedError](err)
		if err != nil && !archived {
			return nil, err
		}
		if !archived && !bytes.Equal(hash, good.Hash) {
			return nil, fmt.Errorf("%w: entry %v is another one than the one that was read", ErrBrokenFeed, good.Position)
		}
	}
	if f.Fork.Hash, err = c.hashAt(ctx, line, sequence); err != nil {
		return nil, err
	}
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		return eachLost(ctx, r, c.c.Log, line, func(*store.Bucket, *storagev1.WaitingFact) error {
			f.Waiting++
			return nil
		})
	})
	return f, err
}

// hashAt asks the log for the hash of one of its entries; nil for sequence 0.
func (c *Consumer) hashAt(ctx context.Context, line store.Line, sequence uint64) ([]byte, error) {
	if sequence == 0 {
		return nil, nil
	}
	before := Position{}
	if sequence > 1 {
		before = line.At(c.c.Log, sequence-1)
	}
	head, hash, err := c.entryAfter(ctx, before, line.At(c.c.Log, sequence))
	if archived, ok := errors.AsType[*store.ArchivedError](err); ok && archived.First.Sequence == sequence+1 { // the next one names it
		head, _, err = c.entryAfter(ctx, line.At(c.c.Log, sequence), line.At(c.c.Log, sequence+1))
		hash = head.GetPreviousHash()
	}
	return hash, err
}

// entryAfter reads the entry after a position, which must stand at the other one.
func (c *Consumer) entryAfter(ctx context.Context, before, at Position) (*eventlogv1.Head, []byte, error) {
	entries, _, err := c.c.Source.Read(ctx, before, 1)
	if err != nil {
		return nil, nil, err
	}
	if len(entries) == 0 {
		return nil, nil, fmt.Errorf("%w: log %s has no entry %d", ErrBrokenFeed, c.c.Log, at.Sequence)
	}
	if err := checkHash(entries[0]); err != nil {
		return nil, nil, err
	}
	head := &eventlogv1.Head{}
	if err := proto.Unmarshal(entries[0].Head, head); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrBrokenFeed, err)
	}
	if store.PositionOf(head.Position) != at {
		return nil, nil, fmt.Errorf("%w: entry %v stands where %v was asked for", ErrBrokenFeed, store.PositionOf(head.Position), at)
	}
	return head, entries[0].Hash, nil
}

// rejoin moves the cursor back to the fork and drops the facts that wait and are no more.
func (c *Consumer) rejoin(ctx context.Context, cause store.Cause, f *ForkError, note string) error {
	now := c.c.Store.Now()
	_, err := c.c.Store.Change(ctx, cause, func(tx *store.Tx) ([]byte, error) {
		rec, err := c.record(ctx, tx)
		if err != nil {
			return nil, err
		}
		if !cursorOf(rec).equal(c.stored) {
			return nil, errStale
		}
		d := &eventlogv1.ForkDecision{Fork: store.ForkProto(f.Fork), Read: store.PositionProto(f.Read), Orphans: f.Orphans, Actor: cause.Actor,
			Note: note, Time: timestamppb.New(now)}
		if d.Actor == "" {
			d.Actor = cause.Principal
		}
		err = eachLost(ctx, tx, c.c.Log, f.line, func(b *store.Bucket, w *storagev1.WaitingFact) error {
			if b == store.ParkedFacts {
				rec.Parked--
			} else {
				rec.Deferred--
			}
			rec.Ignored++
			d.Dropped++
			return c.unwait(ctx, tx, b, w, true)
		})
		if err != nil {
			return nil, err
		}
		rec.Position, rec.Hash, rec.FactsRead = nil, f.Fork.Hash, 0
		if f.Fork.After != (Position{}) {
			rec.Position = store.PositionProto(f.Fork.After)
		}
		rec.Forks, rec.Decisions = store.LineProto(f.line), append(rec.Decisions, d)
		return nil, store.PutProto(ctx, tx, store.Consumers, []byte(c.c.Log), rec)
	})
	c.loaded = false
	if err == nil {
		c.mu.Lock()
		c.fork, c.err = nil, nil
		c.mu.Unlock()
	}
	return err
}

// Reconcile lets a consumer that has read past a fork read on from there, after a person has looked at what is orphaned. epoch is that of
// the fork that the person saw. ErrNotForked, ErrOtherFork. A repeat of the request does nothing.
func (c *Consumer) Reconcile(ctx context.Context, cause store.Cause, epoch uint64, note string) error {
	c.step.Lock()
	defer c.step.Unlock()
	if err := c.load(ctx); err != nil {
		return err
	}
	_, _, err := c.c.Source.Read(ctx, c.at.pos, 1)
	if err == nil && c.at.facts > 0 {
		err = c.partly(ctx)
	}
	if err != nil && !isForked(err) {
		return err
	}
	if err == nil {
		// A repeat finds the consumer on its way; the store gives it its answer.
		_, err := c.c.Store.Change(ctx, cause, func(*store.Tx) ([]byte, error) { return nil, ErrNotForked })
		return err
	}
	line, err := c.c.Source.Line(ctx)
	if err != nil {
		return err
	}
	if line.Epoch() != epoch {
		return ErrOtherFork
	}
	f, err := c.inspect(ctx, line)
	if err != nil {
		return err
	}
	if err := c.rejoin(ctx, cause, f, note); err != nil {
		return err
	}
	return c.load(ctx)
}

// partly tells whether the entry that is being read is no more.
func (c *Consumer) partly(ctx context.Context) error {
	entries, _, err := c.c.Source.Read(ctx, c.at.pos, 1)
	if err != nil || len(entries) == 0 {
		return err
	}
	_, err = c.check(entries[0], c.at)
	return err
}

// orphans calls fn for the changes of this service that were caused by facts of the log that are no more, and begin after a sequence, oldest
// first, until it returns false.
func (c *Consumer) orphans(ctx context.Context, after uint64, fn func(*eventlogv1.Orphan) (bool, error)) error {
	rec := &storagev1.ConsumerRecord{}
	err := c.c.Store.View(ctx, func(r store.Reader) (err error) {
		rec, err = c.record(ctx, r)
		return err
	})
	if err != nil {
		return err
	}
	line := store.LineOf(rec.Forks)
	c.mu.Lock()
	if c.fork != nil {
		line = c.fork.line
	}
	c.mu.Unlock()
	return eachCaused(ctx, c.c.Store, c.c.Log, func(head *eventlogv1.Head, cause store.FactRef, written written) (bool, error) {
		if head.Position.GetSequence() <= after || line.Holds(cause.Position) {
			return true, nil
		}
		records, facts, err := effectsOf(head, written)
		if err != nil || len(records)+len(facts) == 0 {
			return err == nil, err
		}
		o := &eventlogv1.Orphan{Records: records, Position: head.Position, ApplyTime: head.ApplyTime, Cause: store.PositionProto(cause.Position), CauseIndex: uint32(cause.Index)}
		for _, f := range facts {
			o.Facts = append(o.Facts, f.GetType()+" "+f.GetSubject())
		}
		for _, d := range rec.Decisions {
			from, to := store.PositionOf(d.Fork.GetAfter()), store.PositionOf(d.Read)
			if cause.Position.Sequence > from.Sequence && cause.Position.Epoch <= to.Epoch {
				o.Reconciled = true
			}
		}
		return fn(o)
	})
}

// effectsOf names the records that a change wrote and the facts that it told, but for those with which a consumer keeps its place: a fact
// that was ignored, deferred or parked has had no effect.
func effectsOf(head *eventlogv1.Head, of written) (records []string, facts []*eventlogv1.Fact, err error) {
	records, err = of()
	records = slices.DeleteFunc(records, func(r string) bool {
		bucket, _, _ := strings.Cut(r, "/")
		return bucket == store.Consumers.Name || bucket == store.DeferredFacts.Name || bucket == store.ParkedFacts.Name
	})
	return records, slices.DeleteFunc(slices.Clone(head.Facts), tellsOfParking), err
}

// written names the records that a change wrote.
type written = func() ([]string, error)

// eachCaused calls fn for the changes of a store that facts of a log caused, archived ones too, oldest first, until it returns false.
func eachCaused(ctx context.Context, s *store.Store, log string,
	fn func(head *eventlogv1.Head, cause store.FactRef, written written) (bool, error)) error {
	return s.History(ctx, func(e store.LogEntry, of func() ([]string, error)) (bool, error) {
		head := &eventlogv1.Head{}
		if err := proto.Unmarshal(e.Head, head); err != nil {
			return false, err
		}
		fact := head.GetCause().GetFact()
		if fact.GetLog() != log {
			return true, nil
		}
		return fn(head, store.FactRef{Position: store.PositionOf(fact), Hash: head.Cause.FactHash, Index: int(head.Cause.FactIndex)}, of)
	})
}

// eachLost calls fn for the facts of a log that wait and are not on its line.
func eachLost(ctx context.Context, r store.Reader, log string, line store.Line, fn func(*store.Bucket, *storagev1.WaitingFact) error) error {
	for _, b := range []*store.Bucket{store.DeferredFacts, store.ParkedFacts} {
		err := store.Each(ctx, r, b, store.Key(log), func(kv store.KV) error {
			w := &storagev1.WaitingFact{}
			if err := proto.Unmarshal(kv.Value, w); err != nil {
				return err
			}
			if line.Holds(store.PositionOf(w.GetHead().GetPosition())) {
				return nil
			}
			return fn(b, w)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// decisionOf is a person's decision about a fence.
func decisionOf(cause store.Cause, note string, now time.Time) store.Decision {
	actor := cause.Actor
	if actor == "" {
		actor = cause.Principal
	}
	return store.Decision{Actor: actor, Note: note, Time: now}
}
