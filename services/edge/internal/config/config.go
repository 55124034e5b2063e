// Package config is edge's configuration file: what every service configures in the same words, with edge's defaults, and the
// partners' door.
package config

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/discovery/consul"
	"crossdock.dev/platform/serve"
)

// Config is the file.
type Config struct {
	serve.Config `yaml:",inline"`
	// TokenKey is the private key that signs what services learn of a partner, a JWK file.
	TokenKey string `yaml:"token_key_file"`
	// Routes send path prefixes to services, first match wins; absent means the suite's own.
	Routes []Route `yaml:"routes"`
	// Gateways are the services' partner-only gateways: name to base URL. https is the suite's mTLS, http loopback alone, and
	// consul:///orders-gateway is wherever the agent says, with mTLS.
	Gateways map[string]string `yaml:"gateways"`
	// Quota is what each partner may ask for.
	Quota Quota `yaml:"quota"`
	// GatewayTimeout bounds a call to a service.
	GatewayTimeout time.Duration `yaml:"gateway_timeout"`
}

// Route sends the paths under a prefix to a service.
type Route struct {
	Prefix  string `yaml:"prefix"`
	Service string `yaml:"service"`
}

// Quota is a token bucket for each partner.
type Quota struct {
	// PerSecond is how many calls a second fill the bucket.
	PerSecond int `yaml:"per_second"`
	// Burst is how many calls a full bucket holds.
	Burst int `yaml:"burst"`
	// AtOnce is how many calls a partner may have under way.
	AtOnce int `yaml:"at_once"`
	// Partners bounds the buckets kept; above the number of partners.
	Partners int `yaml:"partners"`
}

// Default is what holds where the file says nothing.
func Default() Config {
	return Config{
		Config: serve.Config{Name: "edge", MaxBodyBytes: 1 << 20, MaxInFlight: 512},
		Routes: []Route{
			{"/v1/orders", "orders"},
			{"/v1/loads", "freight"}, {"/v1/tenders", "freight"}, {"/v1/shipments", "freight"}, {"/v1/proofsOfDelivery", "freight"},
			{"/v1/invoices", "billing"}, {"/v1/freightBills", "billing"},
			{"/v1/webhooks", Own},
		},
		Quota:          Quota{PerSecond: 50, Burst: 100, AtOnce: 64, Partners: 10_000},
		GatewayTimeout: 15 * time.Second,
	}
}

// Own is the name of edge among the services that routes lead to: it needs no gateway.
const Own = "edge"

// Webhooks reports whether partners are told: with token_keys_file and peers. Without them edge is the door alone.
func (c *Config) Webhooks() bool { return c.TokenKeys != "" || len(c.Peers) > 0 }

// Feeds are the services whose logs edge follows to tell partners.
func Feeds() []string { return []string{"orders", "freight", "billing"} }

// Load reads the file at path over the defaults and checks it.
func Load(path string) (Config, error) {
	c := Default()
	return c, conf.Load(path, &c)
}

// Check names every problem of the file.
func (c *Config) Check(p *conf.Problems) {
	c.Config.Check(p)
	p.Require("http_addr", c.HTTPAddr)
	if c.Webhooks() {
		c.CheckPeers(p, Feeds()...)
		c.CheckPartners(p)
	}
	p.Require("token_key_file", c.TokenKey)
	if c.HTTPTLS == serve.HTTPMutual {
		p.Add("http_tls", "partners have no certificate of the suite: want public, or nothing on loopback")
	}
	for _, r := range c.Routes {
		if !strings.HasPrefix(r.Prefix, "/v1/") || strings.HasSuffix(r.Prefix, "/") {
			p.Add("routes", "prefix %q: want /v1/<collection>", r.Prefix)
		}
		if _, ok := c.Gateways[r.Service]; !ok && r.Service != Own {
			p.Add("routes", "prefix %q leads to %q, which is not among the gateways", r.Prefix, r.Service)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Gateways)) {
		if problem := c.checkURL(c.Gateways[name]); problem != "" {
			p.Add("gateways."+name, "%s", problem)
		}
	}
	for key, n := range map[string]int64{
		"quota.per_second": int64(c.Quota.PerSecond), "quota.burst": int64(c.Quota.Burst), "quota.at_once": int64(c.Quota.AtOnce), "quota.partners": int64(c.Quota.Partners),
		"gateway_timeout": int64(c.GatewayTimeout), "max_body_bytes": c.MaxBodyBytes, "max_in_flight": int64(c.MaxInFlight),
	} {
		if n <= 0 {
			p.Add(key, "must be above 0")
		}
	}
}

func (c *Config) checkURL(s string) string {
	u, err := url.Parse(s)
	if err == nil && u.Scheme == consul.Scheme {
		switch {
		case c.Consul == nil:
			return "needs the consul block"
		case u.Host != "" || strings.Count(u.Path, "/") != 1 || u.Path == "/":
			return "want consul:///<service>" + serve.GatewaySuffix
		}
		return ""
	}
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return "want a base URL such as https://127.0.0.1:7202"
	}
	switch u.Scheme {
	case "https":
		return ""
	case "http":
		ip, err := netip.ParseAddr(u.Hostname())
		if err == nil && ip.IsLoopback() {
			return ""
		}
		return "plain http is for loopback addresses alone"
	}
	return "want http or https"
}
