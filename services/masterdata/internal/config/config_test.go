package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"crossdock.dev/platform/conf"
	"crossdock.dev/services/masterdata/internal/config"
)

func TestExample(t *testing.T) {
	c, err := config.Load(filepath.Join("..", "..", "config.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.GRPCAddr, "127.0.0.1:7101"; got != want {
		t.Errorf("grpc_addr = %q, want %q", got, want)
	}
	if got, want := c.AdminAddr, "127.0.0.1:7301"; got != want {
		t.Errorf("admin_addr = %q, want %q", got, want)
	}
}

func TestProblemsAllAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "masterdata.yaml")
	text := "http_addr: 127.0.0.1:7201\npeers: {orders: \"static:///127.0.0.1:7102\"}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(path)
	var bad *conf.Error
	if !errors.As(err, &bad) {
		t.Fatalf("error = %v, want a *conf.Error", err)
	}
	for _, key := range []string{"tls.cert_file", "data_dir", "http_addr", "peers.orders"} {
		if !slices.ContainsFunc(bad.Problems, func(p string) bool { return strings.HasPrefix(p, key+":") }) {
			t.Errorf("problems %q do not name %s", bad.Problems, key)
		}
	}
}
