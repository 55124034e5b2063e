package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/origin"
)

// This file declares what the platform itself keeps in every store. How consumers and tasks behave is in packages eventlog
// and tasks; their records stand here because Verify has to know them without knowing those packages.

var (
	// Consumers holds a ConsumerRecord for each followed log, by its name.
	Consumers = &Bucket{Name: "consumers", Kind: Record, Doc: "log → ConsumerRecord"}
	// DeferredFacts holds facts that wait for another feed.
	DeferredFacts = &Bucket{Name: "deferred_facts", Kind: Record, Doc: "log, sequence, index → WaitingFact"}
	// ParkedFacts holds facts that could not be applied, and their later siblings.
	ParkedFacts = &Bucket{Name: "parked_facts", Kind: Record, Doc: "log, sequence, index → WaitingFact"}
	// waitingKeys leads from the keys of a consumer to the facts that wait on them.
	waitingKeys = &Bucket{Name: "waiting_keys", Kind: Derived, Doc: "log, key, sequence, index → name of the bucket that holds the fact"}

	// Tasks holds a TaskRecord for each task that is not done, by its id.
	Tasks = &Bucket{Name: "tasks", Kind: Record, Doc: "id → TaskRecord"}
	// taskQueue puts tasks in the order in which they are looked at.
	taskQueue = &Bucket{Name: "task_queue", Kind: Derived, Doc: "timed or not, due time, number → QueuedTask"}
	// counters holds number series of the platform, and what a restore fences.
	counters = &Bucket{Name: "counters", Kind: Record, Doc: "name → last number given, 8 bytes; fence → FenceRecord; series/, series → SeriesFenceRecord"}
)

var platformBuckets = []*Bucket{Consumers, DeferredFacts, ParkedFacts, waitingKeys, Tasks, taskQueue, counters}

var platformInvariants = []Invariant{{"I2 consumers", checkConsumers}}

// WaitingKey is the key of a fact in DeferredFacts and ParkedFacts.
func WaitingKey(log string, sequence uint64, index uint32) []byte { return Key(log, sequence, index) }

// PutWaiting writes a deferred or parked fact.
func PutWaiting(ctx context.Context, tx *Tx, b *Bucket, f *storagev1.WaitingFact) error {
	p := f.Head.GetPosition()
	for _, key := range f.Keys {
		if err := tx.Put(ctx, waitingKeys, Key(p.GetLog(), key, p.GetSequence(), f.Index), []byte(b.Name)); err != nil {
			return err
		}
	}
	return PutProto(ctx, tx, b, WaitingKey(p.GetLog(), p.GetSequence(), f.Index), f)
}

// DeleteWaiting removes a deferred or parked fact.
func DeleteWaiting(ctx context.Context, tx *Tx, b *Bucket, f *storagev1.WaitingFact) error {
	p := f.Head.GetPosition()
	for _, key := range f.Keys {
		if err := tx.Delete(ctx, waitingKeys, Key(p.GetLog(), key, p.GetSequence(), f.Index)); err != nil {
			return err
		}
	}
	return tx.Delete(ctx, b, WaitingKey(p.GetLog(), p.GetSequence(), f.Index))
}

// FirstWaiting returns the bucket and key of the earliest fact before (sequence, index) that waits on one of the keys; nil
// when there is none. A parked one goes before a deferred one, since it will wait for longer.
func FirstWaiting(ctx context.Context, r Reader, log string, keys []string, sequence uint64, index uint32) (b *Bucket, key []byte, err error) {
	for _, k := range keys {
		prefix := Key(log, k)
		rg := Range{From: prefix, To: Key(log, k, sequence, index), Limit: maxScan}
		for {
			rows, err := r.Scan(ctx, waitingKeys, rg)
			if err != nil {
				return nil, nil, err
			}
			for _, row := range rows {
				found := DeferredFacts
				if string(row.Value) == ParkedFacts.Name {
					found = ParkedFacts
				}
				if b == nil || found == ParkedFacts && b != ParkedFacts {
					b, key = found, slices.Concat(Key(log), row.Key[len(prefix):])
				}
				if b == ParkedFacts {
					return b, key, nil
				}
			}
			if len(rows) < maxScan {
				break
			}
			rg.From = append(rows[len(rows)-1].Key, 0)
		}
	}
	return b, key, nil
}

