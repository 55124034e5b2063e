package serve

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/discovery"
	"crossdock.dev/platform/discovery/consul"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/telemetry"
)

// Config is what every service configures in the same words. A service embeds it inline in its own struct:
//
//	type Config struct {
//		serve.Config `yaml:",inline"`
//		...
//	}
//
// Zero values work where a comment says so.
type Config struct {
	// Name is the service's name; its main sets it.
	Name string `yaml:"-"`
	// GRPCAddr is where other services and people's tools call, with mTLS.
	GRPCAddr string `yaml:"grpc_addr"`
	// HTTPAddr is where the edge calls for partners; empty means no HTTP.
	HTTPAddr string `yaml:"http_addr"`
	// HTTPTLS is "" for plain HTTP (loopback alone), "mutual" for the suite's mTLS with the edge as the only caller, or
	// "public" for HTTPCertificate.
	HTTPTLS string `yaml:"http_tls"`
	// HTTPCertificate is what partners' and browsers' connections see with http_tls: public; ca_file is not used.
	HTTPCertificate auth.Files `yaml:"http_certificate"`
	// AdminAddr serves /healthz, /readyz, /metrics and /debug/pprof/ on loopback.
	AdminAddr string `yaml:"admin_addr"`
	// TLS is the service's identity in the suite.
	TLS auth.Files `yaml:"tls"`
	// TokenKeys is the file with the edge's public token keys; needed where partners call.
	TokenKeys string `yaml:"token_keys_file"`
	// Users is what people hold, by the name in their certificate.
	Users map[string]auth.Grant `yaml:"users"`
	// Peers are the services that this one calls or follows: name to target, "static:///host:port" or "consul:///service".
	Peers map[string]string `yaml:"peers"`
	// Consul is the agent that this service registers with and that resolves consul targets; absent: neither.
	Consul *consul.Config `yaml:"consul"`
	// Advertise is the host under which others reach this service's listeners; needed where one listens on every address.
	Advertise string `yaml:"advertise"`
	// DataDir holds the service's files.
	DataDir string `yaml:"data_dir"`
	// Clock is where business time comes from.
	Clock ClockConfig `yaml:"clock"`
	// Development allows what a laptop needs and nothing else should have: loopback listeners alone, every scope for
	// people, server reflection, a business clock from a file.
	Development bool `yaml:"development"`
	// LogLevel is DEBUG, INFO (the default), WARN or ERROR.
	LogLevel slog.Level `yaml:"log_level"`
	// Otel says where spans are exported to; absent: nowhere, unless the environment says so.
	Otel OtelConfig `yaml:"otel"`
	// DefaultTimeout bounds calls that came without a deadline; 0 means 10 s.
	DefaultTimeout time.Duration `yaml:"default_timeout"`
	// DrainTime is how long a stop waits, already NOT_SERVING, until callers have noticed; 0 means not at all.
	DrainTime time.Duration `yaml:"drain_time"`
	// StopTimeout bounds each later phase of a stop; 0 means 10 s.
	StopTimeout time.Duration `yaml:"stop_timeout"`
	// MaxInFlight bounds unary calls at the same time; the bound that holds follows latency below it. 0 means 512.
	MaxInFlight int `yaml:"max_in_flight"`
	// MaxStreams bounds open streams and reads of the log; 0 means 256.
	MaxStreams int `yaml:"max_streams"`
	// TargetTime is the time to serve a call above which fewer are served at once; 0 means 500 ms.
	TargetTime time.Duration `yaml:"target_time"`
	// MaxConnections bounds open connections, for gRPC and for HTTP each; 0 means 1024.
	MaxConnections int `yaml:"max_connections"`
	// MemoryLimit bounds what the process takes for itself, the store's mapped file apart; 0 means 256 MiB.
	MemoryLimit conf.Bytes `yaml:"memory_limit"`
	// MaxBodyBytes bounds an HTTP request's body; 0 means 1 MiB.
	MaxBodyBytes int64 `yaml:"max_body_bytes"`
}

