package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
)

// The store's limits. A record stays small: lines and charges are records of their own under their parent.
const (
	maxKey    = 1 << 10
	maxRecord = 64 << 10
	maxFacts  = 1 << 20 // of one change, in bytes, so that an entry fits a message of the feed
)

// Fact is one public event of a change.
type Fact struct {
	// Type is the event's name, such as "OrderReleased".
	Type string
	// Subject is the resource that it is about.
	Subject string
	// Related are other names and numbers that lead to it.
	Related []string
	// Payload is the event message, complete enough to act on.
	Payload proto.Message
}

// Tx is a change under way: it reads what is stored and its own writes. What it writes stays in memory until the closure
// has returned without an error.
type Tx struct {
	reader
	at    Position // of its entry, if it comes to one; not shown to domains, which other engines could not tell
	tries int      // Try calls under way
	undo  []undo   // what they take back
	facts []*eventlogv1.Fact
	size  int // of the facts, in bytes
	occur time.Time
	fork  uint64 // the epoch that the change begins; 0 for none
	freed bool   // a task that held up its subject was taken away or let go on
	over  bool
}

var _ Reader = (*Tx)(nil)

// undo is what stood under a key among the writes before it was written.
type undo struct {
	bucket  *Bucket
	old     write
	existed bool
}

var errTxOver = errors.New("store: a change used its transaction after it had returned")

// Put writes a record.
func (t *Tx) Put(ctx context.Context, b *Bucket, key, value []byte) error {
	if len(value) > maxRecord {
		return tooLarge(b, key, len(value))
	}
	return t.set(ctx, b, key, append(room(b, len(value)), value...))
}

func tooLarge(b *Bucket, key []byte, size int) error {
	return fmt.Errorf("%w: bucket %s key %s has %d bytes, the most is %d", ErrTooLarge, b.Name, printable(key), size, maxRecord)
}

// Delete removes a record; nothing happens when there is none.
func (t *Tx) Delete(ctx context.Context, b *Bucket, key []byte) error {
	if found, err := t.has(ctx, b, key); err == nil && !found {
		return nil
	}
	return t.set(ctx, b, key, nil)
}

// set writes a stored value that room made; nil deletes.
func (t *Tx) set(ctx context.Context, b *Bucket, key, stored []byte) error {
	if t.over {
		return errTxOver
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := t.cat.check(b); err != nil {
		return err
	}
	if len(key) == 0 || len(key) > maxKey {
		return fmt.Errorf("%w: bucket %s: a key has 1 to %d bytes, this one %d", ErrTooLarge, b.Name, maxKey, len(key))
	}
	w := t.writes.of(b)
	if w == nil {
		t.writes = append(t.writes, written{bucket: b})
		w = &t.writes[len(t.writes)-1]
	}
	i, existed := w.find(key)
	row := write{bytes.Clone(key), stored}
	if t.tries > 0 {
		u := undo{b, row, existed}
		if existed {
			u.old = w.rows[i]
		}
		t.undo = append(t.undo, u)
	}
	if existed {
		w.rows[i] = row
	} else {
		w.rows = slices.Insert(w.rows, i, row)
	}
	return nil
}

// Emit tells a fact, in the order of the calls.
func (t *Tx) Emit(f Fact) error {
	if t.over {
		return errTxOver
	}
	if f.Type == "" || f.Subject == "" {
		return fmt.Errorf("fact %q about %q: type and subject must be set", f.Type, f.Subject)
	}
	e := &eventlogv1.Fact{Type: f.Type, Subject: f.Subject, Related: f.Related}
	if f.Payload != nil {
		e.Payload = &anypb.Any{}
		if err := anypb.MarshalFrom(e.Payload, f.Payload, proto.MarshalOptions{Deterministic: true}); err != nil {
			return fmt.Errorf("fact %s: %w", f.Type, err)
		}
	}
	size := proto.Size(e)
	if t.size+size > maxFacts {
		return fmt.Errorf("%w: the facts of one change have more than %d bytes", ErrTooLarge, maxFacts)
	}
	t.size += size
	t.facts = append(t.facts, e)
	return nil
}

// OccurAt says when the change happened in the world; without it, that is when the suite heard of it.
func (t *Tx) OccurAt(at time.Time) { t.occur = at.UTC() }

// Try runs fn and takes back what it wrote and told when it returns an error, which Try returns too. A panic goes through.
func (t *Tx) Try(fn func(*Tx) error) error {
	mark, facts, size, occur := len(t.undo), len(t.facts), t.size, t.occur
	t.tries++
	err := fn(t)
	t.tries--
	if err == nil {
		return nil
	}
	for i := len(t.undo) - 1; i >= mark; i-- {
		u := t.undo[i]
		w := t.writes.of(u.bucket)
		if at, _ := w.find(u.old.key); u.existed {
			w.rows[at] = u.old
		} else {
			w.rows = slices.Delete(w.rows, at, at+1)
		}
	}
	t.undo, t.facts, t.size, t.occur = t.undo[:mark], t.facts[:facts], size, occur
	return err
}

// wrote tells whether the change has anything for the log.
func (t *Tx) wrote() bool {
	return len(t.facts) > 0 || slices.ContainsFunc(t.writes, func(w written) bool { return len(w.rows) > 0 })
}
