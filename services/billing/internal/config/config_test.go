package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"crossdock.dev/platform/conf"
	"crossdock.dev/services/billing/internal/config"
)

func TestExample(t *testing.T) {
	c, err := config.Load(filepath.Join("..", "..", "config.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.GRPCAddr, c.HTTPAddr, c.AdminAddr, c.Peers["freight"]}
	want := []string{"127.0.0.1:7104", "127.0.0.1:7204", "127.0.0.1:7304", "static:///127.0.0.1:7103"}
	if !slices.Equal(got, want) {
		t.Errorf("addresses %q, want %q", got, want)
	}
}

func TestProblemsAllAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "billing.yaml")
	if err := os.WriteFile(path, []byte("peers: {orders: \"nowhere\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(path)
	var bad *conf.Error
	if !errors.As(err, &bad) {
		t.Fatalf("error = %v, want a *conf.Error", err)
	}
	for _, key := range []string{"tls.cert_file", "data_dir", "peers.masterdata", "peers.freight", "peers.orders"} {
		if !slices.ContainsFunc(bad.Problems, func(p string) bool { return strings.HasPrefix(p, key+":") }) {
			t.Errorf("problems %q do not name %s", bad.Problems, key)
		}
	}
}

func TestUnknownKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "billing.yaml")
	if err := os.WriteFile(path, []byte("tolerance: 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(path); err == nil || !strings.Contains(err.Error(), "tolerance") {
		t.Errorf("unknown key: %v, want an error that names it", err)
	}
}
