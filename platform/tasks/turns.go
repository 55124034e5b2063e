package tasks

import (
	"container/heap"
	"context"
	"errors"
	"time"

	"crossdock.dev/platform/store"
)

// turns is what the runner has read of the stored queue of tasks without a due time. Each row is read once, however long the queue
// is; of a task that waits behind another of its subject, the number is all that is kept. That a task is still there is looked up
// when its turn has come.
type turns struct {
	read  uint64 // number of the last row that was read
	lines map[lineKey]*line
	ready lineHeap // those whose first task may be attempted, by its number
	later lineHeap // those whose first task is backing off, by the end of the pause
	// A line in neither waits for the end of an attempt, or for a person: its first task is in doubt.
}

// line is the tasks of one subject, or one task that has none.
type line struct {
	key       lineKey
	waiting   []uint64  // numbers of tasks in order
	notBefore time.Time // machine time
}

type lineKey struct {
	subject string
	number  uint64 // of a task without a subject
}

func keyOf(subject string, number uint64) lineKey {
	if subject == "" {
		return lineKey{number: number}
	}
	return lineKey{subject: subject}
}

func newTurns() turns {
	return turns{
		lines: map[lineKey]*line{},
		ready: lineHeap{less: func(a, b *line) bool { return a.waiting[0] < b.waiting[0] }},
		later: lineHeap{less: func(a, b *line) bool { return a.notBefore.Before(b.notBefore) }},
	}
}

// resume makes the lines ready whose pause has ended.
func (u *turns) resume(machine time.Time) {
	for len(u.later.lines) > 0 && !machine.Before(u.later.lines[0].notBefore) {
		heap.Push(&u.ready, heap.Pop(&u.later))
	}
}

// enter puts a line where its first task belongs.
func (r *Runner) enter(l *line) {
	first := l.waiting[0]
	switch again := r.retries[first]; {
	case r.running[first]:
	case again != nil:
		l.notBefore = again.notBefore
		heap.Push(&r.turns.later, l)
	default:
		heap.Push(&r.turns.ready, l)
	}
}

// readOn reads rows of the queue until so many lines are ready, or all rows have been read.
func (r *Runner) readOn(ctx context.Context, rd store.Reader, want int) error {
	u := &r.turns
	return store.TurnQueue(ctx, rd, u.read, func(q store.QueuedTask) bool {
		u.read = q.Number
		key := keyOf(q.Subject, q.Number)
		if l := u.lines[key]; l != nil {
			l.waiting = append(l.waiting, q.Number)
		} else {
			l = &line{key: key, waiting: []uint64{q.Number}}
			u.lines[key] = l
			r.enter(l)
		}
		return len(u.ready.lines) < want
	})
}

// inTurn takes up to room tasks whose turn has come, in order of creation.
func (r *Runner) inTurn(ctx context.Context, rd store.Reader, room int) (ids []string, err error) {
	u := &r.turns
	for len(ids) < room {
		if len(u.ready.lines) == 0 {
			if err := r.readOn(ctx, rd, room-len(ids)); err != nil {
				return nil, err
			}
			if len(u.ready.lines) == 0 {
				break
			}
		}
		l := heap.Pop(&u.ready).(*line)
		q, err := store.InTurn(ctx, rd, l.waiting[0])
		switch {
		case errors.Is(err, store.ErrNotFound): // it is done, has failed or was cancelled
			delete(r.retries, l.waiting[0])
			if l.waiting = l.waiting[1:]; len(l.waiting) == 0 {
				delete(u.lines, l.key)
			} else {
				r.enter(l)
			}
		case err != nil:
			return nil, err
		case !q.InDoubt:
			ids = append(ids, q.ID)
		}
	}
	return ids, nil
}

// lineHeap is a heap of lines.
type lineHeap struct {
	lines []*line
	less  func(a, b *line) bool
}

// Len, Less, Swap, Push and Pop are for container/heap.
func (h *lineHeap) Len() int           { return len(h.lines) }
func (h *lineHeap) Less(i, j int) bool { return h.less(h.lines[i], h.lines[j]) }
func (h *lineHeap) Swap(i, j int)      { h.lines[i], h.lines[j] = h.lines[j], h.lines[i] }
func (h *lineHeap) Push(x any)         { h.lines = append(h.lines, x.(*line)) }
func (h *lineHeap) Pop() any {
	last := h.lines[len(h.lines)-1]
	h.lines = h.lines[:len(h.lines)-1]
	return last
}
