package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// profiling takes profiles of servers while they are measured.
type profiling struct {
	taking sync.WaitGroup
	mu     sync.Mutex
	err    error
}

// profile begins to take a processor profile of each server over the window, and its heap at the end; nil where none are wanted.
func (r *runner) profile(ctx context.Context, name string, of []server, window time.Duration) *profiling {
	if r.Profiles == "" {
		return nil
	}
	p := &profiling{}
	dir := filepath.Join(r.Profiles, name)
	if p.err = os.MkdirAll(dir, 0o755); p.err != nil {
		return p
	}
	seconds := max(1, int(window.Seconds()))
	for _, s := range of {
		if s.admin == "" {
			continue
		}
		p.taking.Go(func() {
			err := errors.Join(
				fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.admin, seconds), filepath.Join(dir, s.name+"-cpu.pprof")),
				fetch(ctx, "http://"+s.admin+"/debug/pprof/allocs", filepath.Join(dir, s.name+"-heap.pprof")))
			p.mu.Lock()
			defer p.mu.Unlock()
			p.err = errors.Join(p.err, err)
		})
	}
	r.progress("profiles of %s go to %s", name, dir)
	return p
}

// wait waits until they are written.
func (p *profiling) wait() error {
	if p == nil {
		return nil
	}
	p.taking.Wait()
	return p.err
}

func fetch(ctx context.Context, url, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return os.WriteFile(file, raw, 0o644)
}