// OtelConfig says where spans are exported to.
type OtelConfig struct {
	// Endpoint is a collector that takes OTLP over HTTP, such as "http://127.0.0.1:4318". Where it is empty, the variables
	// OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_TRACES_ENDPOINT count.
	Endpoint string `yaml:"endpoint"`
}

// ClockConfig says where business time comes from.
type ClockConfig struct {
	// Mode is "system" (also when empty), or "file" in development: a conductor sets the time.
	Mode string `yaml:"mode"`
	// File is the conductor's file.
	File string `yaml:"file"`
}

// Modes of http_tls.
const (
	HTTPMutual = "mutual"
	HTTPPublic = "public"
)

// Check names every problem of the shared block. A service with a Check of its own calls this one too.
func (c *Config) Check(p *conf.Problems) {
	p.Require("data_dir", c.DataDir)
	p.Require("grpc_addr", c.GRPCAddr)
	p.Require("admin_addr", c.AdminAddr)
	p.Require("tls.cert_file", c.TLS.Cert)
	p.Require("tls.key_file", c.TLS.Key)
	p.Require("tls.ca_file", c.TLS.CA)
	checkAddr(p, "grpc_addr", c.GRPCAddr, c.Development)
	checkAddr(p, "admin_addr", c.AdminAddr, true)
	checkAddr(p, "http_addr", c.HTTPAddr, c.Development || c.HTTPTLS == "")
	switch c.HTTPTLS {
	case "", HTTPMutual:
	case HTTPPublic:
		p.Require("http_certificate.cert_file", c.HTTPCertificate.Cert)
		p.Require("http_certificate.key_file", c.HTTPCertificate.Key)
	default:
		p.Add("http_tls", "is %q, want nothing, %q or %q", c.HTTPTLS, HTTPMutual, HTTPPublic)
	}
	if u, err := url.Parse(c.Otel.Endpoint); c.Otel.Endpoint != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		p.Add("otel.endpoint", "is %q, want a URL such as http://127.0.0.1:4318", c.Otel.Endpoint)
	}
	switch c.Clock.Mode {
	case "", "system":
		if c.Clock.File != "" {
			p.Add("clock.file", "is only for mode file")
		}
	case "file":
		p.Require("clock.file", c.Clock.File)
		if !c.Development {
			p.Add("clock.mode", "file is for development alone")
		}
	default:
		p.Add("clock.mode", "is %q, want system or file", c.Clock.Mode)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Peers)) {
		if problem := c.checkTarget(c.Peers[name]); problem != "" {
			p.Add("peers."+name, "%s", problem)
		}
	}
	if c.Consul != nil {
		c.Consul.Check(func(key, problem string) { p.Add("consul."+key, "%s", problem) })
		for key, addr := range map[string]string{"grpc_addr": c.GRPCAddr, "http_addr": c.HTTPAddr} {
			if host, _, err := net.SplitHostPort(addr); err == nil && everywhere(host) && c.Advertise == "" {
				p.Add("advertise", "is required: %s listens on every address", key)
			}
		}
	}
	for _, d := range []struct {
		key   string
		value int64
	}{
		{"default_timeout", int64(c.DefaultTimeout)}, {"drain_time", int64(c.DrainTime)}, {"stop_timeout", int64(c.StopTimeout)},
		{"max_in_flight", int64(c.MaxInFlight)}, {"max_streams", int64(c.MaxStreams)}, {"max_body_bytes", c.MaxBodyBytes},
		{"target_time", int64(c.TargetTime)}, {"max_connections", int64(c.MaxConnections)},
	} {
		if d.value < 0 {
			p.Add(d.key, "is negative")
		}
	}
	if c.MemoryLimit != 0 && c.MemoryLimit < leastMemory {
		p.Add("memory_limit", "is %s, want at least %s", c.MemoryLimit, conf.Bytes(leastMemory))
	}
}

// leastMemory is below what a service needs to start.
const leastMemory = 32 << 20

