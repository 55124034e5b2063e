package pressure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	"crossdock.dev/platform/auth"
	"crossdock.dev/tests/process"
	"crossdock.dev/tests/seed"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// memoryLimit is that of a service whose configuration does not say.
const memoryLimit = 256 << 20

// suite starts all programs with the day's master data, then holds those that have no part in it.
func suite(t *testing.T) (*process.Suite, *story.Live, story.Run) {
	s := &process.Suite{
		Bin: bin, Dir: t.TempDir(), Profiles: filepath.Join(sim.Root(t), "integrations", "edi", "partners", "day.yaml"), Discovery: "static", Patience: time.Minute,
	}
	s.TellLogs(t)
	s.Launch(t)
	must(t, s.Ready(t.Context()))
	run, err := story.ReadRun(s.RunFile())
	must(t, err)
	live, err := story.Connect(run)
	must(t, err)
	t.Cleanup(func() { must(t, live.Close()) })
	must(t, live.SetClock(story.Start))
	_, err = seed.Load(t.Context(), os.DirFS(filepath.Join(sim.Root(t), "tests", "day", "seed")), live.Conn("masterdata"))
	must(t, err)
	must(t, live.CaughtUp(t.Context(), "masterdata"))
	for _, name := range []string{"freight", "billing", "workflow", "tower", "edi"} {
		must(t, s.Hold(name))
		must(t, s.Up.AwaitText(t.Context(), name+": held down"))
	}
	return s, live, run
}

