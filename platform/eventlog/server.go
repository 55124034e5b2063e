package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/idempotency"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
)

// Buckets are what this package keeps in the store; Open adds them.
func Buckets() []*store.Bucket {
	return []*store.Bucket{store.Consumers, store.DeferredFacts, store.ParkedFacts}
}

// Server answers EventLogService.
type Server struct {
	store     *store.Store
	consumers []*Consumer
	runner    *tasks.Runner
}

var _ eventlogv1.EventLogServiceServer = (*Server)(nil)

// NewServer returns the server of a service's log; consumers and runner are what it shows of the service's own work, runner may be
// nil.
func NewServer(s *store.Store, consumers []*Consumer, runner *tasks.Runner) *Server {
	sorted := slices.SortedFunc(slices.Values(consumers), func(a, b *Consumer) int { return strings.Compare(a.c.Log, b.c.Log) })
	return &Server{s, sorted, runner}
}

// GetLog describes the log.
func (s *Server) GetLog(context.Context, *eventlogv1.GetLogRequest) (*eventlogv1.Log, error) {
	last, hash := s.store.LastHash()
	return &eventlogv1.Log{Name: "logs/" + s.store.Service(), Uid: s.store.UID(), First: store.PositionProto(s.store.First()),
		Last: store.PositionProto(last), LastHash: hash, Forks: store.LineProto(s.store.Line())}, nil
}

// ReadEntries returns entries after a position.
func (s *Server) ReadEntries(ctx context.Context, req *eventlogv1.ReadEntriesRequest) (*eventlogv1.ReadEntriesResponse, error) {
	entries, last, err := s.store.ReadLog(ctx, store.PositionOf(req.GetAfter()), int(req.GetPageSize()))
	if err != nil {
		return nil, statusOf(err)
	}
	return &eventlogv1.ReadEntriesResponse{Entries: toProto(entries), Last: store.PositionProto(last)}, nil
}

// TailEntries streams entries until the caller leaves or the store closes. Each batch is read in a transaction that is over
// before it is sent.
func (s *Server) TailEntries(req *eventlogv1.TailEntriesRequest, stream grpc.ServerStreamingServer[eventlogv1.TailEntriesResponse]) error {
	ctx, after := stream.Context(), store.PositionOf(req.GetAfter())
	for {
		changed := s.store.Changed()
		entries, last, err := s.store.ReadLog(ctx, after, 0)
		if err != nil {
			return statusOf(err)
		}
		if len(entries) > 0 {
			if err := stream.Send(&eventlogv1.TailEntriesResponse{Entries: toProto(entries), Last: store.PositionProto(last)}); err != nil {
				return err
			}
			after = entries[len(entries)-1].Position
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.store.Closing():
			return rpcerr.Unavailable(rpcerr.ReasonStopping)
		}
	}
}

func toProto(entries []store.LogEntry) []*eventlogv1.Entry {
	out := make([]*eventlogv1.Entry, len(entries))
	for i, e := range entries {
		out[i] = &eventlogv1.Entry{Head: e.Head, Hash: e.Hash}
	}
	return out
}

// VerifyStore checks a copy of the running store.
func (s *Server) VerifyStore(ctx context.Context, _ *eventlogv1.VerifyStoreRequest) (*eventlogv1.VerifyReport, error) {
	report, err := s.store.Verify(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		report.Breaches = append(report.Breaches, err.Error()) // a file that cannot be read to its end is a finding
	}
	return &eventlogv1.VerifyReport{Entries: report.Entries, Records: report.Records, Breaches: report.Breaches,
		Checks: report.Checks}, nil
}

// ListConsumers shows each followed feed, by name.
func (s *Server) ListConsumers(ctx context.Context, req *eventlogv1.ListConsumersRequest) (*eventlogv1.ListConsumersResponse, error) {
	after, err := page.Parse(req.GetPageToken(), "consumers")
	if err != nil {
		return nil, statusOf(err)
	}
	size := page.Size(req.GetPageSize(), len(s.consumers), len(s.consumers))
	resp := &eventlogv1.ListConsumersResponse{}
	for _, c := range s.consumers {
		if c.c.Log <= string(after) {
			continue
		}
		if n := len(resp.Consumers); n == size {
			resp.NextPageToken = page.Token([]byte(resp.Consumers[n-1].Log), "consumers")
			break
		}
		row, err := c.Status(ctx)
		if err != nil {
			return nil, statusOf(err)
		}
		resp.Consumers = append(resp.Consumers, row)
	}
	return resp, nil
}

// ListParkedFacts shows the facts that wait for a person, in log order.
func (s *Server) ListParkedFacts(ctx context.Context, req *eventlogv1.ListParkedFactsRequest) (*eventlogv1.ListParkedFactsResponse, error) {
	after, err := page.Parse(req.GetPageToken(), "parkedFacts", req.GetParent())
	if err != nil {
		return nil, statusOf(err)
	}
	rg := store.Range{}
	if log := strings.TrimPrefix(req.GetParent(), "consumers/"); log != "-" {
		if s.consumer(log) == nil {
			return nil, rpcerr.NotFound(req.GetParent())
		}
		rg = store.Prefix(store.Key(log))
	}
	if after != nil {
		rg.From = append(after, 0)
	}
	size := page.Size(req.GetPageSize(), 100, 500)
	rg.Limit = size + 1
	var rows []store.KV
	err = s.store.View(ctx, func(r store.Reader) (err error) {
		rows, err = r.Scan(ctx, store.ParkedFacts, rg)
		return err
	})
	if err != nil {
		return nil, statusOf(err)
	}
	resp := &eventlogv1.ListParkedFactsResponse{}
	if len(rows) > size {
		rows = rows[:size]
		resp.NextPageToken = page.Token(rows[size-1].Key, "parkedFacts", req.GetParent())
	}
	for _, row := range rows {
		w := &storagev1.WaitingFact{}
		if err := proto.Unmarshal(row.Value, w); err != nil {
			return nil, statusOf(err)
		}
		resp.ParkedFacts = append(resp.ParkedFacts, parkedProto(w))
	}
	return resp, nil
}

