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
	"google.golang.org/protobuf/proto"

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
	// is before the first entry. store.ErrOutOfRange, as *store.ArchivedError when the range is gone, and as *store.ForkedError when the
	// position is no more.
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

// Remote returns the log of another service. Who reads to its end and asks for what has Changed is sent what comes by a stream that
// stays open; when that breaks it is opened again with back-off.
func Remote(log string, cc grpc.ClientConnInterface) Source {
	return &remote{log: log, client: eventlogv1.NewEventLogServiceClient(cc)}
}

type remote struct {
	log    string
	client eventlogv1.EventLogServiceClient

	mu    sync.Mutex
	tail  *tail  // the stream under way; nil when there is none
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

// tail is a stream of entries, and those that have come and were not read yet.
type tail struct {
	next    Position // the entry before the first of entries, or before what comes next
	entries []Entry
	last    Position      // the last entry that the log is known to have
	heard   time.Time     // when the log was last heard of
	changed chan struct{} // closed while there are entries, and when the stream is given up
	room    chan struct{} // has one element when entries were taken
	cancel  context.CancelFunc
}

// maxAhead is how many entries wait to be read; the stream stands still until they are fewer.
const maxAhead = 512

// silence is how long a stream is believed that there is nothing new; one that broke is not believed at all. A log that hangs is
// noticed by who asks it after that.
const silence = 10 * time.Second

// readTimeout bounds one read, so that a peer that hangs does not hold up its reader for ever.
const readTimeout = 30 * time.Second

// Read takes what the stream has brought, or what was read ahead, or reads, and begins the next read when the log goes on.
func (r *remote) Read(ctx context.Context, after Position, limit int) ([]Entry, Position, error) {
	if entries, last, err := r.streamed(after, limit); last.Log != "" || err != nil {
		return entries, last, err
	}
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
	if rpcerr.Reason(err) == rpcerr.ReasonArchived {
		return nil, Position{}, fmt.Errorf("feed %s: %w", r.log, &store.ArchivedError{Position: after, First: rpcerr.FirstOf(err)})
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
	last := store.PositionOf(resp.Last)
	if len(out) == 0 {
		r.mu.Lock()
		defer r.mu.Unlock()
		if t := r.tail; t != nil && t.next == after {
			t.heard, t.last = time.Now(), last
		}
	}
	return out, last, nil
}

// streamed returns what has come by the stream after a position. last is zero when that does not tell, and the log has to be asked.
func (r *remote) streamed(after Position, limit int) (entries []Entry, last Position, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tail
	switch {
	case t == nil || t.next != after:
		return nil, Position{}, nil
	case len(t.entries) > 0:
	case time.Since(t.heard) < silence:
		return nil, t.last, nil
	default:
		return nil, Position{}, nil
	}
	n := len(t.entries)
	if limit > 0 {
		n = min(n, limit)
	}
	next, err := positionOf(t.entries[n-1])
	if err != nil {
		return nil, Position{}, err
	}
	entries, t.entries, t.next = t.entries[:n:n], t.entries[n:], next
	if len(t.entries) == 0 {
		t.changed = make(chan struct{})
	}
	select {
	case t.room <- struct{}{}:
	default:
	}
	return entries, t.last, nil
}

func positionOf(e Entry) (Position, error) {
	head := &eventlogv1.Head{}
	if err := proto.Unmarshal(e.Head, head); err != nil {
		return Position{}, fmt.Errorf("%w: %w", ErrBrokenFeed, err)
	}
	return store.PositionOf(head.Position), nil
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

// Changed says whether the stream has brought anything after a position. It opens one when there is none after that position, and the
// log is not known to go on there.
func (r *remote) Changed(ctx context.Context, after Position) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ahead != nil && r.ahead.after == after {
		return closed()
	}
	if r.tail != nil {
		if r.tail.next == after {
			return r.tail.changed
		}
		r.tail.cancel()
	}
	ctx, cancel := context.WithCancel(ctx)
	t := &tail{next: after, changed: make(chan struct{}), room: make(chan struct{}, 1), cancel: cancel}
	r.tail = t
	go func() {
		defer cancel()
		r.follow(ctx, t, after)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.tail == t {
			r.tail = nil
		}
		if len(t.entries) == 0 {
			close(t.changed)
		}
	}()
	return t.changed
}

// The back-off after a broken stream doubles from minWatch to maxWatch.
const (
	minWatch = 50 * time.Millisecond
	maxWatch = time.Second
)

// follow keeps a stream open until ctx ends or the log refuses the position; the next Read says why.
func (r *remote) follow(ctx context.Context, t *tail, after Position) {
	for backoff := minWatch; ; backoff = min(2*backoff, maxWatch) {
		at := after
		var err error
		if after, err = r.receive(ctx, t, at); after != at {
			backoff = minWatch
		}
		r.mu.Lock()
		t.heard = time.Time{} // the log has to be asked
		r.mu.Unlock()
		if ctx.Err() != nil || status.Code(err) == codes.OutOfRange {
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

// receive takes what a new stream brings, until it breaks. It returns the last position that came.
func (r *remote) receive(ctx context.Context, t *tail, after Position) (Position, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req := &eventlogv1.TailEntriesRequest{}
	if after != (Position{}) {
		req.After = store.PositionProto(after)
	}
	stream, err := r.client.TailEntries(ctx, req)
	if err != nil {
		return after, err
	}
	for {
		resp, err := stream.Recv()
		if err != nil {
			return after, err
		}
		got := make([]Entry, len(resp.Entries))
		for i, e := range resp.Entries {
			got[i] = Entry{Head: e.Head, Hash: e.Hash}
		}
		if len(got) == 0 {
			continue
		}
		if after, err = positionOf(got[len(got)-1]); err != nil {
			return after, err
		}
		r.bring(t, got, after, store.PositionOf(resp.Last))
		for r.full(t) {
			select {
			case <-t.room:
			case <-ctx.Done():
				return after, ctx.Err()
			}
		}
	}
}

// full says that enough entries wait to be read.
func (r *remote) full(t *tail) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(t.entries) >= maxAhead
}

// bring adds entries to those that wait to be read.
func (r *remote) bring(t *tail, got []Entry, end, last Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(t.entries) == 0 {
		close(t.changed)
	}
	t.entries, t.heard, t.last = append(t.entries, got...), time.Now(), last
	if last.Log == "" { // of a program before this field
		t.last = end
	}
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
