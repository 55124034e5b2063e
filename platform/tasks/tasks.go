// Package tasks carries out work that a change asked for: calls to other services, partners and carriers, and timers.
//
// A task is a record, written in the change that wants it, and removed in the change that records its outcome. It promises:
//
//   - A task of a committed change is carried out, after any crash; a task of a refused change never is.
//   - Tasks of one subject without a due time go in order of creation. One whose outcome is in doubt holds up its subject; a
//     failed one does not, since what became of it is known. A task with a due time waits for nobody and holds up nobody.
//   - How a repeated attempt is kept from acting twice is the task's Effect.
//   - Readers of the log hear of a task that waits for a person (TaskStopped), and when it does no more (TaskReleased).
//   - When all else is equal the order is that of creation, so a simulation repeats itself.
//
// Left to others: what a task does (the service's handlers), and who looks at failed and doubtful ones (EventLogService).
package tasks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/store"
)

// Effect says how a repeated attempt is kept from acting twice.
type Effect int

// The effect classes of endpoints. The zero Effect is refused.
const (
	// Keyed: an idempotency key goes along (the task's id); attempts may be repeated freely.
	Keyed Effect = iota + 1
	// Lookup: the handler asks first whether an earlier attempt arrived, whenever Attempts is not 0. Each attempt is
	// committed before it is made.
	Lookup
	// Neither: each attempt is committed before it is made, and if its outcome gets lost the task stays in doubt until a
	// person has looked.
	Neither
)

// State is where a task stands.
type State int

// The states of a task; one that is done is removed.
const (
	Pending State = iota + 1
	InDoubtState
	Failed
)

// Task is one piece of work.
type Task struct {
	ID      string
	Kind    string // which handler carries it out
	Subject string // the resource it is about
	Payload []byte
	Related []string  // names and numbers that lead to what it is about, beside the subject
	Due     time.Time // not before this business time; zero is in its turn
	Effect  Effect
	// Actor, Traceparent and After are the origin of the change that wanted the task.
	Actor       string
	Traceparent string
	After       []store.Position

	// The rest is set by this package.
	Number    uint64 // order of creation
	State     State
	Attempts  uint32 // begun before this one, since it was wanted or a person asked for it again
	LastError string
}

// Buckets are what this package keeps in the store; Open adds them.
func Buckets() []*store.Bucket { return []*store.Bucket{store.Tasks} }

// Enqueue adds a task to the change. When one with this id is waiting, nothing happens. Origin fields that are not set are
// taken from ctx.
func Enqueue(ctx context.Context, tx *store.Tx, t Task) error {
	if t.ID == "" || t.Kind == "" || t.Effect < Keyed || t.Effect > Neither {
		return fmt.Errorf("task %q of kind %q: id, kind and effect must be set", t.ID, t.Kind)
	}
	switch _, err := record(ctx, tx, t.ID); {
	case err == nil:
		return nil
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	o := origin.From(ctx)
	if t.Actor == "" {
		t.Actor = o.Actor
	}
	if t.Traceparent == "" {
		t.Traceparent = o.Traceparent
	}
	rec := &storagev1.TaskRecord{Kind: t.Kind, Subject: t.Subject, Payload: slices.Clone(t.Payload),
		Effect: storagev1.TaskRecord_Effect(t.Effect), Actor: t.Actor, Traceparent: t.Traceparent, State: eventlogv1.Task_PENDING,
		Related: slices.Clone(t.Related)}
	for _, p := range origin.MergeAfter(t.After, o.After) {
		rec.After = append(rec.After, store.PositionProto(p))
	}
	if !t.Due.IsZero() {
		rec.DueTime = timestamppb.New(t.Due)
	}
	return store.PutTask(ctx, tx, t.ID, rec)
}

// Cancel removes a task; nothing happens when it is gone. An attempt under way is not called back, and its outcome is not
// recorded.
func Cancel(ctx context.Context, tx *store.Tx, id string) error {
	rec, err := record(ctx, tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if rec.DueTime == nil {
		store.Freed(tx)
	}
	return store.DeleteTask(ctx, tx, id, rec)
}

// Get returns a task that is not done, or store.ErrNotFound.
func Get(ctx context.Context, r store.Reader, id string) (Task, error) {
	rec, err := record(ctx, r, id)
	if err != nil {
		return Task{}, err
	}
	return fromRecord(id, rec), nil
}

// ErrNotStopped is returned by Retry and Drop for a task that is neither failed nor in doubt.
var ErrNotStopped = errors.New("task is neither failed nor in doubt")

// Retry puts a failed or doubtful task back to pending, after a person has looked: no attempt before had its effect.
func Retry(ctx context.Context, tx *store.Tx, id string) (Task, error) {
	rec, err := record(ctx, tx, id)
	if err != nil {
		return Task{}, err
	}
	if rec.State == eventlogv1.Task_PENDING {
		return Task{}, ErrNotStopped
	}
	rec.State, rec.Attempts = eventlogv1.Task_PENDING, 0
	store.Freed(tx)
	return fromRecord(id, rec), store.PutTask(ctx, tx, id, rec)
}

// Drop removes a failed or doubtful task, after a person has looked: its effect is there, or it is not wanted any more.
func Drop(ctx context.Context, tx *store.Tx, id string) (Task, error) {
	rec, err := record(ctx, tx, id)
	if err != nil {
		return Task{}, err
	}
	if rec.State == eventlogv1.Task_PENDING {
		return Task{}, ErrNotStopped
	}
	store.Freed(tx)
	return fromRecord(id, rec), store.DeleteTask(ctx, tx, id, rec)
}

func record(ctx context.Context, r store.Reader, id string) (*storagev1.TaskRecord, error) {
	rec := &storagev1.TaskRecord{}
	if err := store.GetProto(ctx, r, store.Tasks, []byte(id), rec); err != nil {
		return nil, err
	}
	return rec, nil
}

func fromRecord(id string, rec *storagev1.TaskRecord) Task {
	t := Task{ID: id, Kind: rec.Kind, Subject: rec.Subject, Related: rec.Related, Payload: rec.Payload, Effect: Effect(rec.Effect), Actor: rec.Actor,
		Traceparent: rec.Traceparent, Number: rec.Number, State: State(rec.State), Attempts: rec.Attempts, LastError: rec.LastError}
	if rec.DueTime != nil {
		t.Due = rec.DueTime.AsTime()
	}
	for _, p := range rec.After {
		t.After = append(t.After, store.PositionOf(p))
	}
	return t
}

type classified struct {
	error
	class class
}

func (c classified) Unwrap() error { return c.error }

type class int

const (
	permanent class = iota + 1
	inDoubt
	notDone
)

// Permanent marks a refusal that no repeat will change: the task has failed.
func Permanent(err error) error { return classified{err, permanent} }

// InDoubt marks an attempt whose outcome is not known and must not be repeated without a look.
func InDoubt(err error) error { return classified{err, inDoubt} }

// NotDone marks an attempt that surely had no effect, such as one that could not connect: it is repeated, also when the
// task's Effect is Neither.
func NotDone(err error) error { return classified{err, notDone} }

// classOf decides what an error means for a task.
func classOf(err error, effect Effect) class {
	if c, ok := errors.AsType[classified](err); ok {
		return c.class
	}
	if effect == Neither {
		return inDoubt
	}
	return notDone
}
