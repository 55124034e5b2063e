package transport

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestInboxTakesCompleteFilesInOrder(t *testing.T) {
	dir := t.TempDir()
	in, err := NewInbox(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b.edi", "a.edi.part", ".a.edi", "c.edi"} {
		write(t, filepath.Join(dir, name), name)
	}
	if err := os.Mkdir(filepath.Join(dir, "a-folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range 3 {
		name, err := in.First()
		if err != nil {
			t.Fatal(err)
		}
		if name == "" {
			break
		}
		got = append(got, name)
		c, err := in.Claim("dlv_0000000000000000000000000"+string(rune('0'+i)), name)
		if err != nil {
			t.Fatal(err)
		}
		again, err := in.Claimed() // as after a restart
		if err != nil || len(again) != 1 || again[0] != c || again[0].Name != name {
			t.Errorf("claimed: got %+v, %v, want %+v", again, err, c)
		}
		for range 2 { // a second hand finds it gone
			if err := in.Finish(c); err != nil {
				t.Errorf("finish: %v", err)
			}
		}
	}
	if want := []string{"b.edi", "c.edi"}; !slices.Equal(got, want) {
		t.Errorf("taken %q, want %q", got, want)
	}
	if got, want := names(t, filepath.Join(dir, doneDir)), []string{"b.edi", "c.edi"}; !slices.Equal(got, want) {
		t.Errorf("done %q, want %q", got, want)
	}
}

func TestNamesFromOutside(t *testing.T) {
	in, err := NewInbox(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{
		"850.edi": "850.edi", "../../etc/passwd": "_.._etc_passwd", "": "submitted.edi", "...": "submitted.edi", "a b\n": "a_b_",
		strings.Repeat("x", 300): strings.Repeat("x", maxName),
	} {
		c, err := in.Place("dlv_00000000000000000000000000", given, []byte("x"))
		if err != nil || c.Name != want {
			t.Errorf("%q: got %q, %v, want %q", given, c.Name, err, want)
		}
	}
}

func TestDocumentsAndOutbox(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, temporary+"1"), "half")
	docs, err := NewDocuments(dir)
	if err != nil {
		t.Fatal(err)
	}
	const sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // of "abc", FIPS 180-2 appendix B.1
	for range 2 {
		got, size, err := docs.Keep(strings.NewReader("abc"))
		if err != nil || got != sha || size != 3 {
			t.Fatalf("got %s, %d, %v", got, size, err)
		}
	}
	if got := names(t, dir); !slices.Equal(got, []string{sha}) {
		t.Errorf("documents %q, want one", got)
	}
	if got, err := docs.Section(sha, 1, 2); err != nil || string(got) != "bc" {
		t.Errorf("section: %q, %v", got, err)
	}
	if _, err := docs.Section(sha, 1, 3); err == nil {
		t.Error("read beyond the end")
	}
	if _, _, err := docs.Open(strings.Repeat("0", 64)); err != ErrNoDocument {
		t.Errorf("missing: %v", err)
	}

	out, err := NewOutbox(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := out.Holds("CUS-XYZ", "1.edi", []byte("abc")); ok || err != nil {
		t.Errorf("holds before: %v, %v", ok, err)
	}
	if err := out.Send("CUS-XYZ", "edi_1", "1.edi"); !errors.Is(err, ErrNotPrepared) {
		t.Errorf("sent before it was prepared: %v", err)
	}
	for _, content := range []string{"", "abc"} { // the second replaces the first
		if err := out.Prepare("CUS-XYZ", "edi_1", []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if ok, err := out.Holds("CUS-XYZ", "1.edi", []byte("abc")); ok || err != nil {
		t.Errorf("holds what is prepared: %v, %v", ok, err)
	}
	if err := out.Send("CUS-XYZ", "edi_1", "1.edi"); err != nil {
		t.Fatal(err)
	}
	if err := out.Send("CUS-XYZ", "edi_1", "1.edi"); !errors.Is(err, ErrNotPrepared) {
		t.Errorf("sent twice: %v", err)
	}
	if ok, err := out.Holds("CUS-XYZ", "1.edi", []byte("abc")); !ok || err != nil {
		t.Errorf("holds after: %v, %v", ok, err)
	}
}

// TestWatchTells: each file that comes is told of, also after others, and nothing hangs when the watch ends.
func TestWatchTells(t *testing.T) {
	dir := t.TempDir()
	in, err := NewInbox(dir)
	if err != nil {
		t.Fatal(err)
	}
	w := NewWatch(in)
	for _, name := range []string{"a.edi", "b.edi"} {
		wake := w.Wake()
		write(t, filepath.Join(dir, "."+name), name)
		<-wake // that a file was closed, or a glance
		wake = w.Wake()
		if err := os.Rename(filepath.Join(dir, "."+name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		<-wake
		got, err := in.First()
		if err != nil || got != name {
			t.Errorf("First = %q, %v, want %q", got, err, name)
		}
		if _, err := in.Claim("dlv_"+strings.Repeat("0", 26), name); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}
