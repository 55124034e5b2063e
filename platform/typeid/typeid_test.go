package typeid

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"crossdock.dev/platform/clock"
)

// The pairs are those of the TypeID specification 0.3, spec/valid.json.
func TestSpecification(t *testing.T) {
	for id, want := range map[string]string{
		"prefix_00000000000000000000000000": "00000000-0000-0000-0000-000000000000",
		"prefix_00000000000000000000000001": "00000000-0000-0000-0000-000000000001",
		"prefix_0000000000000000000000000a": "00000000-0000-0000-0000-00000000000a",
		"prefix_0000000000000000000000000g": "00000000-0000-0000-0000-000000000010",
		"prefix_00000000000000000000000010": "00000000-0000-0000-0000-000000000020",
		"prefix_7zzzzzzzzzzzzzzzzzzzzzzzzz": "ffffffff-ffff-ffff-ffff-ffffffffffff",
		"prefix_0123456789abcdefghjkmnpqrs": "0110c853-1d09-52d8-d73e-1194e95b5f19",
		"prefix_01h455vb4pex5vsknk084sn02q": "01890a5d-ac96-774b-bcce-b302099a8057",
	} {
		prefix, u, err := Parse(id)
		if err != nil || prefix != "prefix" || u.String() != want {
			t.Errorf("Parse(%s) = %s, %s, %v, want %s", id, prefix, u, err, want)
		}
		if got := encode("prefix", uuid.MustParse(want)); got != id {
			t.Errorf("encode(%s) = %s, want %s", want, got, id)
		}
	}
	for _, bad := range []string{"", "prefix", "_00000000000000000000000000", "prefix_", "PREFIX_00000000000000000000000000", "pre1_00000000000000000000000000",
		"prefix_8zzzzzzzzzzzzzzzzzzzzzzzzz", "prefix_0000000000000000000000000A", "prefix_0000000000000000000000000l", "prefix_000000000000000000000000000",
		"prefix_0000000000000000000000000", "_a_00000000000000000000000000", strings.Repeat("a", 64) + "_00000000000000000000000000"} {
		if _, _, err := Parse(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("Parse(%q) = %v, want ErrMalformed", bad, err)
		}
	}
}

func TestNew(t *testing.T) {
	at := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
	id := New("ord", at, bytes.NewReader(make([]byte, 16)))
	_, u, err := Parse(id)
	sec, nsec := u.Time().UnixTime()
	if err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 || !time.Unix(sec, nsec).Equal(at) {
		t.Errorf("%s: version %d, variant %v, time %v, %v", id, u.Version(), u.Variant(), time.Unix(sec, nsec).UTC(), err)
	}
	if later := New("ord", at.Add(time.Millisecond), bytes.NewReader(make([]byte, 16))); later <= id {
		t.Errorf("%s, made later, sorts before %s", later, id)
	}
	random := Random(clock.Fixed(at))
	if a, b := random.New("x"), random.New("x"); a == b || a[:8] != b[:8] {
		t.Errorf("two ids of one moment: %s, %s", a, b)
	}
}

func TestSequenceRepeats(t *testing.T) {
	a, b, other := Sequence(1), Sequence(1), Sequence(2)
	last := ""
	for range 100 {
		x, y := a.New("x"), b.New("x")
		if x != y || x <= last || x == other.New("x") {
			t.Fatalf("ids %s and %s after %s: want equal, ascending, and others for another seed", x, y, last)
		}
		last = x
	}
}

func TestDerive(t *testing.T) {
	a := Derive("task", "orders", "1")
	if a != Derive("task", "orders", "1") {
		t.Error("the same parts gave two ids")
	}
	for _, parts := range [][]string{{"orders1"}, {"order", "s1"}, {"orders", "1", ""}, {}} {
		if Derive("task", parts...) == a {
			t.Errorf("parts %q gave the id of other parts", parts)
		}
	}
	if _, u, err := Parse(a); err != nil || u.Version() != 8 {
		t.Errorf("Derive = %s, version %d, %v", a, u.Version(), err)
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
		if _, got, err := Parse(encode("x", u)); err != nil || got != u {
			t.Fatalf("Parse(encode(%s)) = %s, %v", u, got, err)
		}
	})
}
