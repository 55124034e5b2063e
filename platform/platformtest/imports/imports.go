// Package imports checks who imports whom, by reading the sources of all modules under a folder. It is for the one layering
// test: a table of packages, what they must not reach, and why. Only our own packages are followed: an import of ours that
// reaches a forbidden package through another of ours is a breach too, and the chain is shown. Test files are left out.
package imports

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Rule forbids imports to packages. Patterns are import paths in which "*" stands for one segment, and a trailing "..." for
// the path itself and everything below it, such as "crossdock.dev/services/*/internal/app" or "google.golang.org/grpc/...".
// The word "std" in Only stands for the standard library.
type Rule struct {
	// Packages are the packages that the rule is for.
	Packages []string
	// Except are packages that it is not for.
	Except []string
	// Forbid are what they must not import, directly or through other packages of ours.
	Forbid []string
	// Only, when set, is all that they may import directly.
	Only []string
	// Direct limits Forbid to direct imports.
	Direct bool
	// Reason is shown with a breach.
	Reason string
}

// Check fails the test for each breach of the rules in the modules under root, and for a rule that matches no package.
func Check(t testing.TB, root string, rules []Rule) {
	t.Helper()
	graph, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, breach := range graph.Breaches(rules) {
		t.Error(breach)
	}
}

// Graph is every package of ours with what it imports.
type Graph map[string][]string

// Load reads the modules under root. Folders named testdata, vendor, node_modules or beginning with "." or "_" are left out.
func Load(root string) (Graph, error) {
	modules := map[string]string{} // folder -> module path
	var files []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p != root && (name == "testdata" || name == "vendor" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return filepath.SkipDir
			}
			return nil
		}
		switch {
		case name == "go.mod":
			module, err := modulePath(p)
			if err != nil {
				return err
			}
			modules[filepath.Dir(p)] = module
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			files = append(files, p)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read sources: %w", err)
	}
	g := Graph{}
	for _, file := range files {
		pkg, ok := packagePath(modules, root, file)
		if !ok {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return nil, fmt.Errorf("read sources: %w", err)
		}
		if g[pkg] == nil {
			g[pkg] = []string{}
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			if !slices.Contains(g[pkg], imported) {
				g[pkg] = append(g[pkg], imported)
			}
		}
	}
	for _, list := range g {
		slices.Sort(list)
	}
	return g, nil
}

func modulePath(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
			return strings.Trim(strings.TrimSpace(rest), `"`), nil
		}
	}
	return "", errors.New(file + " names no module")
}

// packagePath finds the module whose folder is nearest above the file.
func packagePath(modules map[string]string, root, file string) (string, bool) {
	dir := filepath.Dir(file)
	for at := dir; ; at = filepath.Dir(at) {
		if module, ok := modules[at]; ok {
			rel, err := filepath.Rel(at, dir)
			if err != nil {
				return "", false
			}
			return path.Join(module, filepath.ToSlash(rel)), true
		}
		if at == root || at == filepath.Dir(at) {
			return "", false
		}
	}
}

// Breaches lists what breaks the rules, in order of rules and packages.
func (g Graph) Breaches(rules []Rule) []string {
	var out []string
	packages := make([]string, 0, len(g))
	for p := range g {
		packages = append(packages, p)
	}
	slices.Sort(packages)
	for _, r := range rules {
		matched := false
		for _, p := range packages {
			if !matchAny(r.Packages, p) || matchAny(r.Except, p) {
				continue
			}
			matched = true
			out = append(out, g.breaches(r, p)...)
		}
		if !matched {
			out = append(out, fmt.Sprintf("rule for %s matches no package: it guards nothing", strings.Join(r.Packages, ", ")))
		}
	}
	return out
}

func (g Graph) breaches(r Rule, p string) []string {
	var out []string
	if r.Only != nil {
		for _, imported := range g[p] {
			if !matchAny(r.Only, imported) && !(slices.Contains(r.Only, "std") && standard(imported)) {
				out = append(out, fmt.Sprintf("%s imports %s, and may import only %s: %s", p, imported, strings.Join(r.Only, ", "), r.Reason))
			}
		}
	}
	seen := map[string]bool{p: true}
	type reached struct {
		pkg   string
		chain []string
	}
	queue := []reached{{p, []string{p}}}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, imported := range g[at.pkg] {
			if seen[imported] {
				continue
			}
			seen[imported] = true
			chain := append(slices.Clone(at.chain), imported)
			if matchAny(r.Forbid, imported) {
				out = append(out, fmt.Sprintf("%s must not import %s: %s (%s)", p, imported, r.Reason, strings.Join(chain, " -> ")))
				continue
			}
			if !r.Direct {
				queue = append(queue, reached{imported, chain})
			}
		}
	}
	return out
}

// standard says whether an import path belongs to the standard library: its first segment has no dot.
func standard(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".")
}

func matchAny(patterns []string, p string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return match(pattern, p) })
}

func match(pattern, p string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(p, "/")
	for i, w := range want {
		if w == "..." {
			return true
		}
		if i >= len(got) || w != "*" && w != got[i] {
			return false
		}
	}
	return len(want) == len(got)
}
