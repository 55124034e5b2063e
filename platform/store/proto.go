package store

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// GetProto reads a record into m.
func GetProto(ctx context.Context, r Reader, b *Bucket, key []byte, m proto.Message) error {
	data, err := get(ctx, r, b, key)
	if err != nil {
		return err
	}
	return unmarshal(b, key, data, m)
}

// get reads a record, without the copy where the reader is the store's own: it is decoded at once.
func get(ctx context.Context, r Reader, b *Bucket, key []byte) ([]byte, error) {
	own, ok := r.(interface {
		peek(ctx context.Context, b *Bucket, key []byte) ([]byte, error)
	})
	if !ok {
		return r.Get(ctx, b, key)
	}
	data, err := own.peek(ctx, b, key)
	if err == nil && data == nil {
		err = notFound(b, key)
	}
	return data, err
}

func unmarshal(b *Bucket, key, data []byte, m proto.Message) error {
	if err := proto.Unmarshal(data, m); err != nil {
		return fmt.Errorf("bucket %s key %s: %w", b.Name, printable(key), err)
	}
	return nil
}

// PutProto writes m as a record. Fields of the stored record that this program does not know, because a later one wrote
// them, are kept: message by message, elements of a list by index and of a map by key.
func PutProto(ctx context.Context, tx *Tx, b *Bucket, key []byte, m proto.Message) error {
	data, err := tx.peek(ctx, b, key)
	if err != nil {
		return err
	}
	if data != nil && !knows(m.ProtoReflect().Descriptor(), data) {
		old := m.ProtoReflect().New().Interface()
		if err := unmarshal(b, key, data, old); err != nil {
			return err
		}
		m = proto.Clone(m)
		keepUnknown(m.ProtoReflect(), old.ProtoReflect())
	}
	size := proto.Size(m)
	if size > maxRecord {
		return tooLarge(b, key, size)
	}
	stored, err := sized.MarshalAppend(room(b, size), m)
	if err != nil {
		return fmt.Errorf("bucket %s key %s: %w", b.Name, printable(key), err)
	}
	return tx.set(ctx, b, key, stored)
}

// knows tells whether every field in the bytes of a message is one that d declares, as deep as messages go. It decodes nothing: most
// records have no unknown fields, and this is much less work than reading them to find that out. False may also mean that it cannot tell.
func knows(d protoreflect.MessageDescriptor, data []byte) bool {
	fields := d.Fields()
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return false
		}
		f := fields.ByNumber(number)
		if f == nil {
			return false
		}
		if data = data[n:]; wire != protowire.BytesType {
			// A number that stands where its declaration wants none is unknown to a decoder, too.
			if wire != wireOf(f.Kind()) {
				return false
			}
			if n = protowire.ConsumeFieldValue(number, wire, data); n < 0 {
				return false
			}
			data = data[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(data)
		if n < 0 {
			return false
		}
		data = data[n:]
		switch f.Kind() {
		case protoreflect.MessageKind:
			if !knows(f.Message(), value) {
				return false
			}
		case protoreflect.StringKind, protoreflect.BytesKind:
		default: // numbers of a list, packed
			if !f.IsList() || wireOf(f.Kind()) < 0 {
				return false
			}
		}
	}
	return true
}

// wireOf is how a number stands in the bytes of a message; -1 for what is none.
func wireOf(k protoreflect.Kind) protowire.Type {
	switch k {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind, protoreflect.GroupKind:
		return -1
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	}
	return protowire.VarintType
}

// keepUnknown copies the unknown fields of old into m where m has none of its own.
func keepUnknown(m, old protoreflect.Message) {
	if len(m.GetUnknown()) == 0 && len(old.GetUnknown()) > 0 {
		m.SetUnknown(old.GetUnknown())
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
			if f.MapValue().Message() != nil {
				v.Map().Range(func(k protoreflect.MapKey, e protoreflect.Value) bool {
					if o := old.Get(f).Map().Get(k); o.IsValid() {
						keepUnknown(e.Message(), o.Message())
					}
					return true
				})
			}
		case f.Message() == nil:
		case f.IsList():
			now, before := v.List(), old.Get(f).List()
			for i := range min(now.Len(), before.Len()) {
				keepUnknown(now.Get(i).Message(), before.Get(i).Message())
			}
		case old.Has(f):
			keepUnknown(v.Message(), old.Get(f).Message())
		}
		return true
	})
}

// Table is a bucket whose records are messages of one type.
type Table[M proto.Message] struct {
	bucket *Bucket
	new    func() M
}

// Row is a record of a table with its key.
type Row[M proto.Message] struct {
	Key   []byte
	Value M
}

// NewTable returns the table of a bucket; new makes an empty message.
func NewTable[M proto.Message](b *Bucket, new func() M) Table[M] { return Table[M]{b, new} }

// Bucket is the table's bucket.
func (t Table[M]) Bucket() *Bucket { return t.bucket }

// Get returns the record with this key, or ErrNotFound.
func (t Table[M]) Get(ctx context.Context, r Reader, key []byte) (M, error) {
	m := t.new()
	if err := GetProto(ctx, r, t.bucket, key, m); err != nil {
		var none M
		return none, err
	}
	return m, nil
}

// Put writes a record as PutProto does.
func (t Table[M]) Put(ctx context.Context, tx *Tx, key []byte, m M) error {
	return PutProto(ctx, tx, t.bucket, key, m)
}

// Delete removes a record.
func (t Table[M]) Delete(ctx context.Context, tx *Tx, key []byte) error {
	return tx.Delete(ctx, t.bucket, key)
}

// Scan returns the records of a range in order of key.
func (t Table[M]) Scan(ctx context.Context, r Reader, rg Range) ([]Row[M], error) {
	kvs, err := r.Scan(ctx, t.bucket, rg)
	if err != nil {
		return nil, err
	}
	rows := make([]Row[M], len(kvs))
	for i, kv := range kvs {
		rows[i] = Row[M]{kv.Key, t.new()}
		if err := unmarshal(t.bucket, kv.Key, kv.Value, rows[i].Value); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// Codec turns an answer into the bytes that are kept for a repeat, and back.
type Codec[T any] struct {
	Encode func(T) ([]byte, error)
	Decode func([]byte) (T, error)
}

// ProtoCodec is the codec of a message type; new makes an empty message.
func ProtoCodec[M proto.Message](new func() M) Codec[M] {
	return Codec[M]{
		Encode: func(m M) ([]byte, error) { return deterministic.Marshal(m) },
		Decode: func(data []byte) (M, error) {
			m := new()
			return m, proto.Unmarshal(data, m)
		},
	}
}

// Change makes a change with an answer of type T. A repeat decodes the answer that was stored; the first call is given what fn made.
func Change[T any](ctx context.Context, s *Store, c Cause, codec Codec[T], fn func(tx *Tx) (T, error)) (T, Position, error) {
	var none, made T
	out, err := s.Change(ctx, c, func(tx *Tx) ([]byte, error) {
		v, err := fn(tx)
		if err != nil {
			return nil, err
		}
		made = v
		return codec.Encode(v)
	})
	switch {
	case err != nil:
		return none, Position{}, err
	case out.Repeated:
		made, err = codec.Decode(out.Answer)
	}
	return made, out.Position, err
}
