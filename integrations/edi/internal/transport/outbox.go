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

// Outbox is the folder that partners' files are put into, one folder for each party.
type Outbox struct{ dir string }

// NewOutbox opens the folder, or creates it.
func NewOutbox(dir string) (Outbox, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return Outbox{}, fmt.Errorf("outbox: %w", err)
	}
	return Outbox{dir}, syncDir(filepath.Dir(dir))
}

// A prepared file stands in the partner's folder under a name that partners do not look for, and is renamed when it is sent: one that
// stands there has not been sent.
const prepared = "."

// Prepare writes a file that is to be sent, or writes it anew.
func (o Outbox) Prepare(party, id string, content []byte) error {
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
		_, err := w.Write(content)
		return prepared + id, err
	})
}

// ErrNotPrepared: no file was prepared under this id, or it has been sent.
var ErrNotPrepared = errors.New("no such file is prepared")

// Send gives a prepared file the name under which the partner finds it.
func (o Outbox) Send(party, id, name string) error {
	dir := filepath.Join(o.dir, party)
	err := os.Rename(filepath.Join(dir, prepared+id), filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return ErrNotPrepared
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// Tidy removes what was prepared and is not wanted: the program ended before it could say so. It is called before anything is prepared.
func (o Outbox) Tidy(wanted func(id string) (bool, error)) error {
	files, err := filepath.Glob(filepath.Join(o.dir, "*", prepared+"*"))
	if err != nil {
		return err
	}
	for _, f := range files {
		keep := false
		if base := filepath.Base(f); !strings.HasPrefix(base, temporary) {
			if keep, err = wanted(strings.TrimPrefix(base, prepared)); err != nil {
				return err
			}
		}
		if keep {
			continue
		}
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	return nil
}

// Holds reports whether a file stands there with this content.
func (o Outbox) Holds(party, name string, content []byte) (bool, error) {
	have, err := os.ReadFile(filepath.Join(o.dir, party, name))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return bytes.Equal(have, content), err
}
