package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/telemetry"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/billing/core"
)

func invoke(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := command(t.Context(), args, &out, &out)
	return code, out.String()
}

// The exit codes that scripts rely on.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	example, err := os.ReadFile(filepath.Join("..", "..", "config.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := filepath.Join(dir, "billing.yaml")
	if err := os.WriteFile(cfg, bytes.Replace(example, []byte("../../.crossdock/data/billing"), []byte(dir), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"version", []string{"-version"}, 0, "billing"},
		{"check", []string{"-check", "-config", cfg}, 0, "is good"},
		{"no such file", []string{"-check", "-config", filepath.Join(dir, "none.yaml")}, 2, "none.yaml"},
		{"unknown subcommand", []string{"-config", cfg, "destroy"}, 2, "unknown subcommand \"destroy\""},
		{"verify without a store", []string{"-config", cfg, "verify"}, 2, ""},
	} {
		if code, out := invoke(t, c.args...); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%s: exit %d, %q; want %d with %q", c.name, code, out, c.code, c.says)
		}
	}

	business := clock.Fixed(time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC))
	c, err := core.Open(context.Background(), core.Deps{DataDir: dir, Business: business, IDs: typeid.Random(business), Log: telemetry.Discard()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if code, out := invoke(t, "-config", cfg, "verify"); code != 0 {
		t.Errorf("verify of a whole store: exit %d, %q", code, out)
	}
}
