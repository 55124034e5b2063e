package chaos

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
)

// TestClockSteps steps the clocks of the running suite by an hour, one way and back and the other way and back, before, at and
// after the instant at which an offer expires. It expires once, the next carrier is asked once, and the end is that of the
// orderly run.
func TestClockSteps(t *testing.T) {
	begun := time.Now()
	draw := func(n int) int { // the first lane; the offer expires
		if n == int(fates) {
			return int(silent)
		}
		return 0
	}
	run := func(t *testing.T, at time.Time, by time.Duration) *world {
		w := newWorld(t, 1, func(*rand.Rand) rates { return rates{} })
		w.calm = true
		acts := w.errands(1, draw)
		w.tell(acts[:1])
		if by != 0 {
			must(t, w.SetClock(at))
			must(t, w.Settle(t.Context()))
			for _, off := range []time.Duration{by, 0, by, 0} {
				w.Clock.Set(at.Add(off))
				must(t, w.Settle(t.Context()))
			}
		}
		w.tell(acts[1:])
		must(t, w.heal())
		w.check()
		return w
	}
	want := run(t, time.Time{}, 0)
	expiry := time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC) // four business hours of a carrier that opens at 14:00Z
	for _, at := range []time.Time{expiry.Add(-30 * time.Minute), expiry, expiry.Add(30 * time.Minute)} {
		for _, by := range []time.Duration{time.Hour, -time.Hour} {
			t.Run(fmt.Sprintf("%s %v", at.Format("15:04"), by), func(t *testing.T) {
				w := run(t, at, by)
				if diff := cmp.Diff(want.outcome(t.Context()), w.outcome(t.Context())); diff != "" {
					t.Errorf("the end is not that of the orderly run (-want +got):\n%s", diff)
				}
				facts, err := w.facts(t.Context(), "freight")
				must(t, err)
				expired, offered := 0, 0
				for _, f := range facts {
					switch f.(type) {
					case *freightv1.TenderExpired:
						expired++
					case *freightv1.LoadTendered:
						offered++
					}
				}
				if expired != 1 || offered != 2 {
					t.Errorf("%d offers, of which %d expired, want 2 and 1", offered, expired)
				}
			})
		}
	}
	fmt.Printf("clock steps: 3 instants, an hour either way, twice each, %v\n", time.Since(begun).Round(time.Second))
}
