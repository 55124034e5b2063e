package programs

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"

	"crossdock.dev/tests/story"
)

// Each program is killed again and again while the master data is loaded, between acts and during them, before and after an
// answer, while the story waits. It is started again and the order ends the same.
func TestProgramKilled(t *testing.T) {
	moments := []string{"seed", "dropped", "call accept", "called claims", "called proofsOfDelivery", "call freightBills"}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSuite(t)
			s.Launch(t)
			live := s.ready()
			kills := 0
			var killing sync.WaitGroup
			at := func(moment string) {
				if kills < len(moments) && moments[kills] == moment {
					n := kills
					kills++
					killing.Go(func() { s.killed(name, n) })
				}
			}
			at("seed")
			fill(t, live)
			var n story.Names
			must(t, story.Play(t.Context(), live, story.HappyPath(story.Disturbed{Live: live, At: at}, document(t), &n), func(story.Act) {}))
			killing.Wait()
			if kills != len(moments) {
				t.Errorf("killed %d times, want %d", kills, len(moments))
			}
			s.ended(live, n)
		})
	}
}

// The supervisor alone, and the supervisor with every program at once, are killed in the middle. A new one on the same data
// goes on, and the order ends the same.
func TestSuiteKilled(t *testing.T) {
	tests := map[string]func(s *suite){
		"up": func(s *suite) { must(s.t, s.Up.Signal(syscall.SIGKILL)) },
		"everything": func(s *suite) {
			pids := []int{s.Up.PID()}
			for _, name := range names {
				pids = append(pids, s.PIDs(name)[0])
			}
			for _, pid := range pids {
				// A program may have ended by then: it is told to when the supervisor dies.
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
					s.t.Fatal(err)
				}
			}
		},
	}
	for name, kill := range tests {
		for _, moment := range []string{"dropped", "called accept", "called proofsOfDelivery"} {
			t.Run(name+" "+moment, func(t *testing.T) {
				t.Parallel()
				s := newSuite(t)
				s.Launch(t)
				live := s.ready()
				fill(t, live)
				var n story.Names
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				acts := story.HappyPath(story.Disturbed{Live: live, At: func(m string) {
					if m == moment {
						kill(s)
						stop() // whoever played the story is gone too
					}
				}}, document(t), &n)
				begun := -1
				if err := story.Play(ctx, live, acts, func(story.Act) { begun++ }); err == nil {
					t.Fatal("the story was played to its end")
				}
				code, err := s.Up.Wait()
				must(t, err)
				if code != -1 {
					t.Errorf("up: exit status %d, want that of a kill", code)
				}
				s.Launch(t)
				live = s.ready()
				acts = story.HappyPath(live, document(t), &n)
				must(t, story.Play(t.Context(), live, acts[begun:], func(story.Act) {}))
				s.ended(live, n)
			})
		}
	}
}

// A program that is held down ends, the others go on without it, and when it is back everybody finds it and the order ends the
// same.
func TestProgramHeld(t *testing.T) {
	for _, name := range []string{"freight", "orders", "masterdata"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSuite(t)
			s.Launch(t)
			live := s.ready()
			fill(t, live)
			var n story.Names
			drops := 0
			acts := story.HappyPath(story.Disturbed{Live: live, At: func(moment string) {
				if moment == "drop" {
					drops++
				}
				if drops > 1 {
					return
				}
				switch moment {
				case "drop":
					must(t, s.Hold(name))
					must(t, s.Up.AwaitText(t.Context(), name+": held down, exit status 0"))
				case "dropped":
					begun := time.Now()
					must(t, s.Release(name))
					settled(t, live)
					t.Logf("%s was back, and everybody had read everything, after %v", name, time.Since(begun).Round(time.Millisecond))
				}
			}}, document(t), &n)
			must(t, story.Play(t.Context(), live, acts, func(story.Act) {}))
			s.ended(live, n)
		})
	}
}
