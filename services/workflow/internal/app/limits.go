package app

import (
	"context"

	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/workflow/internal/process"
	"crossdock.dev/services/workflow/internal/store"
)

// The kinds of timers. Each is a task that is due when a limit has passed, kept with what it watches and removed with it.
const (
	kindStep = "timer.step_limit"
	kindItem = "timer.work_item_due"
)

// watch starts and stops the timer of the step that a process waits for.
func (a *App) watch(ctx context.Context, tx *platform.Tx, out process.Outcome) error {
	id := func(s process.Step) string { return typeid.Derive("task", out.Process.ID, string(s), "limit") }
	if out.Unwatch != "" {
		if err := tasks.Cancel(ctx, tx, id(out.Unwatch)); err != nil {
			return err
		}
	}
	limit := a.limits.Of(out.Watch)
	if limit <= 0 {
		return nil
	}
	return tasks.Enqueue(ctx, tx, tasks.Task{
		ID: id(out.Watch), Kind: kindStep, Subject: out.Process.Name(), Payload: []byte(out.Watch), Due: out.WatchFrom.Add(limit), Effect: tasks.Keyed,
	})
}

// overran tells a process that the limit of a step has passed. Whether a load was offered is freight's to say: freight took it on, and
// the fact may be on its way. While freight is away, the plans that it does not make tell of it.
func (a *App) overran(peers Peers) tasks.Handler {
	return func(ctx context.Context, t tasks.Task) (tasks.Done, error) {
		step := process.Step(t.Payload)
		if step == process.TenderLoad {
			var p process.Process
			err := a.store.View(ctx, func(r platform.Reader) (err error) {
				p, err = store.Process(ctx, r, processID(t.Subject))
				return err
			})
			if err != nil || p.Awaits() != step {
				return nil, err
			}
			if offered, err := peers.Offered(ctx, p.Load); err != nil || offered {
				return nil, err
			}
		}
		return func(ctx context.Context, tx *platform.Tx) error {
			p, err := store.Process(ctx, tx, processID(t.Subject))
			if err != nil {
				return err
			}
			return a.happened(ctx, tx, p, process.Overran{Step: step, Limit: a.limits.Of(step)})
		}, nil
	}
}

// saveItem saves a work item together with the timer of its due time.
func (a *App) saveItem(ctx context.Context, tx *platform.Tx, w process.WorkItem) error {
	if err := store.SaveItem(ctx, tx, w); err != nil {
		return err
	}
	id := typeid.Derive("task", w.ID, "due")
	if err := tasks.Cancel(ctx, tx, id); err != nil || !w.Ticks() {
		return err
	}
	return tasks.Enqueue(ctx, tx, tasks.Task{ID: id, Kind: kindItem, Subject: w.Name(), Due: w.DueTime, Effect: tasks.Keyed})
}

// overdue marks a work item whose due time has passed. The clock may have been set back since: the timer goes with this, so the item is
// marked all the same.
func (a *App) overdue(_ context.Context, t tasks.Task) (tasks.Done, error) {
	at := a.clock.Now()
	if at.Before(t.Due) {
		at = t.Due
	}
	return func(ctx context.Context, tx *platform.Tx) error {
		w, _, err := store.WorkItem(ctx, tx, itemID(t.Subject))
		if err != nil {
			return err
		}
		w, changed := w.Overrun(at)
		if !changed {
			return nil
		}
		return a.saveItem(ctx, tx, w)
	}, nil
}
