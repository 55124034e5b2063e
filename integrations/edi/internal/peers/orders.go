// Package peers hands on what partners say to the services that own it, in the words of their contracts.
package peers

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
	amount "crossdock.dev/kernel/money"
	"crossdock.dev/platform/rpcerr"
)

// Orders implements app.Orders over gRPC.
type Orders struct{ client ordersv1.OrderServiceClient }

// New returns Orders over a connection to orders.
func New(cc grpc.ClientConnInterface) *Orders { return &Orders{ordersv1.NewOrderServiceClient(cc)} }

// system is this adapter's name in external ids.
const system = "x12"

// Reasons of problems that show only when an order is put into the contract's words.
const (
	currenciesDiffer mapping.Reason = "CURRENCIES_DIFFER"
	totalInvalid     mapping.Reason = "TOTAL_INVALID"
)

// Request makes the request to create the order of an 850. Text that is no UTF-8 is read as ISO 8859-1.
func (o *Orders) Request(po mapping.PurchaseOrder, from app.Origin) ([]byte, []mapping.Problem) {
	var problems []mapping.Problem
	problem := func(reason mapping.Reason, field, value, text string) {
		problems = append(problems, mapping.Problem{Severity: x12.Error, Reason: reason, Field: field, Value: message.Clean(value, 60), Source: po.Source, Text: text})
	}
	currency, mixed := currencyOf(po)
	if mixed {
		problem(currenciesDiffer, "lines", "", "the lines are in several currencies")
	}
	order := &ordersv1.Order{
		Customer: from.Customer, CustomerOrderNumber: message.Clean(po.Number, 60), CurrencyCode: currency, Source: from.Source,
		OrderDate: calendar(po.Date), RequestedDeliveryDate: requested(po.Dates), PaymentTerms: terms(po.Terms),
	}
	if st := po.ShipTo(); st != nil && st.ID != "" {
		order.ShipToExternal = &typev1.ExternalId{System: system, Kind: "n1_st", Qualifier: message.Text(st.Qualifier), Value: message.Clean(st.ID, 80)}
	}
	if po.Total != "" {
		if currency == "" {
			currency = from.Currency
		}
		total, err := amount.Parse(po.Total, currency)
		if err != nil {
			problem(totalInvalid, "total", po.Total, "not an amount in "+currency)
		} else {
			units, nanos := total.UnitsNanos()
			order.StatedTotal = &money.Money{CurrencyCode: currency, Units: units, Nanos: nanos}
		}
	}
	for _, l := range po.Lines {
		order.Lines = append(order.Lines, line(l))
	}
	request, err := proto.MarshalOptions{Deterministic: true}.Marshal(&ordersv1.CreateOrderRequest{Order: order})
	if err != nil {
		problem(mapping.NumberInvalid, "order", "", "cannot be written: "+err.Error())
	}
	return request, problems
}

// notItems are qualifiers of data element 235 in the place of item numbers that name no item.
var notItems = []string{"PR"} // process number

func line(l mapping.Line) *ordersv1.OrderLine {
	out := &ordersv1.OrderLine{
		Line: message.Text(l.ID), Description: message.Clean(l.Description(), 200), UnitPrice: l.Price,
		Quantity: &typev1.Quantity{Value: l.Quantity, Unit: l.Unit},
	}
	// A pack that is no whole number of base units tells nothing about cartons.
	if pack, err := strconv.ParseInt(l.Pack, 10, 32); err == nil && pack > 0 {
		out.Pack = int32(pack)
	}
	for _, id := range l.Items {
		if id.Value != "" && !slices.Contains(notItems, id.Qualifier) {
			out.ExternalIds = append(out.ExternalIds, &typev1.ExternalId{
				System: system, Kind: "item", Qualifier: message.Text(id.Qualifier), Value: message.Clean(id.Value, 80),
			})
		}
	}
	return out
}

// currencyOf is the currency that the order says, in its header or alike in every line; empty when it says none.
func currencyOf(po mapping.PurchaseOrder) (currency string, mixed bool) {
	currency = po.Currency
	for i, l := range po.Lines {
		said := l.Currency
		if said == "" {
			said = po.Currency
		}
		if i == 0 {
			currency = said
		}
		mixed = mixed || said != currency
	}
	return currency, mixed
}

// requested is the day the customer asked for: 002 delivery requested, else 010 requested ship (data element 374).
func requested(dates []mapping.Date) *date.Date {
	for _, qualifier := range []string{"002", "010"} {
		for _, d := range dates {
			if day := calendar(d.Date); d.Qualifier == qualifier && day != nil {
				return day
			}
		}
	}
	return nil
}

func calendar(day string) *date.Date {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return nil
	}
	return &date.Date{Year: int32(t.Year()), Month: int32(t.Month()), Day: int32(t.Day())}
}

func terms(all []mapping.Terms) string {
	var texts []string
	for _, t := range all {
		if t.Text != "" {
			texts = append(texts, t.Text)
		}
	}
	return message.Clean(strings.Join(texts, "; "), 200)
}

// Create sends a request that Request made.
func (o *Orders) Create(ctx context.Context, requestID string, request []byte) (string, error) {
	req := &ordersv1.CreateOrderRequest{}
	if err := proto.Unmarshal(request, req); err != nil {
		return "", fmt.Errorf("the request on file cannot be read: %w", err)
	}
	req.RequestId = requestID
	order, err := o.client.CreateOrder(ctx, req)
	if err == nil {
		return order.GetName(), nil
	}
	if e := rpcerr.From(err); e.Code == codes.AlreadyExists {
		return "", &app.ExistsError{Order: e.Metadata["order"]}
	}
	return "", refusal(err)
}

// refusal tells an answer that no repeat will change from one that may be better another time: a right that is missing or a
// service that is down, where the message is not to blame.
func refusal(err error) error {
	e := rpcerr.From(err)
	switch e.Code {
	case codes.AlreadyExists, codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.OutOfRange:
		detail := e.Reason + ": " + e.Message
		for _, f := range e.Fields {
			detail += "; " + f.Path + ": " + f.Description
		}
		return &app.RefusedError{Detail: detail}
	}
	return err
}
