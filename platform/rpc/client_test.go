package rpc_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/internal/widgettest"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/platformtest"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/rpcerr"
)

// flaky answers UNAVAILABLE a number of times, then well.
type flaky struct {
	eventlogv1.EventLogServiceServer
	calls, failures atomic.Int64
	code            codes.Code
	seen            origin.Origin
}

func (f *flaky) answer(ctx context.Context) error {
	f.seen = origin.From(ctx)
	if f.calls.Add(1) <= f.failures.Load() {
		return status.Error(f.code, "not now")
	}
	return nil
}

func (f *flaky) GetLog(ctx context.Context, _ *eventlogv1.GetLogRequest) (*eventlogv1.Log, error) {
	return &eventlogv1.Log{}, f.answer(ctx)
}

func (f *flaky) RetryTask(ctx context.Context, _ *eventlogv1.RetryTaskRequest) (*eventlogv1.Task, error) {
	return &eventlogv1.Task{}, f.answer(ctx)
}

func TestRetriesOnlyWhereSafe(t *testing.T) {
	f := &flaky{}
	s := platformtest.New(t, platformtest.Config{Service: "orders", Register: func(r grpc.ServiceRegistrar) { eventlogv1.RegisterEventLogServiceServer(r, f) }})
	c := eventlogv1.NewEventLogServiceClient(s.AsUser())
	read := func() error { _, err := c.GetLog(t.Context(), &eventlogv1.GetLogRequest{}); return err }
	change := func(id string) func() error {
		return func() error {
			_, err := c.RetryTask(t.Context(), &eventlogv1.RetryTaskRequest{Name: "tasks/t", RequestId: id})
			return err
		}
	}
	for _, test := range []struct {
		name     string
		call     func() error
		failures int64
		code     codes.Code
		calls    int64
		want     codes.Code
	}{
		{"a read, three failures", read, 3, codes.Unavailable, 4, codes.OK},
		{"a read, four failures", read, 4, codes.Unavailable, 4, codes.Unavailable},
		{"a change with request id", change("r-1"), 1, codes.Unavailable, 2, codes.OK},
		{"another code", read, 1, codes.ResourceExhausted, 1, codes.ResourceExhausted},
		{"a change without request id does not arrive", change(""), 0, codes.OK, 0, codes.InvalidArgument},
	} {
		f.calls.Store(0)
		f.failures.Store(test.failures)
		f.code = test.code
		if err := test.call(); status.Code(err) != test.want || f.calls.Load() != test.calls {
			t.Errorf("%s: got %v after %d calls, want %v after %d", test.name, err, f.calls.Load(), test.want, test.calls)
		}
	}
}

