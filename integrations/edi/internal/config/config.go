// Package config is the EDI adapter's configuration file.
package config

import (
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/serve"
)

// Config is the whole file. The adapter follows masterdata and calls orders: both stand under peers.
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

// Feeds are the logs that the adapter follows.
func Feeds() []string { return []string{"masterdata"} }

// Calls are the services that the adapter calls.
func Calls() []string { return []string{"orders"} }

// Load reads and checks the file.
func Load(path string) (Config, error) {
	var c Config
	c.Name = "edi"
	return c, conf.Load(path, &c)
}

// Check names every problem of the file.
func (c *Config) Check(p *conf.Problems) {
	c.Config.Check(p)
	p.Require("data_dir", c.DataDir)
	p.Require("profiles_file", c.ProfilesFile)
	for _, name := range append(Feeds(), Calls()...) {
		p.Require("peers."+name, c.Peers[name])
	}
}
