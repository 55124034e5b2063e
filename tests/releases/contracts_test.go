package releases

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What would break the last release's callers, readers or stores is refused and named; what is only added passes.
func TestBreaking(t *testing.T) {
	const (
		service = "proto/crossdock/orders/v1/order.proto"
		events  = "proto/crossdock/orders/v1/events.proto"
		records = "proto/crossdock/orders/storage/v1/storage.proto"
		openapi = "gen/openapi/crossdock/orders/v1/order_service.openapi.json"
		order   = "crossdock.orders.v1.Order"
	)
	c := newCheckout(t)
	c.release("v1.2.3")
	for _, x := range []struct {
		name   string
		change func()
		names  string // what the refusal names; empty when it is none
	}{
		{"nothing", func() {}, ""},
		{"a field is added", func() { c.replace(service, "message Order {", "message Order {\n  // New.\n  string brand_new = 900;") }, ""},
		{"a fact is added", func() { c.append(events, "// New.\nmessage OrderPraised {\n  // By whom.\n  string by = 1;\n}\n") }, ""},
		{"a field is renamed", func() { c.replace(service, "string customer_order_number =", "string po =") }, `"customer_order_number"`},
		{"a fact's field changes its type", func() { c.replace(events, "OrderRelease release = 1;", "string release = 1;") }, `message "OrderReleased"`},
		{"a record's field goes", func() { c.replace(records, "  string ship_from = 5;\n", "") }, `"ship_from" on message "OrderRecord"`},
		{"REST gains a property", func() { c.schema(openapi, order, func(p, _ schema) { p["brandNew"] = schema{"type": "string"} }) }, ""},
		{"REST loses a property", func() { c.schema(openapi, order, func(p, _ schema) { delete(p, "createTime") }) }, "createTime"},
		{"REST changes a type", func() { c.schema(openapi, order, func(p, _ schema) { p["etag"] = schema{"type": "integer"} }) }, "`etag`"},
		{"REST asks for more", func() {
			c.schema(openapi, order, func(_, s schema) { s["required"] = append(s["required"].([]any), "shipTo") })
		}, "shipTo"},
		{"REST loses a path", func() { c.json(openapi, func(d schema) { delete(d["paths"].(schema), "/v1/orders/{name}:cancel") }) }, "POST /v1/orders/{name}:cancel"},
		{"REST loses a document", func() { must(t, os.Remove(c.path(openapi))) }, openapi},
	} {
		c.git("checkout", "-q", ".")
		x.change()
		out, err := c.run("build/breaking.sh")
		switch {
		case x.names == "" && err != nil:
			t.Errorf("%s: got %v, want that it passes\n%s", x.name, err, out)
		case x.names != "" && err == nil:
			t.Errorf("%s: got that it passes, want a refusal\n%s", x.name, out)
		case x.names != "" && !strings.Contains(out, x.names):
			t.Errorf("%s: the refusal does not name %s\n%s", x.name, x.names, out)
		case x.names != "" && !strings.Contains(out, "v1.2.3"):
			t.Errorf("%s: the refusal does not name the release\n%s", x.name, out)
		}
	}
}

// A release names the commit that is checked out, once, and only when it has notes and nothing is left over.
func TestRelease(t *testing.T) {
	c := newCheckout(t)
	if out, err := c.run("build/release-last.sh"); err != nil || out != "" {
		t.Errorf("before the first release: %q, %v, want nothing", out, err)
	}
	first := c.release("v1.2.3")
	refused := func(why string, args ...string) {
		t.Helper()
		if out, err := c.run("build/release.sh", args...); err == nil || !strings.Contains(out, why) {
			t.Errorf("release %q: %v, %q, want a refusal with %q", args, err, out, why)
		}
	}
	refused("was released already", "v1.2.3", "again")
	refused("has no notes", "v1.2.4", "without notes")
	refused("want vMAJOR.MINOR.PATCH", "1.2.4", "no version")
	c.append("README.md", "more\n")
	c.append("RELEASES.md", "\n## v1.2.4\n")
	refused("not committed", "v1.2.4", "left over")
	c.git("commit", "-q", "-a", "-m", "more")
	second := c.release("v1.2.4")
	if first == second {
		t.Errorf("two releases name the same commit %s", first)
	}

	shallow := &checkout{t, filepath.Join(t.TempDir(), "shallow")}
	c.git("clone", "-q", "--depth", "1", "file://"+c.dir, shallow.dir)
	for _, script := range []string{"build/release-last.sh", "build/breaking.sh", "build/release-build.sh"} {
		if out, err := shallow.run(script); err == nil || !strings.Contains(out, "git fetch --depth=1 origin "+second) {
			t.Errorf("%s without the commit: %v, %q, want how to fetch %s", script, err, out, second)
		}
	}
}

