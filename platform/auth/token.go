package auth

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"crossdock.dev/platform/origin"
)

const (
	// TokenIssuer is the only issuer of internal tokens.
	TokenIssuer = "edge"
	// TokenType is the token's typ header: explicit, so that no other JWT of the same key passes (RFC 8725 section 3.11).
	TokenType = "crossdock-internal+jwt"
	// TokenLife is the longest life of a token.
	TokenLife = 60 * time.Second
	// tokenSkew is what two machines' clocks may differ.
	tokenSkew = 5 * time.Second
	maxToken  = 8 << 10
)

// ErrToken is wrapped by every refusal of a token.
var ErrToken = errors.New("token refused")

// Token is what the edge says about a partner's one call to one route of one service.
type Token struct {
	// Service is the audience, such as "orders".
	Service string
	// KeyID is the partner credential that was shown to the edge; it becomes the principal's name.
	KeyID string
	// Party is the partner, such as "parties/CUS-XYZ".
	Party         string
	Roles, Scopes []string
	// LegalEntities are the entities of the enterprise that the partner deals with.
	LegalEntities []string
	// Method and Path are the HTTP method and the path, without query, that the token is good for.
	Method, Path string
}

// Signer signs tokens at the edge.
type Signer struct {
	key jwk.Key
	now func() time.Time
}

// NewSigner reads an Ed25519 private key from a JWK file. now is machine time.
func NewSigner(keyFile string, now func() time.Time) (*Signer, error) {
	raw, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("read token key: %w", err)
	}
	key, err := jwk.ParseKey(raw)
	if err != nil {
		return nil, fmt.Errorf("read token key %s: %w", keyFile, err)
	}
	var private ed25519.PrivateKey
	if err := jwk.Export(key, &private); err != nil {
		return nil, fmt.Errorf("token key %s is not an Ed25519 private key: %w", keyFile, err)
	}
	if kid, ok := key.KeyID(); !ok || kid == "" {
		return nil, fmt.Errorf("token key %s has no kid", keyFile)
	}
	return &Signer{key: key, now: now}, nil
}

// Sign makes the token; it lives for TokenLife.
func (s *Signer) Sign(t Token) (string, error) {
	now := s.now()
	tok, err := jwt.NewBuilder().
		Issuer(TokenIssuer).Audience([]string{t.Service}).Subject(t.KeyID).
		IssuedAt(now).Expiration(now.Add(TokenLife)).
		Claim("party", t.Party).Claim("roles", emptyNotNil(t.Roles)).Claim("scopes", emptyNotNil(t.Scopes)).
		Claim("les", emptyNotNil(t.LegalEntities)).Claim("htm", t.Method).Claim("htp", t.Path).
		Build()
	if err != nil {
		return "", fmt.Errorf("build token: %w", err)
	}
	h := jws.NewHeaders()
	if err := h.Set(jws.TypeKey, TokenType); err != nil {
		return "", fmt.Errorf("build token: %w", err)
	}
	signed, err := jwt.Sign(tok, jwt.WithKey(jwa.EdDSA(), s.key, jws.WithProtectedHeaders(h)))
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return string(signed), nil
}

func emptyNotNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// Verifier verifies tokens in a service.
type Verifier struct {
	service string
	file    string
	now     func() time.Time

	mu   sync.Mutex
	seen stamp
	keys jwk.Set
}

// NewVerifier reads the edge's public keys from a JWKS file, which is read again when it changes; tokens must be made for
// service. now is machine time.
func NewVerifier(keysFile, service string, now func() time.Time) (*Verifier, error) {
	v := &Verifier{service: service, file: keysFile, now: now}
	if _, err := v.current(); err != nil {
		return nil, err
	}
	return v, nil
}

// current returns the keys, read again when the file has changed; a file that cannot be read keeps the keys in use.
func (v *Verifier) current() (jwk.Set, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now, err := stampOf(v.file)
	if err == nil && v.keys != nil && now == v.seen {
		return v.keys, nil
	}
	var keys jwk.Set
	if err == nil {
		keys, err = readKeys(v.file)
	}
	switch {
	case err == nil:
		v.keys, v.seen = keys, now
	case v.keys == nil:
		return nil, fmt.Errorf("read token keys: %w", err)
	}
	return v.keys, nil
}

