// Package inbound turns the facts of all services into cases. It keeps each fact under everything that it is about, and
// carries what a case's head shows from the facts that name the order.
package inbound

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	storagev1 "crossdock.dev/gen/crossdock/tower/storage/v1"
	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	"crossdock.dev/platform/eventlog"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/tower/internal/store"
)

// Readers are what the followed logs mean to tower, all in the same way.
func Readers(logs ...string) []eventlog.Reader {
	readers := make([]eventlog.Reader, 0, len(logs))
	for _, log := range logs {
		readers = append(readers, eventlog.Reader{Log: log, Keys: keys, Apply: apply, Together: true})
	}
	return readers
}

// keys are what a fact is about: facts that share a name take effect in their order. Parties are left out, since every
// order of a customer would wait for every other.
func keys(f eventlog.Fact) []string {
	if m, ok := f.Payload.(*masterdatav1.PartyChanged); ok {
		return []string{m.GetParty().GetName()}
	}
	if f.Head.GetPosition().GetLog() == "masterdata" && !slices.Contains(published, f.Type) {
		return nil
	}
	return about(f)
}

// published are the facts of master data that figures are made by.
var published = []string{"ContractApproved", "RateTableChanged", "FuelIndexChanged", "LaneChanged", "TaxRuleChanged"}

