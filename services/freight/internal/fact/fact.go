// Package fact holds what freight tells the others: past-tense values, complete enough to act on. How they are written to the
// log is left to package store.
package fact

import (
	"crossdock.dev/services/freight/internal/cost"
	"crossdock.dev/services/freight/internal/eta"
	"crossdock.dev/services/freight/internal/eventtime"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/milestone"
	"crossdock.dev/services/freight/internal/pod"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/tender"
)

// Fact is one of the types below.
type Fact interface {
	// Of is the load that the fact belongs to, with the shipments aboard: where its names and numbers come from.
	Of() About
}

// About is a load with the shipments aboard, as the change left them.
type About struct {
	Load      load.Load
	Shipments []shipment.Shipment
}

// Of returns a itself.
func (a About) Of() About { return a }

// Shipment finds a shipment aboard.
func (a About) Shipment(name string) shipment.Shipment {
	for _, s := range a.Shipments {
		if s.Name == name {
			return s
		}
	}
	return shipment.Shipment{}
}

// The facts. Each names the resource it is about and when it happened where that differs from when it was heard of.
type (
	// ShipmentPlanned: an order release became a shipment on a load.
	ShipmentPlanned struct {
		About
		Shipment shipment.Shipment
	}
	// LoadTendered: a load was offered to a carrier.
	LoadTendered struct {
		About
		Tender tender.Tender
	}
	// TenderAccepted: a carrier took the load.
	TenderAccepted struct {
		About
		Tender tender.Tender
	}
	// TenderDeclined: a carrier refused the load.
	TenderDeclined struct {
		About
		Tender tender.Tender
	}
	// TenderExpired: a carrier did not answer in time.
	TenderExpired struct {
		About
		Tender tender.Tender
	}
	// TenderWithdrawn: an offer was taken back.
	TenderWithdrawn struct {
		About
		Tender tender.Tender
	}
	// TendersExhausted: no carrier is left to ask.
	TendersExhausted struct{ About }
	// LoadBooked: a carrier is committed and the cost is known.
	LoadBooked struct {
		About
		Tender tender.Tender
	}
	// LoadCancelled: a load was called off with everything aboard.
	LoadCancelled struct {
		About
		Tender *tender.Tender // the offer that was withdrawn; nil when none was out
		Reason string
	}
	// MilestoneRecorded: somebody said that something happened.
	MilestoneRecorded struct {
		About
		Claim milestone.Claim
	}
	// ShipmentArrivedPickup: the carrier is at the ship-from.
	ShipmentArrivedPickup struct {
		About
		Shipment shipment.Shipment
		Occurred eventtime.Time
	}
	// ShipmentDeparted: the goods left the ship-from.
	ShipmentDeparted struct {
		About
		Shipment shipment.Shipment
		Occurred eventtime.Time
	}
	// EtaChanged: the estimated delivery changed, or how far it can be trusted, which the shipment says.
	EtaChanged struct {
		About
		Shipment shipment.Shipment
		Estimate eventtime.Time // zero when none was given beside the promise
	}
	// ExceptionRaised: something is wrong with a shipment and a person has to look.
	ExceptionRaised struct {
		About
		Shipment shipment.Shipment
		Reason   eta.Reason
		Detail   string
	}
	// ExceptionCleared: it is right again.
	ExceptionCleared struct {
		About
		Shipment shipment.Shipment
		Reason   eta.Reason
	}
	// AccessorialProven: an accessorial is owed, or another amount of it than was told before.
	AccessorialProven struct {
		About
		Charge   cost.Charge // zero when it is not owed after all
		Stop     int
		Shipment shipment.Shipment // the first of that stop
		Evidence string
	}
	// ShipmentDelivered: the goods were handed over, or the time of that was corrected.
	ShipmentDelivered struct {
		About
		Shipment shipment.Shipment
		Occurred eventtime.Time
	}
	// ProofReceived: a signed proof came in.
	ProofReceived struct {
		About
		Proof    pod.Proof
		Shipment shipment.Shipment
		Lines    []pod.Line
	}
	// LoadCompleted: everything aboard was handed over.
	LoadCompleted struct{ About }
)
