package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
)

// This file keeps a restored store from giving a number twice, and from sending twice what may have been sent after the copy was made.
// The restore puts up a fence; until a person has lifted it, no series gives a number unless the person opened it at a number that
// was surely never given, and tasks whose repeat could act twice wait in doubt.

var fenceKey = []byte("fence")

func seriesKey(series string) []byte { return []byte("series/" + series) }

// ErrFenced: a number series gives no number until a person has said where it goes on. Nothing was changed; the same change
// goes through afterwards.
var ErrFenced = errors.New("number series is fenced after a restore")

// FencedError is an ErrFenced that names the series.
type FencedError struct{ Series string }

// Error names the series.
func (e *FencedError) Error() string { return fmt.Sprintf("series %s: %v", e.Series, ErrFenced) }

// Is makes it an ErrFenced.
func (e *FencedError) Is(target error) bool { return target == ErrFenced }

// The errors of a person's decision.
var (
	// ErrNotFenced: there is no fence, or the series is open.
	ErrNotFenced = errors.New("nothing is fenced")
	// ErrOtherEpoch: the store was restored again since the person looked.
	ErrOtherEpoch = errors.New("the store was restored again")
	// ErrNumberGiven: the series has come further than the number.
	ErrNumberGiven = errors.New("the number lies before the next one")
)

// fence returns what the last restore keeps back; nil when it keeps back nothing.
func fence(ctx context.Context, r Reader) (*storagev1.FenceRecord, error) {
	rec := &storagev1.FenceRecord{}
	err := GetProto(ctx, r, counters, fenceKey, rec)
	if errors.Is(err, ErrNotFound) || err == nil && rec.Lifted {
		return nil, nil
	}
	return rec, err
}

func seriesFence(ctx context.Context, r Reader, series string) (*storagev1.SeriesFenceRecord, error) {
	rec := &storagev1.SeriesFenceRecord{}
	err := GetProto(ctx, r, counters, seriesKey(series), rec)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return rec, err
}

// NextNumber is the number that a series gives next, where next is the one after the last that the service has given: that one, or a later
// one after a restore. *FencedError while the series gives none. Every number that leaves the service, or stands on a
// document, is drawn through it.
func NextNumber(ctx context.Context, r Reader, series string, next uint64) (uint64, error) {
	rec, err := seriesFence(ctx, r, series)
	if err != nil {
		return 0, err
	}
	f, err := fence(ctx, r)
	if err != nil {
		return 0, err
	}
	if f != nil && rec.Epoch < f.Fork.GetEpoch() {
		return 0, &FencedError{series}
	}
	return max(next, rec.Next), nil
}

// Voids are the numbers of a series that were passed over, in order.
func Voids(ctx context.Context, r Reader, series string) ([]*eventlogv1.VoidNumbers, error) {
	rec, err := seriesFence(ctx, r, series)
	return rec.GetVoids(), err
}

// Void tells whether a number was passed over, and the last one of those that were passed over with it.
func Void(voids []*eventlogv1.VoidNumbers, number uint64) (last uint64, ok bool) {
	for _, v := range voids {
		if v.From <= number && number <= v.To {
			return v.To, true
		}
	}
	return 0, false
}

// Decision is what a person decided about a fence.
type Decision struct {
	Actor string
	Note  string
	Time  time.Time // business time
}

// OpenSeries lets a fenced series give numbers from next on; those between the last one given and next are void.
func (s *Store) OpenSeries(ctx context.Context, tx *Tx, series string, next uint64, d Decision) error {
	f, err := fence(ctx, tx)
	if err != nil {
		return err
	}
	rec, err := seriesFence(ctx, tx, series)
	if err != nil {
		return err
	}
	if f == nil || rec.Epoch >= f.Fork.GetEpoch() {
		return ErrNotFenced
	}
	last, err := s.lastNumbers(ctx, tx)
	if err != nil {
		return err
	}
	first := max(last[series]+1, rec.Next)
	if next < first {
		return fmt.Errorf("%w: series %s: %d is before %d", ErrNumberGiven, series, next, first)
	}
	if next > first {
		rec.Voids = append(rec.Voids, &eventlogv1.VoidNumbers{From: first, To: next - 1, Epoch: f.Fork.GetEpoch(), Actor: d.Actor, Note: d.Note,
			Time: timestamppb.New(d.Time)})
	}
	rec.Epoch, rec.Next = f.Fork.GetEpoch(), next
	return PutProto(ctx, tx, counters, seriesKey(series), rec)
}

