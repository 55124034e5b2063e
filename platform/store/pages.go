package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
)

// This file reads bbolt's pages without bbolt, which trusts them: a damaged page number makes it panic, read beyond the file,
// or go round in a circle. Layout (bbolt file version 2, in the machine's byte order):
//
//	page:    id u64, flags u16, count u16, overflow u32, then elements
//	meta:    magic u32, version u32, page size u32, flags u32, root u64, sequence u64, freelist u64, pages u64, txid u64, FNV-1a u64
//	branch:  position u32, key size u32, child u64
//	leaf:    flags u32 (1: the value is a bucket), position u32, key size u32, value size u32
//	bucket:  root u64 (0: a leaf page follows inline), sequence u64
const (
	pageHeader  = 16
	elementSize = 16
	metaSize    = 64

	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10

	minPage, maxPage = 1 << 10, 16 << 20 // bytes, as bbolt looks for

	boltMagic   = 0xED0CDAED
	boltVersion = 2
)

var native = binary.NativeEndian

// pageWalk is a look at the pages of a file that nobody writes to.
type pageWalk struct {
	file *os.File
	size int    // of a page
	end  uint64 // pages in use or free
	used []bool
	buf  []byte // of the page read last
}

// checkPages checks that the file's pages form trees, each used once, and that all others are free. findings are damages that
// do not matter for reading; err means that the file must not be read with bbolt.
func checkPages(path string) (findings []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	w := &pageWalk{file: f}
	root, freelist, findings, err := w.metas()
	if err != nil {
		return nil, err
	}
	if err := w.tree(root); err != nil {
		return findings, err
	}
	return append(findings, w.free(freelist)...), nil
}

// metas reads the two meta pages, of which bbolt takes the valid one with the higher transaction, whatever their headers say, and the size
// of pages from the first.
func (w *pageWalk) metas() (root, freelist uint64, findings []string, err error) {
	var best uint64
	size := os.Getpagesize()
	for id := range uint64(2) {
		p := make([]byte, pageHeader+metaSize)
		if _, err := w.file.ReadAt(p, int64(id)*int64(size)); err != nil {
			return 0, 0, nil, fmt.Errorf("meta page %d: %w", id, err)
		}
		m := p[pageHeader:]
		sum := fnv.New64a()
		sum.Write(m[:metaSize-8])
		valid := native.Uint32(m) == boltMagic && native.Uint32(m[4:]) == boltVersion && sum.Sum64() == native.Uint64(m[metaSize-8:])
		if !valid || native.Uint64(p) != id || native.Uint16(p[8:]) != metaPage || native.Uint16(p[10:]) != 0 || native.Uint32(p[12:]) != 0 {
			findings = append(findings, fmt.Sprintf("meta page %d is damaged (a power cut during a commit does that too; the next commit repairs it)", id))
		}
		if !valid {
			continue
		}
		if w.size == 0 {
			w.size = int(native.Uint32(m[8:]))
			if size = w.size; size < minPage || size > maxPage || size&(size-1) != 0 {
				return 0, 0, nil, fmt.Errorf("meta page %d has pages of %d bytes", id, size)
			}
		}
		if txid := native.Uint64(m[48:]); best == 0 || txid > best {
			best, root, freelist, w.end = txid, native.Uint64(m[16:]), native.Uint64(m[32:]), native.Uint64(m[40:])
		}
	}
	info, err := w.file.Stat()
	if err != nil {
		return 0, 0, nil, err
	}
	if w.size == 0 || w.end < 2 || w.end > uint64(info.Size()/int64(w.size)) {
		return 0, 0, nil, errors.New("no meta page is whole, or the file was cut short")
	}
	w.used = make([]bool, w.end)
	w.used[0], w.used[1] = true, true
	return root, freelist, findings, nil
}

