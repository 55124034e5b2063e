// Package config is orders' configuration file: what every service configures in the same words, with orders' defaults.
package config

import (
	"slices"

	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/serve"
)

// Config is the file.
type Config struct {
	serve.Config `yaml:",inline"`
}

// Feeds are the services whose logs orders follows; each needs an address among the peers.
func Feeds() []string { return []string{"masterdata", "freight", "billing"} }

// Default is what holds where the file says nothing.
func Default() Config {
	return Config{serve.Config{Name: "orders", GRPCAddr: "127.0.0.1:7102", HTTPAddr: "127.0.0.1:7202", AdminAddr: "127.0.0.1:7302"}}
}

// Check names every problem of the file.
func (c *Config) Check(p *conf.Problems) {
	c.Config.Check(p)
	p.Require("data_dir", c.DataDir)
	if c.HTTPAddr != "" {
		p.Require("token_keys_file", c.TokenKeys)
	}
	for _, name := range Feeds() {
		p.Require("peers."+name, c.Peers[name])
	}
	for name := range c.Peers {
		if !slices.Contains(Feeds(), name) {
			p.Add("peers."+name, "orders does not follow it and calls nobody")
		}
	}
}

// Load reads the file at path over the defaults.
func Load(path string) (Config, error) {
	c := Default()
	return c, conf.Load(path, &c)
}
