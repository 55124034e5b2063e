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
	CloseTime  time.Time // business time, UTC; zero before
	ClosedBy   string    // the principal; "service/workflow" when the cause went away
	Note       string    // what was done, in the words of whoever closed it
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
