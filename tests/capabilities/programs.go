package capabilities

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"syscall"
	"time"

	"crossdock.dev/tests/process"
)

// Programs are the suite as running programs, kept so by a `crossdock up` of our own.
type Programs struct {
	*process.Suite
	addrs map[string]process.Addresses
}

// Start runs `crossdock up` on a data folder and returns when every program answers. profiles is the file that says what is
// agreed with each EDI partner.
func Start(ctx context.Context, bin, dir, profiles string) (*Programs, error) {
	p := &Programs{Suite: &process.Suite{Bin: bin, Dir: dir, Profiles: profiles}}
	if err := p.Suite.Start(); err != nil {
		return nil, err
	}
	err := p.Ready(ctx)
	if err != nil {
		return p, fmt.Errorf("the suite does not start: %w\n%s", err, p.Up.Text())
	}
	p.addrs, err = p.Addresses()
	return p, err
}

// Stop stops all programs.
func (p *Programs) Stop() error {
	if err := p.Up.Stop(); err != nil {
		return fmt.Errorf("%w\n%s", err, p.Up.Text())
	}
	return nil
}

// kill ends a program without warning, and returns its process ids before and after.
func (p *Programs) kill(ctx context.Context, service string) (before, after int, err error) {
	had := p.PIDs(service)
	if len(had) == 0 {
		return 0, 0, fmt.Errorf("crossdock up did not tell the process id of %s", service)
	}
	before = had[len(had)-1]
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		return before, 0, err
	}
	after, err = p.PID(ctx, service, len(had))
	return before, after, err
}

// hold stops a program and keeps it down; it returns when nobody listens where it did.
func (p *Programs) hold(ctx context.Context, service string) error {
	if err := p.Hold(service); err != nil {
		return err
	}
	return poll(ctx, func() (bool, error) {
		conn, err := net.Dial("tcp", p.addrs[service].GRPC)
		if err != nil {
			return true, nil
		}
		return false, conn.Close()
	})
}

// free lets a program run again.
func (p *Programs) free(service string) error { return p.Release(service) }

// poll asks until the answer is yes.
func poll(ctx context.Context, ask func() (bool, error)) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// cli runs the command line on the suite, and returns what it prints and its exit status.
func (p *Programs) cli(ctx context.Context, args ...string) (string, int, error) {
	cmd := p.Command(ctx, args...)
	cmd.Dir = p.Dir
	return ran(cmd)
}

// run runs a program in a folder.
func run(ctx context.Context, dir, program string, args ...string) (out string, status int, err error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	return ran(cmd)
}

// ran runs a command to its end.
func ran(cmd *exec.Cmd) (out string, status int, err error) {
	status, out, errOut, err := process.Run(cmd)
	if status != 0 {
		out += errOut // it says why
	}
	return out, status, err
}

// get reads a page without following where it leads.
func get(ctx context.Context, url string) (status int, body, location string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", "", err
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), resp.Header.Get("Location"), err
}

// metrics are what a service's admin listener tells, in the text format of Prometheus.
func (p *Programs) metrics(ctx context.Context, service string) (string, error) {
	status, body, _, err := get(ctx, "http://"+p.addrs[service].Admin+"/metrics")
	if err != nil {
		return "", err
	}
	return body, same("status of the metrics of "+service, status, http.StatusOK)
}

// page is a page of the control tower.
func (p *Programs) page(ctx context.Context, path string) (status int, body, location string, err error) {
	return get(ctx, "http://"+p.addrs["tower"].HTTP+path)
}
