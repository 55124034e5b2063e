package store

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"sync"

	"go.etcd.io/bbolt"
)

// This file holds what Verify works with: the rows of a bucket in batches, which many goroutines look at, and the comparison of what the
// log says with what is stored.
//
// A second store to replay into would be as large as the first. Instead a note of 24 bytes is made of every write in the log, and of every
// stored row: a hash of the key, where the write stands, a hash of the value. Notes are kept by the hash of their keys in parts that fit
// the memory. The last write to a key and the stored row must agree. Keys whose notes do not agree are suspects; they are then looked at
// themselves, in the log and in the buckets, so two keys with one hash are no breach, and a breach has its name.

// batch is some rows of a bucket, in order of key.
type batch struct {
	first    uint64 // number of the first row in the bucket
	rows     []KV   // parts of the file
	entries  []*entry
	findings map[int][]string // by row
	err      error
	done     chan struct{}
}

// find notes what is wrong with a row.
func (b *batch) find(i int, err error) {
	if b.findings == nil {
		b.findings = map[int][]string{}
	}
	b.findings[i] = append(b.findings[i], err.Error())
}

// worker looks at batches in a transaction of its own.
type worker struct {
	v      *verifier
	btx    *bbolt.Tx
	bucket *bbolt.Bucket // that is walked
	writes []logWrite    // of the entry under way
	notes  [spillParts][]byte
}

// reachable checks that a look-up finds what a walk has found: it goes by the keys in the inner pages, a walk does not.
func reachable(b *batch, i int, bucket *bbolt.Bucket, name string, row KV) {
	if !bytes.Equal(bucket.Get(row.Key), row.Value) {
		b.find(i, fmt.Errorf("bucket %s key %s: cannot be looked up", name, printable(row.Key)))
	}
}

const batchRows = 256

// walk has look see every row of a bucket, batches beside each other, and then then, one after the other in order.
func (v *verifier) walk(name string, look func(w *worker, b *batch), then func(b *batch)) error {
	return v.spread(name, func(bucket *bbolt.Bucket, emit func(rows []KV) bool) error {
		c := bucket.Cursor()
		k, val := c.First()
		for k != nil {
			rows := make([]KV, 0, batchRows)
			for ; k != nil && len(rows) < batchRows; k, val = c.Next() {
				rows = append(rows, KV{k, val})
			}
			if !emit(rows) {
				break
			}
		}
		return nil
	}, look, then)
}

// spread is walk for the rows that feed emits, until it is told to stop. name is the bucket that workers have at hand.
func (v *verifier) spread(name string, feed func(bucket *bbolt.Bucket, emit func(rows []KV) bool) error, look func(w *worker, b *batch),
	then func(b *batch)) error {
	db := v.btx.DB()
	in := func(fn func(btx *bbolt.Tx, bucket *bbolt.Bucket) error) error {
		return guard(db.Path(), func() error {
			return db.View(func(btx *bbolt.Tx) error { return fn(btx, btx.Bucket([]byte(name))) })
		})
	}
	workers := runtime.GOMAXPROCS(0)
	work, ordered, stop := make(chan *batch, workers), make(chan *batch, 4*workers), make(chan struct{})
	var wait sync.WaitGroup
	errs := make([]error, workers+1)
	wait.Go(func() {
		defer close(ordered)
		defer close(work)
		errs[workers] = in(func(_ *bbolt.Tx, bucket *bbolt.Bucket) error {
			n := uint64(0)
			return feed(bucket, func(rows []KV) bool {
				b := &batch{first: n, done: make(chan struct{}), rows: rows}
				n += uint64(len(rows))
				for _, ch := range []chan *batch{ordered, work} {
					select {
					case ch <- b:
					case <-stop:
						return false
					}
				}
				return true
			})
		})
	})
	for i := range workers {
		wait.Go(func() {
			var under *batch
			errs[i] = in(func(btx *bbolt.Tx, bucket *bbolt.Bucket) error {
				w := &worker{v: v, btx: btx, bucket: bucket}
				for under = range work {
					look(w, under)
					close(under.done)
					under = nil
				}
				return w.flush()
			})
			if under != nil { // it panicked: the file is damaged
				under.err = errs[i]
				close(under.done)
				for b := range work {
					b.err = errs[i]
					close(b.done)
				}
			}
		})
	}
	failed := error(nil)
	for b := range ordered {
		if failed != nil {
			continue
		}
		<-b.done
		if failed = cmp.Or(b.err, v.ctx.Err()); failed != nil {
			close(stop)
			continue
		}
		then(b)
	}
	wait.Wait()
	return cmp.Or(append([]error{failed}, errs...)...)
}

