package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/failpoint"
	"crossdock.dev/platform/origin"
)

// maxBatch is how many changes share a commit at most, and how many may wait.
const maxBatch = 1024

// Outcome is what became of a change.
type Outcome struct {
	// Position of its entry; of the last entry when there was nothing to write.
	Position Position
	// Answer as the closure gave it, now or, when Repeated, the first time.
	Answer   []byte
	Repeated bool
}

// Pending is a change that was submitted.
type Pending struct {
	ctx     context.Context
	cause   Cause
	key     causeKey // of the cause, when it has a request id
	fn      func(*Tx) ([]byte, error)
	done    chan struct{}
	outcome Outcome
	err     error
	freed   bool    // the change let tasks go on
	inline  *inline // in a simulation: makes the change
}

// Submit queues a change and returns; changes are made in the order of submission. It waits while the queue is full. A change
// whose ctx has ended before its turn is not made.
func (s *Store) Submit(ctx context.Context, c Cause, fn func(tx *Tx) (answer []byte, err error)) *Pending {
	p := &Pending{ctx: ctx, cause: c, fn: fn, done: make(chan struct{})}
	if c.RequestID != "" {
		p.key = newCauseKey(c.Principal, c.Method, c.RequestID)
	}
	s.submit.RLock()
	defer s.submit.RUnlock()
	if s.closed {
		return p.refuse(ErrClosed)
	}
	if s.inline != nil {
		return s.inline.add(p)
	}
	select {
	case s.queue <- p:
		return p
	default:
	}
	select {
	case s.queue <- p:
		return p
	case <-s.closing:
		return p.refuse(ErrClosed)
	case <-ctx.Done():
		return p.refuse(ctx.Err())
	}
}

func (p *Pending) refuse(err error) *Pending {
	p.err = err
	close(p.done)
	return p
}

// Wait returns when the change is durable or refused. When ctx ends first, the change may still be made.
func (p *Pending) Wait(ctx context.Context) (Outcome, error) {
	if p.inline != nil {
		p.inline.make()
	}
	select {
	case <-p.done:
		return p.outcome, p.err
	case <-ctx.Done():
		select {
		case <-p.done:
			return p.outcome, p.err
		default:
			return Outcome{}, fmt.Errorf("waiting for a commit that may still come: %w", ctx.Err())
		}
	}
}

// Change makes a change and returns when it is durable. fn's error refuses it, and nothing that it wrote remains.
func (s *Store) Change(ctx context.Context, c Cause, fn func(tx *Tx) (answer []byte, err error)) (Outcome, error) {
	return s.Submit(ctx, c, fn).Wait(ctx)
}

// loop is the only writer: it takes one change, drains what else waits, and commits all of it at once.
func (s *Store) loop() {
	defer close(s.loopDone)
	debug.SetPanicOnFault(true) // a damaged file must not end the program without a word
	for p := range s.queue {
		batch := []*Pending{p}
	drain:
		for len(batch) < maxBatch {
			select {
			case p, ok := <-s.queue:
				if !ok {
					break drain
				}
				batch = append(batch, p)
			default:
				break drain
			}
		}
		s.run(batch)
	}
}

// run makes the changes of a batch in one commit, then answers. Nobody is answered before: a refusal may rest on what a
// neighbour has just written.
func (s *Store) run(batch []*Pending) {
	s.mu.Lock()
	last, failed := s.last, s.failed
	s.mu.Unlock()
	if failed == nil {
		failed = s.commitBatch(batch, &last)
	} else {
		failed = fmt.Errorf("%w: %w", ErrClosed, failed)
	}
	s.mu.Lock()
	if failed == nil && last.sequence != s.last.sequence {
		s.last = last
		if slices.ContainsFunc(batch, func(p *Pending) bool { return p.freed }) {
			s.freed++
		}
		close(s.changed)
		s.changed = make(chan struct{})
	}
	s.mu.Unlock()
	for _, p := range batch {
		if failed != nil {
			p.outcome, p.err = Outcome{}, failed
		}
		close(p.done)
	}
}

// commitBatch returns an error when nothing of the batch was committed, or when that is not known.
func (s *Store) commitBatch(batch []*Pending, last *tip) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = s.fail(fmt.Errorf("store file %s is damaged: %v", s.path, r))
		}
	}()
	btx, err := s.db.Begin(true)
	if err != nil {
		return s.fail(err)
	}
	defer btx.Rollback() // does nothing after a commit
	before := last.sequence
	for _, p := range batch {
		if p.err = p.ctx.Err(); p.err != nil {
			continue
		}
		var fatal error
		if p.outcome, p.err, fatal = s.change(btx, last, p); fatal != nil {
			return s.fail(fatal)
		}
	}
	if last.sequence == before {
		s.metrics.made(batch, 0)
		return nil
	}
	failpoint.Hit("store.commit.before")
	begun, id := s.machine.Now(), int64(btx.ID())
	if err := s.commit(btx); err != nil {
		btx.Rollback()
		if survivable(err) && !s.visible(last.sequence) {
			s.metrics.full.Inc()
			s.log.Error("no space for a commit", "store", s.path, "error", err)
			return fmt.Errorf("%w: %w", ErrFull, err)
		}
		return s.fail(err)
	}
	failpoint.Hit("store.commit.after")
	s.durable.Store(id)
	s.metrics.seconds.Observe(s.machine.Now().Sub(begun).Seconds())
	s.metrics.made(batch, last.sequence-before)
	return nil
}

