package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	billingv1 "crossdock.dev/gen/crossdock/billing/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	freightv1 "crossdock.dev/gen/crossdock/freight/v1"
	ordersv1 "crossdock.dev/gen/crossdock/orders/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
)

// open is what is waited for, by a key that ends it.
type open map[string]*towerv1.Wait

func (o open) begin(key string, kind towerv1.Wait_Kind, step *towerv1.Step, subject, owner, format string, args ...any) *towerv1.Wait {
	w := &towerv1.Wait{Kind: kind, Text: fmt.Sprintf(format, args...), Subject: subject, Owner: owner, Since: step.GetApplyTime()}
	o[key] = w
	return w
}

// Waits is what is waited for at an instant, soonest limit first, then what has waited longest.
func (s *Story) Waits(now time.Time) []*towerv1.Wait {
	o := open{}
	for _, f := range s.Facts {
		o.follow(f)
	}
	out := make([]*towerv1.Wait, 0, len(o))
	for _, w := range o {
		w.Overdue = w.GetUntil() != nil && w.GetUntil().AsTime().Before(now) || w.GetOverdue()
		out = append(out, w)
	}
	Sort(out)
	return out
}

// Sort puts waits in order: soonest limit first, then what has waited longest.
func Sort(waits []*towerv1.Wait) {
	slices.SortFunc(waits, func(a, b *towerv1.Wait) int {
		if (a.GetUntil() == nil) != (b.GetUntil() == nil) {
			if a.GetUntil() != nil {
				return -1
			}
			return 1
		}
		if c := a.GetUntil().AsTime().Compare(b.GetUntil().AsTime()); c != 0 {
			return c
		}
		if c := a.GetSince().AsTime().Compare(b.GetSince().AsTime()); c != 0 {
			return c
		}
		return strings.Compare(a.GetText()+a.GetSubject(), b.GetText()+b.GetSubject())
	})
}

func (o open) follow(f Fact) {
	switch m := f.Payload.(type) {
	case *ordersv1.OrderHeld:
		o.begin("hold "+m.GetHold().GetKind().String(), towerv1.Wait_HOLD, f.Step, m.GetOrder(), "", "hold %s: %s", m.GetHold().GetKind(), m.GetHold().GetReason())
	case *ordersv1.OrderHoldReleased:
		delete(o, "hold "+m.GetHold().GetKind().String())
	case *ordersv1.OrderConfirmed:
		o.promise(f.Step, m.GetOrder(), m.GetPromise())
	case *ordersv1.CommitmentChanged:
		o.promise(f.Step, m.GetOrder(), m.GetPromise())
		if m.GetFulfilment() == ordersv1.Order_DELIVERED {
			delete(o, "promise")
		}
	case *ordersv1.OrderCancelled, *ordersv1.OrderClosed:
		delete(o, "promise")
	case *freightv1.LoadTendered:
		t := m.GetTender()
		w := o.begin(t.GetName(), towerv1.Wait_TENDER, f.Step, t.GetName(), t.GetCarrier(), "%s's answer to the offer of load %s, rank %d", t.GetScac(), t.GetLoadNumber(), t.GetRank())
		w.Until = t.GetRespondBy().GetTime()
	case interface{ GetTender() *freightv1.Tender }: // whatever answers or ends an offer
		delete(o, m.GetTender().GetName())
	case *freightv1.ExceptionRaised:
		o.begin("exception "+m.GetShipment().GetName()+m.GetReason(), towerv1.Wait_EXCEPTION, f.Step, m.GetShipment().GetName(), "", "%s: %s", m.GetReason(), m.GetDetail())
	case *freightv1.ExceptionCleared:
		delete(o, "exception "+m.GetShipment().GetName()+m.GetReason())
	case *workflowv1.ProcessAdvanced:
		p := m.GetProcess()
		delete(o, p.GetName())
		if p.GetWaitsFor() != "" {
			w := o.begin(p.GetName(), towerv1.Wait_PROCESS, f.Step, p.GetName(), "", "%s", p.GetWaitsFor())
			w.Until = p.GetWaitsUntil()
		}
	case *workflowv1.ProcessEnded:
		delete(o, m.GetProcess().GetName())
	case *workflowv1.WorkItemOpened:
		o.item(f.Step, m.GetWorkItem())
	case *workflowv1.WorkItemChanged:
		o.item(f.Step, m.GetWorkItem())
	case *workflowv1.WorkItemClosed:
		delete(o, m.GetWorkItem().GetName())
	case interface{ GetFreightBill() *billingv1.FreightBill }:
		b := m.GetFreightBill()
		delete(o, b.GetName())
		switch b.GetState() {
		case billingv1.FreightBill_EXCEPTION:
			o.begin(b.GetName(), towerv1.Wait_FREIGHT_BILL, f.Step, b.GetName(), auditor(b), "a decision about bill %s over %s", b.GetInvoiceNumber(), amount(b.GetTotal()))
		case billingv1.FreightBill_DISPUTED:
			o.begin(b.GetName(), towerv1.Wait_FREIGHT_BILL, f.Step, b.GetName(), b.GetCarrier(), "the end of the dispute about bill %s over %s", b.GetInvoiceNumber(), amount(b.GetTotal()))
		}
	default:
		o.followMessage(f)
	}
}

