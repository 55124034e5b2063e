package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"
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