// A change that no request id makes safe is sent once, whatever its contract says of ids.
func TestNoRetryWithoutRequestID(t *testing.T) {
	var calls atomic.Int64
	fail := func(context.Context, *dynamicpb.Message) (*dynamicpb.Message, error) {
		calls.Add(1)
		return nil, rpcerr.Unavailable("")
	}
	f := start(t, widgettest.Handlers{Purge: fail, Get: fail}, nil)
	cc, err := rpc.Dial(rpc.ClientConfig{
		Target: "static:///memory:0", Service: service, Identity: f.PKI.User(auth.DevUser), Files: f.contract.Files(),
		Dialer: func(ctx context.Context, _ string) (net.Conn, error) { return f.Connect(ctx) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	for method, want := range map[string]int64{widgettest.Purge: 1, widgettest.Get: 4} {
		calls.Store(0)
		err := cc.Invoke(t.Context(), method, f.contract.Message("GetWidgetRequest"), f.contract.Message("Widget"))
		if status.Code(err) != codes.Unavailable || calls.Load() != want {
			t.Errorf("%s: got %v after %d calls, want UNAVAILABLE after %d", method, err, calls.Load(), want)
		}
	}
}

func TestOriginIsForwarded(t *testing.T) {
	f := &flaky{}
	s := platformtest.New(t, platformtest.Config{Service: "orders", Register: func(r grpc.ServiceRegistrar) { eventlogv1.RegisterEventLogServiceServer(r, f) }})
	c := eventlogv1.NewEventLogServiceClient(s.As("workflow"))
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	after := []origin.Position{{Log: "freight", Epoch: 1, Sequence: 7}}
	ctx := origin.With(t.Context(), origin.Origin{Actor: "partner/CUS-XYZ", Traceparent: parent, After: after})
	if _, err := c.GetLog(ctx, &eventlogv1.GetLogRequest{}); err != nil {
		t.Fatal(err)
	}
	if f.seen.Actor != "partner/CUS-XYZ" || !slices.Equal(f.seen.After, after) || f.seen.Principal.String() != "service/workflow" {
		t.Errorf("origin %+v", f.seen)
	}
	// Same trace, another span (W3C Trace Context, section 3.2.2.4).
	if got := f.seen.Traceparent; got[:35] != parent[:35] || got[36:52] == parent[36:52] {
		t.Errorf("traceparent %s, want the trace of %s with a new span", got, parent)
	}
}

// What a service does for a caller ends a little before the caller's deadline; what nobody asked for has the usual one.
func TestDeadlineIsShavedPerHop(t *testing.T) {
	var left time.Duration
	f := start(t, widgettest.Handlers{Get: func(ctx context.Context, _ *dynamicpb.Message) (*dynamicpb.Message, error) {
		end, ok := ctx.Deadline()
		if !ok {
			return nil, errors.New("no deadline")
		}
		left = time.Until(end)
		return nil, rpcerr.NotFound("widgets/w1")
	}}, nil)
	cc := f.As("workflow")
	incoming := origin.With(t.Context(), origin.Origin{Principal: origin.Principal{Kind: origin.User, Name: "dev"}})
	for _, x := range []struct {
		name       string
		ctx        context.Context
		given      time.Duration
		least, not time.Duration
	}{
		{"a call of its own", t.Context(), 100 * time.Second, 100*time.Second - 5*time.Second, 100 * time.Second},
		{"on behalf of another", incoming, 2 * time.Second, 0, 1900 * time.Millisecond},
		{"on behalf of another who has time", incoming, 100 * time.Second, 90 * time.Second, 99750 * time.Millisecond},
		{"without a deadline", t.Context(), 0, 0, 10 * time.Second},
	} {
		ctx, cancel := x.ctx, context.CancelFunc(func() {})
		if x.given > 0 {
			ctx, cancel = context.WithTimeout(x.ctx, x.given)
		}
		err := cc.Invoke(ctx, widgettest.Get, f.contract.Message("GetWidgetRequest"), f.contract.Message("Widget"))
		cancel()
		if status.Code(err) != codes.NotFound || left <= x.least || left > x.not {
			t.Errorf("%s: %v with %v left, want more than %v and at most %v", x.name, err, left, x.least, x.not)
		}
	}
}

// A server that was away for some attempts is found soon after it is back: waits between attempts grow to a second, not to two
// minutes, so a call's ten seconds are enough.
func TestServerThatWasAwayIsFoundSoon(t *testing.T) {
	f := &flaky{}
	s := platformtest.New(t, platformtest.Config{Service: "orders", Register: func(r grpc.ServiceRegistrar) { eventlogv1.RegisterEventLogServiceServer(r, f) }})
	var attempts atomic.Int64
	cc, err := rpc.Dial(rpc.ClientConfig{
		Target: "static:///memory:0", Service: "orders", Identity: s.PKI.User(auth.DevUser),
		Dialer: func(ctx context.Context, _ string) (net.Conn, error) {
			if attempts.Add(1) <= 6 {
				return nil, errors.New("connection refused")
			}
			return s.Connect(ctx)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	if _, err := eventlogv1.NewEventLogServiceClient(cc).GetLog(t.Context(), &eventlogv1.GetLogRequest{}); err != nil || attempts.Load() != 7 {
		t.Errorf("got %v after %d attempts, want an answer at the seventh", err, attempts.Load())
	}
}

// A server that is another service than the one wanted gets nothing.
func TestWrongServerIsNotCalled(t *testing.T) {
	f := &flaky{}
	s := platformtest.New(t, platformtest.Config{Service: "orders", Register: func(r grpc.ServiceRegistrar) { eventlogv1.RegisterEventLogServiceServer(r, f) }})
	dialled := make(chan struct{}, 64)
	cc, err := rpc.Dial(rpc.ClientConfig{
		Target: "static:///memory:0", Service: "billing", Identity: s.PKI.User(auth.DevUser),
		Dialer: func(ctx context.Context, _ string) (net.Conn, error) {
			select {
			case dialled <- struct{}{}:
			default:
			}
			return s.Connect(ctx)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	_, err = eventlogv1.NewEventLogServiceClient(cc).GetLog(t.Context(), &eventlogv1.GetLogRequest{}, grpc.WaitForReady(false))
	if status.Code(err) != codes.Unavailable || f.calls.Load() != 0 || len(dialled) == 0 {
		t.Errorf("got %v after %d calls and %d dials, want UNAVAILABLE and no call", err, f.calls.Load(), len(dialled))
	}
	if rpcerr.From(err).Code != codes.Unavailable {
		t.Errorf("rpcerr.From: %+v", rpcerr.From(err))
	}
}
