package mapping

import (
	"time"

	"crossdock.dev/integrations/edi/x12"
)

// Purposes of a tender (data element 353).
const (
	PurposeOriginal     = "00"
	PurposeCancellation = "01"
)

// LoadTender is what a 204 of ours says. Units are UN/ECE Recommendation 20 codes, weights gross.
type LoadTender struct {
	Purpose      string // B2A01; a cancellation says which load, to whom, and where it would have gone
	SCAC         string // B202
	ShipmentID   string // B204, our load number
	Payment      string // B206, data element 146: PP prepaid, CC collect
	OrderNumbers []string
	RespondBy    time.Time // in the zone whose clock it is told on
	Mode         string    // "LTL", else a whole truck
	BillTo       Party
	Stops        []TenderStop
	Weight       string // of the whole load
	WeightUnit   string
	Cartons      int
}

// TenderStop is a place where the load is worked on.
type TenderStop struct {
	Sequence     int
	Delivery     bool
	OrderNumbers []string // of what is delivered here
	Weight       string   // of what is loaded or unloaded here
	WeightUnit   string
	Cartons      int
	Volume       string
	VolumeUnit   string
	From, To     time.Time // the window, on the clock of the place
	Site         Party     // its role follows from Delivery
	Goods        []Lading  // of what is loaded here
}

// Lading is a kind of goods.
type Lading struct {
	Description string
	Weight      string
	Cartons     int
}

// Out204 writes a tender, X12 004010 204.
func Out204(t LoadTender) x12.Set {
	w := &writer{}
	if t.Purpose == PurposeCancellation {
		w.add("B2", "", t.SCAC, "", t.ShipmentID, "", t.Payment)
		w.add("B2A", t.Purpose, "LT")
		w.add("L11", t.ShipmentID, "BM")
		for i, stop := range t.Stops { // S5 is mandatory whatever the purpose
			w.add("S5", count(stop.Sequence), stopReason(stop.Delivery, i == len(t.Stops)-1))
		}
		return w.set("204")
	}
	w.add("B2", "", t.SCAC, "", t.ShipmentID, weightUnit(t.WeightUnit), t.Payment)
	w.add("B2A", t.Purpose, "LT")
	w.add("L11", t.ShipmentID, "BM")
	for _, number := range t.OrderNumbers {
		w.add("L11", number, "PO")
	}
	by, zone := zoned(t.RespondBy)
	w.add("G62", "64", by.Format("20060102"), "1", by.Format("1504"), zone)
	w.add("MS3", t.SCAC, "B", "", method(t.Mode))
	w.party(t.BillTo)
	for i, stop := range t.Stops {
		w.stop(stop, i == len(t.Stops)-1)
	}
	w.add("L3", t.Weight, "G", "", "", "", "", "", "", "", "", count(t.Cartons))
	return w.set("204")
}

func (w *writer) stop(s TenderStop, last bool) {
	w.add("S5", count(s.Sequence), stopReason(s.Delivery, last), s.Weight, weightUnit(s.WeightUnit), count(s.Cartons), "CT", s.Volume, volumeUnit(s.VolumeUnit))
	for _, number := range s.OrderNumbers {
		w.add("L11", number, "PO")
	}
	// Qualifiers of data elements 432 and 176: not before, with the earliest time; no later than, with the latest.
	from, to := [2]string{"37", "I"}, [2]string{"38", "K"} // of a pick-up
	s.Site.Role = "SF"
	if s.Delivery {
		from, to, s.Site.Role = [2]string{"53", "G"}, [2]string{"54", "L"}, "ST"
	}
	w.add("G62", from[0], s.From.Format("20060102"), from[1], s.From.Format("1504"), "LT")
	w.add("G62", to[0], s.To.Format("20060102"), to[1], s.To.Format("1504"), "LT")
	w.party(s.Site)
	for i, g := range s.Goods {
		w.add("L5", count(i+1), printed(g.Description, maxLading))
		w.add("AT8", "G", weightUnit(s.WeightUnit), g.Weight, count(g.Cartons))
	}
}

// stopReason is data element 163: the whole load is loaded (CL) or the rest of it unloaded (CU), or a part of it is unloaded (PU).
func stopReason(delivery, last bool) string {
	switch {
	case !delivery:
		return "CL"
	case last:
		return "CU"
	}
	return "PU"
}

// weightUnit is data element 188.
func weightUnit(unit string) string { return map[string]string{"LBR": "L", "KGM": "K"}[unit] }

// volumeUnit is data element 184.
func volumeUnit(unit string) string { return map[string]string{"FTQ": "E", "MTQ": "X"}[unit] }

// method is the transportation method (data element 91): LT less than trailer load, M motor (common carrier). Both are in the code
// list of release 004010 as github.com/tcd/eddy has it (lib/definitions/elements/generated/91.transportation_method_type_code.rb).
func method(mode string) string {
	if mode == "LTL" {
		return "LT"
	}
	return "M"
}

// zoned is a time on the clock of its zone with the time code (data element 623) that says so; UT where no code names the zone.
func zoned(at time.Time) (time.Time, string) {
	for _, code := range []string{"ET", "CT", "MT", "PT"} {
		if zones[code].name == at.Location().String() {
			return at, code
		}
	}
	return at.UTC(), "UT"
}
