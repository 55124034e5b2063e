// Package api serves BillingService: it decodes, asks who may see what, calls package app and encodes. Shape is checked by the
// interceptors before. A customer sees its issued invoices and a carrier its own bills; what a partner may not see looks exactly
// like what does not exist.
package api

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	"crossdock.dev/kernel/money"
	"crossdock.dev/platform/auth"
	"crossdock.dev/platform/idempotency"
	"crossdock.dev/platform/origin"
	"crossdock.dev/platform/page"
	"crossdock.dev/platform/rpc"
	"crossdock.dev/platform/rpcerr"

	"crossdock.dev/services/billing/internal/app"
	"crossdock.dev/services/billing/internal/freightbill"
	"crossdock.dev/services/billing/internal/wire"
)

// The sizes of a page, as the contract says.
const (
	defaultPage = 50
	mostOfPage  = 500
)

// Server is the service.
type Server struct {
	billingv1.UnimplementedBillingServiceServer
	app *app.App
}

// New serves a.
func New(a *app.App) *Server { return &Server{app: a} }

// AuthorizeBilling evaluates whether a shipment may be billed.
func (s *Server) AuthorizeBilling(ctx context.Context, req *billingv1.AuthorizeBillingRequest) (*billingv1.BillingAuthorization, error) {
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, refuse(req.GetShipment(), err)
	}
	a, at, err := s.app.Authorize(ctx, cause, req.GetShipment(), req.GetOrderRelease())
	rpc.SetPosition(ctx, at)
	if err != nil {
		return nil, refuse(req.GetShipment(), err)
	}
	return wire.Authorization(a), nil
}

// GetBillingAuthorization returns one authorisation.
func (s *Server) GetBillingAuthorization(ctx context.Context, req *billingv1.GetBillingAuthorizationRequest) (*billingv1.BillingAuthorization, error) {
	a, err := s.app.Authorization(ctx, req.GetName())
	if err != nil {
		return nil, refuse(req.GetName(), err)
	}
	return wire.Authorization(a), nil
}

// PreviewInvoice computes the invoice of an authorisation without issuing it.
func (s *Server) PreviewInvoice(ctx context.Context, req *billingv1.PreviewInvoiceRequest) (*billingv1.Invoice, error) {
	i, err := s.app.Preview(ctx, req.GetBillingAuthorization())
	if err != nil {
		return nil, refuse(req.GetBillingAuthorization(), err)
	}
	return wire.Invoice(i), nil
}

// IssueInvoice makes, approves and numbers the invoice of an authorisation.
func (s *Server) IssueInvoice(ctx context.Context, req *billingv1.IssueInvoiceRequest) (*billingv1.Invoice, error) {
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, refuse(req.GetBillingAuthorization(), err)
	}
	i, at, err := s.app.Issue(ctx, cause, req.GetBillingAuthorization())
	rpc.SetPosition(ctx, at)
	if err != nil {
		return nil, refuse(req.GetBillingAuthorization(), err)
	}
	return wire.Invoice(i), nil
}

// GetInvoice returns one invoice.
func (s *Server) GetInvoice(ctx context.Context, req *billingv1.GetInvoiceRequest) (*billingv1.Invoice, error) {
	i, err := s.app.Invoice(ctx, req.GetName())
	if err == nil && !auth.CanSee(origin.From(ctx).Principal, i.Customer) {
		err = app.ErrNotFound
	}
	if err != nil {
		return nil, refuse(req.GetName(), err)
	}
	return wire.Invoice(i), nil
}

// ListInvoices pages through the visible invoices, newest first.
func (s *Server) ListInvoices(ctx context.Context, req *billingv1.ListInvoicesRequest) (*billingv1.ListInvoicesResponse, error) {
	q, args, err := query(ctx, req, req.GetNumber(), req.GetOrder())
	if err != nil {
		return nil, refuse("invoices", err)
	}
	q.Number, q.Order = req.GetNumber(), req.GetOrder()
	found, last, err := s.app.Invoices(ctx, q)
	if err != nil {
		return nil, refuse("invoices", err)
	}
	out := &billingv1.ListInvoicesResponse{NextPageToken: next(last, args)}
	for _, i := range found {
		out.Invoices = append(out.Invoices, wire.Invoice(i))
	}
	return out, nil
}

