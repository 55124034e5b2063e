package auth_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/origin"
)

var at = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)

// good is the token of a partner's call to POST /v1/orders.
func good() auth.Token {
	return auth.Token{
		Service: "orders", KeyID: "key-7", Party: "parties/CUS-XYZ", Roles: []string{"buyer"}, Scopes: []string{"orders.write", "orders.read"},
		LegalEntities: []string{"US01"}, Method: "POST", Path: "/v1/orders",
	}
}

func clockAt(now *time.Time) func() time.Time { return func() time.Time { return *now } }

func newKeys(t *testing.T) *auth.PKI {
	t.Helper()
	pki, err := auth.DevPKI(t.TempDir(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	return pki
}

func sign(t *testing.T, pki *auth.PKI, now time.Time, tok auth.Token) string {
	t.Helper()
	s, err := auth.NewSigner(pki.TokenKey(), clockAt(&now))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(tok)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestTokenOfAPartnerIsItsPrincipal(t *testing.T) {
	pki := newKeys(t)
	now := at
	v, err := auth.NewVerifier(pki.TokenKeys(), "orders", clockAt(&now))
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Verify(sign(t, pki, at, good()), "POST", "/v1/orders")
	if err != nil {
		t.Fatal(err)
	}
	want := origin.Principal{
		Kind: origin.Partner, Name: "key-7", Party: "parties/CUS-XYZ", Roles: []string{"buyer"}, Scopes: []string{"orders.write", "orders.read"},
		LegalEntities: []string{"US01"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("principal differs (-want +got):\n%s", diff)
	}
}

// raw signs any claims and header with the edge's own key, for what a Signer would never make.
func raw(t *testing.T, pki *auth.PKI, typ string, change func(map[string]any)) string {
	t.Helper()
	claims := map[string]any{
		"iss": "edge", "aud": "orders", "sub": "key-7", "iat": at.Unix(), "exp": at.Add(time.Minute).Unix(),
		"party": "parties/CUS-XYZ", "roles": []string{}, "scopes": []string{}, "les": []string{}, "htm": "POST", "htp": "/v1/orders",
	}
	if change != nil {
		change(claims)
	}
	tok := jwt.New()
	for k, v := range claims {
		if err := tok.Set(k, v); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(pki.TokenKey())
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwk.ParseKey(b)
	if err != nil {
		t.Fatal(err)
	}
	h := jws.NewHeaders()
	if err := h.Set(jws.TypeKey, typ); err != nil {
		t.Fatal(err)
	}
	signed, err := jwt.Sign(tok, jwt.WithKey(jwa.EdDSA(), key, jws.WithProtectedHeaders(h)))
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

func TestTokenRefused(t *testing.T) {
	pki, other := newKeys(t), newKeys(t)
	with := func(change func(*auth.Token)) string {
		tok := good()
		change(&tok)
		return sign(t, pki, at, tok)
	}
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	valid := with(func(*auth.Token) {})
	payload := strings.Split(valid, ".")[1]
	none := part(map[string]string{"alg": "none", "typ": auth.TokenType}) + "." + payload + "."

	// The public key used as an HMAC secret: the classic confusion of algorithms.
	public, err := os.ReadFile(pki.TokenKeys())
	if err != nil {
		t.Fatal(err)
	}
	secret, err := jwk.Import(public)
	if err != nil {
		t.Fatal(err)
	}
	h := jws.NewHeaders()
	if err := h.Set(jws.TypeKey, auth.TokenType); err != nil {
		t.Fatal(err)
	}
	decoded, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	hmac, err := jws.Sign(decoded, jws.WithKey(jwa.HS256(), secret, jws.WithProtectedHeaders(h)))
	if err != nil {
		t.Fatal(err)
	}
	flipped := []byte(valid)
	if flipped[len(flipped)-10] == 'A' {
		flipped[len(flipped)-10] = 'B'
	} else {
		flipped[len(flipped)-10] = 'A'
	}

	for _, test := range []struct {
		name, token, method, path, why string
		now                            time.Time
	}{
		{name: "no token", token: ""},
		{name: "noise", token: "a.b.c"},
		{name: "too long", token: strings.Repeat("a", 9000)},
		{name: "algorithm none", token: none, why: "algorithm"},
		{name: "HMAC with the public key", token: string(hmac), why: "algorithm"},
		{name: "signature changed", token: string(flipped)},
		{name: "signed by another key", token: sign(t, other, at, good())},
		{name: "another audience", token: with(func(tok *auth.Token) { tok.Service = "billing" })},
		{name: "two audiences", token: raw(t, pki, auth.TokenType, func(c map[string]any) { c["aud"] = []string{"orders", "billing"} })},
		{name: "no audience", token: raw(t, pki, auth.TokenType, func(c map[string]any) { delete(c, "aud") })},
		{name: "another issuer", token: raw(t, pki, auth.TokenType, func(c map[string]any) { c["iss"] = "orders" })},
		{name: "another type", token: raw(t, pki, "JWT", nil)},
		{name: "another method", token: with(func(tok *auth.Token) { tok.Method = "GET" })},
		{name: "another path", token: with(func(tok *auth.Token) { tok.Path = "/v1/orders/ord_1:cancel" })},
		{name: "called on another path", token: valid, path: "/v1/orders/x"},
		{name: "called with another method", token: valid, method: "DELETE"},
		{name: "no route", token: raw(t, pki, auth.TokenType, func(c map[string]any) { delete(c, "htp") })},
		{name: "no party", token: with(func(tok *auth.Token) { tok.Party = "" })},
		{name: "no key id", token: with(func(tok *auth.Token) { tok.KeyID = "" })},
		{name: "scopes are no list", token: raw(t, pki, auth.TokenType, func(c map[string]any) { c["scopes"] = "orders.write" })},
		{name: "expired", token: valid, now: at.Add(60 * time.Second)},
		{name: "without expiry", token: raw(t, pki, auth.TokenType, func(c map[string]any) { delete(c, "exp") })},
		{name: "without issue time", token: raw(t, pki, auth.TokenType, func(c map[string]any) { delete(c, "iat") })},
		{name: "lives 61 s", token: raw(t, pki, auth.TokenType, func(c map[string]any) { c["exp"] = at.Add(61 * time.Second).Unix() })},
		{name: "issued 6 s ahead", token: valid, now: at.Add(-6 * time.Second)},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := at
			if !test.now.IsZero() {
				now = test.now
			}
			v, err := auth.NewVerifier(pki.TokenKeys(), "orders", clockAt(&now))
			if err != nil {
				t.Fatal(err)
			}
			method, path := "POST", "/v1/orders"
			if test.method != "" {
				method = test.method
			}
			if test.path != "" {
				path = test.path
			}
			p, err := v.Verify(test.token, method, path)
			if !errors.Is(err, auth.ErrToken) {
				t.Fatalf("got %+v, %v; want %v", p, err, auth.ErrToken)
			}
			if !strings.Contains(err.Error(), test.why) {
				t.Errorf("got %v, want it refused for its %s", err, test.why)
			}
		})
	}
}

func TestTokenWithinItsLife(t *testing.T) {
	pki := newKeys(t)
	token := sign(t, pki, at, good())
	for _, d := range []time.Duration{-5 * time.Second, 0, 59 * time.Second} {
		now := at.Add(d)
		v, err := auth.NewVerifier(pki.TokenKeys(), "orders", clockAt(&now))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(token, "POST", "/v1/orders"); err != nil {
			t.Errorf("at %v: %v", d, err)
		}
	}
}

// A new key file is taken without a restart, and a damaged one keeps the keys in use.
func TestKeysAreReadAgainWhenTheyChange(t *testing.T) {
	first, second := newKeys(t), newKeys(t)
	file := filepath.Join(t.TempDir(), "keys.jwks")
	put := func(b []byte, stamp time.Time) {
		t.Helper()
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	read := func(path string) []byte {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	put(read(first.TokenKeys()), at)
	now := at
	v, err := auth.NewVerifier(file, "orders", clockAt(&now))
	if err != nil {
		t.Fatal(err)
	}
	check := func(pki *auth.PKI, ok bool, when string) {
		t.Helper()
		_, err := v.Verify(sign(t, pki, at, good()), "POST", "/v1/orders")
		if (err == nil) != ok {
			t.Errorf("%s: got %v, want accepted %v", when, err, ok)
		}
	}
	check(first, true, "first key")
	check(second, false, "second key, not yet published")
	put(read(second.TokenKeys()), at.Add(time.Second))
	check(second, true, "second key, published")
	check(first, false, "first key, withdrawn")
	put([]byte("{"), at.Add(2*time.Second))
	check(second, true, "second key, file damaged")
}

func TestVerifierTakesPublicEd25519KeysOnly(t *testing.T) {
	pki := newKeys(t)
	if _, err := auth.NewVerifier(pki.TokenKey(), "orders", time.Now); err == nil {
		t.Error("a file with the private key was taken as public keys")
	}
	if _, err := auth.NewVerifier(filepath.Join(t.TempDir(), "none"), "orders", time.Now); err == nil {
		t.Error("a missing file was taken")
	}
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwk.Import(public)
	if err != nil {
		t.Fatal(err)
	}
	set := jwk.NewSet()
	if err := set.AddKey(key); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "nokid.jwks")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.NewVerifier(file, "orders", time.Now); err == nil {
		t.Error("a key without kid was taken")
	}
}
