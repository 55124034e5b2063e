package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/clock"
)

// Options are how a store is opened.
type Options struct {
	Path   string
	Schema Schema
	// Clock gives apply times. Required.
	Clock clock.Business
	// Machine measures commits; nil is the system's.
	Machine clock.Machine
	// Log takes what the store has to say; nil discards it.
	Log *slog.Logger
	// Random gives log ids and salts; nil is the system's.
	Random io.Reader
	// InitialMmapSize is the address space taken at open, in bytes; 0 is 1 GiB. Growing beyond it makes readers wait.
	InitialMmapSize int
	// MaxSize caps the file, in bytes; changes beyond it get ErrFull. 0 is no cap.
	MaxSize int
	// LockTimeout is how long to wait for another process to close the file; 0 is 5 s.
	LockTimeout time.Duration
	// NoSync leaves out fsync. For simulations and tests alone: a power cut then loses changes.
	NoSync bool
}

// appendFill is how full pages are packed: keys are time-ordered, so a split page is not filled again.
const appendFill = 0.95

// Store is an open store. Its methods may be called from any goroutine.
type Store struct {
	path     string
	cat      *catalogue
	db       *bbolt.DB
	clock    clock.Business
	machine  clock.Machine
	metrics  *metrics
	log      *slog.Logger
	random   io.Reader
	uid      string
	line     Line // fixed while the store is open, as archives are
	archives []*storagev1.ArchiveRecord
	causes   *causeIndex           // of the writer
	commit   func(*bbolt.Tx) error // (*bbolt.Tx).Commit; tests put a failing disk here

	inline   *inline // in a simulation
	queue    chan *Pending
	loopDone chan struct{}
	submit   sync.RWMutex // held for reading while a change is put into the queue
	closed   bool         // guarded by submit

	closing   chan struct{}
	closeOnce sync.Once
	closeErr  error

	mu       sync.Mutex
	last     tip
	freed    uint64 // commits that let tasks go on
	changed  chan struct{}
	failed   error
	failure  chan struct{}
	verified verified

	decoded decoded

	durable atomic.Int64 // bbolt's number of the last transaction that is on the disk
}

// Open opens the store at path, or creates it and its folder, for the program's user alone. It fails with ErrInUse when another process has it open, and when the file
// belongs to another service or a later schema.
func Open(ctx context.Context, o Options) (s *Store, err error) {
	if o.Clock == nil {
		return nil, errors.New("store: a clock is required")
	}
	cat, err := newCatalogue(o.Schema)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Machine == nil {
		o.Machine = clock.SystemMachine()
	}
	if err := create(o, cat); err != nil {
		return nil, fmt.Errorf("create store %s: %w", o.Path, err)
	}
	err = guard(o.Path, func() error {
		db, err := openFile(o, o.Path)
		if err != nil {
			return err
		}
		s = &Store{path: o.Path, cat: cat, db: db, clock: o.Clock, machine: o.Machine, metrics: newMetrics(), log: o.Log, random: o.Random,
			commit: (*bbolt.Tx).Commit, queue: make(chan *Pending, maxBatch), closing: make(chan struct{}),
			loopDone: make(chan struct{}), changed: make(chan struct{}), failure: make(chan struct{})}
		err = s.load(ctx)
		if err == nil {
			err = db.View(func(btx *bbolt.Tx) error {
				s.durable.Store(int64(btx.ID()))
				return nil
			})
		}
		if err != nil {
			db.Close()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", o.Path, err)
	}
	go s.loop()
	return s, nil
}

func openFile(o Options, path string) (*bbolt.DB, error) {
	timeout, mmap := o.LockTimeout, o.InitialMmapSize
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	if mmap == 0 {
		mmap = 1 << 30
	}
	if o.MaxSize > 0 {
		mmap = min(mmap, o.MaxSize)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: timeout, FreelistType: bbolt.FreelistMapType,
		InitialMmapSize: mmap, MaxSize: o.MaxSize, NoSync: o.NoSync, NoGrowSync: o.NoSync})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, ErrInUse
	}
	return db, err
}