// TestOverload offers orders ten times what it can do.
func TestOverload(t *testing.T) {
	s, live, run := suite(t)
	pid := s.PIDs("orders")[0]
	t.Logf("orders is process %d", pid)
	warm, measure, offer := 200*time.Millisecond, 500*time.Millisecond, time.Second
	if *long {
		warm, measure, offer = 2*time.Second, 5*time.Second, 10*time.Second
		if *pin != "" {
			out, err := exec.Command("taskset", "-a", "-p", "-c", *pin, strconv.Itoa(pid)).CombinedOutput()
			if err != nil {
				t.Fatalf("taskset: %v\n%s", err, out)
			}
		}
	}
	if *long {
		must(t, stepBack())
	}
	pki, err := auth.DevPKI(run.PKIDir)
	must(t, err)
	f, err := newFlood(pki, "edi", run.Services["orders"].GRPC, 8)
	must(t, err)
	defer f.close()

	warmed, _ := f.closed(t.Context(), 64, 1, warm)
	spent := cpu(t, pid)
	calm, took := f.closed(t.Context(), 64, 1, measure)
	before, spentCalm := count(calm), cpu(t, pid)-spent
	if n := len(before.good); n != len(calm) {
		t.Fatalf("%d of %d orders came in while nothing was wrong: %v", n, len(calm), before)
	}
	capacity := float64(len(calm)) / took.Seconds()

	var peak int64
	watched := make(chan struct{})
	watching, stop := context.WithCancel(t.Context())
	go func() {
		defer close(watched)
		peak = watch(watching, pid)
	}()
	besides := beside(watching, pki, run.Services["orders"].GRPC)
	t.Log("the flood begins")
	spent = cpu(t, pid)
	shots, took := f.open(t.Context(), 10*capacity, offer, time.Second)
	spentFlood := cpu(t, pid) - spent
	stop()
	<-watched
	other := <-besides
	flooded := count(shots)

	over := time.Now()
	for quick := 0; quick < 20 && time.Since(over) < time.Minute; {
		after := f.fire(t.Context(), time.Minute)
		warmed = append(warmed, after)
		if after.err == nil && after.took < max(2*quantile(before.good, 0.99), 20*time.Millisecond) {
			quick++
		} else {
			quick = 0
		}
	}
	normal := time.Since(over)
	after := f.fire(t.Context(), time.Minute)
	if after.err != nil {
		t.Errorf("afterwards: %v", after.err)
	}

	t.Logf("capacity          %.0f orders/s with 64 callers, p50 %v, p99 %v", capacity, quantile(before.good, 0.5), quantile(before.good, 0.99))
	t.Logf("offered           %.0f orders/s for %v, %.1f times the capacity", float64(len(shots))/took.Seconds(), took.Round(time.Millisecond), float64(len(shots))/took.Seconds()/capacity)
	t.Logf("goodput           %.0f orders/s within 1 s, ratio %.2f, p50 %v, p99 %v", float64(len(flooded.good))/took.Seconds(),
		float64(len(flooded.good))/took.Seconds()/capacity, quantile(flooded.good, 0.5), quantile(flooded.good, 0.99))
	perOrder := spentCalm / time.Duration(len(calm))
	t.Logf("processor         %v of orders' time for one order, %v of it in the flood: %.2f of what it got then went into orders", perOrder,
		(spentFlood / time.Duration(max(1, len(flooded.good)))).Round(time.Microsecond), float64(perOrder)*float64(len(flooded.good))/float64(spentFlood))
	t.Logf("refused           %d, p50 %v, p99 %v; deadline passed %d, unavailable %d", len(flooded.refused), quantile(flooded.refused, 0.5), quantile(flooded.refused, 0.99), flooded.late, flooded.other)
	t.Logf("another service   %d of %d reads answered, p50 %v, p99 %v", len(other.good), other.calls, quantile(other.good, 0.5), quantile(other.good, 0.99))
	t.Logf("peak RssAnon      %.0f MiB, limit %d MiB", float64(peak)/(1<<20), memoryLimit>>20)
	t.Logf("back to normal    after %v", normal.Round(time.Millisecond))

	for what, list := range map[string][]error{"not an answer of overload": flooded.unlike, "no reason or RetryInfo": flooded.without} {
		if len(list) > 0 {
			t.Errorf("%d answers, %s, such as %v", len(list), what, list[0])
		}
	}
	if peak == 0 || peak > memoryLimit {
		t.Errorf("orders took %d bytes, want some and at most %d", peak, memoryLimit)
	}
	if time.Since(over) > time.Minute {
		t.Error("orders is not quick again a minute after the flood")
	}
	have := numbers(t, live)
	for _, number := range count(append(append(append(warmed, calm...), shots...), after)).acknowledged {
		if have[number] != 1 {
			t.Errorf("order %s was acknowledged and is there %d times", number, have[number])
		}
	}
	for number, n := range have {
		if n != 1 {
			t.Errorf("order %s is there %d times", number, n)
		}
	}
	report, err := eventlogv1.NewEventLogServiceClient(live.Conn("orders")).VerifyStore(t.Context(), &eventlogv1.VerifyStoreRequest{})
	if err != nil || len(report.GetBreaches()) > 0 {
		t.Errorf("verify: %v %v", report.GetBreaches(), err)
	}
}

// read is what another service got beside the flood.
type read struct {
	good  []time.Duration
	calls int
}

// beside reads the log as another service does, one call after the other, until ctx ends: facts go on whatever floods the methods.
func beside(ctx context.Context, pki *auth.PKI, addr string) <-chan read {
	out := make(chan read, 1)
	go func() {
		var r read
		defer func() { out <- r }()
		f, err := newFlood(pki, "workflow", addr, 1)
		if err != nil {
			return
		}
		defer f.close()
		logs := eventlogv1.NewEventLogServiceClient(f.conns[0])
		for ctx.Err() == nil {
			begun := time.Now()
			_, err := logs.ReadEntries(ctx, &eventlogv1.ReadEntriesRequest{PageSize: 10})
			if ctx.Err() != nil {
				return
			}
			r.calls++
			if err == nil {
				r.good = append(r.good, time.Since(begun))
			}
		}
	}()
	return out
}

