package app

import (
	"context"
	"errors"
	"io"
	"time"

	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/store"
	"crossdock.dev/platform/tasks"
	"crossdock.dev/platform/typeid"
	"crossdock.dev/services/edge/internal/send"
	edgestore "crossdock.dev/services/edge/internal/store"
	"crossdock.dev/services/edge/internal/webhook"
)

// Sender makes one attempt. *send.Sender is one.
type Sender interface {
	Send(ctx context.Context, m send.Message) (webhook.Attempt, error)
}

// WebhooksConfig is what the verbs of webhooks work with; all of it is required.
type WebhooksConfig struct {
	Store    *store.Store
	Business clock.Business
	// Machine measures when a delivery is tried again.
	Machine clock.Machine
	IDs     typeid.Source
	// Random gives secrets; safe for use from many goroutines.
	Random io.Reader
	Reach  webhook.Reach
	Sender Sender
}

// Webhooks are the verbs of endpoints and deliveries. A delivery is made in the transaction of the fact that it tells, with a task
// that sends it; an attempt that fails ends the task, and the delivery waits in the store until machine time has come for another.
type Webhooks struct {
	c WebhooksConfig

	// Of Step alone, machine times: its last, until when what waits is held against the schedule, and when that was done last.
	last, doubt, held time.Time
}

// NewWebhooks makes the verbs.
func NewWebhooks(c WebhooksConfig) *Webhooks { return &Webhooks{c: c} }

// CreateWebhookInput asks for an endpoint.
type CreateWebhookInput struct {
	Cause       store.Cause
	Party       string
	URL         string
	Events      []string
	DisplayName string
}

// Endpoint is an endpoint and, for the first of equal requests that make a secret, the secret.
type Endpoint struct {
	webhook.Endpoint
	Secret   webhook.Secret
	Repeated bool // there is no secret
	Position store.Position
}

// Create makes an endpoint. As with keys, the stored answer holds no secret.
func (w *Webhooks) Create(ctx context.Context, in CreateWebhookInput) (Endpoint, error) {
	secret, err := webhook.NewSecret(w.c.Random)
	if err != nil {
		return Endpoint{}, err
	}
	n := webhook.New{ID: w.c.IDs.New("whk"), Party: in.Party, URL: in.URL, Events: in.Events, DisplayName: in.DisplayName, Reach: w.c.Reach}
	at := w.c.Business.Now()
	return w.change(ctx, in.Cause, secret, func(tx *store.Tx) (webhook.Endpoint, error) {
		others, err := edgestore.EndpointsOf(ctx, tx, in.Party)
		if err != nil {
			return webhook.Endpoint{}, err
		}
		n := n
		for _, other := range others {
			if other.State != webhook.Disabled {
				n.Others++
			}
		}
		e, facts, err := webhook.Create(n, at)
		if err != nil {
			return e, err
		}
		if err := edgestore.SaveSecrets(ctx, tx, e.ID, webhook.Secrets{Current: secret}); err != nil {
			return e, err
		}
		return e, edgestore.SaveEndpoint(ctx, tx, e, facts...)
	})
}

// WebhookInput names an endpoint.
type WebhookInput struct {
	Cause store.Cause
	ID    string
	// Sees reports whether the caller sees what is this party's; ErrNotFound when it does not.
	Sees func(party string) bool
}

// Roll gives an endpoint a new secret. The one before signs too for a day.
func (w *Webhooks) Roll(ctx context.Context, in WebhookInput) (Endpoint, error) {
	secret, err := webhook.NewSecret(w.c.Random)
	if err != nil {
		return Endpoint{}, err
	}
	machine := w.c.Machine.Now()
	return w.do(ctx, in, webhook.VerbRoll, secret, func(tx *store.Tx) error {
		s, err := edgestore.Secrets(ctx, tx, in.ID)
		if err != nil {
			return err
		}
		return edgestore.SaveSecrets(ctx, tx, in.ID, s.Roll(secret, machine))
	})
}

// Disable ends sending to an endpoint. What waits for its next attempt fails when its time comes.
func (w *Webhooks) Disable(ctx context.Context, in WebhookInput) (Endpoint, error) {
	return w.do(ctx, in, webhook.VerbDisable, webhook.Secret{}, nil)
}

