package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/store"

	"crossdock.dev/services/freight/core"
)

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Path: core.Path(dir), Schema: core.Schema(), Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(filepath.Join("..", "..", "config.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(dir, "freight.yaml")
	bad := filepath.Join(dir, "bad.yaml")
	for path, text := range map[string]string{
		good: strings.Replace(string(example), "../../.crossdock/data/freight", dir, 1), bad: "no_such_key: 1\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-version"}, 0, "freight"},
		{[]string{"-config", good, "-check"}, 0, "is good"},
		{[]string{"-config", bad, "-check"}, 2, "no_such_key"},
		{[]string{"-config", filepath.Join(dir, "none.yaml")}, 2, "none.yaml"},
		{[]string{"-config", good, "verify"}, 0, ""},
		{[]string{"-config", good, "mend"}, 2, "mend"},
	} {
		var out bytes.Buffer
		if code := command(t.Context(), x.args, &out, &out); code != x.code || !strings.Contains(out.String(), x.says) {
			t.Errorf("%v: exit %d, %q; want %d and %q", x.args, code, out.String(), x.code, x.says)
		}
	}
}
