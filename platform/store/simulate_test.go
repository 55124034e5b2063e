package store

import (
	"errors"
	"testing"
)

// On a simulated disk what was submitted before somebody waits is one commit, and a commit that the disk does not make is one whose outcome
// is not known.
func TestSimulatedCommits(t *testing.T) {
	s := newTest(t)
	ctx := t.Context()
	commits, power := 0, true
	errPower := errors.New("no power")
	s.Simulate(func(commit func() error) error {
		if !power {
			return errPower
		}
		commits++
		return commit()
	})
	put := func(key string) *Pending {
		return s.Submit(ctx, Cause{}, func(tx *Tx) ([]byte, error) { return nil, putThing(ctx, tx, key, "v") })
	}
	first, second := put("one"), put("two")
	if commits != 0 || s.Last().Sequence != 0 {
		t.Fatalf("%d commits, last %d, before anybody waits", commits, s.Last().Sequence)
	}
	for _, p := range []*Pending{second, first} {
		if _, err := p.Wait(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if commits != 1 || s.Last().Sequence != 2 {
		t.Errorf("%d commits, last %d, want one commit of two changes", commits, s.Last().Sequence)
	}
	power = false
	if _, err := put("three").Wait(ctx); !errors.Is(err, ErrOutcomeUnknown) || !errors.Is(err, errPower) {
		t.Errorf("without power: %v, want an unknown outcome", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, Options{Path: s.path, Schema: testSchema(), Clock: s.clock, NoSync: true})
	if s.Last().Sequence != 2 {
		t.Errorf("opened again: last %d, want 2", s.Last().Sequence)
	}
	wantClean(t, s)
}
