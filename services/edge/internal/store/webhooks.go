package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	storagev1 "crossdock.dev/gen/crossdock/edge/storage/v1"
	edgev1 "crossdock.dev/gen/crossdock/edge/v1"
	"crossdock.dev/platform/store"
	"crossdock.dev/services/edge/internal/webhook"
)

func partyKey(e webhook.Endpoint) []byte { return store.Key(e.Party, e.ID) }

func timeKey(d webhook.Delivery) []byte {
	return store.Key(d.Endpoint, uint64(d.CreateTime.UnixNano()), d.ID)
}

func waitingKey(d webhook.Delivery) []byte {
	return store.Key(uint64(d.Next.UnixNano()), d.ID)
}

func endedKey(d webhook.Delivery) []byte {
	return store.Key(uint64(d.End().UnixNano()), d.ID)
}

// index calls put for every derived row of a delivery.
func index(d webhook.Delivery, put func(b *store.Bucket, key []byte) error) error {
	err := put(deliveryByTime, timeKey(d))
	if err == nil && !d.Next.IsZero() {
		err = put(deliveryWaiting, waitingKey(d))
	}
	if err == nil && !d.End().IsZero() {
		err = put(deliveryEnded, endedKey(d))
	}
	return err
}

// Endpoint reads an endpoint by its id.
func Endpoint(ctx context.Context, r store.Reader, id string) (webhook.Endpoint, error) {
	rec, err := webhookTable.Get(ctx, r, store.Key(id))
	if err != nil {
		return webhook.Endpoint{}, err
	}
	return endpointOf(rec)
}

// EndpointsOf reads the endpoints of a party, oldest first, disabled ones too.
func EndpointsOf(ctx context.Context, r store.Reader, party string) ([]webhook.Endpoint, error) {
	var out []webhook.Endpoint
	prefix := store.Key(party)
	rg := store.Prefix(prefix)
	for {
		rows, err := r.Scan(ctx, webhookByParty, rg)
		if err != nil || len(rows) == 0 {
			return out, err
		}
		for _, row := range rows {
			rec, err := webhookTable.Get(ctx, r, row.Key[len(prefix):])
			if err != nil {
				return nil, fmt.Errorf("endpoint of %s: %w", party, err)
			}
			e, err := endpointOf(rec)
			if err != nil {
				return nil, err
			}
			out = append(out, e)
		}
		rg.From = append(bytes.Clone(rows[len(rows)-1].Key), 0)
	}
}

