package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/clock"
)

// This file moves the oldest entries of a log out of the store into files, of which the meta bucket keeps a record each. The records tell
// where the log in the store goes on: the hash that its first entry names, and the forks before it.

// ReaderLag is how many entries a reader may go back when its service is started again: it stores its place at least that often.
const ReaderLag = 1000

// archiveSubfolder is where a store also looks for archive files, beside itself.
const archiveSubfolder = "archive"

// ArchivedError refuses a position whose next entry was moved out of the store. It is an ErrOutOfRange.
type ArchivedError struct {
	Position Position // that was asked for
	First    Position // the first entry that the store still holds
}

// Error says what is left, and what a reader needs.
func (e *ArchivedError) Error() string {
	return fmt.Sprintf("log %s was archived up to %d: what follows %d cannot be read any more, a reader that stands there has to be reseeded", e.First.Log,
		e.First.Sequence-1, e.Position.Sequence)
}

// Is makes it an ErrOutOfRange.
func (e *ArchivedError) Is(target error) bool { return target == ErrOutOfRange }

// ErrReadersUnknown: nobody said how far the log's readers have read, nor decided that it does not matter.
var ErrReadersUnknown = errors.New("how far the readers of the log have read is not known")

// ArchiveOptions say which entries are moved, and where to.
type ArchiveOptions struct {
	Path   string
	Schema Schema
	Clock  clock.Business
	// Dir is the folder that gets the file; it is made when it is not there.
	Dir string
	// Before is business time: entries committed then or later stay.
	Before time.Time
	// Readers is how far each reader has read, by its name; nil when that is not known, empty when nobody reads the log.
	Readers map[string]uint64
	// Decision is why the readers do not matter; empty when they do. It is recorded where it made a difference.
	Decision string
	// Actor is who archives, such as "user/alice".
	Actor string

	step func(string) // of tests: is told before each step that a crash may come before
}

// Archived is what Archive has done.
type Archived struct {
	// Archive is the new file; nil when no entry could be moved.
	Archive *eventlogv1.Archive
	// Kept says what the next entry was kept for.
	Kept string
	// Finished tells that an earlier run which was interrupted has been brought to its end.
	Finished bool
}

// Archive moves the oldest entries of a stopped service's store into one file. It keeps the last 7 days, what something in the store still
// refers to, and what a reader has not read. The file is whole, on the disk and compared with the store before an entry is deleted; a
// crash at any moment leaves a whole store, and the next run goes on. The store's file keeps its size until Compact.
func Archive(ctx context.Context, o ArchiveOptions) (out Archived, err error) {
	cat, err := newCatalogue(o.Schema)
	if err != nil {
		return out, err
	}
	if o.Readers == nil && o.Decision == "" {
		return out, ErrReadersUnknown
	}
	if o.step == nil {
		o.step = func(string) {}
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return out, err
	}
	if _, err := os.Stat(o.Path); err != nil {
		return out, err // opening would make a new one
	}
	err = guard(o.Path, func() (err error) {
		db, err := openFile(Options{}, o.Path)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		a := &archiver{o: o, cat: cat, db: db}
		out, err = a.run(ctx)
		return err
	})
	if err != nil {
		return out, fmt.Errorf("archive %s: %w", o.Path, err)
	}
	return out, nil
}

type archiver struct {
	o   ArchiveOptions
	cat *catalogue
	db  *bbolt.DB
}

