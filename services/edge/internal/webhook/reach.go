package webhook

import (
	"net/netip"
	"net/url"
	"strings"
)

// Reach is what addresses may be sent to.
type Reach struct {
	// Private allows what the own network alone reaches, and plain http on loopback: development.
	Private bool
}

// reserved are the addresses that are global unicast in form and not in fact (IANA special-purpose address registries, RFC 6890), or
// that lead to an IPv4 address which this check does not see.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("100.64.0.0/10"),   // shared by carriers, RFC 6598
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation, RFC 5737
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays, RFC 7526
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks, RFC 2544
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo among them
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4
	netip.MustParsePrefix("3fff::/20"),       // documentation, RFC 9637
}

// global is all of IPv6 that is given out for the public internet (RFC 4291 section 2.5.4); translated IPv4 (RFC 6052) lies outside.
var global = netip.MustParsePrefix("2000::/3")

// Allows reports whether an address that a name resolved to may be connected to. It is asked at the moment of dialling, since a
// name may resolve to something else every time.
func (r Reach) Allows(ip netip.Addr) bool {
	ip = ip.Unmap()
	switch {
	case !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast() || ip.Zone() != "":
		return false // link-local is where clouds keep their metadata
	case ip.IsLoopback() || ip.IsPrivate():
		return r.Private
	case ip.Is6() && !global.Contains(ip):
		return false
	}
	for _, p := range reserved {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// CheckURL says what is wrong with an endpoint's address, in words; "" when nothing is.
func (r Reach) CheckURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Opaque != "" {
		return "want a URL such as https://example.com/crossdock"
	}
	host := strings.ToLower(u.Hostname())
	ip, notIP := netip.ParseAddr(host)
	loopback := host == "localhost" || notIP == nil && ip.Unmap().IsLoopback()
	switch {
	case u.User != nil || u.Fragment != "":
		return "want no credentials and no fragment"
	case u.Scheme == "http" && r.Private && loopback:
	case u.Scheme != "https":
		return "want https"
	case notIP != nil && !r.Private && (host == "localhost" || strings.HasSuffix(host, ".localhost")), notIP == nil && !r.Allows(ip):
		return "the address is not one of the public internet"
	}
	return ""
}
