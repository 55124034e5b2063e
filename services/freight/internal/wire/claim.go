package wire

import (
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"

	"crossdock.dev/services/freight/internal/milestone"
	"crossdock.dev/services/freight/internal/pod"
)

var milestones = pairs[milestone.Milestone, freightv1.Milestone]{
	{milestone.Acknowledged, freightv1.Milestone_ACKNOWLEDGED},
	{milestone.ArrivedPickup, freightv1.Milestone_ARRIVED_PICKUP},
	{milestone.Loaded, freightv1.Milestone_LOADED},
	{milestone.DepartedPickup, freightv1.Milestone_DEPARTED_PICKUP},
	{milestone.InTransit, freightv1.Milestone_IN_TRANSIT},
	{milestone.ArrivedTerminal, freightv1.Milestone_ARRIVED_TERMINAL},
	{milestone.DepartedTerminal, freightv1.Milestone_DEPARTED_TERMINAL},
	{milestone.EtaChanged, freightv1.Milestone_ETA_CHANGED},
	{milestone.ArrivedDelivery, freightv1.Milestone_ARRIVED_DELIVERY},
	{milestone.DeliveryAttempted, freightv1.Milestone_DELIVERY_ATTEMPTED},
	{milestone.Delivered, freightv1.Milestone_DELIVERED},
	{milestone.DepartedDelivery, freightv1.Milestone_DEPARTED_DELIVERY},
	{milestone.Delayed, freightv1.Milestone_DELAYED},
	{milestone.NotCompleted, freightv1.Milestone_DELIVERY_NOT_COMPLETED},
	{milestone.Refused, freightv1.Milestone_REFUSED},
	{milestone.Damaged, freightv1.Milestone_DAMAGED},
	{milestone.Returned, freightv1.Milestone_RETURNED},
}

var sources = pairs[milestone.Source, freightv1.Claim_Source]{
	{milestone.PodDocument, freightv1.Claim_POD_DOCUMENT},
	{milestone.Telematics, freightv1.Claim_TELEMATICS},
	{milestone.CarrierAPI, freightv1.Claim_CARRIER_API},
	{milestone.EDI, freightv1.Claim_EDI},
	{milestone.Manual, freightv1.Claim_MANUAL},
}

// ToReport reads what a caller says of a claim; the source is the caller's and not among it.
func ToReport(m *freightv1.Claim) milestone.Report {
	return milestone.Report{
		Milestone: milestones.from(m.GetMilestone()), Stop: int(m.GetStop()), OccurTime: Instant(m.GetOccurTime()),
		LocalTime: m.GetLocalTime(), City: m.GetCity(), State: m.GetState(), Estimate: Instant(m.GetEstimate()),
		CarrierCode: m.GetCarrierCode(), ReasonCode: m.GetReasonCode(), Reference: m.GetSourceReference(),
	}
}

// Claim writes a claim.
func Claim(c milestone.Claim) *freightv1.Claim {
	return &freightv1.Claim{
		Name: c.Name, Milestone: milestones.to(c.Milestone), Stop: int32(c.Stop), OccurTime: Timestamp(c.OccurTime),
		LocalTime: c.LocalTime, City: c.City, State: c.State, Estimate: Timestamp(c.Estimate), CarrierCode: c.CarrierCode,
		ReasonCode: c.ReasonCode, Source: sources.to(c.Source), SourceReference: c.Reference, Occurred: EventTime(c.Occurred),
		ReceiveTime: Timestamp(c.ReceiveTime), Advanced: c.Advanced,
	}
}

// ToClaim reads a claim.
func ToClaim(m *freightv1.Claim) milestone.Claim {
	out := milestone.Claim{
		Name: m.GetName(), Report: ToReport(m), Occurred: ToEventTime(m.GetOccurred()), ReceiveTime: Instant(m.GetReceiveTime()),
		Advanced: m.GetAdvanced(),
	}
	out.Source = sources.from(m.GetSource())
	return out
}

