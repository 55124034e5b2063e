package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
)

// Report is what Verify found.
type Report struct {
	Entries  uint64
	Records  uint64
	Breaches []string // each names bucket and key, or entry; empty means whole
	Checks   []string // the checks made
}

// maxBreaches keeps a report of a badly damaged file readable.
const maxBreaches = 1000

func (r *Report) breach(format string, args ...any) {
	switch len(r.Breaches) {
	case maxBreaches:
		r.Breaches = append(r.Breaches, "and more")
	case maxBreaches + 1:
	default:
		r.Breaches = append(r.Breaches, fmt.Sprintf(format, args...))
	}
}

// Verify checks the store in a file that no program has open: the hash chain, the checksum of every value, the log replayed
// again against the stored records byte by byte, rebuilt derived buckets against the stored ones, personal
// records against their salted hashes, the schema's invariants, and the structure of the pages below all that. Breaches are in the report; an error means that the file
// could not be checked to the end, as when its page structure is damaged. Entries in archive files are part of the log; archives are
// folders in which those are looked for first.
func Verify(ctx context.Context, path string, schema Schema, archives ...string) (Report, error) {
	return verifyFile(ctx, path, schema, 5*time.Second, archives)
}

func verifyFile(ctx context.Context, path string, schema Schema, lock time.Duration, archives []string) (Report, error) {
	cat, err := newCatalogue(schema)
	if err != nil {
		return Report{}, err
	}
	var report Report
	err = guard(path, func() error {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lock,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				return os.OpenFile(name, os.O_RDONLY, mode)
			}})
		if errors.Is(err, bolterrors.ErrTimeout) {
			err = ErrInUse
		}
		if err != nil {
			return fmt.Errorf("verify %s: %w", path, err)
		}
		defer db.Close()
		report.Checks = append(report.Checks, "pages")
		findings, err := checkPages(path)
		for _, f := range findings {
			report.breach("file %s: %s", path, f)
		}
		if err != nil {
			return fmt.Errorf("store file %s is damaged: %w", path, err)
		}
		return db.View(func(btx *bbolt.Tx) error {
			v := newVerifier(ctx, &report, cat, btx)
			v.archiveDirs = archives
			defer v.expected.close()
			return v.run()
		})
	})
	return report, err
}

// Verify checks the running store. It checks a copy that is made in the store's folder within one read transaction, so
// that the look is consistent and changes go on meanwhile; the copy needs as much space as the file.
func (s *Store) Verify(ctx context.Context) (Report, error) {
	f, err := os.CreateTemp(filepath.Dir(s.path), ".verify-*")
	if err != nil {
		return Report{}, err
	}
	defer os.Remove(f.Name())
	err = guard(s.path, func() error {
		return s.db.View(func(btx *bbolt.Tx) error {
			_, err := btx.WriteTo(&steady{file: f})
			return err
		})
	})
	if err := errors.Join(err, f.Close()); err != nil {
		return Report{}, err
	}
	report, err := Verify(ctx, f.Name(), s.cat.declared)
	if err == nil {
		s.mu.Lock()
		s.verified = verified{at: s.machine.Now(), breaches: len(report.Breaches)}
		s.mu.Unlock()
	}
	return report, err
}

type verifier struct {
	*Report
	ctx context.Context
	cat *catalogue
	btx *bbolt.Tx

	seeds    map[string]maphash.Seed // by bucket, of the hashes of its keys and values
	expected *spill                  // what the log and a rebuild say, and what is stored
	firstDay []byte                  // of which causes are kept
	causes   atomic.Uint64           // found of those that the log has

	archiveDirs []string
	archives    []*storagev1.ArchiveRecord
	last        tip    // of the entries that were replayed
	before      uint64 // entries in archive files
	incomplete  bool   // entries are missing, so that records cannot be compared with the log
}

func newVerifier(ctx context.Context, report *Report, cat *catalogue, btx *bbolt.Tx) *verifier {
	v := &verifier{Report: report, ctx: ctx, cat: cat, btx: btx, seeds: map[string]maphash.Seed{}, expected: &spill{}}
	for name := range cat.byName {
		v.seeds[name] = maphash.MakeSeed()
	}
	return v
}

