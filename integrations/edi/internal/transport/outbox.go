package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Outbox is the folder that partners' files are put into, one folder for each party.
type Outbox struct{ dir string }

// NewOutbox opens the folder, or creates it.
func NewOutbox(dir string) (Outbox, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return Outbox{}, fmt.Errorf("outbox: %w", err)
	}
	return Outbox{dir}, syncDir(filepath.Dir(dir))
}

// Holds reports whether a file stands there with this content.
func (o Outbox) Holds(party, name string, content []byte) (bool, error) {
	have, err := os.ReadFile(filepath.Join(o.dir, party, name))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return bytes.Equal(have, content), err
}

// Put writes a file, whole or not at all. Writing the same again changes nothing.
func (o Outbox) Put(party, name string, content []byte) error {
	dir := filepath.Join(o.dir, party)
	switch err := os.Mkdir(dir, 0o750); {
	case err == nil:
		if err := syncDir(o.dir); err != nil {
			return err
		}
	case !errors.Is(err, os.ErrExist):
		return err
	}
	return writeFile(dir, func(w io.Writer) (string, error) {
		_, err := io.Copy(w, bytes.NewReader(content))
		return name, err
	})
}
