package torture

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Programs are killed at random instants while flows are in flight, some of them while they start. Each is ready again within two
// seconds of its start; on a loaded machine that is told, and only half a minute is too long.
func TestKill(t *testing.T) {
	a := begin(t, 45*time.Second)
	w := openWorld(a, shipped)
	l := w.startLoad(200)
	kills := times(25, 500)
	var measuring sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	slowest := ""
	for n := 0; n < kills; {
		must(t, wait(t.Context(), a.between(0, 800*time.Millisecond)))
		name := names[a.r.IntN(len(names))]
		had := len(w.suite.PIDs(name))
		must(t, w.suite.Kill(name))
		n++
		measuring.Go(func() {
			d, ok, err := w.ready(t.Context(), name, had)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if ok {
				if took = append(took, d); d == slices.Max(took) {
					slowest = name
				}
			}
		})
	}
	measuring.Wait()
	atKills := l.count()
	l.check()
	slices.Sort(took)
	a.say("ready after the start: median %v, slowest %v (%s), %d measured; %s", took[len(took)/2].Round(time.Millisecond), slices.Max(took).Round(time.Millisecond),
		slowest, len(took), within(took, 2*time.Second))
	if slices.Max(took) > 30*time.Second {
		t.Errorf("ready only after %v", slices.Max(took))
	}
	a.over("%d kills, %d flows begun until the last", kills, atKills)
}

func within(took []time.Duration, limit time.Duration) string {
	late := len(took)
	for _, d := range took {
		if d <= limit {
			late--
		}
	}
	if late == 0 {
		return fmt.Sprintf("all within %v", limit)
	}
	return strings.TrimSpace(fmt.Sprintf("%d of %d later than %v", late, len(took), limit))
}
