package store

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"

	"go.etcd.io/bbolt"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	storagev1 "crossdock.dev/gen/crossdock/platform/storage/v1"
)

// firstEpoch is the epoch of a log whose store was never restored.
const firstEpoch = 1

// Fork is where an epoch of a log begins: a copy of its store was restored, and what followed the copy's last entry is no more.
type Fork struct {
	// Epoch is the one that begins.
	Epoch uint64
	// After is the copy's last entry, which both lines of the log share.
	After Position
	// Hash is that entry's; empty when the copy had none.
	Hash []byte
}

func (f Fork) equal(g Fork) bool {
	return f.Epoch == g.Epoch && f.After == g.After && bytes.Equal(f.Hash, g.Hash)
}

// ForkProto returns the message of f.
func ForkProto(f Fork) *eventlogv1.Fork {
	return &eventlogv1.Fork{Epoch: f.Epoch, After: PositionProto(f.After), Hash: f.Hash}
}

// ForkOf returns the fork in a message.
func ForkOf(f *eventlogv1.Fork) Fork {
	return Fork{Epoch: f.GetEpoch(), After: PositionOf(f.GetAfter()), Hash: f.GetHash()}
}

// Line is the way that a log has come: its forks, oldest first. Sequences go on at a fork, so a position is on the line when its
// epoch is the one that the sequence belongs to.
type Line []Fork

// LineProto returns the messages of l.
func LineProto(l Line) []*eventlogv1.Fork {
	var out []*eventlogv1.Fork
	for _, f := range l {
		out = append(out, ForkProto(f))
	}
	return out
}

// LineOf returns the line in messages.
func LineOf(forks []*eventlogv1.Fork) Line {
	var out Line
	for _, f := range forks {
		out = append(out, ForkOf(f))
	}
	return out
}

// Epoch is the current one.
func (l Line) Epoch() uint64 { return l.epochAt(math.MaxUint64) }

// epochAt is the epoch of a sequence.
func (l Line) epochAt(sequence uint64) uint64 {
	epoch := uint64(firstEpoch)
	for _, f := range l {
		if sequence > f.After.Sequence {
			epoch = f.Epoch
		}
	}
	return epoch
}

// At is the position of a sequence of a log on this line.
func (l Line) At(log string, sequence uint64) Position {
	return Position{Log: log, Epoch: l.epochAt(sequence), Sequence: sequence}
}

// end returns the last sequence of an epoch, and the fork that ended it; no fork for the current one. An epoch that is not on the line
// ends where the next one on it began.
func (l Line) end(epoch uint64) (sequence uint64, ended *Fork) {
	for i, f := range l {
		if f.Epoch > epoch {
			return f.After.Sequence, &l[i]
		}
	}
	return math.MaxUint64, nil
}

// Has tells whether the line went through an epoch.
func (l Line) Has(epoch uint64) bool {
	return epoch == firstEpoch || slices.ContainsFunc(l, func(f Fork) bool { return f.Epoch == epoch })
}

// Holds tells whether a position is on the line, or may come to be.
func (l Line) Holds(p Position) bool {
	end, _ := l.end(p.Epoch)
	return l.Has(p.Epoch) && p.Sequence <= end
}

// Common is the last position that two lines of one log share, as far as they are known; of the greatest sequence when one
// of them goes on from the other.
func (l Line) Common(m Line) (epoch, sequence uint64) {
	epoch = firstEpoch
	for i := 0; ; i++ {
		a, b := uint64(math.MaxUint64), uint64(math.MaxUint64)
		if i < len(l) {
			a = l[i].After.Sequence
		}
		if i < len(m) {
			b = m[i].After.Sequence
		}
		if i >= len(l) || i >= len(m) || !l[i].equal(m[i]) {
			return epoch, min(a, b)
		}
		epoch = l[i].Epoch
	}
}

// ForkedError refuses a position that is not on the log's line: its entry is no more. It is an ErrOutOfRange.
type ForkedError struct {
	Position Position // that was asked for
	Fork     Fork     // at which the log left the position's line, at the latest
}

// Error says where the lines part.
func (e *ForkedError) Error() string {
	return fmt.Sprintf("%v is no more: epoch %d of log %s goes on from %d", e.Position, e.Fork.Epoch, e.Position.Log, e.Fork.After.Sequence)
}

// Is makes it an ErrOutOfRange.
func (e *ForkedError) Is(target error) bool { return target == ErrOutOfRange }

// onLine returns nil for a position that is on this log's line, or may come to be.
func (s *Store) onLine(p Position) error {
	line := s.Line()
	switch {
	case p.Log != s.cat.Service || p.Epoch == 0 || p.Epoch > line.Epoch():
		return fmt.Errorf("%w: %v is not of log %s up to epoch %d", ErrOutOfRange, p, s.cat.Service, line.Epoch())
	case !line.Holds(p):
		_, fork := line.end(p.Epoch)
		return &ForkedError{p, *fork}
	}
	return nil
}

// Line is the way that this store's log has come.
func (s *Store) Line() Line { return s.line }

// readLine finds the forks of a log from its last entry on backwards: the epochs of its entries only grow. Those before the entries that
// the store holds are in the records of its archive files.
func readLine(btx *bbolt.Tx, last tip, archives []*storagev1.ArchiveRecord) (Line, error) {
	var line Line
	held := archivedTip(archives)
	for epoch, high := last.epoch, last.sequence; epoch > held.epoch; {
		low := held.sequence + 1
		for low < high { // the first entry of the epoch is in low…high
			middle := low + (high-low)/2
			e, err := entryAt(btx, middle)
			if err != nil {
				return nil, err
			}
			if e.head.Position.GetEpoch() < epoch {
				low = middle + 1
			} else {
				high = middle
			}
		}
		e, err := entryAt(btx, high)
		if err != nil {
			return nil, err
		}
		if e.head.Fork == nil {
			return nil, fmt.Errorf("entry %d begins epoch %d and names no fork", high, epoch)
		}
		f := ForkOf(e.head.Fork)
		if f.After.Epoch >= epoch {
			return nil, errors.New("epochs of the log do not grow")
		}
		line = append(line, f)
		epoch, high = f.After.Epoch, f.After.Sequence
	}
	slices.Reverse(line)
	return slices.Concat(archivedLine(archives), line), nil
}
