// Package transport moves bytes: the inbox that files are taken from, the outbox that files are put into, and the documents
// that keep every byte that came or went, named by its hash. It promises that a file appears whole or not at all under its
// final name, and is on the disk when a call returns. It understands nothing of what the bytes say.
package transport

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Documents is a folder of files named by the SHA-256 of their content.
type Documents struct{ dir string }

// NewDocuments opens the folder, or creates it, and removes what a crash left half written.
func NewDocuments(dir string) (Documents, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return Documents{}, fmt.Errorf("documents folder: %w", err)
	}
	return Documents{dir}, errors.Join(syncDir(filepath.Dir(dir)), removeTemporary(dir))
}

// Keep stores the bytes of r and returns their hash, in hexadecimal, and their number.
func (d Documents) Keep(r io.Reader) (sha string, size int64, err error) {
	h := sha256.New()
	err = writeFile(d.dir, func(w io.Writer) (string, error) {
		size, err = io.Copy(io.MultiWriter(w, h), r)
		sha = hex.EncodeToString(h.Sum(nil))
		return sha, err
	})
	return sha, size, err
}

// ErrNoDocument: no document has this name.
var ErrNoDocument = errors.New("no such document")

// Open opens a document for reading.
func (d Documents) Open(sha string) (*os.File, int64, error) {
	f, err := os.Open(filepath.Join(d.dir, filepath.Base(sha)))
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, ErrNoDocument
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// Section reads length bytes of a document from offset on.
func (d Documents) Section(sha string, offset, length int64) (data []byte, err error) {
	f, _, err := d.Open(sha)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data = make([]byte, length)
	_, err = f.ReadAt(data, offset)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return data, err
}

const temporary = ".tmp-"

// writeFile writes a file under a temporary name, syncs it, gives it the name that fill returns and syncs the folder.
func writeFile(dir string, fill func(w io.Writer) (name string, err error)) error {
	f, err := os.CreateTemp(dir, temporary)
	if err != nil {
		return err
	}
	name, err := fill(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func removeTemporary(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), temporary) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
