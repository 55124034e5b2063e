package releases

import "testing"

// Each service runs as it was last released beside the others as they are today: what comes out is the same. So each is also
// today's beside a released one of every other, and a team may deploy first or last.
func TestReleasedBesideToday(t *testing.T) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			if !*long { // a day wants the machine for itself
				t.Parallel()
			}
			old := lastRelease(t)
			s := newSuite(t)
			s.deploy(name, old.bin)
			live := s.start()
			if got := s.runs(name); got != old.version {
				t.Errorf("%s runs in version %q, want the released %q", name, got, old.version)
			}
			if *long {
				s.played(s.day())
			} else {
				order(t, live, live)
			}
			s.whole()
		})
	}
}

// A release is taken back: the store that today's program has written is read and written on by the released one, and then again
// by today's.
func TestTakenBack(t *testing.T) {
	t.Parallel()
	old := lastRelease(t)
	s := newSuite(t)
	live := s.start()
	order(t, live, disturbed{live, func(moment string) {
		switch moment {
		case "called accept":
			for _, name := range names {
				s.replace(name, old.bin)
			}
		case "called proofsOfDelivery":
			for _, name := range names {
				s.replace(name, today)
			}
		}
	}})
	s.whole()
}