// Enable sends to an endpoint what happens from now on.
func (w *Webhooks) Enable(ctx context.Context, in WebhookInput) (Endpoint, error) {
	return w.do(ctx, in, webhook.VerbEnable, webhook.Secret{}, nil)
}

// do is a verb of an endpoint, and what else belongs into its change.
func (w *Webhooks) do(ctx context.Context, in WebhookInput, v webhook.Verb, secret webhook.Secret, also func(tx *store.Tx) error) (Endpoint, error) {
	at := w.c.Business.Now()
	return w.change(ctx, in.Cause, secret, func(tx *store.Tx) (webhook.Endpoint, error) {
		e, err := visible(ctx, tx, in.ID, in.Sees)
		if err != nil {
			return e, err
		}
		e, facts, err := e.Do(v, at)
		if err != nil || len(facts) == 0 {
			return e, err
		}
		if also != nil {
			if err := also(tx); err != nil {
				return e, err
			}
		}
		return e, edgestore.SaveEndpoint(ctx, tx, e, facts...)
	})
}

func (w *Webhooks) change(ctx context.Context, c store.Cause, secret webhook.Secret, fn func(tx *store.Tx) (webhook.Endpoint, error)) (Endpoint, error) {
	out, err := w.c.Store.Change(ctx, c, func(tx *store.Tx) ([]byte, error) {
		e, err := fn(tx)
		if err != nil {
			return nil, err
		}
		return edgestore.EncodeEndpoint(e)
	})
	if err != nil {
		return Endpoint{}, err
	}
	e, err := edgestore.DecodeEndpoint(out.Answer)
	if err != nil {
		return Endpoint{}, err
	}
	if out.Repeated {
		secret = webhook.Secret{}
	}
	return Endpoint{Endpoint: e, Secret: secret, Repeated: out.Repeated, Position: out.Position}, nil
}

// visible reads an endpoint; one that the caller does not see is not there.
func visible(ctx context.Context, r store.Reader, id string, sees func(string) bool) (webhook.Endpoint, error) {
	e, err := edgestore.Endpoint(ctx, r, id)
	if err == nil && !sees(e.Party) {
		return webhook.Endpoint{}, edgestore.ErrNotFound
	}
	return e, err
}

// Get reads an endpoint.
func (w *Webhooks) Get(ctx context.Context, id string, sees func(string) bool) (e webhook.Endpoint, err error) {
	err = w.c.Store.View(ctx, func(r store.Reader) error {
		e, err = visible(ctx, r, id, sees)
		return err
	})
	return e, err
}

// List returns up to n endpoints of a party, or of all when it is empty, newest first, that are older than the one with id before.
func (w *Webhooks) List(ctx context.Context, party, before string, n int) (list []webhook.Endpoint, err error) {
	err = w.c.Store.View(ctx, func(r store.Reader) error {
		list, err = edgestore.EndpointPage(ctx, r, party, before, n)
		return err
	})
	return list, err
}

// Deliveries returns up to n deliveries to an endpoint, newest first, after a place, and the place of each.
func (w *Webhooks) Deliveries(ctx context.Context, id string, sees func(string) bool, after []byte, n int) (list []webhook.Delivery, places [][]byte, err error) {
	err = w.c.Store.View(ctx, func(r store.Reader) error {
		if _, err := visible(ctx, r, id, sees); err != nil {
			return err
		}
		list, places, err = edgestore.DeliveryPage(ctx, r, id, after, n)
		return err
	})
	return list, places, err
}

// ResendInput names a delivery.
type ResendInput struct {
	Cause        store.Cause
	Endpoint, ID string
	Sees         func(party string) bool
}

// Resend sends a delivery again, at once; *webhook.TransitionError when the endpoint is disabled.
func (w *Webhooks) Resend(ctx context.Context, in ResendInput) (webhook.Delivery, store.Position, error) {
	codec := store.Codec[webhook.Delivery]{Encode: edgestore.EncodeDelivery, Decode: edgestore.DecodeDelivery}
	return store.Change(ctx, w.c.Store, in.Cause, codec, func(tx *store.Tx) (webhook.Delivery, error) {
		e, err := visible(ctx, tx, in.Endpoint, in.Sees)
		if err != nil {
			return webhook.Delivery{}, err
		}
		before, err := edgestore.Delivery(ctx, tx, in.ID)
		if err != nil {
			return before, err
		}
		if before.Endpoint != e.ID {
			return before, edgestore.ErrNotFound
		}
		if e.State == webhook.Disabled {
			return before, &webhook.TransitionError{What: "to an endpoint", From: e.State.String(), Verb: webhook.VerbResend}
		}
		d, err := before.Resend()
		if err != nil {
			return d, err
		}
		return d, w.queue(ctx, tx, before, d)
	})
}

