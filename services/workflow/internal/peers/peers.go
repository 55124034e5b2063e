// Package peers sends workflow's commands to freight and billing, and asks freight what it needs to know.
package peers

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	"crossdock.dev/platform/rpcerr"
	"crossdock.dev/services/workflow/internal/app"
)

// Peers implements app.Peers over gRPC.
type Peers struct {
	freight freightv1.FreightServiceClient
	billing billingv1.BillingServiceClient
}

// New returns peers over connections to freight and billing.
func New(freight, billing grpc.ClientConnInterface) *Peers {
	return &Peers{freightv1.NewFreightServiceClient(freight), billingv1.NewBillingServiceClient(billing)}
}

// PlanShipment sends the planning request that was kept when the process started.
func (p *Peers) PlanShipment(ctx context.Context, requestID string, plan []byte) error {
	req := &freightv1.PlanShipmentRequest{}
	if err := proto.Unmarshal(plan, req); err != nil {
		return &app.RefusedError{Detail: "the planning request on file cannot be read"}
	}
	req.RequestId = requestID
	_, err := p.freight.PlanShipment(ctx, req)
	return judge(err)
}

// TenderLoad asks freight to look for a carrier.
func (p *Peers) TenderLoad(ctx context.Context, requestID, load string) error {
	_, err := p.freight.TenderLoad(ctx, &freightv1.TenderLoadRequest{Name: load, RequestId: requestID})
	return judge(err)
}

// CancelShipment asks freight to call a shipment off.
func (p *Peers) CancelShipment(ctx context.Context, requestID, shipment, reason string) error {
	_, err := p.freight.CancelShipment(ctx, &freightv1.CancelShipmentRequest{Name: shipment, Reason: reason, RequestId: requestID})
	return judge(err)
}

// AuthorizeBilling asks billing whether a shipment may be billed.
func (p *Peers) AuthorizeBilling(ctx context.Context, requestID, shipment, orderRelease string) error {
	_, err := p.billing.AuthorizeBilling(ctx, &billingv1.AuthorizeBillingRequest{
		Shipment: shipment, OrderRelease: orderRelease, RequestId: requestID,
	})
	return judge(err)
}

// IssueInvoice asks billing for the invoice of an authorisation.
func (p *Peers) IssueInvoice(ctx context.Context, requestID, authorization string) error {
	_, err := p.billing.IssueInvoice(ctx, &billingv1.IssueInvoiceRequest{BillingAuthorization: authorization, RequestId: requestID})
	return judge(err)
}

// Offered asks freight whether a load was offered.
func (p *Peers) Offered(ctx context.Context, load string) (bool, error) {
	l, err := p.freight.GetLoad(ctx, &freightv1.GetLoadRequest{Name: load})
	if err != nil && rpcerr.From(err).Code == codes.NotFound {
		return false, nil
	}
	return l.GetState() > freightv1.Load_PLANNED, err
}

// judge tells a refusal for good, which a person must see, from trouble that passes.
func judge(err error) error {
	if err == nil {
		return nil
	}
	e := rpcerr.From(err)
	switch e.Code {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.FailedPrecondition, codes.OutOfRange,
		codes.PermissionDenied, codes.Unimplemented:
		detail := e.Error()
		for _, k := range slices.Sorted(maps.Keys(e.Metadata)) { // the detail is kept: it must not differ by chance
			detail += fmt.Sprintf("; %s: %s", k, e.Metadata[k])
		}
		return &app.RefusedError{Detail: detail}
	}
	return err
}
