package apikey

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/platform/platformtest/golden"
)

var at = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)

func valid() New {
	return New{ID: "key_1", Party: "parties/CAR-CXBB", Roles: []string{"carrier"}, LegalEntities: []string{"legalEntities/NLS"}}
}

// Every state with every verb; the table is reviewed in testdata.
func TestTransitions(t *testing.T) {
	var b strings.Builder
	for _, from := range []State{0, Active, Revoked} {
		for _, verb := range []Verb{VerbCreate, VerbRevoke} {
			to, ok := transitions[from][verb]
			answer := to.String()
			if !ok {
				answer = "refused"
			}
			fmt.Fprintf(&b, "%-8s %-7s %s\n", from, verb, answer)
		}
	}
	golden.Check(t, "transitions.txt", []byte(b.String()))
}

func TestRevoke(t *testing.T) {
	k, facts, err := Create(valid(), at)
	if err != nil || len(facts) != 1 || k.State != Active {
		t.Fatalf("create: %v, %d facts, %v; want an active key and one fact", k.State, len(facts), err)
	}
	revoked, facts, err := k.Revoke(at.Add(time.Hour))
	if err != nil || len(facts) != 1 || revoked.State != Revoked || !revoked.RevokeTime.Equal(at.Add(time.Hour)) {
		t.Fatalf("revoke: %+v, %d facts, %v; want revoked an hour later and one fact", revoked, len(facts), err)
	}
	again, facts, err := revoked.Revoke(at.Add(2 * time.Hour))
	if err != nil || len(facts) != 0 || !again.RevokeTime.Equal(revoked.RevokeTime) {
		t.Errorf("revoke again: %v, %d facts, %v; want the same key and no fact", again.RevokeTime, len(facts), err)
	}
	var te *TransitionError
	if _, _, err := (Key{}).Revoke(at); !errors.As(err, &te) || te.From != 0 || te.Verb != VerbRevoke {
		t.Errorf("revoke of nothing: %v, want a TransitionError", err)
	}
}

func TestCreateNamesAllBadFields(t *testing.T) {
	_, _, err := Create(New{
		Party: "CUS-XYZ", Roles: []string{"carrier", "admin", "carrier"},
		LegalEntities: []string{"legalEntities/NLS", "NLS", "legalEntities/NLS"},
	}, at)
	var bad FieldErrors
	if !errors.As(err, &bad) {
		t.Fatalf("got %v, want FieldErrors", err)
	}
	var got []string
	for _, f := range bad {
		got = append(got, fmt.Sprintf("%s %d", f.Path, f.Problem))
	}
	want := []string{
		fmt.Sprintf("party %d", Malformed), fmt.Sprintf("roles[1] %d", UnknownRole), fmt.Sprintf("roles[2] %d", Duplicate),
		fmt.Sprintf("legal_entities[1] %d", Malformed), fmt.Sprintf("legal_entities[2] %d", Duplicate),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bad fields (-want +got):\n%s", diff)
	}
	if _, _, err := Create(New{Party: "parties/CUS-XYZ"}, at); !errors.As(err, &bad) || bad[0].Problem != Missing {
		t.Errorf("no roles: %v, want roles missing", err)
	}
}

// The scopes are those that the partners' methods ask for in the contracts.
func TestScopes(t *testing.T) {
	for _, c := range []struct {
		roles []string
		want  []string
	}{
		{[]string{"customer"}, []string{"billing.read", "freight.read", "orders.read", "orders.write", "webhooks.read", "webhooks.write"}},
		{[]string{"carrier"}, []string{"billing.read", "billing.submit", "freight.read", "freight.report", "freight.respond", "webhooks.read", "webhooks.write"}},
		{[]string{"carrier", "customer"}, []string{
			"billing.read", "billing.submit", "freight.read", "freight.report", "freight.respond", "orders.read", "orders.write",
			"webhooks.read", "webhooks.write"}},
	} {
		if diff := cmp.Diff(c.want, Key{Roles: c.roles}.Scopes()); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.roles, diff)
		}
	}
}

func TestSecret(t *testing.T) {
	zeros := bytes.NewReader(make([]byte, 64))
	s, err := NewSecret(zeros)
	if err != nil {
		t.Fatal(err)
	}
	// 32 bytes are 52 characters of base32 (RFC 4648 section 6), and zero is its first letter.
	want := "cdk_" + strings.Repeat("a", 52)
	if got := s.Reveal(); got != want {
		t.Errorf("secret %q, want %q", got, want)
	}
	for _, format := range []string{"%v", "%s", "%+v", "%#v", "%q"} {
		if got := fmt.Sprintf(format, s); strings.Contains(got, want[:20]) {
			t.Errorf("%s prints the secret: %s", format, got)
		}
	}
	for _, bad := range []string{
		"", "cdk_", want[:55], want + "a", "CDK_" + want[4:], "cdk_" + strings.ToUpper(want[4:]), strings.Replace(want, "a", "1", 1),
		want[:55] + "b", // the same 32 bytes in another spelling
	} {
		if _, ok := ParseSecret(bad); ok {
			t.Errorf("%q was accepted", bad)
		}
	}
	if got, ok := ParseSecret(want); !ok || got.Hash() != s.Hash() {
		t.Errorf("parse: %v %v, want the same secret", got, ok)
	}
	if _, err := NewSecret(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("31 random bytes made a secret, want an error")
	}
}
