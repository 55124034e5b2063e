package backup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

// FuzzOpen: a manifest and sums of any bytes are refused, or name a store and documents in the folder alone; a folder whose files are not
// what they say is damaged. The sums are right for half of the inputs, since no chance makes them so.
func FuzzOpen(f *testing.F) {
	store, letter := sumOf("a store"), sumOf("a letter")
	manifest := fmt.Sprintf(`{"service":"orders","files":[{"name":"store.db","size":"7","sha256":"%s"},{"name":"documents/%s","size":"8","sha256":"%s"}]}`, store, letter, letter)
	f.Add([]byte(manifest), []byte("store.db documents/"+letter), true)
	f.Add([]byte(strings.ReplaceAll(manifest, "documents/", "../")), []byte("store.db ../"+letter), true)
	f.Add([]byte(manifest), []byte(sumOf(manifest)+"  backup.json\n"), false)
	f.Add([]byte(`{"files":[null,{}],"files":{}}`), []byte(" "), true)
	dir := f.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, Documents), 0o700), os.WriteFile(filepath.Join(dir, StoreFile), []byte("a store"), 0o600),
		os.WriteFile(filepath.Join(dir, Documents, letter), []byte("a letter"), 0o600)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, manifest, sums []byte, right bool) {
		if right {
			sums = rightSums(manifest)
		}
		if err := errors.Join(os.WriteFile(filepath.Join(dir, manifestFile), manifest, 0o600), os.WriteFile(filepath.Join(dir, sumsFile), sums, 0o600)); err != nil {
			t.Fatal(err)
		}
		b, err := Open(dir)
		again, err2 := Open(dir)
		if (err == nil) != (err2 == nil) || !proto.Equal(b, again) {
			t.Fatalf("opened twice: %v, %v and %v, %v", b, err, again, err2)
		}
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("%v, want ErrDamaged", err)
			}
			return
		}
		whole := true
		for _, file := range b.Files {
			is, size := letter, 8
			if file.Name == StoreFile {
				is, size = store, 7
			}
			if name := strings.TrimPrefix(file.Name, Documents+"/"); file.Name != StoreFile && !IsDocument(name) {
				t.Fatalf("names the file %q", file.Name)
			} else if file.Name != StoreFile && name != letter || file.Sha256 != is || file.Size != int64(size) {
				whole = false
			}
		}
		switch err := Check(t.Context(), dir, b, nil); {
		case whole && err != nil, !whole && !errors.Is(err, ErrDamaged):
			t.Fatalf("Check of %v: %v", b, err)
		}
	})
}

// rightSums are the sums that a manifest asks for, as far as it can be read.
func rightSums(manifest []byte) []byte {
	var m struct {
		Files []struct{ Name, SHA256 string }
	}
	_ = json.Unmarshal(manifest, &m) // what cannot be read has no files
	var out bytes.Buffer
	for _, f := range m.Files {
		fmt.Fprintf(&out, "%s  %s\n", f.SHA256, f.Name)
	}
	fmt.Fprintf(&out, "%s  %s\n", sumOf(string(manifest)), manifestFile)
	return out.Bytes()
}
