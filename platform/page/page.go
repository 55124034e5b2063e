// Package page cuts lists into pages.
//
// A page token holds the last key that was seen, so a list that grows meanwhile neither skips nor repeats what stood there
// before. It is opaque, and bound to the other arguments of the list by a checksum: a token that was altered, or used with
// another filter, is refused. It is no secret and grants nothing.
package page

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

// ErrToken is returned for a token that is not of this list.
var ErrToken = errors.New("page token is malformed or belongs to a list with other arguments")

const sumSize = 8

// Token makes the token of the page after last. args are the list's other arguments, in a fixed order (parent, filter,
// order); the page size is not one of them.
func Token(last []byte, args ...string) string {
	return base64.RawURLEncoding.EncodeToString(append(sum(last, args), last...))
}

// Parse returns the last key seen; nil for the empty token, which is the first page.
func Parse(token string, args ...string) ([]byte, error) {
	if token == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) <= sumSize || strings.ContainsAny(token, "\r\n") { // which the decoder reads past
		return nil, ErrToken
	}
	last := raw[sumSize:]
	if string(sum(last, args)) != string(raw[:sumSize]) {
		return nil, ErrToken
	}
	return last, nil
}

// Size returns how many rows to give for a page_size of n: def when it is 0 or less, most at most.
func Size(n int32, def, most int) int {
	if n <= 0 {
		return def
	}
	return min(int(n), most)
}

func sum(last []byte, args []string) []byte {
	h := sha256.New()
	for _, part := range append([]string{string(last)}, args...) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		io.WriteString(h, part)
	}
	return h.Sum(nil)[:sumSize]
}
