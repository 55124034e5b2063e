package inbound

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/type/date"
	googlemoney "google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/money"
)

// Summary says a fact in words, with numbers and amounts. A fact that this version does not know has none.
func Summary(payload proto.Message) string {
	switch m := payload.(type) {
	case *ordersv1.OrderCreated:
		o := m.GetOrder()
		return fmt.Sprintf("order %s of %s with %d lines", o.GetCustomerOrderNumber(), bare(o.GetCustomer()), len(o.GetLines()))
	case *ordersv1.OrderConfirmed:
		return "promised for " + when(m.GetPromise().GetDeliverBy())
	case *ordersv1.OrderHeld:
		return fmt.Sprintf("held (%s): %s", m.GetHold().GetKind(), m.GetHold().GetReason())
	case *ordersv1.OrderHoldReleased:
		return fmt.Sprintf("hold %s released", m.GetHold().GetKind())
	case *ordersv1.OrderReleased:
		r := m.GetRelease()
		return fmt.Sprintf("%d lines released to ship %s by %s from %s to %s", len(r.GetLines()), day(r.GetShipDate()), r.GetMode(), bare(r.GetShipFrom()), bare(r.GetShipTo()))
	case *ordersv1.OrderCancellationRequested:
		return fmt.Sprintf("%s wants it cancelled: %s", bare(m.GetCustomer()), m.GetReason())
	case *ordersv1.OrderCancellationRefused:
		return "too late to be cancelled, part of it has left"
	case *ordersv1.OrderCancelled:
		return "cancelled: " + m.GetReason()
	case *ordersv1.CommitmentChanged:
		text := fmt.Sprintf("now %s, release %s", m.GetFulfilment(), m.GetRelease())
		if m.GetPromise().GetEstimate() != nil {
			text += ", estimated for " + when(m.GetPromise().GetEstimate())
		}
		return text
	case *ordersv1.OrderClosed:
		return "everything is billed or cancelled"
	case *freightv1.ShipmentPlanned:
		s := m.GetShipment()
		return fmt.Sprintf("%s %s in %d cartons on load %s", s.GetGrossWeight().GetValue(), s.GetGrossWeight().GetUnit(), s.GetCartons(), m.GetLoad().GetNumber())
	case *freightv1.LoadTendered:
		t := m.GetTender()
		text := fmt.Sprintf("load %s offered to %s (rank %d), answer due %s", t.GetLoadNumber(), t.GetScac(), t.GetRank(), when(t.GetRespondBy()))
		if total := t.GetCharges().GetTotal(); total != nil {
			text += ", rated at " + amount(total)
		}
		return text
	case *freightv1.TenderAccepted:
		return fmt.Sprintf("%s accepted load %s", m.GetTender().GetScac(), m.GetTender().GetLoadNumber())
	case *freightv1.TenderDeclined:
		return fmt.Sprintf("%s declined load %s: %s %s", m.GetTender().GetScac(), m.GetTender().GetLoadNumber(), m.GetTender().GetDeclineReason(), m.GetTender().GetNote())
	case *freightv1.TenderExpired:
		return fmt.Sprintf("%s did not answer for load %s", m.GetTender().GetScac(), m.GetTender().GetLoadNumber())
	case *freightv1.TenderWithdrawn:
		return fmt.Sprintf("the offer of load %s to %s is taken back", m.GetTender().GetLoadNumber(), m.GetTender().GetScac())
	case *freightv1.TendersExhausted:
		return "no carrier is left to ask for load " + m.GetLoad().GetNumber()
	case *freightv1.LoadBooked:
		l := m.GetLoad()
		text := fmt.Sprintf("load %s booked with %s", l.GetNumber(), bare(l.GetCarrier()))
		if l.GetCarrierReference() != "" {
			text += ", PRO " + l.GetCarrierReference()
		}
		if total := l.GetCharges().GetTotal(); total != nil {
			text += ", cost " + amount(total)
		}
		return text
	case *freightv1.MilestoneRecorded:
		c := m.GetClaim()
		text := fmt.Sprintf("%s at stop %d, %s", c.GetMilestone(), c.GetStop(), when(c.GetOccurred()))
		if c.GetCarrierCode() != "" {
			text += " (the carrier's " + c.GetCarrierCode() + ")"
		}
		return text
	case *freightv1.ShipmentArrivedPickup:
		return "carrier at the ship-from, " + when(m.GetOccurred())
	case *freightv1.ShipmentDeparted:
		return "left the ship-from, " + when(m.GetOccurred())
	case *freightv1.EtaChanged:
		text := "no estimate beside the promise"
		if m.GetEstimate() != nil {
			text = "estimated for " + when(m.GetEstimate())
		}
		if m.GetConfidence() != freightv1.Confidence_CONFIDENCE_UNSPECIFIED {
			text += ", confidence " + strings.ToLower(m.GetConfidence().String())
		}
		if len(m.GetReasons()) > 0 {
			text += " (" + strings.Join(m.GetReasons(), ", ") + ")"
		}
		return text
	case *freightv1.ExceptionRaised:
		return fmt.Sprintf("needs a look, %s: %s", m.GetReason(), m.GetDetail())
	case *freightv1.ExceptionCleared:
		return "right again: " + m.GetReason()
	case *freightv1.LoadCancelled:
		text := fmt.Sprintf("load %s called off: %s", m.GetLoad().GetNumber(), m.GetReason())
		if total := m.GetLoad().GetCharges().GetTotal(); total != nil {
			text += ", owed all the same " + amount(total)
		}
		return text
	case *freightv1.AccessorialProven:
		c := m.GetCharge()
		if zero(c.GetAmount()) {
			return fmt.Sprintf("%s at stop %d is not owed after all: %s", c.GetCode(), m.GetStop(), m.GetEvidence())
		}
		return fmt.Sprintf("%s of %s at stop %d proven: %s", c.GetCode(), amount(c.GetAmount()), m.GetStop(), m.GetEvidence())
	case *freightv1.ShipmentDelivered:
		return "handed over, " + when(m.GetOccurred())
	case *freightv1.ProofOfDeliveryReceived:
		p := m.GetProofOfDelivery()
		return fmt.Sprintf("%s for %d pieces with %d exceptions", p.GetType(), p.GetPieces(), len(p.GetExceptions()))
	case *freightv1.LoadCompleted:
		return "load " + m.GetLoad().GetNumber() + " completed"
	case *billingv1.ChargeAccrued:
		return fmt.Sprintf("%s accrued for %s", amount(m.GetAccrual().GetCharge().GetAmount()), m.GetAccrual().GetCharge().GetCode())
	case *billingv1.AccrualReversed:
		return fmt.Sprintf("%s for %s is expected no more", amount(m.GetAccrual().GetCharge().GetAmount()), m.GetAccrual().GetCharge().GetCode())
	case *billingv1.BillingAuthorized:
		var met []string
		for _, c := range m.GetBillingAuthorization().GetConjuncts() {
			met = append(met, c.GetCondition())
		}
		return fmt.Sprintf("%s may be billed: %s", amount(m.GetBillingAuthorization().GetNetTotal()), strings.Join(met, ", "))
	case *billingv1.InvoiceApproved:
		return "invoice over " + amount(m.GetInvoice().GetTotal()) + " approved"
	case *billingv1.InvoiceIssued:
		i := m.GetInvoice()
		return fmt.Sprintf("invoice %s over %s (goods %s, freight %s, tax %s)", i.GetNumber(), amount(i.GetTotal()), amount(i.GetGoodsTotal()), amount(i.GetFreightTotal()), amount(i.GetTaxTotal()))
	case *billingv1.FreightBillReceived:
		return fmt.Sprintf("bill %s over %s received", m.GetFreightBill().GetInvoiceNumber(), amount(m.GetFreightBill().GetTotal()))
	case *billingv1.FreightBillApproved:
		return fmt.Sprintf("bill %s over %s approved", m.GetFreightBill().GetInvoiceNumber(), amount(m.GetFreightBill().GetTotal()))
	case *billingv1.FreightBillExcepted:
		return fmt.Sprintf("bill %s over %s: %s", m.GetFreightBill().GetInvoiceNumber(), amount(m.GetFreightBill().GetTotal()), m.GetFreightBill().GetState())
	case *billingv1.FreightBillRejected:
		return fmt.Sprintf("bill %s over %s refused%s", m.GetFreightBill().GetInvoiceNumber(), amount(m.GetFreightBill().GetTotal()), decision(m.GetFreightBill()))
	case *billingv1.DisputeOpened:
		return fmt.Sprintf("bill %s over %s disputed%s", m.GetFreightBill().GetInvoiceNumber(), amount(m.GetFreightBill().GetTotal()), decision(m.GetFreightBill()))
	case *billingv1.DisputeResolved:
		return fmt.Sprintf("dispute of bill %s is over, %s%s", m.GetFreightBill().GetInvoiceNumber(), m.GetFreightBill().GetState(), decision(m.GetFreightBill()))
	case *billingv1.JournalEntryPosted:
		var lines []string
		for _, l := range m.GetJournalEntry().GetLines() {
			side, value := "Dr", l.GetDebit()
			if zero(value) {
				side, value = "Cr", l.GetCredit()
			}
			lines = append(lines, side+" "+l.GetAccount()+" "+amount(value))
		}
		return m.GetJournalEntry().GetMoment() + ": " + strings.Join(lines, ", ")
	case *workflowv1.ProcessAdvanced:
		p := m.GetProcess()
		if p.GetWaitsFor() == "" {
			return p.GetState().String()
		}
		return p.GetState().String() + ", waits for " + p.GetWaitsFor()
	case *workflowv1.ProcessEnded:
		return "from order to cash: done"
	case *workflowv1.WorkItemOpened:
		return fmt.Sprintf("%s for %s: %s", m.GetWorkItem().GetReason(), m.GetWorkItem().GetOwner(), m.GetWorkItem().GetDetail())
	case *workflowv1.WorkItemChanged:
		return fmt.Sprintf("%s is now for %s: %s", m.GetWorkItem().GetReason(), m.GetWorkItem().GetOwner(), m.GetWorkItem().GetDetail())
	case *workflowv1.WorkItemOverdue:
		return fmt.Sprintf("%s was due for %s at %s and is open", m.GetWorkItem().GetReason(), m.GetWorkItem().GetOwner(), m.GetWorkItem().GetDueTime().AsTime().Format(time.DateTime+"Z"))
	case *workflowv1.WorkItemClosed:
		return fmt.Sprintf("%s closed by %s", m.GetWorkItem().GetReason(), m.GetWorkItem().GetClosedBy())
	case *eventlogv1.TaskStopped:
		if t := m.GetTask(); t.GetState() == eventlogv1.Task_FAILED {
			return fmt.Sprintf("task %s has failed for good: %s", t.GetKind(), t.GetLastError())
		}
		return fmt.Sprintf("whether task %s went through is not known: %s", m.GetTask().GetKind(), m.GetTask().GetLastError())
	case *eventlogv1.FactParked:
		return fmt.Sprintf("%s could not be applied: %s", m.GetParkedFact().GetType(), m.GetParkedFact().GetReason())
	case *eventlogv1.FactReleased:
		if m.GetDropped() {
			return m.GetParkedFact().GetType() + " is no more, and is dropped"
		}
		return m.GetParkedFact().GetType() + " is applied after all"
	case *eventlogv1.TaskReleased:
		if m.GetDropped() {
			return fmt.Sprintf("task %s is taken off the list", m.GetTask().GetKind())
		}
		return fmt.Sprintf("task %s is carried out again", m.GetTask().GetKind())
	case *ediv1.MessageReceived:
		i := m.GetInterchange()
		return fmt.Sprintf("interchange %s from %s, %d bytes, sha256 %.12s", i.GetControlNumber(), i.GetSender(), i.GetSize(), i.GetDocumentSha256())
	case *ediv1.MessageApplied:
		s := m.GetTransactionSet()
		return fmt.Sprintf("%s %s %s, bytes %d to %d", s.GetSet(), s.GetControlNumber(), s.GetDisposition(), s.GetOffset(), s.GetOffset()+s.GetLength())
	case *ediv1.MessageParked:
		return "waits for a person: " + m.GetInterchange().GetReason() + m.GetTransactionSet().GetReason()
	case *ediv1.MessageRejected:
		return "refused: " + m.GetInterchange().GetReason() + m.GetTransactionSet().GetReason()
	case *ediv1.MessageAcknowledged:
		return "the partner acknowledged " + m.GetInterchange().GetFileName()
	case *ediv1.AcknowledgementOverdue:
		return "no acknowledgement of " + m.GetInterchange().GetFileName() + " within the agreed time"
	case *ediv1.MessageSent:
		i := m.GetInterchange()
		var sets []string
		for _, s := range i.GetTransactionSets() {
			sets = append(sets, s.GetSet())
		}
		return fmt.Sprintf("%s sent to %s as %s", strings.Join(sets, ", "), i.GetReceiver(), i.GetFileName())
	}
	return ""
}

