package rpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	governancev1 "crossdock.dev/gen/crossdock/governance/v1"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/rpcerr"
)

// door is an admission by a clock that the test moves.
type door struct {
	*Admission
	now time.Time
}

func newDoor(l Limits) *door {
	d := &door{now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	d.Admission = NewAdmission("widgets", l, func() time.Time { return d.now })
	return d
}

// by is a call of a service; the gateway's calls have no certificate.
func by(ctx context.Context, service string) context.Context {
	if service == "gateway" {
		return ctx
	}
	certificate := &x509.Certificate{URIs: []*url.URL{auth.ServiceID(service).URL()}}
	return peer.NewContext(ctx, &peer.Peer{AuthInfo: credentials.TLSInfo{State: tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}}})
}

func critical(c governancev1.MethodPolicy_Criticality) auth.Method {
	return auth.Method{Policy: &governancev1.MethodPolicy{Criticality: c}}
}

var t1, t2, t3 = critical(governancev1.MethodPolicy_T1), critical(governancev1.MethodPolicy_T2), critical(governancev1.MethodPolicy_T3)

// fill lets calls in until one is refused, and returns how many came in.
func (d *door) fill(ctx context.Context, m auth.Method) (n int) {
	for ; n < 1000; n++ {
		if _, err := d.enter(ctx, "/x.Y/Z", m); err != nil {
			break
		}
	}
	return n
}

// Of 16 places a caller gets 12, less critical calls come in up to 13 and 14, and reads of the log and health are not in their way.
func TestSharesOfTheLimit(t *testing.T) {
	d, ctx := newDoor(Limits{Calls: 16, Streams: 16}), t.Context()
	for _, x := range []struct {
		what string
		got  int
		want int
	}{
		{"one caller", d.fill(by(ctx, "edi"), t1), 12},
		{"T3 of another beside it", d.fill(by(ctx, "tower"), t3), 1},
		{"T2 beside them", d.fill(by(ctx, "tower"), t2), 1},
		{"T1 beside them", d.fill(by(ctx, "workflow"), t1), 2},
		{"partners when all is full", d.fill(by(ctx, "gateway"), t1), 0},
		{"health, as often as anybody likes", d.fill(by(ctx, "edi"), auth.Method{Exempt: true}), 1000},
		{"streams, which have places of their own", d.fill(by(ctx, "edi"), auth.Method{Policy: t1.Policy, Streams: true}), 12},
	} {
		if x.got != x.want {
			t.Errorf("%s: %d came in, want %d", x.what, x.got, x.want)
		}
	}
	if _, err := d.enter(by(ctx, "tower"), eventlogv1.EventLogService_ReadEntries_FullMethodName, t1); err != nil {
		t.Errorf("a read of the log beside a flood: %v", err)
	}
	_, err := d.enter(by(ctx, "edi"), "/x.Y/Z", t1)
	if e := rpcerr.From(err); e.Reason != rpcerr.ReasonOverloaded || e.RetryAfter != RetryAfter {
		t.Errorf("refused with %v after %v, want OVERLOADED and a second", e, e.RetryAfter)
	}
}

// A place is free again when the call is over.
func TestPlaceIsFreeAgain(t *testing.T) {
	d := newDoor(Limits{Calls: 1})
	ctx, end := context.WithCancel(t.Context())
	if _, err := d.enter(ctx, "/x.Y/Z", t1); err != nil {
		t.Fatal(err)
	}
	if d.fill(t.Context(), t1) != 0 {
		t.Error("two came in at once")
	}
	freed := make(chan struct{})
	context.AfterFunc(ctx, func() { close(freed) })
	end()
	<-freed
	for d.calls.all.Load() != 0 { // the other function of the same context may still run
		select {
		case <-t.Context().Done():
			t.Fatal("the place is not free")
		default:
		}
	}
	if d.fill(t.Context(), t1) != 1 {
		t.Error("the place is not free")
	}
}

// windows plays windows in each of which so many calls took so long, with so many inside.
func (d *door) windows(n, calls int, took time.Duration, inside int64) {
	d.calls.all.Store(inside)
	for range n {
		d.now = d.now.Add(window)
		for i := range calls {
			if i == calls-1 {
				d.now = d.now.Add(window)
			}
			d.ended(&visit{came: d.now.Add(-took)})
		}
	}
}

