// Package api answers freight's gRPC methods: decode, call the verb, encode. It promises that a partner sees and moves only what
// concerns its party, and that every refusal has a reason of errors.proto. Rules of freight are left to package app and below.
package api

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/idempotency"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/rpcerr"

	"crossdock.dev/services/freight/internal/app"
	"crossdock.dev/services/freight/internal/milestone"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/wire"
)

// Server answers FreightService.
type Server struct{ app *app.App }

// New answers from an app.
func New(a *app.App) *Server { return &Server{app: a} }

// sees tells what the caller may see.
func sees(ctx context.Context) app.Sees {
	p := origin.From(ctx).Principal
	return func(parties ...string) bool { return auth.CanSee(p, parties...) }
}

// PlanShipment makes a shipment of an order release.
func (s *Server) PlanShipment(ctx context.Context, r *freightv1.PlanShipmentRequest) (*freightv1.Shipment, error) {
	in, err := planInput(r)
	if err != nil {
		return nil, refuse(r.GetOrderRelease(), err)
	}
	if in.Cause, err = idempotency.Cause(ctx, r); err != nil {
		return nil, err
	}
	out, at, err := s.app.PlanShipment(ctx, in)
	if err != nil {
		return nil, refuse(r.GetOrderRelease(), err)
	}
	rpc.SetPosition(ctx, at)
	return wire.Shipment(out), nil
}

func planInput(r *freightv1.PlanShipmentRequest) (app.PlanInput, error) {
	var bad refusal.FieldErrors
	in := app.PlanInput{
		OrderRelease: r.GetOrderRelease(), Order: r.GetOrder(), CustomerOrderNumber: r.GetCustomerOrderNumber(), Customer: r.GetCustomer(),
		LegalEntity: r.GetLegalEntity(), ShipFrom: r.GetShipFrom(), ShipTo: r.GetShipTo(), Mode: r.GetMode(),
		PickupFrom: wire.ToEventTime(r.GetPickupFrom()), PickupTo: wire.ToEventTime(r.GetPickupTo()),
		DeliverFrom: wire.ToEventTime(r.GetDeliverFrom()), DeliverBy: wire.ToEventTime(r.GetDeliverBy()), Consolidate: r.GetConsolidate(), EtaWatch: r.GetEtaWatch(),
	}
	var err error
	if in.ShipDate, err = wire.ToDate(r.GetShipDate()); err != nil {
		bad.Add("ship_date", "is no date")
	}
	for i, l := range r.GetLines() {
		q, err := wire.ToQuantity(l.GetQuantity())
		if err != nil {
			bad.Add(fmt.Sprintf("lines[%d].quantity", i), "is no quantity")
		}
		in.Lines = append(in.Lines, app.PlanLine{
			Line: l.GetLine(), Item: l.GetItem(), Description: l.GetDescription(), Quantity: q, Pack: l.GetPack(),
		})
	}
	return in, bad.Err()
}

// TenderLoad starts the tender sequence of a load.
func (s *Server) TenderLoad(ctx context.Context, r *freightv1.TenderLoadRequest) (*freightv1.Load, error) {
	cause, err := idempotency.Cause(ctx, r)
	if err != nil {
		return nil, err
	}
	out, at, err := s.app.TenderLoad(ctx, app.TenderInput{Cause: cause, Name: r.GetName()})
	if err != nil {
		return nil, refuse(r.GetName(), err)
	}
	rpc.SetPosition(ctx, at)
	return wire.Load(out), nil
}

// CancelShipment calls a shipment off before it has left.
func (s *Server) CancelShipment(ctx context.Context, r *freightv1.CancelShipmentRequest) (*freightv1.Shipment, error) {
	cause, err := idempotency.Cause(ctx, r)
	if err != nil {
		return nil, err
	}
	out, at, err := s.app.CancelShipment(ctx, app.CancelInput{Cause: cause, Name: r.GetName(), Reason: r.GetReason()})
	if err != nil {
		return nil, refuse(r.GetName(), err)
	}
	rpc.SetPosition(ctx, at)
	return wire.Shipment(out), nil
}

// AcceptTender books the load with the carrier.
func (s *Server) AcceptTender(ctx context.Context, r *freightv1.AcceptTenderRequest) (*freightv1.Tender, error) {
	cause, err := idempotency.Cause(ctx, r)
	if err != nil {
		return nil, err
	}
	out, at, err := s.app.AcceptTender(ctx, app.AcceptInput{
		Cause: cause, Name: r.GetName(), ETag: r.GetEtag(), CarrierReference: r.GetCarrierReference(), Sees: sees(ctx),
	})
	if err != nil {
		return nil, refuse(r.GetName(), err)
	}
	rpc.SetPosition(ctx, at)
	return wire.Tender(out), nil
}

