package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/integrations/edi/internal/store"
	"crossdock.dev/integrations/edi/internal/transport"
	"crossdock.dev/integrations/edi/mapping"
	"crossdock.dev/platform/failpoint"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
	"crossdock.dev/platform/telemetry"
	"crossdock.dev/platform/typeid"
)

// Step takes the next file of the inbox in: one that a restart left half done, else the first by name.
func (a *App) Step(ctx context.Context, now time.Time) (progress bool, err error) {
	claimed, err := a.Inbox.Claimed()
	if err != nil {
		return false, err
	}
	var c transport.Claim
	if len(claimed) > 0 {
		c = claimed[0]
	} else {
		name, err := a.Inbox.First()
		if err != nil || name == "" {
			return false, err
		}
		failpoint.Hit("edi.inbox.claim.before")
		if c, err = a.Inbox.Claim(a.IDs.New("dlv"), name); err != nil {
			return false, err
		}
	}
	failpoint.Hit("edi.inbox.claim.after")
	cause := platform.Cause{Principal: "service/edi", Method: "inbox"}
	if _, err := a.take(ctx, c, cause, now); err != nil {
		return false, fmt.Errorf("take %s in: %w", c.Name, err)
	}
	failpoint.Hit("edi.inbox.done.before")
	err = a.Inbox.Finish(c)
	failpoint.Hit("edi.inbox.done.after")
	return true, err
}

// Submission is a file that came by a call.
type Submission struct {
	Cause    platform.Cause
	FileName string
	Content  []byte
}

// Submit takes a file in as the inbox does, and returns the ids of its interchanges and the position of the last. The same
// request again answers the same; its id stays taken for ever.
func (a *App) Submit(ctx context.Context, in Submission) (ids []string, at platform.Position, err error) {
	id := typeid.Derive("dlv", in.Cause.Principal, in.Cause.RequestID)
	c, err := a.place(ctx, id, in)
	if err != nil {
		return nil, at, err
	}
	cause := in.Cause
	cause.RequestID, cause.Fingerprint = "", nil // the delivery remembers the request
	if at, err = a.take(ctx, c, cause, a.Clock.Now()); err != nil {
		return nil, at, err
	}
	if err := a.Inbox.Finish(c); err != nil {
		return nil, at, err
	}
	err = a.Store.View(ctx, func(r platform.Reader) (err error) {
		ids, err = store.Delivered(ctx, r, id)
		return err
	})
	return ids, at, err
}

// place writes a submission where claimed files stand, unless an earlier try has.
func (a *App) place(ctx context.Context, id string, in Submission) (transport.Claim, error) {
	claimed, err := a.Inbox.Claimed()
	if err != nil {
		return transport.Claim{}, err
	}
	for _, c := range claimed {
		if c.ID != id {
			continue
		}
		same, err := holds(c, in.Content)
		if err == nil && !same {
			err = platform.ErrRequestIDReused
		}
		return c, err
	}
	var d store.Delivery
	err = a.Store.View(ctx, func(r platform.Reader) (err error) {
		d, err = store.DeliveryOf(ctx, r, id)
		return err
	})
	if err == nil { // recorded, and its file moved to the others that are done
		if d.Document != hash(in.Content) {
			return transport.Claim{}, platform.ErrRequestIDReused
		}
		if d.Complete {
			return transport.Claim{ID: id, Name: d.FileName}, nil
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return transport.Claim{}, err
	}
	return a.Inbox.Place(id, in.FileName, in.Content)
}

func holds(c transport.Claim, content []byte) (same bool, err error) {
	f, err := c.Open()
	if err != nil {
		return false, err
	}
	have, err := io.ReadAll(f)
	return bytes.Equal(have, content), errors.Join(err, f.Close())
}

func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// take records the interchanges of a claimed file, each in a change of its own, from where an earlier try stopped.
func (a *App) take(ctx context.Context, c transport.Claim, cause platform.Cause, now time.Time) (at platform.Position, err error) {
	d, err := a.delivery(ctx, c.ID)
	if err != nil || d.Complete {
		return a.Store.Last(), err
	}
	sha, size, err := a.keep(c)
	if errors.Is(err, os.ErrNotExist) {
		// Somebody else has just finished it.
		if d, derr := a.delivery(ctx, c.ID); derr == nil && d.Complete {
			return a.Store.Last(), nil
		}
	}
	if err != nil {
		return at, err
	}
	if d.ID != "" && d.Document != sha {
		return at, fmt.Errorf("%s was begun with other content, document %s", c.ID, d.Document)
	}
	doc, _, err := a.Documents.Open(sha)
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, doc.Close()) }()

	scanner := message.NewScanner(doc, size, a.Profiles)
	for range d.Interchanges {
		if _, err := scanner.Next(); err != nil {
			return at, fmt.Errorf("interchange that was read before: %w", err)
		}
	}
	d = store.Delivery{ID: c.ID, Document: sha, Size: size, FileName: message.Clean(c.Name, 200), Interchanges: d.Interchanges}
	found, err := scanner.Next()
	for err == nil {
		next, end := scanner.Next()
		d.Interchanges++
		d.Complete = end == io.EOF
		if at, err = a.takeOne(ctx, d, found, cause, now); err != nil {
			return at, err
		}
		found, err = next, end
	}
	if err != io.EOF {
		return at, err
	}
	return at, nil
}