// numbers are the customer's numbers of all orders, with how often each is there.
func numbers(t *testing.T, live *story.Live) map[string]int {
	t.Helper()
	c, out := ordersv1.NewOrderServiceClient(live.Conn("orders")), map[string]int{}
	req := &ordersv1.ListOrdersRequest{PageSize: 500}
	for {
		page, err := c.ListOrders(t.Context(), req)
		must(t, err)
		for _, o := range page.GetOrders() {
			out[o.GetCustomerOrderNumber()]++
		}
		if page.GetNextPageToken() == "" {
			return out
		}
		req = proto.CloneOf(req)
		req.PageToken = page.GetNextPageToken()
	}
}

var rssAnon = regexp.MustCompile(`RssAnon:\s+(\d+) kB`)

// watch returns the most memory that a process had for itself until ctx ended, in bytes.
func watch(ctx context.Context, pid int) (peak int64) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if m := rssAnon.FindSubmatch(raw); err == nil && m != nil {
			kib, _ := strconv.ParseInt(string(m[1]), 10, 64)
			peak = max(peak, kib<<10)
		}
		select {
		case <-ctx.Done():
			return peak
		case <-tick.C:
		}
	}
}

// stepBack makes the generator take only the processor time that the programs leave: in life the callers have machines of their own.
func stepBack() error {
	threads, err := os.ReadDir("/proc/self/task")
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		// A thread that has ended meanwhile needs none; later ones take after those that make them.
		if err := syscall.Setpriority(syscall.PRIO_PROCESS, id, 5); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return err
}

// cpu is how long processors have worked for a process; what it says is counted in hundredths of a second (proc(5)).
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(t, err)
	_, after, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(after)
	user, err := strconv.ParseInt(fields[11], 10, 64)
	must(t, err)
	system, err := strconv.ParseInt(fields[12], 10, 64)
	must(t, err)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// TestNoisyPartner lets one partner of three call far beyond its quota: it is told so, and the others do not notice.
func TestNoisyPartner(t *testing.T) {
	_, live, run := suite(t)
	parties := []string{"parties/CUS-XYZ", "parties/CUS-SNX", customer}
	secrets := map[string]string{}
	for _, p := range parties {
		var err error
		secrets[p], err = live.Secret(t.Context(), p)
		must(t, err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	get := func(party string) (status int, retryAfter string, took time.Duration) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, run.EdgeURL+"/v1/orders", bytes.NewReader(nil))
		if err != nil {
			return 0, "", 0
		}
		req.Header.Set("Authorization", "Bearer "+secrets[party])
		begun := time.Now()
		resp, err := client.Do(req)
		if err != nil {
			return 0, "", 0
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Retry-After"), time.Since(begun)
	}
	// Fewer calls than a full bucket holds: whatever the time, the quota allows them.
	const few = 40
	quiet := func() (all []time.Duration) {
		for range few {
			for _, p := range parties[1:] {
				status, _, took := get(p)
				if status != http.StatusOK {
					t.Errorf("%s, who keeps to the quota, got %d", p, status)
				}
				all = append(all, took)
			}
		}
		return all
	}
	alone := quiet()
	ctx, stop := context.WithCancel(t.Context())
	var noise sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	begun := make(chan struct{})
	for range 32 {
		noise.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				status, retryAfter, _ := get(parties[0])
				mu.Lock()
				answers[status]++
				if answers[status] == 1 && status == http.StatusTooManyRequests {
					close(begun)
				}
				mu.Unlock()
				if status != http.StatusOK && (status != http.StatusTooManyRequests || retryAfter == "") {
					t.Errorf("the noisy partner got %d with Retry-After %q", status, retryAfter)
				}
			}
		})
	}
	<-begun
	beside := quiet()
	stop()
	noise.Wait()
	t.Logf("the others alone    p50 %v, p99 %v", quantile(alone, 0.5), quantile(alone, 0.99))
	t.Logf("beside the noise    p50 %v, p99 %v; all answered", quantile(beside, 0.5), quantile(beside, 0.99))
	t.Logf("the noisy partner   %v by status", answers)
}
