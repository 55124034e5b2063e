//go:build !linux

package cli

import (
	"errors"
	"os"
)

// datasync is what a commit of a store waits for.
func datasync(f *os.File) error { return f.Sync() }

func openFiles() (uint64, error) { return 0, errors.ErrUnsupported }
