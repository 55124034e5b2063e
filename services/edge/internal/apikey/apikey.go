// Package apikey is the credential of a partner: who it stands for, what it opens, and whether it still does.
//
// It promises that a key never holds its secret, only the SHA-256 of it (the secret is 256 random bits, so a plain hash
// cannot be searched), that roles alone decide the scopes, and that all bad fields of a new key are named at once. It leaves
// keeping keys to the store, and what a scope allows to each service.
package apikey

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// State says whether a key opens the door.
type State int

// The states of a key; the zero State is a key that was not made yet.
const (
	Active State = iota + 1
	Revoked
)

// String names the state as the contract does.
func (s State) String() string {
	switch s {
	case Active:
		return "ACTIVE"
	case Revoked:
		return "REVOKED"
	}
	return "NONE"
}

// Hash is the SHA-256 of a secret.
type Hash [sha256.Size]byte

// Key is a partner's credential.
type Key struct {
	// ID is unique, "key_...".
	ID string
	// Party is the partner, "parties/CAR-CXBB".
	Party string
	// Roles decide the scopes.
	Roles []string
	// LegalEntities are the legal entities that the partner deals with, "legalEntities/NLS".
	LegalEntities []string
	// DisplayName is what the key is for, in words.
	DisplayName string
	// State says whether it opens.
	State State
	// CreateTime is business time, UTC.
	CreateTime time.Time
	// RevokeTime is business time, UTC; zero before.
	RevokeTime time.Time
	// Hint is how the secret begins, to tell keys apart.
	Hint string
	// Hash finds the key by its secret.
	Hash Hash
}

// Name is the key's resource name, "apiKeys/key_...".
func (k Key) Name() string { return "apiKeys/" + k.ID }

