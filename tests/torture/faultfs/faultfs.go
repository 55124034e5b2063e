//go:build linux

// Package faultfs is a file system whose disk fails as it is told: a sync fails or takes long, space runs out and comes back, and the
// power is cut, so that what was not synced is lost, or some of it, or half of a page.
//
// It passes everything on to a folder and keeps beside it what would be lost. A write is on the disk when its file was synced afterwards.
// That a name was made, moved or taken away is on the disk when its folder was synced afterwards, and then so are all the changes of
// names before it, as file systems with a journal do it. A sync that failed has put nothing on the disk.
//
// The kernel mounts it directly, for which the caller must be root. It promises nothing about speed and knows regular files and folders
// alone.
package faultfs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// FS is a mounted folder.
type FS struct {
	backing, trash, at string
	server             *fuse.Server

	mu    sync.Mutex
	files map[uint64]*file // with writes that are not synced, by inode
	names []nameOp         // that are not synced, oldest first
	saved int              // number of the next file in the trash

	delay   time.Duration
	failing *failure
	limited bool
	space   int64          // bytes that may still be taken, while limited
	taken   map[block]bool // blocks that are
	counts  Counts
}

type block struct {
	inode uint64
	n     int64
}

const blockSize = 4096

// Counts are what was done since the beginning.
type Counts struct {
	Syncs, FailedSyncs, Refused int
	// Dropped and Torn are writes that a cut took away whole and in part, Names changes of names that it took back.
	Dropped, Torn, Names int
}

// failure is a sync that is to fail.
type failure struct {
	suffix string
	left   int
	done   chan Failure
}

// Failure tells of a sync that has failed.
type Failure struct {
	At time.Time
	// Meta says that it was to put the first two pages of the file on the disk, where bbolt's commit ends.
	Meta bool
}

// file is a file with writes that are not synced.
type file struct {
	f   *os.File
	ops []write
}

// write is one that is not synced. data is nil for a change of size.
type write struct {
	offset        int64
	data, was     []byte // was is what stood there, as far as the file went
	before, after int64  // sizes
}

// nameOp is a change of a name that is not synced.
type nameOp struct {
	parents []string
	undo    func() error
	forget  func() // once it is on the disk
}

// Available says why nothing can be mounted here; nil when it can.
func Available() error {
	if os.Geteuid() != 0 {
		return errors.New("not root")
	}
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// New makes a file system that keeps its files in backing, which is made, and shows them at a folder, which is made too.
func New(backing, at string) (*FS, error) {
	f := &FS{backing: backing, trash: backing + ".trash", at: at, files: map[uint64]*file{}, taken: map[block]bool{}}
	for _, d := range []string{backing, f.trash, at} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	return f, f.Mount()
}

// Mount shows the folder.
func (f *FS) Mount() error {
	root := &fs.LoopbackRoot{Path: f.backing}
	var st syscall.Stat_t
	if err := syscall.Stat(f.backing, &st); err != nil {
		return err
	}
	root.Dev = uint64(st.Dev)
	root.NewNode = func(r *fs.LoopbackRoot, _ *fs.Inode, _ string, _ *syscall.Stat_t) fs.InodeEmbedder {
		return &node{LoopbackNode: fs.LoopbackNode{RootData: r}, fs: f}
	}
	top := &node{LoopbackNode: fs.LoopbackNode{RootData: root}, fs: f}
	root.RootNode = top
	keep := time.Minute // nothing changes but through the mount
	server, err := fs.Mount(f.at, top, &fs.Options{
		AttrTimeout: &keep, EntryTimeout: &keep,
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "faultfs", Name: "faultfs", DisableXAttrs: true},
	})
	if err != nil {
		return fmt.Errorf("mount %s: %w", f.at, err)
	}
	f.server = server
	return nil
}

// Unmount takes the folder away. Nobody may have a file of it open.
func (f *FS) Unmount() error {
	if err := f.server.Unmount(); err != nil {
		return fmt.Errorf("unmount %s: %w", f.at, err)
	}
	f.server.Wait()
	return nil
}

// Detach takes the folder away from everybody who comes later.
func (f *FS) Detach() error { return syscall.Unmount(f.at, syscall.MNT_DETACH) }

// Counts are what was done since the beginning.
func (f *FS) Counts() Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts
}

// Slow makes every sync of a file take at least so long.
func (f *FS) Slow(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delay = d
}

// FailSync makes the n-th sync from now of a file whose name ends so fail with EIO, and tells when.
func (f *FS) FailSync(suffix string, n int) <-chan Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing = &failure{suffix, n, make(chan Failure, 1)}
	return f.failing.done
}

