// Package config is edi's configuration file: what every service configures in the same words, with edi's defaults, and where
// partners' files and profiles are.
package config

import (
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/serve"
)

// Config is the file.
type Config struct {
	serve.Config `yaml:",inline"`
	// ProfilesFile holds what is agreed with each partner.
	ProfilesFile string `yaml:"profiles_file"`
	// InboxDir is where partners' files come in; empty means inbox in the data folder. It is on one file system, since files
	// move within it.
	InboxDir string `yaml:"inbox_dir"`
	// OutboxDir is where files for partners are put, in a folder for each party; empty means outbox in the data folder.
	OutboxDir string `yaml:"outbox_dir"`
}

// Feeds are the services whose logs edi follows.
func Feeds() []string { return []string{"masterdata", "freight", "billing"} }

// Calls are the services that edi calls and does not follow.
func Calls() []string { return []string{"orders"} }

// Default is what holds where the file says nothing.
func Default() Config {
	return Config{Config: serve.Config{Name: "edi", GRPCAddr: "127.0.0.1:7108", AdminAddr: "127.0.0.1:7308"}}
}

// Load reads the file at path over the defaults and checks it.
func Load(path string) (Config, error) {
	c := Default()
	return c, conf.Load(path, &c)
}

// Check names every problem of the file.
func (c *Config) Check(p *conf.Problems) {
	c.Config.Check(p)
	p.Require("profiles_file", c.ProfilesFile)
	c.CheckPeers(p, append(Feeds(), Calls()...)...)
}
