// Package api serves WorkflowService: it decodes, asks the store or the app, and encodes. errors.go is the only place that
// turns errors into answers.
package api

import (
	"context"
	"fmt"
	"strings"

	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/idempotency"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpc"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/workflow/internal/app"
	"crossdock.dev/services/workflow/internal/process"
	"crossdock.dev/services/workflow/internal/store"
)

// Server implements WorkflowService. Its methods have no partner-visible part: partners are refused before they get here.
type Server struct {
	store *platform.Store
	app   *app.App
}

// New returns a Server.
func New(s *platform.Store, a *app.App) *Server { return &Server{store: s, app: a} }

var _ workflowv1.WorkflowServiceServer = (*Server)(nil)

const (
	defaultPage = 50
	maxPage     = 500
)

// GetProcess returns one process with its history.
func (s *Server) GetProcess(ctx context.Context, req *workflowv1.GetProcessRequest) (*workflowv1.Process, error) {
	var out *workflowv1.Process
	err := s.store.View(ctx, func(r platform.Reader) error {
		p, err := store.Process(ctx, r, strings.TrimPrefix(req.GetName(), "processes/"))
		if err != nil {
			return err
		}
		history, err := store.Steps(ctx, r, p.ID)
		out = store.Message(p, history)
		return err
	})
	return out, answer(err, req.GetName())
}

// ListProcesses pages through the processes.
func (s *Server) ListProcesses(ctx context.Context, req *workflowv1.ListProcessesRequest) (*workflowv1.ListProcessesResponse, error) {
	before, err := page.Parse(req.GetPageToken(), req.GetOrder())
	if err != nil {
		return nil, answer(err, req.GetOrder())
	}
	size := page.Size(req.GetPageSize(), defaultPage, maxPage)
	var found []process.Process
	err = s.store.View(ctx, func(r platform.Reader) (err error) {
		if req.GetOrder() == "" {
			found, err = store.ProcessPage(ctx, r, string(before), size+1)
			return err
		}
		// An order has a handful of releases: they are read whole and cut here, newest first.
		all, err := store.ProcessesOf(ctx, r, req.GetOrder())
		for i := len(all) - 1; i >= 0 && len(found) <= size; i-- {
			if before == nil || all[i].ID < string(before) {
				found = append(found, all[i])
			}
		}
		return err
	})
	if err != nil {
		return nil, answer(err, req.GetOrder())
	}
	resp := &workflowv1.ListProcessesResponse{}
	for i, p := range found {
		if i == size {
			resp.NextPageToken = page.Token([]byte(found[i-1].ID), req.GetOrder())
			break
		}
		resp.Processes = append(resp.Processes, store.Message(p, nil))
	}
	return resp, nil
}

// GetWorkItem returns one work item.
func (s *Server) GetWorkItem(ctx context.Context, req *workflowv1.GetWorkItemRequest) (*workflowv1.WorkItem, error) {
	var out *workflowv1.WorkItem
	err := s.store.View(ctx, func(r platform.Reader) error {
		w, etag, err := store.WorkItem(ctx, r, itemID(req.GetName()))
		if err != nil {
			return err
		}
		out = store.ItemMessage(w, etag)
		return nil
	})
	return out, answer(err, req.GetName())
}

// ListWorkItems pages through the work items.
func (s *Server) ListWorkItems(ctx context.Context, req *workflowv1.ListWorkItemsRequest) (*workflowv1.ListWorkItemsResponse, error) {
	same := fmt.Sprintf("%s/%s/%t", req.GetState(), req.GetOwner(), req.GetOverdue())
	before, err := page.Parse(req.GetPageToken(), same)
	if err != nil {
		return nil, answer(err, "workItems")
	}
	filter := store.ItemFilter{State: process.ItemState(req.GetState()), Owner: req.GetOwner(), Overdue: req.GetOverdue()}
	size := page.Size(req.GetPageSize(), defaultPage, maxPage)
	var found []*workflowv1.WorkItem
	err = s.store.View(ctx, func(r platform.Reader) (err error) {
		found, err = store.ItemPage(ctx, r, string(before), filter, size+1)
		return err
	})
	if err != nil {
		return nil, answer(err, "workItems")
	}
	resp := &workflowv1.ListWorkItemsResponse{WorkItems: found}
	if len(found) > size {
		resp.WorkItems = found[:size]
		resp.NextPageToken = page.Token([]byte(itemID(found[size-1].GetName())), same)
	}
	return resp, nil
}

// CloseWorkItem marks a work item as done.
func (s *Server) CloseWorkItem(ctx context.Context, req *workflowv1.CloseWorkItemRequest) (*workflowv1.WorkItem, error) {
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, answer(err, req.GetName())
	}
	codec := platform.ProtoCodec(func() *workflowv1.WorkItem { return &workflowv1.WorkItem{} })
	out, pos, err := platform.Change(ctx, s.store, cause, codec, func(tx *platform.Tx) (*workflowv1.WorkItem, error) {
		w, err := s.app.CloseItem(ctx, tx, itemID(req.GetName()), req.GetEtag(), origin.From(ctx).Principal.String(), req.GetNote())
		if err != nil {
			return nil, err
		}
		_, etag, err := store.WorkItem(ctx, tx, w.ID)
		return store.ItemMessage(w, etag), err
	})
	if err != nil {
		return nil, answer(err, req.GetName())
	}
	rpc.SetPosition(ctx, pos)
	return out, nil
}

func itemID(name string) string { return strings.TrimPrefix(name, "workItems/") }
