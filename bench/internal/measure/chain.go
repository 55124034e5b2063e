package measure

import (
	"bytes"
	"crypto/sha256"
	"errors"

	"google.golang.org/protobuf/proto"

	eventlogv1 "crossdock.dev/gen/crossdock/eventlog/v1"
	"crossdock.dev/platform/eventlog"
)

// follows decodes an entry that must have the hash it names and follow the one with the previous hash; nil is before the first.
func follows(e eventlog.Entry, previous []byte) (*eventlogv1.Head, error) {
	if sum := sha256.Sum256(e.Head); !bytes.Equal(sum[:], e.Hash) {
		return nil, errors.New("an entry does not have the hash that it names")
	}
	head := &eventlogv1.Head{}
	if err := proto.Unmarshal(e.Head, head); err != nil {
		return nil, err
	}
	if !bytes.Equal(head.GetPreviousHash(), previous) {
		return nil, errors.New("an entry does not follow the one before")
	}
	return head, nil
}

// countFacts counts the facts of a type in entries.
func countFacts(entries []*eventlogv1.Entry, kind string) (n uint64, err error) {
	for _, e := range entries {
		var head eventlogv1.Head
		if err := proto.Unmarshal(e.GetHead(), &head); err != nil {
			return n, err
		}
		for _, f := range head.GetFacts() {
			if f.GetType() == kind {
				n++
			}
		}
	}
	return n, nil
}
