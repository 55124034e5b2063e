package sim

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"google.golang.org/grpc"

	"crossdock.dev/tests/conductor"
)

var _ conductor.Suite = (*Suite)(nil)

// Rest gives every service its turns until the suite is at rest, and returns when its next task is due; zero is never.
func (s *Suite) Rest(ctx context.Context) (time.Time, error) {
	look := conductor.Look{Conns: map[string]grpc.ClientConnInterface{}, Down: map[string]bool{}, Inbox: s.Inbox()}
	for _, name := range Names {
		look.Conns[name] = s.Conn(name)
		look.Down[name] = !s.Up(name)
	}
	moving := ""
	for range 100 {
		if err := s.Settle(ctx); err != nil {
			return time.Time{}, err
		}
		seen, err := look.Look(ctx, s.Now(), conductor.Seen{})
		if err != nil || seen.Moving == "" {
			return seen.Due, err
		}
		moving = seen.Moving
		s.Wait(time.Minute) // what was refused backs off
	}
	return time.Time{}, fmt.Errorf("the suite does not come to rest: %s", moving)
}

// Stop closes a service that is open. What needs it is refused at once.
func (s *Suite) Stop(_ context.Context, service string, _ []string) error {
	if s.Up(service) {
		s.Close(service)
	}
	return nil
}

// Start opens a service that is closed.
func (s *Suite) Start(_ context.Context, service string) error {
	if !s.Up(service) {
		s.Open(service)
	}
	return nil
}

// OutboxDir is where the files for partners go, a folder for each.
func (s *Suite) OutboxDir() string { return filepath.Join(s.Dir, "edi", "outbox") }
