// Package config is freight's configuration file: what every service configures in the same words, with freight's defaults.
// Freight has nothing of its own to configure; its one peer is masterdata, whose feed it follows.
package config

import (
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/serve"
)

// Masterdata is the name of the peer that freight follows.
const Masterdata = "masterdata"

// Config is the file.
type Config struct {
	serve.Config `yaml:",inline"`
}

// Default is what holds where the file says nothing.
func Default() Config {
	return Config{serve.Config{
		Name: "freight", GRPCAddr: "127.0.0.1:7103", HTTPAddr: "127.0.0.1:7203", AdminAddr: "127.0.0.1:7303",
	}}
}

// Check names every problem of the file.
func (c *Config) Check(p *conf.Problems) {
	c.Config.Check(p)
	p.Require("data_dir", c.DataDir)
	p.Require("peers."+Masterdata, c.Peers[Masterdata])
	for name := range c.Peers {
		if name != Masterdata {
			p.Add("peers."+name, "freight follows masterdata and calls nobody")
		}
	}
}

// Load reads the file at path over the defaults.
func Load(path string) (Config, error) {
	c := Default()
	return c, conf.Load(path, &c)
}
