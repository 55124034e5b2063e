package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/types/known/timestamppb"

	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/clock"
)

// The benchmarks stand beside the limit measured in the same run: what a raw append with fdatasync costs, and a bare bbolt
// commit. Figures depend on the machine, ratios to these two do not.

func BenchmarkRawAppend(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for b.Loop() {
		if _, err := f.Write(block); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBareBbolt(b *testing.B) {
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "bare"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	value, n := make([]byte, 200), uint64(0)
	for b.Loop() {
		n++
		err := db.Update(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte("b"))
			if err != nil {
				return err
			}
			return bucket.Put(Key(n), value)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkChange makes changes of one record and one fact, with request ids, from one caller and from many.
func BenchmarkChange(b *testing.B) {
	for _, callers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			ctx := context.Background()
			o := testOptions(filepath.Join(b.TempDir(), "test.db"))
			o.NoSync, o.InitialMmapSize = false, 0
			s := openTest(b, o)
			value := make([]byte, 200)
			next := make(chan uint64, callers)
			done := make(chan error, callers)
			for range callers {
				go func() {
					var failed error
					for n := range next {
						_, err := s.Change(ctx, request(fmt.Sprint(n)), func(tx *Tx) ([]byte, error) {
							if err := tx.Emit(Fact{Type: "ThingMade", Subject: "things/x"}); err != nil {
								return nil, err
							}
							return value[:20], tx.Put(ctx, things, Key(n), value)
						})
						if err != nil {
							failed = err
						}
					}
					done <- failed
				}()
			}
			n := uint64(0)
			for b.Loop() {
				n++
				next <- n
			}
			close(next)
			for range callers {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// cpu is the user and system time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reportCPU adds the processor time per operation, which other programs on the machine disturb less than the time that passes.
func reportCPU(b *testing.B, begun time.Duration) {
	b.ReportMetric(float64((cpu()-begun).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
}

// The schema of an order-like service: a dozen buckets, of which a change writes a few.
var (
	bench = struct{ orders, lines, byNumber, byState, series *Bucket }{
		&Bucket{Name: "orders", Kind: Record, Doc: "id → order"},
		&Bucket{Name: "order_lines", Kind: Record, Doc: "id, line → line"},
		&Bucket{Name: "orders_by_number", Kind: Record, Doc: "customer, number → id"},
		&Bucket{Name: "orders_by_state", Kind: Derived, Doc: "state, id → nothing"},
		&Bucket{Name: "series", Kind: Record, Doc: "name → last number given"},
	}
	benchSchema = Schema{Service: "orders", Version: 1, Buckets: []*Bucket{bench.orders, bench.lines, bench.byNumber, bench.byState, bench.series,
		{Name: "quantities", Kind: Record, Doc: "unused"}, {Name: "holds", Kind: Record, Doc: "unused"}, {Name: "claims", Kind: Record, Doc: "unused"},
		{Name: "people", Kind: Personal, Doc: "unused"}, {Name: "orders_by_due", Kind: Derived, Doc: "unused"}},
		Rebuild: func(ctx context.Context, r Reader, w *DerivedWriter) error {
			return Each(ctx, r, bench.orders, nil, func(kv KV) error { return w.Put(ctx, bench.byState, Key("CONFIRMED", kv.Key), nil) })
		}}
)

// benchTime is when order n is made: two million a day, so that ten million fill five days.
func benchTime(n uint64) time.Time { return start.Add(time.Duration(n) * 24 * time.Hour / 2_000_000) }

// createOrder is a change as CreateOrder makes it: one order of three lines, its business key, a number, an index row, one fact and one
// answer, asked for with a random request id.
func createOrder(ctx context.Context, s *Store, n uint64) error {
	print := sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))
	id := fmt.Sprintf("ord_%013x%06x", n, print[:3]) // time-ordered, as ids are
	at := timestamppb.New(benchTime(n))
	order := &storagev1.TaskRecord{Number: n, Kind: "CONFIRMED", Subject: "orders/" + id, Payload: make([]byte, 250), DueTime: at, Actor: "partner/acme",
		LastError: "4500012345", Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
	cause := Cause{Principal: "partner/acme", Method: "/crossdock.orders.v1.OrderService/CreateOrder", RequestID: fmt.Sprintf("%x", print[:16]),
		Fingerprint: print[:], Actor: "partner/acme", Traceparent: order.Traceparent}
	codec := ProtoCodec(func() *storagev1.TaskRecord { return &storagev1.TaskRecord{} })
	_, _, err := Change(ctx, s, cause, codec, func(tx *Tx) (*storagev1.TaskRecord, error) {
		number := Key("acme", order.Subject)
		if _, err := tx.Get(ctx, bench.byNumber, number); !errors.Is(err, ErrNotFound) {
			return nil, fmt.Errorf("number is taken: %v", err)
		}
		last, err := tx.Get(ctx, bench.series, []byte("orders"))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		given := uint64(1)
		if len(last) == 8 {
			given += binary.BigEndian.Uint64(last)
		}
		for line := range uint32(3) {
			if err := PutProto(ctx, tx, bench.lines, Key(id, line), &storagev1.TaskRecord{Kind: "EA", Subject: "items/4711", Payload: make([]byte, 90), DueTime: at}); err != nil {
				return nil, err
			}
		}
		err = errors.Join(
			PutProto(ctx, tx, bench.orders, []byte(id), order),
			tx.Put(ctx, bench.byNumber, number, []byte(id)),
			tx.Put(ctx, bench.byState, Key("CONFIRMED", id), nil),
			tx.Put(ctx, bench.series, []byte("orders"), binary.BigEndian.AppendUint64(nil, given)),
			tx.Emit(Fact{Type: "OrderCreated", Subject: order.Subject, Related: []string{"customers/acme", "purchaseOrders/4500012345"}, Payload: order}),
		)
		return order, err
	})
	return err
}

// benchStore opens a store for createOrder, with fsync, and a clock that follows the orders.
func benchStore(b testing.TB, path string) (*Store, *clock.Manual) {
	now := clock.NewManual(start)
	return openTest(b, Options{Path: path, Schema: benchSchema, Clock: now}), now
}

// callers has n callers make b.N orders, from order first on.
func createOrders(b *testing.B, s *Store, now *clock.Manual, callers int, first uint64) {
	next, done := make(chan uint64, callers), make(chan error, callers)
	for range callers {
		go func() {
			var failed error
			for n := range next {
				if err := createOrder(context.Background(), s, n); err != nil {
					failed = err
				}
			}
			done <- failed
		}()
	}
	begun := cpu()
	for n := first; b.Loop(); n++ {
		if n%1024 == 0 {
			now.Set(benchTime(n))
		}
		next <- n
	}
	reportCPU(b, begun)
	close(next)
	for range callers {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCreateOrderAt makes orders in a store that holds many already: what one costs must not grow with their number.
func BenchmarkCreateOrderAt(b *testing.B) {
	for _, held := range []uint64{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("orders=%d", held), func(b *testing.B) {
			s, now := benchStore(b, filepath.Join(b.TempDir(), "bench.db"))
			fillOrders(b, s, now, held)
			createOrders(b, s, now, 256, held+1)
		})
	}
}

// fillOrders makes orders 1 to n.
func fillOrders(b testing.TB, s *Store, now *clock.Manual, n uint64) {
	const callers = 512
	done := make(chan error, callers)
	var next atomic.Uint64
	for range callers {
		go func() {
			for {
				i := next.Add(1)
				if i > n {
					done <- nil
					return
				}
				if i%1024 == 0 {
					now.Set(benchTime(i))
				}
				if err := createOrder(context.Background(), s, i); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for range callers {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCreateOrder makes orders from many callers.
func BenchmarkCreateOrder(b *testing.B) {
	for _, callers := range []int{1, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s, now := benchStore(b, filepath.Join(b.TempDir(), "bench.db"))
			createOrders(b, s, now, callers, 1)
		})
	}
}

// BenchmarkVerify and BenchmarkOpen look at a file of many orders.
func BenchmarkVerify(b *testing.B) {
	const held = 100_000
	s, now := benchStore(b, filepath.Join(b.TempDir(), "bench.db"))
	fillOrders(b, s, now, held)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	begun, at := cpu(), time.Now()
	for b.Loop() {
		r, err := Verify(context.Background(), s.path, benchSchema)
		if err != nil || r.Entries != held || len(r.Breaches) > 0 {
			b.Fatalf("%d entries, %v, %q", r.Entries, err, r.Breaches)
		}
	}
	entries := float64(b.N * held)
	b.ReportMetric(float64((cpu()-begun).Microseconds())/entries, "cpu-µs/entry")
	b.ReportMetric(entries/time.Since(at).Seconds(), "entries/s")
}

func BenchmarkOpen(b *testing.B) {
	const held = 1_000_000
	s, now := benchStore(b, filepath.Join(b.TempDir(), "bench.db"))
	fillOrders(b, s, now, held)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	begun := cpu()
	for b.Loop() {
		s, _ := benchStore(b, s.path)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	reportCPU(b, begun)
}
