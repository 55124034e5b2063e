package imports_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"crossdock.dev/platform/platformtest/imports"
)

// tree writes modules to a folder: path to content.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestBreaches(t *testing.T) {
	root := tree(t, map[string]string{
		"kernel/go.mod":                           "module example.dev/kernel\n",
		"kernel/money/money.go":                   "package money\nimport (\"fmt\"; \"github.com/x/apd/v3\")\nvar _ = fmt.Sprint\nvar _ = apd.X\n",
		"kernel/money/money_test.go":              "package money\nimport _ \"google.golang.org/grpc\"\n",
		"kernel/testdata/bad.go":                  "package bad\nimport _ \"google.golang.org/grpc\"\n",
		"services/orders/go.mod":                  "module example.dev/services/orders\n",
		"services/orders/internal/order/order.go": "package order\nimport _ \"example.dev/kernel/money\"\n",
		"services/orders/internal/app/app.go":     "package app\nimport _ \"example.dev/services/orders/internal/helper\"\n",
		"services/orders/internal/helper/h.go":    "package helper\nimport _ \"google.golang.org/grpc/codes\"\n",
		"services/orders/internal/api/api.go":     "package api\nimport _ \"google.golang.org/grpc\"\n",
	})
	g, err := imports.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	got := g.Breaches([]imports.Rule{
		{Packages: []string{"example.dev/kernel/..."}, Only: []string{"std", "example.dev/kernel/...", "github.com/x/apd/..."}, Reason: "values"},
		{Packages: []string{"example.dev/services/*/internal/order"}, Only: []string{"std"}, Reason: "too strict on purpose"},
		{Packages: []string{"example.dev/services/*/internal/app"}, Forbid: []string{"google.golang.org/grpc/..."}, Reason: "app knows no wire"},
		{Packages: []string{"example.dev/services/*/internal/app"}, Forbid: []string{"google.golang.org/grpc/..."}, Direct: true, Reason: "direct imports are fine"},
		{Packages: []string{"example.dev/services/*/internal/..."}, Except: []string{"example.dev/services/*/internal/helper", "example.dev/services/*/internal/app"}, Forbid: []string{"google.golang.org/grpc"}, Reason: "only api"},
		{Packages: []string{"example.dev/services/*/internal/nothing"}, Forbid: []string{"x"}},
	})
	want := []string{
		"example.dev/services/orders/internal/order imports example.dev/kernel/money, and may import only std: too strict on purpose",
		"example.dev/services/orders/internal/app must not import google.golang.org/grpc/codes: app knows no wire (example.dev/services/orders/internal/app -> example.dev/services/orders/internal/helper -> google.golang.org/grpc/codes)",
		"example.dev/services/orders/internal/api must not import google.golang.org/grpc: only api (example.dev/services/orders/internal/api -> google.golang.org/grpc)",
		"rule for example.dev/services/*/internal/nothing matches no package: it guards nothing",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("breaches (-want +got):\n%s", diff)
	}
}

func TestUnreadableSources(t *testing.T) {
	root := tree(t, map[string]string{"go.mod": "module example.dev/x\n", "a.go": "package"})
	if _, err := imports.Load(root); err == nil || !strings.Contains(err.Error(), "a.go") {
		t.Errorf("got %v, want an error that names a.go", err)
	}
}

// The platform itself keeps to its place: no service, no business message.
func TestPlatformImportsNoService(t *testing.T) {
	imports.Check(t, "../..", []imports.Rule{
		{
			Packages: []string{"crossdock.dev/platform/..."},
			Forbid:   []string{"crossdock.dev/services/...", "crossdock.dev/integrations/...", "crossdock.dev/kernel/..."},
			Reason:   "the platform is plumbing without one business word",
		},
		{
			Packages: []string{"crossdock.dev/platform/auth", "crossdock.dev/platform/rpc", "crossdock.dev/platform/serve", "crossdock.dev/platform/store"},
			Forbid:   []string{"testing", "crossdock.dev/platform/platformtest/...", "crossdock.dev/platform/internal/widgettest"},
			Reason:   "tests' helpers do not belong in a program",
		},
	})
}