// checkout is a small repository with this one's contracts and scripts.
type checkout struct {
	t   *testing.T
	dir string
}

func newCheckout(t *testing.T) *checkout {
	t.Helper()
	t.Parallel()
	tools := filepath.Join(absolute(t, root()), ".cache")
	if _, err := os.Stat(filepath.Join(tools, "bin", "buf")); err != nil && !*long {
		t.Skip("the contracts' tools are not built; `make lint` builds them")
	}
	c := &checkout{t, t.TempDir()}
	for _, folder := range []string{"build", "proto", "gen/openapi"} {
		must(t, os.CopyFS(c.path(folder), os.DirFS(filepath.Join(root(), folder))))
	}
	raw, err := os.ReadFile(filepath.Join(root(), "buf.yaml"))
	must(t, err)
	must(t, os.WriteFile(c.path("buf.yaml"), raw, 0o600))
	c.append("RELEASES.md", "# Releases\n\n| version | date | commit | what |\n|---|---|---|---|\n\n## v1.2.3\n")
	c.append("README.md", "one\n")
	c.append(".gitignore", ".cache\n")
	must(t, os.Symlink(tools, c.path(".cache")))
	c.git("init", "-q")
	c.git("config", "user.name", "test")
	c.git("config", "user.email", "test@example.org")
	c.git("add", ".")
	c.git("commit", "-q", "-m", "all")
	return c
}

func (c *checkout) path(rel string) string { return filepath.Join(c.dir, filepath.FromSlash(rel)) }

func (c *checkout) run(name string, args ...string) (string, error) {
	cmd := exec.CommandContext(c.t.Context(), c.path(name), args...)
	cmd.Dir = c.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *checkout) git(args ...string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "git", args...)
	cmd.Dir = c.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// release releases what is committed, and returns the commit, which the row must name.
func (c *checkout) release(version string) string {
	c.t.Helper()
	head := c.git("rev-parse", "HEAD")
	if out, err := c.run("build/release.sh", version, "with & / \\n in it"); err != nil {
		c.t.Fatalf("release %s: %v\n%s", version, err, out)
	}
	c.git("commit", "-q", "-a", "-m", "release "+version)
	if out, err := c.run("build/release-last.sh"); err != nil || out != version+" "+head+"\n" {
		c.t.Fatalf("the last release is %q, %v, want %s %s", out, err, version, head)
	}
	return head
}

func (c *checkout) append(rel, text string) {
	c.t.Helper()
	f, err := os.OpenFile(c.path(rel), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(c.t, err)
	_, err = f.WriteString(text)
	must(c.t, err)
	must(c.t, f.Close())
}

func (c *checkout) replace(rel, old, new string) {
	c.t.Helper()
	raw, err := os.ReadFile(c.path(rel))
	must(c.t, err)
	if !strings.Contains(string(raw), old) {
		c.t.Fatalf("%s does not hold %q", rel, old)
	}
	must(c.t, os.WriteFile(c.path(rel), []byte(strings.Replace(string(raw), old, new, 1)), 0o600))
}

// schema is an object of an OpenAPI document.
type schema = map[string]any

func (c *checkout) json(rel string, change func(schema)) {
	c.t.Helper()
	raw, err := os.ReadFile(c.path(rel))
	must(c.t, err)
	var doc schema
	must(c.t, json.Unmarshal(raw, &doc))
	change(doc)
	raw, err = json.Marshal(doc)
	must(c.t, err)
	must(c.t, os.WriteFile(c.path(rel), raw, 0o600))
}

// schema changes one of the document's schemas.
func (c *checkout) schema(rel, name string, change func(properties, whole schema)) {
	c.t.Helper()
	c.json(rel, func(doc schema) {
		whole := doc["components"].(schema)["schemas"].(schema)[name].(schema)
		change(whole["properties"].(schema), whole)
	})
}