// Limit leaves so many bytes of space.
func (f *FS) Limit(bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limited, f.space = true, bytes
}

// Unlimit gives all space back.
func (f *FS) Unlimit() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limited = false
}

// Cut is what a power cut leaves: of what is not synced nothing, or some. The folder must not be mounted.
func (f *FS) Cut(r *rand.Rand) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	keep := []float64{0, 0.5, 0.9, 1}[r.IntN(4)] // of sectors
	for inode, x := range f.files {
		if err := f.tear(x, keep, r); err != nil {
			return err
		}
		x.f.Close()
		delete(f.files, inode)
	}
	left := 0 // of the names' changes, the first ones
	if len(f.names) > 0 && keep > 0 {
		left = r.IntN(len(f.names) + 1)
	}
	for i := len(f.names) - 1; i >= left; i-- {
		f.counts.Names++
		if err := f.names[i].undo(); err != nil {
			return fmt.Errorf("take a name back: %w", err)
		}
	}
	for _, op := range f.names[:left] {
		op.forget()
	}
	f.names = nil
	return nil
}

const sector = 512

// tear takes back what was written to a file and is not synced, and writes some of its sectors again.
func (f *FS) tear(x *file, keep float64, r *rand.Rand) error {
	for i := len(x.ops) - 1; i >= 0; i-- {
		op := x.ops[i]
		if _, err := x.f.WriteAt(op.was, op.offset); err != nil {
			return err
		}
		if err := x.f.Truncate(op.before); err != nil {
			return err
		}
	}
	for _, op := range x.ops {
		if op.data == nil {
			if r.Float64() < keep {
				if err := x.f.Truncate(op.after); err != nil {
					return err
				}
			}
			continue
		}
		kept := 0
		for from := 0; from < len(op.data); from += sector {
			if r.Float64() >= keep {
				continue
			}
			kept++
			if _, err := x.f.WriteAt(op.data[from:min(from+sector, len(op.data))], op.offset+int64(from)); err != nil {
				return err
			}
		}
		switch {
		case kept == 0:
			f.counts.Dropped++
		case kept*sector < len(op.data):
			f.counts.Torn++
		}
	}
	return nil
}

// node is a file or folder.
type node struct {
	fs.LoopbackNode
	fs *FS
}

// path is where it is kept.
func (n *node) path() string { return filepath.Join(n.fs.backing, n.Path(n.Root())) }

func (n *node) child(name string) string { return filepath.Join(n.path(), name) }

// named notes a change of names; the caller holds the lock.
func (f *FS) named(parents []string, undo func() error, forget func()) {
	if forget == nil {
		forget = func() {}
	}
	f.names = append(f.names, nameOp{parents, undo, forget})
}

// save keeps what a name stands for, so that it can come back; nil when there is nothing.
func (f *FS) save(path string) (back func() error, forget func(), err error) {
	f.saved++
	kept := filepath.Join(f.trash, fmt.Sprint(f.saved))
	if err := os.Link(path, kept); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, func() {}, nil
		}
		return nil, nil, err
	}
	return func() error { return os.Rename(kept, path) }, func() { os.Remove(kept) }, nil
}

// Create makes a file.
func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	if n.fs.limited && n.fs.space < blockSize {
		n.fs.counts.Refused++
		return nil, nil, 0, syscall.ENOSPC
	}
	path := n.child(name)
	_, err := os.Lstat(path)
	inode, h, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags&^syscall.O_TRUNC, mode, out)
	if errno != 0 {
		return inode, h, fuseFlags, errno
	}
	if err != nil {
		n.fs.named([]string{n.path()}, func() error { return os.Remove(path) }, nil)
	}
	if r, ok := h.(fs.FileReleaser); ok {
		r.Release(ctx)
	}
	own, errno := n.fs.open(path)
	if errno == 0 && flags&syscall.O_TRUNC != 0 {
		errno = own.truncate(0)
	}
	return inode, own, 0, errno
}

// Open opens a file.
func (n *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	h, errno := n.fs.open(n.path())
	if errno == 0 && flags&syscall.O_TRUNC != 0 {
		errno = h.truncate(0)
	}
	return h, fuse.FOPEN_KEEP_CACHE, errno
}

