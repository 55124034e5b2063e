package process

import "time"

// Reason is why a person has to look at something; a stable word.
type Reason string

// The reasons that processes and messages of this version know.
const (
	TendersExhausted         Reason = "TENDERS_EXHAUSTED"
	DeliveryException        Reason = "DELIVERY_EXCEPTION"
	FreightBillOverTolerance Reason = "FREIGHT_BILL_OVER_TOLERANCE"
	FreightBillRejected      Reason = "FREIGHT_BILL_REJECTED"
	FreightBillUnmatched     Reason = "FREIGHT_BILL_UNMATCHED"
	CommandRefused           Reason = "COMMAND_REFUSED"
	CancellationRefused      Reason = "CANCELLATION_REFUSED"
	ItemUnknown              Reason = "ITEM_UNKNOWN"
	AddressMissing           Reason = "ADDRESS_MISSING"
	MasterDataMissing        Reason = "MASTER_DATA_MISSING"
	MessageRejected          Reason = "MESSAGE_REJECTED"
	MessageParked            Reason = "MESSAGE_PARKED"
	FeedSilent               Reason = "FEED_SILENT"
	AckOverdue               Reason = "ACK_OVERDUE"
	PlanningOverdue          Reason = "PLANNING_OVERDUE"
	TenderingOverdue         Reason = "TENDERING_OVERDUE"
	TaskInDoubt              Reason = "TASK_IN_DOUBT"
	TaskFailed               Reason = "TASK_FAILED"
	FactParked               Reason = "FACT_PARKED"
)

// The teams that work items are routed to.
const (
	Operations  = "operations"
	Finance     = "finance"
	MasterData  = "masterdata"
	Integration = "integration"
)

// Item is a work item to open. One of the same reason and subject is open at a time.
type Item struct {
	Reason  Reason
	Owner   string
	Subject string
	Related []string
	Detail  string
}

// Closing names work items that are no longer needed; an empty reason means every reason.
type Closing struct {
	Reason  Reason
	Subject string
}

// ItemState is whether a work item is done.
type ItemState int

// The states of a work item.
const (
	Open ItemState = iota + 1
	Closed
)

// WorkItem is something that a person has to look at.
type WorkItem struct {
	ID string
	Item
	State      ItemState
	CreateTime time.Time // business time, UTC
	// DueTime is until when its owner is to have dealt with it (business time, UTC); zero when it has no clock.
	DueTime time.Time
	// OverdueTime is when it was found that the due time had passed (business time, UTC); zero before.
	OverdueTime time.Time
	CloseTime   time.Time // business time, UTC; zero before
	ClosedBy    string    // the principal; "service/workflow" when the cause went away
	Note        string    // what was done, in the words of whoever closed it
}

// Begin is a new open work item, with its clock.
func Begin(id string, it Item, limits Limits, at time.Time) WorkItem {
	return WorkItem{ID: id, Item: it, State: Open, CreateTime: at, DueTime: limits.Due(it, at)}
}

// Name is the work item's resource name.
func (w WorkItem) Name() string { return "workItems/" + w.ID }

// Close marks the item as done. Closing a closed one changes nothing.
func (w WorkItem) Close(by, note string, at time.Time) (after WorkItem, changed bool) {
	if w.State == Closed {
		return w, false
	}
	w.State, w.CloseTime, w.ClosedBy, w.Note = Closed, at, by, note
	return w, true
}

// Follow takes over owner and words of the newest telling of an open item's cause. A new owner has a clock of its own from then on;
// other words alone leave the clock. A closed one does not change.
func (w WorkItem) Follow(it Item, limits Limits, at time.Time) (after WorkItem, changed bool) {
	if w.State == Closed || w.Owner == it.Owner && w.Detail == it.Detail {
		return w, false
	}
	if w.Owner != it.Owner {
		w.DueTime, w.OverdueTime = limits.Due(it, at), time.Time{}
	}
	w.Item = it
	return w, true
}

// Overrun marks an open item whose due time has passed as overdue, once. Its owner stays.
func (w WorkItem) Overrun(at time.Time) (after WorkItem, changed bool) {
	if w.State == Closed || w.DueTime.IsZero() || at.Before(w.DueTime) || !w.OverdueTime.IsZero() {
		return w, false
	}
	w.OverdueTime = at
	return w, true
}

// Ticks says whether the item's due time is still to be waited for.
func (w WorkItem) Ticks() bool {
	return w.State == Open && !w.DueTime.IsZero() && w.OverdueTime.IsZero()
}
