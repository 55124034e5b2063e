package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"crossdock.dev/tests/conductor"
	"crossdock.dev/tests/process"
	"crossdock.dev/tests/seed"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
	"crossdock.dev/tests/torture/faultfs"
)

// patience is how long anything may take on a loaded machine before something must be wrong.
const patience = 10 * time.Minute

// today is when everything happens: business time stands still on Wednesday 09:30 in Columbus, Ohio, so that no timer is due.
var today = time.Date(2026, 3, 4, 14, 30, 0, 0, time.UTC)

// world is a suite of programs that is attacked.
type world struct {
	*attack
	suite *process.Suite
	live  *conductor.Live
	door  string // URL of the edge
	http  *http.Client
	disks map[string]*faultfs.FS // by service, where the attack is on them
	files sync.RWMutex           // held for reading while partners use the folders of files

	mu      sync.Mutex
	secrets map[string]string
	heard   map[string]int // answers other than 2xx, by status or kind, that were asked again
}

// openWorld starts a suite on an empty folder and fills it. prepare may change the folder before the first start; edge lets each partner
// ask as often as it likes, since it is not what is attacked here.
func openWorld(a *attack, bin string, prepare ...func(w *world)) *world {
	a.Helper()
	w := &world{
		attack: a, secrets: map[string]string{}, heard: map[string]int{},
		http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256}},
		suite: &process.Suite{
			Bin: bin, Dir: a.TempDir(), Profiles: filepath.Join(sim.Root(a), "integrations", "edi", "partners", "day.yaml"), Discovery: "static",
			Patience: patience,
		},
	}
	w.suite.ClaimPorts(a)
	w.suite.TellLogs(a)
	for _, p := range prepare {
		p(w)
	}
	must(a, w.suite.Hold("edge"))
	w.suite.Launch(a)
	must(a, w.suite.Ready(a.Context()))
	addresses, err := w.suite.Addresses()
	must(a, err)
	f, err := os.OpenFile(addresses["edge"].Config, os.O_APPEND|os.O_WRONLY, 0)
	must(a, err)
	_, err = f.WriteString("quota: {per_second: 100000, burst: 100000, partners: 100}\nmax_in_flight: 2048\n")
	must(a, errors.Join(err, f.Close(), w.suite.Release("edge")))
	_, err = w.suite.PID(a.Context(), "edge", 0)
	must(a, err)

	run, err := story.ReadRun(w.suite.RunFile())
	must(a, err)
	w.door = run.EdgeURL
	live, err := story.Connect(run)
	must(a, err)
	a.Cleanup(func() { must(a, live.Close()) })
	w.live, err = conductor.Conduct(run, live)
	must(a, err)
	must(a, live.SetClock(today))
	_, err = seed.Load(a.Context(), os.DirFS(filepath.Join(sim.Root(a), "tests", "day", "seed")), live.Conn("masterdata"))
	must(a, err)
	must(a, live.CaughtUp(a.Context(), "masterdata"))
	return w
}

// secret is the key of a party.
func (w *world) secret(ctx context.Context, party string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.secrets[party] == "" {
		s, err := w.live.Secret(ctx, party)
		if err != nil {
			return "", err
		}
		w.secrets[party] = s
	}
	return w.secrets[party], nil
}

// call makes one call at the partners' door.
func (w *world) call(ctx context.Context, party, method, path, key string, body []byte) (status int, answer []byte, err error) {
	secret, err := w.secret(ctx, party)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, w.door+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// The pause between two tries doubles from the first to the last.
const (
	firstPause = 10 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// ask calls again and again with the same key until there is an answer, as a partner does that hears nothing, 429, 503 or 504.
func (w *world) ask(ctx context.Context, party, method, path, key string, body []byte) ([]byte, error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		status, answer, err := w.call(ctx, party, method, path, key, body)
		if err == nil && status/100 == 2 {
			return answer, nil
		}
		kind := fmt.Sprint(status)
		var transport *url.Error
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &transport) || errors.Is(err, io.ErrUnexpectedEOF):
			kind = "no answer"
		case err != nil:
			return nil, err
		case status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout || status == http.StatusTooManyRequests:
		default:
			return nil, &story.RESTError{Status: status, Body: answer}
		}
		w.mu.Lock()
		w.heard[kind]++
		w.mu.Unlock()
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// lateRest is when what the suite is at is told.
const lateRest = 30 * time.Second

// rest waits until the suite is at rest.
func (w *world) rest() error {
	late := time.AfterFunc(lateRest, func() {
		_, out, errOut, _ := process.Run(w.suite.Command(w.Context(), "status"))
		w.say("not at rest after %v\n%s%s", lateRest, out, errOut)
	})
	defer late.Stop()
	for begun := time.Now(); ; {
		if _, err := w.live.Rest(w.Context()); err == nil || time.Since(begun) > patience {
			return err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tell says in words what callers heard instead of an answer.
func (w *world) tell() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimPrefix(fmt.Sprint(w.heard), "map")
}

// ready waits until a program that was started answers that it is, and returns how long that took since it was told of. ok is false
// when it was started again meanwhile, or never was.
func (w *world) ready(ctx context.Context, name string, restarts int) (took time.Duration, ok bool, err error) {
	pid, err := w.suite.PID(ctx, name, restarts)
	if err != nil {
		return 0, false, err
	}
	begun := time.Now()
	addresses, err := w.suite.Addresses()
	if err != nil {
		return 0, false, err
	}
	err = w.suite.Up.Until(ctx, name+" is ready again", func() bool {
		if pids := w.suite.PIDs(name); pids[len(pids)-1] != pid {
			return true
		}
		ok = isReady(ctx, addresses[name].Admin)
		return ok
	})
	return time.Since(begun), ok, err
}

func isReady(ctx context.Context, admin string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}