// RetryParkedFact applies a parked fact and its later siblings again.
func (s *Server) RetryParkedFact(ctx context.Context, req *eventlogv1.RetryParkedFactRequest) (*eventlogv1.Consumer, error) {
	parts := strings.Split(req.GetName(), "/")
	if len(parts) != 4 || parts[0] != "consumers" || parts[2] != "parkedFacts" || s.consumer(parts[1]) == nil {
		return nil, rpcerr.NotFound(req.GetName())
	}
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, statusOf(err)
	}
	c := s.consumer(parts[1])
	if err := c.Retry(ctx, cause, req.GetName()); err != nil {
		return nil, statusOf(err)
	}
	row, err := c.Status(ctx)
	return row, statusOf(err)
}

func (s *Server) consumer(log string) *Consumer {
	for _, c := range s.consumers {
		if c.c.Log == log {
			return c
		}
	}
	return nil
}

// ListTasks shows the work that waits, in order of creation.
func (s *Server) ListTasks(ctx context.Context, req *eventlogv1.ListTasksRequest) (*eventlogv1.ListTasksResponse, error) {
	last, err := page.Parse(req.GetPageToken(), "tasks")
	if err != nil {
		return nil, statusOf(err)
	}
	var after uint64
	if len(last) == 8 {
		after = binary.BigEndian.Uint64(last)
	}
	resp := &eventlogv1.ListTasksResponse{}
	if s.runner == nil {
		return resp, nil
	}
	size := page.Size(req.GetPageSize(), 100, 1000)
	list, err := s.runner.List(ctx, after, size+1)
	if err != nil {
		return nil, statusOf(err)
	}
	if len(list) > size {
		list = list[:size]
		resp.NextPageToken = page.Token(store.Key(list[size-1].Number), "tasks")
	}
	for _, t := range list {
		resp.Tasks = append(resp.Tasks, taskProto(t))
	}
	return resp, nil
}

// RetryTask puts a failed or doubtful task back to pending.
func (s *Server) RetryTask(ctx context.Context, req *eventlogv1.RetryTaskRequest) (*eventlogv1.Task, error) {
	return s.changeTask(ctx, req, func(tx *store.Tx, id string) (tasks.Task, error) { return tasks.Retry(ctx, tx, id) })
}

// changeTask does to a task what a person asks for.
func (s *Server) changeTask(ctx context.Context, req interface {
	proto.Message
	GetName() string
}, do func(tx *store.Tx, id string) (tasks.Task, error)) (*eventlogv1.Task, error) {
	id, ok := strings.CutPrefix(req.GetName(), "tasks/")
	if !ok {
		return nil, rpcerr.NotFound(req.GetName())
	}
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, statusOf(err)
	}
	codec := store.ProtoCodec(func() *eventlogv1.Task { return &eventlogv1.Task{} })
	t, _, err := store.Change(ctx, s.store, cause, codec, func(tx *store.Tx) (*eventlogv1.Task, error) {
		t, err := do(tx, id)
		return taskProto(t), err
	})
	return t, statusOf(err)
}

func taskProto(t tasks.Task) *eventlogv1.Task {
	out := &eventlogv1.Task{Name: "tasks/" + t.ID, Kind: t.Kind, Subject: t.Subject, State: eventlogv1.Task_State(t.State), Attempts: t.Attempts,
		LastError: t.LastError, Related: t.Related}
	if !t.Due.IsZero() {
		out.DueTime = timestamppb.New(t.Due)
	}
	return out
}

// statusOf gives an error its code and reason. An error that is not in the list is returned as it is: it becomes INTERNAL with a
// reference.
func statusOf(err error) error {
	if parked, ok := errors.AsType[*StillParkedError](err); ok {
		return rpcerr.Precondition("FACT_STAYS_PARKED", map[string]string{"reason": parked.Reason})
	}
	switch {
	case errors.Is(err, page.ErrToken):
		return rpcerr.InvalidPageToken("page_token")
	case errors.Is(err, idempotency.ErrNoPrincipal):
		return rpcerr.Unauthenticated("the call has no principal")
	case errors.Is(err, ErrNotForked):
		return rpcerr.Precondition("NOT_FORKED", nil)
	case errors.Is(err, store.ErrNotFenced):
		return rpcerr.Precondition("NOT_FENCED", nil)
	case errors.Is(err, store.ErrOtherEpoch), errors.Is(err, ErrOtherFork):
		return rpcerr.Stale("the epoch")
	case errors.Is(err, store.ErrNumberGiven):
		return rpcerr.Invalid(rpcerr.Field{Path: "next", Description: err.Error(), Reason: "NUMBER_GIVEN"})
	case errors.Is(err, tasks.ErrNotStopped):
		return rpcerr.Precondition("TASK_NOT_STOPPED", nil)
	case isTransient(err):
		return rpcerr.Unavailable("")
	}
	return rpcerr.FromStore(err)
}
