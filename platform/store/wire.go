package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
)

// This file writes and reads the messages StoredEntry, Private and Write without their generated types: an entry is made once in one
// buffer, and taken apart without a copy. The bytes are those that the generated types give.

// The fields of the messages.
const (
	entryHead, entryPrivate                        protowire.Number = 1, 2
	privateWrites, privateAnswer                   protowire.Number = 1, 2
	writeBucket, writeKey, writeValue, writeHashed protowire.Number = 1, 2, 3, 4

	headFacts protowire.Number = 10
)

// sizeField is the size of a field of bytes with its tag, which is one byte long for all fields here.
func sizeField(size int) int { return 1 + protowire.SizeBytes(size) }

func appendField(b []byte, n protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
}

func (w *logWrite) size() int {
	size := sizeField(len(w.bucket)) + sizeField(len(w.key))
	if w.value != nil {
		size += sizeField(len(w.value))
	}
	if w.hashed {
		size += 2
	}
	return size
}

func (w *logWrite) append(b []byte) []byte {
	b = appendField(appendField(b, writeBucket, w.bucket), writeKey, w.key)
	if w.value != nil {
		b = appendField(b, writeValue, w.value)
	}
	if w.hashed {
		b = protowire.AppendVarint(protowire.AppendTag(b, writeHashed, protowire.VarintType), 1)
	}
	return b
}

func (e *entry) privateSize() int {
	size := 0
	for i := range e.writes {
		size += sizeField(e.writes[i].size())
	}
	if len(e.answer) > 0 {
		size += sizeField(len(e.answer))
	}
	return size
}

func (e *entry) appendPrivate(b []byte) []byte {
	for i := range e.writes {
		w := &e.writes[i]
		b = protowire.AppendVarint(protowire.AppendTag(b, privateWrites, protowire.BytesType), uint64(w.size()))
		b = w.append(b)
	}
	if len(e.answer) > 0 {
		b = appendField(b, privateAnswer, e.answer)
	}
	return b
}

// marshal makes the stored value of an entry, and its hashes, out of the rest. The private part is written first, behind the place of the
// head, which names its hash.
func (e *entry) marshal() error {
	privateSize := e.privateSize()
	e.head.PrivateHash = make([]byte, sha256.Size)
	headSize := proto.Size(e.head)
	size := envelopeSize + sizeField(headSize)
	if privateSize > 0 {
		size += sizeField(privateSize)
	}
	stored := make([]byte, envelopeSize, size)
	stored = protowire.AppendVarint(protowire.AppendTag(stored, entryHead, protowire.BytesType), uint64(headSize))
	headAt := len(stored)
	rest := stored[headAt+headSize : headAt+headSize]
	if privateSize > 0 {
		rest = protowire.AppendVarint(protowire.AppendTag(rest, entryPrivate, protowire.BytesType), uint64(privateSize))
		rest = e.appendPrivate(rest)
	}
	private := sha256.Sum256(rest[len(rest)-privateSize:])
	copy(e.head.PrivateHash, private[:])
	head, err := sized.MarshalAppend(stored[headAt:headAt:headAt+headSize], e.head)
	if err != nil {
		return err
	}
	if len(head) != headSize || cap(head) != headSize {
		return errors.New("head changed its size while it was written")
	}
	hash := sha256.Sum256(head)
	e.hash = hash[:]
	e.stored = stored[:size]
	sealInPlace(logBucket, Key(e.head.Position.GetSequence()), 0, e.stored)
	return nil
}

var errWire = errors.New("entry cannot be read")

// fields calls fn for each field of a message: v are its bytes, or nil when it is a number.
func fields(data []byte, fn func(n protowire.Number, v []byte, number uint64) error) error {
	for len(data) > 0 {
		num, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return errWire
		}
		data = data[n:]
		var v []byte
		var number uint64
		switch wire {
		case protowire.BytesType:
			v, n = protowire.ConsumeBytes(data)
			v = slices.Clip(v)
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(data)
		default:
			n = protowire.ConsumeFieldValue(num, wire, data)
		}
		if n < 0 {
			return errWire
		}
		data = data[n:]
		if err := fn(num, v, number); err != nil {
			return err
		}
	}
	return nil
}

// splitEntry returns the parts of a StoredEntry, not copied.
func splitEntry(data []byte) (head, private []byte, err error) {
	err = fields(data, func(n protowire.Number, v []byte, _ uint64) error {
		switch n {
		case entryHead:
			head = v
		case entryPrivate:
			private = v
		}
		return nil
	})
	return head, private, err
}

// decodeEntry takes the data of a stored entry apart. Its writes and answer are parts of data.
func decodeEntry(data []byte) (*entry, error) {
	head, private, err := splitEntry(data)
	if err != nil {
		return nil, err
	}
	return parseEntry(head, head, private, nil)
}

// bareEntry is decodeEntry for many entries, of which nobody reads the facts: they are left out, and the writes are put into a slice that
// served for others before.
func bareEntry(writes []logWrite, data []byte) (*entry, error) {
	head, private, err := splitEntry(data)
	if err != nil {
		return nil, err
	}
	bare := make([]byte, 0, 512)
	for rest := head; len(rest) > 0; {
		number, _, n := protowire.ConsumeField(rest)
		if n < 0 {
			return nil, errWire
		}
		if number != headFacts {
			bare = append(bare, rest[:n]...)
		}
		rest = rest[n:]
	}
	return parseEntry(head, bare, private, writes)
}

// parseEntry reads the parts of an entry; bare is the head, or less of it.
func parseEntry(head, bare, private []byte, writes []logWrite) (*entry, error) {
	e := &entry{head: &eventlogv1.Head{}, writes: writes[:0]}
	if err := proto.Unmarshal(bare, e.head); err != nil {
		return nil, err
	}
	if err := e.readPrivate(private); err != nil {
		return nil, err
	}
	hash, sum := sha256.Sum256(head), sha256.Sum256(private)
	e.hash = hash[:]
	if !bytes.Equal(e.head.PrivateHash, sum[:]) {
		return nil, errors.New("private part does not have the hash that the head names")
	}
	return e, nil
}

func (e *entry) readPrivate(private []byte) error {
	return fields(private, func(n protowire.Number, v []byte, _ uint64) error {
		switch n {
		case privateAnswer:
			e.answer = v
		case privateWrites:
			var w logWrite
			err := fields(v, func(n protowire.Number, v []byte, number uint64) error {
				switch n {
				case writeBucket:
					w.bucket = v
				case writeKey:
					w.key = v
				case writeValue:
					w.value, w.stored = v, v
				case writeHashed:
					w.hashed = number != 0
				}
				return nil
			})
			e.writes = append(e.writes, w)
			return err
		}
		return nil
	})
}
