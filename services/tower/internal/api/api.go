// Package api serves TowerService from the read model.
package api

import (
	"context"
	"errors"

	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/rpcerr"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/tower/internal/store"
)

// Server implements TowerService. It has no partner-visible methods.
type Server struct {
	store  *platform.Store
	clock  clock.Business
	waiter rpc.Waiter
	suite  Suite
}

// New returns a Server. waiter waits until the feeds have been read as far as a caller asks for.
func New(s *platform.Store, business clock.Business, waiter rpc.Waiter, suite Suite) *Server {
	return &Server{store: s, clock: business, waiter: waiter, suite: suite}
}

var _ towerv1.TowerServiceServer = (*Server)(nil)

const (
	defaultPage = 50
	maxPage     = 500
)

// GetCase returns one case.
func (s *Server) GetCase(ctx context.Context, req *towerv1.GetCaseRequest) (*towerv1.Case, error) {
	var out *towerv1.Case
	err := s.store.View(ctx, func(r platform.Reader) error {
		rec, err := store.ExistingCase(ctx, r, store.CaseID(req.GetName()))
		out = rec.GetCase()
		return err
	})
	return out, answer(err, req.GetName())
}

// ListCases pages through the cases.
func (s *Server) ListCases(ctx context.Context, req *towerv1.ListCasesRequest) (*towerv1.ListCasesResponse, error) {
	before, err := page.Parse(req.GetPageToken())
	if err != nil {
		return nil, answer(err, "cases")
	}
	size := page.Size(req.GetPageSize(), defaultPage, maxPage)
	resp := &towerv1.ListCasesResponse{}
	err = s.store.View(ctx, func(r platform.Reader) error {
		found, err := store.CasePage(ctx, r, string(before), size+1)
		for i, rec := range found {
			if i == size {
				resp.NextPageToken = page.Token([]byte(store.CaseID(resp.GetCases()[size-1].GetName())))
				break
			}
			resp.Cases = append(resp.Cases, rec.GetCase())
		}
		return err
	})
	return resp, answer(err, "cases")
}

// CheckInvariants checks across feeds what no service can check alone.
func (s *Server) CheckInvariants(ctx context.Context, _ *towerv1.CheckInvariantsRequest) (*towerv1.InvariantReport, error) {
	report, err := check(ctx, s.store, s.suite)
	return report, answer(err, "invariants")
}

// answer turns an error about a resource into what the caller gets.
func answer(err error, name string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, platform.ErrNotFound):
		return rpcerr.NotFound(name)
	case errors.Is(err, page.ErrToken):
		return rpcerr.InvalidPageToken("page_token")
	}
	return rpcerr.FromStore(err)
}
