package eventlog

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/failpoint"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/telemetry"
)

// ConsumerConfig is what a Consumer works with.
type ConsumerConfig struct {
	Log    string // the followed log
	Source Source
	Store  *store.Store
	Logger *slog.Logger
	// Machine measures how long the consumer is behind; nil is the system's.
	Machine clock.Machine
	// Keys names what a fact touches for this service, such as the orders that a load carries; none means that the fact is
	// ignored. It has no side effects and does not look at the store.
	Keys func(f Fact) []string
	// Types are the types of facts that Keys may name keys for: others are ignored without their payload being decoded. None means that
	// Keys is asked about all.
	Types []string
	// Apply makes the fact take effect. It returns nil when it has; ErrIgnored when there is nothing to do; a Transient error
	// when the fact must be tried again later; any other error parks the fact. ctx carries the fact's origin.
	Apply func(ctx context.Context, tx *store.Tx, f Fact) error
	// Together makes one change of many facts, by which of them the last counts as its cause. It is for a service that shows what
	// others did and tells no facts itself; a fact that must be tried again later holds up those that were read with it.
	Together bool
}

// Limits of one Step.
const (
	readBatch    = 256 // entries read at once
	releaseBatch = 256 // deferred facts looked at
	stretchRows  = 32  // of them that are looked at together
	joined       = 64  // facts in one change, where they go together
	// saveEvery is how many entries are read without an effect before the cursor is written all the same.
	saveEvery = store.ReaderLag
)

// patience is how long a feed is held for another one that does not move, before the facts that wait for it are deferred. An entry
// follows what it builds on, so feeds that can be read never hold each other.
const patience = time.Second

// Consumer follows one log.
type Consumer struct {
	c         ConsumerConfig
	followers *Followers
	spans     *telemetry.Spans

	mu      sync.Mutex // guards what Step writes and others read
	settled Position
	ignored uint64 // facts read and ignored since the record was stored
	at      cursor // how far has been read; ahead of the stored record by ignored facts alone
	err     error
	pace    pace
	moved   chan struct{}   // closed when settled moves
	waiting bool            // facts are deferred
	holding bool            // the next fact waits for another feed, and so does this feed
	awaits  []Position      // what the first of them waits for, or what is held
	fork    *ForkError      // that a person has to decide about; nil when there is none
	ctx     context.Context // of the last Step

	step     sync.Mutex // held by Step and Retry; guards the rest
	loaded   bool
	stored   cursor              // as in the stored record
	unsaved  int                 // entries between stored and at
	deferred deferred            // the facts that wait for other feeds
	ahead    []Entry             // read, and held before they were taken
	held     held                // why
	stuck    map[string]Position // feeds that did not move while this one was held for them, and where they stood
}

// held is a feed that another one is held for: how far that was read, and when it came there.
type held struct {
	log   string // empty when nothing is held
	read  Position
	since time.Time
	after []Position // what the fact that is held builds on
}

// cursor is how far a log has been read.
type cursor struct {
	pos   Position // the last entry of which every fact has been read
	hash  []byte   // of that entry
	facts uint32   // facts read of the entry after it
	line  store.Line
}

func (c cursor) equal(d cursor) bool {
	return c.pos == d.pos && c.facts == d.facts && bytes.Equal(c.hash, d.hash)
}

// NewConsumer returns a consumer that goes on where the store's record of this log ends.
func NewConsumer(c ConsumerConfig) *Consumer {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Machine == nil {
		c.Machine = clock.SystemMachine()
	}
	return &Consumer{c: c, followers: &Followers{}, moved: make(chan struct{})}
}

// Log is the name of the followed log.
func (c *Consumer) Log() string { return c.c.Log }

// Read is how far every fact has been settled: applied, ignored or parked. A deferred fact is not.
func (c *Consumer) Read() Position {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.settled
}

// Err is why the last Step did not come to its end; nil when it did. An error that wraps store.ErrOutOfRange or ErrBrokenFeed
// stays until a person has decided.
func (c *Consumer) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Wake returns a channel that is closed when there may be something to read, or when the ctx of the last Step has ended.
func (c *Consumer) Wake() <-chan struct{} {
	c.mu.Lock()
	ctx, after, holding := c.ctx, c.at.pos, c.holding
	c.mu.Unlock()
	if ctx == nil { // no Step yet, so there is something to read
		return closed()
	}
	if holding { // there is, but its turn comes with another feed
		return nil
	}
	return c.c.Source.Changed(ctx, after)
}