var proofTypes = pairs[pod.Type, freightv1.ProofOfDelivery_Type]{
	{pod.SignedReceipt, freightv1.ProofOfDelivery_SIGNED_RECEIPT},
	{pod.ESignature, freightv1.ProofOfDelivery_E_SIGNATURE},
	{pod.Photo, freightv1.ProofOfDelivery_PHOTO},
}

var proofStates = pairs[pod.State, freightv1.ProofOfDelivery_State]{
	{pod.Received, freightv1.ProofOfDelivery_RECEIVED},
	{pod.Verified, freightv1.ProofOfDelivery_VERIFIED},
	{pod.Superseded, freightv1.ProofOfDelivery_SUPERSEDED},
}

var kinds = pairs[pod.Kind, freightv1.ProofOfDelivery_Exception_Kind]{
	{pod.Short, freightv1.ProofOfDelivery_Exception_SHORT},
	{pod.Damaged, freightv1.ProofOfDelivery_Exception_DAMAGED},
	{pod.Refused, freightv1.ProofOfDelivery_Exception_REFUSED},
	{pod.Over, freightv1.ProofOfDelivery_Exception_OVER},
}

// ToStatement reads what a caller says of a proof. Who signed is not among it.
func ToStatement(m *freightv1.ProofOfDelivery) (pod.Statement, error) {
	var r reader
	out := pod.Statement{
		Load: m.GetLoad(), Order: m.GetOrder(), Type: proofTypes.from(m.GetType()), SignedAt: Instant(m.GetSignedAt()),
		Pieces: m.GetPieces(), DocumentSHA256: m.GetDocumentSha256(),
	}
	for _, e := range m.GetExceptions() {
		out.Exceptions = append(out.Exceptions, r.exception(e))
	}
	return read(&r, "proof of delivery", out)
}

func (r *reader) exception(m *freightv1.ProofOfDelivery_Exception) pod.Exception {
	return pod.Exception{Line: m.GetLine(), Kind: kinds.from(m.GetKind()), Quantity: r.quantity(m.GetQuantity()), Note: m.GetNote()}
}

// Exception writes an exception.
func Exception(e pod.Exception) *freightv1.ProofOfDelivery_Exception {
	return &freightv1.ProofOfDelivery_Exception{Line: e.Line, Kind: kinds.to(e.Kind), Quantity: Quantity(e.Quantity), Note: e.Note}
}

// ToException reads an exception.
func ToException(m *freightv1.ProofOfDelivery_Exception) (pod.Exception, error) {
	var r reader
	out := r.exception(m)
	return read(&r, "exception of line "+m.GetLine(), out)
}

// Proof writes a proof; received_by stays empty.
func Proof(p pod.Proof) *freightv1.ProofOfDelivery {
	out := &freightv1.ProofOfDelivery{
		Name: p.Name, Load: p.Load, Order: p.Order, Type: proofTypes.to(p.Type), SignedAt: Timestamp(p.SignedAt), Pieces: p.Pieces,
		DocumentSha256: p.DocumentSHA256, Shipment: p.Shipment, State: proofStates.to(p.State), ReceiveTime: Timestamp(p.ReceiveTime),
	}
	for _, e := range p.Exceptions {
		out.Exceptions = append(out.Exceptions, Exception(e))
	}
	return out
}

// ToProof reads a proof; its customer and carrier are not among what the message holds.
func ToProof(m *freightv1.ProofOfDelivery) (pod.Proof, error) {
	st, err := ToStatement(m)
	return pod.Proof{
		Name: m.GetName(), Statement: st, Shipment: m.GetShipment(), State: proofStates.from(m.GetState()),
		ReceiveTime: Instant(m.GetReceiveTime()),
	}, err
}

// DeliveredLine writes what became of a line.
func DeliveredLine(l pod.Line) *freightv1.DeliveredLine {
	return &freightv1.DeliveredLine{
		Line: l.Line, Shipped: Quantity(l.Shipped), Accepted: Quantity(l.Accepted), Short: Quantity(l.Short),
		Damaged: Quantity(l.Damaged), Refused: Quantity(l.Refused),
	}
}
