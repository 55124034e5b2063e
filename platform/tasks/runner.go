package tasks

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/failpoint"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/telemetry"
)

// Done records what became of a task, in the change that removes it.
type Done func(ctx context.Context, tx *store.Tx) error

// Handler carries out the tasks of one kind. ctx carries the origin that the rpc client forwards; calls use t.ID as
// request id. A nil Done means that there is nothing to record. An error is retried with back-off, unless it is marked as
// Permanent or InDoubt; for the effect class Neither every error means in doubt, unless it is marked as NotDone.
type Handler func(ctx context.Context, t Task) (Done, error)

// Config is what a Runner works with.
type Config struct {
	Store    *store.Store
	Handlers map[string]Handler // by kind
	// Prepare is what is done before the first attempt at a task that is not Keyed is remembered, by kind; none is fine. It can be done
	// again, nobody outside sees it, and so the handler can tell by it that no attempt went through.
	Prepare map[string]func(ctx context.Context, t Task) error
	// Dropped is what is recorded when a person takes a task off the list, by kind; none is fine.
	Dropped map[string]func(ctx context.Context, t Task, d Decision) (Done, error)
	// Machine measures back-off; nil is the system's.
	Machine clock.Machine
	Log     *slog.Logger
	// Parallel is how many handlers may be under way at once, beside each other and beside the loop. 0 runs each inside
	// Step, one after the other, as a simulation wants it.
	Parallel int
	// Timeout bounds one attempt, on machine time; 0 is 30 s.
	Timeout time.Duration
}

// Decision is what a person says of a task that had stopped.
type Decision struct {
	WentThrough bool   // an attempt had its effect
	Note        string // in words
}

// Back-off doubles from minBackoff to maxBackoff, or to awayBackoff when the called service is away. When it is full, it says from
// what pause on, and the pause doubles to fullBackoff.
const (
	minBackoff  = 100 * time.Millisecond
	awayBackoff = time.Second
	fullBackoff = 5 * time.Second
	maxBackoff  = 30 * time.Second
)

// dueBatch is how many due tasks one Step takes on.
const dueBatch = 64

// Runner carries out the tasks of one store.
type Runner struct {
	c        Config
	wait     sync.WaitGroup
	attempts *prometheus.CounterVec
	spans    *telemetry.Spans
	told     bool // of what had stopped before this program began

	mu      sync.Mutex
	running map[uint64]bool   // numbers of tasks under way
	retries map[uint64]*retry // those in their turn that have been refused since the program began, by number
	late    map[uint64]*retry // likewise those with a due time
	turns   turns
	freed   uint64        // the store's FreedTasks when turns was begun
	wake    chan struct{} // closed when an attempt under way ends
	ended   bool          // one has ended since the last Step
	now     time.Time     // business time of the last Step
}

type retry struct {
	attempts  uint32
	notBefore time.Time // machine time
	lastError string
}

// NewRunner returns a runner.
func NewRunner(c Config) *Runner {
	if c.Machine == nil {
		c.Machine = clock.SystemMachine()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	return &Runner{c: c, attempts: newAttempts(c.Handlers), running: map[uint64]bool{}, retries: map[uint64]*retry{}, late: map[uint64]*retry{},
		turns: newTurns(), wake: make(chan struct{})}
}

// Kinds are the kinds of tasks that it can carry out, in order.
func (r *Runner) Kinds() []string { return slices.Sorted(maps.Keys(r.c.Handlers)) }

// Export makes the runner export a span for each attempt; called before the first Step.
func (r *Runner) Export(s *telemetry.Spans) { r.spans = s }

// Wake returns a channel that is closed when an attempt under way ends.
func (r *Runner) Wake() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wake
}

// Loop is the runner's loop; base gives its clocks and log.
func (r *Runner) Loop(base step.Config) step.Config {
	base.Name, base.Stepper, base.Wake = "tasks", r, []func() <-chan struct{}{r.Wake, r.c.Store.Changed}
	return base
}

