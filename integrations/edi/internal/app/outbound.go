package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/internal/profile"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/integrations/edi/x12"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
)

// Printer puts what a fact says into one of our sets.
type Printer interface {
	// Print returns the set of a draft with its functional identifier (GS01). original is the 850 that an order came as, nil when
	// it came another way. A *MissingError names resources of masterdata that have not been read.
	Print(ctx context.Context, r platform.Reader, d store.Draft, original func(party, number string) (*mapping.PurchaseOrder, error)) (set x12.Set, functionalID string, err error)
}

// MissingError names the resources of masterdata that a set of ours needs.
type MissingError struct{ Names []string }

// Error names them.
func (e *MissingError) Error() string {
	return "masterdata has not told of " + strings.Join(e.Names, ", ")
}

// UnfitError says that a fact cannot be put into a set, whatever comes.
type UnfitError struct{ Detail string }

// Error returns the reason in words.
func (e *UnfitError) Error() string { return e.Detail }

// Takes reports whether a party takes a set of ours.
func (a *App) Takes(party, set string) bool {
	_, ok := a.Profiles.Receives(party, set)
	return ok
}

// Draft keeps what is to be sent and asks for it to be written, in the change that applies the fact. It returns the id of the
// interchange to be.
func (a *App) Draft(ctx context.Context, tx *platform.Tx, d store.Draft) (string, error) {
	id := a.IDs.New("edi")
	if err := store.KeepDraft(ctx, tx, id, d); err != nil {
		return "", err
	}
	return id, enqueueWrite(ctx, tx, id, d.Party)
}

// enqueueWrite asks for a draft to be written. What cannot be written yet holds up no answer: its subject is not that of what is sent.
func enqueueWrite(ctx context.Context, tx *platform.Tx, id, party string) error {
	return tasks.Enqueue(ctx, tx, tasks.Task{ID: writeTask + ":" + id, Kind: writeTask, Subject: "write/" + party, Payload: work(id, 1), Effect: tasks.Keyed})
}

// patience is how often a draft is tried before a person hears of what it lacks: masterdata may only be late.
const patience = 3

