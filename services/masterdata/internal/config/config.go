// Package config is masterdata's configuration file: what every service configures in the same words, with masterdata's defaults.
package config

import (
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/serve"
)

// Config is the file.
type Config struct {
	serve.Config `yaml:",inline"`
}

// Default is what holds where the file says nothing.
func Default() Config {
	return Config{serve.Config{Name: "masterdata", GRPCAddr: "127.0.0.1:7101", AdminAddr: "127.0.0.1:7301"}}
}

// Load reads the file at path over the defaults and checks it.
func Load(path string) (Config, error) {
	c := Default()
	return c, conf.Load(path, &c)
}

// Check names every problem of the file.
func (c *Config) Check(p *conf.Problems) {
	c.Config.Check(p)
	c.CheckPeers(p)
	if c.HTTPAddr != "" {
		p.Add("http_addr", "masterdata has no method for partners and serves no HTTP")
	}
}
