package store

import (
	"sync"

	"go.etcd.io/bbolt"
)

// Simulate puts a simulated disk under the store: disk makes a commit by calling commit, or does not, and its error is that of a
// commit whose outcome is not known. Nothing is synced to the machine's disk from here on. Changes are made when somebody waits for
// one, by that goroutine and all that were submitted at once, so that the same calls make the same commits. It is called before the
// first change, in simulations alone.
func (s *Store) Simulate(disk func(commit func() error) error) {
	s.db.NoSync, s.db.NoGrowSync, s.db.AllocSize = true, true, 1<<18
	s.commit = func(btx *bbolt.Tx) error { return disk(btx.Commit) }
	s.inline = &inline{run: s.run}
}

// inline makes changes without a goroutine.
type inline struct {
	run  func(batch []*Pending)
	mu   sync.Mutex
	held []*Pending
}

func (i *inline) add(p *Pending) *Pending {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.held = append(i.held, p)
	p.inline = i
	return p
}

// make makes what was submitted.
func (i *inline) make() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for len(i.held) > 0 {
		n := min(len(i.held), maxBatch)
		batch := i.held[:n:n]
		i.held = i.held[n:]
		i.run(batch)
	}
}
