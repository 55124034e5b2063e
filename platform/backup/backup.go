// Package backup is the form of a backup on a disk: a folder with the copy of a store, the documents that it refers to, backup.json, which
// says what the copy holds, and SHA256SUMS, which `sha256sum -c` reads. It promises that a folder under its final name is whole and on
// the disk, and that Check finds every byte that changed since. It leaves to package store what a store is.
package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
)

// The names in a backup.
const (
	// StoreFile is the copy of the store.
	StoreFile = "store.db"
	// Documents is the folder of documents, each named by the SHA-256 of its content; a service keeps it beside its store.
	Documents = "documents"

	manifestFile = "backup.json"
	sumsFile     = "SHA256SUMS"
)

var (
	// ErrExists: there is something at the place where the backup is to be written.
	ErrExists = errors.New("exists already")
	// ErrDamaged: the backup is not what was written, or not all of it.
	ErrDamaged = errors.New("backup is damaged")
)

// nameForm is what a file of a backup may be called: nothing that leads elsewhere.
var nameForm = regexp.MustCompile(`^(` + regexp.QuoteMeta(StoreFile) + `|` + Documents + `/[0-9a-f]{64})$`)

// IsDocument tells whether a file's name is that of a document.
func IsDocument(name string) bool { return nameForm.MatchString(Documents + "/" + name) }

// Writer writes a backup. It appears under its name with Finish; before that it stands beside it with the ending .partial.
type Writer struct {
	dir, partial string
	backup       *eventlogv1.Backup
	file         *os.File
	open         *eventlogv1.BackupFile
	sum          hash.Hash
	written      int64
}

// Create begins a backup of b in the folder dir, which must not exist. What an earlier attempt left behind is removed.
func Create(dir string, b *eventlogv1.Backup) (*Writer, error) {
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("backup %s: %w", dir, ErrExists), err)
	}
	w := &Writer{dir: dir, partial: dir + ".partial", backup: proto.CloneOf(b)}
	w.backup.Files = nil
	if err := os.RemoveAll(w.partial); err != nil {
		return nil, err
	}
	return w, os.MkdirAll(filepath.Join(w.partial, Documents), 0o700)
}

