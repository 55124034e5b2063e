// Package profile holds what was agreed with each partner's mailbox: addresses, test or live, which sets go which way, and how
// our own interchanges look. Profiles are data. The package promises that a file with a mistake is refused whole, every bad row
// named at once, and leaves what follows from an agreement to others.
package profile

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
	"crossdock.dev/kernel/calendar"
	"crossdock.dev/platform/conf"
)

// Address is one end of a mailbox.
type Address struct {
	// Qualifier is ISA05 or ISA07.
	Qualifier string `yaml:"qualifier"`
	// ID is ISA06 or ISA08, without padding.
	ID string `yaml:"id"`
	// Group is GS02 or GS03 of what we send.
	Group string `yaml:"group"`
}

// Pair is the address as resources show it, "12/4405197800".
func (a Address) Pair() string { return a.Qualifier + "/" + a.ID }

// Profile is the agreement about one mailbox of a partner.
type Profile struct {
	// Party is the partner, "parties/CUS-XYZ".
	Party string `yaml:"party"`
	// Partner and Us are the two ends, seen from us.
	Partner Address `yaml:"partner"`
	Us      Address `yaml:"us"`
	// Usage is ISA15 as agreed: P or T.
	Usage string `yaml:"usage"`
	// Versions are the releases that the partner may send: the first six characters of GS08.
	Versions []string `yaml:"versions"`
	// Inbound and Outbound are the agreed sets.
	Inbound  []string `yaml:"inbound"`
	Outbound []string `yaml:"outbound"`
	// Currency is that of the partner's documents when they do not say it, ISO 4217.
	Currency string `yaml:"currency"`
	// ControlVersion and Version are ISA12 and GS08 of what we send.
	ControlVersion string `yaml:"control_version"`
	Version        string `yaml:"version"`
	// Element, Component, Repetition and Segment are the separators of what we send. Repetition is one from control version
	// 00402 on; before, there is none.
	Element    string `yaml:"element"`
	Component  string `yaml:"component"`
	Repetition string `yaml:"repetition"`
	Segment    string `yaml:"segment"`
	// LineBreak is true when a line break follows each segment terminator.
	LineBreak bool `yaml:"line_break"`
	// Zone is the IANA zone of times in a 214 of which nothing else says where they were read; partners that send 214s.
	Zone string `yaml:"zone"`
	// SameOrderAgain says what becomes of an order number that comes again with the same content in another envelope:
	// "duplicate" sets it aside, "ask" parks it. Partners that send 850s.
	SameOrderAgain string `yaml:"same_order_again"`
	// AcknowledgeWithin is how soon the partner acknowledges what we send.
	AcknowledgeWithin time.Duration `yaml:"acknowledge_within"`
}

// Handled are the sets that this program can take in and send.
var (
	handledInbound  = []string{"850", "990", "214", "210", "997"}
	handledOutbound = []string{"997", "204", "810"}
)

// Supports reports whether the partner may send a set.
func (p Profile) Supports(set string) bool { return slices.Contains(p.Inbound, set) }

// Release reports whether the partner may send groups of a version (GS08), with or without a convention's suffix.
func (p Profile) Release(version string) bool {
	return slices.ContainsFunc(p.Versions, func(v string) bool { return strings.HasPrefix(version, v) })
}

// Envelope is how our interchanges to this mailbox look.
func (p Profile) Envelope() mapping.Envelope {
	e := mapping.Envelope{
		From: mapping.Address{Qualifier: p.Us.Qualifier, ID: p.Us.ID}, To: mapping.Address{Qualifier: p.Partner.Qualifier, ID: p.Partner.ID},
		FromGroup: p.Us.Group, ToGroup: p.Partner.Group, ControlVersion: p.ControlVersion, Version: p.Version, Usage: p.Usage,
		Separators: x12.Separators{Element: p.Element, Component: p.Component, Repetition: p.Repetition, Segment: p.Segment},
	}
	if p.LineBreak {
		e.AfterSegment = "\n"
	}
	return e
}

// Set is every profile.
type Set struct {
	inOrder []Profile // as in the file
	byPair  map[[2]string]Profile
}

// Receives returns the mailbox of a party that a set of ours goes to: the first in the file that takes it.
func (s Set) Receives(party, set string) (Profile, bool) {
	i := slices.IndexFunc(s.inOrder, func(p Profile) bool { return p.Party == party && slices.Contains(p.Outbound, set) })
	if i < 0 {
		return Profile{}, false
	}
	return s.inOrder[i], true
}

// Find returns the profile of a mailbox by the two addresses of an interchange from it.
func (s Set) Find(partner, us string) (Profile, bool) {
	p, ok := s.byPair[[2]string{partner, us}]
	return p, ok
}

// Len is the number of mailboxes.
func (s Set) Len() int { return len(s.byPair) }

// file is the layout of the file.
type file struct {
	Profiles []Profile `yaml:"profiles"`
}

