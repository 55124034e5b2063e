package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"crossdock.dev/platform/auth"
)

// watch passes what is written on to a buffer and calls seen once a text has appeared.
type watch struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	text string
	seen func()
}

func (w *watch) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.buf.Write(p)
	if strings.Contains(w.buf.String(), w.text) {
		w.seen()
	}
	return n, err
}

// TestProgram checks a configuration, serves until it is told to stop, and verifies the file that is left.
func TestProgram(t *testing.T) {
	dir := t.TempDir()
	pki, err := auth.DevPKI(filepath.Join(dir, "pki"), "masterdata")
	if err != nil {
		t.Fatal(err)
	}
	id := pki.Service("masterdata")
	path := filepath.Join(dir, "masterdata.yaml")
	text := fmt.Sprintf("grpc_addr: 127.0.0.1:0\nadmin_addr: 127.0.0.1:0\ndata_dir: %s\ndevelopment: true\ntls:\n  cert_file: %s\n  key_file: %s\n  ca_file: %s\n",
		filepath.Join(dir, "data"), id.Cert, id.Key, id.CA)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, contains string, args ...string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var out bytes.Buffer
		log := &watch{text: `"msg":"started"`, seen: cancel}
		if got := command(ctx, args, &out, log); got != want || !strings.Contains(out.String()+log.buf.String(), contains) {
			t.Errorf("masterdata %q = %d, printed:\n%s%s\nwant %d and %q", args, got, &out, &log.buf, want, contains)
		}
	}
	run(0, "masterdata", "-version")
	run(0, "is good", "-check", "-config", path)
	run(2, "no such file", "-config", filepath.Join(dir, "none.yaml"))
	run(2, "flag provided but not defined", "-colour")
	run(2, "unknown subcommand", "-config", path, "repair")
	run(2, "", "-config", path, "verify") // nothing to verify yet
	run(0, `"msg":"stopped"`, "-config", path)
	run(0, "0 breaches", "-config", path, "verify")
}