// Drop returns what is to be recorded in the change that removes a failed or doubtful task: nothing, when it is gone.
func (r *Runner) Drop(ctx context.Context, id string, d Decision) (do func(ctx context.Context, tx *store.Tx) (Task, error), err error) {
	var t Task
	err = r.c.Store.View(ctx, func(rd store.Reader) (err error) {
		t, err = Get(ctx, rd, id)
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	var done Done
	if record := r.c.Dropped[t.Kind]; err == nil && record != nil && t.State != Pending {
		if done, err = record(ctx, t, d); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, tx *store.Tx) (Task, error) {
		now, err := Drop(ctx, tx, id)
		if err == nil && done != nil {
			if now.Number != t.Number || now.State != t.State {
				return now, ErrNotStopped // it went on meanwhile
			}
			err = done(ctx, tx)
		}
		return now, err
	}, nil
}

// Drain waits for the attempts under way. It is called between the end of the loop, which cancels them, and closing the store.
func (r *Runner) Drain() { r.wait.Wait() }

// Step carries out what is due at now, and the first task of each subject that is not backing off. With Parallel set it starts
// them and returns. progress is true when one was started or has ended.
func (r *Runner) Step(ctx context.Context, now time.Time) (progress bool, err error) {
	if !r.told {
		if err := r.tellStopped(ctx); err != nil {
			return false, err
		}
		r.told = true
	}
	list, err := r.candidates(ctx, now)
	if err != nil {
		return false, err
	}
	r.mu.Lock()
	progress, r.ended, r.now = r.ended, false, now
	r.mu.Unlock()
	if r.c.Parallel > 0 {
		for _, t := range list {
			r.start(ctx, t)
		}
		return progress || len(list) > 0, nil
	}
	defer r.release(list...)
	for _, t := range list {
		if ctx.Err() != nil {
			return progress, ctx.Err()
		}
		done, err := r.attempt(ctx, t)
		progress = progress || done
		if err != nil {
			return progress, err
		}
	}
	return progress, nil
}

func (r *Runner) start(ctx context.Context, t Task) {
	r.wait.Go(func() {
		if _, err := r.attempt(ctx, t); err != nil && ctx.Err() == nil {
			r.c.Log.WarnContext(ctx, "outcome of a task was not recorded", telemetry.KeyTask, t.ID, telemetry.KeyKind, t.Kind, telemetry.KeyTraceID, traceOf(t).ID(), telemetry.KeyError, err)
			r.backOff(t, err)
		}
		r.release(t)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = true
		close(r.wake)
		r.wake = make(chan struct{})
	})
}

// release ends the attempts of tasks: what is next in their lines may go on.
func (r *Runner) release(list ...Task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range list {
		delete(r.running, t.Number)
		if !t.Due.IsZero() {
			continue
		}
		if l := r.turns.lines[keyOf(t.Subject, t.Number)]; l != nil && l.waiting[0] == t.Number {
			r.enter(l)
		}
	}
}

// candidates takes the tasks that may be attempted now: due ones by due time, then the others by number.
func (r *Runner) candidates(ctx context.Context, now time.Time) (out []Task, err error) {
	freed, machine, whole := r.c.Store.FreedTasks(), r.c.Machine.Now(), false
	r.mu.Lock()
	full := r.c.Parallel > 0 && len(r.running) >= r.c.Parallel
	r.mu.Unlock()
	if full {
		return nil, nil
	}
	err = r.c.Store.View(ctx, func(rd store.Reader) (err error) {
		r.mu.Lock() // not before: a view may have to wait for the disk
		defer r.mu.Unlock()
		defer func() {
			if !whole {
				r.turns = newTurns() // what was taken out of it is in nobody's hands
			}
		}()
		if freed != r.freed {
			r.turns, r.freed = newTurns(), freed
			if err := r.forgetGone(ctx, rd); err != nil {
				return err
			}
		}
		r.turns.resume(machine)
		room := r.c.Parallel - len(r.running)
		if r.c.Parallel == 0 {
			room = dueBatch
		}
		ids, err := r.due(ctx, rd, now, machine, room)
		if err != nil {
			return err
		}
		more, err := r.inTurn(ctx, rd, room-len(ids))
		if err != nil {
			return err
		}
		for _, id := range append(ids, more...) {
			t, err := Get(ctx, rd, id)
			if err != nil {
				return err
			}
			out = append(out, t)
		}
		for _, t := range out {
			r.running[t.Number] = true
		}
		whole = true
		return nil
	})
	return out, err
}

// due finds up to room tasks whose time has come and that are neither under way nor backing off.
func (r *Runner) due(ctx context.Context, rd store.Reader, now, machine time.Time, room int) (ids []string, err error) {
	waiting := map[uint64]bool{}
	err = store.DueQueue(ctx, rd, now, func(q store.QueuedTask) bool {
		waiting[q.Number] = true
		if again := r.late[q.Number]; !r.running[q.Number] && (again == nil || !machine.Before(again.notBefore)) {
			ids = append(ids, q.ID)
		}
		return len(ids) < room
	})
	if len(ids) < room { // all were seen
		maps.DeleteFunc(r.late, func(number uint64, _ *retry) bool { return !waiting[number] })
	}
	return ids, err
}

// attempt makes one attempt and records its outcome. done says that the task has moved; err, that the outcome could not be
// recorded.
func (r *Runner) attempt(ctx context.Context, t Task) (done bool, err error) {
	handler := r.c.Handlers[t.Kind]
	if handler == nil {
		return true, r.record(ctx, t, eventlogv1.Task_FAILED, "no handler for this kind")
	}
	if t.Effect != Keyed {
		if err := r.prepare(ctx, t); err != nil {
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			if classOf(err, Keyed) == notDone {
				err = NotDone(err) // whatever the class of the endpoint: nothing was sent
			}
			return false, r.refused(ctx, t, err)
		}
		if err := r.begin(ctx, t); err != nil {
			return false, err
		}
	} else if again := r.retry(t); again != nil {
		t.Attempts = again.attempts
	}
	failpoint.Hit("tasks.send.before")
	finish, err := r.call(ctx, handler, t)
	failpoint.Hit("tasks.send.after")
	if err == nil {
		err := r.finish(context.WithoutCancel(ctx), t, finish) // what went through is recorded by a program that stops, too
		if err == nil {
			failpoint.Hit("tasks.done.after")
			r.forget(t)
			r.attempts.WithLabelValues(t.Kind, attemptDone).Inc()
			return true, nil
		}
		// The call went through, but its outcome was not recorded: the next attempt repeats it as its effect class allows.
		if ctx.Err() != nil || errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrOutcomeUnknown) {
			return false, err
		}
		return false, r.refused(ctx, t, fmt.Errorf("record the outcome: %w", err))
	}
	if ctx.Err() != nil {
		return false, ctx.Err() // the program is stopping; what was committed before the attempt stands
	}
	return classOf(err, t.Effect) != notDone, r.refused(ctx, t, err)
}

// refused records that an attempt did not come to its end.
func (r *Runner) refused(ctx context.Context, t Task, err error) error {
	r.c.Log.WarnContext(ctx, "task attempt failed", telemetry.KeyTask, t.ID, telemetry.KeyKind, t.Kind, telemetry.KeySubject, t.Subject,
		telemetry.KeyTraceID, traceOf(t).ID(), telemetry.KeyError, err)
	switch classOf(err, t.Effect) {
	case permanent:
		r.attempts.WithLabelValues(t.Kind, attemptFailed).Inc()
		r.forget(t)
		return r.record(ctx, t, eventlogv1.Task_FAILED, err.Error())
	case inDoubt:
		r.attempts.WithLabelValues(t.Kind, attemptInDoubt).Inc()
		r.forget(t)
		return r.record(ctx, t, eventlogv1.Task_IN_DOUBT, err.Error())
	}
	r.attempts.WithLabelValues(t.Kind, attemptRefused).Inc()
	r.backOff(t, err)
	if t.Effect == Neither {
		return r.record(ctx, t, eventlogv1.Task_PENDING, err.Error())
	}
	return nil
}

// call runs the handler within the attempt's time, as the service, with the task's origin as data.
func (r *Runner) call(ctx context.Context, handler Handler, t Task) (done Done, err error) {
	defer func() {
		if p := recover(); p != nil {
			r.c.Log.ErrorContext(ctx, "task panicked", telemetry.KeyTask, t.ID, telemetry.KeyKind, t.Kind, telemetry.KeyTraceID, traceOf(t).ID(), "panic", p, "stack", string(debug.Stack()))
			done, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, r.c.Timeout)
	defer cancel()
	o := r.origin(t)
	if r.spans == nil {
		return handler(origin.With(ctx, o), t)
	}
	parent := traceOf(t)
	own, err := parent.Child(rand.Reader)
	if err != nil {
		return nil, err
	}
	if parent == (telemetry.Trace{}) {
		if own, err = telemetry.NewTrace(rand.Reader); err != nil {
			return nil, err
		}
	}
	span := r.spans.Begin(ctx, telemetry.SpanInternal, "task "+t.Kind, own, parent)
	defer func() { span.End(rpcerr.Reason(err)) }()
	o.Traceparent = own.String() // calls follow the attempt; what is recorded of it follows the task
	return handler(telemetry.WithSpans(origin.With(ctx, o), r.spans), t)
}

// traceOf is the trace that a task belongs to, the zero Trace for none.
func traceOf(t Task) telemetry.Trace {
	trace, _ := telemetry.ParseTrace(t.Traceparent)
	return trace
}

func (r *Runner) origin(t Task) origin.Origin {
	return origin.Origin{
		Principal: origin.Principal{Kind: origin.Service, Name: r.c.Store.Service()},
		Method:    "tasks/" + t.Kind, Actor: t.Actor, Traceparent: t.Traceparent, After: t.After,
	}
}

// cause is that of the changes that record what became of t.
func (r *Runner) cause(t Task) store.Cause {
	o := r.origin(t)
	return store.Cause{Principal: o.Principal.String(), Method: o.Method, Actor: o.Actor, Traceparent: o.Traceparent, After: o.After}
}

// finish removes the task and records its outcome in one change, once.
func (r *Runner) finish(ctx context.Context, t Task, done Done) error {
	c := r.cause(t)
	c.RequestID = fmt.Sprintf("%s#%d", t.ID, t.Number)
	_, err := r.c.Store.Change(ctx, c, func(tx *store.Tx) ([]byte, error) {
		rec, err := record(ctx, tx, t.ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && rec.Number != t.Number {
			return nil, nil // cancelled meanwhile
		}
		if err != nil {
			return nil, err
		}
		if err := store.DeleteTask(ctx, tx, t.ID, rec); err != nil || done == nil {
			return nil, err
		}
		return nil, done(origin.With(ctx, r.origin(t)), tx)
	})
	return err
}

// prepare makes ready what the first attempt needs.
func (r *Runner) prepare(ctx context.Context, t Task) error {
	do := r.c.Prepare[t.Kind]
	if do == nil || t.Attempts > 0 {
		return nil
	}
	_, err := r.call(ctx, func(ctx context.Context, t Task) (Done, error) { return nil, do(ctx, t) }, t)
	return err
}

// begin remembers an attempt before it is made. One that must not be repeated without a look counts as in doubt from here on.
func (r *Runner) begin(ctx context.Context, t Task) error {
	return r.change(ctx, t, func(tx *store.Tx, rec *storagev1.TaskRecord) error {
		rec.Attempts++
		if t.Effect == Neither {
			rec.State = eventlogv1.Task_IN_DOUBT
		}
		return store.PutTask(ctx, tx, t.ID, rec)
	})
}

// record changes the state of a task that is still there.
func (r *Runner) record(ctx context.Context, t Task, state eventlogv1.Task_State, lastError string) error {
	return r.change(ctx, t, func(tx *store.Tx, rec *storagev1.TaskRecord) error {
		rec.State, rec.LastError = state, lastError
		if state == eventlogv1.Task_PENDING {
			return store.PutTask(ctx, tx, t.ID, rec)
		}
		return store.StopTask(ctx, tx, t.ID, rec)
	})
}

func (r *Runner) change(ctx context.Context, t Task, do func(tx *store.Tx, rec *storagev1.TaskRecord) error) error {
	_, err := r.c.Store.Change(ctx, r.cause(t), func(tx *store.Tx) ([]byte, error) {
		rec, err := record(ctx, tx, t.ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && rec.Number != t.Number {
			return nil, nil // cancelled meanwhile
		}
		if err != nil {
			return nil, err
		}
		return nil, do(tx, rec)
	})
	return err
}

// tellStopped tells of the tasks that wait for a person although nobody was told: attempts that a program before this one began, and
// whose outcome it did not live to hear.
func (r *Runner) tellStopped(ctx context.Context) error {
	var untold []Task
	err := r.c.Store.View(ctx, func(rd store.Reader) error {
		return store.Each(ctx, rd, store.Tasks, nil, func(kv store.KV) error {
			rec, err := record(ctx, rd, string(kv.Key))
			if err == nil && rec.State != eventlogv1.Task_PENDING && !rec.Told {
				untold = append(untold, fromRecord(string(kv.Key), rec))
			}
			return err
		})
	})
	for _, t := range untold {
		if err == nil {
			err = r.record(ctx, t, eventlogv1.Task_State(t.State), cmp.Or(t.LastError, "the program ended during the attempt"))
		}
	}
	return err
}

// refusals are where the refusals of a task are remembered.
func (r *Runner) refusals(t Task) map[uint64]*retry {
	if t.Due.IsZero() {
		return r.retries
	}
	return r.late
}

func (r *Runner) retry(t Task) *retry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refusals(t)[t.Number]
}

func (r *Runner) forget(t Task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.refusals(t), t.Number)
}

// forgetGone drops what is remembered of tasks that were cancelled.
func (r *Runner) forgetGone(ctx context.Context, rd store.Reader) error {
	for number := range r.retries {
		if _, err := store.InTurn(ctx, rd, number); errors.Is(err, store.ErrNotFound) {
			delete(r.retries, number)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) backOff(t Task, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	again := r.refusals(t)[t.Number]
	if again == nil {
		again = &retry{}
		r.refusals(t)[t.Number] = again
	}
	again.attempts++
	again.lastError = err.Error()
	longest := maxBackoff
	if status.Code(err) == codes.Unavailable {
		longest = awayBackoff
	}
	pause := min(longest, minBackoff<<min(again.attempts-1, 16))
	if e := rpcerr.From(err); e.Code == codes.ResourceExhausted && e.RetryAfter > 0 {
		pause = min(max(pause, e.RetryAfter), max(fullBackoff, e.RetryAfter)) + spread(t.ID, again.attempts, e.RetryAfter)
	}
	again.notBefore = r.c.Machine.Now().Add(pause)
}

// spread is a part of a pause that differs from task to task and from attempt to attempt, so that what was refused together does not
// come back together; the same every time, for a simulation.
func spread(id string, attempt uint32, pause time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%s#%d", id, attempt)
	return time.Duration(h.Sum32()%1000) * (pause / 1000)
}

// List returns up to limit tasks that are not done, created after the one with number after, in order of creation, with the
// attempts and refusals that only this runner knows of.
func (r *Runner) List(ctx context.Context, after uint64, limit int) ([]Task, error) {
	var out []Task
	err := r.c.Store.View(ctx, func(rd store.Reader) error {
		return store.Each(ctx, rd, store.Tasks, nil, func(kv store.KV) error {
			t, err := Get(ctx, rd, string(kv.Key))
			if t.Number > after {
				out = append(out, t)
			}
			return err
		})
	})
	slices.SortFunc(out, func(a, b Task) int { return cmp.Compare(a.Number, b.Number) })
	out = out[:min(limit, len(out))]
	for i := range out {
		if again := r.retry(out[i]); again != nil {
			out[i].Attempts, out[i].LastError = max(out[i].Attempts, again.attempts), again.lastError
		}
	}
	return out, err
}
