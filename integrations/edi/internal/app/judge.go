package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/internal/profile"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
)

// maxSet bounds the bytes of a set that is held whole to be mapped: an order has a thousand lines at most. A bill is read segment by
// segment and may have any size.
const maxSet = 4 << 20

// Lists of masterdata's code maps.
const (
	UnitList     = "x12/355" // units, X12 data element 355
	ChargeList   = mapping.ListCharge
	StatusList   = mapping.ListStatus
	StopList     = mapping.ListAppointment
	ResponseList = mapping.ListResponse
)

// Lists are the lists that this adapter uses.
var Lists = []string{UnitList, ChargeList, StatusList, StopList, ResponseList}

// judge maps a set and decides about it.
func (a *App) judge(ctx context.Context, t tasks.Task) (tasks.Done, error) {
	x, s, err := a.load(ctx, t)
	if err != nil || s.Disposition != message.InProgress {
		return nil, err
	}
	p, ok := a.Profiles.Find(x.Sender, x.Receiver)
	if !ok {
		return nil, fmt.Errorf("no profile for sender %s and receiver %s any more", x.Sender, x.Receiver)
	}
	if s.ID == "210" {
		bill, err := a.readBill(x, s)
		if err != nil {
			return nil, err
		}
		return a.handOn(t, x, s, func(ctx context.Context, tx *platform.Tx) (message.Verdict, []byte, error) {
			return a.judgeBill(ctx, tx, x, s, p, bill)
		}), nil
	}
	if s.Length > maxSet {
		return a.settle(x, s, message.Wait(message.MappingFailed, fmt.Sprintf("the set has %d bytes, the most is %d", s.Length, maxSet))), nil
	}
	set, err := a.read(x, s)
	if err != nil {
		return nil, err
	}
	switch s.ID {
	case "850":
		return a.judgeOrder(ctx, t, x, s, p, set)
	case "990":
		return a.handOn(t, x, s, func(ctx context.Context, tx *platform.Tx) (message.Verdict, []byte, error) {
			return a.judgeResponse(ctx, tx, x, s, set)
		}), nil
	case "214":
		return a.handOn(t, x, s, func(ctx context.Context, tx *platform.Tx) (message.Verdict, []byte, error) {
			return a.judgeStatus(ctx, tx, x, s, p, set)
		}), nil
	}
	return nil, tasks.Permanent(fmt.Errorf("set %s is not handled", s.ID))
}

// errMapped: a code was mapped while a set was judged without it.
var errMapped = errors.New("a code map has come meanwhile")

// judgeOrder decides about an 850.
func (a *App) judgeOrder(ctx context.Context, t tasks.Task, x message.Interchange, s message.Set, p profile.Profile, set x12.Set) (tasks.Done, error) {
	day := x.CreateTime.UTC().Format(time.DateOnly)
	var units map[string]string
	err := a.Store.View(ctx, func(r platform.Reader) (err error) {
		units, err = store.Codes(ctx, r, UnitList, x.Party, day, false)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(units) == 0 {
		// A new install has not read its first code map yet: that is no fault of the message.
		return nil, fmt.Errorf("no code map of list %s has been read from masterdata", UnitList)
	}
	po, problems := mapping.In850(set, x.Separators, units)
	request, more := a.Orders.Request(po, Origin{Customer: x.Party, Currency: p.Currency, Source: message.SetName(x.ID, s.Index)})
	order := message.Order{Number: s.OrderNumber(), Purpose: po.Purpose, SHA256: contentHash(set), Problems: append(problems, more...)}
	var unmapped []message.Code
	for _, l := range po.Lines {
		if c := (message.Code{List: UnitList, Code: message.Clean(l.UnitX12, 40)}); l.Unit == "" && c.Code != "" && !slices.Contains(unmapped, c) {
			unmapped = append(unmapped, c)
		}
	}
	return func(ctx context.Context, tx *platform.Tx) error {
		var prior message.Prior
		if order.Number != "" {
			if prior, err = store.Prior(ctx, tx, x.Party, order.Number); err != nil {
				return err
			}
		}
		v := message.JudgeOrder(order, prior, p.SameOrderAgain == "ask")
		if v.Code == message.MappingFailed {
			v.Unmapped = unmapped
		}
		if v.Disposition != message.InProgress {
			now, err := store.Codes(ctx, tx, UnitList, x.Party, day, false)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(v.Unmapped, func(c message.Code) bool { return now[c.Code] != "" }) {
				return errMapped
			}
			return store.Settle(ctx, tx, x.ID, s.Index, v)
		}
		if err := store.ClaimOrder(ctx, tx, x.Party, order.Number, order.SHA256, x.ID, s.Index); err != nil {
			return err
		}
		return a.handTo(ctx, tx, orderTask, t, x, s, request)
	}, nil
}

// handOn decides about a set in the change that records the decision, and asks for its request to be sent.
func (a *App) handOn(t tasks.Task, x message.Interchange, s message.Set, decide func(context.Context, *platform.Tx) (message.Verdict, []byte, error)) tasks.Done {
	return func(ctx context.Context, tx *platform.Tx) error {
		v, request, err := decide(ctx, tx)
		if err != nil {
			return err
		}
		if v.Disposition != message.InProgress {
			return store.Settle(ctx, tx, x.ID, s.Index, v)
		}
		return a.handTo(ctx, tx, carrierTask, t, x, s, request)
	}
}

// handTo keeps a request and asks for it to be sent. The task's id is the request id: the interchange record with the set's
// place in it.
func (a *App) handTo(ctx context.Context, tx *platform.Tx, kind string, t tasks.Task, x message.Interchange, s message.Set, request []byte) error {
	if err := store.KeepRequest(ctx, tx, x.ID, s.Index, request); err != nil {
		return err
	}
	payload := work(x.ID, s.Index)
	return tasks.Enqueue(ctx, tx, tasks.Task{
		ID: string(payload), Kind: kind, Subject: turn(x, s), Payload: payload, Effect: tasks.Keyed,
		Actor: t.Actor, Traceparent: t.Traceparent, After: t.After,
	})
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
