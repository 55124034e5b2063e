package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	storagev1 "crossdock.dev/gen/crossdock/workflow/storage/v1"
	workflowv1 "crossdock.dev/gen/crossdock/workflow/v1"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/workflow/internal/process"
)

// ErrNotFound: there is no such process or work item.
var ErrNotFound = store.ErrNotFound

// Process reads a process by its id.
func Process(ctx context.Context, r store.Reader, id string) (process.Process, error) {
	rec, err := processTable.Get(ctx, r, store.Key(id))
	if err != nil {
		return process.Process{}, err
	}
	return processOf(rec), nil
}

// ProcessesOf reads the processes that a name leads to: an order, its release, its shipment, its load, its authorisation or
// its invoice. The oldest comes first.
func ProcessesOf(ctx context.Context, r store.Reader, name string) ([]process.Process, error) {
	prefix := store.Key(name)
	var out []process.Process
	err := store.Each(ctx, r, byName, prefix, func(kv store.KV) error {
		rec, err := processTable.Get(ctx, r, kv.Key[len(prefix):])
		if err != nil {
			return fmt.Errorf("process of %s: %w", name, err)
		}
		out = append(out, processOf(rec))
		return nil
	})
	return out, err
}

// ProcessPage reads up to n processes, newest first, that are older than the one with id before; all when it is empty.
func ProcessPage(ctx context.Context, r store.Reader, before string, n int) ([]process.Process, error) {
	rows, err := processTable.Scan(ctx, r, older(before, n))
	if err != nil {
		return nil, err
	}
	out := make([]process.Process, len(rows))
	for i, row := range rows {
		out[i] = processOf(row.Value)
	}
	return out, nil
}

func older(before string, n int) store.Range {
	rg := store.Range{Reverse: true, Limit: n}
	if before != "" {
		rg.To = store.Key(before)
	}
	return rg
}

// Step is one entry of a process's history.
type Step struct {
	Action string
	Time   time.Time // business time, UTC
	Result string
}

// Steps reads the history of a process, oldest first.
func Steps(ctx context.Context, r store.Reader, id string) ([]Step, error) {
	var out []Step
	err := store.Each(ctx, r, steps, store.Key(id), func(kv store.KV) error {
		rec := &storagev1.Step{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		out = append(out, Step{Action: rec.GetAction(), Time: rec.GetTime().AsTime(), Result: rec.GetResult()})
		return nil
	})
	return out, err
}

// Plan reads the planning request that a process keeps until its shipment is planned.
func Plan(ctx context.Context, r store.Reader, id string) ([]byte, error) {
	rec, err := processTable.Get(ctx, r, store.Key(id))
	if err != nil {
		return nil, err
	}
	return rec.GetPlan(), nil
}

// Begin saves a new process with the planning request that its first command sends.
func Begin(ctx context.Context, tx *store.Tx, p process.Process, plan []byte, steps ...Step) error {
	rec := recordOf(p)
	rec.Plan = plan
	return save(ctx, tx, p, rec, steps)
}

// Save saves a process, its new steps, and tells that it moved on.
func Save(ctx context.Context, tx *store.Tx, p process.Process, steps ...Step) error {
	old, err := processTable.Get(ctx, tx, store.Key(p.ID))
	if err != nil {
		return err
	}
	rec := recordOf(p)
	rec.Steps = old.GetSteps()
	for _, name := range names(old) { // a shipment may leave a shared load
		if err := tx.Delete(ctx, byName, store.Key(name, p.ID)); err != nil {
			return err
		}
	}
	if p.Shipment == "" {
		rec.Plan = old.GetPlan()
	}
	return save(ctx, tx, p, rec, steps)
}

func save(ctx context.Context, tx *store.Tx, p process.Process, rec *storagev1.Process, history []Step) error {
	for _, s := range history {
		rec.Steps++
		key := store.Key(p.ID, rec.GetSteps())
		step := &storagev1.Step{Action: s.Action, Time: timestamppb.New(s.Time), Result: s.Result}
		if err := stepTable.Put(ctx, tx, key, step); err != nil {
			return err
		}
	}
	if err := processTable.Put(ctx, tx, store.Key(p.ID), rec); err != nil {
		return err
	}
	if err := indexProcess(ctx, tx, rec); err != nil {
		return err
	}
	fact := store.Fact{Type: "ProcessAdvanced", Subject: p.Name(), Related: related(p), Payload: &workflowv1.ProcessAdvanced{Process: Message(p, nil)}}
	if p.State == process.Ended {
		fact.Type, fact.Payload = "ProcessEnded", &workflowv1.ProcessEnded{Process: Message(p, nil)}
	}
	return tx.Emit(fact)
}

func related(p process.Process) []string {
	names := []string{p.Order, p.OrderRelease, "po:" + p.CustomerOrderNumber, p.Shipment, p.Load, p.Invoice}
	return slices.DeleteFunc(names, func(s string) bool { return s == "" })
}

// WorkItem reads a work item by its id.
func WorkItem(ctx context.Context, r store.Reader, id string) (w process.WorkItem, etag string, err error) {
	rec, err := itemTable.Get(ctx, r, store.Key(id))
	if err != nil {
		return process.WorkItem{}, "", err
	}
	return itemOf(rec), Etag(rec), nil
}

// Etag is a work item's revision as callers see it.
func Etag(rec *storagev1.WorkItem) string { return strconv.FormatUint(rec.GetRevision(), 10) }

// ItemFilter says which work items are wanted; its zero value wants all.
type ItemFilter struct {
	State   process.ItemState // 0 means all
	Owner   string            // empty means all
	Overdue bool              // only those that were found overdue
}

func (f ItemFilter) wants(w process.WorkItem) bool {
	return (f.State == 0 || w.State == f.State) && (f.Owner == "" || w.Owner == f.Owner) && (!f.Overdue || !w.OverdueTime.IsZero())
}

// ItemPage reads up to n wanted work items, newest first, that are older than the one with id before.
func ItemPage(ctx context.Context, r store.Reader, before string, f ItemFilter, n int) ([]*workflowv1.WorkItem, error) {
	var out []*workflowv1.WorkItem
	rg := older(before, 256)
	for len(out) < n {
		rows, err := itemTable.Scan(ctx, r, rg)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			w := itemOf(row.Value)
			if f.wants(w) && len(out) < n {
				out = append(out, ItemMessage(w, Etag(row.Value)))
			}
		}
		if len(rows) < rg.Limit {
			break
		}
		rg.To = rows[len(rows)-1].Key
	}
	return out, nil
}

