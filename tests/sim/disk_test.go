package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/store"
)

// Whatever part of a commit reaches the disk when the power fails, the store opens as it was before, and is whole.
func TestTornCommits(t *testing.T) {
	ctx, r := context.Background(), rand.New(rand.NewPCG(1, 1))
	rows := &store.Bucket{Name: "rows", Kind: store.Record, Doc: "key → bytes"}
	path := filepath.Join(memory(t), "rows.db")
	open := func() *store.Store {
		s, err := store.Open(ctx, store.Options{
			Path: path, Schema: store.Schema{Service: "rows", Version: 1, Buckets: []*store.Bucket{rows}}, Clock: clock.Fixed(time.Unix(0, 0)), NoSync: true,
		})
		must(t, err)
		return s
	}
	write := func(s *store.Store, n int) error {
		_, err := s.Change(ctx, store.Cause{}, func(tx *store.Tx) ([]byte, error) {
			for i := range n {
				value := make([]byte, 1+r.IntN(8000))
				for at := range value {
					value[at] = byte(r.Uint32())
				}
				if err := tx.Put(ctx, rows, fmt.Appendf(nil, "%d", i), value); err != nil {
					return nil, err
				}
			}
			return nil, nil
		})
		return err
	}
	differ := 0
	for round := range 100 {
		s := open()
		power, image := true, []byte(nil)
		s.Simulate(func(commit func() error) error {
			if power {
				return commit()
			}
			before, err := os.ReadFile(path)
			must(t, err)
			must(t, commit())
			after, err := os.ReadFile(path)
			must(t, err)
			image = torn(before, after, r)
			if string(image) != string(before) {
				differ++
			}
			return errPower
		})
		must(t, write(s, 1+r.IntN(5)))
		want := s.Last()
		power = false
		if err := write(s, 1+r.IntN(5)); err == nil {
			t.Fatal("a commit without power was acknowledged")
		}
		must(t, s.Close())
		must(t, os.WriteFile(path, image, 0o600))
		s = open()
		if got := s.Last(); got != want {
			t.Fatalf("round %d: the log ends at %d, want %d", round, got.Sequence, want.Sequence)
		}
		s.Simulate(func(commit func() error) error { return commit() })
		for range 2 { // the next commits write both meta pages anew
			must(t, write(s, 1))
		}
		report, err := s.Verify(ctx)
		must(t, err)
		for _, b := range report.Breaches {
			t.Errorf("round %d: %s", round, b)
		}
		must(t, s.Close())
	}
	if differ < 75 {
		t.Errorf("only %d of 100 files were torn", differ)
	}
}
