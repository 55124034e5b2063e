package eventlog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
)

// wire serves a service's log in memory; the server can be stopped and started while a client stays.
type wire struct {
	t      testing.TB
	mu     sync.Mutex
	lis    *bufconn.Listener
	server *grpc.Server
	conn   *grpc.ClientConn
}

func newWire(t testing.TB, impl eventlogv1.EventLogServiceServer) *wire {
	w := &wire{t: t}
	w.start(impl)
	conn, err := grpc.NewClient("passthrough:///log", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 20 * time.Second, Backoff: backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1, MaxDelay: 5 * time.Millisecond}}),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			w.mu.Lock()
			lis := w.lis
			w.mu.Unlock()
			return lis.DialContext(ctx)
		}))
	if err != nil {
		t.Fatal(err)
	}
	w.conn = conn
	t.Cleanup(func() { conn.Close(); w.server.Stop() })
	return w
}

func (w *wire) start(impl eventlogv1.EventLogServiceServer) {
	lis := bufconn.Listen(1 << 16)
	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		return next(origin.With(ctx, origin.Origin{Principal: origin.Principal{Kind: origin.User, Name: "dev"}, Method: info.FullMethod}), req)
	}))
	eventlogv1.RegisterEventLogServiceServer(server, impl)
	w.mu.Lock()
	w.lis, w.server = lis, server
	w.mu.Unlock()
	go server.Serve(lis)
}

func TestServerServesTheLog(t *testing.T) {
	ctx := context.Background()
	a := newService(t, "a")
	client := eventlogv1.NewEventLogServiceClient(newWire(t, NewServer(a.store, nil, nil)).conn)
	log, err := client.GetLog(ctx, &eventlogv1.GetLogRequest{})
	if err != nil || log.Name != "logs/a" || len(log.Uid) != 32 || log.First.Sequence != 0 || log.Last.Sequence != 0 {
		t.Errorf("GetLog of an empty log = %v, %v", log, err)
	}
	for i := range 300 {
		a.tell(fmt.Sprint(i))
	}
	log, err = client.GetLog(ctx, &eventlogv1.GetLogRequest{})
	if err != nil || log.First.Sequence != 1 || log.Last.Sequence != 300 || len(log.LastHash) != 32 {
		t.Errorf("GetLog = %v, %v", log, err)
	}
	resp, err := client.ReadEntries(ctx, &eventlogv1.ReadEntriesRequest{PageSize: 500})
	if err != nil || len(resp.Entries) != 256 || resp.Last.Sequence != 300 {
		t.Errorf("ReadEntries = %d entries, last %v, %v, want 256 and 300", len(resp.GetEntries()), resp.GetLast(), err)
	}
	for _, p := range []*eventlogv1.Position{{Log: "a", Epoch: 2, Sequence: 1}, {Log: "a", Epoch: 1, Sequence: 301}, {Log: "x", Epoch: 1}} {
		if _, err := client.ReadEntries(ctx, &eventlogv1.ReadEntriesRequest{After: p}); status.Code(err) != codes.OutOfRange {
			t.Errorf("ReadEntries after %v: %v, want OUT_OF_RANGE", p, err)
		}
		stream, err := client.TailEntries(ctx, &eventlogv1.TailEntriesRequest{After: p})
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.OutOfRange {
			t.Errorf("TailEntries after %v: %v, want OUT_OF_RANGE", p, err)
		}
	}
	stream, err := client.TailEntries(ctx, &eventlogv1.TailEntriesRequest{After: &eventlogv1.Position{Log: "a", Epoch: 1, Sequence: 10}})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for n < 290 {
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		n += len(m.Entries)
	}
	a.tell("301")
	if m, err := stream.Recv(); err != nil || len(m.Entries) != 1 || n != 290 {
		t.Errorf("tail of a new entry = %v, %v, after %d", m, err, n)
	}
	a.store.Close()
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("tail when the store closes: %v, want UNAVAILABLE", err)
	}
}

