package transport

import (
	"errors"
	"os"
	"sync"
	"time"
)

// glance is how often the folder is looked at where the system does not tell of files.
const glance = 5 * time.Millisecond

// Watch tells when files come into an inbox. A folder on another machine may tell of none, so it is looked at now and then all the same.
type Watch struct {
	in   Inbox
	once sync.Once

	mu     sync.Mutex
	file   *os.File // nil where the system does not tell
	wake   chan struct{}
	closed bool
}

// NewWatch returns a Watch, which begins when it is first asked.
func NewWatch(in Inbox) *Watch { return &Watch{in: in, wake: make(chan struct{})} }

// Wake returns a channel that is closed when a file may have come.
func (w *Watch) Wake() <-chan struct{} {
	w.once.Do(w.begin)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil && !w.closed {
		time.AfterFunc(glance, w.tell)
	}
	return w.wake
}

func (w *Watch) begin() {
	f, err := watch(w.in.dir)
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		f.Close() // nothing was written
		return
	}
	w.file = f
	go func() {
		for buf := make([]byte, 4<<10); ; {
			if _, err := f.Read(buf); err != nil {
				return
			}
			w.tell()
		}
	}()
}

func (w *Watch) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.wake)
	w.wake = make(chan struct{})
}

// Close ends the watch.
func (w *Watch) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
