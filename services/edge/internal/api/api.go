// Package api serves EdgeService: it decodes, calls the verb, and encodes. It promises that the answer to a first
// CreateApiKey is the only message that ever holds a secret. It leaves who may call to the interceptors.
package api

import (
	"context"

	edgev1 "crossdock.dev/gen/crossdock/edge/v1"
	"crossdock.dev/platform/idempotency"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/services/edge/internal/app"
	edgestore "crossdock.dev/services/edge/internal/store"
)

// Server is EdgeService.
type Server struct{ app *app.App }

// New serves the verbs of an app.
func New(a *app.App) *Server { return &Server{app: a} }

var _ edgev1.EdgeServiceServer = (*Server)(nil)

// CreateApiKey makes a key.
func (s *Server) CreateApiKey(ctx context.Context, req *edgev1.CreateApiKeyRequest) (*edgev1.CreateApiKeyResponse, error) {
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, err
	}
	k := req.GetApiKey()
	out, err := s.app.Create(ctx, app.CreateInput{
		Cause: cause, Party: k.GetParty(), Roles: k.GetRoles(), LegalEntities: k.GetLegalEntities(), DisplayName: k.GetDisplayName(),
	})
	if err != nil {
		return nil, refusal(err, "api key")
	}
	rpc.SetPosition(ctx, out.Position)
	resp := &edgev1.CreateApiKeyResponse{ApiKey: edgestore.Proto(out.Key)}
	if !out.Repeated {
		resp.Secret = out.Secret.Reveal()
	}
	return resp, nil
}

const (
	defaultPage = 50
	maxPage     = 500
)

// ListApiKeys pages through the keys.
func (s *Server) ListApiKeys(ctx context.Context, req *edgev1.ListApiKeysRequest) (*edgev1.ListApiKeysResponse, error) {
	before, err := page.Parse(req.GetPageToken(), "apiKeys")
	if err != nil {
		return nil, refusal(err, "")
	}
	n := page.Size(req.GetPageSize(), defaultPage, maxPage)
	keys, err := s.app.List(ctx, string(before), n+1) // one more tells whether there is a next page
	if err != nil {
		return nil, refusal(err, "")
	}
	resp := &edgev1.ListApiKeysResponse{}
	if len(keys) > n {
		keys = keys[:n]
		resp.NextPageToken = page.Token([]byte(keys[n-1].ID), "apiKeys")
	}
	for _, k := range keys {
		resp.ApiKeys = append(resp.ApiKeys, edgestore.Proto(k))
	}
	return resp, nil
}

// RevokeApiKey closes the door for a key.
func (s *Server) RevokeApiKey(ctx context.Context, req *edgev1.RevokeApiKeyRequest) (*edgev1.ApiKey, error) {
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, err
	}
	id, _ := edgestore.ID(req.GetName())
	k, at, err := s.app.Revoke(ctx, app.RevokeInput{Cause: cause, ID: id})
	if err != nil {
		return nil, refusal(err, req.GetName())
	}
	rpc.SetPosition(ctx, at)
	return edgestore.Proto(k), nil
}
