package store

import (
	"bytes"
	"context"
	"sync"
)

// maxDecoded is how much of records is kept with what was decoded from it, in bytes.
const maxDecoded = 4 << 20

// decoded keeps what records were decoded to, each with the bytes that it was decoded from.
type decoded struct {
	mu   sync.RWMutex
	size int
	rows map[decodedKey]decodedRow
}

type decodedKey struct {
	bucket *Bucket
	key    string
}

type decodedRow struct {
	data  []byte
	value any
}

// Decoded returns what decode makes of a record, or ErrNotFound. For as long as the record has the same bytes everybody is given the
// same value, so nobody may change it, and decode must make it of the bytes alone. It is for records that are read far more often than
// written, as copies of master data are.
func Decoded[T any](ctx context.Context, r Reader, b *Bucket, key []byte, decode func(data []byte) (T, error)) (T, error) {
	var none T
	data, err := get(ctx, r, b, key)
	if err != nil {
		return none, err
	}
	own, ok := r.(interface{ shared() *decoded })
	if !ok || own.shared() == nil {
		return decode(bytes.Clone(data))
	}
	d, k := own.shared(), decodedKey{b, string(key)}
	d.mu.RLock()
	row, ok := d.rows[k]
	d.mu.RUnlock()
	if v, is := row.value.(T); ok && is && bytes.Equal(row.data, data) {
		return v, nil
	}
	data = bytes.Clone(data)
	v, err := decode(data)
	if err != nil {
		return none, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.size += len(data) - len(d.rows[k].data); d.rows == nil || d.size > maxDecoded {
		d.rows, d.size = map[decodedKey]decodedRow{}, len(data) // what is asked for comes back soon
	}
	d.rows[k] = decodedRow{data, v}
	return v, nil
}

// shared is what the store of this transaction keeps decoded; nil where it keeps nothing.
func (r *reader) shared() *decoded { return r.decoded }
