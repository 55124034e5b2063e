package transport

import (
	"errors"
	"os"
	"syscall"
)

// watch tells of files that come into a folder: each read of what it returns waits for some (inotify(7)).
func watch(dir string) (*os.File, error) {
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	f := os.NewFile(uintptr(fd), "inotify")
	if _, err := syscall.InotifyAddWatch(fd, dir, syscall.IN_MOVED_TO|syscall.IN_CLOSE_WRITE|syscall.IN_ONLYDIR); err != nil {
		return nil, errors.Join(os.NewSyscallError("inotify_add_watch", err), f.Close())
	}
	return f, nil
}
