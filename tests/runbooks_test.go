package tests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
)

// index is the page that leads from a word to a runbook.
const index = "docs/runbooks.md"

// spoken are the values of a file's constants of a type, or of those whose name begins with a prefix.
func spoken(t *testing.T, file, kind, prefix string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, filepath.FromSlash(file)), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range parsed.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			typed, _ := v.Type.(*ast.Ident)
			if kind != "" && (typed == nil || typed.Name != kind) || !strings.HasPrefix(v.Names[0].Name, prefix) || len(v.Values) != 1 {
				continue
			}
			if lit, ok := v.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				word, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, word)
			}
		}
	}
	if len(out) < 5 {
		t.Fatalf("%s: found only %q: the search has lost its way", file, out)
	}
	return out
}

// TestRunbooks looks that every word with which the suite asks for a person leads to a page that names it, and that no page
// stands for words that nobody says.
func TestRunbooks(t *testing.T) {
	said := map[string]bool{}
	for _, w := range slices.Concat(
		spoken(t, "services/workflow/internal/process/workitem.go", "Reason", ""),
		spoken(t, "integrations/edi/internal/message/message.go", "Reason", ""),
		spoken(t, "cmd/crossdock/internal/cli/status.go", "", "problem"),
	) {
		said[w] = true
	}
	for kind, name := range ordersv1.Hold_Kind_name {
		// What is missing has reasons of its own, see workflow.
		if k := ordersv1.Hold_Kind(kind); k != ordersv1.Hold_KIND_UNSPECIFIED && k != ordersv1.Hold_MASTER_DATA && k != ordersv1.Hold_ADDRESS {
			said[name+"_HOLD"] = true
		}
	}
	raw, err := os.ReadFile(filepath.Join(root, index))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, section := range []string{"## Words of `crossdock status`", "## Reasons of work items"} {
		_, text, ok := strings.Cut(string(raw), section)
		if !ok {
			t.Fatalf("%s has no section %q", index, section)
		}
		text, _, _ = strings.Cut(text, "\n## ")
		for line := range strings.Lines(text) {
			cells := strings.Split(line, "|")
			if len(cells) < 4 {
				continue
			}
			target := link.FindStringSubmatch(cells[2])
			for _, w := range regexp.MustCompile("`([A-Z_]+)`").FindAllStringSubmatch(cells[1], -1) {
				listed[w[1]] = true
				if target == nil {
					t.Errorf("%s: no page for %s", index, w[1])
					continue
				}
				page, err := os.ReadFile(filepath.Join(root, "docs", target[1]))
				if err != nil {
					t.Errorf("%s: %v", w[1], err)
				} else if !strings.Contains(string(page), "`"+w[1]+"`") {
					t.Errorf("docs/%s does not name %s", target[1], w[1])
				}
			}
		}
	}
	for _, w := range slices.Sorted(maps.Keys(said)) {
		if !listed[w] {
			t.Errorf("%s has no row for %s", index, w)
		}
	}
	for _, w := range slices.Sorted(maps.Keys(listed)) {
		if !said[w] {
			t.Errorf("%s has a row for %s, which nobody says", index, w)
		}
	}
}

// TestRunbookShape looks that each page says how it shows, what still works, what to do and how it ends, and that the index leads
// to it.
func TestRunbookShape(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(root, index))
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(root, "docs", "runbooks", "*.md"))
	if err != nil || len(found) < 15 {
		t.Fatalf("%d runbooks, %v; want at least 15", len(found), err)
	}
	for _, p := range found {
		page, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, part := range []string{"# ", "**How it shows.**", "**What still works.**", "**What to do.**", "**How it ends.**"} {
			i := strings.Index(string(page)[at:], part)
			if i < 0 {
				t.Errorf("%s: no %q in its place", filepath.Base(p), part)
				break
			}
			at += i
		}
		if !strings.Contains(string(raw), "(runbooks/"+filepath.Base(p)+")") {
			t.Errorf("%s does not lead to %s", index, filepath.Base(p))
		}
	}
}

// callCommand is `crossdock call service.Method '{...}'` as a page writes it.
var callCommand = regexp.MustCompile("crossdock call (?:<[a-z]+>|([a-z]+))\\.([A-Za-z]+)")

// TestRunbookCalls looks that the methods which pages call are there.
func TestRunbookCalls(t *testing.T) {
	seen := 0
	for p, text := range pages(t) {
		for _, m := range callCommand.FindAllStringSubmatch(text, -1) {
			seen++
			protos := filepath.Join(root, "proto", "crossdock", m[1], "v1", "*.proto")
			log := filepath.Join(root, "proto", "crossdock", "eventlog", "v1", "*.proto")
			files, _ := filepath.Glob(log)
			if m[1] != "" {
				own, _ := filepath.Glob(protos)
				files = append(files, own...)
			}
			if !slices.ContainsFunc(files, func(f string) bool {
				raw, err := os.ReadFile(f)
				return err == nil && strings.Contains(string(raw), "rpc "+m[2]+"(")
			}) {
				t.Errorf("%s calls %s, which %s does not have", p, m[2], m[1])
			}
		}
	}
	if seen < 15 {
		t.Errorf("%d calls found: the search has lost its way", seen)
	}
}