// change makes one change within the batch's transaction. err refuses it alone; fatal ends the batch.
func (s *Store) change(btx *bbolt.Tx, last *tip, p *Pending) (out Outcome, err, fatal error) {
	if p.cause.RequestID != "" {
		rec, err := s.causes.find(btx, p.key)
		switch {
		case err != nil:
			return out, err, nil
		case rec != nil && !bytes.Equal(rec.Fingerprint, p.cause.Fingerprint):
			return out, ErrRequestIDReused, nil
		case rec != nil:
			answer, err := answerAt(btx, rec.Sequence)
			return Outcome{s.position(rec.Sequence), answer, true}, err, nil
		}
	}
	tx := &Tx{reader: reader{btx: btx, cat: s.cat, decoded: &s.decoded}, at: s.position(last.sequence + 1)}
	answer, err := s.call(tx, p)
	if err != nil {
		return out, err, nil
	}
	if !tx.wrote() && p.cause.RequestID == "" {
		return Outcome{s.position(last.sequence), answer, false}, nil, nil
	}
	cause := p.cause
	if cause.After, err = tx.past(cause.After); err != nil {
		return out, err, nil
	}
	e, err := newEntry(s.cat, *last, s.clock.Now(), cause, tx, answer, s.random)
	if err != nil {
		return out, err, nil
	}
	// From here on the transaction is written to: an error leaves half a change in it.
	if err := e.apply(btx); err != nil {
		return out, nil, err
	}
	if err := s.causes.apply(btx, e, p.key, *last); err != nil {
		return out, nil, err
	}
	if err := tx.applyDerived(); err != nil {
		return out, nil, err
	}
	*last, p.freed = e.tip(), tx.freed
	return Outcome{s.position(last.sequence), answer, false}, nil, nil
}

// call runs the closure and keeps its panic from its neighbours.
func (s *Store) call(tx *Tx, p *Pending) (answer []byte, err error) {
	defer func() {
		tx.over = true
		if r := recover(); r != nil {
			s.log.Error("change panicked", "method", p.cause.Method, "panic", r, "stack", string(debug.Stack()))
			answer, err = nil, &PanicError{r}
		}
	}()
	return p.fn(tx)
}

// past is the causal past of a change: what its cause knew, and the followed logs of which it read a copy.
func (t *Tx) past(after []Position) ([]Position, error) {
	for _, log := range slices.Sorted(slices.Values(t.copies)) {
		var read storagev1.ConsumerRecord
		err := GetProto(context.Background(), t, Consumers, []byte(log), &read)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		after = origin.MergeAfter(after, []Position{PositionOf(read.GetPosition())})
	}
	return after, nil
}

// applyDerived writes the derived part of a change, which the log does not hold.
func (t *Tx) applyDerived() error {
	for _, w := range t.writes {
		if w.bucket.Kind != Derived {
			continue
		}
		b := t.btx.Bucket(t.cat.byName[w.bucket.Name].name)
		for _, row := range w.rows {
			err := error(nil)
			if row.stored == nil {
				err = b.Delete(row.key)
			} else {
				sealInPlace(w.bucket.Name, row.key, 0, row.stored)
				err = b.Put(row.key, row.stored)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// fail closes the store to changes: what is on the disk is not known any more.
func (s *Store) fail(err error) error {
	err = fmt.Errorf("%w: commit to %s: %w", ErrOutcomeUnknown, s.path, err)
	s.log.Error("store takes no more changes", "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
		close(s.failure)
	}
	return err
}

// survivable tells whether a commit failed for want of space before anything became visible: the size cap, or ENOSPC or EFBIG
// from a write or truncate. The same errors from fdatasync are not survivable; bbolt returns those bare, without the name
// of an operation. bbolt flattens the error of a truncate to text.
func survivable(err error) bool {
	if errors.Is(err, bolterrors.ErrMaxSizeReached) {
		return true
	}
	for _, space := range []error{syscall.ENOSPC, syscall.EFBIG} {
		if text, ok := strings.CutPrefix(err.Error(), "file resize error: "); ok && strings.HasSuffix(text, space.Error()) {
			return true
		}
		if op, ok := errors.AsType[*fs.PathError](err); ok && (op.Op == "write" || op.Op == "truncate") && errors.Is(err, space) {
			return true
		}
	}
	return false
}

// visible tells whether the entry can be read after its commit has failed.
func (s *Store) visible(sequence uint64) bool {
	found := true
	err := s.db.View(func(btx *bbolt.Tx) error {
		found = btx.Bucket([]byte(logBucket)).Get(Key(sequence)) != nil
		return nil
	})
	return err != nil || found
}
