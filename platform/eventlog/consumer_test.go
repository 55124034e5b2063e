package eventlog

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"pgregory.net/rapid"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/step"
	"crossdock.dev/platform/store"
)

var start = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)

// effects holds, for each key, the facts that took effect on it in order: "A1 A3".
var effects = &store.Bucket{Name: "effects", Kind: store.Record, Doc: "key → facts"}

// service is a store that tells facts and follows the facts of others.
type service struct {
	t         testing.TB
	options   store.Options
	store     *store.Store
	follows   map[string]*service
	consumers map[string]*Consumer
	followers *Followers
	bad       map[string]error // what Apply says to a fact, by name
	panics    string           // the fact that makes Apply panic
	pong      bool             // answer every effect with a fact of its own, which touches nobody
	echo      bool             // that fact touches the same keys
	together  bool             // many facts are one change
	wrap      func(Source) Source
}

func newService(t testing.TB, name string, follows ...*service) *service {
	s := &service{t: t, follows: map[string]*service{}, bad: map[string]error{}}
	for _, f := range follows {
		s.follows[f.options.Schema.Service] = f
	}
	s.options = store.Options{Path: filepath.Join(t.TempDir(), name+".db"), Clock: clock.Fixed(start), NoSync: true, InitialMmapSize: 1 << 22,
		Schema: store.Schema{Service: name, Version: 1, Buckets: []*store.Bucket{effects}}}
	s.open()
	t.Cleanup(func() { s.store.Close() })
	return s
}

// open starts the service anew: nothing but its file remains.
func (s *service) open() {
	s.t.Helper()
	if s.store != nil {
		s.store.Close()
	}
	st, err := store.Open(context.Background(), s.options)
	if err != nil {
		s.t.Fatal(err)
	}
	s.store = st
	s.follow()
}

func (s *service) follow() {
	s.consumers = map[string]*Consumer{}
	var list []*Consumer
	for name, other := range s.follows {
		var source Source = liveSource{other}
		if s.wrap != nil {
			source = s.wrap(source)
		}
		c := NewConsumer(ConsumerConfig{Log: name, Source: source, Store: s.store, Keys: func(f Fact) []string { return f.Related }, Apply: s.apply, Together: s.together})
		s.consumers[name] = c
		list = append(list, c)
	}
	s.followers = NewFollowers(list...)
	s.followers.Stepping = true
}

// liveSource reads whatever store the service has open now.
type liveSource struct{ s *service }

func (l liveSource) Read(ctx context.Context, after Position, limit int) ([]Entry, Position, error) {
	return Local(l.s.store).Read(ctx, after, limit)
}

func (l liveSource) Changed(ctx context.Context, after Position) <-chan struct{} {
	return Local(l.s.store).Changed(ctx, after)
}

func (l liveSource) Line(ctx context.Context) (store.Line, error) { return Local(l.s.store).Line(ctx) }

func (s *service) apply(ctx context.Context, tx *store.Tx, f Fact) error {
	name := f.Subject
	if s.panics == name {
		panic("boom")
	}
	for _, key := range f.Related {
		old, err := tx.Get(ctx, effects, []byte(key))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := tx.Put(ctx, effects, []byte(key), []byte(strings.TrimSpace(string(old)+" "+name))); err != nil {
			return err
		}
	}
	if s.pong || s.echo {
		fact := store.Fact{Type: "Pong", Subject: "pong-" + name, Payload: wrapperspb.String(name)}
		if s.echo {
			fact.Related = f.Related
		}
		if err := tx.Emit(fact); err != nil {
			return err
		}
	}
	return s.bad[name] // after the writes, which must not remain
}

// tell commits facts, one entry each unless joined by "+": "A1:k1,k2" is fact A1 with these keys.
func (s *service) tell(entries ...string) Position {
	s.t.Helper()
	return s.tellAfter(nil, entries...)
}