func (v *verifier) run() error {
	if err := v.buckets(); err != nil {
		return err
	}
	if _, val := v.btx.Bucket([]byte(logBucket)).Cursor().Last(); len(val) > envelopeSize {
		if e, err := decodeEntry(val[envelopeSize:]); err == nil { // otherwise replay says what is wrong
			v.firstDay = causeDay(e.head.ApplyTime.AsTime().AddDate(0, 0, -causeDays))
		}
	}
	derived := v.beside((*verifier).derived)
	defer derived()
	var invariants []func() error
	for _, i := range v.cat.Invariants {
		join := v.beside(func(v *verifier) error { return v.invariant(i) })
		defer join()
		invariants = append(invariants, join)
	}
	v.Checks = append(v.Checks, "I1 hash chain")
	if err := v.replay(); err != nil {
		return err
	}
	if err := v.otherCauses(); err != nil {
		return err
	}
	v.Checks = append(v.Checks, "I1 checksums")
	for _, b := range v.cat.Buckets {
		if err := v.stored(b); err != nil {
			return err
		}
	}
	v.Checks = append(v.Checks, "I1 derived")
	if err := derived(); err != nil {
		return err
	}
	if v.incomplete {
		v.breach("records were not compared with the log, since it is not all there")
	} else if err := v.compare(); err != nil {
		return err
	} else {
		v.Checks = append(v.Checks, "I1 replay", "I1 personal")
	}
	for i, join := range invariants {
		v.Checks = append(v.Checks, v.cat.Invariants[i].Name)
		if err := join(); err != nil {
			return err
		}
	}
	return v.ctx.Err()
}

// beside does what takes one core next to the rest, with a look and findings of its own. join waits for it and takes the findings over.
func (v *verifier) beside(do func(v *verifier) error) (join func() error) {
	own, db, done := &verifier{Report: &Report{}, ctx: v.ctx, cat: v.cat, seeds: v.seeds, expected: v.expected}, v.btx.DB(), make(chan error, 1)
	go func() {
		done <- guard(db.Path(), func() error {
			return db.View(func(btx *bbolt.Tx) error {
				own.btx = btx
				return do(own)
			})
		})
	}()
	return sync.OnceValue(func() error {
		err := <-done
		for _, b := range own.Breaches {
			v.breach("%s", b)
		}
		return err
	})
}

// invariant checks a rule of the schema.
func (v *verifier) invariant(i Invariant) error {
	breaches, err := i.Check(v.ctx, &reader{btx: v.btx, cat: v.cat})
	if err != nil {
		v.breach("%s: cannot be checked: %v", i.Name, err)
	}
	for _, b := range breaches {
		v.breach("%s: %s", i.Name, b)
	}
	return nil
}

// buckets checks that the file has the buckets of the schema and no others, and the rows of the meta bucket.
func (v *verifier) buckets() error {
	want := map[string]bool{metaBucket: true, logBucket: true, causesBucket: true}
	for name := range v.cat.byName {
		want[name] = true
	}
	err := v.btx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
		if !want[string(name)] {
			v.breach("bucket %s: is not in the schema", printable(name))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if v.btx.Bucket([]byte(name)) == nil {
			return fmt.Errorf("bucket %s is missing", name)
		}
	}
	if _, err := checkMeta(v.btx, v.cat); err != nil {
		v.breach("bucket meta: %v", err)
	}
	rows := map[string]bool{metaFormat: true, metaService: true, metaUID: true, metaVersion: true}
	c := v.btx.Bucket([]byte(metaBucket)).Cursor()
	for k, val := c.First(); k != nil; k, val = c.Next() {
		if _, err := unseal(metaBucket, k, val); err != nil {
			v.breach("%v", err)
		}
		if !rows[string(k)] && !bytes.HasPrefix(k, []byte(metaArchive)) {
			v.breach("bucket meta key %s: is not a row of a store", printable(k))
		}
		delete(rows, string(k))
	}
	for k := range rows {
		v.breach("bucket meta key %q: is missing", k)
	}
	archives, err := readArchives(v.btx, v.cat.Service)
	if err != nil {
		v.breach("%v", err)
		v.incomplete = true
	}
	v.archives = archives
	return nil
}