// write makes the interchange of a draft: its bytes are on the disk before the change that draws its control number.
func (a *App) write(ctx context.Context, t tasks.Task) (tasks.Done, error) {
	id, _, err := parseWork(t)
	if err != nil {
		return nil, err
	}
	var d store.Draft
	var set x12.Set
	var functionalID string
	err = a.Store.View(ctx, func(r platform.Reader) (err error) {
		if d, err = store.DraftOf(ctx, r, id); err != nil {
			return err
		}
		set, functionalID, err = a.Printer.Print(ctx, r, d, func(party, number string) (*mapping.PurchaseOrder, error) {
			return a.original(ctx, r, party, number)
		})
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil // written already, or dropped
	}
	now := a.Clock.Now()
	p, ok := a.Profiles.Receives(d.Party, d.Set)
	if !ok {
		return nil, fmt.Errorf("no profile to send a %s to %s any more", d.Set, d.Party)
	}
	x, s := outgoing(id, d, p, now)
	var missing *MissingError
	var unfit *UnfitError
	switch {
	case errors.As(err, &missing):
		if t.Attempts < patience {
			return nil, err
		}
		v := message.Wait(message.MasterDataMissing, err.Error())
		for _, name := range missing.Names {
			v.Unmapped = append(v.Unmapped, message.Code{List: message.Masterdata, Code: name})
		}
		return a.hold(x, s, v), nil
	case errors.As(err, &unfit):
		return a.hold(x, s, message.Wait(message.MappingFailed, err.Error())), nil
	case err != nil:
		return nil, err
	}
	done, err := a.wrap(ctx, x, s, p, set, functionalID, now, t)
	if errors.As(err, &unfit) {
		return a.hold(x, s, message.Wait(message.MappingFailed, err.Error())), nil
	}
	return done, err
}

// outgoing are the records of a draft as far as they are known before it is written.
func outgoing(id string, d store.Draft, p profile.Profile, now time.Time) (message.Interchange, message.Set) {
	return message.Interchange{
		ID: id, Direction: message.Outbound, Party: d.Party, Sender: p.Us.Pair(), Receiver: p.Partner.Pair(), Usage: p.Usage,
		Disposition: message.Accepted, CreateTime: now, Sets: 1,
	}, message.Set{Index: 1, ID: d.Set, Disposition: message.InProgress, Related: d.Related}
}

func (a *App) hold(x message.Interchange, s message.Set, v message.Verdict) tasks.Done {
	return func(ctx context.Context, tx *platform.Tx) error {
		for _, c := range v.Unmapped {
			if ok, err := store.HasResource(ctx, tx, c.Code); err != nil || ok {
				return errors.Join(err, errMapped)
			}
		}
		return unlessDropped(store.Hold(ctx, tx, x, s, v))
	}
}

// unlessDropped: where a draft was dropped while it was being written, nothing is left to do.
func unlessDropped(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// wrap puts a set into an interchange under the mailbox's next control number.
func (a *App) wrap(ctx context.Context, x message.Interchange, s message.Set, p profile.Profile, set x12.Set, functionalID string, now time.Time, t tasks.Task) (tasks.Done, error) {
	var issued uint64
	err := a.Store.View(ctx, func(r platform.Reader) (err error) {
		issued, err = store.Issued(ctx, r, x.Sender, x.Receiver)
		return err
	})
	if err != nil {
		return nil, err
	}
	number := store.NextNumber(issued)
	out, err := p.Envelope().Wrap(functionalID, []x12.Set{set}, mapping.Numbers{Interchange: number, Group: number}, now)
	if err != nil {
		return nil, err
	}
	if err := a.keepOutgoing(&x, &s, out, store.ControlNumber(issued)); err != nil {
		return nil, err
	}
	x.AcknowledgeBy = now.Add(p.AcknowledgeWithin)
	return func(ctx context.Context, tx *platform.Tx) error {
		if err := store.Send(ctx, tx, x, s, issued); err != nil {
			return unlessDropped(err)
		}
		send := sending(x, s)
		timer := tasks.Task{ID: store.AckTimer(x.ID), Kind: ackTask, Subject: x.Name(), Payload: work(x.ID, 1), Effect: tasks.Keyed, Due: x.AcknowledgeBy}
		for _, next := range []tasks.Task{send, timer} {
			next.Actor, next.Traceparent, next.After = t.Actor, t.Traceparent, t.After
			if err := tasks.Enqueue(ctx, tx, next); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// keepOutgoing writes the bytes of an interchange of ours, reads them back, keeps them as a document and notes where the set
// stands in it.
func (a *App) keepOutgoing(x *message.Interchange, s *message.Set, out x12.Interchange, control string) error {
	var text bytes.Buffer
	// Data may hold one of our separators: a value of theirs that is quoted back, or a name.
	if _, err := x12.Write(&text, out, x12.Options{Outbound: true, Replace: "?"}); err != nil {
		return err
	}
	written, err := x12.Parse(text.Bytes())
	if err != nil {
		return fmt.Errorf("what we wrote cannot be read: %w", err)
	}
	// An acknowledgement quotes what is wrong with the partner's; nothing else of ours goes out that the standard finds fault with.
	broken := slices.IndexFunc(written.Findings, func(f x12.Finding) bool { return f.Severity == x12.Error })
	if broken >= 0 && s.ID != "997" {
		f := written.Findings[broken]
		return &UnfitError{Detail: message.Clean(f.Path()+": "+f.Text+" ("+f.Value+")", 400)}
	}
	sha, size, err := a.Documents.Keep(&text)
	if err != nil {
		return err
	}
	group := written.Interchanges[0].Groups[0]
	segments := group.Sets[0].Segments
	first, last := segments[0], segments[len(segments)-1]
	x.Control, x.Document, x.Size, x.Separators = control, sha, size, out.Format.Separators
	x.FileName = control + "-" + x.ID + "-" + s.ID + ".edi" // sorts as sent
	s.Control, s.Group, s.Version = group.Sets[0].Control(), group.Header.Get(6), group.Version()
	s.Offset, s.Length = first.Offset, last.Offset+int64(last.Length)+int64(len(out.Format.Segment))-first.Offset
	return nil
}

// original reads the 850 that a customer's order came as; nil when it came another way.
func (a *App) original(ctx context.Context, r platform.Reader, party, number string) (*mapping.PurchaseOrder, error) {
	at, err := store.OrderSet(ctx, r, party, number)
	if err != nil || at.Interchange == "" {
		return nil, err
	}
	x, err := store.Interchange(ctx, r, at.Interchange)
	if err != nil {
		return nil, err
	}
	s, err := store.SetOf(ctx, r, at.Interchange, at.Index)
	if err != nil {
		return nil, err
	}
	set, err := a.read(x, s)
	if err != nil {
		return nil, err
	}
	units, err := store.Codes(ctx, r, UnitList, party, x.CreateTime.UTC().Format(time.DateOnly), false)
	po, _ := mapping.In850(set, x.Separators, units)
	return &po, err
}

// overdue runs when one of ours should have been acknowledged.
func (a *App) overdue(_ context.Context, t tasks.Task) (tasks.Done, error) {
	id, _, err := parseWork(t)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *platform.Tx) error { return store.Overdue(ctx, tx, id) }, nil
}

// NotParkedError says that a set does not wait for a person.
type NotParkedError struct{ Disposition message.SetDisposition }

// Error says so.
func (e *NotParkedError) Error() string { return "the set does not wait for a person" }

// Retry judges a parked set again, or writes one of ours again.
func (a *App) Retry(ctx context.Context, cause platform.Cause, id string, index int) (platform.Position, error) {
	out, err := a.Store.Change(ctx, cause, func(tx *platform.Tx) ([]byte, error) {
		return nil, a.reopen(ctx, tx, id, index)
	})
	return out.Position, err
}

func (a *App) reopen(ctx context.Context, tx *platform.Tx, id string, index int) error {
	x, s, ok, err := store.Reopen(ctx, tx, id, index)
	if err != nil {
		return err
	}
	if !ok {
		return &NotParkedError{s.Disposition}
	}
	if x.Direction == message.Outbound {
		return enqueueWrite(ctx, tx, id, x.Party)
	}
	payload := work(id, index)
	return tasks.Enqueue(ctx, tx, tasks.Task{ID: judgeTask + ":" + string(payload), Kind: judgeTask, Subject: turn(x, s), Payload: payload, Effect: tasks.Keyed})
}

// Mapped judges the sets again that wait for a code, in the change that applies the code map. party is empty for one that holds for
// everybody.
func (a *App) Mapped(ctx context.Context, tx *platform.Tx, c message.Code, party string) error {
	if party == "" && c.List == ResponseList {
		return nil
	}
	waiting, err := store.Waiting(ctx, tx, c, party)
	if err != nil {
		return err
	}
	slices.SortFunc(waiting, store.ComparePlaces) // as they came
	for _, w := range waiting {
		if err := a.reopen(ctx, tx, w.Interchange, w.Index); err != nil {
			return err
		}
	}
	return nil
}
