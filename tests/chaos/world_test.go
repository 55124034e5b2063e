package chaos

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/eventlog"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// world is a suite in which things go wrong.
type world struct {
	*sim.Suite
	t     *testing.T
	seed  uint64
	r     *rand.Rand
	rates rates
	trace []string
	turns int
	calm  bool             // nothing goes wrong any more
	down  map[string]int   // services that are down, until which turn
	held  map[sim.Turn]int // readers that hear nothing of a log, until which turn
	late  []late
	base  time.Time // what time it should be
	jump  int       // until which turn the clock is wrong
	seen  tally
	told  map[string]*told // by service

	posted     []post // what partners sent and had an answer to
	deliveries int    // files with the order that edi must have taken in
	suffix     string // of partners' idempotency keys
	byEDI      bool   // carriers answer offers by X12
	// after is called after every turn, if set.
	after func()
	// call and commit stand in the place of what is drawn, if set.
	call   func(from, method string, deliver func() error) error
	commit func(service string) sim.Commit
}

// late is a call that is still on its way, until which turn.
type late struct {
	turn    int
	what    string
	deliver func()
}

// told is what a service has told so far.
type told struct {
	after eventlog.Position
	facts []proto.Message
}

// post is a change that a partner asked for.
type post struct {
	party, method, path, key string
	body, answer             []byte
}

// parties are those that call the door.
var parties = []string{"CAR-CXBB", "CAR-CXAA", "CAR-CXCC", "CUS-PIN", "CUS-HHS", "CUS-XYZ"}

func newWorld(t *testing.T, seed uint64, draw func(*rand.Rand) rates) *world {
	w := &world{
		t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 0)), calm: true, base: story.Start,
		down: map[string]int{}, held: map[sim.Turn]int{}, told: map[string]*told{},
	}
	w.rates = draw(w.r)
	w.Suite = sim.Stocked(t, seed, w)
	for _, party := range parties { // made while edge answers: a secret is shown once
		_, err := w.Secret(t.Context(), "parties/"+party)
		must(t, err)
	}
	w.calm = false
	t.Cleanup(func() {
		if t.Failed() {
			tail := w.trace[max(0, len(w.trace)-200):]
			test, _, _ := strings.Cut(t.Name(), "/")
			t.Logf("seed %d: repeat with: go test ./chaos -run '%s' -seed %d\nrates %+v\nthe end of the trace:\n%s", seed, test, seed, w.rates, strings.Join(tail, "\n"))
		}
	})
	return w
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%d ", w.turns)+fmt.Sprintf(format, args...))
}

// oneIn is true once in n times.
func (w *world) oneIn(n int) bool { return w.r.IntN(n) == 0 }

// chance is true as often as a rate says.
func (w *world) chance(rate float64) bool { return rate > 0 && w.r.Float64() < rate }

// Call loses calls between services, or their answers, or the caller while it waits; it delays them, and delivers them again later.
func (w *world) Call(from, to, method string, deliver func() error, again func()) error {
	if w.calm {
		return deliver()
	}
	if w.call != nil {
		return w.call(from, method, deliver)
	}
	short := method[strings.LastIndexByte(method, '/')+1:]
	later := func(what string) {
		w.late = append(w.late, late{w.turns + 1 + w.r.IntN(100), what + " " + short + " of " + from + " at " + to, again})
	}
	switch {
	case w.chance(w.rates.lost):
		w.note("call %s of %s is lost", short, from)
		w.seen.lost++
		return status.Errorf(codes.Unavailable, "lost on the way to %s", to)
	case w.chance(w.rates.delayed):
		w.note("call %s of %s is delayed", short, from)
		w.seen.delayed++
		for later("delayed"); w.oneIn(3); {
			later("delayed again")
		}
		return status.Errorf(codes.Unavailable, "%s does not answer in time", to)
	}
	for range 4 {
		if !w.chance(w.rates.doubled) {
			break
		}
		w.seen.doubled++
		later("repeated")
	}
	err := deliver()
	switch {
	case w.chance(w.rates.unanswered):
		w.note("answer to %s of %s is lost: %v", short, from, status.Code(err))
		w.seen.unanswered++
		return status.Errorf(codes.Unavailable, "%s was lost on the way", to)
	case w.Up(from) && w.chance(w.rates.death):
		w.note("%s dies in %s: %v", from, short, status.Code(err))
		w.seen.deaths++
		w.stop(from)
		return err
	}
	w.note("%s calls %s: %v", from, short, status.Code(err))
	return err
}