func (a *archiver) run(ctx context.Context) (out Archived, err error) {
	var held tip // before the first entry that is held
	var rec *storagev1.ArchiveRecord
	err = a.db.View(func(btx *bbolt.Tx) error {
		if _, err := checkMeta(btx, a.cat); err != nil {
			return err
		}
		recs, err := readArchives(btx, a.cat.Service)
		held = archivedTip(recs)
		return err
	})
	if err != nil {
		return out, err
	}
	if out.Finished, err = a.drop(ctx, held.sequence); err != nil {
		return out, err
	}
	err = a.db.View(func(btx *bbolt.Tx) error {
		last, kept, decision, err := a.limit(ctx, btx, held.sequence)
		out.Kept = kept
		if err != nil || last <= held.sequence {
			return err
		}
		rec, err = a.describe(btx, held, last, decision)
		if err != nil {
			return err
		}
		return a.file(ctx, btx, rec)
	})
	if err != nil || rec == nil {
		return out, err
	}
	a.o.step("record")
	err = a.db.Update(func(btx *bbolt.Tx) error {
		value, err := proto.Marshal(rec)
		if err != nil {
			return err
		}
		return errors.Join(putMeta(btx, metaFormat, []byte(format3)), putMeta(btx, archiveKey(rec), value))
	})
	if err != nil {
		return out, err
	}
	out.Archive = rec.Archive
	_, err = a.drop(ctx, rec.Archive.Last.Sequence)
	return out, err
}

// perDrop is how many entries one commit deletes.
const perDrop = 4096