// SubmitFreightBill takes in a carrier's bill and audits it at once.
func (s *Server) SubmitFreightBill(ctx context.Context, req *billingv1.SubmitFreightBillRequest) (*billingv1.FreightBill, error) {
	const name = "freightBills"
	b, err := submitted(origin.From(ctx).Principal, req.GetFreightBill())
	if err != nil {
		return nil, refuse(name, err)
	}
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, refuse(name, err)
	}
	b, at, err := s.app.Submit(ctx, cause, b)
	rpc.SetPosition(ctx, at)
	if err != nil {
		return nil, refuse(name, err)
	}
	return bill(ctx, b), nil
}

// submitted reads a bill as sent, naming every bad field. A partner bills for itself alone.
func submitted(p origin.Principal, m *billingv1.FreightBill) (freightbill.Bill, error) {
	carrier := m.GetCarrier()
	if p.Kind == origin.Partner {
		if carrier == "" {
			carrier = p.Party
		}
		if carrier != p.Party {
			return freightbill.Bill{}, &otherPartyError{carrier}
		}
	}
	var bad fieldErrors
	check := func(path string, err error) {
		if err != nil {
			bad = append(bad, rpcerr.Field{Path: path, Description: err.Error(), Reason: "INVALID"})
		}
	}
	if carrier == "" {
		bad = append(bad, rpcerr.Field{Path: "freight_bill.carrier", Description: "must be set", Reason: "REQUIRED"})
	}
	b := freightbill.Bill{
		Carrier: carrier, InvoiceNumber: m.GetInvoiceNumber(), LoadNumber: m.GetLoadNumber(), CarrierReference: m.GetCarrierReference(),
		Source: m.GetSource(),
	}
	var err error
	b.BillDate, err = wire.FromDate(m.GetBillDate())
	check("freight_bill.bill_date", err)
	b.Total, err = wire.FromMoney(m.GetTotal())
	check("freight_bill.total", err)
	for i, c := range m.GetCharges() {
		charge, err := wire.FromCharge(c)
		check(fmt.Sprintf("freight_bill.charges[%d].amount", i), err)
		b.Charges = append(b.Charges, charge)
	}
	if len(bad) > 0 {
		return freightbill.Bill{}, bad
	}
	return b, nil
}

// bill is a bill as the caller may see it. Why a bill matched no load names loads that may be another carrier's; a partner learns no
// more than if they did not exist.
func bill(ctx context.Context, b freightbill.Bill) *billingv1.FreightBill {
	m := wire.FreightBill(b)
	if origin.From(ctx).Principal.Kind == origin.Partner {
		for _, f := range m.GetFindings() {
			if f.GetRule() == freightbill.MatchRule && !f.GetPassed() {
				f.Detail = "no single load of yours matches"
			}
		}
	}
	return m
}

// GetFreightBill returns one bill.
func (s *Server) GetFreightBill(ctx context.Context, req *billingv1.GetFreightBillRequest) (*billingv1.FreightBill, error) {
	b, err := s.app.FreightBill(ctx, req.GetName())
	if err == nil && !auth.CanSee(origin.From(ctx).Principal, b.Carrier) {
		err = app.ErrNotFound
	}
	if err != nil {
		return nil, refuse(req.GetName(), err)
	}
	return bill(ctx, b), nil
}

// ListFreightBills pages through the visible bills, newest first.
func (s *Server) ListFreightBills(ctx context.Context, req *billingv1.ListFreightBillsRequest) (*billingv1.ListFreightBillsResponse, error) {
	state := ""
	if req.GetState() != billingv1.FreightBill_STATE_UNSPECIFIED {
		state = req.GetState().String()
	}
	q, args, err := query(ctx, req, req.GetLoadNumber(), state)
	if err != nil {
		return nil, refuse("freightBills", err)
	}
	q.Load, q.State = req.GetLoadNumber(), state
	found, last, err := s.app.FreightBills(ctx, q)
	if err != nil {
		return nil, refuse("freightBills", err)
	}
	out := &billingv1.ListFreightBillsResponse{NextPageToken: next(last, args)}
	for _, b := range found {
		out.FreightBills = append(out.FreightBills, bill(ctx, b))
	}
	return out, nil
}

// ApproveFreightBill lets a person pay a bill that the audit did not approve.
func (s *Server) ApproveFreightBill(ctx context.Context, req *billingv1.ApproveFreightBillRequest) (*billingv1.FreightBill, error) {
	return s.decide(ctx, req, app.Decision{Bill: req.GetName(), ETag: req.GetEtag(), Verb: freightbill.Approve, Reason: req.GetReason()})
}

