package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"crossdock.dev/platform/conf"
	"crossdock.dev/services/workflow/internal/process"
)

func TestExampleLoads(t *testing.T) {
	c, err := Load("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if c.GRPCAddr != "127.0.0.1:7105" || c.Name != "workflow" {
		t.Errorf("grpc_addr %q, name %q", c.GRPCAddr, c.Name)
	}
	// The example shows the defaults.
	got, want := c.Limits.Read(), process.DefaultLimits()
	if got.Planning != want.Planning || got.Tendering != want.Tendering || len(got.Reasons) != len(want.Reasons) || len(got.Teams) != len(want.Teams) {
		t.Errorf("limits %+v, want %+v", got, want)
	}
	for r, d := range want.Reasons {
		if got.Reasons[r] != d {
			t.Errorf("%s within %s, want %s", r, got.Reasons[r], d)
		}
	}
	for team, d := range want.Teams {
		if got.Teams[team] != d {
			t.Errorf("%s within %s, want %s", team, got.Teams[team], d)
		}
	}
}

// load reads the example with other limits.
func load(t *testing.T, limits string) (Config, error) {
	t.Helper()
	raw, err := os.ReadFile("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := strings.Cut(string(raw), "\nlimits:")
	if !ok {
		t.Fatal("the example has no limits")
	}
	path := filepath.Join(t.TempDir(), "workflow.yaml")
	if err := os.WriteFile(path, []byte(before+"\nlimits:\n"+limits), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

// Rows of the file take the place of single defaults; hours are a calendar.
func TestLimits(t *testing.T) {
	c, err := load(t, `  planning: 5m
  teams: {finance: 8h}
  hours: {finance: {zone: America/Chicago, days: Mon-Fri, from: "09:00", to: "17:00", holidays: ["2026-03-09"]}}
`)
	if err != nil {
		t.Fatal(err)
	}
	l := c.Limits.Read()
	if l.Planning != 5*time.Minute || l.Tendering != 15*time.Minute || l.Teams[process.Operations] != 4*time.Hour {
		t.Errorf("limits %+v", l)
	}
	friday := time.Date(2026, 3, 6, 22, 0, 0, 0, time.UTC)
	got := l.Due(process.Item{Reason: process.FreightBillRejected, Owner: process.Finance}, friday)
	if want := time.Date(2026, 3, 10, 21, 0, 0, 0, time.UTC); !got.Equal(want) { // an hour on Friday, seven on Tuesday from 14:00Z
		t.Errorf("due %s, want %s", got, want)
	}
}

func TestBadLimitsAreNamedTogether(t *testing.T) {
	_, err := load(t, `  planning: -5m
  reasons: {FEED_SILENT: -1h}
  teams: {sales: 1h}
  hours: {finance: {zone: Mars, days: Mon-Fri, from: "09:00", to: "17:00"}, operations: {zone: America/Chicago, days: never, from: "9", to: "17:00"}}
`)
	var bad *conf.Error
	if !errors.As(err, &bad) {
		t.Fatalf("%v, want a *conf.Error", err)
	}
	var keys []string
	for _, p := range bad.Problems {
		key, _, _ := strings.Cut(p, ":")
		keys = append(keys, key)
	}
	want := []string{"limits.planning", "limits.reasons.FEED_SILENT", "limits.teams.sales", "limits.hours.finance", "limits.hours.operations"}
	if !slices.Equal(keys, want) {
		t.Errorf("problems %q, want %q", bad.Problems, want)
	}
}
