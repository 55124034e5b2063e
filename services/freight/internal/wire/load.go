package wire

import (
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"

	"crossdock.dev/services/freight/internal/cost"
	"crossdock.dev/services/freight/internal/load"
	"crossdock.dev/services/freight/internal/tender"
)

var loadStates = pairs[load.State, freightv1.Load_State]{
	{load.Planned, freightv1.Load_PLANNED},
	{load.Tendered, freightv1.Load_TENDERED},
	{load.Booked, freightv1.Load_BOOKED},
	{load.InTransit, freightv1.Load_IN_TRANSIT},
	{load.Completed, freightv1.Load_COMPLETED},
	{load.Exhausted, freightv1.Load_EXHAUSTED},
	{load.Cancelled, freightv1.Load_CANCELLED},
}

var roles = pairs[load.Role, freightv1.Stop_Role]{
	{load.Pickup, freightv1.Stop_PICKUP},
	{load.Delivery, freightv1.Stop_DELIVERY},
}

// Load writes a load.
func Load(l load.Load) *freightv1.Load {
	out := &freightv1.Load{
		Name: l.Name, Number: l.Number, LegalEntity: l.LegalEntity, Mode: l.Mode, Equipment: l.Equipment, Lane: l.Lane,
		Shipments: l.Shipments, Stops: stops(l.Stops), State: loadStates.to(l.State), Carrier: l.Carrier,
		CarrierReference: l.CarrierReference, Tender: l.Tender, Charges: rated(l.Charges), ShipDate: Date(l.ShipDate),
		GrossWeight: Quantity(l.GrossWeight), Cartons: l.Cartons, Volume: Quantity(l.Volume), CreateTime: Timestamp(l.CreateTime),
		JoinUntil: Timestamp(l.JoinUntil), Etag: etag(l.Revision),
	}
	for _, s := range l.Skipped {
		out.Skipped = append(out.Skipped, &freightv1.SkippedCarrier{
			Carrier: s.Carrier, Rank: s.Rank, Reason: s.Reason, SkipTime: Timestamp(s.At),
		})
	}
	return out
}

// ToLoad reads a load; its offer task is not among what the message holds.
func ToLoad(m *freightv1.Load) (load.Load, error) {
	var r reader
	out := load.Load{
		Name: m.GetName(), Number: m.GetNumber(), LegalEntity: m.GetLegalEntity(), Mode: m.GetMode(), Equipment: m.GetEquipment(),
		Lane: m.GetLane(), Shipments: m.GetShipments(), Stops: toStops(m.GetStops()), State: loadStates.from(m.GetState()),
		Carrier: m.GetCarrier(), CarrierReference: m.GetCarrierReference(), Tender: m.GetTender(), Charges: r.rated(m.GetCharges()),
		ShipDate: r.date(m.GetShipDate()), GrossWeight: r.quantity(m.GetGrossWeight()), Cartons: m.GetCartons(),
		Volume: r.quantity(m.GetVolume()), CreateTime: Instant(m.GetCreateTime()), JoinUntil: Instant(m.GetJoinUntil()),
		Revision: revision(m.GetEtag()),
	}
	for _, s := range m.GetSkipped() {
		out.Skipped = append(out.Skipped, load.Skipped{
			Carrier: s.GetCarrier(), Rank: s.GetRank(), Reason: s.GetReason(), At: Instant(s.GetSkipTime()),
		})
	}
	return read(&r, m.GetName(), out)
}

func stops(in []load.Stop) []*freightv1.Stop {
	var out []*freightv1.Stop
	for _, s := range in {
		out = append(out, &freightv1.Stop{
			Sequence: int32(s.Sequence), Role: roles.to(s.Role), Location: s.Location, Zone: s.Zone,
			WindowFrom: EventTime(s.WindowFrom), WindowTo: EventTime(s.WindowTo), Shipments: s.Shipments,
			Arrived: EventTime(s.Arrived), Departed: EventTime(s.Departed),
		})
	}
	return out
}

func toStops(in []*freightv1.Stop) []load.Stop {
	var out []load.Stop
	for _, s := range in {
		out = append(out, load.Stop{
			Sequence: int(s.GetSequence()), Role: roles.from(s.GetRole()), Location: s.GetLocation(), Zone: s.GetZone(),
			WindowFrom: ToEventTime(s.GetWindowFrom()), WindowTo: ToEventTime(s.GetWindowTo()), Shipments: s.GetShipments(),
			Arrived: ToEventTime(s.GetArrived()), Departed: ToEventTime(s.GetDeparted()),
		})
	}
	return out
}

func rated(c *cost.Rated) *freightv1.RatedCharges {
	if c == nil {
		return nil
	}
	out := &freightv1.RatedCharges{
		Carrier: c.Carrier, Contract: c.Contract, Total: Money(c.Total), GrossLineHaul: Money(c.Gross), Discount: Money(c.Discount),
		Explanation: explanation(c.Explain),
	}
	out.Charges = charges(c.Charges)
	for _, a := range c.Allocations {
		out.Allocations = append(out.Allocations, &freightv1.Allocation{Shipment: a.Shipment, Charges: charges(a.Charges), Total: Money(a.Total)})
	}
	return out
}

