package store

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
	"crossdock.dev/platform/origin"
)

// Position is a place in a log.
type Position = origin.Position

// PositionProto returns the message of p.
func PositionProto(p Position) *eventlogv1.Position {
	return &eventlogv1.Position{Log: p.Log, Epoch: p.Epoch, Sequence: p.Sequence}
}

// PositionOf returns the position in a message; the zero Position for nil.
func PositionOf(p *eventlogv1.Position) Position {
	return Position{Log: p.GetLog(), Epoch: p.GetEpoch(), Sequence: p.GetSequence()}
}

// FactRef names a fact of another log.
type FactRef struct {
	Position Position
	Hash     []byte // of the entry
	Index    int
}

// Cause is why a change happens: a caller's request or a fact of another log.
type Cause struct {
	Principal string
	Method    string
	// RequestID makes the change happen once: a repeat within the next 7 days (business days of apply time) gets the first
	// answer. Empty when the change guards itself against repeats, as a consumer does with its cursor.
	RequestID   string
	Fingerprint []byte // SHA-256 of the arguments
	Fact        *FactRef
	Actor       string // principal at the beginning of the chain of causes; empty is Principal
	Traceparent string
	After       []Position // causal past
	ReceiveTime time.Time  // when the suite heard of it; zero is the time of the commit
}

// key is where the cause's record stands within its day.
func (c Cause) key() []byte {
	sum := sha256.Sum256(Key(c.Principal, c.Method, c.RequestID))
	return sum[:16]
}

// epoch is the log's: a restore from backup begins a new one.
const epoch = 1

// causeDays is how many business days before today causes are kept.
const causeDays = 7

// tip is the end of the log.
type tip struct {
	sequence  uint64
	hash      []byte
	applyTime time.Time
}

// entry is one change as it is written and replayed.
type entry struct {
	head    *eventlogv1.Head
	private *eventlogv1.Private
	hash    []byte // SHA-256 of the head's stored bytes
	stored  []byte // StoredEntry
	// personal holds the stored values of personal records, which the entry has as hashes only; nil on replay.
	personal map[string][]byte
}

var deterministic = proto.MarshalOptions{Deterministic: true}

// newEntry makes the entry that follows last. now is business time; a clock that stands still or steps back does not take
// the log with it.
func newEntry(cat *catalogue, last tip, now time.Time, c Cause, t *Tx, answer []byte, random io.Reader) (*entry, error) {
	e := &entry{personal: map[string][]byte{}, private: &eventlogv1.Private{Answer: answer}}
	for _, b := range cat.Buckets {
		if b.Kind == Derived {
			continue
		}
		for _, key := range sortedKeys(t.writes[b.Name]) {
			w, err := e.logWrite(cat, b, key, t.writes[b.Name][key], random)
			if err != nil {
				return nil, err
			}
			e.private.Writes = append(e.private.Writes, w)
		}
	}
	slices.SortStableFunc(e.private.Writes, func(a, b *eventlogv1.Write) int { return cmp.Compare(a.Bucket, b.Bucket) })
	privateBytes, err := deterministic.Marshal(e.private)
	if err != nil {
		return nil, err
	}
	privateHash := sha256.Sum256(privateBytes)

	apply := now.UTC()
	if apply.Before(last.applyTime) {
		apply = last.applyTime
	}
	receive, occur := c.ReceiveTime, t.occur
	if receive.IsZero() {
		receive = apply
	}
	if occur.IsZero() {
		occur = receive
	}
	e.head = &eventlogv1.Head{
		Position:     &eventlogv1.Position{Log: cat.Service, Epoch: epoch, Sequence: last.sequence + 1},
		PreviousHash: last.hash,
		Actor:        cmp.Or(c.Actor, c.Principal),
		Cause: &eventlogv1.Cause{Principal: c.Principal, Method: c.Method, RequestId: c.RequestID,
			Fingerprint: c.Fingerprint},
		Traceparent: c.Traceparent,
		OccurTime:   timestamppb.New(occur),
		ReceiveTime: timestamppb.New(receive),
		ApplyTime:   timestamppb.New(apply),
		Facts:       t.facts,
		PrivateHash: privateHash[:],
	}
	if c.Fact != nil {
		e.head.Cause.Fact, e.head.Cause.FactHash = PositionProto(c.Fact.Position), c.Fact.Hash
		e.head.Cause.FactIndex = uint32(c.Fact.Index)
	}
	for _, p := range origin.MergeAfter(c.After, nil) {
		if p.Log != cat.Service { // one's own past is the log itself
			e.head.After = append(e.head.After, PositionProto(p))
		}
	}
	headBytes, err := deterministic.Marshal(e.head)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(headBytes)
	e.hash = hash[:]
	e.stored, err = deterministic.Marshal(&eventlogv1.StoredEntry{Head: headBytes, Private: privateBytes})
	return e, err
}

func (e *entry) logWrite(cat *catalogue, b *Bucket, key string, w write, random io.Reader) (*eventlogv1.Write, error) {
	lw := &eventlogv1.Write{Bucket: b.Name, Key: []byte(key), Hashed: b.Kind == Personal && !w.delete}
	switch {
	case w.delete:
	case b.Kind == Personal:
		salted := make([]byte, saltSize, saltSize+len(w.value))
		if _, err := io.ReadFull(random, salted); err != nil {
			return nil, fmt.Errorf("salt: %w", err)
		}
		stored := seal(b.Name, lw.Key, cat.Version, append(salted, w.value...))
		e.personal[b.Name+"\x00"+key] = stored
		sum := sha256.Sum256(stored)
		lw.Value = sum[:]
	default:
		lw.Value = seal(b.Name, lw.Key, cat.Version, w.value)
	}
	return lw, nil
}

