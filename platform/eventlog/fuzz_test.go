package eventlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/store"
)

// given is a feed of one entry.
type given struct{ entry Entry }

func (g given) Read(_ context.Context, after Position, _ int) ([]Entry, Position, error) {
	last := Position{Log: "a", Epoch: 1, Sequence: 1}
	if after.Sequence > 0 {
		return nil, last, nil
	}
	return []Entry{g.entry}, last, nil
}

func (given) Changed(context.Context, Position) <-chan struct{} { return nil }
func (given) Line(context.Context) (store.Line, error)          { return nil, nil }

// FuzzFeed: a first entry of any bytes is refused as a broken feed, and then nothing of it is stored; or it is read whole, and every fact of it is
// counted. The hash is that of the bytes, or nothing would get past it, but where wrong says otherwise. Names of parked facts are read
// as they are written.
func FuzzFeed(f *testing.F) {
	a := newService(f, "a")
	a.tell("A1:k1,k2+A2:k2", "A3:k", "A4")
	entries, _, err := Local(a.store).Read(f.Context(), Position{}, 0)
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		f.Add(e.Head, false, "000000000000002a-0000")
		f.Add(e.Head, true, "0-0")
	}
	f.Add([]byte{}, false, "-")
	schema := store.Schema{Service: "b", Version: 1, Buckets: []*store.Bucket{effects}}
	st, err := store.Open(f.Context(), store.Options{Path: filepath.Join(f.TempDir(), "b.db"), Clock: clock.Fixed(start), NoSync: true, InitialMmapSize: 1 << 22, Schema: schema})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { st.Close() })
	record := func(t *testing.T, c *Consumer) *eventlogv1.Consumer {
		status, err := c.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	f.Fuzz(func(t *testing.T, head []byte, wrong bool, name string) {
		if sequence, index, err := parseWaitingName(name); err == nil && waitingName(sequence, index) != name {
			t.Fatalf("%q names the fact %d, %d", name, sequence, index)
		}
		// Each entry is read by a consumer that has read nothing.
		if _, err := st.Change(t.Context(), store.Cause{Principal: "user/dev"}, func(tx *store.Tx) ([]byte, error) {
			for _, b := range []*store.Bucket{store.Consumers, store.ParkedFacts, store.DeferredFacts, effects} {
				if err := store.Each(t.Context(), tx, b, nil, func(kv store.KV) error { return tx.Delete(t.Context(), b, kv.Key) }); err != nil {
					return nil, err
				}
			}
			return nil, nil
		}); err != nil {
			t.Fatal(err)
		}
		hash := sha256.Sum256(head)
		if wrong {
			hash[0]++
		}
		s := &service{t: t, store: st}
		c := NewConsumer(ConsumerConfig{Log: "a", Source: given{Entry{Head: head, Hash: hash[:]}}, Store: st, Keys: func(f Fact) []string { return f.Related }, Apply: s.apply})
		NewFollowers(c).Stepping = true
		_, err := c.Step(t.Context(), start)
		got := record(t, c)
		if err != nil {
			if !errors.Is(err, ErrBrokenFeed) || got.Read != 0 {
				t.Fatalf("%x: %v with %d facts read, want a broken feed and none", head, err, got.Read)
			}
			return
		}
		var h eventlogv1.Head
		if err := proto.Unmarshal(head, &h); wrong || err != nil {
			t.Fatalf("%x was read: %v", head, err)
		}
		if n := uint64(len(h.Facts)); got.Read != n || got.Applied+got.Ignored+got.Deferred+got.Parked != n || !bytes.Equal(c.at.hash, hash[:]) {
			t.Fatalf("%d facts are counted as %v", n, got)
		}
	})
}
