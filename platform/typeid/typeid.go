// Package typeid makes and reads resource ids: a UUID version 7 written as a TypeID, "ord_01hx...".
//
// Ids made later sort later (to the millisecond of the clock given), so that keys are appended to a bucket and not
// scattered over it. The form is that of the TypeID specification 0.3: a prefix of a-z and _, "_", and the UUID's 128 bits
// in 26 characters of Crockford's base32 in lower case.
package typeid

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"crossdock.dev/platform/clock"
)

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// Source makes new ids.
type Source interface {
	New(prefix string) string
}

// New makes the id of a moment; the 74 bits that time does not fill come from random. It panics when random fails, as
// crypto/rand does: no id can be made then.
func New(prefix string, now time.Time, random io.Reader) string {
	var u uuid.UUID
	if _, err := io.ReadFull(random, u[6:]); err != nil {
		panic(fmt.Sprintf("typeid: source of randomness: %v", err))
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(u[:6], ms[2:])
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	return encode(prefix, u)
}

// Random returns a source on a business clock and the system's randomness.
func Random(business clock.Business) Source { return random{business} }

type random struct{ business clock.Business }

func (r random) New(prefix string) string { return New(prefix, r.business.Now(), rand.Reader) }

// Sequence returns a source for tests: the same seed gives the same ids, in ascending order.
func Sequence(seed uint64) Source { return &sequence{seed: seed} }

type sequence struct {
	mu      sync.Mutex
	seed, n uint64
}

func (s *sequence) New(prefix string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], s.seed)
	binary.BigEndian.PutUint64(b[8:], s.n)
	sum := sha256.Sum256(b[:])
	return New(prefix, time.UnixMilli(int64(s.n)), strings.NewReader(string(sum[:])))
}

// Derive makes an id from parts: the same parts give the same id, for resources whose existence follows from a cause. It
// is a UUID version 8 (RFC 9562 section 5.8) and not ordered by time.
func Derive(prefix string, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		io.WriteString(h, p)
	}
	u := uuid.UUID(h.Sum(nil)[:16])
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return encode(prefix, u)
}

// encode writes the 128 bits, with two leading zero bits, in groups of five.
func encode(prefix string, u uuid.UUID) string {
	hi, lo := binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	var out [26]byte
	for i := 25; i >= 0; i-- {
		out[i] = alphabet[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return prefix + "_" + string(out[:])
}

// ErrMalformed is the error of Parse.
var ErrMalformed = errors.New("malformed id")

// Parse takes an id apart. Only the canonical lower-case form is an id.
func Parse(s string) (prefix string, u uuid.UUID, err error) {
	cut := strings.LastIndexByte(s, '_')
	if cut < 1 || len(s)-cut-1 != 26 || cut > 63 {
		return "", uuid.UUID{}, fmt.Errorf("%w: %q", ErrMalformed, s)
	}
	prefix = s[:cut]
	for i := range len(prefix) {
		c := prefix[i]
		if (c < 'a' || c > 'z') && (c != '_' || i == 0 || i == len(prefix)-1) {
			return "", uuid.UUID{}, fmt.Errorf("%w: %q", ErrMalformed, s)
		}
	}
	var hi, lo uint64
	for i := cut + 1; i < len(s); i++ {
		v := strings.IndexByte(alphabet, s[i])
		if v < 0 || i == cut+1 && v > 7 {
			return "", uuid.UUID{}, fmt.Errorf("%w: %q", ErrMalformed, s)
		}
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(v)
	}
	binary.BigEndian.PutUint64(u[:8], hi)
	binary.BigEndian.PutUint64(u[8:], lo)
	return prefix, u, nil
}
