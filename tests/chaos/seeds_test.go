package chaos

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/tests/expect"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

var (
	oneSeed = flag.Uint64("seed", 0, "play this seed alone")
	long    = flag.Bool("long", false, "play many seeds")
)

// TestSeeds plays the order with one seed after the other.
func TestSeeds(t *testing.T) {
	seeds := uint64(30)
	if *long {
		seeds = 500
	}
	if *oneSeed != 0 {
		play(t, *oneSeed, nil)
		return
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			play(t, seed, nil)
		})
	}
}

// TestSeedRepeats plays a seed twice: every step and every byte of every log is the same.
func TestSeedRepeats(t *testing.T) {
	const seed = 7
	a, b := play(t, seed, nil), play(t, seed, nil)
	for i := range min(len(a.trace), len(b.trace)) {
		if a.trace[i] != b.trace[i] {
			t.Fatalf("line %d was %q and is %q", i+1, a.trace[i], b.trace[i])
		}
	}
	for _, name := range sim.Names {
		if x, y := a.tip(name), b.tip(name); string(x) != string(y) {
			t.Errorf("log of %s ends with %x and with %x\n%s", name, x, y, firstDiff(t, a, b, name))
		}
	}
	if a.hash() != b.hash() {
		t.Errorf("hash of the first run is %s, of the second %s", a.hash(), b.hash())
	}
	if other := play(t, seed+1, nil); other.hash() == a.hash() {
		t.Error("another seed makes the same run")
	}
}

// play plays the order with a seed, ends the faults, and compares.
func play(t *testing.T, seed uint64, after func(*world)) *world {
	t.Helper()
	w := newWorld(t, seed)
	if after != nil {
		w.after = func() { after(w) }
	}
	var names story.Names
	for _, act := range w.acts(&names) {
		if act.At.After(w.Now()) {
			must(t, w.SetClock(act.At))
		}
		w.note("%s", act.What)
		if err := act.Do(t.Context()); err != nil {
			t.Fatalf("seed %d, turn %d: %s: %v", seed, w.turns, act.What, err)
		}
		if err := w.some(100); err != nil {
			t.Fatalf("seed %d, turn %d: after %s: %v", seed, w.turns, act.What, err)
		}
	}
	must(t, w.heal())
	expect.HappyPath(t, w, names)
	w.check()
	t.Logf("seed %d: %d turns, %+v, trace %s", seed, w.turns, w.seen, w.hash()[:16])
	return w
}

// acts is the story with the carrier's reports out of order and more than once, and the file in the inbox again and again. No
// report comes before what it tells of, nor later than the proof of delivery.
func (w *world) acts(names *story.Names) []story.Act {
	file, err := os.ReadFile(filepath.Join(sim.Root(w.t), "tests", "day", "x12", "850.edi"))
	must(w.t, err)
	const reports, proof = 2, 6 // places in the story of the first report and of what follows the last
	told := story.HappyPath(w, file, names)
	var out []story.Act
	late := make([][]story.Act, len(told))
	for i, act := range told {
		if i < reports || i >= proof {
			out = append(out, act)
		} else {
			slot := i + w.r.IntN(proof-i)
			late[slot] = append(late[slot], act)
			if w.oneIn(2) { // the same report under another key, later or earlier than the first
				again := i + w.r.IntN(proof-i)
				late[again] = append(late[again], story.Act{What: act.What + " twice", Do: func(ctx context.Context) error {
					w.suffix = "-again"
					defer func() { w.suffix = "" }()
					return act.Do(ctx)
				}})
			}
			w.r.Shuffle(len(late[i]), func(a, b int) { late[i][a], late[i][b] = late[i][b], late[i][a] })
			for _, l := range late[i] {
				l.At = act.At
				out = append(out, l)
			}
		}
		if w.oneIn(2) {
			name := fmt.Sprintf("copy-%d.edi", i)
			if w.oneIn(2) {
				name = "po-" + story.PurchaseOrder + ".edi"
			}
			out = append(out, story.Act{At: act.At, What: "the customer's 850 comes in again", Do: func(ctx context.Context) error {
				w.seen.drops++
				return w.Drop(ctx, name, file)
			}})
		}
	}
	return out
}

// check wants every store whole, nothing open, nothing waiting, and every file accounted for.
func (w *world) check() {
	t, ctx := w.t, w.t.Context()
	t.Helper()
	for _, name := range sim.Names {
		report, err := w.Store(name).Verify(ctx)
		must(t, err)
		for _, b := range report.Breaches {
			t.Errorf("%s: %s", name, b)
		}
		log := eventlogv1.NewEventLogServiceClient(w.Conn(name))
		consumers, err := log.ListConsumers(ctx, &eventlogv1.ListConsumersRequest{})
		must(t, err)
		for _, c := range consumers.GetConsumers() {
			if c.GetParked() != 0 || c.GetDeferred() != 0 {
				t.Errorf("%s of %s: %d facts parked, %d deferred", name, c.GetLog(), c.GetParked(), c.GetDeferred())
			}
		}
		tasks, err := log.ListTasks(ctx, &eventlogv1.ListTasksRequest{})
		must(t, err)
		for _, task := range tasks.GetTasks() {
			if due := task.GetDueTime(); task.GetState() != eventlogv1.Task_PENDING || due == nil || !due.AsTime().After(w.Now()) {
				t.Errorf("%s: task %v is not done", name, task)
			}
		}
	}
	report, err := towerv1.NewTowerServiceClient(w.Conn("tower")).CheckInvariants(ctx, &towerv1.CheckInvariantsRequest{})
	must(t, err)
	for _, b := range report.GetBreaches() {
		t.Errorf("%s: %s", b.GetInvariant(), b.GetDetail())
	}
	items, err := workflowv1.NewWorkflowServiceClient(w.Conn("workflow")).ListWorkItems(ctx, &workflowv1.ListWorkItemsRequest{})
	must(t, err)
	for _, item := range items.GetWorkItems() {
		t.Errorf("work item %v", item)
	}
	counts, err := ediv1.NewEdiServiceClient(w.Conn("edi")).ListMessageCounts(ctx, &ediv1.ListMessageCountsRequest{})
	must(t, err)
	var received, applied, duplicate uint64
	for _, c := range counts.GetMessageCounts() {
		if c.GetSet() == "850" {
			received, applied, duplicate = received+c.GetReceived(), applied+c.GetApplied(), duplicate+c.GetDuplicate()
		}
	}
	if want := uint64(w.deliveries); received != want || applied != 1 || duplicate != want-1 {
		t.Errorf("850s: received %d, applied %d, duplicate %d, want %d, 1, %d", received, applied, duplicate, want, want-1)
	}
}
