package releases

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"crossdock.dev/tests/story"
)

// Each service in turn is stopped, replaced by another build and started, while the suite is at work: nothing is lost.
func TestReplacedAtWork(t *testing.T) {
	t.Parallel()
	s := newSuite(t)
	live := s.start()
	turn := shuffled(*shuffle)
	t.Log("replaced in this order:", label(turn))
	if *long {
		day := s.day()
		random := rand.New(rand.NewPCG(*shuffle, 1))
		for _, folder := range []string{next, today} {
			for _, name := range turn {
				select {
				case <-day.Ended():
					t.Fatalf("the day ended before %s was replaced\n%s", name, day.Text())
				case <-time.After(time.Duration(random.Int64N(int64(2 * time.Second)))):
				}
				s.replace(name, folder)
			}
		}
		s.played(day)
		s.whole()
		return
	}
	var replacing sync.WaitGroup
	order(t, live, story.Disturbed{Live: live, At: func(string) { // one after another, while partners and services go on
		if replacing.Wait(); len(turn) > 0 {
			name := turn[0]
			turn = turn[1:]
			replacing.Go(func() { s.replace(name, next) })
		}
	}})
	replacing.Wait()
	if len(turn) > 0 {
		t.Errorf("the order was over before these were replaced: %v", turn)
	}
	s.whole()
}

// shuffled are the services in an order that the seed gives.
func shuffled(seed uint64) []string {
	out := slices.Clone(names)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
