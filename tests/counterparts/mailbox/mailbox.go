// Package mailbox is a partner's side of the exchange of files: what the suite put out for it, what it brought to the suite, and
// a folder of its own in which it keeps what it has done. It promises that a file is brought once, whole, in the order of
// sending, also when the partner is started again in the middle; it leaves what the files say to the partner.
package mailbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Mailbox is where a partner meets the suite.
type Mailbox struct {
	from string // the folder that the suite puts files for this partner into
	to   string // the suite's inbox
	own  string // the partner's own folder

	read map[string]bool
	done map[string]bool
}

// The partner's own folder.
const (
	sending = "sending" // files that are being brought
	sent    = "sent"    // files that were brought
	deeds   = "deeds"   // what was done without a file
)

// Open opens a mailbox, and brings what was not yet brought when the partner ended. from may not exist yet.
func Open(from, to, own string) (*Mailbox, error) {
	m := &Mailbox{from: from, to: to, own: own, read: map[string]bool{}, done: map[string]bool{}}
	for _, d := range []string{to, filepath.Join(own, sending), filepath.Join(own, sent), filepath.Join(own, deeds)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	for _, d := range []string{sent, deeds} {
		names, err := list(filepath.Join(own, d))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			m.done[name] = true
		}
	}
	unfinished, err := list(filepath.Join(own, sending))
	if err != nil {
		return nil, err
	}
	for _, name := range unfinished {
		if err := m.bring(name); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// File is one that the suite sent.
type File struct {
	Name    string
	Content []byte
}

// New has the files taken in that were not since the mailbox was opened, by name. One that cannot be is tried again by the next
// call.
func (m *Mailbox) New(take func(File) error) error {
	names, err := list(m.from)
	if err != nil {
		return err
	}
	for _, name := range names {
		if m.read[name] {
			continue
		}
		content, err := os.ReadFile(filepath.Join(m.from, name))
		if err != nil {
			return err
		}
		if err := take(File{name, content}); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		m.read[name] = true
	}
	return nil
}

// Sent returns the bytes of a file that was sent before.
func (m *Mailbox) Sent(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(m.own, sent, name))
}

// Has reports whether a file was sent or a deed done.
func (m *Mailbox) Has(name string) bool { return m.done[name] }

// Count is how many files were sent that a predicate takes, by name.
func (m *Mailbox) Count(of func(name string) bool) int {
	n := 0
	for name := range m.done {
		if of(name) {
			n++
		}
	}
	return n
}

// Send keeps a file and brings it to the suite.
func (m *Mailbox) Send(name string, content []byte) error {
	if m.done[name] {
		return fmt.Errorf("%s was sent before", name)
	}
	if err := write(filepath.Join(m.own, sending), name, content); err != nil {
		return err
	}
	return m.bring(name)
}

// Done notes a deed that left no file.
func (m *Mailbox) Done(name string) error {
	if err := write(filepath.Join(m.own, deeds), name, nil); err != nil {
		return err
	}
	m.done[name] = true
	return nil
}

// bring copies a kept file into the inbox, unless it was there before, and notes that it was brought.
func (m *Mailbox) bring(name string) error {
	kept := filepath.Join(m.own, sending, name)
	brought, err := m.brought(name)
	if err != nil {
		return err
	}
	if !brought {
		content, err := os.ReadFile(kept)
		if err != nil {
			return err
		}
		if err := write(m.to, name, content); err != nil {
			return err
		}
	}
	m.done[name] = true
	return os.Rename(kept, filepath.Join(m.own, sent, name))
}

// brought looks for a file where the suite keeps those that it takes in: in the inbox, in its work or with what is done.
func (m *Mailbox) brought(name string) (bool, error) {
	for _, pattern := range []string{name, filepath.Join(".work", "*-"+name), filepath.Join(".done", name+"*")} {
		found, err := filepath.Glob(filepath.Join(m.to, pattern))
		if err != nil || len(found) > 0 {
			return len(found) > 0, err
		}
	}
	return false, nil
}

// write writes a file under a name that begins with a dot, and renames it.
func write(dir, name string, content []byte) error {
	part := filepath.Join(dir, "."+name+".part")
	if err := os.WriteFile(part, content, 0o600); err != nil {
		return err
	}
	return os.Rename(part, filepath.Join(dir, name))
}

// list returns the complete files of a folder, by name; a folder that does not exist has none.
func list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") && !strings.HasSuffix(e.Name(), ".part") {
			out = append(out, e.Name())
		}
	}
	return out, err
}
