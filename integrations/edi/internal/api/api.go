// Package api serves EdiService: it decodes, asks the store or the app, and encodes. errors.go is the only place that turns
// errors into answers. No method is for partners: they are refused before they get here.
package api

import (
	"context"
	"strconv"
	"strings"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/integrations/edi/internal/transport"
	"crossdock.dev/platform/idempotency"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpc"
	platform "crossdock.dev/platform/store"
)

// Server implements EdiService.
type Server struct {
	store     *platform.Store
	app       *app.App
	documents transport.Documents
}

// New returns a Server.
func New(s *platform.Store, a *app.App, documents transport.Documents) *Server {
	return &Server{store: s, app: a, documents: documents}
}

var _ ediv1.EdiServiceServer = (*Server)(nil)

const (
	defaultPage = 50
	maxPage     = 500
	listedSets  = 20      // of an interchange in a list
	maxDocument = 3 << 20 // below the 4 MiB that a gRPC client takes
)

// SubmitInterchange takes in the bytes of a file.
func (s *Server) SubmitInterchange(ctx context.Context, req *ediv1.SubmitInterchangeRequest) (*ediv1.SubmitInterchangeResponse, error) {
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, answer(err, "interchanges")
	}
	ids, at, err := s.app.Submit(ctx, app.Submission{Cause: cause, FileName: req.GetFileName(), Content: req.GetContent()})
	if err != nil {
		return nil, answer(err, "interchanges")
	}
	rpc.SetPosition(ctx, at)
	resp := &ediv1.SubmitInterchangeResponse{}
	err = s.store.View(ctx, func(r platform.Reader) error {
		for _, id := range ids {
			x, err := interchange(ctx, r, id, 0)
			if err != nil {
				return err
			}
			resp.Interchanges = append(resp.Interchanges, x)
		}
		return nil
	})
	return resp, answer(err, "interchanges")
}

// RetryTransactionSet judges a parked set again.
func (s *Server) RetryTransactionSet(ctx context.Context, req *ediv1.RetryTransactionSetRequest) (*ediv1.Interchange_TransactionSet, error) {
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, answer(err, req.GetName())
	}
	id, place, _ := strings.Cut(strings.TrimPrefix(req.GetName(), "interchanges/"), "/sets/")
	index, err := strconv.Atoi(place)
	if err != nil {
		return nil, answer(platform.ErrNotFound, req.GetName())
	}
	at, err := s.app.Retry(ctx, cause, id, index)
	if err != nil {
		return nil, answer(err, req.GetName())
	}
	rpc.SetPosition(ctx, at)
	var out *ediv1.Interchange_TransactionSet
	err = s.store.View(ctx, func(r platform.Reader) error {
		set, err := store.SetOf(ctx, r, id, index)
		out = store.SetMessage(set)
		return err
	})
	return out, answer(err, req.GetName())
}

// interchange reads an interchange with its first n sets, all when n is 0.
func interchange(ctx context.Context, r platform.Reader, id string, n int) (*ediv1.Interchange, error) {
	x, err := store.Interchange(ctx, r, id)
	if err != nil {
		return nil, err
	}
	sets, err := store.SetsOf(ctx, r, id, n)
	return store.Message(x, sets), err
}

// GetInterchange returns one interchange.
func (s *Server) GetInterchange(ctx context.Context, req *ediv1.GetInterchangeRequest) (*ediv1.Interchange, error) {
	var out *ediv1.Interchange
	err := s.store.View(ctx, func(r platform.Reader) (err error) {
		out, err = interchange(ctx, r, strings.TrimPrefix(req.GetName(), "interchanges/"), 0)
		return err
	})
	return out, answer(err, req.GetName())
}

// ListInterchanges pages through the interchanges, newest first.
func (s *Server) ListInterchanges(ctx context.Context, req *ediv1.ListInterchangesRequest) (*ediv1.ListInterchangesResponse, error) {
	before, err := page.Parse(req.GetPageToken())
	if err != nil {
		return nil, answer(err, "interchanges")
	}
	size := page.Size(req.GetPageSize(), defaultPage, maxPage)
	resp := &ediv1.ListInterchangesResponse{}
	err = s.store.View(ctx, func(r platform.Reader) error {
		found, err := store.Page(ctx, r, string(before), size+1)
		if err != nil {
			return err
		}
		if len(found) > size {
			found = found[:size]
			resp.NextPageToken = page.Token([]byte(found[size-1].ID))
		}
		for _, x := range found {
			sets, err := store.SetsOf(ctx, r, x.ID, listedSets)
			if err != nil {
				return err
			}
			resp.Interchanges = append(resp.Interchanges, store.Message(x, sets))
		}
		return nil
	})
	return resp, answer(err, "interchanges")
}

// GetDocument returns the bytes of a document.
func (s *Server) GetDocument(_ context.Context, req *ediv1.GetDocumentRequest) (*ediv1.Document, error) {
	sha := strings.TrimPrefix(req.GetName(), "documents/")
	f, size, err := s.documents.Open(sha)
	if err != nil {
		return nil, answer(err, req.GetName())
	}
	if err := f.Close(); err != nil {
		return nil, answer(err, req.GetName())
	}
	if size > maxDocument {
		return nil, answer(&tooLargeError{size}, req.GetName())
	}
	content, err := s.documents.Section(sha, 0, size)
	return &ediv1.Document{Name: req.GetName(), Content: content}, answer(err, req.GetName())
}

// ListMessageCounts pages through the counts by party, day and set.
func (s *Server) ListMessageCounts(ctx context.Context, req *ediv1.ListMessageCountsRequest) (*ediv1.ListMessageCountsResponse, error) {
	after, err := page.Parse(req.GetPageToken())
	if err != nil {
		return nil, answer(err, "messageCounts")
	}
	size := page.Size(req.GetPageSize(), defaultPage, maxPage)
	resp := &ediv1.ListMessageCountsResponse{}
	err = s.store.View(ctx, func(r platform.Reader) error {
		rows, last, err := store.Counts(ctx, r, after, size)
		if err != nil {
			return err
		}
		if len(rows) == size {
			if more, _, err := store.Counts(ctx, r, last, 1); err != nil {
				return err
			} else if len(more) > 0 {
				resp.NextPageToken = page.Token(last)
			}
		}
		resp.MessageCounts = rows
		return nil
	})
	return resp, answer(err, "messageCounts")
}