// Load reads and checks a file of profiles. The error names every bad row.
func Load(path string) (Set, error) {
	var f file
	if err := conf.Load(path, &f); err != nil {
		return Set{}, err
	}
	s := Set{inOrder: f.Profiles, byPair: map[[2]string]Profile{}}
	for _, p := range f.Profiles {
		s.byPair[[2]string{p.Partner.Pair(), p.Us.Pair()}] = p
	}
	return s, nil
}

var (
	party     = regexp.MustCompile(`^parties/[A-Z0-9-]{2,40}$`)
	qualifier = regexp.MustCompile(`^[A-Z0-9]{2}$`)
	isaID     = regexp.MustCompile(`^[ -~]{1,15}$`)
	groupID   = regexp.MustCompile(`^[ -~]{2,15}$`)
	release   = regexp.MustCompile(`^[0-9]{6}$`)
	version   = regexp.MustCompile(`^[0-9]{6}[A-Z0-9]{0,6}$`)
	isa12     = regexp.MustCompile(`^[0-9]{5}$`)
	currency  = regexp.MustCompile(`^[A-Z]{3}$`)
)

// Check names every bad row.
func (f *file) Check(problems *conf.Problems) {
	if len(f.Profiles) == 0 {
		problems.Add("profiles", "none")
	}
	seen := map[[2]string]int{}
	for i, p := range f.Profiles {
		row := fmt.Sprintf("profiles[%d] %s", i, cmp.Or(p.Party, "without a party"))
		match := func(key, value string, want *regexp.Regexp) {
			if !want.MatchString(value) {
				problems.Add(row+"."+key, "%q does not look like %s", value, want)
			}
		}
		one := func(key, value string, of ...string) {
			if !slices.Contains(of, value) {
				problems.Add(row+"."+key, "%q is none of %s", value, strings.Join(of, ", "))
			}
		}
		match("party", p.Party, party)
		for _, end := range []struct {
			key string
			Address
		}{{"partner", p.Partner}, {"us", p.Us}} {
			match(end.key+".qualifier", end.Qualifier, qualifier)
			match(end.key+".id", end.ID, isaID)
			match(end.key+".group", end.Group, groupID)
		}
		one("usage", p.Usage, "P", "T")
		if len(p.Versions) == 0 {
			problems.Add(row+".versions", "none")
		}
		for _, v := range p.Versions {
			match("versions", v, release)
		}
		for _, set := range p.Inbound {
			one("inbound", set, handledInbound...)
		}
		for _, set := range p.Outbound {
			one("outbound", set, handledOutbound...)
		}
		if !slices.Contains(p.Outbound, "997") {
			problems.Add(row+".outbound", "has no 997: every group is acknowledged")
		}
		match("currency", p.Currency, currency)
		match("control_version", p.ControlVersion, isa12)
		match("version", p.Version, version)
		checkSeparators(problems, row, p)
		if p.Supports("850") {
			one("same_order_again", p.SameOrderAgain, "duplicate", "ask")
		}
		if _, err := calendar.LoadZone(p.Zone); err != nil && (p.Zone != "" || p.Supports("214")) {
			problems.Add(row+".zone", "%q is no IANA zone", p.Zone)
		}
		if p.AcknowledgeWithin <= 0 {
			problems.Add(row+".acknowledge_within", "is required")
		}
		pair := [2]string{p.Partner.Pair(), p.Us.Pair()}
		if first, ok := seen[pair]; ok {
			problems.Add(row, "has the addresses of profiles[%d]", first)
		}
		seen[pair] = i
	}
}

// checkSeparators: each is one character that cannot stand in data, no two are the same, and no address has one.
func checkSeparators(problems *conf.Problems, row string, p Profile) {
	all := map[string]string{}
	type separator struct{ key, value string }
	list := []separator{{"element", p.Element}, {"component", p.Component}, {"segment", p.Segment}}
	if p.ControlVersion >= "00402" {
		list = append(list, separator{"repetition", p.Repetition})
	} else if p.Repetition != "" {
		problems.Add(row+".repetition", "control version %s has none", p.ControlVersion)
	}
	for _, s := range list {
		switch {
		case len(s.value) != 1 || strings.ContainsAny(s.value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ?"):
			problems.Add(row+"."+s.key, "%q is not one character that is neither letter, digit, blank nor ? (which stands in for separators in data)", s.value)
		case all[s.value] != "":
			problems.Add(row+"."+s.key, "is the same as %s", all[s.value])
		}
		all[s.value] = s.key
		for _, id := range []struct{ key, value string }{
			{"partner.id", p.Partner.ID}, {"partner.group", p.Partner.Group}, {"us.id", p.Us.ID}, {"us.group", p.Us.Group},
		} {
			if s.value != "" && strings.Contains(id.value, s.value) {
				problems.Add(row+"."+id.key, "%q has the %s separator in it", id.value, s.key)
			}
		}
	}
}
