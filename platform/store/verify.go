package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
// into an empty store against the stored records byte by byte, rebuilt derived buckets against the stored ones, personal
// records against their salted hashes, the schema's invariants, and the structure of the pages below all that. Breaches are in the report; an error means that the file
// could not be checked to the end, as when its page structure is damaged.
func Verify(ctx context.Context, path string, schema Schema) (Report, error) {
	return verifyFile(ctx, path, schema, 5*time.Second)
}

func verifyFile(ctx context.Context, path string, schema Schema, lock time.Duration) (Report, error) {
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
		scratch, remove, err := newScratch(cat)
		if err != nil {
			return fmt.Errorf("verify %s: make an empty store: %w", path, err)
		}
		defer remove()
		return db.View(func(btx *bbolt.Tx) error {
			v := &verifier{Report: &report, ctx: ctx, cat: cat, btx: btx, scratch: scratch}
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
			_, err := btx.WriteTo(f)
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

// newScratch returns an empty store to replay into.
func newScratch(cat *catalogue) (db *bbolt.DB, remove func(), err error) {
	dir, err := os.MkdirTemp("", "crossdock-verify-*")
	if err != nil {
		return nil, nil, err
	}
	db, err = bbolt.Open(filepath.Join(dir, "scratch"), 0o600, &bbolt.Options{NoSync: true, NoGrowSync: true, NoFreelistSync: true,
		FreelistType: bbolt.FreelistMapType})
	if err == nil {
		err = db.Update(func(btx *bbolt.Tx) error { return createBuckets(btx, cat) })
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, nil, err
	}
	return db, func() { db.Close(); os.RemoveAll(dir) }, nil
}

type verifier struct {
	*Report
	ctx     context.Context
	cat     *catalogue
	btx     *bbolt.Tx
	scratch *bbolt.DB

	firstDay []byte // of which causes are kept
	causes   uint64 // found as the log has them
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
	v.Checks = append(v.Checks, "I1 hash chain")
	if err := v.replay(); err != nil {
		return err
	}
	if err := v.otherCauses(); err != nil {
		return err
	}
	v.Checks = append(v.Checks, "I1 derived")
	if err := v.derived(); err != nil {
		return err
	}
	v.Checks = append(v.Checks, "I1 replay", "I1 checksums", "I1 personal")
	err := v.scratch.View(func(replayed *bbolt.Tx) error {
		for _, b := range v.cat.Buckets {
			if err := v.compare(b.Name, b.Kind, v.btx.Bucket([]byte(b.Name)), replayed.Bucket([]byte(b.Name))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r := &reader{btx: v.btx, cat: v.cat}
	for _, i := range v.cat.Invariants {
		v.Checks = append(v.Checks, i.Name)
		breaches, err := i.Check(v.ctx, r)
		if err != nil {
			v.breach("%s: cannot be checked: %v", i.Name, err)
		}
		for _, b := range breaches {
			v.breach("%s: %s", i.Name, b)
		}
	}
	return v.ctx.Err()
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
		if !rows[string(k)] {
			v.breach("bucket meta key %s: is not a row of a store", printable(k))
		}
		delete(rows, string(k))
	}
	for k := range rows {
		v.breach("bucket meta key %q: is missing", k)
	}
	return nil
}

// replay reads the log from its first entry, checks the chain, and makes every change again in the empty store.
func (v *verifier) replay() error {
	const perCommit = 1000
	last := tip{epoch: firstEpoch}
	out, err := v.scratch.Begin(true)
	if err != nil {
		return err
	}
	defer func() { out.Rollback() }()
	log := v.btx.Bucket([]byte(logBucket))
	c := log.Cursor()
	for k, val := c.First(); k != nil; k, val = c.Next() {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		v.Entries++
		name := "key " + printable(k)
		if len(k) == 8 {
			name = fmt.Sprintf("entry %d", last.sequence+1)
		}
		v.reachable(logBucket, log, k, val)
		data, err := unseal(logBucket, k, val)
		if err != nil {
			v.breach("log %s: %v", name, err)
			if len(val) < envelopeSize {
				continue
			}
			data = val[envelopeSize:]
		}
		e, err := decodeEntry(data)
		if err != nil {
			v.breach("log %s: %v", name, err)
			last.sequence++
			last.hash = nil
			continue
		}
		if err := e.follows(v.cat.Service, k, last); err != nil {
			v.breach("log %s: %v", name, err)
		}
		if err := e.applyWrites(out); err != nil {
			v.breach("log %s: cannot be replayed: %v", name, err)
		}
		if err := v.cause(e); err != nil {
			return err
		}
		last = e.tip()
		if v.Entries%perCommit == 0 {
			if err := out.Commit(); err != nil {
				return err
			}
			if out, err = v.scratch.Begin(true); err != nil {
				return err
			}
		}
	}
	return out.Commit()
}

// derived rebuilds the derived buckets from the stored records.
func (v *verifier) derived() error {
	out, err := v.scratch.Begin(true)
	if err != nil {
		return err
	}
	defer out.Rollback()
	if err := v.cat.rebuild(v.ctx, &reader{btx: v.btx, cat: v.cat}, &DerivedWriter{btx: out, cat: v.cat}); err != nil {
		v.breach("derived buckets cannot be rebuilt: %v", err)
		return v.ctx.Err()
	}
	return out.Commit()
}

// cause checks that the request which an entry came from is stored, unless its day was dropped since.
func (v *verifier) cause(e *entry) error {
	c, at := e.head.Cause, e.head.ApplyTime.AsTime()
	if c.GetRequestId() == "" || bytes.Compare(causeDay(at), v.firstDay) < 0 {
		return nil
	}
	causes, key := v.btx.Bucket([]byte(causesBucket)), newCauseKey(c.Principal, c.Method, c.RequestId)
	name := causePartition(at, e.head.Position.GetSequence())
	stored := lookUp(causes, name, key)
	if stored == nil { // a program of before the spans keeps it under the day
		if old := lookUp(causes, causeDay(at), key); old != nil {
			name, stored = causeDay(at), old
		}
	}
	want, err := e.sealCause(name, key)
	switch {
	case err != nil:
		return err
	case stored == nil:
		v.breach("bucket %s key %x: is missing, the log has it", causesName(name), key)
		return nil
	case !bytes.Equal(stored, want):
		v.breach("bucket %s key %x: differs from the log", causesName(name), key)
	}
	v.Records++
	v.causes++
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
	causes, stored := v.btx.Bucket([]byte(causesBucket)), uint64(0)
	c := causes.Cursor()
	for name, val := c.First(); name != nil; name, val = c.Next() {
		switch {
		case val != nil:
			v.breach("bucket %s key %s: is not a partition", causesBucket, printable(name))
			continue
		case bytes.Compare(name, v.firstDay) < 0:
			v.breach("bucket %s: is stored, the log does not have it any more", causesName(name))
			continue
		}
		p := causes.Bucket(name)
		rows := p.Cursor()
		for k, val := rows.First(); k != nil; k, val = rows.Next() {
			stored++
			v.reachable(causesName(name), p, k, val)
			if _, err := unseal(causesName(name), k, val); err != nil {
				v.breach("%v", err)
			}
		}
	}
	if stored != v.causes {
		v.breach("bucket %s: holds %d requests, the log has %d", causesBucket, stored, v.causes)
		v.nameOthers(causes)
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

// compare walks a stored bucket and its replayed or rebuilt counterpart side by side.
func (v *verifier) compare(name string, kind Kind, stored, want *bbolt.Bucket) error {
	origin := "the log"
	if kind == Derived {
		origin = "the rebuilt bucket"
	}
	s, w := stored.Cursor(), want.Cursor()
	sk, sv := s.First()
	wk, wv := w.First()
	for sk != nil || wk != nil {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		c := bytes.Compare(sk, wk)
		if wk == nil || sk != nil && c < 0 {
			v.breach("bucket %s key %s: is stored, %s does not have it", name, printable(sk), origin)
			v.reachable(name, stored, sk, sv)
			sk, sv = s.Next()
			continue
		}
		if sk == nil || c > 0 {
			v.breach("bucket %s key %s: is missing, %s has it", name, printable(wk), origin)
			wk, wv = w.Next()
			continue
		}
		v.Records++
		got := sv
		if kind == Personal {
			sum := sha256.Sum256(sv)
			got = sum[:]
		}
		if _, err := unseal(name, sk, sv); err != nil {
			v.breach("%v", err)
		} else if !bytes.Equal(got, wv) {
			v.breach("bucket %s key %s: differs from %s", name, printable(sk), origin)
		}
		v.reachable(name, stored, sk, sv)
		sk, sv = s.Next()
		wk, wv = w.Next()
	}
	return nil
}

// reachable checks that a look-up finds what a walk has found: it goes by the keys in the inner pages, a walk does not.
func (v *verifier) reachable(name string, b *bbolt.Bucket, key, value []byte) {
	if !bytes.Equal(b.Get(key), value) {
		v.breach("bucket %s key %s: cannot be looked up", name, printable(key))
	}
}

// DerivedWriter fills derived buckets.
type DerivedWriter struct {
	btx *bbolt.Tx
	cat *catalogue
}

// Put writes one row of a derived bucket.
func (w *DerivedWriter) Put(ctx context.Context, b *Bucket, key, value []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name, err := w.cat.check(b)
	if err != nil {
		return err
	}
	if b.Kind != Derived {
		return fmt.Errorf("store: a rebuild writes derived buckets alone, %s is none", b.Name)
	}
	return w.btx.Bucket(name).Put(key, seal(b.Name, key, 0, value))
}

// RunVerify is the verify subcommand of a service: it prints the report and returns the exit code, 0 for a whole store, 1 for
// breaches, 2 when the file could not be checked to the end.
func RunVerify(w io.Writer, path string, schema Schema) int {
	report, err := Verify(context.Background(), path, schema)
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