// Setattr changes the size too.
func (n *node) Setattr(ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok {
		n.fs.mu.Lock()
		own, ok := h.(*handle)
		if !ok {
			var errno syscall.Errno
			if own, errno = n.fs.open(n.path()); errno != 0 {
				n.fs.mu.Unlock()
				return errno
			}
			defer own.f.Close()
		}
		errno := own.truncate(int64(size))
		n.fs.mu.Unlock()
		if errno != 0 {
			return errno
		}
		in.Valid &^= fuse.FATTR_SIZE
	}
	return n.LoopbackNode.Setattr(ctx, nil, in, out)
}

// Getattr reads what an open file is like, also when its name is gone.
func (n *node) Getattr(ctx context.Context, h fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	if own, ok := h.(*handle); ok {
		var st syscall.Stat_t
		if err := syscall.Fstat(int(own.f.Fd()), &st); err != nil {
			return fs.ToErrno(err)
		}
		out.FromStat(&st)
		return 0
	}
	return n.LoopbackNode.Getattr(ctx, nil, out)
}

// Mkdir makes a folder.
func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	inode, errno := n.LoopbackNode.Mkdir(ctx, name, mode, out)
	if path := n.child(name); errno == 0 {
		n.fs.named([]string{n.path()}, func() error { return os.RemoveAll(path) }, nil)
	}
	return inode, errno
}

// Rmdir takes a folder away.
func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	errno := n.LoopbackNode.Rmdir(ctx, name)
	if path := n.child(name); errno == 0 {
		n.fs.named([]string{n.path()}, func() error { return os.Mkdir(path, 0o700) }, nil)
	}
	return errno
}

// Unlink takes a name away.
func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	back, forget, err := n.fs.save(n.child(name))
	if err != nil {
		return fs.ToErrno(err)
	}
	errno := n.LoopbackNode.Unlink(ctx, name)
	if errno == 0 && back != nil {
		n.fs.named([]string{n.path()}, back, forget)
	}
	return errno
}

// Link gives a file another name.
func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	inode, errno := n.LoopbackNode.Link(ctx, target, name, out)
	if path := n.child(name); errno == 0 {
		n.fs.named([]string{n.path()}, func() error { return os.Remove(path) }, nil)
	}
	return inode, errno
}

// Rename moves a name.
func (n *node) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	target, ok := to.(*node)
	if !ok || flags != 0 {
		return syscall.EXDEV
	}
	from, into := n.child(name), target.child(newName)
	back, forget, err := n.fs.save(into)
	if err != nil {
		return fs.ToErrno(err)
	}
	errno := n.LoopbackNode.Rename(ctx, name, to, newName, flags)
	if errno == 0 {
		n.fs.named([]string{n.path(), target.path()}, func() error {
			err := os.Rename(into, from)
			if err == nil && back != nil {
				err = back()
			}
			return err
		}, forget)
	}
	return errno
}

// Fsync puts a file or a folder on the disk.
func (n *node) Fsync(_ context.Context, h fs.FileHandle, _ uint32) syscall.Errno {
	own, ok := h.(*handle)
	if !ok {
		n.fs.syncNames(n.path())
		return 0
	}
	return own.sync(filepath.Base(n.path()))
}

// OpendirHandle opens a folder.
func (n *node) OpendirHandle(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	stream, errno := fs.NewLoopbackDirStream(n.path())
	if errno != 0 {
		return nil, 0, errno
	}
	return &folder{stream, n}, 0, 0
}

// folder is an open folder.
type folder struct {
	fs.DirStream
	n *node
}

// Readdirent reads a name.
func (d *folder) Readdirent(context.Context) (*fuse.DirEntry, syscall.Errno) {
	if !d.HasNext() {
		return nil, 0
	}
	e, errno := d.Next()
	return &e, errno
}

// Seekdir goes to a place.
func (d *folder) Seekdir(ctx context.Context, off uint64) syscall.Errno {
	if s, ok := d.DirStream.(fs.FileSeekdirer); ok {
		return s.Seekdir(ctx, off)
	}
	return syscall.ENOTSUP
}

// Releasedir closes.
func (d *folder) Releasedir(context.Context, uint32) { d.Close() }

// Fsyncdir puts the names on the disk.
func (d *folder) Fsyncdir(context.Context, uint32) syscall.Errno {
	d.n.fs.syncNames(d.n.path())
	return 0
}

// syncNames puts the changes of names in a folder on the disk, and those before them.
func (f *FS) syncNames(folder string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.names) - 1; i >= 0; i-- {
		for _, p := range f.names[i].parents {
			if p == folder {
				for _, op := range f.names[:i+1] {
					op.forget()
				}
				f.names = f.names[i+1:]
				return
			}
		}
	}
}

// handle is an open file.
type handle struct {
	fs    *FS
	f     *os.File
	inode uint64
}

