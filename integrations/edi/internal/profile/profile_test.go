package profile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDay(t *testing.T) {
	s, err := Load("../../partners/day.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if s.Len() != 4 {
		t.Errorf("%d mailboxes, want 4", s.Len())
	}
	for _, c := range []struct{ partner, us, party, usage string }{
		{"12/4405197800", "01/999999999", "parties/CUS-XYZ", "P"},
		{"ZZ/ABCDEFGHIJKLMNO", "ZZ/123456789012345", "parties/CUS-XYZ", "P"},
		{"ZZ/SENDERISA", "14/0073268795005", "parties/CUS-SNX", "T"},
		{"01/049351117", "ZZ/BARSAN", "parties/CUS-XFL", "T"},
	} {
		p, ok := s.Find(c.partner, c.us)
		if !ok || p.Party != c.party || p.Usage != c.usage || !p.Supports("850") || p.Supports("204") {
			t.Errorf("%s to %s: got %+v, %v", c.partner, c.us, p, ok)
		}
		if !p.Release("004010VICS") || p.Release("003010") || p.Release("") {
			t.Errorf("%s: releases %v", c.partner, p.Versions)
		}
	}
	if _, ok := s.Find("01/999999999", "12/4405197800"); ok {
		t.Error("found a mailbox by its addresses the wrong way round")
	}
}

func TestEveryBadRowIsNamed(t *testing.T) {
	good, err := os.ReadFile("../../partners/day.yaml")
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.NewReplacer(
		"party: parties/CUS-SNX", "party: CUS-SNX", `inbound: ["850", "997"]`, `inbound: ["850", "204"]`,
		"usage: T", "usage: X", `id: SENDERISA`, `id: SENDERISA4567890`, "currency: USD", "currency: usd",
	).Replace(string(good))
	path := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Load(path)
	if err == nil {
		t.Fatal("loaded")
	}
	for _, want := range []string{
		"profiles[0] parties/CUS-XYZ.inbound", "profiles[2] CUS-SNX.party", "profiles[2] CUS-SNX.partner.id", "profiles[2] CUS-SNX.usage",
		"profiles[3] parties/CUS-XFL.currency",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %s:\n%v", want, err)
		}
	}

	for _, c := range []struct{ name, text, want string }{
		{"two of the same pair", string(good) + strings.Replace(strings.SplitN(string(good), "profiles:\n", 2)[1], "CUS-XYZ", "CUS-ABC", 1), "has the addresses of profiles[0]"},
		{"unknown key", string(good) + "    colour: red\n", "colour"},
		{"separators alike", strings.Replace(string(good), `component: ">"`, `component: "*"`, 1), "is the same as element"},
		{"empty", "profiles: []\n", "none"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
