package releases

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"crossdock.dev/tests/story"
)

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
			if got := version(t, s.Programs, name); got != old.version {
				t.Errorf("%s is of version %q, want the released %q", name, got, old.version)
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

// A deploy is taken back: the store that today's program has written is read and written on by the released one, and then again
// by today's.
func TestTakenBack(t *testing.T) {
	t.Parallel()
	old := lastRelease(t)
	s := newSuite(t)
	live := s.start()
	forward := onlyForward(t, old.version)
	all := func(folder string) {
		for _, name := range names {
			if !slices.Contains(forward, name) {
				s.replace(name, folder)
			}
		}
	}
	order(t, live, story.Disturbed{Live: live, At: func(moment string) {
		switch moment {
		case "called accept":
			all(old.bin)
		case "called proofsOfDelivery":
			all(today)
		}
	}})
	s.whole()
}

var notTakenBack = regexp.MustCompile(`(?m)^Not taken back in place: (.*)$`)

// onlyForward are the services of which the notes of what comes after a release say that their stores cannot be taken back to it.
func onlyForward(t *testing.T, version string) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root(), "RELEASES.md"))
	must(t, err)
	notes, _, found := strings.Cut(string(raw), "\n## "+version+"\n")
	if !found {
		return nil // nothing was released before
	}
	var out []string
	for _, m := range notTakenBack.FindAllStringSubmatch(notes, -1) {
		for name := range strings.SplitSeq(m[1], ",") {
			if name = strings.TrimSpace(name); !slices.Contains(names, name) {
				t.Fatalf("RELEASES.md: %q is no service", name)
			}
			out = append(out, name)
		}
	}
	return out
}
