package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What is embedded was built from the sources beside it: their hash, as web/hash.js writes it, is computed again. This needs no Node.
func TestBuildIsNotStale(t *testing.T) {
	web := filepath.Join("..", "..", "web")
	names := []string{"index.html", "package-lock.json", "package.json", "vite.config.js"}
	for _, dir := range []string{"public", "src"} {
		err := fs.WalkDir(os.DirFS(web), dir, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				names = append(names, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(names)
	all := sha256.New()
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(web, name))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(all, "%x  %s\n", sha256.Sum256(data), name)
	}
	built, err := dist.ReadFile("dist/SOURCE_HASH")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(all.Sum(nil)), strings.TrimSpace(string(built)); got != want {
		t.Errorf("the sources have hash %s, the committed build was made from %s: run make web", got, want)
	}
}

// Nothing that is embedded is loaded from elsewhere: the addresses that remain are names of namespaces and of error pages.
func TestBuildIsAlone(t *testing.T) {
	files, err := built()
	if err != nil {
		t.Fatal(err)
	}
	address := regexp.MustCompile(`(?:https?:)?//[a-z0-9-]+\.[a-z]+[^\s"'` + "`" + `)]*`)
	for name, f := range files {
		if strings.HasPrefix(name, "LICENSE") {
			continue
		}
		for _, found := range address.FindAll(f.plain, -1) {
			if !bytes.HasPrefix(found, []byte("http://www.w3.org/")) && !bytes.HasPrefix(found, []byte("https://svelte.dev/e/")) {
				t.Errorf("%s names %s", name, found)
			}
		}
		if f.kind == "" && name != "SOURCE_HASH" {
			t.Errorf("%s has no type", name)
		}
	}
}
