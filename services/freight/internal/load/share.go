package load

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"crossdock.dev/kernel/quantity"

	"crossdock.dev/services/freight/internal/eventtime"
	"crossdock.dev/services/freight/internal/network"
	"crossdock.dev/services/freight/internal/shipment"
)

// JoinWindow is how long a load that may be shared waits for other shipments before it is offered, in business time.
const JoinWindow = 5 * time.Minute

// ErrApart says that shipments cannot share a load: they do not ship together, or their windows do not meet.
var ErrApart = errors.New("the shipments cannot share a load")

// Capacity is what an equipment holds at most.
type Capacity struct{ Weight, Volume quantity.Quantity }

// capacities are those of the equipment that truckloads are planned with: a 53 ft dry van and a 13.6 m trailer.
var capacities = map[string]Capacity{
	"TL53":   {quantity.MustParse("44000", quantity.Pound), quantity.MustParse("3800", quantity.CubicFoot)},
	"EU13M6": {quantity.MustParse("24000", quantity.Kilogram), quantity.MustParse("90", quantity.CubicMetre)},
}

// CapacityOf is what an equipment holds; ok is false where that is not known, so that nothing is shared.
func CapacityOf(equipment string) (Capacity, bool) {
	c, ok := capacities[equipment]
	return c, ok
}

// Holds reports whether what the load carries is within a capacity of the same units.
func (c Capacity) Holds(l Load) bool {
	weight, err := l.GrossWeight.Cmp(c.Weight)
	if err != nil || weight > 0 {
		return false
	}
	volume, err := l.Volume.Cmp(c.Volume)
	return err == nil && volume <= 0
}

// Passenger is a shipment with the lane and the site that it goes to.
type Passenger struct {
	Shipment shipment.Shipment
	Lane     network.Lane // from the load's ship-from
	To       network.Location
}

// Joinable reports whether other shipments may join the load.
func (l Load) Joinable(now time.Time) bool { return l.State == Planned && now.Before(l.JoinUntil) }

// Waits reports whether the load is offered by itself, when no other shipment may join it any more.
func (l Load) Waits() bool { return l.State == Planned && !l.JoinUntil.IsZero() }

// Arrange sets what the load carries: one pick-up of all, then the deliveries in order of distance from there. Deliveries at
// one site are one stop, whose window is what their windows have in common. The lane is that of the last stop. ErrApart when
// they cannot share a load.
func (l Load) Arrange(from network.Location, aboard ...Passenger) (Load, error) {
	if len(aboard) == 0 {
		return l, ErrApart
	}
	order := slices.Clone(aboard)
	var unit error
	slices.SortStableFunc(order, func(a, b Passenger) int {
		n, err := a.Lane.Distance.Cmp(b.Lane.Distance)
		unit = cmp.Or(unit, err)
		return cmp.Or(n, cmp.Compare(a.To.Name, b.To.Name))
	})
	if unit != nil {
		return l, ErrApart
	}
	first := aboard[0].Shipment
	l.Lane, l.Shipments = order[len(order)-1].Lane.Name, nil
	l.GrossWeight, l.Volume, l.Cartons = quantity.Quantity{}, quantity.Quantity{}, 0
	l.Stops = []Stop{{
		Sequence: 1, Role: Pickup, Location: from.Name, Zone: from.Zone, WindowFrom: first.PickupFrom, WindowTo: first.PickupTo,
	}}
	for i, p := range aboard {
		s := p.Shipment
		if s.LegalEntity != l.LegalEntity || s.ShipFrom != from.Name || s.Mode != l.Mode {
			return l, ErrApart
		}
		l.Shipments = append(l.Shipments, s.Name)
		if !l.Stops[0].meet(s.PickupFrom, s.PickupTo) {
			return l, ErrApart
		}
		l.Cartons += s.Cartons
		if i == 0 {
			l.GrossWeight, l.Volume = s.GrossWeight, s.Volume
			continue
		}
		weight, err := l.GrossWeight.Add(s.GrossWeight)
		volume, other := l.Volume.Add(s.Volume)
		if err != nil || other != nil {
			return l, ErrApart
		}
		l.GrossWeight, l.Volume = weight, volume
	}
	l.Stops[0].Shipments = l.Shipments
	for _, p := range order {
		s := p.Shipment
		last := &l.Stops[len(l.Stops)-1]
		if last.Role == Delivery && last.Location == p.To.Name {
			if !last.meet(s.DeliverFrom, s.DeliverBy) {
				return l, ErrApart
			}
			last.Shipments = append(last.Shipments, s.Name)
			continue
		}
		l.Stops = append(l.Stops, Stop{
			Sequence: len(l.Stops) + 1, Role: Delivery, Location: p.To.Name, Zone: p.To.Zone, WindowFrom: s.DeliverFrom, WindowTo: s.DeliverBy,
			Shipments: []string{s.Name},
		})
	}
	return l, nil
}

// meet narrows the stop's window to what it has in common with another; false when that is nothing.
func (s *Stop) meet(from, to eventtime.Time) bool {
	if from.Instant.After(s.WindowFrom.Instant) {
		s.WindowFrom = from
	}
	if to.Instant.Before(s.WindowTo.Instant) {
		s.WindowTo = to
	}
	return !s.WindowTo.Instant.Before(s.WindowFrom.Instant)
}
