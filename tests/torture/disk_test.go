package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/tests/torture/faultfs"
)

// withDisks puts the data of every service on a disk of its own that fails as it is told. Where none can be mounted the attack is left
// out, unless REQUIRE_FUSE=1.
func (a *attack) withDisks() func(w *world) {
	a.Helper()
	if err := faultfs.Available(); err != nil {
		if os.Getenv("REQUIRE_FUSE") == "1" {
			a.Fatalf("no file system can be mounted: %v", err)
		}
		a.say("LEFT OUT: no file system can be mounted here: %v", err)
		a.Skip(err)
	}
	return func(w *world) {
		w.disks = map[string]*faultfs.FS{}
		for _, name := range names {
			disk, err := faultfs.New(filepath.Join(w.suite.Dir, "disks", name), filepath.Join(w.suite.Dir, "data", name))
			must(w, err)
			w.disks[name] = disk
			w.Cleanup(func() {
				if err := disk.Unmount(); err != nil {
					w.Error(errors.Join(err, disk.Detach()))
				}
			})
		}
	}
}

// working are the programs that change their stores while flows are in flight.
var working = []string{"orders", "freight", "billing", "workflow", "edi", "edge", "tower"}

var died = regexp.MustCompile(`(?m)^([a-z]+): died, (.*?); starts`)

// deaths are the ways in which a program has ended, as up has told them.
func (w *world) deaths(name string) []string {
	var out []string
	for _, m := range died.FindAllStringSubmatch(w.suite.Up.Text(), -1) {
		if m[1] == name {
			out = append(out, m[2])
		}
	}
	return out
}

// The n-th sync of a store fails. What became of the commit is not known: the program ends by itself, with an exit status that says so,
// callers hear that they may ask again, and what they ask again has one effect.
func TestSyncFails(t *testing.T) {
	a := begin(t, 40*time.Second)
	w := openWorld(a, shipped, a.withDisks())
	l := w.startLoad(30)
	var took []time.Duration
	meta := 0
	n := times(20, 200)
	for i := 1; i <= n; i++ {
		name := working[i%len(working)]
		had, before := len(w.suite.PIDs(name)), len(w.deaths(name))
		var failure faultfs.Failure
		select {
		case failure = <-w.disks[name].FailSync(".db", i):
		case <-time.After(patience):
			t.Fatalf("%s does not sync %d times", name, i)
		}
		must(t, w.suite.Up.Await(t.Context(), name+" has ended", func(string) bool { return len(w.deaths(name)) > before }))
		took = append(took, time.Since(failure.At))
		if failure.Meta {
			meta++
		}
		if how := w.deaths(name)[before]; !strings.HasPrefix(how, "exit status ") || how == "exit status 0" {
			t.Errorf("%s ended with %s after its %d. sync had failed, want an exit status that is not 0", name, how, i)
		}
		_, _, err := w.ready(t.Context(), name, had)
		must(t, err)
		must(t, w.calm(name, i))
	}
	begun := l.count()
	l.check()
	slices.Sort(took)
	a.say("ended after the failed sync: median %v, slowest %v; %s", took[len(took)/2].Round(time.Millisecond), slices.Max(took).Round(time.Millisecond), within(took, time.Second))
	if slices.Max(took) > 30*time.Second {
		t.Errorf("ended only after %v", slices.Max(took))
	}
	a.over("%d syncs failed, %d of them of a meta page, %d flows begun until the last", n, meta, begun)
}

// calm has a program that has died several times start anew once, so that its supervisor does not wait longer and longer.
func (w *world) calm(name string, kills int) error {
	if kills%3 != 0 {
		return nil
	}
	had := w.suite.PIDs(name)
	if err := w.suite.Hold(name); err != nil {
		return err
	}
	err := w.suite.Up.Until(w.Context(), name+" has stopped", func() bool { return errors.Is(syscall.Kill(had[len(had)-1], 0), syscall.ESRCH) })
	if err := errors.Join(err, w.suite.Release(name)); err != nil {
		return err
	}
	_, _, err = w.ready(w.Context(), name, len(had))
	return err
}

// The disk of one service fills up at a random point, and space comes back. The service goes on reading and refuses changes; it does not
// end, nor do others, and changes go through again without a restart.
func TestDiskFull(t *testing.T) {
	a := begin(t, 40*time.Second)
	w := openWorld(a, shipped, a.withDisks())
	l := w.startLoad(30)
	rounds := times(5, 100)
	before := w.starts()
	var back []time.Duration
	for i := range rounds {
		name := working[i%len(working)]
		disk := w.disks[name]
		refused := disk.Counts().Refused
		disk.Limit(a.r.Int64N(256 << 10))
		must(t, w.suite.Up.Until(t.Context(), "the disk of "+name+" is full", func() bool { return disk.Counts().Refused > refused }))
		until := time.Now().Add(2 * time.Second)
		for time.Now().Before(until) {
			must(t, w.othersGoOn(""))
			must(t, wait(t.Context(), look))
		}
		at, err := w.last(name)
		must(t, err)
		disk.Unlimit()
		begun := time.Now()
		must(t, w.suite.Up.Until(t.Context(), name+" changes its store again", func() bool {
			now, err := w.last(name)
			return err == nil && now > at
		}))
		back = append(back, time.Since(begun))
	}
	if after := w.starts(); after != before {
		t.Errorf("programs were started again: %s, was %s", after, before)
	}
	begun := l.count()
	l.check()
	slices.Sort(back)
	a.over("%d disks filled up, the first change after %v at most, %d flows begun until the last", rounds, slices.Max(back).Round(time.Millisecond), begun)
}