func (s *service) tellAfter(after []Position, entries ...string) Position {
	s.t.Helper()
	var last Position
	for _, entry := range entries {
		out, err := s.store.Change(context.Background(), store.Cause{Principal: "user/dev", After: after}, func(tx *store.Tx) ([]byte, error) {
			for _, f := range strings.Split(entry, "+") {
				name, keys, _ := strings.Cut(f, ":")
				fact := store.Fact{Type: "Told", Subject: name, Payload: wrapperspb.String(name)}
				if keys != "" {
					fact.Related = strings.Split(keys, ",")
				}
				if err := tx.Emit(fact); err != nil {
					return nil, err
				}
			}
			return nil, nil
		})
		if err != nil {
			s.t.Fatal(err)
		}
		last = out.Position
	}
	return last
}

// drain steps the consumer of one log until it rests.
func (s *service) drain(log string) error {
	s.t.Helper()
	for range 1000 {
		progress, err := s.consumers[log].Step(context.Background(), start)
		if err != nil || !progress {
			return err
		}
	}
	s.t.Fatalf("the consumer of %s does not come to rest", log)
	return nil
}

func (s *service) mustDrain(log string) {
	s.t.Helper()
	if err := s.drain(log); err != nil {
		s.t.Fatalf("consumer of %s: %v", log, err)
	}
}

func (s *service) wantEffects(want ...string) {
	s.t.Helper()
	var got []string
	err := s.store.View(context.Background(), func(r store.Reader) error {
		return store.Each(context.Background(), r, effects, nil, func(kv store.KV) error {
			got = append(got, string(kv.Key)+"="+string(kv.Value))
			return nil
		})
	})
	if err != nil || !slices.Equal(got, want) {
		s.t.Errorf("effects = %q, %v, want %q", got, err, want)
	}
}

// wantCounts compares read, applied, ignored, deferred and parked, and checks the store.
func (s *service) wantCounts(log string, read, applied, ignored, deferred, parked uint64) {
	s.t.Helper()
	c, err := s.consumers[log].Status(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	got, want := []uint64{c.Read, c.Applied, c.Ignored, c.Deferred, c.Parked}, []uint64{read, applied, ignored, deferred, parked}
	if !slices.Equal(got, want) {
		s.t.Errorf("consumer of %s: read, applied, ignored, deferred, parked = %v, want %v", log, got, want)
	}
	r, err := s.store.Verify(context.Background())
	if err != nil || len(r.Breaches) > 0 {
		s.t.Errorf("Verify: %v %q", err, r.Breaches)
	}
}

func operator(id string) store.Cause {
	return store.Cause{Principal: "user/dev", Method: "/Retry", RequestID: id, Fingerprint: []byte(id)}
}

func parkedName(sequence uint64, index uint32) string {
	return "consumers/a/parkedFacts/" + waitingName(sequence, index)
}

// TestOneEffectEach has facts read by consumers that are restarted, duplicated and interrupted at random.
func TestOneEffectEach(t *testing.T) {
	a := newService(t, "a")
	want := map[string][]string{}
	var concern, noise uint64
	for i := range 60 {
		var facts []string
		for j := range 1 + i%3 {
			name, key := fmt.Sprintf("f%d.%d", i, j), fmt.Sprint("k", (i+j)%4)
			if i%5 == 4 {
				facts = append(facts, name) // concerns nobody
				noise++
				continue
			}
			facts = append(facts, name+":"+key)
			want[key] = append(want[key], name)
			concern++
		}
		a.tell(strings.Join(facts, "+"))
	}
	var rows []string
	for _, k := range []string{"k0", "k1", "k2", "k3"} {
		rows = append(rows, k+"="+strings.Join(want[k], " "))
	}
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.Background()
		b := newService(t, "b", a)
		b.wrap = func(s Source) Source { return small{s} }
		b.together = rapid.Bool().Draw(rt, "together")
		b.follow()
		twin := b.consumers["a"]
		for range rapid.IntRange(0, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0:
				b.open()
				twin = b.consumers["a"]
			case 1: // a second consumer of the same store, as after a failover that came too early
				b.follow()
			case 2:
				twin.Step(ctx, start)
			case 3:
				b.bad = map[string]error{fmt.Sprintf("f%d.1", rapid.IntRange(0, 59).Draw(rt, "entry")): Transient(errors.New("later"))}
			default:
				if _, err := b.consumers["a"].Step(ctx, start); err != nil && !isTransient(err) && !errors.Is(err, errStale) {
					rt.Fatal(err)
				}
			}
		}
		b.bad = nil
		for b.drain("a") != nil {
		}
		b.wantEffects(rows...)
		b.wantCounts("a", concern+noise, concern, noise, 0, 0)
	})
}