// OpenItemsOf reads the open work items about a subject; an empty reason means every reason.
func OpenItemsOf(ctx context.Context, r store.Reader, subject string, reason process.Reason) ([]process.WorkItem, error) {
	var out []process.WorkItem
	prefix := store.Key(subject)
	if reason != "" {
		prefix = store.Key(subject, string(reason))
	}
	err := store.Each(ctx, r, openItems, prefix, func(kv store.KV) error {
		w, _, err := WorkItem(ctx, r, string(kv.Value))
		out = append(out, w)
		return err
	})
	return out, err
}

// SaveItem saves a work item and tells what became of it: opened, closed, found overdue or changed otherwise.
func SaveItem(ctx context.Context, tx *store.Tx, w process.WorkItem) error {
	key := store.Key(w.ID)
	rec := itemRecord(w)
	fact := "WorkItemOpened"
	switch old, err := itemTable.Get(ctx, tx, key); {
	case err == nil:
		rec.Revision = old.GetRevision() + 1
		switch {
		case w.State == process.Closed:
			fact = "WorkItemClosed"
		case !w.OverdueTime.IsZero() && old.GetOverdueTime() == nil:
			fact = "WorkItemOverdue"
		default:
			fact = "WorkItemChanged"
		}
		if err := tx.Delete(ctx, openItems, store.Key(old.GetSubject(), old.GetReason())); err != nil {
			return err
		}
	case errors.Is(err, ErrNotFound):
		rec.Revision = 1
	default:
		return err
	}
	if err := itemTable.Put(ctx, tx, key, rec); err != nil {
		return err
	}
	if err := indexItem(ctx, tx, rec); err != nil {
		return err
	}
	return tx.Emit(store.Fact{
		Type: fact, Subject: w.Name(), Related: append([]string{w.Subject}, w.Related...), Payload: itemFact(fact, ItemMessage(w, Etag(rec))),
	})
}

func itemFact(name string, w *workflowv1.WorkItem) proto.Message {
	switch name {
	case "WorkItemClosed":
		return &workflowv1.WorkItemClosed{WorkItem: w}
	case "WorkItemOverdue":
		return &workflowv1.WorkItemOverdue{WorkItem: w}
	case "WorkItemChanged":
		return &workflowv1.WorkItemChanged{WorkItem: w}
	}
	return &workflowv1.WorkItemOpened{WorkItem: w}
}
