// Package config is workflow's configuration file: what every service configures in the same words, with workflow's defaults.
package config

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/platform/conf"
	"crossdock.dev/platform/serve"
	"crossdock.dev/services/workflow/internal/process"
)

// Config is the file.
type Config struct {
	serve.Config `yaml:",inline"`
	Limits       Limits `yaml:"limits"`
}

// Limits say how long steps and work items may take, in business time.
type Limits struct {
	// Planning is how long a shipment's plan may take, Tendering how long it may take until a load is offered; 0 is no limit.
	Planning  time.Duration `yaml:"planning"`
	Tendering time.Duration `yaml:"tendering"`
	// Reasons is how long a work item's owner has, by its reason, and Teams by its owner where the reason has no row; 0 is no clock.
	// Rows of the file take the place of single defaults.
	Reasons map[process.Reason]time.Duration `yaml:"reasons"`
	Teams   map[string]time.Duration         `yaml:"teams"`
	// Hours are when the clocks of a team's work items run; those of a team without hours never rest.
	Hours map[string]Hours `yaml:"hours"`
}

// Hours are a team's working hours.
type Hours struct {
	Zone     string   `yaml:"zone"`     // IANA name, such as America/Chicago
	Days     string   `yaml:"days"`     // such as Mon-Fri
	From     string   `yaml:"from"`     // local, such as 08:00
	To       string   `yaml:"to"`       // local
	Holidays []string `yaml:"holidays"` // such as 2026-07-03
}

// Feeds are the services whose logs workflow follows; it calls freight and billing, which are among them.
func Feeds() []string { return []string{"orders", "freight", "billing", "edi"} }

// Default is what holds where the file says nothing.
func Default() Config {
	d := process.DefaultLimits()
	return Config{
		serve.Config{Name: "workflow", GRPCAddr: "127.0.0.1:7105", AdminAddr: "127.0.0.1:7305"},
		Limits{Planning: d.Planning, Tendering: d.Tendering, Reasons: d.Reasons, Teams: d.Teams},
	}
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
	c.Limits.read(p)
}

// Read is what the limits mean; they were checked when the file was loaded.
func (l Limits) Read() process.Limits { return l.read(&conf.Problems{}) }

func (l Limits) read(p *conf.Problems) process.Limits {
	out := process.Limits{Planning: l.Planning, Tendering: l.Tendering, Reasons: l.Reasons, Teams: l.Teams, Hours: map[string]calendar.Calendar{}}
	positive := func(key string, d time.Duration) {
		if d < 0 {
			p.Add(key, "%s is negative", d)
		}
	}
	known := func(key, team string) {
		if !slices.Contains(teams, team) {
			p.Add(key, "no such team; there are %s", strings.Join(teams, ", "))
		}
	}
	positive("limits.planning", l.Planning)
	positive("limits.tendering", l.Tendering)
	for _, r := range slices.Sorted(maps.Keys(l.Reasons)) {
		positive("limits.reasons."+string(r), l.Reasons[r])
	}
	for _, team := range slices.Sorted(maps.Keys(l.Teams)) {
		known("limits.teams."+team, team)
		positive("limits.teams."+team, l.Teams[team])
	}
	for _, team := range slices.Sorted(maps.Keys(l.Hours)) {
		known("limits.hours."+team, team)
		c, err := l.Hours[team].calendar(team)
		if err != nil {
			p.Add("limits.hours."+team, "%v", err)
		}
		out.Hours[team] = c
	}
	return out
}

var teams = []string{process.Operations, process.Finance, process.MasterData, process.Integration}

func (h Hours) calendar(team string) (calendar.Calendar, error) {
	days, err1 := calendar.ParseWeekdays(h.Days)
	from, err2 := calendar.ParseTimeOfDay(h.From)
	to, err3 := calendar.ParseTimeOfDay(h.To)
	err := errors.Join(err1, err2, err3)
	spec := calendar.Spec{ID: team, Zone: h.Zone, WorkingDays: days, From: from, To: to}
	for _, day := range h.Holidays {
		d, bad := calendar.ParseDate(day)
		err = errors.Join(err, bad)
		spec.Holidays = append(spec.Holidays, d)
	}
	if err != nil {
		return calendar.Calendar{}, err
	}
	return calendar.New(spec)
}