// wakeBy returns the channel that is closed when another consumer of the service has read further, and facts of this one may wait
// for that; nil when none does.
func (c *Consumer) wakeBy(other *Consumer) <-chan struct{} {
	c.mu.Lock()
	waiting := c.waiting || c.holding
	c.mu.Unlock()
	if !waiting {
		return nil
	}
	other.mu.Lock()
	defer other.mu.Unlock()
	return other.moved
}

// Step releases deferred facts whose time has come, and reads the next entries. now is not used: facts take effect when they
// are read.
func (c *Consumer) Step(ctx context.Context, _ time.Time) (progress bool, err error) {
	c.step.Lock()
	defer c.step.Unlock()
	c.mu.Lock()
	c.ctx = ctx
	c.mu.Unlock()
	progress, err = c.run(ctx)
	if err != nil {
		c.loaded = false // what was submitted may or may not have been committed
	}
	c.mu.Lock()
	c.err = err
	if err == nil {
		c.fork = nil
	}
	c.mu.Unlock()
	return progress, err
}

func (c *Consumer) run(ctx context.Context) (bool, error) {
	if !c.loaded {
		if err := c.load(ctx); err != nil {
			return false, err
		}
	}
	released, err := c.release(ctx)
	if err == nil && released {
		err = c.settle(ctx)
	}
	if err != nil {
		return false, err
	}
	if len(c.ahead) > 0 {
		if c.followers.read(c.held.log) == c.held.read && c.holds(c.held.log) {
			return released, nil
		}
		if err := c.take(ctx, c.ahead); err != nil {
			return released, err
		}
		return true, c.settle(ctx)
	}
	entries, last, err := c.c.Source.Read(ctx, c.at.pos, readBatch)
	if isForked(err) {
		rejoined, err := c.forked(ctx)
		return released || rejoined, err
	}
	if err != nil {
		return released, err
	}
	c.heard(last.Sequence)
	if len(entries) == 0 {
		if last.Log != "" && last.Sequence < c.at.pos.Sequence {
			return released, fmt.Errorf("%w: log %s ends at %d, but was read up to %d", ErrBrokenFeed, c.c.Log, last.Sequence, c.at.pos.Sequence)
		}
		return released, c.settle(ctx)
	}
	if err := c.take(ctx, entries); err != nil {
		if isForked(err) {
			rejoined, err := c.forked(ctx)
			return released || rejoined, err
		}
		return released, err
	}
	c.heard(last.Sequence)
	return true, c.settle(ctx)
}

// load goes back to the stored record.
func (c *Consumer) load(ctx context.Context) error {
	var rec *storagev1.ConsumerRecord
	err := c.c.Store.View(ctx, func(r store.Reader) (err error) {
		rec, err = c.record(ctx, r)
		return err
	})
	if err != nil {
		return err
	}
	c.stored, c.unsaved, c.deferred, c.loaded = cursorOf(rec), 0, deferred{}, true
	c.ahead, c.held, c.stuck = nil, held{}, nil
	c.mu.Lock()
	c.at, c.ignored, c.holding = c.stored, 0, false
	c.mu.Unlock()
	return c.settle(ctx)
}

func (c *Consumer) record(ctx context.Context, r store.Reader) (*storagev1.ConsumerRecord, error) {
	rec := &storagev1.ConsumerRecord{}
	err := store.GetProto(ctx, r, store.Consumers, []byte(c.c.Log), rec)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return rec, err
}

func cursorOf(rec *storagev1.ConsumerRecord) cursor {
	return cursor{store.PositionOf(rec.Position), rec.Hash, rec.FactsRead, store.LineOf(rec.Forks)}
}