func readKeys(path string) (jwk.Set, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	set, err := jwk.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range set.Len() {
		key, _ := set.Key(i)
		var public ed25519.PublicKey
		if err := jwk.Export(key, &public); err != nil {
			return nil, fmt.Errorf("%s: key %d is not an Ed25519 public key: %w", path, i, err)
		}
		if kid, ok := key.KeyID(); !ok || kid == "" {
			return nil, fmt.Errorf("%s: key %d has no kid", path, i)
		}
	}
	if set.Len() == 0 {
		return nil, fmt.Errorf("%s: no keys", path)
	}
	return set, nil
}

// Verify returns the partner of a token that was made for this service and for the given HTTP method and path, and is
// alive. Every error wraps ErrToken and may be shown to the caller.
func (v *Verifier) Verify(token, method, path string) (origin.Principal, error) {
	if len(token) > maxToken {
		return origin.Principal{}, refuse("too long")
	}
	if err := checkHeader(token); err != nil {
		return origin.Principal{}, err
	}
	keys, err := v.current()
	if err != nil {
		return origin.Principal{}, refuse("no keys")
	}
	// Claims are checked below one by one: the library's own checks pass over absent ones.
	tok, err := jwt.Parse([]byte(token), jwt.WithKeySet(keys), jwt.WithValidate(false))
	if err != nil {
		return origin.Principal{}, refuse("signature")
	}
	if iss, _ := tok.Issuer(); iss != TokenIssuer {
		return origin.Principal{}, refuse("issuer")
	}
	if aud, _ := tok.Audience(); !slices.Equal(aud, []string{v.service}) {
		return origin.Principal{}, refuse("audience")
	}
	if err := v.checkTimes(tok); err != nil {
		return origin.Principal{}, err
	}
	var htm, htp, party string
	if tok.Get("htm", &htm) != nil || tok.Get("htp", &htp) != nil || htm != method || htp != path {
		return origin.Principal{}, refuse("made for another route")
	}
	sub, _ := tok.Subject()
	if sub == "" || tok.Get("party", &party) != nil || party == "" {
		return origin.Principal{}, refuse("no partner")
	}
	p := origin.Principal{Kind: origin.Partner, Name: sub, Party: party}
	for claim, into := range map[string]*[]string{"roles": &p.Roles, "scopes": &p.Scopes, "les": &p.LegalEntities} {
		if *into, err = stringList(tok, claim); err != nil {
			return origin.Principal{}, err
		}
	}
	return p, nil
}

func (v *Verifier) checkTimes(tok jwt.Token) error {
	now := v.now()
	exp, okExp := tok.Expiration()
	iat, okIat := tok.IssuedAt()
	switch {
	case !okExp || !okIat:
		return refuse("no times")
	case !now.Before(exp):
		return refuse("expired")
	case exp.Sub(iat) > TokenLife:
		return refuse("lives too long")
	case iat.After(now.Add(tokenSkew)):
		return refuse("issued in the future")
	}
	return nil
}

// checkHeader accepts one compact JWS with our type and EdDSA, before any key is looked at: "none" and every other
// algorithm end here.
func checkHeader(token string) error {
	if strings.Count(token, ".") != 2 {
		return refuse("not a compact JWS")
	}
	msg, err := jws.Parse([]byte(token))
	if err != nil || len(msg.Signatures()) != 1 {
		return refuse("malformed")
	}
	h := msg.Signatures()[0].ProtectedHeaders()
	if alg, ok := h.Algorithm(); !ok || alg != jwa.EdDSA() {
		return refuse("algorithm")
	}
	if typ, ok := h.Type(); !ok || typ != TokenType {
		return refuse("type")
	}
	return nil
}

func stringList(tok jwt.Token, claim string) ([]string, error) {
	var raw any
	if tok.Get(claim, &raw) != nil {
		return nil, refuse("no " + claim)
	}
	b, err := json.Marshal(raw)
	if err != nil {
		return nil, refuse("bad " + claim)
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, refuse("bad " + claim)
	}
	return list, nil
}

func refuse(why string) error { return fmt.Errorf("%w: %s", ErrToken, why) }
