package limits

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"crossdock.dev/bench/internal/load"
)

// Append appends 4 KiB to a file in dir and syncs them, again and again.
func Append(ctx context.Context, dir string, p load.Plan) (load.Result, error) {
	f, err := os.Create(filepath.Join(dir, "append"))
	if err != nil {
		return load.Result{}, err
	}
	block := make([]byte, 4096)
	p.Workers = 1
	r, err := load.Run(ctx, p, func(context.Context, int, uint64) error {
		if _, err := f.Write(block); err != nil {
			return err
		}
		return syscall.Fdatasync(int(f.Fd()))
	})
	return r, errors.Join(err, f.Close(), os.Remove(f.Name()))
}
