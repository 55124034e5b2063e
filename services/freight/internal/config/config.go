// Package config is freight's configuration file: what every service configures in the same words, with freight's defaults.
package config

import (
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/serve"
)

// Config is the file.
type Config struct {
	serve.Config `yaml:",inline"`
}

// Feeds are the services whose logs freight follows.
func Feeds() []string { return []string{"masterdata"} }

// Default is what holds where the file says nothing.
func Default() Config {
	return Config{serve.Config{Name: "freight", GRPCAddr: "127.0.0.1:7103", HTTPAddr: "127.0.0.1:7203", AdminAddr: "127.0.0.1:7303"}}
}

// Load reads the file at path over the defaults and checks it.
func Load(path string) (Config, error) {
	c := Default()
	return c, conf.Load(path, &c)
}

// Check names every problem of the file.
func (c *Config) Check(p *conf.Problems) {
	c.Config.Check(p)
	c.CheckPeers(p, Feeds()...)
	c.CheckPartners(p)
}
