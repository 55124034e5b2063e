package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"

	"google.golang.org/grpc"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/idempotency"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
)

// This file answers what a person asks before and after a restore.

// ListOrphans shows the changes of this service whose cause is no more, in log order.
func (s *Server) ListOrphans(ctx context.Context, req *eventlogv1.ListOrphansRequest) (*eventlogv1.ListOrphansResponse, error) {
	token, err := page.Parse(req.GetPageToken(), "orphans", req.GetParent())
	if err != nil {
		return nil, statusOf(err)
	}
	c := s.consumer(strings.TrimPrefix(req.GetParent(), "consumers/"))
	if c == nil {
		return nil, rpcerr.NotFound(req.GetParent())
	}
	var after uint64
	if len(token) == 8 {
		after = binary.BigEndian.Uint64(token)
	}
	size := page.Size(req.GetPageSize(), 100, 500)
	resp := &eventlogv1.ListOrphansResponse{}
	err = c.orphans(ctx, after, func(o *eventlogv1.Orphan) (bool, error) {
		if len(resp.Orphans) == size {
			resp.NextPageToken = page.Token(store.Key(resp.Orphans[size-1].Position.GetSequence()), "orphans", req.GetParent())
			return false, nil
		}
		resp.Orphans = append(resp.Orphans, o)
		return true, nil
	})
	if err != nil {
		return nil, statusOf(err)
	}
	return resp, nil
}

// ReconcileConsumer lets a consumer that has read past a fork read on.
func (s *Server) ReconcileConsumer(ctx context.Context, req *eventlogv1.ReconcileConsumerRequest) (*eventlogv1.Consumer, error) {
	c := s.consumer(strings.TrimPrefix(req.GetName(), "consumers/"))
	if c == nil {
		return nil, rpcerr.NotFound(req.GetName())
	}
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, statusOf(err)
	}
	if err := c.Reconcile(ctx, cause, req.GetEpoch(), req.GetNote()); err != nil {
		return nil, statusOf(err)
	}
	row, err := c.Status(ctx)
	return row, statusOf(err)
}

// GetFence shows what a restore keeps back.
func (s *Server) GetFence(ctx context.Context, _ *eventlogv1.GetFenceRequest) (*eventlogv1.Fence, error) {
	var out *eventlogv1.Fence
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		out, err = s.store.Fence(ctx, r)
		return err
	})
	return out, statusOf(err)
}

// ReconcileSeries opens a number series after a restore.
func (s *Server) ReconcileSeries(ctx context.Context, req *eventlogv1.ReconcileSeriesRequest) (*eventlogv1.Fence, error) {
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, statusOf(err)
	}
	d := decisionOf(cause, req.GetNote(), s.store.Now())
	return s.decide(ctx, cause, func(tx *store.Tx) error { return s.store.OpenSeries(ctx, tx, req.GetSeries(), req.GetNext(), d) })
}

// LiftFence ends what a restore keeps back.
func (s *Server) LiftFence(ctx context.Context, req *eventlogv1.LiftFenceRequest) (*eventlogv1.Fence, error) {
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, statusOf(err)
	}
	d := decisionOf(cause, req.GetNote(), s.store.Now())
	return s.decide(ctx, cause, func(tx *store.Tx) error { return s.store.LiftFence(ctx, tx, req.GetEpoch(), d) })
}

func (s *Server) decide(ctx context.Context, cause store.Cause, fn func(*store.Tx) error) (*eventlogv1.Fence, error) {
	codec := store.ProtoCodec(func() *eventlogv1.Fence { return &eventlogv1.Fence{} })
	f, _, err := store.Change(ctx, s.store, cause, codec, func(tx *store.Tx) (*eventlogv1.Fence, error) {
		if err := fn(tx); err != nil {
			return nil, err
		}
		return s.store.Fence(ctx, tx)
	})
	return f, statusOf(err)
}

// DropTask removes a failed or doubtful task.
func (s *Server) DropTask(ctx context.Context, req *eventlogv1.DropTaskRequest) (*eventlogv1.Task, error) {
	if s.runner == nil {
		return nil, rpcerr.NotFound(req.GetName())
	}
	drop, err := s.runner.Drop(ctx, strings.TrimPrefix(req.GetName(), "tasks/"), tasks.Decision{WentThrough: req.GetWentThrough(), Note: req.GetNote()})
	if err != nil {
		return nil, statusOf(err)
	}
	return s.changeTask(ctx, req, func(tx *store.Tx, _ string) (tasks.Task, error) {
		t, err := drop(ctx, tx)
		t.LastError = req.GetNote()
		return t, err
	})
}

// BackupStore streams a copy of the running store with its documents.
func (s *Server) BackupStore(_ *eventlogv1.BackupStoreRequest, stream grpc.ServerStreamingServer[eventlogv1.BackupStoreResponse]) error {
	snap, err := s.store.Snapshot(stream.Context())
	if err != nil {
		return statusOf(err)
	}
	head := &eventlogv1.Backup{Service: snap.Backup.Service, Uid: snap.Backup.Uid, SchemaVersion: snap.Backup.SchemaVersion, Last: snap.Backup.Last,
		LastHash: snap.Backup.LastHash, ApplyTime: snap.Backup.ApplyTime, TotalSize: snap.Backup.TotalSize,
		Archives: snap.Backup.Archives}
	if err = stream.Send(&eventlogv1.BackupStoreResponse{Backup: head}); err == nil {
		err = snap.Send(stream.Context(), &sender{stream: stream})
	}
	return statusOf(errors.Join(err, snap.Close()))
}

// sender sends the files of a snapshot.
type sender struct {
	stream grpc.ServerStreamingServer[eventlogv1.BackupStoreResponse]
	file   *eventlogv1.BackupFile
}

func (s *sender) Begin(f *eventlogv1.BackupFile) error {
	s.file = f
	return s.stream.Send(&eventlogv1.BackupStoreResponse{File: &eventlogv1.BackupFile{Name: f.Name, Size: f.Size}})
}

func (s *sender) Write(p []byte) (int, error) {
	return len(p), s.stream.Send(&eventlogv1.BackupStoreResponse{Data: p})
}

func (s *sender) End(sum string) error {
	return s.stream.Send(&eventlogv1.BackupStoreResponse{File: &eventlogv1.BackupFile{Name: s.file.Name, Size: s.file.Size, Sha256: sum}})
}
