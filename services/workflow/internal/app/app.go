// Package app is what workflow does: it lets facts and answers happen to processes, sends the commands that follow as
// tasks, and closes work items. Each verb runs inside one change of the store; none does I/O.
package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"crossdock.dev/platform/clock"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/workflow/internal/process"
	"crossdock.dev/services/workflow/internal/store"
)

// App lets things happen to processes.
type App struct {
	store  *platform.Store
	clock  clock.Business
	ids    typeid.Source
	limits process.Limits
}

// New returns an App over a store.
func New(s *platform.Store, business clock.Business, ids typeid.Source, limits process.Limits) *App {
	return &App{store: s, clock: business, ids: ids, limits: limits}
}

// Start begins the process of a release, unless it runs already. plan is the planning request of its first command, kept as
// it is until the shipment is planned.
func (a *App) Start(ctx context.Context, tx *platform.Tx, e process.Released, plan []byte) error {
	running, err := store.ProcessesOf(ctx, tx, e.OrderRelease)
	if err != nil || len(running) > 0 {
		return err
	}
	at := a.clock.Now()
	out := process.Start(a.ids.New("prc"), e, at)
	if err := store.Begin(ctx, tx, out.Process, plan, history(out, at)...); err != nil {
		return err
	}
	return errors.Join(a.watch(ctx, tx, out), a.send(ctx, tx, out))
}

// Happened lets an event happen to every process that name leads to. It tells whether there was one.
func (a *App) Happened(ctx context.Context, tx *platform.Tx, name string, e process.Event) (bool, error) {
	found, err := store.ProcessesOf(ctx, tx, name)
	if err != nil {
		return false, err
	}
	for _, p := range found {
		if err := a.happened(ctx, tx, p, e); err != nil {
			return true, fmt.Errorf("%s: %w", p.Name(), err)
		}
	}
	return len(found) > 0, nil
}

func (a *App) happened(ctx context.Context, tx *platform.Tx, p process.Process, e process.Event) error {
	at := a.clock.Now()
	out := process.Next(p, e, at)
	if out.Changed {
		if err := store.Save(ctx, tx, out.Process, history(out, at)...); err != nil {
			return err
		}
	}
	for _, c := range out.Close {
		if err := a.closeItems(ctx, tx, c, at); err != nil {
			return err
		}
	}
	var err error
	for _, it := range out.Open {
		if it.Related, err = a.related(ctx, tx, p, it.Subject); err != nil {
			return err
		}
		if err := a.open(ctx, tx, it, at); err != nil {
			return err
		}
	}
	return errors.Join(a.watch(ctx, tx, out), a.send(ctx, tx, out))
}

// related are the orders that a work item of a process is about: what concerns the load or its bill concerns every order aboard.
func (a *App) related(ctx context.Context, tx *platform.Tx, p process.Process, subject string) ([]string, error) {
	about := []process.Process{p}
	if p.Load != "" && subject != p.Shipment && subject != p.Name() {
		var err error
		if about, err = store.ProcessesOf(ctx, tx, p.Load); err != nil {
			return nil, err
		}
	}
	var names []string
	for _, p := range about {
		names = append(names, p.Order, "po:"+p.CustomerOrderNumber)
	}
	return names, nil
}

// Open opens a work item that belongs to no process, such as one about a message or a held order.
func (a *App) Open(ctx context.Context, tx *platform.Tx, it process.Item) error {
	return a.open(ctx, tx, it, a.clock.Now())
}

// open opens a work item; one of its subject and reason that is open follows what is told now.
func (a *App) open(ctx context.Context, tx *platform.Tx, it process.Item, at time.Time) error {
	open, err := store.OpenItemsOf(ctx, tx, it.Subject, it.Reason)
	if err != nil {
		return err
	}
	if len(open) == 0 {
		return a.saveItem(ctx, tx, process.Begin(a.ids.New("wki"), it, a.limits, at))
	}
	w, changed := open[0].Follow(it, a.limits, at)
	if !changed {
		return nil
	}
	return a.saveItem(ctx, tx, w)
}

// Close closes work items whose cause went away.
func (a *App) Close(ctx context.Context, tx *platform.Tx, c process.Closing) error {
	return a.closeItems(ctx, tx, c, a.clock.Now())
}

func (a *App) closeItems(ctx context.Context, tx *platform.Tx, c process.Closing, at time.Time) error {
	items, err := store.OpenItemsOf(ctx, tx, c.Subject, c.Reason)
	if err != nil {
		return err
	}
	for _, w := range items {
		if w, changed := w.Close("service/workflow", "", at); changed {
			if err := a.saveItem(ctx, tx, w); err != nil {
				return err
			}
		}
	}
	return nil
}

// send puts the commands of an outcome in the queue. The task's id is made of process and step and goes along as request
// id, so a command that is sent twice has one effect.
func (a *App) send(ctx context.Context, tx *platform.Tx, out process.Outcome) error {
	for _, c := range out.Commands {
		err := tasks.Enqueue(ctx, tx, tasks.Task{
			ID:      typeid.Derive("task", out.Process.ID, string(c.Step)),
			Kind:    string(c.Step),
			Subject: out.Process.Name(),
			Payload: []byte(c.Subject),
			Effect:  tasks.Keyed,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func history(out process.Outcome, at time.Time) []store.Step {
	result := out.Process.State.String()
	if out.Process.WaitsFor != "" {
		result += ", waits for " + out.Process.WaitsFor
	}
	steps := []store.Step{{Action: out.Action, Time: at, Result: result}}
	for _, c := range out.Commands {
		steps = append(steps, store.Step{Action: "command " + string(c.Step), Time: at, Result: c.Subject})
	}
	return steps
}

// processID is the id in a process's resource name, and itemID the one in a work item's.
func processID(name string) string { return strings.TrimPrefix(name, "processes/") }

func itemID(name string) string { return strings.TrimPrefix(name, "workItems/") }