func (c *Config) checkTarget(target string) string {
	if service, ok := strings.CutPrefix(target, consul.Scheme+":///"); ok {
		switch {
		case c.Consul == nil:
			return fmt.Sprintf("target %q needs the consul block", target)
		case service == "" || strings.Contains(service, "/"):
			return fmt.Sprintf("target %q: want %s:///service", target, consul.Scheme)
		}
		return ""
	}
	if _, err := discovery.ParseStatic(target); err != nil {
		return err.Error()
	}
	return ""
}

// everywhere tells whether a host of a listener means every address of the machine.
func everywhere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// CheckPeers names every one of the wanted peers that has no address, and every other peer: an address that nobody uses is a
// mistake.
func (c *Config) CheckPeers(p *conf.Problems, want ...string) {
	for _, name := range want {
		p.Require("peers."+name, c.Peers[name])
	}
	for _, name := range slices.Sorted(maps.Keys(c.Peers)) {
		if !slices.Contains(want, name) {
			p.Add("peers."+name, "%s neither follows nor calls it", c.Name)
		}
	}
}

// CheckPartners names what is missing where partners call a service's own gateway.
func (c *Config) CheckPartners(p *conf.Problems) {
	if c.HTTPAddr != "" {
		p.Require("token_keys_file", c.TokenKeys)
	}
}

// checkAddr refuses a malformed address and, where only the own machine may call, one that is not a loopback address.
func checkAddr(p *conf.Problems, key, addr string, loopback bool) {
	if addr == "" {
		return
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		p.Add(key, "%v", err)
		return
	}
	if !loopback || host == "localhost" {
		return
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsLoopback() {
		p.Add(key, "%q is not a loopback address; in development, on the admin listener and on plain HTTP only loopback is allowed", addr)
	}
}

// Business is the business clock that the configuration asks for.
func (c Config) Business() clock.Business {
	if c.Clock.Mode == "file" {
		return clock.File(c.Clock.File)
	}
	return clock.System()
}

// Telemetry starts the service's logger on out and its registry.
func (c Config) Telemetry(out io.Writer) *telemetry.Telemetry {
	return telemetry.Start(telemetry.Config{Service: c.Name, Level: c.LogLevel, Out: out})
}

// Data is the path of a file in the data folder.
func (c Config) Data(name string) string { return filepath.Join(c.DataDir, name) }

// Dial makes connections to the named peers of the configuration. Each connects when it is first used, so a peer that is down
// keeps nobody from starting.
func (c Config) Dial(log *slog.Logger, names ...string) (Peers, error) {
	peers := Peers{}
	for _, name := range names {
		conn, err := c.dial(log, name)
		if err != nil {
			return nil, errors.Join(err, peers.Close())
		}
		peers[name] = conn
	}
	return peers, nil
}

func (c Config) dial(log *slog.Logger, service string) (*grpc.ClientConn, error) {
	target, ok := c.Peers[service]
	if !ok {
		return nil, fmt.Errorf("dial %s: not among the peers of the configuration", service)
	}
	dial := rpc.ClientConfig{Target: target, Service: service, Identity: c.TLS, Timeout: c.DefaultTimeout}
	if c.Consul != nil {
		var err error
		if dial.Resolver, err = consul.Resolver(*c.Consul, log); err != nil {
			return nil, err
		}
	}
	return rpc.Dial(dial)
}

// Peers are connections to other services, by name.
type Peers map[string]*grpc.ClientConn

// Feeds are the peers' logs.
func (p Peers) Feeds() map[string]eventlog.Source {
	feeds := make(map[string]eventlog.Source, len(p))
	for name, conn := range p {
		feeds[name] = eventlog.Remote(name, conn)
	}
	return feeds
}

// Conns are the connections for generated clients.
func (p Peers) Conns() map[string]grpc.ClientConnInterface {
	conns := make(map[string]grpc.ClientConnInterface, len(p))
	for name, conn := range p {
		conns[name] = conn
	}
	return conns
}

// Close closes all of them.
func (p Peers) Close() error {
	var err error
	for _, conn := range p {
		err = errors.Join(err, conn.Close())
	}
	return err
}