// create makes a new file under another name and links it to its own when it is whole, so that no crash leaves half a store.
func create(o Options, cat *catalogue) error {
	if _, err := os.Stat(o.Path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(o.Path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".new-store-*")
	if err != nil {
		return err
	}
	tmp.Close()
	defer os.Remove(tmp.Name())
	db, err := openFile(Options{NoSync: o.NoSync}, tmp.Name())
	if err != nil {
		return err
	}
	var uid [16]byte
	if _, err := io.ReadFull(o.Random, uid[:]); err != nil {
		return errors.Join(err, db.Close())
	}
	err = db.Update(func(btx *bbolt.Tx) error {
		if err := createBuckets(btx, cat); err != nil {
			return err
		}
		if err := putMeta(btx, metaVersion, binary.BigEndian.AppendUint32(nil, cat.Version)); err != nil {
			return err
		}
		return errors.Join(putMeta(btx, metaFormat, []byte(format)), putMeta(btx, metaService, []byte(cat.Service)),
			putMeta(btx, metaUID, []byte(hex.EncodeToString(uid[:]))))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	// A link, unlike a rename, does not replace a store that another process has made meanwhile.
	if err := os.Link(tmp.Name(), o.Path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if o.NoSync {
		return nil
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func createBuckets(btx *bbolt.Tx, cat *catalogue) error {
	for _, name := range append([]string{metaBucket, logBucket, causesBucket}, slices.Sorted(maps.Keys(cat.byName))...) {
		if _, err := btx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}

// The rows of the meta bucket.
const (
	metaFormat  = "format"
	metaService = "service"
	metaUID     = "uid"
	metaVersion = "schema_version"

	// A store that was restored has entries of more than one epoch, which programs before the second format take for damage; one that was
	// archived has not all entries, which programs before the third do.
	format  = "crossdock-store-1"
	format2 = "crossdock-store-2"
	format3 = "crossdock-store-3"
)

func putMeta(btx *bbolt.Tx, key string, data []byte) error {
	return btx.Bucket([]byte(metaBucket)).Put([]byte(key), seal(metaBucket, []byte(key), 0, data))
}

func getMeta(btx *bbolt.Tx, key string) ([]byte, error) {
	b := btx.Bucket([]byte(metaBucket))
	if b == nil {
		return nil, errors.New("not a store: bucket meta is missing")
	}
	return unseal(metaBucket, []byte(key), b.Get([]byte(key)))
}

// checkMeta refuses a file that is not this service's, or newer than this program; it returns the schema version of the file.
func checkMeta(btx *bbolt.Tx, cat *catalogue) (version uint32, err error) {
	for key, want := range map[string][]string{metaFormat: {format, format2, format3}, metaService: {cat.Service}} {
		got, err := getMeta(btx, key)
		if err != nil {
			return 0, err
		}
		if !slices.Contains(want, string(got)) {
			return 0, fmt.Errorf("%s is %q, expected %q", key, got, want[0])
		}
	}
	data, err := getMeta(btx, metaVersion)
	if err != nil {
		return 0, err
	}
	if len(data) != 4 {
		return 0, &CorruptError{Bucket: metaBucket, Key: []byte(metaVersion)}
	}
	version = binary.BigEndian.Uint32(data)
	if version > cat.Version {
		return 0, fmt.Errorf("schema version %d was written by a later program; this one knows %d", version, cat.Version)
	}
	return version, nil
}

// load reads the end of the log, and brings a file of an earlier schema version up to this one.
func (s *Store) load(ctx context.Context) error {
	var version uint32
	err := s.db.View(func(btx *bbolt.Tx) error {
		var err error
		if version, err = checkMeta(btx, s.cat); err != nil {
			return err
		}
		uid, err := getMeta(btx, metaUID)
		if err != nil {
			return err
		}
		s.uid = string(uid)
		if s.causes, err = loadCauses(btx); err != nil {
			return err
		}
		if s.last, err = readTip(btx); err != nil {
			return err
		}
		if s.archives, err = readArchives(btx, s.cat.Service); err != nil {
			return err
		}
		s.line, err = readLine(btx, s.last, s.archives)
		return err
	})
	if err != nil {
		return err
	}
	if version == s.cat.Version {
		return s.db.View(func(btx *bbolt.Tx) error {
			for name := range s.cat.byName {
				if btx.Bucket([]byte(name)) == nil {
					return fmt.Errorf("bucket %s is missing: the file is damaged, or the schema changed without a new version", name)
				}
			}
			return nil
		})
	}
	return s.db.Update(func(btx *bbolt.Tx) error {
		for _, b := range s.cat.Buckets {
			if b.Kind == Derived && btx.Bucket([]byte(b.Name)) != nil {
				if err := btx.DeleteBucket([]byte(b.Name)); err != nil {
					return err
				}
			}
		}
		if err := createBuckets(btx, s.cat); err != nil {
			return err
		}
		if err := s.cat.rebuild(ctx, &reader{btx: btx, cat: s.cat}, &DerivedWriter{cat: s.cat, put: func(b *Bucket, key, stored []byte) error {
			return btx.Bucket([]byte(b.Name)).Put(key, stored)
		}}); err != nil {
			return fmt.Errorf("rebuild derived buckets: %w", err)
		}
		return putMeta(btx, metaVersion, binary.BigEndian.AppendUint32(nil, s.cat.Version))
	})
}

// guard turns a panic of bbolt, and a fault in the mapped file, into an error that names the file: both mean that the
// structure of its pages is damaged.
func guard(path string, fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("store file %s is damaged: %v", path, r)
		}
	}()
	return fn()
}

// View gives fn a consistent look at the records. It is a short read transaction: fn reads what it needs and leaves; while
// it is open, the file cannot reuse space. What it shows is on the disk: while a commit can be seen in the file and is not synced
// yet, it waits for that, since a power cut could take back what somebody has acted on.
func (s *Store) View(ctx context.Context, fn func(r Reader) error) error {
	for {
		changed := s.Changed()
		err := s.look(ctx, func(r *reader) error {
			if int64(r.btx.ID()) > s.durable.Load() {
				return errNotSynced
			}
			return fn(r)
		})
		if err != errNotSynced {
			return err
		}
		select {
		case <-changed:
		case <-s.failure:
			return s.Ready()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look is View without the wait.
func (s *Store) look(ctx context.Context, fn func(r *reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a damaged file is a panic, which a server survives
	err := s.db.View(func(btx *bbolt.Tx) error { return fn(&reader{btx: btx, cat: s.cat, decoded: &s.decoded}) })
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

var errNotSynced = errors.New("the last commit is not synced yet")

// Service is the name of the service, and of its log.
func (s *Store) Service() string { return s.cat.Service }

// Now is business time as the store's changes have it.
func (s *Store) Now() time.Time { return s.clock.Now() }

// UID is the identity of this store, new for every store; a restored one keeps that of its copy.
func (s *Store) UID() string { return s.uid }

// Last is the position of the last committed entry.
func (s *Store) Last() Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position(s.last.sequence)
}

func (s *Store) position(sequence uint64) Position {
	return s.line.At(s.cat.Service, sequence)
}

// Changed returns a channel that is closed at the next commit.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Closing returns a channel that is closed when Close begins.
func (s *Store) Closing() <-chan struct{} { return s.closing }

// Failed returns a channel that is closed when a commit failed in a way that the store cannot go on from; Ready then says
// why. The program ends and starts anew.
func (s *Store) Failed() <-chan struct{} { return s.failure }

// Ready returns nil while the store takes changes. A full disk does not make it unready: changes get ErrFull, and go through
// again when there is space.
func (s *Store) Ready() error {
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// Wait returns when the log has reached p. ErrOutOfRange when p is of another log, a later epoch or, as *ForkedError, no more.
func (s *Store) Wait(ctx context.Context, p Position) error {
	if err := s.onLine(p); err != nil {
		return err
	}
	for {
		changed := s.Changed()
		if s.Last().Sequence >= p.Sequence {
			return nil
		}
		select {
		case <-changed:
		case <-s.closing:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close makes the changes that were submitted, refuses new ones and closes the file. Closing twice does nothing.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		s.submit.Lock()
		s.closed = true
		close(s.queue)
		s.submit.Unlock()
		<-s.loopDone
		if s.inline != nil {
			s.inline.make()
		}
		s.closeErr = s.db.Close()
	})
	return s.closeErr
}