// replay reads the log from its first entry, checks the chain, and notes what every change wrote: first what is in archive files, each as
// its record says, then what the store holds.
func (v *verifier) replay() error {
	v.last = tip{epoch: firstEpoch}
	for n, rec := range v.archives {
		if err := v.replayArchive(rec, archivedTip(v.archives[:n+1])); err != nil {
			return err
		}
	}
	held := v.last
	return v.walk(logBucket, func(w *worker, b *batch) {
		b.entries = make([]*entry, len(b.rows))
		for i, row := range b.rows {
			if held.holds(row.Key) {
				continue
			}
			reachable(b, i, w.bucket, logBucket, row)
			w.entry(b, i, row)
		}
	}, func(b *batch) {
		for i, row := range b.rows {
			if !held.holds(row.Key) { // else it is about to be deleted, and nobody is shown it
				v.replayed(b, i, row)
			}
		}
	})
}

// holds tells whether the entry with a key stands up to t.
func (t tip) holds(key []byte) bool { return len(key) == 8 && parseSequence(key) <= t.sequence }

// replayArchive replays the file of a record; end is where it ends by that.
func (v *verifier) replayArchive(rec *storagev1.ArchiveRecord, end tip) error {
	path := archivePath(rec, v.btx.DB().Path(), v.archiveDirs)
	var wrong error
	err := v.spread(logBucket, func(_ *bbolt.Bucket, emit func([]KV) bool) error {
		var rows []KV
		wrong = readArchive(path, rec.Archive, func(key, value []byte) (bool, error) {
			if rows = append(rows, KV{key, value}); len(rows) < batchRows {
				return true, nil
			}
			full := rows
			rows = make([]KV, 0, batchRows)
			return emit(full), nil
		})
		emit(rows)
		return nil
	}, func(w *worker, b *batch) {
		b.entries = make([]*entry, len(b.rows))
		for i, row := range b.rows {
			w.entry(b, i, row)
		}
	}, func(b *batch) {
		for i, row := range b.rows {
			v.replayed(b, i, row)
		}
	})
	if err != nil {
		return err
	}
	if wrong != nil {
		v.breach("%v", wrong)
	}
	if got := v.last; got.sequence != end.sequence || !bytes.Equal(got.hash, end.hash) {
		if wrong == nil {
			v.breach("archive file %s: ends with entry %d, hash %x, the store's record says %d, %x", path, got.sequence, got.hash, end.sequence, end.hash)
		}
		v.incomplete = true
	}
	v.last, v.before = end, end.sequence
	return nil
}

// replayed checks the chain at the next entry.
func (v *verifier) replayed(b *batch, i int, row KV) {
	v.Entries++
	name := "key " + printable(row.Key)
	if len(row.Key) == 8 {
		name = fmt.Sprintf("entry %d", v.last.sequence+1)
	}
	for _, finding := range b.findings[i] {
		v.breach("log %s: %s", name, finding)
	}
	e := b.entries[i]
	if e == nil {
		v.last.sequence++
		v.last.hash = nil
		return
	}
	if err := e.follows(v.cat.Service, row.Key, v.last); err != nil {
		v.breach("log %s: %v", name, err)
	}
	v.last = e.tip()
}

// eachEntry calls fn for the entries that can be read, oldest first.
func (v *verifier) eachEntry(fn func(e *entry)) {
	see := func(value []byte) {
		if len(value) < envelopeSize {
			return
		}
		if e, err := decodeEntry(value[envelopeSize:]); err == nil { // else it is named already
			fn(e)
		}
	}
	for _, rec := range v.archives {
		_ = readArchive(archivePath(rec, v.btx.DB().Path(), v.archiveDirs), rec.Archive, func(_, value []byte) (bool, error) {
			see(value)
			return v.ctx.Err() == nil, nil
		}) // its error is named already
	}
	held := archivedTip(v.archives)
	c := v.btx.Bucket([]byte(logBucket)).Cursor()
	for k, val := c.First(); k != nil && v.ctx.Err() == nil; k, val = c.Next() {
		if !held.holds(k) {
			see(val)
		}
	}
}

