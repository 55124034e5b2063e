package store

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// Key joins parts to a key whose byte order is the order of the parts, one after the other: strings by their bytes, numbers
// by value, times by instant (from 1970 to 2262). No two lists of parts give the same key, and the key of the first parts is a
// prefix of the whole. A part of another type is a mistake in the program, and panics.
func Key(parts ...any) []byte {
	size := 0
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			size += len(v) + 2
		case []byte:
			size += len(v) + 2
		default:
			size += 8
		}
	}
	k := make([]byte, 0, size)
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			k = appendEscaped(k, v)
		case []byte:
			k = appendEscaped(k, string(v))
		case uint64:
			k = binary.BigEndian.AppendUint64(k, v)
		case uint32:
			k = binary.BigEndian.AppendUint32(k, v)
		case int64: // the sign bit is turned over, so that negative numbers come first
			k = binary.BigEndian.AppendUint64(k, uint64(v)^1<<63)
		case int:
			k = binary.BigEndian.AppendUint64(k, uint64(v)^1<<63)
		case time.Time:
			k = binary.BigEndian.AppendUint64(k, uint64(v.UnixNano()))
		default:
			panic(fmt.Sprintf("store.Key: part of type %T", p))
		}
	}
	return k
}

// appendEscaped ends a string with 00 01 and writes a 00 inside it as 00 ff: shorter strings sort before longer ones that
// begin with them, and the end cannot be part of the string.
func appendEscaped(k []byte, s string) []byte {
	if strings.IndexByte(s, 0) < 0 {
		return append(append(k, s...), 0, 1)
	}
	for i := range len(s) {
		k = append(k, s[i])
		if s[i] == 0 {
			k = append(k, 0xff)
		}
	}
	return append(k, 0, 1)
}

// Prefix is the range of all keys that begin with p; of all keys when p is empty.
func Prefix(p []byte) Range {
	to := append([]byte(nil), p...)
	for len(to) > 0 && to[len(to)-1] == 0xff {
		to = to[:len(to)-1]
	}
	if len(to) == 0 {
		return Range{From: p}
	}
	to[len(to)-1]++
	return Range{From: p, To: to}
}

// parseSequence reads back the key of an entry.
func parseSequence(k []byte) uint64 { return binary.BigEndian.Uint64(k) }

// Strings reads back the parts of a key that are strings alone.
func Strings(k []byte) (parts []string, ok bool) {
	for len(k) > 0 {
		part, rest, ok := cutString(k)
		if !ok {
			return nil, false
		}
		parts, k = append(parts, part), rest
	}
	return parts, true
}

// cutString reads back a string part at the beginning of a key.
func cutString(k []byte) (s string, rest []byte, ok bool) {
	var out []byte
	for i := 0; i+1 < len(k); i++ {
		switch {
		case k[i] != 0:
			out = append(out, k[i])
		case k[i+1] == 1:
			return string(out), k[i+2:], true
		case k[i+1] == 0xff:
			out = append(out, 0)
			i++
		default: // Key writes no such thing
			return "", nil, false
		}
	}
	return "", nil, false
}
