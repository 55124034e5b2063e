package inbound

import (
	"google.golang.org/protobuf/proto"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/services/tower/internal/store"
)

// plans are what a fact says of later facts: until when the first of each type should have happened.
func plans(payload proto.Message) []store.Plan {
	var out []store.Plan
	add := func(by *typev1.EventTime, types ...string) {
		if by == nil {
			return
		}
		for _, t := range types {
			out = append(out, store.Plan{Type: t, By: by})
		}
	}
	switch m := payload.(type) {
	case *ordersv1.OrderConfirmed:
		add(m.GetPromise().GetDeliverBy(), "ShipmentDelivered")
	case *ordersv1.CommitmentChanged:
		add(m.GetPromise().GetDeliverBy(), "ShipmentDelivered")
	case *freightv1.ShipmentPlanned:
		for _, stop := range m.GetLoad().GetStops() {
			if stop.GetRole() == freightv1.Stop_PICKUP {
				add(stop.GetWindowTo(), "ShipmentArrivedPickup", "ShipmentDeparted")
				break
			}
		}
	case *freightv1.LoadTendered:
		add(m.GetTender().GetRespondBy(), "LoadBooked")
	}
	return out
}
