package limits

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"crossdock.dev/bench/internal/load"
)

// Append appends 4 KiB to a file in dir and syncs them with each operation; done removes the file.
func Append(dir string) (op load.Op, done func() error, err error) {
	f, err := os.Create(filepath.Join(dir, "append"))
	if err != nil {
		return nil, nil, err
	}
	block := make([]byte, 4096)
	op = func(context.Context, load.Turn) error {
		if _, err := f.Write(block); err != nil {
			return err
		}
		return syscall.Fdatasync(int(f.Fd()))
	}
	return op, func() error { return errors.Join(f.Close(), os.Remove(f.Name())) }, nil
}
