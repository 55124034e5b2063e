package rpcerr

import (
	"errors"

	"google.golang.org/grpc/codes"

	"crossdock.dev/platform/store"
)

// FromStore maps the store's errors to an *Error; any other error, *store.CorruptError among them, is returned as it is
// and becomes INTERNAL with a reference. A handler that knows which resource was missing says NotFound itself.
func FromStore(err error) error {
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
