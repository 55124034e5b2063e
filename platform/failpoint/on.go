//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// Folder is the environment variable that names the folder.
const Folder = "CROSSDOCK_FAILPOINTS"

var (
	mu    sync.Mutex
	armed string // what stood in the file when it was looked at last
	hits  int    // of the armed point, since then
)

// Hit kills the program when it is told to, at the hit that it is told.
func Hit(name string) {
	dir := os.Getenv(Folder)
	if dir == "" {
		return
	}
	file := filepath.Join(dir, filepath.Base(os.Args[0]))
	mu.Lock()
	defer mu.Unlock()
	text, err := os.ReadFile(file)
	if err != nil {
		armed = ""
		return
	}
	if string(text) != armed {
		armed, hits = string(text), 0
	}
	var point string
	var at int
	if n, err := fmt.Sscan(armed, &point, &at); n != 2 || err != nil || point != name {
		return
	}
	if hits++; hits < at {
		return
	}
	if os.Remove(file) == nil { // else it is disarmed
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // it is dead
	}
}
