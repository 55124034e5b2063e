package tests

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// What keeps the pages true: every link, path, symbol, fact, figure and command that they name is looked up.

const (
	root = ".."
	tour = "docs/life-of-an-order.md"
)

// generatedPages are made by tests/reference, which looks after them.
const generatedPages = "docs/reference/"

// texts returns the text files of the project by path, without what was built or brought in by a run.
func texts(t *testing.T, only string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) { // taken away while we look, by a build
				return nil
			}
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if slices.Contains([]string{".git", ".cache", ".crossdock", "bin"}, rel) {
				return fs.SkipDir
			}
			return nil
		}
		if rel == ".git" { // of a second work tree
			return nil
		}
		if only != "" && filepath.Ext(p) != only || !d.Type().IsRegular() || slices.Contains([]string{".test", ".out"}, filepath.Ext(p)) {
			return nil
		}
		data, err := os.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !strings.ContainsRune(string(data[:min(len(data), 8000)]), 0) {
			out[rel] = string(data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// pages are the Markdown files that people write.
func pages(t *testing.T) map[string]string {
	t.Helper()
	out := texts(t, ".md")
	for p := range out {
		if strings.HasPrefix(p, generatedPages) || strings.Contains(p, "/testdata/") {
			delete(out, p)
		}
	}
	if len(out) < 15 {
		t.Fatalf("got %d pages, want at least 15: the search has lost its way", len(out))
	}
	return out
}

func exists(p string) bool {
	_, err := os.Stat(filepath.Join(root, filepath.FromSlash(p)))
	return err == nil
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// heading turns a heading into the anchor that it gets on the usual forges.
func heading(text string) string {
	text = strings.ToLower(strings.TrimSpace(strings.TrimLeft(text, "#")))
	return strings.ReplaceAll(regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(text, ""), " ", "-")
}

func TestDocsLinks(t *testing.T) {
	all := texts(t, ".md")
	for p, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			to := p
			if target != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(p), target))
			}
			if !exists(to) {
				t.Errorf("%s: link to %s, which does not exist", p, m[1])
				continue
			}
			if anchor == "" {
				continue
			}
			found := slices.ContainsFunc(strings.Split(all[to], "\n"), func(l string) bool {
				return strings.HasPrefix(l, "#") && heading(l) == anchor
			})
			if !found {
				t.Errorf("%s: link to %s, which has no such heading", p, m[1])
			}
		}
	}
}

var (
	quotedPath = regexp.MustCompile("`([A-Za-z0-9_][A-Za-z0-9_.{},/-]*)`")
	topFolders = []string{"build", "cmd", "docs", "gen", "integrations", "kernel", "platform", "proto", "services", "tests"}
)