// Kind is that of the tasks which send a delivery; the task's id is the delivery's.
const Kind = "webhook"

// queue saves a delivery that is to be sent at once. The tasks of one endpoint take turns, so a slow one holds up nobody else.
func (w *Webhooks) queue(ctx context.Context, tx *store.Tx, before, d webhook.Delivery) error {
	if err := edgestore.SaveDelivery(ctx, tx, before, d); err != nil {
		return err
	}
	return tasks.Enqueue(ctx, tx, tasks.Task{ID: d.ID, Kind: Kind, Subject: "webhooks/" + d.Endpoint, Effect: tasks.Keyed})
}

// Notice makes the deliveries of an event in the transaction of the fact that it tells. fact names that fact for ever, so that an
// event is told once however often its fact is read. received is when the suite heard of it (business time): an endpoint is not told
// what is older than itself. told says that there was somebody to tell.
func (w *Webhooks) Notice(ctx context.Context, tx *store.Tx, fact string, received time.Time, e webhook.Event) (told bool, err error) {
	endpoints, err := edgestore.EndpointsOf(ctx, tx, e.Party)
	if err != nil {
		return false, err
	}
	for _, to := range endpoints {
		if !to.Wants(e.Type) || received.Before(to.CreateTime) {
			continue
		}
		id := typeid.Derive("whd", to.ID, fact, e.Type)
		_, err := edgestore.Delivery(ctx, tx, id)
		if err == nil {
			continue // told before
		}
		if !errors.Is(err, edgestore.ErrNotFound) {
			return false, err
		}
		news, err := isNews(ctx, tx, to, e)
		if err != nil {
			return false, err
		}
		if !news {
			continue
		}
		d, err := webhook.NewDelivery(id, to, e, w.c.Business.Now())
		if err != nil {
			return false, err
		}
		if err := w.queue(ctx, tx, webhook.Delivery{}, d); err != nil {
			return false, err
		}
		told = true
	}
	return told, nil
}

// isNews reports whether an endpoint has not been told this of a promise: the fact is told for other reasons too. An event without
// a promise always is.
func isNews(ctx context.Context, tx *store.Tx, to webhook.Endpoint, e webhook.Event) (bool, error) {
	if e.Data.Promise == nil {
		return true, nil
	}
	was, ok, err := edgestore.Told(ctx, tx, to.ID, e.Resource)
	if err != nil {
		return false, err
	}
	is := *e.Data.Promise
	if !ok { // it knows what was promised when the order was confirmed
		was = webhook.Promise{DeliverBy: is.DeliverBy}
	}
	if !is.Differs(was) {
		return false, nil
	}
	return true, edgestore.SaveTold(ctx, tx, to.ID, e.Resource, is)
}

// Deliver is the handler of the tasks: one attempt, whose outcome ends the task.
func (w *Webhooks) Deliver(ctx context.Context, t tasks.Task) (tasks.Done, error) {
	var d webhook.Delivery
	var e webhook.Endpoint
	var secrets webhook.Secrets
	err := w.c.Store.View(ctx, func(r store.Reader) (err error) {
		if d, err = edgestore.Delivery(ctx, r, t.ID); err != nil {
			return err
		}
		if e, err = edgestore.Endpoint(ctx, r, d.Endpoint); err != nil {
			return err
		}
		secrets, err = edgestore.Secrets(ctx, r, d.Endpoint)
		return err
	})
	if err != nil || d.State != webhook.Pending {
		return nil, err
	}
	now := w.c.Machine.Now()
	a := webhook.Attempt{Start: now.UTC(), Error: webhook.ErrDisabled}
	if e.State != webhook.Disabled {
		if a, err = w.c.Sender.Send(ctx, send.Message{ID: d.ID, URL: e.URL, Body: d.Body, Secrets: secrets.At(now)}); err != nil {
			return nil, err
		}
	}
	at := w.c.Business.Now()
	return func(ctx context.Context, tx *store.Tx) error { return w.record(ctx, tx, d.ID, a, at) }, nil
}

