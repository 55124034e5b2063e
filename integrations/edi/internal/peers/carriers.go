package peers

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	storagev1 "crossdock.dev/gen/crossdock/edi/storage/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
	amount "crossdock.dev/kernel/money"
)

// Carriers implements app.Carriers over gRPC: tenders and milestones go to freight, bills to billing.
type Carriers struct {
	freight freightv1.FreightServiceClient
	billing billingv1.BillingServiceClient
}

// NewCarriers returns Carriers over connections to freight and billing.
func NewCarriers(freight, billing grpc.ClientConnInterface) *Carriers {
	return &Carriers{freightv1.NewFreightServiceClient(freight), billingv1.NewBillingServiceClient(billing)}
}

// call is a request with what is added to the set's request id for it.
type call struct {
	suffix  string
	request proto.Message
}

func encode(calls ...call) ([]byte, error) {
	out := &storagev1.Requests{}
	for _, c := range calls {
		request, err := anypb.New(c.request)
		if err != nil {
			return nil, err
		}
		out.Requests = append(out.Requests, &storagev1.Requests_Request{Suffix: c.suffix, Request: request})
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(out)
}

// Accept makes the request that takes a tender.
func (c *Carriers) Accept(tender, reference string) ([]byte, error) {
	return encode(call{"", &freightv1.AcceptTenderRequest{Name: tender, CarrierReference: reference}})
}

// Decline makes the request that refuses a tender.
func (c *Carriers) Decline(tender, reason, note string) ([]byte, error) {
	word, ok := freightv1.DeclineReason_value[reason]
	if !ok {
		return nil, fmt.Errorf("%w: %s", app.ErrWord, reason)
	}
	return encode(call{"", &freightv1.DeclineTenderRequest{Name: tender, Reason: freightv1.DeclineReason(word), Note: note}})
}

// Report makes the requests that report what happened to a load.
func (c *Carriers) Report(load string, reports []app.Report) ([]byte, error) {
	var calls []call
	for _, r := range reports {
		word, ok := freightv1.Milestone_value[r.Milestone]
		if !ok || word == 0 {
			return nil, fmt.Errorf("%w: %s is mapped to %s", app.ErrWord, r.Code, r.Milestone)
		}
		claim := &freightv1.Claim{
			Milestone: freightv1.Milestone(word), Stop: int32(r.Stop), LocalTime: r.LocalTime, City: r.City, State: r.State,
			CarrierCode: r.Code, ReasonCode: r.Reason, SourceReference: r.Source,
		}
		if !r.OccurTime.IsZero() {
			claim.OccurTime = timestamppb.New(r.OccurTime)
		}
		if !r.Estimate.IsZero() {
			claim.Estimate = timestamppb.New(r.Estimate)
		}
		calls = append(calls, call{r.Suffix, &freightv1.ReportMilestoneRequest{Parent: load, Claim: claim}})
	}
	return encode(calls...)
}

// Reasons of problems that show only when a bill is put into the contract's words.
const (
	amountUnfit  mapping.Reason = "AMOUNT_UNFIT"
	chargesUnfit mapping.Reason = "CHARGES_UNFIT"
)

// maxCharges is how many charges billing takes with one bill.
const maxCharges = 200

// Bill makes the request that hands a freight bill in.
func (c *Carriers) Bill(b app.Bill) ([]byte, []mapping.Problem) {
	var problems []mapping.Problem
	problem := func(reason mapping.Reason, field, value, text string) {
		problems = append(problems, mapping.Problem{Severity: x12.Error, Reason: reason, Field: field, Value: value, Text: text})
	}
	value := func(field, text string) *money.Money {
		m, err := amount.Parse(text, b.Currency)
		if err != nil {
			problem(amountUnfit, field, text, "is no amount in "+b.Currency)
			return nil
		}
		units, nanos := m.UnitsNanos()
		return &money.Money{CurrencyCode: b.Currency, Units: units, Nanos: nanos}
	}
	bill := &billingv1.FreightBill{
		Carrier: b.Carrier, InvoiceNumber: message.Clean(b.Number, 30), LoadNumber: message.Clean(b.ShipmentID, 40),
		CarrierReference: message.Clean(b.CarrierReference, 40), BillDate: calendar(b.Date), Source: b.Source,
	}
	for i, ch := range b.Charges[:min(maxCharges, len(b.Charges))] {
		bill.Charges = append(bill.Charges, &typev1.Charge{
			Code: ch.Word, Description: message.Clean(ch.Description, 200), Amount: value(fmt.Sprintf("charges[%d].amount", i), ch.Amount),
		})
	}
	bill.Total = value("total", b.Total)
	if b.ChargeCount == 0 || b.ChargeCount > maxCharges {
		problem(chargesUnfit, "charges", "", fmt.Sprintf("%d charges that add up to %s, of 1 to %d that a bill may have", b.ChargeCount, b.ChargeSum, maxCharges))
	}
	request, err := encode(call{"", &billingv1.SubmitFreightBillRequest{FreightBill: bill}})
	if err != nil {
		problem(chargesUnfit, "bill", "", "cannot be written: "+err.Error())
	}
	return request, problems
}

// Send sends requests that the methods above made.
func (c *Carriers) Send(ctx context.Context, requestID string, requests []byte) (answer app.Answer, done []string, err error) {
	all := &storagev1.Requests{}
	if err := proto.Unmarshal(requests, all); err != nil {
		return answer, nil, fmt.Errorf("the requests on file cannot be read: %w", err)
	}
	for _, r := range all.GetRequests() {
		request, err := r.GetRequest().UnmarshalNew()
		if err != nil {
			return answer, done, err
		}
		if answer, err = c.send(ctx, requestID+r.GetSuffix(), request); err != nil {
			return answer, done, refusal(err)
		}
		done = append(done, r.GetSuffix())
	}
	return answer, done, nil
}

func (c *Carriers) send(ctx context.Context, requestID string, request proto.Message) (app.Answer, error) {
	switch m := request.(type) {
	case *freightv1.AcceptTenderRequest:
		m.RequestId = requestID
		t, err := c.freight.AcceptTender(ctx, m)
		return app.Answer{Name: t.GetName(), State: t.GetState().String()}, err
	case *freightv1.DeclineTenderRequest:
		m.RequestId = requestID
		t, err := c.freight.DeclineTender(ctx, m)
		return app.Answer{Name: t.GetName(), State: t.GetState().String()}, err
	case *freightv1.ReportMilestoneRequest:
		m.RequestId = requestID
		claim, err := c.freight.ReportMilestone(ctx, m)
		return app.Answer{Name: claim.GetName()}, err
	case *billingv1.SubmitFreightBillRequest:
		m.RequestId = requestID
		b, err := c.billing.SubmitFreightBill(ctx, m)
		answer := app.Answer{Name: b.GetName(), State: b.GetState().String()}
		failed := func(f *billingv1.FreightBill_Finding) bool { return !f.GetPassed() }
		if i := slices.IndexFunc(b.GetFindings(), failed); i >= 0 {
			answer.Detail = b.GetFindings()[i].GetRule() + ": " + b.GetFindings()[i].GetDetail()
		}
		return answer, err
	}
	return app.Answer{}, fmt.Errorf("no method for %T", request)
}
