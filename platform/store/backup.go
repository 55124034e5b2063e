package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/backup"
	"crossdock.dev/platform/clock"
)

// Snapshot is a consistent copy of a store with the documents that it refers to, ready to be read. It takes as much space as the store's
// file until it is closed.
type Snapshot struct {
	// Backup says what it holds. Documents have their sums, the store has none yet.
	Backup *eventlogv1.Backup
	copy   string // path of the copied store
	dir    string // folder of the original store
}

// Snapshot copies the running store in one read transaction; changes go on meanwhile. Documents are on the disk before the commit that
// refers to them, and they do not change, so those that are there afterwards are all that the copy needs.
func (s *Store) Snapshot(ctx context.Context) (*Snapshot, error) {
	return snapshot(s.cat, s.path, func(fn func(*bbolt.Tx) error) error {
		return s.View(ctx, func(r Reader) error { return fn(r.(*reader).btx) })
	})
}

// SnapshotFile copies the store of a stopped service.
func SnapshotFile(path string, schema Schema) (*Snapshot, error) {
	cat, err := newCatalogue(schema)
	if err != nil {
		return nil, err
	}
	db, err := openReadOnly(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return snapshot(cat, path, db.View)
}

func openReadOnly(path string) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: 5 * time.Second,
		OpenFile: func(name string, _ int, mode os.FileMode) (*os.File, error) {
			return os.OpenFile(name, os.O_RDONLY, mode)
		}})
	if errors.Is(err, bolterrors.ErrTimeout) {
		err = ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

func snapshot(cat *catalogue, path string, view func(func(*bbolt.Tx) error) error) (_ *Snapshot, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".backup-*")
	if err != nil {
		return nil, err
	}
	snap := &Snapshot{Backup: &eventlogv1.Backup{Service: cat.Service}, copy: f.Name(), dir: filepath.Dir(path)}
	defer func() {
		if err != nil {
			err = errors.Join(err, snap.Close())
		}
	}()
	store := &eventlogv1.BackupFile{Name: backup.StoreFile}
	err = guard(path, func() error {
		return view(func(btx *bbolt.Tx) (err error) {
			if err = snap.describe(btx, cat); err != nil {
				return err
			}
			store.Size, err = btx.WriteTo(&steady{file: f})
			return err
		})
	})
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	snap.Backup.Files, snap.Backup.TotalSize = []*eventlogv1.BackupFile{store}, store.Size
	documents, err := os.ReadDir(filepath.Join(snap.dir, backup.Documents))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, d := range documents {
		if !backup.IsDocument(d.Name()) {
			continue // one that is being written
		}
		info, err := d.Info()
		if err != nil {
			return nil, err
		}
		snap.Backup.Files = append(snap.Backup.Files, &eventlogv1.BackupFile{Name: backup.Documents + "/" + d.Name(), Size: info.Size(), Sha256: d.Name()})
		snap.Backup.TotalSize += info.Size()
	}
	return snap, nil
}

// steady writes to a file and syncs it every few bytes: a commit's sync would otherwise wait for all that the copy has left to the
// system to write.
type steady struct {
	file  *os.File
	dirty int
}

const steadySync = 4 << 20

func (s *steady) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	if s.dirty += n; err == nil && s.dirty >= steadySync {
		s.dirty = 0
		err = s.file.Sync()
	}
	return n, err
}

// describe reads what the copy will hold.
func (s *Snapshot) describe(btx *bbolt.Tx, cat *catalogue) error {
	version, err := checkMeta(btx, cat)
	if err != nil {
		return err
	}
	uid, err := getMeta(btx, metaUID)
	if err != nil {
		return err
	}
	last, err := readTip(btx)
	if err != nil {
		return err
	}
	archives, err := readArchives(btx, cat.Service)
	if err != nil {
		return err
	}
	b := s.Backup
	b.Archives = backupArchives(archives)
	b.Uid, b.SchemaVersion, b.LastHash = string(uid), version, last.hash
	b.Last = &eventlogv1.Position{Log: cat.Service, Epoch: last.epoch, Sequence: last.sequence}
	if last.sequence > 0 {
		b.ApplyTime = timestamppb.New(last.applyTime)
	}
	return nil
}

// readTip reads the end of the log.
func readTip(btx *bbolt.Tx) (tip, error) {
	first := tip{epoch: firstEpoch}
	log := btx.Bucket([]byte(logBucket))
	if log == nil {
		return first, errors.New("bucket log is missing")
	}
	key, value := log.Cursor().Last()
	if key == nil {
		return first, nil
	}
	if len(key) != 8 {
		return first, &CorruptError{Bucket: logBucket, Key: key}
	}
	data, err := unseal(logBucket, key, value)
	if err != nil {
		return first, err
	}
	e, err := decodeEntry(data)
	if err != nil {
		return first, err
	}
	return e.tip(), nil
}

