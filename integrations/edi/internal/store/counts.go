package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	storagev1 "crossdock.dev/gen/crossdock/edi/storage/v1"
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/platform/store"
)

// countKey says which row of the counts a message belongs to.
type countKey struct{ party, day, set string }

func (k countKey) bytes() []byte { return store.Key(k.party, k.day, k.set) }

func (k countKey) String() string { return fmt.Sprintf("%q %s %s", k.party, k.day, k.set) }

func compareKeys(a, b countKey) int {
	return cmp.Or(cmp.Compare(a.party, b.party), cmp.Compare(a.day, b.day), cmp.Compare(a.set, b.set))
}

// tally is a change of counts. Numbers wrap around below zero, so that taking away adds up.
type tally map[countKey]*storagev1.MessageCount

func (t tally) row(x message.Interchange, set string) *storagev1.MessageCount {
	k := countKey{x.Party, x.Day(), set}
	if t[k] == nil {
		t[k] = &storagev1.MessageCount{Party: k.party, Day: k.day, Set: k.set}
	}
	return t[k]
}

// add counts a set n times: 1 for what it is now, ^0 (minus one) for what it was.
func (t tally) add(x message.Interchange, s message.Set, n uint64) {
	c := t.row(x, s.ID)
	if x.Direction == message.Outbound {
		if s.Disposition != message.Applied {
			return
		}
		c.Sent += n
		switch {
		case s.ID != acknowledgementSet:
		case message.AcceptsGroup(s.AckCode):
			c.SentAccepted += n
		case s.AckCode == "P":
			c.SentPartial += n
		default:
			c.SentRejected += n
		}
		return
	}
	switch s.Disposition {
	case message.Acknowledgement:
		c.Acknowledgements += n
		if message.AcceptsGroup(s.AckCode) {
			c.AcknowledgementsAccepted += n
		}
		return
	case message.InProgress:
		c.InProgress += n
	case message.Applied:
		c.Applied += n
	case message.Duplicate:
		c.Duplicate += n
	case message.Parked:
		c.Parked += n
	case message.Rejected:
		c.Rejected += n
	}
	c.Received += n
}

// acknowledgementSet is the set that acknowledgements are counted under.
const acknowledgementSet = "997"

// addOverdue counts an interchange of ours whose acknowledgement is overdue.
func (t tally) addOverdue(x message.Interchange, n uint64) { t.row(x, acknowledgementSet).Overdue += n }

// numbers are all that a row counts.
func numbers(c *storagev1.MessageCount) []*uint64 {
	return []*uint64{
		&c.Received, &c.Applied, &c.Duplicate, &c.Parked, &c.Rejected, &c.InProgress, &c.Sent, &c.Acknowledgements,
		&c.AcknowledgementsAccepted, &c.SentAccepted, &c.SentPartial, &c.SentRejected, &c.Overdue,
	}
}

func zero(c *storagev1.MessageCount) bool {
	return !slices.ContainsFunc(numbers(c), func(n *uint64) bool { return *n != 0 })
}

const (
	one      = uint64(1)
	minusOne = ^uint64(0)
)

// save adds the change to the stored counts.
func (t tally) save(ctx context.Context, tx *store.Tx) error {
	for _, k := range slices.SortedFunc(maps.Keys(t), compareKeys) {
		c := t[k]
		old, err := countTable.Get(ctx, tx, k.bytes())
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if zero(c) {
			continue
		}
		if err == nil {
			for i, n := range numbers(old) {
				*n += *numbers(c)[i]
			}
			c = old
		}
		if err := countTable.Put(ctx, tx, k.bytes(), c); err != nil {
			return err
		}
	}
	return nil
}

// Counts reads up to n rows of the counts after the row with key after, and the key of the last one.
func Counts(ctx context.Context, r store.Reader, after []byte, n int) (rows []*ediv1.MessageCount, last []byte, err error) {
	rg := store.Range{Limit: n}
	if after != nil {
		rg.From = append(slices.Clone(after), 0)
	}
	found, err := countTable.Scan(ctx, r, rg)
	if err != nil {
		return nil, nil, err
	}
	for _, row := range found {
		rows, last = append(rows, countMessage(row.Value)), row.Key
	}
	return rows, last, nil
}

