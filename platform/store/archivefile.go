package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
)

// This file is the form of an archive file:
//
//	crossdock-archive-1 and a space
//	Archive as JSON: file, uid, first, last, previousHash, lastHash, applyTime; a line feed
//	for each entry, first to last: its length (4 bytes, the highest first), its value as it stood in the log (with checksum)
//	SHA-256 of all that (32 bytes)

const (
	archiveFormat  = "crossdock-archive-1 "
	maxArchiveHead = 64 << 10
)

// archiveName names a file by service, epoch of the last entry, and sequences.
func archiveName(service string, epoch, first, last uint64) string {
	return fmt.Sprintf("%s-%d-%012d-%012d.archive", service, epoch, first, last)
}

// archiveNames fits the names of the files that begin with an entry.
func archiveNames(service string, first uint64) string {
	return fmt.Sprintf("%s-*-%012d-*.archive", service, first)
}

// archiveTemp fits the names of files that are being written.
func archiveTemp(service string) string { return "." + service + "-archive-*" }

// archiveHead is what the file says of itself.
func archiveHead(a *eventlogv1.Archive) *eventlogv1.Archive {
	return &eventlogv1.Archive{File: a.File, Uid: a.Uid, First: a.First, Last: a.Last, PreviousHash: a.PreviousHash, LastHash: a.LastHash, ApplyTime: a.ApplyTime}
}

// writeArchive writes the entries that a names, and fills in its size and sum.
func writeArchive(ctx context.Context, w io.Writer, btx *bbolt.Tx, a *eventlogv1.Archive) error {
	head, err := protojson.Marshal(archiveHead(a))
	if err != nil {
		return err
	}
	sum := sha256.New()
	buf := bufio.NewWriterSize(w, 1<<20)
	out := io.MultiWriter(buf, sum)
	size := int64(0)
	write := func(parts ...[]byte) (err error) {
		for _, p := range parts {
			n, werr := out.Write(p)
			size += int64(n)
			err = errors.Join(err, werr)
		}
		return err
	}
	if err := write([]byte(archiveFormat), head, []byte("\n")); err != nil {
		return err
	}
	next := a.First.Sequence
	c := btx.Bucket([]byte(logBucket)).Cursor()
	for k, v := c.Seek(Key(next)); next <= a.Last.Sequence; k, v = c.Next() {
		if !bytes.Equal(k, Key(next)) {
			return &CorruptError{Bucket: logBucket, Key: Key(next)}
		}
		if _, err := unseal(logBucket, k, v); err != nil {
			return err // a damaged entry stays where it is
		}
		if err := errors.Join(write(binary.BigEndian.AppendUint32(nil, uint32(len(v))), v), ctx.Err()); err != nil {
			return err
		}
		next++
	}
	total := sum.Sum(nil)
	_, err = buf.Write(total)
	a.Size, a.Sha256 = size+int64(len(total)), hex.EncodeToString(total)
	return errors.Join(err, buf.Flush())
}

// archiveReader reads an archive file.
type archiveReader struct {
	head *eventlogv1.Archive
	size int64

	file *os.File
	in   *bufio.Reader
	sum  hash.Hash
	left int64 // bytes before the sum
	next uint64
}

// openArchive reads what a file says of itself.
func openArchive(path string) (*archiveReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &archiveReader{file: f, in: bufio.NewReaderSize(f, 1<<20), sum: sha256.New(), head: &eventlogv1.Archive{}}
	if err := r.begin(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

var errNoArchive = errors.New("is not an archive file")

func (r *archiveReader) begin() error {
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	r.size = info.Size()
	r.left = r.size - sha256.Size
	line, err := r.in.ReadSlice('\n')
	if err != nil || int64(len(line)) > min(r.left, maxArchiveHead) || !bytes.HasPrefix(line, []byte(archiveFormat)) {
		return errNoArchive
	}
	r.sum.Write(line)
	r.left -= int64(len(line))
	if err := protojson.Unmarshal(line[len(archiveFormat):], r.head); err != nil || r.head.First.GetSequence() == 0 {
		return errNoArchive
	}
	r.next = r.head.First.Sequence
	return nil
}

var errArchiveEnds = errors.New("ends in the middle, or is not what was written")

// entry returns the next entry; no key after the last.
func (r *archiveReader) entry() (key, value []byte, err error) {
	if r.next > r.head.Last.GetSequence() {
		return nil, nil, nil
	}
	var length [4]byte
	if _, err := io.ReadFull(r.in, length[:]); err != nil {
		return nil, nil, errArchiveEnds
	}
	n := int64(binary.BigEndian.Uint32(length[:]))
	if r.left -= 4 + n; r.left < 0 {
		return nil, nil, errArchiveEnds
	}
	value = make([]byte, n)
	if _, err := io.ReadFull(r.in, value); err != nil {
		return nil, nil, errArchiveEnds
	}
	r.sum.Write(length[:])
	r.sum.Write(value)
	r.next++
	return Key(r.next - 1), value, nil
}

// end checks, after the last entry, that nothing more follows than the sum of what was read, and that this is what a says.
func (r *archiveReader) end(a *eventlogv1.Archive) error {
	stated := make([]byte, sha256.Size)
	if _, err := io.ReadFull(r.in, stated); err != nil || r.left != 0 {
		return errArchiveEnds
	}
	sum := r.sum.Sum(nil)
	switch {
	case !bytes.Equal(sum, stated) || hex.EncodeToString(sum) != a.Sha256:
		return fmt.Errorf("has the SHA-256 %x and says %x, expected %s", sum, stated, a.Sha256)
	case r.size != a.Size:
		return fmt.Errorf("has %d bytes, expected %d", r.size, a.Size)
	}
	return nil
}

func (r *archiveReader) close() error { return r.file.Close() }

// readArchive calls fn for every entry of a file that a describes, until it returns false.
func readArchive(path string, a *eventlogv1.Archive, fn func(key, value []byte) (more bool, err error)) error {
	wrong := func(err error) error { return fmt.Errorf("archive file %s: %w", path, err) }
	r, err := openArchive(path)
	if err != nil {
		return wrong(err)
	}
	defer r.close()
	if !proto.Equal(r.head, archiveHead(a)) {
		return wrong(errors.New("holds other entries than the store's record of it says"))
	}
	for {
		key, value, err := r.entry()
		if err != nil {
			return wrong(err)
		}
		if key == nil {
			break
		}
		if more, err := fn(key, value); err != nil || !more {
			return err
		}
	}
	if err := r.end(a); err != nil {
		return wrong(err)
	}
	return nil
}

// sameArchive tells whether a file holds exactly the entries of the store that a names; it fills in size and sum.
func sameArchive(ctx context.Context, btx *bbolt.Tx, path string, a *eventlogv1.Archive) (bool, error) {
	r, err := openArchive(path)
	if err != nil {
		return false, err
	}
	defer r.close()
	if !proto.Equal(r.head, archiveHead(a)) {
		return false, nil
	}
	log := btx.Bucket([]byte(logBucket))
	for {
		key, value, err := r.entry()
		if err != nil || ctx.Err() != nil {
			return false, errors.Join(err, ctx.Err())
		}
		if key == nil {
			break
		}
		if !bytes.Equal(log.Get(key), value) {
			return false, nil
		}
	}
	a.Size, a.Sha256 = r.size, hex.EncodeToString(r.sum.Sum(nil))
	return r.end(a) == nil, nil
}
