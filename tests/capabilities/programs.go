package capabilities

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Programs are the suite as running programs, kept so by a `crossdock up` of our own.
type Programs struct {
	// Bin is the folder of programs, Dir the suite's data folder.
	Bin, Dir string

	up    *exec.Cmd
	said  *transcript
	ended chan struct{}
	addrs map[string]addresses
}

type addresses struct {
	GRPC   string `json:"grpc"`
	HTTP   string `json:"http"`
	Admin  string `json:"admin"`
	Config string `json:"config"`
}

// Start runs `crossdock up` on a data folder and returns when every program answers. profiles is the file that says what is
// agreed with each EDI partner.
func Start(ctx context.Context, bin, dir, profiles string) (*Programs, error) {
	p := &Programs{Bin: bin, Dir: dir, said: &transcript{changed: make(chan struct{})}, ended: make(chan struct{})}
	p.up = exec.Command(filepath.Join(bin, "crossdock"), "--data", dir, "up", "--story-clock", "--port-base", "0", "--profiles", profiles)
	p.up.Stdout, p.up.Stderr = p.said, p.said
	if err := p.up.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.up.Wait() // Stop reads how it ended
		close(p.ended)
	}()
	if err := p.said.await(ctx, p.ended, func(text string) bool { return ready.MatchString(text) }); err != nil {
		return p, fmt.Errorf("the suite does not start: %w\n%s", err, p.said.text())
	}
	raw, err := os.ReadFile(p.RunFile())
	if err != nil {
		return p, err
	}
	run := struct {
		Services map[string]addresses `json:"services"`
	}{}
	err = json.Unmarshal(raw, &run)
	p.addrs = run.Services
	return p, err
}

var (
	ready = regexp.MustCompile(`DEVELOPMENT on loopback`)
	// started finds the lines with which up tells the process id of a program.
	started = regexp.MustCompile(`(?m)^([a-z]+)(?:  .*?  (\d+)  /|: started again, pid (\d+)$)`)
)

// RunFile describes the running suite.
func (p *Programs) RunFile() string { return filepath.Join(p.Dir, "run.json") }

// Stop stops all programs.
func (p *Programs) Stop() error {
	if err := p.up.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	if code := p.up.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("crossdock up: exit status %d\n%s", code, p.said.text())
	}
	return nil
}

// pids are the process ids that a program had, oldest first.
func (p *Programs) pids(service, text string) []int {
	var out []int
	for _, m := range started.FindAllStringSubmatch(text, -1) {
		if pid, err := strconv.Atoi(m[2] + m[3]); err == nil && m[1] == service {
			out = append(out, pid)
		}
	}
	return out
}

// kill ends a program without warning, and returns its process ids before and after.
func (p *Programs) kill(ctx context.Context, service string) (before, after int, err error) {
	had := p.pids(service, p.said.text())
	if len(had) == 0 {
		return 0, 0, fmt.Errorf("crossdock up did not tell the process id of %s", service)
	}
	before = had[len(had)-1]
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		return before, 0, err
	}
	err = p.said.await(ctx, p.ended, func(text string) bool {
		now := p.pids(service, text)
		if len(now) > len(had) {
			after = now[len(now)-1]
		}
		return after != 0
	})
	return before, after, err
}

func (p *Programs) holdFile(service string) string { return filepath.Join(p.Dir, "hold", service) }

// hold stops a program and keeps it down; it returns when nobody listens where it did.
func (p *Programs) hold(ctx context.Context, service string) error {
	if err := os.MkdirAll(filepath.Dir(p.holdFile(service)), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(p.holdFile(service), nil, 0o600); err != nil {
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
func (p *Programs) free(service string) error { return os.Remove(p.holdFile(service)) }

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
	return run(ctx, p.Dir, filepath.Join(p.Bin, "crossdock"), append([]string{"--data", p.Dir}, args...)...)
}

// run runs a program in a folder.
func run(ctx context.Context, dir, program string, args ...string) (out string, status int, err error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return stdout.String() + stderr.String(), exit.ExitCode(), nil
	}
	return stdout.String(), 0, err
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

// transcript keeps what a program prints and tells when there is more.
type transcript struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{}
}

func (o *transcript) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.buf.Write(b)
}

func (o *transcript) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// await returns when the output has what is looked for.
func (o *transcript) await(ctx context.Context, ended <-chan struct{}, has func(string) bool) error {
	for {
		o.mu.Lock()
		changed := o.changed
		o.mu.Unlock()
		if has(o.text()) {
			return nil
		}
		select {
		case <-changed:
		case <-ended:
			return errors.New("the suite has ended")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
