// Package api serves MasterDataService: it decodes, calls package app and encodes. Shape is checked by the interceptors
// before, meaning below. No method is for partners, so nothing here asks who may see what.
package api

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	"crossdock.dev/platform/idempotency"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/services/masterdata/internal/app"
	"crossdock.dev/services/masterdata/internal/resource"
)

// Server is the service. Its methods are in methods.go.
type Server struct {
	masterdatav1.UnimplementedMasterDataServiceServer
	app *app.App
}

// New serves a.
func New(a *app.App) *Server { return &Server{app: a} }

// The sizes of a page, as the contract says.
const (
	defaultPage = 50
	mostOfPage  = 500
)

func get[M proto.Message](ctx context.Context, s *Server, name string) (M, error) {
	m, err := s.app.Get(ctx, name)
	return answer[M](name, m, err)
}

type listRequest interface {
	GetPageSize() int32
	GetPageToken() string
}

func list[M proto.Message](ctx context.Context, s *Server, k resource.Kind, req listRequest) ([]M, string, error) {
	last, err := page.Parse(req.GetPageToken(), k.Collection)
	if err != nil {
		return nil, "", refuse(k.Collection, err)
	}
	rows, more, err := s.app.List(ctx, k, string(last), page.Size(req.GetPageSize(), defaultPage, mostOfPage))
	if err != nil {
		return nil, "", refuse(k.Collection, err)
	}
	out := make([]M, len(rows))
	for i, row := range rows {
		out[i] = row.Resource.(M)
	}
	if !more {
		return out, "", nil
	}
	return out, page.Token([]byte(rows[len(rows)-1].Name), k.Collection), nil
}

type updateRequest interface {
	proto.Message
	GetUpdateMask() *fieldmaskpb.FieldMask
	GetAllowMissing() bool
}

func update[M proto.Message](ctx context.Context, s *Server, k resource.Kind, m M, req updateRequest) (M, error) {
	name := resource.Name(m)
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return answer[M](name, nil, err)
	}
	out, position, err := s.app.Update(ctx, k, app.UpdateInput{Cause: cause, Resource: m, Mask: req.GetUpdateMask().GetPaths(), AllowMissing: req.GetAllowMissing()})
	rpc.SetPosition(ctx, position)
	return answer[M](name, out, err)
}

type approveRequest interface {
	proto.Message
	GetName() string
	GetEtag() string
}

func approve[M proto.Message](ctx context.Context, s *Server, k resource.Kind, req approveRequest) (M, error) {
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return answer[M](req.GetName(), nil, err)
	}
	out, position, err := s.app.Approve(ctx, k, app.ApproveInput{Cause: cause, Name: req.GetName(), ETag: req.GetEtag()})
	rpc.SetPosition(ctx, position)
	return answer[M](req.GetName(), out, err)
}

// answer gives the resource its type, or refuses.
func answer[M proto.Message](name string, m proto.Message, err error) (M, error) {
	if err != nil {
		var none M
		return none, refuse(name, err)
	}
	return m.(M), nil
}