// LiftFence ends what the restore that began an epoch keeps back.
func (s *Store) LiftFence(ctx context.Context, tx *Tx, epoch uint64, d Decision) error {
	f, err := fence(ctx, tx)
	switch {
	case err != nil:
		return err
	case f == nil:
		return ErrNotFenced
	case f.Fork.GetEpoch() != epoch:
		return ErrOtherEpoch
	}
	f.Lifted, f.Actor, f.Note, f.LiftTime = true, d.Actor, d.Note, timestamppb.New(d.Time)
	return PutProto(ctx, tx, counters, fenceKey, f)
}

// Fence shows what the last restore keeps back, and where each number series stands.
func (s *Store) Fence(ctx context.Context, r Reader) (*eventlogv1.Fence, error) {
	out := &eventlogv1.Fence{}
	rec := &storagev1.FenceRecord{}
	switch err := GetProto(ctx, r, counters, fenceKey, rec); {
	case err == nil:
		out.Fork, out.Time, out.Up = rec.Fork, rec.Time, !rec.Lifted
	case !errors.Is(err, ErrNotFound):
		return nil, err
	}
	last, err := s.lastNumbers(ctx, r)
	if err != nil {
		return nil, err
	}
	err = Each(ctx, r, counters, []byte("series/"), func(kv KV) error { // one that was opened before it gave a number
		name := string(kv.Key[len("series/"):])
		last[name] += 0
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(last)) {
		f, err := seriesFence(ctx, r, name)
		if err != nil {
			return nil, err
		}
		out.Series = append(out.Series, &eventlogv1.Series{Name: name, Next: max(last[name]+1, f.Next), Voids: f.Voids,
			Fenced: out.Up && f.Epoch < out.Fork.GetEpoch()})
	}
	return out, nil
}

func (s *Store) lastNumbers(ctx context.Context, r Reader) (map[string]uint64, error) {
	if s.cat.Series == nil {
		return map[string]uint64{}, nil
	}
	return s.cat.Series(ctx, r)
}

// fenceTask holds back a new task that may have been carried out before the restore, and tells whether it did.
func fenceTask(ctx context.Context, tx *Tx, t *storagev1.TaskRecord) (held bool, err error) {
	if t.Effect == storagev1.TaskRecord_KEYED {
		return false, nil
	}
	f, err := fence(ctx, tx)
	if err != nil || f == nil {
		return false, err
	}
	t.Attempts++
	t.State, t.LastError = eventlogv1.Task_IN_DOUBT, "wanted after a restore, before the fence was lifted: it may have been carried out already"
	return true, nil
}

// putUpFence is the change with which an epoch begins. What waited in the copy may have been carried out since it was made: a task that
// asks first asks; one that cannot is in doubt, and so is a keyed one whose key may be forgotten.
func putUpFence(ctx context.Context, tx *Tx, fork Fork, copied, now time.Time) error {
	tx.fork = fork.Epoch
	rec := &storagev1.FenceRecord{Fork: ForkProto(fork), Time: timestamppb.New(now)}
	if err := PutProto(ctx, tx, counters, fenceKey, rec); err != nil {
		return err
	}
	forgotten := now.Sub(copied) >= causeDays*24*time.Hour
	return Each(ctx, tx, Tasks, nil, func(kv KV) error {
		t := &storagev1.TaskRecord{}
		if err := unmarshal(Tasks, kv.Key, kv.Value, t); err != nil {
			return err
		}
		switch {
		case t.State != eventlogv1.Task_PENDING, t.Effect == storagev1.TaskRecord_KEYED && (t.DueTime != nil || !forgotten):
			return nil
		case t.Effect == storagev1.TaskRecord_LOOKUP:
			t.Attempts++
			return PutTask(ctx, tx, string(kv.Key), t)
		}
		t.State, t.LastError = eventlogv1.Task_IN_DOUBT, "waited when the restored copy was made: it may have been carried out since"
		return StopTask(ctx, tx, string(kv.Key), t)
	})
}