// EndpointPage reads up to n endpoints of a party, or of all when it is empty, newest first, that are older than the one with id
// before; all when that is empty.
func EndpointPage(ctx context.Context, r store.Reader, party, before string, n int) ([]webhook.Endpoint, error) {
	var prefix []byte
	bucket := webhooks
	if party != "" {
		prefix, bucket = store.Key(party), webhookByParty
	}
	rg := store.Prefix(prefix)
	rg.Reverse, rg.Limit = true, n
	if before != "" {
		rg.To = append(bytes.Clone(prefix), store.Key(before)...)
	}
	rows, err := r.Scan(ctx, bucket, rg)
	if err != nil {
		return nil, err
	}
	out := make([]webhook.Endpoint, len(rows))
	for i, row := range rows {
		rec, err := webhookTable.Get(ctx, r, row.Key[len(prefix):])
		if err != nil {
			return nil, err
		}
		if out[i], err = endpointOf(rec); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// SaveEndpoint writes an endpoint and tells its facts.
func SaveEndpoint(ctx context.Context, tx *store.Tx, e webhook.Endpoint, facts ...webhook.Fact) error {
	if err := webhookTable.Put(ctx, tx, store.Key(e.ID), &storagev1.WebhookRecord{Webhook: EndpointProto(e)}); err != nil {
		return err
	}
	if err := tx.Put(ctx, webhookByParty, partyKey(e), []byte{1}); err != nil {
		return err
	}
	return tell(tx, e.Name(), e.Party, facts)
}

// Secrets reads what an endpoint's messages are signed with.
func Secrets(ctx context.Context, r store.Reader, endpoint string) (webhook.Secrets, error) {
	rec, err := secretTable.Get(ctx, r, store.Key(endpoint))
	if err != nil {
		return webhook.Secrets{}, err
	}
	return webhook.Secrets{
		Current: webhook.SecretOf(rec.GetCurrent()), Previous: webhook.SecretOf(rec.GetPrevious()), Until: timeOf(rec.GetPreviousUntil()),
	}, nil
}

// SaveSecrets writes what an endpoint's messages are signed with.
func SaveSecrets(ctx context.Context, tx *store.Tx, endpoint string, s webhook.Secrets) error {
	return secretTable.Put(ctx, tx, store.Key(endpoint), &storagev1.WebhookSecretRecord{
		Current: s.Current.Raw(), Previous: s.Previous.Raw(), PreviousUntil: stamp(s.Until),
	})
}

// Told is what an endpoint was last told of an order's promise; ok is false when it was told nothing.
func Told(ctx context.Context, r store.Reader, endpoint, order string) (p webhook.Promise, ok bool, err error) {
	rec, err := promiseTable.Get(ctx, r, store.Key(endpoint, order))
	if errors.Is(err, store.ErrNotFound) {
		return p, false, nil
	}
	return webhook.Promise{
		DeliverBy: rec.GetDeliverBy(), Estimate: rec.GetEstimate(), Confidence: rec.GetConfidence(), Reasons: rec.GetReasons(),
	}, err == nil, err
}

// SaveTold writes it.
func SaveTold(ctx context.Context, tx *store.Tx, endpoint, order string, p webhook.Promise) error {
	return promiseTable.Put(ctx, tx, store.Key(endpoint, order), &storagev1.PromiseRecord{
		DeliverBy: p.DeliverBy, Estimate: p.Estimate, Confidence: p.Confidence, Reasons: p.Reasons,
	})
}

// Delivery reads a delivery by its id.
func Delivery(ctx context.Context, r store.Reader, id string) (webhook.Delivery, error) {
	rec, err := deliveryTable.Get(ctx, r, store.Key(id))
	if err != nil {
		return webhook.Delivery{}, err
	}
	return deliveryOf(rec)
}

// SaveDelivery writes a delivery and tells its facts; before is the delivery as it was, the zero one for a new one.
func SaveDelivery(ctx context.Context, tx *store.Tx, before, d webhook.Delivery, facts ...webhook.Fact) error {
	if err := deliveryTable.Put(ctx, tx, store.Key(d.ID), &storagev1.DeliveryRecord{Delivery: DeliveryProto(d), Body: d.Body}); err != nil {
		return err
	}
	if before.ID != "" {
		if err := unindex(ctx, tx, before); err != nil {
			return err
		}
	}
	if err := index(d, func(b *store.Bucket, key []byte) error { return tx.Put(ctx, b, key, []byte(d.ID)) }); err != nil {
		return err
	}
	return tell(tx, d.Name(), "", facts)
}

func unindex(ctx context.Context, tx *store.Tx, d webhook.Delivery) error {
	return index(d, func(b *store.Bucket, key []byte) error { return tx.Delete(ctx, b, key) })
}

// RemoveDelivery forgets a delivery.
func RemoveDelivery(ctx context.Context, tx *store.Tx, d webhook.Delivery) error {
	if err := unindex(ctx, tx, d); err != nil {
		return err
	}
	return deliveryTable.Delete(ctx, tx, store.Key(d.ID))
}

// DeliveryPage reads up to n deliveries to an endpoint, newest first, that come after the place where a page ended; next is the
// place where this one ends.
func DeliveryPage(ctx context.Context, r store.Reader, endpoint string, after []byte, n int) (out []webhook.Delivery, places [][]byte, err error) {
	rg := store.Prefix(store.Key(endpoint))
	rg.Reverse, rg.Limit = true, n
	if len(after) > 0 {
		rg.To = after
	}
	rows, err := r.Scan(ctx, deliveryByTime, rg)
	if err != nil {
		return nil, nil, err
	}
	for _, row := range rows {
		d, err := Delivery(ctx, r, string(row.Value))
		if err != nil {
			return nil, nil, err
		}
		out, places = append(out, d), append(places, row.Key)
	}
	return out, places, nil
}

// Waiting reads up to n deliveries whose next attempt is due at a machine time, the first due first.
func Waiting(ctx context.Context, r store.Reader, now time.Time, n int) ([]webhook.Delivery, error) {
	return upTo(ctx, r, deliveryWaiting, now, n)
}

// Overlong reads up to n deliveries that wait longer from a machine time on than their schedule lets them. It looks at all that wait.
func Overlong(ctx context.Context, r store.Reader, now time.Time, n int) (out []webhook.Delivery, err error) {
	rg := store.Range{From: store.Key(uint64(now.UnixNano()) + 1), Limit: overlongPage}
	for len(out) < n {
		rows, err := r.Scan(ctx, deliveryWaiting, rg)
		if err != nil || len(rows) == 0 {
			return out, err
		}
		for _, row := range rows {
			d, err := Delivery(ctx, r, string(row.Value))
			if err != nil {
				return nil, err
			}
			if d.Overlong(now) && len(out) < n {
				out = append(out, d)
			}
			rg.From = append(row.Key, 0)
		}
	}
	return out, nil
}

// overlongPage is how many deliveries Overlong reads at a time.
const overlongPage = 256

// Ended reads up to n deliveries that had come to their end at a machine time, the oldest first.
func Ended(ctx context.Context, r store.Reader, at time.Time, n int) ([]webhook.Delivery, error) {
	return upTo(ctx, r, deliveryEnded, at, n)
}

func upTo(ctx context.Context, r store.Reader, b *store.Bucket, at time.Time, n int) ([]webhook.Delivery, error) {
	rows, err := r.Scan(ctx, b, store.Range{To: store.Key(uint64(at.UnixNano()) + 1), Limit: n})
	if err != nil {
		return nil, err
	}
	var out []webhook.Delivery
	for _, row := range rows {
		d, err := Delivery(ctx, r, string(row.Value))
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func tell(tx *store.Tx, subject, party string, facts []webhook.Fact) error {
	for _, f := range facts {
		related := []string{subject}
		var typ string
		var payload proto.Message
		switch f := f.(type) {
		case webhook.Created:
			typ, payload = "WebhookCreated", &edgev1.WebhookCreated{Webhook: EndpointProto(f.Endpoint)}
		case webhook.Changed:
			typ, payload = "WebhookChanged", &edgev1.WebhookChanged{Webhook: EndpointProto(f.Endpoint)}
		case webhook.GivenUp:
			typ, payload = "WebhookDeliveryFailed", &edgev1.WebhookDeliveryFailed{Delivery: DeliveryProto(f.Delivery)}
			party, related = f.Party, append(related, f.Delivery.Resource)
		default:
			return fmt.Errorf("save %s: fact %T has no message", subject, f)
		}
		if err := tx.Emit(store.Fact{Type: typ, Subject: subject, Related: append(related, party), Payload: payload}); err != nil {
			return err
		}
	}
	return nil
}

// EndpointProto is an endpoint as callers and readers of the log see it.
func EndpointProto(e webhook.Endpoint) *edgev1.Webhook {
	return &edgev1.Webhook{
		Name: e.Name(), Party: e.Party, Url: e.URL, EventTypes: e.Events, DisplayName: e.DisplayName, State: edgev1.Webhook_State(e.State),
		Reason: edgev1.Webhook_Reason(e.Reason), CreateTime: stamp(e.CreateTime), RollTime: stamp(e.RollTime),
	}
}

// DeliveryProto is a delivery as callers and readers of the log see it.
func DeliveryProto(d webhook.Delivery) *edgev1.WebhookDelivery {
	m := &edgev1.WebhookDelivery{
		Name: d.Name(), EventType: d.Event, Resource: d.Resource, CreateTime: stamp(d.CreateTime), State: edgev1.WebhookDelivery_State(d.State),
		NextAttemptTime: stamp(d.Next), AttemptCount: int32(d.Count),
	}
	for _, a := range d.Attempts {
		m.Attempts = append(m.Attempts, &edgev1.WebhookDelivery_Attempt{
			StartTime: stamp(a.Start), HttpStatus: int32(a.Status), Error: a.Error, Duration: durationpb.New(a.Duration),
		})
	}
	return m
}

// EncodeEndpoint is an endpoint as the bytes of an answer that is kept for a repeat: never with its secret.
func EncodeEndpoint(e webhook.Endpoint) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(&storagev1.WebhookRecord{Webhook: EndpointProto(e)})
}

// DecodeEndpoint reads what EncodeEndpoint wrote.
func DecodeEndpoint(data []byte) (webhook.Endpoint, error) {
	rec := &storagev1.WebhookRecord{}
	if err := proto.Unmarshal(data, rec); err != nil {
		return webhook.Endpoint{}, fmt.Errorf("stored answer: %w", err)
	}
	return endpointOf(rec)
}

// EncodeDelivery is a delivery as the bytes of an answer that is kept for a repeat, without the body.
func EncodeDelivery(d webhook.Delivery) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(&storagev1.DeliveryRecord{Delivery: DeliveryProto(d)})
}

// DecodeDelivery reads what EncodeDelivery wrote.
func DecodeDelivery(data []byte) (webhook.Delivery, error) {
	rec := &storagev1.DeliveryRecord{}
	if err := proto.Unmarshal(data, rec); err != nil {
		return webhook.Delivery{}, fmt.Errorf("stored answer: %w", err)
	}
	return deliveryOf(rec)
}

func endpointOf(rec *storagev1.WebhookRecord) (webhook.Endpoint, error) {
	m := rec.GetWebhook()
	id, ok := WebhookID(m.GetName())
	if !ok {
		return webhook.Endpoint{}, fmt.Errorf("record of a webhook is not whole: %q", m.GetName())
	}
	return webhook.Endpoint{
		ID: id, Party: m.GetParty(), URL: m.GetUrl(), Events: m.GetEventTypes(), DisplayName: m.GetDisplayName(), State: webhook.State(m.GetState()),
		Reason: webhook.Reason(m.GetReason()), CreateTime: timeOf(m.GetCreateTime()), RollTime: timeOf(m.GetRollTime()),
	}, nil
}

func deliveryOf(rec *storagev1.DeliveryRecord) (webhook.Delivery, error) {
	m := rec.GetDelivery()
	endpoint, id, ok := DeliveryID(m.GetName())
	if !ok {
		return webhook.Delivery{}, fmt.Errorf("record of a delivery is not whole: %q", m.GetName())
	}
	d := webhook.Delivery{
		ID: id, Endpoint: endpoint, Event: m.GetEventType(), Resource: m.GetResource(), Body: rec.GetBody(), CreateTime: timeOf(m.GetCreateTime()),
		State: webhook.DeliveryState(m.GetState()), Next: timeOf(m.GetNextAttemptTime()), Count: int(m.GetAttemptCount()),
	}
	for _, a := range m.GetAttempts() {
		d.Attempts = append(d.Attempts, webhook.Attempt{
			Start: timeOf(a.GetStartTime()), Status: int(a.GetHttpStatus()), Error: a.GetError(), Duration: a.GetDuration().AsDuration(),
		})
	}
	return d, nil
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// WebhookID is the id in an endpoint's resource name.
func WebhookID(name string) (string, bool) {
	id, ok := strings.CutPrefix(name, "webhooks/")
	return id, ok && id != "" && !strings.Contains(id, "/")
}

// DeliveryID is the ids in a delivery's resource name.
func DeliveryID(name string) (endpoint, id string, ok bool) {
	parent, id, ok := strings.Cut(name, "/deliveries/")
	endpoint, isEndpoint := WebhookID(parent)
	return endpoint, id, ok && isEndpoint && id != ""
}