const (
	spillParts = 64
	noteSize   = 24
	// isStored stands in the note of a stored row, where that of a write has its place in the log.
	isStored = math.MaxUint64
)

// note notes a write or a stored row; no value is a delete.
func (w *worker) note(bucket string, key, value []byte, place uint64) {
	seed := w.v.seeds[bucket]
	hash, sum := maphash.Bytes(seed, key), uint64(0)
	if value != nil {
		sum = maphash.Bytes(seed, value) | 1
	}
	part := hash % spillParts
	b := w.notes[part]
	if b == nil {
		b = make([]byte, 0, 64*noteSize)
	}
	b = binary.NativeEndian.AppendUint64(b, hash)
	b = binary.NativeEndian.AppendUint64(b, place)
	b = binary.NativeEndian.AppendUint64(b, sum)
	if len(b) == cap(b) {
		w.v.expected.add(part, b)
		b = b[:0]
	}
	w.notes[part] = b
}

// flush hands over the notes that are left, and says whether all could be kept.
func (w *worker) flush() error {
	for part, b := range w.notes {
		w.v.expected.add(uint64(part), b)
		w.notes[part] = b[:0]
	}
	return w.v.expected.failed()
}

// spill keeps notes: in memory while they are few, in files without a name beyond.
type spill struct {
	parts [spillParts]struct {
		sync.Mutex
		notes []byte
		file  *os.File
	}
	mu  sync.Mutex
	err error
}

const spillMemory = 256 << 10 // of a part

func (s *spill) add(part uint64, notes []byte) {
	p := &s.parts[part]
	p.Lock()
	defer p.Unlock()
	p.notes = append(p.notes, notes...)
	if len(p.notes) < spillMemory {
		return
	}
	err := error(nil)
	if p.file == nil {
		if p.file, err = os.CreateTemp("", "crossdock-verify-*"); err == nil {
			err = os.Remove(p.file.Name()) // it goes when it is closed, also when the program is killed
		}
	}
	if err == nil {
		_, err = p.file.Write(p.notes)
	}
	if err != nil {
		s.mu.Lock()
		s.err = cmp.Or(s.err, err)
		s.mu.Unlock()
	}
	p.notes = p.notes[:0]
}

func (s *spill) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *spill) close() {
	for i := range s.parts {
		if f := s.parts[i].file; f != nil {
			f.Close()
		}
	}
}

