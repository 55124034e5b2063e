package eventlog

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/store"
)

// processorTime is the user and system time that this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// told is a service whose log holds n facts of some 500 bytes, each in an entry of its own; every one concerns a key of its own.
func told(b *testing.B, n int) *service {
	s := newService(b, "a")
	ctx := context.Background()
	pending := make([]*store.Pending, 0, n)
	for i := range n {
		pending = append(pending, s.store.Submit(ctx, store.Cause{Principal: "user/dev"}, func(tx *store.Tx) ([]byte, error) {
			return nil, tx.Emit(store.Fact{Type: "Told", Subject: fmt.Sprint("orders/", i), Related: []string{fmt.Sprint("k", i)},
				Payload: wrapperspb.Bytes(make([]byte, 400))})
		}))
	}
	for _, p := range pending {
		if _, err := p.Wait(ctx); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func reportFacts(b *testing.B, begun time.Duration, at time.Time, facts int) {
	b.ReportMetric(float64((processorTime()-begun).Nanoseconds())/1000/float64(facts), "cpu-µs/fact")
	b.ReportMetric(float64(facts)/time.Since(at).Seconds(), "facts/s")
}

// BenchmarkRead reads a log over gRPC.
func BenchmarkRead(b *testing.B) {
	const n = 50_000
	a := told(b, n)
	w := newWire(b, NewServer(a.store, nil, nil))
	begun, at := processorTime(), time.Now()
	for b.Loop() {
		source, pos := Remote("a", w.conn), Position{}
		for pos.Sequence < n {
			entries, _, err := source.Read(context.Background(), pos, readBatch)
			if err != nil {
				b.Fatal(err)
			}
			pos = Position{Log: "a", Epoch: 1, Sequence: pos.Sequence + uint64(len(entries))}
		}
	}
	reportFacts(b, begun, at, b.N*n)
}

// BenchmarkConsume has one consumer take up facts that it reads over gRPC; each writes one record, with fsync.
func BenchmarkConsume(b *testing.B) {
	const n = 20_000
	a := told(b, n)
	w := newWire(b, NewServer(a.store, nil, nil))
	var begun time.Duration
	at, facts := time.Now(), 0
	for b.Loop() {
		b.StopTimer()
		st, err := store.Open(context.Background(), store.Options{Path: filepath.Join(b.TempDir(), "b.db"), Clock: clock.Fixed(start),
			Schema: store.Schema{Service: "b", Version: 1, Buckets: []*store.Bucket{effects}}})
		if err != nil {
			b.Fatal(err)
		}
		c := NewConsumer(ConsumerConfig{Log: "a", Source: Remote("a", w.conn), Store: st, Keys: func(f Fact) []string { return f.Related },
			Apply: func(ctx context.Context, tx *store.Tx, f Fact) error {
				if origin.From(ctx).Method == "" {
					b.Error("no origin")
				}
				return tx.Put(ctx, effects, store.Key(f.Position.Sequence, f.Subject), []byte(f.Related[0]))
			}})
		NewFollowers(c)
		if facts == 0 {
			at, begun = time.Now(), processorTime()
		}
		b.StartTimer()
		for progress := true; progress; {
			if progress, err = c.Step(context.Background(), start); err != nil {
				b.Fatal(err)
			}
		}
		facts += n
		if got := c.Read().Sequence; got != n {
			b.Fatalf("read up to %d of %d", got, n)
		}
		st.Close()
	}
	reportFacts(b, begun, at, facts)
}