// decodeEntry takes the data of a stored entry apart.
func decodeEntry(data []byte) (*entry, error) {
	e := &entry{head: &eventlogv1.Head{}, private: &eventlogv1.Private{}, stored: data}
	var s eventlogv1.StoredEntry
	if err := proto.Unmarshal(data, &s); err != nil {
		return nil, err
	}
	if err := errors.Join(proto.Unmarshal(s.Head, e.head), proto.Unmarshal(s.Private, e.private)); err != nil {
		return nil, err
	}
	hash, private := sha256.Sum256(s.Head), sha256.Sum256(s.Private)
	e.hash = hash[:]
	if !bytes.Equal(e.head.PrivateHash, private[:]) {
		return nil, errors.New("private part does not have the hash that the head names")
	}
	return e, nil
}

// follows checks that e, found under key, comes directly after last.
func (e *entry) follows(service string, key []byte, last tip) error {
	want := Position{Log: service, Epoch: epoch, Sequence: last.sequence + 1}
	switch got := PositionOf(e.head.Position); {
	case !bytes.Equal(key, Key(want.Sequence)) || got != want:
		return fmt.Errorf("stands at key %x as position %v, expected %v", key, got, want)
	case !bytes.Equal(e.head.PreviousHash, last.hash):
		return fmt.Errorf("previous hash is %x, the entry before has %x", e.head.PreviousHash, last.hash)
	case e.head.ApplyTime.AsTime().Before(last.applyTime):
		return fmt.Errorf("apply time %v is before that of the entry before, %v", e.head.ApplyTime.AsTime(), last.applyTime)
	}
	return nil
}

// tip is the end of the log after e.
func (e *entry) tip() tip {
	return tip{e.head.Position.GetSequence(), e.hash, e.head.ApplyTime.AsTime()}
}

// apply writes e, its records and its cause into the file. A running store and a replay do exactly this.
func (e *entry) apply(btx *bbolt.Tx, last tip) error {
	log := btx.Bucket([]byte(logBucket))
	log.FillPercent = appendFill
	key := Key(e.head.Position.GetSequence())
	if err := log.Put(key, seal(logBucket, key, 0, e.stored)); err != nil {
		return err
	}
	for _, w := range e.private.Writes {
		b := btx.Bucket([]byte(w.Bucket))
		if b == nil {
			return fmt.Errorf("bucket %s is missing", w.Bucket)
		}
		b.FillPercent = appendFill
		value := w.Value
		if stored, ok := e.personal[w.Bucket+"\x00"+string(w.Key)]; ok {
			value = stored
		}
		err := error(nil)
		if w.Value == nil {
			err = b.Delete(w.Key)
		} else {
			err = b.Put(w.Key, value)
		}
		if err != nil {
			return fmt.Errorf("bucket %s key %s: %w", w.Bucket, printable(w.Key), err)
		}
	}
	return e.applyCause(btx, last)
}

// applyCause records the request that caused e under the day of its apply time; the first entry of a day drops the days that
// are too old.
func (e *entry) applyCause(btx *bbolt.Tx, last tip) error {
	causes := btx.Bucket([]byte(causesBucket))
	today := e.head.ApplyTime.AsTime()
	if day := causeDay(today); !bytes.Equal(day, causeDay(last.applyTime)) {
		var old [][]byte
		c := causes.Cursor()
		for k, _ := c.First(); k != nil && bytes.Compare(k, causeDay(today.AddDate(0, 0, -causeDays))) < 0; k, _ = c.Next() {
			old = append(old, bytes.Clone(k))
		}
		for _, k := range old {
			if err := causes.DeleteBucket(k); err != nil {
				return err
			}
		}
	}
	c := e.head.Cause
	if c.GetRequestId() == "" {
		return nil
	}
	day, err := causes.CreateBucketIfNotExists(causeDay(today))
	if err != nil {
		return err
	}
	data, err := deterministic.Marshal(&storagev1.CauseRecord{Sequence: e.head.Position.GetSequence(), Fingerprint: c.Fingerprint})
	if err != nil {
		return err
	}
	key := Cause{Principal: c.Principal, Method: c.Method, RequestID: c.RequestId}.key()
	return day.Put(key, seal(causesName(causeDay(today)), key, 0, data))
}

// causeDay is the name of a day's partition, in the order of days.
func causeDay(t time.Time) []byte { return []byte(t.UTC().Format(time.DateOnly)) }

func causesName(day []byte) string { return causesBucket + "/" + string(day) }

// findCause returns what an earlier request of the same cause left, nil when there was none.
func findCause(btx *bbolt.Tx, c Cause) (*storagev1.CauseRecord, error) {
	key := c.key()
	causes := btx.Bucket([]byte(causesBucket))
	days := causes.Cursor()
	for day, _ := days.Last(); day != nil; day, _ = days.Prev() {
		v := causes.Bucket(day).Get(key)
		if v == nil {
			continue
		}
		data, err := unseal(causesName(day), key, v)
		if err != nil {
			return nil, err
		}
		rec := &storagev1.CauseRecord{}
		return rec, proto.Unmarshal(data, rec)
	}
	return nil, nil
}

// answerAt returns the answer that the entry gave.
func answerAt(btx *bbolt.Tx, sequence uint64) ([]byte, error) {
	key := Key(sequence)
	value := btx.Bucket([]byte(logBucket)).Get(key)
	data, err := unseal(logBucket, key, value)
	if err != nil {
		return nil, err
	}
	e, err := decodeEntry(data)
	if err != nil {
		return nil, err
	}
	return e.private.Answer, nil
}
