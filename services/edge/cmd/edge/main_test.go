package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/edge/core"
)

// configure writes a configuration that works, with whatever port is free.
func configure(t *testing.T) (file, dataDir string) {
	t.Helper()
	dir := t.TempDir()
	pki, err := auth.DevPKI(filepath.Join(dir, "pki"), "edge")
	if err != nil {
		t.Fatal(err)
	}
	id := pki.Service("edge")
	text := fmt.Sprintf(`
grpc_addr: 127.0.0.1:0
http_addr: 127.0.0.1:0
admin_addr: 127.0.0.1:0
tls: {cert_file: %s, key_file: %s, ca_file: %s}
token_key_file: %s
token_keys_file: %s
peers: {orders: "static:///127.0.0.1:1", freight: "static:///127.0.0.1:1", billing: "static:///127.0.0.1:1"}
data_dir: %s
gateways: {orders: "https://127.0.0.1:1", freight: "https://127.0.0.1:1", billing: "https://127.0.0.1:1"}
development: true
`, id.Cert, id.Key, id.CA, pki.TokenKey(), pki.TokenKeys(), dir)
	file = filepath.Join(dir, "edge.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, dir
}

func TestCommand(t *testing.T) {
	file, dir := configure(t)
	c, err := core.Open(t.Context(), core.Deps{DataDir: dir, Business: clock.System(), Machine: clock.SystemMachine(), IDs: typeid.Sequence(1),
		Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-version"}, 0, "edge "},
		{[]string{"-check", "-config", file}, 0, "is good"},
		{[]string{"-config", file, "verify"}, 0, "0 breaches"},
		{[]string{"-config", file, "dance"}, 2, "unknown subcommand"},
		{[]string{"-config", filepath.Join(dir, "none.yaml")}, 2, "none.yaml"},
		{[]string{"-nonsense"}, 2, "nonsense"},
	} {
		var out bytes.Buffer
		if code := command(t.Context(), tc.args, &out, &out); code != tc.code || !strings.Contains(out.String(), tc.says) {
			t.Errorf("%q: exit %d, %s; want %d and %q", tc.args, code, out.String(), tc.code, tc.says)
		}
	}
}

// started cancels a context when the program says that it has started.
type started struct {
	bytes.Buffer
	cancel context.CancelFunc
}

func (s *started) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(`"msg":"started"`)) {
		s.cancel()
	}
	return s.Buffer.Write(p)
}

func TestServeAndStop(t *testing.T) {
	file, _ := configure(t)
	ctx, cancel := context.WithCancel(t.Context())
	out := &started{cancel: cancel}
	if code := command(ctx, []string{"-config", file}, out, out); code != 0 || !strings.Contains(out.String(), `"msg":"stopped"`) {
		t.Errorf("exit %d, want 0 after a clean stop; output:\n%s", code, out.String())
	}
}
