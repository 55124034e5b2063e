package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/orders/core"
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
