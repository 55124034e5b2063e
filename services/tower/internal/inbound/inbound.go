// Package inbound turns the facts of all services into cases. It keeps each fact under everything that it is about, and
// carries what a case's head shows from the facts that name the order.
package inbound

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

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
		readers = append(readers, eventlog.Reader{Log: log, Keys: keys, Apply: apply})
	}
	return readers
}

// keys are what a fact is about: facts that share a name take effect in their order. Parties are left out, since every
// order of a customer would wait for every other.
func keys(f eventlog.Fact) []string {
	if m, ok := f.Payload.(*masterdatav1.PartyChanged); ok {
		return []string{m.GetParty().GetName()}
	}
	if f.Head.GetPosition().GetLog() == "masterdata" {
		return nil
	}
	return about(f)
}

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

// apply keeps the fact and changes the cases of the orders that it names.
func apply(ctx context.Context, tx *platform.Tx, f eventlog.Fact) error {
	if m, ok := f.Payload.(*masterdatav1.PartyChanged); ok {
		return store.PutParty(ctx, tx, m.GetParty().GetName(), m.GetParty().GetDisplayName())
	}
	refs := about(f)
	step := &towerv1.Step{
		Service: f.Position.Log, Type: f.Type, Subject: f.Subject, Summary: Summary(f.Payload),
		OccurTime: f.Head.GetOccurTime(), ReceiveTime: f.Head.GetReceiveTime(), ApplyTime: f.Head.GetApplyTime(),
		Actor: f.Head.GetActor(), Cause: cause(f), Position: platform.PositionProto(f.Position), TraceId: traceID(f.Head.GetTraceparent()),
	}
	if err := store.AddStep(ctx, tx, &storagev1.Step{Step: step, References: refs}); err != nil {
		return err
	}
	if err := followItem(ctx, tx, f); err != nil {
		return err
	}
	for _, ref := range refs {
		id, isOrder := strings.CutPrefix(ref, "orders/")
		if !isOrder || strings.Contains(id, "/") {
			continue
		}
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
		refer(rec.GetCase(), refs)
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
	{"interchanges/", "interchange"},
}

// refer adds references to a case. A number is kept both as people write it and with its kind, and a name both whole and as
// the bare id, so that whatever somebody pastes leads here.
func refer(c *towerv1.Case, refs []string) {
	add := func(kind, value string) {
		has := slices.ContainsFunc(c.References, func(r *towerv1.Case_Reference) bool { return r.GetValue() == value })
		if value != "" && !has {
			c.References = append(c.References, &towerv1.Case_Reference{Kind: kind, Value: value})
		}
	}
	for _, ref := range refs {
		for _, k := range kinds {
			rest, ok := strings.CutPrefix(ref, k.prefix)
			if !ok || k.kind == "" {
				continue
			}
			add(k.kind, ref)
			if !strings.Contains(rest, "/") {
				add(k.kind, rest)
			}
		}
	}
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