func TestServerShowsItsWork(t *testing.T) {
	ctx := context.Background()
	a := newService(t, "a")
	b := newService(t, "b", a)
	runner := tasks.NewRunner(tasks.Config{Store: b.store, Machine: clock.NewManual(start), Handlers: map[string]tasks.Handler{
		"call": func(context.Context, tasks.Task) (tasks.Done, error) {
			return nil, tasks.Permanent(errors.New("refused"))
		},
	}})
	client := eventlogv1.NewEventLogServiceClient(newWire(t, NewServer(b.store, []*Consumer{b.consumers["a"]}, runner)).conn)

	b.bad["1"], b.bad["3"] = errors.New("bad order"), errors.New("bad load")
	a.tell("1:x", "2:x", "3:y", "4")
	b.mustDrain("a")
	list, err := client.ListConsumers(ctx, &eventlogv1.ListConsumersRequest{})
	if err != nil || len(list.Consumers) != 1 || list.Consumers[0].Read != 4 || list.Consumers[0].Parked != 3 || list.Consumers[0].Cursor.Sequence != 4 {
		t.Errorf("ListConsumers = %v, %v", list, err)
	}
	var names []string
	token := ""
	for {
		page, err := client.ListParkedFacts(ctx, &eventlogv1.ListParkedFactsRequest{Parent: "consumers/-", PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page.ParkedFacts {
			names = append(names, f.Name+" "+f.Subject+" "+f.Reason)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
		if _, err := client.ListParkedFacts(ctx, &eventlogv1.ListParkedFactsRequest{Parent: "consumers/a", PageSize: 2, PageToken: token}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("the token of another list: %v, want INVALID_ARGUMENT", err)
		}
	}
	want := []string{parkedName(1, 0) + " 1 bad order", parkedName(2, 0) + " 2 waits for " + parkedName(1, 0), parkedName(3, 0) + " 3 bad load"}
	if !slices.Equal(names, want) {
		t.Errorf("parked = %q, want %q", names, want)
	}
	for name, code := range map[string]codes.Code{parkedName(1, 0): codes.FailedPrecondition, parkedName(9, 0): codes.NotFound,
		"consumers/z/parkedFacts/0": codes.NotFound, "nonsense": codes.NotFound} {
		_, err := client.RetryParkedFact(ctx, &eventlogv1.RetryParkedFactRequest{Name: name, RequestId: "first"})
		if status.Code(err) != code {
			t.Errorf("RetryParkedFact %s: %v, want %v", name, err, code)
		}
	}
	b.bad = nil
	for range 2 {
		c, err := client.RetryParkedFact(ctx, &eventlogv1.RetryParkedFactRequest{Name: parkedName(1, 0), RequestId: "again"})
		if err != nil || c.Parked != 1 || c.Applied != 2 {
			t.Errorf("RetryParkedFact = %v, %v", c, err)
		}
	}

	for i := range 3 {
		_, err := b.store.Change(ctx, store.Cause{}, func(tx *store.Tx) ([]byte, error) {
			return nil, tasks.Enqueue(ctx, tx, tasks.Task{ID: fmt.Sprint("task_", 9-i), Kind: "call", Effect: tasks.Keyed, Subject: "loads/1"})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := runner.Step(ctx, start); err != nil {
		t.Fatal(err)
	}
	first, err := client.ListTasks(ctx, &eventlogv1.ListTasksRequest{PageSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	second, err := client.ListTasks(ctx, &eventlogv1.ListTasksRequest{PageSize: 2, PageToken: first.NextPageToken})
	if err != nil || len(first.Tasks) != 2 || len(second.Tasks) != 1 || second.NextPageToken != "" {
		t.Fatalf("ListTasks = %v, %v, %v", first, second, err)
	}
	if got := first.Tasks[0]; got.Name != "tasks/task_9" || got.State != eventlogv1.Task_FAILED || got.LastError != "refused" || second.Tasks[0].Name != "tasks/task_7" {
		t.Errorf("tasks = %v, %v, want the order of creation", first, second)
	}
	task, err := client.RetryTask(ctx, &eventlogv1.RetryTaskRequest{Name: "tasks/task_9", RequestId: "r"})
	if err != nil || task.State != eventlogv1.Task_PENDING {
		t.Errorf("RetryTask = %v, %v", task, err)
	}
	for name, code := range map[string]codes.Code{"tasks/task_8": codes.FailedPrecondition, "tasks/none": codes.NotFound, "none": codes.NotFound} {
		if _, err := client.RetryTask(ctx, &eventlogv1.RetryTaskRequest{Name: name, RequestId: name}); status.Code(err) != code {
			t.Errorf("RetryTask %s: %v, want %v", name, err, code)
		}
	}
	if _, err := client.RetryTask(ctx, &eventlogv1.RetryTaskRequest{Name: "tasks/task_8", RequestId: "r"}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a request id used for another task: %v, want FAILED_PRECONDITION", err)
	}
	report, err := client.VerifyStore(ctx, &eventlogv1.VerifyStoreRequest{})
	if err != nil || len(report.Breaches) > 0 || report.Entries != b.store.Last().Sequence || !slices.Contains(report.Checks, "I2 consumers") {
		t.Errorf("VerifyStore = %v, %v", report, err)
	}
}

// TestRemote follows a log over a connection that is lost and comes back.
func TestRemote(t *testing.T) {
	ctx, leave := context.WithCancel(context.Background())
	a := newService(t, "a")
	w := newWire(t, NewServer(a.store, nil, nil))
	b := newService(t, "b", a)
	remote := Remote("a", w.conn)
	b.wrap = func(Source) Source { return remote }
	b.follow()
	c := b.consumers["a"]
	a.tell("1:k")
	next := func(want string) {
		t.Helper()
		for {
			wake := c.Wake()
			progress, err := c.Step(ctx, start)
			if err != nil && status.Code(err) != codes.Unavailable {
				t.Fatal(err)
			}
			if progress {
				b.wantEffects(want)
				return
			}
			<-wake
		}
	}
	next("k=1")
	if _, err := c.Step(ctx, start); err != nil {
		t.Fatal(err)
	}
	waiting := c.Wake()
	if again := c.Wake(); again != waiting {
		t.Error("a second wait for the same position opened a second stream")
	}
	w.server.Stop()
	w.start(NewServer(a.store, nil, nil))
	a.tell("2:k")
	<-waiting
	next("k=1 2")
	if _, _, err := remote.Read(ctx, Position{Log: "a", Epoch: 7, Sequence: 1}, 1); !errors.Is(err, store.ErrOutOfRange) {
		t.Errorf("Read of another epoch: %v, want ErrOutOfRange", err)
	}
	replaced := c.Wake()
	<-remote.Changed(ctx, Position{Log: "a", Epoch: 7, Sequence: 1}) // refused: the reader is woken to see it
	last := remote.Changed(ctx, a.store.Last())
	leave()
	<-replaced
	<-last
	// One that has told its end may still be on its way out.
	buf := make([]byte, 1<<20)
	for end := time.Now().Add(time.Minute); ; runtime.Gosched() {
		stacks := string(buf[:runtime.Stack(buf, true)])
		if !strings.Contains(stacks, "(*remote).follow") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("goroutines remain:\n%s", stacks)
		}
	}
}

// What a reader finds is the same wherever it reads on, although the next entries are read before it asks.
func TestRemoteReadsAhead(t *testing.T) {
	ctx := context.Background()
	a := newService(t, "a")
	for i := range 40 {
		a.tell(fmt.Sprint(i))
	}
	w := newWire(t, NewServer(a.store, nil, nil))
	source := Remote("a", w.conn)
	at := func(n uint64) Position {
		if n == 0 {
			return Position{}
		}
		return Position{Log: "a", Epoch: 1, Sequence: n}
	}
	for _, from := range []uint64{0, 7, 14, 21, 7, 0, 7, 33, 40, 39, 35} {
		got, last, err := source.Read(ctx, at(from), 7)
		want, _, wantErr := Local(a.store).Read(ctx, at(from), 7)
		if err != nil || wantErr != nil || last.Sequence != 40 || len(got) != len(want) {
			t.Fatalf("read after %d: %d entries up to %v, %v; want %d, %v", from, len(got), last, err, len(want), wantErr)
		}
		for i := range got {
			if string(got[i].Head) != string(want[i].Head) || string(got[i].Hash) != string(want[i].Hash) {
				t.Errorf("read after %d: entry %d differs", from, i)
			}
		}
	}
	// A read ahead that failed, since its reader's time ended, is made again.
	ending, end := context.WithCancel(ctx)
	if _, _, err := source.Read(ending, at(0), 7); err != nil {
		t.Fatal(err)
	}
	end()
	if got, _, err := source.Read(ctx, at(7), 7); err != nil || len(got) != 7 {
		t.Errorf("read after the end of another: %d entries, %v", len(got), err)
	}
}

// calls counts the unary calls over a connection.
type calls struct {
	grpc.ClientConnInterface
	n atomic.Int32
}

func (c *calls) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	c.n.Add(1)
	return c.ClientConnInterface.Invoke(ctx, method, args, reply, opts...)
}

// TestRemoteStreams: who reads along is sent what comes and does not ask for it, and no more is sent ahead than it takes.
func TestRemoteStreams(t *testing.T) {
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	a := newService(t, "a")
	w := newWire(t, NewServer(a.store, nil, nil))
	conn := &calls{ClientConnInterface: w.conn}
	remote := Remote("a", conn).(*remote)
	var after Position
	<-func() <-chan struct{} { a.tell("0:k"); return remote.Changed(ctx, after) }()
	const total = 3 * maxAhead
	told := make([]string, total)
	for i := range told {
		told[i] = fmt.Sprintf("%d:k", i+1)
	}
	a.tell(told...)
	for want := uint64(1); want <= total+1; {
		<-remote.Changed(ctx, after)
		entries, last, err := remote.Read(ctx, after, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 || len(entries) > 100 || last.Sequence < want {
			t.Fatalf("after %v: %d entries of a log that ends at %v, want 1 to 100", after, len(entries), last)
		}
		for _, e := range entries {
			if after, err = positionOf(e); err != nil || after.Sequence != want {
				t.Fatalf("entry %v, %v, want %d", after, err, want)
			}
			want++
		}
		remote.mu.Lock()
		ahead := len(remote.tail.entries)
		remote.mu.Unlock()
		if most := maxAhead + readBatch; ahead > most {
			t.Fatalf("%d entries are ahead, want at most %d", ahead, most)
		}
	}
	if entries, last, err := remote.Read(ctx, after, 100); len(entries) > 0 || last != after || err != nil {
		t.Errorf("at the end: %d entries, %v, %v", len(entries), last, err)
	}
	if n := conn.n.Load(); n > 0 {
		t.Errorf("%d calls beside the stream, want none", n)
	}
	first, _, err := remote.Read(ctx, Position{}, 1) // from elsewhere the log is asked
	if err != nil || len(first) != 1 || conn.n.Load() == 0 {
		t.Errorf("from the beginning: %d entries, %v, with %d calls", len(first), err, conn.n.Load())
	}
}
