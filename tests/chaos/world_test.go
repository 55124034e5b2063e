package chaos

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
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

	"crossdock.dev/platform/eventlog"
	"crossdock.dev/tests/sim"
	"crossdock.dev/tests/story"
)

// world is a suite in which things go wrong.
type world struct {
	*sim.Suite
	t     *testing.T
	r     *rand.Rand
	trace []string
	turns int
	calm  bool             // nothing goes wrong any more
	down  map[string]int   // services that are down, until which turn
	held  map[sim.Turn]int // readers that hear nothing of a log, until which turn
	seen  tally

	posted     []post // what partners sent and had an answer to
	deliveries int    // files with the order that edi must have taken in
	suffix     string // of partners' idempotency keys
	// after is called after every turn, if set.
	after func()
}

// tally counts what went wrong.
type tally struct{ restarts, downs, silences, lost, unanswered, deaths, repeats, drops int }

// post is a change that a partner asked for.
type post struct {
	party, method, path, key string
	body, answer             []byte
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, r: rand.New(rand.NewPCG(seed, 0)), calm: true,
		down: map[string]int{}, held: map[sim.Turn]int{},
	}
	w.Suite = sim.NewSeeded(t, seed, w)
	w.Suite.Seed()
	for _, party := range []string{"parties/CAR-CXBB"} { // made while edge answers: a secret is shown once
		_, err := w.Secret(t.Context(), party)
		must(t, err)
	}
	w.calm = false
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d: repeat with -run '%s' -seed %d; the trace:\n%s", seed, "TestSeeds", seed, strings.Join(w.trace, "\n"))
		}
	})
	return w
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%d ", w.turns)+fmt.Sprintf(format, args...))
}

// oneIn is true once in n times.
func (w *world) oneIn(n int) bool { return w.r.IntN(n) == 0 }

// Call loses calls between services, or their answers, or the caller while it waits.
func (w *world) Call(from, to, method string, deliver func() error) error {
	if w.calm {
		return deliver()
	}
	short := method[strings.LastIndexByte(method, '/')+1:]
	switch w.r.IntN(8) {
	case 0, 1:
		w.note("call %s of %s is lost", short, from)
		w.seen.lost++
		return status.Errorf(codes.Unavailable, "lost on the way to %s", to)
	case 2, 3:
		err := deliver()
		w.note("answer to %s of %s is lost: %v", short, from, status.Code(err))
		w.seen.unanswered++
		return status.Errorf(codes.Unavailable, "%s was lost on the way", to)
	case 4:
		err := deliver()
		w.note("%s dies in %s: %v", from, short, status.Code(err))
		w.seen.deaths++
		w.stop(from)
		return err
	}
	err := deliver()
	w.note("%s calls %s: %v", from, short, status.Code(err))
	return err
}

// Feed lets a reader hear nothing for a while, and otherwise gives it what is new in pieces.
func (w *world) Feed(reader, log string, limit int) int {
	if w.calm {
		return limit
	}
	if w.held[sim.Turn{Service: reader, Loop: log}] > w.turns {
		return 0
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
	name := sim.Names[w.r.IntN(len(sim.Names))]
	switch n := w.r.IntN(200); {
	case n < 2 && w.Up(name):
		w.note("%s restarts", name)
		w.seen.restarts++
		w.Close(name)
		w.Open(name)
	case n < 3 && w.Up(name):
		w.note("%s goes down", name)
		w.seen.downs++
		w.stop(name)
	case n < 6:
		other := sim.Names[w.r.IntN(len(sim.Names))]
		w.note("%s hears nothing of %s", name, other)
		w.seen.silences++
		w.held[sim.Turn{Service: name, Loop: other}] = w.turns + w.r.IntN(200)
	case n < 9 && len(w.posted) > 0:
		if err := w.repeat(w.posted[w.r.IntN(len(w.posted))]); err != nil {
			return err
		}
	default:
		turns := w.Turns()
		if len(turns) == 0 {
			break
		}
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
	w.Clock.Set(at)
	return nil
}

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
		answer, err := w.Suite.Call(ctx, party, method, path, key, body)
		if unanswered(err) {
			w.note("%s %s: no answer", method, path)
			continue
		}
		w.note("%s %s %s: %v", method, path, key, err)
		if err == nil && key != "" {
			p := post{party, method, path, key, body, answer}
			w.posted = append(w.posted, p)
			for w.oneIn(3) {
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
	var looked eventlog.Position
	for range patience {
		if w.Up(service) && w.Store(service).Last() != looked {
			looked = w.Store(service).Last()
			payload, err := story.FindFact(ctx, eventlog.Local(w.Store(service)), is)
			if !errors.Is(err, story.ErrNoFact) {
				return payload, err
			}
		}
		if err := w.turn(); err != nil {
			return nil, err
		}
	}
	return nil, story.ErrNoFact
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
	for _, name := range sim.Names {
		if !w.Up(name) {
			w.Open(name)
		}
	}
	clear(w.down)
	clear(w.held)
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
