package torture

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Ways between programs are cut, reset, silenced or slowed while flows are in flight, each for one to thirty seconds, many at the same
// time. The flows end after that, and nothing has happened twice.
func TestNetwork(t *testing.T) {
	a := begin(t, 120*time.Second)
	var n *network
	w := openWorld(a, shipped, func(w *world) {
		w.suite.Programs = t.TempDir()
		for _, name := range names {
			program, err := filepath.Abs(filepath.Join(shipped, name))
			must(t, err)
			must(t, os.Symlink(program, filepath.Join(w.suite.Programs, name)))
		}
		n = newNetwork(t, w.suite)
	})
	l := w.startLoad(200)
	links := make([]*link, 0, len(n.links))
	for _, i := range a.r.Perm(len(n.links)) {
		links = append(links, n.links[i])
	}
	links = links[:times(6, len(links))]
	var disturbing sync.WaitGroup
	for i, x := range links {
		how, after, during := disturbances[i%len(disturbances)], a.between(0, 3*time.Second), a.between(time.Second, 30*time.Second)
		a.say("%v: %s for %.1f s", x, how, during.Seconds())
		disturbing.Go(func() {
			if wait(t.Context(), after) != nil {
				return
			}
			if err := x.disturb(how); err != nil {
				t.Error(err)
			}
			_ = wait(t.Context(), during) // healed at the end of the test all the same
			if err := x.heal(t.Context(), how); err != nil {
				t.Error(err)
			}
		})
	}
	disturbing.Wait()
	begun := l.count()
	l.check()
	a.over("%d of %d links disturbed, %d flows begun until they were healed", len(links), len(n.links), begun)
}
