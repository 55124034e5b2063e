package conductor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"crossdock.dev/tests/conductor"
	"crossdock.dev/tests/story"
)

var start = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)

// stage is a suite and a player that keep a diary.
type stage struct {
	now   time.Time
	diary []string
	dues  []time.Time          // of the suite's tasks
	does  map[string]time.Time // what the player does, once
	fails string               // what the player fails to do
	down  bool
}

func (s *stage) note(format string, args ...any) {
	s.diary = append(s.diary, s.now.Format("15:04 ")+fmt.Sprintf(format, args...))
}

func (s *stage) Now() time.Time { return s.now }

func (s *stage) SetClock(at time.Time) error {
	s.now = at
	return nil
}

func (s *stage) Rest(context.Context) (next time.Time, err error) {
	for _, due := range s.dues {
		if due.Equal(s.now) {
			s.note("task")
		}
		if due.After(s.now) && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	s.dues = slices.DeleteFunc(s.dues, s.now.Equal)
	return next, nil
}

func (s *stage) Stop(_ context.Context, service string, _ []string) error {
	if !s.down {
		s.note("%s stops", service)
	}
	s.down = true
	return nil
}

func (s *stage) Start(_ context.Context, service string) error {
	if s.down {
		s.note("%s starts", service)
	}
	s.down = false
	return nil
}

func (s *stage) Name() string { return "player" }

func (s *stage) Step(_ context.Context, now time.Time) (did bool, next time.Time, err error) {
	for what, at := range s.does {
		switch {
		case at.After(now):
			if next.IsZero() || at.Before(next) {
				next = at
			}
		case what == s.fails:
			return did, next, errors.New("the door is closed")
		default:
			s.note("%s", what)
			delete(s.does, what)
			did = true
		}
	}
	return did, next, nil
}

func TestPlay(t *testing.T) {
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	s := &stage{now: start, dues: []time.Time{at(5), at(30), at(90)}, does: map[string]time.Time{"order": at(0), "bill": at(30), "late": at(70)}, fails: "bill"}
	c := conductor.Config{Suite: s, Players: []conductor.Player{s}, Own: t.TempDir(), End: at(60),
		Outages: []conductor.Outage{{Service: "freight", From: at(10), Until: at(20)}}}
	if err := conductor.Play(t.Context(), c); err == nil || !strings.Contains(err.Error(), "2026-03-02T11:30:00Z: player: the door is closed") {
		t.Errorf("Play = %v, want the player's error with its moment", err)
	}
	s.fails = ""
	if err := conductor.Play(t.Context(), c); err != nil { // goes on where it was
		t.Error(err)
	}
	want := []string{"11:00 order", "11:05 task", "11:10 freight stops", "11:20 freight starts", "11:30 task", "11:30 bill"}
	if !slices.Equal(s.diary, want) || !s.now.Equal(at(60)) {
		t.Errorf("%v\n%q\nwant 12:00\n%q", s.now, s.diary, want)
	}
	if !c.Stopped() {
		t.Error("nobody knows that freight was stopped")
	}
}

// A conductor that is ended while a service is down holds it down when it comes again.
func TestPlayGoesOnDuringOutage(t *testing.T) {
	s := &stage{now: start.Add(15 * time.Minute)}
	c := conductor.Config{Suite: s, Own: t.TempDir(), End: start.Add(time.Hour),
		Outages: []conductor.Outage{{Service: "freight", From: start.Add(10 * time.Minute), Until: start.Add(20 * time.Minute)}}}
	if c.Stopped() {
		t.Error("freight counts as stopped before it was")
	}
	if err := conductor.Play(t.Context(), c); err != nil {
		t.Error(err)
	}
	if want := []string{"11:15 freight stops", "11:20 freight starts"}; !slices.Equal(s.diary, want) {
		t.Errorf("%q, want %q", s.diary, want)
	}
}

// Only a suite for development is conducted.
func TestConductRefuses(t *testing.T) {
	run := func(grpc, clockFile string) story.Run {
		var r story.Run
		r.ClockFile = clockFile
		r.Services = map[string]struct {
			GRPC string `json:"grpc"`
		}{"orders": {grpc}}
		return r
	}
	for name, r := range map[string]story.Run{
		"the machine's clock": run("127.0.0.1:7102", ""),
		"another machine":     run("10.0.0.7:7102", "clock.json"),
		"every address":       run("0.0.0.0:7102", "clock.json"),
		"a name":              run("orders.example:7102", "clock.json"),
	} {
		if _, err := conductor.Conduct(r, &story.Live{}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
