package app

import (
	"context"
	"errors"
	"strings"
	"time"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/quantity"

	"crossdock.dev/services/freight/internal/eventtime"
	"crossdock.dev/services/freight/internal/fact"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/network"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/shipment"
	"crossdock.dev/services/freight/internal/store"
)

// PlanLine is a released quantity.
type PlanLine struct {
	Line        string
	Item        string
	Description string
	Quantity    quantity.Quantity
	Pack        int32 // base units per carton; 0 means the item's own
}

// PlanInput is an order release to plan.
type PlanInput struct {
	Cause               Cause
	OrderRelease, Order string
	CustomerOrderNumber string
	Customer            string
	LegalEntity         string
	ShipFrom, ShipTo    string
	Mode                string
	ShipDate            calendar.Date // local to the ship-from
	PickupFrom          eventtime.Time
	PickupTo            eventtime.Time
	DeliverFrom         eventtime.Time
	DeliverBy           eventtime.Time
	Consolidate         bool // it may share a truckload
	EtaWatch            bool // silence of the carrier is watched
	Lines               []PlanLine
}

// PlanShipment makes a shipment of an order release and puts it on a load: one of its own, or one that it may share. Planning a
// planned release again returns the shipment.
func (a *App) PlanShipment(ctx context.Context, in PlanInput) (shipment.Shipment, Position, error) {
	return store.Change(ctx, a.store, in.Cause, store.ShipmentAnswer, func(tx *store.Tx) (shipment.Shipment, error) {
		s, err := tx.ShipmentOfRelease(in.OrderRelease)
		if err == nil || !errors.Is(err, refusal.ErrNotFound) {
			return s, err
		}
		m, err := mastersOf(tx, in)
		if err != nil {
			return s, err
		}
		now := a.clock.Now()
		s, err = in.shipment("shipments/"+a.ids.New("shp"), m, now)
		if err != nil {
			return s, err
		}
		l, err := a.place(tx, in, load.Passenger{Shipment: s, Lane: m.lane, To: m.to}, m.from, now)
		if err != nil {
			return s, err
		}
		s.Load = l.Name
		if err := tx.AddShipment(&s); err != nil {
			return s, err
		}
		about := fact.About{Load: l, Shipments: []shipment.Shipment{s}}
		return s, tx.Tell(fact.ShipmentPlanned{About: about, Shipment: s})
	})
}

// masters are the master data that a plan needs.
type masters struct {
	from, to network.Location
	lane     network.Lane
	terms    network.FreightTerms
	items    []network.Item
}

// mastersOf reads them, or names all that is missing.
func mastersOf(tx *store.Tx, in PlanInput) (masters, error) {
	var m masters
	var missing []string
	var failed error
	need := func(what string, err error) {
		switch {
		case err == nil:
		case absent(err):
			missing = append(missing, what)
		case failed == nil:
			failed = err
		}
	}
	var err error
	m.from, err = tx.Location(in.ShipFrom)
	need(in.ShipFrom, err)
	m.to, err = tx.Location(in.ShipTo)
	need(in.ShipTo, err)
	m.lane, err = tx.Lane(in.ShipFrom, in.ShipTo)
	need("lane "+in.ShipFrom+" to "+in.ShipTo, err)
	m.terms, err = tx.Terms(in.Customer, in.ShipDate)
	need("contract of "+in.Customer, err)
	for _, l := range in.Lines {
		it, err := tx.Item(l.Item)
		need(l.Item, err)
		if err == nil && in.Mode == "LTL" && it.FreightClass == "" {
			missing = append(missing, l.Item+" freight_class")
		}
		m.items = append(m.items, it)
	}
	if failed == nil && len(missing) > 0 {
		failed = refusal.Precondition(refusal.MasterDataMissing, "missing", strings.Join(missing, ", "))
	}
	return m, failed
}

func (in PlanInput) shipment(name string, m masters, now time.Time) (shipment.Shipment, error) {
	s := shipment.Shipment{
		Name: name, OrderRelease: in.OrderRelease, Order: in.Order, CustomerOrderNumber: in.CustomerOrderNumber,
		Customer: in.Customer, LegalEntity: in.LegalEntity, ShipFrom: in.ShipFrom, ShipTo: in.ShipTo, Mode: in.Mode, Terms: m.terms,
		State: shipment.Planned, PickupFrom: in.PickupFrom, PickupTo: in.PickupTo, DeliverFrom: in.DeliverFrom, DeliverBy: in.DeliverBy,
		CreateTime: now, EtaWatch: in.EtaWatch,
	}
	var bad refusal.FieldErrors
	if in.PickupTo.Instant.Before(in.PickupFrom.Instant) {
		bad.Add("pickup_to", "comes before pickup_from")
	}
	if in.DeliverBy.Instant.Before(in.DeliverFrom.Instant) {
		bad.Add("deliver_by", "comes before deliver_from")
	}
	var goods []shipment.Goods
	for i, l := range in.Lines {
		goods = append(goods, shipment.Goods{Line: l.Line, Description: l.Description, Quantity: l.Quantity, Pack: l.Pack, Item: m.items[i]})
	}
	filled, err := s.Fill(goods, m.from)
	if more, ok := errors.AsType[*refusal.FieldErrors](err); ok {
		bad.Fields = append(bad.Fields, more.Fields...)
	} else if err != nil {
		return s, err
	}
	if err := bad.Err(); err != nil {
		return s, err
	}
	return filled, nil
}
