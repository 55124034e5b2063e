package app

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
)

// maxSet bounds the bytes of a set that is mapped: an order has a thousand lines at most.
const maxSet = 4 << 20

// UnitList is the list of masterdata's code maps that gives units of X12 data element 355.
const UnitList = "x12/355"

// judge maps an 850 and decides about it.
func (a *App) judge(ctx context.Context, t tasks.Task) (tasks.Done, error) {
	x, s, err := a.load(ctx, t)
	if err != nil {
		return nil, err
	}
	if s.Length > maxSet {
		return a.settle(x, s, message.Verdict{
			Disposition: message.Parked, Code: message.MappingFailed, Reason: fmt.Sprintf("the set has %d bytes, the most is %d", s.Length, maxSet),
		}), nil
	}
	p, ok := a.Profiles.Find(x.Sender, x.Receiver)
	if !ok {
		return nil, fmt.Errorf("no profile for sender %s and receiver %s any more", x.Sender, x.Receiver)
	}
	var units map[string]string
	err = a.Store.View(ctx, func(r platform.Reader) (err error) {
		units, err = store.Codes(ctx, r, UnitList, x.Party, x.CreateTime.UTC().Format(time.DateOnly))
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(units) == 0 {
		// A new install has not read its first code map yet: that is no fault of the message.
		return nil, fmt.Errorf("no code map of list %s has been read from masterdata", UnitList)
	}
	set, err := a.read(x, s)
	if err != nil {
		return nil, err
	}
	po, problems := mapping.In850(set, x.Separators, units)
	request, more := a.Orders.Request(po, Origin{Customer: x.Party, Currency: p.Currency, Source: message.SetName(x.ID, s.Index)})
	order := message.Order{Number: s.OrderNumber(), Purpose: po.Purpose, SHA256: contentHash(set), Problems: append(problems, more...)}
	return func(ctx context.Context, tx *platform.Tx) error {
		var prior message.Prior
		if order.Number != "" {
			if prior, err = store.Prior(ctx, tx, x.Party, order.Number); err != nil {
				return err
			}
		}
		v := message.JudgeOrder(order, prior, p.SameOrderAgain == "ask")
		if v.Disposition != message.InProgress {
			return store.Settle(ctx, tx, x.ID, s.Index, v)
		}
		if err := store.ClaimOrder(ctx, tx, x.Party, order.Number, order.SHA256, x.ID, s.Index); err != nil {
			return err
		}
		if err := store.KeepRequest(ctx, tx, x.ID, s.Index, request); err != nil {
			return err
		}
		// The task's id is the request id: the interchange record with the set's place in it.
		payload := work(x.ID, s.Index)
		return tasks.Enqueue(ctx, tx, tasks.Task{
			ID: string(payload), Kind: orderTask, Subject: x.Party, Payload: payload, Effect: tasks.Keyed,
			Actor: t.Actor, Traceparent: t.Traceparent, After: t.After,
		})
	}, nil
}

func (a *App) settle(x message.Interchange, s message.Set, v message.Verdict) tasks.Done {
	return func(ctx context.Context, tx *platform.Tx) error { return store.Settle(ctx, tx, x.ID, s.Index, v) }
}

// read parses a set out of its document.
func (a *App) read(x message.Interchange, s message.Set) (x12.Set, error) {
	data, err := a.Documents.Section(x.Document, s.Offset, s.Length)
	if err != nil {
		return x12.Set{}, fmt.Errorf("set %d of document %s: %w", s.Index, x.Document, err)
	}
	f, err := x12.ParseBare(data, x12.Bare{Separators: x.Separators, Version: s.Version})
	if err != nil {
		return x12.Set{}, err
	}
	if len(f.Interchanges) != 1 || len(f.Interchanges[0].Groups) != 1 || len(f.Interchanges[0].Groups[0].Sets) != 1 {
		return x12.Set{}, fmt.Errorf("document %s has no single set at byte %d", x.Document, s.Offset)
	}
	return f.Interchanges[0].Groups[0].Sets[0], nil
}

// contentHash is of what a set says from its second segment to its last but one: control numbers and separators are the
// envelope's.
func contentHash(set x12.Set) [32]byte {
	body := set.Segments
	if n := len(body); n > 0 && body[0].ID == "ST" {
		body = body[1:]
	}
	if n := len(body); n > 0 && body[n-1].ID == "SE" {
		body = body[:n-1]
	}
	// Separators that cannot stand in data, so that no two contents have one text.
	text := x12.Set{Segments: body}.Text(x12.Separators{Element: "\x1d", Component: "\x1f", Repetition: "\x1e", Segment: "\x1c"})
	return sha256.Sum256([]byte(text))
}