// DisputeFreightBill lets a person dispute a bill with the carrier.
func (s *Server) DisputeFreightBill(ctx context.Context, req *billingv1.DisputeFreightBillRequest) (*billingv1.FreightBill, error) {
	return s.decide(ctx, req, app.Decision{
		Bill: req.GetName(), ETag: req.GetEtag(), Verb: freightbill.Dispute, Reason: req.GetReason(), Dispute: freightbill.Code(req.GetDisputeCode()),
	})
}

// RejectFreightBill lets a person refuse a bill for good.
func (s *Server) RejectFreightBill(ctx context.Context, req *billingv1.RejectFreightBillRequest) (*billingv1.FreightBill, error) {
	return s.decide(ctx, req, app.Decision{Bill: req.GetName(), ETag: req.GetEtag(), Verb: freightbill.Reject, Reason: req.GetReason()})
}

func (s *Server) decide(ctx context.Context, req proto.Message, d app.Decision) (*billingv1.FreightBill, error) {
	cause, err := idempotency.Cause(ctx, req)
	if err != nil {
		return nil, refuse(d.Bill, err)
	}
	b, at, err := s.app.Decide(ctx, cause, d)
	rpc.SetPosition(ctx, at)
	if err != nil {
		return nil, refuse(d.Bill, err)
	}
	return bill(ctx, b), nil
}

// ListAccruals pages through the accruals, newest first.
func (s *Server) ListAccruals(ctx context.Context, req *billingv1.ListAccrualsRequest) (*billingv1.ListAccrualsResponse, error) {
	q, args, err := query(ctx, req, req.GetLoad())
	if err != nil {
		return nil, refuse("accruals", err)
	}
	q.Load = req.GetLoad()
	found, last, err := s.app.Accruals(ctx, q)
	if err != nil {
		return nil, refuse("accruals", err)
	}
	out := &billingv1.ListAccrualsResponse{NextPageToken: next(last, args)}
	for _, a := range found {
		out.Accruals = append(out.Accruals, wire.Accrual(a))
	}
	return out, nil
}

// ListJournalEntries pages through the sub-ledger, oldest first.
func (s *Server) ListJournalEntries(ctx context.Context, req *billingv1.ListJournalEntriesRequest) (*billingv1.ListJournalEntriesResponse, error) {
	args := []string{"journalEntries", req.GetRelated()}
	after, err := page.Parse(req.GetPageToken(), args...)
	if err != nil {
		return nil, refuse("journalEntries", err)
	}
	found, last, err := s.app.Journal(ctx, req.GetRelated(), after, page.Size(req.GetPageSize(), defaultPage, mostOfPage))
	if err != nil {
		return nil, refuse("journalEntries", err)
	}
	out := &billingv1.ListJournalEntriesResponse{NextPageToken: next(last, args)}
	for _, p := range found {
		out.JournalEntries = append(out.JournalEntries, wire.JournalEntry(p))
	}
	return out, nil
}

// GetTrialBalance sums the sub-ledger by currency and account.
func (s *Server) GetTrialBalance(ctx context.Context, req *billingv1.GetTrialBalanceRequest) (*billingv1.TrialBalance, error) {
	sums, err := s.app.TrialBalance(ctx, req.GetLegalEntity())
	if err != nil {
		return nil, refuse("trialBalance", err)
	}
	out := &billingv1.TrialBalance{}
	for _, currency := range slices.Sorted(maps.Keys(sums)) {
		for _, account := range slices.Sorted(maps.Keys(sums[currency])) {
			amount, err := money.New(sums[currency][account], currency)
			if err != nil {
				return nil, refuse("trialBalance", err)
			}
			out.Balances = append(out.Balances, &billingv1.Balance{
				Account: string(account), AccountName: account.Name(), Amount: wire.Money(amount),
			})
		}
	}
	return out, nil
}

type listRequest interface {
	GetPageSize() int32
	GetPageToken() string
}

// query makes the part of a list that the caller may see. args are what its page token is bound to.
func query(ctx context.Context, req listRequest, filter ...string) (app.Query, []string, error) {
	q := app.Query{Size: page.Size(req.GetPageSize(), defaultPage, mostOfPage)}
	if p := origin.From(ctx).Principal; p.Kind == origin.Partner {
		q.Party = cmp.Or(p.Party, "nobody") // a partner without a party sees nothing, and not everything
	}
	args := append([]string{fmt.Sprintf("%T", req), q.Party}, filter...)
	var err error
	q.After, err = page.Parse(req.GetPageToken(), args...)
	return q, args, err
}

func next(last []byte, args []string) string {
	if last == nil {
		return ""
	}
	return page.Token(last, args...)
}
