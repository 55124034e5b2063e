package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"crossdock.dev/platform/conf"

	"crossdock.dev/services/freight/internal/config"
)

func TestExample(t *testing.T) {
	c, err := config.Load(filepath.Join("..", "..", "config.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.GRPCAddr+" "+c.HTTPAddr+" "+c.AdminAddr, "127.0.0.1:7103 127.0.0.1:7203 127.0.0.1:7303"; got != want {
		t.Errorf("addresses = %s, want %s", got, want)
	}
}

func TestProblemsAllAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "freight.yaml")
	if err := os.WriteFile(path, []byte("peers: {orders: \"static:///127.0.0.1:7102\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(path)
	var bad *conf.Error
	if !errors.As(err, &bad) {
		t.Fatalf("error = %v, want a *conf.Error", err)
	}
	for _, key := range []string{"tls.cert_file", "data_dir", "peers.masterdata", "peers.orders"} {
		if !slices.ContainsFunc(bad.Problems, func(p string) bool { return strings.HasPrefix(p, key+":") }) {
			t.Errorf("problems %q do not name %s", bad.Problems, key)
		}
	}
}
