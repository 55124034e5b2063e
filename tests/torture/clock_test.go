package torture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/tests/outcome"
	"crossdock.dev/tests/story"
)

// The time of day is stepped by an hour and back, either way, at random instants while flows are in flight and while timers of four
// kinds run, some of which come due in a stepped hour; an endpoint refuses each message once. Each timer has its effect once, also when
// its hour comes again; what an hour more does not reach has none. Every program counts and logs every step.
//
// What is stepped is the machine's time of day as all programs read it through package clock: the programs of the build tag
// "failpoints" add to it what stands in a file, and go on measuring what passes by the clock that nobody can set. Business time is a
// story's clock that runs on from a day of March 2026 by the machine's, so it is stepped with it. The kernel's clock, and with it the
// validity of certificates, is left alone.
func TestClockSteps(t *testing.T) {
	a := begin(t, 40*time.Second)
	c := newSteppedClock(t.TempDir())
	t.Setenv("CROSSDOCK_CLOCK_OFFSET", c.file)
	rounds := times(3, 30)
	w := openWorld(a, pointed)
	l := w.startLoad(60, func(l *load) { l.timers, l.refused = l.setTimers(rounds), map[string]bool{} })
	before := w.starts()
	for round := range rounds {
		must(t, w.letGo(roundBegins(round, rounds)))
		for _, i := range a.r.Perm(2) {
			by := []time.Duration{time.Hour, -time.Hour}[i]
			must(t, wait(t.Context(), a.between(0, 700*time.Millisecond)))
			must(t, c.step(w, by))
			if by > 0 {
				l.timers.awaitRound(l, round)
			}
			must(t, wait(t.Context(), a.between(0, 300*time.Millisecond)))
			must(t, c.step(w, 0))
		}
	}
	must(t, w.live.SetClock(roundBegins(rounds, rounds).Add(time.Hour))) // all that an hour more has reached is past now
	begun := l.count()
	if after := w.starts(); after != before {
		t.Errorf("programs were started again: %s, was %s", after, before)
	}
	l.check()
	c.checkLogs(w)
	a.over("%d steps of an hour, each told by %d programs, %d timers of which %d came due, %d flows begun until the last", len(c.steps), len(names),
		len(l.timers.set), l.timers.due(), begun)
}

// opening is when the rounds begin: the carriers' offices are open, and an hour earlier as well.
var opening = today.Add(90 * time.Minute)

// span is what all rounds take of business time.
const span = 30 * time.Minute

// roundBegins is the business time at which a round begins: each reaches, an hour ahead, a part of span that none before has reached.
func roundBegins(round, rounds int) time.Time {
	return opening.Add(time.Duration(round) * span / time.Duration(rounds))
}

// letGo has business time run from an instant by the machine's time of day, also when that is stepped to before now.
func (w *world) letGo(at time.Time) error {
	const room = 24 * time.Hour
	run, err := story.ReadRun(w.suite.RunFile())
	if err != nil {
		return err
	}
	text, err := json.Marshal(map[string]any{"at": at.Add(-room), "since": time.Now().Add(-room).UTC(), "running": true})
	if err != nil {
		return err
	}
	return replace(run.ClockFile, text)
}

