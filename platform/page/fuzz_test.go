package page

import "testing"

// FuzzParse: a token of any bytes is refused, or is the one that its key has.
func FuzzParse(f *testing.F) {
	f.Add(Token([]byte("last\x00key"), "parties/A"), "parties/A")
	f.Add("AAAAAAAAAAAA", "")
	f.Fuzz(func(t *testing.T, token, arg string) {
		last, err := Parse(token, arg)
		if err != nil || token == "" {
			return
		}
		if again := Token(last, arg); again != token || len(last) > len(token) {
			t.Fatalf("%q is read as %q, whose token is %q", token, last, again)
		}
	})
}
