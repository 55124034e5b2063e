package app

import (
	"context"
	"fmt"
	"path"

	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/platform/failpoint"
	"crossdock.dev/platform/tasks"
)

// send puts one of our interchanges into the outbox of its partner. Its file's name is that of its record, so that writing it
// again is harmless as long as nobody has fetched it; a repeat therefore looks first.
func (a *App) send(ctx context.Context, t tasks.Task) (tasks.Done, error) {
	x, s, err := a.load(ctx, t)
	if err != nil {
		return nil, err
	}
	content, err := a.Documents.Section(x.Document, 0, x.Size)
	if err != nil {
		return nil, fmt.Errorf("document %s: %w", x.Document, err)
	}
	folder, there := path.Base(x.Party), false
	if t.Attempts > 0 {
		if there, err = a.Outbox.Holds(folder, x.FileName, content); err != nil {
			return nil, err
		}
	}
	if !there {
		failpoint.Hit("edi.outbox.before")
		if err := a.Outbox.Put(folder, x.FileName, content); err != nil {
			return nil, err
		}
	}
	failpoint.Hit("edi.outbox.after")
	return a.settle(x, s, message.Verdict{Disposition: message.Applied}), nil
}