// entry looks at one row of the log, as far as that goes without the others.
func (w *worker) entry(b *batch, i int, row KV) {
	data, err := unseal(logBucket, row.Key, row.Value)
	if err != nil {
		b.find(i, err)
		if len(row.Value) < envelopeSize {
			return
		}
		data = row.Value[envelopeSize:]
	}
	e, err := bareEntry(w.writes, data)
	if err != nil {
		b.find(i, err)
		return
	}
	w.writes, e.writes = e.writes, nil
	for _, lw := range w.writes {
		known := w.v.cat.byName[string(lw.bucket)]
		if known.Bucket == nil || known.Kind == Derived {
			b.find(i, fmt.Errorf("cannot be replayed: bucket %s is not one of records", printable(lw.bucket)))
			continue
		}
		w.note(string(lw.bucket), lw.key, lw.value, w.v.before+b.first+uint64(i))
	}
	if err := w.cause(e); err != nil {
		b.find(i, err)
	}
	b.entries[i] = e
}

// derived notes what a rebuild makes of the stored records.
func (v *verifier) derived() error {
	w := &worker{v: v, btx: v.btx}
	row := uint64(0)
	err := v.cat.rebuild(v.ctx, &reader{btx: v.btx, cat: v.cat}, &DerivedWriter{cat: v.cat, put: func(b *Bucket, key, stored []byte) error {
		row++
		w.note(b.Name, key, stored, row)
		return nil
	}})
	if err != nil {
		v.breach("derived buckets cannot be rebuilt: %v", err)
		return v.ctx.Err()
	}
	return w.flush()
}

// stored notes what a bucket holds, and checks it as far as that goes by itself.
func (v *verifier) stored(bucket *Bucket) error {
	return v.walk(bucket.Name, func(w *worker, b *batch) {
		for i, row := range b.rows {
			got := row.Value
			if bucket.Kind == Personal {
				sum := sha256.Sum256(got)
				got = sum[:]
			}
			if _, err := unseal(bucket.Name, row.Key, row.Value); err != nil {
				b.find(i, err)
			} else {
				w.note(bucket.Name, row.Key, got, isStored)
			}
			reachable(b, i, w.bucket, bucket.Name, row)
		}
	}, func(b *batch) {
		v.Records += uint64(len(b.rows))
		v.tell(b)
	})
}

// tell reports the findings of a batch.
func (v *verifier) tell(b *batch) {
	for _, i := range slices.Sorted(maps.Keys(b.findings)) {
		for _, finding := range b.findings[i] {
			v.breach("%s", finding)
		}
	}
}

// cause checks that the request which an entry came from is stored, unless its day was dropped since.
func (w *worker) cause(e *entry) error {
	c, at := e.head.Cause, e.head.ApplyTime.AsTime()
	if c.GetRequestId() == "" || bytes.Compare(causeDay(at), w.v.firstDay) < 0 {
		return nil
	}
	causes, key := w.btx.Bucket([]byte(causesBucket)), newCauseKey(c.Principal, c.Method, c.RequestId)
	name := causePartition(at, e.head.Position.GetSequence())
	stored := lookUp(causes, name, key)
	if stored == nil { // a program of before the spans keeps it under the day
		if old := lookUp(causes, causeDay(at), key); old != nil {
			name, stored = causeDay(at), old
		}
	}
	if stored == nil {
		return fmt.Errorf("bucket %s key %x: is missing, the log has it", causesName(name), key)
	}
	w.v.causes.Add(1)
	if want, err := e.sealCause(name, key); err != nil || !bytes.Equal(stored, want) {
		return fmt.Errorf("bucket %s key %x: differs from the log", causesName(name), key)
	}
	return nil
}

