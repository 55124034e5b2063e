package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Inbox is the folder that partners' files come into. A file counts once it stands under a name that neither begins with a dot
// nor ends in ".part": whoever brings it writes it under such a name and renames it. Taking a file in begins by claiming it (it
// moves to .work under an id of ours) and ends by finishing it (it moves to .done), so that a restart knows which delivery it
// was in the middle of, and the same file brought again is another delivery.
type Inbox struct{ dir string }

const (
	workDir = ".work"
	doneDir = ".done"
)

// NewInbox opens the folder, or creates it.
func NewInbox(dir string) (Inbox, error) {
	for _, d := range []string{dir, filepath.Join(dir, workDir), filepath.Join(dir, doneDir)} {
		if err := os.MkdirAll(d, 0o750); err != nil {
			return Inbox{}, fmt.Errorf("inbox: %w", err)
		}
	}
	return Inbox{dir}, errors.Join(syncDir(dir), removeTemporary(filepath.Join(dir, workDir)))
}

// Claim is a file that is being taken in.
type Claim struct {
	ID   string // of the delivery
	Name string // the file's
	path string
}

// Open opens the file for reading.
func (c Claim) Open() (*os.File, error) { return os.Open(c.path) }

// idLength is that of a TypeID with a prefix of three letters.
const idLength = 3 + 1 + 26

// Claimed returns the files that were claimed and not finished, oldest first.
func (in Inbox) Claimed() ([]Claim, error) {
	entries, err := os.ReadDir(filepath.Join(in.dir, workDir))
	if err != nil {
		return nil, err
	}
	var out []Claim
	for _, e := range entries {
		if name := e.Name(); len(name) > idLength+1 && name[idLength] == '-' && e.Type().IsRegular() {
			out = append(out, in.claim(name[:idLength], name[idLength+1:]))
		}
	}
	return out, nil
}

func (in Inbox) claim(id, name string) Claim {
	return Claim{ID: id, Name: name, path: filepath.Join(in.dir, workDir, id+"-"+name)}
}

// First returns the name of the first complete file; empty when there is none.
func (in Inbox) First() (string, error) {
	entries, err := os.ReadDir(in.dir) // sorted by name
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") && !strings.HasSuffix(e.Name(), ".part") {
			return e.Name(), nil
		}
	}
	return "", nil
}

// maxName leaves room for the id before it.
const maxName = 200

// Claim takes a file out of the inbox under the id of a new delivery.
func (in Inbox) Claim(id, name string) (Claim, error) {
	c := in.claim(id, name[max(0, len(name)-maxName):])
	if err := os.Rename(filepath.Join(in.dir, name), c.path); err != nil {
		return Claim{}, err
	}
	return c, errors.Join(syncDir(in.dir), syncDir(filepath.Dir(c.path)))
}

// Place puts bytes that came in another way where a claimed file stands.
func (in Inbox) Place(id, name string, content []byte) (Claim, error) {
	c := in.claim(id, plain(name))
	err := writeFile(filepath.Dir(c.path), func(w io.Writer) (string, error) {
		_, err := io.Copy(w, bytes.NewReader(content))
		return filepath.Base(c.path), err
	})
	return c, err
}

// plain makes a name from outside fit for a file.
func plain(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, name)
	if name = strings.TrimLeft(name[max(0, len(name)-maxName):], "."); name == "" {
		return "submitted.edi"
	}
	return name
}

// Finish moves a claimed file to those that are done. One with its name that is there already stays; the new one then carries
// its delivery's id.
func (in Inbox) Finish(c Claim) error {
	if c.path == "" {
		return nil // it was finished before
	}
	target := filepath.Join(in.dir, doneDir, c.Name)
	if _, err := os.Lstat(target); err == nil {
		target += "." + c.ID
	}
	if err := os.Rename(c.path, target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // where it does not exist, a second hand has finished it
	}
	return errors.Join(syncDir(filepath.Dir(target)), syncDir(filepath.Dir(c.path)))
}