// TestDocsPaths looks up every path in backticks that is a source file, or begins with a folder of ours. It is read from the
// root or from the page's own folder.
func TestDocsPaths(t *testing.T) {
	seen := 0
	for p, text := range pages(t) {
		for _, m := range quotedPath.FindAllStringSubmatch(text, -1) {
			first, _, nested := strings.Cut(m[1], "/")
			source := slices.Contains([]string{".go", ".proto", ".md", ".txt", ".sh", ".yaml"}, filepath.Ext(m[1]))
			if !nested || !source && !slices.Contains(topFolders, first) {
				continue
			}
			for _, one := range braces(m[1]) {
				seen++
				if !exists(one) && !exists(filepath.ToSlash(filepath.Join(filepath.Dir(p), one))) {
					t.Errorf("%s names `%s`, which does not exist", p, one)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("got %d paths, want at least 50: the search has lost its way", seen)
	}
}

// braces expands a/{b,c}/d.
func braces(s string) []string {
	before, rest, ok := strings.Cut(s, "{")
	inside, after, closed := strings.Cut(rest, "}")
	if !ok || !closed {
		return []string{s}
	}
	var out []string
	for _, x := range strings.Split(inside, ",") {
		out = append(out, braces(before+x+after)...)
	}
	return out
}

// A reference to code is a link to a Go file, followed by the names of what is meant in it.
var (
	codeReference = regexp.MustCompile("\\[([^\\]]+)\\]\\(([^)\\s]+\\.go)\\)((?:(?:,|\\s|and\\b)*`[A-Za-z_][A-Za-z0-9_.]*`)*)")
	quotedName    = regexp.MustCompile("`([A-Za-z_][A-Za-z0-9_.]*)`")
)

func TestDocsSymbols(t *testing.T) {
	references := 0
	for p, text := range pages(t) {
		for _, m := range codeReference.FindAllStringSubmatch(text, -1) {
			file := filepath.ToSlash(filepath.Join(filepath.Dir(p), m[2]))
			if strings.HasPrefix(p, "docs/") && m[1] != "`"+file+"`" {
				t.Errorf("%s: the link to %s reads %s, want the path", p, file, m[1])
			}
			names := quotedName.FindAllStringSubmatch(m[3], -1)
			if strings.HasPrefix(p, "docs/") && len(names) == 0 {
				t.Errorf("%s: the link to %s does not say what is meant in it", p, file)
			}
			defined := symbols(t, file)
			for _, n := range names {
				references++
				if !defined[n[1]] {
					t.Errorf("%s: %s does not define %s", p, file, n[1])
				}
			}
		}
	}
	if references < 100 {
		t.Errorf("got %d references to symbols, want at least 100: the search has lost its way", references)
	}
}

// symbols are what a Go file defines at top level: functions, types, constants and variables by name, methods as Type.Method.
func symbols(t *testing.T, file string) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, filepath.FromSlash(file)), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return nil
	}
	out := map[string]bool{}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = receiver(d.Recv.List[0].Type) + "." + name
			}
			out[name] = true
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					out[s.Name.Name] = true
				case *ast.ValueSpec:
					for _, n := range s.Names {
						out[n.Name] = true
					}
				}
			}
		}
	}
	return out
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// contractNames are the facts and the methods of all contracts.
func contractNames() (facts, methods map[string]bool) {
	facts, methods = map[string]bool{}, map[string]bool{}
	eachFile(func(f protoreflect.FileDescriptor) {
		if strings.HasSuffix(f.Path(), "/v1/events.proto") {
			for i := range f.Messages().Len() {
				facts[string(f.Messages().Get(i).Name())] = true
			}
		}
		for i := range f.Services().Len() {
			for j := range f.Services().Get(i).Methods().Len() {
				methods[string(f.Services().Get(i).Methods().Get(j).Name())] = true
			}
		}
	})
	return facts, methods
}

func tourText(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, tour))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestDocsFacts: what the tour puts in backticks and begins with a capital letter is code after its link, a fact or a method.
func TestDocsFacts(t *testing.T) {
	facts, methods := contractNames()
	name := regexp.MustCompile("`([A-Z][a-zA-Z0-9.]*[a-z][a-zA-Z0-9.]*)`")
	for _, m := range name.FindAllStringSubmatch(codeReference.ReplaceAllString(tourText(t), ""), -1) {
		if !facts[m[1]] && !methods[m[1]] {
			t.Errorf("%s names `%s`, which is no fact and no method, and follows no link to a file", tour, m[1])
		}
	}
}

// TestDocsTourTellsEveryFact plays the order and compares the facts that it left with those that the tour names.
func TestDocsTourTellsEveryFact(t *testing.T) {
	s := sim.New(t)
	s.Seed()
	document, err := os.ReadFile(filepath.Join("day", "x12", "850.edi"))
	if err != nil {
		t.Fatal(err)
	}
	if err := story.Play(t.Context(), s, story.HappyPath(s, document, &story.Names{}), func(story.Act) {}); err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, service := range []string{"edi", "orders", "workflow", "freight", "billing"} {
		entries, _, err := eventlog.Local(s.Store(service)).Read(t.Context(), eventlog.Position{}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			head := &eventlogv1.Head{}
			if err := proto.Unmarshal(e.Head, head); err != nil {
				t.Fatal(err)
			}
			for _, f := range head.Facts {
				told[f.Type] = true
			}
		}
	}
	if len(told) < 20 {
		t.Fatalf("got %d facts, want at least 20: the order has left too few", len(told))
	}
	facts, _ := contractNames()
	text := tourText(t)
	for f := range facts {
		if named := strings.Contains(text, "`"+f+"`"); named != told[f] {
			t.Errorf("fact %s: told by the order %t, named in %s %t", f, told[f], tour, named)
		}
	}
}