func lookUp(causes *bbolt.Bucket, partition []byte, key causeKey) []byte {
	if b := causes.Bucket(partition); b != nil {
		return b.Get(key[:])
	}
	return nil
}

// otherCauses finds the causes that are stored and that the log does not have: those that cause has not met.
func (v *verifier) otherCauses() error {
	var stored atomic.Uint64
	err := v.walk(causesBucket, func(w *worker, b *batch) {
		for i, row := range b.rows {
			name := causesName(row.Key)
			switch {
			case row.Value != nil:
				b.find(i, fmt.Errorf("bucket %s key %s: is not a partition", causesBucket, printable(row.Key)))
				continue
			case bytes.Compare(row.Key, v.firstDay) < 0:
				b.find(i, fmt.Errorf("bucket %s: is stored, the log does not have it any more", name))
				continue
			}
			partition := w.bucket.Bucket(row.Key)
			c := partition.Cursor()
			for k, val := c.First(); k != nil; k, val = c.Next() {
				stored.Add(1)
				reachable(b, i, partition, name, KV{k, val})
				if _, err := unseal(name, k, val); err != nil {
					b.find(i, err)
				}
			}
		}
	}, v.tell)
	if err != nil {
		return err
	}
	v.Records += stored.Load()
	if want := v.causes.Load(); stored.Load() != want {
		v.breach("bucket %s: holds %d requests, of which the log has %d", causesBucket, stored.Load(), want)
		v.nameOthers(v.btx.Bucket([]byte(causesBucket)))
	}
	return v.ctx.Err()
}

// nameOthers names the stored causes whose entry is of another request.
func (v *verifier) nameOthers(causes *bbolt.Bucket) {
	causes.ForEachBucket(func(name []byte) error {
		return causes.Bucket(name).ForEach(func(k, val []byte) error {
			data, err := unseal(causesName(name), k, val)
			if err != nil {
				return nil // is named already
			}
			var rec storagev1.CauseRecord
			err = proto.Unmarshal(data, &rec)
			at := Key(rec.Sequence)
			if err == nil {
				data, err = unseal(logBucket, at, v.btx.Bucket([]byte(logBucket)).Get(at))
			}
			var e *entry
			if err == nil {
				e, err = decodeEntry(data)
			}
			if err == nil {
				c := e.head.Cause
				if key := newCauseKey(c.GetPrincipal(), c.GetMethod(), c.GetRequestId()); c.GetRequestId() == "" || !bytes.Equal(key[:], k) {
					err = errors.New("another request")
				}
			}
			if err != nil {
				v.breach("bucket %s key %x: is stored, the log does not have it", causesName(name), k)
			}
			return nil
		})
	})
}

// DerivedWriter fills derived buckets.
type DerivedWriter struct {
	cat *catalogue
	put func(b *Bucket, key, stored []byte) error
}

// Put writes one row of a derived bucket.
func (w *DerivedWriter) Put(ctx context.Context, b *Bucket, key, value []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := w.cat.check(b); err != nil {
		return err
	}
	if b.Kind != Derived {
		return fmt.Errorf("store: a rebuild writes derived buckets alone, %s is none", b.Name)
	}
	return w.put(b, key, seal(b.Name, key, 0, value))
}

// RunVerify is the verify subcommand of a service: it prints the report and returns the exit code, 0 for a whole store, 1 for
// breaches, 2 when the file could not be checked to the end.
func RunVerify(w io.Writer, path string, schema Schema, archives ...string) int {
	report, err := Verify(context.Background(), path, schema, archives...)
	for _, b := range report.Breaches {
		fmt.Fprintln(w, b)
	}
	if err != nil {
		fmt.Fprintln(w, err)
		return 2
	}
	fmt.Fprintf(w, "%s: %d entries, %d records, %d breaches\n", schema.Service, report.Entries, report.Records, len(report.Breaches))
	if len(report.Breaches) > 0 {
		return 1
	}
	return 0
}