// Begin begins a file.
func (w *Writer) Begin(f *eventlogv1.BackupFile) (err error) {
	if w.file != nil || !nameForm.MatchString(f.GetName()) {
		return fmt.Errorf("%w: file %q out of place", ErrDamaged, f.GetName())
	}
	w.open, w.sum, w.written = f, sha256.New(), 0
	w.file, err = os.OpenFile(filepath.Join(w.partial, filepath.FromSlash(f.GetName())), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	return err
}

// Write adds bytes to the file that was begun.
func (w *Writer) Write(p []byte) (int, error) {
	if w.file == nil {
		return 0, fmt.Errorf("%w: bytes of no file", ErrDamaged)
	}
	n, err := w.file.Write(p)
	w.sum.Write(p[:n])
	w.written += int64(n)
	return n, err
}

// End ends the file. Its bytes must be as many as were announced and have the sum.
func (w *Writer) End(sum string) error {
	if w.file == nil {
		return fmt.Errorf("%w: the end of no file", ErrDamaged)
	}
	err := errors.Join(w.file.Sync(), w.file.Close())
	w.file = nil
	if got := hex.EncodeToString(w.sum.Sum(nil)); err == nil && (got != sum || w.written != w.open.GetSize()) {
		err = fmt.Errorf("%w: %s has %d bytes with sum %s, expected %d with %s", ErrDamaged, w.open.GetName(), w.written, got, w.open.GetSize(), sum)
	}
	w.backup.Files = append(w.backup.Files, &eventlogv1.BackupFile{Name: w.open.GetName(), Size: w.written, Sha256: sum})
	return err
}

// Finish puts the backup under its name.
func (w *Writer) Finish() error {
	if w.file != nil || len(w.backup.Files) == 0 || w.backup.Files[0].Name != StoreFile {
		return fmt.Errorf("%w: it ended in the middle", ErrDamaged)
	}
	manifest, err := protojson.MarshalOptions{Multiline: true}.Marshal(w.backup)
	if err != nil {
		return err
	}
	manifest = append(manifest, '\n')
	own := sha256.Sum256(manifest)
	var sums bytes.Buffer
	for _, f := range append(slices.Clone(w.backup.Files), &eventlogv1.BackupFile{Name: manifestFile, Sha256: hex.EncodeToString(own[:])}) {
		fmt.Fprintf(&sums, "%s  %s\n", f.Sha256, f.Name)
	}
	return errors.Join(
		writeFile(filepath.Join(w.partial, manifestFile), manifest), writeFile(filepath.Join(w.partial, sumsFile), sums.Bytes()),
		SyncDir(filepath.Join(w.partial, Documents)), SyncDir(w.partial), os.Rename(w.partial, w.dir), SyncDir(filepath.Dir(w.dir)))
}

// Abandon removes what was written; after Finish it does nothing.
func (w *Writer) Abandon() error {
	if w.file != nil {
		_ = w.file.Close() // it is removed
		w.file = nil
	}
	return os.RemoveAll(w.partial)
}

// Open reads what a backup says of itself.
func Open(dir string) (*eventlogv1.Backup, error) {
	manifest, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, fmt.Errorf("not a whole backup: %w", err)
	}
	sums, err := os.ReadFile(filepath.Join(dir, sumsFile))
	if err != nil {
		return nil, fmt.Errorf("not a whole backup: %w", err)
	}
	b := &eventlogv1.Backup{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(manifest, b); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, manifestFile, err)
	}
	own := sha256.Sum256(manifest)
	var want strings.Builder
	for _, f := range b.Files {
		if !nameForm.MatchString(f.Name) {
			return nil, fmt.Errorf("%w: it names the file %q", ErrDamaged, f.Name)
		}
		fmt.Fprintf(&want, "%s  %s\n", f.Sha256, f.Name)
	}
	fmt.Fprintf(&want, "%x  %s\n", own, manifestFile)
	if string(sums) != want.String() || len(b.Files) == 0 || b.Files[0].Name != StoreFile {
		return nil, fmt.Errorf("%w: %s and %s do not agree", ErrDamaged, manifestFile, sumsFile)
	}
	return b, nil
}

// Check reads every file of a backup and compares it with its sum. progress is told how many bytes were read.
func Check(ctx context.Context, dir string, b *eventlogv1.Backup, progress func(int64)) error {
	for _, f := range b.Files {
		if err := CopyFile(ctx, io.Discard, dir, f, progress); err != nil {
			return err
		}
	}
	return nil
}

// CopyFile copies a file of a backup to w and fails with ErrDamaged when it does not have its sum.
func CopyFile(ctx context.Context, w io.Writer, dir string, f *eventlogv1.BackupFile, progress func(int64)) error {
	in, err := os.Open(filepath.Join(dir, filepath.FromSlash(f.Name)))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer in.Close()
	sum := sha256.New()
	n, err := Copy(ctx, io.MultiWriter(w, sum), in, progress)
	if err != nil {
		return fmt.Errorf("copy %s: %w", f.Name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.Sha256 || n != f.Size {
		return fmt.Errorf("%w: %s has %d bytes with sum %s, expected %d with %s", ErrDamaged, f.Name, n, got, f.Size, f.Sha256)
	}
	return nil
}

// Copy copies until r ends or ctx does, and tells progress how many bytes were copied since it was last told.
func Copy(ctx context.Context, w io.Writer, r io.Reader, progress func(int64)) (total int64, err error) {
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		n, err := r.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return total, err
			}
			total += int64(n)
			if progress != nil {
				progress(int64(n))
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

func writeFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