// TestDocsFigures: every amount in the tour and on the first page stands in the outcomes that were worked out by hand.
func TestDocsFigures(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("day", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var day struct {
		Scenarios []json.RawMessage `json:"scenarios"`
	}
	if err := json.Unmarshal(raw, &day); err != nil {
		t.Fatal(err)
	}
	amount, version := regexp.MustCompile(`-?\d[\d,]*\.\d\d\b`), regexp.MustCompile(`Go \d+\.\d+`)
	for _, p := range []string{tour, "README.md"} {
		data, err := os.ReadFile(filepath.Join(root, p))
		if err != nil {
			t.Fatal(err)
		}
		found := amount.FindAllString(version.ReplaceAllString(string(data), ""), -1)
		if len(found) < 4 {
			t.Errorf("%s: got %d amounts, want at least 4", p, len(found))
		}
		for _, a := range found {
			if !strings.Contains(string(day.Scenarios[0]), `"`+strings.ReplaceAll(a, ",", "")+`"`) {
				t.Errorf("%s: amount %s is not in the expected outcome of the order", p, a)
			}
		}
	}
}

var command = regexp.MustCompile("(?m)(?:^|`)bin/crossdock ([^`#\n]+)")

// TestDocsCommands asks the program about every command line that the pages show: names and flags must be there.
func TestDocsCommands(t *testing.T) {
	program := filepath.Join(t.TempDir(), "crossdock")
	if out, err := exec.Command("go", "build", "-C", filepath.Join(root, "cmd", "crossdock"), "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	asked := map[string]bool{}
	for p, text := range pages(t) {
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			line := strings.TrimSpace(m[1])
			if asked[line] {
				continue
			}
			asked[line] = true
			args, err := words(line)
			if err != nil {
				t.Errorf("%s: `bin/crossdock %s`: %v", p, line, err)
				continue
			}
			if out, err := exec.Command(program, append(args, "--help")...).CombinedOutput(); err != nil {
				t.Errorf("%s: `bin/crossdock %s`: %v\n%s", p, line, err, out)
			}
		}
	}
	if len(asked) < 15 {
		t.Errorf("got %d commands, want at least 15: the search has lost its way", len(asked))
	}
}

// words splits a command line at spaces, but for those inside single or double quotes.
func words(line string) ([]string, error) {
	var out []string
	var word strings.Builder
	begun, quote := false, rune(0)
	for _, r := range line {
		switch {
		case quote == 0 && (r == '\'' || r == '"'):
			begun, quote = true, r
		case r == quote:
			quote = 0
		case quote == 0 && r == ' ':
			if begun {
				out = append(out, word.String())
			}
			begun = false
			word.Reset()
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is open")
	}
	if begun {
		out = append(out, word.String())
	}
	return out, nil
}

// TestDocsStayInside: nothing in the project points to where it was made.
func TestDocsStayInside(t *testing.T) {
	// Put together here, so that this file does not hold them.
	outside := []string{".." + "/shared", "/work" + "/main", "/work" + "/shared", "/tmp" + "/spec", "/ro" + "ot/"}
	files := texts(t, "")
	if len(files) < 300 {
		t.Fatalf("got %d files, want at least 300: the search has lost its way", len(files))
	}
	for p, text := range files {
		for _, w := range outside {
			if at := strings.Index(text, w); at >= 0 {
				t.Errorf("%s:%d refers to %s", p, 1+strings.Count(text[:at], "\n"), w)
			}
		}
	}
}
