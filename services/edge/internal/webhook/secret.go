package webhook

import (
	"encoding/base64"
	"fmt"
	"io"
	"time"
)

// secretBytes is the length of a secret; the Standard Webhooks specification wants 24 to 64.
const secretBytes = 32

// rollTime is how long a rolled secret is still signed with, so that a partner has time to put the new one in.
const rollTime = 24 * time.Hour

// Secret is what messages are signed with. It prints as its kind, so that it does not end in a log.
type Secret struct{ raw []byte }

// NewSecret makes a secret of 256 bits from random.
func NewSecret(random io.Reader) (Secret, error) {
	raw := make([]byte, secretBytes)
	if _, err := io.ReadFull(random, raw); err != nil {
		return Secret{}, fmt.Errorf("new secret: %w", err)
	}
	return Secret{raw}, nil
}

// SecretOf is a secret that was kept.
func SecretOf(raw []byte) Secret { return Secret{raw} }

// Raw are the bytes, for keeping and signing.
func (s Secret) Raw() []byte { return s.raw }

// Reveal is the secret in full, for the one answer that shows it.
func (s Secret) Reveal() string { return "whsec_" + base64.StdEncoding.EncodeToString(s.raw) }

// String does not show the secret.
func (s Secret) String() string { return "whsec_…" }

// GoString does not, either.
func (s Secret) GoString() string { return s.String() }

// Secrets are what an endpoint's messages are signed with.
type Secrets struct {
	Current  Secret
	Previous Secret    // of before the last roll
	Until    time.Time // until when Previous counts (machine time)
}

// Roll puts a new secret in; now is machine time.
func (s Secrets) Roll(next Secret, now time.Time) Secrets {
	return Secrets{Current: next, Previous: s.Current, Until: now.Add(rollTime).UTC()}
}

// At are the secrets that a message is signed with at a machine time, the current one first.
func (s Secrets) At(now time.Time) []Secret {
	if len(s.Previous.raw) > 0 && now.Before(s.Until) {
		return []Secret{s.Current, s.Previous}
	}
	return []Secret{s.Current}
}
