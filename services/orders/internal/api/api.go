// Package api serves the contract: it decodes, asks whether the caller may see the order, calls the verb and encodes. What a
// partner may not see is answered like what does not exist. It decides nothing else.
package api

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/idempotency"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/services/orders/internal/app"
	"crossdock.dev/services/orders/internal/order"
	"crossdock.dev/services/orders/internal/store"
	"crossdock.dev/services/orders/internal/wire"
)

// Pages have this many rows when the caller does not say, and at most that many.
const (
	defaultPage = 50
	maxPage     = 500
)

// Server answers OrderService.
type Server struct {
	ordersv1.UnimplementedOrderServiceServer
	app *app.App
}

// New returns the service.
func New(a *app.App) *Server { return &Server{app: a} }

// CreateOrder takes an order in. A partner orders for itself.
func (s *Server) CreateOrder(ctx context.Context, req *ordersv1.CreateOrderRequest) (*ordersv1.Order, error) {
	d := wire.Draft(req.GetOrder())
	if p := origin.From(ctx).Principal; p.Kind == origin.Partner {
		if d.Customer != "" && d.Customer != p.Party {
			return nil, refusal(order.ErrOtherCustomer, "orders")
		}
		if d.Source != "" {
			return nil, refusal(&order.FieldErrors{Fields: []order.FieldError{{Path: "order.source", Description: "is for adapters: a partner's own order has none"}}}, "orders")
		}
		d.Customer = p.Party
	}
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, err
	}
	return answer(ctx, "order", func() (app.Answer, error) { return s.app.Create(ctx, cause, d) })
}