// small reads few entries at once.
type small struct{ Source }

func (s small) Read(ctx context.Context, after Position, _ int) ([]Entry, Position, error) {
	return s.Source.Read(ctx, after, 7)
}

func TestTransientErrorStopsInTheMiddleOfAnEntry(t *testing.T) {
	a := newService(t, "a")
	b := newService(t, "b", a)
	a.tell("1:k+2:k+3:k", "4:k")
	b.bad["2"] = Transient(errors.New("disk is busy"))
	if err := b.drain("a"); !isTransient(err) || b.consumers["a"].Err() == nil {
		t.Errorf("Step = %v, Err = %v, want the transient error", err, b.consumers["a"].Err())
	}
	b.wantEffects("k=1")
	b.wantCounts("a", 1, 1, 0, 0, 0)
	b.open()
	b.bad = nil
	b.mustDrain("a")
	b.wantEffects("k=1 2 3 4")
	b.wantCounts("a", 4, 4, 0, 0, 0)
	if err := b.consumers["a"].Err(); err != nil {
		t.Errorf("Err = %v, want nil after recovery", err)
	}
}

// Facts that go together are one change of at most 64, and each of them counts, is parked or holds up the others for itself.
func TestTogether(t *testing.T) {
	a := newService(t, "a")
	b := newService(t, "b", a)
	b.together = true
	b.follow()
	var want []string
	for i := range 130 {
		name := fmt.Sprint("f", i)
		switch i {
		case 7: // parked, and with it the later ones of its key
			a.tell(name + ":x")
			b.bad[name] = errors.New("order is not known")
		case 9:
			a.tell(name + ":x")
		case 11, 12: // of no interest
			a.tell(name)
		default:
			a.tell(name + ":k")
			want = append(want, name)
		}
	}
	b.bad["f100"] = Transient(errors.New("disk is busy"))
	if err := b.drain("a"); !isTransient(err) {
		t.Errorf("Step = %v, want the transient error", err)
	}
	b.wantEffects("k=" + strings.Join(want[:62], " ")) // the first 64 facts but for two that are parked
	b.wantCounts("a", 66, 62, 2, 0, 2)
	b.open()
	delete(b.bad, "f100")
	b.mustDrain("a")
	b.wantEffects("k=" + strings.Join(want, " "))
	b.wantCounts("a", 130, 126, 2, 0, 2)
	if got := b.store.Last().Sequence; got != 2 {
		t.Errorf("%d entries, want 2: of 64 facts each", got)
	}
}

