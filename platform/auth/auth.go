// Package auth proves who calls and decides what they may. It is for the edge, which signs short-lived tokens for partners;
// for every service's server, which verifies them and the peers' certificates; and for handlers, which ask CanSee. It
// promises that a principal never comes from a header somebody could write, that a method without a complete policy is
// never served, and that a partner's token is good for one route of one service for at most a minute. It leaves what a
// partner may do to which resource to the services.
package auth

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"crossdock.dev/platform/origin"
)

// TrustDomain is the SPIFFE trust domain of the suite.
const TrustDomain = "crossdock"

// ErrNoIdentity is returned for a certificate that does not carry exactly one SPIFFE id of the suite.
var ErrNoIdentity = errors.New("certificate has no identity of the suite")

// ID is a SPIFFE id of the suite: spiffe://crossdock/service/<name> or spiffe://crossdock/user/<name>.
type ID struct {
	Kind origin.Kind // Service or User
	Name string
}

// ServiceID is the id of a service.
func ServiceID(name string) ID { return ID{Kind: origin.Service, Name: name} }

// UserID is the id of a person.
func UserID(name string) ID { return ID{Kind: origin.User, Name: name} }

// URL is the id as it stands in a certificate.
func (id ID) URL() *url.URL {
	kind := "service"
	if id.Kind == origin.User {
		kind = "user"
	}
	return &url.URL{Scheme: "spiffe", Host: TrustDomain, Path: "/" + kind + "/" + id.Name}
}

// String is the id's URL.
func (id ID) String() string { return id.URL().String() }

// ParseID reads an id and refuses another trust domain, another kind, and names that are not plain.
func ParseID(u *url.URL) (ID, error) {
	if u == nil || u.Scheme != "spiffe" || u.Host != TrustDomain || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.RawPath != "" {
		return ID{}, ErrNoIdentity
	}
	parts := strings.Split(u.Path, "/")
	if len(parts) != 3 || parts[0] != "" || !plain(parts[2]) {
		return ID{}, ErrNoIdentity
	}
	switch parts[1] {
	case "service":
		return ServiceID(parts[2]), nil
	case "user":
		return UserID(parts[2]), nil
	}
	return ID{}, ErrNoIdentity
}

// plain accepts the letters of SPIFFE path segments (SPIFFE-ID section 2.2) and refuses relative ones.
func plain(s string) bool {
	if s == "" || len(s) > 64 || s == "." || s == ".." {
		return false
	}
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}

// Grant is what a person holds.
type Grant struct {
	Roles  []string `yaml:"roles"`
	Scopes []string `yaml:"scopes"`
}

// RoleOperator holds every scope in development.
const RoleOperator = "operator"

// Users says what people hold, by the name in their certificate.
type Users struct {
	// Grants lists people and what they hold.
	Grants map[string]Grant
	// Development gives the role operator to people who are not listed, and every scope to that role.
	Development bool
}

// Principal is the principal of a verified id, with what the person holds.
func (u Users) Principal(id ID) origin.Principal {
	p := origin.Principal{Kind: id.Kind, Name: id.Name}
	if id.Kind != origin.User {
		return p
	}
	g, listed := u.Grants[id.Name]
	if !listed && u.Development {
		g.Roles = []string{RoleOperator}
	}
	p.Roles, p.Scopes = slices.Clone(g.Roles), slices.Clone(g.Scopes)
	return p
}

// holds says whether a person has a scope.
func (u Users) holds(p origin.Principal, scope string) bool {
	return slices.Contains(p.Scopes, scope) || u.Development && slices.Contains(p.Roles, RoleOperator)
}

// CanSee says whether a principal may see what concerns the given parties, such as "parties/CUS-XYZ". Services and people
// see everything that their method allows; a partner sees what names its party. What it may not see is answered like a
// missing id: rpcerr.NotFound.
func CanSee(p origin.Principal, parties ...string) bool {
	switch p.Kind {
	case origin.Service, origin.User:
		return p.Name != ""
	case origin.Partner:
		return p.Party != "" && slices.Contains(parties, p.Party)
	}
	return false
}

// describe names a principal for a public refusal.
func describe(p origin.Principal) string {
	if s := p.String(); s != "" {
		return s
	}
	return fmt.Sprintf("principal of kind %v", p.Kind)
}