// The disk of one service is slow. The others do not feel it.
func TestDiskSlow(t *testing.T) {
	a := begin(t, 40*time.Second)
	w := openWorld(a, shipped, a.withDisks())
	l := w.startLoad(30)
	before := w.starts()
	var slowest time.Duration
	for i := range times(4, 40) {
		name := working[a.r.IntN(len(working))]
		w.disks[name].Slow([]time.Duration{200 * time.Millisecond, 2 * time.Second}[i%2])
		until := time.Now().Add(3 * time.Second)
		for time.Now().Before(until) {
			begun := time.Now()
			must(t, w.othersGoOn(name))
			slowest = max(slowest, time.Since(begun))
			must(t, wait(t.Context(), look))
		}
		w.disks[name].Slow(0)
	}
	if after := w.starts(); after != before {
		t.Errorf("programs were started again: %s, was %s", after, before)
	}
	begun := l.count()
	l.check()
	a.over("%d slow disks, the slowest round of reads of all others took %v, %d flows begun until the last", times(4, 40), slowest.Round(time.Millisecond), begun)
}

// starts says how often each program was started.
func (w *world) starts() string {
	var out []string
	for _, name := range names {
		out = append(out, fmt.Sprint(name, " ", len(w.suite.PIDs(name))))
	}
	return strings.Join(out, ", ")
}

// othersGoOn asks every service but one something that reads its store, and wants it ready.
func (w *world) othersGoOn(but string) error {
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
	defer cancel()
	addresses, err := w.suite.Addresses()
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, len(names))
	for i, name := range names {
		if name == but {
			continue
		}
		wg.Go(func() {
			if _, err := w.last(name); err != nil {
				errs[i] = fmt.Errorf("%s does not read: %w", name, err)
			} else if !isReady(ctx, addresses[name].Admin) {
				errs[i] = fmt.Errorf("%s is not ready", name)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// last is the number of a log's last entry.
func (w *world) last(service string) (uint64, error) {
	log, err := eventlogv1.NewEventLogServiceClient(w.live.Conn(service)).GetLog(w.Context(), &eventlogv1.GetLogRequest{})
	return log.GetLast().GetSequence(), err
}

// The power of one machine, or of all, is cut: what was not synced is gone, or some of it, or half a page.
func TestPowerCut(t *testing.T) {
	a := begin(t, 40*time.Second)
	w := openWorld(a, shipped, a.withDisks())
	l := w.startLoad(30)
	for _, disk := range w.disks {
		disk.Slow(20 * time.Millisecond) // so that more is under way when the power goes
	}
	cuts, n := times(25, 500), 0
	var took []time.Duration
	lost := func() (total faultfs.Counts) {
		for _, disk := range w.disks {
			c := disk.Counts()
			total.Dropped, total.Torn, total.Names = total.Dropped+c.Dropped, total.Torn+c.Torn, total.Names+c.Names
		}
		return total
	}
	// Whether a write is under way when the power goes is chance: it is cut until one was.
	for n < cuts || lost().Dropped+lost().Torn == 0 && n < 20*cuts {
		must(t, wait(t.Context(), a.between(0, 500*time.Millisecond)))
		victims := []string{names[a.r.IntN(len(names))]}
		if a.r.IntN(5) == 0 {
			victims = names
		}
		n += len(victims)
		d, err := w.cut(victims, a.r)
		must(t, err)
		took = append(took, d)
	}
	begun, total := l.count(), lost()
	l.check()
	if total.Dropped+total.Torn == 0 {
		t.Error("no write was lost: the cuts do nothing")
	}
	slices.Sort(took)
	a.over("%d cuts, %d writes lost, %d torn, %d changes of names taken back, all ready again after %v at most, %d flows begun until the last",
		n, total.Dropped, total.Torn, total.Names, slices.Max(took).Round(time.Millisecond), begun)
}

// cut cuts the power of programs and turns it on again; it returns how long they took to be ready.
func (w *world) cut(victims []string, r *rand.Rand) (time.Duration, error) {
	w.files.Lock() // partners' files wait outside
	had := map[string]int{}
	for _, name := range victims {
		pids := w.suite.PIDs(name)
		had[name] = len(pids)
		if err := errors.Join(w.suite.Kill(name), w.suite.Hold(name)); err != nil {
			w.files.Unlock()
			return 0, err
		}
	}
	err := func() error {
		defer w.files.Unlock()
		for _, name := range victims {
			pids := w.suite.PIDs(name)
			pid := pids[len(pids)-1]
			if err := w.suite.Up.Until(w.Context(), name+" is gone", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }); err != nil {
				return err
			}
			disk := w.disks[name]
			if err := disk.Unmount(); err != nil {
				return err
			}
			if err := disk.Cut(r); err != nil {
				return err
			}
			if err := disk.Mount(); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	for _, name := range victims {
		if err := w.suite.Release(name); err != nil {
			return 0, err
		}
	}
	for _, name := range victims {
		if _, _, err := w.ready(w.Context(), name, had[name]); err != nil {
			return 0, err
		}
	}
	return time.Since(begun), nil
}