// settle publishes how far every fact is settled: up to the cursor, or to before the first deferred fact.
func (c *Consumer) settle(ctx context.Context) error {
	settled, waiting := c.at.pos, false
	awaits := c.held.after
	err := c.c.Store.View(ctx, func(r store.Reader) error {
		rg := store.Prefix(store.Key(c.c.Log))
		rg.Limit = 1
		rows, err := r.Scan(ctx, store.DeferredFacts, rg)
		if err != nil || len(rows) == 0 {
			return err
		}
		waiting = true
		var w storagev1.WaitingFact
		if err := proto.Unmarshal(rows[0].Value, &w); err != nil {
			return err
		}
		awaits = slices.Concat(awaits, positions(w.GetHead().GetAfter()))
		first := store.PositionOf(w.GetHead().GetPosition())
		first.Sequence--
		if first.Before(settled) {
			settled = first
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting, c.awaits = waiting, awaits
	if c.settled != settled && !settled.Before(c.settled) {
		c.settled = settled
		close(c.moved)
		c.moved = make(chan struct{})
	}
	return nil
}

// holds says whether this feed stops before a fact until another feed has been read further. A feed that stands still is not waited
// for again until it has moved.
func (c *Consumer) holds(log string) bool {
	if log == "" || c.followers.Stepping {
		c.held = held{}
		return false
	}
	now := c.c.Machine.Now()
	read := c.followers.read(log)
	switch at, ok := c.stuck[log]; {
	case ok && at == read || c.followers.failed(log):
	case c.held.log != log || c.held.read != read:
		c.held = held{log: log, read: read, since: now}
		return true
	case now.Sub(c.held.since) < patience:
		return true
	default:
		if c.stuck == nil {
			c.stuck = map[string]Position{}
		}
		c.stuck[log] = read
	}
	c.held = held{}
	return false
}

func positions(after []*eventlogv1.Position) []Position {
	out := make([]Position, len(after))
	for i, p := range after {
		out[i] = store.PositionOf(p)
	}
	return out
}

// take reads entries: each fact that concerns the service becomes a change of its own, or of up to joined where they go together, and
// many changes share a commit. It stops before a
// fact that builds on what another feed is about to bring, and keeps the rest.
func (c *Consumer) take(ctx context.Context, entries []Entry) error {
	failpoint.Hit("consumer.read.after")
	at, stored, ignored, unsaved := c.at, c.stored, c.ignored, c.unsaved
	var pending []*store.Pending
	var spans []*telemetry.Span // of the pending changes, where they are exported
	var group []reading         // of the next change
	flush := func() {
		if len(group) == 0 {
			return
		}
		if c.spans != nil {
			spans = append(spans, c.begin(ctx, group[len(group)-1].fact))
		}
		pending = append(pending, c.submit(ctx, stored, group))
		stored, group = group[len(group)-1].to, nil
	}
	fail := error(nil) // what is wrong with the feed; the facts before it still count
	var ahead []Entry
	deferring := len(c.deferred.stretches) > 0 // then later ones of the same keys are, too
reading:
	for n, e := range entries {
		head, err := c.check(e, at)
		if err != nil {
			fail = err
			break
		}
		next := cursor{pos: store.PositionOf(head.Position), hash: e.Hash, line: at.line}
		unsaved++
		if head.Fork != nil && !at.line.Has(head.Fork.GetEpoch()) {
			next.line = append(slices.Clip(at.line), store.ForkOf(head.Fork))
			unsaved += saveEvery // where the next restore forks must be told from this one
		}
		for i, f := range head.Facts {
			if i < int(at.facts) {
				continue
			}
			to := cursor{pos: at.pos, hash: at.hash, facts: uint32(i + 1), line: at.line}
			if i == len(head.Facts)-1 {
				to = next
			}
			var fact Fact
			var keys []string
			if len(c.c.Types) == 0 || slices.Contains(c.c.Types, f.GetType()) {
				fact = newFact(head, e.Hash, i, f)
				keys = c.keys(&fact)
			}
			if len(keys) == 0 {
				ignored++
			} else {
				behind, why := c.followers.behind(head.After)
				if c.holds(behind) {
					ahead, c.held.after = entries[n:], positions(head.After)
					break reading
				}
				deferring = deferring || why != ""
				group = append(group, reading{fact, keys, to, ignored, why})
				if ignored, unsaved = 0, 0; !c.c.Together || len(group) == joined {
					flush()
				}
			}
			at = to
		}
		at = next
	}
	flush()
	// A service that is started again and again must not read the same way anew each time while a fact waits for its end.
	if unsaved >= saveEvery || unsaved > 0 && c.followers.await(c.c.Log, stored.pos) {
		pending = append(pending, c.save(ctx, stored, at, ignored))
		stored, ignored, unsaved = at, 0, 0
	}
	// All are waited for, also after the first that failed: a Step leaves nothing under way.
	var refused error
	for i, p := range pending {
		_, err := p.Wait(ctx)
		if err != nil && refused == nil {
			refused = err
		}
		if i < len(spans) {
			spans[i].End(rpcerr.Reason(err))
		}
	}
	failpoint.Hit("consumer.apply.after")
	if refused != nil {
		return refused
	}
	c.stored, c.unsaved, c.ahead = stored, unsaved, ahead
	c.deferred.all = c.deferred.all && !deferring
	c.mu.Lock()
	c.at, c.ignored, c.holding = at, ignored, len(ahead) > 0
	c.mu.Unlock()
	return fail
}

// begin begins the span of taking up a fact: it belongs to the trace of the change that told it.
func (c *Consumer) begin(ctx context.Context, f Fact) *telemetry.Span {
	told := f.trace()
	if told == (telemetry.Trace{}) {
		return nil // of before anybody's call
	}
	own, err := told.Child(rand.Reader)
	if err != nil {
		return nil
	}
	return c.spans.Begin(ctx, telemetry.SpanConsumer, "take up "+f.Type, own, told, telemetry.Link{Trace: told, Log: c.c.Log, Sequence: f.Position.Sequence})
}

// keys asks the service what a fact touches. When that panics the fact is parked, under its subject.
func (c *Consumer) keys(f *Fact) (keys []string) {
	defer func() {
		if p := recover(); p != nil {
			c.c.Logger.Error("keys panicked", telemetry.KeyLog, c.c.Log, telemetry.KeyType, f.Type, telemetry.KeyTraceID, f.trace().ID(), "panic", p, "stack", string(debug.Stack()))
			keys, f.fault = []string{f.Subject}, fmt.Errorf("keys panicked: %v", p)
		}
	}()
	return c.c.Keys(*f)
}

// check refuses an entry that does not follow the one at the cursor.
func (c *Consumer) check(e Entry, at cursor) (*eventlogv1.Head, error) {
	if err := checkHash(e); err != nil {
		return nil, err
	}
	head := &eventlogv1.Head{}
	if err := proto.Unmarshal(e.Head, head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBrokenFeed, err)
	}
	pos := store.PositionOf(head.Position)
	fork := store.ForkOf(head.Fork)
	switch {
	case pos.Log != c.c.Log || pos.Sequence != at.pos.Sequence+1,
		head.Fork == nil && at.pos.Sequence > 0 && pos.Epoch != at.pos.Epoch,
		head.Fork != nil && (pos.Epoch != fork.Epoch || at.pos.Sequence > 0 && fork.After != at.pos || !bytes.Equal(fork.Hash, at.hash)):
		return nil, fmt.Errorf("%w: entry %v follows %v", ErrBrokenFeed, pos, at.pos)
	case head.Fork != nil && at.facts > 0:
		return nil, errPartlyRead
	}
	if !bytes.Equal(head.PreviousHash, at.hash) {
		return nil, fmt.Errorf("%w: entry %v names another entry before it than the one that was read", ErrBrokenFeed, pos)
	}
	return head, nil
}

// errStale refuses a change whose predecessor was refused: the cursor is not where it should be.
var errStale = errors.New("consumer: the fact before was not read")

// reading is a fact as it is read.
type reading struct {
	fact    Fact
	keys    []string
	to      cursor // after it
	ignored uint64 // facts before it, since the last that was not
	behind  string // which feed it waits for, if any
}

// submit queues the change that reads facts, together with the ignored ones before each.
func (c *Consumer) submit(ctx context.Context, from cursor, group []reading) *store.Pending {
	last := group[len(group)-1]
	cause, ignored := last.fact.Cause(), last.ignored
	for _, r := range group[:len(group)-1] {
		cause.After = origin.MergeAfter(cause.After, r.fact.Cause().After)
		ignored += r.ignored
	}
	return c.c.Store.Submit(ctx, cause, func(tx *store.Tx) ([]byte, error) {
		return nil, c.advance(ctx, tx, from, last.to, ignored, func(rec *storagev1.ConsumerRecord) error {
			for _, r := range group {
				rec.Read++
				if err := c.place(ctx, tx, rec, r.fact, r.keys, r.behind); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// save writes the cursor for ignored facts alone.
func (c *Consumer) save(ctx context.Context, from, to cursor, ignored uint64) *store.Pending {
	cause := store.Cause{Principal: "service/" + c.c.Store.Service(), Method: "consumers/" + c.c.Log}
	return c.c.Store.Submit(ctx, cause, func(tx *store.Tx) ([]byte, error) {
		return nil, c.advance(ctx, tx, from, to, ignored, func(*storagev1.ConsumerRecord) error { return nil })
	})
}

// advance moves the stored cursor and counts.
func (c *Consumer) advance(ctx context.Context, tx *store.Tx, from, to cursor, ignored uint64, count func(*storagev1.ConsumerRecord) error) error {
	rec, err := c.record(ctx, tx)
	if err != nil {
		return err
	}
	if !cursorOf(rec).equal(from) {
		return errStale
	}
	rec.Position, rec.Hash, rec.FactsRead, rec.Forks = store.PositionProto(to.pos), to.hash, to.facts, store.LineProto(to.line)
	rec.Read += ignored
	rec.Ignored += ignored
	if err := count(rec); err != nil {
		return err
	}
	return store.PutProto(ctx, tx, store.Consumers, []byte(c.c.Log), rec)
}

// place applies a fact, or puts it where it waits, and counts it there. behind says which feed it waits for, if any.
func (c *Consumer) place(ctx context.Context, tx *store.Tx, rec *storagev1.ConsumerRecord, f Fact, keys []string, behind string) error {
	var b *store.Bucket
	var key []byte
	if rec.Deferred+rec.Parked > 0 {
		var err error
		if b, key, err = store.FirstWaiting(ctx, tx, c.c.Log, keys, f.Position.Sequence, uint32(f.Index)); err != nil {
			return err
		}
	}
	var reason string
	first := false // of its keys
	switch {
	case b != nil:
		reason = "waits for " + nameOfKey(key)
	case behind != "":
		b, reason = store.DeferredFacts, behind
	default:
		err := c.apply(ctx, tx, f)
		switch {
		case err == nil:
			rec.Applied++
			return nil
		case errors.Is(err, ErrIgnored):
			rec.Ignored++
			return nil
		case isTransient(err):
			return err
		}
		b, reason, first = store.ParkedFacts, err.Error(), true
		c.c.Logger.WarnContext(ctx, "fact parked", telemetry.KeyLog, c.c.Log, telemetry.KeySequence, f.Position.Sequence, telemetry.KeyType, f.Type,
			telemetry.KeySubject, f.Subject, telemetry.KeyTraceID, f.trace().ID(), telemetry.KeyError, err)
	}
	if b == store.ParkedFacts {
		rec.Parked++
	} else {
		rec.Deferred++
	}
	w := f.waiting(keys, reason)
	if first {
		if err := c.tellParked(tx, w); err != nil {
			return err
		}
	}
	return store.PutWaiting(ctx, tx, b, w)
}

// apply calls Apply and takes its writes back when it fails. What says nothing about the fact counts as transient.
func (c *Consumer) apply(ctx context.Context, tx *store.Tx, f Fact) error {
	cause := f.Cause()
	fctx := origin.With(ctx, origin.Origin{Principal: origin.Principal{Kind: origin.Service, Name: c.c.Store.Service()},
		Method: "consumers/" + c.c.Log, Actor: cause.Actor, Traceparent: cause.Traceparent, After: cause.After})
	err := tx.Try(func(tx *store.Tx) (err error) {
		defer func() {
			if p := recover(); p != nil {
				c.c.Logger.ErrorContext(ctx, "apply panicked", telemetry.KeyLog, c.c.Log, telemetry.KeyType, f.Type, telemetry.KeyTraceID, f.trace().ID(), "panic", p, "stack", string(debug.Stack()))
				err = fmt.Errorf("panic: %v", p)
			}
		}()
		if f.fault != nil {
			return f.fault
		}
		if f.OccurTime().Unix() != 0 {
			tx.OccurAt(f.OccurTime())
		}
		return c.c.Apply(fctx, tx, f)
	})
	// Nothing of the fact is wrong where a number series is fenced: it waits for a person, and the rest of its log with it.
	if _, corrupt := errors.AsType[*store.CorruptError](err); corrupt || err != nil && ctx.Err() != nil || errors.Is(err, store.ErrFenced) {
		return Transient(err)
	}
	return err
}

// errNotYet refuses to place a fact that still waits.
var errNotYet = errors.New("consumer: the fact still waits")

// again takes a waiting fact out of its bucket and places it anew, unless an earlier one that it waits for is in the same bucket.
func (c *Consumer) again(ctx context.Context, b *store.Bucket, key []byte) func(tx *store.Tx) ([]byte, error) {
	return func(tx *store.Tx) ([]byte, error) {
		rec, err := c.record(ctx, tx)
		if err != nil {
			return nil, err
		}
		if err := c.replace(ctx, tx, rec, b, key); err != nil {
			return nil, err
		}
		return nil, store.PutProto(ctx, tx, store.Consumers, []byte(c.c.Log), rec)
	}
}

// replace is again, within a change that writes the record.
func (c *Consumer) replace(ctx context.Context, tx *store.Tx, rec *storagev1.ConsumerRecord, b *store.Bucket, key []byte) error {
	w := &storagev1.WaitingFact{}
	if err := store.GetProto(ctx, tx, b, key, w); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return errNotYet // placed elsewhere meanwhile
		}
		return err
	}
	first, _, err := store.FirstWaiting(ctx, tx, c.c.Log, w.Keys, w.GetHead().GetPosition().GetSequence(), w.Index)
	if err != nil {
		return err
	}
	if first == b {
		return errNotYet
	}
	if b == store.ParkedFacts {
		rec.Parked--
	} else {
		rec.Deferred--
	}
	if err := c.unwait(ctx, tx, b, w, false); err != nil {
		return err
	}
	if err := c.place(ctx, tx, rec, fromWaiting(w), w.Keys, ""); err != nil || !w.Told {
		return err
	}
	// Where it is parked for the same reason nothing has happened, and nobody is to hear of anything.
	now := &storagev1.WaitingFact{}
	if err := store.GetProto(ctx, tx, b, key, now); errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	if now.Reason == w.Reason {
		return errNotYet
	}
	return nil
}

// StillParkedError says why a retried fact stays parked. Nothing was changed.
type StillParkedError struct{ Reason string }

// Error is the reason in words.
func (e *StillParkedError) Error() string { return "fact stays parked: " + e.Reason }

// Retry applies a parked fact again: its effect and the removal of its row are one commit. Its later siblings follow in order,
// each in a commit of its own, until one of them stays parked. name is the fact's resource name or the last part of it. cause is the
// request that asked for it. store.ErrNotFound when no such fact is parked, *StillParkedError when it still cannot be applied.
func (c *Consumer) Retry(ctx context.Context, cause store.Cause, name string) error {
	c.step.Lock()
	defer c.step.Unlock()
	c.deferred = deferred{} // siblings of the fact may be among them afterwards
	sequence, index, err := parseWaitingName(name[strings.LastIndexByte(name, '/')+1:])
	if err != nil {
		return err
	}
	key := store.WaitingKey(c.c.Log, sequence, index)
	w := &storagev1.WaitingFact{}
	first := func(tx *store.Tx) ([]byte, error) {
		if err := store.GetProto(ctx, tx, store.ParkedFacts, key, w); err != nil {
			return nil, err
		}
		if _, err := c.again(ctx, store.ParkedFacts, key)(tx); err != nil {
			if errors.Is(err, errNotYet) {
				return nil, &StillParkedError{w.Reason}
			}
			return nil, err
		}
		now := &storagev1.WaitingFact{}
		switch err := store.GetProto(ctx, tx, store.ParkedFacts, key, now); {
		case errors.Is(err, store.ErrNotFound):
			return proto.Marshal(&storagev1.WaitingFact{Keys: w.Keys})
		case err != nil:
			return nil, err
		}
		return nil, &StillParkedError{now.Reason}
	}
	out, err := c.c.Store.Change(ctx, c.retryCause(ctx, cause, key), first)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(out.Answer, w); err != nil { // a repeat has not read the row
		return err
	}
	return c.retrySiblings(ctx, cause, key, w.Keys)
}

// retryCause names both the fact and the request to try it again.
func (c *Consumer) retryCause(ctx context.Context, cause store.Cause, key []byte) store.Cause {
	w := &storagev1.WaitingFact{}
	err := c.c.Store.View(ctx, func(r store.Reader) error { return store.GetProto(ctx, r, store.ParkedFacts, key, w) })
	if err != nil {
		return cause // a repeat, or a name that does not exist
	}
	both := fromWaiting(w).Cause()
	both.Principal, both.Method, both.RequestID, both.Fingerprint = cause.Principal, cause.Method, cause.RequestID, cause.Fingerprint
	both.After = origin.MergeAfter(both.After, cause.After)
	return both
}

func (c *Consumer) retrySiblings(ctx context.Context, cause store.Cause, after []byte, keys []string) error {
	freed := map[string]bool{}
	for _, k := range keys {
		freed[k] = true
	}
	rg := store.Prefix(store.Key(c.c.Log))
	rg.From, rg.Limit = append(slices.Clone(after), 0), releaseBatch
	for {
		var rows []store.KV
		err := c.c.Store.View(ctx, func(r store.Reader) (err error) {
			rows, err = r.Scan(ctx, store.ParkedFacts, rg)
			return err
		})
		if err != nil {
			return err
		}
		for _, row := range rows {
			w := &storagev1.WaitingFact{}
			if err := proto.Unmarshal(row.Value, w); err != nil {
				return err
			}
			if !slices.ContainsFunc(w.Keys, func(k string) bool { return freed[k] }) {
				continue
			}
			sibling := fromWaiting(w).Cause()
			sibling.Principal, sibling.Method = cause.Principal, cause.Method
			_, err := c.c.Store.Change(ctx, sibling, c.again(ctx, store.ParkedFacts, row.Key))
			if err != nil && !errors.Is(err, errNotYet) {
				return err
			}
			for _, k := range w.Keys {
				freed[k] = true
			}
		}
		if len(rows) < releaseBatch {
			return nil
		}
		rg.From = append(rows[len(rows)-1].Key, 0)
	}
}

// Status is the stored record, with the facts that were ignored since.
func (c *Consumer) Status(ctx context.Context) (*eventlogv1.Consumer, error) {
	c.mu.Lock()
	at, ignored, fork := c.at.pos, c.ignored, c.fork
	c.mu.Unlock()
	var rec *storagev1.ConsumerRecord
	err := c.c.Store.View(ctx, func(r store.Reader) (err error) {
		rec, err = c.record(ctx, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	if pos := store.PositionOf(rec.Position); pos.Log == at.Log && !pos.Before(at) || at.Log == "" {
		at, ignored = pos, 0
	}
	out := &eventlogv1.Consumer{Name: "consumers/" + c.c.Log, Log: c.c.Log, Cursor: store.PositionProto(at), Read: rec.Read + ignored,
		Applied: rec.Applied, Ignored: rec.Ignored + ignored, Deferred: rec.Deferred, Parked: rec.Parked, Decisions: rec.Decisions}
	if fork != nil {
		out.Fork, out.Orphans = store.ForkProto(fork.Fork), fork.Orphans+fork.Waiting
	}
	if err := c.Err(); err != nil {
		out.Error = err.Error()
	}
	return out, nil
}

func parseWaitingName(id string) (sequence uint64, index uint32, err error) {
	a, b, ok := strings.Cut(id, "-")
	s, err1 := strconv.ParseUint(a, 16, 64)
	i, err2 := strconv.ParseUint(b, 16, 32)
	if !ok || err1 != nil || err2 != nil || waitingName(s, uint32(i)) != id {
		return 0, 0, fmt.Errorf("parked fact %q: %w", id, store.ErrNotFound)
	}
	return s, uint32(i), nil
}

// nameOfKey names the fact with this key of a waiting bucket.
func nameOfKey(key []byte) string {
	log, sequence, index, ok := store.ParseWaitingKey(key)
	if !ok {
		return "an earlier fact"
	}
	return "consumers/" + log + "/parkedFacts/" + waitingName(sequence, index)
}