// checkCounts is invariant I3: the counts are those of the interchanges, and each row adds up.
func checkCounts(ctx context.Context, r store.Reader) ([]string, error) {
	counted := tally{}
	err := store.Each(ctx, r, interchanges, nil, func(kv store.KV) error {
		rec := &storagev1.Interchange{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		x := interchangeOf(rec)
		found, err := SetsOf(ctx, r, x.ID, 0)
		if err != nil {
			return err
		}
		for _, s := range found {
			counted.add(x, s, one)
		}
		if x.Overdue {
			counted.addOverdue(x, one)
		}
		if len(found) != x.Sets {
			return fmt.Errorf("%s has %d sets, its record says %d", x.Name(), len(found), x.Sets)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var breaches []string
	stored := map[countKey]bool{}
	err = store.Each(ctx, r, messageCounts, nil, func(kv store.KV) error {
		have := &storagev1.MessageCount{}
		// What a later program counts besides, this one cannot check.
		if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(kv.Value, have); err != nil {
			return err
		}
		k := countKey{have.GetParty(), have.GetDay(), have.GetSet()}
		stored[k] = true
		want := counted[k]
		if want == nil {
			want = &storagev1.MessageCount{Party: k.party, Day: k.day, Set: k.set}
		}
		if !proto.Equal(have, want) {
			breaches = append(breaches, fmt.Sprintf("counts of %s are %v, the sets say %v", k, have, want))
		}
		if sum := have.GetApplied() + have.GetDuplicate() + have.GetParked() + have.GetRejected() + have.GetInProgress(); sum != have.GetReceived() {
			breaches = append(breaches, fmt.Sprintf("counts of %s: received %d, the others add up to %d", k, have.GetReceived(), sum))
		}
		return nil
	})
	for _, k := range slices.SortedFunc(maps.Keys(counted), compareKeys) {
		if !stored[k] && !zero(counted[k]) {
			breaches = append(breaches, fmt.Sprintf("counts of %s are missing, the sets say %v", k, counted[k]))
		}
	}
	return breaches, err
}

// checkControlNumbers is invariant I7 for our own control numbers: each series issued 1, 2, 3 and so on, each of them to one
// interchange that is on file, but for those that were passed over after a restore.
func checkControlNumbers(ctx context.Context, r store.Reader) ([]string, error) {
	used := map[string]map[string]int{}
	err := store.Each(ctx, r, interchanges, nil, func(kv store.KV) error {
		rec := &storagev1.Interchange{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		if x := interchangeOf(rec); x.Direction == message.Outbound && x.Control != "" { // one that waits to be written has drawn none
			k := string(store.Key(x.Sender, x.Receiver))
			if used[k] == nil {
				used[k] = map[string]int{}
			}
			used[k][x.Control]++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var breaches []string
	err = store.Each(ctx, r, controlNumbers, nil, func(kv store.KV) error {
		rec := &storagev1.ControlNumbers{}
		if err := proto.Unmarshal(kv.Value, rec); err != nil {
			return err
		}
		issued := used[string(kv.Key)]
		delete(used, string(kv.Key))
		if rec.GetIssued() > maxControlNumber {
			return nil // wrapped around: numbers are no longer unique by themselves
		}
		ends, _ := store.Strings(kv.Key)
		if len(ends) != 2 {
			return fmt.Errorf("control numbers %x: key cannot be read", kv.Key)
		}
		voids, err := store.Voids(ctx, r, seriesName(ends[0], ends[1]))
		if err != nil {
			return err
		}
		for n := one; n <= rec.GetIssued(); n++ {
			if passed, ok := store.Void(voids, n); ok {
				n = passed
				continue
			}
			if times := issued[ControlNumber(n-1)]; times != 1 {
				breaches = append(breaches, fmt.Sprintf("control number %d of mailbox %q stands on %d interchanges", n, kv.Key, times))
			}
		}
		if uint64(len(issued)) > rec.GetIssued() {
			breaches = append(breaches, fmt.Sprintf("mailbox %q has %d interchanges, %d control numbers were drawn", kv.Key, len(issued), rec.GetIssued()))
		}
		return nil
	})
	for k := range used {
		breaches = append(breaches, fmt.Sprintf("mailbox %q has interchanges and no series", k))
	}
	return breaches, err
}
