package wire

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	"crossdock.dev/services/orders/internal/order"
)

// Fact is a fact as it stands in the log: its type is the message's name.
func Fact(f order.Fact) (proto.Message, []string, error) {
	o := f.About()
	related := []string{o.Name, "po:" + o.Number, o.Customer}
	if interchange, _, ok := strings.Cut(o.Source, "/sets/"); ok {
		related = append(related, o.Source, "interchange:"+interchange)
	}
	switch f := f.(type) {
	case order.OrderCreated:
		return &ordersv1.OrderCreated{Order: Order(o)}, related, nil
	case order.OrderConfirmed:
		return &ordersv1.OrderConfirmed{Order: o.Name, Customer: o.Customer, CustomerOrderNumber: o.Number, Promise: Promise(o.Promise)}, related, nil
	case order.OrderHeld:
		return &ordersv1.OrderHeld{Order: o.Name, Customer: o.Customer, CustomerOrderNumber: o.Number, Hold: Hold(f.Hold)}, related, nil
	case order.OrderHoldReleased:
		return &ordersv1.OrderHoldReleased{Order: o.Name, Customer: o.Customer, CustomerOrderNumber: o.Number, Hold: Hold(f.Hold)}, related, nil
	case order.OrderReleased:
		return &ordersv1.OrderReleased{Release: Release(o, f.Release)}, append(related, f.Release.Name()), nil
	case order.OrderCancellationRequested:
		return &ordersv1.OrderCancellationRequested{Order: o.Name, Customer: o.Customer, CustomerOrderNumber: o.Number,
			Reason: o.CancelReason, OrderReleases: f.Releases}, append(related, f.Releases...), nil
	case order.OrderCancellationRefused:
		return &ordersv1.OrderCancellationRefused{Order: o.Name, Customer: o.Customer, CustomerOrderNumber: o.Number, Reason: f.Reason}, related, nil
	case order.OrderCancelled:
		return &ordersv1.OrderCancelled{Order: o.Name, Customer: o.Customer, CustomerOrderNumber: o.Number, Reason: f.Reason}, related, nil
	case order.CommitmentChanged:
		d := o.Dimensions()
		return &ordersv1.CommitmentChanged{Order: o.Name, Customer: o.Customer, CustomerOrderNumber: o.Number,
			Fulfilment: fulfilmentState(d), Release: releaseState(d), Promise: Promise(o.Promise), Milestone: EventTime(f.Milestone)}, related, nil
	case order.OrderClosed:
		return &ordersv1.OrderClosed{Order: o.Name, Customer: o.Customer, CustomerOrderNumber: o.Number}, related, nil
	}
	return nil, nil, fmt.Errorf("fact of type %T has no message", f)
}