// page reads a page that is used for the first time. The bytes stand until the next one is read.
func (w *pageWalk) page(id uint64) ([]byte, error) {
	if id < 2 || id >= w.end {
		return nil, fmt.Errorf("page %d lies outside the file", id)
	}
	w.buf = slices.Grow(w.buf[:0], w.size)[:w.size]
	p := w.buf
	if _, err := w.file.ReadAt(p, int64(id)*int64(w.size)); err != nil {
		return nil, err
	}
	overflow := uint64(native.Uint32(p[12:]))
	if native.Uint64(p) != id || id+overflow >= w.end {
		return nil, fmt.Errorf("page %d has a damaged header", id)
	}
	for i := id; i <= id+overflow; i++ {
		if w.used[i] {
			return nil, fmt.Errorf("page %d is used twice", i)
		}
		w.used[i] = true
	}
	if overflow == 0 {
		return p, nil
	}
	w.buf = slices.Grow(p, int(overflow)*w.size)[:int(overflow+1)*w.size]
	_, err := w.file.ReadAt(w.buf[w.size:], int64(id+1)*int64(w.size))
	return w.buf, err
}

func (w *pageWalk) tree(id uint64) error {
	p, err := w.page(id)
	if err != nil {
		return err
	}
	if native.Uint16(p[8:]) == branchPage {
		p = bytes.Clone(p)
		count := int(native.Uint16(p[10:]))
		if count == 0 || pageHeader+count*elementSize > len(p) {
			return fmt.Errorf("page %d is damaged", id)
		}
		for i := range count {
			e := pageHeader + i*elementSize
			if key := uint64(native.Uint32(p[e:])) + uint64(native.Uint32(p[e+4:])); uint64(e)+key > uint64(len(p)) {
				return fmt.Errorf("page %d element %d is damaged", id, i)
			}
			if err := w.tree(native.Uint64(p[e+8:])); err != nil {
				return err
			}
		}
		return nil
	}
	if err := w.leaf(p); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// leaf checks a leaf page, which may stand inline in another one, and the buckets in it.
func (w *pageWalk) leaf(p []byte) error {
	if len(p) < pageHeader || native.Uint16(p[8:]) != leafPage {
		return errors.New("is neither branch nor leaf")
	}
	count, kept := int(native.Uint16(p[10:])), false
	if pageHeader+count*elementSize > len(p) {
		return errors.New("is damaged")
	}
	for i := range count {
		e := pageHeader + i*elementSize
		flags, pos := native.Uint32(p[e:]), uint64(native.Uint32(p[e+4:]))
		key, value := uint64(native.Uint32(p[e+8:])), uint64(native.Uint32(p[e+12:]))
		if flags > 1 || uint64(e)+pos+key+value > uint64(len(p)) {
			return fmt.Errorf("element %d is damaged", i)
		}
		if flags == 0 {
			continue
		}
		if !kept {
			p, kept = bytes.Clone(p), true
		}
		bucket := p[uint64(e)+pos+key:][:value]
		if len(bucket) < 16 || native.Uint64(bucket[8:]) != 0 { // the sequence is never used
			return fmt.Errorf("element %d is a damaged bucket", i)
		}
		var err error
		if root := native.Uint64(bucket); root != 0 {
			err = w.tree(root)
		} else if err = w.leaf(bucket[16:]); err == nil && (native.Uint64(bucket[16:]) != 0 || native.Uint32(bucket[28:]) != 0) {
			err = errors.New("has a damaged header")
		}
		if err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

// free compares the list of free pages with those that no tree uses.
func (w *pageWalk) free(id uint64) []string {
	p, err := w.page(id)
	if err != nil {
		return []string{"list of free pages: " + err.Error()}
	}
	count, ids := uint64(native.Uint16(p[10:])), p[pageHeader:]
	if count == 0xFFFF { // the true count stands in the first element
		count, ids = native.Uint64(ids), ids[8:]
	}
	if native.Uint16(p[8:]) != freelistPage || count > uint64(len(ids)/8) {
		return []string{"list of free pages: header is damaged"}
	}
	var findings []string
	for i := range count {
		switch free := native.Uint64(ids[8*i:]); {
		case free >= w.end:
			findings = append(findings, fmt.Sprintf("list of free pages: page %d lies outside the file", free))
		case w.used[free]:
			findings = append(findings, fmt.Sprintf("list of free pages: page %d is used", free))
		default:
			w.used[free] = true
		}
	}
	for i, used := range w.used {
		if !used {
			findings = append(findings, fmt.Sprintf("list of free pages: page %d is missing", i))
		}
	}
	return findings
}