func replace(file string, text []byte) error {
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// steppedClock is the machine's time of day as the programs see it.
type steppedClock struct {
	file  string
	off   time.Duration
	steps []time.Duration
}

func newSteppedClock(dir string) *steppedClock {
	return &steppedClock{file: filepath.Join(dir, "offset")}
}

// step sets the time of day to so much from the true one, and waits until every program has told of that: each looks once a second.
func (c *steppedClock) step(w *world, off time.Duration) error {
	if err := replace(c.file, []byte(off.String())); err != nil {
		return err
	}
	c.steps, c.off = append(c.steps, off-c.off), off
	addresses, err := w.suite.Addresses()
	if err != nil {
		return err
	}
	for _, name := range names {
		for begun, n := time.Now(), 0; n < len(c.steps); {
			if n, err = countedSteps(addresses[name].Admin); err != nil {
				return err
			}
			if n > len(c.steps) || n < len(c.steps) && time.Since(begun) > patience {
				return fmt.Errorf("%s has counted %d steps of its clock, want %d", name, n, len(c.steps))
			}
			if n < len(c.steps) {
				if err := wait(w.Context(), look/4); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

var stepsCounted = regexp.MustCompile(`(?m)^crossdock_clock_steps_total (\d+)$`)

// countedSteps is how many steps a program says that its clock made.
func countedSteps(admin string) (int, error) {
	resp, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	m := stepsCounted.FindSubmatch(text)
	if m == nil {
		return 0, errors.New("no crossdock_clock_steps_total at " + admin)
	}
	return strconv.Atoi(string(m[1]))
}

// checkLogs wants a line about each step in the log of every program, in their order.
func (c *steppedClock) checkLogs(w *world) {
	w.Helper()
	for _, name := range names {
		raw, err := os.ReadFile(w.suite.Log(name))
		must(w, err)
		var told []time.Duration
		for line := range bytes.Lines(raw) {
			var entry struct {
				Msg string  `json:"msg"`
				By  float64 `json:"by_ms"`
			}
			if json.Unmarshal(line, &entry) == nil && entry.Msg == "the machine's clock was stepped" {
				told = append(told, time.Duration(math.Round(entry.By/1000))*time.Second)
			}
		}
		if !slices.Equal(told, c.steps) {
			w.Errorf("the log of %s tells of steps by %v, want %v", name, told, c.steps)
		}
	}
}

// timers are what was set beside the flows, on orders of their own.
type timers struct {
	set    []timer
	loads  map[string]string // the customer's order numbers by load
	offers map[string]int    // 204s by carrier
}

// timer is something that is to happen at an instant.
type timer struct {
	kind
	po    string
	round int    // in which it comes due; -1 is never
	tells string // what the board tells then
	about string // subject of its work item
}

// kind is a kind of timer: how long before it is due its order comes, and what leads to it then.
type kind struct {
	name   string
	before time.Duration
	begin  func(l *load, o order, due time.Time) (tells, about string)
	// What the load's tenders are, and how many work items there are, before it is due and after.
	tenders [2]string
	items   [2]int
}

// order is one whose load was offered to its first carrier.
type order struct{ name, tender, load, number string }

var kinds = []kind{
	// The carrier does not acknowledge the 204 within the 24 hours of its profile; it takes the load all the same.
	{"unacknowledged", 24 * time.Hour, func(l *load, o order, _ time.Time) (string, string) {
		l.act("CAR-CXEE", o.tender+":accept", map[string]any{"carrierReference": "PRO" + o.number})
		interchange := l.told("204/" + o.number + "/parties/CAR-CXEE")
		return "unacknowledged/" + interchange, interchange
	}, [2]string{"1 ACCEPTED", "1 ACCEPTED"}, [2]int{0, 1}},
	// The carrier does not answer within its 3 business hours.
	{"unanswered", 3 * time.Hour, func(_ *load, o order, _ time.Time) (string, string) { return "expired/" + o.tender, "" },
		[2]string{"1 SENT", "1 EXPIRED, 2 SENT"}, [2]int{}},
	// The carrier, which is expected to say something every 12 hours, is silent from its departure on.
	{"silent", 3 * time.Hour, func(l *load, o order, due time.Time) (string, string) {
		l.act("CAR-CXEE", o.tender+":accept", map[string]any{"carrierReference": "PRO" + o.number})
		l.act("CAR-CXEE", o.load+"/claims", map[string]any{
			"milestone": "DEPARTED_PICKUP", "stop": 1, "occurTime": due.Add(-12 * time.Hour).Format(time.RFC3339), "reasonCode": "NS",
		})
		return "trust/" + o.load + "/MEDIUM", ""
	}, [2]string{"1 ACCEPTED", "1 ACCEPTED"}, [2]int{}},
	// Both carriers decline; a person has 2 hours to find another.
	{"declined", 2 * time.Hour, func(l *load, o order, _ time.Time) (string, string) {
		l.act("CAR-CXEE", o.tender+":decline", map[string]any{"reason": "CAPACITY"})
		second, _, _ := split(l.told("tendered/" + o.name + "/2"))
		l.told("204/" + o.number + "/parties/CAR-CXBB") // the offer is over before it is sent otherwise
		l.act("CAR-CXBB", second+":decline", map[string]any{"reason": "CAPACITY"})
		return "overdue/" + l.told("opened/TENDERS_EXHAUSTED/"+o.load), o.load
	}, [2]string{"1 DECLINED, 2 DECLINED", "1 DECLINED, 2 DECLINED"}, [2]int{1, 1}},
}

// setTimers has a timer of each kind for each round, due in the middle of what the round reaches first, and one that begins with the
// first round and is due after the last.
func (l *load) setTimers(rounds int) *timers {
	l.Helper()
	type job struct {
		kind
		due   time.Time
		round int
	}
	var jobs []job
	for _, k := range kinds {
		jobs = append(jobs, job{k, opening.Add(k.before), -1})
		for round := range rounds {
			jobs = append(jobs, job{k, roundBegins(round, rounds).Add(time.Hour - span/time.Duration(2*rounds)), round})
		}
	}
	begins := func(j job) time.Time { return j.due.Add(-j.before) }
	slices.SortStableFunc(jobs, func(a, b job) int { return begins(a).Compare(begins(b)) })
	ts := &timers{loads: map[string]string{}, offers: map[string]int{}}
	for _, j := range jobs {
		must(l, l.live.SetClock(begins(j)))
		po := fmt.Sprintf("C-%s-%d", j.name, j.round+1)
		body := orderOfPumps(po)
		body["etaWatch"] = j.name == "silent"
		l.act(pumps.customer, "orders", body)
		o := order{name: l.told("released/" + po)}
		o.tender, o.load, o.number = split(l.told("tendered/" + o.name))
		l.told("204/" + o.number + "/parties/CAR-CXEE")
		x := timer{kind: j.kind, po: po, round: j.round}
		x.tells, x.about = x.begin(l, o, j.due)
		ts.set, ts.loads[o.load] = append(ts.set, x), po
		ts.offers["CAR-CXEE 204"]++
		if strings.Contains(x.tenders[x.past()], "2 ") {
			ts.offers["CAR-CXBB 204"]++
		}
		must(l, l.rest())
	}
	return ts
}

// past is 1 when the timer was due at the end, else 0.
func (x timer) past() int {
	if x.round < 0 {
		return 0
	}
	return 1
}

// act makes a change at the door as a party, under a key of its own.
func (l *load) act(party, path string, body map[string]any) {
	l.Helper()
	key := fmt.Sprint(path, "-", body["customerOrderNumber"])
	must(l, l.change(l.ctx, "parties/"+party, "/v1/"+path, key, body))
}

// told waits until the board tells something.
func (l *load) told(key string) string {
	l.Helper()
	value, err := l.board.await(l.ctx, key)
	must(l, err)
	return value
}

// awaitRound waits until the timers of a round have had their effect.
func (ts *timers) awaitRound(l *load, round int) {
	l.Helper()
	for _, x := range ts.set {
		if x.round == round {
			l.told(x.tells)
		}
	}
}

// due is how many timers come due.
func (ts *timers) due() (n int) {
	for _, x := range ts.set {
		n += x.past()
	}
	return n
}

// expectOffers adds the documents about the timers' orders.
func (ts *timers) expectOffers(want map[string]int) {
	if ts == nil {
		return
	}
	for what, n := range ts.offers {
		want[what] += n
	}
}

// check takes what is about the timers' orders, and the work items that a step has led to, out of a reading, and holds it against what
// they lead to.
func (ts *timers) check(l *load, got *outcome.Reading) {
	l.Helper()
	if ts == nil {
		return
	}
	l.awaitHooks()
	orders, loads, tenders := map[string]int{}, map[string]int{}, map[string][]string{}
	names := map[string]string{} // their numbers by order
	got.Orders = slices.DeleteFunc(got.Orders, func(o *ordersv1.Order) bool {
		po := o.GetCustomerOrderNumber()
		names[o.GetName()] = po
		orders[po]++
		return strings.HasPrefix(po, "C-")
	})
	got.Shipments = slices.DeleteFunc(got.Shipments, func(s *freightv1.Shipment) bool { return strings.HasPrefix(names[s.GetOrder()], "C-") })
	got.Loads = slices.DeleteFunc(got.Loads, func(x *freightv1.Load) bool {
		po := ts.loads[x.GetName()]
		loads[po]++
		return po != ""
	})
	got.Tenders = slices.DeleteFunc(got.Tenders, func(x *freightv1.Tender) bool {
		po := ts.loads[x.GetLoad()]
		tenders[po] = append(tenders[po], fmt.Sprint(x.GetRank(), " ", x.GetState()))
		return po != ""
	})
	items := map[string]int{}
	for _, x := range ts.set {
		past := x.past()
		items[x.about] += x.items[past]
		slices.Sort(tenders[x.po])
		if s := strings.Join(tenders[x.po], ", "); s != x.tenders[past] || orders[x.po] != 1 || loads[x.po] != 1 {
			l.Errorf("%s: %d orders, %d loads, tenders %s; want 1, 1, %s", x.po, orders[x.po], loads[x.po], s, x.tenders[past])
		}
		l.board.mu.Lock()
		if n := l.board.times[x.tells]; n != past {
			l.Errorf("%s: %s was told %d times, want %d", x.po, x.tells, n, past)
		}
		l.board.mu.Unlock()
	}
	late := map[string]bool{}
	got.WorkItems = slices.DeleteFunc(got.WorkItems, func(i *workflowv1.WorkItem) bool {
		switch i.GetReason() {
		case "ACK_OVERDUE", "TENDERS_EXHAUSTED":
			items[i.GetSubject()]--
			return items[i.GetSubject()] >= 0
		case "PLANNING_OVERDUE", "TENDERING_OVERDUE": // the plan or the offer was under way when the clock was set forward
			key := i.GetReason() + " " + i.GetSubject()
			first := !late[key]
			late[key] = true
			return first && i.GetState() == workflowv1.WorkItem_CLOSED
		}
		return false
	})
	for subject, n := range items {
		if n > 0 {
			l.Errorf("no work item about %s", subject)
		}
	}
	l.say("%d plans and offers were under way when the clock was set forward, and late", len(late))
}

// awaitHooks waits until the endpoint has taken a message about each invoice of its customer. It refuses each once, and is asked again
// after 5 s, not after the hour by which the clock was set back meanwhile.
func (l *load) awaitHooks() {
	l.Helper()
	want := 0
	for _, g := range l.begun {
		if !g.edi {
			want++
		}
	}
	for begun := time.Now(); time.Since(begun) < lateRest; {
		l.mu.Lock()
		got := len(l.hooks)
		l.mu.Unlock()
		if got == want || wait(l.ctx, look) != nil {
			return
		}
	}
}
