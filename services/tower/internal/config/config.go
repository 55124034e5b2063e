// Package config is tower's configuration file: what every service configures in the same words, with tower's defaults.
package config

import (
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/serve"
)

// Config is the file.
type Config struct {
	serve.Config `yaml:",inline"`
}

// Feeds are the services whose logs tower follows; it asks the same ones for their checks.
func Feeds() []string {
	return []string{"masterdata", "orders", "freight", "billing", "workflow", "edi"}
}

// Default is what holds where the file says nothing.
func Default() Config {
	return Config{serve.Config{Name: "tower", GRPCAddr: "127.0.0.1:7107", AdminAddr: "127.0.0.1:7307"}}
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
	if c.HTTPAddr != "" && !c.Development {
		p.Add("http_addr", "the pages have no login: they are for development alone")
	}
}