func (o open) item(step *towerv1.Step, i *workflowv1.WorkItem) {
	since := step.GetApplyTime()
	if before := o[i.GetName()]; before != nil {
		since = before.GetSince()
	}
	w := o.begin(i.GetName(), towerv1.Wait_WORK_ITEM, step, i.GetName(), i.GetOwner(), "%s: %s", i.GetReason(), i.GetDetail())
	w.Since, w.Until = since, i.GetDueTime()
}

func (o open) promise(step *towerv1.Step, order string, p *ordersv1.Promise) {
	if p.GetDeliverBy() == nil {
		return
	}
	since := step.GetApplyTime()
	if before := o["promise"]; before != nil {
		since = before.GetSince()
	}
	w := o.begin("promise", towerv1.Wait_PROMISE, step, order, "", "delivery, as promised")
	w.Since, w.Until = since, p.GetDeliverBy().GetTime()
	if p.GetEstimate() != nil {
		w.Text += ", estimated for " + p.GetEstimate().GetTime().AsTime().UTC().Format(time.DateTime) + "Z"
	}
	if p.GetConfidence() != "" {
		w.Text += ", confidence " + strings.ToLower(p.GetConfidence())
	}
	if len(p.GetConfidenceReasons()) > 0 {
		w.Text += " (" + strings.Join(p.GetConfidenceReasons(), ", ") + ")"
	}
}

// auditor is who works on a bill that the audit did not pass.
func auditor(b *billingv1.FreightBill) string {
	for _, f := range b.GetFindings() {
		if !f.GetPassed() && f.GetOwner() != "" {
			return f.GetOwner()
		}
	}
	return ""
}

func (o open) followMessage(f Fact) {
	switch m := f.Payload.(type) {
	case *ediv1.MessageParked:
		reason := m.GetTransactionSet().GetReasonCode() + m.GetInterchange().GetReasonCode()
		detail := m.GetTransactionSet().GetReason() + m.GetInterchange().GetReason()
		what := m.GetTransactionSet().GetSet()
		if what == "" {
			what = "interchange"
		}
		o.begin("message "+f.Step.GetSubject(), towerv1.Wait_PARKED_MESSAGE, f.Step, f.Step.GetSubject(), "integration",
			"%s %s of %s is parked, %s: %s", what, m.GetInterchange().GetControlNumber(), bare(m.GetInterchange().GetParty()), reason, detail)
	case *ediv1.MessageApplied, *ediv1.MessageRejected:
		delete(o, "message "+f.Step.GetSubject())
	case *ediv1.MessageSent:
		x := m.GetInterchange()
		if by := x.GetAcknowledgeBy(); by != nil {
			w := o.begin("acknowledgement "+x.GetName(), towerv1.Wait_ACKNOWLEDGEMENT, f.Step, x.GetName(), x.GetParty(), "%s's acknowledgement of %s", bare(x.GetParty()), x.GetFileName())
			w.Until = by
		}
	case *ediv1.AcknowledgementOverdue:
		if w := o["acknowledgement "+m.GetInterchange().GetName()]; w != nil {
			w.Overdue = true
		}
	case *ediv1.MessageAcknowledged:
		delete(o, "acknowledgement "+m.GetInterchange().GetName())
	}
}

