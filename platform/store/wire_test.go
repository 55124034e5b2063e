package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
)

// An entry is written without the generated types: the bytes must be theirs, and be read back as they read them.
func TestEntryBytesAreThoseOfTheContract(t *testing.T) {
	some := rapid.SliceOfN(rapid.Byte(), 1, 200)
	rapid.Check(t, func(rt *rapid.T) {
		e := &entry{answer: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(rt, "answer"), head: &eventlogv1.Head{
			Position: &eventlogv1.Position{Log: "things", Epoch: 1, Sequence: rapid.Uint64().Draw(rt, "sequence")},
			Actor:    rapid.String().Draw(rt, "actor"), PreviousHash: rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(rt, "previous")}}
		private := &eventlogv1.Private{Answer: e.answer}
		for range rapid.IntRange(0, 5).Draw(rt, "writes") {
			w := logWrite{bucket: []byte(rapid.StringN(1, 20, -1).Draw(rt, "bucket")), key: some.Draw(rt, "key")}
			m := &eventlogv1.Write{Bucket: string(w.bucket), Key: w.key}
			if rapid.Bool().Draw(rt, "put") {
				w.value, w.hashed = some.Draw(rt, "value"), rapid.Bool().Draw(rt, "hashed")
				m.Value, m.Hashed = w.value, w.hashed
			}
			e.writes, private.Writes = append(e.writes, w), append(private.Writes, m)
		}
		if err := e.marshal(); err != nil {
			rt.Fatal(err)
		}
		wantPrivate, err := deterministic.Marshal(private)
		if err != nil {
			rt.Fatal(err)
		}
		sum := sha256.Sum256(wantPrivate)
		head := proto.Clone(e.head).(*eventlogv1.Head)
		head.PrivateHash = sum[:]
		wantHead, err := deterministic.Marshal(head)
		if err != nil {
			rt.Fatal(err)
		}
		want, err := deterministic.Marshal(&eventlogv1.StoredEntry{Head: wantHead, Private: wantPrivate})
		if err != nil {
			rt.Fatal(err)
		}
		got, err := unseal(logBucket, Key(head.Position.Sequence), e.stored)
		if err != nil || !bytes.Equal(got, want) {
			rt.Fatalf("entry = %x, %v\nwant %x", got, err, want)
		}
		if sum := sha256.Sum256(wantHead); !bytes.Equal(e.hash, sum[:]) {
			rt.Errorf("hash = %x, want %x", e.hash, sum)
		}
		back, err := decodeEntry(got)
		if err != nil {
			rt.Fatal(err)
		}
		if !proto.Equal(back.head, head) || !bytes.Equal(back.answer, e.answer) || !bytes.Equal(back.hash, e.hash) || len(back.writes) != len(e.writes) {
			rt.Errorf("read back: %v", back)
		}
		for i, w := range back.writes {
			if o := e.writes[i]; !bytes.Equal(w.bucket, o.bucket) || !bytes.Equal(w.key, o.key) || !bytes.Equal(w.value, o.value) ||
				(w.value == nil) != (o.value == nil) || w.hashed != o.hashed {
				rt.Errorf("write %d read back: %v, want %v", i, w, o)
			}
		}
		for cut := range got { // a damaged entry is an error, never a panic
			decodeEntry(got[:cut])
		}
	})
}

// A record is rewritten without being decoded when knows says that it has no field which this program does not: it must then have none,
// wherever in it, and it must not be wrong about the records of programs of the same version.
func TestKnows(t *testing.T) {
	var full storagev1.WaitingFact
	fillMessage(full.ProtoReflect(), 3)
	task := &storagev1.TaskRecord{}
	fillMessage(task.ProtoReflect(), 3)
	for _, m := range []proto.Message{&full, task, &storagev1.ConsumerRecord{}} {
		data, err := deterministic.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if !knows(m.ProtoReflect().Descriptor(), data) {
			t.Errorf("%s: knows = false for its own fields", m.ProtoReflect().Descriptor().FullName())
		}
		rapid.Check(t, func(rt *rapid.T) {
			altered := bytes.Clone(data)
			for range rapid.IntRange(0, 3).Draw(rt, "changes") {
				at := rapid.IntRange(0, len(altered)).Draw(rt, "at")
				extra := rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(rt, "extra")
				altered = append(append(bytes.Clone(altered[:at]), extra...), altered[min(len(altered), at+rapid.IntRange(0, 3).Draw(rt, "cut")):]...)
			}
			read := m.ProtoReflect().New()
			if err := proto.Unmarshal(altered, read.Interface()); err != nil {
				return
			}
			if knows(read.Descriptor(), altered) && hasUnknown(read) {
				rt.Fatalf("%x: knows = true, but there are unknown fields: %v", altered, read)
			}
		})
	}
}

// fillMessage sets every field, messages to a depth.
func fillMessage(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch v := m.NewField(f); {
		case f.IsMap():
		case f.IsList() && f.Message() != nil:
			if depth > 0 {
				fillMessage(v.List().AppendMutable().Message(), depth-1)
				m.Set(f, v)
			}
		case f.IsList():
			v.List().Append(protoreflect.ValueOfString("x"))
			m.Set(f, v)
		case f.Message() != nil:
			if depth > 0 {
				fillMessage(m.Mutable(f).Message(), depth-1)
			}
		default:
			m.Set(f, sample(f.Kind()))
		}
	}
}

func sample(k protoreflect.Kind) protoreflect.Value {
	switch k {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(strings.Repeat("s", 5))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{1, 2})
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(300)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(-1)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(-1)
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(1)
	}
	return protoreflect.ValueOfUint64(1 << 40)
}

func hasUnknown(m protoreflect.Message) bool {
	found := len(m.GetUnknown()) > 0
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil || f.IsMap():
		case f.IsList():
			for i := range v.List().Len() {
				found = found || hasUnknown(v.List().Get(i).Message())
			}
		default:
			found = found || hasUnknown(v.Message())
		}
		return !found
	})
	return found
}

// The checksum of a stored value is CRC-32C over the length of the bucket's name, the name, the length of the key, the key and the rest.
func TestChecksum(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		bucket, key := rapid.String().Draw(rt, "bucket"), rapid.SliceOf(rapid.Byte()).Draw(rt, "key")
		rest := rapid.SliceOf(rapid.Byte()).Draw(rt, "rest")
		all := append(binary.BigEndian.AppendUint32(nil, uint32(len(bucket))), bucket...)
		all = append(append(binary.BigEndian.AppendUint32(all, uint32(len(key))), key...), rest...)
		if got, want := checksum(bucket, key, rest), crc32.Checksum(all, crc32.MakeTable(crc32.Castagnoli)); got != want {
			rt.Errorf("checksum = %08x, want %08x", got, want)
		}
	})
}
