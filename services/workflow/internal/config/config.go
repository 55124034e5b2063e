// Package config is workflow's configuration file.
package config

import (
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/serve"
)

// Config is the whole file. Workflow calls freight and billing, and follows orders, freight, billing and edi: all four
// stand under peers.
type Config struct {
	serve.Config `yaml:",inline"`
}

// Feeds are the logs that workflow follows.
func Feeds() []string { return []string{"orders", "freight", "billing", "edi"} }

// Load reads and checks the file.
func Load(path string) (Config, error) {
	var c Config
	c.Name = "workflow"
	return c, conf.Load(path, &c)
}

// Check names every problem of the file.
func (c *Config) Check(p *conf.Problems) {
	c.Config.Check(p)
	p.Require("data_dir", c.DataDir)
	for _, name := range Feeds() {
		p.Require("peers."+name, c.Peers[name])
	}
}