// open opens a file for reading and writing, whatever the caller may do with it; the caller holds the lock.
func (f *FS) open(path string) (*handle, syscall.Errno) {
	x, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fs.ToErrno(err)
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(int(x.Fd()), &st); err != nil {
		x.Close()
		return nil, fs.ToErrno(err)
	}
	return &handle{f, x, st.Ino}, 0
}

// Read reads.
func (h *handle) Read(_ context.Context, buf []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	return fuse.ReadResultFd(h.f.Fd(), off, len(buf)), 0
}

// Release closes.
func (h *handle) Release(context.Context) syscall.Errno { return fs.ToErrno(h.f.Close()) }

// Flush does nothing: everything was passed on.
func (h *handle) Flush(context.Context) syscall.Errno { return 0 }

// Write writes, if there is space.
func (h *handle) Write(_ context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	f := h.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.take(h.inode, off, int64(len(data))) {
		return 0, syscall.ENOSPC
	}
	size, errno := h.size()
	if errno != 0 {
		return 0, errno
	}
	op := write{offset: off, data: append([]byte(nil), data...), before: size, after: max(size, off+int64(len(data)))}
	if errno := h.note(op); errno != 0 {
		return 0, errno
	}
	n, err := h.f.WriteAt(data, off)
	return uint32(n), fs.ToErrno(err)
}

// take takes space for blocks that are not taken yet.
func (f *FS) take(inode uint64, off, length int64) bool {
	var fresh []block
	for n := off / blockSize; n*blockSize < off+length; n++ {
		if b := (block{inode, n}); !f.taken[b] {
			fresh = append(fresh, b)
		}
	}
	if need := int64(len(fresh)) * blockSize; f.limited && need > 0 {
		if need > f.space {
			f.counts.Refused++
			return false
		}
		f.space -= need
	}
	for _, b := range fresh {
		f.taken[b] = true
	}
	return true
}

func (h *handle) size() (int64, syscall.Errno) {
	info, err := h.f.Stat()
	if err != nil {
		return 0, fs.ToErrno(err)
	}
	return info.Size(), 0
}

// truncate changes the size; the caller holds the lock. A file may only become longer while there is space.
func (h *handle) truncate(to int64) syscall.Errno {
	size, errno := h.size()
	if errno != 0 {
		return errno
	}
	if h.fs.limited && to > size && h.fs.space < blockSize {
		h.fs.counts.Refused++
		return syscall.ENOSPC
	}
	if errno := h.note(write{offset: min(to, size), before: size, after: to}); errno != 0 {
		return errno
	}
	return fs.ToErrno(h.f.Truncate(to))
}

// note keeps what is about to be written over.
func (h *handle) note(op write) syscall.Errno {
	end := op.offset + int64(len(op.data))
	if op.data == nil {
		end = op.before
	}
	if end = min(end, op.before); end > op.offset {
		op.was = make([]byte, end-op.offset)
		if _, err := h.f.ReadAt(op.was, op.offset); err != nil {
			return fs.ToErrno(err)
		}
	}
	x := h.fs.files[h.inode]
	if x == nil {
		fd, err := syscall.Dup(int(h.f.Fd()))
		if err != nil {
			return fs.ToErrno(err)
		}
		x = &file{f: os.NewFile(uintptr(fd), h.f.Name())}
		h.fs.files[h.inode] = x
	}
	x.ops = append(x.ops, op)
	return 0
}

// sync puts on the disk what was written before it.
func (h *handle) sync(name string) syscall.Errno {
	f := h.fs
	f.mu.Lock()
	f.counts.Syncs++
	written, meta := 0, false
	if x := f.files[h.inode]; x != nil {
		written = len(x.ops)
		meta = written > 0 && x.ops[written-1].data != nil && x.ops[written-1].offset < 2*blockSize
	}
	if d := f.delay; d > 0 {
		f.mu.Unlock()
		timer := time.NewTimer(d)
		<-timer.C
		f.mu.Lock()
	}
	defer f.mu.Unlock()
	if x := f.failing; x != nil && strings.HasSuffix(name, x.suffix) {
		if x.left--; x.left == 0 {
			f.failing = nil
			f.counts.FailedSyncs++
			x.done <- Failure{time.Now(), meta}
			return syscall.EIO
		}
	}
	if x := f.files[h.inode]; x != nil {
		if x.ops = x.ops[min(written, len(x.ops)):]; len(x.ops) == 0 {
			x.f.Close()
			delete(f.files, h.inode)
		}
	}
	return 0
}
