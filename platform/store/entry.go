package store

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/origin"
)

// Position is a place in a log.
type Position = origin.Position

// PositionProto returns the message of p.
func PositionProto(p Position) *eventlogv1.Position {
	return &eventlogv1.Position{Log: p.Log, Epoch: p.Epoch, Sequence: p.Sequence}
}

// PositionOf returns the position in a message; the zero Position for nil.
func PositionOf(p *eventlogv1.Position) Position {
	return Position{Log: p.GetLog(), Epoch: p.GetEpoch(), Sequence: p.GetSequence()}
}

// FactRef names a fact of another log.
type FactRef struct {
	Position Position
	Hash     []byte // of the entry
	Index    int
}

// Cause is why a change happens: a caller's request or a fact of another log.
type Cause struct {
	Principal string
	Method    string
	// RequestID makes the change happen once: a repeat within the next 7 days (business days of apply time) gets the first
	// answer. Empty when the change guards itself against repeats, as a consumer does with its cursor.
	RequestID   string
	Fingerprint []byte // SHA-256 of the arguments
	Fact        *FactRef
	Actor       string // principal at the beginning of the chain of causes; empty is Principal
	Traceparent string
	After       []Position // causal past
	ReceiveTime time.Time  // when the suite heard of it; zero is the time of the commit
}

// tip is the end of the log.
type tip struct {
	epoch     uint64
	sequence  uint64
	hash      []byte
	applyTime time.Time
}

// entry is one change as it is written and replayed.
type entry struct {
	head   *eventlogv1.Head
	hash   []byte // SHA-256 of the head's stored bytes
	writes []logWrite
	answer []byte
	stored []byte // the value in the log bucket; nil when it was read
}

// logWrite is a write as the log has it.
type logWrite struct {
	bucket, key []byte
	value       []byte // the stored value, or its hash when it is personal; nil deletes
	hashed      bool
	stored      []byte // what the bucket gets: on replay it is value, since the log has no more of a personal record
}

var (
	deterministic = proto.MarshalOptions{Deterministic: true}
	// sized is for a message whose size was asked for just before.
	sized = proto.MarshalOptions{Deterministic: true, UseCachedSize: true}
)

// newEntry makes the entry that follows last. now is business time; a clock that stands still or steps back does not take
// the log with it.
func newEntry(cat *catalogue, last tip, now time.Time, c Cause, t *Tx, answer []byte, random io.Reader) (*entry, error) {
	e := &entry{answer: answer}
	slices.SortFunc(t.writes, func(a, b written) int { return cmp.Compare(a.bucket.Name, b.bucket.Name) })
	rows := 0
	for _, w := range t.writes {
		rows += len(w.rows)
	}
	e.writes = make([]logWrite, 0, rows)
	for _, w := range t.writes {
		if w.bucket.Kind == Derived {
			continue
		}
		name := cat.byName[w.bucket.Name].name
		for _, row := range w.rows {
			lw, err := newLogWrite(cat, w.bucket, name, row, random)
			if err != nil {
				return nil, err
			}
			e.writes = append(e.writes, lw)
		}
	}

	apply := now.UTC()
	if apply.Before(last.applyTime) {
		apply = last.applyTime
	}
	receive, occur := c.ReceiveTime, t.occur
	if receive.IsZero() {
		receive = apply
	}
	if occur.IsZero() {
		occur = receive
	}
	e.head = &eventlogv1.Head{
		Position:     &eventlogv1.Position{Log: cat.Service, Epoch: last.epoch, Sequence: last.sequence + 1},
		PreviousHash: last.hash,
		Actor:        cmp.Or(c.Actor, c.Principal),
		Cause: &eventlogv1.Cause{Principal: c.Principal, Method: c.Method, RequestId: c.RequestID,
			Fingerprint: c.Fingerprint},
		Traceparent: c.Traceparent,
		OccurTime:   timestamppb.New(occur),
		ReceiveTime: timestamppb.New(receive),
		ApplyTime:   timestamppb.New(apply),
		Facts:       t.facts,
	}
	if t.fork != 0 {
		e.head.Position.Epoch = t.fork
		e.head.Fork = ForkProto(last.fork(cat.Service, t.fork))
	}
	if c.Fact != nil {
		e.head.Cause.Fact, e.head.Cause.FactHash = PositionProto(c.Fact.Position), c.Fact.Hash
		e.head.Cause.FactIndex = uint32(c.Fact.Index)
	}
	for _, p := range origin.MergeAfter(c.After, nil) {
		if p.Log != cat.Service { // one's own past is the log itself
			e.head.After = append(e.head.After, PositionProto(p))
		}
	}
	return e, e.marshal()
}

