package serve_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"crossdock.dev/platform/serve"
)

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
			Verify: func(c string, out io.Writer) int { *ran = "verify " + c; return 1 },
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
		{"-config a.yaml verify", 1, "verify a.yaml", ""},
		{"-config halfbad.yaml verify", 1, "verify halfbad.yaml", ""},
		{"-config a.yaml -check", 0, "", "a.yaml is good"},
		{"-config halfbad.yaml -check", 2, "", "profiles: row 3"},
		{"-config bad.yaml -version", 0, "", "orders "},
		{"-config bad.yaml parse f", 3, "parse [f]", ""},
		{"dance", 2, "", "want verify, parse"},
		{"verify twice", 2, "", "want verify, parse"},
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
