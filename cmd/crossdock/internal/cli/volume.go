package cli

import (
	"os"
	"path/filepath"
	"syscall"
)

// volume is the volume that a folder is on, or will be on once it is made; nil when the system does not say.
func volume(dir string) *diskStatus {
	at := dir
	for {
		if _, err := os.Stat(at); err == nil || filepath.Dir(at) == at {
			break
		}
		at = filepath.Dir(at)
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(at, &st); err != nil {
		return nil
	}
	// What an ordinary user may still take, not what the system keeps for itself.
	return &diskStatus{Path: dir, FreeBytes: st.Bavail * uint64(st.Bsize), TotalBytes: st.Blocks * uint64(st.Bsize)}
}