// record records an attempt, and what it means to the endpoint; at is business time.
func (w *Webhooks) record(ctx context.Context, tx *store.Tx, id string, a webhook.Attempt, at time.Time) error {
	before, err := edgestore.Delivery(ctx, tx, id)
	if err != nil {
		return err
	}
	e, err := edgestore.Endpoint(ctx, tx, before.Endpoint)
	if err != nil {
		return err
	}
	d, err := before.Tried(a)
	if err != nil {
		return err
	}
	var facts []webhook.Fact
	if d.State == webhook.Failed {
		facts = append(facts, webhook.GivenUp{Delivery: d, Party: e.Party})
	}
	if err := edgestore.SaveDelivery(ctx, tx, before, d, facts...); err != nil {
		return err
	}
	var v webhook.Verb
	switch {
	case d.State == webhook.Delivered:
		v = webhook.VerbSucceed
	case a.Verb() == webhook.VerbGone:
		v = webhook.VerbGone
	case d.State == webhook.Failed && a.Verb() == webhook.VerbRefuse:
		v = webhook.VerbFail
	default:
		return nil
	}
	e, changed, err := e.Do(v, at)
	if err != nil || len(changed) == 0 {
		return err
	}
	return edgestore.SaveEndpoint(ctx, tx, e, changed...)
}

// batch is how many deliveries one Step takes on.
const batch = 64

// Step puts deliveries whose time has come back into the queue, those too that the machine's clock, set back, would hold up, and forgets
// those that came to their end long ago. The time is the machine's; now is not looked at.
func (w *Webhooks) Step(ctx context.Context, _ time.Time) (progress bool, err error) {
	machine := w.c.Machine.Now()
	due, old := func(r store.Reader) ([]webhook.Delivery, error) {
		return edgestore.Waiting(ctx, r, machine, batch)
	}, func(r store.Reader) ([]webhook.Delivery, error) {
		return edgestore.Ended(ctx, r, machine.Add(-webhook.Keep), batch)
	}
	queue := func(tx *store.Tx, before webhook.Delivery) error {
		d := before
		d.Next = time.Time{}
		return w.queue(ctx, tx, before, d)
	}
	again, err := w.sweep(ctx, "webhooks/due", due, queue)
	if err != nil || again {
		return again, err
	}
	if w.doubts(machine) {
		again, err := w.sweep(ctx, "webhooks/set-back", func(r store.Reader) ([]webhook.Delivery, error) {
			return edgestore.Overlong(ctx, r, machine, batch)
		}, queue)
		if err != nil || again {
			w.held = time.Time{} // at once again
			return again, err
		}
	}
	return w.sweep(ctx, "webhooks/forget", old, func(tx *store.Tx, d webhook.Delivery) error { return edgestore.RemoveDelivery(ctx, tx, d) })
}

// Once the time of day was set back, or may have been while the program was down, what waits is held against the schedule once a second
// for a minute: an attempt that was under way is recorded by then.
const (
	doubtFor   = time.Minute
	doubtEvery = time.Second
)

// doubts says whether that is to be done now.
func (w *Webhooks) doubts(now time.Time) bool {
	if w.last.IsZero() || now.Round(0).Before(w.last.Round(0)) { // Round leaves the time of day alone
		w.doubt, w.held = now.Add(doubtFor), time.Time{}
	}
	w.last = now
	if !now.Before(w.doubt) || !w.held.IsZero() && now.Sub(w.held) < doubtEvery {
		return false
	}
	w.held = now
	return true
}

// sweep does something with each of some deliveries in one change; found says that there were any.
func (w *Webhooks) sweep(ctx context.Context, method string, find func(store.Reader) ([]webhook.Delivery, error), do func(*store.Tx, webhook.Delivery) error) (found bool, err error) {
	err = w.c.Store.View(ctx, func(r store.Reader) error {
		list, err := find(r)
		found = len(list) > 0
		return err
	})
	if err != nil || !found {
		return false, err
	}
	self := "service/" + edgestore.Service
	_, err = w.c.Store.Change(ctx, store.Cause{Principal: self, Method: method, Actor: self}, func(tx *store.Tx) ([]byte, error) {
		list, err := find(tx) // as it stands in this change
		if err != nil {
			return nil, err
		}
		for _, d := range list {
			if err := do(tx, d); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	return err == nil, err
}
