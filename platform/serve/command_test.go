package serve_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/serve"
	"crossdock.dev/platform/store"
)

var keepSchema = store.Schema{Service: "orders", Version: 1, Buckets: []*store.Bucket{{Name: "things", Kind: store.Record}}}

// A stopped service is copied, its store destroyed, made again out of the copy, checked and compacted, all by its own program.
func TestKeepingAStore(t *testing.T) {
	dir := t.TempDir()
	kept := serve.Store{Path: filepath.Join(dir, "orders.db"), Schema: keepSchema, Clock: clock.System()}
	s, err := store.Open(t.Context(), store.Options{Path: kept.Path, Schema: keepSchema, Clock: kept.Clock})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Change(t.Context(), store.Cause{Principal: "user/dev"}, func(tx *store.Tx) ([]byte, error) {
		return nil, tx.Put(t.Context(), keepSchema.Buckets[0], []byte("k"), []byte("v"))
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	program := serve.Program[string]{Name: "orders", Load: func(path string) (string, error) { return path, nil }, Store: func(string) serve.Store { return kept }}
	to := filepath.Join(dir, "copy")
	run := func(want int, says string, args ...string) {
		t.Helper()
		var out bytes.Buffer
		if code := serve.Command(t.Context(), args, &out, &out, program); code != want || !strings.Contains(out.String(), says) {
			t.Fatalf("%q: code %d, said %q, want %d and %q", args, code, out.String(), want, says)
		}
	}
	run(0, "orders: backup of 1 entries in epoch 1 and 0 documents", "backup", to)
	run(1, "exists already", "backup", to)
	run(1, "there is a store already", "restore", to)
	run(0, "epoch 6 goes on from here", "restore", "-replace", "-after-epoch", "5", to)
	if err := os.Remove(kept.Path); err != nil {
		t.Fatal(err)
	}
	run(0, "orders: restored 1 entries and 0 documents", "restore", to)
	run(0, "orders: 2 entries, ", "verify")
	run(0, "nothing was moved", "archive", "-keep-days", "9", "-read", "tower=2000", filepath.Join(dir, "old"))
	run(1, "no entry is archived", "unarchive")
	run(0, "bytes before", "compact")
	run(0, "0 breaches", "verify")
}

func TestCommand(t *testing.T) {
	program := func(ran *string) serve.Program[string] {
		return serve.Program[string]{
			Name: "orders",
			Load: func(path string) (string, error) {
				if path == "bad.yaml" {
					return "", errors.New("grpc_addr: is required")
				}
				return path, nil
			},
			Check: func(c string) error {
				if c == "halfbad.yaml" {
					return errors.New("profiles: row 3")
				}
				return nil
			},
			Store: func(c string) serve.Store {
				*ran = "store of " + c
				return serve.Store{Path: filepath.Join(t.TempDir(), "none.db"), Schema: keepSchema}
			},
			Run: func(_ context.Context, c string, _ io.Writer) error {
				*ran = "run " + c
				if c == "broken.yaml" {
					return errors.New("disk full")
				}
				return nil
			},
			Tools: map[string]func([]string, io.Writer, io.Writer) int{
				"parse": func(args []string, _, _ io.Writer) int { *ran = fmt.Sprint("parse ", args); return 3 },
			},
		}
	}
	for _, x := range []struct {
		args string
		code int
		ran  string
		says string
	}{
		{"", 0, "run orders.yaml", ""},
		{"-config a.yaml", 0, "run a.yaml", ""},
		{"-config broken.yaml", 1, "run broken.yaml", "orders: disk full"},
		{"-config bad.yaml", 2, "", "grpc_addr: is required"},
		{"-config bad.yaml verify", 2, "", "grpc_addr: is required"},
		{"-config a.yaml verify", 2, "store of a.yaml", "no such file"},
		{"-config halfbad.yaml verify", 2, "store of halfbad.yaml", "no such file"},
		{"-config a.yaml -check", 0, "", "a.yaml is good"},
		{"-config halfbad.yaml -check", 2, "", "profiles: row 3"},
		{"-config bad.yaml -version", 0, "", "orders "},
		{"-config bad.yaml parse f", 3, "parse [f]", ""},
		{"dance", 2, "", "want archive, backup, compact, restore, unarchive, verify, parse"},
		{"verify twice", 2, "store of orders.yaml", "usage: verify"},
		{"backup", 2, "store of orders.yaml", "usage: backup DIR"},
		{"backup to", 1, "store of orders.yaml", "no such file"},
		{"restore from", 1, "store of orders.yaml", "not a whole backup"},
		{"compact", 1, "store of orders.yaml", "no such file"},
		{"unarchive", 1, "store of orders.yaml", "no such file"},
		{"archive to", 2, "store of orders.yaml", "usage: archive"},
		{"archive -before 2026-03-01 -keep-days 9 to", 2, "store of orders.yaml", "usage: archive"},
		{"archive -before yesterday to", 2, "store of orders.yaml", "yesterday"},
		{"archive -before 2026-03-01 -read orders to", 2, "store of orders.yaml", "is not a reader and a sequence"},
		{"archive -before 2026-03-01 to", 1, "store of orders.yaml", "-decision does without"},
		{"archive -before 2026-03-01 -read none to", 1, "store of orders.yaml", "no such file"},
		{"-help", 0, "", "-config"},
		{"-nonsense", 2, "", "-nonsense"},
	} {
		var ran string
		var out bytes.Buffer
		code := serve.Command(t.Context(), strings.Fields(x.args), &out, &out, program(&ran))
		if code != x.code || ran != x.ran || !strings.Contains(out.String(), x.says) {
			t.Errorf("%q: code %d, ran %q, said %q; want %d, %q, %q", x.args, code, ran, out.String(), x.code, x.ran, x.says)
		}
	}
}
