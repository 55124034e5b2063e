package eventlog

import (
	"context"

	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/store"
)

// tellParked tells the readers of the service's own log that a fact waits for a person. Those that wait behind it are not told of: they
// go on with it.
func (c *Consumer) tellParked(tx *store.Tx, w *storagev1.WaitingFact) error {
	w.Told = true
	return c.tell(tx, w, &eventlogv1.FactParked{ParkedFact: parkedProto(w)})
}

// unwait takes a fact out of the bucket in which it waits, and tells of that when its parking was told of. dropped: it is not placed anew.
func (c *Consumer) unwait(ctx context.Context, tx *store.Tx, b *store.Bucket, w *storagev1.WaitingFact, dropped bool) error {
	if w.Told {
		if err := c.tell(tx, w, &eventlogv1.FactReleased{ParkedFact: parkedProto(w), Dropped: dropped}); err != nil {
			return err
		}
	}
	return store.DeleteWaiting(ctx, tx, b, w)
}

// tell tells a fact about a parked one. Two services may park the same fact, so its name begins with the service.
func (c *Consumer) tell(tx *store.Tx, w *storagev1.WaitingFact, payload proto.Message) error {
	f := fromWaiting(w)
	return tx.Emit(store.Fact{
		Type: string(payload.ProtoReflect().Descriptor().Name()), Subject: c.c.Store.Service() + "/" + parkedProto(w).GetName(),
		Related: append([]string{f.Subject}, f.Related...), Payload: payload,
	})
}

// tellsOfParking says that a fact tells of nothing but what waits: parking has no effect.
func tellsOfParking(f *eventlogv1.Fact) bool {
	return f.GetPayload().MessageIs(&eventlogv1.FactParked{}) || f.GetPayload().MessageIs(&eventlogv1.FactReleased{})
}

func parkedProto(w *storagev1.WaitingFact) *eventlogv1.ParkedFact {
	f := fromWaiting(w)
	return &eventlogv1.ParkedFact{
		Name:     nameOfKey(store.WaitingKey(f.Position.Log, f.Position.Sequence, w.GetIndex())),
		Position: w.GetHead().GetPosition(), Index: w.GetIndex(), Type: f.Type, Subject: f.Subject, Keys: w.GetKeys(), Reason: w.GetReason(),
	}
}
