package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
)

// This file keeps the causes: which request made which entry. Their keys are hashes of what callers choose, so they come in no order, and
// one tree of them would cost a page for each request as soon as it is large. They are therefore kept in many small trees, the partitions:
// one for the entries of a business day and a span of sequences, so that a commit writes to one or two of them, which stay in few pages. In
// which partition a request may stand is known in memory, and read from the partitions when the store is opened.
//
// A partition is a bucket in bucket causes. Programs before this one made one for a day, named by the day alone; they find causes in
// partitions of either form, and so does this one.

const (
	// causeDays is how many business days before today causes are kept.
	causeDays = 7
	// causeSpan is how many entries share a partition.
	causeSpan = 1024
	dayLength = len(time.DateOnly)
)

// causeKey is where the record of a request stands in its partition.
type causeKey [16]byte

func newCauseKey(principal, method, requestID string) causeKey {
	sum := sha256.Sum256(Key(principal, method, requestID))
	return causeKey(sum[:16])
}

// causeDay begins the names of a day's partitions, in the order of days.
func causeDay(t time.Time) []byte { return t.UTC().AppendFormat(make([]byte, 0, 24), time.DateOnly) }

// dayNumber tells two UTC days apart.
func dayNumber(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

// causePartition is the partition of an entry.
func causePartition(t time.Time, sequence uint64) []byte {
	return strconv.AppendUint(append(causeDay(t), '.'), sequence/causeSpan, 10)
}

// causesName is the name of a partition in checksums and reports.
func causesName(partition []byte) string { return causesBucket + "/" + string(partition) }

// sealCause makes the record of the request that e came from.
func (e *entry) sealCause(partition []byte, key causeKey) ([]byte, error) {
	rec := &storagev1.CauseRecord{Sequence: e.head.Position.GetSequence(), Fingerprint: e.head.Cause.GetFingerprint()}
	v, err := sized.MarshalAppend(make([]byte, envelopeSize, envelopeSize+proto.Size(rec)), rec)
	sealInPlace(causesName(partition), key[:], 0, v)
	return v, err
}

// applyCause records the request that e came from under the day of its apply time; the first entry of a day drops the days that are too
// old.
func (x *causeIndex) apply(btx *bbolt.Tx, e *entry, key causeKey, last tip) error {
	causes := btx.Bucket([]byte(causesBucket))
	today := e.head.ApplyTime.AsTime()
	if dayNumber(today) != dayNumber(last.applyTime) {
		if err := x.drop(causes, causeDay(today.AddDate(0, 0, -causeDays))); err != nil {
			return err
		}
	}
	if e.head.Cause.GetRequestId() == "" {
		return nil
	}
	name := causePartition(today, e.head.Position.GetSequence())
	partition := causes.Bucket(name)
	if partition == nil {
		var err error
		if partition, err = causes.CreateBucket(name); err != nil {
			return err
		}
	}
	v, err := e.sealCause(name, key)
	if err != nil {
		return err
	}
	x.add(name, key)
	return partition.Put(key[:], v)
}

// drop removes the partitions of the days before one.
func (x *causeIndex) drop(causes *bbolt.Bucket, day []byte) error {
	var old [][]byte
	c := causes.Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k, day) < 0; k, _ = c.Next() {
		old = append(old, bytes.Clone(k))
	}
	for _, k := range old {
		if err := causes.DeleteBucket(k); err != nil {
			return err
		}
	}
	for len(x.days) > 0 && x.days[0].day < string(day) {
		x.days = x.days[1:]
	}
	return nil
}

// find returns what an earlier request of the same cause left, nil when there was none.
func (x *causeIndex) find(btx *bbolt.Tx, key causeKey) (*storagev1.CauseRecord, error) {
	causes := btx.Bucket([]byte(causesBucket))
	for i := len(x.days) - 1; i >= 0; i-- {
		for _, name := range x.days[i].find(key) {
			partition := causes.Bucket(name)
			if partition == nil { // of a commit that failed
				continue
			}
			v := partition.Get(key[:])
			if v == nil { // another request that looks like this one in the index
				continue
			}
			data, err := unseal(causesName(name), key[:], v)
			if err != nil {
				return nil, err
			}
			rec := &storagev1.CauseRecord{}
			return rec, proto.Unmarshal(data, rec)
		}
	}
	return nil, nil
}

// causeIndex tells in which partitions a cause may stand. It never misses one that is stored; it may name others. The writer alone uses it.
type causeIndex struct {
	days []*dayCauses // in order
}

// dayCauses is a hash table with one slot for each cause of a day, 11 to 21 bytes for each.
type dayCauses struct {
	day        string
	partitions [][]byte
	// slots hold the first bits of a key, by which its place is found, and the number of its partition, from 1; 0 is empty.
	slots []uint64
	used  int
}

const partitionBits = 24 // of a slot

// loadCauses reads the keys of all partitions.
func loadCauses(btx *bbolt.Tx) (*causeIndex, error) {
	x := &causeIndex{}
	causes := btx.Bucket([]byte(causesBucket))
	if causes == nil {
		return x, nil // a later check says so
	}
	err := causes.ForEachBucket(func(name []byte) error {
		if len(name) < dayLength {
			return nil // none of a store's, as verify says
		}
		name = bytes.Clone(name)
		day, c := x.day(name), causes.Bucket(name).Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			if len(k) == len(causeKey{}) {
				day.add(name, causeKey(k))
			}
		}
		return nil
	})
	return x, err
}

func (x *causeIndex) add(partition []byte, key causeKey) { x.day(partition).add(partition, key) }

// day returns the part of a partition's day.
func (x *causeIndex) day(partition []byte) *dayCauses {
	day := string(partition[:dayLength])
	// Days come in order, but for those of a file that was written with a clock that stepped back.
	at := len(x.days)
	for at > 0 && x.days[at-1].day > day {
		at--
	}
	if at == 0 || x.days[at-1].day != day {
		x.days = slices.Insert(x.days, at, &dayCauses{day: day, slots: make([]uint64, 64)})
		at++
	}
	return x.days[at-1]
}

func (d *dayCauses) add(partition []byte, key causeKey) {
	if n := len(d.partitions); n == 0 || !bytes.Equal(d.partitions[n-1], partition) {
		d.partitions = append(d.partitions, partition)
	}
	if 4*d.used >= 3*len(d.slots) {
		old := d.slots
		d.slots = make([]uint64, 2*len(old))
		for _, s := range old {
			if s != 0 {
				d.put(s)
			}
		}
	}
	d.used++
	d.put(tag(key) | uint64(len(d.partitions)))
}

func (d *dayCauses) put(slot uint64) {
	i := d.home(slot)
	for d.slots[i] != 0 {
		i = (i + 1) % uint64(len(d.slots))
	}
	d.slots[i] = slot
}

func (d *dayCauses) find(key causeKey) (partitions [][]byte) {
	want := tag(key)
	for i := d.home(want); d.slots[i] != 0; i = (i + 1) % uint64(len(d.slots)) {
		if s := d.slots[i]; s>>partitionBits == want>>partitionBits {
			partitions = append(partitions, d.partitions[s&(1<<partitionBits-1)-1])
		}
	}
	return partitions
}

// tag is the part of a key that stands in a slot.
func tag(key causeKey) uint64 {
	return binary.BigEndian.Uint64(key[:]) >> partitionBits << partitionBits
}

// home is where the search for a slot begins; the number of slots is a power of two.
func (d *dayCauses) home(slot uint64) uint64 { return slot >> partitionBits & uint64(len(d.slots)-1) }
