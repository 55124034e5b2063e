package document

import (
	"cmp"
	"time"

	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	"crossdock.dev/integrations/edi/internal/app"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/kernel/calendar"
)

// tender is what an offer says.
func (l *look) tender(m *freightv1.LoadTendered) (mapping.LoadTender, error) {
	t, load := m.GetTender(), m.GetLoad()
	if len(m.GetShipments()) == 0 || len(t.GetStops()) == 0 {
		return mapping.LoadTender{}, &app.UnfitError{Detail: "an offer without stops or goods"}
	}
	orders := map[string]mapping.PurchaseOrder{} // by shipment
	aboard := map[string]*freightv1.Shipment{}
	for _, s := range m.GetShipments() {
		orders[s.GetName()], aboard[s.GetName()] = l.order(s.GetCustomer(), s.GetCustomerOrderNumber()), s
	}
	first := m.GetShipments()[0]
	weight, unit, err := sum(t.GetGrossWeight())
	if err != nil {
		return mapping.LoadTender{}, &app.UnfitError{Detail: "weight: " + err.Error()}
	}
	out := mapping.LoadTender{
		Purpose: mapping.PurposeOriginal, SCAC: t.GetScac(), ShipmentID: t.GetLoadNumber(), Payment: t.GetMethodOfPayment(), OrderNumbers: t.GetCustomerOrderNumbers(),
		Mode: load.GetMode(), BillTo: l.billTo(first, load.GetLegalEntity(), t.GetMethodOfPayment(), orders[first.GetName()]),
		Weight: weight.Trim().String(), WeightUnit: unit, Cartons: int(t.GetCartons()),
	}
	if out.RespondBy, err = at(t.GetRespondBy(), cmp.Or(t.GetRespondBy().GetZone(), "UTC")); err != nil {
		return out, &app.UnfitError{Detail: "respond by: " + err.Error()}
	}
	for _, s := range t.GetStops() {
		var there []*freightv1.Shipment
		for _, name := range s.GetShipments() {
			if shipment := aboard[name]; shipment != nil {
				there = append(there, shipment)
			}
		}
		stop, err := l.stop(s, there, orders)
		if err != nil {
			return out, err
		}
		out.Stops = append(out.Stops, stop)
	}
	return out, l.complete()
}

// stop is a place with what is loaded or unloaded there.
func (l *look) stop(s *freightv1.Stop, there []*freightv1.Shipment, orders map[string]mapping.PurchaseOrder) (mapping.TenderStop, error) {
	out := bareStop(s)
	unfit := func(what string, err error) (mapping.TenderStop, error) {
		return out, &app.UnfitError{Detail: what + ": " + err.Error()}
	}
	var weights, volumes []*typev1.Quantity
	for _, shipment := range there {
		weights, volumes = append(weights, shipment.GetGrossWeight()), append(volumes, shipment.GetVolume())
		out.Cartons += int(shipment.GetCartons())
	}
	weight, unit, err := sum(weights...)
	if err != nil {
		return unfit("weight", err)
	}
	volume, volumeUnit, err := sum(volumes...)
	if err != nil {
		return unfit("volume", err)
	}
	out.Weight, out.WeightUnit, out.Volume, out.VolumeUnit = weight.Trim().String(), unit, volume.Trim().String(), volumeUnit
	if out.From, err = at(s.GetWindowFrom(), s.GetZone()); err != nil {
		return unfit("window", err)
	}
	if out.To, err = at(s.GetWindowTo(), s.GetZone()); err != nil {
		return unfit("window", err)
	}
	po := mapping.PurchaseOrder{}
	if out.Delivery {
		for _, shipment := range there {
			out.OrderNumbers = append(out.OrderNumbers, shipment.GetCustomerOrderNumber())
			po = orders[shipment.GetName()]
		}
	} else if out.Goods, err = goodsOf(there); err != nil {
		return unfit("goods", err)
	}
	out.Site = l.site(s.GetLocation(), po)
	return out, nil
}

func bareStop(s *freightv1.Stop) mapping.TenderStop {
	return mapping.TenderStop{Sequence: int(s.GetSequence()), Delivery: s.GetRole() == freightv1.Stop_DELIVERY}
}

// cancellation takes an offer back.
func cancellation(t *freightv1.Tender) mapping.LoadTender {
	out := mapping.LoadTender{Purpose: mapping.PurposeCancellation, SCAC: t.GetScac(), ShipmentID: t.GetLoadNumber(), Payment: t.GetMethodOfPayment()}
	for _, s := range t.GetStops() {
		out.Stops = append(out.Stops, bareStop(s))
	}
	return out
}

// at is an instant on the clock of a zone.
func at(t *typev1.EventTime, zone string) (time.Time, error) {
	loc, err := calendar.LoadZone(zone)
	if err != nil {
		return time.Time{}, err
	}
	return t.GetTime().AsTime().In(loc), nil
}