// load returns the notes of a part in order of key hash and place.
func (s *spill) load(part int) ([][3]uint64, error) {
	p := &s.parts[part]
	data := p.notes
	if p.file != nil {
		info, err := p.file.Stat()
		if err != nil {
			return nil, err
		}
		data = make([]byte, info.Size(), int(info.Size())+len(p.notes))
		if _, err := p.file.ReadAt(data, 0); err != nil {
			return nil, err
		}
		data = append(data, p.notes...)
	}
	notes := make([][3]uint64, len(data)/noteSize)
	for i := range notes {
		for j := range notes[i] {
			notes[i][j] = binary.NativeEndian.Uint64(data[i*noteSize+j*8:])
		}
	}
	slices.SortFunc(notes, func(a, b [3]uint64) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	return notes, nil
}

// suspects returns the hashes of keys of a part of which the last write and the stored row do not agree.
func (s *spill) suspects(part int) ([]uint64, error) {
	notes, err := s.load(part)
	if err != nil {
		return nil, err
	}
	var out []uint64
	for len(notes) > 0 {
		n := 1
		for n < len(notes) && notes[n][0] == notes[0][0] {
			n++
		}
		written, stored := uint64(0), uint64(0)
		rows := 0
		for _, note := range notes[:n] {
			if note[1] == isStored {
				stored = note[2]
				rows++
			} else {
				written = note[2]
			}
		}
		if written != stored || rows > 1 {
			out = append(out, notes[0][0])
		}
		notes = notes[n:]
	}
	return out, nil
}

// compare finds the records that differ from the log, and the derived rows that differ from the rebuilt ones.
func (v *verifier) compare() error {
	var wait sync.WaitGroup
	var mu sync.Mutex
	suspects, failed := map[uint64]bool{}, error(nil)
	parts := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for part := range parts {
				found, err := v.expected.suspects(part)
				mu.Lock()
				failed = cmp.Or(failed, err)
				for _, hash := range found {
					suspects[hash] = true
				}
				mu.Unlock()
			}
		})
	}
	for part := range spillParts {
		parts <- part
	}
	close(parts)
	wait.Wait()
	if failed != nil || len(suspects) == 0 {
		return cmp.Or(failed, v.ctx.Err())
	}
	return v.name(suspects)
}

// name looks at the suspects themselves.
func (v *verifier) name(hashes map[uint64]bool) error {
	const most = 2 * maxBreaches
	if n := len(hashes); n > most {
		some := map[uint64]bool{}
		for _, hash := range slices.Sorted(maps.Keys(hashes))[:most] {
			some[hash] = true
		}
		hashes = some
		v.breach("%d records or derived rows differ; some of them are named", n)
	}
	want := map[string]map[string][]byte{}
	suspect := func(bucket string, key []byte) bool {
		seed, known := v.seeds[bucket]
		return known && hashes[maphash.Bytes(seed, key)]
	}
	put := func(bucket string, key, value []byte) {
		switch {
		case !suspect(bucket, key):
		case value == nil:
			delete(want[bucket], string(key))
		default:
			if want[bucket] == nil {
				want[bucket] = map[string][]byte{}
			}
			want[bucket][string(key)] = value
		}
	}
	v.eachEntry(func(e *entry) {
		for _, w := range e.writes {
			put(string(w.bucket), w.key, w.value)
		}
	})
	v.cat.rebuild(v.ctx, &reader{btx: v.btx, cat: v.cat}, &DerivedWriter{cat: v.cat, put: func(b *Bucket, key, stored []byte) error {
		put(b.Name, key, stored)
		return nil
	}}) // its error is named already
	for _, b := range v.cat.Buckets {
		origin := "the log"
		if b.Kind == Derived {
			origin = "the rebuilt bucket"
		}
		c := v.btx.Bucket([]byte(b.Name)).Cursor()
		for k, val := c.First(); k != nil; k, val = c.Next() {
			if !suspect(b.Name, k) {
				continue
			}
			value, known := want[b.Name][string(k)]
			delete(want[b.Name], string(k))
			got := val
			if b.Kind == Personal {
				sum := sha256.Sum256(val)
				got = sum[:]
			}
			if _, err := unseal(b.Name, k, val); err != nil {
				continue // is named already
			}
			switch {
			case !known:
				v.breach("bucket %s key %s: is stored, %s does not have it", b.Name, printable(k), origin)
			case !bytes.Equal(got, value):
				v.breach("bucket %s key %s: differs from %s", b.Name, printable(k), origin)
			}
		}
		for _, k := range slices.Sorted(maps.Keys(want[b.Name])) {
			v.breach("bucket %s key %s: is missing, %s has it", b.Name, printable([]byte(k)), origin)
		}
	}
	return v.ctx.Err()
}
