package document

import (
	"strconv"
	"time"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
	"crossdock.dev/kernel/calendar"
)

// tender puts an offer into a 204.
func (l *look) tender(m *freightv1.LoadTendered) (x12.Set, error) {
	t, load := m.GetTender(), m.GetLoad()
	if len(m.GetShipments()) == 0 || len(t.GetStops()) == 0 {
		return x12.Set{}, &app.UnfitError{Detail: "an offer without stops or goods"}
	}
	orders := map[string]mapping.PurchaseOrder{} // by shipment
	aboard := map[string]*freightv1.Shipment{}
	for _, s := range m.GetShipments() {
		orders[s.GetName()], aboard[s.GetName()] = l.order(s.GetCustomer(), s.GetCustomerOrderNumber()), s
	}
	first := m.GetShipments()[0]
	billTo := l.billTo(first, load.GetLegalEntity(), t.GetMethodOfPayment(), orders[first.GetName()])

	weight, unit, err := sum(t.GetGrossWeight())
	if err != nil {
		return x12.Set{}, &app.UnfitError{Detail: "weight: " + err.Error()}
	}
	w := &writer{}
	w.add("B2", "", t.GetScac(), "", t.GetLoadNumber(), weightUnit(unit), t.GetMethodOfPayment())
	w.add("B2A", "00", "LT")
	w.add("L11", t.GetLoadNumber(), "BM")
	for _, number := range t.GetCustomerOrderNumbers() {
		w.add("L11", number, "PO")
	}
	at, zone, err := zoned(t.GetRespondBy())
	if err != nil {
		return x12.Set{}, &app.UnfitError{Detail: "respond by: " + err.Error()}
	}
	w.add("G62", "64", at.Format("20060102"), "1", at.Format("1504"), zone)
	w.add("MS3", t.GetScac(), "B", "", method(load.GetMode()))
	w.party(billTo)
	for i, stop := range t.GetStops() {
		var there []*freightv1.Shipment
		for _, name := range stop.GetShipments() {
			if s := aboard[name]; s != nil {
				there = append(there, s)
			}
		}
		if err := l.stop(w, stop, there, orders, i == len(t.GetStops())-1); err != nil {
			return x12.Set{}, err
		}
	}
	w.add("L3", weight.Trim().String(), "G", "", "", "", "", "", "", "", "", strconv.Itoa(int(t.GetCartons())))
	return w.set("204"), l.complete()
}

// stop writes a stop with what is loaded or unloaded there.
func (l *look) stop(w *writer, stop *freightv1.Stop, there []*freightv1.Shipment, orders map[string]mapping.PurchaseOrder, last bool) error {
	delivery := stop.GetRole() == freightv1.Stop_DELIVERY
	var weights, volumes []*typev1.Quantity
	var cartons int32
	for _, s := range there {
		weights, volumes, cartons = append(weights, s.GetGrossWeight()), append(volumes, s.GetVolume()), cartons+s.GetCartons()
	}
	weight, unit, err := sum(weights...)
	if err != nil {
		return &app.UnfitError{Detail: "weight: " + err.Error()}
	}
	volume, volumeUnit, err := sum(volumes...)
	if err != nil {
		return &app.UnfitError{Detail: "volume: " + err.Error()}
	}
	w.add("S5", strconv.Itoa(int(stop.GetSequence())), reason(delivery, last), weight.Trim().String(), weightUnit(unit), strconv.Itoa(int(cartons)), "CT",
		volume.Trim().String(), map[string]string{"FTQ": "E", "MTQ": "X"}[volumeUnit])
	po := mapping.PurchaseOrder{}
	if delivery {
		for _, s := range there {
			w.add("L11", s.GetCustomerOrderNumber(), "PO")
			po = orders[s.GetName()]
		}
	}
	windows := [2][2]string{{"37", "I"}, {"38", "K"}}
	role := "SF"
	if delivery {
		windows, role = [2][2]string{{"53", "G"}, {"54", "L"}}, "ST"
	}
	for i, at := range []*typev1.EventTime{stop.GetWindowFrom(), stop.GetWindowTo()} {
		loc, err := calendar.LoadZone(stop.GetZone())
		if err != nil {
			return &app.UnfitError{Detail: err.Error()}
		}
		local := at.GetTime().AsTime().In(loc)
		w.add("G62", windows[i][0], local.Format("20060102"), windows[i][1], local.Format("1504"), "LT")
	}
	w.party(l.site(role, stop.GetLocation(), po))
	if delivery {
		return nil
	}
	kinds, err := goodsOf(there)
	if err != nil {
		return &app.UnfitError{Detail: "goods: " + err.Error()}
	}
	for i, g := range kinds {
		w.add("L5", strconv.Itoa(i+1), message.Clean(g.Description, maxLading))
		w.add("AT8", "G", weightUnit(unit), g.Weight.Trim().String(), strconv.Itoa(int(g.Cartons)))
	}
	return nil
}

// cancellation takes an offer back.
func cancellation(t *freightv1.Tender) (x12.Set, error) {
	w := &writer{}
	w.add("B2", "", t.GetScac(), "", t.GetLoadNumber(), "", t.GetMethodOfPayment())
	w.add("B2A", "01", "LT")
	return w.set("204"), nil
}

// reason is the stop reason (data element 163): the whole load is loaded or unloaded, or a part of it is unloaded.
func reason(delivery, last bool) string {
	switch {
	case !delivery:
		return "CL"
	case last:
		return "CU"
	}
	return "PU"
}

// weightUnit is data element 188.
func weightUnit(unit string) string {
	return map[string]string{"LBR": "L", "KGM": "K"}[unit]
}

// method is the transportation method (data element 91): less than trailer load, or motor carrier.
func method(mode string) string {
	if mode == "LTL" {
		return "LT"
	}
	return "M"
}

// zoned is a time on the clock of its zone with the time code (data element 623) that says so; UT where no code names the zone.
func zoned(t *typev1.EventTime) (time.Time, string, error) {
	codes := map[string]string{"America/New_York": "ET", "America/Chicago": "CT", "America/Denver": "MT", "America/Los_Angeles": "PT"}
	if code, ok := codes[t.GetZone()]; ok {
		loc, err := calendar.LoadZone(t.GetZone())
		if err != nil {
			return time.Time{}, "", err
		}
		return t.GetTime().AsTime().In(loc), code, nil
	}
	return t.GetTime().AsTime(), "UT", nil
}

// writer collects the segments of a set.
type writer struct{ segments []x12.Segment }

func (w *writer) add(id string, values ...string) {
	w.segments = append(w.segments, x12.Seg(id, values...))
}

// Most characters of texts, by data element: 93 name, 166 address, 19 city, 79 lading description, 352 description.
const (
	maxName    = 60
	maxStreet  = 55
	maxCity    = 30
	maxLading  = 50
	maxContent = 80
)

func (w *writer) party(p mapping.Party) {
	w.add("N1", p.Role, message.Clean(p.Name, maxName), p.Qualifier, p.ID)
	var street []string
	for _, line := range p.Street[:min(2, len(p.Street))] {
		street = append(street, message.Clean(line, maxStreet))
	}
	if len(street) > 0 {
		w.add("N3", street...)
	}
	if p.City != "" {
		w.add("N4", message.Clean(p.City, maxCity), p.State, p.PostalCode, p.Country)
	}
}

// set puts the segments between ST and SE.
func (w *writer) set(id string) x12.Set {
	all := append([]x12.Segment{x12.Seg("ST", id, "0001")}, w.segments...)
	return x12.Set{Segments: append(all, x12.Seg("SE", strconv.Itoa(len(all)+1), "0001"))}
}