// Messages are the interchanges of the case, oldest first. What only acknowledges stands beside what it acknowledges.
func (s *Story) Messages() []*towerv1.PartnerMessage {
	var out []*towerv1.PartnerMessage
	known := map[string]*towerv1.PartnerMessage{}
	answers := map[string]*ediv1.Interchange{} // our acknowledgements, by name
	sent := map[string]*timestamppb.Timestamp{}
	outcomes := map[*towerv1.PartnerMessage]map[string]string{}
	take := func(x *ediv1.Interchange, at *timestamppb.Timestamp) *towerv1.PartnerMessage {
		if m := known[x.GetName()]; m != nil {
			return m
		}
		m := &towerv1.PartnerMessage{
			Name: x.GetName(), Inbound: x.GetDirection() == ediv1.Interchange_INBOUND, Party: x.GetParty(), FileName: x.GetFileName(),
			ControlNumber: x.GetControlNumber(), Time: at, Document: "documents/" + x.GetDocumentSha256(), Acknowledgement: x.GetAcknowledgement(),
		}
		for _, t := range x.GetTransactionSets() {
			if t.GetSet() != "997" && s.about(t) {
				m.Sets = append(m.Sets, t.GetSet())
			}
		}
		if len(m.Sets) == 0 && len(x.GetTransactionSets()) > 0 {
			return m // it only acknowledges, or speaks of others
		}
		known[x.GetName()], outcomes[m] = m, map[string]string{}
		out = append(out, m)
		return m
	}
	become := func(interchange, subject, outcome string) {
		m := known[interchange]
		if m == nil {
			return
		}
		outcomes[m][subject] = outcome
	}
	for _, f := range s.Facts {
		switch m := f.Payload.(type) {
		case *ediv1.MessageReceived:
			take(m.GetInterchange(), f.Step.GetApplyTime())
		case *ediv1.MessageSent:
			x := m.GetInterchange()
			answers[x.GetName()], sent[x.GetName()] = x, f.Step.GetApplyTime()
			take(x, f.Step.GetApplyTime())
			become(x.GetName(), "", "SENT")
		case *ediv1.MessageApplied:
			become(m.GetInterchange(), f.Step.GetSubject(), m.GetTransactionSet().GetDisposition().String())
		case *ediv1.MessageParked:
			become(m.GetInterchange().GetName(), f.Step.GetSubject(), "PARKED: "+m.GetTransactionSet().GetReasonCode()+m.GetInterchange().GetReasonCode())
		case *ediv1.MessageRejected:
			become(m.GetInterchange().GetName(), f.Step.GetSubject(), "REJECTED: "+m.GetTransactionSet().GetReasonCode()+m.GetInterchange().GetReasonCode())
		case *ediv1.MessageAcknowledged:
			if of := known[m.GetInterchange().GetName()]; of != nil {
				of.Acknowledgement, of.AcknowledgementCode, of.AcknowledgeTime = m.GetAcknowledgedBy(), m.GetInterchange().GetAcknowledgementCode(), f.Step.GetApplyTime()
			}
		}
	}
	for _, m := range out {
		if m.GetInbound() && answers[m.GetAcknowledgement()] != nil {
			for _, t := range answers[m.GetAcknowledgement()].GetTransactionSets() {
				m.AcknowledgementCode = t.GetAcknowledgementCode()
			}
			m.AcknowledgeTime = sent[m.GetAcknowledgement()]
		}
		var subjects []string
		for subject := range outcomes[m] {
			subjects = append(subjects, subject)
		}
		slices.Sort(subjects)
		for _, subject := range subjects {
			m.Outcomes = append(m.Outcomes, outcomes[m][subject])
		}
	}
	return out
}

// about reports whether a set is about the case: it names something that leads here. One that names nothing is taken for the
// case's, since nothing says otherwise.
func (s *Story) about(t *ediv1.Interchange_TransactionSet) bool {
	if len(t.GetRelated()) == 0 || s.Case == nil {
		return true
	}
	return slices.ContainsFunc(s.Case.GetReferences(), func(r *towerv1.Case_Reference) bool { return slices.Contains(t.GetRelated(), r.GetValue()) })
}