func newLogWrite(cat *catalogue, b *Bucket, name []byte, row write, random io.Reader) (logWrite, error) {
	lw := logWrite{bucket: name, key: row.key, value: row.stored, stored: row.stored}
	if row.stored == nil {
		return lw, nil
	}
	if b.Kind == Personal {
		if _, err := io.ReadFull(random, row.stored[envelopeSize:before(b)]); err != nil {
			return lw, fmt.Errorf("salt: %w", err)
		}
	}
	sealInPlace(b.Name, row.key, cat.Version, row.stored)
	if b.Kind == Personal {
		sum := sha256.Sum256(row.stored)
		lw.value, lw.hashed = sum[:], true
	}
	return lw, nil
}

// follows checks that e, found under key, comes directly after last.
func (e *entry) follows(service string, key []byte, last tip) error {
	want := Position{Log: service, Epoch: last.epoch, Sequence: last.sequence + 1}
	if f := e.head.Fork; f != nil {
		want.Epoch = f.GetEpoch()
		if named := last.fork(service, want.Epoch); want.Epoch <= last.epoch || !ForkOf(f).equal(named) {
			return fmt.Errorf("begins epoch %d after %v with hash %x, the entry before is %v with hash %x", want.Epoch, PositionOf(f.After), f.Hash,
				named.After, named.Hash)
		}
	}
	switch got := PositionOf(e.head.Position); {
	case !bytes.Equal(key, Key(want.Sequence)) || got != want:
		return fmt.Errorf("stands at key %x as position %v, expected %v", key, got, want)
	case !bytes.Equal(e.head.PreviousHash, last.hash):
		return fmt.Errorf("previous hash is %x, the entry before has %x", e.head.PreviousHash, last.hash)
	case e.head.ApplyTime.AsTime().Before(last.applyTime):
		return fmt.Errorf("apply time %v is before that of the entry before, %v", e.head.ApplyTime.AsTime(), last.applyTime)
	}
	return nil
}

// tip is the end of the log after e.
func (e *entry) tip() tip {
	return tip{e.head.Position.GetEpoch(), e.head.Position.GetSequence(), e.hash, e.head.ApplyTime.AsTime()}
}

// fork is the one with which an epoch begins after t.
func (t tip) fork(service string, epoch uint64) Fork {
	return Fork{Epoch: epoch, After: Position{Log: service, Epoch: t.epoch, Sequence: t.sequence}, Hash: t.hash}
}

// apply writes e and its records into the file.
func (e *entry) apply(btx *bbolt.Tx) error {
	log := btx.Bucket([]byte(logBucket))
	log.FillPercent = appendFill
	if err := log.Put(Key(e.head.Position.GetSequence()), e.stored); err != nil {
		return err
	}
	return e.applyWrites(btx)
}

// applyWrites writes the records of e. A running store and a replay do exactly this.
func (e *entry) applyWrites(btx *bbolt.Tx) error {
	for _, w := range e.writes {
		b := btx.Bucket(w.bucket)
		if b == nil {
			return fmt.Errorf("bucket %s is missing", w.bucket)
		}
		b.FillPercent = appendFill
		err := error(nil)
		if w.value == nil {
			err = b.Delete(w.key)
		} else {
			err = b.Put(w.key, w.stored)
		}
		if err != nil {
			return fmt.Errorf("bucket %s key %s: %w", w.bucket, printable(w.key), err)
		}
	}
	return nil
}

// answerAt returns the answer that the entry gave.
func answerAt(btx *bbolt.Tx, sequence uint64) ([]byte, error) {
	e, err := entryAt(btx, sequence)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(e.answer), nil
}
