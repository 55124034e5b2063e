package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
)

// LogEntry is the public part of an entry: the exact bytes, so that a reader can check the chain.
type LogEntry struct {
	Position Position
	Head     []byte // of a Head message
	Hash     []byte // SHA-256 of Head
}

// The most that ReadLog returns at once.
const (
	maxLogEntries = 256
	maxLogBytes   = 1 << 20
)

// ReadLog returns the entries after a position, oldest first, and the last position committed. The zero Position is before
// the first entry. At most limit entries are returned (0 and more than 256 are 256), fewer when they are large, at least one
// when there is one. ErrOutOfRange for a position of another log or beyond the end, as *ForkedError for one that is no more, and as
// *ArchivedError for one whose next entry was moved out of the store. *CorruptError where an entry is damaged or missing.
func (s *Store) ReadLog(ctx context.Context, after Position, limit int) ([]LogEntry, Position, error) {
	last := s.Last()
	if after != (Position{}) {
		if err := s.onLine(after); err != nil {
			return nil, last, err
		}
	}
	if err := s.archivedAfter(after); err != nil {
		return nil, last, err
	}
	if after.Sequence > last.Sequence {
		return nil, last, fmt.Errorf("%w: %v is beyond the end %v", ErrOutOfRange, after, last)
	}
	if after.Sequence == last.Sequence {
		return nil, last, ctx.Err()
	}
	if limit <= 0 || limit > maxLogEntries {
		limit = maxLogEntries
	}
	var out []LogEntry
	err := s.look(ctx, func(r *reader) error {
		c := r.btx.Bucket([]byte(logBucket)).Cursor()
		size := 0
		// A commit can be seen in the file before it is synced and the log's end: what is after last is not told yet.
		most := min(uint64(limit), last.Sequence-after.Sequence)
		k, v := c.Seek(Key(after.Sequence + 1))
		for ; uint64(len(out)) < most; k, v = c.Next() {
			// Where a page is damaged the tree may lead past entries: none may be taken for another.
			if want := Key(after.Sequence + uint64(len(out)) + 1); !bytes.Equal(k, want) {
				return &CorruptError{Bucket: logBucket, Key: want}
			}
			data, err := unseal(logBucket, k, v)
			if err != nil {
				return err
			}
			head, _, err := splitEntry(data)
			if err != nil {
				return err
			}
			if size += len(head); size > maxLogBytes && len(out) > 0 {
				return nil
			}
			hash := sha256.Sum256(head)
			out = append(out, LogEntry{s.position(after.Sequence + uint64(len(out)) + 1), bytes.Clone(head), hash[:]})
		}
		return nil
	})
	return out, last, err
}

// LastHash returns the last position with its entry's hash, empty before the first entry.
func (s *Store) LastHash() (Position, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position(s.last.sequence), bytes.Clone(s.last.hash)
}

// Written names the records that an entry put or deleted, as "bucket/key"; *ArchivedError for one that the store does not hold any more.
func (s *Store) Written(ctx context.Context, sequence uint64) ([]string, error) {
	if sequence > 0 {
		if err := s.archivedAfter(s.position(sequence - 1)); err != nil {
			return nil, err
		}
	}
	var out []string
	err := s.look(ctx, func(r *reader) error {
		e, err := entryAt(r.btx, sequence)
		if err == nil {
			out = e.records()
		}
		return err
	})
	return out, err
}

// records names what e put or deleted.
func (e *entry) records() []string {
	var out []string
	for _, w := range e.writes {
		out = append(out, string(w.bucket)+"/"+strings.Trim(printable(w.key), `"`))
	}
	return out
}