// about is the subject of a fact and the names and numbers that lead to it.
func about(f eventlog.Fact) []string {
	var refs []string
	for _, ref := range append([]string{f.Subject}, f.Related...) {
		if ref != "" && !strings.HasPrefix(ref, "parties/") && !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// numbers are what people call an interchange beside its name. They are not unique, so facts do not wait for each other by them.
func numbers(f eventlog.Fact) []string {
	m, ok := f.Payload.(interface{ GetInterchange() *ediv1.Interchange })
	if !ok {
		return nil
	}
	var out []string
	if x := m.GetInterchange(); x.GetControlNumber() != "" {
		out = append(out, "control:"+x.GetControlNumber())
	}
	if x := m.GetInterchange(); x.GetFileName() != "" {
		out = append(out, "file:"+x.GetFileName())
	}
	return out
}

// apply keeps the fact and changes the cases of the orders that it names.
func apply(ctx context.Context, tx *platform.Tx, f eventlog.Fact) error {
	if m, ok := f.Payload.(*masterdatav1.PartyChanged); ok {
		return store.PutParty(ctx, tx, m.GetParty().GetName(), m.GetParty().GetDisplayName())
	}
	refs := append(about(f), numbers(f)...)
	step := &towerv1.Step{
		Service: f.Position.Log, Type: f.Type, Subject: f.Subject, Summary: Summary(f.Payload),
		OccurTime: f.Head.GetOccurTime(), ReceiveTime: f.Head.GetReceiveTime(), ApplyTime: f.Head.GetApplyTime(),
		Actor: f.Head.GetActor(), Cause: cause(f), Position: platform.PositionProto(f.Position), TraceId: traceID(f.Head.GetTraceparent()),
		CauseFact: f.Head.GetCause().GetFact(), Call: call(f),
	}
	payload, err := pack(f)
	if err != nil {
		return err
	}
	if err := store.AddStep(ctx, tx, &storagev1.Step{Step: step, References: refs}, payload); err != nil {
		return err
	}
	if err := followItem(ctx, tx, f); err != nil {
		return err
	}
	orders := store.OrdersIn(refs)
	for _, order := range orders {
		id := store.CaseID(order)
		rec, err := store.Case(ctx, tx, id)
		if err != nil {
			return err
		}
		for _, plan := range plans(f.Payload) {
			if err := store.PutPlan(ctx, tx, id, plan); err != nil {
				return err
			}
		}
		if err := followOrder(ctx, tx, id, f); err != nil {
			return err
		}
		before := proto.CloneOf(rec)
		refer(rec.GetCase(), refs, len(orders) > 1)
		advance(rec, f)
		if proto.Equal(before, rec) {
			continue
		}
		rec.Case.UpdateTime = f.Head.GetApplyTime()
		if err := store.PutCase(ctx, tx, rec, len(before.GetCase().GetReferences())); err != nil {
			return err
		}
	}
	return nil
}

// kinds of references by how they begin; numbers carry their kind before a colon.
var kinds = []struct{ prefix, kind string }{
	{"po:", "po"}, {"load:", "load_number"}, {"pro:", "pro"}, {"invoice:", "invoice_number"}, {"bill:", "bill_number"}, {"interchange:", ""},
	{"orders/", "order"}, {"shipments/", "shipment"}, {"loads/", "load"}, {"tenders/", "tender"}, {"proofsOfDelivery/", "proof_of_delivery"},
	{"billingAuthorizations/", "billing_authorization"}, {"invoices/", "invoice"}, {"freightBills/", "freight_bill"},
	{"accruals/", "accrual"}, {"journalEntries/", "journal_entry"}, {"processes/", "process"}, {"workItems/", "work_item"},
	{"interchanges/", "interchange"}, {"tasks/", "task"}, {"control:", store.NotUnique}, {"file:", "file"},
}

// shared are the kinds of references that several orders may have in common; others are one order's own.
var shared = []string{"load", "load_number", "pro", "tender", "freight_bill", "bill_number", "accrual", "journal_entry", "interchange", store.NotUnique, "file"}

// refer adds references to a case. A number is kept both as people write it and with its kind, and a name both whole and as
// the bare id, so that whatever somebody pastes leads here. Of what is about several orders, only what they have in common leads to
// each, and what lies under the order itself.
func refer(c *towerv1.Case, refs []string, several bool) {
	add := func(kind, value string) {
		has := slices.ContainsFunc(c.References, func(r *towerv1.Case_Reference) bool { return r.GetValue() == value })
		if value != "" && !has {
			c.References = append(c.References, &towerv1.Case_Reference{Kind: kind, Value: value})
		}
	}
	for _, ref := range refs {
		for _, k := range kinds {
			rest, ok := strings.CutPrefix(ref, k.prefix)
			own := ref == c.GetOrder() || strings.HasPrefix(ref, c.GetOrder()+"/")
			if !ok || k.kind == "" || several && !own && !slices.Contains(shared, k.kind) {
				continue
			}
			add(k.kind, ref)
			switch {
			case !strings.Contains(rest, "/"):
				add(k.kind, rest)
			case strings.Contains(rest, "/claims/"):
				add("claim", rest[strings.LastIndexByte(rest, '/')+1:])
			}
		}
	}
}

// call is the method call that caused a fact; nil when another fact did.
func call(f eventlog.Fact) *towerv1.Call {
	c := f.Head.GetCause()
	if c.GetFact() != nil || c.GetMethod() == "" {
		return nil
	}
	return &towerv1.Call{Principal: c.GetPrincipal(), Method: c.GetMethod(), RequestId: c.GetRequestId()}
}

// pack makes the bytes that a payload is kept as. Master data is its owner's to show.
func pack(f eventlog.Fact) ([]byte, error) {
	if f.Payload == nil || f.Position.Log == "masterdata" {
		return nil, nil
	}
	packed, ok := f.Payload.(*anypb.Any) // of a type that this program does not know
	if !ok {
		var err error
		if packed, err = anypb.New(f.Payload); err != nil {
			return nil, err
		}
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(packed)
}

func cause(f eventlog.Fact) string {
	c := f.Head.GetCause()
	if p := c.GetFact(); p != nil {
		return "fact " + platformPosition(p.GetLog(), p.GetSequence())
	}
	if c.GetMethod() == "" {
		return ""
	}
	return c.GetMethod()[strings.LastIndexByte(c.GetMethod(), '/')+1:] + " by " + c.GetPrincipal()
}

// traceID is the second field of a W3C traceparent.
func traceID(traceparent string) string {
	parts := strings.Split(traceparent, "-")
	if len(parts) < 2 {
		return ""
	}
	return parts[1]
}