// checkConsumers is I2: facts read = applied + ignored + deferred + parked, and the waiting ones are there.
func checkConsumers(ctx context.Context, r Reader) ([]string, error) {
	var breaches []string
	counted := map[*Bucket]map[string]uint64{DeferredFacts: {}, ParkedFacts: {}}
	for b, byLog := range counted {
		err := Each(ctx, r, b, nil, func(kv KV) error {
			var f storagev1.WaitingFact
			if err := unmarshal(b, kv.Key, kv.Value, &f); err != nil {
				return err
			}
			byLog[f.Head.GetPosition().GetLog()]++
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	err := Each(ctx, r, Consumers, nil, func(kv KV) error {
		var c storagev1.ConsumerRecord
		if err := unmarshal(Consumers, kv.Key, kv.Value, &c); err != nil {
			return err
		}
		log := string(kv.Key)
		if sum := c.Applied + c.Ignored + c.Deferred + c.Parked; c.Read != sum {
			breaches = append(breaches, fmt.Sprintf("consumer %s: read %d, but applied %d + ignored %d + deferred %d + parked %d = %d",
				log, c.Read, c.Applied, c.Ignored, c.Deferred, c.Parked, sum))
		}
		if n := counted[DeferredFacts][log]; n != c.Deferred {
			breaches = append(breaches, fmt.Sprintf("consumer %s: counts %d deferred facts, %d are stored", log, c.Deferred, n))
		}
		if n := counted[ParkedFacts][log]; n != c.Parked {
			breaches = append(breaches, fmt.Sprintf("consumer %s: counts %d parked facts, %d are stored", log, c.Parked, n))
		}
		delete(counted[DeferredFacts], log)
		delete(counted[ParkedFacts], log)
		return nil
	})
	for b, byLog := range counted {
		for log := range byLog {
			breaches = append(breaches, fmt.Sprintf("bucket %s: facts of log %s, which no consumer reads", b.Name, log))
		}
	}
	return breaches, err
}

// QueuedTask is a task as the queue shows it.
type QueuedTask struct {
	ID      string
	Number  uint64
	Subject string
	InDoubt bool
}

// PutTask writes a task. A new one, which has no number yet, gets the next one, and the entry that it stands in becomes part
// of its causal past. Of one that had stopped and is pending again, readers of the log hear.
func PutTask(ctx context.Context, tx *Tx, id string, t *storagev1.TaskRecord) error {
	fenced := false
	if t.Number == 0 {
		var err error
		if fenced, err = fenceTask(ctx, tx, t); err != nil {
			return err
		}
		key := []byte(Tasks.Name)
		last, err := tx.Get(ctx, counters, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if len(last) == 8 {
			t.Number = binary.BigEndian.Uint64(last)
		}
		t.Number++
		past := []Position{tx.at}
		for _, p := range t.After {
			past = append(past, PositionOf(p))
		}
		t.After = nil
		for _, p := range origin.MergeAfter(past, nil) {
			t.After = append(t.After, PositionProto(p))
		}
		if err := tx.Put(ctx, counters, key, binary.BigEndian.AppendUint64(nil, t.Number)); err != nil {
			return err
		}
	}
	switch {
	case fenced:
		if err := tellStopped(tx, id, t); err != nil {
			return err
		}
	case t.Told && t.State == eventlogv1.Task_PENDING:
		t.Told = false
		if err := tellTask(tx, id, t, &eventlogv1.TaskReleased{Task: taskOf(id, t)}); err != nil {
			return err
		}
	}
	key, value := queueRow(id, t)
	var err error
	if value == nil {
		err = tx.Delete(ctx, taskQueue, key)
	} else {
		err = tx.Put(ctx, taskQueue, key, value)
	}
	if err != nil {
		return err
	}
	return PutProto(ctx, tx, Tasks, []byte(id), t)
}

// StopTask writes a task that has failed or is in doubt, and tells the readers of the log that it waits for a person.
func StopTask(ctx context.Context, tx *Tx, id string, t *storagev1.TaskRecord) error {
	if err := tellStopped(tx, id, t); err != nil {
		return err
	}
	return PutTask(ctx, tx, id, t)
}

// DeleteTask removes a task.
func DeleteTask(ctx context.Context, tx *Tx, id string, t *storagev1.TaskRecord) error {
	if t.Told {
		if err := tellTask(tx, id, t, &eventlogv1.TaskReleased{Task: taskOf(id, t), Dropped: true}); err != nil {
			return err
		}
	}
	key, _ := queueRow(id, t)
	if err := tx.Delete(ctx, taskQueue, key); err != nil {
		return err
	}
	return tx.Delete(ctx, Tasks, []byte(id))
}

func tellStopped(tx *Tx, id string, t *storagev1.TaskRecord) error {
	t.Told = true
	return tellTask(tx, id, t, &eventlogv1.TaskStopped{Task: taskOf(id, t)})
}

func tellTask(tx *Tx, id string, t *storagev1.TaskRecord, payload proto.Message) error {
	related := t.Related
	if t.Subject != "" {
		related = append([]string{t.Subject}, t.Related...)
	}
	return tx.Emit(Fact{Type: string(payload.ProtoReflect().Descriptor().Name()), Subject: "tasks/" + id, Related: related, Payload: payload})
}

func taskOf(id string, t *storagev1.TaskRecord) *eventlogv1.Task {
	return &eventlogv1.Task{Name: "tasks/" + id, Kind: t.Kind, Subject: t.Subject, State: t.State, DueTime: t.DueTime, Attempts: t.Attempts,
		LastError: t.LastError, Related: t.Related}
}

// queueRow is a task's row in the queue; no value when it does not stand in it: a failed task waits for a person, and a
// timed one in doubt holds up nobody.
func queueRow(id string, t *storagev1.TaskRecord) (key, value []byte) {
	inDoubt := t.State == eventlogv1.Task_IN_DOUBT
	if t.DueTime != nil {
		key = Key("timed", t.DueTime.AsTime(), t.Number)
	} else {
		key = Key("turn", t.Number)
	}
	if t.State == eventlogv1.Task_FAILED || inDoubt && t.DueTime != nil {
		return key, nil
	}
	flag := byte(0)
	if inDoubt {
		flag = 1
	}
	return key, append([]byte{flag}, Key(id, t.Subject)...)
}

// errQueueRow is for a row of the queue that this program did not write.
var errQueueRow = errors.New("row of the task queue cannot be read")

func parseQueueRow(kv KV) (QueuedTask, error) {
	if len(kv.Key) < 8 || len(kv.Value) < 1 {
		return QueuedTask{}, errQueueRow
	}
	id, rest, ok := cutString(kv.Value[1:])
	subject, rest, ok2 := cutString(rest)
	if !ok || !ok2 || len(rest) > 0 {
		return QueuedTask{}, errQueueRow
	}
	return QueuedTask{ID: id, Number: binary.BigEndian.Uint64(kv.Key[len(kv.Key)-8:]), Subject: subject, InDoubt: kv.Value[0] == 1}, nil
}

func rebuildPlatform(ctx context.Context, r Reader, w *DerivedWriter) error {
	for _, b := range []*Bucket{DeferredFacts, ParkedFacts} {
		err := Each(ctx, r, b, nil, func(kv KV) error {
			var f storagev1.WaitingFact
			if err := unmarshal(b, kv.Key, kv.Value, &f); err != nil {
				return err
			}
			p := f.Head.GetPosition()
			for _, key := range f.Keys {
				if err := w.Put(ctx, waitingKeys, Key(p.GetLog(), key, p.GetSequence(), f.Index), []byte(b.Name)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return Each(ctx, r, Tasks, nil, func(kv KV) error {
		var t storagev1.TaskRecord
		if err := unmarshal(Tasks, kv.Key, kv.Value, &t); err != nil {
			return err
		}
		key, value := queueRow(string(kv.Key), &t)
		if value == nil {
			return nil
		}
		return w.Put(ctx, taskQueue, key, value)
	})
}

// Freed says that the change lets a task go on, or one behind it, that its place in the queue kept from it: a reader of the queue
// that reads on from where it was begins anew.
func Freed(tx *Tx) { tx.freed = true }

// FreedTasks counts the commits that let tasks go on. It has grown before Changed tells of the commit.
func (s *Store) FreedTasks() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.freed
}

// TurnQueue calls fn for the tasks without a due time whose number is more than after, in order of creation, until it returns false.
func TurnQueue(ctx context.Context, r Reader, after uint64, fn func(QueuedTask) (more bool)) error {
	rg := Prefix(Key("turn"))
	rg.From = Key("turn", after+1)
	return eachQueued(ctx, r, rg, fn)
}

// InTurn reads a task without a due time as the queue shows it: ErrNotFound of one that is done, was taken away or has failed.
func InTurn(ctx context.Context, r Reader, number uint64) (QueuedTask, error) {
	key := Key("turn", number)
	value, err := r.Get(ctx, taskQueue, key)
	if err != nil {
		return QueuedTask{}, err
	}
	return parseQueueRow(KV{key, value})
}

// DueQueue calls fn for the tasks with a due time up to and including now, earliest first, until it returns false.
func DueQueue(ctx context.Context, r Reader, now time.Time, fn func(QueuedTask) (more bool)) error {
	return eachQueued(ctx, r, Range{From: Key("timed"), To: Key("timed", now.Add(1))}, fn)
}

func eachQueued(ctx context.Context, r Reader, rg Range, fn func(QueuedTask) bool) error {
	errStop := errors.New("stop")
	rg.Limit = 64 // at a time: most readers stop early
	err := each(ctx, r, taskQueue, rg, func(kv KV) error {
		t, err := parseQueueRow(kv)
		if err != nil {
			return err
		}
		if !fn(t) {
			return errStop
		}
		return nil
	})
	if err == errStop {
		return nil
	}
	return err
}

// Each calls fn for every record whose key begins with prefix, in order of key.
func Each(ctx context.Context, r Reader, b *Bucket, prefix []byte, fn func(KV) error) error {
	return each(ctx, r, b, Prefix(prefix), fn)
}

func each(ctx context.Context, r Reader, b *Bucket, rg Range, fn func(KV) error) error {
	if rg.Limit == 0 {
		rg.Limit = maxScan
	}
	for {
		rows, err := r.Scan(ctx, b, rg)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := fn(row); err != nil {
				return err
			}
		}
		if len(rows) < rg.Limit {
			return nil
		}
		rg.From = append(rows[len(rows)-1].Key, 0)
	}
}

// ParseWaitingKey takes apart a key of DeferredFacts or ParkedFacts.
func ParseWaitingKey(key []byte) (log string, sequence uint64, index uint32, ok bool) {
	log, rest, ok := cutString(key)
	if !ok || len(rest) != 12 {
		return "", 0, 0, false
	}
	return log, binary.BigEndian.Uint64(rest), binary.BigEndian.Uint32(rest[8:]), true
}
