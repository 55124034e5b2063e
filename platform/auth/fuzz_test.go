package auth_test

import (
	"errors"
	"testing"
	"time"

	"crossdock.dev/platform/auth"
)

// FuzzVerify: a token of any text is refused as a token; only the one that was signed is let in.
func FuzzVerify(f *testing.F) {
	pki, err := auth.DevPKI(f.TempDir(), "orders")
	if err != nil {
		f.Fatal(err)
	}
	now := func() time.Time { return at }
	signer, err := auth.NewSigner(pki.TokenKey(), now)
	if err != nil {
		f.Fatal(err)
	}
	signed, err := signer.Sign(good())
	if err != nil {
		f.Fatal(err)
	}
	verifier, err := auth.NewVerifier(pki.TokenKeys(), "orders", now)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "..", signed, signed[:len(signed)-2], "eyJhbGciOiJub25lIn0.e30.", "e30.e30.e30"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		switch p, err := verifier.Verify(token, "POST", "/v1/orders"); {
		case err == nil && token != signed:
			t.Fatalf("%q is let in as %v", token, p)
		case err != nil && !errors.Is(err, auth.ErrToken):
			t.Fatalf("%q: %v, want ErrToken", token, err)
		}
	})
}
