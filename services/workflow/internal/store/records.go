package store

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	storagev1 "crossdock.dev/gen/crossdock/workflow/storage/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/services/workflow/internal/process"
)

func processOf(r *storagev1.Process) process.Process {
	return process.Process{
		ID: r.GetId(), Definition: r.GetDefinition(), OrderRelease: r.GetOrderRelease(), Order: r.GetOrder(),
		CustomerOrderNumber: r.GetCustomerOrderNumber(), Shipment: r.GetShipment(), Load: r.GetLoad(),
		State: process.State(r.GetState()), WaitsFor: r.GetWaitsFor(), WaitsUntil: timeOf(r.GetWaitsUntil()),
		Delivery: r.GetDelivery(), Proof: r.GetProof(), Authorization: r.GetAuthorization(), Invoice: r.GetInvoice(),
		FreightBill: r.GetFreightBill(), NoBill: r.GetNoBill(),
		Refused: process.Command{Step: process.Step(r.GetRefusedStep()), Subject: r.GetRefusedSubject()}, CancelReason: r.GetCancelReason(),
		Booked: r.GetBooked(), Left: r.GetLeft(), Offered: r.GetOffered(),
		CreateTime: timeOf(r.GetCreateTime()), EndTime: timeOf(r.GetEndTime()),
	}
}

func recordOf(p process.Process) *storagev1.Process {
	return &storagev1.Process{
		Id: p.ID, Definition: p.Definition, OrderRelease: p.OrderRelease, Order: p.Order,
		CustomerOrderNumber: p.CustomerOrderNumber, Shipment: p.Shipment, Load: p.Load,
		State: int32(p.State), WaitsFor: p.WaitsFor, WaitsUntil: stamp(p.WaitsUntil),
		Delivery: p.Delivery, Proof: p.Proof, Authorization: p.Authorization, Invoice: p.Invoice,
		FreightBill: p.FreightBill, NoBill: p.NoBill,
		RefusedStep: string(p.Refused.Step), RefusedSubject: p.Refused.Subject, CancelReason: p.CancelReason,
		Booked: p.Booked, Left: p.Left, Offered: p.Offered,
		CreateTime: stamp(p.CreateTime), EndTime: stamp(p.EndTime),
	}
}

// Message is a process as the contract shows it.
func Message(p process.Process, history []Step) *workflowv1.Process {
	m := &workflowv1.Process{
		Name: p.Name(), Definition: p.Definition, OrderRelease: p.OrderRelease, Order: p.Order,
		CustomerOrderNumber: p.CustomerOrderNumber, Shipment: p.Shipment, Load: p.Load,
		State: workflowv1.Process_State(p.State), WaitsFor: p.WaitsFor, WaitsUntil: stamp(p.WaitsUntil),
		CreateTime: stamp(p.CreateTime), EndTime: stamp(p.EndTime),
	}
	for _, s := range history {
		m.Steps = append(m.Steps, &workflowv1.Process_Step{Action: s.Action, Time: stamp(s.Time), Result: s.Result})
	}
	return m
}

func itemOf(r *storagev1.WorkItem) process.WorkItem {
	return process.WorkItem{
		ID: r.GetId(),
		Item: process.Item{
			Reason: process.Reason(r.GetReason()), Owner: r.GetOwner(), Subject: r.GetSubject(),
			Related: r.GetRelated(), Detail: r.GetDetail(),
		},
		State: process.ItemState(r.GetState()), CreateTime: timeOf(r.GetCreateTime()), CloseTime: timeOf(r.GetCloseTime()),
		ClosedBy: r.GetClosedBy(), Note: r.GetNote(), DueTime: timeOf(r.GetDueTime()), OverdueTime: timeOf(r.GetOverdueTime()),
	}
}

func itemRecord(w process.WorkItem) *storagev1.WorkItem {
	return &storagev1.WorkItem{
		Id: w.ID, Reason: string(w.Reason), Owner: w.Owner, Subject: w.Subject, Related: w.Related, Detail: w.Detail,
		State: int32(w.State), CreateTime: stamp(w.CreateTime), CloseTime: stamp(w.CloseTime), ClosedBy: w.ClosedBy, Note: w.Note,
		DueTime: stamp(w.DueTime), OverdueTime: stamp(w.OverdueTime),
	}
}

// ItemMessage is a work item as the contract shows it.
func ItemMessage(w process.WorkItem, etag string) *workflowv1.WorkItem {
	return &workflowv1.WorkItem{
		Name: w.Name(), Reason: string(w.Reason), Owner: w.Owner, Subject: w.Subject, Related: w.Related, Detail: w.Detail,
		State: workflowv1.WorkItem_State(w.State), CreateTime: stamp(w.CreateTime), CloseTime: stamp(w.CloseTime),
		ClosedBy: w.ClosedBy, Etag: etag, DueTime: stamp(w.DueTime), OverdueTime: stamp(w.OverdueTime),
	}
}

func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