func TestLimitFollowsLatency(t *testing.T) {
	for _, x := range []struct {
		name   string
		played func(d *door)
		want   int64
	}{
		{"quick calls leave it", func(d *door) { d.windows(3, 100, 10*time.Millisecond, 512) }, 512},
		{"slow calls lower it by a quarter", func(d *door) { d.windows(1, 100, time.Second, 512) }, 384},
		{"slow calls of a server that is not full leave it", func(d *door) { d.windows(3, 100, time.Second, 10) }, 512},
		{"few slow calls say nothing", func(d *door) { d.windows(3, 10, time.Second, 512) }, 512},
		{"it has a floor", func(d *door) { d.windows(50, 100, time.Second, 512) }, 64},
		{"it comes back within two seconds", func(d *door) {
			d.windows(50, 100, time.Second, 512)
			d.windows(20, 100, time.Millisecond, 64)
		}, 512},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := newDoor(Limits{})
			x.played(d)
			if got := d.limit.Load(); got != x.want {
				t.Errorf("limit %d, want %d", got, x.want)
			}
		})
	}
	runtime.GC() // what lives is known from the first collection on
	d := newDoor(Limits{Heap: 1})
	d.windows(1, 1, time.Millisecond, 1)
	if got := d.limit.Load(); got != 384 {
		t.Errorf("with a heap over its bound: limit %d, want 384", got)
	}
}

// What waited for other logs says nothing of the load.
func TestWaitingForOthersIsNotLoad(t *testing.T) {
	d := newDoor(Limits{})
	d.calls.all.Store(512)
	d.now = d.now.Add(2 * window)
	for range 100 {
		v := &visit{came: d.now.Add(-time.Second)}
		waitedFor(context.WithValue(t.Context(), visitKey{}, v), time.Second-time.Millisecond)
		d.ended(v)
	}
	if got := d.limit.Load(); got != 512 {
		t.Errorf("limit %d, want 512", got)
	}
}

// While the server is busy, a call that has less time than one takes is not begun.
func TestTooLateToBegin(t *testing.T) {
	d := newDoor(Limits{})
	d.windows(1, 20, 80*time.Millisecond, 300)
	for left, want := range map[time.Duration]bool{40 * time.Millisecond: false, 200 * time.Millisecond: true} {
		for inside, busy := range map[int64]bool{300: true, 3: false} {
			d.calls.all.Store(inside)
			// The clock of the door stands still in the past; only the distance between now and the deadline counts.
			_, err := d.enter(deadline{t.Context(), d.now.Add(left)}, "/x.Y/Z", t1)
			if got := err == nil; got != (want || !busy) {
				t.Errorf("%v left with %d inside: %v", left, inside, err)
			}
		}
	}
}

// deadline is a context with a deadline of the door's clock.
type deadline struct {
	context.Context
	at time.Time
}

func (d deadline) Deadline() (time.Time, bool) { return d.at, true }

// A refused call is made again when the server says, but repeats add a tenth to the load and no more.
func TestBudgetOfRepeats(t *testing.T) {
	full := rpcerr.Exhausted(time.Microsecond)
	b, calls := newBudget(), 0
	err := b.spend(t.Context(), func() error {
		calls++
		if calls < 3 {
			return full
		}
		return nil
	})
	if err != nil || calls != 3 {
		t.Errorf("a server that was full twice: %v after %d calls, want none after 3", err, calls)
	}
	b, calls = newBudget(), 0
	for range 100 {
		if err := b.spend(t.Context(), func() error { calls++; return full }); !errors.Is(err, full) {
			t.Fatalf("got %v, want the refusal", err)
		}
	}
	// 10 in stock, and refusals add nothing.
	if want := 100 + maxRepeats; calls != want {
		t.Errorf("100 calls to a full server were %d, want %d", calls, want)
	}
	calls = 0
	for range 100 {
		_ = b.spend(t.Context(), func() error { return nil })
	}
	for range 100 {
		_ = b.spend(t.Context(), func() error { calls++; return full })
	}
	if calls < 109 || calls > 110 { // a hundred answers are worth ten repeats; tenths do not add up to the last bit
		t.Errorf("after 100 answers, 100 calls were %d, want 110", calls)
	}
	for name, refusal := range map[string]error{"a quota": quota(), "no RetryInfo": rpcerr.Exhausted(0), "another code": rpcerr.Unavailable("")} {
		calls = 0
		if err := newBudget().spend(t.Context(), func() error { calls++; return refusal }); err == nil || calls != 1 {
			t.Errorf("%s: %v after %d calls, want 1", name, err, calls)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	calls = 0
	if err := newBudget().spend(ctx, func() error { calls++; return rpcerr.Exhausted(time.Hour) }); err == nil || calls != 1 {
		t.Errorf("a pause beyond the deadline: %v after %d calls, want 1 at once", err, calls)
	}
}

func quota() error {
	e := rpcerr.Exhausted(time.Microsecond)
	e.Reason = rpcerr.ReasonQuotaExceeded
	return e
}
