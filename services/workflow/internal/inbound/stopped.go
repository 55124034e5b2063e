package inbound

import (
	"context"
	"fmt"
	"strings"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/workflow/internal/app"
	"crossdock.dev/services/workflow/internal/process"
)

// stopped reads, beside what a service tells of its trade, which of its tasks, and of the facts that it could not apply, wait for a person.
type stopped struct {
	app *app.App
	eventlog.Reader
}

func (s stopped) reader() eventlog.Reader {
	out := s.Reader
	out.Keys, out.Apply = s.keys, s.apply
	return out
}

func (s stopped) keys(f eventlog.Fact) []string {
	switch f.Payload.(type) {
	case *eventlogv1.TaskStopped, *eventlogv1.TaskReleased, *eventlogv1.FactParked, *eventlogv1.FactReleased:
		return []string{f.Subject}
	}
	return s.Keys(f)
}

func (s stopped) apply(ctx context.Context, tx *store.Tx, f eventlog.Fact) error {
	switch m := f.Payload.(type) {
	case *eventlogv1.TaskStopped:
		t := m.GetTask()
		it := process.Item{
			Reason: process.TaskFailed, Owner: process.Integration, Subject: f.Subject, Related: f.Related,
			Detail: fmt.Sprintf("Task %s of %s has failed for good: %s.", t.GetKind(), s.Log, plain(t.GetLastError())),
		}
		if t.GetState() == eventlogv1.Task_IN_DOUBT {
			it.Reason = process.TaskInDoubt
			it.Detail = fmt.Sprintf("Whether task %s of %s went through is not known: %s.", t.GetKind(), s.Log, plain(t.GetLastError()))
		}
		return s.app.Open(ctx, tx, it)
	case *eventlogv1.FactParked:
		p := m.GetParkedFact()
		return s.app.Open(ctx, tx, process.Item{
			Reason: process.FactParked, Owner: process.Integration, Subject: f.Subject, Related: f.Related,
			Detail: fmt.Sprintf("%s could not apply %s of %s/%d, and what follows it waits: %s.", s.Log, p.GetType(), p.GetPosition().GetLog(),
				p.GetPosition().GetSequence(), plain(p.GetReason())),
		})
	case *eventlogv1.TaskReleased, *eventlogv1.FactReleased:
		return s.app.Close(ctx, tx, process.Closing{Subject: f.Subject})
	}
	return s.Apply(ctx, tx, f)
}

// plain is what somebody else says, as a part of a sentence.
func plain(text string) string { return strings.TrimRight(text, ". ") }