// Scopes are what the key's roles allow, each once, sorted.
func (k Key) Scopes() []string {
	var scopes []string
	for _, role := range k.Roles {
		scopes = append(scopes, roles[role]...)
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// roles says what each role of a partner may do. The scopes are those of the services' contracts.
var roles = map[string][]string{
	"customer": {"orders.read", "orders.write", "freight.read", "billing.read", "webhooks.read", "webhooks.write"},
	"carrier":  {"freight.read", "freight.respond", "freight.report", "billing.read", "billing.submit", "webhooks.read", "webhooks.write"},
}

// Fact is what became of a key.
type Fact interface{ fact() }

// Created says that a partner got a key.
type Created struct{ Key Key }

// RevokedFact says that a key opens no more.
type RevokedFact struct{ Key Key }

func (Created) fact()     {}
func (RevokedFact) fact() {}

// Verb is what can be done to a key.
type Verb string

// The verbs.
const (
	VerbCreate Verb = "create"
	VerbRevoke Verb = "revoke"
)

// transitions says where a verb leads from a state. What is not in it is refused.
var transitions = map[State]map[Verb]State{
	0:       {VerbCreate: Active},
	Active:  {VerbRevoke: Revoked},
	Revoked: {VerbRevoke: Revoked},
}

// TransitionError is a verb that the state does not allow.
type TransitionError struct {
	From State
	Verb Verb
}

func (e *TransitionError) Error() string {
	return fmt.Sprintf("cannot %s a key that is %v", e.Verb, e.From)
}

// FieldError is one bad field.
type FieldError struct {
	// Path is in proto names under api_key, such as "roles[1]".
	Path        string
	Problem     Problem
	Description string
}

// Problem is the kind of a bad field.
type Problem int

// The kinds of bad field.
const (
	Malformed Problem = iota + 1
	Duplicate
	UnknownRole
	Missing
)

// FieldErrors are all bad fields of a key.
type FieldErrors []FieldError

func (e FieldErrors) Error() string {
	parts := make([]string, len(e))
	for i, f := range e {
		parts[i] = f.Path + " " + f.Description
	}
	return strings.Join(parts, "; ")
}

// New is what a new key needs.
type New struct {
	ID            string
	Party         string
	Roles         []string
	LegalEntities []string
	DisplayName   string
	// Hint and Hash are of the secret that was made for it.
	Hint string
	Hash Hash
}

var (
	party       = regexp.MustCompile(`^parties/[A-Z0-9-]{2,40}$`)
	legalEntity = regexp.MustCompile(`^legalEntities/[A-Z0-9-]{1,40}$`)
)

// Create makes an active key. The error is FieldErrors.
func Create(n New, at time.Time) (Key, []Fact, error) {
	var bad FieldErrors
	if !party.MatchString(n.Party) {
		bad = append(bad, FieldError{"party", Malformed, `want a party such as "parties/CUS-XYZ"`})
	}
	if len(n.Roles) == 0 {
		bad = append(bad, FieldError{"roles", Missing, "at least one role decides what the key opens"})
	}
	for i, role := range n.Roles {
		path := fmt.Sprintf("roles[%d]", i)
		switch {
		case roles[role] == nil:
			bad = append(bad, FieldError{path, UnknownRole, "want customer or carrier"})
		case slices.Contains(n.Roles[:i], role):
			bad = append(bad, FieldError{path, Duplicate, "is there twice"})
		}
	}
	for i, le := range n.LegalEntities {
		path := fmt.Sprintf("legal_entities[%d]", i)
		switch {
		case !legalEntity.MatchString(le):
			bad = append(bad, FieldError{path, Malformed, `want a legal entity such as "legalEntities/NLS"`})
		case slices.Contains(n.LegalEntities[:i], le):
			bad = append(bad, FieldError{path, Duplicate, "is there twice"})
		}
	}
	if len(bad) > 0 {
		return Key{}, nil, bad
	}
	k := Key{
		ID: n.ID, Party: n.Party, Roles: slices.Clone(n.Roles), LegalEntities: slices.Clone(n.LegalEntities),
		DisplayName: n.DisplayName, State: transitions[0][VerbCreate], CreateTime: at.UTC(), Hint: n.Hint, Hash: n.Hash,
	}
	return k, []Fact{Created{k}}, nil
}

// Revoke closes the door. Revoking a revoked key changes nothing, tells nothing and succeeds. The error is a
// *TransitionError.
func (k Key) Revoke(at time.Time) (Key, []Fact, error) {
	to, ok := transitions[k.State][VerbRevoke]
	if !ok {
		return Key{}, nil, &TransitionError{From: k.State, Verb: VerbRevoke}
	}
	if to == k.State {
		return k, nil, nil
	}
	k.State, k.RevokeTime = to, at.UTC()
	return k, []Fact{RevokedFact{k}}, nil
}

// prefix makes a secret known for what it is, to people and to scanners of leaked credentials.
const prefix = "cdk_"

const (
	secretBytes = 32 // 256 bits
	hintLength  = len(prefix) + 6
)

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Secret is what a partner sends as a bearer credential. It prints as its hint, so that it does not end in a log.
type Secret struct{ text string }

// NewSecret makes a secret of 256 bits from random.
func NewSecret(random io.Reader) (Secret, error) {
	var raw [secretBytes]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return Secret{}, fmt.Errorf("new secret: %w", err)
	}
	return Secret{prefix + encoding.EncodeToString(raw[:])}, nil
}

// ParseSecret accepts what NewSecret makes.
func ParseSecret(s string) (Secret, bool) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || len(rest) != encoding.EncodedLen(secretBytes) {
		return Secret{}, false
	}
	raw, err := encoding.DecodeString(rest)
	// The last character has spare bits; only one spelling of them is the secret that was given out.
	if err != nil || encoding.EncodeToString(raw) != rest {
		return Secret{}, false
	}
	return Secret{s}, true
}

// Reveal is the secret in full, for the one answer that shows it.
func (s Secret) Reveal() string { return s.text }

// Hint is how the secret begins.
func (s Secret) Hint() string { return s.text[:min(hintLength, len(s.text))] }

// String is the hint.
func (s Secret) String() string { return s.Hint() + "…" }

// GoString is the hint too.
func (s Secret) GoString() string { return s.String() }

// Hash is the SHA-256 of the secret's text. Looking a key up by it takes the same time however much of a guess is right,
// because one wrong bit of the secret changes the whole hash.
func (s Secret) Hash() Hash { return sha256.Sum256([]byte(s.text)) }