// decision is what was decided last about a bill, as the end of a sentence.
func decision(b *billingv1.FreightBill) string {
	if len(b.GetDecisions()) == 0 {
		return ""
	}
	last, text := b.GetDecisions()[len(b.GetDecisions())-1], ""
	if last.GetDisputeCode() != "" {
		text = ", code " + last.GetDisputeCode()
	}
	if last.GetReason() != "" {
		text += ": " + last.GetReason()
	}
	return text
}

// bare is a resource name without its collection.
func bare(name string) string { return name[strings.IndexByte(name, '/')+1:] }

func zero(m *googlemoney.Money) bool { return m.GetUnits() == 0 && m.GetNanos() == 0 }

// amount writes money with its currency; units and nanos that are no amount of the currency are shown as they are.
func amount(m *googlemoney.Money) string {
	a, err := money.FromUnitsNanos(m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
	if err != nil {
		return fmt.Sprintf("%d.%09d %s", m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
	}
	return a.Label()
}

func day(d *date.Date) string {
	return fmt.Sprintf("%04d-%02d-%02d", d.GetYear(), d.GetMonth(), d.GetDay())
}

// when writes an instant at its place, and in UTC where the place has no zone.
func when(t *typev1.EventTime) string {
	if t == nil {
		return "an unknown time"
	}
	at := t.GetTime().AsTime()
	if loc, err := calendar.LoadZone(t.GetZone()); err == nil {
		at = at.In(loc)
	}
	return at.Format("Mon 2006-01-02 15:04 MST")
}

func platformPosition(log string, sequence uint64) string { return fmt.Sprintf("%s/%d", log, sequence) }
