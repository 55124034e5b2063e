package chaos

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	seeds   = flag.Uint64("seeds", 20, "play so many seeds")
	from    = flag.Uint64("from", 1, "the first of them; a program keeps some 10 MB of each suite, so thousands are played in pieces")
	stories = flag.Uint64("stories", 5, "play so many stories with every message repeated, reordered and delayed")
)

// TestSeeds is the simulation: stories are played one after the other while all that may go wrong does, as often as the seed
// will have it.
func TestSeeds(t *testing.T) {
	each(t, "simulation", *seeds, func(t *testing.T, seed uint64) { play(t, seed, drawRates) })
}

// TestFound plays the seeds that have found something, with the mechanism that was mended then.
func TestFound(t *testing.T) {
	for seed, what := range map[uint64]string{
		5:  "load numbers went on in another order than their times when the clock stepped back (freight)",
		14: "the same, in the first two loads of a month (freight)",
	} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			play(t, seed, drawRates)
			if t.Failed() {
				t.Logf("seed %d found before: %s", seed, what)
			}
		})
	}
}

// TestMessages repeats every message one to five times, reorders and delays them: the end is that of the orderly run.
func TestMessages(t *testing.T) {
	each(t, "messages", *stories, func(t *testing.T, seed uint64) { play(t, seed, func(*rand.Rand) rates { return messages() }) })
}

// each plays seeds beside each other, and says what it took.
func each(t *testing.T, name string, n uint64, play func(*testing.T, uint64)) {
	if *oneSeed != 0 {
		play(t, *oneSeed)
		return
	}
	begun := time.Now()
	t.Run("seeds", func(t *testing.T) {
		for seed := *from; seed < *from+n; seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				play(t, seed)
			})
		}
	})
	fmt.Printf("%s: %d seeds from %d, %v\n", name, n, *from, time.Since(begun).Round(time.Second))
}

// TestSeedRepeats plays seeds three times: every step and every byte of every log is the same.
func TestSeedRepeats(t *testing.T) {
	hashes := map[string]uint64{}
	for _, seed := range []uint64{7, 11, 12} {
		a := play(t, seed, drawRates)
		for range 2 {
			b := play(t, seed, drawRates)
			for i := range min(len(a.trace), len(b.trace)) {
				if a.trace[i] != b.trace[i] {
					t.Fatalf("seed %d: line %d was %q and is %q", seed, i+1, a.trace[i], b.trace[i])
				}
			}
			for _, name := range sim.Names {
				if x, y := a.tip(name), b.tip(name); string(x) != string(y) {
					t.Errorf("seed %d: log of %s ends with %x and with %x\n%s", seed, name, x, y, firstDiff(t, a, b, name))
				}
			}
			if a.hash() != b.hash() {
				t.Errorf("seed %d: hash of one run is %s, of another %s", seed, a.hash(), b.hash())
			}
		}
		if other, ok := hashes[a.hash()]; ok {
			t.Errorf("seeds %d and %d make the same run", other, seed)
		}
		hashes[a.hash()] = seed
	}
}

// play plays the story of a seed, ends the faults, and compares: with the page when the story is that of the page, and with the
// same story played without faults otherwise.
func play(t *testing.T, seed uint64, draw func(*rand.Rand) rates) *world {
	t.Helper()
	w := newWorld(t, seed, draw)
	page, n := kind(seed)
	if page {
		w.rates.jump = 0 // the page knows of no work item about a clock
	}
	var names story.Names
	var acts []story.Act
	if page {
		acts = w.acts(&names)
	} else {
		acts = w.errands(n, drawOf(seed))
	}
	w.tell(acts)
	must(t, w.heal())
	if page {
		expect.HappyPath(t, w, names)
	} else if diff := cmp.Diff(orderly(t, seed, n), w.outcome(t.Context())); diff != "" {
		t.Errorf("seed %d: the end is not that of the orderly run (-want +got):\n%s", seed, diff)
	}
	w.check()
	t.Logf("seed %d: %d turns, %v, trace %s", seed, w.turns, w.seen, w.hash()[:16])
	return w
}

// kind is what the story of a seed is: the page's purchase order, or one to three truckloads.
func kind(seed uint64) (page bool, loads int) {
	return seed%3 == 0, 1 + int(seed%3)
}

// drawOf draws the story of a seed.
func drawOf(seed uint64) func(int) int { return rand.New(rand.NewPCG(seed, 2)).IntN }

// orderly is what comes of a story when nothing goes wrong.
func orderly(t *testing.T, seed uint64, n int) []string {
	t.Helper()
	w := newWorld(t, seed, func(*rand.Rand) rates { return rates{} })
	w.calm = true
	w.tell(w.errands(n, drawOf(seed)))
	must(t, w.heal())
	w.check()
	return w.outcome(t.Context())
}

// tell plays acts, and lets other things happen between them.
func (w *world) tell(acts []story.Act) {
	w.t.Helper()
	for _, act := range acts {
		if act.At.After(w.Now()) {
			must(w.t, w.SetClock(act.At))
		}
		w.note("%s", act.What)
		if err := act.Do(w.t.Context()); err != nil {
			w.t.Fatalf("seed %d, turn %d: %s: %v", w.seed, w.turns, act.What, err)
		}
		if w.calm {
			must(w.t, w.Settle(w.t.Context()))
		} else if err := w.some(100); err != nil {
			w.t.Fatalf("seed %d, turn %d: after %s: %v", w.seed, w.turns, act.What, err)
		}
	}
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
		if item.GetReason() == inDoubt && item.GetState() == workflowv1.WorkItem_CLOSED {
			continue
		}
		if w.deliveries == 0 && (item.GetReason() == overdue || item.GetState() == workflowv1.WorkItem_CLOSED) {
			continue
		}
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
	want := uint64(w.deliveries)
	if want > 0 && (received != want || applied != 1 || duplicate != want-1) {
		t.Errorf("850s: received %d, applied %d, duplicate %d, want %d, 1, %d", received, applied, duplicate, want, want-1)
	}
}
