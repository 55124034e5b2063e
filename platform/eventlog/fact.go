// Package eventlog serves a service's log to the others, and reads theirs.
//
// A Server answers EventLogService from a store. A Consumer follows one log through a Source and turns its facts into changes
// of its own store. It promises:
//
//   - A fact takes effect once, although it may be read many times: the cursor is committed with the effect.
//   - Facts that touch a common key take effect in the order of their log.
//   - A fact whose causal past lies on another followed log, further than this service has read it, is deferred until it has.
//   - A fact that cannot be applied is parked with its later siblings of the same keys, and the others go on. The service's own log
//     tells of it (FactParked), and when it is parked no more (FactReleased).
//   - Facts read = applied + ignored + deferred + parked, in every committed state.
//   - When the log's store was restored to before what was read, the consumer stops where its service has acted on what is no more, and
//     says on what.
//   - Facts that do not concern the service leave no entry of their own, so two services that follow each other come to rest.
//
// Left to others: what a fact means (the service's Apply), and when to step (package step).
package eventlog

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/telemetry"
)

// Position is a place in a log.
type Position = store.Position

// Fact is a public event as a consumer sees it.
type Fact struct {
	Position Position // of its entry
	Index    int      // in the entry
	Type     string
	Subject  string
	Related  []string
	// Payload is the event message; the *anypb.Any itself when this program does not know its type; nil when there is none.
	Payload proto.Message
	// Head is that of the entry. Its facts may be this one alone.
	Head *eventlogv1.Head
	Hash []byte // of the entry

	fault error // why it must be parked without being applied; nil for nearly all
}

// OccurTime is when it happened in the world, UTC.
func (f Fact) OccurTime() time.Time { return f.Head.GetOccurTime().AsTime() }

// ReceiveTime is when the suite heard of it, UTC.
func (f Fact) ReceiveTime() time.Time { return f.Head.GetReceiveTime().AsTime() }

// Cause is the cause of a change that this fact leads to: the actor and the trace go on, and its causal past is that of the
// fact and the fact itself.
func (f Fact) Cause() store.Cause {
	var after []Position
	for _, p := range f.Head.GetAfter() {
		after = append(after, store.PositionOf(p))
	}
	return store.Cause{
		Fact:  &store.FactRef{Position: f.Position, Hash: f.Hash, Index: f.Index},
		Actor: f.Head.GetActor(), Traceparent: f.Head.GetTraceparent(),
		After:       origin.MergeAfter(after, []Position{f.Position}),
		ReceiveTime: f.ReceiveTime(),
	}
}

// trace is that of the change which told the fact, the zero Trace for none.
func (f Fact) trace() telemetry.Trace {
	t, _ := telemetry.ParseTrace(f.Head.GetTraceparent())
	return t
}

func newFact(head *eventlogv1.Head, hash []byte, index int, f *eventlogv1.Fact) Fact {
	fact := Fact{Position: store.PositionOf(head.GetPosition()), Index: index, Type: f.GetType(), Subject: f.GetSubject(),
		Related: f.GetRelated(), Head: head, Hash: hash}
	if f.GetPayload() != nil {
		fact.Payload = f.GetPayload()
		if m, err := f.GetPayload().UnmarshalNew(); err == nil {
			fact.Payload = m
		}
	}
	return fact
}

// waiting is the record of a fact that waits, and fromWaiting its opposite.
func (f Fact) waiting(keys []string, reason string) *storagev1.WaitingFact {
	head := f.Head
	if len(head.Facts) > 1 {
		head = proto.Clone(head).(*eventlogv1.Head)
		head.Facts = []*eventlogv1.Fact{head.Facts[f.Index]}
	}
	return &storagev1.WaitingFact{Head: head, Hash: f.Hash, Index: uint32(f.Index), Keys: keys, Reason: reason}
}

func fromWaiting(w *storagev1.WaitingFact) Fact {
	var f *eventlogv1.Fact
	if facts := w.GetHead().GetFacts(); len(facts) == 1 {
		f = facts[0]
	}
	return newFact(w.GetHead(), w.GetHash(), int(w.GetIndex()), f)
}

// waitingName is the id of a waiting fact in its resource name: "000000000000002a-0000".
func waitingName(sequence uint64, index uint32) string {
	return fmt.Sprintf("%016x-%04x", sequence, index)
}

// ErrIgnored is what Apply returns for a fact that turns out not to concern the service.
var ErrIgnored = errors.New("fact does not concern this service")

type transient struct{ error }

func (t transient) Unwrap() error { return t.error }

// Transient marks an error that has nothing to do with the fact: the consumer stops there and tries again later.
func Transient(err error) error { return transient{err} }

func isTransient(err error) bool {
	_, ok := errors.AsType[transient](err)
	return ok
}
