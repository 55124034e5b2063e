// Package config is tower's configuration file.
package config

import (
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/serve"
)

// Config is the whole file. Tower follows all feeds and asks all services for its checks: they stand under peers.
// http_addr is where its pages are; they are for development, on loopback, until people can log in.
type Config struct {
	serve.Config `yaml:",inline"`
}

// Feeds are the logs that tower follows.
func Feeds() []string {
	return []string{"masterdata", "orders", "freight", "billing", "workflow", "edi"}
}

// Load reads and checks the file.
func Load(path string) (Config, error) {
	var c Config
	c.Name = "tower"
	return c, conf.Load(path, &c)
}

// Check names every problem of the file.
func (c *Config) Check(p *conf.Problems) {
	c.Config.Check(p)
	p.Require("data_dir", c.DataDir)
	for _, name := range Feeds() {
		p.Require("peers."+name, c.Peers[name])
	}
	if c.HTTPAddr != "" && !c.Development {
		p.Add("http_addr", "the pages have no login: they are for development alone")
	}
}
