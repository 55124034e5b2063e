package wire

import (
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"

	"crossdock.dev/services/freight/internal/eta"
	"crossdock.dev/services/freight/internal/network"
	"crossdock.dev/services/freight/internal/shipment"
)

var shipmentStates = pairs[shipment.State, freightv1.Shipment_State]{
	{shipment.Planned, freightv1.Shipment_PLANNED},
	{shipment.Booked, freightv1.Shipment_BOOKED},
	{shipment.AtPickup, freightv1.Shipment_AT_PICKUP},
	{shipment.InTransit, freightv1.Shipment_IN_TRANSIT},
	{shipment.AtDelivery, freightv1.Shipment_AT_DELIVERY},
	{shipment.Delivered, freightv1.Shipment_DELIVERED},
	{shipment.Cancelled, freightv1.Shipment_CANCELLED},
}

var confidences = pairs[eta.Confidence, freightv1.Confidence]{
	{"", freightv1.Confidence_CONFIDENCE_UNSPECIFIED},
	{eta.High, freightv1.Confidence_HIGH},
	{eta.Medium, freightv1.Confidence_MEDIUM},
	{eta.Low, freightv1.Confidence_LOW},
	{eta.None, freightv1.Confidence_NONE},
}

func reasons(t eta.Trust) []string {
	var out []string
	for _, r := range t.Reasons {
		out = append(out, string(r))
	}
	return out
}

// Shipment writes a shipment with its lines; its watch task is not among what the message holds.
func Shipment(s shipment.Shipment) *freightv1.Shipment {
	out := &freightv1.Shipment{
		Name: s.Name, OrderRelease: s.OrderRelease, Order: s.Order, CustomerOrderNumber: s.CustomerOrderNumber, Customer: s.Customer,
		LegalEntity: s.LegalEntity, ShipFrom: s.ShipFrom, ShipTo: s.ShipTo, Mode: s.Mode, FreightTerms: string(s.Terms), Load: s.Load,
		GrossWeight: Quantity(s.GrossWeight), Cartons: s.Cartons, Volume: Quantity(s.Volume), State: shipmentStates.to(s.State),
		PickupFrom: EventTime(s.PickupFrom), PickupTo: EventTime(s.PickupTo),
		DeliverFrom: EventTime(s.DeliverFrom), DeliverBy: EventTime(s.DeliverBy),
		Departed: EventTime(s.Departed), Delivered: EventTime(s.Delivered), ProofOfDelivery: s.Proof,
		CreateTime: Timestamp(s.CreateTime), EtaWatch: s.EtaWatch, Etag: etag(s.Revision),
		EtaConfidence: confidences.to(s.Trust.Confidence), EtaReasons: reasons(s.Trust),
	}
	for _, l := range s.Lines {
		out.Lines = append(out.Lines, ShipmentLine(l))
	}
	return out
}

// ShipmentLine writes a line.
func ShipmentLine(l shipment.Line) *freightv1.ShipmentLine {
	return &freightv1.ShipmentLine{
		Line: l.Line, Item: l.Item, Description: l.Description, Quantity: Quantity(l.Quantity), GrossWeight: Quantity(l.GrossWeight),
		FreightClass: l.Class, Cartons: l.Cartons,
	}
}

// ToShipment reads a shipment.
func ToShipment(m *freightv1.Shipment) (shipment.Shipment, error) {
	var r reader
	out := shipment.Shipment{
		Name: m.GetName(), OrderRelease: m.GetOrderRelease(), Order: m.GetOrder(), CustomerOrderNumber: m.GetCustomerOrderNumber(),
		Customer: m.GetCustomer(), LegalEntity: m.GetLegalEntity(), ShipFrom: m.GetShipFrom(), ShipTo: m.GetShipTo(), Mode: m.GetMode(),
		Terms: network.FreightTerms(m.GetFreightTerms()), Load: m.GetLoad(), GrossWeight: r.quantity(m.GetGrossWeight()),
		Cartons: m.GetCartons(), Volume: r.quantity(m.GetVolume()), State: shipmentStates.from(m.GetState()),
		PickupFrom: ToEventTime(m.GetPickupFrom()), PickupTo: ToEventTime(m.GetPickupTo()),
		DeliverFrom: ToEventTime(m.GetDeliverFrom()), DeliverBy: ToEventTime(m.GetDeliverBy()),
		Departed: ToEventTime(m.GetDeparted()), Delivered: ToEventTime(m.GetDelivered()), Proof: m.GetProofOfDelivery(),
		CreateTime: Instant(m.GetCreateTime()), EtaWatch: m.GetEtaWatch(), Revision: revision(m.GetEtag()),
		Trust: eta.Trust{Confidence: confidences.from(m.GetEtaConfidence())},
	}
	for _, x := range m.GetEtaReasons() {
		out.Trust.Reasons = append(out.Trust.Reasons, eta.Reason(x))
	}
	for _, l := range m.GetLines() {
		line, err := ToShipmentLine(l)
		r.fail(err)
		out.Lines = append(out.Lines, line)
	}
	return read(&r, m.GetName(), out)
}

// ToShipmentLine reads a line.
func ToShipmentLine(m *freightv1.ShipmentLine) (shipment.Line, error) {
	var r reader
	out := shipment.Line{
		Line: m.GetLine(), Item: m.GetItem(), Description: m.GetDescription(), Quantity: r.quantity(m.GetQuantity()),
		GrossWeight: r.quantity(m.GetGrossWeight()), Class: m.GetFreightClass(), Cartons: m.GetCartons(),
	}
	return read(&r, "line "+m.GetLine(), out)
}