// Commit fails the power of a service at a commit.
func (w *world) Commit(service string) sim.Commit {
	if w.calm {
		return sim.Synced
	}
	if w.commit != nil {
		return w.commit(service)
	}
	fate, what := sim.Synced, ""
	switch {
	case w.chance(w.rates.unwritten):
		fate, what = sim.Lost, "before a commit"
		w.seen.unwritten++
	case w.chance(w.rates.torn):
		fate, what = sim.Torn, "within a commit"
		w.seen.torn++
	case w.chance(w.rates.unheard):
		fate, what = sim.Unheard, "after a commit"
		w.seen.unheard++
	default:
		return fate
	}
	w.note("%s has no power %s", service, what)
	return fate
}

// bury takes away the services whose power has failed.
func (w *world) bury() {
	for _, name := range sim.Names {
		if w.Bury(name) {
			w.down[name] = w.turns + 1 + w.r.IntN(80)
		}
	}
}

// Feed lets a reader hear nothing for a while, and otherwise gives it what is new in pieces.
func (w *world) Feed(reader, log string, limit int) int {
	if w.calm {
		return limit
	}
	if w.held[sim.Turn{Service: reader, Loop: log}] > w.turns {
		return 0
	}
	if w.oneIn(2) {
		return limit
	}
	return min(limit, 1+w.r.IntN(5))
}

func (w *world) stop(name string) {
	w.Close(name)
	w.down[name] = w.turns + 1 + w.r.IntN(80)
}

// turn lets one thing happen.
func (w *world) turn() error {
	w.turns++
	w.Wait(time.Duration(w.r.IntN(3000)) * time.Millisecond)
	for _, name := range sim.Names {
		if until, ok := w.down[name]; ok && until <= w.turns {
			delete(w.down, name)
			w.note("%s comes up", name)
			w.Open(name)
		}
	}
	w.arrive(w.turns)
	if w.jump > 0 && w.jump <= w.turns {
		w.setJump(0, 0)
	}
	defer w.bury()
	if err := w.wrong(); err != nil {
		return err
	}
	if turns := w.Turns(); len(turns) > 0 {
		next := turns[w.r.IntN(len(turns))]
		at := len(w.trace)
		progress, err := w.Step(w.t.Context(), next)
		if err != nil {
			return err
		}
		if progress || len(w.trace) > at {
			w.note("%s: %s moved: %v", next.Service, next.Loop, progress)
		}
	}
	if w.after != nil {
		w.after()
	}
	return nil
}

// wrong lets go wrong what does in this turn.
func (w *world) wrong() error {
	name := sim.Names[w.r.IntN(len(sim.Names))]
	if w.Up(name) {
		switch {
		case w.chance(w.rates.restart):
			w.note("%s restarts", name)
			w.seen.restarts++
			w.Close(name)
			w.Open(name)
		case w.chance(w.rates.down):
			w.note("%s goes down", name)
			w.seen.downs++
			w.stop(name)
		}
	}
	if w.chance(w.rates.silence) {
		other := sim.Names[w.r.IntN(len(sim.Names))]
		w.note("%s hears nothing of %s", name, other)
		w.seen.silences++
		w.held[sim.Turn{Service: name, Loop: other}] = w.turns + w.r.IntN(200)
	}
	if w.chance(w.rates.jump) && w.jump == 0 {
		w.seen.jumps++
		w.setJump([]time.Duration{time.Hour, -time.Hour}[w.r.IntN(2)], w.turns+1+w.r.IntN(50))
	}
	if len(w.posted) > 0 && w.chance(w.rates.repeat) {
		return w.repeat(w.posted[w.r.IntN(len(w.posted))])
	}
	return nil
}

