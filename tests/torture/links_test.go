package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"crossdock.dev/tests/process"
)

// network stands between the programs of a suite: each reaches each other one through a proxy of that pair alone.
type network struct {
	server *toxiproxy.ApiServer
	links  []*link
}

// link is the way from one program to another.
type link struct {
	from, to string // to is host:port
	proxy    *toxiproxy.Proxy
}

func (l *link) String() string { return l.proxy.Name }

// What a configuration says about where others are: gRPC for services, HTTPS for partners' gateways.
var peer = regexp.MustCompile(`(?m)^  ([a-z]+): (?:static:///|https://)(127\.0\.0\.1:\d+)$`)

// wrapper runs a program with a configuration in which each peer is reached through its proxy.
const wrapper = `#!/bin/sh
set -e
config=$2; shift 2
sed %s "$config" >"$config.links"
exec %q -config "$config.links" "$@"
`

// newNetwork puts a proxy between every two programs that know each other. The suite must have its ports, and a folder of programs of its
// own; it is started once, without proxies, to learn who knows whom.
func newNetwork(t testing.TB, s *process.Suite) *network {
	t.Helper()
	logger := zerolog.Nop()
	n := &network{server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), logger)}
	must(t, s.Start())
	must(t, s.Ready(t.Context()))
	addresses, err := s.Addresses()
	must(t, err)
	must(t, s.Up.Stop())
	for _, name := range names {
		raw, err := os.ReadFile(addresses[name].Config)
		must(t, err)
		var edits []string
		for _, m := range peer.FindAllStringSubmatch(string(raw), -1) {
			l := &link{name, m[2], toxiproxy.NewProxy(n.server, name+" to "+m[1], "127.0.0.1:0", m[2])}
			must(t, l.proxy.Start())
			t.Cleanup(l.proxy.Stop)
			n.links = append(n.links, l)
			edits = append(edits, fmt.Sprintf("-e 's#//%s$#//%s#'", strings.ReplaceAll(m[2], ".", `\.`), l.proxy.Listen))
		}
		if len(edits) == 0 { // it asks nobody
			continue
		}
		program, err := filepath.Abs(filepath.Join(s.Bin, name))
		must(t, err)
		path := filepath.Join(s.Programs, name)
		must(t, os.Remove(path))
		must(t, os.WriteFile(path, fmt.Appendf(nil, wrapper, strings.Join(edits, " "), program), 0o700))
	}
	return n
}

// The ways in which a link is disturbed.
var disturbances = []string{"cut", "reset", "silence", "delay"}

// disturb begins a disturbance: cut refuses every connection, reset breaks each after a moment, silence lets nothing through and tells
// nobody, delay holds everything up by a second, more or less.
func (l *link) disturb(how string) error {
	toxic := map[string]string{
		"reset":   `{"type": "reset_peer", "attributes": {"timeout": 100}}`,
		"silence": `{"type": "timeout", "attributes": {"timeout": 0}}`,
		"delay":   `{"type": "latency", "attributes": {"latency": 1000, "jitter": 900}}`,
	}[how]
	if toxic == "" {
		l.proxy.Stop()
		return nil
	}
	for _, stream := range []string{"upstream", "downstream"} {
		t := map[string]any{}
		if err := json.Unmarshal([]byte(toxic), &t); err != nil {
			return err
		}
		t["stream"], t["name"] = stream, stream
		raw, err := json.Marshal(t)
		if err != nil {
			return err
		}
		if _, err := l.proxy.Toxics.AddToxicJson(bytes.NewReader(raw)); err != nil {
			return err
		}
	}
	return nil
}

// heal ends a disturbance.
func (l *link) heal(ctx context.Context, how string) error {
	if how == "cut" {
		return l.proxy.Start()
	}
	l.proxy.Toxics.ResetToxics(ctx)
	return nil
}
