package store

import "go.etcd.io/bbolt"

// Simulate puts a simulated disk under the store: disk makes a commit by calling commit, or does not, and its error is that of a
// commit whose outcome is not known. Nothing is synced to the machine's disk from here on. It is called before the first change, in
// simulations alone.
func (s *Store) Simulate(disk func(commit func() error) error) {
	s.db.NoSync, s.db.NoGrowSync = true, true
	s.commit = func(btx *bbolt.Tx) error { return disk(btx.Commit) }
}
