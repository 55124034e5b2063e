//go:build !linux

package transport

import (
	"errors"
	"os"
)

// watch: other systems tell of nothing; the folder is looked at instead.
func watch(string) (*os.File, error) { return nil, errors.ErrUnsupported }