// Open opens a file of the snapshot.
func (s *Snapshot) Open(f *eventlogv1.BackupFile) (io.ReadCloser, error) {
	if f.Name == backup.StoreFile {
		return os.Open(s.copy)
	}
	return os.Open(filepath.Join(s.dir, filepath.FromSlash(f.Name)))
}

// Send reads all files one after the other; each message is told with its sum at its end.
func (s *Snapshot) Send(ctx context.Context, to SnapshotReader) error {
	for _, f := range s.Backup.Files {
		if err := s.send(ctx, f, to); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}

// SnapshotReader takes the files of a snapshot, each between Begin and End; backup.Writer is one.
type SnapshotReader interface {
	Begin(f *eventlogv1.BackupFile) error
	io.Writer
	End(sum string) error
}

func (s *Snapshot) send(ctx context.Context, f *eventlogv1.BackupFile, to SnapshotReader) error {
	in, err := s.Open(f)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := to.Begin(f); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := backup.Copy(ctx, io.MultiWriter(to, sum), io.LimitReader(in, f.Size), nil); err != nil {
		return err
	}
	got := hex.EncodeToString(sum.Sum(nil))
	if f.Sha256 != "" && got != f.Sha256 {
		return &CorruptError{Bucket: backup.Documents, Key: []byte(f.Sha256)}
	}
	return to.End(got)
}

// Close removes the copy.
func (s *Snapshot) Close() error { return os.Remove(s.copy) }

// RestoreOptions say what is restored, and where.
type RestoreOptions struct {
	// Dir is the backup.
	Dir    string
	Path   string
	Schema Schema
	Clock  clock.Business
	// Replace allows that there is a store: it is kept beside under another name.
	Replace bool
	// AfterEpoch is the latest epoch of this log that anybody knows of; the restore begins a later one.
	AfterEpoch uint64
	// Archives are folders in which the archive files that the copy names are looked for first, where they are not in their place any more.
	Archives []string
	// Actor is who restores, such as "user/alice".
	Actor string
	// Progress is told how many bytes were copied or read; may be nil.
	Progress func(int64)
	// NoSync leaves out fsync, for tests alone.
	NoSync bool
}

// Restored is what a restore has made.
type Restored struct {
	Backup *eventlogv1.Backup
	Fork   Fork
	Report Report
	// Replaced is where the store is kept that was there before; empty when there was none.
	Replaced string
}

// The errors of a restore that callers tell apart.
var (
	// ErrStoreExists: there is a store, and Replace was not asked for.
	ErrStoreExists = errors.New("there is a store already")
	// ErrNotWhole: the restored store has breaches; it was not put in place.
	ErrNotWhole = errors.New("the restored store is not whole")
)

// Restore makes a store out of a backup: it checks every sum, begins a new epoch, puts up the fence, verifies the result whole, and only then
// puts it in place in one step. A crash leaves the old store or the new one. Documents that are there stay.
func Restore(ctx context.Context, o RestoreOptions) (_ Restored, err error) {
	out := Restored{}
	cat, err := newCatalogue(o.Schema)
	if err != nil {
		return out, err
	}
	b, err := backup.Open(o.Dir)
	if err != nil {
		return out, err
	}
	out.Backup = b
	switch {
	case b.Service != cat.Service:
		return out, fmt.Errorf("the backup is of service %q, this is %q", b.Service, cat.Service)
	case b.SchemaVersion > cat.Version:
		return out, fmt.Errorf("the backup has schema version %d, of a later program; this one knows %d", b.SchemaVersion, cat.Version)
	}
	epoch := max(o.AfterEpoch, b.Last.GetEpoch())
	replaces := false
	if _, err := os.Stat(o.Path); err == nil {
		if !o.Replace {
			return out, fmt.Errorf("%s: %w", o.Path, ErrStoreExists)
		}
		release, known, err := holdOld(o.Path)
		if err != nil {
			return out, err
		}
		defer func() { err = errors.Join(err, release()) }()
		replaces, epoch = true, max(epoch, known)
	} else if !errors.Is(err, os.ErrNotExist) {
		return out, err
	}
	dir := filepath.Dir(o.Path)
	if err := errors.Join(os.MkdirAll(dir, 0o700), removeStaged(dir), removeStaged(filepath.Join(dir, backup.Documents))); err != nil {
		return out, err
	}
	staged, err := stage(ctx, o, b)
	if staged != "" {
		defer os.Remove(staged) // does nothing once it is in place
	}
	if err != nil {
		return out, err
	}
	if out.Fork, err = beginEpoch(ctx, o, staged, b, epoch+1); err != nil {
		return out, err
	}
	if out.Report, err = Verify(ctx, staged, o.Schema, o.Archives...); err != nil {
		return out, err
	}
	if len(out.Report.Breaches) > 0 {
		return out, fmt.Errorf("%w: %s", ErrNotWhole, out.Report.Breaches[0])
	}
	if replaces {
		out.Replaced = o.Path + time.Now().UTC().Format(".replaced-20060102T150405.000000000Z")
		// A second name, then the rename: at no moment is there no store.
		if err := os.Link(o.Path, out.Replaced); err != nil {
			return out, err
		}
	}
	if err := os.Rename(staged, o.Path); err != nil {
		return out, err
	}
	return out, syncDir(dir)
}

// holdOld makes sure that no program has a store open that is to be replaced, also a damaged one, and returns its epoch, 0 when it cannot be
// read.
func holdOld(path string) (release func() error, epoch uint64, err error) {
	db, err := openFile(Options{}, path)
	if errors.Is(err, ErrInUse) {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	if err != nil {
		return func() error { return nil }, 0, nil // damaged: what it was is not known
	}
	_ = guard(path, func() error { // damaged: what it was is not known
		return db.View(func(btx *bbolt.Tx) error {
			last, err := readTip(btx)
			if err == nil {
				epoch = last.epoch
			}
			return err
		})
	})
	return db.Close, epoch, nil
}

// stage copies the backup's files: the store to another name beside its place, documents to theirs.
func stage(ctx context.Context, o RestoreOptions, b *eventlogv1.Backup) (path string, err error) {
	dir := filepath.Dir(o.Path)
	for _, f := range b.Files {
		if f.Name == backup.StoreFile {
			continue
		}
		if err := os.MkdirAll(filepath.Join(dir, backup.Documents), 0o750); err != nil {
			return "", err
		}
		to := filepath.Join(dir, filepath.FromSlash(f.Name))
		if same, err := hasSum(ctx, to, f); err != nil {
			return "", err
		} else if same {
			if err := backup.CopyFile(ctx, io.Discard, o.Dir, f, o.Progress); err != nil {
				return "", err
			}
			continue
		}
		staged, err := copyOut(ctx, o, f, filepath.Join(dir, backup.Documents))
		if err == nil {
			err = os.Rename(staged, to)
		}
		if err != nil {
			return "", errors.Join(err, removeIf(staged))
		}
	}
	if len(b.Files) > 1 && !o.NoSync {
		if err := syncDir(filepath.Join(dir, backup.Documents)); err != nil {
			return "", err
		}
	}
	return copyOut(ctx, o, b.Files[0], dir)
}

// removeStaged removes what a restore that was interrupted has left in a folder.
func removeStaged(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, stagedForm))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

const stagedForm = ".restore-*"

func removeIf(path string) error {
	if path == "" {
		return nil
	}
	return os.Remove(path)
}

// copyOut copies one file of the backup to a new one in a folder, synced.
func copyOut(ctx context.Context, o RestoreOptions, f *eventlogv1.BackupFile, dir string) (path string, err error) {
	out, err := os.CreateTemp(dir, stagedForm)
	if err != nil {
		return "", err
	}
	err = backup.CopyFile(ctx, out, o.Dir, f, o.Progress)
	if err == nil && !o.NoSync {
		err = out.Sync()
	}
	return out.Name(), errors.Join(err, out.Close())
}

// hasSum tells whether a file is there with the content that it should have.
func hasSum(ctx context.Context, path string, f *eventlogv1.BackupFile) (bool, error) {
	in, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer in.Close()
	sum := sha256.New()
	if _, err := backup.Copy(ctx, sum, in, nil); err != nil {
		return false, err
	}
	return hex.EncodeToString(sum.Sum(nil)) == f.Sha256, nil
}

// beginEpoch opens the copied store and makes the first change of its new epoch.
func beginEpoch(ctx context.Context, o RestoreOptions, path string, b *eventlogv1.Backup, epoch uint64) (Fork, error) {
	s, err := Open(ctx, Options{Path: path, Schema: o.Schema, Clock: o.Clock, NoSync: o.NoSync})
	if err != nil {
		return Fork{}, err
	}
	defer s.Close()
	at, hash := s.LastHash()
	if at != PositionOf(b.Last) || !slices.Equal(hash, b.LastHash) {
		return Fork{}, fmt.Errorf("%w: the copy ends at %v, backup.json says %v", backup.ErrDamaged, at, PositionOf(b.Last))
	}
	err = s.db.Update(func(btx *bbolt.Tx) error {
		if len(s.archives) > 0 { // such a store has a later format
			return moveArchives(btx, s.cat.Service, o.Path, o.Archives)
		}
		return putMeta(btx, metaFormat, []byte(format2))
	})
	if err != nil {
		return Fork{}, err
	}
	fork := Fork{Epoch: epoch, After: at, Hash: hash}
	cause := Cause{Principal: o.Actor, Method: "restore"}
	now := o.Clock.Now()
	_, err = s.Change(ctx, cause, func(tx *Tx) ([]byte, error) {
		return nil, putUpFence(ctx, tx, fork, b.GetApplyTime().AsTime(), now)
	})
	return fork, errors.Join(err, s.Close())
}
