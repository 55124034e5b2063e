package profile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDay(t *testing.T) {
	s, err := Load("../../partners/day.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if s.Len() != 9 {
		t.Errorf("%d mailboxes, want 9", s.Len())
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
	for _, c := range []struct{ scac, us, version, zone, segment string }{
		{"CXAA", "ZZ/NORTHLINE", "004010", "America/Chicago", "~"}, {"CXBB", "ZZ/NORTHLINE", "004010", "America/New_York", "~"},
		{"CXCC", "ZZ/NORTHLINE", "004010", "America/New_York", "|"}, {"CXDD", "ZZ/NORTHLINEEU", "005010", "Europe/Amsterdam", "~"},
		{"CXEE", "ZZ/NORTHLINE", "004010", "America/New_York", "\n"},
	} {
		p, ok := s.Find("02/"+c.scac, c.us)
		if !ok || p.Party != "parties/CAR-"+c.scac || p.Usage != "P" || p.Version != c.version || p.Zone != c.zone || p.Segment != c.segment || p.LineBreak ||
			!slices.Equal(p.Inbound, []string{"990", "214", "210", "997"}) || p.AcknowledgeWithin != 24*time.Hour {
			t.Errorf("%s: got %+v, %v", c.scac, p, ok)
		}
	}
	for _, c := range []struct{ party, set, mailbox string }{
		{"parties/CUS-XYZ", "810", "12/4405197800"}, {"parties/CUS-SNX", "810", "ZZ/SENDERISA"}, {"parties/CUS-XFL", "810", ""}, {"parties/CAR-CXDD", "204", "02/CXDD"},
		{"parties/CUS-XYZ", "204", ""}, {"parties/CUS-HHS", "810", ""},
	} {
		if p, ok := s.Receives(c.party, c.set); ok != (c.mailbox != "") || ok && p.Partner.Pair() != c.mailbox {
			t.Errorf("%s to %s: got %+v, %v, want %q", c.set, c.party, p.Partner, ok, c.mailbox)
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
		{"separator in an address", strings.Replace(string(good), `id: "999999999"`, `id: "9999*9999"`, 1), `profiles[0] parties/CUS-XYZ.us.id: "9999*9999" has the element separator`},
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
