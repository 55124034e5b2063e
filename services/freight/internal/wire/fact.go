package wire

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"

	"crossdock.dev/services/freight/internal/fact"
	"crossdock.dev/services/freight/internal/shipment"
)

// Fact writes a fact: its type, the resource it is about, and the event message.
func Fact(f fact.Fact) (kind, subject string, payload proto.Message, err error) {
	switch f := f.(type) {
	case fact.ShipmentPlanned:
		return "ShipmentPlanned", f.Shipment.Name, &freightv1.ShipmentPlanned{Shipment: Shipment(f.Shipment), Load: Load(f.Load)}, nil
	case fact.LoadTendered:
		return "LoadTendered", f.Load.Name, &freightv1.LoadTendered{Load: Load(f.Load), Tender: Tender(f.Tender), Shipments: shipments(f.Shipments)}, nil
	case fact.TenderAccepted:
		return "TenderAccepted", f.Tender.Name, &freightv1.TenderAccepted{Tender: Tender(f.Tender)}, nil
	case fact.TenderDeclined:
		return "TenderDeclined", f.Tender.Name, &freightv1.TenderDeclined{Tender: Tender(f.Tender)}, nil
	case fact.TenderExpired:
		return "TenderExpired", f.Tender.Name, &freightv1.TenderExpired{Tender: Tender(f.Tender)}, nil
	case fact.TenderWithdrawn:
		return "TenderWithdrawn", f.Tender.Name, &freightv1.TenderWithdrawn{Tender: Tender(f.Tender)}, nil
	case fact.TendersExhausted:
		return "TendersExhausted", f.Load.Name, &freightv1.TendersExhausted{Load: Load(f.Load), Shipments: shipments(f.Shipments)}, nil
	case fact.LoadBooked:
		return "LoadBooked", f.Load.Name, &freightv1.LoadBooked{Load: Load(f.Load), Shipments: shipments(f.Shipments), Tender: Tender(f.Tender)}, nil
	case fact.LoadCancelled:
		m := &freightv1.LoadCancelled{Load: Load(f.Load), Shipments: shipments(f.Shipments), Reason: f.Reason}
		if f.Tender != nil {
			m.Tender = Tender(*f.Tender)
		}
		return "LoadCancelled", f.Load.Name, m, nil
	case fact.MilestoneRecorded:
		m := &freightv1.MilestoneRecorded{
			Load: f.Load.Name, LoadNumber: f.Load.Number, Carrier: f.Load.Carrier, Shipments: f.Load.Shipments, Claim: Claim(f.Claim),
		}
		for _, s := range f.Shipments {
			m.Orders = append(m.Orders, s.Order)
		}
		return "MilestoneRecorded", f.Load.Name, m, nil
	case fact.ShipmentArrivedPickup:
		return "ShipmentArrivedPickup", f.Shipment.Name, &freightv1.ShipmentArrivedPickup{Shipment: Shipment(f.Shipment), Occurred: EventTime(f.Occurred)}, nil
	case fact.ShipmentDeparted:
		return "ShipmentDeparted", f.Shipment.Name, &freightv1.ShipmentDeparted{Shipment: Shipment(f.Shipment), Occurred: EventTime(f.Occurred)}, nil
	case fact.EtaChanged:
		return "EtaChanged", f.Shipment.Name, &freightv1.EtaChanged{
			Shipment: Shipment(f.Shipment), Estimate: EventTime(f.Estimate), Confidence: confidences.to(f.Shipment.Trust.Confidence),
			Reasons: reasons(f.Shipment.Trust),
		}, nil
	case fact.ExceptionRaised:
		return "ExceptionRaised", f.Shipment.Name, &freightv1.ExceptionRaised{Shipment: Shipment(f.Shipment), Reason: string(f.Reason), Detail: f.Detail}, nil
	case fact.ExceptionCleared:
		return "ExceptionCleared", f.Shipment.Name, &freightv1.ExceptionCleared{Shipment: Shipment(f.Shipment), Reason: string(f.Reason)}, nil
	case fact.AccessorialProven:
		return "AccessorialProven", f.Load.Name, &freightv1.AccessorialProven{
			Load: Load(f.Load), Charge: charge(f.Charge), Shipment: Shipment(f.Shipment), Evidence: f.Evidence, Stop: int32(f.Stop),
		}, nil
	case fact.ShipmentDelivered:
		return "ShipmentDelivered", f.Shipment.Name, &freightv1.ShipmentDelivered{Shipment: Shipment(f.Shipment), Occurred: EventTime(f.Occurred)}, nil
	case fact.ProofReceived:
		m := &freightv1.ProofOfDeliveryReceived{ProofOfDelivery: Proof(f.Proof), Shipment: Shipment(f.Shipment)}
		for _, l := range f.Lines {
			m.Lines = append(m.Lines, DeliveredLine(l))
		}
		return "ProofOfDeliveryReceived", f.Proof.Name, m, nil
	case fact.LoadCompleted:
		return "LoadCompleted", f.Load.Name, &freightv1.LoadCompleted{Load: Load(f.Load)}, nil
	}
	return "", "", nil, fmt.Errorf("unknown fact %T", f)
}

func shipments(in []shipment.Shipment) []*freightv1.Shipment {
	var out []*freightv1.Shipment
	for _, s := range in {
		out = append(out, Shipment(s))
	}
	return out
}

// Related are the names and numbers that lead to a fact's case, each once.
func Related(f fact.Fact, subject string) []string {
	var out []string
	seen := map[string]bool{"": true, subject: true}
	add := func(names ...string) {
		for _, n := range names {
			if !seen[n] {
				seen[n] = true
				out = append(out, n)
			}
		}
	}
	numbered := func(kind, number string) {
		if number != "" {
			add(kind + ":" + number)
		}
	}
	a := f.Of()
	for _, s := range a.Shipments {
		add(s.Order)
		numbered("po", s.CustomerOrderNumber)
		add(s.OrderRelease, s.Name, s.Customer)
	}
	add(a.Load.Name)
	numbered("load", a.Load.Number)
	numbered("pro", a.Load.CarrierReference)
	add(a.Load.Tender, a.Load.Carrier)
	switch f := f.(type) {
	case fact.LoadTendered:
		add(f.Tender.Name, f.Tender.Carrier)
	case fact.TenderAccepted:
		add(f.Tender.Carrier)
	case fact.TenderDeclined:
		add(f.Tender.Carrier)
	case fact.TenderExpired:
		add(f.Tender.Carrier)
	case fact.TenderWithdrawn:
		add(f.Tender.Carrier)
	case fact.LoadCancelled:
		if f.Tender != nil {
			add(f.Tender.Name, f.Tender.Carrier)
		}
	case fact.MilestoneRecorded:
		add(f.Claim.Name)
	}
	return out
}
