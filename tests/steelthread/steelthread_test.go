// Package steelthread follows one real purchase order through every service and compares what came of it with
// tests/day/expected.json, which was worked out by hand before there was any code.
package steelthread

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	"crossdock.dev/tests/expect"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// document is the customer's 850, as found.
func document(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(sim.Root(t), "tests", "day", "x12", "850.edi"))
	must(t, err)
	return raw
}

// play plays the happy path on a fresh suite; between is called after every act.
func play(t *testing.T, s *sim.Suite, between func(story.Act)) story.Names {
	t.Helper()
	var names story.Names
	for _, act := range story.HappyPath(s, document(t), &names) {
		if act.At.After(s.Now()) {
			must(t, s.SetClock(act.At))
		}
		if err := act.Do(t.Context()); err != nil {
			t.Fatalf("%s: %v", act.What, err)
		}
		if between != nil {
			between(act)
		}
	}
	return names
}

func TestOrderBecomesInvoice(t *testing.T) {
	s := sim.New(t)
	s.Seed()
	names := play(t, s, nil)
	expect.HappyPath(t, s, names)
	verify(t, s)
}

// verify replays every log and checks what must always hold.
func verify(t *testing.T, s *sim.Suite) {
	t.Helper()
	for _, name := range sim.Names {
		report, err := s.Store(name).Verify(t.Context())
		must(t, err)
		for _, b := range report.Breaches {
			t.Errorf("%s: %s", name, b)
		}
	}
	report, err := towerv1.NewTowerServiceClient(s.Conn("tower")).CheckInvariants(t.Context(), &towerv1.CheckInvariantsRequest{})
	must(t, err)
	for _, b := range report.GetBreaches() {
		t.Errorf("%s: %s", b.GetInvariant(), b.GetDetail())
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