// setJump puts the clock wrong until a turn.
func (w *world) setJump(by time.Duration, until int) {
	w.note("the clock is off by %v", by)
	w.jump = until
	w.Clock.Set(w.base.Add(by))
}

// arrive delivers the calls that have been on their way for long enough, in an order of its own.
func (w *world) arrive(turn int) {
	var now []late
	w.late = slices.DeleteFunc(w.late, func(l late) bool {
		if l.turn <= turn {
			now = append(now, l)
		}
		return l.turn <= turn
	})
	w.r.Shuffle(len(now), func(i, j int) { now[i], now[j] = now[j], now[i] })
	for _, l := range now {
		w.note("%s arrives", l.what)
		l.deliver()
		w.bury()
	}
}

// some lets up to n things happen.
func (w *world) some(n int) error {
	for range w.r.IntN(n) {
		if err := w.turn(); err != nil {
			return err
		}
	}
	return nil
}

// SetClock moves business time; what is due happens when its loop has its turn.
func (w *world) SetClock(at time.Time) error {
	w.note("it is %s", at.Format(time.DateTime))
	w.base, w.jump = at, 0
	w.Clock.Set(at)
	return nil
}

// Now is what time it should be.
func (w *world) Now() time.Time { return w.base }

// Drop puts a file into the inbox.
func (w *world) Drop(_ context.Context, name string, content []byte) error {
	w.note("file %s", name)
	must(w.t, os.MkdirAll(w.Inbox(), 0o700))
	path := filepath.Join(w.Inbox(), name)
	_, err := os.Stat(path)
	if order := bytes.Contains(content, []byte("ST*850*")); order && errors.Is(err, os.ErrNotExist) { // else it takes the place of one that nobody has looked at
		w.deliveries++
	}
	part := filepath.Join(w.Inbox(), "."+name)
	must(w.t, os.WriteFile(part, content, 0o600))
	return os.Rename(part, path)
}

// REST calls the partners' door until it gets an answer, and now and then asks again although it has one.
func (w *world) REST(ctx context.Context, party, method, path, key string, body []byte) ([]byte, error) {
	if key != "" {
		key += w.suffix
	}
	for range 2000 {
		if err := w.some(20); err != nil {
			return nil, err
		}
		if w.chance(w.rates.lost) {
			w.note("%s %s is lost", method, path)
			continue
		}
		answer, err := w.Suite.Call(ctx, party, method, path, key, body)
		w.bury()
		if w.chance(w.rates.unanswered) {
			err = &url.Error{Op: method, URL: path, Err: io.ErrUnexpectedEOF}
		}
		if unanswered(err) {
			w.note("%s %s: no answer", method, path)
			continue
		}
		if w.jump > 0 && err != nil && strings.Contains(err.Error(), "FUTURE_DATED") {
			w.note("%s %s: refused by a clock that is wrong", method, path)
			continue
		}
		w.note("%s %s %s: %v", method, path, key, err)
		if err == nil && key != "" {
			p := post{party, method, path, key, body, answer}
			w.posted = append(w.posted, p)
			for range 4 {
				if !w.chance(w.rates.again) {
					break
				}
				if err := w.repeat(p); err != nil {
					return nil, err
				}
			}
		}
		return answer, err
	}
	return nil, fmt.Errorf("%s %s is never answered", method, path)
}

// unanswered tells whether a partner has to ask again.
func unanswered(err error) bool {
	var refused *story.RESTError
	if errors.As(err, &refused) {
		return refused.Status == 502 || refused.Status == 503 || refused.Status == 504
	}
	var transport *url.Error
	return errors.As(err, &transport)
}

// repeat sends a change again under its key and wants the answer that it had.
func (w *world) repeat(p post) error {
	answer, err := w.Suite.Call(w.t.Context(), p.party, p.method, p.path, p.key, p.body)
	w.bury()
	w.seen.repeats++
	if unanswered(err) {
		w.note("%s %s %s again: no answer", p.method, p.path, p.key)
		return nil
	}
	w.note("%s %s %s again: %v", p.method, p.path, p.key, err)
	if err != nil {
		return fmt.Errorf("%s %s again: %w", p.method, p.path, err)
	}
	if !sameJSON(w.t, answer, p.answer) {
		return fmt.Errorf("%s %s again: %s\nthe first answer was %s", p.method, p.path, answer, p.answer)
	}
	return nil
}

