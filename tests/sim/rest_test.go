package sim_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	"crossdock.dev/tests/conductor"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// A suite that a look calls at rest does nothing more, whichever loop has had its turn last.
func TestRestIsRest(t *testing.T) {
	s := sim.New(t)
	s.Seed()
	must(t, s.SetClock(story.Start.Add(5*time.Minute)))
	look := conductor.Look{Conns: map[string]grpc.ClientConnInterface{}, Inbox: s.Inbox()}
	for _, name := range sim.Names {
		look.Conns[name] = s.Conn(name)
	}
	document, err := os.ReadFile(filepath.Join(sim.Root(t), "tests", "day", "x12", "850.edi"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(s.Inbox(), "po.edi"), document, 0o600))
	looks := 0
	for moved := true; moved; {
		moved = false
		for _, turn := range s.Turns() {
			seen, err := look.Look(t.Context(), s.Now(), conductor.Seen{})
			must(t, err)
			progress, err := s.Step(t.Context(), turn)
			must(t, err)
			if progress && seen.Moving == "" {
				t.Errorf("%v had work to do in a suite that was called at rest", turn)
			}
			moved = moved || progress
			looks++
		}
		s.Wait(time.Minute)
	}
	seen, err := look.Look(t.Context(), s.Now(), conductor.Seen{})
	must(t, err)
	// The carrier has three of its business hours, and opens at 8 in New York.
	if got, want := fmt.Sprint(seen.Moving, " ", seen.Due.UTC().Format(time.RFC3339)), " 2026-03-02T16:00:00Z"; got != want {
		t.Errorf("after %d looks: %q, want at rest until %q", looks, got, want)
	}
	if shipments := count(t, s); shipments != 1 {
		t.Errorf("%d shipments, want 1: nothing happened", shipments)
	}
}

func count(t *testing.T, s *sim.Suite) int {
	t.Helper()
	found, err := freightv1.NewFreightServiceClient(s.Conn("freight")).ListShipments(t.Context(), &freightv1.ListShipmentsRequest{})
	must(t, err)
	return len(found.GetShipments())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
