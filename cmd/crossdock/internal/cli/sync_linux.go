package cli

import (
	"os"
	"syscall"
)

// datasync is what a commit of a store waits for.
func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

// openFiles is how many files a process may have open.
func openFiles() (uint64, error) {
	var r syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r)
	return r.Cur, err
}
