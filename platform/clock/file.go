package clock

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// fileState is what a clock file says: the business time at, which stands still or has been running since a machine
// instant.
type fileState struct {
	At      time.Time `json:"at"`
	Since   time.Time `json:"since"`
	Running bool      `json:"running"`
}

// File returns a business clock that all programs of a development install share through the file at path. It shows what
// SetFile wrote last, and runs from there when it was told to. A file that cannot be read leaves the last known time; with
// no file from the start it is the system's time.
func File(path string) Business { return &file{path: path} }

type file struct {
	path string

	mu      sync.Mutex
	known   bool
	state   fileState
	seen    os.FileInfo   // of the file that state was read from; nil when it could be another by now and look the same
	changed chan struct{} // closed at the next change; nil when nobody has asked
}

// look is how often the file is compared while somebody waits for a change.
const look = 5 * time.Millisecond

// Changed returns a channel that is closed within a few milliseconds of the next SetFile. While a change is awaited one goroutine
// looks at the file; it ends with the change.
func (f *file) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = make(chan struct{})
		seen, _ := os.Stat(f.path) // no file now, and one later, is a change
		go f.watch(seen, f.changed)
	}
	return f.changed
}

func (f *file) watch(seen os.FileInfo, changed chan struct{}) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for range tick.C {
		if now, err := os.Stat(f.path); err != nil || same(seen, now) {
			continue
		}
		f.mu.Lock()
		f.changed = nil
		f.mu.Unlock()
		close(changed)
		return
	}
}

// same says that a file was not replaced. SetFile makes another file each time; a third one within the file system's clock tick could
// look like the first, and is then noticed by whoever looks next.
func same(a, b os.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// Now looks whether the file is another each time, and reads it when it is.
func (f *file) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if info, err := os.Stat(f.path); err == nil && !same(f.seen, info) {
		if state, err := readFile(f.path); err == nil {
			f.state, f.known = state, true
		}
		f.seen = nil
		if time.Since(info.ModTime()) > settled {
			f.seen = info
		}
	}
	machine := now().UTC()
	switch {
	case !f.known:
		return machine
	case f.state.Running:
		return f.state.At.Add(max(0, machine.Sub(f.state.Since))).UTC()
	}
	return f.state.At.UTC()
}

// settled is the age at which a file cannot look like one that replaces it later: many ticks of the file system's clock.
const settled = 100 * time.Millisecond

func readFile(path string) (fileState, error) {
	var state fileState
	data, err := os.ReadFile(path)
	if err != nil {
		return state, err
	}
	if err := json.Unmarshal(data, &state); err != nil {
		return state, fmt.Errorf("clock file %s: %w", path, err)
	}
	return state, nil
}

// SetFile makes every File clock of this path show at; running lets it go on from there with machine time. The file is
// replaced in one step, so no reader sees half of it.
func SetFile(path string, at time.Time, running bool) error {
	data, err := json.Marshal(fileState{At: at.UTC(), Since: now().UTC(), Running: running})
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".clock-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(append(data, '\n')); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
