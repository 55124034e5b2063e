package page

import (
	"errors"
	"testing"
)

func TestToken(t *testing.T) {
	token := Token([]byte("last\x00key"), "parties/A", "state=OPEN")
	got, err := Parse(token, "parties/A", "state=OPEN")
	if err != nil || string(got) != "last\x00key" {
		t.Fatalf("Parse = %q, %v", got, err)
	}
	if got, err := Parse("", "anything"); got != nil || err != nil {
		t.Errorf("the empty token = %q, %v, want the first page", got, err)
	}
	for _, args := range [][]string{{"parties/B", "state=OPEN"}, {"parties/A"}, {"parties/Astate=OPEN"}, {"parties/A", "state=OPEN", ""}, nil} {
		if _, err := Parse(token, args...); !errors.Is(err, ErrToken) {
			t.Errorf("token used with %q: %v, want ErrToken", args, err)
		}
	}
	for i := range token {
		for _, c := range []byte("A_") {
			if b := []byte(token); b[i] != c {
				b[i] = c
				if _, err := Parse(string(b), "parties/A", "state=OPEN"); !errors.Is(err, ErrToken) {
					t.Errorf("token with character %d altered: %v, want ErrToken", i, err)
				}
			}
		}
	}
	for _, bad := range []string{"x", "!!", token + "A", token[:8], "AAAAAAAAAAA"} {
		if _, err := Parse(bad, "parties/A", "state=OPEN"); !errors.Is(err, ErrToken) {
			t.Errorf("Parse(%q) = %v, want ErrToken", bad, err)
		}
	}
}

func TestSize(t *testing.T) {
	for in, want := range map[int32]int{-1: 50, 0: 50, 1: 1, 100: 100, 101: 100, 1 << 30: 100} {
		if got := Size(in, 50, 100); got != want {
			t.Errorf("Size(%d) = %d, want %d", in, got, want)
		}
	}
}
