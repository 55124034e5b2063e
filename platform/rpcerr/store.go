package rpcerr

import (
	"encoding/hex"
	"errors"
	"strconv"

	"google.golang.org/grpc/codes"

	"crossdock.dev/platform/store"
)

// FromStore maps the store's errors to an *Error; any other error, *store.CorruptError among them, is returned as it is
// and becomes INTERNAL with a reference. A handler that knows which resource was missing says NotFound itself.
func FromStore(err error) error {
	if forked, ok := errors.AsType[*store.ForkedError](err); ok {
		return &Error{Code: codes.OutOfRange, Reason: ReasonForked, Message: forked.Error(), Metadata: map[string]string{
			"epoch": strconv.FormatUint(forked.Fork.Epoch, 10), "after_epoch": strconv.FormatUint(forked.Fork.After.Epoch, 10),
			"after_sequence": strconv.FormatUint(forked.Fork.After.Sequence, 10), "hash": hex.EncodeToString(forked.Fork.Hash), "log": forked.Position.Log}}
	}
	if archived, ok := errors.AsType[*store.ArchivedError](err); ok {
		return &Error{Code: codes.OutOfRange, Reason: ReasonArchived, Message: archived.Error(), Metadata: map[string]string{"log": archived.First.Log,
			"first_epoch": strconv.FormatUint(archived.First.Epoch, 10), "first_sequence": strconv.FormatUint(archived.First.Sequence, 10)}}
	}
	if fenced, ok := errors.AsType[*store.FencedError](err); ok {
		return Unavailable(ReasonSeriesFenced).With("series", fenced.Series)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return &Error{Code: codes.NotFound, Reason: ReasonNotFound, Message: "not found"}
	case errors.Is(err, store.ErrRequestIDReused):
		return RequestIDReused()
	case errors.Is(err, store.ErrOutcomeUnknown):
		return Unavailable(ReasonOutcomeUnknown)
	case errors.Is(err, store.ErrFull):
		return Unavailable(ReasonStoreFull)
	case errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrInUse):
		return Unavailable(ReasonStoreClosed)
	case errors.Is(err, store.ErrOutOfRange):
		return Gone("the position")
	case errors.Is(err, store.ErrTooLarge):
		return &Error{Code: codes.InvalidArgument, Reason: ReasonInvalidRequest, Message: "the request is larger than can be kept"}
	}
	return err
}

// ForkOf is the fork that an error with ReasonForked names. What cannot be read of it is absent, as where a server says nothing.
func ForkOf(err error) store.Fork {
	m := From(err).Metadata
	hash, err := hex.DecodeString(m["hash"])
	if err != nil {
		hash = nil // not the half that could be read
	}
	return store.Fork{Epoch: number(m["epoch"]), After: store.Position{Log: m["log"], Epoch: number(m["after_epoch"]), Sequence: number(m["after_sequence"])}, Hash: hash}
}

// FirstOf is the first position that is left by an error with ReasonArchived.
func FirstOf(err error) store.Position {
	m := From(err).Metadata
	return store.Position{Log: m["log"], Epoch: number(m["first_epoch"]), Sequence: number(m["first_sequence"])}
}

// number reads a number of an error's metadata, 0 where there is none.
func number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0 // ParseUint would give the largest for one that is too large
	}
	return n
}
