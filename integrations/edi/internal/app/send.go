package app

import (
	"context"
	"errors"
	"fmt"
	"path"

	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/integrations/edi/internal/transport"
	"crossdock.dev/platform/failpoint"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
)

// Prepare gives, by kind of task, what is done before the first attempt is remembered: it may be done again, and nobody outside sees it.
func (a *App) Prepare() map[string]func(context.Context, tasks.Task) error {
	return map[string]func(context.Context, tasks.Task) error{sendTask: a.prepare}
}

// prepare puts the file of one of our interchanges beside the outbox's. From the first attempt on, a file that stands there has not been
// sent.
func (a *App) prepare(ctx context.Context, t tasks.Task) error {
	x, _, err := a.load(ctx, t)
	if err != nil {
		return err
	}
	content, err := a.content(x)
	if err != nil {
		return err
	}
	return a.Outbox.Prepare(path.Base(x.Party), x.ID, content)
}

// errFetched: the file is neither where it waited nor where the partner finds it.
var errFetched = errors.New("the file was being sent when the program ended, and is not in the outbox: the partner may have fetched it")

// send gives one of our interchanges to its partner: its file is renamed into the outbox. Where an earlier attempt was not heard of, the
// file tells whether it was sent; only when the partner has taken it away, or somebody else has, nothing does.
func (a *App) send(ctx context.Context, t tasks.Task) (tasks.Done, error) {
	x, s, err := a.load(ctx, t)
	if err != nil {
		return nil, err
	}
	failpoint.Hit("edi.outbox.before")
	err = a.Outbox.Send(path.Base(x.Party), x.ID, x.FileName)
	if errors.Is(err, transport.ErrNotPrepared) {
		err = a.lookUp(x)
	}
	if err != nil {
		return nil, err
	}
	failpoint.Hit("edi.outbox.after")
	return a.settle(x, s, message.Verdict{Disposition: message.Applied}), nil
}

// Dropped gives, by kind of task, what is recorded when a person takes one off the list.
func (a *App) Dropped() map[string]func(context.Context, tasks.Task, tasks.Decision) (tasks.Done, error) {
	return map[string]func(context.Context, tasks.Task, tasks.Decision) (tasks.Done, error){sendTask: a.decided}
}

// decided records what a person says of one of our interchanges: its partner has it, or is not to get it any more.
func (a *App) decided(ctx context.Context, t tasks.Task, d tasks.Decision) (tasks.Done, error) {
	x, s, err := a.load(ctx, t)
	if err != nil {
		return nil, err
	}
	if d.WentThrough {
		return a.settle(x, s, message.Verdict{Disposition: message.Applied}), nil
	}
	settle := a.settle(x, s, message.Verdict{Disposition: message.Duplicate, Reason: "not sent: " + message.Clean(d.Note, 400)})
	return func(ctx context.Context, tx *platform.Tx) error {
		return errors.Join(settle(ctx, tx), tasks.Cancel(ctx, tx, store.AckTimer(x.ID)))
	}, nil
}

// lookUp fails when the outbox does not hold the file of one of our interchanges.
func (a *App) lookUp(x message.Interchange) error {
	content, err := a.content(x)
	if err != nil {
		return err
	}
	switch there, err := a.Outbox.Holds(path.Base(x.Party), x.FileName, content); {
	case err != nil:
		return err
	case !there:
		return tasks.InDoubt(errFetched)
	}
	return nil
}

// content is the bytes of one of our interchanges.
func (a *App) content(x message.Interchange) ([]byte, error) {
	content, err := a.Documents.Section(x.Document, 0, x.Size)
	if err != nil {
		return nil, fmt.Errorf("document %s: %w", x.Document, err)
	}
	return content, nil
}

// sending is the task that sends one of our interchanges. Those to one party go in order.
func sending(x message.Interchange, s message.Set) tasks.Task {
	return tasks.Task{
		ID: sendTask + ":" + x.ID, Kind: sendTask, Subject: "outbox/" + x.Party, Payload: work(x.ID, 1), Effect: tasks.Lookup,
		Related: append([]string{x.Name()}, s.Related...),
	}
}

// Tidy removes files that were prepared for tasks that are no more. It is called before the first task.
func (a *App) Tidy(ctx context.Context) error {
	return a.Store.View(ctx, func(r platform.Reader) error {
		return a.Outbox.Tidy(func(id string) (bool, error) {
			_, err := tasks.Get(ctx, r, sending(message.Interchange{ID: id}, message.Set{}).ID)
			if errors.Is(err, store.ErrNotFound) {
				return false, nil
			}
			return err == nil, err
		})
	})
}
