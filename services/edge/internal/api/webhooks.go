package api

import (
	"context"

	"google.golang.org/protobuf/proto"

	edgev1 "crossdock.dev/gen/crossdock/edge/v1"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/idempotency"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/services/edge/internal/app"
	edgestore "crossdock.dev/services/edge/internal/store"
)

// Webhooks is WebhookService. A partner sees what is its own; everything else is not there.
type Webhooks struct{ app *app.Webhooks }

// NewWebhooks serves the verbs of webhooks.
func NewWebhooks(a *app.Webhooks) *Webhooks { return &Webhooks{app: a} }

var _ edgev1.WebhookServiceServer = (*Webhooks)(nil)

func sees(ctx context.Context) func(party string) bool {
	p := origin.From(ctx).Principal
	return func(party string) bool { return auth.CanSee(p, party) }
}

// CreateWebhook registers an endpoint. A partner registers its own.
func (s *Webhooks) CreateWebhook(ctx context.Context, req *edgev1.CreateWebhookRequest) (*edgev1.CreateWebhookResponse, error) {
	w := req.GetWebhook()
	party := w.GetParty()
	if p := origin.From(ctx).Principal; p.Kind == origin.Partner {
		if party != "" && party != p.Party {
			return nil, rpcerr.Denied("a partner acts for itself alone")
		}
		party = p.Party
	}
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, err
	}
	e, err := s.app.Create(ctx, app.CreateWebhookInput{
		Cause: cause, Party: party, URL: w.GetUrl(), Events: w.GetEventTypes(), DisplayName: w.GetDisplayName(),
	})
	if err != nil {
		return nil, refusal(err, "webhook")
	}
	rpc.SetPosition(ctx, e.Position)
	return &edgev1.CreateWebhookResponse{Webhook: edgestore.EndpointProto(e.Endpoint), Secret: revealed(e)}, nil
}

func revealed(e app.Endpoint) string {
	if e.Repeated {
		return ""
	}
	return e.Secret.Reveal()
}

// GetWebhook returns one endpoint.
func (s *Webhooks) GetWebhook(ctx context.Context, req *edgev1.GetWebhookRequest) (*edgev1.Webhook, error) {
	id, _ := edgestore.WebhookID(req.GetName())
	e, err := s.app.Get(ctx, id, sees(ctx))
	if err != nil {
		return nil, refusal(err, req.GetName())
	}
	return edgestore.EndpointProto(e), nil
}

// ListWebhooks pages through the visible endpoints.
func (s *Webhooks) ListWebhooks(ctx context.Context, req *edgev1.ListWebhooksRequest) (*edgev1.ListWebhooksResponse, error) {
	var party string // a person sees all
	if p := origin.From(ctx).Principal; p.Kind == origin.Partner {
		if party = p.Party; party == "" {
			return nil, rpcerr.Denied("the credential belongs to no party")
		}
	}
	before, err := page.Parse(req.GetPageToken(), "webhooks", party)
	if err != nil {
		return nil, refusal(err, "")
	}
	n := page.Size(req.GetPageSize(), defaultPage, maxPage)
	list, err := s.app.List(ctx, party, string(before), n+1) // one more tells whether there is a next page
	if err != nil {
		return nil, refusal(err, "")
	}
	resp := &edgev1.ListWebhooksResponse{}
	if len(list) > n {
		list = list[:n]
		resp.NextPageToken = page.Token([]byte(list[n-1].ID), "webhooks", party)
	}
	for _, e := range list {
		resp.Webhooks = append(resp.Webhooks, edgestore.EndpointProto(e))
	}
	return resp, nil
}

// RollWebhookSecret gives an endpoint a new secret.
func (s *Webhooks) RollWebhookSecret(ctx context.Context, req *edgev1.RollWebhookSecretRequest) (*edgev1.RollWebhookSecretResponse, error) {
	in, err := webhookInput(ctx, req, req.GetName())
	if err != nil {
		return nil, err
	}
	e, err := s.app.Roll(ctx, in)
	if err != nil {
		return nil, refusal(err, req.GetName())
	}
	rpc.SetPosition(ctx, e.Position)
	return &edgev1.RollWebhookSecretResponse{Webhook: edgestore.EndpointProto(e.Endpoint), Secret: revealed(e)}, nil
}

// DisableWebhook ends sending to an endpoint.
func (s *Webhooks) DisableWebhook(ctx context.Context, req *edgev1.DisableWebhookRequest) (*edgev1.Webhook, error) {
	in, err := webhookInput(ctx, req, req.GetName())
	if err != nil {
		return nil, err
	}
	return answer(ctx, req.GetName(), in, s.app.Disable)
}

// EnableWebhook sends to an endpoint again.
func (s *Webhooks) EnableWebhook(ctx context.Context, req *edgev1.EnableWebhookRequest) (*edgev1.Webhook, error) {
	in, err := webhookInput(ctx, req, req.GetName())
	if err != nil {
		return nil, err
	}
	return answer(ctx, req.GetName(), in, s.app.Enable)
}

func answer(ctx context.Context, name string, in app.WebhookInput, verb func(context.Context, app.WebhookInput) (app.Endpoint, error)) (*edgev1.Webhook, error) {
	e, err := verb(ctx, in)
	if err != nil {
		return nil, refusal(err, name)
	}
	rpc.SetPosition(ctx, e.Position)
	return edgestore.EndpointProto(e.Endpoint), nil
}

func webhookInput(ctx context.Context, req proto.Message, name string) (app.WebhookInput, error) {
	cause, err := idempotency.Cause(ctx, req)
	id, _ := edgestore.WebhookID(name)
	return app.WebhookInput{Cause: cause, ID: id, Sees: sees(ctx)}, err
}

// ListWebhookDeliveries pages through the deliveries to an endpoint.
func (s *Webhooks) ListWebhookDeliveries(ctx context.Context, req *edgev1.ListWebhookDeliveriesRequest) (*edgev1.ListWebhookDeliveriesResponse, error) {
	after, err := page.Parse(req.GetPageToken(), "deliveries", req.GetParent())
	if err != nil {
		return nil, refusal(err, "")
	}
	id, _ := edgestore.WebhookID(req.GetParent())
	n := page.Size(req.GetPageSize(), defaultPage, maxPage)
	list, places, err := s.app.Deliveries(ctx, id, sees(ctx), after, n+1)
	if err != nil {
		return nil, refusal(err, req.GetParent())
	}
	resp := &edgev1.ListWebhookDeliveriesResponse{}
	if len(list) > n {
		list = list[:n]
		resp.NextPageToken = page.Token(places[n-1], "deliveries", req.GetParent())
	}
	for _, d := range list {
		resp.Deliveries = append(resp.Deliveries, edgestore.DeliveryProto(d))
	}
	return resp, nil
}

// ResendWebhookDelivery sends a delivery again.
func (s *Webhooks) ResendWebhookDelivery(ctx context.Context, req *edgev1.ResendWebhookDeliveryRequest) (*edgev1.WebhookDelivery, error) {
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, err
	}
	endpoint, id, _ := edgestore.DeliveryID(req.GetName())
	d, at, err := s.app.Resend(ctx, app.ResendInput{Cause: cause, Endpoint: endpoint, ID: id, Sees: sees(ctx)})
	if err != nil {
		return nil, refusal(err, req.GetName())
	}
	rpc.SetPosition(ctx, at)
	return edgestore.DeliveryProto(d), nil
}