// DeclineTender refuses the load; the next carrier is asked.
func (s *Server) DeclineTender(ctx context.Context, r *freightv1.DeclineTenderRequest) (*freightv1.Tender, error) {
	cause, err := idempotency.Cause(ctx, r)
	if err != nil {
		return nil, err
	}
	out, at, err := s.app.DeclineTender(ctx, app.DeclineInput{
		Cause: cause, Name: r.GetName(), ETag: r.GetEtag(), Reason: wire.ToDeclineReason(r.GetReason()), Note: r.GetNote(), Sees: sees(ctx),
	})
	if err != nil {
		return nil, refuse(r.GetName(), err)
	}
	rpc.SetPosition(ctx, at)
	return wire.Tender(out), nil
}

// ReportMilestone records what somebody says happened.
func (s *Server) ReportMilestone(ctx context.Context, r *freightv1.ReportMilestoneRequest) (*freightv1.Claim, error) {
	cause, err := idempotency.Cause(ctx, r)
	if err != nil {
		return nil, err
	}
	in := app.ReportInput{Cause: cause, Load: r.GetParent(), Report: wire.ToReport(r.GetClaim()), Sees: sees(ctx)}
	switch origin.From(ctx).Principal.Kind {
	case origin.Partner:
		in.Report.Source = milestone.CarrierAPI
	case origin.Service:
		in.Report.Source = milestone.EDI
	default:
		in.Report.Source = milestone.Manual
	}
	out, at, err := s.app.ReportMilestone(ctx, in)
	if err != nil {
		return nil, refuse(r.GetParent(), err)
	}
	rpc.SetPosition(ctx, at)
	return wire.Claim(out), nil
}

// CreateProofOfDelivery records a signed proof.
func (s *Server) CreateProofOfDelivery(ctx context.Context, r *freightv1.CreateProofOfDeliveryRequest) (*freightv1.ProofOfDelivery, error) {
	cause, err := idempotency.Cause(ctx, r)
	if err != nil {
		return nil, err
	}
	given := r.GetProofOfDelivery()
	st, err := wire.ToStatement(given)
	if err != nil {
		return nil, rpcerr.Invalid(rpcerr.Field{Path: "proof_of_delivery.exceptions", Description: "holds what is no quantity", Reason: "INVALID"})
	}
	out, at, err := s.app.CreateProofOfDelivery(ctx, app.ProveInput{
		Cause: cause, Statement: st, ReceivedBy: given.GetReceivedBy(), Sees: sees(ctx),
	})
	if err != nil {
		return nil, refuse(given.GetLoad(), err)
	}
	rpc.SetPosition(ctx, at)
	_, receivedBy, err := s.app.Proof(ctx, out.Name, sees(ctx))
	if err != nil {
		return nil, refuse(out.Name, err)
	}
	m := wire.Proof(out)
	m.ReceivedBy = receivedBy
	return m, nil
}

// GetTender returns one tender.
func (s *Server) GetTender(ctx context.Context, r *freightv1.GetTenderRequest) (*freightv1.Tender, error) {
	out, err := s.app.Tender(ctx, r.GetName(), sees(ctx))
	if err != nil {
		return nil, refuse(r.GetName(), err)
	}
	return wire.Tender(out), nil
}

// GetLoad returns one load.
func (s *Server) GetLoad(ctx context.Context, r *freightv1.GetLoadRequest) (*freightv1.Load, error) {
	out, err := s.app.Load(ctx, r.GetName(), sees(ctx))
	if err != nil {
		return nil, refuse(r.GetName(), err)
	}
	return shown(ctx, wire.Load(out)), nil
}

// shown hides from a partner what is said of other carriers, and what part each customer's shipment bears.
func shown(ctx context.Context, l *freightv1.Load) *freightv1.Load {
	if origin.From(ctx).Principal.Kind == origin.Partner {
		l.Skipped = nil
		if l.Charges != nil {
			l.Charges.Allocations = nil
		}
	}
	return l
}

// GetShipment returns one shipment.
func (s *Server) GetShipment(ctx context.Context, r *freightv1.GetShipmentRequest) (*freightv1.Shipment, error) {
	out, err := s.app.Shipment(ctx, r.GetName(), sees(ctx))
	if err != nil {
		return nil, refuse(r.GetName(), err)
	}
	return wire.Shipment(out), nil
}