func TestParking(t *testing.T) {
	ctx := context.Background()
	a := newService(t, "a")
	b := newService(t, "b", a)
	b.bad["1"] = errors.New("order is not known")
	b.panics = "5"
	a.tell("1:x", "2:x,y", "3:y", "4:z", "5:w")
	b.mustDrain("a")
	b.wantEffects("z=4")
	b.wantCounts("a", 5, 1, 0, 0, 4)
	b.open() // parked facts are in the store
	c := b.consumers["a"]
	b.mustDrain("a")

	still, _ := errors.AsType[*StillParkedError](c.Retry(ctx, operator("r1"), parkedName(2, 0)))
	if want := "waits for " + parkedName(1, 0); still == nil || still.Reason != want {
		t.Errorf("retry of a sibling: %v, want %q", still, want)
	}
	still, _ = errors.AsType[*StillParkedError](c.Retry(ctx, operator("r2"), parkedName(1, 0)))
	if still == nil || still.Reason != "order is not known" {
		t.Errorf("retry before anything changed: %v", still)
	}
	if err := c.Retry(ctx, operator("r3"), parkedName(9, 0)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("retry of a fact that is not parked: %v", err)
	}
	b.wantCounts("a", 5, 1, 0, 0, 4)

	b.bad = map[string]error{"2": errors.New("another reason")}
	for range 2 { // the second is a repeat
		if err := c.Retry(ctx, operator("r4"), parkedName(1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	b.wantEffects("x=1", "z=4")
	b.wantCounts("a", 5, 2, 0, 0, 3)
	a.tell("6:y", "7:v")
	b.mustDrain("a")
	b.wantCounts("a", 7, 3, 0, 0, 4)
	b.bad, b.panics = nil, ""
	if err := c.Retry(ctx, operator("r5"), parkedName(2, 0)); err != nil {
		t.Fatal(err)
	}
	if err := c.Retry(ctx, operator("r6"), parkedName(5, 0)); err != nil {
		t.Fatal(err)
	}
	b.wantEffects("v=7", "w=5", "x=1 2", "y=2 3 6", "z=4")
	b.wantCounts("a", 7, 7, 0, 0, 0)
	// The first of its keys is told of, and that it is applied; what waits behind it only when it is the first.
	want := []string{
		"parked 1: order is not known", "parked 5: panic: boom", "released 1", "parked 2: another reason", "released 2", "released 5",
	}
	if got := b.toldOfParking(); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// toldOfParking is what the service's own log says of facts of feed a that it could not apply.
func (s *service) toldOfParking() (out []string) {
	s.t.Helper()
	entries, _, err := s.store.ReadLog(context.Background(), Position{}, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		head := &eventlogv1.Head{}
		if err := proto.Unmarshal(e.Head, head); err != nil {
			s.t.Fatal(err)
		}
		for _, f := range head.GetFacts() {
			m, err := f.GetPayload().UnmarshalNew()
			if err != nil {
				continue // a fact of the test's own
			}
			switch m := m.(type) {
			case *eventlogv1.FactParked:
				if want := s.store.Service() + "/" + parkedName(m.GetParkedFact().GetPosition().GetSequence(), 0); f.GetSubject() != want {
					s.t.Errorf("told of %s, want %s", f.GetSubject(), want)
				}
				out = append(out, "parked "+m.GetParkedFact().GetSubject()+": "+m.GetParkedFact().GetReason())
			case *eventlogv1.FactReleased:
				out = append(out, "released "+m.GetParkedFact().GetSubject())
			}
		}
	}
	return out
}

func TestPanickingKeysParkTheFact(t *testing.T) {
	a := newService(t, "a")
	b := newService(t, "b", a)
	a.tell("1:k", "2:k", "3:k")
	keys := b.consumers["a"].c.Keys
	b.consumers["a"].c.Keys = func(f Fact) []string {
		if f.Subject == "2" {
			panic("boom")
		}
		return keys(f)
	}
	b.mustDrain("a")
	b.wantEffects("k=1 3")
	b.wantCounts("a", 3, 2, 0, 0, 1)
}

// TestManyDeferredFacts has more facts wait than one Step looks at, for two feeds that are read one after the other.
func TestManyDeferredFacts(t *testing.T) {
	a, d := newService(t, "a"), newService(t, "d")
	b := newService(t, "b", a, d)
	c := newService(t, "c", a, b, d)
	const n = releaseBatch + 50
	last := d.tell("D")
	for i := range n {
		at := a.tell("A")
		b.tellAfter([]Position{at, last}, fmt.Sprintf("B:%03d", i))
	}
	c.mustDrain("b")
	c.wantCounts("b", n, 0, 0, n, 0)
	part := func() {
		t.Helper()
		if progress, err := c.consumers["b"].Step(context.Background(), start); !progress || err != nil {
			t.Errorf("the first part of a look that finds nothing: progress %t, %v", progress, err)
		}
	}
	c.open()
	part()
	c.mustDrain("b")
	c.mustDrain("a")
	part()
	c.mustDrain("b")
	c.wantCounts("b", n, 0, 0, n, 0)
	c.mustDrain("d")
	c.mustDrain("b")
	c.wantCounts("b", n, n, 0, 0, 0)
}

// TestDeferral has c hear of b's answer before it hears of what b answered.
func TestDeferral(t *testing.T) {
	ctx := context.Background()
	a := newService(t, "a")
	b := newService(t, "b", a)
	c := newService(t, "c", a, b)
	at := a.tell("A1:k", "A2:k")
	last := b.tellAfter([]Position{at}, "B1:k")
	last = b.tell("B2:k", "B3:other")
	c.mustDrain("b")
	c.wantEffects("other=B3")
	c.wantCounts("b", 3, 1, 0, 2, 0)
	if got := c.consumers["b"].Read(); got.Sequence != 0 {
		t.Errorf("read up to %v, want 0: the first fact is deferred", got)
	}
	if err := c.followers.WaitRead(ctx, []Position{last}); status.Code(err) != codes.Unavailable {
		t.Errorf("WaitRead = %v, want UNAVAILABLE", err)
	}
	c.open()
	c.mustDrain("b")
	c.wantCounts("b", 3, 1, 0, 2, 0)
	c.mustDrain("a")
	c.mustDrain("b")
	c.wantEffects("k=A1 A2 B1 B2", "other=B3")
	c.wantCounts("b", 3, 3, 0, 0, 0)
	if err := c.followers.WaitRead(ctx, []Position{last, at, {Log: "unknown", Epoch: 1, Sequence: 9}}); err != nil {
		t.Errorf("WaitRead after reading: %v", err)
	}

	// A deferred fact that cannot be applied when its time comes is parked with its sibling; another feed's parked fact does
	// not hold it up for ever.
	at = a.tell("A3:k")
	b.tellAfter([]Position{at}, "B4:k")
	b.tell("B5:k")
	c.mustDrain("b")
	c.bad["A3"], c.bad["B4"] = errors.New("bad"), errors.New("bad")
	c.mustDrain("a")
	c.mustDrain("b")
	c.wantCounts("a", 3, 2, 0, 0, 1)
	c.wantCounts("b", 5, 3, 0, 0, 2)
}

// TestDeferredFactIsReleasedInAServiceThatKeepsRestarting has a fact wait for the end of a feed of which nothing concerns the service,
// so that reading it has no effect of its own that would store the cursor, and a service that is started anew after each small read.
func TestDeferredFactIsReleasedInAServiceThatKeepsRestarting(t *testing.T) {
	a := newService(t, "a")
	b := newService(t, "b", a)
	c := newService(t, "c", a, b)
	c.wrap = func(s Source) Source { return small{s} }
	const noise = 30 // five reads of seven
	var end Position
	for i := range noise {
		end = b.tell(fmt.Sprintf("noise%d", i))
	}
	a.tellAfter([]Position{end}, "A1:k")
	rounds := 0
	for ; rounds < 20 && c.consumers["a"].Read().Sequence == 0; rounds++ {
		c.open()
		for _, log := range []string{"a", "b", "a"} {
			if _, err := c.consumers[log].Step(context.Background(), start); err != nil {
				t.Fatal(err)
			}
		}
	}
	if rounds > 6 {
		t.Errorf("the fact took effect after %d starts, want at most 6: one to see it wait, five to read what it waits for", rounds)
	}
	c.wantEffects("k=A1")
	c.wantCounts("a", 1, 1, 0, 0, 0)
	c.wantCounts("b", noise, 0, noise, 0, 0)
}

// A fact that is held or deferred takes effect as soon as the feed that it waits for has been read: no clock has to tick.
func TestWaitingFactIsWokenByTheOtherFeed(t *testing.T) {
	for _, deferred := range []uint64{0, 1} {
		orders, freight := newService(t, "orders"), newService(t, "freight")
		billing := newService(t, "billing", orders, freight)
		told := orders.tell("O1:x")
		freight.tellAfter([]Position{told}, "F1:x")
		if deferred > 0 {
			billing.mustDrain("freight")
		}
		// freight's loop rests with F1 before orders' loop begins.
		billing.followers.Stepping = false // others run while it waits
		ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
		machine := clock.NewManual(start) // never ticks
		loops := map[string]step.Config{}
		for _, l := range billing.followers.Loops(step.Config{Business: machine, Machine: machine}) {
			loops[l.Name] = l
		}
		ended := make(chan error, 2)
		rested := make(chan struct{})
		l := loops["follow freight"]
		inner, once := l.Stepper, sync.OnceFunc(func() { close(rested) })
		l.Stepper = step.Func(func(ctx context.Context, now time.Time) (bool, error) {
			progress, err := inner.Step(ctx, now)
			if !progress {
				once()
			}
			return progress, err
		})
		go func() { ended <- step.Loop(ctx, l) }()
		<-rested
		billing.wantCounts("freight", deferred, 0, 0, deferred, 0)
		go func() { ended <- step.Loop(ctx, loops["follow orders"]) }()
		if err := billing.followers.waitOne(ctx, billing.consumers["freight"], Position{Log: "freight", Epoch: told.Epoch, Sequence: 1}); err != nil {
			t.Errorf("wait until freight is read: %v", err)
		}
		stop()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		billing.wantEffects("x=O1 F1")
	}
}

// A feed is not held for ever by one that stands still: its facts are deferred, and what does not wait for them takes effect.
func TestHeldFeedGoesOn(t *testing.T) {
	orders, freight := newService(t, "orders"), newService(t, "freight")
	billing := newService(t, "billing", orders, freight)
	told := orders.tell("O1:x")
	freight.tell("F0:y")
	freight.tellAfter([]Position{told}, "F1:x")
	freight.tell("F2:y")
	billing.followers.Stepping = false
	machine := clock.NewManual(start)
	c := billing.consumers["freight"]
	c.c.Machine = machine
	billing.mustDrain("freight")
	billing.wantCounts("freight", 1, 1, 0, 0, 0)
	machine.Advance(patience - 1)
	billing.mustDrain("freight")
	billing.wantCounts("freight", 1, 1, 0, 0, 0)
	machine.Advance(1)
	billing.mustDrain("freight")
	billing.wantCounts("freight", 3, 2, 0, 1, 0)
	freight.tellAfter([]Position{told}, "F3:z") // orders has not moved: nobody waits for it again
	billing.mustDrain("freight")
	billing.wantCounts("freight", 4, 2, 0, 2, 0)
	billing.mustDrain("orders")
	billing.mustDrain("freight")
	billing.wantCounts("freight", 4, 4, 0, 0, 0)
	billing.wantEffects("x=O1 F1", "y=F0 F2", "z=F3")
}

// TestCausalOrder has c follow a, and b which answers a, in any order of steps, restarts, refusals and retries: facts of one key
// keep their order, and an answer never takes effect before what it answers, unless that is parked.
func TestCausalOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.Background()
		a := newService(t, "a")
		b := newService(t, "b", a)
		b.echo = true
		c := newService(t, "c", a, b)
		told, refusals := 0, rapid.IntRange(0, 1).Draw(rt, "refusals")
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			switch rapid.IntRange(0, 5+refusals).Draw(rt, "what") {
			case 0, 1:
				told++
				a.tell(fmt.Sprintf("%02d:%s", told, rapid.SampledFrom([]string{"x", "y", "x,y", "z"}).Draw(rt, "keys")))
			case 2:
				b.consumers["a"].Step(ctx, start)
			case 3:
				c.consumers["a"].Step(ctx, start)
			case 4:
				c.consumers["b"].Step(ctx, start)
			case 5:
				c.open()
			case 6:
				c.bad = map[string]error{}
				for _, prefix := range []string{"", "pong-"} {
					if rapid.Bool().Draw(rt, "bad") {
						c.bad[fmt.Sprintf("%s%02d", prefix, rapid.IntRange(1, told+1).Draw(rt, "fact"))] = errors.New("bad")
					}
				}
			}
		}
		c.bad = nil
		for range 3 {
			b.mustDrain("a")
			c.mustDrain("a")
			c.mustDrain("b")
		}
		// Whatever is parked goes through when it is tried again, earliest first.
		for n := 0; ; n++ {
			parked, err := NewServer(c.store, []*Consumer{c.consumers["a"], c.consumers["b"]}, nil).
				ListParkedFacts(ctx, &eventlogv1.ListParkedFactsRequest{Parent: "consumers/-"})
			if err != nil {
				rt.Fatal(err)
			}
			if len(parked.ParkedFacts) == 0 {
				break
			}
			f := parked.ParkedFacts[0]
			if err := c.consumers[f.Position.Log].Retry(ctx, operator(fmt.Sprint(n)), f.Name); err != nil {
				rt.Fatalf("retry of %s: %v", f.Name, err)
			}
		}
		c.mustDrain("a")
		c.mustDrain("b")
		n := uint64(told)
		c.wantCounts("a", n, n, 0, 0, 0)
		c.wantCounts("b", n, n, 0, 0, 0)
		err := c.store.View(ctx, func(r store.Reader) error {
			return store.Each(ctx, r, effects, nil, func(kv store.KV) error {
				var facts, pongs []string
				for _, f := range strings.Fields(string(kv.Value)) {
					if name, pong := strings.CutPrefix(f, "pong-"); pong {
						pongs = append(pongs, name)
						if refusals == 0 && !slices.Contains(facts, name) {
							rt.Errorf("key %s: %s took effect before what it answers: %s", kv.Key, f, kv.Value)
						}
					} else {
						facts = append(facts, f)
					}
				}
				if !slices.IsSorted(facts) || !slices.IsSorted(pongs) || len(facts) != len(pongs) {
					rt.Errorf("key %s: %s", kv.Key, kv.Value)
				}
				return nil
			})
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

func TestWaitReadWakes(t *testing.T) {
	a := newService(t, "a")
	b := newService(t, "b", a)
	b.followers.Stepping = false
	at := a.tell("1:k")
	waited := make(chan error, 1)
	go func() { waited <- b.followers.WaitRead(context.Background(), []Position{at}) }()
	b.mustDrain("a")
	if err := <-waited; err != nil {
		t.Errorf("WaitRead: %v", err)
	}
}

// TestMutualFollowersComeToRest has two services follow each other: entries that concern nobody leave no entries behind.
func TestMutualFollowersComeToRest(t *testing.T) {
	a := newService(t, "a")
	b := newService(t, "b", a)
	a.follows["b"] = b
	a.follow()
	b.pong = true
	a.tell("1:k")
	for i := range 2*saveEvery + 200 { // most of it is noise
		if i%100 == 0 {
			a.tell("ping:k")
		}
		a.tell("noise")
	}
	round := func() {
		b.mustDrain("a")
		a.mustDrain("b")
	}
	for range 4 {
		round()
	}
	lastA, lastB := a.store.Last(), b.store.Last()
	for range 20 {
		round()
	}
	if a.store.Last() != lastA || b.store.Last() != lastB {
		t.Errorf("the logs went on from %v and %v to %v and %v with nothing to say", lastA, lastB, a.store.Last(), b.store.Last())
	}
	if lastB.Sequence > 30 {
		t.Errorf("b wrote %d entries for 23 effects", lastB.Sequence)
	}
	a.wantCounts("b", 23, 0, 23, 0, 0)
	b.wantCounts("a", 2223, 23, 2200, 0, 0)
	b.open()
	b.mustDrain("a")
	b.wantCounts("a", 2223, 23, 2200, 0, 0)
}

func TestCausesGoAlong(t *testing.T) {
	ctx := context.Background()
	a := newService(t, "a")
	b := newService(t, "b", a)
	var seen origin.Origin
	at := a.tellAfter([]Position{{Log: "up", Epoch: 1, Sequence: 7}}, "1:k")
	inner := b.consumers["a"].c.Apply
	b.consumers["a"].c.Apply = func(ctx context.Context, tx *store.Tx, f Fact) error {
		seen = origin.From(ctx)
		if s, ok := f.Payload.(*wrapperspb.StringValue); !ok || s.Value != "1" {
			t.Errorf("payload = %v", f.Payload)
		}
		return inner(ctx, tx, f)
	}
	b.mustDrain("a")
	entries, _, err := b.store.ReadLog(ctx, Position{}, 0)
	if err != nil || len(entries) != 1 {
		t.Fatalf("entries = %v, %v", entries, err)
	}
	source, _, _ := a.store.ReadLog(ctx, Position{}, 0)
	var h eventlogv1.Head
	if err := proto.Unmarshal(entries[0].Head, &h); err != nil {
		t.Fatal(err)
	}
	if h.Actor != "user/dev" || store.PositionOf(h.Cause.Fact) != at || string(h.Cause.FactHash) != string(source[0].Hash) {
		t.Errorf("head = %v", &h)
	}
	want := []Position{at, {Log: "up", Epoch: 1, Sequence: 7}}
	if got := []Position{store.PositionOf(h.After[0]), store.PositionOf(h.After[1])}; !slices.Equal(got, want) || !slices.Equal(seen.After, want) {
		t.Errorf("after = %v and in Apply %v, want %v", got, seen.After, want)
	}
	if seen.Actor != "user/dev" || seen.Principal.String() != "service/b" {
		t.Errorf("origin in Apply = %+v", seen)
	}
}

// faulty spoils what a source returns.
type faulty struct {
	Source
	err   error
	spoil func([]Entry) []Entry
}

func (f *faulty) Read(ctx context.Context, after Position, limit int) ([]Entry, Position, error) {
	if f.err != nil {
		return nil, Position{}, f.err
	}
	entries, last, err := f.Source.Read(ctx, after, limit)
	if f.spoil != nil {
		entries = f.spoil(entries)
	}
	return entries, last, err
}

func TestBrokenFeedsStop(t *testing.T) {
	for name, c := range map[string]struct {
		fault faulty
		want  error
	}{
		"range gone": {faulty{err: fmt.Errorf("%w: archived", store.ErrOutOfRange)}, store.ErrOutOfRange},
		"byte altered": {faulty{spoil: func(e []Entry) []Entry {
			e[1].Head[5] ^= 1
			return e
		}}, ErrBrokenFeed},
		"entry left out": {faulty{spoil: func(e []Entry) []Entry { return slices.Delete(e, 1, 2) }}, ErrBrokenFeed},
		"entry twice":    {faulty{spoil: func(e []Entry) []Entry { return slices.Insert(e, 1, e[0]) }}, ErrBrokenFeed},
	} {
		t.Run(name, func(t *testing.T) {
			a := newService(t, "a")
			b := newService(t, "b", a)
			f := c.fault
			b.wrap = func(s Source) Source { f.Source = s; return &f }
			b.follow()
			a.tell("1:k", "2:k", "3:k")
			if err := b.drain("a"); !errors.Is(err, c.want) || !errors.Is(b.consumers["a"].Err(), c.want) {
				t.Errorf("Step = %v, Err = %v, want %v", err, b.consumers["a"].Err(), c.want)
			}
			if c.fault.spoil != nil {
				b.wantEffects("k=1") // what came before the fault stands
			}
			f.err, f.spoil = nil, nil
			b.mustDrain("a")
			b.wantEffects("k=1 2 3")
			b.wantCounts("a", 3, 3, 0, 0, 0)
		})
	}
}

func TestExchangedLogIsNoticed(t *testing.T) {
	a, other := newService(t, "a"), newService(t, "a")
	b := newService(t, "b", a)
	a.tell("1:k", "2:k")
	b.mustDrain("a")
	b.follows["a"] = other
	other.tell("1:k", "x:k", "3:k")
	b.follow()
	if err := b.drain("a"); !errors.Is(err, ErrBrokenFeed) {
		t.Errorf("Step on another log of the same name: %v, want ErrBrokenFeed", err)
	}
	b.wantEffects("k=1 2")
}