// GetOrder returns one order.
func (s *Server) GetOrder(ctx context.Context, req *ordersv1.GetOrderRequest) (*ordersv1.Order, error) {
	o, err := s.visible(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	return wire.Order(o), nil
}

// ListOrders pages through the visible orders, newest first.
func (s *Server) ListOrders(ctx context.Context, req *ordersv1.ListOrdersRequest) (*ordersv1.ListOrdersResponse, error) {
	f := store.Filter{Customer: req.GetCustomer(), Number: req.GetCustomerOrderNumber()}
	if p := origin.From(ctx).Principal; p.Kind == origin.Partner {
		if f.Customer != "" && !auth.CanSee(p, f.Customer) {
			return &ordersv1.ListOrdersResponse{}, nil // another's orders do not exist for it
		}
		f.Customer = p.Party
	}
	after, err := page.Parse(req.GetPageToken(), f.Customer, f.Number)
	if err != nil {
		return nil, rpcerr.InvalidPageToken("page_token")
	}
	p, err := s.app.Orders(ctx, f, after, page.Size(req.GetPageSize(), defaultPage, maxPage))
	if err != nil {
		return nil, refusal(err, "orders")
	}
	resp := &ordersv1.ListOrdersResponse{}
	for _, o := range p.Orders {
		resp.Orders = append(resp.Orders, wire.Order(o))
	}
	if p.More {
		resp.NextPageToken = page.Token(p.Last, f.Customer, f.Number)
	}
	return resp, nil
}

// ConfirmOrder promises a draft without holds.
func (s *Server) ConfirmOrder(ctx context.Context, req *ordersv1.ConfirmOrderRequest) (*ordersv1.Order, error) {
	t, err := s.target(ctx, req, req.GetName(), req.GetEtag())
	if err != nil {
		return nil, err
	}
	return answer(ctx, req.GetName(), func() (app.Answer, error) { return s.app.Confirm(ctx, t) })
}

// ReleaseOrder hands all or part of the unreleased quantities to planning.
func (s *Server) ReleaseOrder(ctx context.Context, req *ordersv1.ReleaseOrderRequest) (*ordersv1.OrderRelease, error) {
	t, err := s.target(ctx, req, req.GetName(), req.GetEtag())
	if err != nil {
		return nil, err
	}
	var bad order.FieldErrors
	var want []order.LineQuantity
	for i, l := range req.GetLines() {
		x, err := decimal.Parse(l.GetQuantity().GetValue())
		if err != nil {
			bad.Add(fmt.Sprintf("lines[%d].quantity.value", i), "is no decimal")
		}
		want = append(want, order.LineQuantity{Line: l.GetLine(), Quantity: x, Unit: l.GetQuantity().GetUnit()})
	}
	if err := bad.Err(); err != nil {
		return nil, refusal(err, "orders")
	}
	a, err := s.app.Release(ctx, t, want)
	if err != nil {
		return nil, refusal(err, req.GetName())
	}
	rpc.SetPosition(ctx, a.Position)
	return wire.Release(a.Order, *a.Release), nil
}

// CancelOrder cancels an order, or notes that its releases have to be called off first.
func (s *Server) CancelOrder(ctx context.Context, req *ordersv1.CancelOrderRequest) (*ordersv1.Order, error) {
	t, err := s.target(ctx, req, req.GetName(), req.GetEtag())
	if err != nil {
		return nil, err
	}
	return answer(ctx, req.GetName(), func() (app.Answer, error) { return s.app.Cancel(ctx, t, req.GetReason()) })
}

// PlaceHold puts a hold on an order.
func (s *Server) PlaceHold(ctx context.Context, req *ordersv1.PlaceHoldRequest) (*ordersv1.Order, error) {
	t, err := s.target(ctx, req, req.GetName(), req.GetEtag())
	if err != nil {
		return nil, err
	}
	o := origin.From(ctx)
	h := order.Hold{Kind: order.HoldKind(req.GetHold().GetKind().String()), Reason: req.GetHold().GetReason(),
		Fields: req.GetHold().GetFields(), Actor: o.Actor}
	if h.Actor == "" {
		h.Actor = o.Principal.String()
	}
	return answer(ctx, req.GetName(), func() (app.Answer, error) { return s.app.PlaceHold(ctx, t, h) })
}

// ReleaseHold takes a hold away.
func (s *Server) ReleaseHold(ctx context.Context, req *ordersv1.ReleaseHoldRequest) (*ordersv1.Order, error) {
	t, err := s.target(ctx, req, req.GetName(), req.GetEtag())
	if err != nil {
		return nil, err
	}
	return answer(ctx, req.GetName(), func() (app.Answer, error) { return s.app.ReleaseHold(ctx, t, order.HoldKind(req.GetKind().String())) })
}

// GetOrderRelease returns one release of an order.
func (s *Server) GetOrderRelease(ctx context.Context, req *ordersv1.GetOrderReleaseRequest) (*ordersv1.OrderRelease, error) {
	name, text, _ := strings.Cut(req.GetName(), "/releases/")
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 {
		return nil, rpcerr.NotFound(req.GetName())
	}
	o, err := s.visible(ctx, name)
	if err != nil {
		return nil, err
	}
	_, rs, err := s.app.Releases(ctx, o.Name, number-1, 1)
	if err != nil {
		return nil, refusal(err, "orders")
	}
	if len(rs) == 0 {
		return nil, rpcerr.NotFound(req.GetName())
	}
	return wire.Release(o, rs[0]), nil
}

// ListOrderReleases returns the releases of an order, first to last.
func (s *Server) ListOrderReleases(ctx context.Context, req *ordersv1.ListOrderReleasesRequest) (*ordersv1.ListOrderReleasesResponse, error) {
	if _, err := s.visible(ctx, req.GetParent()); err != nil {
		return nil, err
	}
	last, err := page.Parse(req.GetPageToken(), req.GetParent())
	if err != nil {
		return nil, rpcerr.InvalidPageToken("page_token")
	}
	after := 0
	if last != nil {
		if after, err = strconv.Atoi(string(last)); err != nil {
			return nil, rpcerr.InvalidPageToken("page_token")
		}
	}
	o, rs, err := s.app.Releases(ctx, req.GetParent(), after, page.Size(req.GetPageSize(), defaultPage, maxPage))
	if err != nil {
		return nil, refusal(err, "orders")
	}
	resp := &ordersv1.ListOrderReleasesResponse{}
	for _, r := range rs {
		resp.OrderReleases = append(resp.OrderReleases, wire.Release(o, r))
	}
	if n := after + len(rs); n < o.Releases {
		resp.NextPageToken = page.Token([]byte(strconv.Itoa(n)), req.GetParent())
	}
	return resp, nil
}

// visible returns an order that the caller may see.
func (s *Server) visible(ctx context.Context, name string) (order.Order, error) {
	o, err := s.app.Order(ctx, name)
	if err != nil {
		return order.Order{}, refusal(err, name)
	}
	if !auth.CanSee(origin.From(ctx).Principal, o.Customer) {
		return order.Order{}, rpcerr.NotFound(name)
	}
	return o, nil
}

// target is the order that a verb is for. An order's customer never changes, so looking before the change is enough.
func (s *Server) target(ctx context.Context, req proto.Message, name, etag string) (app.Target, error) {
	if _, err := s.visible(ctx, name); err != nil {
		return app.Target{}, err
	}
	cause, err := idempotency.Cause(ctx, req)
	return app.Target{Cause: cause, Name: name, ETag: etag}, err
}

// answer calls a verb that answers with the order.
func answer(ctx context.Context, resource string, verb func() (app.Answer, error)) (*ordersv1.Order, error) {
	a, err := verb()
	if err != nil {
		return nil, refusal(err, resource)
	}
	rpc.SetPosition(ctx, a.Position)
	return wire.Order(a.Order), nil
}
