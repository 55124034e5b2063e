package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// Reader reads records. All bytes that it returns are copies.
type Reader interface {
	// Get returns the record with this key, ErrNotFound, or a *CorruptError.
	Get(ctx context.Context, b *Bucket, key []byte) ([]byte, error)
	// GetMany returns the records with these keys, in the same order, nil where there is none.
	GetMany(ctx context.Context, b *Bucket, keys [][]byte) ([][]byte, error)
	// Scan returns the records of a range in order of key.
	Scan(ctx context.Context, b *Bucket, rg Range) ([]KV, error)
}

// Range is a part of a bucket.
type Range struct {
	// From is the first key, To the first key after the range; nil is the bucket's begin and end.
	From, To []byte
	// Limit is the most records to return: 0 is 256, and more than 1,000 is 1,000.
	Limit int
	// Reverse begins at the end.
	Reverse bool
}

// KV is one record with its key.
type KV struct {
	Key, Value []byte
}

const (
	defaultScan = 256
	maxScan     = 1000
)

// saltSize is the length of the random bytes before the data of a personal record.
const saltSize = 16

// reader reads a bbolt transaction below the writes of the change under way; those are nil in a View.
type reader struct {
	btx    *bbolt.Tx
	cat    *catalogue
	writes writes
	copies []string // followed logs of which a copy was read

	decoded *decoded
}

func (r *reader) Get(ctx context.Context, b *Bucket, key []byte) ([]byte, error) {
	data, err := r.peek(ctx, b, key)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return nil, notFound(b, key)
	}
	return append(make([]byte, 0, len(data)), data...), nil
}

func notFound(b *Bucket, key []byte) error {
	return &notFoundError{b, bytes.Clone(key)}
}

// peek returns a record's data without a copy, to be read before anything else happens; nil when there is none.
func (r *reader) peek(ctx context.Context, b *Bucket, key []byte) ([]byte, error) {
	bb, err := r.open(ctx, b)
	if err != nil {
		return nil, err
	}
	if data, known := r.writes.get(b, key); known {
		return data, nil
	}
	stored := bb.Get(key)
	if stored == nil {
		return nil, nil
	}
	return decode(b, key, stored)
}

// has tells whether there is a record.
func (r *reader) has(ctx context.Context, b *Bucket, key []byte) (bool, error) {
	data, err := r.peek(ctx, b, key)
	return data != nil, err
}

func (r *reader) GetMany(ctx context.Context, b *Bucket, keys [][]byte) ([][]byte, error) {
	out := make([][]byte, len(keys))
	for i, key := range keys {
		v, err := r.Get(ctx, b, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (r *reader) Scan(ctx context.Context, b *Bucket, rg Range) ([]KV, error) {
	bb, err := r.open(ctx, b)
	if err != nil {
		return nil, err
	}
	limit := rg.Limit
	if limit <= 0 {
		limit = defaultScan
	}
	limit = min(limit, maxScan)

	// Two ordered sequences are merged: the stored keys and those of the change under way, which win.
	pending := r.writes.of(b).between(rg)
	stored := newCursor(bb, rg)
	var out []KV
	for len(out) < limit {
		k, v := stored.key, stored.value
		if len(pending) > 0 {
			w, rest, c := pending[0], pending[1:], -1
			if rg.Reverse {
				w, rest = pending[len(pending)-1], pending[:len(pending)-1]
			}
			if k != nil {
				c = bytes.Compare(w.key, k)
				if rg.Reverse {
					c = -c
				}
			}
			if c <= 0 {
				pending = rest
				if c == 0 {
					stored.next()
				}
				if w.stored != nil {
					out = append(out, KV{bytes.Clone(w.key), bytes.Clone(w.stored[before(b):])})
				}
				continue
			}
		}
		if k == nil {
			break
		}
		value, err := decode(b, k, v)
		if err != nil {
			return nil, err
		}
		out = append(out, KV{bytes.Clone(k), append(make([]byte, 0, len(value)), value...)})
		stored.next()
	}
	return out, nil
}

func (r *reader) open(ctx context.Context, b *Bucket) (*bbolt.Bucket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name, err := r.cat.check(b)
	if err != nil {
		return nil, err
	}
	bb := r.btx.Bucket(name)
	if bb == nil {
		return nil, fmt.Errorf("bucket %s is missing in %s", b.Name, r.btx.DB().Path())
	}
	if b.Copies != "" && !slices.Contains(r.copies, b.Copies) {
		r.copies = append(r.copies, b.Copies)
	}
	return bb, nil
}

// decode checks a stored value and returns its data, not copied and not nil.
func decode(b *Bucket, key, stored []byte) ([]byte, error) {
	data, err := unseal(b.Name, key, stored)
	if err != nil {
		return nil, err
	}
	if b.Kind == Personal {
		if len(data) < saltSize {
			return nil, &CorruptError{Bucket: b.Name, Key: bytes.Clone(key)}
		}
		data = data[saltSize:]
	}
	return data, nil
}

// cursor walks the stored keys of a range; key is nil at its end.
type cursor struct {
	c          *bbolt.Cursor
	rg         Range
	key, value []byte
}

func newCursor(b *bbolt.Bucket, rg Range) *cursor {
	c := &cursor{c: b.Cursor(), rg: rg}
	switch {
	case !rg.Reverse && rg.From == nil:
		c.key, c.value = c.c.First()
	case !rg.Reverse:
		c.key, c.value = c.c.Seek(rg.From)
	case rg.To == nil:
		c.key, c.value = c.c.Last()
	default:
		if k, _ := c.c.Seek(rg.To); k == nil {
			c.key, c.value = c.c.Last()
		} else {
			c.key, c.value = c.c.Prev()
		}
	}
	c.bound()
	return c
}

func (c *cursor) next() {
	if c.rg.Reverse {
		c.key, c.value = c.c.Prev()
	} else {
		c.key, c.value = c.c.Next()
	}
	c.bound()
}

func (c *cursor) bound() {
	if c.key == nil {
		return
	}
	if c.rg.Reverse && bytes.Compare(c.key, c.rg.From) < 0 || !c.rg.Reverse && c.rg.To != nil && bytes.Compare(c.key, c.rg.To) >= 0 {
		c.key, c.value = nil, nil
	}
}
