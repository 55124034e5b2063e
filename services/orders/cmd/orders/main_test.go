package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/orders/core"
	"crossdock.dev/services/orders/internal/config"
)

func TestCommand(t *testing.T) {
	example := filepath.Join("..", "..", "config.example.yaml")
	for _, x := range []struct {
		args []string
		code int
		out  string
	}{
		{[]string{"-version"}, 0, "orders"},
		{[]string{"-config", example, "-check"}, 0, "is good"},
		{[]string{"-config", filepath.Join(t.TempDir(), "none.yaml")}, 2, ""},
		{[]string{"-config", example, "dance"}, 2, ""},
		{[]string{"-nonsense"}, 2, ""},
	} {
		var out, errOut bytes.Buffer
		if code := command(t.Context(), x.args, &out, &errOut); code != x.code || !strings.Contains(out.String(), x.out) {
			t.Errorf("%q: code %d, output %q, errors %q; want code %d, output with %q", x.args, code, &out, &errOut, x.code, x.out)
		}
	}
}

// watcher closes seen when the log says that the program has started.
type watcher struct {
	mu   sync.Mutex
	text strings.Builder
	seen chan struct{}
}

func (w *watcher) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(b)
	if strings.Contains(string(b), `"msg":"started"`) {
		close(w.seen)
	}
	return len(b), nil
}

// TestRun starts the program while all that it follows is down, and stops it: it is up without them.
func TestRun(t *testing.T) {
	pki, err := auth.DevPKI(t.TempDir(), "orders", "edge")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.GRPCAddr, cfg.HTTPAddr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.DataDir, cfg.Development = filepath.Join(t.TempDir(), "data"), true
	cfg.TLS, cfg.TokenKeys = pki.Service("orders"), pki.TokenKeys()
	cfg.Peers = map[string]string{}
	for _, log := range config.Feeds() {
		cfg.Peers[log] = "static:///127.0.0.1:1"
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log := &watcher{seen: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- run(ctx, cfg, log) }()
	select {
	case <-log.seen:
	case err := <-done:
		t.Fatalf("ended at once: %v\n%s", err, log.text.String())
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("stopped with %v", err)
	}
	var out bytes.Buffer
	if code := store.RunVerify(&out, core.Path(cfg.DataDir), core.Schema()); code != 0 {
		t.Errorf("verify: code %d, want 0: %s", code, &out)
	}
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Options{Path: core.Path(dir), Schema: core.Schema(), Clock: clock.Fixed(time.Unix(0, 0))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := store.RunVerify(&out, core.Path(dir), core.Schema()); code != 0 {
		t.Errorf("code %d, want 0: %s", code, &out)
	}
	if code := store.RunVerify(&out, core.Path(filepath.Join(dir, "none")), core.Schema()); code != 2 {
		t.Errorf("no file: code %d, want 2", code)
	}
}
