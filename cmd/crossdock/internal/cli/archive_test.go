package cli_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
)

// TestArchiveAsksTheReaders: the service's program is told how far everybody has read; where somebody does not answer nothing is moved
// without a decision.
func TestArchiveAsksTheReaders(t *testing.T) {
	s := newNodes(t)
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "orders"), []byte("#!/bin/sh\nshift 2\necho \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.nodes["tower"].consumers = []*eventlogv1.Consumer{{Log: "masterdata", Cursor: &eventlogv1.Position{Log: "masterdata", Sequence: 2}},
		{Log: "orders", Cursor: s.nodes["orders"].at(9), Fork: &eventlogv1.Fork{Epoch: 2, After: s.nodes["orders"].at(3)}}}
	args := []string{"archive", "--service", "orders", "--to", "/old", "--bin", bin}
	for _, x := range []struct {
		more []string
		code int
		says string
	}{
		{[]string{"--keep-days", "90"}, 0, "archive -read workflow=4,tower=3 -keep-days 90 /old\n"},
		{[]string{"--before", "2026-01-01", "--decision", "tower begins anew"}, 0, "archive -read workflow=4,tower=3 -decision tower begins anew -before 2026-01-01 /old\n"},
		{nil, 2, ""},
		{[]string{"--keep-days", "90", "--before", "2026-01-01"}, 2, ""},
	} {
		code, out, errOut := s.run(append(args, x.more...)...)
		if code != x.code || out != x.says {
			t.Errorf("%q: code %d, said %q, %q; want %d and %q", x.more, code, out, errOut, x.code, x.says)
		}
	}
	connect := func(service string) (grpc.ClientConnInterface, error) {
		if service == "tower" {
			return nil, errors.New("tower is away")
		}
		return s.conns[service], nil
	}
	args = append(args, "--data", s.data, "--keep-days", "90")
	if code, out, errOut := run(t, connect, args...); code == 0 || out != "" || !strings.Contains(errOut, "tower is away") {
		t.Errorf("a reader that does not answer: code %d, said %q, %q; want it refused", code, out, errOut)
	}
	code, out, errOut := run(t, connect, append(args, "--decision", "known to be at the end")...)
	if want := "archive -decision known to be at the end -keep-days 90 /old\n"; code != 0 || out != want || !strings.Contains(errOut, "tower is away") {
		t.Errorf("by decision: code %d, said %q, %q; want %q", code, out, errOut, want)
	}
}
