package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"crossdock.dev/platform/conf"
	"crossdock.dev/services/orders/internal/config"
)

func TestExample(t *testing.T) {
	c, err := config.Load(filepath.Join("..", "..", "config.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ key, got, want string }{
		{"grpc_addr", c.GRPCAddr, "127.0.0.1:7102"}, {"http_addr", c.HTTPAddr, "127.0.0.1:7202"},
		{"admin_addr", c.AdminAddr, "127.0.0.1:7302"}, {"peers.freight", c.Peers["freight"], "static:///127.0.0.1:7103"},
	} {
		if x.got != x.want {
			t.Errorf("%s = %q, want %q", x.key, x.got, x.want)
		}
	}
}

func TestProblemsAllAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.yaml")
	if err := os.WriteFile(path, []byte("peers: {edi: \"static:///127.0.0.1:7108\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(path)
	var bad *conf.Error
	if !errors.As(err, &bad) {
		t.Fatalf("error = %v, want a *conf.Error", err)
	}
	for _, key := range []string{"tls.cert_file", "data_dir", "token_keys_file", "peers.masterdata", "peers.freight", "peers.billing", "peers.edi"} {
		if !slices.ContainsFunc(bad.Problems, func(p string) bool { return strings.HasPrefix(p, key+":") }) {
			t.Errorf("problems %q do not name %s", bad.Problems, key)
		}
	}
}
