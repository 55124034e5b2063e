package eventlog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/store"
)

// Entry is an entry as a reader gets it: exact bytes.
type Entry struct {
	Head []byte // of a Head message
	Hash []byte // SHA-256 of Head
}

// Source is a log that can be read from any position.
type Source interface {
	// Read returns entries after a position, oldest first, none at the end, and the last position committed. The zero Position
	// is before the first entry. store.ErrOutOfRange when the range is gone, and as *store.ForkedError when the position is no more.
	Read(ctx context.Context, after Position, limit int) (entries []Entry, last Position, err error)
	// Changed returns a channel that is closed when there may be entries after a position, or when ctx has ended.
	Changed(ctx context.Context, after Position) <-chan struct{}
	// Line is the way that the log has come.
	Line(ctx context.Context) (store.Line, error)
}

// Local returns the log of a store in this process.
func Local(s *store.Store) Source { return local{s} }

type local struct{ s *store.Store }

func (l local) Read(ctx context.Context, after Position, limit int) ([]Entry, Position, error) {
	entries, last, err := l.s.ReadLog(ctx, after, limit)
	out := make([]Entry, len(entries))
	for i, e := range entries {
		out[i] = Entry{Head: e.Head, Hash: e.Hash}
	}
	return out, last, err
}

func (l local) Changed(_ context.Context, after Position) <-chan struct{} {
	changed := l.s.Changed()
	if l.s.Last().Sequence > after.Sequence {
		return closed()
	}
	return changed
}

func (l local) Line(context.Context) (store.Line, error) { return l.s.Line(), nil }

func closed() <-chan struct{} {
	ch := make(chan struct{})
	close(ch)
	return ch
}

// Remote returns the log of another service. Between reads it holds one stream open that signals new entries; when that
// breaks it is opened again with back-off.
func Remote(log string, cc grpc.ClientConnInterface) Source {
	return &remote{log: log, client: eventlogv1.NewEventLogServiceClient(cc)}
}

type remote struct {
	log    string
	client eventlogv1.EventLogServiceClient

	mu    sync.Mutex
	watch *watch // the stream under way; nil when there is none
	ahead *ahead // the read after the last one; nil when there is none
}

// ahead is a read that was begun before anybody asked for it: a reader that has far to go finds the next entries there when it has taken
// up the last.
type ahead struct {
	after   Position
	limit   int
	done    chan struct{}
	entries []Entry
	last    Position
}

type watch struct {
	after   Position
	changed chan struct{}
	cancel  context.CancelFunc
}

// readTimeout bounds one read, so that a peer that hangs does not hold up its reader for ever.
const readTimeout = 30 * time.Second

// Read takes what was read ahead, or reads, and begins the next read when the log goes on.
func (r *remote) Read(ctx context.Context, after Position, limit int) ([]Entry, Position, error) {
	r.mu.Lock()
	a := r.ahead
	r.ahead = nil
	r.mu.Unlock()
	var entries []Entry
	var last Position
	if a != nil && a.after == after && a.limit == limit {
		select {
		case <-a.done:
			entries, last = a.entries, a.last
		case <-ctx.Done():
			return nil, Position{}, ctx.Err()
		}
	}
	if len(entries) == 0 { // nothing was read ahead, or it failed
		var err error
		if entries, last, err = r.read(ctx, after, limit); err != nil {
			return nil, Position{}, err
		}
	}
	next := Position{Log: r.log, Epoch: last.Epoch, Sequence: after.Sequence + uint64(len(entries))}
	if len(entries) > 0 && next.Sequence < last.Sequence && (after.Epoch == last.Epoch || after == (Position{})) {
		a := &ahead{after: next, limit: limit, done: make(chan struct{})}
		r.mu.Lock()
		r.ahead = a
		r.mu.Unlock()
		go func() {
			defer close(a.done)
			a.entries, a.last, _ = r.read(ctx, next, limit) // an error comes again when it is asked for
		}()
	}
	return entries, last, nil
}

func (r *remote) read(ctx context.Context, after Position, limit int) ([]Entry, Position, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	req := &eventlogv1.ReadEntriesRequest{PageSize: int32(limit)}
	if after != (Position{}) {
		req.After = store.PositionProto(after)
	}
	resp, err := r.client.ReadEntries(ctx, req)
	if rpcerr.Reason(err) == rpcerr.ReasonForked {
		return nil, Position{}, fmt.Errorf("feed %s: %w", r.log, &store.ForkedError{Position: after, Fork: rpcerr.ForkOf(err)})
	}
	if status.Code(err) == codes.OutOfRange {
		return nil, Position{}, fmt.Errorf("%w: feed %s: %w", store.ErrOutOfRange, r.log, err)
	}
	if err != nil {
		return nil, Position{}, fmt.Errorf("feed %s: %w", r.log, err)
	}
	out := make([]Entry, len(resp.Entries))
	for i, e := range resp.Entries {
		out[i] = Entry{Head: e.Head, Hash: e.Hash}
	}
	return out, store.PositionOf(resp.Last), nil
}

// Line asks the log for the forks that it has gone through.
func (r *remote) Line(ctx context.Context) (store.Line, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	log, err := r.client.GetLog(ctx, &eventlogv1.GetLogRequest{})
	if err != nil {
		return nil, fmt.Errorf("feed %s: %w", r.log, err)
	}
	return store.LineOf(log.Forks), nil
}

// Changed waits on a stream that ends with its first message: while there is work, no stream is open and nothing is sent twice.
func (r *remote) Changed(ctx context.Context, after Position) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watch != nil {
		if r.watch.after == after {
			return r.watch.changed
		}
		r.watch.cancel()
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watch{after: after, changed: make(chan struct{}), cancel: cancel}
	r.watch = w
	go func() {
		defer cancel()
		r.await(ctx, after)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.watch == w {
			r.watch = nil
		}
		close(w.changed)
	}()
	return w.changed
}

// The back-off after a broken stream doubles from minWatch to maxWatch.
const (
	minWatch = 50 * time.Millisecond
	maxWatch = time.Second
)

// await returns when the feed has an entry after a position, or refuses that position (the next Read says why), or ctx ends.
func (r *remote) await(ctx context.Context, after Position) {
	for backoff := minWatch; ; backoff = min(2*backoff, maxWatch) {
		err := r.tail(ctx, after)
		if err == nil || ctx.Err() != nil || status.Code(err) == codes.OutOfRange {
			return
		}
		timer := time.NewTimer(backoff)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func (r *remote) tail(ctx context.Context, after Position) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req := &eventlogv1.TailEntriesRequest{}
	if after != (Position{}) {
		req.After = store.PositionProto(after)
	}
	stream, err := r.client.TailEntries(ctx, req)
	if err != nil {
		return err
	}
	_, err = stream.Recv()
	return err
}

// ErrBrokenFeed is returned when the entries of a feed do not follow each other: its log was altered or exchanged.
var ErrBrokenFeed = errors.New("feed is broken")

// checkHash refuses an entry whose bytes do not have the hash that it names.
func checkHash(e Entry) error {
	if sum := sha256.Sum256(e.Head); string(sum[:]) != string(e.Hash) {
		return fmt.Errorf("%w: an entry does not have the hash that it names", ErrBrokenFeed)
	}
	return nil
}
