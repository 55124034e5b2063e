package story

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
)

// Start is when the story's business time begins: Monday 06:00 in Columbus, Ohio.
var Start = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)

// PurchaseOrder is the customer's order number in the real 850.
const PurchaseOrder = "08292233294"

// Bluebird is what the LTL carrier of the first scenario has on paper.
var Bluebird = CarrierPage{
	PRO: "CXB0001001",
	Milestones: []CarrierMilestone{
		{"ARRIVED_PICKUP", "X3", 1, "2026-03-03T09:10", "COLUMBUS", "OH"},
		{"DEPARTED_PICKUP", "AF", 1, "2026-03-03T10:05", "COLUMBUS", "OH"},
		{"ARRIVED_DELIVERY", "X1", 2, "2026-03-04T08:40", "SOLON", "OH"},
		{"DELIVERED", "D1", 2, "2026-03-04T09:20", "SOLON", "OH"},
	},
	ReceivedBy: "J. Example",
	SignedAt:   "2026-03-04T09:35:00-05:00",
	Pieces:     314,
	Bill: CarrierBill{
		Number: "CXBB-1001", Date: [3]int{2026, 3, 5}, Currency: "USD",
		Charges: []CarrierCharge{
			{"LHS", "LTL line-haul 3156 lb", "830.54"},
			{"DSC", "Discount 60 percent", "-498.32"},
			{"FUE", "Fuel 28 percent", "93.02"},
		},
		Total: "425.24",
	},
}

// Names are the resources that an order led to.
type Names struct {
	Order, Release, Shipment, Load, LoadNumber, Tender, Invoice, FreightBillState, Process string
}

// Act is one moment of the story.
type Act struct {
	At   time.Time // business time, UTC
	What string
	Do   func(ctx context.Context) error
}

// HappyPath is the story of the real purchase order: a file becomes an order, a load, milestones, a proof of delivery, an
// invoice and an approved freight bill. names is filled as it goes. Every act may be played again: keys and documents are
// the same, so nothing happens twice.
func HappyPath(w World, file []byte, names *Names) []Act {
	carrier := &Carrier{World: w, Party: "parties/CAR-CXBB", Page: Bluebird}
	offer := func() tender { return tender{names.Tender, names.Load, names.LoadNumber} }
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 3, day, hour, minute, 0, 0, time.UTC) }
	acts := []Act{
		{at(2, 11, 5), "the customer's 850 comes in as a file", func(ctx context.Context) error {
			if err := w.Drop(ctx, "po-"+PurchaseOrder+".edi", file); err != nil {
				return err
			}
			released, err := await(ctx, w, "orders", func(m *ordersv1.OrderReleased) bool {
				return m.GetRelease().GetCustomerOrderNumber() == PurchaseOrder
			})
			if err != nil {
				return err
			}
			names.Order, names.Release = released.GetRelease().GetOrder(), released.GetRelease().GetName()
			tendered, err := await(ctx, w, "freight", func(m *freightv1.LoadTendered) bool {
				return len(m.GetShipments()) > 0 && m.GetShipments()[0].GetOrder() == names.Order
			})
			if err != nil {
				return err
			}
			names.Shipment = tendered.GetShipments()[0].GetName()
			names.Load, names.LoadNumber = tendered.GetLoad().GetName(), tendered.GetLoad().GetNumber()
			names.Tender = tendered.GetTender().GetName()
			return nil
		}},
		{at(2, 14, 20), "the carrier reads its offers and accepts", func(ctx context.Context) error {
			// It speaks REST; the program behind its mailbox acknowledges the 204 all the same.
			if err := acknowledge(ctx, w, "CAR-CXBB", "204"); err != nil {
				return err
			}
			// Played again, the offer is no longer open; accepting it again succeeds and changes nothing.
			found, err := carrier.Offer(ctx, PurchaseOrder)
			if errors.Is(err, ErrNoOffer) {
				found, err = offer(), nil
			}
			if err != nil {
				return err
			}
			if err := carrier.Accept(ctx, found); err != nil {
				return err
			}
			_, err = await(ctx, w, "billing", func(m *billingv1.JournalEntryPosted) bool {
				return m.GetJournalEntry().GetMoment() == "load booked: cost accrual"
			})
			return err
		}},
	}
	received := []time.Time{at(3, 14, 20), at(3, 15, 15), at(4, 13, 50), at(4, 14, 30)}
	for i, m := range Bluebird.Milestones {
		acts = append(acts, Act{received[i], "the carrier reports " + m.Milestone, func(ctx context.Context) error {
			return carrier.Report(ctx, offer(), m)
		}})
	}
	return append(acts,
		Act{at(4, 14, 45), "the carrier hands in the signed proof of delivery", func(ctx context.Context) error {
			if err := carrier.Prove(ctx, offer(), PurchaseOrder); err != nil {
				return err
			}
			issued, err := await(ctx, w, "billing", func(m *billingv1.InvoiceIssued) bool {
				return m.GetInvoice().GetOrder() == names.Order
			})
			if err != nil {
				return err
			}
			names.Invoice = issued.GetInvoice().GetName()
			_, err = await(ctx, w, "orders", func(m *ordersv1.OrderClosed) bool { return m.GetOrder() == names.Order })
			return err
		}},
		Act{at(5, 12, 0), "the carrier sends its bill", func(ctx context.Context) (err error) {
			// By now the program behind the customer's mailbox has acknowledged the invoice.
			if err := acknowledge(ctx, w, "CUS-XYZ", "810"); err != nil {
				return err
			}
			if names.FreightBillState, err = carrier.Bill(ctx, offer()); err != nil {
				return err
			}
			ended, err := await(ctx, w, "workflow", func(m *workflowv1.ProcessEnded) bool {
				return m.GetProcess().GetOrder() == names.Order
			})
			if err != nil {
				return err
			}
			names.Process = ended.GetProcess().GetName()
			return nil
		}},
	)
}

// Play plays acts one after the other, each at its time; said is told of each before it is played.
func Play(ctx context.Context, w World, acts []Act, said func(Act)) error {
	for _, a := range acts {
		if a.At.After(w.Now()) {
			if err := w.SetClock(a.At); err != nil {
				return err
			}
		}
		said(a)
		if err := a.Do(ctx); err != nil {
			return fmt.Errorf("%s: %w", a.What, err)
		}
	}
	return nil
}

// await waits for a fact of type M that fits.
func await[M proto.Message](ctx context.Context, w World, service string, fits func(M) bool) (M, error) {
	payload, err := w.Await(ctx, service, func(p proto.Message) bool {
		m, ok := p.(M)
		return ok && fits(m)
	})
	if err != nil {
		var none M
		return none, fmt.Errorf("wait for %T of %s: %w", none, service, err)
	}
	m, ok := payload.(M)
	if !ok {
		return m, fmt.Errorf("wait for %T of %s: got %T", m, service, payload)
	}
	return m, nil
}
