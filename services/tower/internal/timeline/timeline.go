// Package timeline lays out what happened to a case beside what was planned for it. It knows which facts are milestones and in which
// order they are expected; it draws nothing.
package timeline

import (
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	storagev1 "crossdock.dev/gen/crossdock/tower/storage/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
)

// milestones are the facts that a timeline shows, in the order in which they are expected. Those that are exceptional have no row
// until they happen.
var milestones = []struct {
	fact, label string
	exceptional bool
}{
	{fact: "OrderCreated", label: "Ordered"},
	{fact: "OrderReleased", label: "Released"},
	{fact: "LoadTendered", label: "Offered to a carrier"},
	{fact: "TenderDeclined", label: "Offer declined", exceptional: true},
	{fact: "TenderExpired", label: "Offer not answered", exceptional: true},
	{fact: "TenderWithdrawn", label: "Offer taken back", exceptional: true},
	{fact: "LoadBooked", label: "Booked"},
	{fact: "ShipmentArrivedPickup", label: "Carrier at the ship-from"},
	{fact: "ShipmentDeparted", label: "Left the ship-from"},
	{fact: "ExceptionRaised", label: "Needs a look", exceptional: true},
	{fact: "ExceptionCleared", label: "Right again", exceptional: true},
	{fact: "ShipmentDelivered", label: "Delivered"},
	{fact: "AccessorialProven", label: "Extra charge proven", exceptional: true},
	{fact: "ProofOfDeliveryReceived", label: "Proof of delivery"},
	{fact: "InvoiceIssued", label: "Invoiced"},
	{fact: "FreightBillExcepted", label: "Carrier's bill in question", exceptional: true},
	{fact: "FreightBillApproved", label: "Carrier's bill approved"},
	{fact: "OrderCancellationRequested", label: "Cancellation wanted", exceptional: true},
	{fact: "LoadCancelled", label: "Load called off", exceptional: true},
	{fact: "OrderCancelled", label: "Cancelled", exceptional: true},
}

// Types are the types of facts that are milestones.
func Types() []string {
	out := make([]string, len(milestones))
	for i, m := range milestones {
		out[i] = m.fact
	}
	return out
}

// Rows sets what happened beside the plans, as of now (business time).
func Rows(events []*storagev1.Progress_Event, plans map[string]*typev1.EventTime, now time.Time) []*towerv1.CaseProgress_Milestone {
	happened := map[string][]*timestamppb.Timestamp{}
	for _, e := range events {
		happened[e.GetType()] = append(happened[e.GetType()], e.GetTime())
	}
	var rows []*towerv1.CaseProgress_Milestone
	for _, m := range milestones {
		times := happened[m.fact]
		if m.exceptional && len(times) == 0 {
			continue
		}
		slices.SortFunc(times, func(a, b *timestamppb.Timestamp) int { return a.AsTime().Compare(b.AsTime()) })
		rows = append(rows, &towerv1.CaseProgress_Milestone{Type: m.fact, Label: m.label, Times: times, PlanTime: plans[m.fact].GetTime()})
	}
	later := false
	for _, row := range slices.Backward(rows) {
		row.Untold = len(row.GetTimes()) == 0 && later
		later = later || len(row.GetTimes()) > 0
		compare(row, now)
	}
	return rows
}

// compare sets a row beside its plan.
func compare(row *towerv1.CaseProgress_Milestone, now time.Time) {
	if row.GetPlanTime() == nil || row.GetUntold() {
		return
	}
	end := now
	if n := len(row.GetTimes()); n > 0 {
		end = row.GetTimes()[n-1].AsTime()
	} else if !now.After(row.GetPlanTime().AsTime()) {
		return
	}
	by := end.Sub(row.GetPlanTime().AsTime())
	row.Late, row.Difference = by > 0, durationpb.New(by)
}
