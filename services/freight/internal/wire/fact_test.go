package wire

import (
	"slices"
	"testing"

	"crossdock.dev/services/freight/internal/eta"
	"crossdock.dev/services/freight/internal/fact"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/milestone"
	"crossdock.dev/services/freight/internal/pod"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/tender"
)

// Every fact leads to its case: the order, its number, the shipment, the load, its number, the carrier's reference, the parties.
func TestRelated(t *testing.T) {
	s := shipment.Shipment{Name: "shipments/s", Order: "orders/o", OrderRelease: "orders/o/releases/1", CustomerOrderNumber: "PO-1", Customer: "parties/CUS-1"}
	about := fact.About{
		Load:      load.Load{Name: "loads/l", Number: "NL26030001", CarrierReference: "PRO-1", Tender: "tenders/t", Carrier: "parties/CAR-1"},
		Shipments: []shipment.Shipment{s},
	}
	offer := tender.Tender{Name: "tenders/t", Carrier: "parties/CAR-1"}
	all := []string{"orders/o", "po:PO-1", "orders/o/releases/1", "shipments/s", "parties/CUS-1", "loads/l", "load:NL26030001", "pro:PRO-1", "tenders/t", "parties/CAR-1"}
	for _, x := range []struct {
		f             fact.Fact
		kind, subject string
		more          []string
	}{
		{fact.ShipmentPlanned{About: about, Shipment: s}, "ShipmentPlanned", "shipments/s", nil},
		{fact.LoadTendered{About: about, Tender: offer}, "LoadTendered", "loads/l", nil},
		{fact.TenderAccepted{About: about, Tender: offer}, "TenderAccepted", "tenders/t", nil},
		{fact.TenderDeclined{About: about, Tender: tender.Tender{Name: "tenders/u", Carrier: "parties/CAR-2"}}, "TenderDeclined", "tenders/u", []string{"parties/CAR-2"}},
		{fact.TenderExpired{About: about, Tender: tender.Tender{Name: "tenders/u", Carrier: "parties/CAR-2"}}, "TenderExpired", "tenders/u", []string{"parties/CAR-2"}},
		{fact.TenderWithdrawn{About: about, Tender: tender.Tender{Name: "tenders/u", Carrier: "parties/CAR-2"}}, "TenderWithdrawn", "tenders/u", []string{"parties/CAR-2"}},
		{fact.TendersExhausted{About: about}, "TendersExhausted", "loads/l", nil},
		{fact.LoadBooked{About: about, Tender: offer}, "LoadBooked", "loads/l", nil},
		{fact.LoadCancelled{About: about}, "LoadCancelled", "loads/l", nil},
		{fact.LoadCancelled{About: about, Tender: &tender.Tender{Name: "tenders/u", Carrier: "parties/CAR-2"}}, "LoadCancelled", "loads/l",
			[]string{"tenders/u", "parties/CAR-2"}},
		{fact.MilestoneRecorded{About: about, Claim: milestone.Claim{Name: "loads/l/claims/c"}}, "MilestoneRecorded", "loads/l", []string{"loads/l/claims/c"}},
		{fact.ShipmentArrivedPickup{About: about, Shipment: s}, "ShipmentArrivedPickup", "shipments/s", nil},
		{fact.ShipmentDeparted{About: about, Shipment: s}, "ShipmentDeparted", "shipments/s", nil},
		{fact.EtaChanged{About: about, Shipment: s}, "EtaChanged", "shipments/s", nil},
		{fact.ExceptionRaised{About: about, Shipment: s, Reason: eta.FeedSilent}, "ExceptionRaised", "shipments/s", nil},
		{fact.ExceptionCleared{About: about, Shipment: s, Reason: eta.FeedSilent}, "ExceptionCleared", "shipments/s", nil},
		{fact.AccessorialProven{About: about, Shipment: s}, "AccessorialProven", "loads/l", nil},
		{fact.ShipmentDelivered{About: about, Shipment: s}, "ShipmentDelivered", "shipments/s", nil},
		{fact.ProofReceived{About: about, Shipment: s, Proof: pod.Proof{Name: "proofsOfDelivery/p"}}, "ProofOfDeliveryReceived", "proofsOfDelivery/p", nil},
		{fact.LoadCompleted{About: about}, "LoadCompleted", "loads/l", nil},
	} {
		kind, subject, payload, err := Fact(x.f)
		if err != nil || kind != x.kind || subject != x.subject || string(payload.ProtoReflect().Descriptor().Name()) != x.kind {
			t.Errorf("%T is %s of %s (%v), want %s of %s", x.f, kind, subject, err, x.kind, x.subject)
		}
		want := append(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == x.subject }), x.more...)
		if got := Related(x.f, subject); !slices.Equal(got, want) {
			t.Errorf("%s is related to %v, want %v", x.kind, got, want)
		}
	}
}
