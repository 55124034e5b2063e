package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"crossdock.dev/platform/clock"
)

// FuzzStrings: what is read back of a key makes the same key, whatever the bytes.
func FuzzStrings(f *testing.F) {
	f.Add(Key("parties/CUS-XYZ", "a\x00b", ""))
	f.Add([]byte{0, 5, 0, 1})
	f.Add(Key(uint64(7), "x"))
	f.Fuzz(func(t *testing.T, k []byte) {
		parts, ok := Strings(k)
		if !ok {
			return
		}
		all := make([]any, len(parts))
		for i, p := range parts {
			all[i] = p
		}
		if again := Key(all...); !bytes.Equal(again, k) {
			t.Fatalf("%x reads as %q, which is the key %x", k, parts, again)
		}
	})
}

// FuzzEntry: a log entry of any bytes is refused or read, and what is read is no larger than they are.
func FuzzEntry(f *testing.F) {
	f.Add([]byte{})
	f.Add(seal(logBucket, Key(uint64(1)), 0, []byte("x")))
	f.Fuzz(func(t *testing.T, data []byte) {
		head, private, err := splitEntry(data)
		if err == nil && len(head)+len(private) > len(data) {
			t.Fatalf("%d bytes hold %d", len(data), len(head)+len(private))
		}
		_, _ = decodeEntry(data)
		_, _ = unseal(logBucket, Key(uint64(1)), data)
	})
}

// FuzzArchive: an archive file of any bytes is refused, or holds the entries that it names, one after the other, and no more bytes than
// it has. The sum at its end is right for half of the inputs, since no chance makes it so.
func FuzzArchive(f *testing.F) {
	o := testOptions(filepath.Join(f.TempDir(), "test.db"))
	o.Clock.(*clock.Manual).Set(start)
	fillDays(f, o, 20, 1)
	out := mustArchive(f, archiveOptions(f, o))
	raw, err := os.ReadFile(filepath.Join(filepath.Dir(o.Path), "old", out.Archive.GetFile()))
	if err != nil {
		f.Fatal(err)
	}
	whole := raw[:len(raw)-sha256.Size]
	head, _, _ := bytes.Cut(whole, []byte("\n"))
	for _, data := range [][]byte{
		whole, whole[:len(whole)-1], append(bytes.Clone(whole), 0), head, append(bytes.Clone(head), "\n\xff\xff\xff\xff"...),
		[]byte(archiveFormat + `{"first":{"sequence":"1"},"last":{"sequence":"18446744073709551615"}}` + "\n\x00\x00\x00\x00\x00\x00\x00\x01x"),
	} {
		f.Add(data, true)
		f.Add(data, false)
	}
	path := filepath.Join(f.TempDir(), "fuzz.archive")
	f.Fuzz(func(t *testing.T, data []byte, right bool) {
		if right {
			sum := sha256.Sum256(data)
			data = append(bytes.Clone(data), sum[:]...)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := openArchive(path)
		if err != nil {
			return
		}
		defer r.close()
		a := proto.CloneOf(archiveHead(r.head))
		sum := sha256.Sum256(data[:len(data)-sha256.Size])
		a.Size, a.Sha256 = int64(len(data)), hex.EncodeToString(sum[:])
		held, next := 0, a.GetFirst().GetSequence()
		err = readArchive(path, a, func(key, value []byte) (bool, error) {
			if !bytes.Equal(key, Key(next)) {
				t.Fatalf("entry at %x, want %d", key, next)
			}
			held, next = held+len(value)+4, next+1
			_, _ = decodeEntry(value)
			_, _ = unseal(logBucket, key, value)
			return true, nil
		})
		if held > len(data) || err == nil && (!right && !bytes.Equal(sum[:], data[len(data)-sha256.Size:]) || next != max(a.GetFirst().GetSequence(), a.GetLast().GetSequence()+1)) {
			t.Fatalf("%d bytes hold %d, up to entry %d of %v, %v", len(data), held, next-1, a, err)
		}
	})
}

// FuzzPages: a store file with any bytes exchanged is refused by its pages, or bbolt can read all of it. patch says which, by two bytes
// of a place and one to put there; the checksums of the meta pages are then made right, or nothing could get past them.
func FuzzPages(f *testing.F) {
	o := testOptions(filepath.Join(f.TempDir(), "test.db"))
	o.InitialMmapSize = 0
	fillDays(f, o, 2, 40)
	whole, err := os.ReadFile(o.Path)
	if err != nil {
		f.Fatal(err)
	}
	size := os.Getpagesize()
	for page := range min(len(whole)/size, 1<<16/size) {
		for _, at := range []int{8, 10, 12, 16, 20, 24, 28, 32, 48, 56} { // fields of headers and of the first elements
			at += page * size
			f.Add([]byte{byte(at >> 8), byte(at), whole[at] + 1})
			f.Add([]byte{byte(at >> 8), byte(at), 0xff, byte((at + 1) >> 8), byte(at + 1), 0xff})
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, patch []byte) {
		data := bytes.Clone(whole)
		for ; len(patch) >= 3; patch = patch[3:] {
			data[int(binary.BigEndian.Uint16(patch))%len(data)] = patch[2]
		}
		for id := range 2 {
			meta := data[id*size+pageHeader:][:metaSize]
			sum := fnv.New64a()
			sum.Write(meta[:metaSize-8])
			native.PutUint64(meta[metaSize-8:], sum.Sum64())
		}
		path := filepath.Join(dir, "fuzz.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := checkPages(path); err != nil {
			return
		}
		err := guard(path, func() error {
			db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
			if err != nil {
				return err
			}
			defer db.Close()
			return db.View(func(tx *bbolt.Tx) error {
				var walk func(b *bbolt.Bucket) error
				walk = func(b *bbolt.Bucket) error {
					return b.ForEach(func(k, v []byte) error {
						if sub := b.Bucket(k); v == nil && sub != nil { // nil: a damaged name is not found by it
							return walk(sub)
						}
						return nil
					})
				}
				return walk(tx.Cursor().Bucket())
			})
		})
		if err != nil {
			t.Fatalf("the pages are whole, and bbolt says %v", err)
		}
	})
}
