package store

import (
	"bytes"
	"testing"
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