// patience is how many turns a fact may take. A hop takes one turn in about forty, or some hundred while its service is down.
const patience = 20_000

// Await lets things happen until a service has told a fact.
func (w *world) Await(ctx context.Context, service string, is func(proto.Message) bool) (proto.Message, error) {
	seen := 0
	for range patience {
		if w.calm {
			if err := w.Settle(ctx); err != nil {
				return nil, err
			}
		}
		facts, err := w.facts(ctx, service)
		if err != nil {
			return nil, err
		}
		for ; seen < len(facts); seen++ {
			if is(facts[seen]) {
				return facts[seen], nil
			}
		}
		if err := w.turn(); err != nil {
			return nil, err
		}
	}
	return nil, story.ErrNoFact
}

// facts are all that a service has told.
func (w *world) facts(ctx context.Context, service string) ([]proto.Message, error) {
	t := w.told[service]
	if t == nil {
		t = &told{}
		w.told[service] = t
	}
	for w.Up(service) && w.Store(service).Last().Sequence > t.after.Sequence {
		entries, _, err := eventlog.Local(w.Store(service)).Read(ctx, t.after, 256)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			var head eventlogv1.Head
			if err := proto.Unmarshal(e.Head, &head); err != nil {
				return nil, err
			}
			p := head.GetPosition()
			t.after = eventlog.Position{Log: p.GetLog(), Epoch: p.GetEpoch(), Sequence: p.GetSequence()}
			for _, f := range head.GetFacts() {
				if m, err := f.GetPayload().UnmarshalNew(); err == nil {
					t.facts = append(t.facts, m)
				}
			}
		}
	}
	return t.facts, nil
}

// Outbox returns what was sent, of the answers the first alone: the others are answers to the same file again.
func (w *world) Outbox(ctx context.Context) (map[string][]byte, error) {
	files, err := w.Suite.Outbox(ctx)
	if err != nil {
		return nil, err
	}
	var answers []string
	for name, content := range files {
		if bytes.Contains(content, []byte("ST*997*")) {
			answers = append(answers, name)
		}
	}
	slices.Sort(answers)
	for _, name := range answers[min(1, len(answers)):] {
		delete(files, name)
	}
	return files, nil
}

// heal ends all that is wrong and lets everything come to rest.
func (w *world) heal() error {
	w.note("all is well")
	w.calm = true
	w.bury()
	must(w.t, w.SetClock(w.base))
	for _, name := range sim.Names {
		if !w.Up(name) {
			w.Open(name)
		}
	}
	clear(w.down)
	clear(w.held)
	w.arrive(math.MaxInt)
	for range 3 { // a pause longer than any back-off, and what comes of it
		w.Wait(time.Minute)
		if err := w.Settle(w.t.Context()); err != nil {
			return err
		}
	}
	return nil
}

// hash is of all that happened and of all that the services wrote.
func (w *world) hash() string {
	w.t.Helper()
	h := sha256.New()
	for _, line := range w.trace {
		fmt.Fprintln(h, line)
	}
	for _, name := range sim.Names {
		fmt.Fprintf(h, "%s %x\n", name, w.tip(name))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// tip is the hash of the last entry of a log, and so of all of them.
func (w *world) tip(name string) []byte {
	w.t.Helper()
	s := w.Store(name)
	before := s.Last()
	before.Sequence--
	entries, _, err := eventlog.Local(s).Read(w.t.Context(), before, 1)
	must(w.t, err)
	if len(entries) != 1 {
		w.t.Fatalf("%s: %d entries at the end of the log", name, len(entries))
	}
	return entries[0].Hash
}

// sameJSON compares two JSON texts; protojson varies white space on purpose.
func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	m, err := json.Marshal(x)
	must(t, err)
	n, err := json.Marshal(y)
	must(t, err)
	return bytes.Equal(m, n)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
