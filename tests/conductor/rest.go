package conductor

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
)

// Look is how a suite is looked at.
type Look struct {
	// Conns are connections to every service that runs, by name.
	Conns map[string]grpc.ClientConnInterface
	// Down are the services that are stopped on purpose: what needs them may wait.
	Down map[string]bool
	// Waits are the kinds of tasks that may wait for a stopped service.
	Waits map[string]bool
	// Inbox is the folder that partners' files come into.
	Inbox string
}

// Seen is what one look at the suite found.
type Seen struct {
	// Moving says what is not at rest, in words; empty when all is.
	Moving string
	// Due is when the next task is due that is not due yet; zero is never.
	Due time.Time

	where string // a service that moves
	last  map[string]position
}

type position struct{ epoch, sequence uint64 }

// Look looks once. The suite is at rest when every consumer has read its log to the end, no fact waits for another feed, no task
// is due at now that is neither done nor stopped for a person, the inbox is empty, and no log has grown since before the look
// began. before is what the look before this one found, or nothing.
//
// The last condition makes it sound: whatever was done while others were being asked has left an entry in the log of whoever did
// it, in the commit that moved its cursor or removed its task; and what was done before is in the ends of the logs that the
// cursors are held against.
func (l Look) Look(ctx context.Context, now time.Time, before Seen) (Seen, error) {
	seen := Seen{}
	if before.last == nil {
		var err error
		if before.last, err = l.ends(ctx); err != nil {
			return seen, err
		}
	}
	var mu sync.Mutex
	err := l.each(func(name string, conn grpc.ClientConnInterface) error {
		one, err := l.at(ctx, now, name, conn, before.last)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if seen.Moving == "" {
			seen.Moving, seen.where = one.Moving, one.where
		}
		if !one.Due.IsZero() && (seen.Due.IsZero() || one.Due.Before(seen.Due)) {
			seen.Due = one.Due
		}
		return nil
	})
	if err != nil {
		return seen, err
	}
	// A file goes from the inbox to its work, and from there to what is done after its effects are in the log.
	for _, folder := range []string{l.Inbox, filepath.Join(l.Inbox, ".work")} {
		entries, err := os.ReadDir(folder)
		if err != nil && !os.IsNotExist(err) {
			return seen, err
		}
		for _, e := range entries {
			if seen.Moving == "" && e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") && !strings.HasSuffix(e.Name(), ".part") {
				seen.Moving = e.Name() + " is being taken in"
			}
		}
	}
	if seen.last, err = l.ends(ctx); err != nil {
		return seen, err
	}
	for _, name := range slices.Sorted(maps.Keys(seen.last)) {
		if seen.Moving == "" && seen.last[name] != before.last[name] {
			seen.Moving = "the log of " + name + " grows"
		}
	}
	return seen, nil
}

// StillMoving says whether the service that a look found busy is busy still, against the ends that the look saw. It asks nobody else;
// that the suite is at rest is for another look to say.
func (l Look) StillMoving(ctx context.Context, now time.Time, seen Seen) (bool, error) {
	if seen.where == "" {
		return false, nil
	}
	one, err := l.at(ctx, now, seen.where, l.Conns[seen.where], seen.last)
	return one.Moving != "", err
}

// at looks at one service, whose cursors are held against the ends of the logs.
func (l Look) at(ctx context.Context, now time.Time, name string, conn grpc.ClientConnInterface, ends map[string]position) (Seen, error) {
	seen := Seen{where: name}
	log := eventlogv1.NewEventLogServiceClient(conn)
	consumers, err := log.ListConsumers(ctx, &eventlogv1.ListConsumersRequest{})
	if err != nil {
		return seen, fmt.Errorf("consumers of %s: %w", name, err)
	}
	for _, c := range consumers.GetConsumers() {
		if l.Down[c.GetLog()] {
			continue
		}
		end, cursor := ends[c.GetLog()], c.GetCursor()
		switch {
		case cursor.GetSequence() < end.sequence:
			seen.Moving = fmt.Sprintf("%s has read %s up to %d of %d %s", name, c.GetLog(), cursor.GetSequence(), end.sequence, c.GetError())
			return seen, nil
		case c.GetDeferred() > 0 && !l.anyDown():
			seen.Moving = fmt.Sprintf("%s has %d facts of %s that wait for another feed", name, c.GetDeferred(), c.GetLog())
			return seen, nil
		}
	}
	tasks, err := l.tasks(ctx, log)
	if err != nil {
		return seen, fmt.Errorf("tasks of %s: %w", name, err)
	}
	for _, t := range tasks {
		due := t.GetDueTime().AsTime()
		switch {
		case t.GetState() != eventlogv1.Task_PENDING: // waits for a person
		case t.GetDueTime() != nil && due.After(now):
			if seen.Due.IsZero() || due.Before(seen.Due) {
				seen.Due = due
			}
		case l.anyDown() && (t.GetAttempts() > 0 || l.Waits[t.GetKind()]): // refused, or about to be
		default:
			seen.Moving = fmt.Sprintf("task %s of %s, %s %s: %d attempts %s", t.GetKind(), name, t.GetName(), t.GetSubject(), t.GetAttempts(), t.GetLastError())
			return seen, nil
		}
	}
	return seen, nil
}

func (l Look) tasks(ctx context.Context, log eventlogv1.EventLogServiceClient) ([]*eventlogv1.Task, error) {
	var out []*eventlogv1.Task
	req := &eventlogv1.ListTasksRequest{PageSize: 1000}
	for {
		page, err := log.ListTasks(ctx, req)
		if err != nil {
			return nil, err
		}
		out = append(out, page.GetTasks()...)
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			return out, nil
		}
	}
}

func (l Look) anyDown() bool {
	for _, down := range l.Down {
		if down {
			return true
		}
	}
	return false
}

// ends are the ends of all logs.
func (l Look) ends(ctx context.Context) (map[string]position, error) {
	var mu sync.Mutex
	out := map[string]position{}
	err := l.each(func(name string, conn grpc.ClientConnInterface) error {
		log, err := eventlogv1.NewEventLogServiceClient(conn).GetLog(ctx, &eventlogv1.GetLogRequest{})
		if err != nil {
			return fmt.Errorf("log of %s: %w", name, err)
		}
		mu.Lock()
		defer mu.Unlock()
		out[name] = position{log.GetLast().GetEpoch(), log.GetLast().GetSequence()}
		return nil
	})
	return out, err
}

// each asks all services that run at once, and returns the first error.
func (l Look) each(ask func(name string, conn grpc.ClientConnInterface) error) error {
	errs := make(chan error, len(l.Conns))
	asked := 0
	for name, conn := range l.Conns {
		if l.Down[name] {
			continue
		}
		asked++
		go func() { errs <- ask(name, conn) }()
	}
	var first error
	for range asked {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}
