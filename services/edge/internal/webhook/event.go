package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// The types of event. The first are a customer's, the others a carrier's.
const (
	OrderPromiseChanged = "order.promise_changed"
	OrderShipped        = "order.shipped"
	OrderDelivered      = "order.delivered"
	OrderCancelled      = "order.cancelled"
	InvoiceIssued       = "invoice.issued"
	TenderSent          = "tender.sent"
	TenderWithdrawn     = "tender.withdrawn"
	BillApproved        = "freight_bill.approved"
	BillExcepted        = "freight_bill.excepted"
	BillRejected        = "freight_bill.rejected"
)

var events = []string{
	OrderPromiseChanged, OrderShipped, OrderDelivered, OrderCancelled, InvoiceIssued,
	TenderSent, TenderWithdrawn, BillApproved, BillExcepted, BillRejected,
}

// Event is something that one party is told.
type Event struct {
	// Type is one of the types of event.
	Type string
	// Party is the only one that is told.
	Party string
	// Resource is what the event is about, as the party reads it: "orders/ord_..." is read at /v1/orders/ord_....
	Resource string
	// OccurTime is when it happened in the world, UTC.
	OccurTime time.Time
	// Data are ids and little else: what more the party wants to know, it reads.
	Data Data
}

// Data is what an event says beside its type and time; the fields stand in JSON under "data". Times are as they are at their place,
// with the offset that holds there.
type Data struct {
	Path                string   `json:"path"` // where the resource is read with the party's API key
	Order               string   `json:"order,omitempty"`
	CustomerOrderNumber string   `json:"customerOrderNumber,omitempty"`
	Shipment            string   `json:"shipment,omitempty"`
	Load                string   `json:"load,omitempty"`
	LoadNumber          string   `json:"loadNumber,omitempty"`
	Tender              string   `json:"tender,omitempty"`
	Invoice             string   `json:"invoice,omitempty"`
	InvoiceNumber       string   `json:"invoiceNumber,omitempty"`
	FreightBill         string   `json:"freightBill,omitempty"`
	State               string   `json:"state,omitempty"`
	Promise             *Promise `json:"promise,omitempty"`
}

// Promise is what a customer may count on.
type Promise struct {
	DeliverBy  string   `json:"deliverBy,omitempty"`  // RFC 3339
	Estimate   string   `json:"estimate,omitempty"`   // RFC 3339; absent when it equals the promise
	Confidence string   `json:"confidence,omitempty"` // HIGH, MEDIUM, LOW or NONE; absent when nobody watches
	Reasons    []string `json:"reasons,omitempty"`    // why it is not high
}

// Differs reports whether a partner that was told was wants to know: of another time, or of another trust in it. That nobody watches
// any more, as at the delivery, is no news.
func (p Promise) Differs(was Promise) bool {
	return p.DeliverBy != was.DeliverBy || p.Estimate != was.Estimate ||
		p.Confidence != "" && (p.Confidence != was.Confidence || !slices.Equal(p.Reasons, was.Reasons))
}

// Body is the event as it is sent.
func (e Event) Body() ([]byte, error) {
	e.Data.Path = "/v1/" + e.Resource
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		Type      string `json:"type"`
		Timestamp string `json:"timestamp"`
		Data      Data   `json:"data"`
	}{e.Type, e.OccurTime.UTC().Format(time.RFC3339Nano), e.Data})
	if err != nil {
		return nil, fmt.Errorf("body of %s: %w", e.Type, err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}