// drop deletes the entries up to one, of which a record says that they stand in a file.
func (a *archiver) drop(ctx context.Context, last uint64) (any bool, err error) {
	for more := last > 0; more; {
		if err := ctx.Err(); err != nil {
			return any, err
		}
		more = false
		a.o.step("drop")
		err := a.db.Update(func(btx *bbolt.Tx) error {
			log := btx.Bucket([]byte(logBucket))
			var keys [][]byte
			c := log.Cursor()
			for k, _ := c.First(); k != nil && bytes.Compare(k, Key(last)) <= 0 && len(keys) < perDrop; k, _ = c.Next() {
				keys = append(keys, bytes.Clone(k))
			}
			more, any = len(keys) == perDrop, any || len(keys) > 0
			for _, k := range keys {
				if err := log.Delete(k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return any, err
		}
	}
	return any, nil
}

// limit finds the last entry that may be moved, what keeps the next one, and the decision where it made a difference.
func (a *archiver) limit(ctx context.Context, btx *bbolt.Tx, archived uint64) (last uint64, kept, decision string, err error) {
	end, err := readTip(btx)
	if err != nil || end.sequence <= archived+1 {
		return archived, "the last entry of the log", "", err
	}
	// Causes are kept for the days before that of the last entry.
	newest := end.applyTime
	if now := a.o.Clock.Now(); now.Before(newest) {
		newest = now
	}
	young := newest.UTC().AddDate(0, 0, -causeDays).Truncate(24 * time.Hour)
	before := a.o.Before
	kept = "it is not from before " + before.UTC().Format(time.RFC3339)
	if young.Before(before) {
		before, kept = young, fmt.Sprintf("the last %d days are kept", causeDays)
	}
	n := sort.Search(int(end.sequence-1-archived), func(i int) bool {
		e, err2 := entryAt(btx, archived+1+uint64(i))
		if err2 != nil {
			err = errors.Join(err, err2)
			return true
		}
		return !e.head.ApplyTime.AsTime().Before(before)
	})
	if err != nil {
		return 0, "", "", err
	}
	last = archived + uint64(n)
	if last == end.sequence-1 {
		kept = "the last entry of the log"
	}
	keep := func(from uint64, why string) {
		if from <= last {
			last, kept = max(from, 1)-1, why
		}
	}
	if err := keepCauses(btx, last, keep); err != nil {
		return 0, "", "", err
	}
	if err := a.keepReferred(ctx, &reader{btx: btx, cat: a.cat}, keep); err != nil {
		return 0, "", "", err
	}
	free, freeKept := last, kept
	for name, read := range a.o.Readers {
		read -= min(read, ReaderLag)
		keep(read+1, fmt.Sprintf("%s may have to read from %d on", name, read+1))
	}
	if a.o.Decision != "" {
		if a.o.Readers == nil || last < free {
			decision = a.o.Decision
		}
		last, kept = free, freeKept
	}
	return last, kept, decision, nil
}

// keepCauses keeps the entries that answer repeated requests.
func keepCauses(btx *bbolt.Tx, last uint64, keep func(uint64, string)) error {
	causes := btx.Bucket([]byte(causesBucket))
	return causes.ForEachBucket(func(name []byte) error {
		var span uint64
		if _, err := fmt.Sscanf(string(name[min(len(name), dayLength):]), ".%d", &span); err == nil && span*causeSpan > last {
			return nil
		}
		return causes.Bucket(name).ForEach(func(k, v []byte) error {
			data, err := unseal(causesName(name), k, v)
			if err != nil {
				return err
			}
			rec := &storagev1.CauseRecord{}
			if err := proto.Unmarshal(data, rec); err != nil {
				return err
			}
			keep(rec.Sequence, "a request that may be repeated has its answer there")
			return nil
		})
	})
}

// keepReferred keeps the entries that tasks and waiting facts build on, and those that a restore left to be looked at.
func (a *archiver) keepReferred(ctx context.Context, r Reader, keep func(uint64, string)) error {
	own := func(after []*eventlogv1.Position, why string) {
		for _, p := range after {
			if p.GetLog() == a.cat.Service {
				keep(p.GetSequence(), why)
			}
		}
	}
	err := Each(ctx, r, Tasks, nil, func(kv KV) error {
		t := &storagev1.TaskRecord{}
		if err := unmarshal(Tasks, kv.Key, kv.Value, t); err != nil {
			return err
		}
		own(t.After, "task "+string(kv.Key)+" builds on it")
		return nil
	})
	for _, b := range []*Bucket{DeferredFacts, ParkedFacts} {
		if err != nil {
			return err
		}
		err = Each(ctx, r, b, nil, func(kv KV) error {
			f := &storagev1.WaitingFact{}
			if err := unmarshal(b, kv.Key, kv.Value, f); err != nil {
				return err
			}
			own(f.GetHead().GetAfter(), "a fact that waits builds on it")
			return nil
		})
	}
	if err != nil {
		return err
	}
	f, err := fence(ctx, r)
	if f != nil {
		keep(f.Fork.GetAfter().GetSequence(), "the fence of a restore is up")
	}
	return err
}

// describe makes the record of the entries after held up to last.
func (a *archiver) describe(btx *bbolt.Tx, held tip, last uint64, decision string) (*storagev1.ArchiveRecord, error) {
	first, err := entryAt(btx, held.sequence+1)
	if err != nil {
		return nil, err
	}
	e, err := entryAt(btx, last)
	if err != nil {
		return nil, err
	}
	uid, err := getMeta(btx, metaUID)
	if err != nil {
		return nil, err
	}
	recs, err := readArchives(btx, a.cat.Service)
	if err != nil {
		return nil, err
	}
	line, err := readLine(btx, e.tip(), recs)
	if err != nil {
		return nil, err
	}
	return &storagev1.ArchiveRecord{Dir: a.o.Dir, Forks: LineProto(line), Archive: &eventlogv1.Archive{
		File: archiveName(a.cat.Service, e.head.Position.GetEpoch(), held.sequence+1, last), Uid: string(uid), First: first.head.Position, Last: e.head.Position,
		PreviousHash: first.head.PreviousHash, LastHash: e.hash, ApplyTime: e.head.ApplyTime,
		Actor: a.o.Actor, Time: timestamppb.New(a.o.Clock.Now()), Decision: decision,
	}}, nil
}

// file makes the file of a record, or finds the one that a run which was interrupted has left, and fills in its size and sum.
func (a *archiver) file(ctx context.Context, btx *bbolt.Tx, rec *storagev1.ArchiveRecord) error {
	if err := os.MkdirAll(a.o.Dir, 0o700); err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(a.o.Dir, archiveTemp(a.cat.Service)))
	for _, l := range left {
		err = errors.Join(err, os.Remove(l))
	}
	if err != nil {
		return err
	}
	if found, err := a.left(ctx, btx, rec); found || err != nil {
		return err
	}
	path := filepath.Join(a.o.Dir, rec.Archive.File)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return errors.Join(fmt.Errorf("%s is there already and holds something else", path), err)
	}
	a.o.step("write")
	tmp, err := os.CreateTemp(a.o.Dir, archiveTemp(a.cat.Service))
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // does nothing once it is in place
	err = writeArchive(ctx, &steady{file: tmp}, btx, rec.Archive)
	if err == nil {
		a.o.step("sync")
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	a.o.step("rename")
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	a.o.step("sync folder")
	if err := errors.Join(syncDir(a.o.Dir), syncDir(filepath.Dir(a.o.Dir))); err != nil {
		return err
	}
	a.o.step("compare")
	same, err := sameArchive(ctx, btx, path, rec.Archive)
	if err == nil && !same {
		err = fmt.Errorf("%s was written and does not read back", path)
	}
	return err
}

// left looks for a file with the next entries that no record names yet, and takes it instead of making one.
func (a *archiver) left(ctx context.Context, btx *bbolt.Tx, rec *storagev1.ArchiveRecord) (bool, error) {
	names, err := filepath.Glob(filepath.Join(a.o.Dir, archiveNames(a.cat.Service, rec.Archive.First.Sequence)))
	if err != nil {
		return false, err
	}
	slices.Sort(names)
	for _, path := range slices.Backward(names) {
		r, err := openArchive(path)
		if err != nil {
			continue // not one of ours
		}
		head := r.head
		if err := r.close(); err != nil {
			return false, err
		}
		last := head.GetLast().GetSequence()
		if last < rec.Archive.First.Sequence || last > rec.Archive.Last.Sequence || filepath.Base(path) != head.File {
			continue
		}
		held := tip{sequence: rec.Archive.First.Sequence - 1}
		found, err := a.describe(btx, held, last, rec.Archive.Decision)
		if err != nil {
			return false, err
		}
		if same, err := sameArchive(ctx, btx, path, found.Archive); err != nil || !same {
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			continue
		}
		rec.Archive, rec.Forks = found.Archive, found.Forks
		return true, errors.Join(syncDir(a.o.Dir), syncDir(filepath.Dir(a.o.Dir)))
	}
	return false, nil
}

const metaArchive = "archive/"

func archiveKey(rec *storagev1.ArchiveRecord) string {
	return fmt.Sprintf("%s%020d", metaArchive, rec.Archive.GetFirst().GetSequence())
}

// readArchives returns the records of a store's archive files, oldest first.
func readArchives(btx *bbolt.Tx, service string) ([]*storagev1.ArchiveRecord, error) {
	var out []*storagev1.ArchiveRecord
	c := btx.Bucket([]byte(metaBucket)).Cursor()
	last := tip{epoch: firstEpoch}
	for k, v := c.Seek([]byte(metaArchive)); bytes.HasPrefix(k, []byte(metaArchive)); k, v = c.Next() {
		data, err := unseal(metaBucket, k, v)
		if err != nil {
			return nil, err
		}
		rec := &storagev1.ArchiveRecord{}
		if err := proto.Unmarshal(data, rec); err != nil {
			return nil, &CorruptError{Bucket: metaBucket, Key: bytes.Clone(k)}
		}
		r := rec.Archive
		if string(k) != archiveKey(rec) || r.GetFirst().GetSequence() != last.sequence+1 || r.GetLast().GetSequence() < last.sequence+1 ||
			!bytes.Equal(r.GetPreviousHash(), last.hash) || r.GetLast().GetLog() != service || strings.ContainsRune(r.GetFile(), filepath.Separator) {
			return nil, fmt.Errorf("bucket %s key %s: the record does not follow the one before", metaBucket, printable(k))
		}
		out = append(out, rec)
		last = archivedTip(out)
	}
	return out, nil
}

// archivedTip is the end of what stands in archive files.
func archivedTip(recs []*storagev1.ArchiveRecord) tip {
	if len(recs) == 0 {
		return tip{epoch: firstEpoch}
	}
	a := recs[len(recs)-1].Archive
	return tip{a.Last.GetEpoch(), a.Last.GetSequence(), a.LastHash, a.ApplyTime.AsTime()}
}

// archivedLine is the line up to there.
func archivedLine(recs []*storagev1.ArchiveRecord) Line {
	if len(recs) == 0 {
		return nil
	}
	return LineOf(recs[len(recs)-1].Forks)
}

// archivePath is where an archive file is looked for: in folders that somebody names, in the one that it was put into, and in one beside the
// store. When it is in none of them that is the one that it was put into.
func archivePath(rec *storagev1.ArchiveRecord, store string, dirs []string) string {
	for _, dir := range slices.Concat(dirs, []string{rec.Dir, filepath.Join(filepath.Dir(store), archiveSubfolder)}) {
		path := filepath.Join(dir, rec.Archive.File)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return filepath.Join(rec.Dir, rec.Archive.File)
}

// moveArchives records where archive files are found now.
func moveArchives(btx *bbolt.Tx, service, store string, dirs []string) error {
	recs, err := readArchives(btx, service)
	for _, rec := range recs {
		if err != nil {
			return err
		}
		if rec.Dir, err = filepath.Abs(filepath.Dir(archivePath(rec, store, dirs))); err != nil {
			return err
		}
		var value []byte
		if value, err = proto.Marshal(rec); err == nil {
			err = putMeta(btx, archiveKey(rec), value)
		}
	}
	return err
}

// entryAt reads an entry that the store holds.
func entryAt(btx *bbolt.Tx, sequence uint64) (*entry, error) {
	key := Key(sequence)
	data, err := unseal(logBucket, key, btx.Bucket([]byte(logBucket)).Get(key))
	if err != nil {
		return nil, err
	}
	return decodeEntry(data)
}

// History calls fn for every entry of the log, oldest first, until it returns false: first those in archive files, which must all be there.
// written names the records that the entry put or deleted, as Written does.
func (s *Store) History(ctx context.Context, fn func(e LogEntry, written func() ([]string, error)) (more bool, err error)) error {
	for _, rec := range s.archives {
		more := true
		err := readArchive(archivePath(rec, s.path, nil), rec.Archive, func(key, value []byte) (bool, error) {
			data, err := unseal(logBucket, key, value)
			if err != nil {
				return false, err
			}
			head, _, err := splitEntry(data)
			if err != nil {
				return false, err
			}
			e, err := decodeEntry(data)
			if err != nil {
				return false, err
			}
			more, err = fn(LogEntry{PositionOf(e.head.Position), bytes.Clone(head), e.hash}, func() ([]string, error) { return e.records(), nil })
			return more && ctx.Err() == nil, errors.Join(err, ctx.Err())
		})
		if err != nil || !more {
			return err
		}
	}
	after := Position{}
	if held := archivedTip(s.archives); held.sequence > 0 {
		after = s.position(held.sequence)
	}
	for {
		entries, _, err := s.ReadLog(ctx, after, 0)
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, e := range entries {
			more, err := fn(e, func() ([]string, error) { return s.Written(ctx, e.Position.Sequence) })
			if err != nil || !more {
				return err
			}
			after = e.Position
		}
	}
}

// First is the first position that the store still holds; sequence 0 while there is no entry.
func (s *Store) First() Position {
	first := archivedTip(s.archives).sequence + 1
	return s.position(min(first, s.Last().Sequence))
}

// archivedAfter refuses a position whose next entry is in an archive file.
func (s *Store) archivedAfter(p Position) error {
	if first := s.First(); p.Sequence+1 < first.Sequence {
		return &ArchivedError{Position: p, First: first}
	}
	return nil
}

// backupArchives are the files that a copy's log goes on from.
func backupArchives(recs []*storagev1.ArchiveRecord) []*eventlogv1.Archive {
	var out []*eventlogv1.Archive
	for _, rec := range recs {
		out = append(out, rec.Archive)
	}
	return out
}