// GetProofOfDelivery returns one proof.
func (s *Server) GetProofOfDelivery(ctx context.Context, r *freightv1.GetProofOfDeliveryRequest) (*freightv1.ProofOfDelivery, error) {
	out, receivedBy, err := s.app.Proof(ctx, r.GetName(), sees(ctx))
	if err != nil {
		return nil, refuse(r.GetName(), err)
	}
	m := wire.Proof(out)
	m.ReceivedBy = receivedBy
	return m, nil
}

// The sizes of pages, as the contract says them.
const (
	defaultPage = 50
	mostPage    = 500
)

// listing is one call of a list method.
type listing struct {
	app.List
	args []string // what the page token is bound to
}

type listRequest interface {
	proto.Message
	GetPageSize() int32
	GetPageToken() string
}

// list reads what the lists have in common. A page token is good for the same method, caller and filters alone.
func list(ctx context.Context, r listRequest, filters ...string) (listing, error) {
	p := origin.From(ctx).Principal
	if p.Kind == origin.Partner && p.Party == "" {
		return listing{}, rpcerr.Denied("the credential belongs to no party")
	}
	q := listing{args: append([]string{string(r.ProtoReflect().Descriptor().Name()), p.Party}, filters...)}
	q.Size = page.Size(r.GetPageSize(), defaultPage, mostPage)
	if p.Kind == origin.Partner {
		q.Party = p.Party
	}
	var err error
	if q.After, err = page.Parse(r.GetPageToken(), q.args...); err != nil {
		return listing{}, refuse("", err)
	}
	return q, nil
}

func (q listing) next(last []byte) string {
	if last == nil {
		return ""
	}
	return page.Token(last, q.args...)
}

// ListTenders pages through the visible tenders, newest first.
func (s *Server) ListTenders(ctx context.Context, r *freightv1.ListTendersRequest) (*freightv1.ListTendersResponse, error) {
	q, err := list(ctx, r, r.GetLoad(), r.GetState().String())
	if err != nil {
		return nil, err
	}
	p, err := s.app.Tenders(ctx, q.List, r.GetLoad(), wire.TenderState(r.GetState()))
	if err != nil {
		return nil, refuse("tenders", err)
	}
	out := &freightv1.ListTendersResponse{NextPageToken: q.next(p.Next)}
	for _, t := range p.Rows {
		out.Tenders = append(out.Tenders, wire.Tender(t))
	}
	return out, nil
}

// ListLoads pages through the visible loads, newest first.
func (s *Server) ListLoads(ctx context.Context, r *freightv1.ListLoadsRequest) (*freightv1.ListLoadsResponse, error) {
	q, err := list(ctx, r, r.GetNumber())
	if err != nil {
		return nil, err
	}
	p, err := s.app.Loads(ctx, q.List, r.GetNumber())
	if err != nil {
		return nil, refuse("loads", err)
	}
	out := &freightv1.ListLoadsResponse{NextPageToken: q.next(p.Next)}
	for _, l := range p.Rows {
		out.Loads = append(out.Loads, shown(ctx, wire.Load(l)))
	}
	return out, nil
}

// ListShipments pages through the visible shipments, newest first.
func (s *Server) ListShipments(ctx context.Context, r *freightv1.ListShipmentsRequest) (*freightv1.ListShipmentsResponse, error) {
	q, err := list(ctx, r, r.GetOrder())
	if err != nil {
		return nil, err
	}
	p, err := s.app.Shipments(ctx, q.List, r.GetOrder())
	if err != nil {
		return nil, refuse("shipments", err)
	}
	out := &freightv1.ListShipmentsResponse{NextPageToken: q.next(p.Next)}
	for _, x := range p.Rows {
		out.Shipments = append(out.Shipments, wire.Shipment(x))
	}
	return out, nil
}

// ListClaims returns what was claimed of a load, by stop and time.
func (s *Server) ListClaims(ctx context.Context, r *freightv1.ListClaimsRequest) (*freightv1.ListClaimsResponse, error) {
	q, err := list(ctx, r, r.GetParent())
	if err != nil {
		return nil, err
	}
	p, err := s.app.Claims(ctx, r.GetParent(), sees(ctx), q.List)
	if err != nil {
		return nil, refuse(r.GetParent(), err)
	}
	out := &freightv1.ListClaimsResponse{NextPageToken: q.next(p.Next)}
	for _, c := range p.Rows {
		out.Claims = append(out.Claims, wire.Claim(c))
	}
	return out, nil
}
