package store

import (
	"bytes"
	"slices"
)

// write is what a change wants of one key.
type write struct {
	key []byte
	// stored is the value for the bucket as room made it, sealed when the change is over; nil deletes.
	stored []byte
}

// written are the writes of a change to one bucket, in order of key.
type written struct {
	bucket *Bucket
	rows   []write
}

// writes are those of a change, by bucket in the order of first use. A change touches few buckets: they are looked through.
type writes []written

// room begins a stored value: space for the envelope and the salt, to which size bytes of data are appended.
func room(b *Bucket, size int) []byte { return make([]byte, before(b), before(b)+size) }

// before is how many bytes of a stored value stand before its data.
func before(b *Bucket) int {
	if b.Kind == Personal {
		return envelopeSize + saltSize
	}
	return envelopeSize
}

// of returns the writes to a bucket, nil when there are none.
func (ws writes) of(b *Bucket) *written {
	for i := range ws {
		if ws[i].bucket.Name == b.Name {
			return &ws[i]
		}
	}
	return nil
}

// find returns where a key stands, or would stand. Keys often come in order.
func (w *written) find(key []byte) (i int, found bool) {
	if n := len(w.rows); n == 0 || bytes.Compare(w.rows[n-1].key, key) < 0 {
		return n, false
	}
	return slices.BinarySearchFunc(w.rows, key, func(row write, key []byte) int { return bytes.Compare(row.key, key) })
}

// between returns the rows of a range.
func (w *written) between(rg Range) []write {
	if w == nil {
		return nil
	}
	from, _ := w.find(rg.From)
	to := len(w.rows)
	if rg.To != nil {
		to, _ = w.find(rg.To)
	}
	return w.rows[from:max(from, to)]
}

// get returns the data that a change has written to a key: known tells whether it has, data is nil when it was deleted.
func (ws writes) get(b *Bucket, key []byte) (data []byte, known bool) {
	w := ws.of(b)
	if w == nil {
		return nil, false
	}
	i, found := w.find(key)
	if !found || w.rows[i].stored == nil {
		return nil, found
	}
	return w.rows[i].stored[before(b):], true
}
