package conductor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/tests/story"
)

// Live conducts the programs of `crossdock up --story-clock`.
type Live struct {
	*story.Live
	run  story.Run
	look Look
	last Seen
}

var _ Suite = (*Live)(nil)

// Conduct makes a running suite ready to be conducted. It refuses one that is not for development: business time must come from
// the story's clock, and every service must listen on loopback.
func Conduct(run story.Run, suite *story.Live) (*Live, error) {
	if run.ClockFile == "" {
		return nil, errors.New("the suite runs on the machine's clock, which nobody may set; start it with --story-clock")
	}
	l := &Live{Live: suite, run: run, look: Look{Conns: map[string]grpc.ClientConnInterface{}, Down: map[string]bool{}, Waits: map[string]bool{}}}
	l.look.Inbox = l.Inbox()
	for name, addrs := range run.Services {
		host, _, err := net.SplitHostPort(addrs.GRPC)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			return nil, fmt.Errorf("%s listens on %s, which is not loopback: a day is played in development alone", name, addrs.GRPC)
		}
		l.look.Conns[name] = suite.Conn(name)
	}
	return l, nil
}

// Inbox is the folder that partners' files come into.
func (l *Live) Inbox() string { return filepath.Join(l.run.DataDir, "data", "edi", "inbox") }

// OutboxDir is where the files for partners go, a folder for each.
func (l *Live) OutboxDir() string { return filepath.Join(l.run.DataDir, "data", "edi", "outbox") }

// The pause between two looks doubles from the first to the last.
const (
	firstPause = time.Millisecond
	lastPause  = 10 * time.Millisecond
)

// patience is how long the suite may take to come to rest before something must be wrong. A task that was refused again and again
// is tried again after half a minute.
const patience = 3 * time.Minute

// Rest looks until the suite is at rest.
func (l *Live) Rest(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		seen, err := l.look.Look(ctx, l.Now(), l.last)
		if err != nil {
			return time.Time{}, err
		}
		if l.last = seen; seen.Moving == "" {
			return seen.Due, nil
		}
		for pause, moving := firstPause, true; moving; pause = min(2*pause, lastPause) {
			if err := wait(ctx, pause); err != nil {
				return time.Time{}, fmt.Errorf("the suite does not come to rest: %s: %w", seen.Moving, err)
			}
			if moving, err = l.look.StillMoving(ctx, l.Now(), seen); err != nil {
				return time.Time{}, err
			}
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Live) hold(service string) string { return filepath.Join(l.run.DataDir, "hold", service) }

// Stop asks the supervisor to hold a service, and returns when nobody listens where it did.
func (l *Live) Stop(ctx context.Context, service string, kinds []string) error {
	if err := os.MkdirAll(filepath.Dir(l.hold(service)), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(l.hold(service), nil, 0o600); err != nil {
		return err
	}
	l.look.Down[service] = true
	for _, k := range kinds {
		l.look.Waits[k] = true
	}
	l.last = Seen{}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", l.run.Services[service].GRPC)
		if err != nil && ctx.Err() == nil {
			return nil
		}
		if conn != nil {
			conn.Close()
		}
		if err := wait(ctx, lastPause); err != nil {
			return fmt.Errorf("%s does not stop: %w", service, err)
		}
	}
}

// Start lets the supervisor start a service again.
func (l *Live) Start(ctx context.Context, service string) error {
	err := os.Remove(l.hold(service))
	if errors.Is(err, fs.ErrNotExist) && !l.look.Down[service] {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	delete(l.look.Down, service)
	clear(l.look.Waits)
	l.last = Seen{}
	// The connection waits while nobody answers.
	if _, err := eventlogv1.NewEventLogServiceClient(l.look.Conns[service]).GetLog(ctx, &eventlogv1.GetLogRequest{}); err != nil {
		return fmt.Errorf("%s does not start again: %w", service, err)
	}
	return nil
}
