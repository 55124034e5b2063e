package mailbox_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"crossdock.dev/tests/counterparts/mailbox"
)

func open(t *testing.T, dir string) *mailbox.Mailbox {
	t.Helper()
	m, err := mailbox.Open(filepath.Join(dir, "outbox"), filepath.Join(dir, "inbox"), filepath.Join(dir, "own"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func inbox(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "inbox", "*.edi"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestSendOnce(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir)
	if err := m.Send("a-1.edi", []byte("one")); err != nil {
		t.Fatal(err)
	}
	if got := inbox(t, dir); len(got) != 1 {
		t.Fatalf("got %v in the inbox, want one file", got)
	}
	if err := m.Send("a-1.edi", []byte("one")); err == nil {
		t.Error("sending a name twice is no error")
	}
	m = open(t, dir)
	if !m.Has("a-1.edi") || m.Count(func(n string) bool { return strings.HasPrefix(n, "a-") }) != 1 {
		t.Error("a partner that is started again has forgotten what it sent")
	}
	if got, err := m.Sent("a-1.edi"); err != nil || string(got) != "one" {
		t.Errorf("got %q, %v, want the bytes that were sent", got, err)
	}
}

// A partner that ends between keeping a file and bringing it brings it when it is started again; one that ends after
// bringing it does not, wherever the suite has moved it.
func TestStartedAgain(t *testing.T) {
	for where, want := range map[string]int{"": 1, "a-1.edi": 1, ".work/edi_x-a-1.edi": 0, ".done/a-1.edi": 0} {
		dir := t.TempDir()
		open(t, dir)
		put(t, filepath.Join(dir, "own", "sending", "a-1.edi"))
		if where != "" {
			put(t, filepath.Join(dir, "inbox", where))
		}
		m := open(t, dir)
		if got := inbox(t, dir); len(got) != want || !m.Has("a-1.edi") {
			t.Errorf("brought before to %q: got %v in the inbox, want %d", where, got, want)
		}
	}
}

func TestNew(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir)
	put(t, filepath.Join(dir, "outbox", ".b.part"))
	put(t, filepath.Join(dir, "outbox", "b.edi"))
	put(t, filepath.Join(dir, "outbox", "a.edi"))
	var got []string
	unreadable := errors.New("unreadable")
	take := func(f mailbox.File) error {
		got = append(got, f.Name)
		if len(got) == 2 {
			return unreadable
		}
		return nil
	}
	if err := m.New(take); !errors.Is(err, unreadable) {
		t.Errorf("got %v, want that a file is unreadable", err)
	}
	for range 2 {
		if err := m.New(take); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"a.edi", "b.edi", "b.edi"}; !slices.Equal(got, want) {
		t.Errorf("got %v taken, want %v", got, want)
	}
}

func put(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
}