func (a *App) delivery(ctx context.Context, id string) (d store.Delivery, err error) {
	err = a.Store.View(ctx, func(r platform.Reader) (err error) {
		d, err = store.DeliveryOf(ctx, r, id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return store.Delivery{}, nil
	}
	return d, err
}

// keep stores the file as a document before anybody tries to understand it.
func (a *App) keep(c transport.Claim) (sha string, size int64, err error) {
	f, err := c.Open()
	if err != nil {
		return "", 0, err
	}
	sha, size, err = a.Documents.Keep(f)
	return sha, size, errors.Join(err, f.Close())
}

// takeOne records one interchange. What the record is made up from may change meanwhile, when two files of a partner are taken in
// at once: then it is made up anew.
func (a *App) takeOne(ctx context.Context, d store.Delivery, found message.Scanned, cause platform.Cause, now time.Time) (platform.Position, error) {
	trace, err := telemetry.NewTrace(a.Rand)
	if err != nil {
		return platform.Position{}, err
	}
	if cause.Traceparent == "" {
		cause.Traceparent = trace.String()
	}
	if cause.Actor == "" && found.Known {
		cause.Actor = "partner/" + strings.TrimPrefix(found.Profile.Party, "parties/")
	}
	cause.ReceiveTime = now
	for {
		if done, err := a.delivery(ctx, d.ID); err != nil || done.Interchanges >= d.Interchanges {
			return a.Store.Last(), err // by somebody else
		}
		in, err := a.intake(ctx, d, found, now)
		if err != nil {
			return platform.Position{}, err
		}
		out, err := a.Store.Change(ctx, cause, func(tx *platform.Tx) ([]byte, error) {
			if err := store.TakeIn(ctx, tx, in); err != nil {
				return nil, err
			}
			return nil, a.enqueue(ctx, tx, in, cause)
		})
		if !errors.Is(err, store.ErrMoved) {
			return out.Position, err
		}
	}
}

// intake decides about an interchange and writes the answers to it.
func (a *App) intake(ctx context.Context, d store.Delivery, found message.Scanned, now time.Time) (store.Intake, error) {
	in := store.Intake{Delivery: d, SHA256: found.SHA256}
	var fenced error // what is not answered needs no number
	err := a.Store.View(ctx, func(r platform.Reader) (err error) {
		if in.Seen, err = store.Seen(ctx, r, found.Head); err != nil {
			return err
		}
		if in.Issued, err = store.Issued(ctx, r, found.Head.Receiver, found.Head.Sender); errors.Is(err, platform.ErrFenced) {
			fenced, err = err, nil
		}
		return err
	})
	if err != nil {
		return in, err
	}
	x, sets := message.Judge(found, in.Seen)
	x.ID, x.Document, x.FileName, x.CreateTime = a.IDs.New("edi"), d.Document, d.FileName, now
	for _, s := range found.Sets {
		in.Acks = append(in.Acks, s.Acks...)
	}
	if x.Answers() {
		if fenced != nil && len(found.Groups) > 0 {
			return in, fenced
		}
		for i, g := range found.Groups {
			answer, err := a.answer(x, found, g, in.Issued+uint64(i), now)
			if err != nil {
				return in, fmt.Errorf("answer group %s: %w", g.Control, err)
			}
			for _, s := range sets {
				if s.Group == g.Control {
					answer.Set.Relate(s.Related...)
				}
			}
			in.Answers = append(in.Answers, answer)
		}
		if len(in.Answers) > 0 {
			x.Answer = in.Answers[0].Interchange.ID
		}
	}
	in.Interchange, in.Sets = x, sets
	return in, nil
}

// answer makes the 997 of a group and keeps its bytes.
func (a *App) answer(x message.Interchange, found message.Scanned, g message.ScannedGroup, issued uint64, now time.Time) (store.Answer, error) {
	number := store.NextNumber(issued)
	out, err := mapping.Ack997(found.Profile.Envelope(), g.Ack, mapping.Numbers{Interchange: number, Group: number}, now)
	if err != nil {
		return store.Answer{}, err
	}
	ours := store.Answer{
		Interchange: message.Interchange{
			ID: a.IDs.New("edi"), Direction: message.Outbound, Party: found.Profile.Party, Sender: x.Receiver, Receiver: x.Sender,
			Usage: found.Profile.Usage, Disposition: message.Accepted, Answer: x.ID, CreateTime: now, Sets: 1,
		},
		Set: message.Set{Index: 1, ID: "997", Disposition: message.InProgress, AckCode: g.Ack.Code},
	}
	err = a.keepOutgoing(&ours.Interchange, &ours.Set, out, store.ControlNumber(issued))
	return ours, err
}

// enqueue asks for what follows: the answers first, then each set on its way. Our interchanges to one party go in order.
func (a *App) enqueue(ctx context.Context, tx *platform.Tx, in store.Intake, cause platform.Cause) error {
	add := func(t tasks.Task) error {
		t.Actor, t.Traceparent, t.After = cause.Actor, cause.Traceparent, cause.After
		return tasks.Enqueue(ctx, tx, t)
	}
	for _, answer := range in.Answers {
		if err := add(sending(answer.Interchange, answer.Set)); err != nil {
			return err
		}
	}
	for _, s := range in.Sets {
		if s.Disposition != message.InProgress {
			continue
		}
		payload := work(in.Interchange.ID, s.Index)
		err := add(tasks.Task{ID: judgeTask + ":" + string(payload), Kind: judgeTask, Subject: turn(in.Interchange, s), Payload: payload, Effect: tasks.Keyed})
		if err != nil {
			return err
		}
	}
	return nil
}
