package suite

import (
	"bytes"
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/discovery/consul"
	"crossdock.dev/platform/serve"
)

// file is what `crossdock up` writes for each service: the words that all services share, and what is the edge's and
// the EDI adapter's own.
type file struct {
	GRPC        string            `yaml:"grpc_addr"`
	HTTP        string            `yaml:"http_addr,omitempty"`
	HTTPTLS     string            `yaml:"http_tls,omitempty"`
	Admin       string            `yaml:"admin_addr"`
	TLS         auth.Files        `yaml:"tls"`
	TokenKeys   string            `yaml:"token_keys_file,omitempty"`
	TokenKey    string            `yaml:"token_key_file,omitempty"`
	Gateways    map[string]string `yaml:"gateways,omitempty"`
	Peers       map[string]string `yaml:"peers,omitempty"`
	Consul      *consul.Config    `yaml:"consul,omitempty"`
	Profiles    string            `yaml:"profiles_file,omitempty"`
	DataDir     string            `yaml:"data_dir"`
	Clock       *clockBlock       `yaml:"clock,omitempty"`
	Development bool              `yaml:"development"`
}

type clockBlock struct {
	Mode string `yaml:"mode"`
	File string `yaml:"file"`
}

const header = "# Written anew by each `crossdock up`: changes here are lost. Development on loopback alone.\n"

// WriteConfigs writes the configuration of every service of a plan. profiles is the file that says what is agreed with each
// EDI partner.
func WriteConfigs(l Layout, r Run, pki *auth.PKI, profiles string) error {
	for _, s := range services {
		var b bytes.Buffer
		b.WriteString(header)
		enc := yaml.NewEncoder(&b)
		enc.SetIndent(2)
		if err := enc.Encode(configOf(s, l, r, pki, profiles)); err != nil {
			return fmt.Errorf("configuration of %s: %w", s.Name, err)
		}
		if err := os.WriteFile(l.Config(s.Name), b.Bytes(), 0o600); err != nil {
			return fmt.Errorf("configuration of %s: %w", s.Name, err)
		}
	}
	return nil
}

func configOf(s Service, l Layout, r Run, pki *auth.PKI, profiles string) file {
	a := r.Services[s.Name]
	f := file{Consul: r.Consul, GRPC: a.GRPC, HTTP: a.HTTP, Admin: a.Admin, TLS: pki.Service(s.Name), DataDir: l.Data(s.Name), Development: true}
	if s.gateway {
		f.HTTPTLS, f.TokenKeys = "mutual", pki.TokenKeys()
	}
	if s.Name == "edge" {
		f.TokenKey, f.TokenKeys, f.Gateways = pki.TokenKey(), pki.TokenKeys(), map[string]string{}
		for _, other := range services {
			if other.gateway {
				f.Gateways[other.Name] = "https://" + r.Services[other.Name].HTTP
				if r.Consul != nil {
					f.Gateways[other.Name] = consul.Scheme + ":///" + other.Name + serve.GatewaySuffix
				}
			}
		}
	}
	if s.Name == "edi" {
		f.Profiles = profiles
	}
	for _, peer := range s.peers {
		if f.Peers == nil {
			f.Peers = map[string]string{}
		}
		f.Peers[peer] = "static:///" + r.Services[peer].GRPC
		if r.Consul != nil {
			f.Peers[peer] = consul.Scheme + ":///" + peer
		}
	}
	if r.ClockFile != "" {
		f.Clock = &clockBlock{Mode: "file", File: r.ClockFile}
	}
	return f
}