func charges(in []cost.Charge) []*typev1.Charge {
	var out []*typev1.Charge
	for _, c := range in {
		out = append(out, charge(c))
	}
	return out
}

func charge(c cost.Charge) *typev1.Charge {
	return &typev1.Charge{Code: c.Code, Description: c.Description, Amount: Money(c.Amount)}
}

func (r *reader) charges(in []*typev1.Charge) []cost.Charge {
	var out []cost.Charge
	for _, c := range in {
		out = append(out, cost.Charge{Code: c.GetCode(), Description: c.GetDescription(), Amount: r.money(c.GetAmount())})
	}
	return out
}

func (r *reader) rated(m *freightv1.RatedCharges) *cost.Rated {
	if m == nil {
		return nil
	}
	out := &cost.Rated{
		Carrier: m.GetCarrier(), Contract: m.GetContract(), Total: r.money(m.GetTotal()), Gross: r.money(m.GetGrossLineHaul()),
		Discount: r.money(m.GetDiscount()), Explain: toNode(m.GetExplanation()),
	}
	out.Charges = r.charges(m.GetCharges())
	for _, a := range m.GetAllocations() {
		out.Allocations = append(out.Allocations, cost.Allocation{Shipment: a.GetShipment(), Charges: r.charges(a.GetCharges()), Total: r.money(a.GetTotal())})
	}
	return out
}

var tenderStates = pairs[tender.State, freightv1.Tender_State]{
	{tender.Sent, freightv1.Tender_SENT},
	{tender.Accepted, freightv1.Tender_ACCEPTED},
	{tender.Declined, freightv1.Tender_DECLINED},
	{tender.Expired, freightv1.Tender_EXPIRED},
	{tender.Withdrawn, freightv1.Tender_WITHDRAWN},
}

// TenderState reads a state; empty for STATE_UNSPECIFIED.
func TenderState(s freightv1.Tender_State) tender.State { return tenderStates.from(s) }

var declineReasons = pairs[tender.DeclineReason, freightv1.DeclineReason]{
	{"", freightv1.DeclineReason_DECLINE_REASON_UNSPECIFIED},
	{tender.NoEquipment, freightv1.DeclineReason_NO_EQUIPMENT_AT_TIME},
	{tender.Capacity, freightv1.DeclineReason_CAPACITY},
	{tender.Price, freightv1.DeclineReason_PRICE},
	{tender.LaneNotServed, freightv1.DeclineReason_LANE_NOT_SERVED},
	{tender.Other, freightv1.DeclineReason_OTHER},
}

// ToDeclineReason reads a reason.
func ToDeclineReason(r freightv1.DeclineReason) tender.DeclineReason { return declineReasons.from(r) }

// Tender writes an offer.
func Tender(t tender.Tender) *freightv1.Tender {
	return &freightv1.Tender{
		Name: t.Name, Load: t.Load, LoadNumber: t.LoadNumber, Carrier: t.Carrier, Scac: t.SCAC, Rank: t.Rank,
		State: tenderStates.to(t.State), SendTime: Timestamp(t.SendTime), RespondBy: EventTime(t.RespondBy), Charges: rated(t.Charges),
		Stops: stops(t.Stops), GrossWeight: Quantity(t.GrossWeight), Cartons: t.Cartons,
		DeclineReason: declineReasons.to(t.DeclineReason), Note: t.Note, AnswerTime: Timestamp(t.AnswerTime),
		MethodOfPayment: t.MethodOfPayment, CustomerOrderNumbers: t.CustomerOrderNumbers, Etag: etag(t.Revision),
	}
}

// ToTender reads an offer; its expiry task is not among what the message holds.
func ToTender(m *freightv1.Tender) (tender.Tender, error) {
	var r reader
	out := tender.Tender{
		Name: m.GetName(), Load: m.GetLoad(), LoadNumber: m.GetLoadNumber(), Carrier: m.GetCarrier(), SCAC: m.GetScac(), Rank: m.GetRank(),
		State: tenderStates.from(m.GetState()), SendTime: Instant(m.GetSendTime()), RespondBy: ToEventTime(m.GetRespondBy()),
		Charges: r.rated(m.GetCharges()), Stops: toStops(m.GetStops()), GrossWeight: r.quantity(m.GetGrossWeight()), Cartons: m.GetCartons(),
		DeclineReason: declineReasons.from(m.GetDeclineReason()), Note: m.GetNote(), AnswerTime: Instant(m.GetAnswerTime()),
		MethodOfPayment: m.GetMethodOfPayment(), CustomerOrderNumbers: m.GetCustomerOrderNumbers(), Revision: revision(m.GetEtag()),
	}
	return read(&r, m.GetName(), out)
}
